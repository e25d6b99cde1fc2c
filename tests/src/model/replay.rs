use super::{Fate, Key, Model, State, observed::name};
use std::collections::{BTreeMap, HashMap};

/// One way in which the commits of a life can have been numbered.
pub(super) type Numbering = BTreeMap<u64, usize>;

/// Goes through the commits of a life in order and holds against them what readers were told and
/// what was required. Returns the state at `last`.
///
/// # Errors
/// The first thing that was not true.
pub(super) fn replay(model: &Model, numbering: &Numbering, last: u64) -> Result<State, String> {
    let mut state = model.state.clone();
    let mut at_last = (last == model.base).then(|| state.clone());
    let mut changed: HashMap<Key, u64> = HashMap::new();
    let mut waiting: Vec<_> = model.observed.iter().collect();
    waiting.sort_by_key(|observed| observed.from);
    let mut waiting = waiting.into_iter().peekable();
    let mut open = Vec::new();
    let mut at = model.base;
    loop {
        while let Some(observed) = waiting.next_if(|observed| observed.from <= at) {
            open.push(observed);
        }
        let mut wrong = None;
        open.retain(|observed| match observed.seen.holds(&state) {
            Ok(()) => false,
            Err(message) if observed.until <= at => {
                wrong.get_or_insert(format!(
                    "what was read of commits {}..={} is not true of them: {message}",
                    observed.from, observed.until
                ));
                false
            }
            Err(_) => true,
        });
        if let Some(wrong) = wrong {
            return Err(wrong);
        }
        at += 1;
        // What was seen behind the last commit whose number is known cannot be judged.
        let Some(index) = numbering.get(&at) else {
            break;
        };
        let commit = &model.commits[*index];
        if matches!(commit.fate, Fate::Acknowledged(_)) {
            for requirement in &commit.requirements {
                let since = changed.get(&requirement.key).copied().unwrap_or(0);
                if since > requirement.since {
                    return Err(format!(
                        "commit {at} required {} to be as at {}, but commit {since} changed it",
                        name(&requirement.key),
                        requirement.since
                    ));
                }
            }
        }
        for change in &commit.changes {
            note_changes(change, &state, at, &mut changed);
            change.apply(&mut state);
        }
        if at == last {
            at_last = Some(state.clone());
        }
    }
    at_last.ok_or_else(|| format!("commit {at} of {last} is nobody's"))
}

fn note_changes(change: &super::Change, state: &State, at: u64, changed: &mut HashMap<Key, u64>) {
    match change {
        super::Change::Put(key, _) => {
            changed.insert(key.clone(), at);
        }
        super::Change::Delete(key) if state.contains_key(key) => {
            changed.insert(key.clone(), at);
        }
        super::Change::Delete(_) => {}
        super::Change::DeleteRange(space, range) => {
            for key in super::history::keys_in(state, *space, range) {
                changed.insert(key, at);
            }
        }
    }
}
