//! The user's store, opened, with its remote.

use super::{
    args::Global,
    exit::{Exit, Failure},
    output::Output,
    remote::{self, Slow},
};
use littoral::{
    Driver, FileOptions, FileVolume, OsEntropy, System,
    core::{
        Kind,
        blob::{BlobStore, Pointer},
        engine::{self, Batch, Durability, NoStore, Store},
        pair::{self, Pair, QueueBound},
    },
};
use std::{path::Path, time::Duration};

/// The pair that every command works on.
pub type Local = Pair<FileVolume, Slow, System>;

/// Closing writes what the log has into tables, which takes well under a second.
const CLOSING: Duration = Duration::from_secs(60);

/// What a command needs of the store.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    pub store: Presence,
    pub uploads: Uploads,
    /// What each change waits for. A command that relaxes it settles everything before it reports.
    pub durability: Durability,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is made if it is not there.
    Made,
    /// It is made if there is no file and a remote is named, which may have what is asked for.
    MadeForRemote,
    /// It has to be there.
    There,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uploads {
    /// What is queued stays queued.
    Wait,
    /// What is queued goes to the remote meanwhile.
    Run,
}

impl Needs {
    pub fn reading() -> Self {
        Needs {
            store: Presence::MadeForRemote,
            uploads: Uploads::Wait,
            durability: Durability::Strict,
        }
    }

    /// For a change, which waits for the remote or not.
    pub fn changing(wait: bool) -> Self {
        Needs {
            store: Presence::Made,
            uploads: if wait { Uploads::Run } else { Uploads::Wait },
            durability: Durability::Strict,
        }
    }

    pub fn existing() -> Self {
        Needs {
            store: Presence::There,
            ..Needs::reading()
        }
    }
}

/// The store, open, with a thread that does its background work.
pub struct Home {
    pub pair: Local,
    pub has_remote: bool,
    /// Its file was made just now.
    made: bool,
    driver: Driver,
    /// Where its bytes are counted.
    slow: Slow,
}

impl Home {
    pub async fn open(global: &Global, needs: Needs) -> Result<Self, Failure> {
        Home::open_with(remote::connect(global)?, global, needs).await
    }

    /// For a look at what is here, whether a remote is named or not.
    pub async fn open_here(global: &Global) -> Result<Self, Failure> {
        Home::open_with(Slow::Nobody, global, Needs::existing()).await
    }

    async fn open_with(slow: Slow, global: &Global, needs: Needs) -> Result<Self, Failure> {
        let has_remote = matches!(slow, Slow::Server(_));
        if needs.uploads == Uploads::Run && !has_remote {
            return Err(no_remote());
        }
        let path = &global.store;
        let missing = !path.exists();
        let may_be_made = match needs.store {
            Presence::Made => true,
            // A file in its place may be what is left of a store.
            Presence::MadeForRemote => has_remote && missing,
            Presence::There => false,
        };
        let store = match may_be_made {
            true => open_store(path, NoStore::Make).await?,
            false => open_store(path, NoStore::Refuse).await?,
        };
        let mut home = Home::over(store, slow, needs, global.patience()).await?;
        home.made = missing;
        Ok(home)
    }

    /// A home over a store that is open already.
    pub async fn over(
        store: Store<FileVolume>,
        slow: Slow,
        needs: Needs,
        patience: Duration,
    ) -> Result<Self, Failure> {
        let has_remote = matches!(slow, Slow::Server(_));
        let mut options = pair::Options::default();
        // Nobody empties the queue while a command waits for room in it: the disk is the bound.
        options.queue = Some(QueueBound {
            entries: u64::MAX,
            bytes: u64::MAX,
        });
        options.durability = needs.durability;
        // Somebody waits at the keyboard.
        options.backoff.longest = Duration::from_secs(2);
        // The client gives up what stands still, and it alone knows how long the last bytes may be on their way.
        options.stall = patience.saturating_mul(10);
        let pair = Pair::open(store, slow.clone(), System, options).await?;
        if needs.uploads == Uploads::Wait {
            pair.pause();
        }
        let driven = pair.clone();
        let driver = Driver::spawn(move || async move {
            match needs.uploads {
                Uploads::Run => driven.drive().await,
                Uploads::Wait => driven.store().drive().await,
            }
        })?;
        Ok(Home {
            pair,
            has_remote,
            made: false,
            driver,
            slow,
        })
    }

