//! The OpenAPI document.

use axum::response::Response;
use http::StatusCode;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{InfoBuilder, OpenApi, Server};

use super::ROOT;
use super::ask::json;

/// Path of the document, the only call that needs no token.
pub(super) const PATH: &str = "/openapi.json";

/// The routes' own descriptions, and what they do not say themselves: title, place, who may call.
fn document() -> OpenApi {
    let mut document = super::routes().into_openapi();
    document.info = InfoBuilder::new()
        .title("Levers of mock-gitlab")
        .version("1")
        .description(Some(
            "What no GitLab has: the clock, faults, events, snapshots, and why a runner would not get a job.",
        ))
        .build();
    document.servers = Some(vec![Server::new(ROOT)]);
    let key = ApiKeyValue::with_description(
        "PRIVATE-TOKEN",
        "Personal access token of an administrator; `Authorization: Bearer` is taken too.",
    );
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("token", SecurityScheme::ApiKey(ApiKey::Header(key)));
    document.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>(
        "token",
        [],
    )]);
    document
}

/// This document. It holds no secret, so everybody may read it.
#[utoipa::path(get, path = "/openapi.json", tag = "document", security(()), responses(
    (status = 200, body = Object)))]
pub(super) async fn get() -> Response {
    json(StatusCode::OK, &document())
}
