//! A folder of one's own, and the program run in it.

use std::{
    ffi::OsStr,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

pub struct Place {
    dir: TempDir,
}

/// What a run of the program left.
pub struct Run {
    pub status: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Self {
        Place {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// The program in this folder, without what the user's environment says. The store is `littoral.store`.
    pub fn command(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_littoral"));
        for name in ["STORE", "REMOTE", "TOKEN"] {
            command.env_remove(format!("LITTORAL_{name}"));
        }
        command
            .current_dir(self.dir.path())
            .args(args)
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Run {
        Run::of(self.command(args).output().unwrap())
    }

    pub fn run_with_input(
        &self,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
        input: &[u8],
    ) -> Run {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Run::of(child.wait_with_output().unwrap())
    }

    /// Puts `bytes`, and gives their pointer.
    pub fn put(&self, bytes: &[u8]) -> String {
        self.run_with_input(["put", "-"], bytes).ok().line()
    }
}

impl Run {
    pub fn of(output: Output) -> Self {
        Run {
            status: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        self.exit(0)
    }

    #[track_caller]
    pub fn exit(self, status: i32) -> Self {
        let (out, error) = (String::from_utf8_lossy(&self.stdout), &self.stderr);
        assert_eq!(self.status, status, "stdout: {out}\nstderr: {error}");
        self
    }

    /// The error on standard error has all of these words; nothing panicked.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(
                self.stderr.contains(word),
                "no {word:?} in: {}",
                self.stderr
            );
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    /// The one line of standard output.
    #[track_caller]
    pub fn line(&self) -> String {
        let text = self.text();
        assert_eq!(text.lines().count(), 1, "{text}");
        text.trim_end().to_owned()
    }

    /// The one JSON document of standard output.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    /// The JSON documents of standard output, one a line.
    pub fn json_lines(&self) -> Vec<serde_json::Value> {
        let text = self.text();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// The SHA-256 of `bytes` in hex, by the library.
pub fn pointer(bytes: &[u8]) -> String {
    littoral::core::blob::Pointer::of(bytes).to_string()
}

/// Bytes that do not compress and do not repeat.
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

/// Nothing half written is left in the folder.
#[track_caller]
pub fn no_leftovers(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(!name.to_string_lossy().ends_with(".part"), "{name:?}");
    }
}
