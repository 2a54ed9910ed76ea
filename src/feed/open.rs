//! Open: from six files, or none, to a feed. Believes nothing that it can check, and never
//! destroys.
//!
//! ```text
//! key, secret_key ── who are we?          wrong or damaged: an error, nothing touched
//! lock            ── are we alone?
//! headers         ── is it our format?    another: an error, nothing touched; blank: write ours
//! bitfield        ── how long?            checked against tree and signatures (recover.rs)
//! ```
//! New keys are written secret first, so that no crash leaves a log that nobody can write. An open
//! that fails takes away again what it has made: directories, the lock file, keys.
//!
//! Invariant: nothing that was there before is written before all that can be wrong with it was
//! looked at.
//! Source: hypercore@9.12.0 index.js `_open`, lib/storage.js `open`.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::error::FeedError;
use super::hooks::Hooks;
use super::opened::Feed;
use super::state::State;
use crate::log::bitfield::Bitfield;
use crate::log::tree;
use crate::math::crypto::KeyPair;
use crate::store::record::{Header, PageSize};
use crate::store::{File, Io, StoreError, Write, layout};

/// Bitfield pages read at a time.
const PAGES_A_READ: usize = 32;

/// What the caller wants of a storage.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// The public key, if known.
    pub key: Option<[u8; 32]>,
    /// The secret key, if known: seed and public key.
    pub secret_key: Option<[u8; 64]>,
    /// Make a new log where none is.
    pub create_if_missing: bool,
    /// Start anew, whatever is there.
    pub overwrite: bool,
    /// Start anew if another log is there; append even if that could fork the log.
    pub force: bool,
    /// Keep a new secret key in the storage.
    pub store_secret_key: bool,
    /// An error if the log cannot be appended to.
    pub must_be_writable: bool,
    /// False for a static log, which has no signatures.
    pub live: bool,
    /// Questions to the owner.
    pub hooks: Option<Arc<Hooks>>,
    /// Blocks' bytes are written by somebody else: appends and clears leave the data file alone.
    pub indexing: bool,
    /// 32 random bytes: the seed of a new key pair.
    pub seed: [u8; 32],
}

/// Who a feed is, before its other files are looked at.
struct Identity {
    key: Option<[u8; 32]>,
    stored_key: Option<[u8; 32]>,
    secret_key: Option<[u8; 64]>,
    overwrite: bool,
}

/// Opens the log on `io`; `found` is told the public key before any file but `key` is asked for.
pub async fn open(io: Io, options: OpenOptions, found: impl Fn(Option<[u8; 32]>)) -> Result<Feed, FeedError> {
    let (hooks, indexing) = (options.hooks.clone(), options.indexing);
    let opened = open_files(&io, options, found).await;
    if opened.is_err() {
        // The error that matters is the one of the open.
        io.abandon().await.ok();
    }
    let state = opened?;
    Ok(Feed { io, hooks, indexing, state: Mutex::new(state) })
}

async fn open_files(io: &Io, options: OpenOptions, found: impl Fn(Option<[u8; 32]>)) -> Result<State, FeedError> {
    let first_read = read_exact::<32>(io, File::Key).await;
    // Some storages keep the key when it is first asked for, and fail that once; who knows the key
    // asks again (Q24).
    let ask_again = !io.is_native() && options.key.is_some() && first_read.is_err();
    let stored_key = if ask_again { None } else { first_read? };
    let mut identity = identify(&options, stored_key)?;
    found(identity.key);
    if identity.stored_key.is_none() && !identity.overwrite && restore_key(io, &options, &mut identity).await? {
        found(identity.key);
    }
    io.lock(true).await?;
    if io.is_native() || ask_again {
        let key_now = read_exact(io, File::Key).await?;
        if key_now != stored_key {
            // Somebody made a log here before we had the lock: begin again, with it.
            identity = identify(&options, key_now)?;
            found(identity.key);
        }
    }
    complete_secret_key(io, &options, &mut identity).await?;
    if options.must_be_writable && identity.secret_key.is_none() && identity.key.is_some() {
        return Err(FeedError::MustBeWritable);
    }
    let size = check_headers(io).await?;
    if identity.overwrite {
        // Signatures of the old log must not be taken for later ones of the new.
        io.truncate(File::Bitfield, layout::HEADER_END).await?;
        io.truncate(File::Signatures, layout::HEADER_END).await?;
    }
    let content = if identity.overwrite { Bytes::new() } else { read_content(io, size).await? };
    let state = state_of(io, &options, &identity, Bitfield::load(usize::from(size.bytes()), &content)).await?;
    write_keys(io, &options, &identity).await?;
    write_headers(io, size).await?;
    Ok(state)
}

/// Which key this feed has, from what the caller says and what is stored.
fn identify(options: &OpenOptions, stored_key: Option<[u8; 32]>) -> Result<Identity, FeedError> {
    let differs = matches!((options.key, stored_key), (Some(wanted), Some(stored)) if wanted != stored);
    let overwrite = options.overwrite || (options.force && differs);
    if differs && !overwrite {
        return Err(FeedError::OtherKey);
    }
    let stored_key = stored_key.filter(|_| !overwrite);
    let mut identity =
        Identity { key: options.key.or(stored_key), stored_key, secret_key: options.secret_key, overwrite };
    if identity.key.is_none() {
        if !options.create_if_missing {
            return Err(FeedError::NothingStored);
        }
        identity.key = identity.secret_key.as_ref().map(public_half);
    }
    if identity.key.is_none() && options.live {
        let pair = KeyPair::from_seed(&options.seed);
        identity.key = Some(pair.public_key());
        identity.secret_key = Some(pair.secret_key());
    }
    check_pair(&identity)?;
    Ok(identity)
}

