//! The state machine of one session: heartbeat, upgrade, queue, close.
//!
//! ```text
//!  open(polling) ──▶ Polling ◀──────────────┐ probe lost, or its deadline
//!                      │ begin_probe        │
//!                      ▼                    │
//!                   Probing ────────────────┘
//!                      │ 2probe, then 5
//!                      ▼
//!  open(websocket) ▶ WebSocket            any state ──close, once──▶ Closed
//! ```
//!
//! Input comes by `handle_*` and `begin_*`, output by `take_*` and `poll_*`, the time as an argument.
//! The caller owns the connections: it must look at [`Session::close_reason`] after any input, and
//! transmit when [`Session::has_output`] says so. No I/O, no clock, no callbacks.
//!
//! Spec: Engine.IO protocol, "Transports", "Upgrade", "Heartbeat".

use std::sync::Arc;
use std::time::Instant;

use crate::handshake::{self, HandshakeError};
use crate::heartbeat::{Beat, Heartbeat};
use crate::queue::Queue;
use crate::{Budget, CloseReason, Config, EncodedPacket, Message, Packet, Sid, Transport, payload};

/// The part of the byte bound up to which a queue counts as empty: 256 bytes of 1 MiB.
const NEARLY_EMPTY: usize = 4096;

/// One session of Engine.IO.
#[derive(Debug)]
pub struct Session {
    config: Arc<Config>,
    state: State,
    heartbeat: Heartbeat,
    queue: Queue,
    parked_get: bool,
    running_post: bool,
    stalled_until: Option<Instant>,
}

#[derive(Debug)]
enum State {
    Polling,
    /// Still polling; a WebSocket knocks. `answered`: `2probe` came and `3probe` went.
    Probing {
        until: Instant,
        answered: bool,
    },
    WebSocket,
    /// `last`: where it ended. `linger`: until when the last packets wait for a GET.
    Closed {
        reason: CloseReason,
        detail: &'static str,
        last: Transport,
        linger: Option<Instant>,
    },
}

/// What a packet of the session's own transport means to the caller.
#[derive(Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// Nothing to do.
    Nothing,
    /// A message for the layer above.
    Message(Message<'a>),
}

/// What becomes of a GET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Get {
    /// It waits: ask [`Session::take_payload`] until that answers.
    Parked,
    /// It is refused with this error.
    Refused(HandshakeError),
}

/// What becomes of a POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Post {
    /// Feed its packets, then call [`Session::end_post`].
    Accepted,
    /// It is refused with this error.
    Refused(HandshakeError),
}

/// What becomes of a WebSocket that comes with the sid of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// It may probe: feed its packets to [`Session::handle_probe_packet`].
    Begun,
    /// It is closed at once; the session does not notice.
    Refused,
}

/// What a packet of a probing WebSocket means to the caller.
#[derive(Debug, PartialEq, Eq)]
pub enum ProbeStep {
    /// Write this packet on the probing WebSocket, and answer a parked GET.
    Reply(EncodedPacket),
    /// The WebSocket is the session's transport from now on.
    Upgraded,
    /// Close the probing WebSocket; the session goes on polling.
    Refused,
}

/// What a deadline brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// None was due.
    Nothing,
    /// A ping waits for transmission.
    Ping,
    /// The probe took too long: close its WebSocket.
    ProbeExpired,
    /// The session has ended.
    Closed,
    /// A closed session need not be kept for its last GET any longer.
    Forgotten,
}

/// Why a packet was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The session has ended.
    Closed,
    /// The client takes its packets too slowly. The caller decides what follows.
    Full,
}

impl Session {
    /// Opens a session on a transport; the open packet, which says the sid, waits in its queue. Nothing else of the session
    /// needs the sid: who finds sessions by it keeps it.
    pub fn open(sid: &Sid, config: Arc<Config>, now: Instant, transport: Transport) -> Self {
        let state = match transport {
            Transport::Polling => State::Polling,
            Transport::WebSocket => State::WebSocket,
        };
        let upgrades = transport == Transport::Polling && config.allow_upgrades;
        let open = EncodedPacket::open(|buffer| {
            let Config { ping_interval, ping_grace, ping_timeout, max_payload, .. } = *config;
            let told = ping_interval.saturating_add(ping_grace);
            handshake::open_packet(buffer, sid, upgrades, told, ping_timeout, max_payload);
        });
        let mut queue = Queue::default();
        queue.push(open);
        Self {
            heartbeat: Heartbeat::new(&config, now),
            config,
            state,
            queue,
            parked_get: false,
            running_post: false,
            stalled_until: None,
        }
    }

