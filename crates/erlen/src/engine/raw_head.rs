//! The head of a request to the engine, read where it lies and kept in one block: hyper's parser (httparse) without hyper.
//!
//! Only the plainest head is taken, so that there is nothing in it that the HTTP server would read in another way;
//! everything else is left to that. Called for what a connection says next (`arrival.rs`).
//! Spec: RFC 9112, sections 3, 5 and 6.

#[cfg(any(test, fuzzing))]
pub(crate) mod oracle;

use std::borrow::Cow;
use std::mem::MaybeUninit;

use erlen_engineio::handshake::{HandshakeError, Query};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Version};

use super::head::{Head, MAX_HEAD_BYTES, MAX_HEADERS};

/// A head that was parsed here: of HTTP/1.1, in ASCII, with a transport in its query and no header twice; a GET without a
/// body, or a POST that says how long its body is.
pub(super) struct RawHead {
    text: Box<str>,
    method: Method,
    target: Span,
    query: Query,
    headers: Vec<(Span, Span)>,
    body_length: usize,
}

/// Where something lies in the text: from, to.
type Span = (u16, u16);

impl RawHead {
    /// The request for `path` at the start of `bytes`, and what came behind its head: of the body, or, behind a handshake,
    /// frames. `None`: one for the HTTP server, or not the whole head of one.
    pub(super) fn parse(bytes: &[u8], path: &str, max_body: usize) -> Option<(Self, Vec<u8>)> {
        let method = own_method(bytes, path)?;
        let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut []);
        let length = match request.parse_with_uninit_headers(bytes, &mut headers) {
            Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD_BYTES => length,
            Ok(_) | Err(_) => return None,
        };
        let (text, behind) = bytes.split_at_checked(length)?;
        let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii())?;
        let target = request.path?;
        let query = plain_query(target.strip_prefix(path)?)?;
        let said = Said::by(request.headers).filter(|_| request.version == Some(1))?;
        let body_length = said.body_length(&method).filter(|length| *length <= max_body)?;
        let may_be_frames = method == Method::GET && said.upgrade;
        if behind.len() > body_length && !may_be_frames {
            return None;
        }
        let span = |part: &[u8]| {
            let from = part.as_ptr().addr() - bytes.as_ptr().addr();
            Some((u16::try_from(from).ok()?, u16::try_from(from + part.len()).ok()?))
        };
        let mut headers = Vec::with_capacity(request.headers.len());
        for header in &*request.headers {
            headers.push((span(header.name.as_bytes())?, span(header.value)?));
        }
        let target = span(target.as_bytes())?;
        let head = Self { text: text.into(), method, target, query, headers, body_length };
        Some((head, behind.to_vec()))
    }

    /// How long the body is.
    pub(super) fn body_length(&self) -> usize {
        self.body_length
    }

    fn part(&self, (from, to): Span) -> &str {
        self.text.get(usize::from(from)..usize::from(to)).unwrap_or_default()
    }
}

/// The method of a request line that names this path. Others need not be parsed here.
fn own_method(bytes: &[u8], path: &str) -> Option<Method> {
    let (method, target) = match bytes {
        [b'G', b'E', b'T', b' ', target @ ..] => (Method::GET, target),
        [b'P', b'O', b'S', b'T', b' ', target @ ..] => (Method::POST, target),
        _ => return None,
    };
    target.strip_prefix(path.as_bytes())?.starts_with(b"?").then_some(method)
}

/// What a query of plain characters says, behind its `?`, if it names a transport.
fn plain_query(query: &str) -> Option<Query> {
    let query = query.strip_prefix('?')?;
    // To the end in any case, so that many are looked at together.
    let plain = query.bytes().fold(true, |plain, byte| plain & is_plain(byte));
    Query::parse(query).ok().filter(|query| plain && query.transport.is_ok())
}

/// What RFC 3986 allows in a query.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        | (b'$'..=b'/').contains(&byte)
        | (b'?'..=b'@').contains(&byte)
        | matches!(byte, b'!' | b':' | b';' | b'=' | b'_' | b'~')
}

