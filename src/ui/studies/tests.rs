//! What the list of studies does with keys and answers, and what is seen of it.

use super::*;
use crate::node::api::{Failure, FailureCode, SeriesView, StudyPatient};
use crate::ui::app::harness::Harness;

fn study(id: &str, modality: &str, description: &str, left_out: usize) -> StudyView {
    StudyView {
        id: id.into(),
        modality: modality.into(),
        description: description.into(),
        series: 2,
        instances: 118,
        left_out,
        bytes_stored: 21_000_000,
        origin: "mine".into(),
        cases: Vec::new(),
    }
}

fn patient(name: &str, day: &str) -> PlanPatient {
    PlanPatient {
        name: name.into(),
        patient_id: "MRN-4711".into(),
        birth_date: "19390718".into(),
        study_date: day.into(),
        accession: "ACC1".into(),
        study_description: "CT Chest Xanthe".into(),
    }
}

fn held() -> (Vec<StudyView>, Vec<StudyPatient>) {
    let studies = vec![
        study("s-aaaaaaaa1111", "CT", "CT Chest", 2),
        StudyView { cases: vec!["c-one".into()], ..study("s-bbbbbbbb2222", "CT", "CT Chest prior", 0) },
        StudyView { origin: "received".into(), ..study("s-cccccccc3333", "MR", "Head\u{1b}[2J", 0) },
        StudyView { instances: 0, ..study("s-dddddddd4444", "US", "Abdomen", 7) },
    ];
    let of = |study: &str, name: &str, day: &str| StudyPatient { study: study.into(), patient: patient(name, day) };
    let patients = vec![
        of("s-aaaaaaaa1111", "Farnsbarns^Quintessa", "20310217"),
        of("s-bbbbbbbb2222", "Farnsbarns^Quintessa", "20300801"),
        of("s-dddddddd4444", "Abel^Ann\u{202e}", "20310101"),
    ];
    (studies, patients)
}

fn detail(study: StudyView) -> StudyDetail {
    let series = |number: i64, description: &str, left_out: usize, gaps: &[&str]| SeriesView {
        series_instance_uid: format!("2.25.{number}"),
        modality: study.modality.clone(),
        description: description.into(),
        number: Some(number),
        instances: 59,
        instances_have: 59,
        left_out,
        gaps: gaps.iter().map(ToString::to_string).collect(),
        sop_instance_uids: Vec::new(),
        images: Vec::new(),
    };
    let series_list =
        vec![series(1, "thin lung", 0, &["59 images, 2 positions missing"]), series(3, "dose", study.left_out, &[])];
    StudyDetail { study, series_list, identity: None, masked: Vec::new() }
}

