//! The transfers as they look and as keys act on them.

use crossterm::event::KeyCode;

use super::*;
use crate::node::api::{DeliveryView, Event, Failure, PeerView};
use crate::ui::app::harness::{Harness, SIZES, summary};

fn line(case: &str, spoken: &str, direction: &str, who: &str, state: &str) -> TransferView {
    TransferView {
        case: case.into(),
        spoken: spoken.into(),
        direction: direction.into(),
        who: who.into(),
        state: state.into(),
        chunks_total: 240,
        images_total: 120,
        bytes_total: 63_000_000,
        ..TransferView::default()
    }
}

fn giving(state: &str, waits_for: Option<&str>) -> TransferView {
    TransferView {
        identity: Some("p-ben".into()),
        waits_for: waits_for.map(Into::into),
        ..line("c-1", "amber falcon", "giving", "Dr. Ben Okafor", state)
    }
}

fn taking(state: &str, waits_for: Option<&str>) -> TransferView {
    TransferView {
        chunks_done: 125,
        images_done: Some(62),
        bytes_done: 32_800_000,
        waits_for: waits_for.map(Into::into),
        ..line("c-2", "blue heron", "taking", "Dr. Carla Lindqvist", state)
    }
}

/// Every state, as the node puts them in order.
fn all() -> Vec<TransferView> {
    let at = Some("2026-11-24T09:41:07Z".to_owned());
    vec![
        giving("not sent", Some("Dr. Ben Okafor: no answer; tried again in 12 s")),
        taking(
            "refused",
            Some(
                "Dr. Carla Lindqvist: closed the connection at once, and may not admit this device; tried again in 60 s",
            ),
        ),
        taking("stalled", Some("an answer: nothing has come for 12 s")),
        TransferView { bytes_per_second: Some(8_600_000), seconds_left: Some(4), ..taking("arriving", None) },
        TransferView {
            chunks_done: 60,
            bytes_done: 15_700_000,
            bytes_per_second: Some(3_100_000),
            seconds_left: Some(2),
            ..giving("giving", None)
        },
        giving("on the way", Some("the answer of Dr. Ben Okafor, over a connection or in a bundle")),
        taking("invited", Some("your answer: fetching its images accepts the case")),
        taking("waiting", Some("Dr. Carla Lindqvist: connecting")),
        TransferView { at: at.clone(), ..taking("complete", None) },
        TransferView { chunks_done: 240, bytes_done: 63_000_000, at: at.clone(), ..giving("complete", None) },
        TransferView {
            chunks_done: 60,
            bytes_done: 15_700_000,
            at,
            ..giving("given", Some("Dr. Ben Okafor to ask for more, if she lacks it"))
        },
    ]
}

/// Transfers whose node answers with these.
fn at(transfers: Vec<TransferView>) -> Harness {
    let mut app = Harness::of(Transfers::default());
    let (ticket, request) = app.take_one();
    assert!(matches!(request, Request::Transfers));
    app.reply(ticket, Reply::Transfers { transfers });
    app
}

#[test]
fn without_transfers_it_says_how_things_go() {
    at(Vec::new()).body_looks_like("transfers/nothing");
}

#[test]
fn what_failed_stands_first_and_each_line_says_how_far_it_is_or_what_it_waits_for() {
    let mut app = at(all());
    app.body_looks_like("transfers/all");
    app.key(KeyCode::End);
    app.body_looks_like("transfers/all-end");
    let narrow = at(all()).body((80, 24));
    assert!(narrow.contains("62 of 120 images, 8.2 MiB/s, 4 s left"), "{narrow}");
    let seen = app.body((200, 60));
    for words in [
        "NOT SENT    to   Dr. Ben Okafor",
        "waits for Dr. Ben Okafor: no answer; tried again in 12 s",
        "█",
        "62 of 120 images, 31.2 MiB of 60.0 MiB, 8.2 MiB/s, 4 s left",
        "all 120 images, 60.0 MiB, at 09:41 UTC",
        "images given, 60.0 MiB, at 09:41 UTC",
    ] {
        assert!(seen.contains(words), "{words}\n{seen}");
    }
}

#[test]
fn states_stand_in_words_without_colours_and_what_failed_is_red_with_them() {
    for (size, colour) in SIZES.into_iter().flat_map(|size| [(size, true), (size, false)]) {
        let script = |request: &Request| match request {
            Request::Transfers => Some(Ok(Reply::Transfers { transfers: all() })),
            _ => None,
        };
        let mut app = if colour { Harness::new(size, script) } else { Harness::without_colour(size, script) };
        app.keys("w");
        assert!(app.shows("transfers: 1 not sent, 2 under way") && app.shows("NOT SENT"), "{}", app.screen());
        let buffer = app.buffer();
        let cell = &buffer[(1, 3)];
        assert_eq!((cell.symbol(), cell.fg == ratatui::style::Color::Red), ("N", colour));
        if !colour {
            app.looks_like("transfers");
        }
    }
}

