//! Taking in.

use super::*;

pub(super) fn held() -> BundleView {
    BundleView {
        bytes: 64_000_000,
        for_me: true,
        from: Some("Dr. Ben Okafor".into()),
        standing: Some("colleague".into()),
        packed: Some("2026-11-24T09:41:07Z".into()),
        cases: vec!["amber falcon (c-k3vq7m2x)".into(), format!("wild ibis (c-m2x5n4wk){EVIL}")],
        entries: 12,
        chunks: 390,
        problems: Vec::new(),
    }
}

/// At the stick, with the cursor at its second bundle.
pub(super) fn at_bundles() -> Harness {
    let mut app = Harness::of(TakeBundle::default());
    answer(&mut app);
    app.keys("m");
    answer(&mut app);
    app.enter();
    answer(&mut app);
    app.key(KeyCode::Down);
    app
}

/// A bundle that was looked into.
pub(super) fn looked(held: BundleView) -> Harness {
    let mut app = at_bundles();
    app.enter();
    answer(&mut app);
    let (ticket, request) = app.take_one();
    assert!(
        matches!(&request, Request::BundleShow { path } if path.ends_with("STICK/from\u{1b}[2J weiss.BUNDLE")),
        "{request:?}"
    );
    app.reply(ticket, Reply::Bundle(held));
    app
}

#[test]
fn bundles_stand_first_and_a_bundle_is_looked_into_before_it_is_taken_in() {
    let mut app = Harness::of(TakeBundle::default());
    app.body_looks_like("bundles/take-reading");
    answer(&mut app);
    app.body_looks_like("bundles/take-home");
    let mut app = at_bundles();
    app.body_looks_like("bundles/take-stick");
    app.enter();
    app.body_looks_like("bundles/take-looking");
    app.on_the_way(progress("verify", 24_000_000)).pass(1_800_000);
    assert_eq!(app.place(), Place::Busy);
    looked(held()).body_looks_like("bundles/held");
}

#[test]
fn what_a_bundle_brought_is_said_and_its_new_case_opens() {
    let mut app = looked(held());
    app.enter();
    let (ticket, request) = app.waiting[0].clone();
    assert!(matches!(&request, Request::BundleUnpack { path } if path.ends_with("STICK/from\u{1b}[2J weiss.BUNDLE")));
    app.on_the_way(progress("unpack", 24_000_000));
    app.pass(1_800_000);
    app.body_looks_like("bundles/take-busy");
    app.take_waiting();
    let unpacked = Reply::Unpacked {
        cases: vec!["c-1".into(), "c-9".into()],
        spoken: vec!["amber falcon".into(), "wild ibis".into()],
        entries_new: 9,
        chunks_new: 240,
        problems: Vec::new(),
    };
    app.reply(ticket, unpacked);
    let (ticket, request) = app.take_one();
    assert!(matches!(request, Request::CaseList));
    let new = CaseSummary { urgency: "stat".into(), chunks_have: 6, ..summary("c-9", "wild ibis", "New lesion?") };
    app.reply(ticket, Reply::Cases { cases: [cases(), vec![new]].concat() });
    app.body_looks_like("bundles/taken");
    app.enter();
    let opened = |request: &Request| matches!(request, Request::CaseShow { case } if case == "c-9");
    assert!(app.asked.iter().any(opened), "the new one stands first, and opens");
}

#[test]
fn damage_is_told_with_what_came_of_it() {
    let problems = |number: usize| -> Vec<String> {
        (0..number)
            .map(|at| format!("65552 bytes from byte {at}000000 on are damaged: what they held is lost"))
            .collect()
    };
    let mut app = looked(BundleView { problems: problems(3), ..held() });
    app.body_looks_like("bundles/held-damaged");
    app.enter();
    let (ticket, _) = app.take_one();
    let reply = Reply::Unpacked {
        cases: vec!["c-1".into()],
        spoken: vec!["amber falcon".into()],
        entries_new: 1,
        chunks_new: 0,
        problems: problems(40),
    };
    app.reply(ticket, reply);
    answer(&mut app);
    app.body_looks_like("bundles/taken-damaged");
    let mut app = looked(held());
    app.enter();
    let (ticket, _) = app.take_one();
    let (cases, spoken) = (vec!["c-1".into()], vec!["amber falcon".into()]);
    app.reply(ticket, Reply::Unpacked { cases, spoken, entries_new: 0, chunks_new: 0, problems: Vec::new() });
    answer(&mut app);
    app.body_looks_like("bundles/taken-nothing-new");
}

