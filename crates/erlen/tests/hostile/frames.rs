//! WebSocket frames against RFC 6455, on the server's real path: each gets the close code that the RFC names.

use crate::support::{Frame, House, Ws, frame, ms};

/// Sends bytes on a session that has joined; the close code, and why the session ended.
async fn cut(bytes: impl AsRef<[u8]>) -> (Option<u16>, &'static str) {
    let mut house = House::open().await;
    let mut ws = Ws::join(house.addr).await;
    ws.raw(bytes).await;
    let code = ws.closes().await;
    let reason = house.reason().await;
    ws.half_close().await;
    ws.end().await;
    house.is_empty().await;
    assert_eq!(house.rest(), [], "one disconnect");
    (code, reason)
}

#[tokio::test]
async fn a_broken_rule_is_1002() {
    let event = r#"42["a"]"#;
    let mut unmasked = frame(0x81, event);
    unmasked[1] &= 0x7f;
    let broken = [
        ("reserved bit 1", frame(0xc1, event)),
        ("reserved bit 2", frame(0xa1, event)),
        ("reserved bit 3", frame(0x91, event)),
        ("reserved data opcode", frame(0x83, event)),
        ("reserved control opcode", frame(0x8b, "")),
        ("no mask", unmasked),
        ("a fragmented ping", frame(0x09, "x")),
        ("a ping of 126 bytes", frame(0x89, "x".repeat(126))),
        ("a continuation of nothing", frame(0x80, event)),
        ("a message inside of another", [frame(0x01, "42[\"a\","), frame(0x81, event)].concat()),
        ("a length of 16 bits that needs 7", vec![0x81, 0xfe, 0, 5, 0, 0, 0, 0]),
        ("a length of 64 bits that needs 16", vec![0x81, 0xff, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]),
        ("a close frame of one byte", frame(0x88, "x")),
        ("close code 1005", frame(0x88, 1005_u16.to_be_bytes())),
        ("close code 999", frame(0x88, 999_u16.to_be_bytes())),
        ("close code 5000", frame(0x88, 5000_u16.to_be_bytes())),
    ];
    for (what, bytes) in broken {
        assert_eq!(cut(bytes).await, (Some(1002), "transport error"), "{what}");
    }
}

#[tokio::test]
async fn text_that_is_not_utf8_is_1007() {
    let split = [frame(0x01, b"42[\"a\",\"\xc3"), frame(0x80, b"\x28\"]")].concat();
    for bytes in [frame(0x81, b"42[\"a\",\"\xff\"]"), split, frame(0x81, b"42[\"\xed\xa0\x80\"]")] {
        let (code, _) = cut(bytes).await;
        assert_eq!(code, Some(1007));
    }
}

#[tokio::test]
async fn a_client_that_falls_silent_inside_a_message_is_cut() {
    let mut house = House::with(|builder| builder.fragment_timeout(ms(50))).await;
    let mut ws = Ws::join(house.addr).await;
    ws.raw(frame(0x01, "42[\"a\",")).await;
    assert_eq!(ws.closes().await, None, "the code of a close without one");
    assert_eq!(house.reason().await, "transport error");
}

#[tokio::test]
async fn a_message_that_is_whole_in_time_disarms_the_deadline() {
    let mut house = House::with(|builder| builder.fragment_timeout(ms(300)).ping_interval(ms(400))).await;
    let mut ws = Ws::join_and_pong(house.addr).await;
    ws.raw([frame(0x01, "42[\"a\""), frame(0x80, "]")].concat()).await;
    assert_eq!(house.event().await, "[\"a\"]");
    let ping = ws.next().await;
    assert!(
        matches!(&ping, Frame::Text(text) if text == "2"),
        "a ping, after the fragments' deadline: {ping:?}"
    );
    ws.text("3").await;
    ws.lives().await;
}

#[tokio::test]
async fn too_many_fragments_are_1008() {
    let mut bytes = frame(0x01, "4");
    for _ in 0..1_100 {
        bytes.extend(frame(0x00, ""));
    }
    assert_eq!(cut(bytes).await.0, Some(1008));
}

#[tokio::test]
async fn too_large_is_1009_as_soon_as_the_length_is_known() {
    let header_alone = [0x81, 0xff, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x41, 1, 2, 3, 4];
    assert_eq!(cut(header_alone).await, (Some(1009), "payload too large"));
    let highest_bit = [0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
    let (code, _) = cut(highest_bit).await;
    assert!(matches!(code, Some(1002 | 1009)), "{code:?}");
    let fragments = [frame(0x01, "4".repeat(600_000)), frame(0x80, "4".repeat(600_000))].concat();
    assert_eq!(cut(fragments).await, (Some(1009), "payload too large"));
}

#[tokio::test]
async fn a_close_frame_is_answered_by_its_code() {
    for code in [1000_u16, 1001, 3000, 4999] {
        assert_eq!(cut(frame(0x88, code.to_be_bytes())).await, (Some(code), "transport close"));
    }
    assert_eq!(cut(frame(0x88, "")).await, (None, "transport close"));
}

#[tokio::test]
async fn nothing_behind_a_close_frame_is_read() {
    let mut house = House::open().await;
    let mut ws = Ws::join(house.addr).await;
    ws.raw([frame(0x88, 1000_u16.to_be_bytes()), frame(0x81, r#"42["a"]"#)].concat()).await;
    assert_eq!(ws.closes().await, Some(1000));
    house.reason().await;
    ws.half_close().await;
    house.is_empty().await;
    assert_eq!(house.rest(), []);
}

#[tokio::test]
async fn b05_ping_frames_are_answered_and_are_no_packets() {
    let house = House::open().await;
    let mut ws = Ws::join(house.addr).await;
    let long = vec![7; 125];
    ws.raw(frame(0x89, "")).await;
    assert_eq!(ws.next().await, Frame::Pong(vec![]));
    ws.raw([frame(0x01, r#"42["ec"#), frame(0x89, &long), frame(0x80, r#"ho",1]"#)].concat()).await;
    assert_eq!(ws.next().await, Frame::Pong(long));
    assert_eq!(ws.packet().await, r#"42["echo",1]"#);
    ws.raw(frame(0x8a, "unasked")).await;
    ws.lives().await;
}

#[tokio::test]
async fn frames_that_come_byte_by_byte_are_frames() {
    let house = House::open().await;
    let mut ws = Ws::join(house.addr).await;
    let text = format!(r#"42["echo","{}"]"#, "é".repeat(100));
    for byte in frame(0x81, &text) {
        ws.raw([byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(ws.packet().await, text);
    let mut fragments = frame(0x01, "");
    for byte in text.as_bytes() {
        fragments.extend(frame(0x00, [*byte]));
    }
    fragments.extend(frame(0x80, ""));
    ws.raw(fragments).await;
    assert_eq!(ws.packet().await, text);
}
