//! One error type: a kind to branch on, a message to read, and the cause.

use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use core::{error::Error as StdError, fmt, ops::Range, time::Duration};

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// What a caller can do about an error. Kinds are few; messages are free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// There is nothing under this name. Nothing was changed.
    NotFound,
    /// Something is there already and the call asked for it not to be.
    AlreadyExists,
    /// The store, or this side of a pair, takes no writes.
    ReadOnly,
    /// Somebody else changed it first: read again and decide.
    Conflict,
    /// The caller's arguments, or bytes from outside, are not what the call takes.
    InvalidInput,
    /// An offset, commit or length outside of what there is.
    OutOfRange,
    /// Stored or received bytes are not what they should be. Never returned as data.
    Corrupt,
    /// Somebody else holds it, or a bounded queue is full: try later.
    Busy,
    /// The disk, the browser's quota or the store's own bound is full.
    Quota,
    /// The store was closed.
    Closed,
    /// A write or sync failed earlier: reads go on, writes do not; reopen to recover.
    Poisoned,
    /// A passing failure, such as an unreachable remote: trying again can succeed.
    Transient,
    /// The remote wants other credentials.
    Auth,
    /// A deadline passed.
    Timeout,
    /// This store or host cannot do that.
    NotImplemented,
}

impl Kind {
    /// Every kind, in declaration order.
    pub const ALL: [Kind; 15] = [
        Kind::NotFound,
        Kind::AlreadyExists,
        Kind::ReadOnly,
        Kind::Conflict,
        Kind::InvalidInput,
        Kind::OutOfRange,
        Kind::Corrupt,
        Kind::Busy,
        Kind::Quota,
        Kind::Closed,
        Kind::Poisoned,
        Kind::Transient,
        Kind::Auth,
        Kind::Timeout,
        Kind::NotImplemented,
    ];

    /// The kind's name as it travels over HTTP and into TypeScript's `code`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::NotFound => "NotFound",
            Kind::AlreadyExists => "AlreadyExists",
            Kind::ReadOnly => "ReadOnly",
            Kind::Conflict => "Conflict",
            Kind::InvalidInput => "InvalidInput",
            Kind::OutOfRange => "OutOfRange",
            Kind::Corrupt => "Corrupt",
            Kind::Busy => "Busy",
            Kind::Quota => "Quota",
            Kind::Closed => "Closed",
            Kind::Poisoned => "Poisoned",
            Kind::Transient => "Transient",
            Kind::Auth => "Auth",
            Kind::Timeout => "Timeout",
            Kind::NotImplemented => "NotImplemented",
        }
    }

    /// The kind with this [`name`](Kind::name).
    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Where damage was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damage {
    /// Byte range in the store's file.
    pub range: Range<u64>,
    /// Space and key of the value, where it is known.
    pub key: Option<(u8, Vec<u8>)>,
    /// What should have been there.
    pub what: String,
}

impl Damage {
    /// Damage of `what` in `range` of the store's file.
    pub fn new(range: Range<u64>, what: impl Into<String>) -> Self {
        Damage {
            range,
            key: None,
            what: what.into(),
        }
    }

    /// Names the value that is lost.
    pub fn of_key(mut self, space: u8, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some((space, key.into()));
        self
    }
}

/// What went wrong. Cheap to clone, one pointer wide.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: Kind,
    message: String,
    damage: Option<Box<Damage>>,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn StdError + Send + Sync + 'static>>,
}

impl Error {
    /// An error of `kind`; the message says what it was about and what to do next.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error(Arc::new(Inner {
            kind,
            message: message.into(),
            damage: None,
            retry_after: None,
            source: None,
        }))
    }

    /// [`Kind::Corrupt`] with the place.
    pub fn corrupt(damage: Damage) -> Self {
        let message = match &damage.key {
            Some((space, key)) => alloc::format!(
                "{} is damaged: bytes {}..{} of the store (space {space}, key {})",
                damage.what,
                damage.range.start,
                damage.range.end,
                Hex(key)
            ),
            None => alloc::format!(
                "{} is damaged: bytes {}..{} of the store",
                damage.what,
                damage.range.start,
                damage.range.end
            ),
        };
        let mut error = Error::new(Kind::Corrupt, message);
        error.edit().damage = Some(Box::new(damage));
        error
    }

    /// What a caller branches on.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Where the damage is, if that is what this is about.
    pub fn damage(&self) -> Option<&Damage> {
        self.0.damage.as_deref()
    }

    /// How long the remote asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The same error with its cause.
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.edit().source = Some(Arc::new(source));
        self
    }

    /// The same error with a request to wait.
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.edit().retry_after = Some(after);
        self
    }

    /// The same error as another kind.
    pub fn with_kind(mut self, kind: Kind) -> Self {
        self.edit().kind = kind;
        self
    }

    /// The same error with `what` in front: the key, path or file that it was about.
    pub fn context(mut self, what: impl fmt::Display) -> Self {
        let inner = self.edit();
        inner.message = alloc::format!("{what}: {}", inner.message);
        self
    }

    fn edit(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.0)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind.name(), self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

/// Bytes as lower-case hex, at most 64 of them.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.iter().take(64) {
            write!(f, "{byte:02x}")?;
        }
        if self.0.len() > 64 {
            f.write_str("...")
        } else {
            Ok(())
        }
    }
}
