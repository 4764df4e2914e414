//! The HTTP side of the engine: which request is it, may it, and what is answered. All answers are made here.
//!
//! The order of the checks is Node's. Spec: Engine.IO protocol, "Transports", "HTTP long-polling".

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use erlen_engineio::handshake::{HandshakeError, Query};
use erlen_engineio::payload::{self, PayloadPacket};
use erlen_engineio::{CloseReason, Completeness, Get, Message, Packet, Post, Transport};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::answer::{Answer, Body};
use super::head::{Head, MAX_HEADERS};
use super::origin::{self, Verdict};
use super::upgrade::{self, Purpose};
use super::{Application, Client, Engine, Handshake};

/// The longest target under the engine's path.
const MAX_TARGET: usize = 8 * 1024;

/// What is known of the connection below a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Below {
    /// The address at the other end.
    pub peer: Option<SocketAddr>,
    /// Whether it is encrypted, where that is known.
    pub secure: Option<bool>,
}

/// Whether the stream below a request can be taken over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takeover {
    Possible,
    Impossible,
}

/// A request of the engine on its way through the checks.
pub(super) struct Exchange<'a, A: Application, H> {
    engine: &'a Arc<Engine<A>>,
    head: &'a H,
    below: Below,
    takeover: Takeover,
    verdict: Verdict,
    upgrade: bool,
    /// What the stream becomes behind the answer, where that is a 101.
    pub(super) purpose: Option<Purpose<A>>,
}

impl<A: Application> Engine<A> {
    /// Adds the CORS headers of an answer beside the engine's own.
    pub(crate) fn add_cors_headers(&self, request: &HeaderMap, secure: Option<bool>, answer: &mut HeaderMap) {
        let Some(cors) = &self.options.cors else {
            return;
        };
        let (mut head, ()) = Request::new(()).into_parts();
        head.headers.clone_from(request);
        origin::add_headers(cors, &origin::judge(Some(cors), &head, secure), answer);
    }

    /// Whether a request of this path is the engine's.
    pub(crate) fn owns(&self, path: &str) -> bool {
        let own = self.options.path.as_str();
        if path.starts_with(own) {
            return true;
        }
        if own.strip_suffix('/') == Some(path) {
            self.slash_hint.call_once(|| {
                tracing::warn!(target: "erlen::engine", path,
                    "request without the final slash; check the proxy's configuration (nginx: proxy_pass)");
            });
        }
        false
    }

    /// Answers a request of the engine's path.
    pub(crate) async fn handle<B>(self: &Arc<Self>, request: Request<B>, below: Below) -> Response<Body>
    where
        B: http_body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
    {
        let (mut parts, body) = request.into_parts();
        let on_upgrade = parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
        let takeover = if on_upgrade.is_some() { Takeover::Possible } else { Takeover::Impossible };
        let mut exchange = match Exchange::begin(self, &parts, below, takeover) {
            Ok(exchange) => exchange,
            Err(status) => return Answer::empty(status).into(),
        };
        let answer = exchange.answer(whole(body, self.session_config.max_payload)).await;
        if let Some((on_upgrade, purpose)) = on_upgrade.zip(exchange.purpose) {
            upgrade::start(self, on_upgrade, purpose);
        }
        answer.into()
    }

    /// The bounds on the request's head, and one `Host`, whatever the HTTP server above lets through.
    fn check_form(&self, head: &impl Head) -> Result<(), StatusCode> {
        if head.target().len() > MAX_TARGET {
            return Err(StatusCode::URI_TOO_LONG);
        }
        let (count, bytes) = head.size();
        if bytes > self.options.max_header_bytes || count > MAX_HEADERS {
            return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
        let hosts = head.all(&header::HOST).count();
        if hosts > 1 || (hosts == 0 && head.version() == Version::HTTP_11) {
            return Err(StatusCode::BAD_REQUEST);
        }
        Ok(())
    }
}

impl<'a, A: Application, H: Head + Sync> Exchange<'a, A, H> {
    /// Takes up a request of the engine's path, whoever has read it, unless its form is bad.
    pub(super) fn begin(
        engine: &'a Arc<Engine<A>>,
        head: &'a H,
        below: Below,
        takeover: Takeover,
    ) -> Result<Self, StatusCode> {
        engine.check_form(head)?;
        let verdict = origin::judge(engine.options.cors.as_ref(), head, below.secure);
        let upgrade = upgrade::is_upgrade(head);
        Ok(Self { engine, head, below, takeover, verdict, upgrade, purpose: None })
    }

