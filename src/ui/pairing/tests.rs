//! Pairing as it looks at each stage, and what each key does to it.

use crossterm::event::KeyCode;

use crate::node::api::{Event, Failure, FailureCode, Reply, Request};
use crate::ui::app::harness::{Harness, SIZES, card};
use crate::ui::message::Wish;

fn open(code: &str) -> Event {
    Event::PairingOpen {
        code: code.into(),
        addresses: vec![
            "/ip4/127.0.0.1/tcp/40123".into(),
            "/ip6/::1/tcp/40123".into(),
            "/ip4/192.168.178.20/tcp/40123".into(),
            "/ip6/fd00::17/tcp/40123".into(),
        ],
        command: format!("overread join {code}"),
    }
}

fn confirm() -> Event {
    Event::ConfirmPerson {
        name: "Dr. Jonas Beck".into(),
        site: "AKH Wien".into(),
        fingerprint: "abcd efgh ijkl mnop qrst uvwx".into(),
    }
}

fn paired() -> Result<Reply, Failure> {
    Ok(Reply::Paired { colleague: card("Jonas Beck", "AKH Wien", "verified") })
}

fn with_beck(request: &Request) -> Option<Result<Reply, Failure>> {
    matches!(request, Request::CardList).then(|| {
        let cards = vec![card("Anton Aal", "Praxis", "verified"), card("Jonas Beck", "AKH Wien", "verified")];
        Ok(Reply::Cards { cards })
    })
}

#[test]
fn the_code_is_large_with_its_time_and_the_guesses_used() {
    for size in SIZES {
        let mut app = Harness::new(size, |_| None);
        app.keys("cp");
        app.looks_like("pair-opening");
        app.on_the_way(open("47-crane-velvet-honey")).pass(1_000);
        app.looks_like("pair-open");
        app.pass(29_000).on_the_way(open("947-umbrella-elephant-mushroom"));
        app.looks_like("pair-second-code-after-a-wrong-one");
        app.pass(120_000).on_the_way(open("8-zoo-ice-zone")).pass(105_000);
        app.looks_like("pair-third-code-after-time-ran-out");
    }
}

#[test]
fn on_a_screen_too_small_for_large_letters_the_code_is_plain_text() {
    let mut app = Harness::new((40, 12), |_| None);
    app.keys("cp").on_the_way(open("947-umbrella-elephant-mushroom"));
    assert!(app.shows("947-umbrella-elephant-mushroom"), "{}", app.screen());
    assert!(!app.shows("▀"));
}

#[test]
fn whoever_used_the_code_is_confirmed_by_name_site_and_fingerprint() {
    for size in SIZES {
        let mut app = Harness::new(size, |_| None);
        app.keys("cp").on_the_way(open("47-crane-velvet-honey")).on_the_way(confirm());
        app.looks_like("pair-confirm");
        assert!(app.wished.iter().any(|wish| matches!(wish, Wish::Bell)));
        let (ticket, _) = app.waiting.last().unwrap().clone();
        app.enter();
        assert!(!app.wished.iter().any(|wish| matches!(wish, Wish::Confirm { .. })), "Enter alone says nothing");
        app.keys("y");
        app.looks_like("pair-confirmed-here");
        assert!(matches!(app.wished.last(), Some(Wish::Confirm { ticket: t, yes: true }) if *t == ticket));
        app.script(with_beck);
        app.answer(paired());
        app.looks_like("paired");
    }
}

#[test]
fn a_no_is_told_and_nobody_is_kept() {
    let mut app = Harness::new((80, 24), |_| None);
    app.keys("cp").on_the_way(open("47-crane-velvet-honey")).on_the_way(confirm()).key(KeyCode::Esc);
    assert!(matches!(app.wished.last(), Some(Wish::Confirm { yes: false, .. })));
    assert!(app.shows("telling the other side"));
    app.answer(Err(Failure::new(FailureCode::Failed, "You declined; nothing was kept.").hint("Call each other.")));
    app.looks_like("pair-declined");
    app.enter();
    assert!(matches!(app.asked.last(), Some(Request::PairOpen)));
    assert!(app.shows("opening the door"));
}

