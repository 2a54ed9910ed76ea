//! How a feed is made, before anything of it is touched.

use std::path::PathBuf;
use std::sync::Arc;

use crate::feed::Hooks;
use crate::store::Io;
use crate::store::disk::Disk;
use crate::store::mailbox::Mailbox;
use crate::store::memory::{Memory, MemoryStorage};
use crate::store::storage::Storage;

/// Where a feed's files are.
pub enum Place {
    /// In a directory.
    Disk(PathBuf),
    /// In native memory.
    Memory(Arc<Memory>),
    /// In a native storage of the caller's.
    Native(Arc<dyn Storage>),
    /// In JavaScript.
    Elsewhere,
}

/// What is fixed when a feed is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct FeedOptions {
    /// Download only what is asked for.
    pub sparse: bool,
    /// The blocks' bytes are written by somebody else.
    pub indexing: bool,
    /// Keep valid blocks that nobody asked for.
    pub allow_push: bool,
    /// Ask the owner before writing what a peer sent.
    pub hooks_writes: bool,
    /// Ask the owner for signatures.
    pub hooks_signs: bool,
    /// Ask the owner about signatures.
    pub hooks_verifies: bool,
}

impl Place {
    /// The storage, and the mailbox of one that is in JavaScript.
    pub(super) fn open(self) -> (Io, Option<Arc<Mailbox>>) {
        let storage: Arc<dyn Storage> = match self {
            Self::Disk(directory) => Arc::new(Disk::new(directory)),
            Self::Memory(memory) => Arc::new(MemoryStorage::new(memory)),
            Self::Native(storage) => storage,
            Self::Elsewhere => {
                let mailbox = Mailbox::new();
                return (Io::mailbox(mailbox.clone()), Some(mailbox));
            }
        };
        (Io::native(storage), None)
    }
}

impl FeedOptions {
    /// The hooks that the owner wants to be asked by; None if there are none.
    pub(super) fn hooks(&self) -> Option<Arc<Hooks>> {
        let (writes, signs, verifies) = (self.hooks_writes, self.hooks_signs, self.hooks_verifies);
        let hooks = Hooks { writes, signs, verifies, ..Hooks::default() };
        (writes || signs || verifies).then(|| Arc::new(hooks))
    }
}
