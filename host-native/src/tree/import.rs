//! Disk to store.
//!
//! One thread walks, others read, hash and put; results are taken in the order of the walk, so that
//! a directory is complete, and is put itself, when its `Leave` comes. Memory is bounded by the
//! window of files in flight and by the directories on the current path.

use super::{
    Directory, Entry, EntryKind, Name, Problem, Selection, Step, WHOLE,
    lanes::Lanes,
    name::os_bytes,
    walk::{Event, Walk},
};
use crate::block_on;
use blocking::{Task, Unblock, unblock};
use bytes::Bytes;
use futures::StreamExt;
use littoral_core::{
    Error, Kind, Result,
    blob::{BlobStore, Pointer},
    port::Body,
};
use std::{
    collections::{HashSet, VecDeque},
    fs::{File, Metadata},
    io::Read,
    path::{Path, PathBuf},
};

/// How a directory is imported.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ImportOptions {
    /// Which part of it.
    pub selection: Selection,
    /// Files that are read and put at the same time. At least 1.
    pub in_flight: usize,
}

impl Default for ImportOptions {
    fn default() -> Self {
        ImportOptions {
            selection: Selection::default(),
            in_flight: 32,
        }
    }
}

/// What an import did.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Imported {
    /// The top directory.
    pub pointer: Pointer,
    /// Files and symbolic links.
    pub files: u64,
    /// Directories, the top one included.
    pub directories: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Files with different bytes, and theirs: what is kept of the files.
    pub distinct_files: u64,
    /// See `distinct_files`.
    pub distinct_bytes: u64,
    /// Sockets, pipes and devices, which have no bytes to keep.
    pub skipped: Vec<(PathBuf, &'static str)>,
    /// What could not be read and is therefore missing in the tree.
    pub problems: Vec<Problem>,
}

/// Puts the directory `top` and all that is beneath it into `store`, and returns the pointer that names it.
///
/// What is in the store already is not written again, so an import that was interrupted is
/// continued by starting it again. Symbolic links are kept as links, never followed. A file that
/// changes while it is read is read again, and is a problem if it keeps changing.
/// Every future of the store runs on a thread of its own pool; any executor will do.
///
/// Dropping the future stops it; what was put stays.
///
/// # Errors
/// What the store reports; `InvalidInput` when `top` is not a directory. What merely cannot be
/// read is in [`Imported::problems`].
pub async fn import<S>(
    store: &S,
    top: &Path,
    options: ImportOptions,
    progress: &mut (dyn FnMut(Step) + Send),
) -> Result<Imported>
where
    S: BlobStore + Clone + Send + Sync + 'static,
{
    let (at, whole) = (top.to_owned(), top.to_owned());
    let is_directory = unblock(move || std::fs::metadata(at).map(|found| found.is_dir()));
    if !is_directory
        .await
        .map_err(|error| Error::from(error).context(super::show_path(top)))?
    {
        return Err(Error::new(
            Kind::InvalidInput,
            format!(
                "{} is not a directory: put it as a file",
                super::show_path(top)
            ),
        ));
    }
    let in_flight = options.in_flight.max(1);
    let mut walk = Unblock::with_capacity(256, Walk::new(&whole, options.selection));
    let mut window = VecDeque::new();
    let mut builder = Builder::new(store.clone(), in_flight);
    let lanes = Lanes::default();
    loop {
        while window.len() < in_flight {
            match walk.next().await {
                Some(event) => window.push_back(start(store, top, &lanes, event)),
                None => break,
            }
        }
        match window.pop_front() {
            Some(job) => builder.apply(job, progress).await?,
            None => break,
        }
    }
    builder.finish(top).await
}

