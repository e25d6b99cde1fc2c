use super::{Checked, Failure, checks, ensure, equal, fails};
use crate::{
    Kind,
    blob::{MAX_ROOT_NAME, Pointer, RootStore},
};
use alloc::{
    string::{String, ToString},
    vec,
    vec::Vec,
};

pub(super) async fn all<S: RootStore>(make: &impl AsyncFn() -> S) -> Result<(), Failure> {
    checks!(make;
        a_root_that_is_not_there_points_nowhere,
        a_root_moves_from_where_it_is_and_from_nowhere_else,
        a_move_to_where_it_is_succeeds,
        of_moves_from_the_same_value_one_wins,
        any_name_within_bounds_is_a_name,
        a_name_out_of_bounds_is_refused,
        roots_are_listed_in_order_whatever_the_page,
    );
    Ok(())
}

fn to(n: u8) -> Option<Pointer> {
    Some(Pointer::from_bytes([n; 32]))
}

async fn a_root_that_is_not_there_points_nowhere<S: RootStore>(store: &S) -> Checked {
    equal!(store.root("none").await?, None, "root");
    equal!(store.roots(None, 10).await?, vec![], "roots");
    store.move_root("none", None, None).await?;
    fails!(
        store.move_root("none", to(1), to(2)).await,
        Kind::Conflict,
        "a move from where it is not"
    );
    fails!(
        store.move_root("none", to(1), to(1)).await,
        Kind::Conflict,
        "a move that is none, from where it is not"
    );
    equal!(store.root("none").await?, None, "root");
    Ok(())
}

async fn a_root_moves_from_where_it_is_and_from_nowhere_else<S: RootStore>(store: &S) -> Checked {
    store.move_root("tide", None, to(1)).await?;
    equal!(store.root("tide").await?, to(1), "root");
    for from in [None, to(2), to(3)] {
        fails!(
            store.move_root("tide", from, to(4)).await,
            Kind::Conflict,
            "a move from {from:?}"
        );
        equal!(store.root("tide").await?, to(1), "root after a conflict");
    }
    fails!(
        store.move_root("tide", to(2), None).await,
        Kind::Conflict,
        "a removal"
    );
    store.move_root("tide", to(1), to(2)).await?;
    equal!(store.root("tide").await?, to(2), "root");
    store.move_root("tide", to(2), None).await?;
    equal!(store.root("tide").await?, None, "root after its removal");
    store.move_root("tide", None, to(1)).await?;
    equal!(store.root("tide").await?, to(1), "root again");
    Ok(())
}

async fn a_move_to_where_it_is_succeeds<S: RootStore>(store: &S) -> Checked {
    store.move_root("tide", None, to(1)).await?;
    for from in [None, to(1), to(2)] {
        store.move_root("tide", from, to(1)).await?;
    }
    store.move_root("tide", to(1), None).await?;
    for from in [None, to(1), to(2)] {
        store.move_root("tide", from, None).await?;
    }
    equal!(store.root("tide").await?, None, "root");
    Ok(())
}

async fn of_moves_from_the_same_value_one_wins<S: RootStore>(store: &S) -> Checked {
    let mut at = None;
    for round in 0..5 {
        let mut moves = Vec::new();
        for i in 0..8 {
            moves.push(store.move_root("tide", at, to(1 + 10 * round + i)));
        }
        let mut winner = None;
        for (i, done) in futures::future::join_all(moves)
            .await
            .into_iter()
            .enumerate()
        {
            match done {
                Ok(()) => {
                    ensure!(winner.is_none(), "two moves from the same value succeeded");
                    winner = to(1 + 10 * round + i as u8);
                }
                Err(error) => {
                    equal!(error.kind(), Kind::Conflict, "kind");
                }
            }
        }
        ensure!(winner.is_some(), "no move succeeded");
        equal!(store.root("tide").await?, winner, "root");
        at = winner;
    }
    Ok(())
}

async fn any_name_within_bounds_is_a_name<S: RootStore>(store: &S) -> Checked {
    let mut names: Vec<String> = [
        "a",
        " ",
        "a/b",
        "/a//b/",
        "a b",
        "%2F",
        "?a=b&c#d",
        "\u{1}\n",
        "\u{6d77}\u{1f30a}",
        "...",
        "a\\b",
        "+",
    ]
    .map(String::from)
    .into();
    names.push("x".repeat(MAX_ROOT_NAME));
    for (i, name) in names.iter().enumerate() {
        store.move_root(name, None, to(i as u8 + 1)).await?;
    }
    for (i, name) in names.iter().enumerate() {
        equal!(store.root(name).await?, to(i as u8 + 1), "root {name:?}");
    }
    listing(store, &names).await
}

async fn a_name_out_of_bounds_is_refused<S: RootStore>(store: &S) -> Checked {
    for name in [
        String::new(),
        "x".repeat(MAX_ROOT_NAME + 1),
        "a\0b".to_string(),
        ".".to_string(),
        "..".to_string(),
    ] {
        fails!(store.root(&name).await, Kind::InvalidInput, "root {name:?}");
        fails!(
            store.move_root(&name, None, to(1)).await,
            Kind::InvalidInput,
            "move_root {name:?}"
        );
    }
    equal!(store.roots(None, 10).await?, vec![], "roots");
    Ok(())
}

async fn roots_are_listed_in_order_whatever_the_page<S: RootStore>(store: &S) -> Checked {
    let mut names = Vec::new();
    for i in 0..30 {
        let name = alloc::format!("tide/{}", (i * 7) % 30);
        store.move_root(&name, None, to(i + 1)).await?;
        names.push(name);
    }
    listing(store, &names).await?;
    store.move_root("tide/7", to(2), None).await?;
    names.retain(|name| name != "tide/7");
    listing(store, &names).await
}

async fn listing<S: RootStore>(store: &S, names: &[String]) -> Checked {
    let mut expected = names.to_vec();
    expected.sort();
    for limit in [1, 4, 1000] {
        let mut found: Vec<String> = Vec::new();
        loop {
            let page = store.roots(found.last().map(String::as_str), limit).await?;
            ensure!(
                page.len() <= limit,
                "a page of {} with limit {limit}",
                page.len()
            );
            if page.is_empty() {
                break;
            }
            for (name, pointer) in page {
                equal!(store.root(&name).await?, Some(pointer), "root {name:?}");
                found.push(name);
            }
            ensure!(
                found.len() <= expected.len(),
                "more rows than roots: {found:?}"
            );
        }
        equal!(found, expected, "roots with limit {limit}");
    }
    Ok(())
}
