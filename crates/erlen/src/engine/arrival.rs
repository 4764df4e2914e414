//! What a connection says. The requests of real-time clients, by far the most of what comes to a server of that kind, are
//! answered here, where they were read; everything else goes to the HTTP server, with what was read of it.
//!
//! ```text
//!  ┌▶ one read ─┬─ a plain handshake, whole ─▶ http.rs, the checks ─┬─ 101 and open packet ─▶ connection.rs
//!  │            │                                                   └─ refused ─▶ one write ─▶ the next, or the end
//!  │            ├─ a plain poll, whole ─▶ http.rs ─▶ one write ─┐
//!  │            └─ anything else ─▶ the HTTP server, for good   │
//!  └────────────────────────────────────────────────────────────┘
//! ```
//!
//! A request is either wholly understood here (`raw_head.rs`) or wholly the HTTP server's.
//! Not for TLS, and not for other listeners: their way is the HTTP server's (`upgrade.rs`).

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http::header;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Sleep;

use super::answer::Answer;
use super::guest::{Guest, Seat};
use super::head::Head as _;
use super::http::{Exchange, Takeover};
use super::raw_answer::{self, Last};
use super::raw_body::{Incoming, RawBody};
use super::raw_head::RawHead;
use super::rewound::Rewound;
use super::shard::Local;
use super::upgrade::{self, Purpose};
use super::watched::Socket;
use super::{Application, Below, Engine, NEVER};

/// What a connection has become.
pub(crate) enum Arrival {
    /// Something for the HTTP server, and since when its request is waited for.
    Http(Rewound, Instant),
    /// Nothing is left to do here: it has ended, or is a WebSocket by now.
    Over,
}

impl<A: Application> Engine<A> {
    /// Answers what a connection asks, on the thread of a shard, until it is something else, gives up, or the listener has
    /// stopped.
    pub(crate) async fn receive(
        self: &Arc<Self>,
        socket: Socket,
        below: Below,
        stopped: watch::Receiver<()>,
    ) -> Arrival {
        let Some(local) = Local::here() else {
            return Arrival::Over;
        };
        let Ok(guest) = Seat::take(&local, socket) else {
            return Arrival::Over;
        };
        let mut stop = stopped.clone();
        let stop = pin!(async move { drop(stop.changed().await) });
        let timeout = self.options.header_timeout.min(NEVER);
        let mut silence = Silence { stop, sleep: pin!(tokio::time::sleep(timeout)), until: Instant::now() };
        loop {
            let since = Instant::now();
            silence.until = since + timeout;
            let heard = poll_fn(|cx| match self.poll_hear(&local, &guest, cx) {
                Poll::Pending => silence.poll_end(cx).map(|()| None),
                heard => heard,
            });
            let (head, mut behind) = match heard.await {
                Some(Heard::Request(head, behind)) => (head, behind),
                Some(Heard::Other(read)) => {
                    let tcp = guest.release().and_then(TcpStream::from_std);
                    return tcp.map_or(Arrival::Over, |tcp| Arrival::Http(Rewound::new(tcp, read), since));
                }
                None => return Arrival::Over,
            };
            let body = if head.body_length() > 0 { std::mem::take(&mut behind) } else { Vec::new() };
            let Some(reply) = pin!(self.reply(&guest, &head, body, below)).await else {
                return Arrival::Over;
            };
            if let Some(purpose) = reply.purpose {
                let answer = raw_answer::switching_protocols(&reply.answer);
                upgrade::switch(&local, self, guest, &answer, &behind, purpose);
                return Arrival::Over;
            }
            let goes_on = behind.is_empty() && matches!(stopped.has_changed(), Ok(false));
            let last = if goes_on { reply.last } else { Last::Yes };
            match raw_answer::write(&guest, &local.date, reply.answer, last).await {
                Ok(Last::No) => {}
                Ok(Last::Yes) | Err(_) => return Arrival::Over,
            }
        }
    }

    /// Reads once; `None` where the connection has ended.
    fn poll_hear(&self, local: &Local<A>, guest: &Guest, cx: &mut Context<'_>) -> Poll<Option<Heard>> {
        let mut buffer = local.read_buffer();
        let read = match ready!(buffer.read(|room| guest.poll_read(cx, room))) {
            Ok(place) if !place.is_empty() => buffer.bytes(place),
            Ok(_) | Err(_) => return Poll::Ready(None),
        };
        Poll::Ready(Some(match RawHead::parse(read, &self.options.path, self.session_config.max_payload) {
            Some((head, behind)) => Heard::Request(head, behind),
            None => Heard::Other(Bytes::copy_from_slice(read)),
        }))
    }

    /// What is answered to a request whose body begins so; `None` if the peer has gone before.
    async fn reply(
        self: &Arc<Self>,
        guest: &Guest,
        head: &RawHead,
        body: Vec<u8>,
        below: Below,
    ) -> Option<Reply<A>> {
        let incoming = Incoming::new(guest, head.body_length().saturating_sub(body.len()));
        let mut body = RawBody::new(&incoming, body);
        let (answer, purpose) = match Exchange::begin(self, head, below, Takeover::Possible) {
            Ok(mut exchange) => {
                let answer = incoming.unless_hung_up(pin!(exchange.answer(body.whole()))).await?;
                (answer, exchange.purpose)
            }
            Err(status) => (Answer::empty(status), None),
        };
        let goes_on = !head.has_token(&header::CONNECTION, "close") && body.is_here().await;
        Some(Reply { answer, purpose, last: if goes_on { Last::No } else { Last::Yes } })
    }
}

/// What a read has brought.
enum Heard {
    /// The head of a plain request, and what came behind it.
    Request(RawHead, Vec<u8>),
    /// Something for the HTTP server.
    Other(Bytes),
}

/// A connection that waits for its next request.
struct Silence<'a, F> {
    /// The listener stops.
    stop: Pin<&'a mut F>,
    /// Set once and moved when it fires, not for each request.
    sleep: Pin<&'a mut Sleep>,
    until: Instant,
}

impl<F: Future> Silence<'_, F> {
    /// Resolves when no request is to come any longer.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.stop.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            if self.sleep.deadline() >= self.until.into() {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(self.until.into());
        }
    }
}

/// What a request gets.
struct Reply<A: Application> {
    answer: Answer,
    /// What the stream becomes behind the answer, where that is a 101.
    purpose: Option<Purpose<A>>,
    /// The peer asks for no more on this connection, or its body would be in the way.
    last: Last,
}
