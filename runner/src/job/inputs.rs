//! Job inputs: expressions in what the server sent are replaced before the job begins (runner.md 5.1).

use protocol::job_payload::{Artifact, Cache, Image, JobInput, Service};
use protocol::{Field, JobPayload};
use serde_json::Value as Json;

use crate::moa::{Kind, Template, Value};

/// What became of the expressions of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interpolations {
    /// Texts in which expressions were replaced.
    pub count: u64,
    /// Why they could not all be; the job fails.
    pub failure: Option<InputError>,
}

/// A text whose expressions cannot be replaced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InputError {
    /// For the result line.
    pub message: String,
    /// `parse`, `evaluation` or `sensitive_unsupported`: the label `error_type` of the metric.
    pub error_type: &'static str,
}

/// Steps whose scripts are expanded; others, such as `release`, are not.
const STEPS: [&str; 2] = ["script", "after_script"];

/// Replaces expressions in scripts, image, services, artifacts and caches. Without inputs every text
/// stays as it is (RUN-JOB-25).
pub(super) fn expand(payload: &mut JobPayload) -> Interpolations {
    let inputs: Vec<(String, Value)> = payload.inputs.as_slice().iter().map(input).collect();
    if inputs.is_empty() {
        return Interpolations::default();
    }
    let object = |name: &str, members| (name.to_owned(), Value::plain(Kind::Object(members)));
    let mut expander = Expander {
        scope: vec![object("job", vec![object("inputs", inputs)])],
        count: 0,
    };
    let failure = expander.payload(payload).err();
    Interpolations {
        count: expander.count,
        failure,
    }
}

fn input(input: &JobInput) -> (String, Value) {
    let value = input.value.get();
    let content = value.content.get();
    let sensitive = value.sensitive.get();
    (
        input.key.as_str().to_owned(),
        Value::from_json(&content).marked(sensitive),
    )
}

struct Expander {
    scope: Vec<(String, Value)>,
    count: u64,
}

type Done = Result<(), InputError>;

impl Expander {
    fn payload(&mut self, payload: &mut JobPayload) -> Done {
        for step in payload.steps.as_mut().into_iter().flatten() {
            if STEPS.contains(&step.name.as_str()) {
                self.texts(&mut step.script)?;
            }
        }
        if let Some(image) = payload.image.as_mut() {
            self.image(image)?;
        }
        for service in payload.services.as_mut().into_iter().flatten() {
            self.service(service)?;
        }
        for artifact in payload.artifacts.as_mut().into_iter().flatten() {
            self.artifact(artifact)?;
        }
        for cache in payload.cache.as_mut().into_iter().flatten() {
            self.cache(cache)?;
        }
        Ok(())
    }

    fn image(&mut self, image: &mut Image) -> Done {
        self.text(&mut image.name)?;
        self.texts(&mut image.entrypoint)?;
        self.texts(&mut image.pull_policy)?;
        self.options(&mut image.executor_opts)
    }

    fn service(&mut self, service: &mut Service) -> Done {
        self.text(&mut service.name)?;
        self.texts(&mut service.command)?;
        self.texts(&mut service.entrypoint)?;
        self.texts(&mut service.pull_policy)?;
        self.options(&mut service.executor_opts)
    }

    fn artifact(&mut self, artifact: &mut Artifact) -> Done {
        self.text(&mut artifact.name)?;
        self.texts(&mut artifact.paths)?;
        self.texts(&mut artifact.exclude)?;
        self.text(&mut artifact.when)?;
        self.text(&mut artifact.expire_in)
    }

    fn cache(&mut self, cache: &mut Cache) -> Done {
        self.text(&mut cache.key)?;
        self.text(&mut cache.policy)?;
        self.texts(&mut cache.paths)?;
        self.text(&mut cache.when)?;
        self.texts(&mut cache.fallback_keys)
    }

    /// `platform` and `user` of each executor.
    fn options(&mut self, options: &mut Field<std::collections::BTreeMap<String, Json>>) -> Done {
        let members = options
            .as_mut()
            .into_iter()
            .flat_map(|map| map.values_mut());
        for member in members.filter_map(Json::as_object_mut) {
            for name in ["platform", "user"] {
                if let Some(Json::String(text)) = member.get_mut(name) {
                    self.replace(text)?;
                }
            }
        }
        Ok(())
    }

