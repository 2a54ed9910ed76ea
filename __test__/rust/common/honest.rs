//! Honest: a writer's log, and what an honest peer would answer from it.

use std::sync::Arc;

use bytes::Bytes;
use hypercore::feed::{self, Feed, Put, Wanted};
use hypercore::log::tree::RemoteTree;
use hypercore::math::flat::BlockIndex;
use hypercore::store::Io;
use hypercore::store::io::now;
use hypercore::store::memory::{Memory, MemoryStorage};
use hypercore::wire::Message;

use super::open_options;

/// The test's feed with these blocks, on `memory`.
pub fn log_with(memory: &Arc<Memory>, blocks: Vec<Bytes>) -> Feed {
    let feed = log_on(memory);
    now(feed.append(blocks)).unwrap().unwrap();
    feed
}

/// The test's feed, as it is on `memory`.
pub fn log_on(memory: &Arc<Memory>) -> Feed {
    let io = Io::native(Arc::new(MemoryStorage::new(memory.clone())));
    now(feed::open(io, open_options(true), |_| ())).unwrap().unwrap()
}

/// The answer to somebody who asks with this digest.
pub fn answer(writer: &Feed, block: BlockIndex, hash: bool, digest: u64) -> Put {
    let plan = writer.plan_proof(block, digest, hash, &mut RemoteTree::default()).unwrap();
    let served = now(writer.serve(writer.io(), &[Wanted { block, hash, plan }])).unwrap().remove(0).unwrap().unwrap();
    Put { block, value: served.value, nodes: served.nodes, signature: served.signature, peer: 0 }
}

/// The same as a message.
pub fn message(answer: Put) -> Message {
    Message::Data { index: answer.block.0, value: answer.value, nodes: answer.nodes, signature: answer.signature }
}
