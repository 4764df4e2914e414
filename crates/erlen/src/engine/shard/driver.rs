//! What a shard's thread does, again and again: the picture is in `shard.rs`.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use super::{Command, Local};
use crate::engine::connection::{Connection, Read};
use crate::engine::{Application, Client};

/// How late a turn must be for the shard to believe that the process stood still: the sockets are then read
/// before the deadlines act, since the pongs lie there.
const STOOD_STILL: Duration = Duration::from_secs(1);

/// The shard's task.
pub(super) struct Driver<A: Application> {
    local: Rc<Local<A>>,
    /// WebSockets whose sockets have become something, and what was read of them.
    told: Vec<(Rc<Connection<A>>, Option<Read>)>,
    dirty: Vec<Arc<Client<A>>>,
    sleep: Pin<Box<Sleep>>,
    /// For when the sleep is set; `None` while nothing is filed.
    wake_at: Option<Instant>,
    /// The process stood still: deadlines wait until the sockets were read.
    grace: bool,
}

impl<A: Application> Driver<A> {
    pub(super) fn new(local: Rc<Local<A>>) -> Self {
        let sleep = Box::pin(tokio::time::sleep(Duration::ZERO));
        Self { local, told: Vec::new(), dirty: Vec::new(), sleep, wake_at: None, grace: false }
    }

    /// Reads what a batch of sockets has, then handles it. What that leaves in the inbox is taken in this turn, and wakes
    /// nobody.
    fn read_sockets(&mut self, cx: &mut Context<'_>) {
        let Self { local, told, .. } = self;
        local.shard.inbox().driver = None;
        local.reads_until.set(None);
        local.sockets.poll(cx, |slot, readiness| told.extend(local.tell(slot, readiness)));
        for (connection, ahead) in told.drain(..) {
            local.drive(&connection, ahead);
        }
        local.read_buffer().clear();
    }

    /// Takes what has come in; `None` when the shard is to stop.
    fn take_inbox(&mut self, cx: &Context<'_>) -> Option<Vec<Command<A>>> {
        let mut inbox = self.local.shard.inbox();
        if inbox.stopped {
            return None;
        }
        inbox.driver = Some(cx.waker().clone());
        std::mem::swap(&mut inbox.dirty, &mut self.dirty);
        Some(std::mem::take(&mut inbox.commands))
    }

    fn flush_dirty(&mut self, now: Instant) {
        for client in self.dirty.drain(..) {
            self.local.flush(now, &client);
        }
        if self.dirty.capacity() > 4096 {
            self.dirty.shrink_to(1024);
        }
    }

    fn fire_due(&mut self, now: Instant, cx: &mut Context<'_>) {
        if let Some(at) = self.wake_at.filter(|at| *at <= now) {
            self.wake_at = None;
            let late = now.saturating_duration_since(at) > STOOD_STILL;
            self.grace = late && !self.grace;
            if self.grace {
                return self.sleep_until(now + Duration::from_millis(50), cx);
            }
            self.fire_timers(now);
        }
        let next = self.local.timers.borrow().next().into_iter().chain(self.local.expire_due(now)).min();
        if let Some(next) = next.filter(|next| !self.grace && self.wake_at.is_none_or(|at| *next < at)) {
            self.sleep_until(next, cx);
        }
    }

    fn fire_timers(&self, now: Instant) {
        loop {
            let due = self.local.timers.borrow_mut().pop(now);
            let Some(slots) = due else {
                return;
            };
            for client in slots.into_iter().filter_map(|slot| self.local.filed(slot)) {
                self.local.fire(now, &client);
            }
        }
    }

    fn sleep_until(&mut self, at: Instant, cx: &mut Context<'_>) {
        self.wake_at = Some(at);
        self.sleep.as_mut().reset(at.into());
        if self.sleep.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }
}

impl<A: Application> Future for Driver<A> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.local.shard.woken_from_outside.swap(false, Relaxed) {
            // Whoever woke it may have more to send: where both share a processor, that one goes on first.
            std::thread::yield_now();
        }
        self.read_sockets(cx);
        let Some(commands) = self.take_inbox(cx) else {
            return Poll::Ready(());
        };
        for command in commands {
            command(&self.local);
        }
        // Before its own writes: where each has a processor, they write at the same time.
        self.local.wake_others();
        let now = Instant::now();
        self.flush_dirty(now);
        self.fire_due(now, cx);
        Poll::Pending
    }
}
