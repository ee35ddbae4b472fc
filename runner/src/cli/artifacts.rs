//! `artifacts-uploader` and `artifacts-downloader`, which scripts of jobs call (runner.md 2.7). They are
//! in no help, as nobody types them.

use std::path::PathBuf;
use std::time::Duration;

use super::Failure;
use super::options::commands::{Command, Invocation};
use super::options::{Given, Holds, Opt};
use super::session;
use crate::artifacts::{
    DownloadOptions, JobAddress, Selection, StatementOptions, TransferOptions, UploadOptions,
    download, upload,
};
use crate::client::TlsFiles;
use crate::job::{Flag, parse_bool};

/// Commands that only scripts call.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "artifacts-downloader",
        about: "Get the artifacts of a job and unpack them (internal)",
        options: downloader_options,
        run: downloader,
    },
    Command {
        name: "artifacts-uploader",
        about: "Pack files and send them as artifacts of a job (internal)",
        options: uploader_options,
        run: uploader,
    },
];

const ON: Holds = Holds::Switch { empty_is_on: true };

/// Options of both commands.
fn shared_options() -> Vec<Opt> {
    let text = |names: &str, env: &str, help: &str| Opt::new(names, env, Holds::Text, help);
    vec![
        text("url", "CI_SERVER_URL", "URL of GitLab"),
        text("token", "CI_JOB_TOKEN", "Token of the job"),
        Opt::new("id", "CI_JOB_ID", Holds::Integer, "Id of the job"),
        text(
            "tls-ca-file",
            "CI_SERVER_TLS_CA_FILE",
            "File with certificates of authorities",
        ),
        text(
            "tls-cert-file",
            "CI_SERVER_TLS_CERT_FILE",
            "File with the client certificate",
        ),
        text(
            "tls-key-file",
            "CI_SERVER_TLS_KEY_FILE",
            "File with its key",
        ),
        text(
            "archiver-staging-dir",
            "ARCHIVER_STAGING_DIR",
            "Directory for archives that are being read",
        ),
        Opt::new(
            "transfer-meter-frequency",
            "TRANSFER_METER_FREQUENCY",
            Holds::Duration,
            "How often to say how far a transfer is; 0: never",
        ),
    ]
}

fn downloader_options() -> Vec<Opt> {
    let mut options = shared_options();
    options.extend([
        Opt::new(
            "direct-download",
            Flag::UseDirectDownload.name(),
            ON,
            "Ask where the artifacts are stored, and get them there",
        ),
        Opt::new("retry", "", Holds::Integer, "Tries after the first one").default("2"),
        Opt::new("retry-time", "", Holds::Duration, "Pause between tries").default("1s"),
    ]);
    options
}

fn uploader_options() -> Vec<Opt> {
    let mut options = shared_options();
    let text = |names: &str, env: &str, help: &str| Opt::new(names, env, Holds::Text, help);
    options.extend([
        Opt::new("path", "", Holds::List, "Path or glob of files"),
        Opt::new("exclude", "", Holds::List, "Glob of files to leave out"),
        Opt::new("untracked", "", ON, "Also files that git does not know"),
        text("name", "", "Name of the archive").default("\"artifacts\""),
        text("expire-in", "", "When the artifacts expire"),
        text("artifact-format", "", "zip, gzip or raw"),
        text("artifact-type", "", "Such as archive or junit"),
        text(
            "compression-level",
            "ARTIFACT_COMPRESSION_LEVEL",
            "fastest, fast, default, slow or slowest",
        ),
        Opt::new("timeout", "", Holds::Duration, "Limit of a whole request").default("1h0m0s"),
        Opt::new(
            "response-header-timeout",
            "",
            Holds::Duration,
            "Limit from the end of a request to its answer",
        )
        .default("10m0s"),
        Opt::new(
            "ci-debug-trace",
            "CI_DEBUG_TRACE",
            ON,
            "Show what the server answers",
        ),
        Opt::new(
            "generate-artifacts-metadata",
            "",
            ON,
            "Add a statement on where the files come from",
        ),
        text("runner-id", "", "Of the statement: id of the runner"),
        text("repo-url", "", "Of the statement: URL of the repository"),
        text("repo-digest", "", "Of the statement: commit"),
        text("job-name", "", "Of the statement: name of the job"),
        text("executor-name", "", "Of the statement: executor"),
        text("runner-name", "", "Of the statement: name of the runner"),
        text(
            "started-at",
            "",
            "Of the statement: start of the job, RFC 3339",
        ),
        text("ended-at", "", "Of the statement: end of the job, RFC 3339").default("now"),
        text(
            "schema-version",
            "SLSA_PROVENANCE_SCHEMA_VERSION",
            "Of the statement: version of SLSA provenance",
        ),
        Opt::new(
            "metadata-parameter",
            "",
            Holds::List,
            "Of the statement: name of a variable",
        ),
    ]);
    options
}

