//! Patches of every form on a tree, as they come from outside, with the tree in front: an error, or a change that its normal form
//! repeats, that can be undone, and that a diff makes as well.
#![no_main]

use libfuzzer_sys::fuzz_target;
use littoral_core::doc::{Match, Op, Patch, Value, apply, diff, invert, normalize};

fuzz_target!(|input: (&[u8], u8, &[u8])| {
    let (tree, form, patch) = input;
    let Ok(tree) = Value::decode(tree).or_else(|_| Value::from_json(tree)) else {
        return;
    };
    // Only what a store would take.
    if apply(&Value::Null, &Patch::set(tree.clone())).is_err() {
        return;
    }
    if let Ok(pattern) = Match::from_json(patch) {
        let _ = pattern.matches(Some(&tree));
        assert_eq!(
            Match::from_value(pattern.to_value()).expect("what is written is read"),
            pattern
        );
    }
    let patch = match form % 3 {
        0 => Value::from_json(patch).map(Patch::merge),
        1 => Patch::json(patch),
        _ => Op::decode_all(patch).map(Patch::ops),
    };
    let Ok(patch) = patch else { return };
    let Ok(changed) = apply(&tree, &patch) else {
        return;
    };
    let ops = normalize(&tree, &patch).expect("it was applied");
    assert_eq!(
        Op::decode_all(&Op::encode_all(&ops)).expect("what is written is read"),
        ops
    );
    let undo = invert(&tree, &ops).expect("it was applied");
    assert_eq!(
        apply(&changed, &Patch::ops(undo)).expect("it can be undone"),
        tree
    );
    assert_eq!(
        apply(&tree, &Patch::ops(ops)).expect("it was applied"),
        changed
    );
    let difference = Patch::ops(diff(&tree, &changed));
    assert_eq!(
        apply(&tree, &difference).expect("a diff can be applied"),
        changed
    );
});
