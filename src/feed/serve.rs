//! Serve: the answer to a remote's request.
//!
//! ```text
//! plan_proof  which nodes, whose signature: pure
//! serve       reads these, and the blocks, of one and the same log
//! ```
//! Between the two the log may have become another. What a plan names and is no more makes no
//! answer, rather than a wrong one. What is damaged here is an error, and for `repair`; the remote
//! is refused.
//!
//! Invariant: no answer mixes nodes, blocks and signatures of two logs: the remote would drop us
//! for it.
//! Source: hypercore@9.12.0 lib/replicate.js `_onrequest`, index.js `proof`.

use bytes::Bytes;

use super::error::FeedError;
use super::opened::Feed;
use super::records::read_signature;
use super::state::Version;
use crate::log::tree::{self, ProofPlan, RemoteTree};
use crate::math::crypto::{self, Node, SignatureBytes};
use crate::math::flat::BlockIndex;
use crate::store::Io;

/// The parts of a `data` message.
#[derive(Clone, Debug)]
pub struct Served {
    /// The block's bytes; None if only its hash was asked for.
    pub value: Option<Bytes>,
    /// The nodes that the remote lacks.
    pub nodes: Vec<Node>,
    /// The writer's signature, if the nodes reach the roots.
    pub signature: Option<SignatureBytes>,
}

/// One request, with the plan of its proof.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The block.
    pub block: BlockIndex,
    /// Only its hash.
    pub hash: bool,
    /// The nodes of the proof.
    pub plan: ProofPlan,
}

impl Feed {
    /// Which nodes prove `block` to a remote with this digest; None if we cannot prove it.
    pub fn plan_proof(&self, block: BlockIndex, digest: u64, hash: bool, remote: &mut RemoteTree) -> Option<ProofPlan> {
        let state = self.state.lock();
        if !hash && !state.bitfield.get(block.0) {
            return None;
        }
        tree::proof(&state.bitfield, block.leaf(), digest, hash, remote)
    }

    /// Answers several requests; blocks that touch are read together, and all are hashed together.
    /// For each: None if the block is not held or no signature can be had.
    pub async fn serve(&self, io: &Io, wanted: &[Wanted]) -> Vec<Result<Option<Served>, FeedError>> {
        match self.steady(|seen| self.serve_at(io, wanted, seen)).await {
            Ok(answers) => answers,
            Err(error) => wanted.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    async fn serve_at(&self, io: &Io, wanted: &[Wanted], seen: Version) -> Vec<Result<Option<Served>, FeedError>> {
        let mut answers = Vec::with_capacity(wanted.len());
        for one in wanted {
            answers.push(self.prove_one(io, one, seen).await);
        }
        let blocks: Vec<BlockIndex> = wanted
            .iter()
            .zip(&answers)
            .filter(|(one, answer)| !one.hash && matches!(answer, Ok(Some(_))))
            .map(|(one, _)| one.block)
            .collect();
        let mut values = self.get_many(io, &blocks, seen).await.into_iter();
        for (_, answer) in wanted.iter().zip(&mut answers).filter(|(one, _)| !one.hash) {
            let Ok(Some(served)) = answer else { continue };
            match values.next() {
                Some(Ok(Some(value))) => served.value = Some(value),
                Some(Err(error)) => *answer = Err(error),
                _ => *answer = Ok(None),
            }
        }
        answers
    }

    /// The nodes and the signature of an answer.
    async fn prove_one(&self, io: &Io, wanted: &Wanted, seen: Version) -> Result<Option<Served>, FeedError> {
        let ProofPlan { nodes, verified_by } = &wanted.plan;
        let is_there = self
            .with_local(|bitfield, len| verified_by / 2 <= len && nodes.iter().all(|node| bitfield.has_node(*node)));
        if !is_there {
            return Ok(None);
        }
        let nodes = self.nodes(io, nodes, seen).await?;
        let signature = match verified_by / 2 {
            len if len > 0 && self.is_signed() => match self.signature(io, len, seen).await? {
                Some(signature) => Some(signature),
                None => return Ok(None),
            },
            _ => None,
        };
        Ok(Some(Served { value: None, nodes, signature }))
    }

    /// The signature over the first `len` blocks. A writer makes one that was never written: the
    /// bytes are the same.
    async fn signature(&self, io: &Io, len: u64, seen: Version) -> Result<Option<SignatureBytes>, FeedError> {
        if let Some(signature) = read_signature(io, len).await? {
            return Ok(Some(signature));
        }
        let Some(pair) = self.state.lock().pair.clone() else { return Ok(None) };
        let roots = self.roots_at(io, len, seen).await?;
        Ok(Some(pair.sign(&crypto::signable(&roots.hash(), len))))
    }
}
