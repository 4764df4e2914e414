//! `wsgi.input`: the request's body, read from the connection when the application asks for it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tokio::runtime::Handle;

/// What `readline` looks through at most before it gives up on a line without an end.
const NO_LIMIT: usize = usize::MAX;

/// A file that gives the body, once, from its start to its end.
#[pyclass(frozen, name = "Input", module = "erlen._erlen")]
pub(super) struct Input {
    state: Mutex<State>,
    runtime: Handle,
}

struct State {
    /// `None` at the end of the body, and after the request.
    body: Option<Body>,
    /// What was read and not asked for yet: less than one piece of the connection's.
    buffer: Bytes,
}

impl Input {
    pub(super) fn new(body: Body, runtime: Handle) -> Self {
        let body = (!http_body::Body::is_end_stream(&body)).then_some(body);
        Self { state: Mutex::new(State { body, buffer: Bytes::new() }), runtime }
    }

    /// The request is over: nothing can be read any longer.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.buffer = Bytes::new();
        let body = state.body.take();
        drop(state);
        drop(body);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads until `enough` of what is there, or the end. Detached while it waits.
    fn read_until(
        &self,
        py: Python<'_>,
        enough: impl Fn(&[u8]) -> Option<usize> + Send + Sync,
    ) -> PyResult<Bytes> {
        let read = py.detach(|| {
            let mut state = self.lock();
            let mut read = BytesMut::new();
            loop {
                let piece = std::mem::take(&mut state.buffer);
                read.extend_from_slice(&piece);
                if let Some(length) = enough(&read) {
                    state.buffer = read.split_off(length.min(read.len())).freeze();
                    return Ok(read.freeze());
                }
                if !state.fill(&self.runtime)? {
                    return Ok(read.freeze());
                }
            }
        });
        read.map_err(|error: String| PyOSError::new_err(error))
    }

    fn line(&self, py: Python<'_>, limit: usize) -> PyResult<Bytes> {
        self.read_until(py, move |read| {
            let end = read.iter().take(limit).position(|&byte| byte == b'\n').map(|at| at + 1);
            end.or_else(|| (read.len() >= limit).then_some(limit))
        })
    }
}

impl State {
    /// Takes the next piece of the body. False at its end.
    fn fill(&mut self, runtime: &Handle) -> Result<bool, String> {
        let Some(body) = &mut self.body else {
            return Ok(false);
        };
        loop {
            match runtime.block_on(body.frame()) {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    if data.has_remaining() {
                        self.buffer = data;
                        return Ok(true);
                    }
                }
                Some(Err(error)) => {
                    self.body = None;
                    return Err(format!("the client went before its body was read: {error}"));
                }
                None => {
                    self.body = None;
                    return Ok(false);
                }
            }
        }
    }
}

/// How many bytes Python asks for; negative and `None` mean all.
fn limit(size: Option<i64>) -> usize {
    size.and_then(|size| usize::try_from(size).ok()).unwrap_or(NO_LIMIT)
}

#[pymethods]
impl Input {
    #[pyo3(signature = (size = None))]
    fn read<'py>(&self, py: Python<'py>, size: Option<i64>) -> PyResult<Bound<'py, PyBytes>> {
        let size = limit(size);
        let read = self.read_until(py, move |read| (read.len() >= size).then_some(size))?;
        Ok(PyBytes::new(py, &read))
    }

    #[pyo3(signature = (size = None))]
    fn readline<'py>(&self, py: Python<'py>, size: Option<i64>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.line(py, limit(size))?))
    }

    #[pyo3(signature = (hint = None))]
    fn readlines<'py>(&self, py: Python<'py>, hint: Option<i64>) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let hint =
            hint.filter(|hint| *hint > 0).and_then(|hint| usize::try_from(hint).ok()).unwrap_or(NO_LIMIT);
        let mut lines = Vec::new();
        let mut read = 0;
        while read < hint {
            let line = self.line(py, NO_LIMIT)?;
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
        let line = self.line(py, NO_LIMIT)?;
        Ok((!line.is_empty()).then(|| PyBytes::new(py, &line)))
    }
}
