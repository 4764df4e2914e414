//! What the log is told again and again, as long as it goes on: once a minute.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the log is told at most.
const EVERY: Duration = Duration::from_secs(60);

/// When the log was told of something.
#[derive(Default)]
pub(crate) struct Seldom(Mutex<Option<Instant>>);

impl Seldom {
    /// Whether it is to be told now; it then counts as told.
    pub(crate) fn is_due(&self) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = told.is_none_or(|told| told.elapsed() >= EVERY);
        if is_due {
            *told = Some(Instant::now());
        }
        is_due
    }
}
