//! Pipes: how bytes get from one host to another, in pieces and late.

use std::collections::VecDeque;

use bytes::Bytes;

use super::Node;
use super::common::dice::Dice;

/// Pieces that a pipe delivers in one round.
const PIECES: usize = 128;

/// A connection of two hosts: a stream at each end, a pipe in each direction.
pub struct Link {
    /// Node and stream of either side.
    pub ends: [(usize, u64); 2],
    /// Nothing comes through any more.
    pub is_stalled: bool,
    pipes: [VecDeque<(u64, Bytes)>; 2],
    max_chunk: usize,
    max_delay: u64,
}

impl Link {
    /// A new connection; chunks in bytes, delay in milliseconds.
    pub fn new(ends: [(usize, u64); 2], max_chunk: usize, max_delay: u64) -> Self {
        Self { ends, is_stalled: false, pipes: Default::default(), max_chunk, max_delay }
    }

    /// Takes what the hosts have to send, and delivers what is due. Gives a sum of the delivered
    /// bytes.
    pub fn carry(&mut self, now: u64, dice: &mut Dice, nodes: &mut [Node]) -> u64 {
        if self.is_stalled {
            return 0;
        }
        let mut sum = 0;
        for (way, pipe) in self.pipes.iter_mut().enumerate() {
            let (from, to) = (self.ends[way], self.ends[1 - way]);
            if !dice.once_in(8) {
                while let Some(chunk) = nodes[from.0].host.read(from.1) {
                    let earliest = pipe.back().map_or(0, |(due, _)| *due);
                    pipe.push_back((earliest.max(now + dice.below(self.max_delay + 1)), chunk));
                }
            }
            for _ in 0..PIECES {
                let Some((due, chunk)) = pipe.front_mut() else { break };
                if *due > now || nodes[to.0].host.held.contains(&to.1) {
                    break;
                }
                let piece = chunk.split_to(dice.size(self.max_chunk).min(chunk.len()));
                if chunk.is_empty() {
                    pipe.pop_front();
                }
                sum = piece.iter().fold(sum, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
                nodes[to.0].host.write(to.1, &piece);
            }
        }
        sum
    }
}
