//! Ending: when a stream that is not live has done its work.
//!
//! ```text
//! reader                                     writer
//! has everything: status(downloading: no) -> nothing left to upload: status(no, no), close
//! close                                   <-
//! ```
//! Source: hypercore@9.12.0 lib/replicate.js `end`, `_autoEnd`, `_updateEnd`.

use super::{Local, Output, PeerId, Replicator};
use crate::wire::Message;

impl Replicator {
    /// The remote does not download any more: if nothing flows the other way either, it is over.
    pub(super) fn end_if_idle(&mut self, id: PeerId) {
        let sparse = self.sparse;
        let has_selections = !self.waiting.selections.is_empty();
        let Some(peer) = self.peers.get(&id) else { return };
        let uploads = peer.uploading && peer.remote_downloading;
        let may_download = peer.downloading && has_selections;
        let may_ask_later = sparse && (peer.remote_uploading || peer.downloading);
        if !(peer.options.live || uploads || may_download || may_ask_later) {
            self.end(id);
        }
    }

    /// A feed that is not sparse is complete when it holds all that any peer has.
    pub(super) fn end_if_complete(&mut self, id: PeerId, local: Local<'_>) {
        let target = self.remote_len().max(local.len);
        let sparse = self.sparse;
        let is_asked_for_more = self.waiting.selections.iter().any(|selection| selection.id.is_some());
        let Some(peer) = self.peers.get(&id) else { return };
        let is_waiting = peer.options.live || sparse || peer.ending || !peer.heard || !peer.can_ask();
        if is_waiting || is_asked_for_more || local.len < target {
            return;
        }
        if local.bitfield.next_unset(0, target).is_none() {
            self.waiting.selections.clear();
            self.end(id);
        }
    }

    /// Says that we do not download any more, or, if the remote has said so too, closes.
    fn end(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if !peer.downloading && !peer.remote_downloading && !peer.options.live {
            if !peer.options.downloading {
                let status = Message::Status { uploading: Some(false), downloading: Some(false) };
                self.outputs.push_back(Output::Send(id, status));
            }
            self.outputs.push_back(Output::Done(id));
        } else if !peer.ending {
            peer.ending = true;
            peer.downloading = false;
            let status = Message::Status { uploading: Some(true), downloading: Some(false) };
            self.outputs.push_back(Output::Send(id, status));
        } else if !peer.options.live {
            self.outputs.push_back(Output::Done(id));
        }
    }
}
