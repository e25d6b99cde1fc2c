//! Random commands, and what their ends mean.

use crate::{
    chance::Chance,
    check,
    model::{Belief, Content, Model, Root, Tree},
    place::Place,
    server::Server,
};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The store that is worked on.
pub const STORE: &str = "littoral.store";
/// Somebody else's, who only reads from the remote.
pub const READER: &str = "reader.store";

const ROOTS: [&str; 3] = ["today", "tomorrow", "a name with spaces"];
const TREES: [&str; 2] = ["notes", "photos"];

pub struct World {
    pub place: Place,
    pub chance: Chance,
    pub model: Model,
    pub server: Option<Server>,
    history: Vec<String>,
    counts: BTreeMap<&'static str, Count>,
    files: u64,
}

/// How often a command ran and was killed, and how long it takes.
#[derive(Default)]
struct Count {
    ran: u64,
    killed: u64,
    typical: Option<Duration>,
}

/// A command that has not run yet.
struct Action {
    verb: &'static str,
    args: Vec<String>,
    effect: Effect,
    /// Statuses besides 0 that mean no fault of the store's.
    excused: &'static [i32],
}

/// What it does when it is acknowledged.
enum Effect {
    Put(String),
    Remove(Vec<String>),
    Import {
        root: String,
        tree: Tree,
    },
    MoveRoot {
        name: String,
        to: Option<String>,
    },
    Sync,
    Copy {
        file: String,
        holds: Vec<(String, Content)>,
    },
    Cat(Content),
    Export {
        dir: String,
        tree: Tree,
    },
    Nothing,
}

/// A command that runs.
struct Running {
    action: Action,
    child: Child,
    name: String,
    out: File,
    dies: Dies,
    began: Instant,
    ended: Option<Duration>,
}

enum Dies {
    ByItself,
    After(Duration),
    /// Right after its first result: what it acknowledged then is all that it was given time for.
    HavingSpoken,
}

/// What is left of it. `status` is nothing when it was killed.
struct End {
    status: Option<i32>,
    stdout: Vec<u8>,
    lines: Vec<serde_json::Value>,
    stderr: String,
}

const BUSY: i32 = 5;
const UNREACHABLE: i32 = 6;

impl World {
    pub fn new(seed: u64) -> Self {
        let mut world = World {
            place: Place::new(),
            chance: Chance::new(seed),
            model: Model::default(),
            server: None,
            history: vec![format!("LITTORAL_KILL_SEED={seed}")],
            counts: BTreeMap::new(),
            files: 0,
        };
        world.serve();
        world
    }

    /// The server, started if nobody serves.
    pub fn serve(&mut self) -> String {
        let server = self
            .server
            .get_or_insert_with(|| Server::start(&self.place, &[]));
        server.url.clone()
    }

    /// One or two commands, of which some are killed in the midst of it, with the server or without.
    pub fn round(&mut self) {
        let url = match self.chance.one_in(6) {
            false => Some(self.serve()),
            true => None,
        };
        let mut running = vec![];
        let action = self.choose(url.as_deref());
        running.push(self.start(action));
        if self.chance.one_in(6) {
            let action = self.put(None);
            running.push(self.start(action));
        }
        let server_dies = self.server.is_some() && self.chance.one_in(4);
        let typical = self.typical(running[0].action.verb);
        // A little over the whole length, so that some commands end by themselves.
        let moment = |chance: &mut Chance| typical.mul_f64(1.1 * chance.fraction());
        let server_at = server_dies.then(|| moment(&mut self.chance));
        for run in &mut running {
            run.dies = match self.chance.below(10) {
                0 | 1 => Dies::ByItself,
                2..5 => Dies::HavingSpoken,
                _ => Dies::After(moment(&mut self.chance)),
            };
        }
        self.watch(&mut running, server_at);
        for mut run in running {
            let end = self.end(&mut run);
            self.judge(run.action, end, server_dies);
        }
    }

    /// Waits for all commands, and ends them and the server when their time has come.
    fn watch(&mut self, running: &mut [Running], mut server_at: Option<Duration>) {
        let began = Instant::now();
        while running.iter().any(|run| run.ended.is_none()) || server_at.is_some() {
            let now = began.elapsed();
            assert!(
                now < Duration::from_secs(120),
                "{}",
                self.told("a command hangs")
            );
            if server_at.is_some_and(|at| now >= at) {
                server_at = None;
                self.server = None;
                self.history.push("the server is killed".into());
            }
            for run in running.iter_mut().filter(|run| run.ended.is_none()) {
                if run.child.try_wait().unwrap().is_some() {
                    run.ended = Some(run.began.elapsed());
                    continue;
                }
                let dies = match run.dies {
                    Dies::ByItself => false,
                    Dies::After(time) => now >= time,
                    Dies::HavingSpoken => run.out.metadata().unwrap().len() > 0,
                };
                if dies {
                    run.dies = Dies::ByItself;
                    run.child.kill().unwrap();
                }
            }
            thread::sleep(Duration::from_micros(300));
        }
    }

