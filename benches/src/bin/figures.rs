//! Prints the figures of `docs/performance.md`; exit code 1 when a target is missed.

use std::process::ExitCode;

use benches::figures::{GROUPS, print};

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = names
        .iter()
        .find(|name| !GROUPS.iter().any(|group| group.name == **name))
    {
        let known: Vec<&str> = GROUPS.iter().map(|group| group.name).collect();
        eprintln!(
            "unknown group `{unknown}`; groups are: {}",
            known.join(", ")
        );
        return ExitCode::from(2);
    }
    if cfg!(debug_assertions) {
        eprintln!("this is a debug build; figures need: cargo run --release -p benches");
    }
    let mut figures = Vec::new();
    for group in GROUPS {
        if !names.is_empty() && !names.iter().any(|name| name == group.name) {
            continue;
        }
        eprintln!("measuring: {}", group.name);
        match (group.measure)() {
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
