//! What a replicator asks for and answers, message by message.

use bytes::Bytes;

use super::*;
use crate::log::bitfield::Bitfield;
use crate::log::stage::Stage;
use crate::math::crypto::{Node, leaf_hash};
use crate::math::flat::BlockIndex;
use crate::math::rle;
use crate::wire::Message;

mod many;

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
    replicator.add_peer(PEER, options, Line::default());
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
        replicator.receive(0, local(&empty, 0), PEER, have(0, length, Some(&[0xff]))).unwrap();
        replicator.settle(0, local(&empty, 0));
        assert_eq!(wants(&sent(&mut replicator)) == 0, ends, "{length:?}");
    }
}

#[test]
fn q9_and_q10_wants_are_answered_if_aligned_and_the_first_one_twice() {
    let held = holding(3);
    let mut replicator = with_peer(options(true, false));
    for (start, length) in [(1, Some(8192)), (0, Some(8191)), (8192, Some(100))] {
        replicator.receive(0, local(&held, 3), PEER, Message::Want { start, length }).unwrap();
        assert_eq!(sent(&mut replicator), []);
    }
    let want = Message::Want { start: 0, length: Some(8192) };
    replicator.receive(0, local(&held, 3), PEER, want.clone()).unwrap();
    let bits = have(0, Some(8192), Some(&[0b1110_0000]));
    assert_eq!(sent(&mut replicator), [(PEER, have(2, None, None)), (PEER, bits.clone())]);
    replicator.receive(0, local(&held, 3), PEER, want).unwrap();
    assert_eq!(sent(&mut replicator), [(PEER, bits)]);
}

#[test]
fn q11_who_wanted_once_is_told_for_ever() {
    let held = holding(3);
    let mut replicator = with_peer(options(true, false));
    replicator.announce(3, 1, None);
    assert_eq!(sent(&mut replicator), []);
    replicator.receive(0, local(&held, 3), PEER, Message::Want { start: 0, length: Some(8192) }).unwrap();
    replicator.receive(0, local(&held, 3), PEER, Message::Unwant { start: 0, length: Some(8192) }).unwrap();
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
    replicator.add_peer(OTHER, options(true, true), Line::default());
    replicator.open_peer(OTHER);
    for peer in [PEER, OTHER] {
        replicator.receive(0, local(&empty, 0), peer, have(0, Some(10), None)).unwrap();
    }
    replicator.wait_block(WaitId(7), 4);
    assert_eq!(requests(&mut replicator, 0, local(&empty, 0)), [(PEER, 4)]);
    replicator.tick(patience::MOST - 1);
    assert_eq!(requests(&mut replicator, patience::MOST - 1, local(&empty, 0)), []);
    replicator.tick(patience::MOST);
    assert_eq!(requests(&mut replicator, patience::MOST, local(&empty, 0)), [(OTHER, 4)]);
}

#[test]
fn a_list_has_what_was_cleared_come_back_and_lists_before_it_do_not_wait_again() {
    let (empty, held) = (holding(0), holding(2));
    let mut replicator = with_peer(options(true, true));
    replicator.receive(0, local(&empty, 0), PEER, have(0, Some(2), None)).unwrap();
    replicator.select(Some(WaitId(1)), Range::Blocks(vec![1, 9]));
    assert_eq!(requests(&mut replicator, 0, local(&empty, 0)), [(PEER, 1)]);
    replicator.receive(0, local(&empty, 0), PEER, data(1)).unwrap();
    replicator.stored(PEER, 1, Some(1));
    replicator.arrived(1);
    assert_eq!(requests(&mut replicator, 0, local(&held, 2)), []);
    replicator.cleared(1, 2, &[(1, 2)]);
    replicator.select(Some(WaitId(2)), Range::Blocks(vec![1]));
    assert_eq!(requests(&mut replicator, 0, local(&empty, 0)), [(PEER, 1)]);
    replicator.arrived(9);
    replicator.settle(0, local(&empty, 0));
    let over: Vec<WaitId> = std::iter::from_fn(|| replicator.poll())
        .filter_map(|output| if let Output::Resolved(id) = output { Some(id) } else { None })
        .collect();
    assert_eq!(over, [WaitId(1)]);
}

#[test]
fn a_cancel_of_a_hash_leaves_the_request_for_the_block() {
    let held = holding(3);
    let mut replicator = with_peer(options(true, false));
    let request = |hash| Message::Request { index: 2, bytes: 0, hash, nodes: 0 };
    for hash in [true, false] {
        replicator.receive(0, local(&held, 3), PEER, request(hash)).unwrap();
    }
    replicator.receive(0, local(&held, 3), PEER, Message::Cancel { index: 2, bytes: 0, hash: true }).unwrap();
    let left: Vec<bool> = replicator.take_uploads(PEER, 9).iter().map(|request| request.hash).collect();
    assert_eq!(left, [false]);
}

