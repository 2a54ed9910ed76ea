//! What a replicator asks for and answers, message by message.

use super::*;
use crate::log::stage::Stage;
use crate::math::crypto::leaf_hash;
use crate::math::flat::BlockIndex;
use crate::math::rle;

const PEER: PeerId = PeerId(1);
const OTHER: PeerId = PeerId(2);

fn options(live: bool, downloading: bool) -> PeerOptions {
    let (ack, uploading, timeout, max_requests) = (false, true, Some(20_000), None);
    PeerOptions { live, ack, downloading, uploading, timeout, max_requests, seed: 0 }
}

/// A bitfield that holds the first `len` blocks and their leaves.
fn holding(len: u64) -> Bitfield {
    let mut bitfield = Bitfield::new(3584);
    let mut stage = Stage::new();
    stage.set_range(&bitfield, 0, len, true);
    (0..len).for_each(|block| _ = stage.set_node(&bitfield, BlockIndex(block).leaf(), true));
    bitfield.apply(stage);
    bitfield
}

fn local(bitfield: &Bitfield, len: u64) -> Local<'_> {
    Local { bitfield, len }
}

/// A replicator of a sparse reader with one open peer.
fn with_peer(options: PeerOptions) -> Replicator {
    let mut replicator = Replicator::new(true, false);
    replicator.add_peer(PEER, options);
    replicator.open_peer(PEER);
    sent(&mut replicator);
    replicator
}

/// The messages that are to be sent, and to whom; other outputs are passed over.
fn sent(replicator: &mut Replicator) -> Vec<(PeerId, Message)> {
    let mut messages = Vec::new();
    while let Some(output) = replicator.poll() {
        if let Output::Send(peer, message) = output {
            messages.push((peer, message));
        }
    }
    messages
}

fn requests(replicator: &mut Replicator, now: u64, local: Local<'_>) -> Vec<(PeerId, u64)> {
    replicator.settle(now, local);
    let messages = sent(replicator).into_iter();
    messages
        .filter_map(|(peer, message)| match message {
            Message::Request { index, .. } => Some((peer, index)),
            _ => None,
        })
        .collect()
}

fn have(start: u64, length: Option<u64>, bits: Option<&[u8]>) -> Message {
    Message::Have { start, length, bitfield: bits.map(|bits| rle::encode(bits).into()), ack: false }
}

fn wants(messages: &[(PeerId, Message)]) -> usize {
    messages.iter().filter(|(_, message)| matches!(message, Message::Want { .. })).count()
}

fn data(index: u64) -> Message {
    let node = Node { index: BlockIndex(index).leaf(), hash: leaf_hash(b"x"), size: 1 };
    Message::Data { index, value: Some(Bytes::from_static(b"x")), nodes: vec![node], signature: None }
}

#[test]
fn q1_a_have_of_the_first_versions_ends_our_wants() {
    let empty = holding(0);
    for (length, ends) in [(None, true), (Some(0), true), (Some(1), true), (Some(1024 * 1024), false)] {
        let mut replicator = with_peer(options(true, true));
        replicator.receive(local(&empty, 0), PEER, have(0, length, Some(&[0xff]))).unwrap();
        replicator.settle(0, local(&empty, 0));
        assert_eq!(wants(&sent(&mut replicator)) == 0, ends, "{length:?}");
    }
}

#[test]
fn q9_and_q10_wants_are_answered_if_aligned_and_the_first_one_twice() {
    let held = holding(3);
    let mut replicator = with_peer(options(true, false));
    for (start, length) in [(1, Some(8192)), (0, Some(8191)), (8192, Some(100))] {
        replicator.receive(local(&held, 3), PEER, Message::Want { start, length }).unwrap();
        assert_eq!(sent(&mut replicator), []);
    }
    let want = Message::Want { start: 0, length: Some(8192) };
    replicator.receive(local(&held, 3), PEER, want.clone()).unwrap();
    let bits = have(0, Some(8192), Some(&[0b1110_0000]));
    assert_eq!(sent(&mut replicator), [(PEER, have(2, None, None)), (PEER, bits.clone())]);
    replicator.receive(local(&held, 3), PEER, want).unwrap();
    assert_eq!(sent(&mut replicator), [(PEER, bits)]);
}

#[test]
fn q11_who_wanted_once_is_told_for_ever() {
    let held = holding(3);
    let mut replicator = with_peer(options(true, false));
    replicator.announce(3, 1, None);
    assert_eq!(sent(&mut replicator), []);
    replicator.receive(local(&held, 3), PEER, Message::Want { start: 0, length: Some(8192) }).unwrap();
    replicator.receive(local(&held, 3), PEER, Message::Unwant { start: 0, length: Some(8192) }).unwrap();
    sent(&mut replicator);
    replicator.announce(3, 2, None);
    assert_eq!(sent(&mut replicator), [(PEER, have(3, Some(2), None))]);
    replicator.announce(5, 1, Some(PEER));
    assert_eq!(sent(&mut replicator), []);
}

#[test]
fn a_block_is_asked_of_one_peer_until_that_one_is_late() {
    let empty = holding(0);
    let mut replicator = with_peer(options(true, true));
    replicator.add_peer(OTHER, options(true, true));
    replicator.open_peer(OTHER);
    for peer in [PEER, OTHER] {
        replicator.receive(local(&empty, 0), peer, have(0, Some(10), None)).unwrap();
    }
    replicator.wait_block(WaitId(7), 4);
    assert_eq!(requests(&mut replicator, 0, local(&empty, 0)), [(PEER, 4)]);
    replicator.tick(LATE_AFTER - 1);
    assert_eq!(requests(&mut replicator, LATE_AFTER - 1, local(&empty, 0)), []);
    replicator.tick(LATE_AFTER);
    assert_eq!(requests(&mut replicator, LATE_AFTER, local(&empty, 0)), [(OTHER, 4)]);
}