    /// Ends the background work and closes the store: everything that was changed is durable then.
    pub async fn close(self) -> Result<(), Failure> {
        // What is in flight is taken up again by the next `sync`.
        self.pair.pause();
        self.pair.close(CLOSING).await?;
        Ok(self.driver.stop()?)
    }

    /// Bytes that have gone to the remote and come from it so far.
    pub fn moved(&self) -> u64 {
        self.slow.moved()
    }

    /// The same failure; when it is that nothing was found here and nobody else was asked, with a hint.
    pub fn asked(&self, failure: impl Into<Failure>) -> Failure {
        let failure = failure.into();
        match failure.exit == Exit::of(Kind::NotFound) && !self.has_remote {
            true => failure.hint("if a remote has it, name that: --remote URL"),
            false => failure,
        }
    }

    /// Where `name` points here; where nothing is known of it here and there is nobody to ask, nowhere.
    pub async fn root_here(&self, name: &str) -> Result<Option<Pointer>, Failure> {
        match self.pair.root(name).await {
            Ok(found) => Ok(found),
            Err(error) if matches!(error.kind(), Kind::Transient | Kind::Timeout) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Where `name` points on the remote, if one was named and can be reached; else here.
    pub async fn root_now(&self, name: &str, output: Output) -> Result<Option<Pointer>, Failure> {
        if self.has_remote {
            match self.pair.refresh_root(name).await {
                Ok(found) => return Ok(found),
                Err(error) if matches!(error.kind(), Kind::Transient | Kind::Timeout) => {
                    let here = self.pair.root(name).await;
                    if let Ok(Some(_)) = here {
                        output.warn(format_args!("{error}: this is where it was last"));
                    }
                    return Ok(here?);
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.root_here(name).await
    }

    /// Makes everything durable that was changed so far, whatever the changes themselves waited for.
    pub async fn settle(&self) -> Result<(), Failure> {
        let store = self.pair.store();
        store.commit(Batch::new(), Durability::Strict).await?;
        Ok(())
    }
}

/// Opens the store's file; where there is none, it is made or refused.
pub async fn open_store(path: &Path, no_store: NoStore) -> Result<Store<FileVolume>, Failure> {
    let missing = !path.exists();
    if missing && no_store == NoStore::Refuse {
        let message = format!("there is no store at {}", path.display());
        return Err(Failure::new(Kind::NotFound, message)
            .hint("name it with --store FILE or LITTORAL_STORE; `put` and `import` make one"));
    }
    let volume = match no_store {
        NoStore::Make => FileVolume::open(path)?,
        NoStore::Refuse => FileOptions::new().only_existing().open(path)?,
    };
    let mut options = engine::Options::default();
    options.no_store = no_store;
    let opened = Store::open(volume, &OsEntropy, options).await;
    opened.map_err(|error| {
        if missing {
            // Nothing was there, so nothing of it stays.
            let _ = std::fs::remove_file(path);
        }
        let is_nothing = error.kind() == Kind::NotFound;
        let failure = Failure::from(error.context(path.display()));
        match is_nothing {
            true => failure.hint(
                "if there was one, its content is lost: remove the file and restore a backup; `put` and `import` make a new one",
            ),
            false => failure,
        }
    })
}

fn no_remote() -> Failure {
    Failure::new(Kind::InvalidInput, "no remote was named")
        .hint("give --remote URL, or set LITTORAL_REMOTE")
}

/// What is left in the queue, for people.
pub async fn note_queue(home: &Home, output: Output) -> Result<(), Failure> {
    if home.made {
        let logs = 2 * home.pair.store().stats().log_size;
        output.note(format_args!(
            "a new store: its two logs take {}, also while they are empty",
            super::output::size(logs)
        ));
    }
    let pending = home.pair.pending().await?;
    if pending.count > 0 {
        output.note(format_args!(
            "{} for the remote: `littoral sync` uploads",
            super::output::plural(pending.count, "change waits", "changes wait")
        ));
    }
    Ok(())
}
