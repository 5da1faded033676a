//! Nodes of several people in one process, each with a home of its own, over real sockets on loopback.
//!
//! [`program`] runs the program itself instead; [`study`] makes what it imports, [`proxy`] stands between two nodes,
//! [`search`] looks for what must be nowhere, [`tap`] takes a device's place on the network, [`terminal`] is what the app
//! runs in.

pub mod program;
pub mod proxy;
pub mod search;
pub mod study;
pub mod tap;
pub mod terminal;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use overread::case::entry::SignedEntry;
use overread::encoding::id::CaseId;
use overread::identity::card::Card;
use overread::identity::keys::SigningSecret;
use overread::identity::vault::Vault;
use overread::net::Multiaddr;
use overread::node::api::{Answer, CaseNew, Envelope, Event, Failure, ImportRequest, Passphrase, Reply, Request};
use overread::node::{Asked, NodeHandle, NodeOptions};
use overread::store::{DatabaseKeys, Store, StoredEntry};
use overread::study::synthetic;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::mpsc;

pub const PASSPHRASE: &str = "correct horse battery staple";

/// How long anything that must happen may take: generous, since the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(40);

/// A person with her home, and her node while it runs.
pub struct Person {
    folder: TempDir,
    options: NodeOptions,
    node: Option<NodeHandle>,
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
    pub async fn moved_to(mut self, listen: &str) -> Self {
        self.stop().await;
        self.options = options(listen, false);
        self.start_locked();
        self
    }

    async fn with(name: &str, site: &str, options: NodeOptions) -> Self {
        // RUST_LOG=overread=debug shows what the nodes do.
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        let mut person = Self { folder: TempDir::new().unwrap(), options, node: None };
        person.start_locked();
        person
            .ask(Request::Init { name: name.into(), site: site.into(), phone: None })
            .await
            .unwrap_or_else(|failure| panic!("{failure}"));
        person
    }

    /// Where everything of hers lies.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Starts her node again, opens it, and lets it look for others.
    pub async fn start(&mut self) {
        self.start_locked();
        self.json_within(Request::Sync, 0).await;
    }

    /// Starts her node, which opens with the first request.
    pub fn start_locked(&mut self) {
        self.node = Some(NodeHandle::start(&self.home(), self.options.clone()).unwrap());
    }

