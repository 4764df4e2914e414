//! A WebSocket on its shard: bytes to frames to packets, and the queue to one write.
//!
//! ```text
//! Probing ── 5 ──▶ Open ── close frame by either side, or a fault ──▶ Closing ── EOF or deadline ──▶ Gone
//!    └── refused, expired ───────────────────────────────────────────▲    any ── EOF, broken ──────▲
//! ```
//!
//! The shard's driver reads the socket when it has something (`watched.rs`), and writes, once a turn, whatever was queued.
//! Nothing else exists for an idle connection: it reads through a buffer of the thread and keeps an incomplete tail alone.
//! A stream that is no TCP socket (TLS, a pipe), and every stream on other systems than Linux, is read by a small task.

mod write;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::Instant;

use erlen_engineio::frame::{self, Assembler, AssemblerLimits, FrameError, Incoming};
use erlen_engineio::payload::{self, PayloadPacket};
use erlen_engineio::{CloseReason, Message, Packet, Probe, ProbeStep};

use super::read_buffer::{Place, READ_BUFFER, ReadBuffer};
use super::shard::{Local, Shard};
use super::stream::Stream;
use super::tenants::{Slot, Tenant};
use super::watched::Readiness;
use super::{Application, Client};
use write::{Outbound, Written};

/// Reads of one connection before the others have their turn.
const READS_A_TURN: usize = 16;

/// Bytes of frames before what they have brought about is written, where more follow: a client that sends much at once and
/// reads its answers is no slow consumer.
const ANSWERED_AFTER: usize = 8 * 1024;

/// A WebSocket and the session that it serves or probes.
pub(super) struct Connection<A: Application> {
    client: Arc<Client<A>>,
    stream: RefCell<Stream>,
    inbound: RefCell<Inbound>,
    outbound: RefCell<Outbound>,
    mode: Cell<Mode>,
    /// A layer below the stream (TLS) holds bytes that it could not write yet.
    unflushed: Cell<bool>,
    slot: Slot,
    /// Of its task; of a watched socket, made when somebody has to wake it.
    waker: RefCell<Option<Waker>>,
}

#[derive(Default)]
struct Inbound {
    /// An incomplete frame.
    tail: Vec<u8>,
    assembler: Assembler,
    follows: Follows,
}

/// What is still to be read.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Follows {
    #[default]
    Frames,
    /// Bytes behind a frame against the rules, until the peer goes: unread, they would have the system reset the connection,
    /// and the peer not see why it was closed.
    Noise,
    /// Nothing: the peer's close frame was read.
    Nothing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Probing,
    Open,
    Closing,
    Gone,
}

/// What a read has brought; nothing at the end.
pub(super) type Read = io::Result<Place>;

/// Why reading ends.
enum End {
    /// The peer's close frame: answer with this code.
    Closed(Option<u16>),
    /// A probe that comes to nothing.
    Refused,
    Fault(FrameError),
    BadPacket,
}

impl<A: Application> Connection<A> {
    /// Takes over a stream for a session that was opened on it, or that it wants to probe, on the session's shard.
    /// `seat`: where the socket is watched, if it is already. `answer`: what has to be written first. `leftover`: what
    /// was read behind the handshake.
    pub(super) fn start(
        local: &Rc<Local<A>>,
        client: Arc<Client<A>>,
        mut stream: Stream,
        seat: Option<Slot>,
        answer: &[u8],
        leftover: &[u8],
        role: Role,
    ) {
        let mode = if role == Role::Probe { Mode::Probing } else { Mode::Open };
        let slot = seat.unwrap_or_else(|| local.tenants.vacant());
        if seat.is_none() && stream.watch(&local.sockets, slot).is_err() {
            // A probe has not begun yet.
            if role == Role::Transport {
                client.transport_lost(CloseReason::TransportError, "the system watches no more sockets");
            }
            return;
        }
        let connection = Rc::new(Self {
            client,
            stream: RefCell::new(stream),
            inbound: RefCell::default(),
            outbound: RefCell::default(),
            mode: Cell::new(mode),
            unflushed: Cell::new(false),
            slot,
            waker: RefCell::new(None),
        });
        local.tenants.seat(seat, Tenant::WebSocket(Rc::clone(&connection)));
        local.shard.add_load(1);
        connection.begin(local, role, answer, leftover);
        if !connection.is_watched() {
            let task = Task { local: Rc::clone(local), connection };
            tokio::task::spawn_local(tokio::task::unconstrained(task));
        } else if connection.stream.borrow().is_readable() {
            connection.wake(local);
        }
    }

