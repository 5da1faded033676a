//! What the form of a new case does with keys and answers, and what is seen of it.

use crossterm::event::KeyModifiers;

use super::*;
use crate::node::api::{CardView, PlanPatient, StudyPatient, StudyView};
use crate::ui::message::Wish;
use crate::ui::stage::Stage;

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

fn answer_all(stage: &mut Stage<NewCase>, cards: &[CardView]) {
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
    for (ticket, request) in stage.asked() {
        match request {
            Request::StudyList => stage.answer(ticket, Reply::Studies { studies: studies.clone() }),
            Request::StudyPatients => stage.answer(ticket, Reply::Patients { patients: patients.clone() }),
            Request::CardList => stage.answer(ticket, Reply::Cards { cards: cards.to_vec() }),
            other => panic!("{other:?}"),
        }
    }
}

fn at_form() -> Stage<NewCase> {
    let mut stage = Stage::new(NewCase::default());
    answer_all(&mut stage, &colleagues());
    stage
}

/// A form that lacks nothing: the new examination with the old as prior, to Dr. Beck.
fn filled() -> Stage<NewCase> {
    let mut stage = at_form();
    stage.keys("Is the lesion in segment 7 new?");
    stage.code(KeyCode::Enter);
    stage.keys("Second line.");
    stage.code(KeyCode::Tab);
    stage.keys(" ");
    stage.code(KeyCode::Down);
    stage.keys("  ");
    stage.code(KeyCode::Tab);
    stage.keys(" ");
    stage.code(KeyCode::Tab);
    stage.code(KeyCode::Right);
    stage.code(KeyCode::Tab);
    stage.keys("4h");
    stage.code(KeyCode::Tab);
    stage.keys("68 years, weight loss.");
    stage
}

/// Sends a form that is right; gives the request.
fn sent(stage: &mut Stage<NewCase>) -> (Ticket, CaseNew) {
    stage.control('s');
    assert!(stage.asks().starts_with("Send this case?"), "{}", stage.asks());
    stage.keys("y");
    requested(stage)
}

fn requested(stage: &mut Stage<NewCase>) -> (Ticket, CaseNew) {
    match stage.asked_one() {
        (ticket, Request::CaseNew(new)) => (ticket, new),
        (_, other) => panic!("{other:?}"),
    }
}

#[test]
fn the_form_shows_what_is_here_and_who_may_be_asked() {
    let stage = at_form();
    stage.check("new-case/empty");
    let stage = filled();
    stage.check("new-case/filled");
}

#[test]
fn everything_is_shown_once_more_before_it_is_sent_and_the_case_opens_after() {
    let mut stage = filled();
    stage.control('s');
    stage.check("new-case/review");
    stage.keys("n");
    assert!(stage.asked().is_empty());
    let (ticket, new) = sent(&mut stage);
    assert_eq!(new.ask, "Is the lesion in segment 7 new?\nSecond line.");
    assert_eq!(
        (new.studies, new.priors, new.invite),
        (vec!["s-new".into()], vec!["s-old".into()], vec!["p-beck".into()])
    );
    assert_eq!((new.urgency.as_deref(), new.due.as_deref()), (Some("urgent"), Some("4h")));
    assert_eq!((new.context.as_deref(), new.first_report), (Some("68 years, weight loss."), None));
    assert!(!new.to_unverified && !new.text_checked && !new.other_patient);
    stage.check("new-case/sending");
    stage.keys("more");
    let created =
        Reply::CaseCreated { case: "c-1".into(), spoken: "amber falcon".into(), delivery: vec![], ids: vec![] };
    stage.answer(ticket, created);
    assert!(matches!(&stage.go[..], [Go::Back, Go::Over(case)] if case.title().contains("amber falcon")));
}

#[test]
fn a_form_that_lacks_something_says_what_and_goes_there() {
    let mut stage = at_form();
    stage.control('s');
    assert_eq!((stage.said().as_str(), stage.screen.part), ("Write a question first.", Part::Question));
    stage.keys("New?");
    stage.control('s');
    assert_eq!(stage.screen.part, Part::Studies);
    stage.keys(" ");
    stage.control('s');
    assert_eq!(stage.screen.part, Part::People);
    assert!(stage.said().starts_with("Choose whom it goes to"));
    stage.keys(" ");
    stage.screen.due.set("tomorrow");
    stage.control('s');
    assert_eq!(stage.screen.part, Part::Due);
    assert!(stage.question.is_none() && stage.asked().is_empty());
}

