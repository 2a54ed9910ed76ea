//! Haves: a set of blocks that somebody else decides on, such as those that a remote says it has.
//!
//! ```text
//! pages    | full | full | full | some |  -   | full |  ...       32768 blocks a page
//! full       0..3 ------------>               5..6                a run of full pages, however long: one entry
//! some                            bitmap                          4 KiB
//! ```
//! The remote decides what is in here, so that all of it has a cap: 2,048 bitmaps and 16,384 runs.
//! Beyond that the pages farthest right are forgotten: the remote is then asked for less, never for
//! what it does not have. A range costs the same however long it is. Bytes that are no bitfield are
//! the remote's fault, and change nothing.
//!
//! Invariant: a page is absent, in one run, or a bitmap with at least one bit of either kind; runs
//! neither touch nor overlap.
//! Source: hypercore@9.12.0 lib/replicate.js `onhave`, `onunhave`, `remoteAndNotLocal`.

use std::collections::BTreeMap;
use std::ops::Range;

use super::bitfield::{find_bit, narrow, range_mask};
use crate::math::rle::{self, RleError, Run};

/// Blocks of a page.
const PAGE: u64 = 32_768;
const PAGE_BYTES: u64 = PAGE / 8;
/// Bitmaps kept, 4 KiB each.
const MAX_BITMAPS: usize = 2_048;
/// Runs kept.
const MAX_RUNS: usize = 16_384;

/// The blocks a remote has.
#[derive(Default)]
pub struct Haves {
    bitmaps: BTreeMap<u64, Box<Bitmap>>,
    /// Full pages: first page to the page after the last.
    runs: BTreeMap<u64, u64>,
}

/// Why the bits of a have were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HavesError {
    /// The first block is no multiple of 8.
    Unaligned,
    /// The bytes are no bitfield.
    Encoding(RleError),
}

impl Haves {
    /// Nothing known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The remote has this block.
    pub fn insert(&mut self, block: u64) {
        self.set_range(block, block.saturating_add(1), true);
    }

    /// The remote lacks this block.
    pub fn remove(&mut self, block: u64) {
        self.set_range(block, block.saturating_add(1), false);
    }

    /// The remote has the blocks `start..end`.
    pub fn insert_range(&mut self, start: u64, end: u64) {
        self.set_range(start, end, true);
    }

    /// The remote lacks the blocks `start..end`.
    pub fn remove_range(&mut self, start: u64, end: u64) {
        self.set_range(start, end, false);
    }

    /// Replaces what was known from `start` on, a multiple of 8, by an encoded bitfield; gives its
    /// length in bits.
    pub fn insert_bitfield(&mut self, start: u64, encoded: &[u8]) -> Result<u64, HavesError> {
        if !start.is_multiple_of(8) {
            return Err(HavesError::Unaligned);
        }
        for run in rle::runs(encoded) {
            run.map_err(HavesError::Encoding)?;
        }
        let mut next = start;
        let mut rest = Rest { runs: rle::runs(encoded).flatten(), cut: None };
        while let Some(run) = rest.take(u64::MAX) {
            let page = next / PAGE;
            match run {
                Run::Fill { ones, bytes } if next.is_multiple_of(PAGE) && bytes >= PAGE_BYTES => {
                    let pages = bytes / PAGE_BYTES;
                    self.set_pages(page, page + pages, ones);
                    rest.cut = Some(Run::Fill { ones, bytes: bytes % PAGE_BYTES });
                    next += pages * PAGE;
                }
                _ => {
                    rest.cut = Some(run);
                    let bytes = self.edit(page, |bitmap| bitmap.write(next % PAGE / 8, &mut rest));
                    next += 8 * bytes;
                }
            }
        }
        Ok(next - start)
    }

    /// True if the remote has this block.
    pub fn get(&self, block: u64) -> bool {
        let page = block / PAGE;
        let Some(bitmap) = self.bitmaps.get(&page) else { return self.run_of(page).is_some() };
        let byte = bitmap.words.as_flattened().get(narrow(block % PAGE / 8));
        byte.is_some_and(|byte| byte & (128 >> (block % 8)) != 0)
    }

    /// The first block at or after `start` that the remote has.
    pub fn next(&self, start: u64) -> Option<u64> {
        let page = start / PAGE;
        if self.run_of(page).is_some() {
            return Some(start);
        }
        let bitmap = self.bitmaps.range(page..).find_map(|(&index, bitmap)| {
            let from = if index == page { narrow(start % PAGE) } else { 0 };
            Some(index * PAGE + u64::try_from(find_bit(&bitmap.words, from, 0)?).ok()?)
        });
        let run = self.runs.range(page..).next().map(|(&first, _)| first * PAGE);
        bitmap.into_iter().chain(run).min()
    }

