//! What people get wrong, and what disks, cards and colleagues do wrong: one clear message with a next step, the exit
//! code of design 8, and nothing changed.
//!
//! Every case is run twice, as text and as JSON. [`refused`] holds both to one form.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::program::{Home, Killed, Node, document, pair, until, wait, write_private};
use crate::support::study::Study;

/// Two colleagues whose nodes reach each other, and what lies on the asker's disk.
struct Clinic {
    folder: TempDir,
    anna: Home,
    ben: Home,
    nodes: (Node, Node),
    /// Of two patients.
    studies: [String; 2],
    /// Ben is a reader in the first and was removed from the second.
    cases: [String; 2],
}

impl Clinic {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let at = folder.path();
        let anna = Home::of(at, "anna", "Dr. Anna Weiss", "City Hospital");
        let ben = Home::of(at, "ben", "Dr. Ben Okafor", "University Clinic");
        ben.run(0, &["card", "export", &path(at, "ben-before.card")]);
        let nodes = (anna.node(&[]), ben.node(&[]));
        pair(&anna, &ben);
        ben.run(0, &["card", "export", &path(at, "ben.card")]);
        for twin in ["chris-1", "chris-2"] {
            let twin = Home::of(at, twin, "Dr. Chris Meyer", "Eye Clinic");
            twin.run(0, &["card", "export", &path(at, "twin.card")]);
            anna.run(0, &["card", "add", &path(at, "twin.card")]);
        }
        let studies = [1, 2].map(|seed| {
            let files = at.join(format!("ct-{seed}"));
            Study::new(seed, 2, 32).write(&files);
            let imported = anna.run(0, &["import", files.to_str().unwrap()]);
            imported["studies"][0]["id"].as_str().unwrap().to_owned()
        });
        let cases = ["Old or new?", "Cyst or not?"].map(|question| {
            let new = ["case", "new", "--ask", question, "--study", &studies[0], "--invite", "Okafor"];
            let created = anna.run(0, &new);
            assert_eq!(created["delivery"][0]["state"], "delivered", "{created}");
            let case = created["case"].as_str().unwrap().to_owned();
            ben.run(0, &["case", "accept", &case]);
            ben.run(0, &["fetch", &case]);
            case
        });
        let removed = anna.run(0, &["case", "member", "remove", &cases[1], "Okafor"]);
        assert!(removed["ids"].is_array(), "{removed}");
        Self { folder, anna, ben, nodes, studies, cases }
    }

    fn path(&self, name: &str) -> String {
        path(self.folder.path(), name)
    }

    /// All that either of them can list.
    fn state(&self) -> Value {
        json!([listing(&self.anna), listing(&self.ben)])
    }
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

/// Everything that a home can list.
fn listing(home: &Home) -> Value {
    let cases = home.run(0, &["case", "list"]);
    let each = cases["cases"].as_array().unwrap().iter().map(|case| {
        let case = case["id"].as_str().unwrap();
        json!([home.run(0, &["case", "show", case]), home.run(0, &["case", "log", case])])
    });
    let each: Vec<Value> = each.collect();
    json!([home.run(0, &["card", "list"]), home.run(0, &["study", "list"]), cases, each])
}

/// Runs a command that must be refused, as text and as JSON, and says what is wrong with how it was.
fn refused(home: &Home, arguments: &[&str], exit: i32, code: &str, told: &str) -> Result<(), String> {
    let expected = refused_in_json(home, arguments, exit, code)?;
    let text = refused_in_text(home, arguments, exit)?;
    if text != expected || !text.contains(told) {
        return Err(format!("not \"{told}\" as text:\n{text}\nor as JSON:\n{expected}"));
    }
    Ok(())
}

/// Gives the message that the document makes.
fn refused_in_json(home: &Home, arguments: &[&str], exit: i32, code: &str) -> Result<String, String> {
    let output = home.json(arguments).output().unwrap();
    let document = document(&output).ok_or_else(|| format!("no document: {output:?}"))?;
    let error = &document["error"];
    if (output.status.code(), &document["format"], &error["code"]) != (Some(exit), &json!(1), &json!(code)) {
        return Err(format!("not exit {exit}, {code}: {:?}, {document}", output.status.code()));
    }
    message(error)
}

