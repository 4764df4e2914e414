//! A WebSocket on its shard: bytes to frames to packets, and the queue to one write.
//!
//! ```text
//! Probing ── 5 ──▶ Open ── close frame by either side, or a fault ──▶ Closing ── EOF or deadline ──▶ Gone
//!    └── refused, expired ───────────────────────────────────────────▲    any ── EOF, broken ──────▲
//! ```
//!
//! A small task reads; the shard's driver writes, once a turn, whatever was queued. Nothing else exists for
//! an idle connection: it reads through a buffer of the thread and keeps an incomplete tail alone.

mod write;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use erlen_engineio::frame::{self, Assembler, AssemblerLimits, FrameError, Incoming};
use erlen_engineio::payload::{self, PayloadPacket};
use erlen_engineio::{CloseReason, Message, Packet, Probe, ProbeStep};
use tokio::time::Sleep;

use super::shard::{Local, Slot};
use super::stream::Stream;
use super::{Application, Client};
use write::{Outbound, Written};

/// Reads of one connection before the others have their turn.
const READS_A_TURN: usize = 16;

/// A WebSocket and the session that it serves or probes.
pub(super) struct Connection<A: Application> {
    client: Arc<Client<A>>,
    stream: RefCell<Stream>,
    inbound: RefCell<Inbound>,
    outbound: RefCell<Outbound>,
    mode: Cell<Mode>,
    /// A layer below the stream (TLS) holds bytes that it could not write yet.
    unflushed: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

#[derive(Default)]
struct Inbound {
    /// An incomplete frame.
    tail: Vec<u8>,
    assembler: Assembler,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Probing,
    Open,
    Closing,
    Gone,
}

/// Why reading ends.
enum End {
    /// The session or the peer closed in order: answer with this code.
    Close(Option<u16>),
    Fault(FrameError),
    BadPacket,
}

impl<A: Application> Connection<A> {
    /// Takes over a stream for a session that was opened on it, or that it wants to probe, on the
    /// session's shard. `answer`: what has to be written first. `leftover`: what was read behind the handshake.
    pub(super) fn start(
        local: &Rc<Local<A>>,
        client: Arc<Client<A>>,
        stream: Stream,
        answer: &[u8],
        leftover: &[u8],
        role: Role,
    ) -> Task<A> {
        let mode = if role == Role::Probe { Mode::Probing } else { Mode::Open };
        let connection = Rc::new(Self {
            client,
            stream: RefCell::new(stream),
            inbound: RefCell::default(),
            outbound: RefCell::default(),
            mode: Cell::new(mode),
            unflushed: Cell::new(false),
            waker: RefCell::new(None),
        });
        let slot = local.connections.borrow_mut().insert(Rc::clone(&connection));
        // A process has fewer descriptors than that.
        let slot = Slot::try_from(slot).unwrap_or(Slot::MAX);
        local.shard.add_load(1);
        let task = Task { local: Rc::clone(local), connection, slot, closing: None };
        task.begin(role, answer, leftover);
        task
    }

    /// Takes bytes as they were read; `bytes` is unmasked in place.
    fn receive(&self, local: &Local<A>, bytes: &mut [u8]) -> Result<(), End> {
        let mut inbound = self.inbound.borrow_mut();
        if inbound.tail.is_empty() {
            let consumed = self.parse(local, &mut inbound.assembler, bytes)?;
            inbound.tail.extend_from_slice(bytes.get(consumed..).unwrap_or_default());
            return Ok(());
        }
        let mut tail = std::mem::take(&mut inbound.tail);
        tail.extend_from_slice(bytes);
        let consumed = self.parse(local, &mut inbound.assembler, &mut tail)?;
        if consumed < tail.len() {
            tail.drain(..consumed);
            inbound.tail = tail;
        }
        Ok(())
    }

