//! What a server answers besides the engine: the JavaScript client's files, health, metrics.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};

use crate::engine::{self, Body};
use crate::openmetrics;
use crate::server::Server;

/// The JavaScript client: its version, and name, content type, content and the same as gzip of each file.
pub type ClientBundle = (&'static str, &'static [(&'static str, &'static str, &'static [u8], &'static [u8])]);

/// The routes that are switched on.
#[derive(Clone, Default)]
pub(crate) struct Routes {
    pub(crate) client: Option<ClientBundle>,
    pub(crate) healthz: bool,
    pub(crate) metrics: bool,
}

impl Routes {
    /// Whether a request of this path may be for one of them. The client's files lie under the engine's path.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.healthz && path == "/healthz" || self.metrics && path == "/metrics"
    }
}

impl Server {
    /// The answer to a request of one of these routes.
    pub(crate) fn answer_route<B>(
        &self,
        request: &Request<B>,
        secure: Option<bool>,
    ) -> Option<Response<Body>> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return None;
        }
        let path = request.uri().path();
        let routes = self.routes();
        if let Some(bundle) = &routes.client
            && let Some(name) = path.strip_prefix(self.engine().options().path.as_str())
        {
            let mut file = client_file(bundle, name, request.headers())?;
            self.engine().add_cors_headers(request.headers(), secure, file.headers_mut());
            return Some(file);
        }
        match path {
            "/healthz" if routes.healthz => Some(self.health()),
            "/metrics" if routes.metrics => {
                let body = openmetrics::write(self);
                Some(engine::text(StatusCode::OK, openmetrics::CONTENT_TYPE, body))
            }
            _ => None,
        }
    }

    fn health(&self) -> Response<Body> {
        if self.engine().is_closing() {
            return engine::text(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "shutting down\n");
        }
        engine::text(StatusCode::OK, "text/plain", "ok\n")
    }
}

/// A file of the client, with Node's `ETag` and cache headers.
fn client_file(bundle: &ClientBundle, name: &str, headers: &HeaderMap) -> Option<Response<Body>> {
    let (version, files) = bundle;
    let (_, content_type, plain, gzip) = files.iter().find(|(file, ..)| *file == name)?;
    let etag = format!("\"{version}\"");
    let known = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    let unchanged = known.is_some_and(|known| known.trim_start_matches("W/") == etag);
    let zipped = takes_gzip(headers);
    let mut answer = if unchanged {
        engine::empty(StatusCode::NOT_MODIFIED)
    } else {
        engine::text(StatusCode::OK, content_type, Bytes::from_static(if zipped { gzip } else { plain }))
    };
    let out = answer.headers_mut();
    if zipped && !unchanged {
        out.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    out.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        out.insert(header::ETAG, etag);
    }
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=0"));
    out.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Some(answer)
}

/// Whether `gzip` is accepted, and not refused by `q=0`.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    accepted.unwrap_or_default().split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.trim().parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight != Some(0.0)
    })
}