/// What the headers say of what follows them.
#[derive(Default)]
struct Said<'a> {
    length: Option<&'a [u8]>,
    upgrade: bool,
}

impl<'a> Said<'a> {
    /// `None` if anything is said twice, or something that changes how a body is sent.
    fn by(headers: &[httparse::Header<'a>]) -> Option<Self> {
        let mut said = Self::default();
        // A bit for each length of a name that was seen: only names of one length have to be compared.
        let mut lengths = 0_u64;
        for (index, header) in headers.iter().enumerate() {
            let length = 1 << (header.name.len() % 64);
            let earlier = if lengths & length == 0 { &[] } else { headers.get(..index)? };
            lengths |= length;
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            if earlier.iter().any(|other| is(other.name)) || is("transfer-encoding") || is("expect") {
                return None;
            }
            if is("content-length") {
                said.length = Some(header.value);
            }
            said.upgrade |= is("upgrade");
        }
        Some(said)
    }

    /// The length of the body, where there is but one way to tell: none of a GET; of a POST one that is written in digits.
    fn body_length(&self, method: &Method) -> Option<usize> {
        match self.length {
            None => (*method == Method::GET).then_some(0),
            Some(_) if *method == Method::GET => None,
            Some(value) if value.iter().all(u8::is_ascii_digit) => {
                std::str::from_utf8(value).ok()?.parse().ok()
            }
            Some(_) => None,
        }
    }
}

impl Head for RawHead {
    fn method(&self) -> &Method {
        &self.method
    }

    fn version(&self) -> Version {
        Version::HTTP_11
    }

    fn target(&self) -> &str {
        self.part(self.target)
    }

    fn query(&self) -> Result<Query, HandshakeError> {
        Ok(self.query)
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
    use http::header;
    use proptest::prelude::*;

    use super::*;

    const PATH: &str = "/socket.io/";
    const HANDSHAKE: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nX-Empty:\r\nCookie:  b=c \r\n\r\n";
    const GET: &str =
        "GET /socket.io/?EIO=4&transport=polling&sid=A HTTP/1.1\r\nHost: a\r\nCookie: b=c\r\n\r\n";
    const POST: &str = "POST /socket.io/?EIO=4&transport=polling&sid=A HTTP/1.1\r\nHost: a\r\nCookie: b=c\r\n\
        Content-Length: 5\r\n\r\n";

    fn parse(bytes: impl AsRef<[u8]>) -> Option<(RawHead, Vec<u8>)> {
        RawHead::parse(bytes.as_ref(), PATH, 100)
    }

    #[test]
    fn a_plain_handshake_is_read_and_what_follows_is_kept() {
        let (head, behind) = parse([HANDSHAKE.as_bytes(), b"\x81\x82rest"].concat()).unwrap();
        assert_eq!(head.target(), "/socket.io/?EIO=4&transport=websocket");
        assert_eq!(head.query(), Query::parse("EIO=4&transport=websocket"));
        let headers: Vec<_> = head.headers().collect();
        assert_eq!(headers.len(), 5);
        assert_eq!(headers[3..], [("X-Empty", "".into()), ("Cookie", "b=c".into())]);
        assert_eq!(head.first(&header::COOKIE), Some(&b"b=c"[..]));
        assert_eq!(head.all(&header::ORIGIN).count(), 0);
        assert_eq!(head.header_map().len(), 5);
        assert_eq!(&behind[..], b"\x81\x82rest");
    }

    #[test]
    fn plain_polls_are_read_with_what_there_is_of_a_body() {
        let (head, behind) = parse(GET).unwrap();
        assert_eq!((head.method(), head.body_length(), behind.len()), (&Method::GET, 0, 0));
        for sent in ["", "4", "40123"] {
            let (head, behind) = parse(format!("{POST}{sent}")).unwrap();
            assert_eq!((head.method(), head.body_length(), &behind[..]), (&Method::POST, 5, sent.as_bytes()));
        }
        for (length, read) in [("0", 0), ("100", 100), ("0005", 5)] {
            let (head, _) = parse(POST.replace(": 5", &format!(": {length}"))).unwrap();
            assert_eq!(head.body_length(), read);
        }
    }

    #[test]
    fn nothing_but_a_whole_plain_head_is_taken() {
        let changes = [
            ("GET ", "PUT "),
            ("GET ", "HEAD "),
            ("GET ", "OPTIONS "),
            ("GET ", "get "),
            ("GET ", "\r\nGET "),
            ("GET ", "POST "),
            ("POST ", "GET "),
            (" /", " http://a/"),
            ("1.1", "1.0"),
            ("/socket.io/", "/socket.iox/"),
            ("/socket.io/?", "/socket.io/a?"),
            ("transport=", "transport=x"),
            ("EIO=4", "EIO=4|"),
            ("EIO=4", "EIO=4#"),
            ("Cookie", "Host"),
            ("Cookie", "hOST"),
            ("Cookie", "Transfer-Encoding"),
            ("Cookie", "Expect"),
            ("Cookie", "Content-Length"),
            ("Cookie:", "Cookie :"),
            ("Cookie", " Cookie"),
            ("b=c", "\u{e9}"),
            ("b=c", "\x01"),
            (": 5", ": "),
            (": 5", ": +5"),
            (": 5", ": -5"),
            (": 5", ": 0x5"),
            (": 5", ": 5, 5"),
            (": 5", ": 5 5"),
            (": 5", ": 101"),
            (": 5", ": 18446744073709551621"),
            ("\r\n\r\n", "\r\n\r\n123456"),
        ];
        for plain in [HANDSHAKE, GET, POST] {
            for end in 0..plain.len() {
                assert!(parse(&plain[..end]).is_none(), "{end}");
            }
            for (old, new) in changes.iter().filter(|(old, _)| plain.contains(old)) {
                let taken = parse(plain.replacen(old, new, 1)).is_some();
                let is_frames = plain == HANDSHAKE && new.ends_with("123456");
                assert_eq!(taken, is_frames, "{old} {new} {plain}");
            }
        }
    }

    #[test]
    fn a_query_has_the_characters_of_the_rfc_alone() {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&byte);
        for byte in 0..=u8::MAX {
            assert_eq!(is_plain(byte), allowed(byte), "{byte}");
        }
    }

