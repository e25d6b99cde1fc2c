//! Opening a store with everything it needs, in one call.

use crate::{
    Driver, FileVolume, OsEntropy,
    block_on::blocking,
    core::{
        Result,
        engine::{Options, Store},
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
    let path = path.as_ref().to_owned();
    let volume = {
        let path = path.clone();
        blocking(move || FileVolume::open(path)).await?
    };
    let store = Store::open(volume, &OsEntropy, Options::default())
        .await
        .map_err(|error| error.context(path.display()))?;
    let driver = spawn_driver(store.clone())?;
    Ok((store, driver))
}
