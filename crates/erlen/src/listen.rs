//! The server's own listener: an axum router beside the engine on one port.
//!
//! Connections are accepted on one shard and served on the one with the least of them, so a handshake, a poll and
//! the WebSocket behind it never change threads. The router's requests run on the runtime that built the server.

use std::convert::Infallible;
use std::future::{Future, IntoFuture};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tower_service::Service;

use crate::engine::{self, AnyStream, Application, Below, Engine};
use crate::server::Server;
use crate::service::Answer;

/// How long nothing is accepted after the system refused a descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const MAX_HEADERS: usize = 100;
const MAX_HEAD_BYTES: usize = 24 * 1024;

/// Wraps an accepted TCP stream, as TLS does.
type Wrap = Arc<
    dyn Fn(TcpStream) -> Pin<Box<dyn Future<Output = io::Result<Box<dyn AnyStream>>> + Send>> + Send + Sync,
>;

/// A listener that is about to be bound.
#[must_use = "await it, or bind it"]
pub struct Listen<S = Server> {
    server: S,
    addresses: io::Result<Vec<SocketAddr>>,
    /// In place of the addresses.
    given: Option<std::net::TcpListener>,
    router: Option<Router>,
    wrap: Option<Wrap>,
    stop: Option<Pin<Box<dyn Future<Output = Stop> + Send>>>,
}

/// How a listener ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The open sessions are closed over this time.
    pub spread: Duration,
    /// What is left then is cut.
    pub cap: Duration,
}

impl Stop {
    /// All sessions at once, within 5 s: what an interactive stop wants.
    pub const NOW: Self = Self { spread: Duration::ZERO, cap: Duration::from_secs(5) };
    /// Sessions spread over 10 s, within 30 s: what a deployment wants.
    pub const GENTLE: Self = Self { spread: Duration::from_secs(10), cap: Duration::from_secs(30) };
}

impl Server {
    /// Serves on an address: `127.0.0.1:5000`, or port 0 for any that is free.
    ///
    /// ```no_run
    /// # async fn f(io: erlen::Server, app: axum::Router) -> std::io::Result<()> {
    /// io.listen("127.0.0.1:5000").router(app).await
    /// # }
    /// ```
    pub fn listen(&self, address: impl ToSocketAddrs) -> Listen {
        Listen::new(self.clone(), address)
    }

    /// Serves on a listening socket that is there already, as one that a parent process has handed over.
    pub fn listen_on(&self, listener: std::net::TcpListener) -> Listen {
        Listen { given: Some(listener), ..Listen::new(self.clone(), &[][..]) }
    }
}

impl<A: Application> Engine<A> {
    /// Serves plain Engine.IO on an address, as [`Server::listen`] does Socket.IO.
    pub fn listen(self: &Arc<Self>, address: impl ToSocketAddrs) -> Listen<Arc<Self>> {
        Listen::new(Arc::clone(self), address)
    }
}

impl<S: Answer> Listen<S> {
    fn new(server: S, address: impl ToSocketAddrs) -> Self {
        let addresses = address.to_socket_addrs().map(Iterator::collect);
        Self { server, addresses, given: None, router: None, wrap: None, stop: None }
    }

    /// Serves an axum router for all that is not the server's own.
    pub fn router(mut self, router: Router) -> Self {
        self.router = Some(router);
        self
    }

    /// Serves over TLS.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, config: Arc<rustls::ServerConfig>) -> Self {
        let acceptor = tokio_rustls::TlsAcceptor::from(config);
        self.wrap = Some(Arc::new(move |tcp| {
            let acceptor = acceptor.clone();
            Box::pin(async move { Ok(Box::new(acceptor.accept(tcp).await?) as Box<dyn AnyStream>) })
        }));
        self
    }

    /// Ends when the future does.
    pub fn stop_when(mut self, stop: impl Future<Output = Stop> + Send + 'static) -> Self {
        self.stop = Some(Box::pin(stop));
        self
    }

    /// Ends at SIGINT ([`Stop::NOW`]) or SIGTERM ([`Stop::GENTLE`]); a second signal ends the process's wait at once.
    pub fn stop_on_signals(self) -> Self {
        self.stop_when(signal())
    }

    /// Binds, so that the address is known before the first connection.
    ///
    /// # Errors
    /// When the address is taken, or not this machine's.
    pub async fn bind(self) -> io::Result<Bound<S>> {
        let addresses = self.addresses?;
        let listener = match self.given {
            Some(listener) => {
                listener.set_nonblocking(true)?;
                TcpListener::from_std(listener)?
            }
            None => TcpListener::bind(&addresses[..]).await?,
        };
        let address = listener.local_addr()?;
        Ok(Bound {
            server: self.server,
            listener,
            address,
            router: self.router.map(|router| (router, Place::Runtime)),
            wrap: self.wrap,
            stop: self.stop,
        })
    }
}

impl<S: Answer> IntoFuture for Listen<S> {
    type Output = io::Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.bind().await?.await })
    }
}

/// A listener that is bound. Await it to serve.
#[must_use = "await it to serve"]
pub struct Bound<S = Server> {
    server: S,
    listener: TcpListener,
    address: SocketAddr,
    router: Option<(Router, Place)>,
    wrap: Option<Wrap>,
    stop: Option<Pin<Box<dyn Future<Output = Stop> + Send>>>,
}

impl<S> Bound<S> {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves an axum router for all that is not the server's own, on the I/O threads themselves: for services that hand
    /// their work to threads of their own. What blocks there holds up every connection of the thread.
    pub fn router_in_place(mut self, router: Router) -> Self {
        self.router = Some((router, Place::Shard));
        self
    }
}

