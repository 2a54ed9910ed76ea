//! Events as JavaScript gets them: `[kind, values...]`.
//!
//! ```text
//! Done { op: 7, answer: Place { index: 3, offset: 1 } }  ->  [0, 7, 3, 1]
//! Feed { feed: 2, event: Clear { start: 1, end: 4 } }    ->  [8, 2, 1, 4]
//! ```
//! The numbers of the kinds are those of [`Kind`]; JavaScript knows them by name (see `border`).

use super::border::hook;
use super::fields::fields_of;
use super::kind::Kind;
use super::value::{Value, list};
use crate::engine::{Answer, Event, Failure, FeedEvent, Opened, PeerInfo, StreamEvent};
use crate::feed::{Batch, Question};
use crate::wire::LocalId;

/// An event's kind and its values.
pub fn parts(event: Event) -> (Kind, Vec<Value>) {
    match event {
        Event::Done { op, answer } => (Kind::Done, with(op.0, answer_values(answer))),
        Event::Fail { op, failure } => (Kind::Fail, with(op.0, failure_values(failure))),
        Event::Feed { feed, event } => {
            let (kind, values) = feed_parts(event);
            (kind, with(feed.0, values))
        }
        Event::Stream { stream, event } => {
            let (kind, values) = stream_parts(event);
            (kind, with(stream.0, values))
        }
        Event::Again => (Kind::Again, Vec::new()),
        Event::Timer(milliseconds) => (Kind::Timer, vec![milliseconds.into()]),
        Event::Busy(difference) => (Kind::Busy, vec![Value::Signed(difference)]),
    }
}

fn with(id: u64, mut values: Vec<Value>) -> Vec<Value> {
    values.insert(0, Value::Number(id));
    values
}

fn answer_values(answer: Answer) -> Vec<Value> {
    match answer {
        Answer::Nothing => vec![],
        Answer::Appended { start, len, byte_len, live } => {
            vec![start.into(), len.into(), byte_len.into(), live.into()]
        }
        Answer::Block(block) => vec![block.into()],
        Answer::Blocks(Batch { data, sizes }) => vec![data.into(), list(sizes)],
        Answer::Place { index, offset } => vec![index.into(), offset.into()],
        Answer::Leaf(node) => vec![node.into()],
        Answer::Roots(nodes) => vec![list(nodes)],
        Answer::Signature { last, signature } => vec![last.into(), signature.into()],
        Answer::Verdict(verdict) => vec![verdict.into()],
        Answer::Proof { nodes, signature } => vec![list(nodes), signature.into()],
        Answer::Audit { valid, corrupt } => vec![valid.into(), list(corrupt)],
        Answer::Key { key, discovery_key } => vec![key.into(), discovery_key.into()],
    }
}

fn failure_values(failure: Failure) -> Vec<Value> {
    let code = failure.code.map_or(Value::Null, Value::Text);
    vec![code, Value::Text(failure.message), failure.foreign.into()]
}

