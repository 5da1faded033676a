//! Two colleagues on this machine: homes, nodes as processes, and commands as a script gives them.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use overread::node::NodeOptions;
use overread::node::api::{CaseNew, Envelope, Passphrase, Reply, Request};
use overread::node::client::Client;
use serde_json::Value;
use tempfile::TempDir;

use crate::Outcome;

const PASSPHRASE: &str = "correct horse battery staple";

/// A person's home.
pub struct Home(PathBuf);

/// What `import` says.
pub struct Imported {
    pub study: String,
    /// Length of all sealed chunks.
    pub bytes_stored: u64,
    pub seconds: f64,
}

/// A running node; ends when it is dropped.
pub struct Node(Child);

/// A home where no node runs, with a colleague's card, in a folder that is deleted with it.
pub struct Alone {
    pub home: Home,
    _folder: TempDir,
}

/// Two colleagues whose nodes run and know each other, in a folder that is deleted with them.
pub struct Pair {
    pub asker: Home,
    pub reader: Home,
    pub asker_node: Node,
    pub reader_node: Node,
    _folder: TempDir,
}

impl Home {
    /// A new home with an identity.
    pub fn new(path: PathBuf, name: &str) -> Outcome<Self> {
        let home = Self(path);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(home.passphrase_file())?;
        file.write_all(PASSPHRASE.as_bytes())?;
        home.run(&["init", "--name", name, "--site", "City Hospital"])?;
        Ok(home)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Runs a command to its end and gives its document.
    pub fn run(&self, arguments: &[&str]) -> Outcome<Value> {
        let output = self.command(arguments).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            return Err(format!("overread {} ended with {}: {text}", arguments.join(" "), output.status).into());
        }
        Ok(serde_json::from_str(text.lines().last().unwrap_or_default())?)
    }

    /// Imports a folder that holds one study.
    pub fn import(&self, folder: &Path) -> Outcome<Imported> {
        let imported = self.run(&["import", &folder.to_string_lossy()])?;
        let study = &imported["studies"][0];
        let seconds = imported["seconds"].as_f64().ok_or("an import does not say how long it took")?;
        let bytes_stored = study["bytes_stored"].as_u64().ok_or("an import does not say how much it stored")?;
        Ok(Imported { study: text(study, "id")?.to_owned(), bytes_stored, seconds })
    }

    pub fn node(&self) -> Outcome<Node> {
        let mut child = self.command(&["node", "--listen", "/ip4/127.0.0.1/tcp/0"]).stdout(Stdio::piped()).spawn()?;
        let mut events = BufReader::new(child.stdout.take().ok_or("a node has no output")?);
        let node = Node(child);
        let mut first = String::new();
        events.read_line(&mut first)?;
        if !first.contains("ready") {
            return Err(format!("a node did not start: {first}").into());
        }
        // A node that cannot write its events waits for whoever reads them.
        std::thread::spawn(move || std::io::copy(&mut events, &mut std::io::sink()));
        Ok(node)
    }

    /// The terminal app, which opens the vault by itself.
    pub fn app(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_overread"));
        command.arg("--home").arg(&self.0).arg("--passphrase-file").arg(self.passphrase_file());
        command.env_remove("OVERREAD_PASSPHRASE");
        command
    }

    /// Beside the home.
    fn passphrase_file(&self) -> PathBuf {
        self.0.with_extension("passphrase")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_overread"));
        command.arg("--json").arg("--home").arg(&self.0).args(arguments).env("OVERREAD_PASSPHRASE", PASSPHRASE);
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command
    }
}

