//! Bytes at rest: the six files of a feed, their records, and the places that hold them.
//!
//! ```text
//! io          what verbs await; a native storage answers at the first poll
//!   storage     the trait of native storages:  disk  memory
//!   mailbox     requests to a storage that lives in JavaScript          exchange  questions and the futures of answers
//!               absence: which of its errors mean "not there"
//! layout      where each record lies        record   what its bytes are
//! ```

pub mod absence;
pub mod disk;
pub mod error;
pub mod exchange;
pub mod io;
pub mod layout;
pub mod mailbox;
pub mod memory;
#[cfg(feature = "random-access")]
pub mod random_access;
pub mod record;
pub mod storage;

#[cfg(test)]
mod contract;

pub use error::StoreError;
pub use io::Io;
pub use layout::File;
pub use storage::Write;
