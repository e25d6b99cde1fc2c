//! The page of `npm/demo/`: built over the package, served with a remote beside it, tested in Chromium.

use crate::{npm, setup, shell::Cmd};
use anyhow::Result;
use std::path::Path;

const FOLDER: &str = "npm/demo";
/// Where the demo's remote keeps what was uploaded.
const REMOTE: &str = "target/demo-remote.littoral";
/// Where the tests put pictures of the page.
const PICTURES: &str = "target/demo-pictures";

/// Serves the page and runs its remote, until it is interrupted.
pub fn serve() -> Result<()> {
    build()?;
    Cmd::cargo("build --release -p littoral").run()?;
    node("scripts/serve.mjs --littoral")
        .arg(std::path::absolute("target/release/littoral")?)
        .arg("--store")
        .arg(std::path::absolute(REMOTE)?)
        .run()
}

/// Tests the page in Chromium, with a remote in a process of its own, and takes pictures of it.
pub fn test() -> Result<()> {
    setup::browsers()?;
    build()?;
    Cmd::cargo("build -p littoral").run()?;
    node("--test --test-concurrency=1 --test-reporter=spec tests/offline.test.mjs tests/access.test.mjs tests/pictures.test.mjs")
        .env("LITTORAL", std::path::absolute("target/debug/littoral")?)
        .env("PICTURES", std::path::absolute(PICTURES)?)
        .run()
}

fn build() -> Result<()> {
    npm::build()?;
    npm::packages(Path::new(FOLDER))?;
    for types in ["tsconfig.json", "tsconfig.worker.json"] {
        node("../node_modules/typescript/bin/tsc -p")
            .arg(types)
            .run()?;
    }
    node("scripts/build.mjs").run()
}

fn node(words: &str) -> Cmd {
    Cmd::new("node").words(words).current_dir(FOLDER)
}
