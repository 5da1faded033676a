//! Settings and the set-up check as they look, and what their forms ask for.

use crossterm::event::KeyCode;
use ratatui::layout::Rect;

use crate::node::api::{Check, Failure, FailureCode, Reply, Request, SettingsView};
use crate::ui::app::harness::{Harness, SIZES, status};
use crate::ui::graphics::{Protocol, Setting};
use crate::ui::message::{Message, Wish};
use crate::ui::screen::{Dots, Screen};
use crate::ui::settings::doctor::Doctor;

fn checks() -> Vec<Check> {
    let check = |name: &str, ok, what: &str, hint: Option<&str>| Check {
        name: name.into(),
        ok,
        what: what.into(),
        hint: hint.map(str::to_owned),
    };
    vec![
        check("network", true, "listening on /ip4/192.168.178.20/udp/4001/quic-v1, /ip4/192.168.178.20/tcp/4001", None),
        check("disk", true, "212 entries and 4018 chunks verified", None),
        check(
            "recovery code",
            false,
            "not confirmed yet",
            Some("Write it down now: `overread vault recovery-code`. Without it a lost laptop is a lost identity."),
        ),
        check(
            "Jonas Beck",
            false,
            "no connection now",
            Some("Her program must run at the same time and reach this network."),
        ),
    ]
}

fn settings(retention_days: u32, graphics: &str, lock_after_seconds: Option<u64>) -> SettingsView {
    SettingsView { retention_days, graphics: graphics.into(), lock_after_seconds, listen: None }
}

fn node(request: &Request) -> Option<Result<Reply, Failure>> {
    match request {
        Request::SettingsShow => Some(Ok(Reply::Settings(settings(30, "auto", Some(900))))),
        Request::Status => Some(Ok(status(false))),
        Request::Doctor => Some(Ok(Reply::Doctor { checks: checks() })),
        _ => None,
    }
}

#[test]
fn all_settings_are_seen_with_their_state() {
    for size in SIZES {
        let mut app = Harness::without_colour(size, node);
        app.keys("s");
        app.looks_like("settings");
    }
}

#[test]
fn a_retention_is_sent_as_typed_and_a_refused_one_stays_to_be_mended() {
    for size in SIZES {
        let mut app = Harness::new(size, node);
        app.keys("s").enter();
        app.looks_like("settings-retention");
        app.control('u').keys("14d").enter();
        assert!(
            matches!(app.asked.last(), Some(Request::SettingsSet { name, value }) if name == "retention" && value == "14d")
        );
        let failure = Failure::new(FailureCode::WrongUse, "\"14x\" is no time to keep pixels for.");
        app.answer(Err(failure.hint("Write whole days, from 0 to 3650: 14 or 14d.")));
        app.looks_like("settings-retention-refused");
        app.enter().answer(Ok(Reply::Settings(settings(14, "auto", Some(900)))));
        assert!(app.shows("Images are kept for 14 days after closing."));
    }
}

#[test]
fn a_new_passphrase_is_typed_twice_alike_and_never_shown() {
    let mut app = Harness::new((80, 24), node);
    app.keys("sj").enter();
    app.enter().enter().enter();
    assert!(app.shows("The passphrase until now is needed"), "{}", app.screen());
    app.keys("old horse").enter().keys("correct horse").enter().keys("correct hors").enter();
    app.looks_like("settings-passphrase-differs");
    assert!(!app.asked.iter().any(|request| matches!(request, Request::VaultPassphrase { .. })));
    app.keys("e").enter();
    assert!(matches!(app.asked.last(), Some(Request::VaultPassphrase { new }) if new.0 == "correct horse"));
    assert!(!app.shows("horse"));
    app.answer(Err(Failure::new(FailureCode::WrongPassphrase, "The passphrase is wrong.").hint("Try again.")));
    app.control('u').keys("older horse").enter().enter().enter();
    app.answer(Ok(Reply::Nothing {}));
    assert!(app.shows("The new passphrase opens the vault"));
}