#[test]
fn without_a_colleague_pairing_comes_first() {
    let mut stage = Stage::new(NewCase::about(&["s-new".into()]));
    answer_all(&mut stage, &[card("Me", "me")]);
    stage.keys("New?");
    stage.check("new-case/alone");
    stage.control('s');
    assert!(stage.said().starts_with("Pairing comes first"), "{}", stage.said());
    assert!(stage.question.is_none());
}

#[test]
fn an_unverified_colleague_is_asked_about_before_and_blocked_or_expired_ones_cannot_be_chosen() {
    let mut stage = filled();
    stage.screen.part = Part::People;
    for _ in 0..3 {
        stage.code(KeyCode::Down);
        stage.keys(" ");
    }
    assert_eq!(stage.screen.people.chosen(), ["p-beck", "p-unknown\u{1b}[2j"]);
    stage.control('s');
    assert!(stage.asks().contains("Dr. Unknown[2J, St. Vinzenz, Köln: you never compared"), "{}", stage.asks());
    stage.check("new-case/unverified");
    stage.keys("n");
    assert!(stage.asked().is_empty());
    stage.control('s');
    stage.keys("y");
    assert!(stage.asks().starts_with("Send this case?"));
    stage.keys("y");
    assert!(requested(&mut stage).1.to_unverified);
}

#[test]
fn what_a_person_said_yes_to_ends_with_another_choice() {
    let mut stage = filled();
    stage.screen.confirmed = Confirmed { text_checked: true, other_patient: true, to_unverified: true };
    stage.screen.part = Part::People;
    stage.code(KeyCode::Down);
    stage.keys(" ");
    assert!(!stage.screen.confirmed.to_unverified && !stage.screen.confirmed.other_patient);
    stage.screen.part = Part::Question;
    stage.keys("x");
    assert!(!stage.screen.confirmed.text_checked);
}

#[test]
fn a_text_that_seems_to_name_the_patient_is_shown_place_by_place_and_sent_only_after_a_yes() {
    let mut stage = filled();
    let (ticket, _) = sent(&mut stage);
    let failure =
        Failure::new(FailureCode::TextCheck, "2 places in the text look like identifying data; nothing was sent.")
            .hint("Change the text.")
            .detail("question", vec!["\"Farnsbarns\" is a word of the patient's name".into()])
            .detail("context", vec!["\"17.02.2031\" is a date\u{1b}[2J".into()]);
    stage.fail(ticket, failure);
    stage.check("new-case/text-check");
    stage.keys("n");
    assert!(stage.asked().is_empty() && !stage.screen.is_empty());
    let (ticket, new) = sent(&mut stage);
    assert!(!new.text_checked);
    stage.fail(ticket, Failure::new(FailureCode::TextCheck, "1 place."));
    stage.keys("y");
    assert!(requested(&mut stage).1.text_checked);
}

#[test]
fn studies_of_two_patients_are_both_shown_and_sent_only_after_a_yes() {
    let mut stage = filled();
    let (ticket, _) = sent(&mut stage);
    let patients = vec!["Farnsbarns^Quintessa, born 19390718, CT".into(), "Quibble^Ann, born 19700101, US".into()];
    let failure = Failure::new(FailureCode::OtherPatient, "These studies are of different patients; nothing was sent.")
        .detail("patients", patients);
    stage.fail(ticket, failure);
    stage.check("new-case/two-patients");
    stage.keys("y");
    let (ticket, new) = requested(&mut stage);
    assert!(new.other_patient);
    stage.fail(ticket, Failure::new(FailureCode::OtherPatient, "Still.").hint("No."));
    assert!(stage.question.is_none() && stage.said() == "Still. No.", "it is asked once");
}

#[test]
fn the_first_report_is_pasted_or_read_from_a_file() {
    let mut stage = filled();
    stage.code(KeyCode::Tab);
    stage.with(|screen, context| screen.paste("Findings:\r\n- none\u{7}\u{202e}", context));
    assert_eq!(text_of(&stage.screen.report).as_deref(), Some("Findings:\n- none"));
    stage.control('o');
    stage.keys("~/report.txt");
    stage.check("new-case/report-path");
    stage.code(KeyCode::Enter);
    let Some(Wish::ReadText { ticket, path }) = stage.wishes.pop() else { panic!("nothing is read") };
    assert_eq!(path, PathBuf::from("~/report.txt"));
    stage.with(|screen, context| screen.text_read(ticket, &Err("There is no report.".into()), context));
    assert_eq!(stage.said(), "There is no report.");
    stage.with(|screen, context| screen.text_read(ticket, &Ok("late".into()), context));
    assert_eq!(text_of(&stage.screen.report).as_deref(), Some("Findings:\n- none"), "a late answer is dropped");
    stage.control('o');
    stage.keys("a");
    stage.code(KeyCode::Enter);
    let Some(Wish::ReadText { ticket, .. }) = stage.wishes.pop() else { panic!("nothing is read") };
    stage.with(|screen, context| screen.text_read(ticket, &Ok("Liver: cyst.\nEnd.".into()), context));
    assert_eq!(text_of(&stage.screen.report).as_deref(), Some("Liver: cyst.\nEnd."));
}

