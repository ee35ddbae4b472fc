//! The signature of workhorse, GitLab's proxy, on a request (wire.md 6.2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use serde_json::Value;
use sha2::Sha256;

use crate::http::parameters::header_text;

/// Header that carries the signed token.
const HEADER: &str = "gitlab-workhorse-api-request";
/// Who signs.
const ISSUER: &str = "gitlab-workhorse";

/// Whether workhorse, which knows the secret, sent this.
pub(super) fn is_signed(headers: &HeaderMap, secret: &[u8]) -> bool {
    header_text(headers, HEADER).is_some_and(|token| signed_by(token, secret).is_some())
}

/// A JSON Web Token with HMAC-SHA256 of this secret, from the right issuer.
fn signed_by(token: &str, secret: &[u8]) -> Option<()> {
    let (message, signature) = token.rsplit_once('.')?;
    let (head, claims) = message.split_once('.')?;
    let decoded = |text: &str| -> Option<Value> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    };
    if decoded(head)?["alg"] != "HS256" {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(message.as_bytes());
    // Compares in constant time.
    mac.verify_slice(&URL_SAFE_NO_PAD.decode(signature).ok()?)
        .ok()?;
    (decoded(claims)?["iss"] == ISSUER).then_some(())
}