/// A step of the walk whose reading and putting has begun.
enum Job {
    Enter(PathBuf),
    Leave,
    Leaf(PathBuf, Task<Result<Leaf, Lost>>),
    Special(PathBuf, &'static str),
    Problem(Problem),
}

/// A file or link that is in the store.
struct Leaf {
    kind: EntryKind,
    size: u64,
    pointer: Pointer,
}

/// Why a file is not in the store.
enum Lost {
    /// The file's own fault: it is left out and reported.
    Unreadable(Error),
    /// The store's: the import ends.
    Store(Error),
}

impl From<std::io::Error> for Lost {
    fn from(error: std::io::Error) -> Self {
        Lost::Unreadable(error.into())
    }
}

fn start<S>(store: &S, top: &Path, lanes: &Lanes, event: Event) -> Job
where
    S: BlobStore + Clone + Send + Sync + 'static,
{
    match event {
        Event::Enter { path } => Job::Enter(path),
        Event::Leave => Job::Leave,
        Event::File { path, .. } => {
            let (store, full, lanes) = (store.clone(), top.join(&path), lanes.clone());
            Job::Leaf(path, unblock(move || put_file(&store, &full, &lanes)))
        }
        Event::Symlink { path } => {
            let (store, full) = (store.clone(), top.join(&path));
            Job::Leaf(path, unblock(move || put_symlink(&store, &full)))
        }
        Event::Special { path, what } => Job::Special(path, what),
        Event::Problem(problem) => Job::Problem(problem),
    }
}

/// Puts directories together as their entries come in.
struct Builder<S> {
    store: S,
    /// The directories on the current path, outermost first.
    open: Vec<(PathBuf, Vec<Entry>)>,
    /// Directories whose put has begun.
    puts: VecDeque<Task<Result<Pointer>>>,
    in_flight: usize,
    top: Option<Pointer>,
    seen: HashSet<Pointer>,
    done: Imported,
}

impl<S> Builder<S>
where
    S: BlobStore + Clone + Send + Sync + 'static,
{
    fn new(store: S, in_flight: usize) -> Self {
        Builder {
            store,
            open: Vec::new(),
            puts: VecDeque::new(),
            in_flight,
            top: None,
            seen: HashSet::new(),
            done: Imported {
                pointer: Pointer::NULL,
                files: 0,
                directories: 0,
                bytes: 0,
                distinct_files: 0,
                distinct_bytes: 0,
                skipped: Vec::new(),
                problems: Vec::new(),
            },
        }
    }

    async fn apply(&mut self, job: Job, progress: &mut (dyn FnMut(Step) + Send)) -> Result<()> {
        match job {
            Job::Enter(path) => self.open.push((path, Vec::new())),
            Job::Leave => {
                self.leave().await?;
                progress(Step::Directory);
            }
            Job::Leaf(path, task) => match task.await {
                Ok(leaf) => {
                    let size = leaf.size;
                    self.leaf(path, leaf);
                    progress(Step::File(size));
                }
                Err(Lost::Unreadable(error)) => self.done.problems.push(Problem { path, error }),
                Err(Lost::Store(error)) => return Err(error.context(super::show_path(&path))),
            },
            Job::Special(path, what) => self.done.skipped.push((path, what)),
            Job::Problem(problem) => self.done.problems.push(problem),
        }
        Ok(())
    }

    fn leaf(&mut self, path: PathBuf, leaf: Leaf) {
        self.done.files += 1;
        self.done.bytes = self.done.bytes.saturating_add(leaf.size);
        if self.seen.insert(leaf.pointer) {
            self.done.distinct_files += 1;
            self.done.distinct_bytes = self.done.distinct_bytes.saturating_add(leaf.size);
        }
        self.add(path, leaf.kind, leaf.size, leaf.pointer);
    }

    fn add(&mut self, path: PathBuf, kind: EntryKind, size: u64, pointer: Pointer) {
        let name = path.file_name().map(Name::from_os);
        match (name, self.open.last_mut()) {
            (Some(Ok(name)), Some((_, entries))) => entries.push(Entry {
                name,
                kind,
                size,
                pointer,
            }),
            (Some(Err(error)), _) => self.done.problems.push(Problem { path, error }),
            // Only the top has no name, and only the top is outside of every directory.
            _ => self.top = Some(pointer),
        }
    }

    async fn leave(&mut self) -> Result<()> {
        let Some((path, entries)) = self.open.pop() else {
            return Ok(());
        };
        let directory =
            Directory::new(entries).map_err(|error| error.context(super::show_path(&path)))?;
        let bytes = directory.encode();
        let pointer = Pointer::of(&bytes);
        self.done.directories += 1;
        self.add(path, EntryKind::Directory, directory.size(), pointer);
        let store = self.store.clone();
        self.puts
            .push_back(unblock(move || block_on(store.put(bytes))));
        while self.puts.len() > self.in_flight {
            self.finish_one_put().await?;
        }
        Ok(())
    }

    async fn finish_one_put(&mut self) -> Result<()> {
        if let Some(put) = self.puts.pop_front() {
            put.await?;
        }
        Ok(())
    }

    async fn finish(mut self, top: &Path) -> Result<Imported> {
        while !self.puts.is_empty() {
            self.finish_one_put().await?;
        }
        match (self.top, self.done.problems.pop()) {
            (Some(pointer), last) => {
                self.done.problems.extend(last);
                self.done.pointer = pointer;
                Ok(self.done)
            }
            (None, Some(problem)) => Err(problem.error.context(super::show_path(top))),
            (None, None) => Err(Error::new(
                Kind::InvalidInput,
                format!("{} is not a directory", super::show_path(top)),
            )),
        }
    }
}

/// How often a file that changes under the reader is read before it is given up.
const ATTEMPTS: usize = 3;

fn put_file<S: BlobStore>(store: &S, path: &Path, lanes: &Lanes) -> Result<Leaf, Lost> {
    for _ in 0..ATTEMPTS {
        let mut file = open_regular(path)?;
        let before = file.metadata()?;
        let (pointer, size) = if before.len() <= WHOLE {
            let mut bytes = Vec::with_capacity(before.len() as usize);
            // One byte more than expected shows that it grew, without reading on for ever.
            Read::by_ref(&mut file)
                .take(before.len() + 1)
                .read_to_end(&mut bytes)?;
            let size = bytes.len() as u64;
            let put = block_on(store.put(bytes.into()));
            (put.map_err(Lost::Store)?, size)
        } else {
            let _lane = lanes.take();
            put_large(store, &mut file, before.len())?
        };
        let after = file.metadata()?;
        if size == before.len() && is_same(&before, &after) {
            return Ok(Leaf {
                kind: kind(&before),
                size,
                pointer,
            });
        }
    }
    Err(Lost::Unreadable(Error::new(
        Kind::Conflict,
        "it changes while it is read: import again when nobody writes to it",
    )))
}

fn put_large<S: BlobStore>(store: &S, file: &mut File, len: u64) -> Result<(Pointer, u64), Lost> {
    let (mut size, mut failed) = (0, None);
    let body = FileBody {
        file,
        left: len,
        read: &mut size,
        failed: &mut failed,
    };
    let put = block_on(store.put_stream(body));
    match (put, failed) {
        (Ok(pointer), _) => Ok((pointer, size)),
        (Err(_), Some(error)) => Err(Lost::Unreadable(error)),
        (Err(error), None) => Err(Lost::Store(error)),
    }
}

fn put_symlink<S: BlobStore>(store: &S, path: &Path) -> Result<Leaf, Lost> {
    let target = std::fs::read_link(path)?;
    let bytes = os_bytes(target.as_os_str())
        .map(Bytes::copy_from_slice)
        .ok_or_else(|| Error::new(Kind::InvalidInput, "the link's target is not Unicode"))
        .map_err(Lost::Unreadable)?;
    Ok(Leaf {
        kind: EntryKind::Symlink,
        size: bytes.len() as u64,
        pointer: block_on(store.put(bytes)).map_err(Lost::Store)?,
    })
}

/// Opens a file that was a regular one a moment ago, without following a link that has taken its
/// place, or waiting for the other end of a pipe that has.
fn open_regular(path: &Path) -> Result<File, Lost> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        options.custom_flags(flags.bits() as i32);
    }
    let file = options.open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        let gone = Error::new(Kind::Conflict, "it is no longer a file");
        Err(Lost::Unreadable(gone))
    }
}

