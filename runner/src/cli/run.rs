//! `run` (runner.md 2.2).

use super::Failure;
use super::options::commands::Invocation;
use crate::schedule::{RunOptions, run_command};

pub(super) fn run(invocation: &Invocation) -> Result<(), Failure> {
    let given = &invocation.given;
    if given.switch("syslog") {
        tracing::warn!("--syslog: this runner logs to stderr only");
    }
    let code = run_command(RunOptions {
        config: invocation.config(),
        working_directory: given
            .given_text("working-directory")
            .filter(|path| !path.is_empty())
            .map(Into::into),
        user: given.text("user").to_owned(),
        listen_address: given
            .given_text("listen-address")
            .filter(|address| !address.is_empty())
            .map(str::to_owned),
        log: invocation.log.clone(),
    });
    if code == 0 {
        Ok(())
    } else {
        Err(Failure::Logged)
    }
}
