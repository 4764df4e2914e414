//! Socket.IO on a session: messages to packets, packets to the sockets that they are for.
//!
//! This is what the engine runs ([`Application`]). A client has one connection and a socket for each namespace
//! that it has joined.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use erlen_engineio::{CloseReason, Message};
use erlen_socketio::{DecodeError, Decoder, DecoderConfig, Packet, PacketData, SocketId};
use smallvec::SmallVec;

use crate::args::RawArgs;
use crate::dynamic::Parent;
use crate::engine::{Application, Client, Delivery, random};
use crate::error::Error;
use crate::handlers::HandlerSet;
use crate::inbox::Work;
use crate::namespace::{Namespace, Shared};
use crate::outgoing;
use crate::reason::DisconnectReason;
use crate::socket::Socket;

/// The Socket.IO server behind its engine.
pub struct SocketIo {
    pub(crate) shared: Arc<Shared>,
    decoder: DecoderConfig,
    namespaces: RwLock<HashMap<Box<str>, (Namespace, Origin)>>,
    parents: RwLock<Vec<Arc<Parent>>>,
    /// A runtime of the server's own, where it was built outside of one.
    runtime: Option<tokio::runtime::Runtime>,
}

impl Drop for SocketIo {
    /// The last handle may be that of a handler that runs in it, where nothing may wait for its end.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Whether a namespace was made by name or by a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Static,
    Child,
}

/// What is kept for each session.
#[derive(Default)]
pub struct Connection {
    inner: Mutex<Inner>,
    /// Whether `Inner` holds a deadline: spares the lock where there is none.
    has_deadline: AtomicBool,
    /// The log has told that it asks for namespaces that do not exist.
    told_unknown: AtomicBool,
    /// Sockets whose inbox is full.
    saturated: AtomicIsize,
}

#[derive(Default)]
struct Inner {
    decoder: Decoder,
    sockets: SmallVec<[Socket; 1]>,
    /// Until when a namespace has to be joined.
    join_by: Option<Instant>,
    /// What is left of the client's rate of events, if there is one.
    events: Option<Box<Bucket>>,
}

/// Tokens that refill with the time.
struct Bucket {
    tokens: f64,
    since: Instant,
}

impl Connection {
    pub(crate) fn sockets(&self) -> Vec<Socket> {
        self.lock().sockets.to_vec()
    }

    pub(crate) fn remove(&self, socket: &Socket) {
        self.lock().sockets.retain(|s| !s.same(socket));
    }

    /// A namespace was joined: the connection may stay.
    pub(crate) fn joined(&self) {
        let mut inner = self.lock();
        inner.join_by = None;
        self.note_deadline(&inner);
    }

    pub(crate) fn add_saturated(&self, change: isize) {
        self.saturated.fetch_add(change, Relaxed);
    }

    pub(crate) fn is_saturated(&self) -> bool {
        self.saturated.load(Relaxed) > 0
    }

