//! A pair in the simulated host: a store that crashes, a remote that is far away, and what must hold of both
//! whatever happens to them.
//!
//! | file | what it is |
//! |---|---|
//! | `remote` | the slow side: reliable in what it keeps, in nothing else |
//! | `weather` | what goes wrong on the way to it |
//! | `ledger` | what was asked for and answered: what a blob may be, and what must be remote |
//! | `roots` | the same for named roots |
//! | `plan` | what a seed decides before anything runs |
//! | `user` | what the users of a pair do in one life |
//! | `life` | one life of a pair, from inside |
//! | `rest` | what a store holds while nothing runs, against the ledger and the remote |
//! | `run` | one seed, from the empty disk to the verdict |

mod ledger;
mod life;
mod plan;
mod remote;
mod rest;
mod roots;
mod run;
mod user;
mod weather;

pub use ledger::{Answer, Blob, Change, Ledger};
pub use plan::{Plan, RARE, RARE_ON_A_BAD_DISK};
pub use remote::{SimPair, SimRemote};
pub use run::run;
pub use weather::Weather;
