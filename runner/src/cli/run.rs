//! `run` (runner.md 2.2).

use super::Failure;
use super::args::RunArgs;
use crate::logging::Log;
use crate::schedule::{RunOptions, run_command};

pub(super) fn run(args: RunArgs, log: Log) -> Result<(), Failure> {
    if args.syslog {
        tracing::warn!("--syslog: this runner logs to stderr only");
    }
    if args.listen_address.is_some() {
        tracing::warn!("--listen-address: this runner has no metrics and debug endpoints");
    }
    let code = run_command(RunOptions {
        config: args.config.path(),
        working_directory: args.working_directory,
        user: args.user.unwrap_or_default(),
        log,
    });
    if code == 0 {
        Ok(())
    } else {
        Err(Failure::Logged)
    }
}
