//! The form as it is filled in, left, found again and signed.

use std::cell::RefCell;
use std::rc::Rc;

use crossterm::event::KeyCode;

use super::keeping::{KEEP_AFTER_MS, RETRY_MS};
use super::*;
use crate::node::api::{DRAFT_BYTES_MAX, Elsewhere, Event, Failure, KeptDraft, SeriesDisplayed};
use crate::ui::app::harness::{Harness, SIZES, case};
use crate::ui::message::Message;
use crate::ui::worklist::Worklist;

fn form() -> OpinionForm {
    let displayed = Displayed { protocol: "kitty".into(), grey_steps: 256, series: Vec::new() };
    OpinionForm::new(&case("c-1", "amber falcon"), displayed)
}

fn written(impression: &str) -> OpinionDraft {
    OpinionDraft { impression: impression.into(), agreement: "partly".into(), ..OpinionDraft::default() }
}

fn kept(impression: &str) -> KeptDraft {
    KeptDraft { saved: "2026-11-24T14:03:20Z".into(), revision: 41, opinion: written(impression) }
}

/// The form alone, with what was kept before.
fn opened(draft: Option<KeptDraft>) -> Harness {
    let mut app = Harness::of(form());
    let (ticket, request) = app.take_one();
    assert!(matches!(request, Request::OpinionDraftShow { case } if case == "c-1"));
    app.reply(ticket, Reply::Draft { draft });
    app
}

fn reply() -> Reply {
    Reply::DraftKept { saved: "2026-11-24T14:05:00Z".into(), elsewhere: None }
}

