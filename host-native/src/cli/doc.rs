//! The document: `doc get set patch at log diff watch ...`.

use super::{
    args::{Doc, DocCommand, DocPatch, DocScope, DocWatch, Global, Keep},
    exit::{Exit, Failure},
    home::open_store,
    output::Output,
};
use littoral::{
    Driver, FileVolume, SystemClock,
    core::{
        Kind,
        doc::{
            self, Documents, Match, Op, Options, Patch, Pattern, Refused, Remove, Retention,
            Snapshot, Value,
        },
        engine::{Direction, NoStore},
    },
    spawn_driver,
};
use serde::Serialize;
use std::{fmt, io::Read, time::Duration};

type Document = Documents<FileVolume, SystemClock>;
type Scope = doc::Scope<FileVolume, SystemClock>;

pub async fn run(args: &Doc, global: &Global, output: Output) -> Result<Exit, Failure> {
    let makes = matches!(args.command, DocCommand::Set { .. } | DocCommand::Patch(_));
    let no_store = match makes {
        true => NoStore::Make,
        false => NoStore::Refuse,
    };
    let (doc, driver) = open(global, no_store).await?;
    let done = command(args, &doc, output).await;
    let closed = doc.close().await;
    driver.stop()?;
    done?;
    closed?;
    Ok(Exit::DONE)
}

async fn open(global: &Global, no_store: NoStore) -> Result<(Document, Driver), Failure> {
    let store = open_store(&global.store, no_store).await?;
    let driver = spawn_driver(store.clone())?;
    let doc = Documents::open(store, SystemClock, Options::default()).await?;
    Ok((doc, driver))
}

async fn command(args: &Doc, doc: &Document, output: Output) -> Result<(), Failure> {
    let whole = || match &args.scope {
        None => Ok(()),
        Some(_) => Err(Failure::new(
            Kind::InvalidInput,
            "--scope says nothing here: this is about the whole document",
        )),
    };
    match &args.command {
        DocCommand::Key { lists, field } => {
            whole()?;
            doc.declare_key(lists, field).await?;
            Ok(())
        }
        DocCommand::Scope(args) => {
            whole()?;
            scope(args, doc, output).await
        }
        DocCommand::Snapshot(keep) => {
            whole()?;
            let done = doc.snapshot_with(keep.retention()).await?;
            output.result(&Done::of(done))
        }
        command => {
            let tree = match &args.scope {
                Some(name) => named(doc, name)?,
                None => doc.as_scope(),
            };
            in_tree(command, &tree, output).await
        }
    }
}

/// What is done to the document as to any scope.
async fn in_tree(command: &DocCommand, tree: &Scope, output: Output) -> Result<(), Failure> {
    match command {
        DocCommand::Get { path } => shown(output, tree.read(path).await?),
        DocCommand::At { commit, path } => shown(output, tree.read_at(path, *commit).await?),
        DocCommand::Set { path, value } => {
            let set = Op::set("", given(value)?)?;
            committed(output, tree.patch(path, Patch::ops([set]), None).await)
        }
        DocCommand::Patch(args) => patch(args, tree, output).await,
        DocCommand::Log { path, from, to } => {
            let range = from.unwrap_or(0)..=to.unwrap_or(u64::MAX);
            let mut history = tree.history(path, range, Direction::Backward)?;
            while let Some(commit) = history.next().await? {
                shown(output, commit.to_value())?;
            }
            Ok(())
        }
        DocCommand::Diff { from, to, path } => {
            let ops = tree.diff_between(path, *from, *to).await?;
            ops.iter().try_for_each(|op| shown(output, op.to_value()))
        }
        DocCommand::Watch(args) => watch(args, tree, output).await,
        DocCommand::Key { .. } | DocCommand::Scope(_) | DocCommand::Snapshot(_) => Ok(()),
    }
}

