//! Between an I/O thread and the workers that make pages: each request is a job, and the answers that came meanwhile are taken
//! together. Whom a job wakes, and when, is the turn's (`turn.rs`).
//!
//! ```text
//! requests ─▶ jobs
//! answers ◀─ their connections' tasks ◀─ taken together ◀─ one queue a thread ◀─ workers
//! ```
//!
//! Answers are taken by a task of the I/O thread, so what they wake is behind what was ready before, and the end of the turn behind
//! all of it. A worker that woke a connection's task itself would not be: what other threads have woken comes last in a local set.

use std::cell::OnceCell;
use std::sync::Arc;

use axum::body::Body;
use http::Response;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::task::spawn_local;

use crate::pool::{Job, Pool};
use crate::turn;

/// Answers that are taken before other tasks go on.
const TAKEN: usize = 64;

thread_local! {
    /// Where the answers of this thread's requests are sent. It has room for all: each request that is under way has one.
    static ANSWERS: OnceCell<UnboundedSender<Answered>> = const { OnceCell::new() };
}

/// An answer, and who waits for it.
type Answered = (oneshot::Sender<Response<Body>>, Response<Body>);

/// The way of one answer back to its connection.
pub(super) struct Reply {
    to: oneshot::Sender<Response<Body>>,
    by: UnboundedSender<Answered>,
}

impl Reply {
    /// From any thread. Whether anybody waits for it.
    pub(super) fn send(self, answer: Response<Body>) -> bool {
        !self.is_closed() && self.by.send((self.to, answer)).is_ok()
    }

    /// Whether nobody waits for it any longer.
    pub(super) fn is_closed(&self) -> bool {
        self.to.is_closed()
    }
}

/// Has a job done that replies; its answer. On an I/O thread.
pub(super) fn ask(pool: &Arc<Pool>, job: impl FnOnce(Reply) -> Job) -> oneshot::Receiver<Response<Body>> {
    let (to, answer) = oneshot::channel();
    let by = ANSWERS.with(|answers| answers.get_or_init(start).clone());
    turn::push(pool, job(Reply { to, by }));
    answer
}

fn start() -> UnboundedSender<Answered> {
    let (answers, received) = mpsc::unbounded_channel();
    spawn_local(take(received));
    answers
}

async fn take(mut answers: UnboundedReceiver<Answered>) {
    let mut taken = Vec::new();
    while answers.recv_many(&mut taken, TAKEN).await > 0 {
        for (to, answer) in taken.drain(..) {
            // Whoever has gone needs none.
            let _ = to.send(answer);
        }
        turn::give_way();
    }
}
