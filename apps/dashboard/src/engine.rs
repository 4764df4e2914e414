//! What the engine itself does, from its counters: clients, packets, bytes, latencies, queues, losses, rooms.
//!
//! Counters only grow; this keeps the ones of before and gives rates. It reads `Server::metrics` and changes nothing.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use erlen::Server;
use erlen::engine::{EngineMetrics, Histogram};
use serde_json::{Value, json};

use crate::catalogue::{Fold, Unit};
use crate::live::Sample;

/// Handlers run rarely on an idle server, so their latency is taken over some seconds.
const HANDLER_SECONDS: usize = 10;
/// Pings go out every 25 s.
const PING_SECONDS: usize = 60;
const MAX_ROOMS: usize = 8;

/// Keeps what the next sample is compared with.
pub(crate) struct EngineSource {
    io: Server,
    before: VecDeque<EngineMetrics>,
    sampled: Instant,
    deliveries: Deliveries,
}

impl EngineSource {
    pub(crate) fn new(io: Server) -> Self {
        let before = VecDeque::from([io.metrics()]);
        Self { io, before, sampled: Instant::now(), deliveries: Deliveries::default() }
    }

    /// Notes that a tick goes to a room.
    pub(crate) fn delivered(&mut self, room: &str) {
        self.deliveries.count(room);
    }

    /// Adds all that happened since the sample before.
    pub(crate) fn sample(&mut self, sample: &mut Sample) {
        let seconds = self.sampled.elapsed().as_secs_f64().max(0.001);
        self.sampled = Instant::now();
        let now = self.io.metrics();
        self.gauges(&now, sample);
        if let Some(last) = self.before.back() {
            rates(last, &now, seconds, sample);
        }
        self.latencies(&now, sample);
        self.rooms(sample);
        self.before.push_back(now);
        if self.before.len() > PING_SECONDS {
            self.before.pop_front();
        }
    }

    fn gauges(&self, now: &EngineMetrics, sample: &mut Sample) {
        let mut count = |name: &str, value: usize| sample.put(name, Unit::Count, Fold::Last, value as f64);
        count("erlen.clients", now.sessions_polling + now.sessions_websocket);
        count("erlen.clients.polling", now.sessions_polling);
        count("erlen.clients.websocket", now.sessions_websocket);
        for namespace in self.io.namespaces() {
            count(&format!("erlen.sockets.{}", namespace.name()), namespace.socket_count());
        }
        sample.put("erlen.queue.bytes", Unit::Bytes, Fold::Max, now.queued_bytes as f64);
    }

    fn latencies(&self, now: &EngineMetrics, sample: &mut Sample) {
        let earlier =
            |seconds: usize| self.before.get(self.before.len().saturating_sub(seconds)).unwrap_or(now);
        let handlers = now.handlers.since(&earlier(HANDLER_SECONDS).handlers);
        let pings = now.ping_round_trips.since(&earlier(PING_SECONDS).ping_round_trips);
        for (name, histogram, q) in [
            ("erlen.handler.p50", &handlers, 0.5),
            ("erlen.handler.p95", &handlers, 0.95),
            ("erlen.handler.p99", &handlers, 0.99),
            ("erlen.ping.p50", &pings, 0.5),
            ("erlen.ping.p99", &pings, 0.99),
        ] {
            if let Some(value) = quantile(histogram, q) {
                sample.put(name, Unit::Seconds, Fold::Max, value);
            }
        }
    }

    fn rooms(&mut self, sample: &mut Sample) {
        let rates = self.deliveries.rates();
        let mut rooms = self.io.room_sizes();
        rooms.sort_by(|(a, many), (b, few)| few.cmp(many).then(a.cmp(b)));
        let row = |(room, sockets): &(erlen::Room, usize)| {
            json!([&**room, sockets, rates.get(&**room).unwrap_or(&0.0)])
        };
        let rows: Vec<Value> = rooms.iter().take(MAX_ROOMS).map(row).collect();
        sample.tables.insert("rooms", Value::Array(rows));
    }
}

