//! Socket.IO, revision 5 of the protocol, without I/O.
//!
//! Text and binary messages of Engine.IO come in with the time, packets go out as values; packets
//! to send go out as bytes in a buffer of the caller. There is no socket, clock, thread, runtime or
//! random source in this crate.
//!
//! - [`Decoder`]: messages in, [`Packet`]s out. Decoding a plain event allocates nothing.
//! - [`Args`]: the arguments of an event or ack, as validated JSON text and attachments.
//! - [`encode_header`] and its kin: packets to bytes.
//! - [`json`]: the validating scanner.
//! - [`SocketId`]: the public id of a socket.
//!
//! Spec: <https://github.com/socketio/socket.io-protocol>

mod args;
mod decode;
mod encode;
mod error;
mod header;
pub mod json;
mod packet;
mod placeholder;
mod socket_id;

pub use args::Args;
pub use decode::{Decoder, DecoderConfig};
pub use encode::{
    encode_connect, encode_connect_error, encode_disconnect, encode_header, encode_placeholder,
    encode_string, is_reserved_event,
};
pub use error::DecodeError;
pub use packet::{Packet, PacketData, PacketKind};
pub use placeholder::placeholder_index;
pub use socket_id::SocketId;