    /// The first block at or after `start` that the remote lacks.
    pub fn next_absent(&self, start: u64) -> u64 {
        let mut at = start;
        loop {
            let page = at / PAGE;
            if let Some(run) = self.run_of(page) {
                match run.end.checked_mul(PAGE) {
                    Some(end) => at = end,
                    None => return u64::MAX,
                }
            } else if let Some(bitmap) = self.bitmaps.get(&page) {
                match find_bit(&bitmap.words, narrow(at % PAGE), u64::MAX) {
                    Some(bit) => return page * PAGE + u64::try_from(bit).unwrap_or(0),
                    None => at = (page + 1) * PAGE,
                }
            } else {
                return at;
            }
        }
    }

    /// True if the remote has nothing.
    pub fn is_empty(&self) -> bool {
        self.bitmaps.is_empty() && self.runs.is_empty()
    }

    /// The last block that the remote has.
    pub fn last(&self) -> Option<u64> {
        let bitmap = self.bitmaps.last_key_value().and_then(|(&index, bitmap)| Some(index * PAGE + bitmap.last()?));
        let run = self.runs.last_key_value().map(|(_, &end)| end.saturating_mul(PAGE) - 1);
        bitmap.into_iter().chain(run).max()
    }

    fn set_range(&mut self, start: u64, end: u64, held: bool) {
        if start >= end {
            return;
        }
        let (first, last) = (start.div_ceil(PAGE), end / PAGE);
        if first > last {
            return self.set_within(last, start % PAGE..end % PAGE, held);
        }
        self.set_within(start / PAGE, start % PAGE..if start.is_multiple_of(PAGE) { 0 } else { PAGE }, held);
        self.set_pages(first, last, held);
        self.set_within(last, 0..end % PAGE, held);
    }

    /// Sets or clears some bits of one page.
    fn set_within(&mut self, page: u64, bits: Range<u64>, held: bool) {
        let bits = narrow(bits.start)..narrow(bits.end);
        let settled = if held { self.run_of(page).is_some() } else { !self.has_page(page) };
        if !bits.is_empty() && !settled {
            self.edit(page, |bitmap| bitmap.set(bits, held));
        }
    }

    /// Makes the pages `first..end` full, or absent.
    fn set_pages(&mut self, first: u64, end: u64, held: bool) {
        if first >= end {
            return;
        }
        while let Some((&page, _)) = self.bitmaps.range(first..end).next() {
            self.bitmaps.remove(&page);
        }
        if held {
            self.insert_run(first, end)
        } else {
            self.cut_runs(first, end)
        }
        self.keep_budget();
    }

    /// Changes one page as a bitmap, then stores it as what it has become.
    fn edit<T>(&mut self, page: u64, change: impl FnOnce(&mut Bitmap) -> T) -> T {
        let last = self.bitmaps.last_key_value().map(|(&last, _)| last);
        if self.bitmaps.len() >= MAX_BITMAPS && last < Some(page) {
            // It would be the first to be forgotten.
            self.cut_runs(page, page + 1);
            return change(&mut Bitmap::filled(false));
        }
        let in_run = self.run_of(page).is_some();
        let bitmap = self.bitmaps.entry(page).or_insert_with(|| Bitmap::filled(in_run));
        let answer = change(bitmap);
        match bitmap.sum() {
            Sum::Some if in_run => self.cut_runs(page, page + 1),
            Sum::Some => self.keep_budget(),
            Sum::None => self.set_pages(page, page + 1, false),
            Sum::All => self.set_pages(page, page + 1, true),
        }
        answer
    }

    fn has_page(&self, page: u64) -> bool {
        self.bitmaps.contains_key(&page) || self.run_of(page).is_some()
    }

    fn run_of(&self, page: u64) -> Option<Range<u64>> {
        let (&first, &end) = self.runs.range(..=page).next_back()?;
        (page < end).then_some(first..end)
    }

    /// Adds a run; those that it meets or touches become one with it.
    fn insert_run(&mut self, mut first: u64, mut end: u64) {
        if let Some(run) = self.run_of(first.saturating_sub(1)) {
            first = first.min(run.start);
        }
        while let Some((&met, &met_end)) = self.runs.range(first..=end).next() {
            self.runs.remove(&met);
            end = end.max(met_end);
        }
        self.runs.insert(first, end);
    }

