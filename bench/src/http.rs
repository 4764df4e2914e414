//! HTTP/1.1 from one thread: clients with one request at a time on a kept connection. The scenarios of a plain route, and of
//! an echo over long-polling.
//!
//! It reads what it needs of an answer: the status, and where the body ends. Called by `work`.
//! <https://socket.io/docs/v4/engine-io-protocol/#http-long-polling>

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::error::LoadError;
use crate::meter::Usage;
use crate::outcome::{Outcome, Unit};
use crate::plan::{Plan, repeat};
use crate::sys::Epoll;

const PATIENCE: Duration = Duration::from_secs(10);

/// One request after another to `/`.
pub fn route(plan: &Plan) -> Result<Outcome, LoadError> {
    let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", plan.addr).into_bytes();
    run(plan, Unit::Request, |_, answer| match answer {
        None => Ok(Next { request: request.clone(), done: false }),
        Some(_) => Ok(Next { request: request.clone(), done: true }),
    })
}

/// An event posted, and its answer fetched by a GET.
pub fn polling(plan: &Plan) -> Result<Outcome, LoadError> {
    let mut sessions = vec![Session::default(); plan.case.clients];
    let (addr, payload) = (plan.addr, plan.case.payload);
    run(plan, Unit::RoundTrip, move |index, answer| {
        let session = sessions.get_mut(index).ok_or(LoadError::Lost)?;
        session.next(addr, payload, answer.unwrap_or_default())
    })
}

/// What a client sends next, and whether the answer that it has was the end of a piece of work.
struct Next {
    request: Vec<u8>,
    done: bool,
}

/// A session that polls.
#[derive(Clone, Default)]
struct Session {
    step: Step,
    sid: String,
}

#[derive(Clone, Copy, Default)]
enum Step {
    #[default]
    Open,
    Opened,
    Joining,
    Joined,
    Posted,
    Polled,
}

