//! Store to disk.
//!
//! Every directory is held open and every name is one component relative to it, links never
//! followed (`cap-std`): whatever a tree says, nothing outside of the target is touched. A file
//! is written under a temporary name and renamed once it is whole.

use super::{
    Directory, Entry, EntryKind, MAX_DEPTH, Problem, Step, WHOLE, flush::flush, lanes::Lanes,
    name::os_target, show_path,
};
use crate::block_on;
use blocking::{Task, unblock};
use cap_fs_ext::DirExt;
use cap_std::{
    ambient_authority,
    fs::{Dir, File, OpenOptions},
};
use littoral_core::{
    Error, Kind, Result,
    blob::{BlobStore, Pointer},
    engine::Durability,
};
use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// How a tree is exported.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExportOptions {
    /// What to do about files that are there.
    pub existing: Existing,
    /// `Strict`: everything survives power loss once the call has returned. Anything weaker: the system
    /// writes it to the disk when it sees fit.
    pub durability: Durability,
    /// Files that are fetched and written at the same time. At least 1.
    pub in_flight: usize,
}

impl Default for ExportOptions {
    fn default() -> Self {
        ExportOptions {
            existing: Existing::Refuse,
            durability: Durability::Strict,
            in_flight: 32,
        }
    }
}

/// What an export does about a target that is not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// `AlreadyExists`, before anything is written.
    Refuse,
    /// Files and links of the tree's names are replaced, directories are gone into, the rest stays.
    Replace,
}

/// What an export did.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Exported {
    /// Files and symbolic links written.
    pub files: u64,
    /// Directories, the top one included.
    pub directories: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Files that were there with the same bytes, and were left alone. Counted in `files` too.
    pub unchanged: u64,
    /// What could not be restored.
    pub problems: Vec<Problem>,
}

/// Writes the tree that `pointer` names into the directory `target`, which is made if it is not there.
///
/// Once it has returned, everything survives power loss, unless asked otherwise. What cannot be read from the store, or
/// not be called that on this system, is in [`Exported::problems`], and the rest goes on.
///
/// Dropping the future stops it; files that are there are whole.
///
/// # Errors
/// `AlreadyExists` for a target that is not empty, unless told otherwise; `InvalidInput` when `pointer` is not a
/// directory of a tree; what stops everything: a store that cannot be reached, a full disk.
pub async fn export<S>(
    store: &S,
    pointer: Pointer,
    target: &Path,
    options: ExportOptions,
    progress: &mut (dyn FnMut(Step) + Send),
) -> Result<Exported>
where
    S: BlobStore + Clone + Send + Sync + 'static,
{
    // Nothing is made on disk for a pointer that is no tree.
    let directory = start_fetching(store, pointer).await?;
    let path = target.to_owned();
    let existing = options.existing;
    let dir = unblock(move || open_target(&path, existing))
        .await
        .map_err(|error| error.context(show_path(target)))?;
    let durability = options.durability;
    let mut export = Export {
        store: store.clone(),
        options,
        lanes: Lanes::default(),
        window: VecDeque::new(),
        done: Exported {
            directories: 1,
            ..Exported::default()
        },
    };
    let top = dir.clone();
    export.tree(dir, directory, progress).await?;
    if durability >= Durability::Strict {
        unblock(move || flush(&top)).await.map_err(|error| {
            Error::from(error).context(format!("{} could not be synced", show_path(target)))
        })?;
    }
    Ok(export.done)
}

struct Export<S> {
    store: S,
    options: ExportOptions,
    lanes: Lanes,
    window: VecDeque<(PathBuf, Task<Result<Written, Failed>>)>,
    done: Exported,
}

/// A directory whose entries are being written.
struct Level {
    dir: Arc<Dir>,
    path: PathBuf,
    /// What is left of it, last first.
    left: Vec<Entry>,
    /// Its next directories, which are fetched while others are written; first come first.
    ahead: VecDeque<Task<Result<Directory>>>,
    /// How many of `left`, from the end, have been looked through for directories to fetch.
    looked: usize,
}

/// Directories of one level that are fetched ahead.
const AHEAD: usize = 16;

struct Written {
    bytes: u64,
    unchanged: bool,
}

/// Why an entry is not on disk.
enum Failed {
    /// Its own fault: the rest goes on.
    Entry(Error),
    /// Nothing else would work either.
    All(Error),
}

impl Failed {
    fn store(error: Error) -> Self {
        match error.kind() {
            Kind::NotFound
            | Kind::Corrupt
            | Kind::InvalidInput
            | Kind::OutOfRange
            | Kind::NotImplemented => Failed::Entry(error),
            _ => Failed::All(error),
        }
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        let error = Error::from(error);
        match error.kind() {
            Kind::Quota | Kind::ReadOnly => Failed::All(error),
            _ => Failed::Entry(error),
        }
    }
}

