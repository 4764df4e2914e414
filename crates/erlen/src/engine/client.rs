//! One session: the state machine behind its mutex, and what the application keeps beside it.
//!
//! Whoever holds bytes for a session drives it, from any thread: a POST, a WebSocket's task, an emit.
//! All that follows (writing, answering a poll, closing, deadlines) is done by the session's shard, which
//! learns of it by its dirty list: at most one entry a client, one wake-up a burst.
//!
//! Lock order: the application's tables, then this mutex; never back, never across an await.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use erlen_engineio::{
    CloseReason, Completeness, EncodedPacket, Get, Input, Message, Packet, Post, Probe, ProbeStep, SendError,
    Session, Sid, Timeout, Transport,
};

use super::shard::Shard;
use super::tenants::Slot;
use super::{Application, Engine, Handshake};

/// A session of the engine, shared by whoever drives it.
pub struct Client<A: Application> {
    sid: Sid,
    engine: Arc<Engine<A>>,
    shard: Arc<Shard<A>>,
    handshake: Handshake,
    core: Mutex<Core>,
    state: A::State,
}

/// What the mutex guards: the state machine, and who waits for it.
pub(super) struct Core {
    pub(super) session: Session,
    /// The parked GET.
    poll: Option<Waker>,
    /// A POST, or the WebSocket's task, that waits until the application takes more.
    readers: Vec<Waker>,
    /// A POST is being dispatched: its answers go out together.
    corked: bool,
    dirty: bool,
    finished: bool,
    pub(super) connection: Option<Slot>,
    pub(super) probe: Option<Slot>,
    /// The deadline that is filed with the shard's timers.
    pub(super) armed: Option<Instant>,
    /// Where the entry finds the session.
    pub(super) filed: Option<Slot>,
    ping_sent: Option<Instant>,
    /// Until when the message that arrives in fragments must be whole.
    whole_by: Option<Instant>,
    /// Bytes that the connection keeps because its stream is full.
    pub(super) unsent: usize,
}

/// Whether a packet may be dropped when its client is not writable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It is queued, or the client is cut.
    Queued,
    /// It goes out now or never.
    Volatile,
}

impl<A: Application> Client<A> {
    pub(super) fn new(
        sid: Sid,
        engine: Arc<Engine<A>>,
        shard: Arc<Shard<A>>,
        session: Session,
        handshake: Handshake,
    ) -> Arc<Self> {
        let core = Core {
            session,
            poll: None,
            readers: Vec::new(),
            corked: false,
            dirty: false,
            finished: false,
            connection: None,
            probe: None,
            armed: None,
            filed: None,
            ping_sent: None,
            whole_by: None,
            unsent: 0,
        };
        let state = engine.app().open_state();
        Arc::new(Self { sid, engine, shard, handshake, core: Mutex::new(core), state })
    }

    /// Sends a text message.
    ///
    /// # Errors
    /// [`SendError::Closed`] after the end, [`SendError::Full`] when this packet was the one that cut a slow client.
    pub fn send_text(self: &Arc<Self>, text: &str) -> Result<(), SendError> {
        let packet = EncodedPacket::text_message(|buffer| buffer.extend_from_slice(text.as_bytes()));
        self.send([packet], Delivery::Queued)
    }

    /// Sends a binary message.
    ///
    /// # Errors
    /// As [`send_text`](Self::send_text).
    pub fn send_binary(self: &Arc<Self>, data: &[u8]) -> Result<(), SendError> {
        self.send([EncodedPacket::binary_message(data)], Delivery::Queued)
    }

