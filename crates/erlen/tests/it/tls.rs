//! Over TLS: the own listener with a certificate made for the test, HTTP and WebSocket.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::sync::Arc;

use erlen::{Server, Socket};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{WebSocket, ask_on, get, soon, until};

/// A listener over TLS, and a client that trusts it.
async fn secure(io: &Server) -> (SocketAddr, TlsConnector) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let certificate: CertificateDer<'static> = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate.clone()], key).expect("a key that fits");
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("a certificate that can be trusted");
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let bound = io.listen("127.0.0.1:0").tls(Arc::new(config)).bind().await.expect("a free port");
    let addr = bound.local_addr();
    tokio::spawn(bound.into_future());
    (addr, TlsConnector::from(Arc::new(client)))
}

async fn connect(addr: SocketAddr, tls: &TlsConnector) -> TlsStream<TcpStream> {
    let tcp = TcpStream::connect(addr).await.expect("the port is open");
    let name = ServerName::try_from("localhost").expect("a name");
    soon("a TLS session", tls.connect(name, tcp)).await.expect("a certificate that is trusted")
}

async fn websocket(addr: SocketAddr, tls: &TlsConnector) -> WebSocket<TlsStream<TcpStream>> {
    let request = "wss://localhost/socket.io/?EIO=4&transport=websocket";
    let stream = connect(addr, tls).await;
    let (stream, _) = tokio_tungstenite::client_async(request, stream).await.expect("a WebSocket");
    let mut ws = WebSocket::begin(stream).await;
    ws.send("40").await;
    assert!(ws.packet().await.starts_with("40{"));
    ws
}

#[tokio::test]
async fn a_websocket_over_tls() {
    let io = Server::builder().shards(1).build().unwrap();
    io.on("secure", |socket: Socket| socket.handshake().secure());
    io.on("big", |socket: Socket| socket.emit("big", "x".repeat(300_000)));
    let (addr, tls) = secure(&io).await;
    let mut ws = websocket(addr, &tls).await;
    ws.send(r#"421["secure"]"#).await;
    assert_eq!(ws.packet().await, "431[true]");
    ws.send(r#"42["big"]"#).await;
    assert_eq!(ws.packet().await.len(), 300_000 + r#"42["big",""]"#.len());
    // A lone small packet is not held back by the layer below.
    io.emit("news", 1).unwrap();
    assert_eq!(ws.packet().await, r#"42["news",1]"#);
    drop(ws);
    until("the connection has gone", || io.engine().connection_count() == 0).await;
}

#[tokio::test]
async fn polling_over_tls_and_a_cookie_that_is_secure() {
    let io = Server::builder().cookie(erlen::Cookie::default()).shards(1).build().unwrap();
    let (addr, tls) = secure(&io).await;
    let stream = connect(addr, &tls).await;
    let answer = ask_on(stream, "GET", "/socket.io/?EIO=4&transport=polling", "", "").await;
    assert_eq!(answer.status, 200);
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.contains("; Secure"), "{cookie}");
}

#[tokio::test]
async fn the_origin_of_a_page_over_tls_is_https() {
    let io = Server::builder().shards(1).build().unwrap();
    let (addr, tls) = secure(&io).await;
    let origins = [
        ("https://localhost", 200),
        ("wss://localhost", 200),
        ("http://localhost", 403),
        ("ws://localhost", 403),
        ("https://other", 403),
    ];
    for (origin, status) in origins {
        let headers = format!("Origin: {origin}\r\n");
        let stream = connect(addr, &tls).await;
        let answer = ask_on(stream, "GET", "/socket.io/?EIO=4&transport=polling", &headers, "").await;
        assert_eq!(answer.status, status, "{origin}");
    }
}

#[tokio::test]
async fn a_client_that_speaks_no_tls_harms_nobody() {
    let io = Server::builder().shards(1).build().unwrap();
    let (addr, tls) = secure(&io).await;
    let refused = tokio::spawn(async move { get(addr, "/", "").await });
    assert!(refused.await.is_err(), "there is no answer without TLS");
    websocket(addr, &tls).await;
}
