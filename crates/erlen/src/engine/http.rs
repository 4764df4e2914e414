//! The HTTP side of the engine: which request is it, may it, and what is answered. All answers are made here.
//!
//! The order of the checks is Node's. Spec: Engine.IO protocol, "Transports", "HTTP long-polling".

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use erlen_engineio::handshake::{HandshakeError, Query};
use erlen_engineio::payload::{self, PayloadPacket};
use erlen_engineio::{CloseReason, Completeness, Get, Message, Packet, Post, Transport};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};

use super::origin::{self, Verdict};
use super::{Application, Client, Engine, Handshake, upgrade};

/// The body of every answer of the engine.
pub type Body = Full<Bytes>;

/// The longest target under the engine's path.
const MAX_TARGET: usize = 8 * 1024;
const MAX_HEADERS: usize = 100;

/// What is known of the connection below a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Below {
    /// The address at the other end.
    pub peer: Option<SocketAddr>,
    /// Whether it is encrypted, where that is known.
    pub secure: Option<bool>,
}

/// A request of the engine on its way through the checks.
struct Exchange<'a, A: Application> {
    engine: &'a Arc<Engine<A>>,
    parts: &'a Parts,
    below: Below,
    verdict: Verdict,
    upgrade: bool,
}

impl<A: Application> Engine<A> {
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
        B: http_body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send,
    {
        let (mut parts, body) = request.into_parts();
        let on_upgrade = parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
        if let Err(status) = self.check_form(&parts) {
            return plain(status, "");
        }
        let verdict = origin::judge(self.options.cors.as_ref(), &parts.headers, below.secure);
        let upgrade = upgrade::is_upgrade(&parts.headers);
        let exchange = Exchange { engine: self, parts: &parts, below, verdict, upgrade };
        exchange.answer(body, on_upgrade).await
    }

    /// The bounds on the request's head, and one `Host`, whatever the HTTP server above lets through.
    fn check_form(&self, parts: &Parts) -> Result<(), StatusCode> {
        let target = parts.uri.path_and_query().map_or(0, |t| t.as_str().len());
        if target > MAX_TARGET {
            return Err(StatusCode::URI_TOO_LONG);
        }
        let bytes: usize = parts.headers.iter().map(|(n, v)| n.as_str().len() + v.len() + 4).sum();
        if bytes > self.options.max_header_bytes || parts.headers.len() > MAX_HEADERS {
            return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
        let hosts = parts.headers.get_all(header::HOST).iter().count();
        if hosts > 1 || (hosts == 0 && parts.version == Version::HTTP_11) {
            return Err(StatusCode::BAD_REQUEST);
        }
        Ok(())
    }
}

impl<A: Application> Exchange<'_, A> {
    async fn answer<B>(&self, body: B, on_upgrade: Option<hyper::upgrade::OnUpgrade>) -> Response<Body>
    where
        B: http_body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send,
    {
        if self.parts.method == Method::OPTIONS && self.engine.options.cors.is_some() {
            return self.preflight();
        }
        let answer = match self.route(body, on_upgrade).await {
            Ok(answer) => answer,
            Err(error) => self.refuse(error, error.message()),
        };
        self.finish(answer)
    }