/// A log whose `key` is gone or short is damaged, or was never finished, not absent. Its secret
/// key, if whole, ends with the public key; else its other files must not be taken for a new
/// feed's. True if the key was found again.
async fn restore_key(io: &Io, options: &OpenOptions, identity: &mut Identity) -> Result<bool, FeedError> {
    if options.key.is_some() {
        return Ok(false);
    }
    let key_len = io.len(File::Key).await?.unwrap_or(0);
    let tree_len = io.len(File::Tree).await?.unwrap_or(0);
    let is_blank = key_len == 0 && tree_len <= layout::HEADER_END;
    if is_blank && options.secret_key.is_some() {
        return Ok(false);
    }
    let secret = read_exact::<64>(io, File::SecretKey).await?;
    match secret.as_ref().and_then(KeyPair::from_secret_key) {
        Some(pair) => identity.key = Some(pair.public_key()),
        None if is_blank => return Ok(false),
        None => return Err(FeedError::KeyMissing),
    }
    identity.secret_key = secret;
    Ok(true)
}

async fn complete_secret_key(io: &Io, options: &OpenOptions, identity: &mut Identity) -> Result<(), FeedError> {
    let stored = read_exact::<64>(io, File::SecretKey).await?.filter(|_| !identity.overwrite);
    identity.secret_key = options.secret_key.or(stored).or(identity.secret_key);
    check_pair(identity)
}

/// The secret key, if there is one, must be whole and belong to the public key.
fn check_pair(identity: &Identity) -> Result<(), FeedError> {
    match (&identity.secret_key, identity.key) {
        (Some(secret), Some(key)) if public_half(secret) != key || KeyPair::from_secret_key(secret).is_none() => {
            Err(FeedError::KeyMismatch)
        }
        _ => Ok(()),
    }
}

/// The public key that a 64-byte secret key ends with.
fn public_half(secret_key: &[u8; 64]) -> [u8; 32] {
    let mut public = [0; 32];
    public.copy_from_slice(secret_key.split_at(32).1);
    public
}

async fn read_exact<const N: usize>(io: &Io, file: File) -> Result<Option<[u8; N]>, StoreError> {
    let bytes = io.read(file, 0, N).await?;
    Ok(bytes.and_then(|bytes| <[u8; N]>::try_from(&*bytes).ok()))
}

/// Checks the three headers; gives the size of the bitfield's pages.
async fn check_headers(io: &Io) -> Result<PageSize, FeedError> {
    let mut size = PageSize::default();
    for expected in headers(size) {
        let head = io.read_up_to(expected.file(), 0, layout::HEADER_LEN).await?;
        let found = expected.check(&head).map_err(|_| FeedError::Header(expected.file().name()))?;
        if let Some(Header::Bitfield(found)) = found {
            size = found;
        }
    }
    Ok(size)
}

const fn headers(size: PageSize) -> [Header; 3] {
    [Header::Bitfield(size), Header::Signatures, Header::Tree]
}

/// All pages of the bitfield, without its header.
async fn read_content(io: &Io, size: PageSize) -> Result<Bytes, FeedError> {
    let step = usize::from(size.bytes()) * PAGES_A_READ;
    let mut content = Vec::new();
    for page in (0u64..).step_by(PAGES_A_READ) {
        let part = io.read_up_to(File::Bitfield, layout::page_offset(page, size.bytes()), step).await?;
        content.extend_from_slice(&part);
        if part.len() < step {
            break;
        }
    }
    Ok(Bytes::from(content))
}

async fn state_of(io: &Io, options: &OpenOptions, identity: &Identity, bitfield: Bitfield) -> Result<State, FeedError> {
    let len = tree::blocks(&bitfield);
    let pair = identity.secret_key.as_ref().and_then(KeyPair::from_secret_key);
    let mut state = State::new(identity.key, pair, options.live, bitfield);
    state.settle(io, len, options.hooks.as_ref().is_some_and(|hooks| hooks.verifies)).await?;
    state.may_fork &= !options.force;
    Ok(state)
}

async fn write_keys(io: &Io, options: &OpenOptions, identity: &Identity) -> Result<(), FeedError> {
    let is_new_key = identity.key != identity.stored_key;
    if let Some(secret) = identity.secret_key.filter(|_| options.store_secret_key)
        && (is_new_key || read_exact::<64>(io, File::SecretKey).await? != Some(secret))
    {
        write(io, File::SecretKey, &secret).await?;
    }
    match identity.key.filter(|_| is_new_key) {
        Some(key) => write(io, File::Key, &key).await,
        None => Ok(()),
    }
}

/// Writes the headers that are not there yet; what is there was checked and stays.
async fn write_headers(io: &Io, size: PageSize) -> Result<(), FeedError> {
    for header in headers(size) {
        let bytes = header.encode();
        if io.read(header.file(), 0, layout::HEADER_LEN).await?.as_deref() != Some(&bytes) {
            write(io, header.file(), &bytes).await?;
        }
    }
    Ok(())
}

async fn write(io: &Io, file: File, bytes: &[u8]) -> Result<(), FeedError> {
    let write = Write { file, offset: 0, data: vec![Bytes::copy_from_slice(bytes)] };
    Ok(io.write_batch(vec![write]).await?)
}
