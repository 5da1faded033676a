//! What the form of a new case does with keys and answers, and what is seen of it.

use crossterm::event::KeyModifiers;

use super::*;
use crate::node::api::{CardView, PlanPatient, StudyPatient, StudyView};
use crate::ui::app::harness::Harness;
use crate::ui::message::{Message, Wish};

fn study(id: &str, description: &str, instances: usize) -> StudyView {
    StudyView {
        id: id.into(),
        modality: "CT".into(),
        description: description.into(),
        series: 2,
        instances,
        left_out: 0,
        bytes_stored: 21_000_000,
        origin: "mine".into(),
        cases: Vec::new(),
    }
}

fn of(study: &str, day: &str, name: &str) -> StudyPatient {
    let patient = PlanPatient {
        name: name.into(),
        patient_id: "4711".into(),
        birth_date: "19390718".into(),
        study_date: day.into(),
        ..PlanPatient::default()
    };
    StudyPatient { study: study.into(), patient }
}

fn card(name: &str, trust: &str) -> CardView {
    CardView {
        identity: format!("p-{}", name.to_lowercase()),
        name: format!("Dr. {name}"),
        site: "St. Vinzenz, Köln".into(),
        phone: None,
        alias: None,
        devices: Vec::new(),
        addresses: Vec::new(),
        fingerprint: "ab12 cd34".into(),
        trust: trust.into(),
        serial: 1,
        expires: None,
        expired: name == "Expired",
        last_reached: None,
        text: None,
    }
}

fn colleagues() -> Vec<CardView> {
    vec![
        card("Me", "me"),
        card("Blocked", "blocked"),
        card("Unknown\u{1b}[2J", "unverified"),
        card("Beck", "verified"),
        card("Expired", "verified"),
    ]
}

fn answer_all(app: &mut Harness, cards: &[CardView]) {
    let studies = vec![
        study("s-old", "Chest", 60),
        study("s-new", "Chest with contrast", 118),
        study("s-empty", "Abdomen", 0),
        StudyView { origin: "received".into(), ..study("s-received", "Head", 3) },
    ];
    let patients = vec![
        of("s-old", "20300801", "Farnsbarns^Quintessa"),
        of("s-new", "20310217", "Farnsbarns^Quintessa"),
        of("s-empty", "20310101", "Quibble^Ann"),
    ];
    for (ticket, request) in app.take_waiting() {
        match request {
            Request::StudyList => app.reply(ticket, Reply::Studies { studies: studies.clone() }),
            Request::StudyPatients => app.reply(ticket, Reply::Patients { patients: patients.clone() }),
            Request::CardList => app.reply(ticket, Reply::Cards { cards: cards.to_vec() }),
            other => panic!("{other:?}"),
        }
    }
}

fn at_form() -> Harness {
    let mut app = Harness::of(NewCase::default());
    answer_all(&mut app, &colleagues());
    app
}

/// A form that lacks nothing: the new examination with the old as prior, to Dr. Beck.
fn filled() -> Harness {
    let mut app = at_form();
    app.keys("Is the lesion in segment 7 new?");
    app.key(KeyCode::Enter);
    app.keys("Second line.");
    app.key(KeyCode::Tab);
    app.keys(" ");
    app.key(KeyCode::Down);
    app.keys("  ");
    app.key(KeyCode::Tab);
    app.keys(" ");
    app.key(KeyCode::Tab);
    app.key(KeyCode::Right);
    app.key(KeyCode::Tab);
    app.keys("4h");
    app.key(KeyCode::Tab);
    app.keys("68 years, weight loss.");
    app
}

/// Sends a form that is right; gives the request.
fn sent(app: &mut Harness) -> (Ticket, CaseNew) {
    app.control('s');
    assert!(app.asks().starts_with("Send this case?"), "{}", app.asks());
    app.keys("y");
    requested(app)
}

