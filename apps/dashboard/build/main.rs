//! Embeds the page: the project's own files as they stand in `web/`, and uPlot as npm's lock file pins it.
//!
//! Nothing is bundled, renamed or minified here. Each file gets a gzip twin and a hash for its `ETag`.

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::fmt::Write;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

#[path = "../../../crates/erlen-client-js/build/npm.rs"]
mod npm;

const UPLOT: [&str; 2] = ["uPlot.iife.min.js", "uPlot.min.css"];

fn main() {
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rerun-if-changed=web");
    let web = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("web");
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let uplot = npm::install(&web, &out_dir).join("uplot/dist");

    let mut table = String::from("[\n");
    for name in ["index.html", "style.css", "icon.svg"] {
        embed(&mut table, &out_dir, name, &web.join(name));
    }
    for name in module_names(&web.join("js")) {
        embed(&mut table, &out_dir, &format!("js/{name}"), &web.join("js").join(&name));
    }
    for name in UPLOT {
        embed(&mut table, &out_dir, &format!("lib/{name}"), &uplot.join(name));
    }
    table.push(']');
    npm::write(&out_dir.join("assets.rs"), table.as_bytes());
}

/// The page's modules in a fixed order.
fn module_names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder)
        .unwrap_or_else(|error| npm::fail(&format!("{}: {error}", folder.display())));
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".js"))
        .collect();
    names.sort();
    names
}

fn embed(table: &mut String, out_dir: &Path, name: &str, source: &Path) {
    let bytes = npm::read(source);
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    npm::write(&out_dir.join("page").join(name), &bytes);
    npm::write(&out_dir.join("page").join(format!("{name}.gz")), &npm::gzip(&bytes));
    writeln!(
        table,
        "Asset {{ name: {name:?}, content_type: {:?}, etag: \"\\\"{:016x}\\\"\", \
         bytes: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/page/{name}\")), \
         gzip: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/page/{name}.gz\")) }},",
        content_type(name),
        hasher.finish(),
    )
    .expect("a String takes every write");
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => npm::fail(&format!("{name}: the build knows no content type for it")),
    }
}
