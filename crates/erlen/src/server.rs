//! The server: what an application holds, clones and emits by.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::builder::Builder;
use crate::connection::SocketIo;
use crate::dynamic::{self, DynamicNamespaces};
use crate::engine::{Engine, EngineMetrics};
use crate::events::EventMetrics;
use crate::namespace::Namespace;
use crate::routes::Routes;

/// A Socket.IO server: a handle, cheap to clone, for any thread.
///
/// It dereferences to its root namespace, `/`: what is registered or emitted on the server is on that.
///
/// ```
/// # #[tokio::main] async fn main() {
/// use erlen::{Data, Server, Socket};
///
/// let io = Server::new();
/// io.on("say", |socket: Socket, Data(text): Data<String>| socket.broadcast().emit("said", &text));
/// io.of("/admin").on("kick", |Data(room): Data<String>| println!("kick {room}"));
/// # }
/// ```
#[derive(Clone)]
pub struct Server {
    engine: Arc<Engine<SocketIo>>,
    root: Namespace,
    routes: Arc<Routes>,
}

impl Server {
    /// A server with the defaults.
    ///
    /// # Panics
    /// When the system gives no thread. [`Builder::build`] returns that as an error.
    pub fn new() -> Self {
        Self::builder().build().expect("the system gives threads to a new server")
    }

    /// A server to be told more.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn from_parts(engine: Arc<Engine<SocketIo>>, routes: Routes) -> Self {
        let root = engine.app().namespace("/");
        Self { engine, root, routes: Arc::new(routes) }
    }

    /// The namespace of that name, made if it is not there yet. The slash in front may be left out.
    pub fn of(&self, name: &str) -> Namespace {
        if name.starts_with('/') {
            return self.engine.app().namespace(name);
        }
        self.engine.app().namespace(&format!("/{name}"))
    }

    /// The namespace of that name, if it is there.
    pub fn find(&self, name: &str) -> Option<Namespace> {
        self.engine.app().find(name)
    }

    /// Namespaces that come into being when a client asks for them: `{…}` stands for one segment of the name.
    ///
    /// ```
    /// # use erlen::{Server, Socket};
    /// # fn f(io: &Server) {
    /// io.of_pattern("/project/{id}")
    ///     .on("whereami", |socket: Socket| socket.namespace().name().to_owned());
    /// # }
    /// ```
    pub fn of_pattern(&self, pattern: &str) -> DynamicNamespaces {
        let pattern = pattern.to_owned();
        self.of_matching(move |name, _| dynamic::matches(&pattern, name))
    }

    /// The same by a function of the name and of the JSON text that the client sent as auth.
    pub fn of_matching(
        &self,
        rule: impl Fn(&str, Option<&str>) -> bool + Send + Sync + 'static,
    ) -> DynamicNamespaces {
        DynamicNamespaces::new(Arc::clone(&self.engine), Box::new(rule))
    }

    /// Every namespace that exists, in the order of their names.
    pub fn namespaces(&self) -> Vec<Namespace> {
        self.engine.app().namespaces()
    }

    /// The engine below: sessions and transports.
    pub fn engine(&self) -> &Arc<Engine<SocketIo>> {
        &self.engine
    }

    /// The counters now.
    pub fn metrics(&self) -> EngineMetrics {
        self.engine.metrics()
    }

    /// The counters of every event that has a handler.
    pub fn event_metrics(&self) -> Vec<EventMetrics> {
        self.engine.app().shared.events.snapshot()
    }

    /// The counters as text in the OpenMetrics format, as the route `/metrics` gives them.
    pub fn openmetrics(&self) -> String {
        crate::openmetrics::write(self)
    }

    /// Runs a background task that ends with the server: when it shuts down, the task is dropped at its next await.
    ///
    /// ```
    /// # #[tokio::main] async fn main() {
    /// # use std::time::Duration;
    /// let io = erlen::Server::new();
    /// let ticker = io.clone();
    /// io.spawn(async move {
    ///     for n in 0_u64.. {
    ///         tokio::time::sleep(Duration::from_secs(1)).await;
    ///         let _ = ticker.emit("tick", n);
    ///     }
    /// });
    /// # }
    /// ```
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let engine = Arc::clone(&self.engine);
        self.runtime().spawn(async move {
            tokio::select! {
                () = task => {}
                () = engine.closed() => {}
            }
        })
    }

    /// Ends the server in order: new sessions are refused, the open ones are closed over `spread`, and what they were
    /// sent before goes out. Returns when all have gone, or after `cap`. Clients come back to another server.
    pub async fn shutdown(&self, spread: Duration, cap: Duration) {
        self.engine.shutdown(spread, cap).await;
    }

    pub(crate) fn routes(&self) -> &Routes {
        &self.routes
    }
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Server {
    type Target = Namespace;

    fn deref(&self) -> &Namespace {
        &self.root
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("namespaces", &self.namespaces()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells when it is dropped.
    struct Guard(Option<tokio::sync::oneshot::Sender<()>>);

    impl Drop for Guard {
        fn drop(&mut self) {
            let _ = self.0.take().map(|sender| sender.send(()));
        }
    }

    #[tokio::test]
    async fn a_background_task_ends_with_the_server() {
        let io = Server::new();
        let (sender, dropped) = tokio::sync::oneshot::channel();
        let guard = Guard(Some(sender));
        let task = io.spawn(async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        });
        io.shutdown(Duration::ZERO, Duration::from_secs(5)).await;
        dropped.await.unwrap();
        task.await.unwrap();
    }
}
