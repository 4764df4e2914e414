//! Erlen: a real-time web server on the Socket.IO protocol.

mod ack;
pub mod adapter;
mod args;
mod broadcast;
mod builder;
mod connection;
mod dynamic;
pub mod engine;
mod error;
mod extract;
mod handler;
mod inbox;
mod limits;
mod listen;
mod namespace;
mod openmetrics;
mod outgoing;
mod reason;
mod respond;
mod routes;
mod server;
mod service;
mod socket;
mod testing;

pub use ack::{AckFuture, AckSink, Answers, AnswersFuture, Collector};
pub use args::{Binary, RawArgs};
pub use broadcast::{BroadcastOperator, Disconnect, Rooms, Target};
pub use builder::Builder;
pub use connection::SocketIo;
pub use dynamic::DynamicNamespaces;
pub use engine::{Cookie, Cors, Transports};
pub use erlen_socketio::SocketId;
pub use error::{AckError, BuildError, EmitError, Error, Result};
pub use extract::{
    Ack, Args, Attachments, Auth, Context, Data, EventName, FromContext, Headers, Peer, Raw, SocketData,
    State,
};
pub use handler::{Blocking, Concurrent, Handler, Outcome, Verdict};
pub use listen::{Bound, Listen, Stop};
pub use namespace::{LocalNode, Namespace};
pub use outgoing::Event;
pub use reason::DisconnectReason;
pub use respond::{Answer, IntoAck, Json};
pub use routes::ClientBundle;
pub use server::Server;
pub use service::{ErlenLayer, ErlenService, NotFound, ServiceBody};
pub use socket::{Room, Socket};
pub use testing::{Received, TestClient, TestError};
