//! Properties of a session under any order of what may happen to it: nothing is lost, doubled or
//! reordered on the way from polling to WebSocket, and the end comes once and leaves nothing behind.
//!
//! The model below is a client that may do anything and an application that numbers its messages. The
//! dialogues with their exact answers are in `transcript.rs`.

#![allow(clippy::disallowed_methods, reason = "a test has to start its time somewhere")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use erlen_engineio::{
    CloseReason, Completeness, Config, EncodedPacket, Get, Input, Message, Packet, Post, Probe, ProbeStep,
    SendError, Session, Sid, Timeout, Transport,
    handshake::HandshakeError,
    payload::{self, PayloadPacket},
};
use proptest::{collection::vec, prelude::*};

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
enum Op {
    Get,
    AbortGet,
    /// The caller takes what there is for it: the GET's answer, the WebSocket's packets.
    TakePayload,
    TakeFrames(usize),
    BeginPost,
    /// A message or another packet on the client's own transport.
    Message,
    Packet(&'static str),
    EndPost(Completeness),
    Probe,
    ProbePacket(&'static str),
    AbortProbe,
    Send,
    Stall(bool),
    Pass(u64),
    Close(CloseReason),
}

/// What an honest client and server do, in any order: nothing here may end a session but the time.
fn peaceful() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => Just(Op::Get),
        6 => Just(Op::TakePayload),
        4 => (1..4_usize).prop_map(Op::TakeFrames),
        3 => Just(Op::BeginPost),
        8 => Just(Op::Message),
        2 => prop::sample::select(vec!["3", "6", "5"]).prop_map(Op::Packet),
        3 => Just(Op::EndPost(Completeness::Whole)),
        4 => Just(Op::Probe),
        6 => prop::sample::select(vec!["2probe", "2probe", "5", "5", "4a", "6"]).prop_map(Op::ProbePacket),
        1 => Just(Op::AbortProbe),
        10 => Just(Op::Send),
        3 => (1..4_000_u64).prop_map(Op::Pass),
    ]
}

/// And what ends one.
fn hostile() -> impl Strategy<Value = Op> {
    prop_oneof![
        30 => peaceful(),
        1 => Just(Op::AbortGet),
        1 => prop::sample::select(vec!["1", "2", "0{}"]).prop_map(Op::Packet),
        1 => Just(Op::EndPost(Completeness::Cut)),
        2 => any::<bool>().prop_map(Op::Stall),
        1 => prop::sample::select(CloseReason::ALL.to_vec()).prop_map(Op::Close),
        2 => (1..60_000_u64).prop_map(Op::Pass),
    ]
}

/// A client that keeps the rules of its transport, or overlaps its requests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manners {
    Good,
    Bad,
}

/// A session between a client and an application that number their messages.
struct World {
    session: Session,
    manners: Manners,
    now: Instant,
    get: bool,
    post: bool,
    stalled: bool,
    sent: u32,
    received: u32,
    client_sent: u32,
    client_received: Vec<u32>,
    end: Option<(CloseReason, &'static str)>,
}

impl World {
    fn new(transport: Transport, manners: Manners) -> Self {
        let config = Config { max_queue_packets: 12, ..Config::default() };
        let now = Instant::now();
        let session = Session::open(&Sid::from_random([7; 15]), Arc::new(config), now, transport);
        Self {
            session,
            manners,
            now,
            get: false,
            post: false,
            stalled: false,
            sent: 0,
            received: 0,
            client_sent: 0,
            client_received: Vec::new(),
            end: None,
        }
    }

