//! The queue of what the remote does not have yet: `sync`, `status`, and `--wait`.

use super::{
    args::Global,
    exit::{Exit, Failure},
    home::{Home, Needs, Uploads, note_queue},
    output::{Output, plural, size, without_urls},
    progress,
};
use futures::future::{Either, select};
use indicatif::ProgressBar;
use littoral::{
    SystemClock,
    core::{
        Error, Kind,
        pair::{Change, Phase, QueueItem, Status},
        port::Clock,
    },
};
use serde::Serialize;
use std::{
    fmt,
    pin::pin,
    time::{Duration, Instant},
};

/// Background work that has had nothing to do for this long will not find anything.
const SETTLED: Duration = Duration::from_secs(2);

pub async fn sync(global: &Global, output: Output) -> Result<Exit, Failure> {
    let needs = Needs {
        uploads: Uploads::Run,
        ..Needs::existing()
    };
    let home = Home::open(global, needs).await?;
    // Whoever calls `sync` wants what was refused to be tried once more.
    home.pair.retry_failed().await?;
    let drained = drain(&home, global.patience(), output).await;
    let status = home.pair.status().current();
    let troubles = troubles(&home).await?;
    home.close().await?;
    drained?;
    output.result(&Synced {
        uploaded: status.uploaded,
        uploaded_bytes: status.uploaded_bytes,
        left: status.queued,
    })?;
    refused(&troubles, output)
}

pub async fn status(global: &Global, output: Output) -> Result<Exit, Failure> {
    let home = Home::open(global, Needs::existing()).await?;
    let pending = home.pair.pending().await?;
    let stats = home.pair.store().stats();
    let troubles = troubles(&home).await?;
    let oldest = pending.oldest.map(|oldest| {
        let age = SystemClock.now().saturating_sub(oldest);
        age.as_secs()
    });
    output.result(&State {
        store: global.store.display().to_string(),
        size: stats.size,
        size_in_use: stats.size_in_use,
        last_commit: stats.last_commit,
        queued: pending.count,
        queued_bytes: pending.bytes,
        oldest_seconds: oldest,
        failed: pending.failed,
        missing: pending.missing,
        troubles: troubles.iter().map(Told::new).collect(),
    })?;
    home.close().await?;
    Ok(Exit::DONE)
}

/// The end of a command that changed something: waits for the remote if the user wants that.
pub async fn finish(
    home: Home,
    wait: bool,
    global: &Global,
    output: Output,
) -> Result<Exit, Failure> {
    if !wait {
        note_queue(&home, output).await?;
        home.close().await?;
        return Ok(Exit::DONE);
    }
    let drained = drain(&home, global.patience(), output).await;
    let troubles = troubles(&home).await?;
    home.close().await?;
    drained?;
    refused(&troubles, output)
}

/// Returns once everything that can be is remote.
///
/// # Errors
/// The remote's, when it makes no progress for as long as the user has patience.
pub async fn drain(home: &Home, patience: Duration, output: Output) -> Result<(), Failure> {
    let mut watch = home.pair.status();
    let first = watch.current();
    let bar = progress::bytes(output, "uploading", first.queued_bytes);
    let mut moved = Instant::now();
    let mut uploaded = (first.uploaded, first.queued);
    let mut sight = Sight::new(home, &first);
    let result = loop {
        let status = watch.current();
        sight.show(home, &bar, &status);
        if status.queued <= status.failed + status.missing {
            break Ok(());
        }
        if uploaded != (status.uploaded, status.queued) {
            uploaded = (status.uploaded, status.queued);
            moved = Instant::now();
        }
        if let Some(error) = hopeless(&status, moved.elapsed() >= patience) {
            let passes = matches!(error.kind(), Kind::Transient | Kind::Timeout);
            let failure = Failure::from(error);
            break Err(match passes {
                true => failure
                    .hint("what was put is safe and stays queued; try again with `littoral sync`"),
                false => failure,
            });
        }
        // A root waits behind a blob that the remote refused; nothing else is left.
        let stuck = matches!(status.phase, Phase::Idle) && status.failed + status.missing > 0;
        if stuck && moved.elapsed() >= SETTLED {
            break Ok(());
        }
        let tick = SystemClock.sleep(Duration::from_millis(250));
        match select(pin!(watch.changed()), pin!(tick)).await {
            Either::Left((None, _)) => break Ok(()),
            Either::Left(_) | Either::Right(_) => {}
        }
    };
    bar.finish_and_clear();
    result
}

