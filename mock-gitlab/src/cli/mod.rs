//! The command line of `mock-gitlab`.

mod log;
mod serve;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// A mock GitLab server that any runner can be pointed at.
#[derive(Debug, Parser)]
#[command(name = "mock-gitlab", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGINT or SIGTERM.
    Serve(ServeArgs),
}

/// Options of `serve`.
#[derive(Debug, Args)]
struct ServeArgs {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// The world at the beginning (YAML); a demo world if absent.
    #[arg(long, value_name = "FILE")]
    seed_file: Option<PathBuf>,
    /// Seed of tokens that are made up.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Personal access token of the administrator `root`, made up if absent. An address that others can
    /// reach needs one.
    #[arg(
        long,
        env = "MOCK_GITLAB_ADMIN_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    admin_token: Option<String>,
    /// What is logged to stderr.
    #[arg(
        long,
        env = "MOCK_GITLAB_LOG_LEVEL",
        value_enum,
        default_value_t = log::LogLevel::Warn,
        value_name = "LEVEL"
    )]
    log_level: log::LogLevel,
}

/// Runs `mock-gitlab` with these arguments, the program's name first.
pub fn main(args: &[OsString]) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let Command::Serve(args) = cli.command;
    match serve::serve(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            anstream::eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}
