//! Told: what a feed is asked about itself.

use std::sync::Arc;

use super::event::{Failure, Value};
use super::jobs::Completion;
use super::world::World;
use crate::feed::{Feed, FeedError, Served};
use crate::math::crypto::SignatureBytes;
use crate::math::flat::BlockIndex;

/// A question about a feed.
#[derive(Clone, Copy, Debug)]
pub enum About {
    /// A block's leaf: node.
    Leaf(u64),
    /// The roots of this many blocks: nodes.
    Roots(u64),
    /// The first signature that covers a block: last block that it covers, signature.
    Signature(u64),
    /// Whether a signature over the log up to and with this block is the writer's: verdict.
    Signed(u64, SignatureBytes),
    /// The proof of a block, for a digest, with or without its leaf: nodes, signature.
    Proof(u64, u64, bool),
}

impl World {
    pub(super) fn tell_about(&mut self, feed: u64, op: u64, log: Arc<Feed>, about: About) {
        let Some(slot) = self.feeds.get_mut(&feed).filter(|slot| !slot.is_closed) else {
            return self.fail(op, Failure::closed());
        };
        slot.reading.insert(op);
        self.run(feed, false, async move { Completion::Told { feed, op, result: tell(&log, about).await } });
    }
}

async fn tell(log: &Feed, about: About) -> Result<Vec<Value>, FeedError> {
    Ok(match about {
        About::Leaf(block) => vec![log.leaf(BlockIndex(block)).await?.into()],
        About::Roots(len) => vec![log.roots_of(len).await?.into()],
        About::Signature(block) => {
            let (last, signature) = log.signature_after(block).await?;
            vec![last.into(), signature.into()]
        }
        About::Signed(block, signature) => vec![log.is_signed_by(block, &signature).await?.into()],
        About::Proof(block, digest, hash) => {
            let Served { nodes, signature, .. } = log.prove(BlockIndex(block), digest, hash).await?;
            vec![nodes.into(), signature.into()]
        }
    })
}