#[test]
fn who_loses_a_block_again_and_again_is_left_alone_for_a_while() {
    let empty = holding(0);
    let mut replicator = with_peer(options(true, true));
    replicator.wait_block(WaitId(7), 3);
    let mut times_asked = |now| {
        replicator.tick(now);
        let mut offer = || {
            replicator.receive(local(&empty, 0), PEER, have(0, Some(10), None)).unwrap();
            let asked = requests(&mut replicator, now, local(&empty, 0)).len();
            replicator.receive(local(&empty, 0), PEER, Message::Unhave { start: 3, length: None }).unwrap();
            asked
        };
        (0..5).map(|_| offer()).sum::<usize>()
    };
    assert_eq!(times_asked(0), 3);
    assert_eq!(times_asked(10), 3);
    assert_eq!(times_asked(9 + LATE_AFTER), 0);
    assert_eq!(times_asked(10 + LATE_AFTER), 3);
}

#[test]
fn a_list_is_asked_for_in_its_order_and_then_forgotten() {
    let mut replicator = with_peer(options(true, true));
    replicator.select(Some(WaitId(7)), Range::Blocks(vec![9, 2, 5, 0]));
    replicator.receive(local(&holding(1), 1), PEER, have(0, Some(6), None)).unwrap();
    assert_eq!(requests(&mut replicator, 0, local(&holding(1), 1)), [(PEER, 2), (PEER, 5)]);
    replicator.receive(local(&holding(1), 1), PEER, have(9, None, None)).unwrap();
    assert_eq!(requests(&mut replicator, 0, local(&holding(1), 1)), [(PEER, 9)]);
    assert!(replicator.peers.values().all(|peer| peer.cursors.len() == 1));
    replicator.settle(0, local(&holding(10), 10));
    assert!(std::iter::from_fn(|| replicator.poll()).any(|output| matches!(output, Output::Resolved(WaitId(7)))));
    assert!(replicator.peers.values().all(|peer| peer.cursors.is_empty()));
}

#[test]
fn what_was_not_asked_for_is_not_stored() {
    let empty = holding(0);
    let mut replicator = with_peer(options(true, true));
    replicator.receive(local(&empty, 0), PEER, data(3)).unwrap();
    assert_eq!(sent(&mut replicator), [(PEER, Message::Unhave { start: 3, length: None })]);
    replicator.receive(local(&empty, 0), PEER, have(0, Some(10), None)).unwrap();
    replicator.wait_block(WaitId(7), 3);
    assert_eq!(requests(&mut replicator, 0, local(&empty, 0)), [(PEER, 3)]);
    replicator.receive(local(&empty, 0), PEER, data(3)).unwrap();
    assert!(matches!(replicator.poll(), Some(Output::Store(answer)) if answer.index == 3));
}

#[test]
fn a_cancelled_get_takes_its_request_back() {
    let empty = holding(0);
    let mut replicator = with_peer(options(true, true));
    replicator.receive(local(&empty, 0), PEER, have(0, Some(10), None)).unwrap();
    replicator.wait_block(WaitId(7), 3);
    requests(&mut replicator, 0, local(&empty, 0));
    assert!(replicator.cancel(WaitId(7)));
    assert_eq!(sent(&mut replicator), [(PEER, Message::Cancel { index: 3, bytes: 0, hash: false })]);
    assert!(!replicator.cancel(WaitId(7)));
    replicator.wait_block(WaitId(8), 3);
    assert_eq!(requests(&mut replicator, 0, local(&empty, 0)), [(PEER, 3)]);
}

#[test]
fn silence_ends_the_stream_and_an_answer_does_not() {
    let empty = holding(0);
    let mut replicator = with_peer(options(true, true));
    replicator.receive(local(&empty, 0), PEER, have(0, Some(10), None)).unwrap();
    (0..2).for_each(|block| replicator.wait_block(WaitId(block), block));
    requests(&mut replicator, 0, local(&empty, 0));
    let is_over = |replicator: &mut Replicator, now| {
        replicator.tick(now);
        std::iter::from_fn(|| replicator.poll()).any(|output| matches!(output, Output::TimedOut(PEER)))
    };
    assert!(!is_over(&mut replicator, 0));
    replicator.receive(local(&empty, 0), PEER, data(0)).unwrap();
    assert!(!is_over(&mut replicator, 20_000));
    replicator.wait_block(WaitId(5), 5);
    requests(&mut replicator, 20_000, local(&empty, 0));
    assert!(!is_over(&mut replicator, 39_999));
    assert!(is_over(&mut replicator, 40_000));
}

#[test]
fn a_reader_that_is_not_live_ends_when_it_has_everything() {
    let held = holding(3);
    let mut replicator = Replicator::new(false, false);
    replicator.add_peer(PEER, options(false, true));
    replicator.open_peer(PEER);
    replicator.settle(0, local(&held, 3));
    sent(&mut replicator);
    replicator.receive(local(&held, 3), PEER, have(2, None, None)).unwrap();
    replicator.settle(0, local(&held, 3));
    let status = Message::Status { uploading: Some(true), downloading: Some(false) };
    assert!(sent(&mut replicator).contains(&(PEER, status)));
    let done = Message::Status { uploading: Some(false), downloading: Some(false) };
    replicator.receive(local(&held, 3), PEER, done).unwrap();
    assert!(std::iter::from_fn(|| replicator.poll()).any(|output| matches!(output, Output::Done(PEER))));
}