#[test]
fn who_has_fallen_silent_is_asked_last_and_for_little() {
    let empty = holding(0);
    let mut replicator = with_peer(options(true, true));
    replicator.receive(0, local(&empty, 0), PEER, have(0, Some(100), None)).unwrap();
    replicator.wait_block(WaitId(1), 4);
    assert_eq!(requests(&mut replicator, 0, local(&empty, 0)), [(PEER, 4)]);
    replicator.tick(patience::MOST);
    let later = 2 * patience::MOST;
    // Nobody else has it.
    replicator.wait_block(WaitId(2), 5);
    assert_eq!(requests(&mut replicator, later, local(&empty, 0)), [(PEER, 5)]);
    // Nobody waits for these.
    replicator.select(None, Range::Span { start: 10, end: Some(20), linear: true, hash: false });
    assert_eq!(requests(&mut replicator, later, local(&empty, 0)), []);
    replicator.add_peer(OTHER, options(true, true), Line::default());
    replicator.open_peer(OTHER);
    replicator.receive(later, local(&empty, 0), OTHER, have(0, Some(7), None)).unwrap();
    sent(&mut replicator);
    replicator.wait_block(WaitId(3), 6);
    assert_eq!(requests(&mut replicator, later, local(&empty, 0)), [(OTHER, 4), (OTHER, 6)]);
    // It answers again: of the range as much as its line carries.
    replicator.receive(later, local(&empty, 0), PEER, data(5)).unwrap();
    assert_eq!(requests(&mut replicator, later, local(&empty, 0)).len(), 10);
}

#[test]
fn who_loses_a_block_again_and_again_is_left_alone_for_a_while() {
    let empty = holding(0);
    let mut replicator = with_peer(options(true, true));
    replicator.wait_block(WaitId(7), 3);
    let mut times_asked = |now| {
        replicator.tick(now);
        let mut offer = || {
            replicator.receive(0, local(&empty, 0), PEER, have(0, Some(10), None)).unwrap();
            let asked = requests(&mut replicator, now, local(&empty, 0)).len();
            replicator.receive(0, local(&empty, 0), PEER, Message::Unhave { start: 3, length: None }).unwrap();
            asked
        };
        (0..5).map(|_| offer()).sum::<usize>()
    };
    assert_eq!(times_asked(0), 3);
    assert_eq!(times_asked(10), 3);
    assert_eq!(times_asked(9 + patience::MOST), 0);
    assert_eq!(times_asked(10 + patience::MOST), 3);
}

#[test]
fn a_list_is_asked_for_in_its_order_and_then_forgotten() {
    let mut replicator = with_peer(options(true, true));
    replicator.select(Some(WaitId(7)), Range::Blocks(vec![9, 2, 5, 0]));
    replicator.receive(0, local(&holding(1), 1), PEER, have(0, Some(6), None)).unwrap();
    assert_eq!(requests(&mut replicator, 0, local(&holding(1), 1)), [(PEER, 2), (PEER, 5)]);
    replicator.receive(0, local(&holding(1), 1), PEER, have(9, None, None)).unwrap();
    assert_eq!(requests(&mut replicator, 0, local(&holding(1), 1)), [(PEER, 9)]);
    assert_eq!(replicator.waits.listed.next(), 3);
    for block in [5, 9, 2] {
        assert_eq!(replicator.arrived(block), []);
    }
    replicator.settle(0, local(&holding(10), 10));
    assert!(std::iter::from_fn(|| replicator.poll()).any(|output| matches!(output, Output::Resolved(WaitId(7)))));
    assert!(replicator.waits.ids.is_empty() && replicator.waits.lists.is_empty());
    assert!(!replicator.waits.listed.has_since(0));
}

#[test]
fn what_was_not_asked_for_is_not_stored() {
    let empty = holding(0);
    let mut replicator = with_peer(options(true, true));
    replicator.receive(0, local(&empty, 0), PEER, data(3)).unwrap();
    assert_eq!(sent(&mut replicator), [(PEER, Message::Unhave { start: 3, length: None })]);
    replicator.receive(0, local(&empty, 0), PEER, have(0, Some(10), None)).unwrap();
    replicator.wait_block(WaitId(7), 3);
    assert_eq!(requests(&mut replicator, 0, local(&empty, 0)), [(PEER, 3)]);
    replicator.receive(0, local(&empty, 0), PEER, data(3)).unwrap();
    assert!(matches!(replicator.poll(), Some(Output::Store(answer)) if answer.index == 3));
}

