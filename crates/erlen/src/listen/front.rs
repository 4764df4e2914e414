//! What the listener does with connections: each is accepted, given to a shard, and served there as what it turns out to be.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::rt::{Sleep, Timer};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tower_service::Service;

use super::Wrap;
use super::spare::Spare;
use crate::engine::{self, Arrival, Below, Listener, MAX_HEAD_BYTES, MAX_HEADERS, Socket};
use crate::service::Answer;

/// Where a router's requests run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// On the runtime, where handlers may take their time.
    Runtime,
    /// On the connection's shard.
    Shard,
}

/// What serves connections.
pub(super) struct Front<S> {
    server: S,
    /// Where the router's requests run.
    runtime: Handle,
    router: Option<(Router, Place)>,
    wrap: Option<Wrap>,
    stopped: watch::Receiver<()>,
}

impl<S: Answer> Front<S> {
    pub(super) fn new(
        server: S,
        runtime: Handle,
        router: Option<(Router, Place)>,
        wrap: Option<Wrap>,
        stopped: watch::Receiver<()>,
    ) -> Arc<Self> {
        Arc::new(Self { server, runtime, router, wrap, stopped })
    }

    /// Accepts connections until the listener stops.
    pub(super) async fn accept_all(self: Arc<Self>, listener: std::net::TcpListener) {
        let listener = match Listener::new(listener) {
            Ok(listener) => listener,
            Err(error) => {
                return tracing::error!(target: "erlen", %error,
                    "nothing can be accepted; raise fs.epoll.max_user_watches (sysctl)");
            }
        };
        // Where it is not inherited, `accept` sees to it.
        let _ = listener.options().set_tcp_nodelay(true);
        let mut stopped = self.stopped.clone();
        let mut spare = Spare::new(&listener);
        loop {
            let accepted = tokio::select! {
                accepted = poll_fn(|cx| listener.poll_accept(cx)) => accepted,
                _ = stopped.changed() => return,
            };
            match accepted {
                Ok((socket, peer)) => self.assign(socket, peer),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => spare.make_do(&listener, &error).await,
            }
        }
    }

    /// Gives a connection to the shard with the least of them.
    fn assign(self: &Arc<Self>, socket: Socket, peer: SocketAddr) {
        let front = Arc::clone(self);
        let shard = self.server.engine().least_loaded_shard();
        if shard.is_current() {
            tokio::task::spawn_local(front.serve(socket, peer));
            return;
        }
        shard.execute(move |_| {
            tokio::task::spawn_local(front.serve(socket, peer));
        });
    }

    /// Serves a connection to its end, or until it is a WebSocket.
    async fn serve(self: Arc<Self>, socket: Socket, peer: SocketAddr) {
        if self.wrap.is_some() {
            return Box::pin(self.serve_wrapped(socket, peer)).await;
        }
        let below = Below { peer: Some(peer), secure: Some(false) };
        match self.server.engine().receive(socket, below, self.stopped.clone()).await {
            Arrival::Http(stream, since) => Box::pin(self.serve_http(stream, below, since)).await,
            Arrival::Over => {}
        }
    }

    async fn serve_wrapped(self: Arc<Self>, socket: Socket, peer: SocketAddr) {
        let (Some(wrap), Ok(tcp)) = (&self.wrap, socket.into_std().and_then(TcpStream::from_std)) else {
            return;
        };
        match tokio::time::timeout(self.server.engine().options().header_timeout, wrap(tcp)).await {
            Ok(Ok(stream)) => {
                let below = Below { peer: Some(peer), secure: Some(true) };
                self.serve_http(TokioIo::new(stream), below, Instant::now()).await;
            }
            Ok(Err(error)) => tracing::info!(target: "erlen", %peer, %error, "TLS handshake failed"),
            Err(_) => tracing::info!(target: "erlen", %peer, "TLS handshake took too long"),
        }
    }

    /// Serves requests. The first has been waited for `since` then.
    async fn serve_http<I>(self: Arc<Self>, io: I, below: Below, since: Instant)
    where
        I: hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
    {
        let mut stopped = self.stopped.clone();
        let header_timeout = self.server.engine().options().header_timeout;
        let service = service_fn(move |request| {
            let front = Arc::clone(&self);
            async move { Ok::<_, Infallible>(front.answer(request, below).await) }
        });
        let connection = http1::Builder::new()
            .timer(Clock::new(since))
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

/// The time of a connection's HTTP server, for whose first head the connection's beginning is the time.
struct Clock {
    began: Mutex<Option<Instant>>,
    timer: TokioTimer,
}

impl Clock {
    fn new(began: Instant) -> Self {
        Self { began: Mutex::new(Some(began)), timer: TokioTimer::new() }
    }
}

impl Timer for Clock {
    fn now(&self) -> Instant {
        let began = self.began.lock().unwrap_or_else(PoisonError::into_inner).take();
        began.unwrap_or_else(|| self.timer.now())
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.timer.sleep(duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.timer.sleep_until(deadline)
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, deadline: Instant) {
        self.timer.reset(sleep, deadline);
    }
}

/// Whether an error of `accept` is about the connection that was to be accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_head_has_the_time_since_the_connection_began_and_later_ones_their_own() {
        let began = Instant::now().checked_sub(Duration::from_secs(5)).unwrap();
        let clock = Clock::new(began);
        assert_eq!(clock.now(), began);
        assert!(clock.now() >= began + Duration::from_secs(5));
    }
}
