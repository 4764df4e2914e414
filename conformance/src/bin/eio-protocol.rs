//! The server of Engine.IO's protocol suite: `eio-protocol PORT`. Every message comes back as it is.
//!
//! Suite: <https://github.com/socketio/engine.io-protocol/tree/main/test-suite>

use std::sync::Arc;
use std::time::{Duration, Instant};

use erlen::Cors;
use erlen::engine::{Application, Client, CloseReason, Engine, Message, Options};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::default();
    options.session.ping_interval = Duration::from_millis(300);
    options.session.ping_timeout = Duration::from_millis(200);
    options.session.max_payload = 1_000_000;
    options.cors = Some(Cors::any());

    let bound = Engine::start(Echo, options)?.listen(conformance::address()?).bind().await?;
    println!("listening on {}", bound.local_addr());
    Ok(bound.await?)
}

struct Echo;

impl Application for Echo {
    type State = ();

    fn open_state(&self) {}

    fn on_open(&self, _: &Arc<Client<Self>>) {}

    fn on_message(&self, client: &Arc<Client<Self>>, _: Instant, message: Message<'_>) {
        // A client that has gone, or that is cut because it does not read, gets no answer.
        let _ = match message {
            Message::Text(text) => client.send_text(text),
            Message::Binary(data) => client.send_binary(data),
        };
    }

    fn on_close(&self, _: &Arc<Client<Self>>, _: CloseReason, _: &'static str) {}
}
