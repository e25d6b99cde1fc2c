//! A file or standard input as a body.

use super::{output::Output, progress};
use blocking::Unblock;
use bytes::Bytes;
use futures::AsyncReadExt;
use indicatif::ProgressBar;
use littoral::core::{Error, Result, port::Body};
use std::{fs::File, io, path::Path};

/// Bytes that a thread of their own reads, so that nothing else stands still meanwhile.
pub struct Input {
    source: Unblock<Box<dyn io::Read + Send>>,
    name: String,
    bar: ProgressBar,
}

impl Drop for Input {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

const PIECE: usize = 256 << 10;

impl Input {
    /// The file at `path`; `-` is standard input.
    ///
    /// # Errors
    /// Those of opening it; `InvalidInput` for a directory.
    pub fn open(path: &Path, output: Output) -> Result<Self> {
        let (source, len): (Box<dyn io::Read + Send>, _) = if path == Path::new("-") {
            (Box::new(io::stdin()), None)
        } else {
            let named = |error: io::Error| Error::from(error).context(path.display());
            let file = File::open(path).map_err(named)?;
            let metadata = file.metadata().map_err(named)?;
            if metadata.is_dir() {
                return Err(named(io::ErrorKind::IsADirectory.into()));
            }
            let len = metadata.is_file().then_some(metadata.len());
            (Box::new(file), len)
        };
        Ok(Input {
            source: Unblock::with_capacity(2 * PIECE, source),
            name: path.display().to_string(),
            bar: match len {
                Some(len) => progress::bytes(output, "storing", len),
                None => progress::spinner(output, "storing"),
            },
        })
    }
}

impl Body for Input {
    /// Not known for sure: a file may grow or shrink while it is read.
    fn len(&self) -> Option<u64> {
        None
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        let mut piece = vec![0; PIECE];
        let mut filled = 0;
        while let Some(rest) = piece.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let read = self.source.read(rest).await;
            match read.map_err(|error| Error::from(error).context(&self.name))? {
                0 => break,
                more => filled += more,
            }
        }
        piece.truncate(filled);
        self.bar.inc(filled as u64);
        Ok((filled > 0).then(|| piece.into()))
    }
}
