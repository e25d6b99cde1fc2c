//! House rules that no compiler checks.

use crate::shell::Cmd;
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// A file with more lines has more than one idea in it.
const MAX_LINES: usize = 800;
const DEPENDENCIES: &str = "docs/dependencies.md";

/// Checks all rules and lists every place that breaks one.
pub fn check() -> Result<()> {
    let mut broken = Vec::new();
    let files = tracked_files()?;
    broken.extend(long_files(&files)?);
    broken.extend(dead_links(&files)?);
    broken.extend(dependency_table(&files)?);
    for line in &broken {
        eprintln!("   {line}");
    }
    ensure!(broken.is_empty(), "{} house rules are broken", broken.len());
    eprintln!("   house rules: kept in {} files", files.len());
    Ok(())
}

/// The manifests of the main workspace and of those beside it, whose needs must not slow its build.
pub fn workspaces() -> Result<Vec<PathBuf>> {
    workspaces_among(&tracked_files()?)
}

fn workspaces_among(files: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for (file, text) in with_extension(files, "toml") {
        if file.ends_with("Cargo.toml") && text?.lines().any(|line| line == "[workspace]") {
            found.push(file.to_owned());
        }
    }
    Ok(found)
}

/// What git knows and what it would take.
fn tracked_files() -> Result<Vec<PathBuf>> {
    let list = Cmd::new("git")
        .words("ls-files --cached --others --exclude-standard")
        .read()?;
    let files = list.lines().map(PathBuf::from);
    Ok(files.filter(|file| file.is_file()).collect())
}

fn with_extension<'a>(
    files: &'a [PathBuf],
    extension: &'a str,
) -> impl Iterator<Item = (&'a Path, Result<String>)> {
    files
        .iter()
        .filter(move |file| file.extension().is_some_and(|found| found == extension))
        .map(|file| {
            let text =
                fs::read_to_string(file).with_context(|| format!("reading {}", file.display()));
            (file.as_path(), text)
        })
}

fn long_files(files: &[PathBuf]) -> Result<Vec<String>> {
    let mut broken = Vec::new();
    for (file, text) in with_extension(files, "rs") {
        let lines = text?.lines().count();
        if lines > MAX_LINES {
            broken.push(format!(
                "{}: {lines} lines, at most {MAX_LINES}: split it",
                file.display()
            ));
        }
    }
    Ok(broken)
}

/// Links of our pages to files of ours that are not there.
fn dead_links(files: &[PathBuf]) -> Result<Vec<String>> {
    let mut broken = Vec::new();
    for (file, text) in with_extension(files, "md") {
        let folder = file.parent().unwrap_or(Path::new(""));
        for link in links(&text?) {
            if !folder.join(&link).exists() {
                broken.push(format!("{}: links to {link}: not there", file.display()));
            }
        }
    }
    Ok(broken)
}

/// The targets of `](target)` that are files, without their `#fragment`.
fn links(text: &str) -> Vec<String> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains(':'))
        .map(str::to_owned)
        .collect()
}

/// Every direct dependency has a row that says what it is for, and every row a dependency.
fn dependency_table(files: &[PathBuf]) -> Result<Vec<String>> {
    let mut used = BTreeSet::new();
    for manifest in workspaces_among(files)? {
        used.extend(direct_dependencies(&manifest)?);
    }
    let page =
        fs::read_to_string(DEPENDENCIES).with_context(|| format!("reading {DEPENDENCIES}"))?;
    Ok(compare_rows(&used, &page))
}

fn compare_rows(used: &BTreeSet<String>, page: &str) -> Vec<String> {
    let rows = rows(page);
    let mut broken = Vec::new();
    for name in used {
        if !rows.iter().any(|row| row.contains(name)) {
            broken.push(format!("{DEPENDENCIES}: no row says what {name} is for"));
        }
    }
    for row in rows {
        if row.is_disjoint(used) {
            let names: Vec<_> = row.into_iter().collect();
            let names = names.join(", ");
            broken.push(format!(
                "{DEPENDENCIES}: nothing depends on {names} directly"
            ));
        }
    }
    broken
}

fn direct_dependencies(manifest: &Path) -> Result<BTreeSet<String>> {
    let json = Cmd::cargo("metadata --no-deps --format-version 1 --manifest-path")
        .arg(manifest)
        .read()?;
    let json: Value = serde_json::from_str(&json)?;
    let Some(packages) = json["packages"].as_array() else {
        bail!(
            "cargo metadata lists no packages for {}",
            manifest.display()
        );
    };
    let dependencies = packages
        .iter()
        .filter_map(|package| package["dependencies"].as_array())
        .flatten();
    // Those with a path are our own crates.
    Ok(dependencies
        .filter(|dependency| dependency["path"].is_null())
        .filter_map(|dependency| dependency["name"].as_str())
        .map(str::to_owned)
        .collect())
}

/// The names in the first column of each row of the page's tables: those in backticks.
fn rows(page: &str) -> Vec<BTreeSet<String>> {
    page.lines()
        .filter_map(|line| line.strip_prefix("| "))
        .filter_map(|line| line.split(" | ").next())
        .map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned))
        .map(|names| names.collect::<BTreeSet<_>>())
        .filter(|names| !names.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_the_names_in_the_first_column() {
        let page = "| name | for |\n|---|---|\n| `a`, `b-c` | like `d` |\n| plain | - |\n";
        assert_eq!(
            rows(page),
            [BTreeSet::from(["a".to_owned(), "b-c".to_owned()])]
        );
    }

    #[test]
    fn a_dependency_without_a_row_and_a_row_without_a_dependency_are_reported() {
        let used = BTreeSet::from(["a".to_owned(), "new".to_owned()]);
        let page = "| `a` with `feature` | x |\n| `old` | y |\n";
        assert_eq!(
            compare_rows(&used, page),
            [
                "docs/dependencies.md: no row says what new is for",
                "docs/dependencies.md: nothing depends on old directly",
            ]
        );
    }

    #[test]
    fn links_to_files_are_found_and_others_are_left() {
        let text = "[a](docs/a.md#part), [b](#here), [c](https://example.org), ![d](d.svg)";
        assert_eq!(links(text), ["docs/a.md", "d.svg"]);
    }

    #[test]
    fn a_dead_link_is_reported_with_its_page() {
        let folder = std::env::temp_dir().join(format!("littoral-links-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let page = folder.join("page.md");
        fs::write(&page, "[self](page.md) [gone](gone.md)").unwrap();
        let broken = dead_links(std::slice::from_ref(&page)).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(
            broken,
            [format!("{}: links to gone.md: not there", page.display())]
        );
    }

    #[test]
    fn a_file_of_many_lines_is_reported() {
        let file = std::env::temp_dir().join(format!("littoral-long-{}.rs", std::process::id()));
        fs::write(&file, "\n".repeat(MAX_LINES + 1)).unwrap();
        let broken = long_files(std::slice::from_ref(&file)).unwrap();
        fs::remove_file(&file).unwrap();
        assert_eq!(broken.len(), 1, "{broken:?}");
        assert!(broken[0].contains("801 lines"), "{broken:?}");
    }

    #[test]
    fn what_xtask_depends_on_is_found() {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let own = direct_dependencies(&manifest).unwrap();
        assert!(
            own.contains("clap") && !own.contains("littoral-core"),
            "{own:?}"
        );
    }
}
