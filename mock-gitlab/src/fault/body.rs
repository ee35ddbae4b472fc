//! Answers that are cut or slow.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Sleep;

use super::rule::SlowBody;

type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The body of no answer.
pub(super) struct Broken;

impl HttpBody for Broken {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(Some(Err(
            io::Error::from(io::ErrorKind::ConnectionReset).into()
        )))
    }
}

/// A body that ends too early, or comes slowly. It promises its whole length.
pub(super) struct Shaped {
    body: Body,
    /// Bytes that were read from `body` but not given yet.
    ready: Bytes,
    /// Bytes before the body breaks off.
    left: Option<u64>,
    pace: Option<(usize, Duration)>,
    pause: Option<Pin<Box<Sleep>>>,
    /// The writer was given the chance to send what it has before the body breaks off.
    flushed: bool,
}

impl Shaped {
    pub(super) fn new(body: Body, truncate: Option<u64>, slow: Option<SlowBody>) -> Shaped {
        Shaped {
            body,
            ready: Bytes::new(),
            left: truncate,
            pace: slow.map(|slow| {
                let every = Duration::from_millis(slow.every_ms);
                (usize::try_from(slow.bytes).unwrap_or(usize::MAX), every)
            }),
            pause: None,
            flushed: false,
        }
    }
}

impl HttpBody for Shaped {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        while this.ready.is_empty() {
            if this.left == Some(0) {
                if !this.flushed {
                    this.flushed = true;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                return Poll::Ready(Some(Err(
                    io::Error::from(io::ErrorKind::UnexpectedEof).into()
                )));
            }
            match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.ready = data,
                    // Trailers go through as they are.
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => return Poll::Ready(None),
            }
        }
        let mut size = this.ready.len();
        if let Some((bytes, every)) = this.pace {
            let pause = this
                .pause
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(every)));
            ready!(pause.as_mut().poll(context));
            this.pause = None;
            size = size.min(bytes);
        }
        if let Some(left) = &mut this.left {
            size = size.min(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= size as u64;
            if *left == 0 {
                let data = this.ready.split_to(size);
                this.ready = Bytes::new();
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
        Poll::Ready(Some(Ok(Frame::data(this.ready.split_to(size)))))
    }

    fn size_hint(&self) -> SizeHint {
        // Bytes of `ready` are asked for only once the head was sent.
        self.body.size_hint()
    }
}
