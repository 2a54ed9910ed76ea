//! Bitfield: which blocks and which nodes we hold.
//!
//! ```text
//! page   | data 1024 B        | tree 2048 B         | index, the rest        |     3584 or 3328 B a page
//!          8192 blocks          16384 nodes           4 blocks a bit, and up
//! ```
//! Bit i of a region lies in page i / bits a page, most significant bit first. The index is kept by
//! `stage`, because stock reads it to skip ahead. Any content can be loaded: a file can be wrong,
//! but it cannot do harm here. Stock's pager puts page 32,768 over page 0; ours does not, so that
//! logs over 268 million blocks differ there.
//!
//! Invariant: no page in `far` lies before the end of `near`; a page costs memory only if it has a
//! bit, and is not all ones.
//! Source: hypercore@9.12.0 lib/bitfield.js, sparse-bitfield@3.0.3, memory-pager@1.5.0.

use std::collections::BTreeMap;

use crate::math::flat::NodeIndex;
use crate::math::rle;

/// Blocks that a page tells of.
pub const PAGE_BLOCKS: u64 = 8192;
/// Bytes of data bits at the front of a page.
pub const DATA_BYTES: usize = 1024;

/// Pages that `near` may grow by at once; a page farther out goes to `far`.
const NEAR_GAP: usize = 64;

/// The blocks and nodes that a log holds.
#[derive(Clone)]
pub struct Bitfield {
    page_size: usize,
    /// None if a page has no room for one.
    index: Option<Region>,
    near: Vec<Slot>,
    far: BTreeMap<u64, Slot>,
    /// What every full page reads as.
    ones: Box<[u8]>,
    lens: Lens,
}

#[derive(Clone)]
enum Slot {
    Zeros,
    Ones,
    Bytes(Box<[u8]>),
}

/// How far stock would say that each region reaches: pages in all, then bytes a region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lens {
    pub pages: u64,
    pub tree: u64,
    pub index: u64,
}

impl Lens {
    pub fn max(self, other: Self) -> Self {
        Self { pages: self.pages.max(other.pages), tree: self.tree.max(other.tree), index: self.index.max(other.index) }
    }
}

/// Where a region lies in a page: its first byte, and its size as a power of two.
#[derive(Clone, Copy)]
pub(super) struct Region {
    offset: usize,
    shift: u32,
}

pub(super) const DATA: Region = Region { offset: 0, shift: 10 };
pub(super) const TREE: Region = Region { offset: 1024, shift: 11 };
const INDEX_OFFSET: usize = 3072;

impl Region {
    /// Page of a byte of this region, and its place in that page.
    pub fn locate(self, byte: u64) -> (u64, usize) {
        let in_page = byte & ((1 << self.shift) - 1);
        (byte >> self.shift, self.offset + narrow(in_page))
    }

    /// Bytes of this region in `pages` pages.
    pub fn bytes(self, pages: u64) -> u64 {
        pages.saturating_mul(1 << self.shift)
    }
}

impl Bitfield {
    /// An empty bitfield with pages of `page_size` bytes: 3584, in old files 3328.
    pub fn new(page_size: usize) -> Self {
        let ones = vec![255; page_size].into_boxed_slice();
        let room = page_size.checked_sub(INDEX_OFFSET).and_then(usize::checked_ilog2);
        let index = room.map(|shift| Region { offset: INDEX_OFFSET, shift });
        Self { page_size, index, near: Vec::new(), far: BTreeMap::new(), ones, lens: Lens::default() }
    }

    /// A bitfield from the content of its file, without the header. A last page that is cut off
    /// counts as zeros there.
    pub fn load(page_size: usize, content: &[u8]) -> Self {
        let mut bitfield = Self::new(page_size);
        for (index, page) in (0..).zip(content.chunks(page_size.max(1))) {
            let mut bytes = page.to_vec();
            bytes.resize(page_size, 0);
            bitfield.put(index, bytes.into_boxed_slice());
            bitfield.lens.pages = index + 1;
        }
        let pages = bitfield.lens.pages;
        let index = bitfield.index.map_or(0, |index| index.bytes(pages));
        bitfield.lens = Lens { pages, tree: TREE.bytes(pages), index };
        bitfield
    }

