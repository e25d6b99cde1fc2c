//! What holds for every command.

use crate::place::{Place, Run, noise};
use std::{io::Read, process::Stdio};

#[test]
fn the_version_and_the_help_are_printed() {
    let place = Place::new();
    let version = place.run(["--version"]).ok().line();
    assert_eq!(version, format!("littoral {}", env!("CARGO_PKG_VERSION")));
    let help = place.run(["--help"]).ok().text();
    for word in ["import", "serve", "Exit status", "LITTORAL_STORE", "130"] {
        assert!(help.contains(word), "{word}");
    }
    place.run(Vec::<&str>::new()).exit(2);
    place.run(["put"]).exit(2).says(&["FILE"]);
}

#[test]
fn a_token_is_never_shown() {
    let place = Place::new();
    let mut seen = String::new();
    for args in [
        vec!["--help"],
        vec!["help", "sync"],
        vec!["man"],
        vec!["sync", "--nonsense"],
        vec!["status"],
        vec!["completions", "bash"],
    ] {
        let mut command = place.command(&args);
        command.env("LITTORAL_TOKEN", "hush\u{7}secret");
        let run = Run::of(command.output().unwrap());
        seen += &run.text();
        seen += &run.stderr;
    }
    assert!(seen.contains("LITTORAL_TOKEN"));
    assert!(!seen.contains("secret"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::new();
    let put = place.put(&noise(8 << 20));
    let mut child = place
        .command(["cat", &put])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 10]).unwrap();
    drop(out);
    Run::of(child.wait_with_output().unwrap()).ok().says(&[]);
}

#[test]
fn completions_and_manual_pages_are_made() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = place.run(["completions", shell]).ok().text();
        assert!(script.contains("littoral"), "{shell}");
    }
    let page = place.run(["man"]).ok().text();
    assert!(page.contains(".TH littoral"));
    place.run(["man", "--out", "pages"]).ok();
    assert!(place.path("pages/littoral-import.1").exists());
    assert!(!place.path("littoral.store").exists());
}

#[test]
fn the_environment_names_the_store() {
    let place = Place::new();
    let mut command = place.command(["put", "-"]);
    command.env("LITTORAL_STORE", "elsewhere.store");
    Run::of(command.output().unwrap()).ok();
    assert!(place.path("elsewhere.store").exists());
    assert!(!place.path("littoral.store").exists());
}

#[test]
fn a_command_that_only_reads_makes_no_store() {
    let place = Place::new();
    for args in [
        vec!["ls"],
        vec!["status"],
        vec!["root", "list"],
        vec!["verify"],
    ] {
        place
            .run(args)
            .exit(3)
            .says(&["there is no store at littoral.store", "--store"]);
    }
    assert!(!place.path("littoral.store").exists());
}

#[test]
fn remarks_are_left_out_when_not_wanted() {
    let place = Place::new();
    let file = place.write("file", "x");
    let file = file.to_str().unwrap();
    let told = place.run(["put", file]).ok();
    assert!(told.stderr.contains("littoral sync"), "{}", told.stderr);
    assert_eq!(place.run(["--quiet", "put", file]).ok().stderr, "");
}
