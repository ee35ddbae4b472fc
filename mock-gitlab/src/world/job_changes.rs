use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::job_payload::{InputValue, Variable};
use serde_json::Value;

use super::answer::SetupError;
use super::definition::JobDefinition;

/// What a user may change when a job is played or retried.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobChanges {
    /// `job_variables_attributes`: added to the job's variables.
    pub variables: Vec<Variable>,
    /// `job_inputs`: other values of inputs that the job has.
    pub inputs: BTreeMap<String, Value>,
}

impl JobChanges {
    /// The definition with these changes. An input that the job does not have, or a value of another
    /// type, is refused.
    pub(super) fn apply(
        &self,
        definition: &Arc<JobDefinition>,
    ) -> Result<Arc<JobDefinition>, SetupError> {
        if *self == JobChanges::default() {
            return Ok(Arc::clone(definition));
        }
        let mut changed = JobDefinition::clone(definition);
        changed.variables.extend(self.variables.iter().cloned());
        for (name, value) in &self.inputs {
            let refused = |text: String| SetupError::Invalid {
                attribute: "job_inputs".to_owned(),
                text,
            };
            let input = changed
                .inputs
                .iter_mut()
                .find(|input| input.key.as_str() == name)
                .ok_or_else(|| refused(format!("`{name}` is not an input of the job")))?;
            let mut typed: InputValue = input.value.get();
            let fits = match typed.type_.as_str() {
                "string" => value.is_string(),
                "number" => value.is_number(),
                "boolean" => value.is_boolean(),
                "array" => value.is_array(),
                _ => value.is_object(),
            };
            if !fits {
                let wanted = typed.type_.as_str();
                return Err(refused(format!(
                    "`{name}` must be a value of type {wanted}"
                )));
            }
            typed.content = value.clone().into();
            input.value = typed.into();
        }
        Ok(Arc::new(changed))
    }
}
