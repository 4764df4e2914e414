//! Counters of the engine: plain atomics, one set a shard, summed when somebody asks.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use erlen_engineio::{CloseReason, Transport};

/// A counter that only grows, or goes up and down in pairs.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Durations in buckets of powers of two microseconds.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    buckets: [Counter; Histogram::BUCKETS],
    sum_micros: Counter,
}

impl Durations {
    pub(crate) fn record(&self, duration: std::time::Duration) {
        let micros = usize::try_from(duration.as_micros()).unwrap_or(usize::MAX >> 1);
        let bucket = (usize::BITS - micros.leading_zeros()) as usize;
        self.buckets[bucket.min(Histogram::BUCKETS - 1)].add(1);
        self.sum_micros.add(micros);
    }

    /// What was recorded.
    pub(crate) fn snapshot(&self) -> Histogram {
        let mut total = Histogram::default();
        self.add_to(&mut total);
        total
    }

    fn add_to(&self, total: &mut Histogram) {
        for (sum, bucket) in total.counts.iter_mut().zip(&self.buckets) {
            *sum += bucket.get();
        }
        total.sum_micros += self.sum_micros.get();
    }
}

/// The counters of one shard.
#[derive(Debug, Default)]
pub(crate) struct ShardMetrics {
    pub(crate) opened: [Counter; 2],
    pub(crate) upgrades: Counter,
    pub(crate) closed: [Counter; CloseReason::ALL.len()],
    pub(crate) packets_in: Counter,
    pub(crate) packets_out: Counter,
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
    pub(crate) writes: Counter,
    pub(crate) volatile_dropped: Counter,
    pub(crate) stray_packets: Counter,
    pub(crate) handlers: Durations,
    pub(crate) ping_round_trips: Durations,
}

impl ShardMetrics {
    pub(crate) fn count_close(&self, reason: CloseReason) {
        if let Some(index) = CloseReason::ALL.iter().position(|r| *r == reason) {
            self.closed[index].add(1);
        }
    }

    pub(crate) fn count_open(&self, transport: Transport) {
        self.opened[transport as usize].add(1);
    }

    pub(crate) fn add_to(&self, total: &mut EngineMetrics) {
        total.opened_polling += self.opened[Transport::Polling as usize].get();
        total.opened_websocket += self.opened[Transport::WebSocket as usize].get();
        total.upgrades += self.upgrades.get();
        for (index, reason) in CloseReason::ALL.iter().enumerate() {
            total.closed[index] = (*reason, total.closed[index].1 + self.closed[index].get());
        }
        total.packets_in += self.packets_in.get();
        total.packets_out += self.packets_out.get();
        total.bytes_in += self.bytes_in.get();
        total.bytes_out += self.bytes_out.get();
        total.writes += self.writes.get();
        total.volatile_dropped += self.volatile_dropped.get();
        total.stray_packets += self.stray_packets.get();
        self.handlers.add_to(&mut total.handlers);
        self.ping_round_trips.add_to(&mut total.ping_round_trips);
    }
}

/// A sum of durations by power of two: bucket `i` counts those below `2^i` µs and not below `2^(i-1)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// How many fell into each bucket.
    pub counts: [u64; Self::BUCKETS],
    /// The sum of all, in microseconds.
    pub sum_micros: u64,
}

impl Histogram {
    /// Buckets of a histogram; the last one takes all that is longer.
    pub const BUCKETS: usize = 28;

    /// How many durations were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The upper bound in microseconds of the bucket that holds the quantile `q` (0 to 1); `None` without data.
    pub fn quantile_micros(&self, q: f64) -> Option<u64> {
        let total = self.count();
        if total == 0 {
            return None;
        }
        let rank = ((total as f64 * q).ceil() as u64).clamp(1, total);
        let mut seen = 0;
        let index = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(1 << index)
    }

    /// What was counted since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut difference = self.clone();
        for (now, before) in difference.counts.iter_mut().zip(&earlier.counts) {
            *now = now.saturating_sub(*before);
        }
        difference.sum_micros = difference.sum_micros.saturating_sub(earlier.sum_micros);
        difference
    }
}

/// A snapshot of the engine's counters. Totals since the start, but for the gauges of sessions and queues.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct EngineMetrics {
    /// Sessions that are open now and poll, counted from the live table.
    pub sessions_polling: usize,
    /// Sessions that are open now on a WebSocket, counted from the live table.
    pub sessions_websocket: usize,
    /// Bytes that wait in the queues of all sessions now.
    pub queued_bytes: usize,
    /// Packets that wait in the queues of all sessions now.
    pub queued_packets: usize,
    /// Bytes that slow clients hold now, of the budget `max_total_queue_bytes`: what was still there at the end of a turn, a
    /// packet that several wait for counted once.
    pub slow_queue_bytes: usize,
    /// Sessions opened by polling.
    pub opened_polling: u64,
    /// Sessions opened on a WebSocket.
    pub opened_websocket: u64,
    /// Sessions that moved from polling to WebSocket.
    pub upgrades: u64,
    /// Sessions closed, by reason.
    pub closed: Vec<(CloseReason, u64)>,
    /// Handshakes refused.
    pub refused: u64,
    /// Engine.IO packets received.
    pub packets_in: u64,
    /// Engine.IO packets written, on WebSockets and in the answers of polls.
    pub packets_out: u64,
    /// Bytes of packets received.
    pub bytes_in: u64,
    /// Bytes of packets written.
    pub bytes_out: u64,
    /// Write calls on WebSockets: packets out divided by this is the coalescing.
    pub writes: u64,
    /// Volatile packets dropped because a client was not writable.
    pub volatile_dropped: u64,
    /// Packets passed over because their namespace was not joined.
    pub stray_packets: u64,
    /// How long handlers ran, from their start to their end.
    pub handlers: Histogram,
    /// From a ping to its pong.
    pub ping_round_trips: Histogram,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn quantiles_are_upper_bounds_of_their_bucket() {
        let durations = Durations::default();
        for micros in [1, 3, 3, 100] {
            durations.record(Duration::from_micros(micros));
        }
        let mut histogram = Histogram::default();
        durations.add_to(&mut histogram);
        assert_eq!(histogram.count(), 4);
        assert_eq!(histogram.sum_micros, 107);
        assert_eq!(histogram.quantile_micros(0.5), Some(4));
        assert_eq!(histogram.quantile_micros(0.99), Some(128));
        assert_eq!(Histogram::default().quantile_micros(0.5), None);
    }
}
