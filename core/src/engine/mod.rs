//! One crash-safe, transactional, log-structured store in one file: ordered spaces of keys and
//! values that every layer shares, so that one commit can change all of them or none.
//!
//! ```
//! # futures::executor::block_on(async {
//! use littoral_core::{engine::{Batch, Durability, KeyRange, Options, Space, Store}, port::MemoryVolume};
//! # struct Fixed; impl littoral_core::port::Entropy for Fixed {
//! #     fn fill(&self, b: &mut [u8]) -> littoral_core::Result<()> { b.fill(7); Ok(()) } }
//! # let entropy = Fixed;
//! let store = Store::open(MemoryVolume::new(), &entropy, Options::default()).await?;
//! let mut batch = Batch::new();
//! batch.put(Space(0x80), "tide", "high");
//! store.commit(batch, Durability::Strict).await?;
//! assert_eq!(store.get(Space(0x80), b"tide").await?.as_deref(), Some(&b"high"[..]));
//! store.close().await?;
//! # Ok::<(), littoral_core::Error>(()) }).unwrap();
//! ```

mod backup;
mod batch;
mod cache;
mod codec;
mod commit;
mod create;
mod device;
mod disk;
mod extent;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod log;
mod manifest;
mod memtable;
mod open;
mod reclaim;
mod salvage;
mod scratch;
mod state;
mod store;
mod superblock;
mod table;
mod types;
mod upkeep;
mod verify;
mod version;
mod view;

pub use batch::Batch;
pub use commit::Receipt;
pub use salvage::Salvaged;
pub use store::Store;
#[cfg(feature = "sabotage")]
pub use types::Sabotage;
pub use types::{
    DamagedLog, Direction, Durability, Entry, KeyRange, NoStore, Options, Reclaimed, Space, Stats,
    Verified,
};
pub use view::{Scan, View};

/// Longest key in bytes.
pub const MAX_KEY: usize = 4096;
/// Longest value in bytes.
pub const MAX_VALUE: usize = 16 << 20;
/// Smallest and largest log area in bytes.
pub(crate) const MIN_LOG: u64 = 64 << 10;
pub(crate) const MAX_LOG: u64 = 1 << 30;
