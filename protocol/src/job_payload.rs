//! Answer 201 to a poll: the job (wire.md 3.8).
//!
//! Every member is a [`Field`], because the runner takes a missing and a `null` member as the zero value
//! (WIRE-PAY-10) while a re-encoded payload must keep the difference.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::object::object;
use crate::secrets::Secret;

object! {
    /// The job that a runner was given.
    JobPayload {
        /// Job id.
        id: i64,
        /// Job token, the credential of all later calls of this job.
        token: String,
        /// Default git strategy: fetch, else clone.
        allow_git_fetch: bool,
        /// Names and ids.
        job_info: JobInfo,
        /// What to check out.
        git_info: GitInfo,
        /// What the runner should know of itself.
        runner_info: RunnerInfo,
        /// Job inputs (18.7), validated on decoding (WIRE-PAY-12).
        #[serde(deserialize_with = "crate::strict::inputs")]
        inputs: Vec<JobInput>,
        /// Variables; of several with one key the last one wins.
        variables: Vec<Variable>,
        /// Scripts; left out when `run` is used.
        steps: Vec<Step>,
        /// Hooks such as `pre_get_sources_script`.
        hooks: Vec<Hook>,
        /// Image of the job.
        image: Image,
        /// Services of the job.
        services: Vec<Service>,
        /// Artifacts to upload; null without any.
        artifacts: Vec<Artifact>,
        /// Caches.
        cache: Vec<Cache>,
        /// Registry credentials.
        credentials: Vec<Credentials>,
        /// Jobs whose artifacts are downloaded first.
        dependencies: Vec<Dependency>,
        /// What the server can do.
        features: ServerFeatures,
        /// Secrets by variable name.
        secrets: BTreeMap<String, Secret>,
        /// Policy jobs only.
        policy_options: PolicyOptions,
        /// Suspended environments, experimental (19.0).
        suspend_options: SuspendOptions,
        /// Steps of a `run:` job: a text that holds a JSON array; null and the empty text are fatal.
        #[serde(deserialize_with = "crate::strict::run")]
        run: String,
    }
}

object! {
    /// `job_info`.
    JobInfo {
        /// Same as the payload's id; not read by the runner, so its type does not matter.
        #[serde(deserialize_with = "crate::strict::unread")]
        id: i64,
        /// Job name.
        name: String,
        /// Stage name.
        stage: String,
        /// Pipeline id (19.0).
        pipeline_id: i64,
        /// Project id.
        project_id: i64,
        /// Project name.
        project_name: String,
        /// Path with groups.
        project_full_path: String,
        /// Group or user namespace.
        namespace_id: i64,
        /// Top-level namespace.
        root_namespace_id: i64,
        /// Organization.
        organization_id: i64,
        /// Instance id.
        instance_id: String,
        /// Instance UUID.
        instance_uuid: String,
        /// User who started the job.
        user_id: i64,
        /// Composite identity; usually null.
        scoped_user_id: i64,
        /// Seconds since the job was queued; a float is accepted.
        #[serde(serialize_with = "crate::strict::seconds::serialize")]
        time_in_queue_seconds: f64,
        /// `"0"` to `"4"`, `"5+"`, `"+Inf"`.
        project_jobs_running_on_instance_runners_count: String,
        /// Jobs that waited for this runner.
        queue_size: i64,
        /// How many were looked at.
        queue_depth: i64,
    }
}

object! {
    /// `git_info`.
    GitInfo {
        /// HTTP clone URL with user `gitlab-ci-token` and the job token.
        repo_url: String,
        /// `sha1` or `sha256`.
        repo_object_format: String,
        /// Branch or tag name.
        #[serde(rename = "ref")]
        ref_: String,
        /// Commit.
        sha: String,
        /// Commit before the push.
        before_sha: String,
        /// `branch` or `tag`.
        ref_type: String,
        /// What to fetch.
        refspecs: Vec<String>,
        /// Depth of the fetch; 0 = all.
        depth: i64,
        /// Whether the ref is protected.
        protected: bool,
    }
}

object! {
    /// `runner_info`.
    RunnerInfo {
        /// Effective job timeout, s; 0 or less means 7200.
        timeout: i64,
        /// Not read by the runner, so its type does not matter.
        #[serde(deserialize_with = "crate::strict::unread")]
        runner_session_url: String,
        /// Read by the runner, not seen from a server.
        uuid: String,
    }
}

object! {
    /// A job input.
    JobInput {
        /// Name.
        key: String,
        /// Typed value.
        value: InputValue,
    }
}

object! {
    /// Typed value of a job input.
    InputValue {
        /// `string`, `number`, `boolean`, `array` or `struct`.
        #[serde(rename = "type")]
        type_: String,
        /// The value itself.
        content: Value,
        /// Must not be shown; expressions with such a value are refused. Not sent by servers so far.
        sensitive: bool,
    }
}

object! {
    /// A variable.
    Variable {
        /// Name.
        key: String,
        /// Value.
        value: String,
        /// May be shown and passed to services.
        public: bool,
        /// Masked in the log.
        masked: bool,
        /// The value goes into a file, the variable holds its path; sent only when true.
        file: bool,
        /// Not expanded; sent only when true.
        raw: bool,
    }
}

