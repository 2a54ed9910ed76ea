//! Timers: which feed wants to be told, and when, that time has passed. One for the whole engine.
//!
//! A feed that turns out to be too early is asked again for its next time, so that a time which
//! moves on with every answer costs nothing.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::ids::FeedId;

/// Times in milliseconds.
#[derive(Debug, Default)]
pub struct Timers {
    order: BTreeSet<(u64, FeedId)>,
    by_feed: FxHashMap<FeedId, u64>,
    /// When we shall be told what time it is.
    alarm: Option<u64>,
}

impl Timers {
    /// A feed wants to be told at `due`, or, with None, not at all. A time that is set already and
    /// earlier stays.
    pub fn set(&mut self, feed: FeedId, due: Option<u64>) {
        let set = self.by_feed.get(&feed).copied();
        match (set, due) {
            (Some(set), Some(due)) if set <= due => return,
            (None, None) => return,
            _ => {}
        }
        if let Some(set) = set {
            self.order.remove(&(set, feed));
            self.by_feed.remove(&feed);
        }
        if let Some(due) = due {
            self.order.insert((due, feed));
            self.by_feed.insert(feed, due);
        }
    }

    /// For when the alarm is to be set; None if it is early enough, or nobody waits.
    pub fn next_alarm(&mut self) -> Option<u64> {
        let (due, _) = *self.order.first()?;
        if self.alarm.is_some_and(|alarm| alarm <= due) {
            return None;
        }
        self.alarm = Some(due);
        self.alarm
    }

    /// The alarm went off.
    pub fn wake(&mut self) {
        self.alarm = None;
    }

    /// A feed whose time has come.
    pub fn pop(&mut self, now: u64) -> Option<FeedId> {
        let (_, feed) = *self.order.first().filter(|(due, _)| *due <= now)?;
        self.set(feed, None);
        Some(feed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_time_counts() {
        let mut timers = Timers::default();
        timers.set(FeedId(1), Some(50));
        timers.set(FeedId(1), Some(70));
        timers.set(FeedId(2), Some(40));
        timers.set(FeedId(3), Some(10));
        timers.set(FeedId(3), None);
        assert_eq!((timers.pop(39), timers.pop(40), timers.pop(49)), (None, Some(FeedId(2)), None));
        timers.set(FeedId(1), Some(45));
        assert_eq!((timers.pop(45), timers.pop(1_000)), (Some(FeedId(1)), None));
    }

    #[test]
    fn the_alarm_is_set_for_the_earliest_only() {
        let mut timers = Timers::default();
        assert_eq!(timers.next_alarm(), None);
        timers.set(FeedId(1), Some(50));
        assert_eq!((timers.next_alarm(), timers.next_alarm()), (Some(50), None));
        timers.set(FeedId(2), Some(60));
        assert_eq!(timers.next_alarm(), None);
        timers.set(FeedId(2), Some(40));
        assert_eq!(timers.next_alarm(), Some(40));
        timers.wake();
        assert_eq!(timers.next_alarm(), Some(40));
    }
}
