//! Fetches the official JavaScript client by the locked package list and writes the table that `src/lib.rs` includes.
//!
//! It changes none of the client's bytes; each file is embedded as published, and once more as gzip.

use std::env;
use std::fmt::Write;
use std::path::PathBuf;

mod npm;

/// Node's `serveClient` serves these names, each with its `.map`.
const NAMES: [&str; 4] =
    ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"];

fn main() {
    println!("cargo:rerun-if-changed=build");
    let manifest_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let package = npm::install(&manifest_dir, &out_dir).join("socket.io-client");

    let mut table = String::from("[\n");
    for name in NAMES {
        for (name, content_type) in [
            (name.to_owned(), "application/javascript; charset=utf-8"),
            (format!("{name}.map"), "application/json; charset=utf-8"),
        ] {
            let bytes = npm::read(&package.join("dist").join(&name));
            npm::write(&out_dir.join("client").join(&name), &bytes);
            npm::write(&out_dir.join("client").join(format!("{name}.gz")), &npm::gzip(&bytes));
            writeln!(
                table,
                "ClientFile {{ name: {name:?}, content_type: {content_type:?}, \
                 bytes: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/client/{name}\")), \
                 gzip: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/client/{name}.gz\")) }},"
            )
            .expect("a String takes every write");
        }
    }
    table.push(']');
    npm::write(&out_dir.join("files.rs"), table.as_bytes());
    println!(
        "cargo:rustc-env=SOCKET_IO_CLIENT_VERSION={}",
        version(&npm::read(&package.join("package.json")))
    );
}

/// The version that the installed package names.
fn version(package_json: &[u8]) -> String {
    let text = String::from_utf8_lossy(package_json);
    let value = text.split_once("\"version\"").and_then(|(_, rest)| rest.split('"').nth(1));
    value.unwrap_or_else(|| npm::fail("the installed socket.io-client names no version")).to_owned()
}