    /// Bytes of a page.
    pub fn page_size(&self) -> usize {
        self.page_size
    }

    /// True if we hold this block.
    pub fn get(&self, block: u64) -> bool {
        self.bit(DATA, block)
    }

    /// True if we hold this node.
    pub fn has_node(&self, node: NodeIndex) -> bool {
        self.bit(TREE, node.0)
    }

    /// The nodes that stock believes its tree to have: up to the last byte that ever changed, or
    /// whole pages when loaded. A digest depends on it.
    pub fn tree_len(&self) -> u64 {
        self.lens.tree.saturating_mul(8)
    }

    /// How many of the blocks `start..end` we hold.
    pub fn count(&self, start: u64, end: u64) -> u64 {
        self.data_pages(start, end).map(|page| count_ones(page.words, page.from, page.to)).sum()
    }

    /// The first block of `start..end` that we hold.
    pub fn next_set(&self, start: u64, end: u64) -> Option<u64> {
        self.data_pages(start, end).find_map(|page| {
            let bit = find_bit(page.words, page.from, 0).filter(|&bit| bit < page.to)?;
            Some(page.first + widen(bit))
        })
    }

    /// The last block of `start..end` that we hold.
    pub fn prev_set(&self, start: u64, end: u64) -> Option<u64> {
        self.data_pages(start, end).rev().find_map(|page| {
            let bit = find_bit_before(page.words, page.to).filter(|&bit| bit >= page.from)?;
            Some(page.first + widen(bit))
        })
    }

    /// How many of the pages that meet `start..end` cost something to go through, counted up to
    /// `most`.
    pub fn pages_between(&self, start: u64, end: u64, most: usize) -> usize {
        self.pages(start / PAGE_BLOCKS, end.div_ceil(PAGE_BLOCKS)).take(most).count()
    }

    /// The first block of `start..end` that we lack.
    pub fn next_unset(&self, start: u64, end: u64) -> Option<u64> {
        let mut next = start;
        for page in self.data_pages(start, end) {
            if page.first + widen(page.from) > next {
                break;
            }
            next = page.first + find_bit(page.words, page.from, u64::MAX).map_or(PAGE_BLOCKS, widen);
            if next < page.first + PAGE_BLOCKS {
                break;
            }
        }
        Some(next).filter(|&next| next < end)
    }

    /// The run-length encoded bits of `start..start + len`, both multiples of 8192, as the answer
    /// to a want. As in stock, `0, 0` asks for everything (Q9).
    pub fn compress(&self, start: u64, len: u64) -> Vec<u8> {
        let end = if start == 0 && len == 0 { u64::MAX } else { start.saturating_add(len) };
        let mut encoder = rle::Encoder::default();
        let mut next = start / PAGE_BLOCKS;
        for (index, page) in self.pages(next, end / PAGE_BLOCKS) {
            encoder.fill(false, DATA.bytes(index - next));
            encoder.literal(page.get(..DATA_BYTES).unwrap_or_default());
            next = index + 1;
        }
        encoder.finish()
    }

