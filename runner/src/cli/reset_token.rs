//! `reset-token` (runner.md 2.2).

use jiff::Timestamp;
use tracing::Instrument as _;

use super::Failure;
use super::options::Given;
use super::options::commands::Invocation;
use super::session;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, RunnerConfig, Value};
use crate::logging;
use protocol::runners::ResetTokenAnswer;

pub(super) fn reset_token(invocation: &Invocation) -> Result<(), Failure> {
    session::say_mode(true);
    let given = &invocation.given;
    let path = invocation.config();
    let (mut config, _) = session::load(&path)
        .map_err(|error| Failure::FatalError("Failed to load configuration", error))?;
    let selected = select(given, &config)?;
    if given.switch("all-runners") {
        tracing::warn!("Resetting all runner authentication tokens");
    }
    for index in selected {
        let entry = config.runners()[index].clone();
        let answer =
            session::block_on(ask(&entry, given, &path).instrument(session::span(&entry)))?;
        let Some(answer) = answer else {
            if given.switch("all-runners") {
                tracing::error!("Failed to reset runner authentication token");
                continue;
            }
            tracing::error!(
                target: logging::FATAL,
                id = given.integer("id"),
                name = given.text("name"),
                "Failed to reset runner authentication token"
            );
            return Err(Failure::Logged);
        };
        put(&mut config, index, &answer)?;
    }
    session::save(&config, &path)?;
    let now = SystemClock.now();
    eprintln!("{} Updated", now.strftime("%Y/%m/%d %H:%M:%S"));
    Ok(())
}

fn select(given: &Given, config: &Config) -> Result<Vec<usize>, Failure> {
    let (name, url, id) = (given.text("name"), given.text("url"), given.integer("id"));
    if given.switch("all-runners") {
        return Ok((0..config.runners().len()).collect());
    }
    let (found, missing) = if name.is_empty() {
        let fits = |entry: &RunnerConfig| entry.url == url && entry.id == id;
        (
            config.runners().iter().position(fits),
            format!("could not find a runner with the URL {url:?} and ID {id}"),
        )
    } else {
        let fits = |entry: &RunnerConfig| entry.name == name;
        (
            config.runners().iter().position(fits),
            format!("could not find a runner with the name '{name}'"),
        )
    };
    found.map(|index| vec![index]).ok_or(Failure::FatalError(
        "Couldn't get runner credentials",
        missing,
    ))
}

async fn ask(
    entry: &RunnerConfig,
    given: &Given,
    path: &std::path::Path,
) -> Option<ResetTokenAnswer> {
    let client = match session::client(entry, path) {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(
                status = error,
                "Resetting runner authentication token... client error"
            );
            return None;
        }
    };
    let pat = given.text("pat");
    if pat.is_empty() {
        client.reset_token(&entry.token).await.ok()
    } else {
        client.reset_token_by_id(entry.id, pat).await.ok()
    }
}

/// Puts a new token into the entry `index`.
fn put(config: &mut Config, index: usize, answer: &ResetTokenAnswer) -> Result<(), Failure> {
    let now = SystemClock.now();
    let expires = answer.token_expires_at.as_ref().map(ToString::to_string);
    config
        .change(index, |entry| {
            entry.set("token", Value::Text(answer.token.clone()));
            entry.set("token_obtained_at", Value::Time(now.to_string()));
            entry.unset("token_expires_at");
            if let Some(time) = expires {
                entry.set("token_expires_at", Value::Time(time));
            }
        })
        .map_err(|error| Failure::Fatal(error.to_string()))
}

/// A time in whole seconds, as `register` writes it.
pub(super) fn whole_seconds(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second())
        .unwrap_or(time)
        .to_string()
}
