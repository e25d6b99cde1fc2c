//! Content-addressed bytes: immutable, named by their SHA-256.

mod cid;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod engine;
mod ext;
#[cfg(any(test, feature = "conformance"))]
mod fault;
mod forward;
mod hasher;
mod http;
mod memory;
mod null;
mod pointer;
mod read_only;
mod roots;
pub mod space;
mod split;
mod store;
#[cfg(test)]
mod tests;

pub use engine::{EngineBlobs, Staged};
pub use ext::{Lister, Reader, copy, list_all, open};
#[cfg(any(test, feature = "conformance"))]
pub use fault::{Call, Fault, FaultBlobs, Gate, NoClock, Operation, Outcome, Script};
pub use hasher::Hasher;
pub use http::HttpBlobs;
pub use memory::MemoryBlobs;
pub use null::NullBlobs;
pub use pointer::{Pointer, PointerError};
pub use read_only::ReadOnlyBlobs;
pub use roots::{EngineRoots, MAX_ROOT_NAME, check_root_name};
pub use store::{BlobStore, Capabilities, Chunk, ChunkList, Listed, RootStore, Stat, cut_range};
