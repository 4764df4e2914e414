//! Worker threads of Python: they stay attached to the interpreter, and detach only to wait.
//!
//! Only one of them can run Python at a time, so a push (`turn.rs`: of I/O threads the end of a turn) wakes a worker only when none is at work, and one that is at work
//! drains the queue. When the head of the queue has waited for a millisecond without any job being taken, and those at work
//! sleep, they are *stuck*: they block, or have let go of the interpreter. One that computes is given ten milliseconds. Others
//! are then woken, twice as many each time, up to a limit, and none while one that was woken still waits for the interpreter.
//! So a handler that sleeps holds up nobody, and a burst costs no storm of wake-ups (pool/watcher.rs). Of those that are idle the last one is woken
//! first: under a light load the others wait in vain, and end. At the limit nobody is woken any more, and the log says so.
//!
//! ```text
//! push ─▶ queue ─▶ worker ─▶ worker ─▶ …     at work: taken a job; stuck: and nothing moved for a millisecond
//!           └──── watcher, asleep unless jobs wait behind one at work
//! ```
//!
//! Locks: the pool's is never held while the interpreter is waited for.

mod watcher;

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::exceptions::PySystemExit;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use self::watcher::{Tid, Watcher};
use crate::turn;

/// What a worker does, attached to the interpreter.
pub(crate) type Job = Box<dyn for<'py> FnOnce(Python<'py>) -> PyResult<()> + Send>;

/// How long a worker waits for a job before it ends, unless it is told otherwise.
pub(crate) const IDLE: Duration = Duration::from_secs(10);
/// Workers that wait for longer.
const KEPT: usize = 2;

/// This process, or one that it comes from, has been forked.
static FORKED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The process that this thread is a worker of.
    static WORKER_OF: Cell<Option<u32>> = const { Cell::new(None) };
}

/// How long the interpreter's end waits for the workers of all pools to end.
const FAREWELL: Duration = Duration::from_secs(1);

/// Every pool, for the interpreter's end.
static POOLS: Mutex<Vec<Weak<Pool>>> = Mutex::new(Vec::new());

/// The threads, and the jobs that wait for them.
pub(crate) struct Pool {
    name: &'static str,
    limit: usize,
    /// How long a worker waits for a job before it ends.
    idle: Duration,
    /// The process that made it. In the child of a fork it has no threads but the one that forked.
    process: u32,
    state: Mutex<State>,
    watch: Arc<Condvar>,
    /// A worker of a pool that stops has ended.
    ended: Condvar,
    this: Weak<Self>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    /// Jobs that were taken, ever.
    taken: u64,
    threads: usize,
    /// Workers with a job that are not stuck, and those that were woken for one.
    active: usize,
    /// Workers that wait for a job, the one with the shortest wait last. Whoever takes one out has woken it.
    idle: Vec<Arc<Condvar>>,
    /// Workers that were woken or made, and have not got hold of the interpreter yet.
    attaching: usize,
    /// The numbers of the jobs that are done now, and the threads that do them.
    at_work: Vec<(u64, Tid)>,
    stopping: bool,
    watcher: Watcher,
    /// Which workers' jobs are stuck: those that began with `taken` up to this.
    stuck_up_to: u64,
    /// For how long nothing has moved: how many workers are woken at once.
    stalls: u32,
}

