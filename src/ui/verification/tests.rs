//! A verification as it looks under way and with every kind of report, and the ways that lead to it.

use crossterm::event::KeyCode;

use crate::node::api::{CaseSummary, Event, Failure, FailureCode, Progress, Reply, Request};
use crate::ui::app::harness::{Harness, SIZES, case, summary};
use crate::ui::message::Wish;

const HASH: &str = "k3vq7m2x5n4wa6ptk3vq7m2x5n4wa6ptk3vq7m2x5n4wa6ptk3vq";

fn report(problems: &[&str], state_hash: Option<&str>) -> Reply {
    Reply::VerifyReport {
        ok: problems.is_empty(),
        entries: 12,
        chunks: 240,
        problems: problems.iter().map(ToString::to_string).collect(),
        state_hash: state_hash.map(str::to_owned),
    }
}

/// A worklist with a case that holds and one that does not.
fn worklist(size: (u16, u16)) -> Harness {
    Harness::new(size, |request| match request {
        Request::CaseList => {
            let damaged = CaseSummary {
                status: "damaged".into(),
                urgency: String::new(),
                role: String::new(),
                people: Vec::new(),
                ..summary("c-2", "blue heron", "")
            };
            Some(Ok(Reply::Cases { cases: vec![summary("c-1", "amber falcon", "Cyst?"), damaged] }))
        }
        Request::CaseShow { .. } => Some(Ok(Reply::Case(Box::new(case("c-1", "amber falcon"))))),
        _ => None,
    })
}

fn asked(app: &Harness, wanted: &str) -> bool {
    matches!(app.asked.last(), Some(Request::Verify { what }) if what == wanted)
}

fn progress(done: u64) -> Event {
    Event::Progress(Progress {
        stage: "verify".into(),
        done,
        total: Some(250 << 20),
        unit: "bytes".into(),
        bytes_per_second: Some(100 << 20),
        seconds_left: Some(2),
    })
}

#[test]
fn a_case_is_verified_from_its_screen_and_gives_a_state_to_compare() {
    for size in SIZES {
        let mut app = worklist(size);
        app.enter().keys("Y");
        assert!(asked(&app, "c-1"), "{:?}", app.asked.last());
        app.looks_like("verification/begun");
        app.on_the_way(progress(50 << 20));
        app.looks_like("verification/under-way");
        app.answer(Ok(report(&[], Some(HASH))));
        app.looks_like("verification/same");
        assert!(app.shows("All is as it was signed.") && app.shows(HASH), "{}", app.screen());
        app.keys("r");
        assert!(asked(&app, "c-1") && !app.shows(HASH), "{}", app.screen());
        app.answer(Ok(report(&[], None)));
        assert!(app.shows("There is no state to compare yet"), "{}", app.screen());
        app.key(KeyCode::Esc);
        assert!(app.shows("Metastasis or cyst?"), "{}", app.screen());
    }
}

#[test]
fn damaged_images_of_a_case_are_named_with_what_to_do() {
    for size in SIZES {
        let mut app = worklist(size);
        app.keys("v").answer(Ok(report(&["c-1 1.2.840.4711: a stored piece of an image is damaged"], Some(HASH))));
        app.looks_like("verification/images-damaged");
        assert!(app.shows("1 problem was found") && app.shows("Ctrl+F in the case"), "{}", app.screen());
    }
}

#[test]
fn the_worklist_leads_from_a_damaged_case_to_what_is_damaged_of_it() {
    for size in SIZES {
        for key in [KeyCode::Enter, KeyCode::Char('v')] {
            let mut app = worklist(size);
            app.key(KeyCode::Down);
            app.looks_like("worklist-damaged");
            app.key(key);
            assert!(asked(&app, "c-2"), "{:?}", app.asked.last());
            app.answer(Ok(report(&["c-2 entry k3vq7m2x: the signature is wrong"], None)));
            app.looks_like("verification/history-damaged");
            assert!(app.shows("Nothing of this case is shown or written"), "{}", app.screen());
        }
    }
}

#[test]
fn what_cannot_be_done_with_a_damaged_case_is_said_in_words_of_the_app() {
    let mut app = worklist(SIZES[0]);
    app.key(KeyCode::Down).keys("f");
    let failure = Failure::new(FailureCode::Damaged, "The stored history of case c-2 is damaged.");
    app.answer(Err(failure.hint("`overread verify CASE` names what is damaged.")));
    assert!(app.said().contains("v says what of it") && !app.said().contains("overread"), "{}", app.said());
}

#[test]
fn everything_is_verified_from_the_settings() {
    for size in SIZES {
        let mut app = worklist(size);
        app.keys("sjjjj").enter();
        assert!(asked(&app, "all"), "{:?}", app.asked.last());
        app.answer(Ok(report(&[], None)));
        app.looks_like("verification/everything");
        assert!(app.shows("All is as it was signed."), "{}", app.screen());
        app.keys("r");
        let problems: Vec<String> = (0..200).map(|number| format!("piece {number} is damaged")).collect();
        app.answer(Ok(report(&problems.iter().map(String::as_str).collect::<Vec<_>>(), None)));
        app.looks_like("verification/everything-damaged");
        app.key(KeyCode::End);
        assert!(app.shows("piece 199 is damaged") && !app.shows("200 problems"), "{}", app.screen());
        app.key(KeyCode::Home);
        assert!(app.shows("200 problems were found"), "{}", app.screen());
    }
}

#[test]
fn escape_stops_it_and_so_does_the_lock() {
    for stop in [KeyCode::Esc, KeyCode::Char('l')] {
        let mut app = worklist(SIZES[0]);
        app.keys("v");
        let ticket = app.waiting.last().unwrap().0;
        match stop {
            KeyCode::Char(letter) => app.control(letter),
            code => app.key(code),
        };
        let is_cancelled = |wish: &Wish| matches!(wish, Wish::Cancel { ticket: cancelled } if *cancelled == ticket);
        assert!(app.wished.iter().any(is_cancelled), "{stop:?}: {:?}", app.wished);
        if stop == KeyCode::Esc {
            assert!(app.said().contains("Nothing was changed.") && app.shows("amber falcon"), "{}", app.screen());
        }
    }
}

#[test]
fn a_failure_says_what_happened_without_words_of_the_command_line() {
    for size in SIZES {
        let mut app = worklist(size);
        app.keys("v");
        let failure = Failure::new(FailureCode::NotFound, "There is no case c-1 here.");
        app.answer(Err(failure.hint("`overread case list` shows the cases you are a member of.")));
        app.looks_like("verification/failed");
        assert!(app.shows("There is no case c-1 here.") && !app.shows("overread case"), "{}", app.screen());
    }
}