    fn choose(&mut self, url: Option<&str>) -> Action {
        if !self.place.path(STORE).exists() {
            return self.put(url);
        }
        loop {
            let chosen = match self.chance.below(16) {
                0..4 => Some(self.put(url)),
                4 => self.put_again(url),
                5..7 => self.remove(url),
                7..9 => Some(self.import(url)),
                9..11 => self.move_root(),
                11 => url.map(|url| self.plain("sync", Some(url), Effect::Sync)),
                12 => Some(self.plain("reclaim", None, Effect::Nothing)),
                13 => Some(self.plain("repair", url, Effect::Nothing)),
                14 => self.copy(),
                _ => url.and_then(|url| self.read_elsewhere(url)),
            };
            if let Some(action) = chosen {
                return action;
            }
        }
    }

    fn plain(&mut self, verb: &'static str, url: Option<&str>, effect: Effect) -> Action {
        Action {
            verb,
            args: [&remote(url)[..], &[verb.to_owned()]].concat(),
            effect,
            excused: &[UNREACHABLE],
        }
    }

    fn put(&mut self, url: Option<&str>) -> Action {
        let len = match self.chance.below(6) {
            0 => self.chance.below(1_500_000) + 1_000_000,
            1 | 2 => self.chance.below(100_000),
            _ => self.chance.below(5_000),
        };
        let content = self.model.new_content(len);
        self.put_content(content, url)
    }

    fn put_again(&mut self, url: Option<&str>) -> Option<Action> {
        let known: Vec<_> = self.model.blobs.values().map(|blob| blob.content).collect();
        let content = self.chance.pick(known)?;
        Some(self.put_content(content, url))
    }

    fn put_content(&mut self, content: Content, url: Option<&str>) -> Action {
        let file = self.new_file("put");
        self.place.write(&file, content.bytes());
        let mut args = remote(url);
        args.extend(["put".to_owned(), file]);
        if url.is_some() && self.chance.one_in(3) {
            args.push("--wait".into());
        }
        Action {
            verb: "put",
            args,
            effect: Effect::Put(self.model.attempt_put(content, false)),
            excused: &[UNREACHABLE],
        }
    }

    fn remove(&mut self, url: Option<&str>) -> Option<Action> {
        let mut all = self.model.deletable();
        let mut chosen = Vec::new();
        for _ in 0..1 + self.chance.below(3) {
            let pointer = self.chance.pick(all.iter().cloned())?;
            all.retain(|other| *other != pointer);
            self.model.attempt_delete(&pointer);
            chosen.push(pointer);
            if all.is_empty() {
                break;
            }
        }
        let args = [&remote(url)[..], &["rm".to_owned()], &chosen].concat();
        Some(Action {
            verb: "rm",
            args,
            effect: Effect::Remove(chosen),
            excused: &[UNREACHABLE],
        })
    }

    /// A tree that was imported before, with some files changed, or a new one.
    fn import(&mut self, url: Option<&str>) -> Action {
        let root = TREES[self.chance.below(TREES.len())];
        let dir = self.place.path(root);
        let mut tree = Tree::new();
        let _ = fs::remove_dir_all(&dir);
        for n in 0..5 + self.chance.below(20) {
            let len = match self.chance.below(12) {
                0 => 1_200_000,
                _ => self.chance.below(20_000),
            };
            let known = self.model.blobs.values().filter(|blob| blob.in_a_tree);
            let known: Vec<_> = known.map(|blob| blob.content).collect();
            let content = match self.chance.one_in(3) {
                true => self.model.new_content(len),
                false => match self.chance.pick(known) {
                    Some(content) => content,
                    None => self.model.new_content(len),
                },
            };
            let path = format!("{}/{n}", self.chance.below(4));
            self.place.write(&format!("{root}/{path}"), content.bytes());
            self.model.attempt_put(content, true);
            tree.insert(path, content);
        }
        let mut args = remote(url);
        args.extend(["import".to_owned(), root.to_owned()]);
        Action {
            verb: "import",
            args,
            effect: Effect::Import {
                root: root.to_owned(),
                tree,
            },
            excused: &[UNREACHABLE],
        }
    }

