//! What may be registered for an event: functions and closures, plain or async, with extractors as arguments.
//!
//! Not the order in which they run (inbox.rs), and not what the arguments may be (extract.rs).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::error::Error;
use crate::events::EventStats;
use crate::extract::{Context, FromContext};
use crate::respond::{Answer, IntoAck};

/// A future of a handler.
pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a handler's call has come to.
pub enum Outcome {
    /// It is done.
    Ready(Verdict),
    /// It goes on.
    Pending(Pin<Box<dyn Future<Output = Verdict> + Send>>),
}

/// What a handler returned: the ack, nothing if it acknowledges by hand, or its error.
pub type Verdict = Result<Option<Answer>, Error>;

/// The verdict on a handler's value.
fn verdict(value: impl IntoAck, asked: bool) -> Verdict {
    if asked { value.into_ack().map(Some) } else { value.unasked().map(|()| None) }
}

/// A handler without its type.
pub(crate) type AnyHandler = Arc<dyn Fn(Context) -> Outcome + Send + Sync>;

/// A function or closure, plain or async, of up to eight extractors.
///
/// Handlers of one socket run one at a time, in the order in which its events arrived;
/// [`concurrent`](Self::concurrent) lifts that. A plain function must not block: [`blocking`](Self::blocking)
/// moves it to a pool of threads.
///
/// Implemented by functions alone; `T` tells apart which kind, and is inferred.
///
/// ```
/// use erlen::{Args, Data, Error, Handler, Json, Server, Socket, State};
///
/// #[derive(serde::Deserialize)]
/// struct Order { item: String, count: u32 }
///
/// #[derive(serde::Serialize)]
/// struct Receipt { total: f64 }
///
/// /// The value is the ack; an error is one too.
/// async fn order(Data(order): Data<Order>, State(price): State<f64>) -> erlen::Result<Json<Receipt>> {
///     if order.count == 0 {
///         return Err(Error::new("empty", "order at least one"));
///     }
///     Ok(Json(Receipt { total: price * f64::from(order.count) }))
/// }
///
/// # #[tokio::main] async fn main() -> Result<(), erlen::BuildError> {
/// let io = Server::builder().state(2.5_f64).build()?;
/// io.on("order", order);
/// io.on("add", |Args((a, b)): Args<(i64, i64)>| a + b);
/// io.on("slow", (|Data(path): Data<String>| std::fs::read_to_string(path)).blocking());
/// io.on("watch", (async |socket: Socket| socket.emit("seen", ())).concurrent());
/// # Ok(()) }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    label = "not a handler",
    note = "a handler is a function or closure of up to eight extractors (`Socket`, `Data<T>`, `Args<(A, B)>`, \
            `Raw`, `Auth<T>`, `Headers`, `Peer`, `State<T>`, `Ack`, …), plain or async, that returns what can be an \
            acknowledgement: see `FromContext` and `IntoAck`",
    note = "an async handler's future has to be `Send`: no `Rc`, and no lock guard across an await"
)]
pub trait Handler<T>: Send + Sync + Sized + 'static {
    /// Calls the function with what its arguments extract.
    fn call(&self, context: Context) -> Outcome;

    /// The same handler, not waiting for the socket's other handlers and not making them wait.
    fn concurrent(self) -> Concurrent<Self> {
        Concurrent(self)
    }

    /// The same function on a thread where it may block.
    fn blocking(self) -> Blocking<Self> {
        Blocking(Arc::new(self))
    }

    /// Whether it takes part in the order of its socket's handlers.
    #[doc(hidden)]
    fn is_concurrent(&self) -> bool {
        false
    }

    /// Whether it runs on a thread where it may block, and never on an I/O thread.
    #[doc(hidden)]
    fn is_blocking(&self) -> bool {
        false
    }
}

/// The handler of an event.
pub(crate) struct Registered {
    pub(crate) event: Arc<str>,
    pub(crate) handler: AnyHandler,
    /// It takes no part in the order of its socket's handlers.
    pub(crate) concurrent: bool,
    /// It runs elsewhere: it is not what holds an I/O thread.
    pub(crate) blocking: bool,
    /// How it is counted, unless it handles any event.
    pub(crate) stats: Option<Arc<EventStats>>,
}

impl Registered {
    pub(crate) fn new<T>(event: &str, handler: impl Handler<T>, stats: Option<Arc<EventStats>>) -> Arc<Self> {
        let (concurrent, blocking) = (handler.is_concurrent(), handler.is_blocking());
        Arc::new(Self { event: event.into(), concurrent, blocking, handler: erase(handler), stats })
    }

