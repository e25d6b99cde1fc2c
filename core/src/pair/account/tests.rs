use super::*;
use alloc::boxed::Box;
use futures::FutureExt;

fn account(entries: u64, bytes: u64) -> Arc<Account> {
    let board = Arc::new(Board::default());
    Account::open(
        QueueBound { entries, bytes },
        Counts::default(),
        0,
        1,
        1,
        board,
    )
}

#[test]
fn room_is_given_in_the_order_of_asking_and_a_large_one_does_not_starve() {
    let account = account(10, 100);
    let held = account.try_room(60).unwrap();
    let mut large = Box::pin(account.room(90));
    assert!(large.as_mut().now_or_never().is_none());
    let mut small = Box::pin(account.room(10));
    assert!(
        small.as_mut().now_or_never().is_none(),
        "it would fit, but it is not its turn"
    );
    assert_eq!(account.try_room(1).err().unwrap().kind(), Kind::Busy);
    drop(held);
    let large = large.now_or_never().unwrap().unwrap();
    let small = small.now_or_never().unwrap().unwrap();
    drop((large, small));
    assert_eq!(account.books.lock().reserved, Counts::default());
}

#[test]
fn leaving_the_line_lets_the_next_one_in() {
    let account = account(1, 100);
    let held = account.try_room(1).unwrap();
    let mut first = Box::pin(account.room(1));
    assert!(first.as_mut().now_or_never().is_none());
    let mut second = Box::pin(account.room(1));
    assert!(second.as_mut().now_or_never().is_none());
    drop(first);
    drop(held);
    assert!(second.now_or_never().is_some());
}

#[test]
fn a_blob_larger_than_the_bound_is_taken_when_nothing_else_is_queued() {
    let account = account(10, 100);
    let small = account.try_room(1).unwrap();
    assert!(account.try_room(1_000).is_err());
    drop(small);
    assert!(account.try_room(1_000).is_ok());
}

#[test]
fn a_recount_is_exact_while_commits_go_on() {
    let account = account(100, 1_000);
    // Commit 1 is reported, commit 2 happens but its future was dropped.
    account.assign().unwrap().0.happened(1, Counts::one(5));
    drop(account.assign().unwrap());
    assert!(account.in_doubt());
    let recount = account.begin_recount().unwrap();
    // Commit 3 is in the view that is counted, commit 4 is not; both report while it is counted, and
    // commit 2's twin, number 5, after it.
    let late = account.assign().unwrap().0;
    account.assign().unwrap().0.happened(4, Counts::one(7));
    let three = Counts::one(5) + Counts::one(5) + Counts::one(1);
    recount.end(3, three);
    late.happened(3, Counts::one(1));
    account.assign().unwrap().0.happened(5, Counts::one(2));
    assert_eq!(account.counts(), three + Counts::one(7) + Counts::one(2));
    assert!(!account.in_doubt());
}
