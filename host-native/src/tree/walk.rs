//! A directory on disk, in the order in which it is imported: what is in a directory comes between
//! its `Enter` and its `Leave`.

use super::{MAX_DEPTH, Problem};
use littoral_core::{Error, Kind};
use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs::{self, FileType, Metadata},
    path::{Path, PathBuf},
};

/// Which part of a directory is meant.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only these entries of the top directory; `None` is all of them.
    pub only: Option<BTreeSet<OsString>>,
    /// Never these files and directories, such as the store itself.
    pub except: Vec<PathBuf>,
}

/// How much a directory holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Measured {
    /// Files and symbolic links.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Counts what [`import`](super::import) of `top` would read, calling `so_far` now and then with the
/// count so far. Blocks: run it on a thread. What cannot be read counts nothing.
pub fn measure(top: &Path, selection: Selection, mut so_far: impl FnMut(Measured)) -> Measured {
    let mut measured = Measured::default();
    for event in Walk::new(top, selection) {
        match event {
            Event::File { size, .. } => {
                measured.files += 1;
                measured.bytes += size;
            }
            Event::Symlink { .. } => measured.files += 1,
            Event::Leave => so_far(measured),
            Event::Enter { .. } | Event::Special { .. } | Event::Problem(_) => {}
        }
    }
    measured
}

/// One step of a walk. Paths are relative to the top.
#[derive(Debug)]
pub(super) enum Event {
    Enter {
        path: PathBuf,
    },
    Leave,
    File {
        path: PathBuf,
        size: u64,
    },
    Symlink {
        path: PathBuf,
    },
    /// A socket, pipe or device: it has no bytes to keep.
    Special {
        path: PathBuf,
        what: &'static str,
    },
    Problem(Problem),
}

pub(super) struct Walk {
    top: PathBuf,
    selection: Selection,
    /// The directories that are open, each with what is left of it, last first.
    stack: Vec<Level>,
    started: bool,
}

struct Level {
    path: PathBuf,
    left: Vec<OsString>,
}

impl Walk {
    pub fn new(top: &Path, mut selection: Selection) -> Self {
        for path in &mut selection.except {
            if let Ok(whole) = path.canonicalize() {
                *path = whole;
            }
        }
        Walk {
            top: top.to_owned(),
            selection,
            stack: Vec::new(),
            started: false,
        }
    }

    fn enter(&mut self, path: PathBuf) -> Event {
        if self.stack.len() >= MAX_DEPTH {
            let why = format!("directories deeper than {MAX_DEPTH} are not imported");
            return problem(path, Error::new(Kind::InvalidInput, why));
        }
        match self.names(&path) {
            Ok(left) => {
                self.stack.push(Level {
                    path: path.clone(),
                    left,
                });
                Event::Enter { path }
            }
            Err(error) => problem(path, error.into()),
        }
    }

    /// The names in a directory, last first.
    fn names(&self, path: &Path) -> std::io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.top.join(path))? {
            let name = entry?.file_name();
            let selected = match &self.selection.only {
                Some(only) if self.stack.is_empty() => only.contains(&name),
                _ => true,
            };
            if selected {
                names.push(name);
            }
        }
        names.sort_unstable_by(|a, b| b.cmp(a));
        Ok(names)
    }

    fn entry(&mut self, path: PathBuf) -> Option<Event> {
        let full = self.top.join(&path);
        if self.is_excepted(&full) {
            return None;
        }
        let metadata = match fs::symlink_metadata(&full) {
            Ok(metadata) => metadata,
            Err(error) => return Some(problem(path, error.into())),
        };
        Some(self.sort(path, &metadata))
    }

    fn sort(&mut self, path: PathBuf, metadata: &Metadata) -> Event {
        let kind = metadata.file_type();
        if kind.is_dir() {
            self.enter(path)
        } else if kind.is_symlink() {
            Event::Symlink { path }
        } else if kind.is_file() {
            Event::File {
                path,
                size: metadata.len(),
            }
        } else {
            Event::Special {
                path,
                what: special(kind),
            }
        }
    }

    fn is_excepted(&self, full: &Path) -> bool {
        self.selection.except.iter().any(|except| {
            except.file_name() == full.file_name()
                && full.canonicalize().is_ok_and(|full| full == *except)
        })
    }
}

impl Iterator for Walk {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        if !self.started {
            self.started = true;
            return Some(self.enter(PathBuf::new()));
        }
        loop {
            let level = self.stack.last_mut()?;
            match level.left.pop() {
                Some(name) => {
                    let path = level.path.join(name);
                    if let Some(event) = self.entry(path) {
                        return Some(event);
                    }
                }
                None => {
                    self.stack.pop();
                    return Some(Event::Leave);
                }
            }
        }
    }
}

fn problem(path: PathBuf, error: Error) -> Event {
    Event::Problem(Problem { path, error })
}

#[cfg(unix)]
fn special(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_socket() {
        "a socket"
    } else if kind.is_fifo() {
        "a pipe"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn special(_kind: FileType) -> &'static str {
    "neither a file nor a directory"
}
