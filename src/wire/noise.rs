//! The handshake: two peers prove their keys to one another and agree on two transport keys.
//!
//! ```text
//! initiator                         responder        Noise_XX_25519_ChaChaPoly_BLAKE2b, empty prologue
//!     -> e, payload                                  each message: varint length, at most 65,535 | message
//!     <- e, ee, s, es, payload                       payload: protobuf { 1: nonce, 24 bytes }, in every message (Q19)
//!     -> s, se, payload
//! ```
//! Whatever is wrong here is the remote's fault and ends the stream. The ephemeral key and the
//! nonce are arguments.
//!
//! Invariant: `Outcome` exists only after the remote proved its static key. Keys of small order are
//! refused, as libsodium does and snow does not.
//! Source: simple-hypercore-protocol@2.1.2 lib/handshake.js, simple-handshake@3.0.0,
//! noise-protocol@3.0.0.

use std::fmt;

use bytes::{Buf, BytesMut};
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash as NoiseHash, Random};

use super::proto::{Fields, ProtoError, Sink};
use crate::math::crypto::{self, Hash};
use crate::math::varint::{self, VarintError};

const PATTERN: &str = "Noise_XX_25519_ChaChaPoly_BLAKE2b";
/// Longest handshake message, in bytes.
const MAX_MESSAGE: usize = 65_535;
/// Longest message that we write: two keys, their tags, and the payload.
const MAX_WRITTEN: usize = 256;

/// A static key pair, by which a peer is known to others.
#[derive(Clone, PartialEq, Eq)]
pub struct NoiseKeyPair {
    /// What others see.
    pub public_key: [u8; 32],
    /// An X25519 scalar.
    pub secret_key: [u8; 32],
}

impl NoiseKeyPair {
    /// The pair of a secret key, which may be any 32 random bytes.
    pub fn generate(random: [u8; 32]) -> Self {
        Self { public_key: multiply(&random, None), secret_key: random }
    }

    /// The pair that stock derives from a seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self::generate(crypto::hash(seed))
    }
}

impl fmt::Debug for NoiseKeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoiseKeyPair").field("public_key", &self.public_key).finish_non_exhaustive()
    }
}

/// Scalar times point; the base point if there is none.
fn multiply(scalar: &[u8; 32], point: Option<&[u8]>) -> [u8; 32] {
    let mut product = [0; 32];
    if let Some(mut dh) = DefaultResolver.resolve_dh(&DHChoice::Curve25519) {
        dh.set(scalar);
        match point {
            None => product.copy_from_slice(dh.pubkey()),
            // Cannot fail for keys of 32 bytes; zeros would be taken for small order.
            Some(point) => drop(dh.dh(point, &mut product)),
        }
    }
    product
}

/// True for the few points whose product with any key is zero: a shared secret that is none.
fn is_small_order(point: &[u8]) -> bool {
    point.len() != 32 || multiply(&[1; 32], Some(point)) == [0; 32]
}

/// The dice, thrown by the caller.
#[derive(Clone)]
pub struct HandshakeRandom {
    /// Secret half of the key pair that serves for one handshake.
    pub ephemeral: [u8; 32],
    /// Nonce of the cipher stream that we will send.
    pub nonce: [u8; 24],
}

impl From<[u8; 56]> for HandshakeRandom {
    fn from(random: [u8; 56]) -> Self {
        let (mut ephemeral, mut nonce) = ([0; 32], [0; 24]);
        let (head, tail) = random.split_at(32);
        ephemeral.copy_from_slice(head);
        nonce.copy_from_slice(tail);
        Self { ephemeral, nonce }
    }
}

/// Hands snow the ephemeral key when it asks for random bytes; all else is snow's own.
struct Given([u8; 32]);

impl Random for Given {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), snow::Error> {
        if dest.len() != self.0.len() {
            return Err(snow::Error::Rng);
        }
        dest.copy_from_slice(&self.0);
        Ok(())
    }
}

impl CryptoResolver for Given {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Given(self.0)))
    }
    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }
    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn NoiseHash>> {
        DefaultResolver.resolve_hash(choice)
    }
    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }
}

/// The two keys that a handshake leaves.
#[derive(Clone, PartialEq, Eq)]
pub struct Split {
    /// For what we send.
    pub tx: Hash,
    /// For what we receive.
    pub rx: Hash,
}

