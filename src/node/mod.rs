//! The door: what JavaScript can call. Converts, dispatches, decides nothing.
//!
//! ```text
//! plain functions over opaque handles: engine, feed, stream, memory
//! every answer is an event in the engine's queue: [kind, values...]
//! ```
//! Arguments were checked in JavaScript; what is wrong all the same becomes an error or nothing,
//! never a panic.

// Numbers cross this border as f64 and were checked to be whole and safe.
#![allow(clippy::as_conversions)]
// The napi macros generate the unsafe calls of the binding.
#![allow(unsafe_code)]

pub mod about;
pub mod border;
mod convert;
pub mod engine;
mod event;
pub mod feeds;
mod fields;
mod handles;
pub mod hot;
mod kind;
pub mod message;
mod send;
pub mod storages;
pub mod streams;
mod value;
