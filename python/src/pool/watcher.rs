//! The thread that looks after a pool's workers while jobs wait behind those at work: it wakes others where these are stuck, and says in
//! the log when there are no others to wake. It never runs Python, nor waits for the interpreter. Which workers are stuck, and how many are
//! woken then, is in pool.rs.

use std::path::Path;
use std::sync::{Arc, Condvar, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{Pool, State, wake};

/// How long the head of the queue waits before those at work are taken to be stuck.
const STUCK: Duration = Duration::from_millis(1);
/// After how many looks without progress one that computes is taken to be stuck too.
const PATIENCE: u32 = 10;
/// How long nothing moves at the limit before the log says so, and how long it is silent then.
const FULL: Duration = Duration::from_millis(100);
const SILENCE: Duration = Duration::from_secs(60);

/// What the watcher does now.
#[derive(Default, PartialEq, Eq)]
pub(super) enum Watcher {
    #[default]
    None,
    Asleep,
    Awake,
}

impl Pool {
    /// Has the watcher look, or says that it is to be woken.
    pub(super) fn begin_watch(&self, state: &mut State) -> Option<Arc<Condvar>> {
        match std::mem::replace(&mut state.watcher, Watcher::Awake) {
            Watcher::Awake => None,
            Watcher::Asleep => Some(Arc::clone(&self.watch)),
            Watcher::None => {
                if !self.spawn_watcher() {
                    state.watcher = Watcher::None;
                }
                None
            }
        }
    }

    fn spawn_watcher(&self) -> bool {
        let Some(pool) = self.this.upgrade() else {
            return false;
        };
        thread::Builder::new().name("erlen-watch".to_owned()).spawn(move || pool.watch()).is_ok()
    }

    /// The life of the watcher.
    fn watch(&self) {
        let mut state = self.lock();
        let mut looks = 0;
        let mut moved = Instant::now();
        let mut told: Option<Instant> = None;
        while !state.stopping {
            if state.queue.is_empty() {
                state.watcher = Watcher::Asleep;
                state = self.watch.wait(state).unwrap_or_else(PoisonError::into_inner);
                moved = Instant::now();
                continue;
            }
            let taken = state.taken;
            // Only a stop wakes it earlier: a push does not notify a watcher that is awake.
            (state, _) = self.watch.wait_timeout(state, STUCK).unwrap_or_else(PoisonError::into_inner);
            if state.taken != taken || state.queue.is_empty() {
                state.stalls = 0;
                looks = 0;
                moved = Instant::now();
                continue;
            }
            looks += 1;
            if state.attaching > 0 {
                // Others hold the interpreter: more workers would wait for it too.
                continue;
            }
            let computes =
                state.at_work.iter().any(|(number, tid)| *number > state.stuck_up_to && tid.is_running());
            if computes && looks < PATIENCE {
                continue;
            }
            looks = 0;
            state.stuck_up_to = taken;
            state.active = 0;
            let workers = state.queue.len().min(1 << state.stalls.min(6));
            state.stalls += 1;
            let woken = self.call(&mut state, workers);
            let waiting = state.queue.len();
            let is_full = state.threads >= self.limit && woken.is_empty();
            drop(state);
            wake(&woken);
            if is_full && moved.elapsed() >= FULL && told.is_none_or(|told| told.elapsed() >= SILENCE) {
                told = Some(Instant::now());
                self.tell_of_limit(waiting);
            }
            state = self.lock();
        }
    }

    /// Says in the log that all threads are held, which nobody else would: what comes only waits.
    fn tell_of_limit(&self, waiting: usize) {
        let limit = self.limit;
        match self.name {
            "erlen-event" => tracing::warn!(
                target: "erlen",
                "all {limit} threads of handlers are held by handlers that have not returned, and {waiting} more events, connects or \
                 disconnects wait for one: make the handlers shorter, leave what takes long to start_background_task(), or raise \
                 `max_event_threads` of SocketIO"
            ),
            "erlen-wsgi" => tracing::warn!(
                target: "erlen",
                "all {limit} threads of pages are held by requests that are not answered, and {waiting} more wait for one: make the \
                 views shorter, or raise `threads`"
            ),
            _ => {}
        }
    }
}

/// A thread, where the system tells what it does.
#[derive(Clone)]
pub(super) struct Tid(Option<Arc<Path>>);

impl Tid {
    /// On Linux, the file that says whether it runs.
    pub(super) fn of_this_thread() -> Self {
        let this = std::fs::read_link("/proc/thread-self").ok();
        Self(this.map(|this| Path::new("/proc").join(this).join("stat").into()))
    }

    /// Whether it runs, or could: it waits for a processor, and for nothing else.
    fn is_running(&self) -> bool {
        let text = self.0.as_ref().and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
        // The state stands behind the name, which is in parentheses.
        text.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('R'))
    }
}
