//! What a server answers besides the engine: the JavaScript client's files, health, metrics.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Response, StatusCode};

use crate::engine::{self, Body};
use crate::openmetrics;
use crate::server::Server;

/// The JavaScript client: its version, and name, content type and content of each file.
pub type ClientBundle = (&'static str, &'static [(&'static str, &'static str, &'static [u8])]);

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
    pub(crate) fn answer_route(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Option<Response<Body>> {
        if method != Method::GET && method != Method::HEAD {
            return None;
        }
        let routes = self.routes();
        if let Some(bundle) = &routes.client
            && let Some(name) = path.strip_prefix(self.engine().options().path.as_str())
        {
            return client_file(bundle, name, headers);
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
    let (_, content_type, bytes) = files.iter().find(|(file, _, _)| *file == name)?;
    let etag = format!("\"{version}\"");
    let known = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    let unchanged = known.is_some_and(|known| known.trim_start_matches("W/") == etag);
    let mut answer = if unchanged {
        engine::empty(StatusCode::NOT_MODIFIED)
    } else {
        engine::text(StatusCode::OK, content_type, Bytes::from_static(bytes))
    };
    let out = answer.headers_mut();
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        out.insert(header::ETAG, etag);
    }
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=0"));
    out.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Some(answer)
}
