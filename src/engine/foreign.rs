//! Foreign: peers on streams that npm's `hypercore-protocol` made, and channels that JavaScript speaks on by itself.
//!
//! ```text
//! foreign stream --message objects--> peer of a feed        our stream --channel without a feed--> message objects
//! ```
//! Both meet the core at the message: the same replicator serves a foreign peer, the same protocol carries a raw channel.

use super::event::{Kind, Value};
use super::peers::AttachOptions;
use super::streams::ChannelPlace;
use super::world::World;
use crate::replicate::PeerId;
use crate::wire::{LocalId, Message};

impl World {
    /// Adds a peer whose messages JavaScript carries.
    pub(super) fn attach_foreign(&mut self, feed: u64, attach: AttachOptions) {
        let Some(slot) = self.feeds.get_mut(&feed).filter(|slot| !slot.is_closed) else { return };
        let peer = PeerId(attach.peer);
        slot.channels.insert(peer, ChannelPlace::Foreign);
        slot.replicator.add_peer(peer, attach.options);
        self.dirty_feeds.insert(feed);
    }

    /// Answers what foreign peers have asked; their streams hold nothing back.
    pub(super) fn serve_foreign(&mut self, feed: u64) {
        let Some(slot) = self.feeds.get(&feed) else { return };
        let is_foreign = |place: &ChannelPlace| matches!(place, ChannelPlace::Foreign);
        let peers: Vec<PeerId> =
            slot.channels.iter().filter(|(_, place)| is_foreign(place)).map(|(peer, _)| *peer).collect();
        for peer in peers {
            while self.serve_next(feed, peer) {}
        }
    }

    pub(super) fn tell_message(&self, kind: Kind, from: u64, to: u64, message: Message) {
        let (number, fields) = fields_of(message);
        let head = [from.into(), to.into(), Value::Number(number)];
        self.tell(kind, head.into_iter().chain(fields));
    }

    /// Opens a channel that no feed of ours is on.
    pub(super) fn open_channel(&mut self, stream: u64, key: [u8; 32]) -> u64 {
        let Some(slot) = self.streams.get_mut(&stream) else { return 0 };
        let local = slot.protocol.open(key);
        if slot.protocol.remote_opened(&crate::math::crypto::discovery_key(&key)) {
            self.tell(Kind::ChannelOpen, [stream.into(), local.0.into()]);
        }
        self.dirty_streams.insert(stream);
        local.0
    }

    pub(super) fn send_on_channel(&mut self, stream: u64, local: u64, message: Message) {
        if let Some(slot) = self.streams.get_mut(&stream) {
            slot.protocol.send(LocalId(local), message);
            self.dirty_streams.insert(stream);
        }
    }
}

/// A message as its kind's number on the wire and its fields, in the order of stock's schema.
fn fields_of(message: Message) -> (u64, Vec<Value>) {
    match message {
        Message::Open { discovery_key, capability } => (0, vec![discovery_key.into(), capability.into()]),
        Message::Options { extensions, ack } => (1, vec![Value::Names(extensions), ack.into()]),
        Message::Status { uploading, downloading } => (2, vec![uploading.into(), downloading.into()]),
        Message::Have { start, length, bitfield, ack } => {
            (3, vec![start.into(), length.into(), bitfield.into(), ack.into()])
        }
        Message::Unhave { start, length } => (4, vec![start.into(), length.into()]),
        Message::Want { start, length } => (5, vec![start.into(), length.into()]),
        Message::Unwant { start, length } => (6, vec![start.into(), length.into()]),
        Message::Request { index, bytes, hash, nodes } => {
            (7, vec![index.into(), bytes.into(), hash.into(), nodes.into()])
        }
        Message::Cancel { index, bytes, hash } => (8, vec![index.into(), bytes.into(), hash.into()]),
        Message::Data { index, value, nodes, signature } => {
            (9, vec![index.into(), value.into(), nodes.into(), signature.into()])
        }
        Message::Close { discovery_key } => (10, vec![discovery_key.into()]),
        Message::Extension { id, payload } => (15, vec![id.into(), payload.into()]),
    }
}