    /// Handles every whole frame in `bytes`; answers how many bytes they were.
    fn parse(&self, local: &Local<A>, assembler: &mut Assembler, bytes: &mut [u8]) -> Result<usize, End> {
        let max_payload = self.client.engine().session_config().max_payload;
        let timeout = self.client.engine().options().fragment_timeout;
        let limits = AssemblerLimits { max_message: max_payload, timeout, ..AssemblerLimits::default() };
        let mut consumed = 0;
        let was_open = assembler.deadline();
        while let Some(rest) = bytes.get_mut(consumed..).filter(|rest| !rest.is_empty()) {
            let Some((frame, length)) = frame::parse(rest, max_payload).map_err(End::Fault)? else {
                break;
            };
            consumed += length;
            // Of each anew: the one before may have taken its time.
            let now = Instant::now();
            match assembler.push(&limits, now, frame).map_err(End::Fault)? {
                Incoming::Text(text) => self.receive_text(local, now, &text)?,
                Incoming::Binary(data) => self.receive_binary(now, &data)?,
                Incoming::Ping(payload) => self.pong(local, payload),
                Incoming::Pong | Incoming::Fragment => {}
                Incoming::Close(code) => return Err(End::Close(code)),
            }
            if self.mode.get().is_over() {
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
            return Err(End::Close(None));
        }
        self.client.receive(now, Packet::Message(Message::Binary(data)));
        Ok(())
    }

    fn receive_probe(&self, local: &Local<A>, packet: Option<Packet<'_>>) -> Result<(), End> {
        match self.client.receive_probe(packet) {
            ProbeStep::Reply(pong) => self.write_or_keep(local, pong.websocket_frame()),
            ProbeStep::Upgraded => self.mode.set(Mode::Open),
            ProbeStep::Refused => return Err(End::Close(None)),
        }
        Ok(())
    }

    /// Ends what the connection carries, and closes it with the code that the cause asks for.
    fn end(&self, local: &Local<A>, end: End) {
        let (reason, detail, code) = match end {
            End::Close(code) => (CloseReason::TransportClose, "the client closed the WebSocket", code),
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

/// The connection's task: it reads, and sees the end.
pub(crate) struct Task<A: Application> {
    local: Rc<Local<A>>,
    connection: Rc<Connection<A>>,
    slot: Slot,
    closing: Option<Pin<Box<Sleep>>>,
}

impl<A: Application> Task<A> {
    fn begin(&self, role: Role, answer: &[u8], leftover: &[u8]) {
        let connection = &*self.connection;
        // Before the answer: a client that has it may poll already, and its request has to see the probe.
        let refused =
            role == Role::Probe && connection.client.begin_probe(Instant::now(), self.slot) == Probe::Refused;
        if !answer.is_empty() {
            connection.greet(&self.local, role, answer);
        }
        if role == Role::Transport {
            connection.client.lock().connection = Some(self.slot);
        }
        if refused {
            connection.close(&self.local, None);
        }
        if !leftover.is_empty()
            && let Err(end) = connection.receive(&self.local, &mut leftover.to_vec())
        {
            connection.end(&self.local, end);
        }
    }

    fn poll_open(&self, cx: &mut Context<'_>) -> Poll<()> {
        let connection = &*self.connection;
        connection.flush_if_pending(&self.local);
        let mut buffer = self.local.read_buffer.borrow_mut();
        for _ in 0..READS_A_TURN {
            if connection.mode.get().is_over() {
                return Poll::Ready(());
            }
            if connection.mode.get() == Mode::Open {
                std::task::ready!(connection.client.poll_ready_to_read(cx));
            }
            let read = connection.stream.borrow_mut().poll_read(cx, &mut buffer);
            match std::task::ready!(read) {
                Ok(0) => connection.lost(CloseReason::TransportClose, "the connection closed"),
                Err(_) => connection.lost(CloseReason::TransportError, "read failed"),
                Ok(n) => {
                    let bytes = buffer.get_mut(..n).unwrap_or_default();
                    if let Err(end) = connection.receive(&self.local, bytes) {
                        connection.end(&self.local, end);
                    }
                }
            }
        }
        self.local.go_on_next_turn(cx);
        Poll::Pending
    }

    /// Writes what is left, ends the writing half, and reads until the peer has closed too.
    fn poll_closing(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let connection = &*self.connection;
        let timeout = connection.client.engine().options().close_timeout;
        let sleep = self.closing.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        if sleep.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        match connection.drain_pending(&self.local) {
            Written::All => {}
            Written::Stalled => return Poll::Pending,
            Written::Broken => return Poll::Ready(()),
        }
        let mut stream = connection.stream.borrow_mut();
        if std::task::ready!(stream.poll_shutdown(cx)).is_err() {
            return Poll::Ready(());
        }
        let mut buffer = self.local.read_buffer.borrow_mut();
        for _ in 0..READS_A_TURN {
            match std::task::ready!(stream.poll_read(cx, &mut buffer)) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(_) => {}
            }
        }
        self.local.go_on_next_turn(cx);
        Poll::Pending
    }
}

impl Mode {
    /// Nothing is read as packets any longer.
    fn is_over(self) -> bool {
        matches!(self, Self::Closing | Self::Gone)
    }
}

impl<A: Application> Future for Task<A> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut waker = this.connection.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        drop(waker);
        if !this.connection.mode.get().is_over() {
            std::task::ready!(this.poll_open(cx));
        }
        match this.connection.mode.get() {
            Mode::Gone => Poll::Ready(()),
            _ => this.poll_closing(cx),
        }
    }
}

impl<A: Application> Drop for Task<A> {
    fn drop(&mut self) {
        self.connection.lost(CloseReason::TransportClose, "the connection closed");
        self.local.connections.borrow_mut().try_remove(self.slot as usize);
        self.local.shard.add_load(-1);
    }
}
