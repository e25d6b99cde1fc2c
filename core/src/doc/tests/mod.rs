mod documents;
mod json;
mod matching;
mod once;
mod paths;
mod properties;
mod retention;
mod rfc6902;
mod rfc7396;
mod scopes;
pub mod strategy;
pub mod support;
#[cfg(feature = "std")]
mod threads;
mod transactions;
mod watches;
