//! Room in the queue, first come first served: a large blob does not starve behind small ones.

use super::{Account, Books, Counts};
use crate::{Error, Kind, Result};
use alloc::sync::Arc;

impl Account {
    /// Room for one change of `bytes`, without waiting.
    pub fn try_room(self: &Arc<Self>, bytes: u64) -> Result<Room> {
        let mut books = self.books.lock();
        books.takes_changes()?;
        if !books.line.is_empty() || !books.fits(bytes) {
            return Err(Error::new(
                Kind::Busy,
                alloc::format!(
                    "the queue is full: {} changes, {} bytes are not remote yet",
                    books.counts.entries,
                    books.counts.bytes
                ),
            ));
        }
        Ok(self.take_room(&mut books, bytes))
    }

    /// Room for one change of `bytes`, first come first served. Dropping the future leaves the line.
    pub async fn room(self: &Arc<Self>, bytes: u64) -> Result<Room> {
        let place = {
            let mut books = self.books.lock();
            books.takes_changes()?;
            if books.line.is_empty() && books.fits(bytes) {
                return Ok(self.take_room(&mut books, bytes));
            }
            let number = books.next_in_line;
            books.next_in_line += 1;
            books.line.insert(number);
            Place {
                account: self.clone(),
                number,
            }
        };
        loop {
            let listener = self.room.listen();
            {
                let mut books = self.books.lock();
                books.takes_changes()?;
                if books.line.first() == Some(&place.number) && books.fits(bytes) {
                    return Ok(self.take_room(&mut books, bytes));
                }
            }
            listener.await;
        }
    }

    fn take_room(self: &Arc<Self>, books: &mut Books, bytes: u64) -> Room {
        let size = Counts::one(bytes);
        books.reserved += size;
        Room {
            account: self.clone(),
            size,
        }
    }
}

impl Books {
    fn fits(&self, bytes: u64) -> bool {
        let taken = self.counts + self.reserved;
        let entries = u64::try_from(taken.entries).unwrap_or(0);
        let held = u64::try_from(taken.bytes).unwrap_or(0);
        entries < self.bound.entries.max(1)
            && (held == 0 || held.saturating_add(bytes) <= self.bound.bytes)
    }
}

/// Room in the queue that is kept for one change until it is dropped.
pub struct Room {
    account: Arc<Account>,
    size: Counts,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.account.books.lock().reserved += -self.size;
        self.account.room.notify(usize::MAX);
    }
}

/// A place in the line for room.
struct Place {
    account: Arc<Account>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.account.books.lock().line.remove(&self.number);
        self.account.room.notify(usize::MAX);
    }
}
