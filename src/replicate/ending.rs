//! Ending: when a stream that is not live has done its work.
//!
//! ```text
//! reader                                        writer
//! has all that the peers have:
//!     status(downloading: no)                ->  nothing left to upload: status(no, no), close
//! close                                      <-
//! ```
//! A reader has everything when its log is as long as any peer's and without holes; or when all
//! that was told was looked through, and no answer is awaited: what all peers lack, such as blocks
//! that the writer has cleared, will not come. Wants without an answer, and peers that have told
//! nothing yet, hold it up.
//!
//! Invariant: a phase goes forward only, and `Done` is said once.
//! Source: hypercore@9.12.0 lib/replicate.js `end`, `_autoEnd`, `_updateEnd`, `_downloadRange`.

use super::peer::{Phase, Side};
use super::replicator::Replicator;
use super::types::{Local, Output, PeerId};

impl Replicator {
    /// The remote does not download any more: if nothing flows the other way either, it is over.
    pub(super) fn end_if_idle(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get(&id) else { return };
        let uploads = peer.ours.uploading && peer.remote.side.downloading;
        let may_download = peer.ours.downloading && self.waits.has_selections();
        let may_ask_later = self.is_sparse && (peer.remote.side.uploading || peer.ours.downloading);
        if !(peer.options.live || uploads || may_download || may_ask_later) {
            self.end(id);
        }
    }

    /// If all is here that any peer has, peers that are not live are told.
    pub(super) fn end_if_complete(&mut self, local: Local<'_>) {
        if self.is_sparse || self.index.ending.is_empty() || self.waits.has_downloads() {
            return;
        }
        let is_looked_through = self.asks.is_quiet() && self.index.busy.is_empty();
        if !is_looked_through && !self.is_whole(local) {
            return;
        }
        if !self.index.has_live() {
            self.stop();
        }
        while let Some(id) = self.index.ending.first().copied() {
            self.looks.count();
            self.end(id);
        }
    }

    fn is_whole(&self, local: Local<'_>) -> bool {
        let target = self.remote_len().max(local.len);
        let floor = self.waits.spans.automatic_floor();
        local.len >= target && local.bitfield.next_unset(floor, target).is_none()
    }

    /// Says that we do not download any more, or, if the remote has said so too, closes.
    fn end(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.phase != Phase::Done) else { return };
        let is_quiet = !peer.ours.downloading && !peer.remote.side.downloading;
        if (is_quiet || peer.phase == Phase::Ending) && !peer.options.live {
            if is_quiet && !peer.options.downloading {
                let neither = Side { uploading: false, downloading: false };
                self.outputs.push_back(Output::Send(id, neither.status()));
            }
            peer.phase = Phase::Done;
            self.outputs.push_back(Output::Done(id));
        } else if peer.phase != Phase::Ending {
            peer.phase = Phase::Ending;
            peer.ours.downloading = false;
            self.outputs.push_back(Output::Send(id, Side { uploading: true, downloading: false }.status()));
        }
        self.mark(id);
    }
}
