//! Blobs: `put cat get stat ls rm`.

use super::{
    args::{Cat, Get, Global, Here, Ls, Pointers, Put, Rm},
    exit::{Exit, Failure},
    files::{folder, sync_folder},
    home::{Home, Needs},
    input::Input,
    output::{Output, size},
    progress, queue,
};
use littoral::core::{
    Error, Kind,
    blob::{BlobStore, Pointer},
    engine::Durability,
};
use serde::Serialize;
use std::{
    fmt,
    io::{self, Write},
    path::Path,
};

/// Bytes that are read and written at a time.
const PIECE: u64 = 4 << 20;

pub async fn put(args: &Put, global: &Global, output: Output) -> Result<Exit, Failure> {
    let input = Input::open(&args.file, output).map_err(|error| {
        let is_directory = error.kind() == Kind::InvalidInput;
        let failure = Failure::from(error);
        match is_directory {
            true => failure.hint("`littoral import DIR` stores a directory"),
            false => failure,
        }
    })?;
    let home = Home::open(global, Needs::changing(args.wait.wait)).await?;
    let receipt = home.pair.put_stream(input).await?;
    receipt.wait(Durability::Strict).await?;
    let pointer = receipt.pointer();
    drop(receipt);
    let size = known(&home, &pointer).await?;
    output.result(&Stored {
        pointer: pointer.to_string(),
        size,
    })?;
    queue::finish(home, args.wait.wait, global, output).await
}

pub async fn cat(args: &Cat, global: &Global, output: Output) -> Result<Exit, Failure> {
    let home = Home::open(global, Needs::reading()).await?;
    let size = known(&home, &args.pointer).await?;
    let mut at = 0;
    while at < size {
        let end = at.saturating_add(PIECE).min(size);
        output.bytes(&home.pair.get_range(&args.pointer, at..end).await?)?;
        at = end;
    }
    home.close().await?;
    Ok(Exit::DONE)
}

pub async fn get(args: &Get, global: &Global, output: Output) -> Result<Exit, Failure> {
    let file = &args.file;
    if file == Path::new("-") {
        let message = "`-` is no file";
        return Err(Failure::new(Kind::InvalidInput, message)
            .hint("`littoral cat` writes to standard output; a file of that name is `./-`"));
    }
    if !folder(file).is_dir() {
        let message = format!("there is no directory {}", folder(file).display());
        return Err(Failure::new(Kind::NotFound, message));
    }
    if !args.replace && file.symlink_metadata().is_ok() {
        let message = format!("{} is there already", file.display());
        return Err(
            Failure::new(Kind::AlreadyExists, message).hint("give --replace, or another name")
        );
    }
    let home = Home::open(global, Needs::reading()).await?;
    let size = known(&home, &args.pointer).await?;
    let named = |error: io::Error| Error::from(error).context(file.display());
    let mut whole = Whole::beside(file).map_err(named)?;
    let bar = progress::bytes(output, "writing", size);
    let mut at = 0;
    while at < size {
        let end = at.saturating_add(PIECE).min(size);
        let bytes = home.pair.get_range(&args.pointer, at..end).await?;
        whole.0.write_all(&bytes).map_err(named)?;
        bar.inc(end - at);
        at = end;
    }
    bar.finish_and_clear();
    whole.become_file(file, args.replace).map_err(named)?;
    output.result(&Written {
        pointer: args.pointer.to_string(),
        file: file.display().to_string(),
        size,
    })?;
    home.close().await?;
    Ok(Exit::DONE)
}

pub async fn stat(args: &Pointers, global: &Global, output: Output) -> Result<Exit, Failure> {
    let home = Home::open(global, Needs::reading()).await?;
    let mut missing = None;
    for pointer in &args.pointers {
        match home.pair.stat(pointer).await {
            Ok(Some(stat)) => output.result(&Known {
                pointer: pointer.to_string(),
                size: stat.size,
                chunks: stat.chunks,
            })?,
            Ok(None) => missing = Some(home.asked(not_there(pointer))),
            Err(error) => return Err(error.into()),
        }
    }
    home.close().await?;
    match missing {
        Some(failure) => Err(failure),
        None => Ok(Exit::DONE),
    }
}

