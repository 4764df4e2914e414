//! A socket's handshake as Node's `socket.handshake` shows it, for the clients that ask for it.

use std::time::UNIX_EPOCH;

use erlen::Socket;
use serde_json::{Map, Value, json};

use crate::http_date;

/// The request that opened the session and the auth of the namespace, with the keys of Node's `socket.handshake`.
pub fn handshake_json(socket: &Socket) -> Value {
    let handshake = socket.handshake();
    let headers: Map<_, _> =
        handshake.headers().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let query: Map<_, _> = handshake.query_pairs().map(|(key, value)| (key, value.into())).collect();
    let auth = socket.auth().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| json!({}));
    let issued = handshake.issued().duration_since(UNIX_EPOCH).unwrap_or_default();
    json!({
        "headers": headers,
        "time": http_date(handshake.issued()),
        "address": handshake.peer().map(|peer| peer.ip().to_string()),
        "xdomain": handshake.cross_domain(),
        "secure": handshake.secure(),
        "issued": u64::try_from(issued.as_millis()).unwrap_or(u64::MAX),
        "url": handshake.uri(),
        "query": query,
        "auth": auth,
    })
}
