use super::{Disk, Faults, World, disk::What, faults::due};
use bytes::Bytes;
use littoral_core::{Error, Kind, Result, port::Volume};
use std::{cell::RefCell, ops::Range, rc::Rc};

/// The port over a [`Disk`], with faults. Dies with the next crash of its disk.
pub struct SimVolume {
    disk: Disk,
    world: World,
    generation: u64,
    faults: Rc<RefCell<Faults>>,
    revoked: RefCell<bool>,
}

impl SimVolume {
    /// Opens the disk, as its only writer.
    pub fn new(world: &World, disk: &Disk, faults: Faults) -> Self {
        let generation = disk.0.borrow().generation;
        SimVolume {
            disk: disk.clone(),
            world: world.clone(),
            generation,
            faults: Rc::new(RefCell::new(faults)),
            revoked: RefCell::new(false),
        }
    }

    /// What goes wrong from now on; kept when the volume has moved into a store.
    pub fn faults(&self) -> Rc<RefCell<Faults>> {
        self.faults.clone()
    }

    /// Lets others run; the call fails if the handle was taken away.
    async fn call(&self) -> Result<()> {
        self.world.pause().await;
        if self.disk.0.borrow().generation != self.generation {
            // The process that made this call is dead.
            futures::future::pending::<()>().await;
        }
        if due(&mut self.faults.borrow_mut().revoked_in) {
            self.happens("handle revoked");
            *self.revoked.borrow_mut() = true;
        }
        match *self.revoked.borrow() {
            true => Err(Error::new(
                Kind::Transient,
                "simulated: the handle was revoked",
            )),
            false => Ok(()),
        }
    }

    fn fault(
        &self,
        which: impl FnOnce(&mut Faults) -> &mut Option<u64>,
        mark: &'static str,
    ) -> bool {
        let hit = due(which(&mut self.faults.borrow_mut()));
        if hit {
            self.happens(mark);
        }
        hit
    }

    fn happens(&self, mark: &'static str) {
        self.world.mark(mark);
        self.world.note(format_args!("fault: {mark}"));
        self.faults.borrow_mut().happens(mark);
    }

    fn room(&self, len: u64) -> Result<()> {
        let capacity = self.faults.borrow().capacity;
        match capacity {
            Some(capacity) if len > capacity && len > self.disk.size() => {
                self.happens("no space");
                Err(Error::new(Kind::Quota, "simulated: no space left"))
            }
            _ => Ok(()),
        }
    }

    /// After a failed write anything may be in its range.
    fn write_in_part(&self, offset: u64, bytes: &Bytes) {
        let kept = self.world.chance(|c| c.below(bytes.len() as u64 + 1));
        if kept > 0 {
            let part = bytes.slice(..kept as usize);
            self.disk.0.borrow_mut().settled(What::Write(offset, part));
        }
    }

    fn violated(&self, result: Result<(), String>) {
        if let Err(message) = result {
            self.world
                .fail(format_args!("the host's contract is broken: {message}"));
        }
    }
}

impl Volume for SimVolume {
    async fn len(&self) -> Result<u64> {
        self.call().await?;
        Ok(self.disk.size())
    }

    async fn set_len(&self, len: u64) -> Result<()> {
        self.world.note(format_args!("set_len {len}"));
        self.call().await?;
        self.room(len)?;
        {
            let mut disk = self.disk.0.borrow_mut();
            if len < disk.cache.len() as u64 {
                disk.contract.set_len(len);
                self.world.mark("file shortened");
            }
            disk.settled(What::SetLen(len));
        }
        self.call().await
    }

    async fn read_at(&self, offset: u64, len: usize) -> Result<Bytes> {
        self.call().await?;
        let end = offset.saturating_add(len as u64);
        let unreadable = match &self.faults.borrow().unreadable {
            Some(range) => range.start < end && offset < range.end,
            None => false,
        };
        if unreadable {
            self.happens("unreadable range");
        }
        if unreadable || self.fault(|f| &mut f.read_fails_in, "read failed") {
            return Err(Error::new(Kind::Transient, "simulated: read error"));
        }
        let disk = self.disk.0.borrow();
        let bytes = usize::try_from(offset)
            .ok()
            .and_then(|start| disk.cache.get(start..start.checked_add(len)?));
        let bytes = bytes.map(Bytes::copy_from_slice).ok_or_else(|| {
            let size = disk.cache.len();
            Error::new(
                Kind::OutOfRange,
                format!("simulated: read of {len} bytes at {offset} of {size}"),
            )
        });
        drop(disk);
        self.world.note(format_args!("read {offset}+{len}"));
        bytes
    }