#[test]
fn a_cancelled_get_takes_its_request_back() {
    let empty = holding(0);
    let mut replicator = with_peer(options(true, true));
    replicator.receive(0, local(&empty, 0), PEER, have(0, Some(10), None)).unwrap();
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
    replicator.receive(0, local(&empty, 0), PEER, have(0, Some(10), None)).unwrap();
    (0..2).for_each(|block| replicator.wait_block(WaitId(block), block));
    requests(&mut replicator, 0, local(&empty, 0));
    let is_over = |replicator: &mut Replicator, now| {
        replicator.tick(now);
        std::iter::from_fn(|| replicator.poll()).any(|output| matches!(output, Output::TimedOut(PEER)))
    };
    assert!(!is_over(&mut replicator, 0));
    replicator.receive(0, local(&empty, 0), PEER, data(0)).unwrap();
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
    replicator.add_peer(PEER, options(false, true), Line::default());
    replicator.open_peer(PEER);
    replicator.settle(0, local(&held, 3));
    sent(&mut replicator);
    replicator.receive(0, local(&held, 3), PEER, have(2, None, None)).unwrap();
    replicator.settle(0, local(&held, 3));
    let status = Message::Status { uploading: Some(true), downloading: Some(false) };
    assert!(sent(&mut replicator).contains(&(PEER, status)));
    let done = Message::Status { uploading: Some(false), downloading: Some(false) };
    replicator.receive(0, local(&held, 3), PEER, done).unwrap();
    assert!(std::iter::from_fn(|| replicator.poll()).any(|output| matches!(output, Output::Done(PEER))));
}

/// What a reader that is not sparse says of its work, given what the writer has told; the last
/// message of a status, if any.
fn status_of(replicator: &mut Replicator, local: Local<'_>) -> Option<Message> {
    replicator.settle(0, local);
    sent(replicator)
        .into_iter()
        .rev()
        .map(|(_, message)| message)
        .find(|message| matches!(message, Message::Status { .. }))
}

/// A reader that is not sparse and has one open peer.
fn reader(live: bool) -> Replicator {
    let mut replicator = Replicator::new(false, false);
    replicator.add_peer(PEER, options(live, true), Line::default());
    replicator.open_peer(PEER);
    replicator
}

fn held(blocks: impl IntoIterator<Item = u64>) -> Bitfield {
    let (mut bitfield, mut stage) = (Bitfield::new(3584), Stage::new());
    blocks.into_iter().for_each(|block| _ = stage.set(&bitfield, block, true));
    bitfield.apply(stage);
    bitfield
}

#[test]
fn a_reader_is_complete_when_it_has_what_its_peers_have() {
    let window = Some(1024 * 1024);
    let mut replicator = reader(false);
    assert_eq!(status_of(&mut replicator, local(&holding(0), 0)), None);
    // The writer has cleared block 0.
    let nothing = held([]);
    replicator.receive(0, local(&nothing, 0), PEER, have(2, None, None)).unwrap();
    replicator.receive(0, local(&nothing, 0), PEER, have(0, window, Some(&[0b0110_0000]))).unwrap();
    let mut asked = requests(&mut replicator, 0, local(&nothing, 0));
    asked.sort_unstable();
    assert_eq!(asked, [(PEER, 1), (PEER, 2)]);
    for block in [2, 1] {
        assert_eq!(status_of(&mut replicator, local(&held([2]), 3)), None);
        replicator.receive(0, local(&held([]), 0), PEER, data(block)).unwrap();
        assert_eq!(status_of(&mut replicator, local(&held([2]), 3)), None);
        replicator.stored(PEER, block, Some(1));
        replicator.arrived(block);
    }
    let status = Message::Status { uploading: Some(true), downloading: Some(false) };
    assert_eq!(status_of(&mut replicator, local(&held([1, 2]), 3)), Some(status));
}

