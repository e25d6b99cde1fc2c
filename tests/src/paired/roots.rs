use super::Answer;
use littoral_core::blob::Pointer;
use std::collections::BTreeMap;

/// The named roots of a run. Nobody moves a root twice to the same blob, so that a value tells whose move it was.
#[derive(Default)]
pub struct Roots {
    moves: Vec<Move>,
    /// Where each root has been on the remote, in order.
    history: BTreeMap<String, Vec<Pointer>>,
    /// When somebody last began to take slow's value over.
    refreshed: BTreeMap<String, Vec<u64>>,
}

struct Move {
    name: String,
    from: Option<Pointer>,
    to: Pointer,
    called: u64,
    ended: u64,
    answer: Answer,
    arrived: bool,
}

/// A move in progress.
#[derive(Clone, Copy, Debug)]
pub struct Moving(usize);

impl Roots {
    /// Somebody asks for a move.
    pub fn ask(&mut self, tick: u64, name: &str, from: Option<Pointer>, to: Pointer) -> Moving {
        self.moves.push(Move {
            name: name.into(),
            from,
            to,
            called: tick,
            ended: u64::MAX,
            answer: Answer::None,
            arrived: false,
        });
        Moving(self.moves.len() - 1)
    }

    /// The caller was answered, or left.
    ///
    /// # Errors
    /// Two movers from the same value both won.
    pub fn answer(&mut self, tick: u64, moving: Moving, answer: Answer) -> Result<(), String> {
        let asked = &mut self.moves[moving.0];
        asked.ended = tick;
        asked.answer = answer;
        let (name, from) = (asked.name.clone(), asked.from);
        let winners = self
            .moves
            .iter()
            .filter(|m| m.name == name && m.from == from && m.is_answered());
        // Whoever takes slow's value over may bring an earlier one back.
        let again = self.refreshed.get(&name).map_or(0, Vec::len);
        if winners.count() > 1 + again {
            return Err(format!("two movers of {name} from {from:?} both won"));
        }
        Ok(())
    }

    /// Somebody begins to take slow's value over.
    pub fn refresh(&mut self, tick: u64, name: &str) {
        self.refreshed.entry(name.into()).or_default().push(tick);
    }

    /// Somebody else moved a root at the remote.
    pub fn moved_elsewhere(&mut self, name: &str, to: Pointer) {
        self.history.entry(name.into()).or_default().push(to);
    }

    /// A move of ours took effect at the remote; when it was asked for.
    ///
    /// # Errors
    /// Nobody asked for it, or it took effect before.
    pub(super) fn arrived(
        &mut self,
        name: &str,
        to: Option<Pointer>,
        tick: u64,
    ) -> Result<Option<u64>, String> {
        let known = self
            .moves
            .iter_mut()
            .find(|m| m.name == name && Some(m.to) == to);
        let Some(known) = known else {
            return Err(format!("nobody moved {name} to {to:?}"));
        };
        if known.answer == Answer::Refused && known.ended < tick {
            return Err(format!("the move of {name} to {to:?} was refused here"));
        }
        if std::mem::replace(&mut known.arrived, true) {
            return Err(format!("the move of {name} to {to:?} took effect twice"));
        }
        let called = known.called;
        self.history.entry(name.into()).or_default().extend(to);
        Ok(Some(called))
    }

    /// A mover was told that slow has its move.
    ///
    /// # Errors
    /// Slow never had it.
    pub fn told_remote(&self, moving: Moving) -> Result<(), String> {
        let told = &self.moves[moving.0];
        match told.arrived {
            true => Ok(()),
            false => Err(format!(
                "the mover of {} to {} was told that the remote has it",
                told.name, told.to
            )),
        }
    }

    /// The process ended.
    pub(super) fn crash(&mut self, power: bool, now: u64) {
        for asked in &mut self.moves {
            asked.ended = asked.ended.min(now);
            if power && asked.answer == Answer::Local {
                asked.answer = Answer::None;
            }
        }
    }

    /// Whether a root here may point there.
    pub fn may_point_at(&self, name: &str, at: Option<Pointer>) -> bool {
        let Some(at) = at else {
            return true;
        };
        let ours = |m: &Move| m.name == name && m.to == at && m.answer != Answer::Refused;
        let theirs = self.history.get(name);
        self.moves.iter().any(ours) || theirs.is_some_and(|history| history.contains(&at))
    }

    /// The moves that were answered before this tick, that slow never had, and that nobody gave up since by taking
    /// slow's value over: these must still be queued.
    pub fn awaited(&self, tick: u64) -> Vec<(String, Pointer)> {
        let awaited = self.moves.iter().filter(|m| {
            let given_up = self.refreshed.get(&m.name);
            let given_up = given_up.is_some_and(|ticks| ticks.iter().any(|at| *at > m.called));
            m.is_answered() && m.ended < tick && !m.arrived && !given_up
        });
        awaited.map(|m| (m.name.clone(), m.to)).collect()
    }
}

impl Move {
    fn is_answered(&self) -> bool {
        matches!(self.answer, Answer::Local | Answer::Strict)
    }
}
