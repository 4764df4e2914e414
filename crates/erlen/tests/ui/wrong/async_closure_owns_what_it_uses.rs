//! An async closure that owns what it uses can be called once at a time only: a plain one that returns an async block
//! clones it for each call, or `State` gives it.

use std::sync::Arc;

use erlen::Data;

fn main() {
    let io = erlen::Server::new();
    let greeting = Arc::new(String::from("hello"));
    io.on("greet", async move |Data(name): Data<String>| format!("{greeting} {name}"));
}
