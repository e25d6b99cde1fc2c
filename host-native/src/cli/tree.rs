//! Directory trees: `import`, `export`, and `ls ROOT`.

use super::{
    args::{Export, Global, Import, Ls},
    exit::{Exit, Failure},
    home::{Home, Needs, note_queue},
    output::{Output, plural, size},
    progress, queue, root,
};
use indicatif::ProgressBar;
use littoral::{
    core::{
        Kind,
        blob::{Pointer, check_root_name},
        engine::Durability,
    },
    tree::{
        self, Directory, EntryKind, Existing, ExportOptions, ImportOptions, Problem, Selection,
        Shown, Step, show_path,
    },
};
use serde::Serialize;
use std::{fmt, path::Path, thread};

pub async fn import(args: &Import, global: &Global, output: Output) -> Result<Exit, Failure> {
    let name = root_name(args)?;
    let needs = Needs {
        // One strict commit at the end settles them all: one log, one order.
        durability: Durability::Memory,
        ..Needs::changing(args.wait.wait)
    };
    let home = Home::open(global, needs).await?;
    let from = home.root_here(&name).await?;

    let mut options = ImportOptions::default();
    options.selection.except.push(global.store.clone());
    let bar = progress::bytes(output, "importing", 0);
    count_ahead(&args.dir, options.selection.clone(), &bar);
    let imported = tree::import(&home.pair, &args.dir, options, &mut advance(&bar)).await?;
    bar.finish_and_clear();

    for (path, what) in &imported.skipped {
        output.warn(format_args!("{} is {what}: skipped", show_path(path)));
    }
    for problem in &imported.problems {
        output.warn(told(problem));
    }
    let complete = imported.problems.is_empty();
    let moves = complete || args.skip_unreadable;
    if moves {
        let to = Some(imported.pointer);
        home.pair
            .move_root(&name, from, to)
            .await
            .map_err(root::moved)?;
    }
    home.settle().await?;
    output.result(&Imported {
        root: moves.then_some(name.as_str()),
        pointer: imported.pointer.to_string(),
        files: imported.files,
        directories: imported.directories,
        bytes: imported.bytes,
        distinct_files: imported.distinct_files,
        distinct_bytes: imported.distinct_bytes,
        skipped: imported
            .skipped
            .iter()
            .map(|(path, _)| show_path(path))
            .collect(),
        problems: imported.problems.iter().map(Reported::new).collect(),
    })?;
    if !moves {
        note_queue(&home, output).await?;
        home.close().await?;
        return Err(incomplete(&name, imported.problems.len()));
    }
    queue::finish(home, args.wait.wait, global, output).await?;
    Ok(if complete {
        Exit::DONE
    } else {
        Exit::INCOMPLETE
    })
}

pub async fn export(args: &Export, global: &Global, output: Output) -> Result<Exit, Failure> {
    let home = Home::open(global, Needs::reading()).await?;
    let pointer = resolve(&home, &args.root, output).await?;
    let mut options = ExportOptions::default();
    if args.replace {
        options.existing = Existing::Replace;
    }
    let bar = progress::bytes(output, "exporting", total(&home, &pointer).await?);
    let mut step = advance(&bar);
    let exported = tree::export(&home.pair, pointer, &args.dir, options, &mut step)
        .await
        .map_err(|error| match error.kind() {
            Kind::AlreadyExists => {
                Failure::from(error).hint("give --replace to write into it, or another directory")
            }
            _ => home.asked(error),
        })?;
    drop(step);
    bar.finish_and_clear();
    for problem in &exported.problems {
        output.warn(told(problem));
    }
    output.result(&Exported {
        pointer: pointer.to_string(),
        dir: show_path(&args.dir),
        files: exported.files,
        directories: exported.directories,
        bytes: exported.bytes,
        unchanged: exported.unchanged,
        problems: exported.problems.iter().map(Reported::new).collect(),
    })?;
    home.close().await?;
    match exported.problems.first() {
        None => Ok(Exit::DONE),
        Some(first) => {
            let lost = exported.problems.len() as u64;
            let message = format!(
                "{} of the tree could not be restored",
                plural(lost, "file or directory", "files or directories")
            );
            Err(Failure::new(first.error.kind(), message))
        }
    }
}

/// What is in one directory of a tree.
pub async fn ls(args: &Ls, global: &Global, output: Output) -> Result<Exit, Failure> {
    let home = args.here.open(global).await?;
    let root = args.root.as_deref().unwrap_or_default();
    let mut pointer = resolve(&home, root, output).await?;
    for name in args.path.iter().flat_map(|path| path.components()) {
        let std::path::Component::Normal(name) = name else {
            continue;
        };
        let directory = directory(&home, &pointer).await?;
        let found = directory.entry(name.as_encoded_bytes());
        match found.filter(|entry| entry.kind == EntryKind::Directory) {
            Some(entry) => pointer = entry.pointer,
            None => {
                let path = Path::new(name);
                let message = format!("the tree has no directory {}", show_path(path));
                return Err(Failure::new(Kind::NotFound, message));
            }
        }
    }
    for entry in directory(&home, &pointer).await?.entries() {
        output.result(&Listed {
            name: entry.name.to_string(),
            kind: entry.kind.name(),
            size: entry.size,
            pointer: entry.pointer.to_string(),
        })?;
    }
    home.close().await?;
    Ok(Exit::DONE)
}

