//! The head of a WebSocket handshake, read where it lies and kept in one block: hyper's parser (httparse) without hyper.
//!
//! Only the plainest head is taken, so that there is nothing in it that the HTTP server would read in another way;
//! everything else is left to that. Called for what a new connection says first (`arrival.rs`).

use std::borrow::Cow;
use std::mem::MaybeUninit;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Version};
use smallvec::SmallVec;

use super::head::{Head, MAX_HEAD_BYTES, MAX_HEADERS};

/// A head that was parsed here: a GET of HTTP/1.1 in ASCII, without a body, that asks for the transport WebSocket and
/// names no header twice.
pub(super) struct RawHead {
    text: Box<str>,
    target: Span,
    headers: SmallVec<[(Span, Span); 24]>,
    /// What came behind the head.
    leftover: Box<[u8]>,
}

/// Where something lies in the text: from, to.
type Span = (u16, u16);

impl RawHead {
    /// The handshake for `path` at the start of `bytes`. `None`: a request for the HTTP server, or not the whole of one.
    pub(super) fn parse(bytes: &[u8], path: &str) -> Option<Self> {
        if !is_websocket_target(bytes, path) {
            return None;
        }
        let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut []);
        let length = match request.parse_with_uninit_headers(bytes, &mut headers) {
            Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD_BYTES => length,
            Ok(_) | Err(_) => return None,
        };
        let (text, leftover) = bytes.split_at_checked(length)?;
        let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii())?;
        let target = request.path.filter(|target| target.bytes().all(is_plain))?;
        if request.version != Some(1) || !has_plain_headers(request.headers) {
            return None;
        }
        let span = |part: &[u8]| {
            let from = part.as_ptr().addr() - bytes.as_ptr().addr();
            Some((u16::try_from(from).ok()?, u16::try_from(from + part.len()).ok()?))
        };
        let spans =
            |header: &httparse::Header<'_>| Some((span(header.name.as_bytes())?, span(header.value)?));
        Some(Self {
            text: text.into(),
            target: span(target.as_bytes())?,
            headers: request.headers.iter().map(spans).collect::<Option<_>>()?,
            leftover: leftover.into(),
        })
    }

    /// What came behind the head.
    pub(super) fn leftover(&self) -> &[u8] {
        &self.leftover
    }

    /// All that was read.
    pub(super) fn into_bytes(self) -> Bytes {
        [self.text.as_bytes(), &self.leftover].concat().into()
    }

    fn part(&self, (from, to): Span) -> &str {
        self.text.get(usize::from(from)..usize::from(to)).unwrap_or_default()
    }
}

/// Whether bytes begin with a request line that asks for a WebSocket of this path. Others need not be parsed here.
fn is_websocket_target(bytes: &[u8], path: &str) -> bool {
    let query = bytes.strip_prefix(b"GET ").and_then(|rest| rest.strip_prefix(path.as_bytes()));
    let query = query.and_then(|rest| rest.strip_prefix(b"?")).unwrap_or_default();
    let query = query.split(|&byte| byte == b' ').next().unwrap_or_default();
    query.split(|&byte| byte == b'&').any(|pair| pair == b"transport=websocket")
}

