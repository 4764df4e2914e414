//! The opening request: what its query says, how it is refused, and the `open` packet.
//!
//! Pure data, and no order of checks: the server asks the fields of [`Query`] in the order that its
//! documentation gives. Not the HTTP answer (status line, CORS, cookies), and not the rest of the
//! life of a session. Spec: Engine.IO protocol, "Handshake"; the codes are those of Node's server.

use std::{borrow::Cow, fmt, io::Write as _, time::Duration};

use crate::{Sid, Transport};

/// A revision of the Engine.IO protocol, the query's `EIO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Revision {
    /// `EIO=4`.
    V4,
}

/// What the query of a request to the engine says.
///
/// A field is an error where its parameter cannot be served. The server asks in Node's order, and
/// its first refusal wins:
///
/// 1. [`parse`](Self::parse) itself: one parameter with two values is [`HandshakeError::BadRequest`];
/// 2. `transport`: known, and switched on, else `UnknownTransport`;
/// 3. with a `sid`: the session exists, else `UnknownSid`; it is on this transport, or this is an
///    upgrade, else `BadRequest`; an upgrade is of the session's own `revision`, else `BadRequest`;
/// 4. without one: the method is GET, else `BadMethod`; `websocket` comes with an `Upgrade`, else
///    `BadRequest`; origin and the application's hook, else `Forbidden`; and only then `revision`,
///    else `UnsupportedVersion`.
///
/// ```
/// use erlen_engineio::{Transport, handshake::{Query, Revision}};
///
/// let query = Query::parse("EIO=4&transport=polling&t=abc").unwrap();
/// assert_eq!(query.transport, Ok(Transport::Polling));
/// assert_eq!(query.sid, Ok(None));
/// assert_eq!(query.revision, Ok(Revision::V4));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// `transport`; missing is as bad as unknown.
    pub transport: Result<Transport, HandshakeError>,
    /// `sid`, if there is one; what does not have the form of a sid is unknown, the empty one too.
    pub sid: Result<Option<Sid>, HandshakeError>,
    /// `EIO`; missing is as bad as another revision.
    pub revision: Result<Revision, HandshakeError>,
}

impl Query {
    /// Reads a query, the part of the target behind `?`.
    ///
    /// Names and values are percent-decoded; what is not well encoded stands for itself. Other
    /// parameters belong to the application and are skipped.
    ///
    /// # Errors
    /// [`HandshakeError::BadRequest`] if `transport`, `sid` or `EIO` is given twice with different
    /// values: no two readers may ever understand one request in two ways.
    pub fn parse(query: &str) -> Result<Self, HandshakeError> {
        // Mostly nothing is encoded, which one look at the whole tells sooner than one at each part.
        if is_encoded(query) {
            return Self::of(pairs(query).map(|(name, value)| (percent_decode(name), percent_decode(value))));
        }
        Self::of(pairs(query))
    }

    fn of<T: AsRef<str> + PartialEq>(pairs: impl Iterator<Item = (T, T)>) -> Result<Self, HandshakeError> {
        let (mut transport, mut sid, mut revision) = (None, None, None);
        for (name, value) in pairs {
            let slot = match name.as_ref() {
                "transport" => &mut transport,
                "sid" => &mut sid,
                "EIO" => &mut revision,
                _ => continue,
            };
            if slot.as_ref().is_some_and(|before| *before != value) {
                return Err(HandshakeError::BadRequest);
            }
            *slot = Some(value);
        }
        Ok(Self {
            transport: transport
                .and_then(|name| Transport::from_name(name.as_ref()))
                .ok_or(HandshakeError::UnknownTransport),
            sid: sid.map(|sid| Sid::parse(sid.as_ref()).ok_or(HandshakeError::UnknownSid)).transpose(),
            revision: match revision.as_ref().map(AsRef::as_ref) {
                Some("4") => Ok(Revision::V4),
                _ => Err(HandshakeError::UnsupportedVersion),
            },
        })
    }
}