/// What a handshake leaves.
pub struct Outcome {
    /// The transport keys.
    pub split: Split,
    /// Nonce of the cipher stream that we will receive.
    pub remote_nonce: [u8; 24],
    /// Who the remote is.
    pub remote_public_key: [u8; 32],
    /// The same on both sides, and on no other connection.
    pub handshake_hash: [u8; 64],
    /// Bytes after the last handshake message: they belong to the transport.
    pub rest: BytesMut,
}

/// Why a handshake failed. Always the remote's fault, or the caller's refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoiseError {
    /// A message that is none, or does not prove what it should; or the caller refused the remote's
    /// key.
    Handshake,
    /// No message carried a payload.
    NoPayload,
    /// The payload carries no nonce of 24 bytes.
    Payload,
}

impl fmt::Display for NoiseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshake => "Noise handshake error",
            Self::NoPayload => "Remote did not include a handshake payload",
            Self::Payload => "Could not parse remote payload",
        })
    }
}

impl std::error::Error for NoiseError {}

impl From<snow::Error> for NoiseError {
    fn from(_: snow::Error) -> Self {
        Self::Handshake
    }
}

/// How far a handshake is.
pub enum Progress {
    /// More bytes are needed, or an answer about the remote's key.
    Waiting,
    /// The remote's key is known; nothing goes on until `authenticated` is called. Said once.
    Authenticate([u8; 32]),
    /// Done; the handshake is used up.
    Done(Box<Outcome>),
}

/// The remote's static key on its way to being trusted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// Nobody wants to be asked.
    Any,
    /// The caller is to be asked when the key is known.
    Ask,
    /// The caller was asked.
    Asked,
}

/// A handshake that is not over.
pub struct Handshake {
    noise: snow::HandshakeState,
    trust: Trust,
    payload: Vec<u8>,
    remote_payload: Vec<u8>,
    /// A message was read.
    has_read: bool,
    input: BytesMut,
}

impl Handshake {
    /// Begins. With `authenticate` it stops at `Progress::Authenticate`.
    pub fn new(
        initiator: bool,
        keys: &NoiseKeyPair,
        random: &HandshakeRandom,
        authenticate: bool,
    ) -> Result<Self, NoiseError> {
        let params = PATTERN.parse()?;
        let builder = snow::Builder::with_resolver(params, Box::new(Given(random.ephemeral)));
        let builder = builder.local_private_key(&keys.secret_key)?;
        let noise = if initiator { builder.build_initiator()? } else { builder.build_responder()? };
        let mut payload = Vec::new();
        payload.bytes_field(1, &random.nonce);
        let trust = if authenticate { Trust::Ask } else { Trust::Any };
        Ok(Self { noise, trust, payload, remote_payload: Vec::new(), has_read: false, input: BytesMut::new() })
    }

    /// Takes bytes from the remote.
    pub fn receive(&mut self, chunk: BytesMut) {
        if self.input.is_empty() {
            self.input = chunk;
        } else {
            self.input.extend_from_slice(&chunk);
        }
    }

    /// Answers `Progress::Authenticate`.
    pub fn authenticated(&mut self, trusted: bool) -> Result<(), NoiseError> {
        if !trusted {
            return Err(NoiseError::Handshake);
        }
        self.trust = Trust::Any;
        Ok(())
    }

    /// Goes on as far as the bytes allow; what is to be sent is appended to `out`.
    pub fn poll(&mut self, out: &mut Vec<u8>) -> Result<Progress, NoiseError> {
        loop {
            if self.trust == Trust::Asked {
                return Ok(Progress::Waiting);
            }
            if self.trust == Trust::Ask
                && let Some(key) = self.remote_public_key()
            {
                self.trust = Trust::Asked;
                return Ok(Progress::Authenticate(key));
            }
            if self.noise.is_handshake_finished() {
                return self.finish().map(|outcome| Progress::Done(Box::new(outcome)));
            }
            if self.noise.is_my_turn() {
                self.write(out)?;
            } else if !self.read()? {
                return Ok(Progress::Waiting);
            }
        }
    }

    fn remote_public_key(&self) -> Option<[u8; 32]> {
        self.noise.get_remote_static()?.try_into().ok()
    }

    fn write(&mut self, out: &mut Vec<u8>) -> Result<(), NoiseError> {
        let mut message = [0; MAX_WRITTEN];
        let len = self.noise.write_message(&self.payload, &mut message)?;
        let message = message.get(..len).unwrap_or_default();
        out.varint(u64::try_from(len).unwrap_or(u64::MAX));
        out.raw(message);
        Ok(())
    }

