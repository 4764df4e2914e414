//! What the decoder does with Socket.IO packets that no honest client sends, line by line of the
//! contract on hostile input (S01 to S22), as far as the decoder decides.

#![allow(clippy::disallowed_methods, reason = "a test has to start its time somewhere")]

use std::time::{Duration, Instant};

use erlen_socketio::{
    DecodeError, Decoder, DecoderConfig, Packet, PacketData,
    json::{JsonError, MAX_DEPTH},
};

fn decode(text: &str) -> Result<Option<Packet<'_>>, DecodeError> {
    Decoder::new().decode_text(&DecoderConfig::default(), Instant::now(), text)
}

#[track_caller]
fn refused(text: &str) -> DecodeError {
    match decode(text) {
        Err(error) => error,
        Ok(packet) => panic!("{text:?} was taken as {packet:?}"),
    }
}

#[track_caller]
fn taken(text: &str) -> Packet<'_> {
    match decode(text) {
        Ok(Some(packet)) => packet,
        other => panic!("{text:?} gave {other:?}"),
    }
}

/// The id and the arguments' text of an event.
#[track_caller]
fn event(text: &str) -> (Option<u64>, String) {
    match taken(text).data {
        PacketData::Event { id, args } => (id, args.json().to_owned()),
        other => panic!("{text:?} gave {other:?}"),
    }
}

/// A decoder that waits for what `text` announces.
#[track_caller]
fn pending(config: &DecoderConfig, text: &str) -> Decoder {
    let mut decoder = Decoder::new();
    assert_eq!(decoder.decode_text(config, Instant::now(), text), Ok(None), "{text:?}");
    decoder
}

