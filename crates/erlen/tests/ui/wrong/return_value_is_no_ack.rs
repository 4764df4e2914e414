//! A type of the user's own goes into `Json`: the message says so.

use erlen::Data;

struct Point {
    x: i32,
}

fn main() {
    let io = erlen::Server::new();
    io.on("point", |Data(x): Data<i32>| Point { x });
}
