//! Littoral on native systems: the core over files and sockets.
//!
//! A store, opened, written and read:
//!
//! ```
//! use littoral::core::engine::{Batch, Durability, Space};
//! # let directory = tempfile::tempdir().unwrap();
//! # let path = directory.path().join("notes.littoral");
//! littoral::block_on(async {
//!     let (store, driver) = littoral::open(&path).await?;
//!     let mut batch = Batch::new();
//!     batch.put(Space(0x80), "tide", "high");
//!     store.commit(batch, Durability::Strict).await?;
//!     assert_eq!(store.get(Space(0x80), b"tide").await?.as_deref(), Some(&b"high"[..]));
//!     store.close().await?;
//!     driver.stop()
//! })?;
//! # Ok::<(), littoral::core::Error>(())
//! ```
//!
//! | what | where |
//! |---|---|
//! | the store, blobs, pairs, and all that decides anything | [`core`] |
//! | opening a store, a document, or a pair, with all it needs | [`open()`], [`open_documents`], [`open_pair`] |
//! | a store's volume in a file | [`FileVolume`], [`FileOptions`] |
//! | a remote's client, and a remote | [`HttpClient`], [`server`] |
//! | blobs as files in a directory | [`DirectoryBlobs`] |
//! | directory trees as blobs | [`tree`] |
//! | time and chance | [`System`], [`SystemClock`], [`OsEntropy`] |
//! | running futures and background work without a runtime | [`block_on`], [`Driver`] |
//!
//! Everything here is usable from any executor (tokio, smol, one's own) and from plain threads inside
//! [`block_on`]; blocking file work never stalls an asynchronous reactor.
#![deny(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
#![warn(missing_docs)]

mod block_on;
mod clock;
mod directory;
mod driver;
mod entropy;
mod http;
mod net;
mod open;
mod platform;
pub mod server;
mod system;
pub mod tree;
mod volume;

pub use littoral_core as core;

pub use block_on::block_on;
pub use clock::SystemClock;
pub use directory::DirectoryBlobs;
pub use driver::{Driver, spawn_driver};
pub use entropy::OsEntropy;
pub use http::{HttpBody, HttpClient, HttpOptions};
pub use open::{open, open_documents, open_pair};
pub use system::System;
pub use volume::{FileOptions, FileVolume};
