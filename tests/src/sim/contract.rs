use bytes::Bytes;
use std::{collections::BTreeMap, ops::Range};

/// Holds the core to what `port::Volume` promises to a host, so that a host may keep each write
/// as one row: a write never touches bytes that another write left there, unless they were
/// discarded since, or it is the same write once more.
#[derive(Clone, Debug, Default)]
pub struct Contract {
    /// Rows as a host would keep them: start and end of each write that was not discarded.
    rows: BTreeMap<u64, Row>,
    /// Discarded rows that power loss brings back.
    unsynced: Vec<(u64, Row)>,
    in_flight: Vec<(u64, Range<u64>)>,
    tickets: u64,
    /// A write or a sync failed: nothing may be written any more.
    dead: bool,
}

#[derive(Clone, Debug)]
struct Row {
    end: u64,
    bytes: Bytes,
}

impl Contract {
    /// A write starts.
    ///
    /// # Errors
    /// What it breaks.
    pub(super) fn write(&mut self, offset: u64, bytes: &Bytes) -> Result<u64, String> {
        let range = offset..offset + bytes.len() as u64;
        if self.dead {
            return Err(format!("a write of {range:?} after a write or sync failed"));
        }
        if let Some((_, other)) = self.in_flight.iter().find(|(_, r)| overlap(r, &range)) {
            return Err(format!(
                "a write of {range:?} while one of {other:?} is in flight"
            ));
        }
        let again = self.rows.get(&offset);
        let again = again.is_some_and(|row| row.end == range.end && row.bytes == *bytes);
        if !again && let Some((start, row)) = self.row_in(&range) {
            return Err(format!(
                "a write of {range:?} over the bytes that the write of {start}..{} left there",
                row.end
            ));
        }
        self.rows.insert(
            offset,
            Row {
                end: range.end,
                bytes: bytes.clone(),
            },
        );
        self.tickets += 1;
        self.in_flight.push((self.tickets, range));
        Ok(self.tickets)
    }

    /// A write ended: for good, or because its caller went away.
    pub(super) fn wrote(&mut self, ticket: u64) {
        self.in_flight.retain(|(other, _)| *other != ticket);
    }

    /// A sync starts.
    ///
    /// # Errors
    /// What it breaks.
    pub(super) fn sync(&self) -> Result<(), String> {
        match self.dead {
            true => Err("a sync after a write or sync failed".into()),
            false => Ok(()),
        }
    }

    /// A sync ended well: what was discarded stays discarded.
    pub(super) fn synced(&mut self) {
        self.unsynced.clear();
    }

    /// A write or sync failed.
    pub(super) fn failed(&mut self) {
        self.dead = true;
    }

    /// A range is discarded.
    ///
    /// # Errors
    /// What it breaks.
    pub(super) fn discard(&mut self, range: &Range<u64>) -> Result<(), String> {
        if let Some((_, other)) = self.in_flight.iter().find(|(_, r)| overlap(r, range)) {
            return Err(format!(
                "a discard of {range:?} while a write of {other:?} is in flight"
            ));
        }
        while let Some((start, row)) = self.row_in(range) {
            let row = row.clone();
            self.rows.remove(&start);
            for rest in [
                start..row.end.min(range.start),
                start.max(range.end)..row.end,
            ] {
                if !rest.is_empty() {
                    self.rows.insert(rest.start, row.part(start, &rest));
                }
            }
            let gone = start.max(range.start)..row.end.min(range.end);
            self.unsynced.push((gone.start, row.part(start, &gone)));
        }
        Ok(())
    }

    /// The volume becomes shorter: what was behind is gone.
    pub(super) fn set_len(&mut self, len: u64) {
        let cut = self.row_in(&(len.saturating_sub(1)..len));
        let cut = cut.filter(|(_, row)| row.end > len);
        let cut = cut.map(|(start, row)| (start, row.part(start, &(start..len))));
        self.rows.retain(|start, _| *start < len);
        self.rows.extend(cut);
    }

    /// The process died: calls in flight are unsure for ever, the new writer starts afresh.
    pub(super) fn process_died(&mut self) {
        self.in_flight.clear();
        self.dead = false;
    }

    /// Power was lost: what was discarded since the last sync may be back, what is behind the
    /// end that is left is gone.
    pub(super) fn power_lost(&mut self, len: u64) {
        self.process_died();
        for (start, row) in std::mem::take(&mut self.unsynced) {
            let range = start..row.end;
            if self.row_in(&range).is_none() {
                self.rows.insert(start, row);
            }
        }
        self.set_len(len);
    }

    /// The last row that touches `range`.
    fn row_in(&self, range: &Range<u64>) -> Option<(u64, &Row)> {
        let (start, row) = self.rows.range(..range.end).next_back()?;
        (row.end > range.start).then_some((*start, row))
    }
}

impl Row {
    /// What is left of a row from `start` if only `rest` of it is.
    fn part(&self, start: u64, rest: &Range<u64>) -> Row {
        let bytes = (rest.start - start) as usize..(rest.end - start) as usize;
        Row {
            end: rest.end,
            bytes: self.bytes.slice(bytes),
        }
    }
}

fn overlap(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start < b.end && b.start < a.end
}
