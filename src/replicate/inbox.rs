//! Inbox: what a message from a remote changes.

use super::{Answer, Ask, Fault, Local, Output, PeerId, Replicator, Request};
use crate::wire::Message;

impl Replicator {
    /// Takes one message. An error is the remote's fault and ends its channel.
    pub fn receive(&mut self, local: Local<'_>, id: PeerId, message: Message) -> Result<(), Fault> {
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
                self.on_request(id, Request { index, bytes, hash, digest: nodes });
            }
            Message::Cancel { index, .. } => self.outputs.push_back(Output::Unserve(id, index)),
            Message::Data { index, value, nodes, signature } => {
                self.on_data(local, Answer { peer: id, index, value, nodes, signature });
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
        peer.remote_acks = ack;
        self.outputs.push_back(Output::Extensions(id, extensions));
    }

    fn on_status(&mut self, id: PeerId, uploading: bool, downloading: bool) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.remote_uploading = uploading;
        peer.remote_downloading = downloading;
        if !uploading {
            let dropped = std::mem::take(&mut peer.inflight);
            peer.asked.clear();
            peer.wanted.clear();
            if peer.wants_inflight > 0 {
                self.outputs.push_back(Output::Guard(-peer.wants_inflight));
                peer.wants_inflight = 0;
            }
            self.give_up(id, &dropped);
        }
        if !downloading {
            self.end_if_idle(id);
        }
    }

    fn on_unhave(&mut self, id: PeerId, start: u64, len: u64) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let end = start.saturating_add(len);
        peer.haves.remove_range(start, end);
        if start == 0 && end >= peer.remote_len {
            peer.remote_len = 0;
        }
        // The remote will not answer for what it has lost; ask elsewhere at once.
        let lost: Vec<Ask> =
            peer.inflight.iter().map(|inflight| inflight.ask).filter(|ask| (start..end).contains(&ask.index)).collect();
        lost.iter().for_each(|ask| peer.refuse(*ask));
        lost.into_iter().for_each(|ask| self.release_from(id, ask));
    }

    fn on_request(&mut self, id: PeerId, request: Request) {
        if self.peers.get(&id).is_some_and(|peer| peer.uploading) {
            self.outputs.push_back(Output::Serve(id, request));
        }
    }

    /// A block that nobody asked for. The remote is told that we still lack it, so that it does not count on us.
    fn on_push(&mut self, local: Local<'_>, answer: Answer) {
        if answer.value.is_none() || local.bitfield.get(answer.index) {
            return;
        }
        if self.allow_push {
            self.outputs.push_back(Output::Store(answer));
        } else {
            self.outputs.push_back(Output::Send(answer.peer, Message::Unhave { start: answer.index, length: None }));
        }
    }

    /// Only answers to our own requests are looked at; the rest cannot hurt and is dropped, or kept if it was invited.
    fn on_data(&mut self, local: Local<'_>, answer: Answer) {
        let ask = Ask { index: answer.index, hash: answer.value.is_none() };
        let Some(peer) = self.peers.get_mut(&answer.peer) else { return };
        let Some(taken) = peer.take_inflight(ask) else { return self.on_push(local, answer) };
        if let Some(value) = &answer.value {
            peer.note_size(value.len());
        }
        if taken.ask != ask {
            self.release(taken.ask);
        }
        if !ask.hash && local.bitfield.get(ask.index) {
            self.release(ask);
        } else {
            self.outputs.push_back(Output::Store(answer));
        }
    }
}
