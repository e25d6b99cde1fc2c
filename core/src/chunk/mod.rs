//! Where a large blob is cut into chunks: by its content, so that an insertion moves few cuts and
//! equal stretches of different blobs become equal chunks.

mod cutter;
mod list;
#[cfg(test)]
mod tests;

pub use cutter::{AVERAGE, Cutter, MAX, MIN};
pub use list::MAX_CHUNK;
pub(crate) use list::check_len;
