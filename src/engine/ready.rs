//! Ready: whose turn it is, first come first served, each once.

use std::collections::VecDeque;
use std::hash::Hash;

use rustc_hash::FxHashSet;

/// A queue in which everything is at most once.
#[derive(Debug)]
pub struct Ready<T> {
    order: VecDeque<T>,
    members: FxHashSet<T>,
}

impl<T> Default for Ready<T> {
    fn default() -> Self {
        Self { order: VecDeque::new(), members: FxHashSet::default() }
    }
}

impl<T: Copy + Eq + Hash> Ready<T> {
    /// Joins the queue, unless it is in it.
    pub fn push(&mut self, item: T) {
        if self.members.insert(item) {
            self.order.push_back(item);
        }
    }

    /// Whose turn it is.
    pub fn pop(&mut self) -> Option<T> {
        let item = self.order.pop_front()?;
        self.members.remove(&item);
        Some(item)
    }

    /// Leaves the queue.
    pub fn remove(&mut self, item: T) {
        if self.members.remove(&item) {
            self.order.retain(|other| *other != item);
        }
    }

    /// True if it is in the queue.
    pub fn contains(&self, item: T) -> bool {
        self.members.contains(&item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_one_turn_in_order() {
        let mut ready = Ready::default();
        [3, 1, 3, 2, 1].into_iter().for_each(|item| ready.push(item));
        ready.remove(1);
        assert!(ready.contains(2) && !ready.contains(1));
        ready.push(1);
        assert_eq!(std::iter::from_fn(|| ready.pop()).collect::<Vec<_>>(), [3, 2, 1]);
    }
}
