//! The remote: blobs and roots of any store over HTTP, as `docs/protocol.md` has it.
//!
//! ```
//! use littoral::{DirectoryBlobs, server::{ServerOptions, listen, serve}};
//! # let directory = tempfile::tempdir().unwrap();
//! # let path = directory.path();
//! let store = DirectoryBlobs::open(path)?;
//! let options = ServerOptions::new().token("a-secret");
//! let server = serve(listen("127.0.0.1:0")?, store.clone(), store, options)?;
//! println!("serving on {}", server.url());
//! littoral::block_on(server.shutdown())?;
//! # Ok::<(), littoral::core::Error>(())
//! ```
//!
//! | file | what is in it |
//! |---|---|
//! | `options.rs` | what a server allows |
//! | `listen.rs` | connections, and the end of them |
//! | `workers.rs` | the threads on which the store's futures run |
//! | `routes.rs` | which request goes where, and what holds for all of them |
//! | `blobs.rs`, `chunks.rs`, `roots.rs`, `documents.rs` | the requests |
//! | `upload.rs` | a request's body: limited, timed, hashed, drained |
//! | `range.rs` | `Range` headers |
//! | `reply.rs` | answers, and errors as JSON |

mod blobs;
mod chunks;
mod documents;
mod listen;
mod options;
mod range;
mod reply;
mod roots;
mod routes;
mod upload;
mod workers;

pub use listen::{ServerHandle, listen, serve};
pub use options::{Origins, ServerOptions};
