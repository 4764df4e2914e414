//! A ticker: a background task emits prices, and each client hears the symbols it has asked for: a room a symbol.
//! `cargo run -p erlen-examples --bin ticker`

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::{Router, response::Html, routing::get};
use erlen::{Data, Error, Result, Server, Socket};
use serde::Serialize;

const SYMBOLS: [&str; 4] = ["ACME", "BOLT", "CORK", "DUNE"];

#[derive(Serialize)]
struct Price {
    symbol: &'static str,
    price: f64,
    at: u64,
}

impl Price {
    /// A price that wanders, without a stock exchange at hand.
    fn now(index: usize) -> Self {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let turn = at.as_secs_f64() / (7.0 + index as f64);
        let price = 100.0 + 10.0 * index as f64 + 5.0 * turn.sin() + (turn * 13.0).sin();
        let at = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        Self { symbol: SYMBOLS[index], price: (price * 100.0).round() / 100.0, at }
    }
}

/// Joins the room of a symbol; the ack is its price now, so that nobody waits for the next tick.
fn watch(socket: Socket, Data(symbol): Data<String>) -> Result<erlen::Json<Price>> {
    let index = SYMBOLS.iter().position(|known| *known == symbol);
    let index = index.ok_or_else(|| Error::new("unknown_symbol", format!("there is no {symbol}")))?;
    socket.join(symbol);
    Ok(erlen::Json(Price::now(index)))
}

fn unwatch(socket: Socket, Data(symbol): Data<String>) {
    socket.leave(symbol);
}

/// Emits by a clone of the server, until the server ends.
async fn tick(io: Server) {
    let mut turn = tokio::time::interval(Duration::from_millis(250));
    loop {
        turn.tick().await;
        for (index, symbol) in SYMBOLS.iter().enumerate() {
            // A client that is behind misses a price, and gets the next one.
            if let Err(error) = io.to(*symbol).volatile().emit("price", Price::now(index)) {
                eprintln!("a price that cannot be sent: {error}");
            }
        }
    }
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let io = Server::builder().serve_client(erlen_client_js::BUNDLE).build()?;
    io.on_connect(|socket: Socket| socket.emit("symbols", SYMBOLS.to_vec()));
    io.on("watch", watch).on("unwatch", unwatch);
    io.spawn(tick(io.clone()));
    let app = Router::new().route("/", get(|| async { Html(include_str!("ticker.html")) }));
    println!("http://127.0.0.1:5000");
    Ok(io.listen("127.0.0.1:5000").router(app).stop_on_signals().await?)
}
