//! Stage: changes to a bitfield that are not yet on disk.
//!
//! ```text
//! index byte 2i   | a a | b b | c c | d d |     data bytes 4i .. 4i + 3: 11 all ones, 00 all zeros, 01 mixed
//! index byte 2i+1   its parent in the flat tree of bytes; each half sums up one child
//! ```
//! A caller stages, writes the pages, and applies the stage once the write succeeded. A page is
//! cloned when its first byte changes; all others are read from the base that goes with every call,
//! which must be the same each time. Clears beyond the end make stock count pages (Q8); we follow
//! it up to 32,768 of them, where its pager ends.
//!
//! Invariant: after the same sets and clears, pages and index equal stock's, byte for byte.
//! Source: hypercore@9.12.0 lib/bitfield.js `set`, `_setIndex`, `_expand`; sparse-bitfield@3.0.3
//! `setByte`.

use super::bitfield::{Bitfield, DATA, Lens, Region, TREE, narrow, widen};
use crate::math::flat::{NodeIndex, full_roots};

/// Most pages that a clear may make the bitfield count.
const MAX_CLEARED_PAGES: u64 = 32_768;

/// Page number and page.
type Pages = Vec<(u64, Box<[u8]>)>;

/// Changes to a bitfield, page by page.
#[derive(Default)]
pub struct Stage {
    /// In ascending order.
    pages: Pages,
    /// Place in `pages` of the page that changed last.
    recent: usize,
    /// Only as far as changes here reached; the base may reach farther.
    lens: Lens,
}

impl Stage {
    /// Nothing changed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// True if nothing would be written.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// The pages that changed: offset in the file's content (without its header), in bytes, and the
    /// page; ascending.
    pub fn pages(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.pages.iter().map(|(index, page)| (index * u64::try_from(page.len()).unwrap_or(0), &**page))
    }

    /// True if we hold this block, once the stage is applied.
    pub fn get(&self, base: &Bitfield, block: u64) -> bool {
        self.byte(base, DATA, block / 8) & (128 >> (block % 8)) != 0
    }

    /// True if we hold this node, once the stage is applied.
    pub fn has_node(&self, base: &Bitfield, node: NodeIndex) -> bool {
        self.byte(base, TREE, node.0 / 8) & (128 >> (node.0 % 8)) != 0
    }

    /// What `Bitfield::tree_len` will be, once the stage is applied.
    pub fn tree_len(&self, base: &Bitfield) -> u64 {
        self.lens.max(base.lens()).tree.saturating_mul(8)
    }

    /// Says whether we hold a block; true if that is news.
    pub fn set(&mut self, base: &Bitfield, block: u64, held: bool) -> bool {
        self.set_bits(base, block / 8, 128 >> (block % 8), held)
    }

    /// Says whether we hold the blocks `start..end`; true if any of that is news.
    pub fn set_range(&mut self, base: &Bitfield, start: u64, end: u64, held: bool) -> bool {
        if start >= end {
            return false;
        }
        let mut changed = false;
        let last = (end - 1) / 8;
        let mut at = start / 8;
        let settled = if held { 255 } else { 0 };
        loop {
            at = self.skip(base, DATA, at, settled);
            if at > last {
                break;
            }
            changed |= self.set_bits(base, at, byte_mask(at, start, end), held);
            at += 1;
        }
        self.count_cleared_page(last / 1024);
        changed
    }

    /// Says whether we hold a node; true if that is news.
    pub fn set_node(&mut self, base: &Bitfield, node: NodeIndex, held: bool) -> bool {
        let (at, bit) = (node.0 / 8, 128 >> (node.0 % 8));
        let old = self.byte(base, TREE, at);
        let changed = self.set_byte(base, TREE, at, if held { old | bit } else { old & !bit });
        if changed {
            self.lens.tree = self.lens.tree.max(at + 1);
        }
        changed
    }

