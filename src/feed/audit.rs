//! Audit: every block that is held, against its hash.

use super::{Feed, FeedError};
use crate::log::stage::Stage;
use crate::math::flat::BlockIndex;

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Blocks that match their hashes.
    pub valid: u64,
    /// Blocks that do not; they are no longer held, so a reader fetches them again.
    pub corrupt: Vec<u64>,
}

impl Feed {
    /// Reads every held block. Blocks that are damaged, or whose node is, are given up.
    pub async fn audit(&self) -> Result<Report, FeedError> {
        let mut report = Report::default();
        let mut next = 0;
        while let Some(block) = self.with_local(|bitfield, len| bitfield.next_set(next, len)) {
            match self.get(&self.io, BlockIndex(block)).await {
                Ok(_) => report.valid += 1,
                Err(FeedError::BadBlock(_) | FeedError::NodeMissing(_)) => report.corrupt.push(block),
                Err(error) => return Err(error),
            }
            next = block + 1;
        }
        let stage = {
            let state = self.state.lock();
            let mut stage = Stage::new();
            for block in &report.corrupt {
                stage.set(&state.bitfield, *block, false);
            }
            stage
        };
        self.write_pages(&stage).await?;
        self.state.lock().bitfield.apply(stage);
        Ok(report)
    }
}
