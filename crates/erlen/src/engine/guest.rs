//! A TCP connection that has not become a WebSocket: a task of its shard reads and writes it (`arrival.rs`).

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::TcpStream;
use std::ops::Deref;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use super::Application;
use super::shard::Local;
use super::tenants::{Slot, Tenant};
use super::watched::{Readiness, Socket};

/// The socket, and who waits for it.
pub(super) struct Guest {
    socket: Socket,
    waker: RefCell<Option<Waker>>,
}

impl Guest {
    pub(super) fn has_become(&self, readiness: Readiness) {
        self.socket.has_become(readiness);
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    pub(super) fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = self.socket.poll_read(cx, buffer);
        self.wait_if_pending(cx, read)
    }

    /// Whether the peer has hung up, and said nothing more before.
    pub(super) fn has_hung_up(&self, cx: &mut Context<'_>) -> bool {
        let peeked = self.socket.poll_peek(cx);
        matches!(self.wait_if_pending(cx, peeked), Poll::Ready(Ok(0) | Err(_)))
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// Those of the socket.
    pub(super) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        poll_fn(|cx| {
            while !bytes.is_empty() {
                let written = self.socket.poll_write(cx, bytes);
                match ready!(self.wait_if_pending(cx, written))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    written => bytes = bytes.get(written..).unwrap_or_default(),
                }
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    fn wait_if_pending<T>(&self, cx: &Context<'_>, polled: Poll<T>) -> Poll<T> {
        let mut waker = self.waker.borrow_mut();
        if polled.is_pending() && !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        polled
    }
}

/// A guest's seat in the table of its shard, for as long as its task holds it.
pub(super) struct Seat<A: Application> {
    local: Rc<Local<A>>,
    slot: Slot,
    guest: Rc<Guest>,
}

impl<A: Application> Seat<A> {
    /// Takes a socket in.
    ///
    /// # Errors
    /// When the system's limit of watches is reached.
    pub(super) fn take(local: &Rc<Local<A>>, mut socket: Socket) -> io::Result<Self> {
        let slot = local.tenants.vacant();
        local.sockets.watch(&mut socket, slot)?;
        let guest = Rc::new(Guest { socket, waker: RefCell::default() });
        local.tenants.seat(None, Tenant::Guest(Rc::clone(&guest)));
        Ok(Self { local: Rc::clone(local), slot, guest })
    }

    /// The socket for a WebSocket, which takes its place.
    ///
    /// # Errors
    /// When somebody else holds the guest, which nobody does.
    pub(super) fn into_socket(self) -> io::Result<(Socket, Slot)> {
        let (slot, guest) = (self.slot, Rc::clone(&self.guest));
        self.local.tenants.seat(Some(slot), Tenant::Expected);
        drop(self);
        Ok((Self::only(guest)?, slot))
    }

    /// The socket for somebody else's queue.
    ///
    /// # Errors
    /// As [`into_socket`](Self::into_socket), and when the system does not let it out.
    pub(super) fn release(self) -> io::Result<TcpStream> {
        let guest = Rc::clone(&self.guest);
        drop(self);
        Self::only(guest)?.into_std()
    }

    fn only(guest: Rc<Guest>) -> io::Result<Socket> {
        let guest = Rc::try_unwrap(guest).map_err(|_| io::ErrorKind::ResourceBusy)?;
        Ok(guest.socket)
    }
}

impl<A: Application> Deref for Seat<A> {
    type Target = Guest;

    fn deref(&self) -> &Guest {
        &self.guest
    }
}

impl<A: Application> Drop for Seat<A> {
    fn drop(&mut self) {
        // It may have become a WebSocket.
        if let Some(Tenant::Guest(_)) = self.local.tenants.get(self.slot) {
            self.local.tenants.leave(self.slot);
            self.local.sockets.unwatch(&self.guest.socket);
        }
    }
}
