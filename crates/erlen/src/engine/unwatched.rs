//! The TCP sockets of a shard where it has no event queue of its own (`watched.rs`): each is in the runtime's, and is read
//! by a task.

use std::io;
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::ReadBuf;
use tokio::net::{TcpListener, TcpStream};

use super::tenants::Slot;

/// No event queue.
pub(super) struct Sockets;

/// Nothing is told of any socket.
#[derive(Clone, Copy)]
pub(super) enum Readiness {}

impl Sockets {
    #[expect(clippy::unnecessary_wraps, reason = "as where there is a queue")]
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Puts the socket into the queue of the caller's runtime.
    ///
    /// # Errors
    /// When the system's limit of watches is reached.
    #[expect(clippy::unused_self, reason = "as where there is a queue")]
    pub(super) fn watch(&self, socket: &mut Socket, _: Slot) -> io::Result<()> {
        if let Some(tcp) = socket.new.take() {
            socket.tcp = Some(TcpStream::from_std(tcp)?);
        }
        Ok(())
    }

    /// It leaves the queue when it is closed.
    #[expect(clippy::unused_self, reason = "as where there is a queue")]
    pub(super) fn unwatch(&self, _: &Socket) {}

    #[expect(clippy::unused_self, reason = "as where there is a queue")]
    pub(super) fn poll(&self, _: &mut Context<'_>, _: impl FnMut(Slot, Readiness)) {}
}

/// A listener in the runtime's queue.
pub(crate) struct Listener(TcpListener);

impl Listener {
    /// A listener that does not block, within the runtime of the caller.
    ///
    /// # Errors
    /// When the system's limit of watches is reached.
    pub(crate) fn new(listener: std::net::TcpListener) -> io::Result<Self> {
        Ok(Self(TcpListener::from_std(listener)?))
    }

    /// Its options, which on Linux what is accepted inherits.
    pub(crate) fn options(&self) -> SockRef<'_> {
        SockRef::from(&self.0)
    }

    /// The next connection, and its peer's address.
    ///
    /// # Errors
    /// As accept(2).
    pub(crate) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Socket, SocketAddr)>> {
        let (tcp, peer) = ready!(self.0.poll_accept(cx))?;
        // Not every system has it inherited; a connection whose socket takes no option is gone already.
        let _ = SockRef::from(&tcp).set_tcp_nodelay(true);
        Poll::Ready(Ok((Socket::new(tcp.into_std()?), peer)))
    }
}

/// A TCP socket, before it is in a queue and then.
pub(crate) struct Socket {
    new: Option<StdTcpStream>,
    tcp: Option<TcpStream>,
}

impl Socket {
    /// A socket that does not block.
    pub(super) fn new(tcp: StdTcpStream) -> Self {
        Self { new: Some(tcp), tcp: None }
    }

    /// The socket for somebody else's queue.
    ///
    /// # Errors
    /// When the system does not let it out of this one.
    pub(crate) fn into_std(self) -> io::Result<StdTcpStream> {
        match (self.new, self.tcp) {
            (Some(tcp), _) => Ok(tcp),
            (None, Some(tcp)) => tcp.into_std(),
            (None, None) => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn tcp(&self) -> io::Result<&TcpStream> {
        self.tcp.as_ref().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Whether the driver is told of what it brings; else the task that polls it is.
    #[expect(clippy::unused_self, reason = "as where there is a queue")]
    pub(super) fn is_watched(&self) -> bool {
        false
    }

    #[expect(clippy::unused_self, reason = "as where there is a queue")]
    pub(super) fn has_become(&self, readiness: Readiness) {
        match readiness {}
    }

    /// There may be bytes that no event will tell of.
    #[expect(clippy::unused_self, reason = "as where there is a queue")]
    pub(super) fn is_readable(&self) -> bool {
        false
    }

    /// Reads once; the task of `cx` is woken when there is more.
    pub(super) fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let tcp = self.tcp()?;
        loop {
            ready!(tcp.poll_read_ready(cx))?;
            match tcp.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read),
            }
        }
    }

    /// Whether the peer has ended its part, and there is nothing before the end.
    pub(super) fn poll_peek(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.tcp()?.poll_peek(cx, &mut ReadBuf::new(&mut [0]))
    }

    /// Writes once; the task of `cx` is woken when there is room.
    pub(super) fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let tcp = self.tcp()?;
        loop {
            match tcp.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(tcp.poll_write_ready(cx))?;
                }
                written => return Poll::Ready(written),
            }
        }
    }

    /// Ends the writing half.
    pub(super) fn shutdown(&self) -> io::Result<()> {
        match SockRef::from(self.tcp()?).shutdown(std::net::Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }
}