impl<S: Answer> IntoFuture for Bound<S> {
    type Output = io::Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (stopping, stopped) = watch::channel(());
            let (done, finished) = oneshot::channel::<()>();
            let runtime = Handle::current();
            let front =
                Front { server: self.server.clone(), runtime, router: self.router, wrap: self.wrap, stopped };
            let listener = self.listener.into_std()?;
            let first = Arc::clone(&self.server.engine().shards()[0]);
            first.execute(move |_| {
                tokio::task::spawn_local(async move {
                    front.accept_all(listener).await;
                    drop(done);
                });
            });
            match self.stop {
                None => {
                    // It ends with the process, or when the shard does.
                    let _ = finished.await;
                }
                Some(stop) => {
                    let stop = stop.await;
                    let _ = stopping.send(());
                    let shutdown = self.server.engine().shutdown(stop.spread, stop.cap);
                    tokio::select! {
                        () = shutdown => {}
                        _ = signal() => {}
                    }
                }
            }
            Ok(())
        })
    }
}

/// Where a router's requests run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// On the runtime, where handlers may take their time.
    Runtime,
    /// On the connection's shard.
    Shard,
}

/// What serves connections.
#[derive(Clone)]
struct Front<S> {
    server: S,
    /// Where the router's requests run.
    runtime: Handle,
    router: Option<(Router, Place)>,
    wrap: Option<Wrap>,
    stopped: watch::Receiver<()>,
}

impl<S: Answer> Front<S> {
    async fn accept_all(self, listener: std::net::TcpListener) {
        let Ok(listener) = TcpListener::from_std(listener) else {
            return;
        };
        let mut stopped = self.stopped.clone();
        let mut complained = false;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stopped.changed() => return,
            };
            match accepted {
                Ok((tcp, peer)) => self.assign(tcp, peer),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    if !std::mem::replace(&mut complained, true) {
                        tracing::error!(target: "erlen", %error,
                            "no connection can be accepted; raise the limit of open files (ulimit -n)");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Gives a connection to the shard with the least of them.
    fn assign(&self, tcp: TcpStream, peer: SocketAddr) {
        let front = self.clone();
        // A connection whose socket takes no option is gone already.
        let _ = tcp.set_nodelay(true);
        let shard = self.server.engine().least_loaded_shard();
        if shard.is_current() {
            tokio::task::spawn_local(front.serve(tcp, peer));
            return;
        }
        let Ok(tcp) = tcp.into_std() else {
            return;
        };
        shard.execute(move |_| {
            if let Ok(tcp) = TcpStream::from_std(tcp) {
                tokio::task::spawn_local(front.serve(tcp, peer));
            }
        });
    }

    async fn serve(self, tcp: TcpStream, peer: SocketAddr) {
        let Some(wrap) = self.wrap.clone() else {
            let below = Below { peer: Some(peer), secure: Some(false) };
            return self.serve_http(TokioIo::new(tcp), below).await;
        };
        match tokio::time::timeout(self.server.engine().options().header_timeout, wrap(tcp)).await {
            Ok(Ok(stream)) => {
                let below = Below { peer: Some(peer), secure: Some(true) };
                // On the heap, so that the task of a plain connection has no room for it.
                Box::pin(self.serve_http(TokioIo::new(stream), below)).await;
            }
            Ok(Err(error)) => tracing::info!(target: "erlen", %peer, %error, "TLS handshake failed"),
            Err(_) => tracing::info!(target: "erlen", %peer, "TLS handshake took too long"),
        }
    }

    async fn serve_http<I>(self, io: I, below: Below)
    where
        I: hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
    {
        let mut stopped = self.stopped.clone();
        let header_timeout = self.server.engine().options().header_timeout;
        let front = Rc::new(self);
        let service = service_fn(move |request| {
            let front = Rc::clone(&front);
            async move { Ok::<_, Infallible>(front.answer(request, below).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(header_timeout)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(io, service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            // A client that breaks its own connection is no news.
            _ = connection.as_mut() => return,
            _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        below: Below,
    ) -> Response<Either<Full<Bytes>, axum::body::Body>> {
        match self.server.answer(request, below).await {
            Ok(answer) => answer.map(Either::Left),
            Err(request) => match &self.router {
                Some((router, place)) => self.route(router.clone(), *place, request, below).await,
                None => engine::empty(StatusCode::NOT_FOUND).map(Either::Left),
            },
        }
    }

    /// Runs the router: where its handlers may wait and spawn, or here.
    async fn route(
        &self,
        mut router: Router,
        place: Place,
        mut request: Request<Incoming>,
        below: Below,
    ) -> Response<Either<Full<Bytes>, axum::body::Body>> {
        if let Some(peer) = below.peer {
            request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        }
        if place == Place::Shard {
            return match router.call(request.map(axum::body::Body::new)).await {
                Ok(answer) => answer.map(Either::Right),
                Err(never) => match never {},
            };
        }
        let task = self.runtime.spawn(async move { router.call(request.map(axum::body::Body::new)).await });
        match AbortOnDrop(task).await {
            Ok(Ok(answer)) => answer.map(Either::Right),
            Ok(Err(never)) => match never {},
            Err(_) => engine::empty(StatusCode::INTERNAL_SERVER_ERROR).map(Either::Left),
        }
    }
}

/// A task that ends with the connection that waits for it.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T, tokio::task::JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whether an error of `accept` is about the connection that was to be accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// The signals that stop a process.
async fn signal() -> Stop {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            return tokio::select! {
                _ = tokio::signal::ctrl_c() => Stop::NOW,
                _ = terminate.recv() => Stop::GENTLE,
            };
        }
    }
    // Without signals nothing stops it but the process's end.
    let _ = tokio::signal::ctrl_c().await;
    Stop::NOW
}
