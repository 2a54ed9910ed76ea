//! Hostile peers: whatever a remote says, nothing panics, no wrong byte is kept, nothing grows
//! without bound, and honest peers are served as ever.
//!
//! ```text
//! lies     values, nodes, sizes and signatures that are not the writer's
//! floods   haves, wants, requests, opens, extensions without end
//! noise    bytes that are no frames, frames that are no messages, messages in any order
//! ```
//! Invariant: after each of them the victim completes from an honest peer, and another clone from
//! the victim.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::as_conversions)]

mod common;
#[path = "hostile/foe.rs"]
mod foe;
#[path = "hostile/weight.rs"]
mod weight;

use bytes::Bytes;
use common::block;
use common::dice::Dice;
use common::honest::{answer, message};
use foe::{Foe, Scene, assert_none_wrong};
use hypercore::engine::Verb;
use hypercore::feed::Put;
use hypercore::math::crypto::Node;
use hypercore::math::flat::{BlockIndex, NodeIndex};
use hypercore::replicate::{Range, UpdateWait};
use hypercore::wire::Message;
use proptest::prelude::*;

#[global_allocator]
static SCALE: weight::Scale = weight::Scale;

/// What a connection may cost beyond its honest need (S8), with room for the chunk that is being
/// handled.
const MAX_WEIGHT: isize = 17 * 1024 * 1024;
const SIZES: [usize; 11] = [5, 3, 0, 900, 1, 7, 7, 20, 0, 2, 4];

#[test]
fn lies_about_blocks_are_refused() {
    let lies: [fn(&mut Put); 9] = [
        |put| put.value = Some(Bytes::from_static(b"not the writer's")),
        |put| put.value = put.value.as_ref().map(|value| [value, &b"x"[..]].concat().into()),
        |put| put.nodes.iter_mut().for_each(|node| node.hash[0] ^= 1),
        |put| put.nodes.iter_mut().for_each(|node| node.size += 1),
        |put| put.nodes.reverse(),
        |put| _ = put.nodes.pop(),
        |put| put.nodes.push(Node { index: NodeIndex(1 << 52), hash: [1; 32], size: 1 }),
        |put| put.signature = put.signature.map(|_| [1; 64]),
        |put| put.signature = None,
    ];
    for (lie, honest) in lies.into_iter().flat_map(|lie| [(lie, 0), (lie, 1), (lie, 4)]) {
        let mut scene = Scene::new(&SIZES, false);
        let mut foe = scene.foe();
        foe.claim(0, 11);
        foe.exchange(&mut scene.victim);
        let mut answers = 0;
        foe.answer(&scene.log, |put| {
            answers += 1;
            if answers > honest {
                lie(put);
            }
        });
        assert_eq!(answers, 11);
        foe.exchange(&mut scene.victim);
        assert_none_wrong(&mut scene.victim, &scene.truth);
        scene.ends_well();
    }
}

#[test]
fn answers_to_nothing_are_dropped() {
    let mut scene = Scene::new(&SIZES, true);
    let mut foe = scene.foe();
    for index in 0..11 {
        foe.say(message(answer(&scene.log, BlockIndex(index), index % 2 == 0, 0)));
    }
    foe.exchange(&mut scene.victim);
    assert_eq!((scene.victim.feed.len(), scene.victim.broken()), (0, vec![]));
    scene.ends_well();
}

/// Nothing but the sum of the two sizes at the bottom is under a hash, as long as there is no
/// value.
#[test]
fn forged_sizes_do_no_harm() {
    for forged in [1, 3, 1_000] {
        let mut lies = 0;
        let mut scene = Scene::new(&SIZES, true);
        let mut foe = scene.foe();
        for index in 0..11 {
            foe.claim(index, 1);
            scene.victim.verb(Verb::Download(hash_range(index)));
            foe.exchange(&mut scene.victim);
            foe.answer(&scene.log, |put| lies += u32::from(move_size(put, forged)));
            foe.exchange(&mut scene.victim);
        }
        assert!(lies > 3);
        scene.ends_well();
    }
}

