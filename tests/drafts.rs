//! Opinions that are being written: kept sealed on one machine, through every end of the program, until they are signed.

use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

use overread::encoding::random::{Rng, Seeded};
use overread::node::api::{DRAFT_BYTES_MAX, Elsewhere, FailureCode, KeptDraft, OpinionDraft, Reply, Request};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::program::{Home, Killed, send_signal, until, wait};
use crate::support::study::Study;
use crate::support::terminal::Terminal;
use crate::support::{Person, pair};

/// Kills while somebody types.
const ROUNDS: usize = 5;

/// How long after a key it is kept at the latest: a few hundred milliseconds, and what a busy machine takes.
const KEPT_WITHIN: Duration = Duration::from_secs(2);

fn written(impression: &str) -> OpinionDraft {
    OpinionDraft { impression: impression.into(), agreement: "agree".into(), ..OpinionDraft::default() }
}

fn keep(case: &str, impression: &str, revision: u64, last_seen: Option<u64>) -> Request {
    Request::OpinionDraftKeep { case: case.into(), opinion: written(impression), revision, last_seen }
}

fn sign(case: &str, impression: &str, draft: Option<u64>) -> Request {
    Request::OpinionSign {
        case: case.into(),
        opinion: written(impression),
        displayed: None,
        incomplete_ok: true,
        text_checked: true,
        draft,
        asked_by: None,
    }
}

async fn kept(person: &Person, case: &str) -> Option<KeptDraft> {
    match person.ask(Request::OpinionDraftShow { case: case.into() }).await.unwrap() {
        Reply::Draft { draft } => draft,
        other => panic!("{other:?}"),
    }
}

