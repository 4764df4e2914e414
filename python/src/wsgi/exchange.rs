//! What an I/O thread does for pages once a turn, and not once a request: it hands over all that were asked for, wakes one
//! worker for them and lets it go on; the answers that came meanwhile are taken together too.
//!
//! ```text
//! requests of a turn ─▶ jobs ─▶ at its end: Pool::push_all, and the processor is given away
//! answers ◀─ their connections' tasks ◀─ taken together ◀─ one queue a thread ◀─ workers
//! ```
//!
//! Where the worker and the I/O thread share a processor, each would otherwise wake the other for every request and lose the
//! processor to it. Where they do not, it is given away to nobody.
//!
//! Both ends are tasks of the I/O thread, so what they wake is behind what was ready before, and the end of the turn behind all
//! of it. A worker that woke a connection's task itself would not be: what other threads have woken comes last in a local set.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use axum::body::Body;
use http::Response;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{Notify, oneshot};
use tokio::task::spawn_local;

use crate::pool::{Job, Pool};

/// Answers that are taken before other tasks go on.
const TAKEN: usize = 64;

thread_local! {
    static EXCHANGE: OnceCell<Rc<Exchange>> = const { OnceCell::new() };
}

/// Between an I/O thread and the workers.
struct Exchange {
    /// What is handed over at the end of the turn.
    jobs: RefCell<Vec<(Arc<Pool>, Job)>>,
    /// The turn is to end.
    over: Notify,
    /// Has room for all: each request that is under way has one.
    answers: UnboundedSender<Answered>,
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

/// Jobs that wait for a worker, those of this thread's turn among them. On an I/O thread.
pub(super) fn waiting(pool: &Pool) -> usize {
    pool.load().1 + Exchange::current().jobs.borrow().len()
}

/// Has a job done that replies; its answer. On an I/O thread.
pub(super) fn ask(pool: &Arc<Pool>, job: impl FnOnce(Reply) -> Job) -> oneshot::Receiver<Response<Body>> {
    let (to, answer) = oneshot::channel();
    let exchange = Exchange::current();
    let job = job(Reply { to, by: exchange.answers.clone() });
    exchange.jobs.borrow_mut().push((Arc::clone(pool), job));
    exchange.over.notify_one();
    answer
}

impl Exchange {
    fn current() -> Rc<Self> {
        EXCHANGE.with(|exchange| Rc::clone(exchange.get_or_init(Self::start)))
    }

    fn start() -> Rc<Self> {
        let (answers, received) = mpsc::unbounded_channel();
        let exchange = Rc::new(Self { jobs: RefCell::default(), over: Notify::new(), answers });
        spawn_local(Rc::clone(&exchange).end_turns());
        spawn_local(Rc::clone(&exchange).take_answers(received));
        exchange
    }

    async fn take_answers(self: Rc<Self>, mut answers: UnboundedReceiver<Answered>) {
        let mut taken = Vec::new();
        while answers.recv_many(&mut taken, TAKEN).await > 0 {
            for (to, answer) in taken.drain(..) {
                // Whoever has gone needs none.
                let _ = to.send(answer);
            }
            self.over.notify_one();
        }
    }

    async fn end_turns(self: Rc<Self>) {
        loop {
            self.over.notified().await;
            let mut jobs = self.jobs.take();
            while let Some((pool, _)) = jobs.first() {
                let pool = Arc::clone(pool);
                let own = jobs.extract_if(.., |(other, _)| Arc::ptr_eq(other, &pool));
                pool.push_all(own.map(|(_, job)| job));
            }
            std::thread::yield_now();
        }
    }
}
