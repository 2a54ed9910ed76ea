//! Blocks: a set of blocks, in order.
//!
//! ```text
//! word   0           3                a bit for each of its 64 blocks: what lies close together costs little
//!        0110...     1000...
//! ```
//! Invariant: no word is 0.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Blocks of a word.
const WORD: u64 = 64;

/// See the file's head.
#[derive(Default)]
pub(super) struct Blocks(BTreeMap<u64, u64>);

impl Blocks {
    /// Adds a block.
    pub fn insert(&mut self, block: u64) {
        *self.0.entry(block / WORD).or_default() |= 1 << (block % WORD);
    }

    /// Takes a block out. False if it was not here.
    pub fn remove(&mut self, block: u64) -> bool {
        let Entry::Occupied(mut word) = self.0.entry(block / WORD) else { return false };
        let was_here = *word.get() & 1 << (block % WORD) != 0;
        *word.get_mut() &= !(1 << (block % WORD));
        if *word.get() == 0 {
            word.remove();
        }
        was_here
    }

    /// True if this block is here.
    pub fn contains(&self, block: u64) -> bool {
        self.0.get(&(block / WORD)).is_some_and(|word| word & 1 << (block % WORD) != 0)
    }

    /// The first block from `start` on.
    pub fn next(&self, start: u64) -> Option<u64> {
        self.0.range(start / WORD..).find_map(|(&at, &word)| {
            let rest = if at == start / WORD { word & u64::MAX << (start % WORD) } else { word };
            (rest != 0).then(|| at * WORD + u64::from(rest.trailing_zeros()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_in_order_until_they_are_taken_out() {
        let mut blocks = Blocks::default();
        let some = [0, 63, 64, 1_000_000, u64::MAX];
        some.iter().rev().for_each(|block| blocks.insert(*block));
        let all = |blocks: &Blocks| {
            let after = |block: &u64| blocks.next(block.checked_add(1)?);
            std::iter::successors(blocks.next(0), after).collect::<Vec<_>>()
        };
        assert_eq!(all(&blocks), some);
        assert!(blocks.contains(64) && !blocks.contains(65));
        assert!(blocks.remove(64) && !blocks.remove(64) && !blocks.remove(65));
        assert_eq!(all(&blocks), [0, 63, 1_000_000, u64::MAX]);
        assert_eq!(some.map(|block| blocks.remove(block)), [true, true, false, true, true]);
        assert!(all(&blocks).is_empty() && blocks.0.is_empty());
    }
}