    fn move_root(&mut self) -> Option<Action> {
        let name = ROOTS[self.chance.below(ROOTS.len())].to_owned();
        let old = self.model.roots.get(&name).and_then(Root::settled);
        let to = match old.is_some() && self.chance.one_in(4) {
            true => None,
            false => Some(self.chance.pick(self.model.believed(Belief::There))?.0),
        };
        let mut args = vec!["root".to_owned()];
        match &to {
            Some(to) => args.extend(["set".to_owned(), name.clone(), to.clone()]),
            None => args.extend(["rm".to_owned(), name.clone()]),
        }
        if to.is_some() && self.chance.one_in(2) {
            args.push("--from".into());
            args.push(old.clone().unwrap_or("none".into()));
        }
        Some(Action {
            verb: "root",
            args,
            effect: Effect::MoveRoot { name, to },
            excused: &[],
        })
    }

    /// A backup, or a store made from one.
    fn copy(&mut self) -> Option<Action> {
        let holds = self.model.believed(Belief::There);
        let file = self.new_file("copy");
        if self.chance.one_in(2) {
            let args = vec!["backup".into(), file.clone()];
            let effect = Effect::Copy { file, holds };
            return Some(Action {
                verb: "backup",
                args,
                effect,
                excused: &[],
            });
        }
        let args = ["--store", &file, "restore", STORE].map(str::to_owned);
        Some(Action {
            verb: "restore",
            args: args.to_vec(),
            effect: Effect::Copy { file, holds },
            excused: &[],
        })
    }

    /// Somebody with another store fetches what the remote has.
    fn read_elsewhere(&mut self, url: &str) -> Option<Action> {
        let there = |pointer: &String| {
            let blob = self.model.blobs.get(pointer);
            blob.filter(|blob| blob.belief == Belief::There)
                .map(|blob| blob.content)
        };
        let pointer = self.chance.pick(self.model.remote.iter())?.clone();
        let content = there(&pointer)?;
        let mut args = remote(Some(url));
        args.extend(["--store".into(), READER.into()]);
        let trees = self.model.trees.iter();
        let whole = trees.filter(|(tree, _)| self.model.remote.contains(*tree));
        let tree = self
            .chance
            .pick(whole.map(|(pointer, tree)| (pointer.clone(), tree.clone())));
        if let Some((pointer, tree)) = tree.filter(|_| self.chance.one_in(2)) {
            let dir = self.new_file("export");
            args.extend(["export".into(), pointer, dir.clone()]);
            return Some(Action {
                verb: "export",
                args,
                effect: Effect::Export { dir, tree },
                excused: &[UNREACHABLE],
            });
        }
        args.extend(["cat".into(), pointer]);
        Some(Action {
            verb: "cat",
            args,
            effect: Effect::Cat(content),
            excused: &[UNREACHABLE],
        })
    }

    fn new_file(&mut self, what: &str) -> String {
        self.files += 1;
        format!("{what}-{}", self.files)
    }

    fn start(&mut self, action: Action) -> Running {
        // Files, for a pipe that nobody reads would hold it up.
        let name = self.new_file("run");
        let open = |end: &str| File::create(self.place.path(&format!("{name}.{end}"))).unwrap();
        let mut command = self.place.command(["--json", "--timeout", "2"]);
        let out = open("out");
        command.args(&action.args).stdout(out.try_clone().unwrap());
        let child = command.stderr(Stdio::from(open("err"))).spawn().unwrap();
        Running {
            action,
            child,
            name,
            out,
            dies: Dies::ByItself,
            began: Instant::now(),
            ended: None,
        }
    }

    fn end(&mut self, run: &mut Running) -> End {
        let status = run.child.wait().unwrap().code();
        let read = |end: &str| fs::read(self.place.path(&format!("{}.{end}", run.name))).unwrap();
        let stdout = read("out");
        let text = String::from_utf8_lossy(&stdout).into_owned();
        let whole = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        let lines = whole
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let stderr = String::from_utf8_lossy(&read("err")).into_owned();
        let count = self.counts.entry(run.action.verb).or_default();
        count.ran += 1;
        match (status, run.ended) {
            (None, _) => count.killed += 1,
            (Some(_), Some(took)) => {
                let before = count.typical.unwrap_or(took);
                count.typical = Some((before * 2 + took) / 3);
            }
            _ => {}
        }
        let args = run.action.args.join(" ");
        self.history.push(format!("{args}: {status:?} {stderr}"));
        End {
            status,
            stdout,
            lines,
            stderr,
        }
    }