fn requested(app: &mut Harness) -> (Ticket, CaseNew) {
    match app.take_one() {
        (ticket, Request::CaseNew(new)) => (ticket, new),
        (_, other) => panic!("{other:?}"),
    }
}

#[test]
fn the_form_shows_what_is_here_and_who_may_be_asked() {
    let app = at_form();
    app.body_looks_like("new-case/empty");
    let app = filled();
    app.body_looks_like("new-case/filled");
}

#[test]
fn everything_is_shown_once_more_before_it_is_sent_and_the_case_opens_after() {
    let mut app = filled();
    app.control('s');
    app.body_looks_like("new-case/review");
    app.keys("n");
    assert!(app.take_waiting().is_empty());
    let (ticket, new) = sent(&mut app);
    assert_eq!(new.ask, "Is the lesion in segment 7 new?\nSecond line.");
    assert_eq!(
        (new.studies, new.priors, new.invite),
        (vec!["s-new".into()], vec!["s-old".into()], vec!["p-beck".into()])
    );
    assert_eq!((new.urgency.as_deref(), new.due.as_deref()), (Some("urgent"), Some("4h")));
    assert_eq!((new.context.as_deref(), new.first_report), (Some("68 years, weight loss."), None));
    assert!(!new.to_unverified && !new.text_checked && !new.other_patient);
    app.body_looks_like("new-case/sending");
    app.keys("more");
    let created =
        Reply::CaseCreated { case: "c-1".into(), spoken: "amber falcon".into(), delivery: vec![], ids: vec![] };
    app.reply(ticket, created);
    assert!(app.place() == Place::Case && app.shows("amber falcon"));
    assert!(!app.back_to::<NewCase>(), "the form is gone");
}

#[test]
fn a_form_that_lacks_something_says_what_and_goes_there() {
    let mut app = at_form();
    app.control('s');
    assert_eq!((app.said().as_str(), app.top::<NewCase>().part), ("Write a question first.", Part::Question));
    app.keys("New?");
    app.control('s');
    assert_eq!(app.top::<NewCase>().part, Part::Studies);
    app.keys(" ");
    app.control('s');
    assert_eq!(app.top::<NewCase>().part, Part::People);
    assert!(app.said().starts_with("Choose whom it goes to"));
    app.keys(" ");
    app.top::<NewCase>().due.set("tomorrow");
    app.control('s');
    assert_eq!(app.top::<NewCase>().part, Part::Due);
    assert!(app.asks().is_empty() && app.take_waiting().is_empty());
}

#[test]
fn without_a_colleague_pairing_comes_first() {
    let mut app = Harness::of(NewCase::about(&["s-new".into()]));
    answer_all(&mut app, &[card("Me", "me")]);
    app.keys("New?");
    app.body_looks_like("new-case/alone");
    app.control('s');
    assert!(app.said().starts_with("Pairing comes first"), "{}", app.said());
    assert!(app.asks().is_empty());
}

#[test]
fn an_unverified_colleague_is_asked_about_before_and_blocked_or_expired_ones_cannot_be_chosen() {
    let mut app = filled();
    app.top::<NewCase>().part = Part::People;
    for _ in 0..3 {
        app.key(KeyCode::Down);
        app.keys(" ");
    }
    assert_eq!(app.top::<NewCase>().people.chosen(), ["p-beck", "p-unknown\u{1b}[2j"]);
    app.control('s');
    assert!(app.asks().contains("Dr. Unknown[2J, St. Vinzenz, Köln: you never compared"), "{}", app.asks());
    app.body_looks_like("new-case/unverified");
    app.keys("n");
    assert!(app.take_waiting().is_empty());
    app.control('s');
    app.keys("y");
    assert!(app.asks().starts_with("Send this case?"));
    app.keys("y");
    assert!(requested(&mut app).1.to_unverified);
}

