//! The head of a request as the checks read it, whoever has parsed it: the HTTP server, or the engine itself on a new
//! connection (`raw_head.rs`).

use std::borrow::Cow;

use erlen_engineio::handshake::{HandshakeError, Query};
use http::header::{HeaderMap, HeaderName};
use http::request::Parts;
use http::{Method, Version};

/// Headers of a request.
pub(crate) const MAX_HEADERS: usize = 100;
/// Bytes of a request's head on the listener of the engine's own.
pub(crate) const MAX_HEAD_BYTES: usize = 24 * 1024;

/// A request without its body.
pub(crate) trait Head {
    fn method(&self) -> &Method;

    fn version(&self) -> Version;

    /// Path and query.
    fn target(&self) -> &str;

    /// Every value of a header, in order.
    fn all(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]>;

    /// Names and values, in order; bytes beyond ASCII are read as Latin-1, as HTTP has it.
    fn headers(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)>;

    /// How many headers there are, and their bytes with `: ` and the end of the line.
    fn size(&self) -> (usize, usize);

    /// The headers as hooks get them.
    fn header_map(&self) -> Cow<'_, HeaderMap>;

    /// The first value of a header.
    fn first(&self, name: &HeaderName) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// What the query says.
    ///
    /// # Errors
    /// As [`Query::parse`].
    fn query(&self) -> Result<Query, HandshakeError>;

    /// Whether one of a header's values, which may be lists, has this token.
    fn has_token(&self, name: &HeaderName, token: &str) -> bool {
        self.all(name).any(|value| lists(value, token))
    }
}

/// Whether a header's value, which may be a list, has this token.
pub(super) fn lists(value: &[u8], token: &str) -> bool {
    value.split(|&byte| byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

impl Head for Parts {
    fn method(&self) -> &Method {
        &self.method
    }

    fn version(&self) -> Version {
        self.version
    }

    fn target(&self) -> &str {
        self.uri.path_and_query().map_or("/", |target| target.as_str())
    }

    fn query(&self) -> Result<Query, HandshakeError> {
        Query::parse(self.uri.query().unwrap_or_default())
    }

    fn all(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]> {
        self.headers.get_all(name).into_iter().map(|value| value.as_bytes())
    }

    fn headers(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        let latin1 = |bytes: &[u8]| bytes.iter().map(|&byte| char::from(byte)).collect();
        self.headers.iter().map(move |(name, value)| {
            let value = value.to_str().map_or_else(|_| Cow::Owned(latin1(value.as_bytes())), Cow::Borrowed);
            (name.as_str(), value)
        })
    }

    fn size(&self) -> (usize, usize) {
        let bytes = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
        (self.headers.len(), bytes.sum())
    }

    fn header_map(&self) -> Cow<'_, HeaderMap> {
        Cow::Borrowed(&self.headers)
    }
}
