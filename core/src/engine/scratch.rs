//! A volume that is only read: what is written to it stays in memory.

use crate::{Error, Kind, Result, port::Volume, sync::Mutex};
use alloc::{boxed::Box, collections::BTreeMap, vec, vec::Vec};
use bytes::Bytes;
use core::ops::Range;

const PAGE: usize = 4096;

/// For opening a damaged store without changing it. Takes as much memory as opening writes.
pub(super) struct Scratch<V> {
    beneath: V,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    len: u64,
    /// So much of what is beneath counts.
    shows: u64,
    pages: BTreeMap<u64, Box<[u8]>>,
}

impl<V: Volume> Scratch<V> {
    pub(super) async fn over(beneath: V) -> Result<Self> {
        let len = beneath.len().await?;
        let state = State {
            len,
            shows: len,
            pages: BTreeMap::new(),
        };
        Ok(Scratch {
            beneath,
            state: Mutex::new(state),
        })
    }

    /// What is beneath, with zeros behind its end.
    async fn read_beneath(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let shows = self.state.lock().shows;
        let there = shows.saturating_sub(offset).min(len as u64) as usize;
        let mut bytes = match there {
            0 => Vec::new(),
            _ => self.beneath.read_at(offset, there).await?.into(),
        };
        bytes.resize(len, 0);
        Ok(bytes)
    }
}

impl<V: Volume> Volume for Scratch<V> {
    async fn len(&self) -> Result<u64> {
        Ok(self.state.lock().len)
    }

    async fn set_len(&self, len: u64) -> Result<()> {
        let mut state = self.state.lock();
        state.len = len;
        state.shows = state.shows.min(len);
        state.pages.split_off(&len.div_ceil(PAGE as u64));
        if let Some(last) = state.pages.get_mut(&(len / PAGE as u64)) {
            let kept = (len % PAGE as u64) as usize;
            last.get_mut(kept..).unwrap_or_default().fill(0);
        }
        Ok(())
    }

    async fn read_at(&self, offset: u64, len: usize) -> Result<Bytes> {
        let end = offset.saturating_add(len as u64);
        if end > self.state.lock().len {
            return Err(Error::new(
                Kind::OutOfRange,
                alloc::format!("read of {len} bytes at {offset} of a shorter volume"),
            ));
        }
        let mut bytes = self.read_beneath(offset, len).await?;
        let first = offset / PAGE as u64;
        for (number, page) in self.state.lock().pages.range(first..) {
            let start = number * PAGE as u64;
            if start >= end {
                break;
            }
            copy(page, start, &mut bytes, offset);
        }
        Ok(bytes.into())
    }

    async fn write_at(&self, offset: u64, bytes: Bytes) -> Result<()> {
        let end = offset.saturating_add(bytes.len() as u64);
        for number in offset / PAGE as u64..end.div_ceil(PAGE as u64) {
            let start = number * PAGE as u64;
            let whole = offset <= start && start + PAGE as u64 <= end;
            let known = whole || self.state.lock().pages.contains_key(&number);
            let before = match known {
                true => vec![0; PAGE],
                false => self.read_beneath(start, PAGE).await?,
            };
            let mut state = self.state.lock();
            let page = state.pages.entry(number).or_insert_with(|| before.into());
            copy(&bytes, offset, page, start);
        }
        let mut state = self.state.lock();
        state.len = state.len.max(end);
        Ok(())
    }

    async fn discard(&self, _: Range<u64>) -> Result<()> {
        Ok(())
    }

    async fn sync(&self) -> Result<()> {
        Ok(())
    }
}

/// Copies what `from`, which begins at `from_at`, and `to`, which begins at `to_at`, have in common.
fn copy(from: &[u8], from_at: u64, to: &mut [u8], to_at: u64) {
    let skip =
        |at: u64, other: u64| usize::try_from(other.saturating_sub(at)).unwrap_or(usize::MAX);
    let from = from.get(skip(from_at, to_at)..).unwrap_or_default();
    let to = to.get_mut(skip(to_at, from_at)..).unwrap_or_default();
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::MemoryVolume;
    use futures::executor::block_on;

    #[test]
    fn what_is_written_is_read_back_and_what_is_beneath_stays_as_it_was() {
        let random = |n: u64| n.wrapping_mul(6_364_136_223_846_793_005).rotate_left(17);
        block_on(async {
            let below: Vec<u8> = (0..20_000u64).map(|n| random(n) as u8).collect();
            let beneath = MemoryVolume::from_bytes(below.clone());
            let scratch = Scratch::over(beneath.clone()).await.unwrap();
            let mut model = below.clone();
            let mut seed = 1;
            for round in 0..500u64 {
                seed = random(seed + round);
                let at = seed % 30_000;
                let len = (seed >> 20) % 9_000;
                match seed % 5 {
                    0 => {
                        scratch.set_len(at).await.unwrap();
                        model.resize(at as usize, 0);
                    }
                    1..3 => {
                        let end = (at + len) as usize;
                        scratch
                            .write_at(at, vec![round as u8; len as usize].into())
                            .await
                            .unwrap();
                        model.resize(model.len().max(end), 0);
                        model[at as usize..end].fill(round as u8);
                    }
                    _ => {
                        let read = scratch.read_at(at, len as usize).await;
                        match model.get(at as usize..(at + len) as usize) {
                            Some(wanted) => assert!(read.unwrap() == wanted, "round {round}"),
                            None => assert_eq!(read.unwrap_err().kind(), Kind::OutOfRange),
                        }
                    }
                }
                assert_eq!(scratch.len().await.unwrap(), model.len() as u64);
            }
            assert!(beneath.to_bytes() == below);
        });
    }
}
