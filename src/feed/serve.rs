//! Serve: the answer to a remote's request.

use bytes::Bytes;

use super::{Feed, FeedError};
use crate::log::merkle::Roots;
use crate::log::tree::{self, ProofPlan, RemoteTree};
use crate::math::crypto::{self, Node, SignatureBytes};
use crate::math::flat::{BlockIndex, full_roots};
use crate::store::{File, Io, layout, record};

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

    /// Answers several requests; blocks that touch are read together, and all are hashed together. For each: None if
    /// the block is not held or no signature can be had.
    pub async fn serve(&self, io: &Io, wanted: &[Wanted]) -> Vec<Result<Option<Served>, FeedError>> {
        let mut answers = Vec::with_capacity(wanted.len());
        for one in wanted {
            answers.push(self.prove_one(io, one).await);
        }
        let blocks: Vec<BlockIndex> = wanted
            .iter()
            .zip(&answers)
            .filter(|(one, answer)| !one.hash && matches!(answer, Ok(Some(_))))
            .map(|(one, _)| one.block)
            .collect();
        let mut values = self.get_many(io, &blocks).await.into_iter();
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
    async fn prove_one(&self, io: &Io, wanted: &Wanted) -> Result<Option<Served>, FeedError> {
        let nodes = self.nodes(io, &wanted.plan.nodes).await?;
        let signature = match wanted.plan.verified_by / 2 {
            len if len > 0 && self.is_signed() => match self.signature(io, len).await? {
                Some(signature) => Some(signature),
                None => return Ok(None),
            },
            _ => None,
        };
        Ok(Some(Served { value: None, nodes, signature }))
    }

    /// The signature over the first `len` blocks. A writer makes one that was never written: the bytes are the same.
    async fn signature(&self, io: &Io, len: u64) -> Result<Option<SignatureBytes>, FeedError> {
        let last = BlockIndex(len.saturating_sub(1));
        let stored = io.read(File::Signatures, layout::signature_offset(last), layout::SIGNATURE_LEN).await?;
        if let Some(signature) = stored.and_then(|bytes| record::decode_signature(&bytes)) {
            return Ok(Some(signature));
        }
        let Some(pair) = self.state.lock().pair.clone() else { return Ok(None) };
        let roots = Roots::new(self.nodes(io, &full_roots(len).collect::<Vec<_>>()).await?);
        Ok(Some(pair.sign(&crypto::signable(&roots.hash(), len))))
    }
}