    /// The answer. The body is read where it is wanted.
    pub(super) async fn answer(&mut self, body: impl Future<Output = Result<Bytes, Unread>>) -> Answer {
        if self.head.method() == Method::OPTIONS && self.engine.options.cors.is_some() {
            return self.preflight();
        }
        let answer = match self.route(body).await {
            Ok(answer) => answer,
            Err(error) => self.refuse(error, error.message()),
        };
        self.finish(answer)
    }

    async fn route(
        &mut self,
        body: impl Future<Output = Result<Bytes, Unread>>,
    ) -> Result<Answer, HandshakeError> {
        let query = self.head.query()?;
        let transport = query.transport?;
        if !self.engine.options.transports.has(transport) {
            return Err(HandshakeError::UnknownTransport);
        }
        if self.verdict == Verdict::Malformed {
            return Err(HandshakeError::BadRequest);
        }
        if self.upgrade != (transport == Transport::WebSocket)
            && (self.upgrade || query.sid.is_ok_and(|s| s.is_some()))
        {
            return Err(HandshakeError::BadRequest);
        }
        let Some(sid) = query.sid? else {
            return self.open(&query, transport).await;
        };
        let client = self.engine.session(&sid).ok_or(HandshakeError::UnknownSid)?;
        if self.verdict == Verdict::Refused {
            return Err(HandshakeError::Forbidden);
        }
        if transport == Transport::WebSocket {
            query.revision.map_err(|_| HandshakeError::BadRequest)?;
            let accept = self.accept()?;
            return Ok(self.upgrade(accept, Purpose::Probe(client)));
        }
        client.settle_probe().await;
        match *self.head.method() {
            Method::GET => get(&client).await,
            Method::POST => self.post(&client, body).await,
            _ => Ok(Answer::plain(StatusCode::METHOD_NOT_ALLOWED, "")),
        }
    }

    async fn open(&mut self, query: &Query, transport: Transport) -> Result<Answer, HandshakeError> {
        if self.head.method() != Method::GET {
            return Err(HandshakeError::BadMethod);
        }
        if transport == Transport::WebSocket && !self.upgrade {
            return Err(HandshakeError::BadRequest);
        }
        if self.verdict == Verdict::Refused {
            self.log_origin();
            return Err(HandshakeError::Forbidden);
        }
        if self.engine.is_closing() || self.engine.is_full() {
            let text = "the server takes no new sessions now";
            return Ok(self.turn_away(StatusCode::SERVICE_UNAVAILABLE, text));
        }
        let mut handshake = Handshake::new(self.head, self.below.peer, self.below.secure == Some(true));
        if let Some(allow) = &self.engine.options.allow_request {
            match allow(handshake.clone()).await {
                Ok(data) => handshake.set_data(data),
                Err(message) if message.is_empty() => return Err(HandshakeError::Forbidden),
                Err(message) => return Ok(self.refuse(HandshakeError::Forbidden, &message)),
            }
        }
        query.revision?;
        let accept = (transport == Transport::WebSocket).then(|| self.accept()).transpose()?;
        // Last, since a place is taken.
        if !self.engine.addresses.admit(self.below.peer, Instant::now()) {
            let text = "too many sessions of this address";
            return Ok(self.turn_away(StatusCode::TOO_MANY_REQUESTS, text));
        }
        if let Some(accept) = accept {
            return Ok(self.upgrade(accept, Purpose::Open(handshake)));
        }
        let client = self.engine.open(self.engine.pick_shard(), Transport::Polling, handshake);
        let mut answer = get(&client).await?;
        self.add_first_headers(&mut answer, Some(&client));
        Ok(answer)
    }

    /// The value of `Sec-WebSocket-Accept`, if the handshake is sound.
    fn accept(&self) -> Result<HeaderValue, HandshakeError> {
        let accept = upgrade::accept(self.head).filter(|_| self.takeover == Takeover::Possible);
        accept.ok_or(HandshakeError::BadRequest)
    }

