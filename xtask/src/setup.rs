//! Finds the tools that a step needs, installs what is missing, and says what it could not get.
//!
//! | tool | where it comes from |
//! |---|---|
//! | rustfmt, clippy | the Rust toolchain; `rustup component add` where they were left out |
//! | a C++ compiler (libFuzzer is C++) | Debian's `g++`; elsewhere the developer |
//! | cargo-deny, cargo-fuzz | `PATH`, or built once into `target/tools` |
//! | core for bare wasm32 | see [`crate::bare`] |
//! | Node with npm, a linker for wasm32, browsers | Debian's packages; elsewhere the developer |

use crate::{
    bare,
    shell::{Cmd, TOOLS},
};
use anyhow::{Context, Result, bail};
use std::path::Path;

/// Installs whatever any command here needs.
pub fn everything() -> Result<()> {
    rust()?;
    rustfmt()?;
    clippy()?;
    let bare = bare::Toolchain::find_or_install()?;
    eprintln!("   core for {}: {bare}", bare::TARGET);
    cargo_deny()?;
    cargo_fuzz()?;
    node()?;
    browsers()
}

/// The Rust toolchain is new enough.
pub fn rust() -> Result<()> {
    let found = Cmd::new("rustc").arg("--version").read()?;
    let wanted = env!("CARGO_PKG_RUST_VERSION");
    if version_in(&found) < version_in(wanted) {
        bail!("Rust {wanted} or newer is needed, this is {found}: run `rustup update stable`");
    }
    eprintln!("   rust: {}", found.trim());
    Ok(())
}

pub fn rustfmt() -> Result<()> {
    component("rustfmt", "cargo fmt --version")
}

pub fn clippy() -> Result<()> {
    component("clippy", "cargo clippy --version")
}

pub fn cargo_deny() -> Result<()> {
    cargo_tool("cargo-deny", "0.20.2")
}

pub fn cargo_fuzz() -> Result<()> {
    cxx()?;
    cargo_tool("cargo-fuzz", "0.13.2")
}

/// A part of the Rust toolchain.
fn component(name: &str, probe: &str) -> Result<()> {
    let probe = words(probe);
    if probe.read().is_err() {
        let add = words("rustup component add").arg(name);
        add.run()
            .with_context(|| format!("{name} is missing: install it with `{add}`"))?;
    }
    eprintln!("   {name}: {}", probe.read()?.trim());
    Ok(())
}

/// libFuzzer is compiled from C++.
fn cxx() -> Result<()> {
    let probe = words("c++ --version");
    if probe.read().is_err() {
        apt_install(&["g++"]).context("a C++ compiler that answers to `c++` is needed")?;
    }
    eprintln!("   c++: {}", first_line(&probe.read()?));
    Ok(())
}

/// A tool that cargo builds from the registry, not older than `version`.
///
/// It is built without optimisation: that takes a minute instead of many, and it runs for a
/// second or two. It stays inside this checkout.
fn cargo_tool(name: &str, version: &str) -> Result<()> {
    let probe = Cmd::new(name).arg("--version");
    let found = probe.read().unwrap_or_default();
    if version_in(&found) < version_in(version) {
        let scratch = Path::new(TOOLS).join("build");
        Cmd::cargo("install --locked --debug")
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .args(["--root", TOOLS, "--target-dir"])
            .arg(&scratch)
            .arg(format!("{name}@{version}"))
            .run()
            .with_context(|| {
                format!("{name} {version} or newer is needed: `cargo install --locked {name}`")
            })?;
        std::fs::remove_dir_all(&scratch)?;
    }
    eprintln!("   {name}: {}", first_line(&probe.read()?));
    Ok(())
}

