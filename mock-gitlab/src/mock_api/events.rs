//! What happened.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::{self, Stream};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use utoipa::{IntoParams, ToSchema};

use super::MockApi;
use super::ask::{Problem, Refusal, json};
use crate::world::{Event, World};

/// Most events of one list, and of one look at the world by a stream.
const AT_ONCE: usize = 1000;
/// A stream without events says so this often.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// From where.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct Position {
    /// Only events with a higher `seq`.
    after: Option<u64>,
}

/// A part of what happened.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct EventList {
    /// Oldest first, at most 1000. There are more when `after` this list's last `seq` gives more.
    events: Vec<Event>,
    /// Events after the position that were forgotten, because only so many are kept
    /// (`settings.event_capacity`).
    forgotten: u64,
}

fn read(world: &World, after: u64) -> EventList {
    let (events, forgotten) = world.events_after(after, AT_ONCE);
    EventList { events, forgotten }
}

/// What happened, oldest first.
#[utoipa::path(get, path = "/events", tag = "events", params(Position), responses(
    (status = 200, body = EventList), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem)))]
pub(super) async fn list(
    State(api): State<MockApi>,
    position: Result<Query<Position>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Refusal> {
    let position = position.map_err(|error| Refusal::bad_request(error.body_text()))?;
    let after = position.after.unwrap_or_default();
    let list = api.look(|world, _| read(world, after));
    Ok(json(StatusCode::OK, &list))
}

/// What happens, as server-sent events: `id` is the `seq`, `event` the kind, `data` the event as in the
/// list. `Last-Event-ID` goes on where a connection ended; without it and `after`, the stream begins with
/// the oldest event that is kept. An event `forgotten` with a number stands for events that were
/// forgotten before this client had read them. An event `rewound` says that a snapshot took the place of
/// the world: numbers stand for other events now, and the stream begins anew with the oldest that is kept.
#[utoipa::path(get, path = "/events/stream", tag = "events", params(Position,
    ("Last-Event-ID" = Option<u64>, Header, description = "As `after`, which wins.")), responses(
    (status = 200, content_type = "text/event-stream", body = String), (status = 400, body = Problem),
    (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(super) async fn stream(
    State(api): State<MockApi>,
    position: Result<Query<Position>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let position = position.map_err(|error| Refusal::bad_request(error.body_text()))?;
    let last = headers.get("last-event-id");
    let last = last.and_then(|id| id.to_str().ok()?.parse().ok());
    let after = position.after.or(last).unwrap_or_default();
    Ok(Sse::new(feed(api, after))
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response())
}

struct Feed {
    changes: watch::Receiver<u64>,
    api: MockApi,
    after: u64,
    /// How often the log was rewound when `after` was read.
    rewound: u64,
    ready: VecDeque<sse::Event>,
}

fn feed(api: MockApi, after: u64) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    let rewound = api.look(|world, _| world.events_position().1);
    let feed = Feed {
        changes: api.changes.subscribe(),
        api,
        after,
        rewound,
        ready: VecDeque::new(),
    };
    stream::unfold(feed, |mut feed| async move {
        loop {
            if let Some(event) = feed.ready.pop_front() {
                return Some((Ok(event), feed));
            }
            // Before the look, so that no change falls between the two.
            feed.changes.mark_unchanged();
            feed.fill();
            if !feed.ready.is_empty() {
                continue;
            }
            tokio::select! {
                biased;
                () = feed.api.stop.cancelled() => return None,
                changed = feed.changes.changed() => changed.ok()?,
            }
        }
    })
}

impl Feed {
    fn fill(&mut self) {
        let (list, rewound) = self.api.look(|world, _| {
            let (newest, rewound) = world.events_position();
            // A number that there is not yet is one of before as well.
            if rewound == self.rewound && self.after <= newest {
                (read(world, self.after), None)
            } else {
                (read(world, 0), Some(rewound))
            }
        });
        if let Some(rewound) = rewound {
            self.rewound = rewound;
            self.after = 0;
            let event = sse::Event::default().event("rewound");
            self.ready.push_back(event.data(rewound.to_string()));
        }
        // What is forgotten has been told of, also where nothing has come since.
        let told = self.after.saturating_add(list.forgotten);
        self.after = list.events.last().map_or(told, |event| event.seq);
        if list.forgotten > 0 {
            let gap = sse::Event::default().event("forgotten");
            self.ready.push_back(gap.data(list.forgotten.to_string()));
        }
        for event in list.events {
            let kind = serde_json::to_value(&event).unwrap_or_default();
            let name = kind["event"].as_str().unwrap_or("event").to_owned();
            let text = sse::Event::default().id(event.seq.to_string()).event(name);
            self.ready.push_back(text.data(kind.to_string()));
        }
    }
}
