//! Two directories on disk, byte for byte.

use super::{
    Selection, Step,
    walk::{Event, Walk},
};
use littoral_core::Result;
use std::{
    fs::{self, File, Metadata},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// What a comparison found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Compared {
    /// Files and symbolic links that are the same on both sides.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is not.
    pub differences: Vec<Difference>,
}

/// One thing that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where, relative to both.
    pub path: PathBuf,
    /// What is different.
    pub what: String,
}

/// Compares what `selection` takes of the directory `expected` with all of the directory `found`.
/// Blocks: run it on a thread.
///
/// # Errors
/// When one of the two is no directory that can be read.
pub fn compare(
    expected: &Path,
    selection: Selection,
    found: &Path,
    mut progress: impl FnMut(Step),
) -> Result<Compared> {
    let mut compared = Compared::default();
    let mut entries = 0u64;
    for event in Walk::new(expected, selection) {
        let (path, size) = match event {
            Event::Leave | Event::Special { .. } => continue,
            Event::Problem(problem) if problem.path.as_os_str().is_empty() => {
                return Err(problem.error.context(super::show_path(expected)));
            }
            Event::Problem(problem) => {
                compared.differ(problem.path, problem.error.to_string());
                continue;
            }
            Event::Enter { path } => (path, None),
            Event::File { path, size } => (path, Some(size)),
            Event::Symlink { path } => {
                // As importing counts it: the bytes of its target's name.
                let link = fs::symlink_metadata(expected.join(&path));
                let size = link.map_or(0, |link| link.len());
                (path, Some(size))
            }
        };
        entries += 1;
        match entry(&expected.join(&path), &found.join(&path)) {
            Ok(()) => {
                if let Some(size) = size {
                    compared.files += 1;
                    compared.bytes += size;
                    progress(Step::File(size));
                }
            }
            Err(what) => compared.differ(path, what),
        }
    }
    more_than(entries, found, &mut compared)?;
    Ok(compared)
}

impl Compared {
    fn differ(&mut self, path: PathBuf, what: impl Into<String>) {
        let what = what.into();
        self.differences.push(Difference { path, what });
    }
}

/// Everything expected is there; what is there beyond that shows in the count.
fn more_than(entries: u64, found: &Path, compared: &mut Compared) -> Result<()> {
    let mut there = 0u64;
    for event in Walk::new(found, Selection::default()) {
        match event {
            Event::Leave => {}
            Event::Problem(problem) if problem.path.as_os_str().is_empty() => {
                return Err(problem.error.context(super::show_path(found)));
            }
            _ => there += 1,
        }
    }
    let missing = compared.differences.len() as u64;
    if there > entries && missing == 0 {
        let what = format!("{} entries too many", there - entries);
        compared.differ(PathBuf::new(), what);
    }
    Ok(())
}

fn entry(expected: &Path, found: &Path) -> Result<(), String> {
    let read = |path: &Path| fs::symlink_metadata(path).map_err(|error| error.to_string());
    let (left, right) = (read(expected)?, read(found)?);
    if kind(&left) != kind(&right) {
        return Err(format!("{} instead of {}", kind(&right), kind(&left)));
    }
    let same = if left.is_symlink() {
        fs::read_link(expected).and_then(|left| Ok(left == fs::read_link(found)?))
    } else if left.is_file() {
        same_bytes(expected, found)
    } else {
        Ok(true)
    };
    match same {
        Ok(true) => Ok(()),
        Ok(false) => Err("other bytes".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn kind(metadata: &Metadata) -> &'static str {
    if metadata.is_dir() {
        "a directory"
    } else if metadata.is_symlink() {
        "a symbolic link"
    } else if !metadata.is_file() {
        "something else"
    } else if is_executable(metadata) {
        "an executable file"
    } else {
        "a file"
    }
}

#[cfg(unix)]
fn is_executable(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_metadata: &Metadata) -> bool {
    false
}

fn same_bytes(left: &Path, right: &Path) -> io::Result<bool> {
    let (mut left, mut right) = (File::open(left)?, File::open(right)?);
    let (mut ours, mut theirs) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        let one = fill(&mut left, &mut ours)?;
        let other = fill(&mut right, &mut theirs)?;
        if ours.get(..one) != theirs.get(..other) {
            return Ok(false);
        }
        if one == 0 {
            return Ok(true);
        }
    }
}

/// Reads until the buffer is full or the file ends, so that both sides are read in equal pieces.
fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            more => filled += more,
        }
    }
    Ok(filled)
}