/// Answers everything that the list of studies asks.
fn answer_all(app: &mut Harness) {
    let (studies, patients) = held();
    for _ in 0..3 {
        for (ticket, request) in app.take_waiting() {
            match request {
                Request::StudyList => app.reply(ticket, Reply::Studies { studies: studies.clone() }),
                Request::StudyPatients => app.reply(ticket, Reply::Patients { patients: patients.clone() }),
                Request::StudyShow { study, identity } => {
                    assert!(!identity);
                    let study = studies.iter().find(|one| one.id == study).unwrap().clone();
                    app.reply(ticket, Reply::Study(detail(study)));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

fn at_list() -> Harness {
    let mut app = Harness::of(Studies::default());
    answer_all(&mut app);
    app
}

#[test]
fn studies_stand_by_patient_the_latest_first_and_received_ones_last() {
    let mut app = at_list();
    let seen: Vec<String> = app.top::<Studies>().seen().iter().map(|study| study.id[2..3].to_owned()).collect();
    assert_eq!(seen, ["d", "a", "b", "c"]);
    app.key(KeyCode::Down);
    answer_all(&mut app);
    app.body_looks_like("studies/list");
}

#[test]
fn while_nothing_is_here_it_says_how_to_take_something_in() {
    let mut app = Harness::of(Studies::default());
    app.body_looks_like("studies/reading");
    for (ticket, request) in app.take_waiting() {
        match request {
            Request::StudyList => app.reply(ticket, Reply::Studies { studies: Vec::new() }),
            _ => app.reply(ticket, Reply::Patients { patients: Vec::new() }),
        }
    }
    app.body_looks_like("studies/empty");
    app.keys("i");
    assert_eq!(app.place(), Place::Import);
}

#[test]
fn a_filter_finds_the_real_name() {
    let mut app = at_list();
    app.keys("/");
    app.keys("farns prior");
    assert_eq!(
        app.top::<Studies>().seen().iter().map(|study| study.id.as_str()).collect::<Vec<_>>(),
        ["s-bbbbbbbb2222"]
    );
    answer_all(&mut app);
    app.body_looks_like("studies/filter");
    app.key(KeyCode::Enter);
    assert!(!app.top::<Studies>().typing());
    app.key(KeyCode::Esc);
    assert_eq!(app.place(), Place::Studies, "Esc shows all first");
    assert_eq!(app.top::<Studies>().seen().len(), 4);
}

#[test]
fn deleting_asks_with_the_patient_and_a_study_in_a_case_stays() {
    let mut app = at_list();
    app.key(KeyCode::Down);
    app.take_waiting();
    app.key(KeyCode::Delete);
    assert!(app.asks().contains("Farnsbarns, Quintessa"), "{}", app.asks());
    app.body_looks_like("studies/delete");
    app.keys("n");
    assert!(app.take_waiting().is_empty());
    app.key(KeyCode::Delete);
    app.keys("y");
    let (ticket, request) = app.take_one();
    assert!(matches!(request, Request::StudyRemove { study } if study == "s-aaaaaaaa1111"));
    app.fail(ticket, Failure::new(FailureCode::Unsafe, "The study is in a case.").hint("Withdraw it first."));
    assert_eq!(app.said(), "The study is in a case. Withdraw it first.");

    answer_all(&mut app);
    app.key(KeyCode::Down);
    app.key(KeyCode::Delete);
    assert!(app.asks().is_empty() && app.said().contains("withdraw it there first"));
}

#[test]
fn a_study_is_asked_about_only_if_something_of_it_may_be_shared() {
    let mut app = at_list();
    app.keys("n");
    assert!(app.place() == Place::Studies && app.said().contains("look first at what was left out"));
    app.key(KeyCode::Down);
    app.keys("n");
    assert_eq!(app.place(), Place::CaseNew);
    app.back_to::<Studies>();
    app.key(KeyCode::End);
    app.keys("n");
    app.keys("v");
    assert_eq!(app.place(), Place::Studies, "a received study belongs to its sender");
}

#[test]
fn a_study_is_exported_unless_nothing_of_it_may_be_shared() {
    let mut app = at_list();
    app.keys("e");
    assert!(app.place() == Place::Studies && app.said().contains("none to export"), "{}", app.said());
    for down in 1..4 {
        let mut app = at_list();
        for _ in 0..down {
            app.key(KeyCode::Down);
        }
        app.keys("e");
        assert_eq!(app.place(), Place::Destination, "mine and received ones");
    }
}

proptest::proptest! {
    #[test]
    fn no_sequence_of_keys_breaks_the_list(keys in proptest::collection::vec(0_u8..128, 0..60), width in 1_u16..120) {
        let mut app = at_list();
        for key in keys {
            app.any_key(key);
            let waiting = app.take_waiting();
            for (ticket, request) in waiting {
                match request {
                    Request::StudyRemove { .. } => app.reply(ticket, Reply::Nothing {}),
                    Request::StudyList | Request::StudyPatients | Request::StudyShow { .. } => {
                        app.waiting.push((ticket, request));
                    }
                    // Of a screen over the list.
                    _ => {}
                }
            }
            if !app.back_to::<Studies>() {
                break;
            }
            answer_all(&mut app);
        }
        app.body((width, 3 + width / 3));
    }
}

#[test]
fn no_size_of_a_terminal_breaks_the_list() {
    for (width, height) in [(1, 3), (2, 3), (10, 5), (40, 8), (300, 100)] {
        at_list().body((width, height));
    }
}

#[test]
fn the_worklist_leads_to_studies_to_an_import_and_to_a_new_case() {
    for (key, place) in [("t", Place::Studies), ("i", Place::Import), ("n", Place::CaseNew)] {
        let mut app = Harness::of(crate::ui::worklist::Worklist::default());
        app.keys(key);
        assert_eq!(app.place(), place);
    }
}

#[test]
fn the_study_that_is_deleted_is_the_one_the_question_named() {
    let mut app = Harness::of(Studies::default());
    let (studies, patients) = held();
    let mut naming = None;
    for (ticket, request) in app.take_waiting() {
        match request {
            Request::StudyList => app.reply(ticket, Reply::Studies { studies: studies.clone() }),
            _ => naming = Some(ticket),
        }
    }
    app.key(KeyCode::Delete);
    assert!(app.asks().contains("Delete this study here?"), "{}", app.asks());
    let named = app.top::<Studies>().chosen_study().unwrap().id.clone();
    app.reply(naming.unwrap(), Reply::Patients { patients });
    assert_ne!(app.top::<Studies>().chosen_study().unwrap().id, named, "whose they are moves the rows");
    app.take_waiting();
    app.keys("y");
    assert!(matches!(app.take_one().1, Request::StudyRemove { study } if study == named));
}
