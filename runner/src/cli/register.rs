//! `register` (runner.md 2.3).

use std::path::{Path, PathBuf};

use protocol::runners::{RegisterRequest, RunnerCredentials, VerifyRequest};
use tracing::Instrument as _;

use super::Failure;
use super::args::{EntryArgs, RegisterArgs};
use super::prompt::Prompt;
use super::reset_token::whole_seconds;
use super::session;
use super::unregister::leave;
use crate::client::VerifyOutcome;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, RunnerConfig, Section, Value, parse_duration};

/// Executors that this build can register.
const EXECUTORS: [&str; 1] = ["shell"];

/// What the server knows of the new runner.
enum Known {
    /// A created token, verified.
    Created(RunnerCredentials),
    /// A legacy registration.
    Registered(RunnerCredentials),
    /// A legacy token that was given and verified; nothing is known of it.
    Given,
}

struct Registration<'a> {
    args: &'a RegisterArgs,
    prompt: Prompt,
    path: PathBuf,
    system_id: String,
    url: String,
    token: String,
    name: String,
}

pub(super) fn register(args: &RegisterArgs) -> Result<(), Failure> {
    session::say_mode(true);
    if !["", "not_protected", "ref_protected"].contains(&args.access_level.as_str()) {
        return Err(Failure::Panic(
            "Given access-level is not valid. Refer to gitlab-runner register -h for the correct options.".to_owned(),
        ));
    }
    let path = args.config.path();
    let (config, system_id) = session::load(&path).map_err(Failure::Panic)?;
    let prompt = Prompt {
        silent: args.non_interactive,
    };
    let url = prompt.ask(
        "url",
        "Enter the GitLab instance URL (for example, https://gitlab.com/):",
        &args.url,
        false,
    )?;
    let mut registration = Registration {
        args,
        prompt,
        path,
        system_id,
        url,
        token: args.token.clone(),
        name: args.name.clone().unwrap_or_else(host_name),
    };
    let known = registration.token(&config)?;
    if let Known::Created(_) = known {
        // Without a name it stays registered, as it does when the file cannot be saved (runner.md 2.3).
        registration.name = registration.prompt.ask(
            "name",
            "Enter a name for the runner. This is stored only in the local config.toml file:",
            &registration.name,
            false,
        )?;
    }
    let result = registration.entry(config, &known);
    if let Err(failure) = &result
        && !args.leave_runner
        && !matches!(known, Known::Given)
    {
        // The record of the failure comes before that of the clean-up.
        failure.log();
        registration.undo()?;
        return Err(Failure::Logged);
    }
    result
}

