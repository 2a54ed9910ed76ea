//! Offers: asks that are open to any peer that has the block, in the order in which they came up.
//!
//! ```text
//! by order   0: block 7   2: block 3   3: hash of 9   ...      a peer's glance: all before 2 was seen, and passed over
//! by block   3, 7, 9                                           what it told since: blocks 5..8 are fresh, look there again
//! ```
//! A peer looks once at every offer; one that it passed over, since it lacks the block, is looked
//! at again only if it tells that it has it. So a message costs what is new in it, not what waits.
//!
//! Invariant: orders, places and blocks tell of the same asks. An order is used once.

use std::collections::BTreeMap;
use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;

use super::blocks::Blocks;
use super::types::{Ask, Looks};
use crate::log::haves::Haves;

/// See the file's head.
#[derive(Default)]
pub(super) struct Offers {
    by_order: BTreeMap<u64, Ask>,
    /// The order of each.
    places: FxHashMap<Ask, u64>,
    /// Of which something is offered: itself, its hash, or both.
    blocks: Blocks,
    next: u64,
}

/// What a peer has seen of the offers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Glance {
    /// All orders before this one.
    pub seen: u64,
    /// Blocks where it has to look again: from the first ask to before a block.
    fresh: Option<(Ask, u64)>,
}

impl Glance {
    /// Looks again at `start..end`.
    pub fn refresh(&mut self, start: u64, end: u64) {
        let (start, end) = match self.fresh {
            Some((first, last)) => (first.min(Ask::block(start)), last.max(end)),
            None => (Ask::block(start), end),
        };
        self.fresh = Some((start, end));
    }
}

/// What is done with an offer that a peer has.
pub(super) enum Verdict {
    /// Ask the peer for it.
    Take,
    /// Nobody needs to be asked for it.
    Drop,
    /// Not of this peer, not now.
    Pass,
}

impl Offers {
    /// True if nothing is offered.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The next order; offers from here on are new.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// True if some offer from `order` on is still there.
    pub fn has_since(&self, order: u64) -> bool {
        self.by_order.range(order..).next().is_some()
    }

    /// Offers an ask, unless it is here already.
    pub fn insert(&mut self, ask: Ask) {
        if let Entry::Vacant(place) = self.places.entry(ask) {
            place.insert(self.next);
            self.by_order.insert(self.next, ask);
            self.blocks.insert(ask.index);
            self.next += 1;
        }
    }

    /// Offers an ask to all, also to those who have passed it over: somebody who was asked for it
    /// has failed.
    pub fn renew(&mut self, ask: Ask) {
        self.remove(ask);
        self.insert(ask);
    }

    /// Takes an offer back.
    pub fn remove(&mut self, ask: Ask) {
        let Some(order) = self.places.remove(&ask) else { return };
        self.by_order.remove(&order);
        if !self.places.contains_key(&Ask { hash: !ask.hash, ..ask }) {
            self.blocks.remove(ask.index);
        }
    }

    /// Takes the offers of `start..end` back.
    pub fn remove_range(&mut self, start: u64, end: u64) {
        while let Some(index) = self.blocks.next(start).filter(|index| *index < end) {
            [false, true].into_iter().for_each(|hash| self.remove(Ask { index, hash }));
        }
    }

    /// The first offer that a peer has, in what is fresh, then in what it has not seen, and that
    /// `judge` takes.
    pub fn pick(
        &mut self,
        glance: &mut Glance,
        haves: &Haves,
        looks: &Looks,
        judge: impl Fn(Ask) -> Verdict,
    ) -> Option<Ask> {
        while let Some(ask) = self.next_fresh(glance, haves, looks).or_else(|| self.next_unseen(glance, haves, looks)) {
            match judge(ask) {
                Verdict::Pass => continue,
                Verdict::Drop => self.remove(ask),
                Verdict::Take => {
                    self.remove(ask);
                    return Some(ask);
                }
            }
        }
        None
    }

    fn next_fresh(&self, glance: &mut Glance, haves: &Haves, looks: &Looks) -> Option<Ask> {
        while let Some((from, end)) = glance.fresh {
            looks.count();
            let offer = self.next_from(from).filter(|ask| ask.index < end);
            let had = offer.and_then(|ask| haves.next(ask.index)).filter(|block| *block < end);
            let (Some(ask), Some(had)) = (offer, had) else {
                glance.fresh = None;
                break;
            };
            if had == ask.index {
                let next = if ask.hash { Ask::block(ask.index + 1) } else { Ask { hash: true, ..ask } };
                glance.fresh = Some((next, end));
                return Some(ask);
            }
            glance.fresh = Some((Ask::block(had), end));
        }
        None
    }

    /// The first offer from this one on: of two for a block that of the block itself.
    fn next_from(&self, from: Ask) -> Option<Ask> {
        let of = |index| {
            let asks = [false, true].map(|hash| Ask { index, hash });
            asks.into_iter().find(|ask| *ask >= from && self.places.contains_key(ask))
        };
        let index = self.blocks.next(from.index)?;
        of(index).or_else(|| of(self.blocks.next(index.checked_add(1)?)?))
    }

    fn next_unseen(&self, glance: &mut Glance, haves: &Haves, looks: &Looks) -> Option<Ask> {
        loop {
            let (&order, &ask) = self.by_order.range(glance.seen..).next()?;
            looks.count();
            glance.seen = order + 1;
            if haves.get(ask.index) {
                return Some(ask);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_passed_over_is_seen_again_when_it_is_told() {
        let (mut offers, mut glance, looks) = (Offers::default(), Glance::default(), Looks::default());
        let mut haves = Haves::new();
        [5, 9, 2].into_iter().for_each(|block| offers.insert(Ask::block(block)));
        haves.insert_range(2, 3);
        let pick = |offers: &mut Offers, haves: &Haves, glance: &mut Glance| {
            offers.pick(glance, haves, &looks, |_| Verdict::Take).map(|ask| ask.index)
        };
        assert_eq!(pick(&mut offers, &haves, &mut glance), Some(2));
        assert_eq!(pick(&mut offers, &haves, &mut glance), None);
        haves.insert_range(4, 20);
        assert_eq!(pick(&mut offers, &haves, &mut glance), None);
        glance.refresh(6, 20);
        assert_eq!(pick(&mut offers, &haves, &mut glance), Some(9));
        glance.refresh(0, 20);
        assert_eq!(pick(&mut offers, &haves, &mut glance), Some(5));
        assert!(offers.places.is_empty() && offers.by_order.is_empty());
    }
}
