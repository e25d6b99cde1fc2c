//! Store to disk.
//!
//! Every directory is held open and every name is one component relative to it, links never
//! followed (`cap-std`): whatever a tree says, nothing outside of the target is touched. A file
//! is written under a temporary name and renamed once it is whole.

use super::{
    Directory, Entry, EntryKind, MAX_DEPTH, Problem, Step, WHOLE,
    flush::flush,
    lanes::Lanes,
    show_path,
    write::{Failed, Written, make_directory, missing, write_file, write_symlink},
};
use crate::block_on;
use blocking::{Task, unblock};
use cap_std::{ambient_authority, fs::Dir};
use littoral_core::{
    Error, Kind, Result,
    blob::{BlobStore, Pointer},
    engine::Durability,
};
use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::Arc,
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
