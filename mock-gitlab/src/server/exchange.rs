//! The request of a connection that is being answered.
//!
//! Hyper would keep the answer in the making to itself. It stands here instead, so that it outlives the
//! hyper connection when that is let go while a poll is held.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http::header::CONNECTION;
use http::{Request, Version};
use tower::ServiceExt as _;
use tower::util::Oneshot;

use super::linger::ResetOrder;
use crate::fault::ConnectionReset;

/// The one request that a connection has at a time. A clone is the same one.
#[derive(Clone)]
pub(super) struct Exchange(Arc<Parts>);

struct Parts {
    router: Router,
    reset: ResetOrder,
    slot: Mutex<Slot>,
}

type Making = Oneshot<Router, Request<Body>>;

struct Slot {
    /// The answer in the making. One piece of memory serves all requests of the connection.
    making: Pin<Box<Option<Making>>>,
    /// The answer to a poll that was held, until it is sent.
    made: Option<Response>,
    version: Version,
    /// `Connection` header of the request, if it has one.
    connection: Option<Vec<u8>>,
}

impl Slot {
    fn poll_made(&mut self, context: &mut Context<'_>) -> Poll<Response> {
        let Some(making) = self.making.as_mut().as_pin_mut() else {
            // Nobody asks without a request, or again after the answer.
            return Poll::Pending;
        };
        let Ok(answer) = ready!(making.poll(context));
        self.making.set(None);
        Poll::Ready(answer)
    }
}

impl Exchange {
    pub(super) fn new(router: Router, reset: ResetOrder) -> Exchange {
        Exchange(Arc::new(Parts {
            router,
            reset,
            slot: Mutex::new(Slot {
                making: Box::pin(None),
                made: None,
                version: Version::HTTP_11,
                connection: None,
            }),
        }))
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.0.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next request. While the answer to a held poll waits to be sent, the request is
    /// [`Exchange::replay`] and is thrown away.
    pub(super) fn begin(&self, request: Request<Body>) {
        let mut slot = self.slot();
        if slot.made.is_some() {
            return;
        }
        slot.version = request.version();
        let connection = request.headers().get(CONNECTION);
        slot.connection = connection.map(|value| value.as_bytes().to_vec());
        let answer = self.0.router.clone().oneshot(request);
        slot.making.set(Some(answer));
    }

    /// The answer, for hyper. An error ends the connection without another byte.
    pub(super) fn poll_answer(&self, context: &mut Context<'_>) -> Poll<io::Result<Response>> {
        let mut slot = self.slot();
        let answer = match slot.made.take() {
            Some(answer) => answer,
            None => ready!(slot.poll_made(context)),
        };
        if answer.extensions().get::<ConnectionReset>().is_some() {
            self.0.reset.give();
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::ConnectionReset)));
        }
        Poll::Ready(Ok(answer))
    }

    /// Makes the answer without hyper; ready when [`Exchange::poll_answer`] has it at once.
    pub(super) fn poll_held(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut slot = self.slot();
        let answer = ready!(slot.poll_made(context));
        slot.made = Some(answer);
        Poll::Ready(())
    }

    /// Head of a request that hyper treats as the held one: same version, same wish about the
    /// connection. Hyper learns from it how to write the answer.
    pub(super) fn replay(&self, last: bool) -> Bytes {
        let slot = self.slot();
        let mut head = BytesMut::from(match slot.version {
            Version::HTTP_10 => &b"GET / HTTP/1.0\r\n"[..],
            _ => &b"GET / HTTP/1.1\r\n"[..],
        });
        let wish = match &slot.connection {
            _ if last => Some(&b"close"[..]),
            wish => wish.as_deref(),
        };
        if let Some(wish) = wish {
            head.extend_from_slice(b"connection: ");
            head.extend_from_slice(wish);
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        head.freeze()
    }
}
