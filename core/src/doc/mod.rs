//! One tree of values per store, changed by patches, with all its history.
//!
//! # Opening, changing, reading
//!
//! A document is a tree: objects, lists, sparse lists, and scalars in them. It is an empty object before anything is put there. A [`Path`] names
//! a place; a text is one, too. A [`Patch`] changes what is at a path and is one commit, which has a number. Every state stays, unless
//! [retention](#what-is-kept) says otherwise.
//!
//! ```
//! # use core::time::Duration;
//! # use littoral_core::{Result, engine, port::{Clock, Entropy, MemoryVolume}};
//! # #[derive(Clone, Copy)] struct Host;
//! # impl Clock for Host {
//! #     fn now(&self) -> Duration { Duration::ZERO }
//! #     async fn sleep(&self, _: Duration) { core::future::pending().await }
//! # }
//! # impl Entropy for Host {
//! #     fn fill(&self, b: &mut [u8]) -> Result<()> { b.fill(7); Ok(()) }
//! # }
//! # futures::executor::block_on(async {
//! # use littoral_core::doc::{Documents, Options};
//! use littoral_core::doc::{Op, Patch, Value};
//! let store = engine::Store::open(MemoryVolume::new(), &Host, engine::Options::default()).await?;
//! let doc = Documents::open(store, Host, Options::default()).await?;
//!
//! // Set a value, merge into it as RFC 7396 has it, or do several things at once: each is one commit.
//! let boat = Value::from_json(r#"{"name": "Ebb", "crew": ["Ann"]}"#)?;
//! doc.patch("boats.ebb", Patch::set(boat), None).await?;
//! doc.patch("boats.ebb", Patch::merge(Value::from_json(r#"{"berth": 7}"#)?), None).await?;
//! let ops = [Op::append("crew", "Bo")?, Op::increment("berth", 1)?];
//! let third = doc.patch("boats.ebb", Patch::ops(ops), None).await?;
//!
//! assert_eq!(third, 3);
//! assert_eq!(doc.read("boats.ebb.crew[1]").await?, Value::from("Bo"));
//! assert_eq!(doc.read_at("boats.ebb.berth", 2).await?, Value::from(7));
//!
//! // A patch that cannot be applied changes nothing, takes no number, and says where and why.
//! let error = doc.patch("boats.ebb", Patch::ops([Op::delete("mast")?]), None).await.unwrap_err();
//! assert!(error.to_string().contains("boats.ebb.mast"));
//! assert_eq!(doc.current_commit(), 3);
//! # Ok::<(), littoral_core::Error>(()) }).unwrap();
//! ```
//!
//! # Only if
//!
//! A [`Match`] is a pattern that the state must satisfy; it and the patch are one step. So of many who want the same berth, exactly one gets it.
//!
//! ```
//! # use core::time::Duration;
//! # use littoral_core::{Result, engine, port::{Clock, Entropy, MemoryVolume}};
//! # #[derive(Clone, Copy)] struct Host;
//! # impl Clock for Host {
//! #     fn now(&self) -> Duration { Duration::ZERO }
//! #     async fn sleep(&self, _: Duration) { core::future::pending().await }
//! # }
//! # impl Entropy for Host {
//! #     fn fill(&self, b: &mut [u8]) -> Result<()> { b.fill(7); Ok(()) }
//! # }
//! # futures::executor::block_on(async {
//! # use littoral_core::doc::{Documents, Options};
//! # let store = engine::Store::open(MemoryVolume::new(), &Host, engine::Options::default()).await?;
//! # let doc = Documents::open(store, Host, Options::default()).await?;
//! use littoral_core::doc::{Match, Patch};
//! let free = Match::from_json(r#"{"$absent": true}"#)?;
//! assert!(doc.patch("berths{7}", Patch::set("Ebb"), free.clone()).await.is_ok());
//! let late = doc.patch("berths{7}", Patch::set("Flow"), free).await.unwrap_err();
//! assert_eq!(late.kind(), littoral_core::Kind::Conflict);
//! # Ok::<(), littoral_core::Error>(()) }).unwrap();
//! ```
//!
//! Several participants, in whatever task or process, who want all of their patches or none join a [`Transaction`].
//!
//! # Looking back, and looking on
//!
//! [`history`](Documents::history) has the commits that touched a path, [`diff_between`](Documents::diff_between) what lies between two of them, and a
//! [`Watch`] tells the state and then every later commit, exactly once and in order. Elements of a list can be named by a field of theirs, which is declared.
//!
//! ```
//! # use core::time::Duration;
//! # use littoral_core::{Result, engine, port::{Clock, Entropy, MemoryVolume}};
//! # #[derive(Clone, Copy)] struct Host;
//! # impl Clock for Host {
//! #     fn now(&self) -> Duration { Duration::ZERO }
//! #     async fn sleep(&self, _: Duration) { core::future::pending().await }
//! # }
//! # impl Entropy for Host {
//! #     fn fill(&self, b: &mut [u8]) -> Result<()> { b.fill(7); Ok(()) }
//! # }
//! # futures::executor::block_on(async {
//! # use littoral_core::doc::{Documents, Options};
//! # let store = engine::Store::open(MemoryVolume::new(), &Host, engine::Options::default()).await?;
//! # let doc = Documents::open(store, Host, Options::default()).await?;
//! use littoral_core::{doc::{Event, Op, Patch}, engine::Direction};
//! doc.declare_key("users", "id").await?;
//! let mut watch = doc.watch(&"users(*).age".parse()?, None)?;
//! assert!(matches!(watch.next().await?, Event::State { commit: 0, .. }));
//!
//! doc.patch("users(jane).age", Patch::set(36), None).await?;
//! doc.patch("users(jane).name", Patch::set("Jane"), None).await?;
//! doc.patch("users(jane).age", Patch::set(37), None).await?;
//!
//! let Event::Change { commit, .. } = watch.next().await? else { panic!() };
//! assert_eq!(commit.number, 1);
//! let Event::Change { commit, .. } = watch.next().await? else { panic!() };
//! assert_eq!(commit.number, 3);
//!
//! let mut history = doc.history("users(jane).name", 0..=9, Direction::Forward)?;
//! assert_eq!(history.next().await?.unwrap().number, 2);
//! assert_eq!(doc.diff_between("users(jane).age", 1, 3).await?, [Op::set("users(id=jane).age", 37)?]);
//! # Ok::<(), littoral_core::Error>(()) }).unwrap();
//! ```
//!
//! # Drafts
//!
//! A [`Scope`] is a copy of the document that is changed on its own: nothing is copied but what is changed. It is dropped, or promoted as one commit.
//!
//! # What is kept
//!
//! All states, by default. A [`Retention`] keeps the last ones, those of some time, or ever fewer the older they are;
//! [`switch_and_snapshot`](Documents::switch_and_snapshot) removes the others, and [`drive`](Documents::drive) does so by itself now and then. What the policies leave on the disk is in
//! `docs/documents.md`, with what everything costs.

