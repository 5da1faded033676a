//! The demo's simulated colleague: a process of its own that consults with a node it has never met.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use overread::node::api::{CaseNew, Event, Request};
use overread::study::synthetic;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::program::{Killed, until, wait};
use crate::support::{Person, write_ct};

const NAME: &str = "Dr. Sim (simulated)";

/// How long her whole part may take, with beats of a few milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts her; her home lies in `folder`.
fn colleague(folder: &Path) -> Killed {
    let mut command = Command::new(env!("CARGO_BIN_EXE_overread"));
    command.args(["--json", "demo", "--colleague", "--beat-ms", "20"]).env("TMPDIR", folder);
    Killed(command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap())
}

fn tell(child: &mut Child, part: &Value) {
    let mut line = part.to_string();
    line.push('\n');
    child.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
}

/// Pairs, asks her about a study, and gives the case.
async fn asked(asker: &Person, child: &mut Child, study: &str, is_sample: bool) -> String {
    let mut opened = asker.begin(Request::PairOpen, 10).await;
    let door = opened
        .event(|event| match event {
            Event::PairingOpen { code, addresses, .. } => Some(json!({ "code": code, "at": [addresses[0]] })),
            _ => None,
        })
        .await;
    tell(child, &json!({ "door": door, "sample": is_sample.then_some(study) }));
    opened.event(|event| matches!(event, Event::ConfirmPerson { .. }).then_some(())).await;
    opened.replies.send(Request::Confirm { yes: true }).await.unwrap();
    opened.end().await.unwrap();
    let new = CaseNew {
        ask: "Metastasis?".into(),
        studies: vec![study.to_owned()],
        invite: vec![NAME.into()],
        ..CaseNew::default()
    };
    asker.json(Request::CaseNew(new)).await["case"].as_str().unwrap().to_owned()
}

/// Looks at the case until it is as wanted.
async fn seen(asker: &Person, case: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let looking = async {
        loop {
            let view = asker.json(Request::CaseShow { case: case.to_owned() }).await;
            if wanted(&view) {
                return view;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("she never did it")
}

fn said(view: &Value) -> Vec<&str> {
    let messages = view["messages"].as_array().unwrap().iter();
    messages.filter(|message| message["author"] == NAME).map(|message| message["text"].as_str().unwrap()).collect()
}

fn ends(mut child: Killed, folder: &Path) {
    drop(child.0.stdin.take());
    assert!(wait(&mut child.0).success());
    until("her home is gone", || (std::fs::read_dir(folder).unwrap().count() == 0).then_some(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulated_colleague_looks_marks_writes_answers_and_goes_with_her_parent() {
    let (folder, files) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut child = colleague(folder.path());
    let asker = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let (_, _, slice) = synthetic::LESION;
    // The slices up to the lesion's, so that its place in the series is what she expects.
    let study = asker.import(write_ct(files.path(), 7, slice + 1)).await;
    let case = asked(&asker, &mut child.0, &study, true).await;
    let view = seen(&asker, &case, |view| view["opinions"][0].is_object()).await;
    let marks: Vec<_> = view["marks"].as_array().unwrap().iter().map(|mark| (&mark["kind"], &mark["author"])).collect();
    assert_eq!(marks, [(&json!("bidirectional"), &json!(NAME)), (&json!("ellipse"), &json!(NAME))]);
    let words = said(&view);
    assert!(words[0].contains("I am a simulated colleague"), "{words:?}");
    assert!(words.iter().any(|text| text.contains("bidirectional of 18.7 mm on image 45/45")), "{words:?}");
    assert!(view["opinions"][0]["impression"].as_str().unwrap().starts_with("Simulated"));

    asker
        .json(Request::Say {
            case: case.clone(),
            text: "Are you sure?".into(),
            view: None,
            reply_to: None,
            text_checked: true,
        })
        .await;
    let mark = Request::MarkAdd {
        case: case.clone(),
        sop_instance_uid: view["marks"][0]["image"].as_str().unwrap().into(),
        frame: 1,
        kind: "length".into(),
        points: vec![(10.0, 10.0), (20.0, 10.0)],
        label: None,
        text_checked: true,
    };
    asker.json(mark).await;
    seen(&asker, &case, |view| {
        let words = said(view);
        let answered = words.iter().any(|text| text.contains("I am simulated and do not understand it"));
        answered && words.iter().any(|text| text.starts_with("I see your length of 7.4 mm on image 45/45."))
    })
    .await;
    ends(child, folder.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_real_study_the_simulated_colleague_says_that_she_has_no_opinion() {
    let (folder, files) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut child = colleague(folder.path());
    let asker = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let study = asker.import(write_ct(files.path(), 8, 3)).await;
    let case = asked(&asker, &mut child.0, &study, false).await;
    let view = seen(&asker, &case, |view| view["opinions"][0].is_object()).await;
    assert!(view["opinions"][0]["impression"].as_str().unwrap().starts_with("No opinion: a simulated colleague"));
    assert!(said(&view).iter().any(|text| text.contains("I cannot read images")));
    ends(child, folder.path());
}

#[test]
fn a_colleague_without_a_part_ends_with_her_input() {
    for line in [&b""[..], b"\n", b"{}\n", b"\xff\xfe\n", b"{\"door\":"] {
        let folder = TempDir::new().unwrap();
        let mut child = colleague(folder.path());
        // She may have ended already.
        let _ = child.0.stdin.take().unwrap().write_all(line);
        wait(&mut child.0);
        until("her home is gone", || (std::fs::read_dir(folder.path()).unwrap().count() == 0).then_some(()));
    }
}
