//! How a program asks a node: over the control socket of the one that runs, or, where none runs, a node of its own
//! in this process that ends with the client.
//!
//! Either way the home's lock decides who is the node; nobody else signs (design 5).

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::api::{Answer, Envelope, Event, Failure, FailureCode, Reply, Request};
use super::control;
use super::{Asked, Asking, NodeHandle, NodeOptions};

/// Answers not yet taken by the client.
pub(super) const ANSWERS_MAX: usize = 64;

/// How often a home is looked at whose node is starting or ending.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A way to ask a node.
pub struct Client {
    home: PathBuf,
    options: NodeOptions,
    way: Way,
}

enum Way {
    Running {
        lines: tokio::io::Lines<BufReader<OwnedReadHalf>>,
        writer: OwnedWriteHalf,
    },
    Here(NodeHandle),
    /// A node of this process that another client owns.
    Beside(mpsc::Sender<Asking>),
}

impl Client {
    /// Finds the node of a home, or becomes it for as long as this client lives.
    ///
    /// # Errors
    /// If another program holds the home and does not answer.
    pub async fn open(home: &Path, options: NodeOptions) -> Result<Self, Failure> {
        let way = Way::find(home, &options, Instant::now() + control::PATIENCE).await?;
        Ok(Self { home: home.to_owned(), options, way })
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
        // The node may be that of another command, which ends with it. Only looking is repeated: anything else may
        // have been done.
        if let Request::Status = envelope.request {
            let deadline = Instant::now() + control::PATIENCE;
            while Instant::now() < deadline {
                if let Some(ended) = self.way.ask(&envelope, on_event).await {
                    return ended;
                }
                self.way = Way::find(&self.home, &self.options, deadline).await?;
            }
        }
        self.way.ask(&envelope, on_event).await.unwrap_or_else(|| Err(gone()))
    }

    /// Asks one thing whose events go to `events`, and which is told what comes out of `replies`: for programs that do
    /// not stand still while a person thinks. Dropped, it ends the request as far as it can be ended.
    pub async fn converse(
        &mut self,
        envelope: Envelope,
        events: &mpsc::Sender<Event>,
        replies: mpsc::Receiver<Request>,
    ) -> Result<Reply, Failure> {
        self.way.converse(envelope, events, replies).await.unwrap_or_else(|| Err(gone()))
    }

    /// Another client of the same node, which can ask while this one waits. One of this process's node must be gone
    /// before that node ends by itself.
    pub async fn another(&self) -> Result<Self, Failure> {
        let way = match &self.way {
            Way::Here(node) => Way::Beside(node.asking.clone()),
            Way::Beside(asking) => Way::Beside(asking.clone()),
            Way::Running { .. } => Way::find(&self.home, &self.options, Instant::now() + control::PATIENCE).await?,
        };
        Ok(Self { home: self.home.clone(), options: self.options.clone(), way })
    }

    /// Ends a node of its own in good order; a running one goes on. So does its own for as long as other programs ask
    /// it, unless `hurry` ends before.
    pub async fn close(self, hurry: impl Future<Output = ()>) {
        if let Way::Here(node) = self.way {
            node.leave(hurry).await;
        }
    }
}