fn feed_parts(event: FeedEvent) -> (Kind, Vec<Value>) {
    match event {
        FeedEvent::Key { key, discovery_key } => (Kind::Key, vec![key.into(), discovery_key.into()]),
        FeedEvent::Opened(opened) => (Kind::Opened, opened_values(opened)),
        FeedEvent::Append { len, byte_len, live } => (Kind::Append, vec![len.into(), byte_len.into(), live.into()]),
        FeedEvent::Download { index, value, peer } => (Kind::Download, vec![index.into(), value.into(), peer.into()]),
        FeedEvent::Upload { index, value, peer } => (Kind::Upload, vec![index.into(), value.into(), peer.into()]),
        FeedEvent::Sync => (Kind::Sync, vec![]),
        FeedEvent::Clear { start, end } => (Kind::Clear, vec![start.into(), end.into()]),
        FeedEvent::Guard(difference) => (Kind::Guard, vec![Value::Signed(difference)]),
        FeedEvent::Io => (Kind::Io, vec![]),
        FeedEvent::Truncate { len, byte_len } => (Kind::Truncate, vec![len.into(), byte_len.into()]),
        FeedEvent::Hook { id, question } => (Kind::Hook, with(id, question_values(question))),
        FeedEvent::PeerOpen(peer) => (Kind::PeerOpen, vec![peer.into()]),
        FeedEvent::PeerRemove { peer, last } => {
            let known = last.map(numbers_of).into_iter().flatten().map(Value::Number).collect();
            (Kind::PeerRemove, vec![peer.into(), Value::List(known)])
        }
        FeedEvent::PeerExtensions(peer, names) => (Kind::PeerExtensions, vec![peer.into(), Value::Names(names)]),
        FeedEvent::PeerExtension { peer, id, payload } => {
            (Kind::PeerExtension, vec![peer.into(), id.into(), payload.into()])
        }
        FeedEvent::PeerAck { peer, start, len } => (Kind::PeerAck, vec![peer.into(), start.into(), len.into()]),
        FeedEvent::RemoteUpdate(peer) => (Kind::RemoteUpdate, vec![peer.into()]),
        FeedEvent::PeerMessage(peer, message) => (Kind::PeerMessage, with(peer.0, fields_of(message))),
        FeedEvent::PeerDone(peer) => (Kind::PeerDone, vec![peer.into()]),
        FeedEvent::PeerFail(peer, failure) => (Kind::PeerFail, with(peer.0, failure_values(failure))),
    }
}

fn stream_parts(event: StreamEvent) -> (Kind, Vec<Value>) {
    match event {
        StreamEvent::Readable => (Kind::Readable, vec![]),
        StreamEvent::Drained => (Kind::Drained, vec![]),
        StreamEvent::Authenticate(key) => (Kind::Authenticate, vec![key.into()]),
        StreamEvent::Handshake { remote_public_key, hash } => {
            (Kind::Handshake, vec![remote_public_key.into(), hash.into()])
        }
        StreamEvent::DiscoveryKey(discovery_key) => (Kind::DiscoveryKey, vec![discovery_key.into()]),
        StreamEvent::RemoteOpen(discovery_key) => (Kind::RemoteOpen, vec![discovery_key.into()]),
        StreamEvent::Duplex(discovery_key) => (Kind::Duplex, vec![discovery_key.into()]),
        StreamEvent::ChannelClosed { discovery_key, local } => {
            (Kind::ChannelClosed, vec![discovery_key.into(), local.unwrap_or(LocalId(0)).0.into()])
        }
        StreamEvent::Fail(failure) => (Kind::StreamFail, failure_values(failure)),
        StreamEvent::Extensions(names) => (Kind::StreamExtensions, vec![Value::Names(names)]),
        StreamEvent::Extension { id, payload } => (Kind::StreamExtension, vec![id.into(), payload.into()]),
        StreamEvent::ChannelMessage(local, message) => (Kind::ChannelMessage, with(local.0, fields_of(message))),
        StreamEvent::ChannelOpen(local) => (Kind::ChannelOpen, vec![local.0.into()]),
    }
}

fn opened_values(opened: Opened) -> Vec<Value> {
    let Opened { key, discovery_key, secret_key, len, byte_len, writable, live } = opened;
    vec![key.into(), discovery_key.into(), secret_key.into(), len.into(), byte_len.into(), writable.into(), live.into()]
}

fn question_values(question: Question) -> Vec<Value> {
    match question {
        Question::Sign(message) => vec![hook::SIGN.into(), message.into()],
        Question::Verify(message, signature) => vec![hook::VERIFY.into(), message.into(), signature.into()],
        Question::Write(index, value, peer) => vec![hook::WRITE.into(), index.into(), value.into(), peer.into()],
    }
}

/// What is known of a peer in the order of `border::peer`; yes is 1.
pub fn numbers_of(info: PeerInfo) -> [u64; 10] {
    let [down_blocks, down_bytes, up_blocks, up_bytes] = info.stats;
    [
        info.remote_opened.into(),
        info.remote_len,
        info.remote_downloading.into(),
        info.remote_uploading.into(),
        info.remote_acks.into(),
        info.inflight,
        down_blocks,
        down_bytes,
        up_blocks,
        up_bytes,
    ]
}
