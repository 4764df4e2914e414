//! A client's WebSocket stream: frames are read and assembled without a panic, and the messages
//! and the end are the same however the stream was cut. The first byte says how it is cut.
//!
//! Run it with `cargo fuzz run -s none websocket_frames`.

#![no_main]

use std::{sync::LazyLock, time::Instant};

use erlen_engineio::frame::{self, Assembler, AssemblerLimits, FrameError, Incoming};
use libfuzzer_sys::fuzz_target;

const MAX_MESSAGE: usize = 1000;

/// The time stands still: with it a stream has one meaning.
static NOW: LazyLock<Instant> = LazyLock::new(Instant::now);

fuzz_target!(|input: &[u8]| {
    let Some((cut, stream)) = input.split_first() else { return };
    let whole = read(std::iter::once(stream));
    let pieces = read(stream.chunks(usize::from(*cut).max(1)));
    assert_eq!(whole, pieces);
});

/// The messages of a stream, and how it ended.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Incoming<'static>>, Result<(), FrameError>) {
    let (mut assembler, mut buffer, mut messages) = (Assembler::new(), Vec::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        match read_frames(&mut assembler, &mut buffer, &mut messages) {
            Ok(consumed) => drop(buffer.drain(..consumed)),
            Err(error) => return (messages, Err(error)),
        }
    }
    (messages, Ok(()))
}

/// Takes the whole frames of `buffer`, and says how many bytes they were.
fn read_frames(
    assembler: &mut Assembler,
    buffer: &mut [u8],
    messages: &mut Vec<Incoming<'static>>,
) -> Result<usize, FrameError> {
    let limits = AssemblerLimits { max_message: MAX_MESSAGE, max_fragments: 4, ..AssemblerLimits::default() };
    let mut total = 0;
    while let Some((frame, consumed)) = frame::parse(&mut buffer[total..], MAX_MESSAGE)? {
        assert!(frame.payload.len() < consumed);
        match assembler.push(&limits, *NOW, frame)? {
            Incoming::Text(text) => messages.push(Incoming::Text(text.into_owned().into())),
            Incoming::Binary(bytes) => messages.push(Incoming::Binary(bytes.into_owned().into())),
            Incoming::Ping(bytes) => messages.push(Incoming::Binary(bytes.to_vec().into())),
            Incoming::Pong => messages.push(Incoming::Pong),
            Incoming::Close(code) => messages.push(Incoming::Close(code)),
            Incoming::Fragment => {}
        }
        total += consumed;
    }
    Ok(total)
}
