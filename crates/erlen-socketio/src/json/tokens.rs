//! The pieces of JSON text that the scanner has accepted, in order, without values.
//!
//! It checks nothing: on other text it says something meaningless, but never panics and always
//! ends. Called by [`Args`](crate::Args) to tell arguments apart, and to find placeholders.

use super::plain_len;

/// One piece of JSON text. Commas and colons are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// `[`
    ArrayStart,
    /// `{`
    ObjectStart,
    /// `]` or `}`
    End,
    /// The inside of a string that is an object's key, escapes as they are.
    Key(&'a str),
    /// The inside of a string, escapes as they are.
    String(&'a str),
    /// A number, `true`, `false` or `null`.
    Scalar(&'a str),
}

/// An iterator over the tokens of a text.
pub(crate) struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self::at(text, 0)
    }

    /// From there on, which is not inside of a token.
    pub(crate) fn at(text: &'a str, at: usize) -> Self {
        Self { text, at }
    }

    /// Where the last token ended, in bytes.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Where the next token begins, in bytes.
    pub(crate) fn skip_separators(&mut self) -> usize {
        self.skip(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':'));
        self.at
    }

    /// Moves behind one whole value, containers with all that is in them.
    pub(crate) fn skip_value(&mut self) {
        self.skip_separators();
        let mut depth = 0_usize;
        loop {
            match self.rest().first() {
                None => return,
                Some(b'"') => {
                    self.skip_string();
                }
                Some(b'[' | b'{') => {
                    self.at += 1;
                    depth += 1;
                }
                Some(b']' | b'}') => {
                    self.at += 1;
                    depth = depth.saturating_sub(1);
                }
                Some(_) => {
                    self.scalar();
                }
            }
            if depth == 0 {
                return;
            }
            self.skip(|byte| !matches!(byte, b'"' | b'[' | b'{' | b']' | b'}'));
        }
    }

    /// Gives the inside of the string that begins here.
    fn skip_string(&mut self) -> &'a str {
        let start = self.at + 1;
        self.at = start;
        loop {
            self.at += plain_len(self.rest());
            match self.rest().first() {
                Some(b'"') | None => break,
                Some(b'\\') => self.at = self.text.len().min(self.at + 2),
                Some(_) => self.at += 1,
            }
        }
        let inside = self.text.get(start..self.at).unwrap_or_default();
        self.at = self.text.len().min(self.at + 1);
        inside
    }

    fn string(&mut self) -> Token<'a> {
        let inside = self.skip_string();
        let behind = self.rest().iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        if behind == Some(&b':') { Token::Key(inside) } else { Token::String(inside) }
    }

    fn scalar(&mut self) -> Token<'a> {
        let start = self.at;
        self.skip(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' | b']' | b'}'));
        Token::Scalar(self.text.get(start..self.at).unwrap_or_default())
    }

    fn skip(&mut self, wanted: impl Fn(u8) -> bool) {
        self.at += self.rest().iter().take_while(|byte| wanted(**byte)).count();
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_separators();
        let token = match self.rest().first()? {
            b'[' => Token::ArrayStart,
            b'{' => Token::ObjectStart,
            b']' | b'}' => Token::End,
            b'"' => return Some(self.string()),
            _ => return Some(self.scalar()),
        };
        self.at += 1;
        Some(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_strings_are_told_apart() {
        let tokens: Vec<_> = Tokens::new(r#" {"a" : "b\"" , "c":[-1e3,null]} "#).collect();
        let expected = [
            Token::ObjectStart,
            Token::Key("a"),
            Token::String(r#"b\""#),
            Token::Key("c"),
            Token::ArrayStart,
            Token::Scalar("-1e3"),
            Token::Scalar("null"),
            Token::End,
            Token::End,
        ];
        assert_eq!(tokens, expected);
    }

    #[test]
    fn a_whole_value_is_skipped() {
        let mut tokens = Tokens::new(r#"{"a":[1,{"b":2}]},"next""#);
        tokens.skip_value();
        assert_eq!(tokens.next(), Some(Token::String("next")));
        assert_eq!(tokens.next(), None);
    }

    #[test]
    fn broken_text_ends_all_the_same() {
        for text in ["\"", "\"\\", "[", "]]", "\"a\\\"", "{\"", "tru", ":::", "\"\u{1}é"] {
            assert!(Tokens::new(text).count() <= text.len(), "{text:?}");
        }
    }
}
