//! Requests whose order counts: each is carried out after the answer to the one before.
//!
//! Other requests of the app run side by side, and the later may arrive first. Here that would lose words: an older
//! draft over a newer one, a draft that comes back after it was signed, or one that finds the vault locked that its
//! own window closed. What is still in the lane when the app ends is carried out, within a time.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::message::{Message, Ticket};
use crate::node::api::{Envelope, Failure, FailureCode, Request};
use crate::node::client::Client;

/// Requests that wait for those before them; a form has at most a few on the way.
const WAITING_MAX: usize = 32;

/// How long the end of the app waits for them.
const END_WITHIN: Duration = Duration::from_secs(3);

/// Whether the order of a request counts.
pub(super) fn is_for(request: &Request) -> bool {
    matches!(
        request,
        Request::OpinionDraftKeep { .. }
            | Request::OpinionDraftShow { .. }
            | Request::OpinionDraftDrop { .. }
            | Request::OpinionSign { .. }
            | Request::Lock
            | Request::Unlock
    )
}

/// Carries out requests one after the other.
pub(super) struct Lane {
    waiting: mpsc::Sender<Waiting>,
    task: JoinHandle<()>,
}

struct Waiting {
    ticket: Ticket,
    envelope: Envelope,
    client: Result<Client, Failure>,
}

impl Lane {
    /// Must be called inside a tokio runtime.
    pub(super) fn start(messages: mpsc::Sender<Message>) -> Self {
        let (waiting, mut next) = mpsc::channel::<Waiting>(WAITING_MAX);
        let task = tokio::spawn(async move {
            while let Some(Waiting { ticket, envelope, client }) = next.recv().await {
                let outcome = match client {
                    Ok(mut client) => client.ask(envelope, &mut |_| None).await,
                    Err(failure) => Err(failure),
                };
                // The app that is gone needs no answer.
                let _ = messages.send(Message::Answered { ticket, outcome: outcome.map(Box::new) }).await;
            }
        });
        Self { waiting, task }
    }

    /// Puts a request at the end, unless there is no room.
    pub(super) fn put(
        &self,
        ticket: Ticket,
        envelope: Envelope,
        client: Result<Client, Failure>,
    ) -> Result<(), Failure> {
        self.waiting.try_send(Waiting { ticket, envelope, client }).map_err(|_| {
            Failure::new(FailureCode::Failed, "The node does not answer; this was not done.")
                .hint("Try again in a moment.")
        })
    }

    /// Waits until all that was put is done, for a time.
    pub(super) async fn end(self) {
        let Self { waiting, mut task } = self;
        drop(waiting);
        if tokio::time::timeout(END_WITHIN, &mut task).await.is_err() {
            tracing::warn!("the node does not answer: what was written last may not be kept");
            task.abort();
        }
    }
}
