//! The writing half of a WebSocket: the session's queue to one call a turn, and what a full stream leaves over.
//!
//! Called by the shard's driver at the end of a turn, and by the connection's task when a full stream has room again.

use std::io;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use erlen_engineio::frame;
use erlen_engineio::{CloseReason, EncodedPacket, Hold};

use super::super::Application;
use super::super::client::Core;
use super::super::shard::Local;
use super::{Connection, Mode, Role};

/// Bytes copied into one write; what is longer is written from where it lies.
const CORK: usize = 64 * 1024;

/// What the stream did not take yet: a packet of which it took a part, then bytes.
#[derive(Default)]
pub(super) struct Outbound {
    /// Where it lies: many clients may be in the middle of the same packet.
    packet: Option<EncodedPacket>,
    bytes: Vec<u8>,
    /// How much of the first of the two has gone.
    written: usize,
    /// Counts the bytes, once they have waited for a turn.
    hold: Option<Hold>,
    /// The close frame is among them: nothing may follow.
    closing: bool,
}

impl Outbound {
    fn is_empty(&self) -> bool {
        self.packet.is_none() && self.bytes.is_empty()
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
                drop(core);
                metrics.packets_out.add(1);
                if !self.write_packet(local, first) {
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
        let mut outbound = self.outbound.borrow_mut();
        let bytes = outbound.bytes.capacity();
        let hold = outbound.hold.get_or_insert_with(|| budget.hold(bytes)).bytes();
        let packet = outbound.packet.as_ref().map_or(0, |packet| {
            packet.hold(budget);
            packet.share()
        });
        core.unsent = hold + packet;
        core.session.hold(budget);
        drop((core, outbound));
        self.client.engine().relieve();
    }

    /// The session has ended while the stream is full. For a slow consumer nothing more is done: what it did not take is
    /// freed. Else what is queued joins what is pending, and the close timeout decides.
    fn give_up(&self, local: &Local<A>, reason: CloseReason) {
        if reason == CloseReason::SlowConsumer {
            *self.outbound.borrow_mut() = Outbound::default();
            self.lost(reason, "it takes no bytes");
            return self.wake();
        }
        let mut core = self.client.lock();
        let mut outbound = self.outbound.borrow_mut();
        while let Some(packet) = core.session.poll_transmit() {
            outbound.bytes.extend_from_slice(packet.websocket_frame());
        }
        drop((core, outbound));
        self.close(local, None);
    }

    /// Closes a WebSocket whose probe came to nothing.
    pub(in crate::engine) fn close_probe(&self, local: &Local<A>) {
        if self.mode.get() == Mode::Probing {
            self.close(local, None);
        }
    }

    /// Sends a close frame behind what is pending, and waits for the peer's.
    pub(super) fn close(&self, local: &Local<A>, code: Option<u16>) {
        if self.mode.replace(Mode::Closing) == Mode::Gone {
            return self.mode.set(Mode::Gone);
        }
        let (bytes, len) = frame::close_frame(code);
        if !self.outbound.borrow().closing {
            self.write_or_keep(local, &bytes[..len]);
            self.outbound.borrow_mut().closing = true;
        }
        self.wake();
    }

    /// Writes at once. False when the stream is full (the rest is kept) or broken.
    fn write(&self, local: &Local<A>, bytes: &[u8]) -> bool {
        let written = self.try_write(local, bytes);
        self.settle(local, written, bytes.len(), |outbound, written| {
            outbound.bytes = bytes[written..].to_vec()
        })
    }

    /// The same with a packet, which is kept where it lies.
    fn write_packet(&self, local: &Local<A>, packet: EncodedPacket) -> bool {
        let frame = packet.websocket_frame();
        let (written, len) = (self.try_write(local, frame), frame.len());
        self.settle(local, written, len, |outbound, written| {
            outbound.packet = Some(packet);
            outbound.written = written;
        })
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
        if self.outbound.borrow().is_empty() {
            self.write(local, bytes);
        } else {
            self.outbound.borrow_mut().bytes.extend_from_slice(bytes);
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
        let mut outbound = self.outbound.borrow_mut();
        if outbound.is_empty() {
            return Written::All;
        }
        let Outbound { packet, bytes, written, .. } = &mut *outbound;
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
                (*bytes, *written) = (Vec::new(), 0);
                outbound.hold = None;
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

    fn broken(&self, _: &Local<A>) {
        self.lost(CloseReason::TransportError, "write failed");
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Answers a ping frame. While bytes are pending none is added: the newest ping alone needs its answer.
    pub(super) fn pong(&self, local: &Local<A>, payload: &[u8]) {
        if !self.outbound.borrow().is_empty() {
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
        if self.outbound.borrow().is_empty() {
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