mod apply;
mod binary;
mod compact;
mod diff;
mod documents;
mod entry;
mod history;
mod invert;
mod json;
mod keys;
mod load;
mod matching;
mod meta;
mod normal;
mod once;
mod op;
mod op_json;
mod partial;
mod patch;
mod path;
mod pattern;
mod pointer;
mod read;
mod reader;
mod refusal;
mod retention;
mod rows;
mod scope;
mod sketch;
mod slot;
mod syntax;
#[cfg(test)]
mod tests;
mod transaction;
mod transaction_rows;
mod value;
mod watch;
mod work;
mod work_ops;
mod write;

pub use apply::{apply, normalize};
pub use compact::Snapshot;
pub use diff::diff;
pub use documents::{Documents, Options};
pub use history::{Commit, History};
pub use invert::invert;
pub use matching::{Match, Order};
pub use once::Once;
pub use op::{Op, Touch};
pub use patch::Patch;
pub use path::{Path, Relation, Step, ToPath};
pub use pattern::Pattern;
pub use refusal::Refused;
pub use retention::{Remove, Retention};
pub use scope::Scope;
pub use transaction::{Outcome, Transaction};
pub use value::{Float, MAX_DEPTH, MAX_NAME, Value, ValueKind};
pub use watch::{Event, Watch};

#[doc(hidden)]
pub use rows::fuzz;

use crate::{Error, Kind};

/// What is no document's value, path or patch at all.
fn refuse(what: &str) -> Error {
    Error::new(Kind::InvalidInput, what)
}
