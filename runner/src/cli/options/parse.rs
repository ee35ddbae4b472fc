//! A command line is read.

use super::values::{add, boolean};
use super::{Given, Holds, Opt};

/// Why a command line cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) enum UsageError {
    /// Help was asked for.
    Help,
    /// Wrong use.
    Wrong(String),
}

/// Reads arguments and environment. Gives what was said and how many arguments were read. With
/// `stop_at_word` reading ends at the first argument that is no option; else such arguments are skipped.
pub(in crate::cli) fn parse(
    options: &[Opt],
    args: &[String],
    env: &dyn Fn(&str) -> Option<String>,
    stop_at_word: bool,
) -> Result<(Given, usize), UsageError> {
    let mut given = Given::default();
    for option in options.iter().filter(|option| !option.env.is_empty()) {
        let Some(text) = env(&option.env) else {
            continue;
        };
        from_env(&mut given, option, &text)?;
    }
    let mut lists_are_fresh = Vec::new();
    let mut at = 0;
    while let Some(arg) = args.get(at) {
        let Some(body) = arg.strip_prefix('-').filter(|body| !body.is_empty()) else {
            if stop_at_word {
                break;
            }
            at += 1;
            continue;
        };
        at += 1;
        if arg == "--" {
            break;
        }
        let body = body.strip_prefix('-').unwrap_or(body);
        if body.is_empty() || body.starts_with('-') || body.starts_with('=') {
            return wrong(format!("bad flag syntax: {arg}"));
        }
        let (name, inline) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (body, None),
        };
        let Some(option) = options
            .iter()
            .find(|option| option.names.iter().any(|known| known == name))
        else {
            if name == "help" || name == "h" {
                return Err(UsageError::Help);
            }
            return wrong(format!("flag provided but not defined: -{name}"));
        };
        if let Holds::Switch { .. } = option.holds {
            let text = inline.unwrap_or("true");
            if let Err(error) = boolean(text) {
                return wrong(format!(
                    "invalid boolean value {text:?} for -{name}: {error}"
                ));
            }
            put(&mut given, option, text).map_err(UsageError::Wrong)?;
            continue;
        }
        let text = match inline {
            Some(text) => text,
            None => match args.get(at) {
                Some(text) => {
                    at += 1;
                    text
                }
                None => return wrong(format!("flag needs an argument: -{name}")),
            },
        };
        // The last use of a comma list counts, and arguments beat the variable; a list adds to it.
        if option.holds == Holds::Commas && !lists_are_fresh.contains(&option.name()) {
            given.take(option.name());
            lists_are_fresh.push(option.name());
        }
        if let Err(error) = put(&mut given, option, text) {
            return wrong(format!("invalid value {text:?} for flag -{name}: {error}"));
        }
    }
    Ok((given, at))
}

fn wrong<T>(text: String) -> Result<T, UsageError> {
    Err(UsageError::Wrong(text))
}

fn put(given: &mut Given, option: &Opt, text: &str) -> Result<(), String> {
    let before = given.take(option.name());
    given.put(option.name(), add(option.holds, before, text)?);
    Ok(())
}

/// The value from a variable: one item or pair of a list or map.
fn from_env(given: &mut Given, option: &Opt, text: &str) -> Result<(), UsageError> {
    let value = match option.holds {
        Holds::Switch { empty_is_on } if text.is_empty() => empty_is_on.to_string(),
        _ => text.to_owned(),
    };
    put(given, option, &value).map_err(|error| {
        UsageError::Wrong(format!(
            "could not parse {text} as value for flag {}: {error}",
            option.name()
        ))
    })
}

/// Options that are followed by a bare `true` or `false`, with that: `--paused=false` was meant.
pub(in crate::cli) fn bare_booleans(args: &[String]) -> Vec<String> {
    let pairs = args.iter().zip(args.iter().skip(1));
    pairs
        .filter(|(option, value)| {
            option.starts_with('-')
                && !option.contains('=')
                && ["true", "false"].contains(&value.as_str())
        })
        .map(|(option, value)| format!("{option}={value}"))
        .collect()
}