impl Node {
    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Alone {
    pub fn new() -> Outcome<Self> {
        let folder = TempDir::new()?;
        let home = Home::new(folder.path().join("anna"), "Dr. Anna Weiss")?;
        let colleague = Home::new(folder.path().join("ben"), "Dr. Ben Okafor")?;
        let card = folder.path().join("ben.card");
        colleague.run(&["card", "export", &card.to_string_lossy()])?;
        home.run(&["card", "add", &card.to_string_lossy()])?;
        Ok(Self { home, _folder: folder })
    }
}

/// The first word of every question that [`write_cases`] asks.
pub const WORD: &str = "Metastasis";

/// Founds cases about one study and says something in each, all in this process: as many commands would open the vault
/// as often.
pub fn write_cases(home: &Home, study: &str, cases: usize, messages: usize) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let listen = vec!["/ip4/127.0.0.1/tcp/0".to_owned()];
        let options = NodeOptions { listen, beacon: false, ..NodeOptions::default() };
        let mut client = Client::open(home.path(), options).await?;
        for number in 0..cases {
            let new = CaseNew {
                ask: format!("{WORD} or cyst, number {number}?"),
                studies: vec![study.to_owned()],
                invite: vec!["Okafor".to_owned()],
                to_unverified: true,
                text_checked: true,
                ..CaseNew::default()
            };
            let Reply::CaseCreated { case, .. } = client.ask(at_once(Request::CaseNew(new)), &mut |_| None).await?
            else {
                return Err("a case was not founded".into());
            };
            for message in 0..messages {
                let text = format!("Thought {message}: could you also look at the adrenals?");
                let say = Request::Say { case: case.clone(), text, view: None, reply_to: None, text_checked: true };
                client.ask(at_once(say), &mut |_| None).await?;
            }
        }
        client.close(std::future::ready(())).await;
        Ok(())
    })
}

/// A request that waits for no delivery.
fn at_once(request: Request) -> Envelope {
    let passphrase = Some(Passphrase(PASSPHRASE.to_owned()));
    Envelope { request, passphrase, request_id: None, wait_seconds: Some(0) }
}

impl Pair {
    pub fn new() -> Outcome<Self> {
        let folder = TempDir::new()?;
        let asker = Home::new(folder.path().join("asker"), "Dr. Anna Weiss")?;
        let reader = Home::new(folder.path().join("reader"), "Dr. Ben Okafor")?;
        let (asker_node, reader_node) = (asker.node()?, reader.node()?);
        pair(&asker, &reader)?;
        Ok(Self { asker, reader, asker_node, reader_node, _folder: folder })
    }

    /// Asks the reader about a study; gives the case once it is delivered, not yet accepted.
    pub fn ask(&self, study: &str) -> Outcome<String> {
        let case = ["case", "new", "--ask", "Metastasis or cyst?", "--study", study, "--invite", "Okafor"];
        let created = self.asker.run(&case)?;
        if created["delivery"][0]["state"] != "delivered" {
            return Err(format!("the case was not delivered: {created}").into());
        }
        Ok(text(&created, "case")?.to_owned())
    }

    /// Accepts a case and fetches every image of it; gives how many bytes of chunks came in meanwhile.
    pub fn fetch(&self, case: &str) -> Outcome<u64> {
        let fetched = self.reader.run(&["fetch", case, "--wait", "600"])?;
        match (&fetched["complete"], fetched["bytes"].as_u64()) {
            (Value::Bool(true), Some(bytes)) => Ok(bytes),
            _ => Err(format!("not everything arrived: {fetched}").into()),
        }
    }
}

/// One opens the door, the other joins with the code; both agree to whom they see.
fn pair(opener: &Home, joiner: &Home) -> Outcome<()> {
    let mut open = opener.command(&["pair", "open", "--yes"]).stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(open.stdout.take().ok_or("a command has no output")?).lines();
    let opened: Value = serde_json::from_str(&lines.next().ok_or("the pairing door did not open")??)?;
    joiner.run(&["pair", "join", text(&opened, "code")?, "--at", text(&opened["addresses"], 0)?, "--yes"])?;
    // Read to the end, or the command could not write it.
    for line in lines {
        line?;
    }
    if open.wait()?.success() { Ok(()) } else { Err("the pairing failed at who opened the door".into()) }
}

/// A text in a document that a command printed.
fn text(document: &Value, at: impl serde_json::value::Index) -> Outcome<&str> {
    document.get(at).and_then(Value::as_str).ok_or_else(|| format!("an answer lacks a field: {document}").into())
}
