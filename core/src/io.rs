//! What errors need from `std`, where there is one.
//!
//! The whole difference between std and no_std is in this file and in `sync.rs`.

#[cfg(feature = "std")]
mod with_std {
    use crate::{Error, Kind};
    use std::io;

    /// Sorts an operating system's error into the kind that a caller branches on, keeping it as the cause.
    impl From<io::Error> for Error {
        fn from(error: io::Error) -> Self {
            let kind = match error.kind() {
                io::ErrorKind::NotFound => Kind::NotFound,
                io::ErrorKind::AlreadyExists => Kind::AlreadyExists,
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    Kind::ReadOnly
                }
                io::ErrorKind::InvalidInput
                | io::ErrorKind::InvalidData
                | io::ErrorKind::IsADirectory
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::InvalidFilename => Kind::InvalidInput,
                io::ErrorKind::UnexpectedEof => Kind::OutOfRange,
                io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::FileTooLarge => Kind::Quota,
                io::ErrorKind::WouldBlock | io::ErrorKind::ResourceBusy => Kind::Busy,
                io::ErrorKind::TimedOut => Kind::Timeout,
                io::ErrorKind::Unsupported => Kind::NotImplemented,
                _ => Kind::Transient,
            };
            let message = alloc::format!("{error}");
            Error::new(kind, message).with_source(error)
        }
    }
}
