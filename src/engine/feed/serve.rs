//! Serve: a remote's requests, as fast as its stream takes the answers and no faster.
//!
//! ```text
//! Asked -> the stream's turn -> Room -> some requests read together -> Data, Unhave -> Served
//! ```
//! Invariant: a peer's answers leave in the order of its requests but for those that were read
//! again.

use super::actor::FeedActor;
use super::change::Change;
use super::message::ToPeer;
use crate::engine::event::FeedEvent;
use crate::engine::job::{Outcome, Task};
use crate::feed::{Feed, FeedError, Served, Sought, Version, Wanted};
use crate::log::tree::RemoteTree;
use crate::math::flat::BlockIndex;
use crate::replicate::{PeerId, Request};
use crate::store::{Io, StoreError};
use crate::wire::Message;

/// Bytes of blocks that are read at once.
const AT_ONCE: u64 = 128 * 1024;
/// Blocks that are read at once.
const MAX_AT_ONCE: usize = 64;

/// The answer to one request; None if we have none.
type Reply = Result<Option<Served>, FeedError>;

impl FeedActor {
    /// There is room for answers to a peer.
    pub(super) fn serve(&mut self, peer: PeerId) {
        let requests = match self.log() {
            Some(log) => self.replicator.take_uploads(peer, at_once(&log)),
            None => Vec::new(),
        };
        match requests.as_slice() {
            [] => self.end_turn(peer),
            [request] if request.bytes > 0 => self.serve_byte(peer, *request, false),
            _ => self.read_for(peer, requests, false),
        }
    }

    /// Reads what the requests ask for; those that cannot be proven are refused.
    fn read_for(&mut self, peer: PeerId, requests: Vec<Request>, may_wait: bool) {
        let Some((log, state)) = self.log().zip(self.replicator.peer_mut(peer)) else { return };
        let seen = log.version();
        let (mut asked, mut wanted, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for request in requests {
            let Request { index, digest, hash, .. } = request;
            match log.plan_proof(BlockIndex(index), digest, hash, &mut state.tree) {
                Some(plan) => {
                    asked.push(request);
                    wanted.push(Wanted { block: BlockIndex(index), hash, plan });
                }
                None => refused.push(request),
            }
        }
        refused.into_iter().for_each(|request| self.refuse(peer, request.index));
        if asked.is_empty() {
            return self.end_turn(peer);
        }
        let io = if may_wait { log.io().clone() } else { log.io().cache_only() };
        self.run(may_wait, Task::Serve { peer, requests: asked, seen }, async move {
            let replies = log.serve(&io, &wanted).await;
            Outcome::Served(wanted.iter().map(|wanted| wanted.block.0).zip(replies).collect())
        });
    }

    /// Answers with the block that holds a byte, if we know which; else with what was asked for
    /// besides.
    fn serve_byte(&mut self, peer: PeerId, request: Request, may_wait: bool) {
        let Some(log) = self.log() else { return };
        let io = if may_wait { log.io().clone() } else { log.io().cache_only() };
        let seen = log.version();
        self.run(may_wait, Task::Serve { peer, requests: vec![request], seen }, async move {
            Outcome::Served(vec![read_byte(&log, &io, request).await])
        });
    }

    /// Sends answers. What was not in the cache, or is big, is read again on a worker; so is what
    /// failed while the log was changed under it.
    pub(super) fn served(
        &mut self,
        now: u64,
        peer: PeerId,
        answers: impl Iterator<Item = (Request, (u64, Reply))>,
        seen: Version,
    ) {
        let has_changed = self.log().is_some_and(|log| log.version() != seen);
        let (mut again, mut rotten) = (Vec::new(), Vec::new());
        for (request, (index, answer)) in answers {
            match answer {
                Ok(Some(served)) => self.send_answer(peer, index, served),
                Err(FeedError::Store(StoreError::WouldBlock)) => again.push(request),
                Ok(None) | Err(_) if has_changed => again.push(request),
                // Ours is broken or gone; the remote is told so and may ask somebody else.
                Ok(None) => self.refuse(peer, index),
                Err(error) => {
                    if matches!(error, FeedError::BadBlock(_) | FeedError::NodeMissing(_)) {
                        rotten.push(index);
                    }
                    self.refuse(peer, index);
                }
            }
        }
        if !rotten.is_empty() && !self.is_closed {
            self.change(now, Change::Repair(rotten, Vec::new()));
        }
        match again.as_slice() {
            [] => self.end_turn(peer),
            [request] if request.bytes > 0 => self.serve_byte(peer, *request, true),
            _ => self.read_for(peer, again, true),
        }
    }

    /// The peer's turn is over; if it has asked for more it gets another.
    fn end_turn(&mut self, peer: PeerId) {
        self.tell_load(peer);
        self.tell_peer(peer, ToPeer::Served);
        self.replicator.served(peer);
        self.follow();
    }

    fn send_answer(&mut self, peer: PeerId, index: u64, served: Served) {
        let Served { value, nodes, signature } = served;
        if let Some(value) = &value {
            self.count(false, value.len());
            if let Some(state) = self.replicator.peer_mut(peer) {
                state.stats.uploaded_blocks += 1;
                state.stats.uploaded_bytes += u64::try_from(value.len()).unwrap_or(0);
            }
            if self.listeners.uploads {
                self.tell(FeedEvent::Upload { index, value: value.clone(), peer });
            }
        }
        self.replicator.note_sent(peer, index);
        self.tell_peer(peer, ToPeer::Send(Message::Data { index, value, nodes, signature }));
    }

    fn refuse(&mut self, peer: PeerId, index: u64) {
        self.tell_peer(peer, ToPeer::Send(Message::Unhave { start: index, length: None }));
    }
}

/// How many blocks are read at once: as many as make up about 128 KiB, by the log's average.
fn at_once(log: &Feed) -> usize {
    let average = log.byte_len().checked_div(log.len()).unwrap_or(0).max(1);
    usize::try_from(AT_ONCE / average).unwrap_or(0).clamp(1, MAX_AT_ONCE)
}

async fn read_byte(log: &Feed, io: &Io, request: Request) -> (u64, Reply) {
    let (index, digest) = match log.seek(io, request.bytes).await {
        Ok(Sought::Block { index, .. }) => (index, 0),
        Err(FeedError::Store(StoreError::WouldBlock)) => return (request.index, Err(StoreError::WouldBlock.into())),
        _ => (request.index, request.digest),
    };
    let block = BlockIndex(index);
    let Some(plan) = log.plan_proof(block, digest, request.hash, &mut RemoteTree::default()) else {
        return (index, Ok(None));
    };
    let reply = log.serve(io, &[Wanted { block, hash: request.hash, plan }]).await.pop();
    (index, reply.unwrap_or(Ok(None)))
}