#[test]
fn leaving_a_form_with_text_asks_first() {
    let mut stage = at_form();
    stage.code(KeyCode::Esc);
    assert!(matches!(stage.go[..], [Go::Back]));
    let mut stage = filled();
    stage.code(KeyCode::Esc);
    assert!(stage.go.is_empty() && stage.asks().starts_with("Leave the case?"));
    stage.keys("y");
    assert!(matches!(stage.go[..], [Go::Back]));
}

#[test]
fn letters_and_enter_go_into_the_text_and_tab_goes_on() {
    let mut stage = at_form();
    stage.keys("q?:n");
    stage.press(KeyCode::Char('N'), KeyModifiers::SHIFT);
    assert_eq!(text_of(&stage.screen.question).as_deref(), Some("q?:nN"));
    for _ in 0..PARTS.len() {
        stage.code(KeyCode::Tab);
    }
    assert_eq!(stage.screen.part, Part::Question);
    stage.press(KeyCode::BackTab, KeyModifiers::SHIFT);
    assert_eq!(stage.screen.part, Part::Report);
}

#[test]
fn a_prior_is_numbered_in_the_order_it_was_chosen() {
    let mut stage = at_form();
    stage.screen.part = Part::Studies;
    stage.code(KeyCode::Down);
    stage.keys("  ");
    stage.code(KeyCode::Up);
    stage.keys("  ");
    assert_eq!(stage.screen.studies.with_role(Role::Prior), ["s-old", "s-new"]);
    assert_eq!(stage.screen.studies.role_words("s-new"), "prior 2");
    stage.keys(" ");
    assert_eq!(stage.screen.studies.with_role(Role::Prior), ["s-old"]);
}

#[test]
fn a_form_opened_with_studies_begins_with_one_patient_the_latest_as_index() {
    let studies = ["s-old", "s-empty", "s-new"].map(String::from);
    let mut stage = Stage::new(NewCase::about(&studies));
    answer_all(&mut stage, &colleagues());
    let choice = &stage.screen.studies;
    assert_eq!(
        (choice.with_role(Role::Index), choice.with_role(Role::Prior)),
        (vec!["s-new".into()], vec!["s-old".into()])
    );
    stage.with(|screen, context| screen.shown(context));
    answer_all(&mut stage, &colleagues());
    stage.screen.part = Part::Studies;
    stage.keys(" ");
    stage.with(|screen, context| screen.shown(context));
    answer_all(&mut stage, &colleagues());
    assert!(stage.screen.studies.with_role(Role::Index).is_empty(), "what was chosen since stays");
}

proptest::proptest! {
    #[test]
    fn no_sequence_of_keys_sends_to_somebody_unverified_unasked(
        keys in proptest::collection::vec(0_u8..128, 0..60),
        width in 1_u16..120,
    ) {
        let mut stage = filled();
        stage.screen.part = Part::People;
        for key in keys {
            let before = stage.screen.confirmed.to_unverified;
            let asked = stage.question.as_ref().is_some_and(|(question, _)| question.title.contains("unverified"));
            stage.any_key(key);
            assert!(before || !stage.screen.confirmed.to_unverified || (asked && key == b'y'));
            for (ticket, request) in stage.asked() {
                if let Request::CaseNew(new) = request {
                    let unverified = new.invite.iter().any(|who| who != "p-beck");
                    assert!(!unverified || new.to_unverified);
                    stage.fail(ticket, Failure::new(FailureCode::TextCheck, "A name."));
                }
            }
            stage.go.clear();
        }
        stage.drawn(width, 3 + width / 3);
    }
}

#[test]
fn no_size_of_a_terminal_breaks_the_form() {
    for (width, height) in [(1, 3), (2, 3), (10, 5), (40, 8), (300, 100)] {
        let mut stage = filled();
        stage.drawn(width, height);
        stage.control('o');
        stage.drawn(width, height);
        stage.code(KeyCode::Esc);
        stage.control('s');
        stage.drawn(width, height);
    }
}
