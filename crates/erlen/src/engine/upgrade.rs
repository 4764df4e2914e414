//! The WebSocket handshake over HTTP, and the way of the raw stream to its shard.
//!
//! Spec: RFC 6455, section 4.2. The HTTP server (hyper) gives the stream back once the 101 is written; a TCP
//! socket is then taken out of it, so that nothing of the request stays in memory.

use std::io;
use std::net::TcpStream as StdTcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use erlen_engineio::Transport;
use http::header::{self, HeaderValue};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use sha1::{Digest, Sha1};
use tokio::net::TcpStream;

use super::connection::{Connection, Role};
use super::guest::Seat;
use super::head::Head;
use super::rewound::Rewound;
use super::shard::{Local, Shard};
use super::stream::{AnyStream, Stream};
use super::tenants::Slot;
use super::watched::Socket;
use super::{Application, Client, Engine, Handshake};

/// How long the HTTP server may take to give the stream back.
const HANDOVER: Duration = Duration::from_secs(10);

/// What a WebSocket is for.
pub(super) enum Purpose<A: Application> {
    /// To open a session.
    Open(Handshake),
    /// To upgrade one that polls.
    Probe(Arc<Client<A>>),
}

/// A stream that can travel to another thread.
enum StreamSource {
    /// A TCP socket that belongs to no event queue.
    Tcp(StdTcpStream),
    /// Anything else.
    Boxed(Box<dyn AnyStream>),
}

impl StreamSource {
    fn tcp(tcp: TcpStream) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        Ok(Self::Tcp(tcp.into_std()?))
    }

    fn into_stream(self) -> Stream {
        match self {
            Self::Tcp(tcp) => Stream::Tcp(Socket::new(tcp)),
            Self::Boxed(stream) => Stream::Boxed(stream),
        }
    }
}

/// Whether the request asks for a WebSocket. `Connection` may be a list.
pub(super) fn is_upgrade(head: &impl Head) -> bool {
    head.has_token(&header::CONNECTION, "upgrade") && head.has_token(&header::UPGRADE, "websocket")
}

/// The value of `Sec-WebSocket-Accept`, if the request is a WebSocket handshake of version 13.
pub(super) fn accept(head: &impl Head) -> Option<HeaderValue> {
    if head.first(&header::SEC_WEBSOCKET_VERSION)? != b"13" {
        return None;
    }
    let key = head.first(&header::SEC_WEBSOCKET_KEY)?;
    if STANDARD.decode(key).ok()?.len() != 16 {
        return None;
    }
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    HeaderValue::from_str(&STANDARD.encode(hash.finalize())).ok()
}

/// Waits for the stream behind the 101 that is about to be written, and brings it to its shard.
pub(super) fn start<A: Application>(engine: &Arc<Engine<A>>, on_upgrade: OnUpgrade, purpose: Purpose<A>) {
    let engine = Arc::clone(engine);
    let shard = match &purpose {
        Purpose::Open(_) => Arc::clone(engine.pick_shard()),
        Purpose::Probe(client) => Arc::clone(client.shard()),
    };
    if let Some(local) = Local::current(&shard) {
        tokio::task::spawn_local(async move {
            let Some((source, leftover)) = take_stream(on_upgrade).await else {
                return give_up(&engine, &purpose);
            };
            adopt(&local, engine, (source.into_stream(), None), &[], &leftover, purpose);
        });
        return;
    }
    tokio::spawn(async move {
        match take_stream(on_upgrade).await {
            Some((source, leftover)) => send(&shard, engine, source, Vec::new(), leftover, purpose),
            None => give_up(&engine, &purpose),
        }
    });
}

/// The client has gone before it had its WebSocket.
fn give_up<A: Application>(engine: &Engine<A>, purpose: &Purpose<A>) {
    if let Purpose::Open(handshake) = purpose {
        engine.addresses.release(handshake.peer(), Instant::now());
    }
}