#[test]
fn from_whom_nothing_is_taken_says_so_before_anything_is_asked() {
    let from = |name: &str, standing: Option<&str>| BundleView {
        from: Some(name.into()),
        standing: standing.map(Into::into),
        ..held()
    };
    let table = [
        ("others", BundleView { bytes: 64_000_000, ..BundleView::default() }, true),
        ("unknown", from("p-m2x5n4wk, whose card you do not hold", Some("unknown")), true),
        ("blocked", from("Dr. Fritz Lang, whom you have blocked", Some("blocked")), true),
        ("member", from("Dr. Carla Lindqvist, a member of a case you share", Some("member")), false),
        ("nameless", BundleView { from: None, ..from("", None) }, false),
    ];
    for (name, held, is_refused) in table {
        let mut app = looked(held);
        app.body_looks_like(&format!("bundles/held-{name}"));
        app.enter();
        assert_eq!(app.take_waiting().is_empty(), is_refused, "{name}");
        assert_eq!(app.said().is_empty(), !is_refused, "{name}");
    }
}

#[test]
fn what_cannot_be_read_or_taken_in_says_what_to_do() {
    let mut app = at_bundles();
    app.enter();
    let (ticket, _) = app.take_waiting().remove(0);
    let hint = "A bundle is made by `overread bundle pack`.";
    app.fail(ticket, Failure::new(FailureCode::WrongUse, "/x/a.bundle: this file is not a bundle.").hint(hint));
    app.body_looks_like("bundles/take-no-bundle");
    assert!(!app.body((200, 60)).contains('`'));
    let forged = "the bundle names a sender who did not pack it: do not trust it, and tell her.";
    let hint = "Call your colleague: somebody else made this file.";
    app.enter();
    let (ticket, _) = app.take_waiting().remove(0);
    app.fail(ticket, Failure::new(FailureCode::Untrusted, format!("/x/a.bundle: {forged}")).hint(hint));
    assert!(app.body((80, 24)).contains("Call your colleague"), "{}", app.body((80, 24)));

    let mut app = looked(held());
    app.enter();
    let (ticket, _) = app.take_one();
    let hint = "Make room and repeat: what was taken in is kept, nothing is done twice.";
    app.fail(ticket, Failure::new(FailureCode::DiskFull, "The disk is full: unpacking stopped.").hint(hint));
    app.body_looks_like("bundles/take-failed");
    app.enter();
    assert!(matches!(app.take_one().1, Request::BundleUnpack { .. }), "it can be repeated");
}

#[test]
fn taking_in_can_be_stopped_and_goes_on_later() {
    let mut app = looked(held());
    app.enter();
    app.key(KeyCode::Esc);
    assert!(app.wished.iter().any(|wish| matches!(wish, Wish::Cancel { .. })) && app.said().starts_with("Stopped."));
    assert_eq!(app.place(), Place::BundleHeld);
    app.key(KeyCode::Esc);
    assert_eq!(app.place(), Place::BundleTake);
    app.enter();
    app.key(KeyCode::Esc);
    assert_eq!(app.place(), Place::BundleTake, "looking is stopped too");
}

#[test]
fn a_typed_or_pasted_file_is_looked_into_at_once() {
    let mut app = at_bundles();
    app.message(Message::Paste("'/run/media/anna/STICK/a.txt'".into())).enter();
    app.list(disk);
    let asked = app.take_waiting();
    assert!(
        asked
            .iter()
            .any(|(_, request)| matches!(request, Request::BundleShow { path } if path.ends_with("STICK/a.txt"))),
        "{asked:?}"
    );
}