impl<S> Export<S>
where
    S: BlobStore + Clone + Send + Sync + 'static,
{
    async fn tree(
        &mut self,
        dir: Arc<Dir>,
        directory: Directory,
        progress: &mut (dyn FnMut(Step) + Send),
    ) -> Result<()> {
        let mut stack = vec![Level::new(dir, PathBuf::new(), directory)];
        while let Some(level) = stack.last_mut() {
            let Some((entry, fetching)) = level.take(&self.store) else {
                stack.pop();
                progress(Step::Directory);
                continue;
            };
            let path = match entry.name.to_path() {
                Ok(name) => level.path.join(name),
                Err(error) => {
                    let path = level.path.join(entry.name.to_string());
                    self.done.problems.push(Problem { path, error });
                    continue;
                }
            };
            let dir = level.dir.clone();
            if let Some(fetching) = fetching {
                let depth = stack.len();
                if let Some(level) = self.enter(dir, entry, path, depth, fetching).await? {
                    stack.push(level);
                }
            } else {
                self.start(dir, entry, path);
                while self.window.len() >= self.options.in_flight.max(1) {
                    self.finish_one(progress).await?;
                }
            }
        }
        while !self.window.is_empty() {
            self.finish_one(progress).await?;
        }
        Ok(())
    }

    async fn enter(
        &mut self,
        dir: Arc<Dir>,
        entry: Entry,
        path: PathBuf,
        depth: usize,
        fetching: Task<Result<Directory>>,
    ) -> Result<Option<Level>> {
        if depth >= MAX_DEPTH {
            let why = format!("directories deeper than {MAX_DEPTH} are not exported");
            let error = Error::new(Kind::InvalidInput, why);
            self.done.problems.push(Problem { path, error });
            return Ok(None);
        }
        let directory = match fetching.await {
            Ok(directory) => directory,
            Err(error) => return self.failed(path, Failed::store(error)).map(|()| None),
        };
        let existing = self.options.existing;
        let made = unblock(move || make_directory(&dir, &entry, existing));
        match made.await {
            Ok(dir) => {
                self.done.directories += 1;
                Ok(Some(Level::new(Arc::new(dir), path, directory)))
            }
            Err(failed) => self.failed(path, failed).map(|()| None),
        }
    }

    fn start(&mut self, dir: Arc<Dir>, entry: Entry, path: PathBuf) {
        let (store, existing) = (self.store.clone(), self.options.existing);
        let lanes = self.lanes.clone();
        let task = unblock(move || {
            let _lane = (entry.size > WHOLE).then(|| lanes.take());
            match entry.kind {
                EntryKind::Symlink => write_symlink(&store, &dir, &entry, existing),
                _ => write_file(&store, &dir, &entry, existing),
            }
        });
        self.window.push_back((path, task));
    }

    async fn finish_one(&mut self, progress: &mut (dyn FnMut(Step) + Send)) -> Result<()> {
        let Some((path, task)) = self.window.pop_front() else {
            return Ok(());
        };
        match task.await {
            Ok(written) => {
                self.done.files += 1;
                self.done.bytes = self.done.bytes.saturating_add(written.bytes);
                self.done.unchanged += u64::from(written.unchanged);
                progress(Step::File(written.bytes));
                Ok(())
            }
            Err(failed) => self.failed(path, failed),
        }
    }

    fn failed(&mut self, path: PathBuf, failed: Failed) -> Result<()> {
        match failed {
            Failed::Entry(error) => {
                self.done.problems.push(Problem { path, error });
                Ok(())
            }
            Failed::All(error) => Err(error.context(show_path(&path))),
        }
    }
}

impl Level {
    fn new(dir: Arc<Dir>, path: PathBuf, directory: Directory) -> Self {
        Level {
            dir,
            path,
            left: directory.entries().iter().rev().cloned().collect(),
            ahead: VecDeque::new(),
            looked: 0,
        }
    }

    /// The next entry, and if it is a directory, what fetches it.
    fn take<S>(&mut self, store: &S) -> Option<(Entry, Option<Task<Result<Directory>>>)>
    where
        S: BlobStore + Clone + Send + Sync + 'static,
    {
        self.fetch_ahead(store);
        let entry = self.left.pop()?;
        self.looked = self.looked.saturating_sub(1);
        let fetching = (entry.kind == EntryKind::Directory).then(|| {
            let begun = self.ahead.pop_front();
            begun.unwrap_or_else(|| start_fetching(store, entry.pointer))
        });
        Some((entry, fetching))
    }

