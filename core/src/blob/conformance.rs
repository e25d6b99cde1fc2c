//! What every [`BlobStore`] and [`RootStore`](super::RootStore) promises, as a suite that anybody can run against
//! a store of their own. Behind the feature `conformance`.
//!
//! ```
//! # futures::executor::block_on(async {
//! use littoral_core::blob::{MemoryBlobs, conformance};
//! conformance::all(async || MemoryBlobs::new()).await?;
//! conformance::roots(async || MemoryBlobs::new()).await?;
//! # Ok::<(), conformance::Failure>(()) }).unwrap();
//! ```

mod chunked;
mod reading;
mod rooted;
mod writing;

pub use reading::holds;

use super::BlobStore;
use crate::{Error, Result as Outcome, port::Body};
use alloc::{string::String, vec::Vec};
use bytes::Bytes;
use core::fmt;

/// Runs every check that fits the store's capabilities, each against a fresh store from `make`, which must be empty.
///
/// Stores need not be `Send`. Takes about 30 MiB of memory besides the store's own.
///
/// # Errors
/// The first check that failed, by its name, and what was found.
pub async fn all<S: BlobStore>(make: impl AsyncFn() -> S) -> Result<(), Failure> {
    let can = make().await.capabilities();
    reading::missing(&make).await?;
    if can.writable {
        writing::all(&make).await?;
    } else {
        writing::refused(&make).await?;
    }
    match (can.writable, can.chunks) {
        (true, true) => chunked::all(&make).await,
        (_, false) => chunked::refused(&make).await,
        (false, true) => Ok(()),
    }
}

/// Checks that what was put and deleted is so after the store is opened again. `open` opens the same store each time, first
/// an empty one; the one before was dropped.
///
/// # Errors
/// What was found instead.
pub async fn reopens<S: BlobStore>(open: impl AsyncFn() -> S) -> Result<(), Failure> {
    run(
        "what_was_put_is_there_after_the_store_is_opened_again",
        writing::reopens(&open),
    )
    .await
}

/// The same as [`all`] for named roots.
///
/// # Errors
/// The first check that failed, by its name, and what was found.
pub async fn roots<S: super::RootStore>(make: impl AsyncFn() -> S) -> Result<(), Failure> {
    rooted::all(&make).await
}

/// A check that failed. `Debug` and `Display` say which, and what was found.
pub struct Failure {
    /// The check's name: the sentence that does not hold.
    pub check: &'static str,
    /// What was found instead.
    pub found: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check.replace('_', " "), self.found)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for Failure {}

/// What a check found wrong.
struct Wrong(String);

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        Wrong(alloc::format!("an unexpected error: {error:?}"))
    }
}

type Checked = Result<(), Wrong>;

async fn run(check: &'static str, result: impl Future<Output = Checked>) -> Result<(), Failure> {
    result
        .await
        .map_err(|Wrong(found)| Failure { check, found })
}

/// Runs checks by name, each with a fresh store.
macro_rules! checks {
    ($make:expr; $($check:ident),* $(,)?) => {
        $(
            let store = $make().await;
            super::run(stringify!($check), $check(&store)).await?;
        )*
    };
}
use checks;

macro_rules! ensure {
    ($holds:expr, $($found:tt)*) => {
        if !$holds {
            return Err(super::Wrong(alloc::format!($($found)*)));
        }
    };
}
use ensure;

/// Two values are equal; `what` says of what.
macro_rules! equal {
    ($found:expr, $expected:expr, $($what:tt)*) => {
        let (found, expected) = (&$found, &$expected);
        if found != expected {
            return Err(super::Wrong(alloc::format!(
                "{}: {} instead of {}",
                alloc::format!($($what)*),
                super::Short(found),
                super::Short(expected)
            )));
        }
    };
}
use equal;

/// A call fails with this kind.
macro_rules! fails {
    ($result:expr, $kind:expr, $($what:tt)*) => {
        match $result {
            Err(error) if error.kind() == $kind => {}
            Err(error) => {
                let what = alloc::format!($($what)*);
                return Err(super::Wrong(alloc::format!("{what}: {error:?} instead of {:?}", $kind)));
            }
            Ok(_) => {
                let what = alloc::format!($($what)*);
                return Err(super::Wrong(alloc::format!("{what}: succeeded instead of {:?}", $kind)));
            }
        }
    };
}
use fails;

/// `Debug`, cut to what can be read.
struct Short<'a, T>(&'a T);

impl<T: fmt::Debug> fmt::Display for Short<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = alloc::format!("{:?}", self.0);
        match text.char_indices().nth(200) {
            Some((end, _)) => write!(
                f,
                "{}... ({} characters)",
                text.get(..end).unwrap_or_default(),
                text.len()
            ),
            None => f.write_str(&text),
        }
    }
}

/// Bytes that look random, the same for the same seed.
pub fn noise(seed: u64, len: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(len);
    bytes.into()
}

/// A stream of `bytes` in pieces of `piece` bytes, which ends with `error` if there is one.
pub struct Pieces {
    bytes: Bytes,
    piece: usize,
    error: Option<Error>,
}

impl Pieces {
    /// All of `bytes`.
    pub fn new(bytes: Bytes, piece: usize) -> Self {
        Pieces {
            bytes,
            piece: piece.max(1),
            error: None,
        }
    }

    /// The same, and then the source fails.
    pub fn then_fails(mut self, error: Error) -> Self {
        self.error = Some(error);
        self
    }
}

impl Body for Pieces {
    fn len(&self) -> Option<u64> {
        None
    }

    async fn next(&mut self) -> Outcome<Option<Bytes>> {
        if self.bytes.is_empty() {
            return self.error.take().map_or(Ok(None), Err);
        }
        let piece = self.piece.min(self.bytes.len());
        Ok(Some(self.bytes.split_to(piece)))
    }
}
