//! `demo`: a whole tree is imported while the remote is down, uploaded once it is up, lost, restored
//! from the remote on "another machine", and compared.

mod report;
mod source;

use super::{
    args::{Demo, Global},
    exit::{Exit, Failure},
    home::{Home, Needs, Uploads, open_store},
    output::{Output, count, plural, size, without_urls},
    progress, queue, remote,
    tree::{advance, count_ahead},
};
use littoral::{
    Driver, FileVolume,
    core::{
        Kind,
        blob::{EngineBlobs, EngineRoots, Pointer},
        engine::{Durability, NoStore, Store},
        pair::Phase,
    },
    server::{ServerHandle, ServerOptions, listen, serve},
    spawn_driver,
    tree::{self, ExportOptions, ImportOptions, Selection, show_path},
};
use report::{Rate, Report, Story};
use source::Source;
use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

const ROOT: &str = "demo";

pub async fn run(args: &Demo, global: &Global, output: Output) -> Result<Exit, Failure> {
    let source = source::choose(args.dir.as_deref())?;
    let folder = tempfile::Builder::new().prefix("littoral-demo-").tempdir();
    let folder = folder.map_err(littoral::core::Error::from)?;
    let mut story = Story::begin(output);
    story.line("littoral", &source.what)?;
    let demo = Act {
        output,
        patience: global.patience(),
        address: free_address()?,
        source,
        folder: folder.path(),
    };
    let report = demo.play(&mut story).await?;
    let matched = report.matched;
    story.end(&report)?;
    let bar = progress::spinner(output, "removing");
    bar.set_message("the demo's own files");
    drop(folder);
    bar.finish_and_clear();
    match matched {
        true => Ok(Exit::DONE),
        false => Err(Failure::new(
            Kind::Corrupt,
            "what came back is not what went in",
        )),
    }
}

/// An address of this machine at which nobody listens, yet.
fn free_address() -> Result<SocketAddr, Failure> {
    let listener = listen("127.0.0.1:0")?;
    let address = listener.local_addr();
    Ok(address.map_err(littoral::core::Error::from)?)
}

struct Act<'a> {
    output: Output,
    patience: Duration,
    address: SocketAddr,
    source: Source,
    folder: &'a Path,
}

