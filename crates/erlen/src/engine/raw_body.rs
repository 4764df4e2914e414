//! The rest of a request whose head was read here: its body, and whether its peer is still there.
//!
//! One body is kept at a time, in one block, and no byte behind it is read.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::guest::Guest;
use super::http::Unread;

/// Bytes for which there is room when the body is read.
const ROOM: usize = 16 * 1024;

/// A connection on which a request has begun.
pub(super) struct Incoming<'a> {
    guest: &'a Guest,
    /// Bytes of the body that were not read yet.
    missing: Cell<usize>,
}

impl<'a> Incoming<'a> {
    /// A request whose body lacks so many bytes.
    pub(super) fn new(guest: &'a Guest, missing: usize) -> Self {
        Self { guest, missing: Cell::new(missing) }
    }

    /// Whether the whole body was read.
    pub(super) fn is_whole(&self) -> bool {
        self.missing.get() == 0
    }

    /// Waits for what is made of the request; `None` if the peer goes before that, and said nothing more before.
    pub(super) async fn unless_hung_up<T>(&self, mut answer: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        poll_fn(|cx| match answer.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if self.is_whole() && self.guest.has_hung_up(cx) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Appends what there is of the body, to its end and not beyond.
    fn poll_rest(&self, cx: &mut Context<'_>, body: &mut Vec<u8>) -> Poll<io::Result<()>> {
        loop {
            let missing = self.missing.get();
            if missing == 0 {
                return Poll::Ready(Ok(()));
            }
            let before = body.len();
            body.resize(before + missing.min(ROOM), 0);
            let read = self.guest.poll_read(cx, body.get_mut(before..).unwrap_or_default());
            body.truncate(before + if let Poll::Ready(Ok(read)) = read { read } else { 0 });
            match ready!(read)? {
                0 => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                read => self.missing.set(missing - read),
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

    /// All of it, once it has come.
    pub(super) async fn whole(&mut self) -> Result<Bytes, Unread> {
        match poll_fn(|cx| self.incoming.poll_rest(cx, &mut self.read)).await {
            Ok(()) => Ok(std::mem::take(&mut self.read).into()),
            Err(_) => Err(Unread::Broken),
        }
    }

    /// Whether all of it has come by now, whoever wanted it.
    pub(super) async fn is_here(&mut self) -> bool {
        poll_fn(|cx| Poll::Ready(matches!(self.incoming.poll_rest(cx, &mut self.read), Poll::Ready(Ok(())))))
            .await
    }
}