    fn texts(&mut self, texts: &mut Field<Vec<String>>) -> Done {
        let mut texts = texts.as_mut().into_iter().flatten();
        texts.try_for_each(|text| self.replace(text))
    }

    fn text(&mut self, text: &mut Field<String>) -> Done {
        text.as_mut().map_or(Ok(()), |text| self.replace(text))
    }

    fn replace(&mut self, text: &mut String) -> Done {
        let failed = |what: &dyn std::fmt::Display, error_type| InputError {
            message: format!("failed to interpolate job inputs: {what}"),
            error_type,
        };
        let template = Template::parse(text).map_err(|error| failed(&error, "parse"))?;
        let value = template
            .render(&self.scope)
            .map_err(|error| failed(&error.in_text(text), "evaluation"))?;
        if value.is_sensitive() {
            return Err(InputError {
                message: "sensitive inputs are unsupported in interpolations yet".to_owned(),
                error_type: "sensitive_unsupported",
            });
        }
        self.count += u64::from(template.has_expressions());
        *text = value.kind.to_string();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn payload(text: &str) -> Json {
        let artifact = json!({"name": text, "paths": [text], "exclude": [text], "when": text,
            "expire_in": text, "artifact_type": text, "artifact_format": text});
        let image = json!({"name": text, "entrypoint": [text], "pull_policy": [text],
            "executor_opts": {"docker": {"platform": text, "user": text}, "kubernetes": {"user": 1000}}});
        let service = json!({"name": text, "alias": text, "command": [text], "entrypoint": [text],
            "variables": [{"key": "A", "value": text}]});
        json!({
            "steps": [
                {"name": "script", "script": [text, "plain"]},
                {"name": "release", "script": [text]},
                {"name": "after_script", "script": [text]},
            ],
            "variables": [{"key": "A", "value": text}],
            "hooks": [{"name": "pre_get_sources_script", "script": [text]}],
            "image": image,
            "services": [service],
            "artifacts": [artifact],
            "cache": [{"key": text, "paths": [text], "policy": text, "when": text, "fallback_keys": [text]}],
            "inputs": [{"key": "x", "value": {"type": "string", "content": "prod"}}],
        })
    }

    fn decoded(json: &Json) -> JobPayload {
        serde_json::from_value(json.clone()).expect("a payload")
    }

    /// Scripts, image, services, artifacts and caches are expanded, and nothing else (runner.md 5.1).
    #[test]
    fn what_is_expanded() {
        let mut expanded = decoded(&payload("a-${{ job.inputs.x }}"));
        let interpolations = expand(&mut expanded);
        let mut expected = payload("a-prod");
        let same = "a-${{ job.inputs.x }}";
        for (pointer, text) in [
            ("/steps/1/script/0", same),
            ("/variables/0/value", same),
            ("/hooks/0/script/0", same),
            ("/services/0/alias", same),
            ("/services/0/variables/0/value", same),
            ("/artifacts/0/artifact_type", same),
            ("/artifacts/0/artifact_format", same),
        ] {
            *expected.pointer_mut(pointer).expect("there") = json!(text);
        }
        assert_eq!(serde_json::to_value(&expanded).expect("JSON"), expected);
        // 2 scripts, 5 of the image, 3 of the service, 5 of the artifact, 5 of the cache.
        let all = Interpolations {
            count: 20,
            failure: None,
        };
        assert_eq!(interpolations, all);
    }

    /// Proves RUN-JOB-25.
    #[test]
    fn without_inputs_nothing_is_read() {
        for text in ["${{ job.inputs.x }}", "${{ not even a template", r"\${{"] {
            let mut json = payload(text);
            json["inputs"] = json!([]);
            let mut unchanged = decoded(&json);
            assert_eq!(expand(&mut unchanged), Interpolations::default());
            assert_eq!(serde_json::to_value(&unchanged).expect("JSON"), json);
        }
    }
}
