//! Peer: what we know of one remote, and what we have asked it.

use std::collections::{HashMap, HashSet, VecDeque};

use super::{Ask, LATE_AFTER, Request};
use crate::log::haves::Haves;
use crate::log::tree::RemoteTree;
use crate::wire::Message;

/// How many requests a peer may be given at first; stock's fixed number.
const FIRST_WINDOW: usize = 16;
/// And at most.
const MAX_WINDOW: usize = 512;
/// Blocks in flight, in bytes, that the window may reach: enough for 100 MB/s at 40 ms.
const MAX_WINDOW_BYTES: usize = 4 * 1024 * 1024;
/// How often a peer may take back what it said it had.
const MAX_REFUSALS: u32 = 3;
/// Requests of a remote that wait for their turn; one that sends more is not read from until some are answered.
pub const MAX_UPLOADS: usize = 4_096;

/// What `replicate` was called with.
#[derive(Clone, Copy, Debug)]
pub struct PeerOptions {
    /// Stay when everything is downloaded.
    pub live: bool,
    /// Ask for acknowledgements.
    pub ack: bool,
    /// Ask for blocks.
    pub downloading: bool,
    /// Answer requests.
    pub uploading: bool,
    /// After so many milliseconds without any answer to our requests the stream ends; None for never.
    pub timeout: Option<u64>,
    /// A fixed limit on requests in flight; None lets the window follow the link.
    pub max_requests: Option<usize>,
    /// Dice: where to begin in a range when others are at work on it too.
    pub seed: u64,
}

/// Counters, as `peer.stats` shows them.
#[derive(Clone, Copy, Debug, Default)]
pub struct PeerStats {
    /// Blocks received and kept.
    pub downloaded_blocks: u64,
    /// Their bytes.
    pub downloaded_bytes: u64,
    /// Blocks sent.
    pub uploaded_blocks: u64,
    /// Their bytes.
    pub uploaded_bytes: u64,
}

/// A request of ours that has no answer yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inflight {
    pub ask: Ask,
    pub bytes: u64,
    pub sent: u64,
    pub is_late: bool,
}

/// A peer's two places in a span: scouts go ahead, the others follow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    pub scout: u64,
    pub next: u64,
}

/// One remote on one feed.
pub struct Peer {
    pub(super) options: PeerOptions,
    pub(super) opened: bool,
    pub(super) downloading: bool,
    pub(super) uploading: bool,
    pub(super) remote_downloading: bool,
    pub(super) remote_uploading: bool,
    pub(super) remote_acks: bool,
    pub(super) remote_wants: bool,
    pub(super) heard: bool,
    pub(super) ending: bool,
    pub(super) haves: Haves,
    pub(super) remote_len: u64,
    pub(super) wanted: HashSet<u64>,
    pub(super) wants_all: bool,
    pub(super) wants_inflight: i32,
    pub(super) inflight: VecDeque<Inflight>,
    pub(super) asked: HashSet<Ask>,
    /// How often it said that it had lost what it was just asked for, since the last pardon.
    refusals: HashMap<Ask, u32>,
    pardon_at: u64,
    /// Where it goes on in each selection.
    pub(super) cursors: HashMap<u64, Cursor>,
    /// Since when, in milliseconds, requests wait and no answer comes.
    pub(super) silent_since: Option<u64>,
    window: usize,
    block_size: usize,
    /// Nodes that the remote has said it holds: proofs leave them out.
    pub tree: RemoteTree,
    /// Requests of the remote that wait for their turn.
    pub uploads: VecDeque<Request>,
    /// An answer is being read from a slow storage; the next one waits, so that they leave in order.
    pub is_serving: bool,
    /// Counters.
    pub stats: PeerStats,
}

impl Peer {
    pub(super) fn new(options: PeerOptions) -> Self {
        Self {
            options,
            opened: false,
            downloading: options.downloading,
            uploading: options.uploading,
            remote_downloading: true,
            remote_uploading: true,
            remote_acks: false,
            remote_wants: false,
            heard: false,
            ending: false,
            haves: Haves::default(),
            remote_len: 0,
            wanted: HashSet::new(),
            wants_all: false,
            wants_inflight: 0,
            inflight: VecDeque::new(),
            asked: HashSet::new(),
            refusals: HashMap::new(),
            pardon_at: 0,
            cursors: HashMap::new(),
            silent_since: None,
            window: options.max_requests.unwrap_or(FIRST_WINDOW),
            block_size: 0,
            tree: RemoteTree::default(),
            uploads: VecDeque::new(),
            is_serving: false,
            stats: PeerStats::default(),
        }
    }

