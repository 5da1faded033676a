//! What has arrived, as it looks and as keys change it; and how somebody listens for it.

use crossterm::event::KeyCode;

use crate::node::api::{
    Event, Failure, FailureCode, ImportReport, InboxStudy, InboxView, ListenerView, PacsListen, PlanPatient, Reply,
    Request, SettingsView,
};
use crate::ui::app::harness::Harness;
use crate::ui::import::Import;
use crate::ui::keys::Place;
use crate::ui::message::{Ticket, Wish};

fn study(id: &str, name: &str, state: &str) -> InboxStudy {
    InboxStudy {
        id: format!("i-{id}"),
        modality: "CT".into(),
        series: 3,
        instances: 120,
        bytes: 63_000_000,
        from: "PACS1".into(),
        complete: state == "complete",
        state: state.into(),
        missing: 0,
        first: "2026-11-24T09:51:00Z".into(),
        last: "2026-11-24T09:53:00Z".into(),
        imported: false,
        patient: PlanPatient {
            name: name.into(),
            patient_id: "MRN-4711".into(),
            birth_date: "19390718".into(),
            study_date: "20310217".into(),
            accession: "ACC99182".into(),
            study_description: "CT Chest".into(),
        },
    }
}

fn listener() -> ListenerView {
    ListenerView {
        hosts: vec!["10.0.3.7".into()],
        port: 11112,
        ae_title: "OVERREAD".into(),
        tls: false,
        allowed: vec!["PACS1".into(), "CT2".into()],
        any_ae: false,
    }
}

fn inbox(studies: Vec<InboxStudy>) -> InboxView {
    InboxView { studies, listening: Some("0.0.0.0:11112".into()), listener: Some(listener()), ..InboxView::default() }
}

/// An import whose node answers with this inbox.
fn at(inbox: InboxView) -> Harness {
    let mut app = Harness::of(Import::default());
    hear(&mut app, inbox);
    app
}

/// The node tells that something arrived, and answers with this inbox.
fn hear(app: &mut Harness, inbox: InboxView) {
    app.script(move |request| matches!(request, Request::InboxList).then(|| Ok(Reply::Inbox(inbox.clone()))));
    let told = |state: &str| Event::InboxStudy {
        study: "i-a".into(),
        modality: "CT".into(),
        instances: 120,
        state: state.into(),
    };
    app.followed(told("arriving"));
}

fn two() -> Vec<InboxStudy> {
    vec![study("a", "Farnsbarns^Quintessa", "complete"), study("b", "Doe^John\u{1b}[2J", "complete")]
}

#[test]
fn without_arrivals_and_listener_files_come_first_and_the_other_page_says_how_to_listen() {
    let mut app = at(InboxView::default());
    assert_eq!(app.place(), Place::Import);
    app.key(KeyCode::Tab);
    assert_eq!(app.place(), Place::Arrivals);
    app.body_looks_like("import/arrived-nothing");
    app.enter();
    assert!(app.said().starts_with("Nothing has arrived"), "{}", app.said());
    app.key(KeyCode::Delete).keys("x");
    assert_eq!((app.asks(), app.said()), (String::new(), "Nobody listens.".to_owned()));
    app.key(KeyCode::Tab);
    assert_eq!(app.place(), Place::Import);
}

#[test]
fn who_listens_is_shown_with_what_neighbours_enter() {
    let app = at(inbox(Vec::new()));
    assert_eq!(app.place(), Place::Arrivals);
    app.body_looks_like("import/arrived-listening");
    let refused = InboxView { refused: Some("\"PACS2\" is not allowed to send here.".into()), ..inbox(two()) };
    at(refused).body_looks_like("import/arrived-refused");
    let anyone = InboxView {
        listener: Some(ListenerView { any_ae: true, tls: true, hosts: Vec::new(), ..listener() }),
        wiped: 2,
        ..inbox(Vec::new())
    };
    let seen = at(anyone).body((80, 24));
    for words in ["TLS only", "this machine, port 11112", "whoever reaches this port may send", "Locking wiped"] {
        assert!(seen.contains(words), "{words}:\n{seen}");
    }
}

