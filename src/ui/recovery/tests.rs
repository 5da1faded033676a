//! The recovery code as it looks, and what is asked back.

use std::cell::RefCell;
use std::rc::Rc;

use crossterm::event::KeyCode;
use proptest::prelude::*;

use super::{ASKED, HOLD_MS, places};
use crate::node::api::{CaseSummary, Failure, FailureCode, Reply, Request};
use crate::ui::app::harness::{Harness, SIZES, status, summary};

fn words() -> Vec<String> {
    let words = "crane velvet honey umbrella lake zoo mushroom elephant ice zone amber falcon \
                 abandon ability able about above absent absorb abstract absurd abuse access accident";
    words.split(' ').map(str::to_owned).collect()
}

/// A node that has the code and compares as ours does.
fn node(confirmed: Rc<RefCell<Vec<String>>>) -> impl FnMut(&Request) -> Option<Result<Reply, Failure>> {
    let once_right = RefCell::new(false);
    move |request| match request {
        Request::Status => Some(Ok(status(*once_right.borrow()))),
        Request::RecoveryCode => Some(Ok(Reply::RecoveryCode { words: words() })),
        Request::ConfirmRecoveryCode { words: typed } => {
            confirmed.borrow_mut().push(typed.clone());
            let right = typed.split(' ').all(|placed| {
                let (place, word) = placed.split_once(':').unwrap();
                words()[place.parse::<usize>().unwrap() - 1] == word
            });
            let wrong = || Failure::new(FailureCode::WrongUse, "These are not the words at those places.");
            *once_right.borrow_mut() |= right;
            Some(if right { Ok(Reply::Nothing {}) } else { Err(wrong()) })
        }
        _ => None,
    }
}

/// The places that are asked for now, read from the screen.
fn asked_places(app: &Harness) -> Vec<usize> {
    let screen = app.screen();
    screen
        .split("Word ")
        .skip(1)
        .map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap())
        .collect()
}

#[test]
fn the_code_is_shown_on_request_and_three_words_are_asked_back() {
    for size in SIZES {
        let confirmed = Rc::default();
        let mut app = Harness::new(size, node(Rc::clone(&confirmed)));
        app.keys("R");
        app.looks_like("recovery-ready");
        app.enter();
        app.keys("Rightly so").enter();
        app.pass(HOLD_MS).enter();
        assert!(app.shows("Your passphrase is needed"), "keys that were meant for the screen below count for nothing");
        app.keys("correct horse").enter();
        assert!(!app.shows("horse"), "{}", app.screen());
        app.looks_like("recovery-code");
        app.enter();
        app.looks_like("recovery-words");
        let places = asked_places(&app);
        assert!(places.len() == ASKED && !app.shows("umbrella"), "while asked the code is on no screen");
        for place in &places {
            app.keys(&words()[place - 1].to_uppercase()).enter();
        }
        let expected: Vec<String> = places.iter().map(|place| format!("{place}:{}", words()[place - 1])).collect();
        assert_eq!(*confirmed.borrow(), [expected.join(" ")]);
        app.looks_like("recovery-right");
    }
}

#[test]
fn wrong_words_are_asked_anew_at_other_places_and_after_three_tries_the_way_leads_back_to_the_code() {
    for size in SIZES {
        let confirmed = Rc::default();
        let mut app = Harness::new(size, node(Rc::clone(&confirmed)));
        app.keys("R").pass(HOLD_MS).keys("correct horse").enter().enter();
        let first = asked_places(&app);
        app.keys("a").enter().keys("b").enter().keys("c").enter();
        app.looks_like("recovery-wrong");
        assert_ne!(asked_places(&app), first);
        for _ in 0..2 {
            app.keys("a").enter().keys("b").enter().keys("c").enter();
        }
        app.looks_like("recovery-differed");
        assert!(confirmed.borrow().len() == 3 && !app.shows("umbrella"), "not without the passphrase");
        app.keys("correct horse").enter();
        assert!(app.shows("umbrella") && app.shows("was not on this list"), "{}", app.screen());
    }
}

#[test]
fn no_word_may_be_missing() {
    let confirmed = Rc::default();
    let mut app = Harness::new((80, 24), node(Rc::clone(&confirmed)));
    app.keys("R").pass(HOLD_MS).keys("correct horse").enter().enter().enter().enter().enter();
    assert!(confirmed.borrow().is_empty() && app.shows("All three words are needed."));
}

#[test]
fn escape_from_the_words_leads_back_to_the_code_through_the_passphrase() {
    let mut app = Harness::new((80, 24), node(Rc::default()));
    app.keys("R").pass(HOLD_MS).keys("correct horse").enter().enter();
    app.key(KeyCode::Esc);
    assert!(!app.shows("umbrella") && app.shows("Your passphrase"), "{}", app.screen());
    app.keys("correct horse").enter();
    assert!(app.shows("umbrella"));
    app.key(KeyCode::Esc);
    assert!(!app.shows("umbrella") && app.shows("R your recovery code is not on paper yet"), "{}", app.screen());
}

fn case(not_sent: bool) -> CaseSummary {
    CaseSummary {
        urgency: "urgent".into(),
        chunks_have: 0,
        chunks_total: 0,
        not_sent,
        people: vec!["Jonas Beck".into()],
        ..summary("c-k3vq", "amber falcon", "Is this a bleed?")
    }
}

#[test]
fn it_comes_by_itself_once_after_the_first_case_has_gone_out() {
    for size in SIZES {
        let mut all = node(Rc::default());
        let mut app = Harness::new(size, move |request| match request {
            Request::CaseList => Some(Ok(Reply::Cases { cases: vec![case(true)] })),
            other => all(other),
        });
        assert!(app.shows("NOT SENT") && app.shows("your recovery code is not on paper yet"));
        app.looks_like("worklist-recovery-line");
        let mut all = node(Rc::default());
        app.script(move |request| match request {
            Request::CaseList => Some(Ok(Reply::Cases { cases: vec![case(false)] })),
            other => all(other),
        });
        app.pass(10_000);
        assert!(app.shows("Your passphrase, to see the words"), "{}", app.screen());
        app.key(KeyCode::Esc);
        app.pass(10_000);
        assert!(app.shows("amber falcon") && !app.shows("Your passphrase, to see the words"), "{}", app.screen());
    }
}

#[test]
fn a_confirmed_code_leaves_no_line_behind() {
    let app = Harness::new((80, 24), |_| None);
    assert!(!app.shows("recovery code"));
}

proptest! {
    #[test]
    fn places_are_different_in_order_and_within_the_code(words in 0usize..30, rolls in prop::collection::vec(any::<u64>(), ASKED)) {
        let mut rolls = rolls.into_iter();
        let places = places(words, || rolls.next().unwrap_or_default());
        prop_assert_eq!(places.len(), ASKED.min(words));
        prop_assert!(places.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert!(places.iter().all(|place| (1..=words).contains(place)));
    }
}

#[test]
fn a_wrong_passphrase_shows_no_code_and_says_why() {
    let mut app = Harness::new((80, 24), |request| match request {
        Request::RecoveryCode => {
            let wrong = Failure::new(FailureCode::WrongPassphrase, "The passphrase is wrong.").wait(2);
            Some(Err(wrong.hint("The next one is taken in 2 s, and later after each wrong one.")))
        }
        _ => None,
    });
    app.keys("R").pass(HOLD_MS).keys("wrong horse").enter();
    assert!(app.shows("The passphrase is wrong. The next one is taken in 2 s"), "{}", app.screen());
    assert!(!app.shows("horse"));
}
