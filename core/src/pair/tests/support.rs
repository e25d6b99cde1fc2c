//! A world for one pair: an executor that only runs when told to, a clock that jumps when nothing else can
//! happen, and a remote with a script.

use crate::{
    Error, Kind, Result,
    blob::{
        BlobStore, Capabilities, ChunkList, FaultBlobs, Gate, Listed, MemoryBlobs, Operation,
        Pointer, RootStore, Script, Stat,
    },
    engine::{self, Store},
    pair::{Options, Pair, Receipt, Remote, Status},
    port::{Body, Clock, Entropy, MemoryVolume, Volume},
    sync::Mutex,
};
use alloc::{collections::BTreeMap, rc::Rc, string::String, sync::Arc, vec::Vec};
use bytes::Bytes;
use core::{
    cell::RefCell,
    future::Future,
    ops::Range,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};
use futures::{executor::LocalPool, future::RemoteHandle, task::LocalSpawnExt};

pub type Slow = Choosy<FaultBlobs<MemoryBlobs, Env>>;
pub type TestPair = Pair<Disk, Slow, Env>;
pub type TestReceipt = Receipt<Disk, Slow, Env>;

/// Time that stands still until it is moved, and chance that is always the same.
#[derive(Clone, Default)]
pub struct Env(Arc<Mutex<Time>>);

#[derive(Default)]
struct Time {
    now: Duration,
    next: u64,
    sleepers: BTreeMap<(Duration, u64), Option<Waker>>,
    chance: u64,
}

impl Env {
    #[cfg(feature = "std")]
    pub fn advance(&self, by: Duration) {
        let until = self.0.lock().now + by;
        while let Some(at) = self.next_deadline()
            && at <= until
        {
            self.jump(at);
        }
        self.jump(until);
    }

    fn next_deadline(&self) -> Option<Duration> {
        self.0.lock().sleepers.keys().next().map(|(at, _)| *at)
    }