/// What RFC 3986 allows in a path and a query.
fn is_plain(byte: u8) -> bool {
    matches!(byte,
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')'
        | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@' | b'/' | b'?' | b'%')
}

/// Whether nothing is said of a body, and nothing twice.
fn has_plain_headers(headers: &[httparse::Header<'_>]) -> bool {
    const OF_A_BODY: [HeaderName; 3] = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::EXPECT];
    // A bit for each length of a name that was seen: only names of one length have to be compared.
    let mut lengths = 0_u64;
    headers.iter().enumerate().all(|(index, header)| {
        let length = 1 << (header.name.len() % 64);
        let earlier = if lengths & length == 0 { &[] } else { headers.get(..index).unwrap_or_default() };
        lengths |= length;
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        !earlier.iter().any(|other| is(other.name)) && !OF_A_BODY.iter().any(|name| is(name.as_str()))
    })
}

impl Head for RawHead {
    fn method(&self) -> &Method {
        &Method::GET
    }

    fn version(&self) -> Version {
        Version::HTTP_11
    }

    fn target(&self) -> &str {
        self.part(self.target)
    }

    fn all(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]> {
        let name = name.as_str();
        let is_named = |(from, to): Span| {
            usize::from(to - from) == name.len() && self.part((from, to)).eq_ignore_ascii_case(name)
        };
        let named = self.headers.iter().filter(move |(other, _)| is_named(*other));
        named.map(|(_, value)| self.part(*value).as_bytes())
    }

    fn headers(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        self.headers.iter().map(|(name, value)| (self.part(*name), Cow::Borrowed(self.part(*value))))
    }

    fn size(&self) -> (usize, usize) {
        let length = |(from, to): Span| usize::from(to - from);
        let bytes = self.headers.iter().map(|(name, value)| length(*name) + length(*value) + 4);
        (self.headers.len(), bytes.sum())
    }

    fn header_map(&self) -> Cow<'_, HeaderMap> {
        let pair = |(name, value): (&str, Cow<'_, str>)| {
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(&value).ok()?))
        };
        Cow::Owned(self.headers().filter_map(pair).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/socket.io/";
    const PLAIN: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nX-Empty:\r\nCookie:  b=c \r\n\r\n";

    #[test]
    fn a_plain_head_is_read_and_what_follows_is_kept() {
        let bytes = [PLAIN.as_bytes(), b"\x81\x82rest"].concat();
        let head = RawHead::parse(&bytes, PATH).unwrap();
        assert_eq!(head.target(), "/socket.io/?EIO=4&transport=websocket");
        assert_eq!(head.query(), "EIO=4&transport=websocket");
        let headers: Vec<_> = head.headers().collect();
        assert_eq!(headers.len(), 5);
        assert_eq!(headers[3..], [("X-Empty", "".into()), ("Cookie", "b=c".into())]);
        assert_eq!(head.first(&header::COOKIE), Some(&b"b=c"[..]));
        assert_eq!(head.all(&header::ORIGIN).count(), 0);
        assert_eq!(head.header_map().len(), 5);
        assert_eq!(head.leftover(), b"\x81\x82rest");
        assert_eq!(head.into_bytes(), bytes);
    }

    #[test]
    fn nothing_but_a_whole_plain_head_is_taken() {
        for end in 0..PLAIN.len() {
            assert!(RawHead::parse(&PLAIN.as_bytes()[..end], PATH).is_none(), "{end}");
        }
        for (old, new) in [
            ("GET", "POST"),
            ("GET", "get"),
            ("GET /", "GET http://a/"),
            ("1.1", "1.0"),
            ("/socket.io/", "/socket.iox/"),
            ("/socket.io/?", "/socket.io/a?"),
            ("=websocket", "=polling"),
            ("=websocket", "=websocket|"),
            ("Cookie", "Host"),
            ("Cookie", "hOST"),
            ("Cookie", "Content-Length"),
            ("Cookie", "Transfer-Encoding"),
            ("Cookie", "Expect"),
            ("Cookie:", "Cookie :"),
            ("Cookie", " Cookie"),
            ("b=c", "\u{e9}"),
            ("b=c", "\x01"),
        ] {
            assert!(RawHead::parse(PLAIN.replacen(old, new, 1).as_bytes(), PATH).is_none(), "{old} {new}");
        }
    }

    #[test]
    fn a_byte_that_is_another_breaks_nothing() {
        for at in 0..PLAIN.len() {
            for byte in [0, b'\t', b'\n', b'\r', b' ', b':', b'?', b'a', 0x7f, 0x80, 0xc3, 0xff] {
                let mut bytes = PLAIN.as_bytes().to_vec();
                bytes[at] = byte;
                let Some(head) = RawHead::parse(&bytes, PATH) else {
                    continue;
                };
                assert_eq!(head.headers().count(), head.size().0);
                assert!(head.target().starts_with(PATH));
                assert_eq!(head.into_bytes(), bytes);
            }
        }
    }
}
