//! Feeds on storages of the `random-access-storage` crate.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use bytes::Bytes;
use common::open_options;
use hypercore::feed::{self, Feed};
use hypercore::math::flat::BlockIndex;
use hypercore::store::Io;
use hypercore::store::io::now;
use hypercore::store::layout::File;
use hypercore::store::random_access::{RandomAccessStorage, Task};
use random_access_disk::RandomAccessDisk;
use random_access_memory::RandomAccessMemory;
use random_access_storage::RandomAccess;
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Arc<Runtime> {
    Arc::new(Builder::new_multi_thread().worker_threads(1).build().unwrap())
}

fn opened<T: RandomAccess + Send + 'static>(runtime: &Arc<Runtime>, make: impl FnMut(File) -> T) -> Feed {
    let on = runtime.clone();
    let storage = RandomAccessStorage::new(make, move |task: Task<'_>| on.block_on(task));
    now(feed::open(Io::native(Arc::new(storage)), open_options(true), |_| ())).unwrap().unwrap()
}

fn block(index: u64) -> Bytes {
    common::block(index, usize::try_from(index % 50).unwrap() * 20)
}

/// Appends, clears and reads on an empty feed.
fn writes_and_reads(feed: &Feed) {
    for start in (0..300).step_by(10) {
        now(feed.append((start..start + 10).map(block).collect())).unwrap().unwrap();
    }
    assert_eq!(now(feed.clear(feed.io(), 290, 300, false)).unwrap().unwrap(), [(290, 300)]);
    reads(feed);
}

fn reads(feed: &Feed) {
    assert_eq!((feed.len(), feed.count(0, 300)), (300, 290));
    for index in 0..290 {
        let read = now(feed.get(feed.io(), BlockIndex(index))).unwrap().unwrap();
        assert_eq!(read, Some(block(index)), "block {index}");
    }
}

#[test]
fn a_feed_lives_on_random_access_memory() {
    writes_and_reads(&opened(&runtime(), |_| RandomAccessMemory::default()));
}

/// Below 2 MiB, where random-access-disk@3.0.1 reads what was written.
#[test]
fn a_feed_lives_on_random_access_disk_and_opens_again() {
    let (runtime, directory) = (runtime(), tempfile::tempdir().unwrap());
    let open_file = |file: File| {
        let path = directory.path().join(file.name());
        runtime.block_on(RandomAccessDisk::builder(path).build()).unwrap()
    };
    let feed = opened(&runtime, open_file);
    writes_and_reads(&feed);
    now(feed.close()).unwrap().unwrap();
    drop(feed);
    reads(&opened(&runtime, open_file));
}
