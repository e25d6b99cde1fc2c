//! All that a host must give. A host is small: it knows files and sockets, core knows the rest.
//!
//! Port methods are plain `async fn` without `Send` bounds: a store over a `Send` host can be
//! spawned on a multi-threaded runtime, a store over a browser's host need not be.
//! Every future may be dropped at any await point.

mod clock;
mod entropy;
mod http;
mod memory;
mod volume;

pub use clock::Clock;
pub use entropy::Entropy;
pub use http::{Body, Http, Method, Request, Response};
pub use memory::MemoryVolume;
pub use volume::Volume;
