//! Core without std: natively, and for wasm32 with nothing under it.
//!
//! For wasm32, the first of these that is there is used:
//! 1. the target's own `core` and `alloc`, where rustup has installed or can install them;
//! 2. their sources in this toolchain (`rustup component add rust-src`), built by cargo;
//! 3. Debian's `rustc-web` with `rust-web-src`, built by its cargo; installed by us on Debian.
//!
//! `RUSTC_BOOTSTRAP` lets a stable compiler take `-Zbuild-std`; nothing else is unstable here.

use crate::{setup, shell::Cmd};
use anyhow::{Context, Result};
use std::{fmt, path::Path};

/// WebAssembly without an operating system under it.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// What can compile `core` and `alloc` for wasm32.
pub enum Toolchain {
    /// Has them compiled.
    Target,
    /// Has their sources.
    Sources,
    /// Debian's second compiler, which has their sources.
    Debian,
}

/// Builds core without std: natively, then for bare wasm32.
pub fn build() -> Result<()> {
    native()?;
    wasm()
}

/// Lints and tests core natively without std.
pub fn native() -> Result<()> {
    setup::clippy()?;
    Cmd::cargo("clippy -p littoral-core --no-default-features -- -D warnings").run()?;
    Cmd::cargo("test -p littoral-core --no-default-features --lib").run()
}

/// Builds core for bare wasm32.
pub fn wasm() -> Result<()> {
    let toolchain = Toolchain::find_or_install()?;
    eprintln!("   {TARGET}: {toolchain}");
    let build = format!(
        "build -p littoral-core --no-default-features --target {TARGET} --target-dir target/bare"
    );
    toolchain.cargo(&build, "-Zbuild-std=core,alloc").run()
}

impl Toolchain {
    /// The first that is there, or that can be had.
    ///
    /// # Errors
    /// Says what to install.
    pub fn find_or_install() -> Result<Toolchain> {
        if let Some(toolchain) = Toolchain::find()? {
            return Ok(toolchain);
        }
        let rustup = Cmd::new("rustup")
            .words("target add")
            .arg(TARGET)
            // Where it cannot download, one line says so.
            .env("RUST_BACKTRACE", "0");
        if let Err(error) = rustup.run() {
            eprintln!("   {error:#}; trying Debian's compiler instead");
            setup::apt_install(&["rustc-web", "rust-web-src", "cargo-web"])
                .with_context(|| format!("core cannot be built for {TARGET}: install the target with `rustup target add {TARGET}`, or a compiler with its sources"))?;
        }
        Toolchain::find()?.with_context(|| {
            format!(
                "core still cannot be built for {TARGET}: Rust {} or newer is needed, with that \
                 target (`rustup target add {TARGET}`) or with its sources (`rustup component add rust-src`)",
                env!("CARGO_PKG_RUST_VERSION")
            )
        })
    }

    /// This toolchain's cargo with these words; `build_std` where it has only sources.
    pub fn cargo(&self, words: &str, build_std: &str) -> Cmd {
        match self {
            Toolchain::Target => Cmd::cargo(words),
            Toolchain::Sources => Cmd::cargo(words)
                .words(build_std)
                .env("RUSTC_BOOTSTRAP", "1"),
            Toolchain::Debian => Cmd::new("/usr/bin/cargo")
                .words(words)
                .words(build_std)
                .env("RUSTC_BOOTSTRAP", "1")
                .env("RUSTC", "/usr/bin/rustc")
                // Those of the other toolchain.
                .env_remove("RUSTUP_TOOLCHAIN")
                .env_remove("LD_LIBRARY_PATH"),
        }
    }

    fn find() -> Result<Option<Toolchain>> {
        let libraries = Cmd::new("rustc")
            .words("--print target-libdir --target")
            .arg(TARGET)
            .read()?;
        if Path::new(libraries.trim()).is_dir() {
            return Ok(Some(Toolchain::Target));
        }
        Ok(Toolchain::find_with_sources())
    }

    /// One that builds std itself, if there is one or rustup has its sources: what it makes is smaller.
    pub fn find_or_install_sources() -> Option<Toolchain> {
        Toolchain::find_with_sources().or_else(|| {
            let rustup = Cmd::new("rustup").words("component add rust-src");
            // Where it cannot download, one line says so.
            if let Err(error) = rustup.env("RUST_BACKTRACE", "0").run() {
                eprintln!("   {error:#}; the module will be larger");
            }
            Toolchain::find_with_sources()
        })
    }

    /// One that builds std itself.
    fn find_with_sources() -> Option<Toolchain> {
        if has_sources(&Cmd::new("rustc")) {
            return Some(Toolchain::Sources);
        }
        let debian = Path::new("/usr/bin/rustc");
        let new_enough = || {
            let version = Cmd::new(debian).arg("--version").read().unwrap_or_default();
            let wanted = setup::version_in(env!("CARGO_PKG_RUST_VERSION"));
            setup::version_in(&version) >= wanted
        };
        let there = Path::new("/usr/bin/cargo").exists() && has_sources(&Cmd::new(debian));
        (there && new_enough()).then_some(Toolchain::Debian)
    }
}

/// Whether this compiler has the sources of `core` beside it.
fn has_sources(rustc: &Cmd) -> bool {
    rustc
        .clone()
        .words("--print sysroot")
        .read()
        .is_ok_and(|root| {
            Path::new(root.trim())
                .join("lib/rustlib/src/rust/library/core")
                .is_dir()
        })
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Toolchain::Target => "compiled by this toolchain's makers",
            Toolchain::Sources => "built from this toolchain's sources",
            Toolchain::Debian => "built from the sources of Debian's /usr/bin/rustc",
        })
    }
}
