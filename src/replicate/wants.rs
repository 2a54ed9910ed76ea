//! Wants and haves: who tells whom what it holds.
//!
//! A want is a window of 1 Mi blocks; the have that answers it carries the window's bits, run-length encoded, and from
//! then on the other side tells what is new. At most 16 wants are unanswered at a time.

use super::{Fault, Local, Output, PeerId, Replicator};
use crate::math::flat::MAX_SAFE_INTEGER;
use crate::wire::Message;

/// Blocks in a window.
pub(super) const WINDOW: u64 = 1024 * 1024;
/// Stock answers only wants that are aligned to its bitfield pages (Q9).
const PAGE: u64 = 8192;
const MAX_INFLIGHT: i32 = 16;
/// Bytes of run-length encoded bits in one have: far more than a window can need.
const MAX_BITS: usize = 1024 * 1024;

impl Replicator {
    pub(super) fn on_have(&mut self, local: Local<'_>, id: PeerId, start: u64, len: u64, ack: bool) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if ack && peer.options.ack && local.bitfield.get(start) {
            self.outputs.push_back(Output::Ack(id, start, len));
            return;
        }
        let end = start.saturating_add(len.max(1)).min(MAX_SAFE_INTEGER);
        peer.haves.insert_range(start, end);
        let is_longer = end > peer.remote_len;
        peer.remote_len = peer.remote_len.max(end);
        self.after_have(id, is_longer);
    }

    pub(super) fn on_have_bits(
        &mut self,
        id: PeerId,
        start: u64,
        length: Option<u64>,
        bits: &[u8],
    ) -> Result<(), Fault> {
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        if length == Some(WINDOW) && peer.wants_inflight > 0 {
            peer.wants_inflight -= 1;
            self.outputs.push_back(Output::Guard(-1));
        }
        // A remote of the first versions tells everything unasked (Q1).
        peer.wants_all |= matches!(length, None | Some(0 | 1));
        if bits.len() > MAX_BITS {
            return Err(Fault::HaveTooLarge);
        }
        let described = peer.haves.insert_bitfield(start, bits).map_err(Fault::Have)?;
        let is_longer = start.saturating_add(described) > peer.remote_len;
        if is_longer {
            peer.remote_len = peer.haves.last().map_or(0, |last| last + 1).max(peer.remote_len);
        }
        self.after_have(id, is_longer);
        Ok(())
    }

    fn after_have(&mut self, id: PeerId, is_longer: bool) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let is_first = !std::mem::replace(&mut peer.heard, true);
        if is_first || is_longer {
            self.outputs.push_back(Output::RemoteUpdate(id));
        }
    }

    pub(super) fn on_want(&mut self, local: Local<'_>, id: PeerId, start: u64, length: Option<u64>) {
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.uploading) else { return };
        let length = length.unwrap_or(0);
        if !(start.is_multiple_of(PAGE) && length.is_multiple_of(PAGE)) {
            return;
        }
        // The first want is answered twice: the last block tells the length at once (Q10).
        let last = local.len.checked_sub(1).filter(|last| local.bitfield.get(*last));
        if let Some(last) = last.filter(|_| !peer.remote_wants) {
            let have = Message::Have { start: last, length: None, bitfield: None, ack: false };
            self.outputs.push_back(Output::Send(id, have));
        }
        peer.remote_wants = true;
        let bits = local.bitfield.compress(start, length);
        let have = Message::Have { start, length: Some(length), bitfield: Some(bits.into()), ack: false };
        self.outputs.push_back(Output::Send(id, have));
    }

    /// Sends wants for the windows that somebody is interested in; always for the first.
    pub(super) fn send_wants(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.can_ask() && !peer.wants_all) else { return };
        let windows = self.waiting.windows(peer.remote_len).chain(std::iter::once(0));
        for window in windows {
            if peer.wants_inflight >= MAX_INFLIGHT {
                return;
            }
            if peer.wanted.insert(window) {
                peer.wants_inflight += 1;
                self.outputs.push_back(Output::Guard(1));
                let want = Message::Want { start: window * WINDOW, length: Some(WINDOW) };
                self.outputs.push_back(Output::Send(id, want));
            }
        }
    }
}
