//! A fast local store in front of a slow, durable one: what is put is here at once, and there in time.
//!
//! | file | what it is |
//! |---|---|
//! | `handle.rs` | [`Pair`]: opening, driving |
//! | `put.rs`, `receipt.rs` | bytes and queue entry in one commit; how far a change has come |
//! | `read.rs`, `fetch.rs`, `flight.rs` | both sides as one; a miss is fetched once, checked, filled in |
//! | `delete.rs` | hidden at once, then gone from slow, then from fast |
//! | `roots.rs` | names that follow what they point at |
//! | `queue.rs`, `rows.rs` | the durable queue, and what is kept in the engine byte by byte |
//! | `account.rs` | its totals in memory, its bound, who waits for it |
//! | `drive.rs`, `schedule.rs`, `retry.rs` | who is next, and when it is tried again |
//! | `upload.rs`, `transfer.rs` | how it travels |
//! | `cache.rs` | the bound of fast, pins |
//! | `status.rs`, `finish.rs` | what is left; waiting for it; closing |
//! | `repair.rs` | finding damage, fetching it again |
//!
//! ```
//! # use core::time::Duration;
//! # use littoral_core::{Result, port::{Clock, Entropy}};
//! # #[derive(Clone, Copy)] struct Host;
//! # impl Clock for Host {
//! #     fn now(&self) -> Duration { Duration::ZERO }
//! #     async fn sleep(&self, _: Duration) { core::future::pending().await }
//! # }
//! # impl Entropy for Host {
//! #     fn fill(&self, b: &mut [u8]) -> Result<()> { b.fill(7); Ok(()) }
//! # }
//! # futures::executor::block_on(async {
//! use littoral_core::{
//!     blob::MemoryBlobs,
//!     engine::{self, Durability, Store},
//!     pair::{Options, Pair},
//!     port::MemoryVolume,
//! };
//! let store = Store::open(MemoryVolume::new(), &Host, engine::Options::default()).await?;
//! let pair = Pair::open(store, MemoryBlobs::new(), Host, Options::default()).await?;
//! let work = async {
//!     let receipt = pair.put("high tide").await?; // here, and durable
//!     receipt.wait(Durability::Remote).await?; // and there
//!     pair.close(Duration::from_secs(5)).await
//! };
//! let (left, ()) = futures::join!(work, pair.drive());
//! assert_eq!(left?.count, 0);
//! # Ok::<(), littoral_core::Error>(()) }).unwrap();
//! ```
//!
//! `docs/pairing.md` tells the states of an item and how each race is closed.

mod account;
mod buffer;
mod cache;
mod delete;
mod drive;
mod fetch;
mod finish;
mod flight;
mod handle;
mod options;
mod put;
mod queue;
mod read;
mod receipt;
mod repair;
mod retry;
mod roots;
mod rows;
mod schedule;
mod status;
mod store;
#[cfg(test)]
mod tests;
mod transfer;
mod upload;

pub use buffer::Buffer;
pub use handle::{Environment, Pair, Remote};
pub use options::{Backoff, Options, QueueBound};
pub use queue::{Change, QueueItem, Trouble};
pub use receipt::Receipt;
pub use repair::{Checked, Damaged};
pub use roots::WithoutRoots;
pub use status::{Pending, Phase, Status, Watch};

#[doc(hidden)]
pub use rows::fuzz;
