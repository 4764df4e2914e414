//! The scanner against `serde_json`: they agree on every text, but for two stated differences.
//!
//! `IgnoredAny` is the grammar alone: it knows no range of numbers, and takes lone surrogates as
//! the scanner does. `Value` has serde_json's whole judgement: whatever becomes a value there, the
//! scanner takes; what it refuses and the scanner takes can only be a lone surrogate.

use erlen_socketio::json::{JsonError, Rules, validate};
use proptest::{collection::vec, prelude::*};
use serde::de::IgnoredAny;
use serde_json::Value;

const ANY_DEPTH: Rules = Rules { max_depth: usize::MAX, barewords: false };

/// JSON of all shapes, with the odd spellings that a library would not write.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        number(),
        string(),
    ];
    leaf.prop_recursive(5, 64, 5, |inner| {
        prop_oneof![
            (vec(inner.clone(), 0..5), space())
                .prop_map(|(items, space)| format!("[{}]{space}", items.join(&format!("{space},")))),
            (vec((string(), inner), 0..5), space()).prop_map(|(fields, space)| {
                let fields: Vec<_> = fields.iter().map(|(k, v)| format!("{space}{k}:{space}{v}")).collect();
                format!("{{{}{space}}}", fields.join(","))
            }),
        ]
    })
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof!["-?(0|[1-9][0-9]{0,20})", r"-?(0|[1-9][0-9]{0,4})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?"]
}

fn string() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        r#"[^"\\\x00-\x1f]{0,20}"#,
        r#"\\["\\/bfnrt]"#,
        r"\\u[0-9a-fA-F]{4}",
        r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}",
    ];
    vec(part, 0..4).prop_map(|parts| format!("\"{}\"", parts.concat()))
}

fn space() -> impl Strategy<Value = String> {
    "[ \t\r\n]{0,2}"
}

/// The text with some characters taken out, put in or doubled.
fn mutated() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(String::new()),
        r#"[\[\]{}",:\\\-+.0-9eEtnfu \t]{1,2}"#,
        any::<char>().prop_map(String::from),
        Just("\u{1f}".to_owned()),
    ];
    (json(), vec((any::<prop::sample::Index>(), 0..3_usize, piece), 1..4)).prop_map(|(text, changes)| {
        let mut characters: Vec<char> = text.chars().collect();
        for (at, removed, piece) in changes {
            let start = at.index(characters.len() + 1);
            let end = characters.len().min(start + removed);
            characters.splice(start..end, piece.chars());
        }
        characters.into_iter().collect()
    })
}

fn check(text: &str) -> Result<(), TestCaseError> {
    let ours = validate(text, &ANY_DEPTH);
    let grammar = serde_json::from_str::<IgnoredAny>(text);
    let in_grammar = matches!(ours, Ok(()) | Err(JsonError::NumberTooLarge(_)));
    match &ours {
        // The scanner stops at such a number; what comes behind it is not judged.
        Err(JsonError::NumberTooLarge(_)) => prop_assert!(serde_json::from_str::<Value>(text).is_err()),
        _ => prop_assert_eq!(in_grammar, grammar.is_ok(), "{:?} {:?}", ours, grammar.err()),
    }
    match (ours, serde_json::from_str::<Value>(text)) {
        (Ok(()), Err(error)) => {
            let error = error.to_string();
            prop_assert!(error.contains("surrogate") || error.contains("hex escape"), "{}", error);
        }
        (Err(error), Ok(_)) => prop_assert!(false, "serde_json takes it: {error}"),
        _ => {}
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn they_agree_on_json(text in json()) {
        prop_assert!(!matches!(validate(&text, &ANY_DEPTH), Err(error) if !matches!(error, JsonError::NumberTooLarge(_))));
        check(&text)?;
    }

    #[test]
    fn they_agree_on_broken_json(text in mutated()) {
        check(&text)?;
    }

    #[test]
    fn they_agree_on_anything(text in prop_oneof![any::<String>(), r#"[\[\]{}",:\\\-.0-9eEtrufalsn ]{0,12}"#]) {
        check(&text)?;
    }

    #[test]
    fn what_the_scanner_takes_is_taken_with_barewords_too(text in mutated()) {
        let rules = Rules { barewords: true, ..ANY_DEPTH };
        if validate(&text, &ANY_DEPTH).is_ok() {
            prop_assert_eq!(validate(&text, &rules), Ok(()));
        }
    }
}

#[test]
fn an_element_of_the_deepest_arguments_becomes_a_value() {
    // serde_json takes 127 levels: what is left of 128 for one argument of the array.
    let element = format!("{}{}", "[".repeat(127), "]".repeat(127));
    assert_eq!(validate(&format!("[{element}]"), &Rules::default()), Ok(()));
    assert!(serde_json::from_str::<Value>(&element).is_ok());
    assert!(validate(&format!("[[{element}]]"), &Rules::default()).is_err());
}

#[test]
fn errors_say_where() {
    for (text, error) in [
        ("", JsonError::UnexpectedEnd),
        ("[1", JsonError::UnexpectedEnd),
        ("[1,]", JsonError::UnexpectedByte(3)),
        ("[1}", JsonError::UnexpectedByte(2)),
        ("{1:2}", JsonError::UnexpectedByte(1)),
        ("{\"a\" 1}", JsonError::UnexpectedByte(5)),
        ("trux", JsonError::UnexpectedByte(3)),
        ("\"a\nb\"", JsonError::ControlCharacter(2)),
        (r#""a\x""#, JsonError::Escape(2)),
        (r#""\u12g4""#, JsonError::Escape(1)),
        (r#""\u12"#, JsonError::UnexpectedEnd),
        ("01", JsonError::TrailingText(1)),
        ("1.", JsonError::UnexpectedEnd),
        ("[1.e1]", JsonError::UnexpectedByte(3)),
        ("-", JsonError::UnexpectedEnd),
        ("1e999", JsonError::NumberTooLarge(0)),
        ("[] []", JsonError::TrailingText(3)),
        ("\u{feff}[]", JsonError::UnexpectedByte(0)),
    ] {
        assert_eq!(validate(text, &Rules::default()), Err(error), "{text:?}");
        assert!(serde_json::from_str::<Value>(text).is_err(), "{text:?}");
    }
}
