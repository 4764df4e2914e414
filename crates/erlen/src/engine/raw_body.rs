//! The rest of a request whose head was read here: its body, and whether its peer is still there.
//!
//! One body is kept at a time, in one block, and no byte behind it is read.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use bytes::{BufMut as _, Bytes};
use http_body::{Body, Frame, SizeHint};
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

/// Bytes for which there is room when the body is read.
const ROOM: usize = 16 * 1024;

/// A connection on which a request has begun.
pub(super) struct Incoming<'a> {
    tcp: &'a TcpStream,
    /// Bytes of the body that were not read yet.
    missing: AtomicUsize,
}

impl<'a> Incoming<'a> {
    /// A request whose body lacks so many bytes.
    pub(super) fn new(tcp: &'a TcpStream, missing: usize) -> Self {
        Self { tcp, missing: AtomicUsize::new(missing) }
    }

    /// Whether the whole body was read.
    pub(super) fn is_whole(&self) -> bool {
        self.missing.load(Relaxed) == 0
    }

    /// Waits for what is made of the request; `None` if the peer goes before that, and said nothing more before.
    pub(super) async fn unless_hung_up<T>(&self, answer: impl Future<Output = T>) -> Option<T> {
        let mut answer = pin!(answer);
        poll_fn(|cx| match answer.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if self.is_whole() && self.has_hung_up(cx) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    fn has_hung_up(&self, cx: &mut Context<'_>) -> bool {
        let peeked = self.tcp.poll_peek(cx, &mut ReadBuf::new(&mut [0]));
        matches!(peeked, Poll::Ready(Ok(0) | Err(_)))
    }

    /// Appends what there is of the body, to its end and not beyond.
    fn poll_rest(&self, cx: &mut Context<'_>, body: &mut Vec<u8>) -> Poll<io::Result<()>> {
        loop {
            let missing = self.missing.load(Relaxed);
            if missing == 0 {
                return Poll::Ready(Ok(()));
            }
            ready!(self.tcp.poll_read_ready(cx))?;
            body.reserve(missing.min(ROOM));
            match self.tcp.try_read_buf(&mut (&mut *body).limit(missing)) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Ok(read) => self.missing.store(missing - read, Relaxed),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// A body that comes whole or not at all.
pub(super) struct RawBody<'a> {
    incoming: &'a Incoming<'a>,
    read: Vec<u8>,
}

impl<'a> RawBody<'a> {
    /// The body of a request that begins so.
    pub(super) fn new(incoming: &'a Incoming<'a>, start: Vec<u8>) -> Self {
        Self { incoming, read: start }
    }

    /// Whether all of it has come by now, whoever wanted it.
    pub(super) async fn is_here(&mut self) -> bool {
        poll_fn(|cx| Poll::Ready(matches!(self.incoming.poll_rest(cx, &mut self.read), Poll::Ready(Ok(())))))
            .await
    }
}

impl Body for RawBody<'_> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        ready!(this.incoming.poll_rest(cx, &mut this.read))?;
        let body = std::mem::take(&mut this.read);
        Poll::Ready((!body.is_empty()).then(|| Ok(Frame::data(body.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_whole() && self.read.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact((self.read.len() + self.incoming.missing.load(Relaxed)) as u64)
    }
}
