//! An answer of the engine, until it is written (`raw_answer.rs`) or given to the HTTP server.
//!
//! Nearly all say the same beside what their body is. So there is no map of their headers before somebody wants one: a
//! hook, CORS, a cookie.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;

/// The body of every answer of the engine.
pub type Body = Full<Bytes>;

/// The headers of every answer, as they are written.
pub(super) const ALWAYS: &str = "cache-control: no-store\r\nx-content-type-options: nosniff\r\n";

/// Status, headers and body.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: Headers,
    pub(super) body: Bytes,
}

/// The headers of an answer.
pub(super) struct Headers {
    /// What the body is.
    pub(super) content_type: Option<&'static str>,
    /// All of them, if they are not just that and [`ALWAYS`].
    pub(super) map: Option<Box<HeaderMap>>,
}

impl Answer {
    /// An answer without a body.
    pub(super) fn empty(status: StatusCode) -> Self {
        Self::plain(status, "")
    }

    /// An answer that does not say what its body is.
    pub(super) fn plain(status: StatusCode, text: &'static str) -> Self {
        let headers = Headers { content_type: None, map: None };
        Self { status, headers, body: Bytes::from_static(text.as_bytes()) }
    }

    /// An answer whose body is of this type.
    pub(super) fn text(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let headers = Headers { content_type: Some(content_type), map: None };
        Self { status, headers, body: body.into() }
    }

    /// All headers, to be changed.
    pub(super) fn headers_mut(&mut self) -> &mut HeaderMap {
        let Headers { content_type, map } = &mut self.headers;
        map.get_or_insert_with(|| Box::new(usual(*content_type)))
    }
}

/// The headers of an answer that has no others.
fn usual(content_type: Option<&'static str>) -> HeaderMap {
    let content_type = content_type.map(|value| (header::CONTENT_TYPE, HeaderValue::from_static(value)));
    let always = ALWAYS.lines().filter_map(|line| line.split_once(": "));
    let always = always.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    content_type.into_iter().chain(always).collect()
}

impl From<Answer> for Response<Body> {
    fn from(mut answer: Answer) -> Self {
        let headers = std::mem::take(answer.headers_mut());
        let mut response = Response::new(Body::new(answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = headers;
        response
    }
}

/// An answer of the routes beside the engine, without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut answer = Response::new(Body::default());
    *answer.status_mut() = status;
    answer
}

/// An answer of the routes beside the engine, of this type.
pub(crate) fn text(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut answer = Response::new(Body::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
