//! What the npm package calls: one open store as an object of JavaScript.
//!
//! Values are converted here and nothing is decided. A method returns a promise, or what it reads at once where its volume
//! answers at once. It keeps what it needs by itself: nothing is borrowed across an await, so a call never stands in the way
//! of another, nor of `free`.
//!
//! | file | what it is |
//! |---|---|
//! | `engine.rs` | [`Engine`]: opening, blobs, roots, closing |
//! | `queue.rs` | its queue, its status, and looking after it |
//! | `doc.rs` | its document: reading, changing, and what it tells; `Value::encode` is how values travel |
//! | `scope.rs`, `transaction.rs` | scopes of the document, and transactions with several participants |
//! | `convert.rs` | values of JavaScript |
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
#![warn(missing_docs)]

extern crate alloc;
extern crate std;

#[cfg(feature = "conformance")]
mod conformance;
mod convert;
mod doc;
mod engine;
mod queue;
mod scope;
mod transaction;

#[cfg(feature = "conformance")]
pub use conformance::conformance;
pub use engine::Engine;
