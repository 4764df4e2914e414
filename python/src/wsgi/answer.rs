//! The answer of a WSGI application: its head by `start_response`, its body piece by piece.
//!
//! The head goes out with the first piece that is not empty, or at the end. A body whose whole length is known then
//! goes with it; another one goes through a bounded channel, whose reader is the connection: a client that reads slowly
//! holds its worker, and one that goes away ends it. A body is whole only if the application came to its end: whatever else
//! ends it breaks the connection, so that no client takes a part for the whole.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body::Frame;
use hyper::ext::ReasonPhrase;
use pyo3::exceptions::{PyAssertionError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tokio::sync::mpsc;
use tokio::task::yield_now;

use super::exchange::Reply;
use super::gone::{Patience, client_gone};
use crate::environ::is_hop_by_hop;

/// Pieces that may wait for the connection.
const PIECES: usize = 4;
/// The most in one of them: a client that takes so little in the time that it is waited for is taken to have gone.
const PIECE: usize = 64 * 1024;

/// An answer that is under way, shared by `start_response`, `write` and the host.
#[derive(Clone)]
pub(super) struct Answer(Arc<Mutex<State>>);

struct State {
    /// Nothing has gone out yet.
    begun: Option<Begun>,
    head: Option<Head>,
    stream: Option<Stream>,
    /// The request was a HEAD: there is no body.
    of_head_request: bool,
}

/// Where the answer is waited for.
struct Begun {
    reply: Reply,
    patience: Patience,
}

/// What `start_response` was told.
struct Head {
    status: StatusCode,
    /// The words behind the number, if they are not the usual ones.
    reason: Option<ReasonPhrase>,
    headers: HeaderMap,
}

/// A body on its way, from the application's side.
struct Stream {
    pieces: mpsc::Sender<Bytes>,
    patience: Patience,
    /// The last piece was sent.
    whole: Arc<AtomicBool>,
}

impl Answer {
    pub(super) fn new(reply: Reply, of_head_request: bool, patience: Patience) -> Self {
        let begun = Some(Begun { reply, patience });
        Self(Arc::new(Mutex::new(State { begun, head: None, stream: None, of_head_request })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a body that is this one piece, whose length is the body's where the application has not said it.
    pub(super) fn send_only(&self, py: Python<'_>, piece: &Bound<'_, PyBytes>) -> PyResult<()> {
        self.lock().announce(piece.as_bytes().len());
        self.send(py, piece)
    }

    /// Sends a piece of the body.
    pub(super) fn send(&self, py: Python<'_>, piece: &Bound<'_, PyBytes>) -> PyResult<()> {
        let mut state = self.lock();
        state.require_head()?;
        if piece.as_bytes().is_empty() {
            return Ok(());
        }
        let mut bytes = Bytes::copy_from_slice(piece.as_bytes());
        if state.begun.is_some() {
            state.send_head(py, &mut bytes)?;
        }
        let Some(stream) = &state.stream else {
            // Of an answer that has no body, or beyond its announced length.
            return Ok(());
        };
        let (pieces, patience) = (stream.pieces.clone(), stream.patience.clone());
        drop(state);
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(PIECE));
            match pieces.try_send(piece) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Closed(_)) => return Err(gone(py)),
                Err(mpsc::error::TrySendError::Full(piece)) => {
                    let sent = py.detach(|| patience.wait(pieces.send(piece)));
                    sent.and_then(Result::ok).ok_or_else(|| gone(py))?;
                }
            }
        }
        Ok(())
    }

    /// The application is done: the head, if nothing has gone yet, and the body's end.
    pub(super) fn end(&self, py: Python<'_>) -> PyResult<()> {
        let mut state = self.lock();
        if state.begun.is_some() {
            state.announce(0);
            state.send_head(py, &mut Bytes::new())?;
        }
        if let Some(stream) = state.stream.take() {
            stream.whole.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// The application has failed: another answer if none has gone yet, else the connection's end.
    pub(super) fn fail(&self, answer: Response<Body>) {
        let mut state = self.lock();
        if let Some(begun) = state.begun.take() {
            begun.reply.send(answer);
        }
        state.stream = None;
    }
}

impl State {
    fn require_head(&self) -> PyResult<()> {
        if self.begun.is_some() && self.head.is_none() {
            return Err(PyAssertionError::new_err("write() before start_response()"));
        }
        Ok(())
    }

    /// Says the body's length, where there is a body and the application has not said it.
    fn announce(&mut self, length: usize) {
        if let Some(head) = &mut self.head
            && !self.of_head_request
            && !head.is_bare()
        {
            head.headers.entry(header::CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
        }
    }

    /// Sends the head. The first bytes of the body go with it if they are all of it, and begin a stream otherwise.
    fn send_head(&mut self, py: Python<'_>, first: &mut Bytes) -> PyResult<()> {
        self.require_head()?;
        let (Some(Begun { reply, patience }), Some(head)) = (self.begun.take(), self.head.take()) else {
            return Ok(());
        };
        let bare = self.of_head_request || head.is_bare();
        let body = if !bare && head.content_length() == Some(first.len()) {
            Body::from(std::mem::take(first))
        } else {
            let (stream, body) = Stream::new(patience);
            if bare {
                stream.whole.store(true, Ordering::Release);
            } else {
                self.stream = Some(stream);
            }
            body
        };
        if reply.send(head.with(body)) { Ok(()) } else { Err(gone(py)) }
    }
}

impl Head {
    /// Whether an answer of this status never has a body.
    fn is_bare(&self) -> bool {
        matches!(self.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
    }

    fn content_length(&self) -> Option<usize> {
        self.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }

    fn with(mut self, body: Body) -> Response<Body> {
        if self.status == StatusCode::NO_CONTENT {
            self.headers.remove(header::CONTENT_LENGTH);
        }
        let mut answer = Response::new(body);
        *answer.status_mut() = self.status;
        *answer.headers_mut() = self.headers;
        if let Some(reason) = self.reason {
            answer.extensions_mut().insert(reason);
        }
        answer
    }
}

impl Stream {
    fn new(patience: Patience) -> (Self, Body) {
        let (pieces, received) = mpsc::channel(PIECES);
        let whole = Arc::new(AtomicBool::new(false));
        let body = Pieces { received, whole: Arc::clone(&whole), breaks: None };
        (Self { pieces, patience, whole }, Body::new(body))
    }
}

fn gone(py: Python<'_>) -> PyErr {
    client_gone(py, "the client went before it had its answer")
}

/// A body that comes in pieces, from the connection's side. One that ends and is not whole breaks the connection.
struct Pieces {
    received: mpsc::Receiver<Bytes>,
    whole: Arc<AtomicBool>,
    /// It is not whole; behind this, it ends by the error.
    breaks: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(piece) = ready!(self.received.poll_recv(cx)) {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if self.whole.load(Ordering::Acquire) {
            return Poll::Ready(None);
        }
        // The connection writes what it has before it asks again: the first time it may not know yet that its socket takes
        // anything, which the event queue tells it in between.
        let written = async {
            yield_now().await;
            yield_now().await;
        };
        ready!(self.breaks.get_or_insert_with(|| Box::pin(written)).as_mut().poll(cx));
        Poll::Ready(Some(Err(Broken)))
    }
}

/// The body ends here, and is not whole.
#[derive(Debug)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the application failed in the middle of its answer")
    }
}

impl std::error::Error for Broken {}

/// `start_response(status, headers, exc_info=None)`, which returns `write(bytes)`.
#[pyclass(frozen, module = "erlen._erlen")]
pub(super) struct StartResponse(Answer);

impl StartResponse {
    pub(super) fn new(answer: Answer) -> Self {
        Self(answer)
    }
}

#[pymethods]
impl StartResponse {
    #[pyo3(signature = (status, headers, exc_info = None))]
    fn __call__(
        &self,
        status: &Bound<'_, PyAny>,
        headers: Vec<(Bound<'_, PyAny>, Bound<'_, PyAny>)>,
        exc_info: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Write> {
        let (status, reason) = parse_status(status)?;
        let head = Head { status, reason, headers: parse_headers(&headers)? };
        let mut state = self.0.lock();
        let exc_info = exc_info.filter(|info| !info.is_none());
        if state.begun.is_none()
            && let Some(info) = &exc_info
        {
            drop(state);
            let exception = info.get_item(1)?;
            return Err(PyErr::from_value(exception));
        }
        if (state.head.is_some() || state.begun.is_none()) && exc_info.is_none() {
            return Err(PyAssertionError::new_err("start_response() was called before"));
        }
        state.head = Some(head);
        drop(state);
        Ok(Write(self.0.clone()))
    }
}

/// The callable that `start_response` returns, for applications of old.
#[pyclass(frozen, module = "erlen._erlen")]
pub(super) struct Write(Answer);

#[pymethods]
impl Write {
    fn __call__(&self, py: Python<'_>, data: &Bound<'_, PyBytes>) -> PyResult<()> {
        self.0.send(py, data)
    }
}

fn parse_status(status: &Bound<'_, PyAny>) -> PyResult<(StatusCode, Option<ReasonPhrase>)> {
    let text: String = status.extract().map_err(|_| PyTypeError::new_err("the status must be a str"))?;
    let (number, words) = text.split_once(' ').unwrap_or((&text, ""));
    let code = number.parse::<u16>().ok().and_then(|code| StatusCode::from_u16(code).ok());
    // An answer of less than 200 is none yet, and the connection's business.
    let code = code.filter(|code| !code.is_informational());
    let reason = if code.and_then(|code| code.canonical_reason()) == Some(words) {
        Some(None)
    } else {
        latin1_bytes(words).and_then(|words| ReasonPhrase::try_from(words).ok()).map(Some)
    };
    code.zip(reason).ok_or_else(|| PyValueError::new_err(format!("{text:?} is not an HTTP status")))
}

fn parse_headers(headers: &[(Bound<'_, PyAny>, Bound<'_, PyAny>)]) -> PyResult<HeaderMap> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let (name, value): (String, String) = (text_of(name, "name")?, text_of(value, "value")?);
        let known = HeaderName::from_bytes(name.as_bytes());
        let known =
            known.map_err(|_| PyValueError::new_err(format!("{name:?} is not the name of a header")))?;
        if is_hop_by_hop(&known) {
            continue;
        }
        let parsed = latin1_bytes(&value).and_then(|bytes| HeaderValue::from_bytes(&bytes).ok());
        let parsed = parsed.ok_or_else(|| {
            PyValueError::new_err(format!(
                "the header {name} has a value with a line break, or beyond Latin-1: {value:?}"
            ))
        })?;
        if known == header::CONTENT_LENGTH {
            require_length(&value, map.contains_key(&known))?;
        }
        map.append(known, parsed);
    }
    Ok(map)
}

fn require_length(value: &str, is_second: bool) -> PyResult<()> {
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    if is_second || !is_number || value.parse::<usize>().is_err() {
        return Err(PyValueError::new_err(format!("Content-Length must be one number, not {value:?}")));
    }
    Ok(())
}

fn latin1_bytes(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}

fn text_of(text: &Bound<'_, PyAny>, what: &str) -> PyResult<String> {
    text.extract().map_err(|_| PyTypeError::new_err(format!("a header's {what} must be a str")))
}