    /// Takes `first..end` out of the runs.
    fn cut_runs(&mut self, first: u64, end: u64) {
        let before = self.run_of(first).filter(|run| run.start < first);
        if let Some(run) = &before {
            self.runs.insert(run.start, first);
        }
        let mut cut_end = before.map_or(0, |run| run.end);
        while let Some((&met, &met_end)) = self.runs.range(first..end).next() {
            self.runs.remove(&met);
            cut_end = met_end;
        }
        if cut_end > end {
            self.runs.insert(end, cut_end);
        }
        self.keep_budget();
    }

    fn keep_budget(&mut self) {
        while self.bitmaps.len() > MAX_BITMAPS {
            self.bitmaps.pop_last();
        }
        while self.runs.len() > MAX_RUNS {
            self.runs.pop_last();
        }
    }
}

/// The bits of one page: words in the order of the wire.
struct Bitmap {
    words: [[u8; 8]; 512],
}

/// Runs that are still to be written, the first of them perhaps in part.
struct Rest<'a, I> {
    runs: I,
    cut: Option<Run<'a>>,
}

impl<'a, I: Iterator<Item = Run<'a>>> Rest<'a, I> {
    /// The next run, or the first `max` bytes of it.
    fn take(&mut self, max: u64) -> Option<Run<'a>> {
        let run = self.cut.take().or_else(|| self.runs.next())?;
        if run_bytes(&run) <= max {
            return Some(run);
        }
        let (now, later) = match run {
            Run::Fill { ones, bytes } => (Run::Fill { ones, bytes: max }, Run::Fill { ones, bytes: bytes - max }),
            Run::Literal(bytes) => {
                let (now, later) = bytes.split_at(narrow(max));
                (Run::Literal(now), Run::Literal(later))
            }
        };
        self.cut = Some(later);
        Some(now)
    }
}