#[test]
fn a_reader_waits_for_all_that_its_peers_are_going_to_tell() {
    let (window, held) = (Some(1024 * 1024), held([1, 2]));
    let mut replicator = reader(false);
    replicator.add_peer(OTHER, options(false, true), Line::default());
    replicator.open_peer(OTHER);
    assert_eq!(status_of(&mut replicator, local(&held, 3)), None);
    // The answer to the want is still to come, then that of the other peer, then what it has.
    replicator.receive(0, local(&held, 3), PEER, have(2, None, None)).unwrap();
    assert_eq!(status_of(&mut replicator, local(&held, 3)), None);
    replicator.receive(0, local(&held, 3), PEER, have(0, window, Some(&[0b0110_0000]))).unwrap();
    assert_eq!(status_of(&mut replicator, local(&held, 3)), None);
    replicator.receive(0, local(&held, 3), OTHER, have(0, window, Some(&[0b1110_0000]))).unwrap();
    assert_eq!(requests(&mut replicator, 0, local(&held, 3)), [(OTHER, 0)]);
    // The other one loses what the reader was waiting for.
    replicator.receive(0, local(&held, 3), OTHER, Message::Unhave { start: 0, length: None }).unwrap();
    replicator.settle(0, local(&held, 3));
    let ended: Vec<PeerId> = sent(&mut replicator).into_iter().map(|(peer, _)| peer).collect();
    assert_eq!(ended, [PEER, OTHER]);
}

#[test]
fn a_writer_that_has_cleared_everything_ends_too() {
    let mut replicator = reader(false);
    assert_eq!(status_of(&mut replicator, local(&held([]), 0)), None);
    replicator.receive(0, local(&held([]), 0), PEER, have(0, Some(1024 * 1024), Some(&[]))).unwrap();
    assert!(status_of(&mut replicator, local(&held([]), 0)).is_some());
}

#[test]
fn a_hole_as_wide_as_many_windows_does_not_hide_what_follows() {
    let mut replicator = reader(true);
    let (nothing, far) = (held([]), 60 * 1024 * 1024);
    replicator.receive(0, local(&nothing, 0), PEER, have(far, None, None)).unwrap();
    let mut windows = 0;
    for _ in 0..100 {
        replicator.settle(0, local(&nothing, 0));
        windows += wants(&sent(&mut replicator));
        replicator.receive(0, local(&nothing, 0), PEER, have(0, Some(1024 * 1024), Some(&[]))).unwrap();
    }
    assert_eq!(windows, 61);
}

#[test]
fn what_was_cleared_stays_cleared_until_it_is_asked_for() {
    let mut replicator = reader(true);
    let all = held((0..7).chain(8..10));
    replicator.receive(0, local(&all, 10), PEER, have(0, Some(7), None)).unwrap();
    replicator.receive(0, local(&all, 10), PEER, have(8, Some(2), None)).unwrap();
    assert_eq!(requests(&mut replicator, 0, local(&all, 10)), []);
    // Block 7 was not held when 2..8 were cleared: it is wanted as before.
    let some = held([0, 1, 8, 9]);
    replicator.cleared(2, 8, &[(2, 7)]);
    replicator.receive(0, local(&some, 10), PEER, have(0, Some(10), None)).unwrap();
    assert_eq!(requests(&mut replicator, 0, local(&some, 10)), [(PEER, 7)]);
    replicator.wait_block(WaitId(1), 3);
    assert_eq!(requests(&mut replicator, 0, local(&some, 10)), [(PEER, 3)]);
    replicator.select(Some(WaitId(2)), Range::Blocks(vec![5]));
    assert_eq!(requests(&mut replicator, 0, local(&some, 10)), [(PEER, 5)]);
    replicator.select(Some(WaitId(3)), Range::Span { start: 3, end: Some(5), linear: true, hash: false });
    assert_eq!(requests(&mut replicator, 0, local(&some, 10)), [(PEER, 4)]);
    replicator.lost(8, 9);
    assert_eq!(requests(&mut replicator, 0, local(&held([0, 1, 9]), 10)), [(PEER, 8)]);
    // A peer that comes later brings it back, as in stock.
    replicator.add_peer(OTHER, options(true, true), Line::default());
    replicator.open_peer(OTHER);
    replicator.receive(0, local(&some, 10), OTHER, have(0, Some(10), None)).unwrap();
    let asked = requests(&mut replicator, 0, local(&held([0, 1, 9]), 10));
    assert_eq!(asked, [(OTHER, 2), (OTHER, 6)]);
}

#[test]
fn a_download_is_over_when_all_of_it_was_here_once() {
    let mut replicator = with_peer(options(true, true));
    replicator.select(Some(WaitId(1)), Range::Span { start: 0, end: Some(4), linear: false, hash: false });
    replicator.select(Some(WaitId(2)), Range::Blocks(vec![3, 0]));
    replicator.settle(0, local(&held([0, 1, 2]), 4));
    replicator.cleared(0, 1, &[(0, 1)]);
    replicator.settle(0, local(&held([1, 2]), 4));
    replicator.arrived(3);
    replicator.settle(0, local(&held([1, 2, 3]), 4));
    let is_resolved = |output| if let Output::Resolved(id) = output { Some(id) } else { None };
    let resolved: Vec<WaitId> = std::iter::from_fn(|| replicator.poll()).filter_map(is_resolved).collect();
    assert_eq!(resolved, [WaitId(1), WaitId(2)]);
}

