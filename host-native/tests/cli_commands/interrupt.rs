//! Signals: what was acknowledged is there.
#![cfg(unix)]

use crate::{
    place::{Place, Run, noise, pointer},
    server::{Liar, Server},
};
use rustix::process::{Pid, Signal, kill_process};
use std::{io::Write, process::Stdio, thread, time::Duration};

#[test]
fn an_interrupted_command_ends_at_once_and_keeps_what_was_acknowledged() {
    let place = Place::new();
    let put = place.put(b"acknowledged");
    let silent = Liar::start(|_| None);
    let child = place
        .command(["--remote", &silent.url, "sync"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_millis(500));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    Run::of(child.wait_with_output().unwrap())
        .exit(130)
        .says(&["what was acknowledged is there"]);
    assert_eq!(place.run(["cat", &put]).ok().stdout, b"acknowledged");
}

#[test]
fn reading_standard_input_can_be_interrupted() {
    let place = Place::new();
    let mut child = place
        .command(["put", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    // Kept open until the end: closing it would end the input.
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"half of it").unwrap();
    thread::sleep(Duration::from_millis(500));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(input);
    place.run(["stat", &pointer(b"half of it")]).exit(3);
    place.run(["verify"]).ok();
}

#[test]
fn a_server_that_is_asked_to_end_has_what_it_acknowledged() {
    let place = Place::new();
    let server = Server::start(&place, &[]);
    let bytes = noise(2_000_000);
    let remote = ["--remote", &server.url, "put", "-", "--wait"];
    place.run_with_input(remote, &bytes).ok();
    assert_eq!(server.stop(), 0);
    let put = pointer(&bytes);
    let kept = place.run(["--store", "remote.store", "cat", &put]).ok();
    assert_eq!(kept.stdout, bytes);
}
