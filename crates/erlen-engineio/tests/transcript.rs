//! Dialogues with a session on virtual time: the files in `transcripts/`, and the runner that plays them.
//!
//! A line at the left margin is an input; the indented lines below it are all that it brings forth, no
//! more and no less. `==` opens a dialogue, `#` a comment.
//!
//! ```text
//! config max_queue_packets 2      before `open`; times as 25s, 999ms, 1ns
//! open polling                    or websocket
//! GET                             GET aborted, GET held (its answer waits) and GET released
//! POST 4a␞4b                      or POST begins, body 4a, POST ends, POST cut
//! probe                           a WebSocket comes with the sid; probe> 2probe, probe lost
//! ws> 4a                          a packet on the session's WebSocket; [0102] is binary; ws lost,
//!                                 ws stalled and ws flows
//! send a                          the application sends; send [0102], send 500 bytes
//! close forced close              the server ends the session
//! @ +25s                          time passes, and every deadline acts when it is due
//! @ late +25s                     time passes, and the timers sleep until `timers`
//! ? queue                         also writable, next, pong
//!     < 2␞4a                      the answer of the GET
//!     ws< 4a                      a packet on the session's WebSocket; probe< on the probing one
//!     > a                         a message for the application
//!     400 Bad request             a refused GET or POST
//!     closed transport error: …   the end, with the finer cause
//! ```
//!
//! In `upgrade_table.txt`, `state` is followed by the inputs that lead there, and every row is an input
//! in that state, alone: `| input => output ; output [state behind it]`.

#![allow(clippy::disallowed_methods, reason = "a test has to start its time somewhere")]

