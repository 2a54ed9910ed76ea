//! Foresight: what a peer's answers will bring, counted on before they are here.
//!
//! ```text
//! asked for block 0: its proof brings 2, 5, 11 ...      so for block 1 nothing is missing, for block 2 only node 6
//! ```
//! A digest that counted only what is held would make every answer on its way carry the same nodes again: 300 bytes a
//! block on a link with many requests in flight. That works only with peers that answer in order, so a peer has to
//! show that it does; after the first answer out of order nothing is foreseen any more. An answer that does not verify
//! because something foreseen did not come is nobody's fault: the block is asked for again, without foresight.

use std::collections::HashSet;

use super::peer::Peer;
use super::{Ask, Local};
use crate::log::bitfield::Bitfield;
use crate::log::tree::{self, NodeSet};
use crate::math::flat::{BlockIndex, NodeIndex};

/// So many answers in order are asked of a peer before it is relied upon.
const ENOUGH: u32 = 16;

/// What is known of one peer's ways.
#[derive(Default)]
pub(super) struct Foresight {
    promised: HashSet<NodeIndex>,
    plain: HashSet<Ask>,
    in_order: u32,
    is_broken: bool,
}

/// The bits of a request, and what its answer will bring.
#[derive(Default)]
pub(super) struct Foreseen {
    pub digest: u64,
    pub brings: Vec<NodeIndex>,
    /// Nodes were left out that are not here yet.
    pub relies: bool,
}

/// Nodes that are held, or will be.
struct Expected<'a> {
    bitfield: &'a Bitfield,
    promised: &'a HashSet<NodeIndex>,
}

impl NodeSet for Expected<'_> {
    fn has_node(&self, node: NodeIndex) -> bool {
        self.bitfield.has_node(node) || self.promised.contains(&node)
    }

    fn tree_len(&self) -> u64 {
        self.bitfield.tree_len()
    }
}

impl Foresight {
    /// An answer came, in order or not.
    pub fn note(&mut self, in_order: bool) {
        self.in_order = self.in_order.saturating_add(1);
        self.is_broken |= !in_order;
    }

    /// An answer that relied on others did not verify.
    pub fn fail(&mut self, ask: Ask) {
        self.is_broken = true;
        self.plain.insert(ask);
    }

    /// What a request would have brought is here, or will not come.
    pub fn settle(&mut self, brings: &[NodeIndex]) {
        for node in brings {
            self.promised.remove(node);
        }
    }

    /// Nothing is on its way any more.
    pub fn clear(&mut self) {
        self.promised.clear();
    }

    fn is_reliable(&self, ask: Ask) -> bool {
        !self.is_broken && self.in_order >= ENOUGH && !self.plain.contains(&ask)
    }

    fn remember(&mut self, foreseen: &Foreseen) {
        self.promised.extend(&foreseen.brings);
    }
}

impl Peer {
    /// The bits for a request. Only a block inside the known length can be foreseen: there the roots are held.
    pub(super) fn foresee(&mut self, local: Local<'_>, ask: Ask, bytes: u64) -> Foreseen {
        let block = BlockIndex(ask.index);
        let plain = tree::digest(local.bitfield, block);
        if ask.hash || bytes > 0 || ask.index >= local.len || !self.foresight.is_reliable(ask) {
            return Foreseen { digest: plain, ..Foreseen::default() };
        }
        let expected = Expected { bitfield: local.bitfield, promised: &self.foresight.promised };
        let digest = tree::digest(&expected, block);
        let mut brings = Vec::new();
        let mut next = block.leaf();
        while !expected.has_node(next) {
            brings.push(next);
            if !expected.has_node(next.sibling()) {
                brings.push(next.sibling());
            }
            next = next.parent();
        }
        let foreseen = Foreseen { digest, brings, relies: digest != plain };
        self.foresight.remember(&foreseen);
        foreseen
    }
}
