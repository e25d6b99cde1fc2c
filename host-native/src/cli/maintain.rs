//! Keeping a store in order: `verify repair reclaim backup restore`.

use super::{
    args::{Backup, Global, Restore},
    exit::{Exit, Failure},
    files::sync_folder,
    home::{Home, Needs, open_store},
    output::{Output, plural, size},
    progress,
};
use littoral::{
    FileVolume, OsEntropy,
    core::{Damage, Error, Kind, blob::EngineBlobs, pair::Damaged},
};
use serde::Serialize;
use std::{
    fmt, io,
    path::{Path, PathBuf},
};

pub async fn verify(global: &Global, output: Output) -> Result<Exit, Failure> {
    let home = Home::open(global, Needs::existing()).await?;
    let bar = progress::spinner(output, "verifying");
    bar.set_message("every value's checksum");
    let verified = home.pair.store().verify().await?;
    bar.set_message("every blob's hash");
    let checked = home.pair.verify().await?;
    bar.finish_and_clear();
    home.close().await?;
    let found = Found {
        values: verified.values,
        bytes: verified.bytes,
        blobs: checked.blobs,
        damage: verified.damage.iter().map(Place::new).collect(),
        damaged_blobs: checked.left.iter().map(Lost::new).collect(),
    };
    output.result(&found)?;
    match verified.damage.len() as u64 + checked.damaged {
        0 => Ok(Exit::DONE),
        _ => {
            let message = format!("{} is damaged", global.store.display());
            Err(Failure::new(Kind::Corrupt, message).hint(
                "`littoral repair --remote URL` fetches damaged blobs again; the rest is not affected",
            ))
        }
    }
}

pub async fn repair(global: &Global, output: Output) -> Result<Exit, Failure> {
    let home = Home::open(global, Needs::existing()).await?;
    let bar = progress::spinner(output, "repairing");
    // Without a remote there is nothing to repair from, but something to find.
    let checked = match home.has_remote {
        true => home.pair.repair().await?,
        false => home.pair.verify().await?,
    };
    bar.finish_and_clear();
    output.result(&Repaired {
        blobs: checked.blobs,
        bytes: checked.bytes,
        damaged: checked.damaged,
        repaired: checked.repaired,
        requeued: checked.requeued,
        lost: checked.left.iter().map(Lost::new).collect(),
    })?;
    let failure = (checked.damaged > checked.repaired).then(|| {
        let left = checked.damaged - checked.repaired;
        let blobs = plural(left, "blob is", "blobs are");
        let failure = Failure::new(Kind::Corrupt, format!("{blobs} damaged still"));
        match home.has_remote {
            true => failure.hint("put them again if you have them elsewhere; the rest is whole"),
            false => failure.hint("name a remote that has them: --remote URL"),
        }
    });
    home.close().await?;
    match failure {
        Some(failure) => Err(failure),
        None => Ok(Exit::DONE),
    }
}

pub async fn reclaim(global: &Global, output: Output) -> Result<Exit, Failure> {
    let home = Home::open(global, Needs::existing()).await?;
    let bar = progress::spinner(output, "reclaiming");
    // Nobody else writes now, so whatever no list names is a leftover.
    EngineBlobs::new(home.pair.store().clone()).sweep().await?;
    let reclaimed = home.pair.store().reclaim().await?;
    bar.finish_and_clear();
    output.result(&Reclaimed {
        bytes_freed: reclaimed.bytes_freed,
        bytes_shortened: reclaimed.bytes_shortened,
        size: home.pair.store().stats().size,
    })?;
    home.close().await?;
    Ok(Exit::DONE)
}

pub async fn backup(args: &Backup, global: &Global, output: Output) -> Result<Exit, Failure> {
    absent(&args.file)?;
    let home = Home::open(global, Needs::existing()).await?;
    let bar = progress::spinner(output, "copying");
    let copy = Copy::beside(&args.file);
    let volume = FileVolume::create(&copy.0)?;
    home.pair.store().backup(volume, &OsEntropy).await?;
    bar.finish_and_clear();
    copy.keep_as(&args.file)?;
    output.result(&Copied {
        file: args.file.display().to_string(),
        size: length(&args.file)?,
    })?;
    home.close().await?;
    Ok(Exit::DONE)
}

pub async fn restore(args: &Restore, global: &Global, output: Output) -> Result<Exit, Failure> {
    absent(&global.store)?;
    let named = |error: io::Error| Error::from(error).context(args.file.display());
    if !args.file.is_file() {
        let kind = match args.file.exists() {
            true => io::ErrorKind::IsADirectory,
            false => io::ErrorKind::NotFound,
        };
        return Err(named(kind.into()).into());
    }
    let bar = progress::spinner(output, "copying");
    let copy = Copy::beside(&global.store);
    // The lock keeps others from changing it meanwhile; the backup itself stays as it is.
    let held = FileVolume::open(&args.file)?;
    std::fs::copy(&args.file, &copy.0).map_err(named)?;
    drop(held);
    bar.set_prefix("verifying");
    let store = open_store(&copy.0).await.map_err(|mut failure| {
        // The user knows the backup's name, not the copy's.
        let (ours, theirs) = (copy.0.display(), args.file.display());
        failure.message = failure
            .message
            .replace(&ours.to_string(), &theirs.to_string());
        failure
    })?;
    let verified = store.verify().await?;
    store.close().await?;
    drop(store);
    bar.finish_and_clear();
    if let Some(damage) = verified.damage.first() {
        let message = format!("the backup is damaged: {}", damage.what);
        return Err(Failure::new(Kind::Corrupt, message)
            .hint("restore another backup, or open this one with --store and repair it"));
    }
    copy.keep_as(&global.store)?;
    output.result(&Restored {
        store: global.store.display().to_string(),
        values: verified.values,
        bytes: verified.bytes,
    })?;
    Ok(Exit::DONE)
}