/// Makes a connection of this shard's thread the transport, or the probe, of a session, behind the answer to its
/// handshake.
pub(super) fn switch<A: Application>(
    local: &Rc<Local<A>>,
    engine: &Arc<Engine<A>>,
    guest: Seat<A>,
    answer: &[u8],
    leftover: &[u8],
    purpose: Purpose<A>,
) {
    let engine = Arc::clone(engine);
    if let Purpose::Probe(client) = &purpose
        && !Arc::ptr_eq(client.shard(), &local.shard)
    {
        let Ok(tcp) = guest.release() else {
            return;
        };
        let shard = Arc::clone(client.shard());
        send(
            &shard,
            engine,
            StreamSource::Tcp(tcp),
            answer.to_vec(),
            Bytes::copy_from_slice(leftover),
            purpose,
        );
        return;
    }
    match guest.into_socket() {
        Ok((socket, slot)) => {
            adopt(local, engine, (Stream::Tcp(socket), Some(slot)), answer, leftover, purpose);
        }
        Err(_) => give_up(&engine, &purpose),
    }
}

/// Has a stream adopted by another shard.
fn send<A: Application>(
    shard: &Arc<Shard<A>>,
    engine: Arc<Engine<A>>,
    source: StreamSource,
    answer: Vec<u8>,
    leftover: Bytes,
    purpose: Purpose<A>,
) {
    shard.execute(move |local| {
        adopt(local, engine, (source.into_stream(), None), &answer, &leftover, purpose);
    });
}

/// Makes a stream the transport, or the probe, of a session of this shard. It may have a place in the table already.
fn adopt<A: Application>(
    local: &Rc<Local<A>>,
    engine: Arc<Engine<A>>,
    (stream, seat): (Stream, Option<Slot>),
    answer: &[u8],
    leftover: &[u8],
    purpose: Purpose<A>,
) {
    let (client, role) = match purpose {
        Purpose::Probe(client) => (client, Role::Probe),
        Purpose::Open(handshake) => {
            (engine.open(&local.shard, Transport::WebSocket, handshake), Role::Transport)
        }
    };
    Connection::start(local, client, stream, seat, answer, leftover, role);
}

/// The raw stream below an upgraded connection, and what was read beyond the handshake.
async fn take_stream(on_upgrade: OnUpgrade) -> Option<(StreamSource, Bytes)> {
    let upgraded = tokio::time::timeout(HANDOVER, on_upgrade).await.ok()?.ok()?;
    let upgraded = match auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
        Ok(parts) => return Some((StreamSource::tcp(parts.io.into_inner()).ok()?, parts.read_buf)),
        Err(upgraded) => upgraded,
    };
    let upgraded = match upgraded.downcast::<Rewound>() {
        Ok(parts) => {
            let (tcp, unread) = parts.io.into_parts();
            let leftover =
                if unread.is_empty() { parts.read_buf } else { [parts.read_buf, unread].concat().into() };
            return Some((StreamSource::tcp(tcp).ok()?, leftover));
        }
        Err(upgraded) => upgraded,
    };
    match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => Some((StreamSource::tcp(parts.io.into_inner()).ok()?, parts.read_buf)),
        Err(upgraded) => Some((StreamSource::Boxed(Box::new(TokioIo::new(upgraded))), Bytes::new())),
    }
}

#[cfg(test)]
mod tests {
    use http::request::Parts;

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> Parts {
        let request = pairs
            .iter()
            .fold(http::Request::get("/"), |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_list_in_connection_is_an_upgrade() {
        assert!(is_upgrade(&headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")])));
        assert!(!is_upgrade(&headers(&[("connection", "keep-alive"), ("upgrade", "websocket")])));
        assert!(!is_upgrade(&headers(&[("connection", "Upgrade"), ("upgrade", "h2c")])));
    }

    #[test]
    fn the_key_of_the_rfc_gets_its_answer() {
        let key = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let accepted = accept(&headers(&[("sec-websocket-version", "13"), key]));
        assert_eq!(accepted.unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(accept(&headers(&[("sec-websocket-version", "8"), key])).is_none());
        assert!(
            accept(&headers(&[("sec-websocket-version", "13"), ("sec-websocket-key", "short")])).is_none()
        );
    }
}
