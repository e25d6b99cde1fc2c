use super::{
    account::{Account, Counts},
    cache::Recency,
    drive::Control,
    flight::Flights,
    options::{Options, QueueBound},
    rows::{self, META, META_ORDER, QUARANTINE, QUEUE, TROUBLE},
    status::Board,
    transfer::{Chunks, Memory},
};
use crate::{
    Error, Kind, Result,
    blob::{BlobStore, EngineBlobs, EngineRoots, RootStore},
    engine::{Batch, Direction, Durability, KeyRange, Store, View},
    port::{Clock, Entropy, Volume},
    sync::Mutex,
};
use alloc::sync::Arc;

/// What can be the slow side of a pair.
pub trait Remote: BlobStore + RootStore {}

impl<T: BlobStore + RootStore> Remote for T {}

/// Time and chance in one value.
pub trait Environment: Clock + Entropy {}

impl<T: Clock + Entropy> Environment for T {}

/// A fast local store in front of a slow remote one. Clones are the same pair.
///
/// Everything is read and written here at once, with or without a network; [`drive`](Pair::drive) brings to
/// slow what was put, deleted and moved, oldest first, and the pair never forgets a change that slow has not
/// acknowledged. The fast side is always blobs and roots in an engine's [`Store`] (over any volume), because
/// only then bytes and queue entry are one commit.
///
/// Every future of a pair may be dropped at any await point: the change was then either made, or not, as a
/// whole, and nothing else is left behind.
pub struct Pair<V, S, E>(pub(super) Arc<Inner<V, S, E>>);

pub(super) struct Inner<V, S, E> {
    pub store: Store<V>,
    pub fast: EngineBlobs<V>,
    pub roots: EngineRoots<V>,
    pub slow: S,
    pub env: E,
    pub options: Options,
    pub account: Arc<Account>,
    pub flights: Flights,
    pub recency: Recency,
    pub board: Arc<Board>,
    pub memory: Memory,
    pub chunks: Chunks,
    /// Whether any blob of fast may be in quarantine.
    pub quarantined: Mutex<bool>,
    pub control: Mutex<Control>,
}

impl<V, S, E> Clone for Pair<V, S, E> {
    fn clone(&self) -> Self {
        Pair(self.0.clone())
    }
}

impl<V: Volume, S: Remote, E: Environment> Pair<V, S, E> {
    /// Pairs `store` with `slow`. What an earlier process left in the queue is taken up again as soon as
    /// [`drive`](Pair::drive) runs. Slow is not asked anything yet.
    ///
    /// # Errors
    /// Those of reading the store; `InvalidInput` for a queue that a newer release wrote.
    pub async fn open(store: Store<V>, slow: S, env: E, options: Options) -> Result<Self> {
        let view = store.view();
        let (counts, first, last) = count_queue(&view).await?;
        let written = match view.get(META, META_ORDER).await? {
            Some(value) => rows::decode_number(&value)?,
            None => 1,
        };
        let next = written.max(last.map_or(1, |last| last.saturating_add(1)));
        let bound = options.queue.unwrap_or(QueueBound {
            entries: 0,
            bytes: 0,
        });
        let board = Arc::new(Board::default());
        let account = Account::open(
            bound,
            counts,
            view.commit(),
            first.unwrap_or(next),
            next,
            board.clone(),
        );
        let quarantined = view
            .scan(QUARANTINE, KeyRange::all(), Direction::Forward)
            .next()
            .await?
            .is_some();
        let recency = Recency::open(&store, &view, &options).await?;
        Ok(Pair(Arc::new(Inner {
            fast: EngineBlobs::new(store.clone()),
            roots: EngineRoots::new(store.clone()),
            store,
            slow,
            env,
            account,
            flights: Flights::default(),
            recency,
            board,
            memory: Memory::new(options.upload_memory),
            chunks: Chunks::default(),
            options,
            quarantined: Mutex::new(quarantined),
            control: Mutex::default(),
        })))
    }