impl Pool {
    /// A pool without a thread yet, and with at most `limit` of them.
    pub(crate) fn start(name: &'static str, limit: usize, idle: Duration) -> Arc<Self> {
        let pool = Arc::new_cyclic(|this| Self {
            name,
            limit: limit.max(1),
            idle,
            process: std::process::id(),
            state: Mutex::default(),
            watch: Arc::default(),
            ended: Condvar::new(),
            this: Weak::clone(this),
        });
        let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|known| known.strong_count() > 0);
        pools.push(Arc::downgrade(&pool));
        drop(pools);
        pool
    }

    /// Puts a job at the end of the queue. From any thread, attached or not.
    pub(crate) fn push(&self, job: Job) {
        self.put(job);
        self.rouse();
    }

    /// The same, and wakes nobody: [`rouse`](Self::rouse) is to be called for it, soon.
    pub(crate) fn put(&self, job: Job) {
        let mut state = self.lock();
        if state.stopping {
            drop(state);
            return drop(job);
        }
        state.queue.push_back(job);
    }

    /// Wakes a worker for what waits, unless one is at work.
    pub(crate) fn rouse(&self) {
        let mut state = self.lock();
        let roused = usize::from(state.active == 0 && !state.queue.is_empty());
        let mut woken = self.call(&mut state, roused);
        if state.queue.len() > roused {
            woken.extend(self.begin_watch(&mut state));
        }
        drop(state);
        wake(&woken);
    }

    /// Jobs that run one after another.
    pub(crate) fn lane(&self) -> Lane {
        Lane(Arc::new(LaneInner { pool: Weak::clone(&self.this), state: Mutex::default() }))
    }

    /// Waits for the end of the threads of a pool that stops, until then: one may be held by the application. Whether they have ended.
    /// Not to be called attached, nor by a worker of its own that wants to go on soon.
    pub(crate) fn has_ended(&self, until: Instant) -> bool {
        let time = until.saturating_duration_since(Instant::now());
        let waited = self.ended.wait_timeout_while(self.lock(), time, |state| state.threads > 0);
        waited.unwrap_or_else(PoisonError::into_inner).0.threads == 0
    }

    /// Nothing waits for it any more, not the interpreter's end either.
    pub(crate) fn forget(&self) {
        let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|known| !known.ptr_eq(&self.this));
    }

    /// Ends the threads, each after its job; what waits is dropped.
    pub(crate) fn begin_stop(&self) {
        let waiting = {
            let mut state = self.lock();
            state.stopping = true;
            state.idle.drain(..).for_each(|seat| seat.notify_one());
            std::mem::take(&mut state.queue)
        };
        drop(waiting);
        self.watch.notify_all();
    }

    /// Whether its threads are in this process, and not in one that this was forked from.
    pub(crate) fn is_of_this_process(&self) -> bool {
        self.process == std::process::id()
    }

    /// How many threads there are, and how many jobs wait.
    pub(crate) fn load(&self) -> (usize, usize) {
        let state = self.lock();
        (state.threads, state.queue.len())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes workers, or says whom to wake once the lock is let go of: woken under it, they would only wait for it.
    fn call(&self, state: &mut State, workers: usize) -> Vec<Arc<Condvar>> {
        let mut woken = Vec::new();
        for _ in 0..workers {
            if let Some(seat) = state.idle.pop() {
                state.active += 1;
                state.attaching += 1;
                woken.push(seat);
            } else if state.threads < self.limit && self.spawn_worker() {
                state.threads += 1;
                state.active += 1;
                state.attaching += 1;
            } else {
                break;
            }
        }
        woken
    }

    fn spawn_worker(&self) -> bool {
        let Some(pool) = self.this.upgrade() else {
            return false;
        };
        let spawned = thread::Builder::new().name(self.name.to_owned()).spawn(move || pool.work());
        // Where the system gives no thread, those that there are go on.
        spawned.is_ok()
    }

    /// The life of a worker.
    fn work(&self) {
        WORKER_OF.set(Some(self.process));
        let tid = Tid::of_this_thread();
        let seat = Arc::new(Condvar::new());
        let worked = Python::try_attach(|py| {
            let mut job = self.begin(&tid);
            loop {
                let next = match job.take() {
                    Some(next) => next,
                    None => match py.detach(|| self.wait(&tid, &seat)) {
                        Some(next) => {
                            self.has_attached();
                            next
                        }
                        None => return,
                    },
                };
                let (number, todo) = next;
                run(py, todo);
                job = self.finish(number, &tid);
            }
        });
        if worked.is_none() {
            // The interpreter has ended.
            self.end(&mut self.lock());
        }
    }

    /// A worker ends.
    fn end(&self, state: &mut State) {
        state.threads -= 1;
        self.ended.notify_all();
    }

    /// A new worker has got hold of the interpreter: its first job, if one waits still.
    fn begin(&self, tid: &Tid) -> Option<(u64, Job)> {
        let mut state = self.lock();
        state.attaching = state.attaching.saturating_sub(1);
        Self::take_from(&mut state, tid)
    }

    /// A worker that had waited has got hold of the interpreter.
    fn has_attached(&self) {
        let mut state = self.lock();
        state.attaching = state.attaching.saturating_sub(1);
    }

    fn take_from(state: &mut State, tid: &Tid) -> Option<(u64, Job)> {
        let job = state.queue.pop_front()?;
        state.taken += 1;
        state.at_work.push((state.taken, tid.clone()));
        Some((state.taken, job))
    }

    /// A job has ended. The next one, if this worker is to go on.
    fn finish(&self, number: u64, tid: &Tid) -> Option<(u64, Job)> {
        let mut state = self.lock();
        state.at_work.retain(|(at_work, _)| *at_work != number);
        let was_stuck = number <= state.stuck_up_to;
        if was_stuck {
            state.active += 1;
        } else if state.active > 1 {
            // Another one is at work, and can do it alone.
            return None;
        }
        Self::take_from(&mut state, tid)
    }

    /// Waits for a job, detached. `None`: this worker ends.
    fn wait(&self, tid: &Tid, seat: &Arc<Condvar>) -> Option<(u64, Job)> {
        let mut state = self.lock();
        state.active = state.active.saturating_sub(1);
        loop {
            if state.stopping {
                self.end(&mut state);
                return None;
            }
            if state.active == 0
                && let Some(next) = Self::take_from(&mut state, tid)
            {
                state.active = 1;
                state.attaching += 1;
                return Some(next);
            }
            state.idle.push(Arc::clone(seat));
            let waited;
            (state, waited) = seat.wait_timeout(state, self.idle).unwrap_or_else(PoisonError::into_inner);
            if let Some(at) = state.idle.iter().position(|idle| Arc::ptr_eq(idle, seat)) {
                state.idle.remove(at);
                if waited.timed_out() && state.idle.len() >= KEPT {
                    self.end(&mut state);
                    return None;
                }
                continue;
            }
            // Whoever woke it has counted it as active.
            if let Some(next) = Self::take_from(&mut state, tid) {
                return Some(next);
            }
            state.attaching = state.attaching.saturating_sub(1);
            state.active = state.active.saturating_sub(1);
        }
    }
}

