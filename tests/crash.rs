//! `kill -9` at random moments of import, fetch, signing and membership change: what was acknowledged is there.
//!
//! Real processes, killed a hundred times in all (OVERREAD_CRASH_ROUNDS: another number). The moments follow from a
//! seed, which a failure shows and OVERREAD_CRASH_SEED takes; what else runs on the machine shifts them a little.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::program::{Home, Killed, Node, document, pair, until};
use crate::support::proxy::Proxy;
use crate::support::study::Study;

/// Rounds of all tests together.
const ROUNDS: u64 = 100;

/// The rounds of a test that takes so many of a hundred.
fn rounds(of_a_hundred: u64) -> u64 {
    let all = std::env::var("OVERREAD_CRASH_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    (all * of_a_hundred).div_ceil(100)
}

/// Random moments and choices that can be had again.
struct Chance(u64);

impl Chance {
    fn new(salt: u64) -> Self {
        let now = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
        let seed = std::env::var("OVERREAD_CRASH_SEED").map_or_else(|_| now(), |seed| seed.parse().unwrap());
        eprintln!("OVERREAD_CRASH_SEED={seed}");
        Self(seed.wrapping_add(salt) | 1)
    }

    fn below(&mut self, limit: u64) -> u64 {
        // Marsaglia's xorshift with a multiplication at the end.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }

    /// Lets a random part of a time pass.
    fn moment(&mut self, longest: Duration) {
        std::thread::sleep(Duration::from_micros(self.below(longest.as_micros() as u64 + 1)));
    }
}

/// Starts a command whose output is wanted even if it is killed.
fn started(command: &mut Command) -> Killed {
    Killed(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// The document that a process wrote before it ended, if it got that far.
fn acknowledged(mut process: Killed) -> Option<Value> {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    process.0.stdout.take()?.read_to_end(&mut stdout).unwrap();
    if let Some(mut errors) = process.0.stderr.take() {
        errors.read_to_end(&mut stderr).unwrap();
    }
    let status = process.0.wait().unwrap();
    document(&Output { status, stdout, stderr }).filter(|document| document["error"].is_null())
}

/// A port at which a node can be found again. The system gives none of these to whoever asks for any, so it is free
/// after each kill.
fn listen_flags(chance: &mut Chance) -> [String; 2] {
    let mut ports = std::iter::repeat_with(|| 20_000 + chance.below(12_000) as u16);
    let port = ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap();
    ["--listen".into(), format!("/ip4/127.0.0.1/tcp/{port}")]
}

fn start(home: &Home, listen: &[String; 2]) -> Node {
    home.node(&[&listen[0], &listen[1]])
}

fn assert_all_holds(home: &Home) {
    let verified = home.run(0, &["verify", "all"]);
    assert_eq!((&verified["ok"], verified["problems"].as_array().map(Vec::len)), (&true.into(), Some(0)), "{verified}");
}

fn write_study(folder: &Path, study: &Study) -> String {
    let files = folder.join(format!("ct-{}", study.seed));
    study.write(&files);
    files.to_str().unwrap().to_owned()
}

#[test]
fn an_import_killed_at_any_moment_leaves_what_it_acknowledged_and_no_half_study() {
    const SLICES: u64 = 6;
    let mut chance = Chance::new(1);
    let folder = TempDir::new().unwrap();
    let home = Home::of(folder.path(), "anna", "Dr. Anna Weiss", "City Hospital");
    let mut studies = BTreeSet::new();
    // The import is the node itself, or asks the one that runs. How long it takes is measured once.
    let mut longest = [Duration::ZERO; 2];
    let mut node: Option<Node> = None;
    for (seed, longest) in (1000..).zip(&mut longest) {
        let files = write_study(folder.path(), &Study::new(seed, SLICES as u32, 128));
        let begun = Instant::now();
        let report = home.run(0, &["import", &files]);
        studies.insert(report["studies"][0]["id"].as_str().unwrap().to_owned());
        *longest = begun.elapsed();
        node.get_or_insert_with(|| home.node(&[]));
    }
    for round in 0..rounds(20) {
        // A broken import is repeated now and then, else the next study is tried.
        let seed = round - chance.below(2).min(round);
        let files = write_study(folder.path(), &Study::new(seed, SLICES as u32, 128));
        let mut import = started(&mut home.json(&["import", &files]));
        chance.moment(longest[usize::from(node.is_some())]);
        match node.take() {
            Some(node) => node.kill(),
            None => import.0.kill().unwrap(),
        }
        if let Some(report) = acknowledged(import) {
            studies.insert(report["studies"][0]["id"].as_str().unwrap().to_owned());
        }
        let opened = home.node(&[]);
        let listed = whole_studies(&home, SLICES);
        assert!(listed.is_superset(&studies), "lost: {studies:?} in {listed:?}");
        match chance.below(2) {
            0 => node = Some(opened),
            _ => opened.kill(),
        }
    }
    // Everything again, as a person would: each study is there once.
    let _node = node.unwrap_or_else(|| home.node(&[]));
    for round in 0..rounds(20) {
        let files = folder.path().join(format!("ct-{round}"));
        if files.exists() {
            let report = home.run(0, &["import", files.to_str().unwrap()]);
            studies.insert(report["studies"][0]["id"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(whole_studies(&home, SLICES), studies);
}

/// The studies of a home, of which every image must be here and open.
fn whole_studies(home: &Home, slices: u64) -> BTreeSet<String> {
    assert_all_holds(home);
    let listed = home.run(0, &["study", "list"]);
    let ids = listed["studies"].as_array().unwrap().iter().map(|study| study["id"].as_str().unwrap().to_owned());
    let ids: BTreeSet<String> = ids.collect();
    for study in &ids {
        let folder = home.path.with_extension("exported");
        let exported = home.run(0, &["study", "export", study, folder.to_str().unwrap()]);
        assert_eq!(exported["instances"], slices, "{exported}");
        std::fs::remove_dir_all(folder).unwrap();
    }
    ids
}

#[test]
fn a_fetch_killed_at_any_moment_goes_on_and_fetches_no_chunk_twice() {
    const SLICES: u64 = 40;
    /// Fast enough for the test, slow enough to be killed in the middle.
    const BYTES_A_SECOND: u64 = 2_000_000;
    let mut chance = Chance::new(2);
    let folder = TempDir::new().unwrap();
    let anna = Home::of(folder.path(), "anna", "Dr. Anna Weiss", "City Hospital");
    let ben = Home::of(folder.path(), "ben", "Dr. Ben Okafor", "University Clinic");
    // The cards know no address, and at ports that the system chooses they learn none: the only way is the line that
    // this test holds.
    let cards = [&anna, &ben].map(|home| {
        let card = home.path.with_extension("card").to_str().unwrap().to_owned();
        home.run(0, &["card", "export", &card]);
        card
    });
    let (mut anna_node, mut ben_node) = (anna.node(&[]), ben.node(&[]));
    let line = Proxy::to(&anna_node.addresses()[0]);
    line.slow_down(BYTES_A_SECOND);
    anna.run(0, &["card", "add", &cards[1]]);
    ben.run(0, &["card", "add", &cards[0], "--at", &line.address()]);
    let mut wanted: Option<(String, u64)> = None;
    let mut fetched = Vec::new();
    for round in 0..rounds(20) {
        let (case, stored) = match wanted.take() {
            Some(wanted) => wanted,
            None => {
                line.open(true);
                let files = write_study(folder.path(), &Study::new(1000 + round, SLICES as u32, 128));
                let imported = anna.run(0, &["import", &files]);
                let study = &imported["studies"][0];
                let new = ["case", "new", "--ask", "Old?", "--study", study["id"].as_str().unwrap()];
                let created =
                    anna.run(0, &[&new[..], &["--invite", "Okafor", "--to-unverified", "--wait", "60"]].concat());
                assert_eq!(created["delivery"][0]["state"], "delivered", "{created}");
                let case = created["case"].as_str().unwrap().to_owned();
                // What is taken from here on is chunks.
                ben_node.kill();
                line.open(false);
                ben_node = ben.node(&[]);
                ben.run(0, &["case", "accept", &case]);
                (case, study["bytes_stored"].as_u64().unwrap())
            }
        };
        let have = ben.run(0, &["case", "show", &case])["studies"][0]["chunks_have"].as_u64().unwrap();
        let mut fetch = started(&mut ben.json(&["fetch", &case, "--wait", "60", "-v"]));
        // The first word of its progress says that it counts.
        let mut progress = BufReader::new(fetch.0.stderr.take().unwrap()).lines();
        let first = progress.next().unwrap().unwrap();
        assert!(first.contains(" chunks"), "{first}");
        let reading = std::thread::spawn(move || progress.for_each(drop));
        line.open(true);
        chance.moment(Duration::from_millis(900));
        let kills_sender = chance.below(4) == 0;
        // Whoever dials meanwhile is held, not refused: nothing is learned from waiting longer between dials.
        line.open(false);
        if kills_sender {
            anna_node.kill();
            anna_node = anna.node(&[]);
            line.lead_to(&anna_node.addresses()[0]);
            line.open(true);
        } else {
            ben_node.kill();
            ben_node = ben.node(&[]);
        }
        let done = acknowledged(fetch);
        reading.join().unwrap();
        let shown = ben.run(0, &["case", "show", &case]);
        let (now, all) = (&shown["studies"][0]["chunks_have"], &shown["studies"][0]["chunks_total"]);
        assert!(now.as_u64().unwrap() >= have, "lost: {shown}");
        match done {
            Some(done) => {
                assert_eq!((&done["complete"], now), (&true.into(), all), "{done} {shown}");
                // What was missing came once: all of it, or so many slices of equal size beside a small manifest.
                let (missing, bytes) = (SLICES + 1 - have, done["bytes"].as_u64().unwrap());
                let most = if have == 0 { stored } else { missing * stored / SLICES };
                assert!((most * 98 / 100..=most).contains(&bytes), "{missing} missing, at most {most} bytes: {done}");
                fetched.push(case);
            }
            None => {
                assert!(!kills_sender, "the fetch did not go on");
                wanted = Some((case, stored));
            }
        }
    }
    line.open(true);
    if let Some((case, _)) = wanted {
        fetched.push(case);
    }
    for case in &fetched {
        assert_eq!(ben.run(0, &["fetch", case, "--wait", "60"])["complete"], true);
    }
    assert_all_holds(&anna);
    assert_all_holds(&ben);
    assert_agree(&anna, &ben, &fetched);
    drop((anna_node, ben_node));
}

/// Both show the same of each case, and all of it.
fn assert_agree(one: &Home, other: &Home, cases: &[String]) {
    for case in cases {
        until("both agree", || {
            let (here, there) = (one.run(0, &["case", "show", case]), other.run(0, &["case", "show", case]));
            assert_eq!((&here["unreadable"], &there["unreadable"]), (&0.into(), &0.into()), "{here} {there}");
            assert!(here["forks"].as_array().unwrap().is_empty(), "{here}");
            (here["state_hash"].is_string() && here["state_hash"] == there["state_hash"]).then_some(())
        });
        for home in [one, other] {
            let shown = home.run(0, &["case", "show", case]);
            let study = &shown["studies"][0];
            assert_eq!(study["chunks_have"], study["chunks_total"], "{shown}");
        }
    }
}

#[test]
fn what_was_signed_or_changed_before_a_kill_is_in_the_history_on_both_sides() {
    let mut chance = Chance::new(3);
    let folder = TempDir::new().unwrap();
    let anna = Home::of(folder.path(), "anna", "Dr. Anna Weiss", "City Hospital");
    let ben = Home::of(folder.path(), "ben", "Dr. Ben Okafor", "University Clinic");
    let chris = Home::of(folder.path(), "chris", "Dr. Chris Meyer", "Eye Clinic");
    let card = folder.path().join("chris.card").to_str().unwrap().to_owned();
    chris.run(0, &["card", "export", &card]);
    anna.run(0, &["card", "add", &card]);
    let listen = [listen_flags(&mut chance), listen_flags(&mut chance)];
    let homes = [&anna, &ben];
    let mut nodes = [0, 1].map(|who| Some(start(homes[who], &listen[who])));
    pair(&anna, &ben);
    let files = write_study(folder.path(), &Study::new(1, 1, 32));
    let imported = anna.run(0, &["import", &files]);
    let study = imported["studies"][0]["id"].as_str().unwrap();
    let created =
        anna.run(0, &["case", "new", "--ask", "Old?", "--study", study, "--invite", "Okafor", "--wait", "60"]);
    assert_eq!(created["delivery"][0]["state"], "delivered", "{created}");
    let case = created["case"].as_str().unwrap();
    ben.run(0, &["case", "accept", case]);
    assert_eq!(ben.run(0, &["fetch", case, "--wait", "60"])["complete"], true);
    let shown = ben.run(0, &["study", "show", study]);
    let image = shown["series_list"][0]["sop_instance_uids"][0].as_str().unwrap();

    let mark = ["mark", "add", case, "--image", image, "--kind", "length", "--points", "1,1 20,1", "--no-wait"];
    let sign = ["opinion", "sign", case, "--impression", "Old.", "--agree", "--no-wait"];
    let say = ["say", case, "One more thing", "--no-wait"];
    let add = ["case", "member", "add", case, "Meyer", "--to-unverified", "--no-wait"];
    let remove = ["case", "member", "remove", case, "Meyer", "--no-wait"];
    let edit = ["case", "edit", case, "--ask", "And now?", "--no-wait"];
    let acts: [&[&[&str]]; 2] = [&[&add, &remove, &say, &add, &remove, &edit], &[&sign, &mark, &say, &sign]];

    let mut written: [BTreeSet<String>; 2] = Default::default();
    for _ in 0..rounds(60) {
        let who = chance.below(2) as usize;
        let first = chance.below(acts[who].len() as u64) as usize;
        let over = AtomicBool::new(false);
        let said = std::thread::scope(|scope| {
            let acting = scope.spawn(|| {
                let mut said = Vec::new();
                for act in acts[who].iter().cycle().skip(first) {
                    said.extend(acknowledged(started(&mut homes[who].json(act))));
                    if over.load(Ordering::SeqCst) {
                        return said;
                    }
                }
                said
            });
            chance.moment(Duration::from_millis(300));
            over.store(true, Ordering::SeqCst);
            nodes[who].take().unwrap().kill();
            acting.join().unwrap()
        });
        written[who].extend(said.iter().flat_map(ids_of));
        nodes[who] = Some(start(homes[who], &listen[who]));
        let log = homes[who].run(0, &["case", "log", case]);
        let log: BTreeSet<String> =
            log["entries"].as_array().unwrap().iter().map(|entry| entry["id"].as_str().unwrap().to_owned()).collect();
        assert!(log.is_superset(&written[who]), "lost: {:?}", written[who].difference(&log));
    }
    assert!(written.iter().all(|ids| ids.len() as u64 > rounds(60) / 4), "too little was written: {written:?}");
    for home in homes {
        assert_all_holds(home);
        until("everything is on both sides", || {
            let log = home.run(0, &["case", "log", case]).to_string();
            written.iter().flatten().all(|id| log.contains(id)).then_some(())
        });
    }
    assert_agree(&anna, &ben, &[case.to_owned()]);
}

/// The entries that an answer acknowledges, whatever letter stands before their ids.
fn ids_of(answer: &Value) -> Vec<String> {
    let one = [&answer["mark"]["id"], &answer["opinion"]["id"]].into_iter().filter_map(Value::as_str);
    let all = answer["ids"].as_array().into_iter().flatten().filter_map(Value::as_str);
    one.map(|id| id[2..].to_owned()).chain(all.map(str::to_owned)).collect()
}