impl Act<'_> {
    async fn play(&self, story: &mut Story) -> Result<Report, Failure> {
        let mut report = Report {
            source: self.source.what.clone(),
            ..Report::default()
        };
        let laptop = self.folder.join("laptop.store");
        let url = format!("http://{}", self.address);
        story.line("remote", format_args!("{url}, down"))?;

        let home = self.open(&laptop, &url).await?;
        let tree = self.import(&home, story, &mut report).await?;
        self.show_queue(&home, story, &mut report).await?;
        let remote = Remote::start(self.address, &self.folder.join("remote.store")).await?;
        story.line("remote", "up")?;
        self.upload(&home, story, &mut report).await?;
        home.close().await?;

        report.store_bytes = length(&laptop);
        std::fs::remove_file(&laptop).map_err(littoral::core::Error::from)?;
        let lost = size(report.store_bytes);
        story.line("lost", format_args!("the local store, {lost}, is deleted"))?;

        let restored = self.folder.join("restored");
        let elsewhere = self
            .open(&self.folder.join("elsewhere.store"), &url)
            .await?;
        self.restore(&elsewhere, tree, &restored, story, &mut report)
            .await?;
        elsewhere.close().await?;
        remote.stop().await?;
        report.remote_bytes = length(&self.folder.join("remote.store"));
        self.compare(&restored, story, &mut report)?;
        Ok(report)
    }

    /// A store with this remote; what is queued is tried again and again.
    async fn open(&self, path: &Path, url: &str) -> Result<Home, Failure> {
        let needs = Needs {
            uploads: Uploads::Run,
            // One strict commit at the end of the import settles everything.
            durability: Durability::Memory,
            ..Needs::changing(true)
        };
        let slow = remote::server(url, None, self.patience)?;
        Home::over(
            open_store(path, NoStore::Make).await?,
            slow,
            needs,
            self.patience,
        )
        .await
    }

    async fn import(
        &self,
        home: &Home,
        story: &mut Story,
        report: &mut Report,
    ) -> Result<Pointer, Failure> {
        let mut options = ImportOptions::default();
        options.selection = self.selection();
        let bar = progress::bytes(self.output, "importing", 0);
        count_ahead(&self.source.dir, self.selection(), &bar);
        let start = Instant::now();
        let imported =
            tree::import(&home.pair, &self.source.dir, options, &mut advance(&bar)).await?;
        home.pair
            .move_root(ROOT, None, Some(imported.pointer))
            .await?;
        home.settle().await?;
        let rate = Rate {
            bytes: imported.bytes,
            time: start.elapsed(),
        };
        bar.finish_and_clear();
        for problem in &imported.problems {
            let path = show_path(&problem.path);
            self.output
                .warn(format_args!("{path}: {}: left out", problem.error));
        }
        report.files = imported.files;
        report.directories = imported.directories;
        report.bytes = imported.bytes;
        report.distinct_files = imported.distinct_files;
        report.distinct_bytes = imported.distinct_bytes;
        report.import_seconds = rate.time.as_secs_f64();
        report.import_mb_per_s = rate.mb_per_s();
        let told = format!(
            "{} in {}, {}, offline {rate}",
            plural(imported.files, "file", "files"),
            plural(imported.directories, "directory", "directories"),
            size(imported.bytes)
        );
        story.line("imported", told)?;
        let told = format!(
            "{} of them different, {}: what is the same is kept once",
            count(imported.distinct_files),
            size(imported.distinct_bytes)
        );
        story.line("dedup", told)?;
        Ok(imported.pointer)
    }

    async fn show_queue(
        &self,
        home: &Home,
        story: &mut Story,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let pending = home.pair.pending().await?;
        report.queued = pending.count;
        report.queued_bytes = pending.bytes;
        let why = match home.pair.status().current().phase {
            Phase::Waiting { reason, .. } => {
                format!("; last try: {}", without_urls(&reason.to_string()))
            }
            _ => String::new(),
        };
        let told = format!(
            "{} for the remote, {}{why}",
            plural(pending.count, "change waits", "changes wait"),
            size(pending.bytes)
        );
        story.line("queued", told)
    }

    async fn upload(
        &self,
        home: &Home,
        story: &mut Story,
        report: &mut Report,
    ) -> Result<(), Failure> {
        // What a host does that learns that the network is back.
        home.pair.wake();
        let start = Instant::now();
        queue::drain(home, self.patience, self.output).await?;
        let rate = Rate {
            bytes: report.queued_bytes,
            time: start.elapsed(),
        };
        report.upload_seconds = rate.time.as_secs_f64();
        report.upload_mb_per_s = rate.mb_per_s();
        let left = home.pair.pending().await?.count;
        let told = format!("{}, {left} left {rate}", size(rate.bytes));
        story.line("uploaded", told)
    }

    async fn restore(
        &self,
        home: &Home,
        tree: Pointer,
        restored: &Path,
        story: &mut Story,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let start = Instant::now();
        let root = home.pair.refresh_root(ROOT).await?;
        if root != Some(tree) {
            let message = "the remote's root is not the tree that was imported";
            return Err(Failure::new(Kind::Corrupt, message));
        }
        let bar = progress::bytes(self.output, "restoring", report.bytes);
        let mut options = ExportOptions::default();
        // It is compared and thrown away.
        options.durability = Durability::Memory;
        let exported =
            tree::export(&home.pair, tree, restored, options, &mut advance(&bar)).await?;
        bar.finish_and_clear();
        for problem in &exported.problems {
            let path = show_path(&problem.path);
            self.output.warn(format_args!("{path}: {}", problem.error));
        }
        let rate = Rate {
            bytes: exported.bytes,
            time: start.elapsed(),
        };
        report.restore_seconds = rate.time.as_secs_f64();
        report.restore_mb_per_s = rate.mb_per_s();
        let told = format!(
            "{} from the remote into a new store {rate}",
            plural(exported.files, "file", "files")
        );
        story.line("restored", told)
    }

    fn compare(
        &self,
        restored: &Path,
        story: &mut Story,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let bar = progress::bytes(self.output, "comparing", report.bytes);
        let selection = self.selection();
        let compared = tree::compare(&self.source.dir, selection, restored, advance(&bar))?;
        bar.finish_and_clear();
        for difference in compared.differences.iter().take(20) {
            let path = show_path(&difference.path);
            self.output
                .warn(format_args!("{path}: {}", difference.what));
        }
        report.verified_files = compared.files;
        report.verified_bytes = compared.bytes;
        report.matched = compared.differences.is_empty() && compared.files == report.files;
        report.differences = compared
            .differences
            .iter()
            .map(|difference| format!("{}: {}", show_path(&difference.path), difference.what))
            .collect();
        let told = match compared.differences.len() as u64 {
            0 => format!(
                "{} with the originals: every byte is the same",
                plural(compared.files, "file", "files")
            ),
            n => plural(n, "difference", "differences"),
        };
        story.line("compared", told)
    }

    fn selection(&self) -> Selection {
        Selection {
            only: self.source.only.clone(),
            except: Vec::new(),
        }
    }
}

/// The remote: what `littoral serve` is, in this process.
struct Remote {
    server: ServerHandle,
    store: Store<FileVolume>,
    driver: Driver,
}

impl Remote {
    async fn start(address: SocketAddr, path: &Path) -> Result<Self, Failure> {
        let store = open_store(path, NoStore::Make).await?;
        let driver = spawn_driver(store.clone())?;
        let server = serve(
            listen(&address.to_string())?,
            EngineBlobs::new(store.clone()),
            EngineRoots::new(store.clone()),
            ServerOptions::new(),
        )?;
        Ok(Remote {
            server,
            store,
            driver,
        })
    }

    async fn stop(self) -> Result<(), Failure> {
        self.server.shutdown().await?;
        self.store.close().await?;
        self.driver.stop()?;
        Ok(())
    }
}

fn length(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}