fn hash_range(index: u64) -> Range {
    Range::Span { start: index, end: Some(index + 1), linear: false, hash: true }
}

/// Takes bytes from one of the two leaves and gives them to the other, if there are any.
fn move_size(put: &mut Put, bytes: u64) -> bool {
    if let [leaf, sibling, ..] = &mut put.nodes[..]
        && put.value.is_none()
        && sibling.index == leaf.index.sibling()
    {
        let (from, to) = if leaf.size > 0 { (leaf, sibling) } else { (sibling, leaf) };
        let bytes = bytes.min(from.size);
        (from.size, to.size) = (from.size - bytes, to.size + bytes);
        return bytes > 0;
    }
    false
}

#[test]
fn huge_haves_cost_nothing() {
    let end = (1 << 53) - 1;
    let bits: [&[u8]; 6] =
        [&[3, 255, 255, 255, 255, 255, 255, 15], &[255; 9], &[0], &[], &[1; 300], &[2, 85, 2, 85, 2]];
    let ranges = [(0, end), (end, end), (1, 0), (77, 1 << 40)];
    let plain = ranges.map(|(start, len)| Message::Have { start, length: Some(len), bitfield: None, ack: false });
    let starts = [0, 5, 8, 1 << 20, end - 7];
    let coded = bits.into_iter().flat_map(|bits| {
        starts.map(|start| Message::Have {
            start,
            length: Some(0),
            bitfield: Some(Bytes::from_static(bits)),
            ack: false,
        })
    });
    let large = Message::Have { start: 0, length: Some(0), bitfield: Some(vec![0; 3 << 20].into()), ack: false };
    let unhaves = ranges.map(|(start, len)| Message::Unhave { start, length: Some(len) });
    for message in plain.into_iter().chain(coded).chain(unhaves).chain([large]) {
        let mut scene = Scene::new(&SIZES, false);
        let mut foe = scene.foe();
        let before = weight::now();
        foe.say(message);
        foe.exchange(&mut scene.victim);
        assert!(weight::now() - before < 1 << 20);
        scene.ends_well();
    }
}

#[test]
fn scattered_haves_are_forgotten_in_time() {
    let mut scene = Scene::new(&SIZES, true);
    let mut foe = scene.foe();
    let before = weight::now();
    for at in 0..40_000 {
        foe.claim(at * 65_536 + 1, 1);
        foe.claim(at * 65_536 + 32_768, 32_768);
        foe.deliver(&mut scene.victim);
        scene.victim.seen.clear();
    }
    assert!(weight::now() - before < MAX_WEIGHT, "{}", weight::now() - before);
    scene.ends_well();
}

/// If each status looked at every get that waits, this would take minutes.
#[test]
fn statuses_do_not_touch_what_waits_elsewhere() {
    let mut scene = Scene::new(&SIZES, true);
    let mut foe = scene.foe();
    for index in 0..3_000 {
        scene.victim.get(100 + index, true);
    }
    for number in 0..60_000 {
        foe.say(Message::Status { uploading: Some(number % 2 == 0), downloading: None });
    }
    foe.deliver(&mut scene.victim);
    scene.ends_well();
}

/// Says it again and again without listening, until the victim takes no more; checks what that
/// weighs. True if it came to that.
fn flood(sizes: &[usize], count: usize, word: impl Fn(u64) -> Message) -> bool {
    let mut scene = Scene::new(sizes, true);
    let mut writer = scene.peer(true);
    std::mem::swap(&mut scene.victim, &mut writer);
    let mut foe = scene.foe();
    let before = weight::now();
    let mut is_held = false;
    for number in 0..count as u64 {
        foe.say(word(number));
        is_held = foe.protocol.pending_output() > 60_000 && !foe.deliver(&mut scene.victim);
        if is_held {
            break;
        }
        scene.victim.seen.clear();
        assert!(weight::now() - before < MAX_WEIGHT, "{} after {number}", weight::now() - before);
    }
    foe.exchange(&mut scene.victim);
    assert_eq!(scene.victim.broken(), Vec::<String>::new());
    std::mem::swap(&mut scene.victim, &mut writer);
    scene.ends_well();
    is_held
}

