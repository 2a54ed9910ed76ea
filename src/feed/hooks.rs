//! Hooks: questions that a feed asks its owner while it works.
//!
//! ```text
//! append:  sign these 40 bytes          answer: a signature
//! put:     is this signature good?      answer: yes or no
//!          may this be written?         answer: yes, or an error
//! ```
//! A feed has the hooks that its owner gave; without one it does the thing itself. An error fails
//! only the operation that asked.
//!
//! Invariant: each question is answered before the verb that asked goes on; nothing is locked
//! meanwhile.
//! Source: hypercore@9.12.0 index.js `opts.crypto`, `opts.onwrite`.

use std::sync::Arc;

use bytes::Bytes;

use super::error::FeedError;
use crate::math::crypto::SignatureBytes;
use crate::store::StoreError;
use crate::store::exchange::Exchange;

/// What is asked.
#[derive(Clone, Debug)]
pub enum Question {
    /// A signature over these bytes.
    Sign(Bytes),
    /// Whether a signature over these bytes is the writer's.
    Verify(Bytes, SignatureBytes),
    /// Whether a block, or without a value a proof, from this peer may be written.
    Write(u64, Option<Bytes>, u64),
}

/// What is answered; `StoreError::Foreign` names the owner's own error.
pub type HookAnswer = Result<Reply, StoreError>;

/// A good answer.
#[derive(Clone, Debug)]
pub enum Reply {
    /// To `Sign`.
    Signature(Bytes),
    /// To `Verify`.
    Verdict(bool),
    /// To `Write`.
    Go,
}

/// The hooks of one feed.
#[derive(Debug, Default)]
pub struct Hooks {
    /// Ask before writing what a peer sent.
    pub writes: bool,
    /// Ask for signatures.
    pub signs: bool,
    /// Ask about signatures.
    pub verifies: bool,
    /// Questions out, answers in.
    pub exchange: Arc<Exchange<Question, HookAnswer>>,
}

impl Hooks {
    pub(super) async fn sign(&self, message: &[u8]) -> Result<SignatureBytes, FeedError> {
        match self.exchange.ask(Question::Sign(Bytes::copy_from_slice(message))).await.map_err(FeedError::Hook)? {
            Reply::Signature(bytes) => SignatureBytes::try_from(&*bytes).map_err(|_| FeedError::BadHookAnswer),
            Reply::Verdict(_) | Reply::Go => Err(FeedError::BadHookAnswer),
        }
    }

    pub(super) async fn verify(&self, message: &[u8], signature: &SignatureBytes) -> Result<bool, FeedError> {
        match self
            .exchange
            .ask(Question::Verify(Bytes::copy_from_slice(message), *signature))
            .await
            .map_err(FeedError::Hook)?
        {
            Reply::Verdict(verdict) => Ok(verdict),
            Reply::Signature(_) | Reply::Go => Err(FeedError::BadHookAnswer),
        }
    }

    pub(super) async fn may_write(&self, block: u64, value: Option<Bytes>, peer: u64) -> Result<(), FeedError> {
        self.exchange.ask(Question::Write(block, value, peer)).await.map_err(FeedError::Hook)?;
        Ok(())
    }
}
