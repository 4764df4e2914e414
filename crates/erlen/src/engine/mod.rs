//! The Engine.IO server: transports, sessions, shards. Usable alone, as plain Engine.IO.
//!
//! ```text
//! request ─▶ http.rs ─┬─ GET, POST ──────────▶ Client ─▶ Application::on_message
//!                     └─ Upgrade ─▶ connection.rs ─▶ Client
//! Client::send ─▶ the session's queue ─▶ dirty list of its shard ─▶ one write, or the parked GET
//! ```
//!
//! An [`Application`] is what runs on top: Socket.IO ([`Server`](crate::Server)), or a user's own.

mod addresses;
mod answer;
mod arrival;
mod client;
mod connection;
mod date;
mod guest;
mod handshake;
mod head;
mod http;
pub(crate) mod metrics;
mod options;
mod origin;
mod random;
mod raw_answer;
mod raw_body;
mod raw_head;
mod read_buffer;
mod relief;
mod rewound;
mod sessions;
mod shard;
mod stream;
mod tenants;
mod timers;
mod upgrade;
#[cfg_attr(not(all(target_os = "linux", not(feature = "portable"))), path = "unwatched.rs")]
mod watched;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub use addresses::AddressLimits;
pub use answer::Body;
pub(crate) use answer::{empty, text};
pub(crate) use arrival::Arrival;
pub use client::{Client, Delivery};
pub use erlen_engineio::Config;
use erlen_engineio::{Budget, Session};
pub use erlen_engineio::{CloseReason, EncodedPacket, Message, SendError, Sid, Transport};
pub use handshake::Handshake;
pub(crate) use head::{MAX_HEAD_BYTES, MAX_HEADERS};
pub use http::Below;
pub(crate) use http::feed;
pub(crate) use metrics::{Counter, Durations};
pub use metrics::{EngineMetrics, Histogram};
pub use options::{Allowed, Cookie, Options, Transports};
pub use origin::Cors;
pub(crate) use random::random;
pub(crate) use read_buffer::READ_BUFFER;
pub use shard::is_io_thread;
pub use stream::AnyStream;
use tokio::sync::watch;
pub(crate) use watched::{Listener, Socket};

use crate::limits;
use crate::seldom::Seldom;
use addresses::Addresses;
use sessions::Sessions;
use shard::Shard;

/// For the fuzz target of the same name.
#[cfg(fuzzing)]
#[doc(hidden)]
pub fn check_request_head(bytes: &[u8]) -> bool {
    raw_head::oracle::check(bytes)
}

