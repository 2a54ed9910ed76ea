//! Intervals: which ranges of blocks meet a block or a range, without looking at the others.
//!
//! ```text
//! level 2   0 ------------------- 8       an interval lies in the smallest power of two that covers it,
//! level 1   0 ------- 4 ------- 8         so that it holds the middle of that: of those in one bucket
//! level 0   0 - 2 - 4 - 6 - 8             a search to the left sorts by start, one to the right by end
//! ```
//! An interval tree over fixed middles: a search looks at one bucket a level, at most 65, and at
//! what it finds.
//!
//! Invariant: a bucket is not empty, and all its intervals hold its middle (at level 0: are that
//! one block).

use std::collections::{BTreeMap, BTreeSet};

/// See the file's head. Each interval has a number of its own.
#[derive(Default)]
pub(super) struct Intervals {
    buckets: BTreeMap<(u32, u64), Bucket>,
    /// Buckets at each level, so that most levels are not searched.
    levels: BTreeMap<u32, usize>,
}

#[derive(Default)]
struct Bucket {
    by_start: BTreeSet<(u64, u64)>,
    by_end: BTreeSet<(u64, u64)>,
}

impl Intervals {
    /// Adds `start..end`; an empty one counts as its first block.
    pub fn insert(&mut self, start: u64, end: u64, number: u64) {
        let end = end.max(start.saturating_add(1));
        let place = place(start, end);
        if !self.buckets.contains_key(&place) {
            *self.levels.entry(place.0).or_default() += 1;
        }
        let bucket = self.buckets.entry(place).or_default();
        bucket.by_start.insert((start, number));
        bucket.by_end.insert((end, number));
    }

    /// Removes what was inserted with these.
    pub fn remove(&mut self, start: u64, end: u64, number: u64) {
        let end = end.max(start.saturating_add(1));
        let place = place(start, end);
        let Some(bucket) = self.buckets.get_mut(&place) else { return };
        bucket.by_start.remove(&(start, number));
        bucket.by_end.remove(&(end, number));
        if !bucket.by_start.is_empty() {
            return;
        }
        self.buckets.remove(&place);
        if let Some(count) = self.levels.get_mut(&place.0) {
            *count -= 1;
            if *count == 0 {
                self.levels.remove(&place.0);
            }
        }
    }

    /// The numbers of those that meet `start..end`, which is not empty, in no order.
    pub fn meeting(&self, start: u64, end: u64) -> impl Iterator<Item = u64> {
        let last = end.saturating_sub(1).max(start);
        let buckets = self.levels.keys().flat_map(move |&level| {
            let (first, last) = (shift(start, level), shift(last, level));
            self.buckets.range((level, first)..=(level, last))
        });
        buckets.flat_map(move |(&(level, index), bucket)| {
            let middle = middle(level, index);
            let to_left = last < middle;
            let by_start = if to_left { Some(bucket.by_start.range(..=(last, u64::MAX))) } else { None };
            let from = if start < middle { 0 } else { start + 1 };
            let by_end = if to_left { None } else { Some(bucket.by_end.range((from, 0)..)) };
            by_start.into_iter().flatten().chain(by_end.into_iter().flatten()).map(|(_, number)| *number)
        })
    }
}

fn shift(block: u64, level: u32) -> u64 {
    block.checked_shr(level).unwrap_or(0)
}

fn place(start: u64, end: u64) -> (u32, u64) {
    let level = u64::BITS - (start ^ (end - 1)).leading_zeros();
    (level, shift(start, level))
}

/// The block that all intervals of a bucket hold: the first of its right half.
fn middle(level: u32, index: u64) -> u64 {
    match level.checked_sub(1) {
        Some(half) => (2 * index + 1) << half,
        None => index,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_a_list(
            ranges in prop::collection::vec((0..100u64, prop_oneof![0..30u64, Just(u64::MAX)]), 0..30),
            start in 0..120u64, len in 1..50u64, removed in 0..30usize,
        ) {
            let end_of = |(start, len): (u64, u64)| start.saturating_add(len);
            let mut intervals = Intervals::default();
            for (number, range) in (0..).zip(&ranges) {
                intervals.insert(range.0, end_of(*range), number);
            }
            for (number, range) in (0..).zip(&ranges).take(removed) {
                intervals.remove(range.0, end_of(*range), number);
            }
            let mut found: Vec<u64> = intervals.meeting(start, start + len).collect();
            found.sort_unstable();
            let meets = |range: &(u64, u64)| range.0 < start + len && end_of(*range).max(range.0 + 1) > start;
            let expected: Vec<u64> =
                (0..).zip(&ranges).skip(removed).filter(|(_, range)| meets(range)).map(|(number, _)| number).collect();
            prop_assert_eq!(found, expected);
            if removed >= ranges.len() {
                prop_assert!(intervals.buckets.is_empty() && intervals.levels.is_empty());
            }
        }
    }
}
