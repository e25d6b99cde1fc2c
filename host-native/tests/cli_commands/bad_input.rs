//! Wrong files, wrong names, wrong remotes: each has an error that says so, and changes nothing.

use crate::{
    place::{Place, noise, pointer},
    server::{Liar, response},
};

#[test]
fn a_file_that_is_no_store_is_left_as_it_was() {
    let place = Place::new();
    let text = "just a text that somebody wrote, and no store at all\n".repeat(400);
    let path = place.write("littoral.store", &text);
    for args in [vec!["ls"], vec!["put", "-"], vec!["verify"], vec!["status"]] {
        place.run(args).exit(2).says(&["littoral.store"]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn a_directory_is_no_store() {
    let place = Place::new();
    std::fs::create_dir(place.path("littoral.store")).unwrap();
    place.run(["ls"]).exit(2).says(&["littoral.store"]);
    place.run(["put", "-"]).exit(2).says(&["littoral.store"]);
}

#[test]
fn a_directory_is_imported_not_put() {
    let place = Place::new();
    std::fs::create_dir(place.path("dir")).unwrap();
    place.run(["put", "dir"]).exit(2).says(&["littoral import"]);
    place.write("file", "x");
    place
        .run(["import", "file"])
        .exit(2)
        .says(&["not a directory"]);
    place.run(["import", "nothing"]).exit(3).says(&["nothing"]);
    place.run(["put", "nothing"]).exit(3).says(&["nothing"]);
}

#[test]
fn a_store_that_another_process_holds_says_so() {
    let place = Place::new();
    place.put(b"x");
    let server = crate::server::Server::start(&place, &["--store", "littoral.store"]);
    let run = place.run(["ls"]).exit(5);
    run.says(&["littoral.store", "another --store"]);
    drop(server);
    place.run(["ls"]).ok();
}

#[test]
fn a_newer_format_is_named() {
    let place = Place::new();
    place.put(b"x");
    let path = place.path("littoral.store");
    let mut store = std::fs::read(&path).unwrap();
    for slot in [0, 4096] {
        make_newer(&mut store[slot..slot + 4096]);
    }
    std::fs::write(&path, &store).unwrap();
    for args in [vec!["ls"], vec!["put", "-"], vec!["verify"]] {
        place.run(args).exit(2).says(&["format version 7", "newer"]);
    }
    assert_eq!(std::fs::read(&path).unwrap(), store);
}

/// A superblock as a later version would write it: another number, and a checksum that fits (`docs/format.md`).
fn make_newer(slot: &mut [u8]) {
    slot[16..20].copy_from_slice(&7u32.to_le_bytes());
    let sum = twox_hash::XxHash3_64::oneshot(&slot[..116]);
    slot[116..124].copy_from_slice(&sum.to_le_bytes());
}

#[test]
fn a_store_that_was_cut_short_never_gives_wrong_bytes() {
    let place = Place::new();
    let bytes = noise(6_000_000);
    let put = place.put(&bytes);
    place.run(["backup", "whole.store"]).ok();
    let path = place.path("littoral.store");
    let whole = std::fs::read(&path).unwrap();
    for keep in [0.9, 0.5, 0.1, 0.0001] {
        let len = (whole.len() as f64 * keep) as usize;
        std::fs::write(&path, &whole[..len]).unwrap();
        let run = place.run(["cat", &put]);
        assert!(
            [2, 4].contains(&run.status),
            "{keep}: {} {}",
            run.status,
            run.stderr
        );
        assert!(bytes.starts_with(&run.stdout), "{keep}");
        run.says(&[]);
    }
}

#[test]
fn pointers_that_are_none_are_refused_with_the_reason() {
    let place = Place::new();
    for (wrong, why) in [
        ("abc", "64"),
        (&"g".repeat(64), "g"),
        (&"a".repeat(65), "64"),
        ("", "64"),
        ("../../etc/passwd", "hex digits"),
    ] {
        let run = place.run(["cat", wrong]).exit(2);
        assert!(run.stderr.contains(why), "{wrong}: {}", run.stderr);
    }
}

#[test]
fn a_remote_that_is_no_url_is_refused() {
    let place = Place::new();
    place.put(b"x");
    for wrong in [
        "localhost",
        "ftp://localhost",
        "http://",
        "http://a b",
        "http://[::1",
    ] {
        let run = place.run(["--remote", wrong, "--timeout", "5", "sync"]);
        assert!(
            [2, 6].contains(&run.status),
            "{wrong}: {} {}",
            run.status,
            run.stderr
        );
        run.says(&["error:"]);
    }
    place.run(["--remote", "", "sync"]).exit(2);
}

#[test]
fn a_remote_that_answers_html_is_not_believed() {
    let place = Place::new();
    place.put(b"x");
    let page = b"<!doctype html><title>Welcome to the hotel's network</title>";
    let liar = Liar::always("text/html", page);
    let with = |args: &[&str]| {
        let all = [&["--remote", &liar.url, "--timeout", "5"][..], args].concat();
        place.run(all)
    };
    let missing = pointer(b"nothing");
    let run = with(&["cat", &missing]).exit(6).says(&["another server"]);
    assert!(run.stdout.is_empty());
    with(&["root", "get", "r"]).exit(6);
    with(&["sync"]).exit(6);
    assert_eq!(place.run(["--json", "status"]).ok().json()["queued"], 1);
}

#[test]
fn a_server_of_somebody_else_has_not_said_that_anything_is_missing() {
    let place = Place::new();
    let put = place.put(b"x");
    let page = "HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: 9\r\n\
                connection: close\r\n\r\nNot Found";
    let liar = Liar::start(|_| Some(page.into()));
    let with = |args: &[&str]| {
        let all = [&["--remote", &liar.url, "--timeout", "1"][..], args].concat();
        place.run(all)
    };
    let missing = pointer(b"nothing");
    for args in [
        &["cat", &missing][..],
        &["stat", &missing],
        &["root", "get", "r"],
        &["sync"],
    ] {
        let run = with(args).exit(6).says(&["another server", &liar.url]);
        assert_eq!(run.stderr.matches(&liar.url).count(), 1, "{}", run.stderr);
    }
    assert_eq!(place.run(["--json", "status"]).ok().json()["queued"], 1);
    assert_eq!(place.run(["cat", &put]).ok().stdout, b"x");
}

#[test]
fn a_remote_that_is_named_by_a_wrong_path_says_so() {
    let place = Place::new();
    place.put(b"x");
    let server = crate::server::Server::start(&place, &[]);
    let wrong = format!("{}/elsewhere", server.url);
    let missing = pointer(b"nothing");
    place
        .run(["--remote", &wrong, "get", &missing, "out"])
        .exit(1)
        .says(&["no such path", "`/v1`"]);
    place
        .run(["--remote", &wrong, "sync"])
        .exit(1)
        .says(&["no such path", "`/v1`"]);
    assert_eq!(place.run(["--json", "status"]).ok().json()["queued"], 1);
    place.run(["--remote", &server.url, "sync"]).ok();
}

#[test]
fn a_remote_that_answers_with_other_bytes_is_not_believed() {
    let place = Place::new();
    place.put(b"x");
    let liar = Liar::always("application/octet-stream", b"some other bytes");
    let missing = pointer(b"what was asked for");
    let args = [
        "--remote",
        &liar.url,
        "--timeout",
        "5",
        "get",
        &missing,
        "out",
    ];
    place.run(args).exit(4);
    assert!(!place.path("out").exists());
    place.run(["cat", &missing]).exit(3);
}

#[test]
fn a_remote_that_never_answers_is_given_up() {
    let place = Place::new();
    place.put(b"x");
    let liar = Liar::start(|_| None);
    let start = std::time::Instant::now();
    let missing = pointer(b"nothing");
    let args = ["--remote", &liar.url, "--timeout", "1", "cat", &missing];
    place.run(args).exit(6);
    let args = ["--remote", &liar.url, "--timeout", "1", "sync"];
    place.run(args).exit(6);
    assert!(start.elapsed().as_secs() < 40, "{:?}", start.elapsed());
}

#[test]
fn a_remote_that_stops_in_mid_answer_is_tried_again_later() {
    let place = Place::new();
    place.put(b"x");
    let liar = Liar::start(|_| {
        let mut cut = response("application/octet-stream", &noise(1000));
        cut.truncate(300);
        Some(cut)
    });
    let missing = pointer(&noise(1000));
    let args = ["--remote", &liar.url, "--timeout", "2", "cat", &missing];
    let run = place.run(args);
    assert!(
        [4, 6].contains(&run.status),
        "{} {}",
        run.status,
        run.stderr
    );
    assert!(run.stdout.is_empty());
}
