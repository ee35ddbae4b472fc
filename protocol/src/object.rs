//! How objects are declared whose members may each be absent or null.

/// Declares a struct all of whose members are [`Field`](crate::Field)s, left out when absent.
macro_rules! object {
    (
        $(#[$doc:meta])*
        $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        pub struct $name {
            $(
                $(#[$field_doc])*
                #[serde(skip_serializing_if = "crate::field::Field::is_absent")]
                pub $field: crate::field::Field<$type>,
            )*
        }
    };
}

pub(crate) use object;
