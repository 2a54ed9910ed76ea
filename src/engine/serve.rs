//! Serving: answers to remotes, as fast as they are taken and no faster.

use super::event::Kind;
use super::jobs::Completion;
use super::streams::{ChannelPlace, HIGH_WATER};
use super::world::World;
use crate::feed::{Feed, FeedError, Served, Sought, Wanted};
use crate::log::tree::RemoteTree;
use crate::math::flat::BlockIndex;
use crate::replicate::{MAX_UPLOADS, PeerId, Request};
use crate::store::StoreError;
use crate::wire::Message;

/// Bytes of blocks that are read at once.
const AT_ONCE: u64 = 128 * 1024;
/// Blocks that are read at once.
const MAX_AT_ONCE: usize = 64;

type Answer = Result<Option<Served>, FeedError>;

impl World {
    /// Remembers a request; it is answered when there is room.
    pub(super) fn queue_upload(&mut self, feed: u64, peer: PeerId, request: Request) {
        let Some(slot) = self.feeds.get_mut(&feed) else { return };
        if let Some(peer_state) = slot.replicator.peer_mut(peer) {
            peer_state.uploads.push_back(request);
        }
        self.mark_dirty(feed, peer);
    }

    /// There may be more to answer for a peer.
    fn mark_dirty(&mut self, feed: u64, peer: PeerId) {
        match self.feeds.get(&feed).and_then(|slot| slot.channels.get(&peer)).map(ChannelPlace::stream) {
            Some(Some(stream)) => drop(self.dirty_streams.insert(stream)),
            Some(None) => drop(self.dirty_feeds.insert(feed)),
            None => {}
        }
    }

    /// The remote has changed its mind.
    pub(super) fn drop_upload(&mut self, feed: u64, peer: PeerId, index: u64) {
        if let Some(peer) = self.feeds.get_mut(&feed).and_then(|slot| slot.replicator.peer_mut(peer)) {
            peer.uploads.retain(|request| request.index != index || request.bytes > 0);
        }
    }

    /// True while the remote has asked for more than we care to remember.
    pub(super) fn has_too_many_uploads(&self, stream: u64) -> bool {
        let Some(slot) = self.streams.get(&stream) else { return false };
        let uploads =
            |feed: &u64, peer: &PeerId| self.feeds.get(feed)?.replicator.peer(*peer).map(|peer| peer.uploads.len());
        slot.peers.values().filter_map(|(feed, peer)| uploads(feed, peer)).sum::<usize>() > MAX_UPLOADS
    }

    /// Answers requests in turn over the stream's feeds, while there is room in its output.
    pub(super) fn serve_stream(&mut self, stream: u64) {
        let Some(slot) = self.streams.get(&stream) else { return };
        let peers: Vec<(u64, PeerId)> = slot.peers.values().copied().collect();
        let mut is_idle = false;
        while !is_idle {
            is_idle = true;
            for (feed, peer) in &peers {
                let room = self.streams.get(&stream).map_or(HIGH_WATER, |slot| slot.protocol.pending_output());
                if room >= HIGH_WATER {
                    return;
                }
                is_idle &= !self.serve_next(*feed, *peer);
            }
        }
    }

    /// Answers some requests of a peer; false if it has none, or if its last ones are still being read.
    pub(super) fn serve_next(&mut self, feed: u64, peer: PeerId) -> bool {
        let Some(slot) = self.feeds.get_mut(&feed) else { return false };
        let Some(log) = slot.log() else { return false };
        let Some(state) = slot.replicator.peer_mut(peer).filter(|peer| !peer.is_serving) else { return false };
        let is_seek = |request: &Request| request.bytes > 0;
        match state.uploads.front() {
            None => return false,
            Some(request) if is_seek(request) => {
                let Some(request) = state.uploads.pop_front() else { return false };
                state.is_serving = true;
                self.run(feed, false, async move { serve_bytes(&log, feed, peer, request).await });
            }
            Some(_) => {
                let plain = state.uploads.iter().take_while(|request| !is_seek(request)).count();
                let requests = state.uploads.drain(..plain.min(at_once(&log))).collect();
                self.read_answers(feed, peer, requests, false);
            }
        }
        self.take_answers();
        true
    }