fn is_same(before: &Metadata, after: &Metadata) -> bool {
    before.len() == after.len() && before.modified().ok() == after.modified().ok()
}

#[cfg(unix)]
fn kind(metadata: &Metadata) -> EntryKind {
    use std::os::unix::fs::PermissionsExt;
    if metadata.permissions().mode() & 0o111 == 0 {
        EntryKind::File
    } else {
        EntryKind::Executable
    }
}

#[cfg(not(unix))]
fn kind(_metadata: &Metadata) -> EntryKind {
    EntryKind::File
}

/// A file as a body. Its reads block, so it is only polled on a thread that may.
struct FileBody<'a> {
    file: &'a mut File,
    left: u64,
    read: &'a mut u64,
    /// Tells a failure of the file from one of the store.
    failed: &'a mut Option<Error>,
}

impl Body for FileBody<'_> {
    fn len(&self) -> Option<u64> {
        None
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        let most = self.left.min(256 << 10) as usize;
        let mut bytes = vec![0; most];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read(rest) {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let error = Error::from(error);
                    *self.failed = Some(error.clone());
                    return Err(error);
                }
            }
        }
        bytes.truncate(filled);
        self.left -= filled as u64;
        *self.read += filled as u64;
        Ok((!bytes.is_empty()).then(|| bytes.into()))
    }
}