    /// Begins to fetch the next directories, as each costs a way to the remote and back.
    fn fetch_ahead<S>(&mut self, store: &S)
    where
        S: BlobStore + Clone + Send + Sync + 'static,
    {
        while self.ahead.len() < AHEAD {
            let Some(entry) = self.left.iter().rev().nth(self.looked) else {
                return;
            };
            self.looked += 1;
            if entry.kind == EntryKind::Directory {
                self.ahead.push_back(start_fetching(store, entry.pointer));
            }
        }
    }
}

fn start_fetching<S>(store: &S, pointer: Pointer) -> Task<Result<Directory>>
where
    S: BlobStore + Clone + Send + Sync + 'static,
{
    let store = store.clone();
    unblock(move || block_on(fetch_directory(&store, &pointer)))
}

/// The directory that `pointer` names, if it is one.
async fn fetch_directory<S: BlobStore>(store: &S, pointer: &Pointer) -> Result<Directory> {
    let stat = store.stat(pointer).await?.ok_or_else(|| missing(pointer))?;
    if stat.size > Directory::MAX_ENCODED as u64 {
        return Err(Error::new(
            Kind::InvalidInput,
            format!("{pointer} is not a directory of a tree: it is too large for one"),
        ));
    }
    Directory::parse(&store.get(pointer).await?).map_err(|error| error.context(pointer))
}

fn missing(pointer: &Pointer) -> Error {
    Error::new(Kind::NotFound, format!("there is no blob {pointer}"))
}

fn open_target(path: &Path, existing: Existing) -> Result<Arc<Dir>> {
    std::fs::create_dir_all(path)?;
    let dir = Dir::open_ambient_dir(path, ambient_authority())?;
    if existing == Existing::Refuse && dir.entries()?.next().is_some() {
        return Err(Error::new(
            Kind::AlreadyExists,
            "the directory is not empty",
        ));
    }
    Ok(Arc::new(dir))
}

fn make_directory(parent: &Dir, entry: &Entry, existing: Existing) -> Result<Dir, Failed> {
    let name = entry.name.to_path().map_err(Failed::Entry)?;
    match parent.create_dir(name) {
        Ok(()) => {}
        // What is there may only be a real directory: `open_dir_nofollow` sees to it.
        Err(error)
            if error.kind() == io::ErrorKind::AlreadyExists && existing == Existing::Replace => {}
        Err(error) => return Err(error.into()),
    }
    Ok(parent.open_dir_nofollow(name)?)
}

fn write_file<S: BlobStore>(
    store: &S,
    dir: &Dir,
    entry: &Entry,
    existing: Existing,
) -> Result<Written, Failed> {
    let name = entry.name.to_path().map_err(Failed::Entry)?;
    check_free(dir, name, existing)?;
    let unchanged = existing == Existing::Replace && is_there(dir, name, entry);
    if !unchanged {
        let mut temporary = Temporary::create(dir, entry.kind)?;
        temporary.fill(store, entry)?;
        temporary.rename(name)?;
    }
    Ok(Written {
        bytes: entry.size,
        unchanged,
    })
}

fn write_symlink<S: BlobStore>(
    store: &S,
    dir: &Dir,
    entry: &Entry,
    existing: Existing,
) -> Result<Written, Failed> {
    const LONGEST: u64 = 64 << 10;
    let name = entry.name.to_path().map_err(Failed::Entry)?;
    check_free(dir, name, existing)?;
    if entry.size > LONGEST {
        let why = "the link's target is longer than 64 KiB";
        return Err(Failed::Entry(Error::new(Kind::InvalidInput, why)));
    }
    let bytes = block_on(store.get_range(&entry.pointer, 0..LONGEST)).map_err(Failed::store)?;
    let target = os_target(&bytes).filter(|_| !bytes.is_empty() && !bytes.contains(&0));
    let target = target.ok_or_else(|| {
        let why = "the link's target cannot be one on this system";
        Failed::Entry(Error::new(Kind::InvalidInput, why))
    })?;
    let temporary = unused_name();
    symlink(dir, target, Path::new(&temporary))?;
    if let Err(error) = dir.rename(&temporary, dir, name) {
        let _ = dir.remove_file(&temporary);
        return Err(error.into());
    }
    Ok(Written {
        bytes: entry.size,
        unchanged: false,
    })
}

#[cfg(unix)]
fn symlink(dir: &Dir, target: &Path, name: &Path) -> io::Result<()> {
    dir.symlink_contents(target, name)
}

/// Windows wants to know what the link will lead to; a file is the usual case.
#[cfg(windows)]
fn symlink(dir: &Dir, target: &Path, name: &Path) -> io::Result<()> {
    DirExt::symlink_file(dir, target, name)
}

