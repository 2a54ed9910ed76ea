//! Serving: the remotes' requests, from their message to the engine that reads and sends the
//! answers.
//!
//! ```text
//! Request, Cancel -> Peer's uploads -> Asked -> take_uploads -> (read, prove, send) -> served -> Asked, if more wait
//! ```
//! A peer is served one batch at a time, so that its answers leave in the order in which they were
//! asked for. More requests than anybody needs are the remote's fault.
//!
//! Invariant: while a peer has requests and is not being served, `Asked` was said for it.

use super::replicator::Replicator;
use super::types::{Fault, Output, PeerId, Request};

impl Replicator {
    /// How many requests of this peer wait to be answered, without those that are being served.
    pub fn uploads_waiting(&self, peer: PeerId) -> usize {
        self.peers.get(&peer).map_or(0, |peer| peer.uploads.len())
    }

    /// The next requests of a peer, to be answered and then reported with [`Replicator::served`]:
    /// one for a byte offset, or plain ones, at most `max`. None while earlier ones are being
    /// served.
    pub fn take_uploads(&mut self, peer: PeerId, max: usize) -> Vec<Request> {
        self.peers.get_mut(&peer).map(|peer| peer.uploads.take(max)).unwrap_or_default()
    }

    /// The requests that were taken are answered; if more wait, that is said again.
    pub fn served(&mut self, id: PeerId) {
        if self.peers.get_mut(&id).is_some_and(|peer| peer.uploads.served()) {
            self.outputs.push_back(Output::Asked(id));
        }
    }

    /// A block was sent: the remote is at least that long.
    pub fn note_sent(&mut self, id: PeerId, index: u64) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.remote.len = peer.remote.len.max(index.saturating_add(1));
            self.refile(id);
        }
    }

    pub(super) fn on_request(&mut self, id: PeerId, request: Request) -> Result<(), Fault> {
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.ours.uploading) else { return Ok(()) };
        peer.uploads.push(request)?;
        if peer.uploads.announce() {
            self.outputs.push_back(Output::Asked(id));
        }
        Ok(())
    }

    pub(super) fn on_cancel(&mut self, id: PeerId, index: u64, hash: bool) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.uploads.cancel(index, hash);
        }
    }
}
