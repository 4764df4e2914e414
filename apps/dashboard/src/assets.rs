//! The page's files, embedded at build time, and how they are answered: gzip where it is understood, `ETag`, a strict policy.
//!
//! The Socket.IO client comes from `erlen-client-js` and lies beside uPlot under `lib/`, since there it goes out compressed.
//! `http.rs` asks for a file by its path; there is no directory behind it, so no path can lead out of it.

use axum::body::Body;
use axum::http::{HeaderMap, Response, StatusCode, header};

/// Nothing from elsewhere, nothing inline, no framing.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

struct Asset {
    name: &'static str,
    content_type: &'static str,
    etag: &'static str,
    bytes: &'static [u8],
    gzip: &'static [u8],
}

static PAGE: &[Asset] = &include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The file at a path below the page, `""` being the page itself.
pub(crate) fn answer(path: &str, headers: &HeaderMap) -> Option<Response<Body>> {
    let name = if path.is_empty() { "index.html" } else { path };
    if let Some(asset) = PAGE.iter().find(|asset| asset.name == name) {
        return Some(respond(asset, headers));
    }
    let client = name.strip_prefix("lib/")?;
    let file = erlen_client_js::files().iter().find(|file| file.name == client)?;
    let etag = client_etag();
    let asset =
        Asset { name: file.name, content_type: file.content_type, etag, bytes: file.bytes, gzip: file.gzip };
    Some(respond(&asset, headers))
}

/// The client's version in quotes, as Node sends it.
fn client_etag() -> &'static str {
    static ETAG: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| format!("\"{}\"", erlen_client_js::VERSION));
    &ETAG
}

fn respond(asset: &Asset, headers: &HeaderMap) -> Response<Body> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let builder = Response::builder()
        .header(header::ETAG, asset.etag)
        .header(header::CACHE_CONTROL, "no-cache")
        .header(header::VARY, "accept-encoding")
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(header::REFERRER_POLICY, "no-referrer");
    let is_page = asset.content_type.starts_with("text/html");
    let builder = if is_page { builder.header(header::CONTENT_SECURITY_POLICY, POLICY) } else { builder };
    let known =
        text(header::IF_NONE_MATCH).split(',').any(|etag| etag.trim().trim_start_matches("W/") == asset.etag);
    let built = if known {
        builder.status(StatusCode::NOT_MODIFIED).body(Body::empty())
    } else if takes_gzip(text(header::ACCEPT_ENCODING)) {
        let builder = builder.header(header::CONTENT_ENCODING, "gzip");
        builder.header(header::CONTENT_TYPE, asset.content_type).body(Body::from(asset.gzip))
    } else {
        builder.header(header::CONTENT_TYPE, asset.content_type).body(Body::from(asset.bytes))
    };
    built.unwrap_or_default()
}

/// `gzip`, unless it is refused by `q=0`.
fn takes_gzip(accept: &str) -> bool {
    accept.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused =
            weight.trim().strip_prefix("q=").and_then(|q| q.trim().parse::<f32>().ok()) == Some(0.0);
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(path: &str, pairs: &[(header::HeaderName, &'static str)]) -> Option<Response<Body>> {
        let headers = pairs
            .iter()
            .map(|(name, value)| (name.clone(), header::HeaderValue::from_static(value)))
            .collect();
        answer(path, &headers)
    }

    #[test]
    fn the_page_and_both_libraries_are_there() {
        for path in [
            "",
            "index.html",
            "style.css",
            "icon.svg",
            "js/main.js",
            "lib/uPlot.iife.min.js",
            "lib/socket.io.esm.min.js",
        ] {
            assert_eq!(ask(path, &[]).expect(path).status(), StatusCode::OK);
        }
        assert!(
            ask("../Cargo.toml", &[]).is_none() && ask("js/", &[]).is_none() && ask("lib/", &[]).is_none()
        );
    }

    #[test]
    fn a_known_file_is_not_sent_again() {
        let first = ask("style.css", &[]).unwrap();
        let etag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, etag.parse().unwrap());
        assert_eq!(answer("style.css", &headers).unwrap().status(), StatusCode::NOT_MODIFIED);
    }

    #[test]
    fn gzip_goes_to_those_who_take_it() {
        let coding = |accept| {
            ask("js/main.js", &[(header::ACCEPT_ENCODING, accept)])
                .unwrap()
                .headers()
                .get(header::CONTENT_ENCODING)
                .cloned()
        };
        assert_eq!(coding("br, gzip").unwrap(), "gzip");
        assert!(coding("br").is_none() && coding("gzip;q=0").is_none() && coding("").is_none());
    }

    #[test]
    fn the_page_carries_the_policy() {
        let policy =
            ask("", &[]).unwrap().headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    }

    #[test]
    fn the_page_holds_no_inline_script_style_or_foreign_address() {
        let page = PAGE.iter().find(|asset| asset.name == "index.html").unwrap();
        let text = std::str::from_utf8(page.bytes).unwrap();
        assert!(!text.contains("style=") && !text.contains("<style") && !text.contains("http"));
        assert!(text.matches("<script").count() == text.matches("<script src=").count());
        assert!(
            !text.contains("src=\"/") && !text.contains("href=\"/"),
            "addresses are relative, for a sub-path"
        );
    }
}