#[test]
fn floods_of_requests_wait_for_their_turn() {
    let request = |index| Message::Request { index, bytes: 0, hash: false, nodes: 0 };
    assert!(flood(&[3_000; 3], 100_000, |number| request(number % 3)));
    flood(&SIZES, 20_000, |number| request(number * 7));
    flood(&SIZES, 20_000, |number| Message::Request { index: 0, bytes: number % 950, hash: true, nodes: number });
    flood(&SIZES, 20_000, |number| Message::Cancel { index: number, bytes: 0, hash: false });
}

#[test]
fn floods_of_wants_are_answered_as_far_as_there_is_room() {
    flood(&SIZES, 50_000, |number| Message::Want { start: number % 4 * 8192, length: Some(1 << 20) });
    flood(&SIZES, 20_000, |number| Message::Want { start: number << 13, length: Some(1 << 52) });
    flood(&SIZES, 20_000, |number| Message::Want { start: number, length: None });
}

#[test]
fn floods_of_words_pass_by() {
    flood(&SIZES, 50_000, |id| Message::Extension { id, payload: Bytes::from_static(b"hello") });
    flood(&SIZES, 100, |_| Message::Options { extensions: vec!["x".to_owned(); 4_000], ack: Some(true) });
    flood(&SIZES, 50_000, |number| Message::Status {
        uploading: Some(number % 2 == 0),
        downloading: Some(number % 3 == 0),
    });
    flood(&SIZES, 50_000, |start| Message::Have { start, length: Some(1), bitfield: None, ack: true });
}

#[test]
fn opens_of_unknown_feeds_are_counted() {
    let mut scene = Scene::new(&SIZES, true);
    let mut foe = scene.foe();
    let before = weight::now();
    for number in 0u64..10_000 {
        foe.protocol.open(Dice::new(number).bytes());
        foe.deliver(&mut scene.victim);
    }
    assert_eq!((scene.victim.stream(foe.stream).channel_count(), scene.victim.broken()), (10_001, vec![]));
    scene.victim.seen.clear();
    // Half of it is the foe's own table.
    assert!(weight::now() - before < MAX_WEIGHT, "{}", weight::now() - before);
    for number in 10_000u64..20_000 {
        foe.protocol.open(Dice::new(number).bytes());
        foe.deliver(&mut scene.victim);
    }
    assert_eq!(scene.victim.broken().len(), 1);
    scene.ends_well();
}

#[test]
fn bytes_that_are_no_frames_end_the_stream_at_most() {
    for seed in 0..200 {
        let mut scene = Scene::new(&[3, 3], false);
        let mut foe = scene.foe();
        let mut dice = Dice::new(seed);
        foe.claim(0, 2);
        let truth = foe.protocol.take_output(dice.place(20));
        scene.victim.write(foe.stream, &truth);
        let noise: Vec<u8> = (0..dice.size(5_000)).map(|_| dice.next() as u8).collect();
        scene.victim.write(foe.stream, &noise);
        assert_none_wrong(&mut scene.victim, &scene.truth);
        if seed % 20 == 0 {
            scene.ends_well();
        }
    }
}

#[test]
fn handshakes_that_are_none_end_the_stream() {
    for seed in 0..200 {
        let mut scene = Scene::new(&[3], true);
        let mut dice = Dice::new(seed);
        let stream = scene.victim.connect(dice.once_in(2), false, None, &mut dice);
        let noise: Vec<u8> = (0..dice.size(100_000)).map(|_| dice.next() as u8).collect();
        for piece in noise.chunks(1 + dice.place(70_000)) {
            scene.victim.write(stream, piece);
        }
    }
}

