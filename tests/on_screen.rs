//! Over a slow line a reader sees first what she looks at.

use overread::node::api::{Request, ShownImage};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::proxy::Proxy;
use crate::support::{Person, exchange_cards, write_ct};

/// Some 2 Mbit/s.
const BYTES_PER_SECOND: u64 = 250_000;

const SLICES: usize = 24;

/// The images of the only series, in reading order.
fn images(study: &Value) -> &[Value] {
    study["series_list"][0]["images"].as_array().map_or(&[], Vec::as_slice)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_looked_at_comes_before_those_that_were_asked_for() {
    let folder = TempDir::new().unwrap();
    let anna = Person::out_of_reach("Dr. Anna Weiss", "City Hospital").await;
    let ben = Person::out_of_reach("Dr. Ben Okafor", "University Clinic").await;
    let study = anna.import(write_ct(folder.path(), 1, u32::try_from(SLICES).unwrap())).await;
    let (_following, address) = anna.follow().await;
    let line = Proxy::to(&address.to_string());
    exchange_cards(&anna, &ben, folder.path()).await;
    let card = vec![anna.card_file().await];
    ben.json(Request::CardAdd { paths: card, at: vec![line.address()] }).await;
    ben.json(Request::Sync).await;
    let case = anna.founds("Cyst?", &[&study], &["Okafor"]).await;
    line.slow_down(BYTES_PER_SECOND);
    ben.accepts(&case).await;
    let show = || Request::StudyShow { study: study.clone(), identity: false };
    let listed = ben.until(show(), |study| images(study).len() == SLICES).await;
    let last = images(&listed).last().unwrap();
    assert_eq!(last["here"], false, "the line is slow enough");
    let sop_instance_uid = last["sop_instance_uid"].as_str().unwrap().to_owned();
    let images_seen = vec![ShownImage { study: study.clone(), sop_instance_uid }];
    ben.json(Request::OnScreen { case: case.clone(), images: images_seen }).await;
    let arrived = ben.until(show(), |study| images(study).last().is_some_and(|image| image["here"] == true)).await;
    let here = images(&arrived).iter().filter(|image| image["here"] == true).count();
    assert!(here < SLICES / 2, "{here} of {SLICES} images were here when the last one was looked at");
    ben.until(show(), |study| images(study).iter().all(|image| image["here"] == true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_images_than_a_screen_can_show_are_refused() {
    let folder = TempDir::new().unwrap();
    let anna = Person::out_of_reach("Dr. Anna Weiss", "City Hospital").await;
    let study = anna.import(write_ct(folder.path(), 1, 2)).await;
    let case = anna.founds("Cyst?", &[&study], &[]).await;
    let image = ShownImage { study, sop_instance_uid: "1.2".into() };
    anna.json(Request::OnScreen { case: case.clone(), images: vec![image.clone()] }).await;
    let refused = anna.ask(Request::OnScreen { case, images: vec![image; 65] }).await;
    assert!(refused.is_err_and(|failure| failure.what.contains("65 images")));
}
