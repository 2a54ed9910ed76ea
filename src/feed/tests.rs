//! What a feed takes from others, and what it does not.

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::log::merkle::Roots;
use crate::log::tree::RemoteTree;
use crate::math::crypto::{self, KeyPair};
use crate::math::flat::{BlockIndex, NodeIndex};
use crate::store::io::now;
use crate::store::memory::{Memory, MemoryStorage};
use crate::store::{File, Io, StoreError, Write, layout};

fn pair() -> KeyPair {
    KeyPair::from_seed(&[7; 32])
}

fn opened(writes: bool) -> Feed {
    let io = Io::native(Arc::new(MemoryStorage::new(Arc::new(Memory::default()))));
    let options = OpenOptions {
        key: Some(pair().public_key()),
        secret_key: writes.then(|| pair().secret_key()),
        create_if_missing: true,
        overwrite: false,
        force: false,
        store_secret_key: writes,
        must_be_writable: false,
        live: true,
        hooks: None,
        indexing: false,
        seed: [0; 32],
    };
    now(open(io, options, |_| ())).unwrap().unwrap()
}

/// A writer with blocks of different sizes, 1 byte to `len`.
fn writer(len: u8) -> Feed {
    let feed = opened(true);
    let blocks = (0..len).map(|i| Bytes::from(vec![i; usize::from(i) + 1])).collect();
    now(feed.append(blocks)).unwrap().unwrap();
    feed
}

/// The writer's answer to `reader`, who asks for a block or only for its hash.
fn answer(writer: &Feed, reader: &Feed, block: u64, hash: bool) -> Put {
    let block = BlockIndex(block);
    let plan = writer.plan_proof(block, reader.digest(block), hash, &mut RemoteTree::default()).unwrap();
    let served = now(writer.serve(writer.io(), &[Wanted { block, hash, plan }])).unwrap().pop().unwrap();
    let Served { value, nodes, signature } = served.unwrap().unwrap();
    Put { block, value, nodes, signature, peer: 1 }
}

fn put(reader: &Feed, item: Put) -> Result<(), FeedError> {
    now(reader.put(vec![item])).unwrap().unwrap().results.pop().unwrap()
}

fn block(reader: &Feed, index: u64) -> Option<Bytes> {
    now(reader.get(reader.io(), BlockIndex(index))).unwrap().unwrap()
}

#[test]
fn blocks_in_any_order_come_out_as_they_went_in() {
    for start in 0..11 {
        let (writer, reader) = (writer(11), opened(false));
        for step in 0..11 {
            let index = (start + step * 4) % 11;
            put(&reader, answer(&writer, &reader, index, false)).unwrap();
            assert_eq!(block(&reader, index), block(&writer, index));
        }
        assert_eq!((reader.len(), reader.byte_len(), reader.count(0, 11)), (11, writer.byte_len(), 11));
    }
}

#[test]
fn q2_sizes_that_a_proof_without_value_told_falsely_place_nothing() {
    for told in 0..8u64 {
        let (writer, reader) = (writer(8), opened(false));
        let mut forged = answer(&writer, &reader, told, true);
        // The sum stays, as the parent's hash wants it; the split between the two leaves is a lie.
        forged.nodes[0].size += forged.nodes[1].size;
        forged.nodes[1].size = 0;
        put(&reader, forged).unwrap();
        for index in (0..8).rev() {
            put(&reader, answer(&writer, &reader, index, false)).unwrap();
        }
        for index in 0..8 {
            assert_eq!(block(&reader, index), block(&writer, index), "told {told}, block {index}");
        }
        let bytes: Vec<_> = (0..=36).map(|byte| now(reader.seek(reader.io(), byte)).unwrap().unwrap()).collect();
        let expected: Vec<_> = (0..=36).map(|byte| now(writer.seek(writer.io(), byte)).unwrap().unwrap()).collect();
        assert_eq!(bytes, expected);
    }
}

#[test]
fn q12_a_signature_of_version_8_is_good() {
    let (writer, reader) = (writer(3), opened(false));
    let mut item = answer(&writer, &reader, 1, false);
    let roots = Roots::new(now(writer.roots_of(writer.io(), 3)).unwrap().unwrap());
    item.signature = Some(pair().sign(&roots.hash()));
    put(&reader, item).unwrap();
    assert_eq!((reader.len(), block(&reader, 1)), (3, block(&writer, 1)));
}

#[test]
fn what_does_not_verify_changes_nothing() {
    let spoil: [fn(&mut Put); 6] = [
        |item| item.value = Some(Bytes::from_static(b"other")),
        |item| item.signature = Some([9; 64]),
        |item| item.signature = None,
        |item| item.nodes[0].hash[0] ^= 1,
        |item| item.nodes[0].size += 1,
        |item| item.nodes.truncate(1),
    ];
    let (writer, reader) = (writer(5), opened(false));
    for spoil in spoil {
        let mut item = answer(&writer, &reader, 2, false);
        spoil(&mut item);
        assert!(matches!(put(&reader, item), Err(FeedError::Proof(_))));
        assert_eq!((reader.len(), reader.byte_len(), reader.count(0, 5)), (0, 0, 0));
    }
    put(&reader, answer(&writer, &reader, 2, false)).unwrap();
    assert_eq!(block(&reader, 2), block(&writer, 2));
}

#[test]
fn a_signature_that_was_lost_is_made_again() {
    let writer = writer(6);
    let all = now(writer.signature_after(writer.io(), 0)).unwrap().unwrap();
    assert_eq!(all.0, 5);
    let zeros = Write {
        file: File::Signatures,
        offset: layout::signature_offset(BlockIndex(5)),
        data: vec![Bytes::from_static(&[0; 64])],
    };
    now(writer.io().write_batch(vec![zeros])).unwrap().unwrap();
    let reader = opened(false);
    assert_eq!(answer(&writer, &reader, 0, false).signature, Some(all.1));
    let hash = crypto::tree_hash(&now(writer.roots_of(writer.io(), 6)).unwrap().unwrap());
    assert!(pair().sign(&crypto::signable(&hash, 6)) == all.1);
}

#[test]
fn nodes_are_read_from_one_that_is_held_to_one_that_is_held() {
    for block in 0..11 {
        let (writer, reader) = (writer(11), opened(false));
        put(&reader, answer(&writer, &reader, block, false)).unwrap();
        let mut state = reader.state.lock();
        for index in (0..21).map(NodeIndex) {
            let Ok((offset, len)) = state.read_of(index) else {
                assert!(!state.bitfield.has_node(index));
                continue;
            };
            let first = layout::node_at(offset).0;
            let last = first + u64::try_from(len / layout::NODE_LEN).unwrap() - 1;
            assert!((first..=last).contains(&index.0));
            assert!(state.bitfield.has_node(NodeIndex(first)) && state.bitfield.has_node(NodeIndex(last)));
        }
    }
}

#[test]
fn a_clear_that_frees_much_is_refused_in_haste() {
    let feed = opened(true);
    let blocks = vec![Bytes::from(vec![1; 1024 * 1024]); 5];
    now(feed.append(blocks)).unwrap().unwrap();
    let clear = |io: &Io, keep_bytes| now(feed.clear(io, 0, 5, keep_bytes)).unwrap();
    assert!(matches!(clear(&feed.io().cache_only(), false), Err(FeedError::Store(StoreError::WouldBlock))));
    assert_eq!(feed.count(0, 5), 5);
    assert_eq!(clear(feed.io(), false).unwrap(), [(0, 5)]);
    assert_eq!(clear(feed.io(), false).unwrap(), []);
}
