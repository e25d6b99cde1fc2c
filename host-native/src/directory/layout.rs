//! What is where below the directory.

use super::sync_directory;
use crate::core::{Error, Kind, Result, blob::Pointer};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

const MARKER: &str = "littoral-directory";
const VERSION: &str = "littoral directory 1\n";
const PARTS: [&str; 5] = ["blobs", "roots", "temporary", "lock", MARKER];

pub(super) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Recognizes the store at `root`, or makes one where nothing else is.
    pub(super) fn open(root: &Path) -> Result<Self> {
        let layout = Layout {
            root: root.to_owned(),
        };
        match layout.open_or_make() {
            Ok(()) => Ok(layout),
            Err(error) => Err(error.context(root.display())),
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Where a blob is, or would be.
    pub(super) fn blob(&self, pointer: &Pointer) -> PathBuf {
        let name = pointer.to_string();
        let mut path = self.root.join("blobs");
        path.push(name.get(..2).unwrap_or_default());
        path.push(name);
        path
    }

    /// The blobs whose pointer starts with `byte`, in order. What else somebody put there is left alone.
    pub(super) fn blobs_below(&self, byte: u8) -> Result<Vec<Pointer>> {
        let directory = self.root.join("blobs").join(format!("{byte:02x}"));
        let read = || -> io::Result<Vec<Pointer>> {
            let mut pointers = Vec::new();
            for entry in fs::read_dir(&directory)? {
                if let Some(name) = entry?.file_name().to_str()
                    && let Ok(pointer) = name.parse::<Pointer>()
                    && pointer.to_string() == name
                    && pointer.as_bytes()[0] == byte
                {
                    pointers.push(pointer);
                }
            }
            pointers.sort_unstable();
            Ok(pointers)
        };
        read().or_else(|error| {
            self.check_is_there()?;
            Err(Error::from(error).context(directory.display()))
        })
    }

    /// Where a root is, or would be.
    pub(super) fn root_file(&self, name: &str) -> PathBuf {
        self.roots().join(Pointer::of(name.as_bytes()).to_string())
    }

    pub(super) fn roots(&self) -> PathBuf {
        self.root.join("roots")
    }

    pub(super) fn temporary(&self) -> PathBuf {
        self.root.join("temporary")
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// Makes the name of the file at `path` survive power loss.
    pub(super) fn sync_parent(&self, path: &Path) -> Result<()> {
        path.parent().map_or(Ok(()), sync_directory)
    }

    /// Tells "this blob is not there" from "the disk is not there any more".
    pub(super) fn check_is_there(&self) -> Result<()> {
        match fs::metadata(self.root.join(MARKER)) {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::new(
                Kind::Transient,
                format!("the store cannot be reached: {error}"),
            )
            .context(self.root.display())
            .with_source(error)),
        }
    }

    fn open_or_make(&self) -> Result<()> {
        match fs::read_to_string(self.root.join(MARKER)) {
            Ok(version) if version == VERSION => return Ok(()),
            Ok(version) => return Err(unknown(&version)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        make_directory(&self.root)?;
        for entry in fs::read_dir(&self.root)? {
            let name = entry?.file_name();
            // A store whose making was cut off is completed.
            if !PARTS.iter().any(|part| name == *part) {
                let message =
                    "is a directory with other things in it; a store needs one of its own";
                return Err(Error::new(Kind::InvalidInput, message));
            }
        }
        for part in ["roots", "temporary", "blobs"] {
            fs::create_dir_all(self.root.join(part))?;
        }
        let blobs = self.root.join("blobs");
        for byte in 0..=u8::MAX {
            fs::create_dir_all(blobs.join(format!("{byte:02x}")))?;
        }
        sync_directory(&blobs)?;
        sync_directory(&self.root)?;
        let mut marker = super::Temporary::create(self)?;
        marker.append(&[VERSION.into()])?;
        marker.publish(&self.root.join(MARKER))
    }
}

/// Makes a directory and those above it that are missing, each with a name that lasts.
fn make_directory(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    make_directory(parent)?;
    match fs::create_dir(path) {
        Ok(()) => {}
        // Another process was faster; or it is a file.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let message = "is a file; this store is a directory";
            return Err(Error::new(Kind::InvalidInput, message));
        }
        Err(error) => return Err(error.into()),
    }
    sync_directory(parent)
}

fn unknown(version: &str) -> Error {
    if version.starts_with("littoral directory ") {
        let message = "was made by a newer version of Littoral";
        return Error::new(Kind::NotImplemented, message);
    }
    Error::new(Kind::Corrupt, format!("the file {MARKER} in it is damaged"))
}