    fn upgrade(&mut self, accept: HeaderValue, purpose: Purpose<A>) -> Answer {
        let mut answer = Answer::empty(StatusCode::SWITCHING_PROTOCOLS);
        let headers = answer.headers_mut();
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        if let Purpose::Open(_) = purpose {
            self.add_first_headers(&mut answer, None);
        }
        self.purpose = Some(purpose);
        answer
    }

    async fn post(
        &self,
        client: &Arc<Client<A>>,
        body: impl Future<Output = Result<Bytes, Unread>>,
    ) -> Result<Answer, HandshakeError> {
        match client.begin_post(Instant::now()) {
            Post::Accepted => {}
            Post::Refused(error) => return Err(error),
        }
        let mut running = RunningPost { client, complete: Completeness::Cut };
        let content_type = self.head.first(&header::CONTENT_TYPE);
        if content_type.is_some_and(|content_type| content_type.starts_with(b"application/octet-stream")) {
            client.close(CloseReason::TransportError, "a binary body on revision 4");
            return Err(HandshakeError::BadRequest);
        }
        let mut read = pin!(body);
        // Mostly it is here already, and needs no timer.
        let read = match poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx))).await {
            Poll::Ready(read) => Ok(read),
            Poll::Pending => tokio::time::timeout(self.engine.options.body_timeout, read).await,
        };
        let body = match read {
            Ok(Ok(body)) => body,
            Ok(Err(Unread::TooLong)) => {
                running.complete = Completeness::Whole;
                return Ok(self.too_large());
            }
            Ok(Err(Unread::Broken)) => return Err(HandshakeError::BadRequest),
            Err(_) => return Ok(Answer::plain(StatusCode::REQUEST_TIMEOUT, "")),
        };
        let fed = feed(client, &body).await;
        // Only now: dropped while it waits for slow handlers, it would lose packets that nobody sends again.
        running.complete = Completeness::Whole;
        match fed {
            Ok(()) => Ok(Answer::text(StatusCode::OK, "text/html", Bytes::from_static(b"ok"))),
            Err(error) => {
                tracing::debug!(target: "erlen::engine", sid = ?client.sid(), %error, "malformed payload");
                client.close(CloseReason::ParseError, "a payload that cannot be parsed");
                Err(HandshakeError::BadRequest)
            }
        }
    }

    fn too_large(&self) -> Answer {
        let length = self.head.first(&header::CONTENT_LENGTH).and_then(|text| str::from_utf8(text).ok());
        tracing::info!(target: "erlen::engine", length, limit = self.engine.session_config().max_payload,
            "POST body over the limit refused; the limit is the builder's `max_payload`");
        Answer::plain(StatusCode::PAYLOAD_TOO_LARGE, "")
    }

    fn preflight(&self) -> Answer {
        if !matches!(self.verdict, Verdict::Welcome(_) | Verdict::Own) {
            return self.finish(self.refuse(HandshakeError::Forbidden, HandshakeError::Forbidden.message()));
        }
        let mut answer = Answer::plain(StatusCode::NO_CONTENT, "");
        if let Some(cors) = &self.engine.options.cors {
            origin::add_preflight_headers(cors, self.head, answer.headers_mut());
        }
        self.finish(answer)
    }

    /// A refusal: JSON, but plain text and the end of the connection where a WebSocket was asked for.
    fn refuse(&self, error: HandshakeError, message: &str) -> Answer {
        if self.is_handshake() {
            self.engine.refused.add(1);
        }
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
        if self.upgrade {
            let mut answer = Answer::text(status, "text/html", Bytes::from(message.to_owned()));
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            return answer;
        }
        let body = serde_json::json!({ "code": error.code(), "message": message });
        Answer::text(status, "application/json", Bytes::from(body.to_string()))
    }

    /// Whether a session was asked for, and not an old one addressed: a late request of one that has ended is no handshake.
    fn is_handshake(&self) -> bool {
        self.head.query().map_or(true, |query| matches!(query.sid, Ok(None)))
    }

    /// A refusal that may pass: the client comes back later.
    fn turn_away(&self, status: StatusCode, text: &'static str) -> Answer {
        self.engine.refused.add(1);
        let mut answer = Answer::plain(status, text);
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        answer
    }

    fn log_origin(&self) {
        let read = |name: &HeaderName| self.head.first(name).map(String::from_utf8_lossy);
        tracing::info!(target: "erlen::engine",
            origin = ?read(&header::ORIGIN), host = ?read(&header::HOST),
            "handshake from another origin refused; allow it with the builder's `cors`");
    }

    /// What the first answer of a session has beyond the others: the cookie, the user's headers.
    fn add_first_headers(&self, answer: &mut Answer, client: Option<&Arc<Client<A>>>) {
        let options = &self.engine.options;
        if let Some((cookie, client)) = options.cookie.as_ref().zip(client) {
            let text = cookie.header(client.sid().as_str(), self.below.secure == Some(true));
            if let Ok(value) = HeaderValue::from_str(&text) {
                answer.headers_mut().append(header::SET_COOKIE, value);
            }
        }
        if let Some(hook) = &options.initial_headers {
            hook(answer.headers_mut(), &self.head.header_map());
        }
    }

    /// What the options add to every answer.
    fn finish(&self, mut answer: Answer) -> Answer {
        if let Some(cors) = &self.engine.options.cors {
            origin::add_headers(cors, &self.verdict, answer.headers_mut());
        }
        if let Some(hook) = &self.engine.options.headers {
            hook(answer.headers_mut(), &self.head.header_map());
        }
        answer
    }
}

