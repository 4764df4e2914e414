//! The floor: a bare epoll program of one thread that reads and writes the bytes of the benchmark
//! and does nothing else. What it costs, the kernel costs; a server can only be near it.
//!
//! Not a server: it parses no HTTP, checks no mask, sends no ping, keeps no time, and trusts its
//! peer. `floor PORT` (0 for any) prints `listening on ADDR`. `compare --floor` starts it.
//! <https://www.rfc-editor.org/rfc/rfc6455#section-5.2>

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::ExitCode;

use erlen_bench::frame::unmasked_text;
use erlen_bench::sys::{self, Epoll};

const LISTENER: u64 = u64::MAX;
const RESPONSE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const OPEN: &[u8] = br#"0{"sid":"xxxxxxxxxxxxxxxxxxxx","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
const CONNECTED: &[u8] = br#"40{"sid":"xxxxxxxxxxxxxxxxxxxx"}"#;

fn main() -> ExitCode {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok());
    let Some(port) = port else {
        eprintln!("usage: floor PORT");
        return ExitCode::from(2);
    };
    match Floor::bind(port).and_then(Floor::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("floor: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Floor {
    listener: TcpListener,
    epoll: Epoll,
    peers: Vec<Option<Peer>>,
    free: Vec<usize>,
    rooms: HashMap<Vec<u8>, Vec<usize>>,
    ready: Ready,
    /// Frames of this turn's broadcasts, written to every peer at its end.
    pending: Vec<u8>,
}

struct Peer {
    stream: TcpStream,
    upgraded: bool,
    /// The beginning of a frame whose end has not come yet.
    tail: Vec<u8>,
}

/// The frames that are ready to be written, and the answers to a handshake.
struct Ready {
    handshake: Vec<u8>,
    connected: Vec<u8>,
    echo: Fixed,
    bcast: Fixed,
    room: Fixed,
}

/// A frame with a fixed beginning, made anew only when another size is asked for.
struct Fixed {
    beginning: &'static [u8],
    payload_len: usize,
    frame: Vec<u8>,
}

impl Fixed {
    fn new(beginning: &'static [u8]) -> Self {
        Self { beginning, payload_len: 0, frame: Vec::new() }
    }

    fn of_len(&mut self, payload_len: usize) -> &[u8] {
        if self.payload_len != payload_len {
            let filler = payload_len.saturating_sub(self.beginning.len() + 2);
            let payload = [self.beginning, &b"x".repeat(filler), br#""]"#].concat();
            self.payload_len = payload_len;
            self.frame = unmasked_text(&payload);
        }
        &self.frame
    }
}

impl Floor {
    fn bind(port: u16) -> io::Result<Self> {
        sys::raise_file_limit()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        sys::inherit_nodelay(&listener)?;
        println!("listening on {}", listener.local_addr()?);
        let epoll = Epoll::new(1024)?;
        epoll.add(&listener, LISTENER)?;
        let ready = Ready {
            handshake: [RESPONSE, &unmasked_text(OPEN)].concat(),
            connected: unmasked_text(CONNECTED),
            echo: Fixed::new(br#"42["echo",""#),
            bcast: Fixed::new(br#"42["bcast",""#),
            room: Fixed::new(br#"42["room",""#),
        };
        Ok(Self {
            listener,
            epoll,
            peers: Vec::new(),
            free: Vec::new(),
            rooms: HashMap::new(),
            ready,
            pending: Vec::new(),
        })
    }

    fn run(mut self) -> io::Result<()> {
        let mut tokens = Vec::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            self.epoll.wait(None, &mut tokens)?;
            for &token in &tokens {
                if token == LISTENER {
                    self.accept()?;
                } else {
                    self.read(usize::try_from(token).unwrap_or(usize::MAX), &mut buffer);
                }
            }
            self.flush();
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        let stream = match sys::accept_nonblocking(&self.listener) {
            Ok(stream) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        let index = self.free.pop().unwrap_or(self.peers.len());
        self.epoll.add(&stream, index as u64)?;
        let peer = Some(Peer { stream, upgraded: false, tail: Vec::new() });
        match self.peers.get_mut(index) {
            Some(slot) => *slot = peer,
            None => self.peers.push(peer),
        }
        Ok(())
    }

    fn read(&mut self, index: usize, buffer: &mut [u8]) {
        let Some(Some(peer)) = self.peers.get_mut(index) else {
            return;
        };
        let Ok(read @ 1..) = peer.stream.read(buffer) else {
            return self.close(index);
        };
        let mut fresh = buffer.get(..read).unwrap_or_default();
        if !peer.upgraded {
            peer.upgraded = fresh.ends_with(b"\r\n\r\n");
            return peer.write(&self.ready.handshake);
        }
        if peer.tail.is_empty() {
            while let Some(used) = self.frame(index, fresh) {
                fresh = fresh.get(used..).unwrap_or_default();
            }
            self.keep(index, fresh);
        } else {
            let mut joined = std::mem::take(&mut peer.tail);
            joined.extend_from_slice(fresh);
            let mut rest = joined.as_slice();
            while let Some(used) = self.frame(index, rest) {
                rest = rest.get(used..).unwrap_or_default();
            }
            self.keep(index, rest);
        }
    }

    fn keep(&mut self, index: usize, rest: &[u8]) {
        if let Some(Some(peer)) = self.peers.get_mut(index) {
            peer.tail.extend_from_slice(rest);
        }
    }

    /// Answers the frame at the start of `bytes` and says how long it was, if it is there whole.
    fn frame(&mut self, index: usize, bytes: &[u8]) -> Option<usize> {
        let &[first, second, ref rest @ ..] = bytes else {
            return None;
        };
        let (len, mask_at) = match (second & 0x7f, rest) {
            (126, &[a, b, ..]) => (usize::from(u16::from_be_bytes([a, b])), 4),
            (126 | 127, _) => return None,
            (short, _) => (usize::from(short), 2),
        };
        let mask = bytes.get(mask_at..mask_at + 4)?;
        let payload = bytes.get(mask_at + 4..mask_at + 4 + len)?;
        if first == 0x81 {
            let mut start = [0; 40];
            for (slot, (byte, mask)) in start.iter_mut().zip(payload.iter().zip(mask.iter().cycle())) {
                *slot = byte ^ mask;
            }
            self.answer(index, start.get(..len.min(40)).unwrap_or_default(), len);
        }
        Some(mask_at + 4 + len)
    }

    fn answer(&mut self, index: usize, start: &[u8], len: usize) {
        let Some(Some(peer)) = self.peers.get_mut(index) else {
            return;
        };
        let Some(packet) = start.strip_prefix(b"42") else {
            if start == b"40" {
                peer.write(&self.ready.connected);
            }
            return;
        };
        let digits = packet.iter().take_while(|b| b.is_ascii_digit()).count();
        let (id, event) = packet.split_at(digits);
        if event.starts_with(br#"["echo""#) {
            peer.write(self.ready.echo.of_len(len));
        } else if event.starts_with(br#"["bcast""#) {
            self.pending.extend_from_slice(self.ready.bcast.of_len(len));
        } else if event.starts_with(br#"["ack""#) {
            peer.write(&ack(id, len.saturating_sub(br#""ack","#.len())));
        } else if let Some(room) = event.strip_prefix(br#"["join",""#) {
            self.rooms.entry(name(room).to_vec()).or_default().push(index);
            peer.write(&unmasked_text(&[b"43", id, b"[]"].concat()));
        } else if let Some(room) = event.strip_prefix(br#"["room",""#) {
            self.emit(name(room), len);
        }
    }

    fn emit(&mut self, room: &[u8], len: usize) {
        let quotes_and_comma = 3;
        let frame = self.ready.room.of_len(len.saturating_sub(room.len() + quotes_and_comma));
        for &member in self.rooms.get(room).into_iter().flatten() {
            if let Some(Some(peer)) = self.peers.get_mut(member) {
                peer.write(frame);
            }
        }
    }

    fn flush(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        for peer in self.peers.iter_mut().flatten() {
            peer.write(&self.pending);
        }
        self.pending.clear();
    }

    fn close(&mut self, index: usize) {
        if let Some(slot) = self.peers.get_mut(index) {
            *slot = None;
            self.free.push(index);
        }
        for members in self.rooms.values_mut() {
            members.retain(|&member| member != index);
        }
    }
}

impl Peer {
    /// One write. A peer that does not read, or is gone, is found out by its next read.
    fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write(bytes);
    }
}

/// The ack of the same id, its payload as long as the event without its name.
fn ack(id: &[u8], payload_len: usize) -> Vec<u8> {
    let filler = payload_len.saturating_sub(2 + id.len() + 4);
    unmasked_text(&[b"43", id, br#"[""#, &b"x".repeat(filler), br#""]"#].concat())
}

fn name(rest: &[u8]) -> &[u8] {
    rest.split(|&byte| byte == b'"').next().unwrap_or_default()
}
