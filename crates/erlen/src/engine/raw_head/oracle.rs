//! What hyper makes of the same bytes: the judge of what is read here. For tests and for the fuzz target alone.

use std::cell::RefCell;
use std::convert::Infallible;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;

use super::RawHead;
use crate::engine::head::{Head as _, MAX_HEAD_BYTES, MAX_HEADERS};

const PATH: &str = "/socket.io/";
const NEXT: &str = "GET /next HTTP/1.1\r\nHost: next\r\n\r\n";

/// Reads bytes as a connection would. If a request is taken, hyper has to take the same one, to end it at the same byte, and
/// there must be no shorter one in them. Whether one was taken.
///
/// # Panics
/// Where they differ.
pub(crate) fn check(bytes: &[u8]) -> bool {
    const MAX_BODY: usize = 64;
    let Some((head, behind)) = RawHead::parse(bytes, PATH, MAX_BODY) else {
        return false;
    };
    let length = bytes.len() - behind.len();
    for end in 0..length {
        assert!(RawHead::parse(&bytes[..end], PATH, MAX_BODY).is_none(), "{end} bytes are a head");
    }
    let sent = behind.len().min(head.body_length());
    let mut whole = bytes[..length + sent].to_vec();
    whole.resize(length + head.body_length(), b'x');
    let body = whole[length..].to_vec();
    let closes = head.has_token(&header::CONNECTION, "close");
    whole.extend_from_slice(NEXT.as_bytes());
    let read = read_by_hyper(whole);
    let Some((parts, its_body)) = read.first() else {
        panic!("hyper refuses {:?}", String::from_utf8_lossy(bytes));
    };
    assert_eq!(
        (head.method(), head.version(), head.target()),
        (&parts.method, parts.version, parts.target())
    );
    assert_eq!(head.query(), parts.query());
    assert_eq!((head.size(), body), (parts.size(), its_body.to_vec()));
    assert_eq!(*head.header_map(), parts.headers);
    for name in parts.headers.keys() {
        assert!(head.all(name).eq(parts.all(name)), "{name}");
    }
    let next = read.get(1).map(|(next, _)| next.target());
    assert_eq!(next, (!closes).then_some("/next"), "where it ends");
    true
}

/// The requests that hyper reads, and their bodies.
fn read_by_hyper(bytes: Vec<u8>) -> Vec<(Parts, Bytes)> {
    let read = RefCell::new(Vec::new());
    let service = service_fn(|request: Request<Incoming>| {
        let read = &read;
        async move {
            let (parts, body) = request.into_parts();
            if let Ok(body) = body.collect().await {
                read.borrow_mut().push((parts, body.to_bytes()));
            }
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let serve = async {
        let (mut client, stream) = tokio::io::duplex(1 << 20);
        let sent = client.write_all(&bytes).await;
        sent.and(client.shutdown().await).expect("the pipe has room");
        let mut server = http1::Builder::new();
        server.max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD_BYTES).half_close(true);
        let _ = server.serve_connection(TokioIo::new(stream), service).await;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(serve);
    read.into_inner()
}
