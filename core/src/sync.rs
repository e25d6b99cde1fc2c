//! The lock that everything shares: `std::sync::Mutex` where there is std, a checked cell where
//! there is none (a store is then confined to one thread, and the compiler sees to it).
//!
//! The whole difference between std and no_std is in this file and in `io.rs`.

#[cfg(feature = "std")]
mod imp {
    use std::sync::{
        self,
        atomic::{AtomicUsize, Ordering},
    };

    /// A value that is set once.
    pub type OnceLock<T> = sync::OnceLock<T>;

    static THREADS: AtomicUsize = AtomicUsize::new(0);

    std::thread_local! {
        static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed);
    }

    /// Which of `count` copies of something this thread reads, so that threads seldom meet there.
    pub fn stripe(count: usize) -> usize {
        // Where a thread's own values are gone already, any copy will do.
        THREAD.try_with(|thread| *thread).unwrap_or_default() % count.max(1)
    }

    /// A mutual-exclusion lock without poisoning: a panic while it is held leaves it usable.
    #[derive(Debug, Default)]
    pub struct Mutex<T>(sync::Mutex<T>);

    /// Access to what a [`Mutex`] holds, until it is dropped.
    pub type MutexGuard<'a, T> = sync::MutexGuard<'a, T>;

    impl<T> Mutex<T> {
        /// A lock around `value`.
        pub const fn new(value: T) -> Self {
            Mutex(sync::Mutex::new(value))
        }

        /// Waits until nobody else holds it. Never held across an await in this crate.
        pub fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(sync::PoisonError::into_inner)
        }
    }

    /// A lock that any number of readers share. Without poisoning, too.
    #[derive(Debug, Default)]
    pub struct RwLock<T>(sync::RwLock<T>);

    impl<T> RwLock<T> {
        /// A lock around `value`.
        pub const fn new(value: T) -> Self {
            RwLock(sync::RwLock::new(value))
        }

        /// Waits until nobody writes. Never held across an await in this crate.
        pub fn read(&self) -> sync::RwLockReadGuard<'_, T> {
            self.0.read().unwrap_or_else(sync::PoisonError::into_inner)
        }

        /// Waits until nobody else holds it. Never held across an await in this crate.
        pub fn write(&self) -> sync::RwLockWriteGuard<'_, T> {
            self.0.write().unwrap_or_else(sync::PoisonError::into_inner)
        }
    }
}

#[cfg(not(feature = "std"))]
mod imp {
    use core::cell::{OnceCell, Ref, RefCell, RefMut};

    /// A value that is set once.
    pub type OnceLock<T> = OnceCell<T>;

    /// Which of `count` copies of something this thread reads: there is one thread.
    pub fn stripe(_count: usize) -> usize {
        0
    }

    /// A lock for one thread.
    #[derive(Debug, Default)]
    pub struct Mutex<T>(RefCell<T>);

    /// Access to what a [`Mutex`] holds, until it is dropped.
    pub type MutexGuard<'a, T> = RefMut<'a, T>;

    impl<T> Mutex<T> {
        /// A lock around `value`.
        pub const fn new(value: T) -> Self {
            Mutex(RefCell::new(value))
        }

        /// Takes it. Never held across an await in this crate, so one thread never meets itself here.
        pub fn lock(&self) -> MutexGuard<'_, T> {
            self.0.borrow_mut()
        }
    }

    /// A lock for one thread, that its readers share.
    #[derive(Debug, Default)]
    pub struct RwLock<T>(RefCell<T>);

    impl<T> RwLock<T> {
        /// A lock around `value`.
        pub const fn new(value: T) -> Self {
            RwLock(RefCell::new(value))
        }

        /// Takes it for reading. Never held across an await in this crate.
        pub fn read(&self) -> Ref<'_, T> {
            self.0.borrow()
        }

        /// Takes it for writing. Never held across an await in this crate, so one thread never meets itself here.
        pub fn write(&self) -> RefMut<'_, T> {
            self.0.borrow_mut()
        }
    }
}

pub use imp::{Mutex, MutexGuard, OnceLock, RwLock, stripe};
