//! The inside of JSON strings: how far it is plain, and what its escapes mean.
//!
//! Called by the scanner, the tokens, and where an event's name or an object's key is compared.
//! Spec: RFC 8259, section 7.

use std::str::Chars;

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);

/// How many bytes come before the first quote, backslash or control character.
#[inline]
pub(crate) fn plain_len(bytes: &[u8]) -> usize {
    // Most names and keys end in their first word.
    match bytes.first_chunk().and_then(first_special) {
        Some(at) => at,
        None => long_plain_len(bytes),
    }
}

fn long_plain_len(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    // Four words a comparison. As words, not as bytes, the compiler makes wide instructions of them.
    while let Some((block, behind)) = rest.split_first_chunk::<32>() {
        let (words, _) = block.as_chunks();
        if words.iter().fold(0, |found, word| found | special_bytes(word)) != 0 {
            break;
        }
        rest = behind;
    }
    while let Some((word, behind)) = rest.split_first_chunk() {
        if let Some(at) = first_special(word) {
            return bytes.len() - rest.len() + at;
        }
        rest = behind;
    }
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    bytes.len() - rest.len() + rest.iter().position(special).unwrap_or(rest.len())
}

/// Where the first byte of a word is that is a quote, a backslash or a control character.
fn first_special(word: &[u8; 8]) -> Option<usize> {
    match special_bytes(word) {
        0 => None,
        special => Some((special.trailing_zeros() / 8) as usize),
    }
}

/// The high bit of each byte that is a quote, a backslash or a control character. Borrows can set
/// bits above a true one, so only the lowest counts.
fn special_bytes(word: &[u8; 8]) -> u64 {
    let word = u64::from_le_bytes(*word);
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;
    (below(word, 0x20) | below(quote, 1) | below(backslash, 1)) & HIGH
}

/// The characters that the inside of a valid JSON string means. A lone surrogate, which no `char`
/// can hold, becomes U+FFFD.
pub(crate) fn unescape(inside: &str) -> Unescape<'_> {
    Unescape(inside.chars())
}

/// See [`unescape`].
pub(crate) struct Unescape<'a>(Chars<'a>);

impl Unescape<'_> {
    fn unicode(&mut self) -> char {
        let first = self.hex();
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER);
        }
        let after_first = self.0.clone();
        if (self.0.next(), self.0.next()) == (Some('\\'), Some('u')) {
            let second = self.hex();
            if (0xdc00..0xe000).contains(&second) {
                let scalar = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER);
            }
        }
        self.0 = after_first;
        char::REPLACEMENT_CHARACTER
    }

    fn hex(&mut self) -> u32 {
        self.0.by_ref().take(4).fold(0, |sum, digit| sum * 16 + digit.to_digit(16).unwrap_or(0))
    }
}

impl Iterator for Unescape<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let next = self.0.next()?;
        if next != '\\' {
            return Some(next);
        }
        Some(match self.0.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => self.unicode(),
            itself => itself,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unescaped(inside: &str) -> String {
        unescape(inside).collect()
    }

    #[test]
    fn every_special_byte_is_found_at_every_place() {
        for special in (0..0x20).chain([b'"', b'\\']) {
            for place in 0..80 {
                let mut bytes = [0xff_u8; 80];
                bytes[place] = special;
                assert_eq!(plain_len(&bytes), place, "{special:#x}");
            }
        }
    }

    #[test]
    fn all_other_bytes_are_plain() {
        let plain: Vec<u8> = (0x20..=0xff).filter(|byte| !matches!(byte, b'"' | b'\\')).collect();
        assert_eq!(plain_len(&plain), plain.len());
        assert_eq!(plain_len(b""), 0);
    }

    #[test]
    fn escapes_mean_their_characters() {
        assert_eq!(unescaped(r#"a\"\\\/\b\f\n\r\tz"#), "a\"\\/\u{8}\u{c}\n\r\tz");
        assert_eq!(unescaped(r"\u00e9\u20AC\ud83d\ude00"), "é€😀");
    }

    #[test]
    fn a_lone_surrogate_becomes_the_replacement_character() {
        assert_eq!(unescaped(r"\ud800"), "\u{fffd}");
        assert_eq!(unescaped(r"\udc00x"), "\u{fffd}x");
        assert_eq!(unescaped(r"\ud800\n"), "\u{fffd}\n");
        assert_eq!(unescaped(r"\ud800\ud83d\ude00"), "\u{fffd}😀");
    }
}