object! {
    /// A step of the job: `script`, `after_script`, `release`.
    Step {
        /// Name of the step.
        name: String,
        /// Commands.
        script: Vec<String>,
        /// Not evaluated by the runner (RUN-JOB-24).
        timeout: i64,
        /// Not evaluated by the runner.
        when: String,
        /// Not evaluated by the runner.
        allow_failure: bool,
    }
}

object! {
    /// A hook.
    Hook {
        /// `pre_get_sources_script` or `post_get_sources_script`.
        name: String,
        /// Commands.
        script: Vec<String>,
    }
}

object! {
    /// A port of an image or a service.
    Port {
        /// Number.
        number: i64,
        /// `http` or `https`.
        protocol: String,
        /// Name.
        name: String,
    }
}

object! {
    /// Image of the job.
    Image {
        /// Name.
        name: String,
        /// Entry point.
        entrypoint: Vec<String>,
        /// Ports.
        ports: Vec<Port>,
        /// Options by executor: `docker` (`platform`, `user`) and `kubernetes` (`user`), checked on
        /// decoding. Unknown keys are kept, the job fails and names them (WIRE-PAY-11).
        #[serde(deserialize_with = "crate::strict::executor_opts")]
        executor_opts: BTreeMap<String, Value>,
        /// Pull policies in order.
        pull_policy: Vec<String>,
    }
}

object! {
    /// A service of the job.
    Service {
        /// Image name.
        name: String,
        /// Entry point.
        entrypoint: Vec<String>,
        /// Ports.
        ports: Vec<Port>,
        /// Options by executor, as for the image.
        #[serde(deserialize_with = "crate::strict::executor_opts")]
        executor_opts: BTreeMap<String, Value>,
        /// Pull policies in order.
        pull_policy: Vec<String>,
        /// Host names, separated by spaces or commas.
        alias: String,
        /// Command.
        command: Vec<String>,
        /// Variables of the service.
        variables: Vec<Variable>,
    }
}

object! {
    /// An archive or report to upload.
    Artifact {
        /// File name without suffix.
        name: String,
        /// Also files that git does not know.
        untracked: bool,
        /// Paths and globs.
        paths: Vec<String>,
        /// Globs to leave out.
        exclude: Vec<String>,
        /// `on_success`, `on_failure`, `always`.
        when: String,
        /// Free text such as `7 days`.
        expire_in: String,
        /// Type such as `archive` or `junit`.
        artifact_type: String,
        /// `zip`, `gzip` or `raw`.
        artifact_format: String,
    }
}

object! {
    /// A cache.
    Cache {
        /// Key.
        key: String,
        /// Also files that git does not know.
        untracked: bool,
        /// Paths and globs.
        paths: Vec<String>,
        /// `pull-push`, `pull`, `push`.
        policy: String,
        /// `on_success`, `on_failure`, `always`.
        when: String,
        /// Keys to try when `key` misses.
        fallback_keys: Vec<String>,
    }
}

object! {
    /// Credentials of a registry.
    Credentials {
        /// `registry`; other types are ignored.
        #[serde(rename = "type")]
        type_: String,
        /// Host and port.
        url: String,
        /// User.
        username: String,
        /// Password.
        password: String,
    }
}

object! {
    /// A job whose artifacts are downloaded.
    Dependency {
        /// Job id.
        id: i64,
        /// Job name.
        name: String,
        /// Token for the download.
        token: String,
        /// Only when artifacts are available.
        artifacts_file: ArtifactsFile,
    }
}

object! {
    /// Archive of a dependency.
    ArtifactsFile {
        /// File name; empty: nothing to download.
        filename: String,
        /// Bytes.
        size: i64,
    }
}

object! {
    /// What the server can do.
    ServerFeatures {
        /// Understands section markers in the log.
        trace_sections: bool,
        /// Further token prefixes to mask.
        token_mask_prefixes: Vec<String>,
        /// Failure reasons that the server knows.
        failure_reasons: Vec<String>,
        /// Tracing (19.0).
        tracing: Tracing,
    }
}

object! {
    /// `features.tracing`.
    Tracing {
        /// Trace to join.
        trace_id: String,
        /// Parent of the job's span.
        span_parent_id: String,
        /// Where spans go.
        otel_endpoints: Vec<OtelEndpoint>,
    }
}

object! {
    /// A collector of spans.
    OtelEndpoint {
        /// URL.
        url: String,
        /// How to log in.
        auth: OtelAuth,
    }
}

object! {
    /// How to log in to a collector.
    OtelAuth {
        /// Kind of log-in.
        #[serde(rename = "type")]
        type_: String,
        /// Google Cloud identity.
        http_bearer_gcp_oidc: GcpOidc,
    }
}

object! {
    /// Google Cloud identity for a collector.
    GcpOidc {
        /// Audience of the token.
        audience: String,
    }
}

object! {
    /// `suspend_options`.
    SuspendOptions {
        /// Suspend the environment when the job ended well.
        suspend_on_success: bool,
        /// `<runner id>/<system id>/<opaque>` of an environment to resume.
        runtime_environment_key: String,
    }
}

object! {
    /// `policy_options`.
    PolicyOptions {
        /// Made by an execution policy.
        execution_policy_job: bool,
        /// Name of the policy.
        policy_name: String,
        /// Whether users may override variables.
        policy_variables_override_allowed: bool,
        /// Exceptions from that.
        policy_variables_override_exceptions: Vec<String>,
    }
}
