//! Ctrl-C, and `kill`: the first asks to end, the second ends.

use super::exit::Exit;
use littoral::core::Result;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// Whether the user wants the program to end.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<Asked>);

#[derive(Default)]
struct Asked {
    asked: AtomicBool,
    event: event_listener::Event,
}

impl Interrupt {
    /// Listens from now on. A second signal ends the process at once.
    pub fn listen() -> Result<Self> {
        let interrupt = Interrupt::default();
        let telling = interrupt.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        thread::Builder::new()
            .name("littoral-signal".into())
            .spawn(move || {
                runtime.block_on(async {
                    while next_signal().await.is_ok() {
                        if telling.0.asked.swap(true, Ordering::SeqCst) {
                            std::process::exit(i32::from(Exit::INTERRUPTED.0));
                        }
                        telling.0.event.notify(usize::MAX);
                    }
                });
            })?;
        Ok(interrupt)
    }

    /// Returns when the user has asked to end.
    pub async fn asked(&self) {
        loop {
            let listener = self.0.event.listen();
            if self.0.asked.load(Ordering::SeqCst) {
                return;
            }
            listener.await;
        }
    }
}

#[cfg(unix)]
async fn next_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        asked = tokio::signal::ctrl_c() => asked,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn next_signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
