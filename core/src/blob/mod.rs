//! Content-addressed bytes: immutable, named by their SHA-256.

mod pointer;
mod store;

pub use pointer::Pointer;
pub use store::{BlobStore, Capabilities, Chunk, ChunkList, Listed, RootStore, Stat};
