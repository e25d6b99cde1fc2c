//! One document, several clients over real sockets.

use crate::client::{Answer, Client};
use bytes::Bytes;
use littoral::{
    FileVolume, OsEntropy, SystemClock,
    core::{
        blob::{EngineBlobs, EngineRoots},
        doc::{self, Documents},
        engine::{Durability, Options, Store},
        port::{Body, Method},
    },
    server::{ServerHandle, ServerOptions, listen, serve},
};
use serde_json::{Value, json};

struct Served {
    server: ServerHandle,
    document: Documents<FileVolume, SystemClock>,
    _folder: tempfile::TempDir,
}

fn served() -> Served {
    served_with(doc::Options::default())
}

fn served_with(options: doc::Options) -> Served {
    let folder = tempfile::tempdir().unwrap();
    littoral::block_on(async {
        let volume = FileVolume::open(folder.path().join("store")).unwrap();
        let store = Store::open(volume, &OsEntropy, Options::default())
            .await
            .unwrap();
        let document = Documents::open(store.clone(), SystemClock, options)
            .await
            .unwrap();
        // Nobody is to need it.
        let grace = std::time::Duration::from_secs(24 * 60 * 60);
        let options = ServerOptions::new()
            .documents(document.clone())
            .grace(grace);
        let blobs = EngineBlobs::new(store.clone());
        let server = serve(
            listen("127.0.0.1:0").unwrap(),
            blobs,
            EngineRoots::new(store),
            options,
        )
        .unwrap();
        Served {
            server,
            document,
            _folder: folder,
        }
    })
}

fn post(client: &Client, path: &str, body: &Value) -> Answer {
    client.ask(Method::Post, path, Bytes::from(body.to_string()))
}

fn patch(client: &Client, body: Value) -> Answer {
    post(client, "/v1/doc", &body)
}

