//! Named roots, one file each: 64 hex digits of the SHA-256 of the rest, a line feed, 64 hex digits of where the root
//! points, a line feed, its name.
//!
//! A root is moved under an exclusive lock that all processes share, and read without one: a rename replaces it at once.

use super::{DirectoryBlobs, Inner, Temporary};
use crate::core::{
    Error, Kind, Result,
    blob::{MAX_ROOT_NAME, Pointer, RootStore, check_root_name},
};
use std::{
    fs::{self, OpenOptions},
    io::{self, Read},
    path::Path,
};

impl RootStore for DirectoryBlobs {
    async fn root(&self, name: &str) -> Result<Option<Pointer>> {
        check_root_name(name)?;
        let name = name.to_owned();
        self.run(move |inner| inner.root(&name)).await
    }

    /// If the future is dropped, the root is moved or it is not.
    async fn move_root(
        &self,
        name: &str,
        from: Option<Pointer>,
        to: Option<Pointer>,
    ) -> Result<()> {
        check_root_name(name)?;
        let name = name.to_owned();
        self.run(move |inner| inner.move_root(&name, from, to))
            .await
    }

    /// Reads all roots, for their files are not in the order of their names.
    async fn roots(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, Pointer)>> {
        let after = after.map(str::to_owned);
        self.run(move |inner| {
            let mut roots = inner.all_roots()?;
            roots.retain(|(name, _)| after.as_ref().is_none_or(|after| name > after));
            roots.sort_unstable();
            roots.truncate(limit.max(1));
            Ok(roots)
        })
        .await
    }
}

impl Inner {
    fn root(&self, name: &str) -> Result<Option<Pointer>> {
        let path = self.layout.root_file(name);
        match read(&path)? {
            Some((found, pointer)) if found == name => Ok(Some(pointer)),
            Some(_) => Err(damaged(&path)),
            None => self.layout.check_is_there().map(|()| None),
        }
    }

    fn move_root(&self, name: &str, from: Option<Pointer>, to: Option<Pointer>) -> Result<()> {
        let path = self.layout.root_file(name);
        let _lock = self.lock_roots()?;
        let current = self.root(name)?;
        if current != from && current != to {
            return Err(moved(name, current));
        }
        match to {
            // Where it is already, the process that moved it may not have synced yet.
            _ if current == to => self.layout.sync_parent(&path),
            Some(to) => {
                let mut temporary = Temporary::create(&self.layout)?;
                temporary.append(&[write(name, &to).into()])?;
                temporary.publish(&path)
            }
            None => {
                fs::remove_file(&path)
                    .map_err(|error| Error::from(error).context(path.display()))?;
                self.layout.sync_parent(&path)
            }
        }
    }

    /// Waits for the other movers. The lock is given back when the file is dropped.
    fn lock_roots(&self) -> Result<fs::File> {
        let path = self.layout.lock();
        let lock = || -> io::Result<fs::File> {
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)?;
            file.lock()?;
            Ok(file)
        };
        lock().or_else(|error| {
            self.layout.check_is_there()?;
            Err(Error::from(error).context(path.display()))
        })
    }

    fn all_roots(&self) -> Result<Vec<(String, Pointer)>> {
        let directory = self.layout.roots();
        let failed = |error: io::Error| Error::from(error).context(directory.display());
        let mut roots = Vec::new();
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) => {
                self.layout.check_is_there()?;
                return Err(failed(error));
            }
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let is_root = entry
                .file_name()
                .to_str()
                .is_some_and(|name| name.parse::<Pointer>().is_ok());
            // A root may have been removed since the directory was read.
            if is_root && let Some(root) = read(&entry.path())? {
                roots.push(root);
            }
        }
        Ok(roots)
    }
}

fn write(name: &str, pointer: &Pointer) -> String {
    let rest = format!("{pointer}\n{name}");
    format!("{}\n{rest}", Pointer::of(rest.as_bytes()))
}

fn read(path: &Path) -> Result<Option<(String, Pointer)>> {
    let read = || -> io::Result<String> {
        let mut text = String::new();
        // Two digests, two line feeds, a name: what is longer is damaged.
        let longest = (2 * 65 + MAX_ROOT_NAME) as u64;
        fs::File::open(path)?
            .take(longest + 1)
            .read_to_string(&mut text)?;
        Ok(text)
    };
    match read() {
        Ok(text) => parse(&text).map(Some).ok_or_else(|| damaged(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(damaged(path)),
        Err(error) => Err(Error::from(error).context(path.display())),
    }
}

fn parse(text: &str) -> Option<(String, Pointer)> {
    let (checksum, rest) = text.split_once('\n')?;
    let (pointer, name) = rest.split_once('\n')?;
    let whole = checksum.parse() == Ok(Pointer::of(rest.as_bytes()));
    let pointer = pointer.parse().ok()?;
    whole.then(|| (name.to_owned(), pointer))
}

fn damaged(path: &Path) -> Error {
    Error::new(Kind::Corrupt, "the root in this file is damaged").context(path.display())
}

fn moved(name: &str, current: Option<Pointer>) -> Error {
    let message = match current {
        Some(current) => format!("root {name:?} points at {current} now"),
        None => format!("root {name:?} points nowhere now"),
    };
    Error::new(Kind::Conflict, message)
}
