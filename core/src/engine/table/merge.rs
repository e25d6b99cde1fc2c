//! Several tables become one, a slice at a time.

use super::{
    ExtentWriter, Table, TableWriter,
    cursor::{Cursor, value_of},
    range::{Ranges, union},
};
use crate::{
    Kind, Result,
    engine::{
        codec::Ref,
        disk::Disk,
        extent::{Claim, Extent},
        memtable::Value,
    },
    port::Volume,
};
use alloc::{sync::Arc, vec::Vec};
use bytes::Bytes;
use core::ops::Range;

/// Read at once from each input.
const AHEAD: u64 = 128 << 10;

/// A merge in progress. Dropping it gives back what it wrote.
pub(crate) struct Merge {
    inputs: Vec<Input>,
    out: TableWriter,
    /// Nothing is older than its inputs: what is deleted can be forgotten.
    bottom: bool,
    evacuation: Option<Evacuation>,
    dropped: u64,
}

struct Input {
    table: Arc<Table>,
    cursor: Cursor,
    ranges: Option<Ranges>,
    head: Option<(Bytes, Option<Value>)>,
}

/// Values that lie in these ranges of the file move to new packs.
struct Evacuation {
    from: Vec<Range<u64>>,
    out: ExtentWriter,
    kept: Vec<Range<u64>>,
}

/// What a merge made.
pub(crate) struct Merged {
    pub inputs: Vec<Arc<Table>>,
    /// `None` if nothing was left.
    pub table: Option<Table>,
    /// New packs with the values that moved.
    pub packs: Vec<Extent>,
    /// Packs that were to be emptied, and of which a damaged value could not be moved.
    pub kept: Vec<Range<u64>>,
    /// Bytes in packs that nothing in the new table refers to any more.
    pub dropped: u64,
}

impl Merge {
    /// Begins to merge `inputs`, newest first; `evacuate` are sorted ranges whose values are to move.
    pub(crate) async fn begin<V: Volume>(
        disk: &Disk<V>,
        inputs: Vec<Arc<Table>>,
        bottom: bool,
        evacuate: Vec<Range<u64>>,
    ) -> Result<Self> {
        let expected: u64 = inputs.iter().map(|table| table.bytes).sum();
        let mut opened = Vec::with_capacity(inputs.len());
        for table in inputs {
            let ranges = match &table.ranges {
                Some(at) => Some(Ranges(disk.block(at).await?)),
                None => None,
            };
            let cursor = Cursor::seek(disk, table.clone(), &[], false, AHEAD).await?;
            let mut input = Input {
                table,
                cursor,
                ranges,
                head: None,
            };
            input.advance(disk).await?;
            opened.push(input);
        }
        let evacuation = (!evacuate.is_empty()).then(|| Evacuation {
            from: evacuate,
            out: ExtentWriter::new(1 << 20, Claim::Spare),
            kept: Vec::new(),
        });
        Ok(Merge {
            inputs: opened,
            out: TableWriter::new(expected, Claim::Spare),
            bottom,
            evacuation,
            dropped: 0,
        })
    }

    /// Merges up to `count` entries; `true` when it is done.
    pub(crate) async fn step<V: Volume>(&mut self, disk: &Disk<V>, count: usize) -> Result<bool> {
        for _ in 0..count {
            if !self.one(disk).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Closes the new table. Nothing is synced yet.
    pub(crate) async fn finish<V: Volume>(self, disk: &Disk<V>) -> Result<Merged> {
        let mut ranges = Vec::new();
        if !self.bottom {
            for input in &self.inputs {
                if let Some(more) = &input.ranges {
                    ranges.extend(more.all()?);
                }
            }
        }
        let ranges = union(ranges);
        let table = if self.out.is_empty() && ranges.is_empty() {
            None
        } else {
            Some(self.out.finish(disk, ranges).await?)
        };
        let (packs, kept) = match self.evacuation {
            Some(evacuation) => (evacuation.out.finish(disk).await?, evacuation.kept),
            None => (Vec::new(), Vec::new()),
        };
        let inputs = self.inputs.into_iter().map(|input| input.table).collect();
        Ok(Merged {
            inputs,
            table,
            packs,
            kept,
            dropped: self.dropped,
        })
    }

    async fn one<V: Volume>(&mut self, disk: &Disk<V>) -> Result<bool> {
        let mut winner: Option<(usize, &Bytes)> = None;
        for (index, input) in self.inputs.iter().enumerate() {
            if let Some((key, _)) = &input.head
                && winner.is_none_or(|(_, least)| key < least)
            {
                winner = Some((index, key));
            }
        }
        let Some((index, key)) = winner else {
            return Ok(false);
        };
        let key = key.clone();
        let mut value = None;
        for (at, input) in self.inputs.iter_mut().enumerate() {
            if input.head.as_ref().is_some_and(|(other, _)| *other == key) {
                let (_, found) = input.advance(disk).await?.unwrap_or_default();
                if at == index {
                    value = found;
                } else {
                    self.dropped += external(&found).map_or(0, |at| u64::from(at.len));
                }
            }
        }
        for newer in self.inputs.get(..index).unwrap_or_default() {
            if let Some(ranges) = &newer.ranges
                && ranges.cover(&key)?
            {
                self.dropped += external(&value).map_or(0, |at| u64::from(at.len));
                return Ok(true);
            }
        }
        if value.is_none() && self.bottom {
            return Ok(true);
        }
        if let (Some(evacuation), Some(Value::External(at))) = (&mut self.evacuation, &value) {
            value = Some(Value::External(evacuation.moved(disk, at).await?));
        }
        self.out.add(disk, key, value).await?;
        Ok(true)
    }
}

impl Input {
    /// Takes the head and reads the next one.
    async fn advance<V: Volume>(
        &mut self,
        disk: &Disk<V>,
    ) -> Result<Option<(Bytes, Option<Value>)>> {
        let next = match self.cursor.next(disk).await? {
            Some(item) => {
                let value = value_of(&item)?;
                Some((item.key, value))
            }
            None => None,
        };
        Ok(core::mem::replace(&mut self.head, next))
    }
}

impl Evacuation {
    /// Where the value is from now on.
    async fn moved<V: Volume>(&mut self, disk: &Disk<V>, at: &Ref) -> Result<Ref> {
        let index = self.from.partition_point(|range| range.end <= at.offset);
        let Some(range) = self
            .from
            .get(index)
            .filter(|range| range.contains(&at.offset))
        else {
            return Ok(*at);
        };
        match disk.device.read_ref(at, "a value").await {
            Ok(value) => Ok(Ref {
                offset: self.out.append(disk, &value).await?,
                ..*at
            }),
            // It stays where it is, so that reading it goes on saying that it is damaged.
            Err(error) if error.kind() == Kind::Corrupt => {
                if self.kept.last() != Some(range) {
                    self.kept.push(range.clone());
                }
                Ok(*at)
            }
            Err(error) => Err(error),
        }
    }
}

fn external(value: &Option<Value>) -> Option<&Ref> {
    match value {
        Some(Value::External(at)) => Some(at),
        _ => None,
    }
}