impl Way {
    /// To the node that runs, or to one of this process. One that is just starting or ending is waited for.
    async fn find(home: &Path, options: &NodeOptions, deadline: Instant) -> Result<Self, Failure> {
        loop {
            if let Some(stream) = control::connect(home).await {
                let (reader, writer) = stream.into_split();
                return Ok(Self::Running { lines: BufReader::new(reader).lines(), writer });
            }
            match NodeHandle::start(home, options.clone()) {
                Ok(node) => return Ok(Self::Here(node)),
                Err(failure) if failure.code != FailureCode::InUse || Instant::now() >= deadline => {
                    return Err(failure);
                }
                Err(_) => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }

    /// `None`: the node ended before it answered.
    async fn ask(
        &mut self,
        envelope: &Envelope,
        on_event: &mut (dyn FnMut(Event) -> Option<Request> + Send),
    ) -> Option<Result<Reply, Failure>> {
        match self {
            Self::Here(NodeHandle { asking, .. }) | Self::Beside(asking) => {
                let (answers, mut answered) = mpsc::channel(ANSWERS_MAX);
                let (replies, replied) = mpsc::channel(1);
                let asked = Asked { envelope: envelope.clone(), answers, replies: replied };
                if asking.send(Asking::Request(asked)).await.is_err() {
                    return Some(Err(Failure::new(FailureCode::Failed, "The node has stopped.")));
                }
                while let Some(answer) = answered.recv().await {
                    match answer {
                        Answer::Event(event) => {
                            if let Some(request) = on_event(event) {
                                // A node that stopped listening has ended the request already.
                                let _ = replies.send(request).await;
                            }
                        }
                        Answer::Done(reply) => return Some(Ok(*reply)),
                        Answer::Failed(failure) => return Some(Err(failure)),
                    }
                }
            }
            Self::Running { lines, writer } => {
                send(writer, envelope).await?;
                while let Some(line) = lines.next_line().await.ok()? {
                    match serde_json::from_str(&line).ok()? {
                        Answer::Event(event) => {
                            if let Some(request) = on_event(event) {
                                let reply =
                                    Envelope { request, passphrase: None, request_id: None, wait_seconds: None };
                                send(writer, &reply).await?;
                            }
                        }
                        Answer::Done(reply) => return Some(Ok(*reply)),
                        Answer::Failed(failure) => return Some(Err(failure)),
                    }
                }
            }
        }
        None
    }

    /// `None`: the node ended before it answered.
    async fn converse(
        &mut self,
        envelope: Envelope,
        events: &mpsc::Sender<Event>,
        mut replies: mpsc::Receiver<Request>,
    ) -> Option<Result<Reply, Failure>> {
        // Whoever no longer listens is told the end all the same.
        match self {
            Self::Here(NodeHandle { asking, .. }) | Self::Beside(asking) => {
                let (answers, mut answered) = mpsc::channel(ANSWERS_MAX);
                asking.send(Asking::Request(Asked { envelope, answers, replies })).await.ok()?;
                loop {
                    match answered.recv().await? {
                        Answer::Event(event) => drop(events.send(event).await),
                        Answer::Done(reply) => return Some(Ok(*reply)),
                        Answer::Failed(failure) => return Some(Err(failure)),
                    }
                }
            }
            Self::Running { lines, writer } => {
                send(writer, &envelope).await?;
                let mut replying = true;
                loop {
                    let line = tokio::select! {
                        line = lines.next_line() => line.ok()??,
                        reply = replies.recv(), if replying => {
                            replying = reply.is_some();
                            if let Some(request) = reply {
                                let reply =
                                    Envelope { request, passphrase: None, request_id: None, wait_seconds: None };
                                send(writer, &reply).await?;
                            }
                            continue;
                        }
                    };
                    match serde_json::from_str(&line).ok()? {
                        Answer::Event(event) => drop(events.send(event).await),
                        Answer::Done(reply) => return Some(Ok(*reply)),
                        Answer::Failed(failure) => return Some(Err(failure)),
                    }
                }
            }
        }
    }
}

async fn send(writer: &mut OwnedWriteHalf, envelope: &Envelope) -> Option<()> {
    let mut line = zeroize::Zeroizing::new(serde_json::to_vec(envelope).ok()?);
    line.push(b'\n');
    writer.write_all(&line).await.ok()
}

fn gone() -> Failure {
    Failure::new(FailureCode::Failed, "The node stopped before it answered; what it was asked may or may not be done.")
        .hint(
            "Look with `overread case list`, then repeat the command: a repeat with the same --request-id is harmless.",
        )
}
