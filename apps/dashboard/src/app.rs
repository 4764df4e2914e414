//! What the handlers of HTTP and of events share: the live state behind a short lock, and who may do what.
//!
//! It adds the wall clock to `live.rs`, which has none. The lock is never held over an `.await` or an emit.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::auth::Access;
use crate::ingest::Point;
use crate::live::{Live, PostError};

/// A handle, cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

pub(crate) struct Shared {
    live: Mutex<Live>,
    pub(crate) access: Access,
    /// The name of this machine.
    pub(crate) host: String,
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    pub(crate) fn new(access: Access, host: String) -> Self {
        let now = now();
        // Milliseconds of the start tell runs apart, also two within one second.
        let epoch = (now * 1000.0) as u64;
        Self(Arc::new(Shared { live: Mutex::new(Live::new(epoch, now as i64)), access, host }))
    }
}

impl Shared {
    /// The state. A panic elsewhere leaves it whole: every change of it is a single step.
    pub(crate) fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn post(&self, points: &[Point]) -> Result<usize, PostError> {
        self.live().post(points, now())
    }

    pub(crate) fn count_refusal(&self) {
        self.live().count_refusal();
    }
}

/// Unix seconds by the wall clock.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
