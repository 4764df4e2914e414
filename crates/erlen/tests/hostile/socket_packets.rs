//! Packets of Socket.IO (S01 to S23): what closes, what is refused, what is ignored, and what is ordinary.

use erlen::engine::CloseReason;

use crate::support::{Frame, House, Poll, Seen, Ws, frame, ms, until};

/// Sends messages on a session that has joined, in one piece; why the session ended.
async fn cut(messages: &[Frame]) -> &'static str {
    let mut house = House::open().await;
    let mut ws = Ws::join(house.addr).await;
    let bytes: Vec<u8> = messages
        .iter()
        .flat_map(|message| match message {
            Frame::Text(text) => frame(0x81, text),
            Frame::Binary(data) => frame(0x82, data),
            other => panic!("{other:?} is no message"),
        })
        .collect();
    ws.raw(bytes).await;
    assert_eq!(ws.closes().await, None);
    let reason = house.reason().await;
    drop(ws);
    house.is_empty().await;
    assert_eq!(house.rest(), [], "nothing of it reached a handler, and one disconnect");
    reason
}

fn text(text: impl Into<String>) -> Frame {
    Frame::Text(text.into())
}

fn closed(house: &House, reason: CloseReason) -> u64 {
    house.io.metrics().closed.iter().find(|(r, _)| *r == reason).map_or(0, |(_, n)| *n)
}

