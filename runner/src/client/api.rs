use http::{Method, StatusCode};
use protocol::runners::{
    RegisterRequest, ResetTokenAnswer, RunnerCredentials, TokenRequest, VerifyRequest,
};
use protocol::{go_json, header, path};
use serde::de::DeserializeOwned;

use super::call::{Answer, ApiClient, Body, Call, CallError, Ended};
use super::judge::{describe, is_json};
use super::outcome::{
    CallFailure, RegisterOutcome, ResetOutcome, UnregisterOutcome, VerifyOutcome,
};

use super::redirect::Secret;

/// Result of a call as wire.md 1.7 has it.
enum Judged<T> {
    /// The expected success code, and its body decoded.
    Success(T),
    /// Another status, with its text for logs.
    Status(StatusCode, String),
    /// -1: no answer, or a success whose body cannot be used.
    Broken(String),
}

impl ApiClient {
    /// Registers a runner with a registration token (wire.md 3.2).
    pub async fn register(&self, request: &RegisterRequest) -> RegisterOutcome {
        let call = self.runner_call(
            Method::POST,
            path::RUNNERS,
            Body::json(request, Secret::Token),
            true,
            &request.token,
        );
        let ended = self.call(call).await;
        self.outcome(
            &Method::POST,
            ended,
            StatusCode::CREATED,
            &Messages {
                success: "Registering runner... succeeded",
                forbidden: "Registering runner... forbidden (check registration token)",
                failed: "Registering runner... failed",
            },
        )
    }

    /// Asks whether a token is valid, and makes the runner manager known (wire.md 3.3).
    pub async fn verify(&self, request: &VerifyRequest) -> VerifyOutcome {
        let mut call = self.runner_call(
            Method::POST,
            path::RUNNERS_VERIFY,
            Body::json(request, Secret::Token),
            true,
            &request.token,
        );
        let request_id = self.new_request_id();
        call.request_id.clone_from(&request_id);
        let ended = self.call(call).await;
        let mut correlation_id = ended.correlation_id.clone();
        let mut judged = self.judge::<RunnerCredentials>(&Method::POST, ended, StatusCode::OK);
        if let Judged::Broken(_) = judged {
            // Old servers answer with plain text: ask again, under the same id, for the status alone.
            let mut call = self.runner_call(
                Method::POST,
                path::RUNNERS_VERIFY,
                Body::json(request, Secret::Token),
                true,
                &request.token,
            );
            call.request_id = request_id;
            let ended = self.call(call).await;
            correlation_id.clone_from(&ended.correlation_id);
            judged = match &ended.answer {
                Ok(answer) if answer.status == StatusCode::OK => {
                    Judged::Success(RunnerCredentials::default())
                }
                _ => self.judge(&Method::POST, ended, StatusCode::OK),
            };
        }
        let created = protocol::token::is_created(&request.token);
        match judged {
            Judged::Success(credentials) => {
                let message = if created {
                    "Verifying runner... is valid"
                } else {
                    "Verifying runner... is alive"
                };
                tracing::info!(correlation_id, "{message}");
                VerifyOutcome::Valid(credentials)
            }
            // A created token is only said to be bad (recording `register-glrt`); of a legacy one the
            // runner is gone, and that is an error (runner.md 2.5).
            Judged::Status(StatusCode::FORBIDDEN, _) if created => {
                tracing::info!(correlation_id, "Verifying runner... is not valid");
                VerifyOutcome::Invalid
            }
            Judged::Status(StatusCode::FORBIDDEN, status) => {
                tracing::error!(correlation_id, status, "Verifying runner... is removed");
                VerifyOutcome::Invalid
            }
            Judged::Status(_, status) | Judged::Broken(status) => {
                tracing::error!(correlation_id, status, "Verifying runner... failed");
                VerifyOutcome::Failed(status)
            }
        }
    }

    /// Removes a runner with all its managers (wire.md 3.4).
    pub async fn unregister_runner(&self, token: &str) -> UnregisterOutcome {
        self.unregister(
            path::RUNNERS,
            token,
            "",
            &Messages {
                success: "Unregistering runner from GitLab succeeded",
                forbidden: "Unregistering runner from GitLab forbidden",
                failed: "Unregistering runner from GitLab failed",
            },
        )
        .await
    }

    /// Removes one manager of a runner (wire.md 3.4).
    pub async fn unregister_manager(&self, token: &str, system_id: &str) -> UnregisterOutcome {
        self.unregister(
            path::RUNNERS_MANAGERS,
            token,
            system_id,
            &Messages {
                success: "Unregistering runner manager from GitLab succeeded",
                forbidden: "Unregistering runner manager from GitLab forbidden",
                failed: "Unregistering runner manager from GitLab failed",
            },
        )
        .await
    }