    /// Queues packets that belong together; nothing comes between them.
    ///
    /// # Errors
    /// As [`send_text`](Self::send_text).
    #[inline]
    pub fn send(
        self: &Arc<Self>,
        packets: impl IntoIterator<Item = EncodedPacket>,
        delivery: Delivery,
    ) -> Result<(), SendError> {
        let mut core = self.lock();
        if delivery == Delivery::Volatile && !core.session.is_writable() {
            drop(core);
            self.shard.metrics.volatile_dropped.add(1);
            return Ok(());
        }
        for packet in packets {
            match core.session.send(packet) {
                Ok(()) => {}
                Err(SendError::Closed) => return Err(SendError::Closed),
                Err(SendError::Full) => {
                    core.session.close(Instant::now(), CloseReason::SlowConsumer, "outbound queue full");
                    self.mark_dirty(core);
                    return Err(SendError::Full);
                }
            }
        }
        self.mark_dirty(core);
        Ok(())
    }

    /// Ends the session. What was sent before reaches the client if the close is the server's own.
    pub fn close(self: &Arc<Self>, reason: CloseReason, detail: &'static str) {
        let mut core = self.lock();
        core.session.close(Instant::now(), reason, detail);
        self.mark_dirty(core);
    }

    /// Takes a packet that arrived on the session's own transport.
    pub(super) fn receive(self: &Arc<Self>, now: Instant, packet: Packet<'_>) {
        let metrics = &self.shard.metrics;
        metrics.packets_in.add(1);
        let pong = matches!(packet, Packet::Pong(_));
        let mut core = self.lock();
        if pong && let Some(sent) = core.ping_sent.take() {
            metrics.ping_round_trips.record(now.saturating_duration_since(sent));
        }
        let input = core.session.handle_packet(now, packet);
        // The next ping may be due before the deadline of the pong that has come.
        let nearer = pong && core.session.poll_timeout() < core.armed;
        if nearer || core.session.is_closed() {
            self.mark_dirty(core);
            return;
        }
        drop(core);
        if let Input::Message(message) = input {
            metrics.bytes_in.add(match message {
                Message::Text(text) => text.len(),
                Message::Binary(data) => data.len(),
            });
            self.engine.app().on_message(self, now, message);
        }
    }

    /// The transport below an open session is gone.
    pub(super) fn transport_lost(self: &Arc<Self>, reason: CloseReason, detail: &'static str) {
        let mut core = self.lock();
        core.connection = None;
        core.session.close(Instant::now(), reason, detail);
        self.mark_dirty(core);
    }

    // The halves of a GET and a POST, for http.rs and the test client.

    pub(crate) fn begin_get(self: &Arc<Self>, now: Instant) -> Get {
        let mut core = self.lock();
        let get = core.session.begin_get(now);
        if core.session.is_closed() {
            self.mark_dirty(core);
        }
        get
    }

