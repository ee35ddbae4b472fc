//! Secrets of a job (runner.md 8).

use protocol::{FailureReason, JobPayload};

use super::log::LogSink;
use super::request::JobFailure;
use super::variables::JobVariable;

/// Members of a secret that name a provider.
const PROVIDERS: [&str; 5] = [
    "vault",
    "gcp_secret_manager",
    "azure_key_vault",
    "aws_secrets_manager",
    "gitlab_secrets_manager",
];

/// Resolves the secrets of a job. This runner has no provider, so a job that needs one fails.
pub(super) fn resolve(
    payload: &JobPayload,
    log: &dyn LogSink,
) -> Result<Vec<JobVariable>, JobFailure> {
    let secrets = payload.secrets.get();
    if secrets.is_empty() {
        return Ok(Vec::new());
    }
    log.title("Resolving secrets");
    for (name, secret) in &secrets {
        log.println(&format!("Resolving secret \"{name}\"..."));
        let secret = serde_json::to_value(secret).unwrap_or_default();
        let provider = PROVIDERS
            .into_iter()
            .find(|provider| secret.get(provider).is_some_and(|value| !value.is_null()));
        let Some(provider) = provider else {
            log.warningln("Not resolved: no resolver that can handle the secret");
            continue;
        };
        log.println(&format!("Using \"{provider}\" secret resolver..."));
        return Err(JobFailure {
            message: format!(
                "resolving secrets: this runner cannot read secrets from {provider} yet"
            ),
            reason: FailureReason::RunnerSystemFailure,
            exit_code: 0,
        });
    }
    Ok(Vec::new())
}
