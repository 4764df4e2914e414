//! Everything that a server can be told, in one place. What is not built yet is refused, never ignored.

use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use erlen_socketio::DecoderConfig;
use http::HeaderMap;
use tokio::runtime::Handle;

use crate::adapter::{Adapter, AdapterFactory, LocalNode, MemoryAdapter};
use crate::connection::SocketIo;
use crate::engine::{Allowed, Cookie, Cors, Engine, Handshake, Options, Transports};
use crate::error::{BuildError, Error};
use crate::namespace::{CountAcks, Limits, Shared};
use crate::routes::{ClientBundle, Routes};
use crate::server::Server;
use crate::socket::Socket;

/// What a server is told before it starts. Every option has a default; the defaults are safe.
#[derive(Clone)]
pub struct Builder {
    options: Options,
    limits: Limits,
    decoder: DecoderConfig,
    state: HashMap<TypeId, Arc<dyn StateValue>>,
    error_hook: Option<crate::namespace::ErrorHook>,
    adapter: AdapterFactory,
    routes: Routes,
    not_built: Option<&'static str>,
}

/// A value of the server's state that can be put into the server's own table.
trait StateValue: Send + Sync {
    fn boxed(&self) -> Box<dyn std::any::Any + Send + Sync>;
}

impl<T: Clone + Send + Sync + 'static> StateValue for T {
    fn boxed(&self) -> Box<dyn std::any::Any + Send + Sync> {
        Box::new(self.clone())
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            options: Options {
                path: "/socket.io/".into(),
                max_total_queue_bytes: crate::limits::default_max_total_queue_bytes(),
                ..Options::default()
            },
            limits: Limits::default(),
            decoder: DecoderConfig::default(),
            state: HashMap::new(),
            error_hook: None,
            adapter: Arc::new(|local| Arc::new(MemoryAdapter::new(local))),
            routes: Routes::default(),
            not_built: None,
        }
    }
}

impl Builder {
    // Transports.

    /// The path of the engine. Default `/socket.io/`; the slashes at the ends may be left out.
    pub fn path(mut self, path: &str) -> Self {
        self.options.path = format!("/{}/", path.trim_matches('/')).replace("//", "/");
        self
    }

    /// The transports that are switched on. Default: polling and WebSocket.
    pub fn transports(mut self, transports: Transports) -> Self {
        self.options.transports = transports;
        self
    }

    /// Whether a polling client may move to WebSocket. Default true.
    pub fn allow_upgrades(mut self, allowed: bool) -> Self {
        self.options.session.allow_upgrades = allowed;
        self
    }

    /// I/O threads. Default: one a core.
    pub fn shards(mut self, shards: usize) -> Self {
        self.options.shards = shards;
        self
    }

    // Intervals and deadlines.

