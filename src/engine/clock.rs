//! The only clock and the only dice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// The time since the engine began.
pub struct Clock {
    hand: Hand,
}

enum Hand {
    Real(Instant),
    Virtual(Arc<AtomicU64>),
}

impl Clock {
    /// Starts at 0.
    pub fn start() -> Self {
        Self { hand: Hand::Real(Instant::now()) }
    }

    /// Shows these microseconds: for simulations, which turn the hand themselves.
    pub fn turned_by_hand(micros: Arc<AtomicU64>) -> Self {
        Self { hand: Hand::Virtual(micros) }
    }

    /// Milliseconds since the start.
    pub fn now(&self) -> u64 {
        self.micros() / 1_000
    }

    /// Microseconds since the start: for deciding how long a thread was held.
    pub fn micros(&self) -> u64 {
        match &self.hand {
            Hand::Real(start) => u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX),
            Hand::Virtual(micros) => micros.load(Ordering::Relaxed),
        }
    }
}

/// Random bytes from the system. Without them no key is safe: an error here must reach the caller.
pub fn dice<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