/// Gives the message, which stands alone and where errors belong.
fn refused_in_text(home: &Home, arguments: &[&str], exit: i32) -> Result<String, String> {
    let output = home.text(arguments).output().unwrap();
    let (out, text) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.code() != Some(exit) || !out.is_empty() {
        return Err(format!("as text: {:?}, {out}, {text}", output.status.code()));
    }
    Ok(text.into_owned())
}

/// The form of a message: a line of what happened, what more there is to see, and last a line with the next step.
fn message(error: &Value) -> Result<String, String> {
    let line = |name: &str| error[name].as_str().filter(|line| !line.is_empty() && !line.contains('\n'));
    let what = line("what").ok_or_else(|| format!("says not what happened: {error}"))?;
    let hint = line("hint").ok_or_else(|| format!("no next step: {error}"))?;
    let mut text = format!("{what}\n");
    for (name, lines) in error["details"].as_object().into_iter().flatten() {
        text += &format!("  {name}:\n");
        for line in lines.as_array().unwrap() {
            text += &format!("    {}\n", line.as_str().unwrap());
        }
    }
    Ok(format!("{text}{hint}\n"))
}

/// A text with another letter in its middle.
fn flipped(text: &str) -> String {
    let at = text.len() / 2;
    let other = if &text[at..=at] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}

