//! A future that holds an `Rc` across an await cannot move between threads.

use std::rc::Rc;

use erlen::Socket;

async fn count(socket: Socket) -> usize {
    let shared = Rc::new(1);
    let answer: Result<usize, _> = socket.emit_with_ack("count?", ()).await;
    answer.unwrap_or(*shared)
}

fn main() {
    let io = erlen::Server::new();
    io.on("count", count);
}
