//! What the list of studies does with keys and answers, and what is seen of it.

use super::*;
use crate::node::api::{Failure, FailureCode, SeriesView, StudyPatient};
use crate::ui::message::Wish;
use crate::ui::stage::Stage;

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
    StudyDetail { study, series_list, identity: None }
}

/// Answers everything that the list of studies asks.
fn answer_all(stage: &mut Stage<Studies>) {
    let (studies, patients) = held();
    for _ in 0..3 {
        for (ticket, request) in stage.asked() {
            match request {
                Request::StudyList => stage.answer(ticket, Reply::Studies { studies: studies.clone() }),
                Request::StudyPatients => stage.answer(ticket, Reply::Patients { patients: patients.clone() }),
                Request::StudyShow { study, identity } => {
                    assert!(!identity);
                    let study = studies.iter().find(|one| one.id == study).unwrap().clone();
                    stage.answer(ticket, Reply::Study(detail(study)));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

fn at_list() -> Stage<Studies> {
    let mut stage = Stage::new(Studies::default());
    answer_all(&mut stage);
    stage
}

#[test]
fn studies_stand_by_patient_the_latest_first_and_received_ones_last() {
    let mut stage = at_list();
    let seen: Vec<String> = stage.screen.seen().iter().map(|study| study.id[2..3].to_owned()).collect();
    assert_eq!(seen, ["d", "a", "b", "c"]);
    stage.code(KeyCode::Down);
    answer_all(&mut stage);
    stage.check("studies/list");
}

#[test]
fn while_nothing_is_here_it_says_how_to_take_something_in() {
    let mut stage = Stage::new(Studies::default());
    stage.check("studies/reading");
    for (ticket, request) in stage.asked() {
        match request {
            Request::StudyList => stage.answer(ticket, Reply::Studies { studies: Vec::new() }),
            _ => stage.answer(ticket, Reply::Patients { patients: Vec::new() }),
        }
    }
    stage.check("studies/empty");
    stage.keys("i");
    assert!(matches!(&stage.go[..], [Go::Over(screen)] if screen.place() == Place::Import));
}

#[test]
fn a_filter_finds_the_real_name() {
    let mut stage = at_list();
    stage.keys("/");
    stage.keys("farns prior");
    assert_eq!(stage.screen.seen().iter().map(|study| study.id.as_str()).collect::<Vec<_>>(), ["s-bbbbbbbb2222"]);
    answer_all(&mut stage);
    stage.check("studies/filter");
    stage.code(KeyCode::Enter);
    assert!(!stage.screen.typing());
    stage.code(KeyCode::Esc);
    assert!(stage.go.is_empty(), "Esc shows all first");
    assert_eq!(stage.screen.seen().len(), 4);
}

#[test]
fn deleting_asks_with_the_patient_and_a_study_in_a_case_stays() {
    let mut stage = at_list();
    stage.code(KeyCode::Down);
    stage.asked();
    stage.code(KeyCode::Delete);
    assert!(stage.asks().contains("Farnsbarns, Quintessa"), "{}", stage.asks());
    stage.check("studies/delete");
    stage.keys("n");
    assert!(stage.asked().is_empty());
    stage.code(KeyCode::Delete);
    stage.keys("y");
    let (ticket, request) = stage.asked_one();
    assert!(matches!(request, Request::StudyRemove { study } if study == "s-aaaaaaaa1111"));
    stage.fail(ticket, Failure::new(FailureCode::Unsafe, "The study is in a case.").hint("Withdraw it first."));
    assert_eq!(stage.said(), "The study is in a case. Withdraw it first.");

    answer_all(&mut stage);
    stage.code(KeyCode::Down);
    stage.code(KeyCode::Delete);
    assert!(stage.question.is_none() && stage.said().contains("withdraw it there first"));
}

#[test]
fn a_study_is_asked_about_only_if_something_of_it_may_be_shared() {
    let mut stage = at_list();
    stage.keys("n");
    assert!(stage.go.is_empty() && stage.said().contains("look first at what was left out"));
    stage.code(KeyCode::Down);
    stage.keys("n");
    assert!(matches!(&stage.go[..], [Go::Over(screen)] if screen.place() == Place::CaseNew));
    stage.go.clear();
    stage.code(KeyCode::End);
    stage.keys("n");
    stage.keys("v");
    assert!(stage.go.is_empty(), "a received study belongs to its sender");
}

proptest::proptest! {
    #[test]
    fn no_sequence_of_keys_breaks_the_list(keys in proptest::collection::vec(0_u8..128, 0..60), width in 1_u16..120) {
        let mut stage = at_list();
        for key in keys {
            stage.any_key(key);
            let (removals, others): (Vec<_>, Vec<_>) = std::mem::take(&mut stage.wishes)
                .into_iter()
                .partition(|wish| matches!(wish, Wish::Ask { request: Request::StudyRemove { .. }, .. }));
            stage.wishes = others;
            for removal in removals {
                if let Wish::Ask { ticket, .. } = removal {
                    stage.answer(ticket, Reply::Nothing {});
                }
            }
            answer_all(&mut stage);
            stage.go.clear();
        }
        stage.drawn(width, 3 + width / 3);
    }
}

#[test]
fn no_size_of_a_terminal_breaks_the_list() {
    for (width, height) in [(1, 3), (2, 3), (10, 5), (40, 8), (300, 100)] {
        at_list().drawn(width, height);
    }
}

#[test]
fn the_worklist_leads_to_studies_to_an_import_and_to_a_new_case() {
    for (key, place) in [("t", Place::Studies), ("i", Place::Import), ("n", Place::CaseNew)] {
        let mut stage = Stage::new(crate::ui::worklist::Worklist::default());
        stage.keys(key);
        assert!(matches!(&stage.go[..], [Go::Over(screen)] if screen.place() == place), "{key}");
    }
}
