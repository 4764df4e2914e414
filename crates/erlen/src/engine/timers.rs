//! Deadlines of sessions: coarse buckets in a tree, one lazy entry a session.
//!
//! A deadline that moves later costs nothing: the old entry fires, asks the session, and is filed again.
//! One that moves earlier is filed beside it. Bucket width: 8 ms for deadlines within a second, 128 ms beyond,
//! so a short interval is kept within 10 ms and a long one shares its wake-up with its neighbours.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const FINE: u64 = 8;
const COARSE: u64 = 128;

/// Entries of type `T`, by the bucket in which they are due.
pub(crate) struct Timers<T> {
    origin: Instant,
    buckets: BTreeMap<u64, Vec<T>>,
}

impl<T> Timers<T> {
    pub(crate) fn new(now: Instant) -> Self {
        Self { origin: now, buckets: BTreeMap::new() }
    }

    /// Files an entry; it fires at `deadline` or up to a bucket's width later.
    pub(crate) fn insert(&mut self, now: Instant, deadline: Instant, entry: T) {
        let ahead = deadline.saturating_duration_since(now);
        let width = if ahead < Duration::from_secs(1) { FINE } else { COARSE };
        let millis = self.millis(deadline);
        let bucket = millis.next_multiple_of(width);
        self.buckets.entry(bucket).or_default().push(entry);
    }

    /// When the first bucket is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        let (bucket, _) = self.buckets.first_key_value()?;
        Some(self.origin + Duration::from_millis(*bucket))
    }

    /// The entries of the first bucket, if it is due.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Vec<T>> {
        if self.next()? > now {
            return None;
        }
        self.buckets.pop_first().map(|(_, entries)| entries)
    }

    /// Milliseconds since the origin, rounded up so that nothing fires early.
    fn millis(&self, at: Instant) -> u64 {
        let nanos = at.saturating_duration_since(self.origin).as_nanos();
        u64::try_from(nanos.div_ceil(1_000_000)).unwrap_or(u64::MAX / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_fires_early_and_short_deadlines_fire_within_ten_milliseconds() {
        let now = Instant::now();
        let mut timers = Timers::new(now);
        for ms in [0, 1, 7, 8, 9, 299, 999] {
            let deadline = now + Duration::from_micros(ms * 1000 + 300);
            timers.insert(now, deadline, ms);
            let fires = timers.next().unwrap();
            assert!(fires >= deadline && fires <= deadline + Duration::from_millis(10), "{ms}");
            timers.pop(fires);
        }
    }

    #[test]
    fn long_deadlines_share_a_bucket() {
        let now = Instant::now();
        let mut timers = Timers::new(now);
        for ms in 25_000..25_050 {
            let deadline = now + Duration::from_millis(ms);
            timers.insert(now, deadline, ms);
            let fires = timers.origin + Duration::from_millis(*timers.buckets.last_key_value().unwrap().0);
            assert!(fires >= deadline && fires <= deadline + Duration::from_millis(128));
        }
        assert!(timers.buckets.len() <= 2);
    }

    #[test]
    fn buckets_come_in_order_and_only_when_due() {
        let now = Instant::now();
        let mut timers = Timers::new(now);
        timers.insert(now, now + Duration::from_millis(50), 'b');
        timers.insert(now, now + Duration::from_millis(10), 'a');
        assert_eq!(timers.pop(now), None);
        let later = now + Duration::from_secs(1);
        assert_eq!(timers.pop(later), Some(vec!['a']));
        assert_eq!(timers.pop(later), Some(vec!['b']));
        assert_eq!(timers.pop(later), None);
    }
}