#[test]
fn s01_a_disconnect_has_no_payload() {
    assert_eq!(refused(r#"1{"a":1}"#), DecodeError::UnexpectedPayload);
    assert_eq!(refused(r#"1/x,[]"#), DecodeError::UnexpectedPayload);
    assert_eq!(refused("17"), DecodeError::UnexpectedId);
}

#[test]
fn unknown_types_are_refused() {
    assert_eq!(refused(""), DecodeError::Empty);
    for kind in ['7', '9', 'a', ' ', '-', '\0', 'é', '２'] {
        assert_eq!(refused(&format!("{kind}[\"a\"]")), DecodeError::UnknownType(kind));
    }
}

#[test]
fn s04_a_query_stays_in_the_namespace() {
    assert_eq!(taken("0/admin?token=1,").namespace, "/admin?token=1");
    assert_eq!(taken("0/admin?a=b&c=d").namespace, "/admin?a=b&c=d");
}

#[test]
fn s05_a_namespace_ends_at_the_comma_or_with_the_packet() {
    for (text, namespace) in [
        ("0/admin", "/admin"),
        ("1/custom", "/custom"),
        ("0/random", "/random"),
        ("0//,", "//"),
        ("0/,", "/"),
        ("0//evil:99999/,", "//evil:99999/"),
        ("0//[,", "//["),
        ("0/é,{}", "/é"),
    ] {
        assert_eq!(taken(text).namespace, namespace, "{text}");
    }
    assert!(matches!(refused("0admin,"), DecodeError::Json(_)));
    assert_eq!(refused(r#"2/admin["a"]"#), DecodeError::MissingPayload);
}

#[test]
fn s06_a_long_namespace_is_refused() {
    let name = |length: usize| format!("/{}", "a".repeat(length - 1));
    assert_eq!(taken(&format!("0{},", name(256))).namespace.len(), 256);
    assert_eq!(refused(&format!("0{},", name(257))), DecodeError::NamespaceTooLong);
    assert_eq!(refused(&format!("0{}", name(100_000))), DecodeError::NamespaceTooLong);
    assert_eq!(refused(&format!("2{},[\"a\"]", name(100_000))), DecodeError::NamespaceTooLong);
}

#[test]
fn s07_auth_is_an_object_or_absent() {
    for text in ["0[1]", r#"0"x""#, "0null", "0true", "0/x,[]"] {
        assert_eq!(refused(text), DecodeError::PayloadType, "{text}");
    }
    assert_eq!(refused("0{bad"), DecodeError::Json(JsonError::UnexpectedByte(1)));
    assert_eq!(refused("07"), DecodeError::UnexpectedId);
    assert_eq!(taken("0{}").data, PacketData::Connect { auth: Some("{}".into()) });
}

#[test]
fn s10_an_event_without_data_is_refused() {
    for text in ["2", "2/x,", "2/x", "27", "3", "31", "4", "51-", "61-7"] {
        assert_eq!(refused(text), DecodeError::MissingPayload, "{text}");
    }
}

#[test]
fn s11_an_event_is_an_array_that_begins_with_its_name() {
    for text in ["2{}", "2null", r#"2"a""#, "2true", "3{}", "31{}", "4[]", "4null"] {
        assert_eq!(refused(text), DecodeError::PayloadType, "{text}");
    }
    for text in ["2[]", "2[ ]", "2[null]", "2[{}]", "2[true]", "2[false]", "2[[]]", r#"2[["a"]]"#] {
        assert_eq!(refused(text), DecodeError::EventName, "{text}");
    }
    for text in [r#"2["a"]x"#, r#"2["a"],"#, "2NaN", r#"2["a",NaN]"#, r#"2["a",]"#, r#"2["a""#, "2-1[\"a\"]"]
    {
        assert!(matches!(refused(text), DecodeError::Json(_)), "{text}");
    }
}

#[test]
fn s12_a_number_may_be_the_name() {
    for (text, name) in [("2[1,2]", "1"), ("2[-1.5]", "-1.5"), ("2[1e3]", "1e3"), ("2[0]", "0")] {
        let PacketData::Event { args, .. } = taken(text).data else { panic!("{text}") };
        assert_eq!(args.event_name(), name);
    }
}

#[test]
fn s13_reserved_names_are_refused_in_every_spelling() {
    for name in [
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
        "\\u0063onnect",
        "disconnec\\u0074",
    ] {
        assert_eq!(refused(&format!(r#"2["{name}",1]"#)), DecodeError::ReservedEvent, "{name}");
        assert_eq!(refused(&format!(r#"51-["{name}",1]"#)), DecodeError::ReservedEvent, "{name}");
    }
    for name in ["error", "message", "__proto__", "constructor", "", "Connect", "connect ", "\\nconnect"] {
        event(&format!(r#"2["{name}"]"#));
    }
    assert!(taken(r#"31["connect"]"#).data != PacketData::Disconnect, "an ack has no name");
}

#[test]
fn s14_numbers_stay_as_they_came_unless_they_are_too_large() {
    for number in [
        "18446744073709551616",
        "-0",
        "1.7976931348623157e308",
        "1e-999",
        "0.1000000000000000055511151231257827",
        &"9".repeat(308),
    ] {
        assert_eq!(event(&format!(r#"2["a",{number}]"#)).1, format!(r#"["a",{number}]"#));
    }
    for number in ["1e999", "-1e999", "1e309", "1.8e308", &"9".repeat(309), &format!("1e{}", "9".repeat(50))]
    {
        let error = refused(&format!(r#"2["a",{number}]"#));
        assert_eq!(error, DecodeError::Json(JsonError::NumberTooLarge(5)), "{number}");
    }
    let kept = r#"["a",{"__proto__":{"x":1},"k":1,"k":2}]"#;
    assert_eq!(event(&format!("2{kept}")).1, kept);
}

#[test]
fn barewords_are_an_option() {
    let config = DecoderConfig { barewords: true, ..DecoderConfig::default() };
    let mut decoder = Decoder::new();
    for text in [r#"2["a",NaN,Infinity,-Infinity]"#, r#"2["a",{"b":[-Infinity]}]"#, r#"2["a",1e999]"#] {
        assert!(matches!(decoder.decode_text(&config, Instant::now(), text), Ok(Some(_))), "{text}");
        assert!(matches!(refused(text), DecodeError::Json(_)), "{text}");
    }
    for text in
        [r#"2["a",nan]"#, r#"2["a",Infinit]"#, r#"2["a",-NaN]"#, r#"2["a",+Infinity]"#, r#"2["a",NaN1]"#]
    {
        let result = decoder.decode_text(&config, Instant::now(), text);
        assert!(matches!(result, Err(DecodeError::Json(_))), "{text}");
    }
    for text in ["2[NaN]", "2[Infinity]", "2[-Infinity]"] {
        assert_eq!(decoder.decode_text(&config, Instant::now(), text), Err(DecodeError::EventName), "{text}");
    }
}

#[test]
fn s15_deep_nesting_is_refused() {
    let arrays = |depth: usize| format!("2[\"a\",{}{}]", "[".repeat(depth - 1), "]".repeat(depth - 1));
    let objects =
        |depth: usize| format!("2[\"a\",{}0{}]", "{\"k\":".repeat(depth - 1), "}".repeat(depth - 1));
    for make in [&arrays as &dyn Fn(usize) -> String, &objects] {
        event(&make(128));
        for depth in [129, 3_000, 100_000, 400_000] {
            assert!(matches!(refused(&make(depth)), DecodeError::Json(JsonError::TooDeep(_))), "{depth}");
        }
    }
    assert!(matches!(refused(&"2[".repeat(400_000)), DecodeError::Json(_)));
}

#[test]
fn s15_the_depth_is_an_option_with_an_end() {
    let text = |depth: usize| format!("2[\"a\",{}{}]", "[".repeat(depth - 1), "]".repeat(depth - 1));
    let decode = |max_depth, text: &str| {
        let config = DecoderConfig { max_depth, ..DecoderConfig::default() };
        Decoder::new().decode_text(&config, Instant::now(), text).map(|packet| packet.is_some())
    };
    assert_eq!(decode(1_000, &text(1_000)), Ok(true));
    assert_eq!(decode(usize::MAX, &text(MAX_DEPTH)), Ok(true));
    for (max_depth, depth) in [(1_000, 1_001), (usize::MAX, MAX_DEPTH + 1), (usize::MAX, 400_000)] {
        let result = decode(max_depth, &text(depth));
        assert!(matches!(result, Err(DecodeError::Json(JsonError::TooDeep(_)))), "{depth}");
    }
}

#[test]
fn s16_an_ack_id_is_exact_or_refused() {
    assert_eq!(event(r#"21["echo"]"#).0, Some(1));
    assert_eq!(event(r#"200["echo"]"#).0, Some(0));
    assert_eq!(event(r#"29007199254740991["echo"]"#).0, Some(9_007_199_254_740_991));
    for id in ["9007199254740992", "9007199254740993", "18446744073709551617", &"1".repeat(400)] {
        assert_eq!(refused(&format!(r#"2{id}["echo"]"#)), DecodeError::IdTooLarge, "{id}");
        assert_eq!(refused(&format!(r#"3{id}[]"#)), DecodeError::IdTooLarge, "{id}");
    }
    for id in ["-1", "1.5", "1e1", "+1", "0x1", "٣", "1 2"] {
        assert!(matches!(refused(&format!(r#"2{id}["echo"]"#)), DecodeError::Json(_)), "{id}");
    }
}

#[test]
fn s17_an_ack_without_an_id_is_ignored() {
    let config = DecoderConfig::default();
    assert_eq!(decode("3[1]"), Ok(None));
    let mut decoder = pending(&config, r#"61-[{"_placeholder":true,"num":0}]"#);
    assert_eq!(decoder.decode_binary(&config, b"x"), Ok(None));
    assert_eq!(decoder.deadline(), None);
    assert!(decoder.decode_text(&config, Instant::now(), r#"2["a"]"#).is_ok_and(|packet| packet.is_some()));
}

#[test]
fn s19_the_number_of_attachments_is_digits_within_the_limit() {
    for count in ["0", "00", "-1", "", "1.0", "1e1", " 1", "+1", "a", "1a"] {
        assert_eq!(refused(&format!(r#"5{count}-["a"]"#)), DecodeError::AttachmentCount, "{count:?}");
        assert_eq!(refused(&format!(r#"6{count}-1["a"]"#)), DecodeError::AttachmentCount, "{count:?}");
    }
    for text in ["5", "51", r#"5["a"]"#, r#"51["a"]"#, r#"5/x,["a"]"#] {
        assert_eq!(refused(text), DecodeError::AttachmentCount, "{text}");
    }
    for count in ["11", "1000000000", &"9".repeat(400)] {
        assert_eq!(refused(&format!(r#"5{count}-["a"]"#)), DecodeError::TooManyAttachments, "{count}");
    }
    let config = DecoderConfig { max_attachments: usize::MAX, ..DecoderConfig::default() };
    assert!(pending(&config, &format!(r#"5{}-["a"]"#, u64::MAX)).deadline().is_some());
}

#[test]
fn s19_text_before_the_attachments_is_refused() {
    let config = DecoderConfig::default();
    let mut decoder = pending(&config, r#"52-["a"]"#);
    assert_eq!(decoder.decode_binary(&config, b"x"), Ok(None));
    let result = decoder.decode_text(&config, Instant::now(), r#"2["b"]"#);
    assert_eq!(result, Err(DecodeError::UnexpectedText));
    assert_eq!(decoder.deadline(), None);
}

#[test]
fn s19_binary_that_no_packet_announced_is_refused() {
    let config = DecoderConfig::default();
    assert_eq!(Decoder::new().decode_binary(&config, b"x"), Err(DecodeError::UnexpectedBinary));
    let mut decoder = pending(&config, r#"51-["a"]"#);
    assert!(decoder.decode_binary(&config, b"x").is_ok_and(|packet| packet.is_some()));
    assert_eq!(decoder.decode_binary(&config, b"x"), Err(DecodeError::UnexpectedBinary));
}

#[test]
fn s19_a_placeholder_points_at_an_attachment() {
    for num in ["1", "10", "-1", "0.5", "\"0\"", "null", "1000000000000000000000"] {
        let placeholder = format!(r#"{{"_placeholder":true,"num":{num}}}"#);
        assert_eq!(refused(&format!(r#"51-["a",{placeholder}]"#)), DecodeError::Placeholder, "{num}");
        assert_eq!(refused(&format!(r#"61-1[[{placeholder}]]"#)), DecodeError::Placeholder, "{num}");
    }
    assert_eq!(refused(r#"51-["a",{"_placeholder":true}]"#), DecodeError::Placeholder);
    assert_eq!(refused(r#"51-[{"_placeholder":true,"num":0}]"#), DecodeError::EventName);
}

#[test]
fn s19_attachments_that_no_placeholder_names_are_kept() {
    let config = DecoderConfig::default();
    let mut decoder = pending(&config, r#"51-["a"]"#);
    let packet = decoder.decode_binary(&config, b"unused").expect("fine").expect("complete");
    let PacketData::Event { args, .. } = packet.data else { panic!("an event") };
    assert_eq!(args.attachments(), [b"unused".as_slice()]);
}

#[test]
fn s20_missing_attachments_have_one_deadline() {
    let config = DecoderConfig::default();
    let now = Instant::now();
    let mut decoder = Decoder::new();
    assert_eq!(decoder.deadline(), None);
    assert_eq!(decoder.decode_text(&config, now, r#"510-["a"]"#), Ok(None));
    assert_eq!(decoder.deadline(), Some(now + Duration::from_secs(10)));
    assert_eq!(decoder.decode_binary(&config, b"x"), Ok(None));
    assert_eq!(decoder.deadline(), Some(now + Duration::from_secs(10)), "an attachment buys no time");
    for _ in 0..8 {
        assert_eq!(decoder.decode_binary(&config, b""), Ok(None));
    }
    assert!(decoder.decode_binary(&config, b"").is_ok_and(|packet| packet.is_some()));
    assert_eq!(decoder.deadline(), None);
}

#[test]
fn attachments_are_bounded_in_sum() {
    let config = DecoderConfig { max_attachment_bytes: 10, ..DecoderConfig::default() };
    let mut decoder = pending(&config, r#"52-["a"]"#);
    assert_eq!(decoder.decode_binary(&config, &[0; 6]), Ok(None));
    assert!(decoder.decode_binary(&config, &[0; 4]).is_ok_and(|packet| packet.is_some()));
    let mut decoder = pending(&config, r#"52-["a"]"#);
    assert_eq!(decoder.decode_binary(&config, &[0; 6]), Ok(None));
    assert_eq!(decoder.decode_binary(&config, &[0; 5]), Err(DecodeError::AttachmentsTooLarge));
    assert_eq!(decoder.deadline(), None, "what was pending is dropped");
}

#[test]
fn s21_an_attachment_counts_as_often_as_it_is_named() {
    let config = DecoderConfig { max_attachment_bytes: 10, ..DecoderConfig::default() };
    let twice = r#"51-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#;
    assert!(pending(&config, twice).decode_binary(&config, &[0; 5]).is_ok_and(|packet| packet.is_some()));
    let result = pending(&config, twice).decode_binary(&config, &[0; 6]);
    assert_eq!(result, Err(DecodeError::AttachmentsTooLarge));
}

#[test]
fn s21_a_placeholder_in_a_plain_event_is_data() {
    let json = r#"["a",{"_placeholder":true,"num":7}]"#;
    assert_eq!(event(&format!("2{json}")).1, json);
}

#[test]
fn s22_a_binary_ack_is_decoded_whatever_its_id() {
    let config = DecoderConfig::default();
    let mut decoder = pending(&config, r#"61-7[{"_placeholder":true,"num":0}]"#);
    let packet = decoder.decode_binary(&config, b"x").expect("fine").expect("complete");
    assert!(matches!(packet.data, PacketData::Ack { id: 7, .. }), "{packet:?}");
}

#[test]
fn white_space_around_the_payload_is_no_part_of_it() {
    assert_eq!(event("2 \t[\"a\" , 1]\r\n").1, "[\"a\" , 1]");
    assert!(matches!(refused("2\u{a0}[\"a\"]"), DecodeError::Json(_)), "not JSON's white space");
}