#[tokio::test]
async fn s01_packets_for_a_namespace_that_was_not_joined_close() {
    for packet in [r#"42["a"]"#, "430[]", "41", r#"44{"message":"x"}"#] {
        let house = House::open().await;
        let mut ws = Ws::open(house.addr).await;
        ws.text(packet).await;
        ws.closes().await;
        until("it is counted", || closed(&house, CloseReason::ForcedServerClose) == 1).await;
    }
    for packet in [r#"42/other,["a"]"#, "43/other,0[]", "41/other,", r#"44{"message":"x"}"#, "40", "40{}"] {
        assert_eq!(cut(&[text(packet)]).await, "forced server close", "{packet}");
    }
    assert_eq!(cut(&[text(r#"41{"a":1}"#)]).await, "parse error");
}

#[tokio::test]
async fn s01_over_polling_the_client_is_told_by_a_close_packet() {
    let mut house = House::open().await;
    let poll = Poll::join(house.addr).await;
    poll.post(r#"42/other,["a"]"#).await;
    assert_eq!(house.reason().await, "forced server close");
    assert_eq!(poll.get().await.body.rsplit('\x1e').next(), Some("1"));
    poll.get().await.is_refusal(1);
    house.is_empty().await;
}

#[tokio::test]
async fn s02_an_event_behind_its_connect_waits_until_the_connect_is_granted() {
    let mut house = House::open().await;
    let (open, gate) = tokio::sync::watch::channel(false);
    house.io.middleware(move || {
        let mut gate = gate.clone();
        async move { drop(gate.wait_for(|open| *open).await) }
    });
    let mut ws = Ws::open(house.addr).await;
    ws.raw([frame(0x81, "40"), frame(0x81, r#"42["echo",1]"#)].concat()).await;
    house.has_read().await;
    assert_eq!(house.rest(), [], "never before the connect is granted");
    open.send(true).unwrap();
    assert!(ws.packet().await.starts_with("40{"));
    assert_eq!(ws.packet().await, r#"42["echo",1]"#);
    assert_eq!(house.next().await, Seen::Connect("/".into()));
    assert_eq!(house.next().await, Seen::Event("/".into(), r#"["echo",1]"#.into()));
}

#[tokio::test]
async fn s02_an_event_behind_a_connect_that_is_refused_is_never_dispatched() {
    let mut house = House::open().await;
    let (open, gate) = tokio::sync::watch::channel(false);
    house.io.middleware(move || {
        let mut gate = gate.clone();
        async move {
            drop(gate.wait_for(|open| *open).await);
            Err::<(), _>(erlen::Error::refuse("no").with_data(7))
        }
    });
    let mut ws = Ws::open(house.addr).await;
    ws.raw([frame(0x81, "40"), frame(0x81, r#"42["a",1]"#)].concat()).await;
    house.has_read().await;
    open.send(true).unwrap();
    assert_eq!(sorted(&ws.packet().await[2..]), sorted(r#"{"message":"no","data":7}"#));
    ws.text(r#"42["a",2]"#).await;
    ws.closes().await;
    drop(ws);
    house.is_empty().await;
    assert_eq!(house.rest(), []);
}

#[tokio::test]
async fn events_behind_a_disconnect_by_the_server_are_never_dispatched() {
    let mut house = House::open().await;
    house.io.on("kick", async |socket: erlen::Socket| {
        tokio::task::yield_now().await;
        socket.disconnect();
    });
    let mut ws = Ws::join(house.addr).await;
    ws.raw([frame(0x81, r#"42["kick"]"#), frame(0x81, r#"42["a"]"#)].concat()).await;
    assert_eq!(ws.packet().await, "41");
    assert_eq!(house.event().await, r#"["kick"]"#);
    assert!(matches!(house.next().await, Seen::Disconnect(..)));
    assert_eq!(house.rest(), []);
}

#[tokio::test]
async fn events_behind_which_the_client_leaves_are_dispatched() {
    let mut house = House::open().await;
    house.io.on("wait", async || tokio::task::yield_now().await);
    let mut ws = Ws::join(house.addr).await;
    ws.raw([frame(0x81, r#"42["wait"]"#), frame(0x81, r#"42["a"]"#), frame(0x81, "41")].concat()).await;
    assert_eq!(house.event().await, r#"["wait"]"#);
    assert_eq!(house.event().await, r#"["a"]"#);
    assert_eq!(house.reason().await, "client namespace disconnect");
}

fn sorted(json: &str) -> serde_json::Value {
    serde_json::from_str(json).unwrap()
}

#[tokio::test]
async fn s03_s04_b13_an_unknown_namespace_is_refused_and_the_connection_lives() {
    let house = House::open().await;
    house.io.of("/admin");
    let mut ws = Ws::join(house.addr).await;
    for name in ["/nope", "/admin?token=1", "/tool", "/socket.io", "//", "/nope?x", "/é"] {
        ws.text(&format!("40{name},")).await;
        assert_eq!(ws.packet().await, format!(r#"44{name},{{"message":"Invalid namespace"}}"#));
    }
    ws.lives().await;
    ws.text("40/admin").await;
    assert!(ws.packet().await.starts_with("40/admin,{"), "the comma may be missing");
}

#[tokio::test]
async fn s05_s06_s07_a_connect_that_cannot_be_read_closes() {
    let long = format!("40/{},", "n".repeat(100_000));
    for packet in ["40admin,", &long, "40[1]", r#"40"x""#, "40{bad", "400", "407{}", r#"40{"a":1}x"#] {
        let house = House::open().await;
        let mut ws = Ws::open(house.addr).await;
        ws.text(packet).await;
        assert_eq!(ws.next().await, Frame::Close(None), "no word of it is repeated");
        until("it is counted", || closed(&house, CloseReason::ParseError) == 1).await;
    }
}

#[tokio::test]
async fn s10_s11_what_is_no_event_closes() {
    let packets = [
        "42",
        "42{}",
        "42[]",
        "42[null]",
        "42[{}]",
        "42[true]",
        "42[[]]",
        "42[\"a\"",
        "42[\"a\"]x",
        "42[NaN]",
        "42[\"a\",NaN]",
        "42[\"a\",Infinity]",
        "42[\"a\",]",
        "42[\"a\" 1]",
        "42[\"a\",01]",
        "42[\"a\",\"\t\"]",
        "42[\"a\",'b']",
        "42[\"\\x\"]",
        "42\"a\"",
        "4",
        "47",
        "48[]",
        "4x",
        "45[\"a\"]",
        "43",
        "431",
        "431{}",
    ];
    for packet in packets {
        assert_eq!(cut(&[text(packet)]).await, "parse error", "{packet}");
    }
}

#[tokio::test]
async fn s12_s13_ordinary_names_are_events_and_reserved_ones_close() {
    let mut house = House::open().await;
    let mut ws = Ws::join(house.addr).await;
    let ordinary = [
        "[1,2]",
        r#"["error"]"#,
        r#"["message"]"#,
        r#"["__proto__"]"#,
        r#"["constructor"]"#,
        r#"[""]"#,
        r#"["é\u0000"]"#,
    ];
    for event in ordinary {
        ws.text(&format!("42{event}")).await;
        assert_eq!(house.event().await, event);
    }
    for name in ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"] {
        assert_eq!(cut(&[text(format!(r#"42["{name}"]"#))]).await, "parse error", "{name}");
    }
    assert_eq!(cut(&[text(r#"42["conn\u0065ct"]"#)]).await, "parse error");
}

#[tokio::test]
async fn s14_numbers_and_keys_go_through_exactly() {
    let house = House::open().await;
    let mut ws = Ws::join(house.addr).await;
    for value in [
        "18446744073709551615",
        "-9223372036854775808",
        "-0",
        "1.50",
        r#"{"a":1,"a":2}"#,
        r#"{"__proto__":{}}"#,
    ] {
        ws.text(&format!(r#"42["echo",{value}]"#)).await;
        assert_eq!(ws.packet().await, format!(r#"42["echo",{value}]"#));
    }
    assert_eq!(cut(&[text(r#"42["a",1e999]"#)]).await, "parse error");
}

#[tokio::test]
async fn s15_depth_is_bounded() {
    let house = House::open().await;
    let mut ws = Ws::join(house.addr).await;
    let nested = |open: &str, close: &str, depth: usize| {
        format!(r#"42["echo",{}0{}]"#, open.repeat(depth), close.repeat(depth))
    };
    let deep = nested("[", "]", 127);
    ws.text(&deep).await;
    assert_eq!(ws.packet().await, deep);
    for depth in [128, 3_000, 400_000] {
        assert_eq!(cut(&[text(nested("[", "]", depth))]).await, "parse error", "{depth}");
    }
    for depth in [128, 3_000, 150_000] {
        assert_eq!(cut(&[text(nested(r#"{"a":"#, "}", depth))]).await, "parse error", "{depth}");
    }
}

#[tokio::test]
async fn s16_an_ack_answers_its_own_id_or_closes() {
    let house = House::open().await;
    let mut ws = Ws::join(house.addr).await;
    for (id, answered) in [("1", "1"), ("00", "0"), ("9007199254740991", "9007199254740991")] {
        ws.text(&format!(r#"42{id}["ack",true]"#)).await;
        assert_eq!(ws.packet().await, format!("43{answered}[true]"));
    }
    let long = "9".repeat(400);
    for id in ["9007199254740993", "18446744073709551616", &long, "-1", "1.5", "1e3", "+1"] {
        assert_eq!(cut(&[text(format!(r#"42{id}["ack"]"#))]).await, "parse error", "{id}");
    }
}

#[tokio::test]
async fn s17_s22_answers_that_nobody_awaits_are_ignored() {
    let house = House::open().await;
    let mut ws = Ws::join(house.addr).await;
    for packet in ["437[]", "43[]", "430[1]", "430[1]"] {
        ws.text(packet).await;
    }
    ws.text(r#"461-7[{"_placeholder":true,"num":0}]"#).await;
    ws.binary([1]).await;
    ws.lives().await;
}

#[tokio::test]
async fn s17_the_first_answer_counts_and_another_client_cannot_give_it() {
    let house = House::open().await;
    let mut asked = Ws::join(house.addr).await;
    let socket = house.io.sockets().remove(0);
    let mut other = Ws::join(house.addr).await;
    let answer = socket.emit_with_ack::<String>("who?", ());
    let packet = asked.packet().await;
    let id = packet.strip_prefix("42").and_then(|rest| rest.strip_suffix(r#"["who?"]"#)).unwrap();
    other.text(&format!(r#"43{id}["a stranger"]"#)).await;
    other.lives().await;
    asked.text(&format!(r#"43{id}["me"]"#)).await;
    asked.text(&format!(r#"43{id}["again"]"#)).await;
    assert_eq!(answer.await.unwrap(), "me");
    asked.lives().await;
}

#[tokio::test]
async fn s19_binary_packets_that_do_not_add_up_close() {
    let header = text(r#"451-["a",{"_placeholder":true,"num":0}]"#);
    let data = Frame::Binary(vec![1]);
    assert_eq!(cut(&[header.clone(), text(r#"42["a"]"#)]).await, "parse error", "text before the attachment");
    assert_eq!(cut(&[text(r#"451-["a",{"_placeholder":true,"num":1}]"#), data.clone()]).await, "parse error");
    assert_eq!(cut(&[text(r#"451-[{"_placeholder":true,"num":0}]"#), data.clone()]).await, "parse error");
    for count in ["0-", "11-", "1000000000-", "-1-", "-", "", "1", "1.0-", "1e1-", "99999999999999999999-"] {
        let packet = text(format!(r#"45{count}["a",{{"_placeholder":true,"num":0}}]"#));
        assert_eq!(cut(&[packet, data.clone()]).await, "parse error", "{count}");
    }
    for number in ["-1", "1.5", "\"0\"", "null", "[]", "1e0"] {
        let packet = text(format!(r#"451-["a",{{"_placeholder":true,"num":{number}}}]"#));
        assert_eq!(cut(&[packet, data.clone()]).await, "parse error", "{number}");
    }
}

#[tokio::test]
async fn s19_one_attachment_too_many_closes_behind_the_event() {
    let mut house = House::open().await;
    let mut ws = Ws::join(house.addr).await;
    ws.text(r#"451-["a",{"_placeholder":true,"num":0}]"#).await;
    ws.text("3").await;
    ws.binary([1]).await;
    ws.binary([2]).await;
    ws.closes().await;
    assert_eq!(house.event().await, r#"["a",{"_placeholder":true,"num":0}]"#);
    assert_eq!(house.reason().await, "parse error");
}

#[tokio::test]
async fn s20_attachments_that_do_not_come_close() {
    let mut house = House::with(|b| b.attachment_timeout(ms(80))).await;
    let mut ws = Ws::join(house.addr).await;
    ws.text(r#"4510-["a"]"#).await;
    ws.binary([1]).await;
    ws.closes().await;
    assert_eq!(house.reason().await, "parse error");
}

#[tokio::test]
async fn s20_attachments_that_came_leave_no_deadline_behind() {
    let mut house = House::with(|b| b.attachment_timeout(ms(80)).ping_interval(ms(40))).await;
    let mut ws = Ws::join_and_pong(house.addr).await;
    let event = r#"451-["a",{"_placeholder":true,"num":0}]"#;
    // In one write: a busy machine may come between two.
    ws.raw([frame(0x81, event), frame(0x82, [1])].concat()).await;
    house.event().await;
    for _ in 0..5 {
        assert_eq!(ws.next().await, Frame::Text("2".into()));
        ws.text("3").await;
    }
    ws.lives().await;
}

#[tokio::test]
async fn s21_one_attachment_named_often_makes_no_much_out_of_little() {
    let mut house = House::with(|b| b.max_payload(10_000)).await;
    let placeholder = r#"{"_placeholder":true,"num":0}"#;
    let mut ws = Ws::join(house.addr).await;
    ws.text(&format!(r#"451-["a",{placeholder},{placeholder}]"#)).await;
    ws.binary(vec![1; 9_000]).await;
    house.event().await;
    ws.text(&format!(r#"451-["a"{}]"#, format!(",{placeholder}").repeat(100))).await;
    ws.binary(vec![1; 9_000]).await;
    ws.closes().await;
    assert_eq!(house.reason().await, "payload too large");
    // In a plain event it is data.
    let mut ws = Ws::join(house.addr).await;
    ws.text(&format!(r#"42["echo",{placeholder}]"#)).await;
    assert_eq!(ws.packet().await, format!(r#"42["echo",{placeholder}]"#));
}

#[tokio::test]
async fn s23_a_recovery_that_is_not_offered_is_a_fresh_session() {
    let house = House::open().await;
    let long = format!(r#"{{"pid":"{}"}}"#, "p".repeat(90_000));
    for auth in
        [r#"{"pid":"x"}"#, r#"{"pid":"x","offset":"y"}"#, r#"{"pid":{}}"#, r#"{"pid":"__proto__"}"#, &long]
    {
        let mut ws = Ws::open(house.addr).await;
        ws.text(&format!("40{auth}")).await;
        let connected = ws.packet().await;
        assert!(connected.starts_with(r#"40{"sid":""#) && !connected.contains("pid"), "{connected}");
    }
}

#[tokio::test]
async fn a_socket_that_left_may_come_back_and_its_late_events_close() {
    let mut house = House::open().await;
    let mut ws = Ws::join(house.addr).await;
    ws.text("41").await;
    assert_eq!(house.reason().await, "client namespace disconnect");
    ws.text("40").await;
    assert!(ws.packet().await.starts_with("40{"));
    ws.lives().await;
    ws.raw([frame(0x81, "41"), frame(0x81, r#"42["a"]"#)].concat()).await;
    ws.closes().await;
    assert_eq!(house.reason().await, "client namespace disconnect");
    drop(ws);
    house.is_empty().await;
    assert_eq!(house.rest(), []);
}
