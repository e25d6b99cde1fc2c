use bytes::Bytes;
use std::{collections::BTreeMap, ops::Range};

/// Holds the core to what `port::Volume` promises to a host, so that a host may keep each write
/// as one row: a write never touches bytes that another write left there, unless they were
/// discarded since; it starts at the beginning of what was discarded, right behind another write,
/// or where nothing was ever written.
#[derive(Clone, Debug, Default)]
pub struct Contract {
    /// Rows as a host would keep them: start and end of each write that was not discarded.
    rows: BTreeMap<u64, Row>,
    /// Beginnings of ranges that were discarded, and not written since.
    openings: BTreeMap<u64, u64>,
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
    /// Its caller went away or never learned how it ended: it may be written again, the same.
    unsure: bool,
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
        let again = self
            .rows
            .get(&offset)
            .is_some_and(|row| row.unsure && row.end == range.end && row.bytes == *bytes);
        if !again {
            if let Some((start, row)) = self.row_in(&range) {
                return Err(format!(
                    "a write of {range:?} over the bytes that the write of {start}..{} left there",
                    row.end
                ));
            }
            let starts = self.openings.contains_key(&offset);
            let appends = self
                .rows
                .range(..offset)
                .next_back()
                .is_some_and(|(_, row)| row.end == offset);
            let inside = self
                .openings
                .range(..offset)
                .next_back()
                .is_some_and(|(_, end)| *end > offset);
            if inside && !starts && !appends {
                return Err(format!(
                    "a write of {range:?} in the middle of a discarded range, behind no other write"
                ));
            }
        }
        self.rows.insert(
            offset,
            Row {
                end: range.end,
                bytes: bytes.clone(),
                unsure: true,
            },
        );
        self.close_openings(&range);
        self.tickets += 1;
        self.in_flight.push((self.tickets, range));
        Ok(self.tickets)
    }

    /// A write ended: for good, or because its caller went away.
    pub(super) fn wrote(&mut self, ticket: u64, returned: bool) {
        let Some(index) = self.in_flight.iter().position(|(t, _)| *t == ticket) else {
            return;
        };
        let (_, range) = self.in_flight.swap_remove(index);
        if returned && let Some(row) = self.rows.get_mut(&range.start) {
            row.unsure = false;
        }
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
            if start < range.start || row.end > range.end {
                return Err(format!(
                    "a discard of {range:?} cuts the write of {start}..{}",
                    row.end
                ));
            }
            self.rows.remove(&start);
            self.unsynced.push((start, row));
        }
        self.close_openings(range);
        self.openings.insert(range.start, range.end);
        Ok(())
    }

    /// The volume becomes shorter: what was behind is gone.
    pub(super) fn set_len(&mut self, len: u64) {
        self.rows.retain(|start, _| *start < len);
        self.openings.retain(|start, _| *start < len);
    }

    /// The process died: calls in flight are unsure for ever, the new writer starts afresh.
    pub(super) fn process_died(&mut self) {
        self.in_flight.clear();
        self.dead = false;
    }

    /// Power was lost: what was discarded since the last sync may be back.
    pub(super) fn power_lost(&mut self) {
        self.process_died();
        for (start, row) in std::mem::take(&mut self.unsynced) {
            let range = start..row.end;
            if self.row_in(&range).is_none() {
                self.close_openings(&range);
                self.rows.insert(start, row);
            }
        }
    }

    fn row_in(&self, range: &Range<u64>) -> Option<(u64, &Row)> {
        let (start, row) = self.rows.range(..range.end).next_back()?;
        (row.end > range.start).then_some((*start, row))
    }

    /// `range` is in use from now on: openings in it are no more.
    fn close_openings(&mut self, range: &Range<u64>) {
        while let Some((start, end)) = self.openings.range(..range.end).next_back() {
            let (start, end) = (*start, *end);
            if end <= range.start {
                break;
            }
            self.openings.remove(&start);
            if start < range.start {
                self.openings.insert(start, range.start);
            }
            if end > range.end {
                // Only an append may come here: no new beginning.
                self.openings.insert(range.end, end);
                break;
            }
        }
    }
}

fn overlap(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start < b.end && b.start < a.end
}