fn rates(last: &EngineMetrics, now: &EngineMetrics, seconds: f64, sample: &mut Sample) {
    let closed = |metrics: &EngineMetrics| metrics.closed.iter().map(|(_, count)| count).sum::<u64>();
    let cut = |metrics: &EngineMetrics| {
        metrics
            .closed
            .iter()
            .filter(|(reason, _)| reason.as_str() == "slow consumer")
            .map(|(_, count)| count)
            .sum::<u64>()
    };
    let opened = |metrics: &EngineMetrics| metrics.opened_polling + metrics.opened_websocket;
    for (name, unit, before, after) in [
        ("erlen.packets.in", Unit::PerSecond, last.packets_in, now.packets_in),
        ("erlen.packets.out", Unit::PerSecond, last.packets_out, now.packets_out),
        ("erlen.bytes.in", Unit::BytesPerSecond, last.bytes_in, now.bytes_in),
        ("erlen.bytes.out", Unit::BytesPerSecond, last.bytes_out, now.bytes_out),
        ("erlen.connects", Unit::PerSecond, opened(last), opened(now)),
        ("erlen.disconnects", Unit::PerSecond, closed(last), closed(now)),
        ("erlen.dropped", Unit::PerSecond, last.volatile_dropped, now.volatile_dropped),
        ("erlen.cut", Unit::PerSecond, cut(last), cut(now)),
    ] {
        let rate = after.saturating_sub(before) as f64 / seconds;
        sample.put(name, unit, Fold::Mean, (rate * 100.0).round() / 100.0);
    }
}

/// The quantile in seconds. Inside its bucket, which spans a factor of two, the durations are taken as evenly spread.
fn quantile(histogram: &Histogram, q: f64) -> Option<f64> {
    let rank = histogram.count() as f64 * q;
    let mut below = 0.0;
    for (index, count) in histogram.counts.iter().enumerate() {
        let count = *count as f64;
        if count > 0.0 && below + count >= rank {
            let upper = (1_u64 << index) as f64;
            let lower = if index == 0 { 0.0 } else { upper / 2.0 };
            return Some((lower + (upper - lower) * (rank - below) / count) / 1e6);
        }
        below += count;
    }
    None
}

/// How many ticks each room got in each of the last seconds.
#[derive(Default)]
struct Deliveries {
    now: HashMap<String, u32>,
    seconds: VecDeque<HashMap<String, u32>>,
}

impl Deliveries {
    fn count(&mut self, room: &str) {
        *self.now.entry(room.to_owned()).or_default() += 1;
    }

    /// Ends a second; gives each room's mean over the last ten.
    fn rates(&mut self) -> HashMap<String, f64> {
        self.seconds.push_back(std::mem::take(&mut self.now));
        if self.seconds.len() > HANDLER_SECONDS {
            self.seconds.pop_front();
        }
        let mut sums: HashMap<String, f64> = HashMap::new();
        for (room, count) in self.seconds.iter().flatten() {
            *sums.entry(room.clone()).or_default() += f64::from(*count) / self.seconds.len() as f64;
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_lies_inside_its_bucket() {
        let mut histogram = Histogram::default();
        histogram.counts[6] = 100;
        assert_eq!(quantile(&histogram, 0.5), Some(48e-6), "32 to 64 µs");
        histogram.counts[10] = 2;
        let p99 = quantile(&histogram, 0.99).unwrap();
        assert!((512e-6..=1024e-6).contains(&p99), "{p99}");
        assert_eq!(quantile(&Histogram::default(), 0.5), None);
    }

    #[test]
    fn deliveries_are_a_mean_of_the_last_seconds() {
        let mut deliveries = Deliveries::default();
        deliveries.count("a");
        assert_eq!(deliveries.rates()["a"], 1.0);
        assert_eq!(deliveries.rates()["a"], 0.5);
        (0..HANDLER_SECONDS).for_each(|_| drop(deliveries.rates()));
        assert!(deliveries.rates().is_empty());
    }
}
