//! One text packet: it decodes without a panic, and what is decoded spells the same text again.
//!
//! Run it with `cargo fuzz run -s none engineio_packet`.

#![no_main]

use erlen_engineio::{DecodeError, Message, Packet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let spelled = match Packet::decode(text) {
        Ok(Packet::Open(data)) => format!("0{data}"),
        Ok(Packet::Ping(data)) => format!("2{data}"),
        Ok(Packet::Pong(data)) => format!("3{data}"),
        Ok(Packet::Message(Message::Text(data))) => format!("4{data}"),
        Ok(Packet::Message(Message::Binary(_))) => panic!("text packets hold no binary message"),
        Ok(Packet::Close) => return assert!(text.starts_with('1')),
        Ok(Packet::Upgrade) => return assert!(text.starts_with('5')),
        Ok(Packet::Noop) => return assert!(text.starts_with('6')),
        Err(DecodeError::Empty) => return assert!(text.is_empty()),
        Err(DecodeError::UnknownType(byte)) => return assert!(!matches!(byte, b'0'..=b'6')),
        Err(error) => panic!("{error} is no error of one packet"),
    };
    assert_eq!(spelled, text);
});
