//! The writing half of a WebSocket: the session's queue to one call a turn, and what a full stream leaves over.
//!
//! Called by the shard's driver at the end of a turn, and by the connection's task when a full stream has room again.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use erlen_engineio::frame;
use erlen_engineio::{Budget, CloseReason, EncodedPacket, Hold};

use super::super::Application;
use super::super::client::Core;
use super::super::shard::Local;
use super::{Connection, Mode, Role};

/// Bytes copied into one write; what is longer is written from where it lies.
const CORK: usize = 64 * 1024;

/// What is still to be written when the stream is full.
#[derive(Default)]
pub(super) struct Outbound {
    kept: Option<Box<Kept>>,
    /// A close frame was written, or is kept, or follows: nothing else may. By then the peer must have closed too.
    closes_by: Option<Instant>,
    /// The close frame, by its code, follows when all that the session still has was written too.
    last: Option<Option<u16>>,
}

/// What the stream did not take: the rest of a packet, then bytes.
#[derive(Default)]
struct Kept {
    /// Where it lies: many clients may be in the middle of the same packet.
    packet: Option<EncodedPacket>,
    bytes: Vec<u8>,
    /// How much of the first of the two has gone.
    written: usize,
    /// Counts the bytes, once they have waited for a turn.
    hold: Option<Hold>,
}

impl Kept {
    /// Counts it against the budget; how much of that is this client's part.
    fn hold(&mut self, budget: &Arc<Budget>) -> usize {
        let bytes = self.bytes.capacity();
        let hold = self.hold.get_or_insert_with(|| budget.hold(bytes));
        let packet = self.packet.as_ref().map_or(0, |packet| {
            packet.hold(budget);
            packet.share()
        });
        hold.bytes() + packet
    }
}

impl Outbound {
    fn keep_packet(&mut self, packet: EncodedPacket, written: usize) {
        self.kept = Some(Box::new(Kept { packet: Some(packet), written, ..Kept::default() }));
    }

    fn keep_bytes(&mut self, bytes: &[u8]) {
        self.kept.get_or_insert_default().bytes.extend_from_slice(bytes);
    }
}

/// Whether the stream took everything.
#[derive(PartialEq, Eq)]
pub(super) enum Written {
    All,
    Stalled,
    Broken,
}

impl<A: Application> Connection<A> {
    /// Writes what is queued: one packet from where it lies, several from the thread's buffer, by one call.
    pub(in crate::engine) fn flush(&self, local: &Local<A>) {
        if self.mode.get() != Mode::Open {
            return;
        }
        if !self.write_pending(local) {
            return self.go_on_waiting(local);
        }
        loop {
            let mut core = self.client.lock();
            let Some(first) = core.session.poll_transmit() else {
                let closed = core.session.is_closed();
                drop(core);
                if closed {
                    self.close(local, None);
                }
                return;
            };
            let metrics = &local.shard.metrics;
            let room = CORK.saturating_sub(first.websocket_frame().len());
            let Some(second) = core.session.poll_transmit_within(room) else {
                let is_all = !core.session.has_output() && !core.session.is_closed();
                drop(core);
                metrics.packets_out.add(1);
                if !self.write_packet(local, first) || is_all {
                    return;
                }
                continue;
            };
            let mut cork = local.cork.borrow_mut();
            cork.clear();
            cork.extend_from_slice(first.websocket_frame());
            cork.extend_from_slice(second.websocket_frame());
            let packets = 2 + gather(&mut core, &mut cork);
            drop(core);
            metrics.packets_out.add(packets);
            if !self.write(local, &cork) {
                return;
            }
        }
    }

    /// Writes the answer to the handshake, and by the same call what a session that opens says first.
    pub(super) fn greet(&self, local: &Local<A>, role: Role, answer: &[u8]) {
        let mut cork = local.cork.borrow_mut();
        cork.clear();
        cork.extend_from_slice(answer);
        if role == Role::Transport {
            local.shard.metrics.packets_out.add(gather(&mut self.client.lock(), &mut cork));
        }
        self.write(local, &cork);
    }

    /// The stream is full. What is left counts as that of a slow client; if the session has ended, it is not waited for long.
    fn go_on_waiting(&self, local: &Local<A>) {
        let mut core = self.client.lock();
        if self.mode.get() != Mode::Open {
            return;
        }
        if let Some((reason, _)) = core.session.close_reason() {
            drop(core);
            return self.give_up(local, reason);
        }
        let budget = self.client.engine().budget();
        core.session.hold(budget);
        core.unsent = self.outbound.borrow_mut().kept.as_mut().map_or(0, |kept| kept.hold(budget));
        drop(core);
        self.client.engine().relieve();
    }

