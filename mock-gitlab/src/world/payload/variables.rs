//! Variables of a job, in order of precedence: later ones win (wire.md 3.8, WIRE-PAY-02).

use jiff::Timestamp;
use protocol::Field;
use protocol::job_payload::Variable;

use crate::world::core::World;
use crate::world::definition::When;
use crate::world::state::{Job, JobRun, Pipeline, Project, Runner};

/// Collects variables.
#[derive(Default)]
struct List(Vec<Variable>);

impl List {
    fn push(&mut self, key: &str, value: impl Into<String>, public: bool, masked: bool) {
        self.0.push(Variable {
            key: Field::from(key),
            value: Field::Value(value.into()),
            public: Field::Value(public),
            masked: Field::Value(masked),
            file: Field::Absent,
            raw: Field::Absent,
        });
    }

    fn public(&mut self, key: &str, value: impl Into<String>) {
        self.push(key, value, true, false);
    }

    /// Variables that somebody defined: `public` and `masked` always, `file` and `raw` when true.
    fn defined(&mut self, variables: &[Variable]) {
        for variable in variables {
            let when_true = |field: &Field<bool>| {
                if field.get() {
                    Field::Value(true)
                } else {
                    Field::Absent
                }
            };
            self.0.push(Variable {
                key: variable.key.clone(),
                value: Field::Value(variable.value.get()),
                public: Field::Value(variable.public.get()),
                masked: Field::Value(variable.masked.get()),
                file: when_true(&variable.file),
                raw: when_true(&variable.raw),
            });
        }
    }
}

/// Everything that variables are made from.
pub(super) struct Source<'a> {
    pub(super) world: &'a World,
    pub(super) job: &'a Job,
    pub(super) run: &'a JobRun,
    pub(super) project: &'a Project,
    pub(super) pipeline: &'a Pipeline,
    pub(super) runner: Option<&'a Runner>,
    pub(super) repo_url: &'a str,
    pub(super) now: Timestamp,
}

