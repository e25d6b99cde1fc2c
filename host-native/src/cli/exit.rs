//! How the program ends: exit statuses, and errors that say what to do next.

use super::output::without_repetition;
use littoral::core::{Damage, Error, Kind};
use std::{error::Error as _, path::Path};

/// Shown below `--help` and in the manual.
pub const HELP: &str = "\
Exit status:
  0    done
  1    something else went wrong
  2    the arguments, or bytes from outside, are not what the command takes
  3    there is nothing of this name
  4    damage: bytes are not what they should be
  5    somebody else holds the store, or the queue is full
  6    the remote cannot be reached, or did not answer in time: try again
  7    the remote wants another token
  8    somebody else was first: it is there already, or points elsewhere now
  9    no permission to write
  10   no room
  11   an earlier write failed: open the store again
  12   incomplete: some files could not be read (`import` moves the root then only with --skip-unreadable),
       or not all of a damaged store (`backup --salvage`)
  130  interrupted; what was acknowledged is there

Results go to standard output, everything else to standard error. With --json an error is a document
on standard output too, the last one: {\"error\":{\"code\":...,\"message\":...,\"hint\":...}} (`cat` keeps standard
output for the blob, and reports on standard error).

Examples:
  littoral put photo.jpg                        prints the pointer
  littoral cat POINTER > photo.jpg
  littoral import ~/notes                       names the tree with the root `notes`
  littoral --remote http://host:7420 sync       uploads what is queued
  littoral --store new --remote http://host:7420 export notes ./restored
";

/// A status for `exit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(pub u8);

impl Exit {
    pub const DONE: Exit = Exit(0);
    pub const USAGE: Exit = Exit(2);
    pub const INCOMPLETE: Exit = Exit(12);
    pub const INTERRUPTED: Exit = Exit(130);

    pub fn of(kind: Kind) -> Exit {
        Exit(match kind {
            Kind::InvalidInput | Kind::OutOfRange => 2,
            Kind::NotFound => 3,
            Kind::Corrupt => 4,
            Kind::Busy => 5,
            Kind::Transient | Kind::Timeout => 6,
            Kind::Auth => 7,
            Kind::Conflict | Kind::AlreadyExists => 8,
            Kind::ReadOnly => 9,
            Kind::Quota => 10,
            Kind::Poisoned => 11,
            _ => 1,
        })
    }
}

/// Why a command did not do what it was told.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    /// The name of the kind.
    pub code: &'static str,
    pub message: String,
    /// What the user can do about it.
    pub hint: Option<String>,
    /// Where in the store's file damage was found, if that is what this is about.
    pub damage: Option<Box<Damage>>,
}

impl Failure {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Failure {
            exit: Exit::of(kind),
            code: kind.name(),
            message: message.into(),
            hint: None,
            damage: None,
        }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same failure; when it is damage, with the name of the file that it is in.
    pub fn in_file(mut self, store: &Path) -> Self {
        let store = store.display().to_string();
        if self.damage.is_some() && !self.message.contains(&store) {
            self.message = format!("{store}: {}", self.message);
        }
        self
    }

    /// The reader of standard output has seen enough. Nobody is left to be told.
    pub fn nobody_reads() -> Self {
        Failure {
            exit: Exit::DONE,
            code: "",
            message: String::new(),
            hint: None,
            damage: None,
        }
    }

    pub fn is_silent(&self) -> bool {
        self.message.is_empty()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut damage = error.damage().cloned();
        let mut causes = Vec::new();
        let mut cause = error.source();
        while let Some(error) = cause {
            let beneath = error.downcast_ref::<Error>().and_then(Error::damage);
            damage = damage.or_else(|| beneath.cloned());
            causes.push(error.to_string());
            cause = error.source();
        }
        let mut message = error.to_string();
        // Many errors repeat their cause, some the last of them: what lies between says nothing then.
        if !causes.last().is_some_and(|last| message.contains(last)) {
            for text in causes {
                if !message.contains(&text) {
                    message.push_str(": ");
                    message.push_str(&text);
                }
            }
        }
        let mut failure = Failure::new(error.kind(), without_repetition(&message));
        failure.hint = hint(error.kind(), damage.is_some()).map(str::to_owned);
        failure.damage = damage.map(Box::new);
        failure
    }
}

/// What helps whatever the command was; commands that know better say so themselves.
fn hint(kind: Kind, in_store: bool) -> Option<&'static str> {
    Some(match kind {
        Kind::Busy => "wait for the other program to end, or use another --store",
        Kind::Corrupt if in_store => {
            "`littoral verify` names all damage, `littoral repair --remote URL` fetches damaged blobs again, `littoral backup --salvage FILE` copies what can be read"
        }
        Kind::Corrupt => {
            "if it came from the remote: is --remote the right one? If it is in the store: `littoral verify` shows all damage"
        }
        Kind::Transient | Kind::Timeout => "try again when the remote can be reached",
        Kind::Auth => "set LITTORAL_TOKEN to the remote's token",
        Kind::Quota => {
            "make room; what was stored is as it was, and `littoral reclaim` gives back what an unfinished change took"
        }
        Kind::Poisoned => "check the disk; the next command opens the store again and recovers it",
        Kind::NotImplemented => "a newer littoral may be able to",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_but_what_has_no_status_of_its_own_has_one() {
        for kind in Kind::ALL {
            let exit = Exit::of(kind);
            let has_none = matches!(kind, Kind::Closed | Kind::NotImplemented);
            assert_eq!(exit == Exit(1), has_none, "{kind:?}");
            assert!(HELP.contains(&format!("\n  {:<3}  ", exit.0)), "{kind:?}");
        }
    }

    #[test]
    fn a_cause_is_told_once() {
        let cause = Error::new(Kind::Transient, "connection refused");
        let told = Error::new(Kind::Transient, "cannot reach it").with_source(cause.clone());
        assert_eq!(
            Failure::from(told).message,
            "cannot reach it: connection refused"
        );
        let again = Error::new(Kind::Transient, "it says: connection refused").with_source(cause);
        assert_eq!(Failure::from(again).message, "it says: connection refused");
        // Nor what lies between an error and the cause that it names.
        let between = Error::new(Kind::Transient, "tcp connect error")
            .with_source(Error::new(Kind::Transient, "refused (os error 111)"));
        let told = Error::new(Kind::Transient, "no connection: refused (os error 111)");
        assert_eq!(
            Failure::from(told.with_source(between)).message,
            "no connection: refused (os error 111)"
        );
    }
}
