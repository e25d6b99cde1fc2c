//! `serve`: the store as a remote.

use super::{
    args::{Global, Serve, Token},
    exit::{Exit, Failure},
    home::open_store,
    interrupt::Interrupt,
    output::{Output, plural},
    remote::Slow,
};
use futures::future::{Either, select};
use littoral::{
    Driver, FileVolume, System, SystemClock,
    core::{
        Kind,
        blob::{EngineBlobs, EngineRoots},
        doc::{self, Documents},
        engine::{NoStore, Store},
        pair::{self, Change, Pair, QueueItem},
        port::{Clock, Volume},
    },
    server::{Origins, ServerOptions, listen, serve},
    spawn_driver,
};
use serde::Serialize;
use std::{fmt, pin::pin, time::Duration};

pub async fn run(
    args: &Serve,
    global: &Global,
    output: Output,
    interrupt: &Interrupt,
) -> Result<Exit, Failure> {
    let mut options = options(args, global)?;
    let listener = listen(&args.listen.to_string()).map_err(|error| {
        let busy = error.kind() == Kind::Busy;
        let failure = Failure::from(error);
        match busy {
            true => failure.hint("end the other program, or give another address: --listen"),
            false => failure,
        }
    })?;
    let store = open_store(&global.store, NoStore::Make).await?;
    refuse_deletions(&store).await?;
    let driver = spawn_driver(store.clone())?;
    let mut kept = doc::Options::default();
    kept.retention = args.keep.retention();
    let document = Documents::open(store.clone(), SystemClock, kept).await?;
    options = options.documents(document.clone());
    let kept = document.clone();
    let keeper = Driver::spawn(move || async move { kept.drive().await })?;
    let blobs = EngineBlobs::new(store.clone());
    let server = serve(
        listener,
        blobs.clone(),
        EngineRoots::new(store.clone()),
        options,
    )?;
    output.result(&Serving {
        url: server.url(),
        store: global.store.display().to_string(),
    })?;
    if global.token.is_none() {
        output.note("without a token: whoever reaches this address may read, write and delete");
    }
    match select(pin!(interrupt.asked()), pin!(sweep(&blobs, output))).await {
        Either::Left(_) | Either::Right(_) => {}
    }
    output.note("ending: no new requests, those under way may finish");
    server.shutdown().await?;
    drop(blobs);
    document.close().await?;
    keeper.stop()?;
    driver.stop()?;
    Ok(Exit::DONE)
}

/// A blob whose deletion waits for the owner's remote is hidden from the owner alone. Served, it would be back, and whoever
/// put it again would lose it when the deletion is brought to the remote.
async fn refuse_deletions(store: &Store<FileVolume>) -> Result<(), Failure> {
    let mut options = pair::Options::default();
    options.queue = None;
    let pair = Pair::open(store.clone(), Slow::Nobody, System, options).await?;
    let (mut after, mut deletions) = (None, 0);
    loop {
        let page = pair.queue(after, 1000).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.order);
        let is_deletion = |item: &&QueueItem| matches!(item.change, Change::Delete { .. });
        deletions += page.iter().filter(is_deletion).count() as u64;
    }
    if deletions == 0 {
        return Ok(());
    }
    let waits = plural(deletions, "deletion waits", "deletions wait");
    let message = format!("{waits} for a remote: served, what was deleted would be back");
    Err(Failure::new(Kind::InvalidInput, message).hint(
        "`littoral --remote URL sync` first; or serve a store of its own (--store FILE), and sync to that",
    ))
}

/// Takes leftovers of uploads away that ended before their end, once a day.
async fn sweep<V: Volume>(blobs: &EngineBlobs<V>, output: Output) {
    loop {
        if let Err(error) = blobs.sweep().await {
            output.warn(format_args!("leftovers were not taken away: {error}"));
        }
        SystemClock.sleep(Duration::from_secs(24 * 60 * 60)).await;
    }
}

fn options(args: &Serve, global: &Global) -> Result<ServerOptions, Failure> {
    let mut options = ServerOptions::new();
    match &global.token {
        Some(token) => options = options.token(Token::secret(token)),
        None if args.public || args.listen.ip().is_loopback() => {}
        None => {
            let message = format!(
                "{} can be reached by others, and no token would be asked for",
                args.listen
            );
            return Err(Failure::new(Kind::InvalidInput, message)
                .hint("set LITTORAL_TOKEN to a secret, or give --public to let everybody in"));
        }
    }
    if !args.origin.is_empty() {
        options = options.origins(Origins::Only(args.origin.clone()));
    }
    if let Some(bytes) = args.max_blob {
        options = options.max_blob(bytes);
    }
    Ok(options)
}

#[derive(Serialize)]
struct Serving {
    url: String,
    store: String,
}

impl fmt::Display for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} serves {}", self.url, self.store)
    }
}