fn absent(path: &Path) -> Result<(), Failure> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let message = format!("{} is there already", path.display());
    Err(Failure::new(Kind::AlreadyExists, message)
        .hint("nothing is overwritten: move it away, or choose another name"))
}

fn length(path: &Path) -> Result<u64, Failure> {
    let metadata = path.metadata();
    let metadata = metadata.map_err(|error| Error::from(error).context(path.display()))?;
    Ok(metadata.len())
}

/// A store that is being written; removed unless it is kept.
struct Copy(PathBuf);

impl Copy {
    fn beside(path: &Path) -> Self {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        Copy(name.into())
    }

    /// Gives the copy its name, and puts the name on disk.
    fn keep_as(&self, path: &Path) -> Result<(), Failure> {
        absent(path)?;
        let renamed = std::fs::rename(&self.0, path).and_then(|()| sync_folder(path));
        Ok(renamed.map_err(|error| Error::from(error).context(path.display()))?)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // Not there any more once it was kept.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[derive(Serialize)]
struct Found {
    values: u64,
    bytes: u64,
    blobs: u64,
    damage: Vec<Place>,
    damaged_blobs: Vec<Lost>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} read, {}; {} hashed",
            plural(self.values, "value", "values"),
            size(self.bytes),
            plural(self.blobs, "blob", "blobs")
        )?;
        for place in &self.damage {
            write!(
                f,
                "\ndamaged  {}, {}..{}",
                place.what, place.start, place.end
            )?;
        }
        for lost in &self.damaged_blobs {
            write!(f, "\ndamaged  {}: {}", lost.pointer, lost.reason)?;
        }
        if self.damage.is_empty() && self.damaged_blobs.is_empty() {
            write!(f, "; all is as it was written")?;
        }
        Ok(())
    }
}

/// Where damage is in the store's file.
#[derive(Serialize)]
struct Place {
    what: String,
    start: u64,
    end: u64,
    space: Option<u8>,
    key: Option<String>,
}

impl Place {
    fn new(damage: &Damage) -> Self {
        let hex = |key: &[u8]| key.iter().map(|byte| format!("{byte:02x}")).collect();
        Place {
            what: damage.what.clone(),
            start: damage.range.start,
            end: damage.range.end,
            space: damage.key.as_ref().map(|(space, _)| *space),
            key: damage.key.as_ref().map(|(_, key)| hex(key)),
        }
    }
}

#[derive(Serialize)]
struct Lost {
    pointer: String,
    reason: String,
    remedy: Option<String>,
}

impl Lost {
    fn new(damaged: &Damaged) -> Self {
        Lost {
            pointer: damaged.pointer.to_string(),
            reason: damaged.reason.to_string(),
            remedy: damaged.remedy.as_ref().map(ToString::to_string),
        }
    }
}

#[derive(Serialize)]
struct Repaired {
    blobs: u64,
    bytes: u64,
    damaged: u64,
    repaired: u64,
    requeued: u64,
    lost: Vec<Lost>,
}

impl fmt::Display for Repaired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} hashed, {}; {} damaged, {} repaired",
            plural(self.blobs, "blob", "blobs"),
            size(self.bytes),
            self.damaged,
            self.repaired
        )?;
        if self.requeued > 0 {
            let blobs = plural(self.requeued, "blob", "blobs");
            write!(f, "; {blobs} queued again, for the remote has lost them")?;
        }
        for lost in &self.lost {
            write!(f, "\nlost  {}: {}", lost.pointer, lost.reason)?;
            if let Some(remedy) = &lost.remedy {
                write!(f, "; {remedy}")?;
            }
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Reclaimed {
    bytes_freed: u64,
    bytes_shortened: u64,
    size: u64,
}

impl fmt::Display for Reclaimed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "freed {}; the file is {} shorter, {} now",
            size(self.bytes_freed),
            size(self.bytes_shortened),
            size(self.size)
        )
    }
}

#[derive(Serialize)]
struct Copied {
    file: String,
    size: u64,
}

impl fmt::Display for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", self.file, size(self.size))
    }
}

#[derive(Serialize)]
struct Restored {
    store: String,
    values: u64,
    bytes: u64,
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}  {} verified, {}",
            self.store,
            plural(self.values, "value", "values"),
            size(self.bytes)
        )
    }
}