#[test]
fn a_document_is_read_changed_and_looked_back_at() {
    let served = served();
    let client = Client::new(&served.server);
    let done = patch(&client, json!({"path": "boats.ebb", "set": {"berth": 7}}));
    assert_eq!((done.status, done.json()), (200, json!({"commit": 1})));
    patch(
        &client,
        json!({"path": "boats.ebb", "merge": {"name": "Ebb"}}),
    );
    patch(
        &client,
        json!({"ops": [{"op": "increment", "path": "boats.ebb.berth", "by": 1}]}),
    );
    patch(
        &client,
        json!({"json_patch": [{"op": "add", "path": "/x", "value": []}]}),
    );
    let read = client.get("/v1/doc?path=boats.ebb.berth").json();
    assert_eq!(read, json!({"commit": 4, "value": 8}));
    assert_eq!(
        client.get("/v1/doc?path=boats.ebb.berth&at=1").json()["value"],
        7
    );
    assert_eq!(client.get("/v1/doc?at=0").json()["value"], json!({}));
    let commits = client
        .get("/v1/doc/history?path=boats.ebb.berth&newest=1")
        .json();
    let numbers: Vec<_> = commits["commits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|commit| commit["commit"].as_u64())
        .collect();
    assert_eq!(numbers, [Some(3), Some(1)]);
    let ops = client.get("/v1/doc/diff?from=3&to=4").json();
    assert_eq!(ops["ops"], json!([{"op": "set", "path": "x", "value": []}]));
}

#[test]
fn what_is_refused_says_where_and_why() {
    let served = served();
    let client = Client::new(&served.server);
    patch(&client, json!({"path": "n", "set": 1}));
    let refused = patch(&client, json!({"path": "n", "set": 2, "match": {"$gt": 1}}));
    assert_eq!(refused.failure(), (409, "Conflict".into()));
    assert_eq!(refused.json()["refused"]["path"], "n");
    for (body, status) in [
        (json!({"path": "n"}), 400),
        (json!({"path": "a[", "set": 1}), 400),
        (json!({"path": 1, "set": 1}), 400),
        (json!({"path": "n.x", "set": 1}), 409),
    ] {
        assert_eq!(patch(&client, body).failure().0, status);
    }
    assert_eq!(
        client
            .ask(Method::Post, "/v1/doc", Bytes::from("{"))
            .failure()
            .0,
        400
    );
    for (path, status) in [
        ("/v1/doc?path=m", 404),
        ("/v1/doc?at=9", 416),
        ("/v1/doc?at=x", 400),
        ("/v1/doc/diff", 400),
        ("/v1/doc/transactions/77", 404),
        ("/v1/doc/transactions/x", 400),
        ("/v1/doc/other", 404),
    ] {
        assert_eq!(client.get(path).failure().0, status, "{path}");
    }
}

#[test]
fn clients_of_one_transaction_commit_together() {
    let served = served();
    let client = Client::new(&served.server);
    patch(&client, json!({"set": {"ann": 5, "bo": 0}}));
    let begun = post(
        &client,
        "/v1/doc/transactions",
        &json!({"participants": 2, "meta": {"why": "trade"}}),
    );
    assert_eq!(begun.status, 201);
    let id = begun.json()["transaction"].as_u64().unwrap();
    let path = format!("/v1/doc/transactions/{id}");
    let join = |who: &str, by: i64| {
        let body = json!({"path": who, "ops": [{"op": "increment", "path": "", "by": by}]});
        post(&Client::new(&served.server), &format!("{path}/join"), &body).json()
    };
    let (ann, bo) = std::thread::scope(|scope| {
        let ann = scope.spawn(|| join("ann", -3));
        while client.get(&path).json()["joined"] != 1 {}
        (join("bo", 3), ann.join().unwrap())
    });
    assert_eq!(
        bo,
        json!({"committed": true, "matched": true, "commit": 2, "value": 2})
    );
    assert_eq!(
        ann,
        json!({"committed": true, "matched": true, "commit": 2, "value": 3})
    );
    assert_eq!(
        client.get(&format!("{path}/outcome?path=bo")).json()["value"],
        3
    );
    assert_eq!(client.get(&path).json()["meta"]["why"], "trade");
    let late = post(
        &client,
        &format!("{path}/join"),
        &json!({"path": "c", "set": 1}),
    );
    assert_eq!(late.failure().0, 409);
    let other = post(
        &client,
        "/v1/doc/transactions",
        &json!({"participants": 2, "timeout_ms": 1}),
    )
    .json();
    let other = format!("/v1/doc/transactions/{}/join", other["transaction"]);
    assert_eq!(
        post(&client, &other, &json!({"path": "c", "set": 1})).failure(),
        (504, "Timeout".into())
    );
}

#[test]
fn of_parallel_clients_exactly_one_wins_each_round() {
    let served = served();
    patch(&Client::new(&served.server), json!({"path": "n", "set": 0}));
    const ROUNDS: i64 = 12;
    let wins: i64 = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let client = Client::new(&served.server);
                    let mut wins = 0;
                    for round in 0..ROUNDS {
                        let done = patch(
                            &client,
                            json!({"path": "n", "set": round + 1, "match": round}),
                        );
                        assert!([200, 409].contains(&done.status), "{}", done.status);
                        wins += i64::from(done.status == 200);
                        while client.get("/v1/doc?path=n").json()["value"].as_i64() <= Some(round) {
                        }
                    }
                    wins
                })
            })
            .collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .sum()
    });
    assert_eq!(wins, ROUNDS);
}

/// The events until `count` have come.
async fn events(client: &Client, path: &str, count: usize) -> Vec<(String, Value)> {
    let mut response = client.begin(Method::Get, path, Bytes::new()).await.unwrap();
    assert_eq!(response.status, 200);
    let (mut text, mut found) = (String::new(), Vec::new());
    while found.len() < count {
        let bytes = response.body.next().await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&bytes).unwrap());
        while let Some((event, rest)) = text.split_once("\n\n") {
            let line = |name: &str| {
                event
                    .lines()
                    .find_map(|line| line.strip_prefix(name))
                    .map(str::to_owned)
            };
            if let (Some(id), Some(data)) = (line("id: "), line("data: ")) {
                found.push((id, serde_json::from_str(&data).unwrap()));
            }
            text = rest.to_owned();
        }
    }
    found
}

