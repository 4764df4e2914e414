//! The five events, as the frames that a client sends. The argument is sized so that the server's
//! broadcast frame is 110 bytes. Called by the scenarios.

use crate::frame::masked_text;

/// Length of the string that every event carries.
pub const ARGUMENT_LEN: usize = 94;

fn argument() -> String {
    "x".repeat(ARGUMENT_LEN)
}

/// `echo(x)`, which is answered by the event `echo(x)`.
pub fn echo() -> Vec<u8> {
    masked_text(format!(r#"42["echo","{}"]"#, argument()).as_bytes())
}

/// `ack(x)`, which is acknowledged with x. The id is always the same, so the frame is too.
pub fn ack() -> Vec<u8> {
    masked_text(format!(r#"421["ack","{}"]"#, argument()).as_bytes())
}

/// `bcast(x)`, which is emitted to all.
pub fn bcast() -> Vec<u8> {
    masked_text(format!(r#"42["bcast","{}"]"#, argument()).as_bytes())
}

/// `join(r)`, which is acknowledged when the room is joined.
pub fn join(room: usize) -> Vec<u8> {
    masked_text(format!(r#"420["join","r{room}"]"#).as_bytes())
}

/// `room(r, x)`, which emits `room(x)` to the room.
pub fn room(room: usize) -> Vec<u8> {
    masked_text(format!(r#"42["room","r{room}","{}"]"#, argument()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broadcast_frame_of_the_server_has_110_bytes() {
        let mask = 4;
        assert_eq!(bcast().len() - mask, 110);
    }
}
