//! The clients of a measurement: one thread, one epoll instance, non-blocking sockets. Joins them
//! to the default namespace, counts what arrives and answers Engine.IO pings.
//!
//! Knows nothing of events: the scenarios say what to send and what the arrivals mean.
//! <https://socket.io/docs/v4/engine-io-protocol/>

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::error::LoadError;
use crate::frame::{FrameCounter, Tally, masked_text};
use crate::handshake::{self, Handshake, Headers, Step};
use crate::sys::{self, Epoll};

/// Connections that may be in their handshake at one time; less than any server's backlog.
const OPENING_AT_ONCE: usize = 32;
const PATIENCE: Duration = Duration::from_secs(10);

/// What happened to a client, by its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It joined the namespace.
    Joined(usize),
    /// So many messages came in one read.
    Messages(usize, u64),
    /// A read had a stamp in it, as [`Fleet::find_stamps`] finds them.
    Stamp(usize, u64),
    /// The server closed its side after the client did.
    Ended(usize),
}

/// Finds what a server wrote into its messages, such as a time, in the bytes of one read.
pub type FindStamps = fn(&[u8], &mut Vec<u64>);

/// All clients of one measurement.
#[derive(Debug)]
pub struct Fleet {
    addr: SocketAddr,
    request: Vec<u8>,
    connect: Vec<u8>,
    pong: Vec<u8>,
    epoll: Epoll,
    clients: Vec<Option<Client>>,
    tokens: Vec<u64>,
    arrivals: Vec<Arrival>,
    buffer: Vec<u8>,
    last_progress: Instant,
    /// How many at the end take no part.
    bystanders: usize,
    segments_before: u64,
    find_stamps: Option<FindStamps>,
    stamps: Vec<u64>,
    /// What arrived since it was last reset.
    pub tally: Tally,
}

#[derive(Debug)]
struct Client {
    stream: TcpStream,
    counter: FrameCounter,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Handshake(Handshake),
    Joined,
    Closing,
}

impl Fleet {
    /// A fleet without clients.
    pub fn new(addr: SocketAddr, headers: Headers) -> Result<Self, LoadError> {
        Ok(Self {
            addr,
            request: handshake::request(addr, headers),
            connect: handshake::connect_frame(),
            pong: masked_text(b"3"),
            epoll: Epoll::new(1024).map_err(|e| LoadError::Io("epoll", e))?,
            clients: Vec::new(),
            tokens: Vec::new(),
            arrivals: Vec::new(),
            buffer: vec![0; 256 * 1024],
            last_progress: Instant::now(),
            bystanders: 0,
            segments_before: 0,
            find_stamps: None,
            stamps: Vec::new(),
            tally: Tally::default(),
        })
    }

    /// So many clients at the end take no part from here on: they stay connected and answer pings.
    pub fn set_aside(&mut self, bystanders: usize) {
        self.bystanders = bystanders;
    }

    /// So many clients at the end take no part, and nothing of theirs is read, not even a ping.
    pub fn stop_reading(&mut self, clients: usize) -> Result<(), LoadError> {
        self.set_aside(clients);
        for client in self.clients.iter().skip(self.len()).flatten() {
            self.epoll.remove(&client.stream).map_err(|e| LoadError::Io("epoll", e))?;
        }
        Ok(())
    }

    /// From here on what is read is looked at too; else it is only counted. A stamp that two reads share is not found.
    pub fn find_stamps(&mut self, find: FindStamps) {
        self.find_stamps = Some(find);
    }

    /// Those at the end whose connections have ended are no clients any longer.
    pub fn forget_ended(&mut self) {
        while self.clients.pop_if(|client| client.is_none()).is_some() {}
    }

    /// Segments with data that the clients have received since the last reset: the server's writes, as long as each is small.
    pub fn segments(&self) -> Result<u64, LoadError> {
        Ok(self.all_segments()?.saturating_sub(self.segments_before))
    }

    fn all_segments(&self) -> Result<u64, LoadError> {
        let streams = self.clients.iter().take(self.len()).flatten().map(|client| &client.stream);
        let sum = streams.map(sys::segments_received).sum::<io::Result<u64>>();
        sum.map_err(|e| LoadError::Io("TCP_INFO", e))
    }

    /// How many clients take part.
    pub fn len(&self) -> usize {
        self.clients.len() - self.bystanders
    }