    async fn route<B>(
        &self,
        body: B,
        on_upgrade: Option<hyper::upgrade::OnUpgrade>,
    ) -> Result<Response<Body>, HandshakeError>
    where
        B: http_body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send,
    {
        let query = Query::parse(self.parts.uri.query().unwrap_or_default())?;
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
            return self.open(&query, transport, on_upgrade).await;
        };
        let client = self.engine.session(&sid).ok_or(HandshakeError::UnknownSid)?;
        if self.verdict == Verdict::Refused {
            return Err(HandshakeError::Forbidden);
        }
        if transport == Transport::WebSocket {
            query.revision.map_err(|_| HandshakeError::BadRequest)?;
            return self.upgrade(on_upgrade, upgrade::Purpose::Probe(client));
        }
        match self.parts.method {
            Method::GET => get(&client).await,
            Method::POST => self.post(&client, body).await,
            _ => Ok(plain(StatusCode::METHOD_NOT_ALLOWED, "")),
        }
    }

    async fn open(
        &self,
        query: &Query,
        transport: Transport,
        on_upgrade: Option<hyper::upgrade::OnUpgrade>,
    ) -> Result<Response<Body>, HandshakeError> {
        if self.parts.method != Method::GET {
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
            return Ok(
                self.turn_away(StatusCode::SERVICE_UNAVAILABLE, "the server takes no new sessions now")
            );
        }
        let mut handshake = Handshake::new(self.parts, self.below.peer, self.below.secure == Some(true));
        if let Some(allow) = &self.engine.options.allow_request {
            match allow(handshake.clone()).await {
                Ok(data) => handshake.set_data(data),
                Err(message) if message.is_empty() => return Err(HandshakeError::Forbidden),
                Err(message) => return Ok(self.refuse(HandshakeError::Forbidden, &message)),
            }
        }
        query.revision?;
        if !self.engine.addresses.admit(self.below.peer, Instant::now()) {
            return Ok(self.turn_away(StatusCode::TOO_MANY_REQUESTS, "too many sessions of this address"));
        }
        if transport == Transport::WebSocket {
            return self.upgrade(on_upgrade, upgrade::Purpose::Open(handshake));
        }
        let client = self.engine.open(self.engine.pick_shard(), Transport::Polling, handshake);
        let mut answer = get(&client).await?;
        self.add_first_headers(&mut answer, Some(&client));
        Ok(answer)
    }

    fn upgrade(
        &self,
        on_upgrade: Option<hyper::upgrade::OnUpgrade>,
        purpose: upgrade::Purpose<A>,
    ) -> Result<Response<Body>, HandshakeError> {
        let first = matches!(purpose, upgrade::Purpose::Open(_));
        let on_upgrade = on_upgrade.ok_or(HandshakeError::BadRequest)?;
        let accept = upgrade::accept(&self.parts.headers).ok_or(HandshakeError::BadRequest)?;
        upgrade::start(self.engine, on_upgrade, purpose);
        let mut answer = Response::new(Body::default());
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = answer.headers_mut();
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        if first {
            self.add_first_headers(&mut answer, None);
        }
        Ok(answer)
    }

    async fn post<B>(&self, client: &Arc<Client<A>>, body: B) -> Result<Response<Body>, HandshakeError>
    where
        B: http_body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send,
    {
        match client.begin_post(Instant::now()) {
            Post::Accepted => {}
            Post::Refused(error) => return Err(error),
        }
        let mut running = RunningPost { client, complete: Completeness::Cut };
        let content_type = self.parts.headers.get(header::CONTENT_TYPE);
        if content_type.is_some_and(|t| t.as_bytes().starts_with(b"application/octet-stream")) {
            client.close(CloseReason::TransportError, "a binary body on revision 4");
            return Err(HandshakeError::BadRequest);
        }
        let limit = self.engine.session_config().max_payload;
        if body.size_hint().lower() > limit as u64 {
            running.complete = Completeness::Whole;
            return Ok(self.too_large());
        }
        let read =
            tokio::time::timeout(self.engine.options.body_timeout, Limited::new(body, limit).collect());
        let body = match read.await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                running.complete = Completeness::Whole;
                return Ok(self.too_large());
            }
            Ok(Err(_)) => return Err(HandshakeError::BadRequest),
            Err(_) => return Ok(plain(StatusCode::REQUEST_TIMEOUT, "")),
        };
        let fed = feed(client, &body).await;
        // Only now: dropped while it waits for slow handlers, it would lose packets that nobody sends again.
        running.complete = Completeness::Whole;
        match fed {
            Ok(()) => Ok(answer_text(StatusCode::OK, "text/html", Bytes::from_static(b"ok"))),
            Err(error) => {
                tracing::debug!(target: "erlen::engine", sid = ?client.sid(), %error, "malformed payload");
                client.close(CloseReason::ParseError, "a payload that cannot be parsed");
                Err(HandshakeError::BadRequest)
            }
        }
    }

    fn too_large(&self) -> Response<Body> {
        tracing::info!(target: "erlen::engine", limit = self.engine.session_config().max_payload,
            "POST body over the limit refused; the limit is the builder's `max_payload`");
        plain(StatusCode::PAYLOAD_TOO_LARGE, "")
    }

    fn preflight(&self) -> Response<Body> {
        if !matches!(self.verdict, Verdict::Welcome(_) | Verdict::Own) {
            return self.finish(self.refuse(HandshakeError::Forbidden, HandshakeError::Forbidden.message()));
        }
        let mut answer = plain(StatusCode::NO_CONTENT, "");
        if let Some(cors) = &self.engine.options.cors {
            origin::add_preflight_headers(cors, &self.parts.headers, answer.headers_mut());
        }
        self.finish(answer)
    }

    /// A refusal: JSON, but plain text and the end of the connection where a WebSocket was asked for.
    fn refuse(&self, error: HandshakeError, message: &str) -> Response<Body> {
        if self.is_handshake() {
            self.engine.refused.add(1);
        }
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
        if self.upgrade {
            let mut answer = answer_text(status, "text/html", Bytes::from(message.to_owned()));
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            return answer;
        }
        let body = serde_json::json!({ "code": error.code(), "message": message });
        answer_text(status, "application/json", Bytes::from(body.to_string()))
    }

    /// Whether a session was asked for, and not an old one addressed: a late request of one that has ended is no handshake.
    fn is_handshake(&self) -> bool {
        let query = Query::parse(self.parts.uri.query().unwrap_or_default());
        query.map_or(true, |query| matches!(query.sid, Ok(None)))
    }

    /// A refusal that may pass: the client comes back later.
    fn turn_away(&self, status: StatusCode, text: &'static str) -> Response<Body> {
        self.engine.refused.add(1);
        let mut answer = plain(status, text);
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        answer
    }

    fn log_origin(&self) {
        let read =
            |name: &HeaderName| self.parts.headers.get(name).map(|v| String::from_utf8_lossy(v.as_bytes()));
        tracing::info!(target: "erlen::engine",
            origin = ?read(&header::ORIGIN), host = ?read(&header::HOST),
            "handshake from another origin refused; allow it with the builder's `cors`");
    }

    /// What the first answer of a session has beyond the others: the cookie, the user's headers.
    fn add_first_headers(&self, answer: &mut Response<Body>, client: Option<&Arc<Client<A>>>) {
        let options = &self.engine.options;
        if let Some((cookie, client)) = options.cookie.as_ref().zip(client) {
            let text = cookie.header(client.sid().as_str(), self.below.secure == Some(true));
            if let Ok(value) = HeaderValue::from_str(&text) {
                answer.headers_mut().append(header::SET_COOKIE, value);
            }
        }
        if let Some(hook) = &options.initial_headers {
            hook(answer.headers_mut(), &self.parts.headers);
        }
    }

    /// What every answer has.
    fn finish(&self, mut answer: Response<Body>) -> Response<Body> {
        let headers = answer.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(cors) = &self.engine.options.cors {
            origin::add_headers(cors, &self.verdict, headers);
        }
        if let Some(hook) = &self.engine.options.headers {
            hook(headers, &self.parts.headers);
        }
        answer
    }
}

