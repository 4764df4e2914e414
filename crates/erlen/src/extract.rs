//! What a handler's arguments may be, and how each is taken from what happened.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::args::{Encoded, IntoArgs, RawArgs};
use crate::error::{EmitError, Error};
use crate::reason::DisconnectReason;
use crate::respond::Answer;
use crate::socket::Socket;

/// What happened: the socket, and an event, a connect or a disconnect.
pub struct Context {
    pub(crate) socket: Socket,
    pub(crate) args: Option<RawArgs>,
    pub(crate) ack_id: Option<u64>,
    /// The handler has taken the ack over.
    pub(crate) ack_taken: bool,
    pub(crate) reason: Option<DisconnectReason>,
    /// When the event arrived, if it is one.
    pub(crate) arrived: Option<Instant>,
}

impl Context {
    /// Whether the handler's value is an ack: the client waits for one, and the handler gives none by hand.
    pub(crate) fn is_asked(&self) -> bool {
        self.ack_id.is_some() && !self.ack_taken
    }
}

/// A type that a handler may ask for.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an extractor",
    label = "a handler cannot ask for this",
    note = "ask for `Data<{Self}>` to read the event's first argument, `Args<(A, B)>` for several, \
            `State<{Self}>` for what the server was given by `Builder::state`, `SocketData<{Self}>` for the socket's data"
)]
pub trait FromContext: Sized {
    /// Takes the value.
    ///
    /// # Errors
    /// When it is not there, or not of this type: the event's ack is then this error.
    fn from_context(context: &mut Context) -> Result<Self, Error>;
}

/// The socket.
impl FromContext for Socket {
    fn from_context(context: &mut Context) -> Result<Self, Error> {
        Ok(context.socket.clone())
    }
}

/// The first argument, deserialized. Missing is `null`: `Data<Option<T>>` takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data<T>(pub T);

impl<T: DeserializeOwned> FromContext for Data<T> {
    fn from_context(context: &mut Context) -> Result<Self, Error> {
        let args = context.args.as_ref().ok_or_else(no_event)?;
        args.get(0).map(Self).map_err(|e| Error::new("invalid_argument", e.to_string()))
    }
}

/// All arguments, deserialized into a tuple of as many, or a `Vec`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Args<T>(pub T);

impl<T: DeserializeOwned> FromContext for Args<T> {
    fn from_context(context: &mut Context) -> Result<Self, Error> {
        let args = context.args.as_ref().ok_or_else(no_event)?;
        args.all().map(Self).map_err(|e| Error::new("invalid_argument", e.to_string()))
    }
}

/// All arguments as they came: JSON texts, unparsed, and attachments.
#[derive(Clone, Debug)]
pub struct Raw(pub RawArgs);

impl FromContext for Raw {
    fn from_context(context: &mut Context) -> Result<Self, Error> {
        context.args.clone().map(Self).ok_or_else(no_event)
    }
}

/// The attachments of the event.
#[derive(Clone, Debug)]
pub struct Attachments(pub Vec<Bytes>);

impl FromContext for Attachments {
    fn from_context(context: &mut Context) -> Result<Self, Error> {
        let args = context.args.as_ref().ok_or_else(no_event)?;
        Ok(Self(args.attachments().to_vec()))
    }
}

/// The event's name, for catch-all listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventName(pub String);

impl FromContext for EventName {
    fn from_context(context: &mut Context) -> Result<Self, Error> {
        let args = context.args.as_ref().ok_or_else(no_event)?;
        Ok(Self(args.event_name().into_owned()))
    }
}

/// What the client sent as `auth` when it joined the namespace. Nothing sent is `null`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auth<T>(pub T);

impl<T: DeserializeOwned> FromContext for Auth<T> {
    fn from_context(context: &mut Context) -> Result<Self, Error> {
        let auth = context.socket.auth();
        serde_json::from_str(auth.unwrap_or("null"))
            .map(Self)
            .map_err(|e| Error::new("invalid_auth", format!("invalid auth: {e}")))
    }
}

/// The headers of the request that opened the session.
#[derive(Clone, Debug)]
pub struct Headers(Socket);

impl Headers {
    /// The first value of a header.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.handshake().header(name)
    }

    /// All headers, names in lower case.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.handshake().headers()
    }
}

impl FromContext for Headers {
    fn from_context(context: &mut Context) -> Result<Self, Error> {
        Ok(Self(context.socket.clone()))
    }
}

/// The address at the other end of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

impl FromContext for Peer {
    fn from_context(context: &mut Context) -> Result<Self, Error> {
        let peer = context.socket.handshake().peer();
        peer.map(Self).ok_or_else(|| {
            Error::internal(
                "the peer's address is not known: serve with `into_make_service_with_connect_info`",
            )
        })
    }
}

/// A value that the server was given by [`Builder::state`](crate::Builder::state).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State<T>(pub T);

impl<T: Clone + Send + Sync + 'static> FromContext for State<T> {
    fn from_context(context: &mut Context) -> Result<Self, Error> {
        context.socket.state::<T>().map(Self).ok_or_else(|| {
            Error::internal(format!(
                "no state of type `{}`: give it to `Builder::state`",
                std::any::type_name::<T>()
            ))
        })
    }
}

/// A value of the socket's own data, put there by [`Socket::insert`].
#[derive(Clone, Debug)]
pub struct SocketData<T>(pub Arc<T>);

impl<T: Send + Sync + 'static> FromContext for SocketData<T> {
    fn from_context(context: &mut Context) -> Result<Self, Error> {
        context.socket.get::<T>().map(Self).ok_or_else(|| {
            Error::internal(format!("the socket has no data of type `{}`", std::any::type_name::<T>()))
        })
    }
}

/// Why the socket has left, in a disconnect handler.
impl FromContext for DisconnectReason {
    fn from_context(context: &mut Context) -> Result<Self, Error> {
        context.reason.ok_or_else(|| Error::internal("`DisconnectReason` is for disconnect handlers"))
    }
}

/// The ack of the event, to be sent by hand: the handler's return value is then not used.
///
/// Dropped unsent, the client gets no ack.
#[derive(Debug)]
pub struct Ack {
    socket: Socket,
    id: Option<u64>,
}

impl Ack {
    /// Whether the client waits for an ack.
    pub fn is_wanted(&self) -> bool {
        self.id.is_some()
    }

    /// Acknowledges. A tuple is several arguments.
    ///
    /// # Errors
    /// When the arguments cannot be serialized, or have more attachments than clients accept.
    pub fn send(self, args: impl IntoArgs) -> Result<(), EmitError> {
        if let Some(id) = self.id {
            let answer = Answer(Encoded::new(&args).map_err(EmitError::Serialize)?);
            let answer = answer.within(self.socket.namespace().limits().max_attachments)?;
            self.socket.send_ack(id, &answer.0);
        }
        Ok(())
    }
}

impl FromContext for Ack {
    fn from_context(context: &mut Context) -> Result<Self, Error> {
        context.ack_taken = true;
        Ok(Self { socket: context.socket.clone(), id: context.ack_id })
    }
}

/// Several at once, or nothing where a single one fails.
impl<T: FromContext> FromContext for Option<T> {
    fn from_context(context: &mut Context) -> Result<Self, Error> {
        Ok(T::from_context(context).ok())
    }
}

/// The value, or why it is not there.
impl<T: FromContext> FromContext for Result<T, Error> {
    fn from_context(context: &mut Context) -> Result<Self, Error> {
        Ok(T::from_context(context))
    }
}

fn no_event() -> Error {
    Error::internal("this extractor is for handlers of events: a connect or a disconnect has no arguments")
}