/// What the one request that waits keeps: the impression, its revision and the one seen before.
fn keeps(app: &mut Harness) -> (Ticket, String, u64, Option<u64>) {
    match app.take_one() {
        (ticket, Request::OpinionDraftKeep { opinion, revision, last_seen, .. }) => {
            (ticket, opinion.impression, revision, last_seen)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_typed_is_kept_a_moment_later_and_what_came_meanwhile_after_the_answer() {
    let mut app = opened(None);
    app.key(KeyCode::Tab).keys("Cyst");
    app.pass(KEEP_AFTER_MS - 1);
    assert!(app.waiting.is_empty(), "letters are not kept one by one");
    app.pass(1);
    let (ticket, impression, first, last_seen) = keeps(&mut app);
    assert_eq!((impression.as_str(), last_seen), ("Cyst", None));
    app.keys(", simple").pass(10 * KEEP_AFTER_MS);
    assert!(app.waiting.is_empty(), "one is under way at a time");
    app.reply(ticket, reply());
    let (ticket, impression, second, last_seen) = keeps(&mut app);
    assert_eq!((impression.as_str(), last_seen), ("Cyst, simple", Some(first)));
    assert_ne!(first, second);
    assert!(!app.shows("draft saved"), "not all is");
    app.reply(ticket, reply());
    assert!(app.shows("draft saved"), "{}", app.screen());
    app.pass(60_000);
    assert!(app.waiting.is_empty(), "nothing changed");
}

#[test]
fn who_types_without_a_pause_is_kept_too() {
    let mut app = opened(None);
    app.key(KeyCode::Tab);
    for _ in 0..4 {
        app.keys("abc").later(KEEP_AFTER_MS / 3);
    }
    assert!(keeps(&mut app).1.starts_with("abcabcabc"), "no tick came");
}

#[test]
fn a_draft_comes_back_and_says_of_when_it_is() {
    for size in SIZES {
        let mut app = Harness::new(size, |request| match request {
            Request::OpinionDraftShow { .. } => {
                let opinion = OpinionDraft {
                    findings: Some("Sharp edge, 4 HU, no enhancement.\nUnchanged since 2024.".into()),
                    ..written("A simple cyst of segment 7.\nNo metastasis.")
                };
                Some(Ok(Reply::Draft { draft: Some(KeptDraft { opinion, ..kept("") }) }))
            }
            _ => None,
        });
        app.go(Go::Over(Box::new(form())));
        app.looks_like("opinion-restored");
        app.control('t');
        app.looks_like("opinion-start-over");
        app.keys("n");
        assert!(app.shows("draft of 14:03 restored"), "{}", app.screen());
    }
}

#[test]
fn starting_over_asks_drops_what_is_kept_and_leaves_empty_fields() {
    let mut app = opened(Some(kept("Cyst")));
    app.control('t').keys("y");
    let (ticket, request) = app.take_one();
    assert!(matches!(request, Request::OpinionDraftDrop { revision: Some(41), .. }), "{request:?}");
    app.reply(ticket, Reply::Nothing {});
    assert!(!app.shows("Cyst") && !app.shows("restored") && !app.shows("saved"), "{}", app.screen());
    app.key(KeyCode::Esc);
    assert!(app.waiting.is_empty());
    let mut app = opened(None);
    app.control('t');
    assert_eq!(app.said(), "Nothing is written yet.");
}

#[test]
fn a_draft_of_another_day_has_its_date() {
    let app = opened(Some(KeptDraft { saved: "2026-11-20T09:30:00Z".into(), ..kept("Cyst") }));
    assert!(app.shows("draft of 2026-11-20 09:30 restored"), "{}", app.screen());
}

#[test]
fn what_is_typed_before_the_draft_is_known_cannot_hide_it() {
    let mut app = Harness::of(form());
    app.key(KeyCode::Tab).keys("new").pass(10 * KEEP_AFTER_MS);
    assert!(app.shows("looking for your draft"), "{}", app.screen());
    let (ticket, _) = app.take_one();
    app.reply(ticket, Reply::Draft { draft: Some(kept("Cyst")) });
    assert!(app.shows("Cyst") && !app.shows("new"), "{}", app.screen());
}

#[test]
fn leaving_keeps_first_and_goes_when_that_is_done() {
    let mut app = opened(None);
    app.key(KeyCode::Tab).keys("Cyst").key(KeyCode::Esc);
    let (ticket, impression, ..) = keeps(&mut app);
    assert!(impression == "Cyst" && app.place() == Place::Opinion);
    app.reply(ticket, reply());
    assert_eq!(app.place(), Place::Everywhere);
    assert_eq!(app.said(), "Your draft is kept on this machine; Ctrl+O goes on with it.");
}

#[test]
fn what_cannot_be_kept_is_left_only_after_a_question() {
    let mut app = opened(None);
    app.key(KeyCode::Tab).keys("Cyst").key(KeyCode::Esc);
    let (ticket, ..) = keeps(&mut app);
    app.fail(ticket, Failure::new(FailureCode::DiskFull, "The disk is full."));
    assert!(app.asks().contains("The disk is full.") && app.asks().contains("not kept"), "{}", app.asks());
    app.keys("n");
    assert!(app.shows("draft NOT saved: The disk is full."), "{}", app.screen());
    // It is tried again by itself, not at once.
    app.pass(RETRY_MS - 1);
    assert!(app.waiting.is_empty());
    app.pass(1);
    let (ticket, ..) = keeps(&mut app);
    app.reply(ticket, reply());
    assert!(app.shows("draft saved"), "{}", app.screen());
    app.keys("!").key(KeyCode::Esc);
    keeps(&mut app);
    app.key(KeyCode::Esc);
    assert!(app.asks().contains("does not answer"), "a node that hangs holds nobody");
    app.keys("y");
    assert_eq!(app.place(), Place::Everywhere);
}

#[test]
fn a_text_that_is_too_long_is_not_sent_and_the_form_says_so() {
    let mut app = opened(None);
    app.key(KeyCode::Tab).message(Message::Paste("x".repeat(DRAFT_BYTES_MAX + 1))).pass(KEEP_AFTER_MS);
    assert!(app.waiting.is_empty() && app.shows("draft NOT saved: It has 131073 bytes"), "{}", app.screen());
    app.key(KeyCode::Esc);
    assert!(app.asks().contains("at most 131072 are kept"), "{}", app.asks());
}

#[test]
fn the_lock_and_the_end_of_the_app_keep_what_was_typed_last() {
    let mut app = opened(Some(kept("Cyst")));
    app.key(KeyCode::Tab).keys("!");
    app.control('l');
    let asked: Vec<_> = app.take_waiting().into_iter().map(|(_, request)| request).collect();
    let [Request::OpinionDraftKeep { opinion, last_seen: Some(41), .. }, Request::Lock] = asked.as_slice() else {
        panic!("{asked:?}")
    };
    assert_eq!(opinion.impression, "Cyst!");
    let mut app = opened(None);
    app.key(KeyCode::Tab).keys("Cyst").end();
    assert_eq!(keeps(&mut app).1, "Cyst");
}

#[test]
fn signing_names_the_draft_and_nothing_is_kept_after_it() {
    let mut app = opened(Some(kept("Cyst")));
    app.key(KeyCode::Tab).keys("!").control('s');
    assert!(app.asks().contains("Impression: Cyst!"), "{}", app.asks());
    app.keys("y");
    let waiting = app.take_waiting();
    let [
        (keeping, Request::OpinionDraftKeep { revision, .. }),
        (signing, Request::OpinionSign { opinion, draft: Some(signed), .. }),
    ] = waiting.as_slice()
    else {
        panic!("{waiting:?}")
    };
    assert_eq!((revision, opinion.impression.as_str()), (signed, "Cyst!"));
    // Even if it was not kept: after the signature it would come back as a draft.
    app.fail(*keeping, Failure::new(FailureCode::Failed, "No."));
    app.pass(10 * RETRY_MS);
    app.reply(*signing, Reply::Nothing {});
    assert!(app.place() == Place::Everywhere && app.waiting.is_empty(), "{:?}", app.waiting);
}

#[test]
fn a_refused_signature_leaves_the_draft() {
    let mut app = opened(Some(kept("Cyst")));
    app.control('s').keys("y");
    let (signing, _) = app.take_one();
    app.fail(signing, Failure::new(FailureCode::Role, "Observers give no opinion."));
    app.key(KeyCode::Tab).keys("!").pass(KEEP_AFTER_MS);
    assert_eq!(keeps(&mut app).1, "Cyst!");
}

#[test]
fn what_another_window_did_is_told() {
    for (elsewhere, said) in [
        (Elsewhere::Kept { saved: "2026-11-24T14:04:00Z".into() }, "kept a draft of this opinion at 14:04"),
        (Elsewhere::Dropped, "dropped or signed elsewhere"),
    ] {
        let mut app = opened(Some(kept("Cyst")));
        app.key(KeyCode::Tab).keys("!").pass(KEEP_AFTER_MS);
        let (ticket, ..) = keeps(&mut app);
        app.reply(ticket, Reply::DraftKept { saved: String::new(), elsewhere: Some(elsewhere) });
        assert!(app.said().contains(said), "{}", app.said());
    }
}

#[test]
fn what_the_form_has_no_field_for_is_shown_and_signed_with_it() {
    let critical = CriticalDraft {
        finding: "Bleeding".into(),
        called: "Dr. Weber".into(),
        at: "2026-11-24T10:05:00Z".into(),
        taken_by: "Sr. Ana".into(),
    };
    let opinion = OpinionDraft { confidence: Some(80), critical: Some(critical.clone()), ..written("First.\nSecond.") };
    let mut app = opened(Some(KeptDraft { opinion, ..kept("") }));
    app.control('s');
    for line in ["\nImpression: First.\nSecond.\n", "Confidence: 80 %", "CRITICAL: Bleeding; called Dr. Weber at"] {
        assert!(app.asks().contains(line), "{line} not in {}", app.asks());
    }
    app.keys("y");
    let (_, request) = app.take_one();
    let Request::OpinionSign { opinion, .. } = request else { panic!("{request:?}") };
    assert_eq!((opinion.confidence, opinion.critical), (Some(80), Some(critical)));
}

#[test]
fn a_form_opened_again_shows_what_the_one_before_kept() {
    let row: Rc<RefCell<Option<KeptDraft>>> = Rc::default();
    let node = Rc::clone(&row);
    let mut app = Harness::new((80, 24), move |request| match request {
        Request::OpinionDraftShow { .. } => Some(Ok(Reply::Draft { draft: node.borrow().clone() })),
        Request::OpinionDraftKeep { opinion, revision, .. } => {
            let saved = "2026-11-24T10:00:00Z".into();
            *node.borrow_mut() = Some(KeptDraft { saved, revision: *revision, opinion: opinion.clone() });
            Some(Ok(reply()))
        }
        _ => None,
    });
    app.go(Go::Over(Box::new(form())));
    app.key(KeyCode::Right).key(KeyCode::Tab).keys("Cyst").key(KeyCode::Esc);
    assert!(app.back_to::<Worklist>() && app.place() == Place::Worklist);
    app.go(Go::Over(Box::new(form())));
    assert!(app.shows("draft of 10:00 restored") && app.shows("Cyst"), "{}", app.screen());
}

#[test]
fn a_form_that_is_emptied_again_drops_no_draft_that_it_never_saw() {
    let mut app = opened(None);
    app.key(KeyCode::Tab).keys("C").key(KeyCode::Backspace);
    app.pass(2 * KEEP_AFTER_MS);
    assert!(app.waiting.is_empty(), "another window may have kept one meanwhile");
}

#[test]
fn what_was_kept_and_cannot_be_read_is_neither_replaced_nor_dropped_until_she_starts_over() {
    let mut app = Harness::of(form());
    let (ticket, _) = app.take_one();
    app.fail(ticket, Failure::new(FailureCode::Damaged, "The draft kept for this case cannot be read."));
    app.key(KeyCode::Tab).keys("Cyst").pass(2 * KEEP_AFTER_MS);
    assert!(app.waiting.is_empty(), "it is not replaced");
    assert!(app.shows("draft NOT saved"), "{}", app.screen());
    app.control('t').keys("y");
    let (_, request) = app.take_one();
    assert!(matches!(request, Request::OpinionDraftDrop { revision: None, .. }));
}

/// An opinion that could be signed, and what the form asks before it is.
fn reviewed() -> Harness {
    let mut app = opened(Some(kept("Cyst")));
    app.control('s');
    app
}

#[test]
fn what_she_agreed_to_holds_for_what_she_saw_and_nothing_later() {
    for code in [FailureCode::TextCheck, FailureCode::Unsafe] {
        let mut app = reviewed();
        app.keys("y");
        let (ticket, _) = app.take_one();
        app.fail(ticket, Failure::new(code, "Is that so?"));
        app.keys("y");
        let (ticket, request) = app.take_one();
        let agreed = |request: &Request| match request {
            Request::OpinionSign { incomplete_ok, text_checked, .. } => *incomplete_ok || *text_checked,
            other => panic!("{other:?}"),
        };
        assert!(agreed(&request));
        app.fail(ticket, Failure::new(FailureCode::Failed, "The disk is full."));
        app.key(KeyCode::Tab).keys(" of Mr Meier").control('s').keys("y");
        let waiting = app.take_waiting();
        let signing = waiting.iter().find(|(_, request)| matches!(request, Request::OpinionSign { .. }));
        assert!(!agreed(&signing.unwrap().1), "it is asked again");
    }
}

#[test]
fn it_is_signed_on_the_question_that_was_seen_and_says_when_that_changes() {
    let mut app = reviewed();
    let changed = Event::Happened { what: "entries".into(), case: Some("c-1".into()), who: None };
    app.followed(changed.clone());
    let (ticket, request) = app.take_one();
    assert!(matches!(request, Request::CaseShow { .. }));
    let other =
        CaseView { question: "Now this?".into(), asked_by: vec!["other".into()], ..case("c-1", "amber falcon") };
    app.reply(ticket, Reply::Case(Box::new(other)));
    assert!(app.said().contains("What is asked has changed"), "{}", app.said());
    // The review that stands open was of the question before.
    app.keys("y");
    let (ticket, request) = app.take_one();
    let Request::OpinionSign { asked_by, .. } = request else { panic!("{request:?}") };
    assert_eq!(asked_by, Some(vec!["question".to_owned()]));
    let refused =
        Failure::new(FailureCode::Unsafe, "What is asked has changed.").detail("asked_by", vec!["other".into()]);
    app.fail(ticket, refused);
    assert_eq!(app.asks(), "", "that is not a thing to agree to");
    app.take_waiting();
    app.control('s');
    assert!(
        app.asks().contains("You answer: Now this?") && app.asks().contains("CHANGED while you wrote"),
        "{}",
        app.asks()
    );
    app.keys("y");
    let (_, request) = app.take_one();
    let Request::OpinionSign { asked_by, .. } = request else { panic!("{request:?}") };
    assert_eq!(asked_by, Some(vec!["other".to_owned()]));
    app.followed(Event::Happened { what: "entries".into(), case: Some("c-2".into()), who: None });
    assert!(app.take_waiting().is_empty(), "another case");
}

#[test]
fn the_review_tells_of_images_whose_frames_did_not_all_stand_on_the_screen() {
    let partly = |frames, frames_displayed| SeriesDisplayed {
        partly: PartlyDisplayed { instances: 1, frames, frames_displayed },
        instances: 2,
        ..SeriesDisplayed::default()
    };
    for (series, told) in [
        (vec![partly(400, 12)], Some("Besides 12 of 400 frames of 1 image stood there")),
        (vec![partly(400, 12), partly(3, 1)], Some("Besides 13 of 403 frames of 2 images stood there")),
        (vec![SeriesDisplayed { instances: 2, ..SeriesDisplayed::default() }], None),
    ] {
        let displayed = Displayed { protocol: "kitty".into(), grey_steps: 256, series };
        let mut app = Harness::of(OpinionForm::new(&case("c-1", "amber falcon"), displayed));
        let (ticket, _) = app.take_one();
        app.reply(ticket, Reply::Draft { draft: Some(kept("A cyst.")) });
        app.control('s');
        let asks = app.asks();
        assert!(asks.contains("images that stood on this screen"), "{asks}");
        assert_eq!(asks.contains("Besides"), told.is_some(), "{asks}");
        assert!(told.is_none_or(|told| asks.contains(told)), "{asks}");
    }
}
