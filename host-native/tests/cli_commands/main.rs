//! The command line from outside: real processes, real files, a real server on loopback.

mod bad_input;
mod blob;
mod damage;
mod demo;
mod doc;
mod general;
mod interrupt;
mod json;
mod maintain;
mod place;
mod queue;
mod root;
mod server;
mod told;
mod tree;
