//! The contract that every storage keeps, seen through `Io`: disk, memory, and a mailbox that a
//! memory answers.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use proptest::prelude::*;

use super::disk::Disk;
use super::error::StoreError;
use super::io::{Io, now};
use super::layout::File;
use super::mailbox::{Answer, Mailbox, Op, Request};
use super::memory::MemoryStorage;
use super::storage::{Storage, Write};

/// A storage under test; the mailbox, if any, is answered from the Io beside it.
struct World {
    io: Io,
    remote: Option<(Arc<Mailbox>, Io)>,
    directory: Option<tempfile::TempDir>,
    can_stat: bool,
}

fn memory() -> Io {
    Io::native(Arc::new(MemoryStorage::new(Arc::default())))
}

fn mailbox(can_stat: bool) -> World {
    let mailbox = Mailbox::new();
    World { io: Io::mailbox(mailbox.clone()), remote: Some((mailbox, memory())), directory: None, can_stat }
}

fn worlds() -> [World; 4] {
    let directory = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Storage> = Arc::new(Disk::new(directory.path()));
    [
        World { io: Io::native(disk), remote: None, directory: Some(directory), can_stat: true },
        World { io: memory(), remote: None, directory: None, can_stat: true },
        mailbox(true),
        mailbox(false),
    ]
}

fn carry_out(io: &Io, can_stat: bool, request: Request) -> Result<Answer, StoreError> {
    Ok(match request.op {
        Op::Read { file, offset, len } => {
            now(io.read(file, offset, len)).unwrap()?.map_or(Answer::Absent, Answer::Bytes)
        }
        Op::Len(_) if !can_stat => Answer::Unable,
        Op::Len(file) => now(io.len(file)).unwrap()?.map_or(Answer::Absent, Answer::Len),
        Op::Write(writes) => {
            now(io.write_batch(writes)).unwrap()?;
            Answer::Done
        }
        Op::Clear { file, offset, len } => {
            now(io.clear(file, offset, len)).unwrap()?;
            Answer::Done
        }
        Op::Close(_) | Op::Destroy(_) => Answer::Done,
    })
}

impl World {
    /// Runs to the end; a native storage must get there with one poll.
    fn run<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return output;
            }
            let (mailbox, remote) = self.remote.as_ref().expect("a native storage is never pending");
            // Out of order, as JavaScript may.
            for request in mailbox.take_requests().into_iter().rev() {
                mailbox.answer(request.id, carry_out(remote, self.can_stat, request));
            }
        }
    }

    fn write(&self, file: File, offset: u64, data: &[&'static [u8]]) {
        let data = data.iter().map(|part| Bytes::from_static(part)).collect();
        self.run(self.io.write_batch(vec![Write { file, offset, data }])).unwrap();
    }

    fn content(&self, file: File) -> Bytes {
        self.run(self.io.read_up_to(file, 0, 1 << 18)).unwrap()
    }
}

#[test]
fn absence_is_none_and_ends_are_short() {
    for world in worlds() {
        let io = &world.io;
        assert_eq!(world.run(io.len(File::Data)), Ok(None));
        assert_eq!(world.run(io.read(File::Data, 0, 1)), Ok(None));
        assert_eq!(world.run(io.read_up_to(File::Data, 0, 9)), Ok(Bytes::new()));
        world.write(File::Data, 2, &[b"he", b"", b"llo"]);
        assert_eq!(world.run(io.len(File::Data)), Ok(Some(7)));
        assert_eq!(world.run(io.read(File::Data, 0, 7)), Ok(Some(Bytes::from_static(b"\0\0hello"))));
        assert_eq!(world.run(io.read(File::Data, 1, 7)), Ok(None));
        assert_eq!(world.run(io.read_up_to(File::Data, 4, 99)), Ok(Bytes::from_static(b"llo")));
        assert_eq!(world.run(io.read_up_to(File::Data, 99, 4)), Ok(Bytes::new()));
        let batch = world.run(io.read_batch(&[(File::Data, 2, 1), (File::Key, 0, 1), (File::Data, 3, 2)]));
        assert_eq!(batch, [Ok(Some(Bytes::from_static(b"h"))), Ok(None), Ok(Some(Bytes::from_static(b"el")))]);
    }
}