use std::{
    fmt::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use erlen_engineio::{
    CloseReason, Completeness, Config, EncodedPacket, Get, Input, Message, Packet, Post, Probe, ProbeStep,
    Session, Sid, Timeout, Transport,
    handshake::open_packet,
    payload::{self, PayloadPacket},
};

#[test]
fn polling_answers_gets_and_takes_posts() {
    play(include_str!("transcripts/polling.txt"));
}

#[test]
fn heartbeats_keep_their_deadlines_on_both_transports() {
    play(include_str!("transcripts/heartbeat.txt"));
}

#[test]
fn an_upgrade_loses_doubles_and_reorders_nothing() {
    play(include_str!("transcripts/upgrade.txt"));
}

#[test]
fn a_close_from_either_side_ends_all_once() {
    play(include_str!("transcripts/close.txt"));
}

#[test]
fn a_slow_client_meets_the_bounds_of_its_queue() {
    play(include_str!("transcripts/queue.txt"));
}

#[test]
fn every_input_of_the_upgrade_table_has_its_answer_in_every_state() {
    play_table(include_str!("transcripts/upgrade_table.txt"));
}

/// A session, its client and its application.
struct Dialogue {
    config: Config,
    session: Option<Session>,
    now: Instant,
    held: bool,
    stalled: bool,
    ended: bool,
    said: Vec<String>,
}

impl Dialogue {
    fn new() -> Self {
        Self {
            config: Config::default(),
            session: None,
            now: Instant::now(),
            held: false,
            stalled: false,
            ended: false,
            said: Vec::new(),
        }
    }

    fn session(&mut self) -> &mut Session {
        self.session.as_mut().expect("`open` comes first")
    }

    fn say(&mut self, line: impl Into<String>) {
        self.said.push(line.into());
    }

    /// Plays one input; answers all that it brought forth.
    fn act(&mut self, line: &str) -> Vec<String> {
        let now = self.now;
        match line.split_once(' ').unwrap_or((line, "")) {
            ("config", setting) => self.configure(setting),
            ("open", transport) => {
                let transport = Transport::from_name(transport).expect("a transport");
                self.session = Some(Session::open(&sid(), Arc::new(self.config.clone()), now, transport));
            }
            ("GET", "") => match self.session().begin_get(now) {
                Get::Parked => {}
                Get::Refused(error) => self.say(format!("400 {error}")),
            },
            ("GET", "aborted") => self.session().abort_get(now),
            ("GET", "held") => self.held = true,
            ("GET", "released") => self.held = false,
            ("POST", "begins") => {
                self.begin_post();
            }
            ("POST", "ends") => self.session().end_post(now, Completeness::Whole),
            ("POST", "cut") => self.session().end_post(now, Completeness::Cut),
            ("POST", body) => {
                if self.begin_post() {
                    self.receive_body(body);
                    self.session().end_post(now, Completeness::Whole);
                }
            }
            ("body", body) => self.receive_body(body),
            ("probe", "") => {
                if self.session().begin_probe(now) == Probe::Refused {
                    self.say("probe refused");
                }
            }
            ("probe", "lost") => self.session().abort_probe(),
            ("probe>", packet) => {
                let packet = if packet.starts_with('[') { None } else { Packet::decode(packet).ok() };
                match self.session().handle_probe_packet(packet) {
                    ProbeStep::Reply(reply) => self.say(format!("probe< {}", packet_text(&reply))),
                    ProbeStep::Upgraded => self.say("upgraded"),
                    ProbeStep::Refused => self.say("probe closed"),
                }
            }
            ("ws>", packet) => match bytes_of(packet) {
                Some(bytes) => self.receive(Packet::Message(Message::Binary(&bytes))),
                None => self.receive(Packet::decode(packet).expect("a packet")),
            },
            ("ws", "lost") => {
                self.session().close(now, CloseReason::TransportClose, "the connection closed");
            }
            ("ws", "stalled") => {
                self.stalled = true;
                self.session().set_stalled(Some(now));
            }
            ("ws", "flows") => {
                self.stalled = false;
                self.session().set_stalled(None);
            }
            ("send", message) => {
                let packet = match (bytes_of(message), message.strip_suffix(" bytes")) {
                    (Some(bytes), _) => EncodedPacket::binary_message(&bytes),
                    (_, Some(size)) => EncodedPacket::binary_message(&vec![7; size.parse().expect("a size")]),
                    _ => EncodedPacket::text_message(|text| text.extend_from_slice(message.as_bytes())),
                };
                if let Err(error) = self.session().send(packet) {
                    self.say(format!("{error:?}").to_lowercase());
                }
            }
            ("close", reason) => {
                let reason = CloseReason::ALL.into_iter().find(|r| r.as_str() == reason).expect("a reason");
                self.session().close(now, reason, "asked for");
            }
            ("@", time) => match time.strip_prefix("late ") {
                Some(time) => self.now += span(time),
                None => self.pass(span(time)),
            },
            ("timers", "") => self.run_timers(),
            ("?", question) => self.answer(question),
            _ => panic!("no input: {line:?}"),
        }
        self.transmit();
        std::mem::take(&mut self.said)
    }

    fn configure(&mut self, setting: &str) {
        let (name, value) = setting.split_once(' ').expect("a name and a value");
        let number = || value.parse().expect("a number");
        match name {
            "ping_interval" => self.config.ping_interval = span(value),
            "ping_timeout" => self.config.ping_timeout = span(value),
            "upgrade_timeout" => self.config.upgrade_timeout = span(value),
            "write_stall" => self.config.write_stall = span(value),
            "close_linger" => self.config.close_linger = span(value),
            "max_queue_bytes" => self.config.max_queue_bytes = number(),
            "max_queue_packets" => self.config.max_queue_packets = number(),
            "allow_upgrades" => self.config.allow_upgrades = value == "true",
            _ => panic!("no setting: {name}"),
        }
    }

    fn begin_post(&mut self) -> bool {
        let now = self.now;
        match self.session().begin_post(now) {
            Post::Accepted => true,
            Post::Refused(error) => {
                self.say(format!("400 {error}"));
                false
            }
        }
    }

    fn receive_body(&mut self, body: &str) {
        for packet in payload::decode(body.replace('␞', "\u{1e}").as_bytes(), 16) {
            match packet.expect("a packet") {
                PayloadPacket::Text(packet) => self.receive(packet),
                PayloadPacket::Binary(bytes) => self.receive(Packet::Message(Message::Binary(&bytes))),
            }
        }
    }

    fn receive(&mut self, packet: Packet<'_>) {
        let now = self.now;
        match self.session().handle_packet(now, packet) {
            Input::Nothing => {}
            Input::Message(Message::Text(text)) => self.say(format!("> {text}")),
            Input::Message(Message::Binary(bytes)) => self.say(format!("> {}", hex(bytes))),
        }
    }

    /// Lets time pass as a perfect timer sees it.
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(due) = self.session().poll_timeout().filter(|due| *due <= end) {
            assert!(due > self.now, "a deadline that is not in the future");
            self.now = due;
            self.run_timers();
            self.transmit();
        }
        self.now = end;
    }

    fn run_timers(&mut self) {
        let now = self.now;
        loop {
            match self.session().handle_timeout(now) {
                Timeout::Nothing => return,
                Timeout::Ping | Timeout::Closed => {}
                Timeout::ProbeExpired => self.say("probe expired"),
                Timeout::Forgotten => self.say("forgotten"),
            }
        }
    }

    fn answer(&mut self, question: &str) {
        let now = self.now;
        let session = self.session();
        let answer = match question {
            "queue" => format!("{} packets, {} bytes", session.queued().0, session.queued().1),
            "writable" => format!("{}", session.is_writable()),
            "pong" => format!("{}", session.awaits_pong()),
            "next" => {
                session.poll_timeout().map_or("never".into(), |at| format!("+{:?}", at.duration_since(now)))
            }
            _ => panic!("no question: {question:?}"),
        };
        self.say(format!("= {answer}"));
    }

    /// What a caller does after any input: look at the end, answer the GET, write to the WebSocket.
    fn transmit(&mut self) {
        let session = self.session.as_mut();
        let Some(session) = session else { return };
        if let Some((reason, detail)) =
            session.close_reason().filter(|_| !std::mem::replace(&mut self.ended, session.is_closed()))
        {
            self.said.push(format!("closed {reason}: {detail}"));
        }
        while session.has_output() {
            let before = self.said.len();
            assert!(before < 100, "output without end: {:?}", self.said.last());
            if !self.stalled
                && let Some(packet) = session.poll_transmit()
            {
                self.said.push(format!("ws< {}", open_shortened(packet_text(&packet), session)));
            }
            if !self.held
                && let Some(body) = session.take_payload()
            {
                let body = String::from_utf8(body).expect("UTF-8").replace('\u{1e}', "␞");
                self.said.push(format!("< {}", open_shortened(body, session)));
            }
            if self.said.len() == before {
                assert!(self.stalled || self.held, "output was announced, and there is none");
                return;
            }
        }
        if !self.held
            && let Some(body) = session.take_payload()
        {
            self.said.push(format!("unannounced < {}", String::from_utf8_lossy(&body)));
        }
    }

    fn state(&mut self) -> &'static str {
        let session = self.session();
        match (session.is_closed(), session.is_probing(), session.transport()) {
            (true, _, _) if session.lingers() => "lingers",
            (true, _, _) => "closed",
            (_, true, _) => "probing",
            (_, _, Transport::WebSocket) => "websocket",
            (_, _, Transport::Polling) => "polling",
        }
    }
}

