//! The WSGI host (PEP 3333): a request of HTTP to a call of the application on a worker thread, and its answer back.
//!
//! ```text
//! request ─▶ Host::answer ─▶ job: environ, application(environ, start_response), its iterable
//! answer  ◀─ head, by a reply ◀─ start_response …         body: whole, or a bounded channel of pieces
//! ```
//!
//! The network thread waits for the head as a future; what it hands over and takes, it does once a turn (`turn.rs`, `exchange.rs`). The worker
//! reads the request's body from the connection, piece by piece, when the application asks for it.

mod answer;
mod exchange;
mod gone;
mod input;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use crate::calling;
use crate::environ::{self, Base, Head};
use crate::pool::{Pool, returned};
use answer::{Answer, StartResponse};
use exchange::Reply;
pub(crate) use gone::Patience;
use input::{Input, Unread};

/// Requests that may wait for a thread; more are answered 503.
const MAX_WAITING: usize = 1024;

/// An application and the threads that call it.
#[derive(Clone)]
pub(crate) struct Host(Arc<Inner>);

struct Inner {
    application: Py<PyAny>,
    base: Base,
    /// Where it lies.
    mount: String,
    pool: Arc<Pool>,
    patience: Patience,
    secure: bool,
}

impl Host {
    pub(crate) fn new(
        application: Py<PyAny>,
        base: Base,
        pool: Arc<Pool>,
        patience: Patience,
        secure: bool,
    ) -> Self {
        let mount = environ::mount();
        Self(Arc::new(Inner { application, base, mount, pool, patience, secure }))
    }

    /// A router with the application behind every path.
    pub(crate) fn router(&self) -> axum::Router {
        let host = self.clone();
        axum::Router::new().fallback(move |request: Request<Body>| {
            let host = host.clone();
            async move { host.answer(request).await }
        })
    }

    async fn answer(self, request: Request<Body>) -> Response<Body> {
        let pool = Arc::clone(&self.0.pool);
        if pool.load().1 >= MAX_WAITING {
            return unavailable();
        }
        let answer = exchange::ask(&pool, |reply| {
            Box::new(move |py| {
                self.0.call(py, request, reply);
                Ok(())
            })
        });
        // Without a head the application has failed before it had one, or the server ends.
        answer.await.unwrap_or_else(|_| failed())
    }
}

impl Inner {
    /// Calls the application. Its exceptions end here.
    fn call(&self, py: Python<'_>, request: Request<Body>, reply: Reply) {
        if reply.is_closed() {
            return;
        }
        let answer = Answer::new(reply, request.method() == Method::HEAD, self.patience.clone());
        if let Err(error) = self.run(py, request, &answer) {
            if !gone::is_client_gone(py, &error) {
                error.display(py);
            }
            answer.fail(failed());
        }
    }

    fn run(&self, py: Python<'_>, request: Request<Body>, answer: &Answer) -> PyResult<()> {
        let (parts, body) = request.into_parts();
        let head = Head {
            method: parts.method.as_str(),
            target: parts.uri.path_and_query().map_or("/", |target| target.as_str()),
            protocol: if parts.version == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" },
            peer: parts.extensions.get::<axum::extract::ConnectInfo<SocketAddr>>().map(|info| info.0),
            secure: self.secure,
            mount: &self.mount,
        };
        let environ = self.base.environ(py, &head)?;
        let headers = parts.headers.iter();
        environ::add_headers(
            &environ,
            headers.map(|(name, value)| (name.as_str(), environ::latin1(value.as_bytes()).into())),
        )?;
        if let Some(host) = parts.uri.authority() {
            // The host of a target that is a whole URL is the request's (RFC 9112, 3.2.2).
            let host = host.as_str().rsplit_once('@').map_or(host.as_str(), |(_, host)| host);
            environ.set_item(pyo3::intern!(py, "HTTP_HOST"), host)?;
        }
        let unread = if parts.headers.contains_key(header::EXPECT) { Unread::Ends } else { Unread::IsRead };
        let input = Py::new(py, Input::new(body, unread, self.patience.clone()))?;
        environ.set_item(pyo3::intern!(py, "wsgi.input"), &input)?;
        let start_response = Py::new(py, StartResponse::new(answer.clone()))?;
        let result = returned(py, calling::call(self.application.bind(py), (environ, start_response)));
        let done = result.and_then(|iterable| send_all(&iterable, answer));
        // Whoever keeps the input does not keep the request's body.
        input.get().end();
        done
    }
}

/// Sends what the application returned, and closes it, come what may.
fn send_all(iterable: &Bound<'_, PyAny>, answer: &Answer) -> PyResult<()> {
    let sent = returned(iterable.py(), send_pieces(iterable, answer));
    let closed = match iterable.getattr_opt(pyo3::intern!(iterable.py(), "close")) {
        Ok(Some(close)) => calling::call(&close, ()).map(drop),
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    sent?;
    answer.end(iterable.py())?;
    closed
}

fn send_pieces(iterable: &Bound<'_, PyAny>, answer: &Answer) -> PyResult<()> {
    let py = iterable.py();
    if let Some(only) = only_piece(iterable) {
        return answer.send_only(py, &only);
    }
    let pieces = iterable.try_iter()?;
    while let Some(piece) = calling::next(&pieces) {
        answer.send(py, &bytes_of(&returned(py, piece)?)?)?;
    }
    Ok(())
}

/// The one piece of a list or tuple of one: its length is the answer's.
fn only_piece<'py>(iterable: &Bound<'py, PyAny>) -> Option<Bound<'py, PyBytes>> {
    let item = if let Ok(list) = iterable.cast_exact::<PyList>() {
        (list.len() == 1).then(|| list.get_item(0).ok()).flatten()?
    } else {
        let tuple = iterable.cast_exact::<PyTuple>().ok()?;
        (tuple.len() == 1).then(|| tuple.get_item(0).ok()).flatten()?
    };
    item.cast_into::<PyBytes>().ok()
}

fn bytes_of<'py>(piece: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    if let Ok(bytes) = piece.cast::<PyBytes>() {
        return Ok(bytes.clone());
    }
    let name = piece.get_type().name()?;
    Err(pyo3::exceptions::PyTypeError::new_err(format!(
        "the WSGI application's iterable must give bytes, not {name}"
    )))
}

fn failed() -> Response<Body> {
    plain(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
}

fn unavailable() -> Response<Body> {
    let mut answer = plain(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut answer = Response::new(Body::from(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}
