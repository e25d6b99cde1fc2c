//! Where a run took place: part of its results.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// The machine, as far as it matters for the figures.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    pub kernel: String,
    pub cpu: String,
    pub cores: usize,
    pub memory_mib: u64,
    pub filesystem: String,
    /// Runnable processes of others when the run began: above 0 the absolute figures are too low.
    pub load_before: f64,
}

/// The first two numbers of a kernel's release: the rest is its packager's.
fn version(release: &str) -> String {
    let numbers: Vec<_> = release.split('.').take(2).collect();
    numbers.join(".")
}

/// The version of a package that this program was built with.
pub fn version_of(package: &str) -> Option<String> {
    let lock = include_str!("../Cargo.lock");
    let (_, behind) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    Some(behind.split_once('"')?.0.to_owned())
}

impl Machine {
    /// This one, with the disk under `dir`.
    pub fn here(dir: &Path) -> Result<Self> {
        let uname = rustix::system::uname();
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Ok(Machine {
            kernel: format!(
                "{} {}",
                uname.sysname().to_string_lossy(),
                version(&uname.release().to_string_lossy())
            ),
            cpu: line_of("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into()),
            cores: std::thread::available_parallelism()?.get(),
            memory_mib: kib_of("/proc/meminfo", "MemTotal").unwrap_or(0) >> 10,
            filesystem: filesystem(dir)?.0,
            load_before: load
                .split(' ')
                .next()
                .and_then(|load| load.parse().ok())
                .unwrap_or(0.0),
        })
    }
}

/// Memory of this process in KiB, by its name in `/proc/self/status`: `VmRSS` now, `VmHWM` at most.
pub fn own_memory_kib(what: &str) -> Result<u64> {
    kib_of("/proc/self/status", what).with_context(|| format!("no {what} in /proc/self/status"))
}

/// A directory for a run on a real disk with enough room, removed when it is dropped, or by the
/// next run if this one is killed.
pub fn scratch(dir: Option<&Path>, needed: u64) -> Result<TempDir> {
    let dir = match dir {
        Some(dir) => dir.to_owned(),
        None => default_dir(),
    };
    fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
    let (name, free) = filesystem(&dir)?;
    anyhow::ensure!(
        name != "tmpfs",
        "{} is kept in memory, where nothing is durable: name a directory on a disk with --dir",
        dir.display()
    );
    anyhow::ensure!(
        free >= needed,
        "{} has {} MiB free, and this run needs {}: name another directory with --dir",
        dir.display(),
        free >> 20,
        needed >> 20
    );
    remove_leftovers(&dir)?;
    Ok(tempfile::Builder::new()
        .prefix(&format!("{SCRATCH}{}-", std::process::id()))
        .tempdir_in(&dir)?)
}

/// Writes `bytes` below `dir` and removes them: a virtual disk finds room for a block when it is first written, at a
/// fifth of its speed, and whoever comes first would pay that for everybody.
pub fn provision(dir: &Path, bytes: u64) -> Result<()> {
    let mut file = tempfile::tempfile_in(dir)?;
    let block = vec![0x5a; 1 << 20];
    for _ in 0..bytes.div_ceil(1 << 20) {
        file.write_all(&block)?;
    }
    file.sync_data()?;
    Ok(())
}

/// The beginning of a scratch directory's name; its process and a random part follow.
const SCRATCH: &str = "littoral-bench-";

/// Removes what runs left behind that were interrupted.
fn remove_leftovers(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let process = name
            .to_str()
            .and_then(|name| name.strip_prefix(SCRATCH)?.split('-').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Beside the build, which is on a disk and is ignored by version control.
fn default_dir() -> PathBuf {
    match std::env::var_os("CARGO_MANIFEST_DIR") {
        Some(manifest) => Path::new(&manifest).join("target"),
        None => PathBuf::from("target"),
    }
}

/// The kind of file system, and how many bytes are free on it.
fn filesystem(dir: &Path) -> Result<(String, u64)> {
    let handle = File::open(dir)?;
    let kind = match rustix::fs::fstatfs(&handle)?.f_type as u64 {
        0xef53 => "ext4",
        0x5846_5342 => "xfs",
        0x9123_683e => "btrfs",
        0x0102_1994 => "tmpfs",
        0x794c_7630 => "overlayfs",
        0x2fc1_2fc1 => "zfs",
        0xf2f5_2010 => "f2fs",
        other => return Ok((format!("{other:#x}"), free(&handle)?)),
    };
    Ok((kind.into(), free(&handle)?))
}

fn free(handle: &File) -> Result<u64> {
    let stat = rustix::fs::fstatvfs(handle)?;
    Ok(stat.f_bavail * stat.f_frsize)
}

fn line_of(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn kib_of(path: &str, name: &str) -> Option<u64> {
    line_of(path, name)?.split(' ').next()?.parse().ok()
}
