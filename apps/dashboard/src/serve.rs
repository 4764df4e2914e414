//! Puts the parts together: engine, routes, clock, listener.
//!
//! The binary calls [`bind`], prints the address and awaits the rest.

use std::net::SocketAddr;

use erlen::{Bound, BuildError, Server, Stop};

use crate::app::App;
use crate::auth::Access;
use crate::options::{Options, explain_bind_error};
use crate::{events, host, http, ticks};

/// A dashboard that listens, and does its work while [`run`](Self::run) is awaited.
pub struct Dashboard {
    bound: Bound,
    clock: ticks::Clock,
    is_guarded: bool,
}

/// Builds the server and binds its address. An error is one line for the user.
///
/// # Errors
/// The address cannot be bound, or the system gives no threads.
pub async fn bind(options: &Options) -> Result<Dashboard, String> {
    let access = Access::new(options.password.clone(), options.token.clone());
    let app = App::new(access, host::Host::name().unwrap_or_else(|| "this machine".to_owned()));
    let io = engine(&app).map_err(|error| error.to_string())?;
    events::register(&io);
    let listen = io.listen(options.address()).router(http::router(app.clone())).stop_when(interrupted());
    let bound = listen.bind().await.map_err(|error| explain_bind_error(options.address(), &error))?;
    let is_guarded = app.access.is_guarded();
    let clock = ticks::start(io, app).map_err(|error| format!("the system gives no thread: {error}"))?;
    Ok(Dashboard { bound, clock, is_guarded })
}

impl Dashboard {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.bound.local_addr()
    }

    /// Whether a password or token is asked for.
    pub fn is_guarded(&self) -> bool {
        self.is_guarded
    }

    /// Serves until the process is asked to stop.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run(self) -> std::io::Result<()> {
        let served = self.bound.await;
        drop(self.clock);
        served
    }
}

fn engine(app: &App) -> Result<Server, BuildError> {
    let access = app.access.clone();
    Server::builder()
        .state(app.clone())
        .serve_client(erlen_client_js::BUNDLE)
        .metrics_route(!access.is_guarded())
        .healthz(true)
        // A backfill of an hour and 512 posted series is one packet; a slow viewer is cut after a few of them.
        .max_queue_bytes(8 * 1024 * 1024)
        .allow_request(move |handshake: erlen::engine::Handshake| {
            let accepted = access.accepts_host(handshake.header("host"));
            std::future::ready(if accepted {
                Ok(())
            } else {
                Err("this address serves localhost alone".to_owned())
            })
        })
        .build()
}

/// Viewers come back by themselves, so a stop need not be gentle.
async fn interrupted() -> Stop {
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        return Stop::NOW;
    }
    // Without a way to hear of it, only the end of the process stops it.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    Stop::NOW
}