    fn play(&mut self, op: Op) {
        let now = self.now;
        let good = self.manners == Manners::Good;
        match op {
            Op::Get if good && self.get => {}
            Op::Get => self.begin_get(),
            Op::AbortGet => {
                self.get = false;
                self.session.abort_get(now);
            }
            Op::TakePayload => self.take_payload(),
            Op::TakeFrames(count) => self.take_frames(count),
            Op::BeginPost if good && self.post => {}
            Op::BeginPost => self.post |= self.session.begin_post(now) == Post::Accepted,
            Op::Message => self.client_sends(),
            Op::Packet(text) if self.can_deliver() => {
                self.deliver(Packet::decode(text).expect("a packet"));
            }
            Op::Packet(_) => {}
            Op::EndPost(complete) if self.post => {
                self.post = false;
                self.session.end_post(now, complete);
            }
            Op::EndPost(_) => {}
            Op::Probe => {
                let before = (self.session.is_probing(), self.session.transport(), self.session.is_closed());
                let begun = self.session.begin_probe(now) == Probe::Begun;
                assert_eq!(begun, before == (false, Transport::Polling, false));
            }
            Op::ProbePacket(text) => self.probe_packet(text),
            Op::AbortProbe => self.session.abort_probe(),
            Op::Send => self.send(),
            Op::Stall(stalled) => {
                self.stalled = stalled;
                self.session.set_stalled(stalled.then_some(now));
            }
            Op::Pass(millis) => self.pass(Duration::from_millis(millis)),
            Op::Close(reason) => self.session.close(now, reason, "asked for"),
        }
        self.look();
    }

    fn begin_get(&mut self) {
        let before = self.session.transport();
        match self.session.begin_get(self.now) {
            Get::Parked => {
                assert_eq!(before, Transport::Polling);
                self.get = true;
            }
            Get::Refused(_) if self.manners == Manners::Good => {
                assert!(
                    self.session.is_closed() || before == Transport::WebSocket,
                    "a GET was refused without cause"
                );
            }
            Get::Refused(_) => {}
        }
    }

    fn take_payload(&mut self) {
        let announced = self.session.has_output() && self.get;
        let Some(body) = self.session.take_payload() else {
            return;
        };
        assert!(announced, "an answer that was not announced");
        self.get = false;
        for packet in payload::decode(&body, 64) {
            let PayloadPacket::Text(packet) = packet.expect("a packet") else { panic!("nobody sent bytes") };
            self.client_takes(packet);
        }
    }

    fn take_frames(&mut self, count: usize) {
        if self.stalled {
            return;
        }
        let on_websocket = self.session.transport() == Transport::WebSocket || self.session.is_closed();
        for _ in 0..count {
            let Some(packet) = self.session.poll_transmit() else { return };
            assert!(on_websocket, "a frame, and there is no WebSocket");
            let text = String::from_utf8(packet.body().to_vec()).expect("UTF-8");
            self.client_takes(Packet::decode(&text).expect("a packet"));
        }
    }

    fn client_takes(&mut self, packet: Packet<'_>) {
        match packet {
            Packet::Message(Message::Text(number)) => {
                self.client_received.push(number.parse().expect("a number"))
            }
            // The client is alive: its pong comes at once, where its transport lets it.
            Packet::Ping("") if self.manners == Manners::Good => self.deliver(Packet::Pong("")),
            _ => {}
        }
    }

    fn can_deliver(&self) -> bool {
        self.post || self.session.transport() == Transport::WebSocket
    }

    fn client_sends(&mut self) {
        if self.can_deliver() {
            let number = self.client_sent.to_string();
            self.client_sent += 1;
            self.deliver(Packet::Message(Message::Text(&number)));
        }
    }

    fn deliver(&mut self, packet: Packet<'_>) {
        let closed = self.session.is_closed();
        if let Input::Message(message) = self.session.handle_packet(self.now, packet) {
            assert!(!closed, "a message of a closed session");
            assert_eq!(message, Message::Text(&self.received.to_string()));
            self.received += 1;
        }
    }

    fn probe_packet(&mut self, text: &str) {
        let probing = self.session.is_probing();
        match self.session.handle_probe_packet(Packet::decode(text).ok()) {
            ProbeStep::Reply(reply) => assert_eq!((probing, reply.body()), (true, b"3probe".as_slice())),
            ProbeStep::Upgraded => {
                assert_eq!((probing, self.session.transport()), (true, Transport::WebSocket))
            }
            ProbeStep::Refused => assert!(!self.session.is_probing()),
        }
    }

