//! A store, a commit, a scan: `cargo run --example store [FILE]`.

use littoral::core::{
    Result,
    engine::{Batch, Direction, Durability, KeyRange, Space},
};

/// Spaces from 0x80 on are the user's.
const TIDES: Space = Space(0x80);

pub fn main() -> Result<()> {
    // Without a file of your own, one that is removed in the end.
    let folder = tempfile::tempdir()?;
    let path = match std::env::args_os().nth(1) {
        Some(path) => path.into(),
        None => folder.path().join("tides.littoral"),
    };
    littoral::block_on(async {
        let (store, driver) = littoral::open(&path).await?;

        // All of it, or none of it, whatever happens to the power.
        let mut batch = Batch::new();
        batch.put(TIDES, "06:12", "high");
        batch.put(TIDES, "12:25", "low");
        store.commit(batch, Durability::Strict).await?;

        let mut scan = store
            .view()
            .scan(TIDES, KeyRange::all(), Direction::Forward);
        while let Some(entry) = scan.next().await? {
            let tide = scan.value().await?;
            println!("{} {}", entry.key.escape_ascii(), tide.escape_ascii());
        }

        store.close().await?;
        driver.stop()
    })
}
