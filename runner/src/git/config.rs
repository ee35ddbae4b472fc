//! Configuration of git for one job, outside of the repository (runner.md 7.3 steps 4 and 5).

use super::GitContext;
use super::url::{RemoteUrl, regexp_quote};
use crate::job::Flag;
use crate::shell::{ScriptWriter, expanding};

/// What a new repository is configured with.
const TEMPLATE: [(&str, &str); 4] = [
    ("init.defaultBranch", "none"),
    ("fetch.recurseSubmodules", "false"),
    ("credential.interactive", "never"),
    ("gc.autoDetach", "false"),
];

/// Which include of the external configuration a later one replaces.
const INCLUDE_PATTERN: &str = r"\.gitlab-runner\.ext\.conf$";

/// Makes the template directory.
pub(super) fn write_template(script: &mut ScriptWriter, context: &GitContext<'_>) {
    let template = context.template();
    script.command(&["mkdir", "-p", &template]);
    let file = format!("{template}/config");
    for (key, value) in TEMPLATE {
        script.command(&["git", "config", "-f", &file, key, value]);
    }
}

/// A command all of whose words stand in double quotes.
fn quoted(script: &mut ScriptWriter, words: &[&str]) {
    let (program, arguments) = words.split_first().unwrap_or((&"", &[]));
    let mut line = (*program).to_owned();
    for word in arguments {
        line.push(' ');
        line.push_str(&expanding(word));
    }
    script.line(&line);
    script.exit_check();
}

/// Makes the external configuration: credentials, correlation id and TLS files.
pub(super) fn write_ext_config(script: &mut ScriptWriter, context: &GitContext<'_>) {
    let file = context.ext_config();
    script.remove_file(&file);
    let id = context.correlation_id;
    if context.is_on(Flag::UseGitalyCorrelationId) && !id.is_empty() {
        let header = format!("X-Gitaly-Correlation-ID: {id}");
        quoted(
            script,
            &["git", "config", "-f", &file, "http.extraHeader", &header],
        );
        script.notice(&format!("Gitaly correlation ID: {id}"));
    }
    if context.is_on(Flag::UseGitBundleUris) {
        quoted(
            script,
            &["git", "config", "-f", &file, "transfer.bundleURI", "true"],
        );
    }
    if let Some(url) = context.remote_url().filter(RemoteUrl::is_http) {
        for (option, path) in &context.tls_files {
            let key = format!("http.{}.{option}", url.origin());
            quoted(script, &["git", "config", "-f", &file, &key, path]);
        }
    }
    if context.is_on(Flag::GitUrlsWithoutTokens) {
        write_credential_helper(script, context);
    } else {
        for (with, without) in instead_of(context) {
            let (key, pattern) = (
                format!("url.{with}.insteadOf"),
                format!("^{}$", regexp_quote(&without)),
            );
            quoted(
                script,
                &[
                    "git",
                    "config",
                    "--file",
                    &file,
                    "--replace-all",
                    &key,
                    &without,
                    &pattern,
                ],
            );
        }
    }
    let template = format!("{}/config", context.template());
    quoted(
        script,
        &[
            "git",
            "config",
            "--file",
            &template,
            "--replace-all",
            "include.path",
            &file,
            INCLUDE_PATTERN,
        ],
    );
    script.line(&format!(
        "export GLR_EXT_GIT_CONFIG_PATH={}",
        expanding(&file)
    ));
}

/// URLs that get the job token, as pairs (with, without).
pub(super) fn instead_of(context: &GitContext<'_>) -> Vec<(String, String)> {
    let remote = context.remote();
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut add = |with: String, without: String| {
        if !with.is_empty() && !pairs.iter().any(|(_, known)| *known == without) {
            pairs.push((with, without));
        }
    };
    add(remote.with_credentials.clone(), remote.stored.clone());
    let own = if RemoteUrl::parse(context.clone_url).is_some() {
        context.clone_url
    } else {
        context.runner_url
    };
    let repository_base = RemoteUrl::parse(context.info.repo_url.as_str()).map(|mut url| {
        url.path.clear();
        url
    });
    let bases = [
        RemoteUrl::parse(own).map(RemoteUrl::trimmed),
        repository_base,
    ];
    for base in bases.into_iter().flatten().filter(RemoteUrl::is_http) {
        let with = base.with_token(context.token);
        add(with.clone(), base.without_user());
        if context.settings.submodule_force_https {
            let (with, name) = (format!("{with}/"), base.host_name());
            if base
                .host
                .rsplit_once(':')
                .is_none_or(|(_, port)| port == "22")
            {
                add(with.clone(), format!("git@{name}:"));
                add(with, format!("ssh://git@{name}/"));
            } else {
                add(with, format!("ssh://git@{}/", base.host));
            }
        }
    }
    pairs
}

/// `FF_GIT_URLS_WITHOUT_TOKENS`: git asks a helper, which reads the job's environment.
fn write_credential_helper(script: &mut ScriptWriter, context: &GitContext<'_>) {
    let Some(url) = context.remote_url().filter(RemoteUrl::is_http) else {
        return;
    };
    let (file, section) = (context.ext_config(), format!("credential.{}", url.origin()));
    let (helper, user) = (format!("{section}.helper"), format!("{section}.username"));
    // The empty value makes git forget helpers of the user.
    script.command(&["git", "config", "-f", &file, &helper, ""]);
    script.command(&[
        "git",
        "config",
        "-f",
        &file,
        "--add",
        &helper,
        "!f(){ if [ \"$1\" = \"get\" ] ; then echo \"password=${CI_JOB_TOKEN}\" ; fi ; } ; f",
    ]);
    script.command(&["git", "config", "-f", &file, &user, "gitlab-ci-token"]);
    let global = context.global_config();
    script.remove_file(&global);
    let own = "\"${GIT_CONFIG_GLOBAL:-$HOME/.gitconfig}\"";
    script.open(&format!("if [ -f {own} ]; then"));
    script.line(&format!(
        "git config --file {} --add include.path {own}",
        expanding(&global)
    ));
    script.close("fi");
    script.command(&[
        "git",
        "config",
        "--file",
        &global,
        "--add",
        "include.path",
        &file,
    ]);
    export_global_config(script, context);
}

/// Makes git of every stage use the configuration of the job.
pub fn export_global_config(script: &mut ScriptWriter, context: &GitContext<'_>) {
    if context.is_on(Flag::GitUrlsWithoutTokens) {
        script.export("GIT_CONFIG_GLOBAL", &context.global_config());
    }
}