    pub(crate) fn poll_payload(self: &Arc<Self>, cx: &mut Context<'_>) -> Poll<Vec<u8>> {
        let mut core = self.lock();
        let (waiting, _) = core.session.queued();
        if !core.corked
            && let Some(body) = core.session.take_payload()
        {
            core.poll = None;
            let (left, _) = core.session.queued();
            self.shard.metrics.packets_out.add(waiting.saturating_sub(left));
            self.shard.metrics.bytes_out.add(body.len());
            if core.session.is_closed() {
                self.mark_dirty(core);
            }
            return Poll::Ready(body);
        }
        if !core.poll.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            core.poll = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    pub(crate) fn abort_get(self: &Arc<Self>) {
        let mut core = self.lock();
        core.poll = None;
        core.session.abort_get(Instant::now());
        self.mark_dirty(core);
    }

    pub(crate) fn begin_post(self: &Arc<Self>, now: Instant) -> Post {
        let mut core = self.lock();
        let post = core.session.begin_post(now);
        if core.session.is_closed() {
            self.mark_dirty(core);
        }
        post
    }

    pub(crate) fn end_post(self: &Arc<Self>, complete: Completeness) {
        let mut core = self.lock();
        core.session.end_post(Instant::now(), complete);
        self.mark_dirty(core);
    }

    /// Holds back the answer of a parked GET while the packets of one POST are dispatched.
    pub(crate) fn cork(&self) {
        self.lock().corked = true;
    }

    pub(crate) fn uncork(self: &Arc<Self>) {
        let mut core = self.lock();
        core.corked = false;
        self.mark_dirty(core);
    }

    /// Waits until the application takes more from this client.
    pub(crate) fn poll_ready_to_read(self: &Arc<Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !self.engine.app().is_saturated(self) {
            return Poll::Ready(());
        }
        let mut core = self.lock();
        if core.session.is_closed() || core.session.awaits_pong() {
            return Poll::Ready(());
        }
        if !core.readers.iter().any(|reader| reader.will_wake(cx.waker())) {
            core.readers.push(cx.waker().clone());
        }
        drop(core);
        // It may have drained between the question and the waker.
        if self.engine.app().is_saturated(self) { Poll::Pending } else { Poll::Ready(()) }
    }

    /// The application takes more: reading goes on.
    pub fn resume_reading(&self) {
        let readers = std::mem::take(&mut self.lock().readers);
        readers.into_iter().for_each(Waker::wake);
    }

    /// A message arrives in fragments, and has to be whole by then; `None` once it is.
    pub(super) fn set_whole_by(self: &Arc<Self>, deadline: Option<Instant>) {
        let mut core = self.lock();
        core.whole_by = deadline;
        if deadline.is_some() {
            self.mark_dirty(core);
        }
    }

    /// Waits until the session's shard has read what a probing WebSocket had brought before. A polling request that was
    /// sent behind the upgrade may be taken first, on another thread, and would find a session that still polls.
    pub(super) async fn settle_probe(&self) {
        let probing = self.lock().session.is_probing();
        if probing {
            self.shard.turn().await;
        }
    }

    // The halves of an upgrade, for connection.rs.

    pub(super) fn begin_probe(self: &Arc<Self>, now: Instant, connection: Slot) -> Probe {
        let mut core = self.lock();
        let probe = core.session.begin_probe(now);
        if probe == Probe::Begun {
            core.probe = Some(connection);
            self.mark_dirty(core);
        }
        probe
    }

    pub(super) fn receive_probe(self: &Arc<Self>, packet: Option<Packet<'_>>) -> ProbeStep {
        let mut core = self.lock();
        let step = core.session.handle_probe_packet(packet);
        match step {
            ProbeStep::Upgraded => {
                core.connection = core.probe.take();
                self.shard.metrics.upgrades.add(1);
            }
            ProbeStep::Refused => core.probe = None,
            ProbeStep::Reply(_) => {}
        }
        self.mark_dirty(core);
        step
    }

    pub(super) fn abort_probe(self: &Arc<Self>) {
        let mut core = self.lock();
        core.probe = None;
        core.session.abort_probe();
        self.mark_dirty(core);
    }

    // What the shard does for a dirty client.

    /// Answers a parked GET and says what else there is to do.
    pub(super) fn take_work(&self) -> Work {
        let mut core = self.lock();
        core.dirty = false;
        let closed = core.session.close_reason();
        let poll = if !core.corked && core.session.has_output() { core.poll.take() } else { None };
        let readers = if closed.is_some() { std::mem::take(&mut core.readers) } else { Vec::new() };
        let waits_for_poll = core.session.waits_for_poll();
        if waits_for_poll {
            core.session.hold(self.engine.budget());
        }
        let work = Work {
            connection: core.connection,
            lost_probe: if core.session.is_probing() { None } else { core.probe.take() },
            closed: closed.filter(|_| !std::mem::replace(&mut core.finished, closed.is_some())),
            forgotten: closed.is_some() && !core.session.lingers(),
            deadline: core.session.poll_timeout().into_iter().chain(core.whole_by).min(),
            armed: core.armed,
            waits_for_poll,
        };
        drop(core);
        for waker in poll.into_iter().chain(readers) {
            waker.wake();
        }
        work
    }

    /// Lets due deadlines act. Answers whether the client has to be looked at.
    pub(super) fn handle_timeouts(self: &Arc<Self>, now: Instant) {
        let mut core = self.lock();
        core.armed = None;
        loop {
            match core.session.handle_timeout(now) {
                Timeout::Nothing => break,
                Timeout::Ping => {
                    core.ping_sent = Some(now);
                    core.readers.drain(..).for_each(Waker::wake);
                }
                Timeout::ProbeExpired | Timeout::Closed | Timeout::Forgotten => {}
            }
        }
        if core.whole_by.is_some_and(|deadline| deadline <= now) {
            core.whole_by = None;
            core.session.close(now, CloseReason::TransportError, "a fragmented message took too long");
        }
        self.mark_dirty(core);
        self.contain("handle_timeout", || self.engine.app().handle_timeout(self, now));
    }

    /// Calls the application where a panic would end the thread, and all its connections: it ends this session alone.
    pub(super) fn contain(self: &Arc<Self>, what: &'static str, call: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(call)).is_err() {
            tracing::error!(target: "erlen::engine", sid = ?self.sid, "{what} panicked");
            self.close(CloseReason::ForcedClose, "the application panicked");
        }
    }

