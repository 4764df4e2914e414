//! Hello world with a page: `cargo run -p erlen-examples --bin hello`, then open http://127.0.0.1:5000 twice.
use erlen::{Data, Server, Socket};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let io = Server::builder().serve_client(erlen_client_js::BUNDLE).build().unwrap();
    io.on("say", |socket: Socket, Data(text): Data<String>| socket.namespace().emit("said", text));
    let page = || async { axum::response::Html(include_str!("hello.html")) };
    let app = axum::Router::new().route("/", axum::routing::get(page));
    io.listen("127.0.0.1:5000").router(app).await
}
