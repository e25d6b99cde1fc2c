//! The document: `doc get set patch at log diff watch ...`.

use super::{
    args::{Doc, DocPatch, DocWatch, Global},
    exit::{Exit, Failure},
    home::open_store,
    output::Output,
};
use littoral::{
    Driver, FileVolume, SystemClock,
    core::{
        Kind,
        doc::{Documents, Match, Op, Options, Patch, Pattern, Refused, Value},
        engine::Direction,
    },
    spawn_driver,
};
use serde::Serialize;
use std::{fmt, io::Read};

type Document = Documents<FileVolume, SystemClock>;

pub async fn run(args: &Doc, global: &Global, output: Output) -> Result<Exit, Failure> {
    let makes = matches!(args, Doc::Set { .. } | Doc::Patch(_));
    if !makes && !global.store.exists() {
        let message = format!("there is no store at {}", global.store.display());
        return Err(Failure::new(Kind::NotFound, message)
            .hint("name it with --store FILE or LITTORAL_STORE; `doc set` makes one"));
    }
    let (doc, driver) = open(global).await?;
    let done = command(args, &doc, output).await;
    let closed = doc.close().await;
    driver.stop()?;
    done?;
    closed?;
    Ok(Exit::DONE)
}

async fn open(global: &Global) -> Result<(Document, Driver), Failure> {
    let store = open_store(&global.store).await?;
    let driver = spawn_driver(store.clone())?;
    let doc = Documents::open(store, SystemClock, Options::default()).await?;
    Ok((doc, driver))
}

async fn command(args: &Doc, doc: &Document, output: Output) -> Result<(), Failure> {
    match args {
        Doc::Get { path } => shown(output, doc.read(path).await?),
        Doc::At { commit, path } => shown(output, doc.read_at(path, *commit).await?),
        Doc::Set { path, value } => {
            let set = Op::set("", given(value)?)?;
            committed(output, doc.patch(path, Patch::ops([set]), None).await)
        }
        Doc::Patch(args) => patch(args, doc, output).await,
        Doc::Log { path, from, to } => {
            let range = from.unwrap_or(0)..=to.unwrap_or(u64::MAX);
            let mut history = doc.history(path, range, Direction::Backward)?;
            while let Some(commit) = history.next().await? {
                shown(output, commit.to_value())?;
            }
            Ok(())
        }
        Doc::Diff { from, to, path } => {
            let ops = doc.diff_between(path, *from, *to).await?;
            ops.iter().try_for_each(|op| shown(output, op.to_value()))
        }
        Doc::Watch(args) => watch(args, doc, output).await,
        Doc::Key { lists, field } => {
            doc.declare_key(lists, field).await?;
            Ok(())
        }
    }
}

async fn patch(args: &DocPatch, doc: &Document, output: Output) -> Result<(), Failure> {
    let value = given(&args.patch)?;
    let patch = match args.json_patch {
        true => Patch::json_value(&value)?,
        false => Patch::merge(value),
    };
    let matching = args.matching.as_deref();
    let matching = matching.map(Match::from_json).transpose()?;
    committed(output, doc.patch(&args.path, patch, matching).await)
}

/// What is there, and what came since. Nobody else can write while this program has the store, so it ends then.
async fn watch(args: &DocWatch, doc: &Document, output: Output) -> Result<(), Failure> {
    let pattern: Pattern = args.pattern.parse()?;
    let mut watch = doc.watch(&pattern, args.from)?;
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