fn host_name() -> String {
    hostname::get()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

impl Registration<'_> {
    /// Settles the token, and asks the server about it.
    fn token(&mut self, config: &Config) -> Result<Known, Failure> {
        if self.token.is_empty() {
            let token = self.prompt.ask(
                "registration-token",
                "Enter the registration token:",
                &self.args.registration_token,
                false,
            )?;
            if !protocol::token::is_created(&token) {
                return self.legacy(&token);
            }
            self.token = token;
            self.warn_known(config);
            if self.has_server_options() {
                tracing::warn!(
                    "You have specified an authentication token in the legacy parameter --registration-token. This has triggered the 'legacy-compatible registration process' which has resulted in the following command line parameters being ignored: --locked, --access-level, --run-untagged, --maximum-timeout, --paused, --tag-list, and --maintenance-note. For more information, see https://docs.gitlab.com/ci/runners/new_creation_workflow/#changes-to-the-gitlab-runner-register-command-syntax"
                );
            }
            return self.verify();
        }
        if protocol::token::is_created(&self.token) {
            self.warn_known(config);
            if self.has_server_options() {
                return Err(Failure::Fatal("Runner configuration other than name and executor configuration is reserved (specifically --locked, --access-level, --run-untagged, --maximum-timeout, --paused, --tag-list, and --maintenance-note) and cannot be specified when registering with a runner authentication token. This configuration is specified on the GitLab server. Please try again without specifying any of those arguments. For more information, see https://docs.gitlab.com/ci/runners/new_creation_workflow/#changes-to-the-gitlab-runner-register-command-syntax".to_owned()));
            }
            return self.verify();
        }
        tracing::info!("Token specified trying to verify runner...");
        tracing::warn!("If you want to register use the '-r' instead of '-t'.");
        match self.ask_verify()? {
            VerifyOutcome::Invalid => {
                Err(Failure::Panic("Failed to verify the runner.".to_owned()))
            }
            _ => Ok(Known::Given),
        }
    }

    fn has_server_options(&self) -> bool {
        let args = self.args;
        args.locked == Some(false)
            || !args.access_level.is_empty()
            || args.run_untagged == Some(true)
            || args.maximum_timeout.unwrap_or(0) != 0
            || args.paused == Some(true)
            || !args.tag_list.is_empty()
            || !args.maintenance_note.is_empty()
    }

    fn warn_known(&self, config: &Config) {
        if config
            .runners()
            .iter()
            .any(|entry| entry.token == self.token)
        {
            tracing::warn!("A runner with this system ID and token has already been registered.");
        }
    }

    /// The entry as far as it is known, for calls.
    fn target(&self, token: &str) -> Result<RunnerConfig, Failure> {
        let mut config = Config::default();
        let mut entry = self.section();
        entry.set("token", Value::Text(token.to_owned()));
        config
            .push(entry)
            .map_err(|error| Failure::Panic(error.to_string()))?;
        config
            .runners()
            .first()
            .cloned()
            .ok_or_else(|| Failure::Panic("no entry".to_owned()))
    }

    fn ask_verify(&self) -> Result<VerifyOutcome, Failure> {
        let target = self.target(&self.token)?;
        let client = session::client(&target, &self.path).map_err(Failure::Panic)?;
        let request = VerifyRequest {
            info: Some(session::info(&self.args.executor, &target.shell)),
            token: self.token.clone(),
            system_id: self.system_id.clone(),
        };
        session::block_on(client.verify(&request).instrument(session::span(&target)))
    }

    fn verify(&self) -> Result<Known, Failure> {
        match self.ask_verify()? {
            VerifyOutcome::Valid(credentials) if credentials.id != 0 => {
                Ok(Known::Created(credentials))
            }
            _ => Err(Failure::Panic("Failed to verify the runner.".to_owned())),
        }
    }

    /// Registers with a registration token.
    fn legacy(&mut self, registration_token: &str) -> Result<Known, Failure> {
        let args = self.args;
        self.name = self.prompt.ask(
            "description",
            "Enter a description for the runner:",
            &self.name,
            false,
        )?;
        let tags = self.prompt.ask(
            "tag-list",
            "Enter tags for the runner (comma-separated):",
            &args.tag_list,
            true,
        )?;
        let note = self.prompt.ask(
            "maintenance-note",
            "Enter optional maintenance note for the runner:",
            &args.maintenance_note,
            true,
        )?;
        tracing::warn!(
            "Support for registration tokens and runner parameters in the 'register' command has been deprecated in GitLab Runner 15.6 and will be replaced with support for authentication tokens. For more information, see https://docs.gitlab.com/ci/runners/new_creation_workflow/"
        );
        let target = self.target(registration_token)?;
        let client = session::client(&target, &self.path).map_err(Failure::Panic)?;
        let request = RegisterRequest {
            description: self.name.clone(),
            maintenance_note: note,
            run_untagged: tags.is_empty() || args.run_untagged == Some(true),
            tag_list: tags,
            locked: args.locked.unwrap_or(true),
            access_level: args.access_level.clone(),
            maximum_timeout: args.maximum_timeout.unwrap_or(0),
            paused: args.paused.unwrap_or(false),
            info: session::info("", ""),
            token: registration_token.to_owned(),
        };
        let answer =
            session::block_on(client.register(&request).instrument(session::span(&target)))?;
        match answer {
            Ok(credentials) => {
                self.token.clone_from(&credentials.token);
                Ok(Known::Registered(credentials))
            }
            Err(_) => Err(Failure::Panic("Failed to register the runner.".to_owned())),
        }
    }

    /// Asks for name and executor, and writes the entry.
    fn entry(&mut self, mut config: Config, known: &Known) -> Result<(), Failure> {
        let executor = self.executor()?;
        let mut entry = self.section();
        entry.set("executor", Value::Text(executor));
        match known {
            Known::Created(credentials) | Known::Registered(credentials) => {
                let now = whole_seconds(SystemClock.now());
                entry.set("id", Value::Integer(credentials.id));
                entry.set("token_obtained_at", Value::Time(now));
                if let Some(time) = credentials.token_expires_at.as_ref() {
                    entry.set("token_expires_at", Value::Time(time.to_string()));
                }
            }
            Known::Given => {}
        }
        if let Some(cache) = entry.table_mut("cache") {
            for table in ["s3", "gcs", "azure"] {
                let _ = cache.table_mut(table);
            }
        }
        self.warn_limits(&config);
        config
            .push(entry)
            .map_err(|error| Failure::Panic(error.to_string()))?;
        config
            .save(&self.path)
            .map_err(|error| Failure::Panic(error.to_string()))?;
        tracing::info!(
            "Runner registered successfully. Feel free to start it, but if it's running already the config should be automatically reloaded!\n"
        );
        tracing::info!(
            "Configuration (with the authentication token) was saved in \"{}\"",
            self.path.display()
        );
        Ok(())
    }

    fn executor(&self) -> Result<String, Failure> {
        let question = format!("Enter an executor: {}:", EXECUTORS.join(", "));
        let mut given = self.args.executor.clone();
        loop {
            if !self.prompt.silent {
                given = Prompt::ask_once(&question, &given)?;
            }
            if EXECUTORS.contains(&given.as_str()) {
                return Ok(given);
            }
            if self.prompt.silent {
                return Err(Failure::Panic("Invalid executor specified".to_owned()));
            }
            tracing::error!("Invalid executor specified");
        }
    }

    fn warn_limits(&self, config: &Config) {
        let concurrent = config.concurrent();
        let limit = self.args.entry.limit.unwrap_or(0);
        if limit > concurrent {
            tracing::warn!(
                "The specified runner job concurrency limit ({limit}) is larger than current global concurrency limit ({concurrent}). The global concurrent limit will not be increased and takes precedence."
            );
        }
        let requests = self.args.entry.request_concurrency.unwrap_or(0);
        if requests > concurrent {
            tracing::warn!(
                "The specified runner request concurrency ({requests}) is larger than the current global concurrent limit ({concurrent}). The global concurrent limit will not be increased and takes precedence."
            );
        }
    }

    /// The entry as the command line gives it.
    fn section(&self) -> Section {
        let mut entry = Config::new_entry();
        entry.set("name", Value::Text(self.name.clone()));
        entry.set("url", Value::Text(self.url.clone()));
        entry.set("token", Value::Text(self.token.clone()));
        apply(&self.args.entry, &mut entry);
        entry
    }

    /// Takes back a registration that cannot be written down.
    fn undo(&self) -> Result<(), Failure> {
        let target = self.target(&self.token)?;
        session::block_on(
            leave(&target, &self.system_id, Path::new(&self.path))
                .instrument(session::span(&target)),
        )?;
        Ok(())
    }
}