#[test]
fn the_cursor_begins_at_the_case_it_was_opened_for_and_stays_at_its_line() {
    let mut app = Harness::new((80, 24), |request| match request {
        Request::CaseList => Some(Ok(Reply::Cases {
            cases: vec![summary("c-1", "amber falcon", "Cyst?"), summary("c-2", "blue heron", "New?")],
        })),
        _ => None,
    });
    app.key(KeyCode::Down).keys("w");
    app.answer(Ok(Reply::Transfers { transfers: all() }));
    assert_eq!(app.top::<Transfers>().chosen.at, 1);
    app.key(KeyCode::Up).pass(1_000);
    let mut moved = all();
    moved.rotate_left(1);
    app.answer(Ok(Reply::Transfers { transfers: moved }));
    let top = app.top::<Transfers>();
    assert_eq!(
        (top.chosen_line().unwrap().state.as_str(), top.chosen_line().unwrap().case.as_str()),
        ("giving", "c-1")
    );
}

#[test]
fn a_case_leads_to_its_transfers_and_back_and_others_open_over_it() {
    let mut app = Harness::of(Transfers::over("c-1"));
    let (ticket, _) = app.take_one();
    app.reply(ticket, Reply::Transfers { transfers: all() });
    app.enter();
    assert_eq!(app.place(), Place::Everywhere, "back to what it lies over");
    let mut app = at(all());
    app.key(KeyCode::Down).enter();
    assert!(matches!(app.asked.last(), Some(Request::CaseShow { case } | Request::Attend { case }) if case == "c-2"));
}

#[test]
fn trying_now_tries_once_and_says_what_came_of_it() {
    let peer = |connected| PeerView {
        name: "Dr. Ben Okafor".into(),
        identity: "p-ben".into(),
        device: "d-ben".into(),
        connected,
        path: None,
        address: None,
    };
    let to = |state: &str| DeliveryView { member: "Ben".into(), identity: "p-ben".into(), state: state.into() };
    for (connected, state, words) in [
        (false, "not sent", "Nobody could be reached now"),
        (true, "on the way", "Tried: some of it waits still."),
        (true, "delivered", "Everything that was written has arrived."),
    ] {
        let mut app = at(all());
        app.keys("tt");
        let (ticket, request) = app.take_one();
        assert!(matches!(request, Request::Sync) && app.body((80, 24)).contains("trying everybody"));
        app.reply(ticket, Reply::Synced { peers: vec![peer(connected)], delivery: vec![to(state)] });
        assert!(app.said().starts_with(words), "{}", app.said());
        assert!(matches!(app.take_one().1, Request::Transfers));
    }
}

#[test]
fn the_rest_or_marked_images_first_are_asked_for_without_waiting() {
    for (key, marked_first) in [("f", false), ("m", true)] {
        let mut app = at(all());
        app.key(KeyCode::Down).keys(key);
        let (ticket, request) = app.take_one();
        assert!(
            matches!(&request, Request::Fetch { case, series, key_images } if case == "c-2" && series.is_empty() && *key_images == marked_first),
            "{request:?}"
        );
        app.fail(ticket, Failure::new(FailureCode::NotReached, "125 of 240 pieces are here."));
        assert!(app.said().starts_with("Asked for:"), "that it is not here yet is no failure: {}", app.said());
    }
    let mut app = at(Vec::new());
    app.keys("fm").enter();
    assert!(app.take_waiting().is_empty());
}

#[test]
fn it_is_read_again_while_something_moves_and_when_somebody_comes_or_goes() {
    for (lines, every_ms) in [(vec![taking("arriving", None)], 1_000), (vec![taking("waiting", None)], 3_000)] {
        let mut app = at(lines);
        app.pass(every_ms - 1);
        assert!(app.take_waiting().is_empty());
        app.pass(1);
        assert_eq!(app.take_waiting().len(), 1);
    }
    let happened =
        |what: &str, case: Option<&str>| Event::Happened { what: what.into(), case: case.map(Into::into), who: None };
    for (event, is_read) in [
        (happened("connected", None), true),
        (happened("disconnected", None), true),
        (happened("entries", Some("c-1")), true),
        (happened("refused: an unknown device", None), false),
    ] {
        let mut app = at(all());
        app.followed(event.clone());
        assert_eq!(!app.take_waiting().is_empty(), is_read, "{event:?}");
    }
}

#[test]
fn no_size_and_no_words_break_it() {
    let evil = "\u{1b}[2J東京 ".repeat(40);
    let app = at(vec![TransferView {
        who: evil.clone(),
        spoken: evil.clone(),
        state: evil.clone(),
        waits_for: Some(evil),
        chunks_done: u64::MAX,
        bytes_done: u64::MAX,
        bytes_per_second: Some(0),
        seconds_left: Some(u64::MAX),
        at: Some("T".into()),
        ..TransferView::default()
    }]);
    for (width, height) in [(1, 3), (2, 3), (10, 5), (40, 8), (300, 100)] {
        assert!(!app.body((width, height)).contains('\u{1b}'));
    }
}
