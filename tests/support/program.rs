//! The program as people and scripts meet it: processes, files, exit codes and JSON, nothing of the library behind.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::PASSPHRASE;

/// How long anything may take that is not meant to fail, on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Events of a node that nobody has looked at; more than a test makes.
const EVENTS_MAX: usize = 4096;

/// A person's home, asked through the command line.
#[derive(Clone)]
pub struct Home {
    pub path: PathBuf,
    pub passphrase: PathBuf,
}

/// `overread node`; killed with the test, however that ends.
pub struct Node {
    pub process: Killed,
    events: Receiver<Value>,
    /// All of the stream so far.
    pub seen: Vec<Value>,
}

/// A process that does not outlive its test.
pub struct Killed(pub Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Home {
    /// A home in a folder, not made yet; its passphrase lies in a file beside it.
    pub fn new(folder: &Path, name: &str) -> Self {
        let home = Self { path: folder.join(name), passphrase: folder.join(format!("{name}.passphrase")) };
        write_private(&home.passphrase, PASSPHRASE);
        home
    }

    /// A home with an identity.
    pub fn of(folder: &Path, name: &str, person: &str, site: &str) -> Self {
        let home = Self::new(folder, name);
        home.run(0, &["init", "--name", person, "--site", site]);
        home
    }

    /// A command that speaks text, without a passphrase.
    pub fn bare(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_overread"));
        command.arg("--home").arg(&self.path).args(arguments).env_remove("OVERREAD_PASSPHRASE");
        command.stdin(Stdio::null());
        command
    }

    /// A command that speaks text.
    pub fn text(&self, arguments: &[&str]) -> Command {
        let mut command = self.bare(&[]);
        command.arg("--passphrase-file").arg(&self.passphrase).args(arguments);
        command
    }

    /// A command that speaks JSON.
    pub fn json(&self, arguments: &[&str]) -> Command {
        let mut command = self.text(&["--json"]);
        command.args(arguments);
        command
    }

    /// Runs a command to its end; `exit` is the code it must end with. Gives its last document.
    pub fn run(&self, exit: i32, arguments: &[&str]) -> Value {
        let output = self.json(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {text}");
        document(&output).unwrap_or_else(|| panic!("{arguments:?}: {text}"))
    }

    /// Starts the node and waits until it is ready. It listens on loopback alone, at a port of its own unless
    /// `flags` say otherwise, and sends no beacons.
    pub fn node(&self, flags: &[&str]) -> Node {
        let mut command = self.json(&["node", "--no-beacon"]);
        if !flags.contains(&"--listen") {
            command.args(["--listen", "/ip4/127.0.0.1/tcp/0"]);
        }
        Node::start(command.args(flags))
    }
}

/// The last JSON document that a process wrote.
pub fn document(output: &Output) -> Option<Value> {
    serde_json::from_str(String::from_utf8_lossy(&output.stdout).lines().last()?).ok()
}

impl Node {
    /// Starts a command that is a node, and waits until it is ready.
    pub fn start(command: &mut Command) -> Self {
        Self::with_first(command, "ready")
    }

    /// Starts a command whose stream begins with this event.
    pub fn with_first(command: &mut Command, first: &str) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, events) = sync_channel(EVENTS_MAX);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if sender.send(serde_json::from_str(&line).unwrap_or(Value::String(line))).is_err() {
                    return;
                }
            }
        });
        let mut node = Self { process: Killed(child), events, seen: Vec::new() };
        let ready = node.event(|event| event["event"] == first || event["event"] == "error");
        assert_eq!(ready["event"], first, "{ready}");
        node
    }

    /// The next event that fits; panics when none comes.
    pub fn event(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = self.events.recv_timeout(left).unwrap_or_else(|why| panic!("{why}: {:?}", self.seen));
            self.seen.push(event.clone());
            if fits(&event) {
                return event;
            }
        }
    }

    /// Waits until something happened, in the node's own words.
    pub fn happened(&mut self, what: &str) -> Value {
        self.event(|event| event["what"] == what)
    }

    /// The addresses at which it listens.
    pub fn addresses(&self) -> Vec<String> {
        let ready = &self.seen[0];
        ready["addresses"].as_array().unwrap().iter().map(|at| at.as_str().unwrap().to_owned()).collect()
    }

    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.process.0.kill().unwrap();
        self.process.0.wait().unwrap();
    }

    /// Sends a signal and waits for the end; gives it with everything the stream still said.
    pub fn stop(mut self, signal: &str) -> (ExitStatus, Vec<Value>) {
        send_signal(self.pid(), signal);
        let status = wait(&mut self.process.0);
        self.seen.extend(self.events.iter());
        (status, std::mem::take(&mut self.seen))
    }
}

/// Waits for the end of a process, with a deadline.
pub fn wait(child: &mut Child) -> ExitStatus {
    until("the process has ended", || child.try_wait().unwrap())
}

/// Waits for a condition, with a deadline.
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Sends a signal by its name: `INT`, `TERM`, `HUP`.
pub fn send_signal(pid: u32, signal: &str) {
    let signal = match signal {
        "INT" => Signal::INT,
        "TERM" => Signal::TERM,
        "HUP" => Signal::HUP,
        other => panic!("no signal here: {other}"),
    };
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).unwrap();
}

/// A file that only its owner can read, as a passphrase file must be.
pub fn write_private(path: &Path, text: &str) {
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// Two people become verified colleagues by a spoken code. `way` turns the door's address into the one to knock at.
pub fn pair_at(opener: &Home, joiner: &Home, way: impl FnOnce(&str) -> String) {
    let mut open =
        Killed(opener.json(&["pair", "open", "--yes"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut lines = BufReader::new(open.0.stdout.take().unwrap()).lines();
    let opened: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    let at = opened["addresses"].as_array().unwrap().iter().map(|at| at.as_str().unwrap());
    let at = at.into_iter().find(|at| at.contains("/127.0.0.1/tcp/")).unwrap_or_else(|| panic!("{opened}"));
    joiner.run(0, &["pair", "join", opened["code"].as_str().unwrap(), "--at", &way(at), "--yes"]);
    for _ in lines {}
    assert!(wait(&mut open.0).success());
}

/// [`pair_at`] at the door itself.
pub fn pair(opener: &Home, joiner: &Home) {
    pair_at(opener, joiner, str::to_owned);
}
