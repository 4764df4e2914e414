//! What a new connection says first. The WebSocket handshake, by far the most of what comes to a server of that kind, is
//! answered here, where it was read; everything else goes to the HTTP server, with what was read of it.
//!
//! ```text
//! first read ─┬─ a plain handshake, whole ─▶ http.rs, the checks ─┬─ 101 and open packet ─▶ connection.rs
//!             │                                                  └─ refused ─▶ the HTTP server, which writes the answer
//!             └─ anything else ─▶ the HTTP server
//! ```
//!
//! Not for TLS, and not for other listeners: their way is the HTTP server's (`upgrade.rs`).

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body_util::Empty;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::net::TcpStream;

use super::connection::Task;
use super::http::{Body, Exchange, Takeover, empty};
use super::raw_head::RawHead;
use super::rewound::Rewound;
use super::shard::Local;
use super::{Application, Below, Engine, upgrade};

/// What a new connection is.
pub(crate) enum Arrival<A: Application> {
    /// A WebSocket, and the task that serves it.
    WebSocket(Task<A>),
    /// Something for the HTTP server, and the answer to the first request where that is known.
    Http(Rewound, Option<Box<Response<Body>>>),
    /// Nothing is left to do here.
    Over,
}

impl<A: Application> Arrival<A> {
    fn http(tcp: TcpStream, read: Bytes, first: Option<Response<Body>>) -> Self {
        Self::Http(Rewound::new(tcp, read), first.map(Box::new))
    }
}

impl<A: Application> Engine<A> {
    /// Waits for what a connection says first, on the thread of a shard; until `too_late`, it is given up.
    pub(crate) async fn receive(
        self: &Arc<Self>,
        mut tcp: TcpStream,
        below: Below,
        too_late: impl Future<Output = ()>,
    ) -> Arrival<A> {
        let Some(local) = Local::here() else {
            return Arrival::http(tcp, Bytes::new(), None);
        };
        let read = tokio::select! {
            biased;
            read = poll_fn(|cx| self.poll_head(&local, &mut tcp, cx)) => read,
            () = too_late => return Arrival::Over,
        };
        let head = match read {
            Ok(Ok(head)) => head,
            Ok(Err(read)) => return Arrival::http(tcp, read, None),
            Err(_) => return Arrival::Over,
        };
        let mut exchange = match Exchange::begin(self, &head, below, Takeover::Possible) {
            Ok(exchange) => exchange,
            Err(status) => return Arrival::http(tcp, head.into_bytes(), Some(empty(status))),
        };
        let answer = tokio::select! {
            biased;
            answer = exchange.answer(Empty::<Bytes>::new()) => answer,
            // The application's hook may take its time.
            () = hung_up(&tcp) => return Arrival::Over,
        };
        let Some(purpose) = exchange.purpose else {
            return Arrival::http(tcp, head.into_bytes(), Some(answer));
        };
        let answer = switching_protocols(&answer);
        let task = upgrade::switch(&local, self, tcp, &answer, head.leftover(), purpose);
        task.map_or(Arrival::Over, Arrival::WebSocket)
    }

    /// Reads once: a handshake, or what is left to the HTTP server.
    fn poll_head(
        &self,
        local: &Local<A>,
        tcp: &mut TcpStream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Result<RawHead, Bytes>>> {
        let mut buffer = local.read_buffer.borrow_mut();
        let mut buffer = ReadBuf::new(&mut buffer);
        std::task::ready!(Pin::new(tcp).poll_read(cx, &mut buffer))?;
        let read = buffer.filled();
        let head = RawHead::parse(read, &self.options.path);
        Poll::Ready(Ok(head.ok_or_else(|| Bytes::copy_from_slice(read))))
    }
}

/// Resolves when the peer has closed and said nothing more before.
async fn hung_up(tcp: &TcpStream) {
    if tcp.peek(&mut [0]).await.is_ok_and(|waiting| waiting > 0) {
        std::future::pending().await
    }
}

/// The head of a 101, as it is written.
fn switching_protocols(answer: &Response<Body>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    bytes.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\n");
    for (name, value) in answer.headers() {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}
