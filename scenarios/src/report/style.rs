//! Colours. The writer (`anstream`) drops them where they are not wanted: on files and pipes, and when
//! `NO_COLOR` is set.

use anstyle::{AnsiColor, Style};

/// What went well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// What did not.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// What stands beside.
pub const DIM: Style = Style::new().dimmed();
/// Titles.
pub const TITLE: Style = Style::new().bold();

/// `text` in `style`.
pub fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}
