//! A client in the same process, for tests: what it sends is handled in the calling thread.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use erlen::engine::EncodedPacket;
use erlen::{Server, Socket, TestError, TestMessage, TestSession};
use erlen_socketio::{
    Decoder, DecoderConfig, Packet, PacketData, PacketKind, encode_connect, encode_header, encode_string,
};
use pyo3::exceptions::PyTimeoutError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use tokio::runtime::Handle;

use crate::args::Encoded;
use crate::capture;
use crate::session::{Session, SessionData};

/// See `_erlen.pyi`.
#[pyclass(frozen, module = "erlen._erlen")]
pub(crate) struct TestClient {
    transport: TestSession,
    server: Server,
    runtime: Handle,
    #[pyo3(get)]
    session: Py<Session>,
    received: Mutex<Received>,
}

/// What has come and was not asked for yet.
#[derive(Default)]
struct Received {
    decoder: Decoder,
    packets: Vec<Packet<'static>>,
}

impl TestClient {
    pub(crate) fn open(
        py: Python<'_>,
        server: &Server,
        runtime: Handle,
        target: &str,
        headers: &[(String, String)],
        data: SessionData,
    ) -> PyResult<Self> {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let transport = TestSession::open_with(server, target, &headers, data);
        let session = Py::new(py, Session::new(transport.client()))?;
        Ok(Self { transport, server: server.clone(), runtime, session, received: Mutex::default() })
    }

    /// Sends packets; what the server makes of them runs here.
    fn send(&self, py: Python<'_>, packets: &[EncodedPacket]) -> PyResult<()> {
        capture::run(py, || self.runtime.block_on(self.transport.send(packets)))
    }

    fn decode(&self, messages: Vec<TestMessage>) {
        let config = DecoderConfig { max_depth: 1000, barewords: true, ..DecoderConfig::default() };
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        for message in messages {
            let decoded = match &message {
                TestMessage::Text(text) => received.decoder.decode_text(&config, Instant::now(), text),
                TestMessage::Binary(data) => received.decoder.decode_binary(&config, data),
            };
            if let Ok(Some(packet)) = decoded {
                let packet = packet.into_owned();
                received.packets.push(packet);
            }
        }
    }

    /// What it is in a namespace, from the moment in which its connect handler begins.
    fn socket(&self, namespace: &str) -> Option<Socket> {
        let sockets = self.server.find(namespace)?.sockets();
        sockets.into_iter().find(|socket| Arc::ptr_eq(socket.client(), self.transport.client()))
    }

    /// Waits until the connect is over: what is sent before that would be handled behind it, in another thread.
    async fn settle(&self, namespace: &str) {
        let own = self.socket(namespace);
        while own.as_ref().is_some_and(|socket| !socket.is_settled()) {
            tokio::task::yield_now().await;
        }
    }

    /// Waits for the answer to a CONNECT; the end of the session is one too.
    fn answered(&self, py: Python<'_>, namespace: &str) -> PyResult<Option<String>> {
        loop {
            if let Some(answer) = self.answer(namespace) {
                py.detach(|| self.runtime.block_on(self.settle(namespace)));
                return Ok(answer);
            }
            match py.detach(|| self.runtime.block_on(self.transport.receive())) {
                Ok(messages) => self.decode(messages),
                Err(TestError::Disconnected) => return Ok(Some(String::new())),
                Err(error) => return Err(PyTimeoutError::new_err(error.to_string())),
            }
        }
    }

    /// Takes the answer to a CONNECT out of what has come: the payload of a refusal, or nothing.
    fn answer(&self, namespace: &str) -> Option<Option<String>> {
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        let is_answer = |packet: &Packet<'_>| {
            packet.namespace == namespace
                && matches!(packet.data, PacketData::Connect { .. } | PacketData::ConnectError { .. })
        };
        let index = received.packets.iter().position(is_answer)?;
        match received.packets.remove(index).data {
            PacketData::ConnectError { data } => Some(Some(data.into_owned())),
            _ => Some(None),
        }
    }
}

#[pymethods]
impl TestClient {
    #[pyo3(signature = (namespace, auth))]
    fn connect(&self, py: Python<'_>, namespace: &str, auth: Option<&str>) -> PyResult<Option<String>> {
        if self.socket(namespace).is_some() {
            // The engine would ignore it, and there would be no answer.
            return Ok(None);
        }
        let packet =
            EncodedPacket::text_message(|buffer| encode_connect(buffer, namespace, auth.unwrap_or("")));
        let sent = self.send(py, &[packet]);
        // It has one also where the handler has raised, and the next CONNECT must not take it for its own.
        let answer = self.answered(py, namespace);
        sent.and(answer)
    }

    fn emit(
        &self,
        py: Python<'_>,
        namespace: &str,
        event: &str,
        args: &str,
        attachments: Vec<Bound<'_, PyBytes>>,
        ack_id: Option<u64>,
    ) -> PyResult<()> {
        let encoded = Encoded::new(args, &attachments)?;
        let binary: Vec<Bytes> = encoded.attachments().to_vec();
        let kind = if binary.is_empty() { PacketKind::Event } else { PacketKind::BinaryEvent };
        let text = EncodedPacket::text_message(|buffer| {
            encode_header(buffer, kind, namespace, ack_id, binary.len());
            buffer.push(b'[');
            encode_string(buffer, event);
            encoded.append_to(buffer);
            buffer.push(b']');
        });
        let attached = binary.iter().map(|data| EncodedPacket::binary_message(data));
        let packets: Vec<_> = std::iter::once(text).chain(attached).collect();
        self.send(py, &packets)
    }

    fn disconnect(&self, py: Python<'_>, namespace: &str) -> PyResult<()> {
        let packet = EncodedPacket::text_message(|buffer| {
            encode_header(buffer, PacketKind::Disconnect, namespace, None, 0);
        });
        self.send(py, &[packet])
    }

    fn receive<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        while let Some(messages) = self.transport.take().filter(|messages| !messages.is_empty()) {
            self.decode(messages);
        }
        let packets = {
            let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut received.packets)
        };
        packets.into_iter().filter_map(|packet| described(py, packet).transpose()).collect()
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        capture::run(py, || {
            self.transport
                .client()
                .close(erlen::engine::CloseReason::TransportClose, "the test client was closed")
        })
    }
}

impl Drop for TestClient {
    /// The test has let go of it, and expects nothing of its end.
    fn drop(&mut self) {
        if let Some(data) = self.transport.client().handshake().data::<SessionData>() {
            data.forget();
        }
    }
}

/// A packet as a tuple of five, if it is one that a test asks for.
fn described<'py>(py: Python<'py>, packet: Packet<'_>) -> PyResult<Option<Bound<'py, PyTuple>>> {
    let namespace = packet.namespace.into_owned();
    let bytes =
        |attachments: &[Bytes]| attachments.iter().map(|data| PyBytes::new(py, data)).collect::<Vec<_>>();
    let tuple = match packet.data {
        PacketData::Event { id, args } => {
            let (name, array) = (args.event_name().into_owned(), format!("[{}]", args.tail(1)));
            ("event", namespace, (name, array), bytes(args.attachments()), id).into_pyobject(py)?
        }
        PacketData::Ack { id, args } => {
            ("ack", namespace, args.json(), bytes(args.attachments()), id).into_pyobject(py)?
        }
        PacketData::Disconnect => {
            ("disconnect", namespace, py.None(), py.None(), py.None()).into_pyobject(py)?
        }
        _ => return Ok(None),
    };
    Ok(Some(tuple))
}
