//! The engine without Socket.IO: another protocol on sessions that poll and upgrade. A shared counter: a client sends
//! `+` or `-`, everybody gets the sum; bytes come back as they are. `cargo run -p erlen-examples --bin plain_engineio`
//!
//! Clients are those of Engine.IO: `engine.io-client` of npm, `new Socket("http://127.0.0.1:5000")`.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use erlen::engine::{Application, Client, CloseReason, Engine, Message, Options};

/// What runs on the engine.
struct Counter(AtomicI64);

impl Counter {
    fn add(&self, client: &Client<Self>, change: i64) {
        let sum = self.0.fetch_add(change, Ordering::Relaxed) + change;
        for other in client.engine().clients() {
            // Who has gone meanwhile needs no sum.
            let _ = other.send_text(&sum.to_string());
        }
    }
}

impl Application for Counter {
    /// How many messages the session has sent.
    type State = AtomicI64;

    fn open_state(&self) -> AtomicI64 {
        AtomicI64::new(0)
    }

    fn on_open(&self, client: &Arc<Client<Self>>) {
        println!("{:?} is here", client.sid());
        let _ = client.send_text(&self.0.load(Ordering::Relaxed).to_string());
    }

    fn on_message(&self, client: &Arc<Client<Self>>, _: Instant, message: Message<'_>) {
        client.state().fetch_add(1, Ordering::Relaxed);
        match message {
            Message::Text("+") => self.add(client, 1),
            Message::Text("-") => self.add(client, -1),
            Message::Text(_) => client.close(CloseReason::ParseError, "neither + nor -"),
            Message::Binary(data) => drop(client.send_binary(data)),
        }
    }

    fn on_close(&self, client: &Arc<Client<Self>>, reason: CloseReason, detail: &'static str) {
        let messages = client.state().load(Ordering::Relaxed);
        println!("gone after {messages} messages: {reason} ({detail})");
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::start(Counter(AtomicI64::new(0)), Options::default())?;
    println!("http://127.0.0.1:5000/engine.io/");
    Ok(engine.listen("127.0.0.1:5000").stop_on_signals().await?)
}