    /// Time between two pings. Default 25 s.
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.options.session.ping_interval = interval;
        self
    }

    /// What clients are told beyond the interval: they wait so much longer for a ping. Default none.
    pub fn ping_grace(mut self, grace: Duration) -> Self {
        self.options.session.ping_grace = grace;
        self
    }

    /// Time that a client has for its pong. Default 20 s.
    pub fn ping_timeout(mut self, timeout: Duration) -> Self {
        self.options.session.ping_timeout = timeout;
        self
    }

    /// How long a WebSocket may probe. Default 10 s; the session goes on polling.
    pub fn upgrade_timeout(mut self, timeout: Duration) -> Self {
        self.options.session.upgrade_timeout = timeout;
        self
    }

    /// How long a client may take no bytes while some wait for it. Default 10 s.
    pub fn write_stall(mut self, timeout: Duration) -> Self {
        self.options.session.write_stall = timeout;
        self
    }

    /// How long a client may take to join its first namespace. Default 45 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.limits.connect_timeout = timeout;
        self
    }

    /// How long an ack is awaited unless the call says otherwise. Default 30 s.
    pub fn ack_timeout(mut self, timeout: Duration) -> Self {
        self.limits.ack_timeout = timeout;
        self
    }

    /// How long the head of a request may take, a connection may wait for its next request, and a TLS handshake may take.
    /// Default 10 s. It holds on the listener of [`Server::listen`]; under another HTTP server these deadlines are its business,
    /// and `axum::serve` has none.
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.options.header_timeout = timeout;
        self
    }

    /// How long the body of a POST may take. Default 30 s.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.options.body_timeout = timeout;
        self
    }

    /// How long a client may take no bytes of an answer over HTTP. Default 60 s; it is at least a heartbeat's interval and
    /// timeout together. It holds on the listener of [`Server::listen`], on Linux; for WebSockets there is
    /// [`write_stall`](Self::write_stall).
    pub fn answer_timeout(mut self, timeout: Duration) -> Self {
        self.options.answer_timeout = timeout;
        self
    }

    /// How long a WebSocket message that comes in fragments may take. Default 20 s.
    pub fn fragment_timeout(mut self, timeout: Duration) -> Self {
        self.options.fragment_timeout = timeout;
        self
    }

    /// How long a WebSocket's closing handshake may take. Default 5 s.
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.options.close_timeout = timeout;
        self
    }

    /// How long a polling session that the server has closed keeps its last packets for one more GET. Default 30 s.
    pub fn close_linger(mut self, timeout: Duration) -> Self {
        self.options.session.close_linger = timeout;
        self
    }

    /// How long the attachments of a packet may take. Default 10 s.
    pub fn attachment_timeout(mut self, timeout: Duration) -> Self {
        self.decoder.attachment_timeout = timeout;
        self
    }

    // Bounds.

    /// Bytes of one POST body and of one WebSocket message, the same on every transport; Node's `maxHttpBufferSize`.
    /// Default 1 000 000.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.options.session.max_payload = bytes;
        self.decoder.max_attachment_bytes = bytes.saturating_mul(4);
        self
    }

    /// Packets of one POST body. Default 1 024.
    pub fn max_payload_packets(mut self, packets: usize) -> Self {
        self.options.session.max_payload_packets = packets;
        self
    }

    /// Bytes that may wait for one client before it is cut as a slow consumer. Default 1 MiB.
    pub fn max_queue_bytes(mut self, bytes: usize) -> Self {
        self.options.session.max_queue_bytes = bytes;
        self
    }

    /// Packets that may wait for one client before it is cut as a slow consumer. Default 4 096.
    pub fn max_queue_packets(mut self, packets: usize) -> Self {
        self.options.session.max_queue_packets = packets;
        self
    }

    /// Bytes that may wait for slow clients in all sessions together: past it, those that hold the most are cut as slow
    /// consumers, and the others go on. What goes out in the turn in which it is sent does not count, and a packet that several
    /// wait for counts once. Default 256 MiB, or half of the memory that the process's control group allows, if that is less.
    pub fn max_total_queue_bytes(mut self, bytes: usize) -> Self {
        self.options.max_total_queue_bytes = bytes;
        self
    }

    /// Events of one socket that wait for its handlers before its client is not read any longer. Default 64.
    pub fn max_waiting_events(mut self, events: usize) -> Self {
        self.limits.max_waiting_events = events.max(1);
        self
    }

    /// Bytes of events that wait for the handlers of one socket before its client is not read any longer; one event of any size may.
    /// A client that has to be read all the same, for an acknowledgement, and sends as much again is cut. Default 1 MiB.
    pub fn max_waiting_event_bytes(mut self, bytes: usize) -> Self {
        self.limits.max_waiting_event_bytes = bytes;
        self
    }

    /// Sessions at the same time; more are answered 503. Default: nine tenths of the descriptors that the process may open,
    /// which the server's own listener [raises](crate::Listen::keep_file_limit).
    pub fn max_sessions(mut self, sessions: usize) -> Self {
        self.options.max_sessions = Some(sessions);
        self
    }

    /// Sessions of one address at the same time, an IPv6 address by its /64; more are answered 429. Off by default; 1 000 is
    /// a good value where clients connect directly, and none where a proxy is in between.
    pub fn max_sessions_per_address(mut self, sessions: usize) -> Self {
        self.options.address_limits.sessions = Some(sessions);
        self
    }

    /// New sessions of one address a second; more are answered 429. Off by default; 50 is a good value where clients connect
    /// directly, and none where a proxy is in between.
    pub fn max_new_sessions_per_address(mut self, per_second: u32) -> Self {
        self.options.address_limits.new_per_second = Some(per_second);
        self
    }

    /// Events of one client a second, with a burst of as many; more are not handled, and their ack is the error `rate_limited`.
    /// Off by default; 100 is a good value.
    pub fn max_events_per_second(mut self, events: u32) -> Self {
        self.limits.max_events_per_second = Some(events.max(1));
        self
    }

    /// Namespaces of one connection. Default 64.
    pub fn max_namespaces(mut self, namespaces: usize) -> Self {
        self.limits.max_namespaces = namespaces;
        self
    }

    /// Rooms of one socket, besides its own. Default 1 024.
    pub fn max_rooms(mut self, rooms: usize) -> Self {
        self.limits.max_rooms = rooms;
        self
    }

    /// Acks that one socket may owe. Default 1 024.
    pub fn max_pending_acks(mut self, acks: usize) -> Self {
        self.limits.max_pending_acks = acks;
        self
    }

    /// Counts the ids of acks by socket, from 1, as python-socketio does. Default false: by namespace, from 0, as on Node.
    pub fn count_acks_by_socket(mut self, by_socket: bool) -> Self {
        self.limits.count_acks = if by_socket { CountAcks::BySocket } else { CountAcks::ByNamespace };
        self
    }

    /// Attachments of one packet, in and out. Default 10, which is what clients take.
    pub fn max_attachments(mut self, attachments: usize) -> Self {
        self.limits.max_attachments = attachments;
        self.decoder.max_attachments = attachments;
        self
    }

    /// Depth of JSON that is accepted. Default 128.
    pub fn max_json_depth(mut self, depth: usize) -> Self {
        self.decoder.max_depth = depth;
        self
    }

    /// Takes `NaN`, `Infinity` and `-Infinity` in JSON, which Python's clients send. Default false: they are malformed.
    pub fn json_barewords(mut self, accepted: bool) -> Self {
        self.decoder.barewords = accepted;
        self
    }

    /// Header bytes of a request to the engine's path. Default 16 KiB.
    pub fn max_header_bytes(mut self, bytes: usize) -> Self {
        self.options.max_header_bytes = bytes;
        self
    }

    /// Keeps namespaces that a pattern made when their last socket has left. Default false.
    pub fn keep_empty_namespaces(mut self, keep: bool) -> Self {
        self.limits.keep_empty_children = keep;
        self
    }

    /// Emits reach a socket from the moment that its middlewares run, so before its CONNECT is answered, as in
    /// python-socketio; clients keep such events until they are connected. Default false: from the answer on, as on Node.
    /// The end of a client that leaves while they run, and that they would have let in, is told to the disconnect handlers.
    pub fn reach_while_connecting(mut self, reach: bool) -> Self {
        self.limits.reach_while_connecting = reach;
        self
    }

    /// What is left of a handler after its first poll goes on on the I/O thread of its client, and not on the runtime: for
    /// servers whose handlers hand over to threads of their own and then only wait for those, which spares two thread switches
    /// each. Nothing in it may compute, block, or need the runtime, and it is dropped when the server's threads end. Default false.
    pub fn handlers_only_wait(mut self, only: bool) -> Self {
        self.limits.handlers_only_wait = only;
        self
    }

    /// Passes over packets for a namespace that was not joined, as python-socketio does, and counts them. Default false: they
    /// close the connection, as on Node.
    pub fn ignore_stray_packets(mut self, ignore: bool) -> Self {
        self.limits.ignore_stray_packets = ignore;
        self
    }

    /// The payload, JSON, of the CONNECT_ERROR for a namespace that does not exist. Default
    /// `{"message":"Invalid namespace"}`, as on Node.
    pub fn unknown_namespace(mut self, payload: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        self.limits.unknown_namespace = payload.into();
        self
    }

    // Who may come.

    /// Lets pages of other origins in. Default: the own origin alone, on every transport.
    pub fn cors(mut self, cors: Cors) -> Self {
        self.options.cors = Some(cors);
        self
    }

    /// A hook that allows or refuses a handshake, before the session exists; the text of an `Err` goes to the client.
    ///
    /// ```
    /// erlen::Server::builder().allow_request(async |handshake: erlen::engine::Handshake| match handshake.query_value("token") {
    ///     Some(token) if token == "secret" => Ok(()),
    ///     _ => Err("no token".into()),
    /// });
    /// ```
    pub fn allow_request<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Handshake) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Allowed> + Send + 'static,
    {
        self.options = self.options.allow_request(hook);
        self
    }

    /// The same as [`allow_request`](Self::allow_request) with a value that is kept with the handshake:
    /// [`Handshake::data`] gives it back to every handler of that client.
    ///
    /// ```
    /// struct User(String);
    /// let builder = erlen::Server::builder().admit_request(async |handshake: erlen::engine::Handshake| {
    ///     handshake.query_value("user").map(User).ok_or_else(|| "who are you?".to_owned())
    /// });
    /// ```
    pub fn admit_request<F, Fut, T>(mut self, hook: F) -> Self
    where
        F: Fn(Handshake) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, String>> + Send + 'static,
        T: Send + Sync + 'static,
    {
        self.options = self.options.admit_request(hook);
        self
    }

    /// Sets a cookie on the handshake of polling clients, for load balancers. Default off.
    pub fn cookie(mut self, cookie: Cookie) -> Self {
        self.options.cookie = Some(cookie);
        self
    }

    /// Adds headers to the first answer of each session; the hook also gets the request's headers.
    pub fn initial_headers(
        mut self,
        hook: impl Fn(&mut HeaderMap, &HeaderMap) + Send + Sync + 'static,
    ) -> Self {
        self.options.initial_headers = Some(Arc::new(hook));
        self
    }

    /// Adds headers to every answer of the engine; the hook also gets the request's headers.
    pub fn headers(mut self, hook: impl Fn(&mut HeaderMap, &HeaderMap) + Send + Sync + 'static) -> Self {
        self.options.headers = Some(Arc::new(hook));
        self
    }

    // The application.

    /// Gives handlers a value by [`State<T>`](crate::State); one of each type.
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.state.insert(TypeId::of::<T>(), Arc::new(value));
        self
    }

    /// A hook that learns of every error of a handler: the socket, the event's name, the error.
    pub fn on_error(mut self, hook: impl Fn(&Socket, &str, &Error) + Send + Sync + 'static) -> Self {
        self.error_hook = Some(Arc::new(hook));
        self
    }

    /// How operations reach the sockets of other nodes. Default: there are none.
    pub fn adapter(
        mut self,
        factory: impl Fn(LocalNode) -> Arc<dyn Adapter> + Send + Sync + 'static,
    ) -> Self {
        self.adapter = Arc::new(factory);
        self
    }

    /// Serves the official JavaScript client under the engine's path, as gzip to who takes that: `erlen_client_js::BUNDLE`.
    /// Default off.
    pub fn serve_client(mut self, bundle: ClientBundle) -> Self {
        self.routes.client = Some(bundle);
        self
    }

    /// Answers `GET /healthz`: 200, and 503 while the server shuts down. Default off.
    pub fn healthz(mut self, on: bool) -> Self {
        self.routes.healthz = on;
        self
    }

    /// Answers `GET /metrics` in the OpenMetrics format. Default off.
    pub fn metrics_route(mut self, on: bool) -> Self {
        self.routes.metrics = on;
        self
    }

    // Known, and not built yet: each is refused by `build`.

    /// Engine.IO 3 for clients of Socket.IO 2. Not built yet: `build` refuses it.
    pub fn allow_eio3(self, on: bool) -> Self {
        self.not_built_yet(on, "allow_eio3")
    }

    /// WebSocket compression. Not built yet: `build` refuses it.
    pub fn per_message_deflate(self, on: bool) -> Self {
        self.not_built_yet(on, "per_message_deflate")
    }

    /// Compression of polling answers. Not built yet: `build` refuses it.
    pub fn http_compression(self, on: bool) -> Self {
        self.not_built_yet(on, "http_compression")
    }

    /// Connection state recovery. Not built yet: `build` refuses it.
    pub fn connection_state_recovery(self, on: bool) -> Self {
        self.not_built_yet(on, "connection_state_recovery")
    }

    /// The msgpack parser. Not built yet: `build` refuses it.
    pub fn msgpack(self, on: bool) -> Self {
        self.not_built_yet(on, "msgpack")
    }

    /// JSONP polling. Not built yet: `build` refuses it.
    pub fn jsonp(self, on: bool) -> Self {
        self.not_built_yet(on, "jsonp")
    }

    /// Proxies whose `X-Forwarded-*` headers are believed. Not built yet: `build` refuses it.
    pub fn trusted_proxies(self, on: bool) -> Self {
        self.not_built_yet(on, "trusted_proxies")
    }

    fn not_built_yet(mut self, on: bool, option: &'static str) -> Self {
        if on {
            self.not_built = Some(option);
        }
        self
    }

    /// Starts the server's threads.
    ///
    /// Handlers that wait run on the tokio runtime in which this is called; outside of one, on a runtime of the
    /// server's own.
    ///
    /// # Errors
    /// An option that is not built yet, options that contradict each other, or no threads from the system.
    pub fn build(self) -> Result<Server, BuildError> {
        self.check()?;
        let (runtime, own) = runtime()?;
        let state = self.state.iter().map(|(id, value)| (*id, (**value).boxed())).collect();
        let shared = Shared {
            runtime,
            limits: self.limits,
            state,
            error_hook: self.error_hook,
            adapter: self.adapter,
            events: Arc::default(),
        };
        let app = SocketIo::new(Arc::new(shared), self.decoder, own);
        let engine = Engine::start(app, self.options).map_err(BuildError::Io)?;
        Ok(Server::from_parts(engine, self.routes))
    }

    fn check(&self) -> Result<(), BuildError> {
        if let Some(option) = self.not_built {
            return Err(BuildError::NotBuiltYet(option));
        }
        let session = &self.options.session;
        if session.ping_interval.is_zero() || session.ping_timeout.is_zero() {
            return Err(BuildError::Invalid("`ping_interval` and `ping_timeout` must be longer than zero"));
        }
        if session.max_payload == 0 {
            return Err(BuildError::Invalid("`max_payload` must be at least one byte"));
        }
        if self.options.max_sessions == Some(0) {
            return Err(BuildError::Invalid("`max_sessions` must be at least one"));
        }
        if !self.options.transports.polling && !self.options.transports.websocket {
            return Err(BuildError::Invalid("`transports` switches both off: leave at least one on"));
        }
        if self.options.cors.as_ref().is_some_and(|cors| cors.is_any() && cors.has_credentials()) {
            return Err(BuildError::Invalid(
                "`cors` lets every origin in with credentials: name the origins instead",
            ));
        }
        Ok(())
    }
}

fn runtime() -> Result<(Handle, Option<tokio::runtime::Runtime>), BuildError> {
    if let Ok(handle) = Handle::try_current() {
        return Ok((handle, None));
    }
    let own = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("erlen-handler")
        .enable_all()
        .build()
        .map_err(BuildError::Io)?;
    Ok((own.handle().clone(), Some(own)))
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("options", &self.options)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
