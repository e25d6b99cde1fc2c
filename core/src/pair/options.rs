use crate::engine::Durability;
use core::time::Duration;

/// How a pair behaves. `Default` suits an application's own process.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Bounds of the queue of changes that slow has not acknowledged. `None` opens the pair without a
    /// queue: it is read-only then (`put`, `delete` and `move_root` say `ReadOnly`), and what an earlier
    /// process left in the queue stays there untouched.
    pub queue: Option<QueueBound>,
    /// Changes that travel to slow at a time. At least 1.
    pub uploads: usize,
    /// Bytes that uploads may hold in memory together; one chunk is always let through.
    pub upload_memory: usize,
    /// How attempts are spaced, for one item and for slow as a whole.
    pub backoff: Backoff,
    /// The longest wait that slow can ask for with `Retry-After`; a longer one is cut to this.
    pub longest_retry_after: Duration,
    /// After slow wanted other credentials, uploads pause until [`resume`](super::Pair::resume); one attempt
    /// is made by itself after this long, in case that the remote changed its mind.
    pub auth_probe: Duration,
    /// When nothing has moved between here and slow for this long, a transfer is given up (`Timeout`) and tried again. Where slow
    /// counts bytes ([`BlobStore::moved`](crate::blob::BlobStore::moved)), no transfer on a slow line is given up while any moves: a
    /// single one that stands still beside others is for slow's own client to give up.
    pub stall: Duration,
    /// How long `delete` and the roots ask slow about what is not known here before they go on without an answer.
    pub ask: Duration,
    /// Attempts after which an item whose bytes slow calls damaged (`Corrupt`) is failed for good.
    pub corrupt_attempts: u32,
    /// Bytes of blobs that fast may keep; the least recently used leave when it has more, if slow has acknowledged
    /// them and they are not pinned. `None` keeps everything.
    pub cache: Option<u64>,
    /// What a put, delete or root move waits for before it returns. `Remote` is taken as `Strict`.
    pub durability: Durability,
    /// Bytes that are fetched at a time from slow for a blob that does not come in chunks.
    pub piece: usize,
    /// A deliberately broken pair, for tests that must catch it.
    #[cfg(feature = "sabotage")]
    pub sabotage: Option<crate::engine::Sabotage>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            queue: Some(QueueBound::default()),
            uploads: 16,
            upload_memory: 32 << 20,
            backoff: Backoff::default(),
            longest_retry_after: Duration::from_secs(60 * 60),
            auth_probe: Duration::from_secs(5 * 60),
            stall: Duration::from_secs(2 * 60),
            ask: Duration::from_secs(2),
            corrupt_attempts: 3,
            cache: None,
            durability: Durability::Strict,
            piece: 1 << 20,
            #[cfg(feature = "sabotage")]
            sabotage: None,
        }
    }
}

impl Options {
    /// Without a queue: reads, and fills of fast.
    pub fn read_only() -> Self {
        Options {
            queue: None,
            ..Options::default()
        }
    }

    /// Whether this promise is broken on purpose.
    #[cfg(feature = "sabotage")]
    pub(super) fn broken(&self, how: crate::engine::Sabotage) -> bool {
        self.sabotage == Some(how)
    }
}

/// What the queue takes before `put` waits and `try_put` says `Busy`. Changes that were refused or whose bytes are
/// missing count too: they wait for somebody to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueBound {
    /// Changes. Deletions are taken beyond it: a blob is hidden at once, whatever is queued.
    pub entries: u64,
    /// Bytes of blobs. A blob larger than this is taken when nothing else is queued.
    pub bytes: u64,
}

impl Default for QueueBound {
    fn default() -> Self {
        QueueBound {
            entries: 1 << 20,
            bytes: 1 << 40,
        }
    }
}

/// Exponential backoff with full jitter: attempt `n` waits between a tenth and the whole of
/// `first * 2^n`, at most `longest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The longest wait after the first failure.
    pub first: Duration,
    /// No wait is longer.
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff {
            first: Duration::from_millis(500),
            longest: Duration::from_secs(60),
        }
    }
}