/// What the answer to a kept draft says of others.
async fn elsewhere(person: &Person, request: Request) -> Option<Elsewhere> {
    match person.ask(request).await.unwrap() {
        Reply::DraftKept { elsewhere, .. } => elsewhere,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_kept_through_restarts_is_no_entry_and_goes_to_nobody() {
    let mut anna = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let ben = Person::new("Dr. Ben Okafor", "University Clinic").await;
    pair(&anna, &ben).await;
    let case = anna.founds("Cyst?", &[], &["Okafor"]).await;
    ben.ask(keep(&case, "Not yet", 1, None)).await.unwrap();
    let listed = ben.json(Request::CaseList).await;
    assert_eq!(listed["cases"][0]["standing"], "invited", "a draft answers no invitation");
    let before = anna.shown(&case).await;
    assert_eq!(kept(&anna, &case).await, None);
    assert_eq!(elsewhere(&anna, keep(&case, "Cyst", 7, None)).await, None);
    assert_eq!(elsewhere(&anna, keep(&case, "A simple cyst", 8, Some(7))).await, None);
    let after = anna.shown(&case).await;
    for field in ["entries", "heads", "state_hash"] {
        assert_eq!(before[field], after[field], "{field}");
    }
    anna.stop().await;
    anna.start().await;
    let draft = kept(&anna, &case).await.unwrap();
    assert_eq!((draft.revision, draft.opinion), (8, written("A simple cyst")));
    assert_eq!(kept(&ben, &case).await.unwrap().opinion, written("Not yet"), "each has her own");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_windows_the_newest_draft_holds_and_its_writer_is_told() {
    let anna = Person::out_of_reach("Dr. Anna Weiss", "City Hospital").await;
    let case = anna.founds("Cyst?", &[], &[]).await;
    assert_eq!(elsewhere(&anna, keep(&case, "one", 1, None)).await, None);
    let Some(Elsewhere::Kept { saved }) = elsewhere(&anna, keep(&case, "two", 2, None)).await else { panic!("untold") };
    assert!(saved.starts_with("20"), "{saved}");
    assert!(matches!(elsewhere(&anna, keep(&case, "one!", 3, Some(1))).await, Some(Elsewhere::Kept { .. })));
    assert_eq!(kept(&anna, &case).await.unwrap().opinion.impression, "one!");
    // Dropped by number, only that one goes.
    anna.json(Request::OpinionDraftDrop { case: case.clone(), revision: Some(2) }).await;
    assert!(kept(&anna, &case).await.is_some());
    anna.json(Request::OpinionDraftDrop { case: case.clone(), revision: None }).await;
    assert_eq!(kept(&anna, &case).await, None);
    assert_eq!(elsewhere(&anna, keep(&case, "one?", 4, Some(3))).await, Some(Elsewhere::Dropped));
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_drops_the_draft_that_was_signed_and_no_other() {
    let anna = Person::out_of_reach("Dr. Anna Weiss", "City Hospital").await;
    let case = anna.founds("Cyst?", &[], &[]).await;
    anna.json(keep(&case, "Cyst", 1, None)).await;
    let refused = Request::OpinionSign {
        case: case.clone(),
        opinion: OpinionDraft { agreement: "perhaps".into(), ..written("Cyst") },
        displayed: None,
        incomplete_ok: false,
        text_checked: false,
        draft: Some(1),
        asked_by: None,
    };
    assert_eq!(anna.ask(refused).await.unwrap_err().code, FailureCode::WrongUse);
    assert!(kept(&anna, &case).await.is_some(), "what was not signed is still a draft");
    anna.json(sign(&case, "Cyst", Some(1))).await;
    assert_eq!(kept(&anna, &case).await, None);
    // Another window has kept something since, or wrote something else altogether.
    anna.json(keep(&case, "Or a metastasis", 2, None)).await;
    for draft in [Some(1), None] {
        anna.json(sign(&case, "Cyst", draft)).await;
        assert_eq!(kept(&anna, &case).await.unwrap().revision, 2, "{draft:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purged_case_leaves_no_draft() {
    let mut anna = Person::out_of_reach("Dr. Anna Weiss", "City Hospital").await;
    let case = anna.founds("Cyst?", &[], &[]).await;
    anna.json(keep(&case, "Cyst", 1, None)).await;
    anna.json(Request::CasePurge { case: case.clone() }).await;
    assert_eq!(anna.ask(keep(&case, "Cyst", 2, Some(1))).await.unwrap_err().code, FailureCode::NotFound);
    anna.stop().await;
    assert!(anna.store().rows(overread::store::Table::Draft).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_has_a_longest_text() {
    let anna = Person::out_of_reach("Dr. Anna Weiss", "City Hospital").await;
    let case = anna.founds("Cyst?", &[], &[]).await;
    let long = |bytes: usize| keep(&case, &"x".repeat(bytes - "agree".len()), 1, None);
    let failure = anna.ask(long(DRAFT_BYTES_MAX + 1)).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::WrongUse);
    assert!(failure.what.contains("131073 bytes") && kept(&anna, &case).await.is_none(), "{failure}");
    anna.json(long(DRAFT_BYTES_MAX)).await;
}

/// A home with a case, and what is kept for it as a draft.
fn home(folder: &TempDir) -> (Home, String) {
    let home = Home::of(folder.path(), "anna", "Dr. Anna Weiss", "City Hospital");
    let ben = Home::of(folder.path(), "ben", "Dr. Ben Okafor", "University Clinic");
    let card = folder.path().join("ben.card");
    ben.run(0, &["card", "export", card.to_str().unwrap()]);
    home.run(0, &["card", "add", card.to_str().unwrap()]);
    let files = folder.path().join("ct");
    Study::new(1, 2, 64).write(&files);
    let imported = home.run(0, &["import", files.to_str().unwrap()]);
    let study = imported["studies"][0]["id"].as_str().unwrap();
    let new = ["case", "new", "--ask", "Metastasis?", "--study", study, "--invite", "Okafor"];
    let created = home.run(0, &[&new[..], &["--to-unverified", "--no-wait"]].concat());
    (home, created["case"].as_str().unwrap().to_owned())
}

fn impression(home: &Home, case: &str) -> String {
    home.run(0, &["opinion", "draft", case])["draft"]["opinion"]["impression"].as_str().unwrap().to_owned()
}

#[test]
fn the_command_line_keeps_shows_signs_and_drops_a_draft() {
    let folder = TempDir::new().unwrap();
    let (home, case) = home(&folder);
    assert_eq!(home.run(4, &["opinion", "draft", &case])["error"]["code"], "not_found");
    assert_eq!(home.run(4, &["opinion", "sign", &case, "--draft"])["error"]["code"], "not_found");
    let file = folder.path().join("opinion.toml");
    std::fs::write(&file, "impression = \"\"\"\nOld.\nUnchanged.\"\"\"\nagreement = \"agree\"\nconfidence = 80\n")
        .unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(home.run(0, &["opinion", "draft", &case, "--file", file])["elsewhere"], Value::Null);
    assert_eq!(impression(&home, &case), "Old.\nUnchanged.");
    // What it prints is what it takes.
    let printed = home.text(&["opinion", "draft", &case]).output().unwrap();
    std::fs::write(file, &printed.stdout).unwrap();
    assert_eq!(home.run(0, &["opinion", "draft", &case, "--file", file])["elsewhere"], Value::Null);
    let signed = home.run(0, &["opinion", "sign", &case, "--draft", "--no-wait"]);
    assert_eq!(
        (&signed["opinion"]["impression"], &signed["opinion"]["confidence"]),
        (&"Old.\nUnchanged.".into(), &80.into())
    );
    home.run(4, &["opinion", "draft", &case]);
    home.run(0, &["opinion", "draft", &case, "--file", file]);
    home.run(0, &["opinion", "draft", &case, "--drop"]);
    home.run(4, &["opinion", "draft", &case]);
}

/// The form, with what was kept restored, and the cursor in the impression.
fn form(terminal: &Terminal, home: &Home) -> Killed {
    let app = terminal.begin(home);
    terminal.shows("Metastasis?");
    // Who asks a terminal that does not answer still reads what comes next.
    terminal.shows_whole("Metastasis?");
    terminal.types(b"\r");
    terminal.shows_whole("History");
    terminal.types(b"\x0f");
    terminal.shows_whole("restored");
    terminal.types(b"\t");
    app
}

#[test]
fn a_form_that_is_killed_loses_no_more_than_the_last_moment() {
    let folder = TempDir::new().unwrap();
    let (home, case) = home(&folder);
    let file = folder.path().join("opinion.toml");
    std::fs::write(&file, "impression = \"0\"\nagreement = \"\"\n").unwrap();
    home.run(0, &["opinion", "draft", &case, "--file", file.to_str().unwrap()]);
    let mut before = "0".to_owned();
    let mut random = Seeded::new(std::process::id().into());
    for round in 0..ROUNDS {
        // Either the app is the node itself, or it asks one that runs and is killed with it.
        let node = (round % 2 == 1).then(|| home.node(&[]));
        let terminal = Terminal::open();
        let mut app = form(&terminal, &home);
        let letters = 40 + random.next_u64() as usize % 120;
        let mut typed = Vec::new();
        for letter in (b'a'..=b'z').cycle().take(letters) {
            terminal.types(&[letter]);
            typed.push((char::from(letter), Instant::now()));
            std::thread::sleep(Duration::from_millis(random.next_u64() % 60));
        }
        let killed = Instant::now();
        app.0.kill().unwrap();
        if let Some(node) = node {
            node.kill();
        }
        let kept = impression(&home, &case);
        let all: String = before.chars().chain(typed.iter().map(|(letter, _)| *letter)).collect();
        assert!(all.starts_with(&kept), "round {round}: {kept} of {all}");
        let old = typed.iter().filter(|(_, at)| killed.duration_since(*at) > KEPT_WITHIN).count();
        let kept_letters = kept.len().saturating_sub(before.len());
        assert!(kept_letters >= old, "round {round}: {kept_letters} of {letters} letters, {old} were old");
        before = kept;
    }
    assert!(before.len() > 20, "so little was kept that nothing was tried: {before}");
}

#[test]
fn time_passes_for_the_form_while_a_mouse_never_rests() {
    let folder = TempDir::new().unwrap();
    let (home, case) = home(&folder);
    let file = folder.path().join("opinion.toml");
    std::fs::write(&file, "impression = \"0\"\nagreement = \"\"\n").unwrap();
    home.run(0, &["opinion", "draft", &case, "--file", file.to_str().unwrap()]);
    let terminal = Terminal::open();
    let _app = form(&terminal, &home);
    terminal.types(b"1");
    let moves = || {
        terminal.types(b"\x1b[<35;10;10M\x1b[<35;11;10M");
        std::thread::sleep(Duration::from_millis(10));
    };
    until("the draft", || {
        let mut show = home.json(&["opinion", "draft", &case]);
        let mut show = Killed(show.stdout(Stdio::piped()).spawn().unwrap());
        while show.0.try_wait().unwrap().is_none() {
            moves();
        }
        let mut said = String::new();
        show.0.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        said.contains("\"01\"").then_some(())
    });
}

#[test]
fn however_the_form_is_left_all_that_was_typed_is_kept() {
    let folder = TempDir::new().unwrap();
    let (home, case) = home(&folder);
    let file = folder.path().join("opinion.toml");
    std::fs::write(&file, "impression = \"0\"\nagreement = \"\"\n").unwrap();
    home.run(0, &["opinion", "draft", &case, "--file", file.to_str().unwrap()]);
    let mut expected = "0".to_owned();
    for (ways, left) in
        [("TERM", None), ("HUP", None), ("quit", Some(b'\x11')), ("lock", Some(b'\x0c')), ("leave", Some(b'\x1b'))]
    {
        let terminal = Terminal::open();
        let mut app = form(&terminal, &home);
        let words = format!(" and-{ways}");
        terminal.types(words.as_bytes());
        expected += &words;
        terminal.shows_whole(words.trim());
        match left {
            Some(key) => terminal.types(&[key]),
            None => send_signal(app.0.id(), ways),
        }
        match ways {
            "lock" => terminal.shows_whole("locked"),
            // Whatever is typed next would make another key of Escape.
            "leave" => {}
            _ => assert!(wait(&mut app.0).success(), "{ways}"),
        }
        let kept = until("the draft", || Some(impression(&home, &case)).filter(|kept| *kept == expected));
        assert_eq!(kept, expected, "{ways}");
    }
}
