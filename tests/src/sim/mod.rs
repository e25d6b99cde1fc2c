//! A host of which one seed decides everything: the schedule, the clock, chance, and what goes wrong.

mod chance;
mod contract;
mod disk;
mod executor;
mod faults;
mod marks;
mod volume;
mod world;

pub use chance::{Chance, SimEntropy};
pub use contract::Contract;
pub use disk::{Change, Disk, Event, Loss, SECTOR, What};
pub use executor::{Executor, Handle, Stopped, at_most};
pub use faults::Faults;
pub use marks::Marks;
pub use volume::SimVolume;
pub use world::{SimClock, World, yield_now};
