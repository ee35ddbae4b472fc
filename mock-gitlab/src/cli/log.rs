//! The server's own log, on stderr: one line a record, `time LEVEL message key=value`.

use std::fmt::{self, Write as _};
use std::io::Write as _;

use clap::ValueEnum;
use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// What is logged: this and what is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogLevel {
    /// Nothing.
    Off,
    /// What the server could not do.
    Error,
    /// What may be wrong.
    Warn,
    /// As `warn`; nothing is logged at this level yet.
    Info,
    /// Each request, and why one was refused.
    Debug,
    /// As `debug`; nothing is logged at this level yet.
    Trace,
}

impl LogLevel {
    fn filter(self) -> LevelFilter {
        match self {
            LogLevel::Off => LevelFilter::OFF,
            LogLevel::Error => LevelFilter::ERROR,
            LogLevel::Warn => LevelFilter::WARN,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Debug => LevelFilter::DEBUG,
            LogLevel::Trace => LevelFilter::TRACE,
        }
    }
}

/// Logs to stderr from now on.
pub(super) fn start(level: LogLevel) {
    // A second server in this process writes to the log of the first.
    let _ = tracing_subscriber::registry()
        .with(ToStderr.with_filter_of(level))
        .try_init();
}

struct ToStderr;

impl ToStderr {
    fn with_filter_of<S: Subscriber>(self, level: LogLevel) -> impl Layer<S> {
        level.filter().and_then(self)
    }
}

impl<S: Subscriber> Layer<S> for ToStderr {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        let text = format!(
            "{:.3} {:<5} {}{}",
            Timestamp::now(),
            event.metadata().level(),
            line.message,
            line.fields
        );
        // There is nobody to tell of a closed stderr.
        let _ = writeln!(std::io::stderr().lock(), "{}", one_line(&text));
    }
}

/// No client writes lines of its own, or moves the cursor of a terminal.
fn one_line(text: &str) -> String {
    text.chars().fold(String::new(), |mut line, c| {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
        line
    })
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Strings do not fail.
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
    }
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn a_record_is_one_line() {
        assert_eq!(one_line("a\nb\x1b[2J é"), "a\\nb\\u{1b}[2J é");
    }
}
