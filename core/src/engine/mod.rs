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

mod thin;
mod types;

pub use thin::{Batch, Receipt, Scan, Store, View};
pub use types::{
    Direction, Durability, Entry, KeyRange, Options, Reclaimed, Space, Stats, Verified,
};
