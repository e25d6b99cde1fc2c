//! Roots: `root list`, `get`, `set`, `rm`.

use super::{
    args::{Expected, Global, Here, Root, RootSet},
    blob::{not_there, or_here},
    exit::{Exit, Failure},
    home::{Home, Needs, Presence},
    output::Output,
    queue,
};
use littoral::core::{Kind, blob::Pointer};
use serde::Serialize;
use std::fmt;

pub async fn run(args: &Root, global: &Global, output: Output) -> Result<Exit, Failure> {
    match args {
        Root::List(here) => list(here, global, output).await,
        Root::Get { name } => get(name, global, output).await,
        Root::Set(args) => set(args, global, output).await,
        Root::Rm { name } => remove(name, global, output).await,
    }
}

/// One root, as `list` and `get` show it.
#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
    pointer: String,
    #[serde(skip)]
    with_name: bool,
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = littoral::tree::Shown(self.name.as_bytes());
        match self.with_name {
            true => write!(f, "{}  {name}", self.pointer),
            false => write!(f, "{}", self.pointer),
        }
    }
}

#[derive(Serialize)]
struct Moved<'a> {
    name: &'a str,
    from: Option<String>,
    to: Option<String>,
}

impl fmt::Display for Moved<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = littoral::tree::Shown(self.name.as_bytes());
        match &self.to {
            Some(to) => write!(f, "{to}  {name}"),
            None => write!(f, "removed  {name}"),
        }
    }
}

async fn list(here: &Here, global: &Global, output: Output) -> Result<Exit, Failure> {
    let home = here.open(global).await?;
    let mut after: Option<String> = None;
    loop {
        let page = home.pair.roots(after.as_deref(), 1000).await;
        let page = page.map_err(or_here)?;
        for (name, pointer) in &page {
            output.result(&Named {
                name,
                pointer: pointer.to_string(),
                with_name: true,
            })?;
        }
        match page.into_iter().next_back() {
            Some((name, _)) => after = Some(name),
            None => break,
        }
    }
    home.close().await?;
    Ok(Exit::DONE)
}

async fn get(name: &str, global: &Global, output: Output) -> Result<Exit, Failure> {
    let home = Home::open(global, Needs::reading()).await?;
    let pointer = find(&home, name, output).await?;
    output.result(&Named {
        name,
        pointer: pointer.to_string(),
        with_name: false,
    })?;
    home.close().await?;
    Ok(Exit::DONE)
}

/// Where `name` points.
pub async fn find(home: &Home, name: &str, output: Output) -> Result<Pointer, Failure> {
    match home.root_now(name, output).await? {
        Some(pointer) => Ok(pointer),
        None => {
            let message = format!("the root {name:?} is not there");
            let failure = Failure::new(Kind::NotFound, message);
            Err(home.asked(failure.hint("`littoral root list` shows the roots")))
        }
    }
}

async fn set(args: &RootSet, global: &Global, output: Output) -> Result<Exit, Failure> {
    let home = Home::open(global, Needs::changing(args.wait.wait)).await?;
    match home.pair.stat(&args.pointer).await {
        Ok(None) => return Err(home.asked(not_there(&args.pointer))),
        // Nobody can be asked: it is taken to be there.
        Err(error) if !matches!(error.kind(), Kind::Transient | Kind::Timeout) => {
            return Err(error.into());
        }
        Ok(Some(_)) | Err(_) => {}
    }
    let from = match args.from {
        Some(Expected::Nowhere) => None,
        Some(Expected::At(pointer)) => Some(pointer),
        None => home.root_here(&args.name).await?,
    };
    shift(&home, &args.name, from, Some(args.pointer), output).await?;
    queue::finish(home, args.wait.wait, global, output).await
}

async fn remove(name: &str, global: &Global, output: Output) -> Result<Exit, Failure> {
    let needs = Needs {
        store: Presence::MadeForRemote,
        ..Needs::changing(false)
    };
    let home = Home::open(global, needs).await?;
    let from = find(&home, name, output).await?;
    shift(&home, name, Some(from), None, output).await?;
    queue::finish(home, false, global, output).await
}

async fn shift(
    home: &Home,
    name: &str,
    from: Option<Pointer>,
    to: Option<Pointer>,
    output: Output,
) -> Result<(), Failure> {
    home.pair.move_root(name, from, to).await.map_err(moved)?;
    output.result(&Moved {
        name,
        from: from.map(|pointer| pointer.to_string()),
        to: to.map(|pointer| pointer.to_string()),
    })
}

/// A root that somebody else moved.
pub fn moved(error: littoral::core::Error) -> Failure {
    let conflict = error.kind() == Kind::Conflict;
    let failure = Failure::from(error);
    if conflict {
        failure.hint("look at where it points (`littoral root get`), then decide again")
    } else {
        failure
    }
}