async fn scope(args: &DocScope, doc: &Document, output: Output) -> Result<(), Failure> {
    match args {
        DocScope::List => {
            for name in doc.scopes() {
                let scope = doc.scope(&name)?;
                let (base, commit) = (scope.base(), scope.current_commit()?);
                output.result(&Listed {
                    scope: name,
                    base,
                    commit,
                })?;
            }
            Ok(())
        }
        DocScope::Create { name } => {
            let scope = doc.create_scope(name).await?;
            let (base, commit) = (scope.base(), scope.base());
            output.result(&Listed {
                scope: name.clone(),
                base,
                commit,
            })
        }
        DocScope::Drop { name } => Ok(named(doc, name)?.drop().await?),
        DocScope::Promote { name } => committed(output, named(doc, name)?.promote().await),
    }
}

fn named(doc: &Document, name: &str) -> Result<Scope, Failure> {
    doc.scope(name).map_err(|_| {
        Failure::new(Kind::NotFound, format!("there is no scope {name:?}"))
            .hint("`littoral doc scope create NAME` makes one; `doc scope list` shows them")
    })
}

impl Keep {
    pub fn retention(&self) -> Retention {
        let remove = match (self.keep_last, self.keep_for, self.thin) {
            (Some(last), _, _) => Remove::KeepLast(last),
            (_, Some(seconds), _) => Remove::KeepFor(Duration::from_secs(seconds)),
            (_, _, Some(_)) => Remove::Thin,
            _ => Remove::NeverRemove,
        };
        let divisor = self.thin.unwrap_or(Retention::default().divisor);
        Retention { divisor, remove }
    }
}

async fn patch(args: &DocPatch, tree: &Scope, output: Output) -> Result<(), Failure> {
    let value = given(&args.patch)?;
    let patch = match args.json_patch {
        true => Patch::json_value(&value)?,
        false => Patch::merge(value),
    };
    let matching = args.matching.as_deref();
    let matching = matching.map(Match::from_json).transpose()?;
    committed(output, tree.patch(&args.path, patch, matching).await)
}

/// What is there, and what came since. Nobody else can write while this program has the store, so it ends then.
async fn watch(args: &DocWatch, tree: &Scope, output: Output) -> Result<(), Failure> {
    let pattern: Pattern = args.pattern.parse()?;
    let mut watch = tree.watch(&pattern, args.from)?;
    while let Some(event) = watch.next_now().await? {
        shown(output, event.to_value())?;
    }
    output.note("nobody else writes while this program has the store; a server's document is watched over HTTP");
    Ok(())
}

/// JSON from the command line; `-` is standard input.
fn given(text: &str) -> Result<Value, Failure> {
    if text != "-" {
        return Ok(Value::from_json(text)?);
    }
    let mut input = Vec::new();
    let read = std::io::stdin().lock().read_to_end(&mut input);
    read.map_err(|error| littoral::core::Error::from(error).context("standard input"))?;
    Ok(Value::from_json(input)?)
}

fn shown(output: Output, value: Value) -> Result<(), Failure> {
    output.result(&Shown(value))
}

fn committed(output: Output, done: littoral::core::Result<u64>) -> Result<(), Failure> {
    match done {
        Ok(commit) => output.result(&Committed { commit }),
        Err(error) => {
            let refused = Refused::of(&error).is_some();
            let failure = Failure::from(error);
            Err(match refused {
                true => failure.hint("nothing was changed; `littoral doc get` shows what is there"),
                false => failure,
            })
        }
    }
}

/// A value, which is JSON either way.
#[derive(Serialize)]
#[serde(transparent)]
struct Shown(Value);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_json())
    }
}

#[derive(Serialize)]
struct Committed {
    commit: u64,
}

impl fmt::Display for Committed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "commit {}", self.commit)
    }
}

#[derive(Serialize)]
struct Listed {
    scope: String,
    base: u64,
    commit: u64,
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Listed {
            scope,
            base,
            commit,
        } = self;
        write!(f, "{scope} from commit {base}, at {commit}")
    }
}

#[derive(Serialize)]
struct Done {
    commit: u64,
    horizon: u64,
    removed_rows: u64,
}

impl Done {
    fn of(snapshot: Snapshot) -> Done {
        Done {
            commit: snapshot.commit,
            horizon: snapshot.horizon,
            removed_rows: snapshot.removed_rows,
        }
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Done {
            commit,
            horizon,
            removed_rows,
        } = self;
        write!(
            f,
            "snapshot of commit {commit}; the past begins at {horizon}, {removed_rows} rows were removed"
        )
    }
}
