//! The log as it looks, and what its filter leaves.

use crossterm::event::KeyCode;

use crate::node::api::{Event, Reply, Request};
use crate::ui::app::harness::{Harness, SIZES, summary};

fn happened(what: &str, case: Option<&str>, who: Option<&str>) -> Event {
    Event::Happened { what: what.into(), case: case.map(str::to_owned), who: who.map(str::to_owned) }
}

fn busy(size: (u16, u16)) -> Harness {
    let mut app = Harness::without_colour(size, |_| None);
    app.followed(Event::Ready { peer: "x".into(), addresses: vec!["/ip4/10.0.3.7/tcp/4001".into()] });
    app.pass(1_000).followed(happened("connected", None, Some("Jonas Beck")));
    app.pass(2_000).followed(happened("entries", Some("c-k3vq7m2x5n4w9p"), None));
    app.pass(61_000).followed(happened("refused: a strange\u{1b}[2J device", None, Some("Otto\u{202e} Alt")));
    app.pass(1_000).followed(happened("disconnected", None, Some("Jonas Beck")));
    app
}

#[test]
fn the_newest_stands_first_with_its_time() {
    for size in SIZES {
        let mut app = busy(size);
        app.keys("l");
        app.looks_like("log");
        app.keys("/").keys("beck");
        app.looks_like("log-filtered");
        app.keys("zzz");
        assert!(app.shows("no line matches; Esc shows all"));
        app.key(KeyCode::Esc);
        assert!(app.shows("entries arrived"));
        app.key(KeyCode::Esc);
        assert!(app.shows("No case yet"));
    }
}

#[test]
fn what_happens_while_it_is_open_appears_and_the_chosen_line_stays() {
    let mut app = busy((80, 24));
    app.keys("lj").followed(happened("study complete", None, None));
    assert!(app.shows("study complete"));
    // The third line now is the one that was the second.
    let wanted = app.asked.len();
    app.enter();
    assert!(app.shows("This line is about no case that is here.") && app.asked.len() == wanted);
}

#[test]
fn a_line_about_a_case_that_is_here_opens_it() {
    let mut app = busy((80, 24));
    app.script(|request| match request {
        Request::CaseList => {
            let case = summary("c-k3vq7m2x5n4w9p", "amber falcon", "Is this a bleed?");
            Some(Ok(Reply::Cases { cases: vec![case] }))
        }
        _ => None,
    });
    app.keys("ljj");
    assert!(app.shows("amber falcon"), "{}", app.screen());
    app.enter();
    assert!(
        matches!(app.asked.last(), Some(Request::CaseShow { case }) if case == "c-k3vq7m2x5n4w9p"),
        "{:?}",
        app.asked.last()
    );
}
