//! The session id: a bearer secret of 120 random bits, never logged whole.
//!
//! Not the socket id of Socket.IO, which is public. Randomness comes in as an argument.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// The id of an Engine.IO session: 20 characters of base64url.
///
/// Whoever has it can read and write the session, so `Debug` shows its first four characters
/// alone, and there is no `Display`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sid([u8; Self::LEN]);

impl Sid {
    /// Characters of a sid.
    pub const LEN: usize = 20;

    /// The sid of 15 bytes from a cryptographic random source.
    pub fn from_random(bytes: [u8; 15]) -> Self {
        let mut text = [0; Self::LEN];
        let written = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text);
        debug_assert_eq!(written, Ok(Self::LEN), "15 bytes are 20 characters of base64");
        Self(text)
    }

    /// The sid that `text` spells, if it has the form of one.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; Self::LEN] = text.as_bytes().try_into().ok()?;
        // To the end in any case, so that all are looked at together.
        let legal = |b: u8| b.is_ascii_alphanumeric() | matches!(b, b'-' | b'_');
        bytes.iter().fold(true, |all, &b| all & legal(b)).then_some(Self(bytes))
    }

    /// The bytes of the whole secret.
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// The whole secret, for the wire.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sid({}…)", self.as_str().get(..4).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sid_survives_its_text() {
        let sid = Sid::from_random([0xfb; 15]);
        assert_eq!(Sid::parse(sid.as_str()), Some(sid));
        assert_eq!(sid.as_str().len(), 20);
    }

    #[test]
    fn other_texts_are_no_sids() {
        for text in ["", "__proto__", "AAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAA/"]
        {
            assert_eq!(Sid::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn debug_hides_the_secret() {
        let sid = Sid::from_random([0; 15]);
        assert_eq!(format!("{sid:?}"), "Sid(AAAA…)");
    }
}