    /// The pages that meet `start..end` and have a bit, cut to their data bits.
    fn data_pages(&self, start: u64, end: u64) -> impl DoubleEndedIterator<Item = DataPage<'_>> {
        let last = end.div_ceil(PAGE_BLOCKS);
        self.pages(start / PAGE_BLOCKS, last).filter_map(move |(index, page)| {
            let first = index * PAGE_BLOCKS;
            let from = narrow(start.saturating_sub(first));
            let to = narrow((end - first).min(PAGE_BLOCKS));
            let (words, _) = page.get(..DATA_BYTES)?.as_chunks();
            (from < to).then_some(DataPage { first, words, from, to })
        })
    }

    pub(super) fn lens(&self) -> Lens {
        self.lens
    }

    /// The regions reach at least this far.
    pub(super) fn extend(&mut self, lens: Lens) {
        self.lens = self.lens.max(lens);
    }

    pub(super) fn index_region(&self) -> Option<Region> {
        self.index
    }

    pub(super) fn page(&self, index: u64) -> Option<&[u8]> {
        let slot = self.near.get(narrow(index)).or_else(|| self.far.get(&index))?;
        self.bytes_of(slot)
    }

    /// The first page at or after `first` that has a bit.
    pub(super) fn next_page(&self, first: u64) -> Option<u64> {
        self.pages(first, u64::MAX).next().map(|(index, _)| index)
    }

    fn bytes_of<'a>(&'a self, slot: &'a Slot) -> Option<&'a [u8]> {
        match slot {
            Slot::Zeros => None,
            Slot::Ones => Some(&self.ones),
            Slot::Bytes(bytes) => Some(bytes),
        }
    }

    /// The pages of `first..end` that have a bit.
    fn pages(&self, first: u64, end: u64) -> impl DoubleEndedIterator<Item = (u64, &[u8])> {
        let end = end.max(first);
        let near_end = narrow(end).min(self.near.len());
        let near = self.near.get(narrow(first)..near_end).unwrap_or_default();
        let near = near.iter().enumerate().map(move |(at, slot)| (first + widen(at), slot));
        let far = self.far.range(first..end).map(|(&index, slot)| (index, slot));
        near.chain(far).filter_map(|(index, slot)| Some((index, self.bytes_of(slot)?)))
    }

    fn bit(&self, region: Region, bit: u64) -> bool {
        let (page, at) = region.locate(bit / 8);
        let byte = self.page(page).and_then(|page| page.get(at));
        byte.is_some_and(|byte| byte & (128 >> (bit % 8)) != 0)
    }

    /// Takes over a page.
    pub(super) fn put(&mut self, index: u64, bytes: Box<[u8]>) {
        let slot = match bytes.first() {
            Some(0) if bytes.iter().all(|&byte| byte == 0) => Slot::Zeros,
            Some(255) if bytes == self.ones => Slot::Ones,
            _ => Slot::Bytes(bytes),
        };
        let near_index = narrow(index);
        if near_index <= self.near.len().saturating_add(NEAR_GAP) {
            self.grow_near(near_index.saturating_add(1));
        }
        match self.near.get_mut(near_index) {
            Some(place) => *place = slot,
            None => drop(self.far.insert(index, slot)),
        }
    }

    /// Makes `near` at least `len` pages long; pages that it now reaches move in from `far`.
    fn grow_near(&mut self, len: usize) {
        if len <= self.near.len() {
            return;
        }
        self.near.resize(len, Slot::Zeros);
        while let Some(entry) = self.far.first_entry() {
            let Some(place) = self.near.get_mut(narrow(*entry.key())) else { return };
            *place = entry.remove();
        }
    }
}

/// The data bits of a page: words in file order, of which bits `from..to` are asked for.
struct DataPage<'a> {
    /// Block of the first bit.
    first: u64,
    words: &'a [[u8; 8]],
    from: usize,
    to: usize,
}

/// First bit at or after `from` that is one, after all bits were flipped with `flip`.
pub(super) fn find_bit(words: &[[u8; 8]], from: usize, flip: u64) -> Option<usize> {
    words.iter().enumerate().skip(from / 64).find_map(|(at, word)| {
        let mask = if at == from / 64 { u64::MAX >> (from % 64) } else { u64::MAX };
        match (u64::from_be_bytes(*word) ^ flip) & mask {
            0 => None,
            hits => Some(at * 64 + narrow(u64::from(hits.leading_zeros()))),
        }
    })
}

/// Last bit before `to` that is one.
fn find_bit_before(words: &[[u8; 8]], to: usize) -> Option<usize> {
    words.iter().enumerate().take(to.div_ceil(64)).rev().find_map(|(at, word)| {
        match u64::from_be_bytes(*word) & range_mask(at, 0, to) {
            0 => None,
            hits => Some(at * 64 + 63 - narrow(u64::from(hits.trailing_zeros()))),
        }
    })
}

fn count_ones(words: &[[u8; 8]], from: usize, to: usize) -> u64 {
    let words = words.iter().enumerate().take(to.div_ceil(64)).skip(from / 64);
    words.map(|(at, word)| u64::from((u64::from_be_bytes(*word) & range_mask(at, from, to)).count_ones())).sum()
}

