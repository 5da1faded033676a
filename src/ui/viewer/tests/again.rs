//! What did not come is asked for again.

use super::*;
use crate::node::api::{Failure, FailureCode};

/// The pictures and small pictures that are wished for now.
fn wished(case: &mut Case) -> (Vec<Wish>, Vec<Wish>) {
    let all = std::mem::take(&mut case.app.wished).into_iter();
    all.filter(|wish| matches!(wish, Wish::Picture(_) | Wish::Thumbnail(_)))
        .partition(|wish| matches!(wish, Wish::Picture(_)))
}

/// Nothing comes of a wish.
fn fails(case: &mut Case, wish: Wish, not: NotShown) {
    case.app.message(match wish {
        Wish::Picture(key) => Message::Pictured { key, outcome: Err(not) },
        Wish::Thumbnail(key) => Message::Thumbnailed { key, outcome: Err(Some(not)) },
        _ => return,
    });
}

/// A case of one series of one image whose pictures are asked for, and do not come.
fn without_pictures(not: &NotShown) -> Case {
    let mut case = Case::unserved(&[(1, &[30])], Vec::new(), (200, 60));
    // The case, then its study.
    for _ in 0..2 {
        let asked = case.app.take_waiting();
        asked.into_iter().for_each(|(ticket, request)| case.answer(ticket, request));
    }
    case.scenes();
    case.app.key(KeyCode::Char('P'));
    case.scenes();
    case.app.pass(300);
    let (pictures, small) = wished(&mut case);
    assert_eq!((pictures.len(), small.len()), (1, 1));
    pictures.into_iter().chain(small).for_each(|wish| fails(&mut case, wish, not.clone()));
    case.scenes();
    case
}

#[test]
fn a_picture_that_something_was_in_the_way_of_is_asked_for_again_after_a_while() {
    let mut case = without_pictures(&NotShown::in_passing("The node is busy.".into()));
    assert!(case.shows("The node is busy.") && case.shows("cannot be shown"));
    case.app.pass(300);
    assert_eq!(wished(&mut case).0.len(), 0, "not at once");
    case.app.pass(4_000);
    let (pictures, small) = wished(&mut case);
    assert_eq!((pictures.len(), small.len()), (1, 1));
    case.app.pass(4_000);
    assert_eq!(wished(&mut case).0.len(), 0, "it is under way");
    pictures.into_iter().chain(small).for_each(|wish| case.carry_out(wish));
    assert!(!case.shows("The node is busy.") && !case.shows("cannot be shown"));
    assert_eq!(case.scenes().len(), 2);
}

#[test]
fn a_file_that_cannot_be_shown_is_not_asked_for_again() {
    let mut case = without_pictures(&NotShown::by_file("no decoder for 1.2.3".into()));
    case.app.pass(60_000);
    let (pictures, small) = wished(&mut case);
    assert_eq!((pictures.len(), small.len()), (0, 0));
    assert!(case.shows("no decoder for 1.2.3"));
}

/// The requests for series that wait; the others are answered.
fn looking(case: &mut Case) -> Vec<(Ticket, Request)> {
    let (looking, others): (Vec<_>, Vec<_>) =
        case.app.take_waiting().into_iter().partition(|(_, request)| matches!(request, Request::StudyShow { .. }));
    others.into_iter().for_each(|(ticket, request)| case.answer(ticket, request));
    looking
}

#[test]
fn series_that_did_not_come_are_asked_for_again() {
    let mut case = Case::unserved(&[THICK], Vec::new(), (160, 50));
    looking(&mut case);
    let [(ticket, _)] = looking(&mut case)[..] else { panic!("they are asked for") };
    case.app.message(Message::Answered { ticket, outcome: Err(Failure::new(FailureCode::NotReached, "Busy.")) });
    assert_eq!(looking(&mut case).len(), 0, "not at once");
    case.app.pass(6_000);
    case.serve();
    case.keys("p");
    assert!(case.shows("image 1/3"));
}

#[test]
fn an_answer_about_series_that_was_overtaken_is_dropped() {
    let mut case = Case::unserved(&[THICK], Vec::new(), (160, 50));
    looking(&mut case);
    let [(older, _)] = looking(&mut case)[..] else { panic!("they are asked for") };
    let knows_less = case.detail("s-0");
    case.arrived(0, THIN);
    case.app.pass(6_000);
    looking(&mut case);
    let [(newer, _)] = looking(&mut case)[..] else { panic!("more is here") };
    let knows_more = case.detail("s-0");
    case.app.reply(newer, Reply::Study(knows_more));
    case.app.reply(older, Reply::Study(knows_less));
    case.serve();
    case.keys("p");
    assert!(case.shows("image 1/7"));
}
