mod documents;
mod json;
mod matching;
mod paths;
mod properties;
mod rfc6902;
mod rfc7396;
pub mod strategy;
mod support;