    fn begin(&self, local: &Local<A>, role: Role, answer: &[u8], leftover: &[u8]) {
        // Before the answer: a client that has it may poll already, and its request has to see the probe.
        let refused = match role {
            Role::Probe => self.client.begin_probe(Instant::now(), self.slot) == Probe::Refused,
            Role::Transport => {
                self.client.lock().connection = Some(self.slot);
                false
            }
        };
        if !answer.is_empty() {
            self.greet(local, role, answer);
        }
        if refused {
            self.close(local, None);
        }
        if leftover.is_empty() || self.mode.get().is_over() {
            return;
        }
        match catch_unwind(AssertUnwindSafe(|| self.receive(local, &mut leftover.to_vec(), &mut 0))) {
            Ok(Ok(())) => {}
            Ok(Err(end)) => self.end(local, end),
            // Whoever brought the stream goes on, and the connection ends as it does when it is polled.
            Err(_) => {
                self.lost(CloseReason::TransportClose, "the connection closed");
                self.wake(local);
            }
        }
    }

    /// Reads once, ahead of the poll that handles it; `None` where that poll has to see to it.
    pub(super) fn read_ahead(&self, local: &Local<A>) -> Option<Read> {
        let mut buffer = local.read_buffer();
        if self.mode.get() != Mode::Open || !buffer.may_keep() || self.is_saturated() {
            return None;
        }
        // What it waits for, the event queue tells.
        let Poll::Ready(read) = self.poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer) else {
            return None;
        };
        if let Ok(place) = &read {
            buffer.keep(place);
        }
        Some(read)
    }

    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut ReadBuffer) -> Poll<Read> {
        buffer.read(|room| self.stream.borrow_mut().poll_read(cx, room))
    }

    /// Whether the application takes no more of this client for now.
    fn is_saturated(&self) -> bool {
        self.mode.get() == Mode::Open && self.client.engine().app().is_saturated(&self.client)
    }

    /// Reads, or sees the end; ready once nothing is left to do. `ahead`: what was read already.
    pub(super) fn poll(&self, local: &Local<A>, ahead: Option<Read>, cx: &mut Context<'_>) -> Poll<()> {
        if !self.mode.get().is_over() {
            ready!(self.poll_open(local, ahead, cx));
        }
        match self.mode.get() {
            Mode::Gone => Poll::Ready(()),
            _ => self.poll_closing(local, cx),
        }
    }

    /// Ready once there is nothing more to be read as packets.
    fn poll_open(&self, local: &Local<A>, mut ahead: Option<Read>, cx: &mut Context<'_>) -> Poll<()> {
        self.flush_if_pending(local);
        let mut buffer = local.read_buffer();
        let mut unanswered = 0;
        for _ in 0..READS_A_TURN {
            if self.mode.get().is_over() {
                return Poll::Ready(());
            }
            let read = match ahead.take() {
                Some(read) => read,
                None => {
                    if self.is_saturated() {
                        let waker = self.waker(local);
                        ready!(self.client.poll_ready_to_read(&mut Context::from_waker(&waker)));
                    }
                    ready!(self.poll_read(cx, &mut buffer))
                }
            };
            match read {
                Ok(place) if place.is_empty() => {
                    self.lost(CloseReason::TransportClose, "the connection closed");
                }
                Err(_) => self.lost(CloseReason::TransportError, "read failed"),
                Ok(place) => {
                    let bytes = buffer.bytes(place);
                    let was_whole_buffer = bytes.len() == READ_BUFFER;
                    if let Err(end) = self.receive(local, bytes, &mut unanswered) {
                        self.end(local, end);
                    }
                    if was_whole_buffer && local.has_read_enough() {
                        break;
                    }
                }
            }
        }
        local.go_on_next_turn(self.waker(local));
        Poll::Pending
    }

    /// Writes what is left, ends the writing half, and reads until the peer has closed too: its close frame will do, since
    /// clients wait for the server to end the connection (RFC 6455, section 7.1.1). Past the close timeout the shard ends it.
    fn poll_closing(&self, local: &Local<A>, cx: &mut Context<'_>) -> Poll<()> {
        match self.drain_pending(local) {
            Written::All => {}
            Written::Stalled => return Poll::Pending,
            Written::Broken => return Poll::Ready(()),
        }
        if ready!(self.stream.borrow_mut().poll_shutdown(cx)).is_err() {
            return Poll::Ready(());
        }
        let mut buffer = local.read_buffer();
        for _ in 0..READS_A_TURN {
            let follows = self.inbound.borrow().follows;
            if follows == Follows::Nothing {
                return Poll::Ready(());
            }
            let read = match ready!(self.poll_read(cx, &mut buffer)) {
                Ok(place) if !place.is_empty() => buffer.bytes(place),
                Ok(_) | Err(_) => return Poll::Ready(()),
            };
            if follows == Follows::Frames {
                // What it means is nobody's concern any longer.
                let _ = self.receive(local, read, &mut 0);
            }
        }
        local.go_on_next_turn(self.waker(local));
        Poll::Pending
    }

    /// What has the connection polled again.
    fn waker(&self, local: &Local<A>) -> Waker {
        let mut waker = self.waker.borrow_mut();
        let waker = waker.get_or_insert_with(|| {
            Waker::from(Arc::new(Turn { shard: Arc::clone(&local.shard), slot: self.slot }))
        });
        waker.clone()
    }

    fn wake(&self, local: &Local<A>) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        } else if self.is_watched() {
            self.waker(local).wake();
        }
        // Else its task is still to be polled for the first time.
    }

    /// Whether the driver polls it, and no task.
    pub(super) fn is_watched(&self) -> bool {
        self.stream.borrow().is_watched()
    }

    /// What the event queue says of a watched socket.
    pub(super) fn has_become(&self, readiness: Readiness) {
        if let Stream::Tcp(socket) = &*self.stream.borrow() {
            socket.has_become(readiness);
        }
    }

    /// The peer has not closed in time.
    pub(super) fn expire(&self, local: &Local<A>) {
        self.mode.set(Mode::Gone);
        self.wake(local);
    }

    /// Takes bytes as they were read; `bytes` is unmasked in place. `unanswered`: what was read since it was last written.
    fn receive(&self, local: &Local<A>, bytes: &mut [u8], unanswered: &mut usize) -> Result<(), End> {
        let mut inbound = self.inbound.borrow_mut();
        let parsed = self.take_in(local, &mut inbound, bytes, unanswered);
        match parsed {
            Err(End::Closed(_)) => inbound.follows = Follows::Nothing,
            Err(End::Fault(_)) => inbound.follows = Follows::Noise,
            Ok(()) | Err(End::Refused | End::BadPacket) => {}
        }
        parsed
    }

    fn take_in(
        &self,
        local: &Local<A>,
        inbound: &mut Inbound,
        bytes: &mut [u8],
        unanswered: &mut usize,
    ) -> Result<(), End> {
        if inbound.tail.is_empty() {
            let consumed = self.parse(local, &mut inbound.assembler, bytes, unanswered)?;
            inbound.tail.extend_from_slice(bytes.get(consumed..).unwrap_or_default());
            return Ok(());
        }
        let mut tail = std::mem::take(&mut inbound.tail);
        tail.extend_from_slice(bytes);
        let consumed = self.parse(local, &mut inbound.assembler, &mut tail, unanswered)?;
        if consumed < tail.len() {
            tail.drain(..consumed);
            inbound.tail = tail;
        }
        Ok(())
    }

    /// Handles every whole frame in `bytes`; answers how many bytes they were.
    fn parse(
        &self,
        local: &Local<A>,
        assembler: &mut Assembler,
        bytes: &mut [u8],
        unanswered: &mut usize,
    ) -> Result<usize, End> {
        let max_payload = self.client.engine().session_config().max_payload;
        let timeout = self.client.engine().options().fragment_timeout;
        let limits = AssemblerLimits { max_message: max_payload, timeout, ..AssemblerLimits::default() };
        let mut consumed = 0;
        let was_open = assembler.deadline();
        while let Some(rest) = bytes.get_mut(consumed..).filter(|rest| !rest.is_empty()) {
            let Some((frame, length)) = frame::parse(rest, max_payload).map_err(End::Fault)? else {
                break;
            };
            if *unanswered >= ANSWERED_AFTER {
                *unanswered = 0;
                self.flush(local);
            }
            consumed += length;
            *unanswered += length;
            // Of each anew: the one before may have taken its time.
            let now = Instant::now();
            match assembler.push(&limits, now, frame).map_err(End::Fault)? {
                Incoming::Close(code) => return Err(End::Closed(code)),
                // Nobody hears it any longer.
                _ if self.mode.get() == Mode::Closing => {}
                Incoming::Text(text) => self.receive_text(local, now, &text)?,
                Incoming::Binary(data) => self.receive_binary(now, &data)?,
                Incoming::Ping(payload) => self.pong(local, payload),
                Incoming::Pong | Incoming::Fragment => {}
            }
            if self.mode.get() == Mode::Gone {
                return Ok(bytes.len());
            }
        }
        if assembler.deadline() != was_open && self.mode.get() == Mode::Open {
            self.client.set_whole_by(assembler.deadline());
        }
        Ok(consumed)
    }

    fn receive_text(&self, local: &Local<A>, now: Instant, text: &str) -> Result<(), End> {
        if self.mode.get() == Mode::Probing {
            return self.receive_probe(local, Packet::decode(text).ok());
        }
        match Packet::decode(text) {
            Ok(packet) => self.client.receive(now, packet),
            Err(_) => self.receive_base64(now, text)?,
        }
        Ok(())
    }

    /// Binary of a client without binary frames, written as in a payload.
    fn receive_base64(&self, now: Instant, text: &str) -> Result<(), End> {
        match payload::decode_packet(text.as_bytes()) {
            Ok(PayloadPacket::Binary(data)) => self.receive_binary(now, &data),
            Ok(PayloadPacket::Text(_)) | Err(_) => Err(End::BadPacket),
        }
    }

    fn receive_binary(&self, now: Instant, data: &[u8]) -> Result<(), End> {
        if self.mode.get() == Mode::Probing {
            self.client.receive_probe(None);
            return Err(End::Refused);
        }
        self.client.receive(now, Packet::Message(Message::Binary(data)));
        Ok(())
    }

    fn receive_probe(&self, local: &Local<A>, packet: Option<Packet<'_>>) -> Result<(), End> {
        match self.client.receive_probe(packet) {
            ProbeStep::Reply(pong) => self.write_or_keep(local, pong.websocket_frame()),
            ProbeStep::Upgraded => self.mode.set(Mode::Open),
            ProbeStep::Refused => return Err(End::Refused),
        }
        Ok(())
    }

    /// Ends what the connection carries, and closes it with the code that the cause asks for.
    fn end(&self, local: &Local<A>, end: End) {
        let (reason, detail, code) = match end {
            End::Closed(code) => (CloseReason::TransportClose, "the client closed the WebSocket", code),
            End::Refused => (CloseReason::TransportClose, "the probe was refused", None),
            End::BadPacket => (CloseReason::ParseError, "a packet of no known type", None),
            End::Fault(error) => {
                let code = error.close_code();
                let reason =
                    if code == 1009 { CloseReason::PayloadTooLarge } else { CloseReason::TransportError };
                self.client.engine().log_fault(&self.client, &error);
                (reason, "a WebSocket frame against the rules", Some(code))
            }
        };
        match self.mode.get() {
            Mode::Open => self.client.transport_lost(reason, detail),
            Mode::Probing => self.client.abort_probe(),
            Mode::Closing | Mode::Gone => return,
        }
        self.close(local, code);
    }

    /// Nothing is left of it.
    pub(super) fn leave(&self, local: &Local<A>) {
        self.lost(CloseReason::TransportClose, "the connection closed");
        if local.tenants.leave(self.slot) {
            self.stream.borrow().unwatch(&local.sockets);
            local.shard.add_load(-1);
        }
    }

    /// The peer is gone without a word.
    fn lost(&self, reason: CloseReason, detail: &'static str) {
        match self.mode.replace(Mode::Gone) {
            Mode::Open => self.client.transport_lost(reason, detail),
            Mode::Probing => self.client.abort_probe(),
            Mode::Closing | Mode::Gone => {}
        }
    }
}

/// What a new WebSocket is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It is the transport of its session from the start.
    Transport,
    /// It probes a session that polls.
    Probe,
}

/// The task of a stream that the driver does not read itself.
struct Task<A: Application> {
    local: Rc<Local<A>>,
    connection: Rc<Connection<A>>,
}

impl Mode {
    /// Nothing is read as packets any longer.
    fn is_over(self) -> bool {
        matches!(self, Self::Closing | Self::Gone)
    }
}

impl<A: Application> Future for Task<A> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut waker = self.connection.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        drop(waker);
        self.connection.poll(&self.local, None, cx)
    }
}

impl<A: Application> Drop for Task<A> {
    fn drop(&mut self) {
        self.connection.leave(&self.local);
    }
}

/// Has a connection without a task polled in the next turn of its shard.
struct Turn<A: Application> {
    shard: Arc<Shard<A>>,
    slot: Slot,
}

impl<A: Application> Wake for Turn<A> {
    fn wake(self: Arc<Self>) {
        let slot = self.slot;
        self.shard.execute(move |local| local.go_on(slot));
    }
}
