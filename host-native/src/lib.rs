//! Littoral on native systems: the core over files.
//!
//! ```
//! use littoral::core::engine::{Batch, Durability, Options, Space, Store};
//! # let directory = std::env::temp_dir().join(format!("littoral-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&directory).unwrap();
//! # let path = directory.join("notes.littoral");
//! littoral::block_on(async {
//!     let store = Store::open(littoral::FileVolume::open(&path)?, &littoral::OsEntropy, Options::default()).await?;
//!     let driver = littoral::spawn_driver(store.clone())?;
//!     let mut batch = Batch::new();
//!     batch.put(Space(0x80), "tide", "high");
//!     store.commit(batch, Durability::Strict).await?;
//!     assert_eq!(store.get(Space(0x80), b"tide").await?.as_deref(), Some(&b"high"[..]));
//!     store.close().await?;
//!     driver.stop()
//! })?;
//! # std::fs::remove_dir_all(&directory).unwrap();
//! # Ok::<(), littoral::core::Error>(())
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod block_on;
mod clock;
mod directory;
mod driver;
mod entropy;
mod http;
mod net;
mod platform;
pub mod server;
pub mod tree;
mod volume;

pub use littoral_core as core;

pub use block_on::block_on;
pub use clock::SystemClock;
pub use directory::DirectoryBlobs;
pub use driver::{Driver, spawn_driver};
pub use entropy::OsEntropy;
pub use http::{HttpBody, HttpClient, HttpOptions};
pub use volume::{FileOptions, FileVolume};
