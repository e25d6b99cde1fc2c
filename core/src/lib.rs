//! Littoral's storage core: the same bytes and the same promises in a native process, a browser
//! tab and a WebAssembly plugin.
//!
//! | module | what it is |
//! |---|---|
//! | [`port`] | all that a host must give: [`port::Volume`], [`port::Http`], [`port::Clock`], [`port::Entropy`] |
//! | [`engine`] | one crash-safe log-structured store in one file: [`engine::Store`] |
//! | [`blob`] | content-addressed bytes: [`blob::Pointer`], [`blob::BlobStore`] |
//! | [`chunk`] | cutting large blobs by their content |
//! | [`doc`] | one tree of values per store, changed by patches, with all its history |
//! | [`pair`] | a fast local store in front of a slow remote one |
//!
//! Nothing here knows a thread, a clock, a file, a socket or a runtime; a host gives those.
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
#![warn(missing_docs)]
// Port futures carry no `Send` bound on purpose: a future is `Send` when its host is.
#![allow(async_fn_in_trait)]
// Without std a lock is confined to one thread, and so is whatever is shared through it.
#![cfg_attr(not(feature = "std"), allow(clippy::arc_with_non_send_sync))]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

pub mod blob;
pub mod chunk;
pub mod doc;
pub mod engine;
mod error;
mod io;
pub mod pair;
pub mod port;
mod sorted;
pub mod sync;

pub use error::{Damage, Error, Kind, Result};
