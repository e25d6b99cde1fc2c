//! Littoral on native systems.
pub use littoral_core as core;
