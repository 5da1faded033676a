//! Two people consult over real sockets.

use overread::node::api::{
    CaseEdit, CaseNew, Displayed, FailureCode, OpinionDraft, PartlyDisplayed, Request, SeriesDisplayed,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Person, pair, write_ct};

#[tokio::test(flavor = "multi_thread")]
async fn a_question_reaches_a_colleague_and_her_answer_comes_back() {
    let asker = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let consultant = Person::new("Dr. Ben Okafor", "University Clinic").await;
    pair(&asker, &consultant).await;

    let new = CaseNew { ask: "Metastasis or cyst?".into(), invite: vec!["Okafor".into()], ..CaseNew::default() };
    let created = asker.json(Request::CaseNew(new)).await;
    let case = created["case"].as_str().unwrap().to_owned();
    assert_eq!(created["delivery"][0]["state"], "delivered", "{created}");

    let listed = consultant.json(Request::CaseList).await;
    assert_eq!(listed["cases"][0]["standing"], "invited");
    let seen = consultant.json(Request::CaseShow { case: case.clone() }).await;
    assert_eq!((seen["question"].as_str(), seen["role"].as_str()), (Some("Metastasis or cyst?"), Some("reader")));

    let opinion =
        OpinionDraft { impression: "A simple cyst.".into(), agreement: "agree".into(), ..OpinionDraft::default() };
    let request = Request::OpinionSign {
        case: case.clone(),
        opinion,
        displayed: None,
        incomplete_ok: false,
        text_checked: false,
        draft: None,
        asked_by: None,
    };
    let signed = consultant.json(request).await;
    assert_eq!(signed["opinion"]["delivery"][0]["state"], "delivered", "{signed}");

    let opinion = signed["opinion"]["id"].as_str().unwrap().to_owned();
    let read = asker.json(Request::OpinionRead { opinion }).await;
    assert_eq!(read["opinion"]["impression"], "A simple cyst.");
    let here = asker.json(Request::CaseShow { case: case.clone() }).await;
    let there = consultant.json(Request::CaseShow { case }).await;
    assert_eq!(there["opinions"][0]["delivery"][0]["state"], "read");
    assert!(here["state_hash"].is_string());
    assert_eq!(here["state_hash"], there["state_hash"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_says_what_it_is_about_at_both_ends() {
    let folder = TempDir::new().unwrap();
    let asker = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let consultant = Person::new("Dr. Ben Okafor", "University Clinic").await;
    pair(&asker, &consultant).await;
    let study = asker.import(write_ct(folder.path(), 31, 2)).await;
    let case = asker.founds("Metastasis or cyst?", &[&study], &["Okafor"]).await;
    consultant.accepts(&case).await;
    let detail = asker.json(Request::StudyShow { study, identity: false }).await;
    let image = detail["series_list"][0]["sop_instance_uids"][0].as_str().unwrap().to_owned();
    let length = Request::MarkAdd {
        case: case.clone(),
        sop_instance_uid: image.clone(),
        frame: 1,
        kind: "length".into(),
        points: vec![(10.0, 10.0), (40.0, 10.0)],
        label: Some("the larger one".into()),
        text_checked: true,
    };
    let mark = asker.json(length).await["mark"]["id"].as_str().unwrap().to_owned();
    let say = |text: &str, reply_to: &str| Request::Say {
        case: case.clone(),
        text: text.into(),
        view: None,
        reply_to: Some(reply_to.into()),
        text_checked: true,
    };
    let about = |shown: &Value, text: &str| {
        let mut messages = shown["messages"].as_array().unwrap().iter();
        messages.find(|message| message["text"] == text).map(|message| message["about"].clone()).unwrap()
    };
    consultant.until(Request::MarkList { case: case.clone() }, |list| list["marks"][0]["id"] == mark).await;
    let said = consultant.json(say("Along the wrong axis?", &mark[..8])).await;
    let first = said["ids"][0].as_str().unwrap().to_owned();
    consultant.json(say("I mean the short one.", &first)).await;
    let opinion = OpinionDraft { impression: "A cyst.".into(), agreement: "agree".into(), ..OpinionDraft::default() };
    let sign = Request::OpinionSign {
        case: case.clone(),
        opinion,
        displayed: None,
        incomplete_ok: true,
        text_checked: true,
        draft: None,
        asked_by: None,
    };
    let opinion = consultant.json(sign).await["opinion"]["id"].as_str().unwrap().to_owned();
    asker.until(Request::OpinionList { case: case.clone() }, |list| list["opinions"][0]["id"] == opinion).await;
    asker.json(say("Why?", &opinion)).await;
    consultant.hears(&case, "Why?").await;
    for person in [&asker, &consultant] {
        let shown = person.shown(&case).await;
        let of_mark = about(&shown, "Along the wrong axis?");
        let words = of_mark["words"].as_str().unwrap();
        assert!(words.starts_with("length ") && words.ends_with(" mm the larger one"), "{words}");
        assert_eq!((&of_mark["id"], &of_mark["kind"]), (&mark.as_str().into(), &"mark".into()));
        assert_eq!((&of_mark["image"], &of_mark["author"]), (&image.as_str().into(), &"Dr. Anna Weiss".into()));
        let of_message = about(&shown, "I mean the short one.");
        assert_eq!(of_message["words"], "words “Along the wrong axis?”");
        assert_eq!(about(&shown, "Why?")["kind"], "opinion");
    }
    // What is deleted afterwards is said to be so, and can be answered no more.
    asker.json(Request::MarkRemove { mark: mark.clone() }).await;
    let gone = |shown: &Value| about(shown, "Along the wrong axis?")["state"] == "deleted";
    let shown = consultant.until(Request::CaseShow { case: case.clone() }, gone).await;
    assert_eq!(about(&shown, "Along the wrong axis?")["author"], "Dr. Anna Weiss");
    for unknown in [mark.as_str(), "m-aaaaaaaa", "zzzz", "aa", ""] {
        let failure = consultant.ask(say("What?", unknown)).await.unwrap_err();
        assert_eq!(failure.code, FailureCode::NotFound, "{unknown}");
    }
}

/// What an opinion answers is what its author saw: a question that came while she wrote is not answered unseen.
#[tokio::test(flavor = "multi_thread")]
async fn an_opinion_is_not_signed_on_a_question_that_its_author_did_not_see() {
    let asker = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let consultant = Person::new("Dr. Ben Okafor", "University Clinic").await;
    pair(&asker, &consultant).await;
    let case = asker.founds("Metastasis or cyst?", &[], &["Okafor"]).await;
    consultant.accepts(&case).await;
    let show = || Request::CaseShow { case: case.clone() };
    let seen = |shown: &Value| -> Vec<String> { serde_json::from_value(shown["asked_by"].clone()).unwrap() };
    let before = seen(&consultant.until(show(), |shown| shown["question"] == "Metastasis or cyst?").await);
    let edit = CaseEdit { first_report: Some("A cyst.".into()), ..CaseEdit::default() };
    asker.json(Request::CaseEdit { case: case.clone(), change: edit }).await;
    let after = seen(&consultant.until(show(), |shown| shown["first_report"] == "A cyst.").await);
    assert_ne!(before, after);
    let sign = |asked_by: Vec<String>| Request::OpinionSign {
        case: case.clone(),
        opinion: OpinionDraft { impression: "It is.".into(), agreement: "agree".into(), ..OpinionDraft::default() },
        displayed: None,
        incomplete_ok: true,
        text_checked: true,
        draft: None,
        asked_by: Some(asked_by),
    };
    let refused = consultant.ask(sign(before)).await.unwrap_err();
    assert_eq!((refused.code, &refused.details["asked_by"]), (FailureCode::Unsafe, &after), "{refused}");
    assert_eq!(consultant.shown(&case).await["opinions"], Value::Array(Vec::new()));
    consultant.json(sign(after)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_invited_after_a_long_discussion_sees_the_case() {
    let asker = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let late = Person::new("Dr. Cleo Marsh", "Elsewhere").await;
    pair(&asker, &late).await;
    let new = CaseNew { ask: "Metastasis or cyst?".into(), ..CaseNew::default() };
    let created = asker.json(Request::CaseNew(new)).await;
    let case = created["case"].as_str().unwrap().to_owned();
    // Longer than the first messages of entries together: the one that invites stands in a later one.
    for number in 0..30 {
        let text = format!("{number}: {}", "thought ".repeat(2_000));
        asker.json(Request::Say { case: case.clone(), text, view: None, reply_to: None, text_checked: true }).await;
    }
    let add =
        Request::CaseMemberAdd { case: case.clone(), who: "Marsh".into(), role: "reader".into(), to_unverified: false };
    let added = asker.json(add).await;
    assert_eq!(added["delivery"][0]["state"], "delivered", "{added}");
    let listed = late.json(Request::CaseList).await;
    assert_eq!(listed["cases"][0]["standing"], "invited", "{listed}");
    let seen = late.json(Request::CaseShow { case }).await;
    assert_eq!(seen["messages"].as_array().map(Vec::len), Some(30));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_study_in_two_cases_is_fetched_once_and_whole_in_both() {
    let folder = tempfile::TempDir::new().unwrap();
    let asker = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let reader = Person::new("Dr. Ben Okafor", "University Clinic").await;
    pair(&asker, &reader).await;
    let study = asker.import(write_ct(folder.path(), 5, 4)).await;
    let mut cases = Vec::new();
    for ask in ["Cyst?", "And the spine?"] {
        let new = CaseNew {
            ask: ask.into(),
            studies: vec![study.clone()],
            invite: vec!["Okafor".into()],
            ..CaseNew::default()
        };
        let created = asker.json(Request::CaseNew(new)).await;
        cases.push(created["case"].as_str().unwrap().to_owned());
    }
    for case in &cases {
        reader.json(Request::CaseAccept { case: case.clone() }).await;
    }
    for case in &cases {
        let fetch = Request::Fetch { case: case.clone(), series: Vec::new(), key_images: false };
        let fetched = reader.begin(fetch, 30).await.end().await.unwrap().document();
        assert_eq!(fetched["complete"], true, "{fetched}");
    }
    for case in cases {
        let shown = reader.json(Request::CaseShow { case }).await;
        assert_eq!(shown["studies"][0]["chunks_have"], shown["studies"][0]["chunks_total"], "{shown}");
    }
    let series = reader.json(Request::StudyShow { study, identity: false }).await;
    assert_eq!(series["series_list"][0]["instances_have"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_displayed_counts_for_its_study_and_with_all_of_its_frames() {
    let folder = TempDir::new().unwrap();
    let reader = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let study = reader.import(write_ct(folder.path(), 31, 2)).await;
    let case = reader.founds("Metastasis or cyst?", &[&study], &[]).await;
    let detail = reader.json(Request::StudyShow { study: study.clone(), identity: false }).await;
    let whole = SeriesDisplayed {
        study: detail["id"].as_str().unwrap().to_owned(),
        series_instance_uid: detail["series_list"][0]["series_instance_uid"].as_str().unwrap().to_owned(),
        instances: 2,
        best_scale: 1.0,
        ..SeriesDisplayed::default()
    };
    let partly = PartlyDisplayed { instances: 1, frames: 400, frames_displayed: 12 };
    let sign = |series: &SeriesDisplayed, incomplete_ok| Request::OpinionSign {
        case: case.clone(),
        opinion: OpinionDraft { impression: "A cyst.".into(), agreement: "agree".into(), ..OpinionDraft::default() },
        displayed: Some(Displayed { protocol: "kitty".into(), grey_steps: 256, series: vec![series.clone()] }),
        incomplete_ok,
        text_checked: true,
        draft: None,
        asked_by: None,
    };
    let elsewhere = SeriesDisplayed { study: "s-another".into(), ..whole.clone() };
    let frames = SeriesDisplayed { instances: 0, partly, ..whole.clone() };
    for (series, what) in [(&elsewhere, ": never displayed"), (&frames, ": only 12 of 400 frames of 1 image displayed")]
    {
        let failure = reader.ask(sign(series, false)).await.unwrap_err();
        assert_eq!(failure.code, FailureCode::Unsafe);
        assert!(failure.details["missing"][0].ends_with(what), "{:?}", failure.details);
    }
    for (series, limitation) in [
        (&elsewhere, Some("one series was never displayed")),
        (&frames, Some("one series was displayed with part of the frames only")),
        (&whole, None),
    ] {
        let signed = reader.json(sign(series, limitation.is_some())).await;
        assert_eq!(signed["opinion"]["basis"]["limitations"][0].as_str(), limitation, "{signed}");
    }
}