    /// How many there are with those that take no part.
    pub fn connected(&self) -> usize {
        self.clients.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds clients until there are `count`, and waits until all have joined the namespace.
    pub fn grow(&mut self, count: usize) -> Result<(), LoadError> {
        let mut joined = self.len();
        while joined < count {
            while self.len() < count && self.len() - joined < OPENING_AT_ONCE {
                self.open(self.len())?;
            }
            joined += self.turn()?.iter().filter(|arrival| matches!(arrival, Arrival::Joined(_))).count();
        }
        Ok(())
    }

    /// Opens the client at `index` and sends its request.
    pub fn open(&mut self, index: usize) -> Result<(), LoadError> {
        let stream = connect(self.addr).map_err(|e| LoadError::Io("connect", e))?;
        self.epoll.add(&stream, index as u64).map_err(|e| LoadError::Io("epoll", e))?;
        let client = Client {
            stream,
            counter: FrameCounter::default(),
            phase: Phase::Handshake(Handshake::default()),
        };
        send(&client.stream, &self.request)?;
        if self.clients.len() <= index {
            self.clients.resize_with(index + 1, || None);
        }
        if let Some(slot) = self.clients.get_mut(index) {
            *slot = Some(client);
        }
        Ok(())
    }

    /// Closes the client's side; [`Arrival::Ended`] comes when the server has closed its own.
    pub fn close(&mut self, index: usize) -> Result<(), LoadError> {
        let client = client_mut(&mut self.clients, index)?;
        client.phase = Phase::Closing;
        client.stream.shutdown(Shutdown::Write).map_err(|e| LoadError::Io("shutdown", e))
    }

    /// Writes frames on the client's connection, in one call.
    pub fn send(&mut self, index: usize, frames: &[u8]) -> Result<(), LoadError> {
        send(&client_mut(&mut self.clients, index)?.stream, frames)
    }

    /// Waits for bytes and reads each connection that has some once.
    pub fn turn(&mut self) -> Result<&[Arrival], LoadError> {
        self.turn_within(PATIENCE)?;
        if !self.arrivals.is_empty() {
            self.last_progress = Instant::now();
        } else if self.last_progress.elapsed() > PATIENCE {
            return Err(LoadError::Stalled);
        }
        Ok(&self.arrivals)
    }

    /// The same, where nothing need arrive.
    pub fn turn_within(&mut self, timeout: Duration) -> Result<&[Arrival], LoadError> {
        self.arrivals.clear();
        let mut tokens = std::mem::take(&mut self.tokens);
        self.epoll.wait(Some(timeout), &mut tokens).map_err(|e| LoadError::Io("epoll", e))?;
        for &token in &tokens {
            self.read(usize::try_from(token).unwrap_or(usize::MAX))?;
        }
        self.tokens = tokens;
        Ok(&self.arrivals)
    }

    /// Turns until so many more messages have arrived, whoever got them.
    pub fn receive(&mut self, messages: u64) -> Result<(), LoadError> {
        let enough = self.tally.messages + messages;
        while self.tally.messages < enough {
            self.turn()?;
        }
        Ok(())
    }

    /// Counts from zero again.
    pub fn reset(&mut self) -> Result<(), LoadError> {
        self.segments_before = self.all_segments()?;
        self.tally = Tally::default();
        self.last_progress = Instant::now();
        Ok(())
    }

    fn read(&mut self, index: usize) -> Result<(), LoadError> {
        let Some(Some(client)) = self.clients.get_mut(index) else {
            // A process that is just being forked keeps a closed socket in epoll for a moment.
            return Ok(());
        };
        let read = match client.stream.read(&mut self.buffer) {
            Ok(0) => return self.end(index),
            Ok(read) => read,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(_) if matches!(client.phase, Phase::Closing) => return self.end(index),
            Err(e) => return Err(LoadError::Io("read", e)),
        };
        let bytes = self.buffer.get(..read).unwrap_or_default();
        match &mut client.phase {
            Phase::Closing => Ok(()),
            Phase::Joined => {
                let mut news = Tally::default();
                client.counter.feed(bytes, &mut news)?;
                if let Some(find) = self.find_stamps {
                    find(bytes, &mut self.stamps);
                    self.arrivals.extend(self.stamps.drain(..).map(|stamp| Arrival::Stamp(index, stamp)));
                }
                self.count(index, news)
            }
            Phase::Handshake(handshake) => {
                let mut step = handshake.feed(bytes)?;
                while step == Step::SendPong {
                    send(&client.stream, &self.pong)?;
                    step = handshake.feed(&[])?;
                }
                match step {
                    Step::Wait | Step::SendPong => Ok(()),
                    Step::SendConnect => send(&client.stream, &self.connect),
                    Step::Joined(rest) => {
                        let mut news = Tally::default();
                        client.phase = Phase::Joined;
                        client.counter.feed(&rest, &mut news)?;
                        self.arrivals.push(Arrival::Joined(index));
                        self.count(index, news)
                    }
                }
            }
        }
    }

    fn count(&mut self, index: usize, news: Tally) -> Result<(), LoadError> {
        if news.closes > 0 {
            return Err(LoadError::Lost);
        }
        if news.messages > 0 {
            self.tally.messages += news.messages;
            self.tally.payload_bytes += news.payload_bytes;
            self.arrivals.push(Arrival::Messages(index, news.messages));
        }
        self.tally.pings += news.pings;
        for _ in 0..news.pings {
            send(&client_mut(&mut self.clients, index)?.stream, &self.pong)?;
        }
        Ok(())
    }

    fn end(&mut self, index: usize) -> Result<(), LoadError> {
        let ended = self.clients.get_mut(index).and_then(Option::take);
        match ended.map(|client| client.phase) {
            Some(Phase::Closing) => {
                self.arrivals.push(Arrival::Ended(index));
                Ok(())
            }
            _ => Err(LoadError::Lost),
        }
    }
}

fn client_mut(clients: &mut [Option<Client>], index: usize) -> Result<&mut Client, LoadError> {
    clients.get_mut(index).and_then(Option::as_mut).ok_or(LoadError::Lost)
}

fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(addr)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

fn send(mut stream: &TcpStream, bytes: &[u8]) -> Result<(), LoadError> {
    match stream.write(bytes) {
        Ok(written) if written == bytes.len() => Ok(()),
        Ok(_) => Err(LoadError::NotRead),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Err(LoadError::NotRead),
        Err(e) => Err(LoadError::Io("write", e)),
    }
}
