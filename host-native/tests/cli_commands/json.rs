//! `--json`: every command's result and every error, as documents.

use crate::{
    place::{Place, pointer},
    server::Server,
};
use serde_json::{Value, json};

#[test]
fn every_command_prints_documents() {
    let place = Place::new();
    let server = Server::start(&place, &[]);
    let run = |args: &[&str]| {
        let all = [&["--json", "--remote", &server.url][..], args].concat();
        place.run(all).ok().json_lines()
    };
    place.write("tree/file", "tide");
    let tide = pointer(b"tide");

    let put = run(&["put", "tree/file"]);
    assert_eq!(put, [json!({"pointer": tide, "size": 4})]);
    let stat = run(&["stat", &tide]);
    assert_eq!(stat, [json!({"pointer": tide, "size": 4, "chunks": 1})]);
    let listed = run(&["ls"]);
    assert_eq!(listed, [json!({"pointer": tide, "size": 4})]);
    let got = run(&["get", &tide, "copy"]);
    assert_eq!(got, [json!({"pointer": tide, "file": "copy", "size": 4})]);

    let imported = &run(&["import", "tree"])[0];
    assert_eq!(imported["root"], "tree");
    for (key, value) in [
        ("files", 1),
        ("directories", 1),
        ("bytes", 4),
        ("distinct_files", 1),
    ] {
        assert_eq!(imported[key], value, "{key}");
    }
    assert_eq!(imported["problems"], json!([]));
    let tree = imported["pointer"].as_str().unwrap();
    let inside = run(&["ls", "tree"]);
    let entry = json!({"name": "file", "kind": "file", "size": 4, "pointer": tide});
    assert_eq!(inside, [entry]);
    let exported = &run(&["export", "tree", "out"])[0];
    assert_eq!(
        (&exported["files"], &exported["pointer"]),
        (&json!(1), &json!(tree))
    );

    let root = run(&["root", "get", "tree"]);
    assert_eq!(root, [json!({"name": "tree", "pointer": tree})]);
    assert_eq!(run(&["root", "list"]), root);
    let moved = run(&["root", "set", "other", &tide]);
    assert_eq!(moved, [json!({"name": "other", "from": null, "to": tide})]);
    let removed = run(&["root", "rm", "other"]);
    assert_eq!(
        removed,
        [json!({"name": "other", "from": tide, "to": null})]
    );

    let status = &run(&["status"])[0];
    assert!(status["queued"].as_u64().unwrap() > 0 && status["size"].is_u64());
    let synced = &run(&["sync"])[0];
    assert!(synced["uploaded"].as_u64().unwrap() >= 2, "{synced}");
    assert_eq!(synced["left"], 0);
    let verified = &run(&["verify"])[0];
    assert_eq!(verified["damage"], json!([]));
    let repaired = &run(&["repair"])[0];
    assert_eq!(repaired["lost"], json!([]));
    assert!(run(&["reclaim"])[0]["size"].is_u64());
    assert!(run(&["backup", "copy.store"])[0]["size"].is_u64());
    let restored = &run(&["--store", "restored.store", "restore", "copy.store"])[0];
    assert_eq!(restored["store"], "restored.store");
    let deleted = run(&["rm", &tide]);
    assert_eq!(
        deleted,
        [json!({"pointer": tide, "deleted": true, "here": true})]
    );
}

#[test]
fn an_error_is_a_document_too() {
    let place = Place::new();
    place.put(b"x");
    let missing = pointer(b"nothing");
    let error = |args: &[&str], status: i32| -> Value {
        let all = [&["--json"][..], args].concat();
        let run = place.run(all).exit(status);
        assert_eq!(run.stderr, "");
        run.json()["error"].clone()
    };
    let told = error(&["get", &missing, "x"], 3);
    assert_eq!(told["code"], "NotFound");
    assert!(told["message"].as_str().unwrap().contains(&missing));
    assert!(told["hint"].is_string());
    assert_eq!(error(&["sync"], 2)["code"], "InvalidInput");
    assert_eq!(error(&["stat", "abc"], 2)["code"], "InvalidInput");
    assert_eq!(error(&["nonsense"], 2)["code"], "InvalidInput");
}

#[test]
fn an_error_never_mixes_with_a_blobs_bytes() {
    let place = Place::new();
    place.put(b"x");
    let run = place.run(["--json", "cat", &pointer(b"nothing")]).exit(3);
    assert!(run.stdout.is_empty());
    let told: Value = serde_json::from_str(&run.stderr).unwrap();
    assert_eq!(told["error"]["code"], "NotFound");
}