pub async fn ls(args: &Ls, global: &Global, output: Output) -> Result<Exit, Failure> {
    if args.root.is_some() {
        return super::tree::ls(args, global, output).await;
    }
    let home = args.here.open(global).await?;
    let mut left = args.limit.unwrap_or(u64::MAX);
    let mut after = args.after;
    while left > 0 {
        let page = usize::try_from(left.min(1000)).unwrap_or(1000);
        let blobs = home.pair.list(after, page).await.map_err(or_here)?;
        let Some(last) = blobs.last() else { break };
        after = Some(last.pointer);
        for blob in blobs.iter().take(page) {
            left -= 1;
            output.result(&Listed {
                pointer: blob.pointer.to_string(),
                size: blob.size,
            })?;
        }
    }
    home.close().await?;
    Ok(Exit::DONE)
}

pub async fn rm(args: &Rm, global: &Global, output: Output) -> Result<Exit, Failure> {
    let home = Home::open(global, Needs::changing(args.wait.wait)).await?;
    let mut missing = None;
    for pointer in &args.pointers.pointers {
        let here = home.pair.fast().stat(pointer).await?.is_some();
        // Without anybody to ask, what is not here is not anywhere.
        let may_be_there = home.has_remote || home.pair.stat(pointer).await?.is_some();
        let deleted = may_be_there && home.pair.delete(pointer).await?;
        if !deleted {
            missing = Some(not_there(pointer));
        }
        output.result(&Deleted {
            pointer: pointer.to_string(),
            deleted,
            here,
        })?;
    }
    let exit = queue::finish(home, args.wait.wait, global, output).await?;
    match missing {
        Some(failure) => Err(failure),
        None => Ok(exit),
    }
}

/// The size of a blob that has to be there.
async fn known(home: &Home, pointer: &Pointer) -> Result<u64, Failure> {
    match home.pair.stat(pointer).await {
        Ok(Some(stat)) => Ok(stat.size),
        Ok(None) => Err(home.asked(not_there(pointer))),
        Err(error) => Err(error.into()),
    }
}

impl Here {
    /// The store for a list: with the remote, or without.
    pub async fn open(&self, global: &Global) -> Result<Home, Failure> {
        match self.here {
            true => Home::open_here(global).await,
            false => Home::open(global, Needs::reading()).await,
        }
    }
}

/// Why there is no list; where the remote is why, with what can be listed all the same.
pub fn or_here(error: Error) -> Failure {
    let passes = matches!(error.kind(), Kind::Transient | Kind::Timeout);
    let failure = Failure::from(error);
    match passes {
        true => failure.hint("`--here` lists what is in the store, without asking the remote"),
        false => failure,
    }
}

pub fn not_there(pointer: &Pointer) -> Failure {
    Failure::new(Kind::NotFound, format!("there is no blob {pointer}"))
}

/// A file that appears under its name only when it is whole and on disk.
struct Whole(tempfile::NamedTempFile);

impl Whole {
    fn beside(file: &Path) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".littoral-").suffix(".part");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // The user's umask decides, as for any file that a program makes.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        builder.tempfile_in(folder(file)).map(Whole)
    }

    fn become_file(self, file: &Path, replace: bool) -> io::Result<()> {
        self.0.as_file().sync_all()?;
        match replace {
            true => self.0.persist(file)?,
            false => self.0.persist_noclobber(file)?,
        };
        sync_folder(file)
    }
}

#[derive(Serialize)]
struct Stored {
    pointer: String,
    size: u64,
}

impl fmt::Display for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pointer)
    }
}

#[derive(Serialize)]
struct Written {
    pointer: String,
    file: String,
    size: u64,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", self.file, size(self.size))
    }
}

#[derive(Serialize)]
struct Known {
    pointer: String,
    size: u64,
    chunks: u32,
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Known {
            pointer,
            size,
            chunks,
        } = self;
        match chunks {
            1 => write!(f, "{pointer}  {size} bytes"),
            _ => write!(f, "{pointer}  {size} bytes in {chunks} chunks"),
        }
    }
}

#[derive(Serialize)]
struct Listed {
    pointer: String,
    size: u64,
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", self.pointer, self.size)
    }
}

#[derive(Serialize)]
struct Deleted {
    pointer: String,
    deleted: bool,
    /// It was here. If not, the remote may not have had it either, if it was silent.
    here: bool,
}

impl fmt::Display for Deleted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.deleted {
            true if self.here => write!(f, "deleted  {}", self.pointer),
            true => write!(f, "not here; deletion queued  {}", self.pointer),
            false => write!(f, "not there  {}", self.pointer),
        }
    }
}
