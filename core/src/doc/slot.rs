//! Names for the elements of a list that sort as the elements do, with room between any two.
//!
//! A slot is a row of signed integers, compared from the front, a shorter one before those that begin with it. Values that are appended one
//! by one get `0`, `1`, `2`, ...; between `5` and `6` come `5 0`, `5 1`, ..., and before `5 0`, `5 -1`. So a row of insertions at one place
//! makes slots longer by the logarithm of its length, in either direction.
//!
//! An integer from zero up is `0x80` + the number of its bytes, and these, big-endian without zeros in front; a negative one is what
//! `-1 - integer` would be, every bit turned.

use super::rows::unreadable;
use crate::Result;
use alloc::{vec, vec::Vec};

/// Slots longer than this are made anew with the whole list.
pub(crate) const MAX_SLOT: usize = 128;

/// The slot of a list whose slots are consecutive numbers.
pub(crate) fn number(number: i64) -> Vec<u8> {
    encode(&[number])
}

/// The number that a slot is, if it is a single one.
pub(crate) fn as_number(slot: &[u8]) -> Result<Option<i64>> {
    match decode(slot)?.as_slice() {
        [number] => Ok(Some(*number)),
        _ => Ok(None),
    }
}

/// A slot behind `before` and in front of `after`, which follow each other; `None` for the ends of the list.
pub(crate) fn between(before: Option<&[u8]>, after: Option<&[u8]>) -> Result<Vec<u8>> {
    let slot = match (before, after) {
        (None, None) => vec![0],
        (Some(before), None) => vec![step(leading(before)?, 1)?],
        (None, Some(after)) => vec![step(leading(after)?, -1)?],
        (Some(before), Some(after)) => middle(&decode(before)?, &decode(after)?)?,
    };
    Ok(encode(&slot))
}

fn middle(before: &[i64], after: &[i64]) -> Result<Vec<i64>> {
    let common = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let mut slot: Vec<i64> = before.iter().take(common).copied().collect();
    match (before.get(common), after.get(common)) {
        // `after` goes on where `before` ends.
        (None, Some(after)) => slot.push(step(*after, -1)?),
        (Some(low), Some(high)) if *high > step(*low, 1)? => slot.push(step(*low, 1)?),
        (Some(low), Some(_)) => {
            slot.push(*low);
            slot.push(match before.get(common + 1) {
                Some(next) => step(*next, 1)?,
                None => 0,
            });
        }
        _ => return Err(unreadable("a slot")),
    }
    Ok(slot)
}

fn leading(slot: &[u8]) -> Result<i64> {
    decode(slot)?
        .first()
        .copied()
        .ok_or_else(|| unreadable("a slot"))
}

fn step(number: i64, by: i64) -> Result<i64> {
    number.checked_add(by).ok_or_else(|| unreadable("a slot"))
}

fn encode(numbers: &[i64]) -> Vec<u8> {
    let mut out = Vec::new();
    for number in numbers {
        let size = if *number < 0 { !*number } else { *number } as u64;
        let turn: u8 = if *number < 0 { 0xff } else { 0 };
        let bytes = size.to_be_bytes();
        let zeros = (size.leading_zeros() / 8) as usize;
        out.push((0x80 + (8 - zeros) as u8) ^ turn);
        out.extend(bytes.iter().skip(zeros).map(|byte| byte ^ turn));
    }
    out
}

fn decode(mut slot: &[u8]) -> Result<Vec<i64>> {
    let wrong = || unreadable("a slot");
    let mut numbers = Vec::new();
    while let Some((head, rest)) = slot.split_first() {
        let turn: u8 = if *head < 0x80 { 0xff } else { 0 };
        let len = usize::from((head ^ turn) - 0x80);
        if len > 8 {
            return Err(wrong());
        }
        let (digits, rest) = rest.split_at_checked(len).ok_or_else(wrong)?;
        let size = digits
            .iter()
            .fold(0u64, |size, byte| size << 8 | u64::from(byte ^ turn));
        let size = i64::try_from(size).map_err(|_| wrong())?;
        numbers.push(if turn == 0 { size } else { !size });
        slot = rest;
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn insert(slots: &mut Vec<Vec<u8>>, at: usize) {
        let before = at.checked_sub(1).map(|at| slots[at].as_slice());
        let slot = between(before, slots.get(at).map(Vec::as_slice)).unwrap();
        assert!(before.is_none_or(|before| before < slot.as_slice()));
        assert!(slots.get(at).is_none_or(|after| slot < *after));
        slots.insert(at, slot);
    }

    proptest! {
        #[test]
        fn numbers_sort_as_their_bytes(a in any::<i64>(), b in -300..300i64, c in -300..300i64) {
            for (a, b) in [(a, b), (b, c)] {
                prop_assert_eq!(number(a).cmp(&number(b)), a.cmp(&b));
            }
            prop_assert_eq!(as_number(&number(a)).unwrap(), Some(a));
        }

        #[test]
        fn there_is_room_between_any_two(places in proptest::collection::vec(any::<prop::sample::Index>(), 0..200)) {
            let mut slots = Vec::new();
            for place in places {
                let at = place.index(slots.len() + 1);
                insert(&mut slots, at);
            }
        }

        #[test]
        fn any_bytes_are_a_slot_or_an_error(a in proptest::collection::vec(any::<u8>(), 0..12), b in proptest::collection::vec(any::<u8>(), 0..12)) {
            let _ = between(Some(&a), Some(&b));
            let _ = (between(Some(&a), None), between(None, Some(&b)), as_number(&a));
        }
    }

    #[test]
    fn rows_of_insertions_keep_slots_short() {
        let mut slots = vec![number(0), number(1)];
        for at in 1..5000 {
            insert(&mut slots, at);
        }
        for _ in 1..5000 {
            insert(&mut slots, 1);
        }
        assert!(slots.iter().all(|slot| slot.len() <= 8));
    }
}