#[test]
fn what_a_person_said_yes_to_ends_with_another_choice() {
    let mut app = filled();
    app.top::<NewCase>().confirmed = Confirmed { text_checked: true, other_patient: true, to_unverified: true };
    app.top::<NewCase>().part = Part::People;
    app.key(KeyCode::Down);
    app.keys(" ");
    assert!(!app.top::<NewCase>().confirmed.to_unverified && !app.top::<NewCase>().confirmed.other_patient);
    app.top::<NewCase>().part = Part::Question;
    app.keys("x");
    assert!(!app.top::<NewCase>().confirmed.text_checked);
}

#[test]
fn a_text_that_seems_to_name_the_patient_is_shown_place_by_place_and_sent_only_after_a_yes() {
    let mut app = filled();
    let (ticket, _) = sent(&mut app);
    let failure =
        Failure::new(FailureCode::TextCheck, "2 places in the text look like identifying data; nothing was sent.")
            .hint("Change the text.")
            .detail("question", vec!["\"Farnsbarns\" is a word of the patient's name".into()])
            .detail("context", vec!["\"17.02.2031\" is a date\u{1b}[2J".into()]);
    app.fail(ticket, failure);
    app.body_looks_like("new-case/text-check");
    app.keys("n");
    assert!(app.take_waiting().is_empty() && !app.top::<NewCase>().is_empty());
    let (ticket, new) = sent(&mut app);
    assert!(!new.text_checked);
    app.fail(ticket, Failure::new(FailureCode::TextCheck, "1 place."));
    app.keys("y");
    assert!(requested(&mut app).1.text_checked);
}

#[test]
fn studies_of_two_patients_are_both_shown_and_sent_only_after_a_yes() {
    let mut app = filled();
    let (ticket, _) = sent(&mut app);
    let patients = vec!["Farnsbarns^Quintessa, born 19390718, CT".into(), "Quibble^Ann, born 19700101, US".into()];
    let failure = Failure::new(FailureCode::OtherPatient, "These studies are of different patients; nothing was sent.")
        .detail("patients", patients);
    app.fail(ticket, failure);
    app.body_looks_like("new-case/two-patients");
    app.keys("y");
    let (ticket, new) = requested(&mut app);
    assert!(new.other_patient);
    app.fail(ticket, Failure::new(FailureCode::OtherPatient, "Still.").hint("No."));
    assert!(app.asks().is_empty() && app.said() == "Still. No.", "it is asked once");
}

#[test]
fn the_first_report_is_pasted_or_read_from_a_file() {
    let mut app = filled();
    app.key(KeyCode::Tab);
    app.message(Message::Paste("Findings:\r\n- none\u{7}\u{202e}".into()));
    assert_eq!(text_of(&app.top::<NewCase>().report).as_deref(), Some("Findings:\n- none"));
    app.control('o');
    app.keys("~/report.txt");
    app.body_looks_like("new-case/report-path");
    app.key(KeyCode::Enter);
    let Some(Wish::ReadText { ticket, path }) = app.wished.pop() else { panic!("nothing is read") };
    assert_eq!(path, PathBuf::from("~/report.txt"));
    app.message(Message::TextRead { ticket, outcome: Err("There is no report.".into()) });
    assert_eq!(app.said(), "There is no report.");
    app.message(Message::TextRead { ticket, outcome: Ok("late".into()) });
    assert_eq!(text_of(&app.top::<NewCase>().report).as_deref(), Some("Findings:\n- none"), "a late answer is dropped");
    app.control('o');
    app.keys("a");
    app.key(KeyCode::Enter);
    let Some(Wish::ReadText { ticket, .. }) = app.wished.pop() else { panic!("nothing is read") };
    app.message(Message::TextRead { ticket, outcome: Ok("Liver: cyst.\nEnd.".into()) });
    assert!(app.asks().contains("Replace the report?"), "{}", app.asks());
    app.keys("y");
    assert_eq!(text_of(&app.top::<NewCase>().report).as_deref(), Some("Liver: cyst.\nEnd."));
}

