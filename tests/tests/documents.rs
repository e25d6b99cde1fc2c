//! Simulated documents, each decided by one seed.

use littoral_core::engine::Sabotage;
use littoral_tests::{
    documents::{RARE, run},
    seeds::{self, Report},
};

fn honest(seed: u64) -> Report {
    run(seed, None)
}

#[test]
fn every_state_that_is_kept_is_the_fold_of_its_patches() {
    let marks = seeds::all("document", 0..500, honest);
    println!("{marks}");
    assert_eq!(marks.missing(RARE), Vec::<&str>::new());
}

#[test]
fn the_same_seed_is_the_same_run() {
    seeds::repeat(0..20, honest);
}

#[test]
fn a_document_whose_commits_come_in_two_parts_is_caught() {
    seeds::catch(300, |seed| run(seed, Some(Sabotage::CommitInTwo)));
}
