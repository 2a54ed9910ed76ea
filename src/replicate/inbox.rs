//! Inbox: what a message from a remote changes.
//!
//! ```text
//! have, unhave  -> the remote's haves -> dirty          request, cancel -> uploads
//! status        -> the remote's side  -> dirty, end     data            -> requests -> Store
//! want          -> have, at once                        extension, options -> the engine
//! ```
//! What does not belong to anything that was asked is dropped; what cannot be is the remote's
//! fault.
//!
//! Invariant: a message costs the same however many other peers, waits and downloads there are; but
//! for an answer so quick that half as much is expected of all who were asked.
//! Source: hypercore@9.12.0 lib/replicate.js.

use super::peer::Side;
use super::replicator::Replicator;
use super::types::{Answer, Ask, Fault, Local, Output, PeerId, Request};
use crate::wire::Message;

impl Replicator {
    /// Takes one message, at `now` in milliseconds. An error is the remote's fault and ends its
    /// channel.
    pub fn receive(&mut self, now: u64, local: Local<'_>, id: PeerId, message: Message) -> Result<(), Fault> {
        self.looks.count();
        match message {
            Message::Options { extensions, ack } => self.on_options(id, extensions, ack.unwrap_or(false)),
            Message::Status { uploading, downloading } => {
                self.on_status(id, uploading.unwrap_or(false), downloading.unwrap_or(false));
            }
            Message::Have { start, length, bitfield: Some(bits), .. } => {
                return self.on_have_bits(id, start, length, &bits);
            }
            Message::Have { start, length, ack, .. } => self.on_have(local, id, start, length.unwrap_or(1), ack),
            Message::Unhave { start, length } => self.on_unhave(id, start, length.unwrap_or(1)),
            Message::Want { start, length } => self.on_want(local, id, start, length),
            Message::Request { index, bytes, hash, nodes } => {
                return self.on_request(id, Request { index, bytes, hash, digest: nodes });
            }
            Message::Cancel { index, hash, .. } => self.on_cancel(id, index, hash),
            Message::Data { index, value, nodes, signature } => {
                self.on_data(now, local, Answer { peer: id, index, value, nodes, signature });
            }
            Message::Extension { id: number, payload } => {
                self.outputs.push_back(Output::Extension(id, number, payload));
            }
            // Stock ignores unwant too (Q11); opening and closing are the channel's business.
            Message::Unwant { .. } | Message::Open { .. } | Message::Close { .. } => {}
        }
        Ok(())
    }

    fn on_options(&mut self, id: PeerId, extensions: Vec<String>, ack: bool) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.remote.acks = ack;
        self.outputs.push_back(Output::Extensions(id, extensions));
    }

    fn on_status(&mut self, id: PeerId, uploading: bool, downloading: bool) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let begins = uploading && !peer.remote.side.uploading;
        peer.remote.side = Side { uploading, downloading };
        if !uploading {
            let dropped = peer.requests.clear();
            let wants = peer.wants.clear();
            self.report_wants(-i64::from(wants));
            dropped.into_iter().for_each(|ask| self.give_up(id, ask));
        } else if begins {
            // What it had while it did not upload may be asked for now.
            peer.seen.refresh(0, u64::MAX);
        }
        self.mark(id);
        if !downloading {
            self.end_if_idle(id);
        }
    }

    fn on_unhave(&mut self, id: PeerId, start: u64, len: u64) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let end = start.saturating_add(len);
        peer.remote.haves.remove_range(start, end);
        if start == 0 && end >= peer.remote.len {
            peer.remote.len = 0;
        }
        // The remote will not answer for what it has lost; ask elsewhere at once.
        let lost = peer.requests.refuse(start, end);
        lost.into_iter().for_each(|ask| self.give_up(id, ask));
        self.mark(id);
    }

    /// A block that nobody asked for. The remote is told that we still lack it, so that it does not
    /// count on us.
    fn on_push(&mut self, local: Local<'_>, answer: Answer) {
        let is_coming = self.asks.holder(Ask::block(answer.index)).is_some();
        if answer.value.is_none() || is_coming || local.bitfield.get(answer.index) {
            return;
        }
        if self.allow_push {
            self.outputs.push_back(Output::Store(answer));
        } else {
            self.outputs.push_back(Output::Send(answer.peer, Message::Unhave { start: answer.index, length: None }));
        }
    }

    /// Only answers to our own requests are looked at; the rest cannot hurt and is dropped, or kept
    /// if it was invited.
    fn on_data(&mut self, now: u64, local: Local<'_>, answer: Answer) {
        let (id, ask) = (answer.peer, Ask { index: answer.index, hash: answer.value.is_none() });
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(taken) = peer.requests.take(now, ask, answer.weight()) else { return self.on_push(local, answer) };
        self.mark(id);
        self.note_time(taken.took);
        if taken.ask != ask {
            // A seek's answer: it waits for this block now, which may be asked of others all the
            // same.
            self.waits.seeks.rename(taken.ask, ask);
            self.give_up(id, taken.ask);
        } else {
            let others = self.asks.answer(ask, id);
            others.into_iter().for_each(|other| self.take_back(other, ask));
        }
        if !ask.hash && local.bitfield.get(ask.index) {
            self.finish(ask);
        } else {
            self.outputs.push_back(Output::Store(answer));
        }
    }
}
