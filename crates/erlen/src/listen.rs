//! The server's own listener: an axum router beside the engine on one port.
//!
//! Connections are accepted on one shard and served on the one with the least of them, so a handshake, a poll and
//! the WebSocket behind it never change threads. The router's requests run on the runtime that built the server.

mod front;
mod spare;

use std::future::{Future, IntoFuture};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use crate::engine::{AnyStream, Application, Engine};
use crate::server::Server;
use crate::service::Answer;
use front::{Front, Place};

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
    file_limit: FileLimit,
}

/// What happens to the process's limit of open files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FileLimit {
    Raised,
    Kept,
}

/// How a listener ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The open sessions are closed over this time; answers that are under way go out meanwhile.
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
        Self {
            server,
            addresses,
            given: None,
            router: None,
            wrap: None,
            stop: None,
            file_limit: FileLimit::Raised,
        }
    }

    /// Serves an axum router for all that is not the server's own.
    pub fn router(mut self, router: Router) -> Self {
        self.router = Some(router);
        self
    }

    /// Leaves the process's limit of open files as it is.
    ///
    /// A connection is a descriptor, and the soft limit of many systems is 1 024. So the listener raises it to the hard limit,
    /// which needs no privilege; child processes inherit it. With the limit grows [`max_sessions`](crate::Builder::max_sessions),
    /// unless that was set. Past the limit a newcomer is closed at once, and whoever is connected goes on.
    pub fn keep_file_limit(mut self) -> Self {
        self.file_limit = FileLimit::Kept;
        self
    }

    /// Serves over TLS.
    #[cfg(feature = "tls")]
    pub fn tls(self, config: Arc<rustls::ServerConfig>) -> Self {
        let acceptor = tokio_rustls::TlsAcceptor::from(config);
        self.secured_by(move |tcp| {
            let acceptor = acceptor.clone();
            async move { acceptor.accept(tcp).await }
        })
    }

    /// Serves over what `secure` makes of each accepted stream, for TLS by other means than [`tls`](Self::tls).
    pub fn secured_by<F, Fut, T>(mut self, secure: F) -> Self
    where
        F: Fn(TcpStream) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<T>> + Send + 'static,
        T: AnyStream + 'static,
    {
        self.wrap = Some(Arc::new(move |tcp| {
            let secured = secure(tcp);
            Box::pin(async move { Ok(Box::new(secured.await?) as Box<dyn AnyStream>) })
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
        if self.file_limit == FileLimit::Raised {
            self.server.engine().raise_file_limit();
        }
        let listener = match self.given {
            Some(listener) => {
                listener.set_nonblocking(true)?;
                TcpListener::from_std(listener)?
            }
            None => TcpListener::bind(&addresses[..]).await?,
        };
        let address = listener.local_addr()?;
        #[cfg(target_os = "linux")]
        cut_who_takes_nothing(&listener, self.server.engine().options())?;
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
            let front = Front::new(self.server.clone(), runtime, self.router, self.wrap, stopped);
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
                    let sessions = self.server.engine().shutdown(stop.spread, stop.cap);
                    // Every connection that HTTP is served on holds a receiver.
                    let answers = tokio::time::timeout(stop.cap, stopping.closed());
                    tokio::select! {
                        _ = async { tokio::join!(sessions, answers) } => {}
                        _ = signal() => {}
                    }
                }
            }
            Ok(())
        })
    }
}

/// Has the kernel end connections whose peers take no bytes, whatever is served on them: what is accepted inherits the
/// option. A session's heartbeat comes first, so that its end has the reason that it has elsewhere.
#[cfg(target_os = "linux")]
fn cut_who_takes_nothing(listener: &TcpListener, options: &crate::engine::Options) -> io::Result<()> {
    let heartbeat = options.session.ping_interval.saturating_add(options.session.ping_timeout);
    let timeout = options.answer_timeout.max(heartbeat);
    socket2::SockRef::from(listener).set_tcp_user_timeout(Some(timeout))
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
