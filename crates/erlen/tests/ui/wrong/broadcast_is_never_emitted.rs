//! A broadcast that is put together and not emitted does nothing: the compiler warns, which is an error here.

#![deny(unused_must_use)]

fn main() {
    let io = erlen::Server::new();
    io.to("lobby").volatile();
}
