//! Wants and haves: who tells whom what it holds.
//!
//! ```text
//! want  start, 1 Mi  ->            <- have  the last block     (the first time: it tells the length at once, Q10)
//!                                  <- have  start, 1 Mi, bits, run-length encoded
//!                                  <- have  start, length      whatever is new from then on
//! ```
//! Bits that do not decode, or are more than any window needs, are the remote's fault.
//!
//! Invariant: a remote's length never falls, but when it says that it has lost everything.
//! Source: hypercore@9.12.0 lib/replicate.js `onhave`, `onwant`, `_sendWants`.

use super::peer::Phase;
use super::replicator::Replicator;
use super::types::{Fault, Local, Output, PeerId};
use super::windows::WINDOW;
use crate::math::flat::MAX_SAFE_INTEGER;
use crate::wire::Message;

/// Stock answers only wants that are aligned to its bitfield pages (Q9).
const PAGE: u64 = 8192;
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
        self.waits.skip_if_empty(peer);
        peer.remote.haves.insert_range(start, end);
        // The common case among many peers: what one tells has come from another already.
        if end - start > 1 || !local.bitfield.get(start) {
            peer.seen.refresh(start, end);
        }
        let is_longer = end > peer.remote.len;
        self.heard(id, end, is_longer);
    }

    pub(super) fn on_have_bits(
        &mut self,
        id: PeerId,
        start: u64,
        length: Option<u64>,
        bits: &[u8],
    ) -> Result<(), Fault> {
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        if length == Some(WINDOW) && peer.wants.answer() {
            self.report_wants(-1);
        }
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        // A remote of the first versions tells everything unasked (Q1).
        peer.wants.all |= matches!(length, None | Some(0 | 1));
        if bits.len() > MAX_BITS {
            return Err(Fault::HaveTooLarge);
        }
        self.waits.skip_if_empty(peer);
        let described = peer.remote.haves.insert_bitfield(start, bits).map_err(Fault::Have)?;
        let end = start.saturating_add(described);
        let is_longer = end > peer.remote.len;
        let len = if is_longer { peer.remote.haves.last().map_or(0, |last| last + 1) } else { 0 };
        peer.seen.refresh(start, end);
        self.heard(id, len, is_longer);
        Ok(())
    }

    /// A peer has told what it has, and to be `len` blocks long at least.
    fn heard(&mut self, id: PeerId, len: u64, is_longer: bool) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.remote.len = peer.remote.len.max(len);
        peer.wants.reach_to(peer.remote.len);
        let is_first = !peer.has_heard();
        if is_first && peer.is_open() {
            peer.phase = Phase::Open { heard: true };
        }
        if is_first || is_longer {
            self.outputs.push_back(Output::RemoteUpdate(id));
        }
        self.mark(id);
    }

    pub(super) fn on_want(&mut self, local: Local<'_>, id: PeerId, start: u64, length: Option<u64>) {
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.ours.uploading) else { return };
        let length = length.unwrap_or(0);
        if !(start.is_multiple_of(PAGE) && length.is_multiple_of(PAGE)) {
            return;
        }
        // The first want is answered twice: the last block tells the length at once (Q10).
        let last = local.len.checked_sub(1).filter(|last| local.bitfield.get(*last));
        if let Some(last) = last.filter(|_| !peer.remote.wants) {
            let have = Message::Have { start: last, length: None, bitfield: None, ack: false };
            self.outputs.push_back(Output::Send(id, have));
        }
        peer.remote.wants = true;
        let bits = local.bitfield.compress(start, length);
        let have = Message::Have { start, length: Some(length), bitfield: Some(bits.into()), ack: false };
        self.outputs.push_back(Output::Send(id, have));
        self.refile(id);
    }

    /// Sends wants for the windows that somebody is interested in.
    pub(super) fn send_wants(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.can_ask()) else { return };
        while let Some(window) = peer.wants.next(&self.waits.windows, self.waits.long(), &self.looks) {
            self.outputs.push_back(Output::Guard(1));
            let want = Message::Want { start: window * WINDOW, length: Some(WINDOW) };
            self.outputs.push_back(Output::Send(id, want));
        }
    }
}