/// The bits of word `at` that lie in `from..to`.
pub(super) fn range_mask(at: usize, from: usize, to: usize) -> u64 {
    let ones_from = |bit: usize| match bit.saturating_sub(at * 64) {
        shift @ 0..64 => u64::MAX >> shift,
        _ => 0,
    };
    ones_from(from) & !ones_from(to)
}

/// A position in memory. A value that does not fit points beyond everything.
pub(super) fn narrow(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

pub(super) fn widen(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::stage::Stage;
    use proptest::prelude::*;

    fn of(bits: &[bool]) -> Bitfield {
        let (mut base, mut stage) = (Bitfield::new(3584), Stage::new());
        for (block, &held) in (0..).zip(bits) {
            stage.set(&base, block, held);
        }
        base.apply(stage);
        base
    }

    #[test]
    fn far_blocks_cost_a_few_pages() {
        for block in [MAX_BLOCK, 1 << 40, PAGE_BLOCKS * 32_768] {
            let (mut base, mut stage) = (Bitfield::new(3584), Stage::new());
            assert!(stage.set(&base, block, true));
            assert!(!stage.set(&base, block, true));
            base.apply(stage);
            assert!(base.get(block) && !base.get(block - 1) && !base.get(0));
            assert!(base.near.len() + base.far.len() < 64);
            assert_eq!(base.next_set(0, u64::MAX), Some(block));
            assert_eq!(base.prev_set(0, u64::MAX), Some(block));
            assert_eq!(base.prev_set(0, block), None);
            assert_eq!(base.next_unset(block, u64::MAX), Some(block + 1));
            assert_eq!(base.count(0, u64::MAX), 1);
            assert!(base.compress(0, 0).len() < 32);
        }
    }

    const MAX_BLOCK: u64 = 1 << 53;

    #[test]
    fn near_takes_in_what_was_far() {
        let mut base = Bitfield::new(3584);
        for page in [100, 30, 90, 95, 160] {
            let mut stage = Stage::new();
            stage.set(&base, page * PAGE_BLOCKS, true);
            base.apply(stage);
            assert!(base.far.keys().all(|&far| narrow(far) >= base.near.len()));
        }
        assert_eq!(base.count(0, u64::MAX), 5);
        assert!(base.far.is_empty());
    }

    #[test]
    fn any_content_and_page_size_can_be_loaded() {
        for (page_size, len) in [(3072, 5000), (3500, 3501), (3584, 1), (65535, 70000)] {
            let mut base = Bitfield::load(page_size, &vec![0xa5; len]);
            let mut stage = Stage::new();
            stage.set_range(&base, 0, 100_000, true);
            base.apply(stage);
            assert_eq!(base.count(0, 100_000), 100_000);
        }
    }

    proptest! {
        #[test]
        fn finds_what_a_vec_finds(runs in prop::collection::vec((any::<bool>(), 1..9000usize), 0..8), start in 0..40_000u64, len in 0..40_000u64) {
            let bits: Vec<bool> = runs.iter().flat_map(|&(held, len)| vec![held; len]).collect();
            let base = of(&bits);
            let end = start + len;
            let held = |block: &u64| bits.get(usize::try_from(*block).unwrap()).copied().unwrap_or(false);
            prop_assert_eq!(base.next_set(start, end), (start..end).find(held));
            prop_assert_eq!(base.prev_set(start, end), (start..end).rev().find(held));
            prop_assert_eq!(base.next_unset(start, end), (start..end).find(|block| !held(block)));
            prop_assert_eq!(base.count(start, end), (start..end).map(|block| u64::from(held(&block))).sum::<u64>());
            prop_assert_eq!(base.get(start), held(&start));
            let window = |block| (block..block + 8192).map(|block| held(&block)).collect::<Vec<_>>();
            let bytes: Vec<u8> = window(8192).chunks(8).map(|bits| bits.iter().fold(0, |byte, &bit| byte << 1 | u8::from(bit))).collect();
            prop_assert_eq!(base.compress(8192, 8192), rle::encode(&bytes));
        }
    }
}
