//! The name of one entry, safe to join to a path.

use littoral_core::{Error, Kind, Result};
use std::{ffi::OsStr, fmt, path::Path};

/// A file's name as bytes: not empty, not `.` or `..`, no `/`, no NUL, at most 1,024 bytes.
///
/// On Unix any such bytes are a name, UTF-8 or not. Elsewhere only UTF-8 can be written to disk.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<[u8]>);

impl Name {
    /// The longest name, in bytes.
    pub const MAX: usize = 1024;

    /// The name with these bytes.
    ///
    /// # Errors
    /// `InvalidInput` for bytes that are no name.
    pub fn new(bytes: &[u8]) -> Result<Self> {
        let why = match bytes {
            b"" => "it is empty",
            b"." | b".." => "it names another directory",
            _ if bytes.len() > Self::MAX => "it is longer than 1,024 bytes",
            _ if bytes.contains(&b'/') => "it has a slash",
            _ if bytes.contains(&0) => "it has a NUL",
            _ => return Ok(Name(bytes.into())),
        };
        Err(Error::new(
            Kind::InvalidInput,
            format!("{} is not a file's name: {why}", Shown(bytes)),
        ))
    }

    /// The name that a directory entry on this system has.
    ///
    /// # Errors
    /// `InvalidInput` where it cannot be kept: longer than [`Name::MAX`] or, elsewhere than on Unix, not Unicode.
    pub fn from_os(name: &OsStr) -> Result<Self> {
        match os_bytes(name) {
            Some(bytes) => Name::new(bytes),
            None => Err(Error::new(
                Kind::InvalidInput,
                format!("{} is not Unicode", name.to_string_lossy().escape_debug()),
            )),
        }
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name for this system's files.
    ///
    /// # Errors
    /// `InvalidInput` where this system's files cannot be called that.
    pub fn to_path(&self) -> Result<&Path> {
        os_path(&self.0).ok_or_else(|| {
            Error::new(
                Kind::InvalidInput,
                format!("{self} cannot be a file's name on this system"),
            )
        })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown(&self.0).fmt(f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Bytes as text that is safe in a terminal: what is not printable UTF-8 becomes `\xNN`.
pub struct Shown<'a>(pub &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                if character.is_control() || is_reordering(character) {
                    let mut buffer = [0; 4];
                    for byte in character.encode_utf8(&mut buffer).bytes() {
                        write!(f, "\\x{byte:02x}")?;
                    }
                } else {
                    write!(f, "{character}")?;
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Characters that make a terminal show the text around them in another order.
fn is_reordering(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A path as text that is safe in a terminal.
pub fn show_path(path: &Path) -> String {
    match os_bytes(path.as_os_str()) {
        Some(bytes) => Shown(bytes).to_string(),
        None => path.to_string_lossy().escape_debug().to_string(),
    }
}

#[cfg(unix)]
mod sys {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

    pub fn os_bytes(name: &OsStr) -> Option<&[u8]> {
        Some(name.as_bytes())
    }

    pub fn os_path(name: &[u8]) -> Option<&Path> {
        Some(Path::new(OsStr::from_bytes(name)))
    }

    pub fn os_target(target: &[u8]) -> Option<&Path> {
        os_path(target)
    }
}

#[cfg(not(unix))]
mod sys {
    use std::{ffi::OsStr, path::Path};

    pub fn os_bytes(name: &OsStr) -> Option<&[u8]> {
        name.to_str().map(str::as_bytes)
    }

    /// Windows' rules: other separators, streams, wildcards, device names, and ends that it drops.
    pub fn os_path(name: &[u8]) -> Option<&Path> {
        let name = std::str::from_utf8(name).ok()?;
        let stem = name.split('.').next().unwrap_or(name).trim_end();
        let device = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
            .iter()
            .any(|device| stem.eq_ignore_ascii_case(device))
            || (stem.chars().count() == 4
                && stem.get(..3).is_some_and(|port| {
                    port.eq_ignore_ascii_case("COM") || port.eq_ignore_ascii_case("LPT")
                })
                && stem
                    .chars()
                    .next_back()
                    .is_some_and(|digit| "123456789\u{b9}\u{b2}\u{b3}".contains(digit)));
        let dropped = name.ends_with(['.', ' ']);
        let forbidden = name.contains(|c: char| c.is_control() || "\\:*?\"<>|".contains(c));
        (!device && !dropped && !forbidden).then(|| Path::new(name))
    }

    pub fn os_target(target: &[u8]) -> Option<&Path> {
        std::str::from_utf8(target).ok().map(Path::new)
    }
}

pub(super) use sys::{os_bytes, os_path, os_target};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_as_numbers() {
        assert_eq!(Shown(b"a\x1b[2Jb").to_string(), "a\\x1b[2Jb");
        assert_eq!(Shown(b"caf\xc3\xa9 \xff").to_string(), "café \\xff");
        assert_eq!(Shown("\u{202e}".as_bytes()).to_string(), "\\xe2\\x80\\xae");
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_not_utf8_is_kept_as_its_bytes() {
        use std::os::unix::ffi::OsStrExt;
        let name = Name::from_os(OsStr::from_bytes(b"\xff.txt")).unwrap();
        assert_eq!(name.as_bytes(), b"\xff.txt");
        assert_eq!(name.to_path().unwrap().as_os_str().as_bytes(), b"\xff.txt");
    }
}
