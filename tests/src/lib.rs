//! What crosses crates: a simulated host, a model beside the store, and the oracles that hold the
//! one against the other.
//!
//! | module | what it is |
//! |---|---|
//! | [`sim`] | a host of which one seed decides everything: schedule, clock, chance, faults |
//! | [`model`] | what a store must be, and the oracle that is asked after every crash |
//! | [`paired`] | the same host around a pair of two stores |
//! | [`workload`] | what the simulated users do |
//! | [`run`] | one seed, from the empty disk to the verdict |
//! | [`seeds`] | what came of one, and what a test says of many |
//! | [`crash_points`] | every place where a small scenario can crash |
//! | [`documents`] | documents beside the list of their states |
//! | [`flips`] | every bit of a small store, turned over |
//! | [`golden`] | the store files that are kept for later versions to open |

pub mod crash_points;
pub mod documents;
pub mod flips;
pub mod golden;
pub mod model;
pub mod paired;
pub mod run;
pub mod seeds;
pub mod sim;
pub mod workload;