    /// Reads what the requests ask for; those that cannot be proven are refused.
    fn read_answers(&mut self, feed: u64, peer: PeerId, requests: Vec<Request>, may_wait: bool) {
        let Some(slot) = self.feeds.get_mut(&feed) else { return };
        let Some(log) = slot.log() else { return };
        let Some(state) = slot.replicator.peer_mut(peer) else { return };
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
        state.is_serving = !asked.is_empty();
        refused.into_iter().for_each(|request| self.refuse(feed, peer, request));
        if asked.is_empty() {
            return;
        }
        let io = if may_wait { log.io().clone() } else { log.io().cache_only() };
        self.run(feed, may_wait && io.is_native(), async move {
            let answers = asked.into_iter().zip(log.serve(&io, &wanted).await).collect();
            Completion::Served { feed, peer, answers }
        });
    }

    /// Answers that were ready at once are sent at once, so that the output's length is known for the next.
    fn take_answers(&mut self) {
        while let Some(Completion::Served { .. }) = self.done.back() {
            if let Some(completion) = self.done.pop_back() {
                self.complete(completion);
            }
        }
    }

    /// Sends answers. What was not in the cache, or is big, is read again on a worker.
    pub(super) fn served(&mut self, feed: u64, peer: PeerId, answers: Vec<(Request, Answer)>) {
        let Some(slot) = self.feeds.get_mut(&feed) else { return };
        if let Some(state) = slot.replicator.peer_mut(peer) {
            state.is_serving = false;
        }
        self.mark_dirty(feed, peer);
        let mut again = Vec::new();
        for (request, answer) in answers {
            match answer {
                Ok(Some(served)) => self.send_answer(feed, peer, request, served),
                Err(FeedError::Store(StoreError::WouldBlock)) => again.push(request),
                // Ours is broken or gone; the remote is told so and may ask somebody else.
                Ok(None) | Err(_) => self.refuse(feed, peer, request),
            }
        }
        if !again.is_empty() {
            self.read_answers(feed, peer, again, true);
        }
    }

    fn send_answer(&mut self, feed: u64, peer: PeerId, request: Request, served: Served) {
        let Some(slot) = self.feeds.get_mut(&feed) else { return };
        if let Some(value) = &served.value {
            let size = u64::try_from(value.len()).unwrap_or(0);
            let [_, _, blocks, bytes] = &mut slot.totals;
            (*blocks, *bytes) = (*blocks + 1, *bytes + size);
            if let Some(state) = slot.replicator.peer_mut(peer) {
                state.stats.uploaded_blocks += 1;
                state.stats.uploaded_bytes += size;
            }
            if slot.tells_uploads {
                let values = [feed.into(), request.index.into(), value.clone().into(), peer.0.into()];
                self.queue.push(Kind::Upload, values);
            }
        }
        slot.replicator.note_sent(peer, request.index);
        let Served { value, nodes, signature } = served;
        self.send(feed, peer, Message::Data { index: request.index, value, nodes, signature });
    }

    fn refuse(&mut self, feed: u64, peer: PeerId, request: Request) {
        self.send(feed, peer, Message::Unhave { start: request.index, length: None });
    }
}

/// How many blocks are read at once: as many as make up about 128 KiB, by the log's average.
fn at_once(log: &Feed) -> usize {
    let average = log.byte_len().checked_div(log.len()).unwrap_or(0).max(1);
    usize::try_from(AT_ONCE / average).unwrap_or(0).clamp(1, MAX_AT_ONCE)
}

/// Where the byte is, if we know; else what was asked for besides.
async fn serve_bytes(log: &Feed, feed: u64, peer: PeerId, mut request: Request) -> Completion {
    if let Ok(Sought::Block { index, .. }) = log.seek(log.io(), request.bytes).await {
        (request.index, request.digest) = (index, 0);
    }
    request.bytes = 0;
    let Request { index, digest, hash, .. } = request;
    let plan = log.plan_proof(BlockIndex(index), digest, hash, &mut RemoteTree::default());
    let answer = match plan {
        Some(plan) => log.serve(log.io(), &[Wanted { block: BlockIndex(index), hash, plan }]).await.pop(),
        None => None,
    };
    Completion::Served { feed, peer, answers: vec![(request, answer.unwrap_or(Ok(None)))] }
}
