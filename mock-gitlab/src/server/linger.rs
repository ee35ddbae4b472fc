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
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
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

/// Whether the newest request of a connection has bytes that nobody read.
#[derive(Clone, Debug, Default)]
pub(super) struct Unread(Arc<AtomicBool>);

impl Unread {
    /// The body of a request, watched. It fails with [`io::ErrorKind::TimedOut`] when nothing of it
    /// comes for `idle`.
    pub(super) fn watch(&self, body: Incoming, idle: Duration) -> Body {
        self.set(!body.is_end_stream());
        Body::new(Watched {
            body,
            unread: self.clone(),
            idle,
            patience: None,
        })
    }

    fn set(&self, unread: bool) {
        self.0.store(unread, Ordering::Relaxed);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

struct Watched {
    body: Incoming,
    unread: Unread,
    idle: Duration,
    /// Runs while the next part is waited for.
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
            let idle = self.idle;
            let patience = self
                .patience
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
            ready!(patience.as_mut().poll(context));
            return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut))));
        };
        self.patience = None;
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
            unread,
            end: None,
            reset,
            end_of_life,
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
