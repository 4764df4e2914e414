//! A bare `String` is no extractor: the message names `Data<String>`.

fn main() {
    let io = erlen::Server::new();
    io.on("say", say);
}

fn say(text: String) {
    println!("{text}");
}