impl Session {
    fn next(&mut self, addr: SocketAddr, payload: usize, answer: &[u8]) -> Result<Next, LoadError> {
        let text = String::from_utf8_lossy(answer);
        let mut done = false;
        let request = match self.step {
            Step::Open => {
                self.step = Step::Opened;
                self.get(addr)
            }
            Step::Opened => {
                self.sid = text
                    .split("\"sid\":\"")
                    .nth(1)
                    .and_then(|rest| rest.split('"').next())
                    .map(str::to_owned)
                    .ok_or_else(|| LoadError::Handshake(format!("unexpected {text:?}")))?;
                self.step = Step::Joining;
                self.post(addr, "40")
            }
            Step::Joining => {
                self.step = Step::Joined;
                self.get(addr)
            }
            Step::Joined if !text.contains("40{") => self.get(addr),
            Step::Polled if !text.contains("42[") => self.get(addr),
            Step::Joined | Step::Polled => {
                done = matches!(self.step, Step::Polled);
                self.step = Step::Posted;
                self.post(addr, &format!(r#"42["echo","{}"]"#, "x".repeat(payload)))
            }
            Step::Posted => {
                self.step = Step::Polled;
                self.get(addr)
            }
        };
        Ok(Next { request, done })
    }

    fn target(&self) -> String {
        match self.sid.as_str() {
            "" => "/socket.io/?EIO=4&transport=polling".to_owned(),
            sid => format!("/socket.io/?EIO=4&transport=polling&sid={sid}"),
        }
    }

    fn get(&self, addr: SocketAddr) -> Vec<u8> {
        format!("GET {} HTTP/1.1\r\nHost: {addr}\r\n\r\n", self.target()).into_bytes()
    }

    fn post(&self, addr: SocketAddr, body: &str) -> Vec<u8> {
        let (target, length) = (self.target(), body.len());
        format!("POST {target} HTTP/1.1\r\nHost: {addr}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}")
            .into_bytes()
    }
}

/// A client with one request at a time.
struct Client {
    stream: TcpStream,
    answer: Answer,
}

/// Repeats requests on every client; `next` is told the body of the answer, and `None` at the start.
fn run(
    plan: &Plan,
    unit: Unit,
    mut next: impl FnMut(usize, Option<&[u8]>) -> Result<Next, LoadError>,
) -> Result<Outcome, LoadError> {
    let mut epoll = Epoll::new(1024).map_err(|e| LoadError::Io("epoll", e))?;
    let mut clients = Vec::new();
    for index in 0..plan.case.clients {
        let stream = TcpStream::connect(plan.addr).map_err(|e| LoadError::Io("connect", e))?;
        stream.set_nodelay(true).map_err(|e| LoadError::Io("connect", e))?;
        stream.set_nonblocking(true).map_err(|e| LoadError::Io("connect", e))?;
        epoll.add(&stream, index as u64).map_err(|e| LoadError::Io("epoll", e))?;
        let mut client = Client { stream, answer: Answer::default() };
        client.send(&next(index, None)?.request)?;
        clients.push(client);
    }
    let mut done = 0;
    let mut tokens = Vec::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut last = Instant::now();
    let mut turn = |done: &mut u64| -> Result<(), LoadError> {
        epoll.wait(Some(PATIENCE), &mut tokens).map_err(|e| LoadError::Io("epoll", e))?;
        if tokens.is_empty() && last.elapsed() > PATIENCE {
            return Err(LoadError::Stalled);
        }
        last = Instant::now();
        for &token in &tokens {
            let index = usize::try_from(token).unwrap_or(usize::MAX);
            let client = clients.get_mut(index).ok_or(LoadError::Lost)?;
            if let Some(body) = client.read(&mut buffer)? {
                let next = next(index, Some(&body))?;
                *done += u64::from(next.done);
                client.send(&next.request)?;
            }
        }
        Ok(())
    };
    repeat(plan.warm_up(), || turn(&mut done))?;
    done = 0;
    let before = Usage::of(plan.server_pid)?;
    let took = repeat(plan.duration, || turn(&mut done))?;
    let used = Usage::of(plan.server_pid)? - before;
    let mut outcome = Outcome::of_work(unit, done, used, took);
    outcome.clients = plan.case.clients;
    Ok(outcome)
}

impl Client {
    fn send(&mut self, request: &[u8]) -> Result<(), LoadError> {
        match self.stream.write(request) {
            Ok(written) if written == request.len() => Ok(()),
            Ok(_) => Err(LoadError::NotRead),
            Err(e) => Err(LoadError::Io("write", e)),
        }
    }

    /// The body of the answer, once it is whole.
    fn read(&mut self, buffer: &mut [u8]) -> Result<Option<Vec<u8>>, LoadError> {
        match self.stream.read(buffer) {
            Ok(0) => Err(LoadError::Lost),
            Ok(read) => self.answer.feed(buffer.get(..read).unwrap_or_default()),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(e) => Err(LoadError::Io("read", e)),
        }
    }
}

/// An answer that is under way.
#[derive(Default)]
struct Answer {
    received: Vec<u8>,
}

impl Answer {
    fn feed(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, LoadError> {
        self.received.extend_from_slice(bytes);
        let Some(end) = self.received.windows(4).position(|w| w == b"\r\n\r\n") else {
            return Ok(None);
        };
        let (head, body) = self.received.split_at(end + 4);
        let head = String::from_utf8_lossy(head);
        if !head.starts_with("HTTP/1.1 200 ") {
            let line = head.lines().next().unwrap_or_default();
            return Err(LoadError::Handshake(format!("unexpected {line:?}")));
        }
        let field = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(':'));
            lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
        };
        let whole = match field("content-length").and_then(|length| length.parse::<usize>().ok()) {
            Some(length) => body.len() >= length,
            None if field("transfer-encoding").is_some() => body.ends_with(b"0\r\n\r\n"),
            None => return Err(LoadError::Handshake("an answer without an end".to_owned())),
        };
        if !whole {
            return Ok(None);
        }
        let body = body.to_vec();
        self.received.clear();
        Ok(Some(body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_may_come_byte_by_byte_and_ends_where_its_head_says() {
        for text in [
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ] {
            let mut answer = Answer::default();
            let (last, first) = text.as_bytes().split_last().unwrap();
            for byte in first {
                assert_eq!(answer.feed(&[*byte]).unwrap(), None);
            }
            let body = answer.feed(&[*last]).unwrap().expect("it is whole");
            assert!(text.ends_with(std::str::from_utf8(&body).unwrap()) && !body.is_empty());
        }
        assert!(Answer::default().feed(b"HTTP/1.1 400 Bad Request\r\n\r\n").is_err());
    }
}
