//! What was shared can be called back: pixels go from every member's disk, and the sender sees who has not done it.

use std::time::{Duration, Instant};

use overread::node::api::{CaseNew, FailureCode, Request};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Person, pair, write_ct};

/// Shows a case until it is as wanted.
async fn shown_once(person: &Person, case: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let shown = person.json(Request::CaseShow { case: case.to_owned() }).await;
        if wanted(&shown) {
            return shown;
        }
        assert!(Instant::now() < deadline, "{shown}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_study_is_deleted_at_the_colleague_who_says_so() {
    let folder = TempDir::new().unwrap();
    let asker = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let reader = Person::new("Dr. Ben Okafor", "University Clinic").await;
    pair(&asker, &reader).await;
    let mut studies = Vec::new();
    for seed in [11, 12] {
        studies.push(asker.import(write_ct(folder.path(), seed, 3)).await);
    }
    let new = CaseNew {
        ask: "Metastasis or cyst?".into(),
        studies: studies.clone(),
        invite: vec!["Okafor".into()],
        other_patient: true,
        ..CaseNew::default()
    };
    let case = asker.json(Request::CaseNew(new)).await["case"].as_str().unwrap().to_owned();
    let fetch = Request::Fetch { case: case.clone(), series: Vec::new(), key_images: false };
    assert_eq!(reader.begin(fetch, 30).await.end().await.unwrap().document()["complete"], true);

    let patients = asker.json(Request::StudyPatients).await;
    let named = |study: &str| {
        let patients = patients["patients"].as_array().unwrap().iter();
        patients.clone().find(|one| one["study"] == study).unwrap()["patient"]["name"].clone()
    };
    let shown = asker.json(Request::CaseShow { case: case.clone() }).await;
    let seen = [&shown["patient"]["name"], &shown["other_patients"][0]["name"]];
    assert!(seen[0] != seen[1] && studies.iter().all(|study| seen.contains(&&named(study))), "{shown}");

    let withdraw = |text_checked| Request::CaseStudyWithdraw {
        case: case.clone(),
        study: studies[0].clone(),
        reason: Some("that of 2031-02-17 was meant".into()),
        text_checked,
    };
    let not_hers = reader.ask(withdraw(true)).await.unwrap_err();
    assert_eq!(not_hers.code, FailureCode::Role, "a reader recalls nothing of another's: {not_hers}");
    assert_eq!(asker.ask(withdraw(false)).await.unwrap_err().code, FailureCode::TextCheck, "a date in the reason");
    asker.json(withdraw(true)).await;
    let told =
        |shown: &Value| shown["studies"].as_array().unwrap().iter().any(|study| study["deleted_by"][0].is_string());
    let here = shown_once(&asker, &case, told).await;
    let withdrawn = here["studies"].as_array().unwrap().iter().find(|study| study["withdrawn"] == true).unwrap();
    assert_eq!(
        (&withdrawn["id"], &withdrawn["deleted_by"][0]),
        (&studies[0].as_str().into(), &"Dr. Ben Okafor".into())
    );

    assert_eq!(withdrawn["still_held_by"], Value::Array(Vec::new()));
    assert_eq!((&here["patient"]["name"], &here["other_patients"]), (&named(&studies[1]), &Value::Array(Vec::new())));
    let listed = asker.json(Request::CaseList).await;
    assert_eq!(listed["cases"][0]["patient"], named(&studies[1]), "who was withdrawn stands over nothing");

    let export =
        |study: &str, name: &str| Request::StudyExport { study: study.into(), directory: folder.path().join(name) };
    let refused = reader.ask(export(&studies[0], "withdrawn")).await.unwrap_err();
    assert_eq!(refused.code, FailureCode::NotFound);
    assert_eq!(reader.json(export(&studies[1], "kept")).await["instances"], 3, "the other study stays");
    assert_eq!(asker.json(export(&studies[0], "mine")).await["instances"], 3, "the sender keeps her own");
    let verified = reader.json(Request::Verify { what: "all".into() }).await;
    assert_eq!(verified["ok"], true, "{verified}");
    let there = shown_once(&reader, &case, |shown| shown["state_hash"] == here["state_hash"]).await;
    assert!(there["state_hash"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purged_case_is_gone_and_comes_back_as_an_invitation_only() {
    let folder = TempDir::new().unwrap();
    let asker = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let reader = Person::new("Dr. Ben Okafor", "University Clinic").await;
    pair(&asker, &reader).await;
    let study = asker.import(write_ct(folder.path(), 13, 3)).await;
    let new = CaseNew {
        ask: "Metastasis or cyst?".into(),
        studies: vec![study.clone()],
        invite: vec!["Okafor".into()],
        ..CaseNew::default()
    };
    let case = asker.json(Request::CaseNew(new)).await["case"].as_str().unwrap().to_owned();
    let fetch = Request::Fetch { case: case.clone(), series: Vec::new(), key_images: false };
    reader.begin(fetch.clone(), 30).await.end().await.unwrap();
    let say =
        Request::Say { case: case.clone(), text: "I have it".into(), view: None, reply_to: None, text_checked: false };
    reader.json(say).await;
    reader.json(Request::CasePurge { case: case.clone() }).await;

    let refused = reader.ask(Request::StudyShow { study: study.clone(), identity: false }).await;
    let kept = refused.map_or(Value::Null, |shown| shown.document()["series_list"][0]["instances_have"].clone());
    assert!(kept == Value::Null || kept == 0, "pixels are still here: {kept}");
    // What she wrote is in the case still, and comes back with it: she goes on where she was, without a fork.
    let reader = reader.moved_to("/ip4/127.0.0.1/tcp/0").await;
    let card = folder.path().join("anna.card");
    let asker = asker.moved_to(&crate::support::free_address()).await;
    asker.begin(Request::Sync, 0).await.end().await.unwrap();
    asker.json(Request::CardExport { path: card.clone() }).await;
    reader.json(Request::CardAdd { paths: vec![card], at: Vec::new() }).await;
    reader.begin(Request::Sync, 5).await.end().await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let listed = loop {
        let listed = reader.json(Request::CaseList).await;
        if listed["cases"][0]["messages"] == 1 {
            break listed;
        }
        assert!(Instant::now() < deadline, "{listed}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(listed["cases"][0]["standing"], "invited");
    reader.begin(fetch, 30).await.end().await.unwrap();
    let say =
        Request::Say { case: case.clone(), text: "and again".into(), view: None, reply_to: None, text_checked: false };
    reader.json(say).await;
    let here = shown_once(&asker, &case, |shown| shown["messages"].as_array().unwrap().len() == 2).await;
    assert_eq!(here["forks"], Value::Array(Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn pixels_of_a_closed_case_go_when_their_time_is_over_and_words_stay() {
    let folder = TempDir::new().unwrap();
    let asker = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let reader = Person::new("Dr. Ben Okafor", "University Clinic").await;
    pair(&asker, &reader).await;
    let study = asker.import(write_ct(folder.path(), 14, 3)).await;
    let case = asker.founds("Metastasis or cyst?", &[&study], &["Okafor"]).await;
    let fetch = Request::Fetch { case: case.clone(), series: Vec::new(), key_images: false };
    assert_eq!(reader.begin(fetch, 30).await.end().await.unwrap().document()["complete"], true);
    let retention = |value: &str| Request::SettingsSet { name: "retention".into(), value: value.into() };
    let images = |name: &str| Request::StudyExport { study: study.clone(), directory: folder.path().join(name) };

    assert_eq!(reader.json(Request::SettingsShow).await["retention_days"], 30);
    assert_eq!(reader.json(retention("0")).await["retention_days"], 0);
    assert_eq!(reader.json(images("open")).await["instances"], 3, "the case is open");
    reader.json(retention("30d")).await;
    asker.json(Request::CaseClose { case: case.clone() }).await;
    shown_once(&reader, &case, |shown| shown["status"] == "closed").await;
    assert_eq!(reader.json(images("kept")).await["instances"], 3, "its time is not over");

    reader.json(retention("0")).await;
    assert!(reader.ask(images("gone")).await.is_err());
    let shown = reader.json(Request::CaseShow { case: case.clone() }).await;
    assert_eq!((&shown["question"], &shown["studies"][0]["chunks_have"]), (&"Metastasis or cyst?".into(), &0.into()));
    asker.json(retention("0")).await;
    assert_eq!(asker.json(images("mine")).await["instances"], 3, "the owner keeps her own");

    reader.json(retention("7")).await;
    let whole = |shown: &Value| shown["studies"][0]["chunks_have"] == shown["studies"][0]["chunks_total"];
    shown_once(&reader, &case, whole).await;
    let refused = reader.ask(retention("never")).await.unwrap_err();
    assert_eq!(refused.code, FailureCode::WrongUse);
    assert_eq!(reader.json(Request::SettingsShow).await["retention_days"], 7);
}

/// What is under way with peers refers to the case's index, which the purge empties.
#[tokio::test(flavor = "multi_thread")]
async fn cases_are_purged_while_much_is_said_in_them() {
    let asker = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let reader = Person::new("Dr. Ben Okafor", "University Clinic").await;
    pair(&asker, &reader).await;
    for round in 0..12 {
        let case = asker.founds("Metastasis or cyst?", &[], &["Okafor"]).await;
        reader.accepts(&case).await;
        for number in 0..8 {
            asker.say(&case, &format!("{round}.{number} from the asker")).await;
            reader.say(&case, &format!("{round}.{number} from the reader")).await;
        }
        let (first, second) = if round % 2 == 0 { (&reader, &asker) } else { (&asker, &reader) };
        for person in [first, second] {
            person.json(Request::CasePurge { case: case.clone() }).await;
        }
    }
    for person in [&asker, &reader] {
        assert_eq!(person.json(Request::Verify { what: "all".into() }).await["ok"], true);
    }
}
