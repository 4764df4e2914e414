//! What a handler may return: its ack.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::args::{Binary, Encoded, IntoArgs, RawArgs};
use crate::error::{EmitError, Error};

/// The answer of a handler, encoded.
#[derive(Debug)]
pub struct Answer(pub(crate) Encoded);

impl Answer {
    /// The answer, if clients take so many attachments.
    pub(crate) fn within(self, max_attachments: usize) -> Result<Self, EmitError> {
        match self.0.attachments.len() {
            count if count > max_attachments => {
                Err(EmitError::TooManyAttachments { count, max: max_attachments })
            }
            _ => Ok(self),
        }
    }
}

/// What a handler may return. The value is the ack of the event, if the client asked for one.
///
/// `()` acknowledges without arguments, a tuple with several, a `Result` with its value or with the error.
/// A type of your own goes into [`Json`].
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "not an acknowledgement",
    note = "return `()`, a number, a string, `serde_json::Value`, a tuple, `Json(value)` for a type of your own, \
            or a `Result` of one of them"
)]
pub trait IntoAck {
    /// Encodes the value.
    ///
    /// # Errors
    /// The handler's own error, or that the value cannot be serialized.
    fn into_ack(self) -> Result<Answer, Error>;

    /// Of an event whose client asked for no ack: the handler's own error alone.
    ///
    /// # Errors
    /// The handler's own error.
    fn unasked(self) -> Result<(), Error>
    where
        Self: Sized,
    {
        Ok(())
    }
}

/// Any serializable value, as the one argument of an ack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoAck for Json<T> {
    fn into_ack(self) -> Result<Answer, Error> {
        encode(&(&self.0,))
    }
}

impl<T: IntoAck, E: Into<Error>> IntoAck for Result<T, E> {
    fn into_ack(self) -> Result<Answer, Error> {
        self.map_err(Into::into)?.into_ack()
    }

    fn unasked(self) -> Result<(), Error> {
        self.map_err(Into::into)?.unasked()
    }
}

fn encode(value: &impl IntoArgs) -> Result<Answer, Error> {
    Encoded::new(value).map(Answer).map_err(Error::internal)
}

macro_rules! serialized {
    ($($t:ty),* $(,)?) => {
        $(impl IntoAck for $t {
            fn into_ack(self) -> Result<Answer, Error> {
                encode(&self)
            }
        })*
    };
}

serialized!(
    (),
    bool,
    char,
    i8,
    i16,
    i32,
    i64,
    isize,
    u8,
    u16,
    u32,
    u64,
    usize,
    f32,
    f64,
    String,
    &'static str,
    serde_json::Value,
    Box<serde_json::value::RawValue>,
    Binary,
    RawArgs,
);

macro_rules! serialized_generic {
    ($($t:ty { $($p:ident),* }),* $(,)?) => {
        $(impl<$($p: Serialize),*> IntoAck for $t {
            fn into_ack(self) -> Result<Answer, Error> {
                encode(&self)
            }
        })*
    };
}

serialized_generic!(
    Option<T> { T }, Vec<T> { T }, BTreeMap<K, T> { K, T },
    (A,) { A }, (A, B) { A, B }, (A, B, C) { A, B, C }, (A, B, C, D) { A, B, C, D },
);

impl<K: Serialize, T: Serialize, S> IntoAck for HashMap<K, T, S> {
    fn into_ack(self) -> Result<Answer, Error> {
        encode(&self)
    }
}
