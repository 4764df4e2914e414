//! The byte stream below a WebSocket: a TCP socket that the shard reads itself, or anything else, boxed.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::tenants::Slot;
use super::watched::{Socket, Sockets};

/// What a TLS session, a Unix socket or a pipe in memory has to be to carry a WebSocket.
pub trait AnyStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> AnyStream for T {}

/// A stream that a shard reads and writes.
pub(crate) enum Stream {
    Tcp(Socket),
    Boxed(Box<dyn AnyStream>),
}

impl Stream {
    /// Whether the shard's event queue tells what it has; else a task waits for it.
    pub(super) fn is_watched(&self) -> bool {
        match self {
            Self::Tcp(socket) => socket.is_watched(),
            Self::Boxed(_) => false,
        }
    }

    /// Has a TCP socket watched.
    ///
    /// # Errors
    /// When the system's limit of watches is reached.
    pub(super) fn watch(&mut self, sockets: &Sockets, slot: Slot) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => sockets.watch(socket, slot),
            Self::Boxed(_) => Ok(()),
        }
    }

    /// Ends that.
    pub(super) fn unwatch(&self, sockets: &Sockets) {
        if let Self::Tcp(socket) = self {
            sockets.unwatch(socket);
        }
    }

    /// There may be bytes that no event will tell of.
    pub(super) fn is_readable(&self) -> bool {
        matches!(self, Self::Tcp(socket) if socket.is_readable())
    }

    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(socket) => socket.poll_read(cx, buf),
            Self::Boxed(stream) => {
                let mut buf = ReadBuf::new(buf);
                Pin::new(stream).poll_read(cx, &mut buf).map_ok(|()| buf.filled().len())
            }
        }
    }

    /// Writes at once; when the stream is full, the task of `cx` is woken once it takes bytes again.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(socket) => socket.poll_write(cx, bytes),
            Self::Boxed(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    /// Pushes out what a layer below has buffered (TLS). A TCP socket has nothing of the kind.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(_) => Poll::Ready(Ok(())),
            Self::Boxed(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    /// Ends the writing half.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(socket) => Poll::Ready(socket.shutdown()),
            Self::Boxed(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