#[test]
fn each_mistake_gets_one_message_with_a_next_step_and_changes_nothing() {
    let clinic = Clinic::new();
    let Clinic { anna, ben, studies: [study, other], cases: [case, left], .. } = &clinic;
    let card = std::fs::read_to_string(clinic.path("ben.card")).unwrap();
    std::fs::write(clinic.path("altered.card"), flipped(&card)).unwrap();
    std::fs::create_dir(clinic.path("letters")).unwrap();
    std::fs::write(clinic.path("letters/letter.txt"), "Dear colleague").unwrap();
    std::fs::create_dir(clinic.path("empty")).unwrap();
    let opinion = "impression = \"Old.\"\nagreement = \"agree\"\nconfidnece = 90\n";
    std::fs::write(clinic.path("opinion.toml"), opinion).unwrap();
    let (missing, letters, empty) = (clinic.path("missing"), clinic.path("letters"), clinic.path("empty"));
    let (altered, older) = (clinic.path("altered.card"), clinic.path("ben-before.card"));
    let opinion = clinic.path("opinion.toml");
    let stranger = format!("c-{}", "z".repeat(52));
    let new = ["case", "new", "--ask", "Old?", "--invite", "Okafor", "--study", study];
    let named = ["case", "new", "--ask", "Is patient1 worse?", "--invite", "Okafor", "--study", study];

    #[rustfmt::skip]
    let mistakes: [(&Home, &[&str], i32, &str, &str); 24] = [
        (anna, &["card", "add", &altered], 5, "untrusted", "is no usable card"),
        (anna, &["card", "add", &older], 5, "untrusted", "is older"),
        (anna, &["card", "add", &missing], 4, "not_found", "missing"),
        (anna, &["card", "add", &empty], 4, "not_found", "no *.card file"),
        (anna, &["card", "show", "Nobody"], 4, "not_found", "Nobody"),
        (anna, &["card", "show", "Meyer"], 2, "ambiguous", "several colleagues"),
        (anna, &["card", "verify", "Meyer"], 2, "ambiguous", "several colleagues"),
        (anna, &["card", "verify", "Okafor", "--heard", "one two three four five six"], 5, "untrusted", "not verified"),
        (anna, &["pair", "join", "47-nonsense"], 2, "wrong_use", "not a pairing code"),
        (anna, &["import", &missing], 4, "not_found", "missing"),
        (anna, &["import", &letters], 4, "not_found", "The only file under the path is no DICOM"),
        (anna, &["import", &empty], 4, "not_found", "no file under the path"),
        (anna, &["study", "show", "s-zzzz"], 4, "not_found", "s-zzzz"),
        (anna, &["study", "show", "s-z"], 2, "wrong_use", "no study id"),
        (anna, &[&new[..], &[other]].concat(), 5, "other_patient", "different patients"),
        (anna, &named, 5, "text_check", "question"),
        (anna, &[&new[..], &["--context", &missing]].concat(), 4, "not_found", "missing"),
        (anna, &[&new[..], &["--invite", "Meyer (2)"]].concat(), 5, "untrusted", "not verified"),
        (anna, &["say", &stranger, "Hello"], 4, "not_found", "no case"),
        (anna, &["verify", &missing], 4, "not_found", "missing"),
        (ben, &["say", left, "Hello"], 5, "not_a_member", "not a member"),
        (ben, &["case", "close", case], 5, "role", "owner"),
        (ben, &["opinion", "sign", case, "--file", &opinion], 2, "wrong_use", "line 3: unknown field `confidnece`"),
        (ben, &["opinion", "sign", case, "--file", &missing], 4, "not_found", "missing"),
    ];
    let mut before = clinic.state();
    let mut wrong = Vec::new();
    for (home, arguments, exit, code, told) in mistakes {
        if let Err(why) = refused(home, arguments, exit, code, told) {
            wrong.push(format!("{arguments:?} {why}"));
        }
        let after = clinic.state();
        if after != before {
            wrong.push(format!("{arguments:?} changed something"));
            before = after;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_wrong_pairing_code_is_used_up_and_the_right_one_still_pairs() {
    let folder = TempDir::new().unwrap();
    let anna = Home::of(folder.path(), "anna", "Dr. Anna Weiss", "City Hospital");
    let ben = Home::of(folder.path(), "ben", "Dr. Ben Okafor", "University Clinic");
    let before = (listing(&anna), listing(&ben));
    let _node = anna.node(&[]);
    let open = ["pair", "open", "--yes"];
    let mut door = Killed(ben.json(&open).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut lines = BufReader::new(door.0.stdout.take().unwrap()).lines();
    let mut next_code = || {
        let event: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let addresses = event["addresses"].as_array().unwrap_or_else(|| panic!("{event}"));
        let at = addresses.iter().filter_map(Value::as_str).find(|at| at.contains("/127.0.0.1/tcp/")).unwrap();
        (event["code"].as_str().unwrap().to_owned(), at.to_owned())
    };
    // The number finds the door, the words open it.
    let wrong = |code: &str| format!("{}-velvet-honey-crane", code.split('-').next().unwrap());
    let (code, at) = next_code();
    let in_json =
        refused_in_json(&anna, &["pair", "join", &wrong(&code), "--at", &at, "--yes"], 5, "untrusted").unwrap();
    let (code, at) = next_code();
    let in_text = refused_in_text(&anna, &["pair", "join", &wrong(&code), "--at", &at, "--yes"], 5).unwrap();
    assert_eq!(in_text, in_json);
    assert_eq!(listing(&anna), before.0);
    let (code, at) = next_code();
    anna.run(0, &["pair", "join", &code, "--at", &at, "--yes"]);
    assert!(wait(&mut door.0).success());
    assert_eq!(listing(&anna)[0]["cards"][0]["trust"], "verified");
    assert_ne!(listing(&ben), before.1);
}

#[test]
fn an_unreachable_colleague_is_said_to_be_so_and_repeating_is_safe() {
    let Clinic { folder: _folder, anna, ben, nodes: (anna_node, _ben_node), studies: [_, study], .. } = Clinic::new();
    let created = anna.run(0, &["case", "new", "--ask", "Stable?", "--study", &study, "--invite", "Okafor"]);
    let case = created["case"].as_str().unwrap().to_owned();
    let at = anna_node.addresses().remove(0);
    anna_node.stop("TERM");
    ben.run(0, &["case", "accept", &case]);
    let before = listing(&ben);
    let nowhere = "/ip4/127.0.0.1/tcp/1";
    for (arguments, told) in [
        (&["fetch", &case, "--wait", "1"][..], "Nothing of the images has arrived"),
        (&["pair", "join", "47-crane-velvet-honey", "--at", nowhere], "Not paired"),
    ] {
        refused(&ben, arguments, 7, "not_reached", told).unwrap_or_else(|why| panic!("{arguments:?}: {why}"));
        assert_eq!(listing(&ben), before, "{arguments:?}");
    }
    let synced = ben.run(7, &["sync", "--wait", "1"]);
    assert_eq!(synced["peers"][0]["connected"], false, "{synced}");
    let synced = ben.text(&["sync", "--wait", "1"]).output().unwrap();
    let text = String::from_utf8_lossy(&synced.stdout);
    assert!(text.contains("not reached") && text.contains("Next: "), "{text}");
    // Saved is not sent: that is no failure, and it says so.
    let said = ben.run(0, &["say", &case, "Shall I call?", "--wait", "1"]);
    assert_eq!(said["delivery"][0]["state"], "not sent", "{said}");
    // She is back: the same command goes on.
    let _node = anna.node(&["--listen", &at]);
    assert_eq!(ben.run(0, &["fetch", &case, "--wait", "60"])["complete"], true);
}

#[test]
fn a_wrong_passphrase_opens_nothing_and_spoils_nothing() {
    let folder = TempDir::new().unwrap();
    let anna = Home::of(folder.path(), "anna", "Dr. Anna Weiss", "City Hospital");
    let vault = std::fs::read(anna.path.join("vault")).unwrap();
    let wrong = Home { passphrase: folder.path().join("wrong"), ..anna.clone() };
    write_private(&wrong.passphrase, "incorrect horse battery staple");
    let before = listing(&anna);
    let check = || {
        for arguments in [&["case", "list"][..], &["card", "show"], &["vault", "recovery-code"], &["node"]] {
            refused(&wrong, arguments, 3, "wrong_passphrase", "passphrase is wrong").unwrap();
        }
        let new = ["vault", "passphrase", "--new-passphrase-file", anna.passphrase.to_str().unwrap()];
        refused(&wrong, &new, 3, "wrong_passphrase", "passphrase is wrong").unwrap();
    };
    check();
    assert_eq!(std::fs::read(anna.path.join("vault")).unwrap(), vault);
    assert_eq!(listing(&anna), before);
    // The same at a node that runs and is open: an unlocked screen is no proof.
    let _node = anna.node(&[]);
    let new = ["vault", "passphrase", "--new-passphrase-file", anna.passphrase.to_str().unwrap()];
    let wrong_in_time = |arguments: &[&str]| {
        until("the next passphrase is taken", || {
            let refused = wrong.run(3, arguments);
            (refused["error"]["code"] != "too_soon").then(|| assert_eq!(refused["error"]["code"], "wrong_passphrase"))
        });
    };
    wrong_in_time(&new);
    for arguments in [&new[..], &["vault", "recovery-code"]] {
        assert_eq!(anna.bare(arguments).output().unwrap().status.code(), Some(3), "{arguments:?}");
    }
    anna.run(0, &["case", "list"]);
    // And at one that is locked.
    anna.run(0, &["vault", "lock"]);
    wrong_in_time(&["case", "list"]);
    assert_eq!(anna.bare(&["case", "list"]).output().unwrap().status.code(), Some(3));
    until("the right passphrase is taken", || {
        anna.json(&["case", "list"]).output().unwrap().status.success().then_some(())
    });
    assert_eq!(listing(&anna), before);
}

#[test]
fn a_damaged_vault_is_called_so_and_its_copy_opens_everything_again() {
    let folder = TempDir::new().unwrap();
    let anna = Home::of(folder.path(), "anna", "Dr. Anna Weiss", "City Hospital");
    let files = folder.path().join("ct");
    Study::new(1, 2, 32).write(&files);
    anna.run(0, &["import", files.to_str().unwrap()]);
    let before = listing(&anna);
    let path = anna.path.join("vault");
    let vault = std::fs::read(&path).unwrap();
    let mut damages: Vec<Vec<u8>> = (0..8)
        .map(|part| {
            let mut damaged = vault.clone();
            damaged[part * (vault.len() - 1) / 7] ^= 0x10;
            damaged
        })
        .collect();
    damages.extend([vec![], vault[..vault.len() / 2].to_vec(), b"not a vault".to_vec(), vec![0; 4096]]);
    for damaged in damages {
        std::fs::write(&path, &damaged).unwrap();
        refused(&anna, &["case", "list"], 1, "damaged", "vault cannot be opened").unwrap();
        refused(&anna, &["init", "--name", "Eve", "--site", "Elsewhere"], 1, "failed", "has an identity").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), damaged);
    }
    // A lost vault is no empty home: nothing of another identity is written over what its keys would open.
    std::fs::remove_file(&path).unwrap();
    refused(&anna, &["case", "list"], 4, "not_found", "no identity yet").unwrap();
    refused(&anna, &["init", "--name", "Eve", "--site", "Elsewhere"], 1, "damaged", "do not belong together").unwrap();
    assert!(!path.exists());
    std::fs::write(&path, &vault).unwrap();
    assert_eq!(listing(&anna), before);
    assert_eq!(anna.run(0, &["verify", "all"])["ok"], true);
}

/// A small disk of its own, taken away with the test.
struct Disk(PathBuf);

impl Disk {
    /// `None` where nobody may mount one.
    fn new(at: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir(at).unwrap();
        let is_root = rustix::process::getuid().is_root();
        let options = format!("size={size},mode=700");
        let mounted = is_root
            && Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(at).status().unwrap().success();
        assert!(mounted || !is_root || std::env::var_os("CI").is_none(), "CI as root must be able to mount a tmpfs");
        mounted.then(|| Self(at.to_owned()))
    }

    /// Fills the disk but for so many bytes.
    fn fill(&self, left: u64) {
        let mut ballast = std::fs::File::create(self.0.join("ballast")).unwrap();
        while ballast.write_all(&[0; 4096]).is_ok() {}
        let length = ballast.metadata().unwrap().len();
        ballast.set_len(length.saturating_sub(left)).unwrap();
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_stops_cleanly_keeps_what_is_durable_and_goes_on_when_there_is_room() {
    let folder = TempDir::new().unwrap();
    let Some(disk) = Disk::new(&folder.path().join("disk"), "48m") else {
        eprintln!("SKIPPED: only root can mount a small disk; what happens on a full one was not checked");
        return;
    };
    let anna = Home { path: disk.0.join("anna"), ..Home::new(folder.path(), "anna") };
    anna.run(0, &["init", "--name", "Dr. Anna Weiss", "--site", "City Hospital"]);
    let files = |seed, slices| {
        let files = folder.path().join(format!("ct-{seed}"));
        Study::new(seed, slices, 256).write(&files);
        files.to_str().unwrap().to_owned()
    };
    let (small, big, third) = (files(1, 2), files(2, 24), files(3, 24));
    let imported = anna.run(0, &["import", &small]);
    let study = imported["studies"][0]["id"].as_str().unwrap().to_owned();
    let made = |files: &str| {
        let before = listing(&anna);
        disk.fill(1024 * 1024);
        refused(&anna, &["import", files], 1, "disk_full", "The disk is full").unwrap();
        assert_eq!(listing(&anna), before);
        disk.fill(0);
        refused(&anna, &["import", files], 1, "disk_full", "The disk is full").unwrap();
        assert_eq!(listing(&anna), before);
        assert_eq!(anna.run(0, &["verify", "all"])["ok"], true);
        let exported = folder.path().join(format!("exported-{}", files.len()));
        anna.run(0, &["study", "export", &study, exported.to_str().unwrap()]);
        std::fs::remove_dir_all(&exported).unwrap();
        disk.free();
        assert_eq!(anna.run(0, &["import", files])["studies"][0]["instances"], 24);
        assert_eq!(anna.run(0, &["verify", "all"])["ok"], true);
    };
    made(&big);
    // A node that runs goes on too, without being started anew.
    let _node = anna.node(&[]);
    made(&third);
    assert_eq!(anna.run(0, &["study", "list"])["studies"].as_array().unwrap().len(), 3);

    // Words need room too: one after the other, until there is none.
    let ben = Home::of(folder.path(), "ben", "Dr. Ben Okafor", "University Clinic");
    let card = path(folder.path(), "ben.card");
    ben.run(0, &["card", "export", &card]);
    anna.run(0, &["card", "add", &card]);
    let invite = ["--invite", "Okafor", "--to-unverified", "--no-wait"];
    let case = anna.run(0, &[&["case", "new", "--ask", "Old?", "--study", &study][..], &invite].concat());
    let case = case["case"].as_str().unwrap();
    disk.fill(0);
    let long = "word ".repeat(6_000);
    let say = |text: &str| anna.json(&["say", case, text, "--no-wait"]).output().unwrap();
    let mut said = 0;
    while say(&long).status.success() {
        said += 1;
        assert!(said < 200, "the disk is never full");
    }
    let before = listing(&anna);
    refused(&anna, &["say", case, &long, "--no-wait"], 1, "disk_full", "The disk is full").unwrap();
    assert_eq!(listing(&anna), before);
    disk.free();
    assert!(say("There is room again").status.success());
    let shown = anna.run(0, &["case", "show", case]);
    assert_eq!(shown["messages"].as_array().unwrap().len(), said + 1);
    assert_eq!(anna.run(0, &["verify", "all"])["ok"], true);
}
