use super::*;
use crate::node::api::{CaseStudyView, Reply};
use crate::ui::app::harness::{Harness, SIZES, case, opinion};

fn view() -> CaseView {
    let index = CaseStudyView {
        id: "s-1".into(),
        role: "index".into(),
        modality: "CT".into(),
        description: "Chest".into(),
        instances: 3,
        chunks_have: 3,
        chunks_total: 3,
        withdrawn: false,
        deleted_by: Vec::new(),
        still_held_by: Vec::new(),
        relative_date: String::new(),
    };
    CaseView { studies: vec![index], ..case("c-1", "amber falcon") }
}

fn with(size: (u16, u16), view: CaseView) -> Harness {
    Harness::in_case(size, &view)
}

/// The last thing that was asked for, as JSON without its name.
fn asked(app: &Harness) -> serde_json::Value {
    let last = serde_json::to_value(app.asked.last().unwrap()).unwrap();
    last.as_object().map_or(serde_json::Value::Null, |request| request.values().next().unwrap().clone())
}

fn count(app: &Harness, wanted: fn(&Request) -> bool) -> usize {
    app.asked.iter().filter(|request| wanted(request)).count()
}

#[test]
fn only_what_was_changed_of_a_case_is_written() {
    for size in SIZES {
        let mut app = with(size, view());
        app.keys("E");
        app.looks_like("case/form-edit");
        app.enter().control('u').keys("urgent").enter().keys("4h").enter().enter().enter();
        let change = &asked(&app)["change"];
        assert_eq!((&change["question"], &change["context"]), (&serde_json::Value::Null, &serde_json::Value::Null));
        assert_eq!((change["urgency"].as_str(), change["due"].as_str()), (Some("urgent"), Some("4h")));
        app.enter();
        assert_eq!(count(&app, |request| matches!(request, Request::CaseEdit { .. })), 1, "not twice");
        app.answer(Ok(Reply::Nothing {}));
        assert!(app.said().contains("The case is changed."));
    }
}

#[test]
fn words_that_may_name_the_patient_are_asked_about_and_another_word_asks_again() {
    let mut app = with((80, 24), view());
    app.keys("E").keys(" Mrs Doe").enter().enter().enter().enter().enter();
    let failure = || Failure::new(FailureCode::TextCheck, "\"Doe\" is a name of the patient.");
    app.answer(Err(failure()));
    assert!(app.asks().contains("Does this name the patient?"));
    app.keys("y");
    assert_eq!(asked(&app)["change"]["text_checked"], true);
    app.answer(Err(Failure::new(FailureCode::Role, "Only the owner changes the question.")));
    assert!(app.shows("Only the owner changes the question."), "{}", app.screen());
    app.keys("!").enter().enter().enter().enter().enter();
    assert_eq!(asked(&app)["change"]["text_checked"], false, "she agreed to other words");
}

#[test]
fn what_cannot_be_taken_back_is_asked_about_first() {
    let mut app = with((80, 24), view());
    app.keys("W").enter().keys("wrong patient").enter();
    assert!(app.asks().contains("Withdraw this study?"));
    app.keys("n");
    assert_eq!(count(&app, |request| matches!(request, Request::CaseStudyWithdraw { .. })), 0);
    app.enter();
    app.keys("y");
    let request = asked(&app);
    assert_eq!((&request["study"], &request["reason"]), (&"s-1".into(), &"wrong patient".into()));
}

#[test]
fn a_study_of_another_patient_is_added_only_after_a_question_and_a_role_is_one_of_two() {
    let mut app = with((80, 24), view());
    app.keys("C").keys("s-9").enter().control('u').keys("old").enter();
    assert!(app.shows("Write prior or index."), "{}", app.screen());
    app.control('u').keys("index").enter();
    assert_eq!((&asked(&app)["prior"], &asked(&app)["other_patient"]), (&false.into(), &false.into()));
    app.answer(Err(Failure::new(FailureCode::OtherPatient, "It is of another patient.")));
    app.keys("y");
    assert_eq!(asked(&app)["other_patient"], true);
}

#[test]
fn an_addendum_goes_to_the_own_opinion() {
    let mine = opinion("o-mine", "Dr. Anna Weiss");
    let mut app = with((80, 24), CaseView { opinions: vec![mine], ..view() });
    app.keys("G").enter().keys("Seen again with the prior.").enter();
    assert_eq!(
        (&asked(&app)["opinion"], &asked(&app)["text"]),
        (&"o-mine".into(), &"Seen again with the prior.".into())
    );
}

#[test]
fn a_case_is_closed_and_reopened_where_it_is_read() {
    let mut app = with((80, 24), view());
    app.keys("Q");
    assert!(matches!(app.asked.last(), Some(Request::CaseClose { .. })));
    let mut app = with((80, 24), CaseView { status: "closed".into(), ..view() });
    app.keys("Q");
    assert!(matches!(app.asked.last(), Some(Request::CaseReopen { .. })));
}

#[test]
fn a_question_of_several_lines_stays_as_it_is_where_nobody_touches_it() {
    let mut app = with((80, 24), CaseView { question: "Cyst?\nOr metastasis?".into(), ..view() });
    app.keys("E").enter().enter().keys("4h").enter().enter().enter();
    let change = &asked(&app)["change"];
    assert_eq!((&change["question"], &change["urgency"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    assert_eq!(change["due"], "4h");
}

#[test]
fn leaving_a_form_with_words_in_it_asks_first() {
    let mine = opinion("o-mine", "Dr. Anna Weiss");
    let mut app = with((80, 24), CaseView { opinions: vec![mine], ..view() });
    app.keys("G").key(crossterm::event::KeyCode::Esc);
    assert_eq!(app.asks(), "", "nothing was typed");
    app.keys("G").keys("Seen again.").key(crossterm::event::KeyCode::Esc);
    assert!(app.asks().contains("is not sent and not kept"), "{}", app.asks());
    app.keys("n").control('q');
    assert!(app.asks().contains("What you typed in this form is not sent."), "{}", app.asks());
}