    /// Forgets the nodes `start..end`.
    pub(super) fn clear_nodes(&mut self, base: &Bitfield, start: u64, end: u64) {
        let mut at = start / 8;
        loop {
            at = self.skip(base, TREE, at, 0);
            if at >= end.div_ceil(8) {
                return;
            }
            let old = self.byte(base, TREE, at);
            if self.set_byte(base, TREE, at, old & !byte_mask(at, start, end)) {
                self.lens.tree = self.lens.tree.max(at + 1);
            }
            at += 1;
        }
    }

    /// Sets or clears the bits of `mask` in data byte `at`, with the index that stock has after
    /// doing so bit by bit.
    fn set_bits(&mut self, base: &Bitfield, at: u64, mask: u8, held: bool) -> bool {
        let old = self.byte(base, DATA, at);
        let new = if held { old | mask } else { old & !mask };
        if !self.set_byte(base, DATA, at, new) {
            return false;
        }
        let Some(region) = base.index_region() else { return true };
        // Stock passes through a mixed byte on its way, which its index can remember (Q6).
        if (old ^ new).count_ones() > 1 {
            self.set_index(base, region, at, MIXED);
        }
        self.set_index(base, region, at, summary(new));
        true
    }

    /// Writes the summary of data byte `at` into its leaf of the index, then into the parents,
    /// until one is right.
    fn set_index(&mut self, base: &Bitfield, region: Region, at: u64, summary: u8) {
        let before = self.lens.max(base.lens());
        let bytes = region.bytes(before.pages);
        let place = 2 * (at % 4);
        let mut node = NodeIndex(at / 4 * 2);
        let mut byte = self.byte(base, region, node.0) & !(MASK >> place) | summary >> place;
        while node.0 < bytes && self.set_byte(base, region, node.0, byte) {
            self.lens.index = self.lens.index.max(node.0 + 1);
            (node, byte) = self.index_parent(base, region, node, byte);
        }
        if self.lens.index > before.index {
            self.expand(base, region, before.index);
        }
    }

    /// Carries roots upwards after the index grew (Q6). Stock takes its length in bits for one in
    /// leaves, so that this seldom finds anything; we find the same.
    fn expand(&mut self, base: &Bitfield, region: Region, old_bytes: u64) {
        let len = old_bytes.saturating_mul(8);
        for root in full_roots(len) {
            let byte = self.byte(base, region, root.0);
            let (mut node, mut byte) = self.index_parent(base, region, root, byte);
            // Roots ascend, and so do their parents.
            if node.0 >= self.lens.index {
                return;
            }
            while node.0 < self.lens.index && self.set_byte(base, region, node.0, byte) {
                (node, byte) = self.index_parent(base, region, node, byte);
            }
        }
    }

    fn index_parent(&self, base: &Bitfield, region: Region, node: NodeIndex, byte: u8) -> (NodeIndex, u8) {
        let sibling = self.byte(base, region, node.sibling().0);
        let (left, right) = if node.offset().is_multiple_of(2) { (byte, sibling) } else { (sibling, byte) };
        (node.parent(), half(left) << 4 | half(right))
    }

    fn byte(&self, base: &Bitfield, region: Region, at: u64) -> u8 {
        let (page, at) = region.locate(at);
        self.page(base, page).and_then(|page| page.get(at)).copied().unwrap_or(0)
    }

    /// Writes one byte; false, and no page is touched, if it was there already.
    fn set_byte(&mut self, base: &Bitfield, region: Region, at: u64, value: u8) -> bool {
        let (index, place) = region.locate(at);
        if self.page(base, index).and_then(|page| page.get(place)).copied().unwrap_or(0) == value {
            self.count_cleared_page(index);
            return false;
        }
        self.lens.pages = self.lens.pages.max(index + 1);
        if let Some(byte) = self.page_mut(base, index).and_then(|page| page.get_mut(place)) {
            *byte = value;
        }
        true
    }

    fn count_cleared_page(&mut self, page: u64) {
        self.lens.pages = self.lens.pages.max((page + 1).min(MAX_CLEARED_PAGES));
    }

