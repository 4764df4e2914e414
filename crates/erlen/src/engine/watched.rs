//! The TCP sockets of a shard, in an event queue of the shard's own: its driver asks what they have brought, and reads
//! WebSockets in turn. So an open WebSocket needs no task, and its bytes no way through a scheduler.
//!
//! The queue is one descriptor in the runtime's queue, which wakes the driver. `unwatched.rs` has the same face, and a task
//! a socket, for systems without such queues.
//!
//! Source: epoll(7), "edge-triggered".

use std::cell::Cell;
use std::io::{self, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, ready};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::SocketFlags;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::tenants::Slot;

/// Sockets that are read before what they caused is written.
const BATCH: usize = 64;

/// What lies behind the bytes, so that a read that could have taken more is not the last.
const BEYOND_A_SHORT_READ: EventFlags =
    EventFlags::RDHUP.union(EventFlags::HUP).union(EventFlags::ERR).union(EventFlags::PRI);

/// A shard's event queue.
pub(super) struct Sockets {
    queue: AsyncFd<OwnedFd>,
}

/// What a socket has become since it was last asked.
#[derive(Clone, Copy, Default)]
pub(super) struct Readiness {
    readable: bool,
    /// A short read need not be the last: behind it is the end, or urgent data, which no read goes across.
    to_the_end: bool,
}

impl Sockets {
    /// A queue of no sockets, within the runtime of the caller.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { queue: readable(epoll::create(CreateFlags::CLOEXEC)?)? })
    }

    /// Watches a socket. What it has brought by now is told, too.
    ///
    /// # Errors
    /// When the system's limit of watches is reached.
    pub(super) fn watch(&self, socket: &mut Socket, slot: Slot) -> io::Result<()> {
        let reading = EventFlags::IN | EventFlags::PRI | EventFlags::RDHUP;
        let flags = reading | EventFlags::OUT | EventFlags::ET;
        let slot = EventData::new_u64(slot.index() as u64);
        epoll::add(self.queue.get_ref(), &socket.tcp, slot, flags).inspect_err(|error| {
            tracing::error!(target: "erlen", %error,
                "a connection cannot be watched; raise fs.epoll.max_user_watches (sysctl)");
        })?;
        Ok(())
    }

    /// Watches it no longer. To close it would do, were it not for children of the process, which may hold it too.
    pub(super) fn unwatch(&self, socket: &Socket) {
        // It is closed next, or watched by somebody else, who would be told of a failure.
        let _ = epoll::delete(self.queue.get_ref(), &socket.tcp);
    }

    /// Tells who has something to read or room to write, a batch at most, and has the task of `cx` polled again when
    /// there is more.
    pub(super) fn poll(&self, cx: &mut Context<'_>, mut tell: impl FnMut(Slot, Readiness)) {
        let Poll::Ready(Ok(mut queue)) = self.queue.poll_read_ready(cx) else {
            return;
        };
        let mut events = [const { MaybeUninit::<Event>::uninit() }; BATCH];
        let Ok((events, _)) = epoll::wait(self.queue.get_ref(), &mut events, Some(&Timespec::default()))
        else {
            // A signal came between.
            return cx.waker().wake_by_ref();
        };
        let is_all = events.len() < BATCH;
        if is_all {
            queue.clear_ready();
        }
        for event in events {
            let (flags, index) = (event.flags, event.data.u64());
            let to_the_end = flags.intersects(BEYOND_A_SHORT_READ);
            let readable = to_the_end || flags.contains(EventFlags::IN);
            let readiness = Readiness { readable, to_the_end };
            tell(Slot::new(usize::try_from(index).unwrap_or(usize::MAX)), readiness);
        }
        if !is_all || self.queue.poll_read_ready(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }
}

/// A listener in the runtime's queue. What it accepts is in none yet.
pub(crate) struct Listener(AsyncFd<OwnedFd>);

impl Listener {
    /// A listener that does not block, within the runtime of the caller.
    ///
    /// # Errors
    /// When the system's limit of watches is reached.
    pub(crate) fn new(listener: TcpListener) -> io::Result<Self> {
        Ok(Self(readable(listener.into())?))
    }

