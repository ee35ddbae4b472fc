//! Recorded sessions between a runner and a server: read, replayed, compared.
//!
//! - [`har`]: HAR 1.2 in; [`recording`]: one recording, that is a folder of files;
//!   [`library`]: the recordings that are part of the program.
//! - [`normalise`]: everything that is volatile between two runs, with the reason, in one place;
//!   `printed`: ditto, in what programs of a job print; `web_terminal`: ditto, of the session server.
//! - [`place`]: where a replay runs; [`ports`]: free ports for the recording's fixed ones.
//! - [`plan`]: what is known about a recording beyond itself.
//! - [`script`]: what the server answers, by position and by the state of each job.
//! - [`stand_in`]: plays the script on loopback; [`git`]: its repositories.
//! - `stage`: files and addresses of a replay; `tls`: its certificates.
//! - [`replay`]: starts the runner under test, [`compare`]: says where it differs,
//!   [`difference`]: and whether that is wanted; `upload`: bodies of uploads, member by member.

pub mod compare;
pub mod difference;
pub mod git;
pub mod har;
mod helper;
pub mod library;
pub mod normalise;
pub mod place;
pub mod plan;
pub mod ports;
mod printed;
pub mod recording;
pub mod replay;
pub mod script;
mod stage;
pub mod stand_in;
mod tls;
mod upload;
mod web_terminal;

pub use recording::Recording;
