//! The engine from outside, over volumes in memory.

mod bounds;
mod full_disk;
mod opening;
mod salvage;
mod store;
mod support;