    /// The first byte of a region at or after `at` that is not `value`. Costs as much as the pages
    /// on the way that have a bit; those that have none are not looked at.
    fn skip(&self, base: &Bitfield, region: Region, at: u64, value: u8) -> u64 {
        let mut at = at;
        loop {
            let (index, place) = region.locate(at);
            let Some(page) = self.page(base, index) else {
                if value != 0 || at == u64::MAX {
                    return at;
                }
                at = region.bytes(self.skip_absent(base, index));
                continue;
            };
            let end = region.bytes(index + 1);
            let rest = page.get(place..place + narrow(end - at)).unwrap_or_default();
            match other_byte(rest, value) {
                Some(offset) => return at + widen(offset),
                None => at = end,
            }
        }
    }

    /// The next page after `page` that has a bit, here or in the base.
    fn skip_absent(&self, base: &Bitfield, page: u64) -> u64 {
        let staged = self.pages.partition_point(|(index, _)| *index <= page);
        let staged = self.pages.get(staged).map_or(u64::MAX, |(index, _)| *index);
        base.next_page(page + 1).map_or(staged, |held| held.min(staged))
    }

    fn page<'a>(&'a self, base: &'a Bitfield, index: u64) -> Option<&'a [u8]> {
        match self.pages.get(self.recent) {
            Some((recent, page)) if *recent == index => Some(page),
            _ => match self.pages.binary_search_by_key(&index, |(index, _)| *index) {
                Ok(at) => self.pages.get(at).map(|(_, page)| &**page),
                Err(_) => base.page(index),
            },
        }
    }

    fn page_mut(&mut self, base: &Bitfield, index: u64) -> Option<&mut [u8]> {
        if self.pages.get(self.recent).is_none_or(|(recent, _)| *recent != index) {
            self.recent = self.pages.binary_search_by_key(&index, |(index, _)| *index).unwrap_or_else(|at| {
                let page = base.page(index).map_or_else(|| vec![0; base.page_size()].into(), Box::from);
                self.pages.insert(at, (index, page));
                at
            });
        }
        self.pages.get_mut(self.recent).map(|(_, page)| &mut **page)
    }
}

impl Bitfield {
    /// Takes over what was staged. `stage` must have been made over this bitfield, unchanged since.
    pub fn apply(&mut self, stage: Stage) {
        let Stage { pages, lens, .. } = stage;
        for (index, page) in pages {
            self.put(index, page);
        }
        self.extend(lens);
    }
}

/// Where the first byte lies that is not `value`.
fn other_byte(bytes: &[u8], value: u8) -> Option<usize> {
    let same =
        bytes.chunks(64).take_while(|chunk| chunk.iter().fold(0, |any, byte| any | (byte ^ value)) == 0).count() * 64;
    let offset = bytes.get(same..)?.iter().position(|&byte| byte != value)?;
    Some(same + offset)
}

/// Summaries as the leftmost pair of an index byte.
const MIXED: u8 = 0b0100_0000;
const MASK: u8 = 0b1100_0000;

fn summary(data: u8) -> u8 {
    match data {
        0 => 0,
        255 => MASK,
        _ => MIXED,
    }
}

/// Four pairs summed up in two.
fn half(byte: u8) -> u8 {
    let pair = |pairs: u8| match pairs {
        0 => 0,
        15 => 3,
        _ => 1,
    };
    pair(byte >> 4) << 2 | pair(byte & 15)
}

