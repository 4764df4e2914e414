//! What is kept of the request that opened a session: one block of memory.

use std::any::Any;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use erlen_engineio::handshake::percent_decode;
use http::header::{self, HeaderName};

use super::head::Head;
use super::options::HandshakeData;

/// The request that opened a session: target, headers, peer.
///
/// It is kept in one block, since the request itself would pin its read buffer for as long as the
/// session lives. The headers of the WebSocket handshake are left out: they say nothing of the client.
#[derive(Clone)]
pub struct Handshake {
    /// `path?query`, then a line `name: value` for each header, all ended by `\n`.
    text: Box<str>,
    peer: Option<SocketAddr>,
    issued: SystemTime,
    secure: bool,
    data: Option<HandshakeData>,
}

impl Handshake {
    pub(super) fn new(head: &impl Head, peer: Option<SocketAddr>, secure: bool) -> Self {
        let kept = || head.headers().filter(|(name, _)| !is_of_the_connection(name));
        let size: usize = kept().map(|(name, value)| name.len() + value.len() + 3).sum();
        let mut text = String::with_capacity(head.target().len() + 1 + size);
        text.push_str(head.target());
        text.push('\n');
        for (name, value) in kept() {
            let start = text.len();
            text.push_str(name);
            text[start..].make_ascii_lowercase();
            text.push_str(": ");
            text.push_str(&value);
            text.push('\n');
        }
        Self { text: text.into_boxed_str(), peer, issued: SystemTime::now(), secure, data: None }
    }

    /// A handshake without a request, as the test client makes it.
    pub(crate) fn internal(target: &str, headers: &[(&str, &str)]) -> Self {
        let mut text = format!("{target}\n");
        for (name, value) in headers {
            text.push_str(&format!("{}: {value}\n", name.to_ascii_lowercase()));
        }
        Self { text: text.into_boxed_str(), peer: None, issued: SystemTime::now(), secure: false, data: None }
    }

    /// The request's target: path and query.
    pub fn uri(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// The query, undecoded, without its `?`.
    pub fn query(&self) -> &str {
        self.uri().split_once('?').map_or("", |(_, query)| query)
    }

    /// The decoded pairs of the query, in order.
    pub fn query_pairs(&self) -> impl Iterator<Item = (String, String)> {
        self.query().split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decode(key).into_owned(), percent_decode(value).into_owned())
        })
    }

    /// The last value of a query key.
    pub fn query_value(&self, key: &str) -> Option<String> {
        self.query_pairs().filter(|(k, _)| k == key).last().map(|(_, value)| value)
    }

    /// The first value of a header; bytes beyond ASCII are read as Latin-1, as HTTP has it.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All headers in order, names in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.text.lines().skip(1).filter_map(|line| line.split_once(": "))
    }

    /// The address at the other end of the connection, when it is known.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// When the session was opened.
    pub fn issued(&self) -> SystemTime {
        self.issued
    }

    /// Whether the connection was encrypted by the listener of the engine itself.
    pub fn secure(&self) -> bool {
        self.secure
    }

    /// What the hook of [`Builder::admit_request`](crate::Builder::admit_request) has kept, if that is a `T`.
    pub fn data<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.data.clone()?.downcast().ok()
    }

    pub(crate) fn set_data(&mut self, data: Option<HandshakeData>) {
        self.data = data;
    }

    /// Whether the request came from another origin, as its headers say.
    pub fn cross_domain(&self) -> bool {
        self.header("origin").is_some()
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("text", &self.text)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// Whether a header is about the connection alone.
fn is_of_the_connection(name: &str) -> bool {
    const LEFT_OUT: [HeaderName; 5] = [
        header::CONNECTION,
        header::UPGRADE,
        header::SEC_WEBSOCKET_KEY,
        header::SEC_WEBSOCKET_VERSION,
        header::SEC_WEBSOCKET_EXTENSIONS,
    ];
    LEFT_OUT.iter().any(|other| name.eq_ignore_ascii_case(other.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_headers_and_query_come_back() {
        let handshake =
            Handshake::internal("/socket.io/?EIO=4&a%20b=%26%3D%3Fa&x=1&x=2", &[("X-Token", "t: 1")]);
        assert_eq!(handshake.query_value("a b").as_deref(), Some("&=?a"));
        assert_eq!(handshake.query_value("x").as_deref(), Some("2"));
        assert_eq!(handshake.header("x-token"), Some("t: 1"));
        assert_eq!(handshake.header("cookie"), None);
    }

    #[test]
    fn broken_escapes_stay_as_they_are() {
        assert_eq!(percent_decode("%E0%A4%A"), "\u{fffd}%A");
        assert_eq!(percent_decode("%"), "%");
        assert_eq!(percent_decode("%zz+"), "%zz ");
    }
}