    fn note_deadline(&self, inner: &Inner) {
        self.has_deadline.store(inner.join_by.is_some() || inner.decoder.deadline().is_some(), Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SocketIo {
    pub(crate) fn new(
        shared: Arc<Shared>,
        decoder: DecoderConfig,
        runtime: Option<tokio::runtime::Runtime>,
    ) -> Self {
        Self { shared, decoder, namespaces: RwLock::default(), parents: RwLock::default(), runtime }
    }

    /// An empty set of handlers, whose events are counted under that label.
    pub(crate) fn handler_set(&self, label: &str) -> HandlerSet {
        HandlerSet::new(label, Arc::clone(&self.shared.events))
    }

    /// The namespace of that name, made if it is not there.
    pub(crate) fn namespace(&self, name: &str) -> Namespace {
        let mut namespaces = self.namespaces.write().unwrap_or_else(PoisonError::into_inner);
        let made =
            || (Namespace::new(name, Arc::clone(&self.shared), self.handler_set(name)), Origin::Static);
        let (namespace, _) = namespaces.entry(name.into()).or_insert_with(made);
        namespace.clone()
    }

    /// The namespace of that name, if it is there.
    pub(crate) fn find(&self, name: &str) -> Option<Namespace> {
        let namespaces = self.namespaces.read().unwrap_or_else(PoisonError::into_inner);
        namespaces.get(name).map(|(namespace, _)| namespace.clone())
    }

    /// Every namespace, in the order of their names.
    pub(crate) fn namespaces(&self) -> Vec<Namespace> {
        let namespaces = self.namespaces.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = namespaces.values().map(|(namespace, _)| namespace.clone()).collect();
        all.sort_by(|a, b| a.name().cmp(b.name()));
        all
    }

    pub(crate) fn add_parent(&self, parent: Arc<Parent>) {
        self.parents.write().unwrap_or_else(PoisonError::into_inner).push(parent);
    }

    /// The namespaces that a pattern has made.
    pub(crate) fn children(&self, handlers: &HandlerSet) -> Vec<Namespace> {
        self.namespaces().into_iter().filter(|namespace| namespace.shares(handlers)).collect()
    }

    /// The namespace that a client asks for: one that is there, or one that a pattern allows. The client's socket counts
    /// as a member of it from here on.
    fn enter(&self, name: &str, auth: Option<&str>) -> Option<Namespace> {
        let namespaces = self.namespaces.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((namespace, _)) = namespaces.get(name) {
            namespace.enter();
            return Some(namespace.clone());
        }
        drop(namespaces);
        let parents = self.parents.read().unwrap_or_else(PoisonError::into_inner).clone();
        let parent = parents.into_iter().find(|parent| parent.allows(name, auth))?;
        let mut namespaces = self.namespaces.write().unwrap_or_else(PoisonError::into_inner);
        let made = || (Namespace::new(name, Arc::clone(&self.shared), parent.handlers()), Origin::Child);
        let (namespace, _) = namespaces.entry(name.into()).or_insert_with(made);
        namespace.enter();
        Some(namespace.clone())
    }

    /// Forgets a namespace that a pattern made, once its last socket has left.
    pub(crate) fn drop_empty_child(&self, namespace: &Namespace) {
        let mut namespaces = self.namespaces.write().unwrap_or_else(PoisonError::into_inner);
        let entry = namespaces.get(namespace.name());
        if entry.is_some_and(|(known, origin)| {
            *origin == Origin::Child && known.same(namespace) && known.is_unused()
        }) {
            namespaces.remove(namespace.name());
        }
    }

    fn handle_packet(
        &self,
        client: &Arc<Client<Self>>,
        now: Instant,
        packet: Packet<'_>,
        socket: Option<Socket>,
    ) {
        let namespace = &*packet.namespace;
        match (packet.data, socket) {
            (PacketData::Connect { auth }, None) => self.connect(client, namespace, auth.as_deref()),
            (PacketData::Event { id, .. }, Some(socket)) if !self.may_send_event(client, now) => {
                let error = Error::new("rate_limited", "too many events a second");
                if let Some(id) = id {
                    socket.send_ack(id, &error.to_ack());
                }
                tracing::debug!(target: "erlen", socket = %socket.id(), "event over the rate dropped");
            }
            (PacketData::Event { id, args }, Some(socket)) => {
                socket.deliver(Work::Event { args: RawArgs::event(args.into_owned()), id, arrived: now });
            }
            (PacketData::Ack { id, args }, Some(socket)) => {
                socket.handle_ack(id, RawArgs::ack(args.into_owned()));
            }
            (PacketData::Disconnect, Some(socket)) => socket.leave_namespace(DisconnectReason::CLIENT),
            (PacketData::Connect { .. } | PacketData::ConnectError { .. }, Some(_)) | (_, None)
                if self.shared.limits.ignore_stray_packets =>
            {
                client.shard().metrics.stray_packets.add(1);
            }
            (PacketData::Connect { .. }, Some(_)) => {
                client.close(CloseReason::ForcedServerClose, "a second CONNECT for a namespace");
            }
            (PacketData::ConnectError { .. }, _) => {
                client.close(CloseReason::ForcedServerClose, "a CONNECT_ERROR from a client");
            }
            (_, None) => {
                client.close(CloseReason::ForcedServerClose, "a packet for a namespace that was not joined")
            }
        }
    }

    /// Takes a token for an event, if events have a rate.
    fn may_send_event(&self, client: &Arc<Client<Self>>, now: Instant) -> bool {
        let Some(rate) = self.shared.limits.max_events_per_second else {
            return true;
        };
        let rate = f64::from(rate);
        let mut inner = client.state().lock();
        let bucket = inner.events.get_or_insert_with(|| Box::new(Bucket { tokens: rate, since: now }));
        let passed = now.saturating_duration_since(bucket.since).as_secs_f64();
        bucket.tokens = passed.mul_add(rate, bucket.tokens).min(rate);
        bucket.since = now;
        let allowed = bucket.tokens >= 1.0;
        if allowed {
            bucket.tokens -= 1.0;
        }
        allowed
    }

    fn connect(&self, client: &Arc<Client<Self>>, name: &str, auth: Option<&str>) {
        if client.state().lock().sockets.len() >= self.shared.limits.max_namespaces {
            send(client, outgoing::refused(name, r#"{"message":"Too many namespaces"}"#));
            return client.close(CloseReason::ForcedServerClose, "too many namespaces on one connection");
        }
        let Some(namespace) = self.enter(name, auth) else {
            self.log_unknown(client, name);
            return send(client, outgoing::refused(name, &self.shared.limits.unknown_namespace));
        };
        let id = SocketId::from_random(random());
        let socket = Socket::new(id, namespace, Arc::clone(client), auth.map(Into::into));
        client.state().lock().sockets.push(socket.clone());
        if client.is_closed() {
            // Its end may have gone by before the socket was in the list.
            return socket.leave_namespace(DisconnectReason::session(
                CloseReason::TransportClose,
                "closed while connecting",
            ));
        }
        socket.deliver(Work::Connect);
    }

    /// One line a connection, however often it asks.
    fn log_unknown(&self, client: &Client<Self>, name: &str) {
        if client.state().told_unknown.swap(true, Relaxed) {
            return;
        }
        let known: Vec<_> = self.namespaces().iter().take(8).map(|n| n.name().to_owned()).collect();
        let asked: Cow<'_, str> =
            name.chars().take(64).flat_map(char::escape_default).collect::<String>().into();
        tracing::info!(target: "erlen", namespace = %asked, existing = ?known,
            "a client asks for a namespace that does not exist; if it was meant as a path, set the client's `path`");
    }
}

fn send(client: &Arc<Client<SocketIo>>, packets: outgoing::Packets) {
    // A client that is gone needs no answer.
    let _ = client.send(packets, Delivery::Queued);
}

impl Application for SocketIo {
    type State = Connection;

    fn open_state(&self) -> Connection {
        Connection::default()
    }

    fn on_open(&self, client: &Arc<Client<Self>>) {
        let connection = client.state();
        let mut inner = connection.lock();
        inner.join_by = Some(Instant::now() + self.shared.limits.connect_timeout);
        connection.note_deadline(&inner);
    }

    fn on_message(&self, client: &Arc<Client<Self>>, now: Instant, message: Message<'_>) {
        let connection = client.state();
        let mut inner = connection.lock();
        let had_deadline = inner.decoder.deadline().is_some();
        let decoded = match message {
            Message::Text(text) => inner.decoder.decode_text(&self.decoder, now, text),
            Message::Binary(data) => inner.decoder.decode_binary(&self.decoder, data),
        };
        let has_deadline = inner.decoder.deadline().is_some();
        if had_deadline != has_deadline {
            connection.note_deadline(&inner);
        }
        let socket = match &decoded {
            Ok(Some(packet)) => inner.sockets.iter().find(|s| s.namespace().name() == packet.namespace),
            _ => None,
        };
        let socket = socket.cloned();
        drop(inner);
        match decoded {
            Ok(Some(packet)) => self.handle_packet(client, now, packet, socket),
            Ok(None) if has_deadline && !had_deadline => client.touch(),
            Ok(None) => {}
            Err(error) => {
                tracing::info!(target: "erlen", sid = ?client.sid(), %error, "a packet that cannot be taken");
                let (reason, detail) = match error {
                    DecodeError::AttachmentsTooLarge => {
                        (CloseReason::PayloadTooLarge, "attachments over the limit")
                    }
                    _ => (CloseReason::ParseError, "a packet that cannot be parsed"),
                };
                client.close(reason, detail);
            }
        }
    }

    fn on_close(&self, client: &Arc<Client<Self>>, reason: CloseReason, detail: &'static str) {
        for socket in client.state().sockets() {
            socket.leave_namespace(DisconnectReason::session(reason, detail));
        }
    }

    /// While acks are awaited reading goes on: a handler may wait for one of them.
    fn is_saturated(&self, client: &Arc<Client<Self>>) -> bool {
        client.state().saturated.load(Relaxed) > 0
            && !client.state().lock().sockets.iter().any(Socket::awaits_acks)
    }

    fn deadline(&self, client: &Arc<Client<Self>>) -> Option<Instant> {
        if !client.state().has_deadline.load(Relaxed) {
            return None;
        }
        let inner = client.state().lock();
        match (inner.join_by, inner.decoder.deadline()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    fn handle_timeout(&self, client: &Arc<Client<Self>>, now: Instant) {
        let mut inner = client.state().lock();
        let overdue = inner.decoder.deadline().is_some_and(|deadline| deadline <= now);
        let idle = inner.join_by.is_some_and(|deadline| deadline <= now);
        if idle {
            inner.join_by = None;
            client.state().note_deadline(&inner);
        }
        let nowhere = idle && inner.sockets.is_empty();
        drop(inner);
        if overdue {
            client.close(CloseReason::ParseError, "attachments did not come in time");
        }
        if nowhere {
            client.close(CloseReason::ForcedClose, "no namespace joined in time");
        }
    }
}
