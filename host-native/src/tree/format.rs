//! One directory as bytes: the format of `docs/tree.md`.
//!
//! | bytes | what |
//! |---|---|
//! | 7 | `LITTREE` |
//! | 1 | version, 1 |
//! | 4 | number of entries, u32 little-endian |
//! | ... | the entries, in order of their names |
//!
//! An entry:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | kind: 1 file, 2 executable file, 3 symbolic link, 4 directory |
//! | 8 | size, u64 little-endian |
//! | 32 | pointer |
//! | 2 | length of the name, u16 little-endian |
//! | ... | the name |

use super::Name;
use bytes::{BufMut, Bytes};
use littoral_core::{Error, Kind, Result, blob::Pointer};

const MAGIC: &[u8; 7] = b"LITTREE";
const VERSION: u8 = 1;
const HEADER: usize = 12;
const ENTRY_WITHOUT_NAME: usize = 43;

/// One directory: entries with distinct names, in byte order of the names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    entries: Vec<Entry>,
}

/// One line of a [`Directory`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is called, without any path.
    pub name: Name,
    /// What it is.
    pub kind: EntryKind,
    /// Bytes of the file, of the link's target, or of everything beneath the directory together.
    pub size: u64,
    /// The file's bytes, the link's target as bytes, or the directory's own encoding.
    pub pointer: Pointer,
}

/// What an [`Entry`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A file.
    File,
    /// A file that may be run.
    Executable,
    /// A symbolic link; the blob is its target, which is never followed.
    Symlink,
    /// A directory.
    Directory,
}

impl Directory {
    /// The most bytes that a directory's encoding may have: about a million entries.
    pub const MAX_ENCODED: usize = 64 << 20;

    /// The directory of `entries`, which may come in any order.
    ///
    /// # Errors
    /// `InvalidInput` when two have the same name, or all together are larger than a directory may be.
    pub fn new(mut entries: Vec<Entry>) -> Result<Self> {
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let directory = Directory { entries };
        directory.check()?;
        Ok(directory)
    }

    /// The entries, in order of their names.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of this name.
    pub fn entry(&self, name: &[u8]) -> Option<&Entry> {
        let at = self
            .entries
            .binary_search_by(|entry| entry.name.as_bytes().cmp(name))
            .ok()?;
        self.entries.get(at)
    }

    /// Bytes of everything beneath.
    pub fn size(&self) -> u64 {
        self.entries
            .iter()
            .fold(0, |sum, entry| sum.saturating_add(entry.size))
    }

    /// The directory as the bytes of a blob. Equal directories have equal bytes.
    pub fn encode(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(self.encoded_len());
        bytes.put_slice(MAGIC);
        bytes.put_u8(VERSION);
        // `check` has bounded the length, so both fit.
        bytes.put_u32_le(self.entries.len() as u32);
        for entry in &self.entries {
            bytes.put_u8(entry.kind.code());
            bytes.put_u64_le(entry.size);
            bytes.put_slice(entry.pointer.as_bytes());
            bytes.put_u16_le(entry.name.as_bytes().len() as u16);
            bytes.put_slice(entry.name.as_bytes());
        }
        bytes.into()
    }

    /// The directory whose encoding this is.
    ///
    /// # Errors
    /// `InvalidInput` for anything that [`encode`](Directory::encode) does not produce; `NotImplemented`
    /// for a later version of the format.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader { left: bytes };
        if bytes.len() > Self::MAX_ENCODED {
            return Err(invalid("it is larger than a directory may be"));
        }
        if &reader.take::<7>()? != MAGIC {
            return Err(invalid("it is some other blob"));
        }
        match reader.take::<1>()? {
            [VERSION] => {}
            [0] => return Err(invalid("version 0 does not exist")),
            [newer] => {
                return Err(Error::new(
                    Kind::NotImplemented,
                    format!(
                        "the directory has format version {newer}, this program reads {VERSION}: use a newer one"
                    ),
                ));
            }
        }
        let count = u32::from_le_bytes(reader.take()?) as usize;
        if count > reader.left.len() / ENTRY_WITHOUT_NAME {
            return Err(invalid("it names more entries than it has room for"));
        }
        let mut entries = Vec::with_capacity(count);
        for _ in 0..count {
            entries.push(reader.entry()?);
        }
        if !reader.left.is_empty() {
            return Err(invalid("bytes follow its last entry"));
        }
        let directory = Directory { entries };
        directory.check()?;
        Ok(directory)
    }

    fn encoded_len(&self) -> usize {
        self.entries.iter().fold(HEADER, |sum, entry| {
            sum + ENTRY_WITHOUT_NAME + entry.name.as_bytes().len()
        })
    }

    /// What holds for every directory, built or parsed.
    fn check(&self) -> Result<()> {
        if self.encoded_len() > Self::MAX_ENCODED {
            return Err(invalid(
                "it has more entries than a directory may have (about a million)",
            ));
        }
        let mut total = 0u64;
        let mut before: Option<&Name> = None;
        for entry in &self.entries {
            if before.is_some_and(|before| *before >= entry.name) {
                return Err(invalid(format!(
                    "{} comes twice or out of order",
                    entry.name
                )));
            }
            before = Some(&entry.name);
            total = total
                .checked_add(entry.size)
                .ok_or_else(|| invalid("its sizes do not add up"))?;
        }
        Ok(())
    }
}

impl EntryKind {
    fn code(self) -> u8 {
        match self {
            EntryKind::File => 1,
            EntryKind::Executable => 2,
            EntryKind::Symlink => 3,
            EntryKind::Directory => 4,
        }
    }

