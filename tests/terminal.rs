//! The app in a real terminal: whatever is typed, and however it ends, the terminal is as it was before.

use std::path::Path;
use std::time::Duration;

use data_encoding::BASE64;
use overread::encoding::random::{Rng, Seeded};
use rustix::termios::LocalModes;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::program::{Home, pair, send_signal, until, wait};
use crate::support::study::Study;
use crate::support::terminal::Terminal;

/// Bytes typed at random.
const TYPED_BYTES: usize = 4_000;

/// What ends the app or leads to the list of actions with `quit` in it: it is to be ended from outside.
const LEFT_OUT: &[u8] = b"\x03\x11\x10qQ:";

/// What a terminal is told while the app has it, and what takes it back.
const MODES: [(&str, &str); 4] = [
    ("\x1b[?1049h", "\x1b[?1049l"),
    ("\x1b[?25l", "\x1b[?25h"),
    ("\x1b[?1000h", "\x1b[?1000l"),
    ("\x1b[?2004h", "\x1b[?2004l"),
];

/// Holds the terminal to what it was before the app took it.
fn is_as_before(terminal: &Terminal, before: LocalModes) {
    let written = terminal.written();
    for (taken, given_back) in MODES {
        let (taken, given_back) = (written.rfind(taken), written.rfind(given_back));
        assert!(taken.is_some() && given_back > taken, "{given_back:?} comes not after {taken:?}: {}", tail(&written));
    }
    assert_eq!(terminal.local_modes(), before, "echo, lines and signals are as they were");
}

/// Commands of Kitty's protocol that begin so, in order: the number of the picture, and its first bytes.
fn pictures(terminal: &Terminal, command: &str) -> Vec<(String, Vec<u8>)> {
    let written = terminal.written();
    let named = written.split("\x1b_G").filter(|part| part.starts_with(command));
    let picture = |part: &str| {
        let (keys, rest) = part.split_once([';', '\x1b'])?;
        let number = keys.split(',').find_map(|key| key.strip_prefix("i="))?;
        let bytes = BASE64.decode(rest.get(..48).unwrap_or_default().as_bytes()).unwrap_or_default();
        Some((number.to_owned(), bytes))
    };
    named.filter_map(picture).collect()
}

/// How many slices were sent to it: grey pictures, where ink has a palette.
fn slices(terminal: &Terminal) -> usize {
    let is_grey = |png: &[u8]| png.get(25) == Some(&0) && png.get(16..20) > Some(&[0, 0, 0, 32]);
    pictures(terminal, "a=t").iter().filter(|(_, png)| is_grey(png)).count()
}

/// Answers what the app asks its terminal at the start; the first key would be taken for the answer.
fn answers(terminal: &Terminal) {
    terminal.shows("\x1b[5n");
    terminal.types(b"\x1b[?62c\x1b[0n");
}

fn tail(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    characters[characters.len().saturating_sub(400)..].iter().collect::<String>().escape_debug().to_string()
}

/// A home with studies that are broken in every way, and one in a case.
fn home(folder: &Path) -> Home {
    let anna = Home::of(folder, "anna", "Dr. Anna Weiss", "City Hospital");
    let ben = Home::of(folder, "ben", "Dr. Ben Okafor", "University Clinic");
    let card = folder.join("ben.card");
    ben.run(0, &["card", "export", card.to_str().unwrap()]);
    anna.run(0, &["card", "add", card.to_str().unwrap()]);
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples/broken");
    match samples.is_dir() {
        true => drop(anna.run(6, &["import", samples.to_str().unwrap()])),
        false => eprintln!("SKIPPED: no broken samples"),
    }
    let files = folder.join("ct");
    Study::new(1, 3, 64).write(&files);
    let study: Value = anna.run(0, &["import", files.to_str().unwrap()]);
    let study = study["studies"][0]["id"].as_str().unwrap();
    anna.run(
        0,
        &["case", "new", "--ask", "Old?", "--study", study, "--invite", "Okafor", "--to-unverified", "--no-wait"],
    );
    anna
}

