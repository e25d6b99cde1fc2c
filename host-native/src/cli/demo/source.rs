//! What the demo imports when it is not told.

use crate::cli::exit::Failure;
use littoral::core::Kind;
use std::{
    collections::BTreeSet,
    ffi::OsString,
    path::{Path, PathBuf},
};

/// A directory, or part of one.
pub struct Source {
    pub dir: PathBuf,
    /// Only these entries of it; `None` is all.
    pub only: Option<BTreeSet<OsString>>,
    /// What it is, for people.
    pub what: String,
}

/// The directory that the user named; or the sources of this program's own dependencies, as cargo has unpacked
/// them; or, where cargo keeps them elsewhere, the project that is being stood in.
pub fn choose(named: Option<&Path>) -> Result<Source, Failure> {
    if let Some(dir) = named {
        if !dir.is_dir() {
            let message = format!("there is no directory {}", dir.display());
            return Err(Failure::new(Kind::NotFound, message));
        }
        return Ok(Source {
            dir: dir.to_owned(),
            only: None,
            what: littoral::tree::show_path(dir),
        });
    }
    dependencies().or_else(project).ok_or_else(|| {
        let message = "cargo's registry has none of this program's dependencies, and this is not its source folder";
        Failure::new(Kind::NotFound, message).hint("name a directory: littoral demo DIR")
    })
}

/// Names and versions of the dependencies that this program was built with.
const LOCK: &str = include_str!("../../../../Cargo.lock");

fn dependencies() -> Option<Source> {
    let wanted = locked(LOCK);
    let sources = cargo_home()?.join("registry/src");
    // One folder for each registry that cargo has used; most of the crates are in one.
    let (dir, only) = std::fs::read_dir(sources)
        .ok()?
        .filter_map(Result::ok)
        .map(|registry| {
            let dir = registry.path();
            let there = wanted.iter().filter(|name| dir.join(name).is_dir());
            let there: BTreeSet<_> = there.cloned().collect();
            (dir, there)
        })
        .max_by_key(|(_, there)| there.len())?;
    if only.is_empty() {
        return None;
    }
    Some(Source {
        what: format!(
            "the sources of {} crates that this program depends on",
            only.len()
        ),
        dir,
        only: Some(only),
    })
}

fn cargo_home() -> Option<PathBuf> {
    match std::env::var_os("CARGO_HOME") {
        Some(home) if !home.is_empty() => Some(home.into()),
        _ => std::env::home_dir().map(|home| home.join(".cargo")),
    }
}

/// `name-version` of every package in a lock file that came from a registry.
fn locked(lock: &str) -> BTreeSet<OsString> {
    let mut names = BTreeSet::new();
    for package in lock.split("[[package]]") {
        let field = |key: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(key))?;
            line.strip_prefix(" = \"")?.strip_suffix('"')
        };
        if let (Some(name), Some(version), Some(_)) =
            (field("name"), field("version"), field("source"))
        {
            names.insert(format!("{name}-{version}").into());
        }
    }
    names
}

/// The project's own sources, without what is built from them.
fn project() -> Option<Source> {
    let dir = std::env::current_dir().ok()?;
    let parts = ["core", "host-native", "tests", "xtask", "docs"];
    let only: BTreeSet<OsString> = parts.iter().map(OsString::from).collect();
    let is_it = only.iter().all(|part| dir.join(part).is_dir());
    is_it.then(|| Source {
        what: "this project's own sources (cargo's registry has none of its dependencies)".into(),
        dir,
        only: Some(only),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_names_the_dependencies_but_not_the_project() {
        let names = locked(LOCK);
        assert!(names.len() > 30, "{names:?}");
        let has = |start: &str| {
            names
                .iter()
                .any(|name| name.to_string_lossy().starts_with(start))
        };
        assert!(has("bytes-1."));
        assert!(!has("littoral"));
    }

    #[test]
    fn a_directory_that_was_named_is_taken_whole() {
        let source = choose(Some(Path::new("src"))).unwrap();
        assert_eq!(source.dir, Path::new("src"));
        assert!(source.only.is_none());
        let missing = choose(Some(Path::new("nowhere"))).err().unwrap();
        assert_eq!(missing.code, "NotFound");
    }
}
