//! State: what is committed of a log.
//!
//! ```text
//! version    1   2   3   4   5          every commit counts
//! replaced           3                  the last that took away or replaced something
//!                ^ a read that began here has seen what is no more; one that began at 3 has not
//! ```
//! Every field changes in one step, after the writes behind it have succeeded.
//!
//! Invariant: `replaced` is at most `version`, and both only grow.

use super::cache::NodeCache;
use super::error::FeedError;
use crate::log::bitfield::Bitfield;
use crate::log::merkle::Roots;
use crate::log::stage::Stage;
use crate::math::crypto::{self, Hash, KeyPair, Node, PublicKey, SignatureBytes};
use crate::math::flat::{BlockIndex, NodeIndex, full_roots};

/// A moment in the life of an opened log: how many changes were committed before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u64);

/// What is committed.
pub(super) struct State {
    pub key: Option<[u8; 32]>,
    pub public_key: Option<PublicKey>,
    pub pair: Option<KeyPair>,
    /// False for a static log, which has no signatures.
    pub signed: bool,
    /// Its end was lost: to append could sign a second history.
    pub may_fork: bool,
    pub roots: Roots,
    pub bitfield: Bitfield,
    pub nodes: NodeCache,
    pub cursor: Option<Cursor>,
    /// How many answers may still lack what we told the remote we had, before nodes of ours turned
    /// out rotten.
    pub lenience: u32,
    /// A node of ours turned out rotten; there may be others.
    pub is_suspect: bool,
    pub version: Version,
    pub replaced: Version,
}

/// Where the block after the last one touched begins: saves the walk over the roots when blocks
/// come in order.
#[derive(Clone, Copy)]
pub(super) struct Cursor {
    pub block: BlockIndex,
    pub offset: u64,
}

impl Cursor {
    /// After the block that begins at `offset`.
    pub fn after(offset: u64, leaf: Node) -> Self {
        Self { block: BlockIndex(leaf.index.0 / 2 + 1), offset: offset.saturating_add(leaf.size) }
    }
}

impl State {
    /// An empty log with these keys.
    pub fn new(key: Option<[u8; 32]>, pair: Option<KeyPair>, signed: bool, bitfield: Bitfield) -> Self {
        Self {
            key,
            public_key: key.as_ref().map(PublicKey::new),
            pair,
            signed,
            may_fork: false,
            roots: Roots::new(Vec::new()),
            bitfield,
            nodes: NodeCache::default(),
            cursor: None,
            lenience: 0,
            is_suspect: false,
            version: Version(0),
            replaced: Version(0),
        }
    }

    /// True if this side may append: then its blocks and nodes may be the only ones.
    pub fn is_writable(&self) -> bool {
        self.pair.is_some() || self.key.is_none()
    }

    /// True if what was there at `seen` was taken away or replaced since.
    pub fn is_replaced_since(&self, seen: Version) -> bool {
        seen < self.replaced
    }

    /// Counts a change; `replaces` if something that was there is no more, or is something else.
    pub fn advance(&mut self, replaces: bool) {
        self.version.0 += 1;
        if replaces {
            self.replaced = self.version;
        }
    }

    /// Changes the bitfield in memory alone: on disk it stays until the next commit that touches
    /// the page. False if that is no news.
    pub fn forget(&mut self, change: impl FnOnce(&mut Stage, &Bitfield)) -> bool {
        let mut stage = Stage::new();
        change(&mut stage, &self.bitfield);
        let is_news = !stage.is_empty();
        if is_news {
            self.bitfield.apply(stage);
            self.advance(true);
        }
        is_news
    }

    /// Where a block begins, and its leaf; or a node that is needed for it and not remembered.
    pub fn locate(&mut self, block: BlockIndex) -> Result<(u64, Node), NodeIndex> {
        let mut find = |index| self.nodes.find(index).ok_or(index);
        let leaf = find(block.leaf())?;
        let offset = match self.cursor.filter(|cursor| cursor.block == block) {
            Some(cursor) => cursor.offset,
            None => full_roots(block.0).try_fold(0u64, |sum, root| Ok(sum.saturating_add(find(root)?.size)))?,
        };
        self.cursor = Some(Cursor::after(offset, leaf));
        Ok((offset, leaf))
    }

    /// The key pair of a log that has signatures.
    pub fn signing_pair(&self) -> Option<KeyPair> {
        self.pair.clone().filter(|_| self.signed)
    }

    /// Whether this side may append, and if not, why.
    pub fn check_writable(&self) -> Result<(), FeedError> {
        match (&self.pair, self.key) {
            _ if self.may_fork => Err(FeedError::ForkRisk),
            (None, Some(_)) => Err(FeedError::NotWritable),
            _ => Ok(()),
        }
    }

    /// Whether the writer has signed this tree. Version 9 signs hash and length; version 8 signed
    /// the hash alone (Q12).
    pub fn verifies(&self, hash: &Hash, len: u64, signature: &SignatureBytes) -> bool {
        self.public_key
            .as_ref()
            .is_some_and(|key| key.verify(&crypto::signable(hash, len), signature) || key.verify(hash, signature))
    }
}
