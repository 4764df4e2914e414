//! What an engine can be told, with defaults that are safe.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use erlen_engineio::{Config, Transport};
use http::HeaderMap;

use super::{AddressLimits, Handshake, origin::Cors};

/// The answer of the hook that allows or refuses a handshake: the text goes to the client.
pub type Allowed = Result<(), String>;

/// What a hook keeps with the handshake that it allowed.
pub(crate) type HandshakeData = Arc<dyn Any + Send + Sync>;
type Admitted = Result<Option<HandshakeData>, String>;
pub(crate) type AllowHook =
    Arc<dyn Fn(Handshake) -> Pin<Box<dyn Future<Output = Admitted> + Send>> + Send + Sync>;
pub(crate) type HeadersHook = Arc<dyn Fn(&mut HeaderMap, &HeaderMap) + Send + Sync>;

/// Everything that the engine can be told. [`Builder`](crate::Builder) documents each as a method.
#[derive(Clone)]
pub struct Options {
    /// Intervals and bounds of a session.
    pub session: Config,
    /// The path, with a slash at both ends.
    pub path: String,
    /// The transports that are switched on.
    pub transports: Transports,
    /// Who may come from another origin; `None`: nobody.
    pub cors: Option<Cors>,
    /// The cookie for sticky load balancers; `None`: off.
    pub cookie: Option<Cookie>,
    /// I/O threads. 0 means one a core.
    pub shards: usize,
    /// Sessions at the same time; more are refused with 503. `None`: nine tenths of the descriptors that the process may open.
    pub max_sessions: Option<usize>,
    /// Bytes that may wait for the slow clients of all sessions together; past it those that hold the most are cut.
    pub max_total_queue_bytes: usize,
    /// Bounds for each address.
    pub address_limits: AddressLimits,
    /// How long the head of a request may take, a connection may wait for its next request, and a TLS handshake may take,
    /// on the listener of the engine's own.
    pub header_timeout: Duration,
    /// How long the body of a POST may take.
    pub body_timeout: Duration,
    /// How long a client may take no bytes of an answer over HTTP, on the listener of the engine's own.
    pub answer_timeout: Duration,
    /// How long a WebSocket message that comes in fragments may take.
    pub fragment_timeout: Duration,
    /// How long a WebSocket's closing handshake may take.
    pub close_timeout: Duration,
    /// Header bytes of a request to the engine's path.
    pub max_header_bytes: usize,
    /// Allows or refuses a handshake.
    pub(crate) allow_request: Option<AllowHook>,
    /// Adds headers to the first answer of a session; the second argument are the request's.
    pub(crate) initial_headers: Option<HeadersHook>,
    /// Adds headers to every answer of a session.
    pub(crate) headers: Option<HeadersHook>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            session: Config::default(),
            path: "/engine.io/".into(),
            transports: Transports::default(),
            cors: None,
            cookie: None,
            shards: 0,
            max_sessions: None,
            max_total_queue_bytes: 256 << 20,
            address_limits: AddressLimits::default(),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(60),
            fragment_timeout: Duration::from_secs(20),
            close_timeout: Duration::from_secs(5),
            max_header_bytes: 16 * 1024,
            allow_request: None,
            initial_headers: None,
            headers: None,
        }
    }
}

impl Options {
    /// A hook that allows or refuses a handshake, before the session exists; the text of an `Err` goes to the client.
    pub fn allow_request<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Handshake) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Allowed> + Send + 'static,
    {
        self.allow_request = Some(Arc::new(move |handshake| {
            let allowed = hook(handshake);
            Box::pin(async move { allowed.await.map(|()| None) })
        }));
        self
    }

    /// The same with a value that is kept with the handshake: [`Handshake::data`] gives it back.
    pub fn admit_request<F, Fut, T>(mut self, hook: F) -> Self
    where
        F: Fn(Handshake) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, String>> + Send + 'static,
        T: Send + Sync + 'static,
    {
        self.allow_request = Some(Arc::new(move |handshake| {
            let admitted = hook(handshake);
            Box::pin(async move { admitted.await.map(|value| Some(Arc::new(value) as HandshakeData)) })
        }));
        self
    }

    /// Adds headers to the first answer of each session; the hook also gets the request's headers.
    pub fn initial_headers(
        mut self,
        hook: impl Fn(&mut HeaderMap, &HeaderMap) + Send + Sync + 'static,
    ) -> Self {
        self.initial_headers = Some(Arc::new(hook));
        self
    }

    /// Adds headers to every answer of the engine; the hook also gets the request's headers.
    pub fn headers(mut self, hook: impl Fn(&mut HeaderMap, &HeaderMap) + Send + Sync + 'static) -> Self {
        self.headers = Some(Arc::new(hook));
        self
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("session", &self.session)
            .field("path", &self.path)
            .field("transports", &self.transports)
            .field("cors", &self.cors)
            .field("cookie", &self.cookie)
            .field("shards", &self.shards)
            .finish_non_exhaustive()
    }
}

/// The transports that a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transports {
    /// HTTP long-polling.
    pub polling: bool,
    /// WebSocket.
    pub websocket: bool,
}

impl Default for Transports {
    fn default() -> Self {
        Self { polling: true, websocket: true }
    }
}

impl Transports {
    /// Polling alone.
    pub const POLLING: Self = Self { polling: true, websocket: false };
    /// WebSocket alone.
    pub const WEBSOCKET: Self = Self { polling: false, websocket: true };

    pub(crate) fn has(self, transport: Transport) -> bool {
        match transport {
            Transport::Polling => self.polling,
            Transport::WebSocket => self.websocket,
        }
    }
}

/// The cookie with which a load balancer keeps a polling client on its server. It names no user and opens nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Its name. Default `io`.
    pub name: String,
    /// Its path. Default `/`.
    pub path: String,
    /// `SameSite`. Default `Lax`.
    pub same_site: &'static str,
    /// Whether scripts may not read it. Default true.
    pub http_only: bool,
    /// Whether it is sent over TLS alone. Default false; it is added on TLS by itself.
    pub secure: bool,
}

impl Default for Cookie {
    fn default() -> Self {
        Self { name: "io".into(), path: "/".into(), same_site: "Lax", http_only: true, secure: false }
    }
}

impl Cookie {
    pub(crate) fn header(&self, value: &str, tls: bool) -> String {
        let mut text = format!("{}={value}; Path={}", self.name, self.path);
        if self.http_only {
            text.push_str("; HttpOnly");
        }
        if self.secure || tls {
            text.push_str("; Secure");
        }
        text.push_str("; SameSite=");
        text.push_str(self.same_site);
        text
    }
}
