//! Token formats and shortening (wire.md 7.1, runner.md 7.1).

use rand::{Rng, RngExt};

/// Prefix of an authentication token made in the UI or by API.
pub const RUNNER_PREFIX: &str = "glrt-";
/// Prefix of an authentication token that came from a registration token.
pub const LEGACY_RUNNER_PREFIX: &str = "glrtr-";
/// Prefix of a job token.
pub const JOB_PREFIX: &str = "glcbt-";
/// Prefix of a personal access token.
pub const PERSONAL_PREFIX: &str = "glpat-";
/// Prefix of a registration token.
pub const REGISTRATION_PREFIX: &str = "GR1348941";

/// What follows `glrt-` for instance, group and project runners.
pub const TYPE_PREFIXES: [&str; 3] = ["t1_", "t2_", "t3_"];

/// Length of the short form of a token in logs and directory names.
pub const SHORT_LENGTH: usize = 9;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

/// `prefix` followed by 20 random characters of `[A-Za-z0-9_-]`.
pub fn generate(prefix: &str, random: &mut dyn Rng) -> String {
    let mut token = String::with_capacity(prefix.len() + 20);
    token.push_str(prefix);
    for _ in 0..20 {
        token.push(char::from(ALPHABET[random.random_range(0..ALPHABET.len())]));
    }
    token
}

/// Whether the runner takes the token as one "created" in the UI or by API: only by its prefix.
pub fn is_created(token: &str) -> bool {
    token.starts_with(RUNNER_PREFIX)
}

/// The short form: a known prefix stripped, then the first 9 characters (runner.md 7.1).
pub fn short(token: &str) -> &str {
    let rest = without_prefix(token);
    let end = rest
        .char_indices()
        .nth(SHORT_LENGTH)
        .map_or(rest.len(), |(index, _)| index);
    &rest[..end]
}

/// `token` without the one prefix that it has: `glrt-` with or without a type, a bare type, `glrtr-`,
/// `glcbt-`, or `GR` and 7 hex digits.
fn without_prefix(token: &str) -> &str {
    for prefix in [LEGACY_RUNNER_PREFIX, JOB_PREFIX] {
        if let Some(rest) = token.strip_prefix(prefix) {
            return rest;
        }
    }
    let created = token.strip_prefix(RUNNER_PREFIX);
    let rest = created.unwrap_or(token);
    for prefix in TYPE_PREFIXES {
        if let Some(rest) = rest.strip_prefix(prefix) {
            return rest;
        }
    }
    if let Some(rest) = token.strip_prefix("GR")
        && rest.len() >= 7
        && rest.as_bytes()[..7].iter().all(u8::is_ascii_hexdigit)
    {
        return &rest[7..];
    }
    rest
}
