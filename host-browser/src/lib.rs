//! Littoral in browsers: the core's ports over what a page or a worker has.
//!
//! | port | here | over |
//! |---|---|---|
//! | `Volume` | [`JsVolume`] | OPFS, IndexedDB, or any object with the methods of `js/volume.d.ts` |
//! | `Http` | [`Fetch`] | `fetch`, both ways |
//! | `Clock`, `Entropy` | [`Browser`] | `Date.now`, `setTimeout`, `crypto.getRandomValues` |
//!
//! What must happen between two turns of the event loop (an IndexedDB transaction ends by itself when nothing is
//! asked of it for one turn) is written in JavaScript, in `js/`; it decides nothing that the core could decide.
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
#![warn(missing_docs)]
#![allow(async_fn_in_trait)]

extern crate alloc;

mod browser;
mod error;
mod fetch;
mod volume;

pub use littoral_core as core;

pub use browser::Browser;
pub use error::{from_js, to_js};
pub use fetch::{Fetch, FetchBody};
pub use volume::JsVolume;
