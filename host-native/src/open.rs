//! Opening a store with everything it needs, in one call.

use crate::{
    Driver, FileVolume, OsEntropy, System, SystemClock,
    block_on::blocking,
    core::{
        Result,
        doc::{self, Documents},
        engine::{Options, Store},
        pair::{self, Pair, Remote},
    },
    spawn_driver,
};
use std::path::Path;

/// Opens the store in the file at `path`, or makes one, and starts a thread for its background work.
///
/// A program with a runtime of its own may poll [`Store::drive`] there instead, over a store opened from a [`FileVolume`].
///
/// ```
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path().join("notes.littoral");
/// # littoral::block_on(async {
/// let (store, driver) = littoral::open(&path).await?;
/// // ...
/// store.close().await?;
/// driver.stop()
/// # }).unwrap();
/// ```
///
/// # Errors
/// Those of [`FileVolume::open`] and [`Store::open`]; the message names the path.
pub async fn open(path: impl AsRef<Path>) -> Result<(Store<FileVolume>, Driver)> {
    let store = open_store(path.as_ref()).await?;
    let driver = spawn_driver(store.clone())?;
    Ok((store, driver))
}

/// Opens the store in the file at `path`, or makes one, pairs it with `slow`, and starts a thread for the background
/// work of both: what is put here goes there in time. `examples/pair.rs` does it over HTTP.
///
/// Close the pair before the driver is stopped or dropped; what is not remote by then stays in the queue.
///
/// # Errors
/// Those of [`open`] and [`Pair::open`]. The remote is not asked anything yet.
pub async fn open_pair<S>(
    path: impl AsRef<Path>,
    slow: S,
    options: pair::Options,
) -> Result<(Pair<FileVolume, S, System>, Driver)>
where
    S: Remote + Send + Sync + 'static,
{
    let store = open_store(path.as_ref()).await?;
    let pair = Pair::open(store, slow, System, options).await?;
    let driven = pair.clone();
    let driver = Driver::spawn(move || async move { driven.drive().await })?;
    Ok((pair, driver))
}

/// Opens the store in the file at `path`, or makes one, and its document, and starts a thread for the background work of both: `examples/document.rs`.
///
/// Close the document before the driver is stopped or dropped.
///
/// # Errors
/// Those of [`open`] and [`Documents::open`].
pub async fn open_documents(
    path: impl AsRef<Path>,
    options: doc::Options,
) -> Result<(Documents<FileVolume, SystemClock>, Driver)> {
    let store = open_store(path.as_ref()).await?;
    let documents = Documents::open(store.clone(), SystemClock, options).await?;
    let driven = documents.clone();
    let driver = Driver::spawn(move || async move {
        futures::join!(store.drive(), driven.drive());
    })?;
    Ok((documents, driver))
}

async fn open_store(path: &Path) -> Result<Store<FileVolume>> {
    let owned = path.to_owned();
    let volume = blocking(move || FileVolume::open(owned)).await?;
    Store::open(volume, &OsEntropy, Options::default())
        .await
        .map_err(|error| error.context(path.display()))
}
