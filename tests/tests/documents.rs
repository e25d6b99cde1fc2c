//! Simulated documents, each decided by one seed.

use littoral_core::engine::Sabotage;
use littoral_tests::{
    documents::{RARE, run},
    sim::Marks,
};

#[test]
fn every_state_that_is_kept_is_the_fold_of_its_patches() {
    let threads = [0..250, 250..500].map(|seeds| {
        std::thread::spawn(move || {
            let mut marks = Marks::default();
            for seed in seeds {
                let report = run(seed, None);
                if let Some(failure) = report.failure {
                    panic!(
                        "{failure}\nreplay it with: cargo xtask simulate --of document --seed {seed}"
                    );
                }
                marks.merge(&report.marks);
            }
            marks
        })
    });
    let mut marks = Marks::default();
    for thread in threads {
        marks.merge(&thread.join().unwrap());
    }
    println!("{marks}");
    assert_eq!(marks.missing(RARE), Vec::<&str>::new());
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..20 {
        assert_eq!(run(seed, None).trace, run(seed, None).trace, "seed {seed}");
    }
}

#[test]
fn a_document_whose_commits_come_in_two_parts_is_caught() {
    let caught = (0..300).find_map(|seed| run(seed, Some(Sabotage::CommitInTwo)).failure);
    println!("{}", caught.expect("300 seeds do not catch it"));
}