/// Ten years.
const NEVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// What runs on top of the engine. Its methods are called on I/O threads and must not block. A panic in one that takes an
/// event (`on_open`, `on_message`, `on_close`, `handle_timeout`) ends that session alone; the others must not panic.
pub trait Application: Send + Sync + Sized + 'static {
    /// What is kept for each session.
    type State: Send + Sync + 'static;

    /// The state of a session that is about to open.
    fn open_state(&self) -> Self::State;

    /// A session has opened.
    fn on_open(&self, client: &Arc<Client<Self>>);

    /// A message has arrived. Messages of one session come one after another, in order.
    fn on_message(&self, client: &Arc<Client<Self>>, now: Instant, message: Message<'_>);

    /// The session has ended: the reason, and the finer cause. Called once.
    fn on_close(&self, client: &Arc<Client<Self>>, reason: CloseReason, detail: &'static str);

    /// Whether this client's messages have to wait: reading pauses until [`Client::resume_reading`].
    fn is_saturated(&self, client: &Arc<Client<Self>>) -> bool {
        let _ = client;
        false
    }

    /// When [`handle_timeout`](Self::handle_timeout) has to be called for this client.
    fn deadline(&self, client: &Arc<Client<Self>>) -> Option<Instant> {
        let _ = client;
        None
    }

    /// A deadline may be due.
    fn handle_timeout(&self, client: &Arc<Client<Self>>, now: Instant) {
        let _ = (client, now);
    }
}

/// An Engine.IO server.
pub struct Engine<A: Application> {
    app: A,
    options: Options,
    session_config: Arc<Config>,
    shards: Vec<Arc<Shard<A>>>,
    sessions: Sessions<A>,
    addresses: Addresses,
    budget: Arc<Budget>,
    /// Held by the thread that cuts slow clients.
    relief: Mutex<()>,
    next_shard: AtomicUsize,
    max_sessions: AtomicUsize,
    told_full: Seldom,
    refused: Counter,
    closing: AtomicBool,
    closed: watch::Sender<bool>,
    slash_hint: std::sync::Once,
}

impl<A: Application> Engine<A> {
    /// Starts the shards of a new engine.
    ///
    /// # Errors
    /// When the system gives no thread or no event queue.
    pub fn start(app: A, mut options: Options) -> std::io::Result<Arc<Self>> {
        if options.shards == 0 {
            options.shards = std::thread::available_parallelism().map_or(1, usize::from);
        }
        options.session.allow_upgrades &= options.transports.websocket;
        let max_sessions = options.max_sessions.unwrap_or_else(limits::default_max_sessions);
        let shards = (0..options.shards).map(Shard::start).collect::<Result<_, _>>()?;
        Ok(Arc::new(Self {
            app,
            session_config: Arc::new(options.session.clone()),
            addresses: Addresses::new(options.address_limits),
            budget: Budget::new(options.max_total_queue_bytes),
            relief: Mutex::default(),
            options,
            shards,
            sessions: Sessions::new(),
            next_shard: AtomicUsize::new(0),
            max_sessions: AtomicUsize::new(max_sessions),
            told_full: Seldom::default(),
            refused: Counter::default(),
            closing: AtomicBool::new(false),
            closed: watch::Sender::new(false),
            slash_hint: std::sync::Once::new(),
        }))
    }

    /// What runs on top.
    pub fn app(&self) -> &A {
        &self.app
    }

    /// What the engine was told.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Every open session.
    pub fn clients(&self) -> Vec<Arc<Client<A>>> {
        self.sessions.all()
    }

    /// How many sessions are open.
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// How many WebSockets the shards carry, those that are closing among them.
    pub fn connection_count(&self) -> usize {
        self.shards.iter().map(|shard| shard.load()).sum()
    }

    /// The counters now.
    pub fn metrics(&self) -> EngineMetrics {
        let closed = CloseReason::ALL.iter().map(|reason| (*reason, 0)).collect();
        let mut total = EngineMetrics { closed, refused: self.refused.get(), ..EngineMetrics::default() };
        for shard in &self.shards {
            shard.metrics.add_to(&mut total);
        }
        for client in self.sessions.all() {
            let core = client.lock();
            if core.session.is_closed() {
                continue;
            }
            match core.session.transport() {
                Transport::Polling => total.sessions_polling += 1,
                Transport::WebSocket => total.sessions_websocket += 1,
            }
            let (packets, bytes) = core.session.queued();
            total.queued_packets += packets;
            total.queued_bytes += bytes;
        }
        total.slow_queue_bytes = self.budget.held();
        total
    }

    /// Ends every session as one does when the server goes away. New ones are refused from now on.
    pub fn close(&self) {
        self.closing.store(true, Relaxed);
        self.closed.send_replace(true);
        for client in self.sessions.all() {
            client.close(CloseReason::ServerShuttingDown, "the server shuts down");
        }
    }

    /// Ends the engine in order: new sessions are refused, the open ones are closed over `spread`, and what they were
    /// sent before goes out. Returns when all have gone, or after `cap`.
    pub async fn shutdown(&self, spread: Duration, cap: Duration) {
        self.refuse_new_sessions();
        let started = Instant::now();
        let clients = self.clients();
        let share = spread.div_f64(clients.len().max(1) as f64);
        for (client, turn) in clients.iter().zip(0_u32..) {
            if let Some(wait) = (share * turn).checked_sub(started.elapsed()) {
                tokio::time::sleep(wait).await;
            }
            client.close(CloseReason::ServerShuttingDown, "the server shuts down");
        }
        drop(clients);
        self.close();
        while self.connection_count() > 0 && started.elapsed() < cap {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends the engine's threads, and with them every connection and session that is left, those among them that wait
    /// for a last poll. After a [`shutdown`](Self::shutdown), where the process goes on without this engine: dropping
    /// the last handle does the same, but sessions that are left are handles too.
    pub fn end(&self) {
        self.close();
        self.shards.iter().for_each(|shard| shard.stop());
        self.sessions.clear();
    }

    /// Resolves when the engine has closed its sessions.
    pub(crate) async fn closed(&self) {
        // The sender lives as long as the engine does.
        let _ = self.closed.subscribe().wait_for(|closed| *closed).await;
    }

    /// Refuses new sessions with 503; the open ones go on.
    pub fn refuse_new_sessions(&self) {
        self.closing.store(true, Relaxed);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Relaxed)
    }

    pub(crate) fn session_config(&self) -> &Arc<Config> {
        &self.session_config
    }

    /// What waits for slow clients, in all sessions together.
    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    pub(crate) fn shards(&self) -> &[Arc<Shard<A>>] {
        &self.shards
    }

    /// Raises the process's limit of open files, and the bound on sessions that is taken from it.
    pub(crate) fn raise_file_limit(&self) {
        limits::raise_open_files();
        if self.options.max_sessions.is_none() {
            self.max_sessions.store(limits::default_max_sessions(), Relaxed);
        }
    }

    /// Whether there is no place for one more session. The log is told.
    pub(crate) fn is_full(&self) -> bool {
        let max_sessions = self.max_sessions.load(Relaxed);
        let is_full = self.sessions.len() >= max_sessions;
        if is_full && self.told_full.is_due() {
            tracing::warn!(target: "erlen", max_sessions,
                "newcomers are turned away: there are as many sessions as may be; raise `max_sessions`");
        }
        is_full
    }

    /// Opens a session; the caller drives it from here on.
    pub(crate) fn open(
        self: &Arc<Self>,
        shard: &Arc<Shard<A>>,
        transport: Transport,
        handshake: Handshake,
    ) -> Arc<Client<A>> {
        self.open_as(shard, transport, handshake, Arc::clone(&self.session_config))
    }

    /// Opens a session that nobody pings, and that keeps all that is sent to it, for tests.
    pub(crate) fn open_without_heartbeat(self: &Arc<Self>, handshake: Handshake) -> Arc<Client<A>> {
        let config = Config {
            ping_interval: NEVER,
            max_queue_bytes: usize::MAX,
            max_queue_packets: usize::MAX,
            ..(*self.session_config).clone()
        };
        self.open_as(self.pick_shard(), Transport::Polling, handshake, Arc::new(config))
    }

    fn open_as(
        self: &Arc<Self>,
        shard: &Arc<Shard<A>>,
        transport: Transport,
        handshake: Handshake,
        config: Arc<Config>,
    ) -> Arc<Client<A>> {
        let sid = Sid::from_random(random());
        let session = Session::open(&sid, config, Instant::now(), transport);
        let client = Client::new(sid, Arc::clone(self), Arc::clone(shard), session, handshake);
        self.sessions.insert(Arc::clone(&client));
        shard.metrics.count_open(transport);
        client.contain("on_open", || self.app.on_open(&client));
        client.touch();
        client
    }

    /// The shard for a new session: the one that the caller runs on, else the next in turn.
    pub(crate) fn pick_shard(&self) -> &Arc<Shard<A>> {
        let own = self.shards.iter().find(|shard| shard.is_current());
        own.unwrap_or_else(|| {
            let turn = self.next_shard.fetch_add(1, Relaxed);
            &self.shards[turn % self.shards.len()]
        })
    }

    pub(crate) fn least_loaded_shard(&self) -> &Arc<Shard<A>> {
        self.shards.iter().min_by_key(|shard| shard.load()).unwrap_or(&self.shards[0])
    }

    pub(crate) fn session(&self, sid: &Sid) -> Option<Arc<Client<A>>> {
        self.sessions.get(sid)
    }

    fn finish(&self, client: &Arc<Client<A>>, reason: CloseReason, detail: &'static str) {
        client.shard().metrics.count_close(reason);
        self.addresses.release(client.handshake().peer(), Instant::now());
        tracing::debug!(target: "erlen::engine", sid = ?client.sid(), %reason, detail, "session closed");
        client.contain("on_close", || self.app.on_close(client, reason, detail));
    }

    fn forget(&self, client: &Arc<Client<A>>) {
        self.sessions.remove(client.sid());
    }

    fn log_fault(&self, client: &Arc<Client<A>>, fault: &erlen_engineio::frame::FrameError) {
        let limit = self.session_config.max_payload;
        tracing::info!(target: "erlen::engine", sid = ?client.sid(), %fault, limit,
            "WebSocket closed; the limit is the builder's `max_payload`");
    }
}

impl<A: Application> Drop for Engine<A> {
    fn drop(&mut self) {
        for shard in &self.shards {
            shard.stop();
        }
    }
}