#[test]
fn arrivals_are_seen_with_the_real_patient_while_they_arrive_when_they_are_whole_and_when_they_broke_off() {
    let mut app = at(inbox(vec![InboxStudy { instances: 41, ..study("a", "Farnsbarns^Quintessa", "arriving") }]));
    app.body_looks_like("import/arrived-arriving");
    app.asked.clear();
    app.pass(1_000);
    assert!(matches!(app.asked[..], [Request::InboxList]), "{:?}", app.asked);
    hear(&mut app, inbox(two()));
    app.body_looks_like("import/arrived-complete");
    let broken = InboxStudy { missing: 3, ..study("b", "Doe^John", "incomplete") };
    hear(&mut app, inbox(vec![study("a", "Farnsbarns^Quintessa", "incomplete"), broken]));
    app.body_looks_like("import/arrived-cut-off");
    let full = InboxView { no_room: Some("the inbox is full: import or discard something".into()), ..inbox(two()) };
    hear(&mut app, full);
    app.body_looks_like("import/arrived-full");
}

#[test]
fn somebody_who_chooses_files_is_not_led_away_by_what_arrives() {
    let mut app = at(InboxView::default());
    app.key(KeyCode::Down);
    hear(&mut app, inbox(two()));
    assert_eq!(app.place(), Place::Import);
    assert!(app.body((80, 24)).contains("Arrived from the hospital: 2"));
}

#[test]
fn what_is_marked_or_what_the_cursor_is_on_is_planned_and_taken_in() {
    let mut app = at(inbox(two()));
    app.enter();
    let asked = |app: &mut Harness| match app.take_one().1 {
        Request::Import(request) => (request.inbox, request.paths.len(), request.dry_run),
        other => panic!("{other:?}"),
    };
    assert_eq!(asked(&mut app), (vec!["i-a".to_owned()], 0, true));
    assert!(app.body((80, 24)).contains("1 study arrived from the hospital"));
    app.key(KeyCode::Esc).keys("  ");
    assert!(app.body((80, 24)).contains("2 of 2 studies marked"));
    // What has gone meanwhile is not asked for.
    hear(&mut app, inbox(two().split_off(1)));
    app.enter();
    let (ticket, _) = app.waiting.pop().unwrap();
    assert!(
        matches!(app.asked.last(), Some(Request::Import(request)) if request.inbox == ["i-b"]),
        "{:?}",
        app.asked.last()
    );
    app.reply(ticket, Reply::Imported(ImportReport::default()));
    assert_eq!(app.place(), Place::ImportPlan);
    app.enter();
    assert!(matches!(app.asked.last(), Some(Request::Import(request)) if request.inbox == ["i-b"] && !request.dry_run));
}

#[test]
fn discarding_names_the_patients_and_says_that_it_is_for_good() {
    let mut app = at(inbox(two()));
    app.keys(" ").key(KeyCode::Delete);
    assert!(app.asks().contains("Farnsbarns, Quintessa (MRN-4711)") && !app.asks().contains("Doe"), "{}", app.asks());
    app.body_looks_like("import/arrived-discard");
    app.keys("n");
    assert!(!app.asked.iter().any(|request| matches!(request, Request::InboxDiscard { .. })));
    app.key(KeyCode::Delete);
    // The list moves while the question is open.
    hear(&mut app, inbox(two().split_off(1)));
    app.keys("y");
    assert!(matches!(app.asked.last(), Some(Request::InboxDiscard { studies }) if studies[..] == ["i-a"]));
    app.answer(Ok(Reply::Discarded { studies: 1, instances: 120 }));
    assert_eq!(app.said(), "1 study discarded, 120 images in all.");
    app.body_looks_like("import/arrived-discarded");
    app.keys("y");
    let asked = app.asked.iter().filter(|request| matches!(request, Request::InboxDiscard { .. }));
    assert_eq!(asked.count(), 1);
}

