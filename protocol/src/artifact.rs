//! Artifacts: types, their formats, and the upload's query (wire.md 6.1).

use std::fmt::Write as _;

/// The file name under which the runner's upload is found in the multipart body.
pub const UPLOAD_FIELD: &str = "file";
/// Type that is meant when none is sent.
pub const DEFAULT_TYPE: &str = "archive";
/// Format that is meant when none is sent.
pub const DEFAULT_FORMAT: &str = "zip";

const GZIP: &[&str] = &[
    "metadata",
    "junit",
    "metrics",
    "metrics_referee",
    "network_referee",
    "dotenv",
    "cobertura",
    "jacoco",
    "cluster_applications",
    "cyclonedx",
    "annotations",
    "repository_xray",
];
const ZIP: &[&str] = &["archive", "lsif", "scip"];
const RAW: &[&str] = &[
    "trace",
    "sast",
    "secret_detection",
    "dependency_scanning",
    "container_scanning",
    "cluster_image_scanning",
    "dast",
    "license_scanning",
    "accessibility",
    "codequality",
    "performance",
    "browser_performance",
    "load_performance",
    "terraform",
    "requirements",
    "requirements_v2",
    "coverage_fuzzing",
    "api_fuzzing",
    "sarif",
];

/// The only format that GitLab takes for an artifact type; `None` for a type that does not exist.
pub fn format_of(artifact_type: &str) -> Option<&'static str> {
    [("gzip", GZIP), ("zip", ZIP), ("raw", RAW)]
        .into_iter()
        .find(|(_, types)| types.contains(&artifact_type))
        .map(|(format, _)| format)
}

/// Every type with its format, by format.
pub fn types() -> impl Iterator<Item = (&'static str, &'static str)> {
    [("gzip", GZIP), ("zip", ZIP), ("raw", RAW)]
        .into_iter()
        .flat_map(|(format, types)| types.iter().map(move |name| (*name, format)))
}

/// What an upload says about itself; empty texts are not sent (WIRE-ART-02).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UploadQuery<'a> {
    /// `zip`, `gzip` or `raw`.
    pub artifact_format: &'a str,
    /// Such as `archive` or `junit`.
    pub artifact_type: &'a str,
    /// Free text such as `7 days`.
    pub expire_in: &'a str,
}

impl UploadQuery<'_> {
    /// The query string without `?`: members in alphabetical order, form-encoded, space as `+`.
    pub fn encoded(&self) -> String {
        let mut query = String::new();
        for (name, value) in [
            ("artifact_format", self.artifact_format),
            ("artifact_type", self.artifact_type),
            ("expire_in", self.expire_in),
        ] {
            if value.is_empty() {
                continue;
            }
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(name);
            query.push('=');
            form_encode(value, &mut query);
        }
        query
    }
}

/// Go's `url.QueryEscape`: letters, digits and `-_.~` stay, space becomes `+`.
fn form_encode(value: &str, into: &mut String) {
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                into.push(char::from(byte));
            }
            b' ' => into.push('+'),
            // Writing to a String cannot fail.
            other => {
                let _ = write!(into, "%{other:02X}");
            }
        }
    }
}