fn nodes() -> impl Strategy<Value = Vec<Node>> {
    let node = (0..40u64, any::<u8>(), small_or_huge());
    let node = node.prop_map(|(index, hash, size)| Node { index: NodeIndex(index), hash: [hash; 32], size });
    prop::collection::vec(node, 0..6)
}

fn small_or_huge() -> impl Strategy<Value = u64> {
    prop_oneof![0..20u64, (0..20u64).prop_map(|n| (1 << 53) - 1 - n), (0..53u32).prop_map(|bits| 1 << bits)]
}

fn messages() -> impl Strategy<Value = Message> {
    let (n, flag) = (small_or_huge, any::<bool>);
    let bits = || prop::option::of(prop::collection::vec(any::<u8>(), 0..30).prop_map(Bytes::from));
    prop_oneof![
        (n(), prop::option::of(n()), bits(), flag()).prop_map(|(start, length, bitfield, ack)| Message::Have {
            start,
            length,
            bitfield,
            ack
        }),
        (n(), prop::option::of(n())).prop_map(|(start, length)| Message::Unhave { start, length }),
        (n(), prop::option::of(n())).prop_map(|(start, length)| Message::Want { start, length }),
        (n(), n(), flag(), n()).prop_map(|(index, bytes, hash, nodes)| Message::Request { index, bytes, hash, nodes }),
        (n(), n(), flag()).prop_map(|(index, bytes, hash)| Message::Cancel { index, bytes, hash }),
        (n(), bits(), nodes(), prop::option::of(Just([3; 64])))
            .prop_map(|(index, value, nodes, signature)| Message::Data { index, value, nodes, signature }),
        (flag(), flag()).prop_map(|(up, down)| Message::Status { uploading: Some(up), downloading: Some(down) }),
        (n(), bits()).prop_map(|(id, payload)| Message::Extension { id, payload: payload.unwrap_or_default() }),
        flag().prop_map(|ack| Message::Options { extensions: vec!["a".into()], ack: Some(ack) }),
        Just(Message::Close { discovery_key: None }),
    ]
}

/// A message, or an answer that is true but for one bit.
#[derive(Clone, Debug)]
enum Act {
    Say(Message),
    Answer(u8),
    Update(u64, bool),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => messages().prop_map(Act::Say),
        4 => any::<u8>().prop_map(Act::Answer),
        1 => (0..12u64, any::<bool>()).prop_map(|(len, hash)| Act::Update(len, hash)),
    ];
    prop::collection::vec(act, 0..25)
}

fn perform(act: Act, foe: &mut Foe, scene: &mut Scene) {
    match act {
        Act::Say(message) => foe.say(message),
        Act::Answer(bit) => foe.answer(&scene.log, |put| {
            if put.block.0 % 4 == u64::from(bit / 64) {
                spoil(put, bit);
            }
        }),
        Act::Update(min_len, hash) => {
            scene.victim.verb(Verb::Update(UpdateWait { min_len, hash }));
        }
    }
    foe.exchange(&mut scene.victim);
}

fn spoil(put: &mut Put, bit: u8) {
    let node = put.nodes.len().checked_sub(1).map(|last| usize::from(bit / 8) % (last + 1));
    match (bit % 8, node) {
        (0, Some(node)) => put.nodes[node].hash[usize::from(bit) % 32] ^= 1,
        (1, Some(node)) => put.nodes[node].size ^= 1,
        (2, Some(node)) => put.nodes[node].index.0 ^= 2,
        (3, _) => put.value = Some(block(u64::from(bit), 3)),
        (4, _) => _ = move_size(put, u64::from(bit)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn any_messages_in_any_order(acts in acts(), sparse: bool) {
        let mut scene = Scene::new(&SIZES, sparse);
        let mut foe = scene.foe();
        foe.claim(0, 11);
        foe.exchange(&mut scene.victim);
        for act in acts {
            perform(act, &mut foe, &mut scene);
            assert_none_wrong(&mut scene.victim, &scene.truth);
        }
        scene.ends_well();
    }
}