    /// Takes a packet of the session's own transport. Packets of a closed session mean nothing.
    pub fn handle_packet<'a>(&mut self, now: Instant, packet: Packet<'a>) -> Input<'a> {
        if self.is_closed() {
            return Input::Nothing;
        }
        match packet {
            Packet::Pong(_) => {
                self.heartbeat.handle_pong(&self.config, now);
                return Input::Nothing;
            }
            Packet::Close => self.close(now, CloseReason::TransportClose, CloseReason::BY_CLIENT),
            Packet::Ping(_) => self.close(now, CloseReason::TransportError, "invalid heartbeat direction"),
            Packet::Message(message) => {
                self.heartbeat.handle_packet(&self.config, now);
                return Input::Message(message);
            }
            Packet::Open(_) | Packet::Upgrade | Packet::Noop => {
                self.heartbeat.handle_packet(&self.config, now);
            }
        }
        Input::Nothing
    }

    /// A GET has come. A second one beside a parked one ends the session.
    pub fn begin_get(&mut self, now: Instant) -> Get {
        if let Some(refusal) = self.refuse_polling(now) {
            return Get::Refused(refusal);
        }
        if self.parked_get {
            self.close(now, CloseReason::TransportError, "overlap from client: two GETs");
            return Get::Refused(HandshakeError::BadRequest);
        }
        self.parked_get = true;
        Get::Parked
    }

    /// The body of the parked GET's answer, if there is something to say; the GET is over then.
    ///
    /// The close packet comes in a body of its own: a client that reads it drops what it has not yet delivered of the
    /// same body, and the JavaScript client delivers late.
    pub fn take_payload(&mut self) -> Option<Vec<u8>> {
        if !self.parked_get || !self.has_payload() {
            return None;
        }
        self.parked_get = false;
        if self.answers_noop() {
            return Some(b"6".to_vec());
        }
        let mut body = Vec::with_capacity(self.queue.bytes() + self.queue.len());
        let kept = usize::from(self.lingers() && self.queue.len() > 1);
        while self.queue.len() > kept
            && let Some(packet) = self.queue.pop()
        {
            if !body.is_empty() {
                body.push(payload::SEPARATOR);
            }
            packet.append_to_payload(&mut body);
        }
        if kept == 0
            && let State::Closed { linger, .. } = &mut self.state
        {
            *linger = None;
        }
        Some(body)
    }

    /// The connection of the parked GET went away before its answer.
    pub fn abort_get(&mut self, now: Instant) {
        if !std::mem::take(&mut self.parked_get) {
            return;
        }
        match self.state {
            State::Polling | State::Probing { .. } => {
                self.close(now, CloseReason::TransportError, "poll connection closed prematurely");
            }
            // Nobody else may come for its answer.
            State::Closed { last: Transport::Polling, linger: None, .. } => self.queue.clear(),
            State::Closed { .. } | State::WebSocket => {}
        }
    }

    /// A POST has come. A second one beside a running one ends the session.
    pub fn begin_post(&mut self, now: Instant) -> Post {
        if let Some(refusal) = self.refuse_polling(now) {
            return Post::Refused(refusal);
        }
        if self.is_closed() {
            return Post::Refused(HandshakeError::UnknownSid);
        }
        if self.running_post {
            self.close(now, CloseReason::TransportError, "overlap from client: two POSTs");
            return Post::Refused(HandshakeError::BadRequest);
        }
        self.running_post = true;
        Post::Accepted
    }

    /// The POST is over, or its connection is gone; an unfinished one ends the session.
    pub fn end_post(&mut self, now: Instant, complete: Completeness) {
        let running = std::mem::take(&mut self.running_post);
        if running && complete == Completeness::Cut {
            self.close(now, CloseReason::TransportError, "data request connection closed prematurely");
        }
    }

    /// A WebSocket has come with this session's sid.
    pub fn begin_probe(&mut self, now: Instant) -> Probe {
        match self.state {
            State::Polling if self.config.allow_upgrades => {
                self.state = State::Probing { until: now + self.config.upgrade_timeout, answered: false };
                Probe::Begun
            }
            _ => Probe::Refused,
        }
    }

    /// A packet of the probing WebSocket; `None` stands for a binary message.
    ///
    /// Anything but `2probe`, and after it `5`, closes the probe alone.
    pub fn handle_probe_packet(&mut self, packet: Option<Packet<'_>>) -> ProbeStep {
        let State::Probing { answered, .. } = &mut self.state else {
            return ProbeStep::Refused;
        };
        match packet {
            Some(Packet::Ping("probe")) => {
                *answered = true;
                ProbeStep::Reply(EncodedPacket::probe_pong())
            }
            Some(Packet::Upgrade) if *answered => {
                self.state = State::WebSocket;
                ProbeStep::Upgraded
            }
            _ => {
                self.state = State::Polling;
                ProbeStep::Refused
            }
        }
    }

    /// The probing WebSocket is gone; the session goes on polling.
    pub fn abort_probe(&mut self) {
        if let State::Probing { .. } = self.state {
            self.state = State::Polling;
        }
    }

    /// Queues a packet. One of any size may enter a queue in which next to nothing waits.
    ///
    /// # Errors
    /// [`SendError::Full`] past the bounds of the [`Config`], [`SendError::Closed`] after the end.
    #[inline]
    pub fn send(&mut self, packet: EncodedPacket) -> Result<(), SendError> {
        if self.is_closed() {
            return Err(SendError::Closed);
        }
        // A ping or the open packet that still waits does not make a queue that a large packet may not enter.
        let nearly_empty = self.queue.bytes() <= self.config.max_queue_bytes / NEARLY_EMPTY;
        let too_many_bytes =
            self.queue.bytes() + packet.body().len() > self.config.max_queue_bytes && !nearly_empty;
        let too_many_packets = self.queue.len() >= self.config.max_queue_packets && !self.queue.is_empty();
        if too_many_bytes || too_many_packets {
            return Err(SendError::Full);
        }
        self.queue.push(packet);
        Ok(())
    }

    /// The next packet for the session's WebSocket; none while the session polls, or has ended polling.
    #[inline]
    pub fn poll_transmit(&mut self) -> Option<EncodedPacket> {
        if self.is_on(Transport::Polling) {
            return None;
        }
        self.queue.pop()
    }

    /// The same, unless the next packet's frame is longer than that.
    #[inline]
    pub fn poll_transmit_within(&mut self, bytes: usize) -> Option<EncodedPacket> {
        self.queue.first().filter(|packet| packet.websocket_frame().len() <= bytes)?;
        self.poll_transmit()
    }

    /// Counts what waits against the budget of slow clients, until it has gone.
    pub fn hold(&mut self, budget: &Arc<Budget>) {
        self.queue.hold(budget);
    }

    /// Bytes that would come free if what waits were dropped: of a packet that other queues wait with, this one's part.
    pub fn share(&self) -> usize {
        self.queue.share()
    }

    /// The WebSocket takes no more bytes, or takes them again. A stall that lasts ends the session.
    pub fn set_stalled(&mut self, since: Option<Instant>) {
        let since = since.filter(|_| matches!(self.state, State::WebSocket));
        self.stalled_until = since.map(|now| now + self.config.write_stall);
    }

    /// Ends the session, once: the first reason counts. `detail` is the finer cause, for logs.
    ///
    /// What the client should still get stays in the queue: all that was sent before a close by the server,
    /// nothing after a fault.
    pub fn close(&mut self, now: Instant, reason: CloseReason, detail: &'static str) {
        if self.is_closed() {
            return;
        }
        let last = self.transport();
        let orderly = matches!(
            reason,
            CloseReason::ForcedClose | CloseReason::ForcedServerClose | CloseReason::ServerShuttingDown
        );
        if !orderly {
            self.queue.clear();
        }
        let mut linger = None;
        if last == Transport::Polling {
            let told_by_client = reason == CloseReason::TransportClose;
            self.queue.push(EncodedPacket::control(if told_by_client { "6" } else { "1" }));
            let one_answer_is_enough = self.parked_get && self.queue.len() == 1;
            linger = (orderly && !one_answer_is_enough).then(|| now + self.config.close_linger);
            if !self.parked_get && linger.is_none() {
                self.queue.clear();
            }
        }
        self.state = State::Closed { reason, detail, last, linger };
    }

    /// Lets the deadlines act that are due. Call it again until it answers [`Timeout::Nothing`].
    pub fn handle_timeout(&mut self, now: Instant) -> Timeout {
        match &mut self.state {
            State::Closed { linger, .. } => {
                if linger.is_some_and(|until| until <= now) {
                    *linger = None;
                    if !self.parked_get {
                        self.queue.clear();
                    }
                    return Timeout::Forgotten;
                }
                return Timeout::Nothing;
            }
            State::Probing { until, .. } if *until <= now => {
                self.state = State::Polling;
                return Timeout::ProbeExpired;
            }
            _ => {}
        }
        if self.stalled_until.is_some_and(|until| until <= now) {
            self.close(now, CloseReason::SlowConsumer, "write stall");
            return Timeout::Closed;
        }
        match self.heartbeat.handle_timeout(&self.config, now) {
            Beat::Nothing => Timeout::Nothing,
            Beat::Ping => {
                self.queue.push(EncodedPacket::ping());
                Timeout::Ping
            }
            Beat::TimedOut => {
                self.close(now, CloseReason::PingTimeout, "no pong in time");
                Timeout::Closed
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Closed { linger, .. } => linger,
            State::Probing { until, .. } => Some(until.min(self.heartbeat.deadline())),
            State::Polling | State::WebSocket => {
                let heartbeat = self.heartbeat.deadline();
                Some(self.stalled_until.map_or(heartbeat, |stall| stall.min(heartbeat)))
            }
        }
    }

    /// The intervals and bounds of the session.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The transport that carries messages now. A closed session has the one that it would have again: none is open.
    #[inline]
    pub fn transport(&self) -> Transport {
        match self.state {
            State::WebSocket => Transport::WebSocket,
            _ => Transport::Polling,
        }
    }

    /// Why the session ended, and the finer cause.
    #[inline]
    pub fn close_reason(&self) -> Option<(CloseReason, &'static str)> {
        match self.state {
            State::Closed { reason, detail, .. } => Some((reason, detail)),
            _ => None,
        }
    }

    /// Whether the session has ended.
    #[inline]
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// Whether a closed session still has packets for one more GET.
    #[inline]
    pub fn lingers(&self) -> bool {
        matches!(self.state, State::Closed { linger: Some(_), .. })
    }

    /// Whether a WebSocket is probing.
    #[inline]
    pub fn is_probing(&self) -> bool {
        matches!(self.state, State::Probing { .. })
    }

    /// Whether a pong is awaited.
    pub fn awaits_pong(&self) -> bool {
        self.heartbeat.is_waiting()
    }

    /// Whether there is something to transmit: packets for the WebSocket, or the answer of a parked GET.
    #[inline]
    pub fn has_output(&self) -> bool {
        let frames = self.is_on(Transport::WebSocket) && !self.queue.is_empty();
        frames || (self.parked_get && self.has_payload())
    }

    /// Whether a packet sent now would go out at once; a volatile one is dropped otherwise.
    #[inline]
    pub fn is_writable(&self) -> bool {
        match self.state {
            State::WebSocket => self.stalled_until.is_none(),
            State::Polling | State::Probing { answered: false, .. } => self.parked_get,
            State::Probing { .. } | State::Closed { .. } => false,
        }
    }

    /// Whether packets wait for the client's next GET.
    #[inline]
    pub fn waits_for_poll(&self) -> bool {
        matches!(self.state, State::Polling | State::Probing { .. })
            && !self.queue.is_empty()
            && !self.parked_get
    }

    /// Packets and bytes that wait.
    pub fn queued(&self) -> (usize, usize) {
        (self.queue.len(), self.queue.bytes())
    }

    #[inline]
    fn has_payload(&self) -> bool {
        self.answers_noop() || !self.queue.is_empty()
    }

    /// Whether what is queued belongs to this transport, also behind the end.
    fn is_on(&self, transport: Transport) -> bool {
        match self.state {
            State::Closed { last, .. } => last == transport,
            _ => self.transport() == transport,
        }
    }

    /// During a probe that was answered, and after the upgrade, a GET gets `6` and the queue stays.
    #[inline]
    fn answers_noop(&self) -> bool {
        matches!(self.state, State::Probing { answered: true, .. }) || self.is_on(Transport::WebSocket)
    }

    /// Lets an overdue end act first, so that no request outlives its session by the slack of a timer.
    /// A ping that is due is left to the timer: its caller has to learn of it.
    fn refuse_polling(&mut self, now: Instant) -> Option<HandshakeError> {
        while (self.awaits_pong() || self.is_closed()) && self.handle_timeout(now) != Timeout::Nothing {}
        match self.state {
            State::WebSocket => Some(HandshakeError::BadRequest),
            State::Closed { linger: None, .. } => Some(HandshakeError::UnknownSid),
            _ => None,
        }
    }
}

/// Whether a POST body arrived whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// All of it.
    Whole,
    /// The connection broke before its end.
    Cut,
}
