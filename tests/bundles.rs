//! Two hospitals whose networks never meet consult by files alone.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use overread::courier::{self, CasePack, PackPlan, Recipient};
use overread::encoding::random;
use overread::encoding::time::Timestamp;
use overread::node::api::{CaseNew, FailureCode, OpinionDraft, Request};
use overread::sync::frontier::Frontier;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Person, case_id, exchange_cards, free_address, pair, said, write_ct};

const SLICES: u32 = 6;

/// A case with a study at one person, and another one who knows her but is never connected.
struct Apart {
    folder: TempDir,
    asker: Person,
    reader: Person,
    case: String,
    study: String,
}

impl Apart {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let asker = Person::out_of_reach("Dr. Anna Weiss", "City Hospital").await;
        let reader = Person::out_of_reach("Dr. Ben Okafor", "Clinic at the River").await;
        exchange_cards(&asker, &reader, folder.path()).await;
        let study = asker.import(write_ct(folder.path(), 3, SLICES)).await;
        let new = CaseNew {
            ask: "Metastasis or cyst?".into(),
            studies: vec![study.clone()],
            invite: vec!["Okafor".into()],
            ..CaseNew::default()
        };
        let created = asker.begin(Request::CaseNew(new), 0).await.end().await.unwrap().document();
        let case = created["case"].as_str().unwrap().to_owned();
        Self { folder, asker, reader, case, study }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn packed_for_reader(&self, name: &str) -> (PathBuf, Value) {
        pack(&self.asker, "Okafor", self.path(name), false).await
    }

    /// What both see is the same, and whole.
    async fn assert_in_step(&self) {
        let here = self.asker.json(Request::CaseShow { case: self.case.clone() }).await;
        let there = self.reader.json(Request::CaseShow { case: self.case.clone() }).await;
        assert!(here["state_hash"].is_string());
        assert_eq!(here["state_hash"], there["state_hash"]);
        for person in [&self.asker, &self.reader] {
            let verified = person.json(Request::Verify { what: self.case.clone() }).await;
            assert_eq!((verified["ok"].as_bool(), &verified["problems"]), (Some(true), &Value::Array(Vec::new())));
        }
    }
}

async fn pack(from: &Person, to: &str, path: PathBuf, key_images: bool) -> (PathBuf, Value) {
    let recipients = vec![to.to_owned()];
    let packed = from.json(Request::BundlePack { recipients, cases: Vec::new(), key_images, path: path.clone() }).await;
    (path, packed)
}

async fn unpack(person: &Person, path: &Path) -> Value {
    person.json(Request::BundleUnpack { path: path.to_owned() }).await
}

/// The state of delivery of a case's newest entries to its only other member.
async fn delivery(person: &Person, case: &str) -> String {
    let shown = person.json(Request::CaseShow { case: case.to_owned() }).await;
    let other = shown["members"].as_array().unwrap().iter().find(|member| member["me"] == false).unwrap().clone();
    other["delivery"].as_str().unwrap().to_owned()
}

