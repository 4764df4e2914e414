//! What an I/O thread does for the workers once a turn, and not once a job: it wakes those for whom it has put jobs into their
//! queues, and lets them go on. A worker that is awake does not wait for that.
//!
//! ```text
//! events and requests of a turn ─▶ Pool::put ─▶ at its end: Pool::rouse, and the processor is given away
//! ```
//!
//! Where the worker and the I/O thread share a processor, each would otherwise wake the other for every job and lose the
//! processor to it. Where they do not, it is given away to nobody.
//!
//! The end of the turn is a task of the I/O thread, so it is behind all that was ready before.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use erlen::engine::is_io_thread;
use tokio::sync::Notify;
use tokio::task::spawn_local;

use crate::pool::{Job, Pool};

thread_local! {
    static TURN: OnceCell<Rc<Turn>> = const { OnceCell::new() };
}

/// A turn of an I/O thread.
#[derive(Default)]
struct Turn {
    /// Those for which jobs were put down.
    pools: RefCell<Vec<Arc<Pool>>>,
    /// It is to end.
    over: Notify,
}

/// Puts a job at the end of a pool's queue. From any thread.
pub(crate) fn push(pool: &Arc<Pool>, job: Job) {
    if !is_io_thread() {
        return pool.push(job);
    }
    pool.put(job);
    let turn = Turn::current();
    let mut pools = turn.pools.borrow_mut();
    if !pools.iter().any(|other| Arc::ptr_eq(other, pool)) {
        pools.push(Arc::clone(pool));
        turn.over.notify_one();
    }
}

/// Lets the workers go on at the end of the turn. On an I/O thread.
pub(crate) fn give_way() {
    Turn::current().over.notify_one();
}

impl Turn {
    fn current() -> Rc<Self> {
        TURN.with(|turn| Rc::clone(turn.get_or_init(Self::start)))
    }

    fn start() -> Rc<Self> {
        let turn = Rc::new(Self::default());
        spawn_local(Rc::clone(&turn).end());
        turn
    }

    async fn end(self: Rc<Self>) {
        loop {
            self.over.notified().await;
            self.pools.take().iter().for_each(|pool| pool.rouse());
            std::thread::yield_now();
        }
    }
}
