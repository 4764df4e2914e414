//! The five events, as the frames that a client sends, with an argument of the length that is asked for. Called by the scenarios.

use crate::frame::{masked_binary, masked_text};

/// Usual length of the string that every event carries: the server's broadcast frame has 110 bytes.
pub const ARGUMENT_LEN: usize = 94;

/// `echo(x)`, which is answered by the event `echo(x)`.
pub fn echo(payload: usize) -> Vec<u8> {
    masked_text(format!(r#"42["echo","{}"]"#, "x".repeat(payload)).as_bytes())
}

/// `ack(x)`, which is acknowledged with x. The id is always the same, so the frame is too.
pub fn ack(payload: usize) -> Vec<u8> {
    masked_text(format!(r#"421["ack","{}"]"#, "x".repeat(payload)).as_bytes())
}

/// `bcast(x)`, which is emitted to all.
pub fn bcast(payload: usize) -> Vec<u8> {
    masked_text(format!(r#"42["bcast","{}"]"#, "x".repeat(payload)).as_bytes())
}

/// `echo(x)` where x is an attachment: two frames, and two come back.
pub fn binary_echo(payload: usize) -> Vec<u8> {
    let header = masked_text(br#"451-["echo",{"_placeholder":true,"num":0}]"#);
    [header, masked_binary(&vec![0x55; payload])].concat()
}

/// `join(r)` of a room by its name, which is acknowledged when the room is joined.
pub fn join_named(room: &str) -> Vec<u8> {
    masked_text(format!(r#"420["join","{room}"]"#).as_bytes())
}

/// `join(r)`, which is acknowledged when the room is joined.
pub fn join(room: usize) -> Vec<u8> {
    join_named(&format!("r{room}"))
}

/// `room(r, x)`, which emits `room(x)` to the room.
pub fn room(room: usize, payload: usize) -> Vec<u8> {
    masked_text(format!(r#"42["room","r{room}","{}"]"#, "x".repeat(payload)).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broadcast_frame_of_the_server_has_110_bytes() {
        let mask = 4;
        assert_eq!(bcast(ARGUMENT_LEN).len() - mask, 110);
    }
}