    fn typical(&self, verb: &str) -> Duration {
        let known = self.counts.get(verb).and_then(|count| count.typical);
        known.unwrap_or(Duration::from_millis(60))
    }

    /// Takes down what the end of a command promises.
    fn judge(&mut self, action: Action, end: End, server_died: bool) {
        let done = end.status == Some(0);
        let excused = match end.status {
            None | Some(0) | Some(BUSY) => true,
            Some(UNREACHABLE) if !server_died && self.server.is_some() => false,
            Some(status) => action.excused.contains(&status),
        };
        let what = format!(
            "{} ended with {:?}: {}",
            action.verb, end.status, end.stderr
        );
        assert!(excused, "{}", self.told(&what));
        let busy = end.status == Some(BUSY);
        let said = |key: &str, value: &str| end.lines.iter().any(|line| line[key] == *value);
        match action.effect {
            Effect::Put(pointer) => match said("pointer", &pointer) {
                true => self.model.believe(&pointer, Belief::There),
                false => assert!(!done, "{}", self.told(&what)),
            },
            Effect::Remove(pointers) => {
                for pointer in pointers {
                    let deleted = end.lines.iter().find(|line| line["pointer"] == *pointer);
                    match deleted {
                        Some(line) => {
                            assert_eq!(line["deleted"], true, "{}", self.told(&what));
                            self.model.believe(&pointer, Belief::Gone);
                        }
                        None => assert!(!done, "{}", self.told(&what)),
                    }
                }
            }
            Effect::Import { root, tree } => {
                let old = self.model.roots.get(&root).and_then(Root::settled);
                let answer = end.lines.iter().find(|line| line["root"] == *root);
                let now = match answer {
                    Some(line) => {
                        let pointer = line["pointer"].as_str().unwrap().to_owned();
                        for content in tree.values() {
                            let blob = crate::place::pointer(&content.bytes());
                            self.model.believe(&blob, Belief::There);
                        }
                        self.model.trees.insert(pointer.clone(), tree);
                        Root::At(Some(pointer))
                    }
                    None if busy => Root::At(old),
                    None => Root::OrTree(old, tree),
                };
                self.model.roots.insert(root, now);
            }
            Effect::MoveRoot { name, to } => {
                let old = self.model.roots.get(&name).and_then(Root::settled);
                let now = match said("name", &name) {
                    true => Root::At(to),
                    false if busy => Root::At(old),
                    false => Root::Either(old, to),
                };
                self.model.roots.insert(name, now);
            }
            Effect::Sync if done => {
                let left = end.lines.iter().any(|line| line["left"] == 0);
                assert!(left, "{}", self.told(&what));
                self.model.everything_is_remote();
                let trees = self.model.trees.keys().cloned();
                self.model.remote.extend(trees);
            }
            // Whatever has the name is whole, acknowledged or not.
            Effect::Copy { file, holds } => match self.place.path(&file).exists() {
                true => check::copy(self, &file, &holds),
                false => assert!(!done, "{}", self.told(&what)),
            },
            Effect::Cat(content) => {
                let bytes = content.bytes();
                let right = match done {
                    true => bytes == end.stdout,
                    false => bytes.starts_with(&end.stdout),
                };
                assert!(right, "{}", self.told(&what));
            }
            Effect::Export { dir, tree } if done => check::same_tree(self, &dir, &tree),
            Effect::Sync | Effect::Export { .. } | Effect::Nothing => {}
        }
    }

    pub fn killed(&self) -> u64 {
        self.counts.values().map(|count| count.killed).sum()
    }

    pub fn summary(&self) -> String {
        let mut text = String::from("killed of those that ran:");
        for (verb, count) in &self.counts {
            text += &format!(" {verb} {}/{}", count.killed, count.ran);
        }
        text
    }

    /// What went wrong, after what.
    pub fn told(&self, what: &str) -> String {
        let history = self.history.join("\n");
        format!("{history}\n\n{what}\n{}", self.place.path("").display())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if thread::panicking() {
            // For whoever wants to know why.
            std::mem::forget(std::mem::replace(&mut self.place, Place::new()));
        }
    }
}

fn remote(url: Option<&str>) -> Vec<String> {
    match url {
        Some(url) => vec!["--remote".to_owned(), url.to_owned()],
        None => Vec::new(),
    }
}
