//! The writing half of a WebSocket: the session's queue to one call a turn, and what a full stream leaves over.
//!
//! Called by the shard's driver at the end of a turn, and by the connection's task when a full stream has room again.

use std::io;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use erlen_engineio::CloseReason;
use erlen_engineio::frame;

use super::super::Application;
use super::super::shard::Local;
use super::{Connection, Mode};

/// Bytes copied into one write; what is longer is written from where it lies.
const CORK: usize = 64 * 1024;

/// Bytes that the stream did not take yet.
#[derive(Default)]
pub(super) struct Outbound {
    pending: Vec<u8>,
    written: usize,
    /// The close frame is among them: nothing may follow.
    closing: bool,
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
            return self.give_up_if_closed(local);
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
            let Some(second) = core.session.poll_transmit() else {
                drop(core);
                metrics.packets_out.add(1);
                if !self.write(local, first.websocket_frame()) {
                    return;
                }
                continue;
            };
            let mut cork = local.cork.borrow_mut();
            cork.clear();
            cork.extend_from_slice(first.websocket_frame());
            cork.extend_from_slice(second.websocket_frame());
            let mut packets = 2;
            while cork.len() < CORK
                && let Some(packet) = core.session.poll_transmit()
            {
                cork.extend_from_slice(packet.websocket_frame());
                packets += 1;
            }
            drop(core);
            metrics.packets_out.add(packets);
            let open = self.write(local, &cork);
            if cork.capacity() > 4 * CORK {
                *cork = Vec::with_capacity(2 * CORK);
            }
            if !open {
                return;
            }
        }
    }

    /// The session has ended while the stream is full: what is queued joins what is pending, and the
    /// close timeout decides.
    fn give_up_if_closed(&self, local: &Local<A>) {
        let mut core = self.client.lock();
        if !core.session.is_closed() || self.mode.get() != Mode::Open {
            return;
        }
        let mut outbound = self.outbound.borrow_mut();
        while let Some(packet) = core.session.poll_transmit() {
            outbound.pending.extend_from_slice(packet.websocket_frame());
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
        match self.try_write(local, bytes) {
            Ok(n) if n == bytes.len() => true,
            Ok(n) => {
                self.keep(&bytes[n..]);
                false
            }
            Err(_) => {
                self.broken(local);
                false
            }
        }
    }

    /// Writes at once unless something is pending; keeps what could not go.
    pub(super) fn write_or_keep(&self, local: &Local<A>, bytes: &[u8]) {
        if self.outbound.borrow().pending.is_empty() {
            self.write(local, bytes);
        } else {
            self.outbound.borrow_mut().pending.extend_from_slice(bytes);
        }
    }

    fn keep(&self, rest: &[u8]) {
        let mut outbound = self.outbound.borrow_mut();
        outbound.pending.clear();
        outbound.pending.extend_from_slice(rest);
        outbound.written = 0;
        drop(outbound);
        if self.mode.get() == Mode::Open {
            self.client.lock().session.set_stalled(Some(Instant::now()));
            self.client.touch();
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
        if outbound.pending.is_empty() {
            return Written::All;
        }
        let bytes = std::mem::take(&mut outbound.pending);
        match self.try_write(local, bytes.get(outbound.written..).unwrap_or_default()) {
            Err(_) => Written::Broken,
            Ok(n) if outbound.written + n == bytes.len() => {
                outbound.written = 0;
                drop(outbound);
                if self.mode.get() == Mode::Open {
                    self.client.lock().session.set_stalled(None);
                }
                Written::All
            }
            Ok(n) => {
                outbound.written += n;
                outbound.pending = bytes;
                drop(outbound);
                if n > 0 && self.mode.get() == Mode::Open {
                    self.client.lock().session.set_stalled(Some(Instant::now()));
                }
                Written::Stalled
            }
        }
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
        if !self.outbound.borrow().pending.is_empty() {
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
        if self.outbound.borrow().pending.is_empty() {
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
