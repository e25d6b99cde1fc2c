//! The simulator itself: what it claims about a host is what it does.

use bytes::Bytes;
use littoral_core::{
    Kind,
    port::{Clock, Volume},
};
use littoral_tests::sim::{
    Chance, Disk, Executor, Faults, Loss, SimClock, SimVolume, Stopped, World, at_most, yield_now,
};
use std::{cell::RefCell, future::pending, rc::Rc, time::Duration};

fn world(seed: u64) -> World {
    let world = World::new(Chance::new(seed));
    world.set_patience(2);
    world
}

fn on_disk(
    world: &World,
    disk: &Disk,
    faults: Faults,
    script: impl AsyncFnOnce(SimVolume) + 'static,
) -> Result<(), Stopped> {
    let volume = SimVolume::new(world, disk, faults);
    Executor::new(world).run(10_000, async move { script(volume).await })
}

fn order_of_tasks(seed: u64) -> (Vec<u32>, u64) {
    let world = world(seed);
    let executor = Executor::new(&world);
    let order = Rc::new(RefCell::new(Vec::new()));
    let (inner, seen) = (executor.clone(), order.clone());
    executor
        .run(1_000, async move {
            let tasks: Vec<_> = (0..5)
                .map(|task| {
                    let seen = seen.clone();
                    inner.spawn("task", async move {
                        for _ in 0..3 {
                            seen.borrow_mut().push(task);
                            yield_now().await;
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.join().await;
            }
        })
        .unwrap();
    let order = order.borrow().clone();
    (order, world.trace())
}

#[test]
fn one_seed_gives_one_order_and_one_trace() {
    assert_eq!(order_of_tasks(1), order_of_tasks(1));
    assert_ne!(order_of_tasks(1), order_of_tasks(2));
}

#[test]
fn tasks_that_wait_for_ever_are_named() {
    let world = world(1);
    let executor = Executor::new(&world);
    let inner = executor.clone();
    let stuck = executor.run(1_000, async move {
        inner.spawn("a waiter", pending::<()>()).join().await
    });
    let names = vec!["main".to_string(), "a waiter".to_string()];
    assert_eq!(stuck, Err(Stopped::Stuck(names)));
}

#[test]
fn time_jumps_to_the_next_sleeper() {
    let world = world(1);
    let clock = SimClock::new(&world);
    let started = clock.now();
    let sleeper = clock.clone();
    Executor::new(&world)
        .run(100, async move {
            sleeper.sleep(Duration::from_secs(3600)).await
        })
        .unwrap();
    assert!(clock.now() - started >= Duration::from_secs(3600));
}

#[test]
fn a_future_can_be_dropped_in_the_middle() {
    let world = world(1);
    let gone = Executor::new(&world).run(1_000, async { at_most(1, pending::<()>()).await });
    assert_eq!(gone, Ok(None));
}

#[test]
fn power_loss_takes_what_was_not_synced_and_nothing_else() {
    for seed in 0..50 {
        let (world, disk) = (world(seed), Disk::new());
        on_disk(
            &world,
            &disk,
            Faults::default(),
            async |volume: SimVolume| {
                volume.write_at(0, Bytes::from(vec![1; 600])).await.unwrap();
                volume.sync().await.unwrap();
                volume
                    .write_at(600, Bytes::from(vec![2; 600]))
                    .await
                    .unwrap();
            },
        )
        .unwrap();
        disk.crash(&world, Loss::All);
        assert_eq!(disk.bytes(), vec![1; 600]);
    }
}

#[test]
fn a_subset_of_sectors_survives_power_loss() {
    let mut left = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let (world, disk) = (world(seed), Disk::new());
        on_disk(
            &world,
            &disk,
            Faults::default(),
            async |volume: SimVolume| {
                volume.set_len(1536).await.unwrap();
                volume.sync().await.unwrap();
                volume
                    .write_at(0, Bytes::from(vec![9; 1536]))
                    .await
                    .unwrap();
            },
        )
        .unwrap();
        disk.crash(&world, Loss::Subset);
        left.insert([0, 512, 1024].map(|at| disk.bytes()[at]));
    }
    assert_eq!(left.len(), 8);
}

#[test]
fn a_process_that_dies_loses_nothing_that_reached_the_host() {
    let (world, disk) = (world(3), Disk::new());
    on_disk(
        &world,
        &disk,
        Faults::default(),
        async |volume: SimVolume| {
            volume.write_at(0, Bytes::from(vec![1; 600])).await.unwrap();
        },
    )
    .unwrap();
    disk.crash(&world, Loss::Process);
    assert_eq!(disk.bytes(), vec![1; 600]);
    disk.crash(&world, Loss::All);
    assert_eq!(disk.bytes(), Vec::<u8>::new());
}

#[test]
fn a_failed_sync_drops_the_data_and_the_next_one_is_fine() {
    let (world, disk) = (world(3), Disk::new());
    let faults = Faults {
        sync_fails_in: Some(0),
        ..Faults::default()
    };
    on_disk(&world, &disk, faults, async |volume: SimVolume| {
        volume.write_at(0, Bytes::from(vec![1; 600])).await.unwrap();
        assert_eq!(volume.sync().await.unwrap_err().kind(), Kind::Transient);
    })
    .unwrap();
    disk.crash(&world, Loss::Process);
    on_disk(
        &world,
        &disk,
        Faults::default(),
        async |volume: SimVolume| {
            volume.sync().await.unwrap();
        },
    )
    .unwrap();
    assert_eq!(disk.size(), 600);
    disk.crash(&world, Loss::All);
    assert_eq!(disk.size(), 0);
}

#[test]
fn every_other_fault_does_what_it_says() {
    let fails = |set: fn(&mut Faults), kind: Kind| {
        let (world, disk) = (world(5), Disk::new());
        let mut faults = Faults::default();
        set(&mut faults);
        on_disk(&world, &disk, faults, async move |volume: SimVolume| {
            let outcome = async {
                volume.set_len(4096).await?;
                volume.write_at(0, Bytes::from_static(b"high tide")).await?;
                volume.read_at(0, 9).await?;
                volume.sync().await
            };
            assert_eq!(outcome.await.unwrap_err().kind(), kind);
        })
    };
    fails(|f| f.read_fails_in = Some(0), Kind::Transient).unwrap();
    fails(|f| f.unreadable = Some(3..4), Kind::Transient).unwrap();
    fails(|f| f.write_fails_in = Some(0), Kind::Transient).unwrap();
    fails(|f| f.revoked_in = Some(4), Kind::Transient).unwrap();
    fails(|f| f.capacity = Some(100), Kind::Quota).unwrap();
    let hung = fails(|f| f.sync_hangs_in = Some(0), Kind::Busy);
    assert_eq!(hung, Err(Stopped::Stuck(vec!["main".into()])));
}

fn violation(script: impl AsyncFnOnce(SimVolume) + 'static, faults: Faults) -> String {
    let (world, disk) = (world(7), Disk::new());
    let stopped = on_disk(&world, &disk, faults, script);
    assert_eq!(stopped, Err(Stopped::Failed));
    world.failure().unwrap()
}

#[test]
fn a_core_that_breaks_the_contract_with_its_host_is_caught() {
    let piece = || Bytes::from(vec![1; 100]);
    let over = async move |volume: SimVolume| {
        volume.write_at(0, piece()).await.unwrap();
        let _ = volume.write_at(50, piece()).await;
    };
    assert!(violation(over, Faults::default()).contains("over the bytes"));
    let at_once = async move |volume: SimVolume| {
        futures::join!(volume.write_at(0, piece()), volume.write_at(99, piece()))
            .0
            .unwrap();
    };
    assert!(violation(at_once, Faults::default()).contains("in flight"));
    let faults = Faults {
        sync_fails_in: Some(0),
        ..Faults::default()
    };
    let goes_on = async move |volume: SimVolume| {
        volume.write_at(0, piece()).await.unwrap();
        volume.sync().await.unwrap_err();
        let _ = volume.sync().await;
    };
    assert!(violation(goes_on, faults).contains("after a write or sync failed"));
}

#[test]
fn a_write_whose_caller_went_away_may_be_made_again() {
    for seed in 0..100 {
        let (world, disk) = (world(seed), Disk::new());
        on_disk(
            &world,
            &disk,
            Faults::default(),
            async |volume: SimVolume| {
                let again = Bytes::from(vec![4; 100]);
                if at_most(1, volume.write_at(0, again.clone()))
                    .await
                    .is_none()
                {
                    volume.write_at(0, again).await.unwrap();
                }
                volume.sync().await.unwrap();
            },
        )
        .unwrap();
        assert_eq!(world.failure(), None);
        disk.crash(&world, Loss::All);
        assert_eq!(disk.bytes(), vec![4; 100]);
    }
}
