//! The counters as text, in the OpenMetrics format. Label sets are bounded: transports, reasons, namespaces by name, events that have handlers.

use std::fmt::Write;

use crate::engine::Histogram;
use crate::events::EventMetrics;
use crate::server::Server;

pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Namespaces that get a label of their own.
const MAX_NAMESPACES: usize = 100;

/// Everything, as one text.
pub(crate) fn write(server: &Server) -> String {
    let m = server.metrics();
    let mut out = String::with_capacity(4096);
    family(&mut out, "erlen_sessions", "gauge", "Open sessions.");
    sample(&mut out, "erlen_sessions", &[("transport", "polling")], m.sessions_polling);
    sample(&mut out, "erlen_sessions", &[("transport", "websocket")], m.sessions_websocket);
    family(&mut out, "erlen_sockets", "gauge", "Connected sockets.");
    for namespace in server.namespaces().iter().take(MAX_NAMESPACES) {
        sample(&mut out, "erlen_sockets", &[("namespace", namespace.name())], namespace.socket_count());
    }
    family(&mut out, "erlen_queued_bytes", "gauge", "Bytes that wait for clients.");
    sample(&mut out, "erlen_queued_bytes", &[], m.queued_bytes);
    family(
        &mut out,
        "erlen_slow_queue_bytes",
        "gauge",
        "Bytes that slow clients hold, shared ones counted once.",
    );
    sample(&mut out, "erlen_slow_queue_bytes", &[], m.slow_queue_bytes);
    family(&mut out, "erlen_sessions_opened", "counter", "Sessions opened, by their first transport.");
    sample(&mut out, "erlen_sessions_opened_total", &[("transport", "polling")], m.opened_polling);
    sample(&mut out, "erlen_sessions_opened_total", &[("transport", "websocket")], m.opened_websocket);
    family(&mut out, "erlen_sessions_closed", "counter", "Sessions closed, by reason.");
    for (reason, count) in &m.closed {
        sample(&mut out, "erlen_sessions_closed_total", &[("reason", reason.as_str())], count);
    }
    let counters = [
        ("erlen_upgrades", "Sessions moved from polling to WebSocket.", m.upgrades),
        ("erlen_handshakes_refused", "Handshakes refused.", m.refused),
        ("erlen_packets_in", "Packets received.", m.packets_in),
        ("erlen_packets_out", "Packets written.", m.packets_out),
        ("erlen_bytes_in", "Bytes of messages received.", m.bytes_in),
        ("erlen_bytes_out", "Bytes written.", m.bytes_out),
        ("erlen_writes", "Write calls on WebSockets.", m.writes),
        ("erlen_volatile_dropped", "Volatile packets dropped.", m.volatile_dropped),
        ("erlen_stray_packets", "Packets for a namespace that was not joined.", m.stray_packets),
    ];
    for (name, help, value) in counters {
        family(&mut out, name, "counter", help);
        sample(&mut out, &format!("{name}_total"), &[], value);
    }
    histogram(&mut out, "erlen_handler_seconds", "How long handlers ran.", &m.handlers);
    events(&mut out, &server.event_metrics());
    histogram(&mut out, "erlen_ping_seconds", "From a ping to its pong.", &m.ping_round_trips);
    out.push_str("# EOF\n");
    out
}

/// Each event by namespace and name; a bounded number of them.
fn events(out: &mut String, events: &[EventMetrics]) {
    family(out, "erlen_event_seconds", "summary", "From an event's arrival to its handler's end.");
    for event in events {
        let labels = [("namespace", &*event.namespace), ("event", &*event.event)];
        for (quantile, text) in [(0.5, "0.5"), (0.99, "0.99")] {
            if let Some(micros) = event.durations.quantile_micros(quantile) {
                let labels = [labels[0], labels[1], ("quantile", text)];
                sample(out, "erlen_event_seconds", &labels, micros as f64 / 1e6);
            }
        }
        sample(out, "erlen_event_seconds_count", &labels, event.durations.count());
        sample(out, "erlen_event_seconds_sum", &labels, event.durations.sum_micros as f64 / 1e6);
    }
    family(out, "erlen_event_bytes", "counter", "Bytes of arguments that came.");
    for event in events {
        let labels = [("namespace", &*event.namespace), ("event", &*event.event)];
        sample(out, "erlen_event_bytes_total", &labels, event.bytes);
    }
    family(out, "erlen_event_errors", "counter", "Handlers that ended with an error.");
    for event in events {
        let labels = [("namespace", &*event.namespace), ("event", &*event.event)];
        sample(out, "erlen_event_errors_total", &labels, event.errors);
    }
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# TYPE {name} {kind}\n# HELP {name} {help}");
}

fn sample(out: &mut String, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
    out.push_str(name);
    for (index, (key, text)) in labels.iter().enumerate() {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = write!(out, "{}{key}=\"{escaped}\"", if index == 0 { '{' } else { ',' });
    }
    if !labels.is_empty() {
        out.push('}');
    }
    let _ = writeln!(out, " {value}");
}

fn histogram(out: &mut String, name: &str, help: &str, histogram: &Histogram) {
    family(out, name, "histogram", help);
    let mut below = 0;
    for (index, count) in histogram.counts.iter().enumerate() {
        below += count;
        let last = index + 1 == Histogram::BUCKETS;
        let bound = if last { "+Inf".to_owned() } else { format!("{:.6}", (1_u64 << index) as f64 / 1e6) };
        sample(out, &format!("{name}_bucket"), &[("le", &bound)], below);
    }
    sample(out, &format!("{name}_count"), &[], below);
    sample(out, &format!("{name}_sum"), &[], histogram.sum_micros as f64 / 1e6);
}