    /// The client's next deadline, if it is earlier than what is filed for it: the session's or the application's.
    pub(super) fn deadline_to_file(self: &Arc<Self>, work: &Work) -> Option<Instant> {
        let app = self.engine.app().deadline(self);
        let earliest = app.into_iter().chain(work.deadline).min()?;
        work.armed.is_none_or(|armed| earliest < armed).then_some(earliest)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    fn mark_dirty(self: &Arc<Self>, mut core: MutexGuard<'_, Core>) {
        if !std::mem::replace(&mut core.dirty, true) {
            drop(core);
            self.shard.push_dirty(Arc::clone(self));
        }
    }

    /// Asks the shard to look at this client, for a deadline that has changed.
    pub fn touch(self: &Arc<Self>) {
        self.mark_dirty(self.lock());
    }

    /// The secret that names the session.
    pub fn sid(&self) -> &Sid {
        &self.sid
    }

    /// The request that opened the session.
    pub fn handshake(&self) -> &Handshake {
        &self.handshake
    }

    /// What the application keeps for this session.
    pub fn state(&self) -> &A::State {
        &self.state
    }

    /// The engine that the session belongs to.
    pub fn engine(&self) -> &Arc<Engine<A>> {
        &self.engine
    }

    /// The transport that carries messages now.
    pub fn transport(&self) -> Transport {
        self.lock().session.transport()
    }

    /// Whether the session has ended.
    pub fn is_closed(&self) -> bool {
        self.lock().session.is_closed()
    }

    /// Packets and bytes that wait for the client.
    pub fn queued(&self) -> (usize, usize) {
        self.lock().session.queued()
    }

    /// Bytes that would come free if the session were closed; `None` once it is.
    pub(super) fn share(&self) -> Option<usize> {
        let core = self.lock();
        (!core.session.is_closed()).then(|| core.session.share() + core.unsent)
    }

    pub(crate) fn shard(&self) -> &Arc<Shard<A>> {
        &self.shard
    }
}

/// What the shard has to do for a client.
pub(super) struct Work {
    /// Flush this WebSocket.
    pub(super) connection: Option<Slot>,
    /// Close this probing WebSocket: the session does not wait for it any longer.
    pub(super) lost_probe: Option<Slot>,
    /// Tell the application, once.
    pub(super) closed: Option<(CloseReason, &'static str)>,
    /// Drop the session from the table.
    pub(super) forgotten: bool,
    /// What was sent waits for the client's next GET.
    pub(super) waits_for_poll: bool,
    /// When the session's deadline is.
    deadline: Option<Instant>,
    /// The deadline that is filed with the shard's timers.
    armed: Option<Instant>,
}
