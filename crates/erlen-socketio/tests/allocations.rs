//! Decoding a plain event, and encoding one into a buffer with room, allocates nothing.
//!
//! One test alone in its process, since the profiler counts for all threads.

#![allow(clippy::disallowed_methods, reason = "a test has to start its time somewhere")]

use std::{hint::black_box, time::Instant};

use erlen_socketio::{Decoder, DecoderConfig, PacketData, PacketKind, encode_header, encode_string};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// All that were ever allocated.
fn blocks() -> u64 {
    dhat::HeapStats::get().total_blocks
}

fn decode(decoder: &mut Decoder, config: &DecoderConfig, now: Instant, text: &str) -> usize {
    let packet = decoder.decode_text(config, now, text).expect("readable").expect("complete");
    match &packet.data {
        PacketData::Event { args, .. } => args.event_name().len() + args.iter().map(str::len).sum::<usize>(),
        PacketData::Ack { args, .. } => args.iter().count(),
        _ => 0,
    }
}

#[test]
fn the_hot_path_allocates_nothing() {
    let config = DecoderConfig::default();
    let now = Instant::now();
    let mut buf = Vec::with_capacity(256);
    let deep = format!("2[\"a\",{}{}]", "[".repeat(127), "]".repeat(127));
    let reserved_looking = r#"2["\u0063onnected",1e300,{"k":[null,true,"\ud800"]}]"#;
    let _profiler = dhat::Profiler::builder().testing().build();

    let mut decoder = Decoder::new();
    let before = blocks();
    for text in [r#"2["chat",{"text":"hi"}]"#, r#"2/room,12["chat",1,2.5]"#, "37[]", "0", "1/room,", &deep] {
        black_box(decode(&mut decoder, &config, now, text));
    }
    black_box(decoder.decode_text(&config, now, reserved_looking)).expect("readable");
    encode_header(&mut buf, PacketKind::Event, "/room", Some(12), 0);
    encode_string(&mut buf, "say \"hi\"\n");
    black_box(&buf);
    assert_eq!(blocks(), before);

    // The profiler does count.
    black_box(decoder.decode_text(&config, now, "51-[\"a\"]")).expect("readable");
    assert!(blocks() > before);
}
