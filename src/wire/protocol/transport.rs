//! Transport: what a stream is once the handshake is over.
//!
//! ```text
//! split.tx, our nonce -> cipher of what we send      split.rx, their nonce -> cipher of what we receive
//! ```
//! Nothing here can fail.
//!
//! Source: simple-hypercore-protocol@2.1.2 index.js, lib/xor.js.

use bytes::BytesMut;

use crate::math::crypto::{self, Hash};
use crate::wire::channel::LocalId;
use crate::wire::cipher::XSalsa20;
use crate::wire::message::Message;
use crate::wire::noise::{Outcome, Split};
use crate::wire::output::Output;

/// What was sent before the handshake ended.
pub enum Pending {
    /// A feed was opened; its capability can be made only then.
    Open { local: LocalId, key: [u8; 32] },
    /// Anything else.
    Message { channel: u64, message: Message },
}

/// What a stream is after the handshake. Without Noise there is none of it.
#[derive(Default)]
pub struct Transport {
    /// Who the remote is; None without Noise.
    pub identity: Option<Identity>,
    tx: Option<XSalsa20>,
    rx: Option<XSalsa20>,
}

/// What the handshake left.
pub struct Identity {
    split: Split,
    /// The remote's static key.
    pub remote_public_key: [u8; 32],
    /// Names the connection.
    pub handshake_hash: [u8; 64],
}

impl Identity {
    /// Our proof of knowing a key.
    pub fn capability(&self, key: &[u8; 32]) -> Hash {
        crypto::capability(key, &self.split.tx, &self.split.rx)
    }

    /// The proof that the remote should give.
    pub fn remote_capability(&self, key: &[u8; 32]) -> Hash {
        crypto::capability(key, &self.split.rx, &self.split.tx)
    }
}

impl Transport {
    /// The transport of a finished handshake, and the bytes that came after it. `nonce` is ours.
    pub fn new(outcome: Outcome, nonce: &[u8; 24], encrypted: bool) -> (Self, BytesMut) {
        let Outcome { split, remote_nonce, remote_public_key, handshake_hash, rest } = outcome;
        let tx = encrypted.then(|| XSalsa20::new(&split.tx, nonce));
        let rx = encrypted.then(|| XSalsa20::new(&split.rx, &remote_nonce));
        let identity = Some(Identity { split, remote_public_key, handshake_hash });
        (Self { identity, tx, rx }, rest)
    }

    /// Decrypts the next bytes from the remote, in place.
    pub fn decrypt(&mut self, chunk: &mut [u8]) {
        if let Some(rx) = &mut self.rx {
            rx.apply(chunk);
        }
    }

    /// Appends what `write` writes, encrypted.
    pub fn write(&mut self, output: &mut Output, write: impl FnOnce(&mut Vec<u8>)) {
        let tx = &mut self.tx;
        output.append(write, |bytes| {
            if let Some(tx) = tx {
                tx.apply(bytes);
            }
        });
    }
}
