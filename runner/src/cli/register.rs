//! `register` (runner.md 2.3).

use std::path::{Path, PathBuf};

use protocol::runners::{RegisterRequest, RunnerCredentials, VerifyRequest};
use tracing::Instrument as _;

use super::Failure;
use super::options::commands::Invocation;
use super::options::{Given, entry};
use super::prompt::Prompt;
use super::questions::{self, EXECUTORS};
use super::reset_token::whole_seconds;
use super::session;
use super::template;
use super::unregister::leave;
use crate::client::VerifyOutcome;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, RunnerConfig, Section, Value};
use crate::executor::shell::Watchdog;
use crate::schedule::{ExecutorProvider as _, LocalExecutors};

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
    given: &'a Given,
    prompt: Prompt,
    path: PathBuf,
    system_id: String,
    /// The entry as options and template give it.
    draft: Section,
    url: String,
    token: String,
    name: String,
}

pub(super) fn register(invocation: &Invocation) -> Result<(), Failure> {
    let given = &invocation.given;
    session::say_mode(true);
    if !["", "not_protected", "ref_protected"].contains(&given.text("access-level")) {
        return Err(Failure::Panic(
            "Given access-level is not valid. Refer to gitlab-runner register -h for the correct options.".to_owned(),
        ));
    }
    let mut draft = Config::new_entry();
    for key in ["url", "executor"] {
        draft.set(key, Value::Text(given.text(key).to_owned()));
    }
    entry::apply(&invocation.options, given, &mut draft);
    let template = given.text("template-config");
    if !template.is_empty() {
        template::merge(Path::new(template), &mut draft)?;
    }
    let path = invocation.config();
    let (config, system_id) = session::load(&path).map_err(Failure::Panic)?;
    let prompt = Prompt {
        silent: given.switch("non-interactive"),
    };
    let url = prompt.ask(
        "url",
        "Enter the GitLab instance URL (for example, https://gitlab.com/):",
        draft.text("url"),
        false,
    )?;
    let mut registration = Registration {
        given,
        prompt,
        path,
        system_id,
        draft,
        url,
        token: given.text("token").to_owned(),
        name: given
            .given_text("name")
            .map_or_else(host_name, str::to_owned),
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
    let takes_back = !given.switch("leave-runner") && !matches!(known, Known::Given);
    if takes_back {
        registration.take_back_on_interrupt()?;
    }
    let entry = registration.entry(&config, &known);
    if let Err(failure) = &entry
        && takes_back
    {
        // The record of the failure comes before that of the clean-up.
        failure.log();
        registration.undo()?;
        return Err(Failure::Logged);
    }
    registration.save(config, entry?)
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
                self.given.text("registration-token"),
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
        let given = self.given;
        !given.switch_or("locked", true)
            || given.switch("run-untagged")
            || given.switch("paused")
            || given.integer("maximum-timeout") != 0
            || ["access-level", "tag-list", "maintenance-note"]
                .iter()
                .any(|option| !given.text(option).is_empty())
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
            info: Some(session::info(&target.executor, &target.shell)),
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
        let given = self.given;
        self.name = self.prompt.ask(
            "description",
            "Enter a description for the runner:",
            &self.name,
            false,
        )?;
        let tags = self.prompt.ask(
            "tag-list",
            "Enter tags for the runner (comma-separated):",
            given.text("tag-list"),
            true,
        )?;
        let note = self.prompt.ask(
            "maintenance-note",
            "Enter optional maintenance note for the runner:",
            given.text("maintenance-note"),
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
            run_untagged: tags.is_empty() || given.switch("run-untagged"),
            tag_list: tags,
            locked: given.switch_or("locked", true),
            access_level: given.text("access-level").to_owned(),
            maximum_timeout: given.integer("maximum-timeout"),
            paused: given.switch("paused"),
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

    /// Asks for the executor and what it needs; gives the whole entry.
    fn entry(&self, config: &Config, known: &Known) -> Result<Section, Failure> {
        let executor = self.executor()?;
        let mut entry = self.section();
        questions::settle(self.prompt, &executor, &mut entry)?;
        let here = LocalExecutors {
            user: String::new(),
            watchdog: Watchdog::new(),
        };
        if here.info(&executor).is_none() {
            tracing::warn!(
                "This runner has no executor {executor} yet: the entry is written, but takes no jobs here"
            );
        }
        entry.set("executor", Value::Text(executor));
        match known {
            Known::Created(credentials) | Known::Registered(credentials) => {
                let now = whole_seconds(SystemClock.now());
                entry.set("id", Value::Integer(credentials.id));
                entry.set("token_obtained_at", Value::Time(now));
                entry.unset("token_expires_at");
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
        Registration::warn_limits(config, &entry);
        Ok(entry)
    }

    /// Appends the entry and writes the file. When that fails, the runner stays registered.
    fn save(&self, mut config: Config, entry: Section) -> Result<(), Failure> {
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
        let mut given = self.draft.text("executor").to_owned();
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

    fn warn_limits(config: &Config, entry: &Section) {
        let concurrent = config.concurrent();
        let limit = entry.integer("limit");
        if limit > concurrent {
            tracing::warn!(
                "The specified runner job concurrency limit ({limit}) is larger than current global concurrency limit ({concurrent}). The global concurrent limit will not be increased and takes precedence."
            );
        }
        let requests = entry.integer("request_concurrency");
        if requests > concurrent {
            tracing::warn!(
                "The specified runner request concurrency ({requests}) is larger than the current global concurrent limit ({concurrent}). The global concurrent limit will not be increased and takes precedence."
            );
        }
    }

    /// The entry as far as it is known.
    fn section(&self) -> Section {
        let mut entry = self.draft.clone();
        entry.set("name", Value::Text(self.name.clone()));
        entry.set("url", Value::Text(self.url.clone()));
        entry.set("token", Value::Text(self.token.clone()));
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

    /// From now on SIGINT takes the registration back and ends the process.
    fn take_back_on_interrupt(&self) -> Result<(), Failure> {
        let target = self.target(&self.token)?;
        let (system_id, path) = (self.system_id.clone(), self.path.clone());
        let (ready, is_ready) = std::sync::mpsc::channel();
        // A question waits on this thread, so the signal is waited for on another one.
        std::thread::spawn(move || {
            let interrupted = session::block_on(async {
                let kind = tokio::signal::unix::SignalKind::interrupt();
                let mut signals = tokio::signal::unix::signal(kind).ok()?;
                let _ = ready.send(());
                signals.recv().await?;
                let span = session::span(&target);
                Some(leave(&target, &system_id, &path).instrument(span).await)
            });
            if let Ok(Some(_)) = interrupted {
                Failure::Fatal("RECEIVED SIGNAL: interrupt".to_owned()).log();
                std::process::exit(1);
            }
        });
        // Without it the process ends with the signal, as any other does.
        let _ = is_ready.recv();
        Ok(())
    }
}
