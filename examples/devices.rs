//! A device console: a namespace for each site by pattern, devices that prove who they are, and commands that they
//! acknowledge in time or not. `cargo run -p erlen-examples --bin devices`, and then `node devices.mjs` beside it.
//!
//! `POST /SITE/DEVICE/COMMAND` asks one device, `POST /SITE/all/COMMAND` all of the site.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Json, Router, routing::post};
use erlen::{Auth, Error, Result, Server, Socket, SocketData};
use serde::Deserialize;
use serde_json::{Value, json};

/// How long a device has for its answer.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct Credentials {
    device: String,
    token: String,
}

/// Which device a socket is.
struct Device(String);

/// Stands for a look into a database of devices and their secrets.
fn is_known(site: &str, credentials: &Credentials) -> bool {
    credentials.token == format!("secret of {} in {site}", credentials.device)
}

fn authenticate(socket: Socket, Auth(credentials): Auth<Credentials>) -> Result<()> {
    let site = socket.namespace().name().trim_start_matches("/site/");
    if !is_known(site, &credentials) {
        return Err(Error::refuse("unknown device").with_data(json!({ "device": credentials.device })));
    }
    socket.join(format!("device:{}", credentials.device));
    socket.insert(Device(credentials.device));
    Ok(())
}

fn arrived(socket: Socket, SocketData(device): SocketData<Device>) {
    println!("{} is at {}", device.0, socket.namespace().name());
}

fn left(socket: Socket, SocketData(device): SocketData<Device>, reason: erlen::DisconnectReason) {
    println!("{} has left {}: {reason}", device.0, socket.namespace().name());
}

/// Sends a command, and answers with what the devices said in time.
async fn command(
    State(io): State<Server>,
    Path((site, device, command)): Path<(String, String, String)>,
) -> (StatusCode, Json<Value>) {
    let site = io.of(&format!("/site/{site}"));
    let devices = match device.as_str() {
        "all" => site.operator(),
        one => site.to(format!("device:{one}")),
    };
    let asked = match devices.timeout(PATIENCE).emit_with_ack::<Value>("command", &command) {
        Ok(asked) => asked,
        Err(error) => return (StatusCode::BAD_REQUEST, Json(json!({ "error": error.to_string() }))),
    };
    let answers = asked.await;
    let status = match (answers.expected, answers.is_complete()) {
        (0, _) => StatusCode::NOT_FOUND,
        (_, true) => StatusCode::OK,
        (_, false) => StatusCode::GATEWAY_TIMEOUT,
    };
    let asked = answers.expected;
    (status, Json(json!({ "asked": asked, "answers": answers.values().collect::<Vec<_>>() })))
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let io = Server::new();
    let sites = io.of_pattern("/site/{name}");
    sites.middleware(authenticate).on_connect(arrived).on_disconnect(left);
    let app = Router::new().route("/{site}/{device}/{command}", post(command)).with_state(io.clone());
    println!(
        "http://127.0.0.1:5000, for devices and for curl -X POST http://127.0.0.1:5000/north/all/status"
    );
    Ok(io.listen("127.0.0.1:5000").router(app).stop_on_signals().await?)
}
