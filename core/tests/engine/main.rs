//! The engine from outside, over volumes in memory.

mod bounds;
mod full_disk;
mod store;
mod support;