#[test]
fn the_set_up_check_names_what_to_look_at() {
    for size in SIZES {
        let mut app = Harness::without_colour(size, node);
        app.keys("sjjj").enter();
        app.looks_like("doctor");
    }
    let mut app = Harness::new((40, 12), node);
    app.keys("sjjj").enter().key(KeyCode::End);
    assert!(app.shows("reach this") && !app.shows("listening"), "{}", app.screen());
}

#[test]
fn the_set_up_check_shows_how_the_terminal_shows_pictures_beside_its_grey_steps() {
    let mut app = Harness::new((200, 60), node);
    app.keys("sjjj").enter();
    let ticket = app.wished.iter().rev().find_map(|wish| match wish {
        Wish::LookAtTerminal { ticket } => Some(*ticket),
        _ => None,
    });
    let what = "half-blocks, inside tmux or screen".into();
    let checks = vec![Check { name: "pictures".into(), ok: false, what, hint: Some("Orientation only.".into()) }];
    let outcome = Ok(Box::new(Reply::Doctor { checks }));
    app.message(Message::Answered { ticket: ticket.unwrap(), outcome });
    assert!(app.shows("half-blocks, inside tmux or screen") && app.shows("Orientation only."), "{}", app.screen());
    assert!(app.shows("3 things to look at") && app.shows("two patches"), "{}", app.screen());
    let scenes = Doctor::default().scenes(Rect::new(0, 1, 200, 58), Dots { across: 10, down: 20 });
    assert_eq!(scenes.len(), 1);
    assert_eq!((scenes[0].1.width, scenes[0].1.height), (720, 160));
    // Too low for both: the checks go first.
    assert!(Doctor::default().scenes(Rect::new(0, 1, 80, 18), Dots { across: 10, down: 20 }).is_empty());
}

#[test]
fn how_pictures_are_shown_is_set_and_takes_effect_at_once() {
    let mut app = Harness::new((80, 24), node);
    app.keys("sjjjjj").enter().control('u').keys("sixel").enter();
    let wanted = Request::SettingsSet { name: "graphics".into(), value: "sixel".into() };
    assert_eq!(format!("{:?}", app.asked.last()), format!("{:?}", Some(wanted)));
    app.answer(Ok(Reply::Settings(settings(30, "sixel", Some(900)))));
    assert!(app.shows("Pictures: sixel."), "{}", app.screen());
    let wished = Setting::Always(Protocol::Sixel);
    assert!(app.wished.iter().any(|wish| matches!(wish, Wish::ShowWith(setting) if *setting == wished)));
    // Every word that the node takes is one that the app understands.
    assert!(crate::node::GRAPHICS.iter().all(|word| word.parse::<Setting>().is_ok()));
}

#[test]
fn the_app_locks_after_the_time_that_is_set() {
    let mut app = Harness::new((80, 24), node);
    app.keys("sjjjjjj").enter().control('u').keys("1m").enter();
    let wanted = Request::SettingsSet { name: "lock-after".into(), value: "1m".into() };
    assert_eq!(format!("{:?}", app.asked.last()), format!("{:?}", Some(wanted)));
    app.answer(Ok(Reply::Settings(settings(30, "auto", Some(60)))));
    assert!(app.shows("Locks after: 1m."), "{}", app.screen());
    for (seconds, still_open_ms, then_ms, locks) in
        [(Some(60), 59_000, 1_000, true), (Some(900), 899_000, 1_000, true), (None, 0, 24 * 3_600_000, false)]
    {
        let mut app = Harness::new((80, 24), move |request: &Request| match request {
            Request::SettingsShow => Some(Ok(Reply::Settings(settings(30, "auto", seconds)))),
            _ => node(request),
        });
        app.pass(still_open_ms);
        assert!(!app.shows("Overread is locked"), "{seconds:?}");
        app.pass(then_ms);
        assert_eq!(app.shows("Overread is locked"), locks, "{seconds:?}");
    }
}

#[test]
fn lock_now_locks() {
    let mut app = Harness::new((80, 24), node);
    app.keys("s").key(KeyCode::End).enter();
    assert!(app.shows("Overread is locked") && matches!(app.asked.last(), Some(Request::Lock)));
}

#[test]
fn the_recovery_code_is_a_step_away() {
    let mut app = Harness::new((80, 24), node);
    app.keys("sjj").enter();
    assert!(app.shows("Your recovery code"));
}