#[test]
fn all_codes_used_up_is_said_and_enter_opens_the_door_again() {
    for size in SIZES {
        let mut app = Harness::new(size, |_| None);
        app.keys("cp").on_the_way(open("47-crane-velvet-honey"));
        let what =
            "Not paired: all 3 codes are used up; open the pairing again, and call each other if it was not you.";
        app.answer(Err(Failure::new(FailureCode::Failed, what)));
        app.looks_like("pair-no-codes-left");
    }
}

#[test]
fn leaving_ends_the_pairing() {
    let mut app = Harness::new((80, 24), |_| None);
    app.keys("cp").on_the_way(open("47-crane-velvet-honey"));
    let (ticket, _) = app.waiting.last().unwrap().clone();
    app.key(KeyCode::Esc);
    assert!(matches!(app.wished.last(), Some(Wish::Cancel { ticket: t }) if *t == ticket));
    assert!(app.shows("No colleague yet"));
}

#[test]
fn a_code_is_typed_with_an_address_only_if_there_is_one() {
    for size in SIZES {
        let mut app = Harness::new(size, |_| None);
        app.keys("ct");
        app.looks_like("join-empty");
        app.keys("47 crane velv hone");
        app.enter();
        app.looks_like("join-searching");
        assert!(
            matches!(app.asked.last(), Some(Request::PairJoin { code, at }) if code == "47 crane velv hone" && at.is_empty())
        );
        app.on_the_way(confirm());
        app.looks_like("join-confirm");
        app.keys("y").script(with_beck);
        app.answer(paired());
        app.looks_like("paired");
    }
    let mut app = Harness::new((80, 24), |_| None);
    app.keys("ct").keys("47-crane-velvet-honey").key(KeyCode::Tab).keys("10.0.0.3:4001").enter();
    assert!(matches!(app.asked.last(), Some(Request::PairJoin { at, .. }) if at == &["10.0.0.3:4001"]));
}

#[test]
fn a_wrong_code_is_gone_from_the_field_and_a_mistyped_one_stays() {
    for size in SIZES {
        let mut app = Harness::new(size, |_| None);
        app.keys("ct").keys("47-crane-velvet-honey").enter();
        let what = "Not paired: the code does not match: mistyped, or somebody else is trying; the code is used up, so read out and type a new one.";
        let wrong = Failure::new(FailureCode::Untrusted, what)
            .hint("Ask your colleague to read out a new code: `overread pair open` shows one.");
        app.answer(Err(wrong));
        app.looks_like("join-wrong-code");
        assert!(!app.shows("47-crane"));
    }
    let mut app = Harness::new((80, 24), |_| None);
    app.keys("ct").keys("47-crane-velvat-honey").enter();
    let what =
        "This is not a pairing code: word 2 of the code, \"velvat\", is not in the word list; ask to hear it again";
    app.answer(Err(Failure::new(FailureCode::WrongUse, what)));
    assert!(app.shows("47-crane-velvat-honey") && app.shows("word 2 of the code"));
}

#[test]
fn a_door_that_is_not_found_keeps_the_code_that_was_not_tried() {
    for size in SIZES {
        let mut app = Harness::new(size, |_| None);
        app.keys("ct").keys("12-lake-zoo-ice").enter();
        let failure = Failure::new(FailureCode::NotReached, "Not paired: no open door with this number was found.")
            .hint("Both programs must run at the same time. On another network add the address: `overread join CODE@ADDRESS`.");
        app.answer(Err(failure));
        app.looks_like("join-not-found");
        assert!(app.shows("12-lake-zoo-ice"));
    }
}

#[test]
fn names_from_the_other_side_cannot_command_the_terminal() {
    let mut app = Harness::new((80, 24), |_| None);
    app.keys("ct").keys("47-crane-velvet-honey").enter();
    let name = "Dr. \u{1b}]0;x\u{7}Beck\u{202e}".to_owned();
    app.on_the_way(Event::ConfirmPerson { name, site: "a\nb".into(), fingerprint: "\u{9b}2J".into() });
    assert!(!app.screen().contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'));
}
