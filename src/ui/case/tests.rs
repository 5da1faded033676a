//! The case as it is read and written in.

use super::*;
use crate::node::api::{CaseView, Failure, OpinionView};
use crate::ui::app::harness::{Harness, case, opinion};
use crate::ui::transfers::Transfers;

/// The case alone, with these opinions.
fn with(opinions: Vec<OpinionView>) -> Harness {
    let mut app = Harness::of(CaseScreen::new("c-1", "amber falcon"));
    shows(&mut app, &opinions);
    app
}

/// Answers what is asked about the case.
fn shows(app: &mut Harness, opinions: &[OpinionView]) {
    for (ticket, request) in app.take_waiting() {
        match request {
            Request::CaseShow { .. } => {
                let view = CaseView { opinions: opinions.to_vec(), ..case("c-1", "amber falcon") };
                app.reply(ticket, Reply::Case(Box::new(view)));
            }
            other => app.waiting.push((ticket, other)),
        }
    }
}

fn read(app: &Harness) -> usize {
    app.asked.iter().filter(|request| matches!(request, Request::OpinionRead { .. })).count()
}

#[test]
fn an_opinion_is_read_when_it_stands_on_the_screen_and_not_before() {
    let opinions = vec![opinion("o-ben", "Dr. Ben Okafor")];
    let mut app = with(Vec::new());
    app.key(KeyCode::Tab).keys("p");
    app.pass(IDLE_MS);
    shows(&mut app, &opinions);
    assert_eq!(read(&app), 0, "the panel is hidden");
    app.go(Go::Over(Box::new(Transfers::of("c-1"))));
    app.keys("p").pass(IDLE_MS);
    shows(&mut app, &opinions);
    assert_eq!(read(&app), 0, "something lies over it");
    app.go(Go::Back);
    shows(&mut app, &opinions);
    assert_eq!(read(&app), 0, "it is hidden still");
    app.keys("p");
    assert_eq!(read(&app), 1);
}

#[test]
fn an_opinion_below_the_end_of_the_panel_is_read_once_it_is_scrolled_into_sight_or_opened() {
    let long = OpinionView { impression: "A cyst.\n".repeat(60), ..opinion("o-ben", "Dr. Ben Okafor") };
    let opinions = vec![long, opinion("o-cleo", "Dr. Cleo Marsh")];
    let mut app = with(opinions.clone());
    app.key(KeyCode::Tab).pass(250);
    assert_eq!(read(&app), 0, "the end of neither is seen");
    for _ in 0..8 {
        app.keys(")").pass(250);
    }
    assert_eq!(read(&app), 1, "one after the other");
    let (ticket, request) =
        app.waiting.iter().rev().find(|(_, request)| matches!(request, Request::OpinionRead { .. })).cloned().unwrap();
    assert!(matches!(&request, Request::OpinionRead { opinion } if opinion == "o-ben"), "{request:?}");
    app.reply(ticket, Reply::Nothing {});
    let mut app = with(opinions);
    app.key(KeyCode::Tab).keys("}").enter();
    assert_eq!(read(&app), 1, "opened whole");
}

#[test]
fn a_receipt_that_is_refused_is_not_tried_again_and_again() {
    let opinions = vec![opinion("o-ben", "Dr. Ben Okafor"), opinion("o-cleo", "Dr. Cleo Marsh")];
    let mut app = with(opinions.clone());
    app.key(KeyCode::Tab);
    for _ in 0..4 {
        let waiting = app.take_waiting();
        for (ticket, request) in waiting {
            match request {
                Request::OpinionRead { .. } => app.fail(ticket, Failure::new(FailureCode::Role, "No.")),
                other => app.waiting.push((ticket, other)),
            }
        }
        app.pass(IDLE_MS);
        shows(&mut app, &opinions);
    }
    assert_eq!(read(&app), 2, "once each");
}

#[test]
fn words_typed_while_a_message_is_on_its_way_are_not_lost() {
    let mut app = with(Vec::new());
    app.keys("sA cyst.").enter().keys(" Or not?");
    let (ticket, request) = app.waiting.pop().unwrap();
    assert!(matches!(&request, Request::Say { text, .. } if text == "A cyst."), "{request:?}");
    app.reply(ticket, Reply::Nothing {});
    app.enter();
    let (_, request) = app.waiting.pop().unwrap();
    assert!(matches!(&request, Request::Say { text, .. } if text == "Or not?"), "{request:?}");
}

#[test]
fn nothing_is_written_where_it_is_not_seen() {
    let mut app = with(Vec::new());
    app.keys("sA cyst.").key(KeyCode::Tab);
    assert!(!app.top::<CaseScreen>().writing);
    app.keys("zzz").enter();
    assert!(!app.waiting.iter().any(|(_, request)| matches!(request, Request::Say { .. })));
    app.keys("s!").enter();
    let (_, request) = app.waiting.pop().unwrap();
    assert!(matches!(&request, Request::Say { text, .. } if text == "A cyst.!"), "{request:?}");
}

#[test]
fn leaving_with_a_message_that_is_not_sent_asks_first() {
    let mut app = with(Vec::new());
    app.keys("sA cyst.").key(KeyCode::Esc).key(KeyCode::Esc);
    assert!(app.asks().contains("is not sent and not kept"), "{}", app.asks());
    app.keys("n");
    assert_eq!(app.top::<CaseScreen>().message.text(), "A cyst.");
    app.key(KeyCode::Esc).keys("y");
    assert!(!app.back_to::<CaseScreen>());
}

#[test]
fn keys_of_the_line_do_nothing_to_the_case_while_it_is_typed_in() {
    let mut app = with(Vec::new());
    app.take_waiting();
    app.keys("scyst").control('a').keys("A ").control('f');
    assert_eq!(app.top::<CaseScreen>().message.text(), "A cyst");
    assert!(app.take_waiting().is_empty(), "neither accepted nor fetched");
}

#[test]
fn opinions_opened_one_after_the_other_are_all_receipted_and_none_under_help() {
    let long = |id: &str| OpinionView { impression: "A cyst.\n".repeat(60), ..opinion(id, "Dr. Ben Okafor") };
    let mut app = with(vec![long("o-one"), long("o-two")]);
    app.key(KeyCode::Tab).keys("}").enter().key(KeyCode::Esc).keys("}").enter();
    assert_eq!(read(&app), 1, "the second waits");
    let at = app.waiting.iter().position(|(_, request)| matches!(request, Request::OpinionRead { .. })).unwrap();
    let (ticket, _) = app.waiting.remove(at);
    app.reply(ticket, Reply::Nothing {});
    assert_eq!(read(&app), 2);
    let mut app = with(vec![opinion("o-ben", "Dr. Ben Okafor")]);
    app.key(KeyCode::F(1)).pass(250);
    app.top::<CaseScreen>().tab = Tab::Opinions;
    app.pass(250);
    assert_eq!(read(&app), 0, "the help lies over it");
    app.key(KeyCode::Esc).pass(250);
    assert_eq!(read(&app), 1);
}

#[test]
fn a_colleague_of_the_same_name_is_another_person() {
    let namesake = OpinionView { author_identity: "p-another".into(), ..opinion("o-her", "Dr. Anna Weiss") };
    let mut app = with(vec![opinion("o-mine", "Dr. Anna Weiss"), namesake]);
    app.key(KeyCode::Tab);
    let asked: Vec<&str> = (app.asked.iter())
        .filter_map(|request| match request {
            Request::OpinionRead { opinion } => Some(opinion.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(asked, ["o-her"]);
}