    /// All background work of the pair *and* of its store: uploads, deletions, root moves, the cache's bound,
    /// checkpoints. A host polls one such future for as long as the pair is open, on any executor; it
    /// returns when the pair is closed.
    ///
    /// Dropping it stops the background work where it is (transfers in flight are cut off); calling it again takes
    /// it up. A second call beside a running one waits until that one is dropped.
    pub async fn drive(&self) {
        let turn = self.turn().await;
        let Some(turn) = turn else { return };
        let store = self.0.store.drive();
        let uploads = self.clone().upload_loop();
        let cache = self.clone().cache_loop();
        let sweep = self.clone().sweep_loop();
        let ours = async {
            futures::join!(uploads, cache, sweep);
            self.0.account.closed().await;
            let _ = self.write_touched().await;
            let closed = self.close_store().await;
            if let Err(error) = closed {
                self.0.board.tell(|status| status.last_error = Some(error));
            }
        };
        futures::join!(store, ours);
        drop(turn);
    }

    /// The engine's store under this pair.
    pub fn store(&self) -> &Store<V> {
        &self.0.store
    }

    /// The blobs of the fast side, whatever the pair says of them: deleted ones included.
    pub fn fast(&self) -> &EngineBlobs<V> {
        &self.0.fast
    }

    /// The slow side.
    pub fn slow(&self) -> &S {
        &self.0.slow
    }

    /// The options that the pair was opened with.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// Waits for its turn to be the one future that drives; `None` once the pair is closed.
    async fn turn(&self) -> Option<Turn> {
        loop {
            let listener = self.0.account.work.listen();
            if self.0.account.is_closed() {
                return None;
            }
            if let Some(turn) = Turn::take(&self.0.account, &self.0.board) {
                return Some(turn);
            }
            listener.await;
        }
    }

    /// An error unless the pair is open and has a queue.
    pub(super) fn writable(&self) -> Result<()> {
        self.0.account.takes_changes()?;
        match self.0.options.queue {
            Some(_) => Ok(()),
            None => Err(Error::new(
                Kind::ReadOnly,
                "the pair was opened without a queue: it is read-only",
            )),
        }
    }

    /// Learns that everything handed over before has ended, and counts the queue again; how many rows that were.
    pub(super) async fn recount(&self) -> Result<u64> {
        let Some(recount) = self.0.account.begin_recount() else {
            return Ok(0);
        };
        let mut barrier = Batch::new();
        barrier.put(META, rows::META_BARRIER, rows::encode_mark());
        self.0.store.commit(barrier, Durability::Memory).await?;
        let view = self.0.store.view();
        let (counts, _, _) = count_queue(&view).await?;
        recount.end(view.commit(), counts);
        Ok(u64::try_from(counts.entries).unwrap_or(0))
    }
}

/// The queue's totals, its first and its last order. A row that cannot be read counts as failed.
async fn count_queue<V: Volume>(view: &View<V>) -> Result<(Counts, Option<u64>, Option<u64>)> {
    let mut counts = Counts::default();
    let (mut first, mut last) = (None, None);
    let mut queue = view.scan(QUEUE, KeyRange::all(), Direction::Forward);
    while let Some(entry) = queue.next().await? {
        if let Ok(order) = rows::order_of(&entry.key) {
            first = first.or(Some(order));
            last = Some(order);
        }
        match rows::Row::decode(&queue.value().await?) {
            Ok(row) => counts += Counts::one(row.job.bytes()),
            Err(error) if error.kind() == Kind::Corrupt => {
                counts += Counts::one(0) + Counts::trouble(false);
            }
            Err(error) => return Err(error),
        }
    }
    let mut troubles = view.scan(TROUBLE, KeyRange::all(), Direction::Forward);
    while troubles.next().await?.is_some() {
        let missing = rows::Note::decode(&troubles.value().await?).is_ok_and(|note| note.missing);
        counts += Counts::trouble(missing);
    }
    Ok((counts, first, last))
}

/// The right to drive, given back when dropped.
struct Turn {
    account: Arc<Account>,
    board: Arc<Board>,
}

impl Turn {
    fn take(account: &Arc<Account>, board: &Arc<Board>) -> Option<Turn> {
        board.start_driving().then(|| Turn {
            account: account.clone(),
            board: board.clone(),
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.board.stop_driving();
        self.account.work.notify(usize::MAX);
    }
}
