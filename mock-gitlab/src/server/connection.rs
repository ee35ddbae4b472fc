//! One connection.
//!
//! Hyper keeps two buffers of 8 KiB and more for each of its connections, and a held poll keeps its
//! connection for a minute while nothing happens on it. So hyper is let go meanwhile: what is left of a
//! held poll is the socket and the answer in the making ([`Exchange`]). When the answer is there, a new
//! hyper connection over the same socket reads the head of a request that stands for the held one, and
//! writes the answer.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::CancellationToken;

use super::exchange::Exchange;
use super::linger::{Lingering, ResetOrder, Unread};
use crate::http::Peer;

pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) router: Router,
    pub(super) peer: Peer,
    pub(super) closing: Closing,
    pub(super) head_timeout: Duration,
    pub(super) body_timeout: Duration,
    pub(super) end_of_life: ResetOrder,
}

/// The server takes no more requests. A clone is the same order.
#[derive(Clone, Debug, Default)]
pub(super) struct Closing {
    given: Arc<AtomicBool>,
    wake: CancellationToken,
}

impl Closing {
    pub(super) fn give(&self) {
        self.given.store(true, Ordering::Relaxed);
        self.wake.cancel();
    }

    fn given(&self) -> bool {
        self.given.load(Ordering::Relaxed)
    }
}

/// Why a hyper connection is no longer polled.
enum Pause {
    Ended(hyper::Result<()>),
    /// Its request is a poll that is held.
    Held,
}

impl Connection {
    /// Serves until either side ends the connection, or the server closes and the open request is
    /// answered.
    pub(super) async fn serve(self) -> io::Result<()> {
        let reset = ResetOrder::default();
        let unread = Unread::default();
        let exchange = Exchange::new(self.router, reset.clone());
        let mut stream = Lingering::new(self.stream, unread.clone(), reset, self.end_of_life);
        // Looked at here for this task to be woken; then a flag tells it, at less cost.
        let mut woken = pin!(self.closing.wake.cancelled());
        let _ = poll_fn(|context| {
            unread.read_by(context.waker());
            Poll::Ready(woken.as_mut().poll(context))
        })
        .await;
        let mut closing = false;
        loop {
            let (peer, watching) = (self.peer.clone(), unread.clone());
            let (taking, body_timeout) = (exchange.clone(), self.body_timeout);
            let service = service_fn(move |request: Request<Incoming>| {
                let mut request = request.map(|body| watching.watch(body, body_timeout));
                request.extensions_mut().insert(peer.clone());
                taking.begin(request);
                let answering = taking.clone();
                poll_fn(move |context| answering.poll_answer(context))
            });
            // Boxed, so that it takes no memory while a poll is held.
            let mut connection = Box::new(
                http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(self.head_timeout)
                    .serve_connection(TokioIo::new(stream), service),
            );
            let mut patience: Option<(u64, Pin<Box<Sleep>>)> = None;
            let pause = poll_fn(|context| {
                loop {
                    if let Poll::Ready(ended) = Pin::new(&mut *connection).poll(context) {
                        return Poll::Ready(Pause::Ended(ended));
                    }
                    if self.peer.is_held() && !unread.get() {
                        return Poll::Ready(Pause::Held);
                    }
                    if let Some(parts) = unread.awaited() {
                        let (seen, sleep) = patience
                            .get_or_insert_with(|| (parts, Box::pin(sleep(self.body_timeout))));
                        if *seen != parts {
                            sleep.as_mut().reset(Instant::now() + self.body_timeout);
                            *seen = parts;
                        }
                        if sleep.as_mut().poll(context).is_ready() {
                            unread.give_up();
                            patience = None;
                            continue;
                        }
                    }
                    if closing || !self.closing.given() {
                        return Poll::Pending;
                    }
                    closing = true;
                    Pin::new(&mut *connection).graceful_shutdown();
                }
            });
            match pause.await {
                Pause::Ended(ended) => return ended.map_err(io::Error::other),
                Pause::Held => {}
            }
            let parts = connection.into_parts();
            stream = parts.io.into_inner();
            let gone = poll_fn(|context| {
                if exchange.poll_held(context).is_ready() {
                    return Poll::Ready(false);
                }
                stream.poll_gone(context).map(|()| true)
            });
            if gone.await {
                return Ok(());
            }
            stream.replay(exchange.replay(self.closing.given()), parts.read_buf);
        }
    }
}