async fn get<A: Application>(client: &Arc<Client<A>>) -> Result<Response<Body>, HandshakeError> {
    match client.begin_get(Instant::now()) {
        Get::Parked => {}
        Get::Refused(error) => return Err(error),
    }
    let mut parked = ParkedGet { client, answered: false };
    let body = poll_fn(|cx| client.poll_payload(cx)).await;
    parked.answered = true;
    Ok(answer_text(StatusCode::OK, "text/plain; charset=UTF-8", Bytes::from(body)))
}

/// Hands the packets of one body to the session; what they bring forth goes out together.
pub(crate) async fn feed<A: Application>(
    client: &Arc<Client<A>>,
    body: &[u8],
) -> Result<(), erlen_engineio::DecodeError> {
    let max_packets = client.engine().session_config().max_payload_packets;
    let mut corked = Corked::new(client);
    for packet in payload::decode(body, max_packets) {
        let now = Instant::now();
        if client.engine().app().is_saturated(client) {
            drop(corked);
            poll_fn(|cx| client.poll_ready_to_read(cx)).await;
            corked = Corked::new(client);
        }
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

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    plain(status, "")
}

/// An answer of plain text.
pub(crate) fn text(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    answer_text(status, content_type, body.into())
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut answer = Response::new(Body::from(text));
    *answer.status_mut() = status;
    answer
}

fn answer_text(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Body> {
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = status;
    let headers: &mut HeaderMap = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
