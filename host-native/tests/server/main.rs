//! The server over real sockets: what it answers, and what it refuses.

mod client;
mod connections;
mod documents;
mod life;
mod made;
mod protocol;
#[path = "../support/mod.rs"]
mod support;
