//! What a node says of what is under way and what waits, at both ends.

use overread::node::NodeOptions;
use overread::node::api::{Envelope, Reply, Request, TransferView};
use overread::node::client::Client;
use tempfile::TempDir;

use crate::support::program::{Home, pair, until};
use crate::support::study::Study;

fn transfers(home: &Home) -> Vec<TransferView> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let reply = runtime.block_on(async {
        let mut client = Client::open(&home.path, NodeOptions::default()).await.unwrap();
        assert!(client.is_remote());
        let envelope = Envelope { request: Request::Transfers, passphrase: None, request_id: None, wait_seconds: None };
        client.ask(envelope, &mut |_| None).await.unwrap()
    });
    match reply {
        Reply::Transfers { transfers } => transfers,
        other => panic!("{other:?}"),
    }
}

/// The only transfer, in this state.
fn only(home: &Home, direction: &str, state: &str) -> TransferView {
    until(&format!("{direction}: {state}"), || match &transfers(home)[..] {
        [line] if line.direction == direction && line.state == state => Some(line.clone()),
        [_] | [] => None,
        more => panic!("{more:?}"),
    })
}

#[test]
fn a_question_and_its_images_are_followed_from_not_sent_to_complete_at_both_ends() {
    let folder = TempDir::new().unwrap();
    let anna = Home::of(folder.path(), "anna", "Dr. Anna Weiss", "City Hospital");
    let ben = Home::of(folder.path(), "ben", "Dr. Ben Okafor", "University Clinic");
    let (at_anna, at_ben) = (anna.node(&[]), ben.node(&[]));
    pair(&anna, &ben);
    assert!(transfers(&anna).is_empty() && transfers(&ben).is_empty());
    at_ben.kill();
    let path = folder.path().join("ct");
    Study::new(1, 4, 64).write(&path);
    let imported = anna.run(0, &["import", path.to_str().unwrap()]);
    let study = imported["studies"][0]["id"].as_str().unwrap();
    let ask = ["case", "new", "--ask", "Metastasis or cyst?", "--study", study, "--invite", "Okafor", "--no-wait"];
    let created = anna.run(0, &ask);
    let case = created["case"].as_str().unwrap();
    let line = only(&anna, "giving", "not sent");
    assert_eq!((line.case.as_str(), line.who.as_str(), line.images_total), (case, "Dr. Ben Okafor", 4));
    let waits_for = line.waits_for.unwrap();
    assert!(waits_for.starts_with("Dr. Ben Okafor: "), "{waits_for}");
    // He comes: what was written goes out by itself, the images once he accepts.
    let _at_ben = ben.node(&[]);
    let address = at_anna.addresses().into_iter().find(|at| at.contains("/tcp/")).unwrap();
    anna.run(0, &["card", "export", folder.path().join("anna.card").to_str().unwrap()]);
    ben.run(0, &["card", "add", folder.path().join("anna.card").to_str().unwrap(), "--at", &address]);
    let line = only(&ben, "taking", "invited");
    assert_eq!((line.images_done, line.images_total), (Some(0), 4));
    until("the question has arrived", || transfers(&anna).is_empty().then_some(()));
    ben.run(0, &["fetch", case]);
    let line = only(&ben, "taking", "complete");
    assert_eq!((line.images_done, line.chunks_done), (Some(4), line.chunks_total));
    assert!(line.bytes_done == line.bytes_total && line.bytes_total > 0 && line.at.is_some(), "{line:?}");
    let line = only(&anna, "giving", "complete");
    assert_eq!((line.chunks_done, line.identity.is_some()), (line.chunks_total, true));
    assert!(line.bytes_done > 0 && line.at.is_some(), "{line:?}");
}
