//! How a program asks a node: over the control socket of the one that runs, or, where none runs, a node of its own
//! in this process that ends with the client.
//!
//! Either way the home's lock decides who is the node; nobody else signs (design 5).

use std::path::Path;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use super::api::{Answer, Envelope, Event, Failure, FailureCode, Reply, Request};
use super::control;
use super::{Asked, NodeHandle, NodeOptions};

/// Answers not yet taken by the client.
pub(super) const ANSWERS_MAX: usize = 64;

/// A way to ask a node.
pub struct Client {
    way: Way,
}

enum Way {
    Running { lines: tokio::io::Lines<BufReader<OwnedReadHalf>>, writer: OwnedWriteHalf },
    Here(NodeHandle),
}

impl Client {
    /// Finds the node of a home, or becomes it for as long as this client lives.
    ///
    /// # Errors
    /// If another program holds the home and does not answer.
    pub async fn open(home: &Path, options: NodeOptions) -> Result<Self, Failure> {
        if let Some(stream) = control::connect(home).await {
            return Ok(Self::over(stream));
        }
        match NodeHandle::start(home, options) {
            Ok(node) => Ok(Self { way: Way::Here(node) }),
            // Another program may have become the node in this very moment.
            Err(failure) => match control::connect_patiently(home).await {
                Some(stream) => Ok(Self::over(stream)),
                None => Err(failure),
            },
        }
    }

    fn over(stream: UnixStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self { way: Way::Running { lines: BufReader::new(reader).lines(), writer } }
    }

    /// Whether a node runs in another process.
    pub fn is_remote(&self) -> bool {
        matches!(self.way, Way::Running { .. })
    }

    /// Asks one thing. `on_event` sees what happens on the way; what it returns is sent back as an answer to
    /// [`Event::ConfirmPerson`].
    pub async fn ask(
        &mut self,
        envelope: Envelope,
        on_event: &mut (dyn FnMut(Event) -> Option<Request> + Send),
    ) -> Result<Reply, Failure> {
        match &mut self.way {
            Way::Here(node) => {
                let (answers, mut answered) = mpsc::channel(ANSWERS_MAX);
                let (replies, replied) = mpsc::channel(1);
                node.ask(Asked { envelope, answers, replies: replied }).await?;
                while let Some(answer) = answered.recv().await {
                    match answer {
                        Answer::Event(event) => {
                            if let Some(request) = on_event(event) {
                                // A node that stopped listening has ended the request already.
                                let _ = replies.send(request).await;
                            }
                        }
                        Answer::Done(reply) => return Ok(*reply),
                        Answer::Failed(failure) => return Err(failure),
                    }
                }
                Err(gone())
            }
            Way::Running { lines, writer } => {
                send(writer, &envelope).await?;
                while let Some(line) = lines.next_line().await.map_err(|_| gone())? {
                    match serde_json::from_str(&line).map_err(|_| gone())? {
                        Answer::Event(event) => {
                            if let Some(request) = on_event(event) {
                                let reply =
                                    Envelope { request, passphrase: None, request_id: None, wait_seconds: None };
                                send(writer, &reply).await?;
                            }
                        }
                        Answer::Done(reply) => return Ok(*reply),
                        Answer::Failed(failure) => return Err(failure),
                    }
                }
                Err(gone())
            }
        }
    }

    /// Ends a node of its own in good order; a running one goes on.
    pub async fn close(self) {
        if let Way::Here(node) = self.way {
            node.shutdown().await;
        }
    }
}

async fn send(writer: &mut OwnedWriteHalf, envelope: &Envelope) -> Result<(), Failure> {
    let mut line = zeroize::Zeroizing::new(serde_json::to_vec(envelope).map_err(|_| gone())?);
    line.push(b'\n');
    writer.write_all(&line).await.map_err(|_| gone())
}

fn gone() -> Failure {
    Failure::new(FailureCode::Failed, "The node stopped before it answered; what it was asked may or may not be done.")
        .hint(
            "Look with `overread case list`, then repeat the command: a repeat with the same --request-id is harmless.",
        )
}
