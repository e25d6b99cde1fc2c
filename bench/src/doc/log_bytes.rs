//! What a patch takes in the engine's log: counted, not timed.

use super::littoral::{first, patch};
use anyhow::Result;
use littoral::{OsEntropy, SystemClock, block_on};
use littoral_core::{
    doc::{Documents, Options, Patch},
    engine::{self, Durability, Store},
    port::MemoryVolume,
};

/// Fewer than a log area takes.
const PATCHES: u64 = 5_000;

/// Bytes of log for each patch, with everything that the engine adds: those of a relaxed writer, which share their records.
pub fn of_a_patch() -> Result<f64> {
    block_on(async {
        let options = engine::Options::default();
        let store = Store::open(MemoryVolume::new(), &OsEntropy, options).await?;
        let doc = Documents::open(store.clone(), SystemClock, Options::default()).await?;
        doc.patch("", Patch::set(first()), None).await?;
        store.checkpoint().await?;
        let before = store.stats().log_used;
        for number in 1..=PATCHES {
            doc.patch_with("", patch(number), None, Durability::Memory)
                .await?;
        }
        let after = store.stats().log_used;
        anyhow::ensure!(after > before, "the log was switched");
        Ok((after - before) as f64 / PATCHES as f64)
    })
}