/// The form of a listener, over an import.
fn at_form(listen: Option<PacsListen>) -> Harness {
    let mut app = at(InboxView::default());
    app.key(KeyCode::Tab).keys("l");
    let settings = SettingsView { retention_days: 30, graphics: "auto".into(), lock_after_seconds: Some(900), listen };
    app.answer(Ok(Reply::Settings(settings)));
    assert_eq!(app.place(), Place::Listen);
    app
}

fn asked_to_listen(app: &mut Harness) -> (Ticket, PacsListen) {
    match app.waiting.pop() {
        Some((ticket, Request::PacsListen(listen))) => (ticket, listen),
        other => panic!("{other:?}: {}", app.screen()),
    }
}

#[test]
fn listening_needs_only_who_may_send() {
    let mut app = at_form(None);
    app.body_looks_like("import/listen");
    app.control('s');
    assert!(app.shows("Name the AE titles that may send") && app.waiting.is_empty(), "{}", app.screen());
    app.keys("PACS1, CT2 ,").control('s');
    let (ticket, listen) = asked_to_listen(&mut app);
    assert_eq!(
        (listen.address.as_str(), listen.ae_title.as_str(), &listen.allow[..], listen.any_ae, listen.remember),
        ("0.0.0.0:11112", "OVERREAD", &["PACS1".to_owned(), "CT2".to_owned()][..], false, true)
    );
    assert!(listen.tls.is_none() && !listen.commit);
    // A port that is taken is said at the form, and can be changed there.
    let failure = Failure::new(FailureCode::Failed, "Nothing can listen at 0.0.0.0:11112: address in use.");
    app.fail(ticket, failure.hint("Another program listens there: choose another port."));
    app.body_looks_like("import/listen-port-taken");
    app.control('u').keys("11113").control('s');
    let (ticket, listen) = asked_to_listen(&mut app);
    assert_eq!(listen.address, "0.0.0.0:11113");
    let event = Event::PacsListening {
        address: "0.0.0.0:11113".into(),
        ae_title: "OVERREAD".into(),
        tls: false,
        allowed: listen.allow,
        any_ae: false,
    };
    app.message(crate::ui::message::Message::OnTheWay { ticket, event });
    assert_eq!((app.place(), app.said().starts_with("Listening.")), (Place::Arrivals, true));
    assert!(!app.wished.iter().any(|wish| matches!(wish, Wish::Cancel { .. })), "it goes on without its form");
}

#[test]
fn a_form_that_is_left_before_it_listens_listens_no_more() {
    let mut app = at_form(None);
    app.keys("PACS1").control('s').key(KeyCode::Esc);
    assert!(app.wished.iter().any(|wish| matches!(wish, Wish::Cancel { .. })) && app.place() == Place::Arrivals);
}

#[test]
fn anyone_may_send_only_after_a_question_unless_certificates_decide() {
    let mut app = at_form(None);
    app.keys("*").control('s');
    assert!(app.asks().starts_with("Take studies from anyone?") && app.waiting.is_empty());
    app.keys("y");
    let (_, listen) = asked_to_listen(&mut app);
    assert!(listen.any_ae && listen.allow.is_empty());
    let mut app = at_form(None);
    app.keys("*");
    for text in ["", "", "~/c.pem", "~/k.pem", "~/ca.pem"] {
        app.key(KeyCode::Tab).keys(text);
    }
    app.control('s');
    let (_, listen) = asked_to_listen(&mut app);
    let tls = listen.tls.unwrap();
    assert_eq!((tls.key.to_str(), tls.authorities.unwrap().to_str()), (Some("~/k.pem"), Some("~/ca.pem")));
}

#[test]
fn what_does_not_fit_together_is_said_at_its_field() {
    for (tabs, typed, words) in [
        (1, "0", "A port is a number"),
        (1, "x", "A port is a number"),
        (3, "c.pem", "needs its private key"),
        (4, "k.pem", "needs a certificate"),
        (5, "ca.pem", "needs a certificate"),
    ] {
        let mut app = at_form(None);
        app.keys("PACS1");
        for _ in 0..tabs {
            app.key(KeyCode::Tab);
        }
        app.control('u').keys(typed).control('s');
        assert!(app.shows(words) && app.waiting.is_empty(), "{typed}: {}", app.screen());
    }
}

