//! A place among a socket's unfinished events, for handlers that finish theirs elsewhere.
//!
//! Not the order of a socket's handlers, nor the bounds themselves: both are inbox.rs.

use std::fmt;
use std::time::Instant;

use crate::error::Error;
use crate::events::{EventOutcome, EventStats};
use crate::extract::{Context, FromContext};
use crate::inbox::size_of_args;
use crate::socket::Socket;

/// The place of an event among those of its socket that are not finished.
///
/// A handler that hands its event to something else (a thread, a queue) takes this with it: while it is held, the event
/// counts in `max_waiting_events` and `max_waiting_event_bytes`, so that a client cannot send without end to an
/// application that is slow. Dropped, it gives the place back, and the client is read again.
///
/// ```
/// # use erlen::{Data, Server, Turn};
/// # fn f(io: &Server, jobs: std::sync::mpsc::Sender<(String, Turn)>) {
/// io.on("job", move |Data(job): Data<String>, turn: Turn| drop(jobs.send((job, turn))));
/// # }
/// ```
pub struct Turn {
    socket: Socket,
    bytes: usize,
    arrived: Instant,
}

impl Turn {
    /// Gives the place back, and counts the event.
    pub fn finish(self, stats: &EventStats, outcome: EventOutcome) {
        stats.record(self.arrived.elapsed(), self.bytes, outcome);
    }

    pub(crate) fn take(socket: &Socket, bytes: usize, arrived: Instant) -> Self {
        let mut state = socket.lock();
        state.inbox.held += 1;
        let growth = state.inbox.grew(bytes, socket.namespace().limits());
        drop(state);
        socket.note(growth);
        Self { socket: socket.clone(), bytes, arrived }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.socket.lock();
        state.inbox.held -= 1;
        let relieved = state.inbox.shrank(self.bytes, self.socket.namespace().limits());
        drop(state);
        if relieved {
            self.socket.read_again();
        }
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Turn({:?})", self.socket)
    }
}

impl FromContext for Turn {
    fn from_context(context: &mut Context) -> Result<Self, Error> {
        let bytes = context.args.as_ref().map_or(0, size_of_args);
        Ok(Self::take(&context.socket, bytes, context.arrived.unwrap_or_else(Instant::now)))
    }
}
