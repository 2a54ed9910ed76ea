//! World: all feeds and streams of one environment, and what is still to be done with them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::clock::Clock;
use super::event::{Failure, Kind, Value};
use super::feeds::FeedSlot;
use super::jobs::{Completion, Tasks};
use super::queue::{Completions, Queue};
use super::streams::StreamSlot;

/// See the file's head.
pub struct World {
    pub(super) feeds: BTreeMap<u64, FeedSlot>,
    pub(super) streams: BTreeMap<u64, StreamSlot>,
    pub(super) tasks: Tasks,
    pub(super) done: VecDeque<Completion>,
    pub(super) queue: Arc<Queue>,
    pub(super) completions: Arc<Completions>,
    pub(super) clock: Clock,
    /// Streams with bytes to look at, or with requests to answer.
    pub(super) dirty_streams: BTreeSet<u64>,
    /// Streams that are not read on, since too many events wait for JavaScript.
    pub(super) stalled_streams: BTreeSet<u64>,
    /// Feeds whose peers may be asked for more.
    pub(super) dirty_feeds: BTreeSet<u64>,
}

impl World {
    pub(super) fn new(queue: Arc<Queue>, completions: Arc<Completions>, clock: Clock) -> Self {
        Self {
            feeds: BTreeMap::new(),
            streams: BTreeMap::new(),
            tasks: Tasks::default(),
            done: VecDeque::new(),
            queue,
            completions,
            clock,
            dirty_streams: BTreeSet::new(),
            stalled_streams: BTreeSet::new(),
            dirty_feeds: BTreeSet::new(),
        }
    }

    pub(super) fn tell(&self, kind: Kind, values: impl IntoIterator<Item = Value>) {
        self.queue.push(kind, values);
    }

    pub(super) fn succeed(&self, op: u64, values: impl IntoIterator<Item = Value>) {
        self.queue.push(Kind::Done, std::iter::once(Value::Number(op)).chain(values));
    }

    pub(super) fn fail(&self, op: u64, failure: Failure) {
        let code = failure.code.map_or(Value::Null, Value::Text);
        self.queue.push(Kind::Fail, [op.into(), code, Value::Text(failure.message), failure.foreign.into()]);
    }
}
