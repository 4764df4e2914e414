//! The query of an opening request, the refusals and the open packet, against what Node's server
//! says to the same bytes. The order of the checks is shown by `refusal`, which is the one that
//! `Query` documents.

use std::time::Duration;

use erlen_engineio::{
    Sid, Transport,
    handshake::{HandshakeError, Query, Revision, open_packet},
};

const SID: &str = "AbCdEfGhIjKlMnOpQr-_";

/// The refusal of a GET that opens a session, in Node's order; no session exists.
fn refusal(query: &str) -> Option<HandshakeError> {
    fn check(query: &str) -> Result<Revision, HandshakeError> {
        let query = Query::parse(query)?;
        query.transport?;
        match query.sid? {
            Some(_) => Err(HandshakeError::UnknownSid),
            None => query.revision,
        }
    }
    check(query).err()
}

#[test]
fn the_usual_requests_pass() {
    for (query, transport) in [
        ("EIO=4&transport=polling", Transport::Polling),
        ("transport=websocket&EIO=4", Transport::WebSocket),
        ("EIO=4&transport=polling&t=P7yK&b64=1&token=a%20b", Transport::Polling),
        ("&&EIO=4&&transport=polling&", Transport::Polling),
    ] {
        let parsed = Query::parse(query);
        let expected = Query { transport: Ok(transport), sid: Ok(None), revision: Ok(Revision::V4) };
        assert_eq!(parsed, Ok(expected), "{query}");
    }
}

#[test]
fn a_missing_or_strange_transport_is_unknown() {
    for query in [
        "",
        "EIO=4",
        "EIO=4&transport",
        "EIO=4&transport=",
        "EIO=4&transport=foo",
        "EIO=4&transport=POLLING",
        "EIO=4&transport=constructor",
        "EIO=4&transport=__proto__",
        "EIO=4&transport=webtransport",
        "EIO=4&transport[]=polling",
        "EIO=4&transport=polling%00",
        "EIO=4&transport=+polling",
        "EIO=4;transport=polling",
        "EIO=4&TRANSPORT=polling",
    ] {
        assert_eq!(refusal(query), Some(HandshakeError::UnknownTransport), "{query}");
    }
}

#[test]
fn only_revision_4_is_spoken() {
    for revision in ["", "EIO", "EIO=", "EIO=3", "EIO=5", "EIO=abc", "EIO=04", "EIO= 4", "EIO=+4", "EIO=4.0"]
    {
        let query = format!("transport=polling&{revision}");
        assert_eq!(refusal(&query), Some(HandshakeError::UnsupportedVersion), "{query}");
    }
}

#[test]
fn a_parameter_with_two_values_is_a_bad_request() {
    let sids = format!("EIO=4&transport=polling&sid={SID}&sid=BbCdEfGhIjKlMnOpQr-_");
    for query in [
        "transport=polling&EIO=4&EIO=3",
        "transport=polling&EIO=3&EIO=4",
        "EIO=4&transport=polling&transport=websocket",
        "EIO=4&transport=polling&%74ransport=websocket",
        "EIO=4&transport=polling&sid=&sid=x",
        &sids,
    ] {
        assert_eq!(Query::parse(query), Err(HandshakeError::BadRequest), "{query}");
    }
}

#[test]
fn a_parameter_may_be_repeated_with_the_same_value() {
    let query = format!("EIO=4&EIO=%34&transport=polling&transport=polling&sid={SID}&sid={SID}&t=1&t=2");
    let parsed = Query::parse(&query).expect("nothing contradicts");
    assert_eq!(parsed.sid, Ok(Sid::parse(SID)));
    assert_eq!(parsed.transport, Ok(Transport::Polling));
    assert_eq!(parsed.revision, Ok(Revision::V4));
}

#[test]
fn what_has_not_the_form_of_a_sid_is_unknown() {
    let long = "A".repeat(8000);
    let twenty_one = format!("{SID}x");
    for sid in
        ["", "__proto__", "hasOwnProperty", "%00%0d%0aX:1", "AbCdEfGhIjKlMnOpQr%2F%2F", &long, &twenty_one]
    {
        let query = format!("EIO=4&transport=polling&sid={sid}");
        assert_eq!(refusal(&query), Some(HandshakeError::UnknownSid), "{query}");
    }
}

