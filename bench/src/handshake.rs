//! The way into the default namespace, as a client walks it over WebSocket alone: request, 101,
//! open packet `0{…}`, `40`, `40{…}`.
//!
//! Not a check of the server: `Sec-WebSocket-Accept` is not looked at. Called by the fleet.
//! <https://socket.io/docs/v4/engine-io-protocol/#handshake>

use std::net::SocketAddr;

use crate::error::LoadError;
use crate::frame::masked_text;

/// Which headers the request has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Headers {
    /// What the protocol asks for, and no more.
    Bare,
    /// What Chrome sends from a page, some 600 bytes more. Compression is not offered, so that
    /// every server sends the same bytes.
    Browser,
}

const BROWSER: &str = "Pragma: no-cache\r\n\
Cache-Control: no-cache\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Accept-Language: en-GB,en;q=0.9,en-US;q=0.8,de;q=0.7\r\n\
Sec-Fetch-Dest: websocket\r\n\
Sec-Fetch-Mode: websocket\r\n\
Sec-Fetch-Site: same-origin\r\n\
Cookie: _ga=GA1.1.1234567890.1700000000; _ga_ABCDEFGHIJ=GS1.1.1700000000.1.1.1700000100.0.0.0; theme=dark; locale=en-GB; consent=analytics.none; session=eyJ1c2VyIjoiYWxpY2UifQ.ZVQm0w.3cO1mB6mRrVZt0Yk5WqJ7nXh2sE\r\n\
Sec-GPC: 1\r\n";

/// The upgrade request, the same for every client.
pub fn request(addr: SocketAddr, headers: Headers) -> Vec<u8> {
    let browser = match headers {
        Headers::Bare => String::new(),
        Headers::Browser => format!("Origin: http://{addr}\r\n{BROWSER}"),
    };
    format!(
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n\
         Host: {addr}\r\n\
         Connection: Upgrade\r\n\
         Upgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         {browser}\r\n"
    )
    .into_bytes()
}

/// The frame that joins the default namespace.
pub fn connect_frame() -> Vec<u8> {
    masked_text(b"40")
}

/// A handshake that is under way.
#[derive(Debug, Default)]
pub struct Handshake {
    received: Vec<u8>,
    awaits: Awaits,
}

#[derive(Debug, Default, Clone, Copy)]
enum Awaits {
    #[default]
    Response,
    Open,
    Connected,
}

/// What the client does next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Wait for more bytes.
    Wait,
    /// Send the connect frame, then wait.
    SendConnect,
    /// Answer a ping, then feed nothing: more may have come already. Some servers ping before the namespace is joined.
    SendPong,
    /// The namespace is joined; these bytes came after the answer.
    Joined(Vec<u8>),
}

impl Handshake {
    /// Takes what was read and says what to do.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Step, LoadError> {
        self.received.extend_from_slice(bytes);
        if matches!(self.awaits, Awaits::Response) && !self.take_response()? {
            return Ok(Step::Wait);
        }
        let Some(packet) = self.take_packet()? else {
            return Ok(Step::Wait);
        };
        match self.awaits {
            Awaits::Connected if packet.starts_with(b"40{") => {
                Ok(Step::Joined(std::mem::take(&mut self.received)))
            }
            Awaits::Connected if packet == b"2" => Ok(Step::SendPong),
            Awaits::Open if packet.starts_with(b"0{") => {
                self.awaits = Awaits::Connected;
                Ok(Step::SendConnect)
            }
            _ => Err(unexpected(&packet)),
        }
    }

    fn take_response(&mut self) -> Result<bool, LoadError> {
        let Some(end) = self.received.windows(4).position(|w| w == b"\r\n\r\n") else {
            return Ok(false);
        };
        if !self.received.starts_with(b"HTTP/1.1 101 ") {
            return Err(unexpected(&self.received));
        }
        self.received.drain(..end + 4);
        self.awaits = Awaits::Open;
        Ok(true)
    }

    /// The next short text frame's payload. The two packets of a handshake are never long.
    fn take_packet(&mut self) -> Result<Option<Vec<u8>>, LoadError> {
        let (len, start) = match *self.received.as_slice() {
            [0x81, 126, a, b, ..] => (usize::from(u16::from_be_bytes([a, b])), 4),
            [0x81, short @ 0..126, ..] => (usize::from(short), 2),
            [0x81, 126, ..] | [0x81] | [] => return Ok(None),
            _ => return Err(unexpected(&self.received)),
        };
        let Some(payload) = self.received.get(start..start + len) else {
            return Ok(None);
        };
        let payload = payload.to_vec();
        self.received.drain(..start + len);
        Ok(Some(payload))
    }
}

fn unexpected(bytes: &[u8]) -> LoadError {
    let start = bytes.get(..bytes.len().min(80)).unwrap_or_default();
    LoadError::Handshake(format!("unexpected {:?}", String::from_utf8_lossy(start)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::unmasked_text;

    #[test]
    fn the_three_answers_may_come_byte_by_byte() {
        let mut answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n".to_vec();
        answer.extend(unmasked_text(format!("0{{\"sid\":\"{}\"}}", "a".repeat(150)).as_bytes()));
        answer.extend(unmasked_text(b"2"));
        answer.extend(unmasked_text(b"40{\"sid\":\"b\"}"));
        answer.push(0x81);
        let mut handshake = Handshake::default();
        let mut steps = Vec::new();
        for byte in &answer[..answer.len() - 2] {
            steps.push(handshake.feed(&[*byte]).expect("valid"));
        }
        steps.retain(|step| *step != Step::Wait);
        assert_eq!(steps, [Step::SendConnect, Step::SendPong]);
        let last = handshake.feed(&answer[answer.len() - 2..]).expect("valid");
        assert_eq!(last, Step::Joined(vec![0x81]));
    }

    #[test]
    fn another_status_or_packet_is_refused_with_its_text() {
        let refused = Handshake::default().feed(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        assert!(refused.unwrap_err().to_string().contains("400 Bad Request"));
        let mut handshake = Handshake::default();
        let mut answer = b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec();
        answer.extend(unmasked_text(b"44{}"));
        assert!(handshake.feed(&answer).is_err());
    }

    #[test]
    fn browser_headers_add_what_a_browser_adds() {
        let addr = SocketAddr::from(([127, 0, 0, 1], 5000));
        let bare = request(addr, Headers::Bare).len();
        let browser = request(addr, Headers::Browser).len();
        assert!((550..700).contains(&(browser - bare)), "{}", browser - bare);
    }
}
