//! The npm package: the engine for wasm32, its JavaScript, and the tests in real browsers.

use crate::{
    bare::{TARGET, Toolchain},
    setup,
    shell::Cmd,
};
use anyhow::{Context, Result, ensure};
use std::{fs, path::Path};

const BUILT: &str = "target/web/wasm32-unknown-unknown/web/littoral_wasm.wasm";
const FOLDER: &str = "npm/build";
const REFERENCE: &str = "docs/npm";
/// What `wasm-opt` may take for granted; every browser that has OPFS or Web Locks has them.
const FEATURES: &str = "--enable-simd --enable-bulk-memory --enable-nontrapping-float-to-int \
    --enable-sign-ext --enable-mutable-globals --enable-reference-types --enable-multivalue";

#[derive(clap::Args)]
pub struct Npm {
    /// Also runs its tests
    #[arg(long, conflicts_with = "api")]
    test: bool,
    /// Also writes the reference of its types, `docs/npm/`
    #[arg(long)]
    api: bool,
}

impl Npm {
    pub fn run(&self) -> Result<()> {
        match self {
            Npm { test: true, .. } => test(),
            Npm { api: true, .. } => reference(),
            _ => build(),
        }
    }
}

/// Builds `npm/dist`.
pub fn build() -> Result<()> {
    packages(Path::new("npm"))?;
    engine()?;
    node("node_modules/typescript/bin/tsc -p tsconfig.json").run()?;
    node("scripts/build.mjs").run()
}

/// Writes the reference of the package from the types that it is published with.
fn reference() -> Result<()> {
    build()?;
    typedoc(REFERENCE)
}

fn typedoc(folder: &str) -> Result<()> {
    packages(Path::new("npm/api"))?;
    node("api/node_modules/typedoc/bin/typedoc --options api/typedoc.json --out")
        .arg(Path::new("..").join(folder))
        .run()
}

/// The reference has to be that of the types.
fn check_reference() -> Result<()> {
    const FRESH: &str = "target/reference";
    typedoc(FRESH)?;
    let pages = fs::read_dir(FRESH)?.chain(fs::read_dir(REFERENCE)?);
    for page in pages {
        let name = page?.file_name();
        let (fresh, kept) = (
            fs::read(Path::new(FRESH).join(&name)).unwrap_or_default(),
            fs::read(Path::new(REFERENCE).join(&name)).unwrap_or_default(),
        );
        ensure!(
            fresh == kept,
            "{REFERENCE}/{} is not what the types say: run `cargo xtask npm --api`",
            name.display()
        );
    }
    Ok(())
}

/// Builds the package and tests it in every browser.
pub fn test() -> Result<()> {
    setup::browsers()?;
    build()?;
    check_reference()?;
    conformance()?;
    // A remote to talk to, and another host for the same file.
    Cmd::cargo("build -p littoral").run()?;
    let mut tests: Vec<_> = fs::read_dir("npm/tests")?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    tests.sort();
    ensure!(!tests.is_empty(), "npm/tests has no tests");
    let tests = tests
        .iter()
        .filter_map(|path| path.strip_prefix("npm").ok());
    node("--test --test-concurrency=1 --test-reporter=spec")
        .args(tests)
        .run()
}

/// Measures the package beside its peers, which nobody else installs.
pub fn bench() -> Result<()> {
    setup::browsers()?;
    build()?;
    packages(Path::new("npm/bench"))?;
    node("bench/run.mjs").run()
}

/// The packages that building and testing in this folder need, as its lock file has them.
pub fn packages(folder: &Path) -> Result<()> {
    setup::node()?;
    let lock = folder.join("package-lock.json");
    let lock = fs::read(&lock).with_context(|| format!("reading {}", lock.display()))?;
    let stamp = folder.join("node_modules/.installed");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    Cmd::new("npm")
        .words("ci --no-audit --no-fund --ignore-scripts --loglevel=error --prefix")
        .arg(folder)
        .run()?;
    Ok(fs::write(stamp, lock)?)
}

/// The engine as `npm/build/core.wasm` with `engine.js` beside it.
fn engine() -> Result<()> {
    let done = Path::new(FOLDER).join("core.wasm");
    if module("", FOLDER)? || !done.exists() {
        // What has one caller stays a function if it is not short: gzip finds more in many small functions than in few large ones.
        // Alignments are hints that nobody takes, and different ones do not compress. The low memory is the end of the stack.
        optimize(
            "build/engine_bg.wasm",
            "-Oz --one-caller-inline-max-function-size 30 --low-memory-unused --dealign --strip-debug --strip-producers",
        )?;
        node("scripts/order.mjs build/core.wasm").run()?;
        optimize(
            "build/core.wasm",
            "--reorder-functions-by-name --strip-debug",
        )?;
    }
    Ok(())
}

/// `from` through `wasm-opt`, into the module that is published.
fn optimize(from: &str, how: &str) -> Result<()> {
    node("node_modules/binaryen/bin/wasm-opt")
        .arg(from)
        .words("-o build/core.wasm")
        .words(how)
        .words(FEATURES)
        .run()
}

/// The engine with the suites that stores are tested with, as it comes from the compiler.
fn conformance() -> Result<()> {
    module("--features conformance", "npm/build/conformance").map(drop)
}

/// Compiles the engine and writes it with its JavaScript into `folder`; whether it has changed.
fn module(features: &str, folder: &str) -> Result<bool> {
    let toolchain = match Toolchain::find_or_install_sources() {
        Some(toolchain) => toolchain,
        None => Toolchain::find_or_install()?,
    };
    eprintln!("   {TARGET}: {toolchain}");
    let words = format!(
        "build -p littoral-wasm {features} --profile web --target {TARGET} --target-dir target/web"
    );
    // A panic traps: JavaScript sees it, and no words for it are in the module.
    let flags = match toolchain {
        Toolchain::Target => "-Ctarget-feature=+simd128",
        _ => {
            "-Ctarget-feature=+simd128 -Zunstable-options -Cpanic=immediate-abort -Zfmt-debug=none -Zlocation-detail=none"
        }
    };
    let mut cmd = toolchain
        .cargo(
            &words,
            "-Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size",
        )
        .env("RUSTFLAGS", flags);
    if let Toolchain::Debian = toolchain {
        cmd = cmd.env(
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER",
            setup::wasm_ld()?,
        );
    }
    cmd.run()?;
    let built = fs::read(BUILT)?;
    let kept = Path::new(folder).join("built.wasm");
    if fs::read(&kept).is_ok_and(|kept| kept == built) {
        return Ok(false);
    }
    fs::create_dir_all(folder)?;
    Cmd::cargo("run --manifest-path wasm/bindgen/Cargo.toml --target-dir target/bindgen --")
        .args([BUILT, folder])
        .run()?;
    fs::write(kept, built)?;
    Ok(true)
}

/// `node` in `npm/`.
fn node(words: &str) -> Cmd {
    Cmd::new("node").words(words).current_dir("npm")
}
