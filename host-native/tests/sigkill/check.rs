//! What has to be true after somebody was killed, seen by processes that begin then.

use crate::{
    model::{Belief, Content, Root, Tree},
    place::{Place, Run},
    work::{READER, STORE, World},
};
use std::{collections::BTreeMap, fs};

pub fn after_a_kill(world: &mut World) {
    if !world.place.path(STORE).exists() {
        // The first command was killed before it had made one.
        return;
    }
    run(world, STORE, &["verify"]);
    blobs(world);
    roots(world);
    bytes(world);
    if world.place.path(READER).exists() && world.chance.one_in(3) {
        run(world, READER, &["verify"]);
    }
    if world.server.is_none() && world.chance.one_in(2) {
        run(world, "remote.store", &["verify"]);
    }
    if world.server.is_some() && world.chance.one_in(4) {
        drains(world);
    }
}

/// The end: the queue is empty, the local store is lost, and all is given back.
pub fn everything_is_in_the_remote(world: &mut World) {
    drains(world);
    run(world, STORE, &["reclaim"]);
    run(world, STORE, &["verify"]);
    world.server = None;
    run(world, "remote.store", &["reclaim"]);
    run(world, "remote.store", &["verify"]);
    let url = world.serve();
    let local_roots = named(&run(world, STORE, &["root", "list"]));
    fs::remove_file(world.place.path(STORE)).unwrap();

    const NEW: &str = "new.store";
    fn with<'a>(url: &'a str, args: &[&'a str]) -> Vec<&'a str> {
        [&["--remote", url][..], args].concat()
    }
    let roots = named(&run(world, NEW, &with(&url, &["root", "list"])));
    assert_eq!(roots, local_roots, "{}", world.told("other roots"));
    for (pointer, content) in world.model.believed(Belief::There) {
        same_bytes(world, NEW, Some(&url), &pointer, content);
    }
    for (pointer, _) in world.model.believed(Belief::Gone) {
        gone(world, NEW, Some(&url), &pointer);
    }
    for (name, pointer) in &roots {
        if let Some(tree) = world.model.trees.get(pointer).cloned() {
            let dir = format!("restored {name}");
            run(world, NEW, &with(&url, &["export", name, &dir]));
            same_tree(world, &dir, &tree);
        }
    }
    run(world, NEW, &["verify"]);
}

/// Every blob is there, or not, as it has to be; what was open is decided from now on.
fn blobs(world: &mut World) {
    let there = listed(&run(world, STORE, &["ls"]));
    let blobs: Vec<_> = world.model.blobs.keys().cloned().collect();
    for pointer in blobs {
        let blob = world.model.blobs[&pointer];
        let seen = there.get(&pointer);
        match (blob.belief, seen) {
            (Belief::There, None) => panic!("{}", world.told(&format!("{pointer} is lost"))),
            (Belief::Gone, Some(_)) => panic!("{}", world.told(&format!("{pointer} came back"))),
            _ => {}
        }
        if let Some(size) = seen {
            assert_eq!(*size, blob.content.len as u64);
        }
        let now = match seen {
            Some(_) => Belief::There,
            None => Belief::Gone,
        };
        world.model.believe(&pointer, now);
    }
}

fn roots(world: &mut World) {
    let there = named(&run(world, STORE, &["root", "list"]));
    let names: Vec<_> = world.model.roots.keys().cloned().collect();
    for name in names {
        let seen = there.get(&name).cloned();
        let right = match world.model.roots[&name].clone() {
            Root::At(at) => at == seen,
            Root::Either(old, new) => seen == old || seen == new,
            Root::OrTree(old, _) if seen == old => true,
            Root::OrTree(_, tree) => match seen.clone() {
                Some(pointer) => {
                    exported(world, &pointer, &tree);
                    world.model.trees.insert(pointer, tree);
                    true
                }
                None => false,
            },
        };
        let what = format!(
            "the root {name:?} points at {seen:?}, not {:?}",
            world.model.roots[&name]
        );
        assert!(right, "{}", world.told(&what));
        if let Some(pointer) = &seen
            && let Some(tree) = world.model.trees.get(pointer).cloned()
            && world.chance.one_in(6)
        {
            exported(world, pointer, &tree);
        }
        world.model.roots.insert(name, Root::At(seen));
    }
}

/// Some blobs' bytes; and some of those that were deleted, which a remote that still has them does not give back.
fn bytes(world: &mut World) {
    for _ in 0..2 {
        let there = world.model.believed(Belief::There);
        if let Some((pointer, content)) = world.chance.pick(there) {
            same_bytes(world, STORE, None, &pointer, content);
        }
    }
    let deleted = world.model.believed(Belief::Gone);
    if let Some((pointer, _)) = world.chance.pick(deleted) {
        let url = world.server.as_ref().map(|server| server.url.clone());
        gone(world, STORE, url.as_deref(), &pointer);
    }
}

/// The server is up, so everything that is queued gets there, and both sides hold the same.
fn drains(world: &mut World) {
    let url = world.serve();
    run(world, STORE, &["--remote", &url, "sync"]);
    let status = run(world, STORE, &["status"]).json();
    assert_eq!(status["queued"], 0, "{}", world.told(&status.to_string()));
    let here = listed(&run(world, STORE, &["ls"]));
    let probe = "probe.store";
    let there = listed(&run(world, probe, &["--remote", &url, "ls"]));
    fs::remove_file(world.place.path(probe)).unwrap();
    assert_eq!(
        here,
        there,
        "{}",
        world.told("the remote holds something else")
    );
    world.model.everything_is_remote();
    let trees = world.model.trees.keys().cloned();
    world.model.remote.extend(trees);
}

/// A store with another name that holds all of these.
pub fn copy(world: &World, file: &str, holds: &[(String, Content)]) {
    run(world, file, &["verify"]);
    let there = listed(&run(world, file, &["ls"]));
    for (pointer, content) in holds {
        let found = there.get(pointer);
        let what = format!("{file} has {found:?} for {pointer}");
        assert_eq!(found, Some(&(content.len as u64)), "{}", world.told(&what));
    }
    if let Some((pointer, content)) = holds.last() {
        same_bytes(world, file, None, pointer, *content);
    }
    fs::remove_file(world.place.path(file)).unwrap();
}

fn exported(world: &World, pointer: &str, tree: &Tree) {
    let dir = "exported";
    run(world, STORE, &["export", pointer, dir]);
    same_tree(world, dir, tree);
    fs::remove_dir_all(world.place.path(dir)).unwrap();
}

pub fn same_tree(world: &World, dir: &str, tree: &Tree) {
    let mut found = 0;
    for folder in fs::read_dir(world.place.path(dir)).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let name = path.strip_prefix(world.place.path(dir)).unwrap();
            let content = tree.get(name.to_str().unwrap());
            let same = content.is_some_and(|content| fs::read(&path).unwrap() == content.bytes());
            assert!(
                same,
                "{}",
                world.told(&format!("{} differs", path.display()))
            );
            found += 1;
        }
    }
    assert_eq!(
        found,
        tree.len(),
        "{}",
        world.told(&format!("files of {dir}"))
    );
}