#[test]
fn leaving_a_form_with_text_asks_first() {
    let mut app = at_form();
    app.key(KeyCode::Esc);
    assert!(!app.back_to::<NewCase>());
    let mut app = filled();
    app.key(KeyCode::Esc);
    assert!(app.place() == Place::CaseNew && app.asks().starts_with("Leave the case?"));
    app.keys("y");
    assert!(!app.back_to::<NewCase>());
}

#[test]
fn letters_and_enter_go_into_the_text_and_tab_goes_on() {
    let mut app = at_form();
    app.keys("q?:n");
    app.press(KeyCode::Char('N'), KeyModifiers::SHIFT);
    assert_eq!(text_of(&app.top::<NewCase>().question).as_deref(), Some("q?:nN"));
    for _ in 0..PARTS.len() {
        app.key(KeyCode::Tab);
    }
    assert_eq!(app.top::<NewCase>().part, Part::Question);
    app.press(KeyCode::BackTab, KeyModifiers::SHIFT);
    assert_eq!(app.top::<NewCase>().part, Part::Report);
}

#[test]
fn a_prior_is_numbered_in_the_order_it_was_chosen() {
    let mut app = at_form();
    app.top::<NewCase>().part = Part::Studies;
    app.key(KeyCode::Down);
    app.keys("  ");
    app.key(KeyCode::Up);
    app.keys("  ");
    assert_eq!(app.top::<NewCase>().studies.with_role(Role::Prior), ["s-old", "s-new"]);
    assert_eq!(app.top::<NewCase>().studies.role_words("s-new"), "prior 2");
    app.keys(" ");
    assert_eq!(app.top::<NewCase>().studies.with_role(Role::Prior), ["s-old"]);
}

#[test]
fn a_form_opened_with_studies_begins_with_one_patient_the_latest_as_index() {
    let studies = ["s-old", "s-empty", "s-new"].map(String::from);
    let mut app = Harness::of(NewCase::about(&studies));
    answer_all(&mut app, &colleagues());
    let choice = &app.top::<NewCase>().studies;
    assert_eq!(
        (choice.with_role(Role::Index), choice.with_role(Role::Prior)),
        (vec!["s-new".into()], vec!["s-old".into()])
    );
    app.come_back();
    answer_all(&mut app, &colleagues());
    app.top::<NewCase>().part = Part::Studies;
    app.keys(" ");
    app.come_back();
    answer_all(&mut app, &colleagues());
    assert!(app.top::<NewCase>().studies.with_role(Role::Index).is_empty(), "what was chosen since stays");
}

proptest::proptest! {
    #[test]
    fn no_sequence_of_keys_sends_to_somebody_unverified_unasked(
        keys in proptest::collection::vec(0_u8..128, 0..60),
        width in 1_u16..120,
    ) {
        let mut app = filled();
        app.top::<NewCase>().part = Part::People;
        for key in keys {
            let before = app.top::<NewCase>().confirmed.to_unverified;
            let asked = app.asks().lines().next().is_some_and(|title| title.contains("unverified"));
            app.any_key(key);
            if !app.back_to::<NewCase>() {
                break;
            }
            assert!(before || !app.top::<NewCase>().confirmed.to_unverified || (asked && matches!(key, b'y' | b'Y')));
            for (ticket, request) in app.take_waiting() {
                if let Request::CaseNew(new) = request {
                    let unverified = new.invite.iter().any(|who| who != "p-beck");
                    assert!(!unverified || new.to_unverified);
                    app.fail(ticket, Failure::new(FailureCode::TextCheck, "A name."));
                }
            }
        }
        app.body((width, 3 + width / 3));
    }
}

#[test]
fn no_size_of_a_terminal_breaks_the_form() {
    for (width, height) in [(1, 3), (2, 3), (10, 5), (40, 8), (300, 100)] {
        let mut app = filled();
        app.body((width, height));
        app.control('o');
        app.body((width, height));
        app.key(KeyCode::Esc);
        app.control('s');
        app.body((width, height));
    }
}
