//! The load generator against the floor and against Erlen, through real sockets: every scenario comes to an end and
//! counts what it should. What it costs is not tested here.

use std::time::Duration;

use erlen_bench::case::Case;
use erlen_bench::child::Server;
use erlen_bench::handshake::Headers;
use erlen_bench::outcome::{Outcome, Unit};
use erlen_bench::plan::Plan;
use erlen_bench::work;

const FLOOR: &str = env!("CARGO_BIN_EXE_floor");
const ERLEN: &str = env!("CARGO_BIN_EXE_five-events");

fn run(server: &str, case: &str, headers: Headers) -> Outcome {
    let server = Server::start(&format!("{server} {{port}} 300"), 0).expect("the server listens");
    let case: Case = case.parse().expect("a case");
    let plan = Plan {
        server_pid: server.pid(),
        addr: server.addr(),
        case,
        duration: Duration::from_millis(100),
        headers,
    };
    let outcome = work::run(&plan).expect("the scenario ends");
    assert_eq!(outcome.scenario, case.to_string());
    assert!(outcome.operations > 0);
    outcome
}

fn floor(case: &str) -> Outcome {
    run(FLOOR, case, Headers::Bare)
}

fn erlen(case: &str) -> Outcome {
    run(ERLEN, case, Headers::Browser)
}

#[test]
fn a_paced_broadcast_reaches_each_client_once_a_round() {
    let outcome = floor("bcast-paced/clients=20");
    assert_eq!(outcome.operations % 20, 0);
    assert_eq!(outcome.message_bytes, 108.0);
    // Now and then a busy machine's kernel sends a segment twice.
    assert!((0.9..=1.0).contains(&outcome.messages_per_write), "{}", outcome.messages_per_write);
}

#[test]
fn broadcasts_in_flight_come_several_a_write() {
    let outcome = floor("bcast-32/clients=20");
    assert!(outcome.messages_per_write > 4.0, "{}", outcome.messages_per_write);
    assert_eq!(outcome.message_bytes, 108.0);
}

#[test]
fn an_emit_to_each_room_reaches_each_client_once_a_round() {
    let outcome = floor("rooms/clients=30/rooms=250/bystanders=2");
    assert_eq!(outcome.operations % 30, 0);
    assert_eq!(outcome.message_bytes, 107.0);
    assert_eq!(outcome.clients, 30);
}

#[test]
fn echo_and_ack_are_answered_in_their_sizes() {
    let echo = run(FLOOR, "echo/clients=5", Headers::Browser);
    assert_eq!(echo.message_bytes, 107.0);
    let ack = floor("ack/clients=5");
    assert_eq!(ack.message_bytes, 101.0);
}

#[test]
fn payloads_are_as_long_as_they_are_said_to_be() {
    for payload in [64, 1024, 16 * 1024] {
        for run in [floor, erlen] {
            let echo = run(&format!("echo/clients=3/payload={payload}"));
            assert_eq!(echo.message_bytes, (payload + 13) as f64);
            let bcast = run(&format!("bcast-paced/clients=3/payload={payload}"));
            assert_eq!(bcast.message_bytes, (payload + 14) as f64);
        }
    }
}

#[test]
fn attachments_come_back_behind_their_packet() {
    let outcome = erlen("binary/clients=4/payload=1000");
    let header = r#"451-["echo",{"_placeholder":true,"num":0}]"#.len();
    assert_eq!(outcome.message_bytes, (header + 1000) as f64 / 2.0);
}

#[test]
fn connections_come_and_go() {
    let outcome = run(FLOOR, "connect/clients=2", Headers::Browser);
    assert!(outcome.operations > 10);
    assert_eq!(outcome.unit, Unit::Cycle);
}

#[test]
fn idle_connections_are_joined_and_counted() {
    let outcome = floor("idle/clients=100");
    assert_eq!(outcome.operations, 100);
    assert!(outcome.cost < 64.0, "{} KiB a connection", outcome.cost);
}

#[test]
fn every_copy_of_a_broadcast_has_its_lateness() {
    for run in [floor, erlen] {
        let outcome = run("latency/clients=20");
        assert_eq!(outcome.operations % 20, 0);
        let latency = outcome.latency.expect("it was measured");
        assert!(
            0.0 < latency.p50 && latency.p50 <= latency.p99 && latency.p99 <= latency.p999,
            "{latency:?}"
        );
        assert_eq!((outcome.unit, outcome.cost), (Unit::Lateness, latency.p99));
    }
}

#[test]
fn readers_lose_nothing_beside_clients_that_do_not_read() {
    let outcome = erlen("slow/clients=20/payload=200000");
    assert_eq!((outcome.clients, outcome.operations % 18), (18, 0));
    assert!(outcome.memory.is_some_and(|memory| memory.before > 1024), "{:?}", outcome.memory);
}

#[test]
fn rooms_are_joined_beside_others() {
    for run in [floor, erlen] {
        let outcome = run("join/clients=4/bystanders=3/rooms=1000");
        assert_eq!((outcome.unit, outcome.clients, outcome.operations % 4), (Unit::Join, 4, 0));
    }
}

#[test]
fn every_connection_has_a_heartbeat() {
    let outcome = erlen("heartbeat/clients=10");
    assert_eq!(outcome.unit, Unit::Heartbeat);
    assert!(outcome.operations >= 10);
}

#[test]
fn memory_is_looked_at_before_and_after() {
    let burst = erlen("burst/clients=5");
    assert_eq!(burst.operations, 5 * 64 * 5);
    let gone = erlen("gone/clients=50");
    assert_eq!(gone.operations, 50);
    for outcome in [burst, gone] {
        let memory = outcome.memory.expect("it was looked at");
        assert!(memory.before > 1024, "{memory:?}");
        assert_eq!(outcome.cost, (memory.after as f64 / memory.before as f64 - 1.0) * 100.0);
    }
}