    /// The kind's name in listings.
    pub fn name(self) -> &'static str {
        match self {
            EntryKind::File => "file",
            EntryKind::Executable => "executable",
            EntryKind::Symlink => "symlink",
            EntryKind::Directory => "directory",
        }
    }
}

struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, left) = self
            .left
            .split_first_chunk::<N>()
            .ok_or_else(|| invalid("it ends too early"))?;
        self.left = left;
        Ok(*taken)
    }

    fn slice(&mut self, len: usize) -> Result<&'a [u8]> {
        let (taken, left) = self
            .left
            .split_at_checked(len)
            .ok_or_else(|| invalid("it ends too early"))?;
        self.left = left;
        Ok(taken)
    }

    fn entry(&mut self) -> Result<Entry> {
        let kind = match self.take::<1>()? {
            [1] => EntryKind::File,
            [2] => EntryKind::Executable,
            [3] => EntryKind::Symlink,
            [4] => EntryKind::Directory,
            [other] => return Err(invalid(format!("{other} is no kind of entry"))),
        };
        let size = u64::from_le_bytes(self.take()?);
        let pointer = Pointer::from_bytes(self.take()?);
        let len = u16::from_le_bytes(self.take()?);
        let name = Name::new(self.slice(usize::from(len))?)
            .map_err(|error| error.context("not a directory of a tree"))?;
        Ok(Entry {
            name,
            kind,
            size,
            pointer,
        })
    }
}

fn invalid(why: impl std::fmt::Display) -> Error {
    Error::new(
        Kind::InvalidInput,
        format!("not a directory of a tree: {why}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, kind: EntryKind, size: u64) -> Entry {
        Entry {
            name: Name::new(name.as_bytes()).unwrap(),
            kind,
            size,
            pointer: Pointer::of(name.as_bytes()),
        }
    }

    fn example() -> Directory {
        Directory::new(vec![
            entry("tide.txt", EntryKind::File, 5),
            entry("bin", EntryKind::Directory, 900),
            entry("run", EntryKind::Executable, 7),
            entry("link", EntryKind::Symlink, 3),
        ])
        .unwrap()
    }

    /// The bytes of a directory with these raw names, whatever they are.
    fn raw(names: &[&[u8]]) -> Vec<u8> {
        let mut bytes = b"LITTREE\x01".to_vec();
        bytes.extend((names.len() as u32).to_le_bytes());
        for name in names {
            bytes.push(1);
            bytes.extend(9u64.to_le_bytes());
            bytes.extend([7; 32]);
            bytes.extend((name.len() as u16).to_le_bytes());
            bytes.extend(*name);
        }
        bytes
    }

    #[test]
    fn what_is_encoded_is_parsed_back() {
        for directory in [example(), Directory::default()] {
            assert_eq!(Directory::parse(&directory.encode()).unwrap(), directory);
        }
        assert_eq!(example().size(), 915);
        assert_eq!(example().entry(b"run").unwrap().size, 7);
        assert!(example().entry(b"ru").is_none());
    }

    #[test]
    fn the_bytes_of_version_1_do_not_change() {
        assert_eq!(
            Pointer::of(&example().encode()).to_string(),
            "1653af4f494122e919b187f83b71d2a56dad363accb8841830f05da53e32c438"
        );
    }

    #[test]
    fn names_that_could_leave_the_directory_are_refused() {
        for name in [&b""[..], b".", b"..", b"a/b", b"/", b"a\0b", &[b'x'; 1025]] {
            let error = Directory::parse(&raw(&[name])).unwrap_err();
            assert_eq!(error.kind(), Kind::InvalidInput, "{name:?}: {error}");
        }
        assert!(
            Directory::parse(&raw(&[b"...", b"\xff\xfe", b"a b"])).is_err(),
            "order"
        );
        assert!(Directory::parse(&raw(&[b"...", b"a b", b"\xff\xfe"])).is_ok());
    }

    #[test]
    fn names_that_come_twice_or_out_of_order_are_refused() {
        for names in [[&b"a"[..], b"a"], [b"b", b"a"]] {
            let error = Directory::parse(&raw(&names)).unwrap_err();
            assert_eq!(error.kind(), Kind::InvalidInput);
        }
        let twice = vec![
            entry("a", EntryKind::File, 1),
            entry("a", EntryKind::Directory, 1),
        ];
        assert_eq!(
            Directory::new(twice).unwrap_err().kind(),
            Kind::InvalidInput
        );
    }

    #[test]
    fn sizes_that_overflow_are_refused() {
        let much = vec![
            entry("a", EntryKind::File, u64::MAX),
            entry("b", EntryKind::File, 1),
        ];
        assert_eq!(Directory::new(much).unwrap_err().kind(), Kind::InvalidInput);
    }

    #[test]
    fn a_newer_version_says_so() {
        let mut bytes = example().encode().to_vec();
        bytes[7] = 2;
        assert_eq!(
            Directory::parse(&bytes).unwrap_err().kind(),
            Kind::NotImplemented
        );
    }

    #[test]
    fn a_count_from_outside_allocates_nothing() {
        let mut bytes = raw(&[b"a"]);
        bytes[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(
            Directory::parse(&bytes).unwrap_err().kind(),
            Kind::InvalidInput
        );
    }

    #[test]
    fn no_cut_and_no_flipped_bit_makes_the_parser_panic() {
        let good = example().encode();
        for len in 0..good.len() {
            assert!(Directory::parse(&good[..len]).is_err());
        }
        for bit in 0..good.len() * 8 {
            let mut bytes = good.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(directory) = Directory::parse(&bytes) {
                assert_eq!(directory.encode(), bytes, "one directory, one encoding");
            }
        }
    }
}