/// The bits of data or tree byte `at` that lie in `start..end`.
fn byte_mask(at: u64, start: u64, end: u64) -> u8 {
    let ones_from = |bit: u64| match bit.saturating_sub(at * 8) {
        shift @ 0..8 => 255u8 >> shift,
        _ => 0,
    };
    ones_from(start) & !ones_from(end)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::log::lcg;
    use crate::math::crypto::{Hash, hash};
    use hex_literal::hex;
    use proptest::prelude::*;

    type File = BTreeMap<u64, Vec<u8>>;

    fn flush(base: &mut Bitfield, stage: &mut Stage, file: &mut File) {
        let stage = std::mem::take(stage);
        file.extend(stage.pages().map(|(offset, page)| (offset, page.to_vec())));
        base.apply(stage);
    }

    fn content(file: &File, page_size: usize) -> Vec<u8> {
        let mut content = Vec::new();
        for (&offset, page) in file {
            content.resize(usize::try_from(offset).unwrap(), 0);
            content.extend(page);
        }
        assert_eq!(content.len() % page_size, 0);
        content
    }

    fn step(kind: u32, at: u64, seed: &mut u32, base: &Bitfield, stage: &mut Stage) {
        let mut next = |bound: u64| u64::from(lcg(seed)) % bound;
        match kind {
            0 => {
                stage.set(base, at, true);
            }
            1 => {
                stage.set(base, next(40_000), next(3) > 0);
                stage.set_node(base, NodeIndex(next(80_000)), next(3) > 0);
            }
            _ => {
                let (span, longest) =
                    [(300_000, 9000), (3_000_000, 70), (250_000_000, 70)][usize::try_from(kind).unwrap() - 2];
                let (start, len, held) = (next(span), next(longest), next(3) > 0);
                stage.set_range(base, start, start + len, held);
                stage.set_node(base, NodeIndex(next(2 * span)), true);
            }
        }
    }

    /// Plays a history: 0 appends, 1 single sets and clears, 2 long, 3 scattered and 4 far ranges.
    /// 2 and 3 are closed and opened once on the way. Hashes the pages written with the tree's
    /// length, and the answers to some wants.
    fn history(kind: u32, page_size: usize, mut seed: u32) -> (Hash, Hash) {
        let (mut base, mut stage, mut file) = (Bitfield::new(page_size), Stage::new(), File::new());
        let steps = if kind == 0 { 20_000 } else { 400 };
        for at in 0..steps {
            step(kind, at, &mut seed, &base, &mut stage);
            if at % 50 == 49 {
                flush(&mut base, &mut stage, &mut file);
            }
            if (kind == 2 || kind == 3) && at == steps / 2 - 1 {
                base = Bitfield::load(page_size, &content(&file, page_size));
            }
        }
        let mut bytes = Vec::new();
        for (offset, page) in file {
            bytes.extend(offset.to_le_bytes());
            bytes.extend(page);
        }
        bytes.extend(base.tree_len().to_le_bytes());
        let wants = [(0, 0), (8192, 8192), (0, 1 << 20), (8192 * 5, 8192 * 40)];
        (hash(&bytes), hash(&wants.map(|(start, len)| base.compress(start, len)).concat()))
    }

    /// Made with hypercore@9.12.0 lib/bitfield.js.
    #[test]
    fn writes_the_pages_of_stock() {
        let vectors = [
            (
                0,
                3584,
                1,
                hex!("8ade58cdd0af102455155649f3564ca029d7fb878f8cc621d3f64a7017bad813"),
                hex!("7cb45c07bc9fb1fcd829d584d0dba6cd44ea3fe6b1efca822cac18eccb633e04"),
            ),
            (
                0,
                3328,
                1,
                hex!("2577fe0c39629bf40070802deafd85bd46f5c898878352774ee9fdc6c53d3529"),
                hex!("7cb45c07bc9fb1fcd829d584d0dba6cd44ea3fe6b1efca822cac18eccb633e04"),
            ),
            (
                1,
                3584,
                2,
                hex!("929708760a4957f8ef77763da306866e8a9033f0916fe8c02f5fcaf07aa278cf"),
                hex!("9d88741be2d33888e8eee88b9fcbbd3f7409037dd454dec3046d625cdbf3c3ef"),
            ),
            (
                1,
                3328,
                3,
                hex!("7e65b3892f7c8f00ec0c77f095566e9a9fb95bacea9375c140b854e95e6344f1"),
                hex!("bc0fbe32e4285d7c1a583823cd88d4bf2909e0cdec77bfc120d8244204e44c88"),
            ),
            (
                2,
                3584,
                4,
                hex!("c57c9d54fba518ea7f01020221a9b4d45deee272ffba6779b50fd34e06cc23ec"),
                hex!("70f86c8f4d16d8639f3219ee46975ad586d7e93c677f8b54c34c4211c2faacbd"),
            ),
            (
                2,
                3328,
                5,
                hex!("87dee7129abdee6fd9586ea528280302c5fb68607da46bc6d8e9799d3023106d"),
                hex!("3f3f49ced619badc5ba18b904149eb5b3a9dc1beaeb85c369b9de52131950205"),
            ),
            (
                3,
                3584,
                6,
                hex!("b1d928d0cf572fbfeeb885c222a8bb73deffb44fabbfd54f2d4f96e5160a61e9"),
                hex!("c74f926010e8f6b0cdbbf5559ae2493a33675bdf67d38593f7b67a7a4d38e0d3"),
            ),
            (
                3,
                3328,
                7,
                hex!("e5fda9ca077c246d773bbb522b0b23654f8e1eac715f27b0413fda772d4a1874"),
                hex!("f7841bae4b42953c9b1b588842e3c1f7f50ebdc7d775d89a14fdddd18ae2105e"),
            ),
            (
                4,
                3584,
                8,
                hex!("f547f9267d8a11f2a682005043fcddbbbe55c3bd77655340e9c59aa414f0ab84"),
                hex!("95a06c6cb331d7c51c66eb64d546a46bc7286d73bcdee4111c0439e334d5d0c8"),
            ),
            (
                4,
                3328,
                9,
                hex!("1d6250453e2f549950cf984a25ad2be0e246e315956cb938d403f3b72f5a9f8f"),
                hex!("f2ab848594740b2ccb996d3a65508fa45ac152f6622dcefc368ba829809759ed"),
            ),
        ];
        for (kind, page_size, seed, pages, wants) in vectors {
            assert_eq!(history(kind, page_size, seed), (pages, wants), "{kind} {page_size}");
        }
    }

    #[test]
    fn what_is_no_news_touches_no_page() {
        let (mut base, mut stage) = (Bitfield::new(3584), Stage::new());
        assert!(stage.set_range(&base, 10, 20_000, true));
        assert!(stage.set_node(&base, NodeIndex(5), true));
        base.apply(stage);
        let mut stage = Stage::new();
        assert!(!stage.set(&base, 10, true) && !stage.set_range(&base, 11, 19_000, true));
        assert!(!stage.set(&base, 9, false) && !stage.set_range(&base, 20_000, 1 << 53, false));
        assert!(!stage.set_node(&base, NodeIndex(5), true) && !stage.set_node(&base, NodeIndex(6), false));
        assert!(stage.is_empty());
    }

    #[test]
    fn a_stage_dropped_leaves_the_base_alone() {
        let base = Bitfield::new(3584);
        let mut stage = Stage::new();
        stage.set(&base, 3, true);
        stage.set_node(&base, NodeIndex(6), true);
        assert!(stage.get(&base, 3) && stage.has_node(&base, NodeIndex(6)));
        assert!(!base.get(3) && !base.has_node(NodeIndex(6)));
        assert_eq!((stage.tree_len(&base), base.tree_len()), (8, 0));
    }

    proptest! {
        #[test]
        fn ranges_equal_their_blocks(ranges in prop::collection::vec((0..60_000u64, 0..20_000u64, any::<bool>()), 1..6), wide in any::<bool>()) {
            let page_size = if wide { 3584 } else { 3328 };
            let (base, mut fast, mut naive) = (Bitfield::new(page_size), Stage::new(), Stage::new());
            for (start, len, held) in ranges {
                let news = (start..start + len).fold(false, |news, block| naive.set(&base, block, held) | news);
                prop_assert_eq!(fast.set_range(&base, start, start + len, held), news);
            }
            prop_assert!(fast.pages().eq(naive.pages()));
            prop_assert_eq!(fast.lens, naive.lens);
        }
    }
}
