//! How much is measured.

use std::time::Duration;

pub struct Scale {
    pub rounds: usize,
    /// How long a workload that counts operations runs, in each round.
    pub window: Duration,
    /// Blobs of 4 KiB in a bulk load.
    pub blobs: usize,
    /// Pairs of 16 and 100 bytes in a bulk load.
    pub pairs: usize,
    /// How many blobs of 1 MiB and of 64 MiB.
    pub large: [(usize, usize); 2],
    /// Blobs of 1 KiB in the store that is opened again.
    pub many: usize,
    /// Bytes of the stream.
    pub stream: usize,
    /// Bytes of disk that all this needs at once.
    pub disk: u64,
}

impl Scale {
    pub fn full() -> Self {
        Scale {
            rounds: 7,
            window: Duration::from_millis(700),
            blobs: 100_000,
            pairs: 500_000,
            large: [(1 << 20, 64), (64 << 20, 4)],
            many: 1_000_000,
            stream: 2 << 30,
            disk: 24 << 30,
        }
    }

    pub fn quick() -> Self {
        Scale {
            rounds: 1,
            window: Duration::from_millis(300),
            blobs: 4_000,
            pairs: 20_000,
            large: [(1 << 20, 8), (64 << 20, 1)],
            many: 20_000,
            stream: 128 << 20,
            disk: 4 << 30,
        }
    }
}
