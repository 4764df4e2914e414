//! The HTTP side: the page's files, and the three addresses for posting.
//!
//! It judges who asks, reads a bounded body, hands it to `ingest` and `live`, and says in a sentence what was wrong.
//! The engine answers its own path before this router is asked.

use std::io::Read;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderName, Response, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::routing::{get, post};
use serde::Deserialize;

use crate::app::App;
use crate::assets;
use crate::auth::{bearer, is_same_origin};
use crate::ingest::{MAX_BODY, Point, Precision, Refusal, parse_json, parse_lines};
use crate::live::PostError;

/// A body that takes longer is not read on.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// All routes of the dashboard beside the engine.
pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/ingest", post(ingest))
        .route("/write", post(write))
        .route("/api/v2/write", post(write))
        .fallback(get(file))
        .layer(middleware::from_fn_with_state(app.clone(), guard))
        .with_state(app)
}

/// What is wrong with a request, as its answer.
type Refused = Box<Response<Body>>;

async fn file(uri: Uri, headers: HeaderMap) -> Response<Body> {
    let path = uri.path().trim_start_matches('/');
    assets::answer(path, &headers)
        .unwrap_or_else(|| say(StatusCode::NOT_FOUND, "There is nothing here; the dashboard is at /."))
}

/// A foreign page can neither read through a name of its own that leads here, nor post.
async fn guard(State(app): State<App>, request: Request, next: Next) -> Response<Body> {
    let host = text(request.headers(), header::HOST);
    if !app.access.accepts_host(host) {
        let hint =
            "This address serves localhost alone; start the dashboard with --password to use another name.";
        return say(StatusCode::FORBIDDEN, hint);
    }
    match text(request.headers(), header::ORIGIN) {
        Some(origin) if !host.is_some_and(|host| is_same_origin(origin, host)) => say(
            StatusCode::FORBIDDEN,
            "A page of another origin may not post here; post from a program, or by a token from your server.",
        ),
        _ => next.run(request).await,
    }
}

async fn ingest(State(app): State<App>, headers: HeaderMap, body: Body) -> Response<Body> {
    take(&app, &headers, body, parse_json).await
}

#[derive(Deserialize)]
struct WriteQuery {
    precision: Option<String>,
}

async fn write(
    State(app): State<App>,
    Query(query): Query<WriteQuery>,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    match Precision::from_query(query.precision.as_deref()) {
        Ok(precision) => take(&app, &headers, body, |body| parse_lines(body, precision)).await,
        Err(refusal) => refuse(&app, &refusal),
    }
}

/// Takes a post whole or refuses it whole.
async fn take(
    app: &App,
    headers: &HeaderMap,
    body: Body,
    parse: impl FnOnce(&[u8]) -> Result<Vec<Point>, Refusal>,
) -> Response<Body> {
    let given = text(headers, header::AUTHORIZATION).and_then(bearer);
    if !app.access.may_post(given) {
        if app.access.may_look(given) {
            let sentence =
                "This password opens the page and may not post; give the token of --token instead.";
            return say(StatusCode::FORBIDDEN, sentence);
        }
        return say(
            StatusCode::UNAUTHORIZED,
            "Posting needs the token: add the header 'Authorization: Bearer TOKEN'.",
        );
    }
    let body = match read(headers, body).await {
        Ok(body) => body,
        Err(answer) => return *answer,
    };
    match parse(&body).map(|points| app.post(&points)) {
        Ok(Ok(_)) => status(StatusCode::NO_CONTENT).body(Body::empty()).unwrap_or_default(),
        Ok(Err(PostError::Refused(refusal))) => say(StatusCode::BAD_REQUEST, &refusal.to_string()),
        Ok(Err(PostError::Busy)) => {
            let mut answer = say(
                StatusCode::TOO_MANY_REQUESTS,
                "Too many points wait for the next second; post them again then.",
            );
            answer.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
            answer
        }
        Err(refusal) => refuse(app, &refusal),
    }
}

/// The body, unpacked if it is gzip as Telegraf sends it, and in both forms no longer than the limit.
async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Refused> {
    let too_long = || {
        Box::new(say(
            StatusCode::PAYLOAD_TOO_LARGE,
            &format!("A post has at most {MAX_BODY} bytes; send it in parts."),
        ))
    };
    let slow = || Box::new(say(StatusCode::REQUEST_TIMEOUT, "The body did not come in time."));
    let reading = axum::body::to_bytes(body, MAX_BODY);
    let bytes =
        tokio::time::timeout(BODY_TIMEOUT, reading).await.map_err(|_| slow())?.map_err(|_| too_long())?;
    match text(headers, header::CONTENT_ENCODING) {
        None | Some("identity" | "") => Ok(bytes),
        Some("gzip") => {
            let mut plain = Vec::new();
            let unpacked = flate2::read::MultiGzDecoder::new(&bytes[..])
                .take(MAX_BODY as u64 + 1)
                .read_to_end(&mut plain);
            unpacked.map_err(|_| {
                Box::new(say(StatusCode::BAD_REQUEST, "The body is no gzip, as its Content-Encoding says."))
            })?;
            if plain.len() > MAX_BODY { Err(too_long()) } else { Ok(plain.into()) }
        }
        Some(_) => Err(Box::new(say(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Content-Encoding may be gzip, or left out.",
        ))),
    }
}

fn refuse(app: &App, refusal: &Refusal) -> Response<Body> {
    app.count_refusal();
    say(StatusCode::BAD_REQUEST, &refusal.to_string())
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn status(status: StatusCode) -> axum::http::response::Builder {
    Response::builder().status(status).header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
}

fn say(code: StatusCode, sentence: &str) -> Response<Body> {
    let builder = status(code).header(header::CONTENT_TYPE, "text/plain; charset=utf-8");
    builder.body(Body::from(format!("{sentence}\n"))).unwrap_or_default()
}
