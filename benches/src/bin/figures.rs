//! Prints the figures of `docs/performance.md`; exit code 1 when a target is missed.

use std::process::ExitCode;

use benches::client::SERVE;
use benches::figures::{APART, GROUPS, Group, LONG_GROUPS, apart, group, print};
use benches::runner::build_program;
use benches::serve::{Kind, serve};

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    if let [option, name] = &names[..]
        && option == APART
    {
        return one(name);
    }
    if let [option, name] = &names[..]
        && option == SERVE
        && let Some(kind) = Kind::from_name(name)
    {
        return match serve(kind) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::from(2)
            }
        };
    }
    if let Some(unknown) = names.iter().find(|name| group(name).is_none()) {
        let groups = GROUPS.iter().chain(LONG_GROUPS);
        let known: Vec<&str> = groups.map(|group| group.name).collect();
        eprintln!(
            "unknown group `{unknown}`; groups are: {}",
            known.join(", ")
        );
        return ExitCode::from(2);
    }
    if cfg!(debug_assertions) {
        eprintln!("this is a debug build; figures need: cargo run --release -p benches");
    }
    let is_named = |group: &Group| names.iter().any(|name| name == group.name);
    let short = GROUPS.iter();
    let short = short.filter(|group| names.is_empty() || is_named(group));
    let long = LONG_GROUPS.iter().filter(|group| is_named(group));
    let wanted: Vec<&Group> = short.chain(long).collect();
    if wanted.iter().any(|group| group.is_of_runner())
        && let Err(error) = build_program()
    {
        eprintln!("{error}");
        return ExitCode::from(2);
    }
    let mut figures = Vec::new();
    for group in wanted {
        eprintln!("measuring: {}", group.name);
        match apart(group) {
            Ok(measured) => figures.extend(measured),
            Err(error) => {
                eprintln!("{}: {error}", group.name);
                return ExitCode::from(2);
            }
        }
    }
    if print(&figures) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Measures one group here and prints its figures for the process that asked.
fn one(name: &str) -> ExitCode {
    let Some(group) = group(name) else {
        eprintln!("unknown group `{name}`");
        return ExitCode::from(2);
    };
    match (group.measure)() {
        Ok(figures) => {
            for figure in figures {
                println!("{}", figure.to_line());
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