#[test]
fn names_and_values_are_percent_decoded() {
    let query =
        format!("%45I%4f=%34&tr%61nsport=%77ebsocket&sid={}", SID.replace('-', "%2d").replace('_', "%5F"));
    let parsed = Query::parse(&query).expect("nothing contradicts");
    assert_eq!(parsed.transport, Ok(Transport::WebSocket));
    assert_eq!(parsed.sid, Ok(Sid::parse(SID)));
    assert_eq!(parsed.revision, Ok(Revision::V4));
}

#[test]
fn a_plus_is_a_space() {
    assert_eq!(refusal("transport=polling&EIO=+4&EIO=%204"), Some(HandshakeError::UnsupportedVersion));
    assert_eq!(refusal("transport=polling&EIO=4&EIO=%2b4"), Some(HandshakeError::BadRequest));
}

#[test]
fn bad_percent_encoding_stands_for_itself() {
    assert_eq!(refusal("EIO=4&transport=polling&x=%E0%A4%A&%=%&%zz=%f"), None);
    assert_eq!(refusal("EIO=4&transport=%E0%A4%A"), Some(HandshakeError::UnknownTransport));
    assert_eq!(refusal("EIO=%+4&transport=polling"), Some(HandshakeError::UnsupportedVersion));
    assert_eq!(refusal("EIO=4&transport=polling%"), Some(HandshakeError::UnknownTransport));
}

#[test]
fn the_first_refusal_in_nodes_order_wins() {
    assert_eq!(refusal("EIO=3&transport=foo&sid=x"), Some(HandshakeError::UnknownTransport));
    assert_eq!(refusal("EIO=3&transport=polling&sid=x"), Some(HandshakeError::UnknownSid));
    assert_eq!(refusal("EIO=3&transport=polling"), Some(HandshakeError::UnsupportedVersion));
}

#[test]
fn refusals_have_nodes_codes_texts_and_statuses() {
    for (error, status, body) in [
        (HandshakeError::UnknownTransport, 400, r#"{"code":0,"message":"Transport unknown"}"#),
        (HandshakeError::UnknownSid, 400, r#"{"code":1,"message":"Session ID unknown"}"#),
        (HandshakeError::BadMethod, 400, r#"{"code":2,"message":"Bad handshake method"}"#),
        (HandshakeError::BadRequest, 400, r#"{"code":3,"message":"Bad request"}"#),
        (HandshakeError::Forbidden, 403, r#"{"code":4,"message":"Forbidden"}"#),
        (HandshakeError::UnsupportedVersion, 400, r#"{"code":5,"message":"Unsupported protocol version"}"#),
    ] {
        assert_eq!((error.status(), error.body().as_str()), (status, body));
        assert!(body.contains(&error.to_string()));
    }
}

#[test]
fn the_open_packet_has_nodes_keys_in_nodes_order() {
    let sid = Sid::parse(SID).expect("a sid");
    let (interval, timeout) = (Duration::from_secs(25), Duration::from_secs(20));
    let mut buffer = b"before ".to_vec();
    open_packet(&mut buffer, &sid, true, interval, timeout, 1_000_000);
    assert_eq!(
        String::from_utf8(buffer).as_deref(),
        Ok(concat!(
            r#"before 0{"sid":"AbCdEfGhIjKlMnOpQr-_","upgrades":["websocket"],"#,
            r#""pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#
        ))
    );
}

#[test]
fn the_open_packet_offers_no_upgrade_where_there_is_none() {
    let sid = Sid::parse(SID).expect("a sid");
    let mut buffer = Vec::new();
    open_packet(&mut buffer, &sid, false, Duration::from_millis(300), Duration::from_millis(200), 100);
    assert_eq!(
        String::from_utf8(buffer).as_deref(),
        Ok(concat!(
            r#"0{"sid":"AbCdEfGhIjKlMnOpQr-_","upgrades":[],"#,
            r#""pingInterval":300,"pingTimeout":200,"maxPayload":100}"#
        ))
    );
}
