//! What can go wrong, one type an operation: in a handler, on an emit, while an ack is awaited, in the builder.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::args::Encoded;

/// Shorthand for what a handler returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The error of a handler or middleware: what the client may know, and what it may not.
///
/// Made by [`Error::new`], code and message go to the client: in an ack as `{"error": code, "message": text}`,
/// in the refusal of a connect as `{"message": text, "data": …}`. Made from any other error by `?`, the client
/// learns `internal` alone, and the error goes to the server's error hook.
#[derive(Debug)]
pub struct Error {
    code: Cow<'static, str>,
    message: Cow<'static, str>,
    data: Option<Value>,
    /// The whole payload of a CONNECT_ERROR, JSON, in place of message and data.
    payload: Option<Box<str>>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error that the client may see.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code: code.into(), message: message.into(), data: None, payload: None, source: None }
    }

    /// The refusal of a connect, with the message that the client's `connect_error` gets.
    pub fn refuse(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new("refused", message)
    }

    /// Adds data for the client's `connect_error`. What cannot be serialized is left out.
    pub fn with_data(mut self, data: impl Serialize) -> Self {
        self.data = serde_json::to_value(data).ok();
        self
    }

    /// The refusal of a connect with a payload of any form: JSON text, which goes to the client as it is.
    pub fn refuse_json(payload: impl Into<Box<str>>) -> Self {
        Self { payload: Some(payload.into()), ..Self::refuse("refused") }
    }

    pub(crate) fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            code: Cow::Borrowed("internal"),
            message: Cow::Borrowed("internal error"),
            data: None,
            payload: None,
            source: Some(source.into()),
        }
    }

    /// The code that the client sees.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The message that the client sees.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The data of a refusal.
    pub fn data(&self) -> Option<&Value> {
        self.data.as_ref()
    }

    /// The error behind it, which the client does not see.
    pub fn cause(&self) -> Option<&(dyn StdError + Send + Sync)> {
        self.source.as_deref()
    }

    /// The error as the one argument of an ack.
    pub(crate) fn to_ack(&self) -> Encoded {
        let argument = serde_json::json!({ "error": self.code, "message": self.message });
        Encoded { json: format!("[{argument}]").into_bytes(), attachments: Vec::new() }
    }

    /// The payload of a CONNECT_ERROR.
    pub(crate) fn connect_json(&self) -> String {
        if let Some(payload) = &self.payload {
            return payload.as_ref().to_owned();
        }
        let mut payload = serde_json::json!({ "message": self.message });
        if let Some(data) = &self.data {
            payload["data"] = data.clone();
        }
        payload.to_string()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    fn from(source: E) -> Self {
        Self::internal(source)
    }
}

/// Why an emit could not be encoded. A socket that has gone is no error: what is sent to it is dropped.
#[derive(Debug)]
#[non_exhaustive]
pub enum EmitError {
    /// The name is kept for the protocol: `connect`, `disconnect` and their kin.
    ReservedName(String),
    /// The arguments could not be serialized.
    Serialize(serde_json::Error),
    /// More attachments than clients accept.
    TooManyAttachments {
        /// How many there are.
        count: usize,
        /// How many there may be.
        max: usize,
    },
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedName(name) => write!(f, "the event name {name:?} is reserved"),
            Self::Serialize(error) => write!(f, "the arguments cannot be serialized: {error}"),
            Self::TooManyAttachments { count, max } => {
                write!(
                    f,
                    "{count} attachments, and clients take {max}: send fewer, or raise `max_attachments` on both sides"
                )
            }
        }
    }
}

impl StdError for EmitError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Serialize(error) => Some(error),
            _ => None,
        }
    }
}

/// Why an ack did not come, or could not be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum AckError {
    /// The client did not answer in time.
    Timeout,
    /// The client left before it answered.
    Disconnected,
    /// The answer is not what was asked for.
    Decode(serde_json::Error),
    /// The event could not be sent.
    Emit(EmitError),
    /// Too many acks of this socket are pending.
    TooManyPending,
}

impl fmt::Display for AckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("the client did not acknowledge in time"),
            Self::Disconnected => f.write_str("the client left before it acknowledged"),
            Self::Decode(error) => write!(f, "the acknowledgement is not what was expected: {error}"),
            Self::Emit(error) => error.fmt(f),
            Self::TooManyPending => f.write_str("too many acknowledgements of this socket are pending"),
        }
    }
}

impl StdError for AckError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Decode(error) => Some(error),
            Self::Emit(error) => Some(error),
            _ => None,
        }
    }
}

impl From<EmitError> for AckError {
    fn from(error: EmitError) -> Self {
        Self::Emit(error)
    }
}

/// Why a server could not be built.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// The option is known, and not built yet.
    NotBuiltYet(&'static str),
    /// Two options contradict each other, or a value makes no sense: the sentence says which and how to mend it.
    Invalid(&'static str),
    /// The system gave no thread or no event queue.
    Io(std::io::Error),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBuiltYet(option) => write!(f, "the option `{option}` is not built yet: leave it out"),
            Self::Invalid(sentence) => f.write_str(sentence),
            Self::Io(error) => write!(f, "the server's threads could not be started: {error}"),
        }
    }
}

impl StdError for BuildError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}