/// Why waiting longer does not help, if it does not. A transfer that is on its way is given its time: how long
/// one may stand still is the pair's business.
fn hopeless(status: &Status, out_of_patience: bool) -> Option<Error> {
    match &status.phase {
        Phase::Auth(error) => Some(error.clone()),
        Phase::Waiting { reason, .. } if out_of_patience => Some(reason.clone()),
        _ => None,
    }
}

/// What the bar shows: what the remote has acknowledged, and what is on its way, so that it moves in the midst of a large blob too.
struct Sight {
    moved: u64,
    uploaded: u64,
}

impl Sight {
    /// From here on, what moves and is not uploaded is on its way.
    fn new(home: &Home, status: &Status) -> Self {
        Sight {
            moved: home.moved(),
            uploaded: status.uploaded_bytes,
        }
    }

    fn show(&mut self, home: &Home, bar: &ProgressBar, status: &Status) {
        let left = plural(status.queued, "change left", "changes left");
        match &status.phase {
            Phase::Waiting { reason, .. } => {
                let reason = without_urls(&reason.to_string());
                bar.set_message(format!("{left}; waiting: {reason}"));
                // What was on its way is sent again.
                *self = Sight::new(home, status);
            }
            _ => bar.set_message(left),
        }
        let arrived = status.uploaded_bytes.saturating_sub(self.uploaded);
        let moved = home.moved().saturating_sub(self.moved);
        let on_its_way = moved.saturating_sub(arrived).min(status.queued_bytes);
        bar.set_length(status.uploaded_bytes + status.queued_bytes);
        bar.set_position(status.uploaded_bytes + on_its_way);
    }
}

/// What does not move by itself.
async fn troubles(home: &Home) -> Result<Vec<QueueItem>, Failure> {
    const ENOUGH: usize = 100;
    Ok(home.pair.failed(None, ENOUGH).await?)
}

fn refused(troubles: &[QueueItem], output: Output) -> Result<Exit, Failure> {
    let mut kind = None;
    for item in troubles {
        let told = Told::new(item);
        output.warn(format_args!("{}: {}", told.change, told.message));
        kind = kind.or(item.trouble.as_ref().map(|trouble| trouble.reason().kind()));
    }
    match kind {
        None => Ok(Exit::DONE),
        Some(kind) => {
            let message = format!(
                "{} the remote",
                plural(
                    troubles.len() as u64,
                    "change does not reach",
                    "changes do not reach"
                )
            );
            Err(Failure::new(kind, message).hint(match kind {
                Kind::Conflict => {
                    "somebody else has moved the root: `littoral root get NAME` takes over where it points, then decide again"
                }
                _ => "they stay queued; `littoral status` lists them, `littoral sync` tries again",
            }))
        }
    }
}

#[derive(Serialize)]
struct Synced {
    uploaded: u64,
    uploaded_bytes: u64,
    left: u64,
}

impl fmt::Display for Synced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blobs = plural(self.uploaded, "blob", "blobs");
        write!(f, "uploaded {blobs}, {}", size(self.uploaded_bytes))?;
        match self.left {
            0 => Ok(()),
            left => write!(f, "; {} left", plural(left, "change", "changes")),
        }
    }
}

#[derive(Serialize)]
struct State {
    store: String,
    size: u64,
    size_in_use: u64,
    last_commit: u64,
    queued: u64,
    queued_bytes: u64,
    oldest_seconds: Option<u64>,
    failed: u64,
    missing: u64,
    troubles: Vec<Told>,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "store   {}: {}, {} in use, {}",
            self.store,
            size(self.size),
            size(self.size_in_use),
            plural(self.last_commit, "commit", "commits")
        )?;
        if self.queued == 0 {
            return write!(f, "queue   empty");
        }
        let queued = plural(self.queued, "change", "changes");
        write!(f, "queue   {queued}, {}", size(self.queued_bytes))?;
        if let Some(seconds) = self.oldest_seconds {
            let age = indicatif::HumanDuration(Duration::from_secs(seconds));
            write!(f, ", the oldest for {age}")?;
        }
        for told in &self.troubles {
            write!(f, "\nfailed  {}: {}", told.change, told.message)?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Told {
    change: String,
    code: &'static str,
    message: String,
}

impl Told {
    fn new(item: &QueueItem) -> Self {
        let change = match &item.change {
            Change::Put { pointer, .. } => format!("upload of {pointer}"),
            Change::Delete { pointer } => format!("deletion of {pointer}"),
            Change::MoveRoot { name, .. } => format!("move of the root {name:?}"),
            _ => format!("change {}", item.order),
        };
        let reason = item.trouble.as_ref().map(|trouble| trouble.reason());
        Told {
            change,
            code: reason.map_or("Busy", |reason| reason.kind().name()),
            message: reason.map_or_else(|| "not tried yet".to_owned(), ToString::to_string),
        }
    }
}
