//! Ctrl-C and the request to end: a command stops, its client is closed in order, and the exit code is 130.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use crate::node::api::{Failure, FailureCode};

/// Exit code of an interrupted command.
const INTERRUPTED: i32 = 130;

/// Whether the person, or the system, wants the command to end.
#[derive(Clone, Default)]
pub(super) struct Interruption {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    happened: AtomicBool,
    told: Notify,
}

impl Interruption {
    /// Listens for SIGINT and SIGTERM from now on. A second signal ends the process on the spot: whatever hangs,
    /// hangs for good, and what was acknowledged is durable.
    ///
    /// # Errors
    /// If the system refuses the handlers.
    pub(super) fn listen(&self) -> Result<(), Failure> {
        let heard = |kind| {
            signal(kind).map_err(|error| {
                Failure::new(FailureCode::Failed, format!("The system lets no signal be heard: {error}."))
            })
        };
        let (mut interrupt, mut terminate) = (heard(SignalKind::interrupt())?, heard(SignalKind::terminate())?);
        let here = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if here.shared.happened.swap(true, Ordering::SeqCst) {
                    std::process::exit(INTERRUPTED);
                }
                here.shared.told.notify_one();
            }
        });
        Ok(())
    }

    pub(super) fn has_happened(&self) -> bool {
        self.shared.happened.load(Ordering::SeqCst)
    }

    /// Waits until it happens.
    pub(super) async fn happens(&self) {
        while !self.has_happened() {
            self.shared.told.notified().await;
        }
    }

    pub(super) fn failure() -> Failure {
        Failure::new(FailureCode::Interrupted, "Interrupted: what was already saved stays saved.")
            .hint("Run the command again to go on.")
    }
}