    /// In the place of the handler of an event that has none.
    pub(crate) fn nobody(event: &str) -> Arc<Self> {
        let handler: AnyHandler = Arc::new(|_| Outcome::Ready(Ok(None)));
        Arc::new(Self { event: event.into(), concurrent: false, blocking: false, handler, stats: None })
    }
}

pub(crate) fn erase<T, H: Handler<T>>(handler: H) -> AnyHandler {
    Arc::new(move |context| handler.call(context))
}

/// A handler that runs beside the others of its socket.
#[derive(Clone, Copy, Debug)]
pub struct Concurrent<H>(H);

impl<T, H: Handler<T>> Handler<(Concurrent<()>, T)> for Concurrent<H> {
    fn call(&self, context: Context) -> Outcome {
        self.0.call(context)
    }

    fn is_concurrent(&self) -> bool {
        true
    }

    fn is_blocking(&self) -> bool {
        self.0.is_blocking()
    }
}

/// A plain function that may block.
#[derive(Clone, Debug)]
pub struct Blocking<H>(Arc<H>);

impl<T: 'static, H: Handler<T>> Handler<(Blocking<()>, T)> for Blocking<H> {
    fn call(&self, context: Context) -> Outcome {
        let handler = Arc::clone(&self.0);
        let runtime = context.socket.runtime().clone();
        Outcome::Pending(Box::pin(async move {
            let work = runtime.spawn_blocking(move || match handler.call(context) {
                Outcome::Ready(answer) => answer,
                Outcome::Pending(future) => tokio::runtime::Handle::current().block_on(future),
            });
            work.await.map_err(Error::internal)?
        }))
    }

    fn is_concurrent(&self) -> bool {
        self.0.is_concurrent()
    }

    fn is_blocking(&self) -> bool {
        true
    }
}

/// Marks a plain function.
#[derive(Debug)]
pub struct Plain;

/// Marks an async function.
#[derive(Debug)]
pub struct Async;

macro_rules! functions {
    ($($t:ident)*) => {
        #[allow(non_snake_case, unused_mut, unused_variables)]
        impl<F, R, $($t,)*> Handler<(Plain, $($t,)*)> for F
        where
            F: Fn($($t),*) -> R + Send + Sync + 'static,
            R: IntoAck,
            $($t: FromContext,)*
        {
            fn call(&self, mut context: Context) -> Outcome {
                $(let $t = match $t::from_context(&mut context) {
                    Ok(value) => value,
                    Err(error) => return Outcome::Ready(Err(error)),
                };)*
                let asked = context.is_asked();
                Outcome::Ready(verdict(self($($t),*), asked))
            }
        }

        #[allow(non_snake_case, unused_mut, unused_variables)]
        impl<F, Fut, R, $($t,)*> Handler<(Async, $($t,)*)> for F
        where
            F: Fn($($t),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = R> + Send + 'static,
            R: IntoAck,
            $($t: FromContext,)*
        {
            fn call(&self, mut context: Context) -> Outcome {
                $(let $t = match $t::from_context(&mut context) {
                    Ok(value) => value,
                    Err(error) => return Outcome::Ready(Err(error)),
                };)*
                let future = self($($t),*);
                let asked = context.is_asked();
                Outcome::Pending(Box::pin(async move { verdict(future.await, asked) }))
            }
        }
    };
}

functions!();
functions!(A1);
functions!(A1 A2);
functions!(A1 A2 A3);
functions!(A1 A2 A3 A4);
functions!(A1 A2 A3 A4 A5);
functions!(A1 A2 A3 A4 A5 A6);
functions!(A1 A2 A3 A4 A5 A6 A7);
functions!(A1 A2 A3 A4 A5 A6 A7 A8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_and_in_what_order_a_handler_runs_is_kept_however_it_is_wrapped() {
        let told = |handler: Arc<Registered>| (handler.concurrent, handler.blocking);
        let plain = || ();
        assert_eq!(told(Registered::new("a", plain, None)), (false, false));
        assert_eq!(told(Registered::new("a", plain.blocking(), None)), (false, true));
        assert_eq!(told(Registered::new("a", plain.concurrent(), None)), (true, false));
        assert_eq!(told(Registered::new("a", plain.blocking().concurrent(), None)), (true, true));
        assert_eq!(told(Registered::new("a", plain.concurrent().blocking(), None)), (true, true));
    }
}
