//! A session, and one step of its life a byte: requests, probes, packets, messages, time, closes, in
//! any order. Nothing panics, the messages of both sides keep their order without a gap, the end comes
//! once, and no deadline lies behind.
//!
//! Run it with `cargo fuzz run -s none engineio_session`.

#![no_main]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use erlen_engineio::{
    CloseReason, Completeness, Config, EncodedPacket, Get, Input, Message, Packet, Post, SendError, Session,
    Sid, Timeout, Transport,
    payload::{self, PayloadPacket},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|steps: &[u8]| {
    let Some((first, steps)) = steps.split_first() else { return };
    let transport = if first & 1 == 0 { Transport::Polling } else { Transport::WebSocket };
    let mut world = World::open(transport, usize::from(first >> 4));
    for step in steps {
        world.play(step & 31, step >> 5);
        world.look();
    }
    world.end();
});

struct World {
    session: Session,
    now: Instant,
    get: bool,
    sent: usize,
    received: usize,
    client_sent: usize,
    client_received: usize,
    closed: Option<(CloseReason, &'static str)>,
}

impl World {
    fn open(transport: Transport, max_queue_packets: usize) -> Self {
        let now = Instant::now();
        let config = Config { max_queue_packets, max_queue_bytes: 300, ..Config::default() };
        let session = Session::open(&Sid::from_random([0; 15]), Arc::new(config), now, transport);
        let (sent, received, client_sent, client_received) = (0, 0, 0, 0);
        Self { session, now, get: false, sent, received, client_sent, client_received, closed: None }
    }

    /// One of 32 steps, with an argument of three bits.
    fn play(&mut self, step: u8, argument: u8) {
        const PACKETS: [&str; 8] = ["0{}", "1", "2", "3", "4x", "5", "6", "2probe"];
        let now = self.now;
        let packet = PACKETS[usize::from(argument)];
        match step {
            0..=3 => self.get |= self.session.begin_get(now) == Get::Parked,
            4 => {
                self.get = false;
                self.session.abort_get(now);
            }
            5..=8 => self.take_payload(),
            9..=11 => self.take_frames(),
            12 => {
                let closed = self.session.is_closed();
                let accepted = self.session.begin_post(now) == Post::Accepted;
                assert!(!(closed && accepted), "a closed session takes a POST");
            }
            13 => self.session.end_post(now, Completeness::Whole),
            14 => self.session.end_post(now, Completeness::Cut),
            15..=17 => self.client_sends(),
            18 if packet != "4x" => self.deliver(Packet::decode(packet).expect("a packet")),
            19 => {
                self.session.begin_probe(now);
            }
            20 => {
                self.session.handle_probe_packet(Packet::decode(packet).ok());
            }
            21 => {
                self.session.handle_probe_packet(Some(Packet::Ping("probe")));
            }
            22 => {
                self.session.handle_probe_packet(Some(Packet::Upgrade));
            }
            23 => self.session.abort_probe(),
            24..=27 => self.send(),
            28 => self.session.set_stalled((argument & 1 == 0).then_some(now)),
            29 => self.pass(Duration::from_millis(1 << (argument * 2))),
            30 => self.now += Duration::from_secs(u64::from(argument) * 5),
            31 if argument == 7 => self.session.close(now, CloseReason::ForcedClose, "first"),
            31 if argument == 6 => self.session.close(now, CloseReason::ParseError, "second"),
            _ => {}
        }
    }

    fn take_payload(&mut self) {
        let announced = self.session.has_output();
        let Some(body) = self.session.take_payload() else { return };
        assert!(announced && self.get, "an answer that was not announced");
        self.get = false;
        for packet in payload::decode(&body, usize::MAX) {
            let PayloadPacket::Text(packet) = packet.expect("a packet") else { panic!("nobody sent bytes") };
            self.client_takes(packet);
        }
    }

    fn take_frames(&mut self) {
        while let Some(packet) = self.session.poll_transmit() {
            let text = String::from_utf8(packet.body().to_vec()).expect("UTF-8");
            self.client_takes(Packet::decode(&text).expect("a packet"));
        }
    }

    fn client_takes(&mut self, packet: Packet<'_>) {
        if let Packet::Message(message) = packet {
            assert_eq!(message, Message::Text(&self.client_received.to_string()));
            self.client_received += 1;
        }
    }

    fn client_sends(&mut self) {
        let number = self.client_sent.to_string();
        self.client_sent += 1;
        self.deliver(Packet::Message(Message::Text(&number)));
    }

    fn deliver(&mut self, packet: Packet<'_>) {
        let closed = self.session.is_closed();
        if let Input::Message(message) = self.session.handle_packet(self.now, packet) {
            assert!(!closed, "a message of a closed session");
            assert_eq!(message, Message::Text(&self.received.to_string()));
            self.received += 1;
        }
    }

    fn send(&mut self) {
        let number = self.sent.to_string();
        let packet = EncodedPacket::text_message(|text| text.extend_from_slice(number.as_bytes()));
        match self.session.send(packet) {
            Ok(()) => self.sent += 1,
            Err(SendError::Full) => assert_ne!(self.session.queued().0, 0, "an empty queue is full"),
            Err(SendError::Closed) => assert!(self.session.is_closed()),
        }
    }

    fn pass(&mut self, span: Duration) {
        self.now += span;
        let mut steps = 0;
        while self.session.handle_timeout(self.now) != Timeout::Nothing {
            steps += 1;
            assert!(steps < 5, "the deadlines have no end");
        }
        let next = self.session.poll_timeout();
        assert!(next.is_none_or(|at| at > self.now), "a deadline in the past");
    }

    fn look(&mut self) {
        let now_closed = self.session.close_reason();
        if self.closed.is_some() {
            assert_eq!(now_closed, self.closed, "the end has changed");
        }
        self.closed = now_closed;
        let (packets, bytes) = self.session.queued();
        assert_eq!(packets == 0, bytes == 0);
        if let Some((reason, _)) = now_closed
            && reason != CloseReason::ForcedClose
        {
            assert!(packets <= usize::from(self.get), "a fault left packets behind");
        }
    }

    /// All that was sent arrives as long as the session lives; behind its end nothing is left.
    fn end(mut self) {
        if !self.session.is_closed() {
            self.session.abort_probe();
            self.take_payload();
            self.take_frames();
            self.get |= self.session.transport() == Transport::Polling
                && !self.get
                && self.session.begin_get(self.now) == Get::Parked;
            self.take_payload();
        }
        if !self.session.is_closed() {
            assert_eq!((self.client_received, self.received), (self.sent, self.client_sent));
        }
        self.session.close(self.now, CloseReason::TransportError, "the end");
        self.session.abort_get(self.now);
        self.take_frames();
        self.pass(Duration::from_secs(30));
        assert_eq!((self.session.queued(), self.session.poll_timeout()), ((0, 0), None));
    }
}