#[test]
fn clears_and_truncates() {
    for world in worlds() {
        let io = &world.io;
        world.write(File::Data, 0, &[&[7; 10_000]]);
        world.run(io.clear(File::Data, 0, 8192)).unwrap();
        assert_eq!(world.run(io.len(File::Data)), Ok(Some(10_000)));
        assert_eq!(world.content(File::Data)[8192..], [7; 1808]);
        world.run(io.clear(File::Data, 9_000, 1_000)).unwrap();
        assert_eq!(world.run(io.len(File::Data)), Ok(Some(9_000)));
        world.run(io.truncate(File::Data, 8_200)).unwrap();
        assert_eq!(world.content(File::Data)[8192..], [7; 8]);
        // Longer than before, as stock does when a range starts beyond the end.
        world.run(io.clear(File::Data, 9_000, 1)).unwrap();
        assert_eq!(world.content(File::Data)[8200..], [0; 800]);
        world.run(io.sync(File::Data)).unwrap();
    }
}

#[test]
fn closed_is_closed_and_destroyed_is_gone() {
    for world in worlds().into_iter().take(2) {
        let io = &world.io;
        world.run(io.lock(true)).unwrap();
        world.run(io.lock(true)).unwrap();
        world.write(File::Key, 0, &[b"key"]);
        world.run(io.close()).unwrap();
        world.run(io.close()).unwrap();
        assert_eq!(world.run(io.read(File::Key, 0, 3)), Err(StoreError::Closed));
        assert_eq!(world.run(io.len(File::Key)), Err(StoreError::Closed));
        assert_eq!(world.run(io.lock(false)), Err(StoreError::Closed));
        world.run(io.destroy()).unwrap();
        if let Some(directory) = &world.directory {
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        }
    }
    let world = mailbox(true);
    assert!(now(world.io.close()).is_none());
    assert_eq!(world.remote.as_ref().unwrap().0.take_requests().len(), 6);
}

#[test]
fn foreign_errors_come_through() {
    let world = mailbox(true);
    let mut close = pin!(world.io.close());
    let mut context = Context::from_waker(Waker::noop());
    assert!(close.as_mut().poll(&mut context).is_pending());
    let mailbox = &world.remote.as_ref().unwrap().0;
    mailbox.answer(1, Err(StoreError::Foreign(5)));
    for id in [2, 3, 4, 5] {
        mailbox.answer(id, Ok(Answer::Done));
    }
    assert!(close.as_mut().poll(&mut context).is_pending());
    mailbox.answer(0, Ok(Answer::Done));
    assert_eq!(close.as_mut().poll(&mut context), Poll::Ready(Err(StoreError::Foreign(5))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// All of them agree with a plain vector, step by step.
    #[test]
    fn like_a_vector(steps in prop::collection::vec((0..3u8, 0..150_000usize, 1..90_000usize, 1u8..), 1..8)) {
        for world in worlds() {
            let mut twin = Vec::new();
            for &(kind, offset, len, byte) in &steps {
                let (at, size) = (u64::try_from(offset).unwrap(), u64::try_from(len).unwrap());
                match kind {
                    0 => {
                        twin.resize(twin.len().max(offset + len), 0);
                        twin[offset..offset + len].fill(byte);
                        let data = vec![Bytes::from(vec![byte; len])];
                        world.run(world.io.write_batch(vec![Write { file: File::Data, offset: at, data }])).unwrap();
                    }
                    1 if offset + len >= twin.len() => {
                        twin.resize(offset, 0);
                        world.run(world.io.clear(File::Data, at, size)).unwrap();
                    }
                    1 => {
                        twin[offset..offset + len].fill(0);
                        world.run(world.io.clear(File::Data, at, size)).unwrap();
                        // The bytes may stay or become zeros.
                        let data = vec![Bytes::from(vec![0; len])];
                        world.run(world.io.write_batch(vec![Write { file: File::Data, offset: at, data }])).unwrap();
                    }
                    _ => {
                        twin.truncate(offset);
                        world.run(world.io.truncate(File::Data, u64::try_from(twin.len()).unwrap())).unwrap();
                    }
                }
                prop_assert_eq!(&world.content(File::Data)[..], &twin[..]);
            }
        }
    }
}