    /// Reads one message; false if it is not whole yet.
    fn read(&mut self) -> Result<bool, NoiseError> {
        let (len, head) = match varint::decode(&self.input) {
            Ok((len, head)) => (usize::try_from(len).unwrap_or(usize::MAX), head),
            Err(VarintError::Incomplete) => return Ok(false),
            Err(VarintError::TooLarge) => return Err(NoiseError::Handshake),
        };
        if len > MAX_MESSAGE {
            return Err(NoiseError::Handshake);
        }
        if self.input.len() < head + len {
            return Ok(false);
        }
        self.input.advance(head);
        let message = self.input.split_to(len);
        // The first message that one reads begins with the remote's ephemeral key, bare. The third
        // has none.
        let ephemeral = message.get(..32).filter(|_| !self.has_read);
        if ephemeral.is_some_and(is_small_order) {
            return Err(NoiseError::Handshake);
        }
        self.has_read = true;
        let mut payload = vec![0; len];
        let payload_len = self.noise.read_message(&message, &mut payload)?;
        payload.truncate(payload_len);
        if self.remote_public_key().is_some_and(|key| is_small_order(&key)) {
            return Err(NoiseError::Handshake);
        }
        if !payload.is_empty() {
            self.remote_payload = payload;
        }
        Ok(true)
    }

    fn finish(&mut self) -> Result<Outcome, NoiseError> {
        if self.remote_payload.is_empty() {
            return Err(NoiseError::NoPayload);
        }
        let (first, second) = self.noise.dangerously_get_raw_split();
        let (tx, rx) = if self.noise.is_initiator() { (first, second) } else { (second, first) };
        Ok(Outcome {
            split: Split { tx, rx },
            remote_nonce: nonce(&self.remote_payload).ok().flatten().ok_or(NoiseError::Payload)?,
            remote_public_key: self.remote_public_key().ok_or(NoiseError::Handshake)?,
            handshake_hash: self.noise.get_handshake_hash().try_into().map_err(|_| NoiseError::Handshake)?,
            rest: std::mem::take(&mut self.input),
        })
    }
}

/// The nonce in a payload, if there is one of the right length.
fn nonce(payload: &[u8]) -> Result<Option<[u8; 24]>, ProtoError> {
    let mut nonce = None;
    let mut fields = Fields::new(payload);
    while let Some(field) = fields.next()? {
        match field {
            1 => nonce = fields.bytes()?.try_into().ok(),
            _ => fields.skip()?,
        }
    }
    Ok(nonce)
}

#[cfg(test)]
#[allow(clippy::as_conversions, reason = "small numbers")]
mod tests {
    use super::*;
    use hex_literal::hex;
    use proptest::prelude::*;

    /// Made with simple-handshake@3.0.0: seeds all 11 and 12, ephemeral secrets all 21 and 22,
    /// nonces all 31 and 32.
    const FIRST: [u8; 58] = hex!(
        "bce059bf5b2ab7a91f3e863acf0c84d3ebbe04ca8490094b052b5b15afab17430a181f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f"
    );
    const SECOND: [u8; 122] = hex!(
        "7f442fb4ecc9dd6cde4635881fbe2bb433b67b004935c4330d21e36f681a0e12fcac6d45acec0e34ca1362b91481a08d5ce2a6a143d148b38d46b5a239663a0fe6527cef0b7c68a3f127cecc5b8f514a6424adfa0b654d2f846ff56f717d4c5d34b406fbc4e02e6c62d1630e800028e2c9cb06ad4f62fe6c9251"
    );
    const THIRD: [u8; 90] = hex!(
        "da6190553d1fe4096f0d1565bcea10a7ce2a588dd8a1062ba595db577bf931ffc3d86b82da5766b648c560415995de623122748a61646a82ce7d718221f40c8de7895ec4580a6fc65490336b964019040b7e01e3976b32b3de3c"
    );
    const TX: Hash = hex!("6e4b75fedd514e25f5e6365318ece750264a8b135d70c6034832aef31802eb50");
    const RX: Hash = hex!("5b25f9d2b81e5165f9eeb76e883a22dbbde1e50540f1a9a18cbeeaa896e6bc78");
    const HANDSHAKE_HASH: [u8; 64] = hex!(
        "cdcc9ee3619afe9fa5b60526eb0cdd1075ebabb4761e3141a12dc8fc3d3e528cc3969ec70fe8ae1dbf448b80839ab210ce3245ddea7c9e54e1836ef16019bb0c"
    );

