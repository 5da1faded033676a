//! Nodes of several people in one process, each with a home of its own, over real sockets on loopback.
//!
//! [`program`] runs the program itself instead; [`study`] makes what it imports, [`proxy`] stands between two nodes,
//! [`search`] looks for what must be nowhere.

pub mod program;
pub mod proxy;
pub mod search;
pub mod study;

use std::path::{Path, PathBuf};

use overread::node::api::{Answer, Envelope, Event, Failure, ImportRequest, Passphrase, Reply, Request};
use overread::node::{Asked, NodeHandle, NodeOptions};
use overread::study::synthetic;
use tempfile::TempDir;
use tokio::sync::mpsc;

pub const PASSPHRASE: &str = "correct horse battery staple";

/// A person's node.
pub struct Person {
    home: TempDir,
    node: NodeHandle,
}

/// A request under way.
pub struct UnderWay {
    pub answers: mpsc::Receiver<Answer>,
    pub replies: mpsc::Sender<Request>,
}

impl Person {
    /// A node in a new home, with an identity.
    pub async fn new(name: &str, site: &str) -> Self {
        Self::with(name, site, options("/ip4/127.0.0.1/tcp/0", true)).await
    }

    /// One that no network reaches: nobody's card has an address, and the beacon is silent.
    pub async fn out_of_reach(name: &str, site: &str) -> Self {
        Self::with(name, site, options("/ip4/127.0.0.1/tcp/0", false)).await
    }

    /// One that is reached at this address only: the beacon is silent.
    pub async fn at(name: &str, site: &str, listen: &str) -> Self {
        Self::with(name, site, options(listen, false)).await
    }

    /// Ends the node, and starts it again elsewhere.
    pub async fn moved_to(self, listen: &str) -> Self {
        self.node.shutdown().await;
        let node = NodeHandle::start(&self.home.path().join("home"), options(listen, false)).unwrap();
        Self { home: self.home, node }
    }

    async fn with(name: &str, site: &str, options: NodeOptions) -> Self {
        // RUST_LOG=overread=debug shows what the nodes do.
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        let home = TempDir::new().unwrap();
        let node = NodeHandle::start(&home.path().join("home"), options).unwrap();
        let person = Self { home, node };
        person
            .ask(Request::Init { name: name.into(), site: site.into(), phone: None })
            .await
            .unwrap_or_else(|failure| panic!("{failure}"));
        person
    }

    pub async fn begin(&self, request: Request, wait_seconds: u64) -> UnderWay {
        let (answers, receiver) = mpsc::channel(256);
        let (replies, replied) = mpsc::channel(4);
        let envelope = Envelope {
            request,
            passphrase: Some(Passphrase(PASSPHRASE.into())),
            request_id: None,
            wait_seconds: Some(wait_seconds),
        };
        self.node.ask(Asked { envelope, answers, replies: replied }).await.unwrap();
        UnderWay { answers: receiver, replies }
    }

    pub async fn ask(&self, request: Request) -> Result<Reply, Failure> {
        self.begin(request, 10).await.end().await
    }

    /// The id of this person.
    pub async fn identity(&self) -> String {
        self.json(Request::CardShow { who: None }).await["identity"].as_str().unwrap().to_owned()
    }

    /// Imports what lies under a path; gives the id of its only study.
    pub async fn import(&self, path: PathBuf) -> String {
        let request = ImportRequest { paths: vec![path], ..ImportRequest::default() };
        let imported = self.json(Request::Import(request)).await;
        imported["studies"][0]["id"].as_str().unwrap().to_owned()
    }

    /// Asks and gives the JSON document of the answer.
    pub async fn json(&self, request: Request) -> serde_json::Value {
        let what = format!("{request:?}");
        self.ask(request).await.unwrap_or_else(|failure| panic!("{what}: {failure} {:?}", failure.details)).document()
    }
}

impl UnderWay {
    pub async fn next(&mut self) -> Answer {
        self.answers.recv().await.expect("an answer")
    }

    pub async fn end(mut self) -> Result<Reply, Failure> {
        loop {
            match self.next().await {
                Answer::Event(_) => {}
                Answer::Done(reply) => return Ok(*reply),
                Answer::Failed(failure) => return Err(failure),
            }
        }
    }

    /// Waits for an event and takes something out of it.
    pub async fn event<T>(&mut self, wanted: impl Fn(Event) -> Option<T>) -> T {
        loop {
            match self.next().await {
                Answer::Event(event) => {
                    if let Some(found) = wanted(event) {
                        return found;
                    }
                }
                Answer::Done(reply) => panic!("ended early: {reply:?}"),
                Answer::Failed(failure) => panic!("failed: {failure}"),
            }
        }
    }
}

fn options(listen: &str, beacon: bool) -> NodeOptions {
    NodeOptions { listen: vec![listen.into()], beacon, ..NodeOptions::default() }
}

/// An address on this machine that is free at the moment.
pub fn free_address() -> String {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("/ip4/127.0.0.1/tcp/{port}")
}

/// Gives each the other's card as a file, and lets each hear the other's safety words.
pub async fn exchange_cards(one: &Person, other: &Person, folder: &Path) {
    let mut identities = Vec::new();
    for (from, to) in [(one, other), (other, one)] {
        let identity = from.identity().await;
        let path = folder.join(format!("{identity}.card"));
        if !path.exists() {
            from.json(Request::CardExport { path: path.clone() }).await;
        }
        to.json(Request::CardAdd { paths: vec![path], at: Vec::new() }).await;
        identities.push(identity);
    }
    for (reads, hears, who) in [(one, other, &identities[0]), (other, one, &identities[1])] {
        let whom = if *who == identities[0] { &identities[1] } else { &identities[0] };
        let read = reads.json(Request::CardVerify { who: whom.clone(), heard: None }).await;
        let words: Vec<&str> = read["words"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
        hears.json(Request::CardVerify { who: who.clone(), heard: Some(words.join(" ")) }).await;
    }
}

/// Writes a synthetic chest CT of a few slices as files; gives the folder.
pub fn write_ct(folder: &Path, seed: u64, slices: u32) -> PathBuf {
    let path = folder.join(format!("ct-{seed}"));
    std::fs::create_dir_all(&path).unwrap();
    for index in 0..slices {
        let bytes = synthetic::slice(seed, index, slices).unwrap();
        std::fs::write(path.join(format!("{index:04}.dcm")), bytes).unwrap();
    }
    path
}

/// Pairs two people by spoken code; both confirm.
pub async fn pair(opener: &Person, joiner: &Person) {
    let mut opened = opener.begin(Request::PairOpen, 10).await;
    let code = opened
        .event(|event| match event {
            Event::PairingOpen { code, addresses, .. } => Some(format!("{code}@{}", addresses[0])),
            _ => None,
        })
        .await;
    let mut joining = joiner.begin(Request::PairJoin { code, at: Vec::new() }, 10).await;
    for side in [&mut opened, &mut joining] {
        side.event(|event| matches!(event, Event::ConfirmPerson { .. }).then_some(())).await;
        side.replies.send(Request::Confirm { yes: true }).await.unwrap();
    }
    opened.end().await.unwrap();
    joining.end().await.unwrap();
}