fn wake(sleepers: &[Arc<Condvar>]) {
    sleepers.iter().for_each(|sleeper| sleeper.notify_one());
}

fn run(py: Python<'_>, job: Job) {
    match catch_unwind(AssertUnwindSafe(|| returned(py, job(py)))) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tell(py, &error),
        // The panic's hook has said what it was.
        Err(_) => {}
    }
}

/// Shows an exception that nobody has handled; `sys.exit` in a thread is none.
fn tell(py: Python<'_>, error: &PyErr) {
    if !error.is_instance_of::<PySystemExit>(py) {
        error.display(py);
    }
}

/// Notes that there may be a child that has what this process has. Called by Python before a fork: in the child, nothing of this code is
/// called that does not have to be.
#[pyfunction]
fn forks(py: Python<'_>) {
    FORKED.store(true, Relaxed);
    if WORKER_OF.get().is_some() {
        // Python may have other names for these, and then another way.
        let _ = forget_stand_in(py);
    }
}

/// Takes from `threading` what stands there for this thread, if it was asked for it. As the main thread of the child it would fail the
/// end of `multiprocessing`'s process up to Python 3.12; without it the child makes itself a proper one.
fn forget_stand_in(py: Python<'_>) -> PyResult<()> {
    let threading = py.import("threading")?;
    let this = threading.call_method0("get_ident")?;
    threading.getattr("_active")?.call_method1("pop", (this, py.None())).map(drop)
}

/// Ends all pools. Called by Python, before the interpreter ends.
#[pyfunction]
fn stop_all(py: Python<'_>) {
    let pools: Vec<_> = std::mem::take(&mut *POOLS.lock().unwrap_or_else(PoisonError::into_inner));
    py.detach(|| {
        let pools: Vec<_> = pools.iter().filter_map(Weak::upgrade).collect();
        pools.iter().for_each(|pool| pool.begin_stop());
        let until = Instant::now() + FAREWELL;
        pools.iter().all(|pool| pool.has_ended(until))
    });
}

/// Asks Python to tell of its end, and of every fork.
pub(crate) fn watch_interpreter(py: Python<'_>) -> PyResult<()> {
    py.import("atexit")?.call_method1("register", (wrap_pyfunction!(stop_all, py)?,))?;
    let keywords = PyDict::new(py);
    keywords.set_item("before", wrap_pyfunction!(forks, py)?)?;
    match py.import("os")?.getattr_opt("register_at_fork")? {
        Some(register) => register.call((), Some(&keywords)).map(drop),
        // A system without fork.
        None => Ok(()),
    }
}

/// What Python has returned to a worker; to be asked before anything is done with it. The child that a handler has forked ends here:
/// it must not go on as if it were the server, and a lock of the engine may be held by a thread that it does not have.
pub(crate) fn returned<T>(py: Python<'_>, result: PyResult<T>) -> PyResult<T> {
    if FORKED.load(Relaxed) && WORKER_OF.get().is_some_and(|process| process != std::process::id()) {
        if let Err(error) = &result {
            tell(py, error);
        }
        let left = py.import("os").and_then(|os| os.call_method1("_exit", (0,)));
        // `os._exit` does not return, and cannot fail with an int.
        drop(left);
    }
    result
}

/// Jobs that run one after another, in order, and hold no second worker while they wait.
#[derive(Clone)]
pub(crate) struct Lane(Arc<LaneInner>);

struct LaneInner {
    pool: Weak<Pool>,
    state: Mutex<LaneState>,
}

#[derive(Default)]
struct LaneState {
    queue: VecDeque<Job>,
    running: bool,
}

impl Lane {
    /// Puts a job behind those of the lane.
    pub(crate) fn push(&self, job: Job) {
        let mut state = self.lock();
        state.queue.push_back(job);
        let begins = !std::mem::replace(&mut state.running, true);
        drop(state);
        if begins {
            self.submit();
        }
    }

    fn submit(&self) {
        let lane = self.clone();
        if let Some(pool) = self.0.pool.upgrade() {
            turn::push(&pool, Box::new(move |py| lane.run(py)));
        }
    }

    /// Runs one job, and lets others of the pool go before the next.
    fn run(&self, py: Python<'_>) -> PyResult<()> {
        let job = self.lock().queue.pop_front();
        let done = match job {
            Some(job) => catch_unwind(AssertUnwindSafe(|| job(py))).unwrap_or(Ok(())),
            None => Ok(()),
        };
        let mut state = self.lock();
        state.running = !state.queue.is_empty();
        let more = state.running;
        drop(state);
        if more {
            self.submit();
        }
        done
    }

    fn lock(&self) -> MutexGuard<'_, LaneState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