/// Debian packages, newest first, with nothing removed for them.
///
/// # Errors
/// Says what to type where this is no Debian machine or not its administrator.
pub fn apt_install(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    if words("apt-get --version").read().is_err() {
        bail!("this machine has no apt-get: install what Debian calls {list}");
    }
    if words("id -u").read()?.trim() != "0" {
        bail!("run `sudo apt-get install {list}` and try again");
    }
    let apt = |rest: &str| {
        words("apt-get -o DPkg::Lock::Timeout=300")
            .words(rest)
            .env("DEBIAN_FRONTEND", "noninteractive")
    };
    apt("update").run()?;
    apt("install --yes --no-remove --no-install-recommends")
        .args(packages)
        .run()
        .with_context(|| format!("Debian's packages {list} could not be installed"))
}

/// Node with npm, for the package.
pub fn node() -> Result<()> {
    let probe = words("node --version");
    if probe.read().is_err() || words("npm --version").read().is_err() {
        apt_install(&["nodejs", "npm"]).context("Node 20 or newer with npm is needed")?;
    }
    let found = probe.read()?;
    if version_in(found.trim().trim_start_matches('v')) < (20, 0, 0) {
        bail!("Node 20 or newer is needed, this is {}", found.trim());
    }
    eprintln!("   node: {}", found.trim());
    Ok(())
}

/// The linker for wasm32 that goes with Debian's compiler.
pub fn wasm_ld() -> Result<String> {
    let find = || {
        let numbered = (15..40).rev().map(|version| format!("wasm-ld-{version}"));
        let mut names = std::iter::once("wasm-ld".to_owned()).chain(numbered);
        names.find(|name| Cmd::new(name).arg("--version").read().is_ok())
    };
    if let Some(name) = find() {
        return Ok(name);
    }
    let list = words("apt-cache pkgnames lld-").read().unwrap_or_default();
    let newest = list
        .lines()
        .filter_map(|name| name.strip_prefix("lld-")?.parse::<u32>().ok())
        .max();
    let package = newest.map_or("lld".to_owned(), |version| format!("lld-{version}"));
    apt_install(&[&package]).context("wasm-ld, LLVM's linker for wasm32, is needed")?;
    find().context("wasm-ld is still not there")
}

/// Real browsers of all three kinds.
pub fn browsers() -> Result<()> {
    let wanted = [
        ("chromium", "chromium"),
        ("firefox-esr", "firefox-esr"),
        ("WebKitWebDriver", "webkit2gtk-driver"),
        ("Xvfb", "xvfb"),
    ];
    let missing: Vec<_> = wanted
        .into_iter()
        .filter(|(program, _)| !in_path(program))
        .map(|(_, package)| package)
        .collect();
    if !missing.is_empty() {
        apt_install(&missing).context(
            "the tests run in real browsers: Chromium, Firefox, and WebKitGTK with its driver under Xvfb",
        )?;
    }
    eprintln!("   browsers: Chromium, Firefox, WebKitGTK");
    Ok(())
}

/// Whether `PATH` has this program. Asking a browser for its version takes a second.
fn in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// The first number with dots in `text`: `(1, 95, 0)` in `rustc 1.95.0 (...)`. Zeros if none.
pub fn version_in(text: &str) -> (u32, u32, u32) {
    let number = |part: Option<&str>| {
        part.map_or(0, |part| {
            let digits = part.find(|c: char| !c.is_ascii_digit());
            part[..digits.unwrap_or(part.len())].parse().unwrap_or(0)
        })
    };
    let word = text
        .split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'));
    let mut parts = word.unwrap_or_default().split('.');
    (
        number(parts.next()),
        number(parts.next()),
        number(parts.next()),
    )
}

fn words(words: &str) -> Cmd {
    let (program, rest) = words.split_once(' ').unwrap_or((words, ""));
    Cmd::new(program).words(rest)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_tools_print() {
        assert_eq!(
            version_in("rustc 1.95.0 (59807616e 2026-04-14)"),
            (1, 95, 0)
        );
        assert_eq!(version_in("1.95"), (1, 95, 0));
        assert_eq!(version_in("cargo-deny 0.20.2-rc.1"), (0, 20, 2));
        assert_eq!(version_in("cc (Debian 12.2.0-14) 12.2.0"), (12, 2, 0));
        assert_eq!(version_in("no number. at all"), (0, 0, 0));
    }
}