    /// True when the remote has opened its side.
    pub fn is_open(&self) -> bool {
        self.opened
    }

    /// The length that the remote has told, in blocks.
    pub fn remote_len(&self) -> u64 {
        self.remote_len
    }

    /// True if the remote says that it has the block.
    pub fn has(&self, block: u64) -> bool {
        self.haves.get(block)
    }

    /// Whether the remote downloads and uploads.
    pub fn remote_status(&self) -> (bool, bool) {
        (self.remote_downloading, self.remote_uploading)
    }

    /// Whether we download from it and upload to it.
    pub fn status_flags(&self) -> (bool, bool) {
        (self.downloading, self.uploading)
    }

    /// True if the remote asked for acknowledgements.
    pub fn remote_acks(&self) -> bool {
        self.remote_acks
    }

    /// Requests of ours without an answer.
    pub fn inflight(&self) -> usize {
        self.inflight.len()
    }

    /// True if another request may be sent. `urgent` ones, that somebody waits for, may go 16 beyond the window.
    pub(super) fn has_room(&self, urgent: bool) -> bool {
        self.inflight.len() < self.window + if urgent { FIRST_WINDOW } else { 0 }
    }

    pub(super) fn can_ask(&self) -> bool {
        self.opened && self.downloading && self.remote_uploading
    }

    pub(super) fn status(&self) -> Message {
        Message::Status { uploading: Some(self.uploading), downloading: Some(self.downloading) }
    }

    /// Takes the request that this answer belongs to; None if nothing like it was asked.
    pub(super) fn take_inflight(&mut self, ask: Ask) -> Option<Inflight> {
        let exact = |inflight: &Inflight| inflight.ask == ask;
        let by_bytes = |inflight: &Inflight| inflight.bytes > 0 && inflight.ask.hash == ask.hash;
        let place = self.inflight.iter().position(exact).or_else(|| self.inflight.iter().position(by_bytes))?;
        let was_full = !self.has_room(false);
        let taken = self.inflight.remove(place)?;
        self.silent_since = None;
        self.asked.remove(&taken.ask);
        if was_full && !taken.is_late {
            self.widen();
        }
        Some(taken)
    }

    /// The remote has lost what it was asked for. If that happens again and again it is not asked for it until the next pardon.
    pub(super) fn refuse(&mut self, ask: Ask) {
        if self.take_inflight(ask).is_none() {
            return;
        }
        let count = self.refusals.entry(ask).or_default();
        *count += 1;
        if *count >= MAX_REFUSALS {
            self.asked.insert(ask);
        }
    }

    /// Time has passed: what was refused may be asked for again.
    pub(super) fn pardon(&mut self, now: u64) {
        if now < self.pardon_at || self.refusals.is_empty() {
            return;
        }
        self.pardon_at = now + LATE_AFTER;
        for (ask, _) in self.refusals.drain().filter(|(_, count)| *count >= MAX_REFUSALS) {
            if self.inflight.iter().all(|inflight| inflight.ask != ask) {
                self.asked.remove(&ask);
            }
        }
    }

    /// Takes back a request; an answer that comes all the same was not asked for. False if it was not made.
    pub(super) fn unask(&mut self, ask: Ask) -> bool {
        let place = self.inflight.iter().position(|inflight| inflight.ask == ask);
        let taken = place.and_then(|place| self.inflight.remove(place));
        self.asked.remove(&ask);
        taken.is_some()
    }

    /// Changes after how long a silence the stream ends.
    pub fn set_timeout(&mut self, timeout: Option<u64>) {
        self.options.timeout = timeout;
    }

    /// True if requests have been waiting, and nothing came, for too long. To be asked now and then.
    pub(super) fn is_too_silent(&mut self, now: u64) -> bool {
        if self.inflight.is_empty() {
            self.silent_since = None;
            return false;
        }
        let since = *self.silent_since.get_or_insert(now);
        self.options.timeout.is_some_and(|timeout| now.saturating_sub(since) >= timeout)
    }

    /// Adapts to the size of the blocks that this peer sends.
    pub(super) fn note_size(&mut self, size: usize) {
        self.block_size = (self.block_size * 7 + size) / 8;
    }

    /// The link kept all requests busy: allow one more for each answer, which doubles the window every round trip.
    fn widen(&mut self) {
        let fits = (self.window + 1).saturating_mul(self.block_size) <= MAX_WINDOW_BYTES;
        if self.options.max_requests.is_none() && self.window < MAX_WINDOW && fits {
            self.window += 1;
        }
    }
}
