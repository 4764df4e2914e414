//! Erlen: a real-time web server on the Socket.IO protocol.
//!
//! Events both ways between a server and its clients, rooms, namespaces, acknowledgements, broadcasts, over WebSocket
//! or long-polling; any official client (JavaScript, Swift, Java, Python) works unchanged.
//!
//! ```no_run
//! use erlen::{Data, Server, Socket};
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     let io = Server::new();
//!     io.on("join", |socket: Socket, Data(room): Data<String>| socket.join(room));
//!     io.on("say", |socket: Socket, Data((room, text)): Data<(String, String)>| {
//!         socket.to(room).emit("said", text)
//!     });
//!     let app = axum::Router::new().route("/", axum::routing::get(|| async { "hello" }));
//!     io.listen("127.0.0.1:5000").router(app).await
//! }
//! ```
//!
//! # What to read
//!
//! - [`Server`] and its [`Builder`]: what an application holds, and every option.
//! - [`Namespace`]: registering handlers, emitting to all. [`Server::of_pattern`] for namespaces by pattern.
//! - [`Handler`]: what a handler may be; [`FromContext`]: what it may ask for; [`IntoAck`]: what it may return.
//! - [`Socket`]: one client. [`BroadcastOperator`]: many.
//! - [`Server::listen`] serves by itself, [`Server::layer`] under axum or hyper.
//! - [`TestClient`]: tests without a port.
//! - [`adapter`]: several nodes as one server. [`engine`]: plain Engine.IO.
//!
//! # Promises
//!
//! Handlers of one socket run one at a time, in the order in which its events arrived, unless they are registered as
//! [`concurrent`](Handler::concurrent). What is emitted to one client from one thread arrives in that order, across an upgrade
//! too. An emit never waits; a client that does not keep up is cut, and costs the others nothing. Every queue has a bound
//! and every state a deadline.

mod ack;
pub mod adapter;
mod args;
mod broadcast;
mod builder;
mod connection;
mod dynamic;
pub mod engine;
mod error;
mod events;
mod extract;
mod handler;
mod handlers;
mod inbox;
mod limits;
mod listen;
mod namespace;
mod openmetrics;
mod outgoing;
mod reason;
mod respond;
mod routes;
mod seldom;
mod server;
mod service;
mod socket;
mod testing;
mod turn;

pub use ack::{AckFuture, AckSink, Answers, AnswersFuture, Collector};
pub use args::{Binary, IntoArgs, RawArgs};
pub use broadcast::{BroadcastOperator, Disconnect, Rooms, Target};
pub use builder::Builder;
pub use connection::SocketIo;
pub use dynamic::DynamicNamespaces;
pub use engine::{Cookie, Cors, Transports};
pub use erlen_socketio::SocketId;
pub use error::{AckError, BuildError, EmitError, Error, Result};
pub use events::{EventMetrics, EventOutcome, EventStats};
pub use extract::{
    Ack, Args, Attachments, Auth, Context, Data, EventName, FromContext, Headers, Peer, Raw, SocketData,
    State,
};
pub use handler::{Blocking, Concurrent, Handler, Outcome, Verdict};
pub use listen::{Bound, Listen, Stop};
pub use namespace::Namespace;
pub use outgoing::Event;
pub use reason::DisconnectReason;
pub use respond::{Answer, IntoAck, Json};
pub use routes::ClientBundle;
/// Why a value cannot be serialized to JSON, or read from it.
pub use serde_json::Error as JsonError;
pub use server::Server;
pub use service::{ErlenLayer, ErlenService, NotFound, ServiceBody};
pub use socket::{Room, Socket};
pub use testing::{Received, TestClient, TestError, TestMessage, TestSession};
pub use turn::Turn;
