//! The keys of an entry that hold a value, for the command line.

use super::schema::{Kind, ROOT, Table};

/// What the value of a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyType {
    Text,
    Integer,
    Float,
    Boolean,
    /// Boolean that may be unset.
    ThreeState,
    Duration,
    List,
    /// One text or a list of texts.
    TextOrList,
    Map,
    /// Something that only a file can hold.
    Other,
}

/// A key of an entry.
#[derive(Clone, Debug)]
pub(crate) struct OptionKey {
    /// Its tables below `[[runners]]`, and its name.
    pub(crate) path: Vec<&'static str>,
    pub(crate) holds: KeyType,
}

/// All keys of an entry and its tables. Lists of tables are left out, but for those with an option of
/// their own in the official runner.
pub(crate) fn option_keys() -> Vec<OptionKey> {
    let mut keys = Vec::new();
    if let Some(entry) = ROOT.key("runners").and_then(|key| key.kind.table()) {
        collect(entry, &mut Vec::new(), &mut keys);
    }
    keys
}

fn collect(table: &'static Table, path: &mut Vec<&'static str>, keys: &mut Vec<OptionKey>) {
    for key in table.keys {
        path.push(key.name);
        let holds = match key.kind {
            Kind::Table(inner) => {
                collect(inner, path, keys);
                None
            }
            Kind::Tables(_) => (key.name == "host_aliases").then_some(KeyType::Other),
            Kind::Time | Kind::Raw => Some(KeyType::Other),
            Kind::Text => Some(KeyType::Text),
            Kind::Integer => Some(KeyType::Integer),
            Kind::Float => Some(KeyType::Float),
            Kind::Boolean => Some(KeyType::Boolean),
            Kind::Tristate => Some(KeyType::ThreeState),
            Kind::Duration => Some(KeyType::Duration),
            Kind::List => Some(KeyType::List),
            Kind::TextOrList => Some(KeyType::TextOrList),
            Kind::Map => Some(KeyType::Map),
        };
        if let Some(holds) = holds {
            keys.push(OptionKey {
                path: path.clone(),
                holds,
            });
        }
        path.pop();
    }
}
