//! An image that may show a name: seen by its sender only, decided by itself, and only then in a case.

use std::path::Path;

use overread::node::api::{CaseNew, FailureCode, ImportRequest, Reply, Request};
use serde_json::Value;

use crate::support::{Person, pair};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/samples/burned-in/us-grey-test-patient.dcm");

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_was_left_out_is_looked_at_kept_out_admitted_and_reaches_the_colleague_only_then() {
    if !Path::new(SAMPLE).exists() {
        eprintln!("SKIPPED: no sample at {SAMPLE}: nothing was checked");
        return;
    }
    let sender = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let reader = Person::new("Dr. Ben Okafor", "University Clinic").await;
    pair(&sender, &reader).await;
    let import = ImportRequest { paths: vec![SAMPLE.into()], ..ImportRequest::default() };
    let imported = sender.json(Request::Import(import)).await;
    let study = imported["studies"][0]["id"].as_str().unwrap().to_owned();
    let left_out = || sender.json(Request::StudyLeftOut { study: study.clone(), all: false });
    let images = left_out().await;
    let uid = images["images"][0]["sop_instance_uid"].as_str().unwrap().to_owned();
    assert_eq!((&images["images"][0]["state"], images["images"].as_array().unwrap().len()), (&"waits".into(), 1));
    let patients = sender.json(Request::StudyPatients).await;
    assert_eq!(
        (&patients["patients"][0]["study"], patients["patients"][0]["patient"]["name"] == ""),
        (&study.as_str().into(), false)
    );
    assert_eq!(reader.json(Request::StudyPatients).await["patients"], Value::Array(Vec::new()));

    let file = |of: &str| Request::StudyFile { study: study.clone(), sop_instance_uid: of.to_owned() };
    let Reply::File(waiting) = sender.ask(file(&uid)).await.unwrap() else { panic!("no file") };
    assert_eq!(
        images["images"][0]["plain_hash"],
        waiting.plain_hash.as_str(),
        "what is shown is what the record names"
    );
    assert_eq!(sender.ask(file("1.2.3")).await.unwrap_err().code, FailureCode::NotFound);
    assert_eq!(reader.ask(file(&uid)).await.unwrap_err().code, FailureCode::NotFound);

    let new = CaseNew {
        ask: "Is it a stone?".into(),
        studies: vec![study.clone()],
        invite: vec!["Okafor".into()],
        ..CaseNew::default()
    };
    assert_eq!(sender.ask(Request::CaseNew(new.clone())).await.unwrap_err().code, FailureCode::Unsafe);
    let decide = |admit: &[&String], keep_out: &[&String]| Request::StudyDecide {
        study: study.clone(),
        admit: admit.iter().map(|uid| (*uid).clone()).collect(),
        keep_out: keep_out.iter().map(|uid| (*uid).clone()).collect(),
        masks: Vec::new(),
    };
    sender.json(decide(&[], &[&uid])).await;
    let kept = left_out().await;
    assert_eq!(
        (&kept["images"][0]["state"], &kept["images"][0]["looked"]["who"]),
        (&"kept out".into(), &"Dr. Anna Weiss".into())
    );
    assert_eq!(sender.ask(Request::CaseNew(new.clone())).await.unwrap_err().code, FailureCode::Unsafe);

    assert_eq!(sender.json(decide(&[&uid], &[])).await["admitted"], 1);
    let looked = left_out().await;
    assert_eq!(
        (&looked["images"][0]["state"], &looked["images"][0]["looked"]["plain_hash"]),
        (&"admitted".into(), &waiting.plain_hash.as_str().into())
    );
    let case = sender.json(Request::CaseNew(new)).await["case"].as_str().unwrap().to_owned();
    let fetch = Request::Fetch { case, series: Vec::new(), key_images: false };
    assert_eq!(reader.begin(fetch, 30).await.end().await.unwrap().document()["complete"], true);
    let Reply::File(there) = reader.ask(file(&uid)).await.unwrap() else { panic!("no file") };
    assert_ne!(there.plain_hash, waiting.plain_hash, "it says now that nothing is burned in");
    assert_eq!(reader.ask(Request::StudyLeftOut { study, all: false }).await.unwrap_err().code, FailureCode::NotFound);
}
