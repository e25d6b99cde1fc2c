//! Content-addressed bytes: immutable, named by their SHA-256.

mod cid;
mod engine;
mod hasher;
mod pointer;
mod roots;
pub mod space;
mod store;

pub use engine::{EngineBlobs, Staged};
pub use hasher::Hasher;
pub use pointer::{Pointer, PointerError};
pub use roots::{EngineRoots, MAX_ROOT_NAME, check_root_name};
pub use store::{BlobStore, Capabilities, Chunk, ChunkList, Listed, RootStore, Stat, cut_range};
