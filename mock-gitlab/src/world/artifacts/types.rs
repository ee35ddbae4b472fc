//! Types of artifacts and their only valid format (wire.md 6.1).

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

/// The format of a type; `None` for a type that does not exist.
pub fn format_of(file_type: &str) -> Option<&'static str> {
    if GZIP.contains(&file_type) {
        Some("gzip")
    } else if ZIP.contains(&file_type) {
        Some("zip")
    } else if RAW.contains(&file_type) {
        Some("raw")
    } else {
        None
    }
}

/// Name of the artifact entry of a report in the payload, as GitLab's default file names have it.
pub(in crate::world) fn report_name(file_type: &str) -> String {
    match file_type {
        "junit" => "junit.xml".to_owned(),
        "cobertura" => "cobertura-coverage.xml".to_owned(),
        "jacoco" => "jacoco-coverage.xml".to_owned(),
        "dotenv" => ".env".to_owned(),
        "metrics" => "metrics.txt".to_owned(),
        "terraform" => "tfplan.json".to_owned(),
        "lsif" => "lsif.json".to_owned(),
        "cyclonedx" => "gl-sbom.cdx.json.gz".to_owned(),
        "codequality" => "gl-code-quality-report.json".to_owned(),
        "annotations" => "gl-annotations.json".to_owned(),
        other => format!("gl-{}-report.json", other.replace('_', "-")),
    }
}
