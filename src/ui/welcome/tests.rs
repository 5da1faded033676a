//! The first start as it looks, and what its two forms ask for.

use crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::WORDS_SHOWN_MS;
use crate::node::api::{Failure, FailureCode, Initialised, Reply, Request};
use crate::ui::app::harness::{Harness, SIZES};
use crate::ui::message::Message;

/// Test vector of BIP-39 for entropy of 32 times 7f.
const CODE: &str = "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful \
                    legal winner thank year wave sausage worth title";

/// An app over a home that nobody has yet.
fn start(size: (u16, u16)) -> Harness {
    Harness::of_nobody(size)
}

fn paste(app: &mut Harness, text: &str) {
    app.message(Message::Paste(text.into()));
}

fn recovers(app: &Harness) -> bool {
    app.asked.iter().any(|request| matches!(request, Request::VaultRecover { .. }))
}

#[test]
fn the_first_screen_offers_the_recovery_code_by_key_and_by_mouse_and_escape_leads_back() {
    for size in SIZES {
        let mut app = start(size);
        app.keys("Dr. Anna Weber");
        app.looks_like("welcome/new");
        app.control('o');
        app.looks_like("welcome/restore");
        app.key(KeyCode::Esc);
        assert!(app.shows("Welcome to Overread") && app.shows("Dr. Anna Weber"), "{}", app.screen());
        let screen = app.screen();
        let (row, line) = screen.lines().enumerate().find(|(_, line)| line.contains("I have a recovery code")).unwrap();
        let at = line.find("I have").map(|at| line[..at].chars().count()).unwrap();
        app.message(Message::Pointer(MouseEvent {
            kind: MouseEventKind::Down(MouseButton::Left),
            column: u16::try_from(at).unwrap(),
            row: u16::try_from(row).unwrap(),
            modifiers: KeyModifiers::NONE,
        }));
        assert!(app.shows("Restore your identity"), "{}", app.screen());
    }
}

#[test]
fn an_identity_is_restored_from_pasted_words_and_it_is_said_what_came_back() {
    for size in SIZES {
        let mut app = start(size);
        app.control('o');
        // Numbered, in lines, in two parts.
        paste(&mut app, "1. legal\n2. winner\n3. THANK\n4. year\n5. wave\n6. sausage\n");
        paste(&mut app, CODE.split_once("sausage ").unwrap().1);
        assert!(app.shows("24 of 24 words") && app.shows("24  title"), "{}", app.screen());
        app.enter().keys("Dr. Anna Weber").enter().keys("St. Vinzenz, Köln").enter();
        app.keys("correct horse").enter().keys("correct horse");
        assert!(!app.shows("horse"), "{}", app.screen());
        app.looks_like("welcome/restore-filled");
        app.enter();
        app.looks_like("welcome/restore-busy");
        let Some(request @ Request::VaultRecover { words, new, name, site }) = app.asked.last() else {
            panic!("{:?}", app.asked)
        };
        assert!(words.0.ends_with("worth title") && new.0 == "correct horse");
        assert_eq!((name.as_str(), site.as_str()), ("Dr. Anna Weber", "St. Vinzenz, Köln"));
        let printed = format!("{request:?}").to_lowercase();
        assert!(!printed.contains("sausage") && !printed.contains("horse"), "{printed}");
        let made = Initialised {
            identity: "p-annak3vq7m2x5n4w".into(),
            device: "d-annax7q2m5k3vn4w".into(),
            fingerprint: "abcd efgh ijkl mnop qrst uvwx".into(),
        };
        app.script(|_| None);
        app.answer(Ok(Reply::Initialised(made)));
        app.looks_like("welcome/restored");
        assert!(app.shows("p-annak3vq7m2x5n4w") && app.shows("none of it is in the code"), "{}", app.screen());
        app.enter();
        assert!(app.shows("worklist") && !app.shows("none of it is in the code"), "{}", app.screen());
    }
}

#[test]
fn a_wrong_word_is_named_with_its_place_and_nothing_leaves_the_form() {
    let mut app = start(SIZES[0]);
    let mut submit = |words: &str| {
        app.control('o').control('u').keys(words).key(KeyCode::Tab).control('u').keys("Anna").key(KeyCode::Tab);
        app.control('u').keys("Köln").key(KeyCode::Tab).control('u').keys("correct horse").key(KeyCode::Tab);
        app.control('u').keys("correct horse").enter();
        assert!(!recovers(&app));
        app.screen()
    };
    // After a refusal the cursor is at the words again.
    let screen = submit(&CODE.replacen("worth", "wurth", 1));
    let told = "This is not a recovery code: word 7, \"wurth\", is not in the word list;";
    assert!(screen.contains(told) && screen.contains("7? wurth"), "{screen}");
    assert!(submit(CODE.rsplit_once(' ').unwrap().0).contains("a recovery code has 24 words; you typed 23"));
    assert!(submit(&CODE.replacen("legal winner", "winner legal", 1)).contains("one is wrong or two are swapped"));
    assert!(submit("").contains("The words on your paper are needed."));
    for size in SIZES {
        let mut app = start(size);
        app.control('o');
        paste(&mut app, &CODE.replacen("worth", "wurth", 1));
        for _ in 0..5 {
            app.enter();
        }
        app.looks_like("welcome/restore-wrong-word");
    }
}

#[test]
fn a_refusal_of_the_node_is_shown_and_the_form_can_be_sent_again() {
    let mut app = start(SIZES[0]);
    app.control('o').keys(CODE).enter().keys("Anna").enter().keys("Köln").enter();
    app.keys("short").enter().keys("short").enter();
    assert!(app.shows("It is shorter than 8 characters."), "{}", app.screen());
    app.control('u').keys("correct horse").enter().control('u').keys("correct house").enter();
    assert!(app.shows("The two passphrases differ.") && !recovers(&app), "{}", app.screen());
    app.control('u').keys("correct horse").enter();
    app.answer(Err(Failure::new(FailureCode::DiskFull, "The disk is full.").hint("Free some space.")));
    assert!(app.shows("The disk is full. Free some space."), "{}", app.screen());
    let before = app.asked.len();
    app.enter();
    assert!(app.asked.len() == before + 1 && recovers(&app));
}

#[test]
fn words_that_are_left_alone_do_not_stay_on_the_screen() {
    let mut app = start(SIZES[0]);
    app.control('o').keys("legal winner thank");
    app.pass(WORDS_SHOWN_MS - 1);
    assert!(app.shows("winner"));
    app.keys(" year").pass(WORDS_SHOWN_MS - 1);
    assert!(app.shows("winner"), "a key counts");
    app.pass(1);
    assert!(!app.shows("winner") && app.shows("The words were taken off the screen"), "{}", app.screen());
    app.control('o');
    assert!(app.shows("0 of 24 words"), "they are gone for good: {}", app.screen());
}
