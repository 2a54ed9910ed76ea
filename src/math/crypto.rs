//! Hashes and signatures of a log.
//!
//! ```text
//! leaf   = H(00 | u64be len | data)                   H is BLAKE2b-256
//! parent = H(01 | u64be size | left | right)          size = left size + right size, in bytes
//! roots  = H(02 | for each root: hash | u64be index | u64be size)
//! signed = roots | u64be length in blocks             40 bytes, Ed25519
//! ```
//! Nothing here fails but the checks, which answer with a bool; keys of the wrong shape cannot be
//! passed in.
//!
//! Source: hypercore-crypto@2.3.2 index.js.

use std::sync::Arc;

use blake2b_simd::{Params, many};
use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign};
use ed25519_dalek::{Sha512, Signature, SigningKey, VerifyingKey};
use subtle::ConstantTimeEq;

use super::flat::NodeIndex;

/// A BLAKE2b-256 hash, 32 bytes.
pub type Hash = [u8; 32];
/// An Ed25519 signature, 64 bytes.
pub type SignatureBytes = [u8; 64];

/// A node of the tree: its place, its hash, and how many bytes of data lie below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Place in the flat tree.
    pub index: NodeIndex,
    /// Hash of the block, or of both children.
    pub hash: Hash,
    /// Bytes of data below this node.
    pub size: u64,
}

fn params() -> Params {
    let mut params = Params::new();
    params.hash_length(32);
    params
}

fn finish(state: &blake2b_simd::State) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(state.finalize().as_bytes());
    hash
}

fn len_u64(data: &[u8]) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}

/// Hash of one block.
pub fn leaf_hash(data: &[u8]) -> Hash {
    finish(params().to_state().update(&[0]).update(&len_u64(data).to_be_bytes()).update(data))
}

/// Hash of a parent whose children have these hashes and, together, `size` bytes.
pub fn parent_hash(size: u64, left: &Hash, right: &Hash) -> Hash {
    finish(params().to_state().update(&[1]).update(&size.to_be_bytes()).update(left).update(right))
}

/// The parent of two siblings, in either order.
pub fn parent(a: &Node, b: &Node) -> Node {
    let (left, right) = if a.index < b.index { (a, b) } else { (b, a) };
    let size = left.size.saturating_add(right.size);
    Node { index: left.index.parent(), hash: parent_hash(size, &left.hash, &right.hash), size }
}

/// Hashes many blocks at once; several lanes wide where the processor allows.
pub fn leaf_hashes(blocks: &[&[u8]]) -> Vec<Hash> {
    let params = params();
    let mut states: Vec<_> = blocks
        .iter()
        .map(|data| {
            let mut state = params.to_state();
            state.update(&[0]).update(&len_u64(data).to_be_bytes());
            state
        })
        .collect();
    many::update_many(states.iter_mut().zip(blocks.iter()));
    states.iter().map(finish).collect()
}

/// Hash of the roots of a log, from left to right.
pub fn tree_hash<'a>(roots: impl IntoIterator<Item = &'a Node>) -> Hash {
    let mut state = params().to_state();
    state.update(&[2]);
    for root in roots {
        state.update(&root.hash).update(&root.index.0.to_be_bytes()).update(&root.size.to_be_bytes());
    }
    finish(&state)
}

/// What a writer signs: the roots' hash, then the length in blocks.
pub fn signable(tree_hash: &Hash, len: u64) -> [u8; 40] {
    let mut signable = [0; 40];
    let (head, tail) = signable.split_at_mut(32);
    head.copy_from_slice(tree_hash);
    tail.copy_from_slice(&len.to_be_bytes());
    signable
}

/// The name under which a feed is announced: reveals nothing of the key.
pub fn discovery_key(key: &[u8]) -> Hash {
    let mut params = params();
    params.key(key.get(..64).unwrap_or(key));
    finish(params.to_state().update(b"hypercore"))
}

/// The proof, bound to one connection, of knowing a feed's key. `tx` and `rx` are the prover's
/// split keys.
pub fn capability(key: &[u8; 32], tx: &Hash, rx: &Hash) -> Hash {
    let mut params = params();
    params.key(rx);
    finish(params.to_state().update(b"hypercore capability").update(tx).update(key))
}

/// Compares two secrets in constant time.
pub fn secrets_equal(a: &Hash, b: &Hash) -> bool {
    a.ct_eq(b).into()
}

/// BLAKE2b-256 of a seed: the secret key that stock derives for a Noise key pair.
pub fn hash(data: &[u8]) -> Hash {
    finish(params().to_state().update(data))
}

/// An Ed25519 key pair, its halves as stock stores them: public key 32 bytes, secret key 64 (seed,
/// then public key).
#[derive(Clone)]
pub struct KeyPair {
    signing: SigningKey,
    /// What each signature would otherwise derive from the seed anew.
    expanded: Arc<ExpandedSecretKey>,
}

