//! What the log says of hostile clients: little, without secrets, and on one line.

use std::fmt::{self, Write};
use std::sync::Mutex;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::support::{House, Poll, Ws, alone, ask, ms};

/// Every line of this process's log, with its level.
static LINES: Mutex<Vec<(Level, String)>> = Mutex::new(Vec::new());

struct Log;

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("erlen")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        LINES.lock().unwrap().push((*event.metadata().level(), line.0));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, "{}={value:?} ", field.name());
    }
}

/// The lines so far that an operator sees by default.
fn shown() -> Vec<String> {
    let lines = LINES.lock().unwrap();
    lines.iter().filter(|(level, _)| *level <= Level::INFO).map(|(_, line)| line.clone()).collect()
}

#[tokio::test]
async fn one_connection_is_worth_one_line_and_no_line_holds_a_secret() {
    if !alone("logs::one_connection_is_worth_one_line_and_no_line_holds_a_secret") {
        return;
    }
    tracing::subscriber::set_global_default(Log).unwrap();
    let house = House::with(|b| b.close_timeout(ms(200))).await;
    let mut sids = Vec::new();

    let (mut ws, sid) = Ws::join_with_sid(house.addr).await;
    sids.push(sid);
    for number in 0..500 {
        ws.text(&format!("40/no\n\x1b[31m{number},")).await;
        assert!(ws.packet().await.starts_with("44/no"));
    }
    assert_eq!(shown().len(), 1, "{:?}", shown());
    drop(ws);

    let (mut ws, sid) = Ws::join_with_sid(house.addr).await;
    sids.push(sid);
    ws.text("42[\"a\n\x1b[31m\"]").await;
    ws.closes().await;
    let (mut ws, sid) = Ws::join_with_sid(house.addr).await;
    sids.push(sid);
    ws.raw([0xff; 64]).await;
    ws.closes().await;
    let poll = Poll::join(house.addr).await;
    poll.post("zzz").await;
    poll.is_gone().await;
    sids.push(poll.sid);
    let evil = "Origin: https://evil.example\x7f\r\n";
    ask(house.addr, "GET", "/socket.io/?EIO=4&transport=polling", evil, "").await;
    house.is_empty().await;
    assert!(shown().len() <= 5, "{:?}", shown());

    for (_, line) in LINES.lock().unwrap().iter() {
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert!(sids.iter().all(|sid| !line.contains(sid)), "{line}");
    }
}

#[tokio::test]
async fn a_server_that_is_full_says_so_once_and_not_for_each_whom_it_turns_away() {
    if !alone("logs::a_server_that_is_full_says_so_once_and_not_for_each_whom_it_turns_away") {
        return;
    }
    tracing::subscriber::set_global_default(Log).unwrap();
    let house = House::with(|b| b.max_sessions(1)).await;
    let _one = Ws::join(house.addr).await;
    for _ in 0..20 {
        let answer = ask(house.addr, "GET", "/socket.io/?EIO=4&transport=polling", "", "").await;
        assert_eq!(answer.status, 503);
    }
    let lines = shown();
    assert!(lines.len() == 1 && lines[0].contains("max_sessions"), "{lines:?}");
}
