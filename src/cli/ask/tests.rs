use std::sync::{Arc, Mutex};

use super::*;
use crate::cli::output::tests::Captured;
use crate::cli::person::script::Script;
use crate::cli::session::tests::{run, scripted, status};
use crate::node::api::{Envelope, Event, ImportedStudy, Initialised, LeftOut, PlanPatient, PlanView};

const QUESTION: &str = "Is the lesion new?";

fn ask(to: &str, yes: bool) -> Ask {
    Ask {
        given: vec!["./CT".into(), QUESTION.into()],
        to: vec![to.into()],
        context: None,
        first_report: None,
        priors: Vec::new(),
        urgency: None,
        due: None,
        preset: None,
        same_patient: None,
        keep_words: Vec::new(),
        to_unverified: false,
        text_checked: false,
        other_patient: false,
        yes,
        stay: false,
        first_start: FirstStart { name: Some("Dr Weber".into()), site: Some("Köln".into()), phone: None },
    }
}

fn report(patients: &[&str], left_out: usize) -> Reply {
    let patient = |name: &&str| PlanPatient { name: (*name).into(), ..PlanPatient::default() };
    let left = LeftOut { series: "4".into(), instances: 1, why: "burned-in text".into() };
    Reply::Imported(ImportReport {
        studies: vec![ImportedStudy { id: "s-one".into(), left_out: vec![left; left_out], ..ImportedStudy::default() }],
        plan: Some(PlanView { patients: patients.iter().map(patient).collect(), ..PlanView::default() }),
        ..ImportReport::default()
    })
}

fn colleague() -> CardView {
    CardView {
        identity: "p-beck".into(),
        name: "Dr Beck".into(),
        site: "Bonn".into(),
        phone: None,
        alias: None,
        devices: Vec::new(),
        addresses: Vec::new(),
        fingerprint: "ab".into(),
        trust: "verified".into(),
        serial: 1,
        expires: None,
        expired: false,
        last_reached: None,
        text: None,
    }
}

/// A node on which all goes well; remembers what it was asked.
fn good_node(
    initialised: bool,
    patients: &'static [&'static str],
    left_out: usize,
) -> impl FnMut(&Envelope, &mut dyn FnMut(Event) -> Option<Request>) -> Result<Reply, Failure> + Send + 'static {
    move |envelope, on_event| match &envelope.request {
        Request::Status => Ok(status(initialised, false)),
        Request::Init { .. } => Ok(Reply::Initialised(Initialised {
            identity: "p-weber".into(),
            device: "d-one".into(),
            fingerprint: "ab cd".into(),
        })),
        Request::Import(_) => Ok(report(patients, left_out)),
        Request::PairOpen => {
            on_event(Event::PairingOpen {
                code: "7-amber".into(),
                addresses: Vec::new(),
                command: "overread join 7-amber".into(),
            });
            let person = Event::ConfirmPerson { name: "Dr Beck".into(), site: "Bonn".into(), fingerprint: "ab".into() };
            match on_event(person) {
                Some(Request::Confirm { yes: true }) => Ok(Reply::Paired { colleague: colleague() }),
                _ => Err(Failure::new(FailureCode::Untrusted, "Not confirmed.")),
            }
        }
        Request::CaseNew(case) => Ok(Reply::CaseCreated {
            case: "c-one".into(),
            spoken: "amber-falcon".into(),
            delivery: case
                .invite
                .iter()
                .map(|who| DeliveryView { member: who.clone(), identity: who.clone(), state: "delivered".into() })
                .collect(),
            ids: vec!["c-one".into()],
        }),
        other => panic!("{other:?}"),
    }
}

/// The kinds of requests, in order.
fn kinds(asked: &Arc<Mutex<Vec<Envelope>>>) -> Vec<&'static str> {
    let kind = |envelope: &Envelope| match &envelope.request {
        Request::Status => None,
        Request::Init { .. } => Some("init"),
        Request::Import(import) if import.dry_run => Some("dry run"),
        Request::Import(_) => Some("import"),
        Request::PairOpen => Some("pair"),
        Request::CaseNew(_) => Some("case"),
        _ => Some("other"),
    };
    asked.lock().unwrap().iter().filter_map(kind).collect()
}