fn run_bytes(run: &Run<'_>) -> u64 {
    match run {
        Run::Fill { bytes, .. } => *bytes,
        Run::Literal(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
    }
}

/// What the bits of a page add up to.
enum Sum {
    None,
    Some,
    All,
}

impl Bitmap {
    fn filled(ones: bool) -> Box<Self> {
        Box::new(Self { words: [[if ones { 255 } else { 0 }; 8]; 512] })
    }

    fn set(&mut self, bits: Range<usize>, held: bool) {
        let words = self.words.iter_mut().enumerate().take(bits.end.div_ceil(64)).skip(bits.start / 64);
        for (at, word) in words {
            let (old, mask) = (u64::from_be_bytes(*word), range_mask(at, bits.start, bits.end));
            *word = if held { old | mask } else { old & !mask }.to_be_bytes();
        }
    }

    /// Writes bytes from byte `at` on, to the end of the page or of what is left; gives how many.
    fn write<'a>(&mut self, at: u64, rest: &mut Rest<'a, impl Iterator<Item = Run<'a>>>) -> u64 {
        let mut next = at;
        while let Some(run) = rest.take(PAGE_BYTES - next) {
            let place = self.words.as_flattened_mut().get_mut(narrow(next)..).unwrap_or_default();
            let bytes = run_bytes(&run);
            let place = place.get_mut(..narrow(bytes)).unwrap_or_default();
            match run {
                Run::Fill { ones, .. } => place.fill(if ones { 255 } else { 0 }),
                Run::Literal(bytes) => place.copy_from_slice(bytes),
            }
            next += bytes;
            if next == PAGE_BYTES {
                break;
            }
        }
        next - at
    }

    /// Ends at the first word that is unlike the first byte.
    fn sum(&self) -> Sum {
        let all = |value: [u8; 8]| self.words.iter().all(|word| *word == value);
        match self.words.first() {
            Some([0, ..]) if all([0; 8]) => Sum::None,
            Some([255, ..]) if all([255; 8]) => Sum::All,
            _ => Sum::Some,
        }
    }

    fn last(&self) -> Option<u64> {
        let (at, word) = (0u64..).zip(&self.words).filter(|(_, word)| **word != [0; 8]).last()?;
        Some(at * 64 + 63 - u64::from(u64::from_be_bytes(*word).trailing_zeros()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn endless_ranges_are_instant() {
        let mut haves = Haves::new();
        haves.insert_range(5, 1 << 53);
        haves.remove_range(1 << 40, u64::MAX);
        haves.insert_range(1 << 52, u64::MAX);
        haves.remove_range(0, 100_000);
        assert_eq!((haves.next(0), haves.next(1 << 40)), (Some(100_000), Some(1 << 52)));
        haves.remove_range(1 << 40, u64::MAX);
        assert_eq!((haves.last(), haves.next(1 << 40)), (Some((1 << 40) - 1), None));
        assert_eq!((haves.bitmaps.len(), haves.runs.len()), (1, 1));
    }

    #[test]
    fn memory_has_a_cap_and_the_left_is_kept() {
        let mut haves = Haves::new();
        for page in (0..40_000).rev() {
            haves.insert(page * 2 * PAGE);
            haves.insert_range((page * 2 + 1) * PAGE, (page * 2 + 2) * PAGE - page % 2);
        }
        assert_eq!((haves.bitmaps.len(), haves.runs.len()), (MAX_BITMAPS, MAX_RUNS));
        assert!((0..1000).all(|page| haves.get(page * 2 * PAGE)));
        haves.insert(1 << 50);
        assert!(!haves.get(1 << 50));
        haves.insert(7);
        assert!(haves.get(7));
        assert_eq!(haves.bitmaps.len(), MAX_BITMAPS);
    }

    #[test]
    fn a_full_page_costs_no_bitmap() {
        let mut haves = Haves::new();
        (0..2 * PAGE).for_each(|block| haves.insert(block));
        assert_eq!((haves.bitmaps.len(), haves.runs.len()), (0, 1));
        (0..2 * PAGE).for_each(|block| haves.remove(block));
        assert_eq!((haves.bitmaps.len(), haves.runs.len()), (0, 0));
    }

    #[test]
    fn a_bad_bitfield_changes_nothing() {
        let mut haves = Haves::new();
        haves.insert_range(0, 100);
        assert_eq!(haves.insert_bitfield(4, &[]), Err(HavesError::Unaligned));
        assert_eq!(haves.insert_bitfield(0, &[17, 4, 1]), Err(HavesError::Encoding(RleError::LiteralBeyondInput)));
        assert!((0..100).all(|block| haves.get(block)));
        let endless = [0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f];
        assert_eq!(haves.insert_bitfield(64, &endless), Ok(8 * ((1 << 46) - 1)));
        assert_eq!((haves.next(0), haves.next(100)), (Some(0), None));
    }

    #[derive(Clone, Debug)]
    enum Change {
        Range(u64, u64, bool),
        Bits(u64, Vec<(u8, usize)>),
    }

    fn change() -> impl Strategy<Value = Change> {
        let place = || prop_oneof![0..150_000u64, (0..5u64).prop_map(|page| page * PAGE)];
        let bits = prop::collection::vec((any::<u8>(), 0..5000usize), 0..4);
        prop_oneof![
            (place(), place(), any::<bool>()).prop_map(|(start, end, held)| Change::Range(start, end, held)),
            (place(), bits).prop_map(|(start, bits)| Change::Bits(start / 8 * 8, bits)),
        ]
    }

    fn make(change: &Change, haves: &mut Haves, naive: &mut BTreeSet<u64>) {
        match change {
            Change::Range(start, end, true) => {
                haves.insert_range(*start, *end);
                naive.extend(*start..*end);
            }
            Change::Range(start, end, false) => {
                haves.remove_range(*start, *end);
                naive.retain(|block| !(start..end).contains(&block));
            }
            Change::Bits(start, bits) => {
                let bytes: Vec<u8> = bits.iter().flat_map(|&(byte, len)| vec![byte; len]).collect();
                let end = start + haves.insert_bitfield(*start, &rle::encode(&bytes)).unwrap();
                naive.retain(|block| !(*start..end).contains(block));
                let held = |block: &u64| bytes[narrow((block - start) / 8)] & (128 >> (block % 8)) != 0;
                naive.extend((*start..end).filter(held));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn equals_a_set(changes in prop::collection::vec(change(), 0..10), starts in prop::collection::vec(0..200_000u64, 10)) {
            let (mut haves, mut naive) = (Haves::new(), BTreeSet::new());
            for change in &changes {
                make(change, &mut haves, &mut naive);
                prop_assert!(haves.runs.iter().zip(haves.runs.iter().skip(1)).all(|((_, end), (first, _))| end < first));
                prop_assert!(haves.bitmaps.iter().all(|(page, map)| matches!(map.sum(), Sum::Some) && haves.run_of(*page).is_none()));
            }
            prop_assert_eq!(haves.last(), naive.last().copied());
            prop_assert_eq!(haves.is_empty(), naive.is_empty());
            for start in starts {
                prop_assert_eq!(haves.next(start), naive.range(start..).next().copied());
                prop_assert_eq!(haves.get(start), naive.contains(&start));
                prop_assert_eq!(haves.next_absent(start), (start..).find(|block| !naive.contains(block)).unwrap());
            }
        }
    }
}