/// That of every session here.
fn sid() -> Sid {
    Sid::from_random([0; 15])
}

/// `0{websocket}` for the open packet with that upgrade, `0{}` for the one without.
fn open_shortened(text: String, session: &Session) -> String {
    let config = session.config();
    let short = |text: String, upgrades, name| {
        let mut open = Vec::new();
        let (interval, timeout) = (config.ping_interval, config.ping_timeout);
        open_packet(&mut open, &sid(), upgrades, interval, timeout, config.max_payload);
        text.replace(&String::from_utf8(open).expect("UTF-8"), name)
    };
    short(short(text, true, "0{websocket}"), false, "0{}")
}

fn packet_text(packet: &EncodedPacket) -> String {
    match packet.is_binary() {
        true => hex(packet.body()),
        false => String::from_utf8(packet.body().to_vec()).expect("UTF-8"),
    }
}

/// `[0102]`, or the size of what is too long to print.
fn hex(bytes: &[u8]) -> String {
    if bytes.len() > 16 {
        return format!("[{} bytes]", bytes.len());
    }
    let mut text = String::from("[");
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes all");
    }
    text + "]"
}

fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix('[')?.strip_suffix(']')?;
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.as_bytes().chunks(2).map(byte).collect()
}

fn span(text: &str) -> Duration {
    let text = text.trim_start_matches('+');
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = text.strip_suffix(unit).and_then(|n| n.parse().ok()).expect("a number");
    match unit {
        "s" => Duration::from_secs(number),
        "ms" => Duration::from_millis(number),
        "ns" => Duration::from_nanos(number),
        _ => panic!("no unit: {unit:?}"),
    }
}

