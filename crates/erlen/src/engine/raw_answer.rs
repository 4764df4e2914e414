//! Answers as bytes, as the HTTP server writes them: for requests that were read here (`arrival.rs`).

use std::cell::RefCell;
use std::io;
use std::time::SystemTime;

use http::StatusCode;
use http::header;

use super::answer::{ALWAYS, Answer, Headers};
use super::date::Date;
use super::guest::Guest;
use super::head::lists;

/// A body up to this goes out by the same call as its head.
const CORK: usize = 64 * 1024;
/// Room for a head.
const HEAD: usize = 256;

/// Whether an answer is the last of its connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    Yes,
    /// Not unless it says so itself.
    No,
}

/// Writes an answer, by one call unless it is long; whether it was the last.
pub(super) async fn write(
    guest: &Guest,
    date: &RefCell<Date>,
    answer: Answer,
    last: Last,
) -> io::Result<Last> {
    let Answer { status, headers, body } = answer;
    let (corked, rest) = if body.len() <= CORK { (&body[..], &[][..]) } else { (&[][..], &body[..]) };
    let mut bytes = Vec::with_capacity(HEAD + corked.len());
    let says_last = push_head(&mut bytes, status, &headers);
    if last == Last::Yes && says_last == Last::No {
        push_header(&mut bytes, "connection", b"close");
    }
    push_header(&mut bytes, "content-length", itoa::Buffer::new().format(body.len()).as_bytes());
    if !headers.map.is_some_and(|map| map.contains_key(header::DATE)) {
        push_header(&mut bytes, "date", date.borrow_mut().at(SystemTime::now()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(corked);
    guest.write_all(&bytes).await?;
    if !rest.is_empty() {
        guest.write_all(rest).await?;
    }
    Ok(if says_last == Last::Yes { Last::Yes } else { last })
}

/// The head of a 101, as it is written.
pub(super) fn switching_protocols(answer: &Answer) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD);
    push_head(&mut bytes, answer.status, &answer.headers);
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// The status line and the headers, but for what is said of the body; whether they say that the answer is the last.
fn push_head(bytes: &mut Vec<u8>, status: StatusCode, headers: &Headers) -> Last {
    bytes.extend_from_slice(b"HTTP/1.1 ");
    bytes.extend_from_slice(status.as_str().as_bytes());
    bytes.push(b' ');
    bytes.extend_from_slice(status.canonical_reason().unwrap_or("<none>").as_bytes());
    bytes.extend_from_slice(b"\r\n");
    let Some(map) = &headers.map else {
        if let Some(content_type) = headers.content_type {
            push_header(bytes, "content-type", content_type.as_bytes());
        }
        bytes.extend_from_slice(ALWAYS.as_bytes());
        return Last::No;
    };
    let mut last = Last::No;
    for (name, value) in map.iter() {
        if *name == header::CONTENT_LENGTH || *name == header::TRANSFER_ENCODING {
            continue;
        }
        if *name == header::CONNECTION && lists(value.as_bytes(), "close") {
            last = Last::Yes;
        }
        push_header(bytes, name.as_str(), value.as_bytes());
    }
    last
}

fn push_header(bytes: &mut Vec<u8>, name: &str, value: &[u8]) {
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(b": ");
    bytes.extend_from_slice(value);
    bytes.extend_from_slice(b"\r\n");
}