#[test]
fn whatever_is_typed_a_signal_gives_the_terminal_back() {
    let folder = TempDir::new().unwrap();
    let home = home(folder.path());
    for (seed, signal) in [(1, "TERM"), (2, "INT"), (3, "HUP")] {
        let terminal = Terminal::open();
        let before = terminal.local_modes();
        let mut app = terminal.begin(&home);
        terminal.shows("Old?");
        assert_ne!(terminal.local_modes(), before, "the app takes the terminal");
        terminal.types(b"\r");
        let mut random = Seeded::new(seed);
        let typed = (0..TYPED_BYTES).map(|_| random.next_u64() as u8).filter(|byte| !LEFT_OUT.contains(byte));
        for piece in typed.collect::<Vec<u8>>().chunks(100) {
            terminal.types(piece);
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(app.0.try_wait().unwrap().is_none(), "it goes on: {}", tail(&terminal.written()));
        send_signal(app.0.id(), signal);
        assert!(wait(&mut app.0).success(), "{signal}: {}", tail(&terminal.written()));
        is_as_before(&terminal, before);
    }
}

/// Two people whom no network connects, each at the app alone: one packs a case into a file, the other takes it in.
#[test]
fn a_case_travels_by_file_from_app_to_app() {
    let folder = TempDir::new().unwrap();
    let anna = Home::of(folder.path(), "anna", "Dr. Anna Weiss", "City Hospital");
    let ben = Home::of(folder.path(), "ben", "Dr. Ben Okafor", "University Clinic");
    for (from, to) in [(&anna, &ben), (&ben, &anna)] {
        let card = from.path.with_extension("card");
        from.run(0, &["card", "export", card.to_str().unwrap()]);
        to.run(0, &["card", "add", card.to_str().unwrap()]);
    }
    let files = folder.path().join("ct");
    Study::new(1, 3, 64).write(&files);
    let study: Value = anna.run(0, &["import", files.to_str().unwrap()]);
    let study = study["studies"][0]["id"].as_str().unwrap();
    let invite = ["--invite", "Okafor", "--to-unverified", "--no-wait"];
    let case = anna.run(0, &[&["case", "new", "--ask", "Metastasis?", "--study", study], &invite[..]].concat());
    let bundle = folder.path().join("trip.bundle");

    let terminal = Terminal::open();
    let mut app = terminal.begin(&anna);
    answers(&terminal);
    terminal.shows("Metastasis?");
    terminal.types(b"B");
    // Once the case was read it says how many are shared with him.
    terminal.shows_whole("shared");
    terminal.types(b" ");
    terminal.shows_whole("[x]");
    terminal.types(b"\r");
    terminal.shows_whole("folder");
    terminal.types(b"/\x15");
    terminal.types(bundle.to_str().unwrap().as_bytes());
    terminal.types(b"\r");
    // Of the keys where a path is typed none gives a name.
    terminal.shows_whole("another");
    terminal.types(b"w");
    terminal.shows_whole("Pack");
    terminal.types(b"y");
    terminal.shows_whole("eject");
    assert!(bundle.is_file(), "{}", tail(&terminal.written()));
    send_signal(app.0.id(), "TERM");
    assert!(wait(&mut app.0).success());

    let terminal = Terminal::open();
    let mut app = terminal.begin(&ben);
    answers(&terminal);
    terminal.shows("yet.");
    terminal.types(b"b");
    terminal.shows_whole("disc");
    terminal.types(b"/\x15");
    terminal.types(bundle.to_str().unwrap().as_bytes());
    terminal.types(b"\r");
    terminal.shows_whole("Weiss");
    terminal.types(b"\r");
    terminal.shows_whole("Taken");
    terminal.types(b"\r");
    terminal.shows_whole("Members");
    send_signal(app.0.id(), "TERM");
    assert!(wait(&mut app.0).success());
    let there = ben.run(0, &["case", "show", case["case"].as_str().unwrap()]);
    assert_eq!((&there["question"], &there["standing"]), (&"Metastasis?".into(), &"accepted".into()), "{there}");
    assert_eq!(there["studies"][0]["chunks_have"], there["studies"][0]["chunks_total"]);
}

/// Two cases with images of one size, opened one after the other: each has pictures of its own in the terminal, and none
/// is left there behind the lock.
#[test]
fn a_terminal_that_keeps_pictures_never_mixes_cases_and_has_none_when_locked() {
    let folder = TempDir::new().unwrap();
    let home = home(folder.path());
    let files = folder.path().join("other");
    Study::new(2, 3, 64).write(&files);
    let study: Value = home.run(0, &["import", files.to_str().unwrap()]);
    let study = study["studies"][0]["id"].as_str().unwrap();
    home.run(
        0,
        &["case", "new", "--ask", "New?", "--study", study, "--invite", "Okafor", "--to-unverified", "--no-wait"],
    );
    let terminal = Terminal::open();
    let mut app = terminal.begin_with(&home, "kitty");
    answers(&terminal);
    terminal.shows("New?");
    let slices = || slices(&terminal);
    terminal.types(b"\r");
    until("a slice of the first case", || (slices() > 0).then_some(()));
    terminal.types(b"\x1b");
    // Whatever of it is still on its way has come by then.
    std::thread::sleep(Duration::from_secs(1));
    let before = slices();
    terminal.types(b"\x1b[B\r");
    until("a slice of the second case", || (slices() > before).then_some(()));
    terminal.types(b"\x0c");
    until("no picture left", || {
        let freed: Vec<String> = pictures(&terminal, "a=d,d=I").into_iter().map(|(number, _)| number).collect();
        pictures(&terminal, "a=t").iter().all(|(number, _)| freed.contains(number)).then_some(())
    });
    send_signal(app.0.id(), "TERM");
    assert!(wait(&mut app.0).success());
}

#[test]
fn a_home_that_another_program_holds_says_so_and_opens_as_soon_as_it_is_free() {
    let folder = TempDir::new().unwrap();
    let anna = Home::of(folder.path(), "anna", "Dr. Anna Weiss", "City Hospital");
    let node = anna.node(&[]);
    // It holds the home, and nobody can ask it any more.
    std::fs::remove_file(anna.path.join("control.sock")).unwrap();
    let terminal = Terminal::open();
    let mut app = terminal.begin(&anna);
    terminal.shows_whole("tried");
    node.stop("TERM");
    terminal.shows("No case yet.");
    send_signal(app.0.id(), "TERM");
    assert!(wait(&mut app.0).success(), "{}", tail(&terminal.written()));
}

#[test]
fn an_app_whose_node_ends_is_locked_and_says_so() {
    let folder = TempDir::new().unwrap();
    let anna = Home::of(folder.path(), "anna", "Dr. Anna Weiss", "City Hospital");
    let node = anna.node(&[]);
    let terminal = Terminal::open();
    let mut app = terminal.begin(&anna);
    terminal.shows("No case yet.");
    node.stop("TERM");
    terminal.shows_whole("Passphrase");
    send_signal(app.0.id(), "TERM");
    assert!(wait(&mut app.0).success(), "{}", tail(&terminal.written()));
}

#[test]
fn an_identity_is_restored_in_a_fresh_home_from_its_recovery_code() {
    let folder = TempDir::new().unwrap();
    let old = Home::of(folder.path(), "old", "Dr. Anna Weiss", "City Hospital");
    let code = old.run(0, &["vault", "recovery-code"]);
    let words: Vec<&str> = code["words"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let new = Home::new(folder.path(), "new");
    let passphrase = std::fs::read_to_string(&new.passphrase).unwrap();
    let passphrase = passphrase.trim_end();
    let terminal = Terminal::open();
    let mut app = terminal.begin(&new);
    terminal.shows("Your name, as colleagues know it");
    // It may take the first key for the answer to what it asked the terminal; this one may be lost.
    terminal.shows_whole("another");
    terminal.types(b"\x0f");
    terminal.shows_whole("camera");
    // Pasted as it was kept: a word a line.
    terminal.types(format!("\x1b[200~{}\n\x1b[201~\r", words.join("\n")).as_bytes());
    terminal.types(format!("Dr. Anna Weiss\rCity Hospital\r{passphrase}\r{passphrase}\r").as_bytes());
    terminal.shows_whole("drafts.");
    assert!(!terminal.written().contains(passphrase));
    send_signal(app.0.id(), "TERM");
    assert!(wait(&mut app.0).success(), "{}", tail(&terminal.written()));
    let (before, after) = (old.run(0, &["card", "show"]), new.run(0, &["card", "show"]));
    assert_eq!(before["identity"], after["identity"]);
    assert_ne!(before["devices"], after["devices"], "a new device of the same person");
}

#[test]
fn a_colleague_who_is_brought_in_on_the_screen_is_a_member_at_her_own_home() {
    let folder = TempDir::new().unwrap();
    let anna = Home::of(folder.path(), "anna", "Dr. Anna Weiss", "City Hospital");
    let ben = Home::of(folder.path(), "ben", "Dr. Ben Okafor", "University Clinic");
    let cara = Home::of(folder.path(), "cara", "Dr. Cara Lind", "General Hospital");
    pair(&anna, &ben);
    pair(&anna, &cara);
    let node = ben.node(&[]);
    let file = folder.path().join("ben.card");
    ben.run(0, &["card", "export", file.to_str().unwrap()]);
    anna.run(0, &["card", "add", file.to_str().unwrap(), "--at", &node.addresses()[0]]);
    let files = folder.path().join("ct");
    Study::new(1, 3, 64).write(&files);
    let study = anna.run(0, &["import", files.to_str().unwrap()])["studies"][0]["id"].as_str().unwrap().to_owned();
    let new = ["case", "new", "--ask", "Old?", "--study", &study, "--invite", "Lind", "--no-wait"];
    let case = anna.run(0, &new)["case"].as_str().unwrap().to_owned();
    let terminal = Terminal::open();
    let mut app = terminal.begin_with(&anna, "kitty");
    // It answers what it is asked at the start; the first key would be taken for the answer.
    terminal.shows("\x1b[5n");
    terminal.types(b"\x1b[?62c\x1b[0n");
    terminal.shows("Old?");
    terminal.types(b"\r");
    terminal.shows("Members");
    terminal.types(b"B");
    terminal.shows_whole("Okafor");
    // The only colleague who is no member, as a reader.
    terminal.types(b"\r");
    terminal.shows_whole("observer");
    terminal.types(b"\r");
    let member = until("she has the case", || {
        let cases = ben.run(0, &["case", "list"]);
        let listed = cases["cases"].as_array().unwrap().iter().any(|listed| listed["id"] == case.as_str());
        listed.then(|| ben.run(0, &["case", "show", &case]))
    });
    assert_eq!((member["role"].as_str(), member["question"].as_str()), (Some("reader"), Some("Old?")), "{member}");
    send_signal(app.0.id(), "TERM");
    assert!(wait(&mut app.0).success());
}