#[test]
fn a_watch_tells_the_state_and_then_each_commit() {
    let served = served();
    let client = Client::new(&served.server);
    patch(&client, json!({"path": "a", "set": 1}));
    patch(&client, json!({"path": "b", "set": 1}));
    let told = std::thread::scope(|scope| {
        let watch = scope.spawn(|| littoral::block_on(events(&client, "/v1/doc/watch?path=a", 3)));
        let other = Client::new(&served.server);
        for number in 2..4 {
            patch(&other, json!({"path": "a", "set": number}));
            patch(&other, json!({"path": "b", "set": number}));
        }
        // However many were there when it began.
        for _ in 0..3 {
            patch(&other, json!({"path": "a", "set": 9}));
        }
        watch.join().unwrap()
    });
    assert_eq!(told[0].1["event"], "state");
    let ids: Vec<u64> = told.iter().map(|(id, _)| id.parse().unwrap()).collect();
    assert!(
        ids.is_sorted()
            && told
                .iter()
                .skip(1)
                .all(|(_, event)| event["ops"][0]["path"] == "a"),
        "{told:?}"
    );
    // Who comes back goes on where it was.
    let back = client.with("last-event-id", "3");
    let told = littoral::block_on(events(&back, "/v1/doc/watch?path=a", 2));
    assert_eq!(
        told.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(),
        ["5", "7"]
    );
    littoral::block_on(served.document.close()).unwrap();
}

#[test]
fn a_watch_tells_only_what_survives_a_crash() {
    let mut options = doc::Options::default();
    options.durability = Durability::Memory;
    let served = served_with(options);
    let client = Client::new(&served.server);
    patch(&client, json!({"path": "a", "set": 1}));
    let before = served.document.store().stats();
    assert!(before.durable_commit < before.last_commit);
    let told = littoral::block_on(events(&client, "/v1/doc/watch?path=a", 1));
    assert_eq!(told[0].0, "1");
    let after = served.document.store().stats();
    assert!(after.durable_commit >= before.last_commit);
}

#[test]
fn scopes_are_made_changed_promoted_and_dropped_by_clients() {
    let served = served();
    let client = Client::new(&served.server);
    patch(&client, json!({"path": "n", "set": 1}));
    let made = post(&client, "/v1/doc/scopes", &json!({"scope": "a draft"}));
    assert_eq!(
        (made.status, made.json()),
        (201, json!({"scope": "a draft", "base": 1}))
    );
    let again = post(&client, "/v1/doc/scopes", &json!({"scope": "a draft"}));
    assert_eq!(again.failure().0, 412);
    // Two clients change it, another one the document.
    std::thread::scope(|threads| {
        for name in ["x", "y"] {
            let client = Client::new(&served.server);
            threads.spawn(move || {
                for number in 0..10 {
                    let done = patch(
                        &client,
                        json!({"scope": "a draft", "path": name, "set": number}),
                    );
                    assert_eq!(done.status, 200);
                }
            });
        }
        assert_eq!(
            patch(&client, json!({"path": "n", "set": 2})).json()["commit"],
            2
        );
    });
    let scopes = client.get("/v1/doc/scopes").json();
    assert_eq!(
        scopes,
        json!({"scopes": [{"scope": "a draft", "base": 1, "commit": 21}]})
    );
    let read = client.get("/v1/doc?scope=a%20draft").json();
    assert_eq!(
        read,
        json!({"commit": 21, "value": {"n": 1, "x": 9, "y": 9}})
    );
    assert_eq!(
        client.get("/v1/doc?scope=a%20draft&at=1").json()["value"],
        json!({"n": 1})
    );
    assert_eq!(client.get("/v1/doc").json()["value"], json!({"n": 2}));
    let history = client.get("/v1/doc/history?scope=a%20draft&path=x").json();
    assert_eq!(history["commits"].as_array().unwrap().len(), 10);
    let told = littoral::block_on(events(
        &client,
        "/v1/doc/watch?scope=a%20draft&path=x&from=1",
        11,
    ));
    assert_eq!(
        told[10].1["ops"],
        json!([{"op": "set", "path": "x", "value": 9}])
    );
    let promoted = post(&client, "/v1/doc/scopes/a%20draft/promote", &json!({}));
    assert_eq!(promoted.json(), json!({"commit": 3}));
    assert_eq!(
        client.get("/v1/doc").json()["value"],
        json!({"n": 2, "x": 9, "y": 9})
    );
    assert_eq!(client.get("/v1/doc?scope=a%20draft").failure().0, 404);
    post(&client, "/v1/doc/scopes", &json!({"scope": "b"}));
    patch(
        &client,
        json!({"scope": "b", "path": "n", "set": 3, "match": 2}),
    );
    patch(&client, json!({"path": "n", "set": 4}));
    let refused = post(&client, "/v1/doc/scopes/b/promote", &json!({}));
    assert_eq!(
        (refused.status, &refused.json()["refused"]["path"]),
        (409, &json!("n"))
    );
    let dropped = client.ask(Method::Delete, "/v1/doc/scopes/b", Bytes::new());
    assert_eq!(dropped.status, 204);
    assert_eq!(client.get("/v1/doc/scopes").json(), json!({"scopes": []}));
}

