//! What the pair promises, each with the fault that would break it. Time is moved by hand, the remote does what the
//! test tells it.

mod cache;
mod close;
#[cfg(feature = "conformance")]
mod conformance;
mod delete;
mod drops;
mod leftovers;
mod portal;
mod queue;
mod random;
mod read;
mod repair;
mod roots;
// Without std a store is confined to one thread.
#[cfg(feature = "std")]
mod send;
mod support;
#[cfg(feature = "std")]
mod threads;
mod transfer;
mod upload;