    /// The session has ended while the stream is full. For a slow consumer nothing more is done: what it did not take is
    /// freed. Else it has until the close timeout.
    fn give_up(&self, local: &Local<A>, reason: CloseReason) {
        if reason != CloseReason::SlowConsumer {
            return self.close(local, None);
        }
        *self.outbound.borrow_mut() = Outbound::default();
        self.lost(reason, "it takes no bytes");
        self.wake(local);
    }

    /// Closes a WebSocket whose probe came to nothing.
    pub(in crate::engine) fn close_probe(&self, local: &Local<A>) {
        if self.mode.get() == Mode::Probing {
            self.close(local, None);
        }
    }

    pub(in crate::engine) fn closes_by(&self) -> Option<Instant> {
        self.outbound.borrow().closes_by
    }

    /// Sends a close frame behind what is pending, and waits for the peer's.
    pub(super) fn close(&self, local: &Local<A>, code: Option<u16>) {
        let before = self.mode.replace(Mode::Closing);
        if before == Mode::Gone {
            return self.mode.set(Mode::Gone);
        }
        let mut outbound = self.outbound.borrow_mut();
        if outbound.closes_by.is_none() {
            outbound.closes_by =
                Some(local.tenants.expire(self.slot, self.client.engine().options().close_timeout));
            if before == Mode::Open && outbound.kept.is_some() {
                outbound.last = Some(code);
            } else {
                drop(outbound);
                let (bytes, len) = frame::close_frame(code);
                self.write_or_keep(local, &bytes[..len]);
            }
        }
        self.wake(local);
    }

    /// Writes at once. False when the stream is full (the rest is kept) or broken.
    fn write(&self, local: &Local<A>, bytes: &[u8]) -> bool {
        let written = self.try_write(local, bytes);
        self.settle(local, written, bytes.len(), |outbound, written| outbound.keep_bytes(&bytes[written..]))
    }

    /// The same with a packet, which is kept where it lies.
    fn write_packet(&self, local: &Local<A>, packet: EncodedPacket) -> bool {
        let frame = packet.websocket_frame();
        let (written, len) = (self.try_write(local, frame), frame.len());
        self.settle(local, written, len, |outbound, written| outbound.keep_packet(packet, written))
    }

    fn settle(
        &self,
        local: &Local<A>,
        written: io::Result<usize>,
        len: usize,
        keep: impl FnOnce(&mut Outbound, usize),
    ) -> bool {
        match written {
            Ok(written) if written == len => return true,
            Ok(written) => keep(&mut self.outbound.borrow_mut(), written),
            Err(_) => {
                self.broken(local);
                return false;
            }
        }
        if self.mode.get() == Mode::Open {
            self.client.lock().session.set_stalled(Some(Instant::now()));
            self.client.touch();
        }
        false
    }

    /// Writes at once unless something is pending; keeps what could not go.
    pub(super) fn write_or_keep(&self, local: &Local<A>, bytes: &[u8]) {
        if self.is_clear() {
            self.write(local, bytes);
        } else {
            self.outbound.borrow_mut().keep_bytes(bytes);
        }
    }

    /// Writes what is pending; true when nothing is any longer.
    fn write_pending(&self, local: &Local<A>) -> bool {
        match self.drain_pending(local) {
            Written::All => true,
            Written::Stalled => false,
            Written::Broken => {
                self.broken(local);
                false
            }
        }
    }

    pub(super) fn drain_pending(&self, local: &Local<A>) -> Written {
        loop {
            match self.drain_kept(local) {
                Written::All if self.keep_next(local) => {}
                written => return written,
            }
        }
    }

    /// A connection that closes behind a full stream goes on with what its session still has, packet by packet from where
    /// it lies, and with the close frame.
    fn keep_next(&self, local: &Local<A>) -> bool {
        let mut outbound = self.outbound.borrow_mut();
        let Some(code) = outbound.last else {
            return false;
        };
        let packet = self.client.lock().session.poll_transmit();
        if let Some(packet) = packet {
            local.shard.metrics.packets_out.add(1);
            outbound.keep_packet(packet, 0);
        } else {
            outbound.last = None;
            let (bytes, len) = frame::close_frame(code);
            outbound.keep_bytes(&bytes[..len]);
        }
        true
    }