#[test]
fn what_is_lost_before_a_download_is_over_is_fetched_again() {
    let mut replicator = with_peer(options(true, true));
    let all = held(0..3);
    replicator.receive(0, local(&all, 4), PEER, have(0, Some(3), None)).unwrap();
    replicator.select(Some(WaitId(1)), Range::Span { start: 0, end: Some(4), linear: false, hash: false });
    replicator.select(Some(WaitId(2)), Range::Blocks(vec![3, 0]));
    assert_eq!(requests(&mut replicator, 0, local(&all, 4)), []);
    replicator.lost(0, 1);
    assert_eq!(requests(&mut replicator, 0, local(&held([1, 2]), 4)), [(PEER, 0)]);
    replicator.arrived(3);
    replicator.settle(0, local(&held([1, 2, 3]), 4));
    assert!(!std::iter::from_fn(|| replicator.poll()).any(|output| matches!(output, Output::Resolved(_))));
    replicator.arrived(0);
    replicator.settle(0, local(&held(0..4), 4));
    assert_eq!(
        std::iter::from_fn(|| replicator.poll()).filter(|output| matches!(output, Output::Resolved(_))).count(),
        2
    );
}

#[test]
fn gets_are_answered_in_the_order_in_which_they_were_asked() {
    let mut replicator = with_peer(options(true, true));
    [9, 4, 7].into_iter().for_each(|id| replicator.wait_block(WaitId(id), 3));
    assert!(replicator.cancel(WaitId(4)));
    assert_eq!(replicator.arrived(3), [WaitId(9), WaitId(7)]);
    assert_eq!(replicator.arrived(3), []);
}

fn request(index: u64, bytes: u64) -> Message {
    Message::Request { index, bytes, hash: false, nodes: 0 }
}

#[test]
fn requests_wait_in_turn_and_can_be_cancelled() {
    let held = holding(3);
    let mut replicator = with_peer(options(true, true));
    let hear = |replicator: &mut Replicator, message| replicator.receive(0, local(&held, 3), PEER, message).unwrap();
    let asked = |replicator: &mut Replicator| {
        std::iter::from_fn(|| replicator.poll()).filter(|output| matches!(output, Output::Asked(PEER))).count()
    };
    for (index, bytes) in [(0, 0), (1, 0), (2, 0), (0, 9), (1, 0)] {
        hear(&mut replicator, request(index, bytes));
    }
    hear(&mut replicator, Message::Cancel { index: 1, bytes: 0, hash: false });
    assert_eq!((asked(&mut replicator), replicator.uploads_waiting(PEER)), (1, 3));
    let take = |replicator: &mut Replicator, max| -> Vec<(u64, u64)> {
        replicator.take_uploads(PEER, max).iter().map(|request| (request.index, request.bytes)).collect()
    };
    assert_eq!(take(&mut replicator, 10), [(0, 0), (2, 0)]);
    assert_eq!(take(&mut replicator, 10), []);
    hear(&mut replicator, request(2, 0));
    assert_eq!(asked(&mut replicator), 0);
    replicator.served(PEER);
    assert_eq!((asked(&mut replicator), take(&mut replicator, 10)), (1, vec![(0, 9)]));
    replicator.served(PEER);
    assert_eq!((asked(&mut replicator), take(&mut replicator, 10)), (1, vec![(2, 0)]));
    replicator.served(PEER);
    assert_eq!((asked(&mut replicator), take(&mut replicator, 10)), (0, vec![]));
}

#[test]
fn who_asks_without_end_breaks_its_word() {
    let held = holding(3);
    let mut replicator = with_peer(options(true, true));
    let hear = |replicator: &mut Replicator, message| replicator.receive(0, local(&held, 3), PEER, message);
    (0..2 * MAX_UPLOADS).for_each(|_| hear(&mut replicator, request(1, 0)).unwrap());
    assert_eq!(hear(&mut replicator, request(1, 0)), Err(Fault::TooManyRequests));
    replicator.set_status(PEER, true, false);
    assert_eq!(replicator.uploads_waiting(PEER), 0);
    assert_eq!(hear(&mut replicator, request(1, 0)), Ok(()));
    assert_eq!(replicator.uploads_waiting(PEER), 0);
}
