//! The page: what is going on, for people.
//!
//! - [`router`]: paths, who may look, and headers.
//! - `view`: what is shown, taken from the world in one look.
//! - `layout`, `overview`, `job`: HTML. Everything that comes from outside is escaped by the templates.
//! - [`trace`]: job logs with colours and folding sections.
//! - `colours`: the palette, and that it can be read.
//!
//! Plain HTML from the server; a script of a few lines fetches the page again when something changed.
//! Style and script are in the binary, so nothing is needed from elsewhere.

mod access;
mod colours;
mod job;
mod layout;
mod overview;
mod router;
mod times;
pub mod trace;
mod view;

pub use access::Access;
pub use router::{Page, owns, router};
