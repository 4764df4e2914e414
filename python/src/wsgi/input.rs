//! `wsgi.input`: the request's body, read from the connection when the application asks for it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::gone::{Patience, client_gone};

/// All that there is.
const NO_LIMIT: usize = usize::MAX;

/// For how long what the application left of a body is read and thrown away.
const LINGER: Duration = Duration::from_secs(10);

/// A file that gives the body, once, from its start to its end.
#[pyclass(frozen, name = "Input", module = "erlen._erlen")]
pub(super) struct Input {
    state: Mutex<State>,
    unread: Unread,
}

/// What becomes of a body that the application has not read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is read: a client that sends before it reads would find its connection reset, and never see the answer.
    IsRead,
    /// It is left, and the connection ends: the client waits to be told to go on, and may never send it.
    Ends,
}

struct State {
    /// `None` at the end of the body, and after the request.
    source: Option<Source>,
    /// What was read and not asked for yet: less than one piece of the connection's.
    buffer: Bytes,
}

/// Where the body comes from.
struct Source {
    body: Body,
    patience: Patience,
}

impl Input {
    pub(super) fn new(body: Body, unread: Unread, patience: Patience) -> Self {
        let source = (!http_body::Body::is_end_stream(&body)).then_some(Source { body, patience });
        Self { state: Mutex::new(State { source, buffer: Bytes::new() }), unread }
    }

    /// The request is over: nothing can be read any longer.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.buffer = Bytes::new();
        let source = state.source.take();
        drop(state);
        if let Some(Source { body, patience }) = source
            && self.unread == Unread::IsRead
            && !http_body::Body::is_end_stream(&body)
        {
            patience.runtime().spawn(async { tokio::time::timeout(LINGER, read_away(body)).await });
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads so many bytes, or up to the end of a line, or the end of the body. Detached while it waits.
    fn take(&self, py: Python<'_>, size: usize, until: Until) -> PyResult<Bytes> {
        // Another thread may hold the state while it waits for the connection: it is not waited for with the interpreter.
        if let Ok(mut state) = self.state.try_lock()
            && let Some(length) = state.find(size, until)
        {
            return Ok(state.buffer.split_to(length));
        }
        let taken = py.detach(|| {
            let mut state = self.lock();
            let mut all = BytesMut::new();
            loop {
                let found = state.find(size - all.len(), until);
                let length = found.unwrap_or(state.buffer.len());
                all.extend_from_slice(&state.buffer.split_to(length));
                if found.is_some() || !state.fill()? {
                    return Ok(all.freeze());
                }
            }
        });
        taken.map_err(|error: String| client_gone(py, &error))
    }
}

/// Where a read ends before its size.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Size,
    LineBreak,
}

impl State {
    /// How much of the buffer is what is asked for, if that is in it.
    fn find(&self, size: usize, until: Until) -> Option<usize> {
        let mut bytes = self.buffer.iter().take(size);
        let line = (until == Until::LineBreak).then(|| bytes.position(|&byte| byte == b'\n')).flatten();
        line.map(|at| at + 1).or_else(|| (self.buffer.len() >= size).then_some(size))
    }

    /// Takes the next piece of the body, where the buffer is empty. False at its end.
    fn fill(&mut self) -> Result<bool, String> {
        let Some(source) = &mut self.source else {
            return Ok(false);
        };
        loop {
            let end = match source.patience.wait(source.body.frame()) {
                Some(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if data.has_remaining() => {
                        self.buffer = data;
                        return Ok(true);
                    }
                    _ => continue,
                },
                Some(Some(Err(error))) => Err(format!("the client went before its body was read: {error}")),
                Some(None) => Ok(false),
                None => Err("the client has sent nothing of its body for too long".to_owned()),
            };
            self.source = None;
            return end;
        }
    }
}

/// Reads a body to its end, and keeps nothing of it.
async fn read_away(mut body: Body) {
    while let Some(Ok(_)) = body.frame().await {}
}

/// How many bytes Python asks for; negative and `None` mean all.
fn limit(size: Option<i64>) -> usize {
    size.and_then(|size| usize::try_from(size).ok()).unwrap_or(NO_LIMIT)
}

#[pymethods]
impl Input {
    #[pyo3(signature = (size = None))]
    fn read<'py>(&self, py: Python<'py>, size: Option<i64>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.take(py, limit(size), Until::Size)?))
    }

    #[pyo3(signature = (size = None))]
    fn readline<'py>(&self, py: Python<'py>, size: Option<i64>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.take(py, limit(size), Until::LineBreak)?))
    }

    #[pyo3(signature = (hint = None))]
    fn readlines<'py>(&self, py: Python<'py>, hint: Option<i64>) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let hint =
            hint.filter(|hint| *hint > 0).and_then(|hint| usize::try_from(hint).ok()).unwrap_or(NO_LIMIT);
        let mut lines = Vec::new();
        let mut read = 0;
        while read < hint {
            let line = self.take(py, NO_LIMIT, Until::LineBreak)?;
            if line.is_empty() {
                break;
            }
            read += line.len();
            lines.push(PyBytes::new(py, &line));
        }
        Ok(lines)
    }

    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let line = self.take(py, NO_LIMIT, Until::LineBreak)?;
        Ok((!line.is_empty()).then(|| PyBytes::new(py, &line)))
    }
}