    fn begin(initiator: bool, authenticate: bool) -> Handshake {
        let (seed, ephemeral, nonce) = if initiator { (11, 21, 31) } else { (12, 22, 32) };
        let random = HandshakeRandom { ephemeral: [ephemeral; 32], nonce: [nonce; 24] };
        Handshake::new(initiator, &NoiseKeyPair::from_seed(&[seed; 32]), &random, authenticate).unwrap()
    }

    fn framed(message: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        out.varint(message.len() as u64);
        out.raw(message);
        out
    }

    /// Feeds bytes one by one and drains; what was written, and the last progress.
    fn feed(handshake: &mut Handshake, bytes: &[u8]) -> Result<(Vec<u8>, Progress), NoiseError> {
        let mut out = Vec::new();
        let mut progress = handshake.poll(&mut out)?;
        for byte in bytes {
            handshake.receive(BytesMut::from(&[*byte][..]));
            if matches!(progress, Progress::Waiting) {
                progress = handshake.poll(&mut out)?;
            }
        }
        Ok((out, progress))
    }

    #[test]
    fn seeded_key_pair_agrees_with_stock() {
        let pair = NoiseKeyPair::from_seed(&[7; 32]);
        assert_eq!(pair.public_key, hex!("8db577f9b9c2744798987db557bf31ca48acd205a9db8c320e5d49f302a96474"));
        assert_eq!(pair.secret_key, hex!("17cdc7bca3f2a0bda60c6de5b96f82a36239b44bde397a3862d529ba8b3d7c62"));
    }

    #[test]
    fn both_roles_agree_with_stock() {
        let mut initiator = begin(true, false);
        let (first, _) = feed(&mut initiator, &[]).unwrap();
        assert_eq!(first, framed(&FIRST));
        let (third, progress) = feed(&mut initiator, &framed(&SECOND)).unwrap();
        assert_eq!(third, framed(&THIRD));
        let Progress::Done(outcome) = progress else { panic!("not done") };
        assert!(outcome.split == Split { tx: TX, rx: RX });
        assert_eq!((outcome.remote_nonce, outcome.handshake_hash), ([32; 24], HANDSHAKE_HASH));
        assert_eq!(outcome.remote_public_key, NoiseKeyPair::from_seed(&[12; 32]).public_key);

        let mut responder = begin(false, false);
        let (second, _) = feed(&mut responder, &framed(&FIRST)).unwrap();
        assert_eq!(second, framed(&SECOND));
        responder.receive(BytesMut::from(&[&framed(&THIRD)[..], b"rest"].concat()[..]));
        let Ok(Progress::Done(outcome)) = responder.poll(&mut Vec::new()) else { panic!("not done") };
        assert!(outcome.split == Split { tx: RX, rx: TX });
        assert_eq!((&outcome.rest[..], outcome.remote_nonce), (&b"rest"[..], [31; 24]));
    }

    #[test]
    fn waits_for_the_callers_word() {
        let mut initiator = begin(true, true);
        feed(&mut initiator, &[]).unwrap();
        let (nothing, progress) = feed(&mut initiator, &framed(&SECOND)).unwrap();
        assert!(nothing.is_empty());
        assert!(
            matches!(progress, Progress::Authenticate(key) if key == NoiseKeyPair::from_seed(&[12; 32]).public_key)
        );
        assert!(matches!(initiator.poll(&mut Vec::new()), Ok(Progress::Waiting)));
        assert_eq!(initiator.authenticated(false), Err(NoiseError::Handshake));
        initiator.authenticated(true).unwrap();
        assert!(matches!(feed(&mut initiator, &[]), Ok((third, Progress::Done(_))) if third == framed(&THIRD)));
    }

    #[test]
    fn bad_remotes_are_refused() {
        let error = |initiator, bytes: &[u8]| feed(&mut begin(initiator, false), bytes).err();
        assert_eq!(error(false, &[0xff, 0xff, 0x04]), Some(NoiseError::Handshake));
        assert_eq!(error(false, &framed(&[9; 31])), Some(NoiseError::Handshake));
        assert_eq!(error(false, &framed(&[0; 32])), Some(NoiseError::Handshake));
        let mut damaged = SECOND;
        damaged[121] ^= 1;
        assert_eq!(error(true, &framed(&damaged)), Some(NoiseError::Handshake));
        assert_eq!(nonce(&[0x0a, 1, 1]), Ok(None));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_handshake_or_an_error(initiator: bool, bytes: Vec<u8>) {
            let _ = feed(&mut begin(initiator, false), &bytes);
            let _ = feed(&mut begin(initiator, false), &framed(&bytes));
            let _ = nonce(&bytes);
        }
    }
}