#[test]
fn a_snapshot_removes_what_the_client_does_not_keep() {
    let served = served();
    let client = Client::new(&served.server);
    for number in 1..=20 {
        patch(&client, json!({"path": "n", "set": number}));
    }
    let snapshot = |body: Value| post(&client, "/v1/doc/snapshot", &body);
    let all = snapshot(json!({})).json();
    assert_eq!(all, json!({"commit": 20, "horizon": 0, "removed_rows": 0}));
    let some = snapshot(json!({"keep_last": 5})).json();
    assert_eq!(
        (&some["commit"], &some["horizon"]),
        (&json!(20), &json!(16))
    );
    assert_eq!(client.get("/v1/doc?path=n&at=16").json()["value"], 16);
    assert_eq!(
        client.get("/v1/doc?path=n&at=15").failure(),
        (416, "OutOfRange".into())
    );
    assert_eq!(snapshot(json!({"thin": 2})).status, 200);
    for body in [
        json!({"thin": 1}),
        json!({"keep_last": -1}),
        json!({"thin": 2, "keep_last": 1}),
    ] {
        assert_eq!(snapshot(body).failure().0, 400);
    }
}

#[test]
fn who_watches_or_waits_for_participants_does_not_hold_up_the_end() {
    let served = served();
    let client = Client::new(&served.server);
    patch(&client, json!({"path": "a", "set": 1}));
    let begun = post(&client, "/v1/doc/transactions", &json!({"participants": 2})).json();
    let path = format!("/v1/doc/transactions/{}", begun["transaction"]);
    let (url, joining) = (path.clone(), Client::new(&served.server));
    let waits = std::thread::spawn(move || {
        post(
            &joining,
            &format!("{url}/join"),
            &json!({"path": "b", "set": 1}),
        )
        .failure()
    });
    while client.get(&path).json()["joined"] != 1 {}
    let Served {
        server,
        document,
        _folder,
    } = served;
    littoral::block_on(async {
        let watching = client.begin(Method::Get, "/v1/doc/watch?path=a", Bytes::new());
        let mut response = watching.await.unwrap();
        let state = response.body.next().await.unwrap().unwrap();
        assert!(state.starts_with(b"id: 1\nevent: state"));
        // It returns as soon as all have gone: before the grace is over, which is then longer than this test is let run.
        server.shutdown().await.unwrap();
        let mut rest = Vec::new();
        while let Some(bytes) = response.body.next().await.unwrap() {
            rest.extend_from_slice(&bytes);
        }
        let rest = String::from_utf8(rest).unwrap();
        assert!(
            rest.starts_with("event: error\n") && rest.contains("Closed"),
            "{rest}"
        );
    });
    assert_eq!(waits.join().unwrap(), (503, "Closed".into()));
    // It is still joined.
    let transaction = document.transaction(1).unwrap();
    assert_eq!(transaction.joined().unwrap(), (1, 2));
}