    #[test]
    fn hyper_reads_the_plain_ones_alike() {
        for plain in [HANDSHAKE, GET, POST] {
            assert!(oracle::check(plain.as_bytes()));
            assert!(oracle::check(plain.replace("\r\n", "\n").as_bytes()));
            assert!(oracle::check(plain.replace("transport=", "x=%&&=&%74ransport=").as_bytes()));
            assert!(
                oracle::check(plain.replace("Cookie: ", "Connection: x, Close\r\nCookie: ").as_bytes())
                    || plain == HANDSHAKE
            );
        }
    }

    /// What two readers might read in two ways.
    const ODD: [&str; 24] = [
        "\r",
        "\n",
        "\r\n",
        "\r\n\r\n",
        " ",
        "\t",
        "\0",
        ":",
        ",",
        "5",
        "0",
        "+",
        "%",
        "?",
        "&",
        "\u{e9}",
        "HTTP/1.0",
        "Content-Length: 5\r\n",
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Connection: close\r\n",
        "Upgrade: h2c\r\n",
        "Expect: 100-continue\r\n",
        "transport=polling",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn what_is_taken_is_what_hyper_reads(
            plain in prop::sample::select(vec![HANDSHAKE, GET, POST]),
            body in "[0-9a-z]{0,7}",
            edits in prop::collection::vec((any::<prop::sample::Index>(), 0..4_usize, prop::sample::select(ODD.to_vec())), 0..3),
        ) {
            let mut bytes = format!("{plain}{body}").into_bytes();
            for (at, removed, odd) in edits {
                let at = at.index(bytes.len());
                let end = (at + removed).min(bytes.len());
                bytes.splice(at..end, odd.bytes());
            }
            oracle::check(&bytes);
        }

        #[test]
        fn a_byte_that_is_another_changes_nothing_unseen(
            plain in prop::sample::select(vec![HANDSHAKE, GET, POST]), at in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let mut bytes = plain.as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            oracle::check(&bytes);
        }
    }
}