/// Puts options into an entry.
pub(super) fn apply(args: &EntryArgs, entry: &mut Section) {
    for (key, value) in [
        ("limit", args.limit),
        ("output_limit", args.output_limit),
        ("request_concurrency", args.request_concurrency),
        ("unhealthy_requests_limit", args.unhealthy_requests_limit),
    ] {
        if let Some(number) = value {
            entry.set(key, Value::Integer(number));
        }
    }
    for (key, value) in [
        ("tls-ca-file", &args.tls_ca_file),
        ("tls-cert-file", &args.tls_cert_file),
        ("tls-key-file", &args.tls_key_file),
        ("builds_dir", &args.builds_dir),
        ("cache_dir", &args.cache_dir),
        ("clone_url", &args.clone_url),
        ("pre_get_sources_script", &args.pre_get_sources_script),
        ("post_get_sources_script", &args.post_get_sources_script),
        ("pre_build_script", &args.pre_build_script),
        ("post_build_script", &args.post_build_script),
        ("shell", &args.shell),
    ] {
        if let Some(text) = value {
            entry.set(key, Value::Text(text.clone()));
        }
    }
    if let Some(on) = args.strict_check_interval {
        entry.set("strict_check_interval", Value::Boolean(on));
    }
    if args.debug_trace_disabled {
        entry.set("debug_trace_disabled", Value::Boolean(true));
    }
    if let Some(nanos) = args.unhealthy_interval.as_deref().and_then(parse_duration) {
        entry.set("unhealthy_interval", Value::Duration(nanos));
    }
    if !args.environment.is_empty() {
        entry.set("environment", Value::List(args.environment.clone()));
    }
}