    async fn write_at(&self, offset: u64, bytes: Bytes) -> Result<()> {
        self.world
            .note(format_args!("write {offset}+{}", bytes.len()));
        if bytes.is_empty() {
            self.world.fail("an empty write");
        }
        let ticket = self.disk.0.borrow_mut().contract.write(offset, &bytes);
        let ticket = ticket.unwrap_or_else(|message| {
            self.violated(Err(message));
            0
        });
        let mut flight = Flight {
            volume: self,
            offset,
            bytes: bytes.clone(),
            ticket,
            state: Phase::Called,
        };
        let called = self.call().await;
        let room = self.room(offset + bytes.len() as u64);
        if called.is_err() || self.fault(|f| &mut f.write_fails_in, "write failed") {
            flight.end();
            self.write_in_part(offset, &bytes);
            self.disk.0.borrow_mut().contract.failed();
            called?;
            return Err(Error::new(Kind::Transient, "simulated: write error"));
        }
        if let Err(full) = room {
            flight.end();
            self.write_in_part(offset, &bytes);
            return Err(full);
        }
        let mut target = offset;
        if self.fault(|f| &mut f.misdirected_in, "write misdirected") {
            let size = self.disk.size();
            target = self.world.chance(|c| c.below(size.max(1))) / 512 * 512;
            self.world.note(format_args!("landed at {target}"));
        }
        let id = {
            let mut disk = self.disk.0.borrow_mut();
            // An earlier try of the same write, whose caller went away, comes before this one or never.
            disk.orphans.retain(|(at, _)| *at != offset);
            disk.change(What::Write(target, bytes))
        };
        flight.state = Phase::Happened(id);
        if let Err(revoked) = self.call().await {
            flight.end();
            let mut disk = self.disk.0.borrow_mut();
            disk.returned(id);
            disk.contract.failed();
            return Err(revoked);
        }
        self.disk.0.borrow_mut().returned(id);
        flight.end();
        Ok(())
    }

    async fn discard(&self, range: Range<u64>) -> Result<()> {
        self.world.note(format_args!("discard {range:?}"));
        let kept = self.disk.0.borrow_mut().contract.discard(&range);
        self.violated(kept);
        self.call().await?;
        let size = self.disk.size();
        let range = range.start.min(size)..range.end.min(size);
        if range.is_empty() {
            return Ok(());
        }
        let mut bytes = vec![0; (range.end - range.start) as usize];
        let forget = self.world.chance(|c| match c.below(3) {
            0 => false,
            1 => true,
            _ => {
                c.fill(&mut bytes);
                true
            }
        });
        if forget {
            let what = What::Forget(range.start, bytes.into());
            self.disk.0.borrow_mut().settled(what);
        }
        self.call().await
    }

    async fn sync(&self) -> Result<()> {
        self.world.note("sync");
        let kept = self.disk.0.borrow().contract.sync();
        self.violated(kept);
        let covered = {
            let mut disk = self.disk.0.borrow_mut();
            self.world.chance(|c| disk.settle_orphans(c));
            disk.covered()
        };
        if let Err(revoked) = self.call().await {
            self.disk.0.borrow_mut().contract.failed();
            return Err(revoked);
        }
        if self.fault(|f| &mut f.sync_hangs_in, "sync never returned") {
            futures::future::pending::<()>().await;
        }
        if self.fault(|f| &mut f.sync_fails_in, "sync failed") {
            let mut disk = self.disk.0.borrow_mut();
            disk.contract.failed();
            // The host believes now that these pages are clean: no later sync writes them. Lengths are metadata,
            // which it still knows to be dirty.
            disk.unsynced.retain(|change| {
                matches!(change.what, What::SetLen(_)) || !covered.contains(&change.id)
            });
            return Err(Error::new(Kind::Transient, "simulated: sync error"));
        }
        self.disk.0.borrow_mut().synced(&covered);
        if let Err(revoked) = self.call().await {
            self.disk.0.borrow_mut().contract.failed();
            return Err(revoked);
        }
        self.world.note("synced");
        Ok(())
    }
}

/// A write that was called and has not returned.
struct Flight<'a> {
    volume: &'a SimVolume,
    offset: u64,
    bytes: Bytes,
    ticket: u64,
    state: Phase,
}

#[derive(PartialEq)]
enum Phase {
    Called,
    Happened(u64),
    Ended,
}

impl Flight<'_> {
    fn end(&mut self) {
        self.state = Phase::Ended;
        let mut disk = self.volume.disk.0.borrow_mut();
        disk.contract.wrote(self.ticket);
    }
}

impl Drop for Flight<'_> {
    /// The caller went away: the write happened, happens later, or never.
    fn drop(&mut self) {
        let state = std::mem::replace(&mut self.state, Phase::Ended);
        if state == Phase::Ended {
            return;
        }
        let crashed = self.volume.world.crashed()
            || self.volume.disk.0.borrow().generation != self.volume.generation;
        self.end();
        if crashed {
            return;
        }
        if let Phase::Happened(id) = state {
            return self.volume.disk.0.borrow_mut().returned(id);
        }
        self.volume.world.mark("write dropped in flight");
        let mut disk = self.volume.disk.0.borrow_mut();
        disk.orphans.push((self.offset, self.bytes.clone()));
        if self.volume.world.chance(|c| c.percent(50)) {
            self.volume.world.chance(|c| disk.settle_orphans(c));
        }
    }
}
