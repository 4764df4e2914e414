//! The server of engine.io-client-java's suite: `java-eio PORT [--tls CERTIFICATE KEY]`.
//!
//! Suite: <https://github.com/socketio/engine.io-client-java/tree/main/src/test>

use std::sync::Arc;
use std::time::{Duration, Instant};

use erlen::Cors;
use erlen::engine::{Application, Client, CloseReason, Engine, Message, Options};
use http::{HeaderMap, HeaderName, HeaderValue};

const ECHOED: HeaderName = HeaderName::from_static("x-engineio");

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::default().headers(echo_header);
    options.session.ping_interval = Duration::from_millis(500);
    options.cors = Some(Cors::any());

    let mut listen = Engine::start(Greeter, options)?.listen(conformance::address()?);
    if let Some(config) = conformance::tls()? {
        listen = listen.tls(config);
    }
    let bound = listen.bind().await?;
    println!("listening on {}", bound.local_addr());
    Ok(bound.await?)
}

fn echo_header(answer: &mut HeaderMap, request: &HeaderMap) {
    if let Some(value) = request.get(&ECHOED) {
        answer.append(ECHOED, HeaderValue::from_static("hi"));
        answer.append(ECHOED, value.clone());
    }
}

/// Says `hi`, and then what it is told.
struct Greeter;

impl Application for Greeter {
    type State = ();

    fn open_state(&self) {}

    fn on_open(&self, client: &Arc<Client<Self>>) {
        let _ = client.send_text("hi");
    }

    fn on_message(&self, client: &Arc<Client<Self>>, _: Instant, message: Message<'_>) {
        // A client that has gone, or that is cut because it does not read, gets no answer.
        let _ = match message {
            Message::Text(text) => client.send_text(text),
            Message::Binary(data) => client.send_binary(data),
        };
    }

    fn on_close(&self, _: &Arc<Client<Self>>, _: CloseReason, _: &'static str) {}
}