impl KeyPair {
    /// The pair that grows from 32 random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self::new(SigningKey::from_bytes(seed))
    }

    /// The pair in a 64-byte secret key, or None if its two halves do not belong together.
    pub fn from_secret_key(secret_key: &[u8; 64]) -> Option<Self> {
        SigningKey::from_keypair_bytes(secret_key).ok().map(Self::new)
    }

    fn new(signing: SigningKey) -> Self {
        let expanded = Arc::new(ExpandedSecretKey::from(signing.as_bytes()));
        Self { signing, expanded }
    }

    /// The key that names the feed.
    pub fn public_key(&self) -> [u8; 32] {
        self.signing.verifying_key().to_bytes()
    }

    /// Seed and public key, as stored in `secret_key`.
    pub fn secret_key(&self) -> [u8; 64] {
        self.signing.to_keypair_bytes()
    }

    /// Signs a message; the same message always gives the same bytes.
    pub fn sign(&self, message: &[u8]) -> SignatureBytes {
        raw_sign::<Sha512>(&self.expanded, message, &self.signing.verifying_key()).to_bytes()
    }
}

/// A decoded public key, kept because decoding costs a third of a check.
#[derive(Clone)]
pub struct PublicKey {
    verifying: Option<VerifyingKey>,
}

impl PublicKey {
    /// Decodes a key; one that is no point of the curve verifies nothing.
    pub fn new(key: &[u8; 32]) -> Self {
        Self { verifying: VerifyingKey::from_bytes(key).ok() }
    }

    /// True if `signature` of `message` was made with this key. Small-order keys are refused, as
    /// libsodium does.
    pub fn verify(&self, message: &[u8], signature: &SignatureBytes) -> bool {
        let signature = Signature::from_bytes(signature);
        self.verifying.is_some_and(|key| key.verify_strict(message, &signature).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    fn leaf(block: u64, data: &[u8]) -> Node {
        Node { index: NodeIndex(block * 2), hash: leaf_hash(data), size: len_u64(data) }
    }

    /// Made with hypercore-crypto@2.3.2: data('hello'), data('world'), parent, tree, signature with
    /// an all-7 seed.
    #[test]
    fn agrees_with_stock() {
        let (hello, world) = (leaf(0, b"hello"), leaf(1, b"world"));
        assert_eq!(hello.hash, hex!("6717b25f24d96ccbc95166bacbb671d59eb4263ee5e1aa0f6b1520815cbee80b"));
        let root = parent(&world, &hello);
        assert_eq!(root.hash, hex!("408f1fc979c28158324b753394dc4630723761a06fc7202df5d95ad27028a130"));
        let tree = tree_hash([&root]);
        assert_eq!(tree, hex!("12d099ee8540c4f87add3a1f526f1118e97996dbff60f6d408202cea23631de5"));
        let pair = KeyPair::from_seed(&[7; 32]);
        assert_eq!(pair.public_key(), hex!("ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c"));
        let signature = pair.sign(&signable(&tree, 2));
        assert_eq!(
            signature,
            hex!(
                "19c0dfc0b409849f4378f796e586846dba227a9246156076a73e71071be5716d298ee5f32acafd4704eabcb5298860a1a53e6fac38ba67b0f0fae5b73cda7b0d"
            )
        );
        assert!(PublicKey::new(&pair.public_key()).verify(&signable(&tree, 2), &signature));
        assert_eq!(
            discovery_key(&pair.public_key()),
            hex!("e3ac68a2145739cf48b8c0c43ad54595216b4bcbd5914c35dab942fb8c0c571b")
        );
        assert_eq!(
            capability(&pair.public_key(), &[1; 32], &[2; 32]),
            hex!("97ebe412b6d8e0900c760e5dfbe692fc6cfb37bf41b31f7add01caaf33aaa318")
        );
    }

    #[test]
    fn many_hashes_equal_one_by_one() {
        let blocks: Vec<Vec<u8>> = (0..40usize).map(|i| vec![7; i * 37]).collect();
        let blocks: Vec<&[u8]> = blocks.iter().map(Vec::as_slice).collect();
        let one_by_one: Vec<_> = blocks.iter().map(|data| leaf_hash(data)).collect();
        assert_eq!(leaf_hashes(&blocks), one_by_one);
    }

    #[test]
    fn small_order_keys_verify_nothing() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(!PublicKey::new(&identity).verify(b"anything", &signature));
    }

    #[test]
    fn halves_that_do_not_belong_together_are_no_pair() {
        let mut secret_key = KeyPair::from_seed(&[7; 32]).secret_key();
        secret_key[63] ^= 1;
        assert!(KeyPair::from_secret_key(&secret_key).is_none());
    }
}