fn address(given: &Given) -> JobAddress {
    let file = |name| given.text(name).to_owned();
    JobAddress {
        url: given.text("url").to_owned(),
        token: given.text("token").to_owned(),
        id: given.integer("id"),
        tls: TlsFiles {
            ca: file("tls-ca-file"),
            cert: file("tls-cert-file"),
            key: file("tls-key-file"),
            directory: None,
        },
    }
}

fn transfer(given: &Given) -> TransferOptions {
    let staging = given.text("archiver-staging-dir");
    TransferOptions {
        meter: given.duration_or("transfer-meter-frequency", Duration::ZERO),
        staging: (!staging.is_empty()).then(|| PathBuf::from(staging)),
    }
}

fn downloader(invocation: &Invocation) -> Result<(), Failure> {
    let given = &invocation.given;
    let parallel = std::env::var(Flag::UseParallelArtifactTransfer.name())
        .ok()
        .and_then(|text| parse_bool(&text));
    let options = DownloadOptions {
        address: address(given),
        transfer: transfer(given),
        direct: given.switch("direct-download"),
        parallel: parallel.unwrap_or(false),
        retries: u32::try_from(given.integer_or("retry", 2)).unwrap_or(0),
        retry_time: given.duration_or("retry-time", Duration::from_secs(1)),
    };
    session::block_on(download(&options))?.map_err(Failure::Fatal)
}

fn statement(given: &Given) -> StatementOptions {
    let text = |name| given.text(name).to_owned();
    StatementOptions {
        runner_id: text("runner-id"),
        repo_url: text("repo-url"),
        repo_digest: text("repo-digest"),
        job_name: text("job-name"),
        executor_name: text("executor-name"),
        runner_name: text("runner-name"),
        started_at: text("started-at"),
        ended_at: text("ended-at"),
        schema_version: text("schema-version"),
        parameters: given.list("metadata-parameter"),
    }
}

fn uploader(invocation: &Invocation) -> Result<(), Failure> {
    let given = &invocation.given;
    let options = UploadOptions {
        address: address(given),
        transfer: transfer(given),
        selection: Selection {
            paths: given.list("path"),
            exclude: given.list("exclude"),
            untracked: given.switch("untracked"),
        },
        name: given.given_text("name").unwrap_or("artifacts").to_owned(),
        expire_in: given.text("expire-in").to_owned(),
        format: given.text("artifact-format").to_owned(),
        kind: given.text("artifact-type").to_owned(),
        compression_level: given.text("compression-level").to_owned(),
        timeout: given.duration_or("timeout", Duration::from_hours(1)),
        response_header_timeout: given
            .duration_or("response-header-timeout", Duration::from_mins(10)),
        debug_trace: given.switch("ci-debug-trace"),
        statement: given
            .switch("generate-artifacts-metadata")
            .then(|| statement(given)),
    };
    session::block_on(upload(&options))?.map_err(Failure::Fatal)
}
