//! The binary of Erlen Live.
fn main() {}