fn same_bytes(world: &World, store: &str, url: Option<&str>, pointer: &str, content: Content) {
    let remote = url.map(|url| ["--remote", url]);
    let args = [
        remote.as_ref().map_or(&[][..], |remote| remote),
        &["cat", pointer],
    ]
    .concat();
    let cat = run(world, store, &args);
    assert!(
        cat.stdout == content.bytes(),
        "{}",
        world.told(&format!("{pointer} differs"))
    );
}

fn gone(world: &World, store: &str, url: Option<&str>, pointer: &str) {
    let remote = url.map(|url| ["--remote", url]);
    let args = [
        remote.as_ref().map_or(&[][..], |remote| remote),
        &["stat", pointer],
    ]
    .concat();
    let run = place_run(&world.place, store, &args);
    let what = format!("{pointer} came back: {} {}", run.status, run.stderr);
    assert_eq!(run.status, 3, "{}", world.told(&what));
}

/// Runs a command that has to do what it is told.
fn run(world: &World, store: &str, args: &[&str]) -> Run {
    let run = place_run(&world.place, store, args);
    if run.status != 0 {
        let (status, out) = (run.status, String::from_utf8_lossy(&run.stdout));
        let what = format!("{store}: {args:?} ended with {status}: {}{out}", run.stderr);
        panic!("{}", world.told(&what));
    }
    run
}

fn place_run(place: &Place, store: &str, args: &[&str]) -> Run {
    place.run([&["--json", "--store", store][..], args].concat())
}

/// Sizes by pointer.
fn listed(run: &Run) -> BTreeMap<String, u64> {
    let row = |line: serde_json::Value| {
        let pointer = line["pointer"].as_str().unwrap().to_owned();
        (pointer, line["size"].as_u64().unwrap())
    };
    run.json_lines().into_iter().map(row).collect()
}

/// Pointers by name.
fn named(run: &Run) -> BTreeMap<String, String> {
    let row = |line: serde_json::Value| {
        let text = |key: &str| line[key].as_str().unwrap().to_owned();
        (text("name"), text("pointer"))
    };
    run.json_lines().into_iter().map(row).collect()
}
