//! Patience: after how long an answer is overdue.
//!
//! ```text
//! sent ------ usual ------------ overdue: others are asked as well ------------- given up
//!             smoothed time      twice that, and four deviations
//! ```
//! Who has not answered yet is measured by what the others on the log usually take.
//!
//! Source: RFC 6298, whose smoothing this is.

/// An answer is not overdue earlier, in milliseconds: a busy machine answers late, too.
const LEAST: u64 = 100;
/// After so long it always is; and what is expected of the first one, in milliseconds.
pub const MOST: u64 = 2_000;

/// See the file's head. Times in microseconds, so that small ones can be smoothed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Patience {
    usual: Option<u64>,
    deviation: u64,
}

impl Patience {
    /// An answer took so many milliseconds.
    pub fn note(&mut self, took: u64) {
        let took = took.saturating_mul(1_000);
        let usual = self.usual.unwrap_or(took);
        let differs = usual.abs_diff(took);
        self.deviation = if self.usual.is_some() { (3 * self.deviation + differs) / 4 } else { took / 2 };
        self.usual = Some(usual - usual / 8 + took / 8);
    }

    /// After how many milliseconds an answer is overdue; None if nothing was answered yet.
    pub fn overdue(&self) -> Option<u64> {
        let usual = self.usual?;
        Some(((2 * usual + 4 * self.deviation) / 1_000).clamp(LEAST, MOST))
    }
}
