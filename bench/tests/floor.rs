//! The load generator against the floor, through real sockets: every scenario comes to an end and
//! counts what it should. What it costs is not tested here.

use std::time::Duration;

use erlen_bench::child::Server;
use erlen_bench::handshake::Headers;
use erlen_bench::outcome::{Outcome, Unit};
use erlen_bench::scenario::{Plan, Scenario};

fn run(scenario: Scenario, clients: usize, headers: Headers) -> Outcome {
    let command = format!("{} {{port}}", env!("CARGO_BIN_EXE_floor"));
    let server = Server::start(&command, 0).expect("the floor listens");
    let plan = Plan {
        server_pid: server.pid(),
        addr: server.addr(),
        scenario,
        clients,
        duration: Duration::from_millis(100),
        headers,
    };
    plan.run().expect("the scenario ends")
}

#[test]
fn a_paced_broadcast_reaches_each_client_once_a_round() {
    let outcome = run(Scenario::BcastPaced, 20, Headers::Bare);
    assert_eq!(outcome.operations % 20, 0);
    assert!(outcome.operations > 0);
    assert_eq!(outcome.message_bytes, 108.0);
    assert_eq!(outcome.messages_per_read, 1.0);
}

#[test]
fn broadcasts_in_flight_come_several_a_read() {
    let outcome = run(Scenario::Bcast32, 20, Headers::Bare);
    assert!(outcome.messages_per_read > 4.0, "{}", outcome.messages_per_read);
    assert_eq!(outcome.message_bytes, 108.0);
}

#[test]
fn an_emit_to_each_room_reaches_each_client_once_a_round() {
    let outcome = run(Scenario::Rooms, 30, Headers::Bare);
    assert_eq!(outcome.operations % 30, 0);
    assert!(outcome.operations > 0);
    assert_eq!(outcome.message_bytes, 107.0);
}

#[test]
fn echo_and_ack_are_answered_in_their_sizes() {
    let echo = run(Scenario::Echo, 5, Headers::Browser);
    assert!(echo.operations > 0);
    assert_eq!(echo.message_bytes, 107.0);
    let ack = run(Scenario::Ack, 5, Headers::Bare);
    assert!(ack.operations > 0);
    assert_eq!(ack.message_bytes, 101.0);
}

#[test]
fn connections_come_and_go() {
    let outcome = run(Scenario::Connect, 2, Headers::Browser);
    assert!(outcome.operations > 10);
    assert_eq!(outcome.unit, Unit::Cycle);
}

#[test]
fn idle_connections_are_joined_and_counted() {
    let outcome = run(Scenario::Idle, 100, Headers::Bare);
    assert_eq!(outcome.operations, 100);
    assert!(outcome.cost < 64.0, "{} KiB a connection", outcome.cost);
}
