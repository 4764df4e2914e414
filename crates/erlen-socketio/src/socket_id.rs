//! The public id of a socket: what a client sees as `socket.id`.
//!
//! Not the Engine.IO sid, which is a secret. Randomness comes in as an argument.
//! Spec: Socket.IO protocol, "Connection to a namespace".

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// The public id of a socket: 20 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId([u8; Self::LEN]);

impl SocketId {
    /// Characters of an id. Node's sharded Redis adapter tells private rooms by this length.
    pub const LEN: usize = 20;

    /// The id of 15 random bytes.
    ///
    /// ```
    /// use erlen_socketio::SocketId;
    ///
    /// let id = SocketId::from_random([0; 15]);
    /// assert_eq!(id.as_str(), "AAAAAAAAAAAAAAAAAAAA");
    /// ```
    pub fn from_random(bytes: [u8; 15]) -> Self {
        let mut text = [0; Self::LEN];
        let written = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text);
        debug_assert_eq!(written, Ok(Self::LEN), "15 bytes are 20 characters of base64");
        Self(text)
    }

    /// The id that `text` spells, if it has the form of one.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; Self::LEN] = text.as_bytes().try_into().ok()?;
        let legal = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        bytes.iter().all(legal).then_some(Self(bytes))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl AsRef<str> for SocketId {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SocketId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text() {
        let id = SocketId::from_random([0xfb; 15]);
        assert_eq!(id.as_str(), "-_v7-_v7-_v7-_v7-_v7");
        assert_eq!(SocketId::parse(id.as_str()), Some(id));
        assert_eq!(id.to_string(), id.as_str());
        assert_eq!(format!("{id:?}"), "SocketId(-_v7-_v7-_v7-_v7-_v7)");
    }

    #[test]
    fn ids_differ_when_their_bytes_do() {
        let mut bytes = [7; 15];
        let first = SocketId::from_random(bytes);
        bytes[14] ^= 1;
        assert_ne!(SocketId::from_random(bytes), first);
    }

    #[test]
    fn other_texts_are_no_ids() {
        for text in ["", "__proto__", "AAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAA/A"]
        {
            assert_eq!(SocketId::parse(text), None, "{text:?}");
        }
    }
}