/// Why the body of a request was not read.
pub(super) enum Unread {
    /// It has more bytes than it may have.
    TooLong,
    /// It has no end.
    Broken,
}

/// A body that comes in pieces.
async fn whole<B>(body: B, limit: usize) -> Result<Bytes, Unread>
where
    B: http_body::Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
{
    if body.size_hint().lower() > limit as u64 {
        return Err(Unread::TooLong);
    }
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Unread::TooLong),
        Err(_) => Err(Unread::Broken),
    }
}

async fn get<A: Application>(client: &Arc<Client<A>>) -> Result<Answer, HandshakeError> {
    match client.begin_get(Instant::now()) {
        Get::Parked => {}
        Get::Refused(error) => return Err(error),
    }
    let mut parked = ParkedGet { client, answered: false };
    let body = poll_fn(|cx| client.poll_payload(cx)).await;
    parked.answered = true;
    Ok(Answer::text(StatusCode::OK, "text/plain; charset=UTF-8", Bytes::from(body)))
}

/// Hands the packets of one body to the session; what they bring forth goes out together.
pub(crate) async fn feed<A: Application>(
    client: &Arc<Client<A>>,
    body: &[u8],
) -> Result<(), erlen_engineio::DecodeError> {
    let max_packets = client.engine().session_config().max_payload_packets;
    let mut corked = Corked::new(client);
    for packet in payload::decode(body, max_packets) {
        if client.engine().app().is_saturated(client) {
            drop(corked);
            poll_fn(|cx| client.poll_ready_to_read(cx)).await;
            corked = Corked::new(client);
        }
        let now = Instant::now();
        match packet? {
            PayloadPacket::Text(packet) => client.receive(now, packet),
            PayloadPacket::Binary(data) => client.receive(now, Packet::Message(Message::Binary(&data))),
        }
    }
    drop(corked);
    Ok(())
}

/// While it lives, no GET of the client is answered.
struct Corked<'a, A: Application>(&'a Arc<Client<A>>);

impl<'a, A: Application> Corked<'a, A> {
    fn new(client: &'a Arc<Client<A>>) -> Self {
        client.cork();
        Self(client)
    }
}

impl<A: Application> Drop for Corked<'_, A> {
    fn drop(&mut self) {
        self.0.uncork();
    }
}

/// A GET that waits. Dropped unanswered, its connection is gone.
struct ParkedGet<'a, A: Application> {
    client: &'a Arc<Client<A>>,
    answered: bool,
}

impl<A: Application> Drop for ParkedGet<'_, A> {
    fn drop(&mut self) {
        if !self.answered {
            self.client.abort_get();
        }
    }
}

/// A POST that runs. Dropped before its packets were taken, its connection is gone.
struct RunningPost<'a, A: Application> {
    client: &'a Arc<Client<A>>,
    complete: Completeness,
}

impl<A: Application> Drop for RunningPost<'_, A> {
    fn drop(&mut self) {
        self.client.end_post(self.complete);
    }
}