    fn send(&mut self) {
        let number = self.sent.to_string();
        let packet = EncodedPacket::text_message(|text| text.extend_from_slice(number.as_bytes()));
        match self.session.send(packet) {
            Ok(()) => self.sent += 1,
            Err(SendError::Full) => {
                assert!(self.session.queued().0 >= self.session.config().max_queue_packets)
            }
            Err(SendError::Closed) => assert!(self.session.is_closed()),
        }
    }

    /// Time passes; every deadline acts, and afterwards none lies behind.
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

    /// What holds after any input.
    fn look(&mut self) {
        assert!(self.session.queued().0 <= self.session.config().max_queue_packets + 2);
        let Some(end) = self.session.close_reason() else {
            assert_eq!(self.end, None, "a session that lives again");
            return;
        };
        let first = self.end.is_none();
        assert_eq!(*self.end.get_or_insert(end), end, "the reason of the end has changed");
        assert!(!self.session.is_probing() && !self.session.is_writable());
        let orderly = matches!(
            end.0,
            CloseReason::ForcedClose | CloseReason::ForcedServerClose | CloseReason::ServerShuttingDown
        );
        // A waiting GET has its close packet still to take.
        let allowed = usize::from(self.get);
        if !orderly {
            assert!(
                self.session.queued().0 <= allowed,
                "a fault left packets behind: {:?}",
                self.session.queued()
            );
            assert!(!self.session.lingers());
        }
        if first && self.get {
            assert!(self.session.has_output(), "a GET without an answer");
        }
    }

    /// Takes all that still comes, on whichever transport there is.
    fn drain(&mut self) {
        self.stalled = false;
        self.session.set_stalled(None);
        self.session.abort_probe();
        self.take_payload();
        self.take_frames(usize::MAX);
        if !self.session.is_closed() && self.session.transport() == Transport::Polling {
            if !self.get {
                self.begin_get();
            }
            self.take_payload();
        }
        self.look();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_doubled_or_reordered_while_the_session_lives(ops in vec(peaceful(), 1..120)) {
        let mut world = World::new(Transport::Polling, Manners::Good);
        for op in ops {
            world.play(op);
            if world.session.is_closed() {
                break;
            }
        }
        let alive = !world.session.is_closed();
        world.drain();
        // In order from the first, without a gap; all of them if the session lives.
        let expected: Vec<u32> = (0..).take(world.client_received.len()).collect();
        prop_assert_eq!(&world.client_received, &expected);
        if alive {
            prop_assert_eq!(world.client_received.len(), world.sent as usize);
            prop_assert_eq!(world.received, world.client_sent);
        }
        if let Some((reason, _)) = world.end {
            prop_assert_eq!(reason, CloseReason::PingTimeout);
        }
    }

    #[test]
    fn the_end_comes_once_and_leaves_nothing(
        ops in vec(hostile(), 1..120),
        websocket in any::<bool>(),
        good in any::<bool>(),
    ) {
        let transport = if websocket { Transport::WebSocket } else { Transport::Polling };
        let manners = if good { Manners::Good } else { Manners::Bad };
        let mut world = World::new(transport, manners);
        for op in ops {
            world.play(op);
        }
        let expected: Vec<u32> = (0..).take(world.client_received.len()).collect();
        prop_assert_eq!(&world.client_received, &expected);
        world.play(Op::Close(CloseReason::TransportError));
        world.play(Op::AbortGet);
        world.drain();
        world.play(Op::Pass(30_000));
        prop_assert_eq!(world.session.queued(), (0, 0));
        prop_assert_eq!(world.session.poll_timeout(), None);
        prop_assert!(!world.session.has_output());
        prop_assert_eq!(world.session.begin_get(world.now), Get::Refused(HandshakeError::UnknownSid));
    }
}
