//! The HTTP port over hyper.
//!
//! | file | what is in it |
//! |---|---|
//! | `client.rs` | connections, TLS, options |
//! | `exchange.rs` | one request and its answer |
//! | `body.rs` | bodies on their way out and in |

mod body;
mod client;
mod exchange;

pub use body::HttpBody;
pub(crate) use body::next_piece;
pub use client::{HttpClient, HttpOptions};