    /// Ends her node and waits until nothing of it holds the home any more.
    pub async fn stop(&mut self) {
        self.node.take().expect("a running node").shutdown().await;
        let database = std::fs::File::open(self.home().join("overread.redb")).unwrap();
        // Tasks of the network let go of the store a little after the node has ended.
        within(async {
            while database.try_lock().is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }

    /// What somebody has who copies the home of a stopped node: the same device a second time.
    pub fn copied(&self) -> Self {
        assert!(self.node.is_none(), "a running home is not copied");
        let copy = Self { folder: TempDir::new().unwrap(), options: self.options.clone(), node: None };
        copy_folder(&self.home(), &copy.home());
        copy
    }

    /// The secrets of a home, opened as its node opens them.
    pub fn vault(&self) -> Vault {
        let file = std::fs::read(self.home().join("vault")).unwrap();
        Vault::open(&file, &PASSPHRASE.into()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// What her device proves itself with on the network.
    pub fn transport(&self) -> SigningSecret {
        SigningSecret::from_seed(self.vault().keys().device.transport.seed().duplicate())
    }

    /// What lies on the disk of a stopped node.
    pub fn store(&self) -> Store {
        Store::open(&self.home(), DatabaseKeys::derive(&self.vault().keys().database)).unwrap()
    }

    /// Her own card, as she would hand it to somebody.
    pub async fn card(&self) -> Card {
        Card::from_text(&std::fs::read_to_string(self.card_file().await).unwrap()).unwrap()
    }

    pub async fn card_file(&self) -> PathBuf {
        let path = self.folder.path().join("own.card");
        self.json(Request::CardExport { path: path.clone() }).await;
        path
    }

    /// What happens at her node from now on, and where it listens.
    pub async fn follow(&self) -> (UnderWay, Multiaddr) {
        // The network says where it listens a moment after it has started.
        within(async {
            loop {
                let mut following = self.begin(Request::Follow, 10).await;
                let addresses = following
                    .event(|event| match event {
                        Event::Ready { addresses, .. } => Some(addresses),
                        _ => None,
                    })
                    .await;
                if let [address, ..] = addresses.as_slice() {
                    return (following, address.parse().unwrap());
                }
            }
        })
        .await
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
        let node = self.node.as_ref().expect("a running node");
        node.ask(Asked { envelope, answers, replies: replied }).await.unwrap();
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
    pub async fn json(&self, request: Request) -> Value {
        self.json_within(request, 10).await
    }

    /// The same, waiting so long for others; zero: not at all.
    pub async fn json_within(&self, request: Request, wait_seconds: u64) -> Value {
        let what = format!("{request:?}");
        let answer = self.begin(request, wait_seconds).await.end().await;
        answer.unwrap_or_else(|failure| panic!("{what}: {failure} {:?}", failure.details)).document()
    }

    /// Asks again until the answer is the wanted one.
    pub async fn until(&self, request: Request, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let answer = self.json(request.clone()).await;
            if wanted(&answer) {
                return answer;
            }
            assert!(begun.elapsed() < PATIENCE, "{request:?} still gives {answer}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Founds a case and waits until everybody invited has it; gives its id.
    pub async fn founds(&self, ask: &str, studies: &[&str], invite: &[&str]) -> String {
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        let (studies, invite) = (texts(studies), texts(invite));
        let new = CaseNew { ask: ask.into(), studies, invite, text_checked: true, ..CaseNew::default() };
        let created = self.json_within(Request::CaseNew(new), 30).await;
        let mut delivery = created["delivery"].as_array().unwrap().iter();
        assert!(delivery.all(|member| member["state"] == "delivered"), "{created}");
        created["case"].as_str().unwrap().to_owned()
    }

    pub async fn accepts(&self, case: &str) {
        self.json(Request::CaseAccept { case: case.into() }).await;
    }

    /// Says something in a case and waits for nobody.
    pub async fn say(&self, case: &str, text: &str) {
        let say = Request::Say { case: case.into(), text: text.into(), view: None, reply_to: None, text_checked: true };
        self.json_within(say, 0).await;
    }

    pub async fn shown(&self, case: &str) -> Value {
        self.json(Request::CaseShow { case: case.into() }).await
    }

    /// Waits until somebody's words stand in the case.
    pub async fn hears(&self, case: &str, text: &str) -> Value {
        self.until(Request::CaseShow { case: case.into() }, |shown| said(shown).contains(&text)).await
    }
}

/// The messages of a case as `case show` gives them.
pub fn said(shown: &Value) -> Vec<&str> {
    shown["messages"].as_array().unwrap().iter().filter_map(|message| message["text"].as_str()).collect()
}

/// A case's id as it was printed.
pub fn case_id(printed: &str) -> CaseId {
    let bytes = overread::encoding::id::from_base32(printed.strip_prefix("c-").unwrap()).unwrap();
    CaseId(bytes.try_into().unwrap())
}

/// An entry as a store takes it.
pub fn stored_entry(case: CaseId, bytes: Vec<u8>) -> StoredEntry {
    let entry = SignedEntry::read(&bytes).unwrap().into_entry();
    StoredEntry { case, id: entry.id, device: entry.header.device, sequence: entry.header.sequence, bytes }
}

/// Waits for what must happen.
pub async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("took too long")
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
    for item in std::fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let copy = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy_folder(&item.path(), &copy);
        } else {
            std::fs::copy(item.path(), copy).unwrap();
        }
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

    /// Waits until the node says that something happened whose words begin so.
    pub async fn happens(&mut self, words: &str) -> String {
        let said = |event| match event {
            Event::Happened { what, .. } if what.starts_with(words) => Some(what),
            _ => None,
        };
        within(self.event(said)).await
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