    /// Replaces a runner's token, authorized by that token. No token header goes along (wire.md 1.2).
    pub async fn reset_token(&self, token: &str) -> ResetOutcome {
        let body = TokenRequest {
            token: token.to_owned(),
            system_id: String::new(),
        };
        let mut call = self.runner_call(
            Method::POST,
            path::RUNNERS_RESET_AUTHENTICATION_TOKEN,
            Body::json(&body, Secret::Token),
            true,
            "",
        );
        call.token = None;
        let ended = self.call(call).await;
        self.outcome::<ResetTokenAnswer>(&Method::POST, ended, StatusCode::CREATED, &RESET)
    }

    /// Replaces the token of runner `id`, authorized by a personal access token (WIRE-CON-09). The body
    /// is `null`.
    pub async fn reset_token_by_id(&self, id: i64, personal_access_token: &str) -> ResetOutcome {
        let path = path::reset_by_id(id);
        let mut call =
            self.runner_call(Method::POST, &path, Body::json(&(), Secret::None), true, "");
        call.token = Some((header::PRIVATE_TOKEN, personal_access_token));
        let ended = self.call(call).await;
        self.outcome::<ResetTokenAnswer>(&Method::POST, ended, StatusCode::CREATED, &RESET)
    }

    fn runner_call<'a>(
        &self,
        method: Method,
        path: &str,
        body: Option<Body>,
        accept: bool,
        token: &'a str,
    ) -> Call<'a> {
        Call {
            method,
            path: path.to_owned().into(),
            body,
            accept,
            token: Some((header::RUNNER_TOKEN, token)),
            headers: Vec::new(),
            request_id: self.new_request_id(),
            cancel: None,
        }
    }

    async fn unregister(
        &self,
        path: &str,
        token: &str,
        system_id: &str,
        messages: &Messages,
    ) -> UnregisterOutcome {
        let body = TokenRequest {
            token: token.to_owned(),
            system_id: system_id.to_owned(),
        };
        let call = self.runner_call(
            Method::DELETE,
            path,
            Body::json(&body, Secret::Token),
            false,
            token,
        );
        let ended = self.call(call).await;
        let correlation_id = ended.correlation_id.clone();
        let judged = match ended.answer {
            Ok(answer) => {
                self.remember_last_update(&answer);
                if answer.status == StatusCode::NO_CONTENT {
                    Judged::Success(())
                } else {
                    Judged::Status(answer.status, text(&Method::DELETE, &ended.url, &answer))
                }
            }
            Err(error) => Judged::Broken(no_answer(&Method::DELETE, &ended.url, &error)),
        };
        report(judged, &correlation_id, messages)
    }

    fn outcome<T: DeserializeOwned>(
        &self,
        method: &Method,
        ended: Ended,
        expected: StatusCode,
        messages: &Messages,
    ) -> Result<T, CallFailure> {
        let correlation_id = ended.correlation_id.clone();
        let judged = self.judge(method, ended, expected);
        report(judged, &correlation_id, messages)
    }

    fn judge<T: DeserializeOwned>(
        &self,
        method: &Method,
        ended: Ended,
        expected: StatusCode,
    ) -> Judged<T> {
        let answer = match ended.answer {
            Ok(answer) => answer,
            Err(error) => return Judged::Broken(no_answer(method, &ended.url, &error)),
        };
        if answer.status != expected {
            self.remember_last_update(&answer);
            return Judged::Status(answer.status, text(method, &ended.url, &answer));
        }
        if !is_json(&answer.headers) {
            return Judged::Broken("the answer is not of type application/json".to_owned());
        }
        match go_json::from_slice(&answer.body) {
            Ok(value) => {
                self.remember_last_update(&answer);
                Judged::Success(value)
            }
            Err(error) => Judged::Broken(format!("decoding json payload {error}")),
        }
    }
}

/// Messages of the process log for one call.
struct Messages {
    success: &'static str,
    forbidden: &'static str,
    failed: &'static str,
}

const RESET: Messages = Messages {
    success: "Resetting runner authentication token... succeeded",
    forbidden: "Resetting runner authentication token... failed (check used token)",
    failed: "Resetting runner authentication token... failed",
};

fn report<T>(
    judged: Judged<T>,
    correlation_id: &str,
    messages: &Messages,
) -> Result<T, CallFailure> {
    match judged {
        Judged::Success(value) => {
            tracing::info!(correlation_id, "{}", messages.success);
            Ok(value)
        }
        Judged::Status(StatusCode::FORBIDDEN, status) => {
            tracing::error!(correlation_id, status, "{}", messages.forbidden);
            Err(CallFailure::Forbidden)
        }
        Judged::Status(_, status) | Judged::Broken(status) => {
            tracing::error!(correlation_id, status, "{}", messages.failed);
            Err(CallFailure::Failed(status))
        }
    }
}

fn text(method: &Method, url: &str, answer: &Answer) -> String {
    describe(method, url, answer.status, &answer.headers, &answer.body)
}

fn no_answer(method: &Method, url: &str, error: &CallError) -> String {
    error.text(super::call::JSON_STEPS, method, url)
}