/// The root's name: as given, or the directory's own.
fn root_name(args: &Import) -> Result<String, Failure> {
    let name = match &args.root {
        Some(name) => name.clone(),
        None => {
            let whole = args
                .dir
                .canonicalize()
                .map_err(|error| littoral::core::Error::from(error).context(args.dir.display()))?;
            match whole.file_name().and_then(|name| name.to_str()) {
                Some(name) => name.to_owned(),
                None => {
                    let message = "the directory's name cannot name a root";
                    return Err(Failure::new(Kind::InvalidInput, message)
                        .hint("name the root with --root NAME"));
                }
            }
        }
    };
    check_root_name(&name)?;
    Ok(name)
}

/// The tree that the user means: a root, or a pointer if no root is called that.
pub async fn resolve(home: &Home, root: &str, output: Output) -> Result<Pointer, Failure> {
    let missing = match root::find(home, root, output).await {
        Ok(pointer) => return Ok(pointer),
        Err(failure) => failure,
    };
    match super::args::pointer(root) {
        Ok(pointer) if missing.exit == Exit::of(Kind::NotFound) => Ok(pointer),
        _ => Err(missing),
    }
}

async fn directory(home: &Home, pointer: &Pointer) -> Result<Directory, Failure> {
    let bytes = home
        .pair
        .get_range(pointer, 0..Directory::MAX_ENCODED as u64 + 1);
    let bytes = bytes.await.map_err(|error| home.asked(error))?;
    Ok(Directory::parse(&bytes).map_err(|error| error.context(pointer))?)
}

async fn total(home: &Home, pointer: &Pointer) -> Result<u64, Failure> {
    Ok(directory(home, pointer).await?.size())
}

/// Finds out, beside the import, how much there is.
pub fn count_ahead(dir: &Path, selection: Selection, bar: &ProgressBar) {
    if bar.is_hidden() {
        return;
    }
    let (dir, bar) = (dir.to_owned(), bar.clone());
    thread::spawn(move || {
        tree::measure(&dir, selection, |so_far| bar.set_length(so_far.bytes));
    });
}

/// Moves a bar on with each step.
pub fn advance(bar: &ProgressBar) -> impl FnMut(Step) + Send + '_ {
    let mut files = 0;
    move |step| {
        if let Step::File(bytes) = step {
            files += 1;
            bar.inc(bytes);
            bar.set_message(plural(files, "file", "files"));
        }
    }
}

fn told(problem: &Problem) -> String {
    format!("{}: {}", show_path(&problem.path), problem.error)
}

fn incomplete(name: &str, problems: usize) -> Failure {
    let message = format!(
        "{} could not be read, so the root {name:?} was not moved",
        plural(problems as u64, "file", "files")
    );
    let mut failure = Failure::new(Kind::InvalidInput, message).hint(
        "make them readable and import again (what is stored is not stored twice), or give --skip-unreadable",
    );
    failure.exit = Exit::INCOMPLETE;
    failure.code = "Incomplete";
    failure
}

#[derive(Serialize)]
struct Reported {
    path: String,
    code: &'static str,
    message: String,
}

impl Reported {
    fn new(problem: &Problem) -> Self {
        Reported {
            path: show_path(&problem.path),
            code: problem.error.kind().name(),
            message: problem.error.to_string(),
        }
    }
}

#[derive(Serialize)]
struct Imported<'a> {
    root: Option<&'a str>,
    pointer: String,
    files: u64,
    directories: u64,
    bytes: u64,
    distinct_files: u64,
    distinct_bytes: u64,
    skipped: Vec<String>,
    problems: Vec<Reported>,
}

impl fmt::Display for Imported<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}  {}, {} ({} of them different, {})",
            self.pointer,
            plural(self.files, "file", "files"),
            size(self.bytes),
            self.distinct_files,
            size(self.distinct_bytes)
        )?;
        match self.root {
            Some(root) => write!(f, "  root {}", Shown(root.as_bytes())),
            None => Ok(()),
        }
    }
}

#[derive(Serialize)]
struct Exported {
    pointer: String,
    dir: String,
    files: u64,
    directories: u64,
    bytes: u64,
    unchanged: u64,
    problems: Vec<Reported>,
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}  {}, {}",
            self.dir,
            plural(self.files, "file", "files"),
            size(self.bytes)
        )?;
        match self.unchanged {
            0 => Ok(()),
            same => write!(f, "  ({same} were there already)"),
        }
    }
}

#[derive(Serialize)]
struct Listed {
    name: String,
    kind: &'static str,
    size: u64,
    pointer: String,
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}  {:>12}  {:<10}  {}",
            self.pointer, self.size, self.kind, self.name
        )
    }
}
