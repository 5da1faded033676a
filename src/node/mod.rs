//! The running program: owns vault, store and network; commands in, events out.
//!
//! One task, the [`core::Node`], owns everything that changes and carries out one thing at a time; what takes long
//! (import, export, pairing, packing) runs beside it and reports back. Programs ask through [`client::Client`],
//! whether the node lives in another process ([`control`]) or in their own.
//!
//! ```text
//! cli, ui -> client -> control socket -> core -> cases, studies, people      what was asked
//!                                          |---> rooms -> store               what is kept
//!                                          |---> link  -> sync -> net         what travels
//!                                          |---> bundles -> courier           what is carried as a file
//!                                          `---> pacs    -> pacs              what neighbours send
//!
//! from link or bundles -> arrivals -> rooms, sharing                          what comes in, and what follows from it
//! ```
//!
//! A node is in one of three phases: no vault yet, locked, open. Locked, it goes on as a courier for its own cases:
//! it accepts, verifies, stores and forwards, opens and signs nothing (design 5).

mod about;
pub mod api;
mod arrivals;
mod attached;
mod beside;
mod bundles;
mod cards;
mod cases;
mod checks;
pub mod client;
mod control;
mod core;
mod delivery;
mod drafts;
mod frontiers;
mod given;
mod home;
pub mod library;
mod link;
mod live;
mod looks;
mod on_screen;
mod opinions;
mod pacs;
mod pairing;
mod passphrase;
mod people;
mod pictures;
mod reached;
mod rooms;
mod settings;
mod sharing;
mod studies;
mod transfers;
mod upkeep;
mod verify;
mod views;
mod whole;

pub use settings::GRAPHICS;

use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use api::{Answer, Envelope, Event, Failure, FailureCode, Request};

/// Requests not yet taken by the node.
const REQUESTS_MAX: usize = 64;

/// How a node starts.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// Addresses to listen on; empty: TCP and QUIC on every interface, any port.
    pub listen: Vec<String>,
    /// Lock after this long without a request.
    pub lock_after: Option<Duration>,
    /// Whether the private beacon looks for colleagues on the local network.
    pub beacon: bool,
    /// Whether cards flagged as test keys are taken: demo and tests only.
    pub test_cards: bool,
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self { listen: Vec::new(), lock_after: None, beacon: true, test_cards: false }
    }
}

/// A request on its way to the node.
pub struct Asked {
    pub envelope: Envelope,
    pub answers: mpsc::Sender<Answer>,
    /// What the asker answers to [`Event::ConfirmPerson`].
    pub replies: mpsc::Receiver<Request>,
}

/// What a node is told.
#[expect(clippy::large_enum_variant, reason = "few are under way, and nearly all are requests")]
pub enum Asking {
    Request(Asked),
    /// End in good order.
    ShutDown,
}

/// A node of this process.
pub struct NodeHandle {
    asking: mpsc::Sender<Asking>,
    task: JoinHandle<()>,
}

impl NodeHandle {
    /// Becomes the node of a home. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// If another program is the node of this home, or the home cannot be used.
    pub fn start(home: &Path, options: NodeOptions) -> Result<Self, Failure> {
        let (asking, asked) = mpsc::channel(REQUESTS_MAX);
        let node = core::Node::new(home, options, asking.downgrade())?;
        let task = tokio::spawn(node.run(asked));
        Ok(Self { asking, task })
    }

    /// Hands a request to the node.
    pub async fn ask(&self, asked: Asked) -> Result<(), Failure> {
        let stopped = || Failure::new(FailureCode::Failed, "The node has stopped.");
        self.asking.send(Asking::Request(asked)).await.map_err(|_| stopped())
    }

    /// Ends the node: what was accepted is durable, what is queued is sent for two seconds at most.
    pub async fn shutdown(self) {
        let _ = self.asking.send(Asking::ShutDown).await;
        // A node that panicked has told the log; there is nothing left to end.
        let _ = self.task.await;
    }

    /// Ends the node as soon as no other program asks it any more, or at once when `hurry` ends.
    pub async fn leave(self, hurry: impl Future<Output = ()>) {
        let Self { asking, mut task } = self;
        let again = asking.downgrade();
        drop(asking);
        tokio::select! {
            _ = &mut task => return,
            () = hurry => {}
        }
        if let Some(asking) = again.upgrade() {
            let _ = asking.send(Asking::ShutDown).await;
        }
        let _ = task.await;
    }
}

/// Runs the node of a home until SIGINT or SIGTERM: `overread node`. The first event is [`Event::Ready`].
pub async fn run(
    home: &Path,
    options: NodeOptions,
    passphrase: Option<api::Passphrase>,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<(), Failure> {
    let signal =
        |error: std::io::Error| Failure::new(FailureCode::Failed, format!("Signals cannot be caught: {error}"));
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).map_err(signal)?;
    let mut interrupted = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt()).map_err(signal)?;
    let node = NodeHandle::start(home, options)?;
    let (answers, mut answered) = mpsc::channel(client::ANSWERS_MAX);
    let (_replies, replied) = mpsc::channel(1);
    let envelope = Envelope { request: Request::Follow, passphrase, request_id: None, wait_seconds: None };
    node.ask(Asked { envelope, answers, replies: replied }).await?;
    let ended = loop {
        tokio::select! {
            _ = terminated.recv() => break Ok(()),
            _ = interrupted.recv() => break Ok(()),
            answer = answered.recv() => match answer {
                Some(Answer::Event(event)) => on_event(event),
                Some(Answer::Failed(failure)) => break Err(failure),
                Some(Answer::Done(_)) | None => break Ok(()),
            },
        }
    };
    node.shutdown().await;
    ended
}
