//! A fast local store in front of a slow, durable one.
