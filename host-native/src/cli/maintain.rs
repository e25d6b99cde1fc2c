//! Keeping a store in order: `verify repair reclaim backup restore`.

use super::{
    args::{Backup, Global, Restore},
    exit::{Exit, Failure},
    files::sync_folder,
    home::{Home, Needs, open_store},
    output::{Output, plural, size},
    progress,
    remote::{self, Slow},
};
use indicatif::ProgressBar;
use littoral::{
    FileOptions, FileVolume, OsEntropy,
    core::{
        Damage, Error, Kind,
        blob::EngineBlobs,
        engine::{NoStore, Store},
        pair::Damaged,
    },
};
use serde::Serialize;
use std::{
    fmt, io,
    path::{Path, PathBuf},
};

pub async fn verify(global: &Global, output: Output) -> Result<Exit, Failure> {
    let slow = remote::connect(global)?;
    let bar = progress::spinner(output, "verifying");
    let mut found = Found {
        file: global.store.display().to_string(),
        ..Found::default()
    };
    let examined = examine(slow, global, &bar, &mut found).await;
    bar.finish_and_clear();
    if let Err(failure) = examined {
        // What cannot be gone past is damage like any other.
        match &failure.damage {
            Some(damage) => found.note(damage),
            None => return Err(failure),
        }
    }
    output.result(&found)?;
    if found.damage.is_empty() && found.damaged_blobs.is_empty() {
        return Ok(Exit::DONE);
    }
    let message = format!("{} is damaged", global.store.display());
    Err(Failure::new(Kind::Corrupt, message).hint(match (found.damage.is_empty(), found.blobs) {
        (true, _) => "`littoral repair --remote URL` fetches damaged blobs again; the rest is not affected",
        (false, Some(_)) => "`littoral repair --remote URL` fetches damaged blobs again; where that is not enough, `littoral backup --salvage FILE` copies what can be read",
        (false, None) => "`littoral backup --salvage FILE` copies what can be read into a new store",
    }))
}

/// First the store by itself, whatever is in it; then its blobs.
async fn examine(
    slow: Slow,
    global: &Global,
    bar: &ProgressBar,
    found: &mut Found,
) -> Result<(), Failure> {
    bar.set_message("every value's checksum");
    let store = open_store(&global.store, NoStore::Refuse).await?;
    let verified = store.verify().await?;
    (found.values, found.bytes) = (verified.values, verified.bytes);
    verified.damage.iter().for_each(|damage| found.note(damage));
    bar.set_message("every blob's hash");
    let home = Home::over(store, slow, Needs::existing(), global.patience()).await?;
    let checked = home.pair.verify().await;
    home.close().await?;
    let checked = checked?;
    found.blobs = Some(checked.blobs);
    found.damaged_blobs = checked.left.iter().map(Lost::new).collect();
    Ok(())
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
    if args.salvage {
        return salvage(args, global, output).await;
    }
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

/// The store itself is not changed: there may be more to be had from it another time.
async fn salvage(args: &Backup, global: &Global, output: Output) -> Result<Exit, Failure> {
    let store = &global.store;
    if !store.exists() {
        let message = format!("there is no store at {}", store.display());
        return Err(Failure::new(Kind::NotFound, message));
    }
    let bar = progress::spinner(output, "copying");
    let damaged = FileOptions::new().only_existing().open(store)?;
    let copy = Copy::beside(&args.file);
    let target = FileVolume::create(&copy.0)?;
    let salvaged = Store::salvage(damaged, target, &OsEntropy).await;
    let salvaged = salvaged.map_err(|error| {
        let failure = Failure::from(error.context(store.display()));
        match failure.damage {
            Some(_) => failure.hint(
                "nothing in it can be found: restore a backup, or `littoral --store NEW --remote URL export ROOT DIR` from the remote",
            ),
            None => failure,
        }
    })?;
    bar.finish_and_clear();
    copy.keep_as(&args.file)?;
    output.result(&Rescued {
        file: args.file.display().to_string(),
        size: length(&args.file)?,
        values: salvaged.values,
        bytes: salvaged.bytes,
        left_behind: salvaged.damage.iter().map(Place::new).collect(),
    })?;
    if salvaged.damage.is_empty() {
        return Ok(Exit::DONE);
    }
    output.note(format_args!(
        "next: `littoral --store {} repair`, with --remote URL if there is one, for blobs of which a part is missing",
        args.file.display()
    ));
    Ok(Exit::INCOMPLETE)
}

pub async fn restore(args: &Restore, global: &Global, output: Output) -> Result<Exit, Failure> {
    absent(&global.store)?;
    let named = |error: io::Error| Error::from(error).context(args.file.display());
    if !args.file.exists() {
        let message = format!("there is no backup at {}", args.file.display());
        return Err(Failure::new(Kind::NotFound, message));
    }
    if !args.file.is_file() {
        return Err(named(io::ErrorKind::IsADirectory.into()).into());
    }
    let bar = progress::spinner(output, "copying");
    let copy = Copy::beside(&global.store);
    // The lock keeps others from changing it meanwhile; the backup itself stays as it is.
    let held = FileVolume::open(&args.file)?;
    std::fs::copy(&args.file, &copy.0).map_err(named)?;
    drop(held);
    bar.set_prefix("verifying");
    let opened = open_store(&copy.0, NoStore::Refuse).await;
    let store = opened.map_err(|mut failure| {
        // The user knows the backup's name, not the copy's.
        let (ours, theirs) = (copy.0.display(), args.file.display());
        failure.message = failure
            .message
            .replace(&ours.to_string(), &theirs.to_string());
        failure.hint("restore another backup, or copy what can be read of it: `littoral --store BACKUP backup --salvage FILE`")
    })?;
    let verified = store.verify().await?;
    store.close().await?;
    drop(store);
    bar.finish_and_clear();
    if let Some(damage) = verified.damage.first() {
        let message = format!("the backup is damaged: {}", damage.what);
        return Err(Failure::new(Kind::Corrupt, message)
            .hint("restore another backup, or open this one: `littoral --store BACKUP verify` names all damage"));
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

#[derive(Default, Serialize)]
struct Found {
    file: String,
    values: u64,
    bytes: u64,
    /// `None` if damage was in the way.
    blobs: Option<u64>,
    damage: Vec<Place>,
    damaged_blobs: Vec<Lost>,
}

impl Found {
    fn note(&mut self, damage: &Damage) {
        let place = Place::new(damage);
        let known = |other: &Place| (other.start, other.end) == (place.start, place.end);
        if !self.damage.iter().any(known) {
            self.damage.push(place);
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} read, {}; ",
            plural(self.values, "value", "values"),
            size(self.bytes),
        )?;
        match self.blobs {
            Some(blobs) => write!(f, "{} hashed", plural(blobs, "blob", "blobs"))?,
            None => f.write_str("blobs not hashed, for damage is in the way")?,
        }
        for place in &self.damage {
            write!(f, "\ndamaged  {}: {place}", self.file)?;
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

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, bytes {}..{}", self.what, self.start, self.end)?;
        match (&self.space, &self.key) {
            (Some(space), Some(key)) => write!(f, ", space {space}, key {key}"),
            _ => Ok(()),
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
struct Rescued {
    file: String,
    size: u64,
    values: u64,
    bytes: u64,
    left_behind: Vec<Place>,
}

impl fmt::Display for Rescued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}  {}; {} copied, {}",
            self.file,
            size(self.size),
            plural(self.values, "value", "values"),
            size(self.bytes)
        )?;
        for place in &self.left_behind {
            write!(f, "\nleft behind  {place}")?;
        }
        Ok(())
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