    /// Its options, which on Linux what is accepted inherits.
    pub(crate) fn options(&self) -> SockRef<'_> {
        SockRef::from(self.0.get_ref())
    }

    /// The next connection, and its peer's address.
    ///
    /// # Errors
    /// As accept(2).
    pub(crate) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Socket, SocketAddr)>> {
        loop {
            let mut ready = ready!(self.0.poll_read_ready(cx))?;
            match rustix::net::acceptfrom_with(self.0.get_ref(), SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)
            {
                Ok((tcp, peer)) => {
                    let peer =
                        peer.and_then(|peer| peer.try_into().ok()).ok_or(io::ErrorKind::ConnectionAborted)?;
                    return Poll::Ready(Ok((Socket::new(tcp.into()), peer)));
                }
                Err(Errno::AGAIN) => ready.clear_ready(),
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }
}

/// A descriptor in the runtime's queue, for when it has something.
fn readable(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    #[expect(
        unsafe_code,
        reason = "the runtime offers no other way to wait for a descriptor that it did not open"
    )]
    // SAFETY: an `OwnedFd` is open as long as it lives, and always says the same descriptor; nothing in this file takes it
    // out of the `AsyncFd`, which gives it away by shared reference alone.
    let descriptor = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE)? };
    Ok(descriptor)
}

/// A TCP socket that is to be watched, or is.
pub(crate) struct Socket {
    tcp: TcpStream,
    /// There may be bytes.
    readable: Cell<bool>,
    /// It is read until nothing is left, since no event will tell again of what is behind a short read.
    to_the_end: Cell<bool>,
}

impl Socket {
    /// A socket that does not block.
    pub(super) fn new(tcp: TcpStream) -> Self {
        Self { tcp, readable: Cell::new(false), to_the_end: Cell::new(false) }
    }

    /// The socket for somebody else's queue. It must not be in one here.
    ///
    /// # Errors
    /// None on this system.
    #[expect(clippy::unnecessary_wraps, reason = "as where a socket may not come out of a queue")]
    pub(crate) fn into_std(self) -> io::Result<TcpStream> {
        Ok(self.tcp)
    }

    /// Whether the driver is told of what it brings; else the task that polls it is.
    pub(super) fn is_watched(&self) -> bool {
        true
    }

    pub(super) fn has_become(&self, readiness: Readiness) {
        self.readable.set(self.readable.get() || readiness.readable);
        self.to_the_end.set(self.to_the_end.get() || readiness.to_the_end);
    }

    /// There may be bytes that no event will tell of.
    pub(super) fn is_readable(&self) -> bool {
        self.readable.get()
    }

    /// Reads once; pending where an event will tell that there is more.
    pub(super) fn poll_read(&self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.while_readable(|tcp| {
            let n = (&mut &*tcp).read(buffer)?;
            // A read that could have taken more has emptied the socket.
            Ok((n, n < buffer.len()))
        })
    }

    /// Whether the peer has ended its part, and there is nothing before the end.
    pub(super) fn poll_peek(&self, _: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.while_readable(|tcp| Ok((tcp.peek(&mut [0])?, false)))
    }

    /// Calls `read` until it says how much it has read, and whether that was all.
    fn while_readable(
        &self,
        mut read: impl FnMut(&TcpStream) -> io::Result<(usize, bool)>,
    ) -> Poll<io::Result<usize>> {
        while self.readable.get() {
            match read(&self.tcp) {
                Ok((n, was_all)) => {
                    self.readable.set(self.to_the_end.get() || !was_all);
                    return Poll::Ready(Ok(n));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.readable.set(false);
                    self.to_the_end.set(false);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
        Poll::Pending
    }

    /// Writes once; pending where an event will tell that there is room.
    pub(super) fn poll_write(&self, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            match (&self.tcp).write(bytes) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                written => return Poll::Ready(written),
            }
        }
    }

    /// Ends the writing half.
    pub(super) fn shutdown(&self) -> io::Result<()> {
        match self.tcp.shutdown(Shutdown::Write) {
            Err(e) if e.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }
}
