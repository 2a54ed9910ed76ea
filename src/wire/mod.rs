//! Bytes in flight: what two peers say to one another on one stream. Speaks hypercore-protocol@8
//! byte for byte.
//!
//! ```text
//! protocol    bytes in, events out; messages in, bytes out            event: what it tells    output: what it sends
//!   noise       the handshake, and the keys that it leaves
//!   cipher      XSalsa20, one stream for each direction
//!   frame       messages cut from the byte stream
//!   message     one message: fields to bytes and back      proto: the protobuf subset that they use
//!   channel     which feed speaks on which channel
//! ```
//! No clock, no dice, no await: random bytes are arguments.

pub mod channel;
pub mod cipher;
pub mod event;
pub mod frame;
pub mod message;
pub mod noise;
mod output;
mod proto;
pub mod protocol;

pub use channel::LocalId;
pub use event::{Event, ProtocolError};
pub use message::Message;
pub use noise::NoiseKeyPair;
pub use protocol::{Protocol, ProtocolOptions};
