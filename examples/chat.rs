//! A chat: rooms, names, and who is typing, which may get lost. `cargo run -p erlen-examples --bin chat`
//!
//! The name comes with the connect; a middleware refuses a bad one, and the page shows why.

use axum::{Router, response::Html, routing::get};
use erlen::{Auth, Data, Error, Result, Server, Socket, SocketData};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Join {
    name: String,
}

/// What is kept for each socket.
struct Name(String);

#[derive(Serialize)]
struct Line<'a> {
    room: &'a str,
    name: &'a str,
    text: &'a str,
}

#[derive(Deserialize)]
struct Said {
    room: String,
    text: String,
}

fn name(socket: Socket, Auth(join): Auth<Join>) -> Result<()> {
    let name = join.name.trim();
    if name.is_empty() || name.chars().count() > 20 {
        return Err(Error::refuse("a name of 1 to 20 letters, please"));
    }
    socket.insert(Name(name.to_owned()));
    Ok(())
}

/// Enters a room; the ack tells how many are in it.
fn enter(socket: Socket, SocketData(name): SocketData<Name>, Data(room): Data<String>) -> Result<usize> {
    socket.join(room.as_str());
    let arrived = Line { room: &room, name: &name.0, text: "has arrived" };
    socket.to(&room).emit("notice", arrived)?;
    Ok(socket.namespace().sockets_in(&room).len())
}

fn say(socket: Socket, SocketData(name): SocketData<Name>, Data(said): Data<Said>) -> Result<()> {
    if !socket.rooms().iter().any(|room| **room == *said.room) {
        return Err(Error::new("not_in_room", "enter the room first"));
    }
    let line = Line { room: &said.room, name: &name.0, text: &said.text };
    socket.namespace().to(&said.room).emit("line", line)?;
    Ok(())
}

fn typing(socket: Socket, SocketData(name): SocketData<Name>, Data(room): Data<String>) -> Result<()> {
    socket.to(&room).volatile().emit("typing", (&room, &name.0))?;
    Ok(())
}

fn goodbye(socket: Socket, SocketData(name): SocketData<Name>) -> Result<()> {
    for room in socket.rooms() {
        socket.to(&room).emit("notice", Line { room: &room, name: &name.0, text: "has left" })?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let io = Server::builder().serve_client(erlen_client_js::BUNDLE).build()?;
    io.middleware(name).on_disconnecting(goodbye);
    io.on("enter", enter).on("say", say).on("typing", typing);
    let app = Router::new().route("/", get(|| async { Html(include_str!("chat.html")) }));
    println!("http://127.0.0.1:5000: open it in two windows");
    Ok(io.listen("127.0.0.1:5000").router(app).stop_on_signals().await?)
}