    /// Whether the stream has taken all that it was given.
    fn is_clear(&self) -> bool {
        self.outbound.borrow().kept.is_none()
    }

    fn drain_kept(&self, local: &Local<A>) -> Written {
        let mut outbound = self.outbound.borrow_mut();
        let Some(kept) = &mut outbound.kept else {
            return Written::All;
        };
        let Kept { packet, bytes, written, .. } = &mut **kept;
        let mut progress = false;
        if let Some(first) = packet {
            let rest = first.websocket_frame().get(*written..).unwrap_or_default();
            match self.try_write(local, rest) {
                Err(_) => return Written::Broken,
                Ok(n) if n < rest.len() => {
                    *written += n;
                    drop(outbound);
                    return self.stalled(n > 0);
                }
                Ok(_) => (*packet, *written, progress) = (None, 0, true),
            }
        }
        let rest = bytes.get(*written..).unwrap_or_default();
        match self.try_write(local, rest) {
            Err(_) => Written::Broken,
            Ok(n) if n < rest.len() => {
                *written += n;
                drop(outbound);
                self.stalled(progress || n > 0)
            }
            Ok(_) => {
                outbound.kept = None;
                drop(outbound);
                if self.mode.get() == Mode::Open {
                    let mut core = self.client.lock();
                    core.session.set_stalled(None);
                    core.unsent = 0;
                }
                Written::All
            }
        }
    }

    /// The stream is still full; its stall begins anew if it took something.
    fn stalled(&self, progress: bool) -> Written {
        if progress && self.mode.get() == Mode::Open {
            self.client.lock().session.set_stalled(Some(Instant::now()));
        }
        Written::Stalled
    }

    /// Bytes written now; fewer than all when the stream is full, and then the task is woken once it is not.
    fn try_write(&self, local: &Local<A>, bytes: &[u8]) -> io::Result<usize> {
        let waker = self.waker.borrow();
        let mut cx = Context::from_waker(waker.as_ref().unwrap_or(Waker::noop()));
        let mut stream = self.stream.borrow_mut();
        let mut written = 0;
        while written < bytes.len() {
            local.shard.metrics.writes.add(1);
            match stream.poll_write(&mut cx, &bytes[written..]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(n)) => written += n,
                Poll::Ready(Err(e)) => return Err(e),
                Poll::Pending => break,
            }
        }
        local.shard.metrics.bytes_out.add(written);
        match stream.poll_flush(&mut cx) {
            Poll::Ready(Err(e)) => return Err(e),
            flushed => self.unflushed.set(flushed.is_pending()),
        }
        Ok(written)
    }

    fn broken(&self, local: &Local<A>) {
        self.lost(CloseReason::TransportError, "write failed");
        self.wake(local);
    }

    /// Answers a ping frame. While bytes are pending none is added: the newest ping alone needs its answer.
    pub(super) fn pong(&self, local: &Local<A>, payload: &[u8]) {
        if !self.is_clear() {
            return;
        }
        let mut header = [0; frame::MAX_HEADER];
        let length = frame::write_header(&mut header, frame::Opcode::Pong, payload.len());
        let mut bytes = Vec::with_capacity(length + payload.len());
        bytes.extend_from_slice(&header[..length]);
        bytes.extend_from_slice(payload);
        self.write(local, &bytes);
    }

    /// Goes on where a full stream had stopped the driver.
    pub(super) fn flush_if_pending(&self, local: &Local<A>) {
        if self.unflushed.get() {
            // Writes nothing, and flushes.
            let _ = self.try_write(local, &[]);
        }
        if self.is_clear() {
            return;
        }
        match self.mode.get() {
            Mode::Open => self.flush(local),
            Mode::Probing => {
                self.write_pending(local);
            }
            Mode::Closing | Mode::Gone => {}
        }
    }
}

/// Moves packets from the queue into one buffer, as many as one write is to have; how many they were.
fn gather(core: &mut Core, cork: &mut Vec<u8>) -> usize {
    let mut packets = 0;
    while let Some(packet) = core.session.poll_transmit_within(CORK.saturating_sub(cork.len())) {
        cork.extend_from_slice(packet.websocket_frame());
        packets += 1;
    }
    packets
}
