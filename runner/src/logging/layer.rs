use std::fmt;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as SpanRecord};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::format::{Fields, Record, Value};
use super::value::{DURATION_MARK, SIGNAL_MARK};
use super::{FATAL, Level, Log, PANIC};

/// Targets of this crate's records; other crates log for themselves, not for the operator.
const TARGET: &str = "runner";

/// Turns events of `tracing` into records of a [`Log`].
pub(super) struct LogLayer {
    log: Log,
}

impl LogLayer {
    pub(super) fn new(log: Log) -> Self {
        LogLayer { log }
    }
}

/// Fields of a span, kept in the registry.
struct SpanFields(Fields);

impl<S> Layer<S> for LogLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Not `always`: a reload may change the level.
        if is_ours(metadata) {
            Interest::sometimes()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        is_ours(metadata) && (metadata.is_span() || self.log.shows(level(metadata)))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::new();
            attributes.record(&mut Collector(&mut fields));
            span.extensions_mut().insert(SpanFields(fields));
        }
    }

    fn on_record(&self, id: &Id, values: &SpanRecord<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(SpanFields(fields)) = span.extensions_mut().get_mut()
        {
            values.record(&mut Collector(fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::new();
        // From the root inwards, then the record itself: the nearest value of a key wins.
        if let Some(scope) = context.event_scope(event) {
            for span in scope.from_root() {
                if let Some(SpanFields(inherited)) = span.extensions().get() {
                    fields.extend(inherited.iter().map(|(key, value)| (*key, value.clone())));
                }
            }
        }
        event.record(&mut Collector(&mut fields));
        let message = match fields.remove("message") {
            Some(Value::Text(text)) => text,
            Some(other) => other.plain(),
            None => String::new(),
        };
        self.log.write(&Record {
            level: level(event.metadata()),
            message,
            fields,
        });
    }
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    target == FATAL
        || target == PANIC
        || target
            .strip_prefix(TARGET)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn level(metadata: &Metadata<'_>) -> Level {
    match (metadata.target(), *metadata.level()) {
        (FATAL, _) => Level::Fatal,
        (PANIC, _) => Level::Panic,
        (_, tracing::Level::ERROR) => Level::Error,
        (_, tracing::Level::WARN) => Level::Warning,
        (_, tracing::Level::INFO) => Level::Info,
        (_, tracing::Level::DEBUG) => Level::Debug,
        (_, tracing::Level::TRACE) => Level::Trace,
    }
}

/// Collects fields with their types.
struct Collector<'a>(&'a mut Fields);

impl Visit for Collector<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        self.0.insert(field.name(), parse_marked(text));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), Value::Text(value.to_owned()));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.0.insert(field.name(), Value::Text(value.to_string()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name(), Value::Boolean(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name(), Value::Float(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name(), Value::Integer(value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name(), Value::Integer(value.into()));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.0.insert(field.name(), Value::Integer(value));
    }
}

/// Recognises the values of [`super::duration`] and [`super::signal`].
fn parse_marked(text: String) -> Value {
    if let Some(nanos) = text.strip_prefix(DURATION_MARK)
        && let Ok(nanos) = nanos.parse()
    {
        return Value::Duration(nanos);
    }
    if let Some((number, name)) = text
        .strip_prefix(SIGNAL_MARK)
        .and_then(|r| r.split_once(' '))
        && let Ok(number) = number.parse()
    {
        return Value::Signal(number, name.to_owned());
    }
    Value::Text(text)
}
