//! Two people consult over real sockets.

use overread::node::api::{CaseNew, OpinionDraft, Request};

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
        asker.json(Request::Say { case: case.clone(), text, view: None, text_checked: true }).await;
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