/// The names and values of a query, as they are written.
fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = Some(query);
    std::iter::from_fn(move || {
        let (pair, others) = cut(rest?, b'&');
        rest = others;
        let (name, value) = cut(pair, b'=');
        Some((name, value.unwrap_or_default()))
    })
}

/// What is before an ASCII character, and what is behind it.
fn cut(text: &str, at: u8) -> (&str, Option<&str>) {
    let before = memchr::memchr(at, text.as_bytes()).and_then(|index| text.split_at_checked(index));
    before.map_or((text, None), |(before, behind)| (before, behind.get(1..)))
}

/// Form decoding of a query's name or value: `+` is a space, `%XX` a byte, anything else itself; what is no UTF-8 is
/// replaced.
pub fn percent_decode(text: &str) -> Cow<'_, str> {
    if !is_encoded(text) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = next_byte(rest) {
        bytes.push(byte);
        rest = behind;
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether anything in a text may stand for something else.
fn is_encoded(text: &str) -> bool {
    memchr::memchr2(b'%', b'+', text.as_bytes()).is_some()
}

fn next_byte(text: &[u8]) -> Option<(u8, &[u8])> {
    if let [b'%', high, low, behind @ ..] = text
        && let Some(byte) = hex_byte(*high, *low)
    {
        return Some((byte, behind));
    }
    let (first, behind) = text.split_first()?;
    let byte = if *first == b'+' { b' ' } else { *first };
    Some((byte, behind))
}

fn hex_byte(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

/// Why a request to the engine is refused, with Node's codes and texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HandshakeError {
    /// 0: no transport, or none that is served.
    UnknownTransport,
    /// 1: there is no such session.
    UnknownSid,
    /// 2: a session is opened with GET.
    BadMethod,
    /// 3: the request contradicts itself or the state of its session.
    BadRequest,
    /// 4: the origin, or the application's hook, does not allow it.
    Forbidden,
    /// 5: a revision of the protocol that is not served.
    UnsupportedVersion,
}

impl HandshakeError {
    /// The number that clients read.
    pub fn code(self) -> u8 {
        match self {
            Self::UnknownTransport => 0,
            Self::UnknownSid => 1,
            Self::BadMethod => 2,
            Self::BadRequest => 3,
            Self::Forbidden => 4,
            Self::UnsupportedVersion => 5,
        }
    }

    /// The text that clients read.
    pub fn message(self) -> &'static str {
        match self {
            Self::UnknownTransport => "Transport unknown",
            Self::UnknownSid => "Session ID unknown",
            Self::BadMethod => "Bad handshake method",
            Self::BadRequest => "Bad request",
            Self::Forbidden => "Forbidden",
            Self::UnsupportedVersion => "Unsupported protocol version",
        }
    }

    /// The HTTP status of the answer to a request without `Upgrade`; with one it is always 400.
    pub fn status(self) -> u16 {
        match self {
            Self::Forbidden => 403,
            _ => 400,
        }
    }

    /// The JSON body of the answer to a request without `Upgrade`; with one it is the bare
    /// [`message`](Self::message).
    pub fn body(self) -> String {
        format!(r#"{{"code":{},"message":"{}"}}"#, self.code(), self.message())
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for HandshakeError {}

/// Appends the packet that opens a session.
///
/// `upgrades_websocket` says whether the client is told that it may move to WebSocket.
pub fn open_packet(
    buf: &mut Vec<u8>,
    sid: &Sid,
    upgrades_websocket: bool,
    ping_interval: Duration,
    ping_timeout: Duration,
    max_payload: usize,
) {
    let upgrades = if upgrades_websocket { r#""websocket""# } else { "" };
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    buf.extend_from_slice(br#"0{"sid":""#);
    buf.extend_from_slice(sid.as_str().as_bytes());
    // A vector takes whatever is written.
    let _ = write!(
        buf,
        r#"","upgrades":[{upgrades}],"pingInterval":{},"pingTimeout":{},"maxPayload":{max_payload}}}"#,
        millis(ping_interval),
        millis(ping_timeout),
    );
}
