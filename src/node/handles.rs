//! Handles: what JavaScript holds of ours. It cannot look inside.

use std::sync::Arc;

use napi::bindgen_prelude::External;

use crate::engine::{Engine, FeedHandle, StreamHandle};
use crate::store::memory::Memory;

/// An engine.
pub type EngineRef = External<Arc<Engine>>;
/// A feed.
pub type FeedRef = External<FeedHandle>;
/// A stream.
pub type StreamRef = External<StreamHandle>;
/// A native memory storage.
pub type MemoryRef = External<Arc<Memory>>;
