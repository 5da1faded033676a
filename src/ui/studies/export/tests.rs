//! What an export does with keys and answers, and what is seen of it.

use std::path::Path;

use crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEventKind};

use super::*;
use crate::ui::app::harness::Harness;
use crate::ui::files::{Entry, Kind};
use crate::ui::message::Message;

fn study() -> StudyView {
    StudyView {
        id: "s-k3vqabcdefgh".into(),
        modality: "CT".into(),
        description: "CT Chest\u{1b}[2J".into(),
        series: 2,
        instances: 118,
        left_out: 2,
        bytes_stored: 21_000_000,
        origin: "mine".into(),
        cases: Vec::new(),
    }
}

fn home(path: &Path) -> Result<Listing, String> {
    let folder = if path == Path::new("~") { Path::new("/home/anna") } else { path };
    let entry = |name: &str| Entry { name: name.into(), kind: Kind::Folder, bytes: 0 };
    let entries = match folder.to_str().unwrap() {
        "/home/anna" => vec![entry("docs"), entry("ct-chest-2j-s-k3vqabcd")],
        "/home/anna/docs" => Vec::new(),
        other => return Err(format!("There is no {other}.")),
    };
    Ok(Listing { folder: folder.to_owned(), entries, cut: false, file: None })
}

fn at_home() -> Harness {
    let mut app = Harness::of(ExportStudy::new(&study()));
    app.list(home);
    app
}

fn directory(app: &mut Harness) -> (Ticket, PathBuf) {
    match app.waiting.last() {
        Some((ticket, Request::StudyExport { study, directory })) => {
            assert_eq!(study, "s-k3vqabcdefgh");
            (*ticket, directory.clone())
        }
        other => panic!("{other:?} {}", app.said()),
    }
}

#[test]
fn it_goes_into_a_new_folder_under_home_unless_another_is_chosen() {
    let mut app = Harness::of(ExportStudy::new(&study()));
    app.body_looks_like("studies/export-reading");
    app.list(home);
    app.body_looks_like("studies/export-where");
    app.enter();
    let (ticket, path) = directory(&mut app);
    assert_eq!(path, Path::new("/home/anna/ct-chest-2j-s-k3vqabcd-2"), "the first name is taken");
    let progress = Progress {
        stage: "export".into(),
        done: 12_000_000,
        total: Some(21_000_000),
        unit: "bytes".into(),
        bytes_per_second: Some(9_000_000),
        seconds_left: Some(1),
    };
    app.on_the_way(Event::Progress(progress));
    app.pass(1_800_000);
    app.body_looks_like("studies/export-busy");
    let directory = path.display().to_string();
    app.reply(ticket, Reply::Exported { instances: 118, bytes: 64_000_000, directory });
    app.body_looks_like("studies/exported");
    app.enter();
    assert_eq!(app.place(), Place::Everywhere);
}

#[test]
fn a_folder_is_walked_to_and_named() {
    let mut app = at_home();
    app.key(KeyCode::Down).enter();
    app.list(home);
    app.keys("n").control('u').keys("for the viewer").enter().keys("w");
    assert_eq!(directory(&mut app).1, Path::new("/home/anna/docs/for the viewer"));
}

#[test]
fn nothing_is_written_by_walking_nor_by_one_click() {
    let mut app = at_home();
    app.key(KeyCode::Down).key(KeyCode::Right);
    app.list(home);
    app.key(KeyCode::Right).key(KeyCode::Right);
    assert!(app.waiting.is_empty() && app.said() == "Choose a folder to go into.");

    let click = |app: &mut Harness, words: &str| {
        let row = app.screen().lines().position(|line| line.contains(words)).unwrap() as u16;
        let kind = MouseEventKind::Down(MouseButton::Left);
        app.message(Message::Pointer(MouseEvent { kind, column: 4, row, modifiers: KeyModifiers::NONE }));
    };
    let folder = "./  make it";
    click(&mut app, folder);
    assert!(app.waiting.is_empty() && app.said() == "Click it once more, or press w, to write here.");
    // A key between them, or a click elsewhere, and it is a first one again.
    app.key(KeyCode::Home);
    click(&mut app, folder);
    click(&mut app, "It becomes the folder");
    click(&mut app, folder);
    assert!(app.waiting.is_empty() && app.place() == Place::Destination);
    click(&mut app, folder);
    assert_eq!(directory(&mut app).1, Path::new("/home/anna/docs/ct-chest-2j-s-k3vqabcd"));

    // Two clicks on a folder go into it, as ever.
    let mut app = at_home();
    click(&mut app, "docs");
    click(&mut app, "docs");
    assert_eq!(app.list(home), 1);
    assert!(app.waiting.is_empty() && app.body((80, 24)).contains("/home/anna/docs"));
}

#[test]
fn refusals_say_what_to_do_here() {
    let mut app = at_home();
    app.keys("w");
    let (ticket, _) = directory(&mut app);
    let failure =
        Failure::new(FailureCode::WrongUse, "The folder is not empty; name a new one, nothing is overwritten.");
    app.fail(ticket, failure.hint("Name a folder that is empty or does not exist yet."));
    app.list(home);
    app.body_looks_like("studies/export-refused");

    app.take_waiting();
    app.keys("w");
    let (ticket, _) = directory(&mut app);
    let failure = Failure::new(FailureCode::Partly, "100 images were written; 18 have not arrived yet.");
    app.fail(ticket, failure.hint("`overread fetch CASE` gets the rest; export again into a new folder."));
    app.body_looks_like("studies/export-partly");
    assert!(!app.body((200, 60)).contains('`'));
}

#[test]
fn it_can_be_stopped() {
    let mut app = at_home();
    app.keys("w");
    let (ticket, _) = directory(&mut app);
    app.key(KeyCode::Esc);
    assert!(app.wished.iter().any(|wish| matches!(wish, Wish::Cancel { ticket: own } if *own == ticket)));
    assert!(app.said().starts_with("Stopped:") && app.place() == Place::Destination);
    app.keys("w").end();
    assert_eq!(app.wished.iter().filter(|wish| matches!(wish, Wish::Cancel { .. })).count(), 2);
}

#[test]
fn no_size_of_a_terminal_breaks_it() {
    for (width, height) in [(1, 3), (2, 3), (10, 5), (40, 8), (300, 100)] {
        at_home().body((width, height));
    }
}