#[test]
fn a_first_ask_makes_the_identity_shows_the_plan_pairs_and_delivers() {
    let (output, captured) = Captured::json();
    let person = Script::answering(&["secret", "secret", "y", "y"]);
    let (mut session, asked) = scripted(output, &person, good_node(false, &["DOE^JANE"], 0));
    assert_eq!(run(ask("new", false).run(&mut session)), Ok(0));
    assert_eq!(kinds(&asked), ["init", "dry run", "import", "pair", "case"]);
    assert!(captured.err().contains("patient         DOE^JANE"), "{}", captured.err());
    assert!(captured.err().contains("Question        Is the lesion new?"), "{}", captured.err());
    let lines: Vec<Value> = captured.out().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["event"], "pairing_open");
    assert_eq!(lines[0]["command"], "overread join 7-amber");
    let last = &lines[lines.len() - 1];
    assert_eq!((&last["event"], &last["case"], &last["format"]), (&json!("done"), &json!("c-one"), &json!(1)));
    assert_eq!(last["studies"], json!(["s-one"]));
    assert!(!captured.out().contains("DOE"), "the patient is in a script's document");
}

#[test]
fn nothing_is_imported_before_the_sender_agrees() {
    for (person, exit) in [(Script::answering(&["n"]), 1), (Script::nobody(), 2)] {
        let (mut session, asked) = scripted(Captured::text().0, &person, good_node(true, &["DOE^JANE"], 0));
        let failure = run(ask("Dr Beck", false).run(&mut session)).unwrap_err();
        assert_eq!(failure.code.exit_code(), exit);
        assert_eq!(kinds(&asked), ["dry run"]);
    }
}

#[test]
fn a_script_that_says_yes_is_asked_nothing() {
    let (mut session, asked) = scripted(Captured::text().0, &Script::nobody(), good_node(true, &["DOE^JANE"], 0));
    assert_eq!(run(ask("Dr Beck", true).run(&mut session)), Ok(0));
    assert_eq!(kinds(&asked), ["dry run", "import", "case"]);
}

#[test]
fn what_was_left_out_makes_it_partly_done() {
    let (mut session, _) = scripted(Captured::text().0, &Script::nobody(), good_node(true, &["DOE^JANE"], 1));
    assert_eq!(run(ask("Dr Beck", true).run(&mut session)), Ok(6));
}

#[test]
fn two_patients_are_refused_before_anything_is_imported() {
    let node = good_node(true, &["DOE^JANE", "ROE^RICHARD"], 0);
    let (mut session, asked) = scripted(Captured::text().0, &Script::nobody(), node);
    let failure = run(ask("Dr Beck", true).run(&mut session)).unwrap_err();
    assert_eq!(
        (failure.code, failure.what.as_str()),
        (FailureCode::OtherPatient, "These are examinations of 2 patients.")
    );
    assert_eq!(kinds(&asked), ["dry run"]);
}

#[test]
fn a_folder_without_dicom_is_not_found() {
    let (mut session, asked) = scripted(Captured::text().0, &Script::nobody(), |envelope, _| match envelope.request {
        Request::Status => Ok(status(true, false)),
        _ => Ok(Reply::Imported(ImportReport::default())),
    });
    assert_eq!(run(ask("Dr Beck", true).run(&mut session)).unwrap_err().code.exit_code(), 4);
    assert_eq!(kinds(&asked), ["dry run"]);
}

#[test]
fn a_forgotten_question_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().as_os_str().to_owned();
    for given in [vec![path.clone()], vec!["./CT".into(), path], vec!["./CT".into(), " ".into()], vec![]] {
        assert_eq!(split(given).unwrap_err().code, FailureCode::WrongUse);
    }
    assert_eq!(split(vec!["a".into(), "b".into(), "Why?".into()]), Ok((vec!["a".into(), "b".into()], "Why?".into())));
}
