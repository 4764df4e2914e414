//! What is counted of each event: how often it was handled, how long that took, how many bytes came, how often it failed.
//!
//! The set of labels is bounded: events that have a handler, by namespace, up to a number; all others are one. Namespaces that come
//! into being by a rule share the label of the rule.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::engine::{Counter, Durations, Histogram};

/// Events that are counted each by itself.
const MAX_EVENTS: usize = 200;
/// What events without a label of their own are called.
pub(crate) const OTHER: &str = "other";
/// The label of namespaces by a rule.
pub(crate) const BY_RULE: &str = "by rule";

/// The counters of one event.
#[derive(Debug, Default)]
pub struct EventStats {
    errors: Counter,
    bytes: Counter,
    durations: Durations,
}

impl EventStats {
    /// One more was handled.
    pub fn record(&self, took: Duration, bytes: usize, outcome: EventOutcome) {
        self.durations.record(took);
        self.bytes.add(bytes);
        if outcome == EventOutcome::Failed {
            self.errors.add(1);
        }
    }
}

/// How the handling of an event ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventOutcome {
    /// As it should.
    Done,
    /// With an error.
    Failed,
}

/// A snapshot of the counters of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventMetrics {
    /// The namespace, or `by rule`.
    pub namespace: Arc<str>,
    /// The event's name, or `other`.
    pub event: Arc<str>,
    /// How often its handler ended with an error.
    pub errors: u64,
    /// Bytes of arguments that came, attachments included.
    pub bytes: u64,
    /// From an event's arrival to its handler's end; the count is how often it was handled.
    pub durations: Histogram,
}

/// The counters of all events of a server.
#[derive(Debug, Default)]
pub(crate) struct EventTable(Mutex<HashMap<Label, Arc<EventStats>>>);

/// Namespace and event.
type Label = (Arc<str>, Arc<str>);

impl EventTable {
    /// The counters of an event that has a handler.
    pub(crate) fn of(&self, namespace: &Arc<str>, event: &str) -> Arc<EventStats> {
        let mut table = self.lock();
        let mut label = (Arc::clone(namespace), Arc::from(event));
        if table.len() >= MAX_EVENTS && !table.contains_key(&label) {
            label = (Arc::from(OTHER), Arc::from(OTHER));
        }
        Arc::clone(table.entry(label).or_default())
    }

    /// What was counted, in the order of the labels.
    pub(crate) fn snapshot(&self) -> Vec<EventMetrics> {
        let table = self.lock();
        let metrics = table.iter().map(|((namespace, event), stats)| EventMetrics {
            namespace: Arc::clone(namespace),
            event: Arc::clone(event),
            errors: stats.errors.get(),
            bytes: stats.bytes.get(),
            durations: stats.durations.snapshot(),
        });
        let mut metrics: Vec<_> = metrics.collect();
        metrics.sort_by(|a, b| (&a.namespace, &a.event).cmp(&(&b.namespace, &b.event)));
        metrics
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Label, Arc<EventStats>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_the_number_of_labels_events_are_counted_as_one() {
        let (table, namespace) = (EventTable::default(), Arc::from("/"));
        for event in 0..MAX_EVENTS + 50 {
            table.of(&namespace, &event.to_string()).record(Duration::ZERO, 1, EventOutcome::Done);
        }
        let snapshot = table.snapshot();
        assert_eq!(snapshot.len(), MAX_EVENTS + 1);
        let other = snapshot.iter().find(|metrics| &*metrics.event == OTHER).unwrap();
        assert_eq!((other.durations.count(), other.bytes), (50, 50));
    }
}
