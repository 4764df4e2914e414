//! The answer of a WSGI application: its head by `start_response`, its body piece by piece.
//!
//! The head goes out with the first piece that is not empty, or at the end. A body whose whole length is known then
//! goes with it; another one goes through a bounded channel, whose reader is the connection: a client that reads slowly
//! holds its worker, and one that goes away ends it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body::{Frame, SizeHint};
use pyo3::exceptions::{PyAssertionError, PyException, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tokio::sync::{mpsc, oneshot};

use crate::environ::is_hop_by_hop;

pyo3::create_exception!(_erlen, ClientGone, PyException, "The client went before it had its answer.");

/// Pieces that may wait for the connection.
const PIECES: usize = 4;

/// An answer that is under way, shared by `start_response`, `write` and the host.
#[derive(Clone)]
pub(super) struct Answer(Arc<Mutex<State>>);

struct State {
    reply: Option<oneshot::Sender<Response<Body>>>,
    head: Option<(StatusCode, HeaderMap)>,
    pieces: Option<mpsc::Sender<Result<Bytes, Broken>>>,
    /// The request was a HEAD: there is no body.
    bare: bool,
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

impl Answer {
    pub(super) fn new(reply: oneshot::Sender<Response<Body>>, bare: bool) -> Self {
        Self(Arc::new(Mutex::new(State { reply: Some(reply), head: None, pieces: None, bare })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a body that is this one piece.
    pub(super) fn send_whole(&self, py: Python<'_>, piece: &Bound<'_, PyBytes>) -> PyResult<()> {
        if self.lock().reply.is_none() {
            return self.send(py, piece);
        }
        let bytes = Bytes::copy_from_slice(piece.as_bytes());
        self.lock().send_head(Some(bytes))
    }

    /// Sends a piece of the body.
    pub(super) fn send(&self, py: Python<'_>, piece: &Bound<'_, PyBytes>) -> PyResult<()> {
        let bytes = piece.as_bytes();
        let mut state = self.lock();
        if bytes.is_empty() {
            return state.require_head();
        }
        let bytes = Bytes::copy_from_slice(bytes);
        if state.reply.is_some() {
            let whole = state.content_length() == Some(bytes.len());
            if whole || state.bare {
                return state.send_head(Some(bytes));
            }
            state.send_head(None)?;
        }
        let Some(pieces) = state.pieces.clone() else {
            // Beyond the announced length, or a HEAD's.
            return Ok(());
        };
        drop(state);
        match pieces.try_send(Ok(bytes)) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(gone()),
            Err(mpsc::error::TrySendError::Full(bytes)) => {
                py.detach(|| pieces.blocking_send(bytes)).map_err(|_| gone())
            }
        }
    }

    /// The application is done: the head, if nothing has gone yet, and the body's end.
    pub(super) fn end(&self, _: Python<'_>) -> PyResult<()> {
        let mut state = self.lock();
        if state.reply.is_some() {
            state.send_head(Some(Bytes::new()))?;
        }
        state.pieces = None;
        Ok(())
    }

    /// The application has failed: another answer if none has gone yet, else the connection's end.
    pub(super) fn fail(&self, answer: Response<Body>) {
        let mut state = self.lock();
        if let Some(reply) = state.reply.take() {
            let _ = reply.send(answer);
        }
        if let Some(pieces) = state.pieces.take() {
            let _ = pieces.try_send(Err(Broken));
        }
    }
}

impl State {
    fn require_head(&self) -> PyResult<()> {
        if self.reply.is_some() && self.head.is_none() {
            return Err(PyAssertionError::new_err("write() before start_response()"));
        }
        Ok(())
    }

    fn content_length(&self) -> Option<usize> {
        self.head.as_ref()?.1.get(header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
    }

    /// Sends the head, with the whole body, or with a channel for its pieces.
    fn send_head(&mut self, whole: Option<Bytes>) -> PyResult<()> {
        self.require_head()?;
        let (Some(reply), Some((status, headers))) = (self.reply.take(), self.head.take()) else {
            return Ok(());
        };
        let body = match whole {
            _ if self.bare => Body::empty(),
            Some(bytes) => Body::from(bytes),
            None => {
                let (sender, receiver) = mpsc::channel(PIECES);
                self.pieces = Some(sender);
                Body::new(Pieces(receiver))
            }
        };
        let mut answer = Response::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        reply.send(answer).map_err(|_| gone())
    }
}

fn gone() -> PyErr {
    ClientGone::new_err("the client went before it had its answer")
}

/// A body that comes in pieces. Its end is its sender's; a piece that is an error breaks the connection.
struct Pieces(mpsc::Receiver<Result<Bytes, Broken>>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

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
        py: Python<'_>,
        status: &Bound<'_, PyAny>,
        headers: Vec<(Bound<'_, PyAny>, Bound<'_, PyAny>)>,
        exc_info: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Write> {
        let head = (parse_status(status)?, parse_headers(&headers)?);
        let mut state = self.0.lock();
        let exc_info = exc_info.filter(|info| !info.is_none());
        if state.reply.is_none()
            && let Some(info) = &exc_info
        {
            drop(state);
            let exception = info.get_item(1)?;
            return Err(PyErr::from_value(exception));
        }
        if (state.head.is_some() || state.reply.is_none()) && exc_info.is_none() {
            return Err(PyAssertionError::new_err("start_response() was called before"));
        }
        state.head = Some(head);
        drop(state);
        let _ = py;
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

fn parse_status(status: &Bound<'_, PyAny>) -> PyResult<StatusCode> {
    let text: String = status.extract().map_err(|_| PyTypeError::new_err("the status must be a str"))?;
    let code = text.split(' ').next().and_then(|code| code.parse::<u16>().ok());
    code.and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or_else(|| PyValueError::new_err(format!("{text:?} is not an HTTP status")))
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
        let bytes: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
        let parsed = bytes.and_then(|bytes| HeaderValue::from_bytes(&bytes).ok());
        let parsed = parsed.ok_or_else(|| {
            PyValueError::new_err(format!(
                "the header {name} has a value with a line break, or beyond Latin-1: {value:?}"
            ))
        })?;
        map.append(known, parsed);
    }
    Ok(map)
}

fn text_of(text: &Bound<'_, PyAny>, what: &str) -> PyResult<String> {
    text.extract().map_err(|_| PyTypeError::new_err(format!("a header's {what} must be a str")))
}
