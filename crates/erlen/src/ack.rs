//! Acknowledgements that are awaited: from one client, and from all that a broadcast reached.
//!
//! Ids are counted per namespace, so the packets of a broadcast with acks are the same for every recipient; those of a
//! single socket by that socket where the builder says so.
//! Each socket keeps the slots that it has to answer; a slot that nobody awaits any longer is taken out again.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use erlen_socketio::SocketId;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::adapter::Broadcast;
use crate::args::RawArgs;
use crate::error::AckError;
use crate::namespace::Namespace;
use crate::socket::Socket;

/// Where the answer of one socket to one id goes.
pub(crate) enum Slot {
    One(oneshot::Sender<RawArgs>),
    Many(Arc<dyn AckSink>),
}

/// Where the answers to a broadcast go: the collector on this node, or the node that asked.
pub trait AckSink: Send + Sync {
    /// A socket has answered.
    fn answer(&self, from: SocketId, args: RawArgs);

    /// A socket has gone without an answer.
    fn lose(&self, from: SocketId);
}

impl Slot {
    pub(crate) fn answer(self, from: SocketId, args: RawArgs) {
        match self {
            // Nobody awaits it any longer: the answer is late.
            Self::One(sender) => drop(sender.send(args)),
            Self::Many(sink) => sink.answer(from, args),
        }
    }

    /// The socket has gone without an answer.
    pub(crate) fn lose(self, from: SocketId) {
        if let Self::Many(sink) = self {
            sink.lose(from);
        }
    }
}

macro_rules! named_future {
    ($(#[$doc:meta])* $name:ident, $output:ty) => {
        $(#[$doc])*
        #[must_use = "the event was sent; the answer is dropped unless it is awaited"]
        pub struct $name<T>(Pin<Box<dyn Future<Output = $output> + Send>>);

        impl<T> $name<T> {
            pub(crate) fn new(future: impl Future<Output = $output> + Send + 'static) -> Self {
                Self(Box::pin(future))
            }
        }

        impl<T> Future for $name<T> {
            type Output = $output;

            fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<$output> {
                self.0.as_mut().poll(cx)
            }
        }

        impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    };
}

named_future!(
    /// The ack of one client, to be awaited.
    AckFuture,
    Result<T, AckError>
);
named_future!(
    /// The acks of a broadcast, to be awaited.
    AnswersFuture,
    Answers<T>
);

/// Awaits the answer of one socket.
pub(crate) async fn one<T: DeserializeOwned>(
    pending: Pending,
    receiver: oneshot::Receiver<RawArgs>,
    timeout: Duration,
) -> Result<T, AckError> {
    let timed = within(pending.socket.runtime(), timeout, receiver);
    let args = timed.await.map_err(|_| AckError::Timeout)?.map_err(|_| AckError::Disconnected)?;
    read(&args)
}

/// The future with a deadline, on the runtime's clock whatever thread polls it.
fn within<F: Future>(runtime: &Handle, timeout: Duration, future: F) -> tokio::time::Timeout<F> {
    let _entered = runtime.enter();
    tokio::time::timeout(timeout, future)
}

/// An answer as a value: its first argument, or all of them where a tuple is asked for.
fn read<T: DeserializeOwned>(args: &RawArgs) -> Result<T, AckError> {
    let first = args.get(0);
    match first {
        Ok(value) => Ok(value),
        Err(error) => args.all().map_err(|_| AckError::Decode(error)),
    }
}

/// An answer that is awaited. Dropped, its slot is taken out: nobody awaits it any longer.
pub(crate) struct Pending {
    socket: Socket,
    id: u64,
}

impl Pending {
    pub(crate) fn new(socket: Socket, id: u64) -> Self {
        Self { socket, id }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.socket.forget_ack(self.id);
    }
}

/// Collects the answers to one broadcast, from this node's sockets and from those of others.
#[derive(Debug, Default)]
pub struct Collector(Mutex<Collected>);

#[derive(Debug, Default)]
struct Collected {
    answers: Vec<(SocketId, RawArgs)>,
    lost: usize,
    expected: usize,
    /// Nodes that have not said yet how many sockets they reached.
    nodes: usize,
    waker: Option<Waker>,
}

impl Collector {
    /// A collector that waits for `nodes` nodes to say how many sockets they reached.
    pub(crate) fn new(nodes: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Collected { nodes, ..Collected::default() })))
    }

    /// A node has reached so many sockets.
    pub fn expect(&self, sockets: usize) {
        self.change(|c| {
            c.expected += sockets;
            c.nodes = c.nodes.saturating_sub(1);
        });
    }

    fn change(&self, change: impl FnOnce(&mut Collected)) {
        let mut collected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut collected);
        let waker = if collected.is_complete() { collected.waker.take() } else { None };
        drop(collected);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn take(&self) -> Collected {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl AckSink for Collector {
    fn answer(&self, from: SocketId, args: RawArgs) {
        self.change(|c| c.answers.push((from, args)));
    }

    fn lose(&self, _: SocketId) {
        self.change(|c| c.lost += 1);
    }
}

impl Collected {
    fn is_complete(&self) -> bool {
        self.nodes == 0 && self.answers.len() + self.lost >= self.expected
    }
}

/// Resolves when every node and every socket has answered or gone.
struct Complete<'a>(&'a Collector);

impl Future for Complete<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut collected = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if collected.is_complete() {
            return Poll::Ready(());
        }
        collected.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// The answers to a broadcast: all of them, or those that came in time.
#[derive(Debug)]
#[non_exhaustive]
pub struct Answers<T> {
    /// Each answer and the socket that it came from, in the order of their arrival.
    pub answers: Vec<(SocketId, Result<T, AckError>)>,
    /// How many sockets the broadcast reached.
    pub expected: usize,
}

impl<T> Answers<T> {
    /// Whether every socket that was reached has answered.
    pub fn is_complete(&self) -> bool {
        self.answers.len() == self.expected
    }

    /// The answers that could be read.
    pub fn values(self) -> impl Iterator<Item = T> {
        self.answers.into_iter().filter_map(|(_, answer)| answer.ok())
    }
}

/// Answers to a broadcast that are awaited. Dropped, the adapter forgets their slots.
pub(crate) struct PendingMany {
    namespace: Namespace,
    broadcast: Broadcast,
    id: u64,
}

impl PendingMany {
    pub(crate) fn new(namespace: Namespace, broadcast: Broadcast, id: u64) -> Self {
        Self { namespace, broadcast, id }
    }
}

impl Drop for PendingMany {
    fn drop(&mut self) {
        self.namespace.forget_acks(&self.broadcast, self.id);
    }
}

/// Awaits the answers to a broadcast; after the timeout, those that came.
pub(crate) async fn many<T: DeserializeOwned>(
    pending: PendingMany,
    collector: Arc<Collector>,
    timeout: Duration,
) -> Answers<T> {
    // Late or not: what came counts.
    let _ = within(pending.namespace.runtime(), timeout, Complete(&collector)).await;
    drop(pending);
    let collected = collector.take();
    let answers = collected.answers.into_iter().map(|(from, args)| (from, read(&args))).collect();
    Answers { answers, expected: collected.expected }
}
