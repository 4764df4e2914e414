//! The server of engine.io-client's own suite: `eio-client PORT`.
//!
//! It is an axum app with the engine as a layer, and not the engine's own listener, for `sendHeaders`: what came with
//! the POST of a message is no business of the engine, so a middleware in front of it remembers that.
//! Suite: <https://github.com/socketio/socket.io/tree/main/packages/engine.io-client/test>

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use conformance::http_date;
use erlen::Cors;
use erlen::engine::{Allowed, Application, Client, CloseReason, Engine, Handshake, Message, Options};
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue, Method};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::default().allow_request(allow).initial_headers(set_cookies);
    options.session.ping_interval = Duration::from_millis(500);
    options.session.max_payload = 100;
    options.cors = Some(Cors::any());

    let posts = Posts::default();
    let engine = Engine::start(Greeter(posts.clone()), options)?;
    let app = axum::Router::new()
        .layer(engine.layer())
        .layer(middleware::from_fn_with_state(posts, remember))
        .into_make_service_with_connect_info::<SocketAddr>();
    let listener = tokio::net::TcpListener::bind(conformance::address()?).await?;
    println!("listening on {}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

async fn allow(handshake: Handshake) -> Allowed {
    match handshake.query_value("deny") {
        Some(_) => Err("denied".into()),
        None => Ok(()),
    }
}

/// The four cookies that a client has to tell apart: two to keep, two that are over already.
fn set_cookies(answer: &mut HeaderMap, _: &HeaderMap) {
    let over = format!("4=4; Expires={}", http_date(SystemTime::now()));
    let kept = ["1=1; Max-Age=86400", "2=2; Path=/; HttpOnly; Secure; SameSite=Strict", "3=3; Max-Age=0"];
    for cookie in kept.into_iter().chain([over.as_str()]) {
        if let Ok(value) = HeaderValue::from_str(cookie) {
            answer.append(SET_COOKIE, value);
        }
    }
}

/// The headers of the last POST of each session, as JSON text.
#[derive(Clone, Default)]
struct Posts(Arc<Mutex<HashMap<String, String>>>);

impl Posts {
    fn change<T>(&self, change: impl FnOnce(&mut HashMap<String, String>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Remembers the headers of a POST before the engine answers it.
async fn remember(State(posts): State<Posts>, request: Request, next: Next) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let sid = query.split('&').find_map(|pair| pair.strip_prefix("sid="));
    if let Some(sid) = sid.filter(|_| request.method() == Method::POST) {
        let headers = request.headers().iter();
        let text = headers.map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())));
        let json = serde_json::json!(text.collect::<HashMap<_, _>>()).to_string();
        posts.change(|posts| posts.insert(sid.to_owned(), json));
    }
    next.run(request).await
}

/// Says `hi`, and then what it is told or asked for.
struct Greeter(Posts);

impl Application for Greeter {
    type State = ();

    fn open_state(&self) {}

    fn on_open(&self, client: &Arc<Client<Self>>) {
        let _ = client.send_text("hi");
    }

    fn on_message(&self, client: &Arc<Client<Self>>, _: Instant, message: Message<'_>) {
        // A client that has gone, or that is cut because it does not read, gets no answer.
        let _ = match message {
            Message::Text("give binary") => client.send_binary(&[0, 1, 2, 3, 4]),
            Message::Text("give utf8") => client.send_text("пойду спать всем спокойной ночи"),
            Message::Text("sendHeaders") => {
                let headers = self.0.change(|posts| posts.get(client.sid().as_str()).cloned());
                client.send_text(headers.as_deref().unwrap_or("null"))
            }
            Message::Text(text) => client.send_text(text),
            Message::Binary(data) => client.send_binary(data),
        };
    }

    fn on_close(&self, client: &Arc<Client<Self>>, _: CloseReason, _: &'static str) {
        self.0.change(|posts| posts.remove(client.sid().as_str()));
    }
}
