//! Answers that come before the request was read to its end.
//!
//! A socket that is closed with unread bytes is reset, and a reset takes away the answer that the
//! client has not read yet: a runner would see a broken connection where it was told that its artifact
//! is too large. So the end of such a connection first stops writing, then reads for a while and throws
//! away what comes, as nginx does (`lingering_close`).
//!
//! The opposite is here too: a connection that has to end with a reset, because a fault says so.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::buf::Chain;
use bytes::{Buf as _, Bytes};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// How long what comes is thrown away.
const LINGER: Duration = Duration::from_secs(10);
/// Bytes that are thrown away at a time.
const CHUNK: usize = 16 * 1024;

/// An order to reset a connection when it is dropped. A clone is the same order.
#[derive(Clone, Debug, Default)]
pub(super) struct ResetOrder(Arc<AtomicBool>);

impl ResetOrder {
    pub(super) fn give(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn given(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is known about the body of the newest request of a connection. A clone is the same body.
#[derive(Clone, Debug, Default)]
pub(super) struct Unread(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// Nobody read all of it yet.
    unread: AtomicBool,
    /// Somebody waits for the next part, in the connection's own task.
    awaited: AtomicBool,
    /// The next part did not come in time.
    late: AtomicBool,
    /// Parts that came, of all bodies, and their beginnings.
    parts: AtomicU64,
    /// Of the connection's task.
    task: OnceLock<Waker>,
}

impl Unread {
    /// The body of a request, watched. It fails with [`io::ErrorKind::TimedOut`] when nothing of it
    /// comes for `idle`. Read in the connection's own task it has no timer of its own, because almost
    /// every body is there before a timer is needed: see [`Unread::awaited`].
    pub(super) fn watch(&self, body: Incoming, idle: Duration) -> Body {
        self.0.awaited.store(false, Ordering::Relaxed);
        self.0.late.store(false, Ordering::Relaxed);
        self.0.parts.fetch_add(1, Ordering::Relaxed);
        self.set(!body.is_end_stream());
        Body::new(Watched {
            body,
            unread: self.clone(),
            idle,
            patience: None,
        })
    }

    /// Names the connection's task.
    pub(super) fn read_by(&self, task: &Waker) {
        self.0.task.get_or_init(|| task.clone());
    }

    /// Parts that came so far, if the next one is waited for in the connection's task: then it is the
    /// connection's part to call [`Unread::give_up`] when this number stays too long.
    pub(super) fn awaited(&self) -> Option<u64> {
        let awaited = self.0.awaited.load(Ordering::Relaxed);
        awaited.then(|| self.0.parts.load(Ordering::Relaxed))
    }

    /// Lets the body fail when it is read again.
    pub(super) fn give_up(&self) {
        self.0.late.store(true, Ordering::Relaxed);
    }

    fn set(&self, unread: bool) {
        self.0.unread.store(unread, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> bool {
        self.0.unread.load(Ordering::Relaxed)
    }
}

struct Watched {
    body: Incoming,
    unread: Unread,
    idle: Duration,
    /// Runs while another task waits for the next part.
    patience: Option<Pin<Box<Sleep>>>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            let state = &self.unread.0;
            let task = state.task.get();
            if task.is_some_and(|task| task.will_wake(context.waker())) {
                state.awaited.store(true, Ordering::Relaxed);
                if !state.late.load(Ordering::Relaxed) {
                    return Poll::Pending;
                }
            } else {
                let idle = self.idle;
                let patience = self
                    .patience
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
                ready!(patience.as_mut().poll(context));
            }
            return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut))));
        };
        self.patience = None;
        self.unread.0.awaited.store(false, Ordering::Relaxed);
        self.unread.0.parts.fetch_add(1, Ordering::Relaxed);
        if !matches!(frame, Some(Ok(_))) || self.body.is_end_stream() {
            self.unread.set(false);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection that ends gently.
pub(super) struct Lingering {
    stream: TcpStream,
    /// Bytes that are read before those of the stream.
    ahead: Chain<Bytes, Bytes>,
    unread: Unread,
    /// Runs once nothing more is written.
    end: Option<Pin<Box<Sleep>>>,
    /// Of this connection alone.
    reset: ResetOrder,
    /// Of all connections.
    end_of_life: ResetOrder,
}

impl Lingering {
    pub(super) fn new(
        stream: TcpStream,
        unread: Unread,
        reset: ResetOrder,
        end_of_life: ResetOrder,
    ) -> Lingering {
        Lingering {
            stream,
            ahead: Bytes::new().chain(Bytes::new()),
            unread,
            end: None,
            reset,
            end_of_life,
        }
    }

    /// Puts these bytes before those that the stream has.
    pub(super) fn replay(&mut self, first: Bytes, second: Bytes) {
        self.ahead = first.chain(second);
    }

    /// Ready when the client closed or lost the connection. What it sent stays unread.
    pub(super) fn poll_gone(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut byte = [0];
        match ready!(self.stream.poll_peek(context, &mut ReadBuf::new(&mut byte))) {
            // The next request came early; it has to wait, and so has the end behind it.
            Ok(1..) => Poll::Pending,
            Ok(0) | Err(_) => Poll::Ready(()),
        }
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        if self.reset.given() || self.end_of_life.given() {
            // A socket that is gone already needs no reset.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Lingering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.ahead.has_remaining() && buffer.remaining() > 0 {
            let part = self.ahead.chunk();
            let length = part.len().min(buffer.remaining());
            buffer.put_slice(&part[..length]);
            self.ahead.advance(length);
        }
        if !buffer.filled().is_empty() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.end.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
            if !this.unread.get() {
                return Poll::Ready(Ok(()));
            }
        }
        let end = this
            .end
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
        let mut bytes = [0; CHUNK];
        while end.as_mut().poll(context).is_pending() {
            let mut buffer = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(&mut this.stream).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                // The client is done, or gone.
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }
}