#[test]
fn the_form_offers_how_it_listened_last_unless_somebody_types_already() {
    let last = PacsListen {
        address: "0.0.0.0:104".into(),
        ae_title: "READER".into(),
        allow: vec!["PACS1".into(), "CT2".into()],
        ..PacsListen::default()
    };
    let mut app = at_form(Some(last.clone()));
    app.control('s');
    let (_, listen) = asked_to_listen(&mut app);
    assert_eq!(listen, PacsListen { remember: true, ..last.clone() });
    let mut app = at(InboxView::default());
    app.key(KeyCode::Tab).keys("lX");
    let settings =
        SettingsView { retention_days: 30, graphics: "auto".into(), lock_after_seconds: None, listen: Some(last) };
    app.answer(Ok(Reply::Settings(settings)));
    app.control('s');
    assert_eq!(asked_to_listen(&mut app).1.allow, ["X"]);
}

#[test]
fn the_listening_ends_on_demand_and_not_under_a_sender_without_a_question() {
    let mut app = at(inbox(Vec::new()));
    app.keys("l");
    assert!(app.said().starts_with("It listens already"));
    app.keys("x");
    assert!(matches!(app.asked.last(), Some(Request::PacsStop)));
    app.answer(Ok(Reply::Nothing {}));
    assert!(app.said().starts_with("Nobody can send here any more"));
    let mut app = at(inbox(vec![study("a", "Doe^John", "arriving")]));
    app.keys("x");
    assert!(app.asks().starts_with("End the listening now?") && app.waiting.is_empty());
    app.keys("y");
    assert!(matches!(app.asked.last(), Some(Request::PacsStop)));
}

#[test]
fn an_arrival_is_told_elsewhere_without_its_patient_and_takes_no_keys() {
    let mut app =
        Harness::new((80, 24), |request| matches!(request, Request::InboxList).then(|| Ok(Reply::Inbox(inbox(two())))));
    assert!(app.shows("2 studies arrived from the hospital"), "{}", app.screen());
    for (state, words) in [
        ("arriving", ""),
        ("complete", "A study has arrived: CT, 120 images."),
        ("incomplete", "A study arrived in part: CT, 120 images are here."),
    ] {
        app.followed(Event::InboxStudy {
            study: "i-a".into(),
            modality: "CT".into(),
            instances: 120,
            state: state.into(),
        });
        assert_eq!(app.said(), words);
        assert_eq!(app.place(), Place::Worklist);
    }
    assert!(!app.shows("Farnsbarns"));
    app.pass(7_000).keys("i");
    assert!(app.place() == Place::Arrivals && app.shows("Farnsbarns, Quintessa"), "{}", app.screen());
    app.followed(Event::InboxStudy {
        study: "i-a".into(),
        modality: "CT".into(),
        instances: 120,
        state: "complete".into(),
    });
    assert_eq!(app.said(), "", "who sees the list is not told");
    app.control('l');
    assert!(app.shows("Overread is locked") && !app.shows("Farnsbarns"));
    app.followed(Event::InboxStudy {
        study: "i-a".into(),
        modality: "CT".into(),
        instances: 1,
        state: "complete".into(),
    });
    assert_eq!(app.said(), "");
}

#[test]
fn names_in_any_script_leave_room_for_the_state() {
    let mut one = study("a", "=山田山田山田山田山田山田山田^太郎太郎太郎太郎太郎太郎太郎太郎太郎太郎", "complete");
    one.patient.patient_id = "9".repeat(64);
    let app = at(inbox(vec![one]));
    for width in [20_u16, 40, 80, 200] {
        let seen = app.body((width, 24));
        assert!(width < 40 || seen.contains(" complete"), "{seen}");
    }
}
