//! The server as a tower layer and service: its own requests are answered, all others go to the inner service.
//!
//! For axum and hyper apps of any listener, TLS and unusual streams included: the engine takes over whatever
//! the HTTP server gives back after an upgrade.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{Either, Full};
use tower_layer::Layer;
use tower_service::Service;

use crate::connection::SocketIo;
use crate::engine::{self, Application, Below, Engine};
use crate::server::Server;

/// The body of an answer: the engine's, or the inner service's.
pub type ServiceBody<B> = Either<Full<Bytes>, B>;

/// Puts a server in front of a service.
///
/// ```
/// # #[tokio::main] async fn main() {
/// let io = erlen::Server::new();
/// let app: axum::Router = axum::Router::new().layer(io.layer());
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ErlenLayer<F = Server>(F);

impl<S, F: Clone> Layer<S> for ErlenLayer<F> {
    type Service = ErlenService<S, F>;

    fn layer(&self, inner: S) -> ErlenService<S, F> {
        ErlenService { front: self.0.clone(), inner }
    }
}

/// A service with a server in front.
#[derive(Clone, Debug)]
pub struct ErlenService<S, F = Server> {
    front: F,
    inner: S,
}

/// What can stand in front: a [`Server`], or an [`Engine`] alone.
pub trait Answer: Clone + Send + Sync + 'static {
    /// What runs on the engine.
    type App: Application;

    /// The engine.
    fn engine(&self) -> &Arc<Engine<Self::App>>;

    /// Whether [`answer`](Self::answer) may answer a request of this path.
    fn may_answer(&self, path: &str) -> bool;

    /// The answer to a request, or the request if it is not for this one.
    fn answer<B>(
        &self,
        request: Request<B>,
        below: Below,
    ) -> impl Future<Output = Result<Response<engine::Body>, Request<B>>> + Send
    where
        B: http_body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send;
}

impl Answer for Server {
    type App = SocketIo;

    fn engine(&self) -> &Arc<Engine<SocketIo>> {
        self.engine()
    }

    fn may_answer(&self, path: &str) -> bool {
        self.engine().owns(path) || self.routes().has(path)
    }

    async fn answer<B>(&self, request: Request<B>, below: Below) -> Result<Response<engine::Body>, Request<B>>
    where
        B: http_body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send,
    {
        if let Some(answer) = self.answer_route(&request, below.secure) {
            return Ok(answer);
        }
        self.engine().answer(request, below).await
    }
}

impl<A: Application> Answer for Arc<Engine<A>> {
    type App = A;

    fn engine(&self) -> &Self {
        self
    }

    fn may_answer(&self, path: &str) -> bool {
        self.owns(path)
    }

    async fn answer<B>(&self, request: Request<B>, below: Below) -> Result<Response<engine::Body>, Request<B>>
    where
        B: http_body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send,
    {
        if !self.owns(request.uri().path()) {
            return Err(request);
        }
        Ok(self.handle(request, below).await)
    }
}

impl Server {
    /// The server as a tower layer.
    pub fn layer(&self) -> ErlenLayer {
        ErlenLayer(self.clone())
    }

    /// The server as a tower service that answers 404 to all that is not its own.
    pub fn service(&self) -> ErlenService<NotFound> {
        ErlenService { front: self.clone(), inner: NotFound }
    }
}

impl<A: Application> Engine<A> {
    /// Plain Engine.IO as a tower layer.
    pub fn layer(self: &Arc<Self>) -> ErlenLayer<Arc<Self>> {
        ErlenLayer(Arc::clone(self))
    }
}

impl<S, F, B, R> Service<Request<B>> for ErlenService<S, F>
where
    F: Answer,
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    R: Send + 'static,
{
    type Response = Response<ServiceBody<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The clone is kept for the next request; the service that was ready serves this one.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        if !self.front.may_answer(request.uri().path()) {
            let answer = inner.call(request);
            return Box::pin(async move { Ok(answer.await?.map(Either::Right)) });
        }
        let front = self.front.clone();
        let below = Below { peer: peer(&request), secure: None };
        Box::pin(async move {
            match front.answer(request, below).await {
                Ok(answer) => Ok(answer.map(Either::Left)),
                Err(request) => Ok(inner.call(request).await?.map(Either::Right)),
            }
        })
    }
}

/// The peer's address, if the app was served with it.
fn peer<B>(request: &Request<B>) -> Option<SocketAddr> {
    let connected = request.extensions().get::<axum::extract::ConnectInfo<SocketAddr>>()?;
    Some(connected.0)
}

/// A service that knows nothing.
#[derive(Clone, Copy, Debug)]
pub struct NotFound;

impl<B> Service<Request<B>> for NotFound {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        std::future::ready(Ok(engine::empty(StatusCode::NOT_FOUND)))
    }
}
