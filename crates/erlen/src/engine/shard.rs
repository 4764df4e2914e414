//! A shard: one thread that reads and writes its connections and keeps their sessions' deadlines.
//!
//! ```text
//!  any thread ── push_dirty ──▶ inbox ──▶ driver, at the end of the turn:
//!                                          commands · flush each dirty client once · deadlines
//!  sockets ──── readable ───▶ event queue (watched.rs) ─▶ driver, at the beginning of the turn: reads
//! ```
//!
//! The driver is one task. It is woken by sockets that have something and when the inbox was empty, so a broadcast wakes
//! it once. Everything that is sent while it reads, and by all tasks that were ready, goes out in one write a connection.
//! What was sent to clients of another shard wakes that one then too, once, unless it is awake by then.

mod driver;

use std::any::Any;
use std::cell::{Cell, RefCell, RefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use slab::Slab;
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use super::connection::{Connection, Read};
use super::date::Date;
use super::metrics::ShardMetrics;
use super::read_buffer::ReadBuffer;
use super::tenants::{Slot, Tenant, Tenants};
use super::timers::Timers;
use super::watched::{Readiness, Sockets};
use super::{Application, Client};
use driver::Driver;

/// How long a turn reads on in sockets that bring whole buffers. Past it each is still read once.
const READING: Duration = Duration::from_millis(2);

thread_local! {
    /// On a shard's thread, its [`Local`].
    static CURRENT: RefCell<Option<Rc<dyn Any>>> = const { RefCell::new(None) };
}

/// Whether the caller runs on an I/O thread, on which `tokio::task::spawn_local` works: what it spawns runs behind what is ready.
pub fn is_io_thread() -> bool {
    // A thread that ends is none any more.
    CURRENT.try_with(|current| current.borrow().is_some()).unwrap_or(false)
}

/// The side of a shard that any thread sees.
pub(crate) struct Shard<A: Application> {
    inbox: Mutex<Inbox<A>>,
    load: AtomicUsize,
    /// The driver was woken by another thread.
    woken_from_outside: AtomicBool,
    thread: std::sync::OnceLock<std::thread::ThreadId>,
    pub(crate) metrics: ShardMetrics,
}

struct Inbox<A: Application> {
    dirty: Vec<Arc<Client<A>>>,
    commands: Vec<Command<A>>,
    driver: Option<Waker>,
    stopped: bool,
}

/// Work for the shard's thread.
pub(crate) type Command<A> = Box<dyn FnOnce(&Rc<Local<A>>) + Send>;

/// The side of a shard that lives on its thread.
pub(crate) struct Local<A: Application> {
    pub(crate) shard: Arc<Shard<A>>,
    pub(super) sockets: Sockets,
    pub(super) tenants: Tenants<A>,
    read_buffer: RefCell<ReadBuffer>,
    /// Until when this turn reads on; `None` before a socket has brought a whole buffer.
    reads_until: Cell<Option<Instant>>,
    pub(super) cork: RefCell<Vec<u8>>,
    pub(super) date: RefCell<Date>,
    /// Each entry is a place in `filed`.
    timers: RefCell<Timers<Slot>>,
    /// Whom the entries are for. Who has gone is taken out, and not kept until an entry is due; the entry then finds nobody,
    /// or somebody new, who is asked whether anything is due.
    filed: RefCell<Slab<Weak<Client<A>>>>,
    /// Shards for which something was left in this turn, and which slept.
    others: RefCell<Vec<Arc<Shard<A>>>>,
}

impl<A: Application> Shard<A> {
    /// Starts the shard's thread.
    ///
    /// # Errors
    /// When the system gives no thread or no event queue.
    pub(super) fn start(index: usize) -> std::io::Result<Arc<Self>> {
        let inbox = Inbox { dirty: Vec::new(), commands: Vec::new(), driver: None, stopped: false };
        let shard = Arc::new(Self {
            inbox: Mutex::new(inbox),
            load: AtomicUsize::new(0),
            woken_from_outside: AtomicBool::new(false),
            thread: std::sync::OnceLock::new(),
            metrics: ShardMetrics::default(),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let sockets = {
            let _within = runtime.enter();
            Sockets::new()?
        };
        let own = Arc::clone(&shard);
        std::thread::Builder::new().name(format!("erlen-shard-{index}")).spawn(move || {
            let _ = own.thread.set(std::thread::current().id());
            let local = Rc::new(Local::new(own, sockets));
            CURRENT.set(Some(Rc::clone(&local) as Rc<dyn Any>));
            let driver = async { tokio::task::unconstrained(Driver::new(Rc::clone(&local))).await };
            LocalSet::new().block_on(&runtime, driver);
            local.leave();
            local.wake_others();
        })?;
        Ok(shard)
    }

    /// Puts a client on the dirty list. Call it once a client and turn: the client's own flag sees to that.
    pub(super) fn push_dirty(self: &Arc<Self>, client: Arc<Client<A>>) {
        let mut inbox = self.inbox();
        if inbox.stopped {
            return;
        }
        inbox.dirty.push(client);
        let awake = inbox.driver.is_none();
        drop(inbox);
        if awake {
            return;
        }
        match Local::here() {
            Some(local) if !Arc::ptr_eq(&local.shard, self) => local.wake_at_the_end_of_the_turn(self),
            Some(_) => self.wake(),
            None => {
                self.woken_from_outside.store(true, Relaxed);
                self.wake();
            }
        }
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox<A>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the driver, unless it is awake or has nothing to do.
    fn wake(&self) {
        let mut inbox = self.inbox();
        let idle = inbox.dirty.is_empty() && inbox.commands.is_empty();
        let driver = if idle { None } else { inbox.driver.take() };
        drop(inbox);
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    /// Runs `command` on the shard's thread, soon.
    pub(crate) fn execute(&self, command: impl FnOnce(&Rc<Local<A>>) + Send + 'static) {
        let mut inbox = self.inbox();
        if inbox.stopped {
            return;
        }
        inbox.commands.push(Box::new(command));
        drop(inbox);
        self.wake();
    }

    /// Returns when the shard's thread has read what lies in its sockets now, a batch of them at most, or has ended.
    pub(super) async fn turn(&self) {
        let (turned, over) = oneshot::channel::<()>();
        self.execute(move |_| {
            tokio::task::spawn_local(async move {
                // Behind it, the event queue was asked, and whoever reads what it told was woken first.
                tokio::task::yield_now().await;
                drop(turned);
            });
        });
        // Nothing is sent: the end of the sender is the end of the turn, or of the thread.
        let _ = over.await;
    }

    /// Ends the shard's thread, and with it every connection that is left.
    pub(super) fn stop(&self) {
        let mut inbox = self.inbox();
        inbox.stopped = true;
        // They hold the engine, which holds this shard.
        let left = (std::mem::take(&mut inbox.dirty), std::mem::take(&mut inbox.commands));
        let driver = inbox.driver.take();
        drop(inbox);
        drop(left);
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    /// Connections that the shard carries.
    pub(super) fn load(&self) -> usize {
        self.load.load(Relaxed)
    }

    pub(super) fn add_load(&self, change: isize) {
        self.load.fetch_add(change.cast_unsigned(), Relaxed);
    }

    /// Whether the caller runs on the shard's thread.
    pub(crate) fn is_current(&self) -> bool {
        self.thread.get() == Some(&std::thread::current().id())
    }
}

impl<A: Application> Local<A> {
    fn new(shard: Arc<Shard<A>>, sockets: Sockets) -> Self {
        Self {
            shard,
            sockets,
            tenants: Tenants::default(),
            read_buffer: RefCell::default(),
            reads_until: Cell::new(None),
            cork: RefCell::default(),
            date: RefCell::default(),
            timers: RefCell::new(Timers::new(Instant::now())),
            filed: RefCell::default(),
            others: RefCell::default(),
        }
    }

    /// This thread's side of its shard, if it is a shard's thread.
    pub(super) fn here() -> Option<Rc<Self>> {
        // A thread that ends has none any more.
        let current = CURRENT.try_with(|current| current.borrow().clone()).ok().flatten();
        current?.downcast::<Self>().ok()
    }

    /// This thread's side of `shard`, if it is that shard's thread.
    pub(super) fn current(shard: &Arc<Shard<A>>) -> Option<Rc<Self>> {
        Self::here().filter(|local| Arc::ptr_eq(&local.shard, shard))
    }

    /// The buffer through which the thread reads.
    pub(super) fn read_buffer(&self) -> RefMut<'_, ReadBuffer> {
        self.read_buffer.borrow_mut()
    }

    /// Polls the connection in that place, if it has no task.
    pub(super) fn go_on(&self, slot: Slot) {
        if let Some(connection) = self.tenants.connection(slot).filter(|connection| connection.is_watched()) {
            self.drive(&connection, None);
        }
    }

    /// Polls a connection without a task. `ahead`: what was read of it in this turn.
    fn drive(&self, connection: &Connection<A>, ahead: Option<Read>) {
        // What it waits for, the event queue tells.
        let mut cx = Context::from_waker(Waker::noop());
        // As in a task of its own: what an application throws ends this connection, and no other.
        match catch_unwind(AssertUnwindSafe(|| connection.poll(self, ahead, &mut cx))) {
            Ok(Poll::Pending) => {}
            Ok(Poll::Ready(())) | Err(_) => connection.leave(self),
        }
    }

    /// Whether the others have waited long enough for this turn's reads.
    pub(super) fn has_read_enough(&self) -> bool {
        let now = Instant::now();
        let until = self.reads_until.get().unwrap_or(now + READING);
        self.reads_until.set(Some(until));
        until <= now
    }

    /// Tells a tenant what its socket has become. A WebSocket is read at once, and is then to be driven.
    fn tell(&self, slot: Slot, readiness: Readiness) -> Option<(Rc<Connection<A>>, Option<Read>)> {
        match self.tenants.get(slot)? {
            Tenant::WebSocket(connection) => {
                connection.has_become(readiness);
                let ahead = connection.read_ahead(self);
                Some((connection, ahead))
            }
            Tenant::Guest(guest) => {
                guest.has_become(readiness);
                None
            }
            Tenant::Expected => None,
        }
    }

    /// Ends what did not close in time; when the next will be due.
    fn expire_due(&self, now: Instant) -> Option<Instant> {
        loop {
            match self.tenants.overdue(now) {
                Ok(connection) => connection.expire(self),
                Err(next) => return next,
            }
        }
    }

    /// The thread ends, and with it every connection.
    fn leave(&self) {
        for connection in self.tenants.connections() {
            connection.leave(self);
        }
    }

    /// Polls the task again once the driver has had its turn.
    ///
    /// A task that wakes itself comes before it: the local set polls up to 61 tasks in a row, and a client that
    /// floods would be read for as many turns while nobody's answers are written and no deadline acts.
    pub(super) fn go_on_next_turn(&self, task: Waker) {
        self.shard.execute(move |_| task.wake());
    }

    /// Wakes another shard when this one's driver runs: what else is left for it until then goes along.
    ///
    /// It stays as it is until then, so that others may still wake it.
    fn wake_at_the_end_of_the_turn(&self, other: &Arc<Shard<A>>) {
        let mut others = self.others.borrow_mut();
        if others.iter().any(|shard| Arc::ptr_eq(shard, other)) {
            return;
        }
        others.push(Arc::clone(other));
        drop(others);
        self.shard.execute(|_| {});
    }

    fn wake_others(&self) {
        self.others.borrow_mut().drain(..).for_each(|shard| shard.wake());
    }

    /// Does everything that a dirty client needs: write, answer, close, file its deadline.
    fn flush(&self, now: Instant, client: &Arc<Client<A>>) {
        let work = client.take_work();
        if let Some(connection) = work.lost_probe.and_then(|slot| self.tenants.connection(slot)) {
            connection.close_probe(self);
        }
        if let Some(connection) = work.connection.and_then(|slot| self.tenants.connection(slot)) {
            connection.flush(self);
        }
        if work.waits_for_poll {
            client.engine().relieve();
        }
        if let Some((reason, detail)) = work.closed {
            client.engine().finish(client, reason, detail);
        }
        if work.forgotten {
            client.engine().forget(client);
            return self.unfile(client);
        }
        if let Some(deadline) = client.deadline_to_file(&work) {
            self.file(now, client, deadline);
        }
    }

    fn file(&self, now: Instant, client: &Arc<Client<A>>, deadline: Instant) {
        let mut core = client.lock();
        let slot = *core
            .filed
            .get_or_insert_with(|| Slot::new(self.filed.borrow_mut().insert(Arc::downgrade(client))));
        core.armed = Some(deadline);
        drop(core);
        self.timers.borrow_mut().insert(now, deadline, slot);
    }

    fn unfile(&self, client: &Arc<Client<A>>) {
        if let Some(slot) = client.lock().filed.take() {
            let mut filed = self.filed.borrow_mut();
            filed.try_remove(slot.index());
            if filed.is_empty() {
                *filed = Slab::new();
            }
        }
    }

    /// The client for whom an entry was filed in that place, or who has it now.
    fn filed(&self, slot: Slot) -> Option<Arc<Client<A>>> {
        self.filed.borrow().get(slot.index())?.upgrade()
    }

    /// Lets a fired entry act, unless an earlier one of the same session already did, or it was somebody else's.
    fn fire(&self, now: Instant, client: &Arc<Client<A>>) {
        if client.lock().armed.is_some_and(|armed| armed <= now) {
            client.handle_timeouts(now);
        }
    }
}