/// A rename replaces what has the name: look before. Two entries never have one name, so nobody
/// of this export comes in between, save on a disk that does not tell upper from lower case.
fn check_free(dir: &Dir, name: &Path, existing: Existing) -> Result<(), Failed> {
    match dir.symlink_metadata(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) if existing == Existing::Refuse => Err(Failed::Entry(Error::new(
            Kind::AlreadyExists,
            "there is something of this name already",
        ))),
        Ok(there) if there.is_dir() => Err(Failed::Entry(Error::new(
            Kind::AlreadyExists,
            "a directory has this name already",
        ))),
        Ok(_) => Ok(()),
    }
}

/// Whether the file is there with the bytes and kind that it shall have.
fn is_there(dir: &Dir, name: &Path, entry: &Entry) -> bool {
    let same_kind = dir.symlink_metadata(name).is_ok_and(|there| {
        there.is_file() && there.len() == entry.size && is_executable(&there, entry.kind)
    });
    same_kind
        && dir
            .open(name)
            .and_then(hash)
            .is_ok_and(|pointer| pointer == entry.pointer)
}

#[cfg(unix)]
fn is_executable(there: &cap_std::fs::Metadata, wanted: EntryKind) -> bool {
    use cap_std::fs::PermissionsExt;
    let executable = there.permissions().mode() & 0o111 != 0;
    executable == (wanted == EntryKind::Executable)
}

#[cfg(not(unix))]
fn is_executable(_there: &cap_std::fs::Metadata, _wanted: EntryKind) -> bool {
    true
}

fn hash(mut file: File) -> io::Result<Pointer> {
    use sha2::{Digest, Sha256};
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Pointer::from_bytes(hasher.finalize().into())),
            more => hasher.update(buffer.get(..more).unwrap_or_default()),
        }
    }
}

/// A file that is not whole yet; removed unless it is renamed.
struct Temporary<'a> {
    dir: &'a Dir,
    name: Option<String>,
    file: File,
}

impl<'a> Temporary<'a> {
    fn create(dir: &'a Dir, kind: EntryKind) -> io::Result<Self> {
        let name = unused_name();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        set_mode(&mut options, kind);
        let file = dir.open_with(&name, &options)?;
        Ok(Temporary {
            dir,
            name: Some(name),
            file,
        })
    }

    fn fill<S: BlobStore>(&mut self, store: &S, entry: &Entry) -> Result<(), Failed> {
        if entry.size <= WHOLE {
            let bytes = block_on(store.get_range(&entry.pointer, 0..WHOLE + 1));
            let bytes = bytes.map_err(Failed::store)?;
            check_size(entry, bytes.len() as u64)?;
            return Ok(self.file.write_all(&bytes)?);
        }
        let stat = block_on(store.stat(&entry.pointer)).map_err(Failed::store)?;
        let stat = stat.ok_or_else(|| Failed::Entry(missing(&entry.pointer)))?;
        check_size(entry, stat.size)?;
        let mut at = 0;
        while at < entry.size {
            let end = at.saturating_add(4 << 20).min(entry.size);
            let bytes = block_on(store.get_range(&entry.pointer, at..end));
            let bytes = bytes.map_err(Failed::store)?;
            check_range(end - at, bytes.len() as u64)?;
            self.file.write_all(&bytes)?;
            at = end;
        }
        Ok(())
    }

    fn rename(mut self, name: &Path) -> io::Result<()> {
        if let Some(temporary) = &self.name {
            self.dir.rename(temporary, self.dir, name)?;
            self.name = None;
        }
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let _ = self.dir.remove_file(name);
        }
    }
}

fn check_size(entry: &Entry, found: u64) -> Result<(), Failed> {
    if found == entry.size {
        return Ok(());
    }
    let why = format!(
        "the tree says {} bytes, the blob {} has {found}",
        entry.size, entry.pointer
    );
    Err(Failed::Entry(Error::new(Kind::Corrupt, why)))
}

fn check_range(wanted: u64, found: u64) -> Result<(), Failed> {
    if found == wanted {
        return Ok(());
    }
    let why = format!("{wanted} bytes were asked for, {found} came");
    Err(Failed::Entry(Error::new(Kind::Corrupt, why)))
}

/// A name that nobody else has: two exports into one directory do not meet.
fn unused_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    use std::hash::{BuildHasher, RandomState};
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let chance = RandomState::new().hash_one(next);
    format!(".littoral-{chance:016x}-{next:x}.part")
}

#[cfg(unix)]
fn set_mode(options: &mut OpenOptions, kind: EntryKind) {
    use cap_std::fs::OpenOptionsExt;
    // The user's umask takes away what others shall not do.
    options.mode(if kind == EntryKind::Executable {
        0o777
    } else {
        0o666
    });
}

#[cfg(not(unix))]
fn set_mode(_options: &mut OpenOptions, _kind: EntryKind) {}