    fn jump(&self, to: Duration) {
        let mut woken = Vec::new();
        {
            let mut time = self.0.lock();
            time.now = time.now.max(to);
            let later = time.sleepers.split_off(&(to, u64::MAX));
            for (_, waker) in core::mem::replace(&mut time.sleepers, later) {
                woken.extend(waker);
            }
        }
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Clock for Env {
    fn now(&self) -> Duration {
        self.0.lock().now
    }

    async fn sleep(&self, duration: Duration) {
        let key = {
            let mut time = self.0.lock();
            time.next += 1;
            let key = (time.now + duration, time.next);
            time.sleepers.insert(key, None);
            key
        };
        Sleep {
            env: self.clone(),
            key,
        }
        .await
    }
}

struct Sleep {
    env: Env,
    key: (Duration, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut time = self.env.0.lock();
        match time.sleepers.get_mut(&self.key) {
            Some(waker) => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.env.0.lock().sleepers.remove(&self.key);
    }
}

impl Entropy for Env {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        let mut time = self.0.lock();
        for byte in bytes {
            time.chance = time
                .chance
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            *byte = (time.chance >> 56) as u8;
        }
        Ok(())
    }
}

/// A volume in memory whose every operation takes a turn of the executor, and that can break.
#[derive(Clone, Default)]
pub struct Disk {
    pub bytes: MemoryVolume,
    pub broken: Arc<Mutex<bool>>,
    /// Syncs wait until it opens.
    pub slow_sync: Arc<Mutex<Option<Gate>>>,
}

impl Disk {
    /// No write succeeds from now on.
    pub fn break_it(&self) {
        *self.broken.lock() = true;
    }

    /// Flips a bit of the first place where `bytes` are stored; whether there is one.
    pub fn damage(&mut self, bytes: &[u8]) -> bool {
        let mut all = self.bytes.to_bytes();
        let mut found = false;
        for at in 0..=all.len().saturating_sub(bytes.len()) {
            if all[at] == bytes[0] && &all[at..at + bytes.len()] == bytes {
                all[at] ^= 1;
                found = true;
            }
        }
        self.bytes = MemoryVolume::from_bytes(all);
        found
    }

    fn check(&self) -> Result<()> {
        match *self.broken.lock() {
            true => Err(error(Kind::Transient)),
            false => Ok(()),
        }
    }
}

impl Volume for Disk {
    async fn len(&self) -> Result<u64> {
        self.bytes.len().await
    }

    async fn set_len(&self, len: u64) -> Result<()> {
        self.check()?;
        self.bytes.set_len(len).await
    }

    async fn read_at(&self, offset: u64, len: usize) -> Result<Bytes> {
        turn().await;
        self.bytes.read_at(offset, len).await
    }

    async fn write_at(&self, offset: u64, bytes: Bytes) -> Result<()> {
        turn().await;
        self.check()?;
        self.bytes.write_at(offset, bytes).await
    }

    async fn discard(&self, range: Range<u64>) -> Result<()> {
        self.bytes.discard(range).await
    }

    async fn sync(&self) -> Result<()> {
        turn().await;
        let gate = self.slow_sync.lock().clone();
        if let Some(gate) = gate {
            gate.wait().await;
        }
        self.check()?;
        self.bytes.sync().await
    }
}

/// Lets others run once.
pub async fn turn() {
    let mut waited = false;
    core::future::poll_fn(|context| match core::mem::replace(&mut waited, true) {
        true => Poll::Ready(()),
        false => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

/// One store, one remote, one pair between them, driven.
pub struct World {
    pool: LocalPool,
    pub env: Env,
    pub disk: Disk,
    pub remote: MemoryBlobs,
    pub slow: Slow,
    pub script: Script,
    pub options: Options,
    /// Of the store, when it is opened again.
    pub store: engine::Options,
    pub pair: TestPair,
    drive: Option<RemoteHandle<()>>,
}

impl World {
    pub fn new() -> World {
        World::with(Options::default())
    }

    pub fn with(options: Options) -> World {
        let mut world = World::undriven(options);
        world.drive();
        world
    }

    /// Without anybody who drives.
    pub fn undriven(options: Options) -> World {
        let env = Env::default();
        let remote = MemoryBlobs::new();
        let slow = Choosy::new(FaultBlobs::new(remote.clone()).with_clock(env.clone()));
        let disk = Disk::default();
        let mut pool = LocalPool::new();
        let pair = pool.run_until(open(&disk, &slow, &env, &options));
        World {
            pool,
            env,
            disk,
            remote,
            script: slow.inner.script().clone(),
            slow,
            options,
            store: small_store(),
            pair,
            drive: None,
        }
    }

    pub fn drive(&mut self) {
        let pair = self.pair.clone();
        self.drive = Some(self.spawn(async move { pair.drive().await }));
    }

    /// The background work is cut off where it is.
    pub fn stop_driving(&mut self) {
        self.drive = None;
        self.settle();
    }

    /// Everything in memory is lost, what is on the volume stays; then it is opened again and driven.
    pub fn crash(&mut self) {
        self.crash_into(self.options.clone());
    }

    pub fn crash_into(&mut self, options: Options) {
        self.drive = None;
        // Every task of the pair goes with its executor; the volume keeps exactly what was written.
        self.pool = LocalPool::new();
        let bytes = self.disk.bytes.to_bytes();
        self.disk = Disk::default();
        self.disk.bytes = MemoryVolume::from_bytes(bytes);
        self.options = options;
        self.pair = self.pool.run_until(open_in(
            &self.disk,
            &self.slow,
            &self.env,
            &self.options,
            self.store.clone(),
        ));
        self.drive();
    }

    /// Starts a task; dropping the handle drops the task's future.
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> RemoteHandle<T> {
        self.pool.spawner().spawn_local_with_handle(future).unwrap()
    }

    /// Lets everything run that can, without time passing.
    pub fn settle(&mut self) {
        self.pool.run_until_stalled();
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: Duration) {
        let until = self.env.now() + time;
        loop {
            self.settle();
            match self.env.next_deadline() {
                Some(at) if at <= until => self.env.jump(at),
                _ => break,
            }
        }
        self.env.jump(until);
        self.settle();
    }

    /// Runs `future` to its end; when nothing else can happen, time passes. A future that has not ended after a
    /// virtual hour hangs.
    pub fn run<T: 'static>(&mut self, future: impl Future<Output = T> + 'static) -> T {
        let start = self.env.now();
        let out = Rc::new(RefCell::new(None));
        let into = out.clone();
        let task = self.spawn(async move { *into.borrow_mut() = Some(future.await) });
        loop {
            self.settle();
            if let Some(out) = out.borrow_mut().take() {
                drop(task);
                return out;
            }
            match self.env.next_deadline() {
                Some(at) if at < start + Duration::from_secs(3600) => self.env.jump(at),
                _ => panic!("this never ends"),
            }
        }
    }

    pub fn put(&mut self, bytes: &[u8]) -> TestReceipt {
        let pair = self.pair.clone();
        let bytes = Bytes::copy_from_slice(bytes);
        self.run(async move { pair.put(bytes).await }).unwrap()
    }

    pub fn get(&mut self, pointer: Pointer) -> Result<Bytes> {
        let pair = self.pair.clone();
        self.run(async move { pair.get(&pointer).await })
    }

    pub fn delete(&mut self, pointer: Pointer) -> bool {
        let pair = self.pair.clone();
        self.run(async move { pair.delete(&pointer).await })
            .unwrap()
    }

    /// Waits until everything is remote.
    pub fn sync(&mut self) -> Result<()> {
        let pair = self.pair.clone();
        self.run(async move { pair.sync(core::future::pending()).await })
    }

    pub fn status(&self) -> Status {
        self.pair.status().current()
    }

    /// How many changes are queued, those in trouble included.
    pub fn queued(&self) -> u64 {
        self.status().queued
    }

    /// Whether the remote itself has the blob.
    pub fn remote_has(&self, pointer: Pointer) -> bool {
        let remote = self.remote.clone();
        futures::executor::block_on(async move { remote.has(&[pointer]).await }).unwrap()[0]
    }

    /// Whether fast itself has the blob.
    pub fn fast_has(&mut self, pointer: Pointer) -> bool {
        let fast = self.pair.fast().clone();
        self.run(async move { fast.has(&[pointer]).await }).unwrap()[0]
    }

    /// Puts something into the remote past the pair.
    pub fn remote_put(&self, bytes: &[u8]) -> Pointer {
        let remote = self.remote.clone();
        let bytes = Bytes::copy_from_slice(bytes);
        futures::executor::block_on(async move { remote.put(bytes).await }).unwrap()
    }

    pub fn remote_root(&self, name: &str) -> Option<Pointer> {
        let remote = self.remote.clone();
        let name = String::from(name);
        futures::executor::block_on(async move { remote.root(&name).await }).unwrap()
    }

    /// Calls that would bring the blob to the remote.
    pub fn uploads_of(&self, pointer: Pointer) -> usize {
        self.script.count_of(Operation::Put, &pointer)
            + self.script.count_of(Operation::PutList, &pointer)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.check_books();
    }
}

impl World {
    /// The totals that are kept in memory must be those of the rows.
    pub fn check_books(&mut self) {
        let pair = self.pair.clone();
        if matches!(self.status().phase, crate::pair::Phase::Closed) {
            return;
        }
        self.settle();
        let (rows, failed) = self.run(async move {
            let mut rows = Vec::new();
            let mut after = None;
            loop {
                let page = pair.queue(after, 100).await.unwrap();
                let Some(last) = page.last() else { break };
                after = Some(last.order);
                rows.extend(page);
            }
            let failed = pair.failed(None, usize::MAX).await.unwrap().len();
            (rows, failed)
        });
        if self.drive.is_none() {
            // Nobody counts again what a dropped future left in doubt.
            return;
        }
        let status = self.status();
        assert_eq!(status.queued, rows.len() as u64, "entries of the queue");
        assert_eq!(status.failed + status.missing, failed as u64, "troubles");
        let bytes: u64 = rows
            .iter()
            .map(|row| match row.change {
                crate::pair::Change::Put { size, .. } => size,
                _ => 0,
            })
            .sum();
        assert_eq!(status.queued_bytes, bytes, "bytes of the queue");
    }
}

pub async fn open(disk: &Disk, slow: &Slow, env: &Env, options: &Options) -> TestPair {
    open_plain(disk, slow, env, options).await
}

pub async fn open_plain<S: Remote + Clone>(
    disk: &Disk,
    slow: &S,
    env: &Env,
    options: &Options,
) -> Pair<Disk, S, Env> {
    open_in(disk, slow, env, options, small_store()).await
}

async fn open_in<S: Remote + Clone>(
    disk: &Disk,
    slow: &S,
    env: &Env,
    options: &Options,
    store: engine::Options,
) -> Pair<Disk, S, Env> {
    let store = Store::open(disk.clone(), env, store).await.unwrap();
    Pair::open(store, slow.clone(), env.clone(), options.clone())
        .await
        .unwrap()
}

fn small_store() -> engine::Options {
    engine::Options {
        memory_budget: 8 << 20,
        log_size: 1 << 20,
        ..engine::Options::default()
    }
}

/// Bytes that do not repeat.
pub fn noise(seed: u64, len: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes.into()
}

pub fn error(kind: Kind) -> Error {
    Error::new(kind, "as the test wants it")
}

pub fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A remote that turns single blobs down, and need not take chunks.
#[derive(Clone)]
pub struct Choosy<S> {
    pub inner: S,
    pub turned_down: Arc<Mutex<BTreeMap<Pointer, Error>>>,
    pub whole_only: Arc<Mutex<bool>>,
    late: Arc<Mutex<Vec<Gate>>>,
    /// Bytes that went over the line.
    pub moved: Arc<Mutex<u64>>,
}

impl<S> Choosy<S> {
    pub fn new(inner: S) -> Self {
        Choosy {
            inner,
            turned_down: Arc::default(),
            whole_only: Arc::default(),
            late: Arc::default(),
            moved: Arc::default(),
        }
    }

    /// From now on, whatever would store or delete this blob fails with `kind`.
    pub fn turn_down(&self, pointer: Pointer, kind: Kind) {
        self.turned_down.lock().insert(pointer, error(kind));
    }

    /// Takes everything again.
    pub fn relent(&self) {
        self.turned_down.lock().clear();
    }

    /// The answer to the next `get_range`, `stat` (of what is not there), `has`, `list` or `root` is held back until the gate opens, with what was true then in it.
    pub fn hold_answer(&self, gate: &Gate) {
        self.late.lock().push(gate.clone());
    }

    async fn late<T>(&self, answer: impl Future<Output = T>) -> T {
        let late = self.late.lock().pop();
        let answer = answer.await;
        if let Some(gate) = late {
            gate.wait().await;
        }
        answer
    }

    fn judge(&self, pointer: &Pointer) -> Result<()> {
        match self.turned_down.lock().get(pointer) {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }
}

impl<S: BlobStore> BlobStore for Choosy<S> {
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.inner.capabilities();
        capabilities.chunks &= !*self.whole_only.lock();
        capabilities
    }

    fn moved(&self) -> u64 {
        *self.moved.lock()
    }

    async fn put(&self, bytes: Bytes) -> Result<Pointer> {
        self.judge(&Pointer::of(&bytes))?;
        self.inner.put(bytes).await
    }

    async fn put_stream<B: Body>(&self, body: B) -> Result<Pointer> {
        self.inner.put_stream(body).await
    }

    async fn get(&self, pointer: &Pointer) -> Result<Bytes> {
        self.inner.get(pointer).await
    }

    async fn get_range(&self, pointer: &Pointer, range: Range<u64>) -> Result<Bytes> {
        self.late(self.inner.get_range(pointer, range)).await
    }

    async fn stat(&self, pointer: &Pointer) -> Result<Option<Stat>> {
        match self.inner.stat(pointer).await {
            Ok(None) => self.late(async { Ok(None) }).await,
            found => found,
        }
    }

    async fn has(&self, pointers: &[Pointer]) -> Result<Vec<bool>> {
        self.late(self.inner.has(pointers)).await
    }

    async fn delete(&self, pointer: &Pointer) -> Result<bool> {
        self.judge(pointer)?;
        self.inner.delete(pointer).await
    }

    async fn list(&self, after: Option<Pointer>, limit: usize) -> Result<Vec<Listed>> {
        self.late(self.inner.list(after, limit)).await
    }

    async fn chunks(&self, pointer: &Pointer) -> Result<Option<ChunkList>> {
        self.inner.chunks(pointer).await
    }

    async fn has_chunks(&self, chunks: &[Pointer]) -> Result<Vec<bool>> {
        self.inner.has_chunks(chunks).await
    }

    async fn put_chunk(&self, bytes: Bytes) -> Result<Pointer> {
        self.inner.put_chunk(bytes).await
    }

    async fn get_chunk(&self, chunk: &Pointer) -> Result<Bytes> {
        self.inner.get_chunk(chunk).await
    }

    async fn put_list(&self, pointer: &Pointer, list: ChunkList) -> Result<()> {
        self.judge(pointer)?;
        self.inner.put_list(pointer, list).await
    }
}

impl<S: RootStore> RootStore for Choosy<S> {
    async fn root(&self, name: &str) -> Result<Option<Pointer>> {
        self.late(self.inner.root(name)).await
    }

    async fn move_root(
        &self,
        name: &str,
        from: Option<Pointer>,
        to: Option<Pointer>,
    ) -> Result<()> {
        self.inner.move_root(name, from, to).await
    }

    async fn roots(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, Pointer)>> {
        self.inner.roots(after, limit).await
    }
}