fn lines(file: &str) -> impl Iterator<Item = &str> {
    file.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
}

/// Plays every dialogue of a file, and shows those that went another way.
fn play(file: &str) {
    let (mut wanted, mut played) = (String::new(), String::new());
    let mut dialogue = Dialogue::new();
    for line in lines(file) {
        writeln!(wanted, "{line}").expect("a string takes all");
        if line.starts_with("==") {
            dialogue = Dialogue::new();
            writeln!(played, "{line}").expect("a string takes all");
        } else if !line.starts_with(' ') {
            writeln!(played, "{line}").expect("a string takes all");
            for said in dialogue.act(line) {
                writeln!(played, "    {said}").expect("a string takes all");
            }
        }
    }
    show_difference(&wanted, &played);
}

/// Plays every row of a table of states and inputs; all states have the same inputs.
fn play_table(file: &str) {
    let (mut wanted, mut played) = (String::new(), String::new());
    let (mut setup, mut inputs): (Vec<&str>, Vec<Vec<&str>>) = (Vec::new(), Vec::new());
    for line in lines(file) {
        if let Some(state) = line.strip_prefix("state ") {
            setup.clear();
            inputs.push(Vec::new());
            for out in [&mut wanted, &mut played] {
                writeln!(out, "== {state}").expect("a string takes all");
            }
        } else if let Some(row) = line.strip_prefix("| ") {
            let (input, outcome) = row.split_once("=>").expect("a row has two sides");
            let mut dialogue = Dialogue::new();
            for line in &setup {
                dialogue.act(line);
            }
            let mut said = dialogue.act(input.trim()).join(" ; ");
            write!(said, " [{}]", dialogue.state()).expect("a string takes all");
            inputs.last_mut().expect("a state").push(input.trim());
            writeln!(wanted, "{} => {}", input.trim(), outcome.trim()).expect("a string takes all");
            writeln!(played, "{} => {}", input.trim(), said.trim()).expect("a string takes all");
        } else {
            setup.push(line);
        }
    }
    show_difference(&wanted, &played);
    assert!(inputs.windows(2).all(|two| two[0] == two[1]), "a state misses an input");
}

/// Fails with every dialogue that differs, as it was played.
fn show_difference(wanted: &str, played: &str) {
    let (wanted, played) = (wanted.split("== "), played.split("== "));
    let differing: Vec<_> = wanted.zip(played).filter(|(wanted, played)| wanted != played).collect();
    let mut report = String::new();
    for (wanted, played) in &differing {
        let same = wanted.lines().zip(played.lines()).take_while(|(wanted, played)| wanted == played).count();
        let line = |text: &str| text.lines().nth(same).unwrap_or("(the end)").to_owned();
        writeln!(report, "{played}wanted: {}\nplayed: {}\n", line(wanted), line(played))
            .expect("a string takes all");
    }
    assert!(differing.is_empty(), "{} dialogues differ:\n\n{report}", differing.len());
}