impl Source<'_> {
    pub(super) fn variables(&self) -> Vec<Variable> {
        let mut list = List(Vec::with_capacity(112));
        self.persisted(&mut list);
        self.job(&mut list);
        self.server(&mut list);
        self.project(&mut list);
        self.pipeline(&mut list);
        self.commit(&mut list);
        self.runner(&mut list);
        self.user(&mut list);
        self.defined(&mut list);
        super::expand::expand(&mut list.0);
        list.0
    }

    fn persisted(&self, list: &mut List) {
        let (url, path) = (&self.world.settings.external_url, &self.project.full_path);
        let token = &*self.run.token;
        list.public("CI_PIPELINE_ID", self.pipeline.id.to_string());
        list.public(
            "CI_PIPELINE_URL",
            format!("{url}/{path}/-/pipelines/{}", self.pipeline.id),
        );
        list.public("CI_JOB_ID", self.job.id.to_string());
        list.public("CI_JOB_URL", format!("{url}/{path}/-/jobs/{}", self.job.id));
        list.push("CI_JOB_TOKEN", token, false, true);
        let started = self.run.started_at.unwrap_or(self.now);
        list.public("CI_JOB_STARTED_AT", seconds(started));
        list.public("CI_REGISTRY_USER", "gitlab-ci-token");
        list.push("CI_REGISTRY_PASSWORD", token, false, true);
        list.push("CI_REPOSITORY_URL", self.repo_url, false, false);
        list.public("CI_DEPENDENCY_PROXY_USER", "gitlab-ci-token");
        list.push("CI_DEPENDENCY_PROXY_PASSWORD", token, false, true);
    }

    fn job(&self, list: &mut List) {
        let definition = &self.job.definition;
        list.public("CI_JOB_NAME", definition.name.as_str());
        list.public("CI_JOB_NAME_SLUG", slug(&definition.name));
        list.public("CI_JOB_STAGE", definition.stage.as_str());
        if definition.when == When::Manual {
            list.public("CI_JOB_MANUAL", "true");
        }
        if let Some(group) = &definition.resource_group {
            list.public("CI_RESOURCE_GROUP", group.as_str());
        }
        if let Some(image) = &definition.image {
            list.public("CI_JOB_IMAGE", image.name.as_str());
        }
        list.public("CI_JOB_TIMEOUT", self.run.timeout.to_string());
        list.public("CI_NODE_TOTAL", "1");
    }

    fn server(&self, list: &mut List) {
        let settings = &self.world.settings;
        let url = &settings.external_url;
        let (scheme, authority) = url.split_once("://").unwrap_or(("http", url));
        let authority = authority.split('/').next().unwrap_or_default();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port),
            None => (authority, if scheme == "https" { "443" } else { "80" }),
        };
        list.public("CI", "true");
        list.public("GITLAB_CI", "true");
        list.public("CI_SERVER", "yes");
        list.public("CI_SERVER_URL", url.as_str());
        list.public("CI_SERVER_HOST", host);
        list.public("CI_SERVER_FQDN", authority);
        list.public("CI_SERVER_PORT", port);
        list.public("CI_SERVER_PROTOCOL", scheme);
        list.public("CI_SERVER_SHELL_SSH_HOST", host);
        list.public("CI_SERVER_SHELL_SSH_PORT", "22");
        list.public("CI_SERVER_NAME", "GitLab");
        list.public("CI_SERVER_VERSION", settings.version.as_str());
        let mut numbers = settings.version.split(['.', '-']);
        for name in ["MAJOR", "MINOR", "PATCH"] {
            let number = numbers.next().unwrap_or("0");
            list.public(&format!("CI_SERVER_VERSION_{name}"), number);
        }
        list.public("CI_SERVER_REVISION", settings.revision.as_str());
        list.public("GITLAB_FEATURES", "");
        list.public("CI_API_V4_URL", format!("{url}/api/v4"));
        list.public("CI_API_GRAPHQL_URL", format!("{url}/api/graphql"));
        list.public("CI_TEMPLATE_REGISTRY_HOST", "registry.gitlab.com");
        list.public("CI_PAGES_DOMAIN", "example.com");
        if let Some(registry) = &settings.registry {
            list.public("CI_REGISTRY", registry.as_str());
            list.public(
                "CI_REGISTRY_IMAGE",
                format!("{registry}/{}", self.project.full_path.to_lowercase()),
            );
        }
        list.public("CI_DEPENDENCY_PROXY_SERVER", format!("{host}:{port}"));
    }

    fn project(&self, list: &mut List) {
        let project = self.project;
        let url = &self.world.settings.external_url;
        let (namespace, _) = project.full_path.rsplit_once('/').unwrap_or(("", ""));
        let root = namespace.split('/').next().unwrap_or_default();
        list.public("CI_PROJECT_ID", project.id.to_string());
        list.public("CI_PROJECT_NAME", project.path.as_str());
        list.public("CI_PROJECT_TITLE", project.path.as_str());
        list.public("CI_PROJECT_DESCRIPTION", "");
        list.public("CI_PROJECT_PATH", project.full_path.as_str());
        list.public("CI_PROJECT_PATH_SLUG", slug(&project.full_path));
        list.public("CI_PROJECT_NAMESPACE", namespace);
        list.public("CI_PROJECT_NAMESPACE_SLUG", slug(namespace));
        list.public(
            "CI_PROJECT_NAMESPACE_ID",
            project.group.unwrap_or(1).to_string(),
        );
        list.public("CI_PROJECT_ROOT_NAMESPACE", root);
        list.public("CI_PROJECT_URL", format!("{url}/{}", project.full_path));
        list.public("CI_PROJECT_VISIBILITY", "private");
        list.public("CI_PROJECT_REPOSITORY_LANGUAGES", "");
        list.public("CI_PROJECT_CLASSIFICATION_LABEL", "");
        list.public("CI_DEFAULT_BRANCH", project.default_branch.as_str());
        list.public("CI_CONFIG_PATH", ".gitlab-ci.yml");
    }

    fn pipeline(&self, list: &mut List) {
        let pipeline = self.pipeline;
        list.public("CI_PIPELINE_IID", pipeline.iid.to_string());
        list.public("CI_PIPELINE_SOURCE", pipeline.source.as_str());
        list.public("CI_PIPELINE_CREATED_AT", seconds(pipeline.created_at));
    }

    fn commit(&self, list: &mut List) {
        let pipeline = self.pipeline;
        let short: String = pipeline.sha.chars().take(8).collect();
        list.public("CI_COMMIT_SHA", pipeline.sha.as_str());
        list.public("CI_COMMIT_SHORT_SHA", short);
        list.public("CI_COMMIT_BEFORE_SHA", pipeline.before_sha.as_str());
        list.public("CI_COMMIT_REF_NAME", pipeline.ref_.as_str());
        list.public("CI_COMMIT_REF_SLUG", slug(&pipeline.ref_));
        if pipeline.tag {
            list.public("CI_COMMIT_TAG", pipeline.ref_.as_str());
        } else {
            list.public("CI_COMMIT_BRANCH", pipeline.ref_.as_str());
        }
        list.public("CI_COMMIT_REF_PROTECTED", pipeline.protected.to_string());
        list.public("CI_COMMIT_TIMESTAMP", seconds(pipeline.created_at));
        list.public("CI_COMMIT_MESSAGE", "Change");
        list.public("CI_COMMIT_TITLE", "Change");
        list.public("CI_COMMIT_DESCRIPTION", "");
    }

    fn runner(&self, list: &mut List) {
        let Some(runner) = self.runner else {
            return;
        };
        let tags: Vec<String> = runner
            .tags
            .iter()
            .map(|tag| format!("{:?}", &**tag))
            .collect();
        list.public("CI_RUNNER_ID", runner.id.to_string());
        list.public("CI_RUNNER_DESCRIPTION", runner.description.as_str());
        list.public("CI_RUNNER_TAGS", format!("[{}]", tags.join(", ")));
    }

    fn user(&self, list: &mut List) {
        let Some(user) = self.world.users.get(&self.job.user) else {
            return;
        };
        list.public("GITLAB_USER_ID", user.id.to_string());
        list.public(
            "GITLAB_USER_EMAIL",
            format!("{}@example.com", user.username),
        );
        list.public("GITLAB_USER_LOGIN", user.username.as_str());
        list.public("GITLAB_USER_NAME", user.name.as_str());
    }

    /// GitLab's precedence, lowest first: job, groups from the root, project, dotenv reports of
    /// dependencies, pipeline.
    fn defined(&self, list: &mut List) {
        list.defined(&self.job.definition.variables);
        let group = self.project.group.and_then(|id| self.world.groups.get(&id));
        for id in group.iter().flat_map(|group| group.traversal_ids.iter()) {
            if let Some(group) = self.world.groups.get(id) {
                list.defined(&group.variables);
            }
        }
        list.defined(&self.project.variables);
        for dependency in self.world.dependencies(self.job) {
            list.defined(self.world.dotenv(dependency));
        }
        list.defined(&self.pipeline.variables);
    }
}

/// RFC 3339 in whole seconds.
fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Lower case, everything but `a-z0-9` becomes `-`, at most 63 characters, no `-` at the ends.
fn slug(text: &str) -> String {
    let slug: String = text
        .to_lowercase()
        .chars()
        .map(|c| {
            if c.is_ascii_lowercase() || c.is_ascii_digit() {
                c
            } else {
                '-'
            }
        })
        .take(63)
        .collect();
    slug.trim_matches('-').to_owned()
}
