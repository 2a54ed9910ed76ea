//! Peer: one remote on one feed, as a life, two sides and what goes between them.
//!
//! ```text
//! phase    Opening -> Open { heard } -> Ending -> Done       never back
//! ours     uploads? downloads?            requests, wants ->
//! remote   uploads? downloads? haves      uploads         <-
//! ```
//! What the remote says is capped where it is kept: haves, requests and uploads each in their file.
//!
//! Invariant: messages about the log are sent from `Open` on, and none after `Done`.
//! Source: hypercore@9.12.0 lib/replicate.js `Peer`.

use super::index::Filed;
use super::offers::Glance;
use super::pace::Line;
use super::requests::Requests;
use super::seeks::SeekGlance;
use super::spans::Progress;
use super::types::{PeerOptions, PeerStats};
use super::uploads::Uploads;
use super::windows::Wants;
use crate::log::haves::Haves;
use crate::log::tree::RemoteTree;
use crate::wire::Message;

/// How far the two have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Our side is open, the remote's is not.
    Opening,
    /// Both are. `heard`: the remote has told something of what it has.
    Open { heard: bool },
    /// We have said that we download no more.
    Ending,
    /// The engine was told to close the channel.
    Done,
}

/// What one side does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Side {
    pub uploading: bool,
    pub downloading: bool,
}

impl Side {
    /// As a message.
    pub fn status(self) -> Message {
        Message::Status { uploading: Some(self.uploading), downloading: Some(self.downloading) }
    }
}

/// What the remote has said of itself.
pub(super) struct Remote {
    pub side: Side,
    /// It wants acknowledgements.
    pub acks: bool,
    /// It wants to hear what is new here.
    pub wants: bool,
    pub haves: Haves,
    /// Its length, in blocks.
    pub len: u64,
}

/// What it has seen of that which is asked of anybody.
#[derive(Default)]
pub(super) struct Seen {
    pub gets: Glance,
    pub listed: Glance,
    pub seeks: SeekGlance,
    pub spans: Progress,
}

impl Seen {
    /// It may have blocks of `start..end` that it had not before.
    pub fn refresh(&mut self, start: u64, end: u64) {
        self.gets.refresh(start, end);
        self.listed.refresh(start, end);
        self.seeks.refresh(start, end);
        self.spans.refresh(start, end);
    }
}

/// See the file's head.
pub struct Peer {
    pub(super) options: PeerOptions,
    pub(super) phase: Phase,
    pub(super) ours: Side,
    pub(super) remote: Remote,
    pub(super) wants: Wants,
    pub(super) requests: Requests,
    pub(super) uploads: Uploads,
    pub(super) seen: Seen,
    pub(super) filed: Filed,
    /// Nodes that the remote has said it holds: proofs leave them out.
    pub tree: RemoteTree,
    /// Counters.
    pub stats: PeerStats,
}

impl Peer {
    pub(super) fn new(options: PeerOptions, line: Line) -> Self {
        let side = Side { uploading: true, downloading: true };
        Self {
            options,
            phase: Phase::Opening,
            ours: Side { uploading: options.uploading, downloading: options.downloading },
            remote: Remote { side, acks: false, wants: false, haves: Haves::default(), len: 0 },
            wants: Wants::default(),
            requests: Requests::new(options.max_requests, line),
            uploads: Uploads::default(),
            seen: Seen::default(),
            filed: Filed::default(),
            tree: RemoteTree::default(),
            stats: PeerStats::default(),
        }
    }

    /// True when the remote has opened its side.
    pub fn is_open(&self) -> bool {
        self.phase != Phase::Opening
    }

    /// The length that the remote has told, in blocks.
    pub fn remote_len(&self) -> u64 {
        self.remote.len
    }

    /// True if the remote says that it has the block.
    pub fn has(&self, block: u64) -> bool {
        self.remote.haves.get(block)
    }

    /// Whether the remote downloads and uploads.
    pub fn remote_status(&self) -> (bool, bool) {
        (self.remote.side.downloading, self.remote.side.uploading)
    }

    /// True if the remote asked for acknowledgements.
    pub fn remote_acks(&self) -> bool {
        self.remote.acks
    }

    /// Requests of ours without an answer.
    pub fn inflight(&self) -> usize {
        self.requests.len()
    }

    /// True if requests may be sent.
    pub(super) fn can_ask(&self) -> bool {
        self.is_open() && self.phase != Phase::Done && self.ours.downloading && self.remote.side.uploading
    }

    /// True if the remote has told something of what it has.
    pub(super) fn has_heard(&self) -> bool {
        !matches!(self.phase, Phase::Opening | Phase::Open { heard: false })
    }

    /// How it is to be found.
    pub(super) fn file(&self) -> Filed {
        let can_ask = self.can_ask();
        let is_settled = self.has_heard() && self.requests.is_settled() && self.wants.is_answered();
        Filed {
            len: self.remote.len,
            due: self.requests.due(self.options.timeout),
            room: (can_ask && self.requests.has_room(true) && !self.remote.haves.is_empty())
                .then_some(self.requests.is_silent()),
            can_ask,
            is_busy: can_ask && !is_settled,
            may_end: can_ask && !self.options.live && self.phase == Phase::Open { heard: true },
            wants: self.remote.wants,
        }
    }
}