fn flip(path: &Path, to: &Path, offset: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[offset] ^= 1;
    std::fs::write(to, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_and_its_answer_travel_by_file_between_people_who_are_never_connected() {
    let apart = Apart::new().await;
    let (asker, reader, case) = (&apart.asker, &apart.reader, &apart.case);
    assert_eq!(delivery(asker, case).await, "not sent");
    let (question, packed) = apart.packed_for_reader("question.bundle").await;
    assert_eq!((packed["cases"][0].as_str(), packed["chunks_missing"].as_u64()), (Some(case.as_str()), Some(0)));
    assert_eq!(delivery(asker, case).await, "on the way");

    let shown = reader.json(Request::BundleShow { path: question.clone() }).await;
    assert_eq!((shown["for_me"].as_bool(), shown["from"].as_str()), (Some(true), Some("Dr. Anna Weiss")));
    assert_eq!(shown["standing"], "colleague");
    assert_eq!((&shown["entries"], &shown["chunks"]), (&packed["entries"], &packed["chunks"]));
    assert_eq!(reader.json(Request::CaseList).await["cases"], Value::Array(Vec::new()), "looking takes nothing in");

    let unpacked = unpack(reader, &question).await;
    assert_eq!((&unpacked["entries_new"], &unpacked["chunks_new"]), (&packed["entries"], &packed["chunks"]));
    assert_eq!(unpacked["problems"], Value::Array(Vec::new()));
    let there = reader.json(Request::CaseShow { case: case.clone() }).await;
    assert_eq!(
        (there["question"].as_str(), there["standing"].as_str()),
        (Some("Metastasis or cyst?"), Some("accepted"))
    );
    assert_eq!(there["studies"][0]["chunks_have"], there["studies"][0]["chunks_total"]);
    let exported = apart.path("exported");
    let request = Request::StudyExport { study: apart.study.clone(), directory: exported };
    assert_eq!(reader.json(request).await["instances"], SLICES);

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
    let signed = reader.begin(request, 0).await.end().await.unwrap().document();
    let opinion = signed["opinion"]["id"].as_str().unwrap().to_owned();

    let (answer, packed) = pack(reader, "Weiss", apart.path("answer.bundle"), false).await;
    assert_eq!(packed["chunks"], 0, "the study is not carried back to her who put it in");
    let unpacked = unpack(asker, &answer).await;
    assert_eq!(unpacked["problems"], Value::Array(Vec::new()));
    assert_eq!(delivery(asker, case).await, "delivered", "the answer rests on the question");
    let read = asker.begin(Request::OpinionRead { opinion }, 0).await.end().await.unwrap().document();
    assert_eq!(read["opinion"]["impression"], "A simple cyst.");

    let (receipt, _) = apart.packed_for_reader("receipt.bundle").await;
    assert_eq!(unpack(reader, &receipt).await["chunks_new"], 0);
    let there = reader.json(Request::CaseShow { case: case.clone() }).await;
    assert_eq!(there["opinions"][0]["delivery"][0]["state"], "read");
    apart.assert_in_step().await;
    for person in [asker, reader] {
        let reached = person.begin(Request::Sync, 0).await.end().await.unwrap().document();
        assert!(reached["peers"].as_array().unwrap().iter().all(|peer| peer["connected"] == false), "{reached}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bundles_may_be_unpacked_twice_and_in_any_order() {
    let apart = Apart::new().await;
    let (first, _) = apart.packed_for_reader("first.bundle").await;
    let say = Request::Say {
        case: apart.case.clone(),
        text: "She is in pain".into(),
        view: None,
        reply_to: None,
        text_checked: false,
    };
    apart.asker.begin(say, 0).await.end().await.unwrap();
    let (second, _) = apart.packed_for_reader("second.bundle").await;
    let newer = unpack(&apart.reader, &second).await;
    for path in [&first, &second, &first] {
        let again = unpack(&apart.reader, path).await;
        let nothing = (Some(0), Some(0), Some(0));
        let came =
            (again["entries_new"].as_u64(), again["chunks_new"].as_u64(), again["problems"].as_array().map(Vec::len));
        assert_eq!(came, nothing, "{again}");
    }
    assert!(newer["entries_new"].as_u64() > Some(0));
    apart.assert_in_step().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_bundle_gives_what_is_whole_and_names_the_rest() {
    let apart = Apart::new().await;
    let (question, packed) = apart.packed_for_reader("question.bundle").await;
    let length = std::fs::metadata(&question).unwrap().len() as usize;
    let damaged = apart.path("damaged.bundle");
    flip(&question, &damaged, length * 3 / 4);
    let verified = apart.reader.json(Request::Verify { what: damaged.display().to_string() }).await;
    assert_eq!(verified["ok"], false);
    let unpacked = unpack(&apart.reader, &damaged).await;
    let problems = unpacked["problems"].to_string();
    assert!(problems.contains("are damaged") && problems.contains("chunks are lost"), "{problems}");
    let came = unpacked["chunks_new"].as_u64().unwrap();
    let all = packed["chunks"].as_u64().unwrap();
    assert!(came > 0 && came < all, "{came} of {all}");
    assert_eq!(unpacked["entries_new"], packed["entries"]);

    let rest = unpack(&apart.reader, &question).await;
    assert_eq!(rest["chunks_new"], all - came, "only what was lost is taken the second time");
    apart.assert_in_step().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_without_a_readable_sender_brings_no_new_case() {
    let apart = Apart::new().await;
    let (question, _) = apart.packed_for_reader("question.bundle").await;
    // The opening stands in the first segment, its copy in the last: without both nobody is named.
    let bytes = std::fs::metadata(&question).unwrap().len() as usize;
    let nameless = apart.path("nameless.bundle");
    flip(&question, &nameless, 9_414 + 100);
    flip(&nameless, &nameless, bytes - 9_414 - 100);
    let unpacked = unpack(&apart.reader, &nameless).await;
    let problems = unpacked["problems"].to_string();
    assert!(problems.contains("who packed the bundle cannot be told"), "{problems}");
    assert_eq!(unpacked["cases"], Value::Array(Vec::new()));
    assert_eq!(apart.reader.json(Request::CaseList).await["cases"], Value::Array(Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_colleagues_who_are_not_blocked_may_hand_over_a_bundle() {
    let apart = Apart::new().await;
    let (question, _) = apart.packed_for_reader("question.bundle").await;
    let before = apart.reader.json(Request::CaseList).await;

    let other = Person::out_of_reach("Dr. Cleo Marsh", "Elsewhere").await;
    let refused = other.ask(Request::BundleUnpack { path: question.clone() }).await.unwrap_err();
    assert_eq!(refused.code, FailureCode::Untrusted);
    let shown = other.json(Request::BundleShow { path: question.clone() }).await;
    assert_eq!((shown["for_me"].as_bool(), shown["from"].as_str()), (Some(false), None));

    apart.reader.json(Request::CardBlock { who: "Weiss".into() }).await;
    let refused = apart.reader.ask(Request::BundleUnpack { path: question.clone() }).await.unwrap_err();
    assert_eq!(refused.code, FailureCode::Untrusted);
    assert!(refused.what.contains("blocked"), "{refused}");
    assert_eq!(apart.reader.json(Request::BundleShow { path: question.clone() }).await["standing"], "blocked");
    apart.reader.json(Request::CardRemove { who: "Weiss".into() }).await;
    assert_eq!(apart.reader.json(Request::BundleShow { path: question.clone() }).await["standing"], "unknown");
    let refused = apart.reader.ask(Request::BundleUnpack { path: question }).await.unwrap_err();
    assert_eq!(refused.code, FailureCode::Untrusted);
    assert!(refused.what.contains("card you do not hold"), "{refused}");
    assert_eq!(apart.reader.json(Request::CaseList).await, before);
}

/// A case founded by somebody whom no network reaches.
async fn founded(by: &Person, invite: &[&str]) -> String {
    let invite = invite.iter().map(ToString::to_string).collect();
    let new = CaseNew { ask: "Cyst?".into(), invite, ..CaseNew::default() };
    by.json_within(Request::CaseNew(new), 0).await["case"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fellow_member_without_a_card_hands_over_the_case_shared_with_her_and_no_other() {
    let folder = TempDir::new().unwrap();
    let mut owner = Person::out_of_reach("Dr. Anna Weiss", "City Hospital").await;
    let reader = Person::out_of_reach("Dr. Ben Okafor", "River Clinic").await;
    let mut fellow = Person::out_of_reach("Dr. Cleo Marsh", "Elsewhere").await;
    exchange_cards(&owner, &reader, folder.path()).await;
    exchange_cards(&owner, &fellow, folder.path()).await;
    let shared = founded(&owner, &["Okafor", "Marsh"]).await;
    let other = founded(&owner, &["Okafor"]).await;
    for (who, whom) in [("Okafor", &reader), ("Marsh", &fellow)] {
        let path = folder.path().join(format!("{who}.bundle"));
        unpack(whom, &pack(&owner, who, path, false).await.0).await;
    }
    fellow.say(&shared, "from a fellow member").await;
    let (path, packed) = pack(&fellow, &reader.identity().await, folder.path().join("fellow.bundle"), false).await;
    assert_eq!(packed["cases"], Value::from(vec![shared.clone()]));
    let unpacked = unpack(&reader, &path).await;
    assert_eq!((&unpacked["entries_new"], &unpacked["problems"]), (&1.into(), &Value::Array(Vec::new())));
    assert_eq!(said(&reader.shown(&shared).await), ["from a fellow member"]);

    // The same person hands over true entries of a case she is not in: hers to carry they are not.
    owner.say(&other, "not for the fellow member").await;
    owner.stop().await;
    fellow.stop().await;
    let entries = owner.store().entries(case_id(&other)).unwrap().into_iter().map(|entry| Ok(entry.bytes));
    let vault = fellow.vault();
    let device = reader.card().await.devices()[0].clone();
    let plan = PackPlan {
        recipients: vec![Recipient { device: device.device(), sealing: device.statement.sealing }],
        certificate: &vault.keys().certificate,
        signing: &vault.keys().device.signing,
        now: Timestamp(1_800_000_000_000),
        cases: vec![CasePack {
            case: case_id(&other),
            frontier: Frontier::default(),
            entries: Box::new(entries),
            chunks: Box::new(std::iter::empty()),
        }],
        cards: Vec::new(),
    };
    let mut bytes = Vec::new();
    courier::pack(&mut bytes, plan, &mut random::system(), &mut |_| ControlFlow::Continue(())).unwrap();
    let path = folder.path().join("foreign.bundle");
    std::fs::write(&path, bytes).unwrap();
    let unpacked = unpack(&reader, &path).await;
    assert_eq!(unpacked["entries_new"], 0, "{unpacked}");
    assert!(unpacked["problems"].to_string().contains("not a case you share with the sender"), "{unpacked}");
    assert_eq!(said(&reader.shown(&other).await), Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn key_images_alone_make_a_small_bundle_that_the_rest_completes() {
    let apart = Apart::new().await;
    let shown = apart.asker.json(Request::StudyShow { study: apart.study.clone(), identity: false }).await;
    let image = shown["series_list"][0]["sop_instance_uids"][2].as_str().unwrap().to_owned();
    let mark = Request::MarkAdd {
        case: apart.case.clone(),
        sop_instance_uid: image.clone(),
        frame: 1,
        kind: "length".into(),
        points: vec![(10.0, 10.0), (60.0, 40.0)],
        label: None,
        text_checked: false,
    };
    apart.asker.begin(mark, 0).await.end().await.unwrap();
    let (small, few) = pack(&apart.asker, "Okafor", apart.path("small.bundle"), true).await;
    let (large, all) = apart.packed_for_reader("large.bundle").await;
    assert!(few["chunks"].as_u64() < all["chunks"].as_u64() && few["bytes"].as_u64() < all["bytes"].as_u64());

    assert_eq!(unpack(&apart.reader, &small).await["problems"], Value::Array(Vec::new()));
    let series = apart.reader.json(Request::StudyShow { study: apart.study.clone(), identity: false }).await;
    assert_eq!(series["series_list"][0]["instances_have"], 1);
    let there = apart.reader.json(Request::CaseShow { case: apart.case.clone() }).await;
    assert_eq!(there["marks"][0]["image"], image);
    assert_eq!(unpack(&apart.reader, &large).await["problems"], Value::Array(Vec::new()));
    apart.assert_in_step().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bundle_left_out_comes_over_the_network_once_there_is_one() {
    let apart = Apart::new().await;
    let (small, _) = pack(&apart.asker, "Okafor", apart.path("small.bundle"), true).await;
    // No network runs at the reader yet: what is wanted from now on must be remembered.
    assert_eq!(unpack(&apart.reader, &small).await["problems"], Value::Array(Vec::new()));
    let card = apart.path("anna-with-address.card");
    let Apart { folder: _folder, asker, reader, case, .. } = apart;
    let asker = asker.moved_to(&free_address()).await;
    asker.begin(Request::Sync, 0).await.end().await.unwrap();
    asker.json(Request::CardExport { path: card.clone() }).await;
    reader.json(Request::CardAdd { paths: vec![card], at: Vec::new() }).await;
    let fetch = Request::Fetch { case, series: Vec::new(), key_images: false };
    let fetched = reader.begin(fetch, 30).await.end().await.unwrap().document();
    assert_eq!(fetched["complete"], true, "{fetched}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_packing_does_not_answer_an_invitation() {
    let folder = TempDir::new().unwrap();
    let asker = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let reader = Person::new("Dr. Ben Okafor", "River Clinic").await;
    let other = Person::out_of_reach("Dr. Cleo Marsh", "Elsewhere").await;
    pair(&asker, &reader).await;
    exchange_cards(&reader, &other, folder.path()).await;
    let new = CaseNew { ask: "Cyst?".into(), invite: vec!["Okafor".into()], ..CaseNew::default() };
    let case = asker.json(Request::CaseNew(new)).await["case"].as_str().unwrap().to_owned();
    let (recipients, cases) = (vec!["Marsh".into()], vec![case]);
    let path = folder.path().join("a.bundle");
    let refused = reader.ask(Request::BundlePack { recipients, cases, key_images: false, path }).await.unwrap_err();
    assert_eq!(refused.code, FailureCode::NotAMember);
    assert_eq!(reader.json(Request::CaseList).await["cases"][0]["standing"], "invited");
}

#[tokio::test(flavor = "multi_thread")]
async fn packing_needs_members_a_shared_case_and_a_new_file() {
    let apart = Apart::new().await;
    let path = apart.path("nothing.bundle");
    let request = |who: &str, cases: &[&str], path: &Path| Request::BundlePack {
        recipients: vec![who.into()],
        cases: cases.iter().map(ToString::to_string).collect(),
        key_images: false,
        path: path.to_owned(),
    };
    let other = Person::out_of_reach("Dr. Cleo Marsh", "Elsewhere").await;
    exchange_cards(&apart.asker, &other, apart.folder.path()).await;
    let existing = apart.path("existing");
    std::fs::write(&existing, "mine").unwrap();
    let table = [
        (request("Nobody", &[], &path), FailureCode::NotFound),
        (request("Marsh", &[], &path), FailureCode::NotFound),
        (request("Marsh", &[&apart.case], &path), FailureCode::NotAMember),
        (request("Okafor", &["c-2222"], &path), FailureCode::NotFound),
        (request("Okafor", &[], &existing), FailureCode::WrongUse),
        (request("Okafor", &[], &apart.path("no/such/folder.bundle")), FailureCode::NotFound),
        (Request::BundleUnpack { path: apart.path("absent.bundle") }, FailureCode::NotFound),
        (Request::BundleUnpack { path: existing.clone() }, FailureCode::WrongUse),
        (Request::BundleShow { path: apart.folder.path().to_owned() }, FailureCode::WrongUse),
    ];
    let files = || std::fs::read_dir(apart.folder.path()).unwrap().count();
    let before = files();
    for (request, expected) in table {
        let what = format!("{request:?}");
        let failure = apart.asker.ask(request).await.unwrap_err();
        assert_eq!(failure.code, expected, "{what}: {failure}");
        assert!(failure.hint.is_some(), "{what}: {failure}");
    }
    assert_eq!(files(), before, "no half-written file is left behind");
    assert_eq!(std::fs::read(existing).unwrap(), b"mine");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_added_by_two_who_did_not_know_of_each_other_read_everything_in_the_end() {
    let folder = TempDir::new().unwrap();
    let owner = Person::out_of_reach("Dr. Anna Weiss", "City Hospital").await;
    let admin = Person::out_of_reach("Dr. Ben Okafor", "River Clinic").await;
    let hers = Person::out_of_reach("Dr. Cleo Marsh", "Elsewhere").await;
    let his = Person::out_of_reach("Dr. Dan Ruiz", "Far Away").await;
    for (one, other) in [(&owner, &admin), (&owner, &hers), (&admin, &his)] {
        exchange_cards(one, other, folder.path()).await;
    }
    let new = CaseNew { ask: "Cyst?".into(), invite: vec!["Okafor".into()], ..CaseNew::default() };
    let created = owner.begin(Request::CaseNew(new), 0).await.end().await.unwrap().document();
    let case = created["case"].as_str().unwrap().to_owned();
    let role = Request::CaseMemberRole { case: case.clone(), who: "Okafor".into(), role: "admin".into() };
    owner.begin(role, 0).await.end().await.unwrap();
    let trip = |number: u32| folder.path().join(format!("{number}.bundle"));
    unpack(&admin, &pack(&owner, "Okafor", trip(0), false).await.0).await;

    // Each adds somebody and writes, and neither knows of the other's doing.
    for (person, who, text) in [(&owner, "Marsh", "from the owner"), (&admin, "Ruiz", "from the admin")] {
        let (who, role) = (who.to_owned(), "reader".to_owned());
        let add = Request::CaseMemberAdd { case: case.clone(), who, role, to_unverified: false };
        person.begin(add, 0).await.end().await.unwrap();
        let say =
            Request::Say { case: case.clone(), text: text.into(), view: None, reply_to: None, text_checked: false };
        person.begin(say, 0).await.end().await.unwrap();
    }
    let (from_admin, from_owner) =
        (pack(&admin, "Weiss", trip(1), false).await.0, pack(&owner, "Okafor", trip(2), false).await.0);
    unpack(&owner, &from_admin).await;
    unpack(&admin, &from_owner).await;
    // What each handed to the other's guest crosses once more, and goes on to the guests.
    unpack(&owner, &pack(&admin, "Weiss", trip(3), false).await.0).await;
    unpack(&admin, &pack(&owner, "Okafor", trip(4), false).await.0).await;
    unpack(&hers, &pack(&owner, "Marsh", trip(5), false).await.0).await;
    unpack(&his, &pack(&admin, "Ruiz", trip(6), false).await.0).await;
    let mut seen = Vec::new();
    for person in [&owner, &admin, &hers, &his] {
        let shown = person.json(Request::CaseShow { case: case.clone() }).await;
        let texts: Vec<String> =
            shown["messages"].as_array().unwrap().iter().map(|said| said["text"].as_str().unwrap().into()).collect();
        assert!(shown["state_hash"].is_string(), "{shown}");
        seen.push((texts.len(), shown["unreadable"].clone(), shown["state_hash"].clone()));
    }
    assert_eq!(seen[0].0, 2);
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
}
