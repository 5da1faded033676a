//! The node that runs: it alone acts for its home, survives what killed it before, ends when told, and locks.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use overread::node::NodeOptions;
use overread::node::api::{Envelope, Event, Reply, Request};
use overread::node::client::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::program::{Home, Killed, Node, document, pair, send_signal, until, wait};
use crate::support::study::Study;

fn anna(folder: &Path) -> Home {
    Home::of(folder, "anna", "Dr. Anna Weiss", "City Hospital")
}

/// Writes a study into a folder of its own.
fn files(folder: &Path, study: &Study) -> String {
    let files = folder.join(format!("ct-{}", study.seed));
    study.write(&files);
    files.to_str().unwrap().to_owned()
}

/// Runs commands at once and gives what each said.
fn at_once(home: &Home, commands: &[&[&str]]) -> Vec<(Option<i32>, Value)> {
    let spawn = |command: &&[&str]| home.json(command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let running: Vec<Child> = commands.iter().map(spawn).collect();
    let outputs = running.into_iter().map(|child| child.wait_with_output().unwrap());
    outputs.map(|output| (output.status.code(), document(&output).unwrap_or_default())).collect()
}

fn listed(home: &Home) -> usize {
    home.run(0, &["study", "list"])["studies"].as_array().unwrap().len()
}

/// Starts a command whose first line is wanted while it goes on.
fn begun(command: &mut Command) -> (Killed, Value) {
    let mut process = Killed(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(process.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    (process, serde_json::from_str(&line).unwrap_or_else(|_| panic!("no document: {line}")))
}

#[test]
fn a_second_process_is_carried_out_by_the_running_node_and_two_at_once_both_succeed() {
    let folder = TempDir::new().unwrap();
    let home = anna(folder.path());
    let studies = [1, 2, 3, 4].map(|seed| files(folder.path(), &Study::new(seed, 3, 64)));
    let node = home.node(&[]);
    // Without a passphrase: only the node that has the vault open can do it.
    let output = home.bare(&["--json", "study", "list"]).output().unwrap();
    assert_eq!((output.status.code(), &document(&output).unwrap()["studies"]), (Some(0), &json!([])));
    let done = at_once(&home, &[&["import", &studies[0]], &["import", &studies[1]], &["card", "list"]]);
    assert!(done.iter().all(|(code, _)| *code == Some(0)), "{done:?}");
    assert_eq!(listed(&home), 2);
    // A second node is refused, in words, once it has waited for the first to end.
    let second = home.json(&["node"]).output().unwrap();
    let refused = document(&second).unwrap();
    assert_eq!((second.status.code(), &refused["error"]["code"]), (Some(1), &json!("in_use")), "{refused}");
    assert!(refused["error"]["hint"].is_string(), "{refused}");
    assert!(node.stop("TERM").0.success());
    // With none running, one of them becomes the node and the others are carried out by it, or by the next.
    for _ in 0..4 {
        let lists: [&[&str]; 4] = [&["card", "list"], &["study", "list"], &["case", "list"], &["card", "show"]];
        let done = at_once(&home, &lists);
        assert!(done.iter().all(|(code, _)| *code == Some(0)), "{done:?}");
    }
    let done = at_once(&home, &[&["import", &studies[2]], &["import", &studies[3]], &["card", "list"]]);
    assert!(done.iter().all(|(code, _)| *code == Some(0)), "{done:?}");
    assert_eq!(listed(&home), 4);
    assert_eq!(home.run(0, &["verify", "all"])["ok"], true);
}

#[test]
fn a_command_that_is_the_node_stays_until_the_others_are_done() {
    let folder = TempDir::new().unwrap();
    let home = anna(folder.path());
    let ben = Home::of(folder.path(), "ben", "Dr. Ben Okafor", "University Clinic");
    let meet = || {
        let mut host = Killed(home.json(&["sync", "--wait", "2"]).stdout(Stdio::piped()).spawn().unwrap());
        until("it is the node", || home.path.join("control.sock").exists().then_some(()));
        let (guest, open) = begun(&mut home.json(&["pair", "open", "--yes"]));
        let mut line = String::new();
        BufReader::new(host.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("peers"), "{line}");
        (host, guest, open)
    };
    // Ctrl-C ends the waiting, and with it what was under way.
    let (mut host, mut guest, _) = meet();
    send_signal(host.0.id(), "INT");
    assert_eq!((wait(&mut host.0).code(), wait(&mut guest.0).code()), (Some(0), Some(1)));
    // Its own answer is long out, and the other's door is still open.
    let (mut host, mut guest, open) = meet();
    let at = open["addresses"].as_array().unwrap_or_else(|| panic!("{open}")).iter().filter_map(Value::as_str);
    let at = at.into_iter().find(|at| at.contains("/127.0.0.1/tcp/")).unwrap();
    ben.run(0, &["pair", "join", open["code"].as_str().unwrap(), "--at", at, "--yes"]);
    assert_eq!((wait(&mut guest.0).code(), wait(&mut host.0).code()), (Some(0), Some(0)));
    assert_eq!(home.run(0, &["card", "list"])["cards"][0]["name"], "Dr. Ben Okafor");
}

#[test]
fn what_a_killed_node_left_behind_hinders_nobody() {
    let folder = TempDir::new().unwrap();
    let home = anna(folder.path());
    let (socket, lock) = (home.path.join("control.sock"), home.path.join("lock"));
    home.node(&[]).kill();
    assert!(socket.exists() && lock.exists(), "nothing was left behind");
    assert_eq!(listed(&home), 0);
    home.node(&[]).kill();
    // A process id that another process has by now.
    std::fs::write(&lock, std::process::id().to_string()).unwrap();
    let node = home.node(&[]);
    let output = home.bare(&["--json", "study", "list"]).output().unwrap();
    assert!(output.status.success(), "not at the new socket: {output:?}");
    assert!(node.stop("TERM").0.success());
    // A file that is no socket at all.
    std::fs::write(&socket, "not a socket").unwrap();
    let node = home.node(&[]);
    assert!(home.bare(&["--json", "study", "list"]).output().unwrap().status.success());
    assert!(node.stop("TERM").0.success());
}

#[test]
fn a_node_told_to_end_ends_in_good_order() {
    let folder = TempDir::new().unwrap();
    let home = anna(folder.path());
    for signal in ["INT", "TERM"] {
        let node = home.node(&[]);
        let socket = home.path.join("control.sock");
        assert!(socket.exists());
        let (status, events) = node.stop(signal);
        assert_eq!(status.code(), Some(0), "{signal}: {events:?}");
        assert_eq!(events.last().unwrap()["event"], "done", "{signal}: {events:?}");
        assert!(!socket.exists(), "{signal}");
        assert_eq!(listed(&home), 0);
    }
}

#[test]
fn an_interrupted_import_leaves_nothing_half_and_is_repeated() {
    let folder = TempDir::new().unwrap();
    let home = anna(folder.path());
    let study = Study::new(1, 60, 512);
    let path = files(folder.path(), &study);
    // An import under way: its first word of progress is out.
    let begin = || {
        let mut import = home.json(&["import", &path, "-v"]);
        let mut import = Killed(import.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
        let mut first = String::new();
        BufReader::new(import.0.stderr.as_mut().unwrap()).read_line(&mut first).unwrap();
        assert!(first.starts_with("import "), "{first}");
        import
    };
    for signal in ["INT", "TERM"] {
        let mut import = begin();
        send_signal(import.0.id(), signal);
        assert_eq!(wait(&mut import.0).code(), Some(130), "{signal}");
        assert_eq!(listed(&home), 0, "a half study after {signal}");
    }
    // The same, carried out by a node, which goes on.
    let node = home.node(&[]);
    let mut import = begin();
    send_signal(import.0.id(), "INT");
    assert_eq!(wait(&mut import.0).code(), Some(130));
    let output = home.bare(&["--json", "study", "list"]).output().unwrap();
    assert_eq!(document(&output).unwrap()["studies"], json!([]));
    // A node told to end does not finish it first, and whoever waits for it is told.
    let mut import = begin();
    assert!(node.stop("TERM").0.success());
    assert_eq!(wait(&mut import.0).code(), Some(1));
    assert_eq!(listed(&home), 0, "a half study after a node ended");

    assert_eq!(home.run(0, &["import", &path])["studies"][0]["instances"], study.slices);
    assert_eq!(home.run(0, &["verify", "all"])["ok"], true);
}

#[test]
fn a_locked_node_says_stat_and_nothing_else_and_has_the_case_when_it_is_opened() {
    let folder = TempDir::new().unwrap();
    let anna = anna(folder.path());
    let ben = Home::of(folder.path(), "ben", "Dr. Ben Okafor", "University Clinic");
    let (anna_node, mut ben_node) = (anna.node(&[]), ben.node(&["--lock-after", "1s"]));
    pair(&anna, &ben);
    let imported = anna.run(0, &["import", &files(folder.path(), &Study::new(1, 2, 64))]);
    let study = imported["studies"][0]["id"].as_str().unwrap();
    let ask = |urgency: &str| {
        let new = ["case", "new", "--ask", "Bleeding?", "--study", study, "--invite", "Okafor", "--wait", "60"];
        let created = anna.run(0, &[&new[..], &["--urgency", urgency]].concat());
        assert_eq!(created["delivery"][0]["state"], "delivered", "{created}");
        created["case"].as_str().unwrap().to_owned()
    };
    ben_node.happened("locked");
    let refused = ben.bare(&["--json", "case", "list"]).output().unwrap();
    let error = document(&refused).unwrap();
    assert_eq!((refused.status.code(), &error["error"]["code"]), (Some(3), &json!("locked")), "{error}");
    // She comes back while he is locked, and nothing but his book of colleagues says that he lets her in.
    anna_node.stop("TERM");
    let _anna_node = anna.node(&[]);
    let case = ask("stat");
    assert_eq!(told_since_locked(&mut ben_node, "STAT from a colleague"), ["STAT from a colleague"]);
    let said = anna.run(0, &["say", &case, "Please hurry", "--wait", "60"]);
    assert_eq!(said["delivery"][0]["state"], "delivered", "{said}");

    // Opened, the case is there, and an invitation like any other.
    let standing = |case: &str| {
        let listed = ben.run(0, &["case", "list"]);
        let found = listed["cases"].as_array().unwrap().iter().find(|listed| listed["id"] == case);
        found.unwrap_or_else(|| panic!("{listed}"))["standing"].clone()
    };
    assert_eq!(standing(&case), "invited");
    let shown = ben.run(0, &["case", "show", &case]);
    assert_eq!((&shown["question"], &shown["urgency"]), (&json!("Bleeding?"), &json!("stat")), "{shown}");
    assert_eq!(shown["messages"][0]["text"], "Please hurry", "{shown}");

    // What came to a locked node is no less durable, and no more accepted.
    ben.run(0, &["vault", "lock"]);
    ben_node.happened("locked");
    let another = ask("urgent");
    assert_eq!(told_since_locked(&mut ben_node, "urgent from a colleague"), ["urgent from a colleague"]);
    ben_node.kill();
    let _ben_node = ben.node(&[]);
    assert_eq!((standing(&case), standing(&another)), (json!("invited"), json!("invited")));
}

/// What a locked node said until this, but for who comes and goes; none of it names a case or a person.
fn told_since_locked(node: &mut Node, until: &str) -> Vec<String> {
    node.happened(until);
    let locked = node.seen.iter().rposition(|event| event["what"] == "locked").unwrap();
    let events = &node.seen[locked + 1..];
    assert!(events.iter().all(|event| event["case"].is_null() && event["who"].is_null()), "{events:?}");
    let words = events.iter().map(|event| event["what"].as_str().unwrap().to_owned());
    words.filter(|what| what != "connected" && what != "disconnected").collect()
}

#[test]
fn verifying_everything_tells_how_far_it_is() {
    let folder = TempDir::new().unwrap();
    let home = anna(folder.path());
    home.run(0, &["import", &files(folder.path(), &Study::new(1, 20, 64))]);
    let _node = home.node(&[]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut told = Vec::new();
    let reply = runtime.block_on(async {
        let mut client = Client::open(&home.path, NodeOptions::default()).await.unwrap();
        let request = Request::Verify { what: "all".into() };
        let envelope = Envelope { request, passphrase: None, request_id: None, wait_seconds: None };
        let mut hear = |event| {
            if let Event::Progress(progress) = event {
                told.push(progress);
            }
            None
        };
        client.ask(envelope, &mut hear).await.unwrap()
    });
    assert!(matches!(reply, Reply::VerifyReport { ok: true, chunks: 1.., .. }), "{reply:?}");
    assert!(!told.is_empty() && told.iter().all(|at| at.stage == "verify" && Some(at.done) <= at.total), "{told:?}");
    assert!(told.windows(2).all(|pair| pair[0].done < pair[1].done), "{told:?}");
}
