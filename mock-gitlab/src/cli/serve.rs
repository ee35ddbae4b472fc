//! `mock-gitlab serve`.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use tokio::signal::unix::{SignalKind, signal};

use super::ServeArgs;
use crate::library::MockGitlab;
use crate::seed::{self, Seed, Seeded};

pub(super) fn serve(args: &ServeArgs) -> Result<(), String> {
    if !args.listen.ip().is_loopback() && args.admin_token.as_deref().unwrap_or_default().is_empty()
    {
        return Err(format!(
            "{} can be reached by others: give --admin-token to allow that, or listen on 127.0.0.1",
            args.listen
        ));
    }
    super::log::start(args.log_level);
    let (seed, file) = read_seed(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("runtime: {error}"))?;
    runtime.block_on(async {
        // Before anything is said, so that a signal that comes early is not lost.
        let handler = |kind| signal(kind).map_err(|error| format!("signal handler: {error}"));
        let mut interrupt = handler(SignalKind::interrupt())?;
        let mut terminate = handler(SignalKind::terminate())?;
        let mut builder = MockGitlab::builder()
            .address(args.listen)
            .settings(seed.settings.clone())
            .limits(seed.limits)
            .seed(args.seed);
        if let Some(token) = &args.admin_token {
            builder = builder.admin_token(token);
        }
        let gitlab = builder.start().map_err(|error| error.to_string())?;
        let seeded = seed::apply(&gitlab, seed, &file).map_err(|error| error.to_string())?;
        gitlab.keep_as_beginning();
        anstream::print!("{}", welcome(&gitlab, &seeded));
        tokio::select! {
            biased;
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        drop(gitlab);
        anstream::println!("stopped");
        Ok(())
    })
}

fn read_seed(args: &ServeArgs) -> Result<(Seed, String), String> {
    let (seed, file) = match &args.seed_file {
        Some(path) => (seed::load(path), path.display().to_string()),
        None => (
            seed::parse("demo world", seed::DEFAULT),
            "demo world".to_owned(),
        ),
    };
    seed.map(|seed| (seed, file))
        .map_err(|error| error.to_string())
}

/// What a newcomer needs to connect a runner. The only place where tokens are shown.
fn welcome(gitlab: &MockGitlab, seeded: &Seeded) -> String {
    let bold = Style::new().bold();
    let green = AnsiColor::Green.on_default();
    let url = gitlab.url();
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{bold}mock-gitlab{bold:#} listens on {green}{url}{green:#}\n"
    );
    let _ = writeln!(
        text,
        "  registration token  {}",
        gitlab.registration_token()
    );
    let _ = writeln!(text, "  administrator       {}", gitlab.admin_token());
    for (name, runner) in &seeded.runners {
        let _ = writeln!(text, "  runner {name:<12} {}", runner.token());
    }
    for (path, project) in &seeded.projects {
        let repository = if project.sha().is_empty() {
            "no repository".to_owned()
        } else {
            format!("{url}/{path}.git at {:.8}", project.sha())
        };
        let _ = writeln!(text, "  project {path:<11} {repository}");
    }
    let _ = writeln!(text, "  jobs                {}\n", seeded.jobs.len());
    let token = seeded.runners.values().next().map_or_else(
        || gitlab.registration_token(),
        crate::library::RunnerHandle::token,
    );
    let option = if token.starts_with("glrt-") {
        "--token"
    } else {
        "--registration-token"
    };
    let _ = writeln!(
        text,
        "{bold}Connect a runner{bold:#} in another terminal:\n\n  gitlab-runner register --non-interactive --config config.toml --url {url} {option} {token} --executor shell\n  gitlab-runner run --config config.toml\n\nStop with Ctrl-C."
    );
    text
}
