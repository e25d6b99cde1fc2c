use super::*;
use alloc::vec;

fn rows() -> Vec<Row> {
    let p = Pointer::of(b"p");
    [
        Job::Put {
            pointer: p,
            size: 7,
        },
        Job::Delete { pointer: p },
        Job::Root {
            name: "head".into(),
            from: None,
            to: Some(p),
        },
    ]
    .into_iter()
    .map(|job| Row {
        since: Duration::from_millis(12_345),
        job,
    })
    .collect()
}

#[test]
fn every_row_reads_back_as_it_was_written() {
    for row in rows() {
        assert_eq!(Row::decode(&row.encode()).unwrap(), row);
    }
    let note = Note {
        missing: true,
        kind: Kind::Corrupt,
        attempts: 3,
        since: Duration::from_millis(5),
        message: "no".into(),
    };
    assert_eq!(Note::decode(&note.encode()).unwrap(), note);
    let unsettled = Queued {
        hidden: true,
        put: None,
        delete: Some(9),
        size: 4,
    };
    assert_eq!(Queued::decode(&unsettled.encode()).unwrap(), unsettled);
    for known in [None, Some(None), Some(Some(Pointer::of(b"x")))] {
        let root = Root {
            known,
            last: Some(2),
        };
        assert_eq!(Root::decode(&root.encode()).unwrap(), root);
    }
    let used = Used { stamp: 1, size: 2 };
    assert_eq!(Used::decode(&used.encode()).unwrap(), used);
    for kind in Kind::ALL {
        assert_eq!(kind_of(kind_code(kind)), Some(kind));
    }
}

#[test]
fn the_bytes_of_a_queued_put_stay_what_they_are() {
    let row = Row {
        since: Duration::from_millis(0x0102),
        job: Job::Put {
            pointer: Pointer::from_bytes([0xab; 32]),
            size: 3,
        },
    };
    let mut expected = vec![1, 1, 2, 1, 0, 0, 0, 0, 0, 0];
    expected.extend([0xab; 32]);
    expected.extend([3, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(row.encode(), expected);
}

#[test]
fn cut_or_flipped_rows_are_errors_and_never_panics() {
    for row in rows() {
        let whole = row.encode();
        for end in 0..whole.len() {
            fuzz(&whole[..end]);
            if let Ok(other) = Row::decode(&whole[..end]) {
                // Only the name of a root may be shorter.
                assert!(matches!(other.job, Job::Root { .. }));
            }
            for bit in 0..8 {
                let mut flipped = whole.to_vec();
                flipped[end] ^= 1 << bit;
                fuzz(&flipped);
            }
        }
    }
    assert_eq!(Row::decode(&[9, 1]).unwrap_err().kind(), Kind::InvalidInput);
}

#[test]
fn a_long_message_is_cut_at_a_character() {
    let long = "ä".repeat(2_000);
    let (_, message) = decode_since(&encode_since(Duration::ZERO, &long)).unwrap();
    assert_eq!(message.len(), 1024);
}
