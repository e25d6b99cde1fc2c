//! A pair is a store like any other.

use super::support::{Disk, Env, Slow, TestPair, World, open};
use crate::{
    blob::{FaultBlobs, MemoryBlobs, conformance},
    pair::Options,
};
use futures::{executor::LocalPool, task::LocalSpawnExt};

async fn fresh(env: &Env) -> TestPair {
    let slow = Slow::new(FaultBlobs::new(MemoryBlobs::new()).with_clock(env.clone()));
    open(&Disk::default(), &slow, env, &Options::default()).await
}

#[test]
fn a_pair_that_nobody_drives_keeps_what_every_store_promises() {
    let mut world = World::undriven(Options::default());
    let env = world.env.clone();
    world
        .run(async move {
            conformance::all(async || fresh(&env).await).await?;
            conformance::roots(async || fresh(&env).await).await
        })
        .unwrap();
}

#[test]
fn a_pair_that_uploads_meanwhile_keeps_what_every_store_promises() {
    let mut pool = LocalPool::new();
    let spawner = pool.spawner();
    let env = Env::default();
    let driven = async || {
        let pair = fresh(&env).await;
        let drive = pair.clone();
        spawner
            .spawn_local(async move { drive.drive().await })
            .unwrap();
        pair
    };
    pool.run_until(async {
        conformance::all(driven).await?;
        conformance::roots(driven).await
    })
    .unwrap();
}
