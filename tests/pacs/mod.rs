//! Neighbours push into `overread pacs listen`: dcmtk, Orthanc, and whoever means no good.

mod neighbour;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dicom_core::{DataElement, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use dicom_transfer_syntax_registry::entries;
use overread::node::NodeOptions;
use overread::node::api::{Envelope, Failure, ListenerView, Reply, Request};
use overread::node::client::Client;
use overread::pacs::command::{CommandSet, Element, field};
use serde_json::{Value, json};
use tempfile::TempDir;

use self::neighbour::{Listener, Object, Orthanc, Sender, dcmtk, dcmtk_tool, said, storescu};
use crate::support::program::{Home, Killed, until, wait};
use crate::support::search::{Search, Secret};
use crate::support::study::Study;

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/samples");

/// Planted in what is pushed.
const NAME: &str = "Quixblume^Zaphyrella";
const WORDS: [&str; 3] = ["Quixblume", "Zaphyrella", "PID-7733-KXQ"];

fn anna(folder: &Path) -> Home {
    Home::of(folder, "anna", "Dr. Anna Weiss", "City Hospital")
}

/// The files of a study whose patient is named to be searched for.
fn files(folder: &Path, seed: u64, slices: u32, side: u16) -> PathBuf {
    let path = folder.join(format!("study-{seed}"));
    let study = Study::new(seed, slices, side).with(tags::PATIENT_NAME, VR::PN, NAME);
    study.with(tags::PATIENT_ID, VR::LO, "PID-7733-KXQ").write(&path);
    path
}

fn inbox(home: &Home) -> Vec<Value> {
    home.run(0, &["pacs", "inbox"])["studies"].as_array().unwrap().clone()
}

/// The only study of the inbox.
fn only(home: &Home) -> Value {
    let studies = inbox(home);
    assert_eq!(studies.len(), 1, "{studies:?}");
    studies[0].clone()
}

fn id(study: &Value) -> &str {
    study["id"].as_str().unwrap()
}

#[test]
fn what_storescu_pushes_stands_sealed_until_it_is_imported_like_its_files() {
    if !dcmtk() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let (home, other) = (anna(folder.path()), Home::of(folder.path(), "ben", "Dr. Ben Okafor", "University Clinic"));
    let path = files(folder.path(), 1, 5, 64);
    let search = Search::new(&WORDS.map(|word| Secret::text(word, word)));
    assert_eq!(search.files(&path).len(), WORDS.len(), "the search cannot find");
    let log = folder.path().join("log");
    let mut command = home.json(&["-vv", "pacs", "listen", "--address", "127.0.0.1", "--port", "0"]);
    command.args(["--allow", "STORESCU", "--allow", "ECHOSCU"]);
    let mut listener = Listener::logging(&mut command, &log);
    let echo = dcmtk_tool("echoscu", listener.port, "OVERREAD", &[]).output().unwrap();
    assert!(echo.status.success(), "{}", said(&echo));
    // Twice the same: nothing is doubled.
    for (stored, again) in [(5, 0), (0, 5)] {
        let pushed = storescu(listener.port, &["+sd"], &[&path]);
        assert!(pushed.status.success(), "{}", said(&pushed));
        let done = listener.node.event(|event| event["state"] == "released" && event["from"] == "STORESCU");
        assert_eq!((&done["stored"], &done["again"]), (&json!(stored), &json!(again)), "{done}");
    }
    let study = only(&home);
    assert_eq!(
        (&study["instances"], &study["series"], &study["modality"], &study["from"], &study["complete"]),
        (&json!(5), &json!(1), &json!("CT"), &json!("STORESCU"), &json!(true)),
    );
    assert_eq!(study["patient"]["name"], NAME);
    // They stand there now, and no file holds a word of them.
    assert_eq!(std::fs::read_dir(home.path.join("inbox")).unwrap().count(), 5);
    assert!(search.files(&home.path).is_empty(), "{:?}", search.files(&home.path));
    assert!(search.files(&log).is_empty(), "{:?}", search.files(&log));
    // The import shows its plan, then takes it in, and it is what its files are.
    let plan = home.run(0, &["pacs", "import", id(&study), "--dry-run"]);
    assert_eq!(plan["plan"]["patients"][0]["name"], NAME);
    assert_eq!(only(&home)["instances"], 5);
    let imported = home.run(0, &["pacs", "import", id(&study)])["studies"][0].clone();
    let from_files = other.run(0, &["import", path.to_str().unwrap()])["studies"][0].clone();
    for field in ["modality", "description", "series", "instances", "left_out", "gaps", "warnings"] {
        assert_eq!(imported[field], from_files[field], "{field}");
    }
    let again = home.run(0, &["import", path.to_str().unwrap()])["studies"][0].clone();
    assert_eq!((&again["id"], &again["already_held"]), (&imported["id"], &json!(5)), "not the same to the byte");
    assert!(inbox(&home).is_empty());
    home.run(4, &["pacs", "import", id(&study)]);
    home.run(2, &["pacs", "import", "s-abcd"]);
    // What was imported and comes again is here already; what is not wanted goes.
    assert!(storescu(listener.port, &["+sd"], &[&path]).status.success());
    let discarded = home.run(0, &["pacs", "discard", "all"]);
    assert_eq!((&discarded["studies"], &discarded["instances"]), (&json!(1), &json!(5)));
    assert!(storescu(listener.port, &["+sd"], &[&path]).status.success());
    let (status, events) = listener.node.stop("INT");
    assert_eq!((status.code(), &events.last().unwrap()["event"]), (Some(0), &json!("done")));
    assert!(!home.path.join("inbox").exists());
    assert!(inbox(&home).is_empty(), "the inbox outlived its key");
    assert!(search.files(&log).is_empty() && search.files(&home.path).is_empty());
}

/// A certificate authority, and certificates of it for this machine and for a client, made now.
fn certificates(folder: &Path) -> [String; 6] {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).output().expect("openssl makes the certificates");
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    };
    let (authority, authority_key) = (path("ca.pem"), path("ca.key"));
    let new = ["req", "-newkey", "rsa:2048", "-nodes", "-keyout"];
    openssl(&[&new[..], &[&authority_key, "-x509", "-days", "2", "-subj", "/CN=Clinic", "-out", &authority]].concat());
    let mut files = vec![authority.clone()];
    for (name, extensions) in [("server", "subjectAltName=DNS:localhost"), ("client", "extendedKeyUsage=clientAuth")] {
        let [request, key, certificate, more] = ["csr", "key", "pem", "ext"].map(|end| path(&format!("{name}.{end}")));
        std::fs::write(&more, format!("basicConstraints=CA:FALSE\n{extensions}\n")).unwrap();
        openssl(&[&new[..], &[&key, "-subj", "/CN=localhost", "-out", &request]].concat());
        let signed = ["x509", "-req", "-days", "2", "-CAcreateserial", "-CA", &authority, "-CAkey", &authority_key];
        openssl(&[&signed[..], &["-in", &request, "-out", &certificate, "-extfile", &more]].concat());
        files.extend([certificate, key]);
    }
    files.push(authority_key);
    files.try_into().unwrap()
}

#[test]
fn over_tls_the_same_arrives_and_partners_that_do_not_match_are_refused() {
    if !dcmtk() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let home = anna(folder.path());
    let path = files(folder.path(), 2, 3, 64);
    let [authority, certificate, key, client, client_key, _] = certificates(folder.path());
    let tls = ["--any-ae", "--tls-cert", &certificate, "--tls-key", &key];
    let anonymous = ["+sd", "+tla", "+cf", &authority];
    let known = ["+sd", "+tls", &client_key, &client, "+cf", &authority];
    {
        let mut listener = Listener::start(&home, &tls);
        assert_eq!(listener.node.seen[0]["tls"], true);
        let pushed = storescu(listener.port, &anonymous, &[&path]);
        assert!(pushed.status.success(), "{}", said(&pushed));
        assert_eq!(listener.ended()["stored"], 3);
        // Plain to TLS: told at this side, and nothing breaks.
        assert!(!storescu(listener.port, &["+sd"], &[&path]).status.success());
        let refused = listener.ended();
        assert_eq!(refused["state"], "refused");
        assert!(refused["why"].as_str().unwrap().starts_with("TLS failed: "), "{refused}");
        assert_eq!(only(&home)["complete"], true);
        assert!(listener.node.stop("TERM").0.success());
    }
    {
        let mut listener = Listener::start(&home, &[&tls[..], &["--tls-ca", &authority]].concat());
        assert!(!storescu(listener.port, &anonymous, &[&path]).status.success(), "a client without a certificate");
        assert_eq!(listener.ended()["state"], "refused");
        let pushed = storescu(listener.port, &known, &[&path]);
        assert!(pushed.status.success(), "{}", said(&pushed));
        assert_eq!(listener.ended()["stored"], 3);
        assert!(listener.node.stop("TERM").0.success());
    }
    let mut listener = Listener::start(&home, &["--any-ae"]);
    assert!(!storescu(listener.port, &anonymous, &[&path]).status.success(), "TLS to plain");
    let refused = listener.ended();
    assert_eq!(refused["why"], "It speaks TLS, and this listener does not.");
    assert!(refused["hint"].as_str().unwrap().contains("--tls-cert"), "{refused}");
    let wrong = home.run(2, &["pacs", "listen", "--any-ae", "--port", "0", "--tls-cert", &key, "--tls-key", &key]);
    assert!(wrong["error"]["what"].as_str().unwrap().contains("already"), "{wrong}");
    drop(listener);
    let wrong = home.run(2, &["pacs", "listen", "--any-ae", "--port", "0", "--tls-cert", &key, "--tls-key", &key]);
    assert!(wrong["error"]["what"].as_str().unwrap().contains("server.key holds no certificates in PEM"), "{wrong}");
}

#[test]
fn who_is_not_allowed_or_calls_another_title_is_refused_and_told_why() {
    if !dcmtk() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let home = anna(folder.path());
    let path = files(folder.path(), 3, 1, 16);
    let mut listener = Listener::start(&home, &["--allow", "PACS1", "--ae-title", "SECONDS"]);
    for (calling, called, told, hint) in [
        ("STRANGER", "SECONDS", "Calling AE Title Not Recognized", "--allow STRANGER"),
        ("pacs1", "SECONDS", "Calling AE Title Not Recognized", "--allow pacs1"),
        ("PACS1", "OVERREAD", "Called AE Title Not Recognized", "--ae-title"),
    ] {
        for tool in ["echoscu", "storescu"] {
            let mut command = dcmtk_tool(tool, listener.port, called, &["-aet", calling]);
            let refused = if tool == "storescu" { command.args(["+sd"]).arg(&path) } else { &mut command }.output();
            let refused = refused.unwrap();
            assert!(!refused.status.success() && said(&refused).contains(told), "{tool}: {}", said(&refused));
            let event = listener.ended();
            assert_eq!((&event["state"], &event["from"]), (&json!("refused"), &json!(calling)));
            assert!(event["hint"].as_str().unwrap().contains(hint), "{event}");
        }
    }
    assert!(inbox(&home).is_empty());
    let flags = ["-aet", "PACS1", "+sd"];
    let pushed = dcmtk_tool("storescu", listener.port, "SECONDS", &flags).arg(&path).output().unwrap();
    assert!(pushed.status.success(), "{}", said(&pushed));
    // Nobody is allowed until somebody says so, and titles are titles.
    home.run(2, &["pacs", "listen", "--allow", "A\\B"]);
    drop(listener);
    let mut listener = Listener::start(&home, &[]);
    assert!(!storescu(listener.port, &["+sd"], &[&path]).status.success());
    assert_eq!(listener.ended()["state"], "refused");
}

#[test]
fn a_sender_killed_midway_leaves_an_incomplete_study_that_a_second_push_completes() {
    if !dcmtk() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let home = anna(folder.path());
    let path = files(folder.path(), 4, 150, 256);
    let mut listener = Listener::start(&home, &["--allow", "STORESCU", "--allow", "OURSENDER"]);
    let mut command = dcmtk_tool("storescu", listener.port, "OVERREAD", &["+sd"]);
    let mut sender = Killed(command.arg(&path).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    listener.node.event(|event| event["event"] == "pacs_arrival");
    assert_eq!(only(&home)["state"], "arriving");
    sender.0.kill().unwrap();
    let ended = listener.ended();
    assert_eq!(ended["state"], "cut off", "{ended}");
    let study = only(&home);
    assert_eq!((&study["complete"], &study["state"]), (&json!(false), &json!("incomplete")));
    let held = study["instances"].as_u64().unwrap();
    assert!((1..150).contains(&held), "{held} of 150 arrived before the sender was killed");
    // What is here may be imported, and the report says that it is not all.
    let part = home.run(0, &["pacs", "import", id(&study), "--dry-run"]);
    let warnings = part["studies"][0]["warnings"].to_string();
    assert!(warnings.contains("whole"), "{warnings}");
    assert!(storescu(listener.port, &["+sd"], &[&path]).status.success());
    let study = only(&home);
    assert_eq!((&study["complete"], &study["instances"]), (&json!(true), &json!(150)), "{study}");
    // Cut off within an object: that object is missing until it comes.
    home.run(0, &["pacs", "discard", "all"]);
    let objects: Vec<Object> =
        [0, 1].iter().map(|n| Object::read(&path.join(format!("{n:04}.dcm"))).unwrap()).collect();
    let mut sender = Sender::open(listener.port, &objects[0].class, &objects[0].syntax);
    assert_eq!(sender.store(&objects[0]).0, 0);
    sender.break_off(&objects[1]);
    listener.node.event(|event| event["state"] == "cut off");
    let study = only(&home);
    assert_eq!((&study["instances"], &study["missing"]), (&json!(1), &json!(1)));
    let mut sender = Sender::open(listener.port, &objects[1].class, &objects[1].syntax);
    assert_eq!(sender.store(&objects[1]).0, 0);
    sender.release();
    until("the study is complete", || (only(&home)["complete"] == true).then_some(()));
}

#[test]
fn garbage_oversized_pdus_and_silence_hinder_nobody() {
    let folder = TempDir::new().unwrap();
    let home = anna(folder.path());
    let mut listener = Listener::start(&home, &["--any-ae"]);
    // Those that say nothing, more of them than associations may be open.
    let silent: Vec<_> = (0..12).map(|_| listener.connect()).collect();
    let list: [(&str, &[u8], &str, bool); 5] = [
        ("a browser", b"GET / HTTP/1.1\r\n\r\n", "It does not speak DICOM.", false),
        ("a PDU of 4 GiB", &[4, 0, 0xff, 0xff, 0xff, 0xff], "4294967295 bytes", true),
        ("a request of 4 GiB", &[1, 0, 0xff, 0xff, 0xff, 0xff], "4294967295 bytes", true),
        ("data before a request", &[4, 0, 0, 0, 0, 7, 0, 0, 0, 3, 1, 3, 0], "association request", true),
        ("a request of zeros", &[1, 0, 0, 0, 0, 4, 0, 0, 0, 0], "not well formed", true),
    ];
    for (attack, bytes, why, is_aborted) in list {
        let mut stream = listener.connect();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        // A reset instead of an end is as good.
        let _ = stream.read_to_end(&mut answer);
        assert_eq!(answer.first() == Some(&7), is_aborted, "{attack}: {answer:?}");
        let ended = listener.ended();
        assert!(ended["why"].as_str().unwrap().contains(why), "{attack}: {ended}");
    }
    let object = Object::read(&files(folder.path(), 5, 1, 16).join("0000.dcm")).unwrap();
    // A good association, then a message that is none, then a data set that is none.
    let mut sender = Sender::open(listener.port, &object.class, &object.syntax);
    assert_eq!(sender.store(&object).0, 0);
    let unknown = CommandSet::new(0x0020).number(Element::MESSAGE_ID, 9);
    sender.send(&unknown, None);
    assert_eq!(sender.receive().0.read_number(Element::STATUS), Some(0x0211));
    let announced = CommandSet::new(field::C_STORE_RQ)
        .with_data_set()
        .number(Element::MESSAGE_ID, 10)
        .uid(Element::AFFECTED_SOP_CLASS_UID, &object.class)
        .uid(Element::AFFECTED_SOP_INSTANCE_UID, "1.2.3.4");
    sender.send(&announced, Some(b"this is no data set at all"));
    let (response, _) = sender.receive();
    assert_eq!(response.read_number(Element::STATUS), Some(0xC000));
    assert!(response.read_comment().is_some());
    sender.release();
    let ended = listener.ended();
    assert_eq!((&ended["stored"], &ended["refused"]), (&json!(1), &json!(1)));
    let study = only(&home);
    assert_eq!((&study["instances"], &study["missing"], &study["complete"]), (&json!(1), &json!(1), &json!(false)));
    // More than may be open at once: the last is told to come again, and one that ends makes room.
    drop(silent);
    let mut open: Vec<Sender> = Vec::new();
    while open.len() < overread::pacs::listener::ASSOCIATIONS_MAX {
        let port = listener.port;
        let opened =
            std::panic::catch_unwind(|| Sender::open(port, uids::CT_IMAGE_STORAGE, uids::IMPLICIT_VR_LITTLE_ENDIAN));
        // The silent ones are noticed a moment after they left.
        match opened {
            Ok(sender) => open.push(sender),
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(50)),
        }
    }
    if dcmtk() {
        let refused = dcmtk_tool("echoscu", listener.port, "OVERREAD", &[]).output().unwrap();
        assert!(said(&refused).contains("Local Limit Exceeded"), "{}", said(&refused));
        open.clear();
        until("there is room again", || {
            dcmtk_tool("echoscu", listener.port, "OVERREAD", &[]).output().unwrap().status.success().then_some(())
        });
    }
}

#[test]
fn a_locked_node_has_wiped_its_inbox_and_refuses_until_it_is_open_again() {
    let folder = TempDir::new().unwrap();
    let home = anna(folder.path());
    let object = Object::read(&files(folder.path(), 6, 1, 16).join("0000.dcm")).unwrap();
    // The listener is asked of a node that runs already, and so outlives neither.
    let node = home.node(&[]);
    let listener = Listener::start(&home, &["--allow", "OURSENDER", "--max-size", "100K"]);
    let push = |object: &Object| {
        let mut sender = Sender::open(listener.port, &object.class, &object.syntax);
        let answer = sender.store(object);
        sender.release();
        answer
    };
    assert_eq!(push(&object), (0, None));
    assert_eq!(only(&home)["instances"], 1);
    home.run(0, &["vault", "lock"]);
    assert_eq!(std::fs::read_dir(home.path.join("inbox")).unwrap().count(), 0);
    assert_eq!(push(&object), (0x0110, Some("Overread is locked: unlock it, then send again".into())));
    assert!(inbox(&home).is_empty(), "asking for the list opens it, and nothing came back");
    assert_eq!(push(&object), (0, None));
    let large = Object::read(&files(folder.path(), 7, 1, 512).join("0000.dcm")).unwrap();
    assert_eq!(push(&large), (0xA700, Some("the inbox is full: import or discard something".into())));
    // The inbox is the node's: it stands when the listener has gone, and ends with the node.
    let (status, events) = listener.node.stop("INT");
    assert!(status.success() && events.last().unwrap()["event"] == "done", "{events:?}");
    assert_eq!(only(&home)["instances"], 1);
    let listener = Listener::start(&home, &["--allow", "OURSENDER"]);
    node.kill();
    assert_eq!(std::fs::read_dir(home.path.join("inbox")).unwrap().count(), 1, "kill -9 leaves the sealed file");
    let mut node = listener.node;
    assert_eq!(wait(&mut node.process.0).code(), Some(1), "the listener ends with the node that it asked");
    assert!(inbox(&home).is_empty());
    assert!(!home.path.join("inbox").exists(), "the next start sweeps what a killed node left");
}

/// Asks the node of a home, as another program.
fn ask(home: &Home, request: Request) -> Result<Reply, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut client = Client::open(&home.path, NodeOptions::default()).await.unwrap();
        let envelope = Envelope { request, passphrase: None, request_id: None, wait_seconds: None };
        client.ask(envelope, &mut |_| None).await
    })
}

#[test]
fn everybody_hears_of_arrivals_without_the_patient_and_any_program_sees_and_ends_the_listening() {
    let folder = TempDir::new().unwrap();
    let home = anna(folder.path());
    let path = files(folder.path(), 11, 3, 16);
    let mut node = home.node(&[]);
    assert_eq!(ask(&home, Request::PacsStop).unwrap_err().what, "Nobody listens for neighbours.");
    let listener = Listener::start(&home, &["--allow", "OURSENDER"]);
    let objects: Vec<Object> = (0..3).map(|n| Object::read(&path.join(format!("{n:04}.dcm"))).unwrap()).collect();
    let mut sender = Sender::open(listener.port, &objects[0].class, &objects[0].syntax);
    sender.store(&objects[0]);
    let told = node.event(|event| event["event"] == "inbox_study");
    assert_eq!((&told["state"], &told["modality"]), (&json!("arriving"), &json!("CT")), "{told}");
    for object in &objects[1..] {
        sender.store(object);
    }
    sender.release();
    let told = node.event(|event| event["event"] == "inbox_study");
    assert_eq!((&told["state"], &told["instances"]), (&json!("complete"), &json!(3)), "{told}");
    assert!(!node.seen.iter().any(|event| WORDS.iter().any(|word| event.to_string().contains(word))));
    // Somebody whom nobody allowed: who set the sender up learns why.
    let stranger = dicom_ul::ClientAssociationOptions::new()
        .calling_ae_title("STRANGER")
        .called_ae_title("OVERREAD")
        .with_presentation_context(uids::CT_IMAGE_STORAGE, vec![uids::IMPLICIT_VR_LITTLE_ENDIAN])
        .establish(("127.0.0.1", listener.port));
    assert!(stranger.is_err());
    let view = until("the refusal is shown", || match ask(&home, Request::InboxList).unwrap() {
        Reply::Inbox(view) => Some(view).filter(|view| view.refused.is_some()),
        other => panic!("{other:?}"),
    });
    assert_eq!(view.refused.as_deref(), Some("\"STRANGER\" is not allowed to send here."));
    let expected = ListenerView {
        hosts: vec!["127.0.0.1".into()],
        port: listener.port,
        ae_title: "OVERREAD".into(),
        tls: false,
        allowed: vec!["OURSENDER".into()],
        any_ae: false,
    };
    assert_eq!(view.listener, Some(expected));
    assert!(ask(&home, Request::PacsStop).is_ok());
    let mut ended = listener.node;
    assert!(wait(&mut ended.process.0).success(), "{:?}", ended.seen);
    match ask(&home, Request::InboxList).unwrap() {
        Reply::Inbox(view) => assert!(view.listener.is_none() && view.studies.len() == 1),
        other => panic!("{other:?}"),
    }
}

#[test]
fn storage_commitment_promises_nothing_unless_it_is_told_to() {
    let folder = TempDir::new().unwrap();
    let home = anna(folder.path());
    let object = Object::read(&files(folder.path(), 8, 1, 16).join("0000.dcm")).unwrap();
    for (flags, event, kept) in [(&["--any-ae"][..], 2, false), (&["--any-ae", "--commit"], 1, true)] {
        let listener = Listener::start(&home, flags);
        let mut sender = Sender::open(listener.port, &object.class, &object.syntax);
        assert_eq!(sender.store(&object).0, 0);
        sender.release();
        let syntax = uids::IMPLICIT_VR_LITTLE_ENDIAN;
        let mut sender = Sender::open(listener.port, uids::STORAGE_COMMITMENT_PUSH_MODEL, syntax);
        sender.send(&request(), Some(&asked(&object, syntax)));
        let (response, _) = sender.receive();
        assert_eq!(response.read_number(Element::STATUS), Some(0));
        let (report, data_set) = sender.receive();
        assert_eq!(report.command_field(), Some(field::N_EVENT_REPORT_RQ));
        assert_eq!(report.read_number(Element::EVENT_TYPE_ID), Some(event));
        let text = String::from_utf8_lossy(&data_set);
        assert!(text.contains("1.2.3.99") && text.contains(&object.uid), "{text}");
        let held = data_set.windows(4).any(|tag| tag == [0x08, 0x00, 0x99, 0x11]);
        assert_eq!(held, kept, "{text}");
        sender.send(&CommandSet::response_to(&report, 0), None);
        sender.release();
    }
}

#[test]
fn a_sender_that_hangs_up_after_its_request_is_called_back_where_it_listens() {
    use dicom_ul::association::ServerAssociationOptions;
    use dicom_ul::pdu::{PDataValueType, Pdu};
    let folder = TempDir::new().unwrap();
    let home = anna(folder.path());
    let object = Object::read(&files(folder.path(), 10, 1, 16).join("0000.dcm")).unwrap();
    let there = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let report_to = format!("OURSENDER@{}", there.local_addr().unwrap());
    let mut listener = Listener::start(&home, &["--any-ae", "--commit", "--report-to", &report_to]);
    let called = std::thread::spawn(move || {
        let stream = there.accept().unwrap().0;
        let options = ServerAssociationOptions::new().accept_called_ae_title().ae_title("OURSENDER");
        let mut association =
            options.with_abstract_syntax(uids::STORAGE_COMMITMENT_PUSH_MODEL).establish(stream).unwrap();
        let mut heard = (Vec::new(), Vec::new());
        loop {
            match association.receive().unwrap() {
                Pdu::PData { data } => {
                    for value in data {
                        let is_report = value.value_type == PDataValueType::Data && value.is_last;
                        match value.value_type {
                            PDataValueType::Command => heard.0.extend(value.data),
                            PDataValueType::Data => heard.1.extend(value.data),
                        }
                        if is_report {
                            let response = CommandSet::response_to(&CommandSet::read(&heard.0).unwrap(), 0);
                            association.send(&message(&response)).unwrap();
                        }
                    }
                }
                Pdu::ReleaseRQ => {
                    association.send(&Pdu::ReleaseRP).unwrap();
                    return heard;
                }
                other => panic!("{other:?}"),
            }
        }
    });
    let mut sender = Sender::open(listener.port, &object.class, &object.syntax);
    assert_eq!(sender.store(&object).0, 0);
    sender.release();
    let mut sender = Sender::open(listener.port, uids::STORAGE_COMMITMENT_PUSH_MODEL, uids::EXPLICIT_VR_LITTLE_ENDIAN);
    sender.send(&request(), Some(&asked(&object, uids::EXPLICIT_VR_LITTLE_ENDIAN)));
    assert_eq!(sender.receive().0.read_number(Element::STATUS), Some(0));
    drop(sender);
    let (command, data_set) = called.join().unwrap();
    let command = CommandSet::read(&command).unwrap();
    assert_eq!(command.read_number(Element::EVENT_TYPE_ID), Some(1));
    assert!(String::from_utf8_lossy(&data_set).contains(&object.uid));
    listener.node.event(|event| event["event"] == "pacs_association" && event["state"] == "cut off");
}

/// A command in one PDU.
fn message(command: &CommandSet) -> dicom_ul::pdu::Pdu {
    overread::pacs::wire::fragments(1, &command.to_bytes(), None, 16_384).remove(0)
}

/// A request for storage commitment.
fn request() -> CommandSet {
    CommandSet::new(field::N_ACTION_RQ)
        .with_data_set()
        .number(Element::MESSAGE_ID, 1)
        .number(Element::ACTION_TYPE_ID, 1)
        .uid(Element::REQUESTED_SOP_CLASS_UID, uids::STORAGE_COMMITMENT_PUSH_MODEL)
        .uid(Element::REQUESTED_SOP_INSTANCE_UID, "1.2.840.10008.1.20.1.1")
}

/// Asks about one object.
fn asked(object: &Object, syntax: &str) -> Vec<u8> {
    let mut item = InMemDicomObject::new_empty();
    item.put_str(tags::REFERENCED_SOP_CLASS_UID, VR::UI, object.class.as_str());
    item.put_str(tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, object.uid.as_str());
    let mut list = InMemDicomObject::new_empty();
    list.put_str(tags::TRANSACTION_UID, VR::UI, "1.2.3.99");
    list.put(DataElement::new(
        tags::REFERENCED_SOP_SEQUENCE,
        VR::SQ,
        dicom_core::value::DataSetSequence::from(vec![item]),
    ));
    let mut bytes = Vec::new();
    let syntax = match syntax {
        uids::IMPLICIT_VR_LITTLE_ENDIAN => entries::IMPLICIT_VR_LITTLE_ENDIAN.erased(),
        _ => entries::EXPLICIT_VR_LITTLE_ENDIAN.erased(),
    };
    list.write_dataset_with_ts(&mut bytes, &syntax).unwrap();
    bytes
}

#[test]
fn every_sample_arrives_by_storescu_or_where_that_cannot_by_a_sender_of_our_own() {
    if !Path::new(SAMPLES).exists() || !dcmtk() {
        eprintln!("SKIPPED: no samples at {SAMPLES}: nothing was pushed");
        return;
    }
    let folder = TempDir::new().unwrap();
    let home = anna(folder.path());
    let listener = Listener::start(&home, &["--any-ae"]);
    let profile = folder.path().join("storescu.cfg");
    let (mut by_storescu, mut by_us, mut not_sent, mut refused) = (0, 0, Vec::new(), Vec::new());
    for (name, path) in samples(folder.path()) {
        let Some(object) = Object::read(&path) else {
            not_sent.push(name);
            continue;
        };
        // storescu proposes nothing that its own tables do not name, nor a compressed syntax unless told which.
        let text = format!(
            "[[TransferSyntaxes]]\n[Own]\nTransferSyntax1 = {}\n[[PresentationContexts]]\n[One]\n\
             PresentationContext1 = {}\\Own\n[[Profiles]]\n[Default]\nPresentationContexts = One\n",
            object.syntax, object.class
        );
        std::fs::write(&profile, text).unwrap();
        let pushed = storescu(listener.port, &["-v", "-xf", profile.to_str().unwrap(), "Default"], &[&path]);
        let text = said(&pushed);
        if text.contains("Received Store Response (Success)") {
            by_storescu += 1;
            continue;
        }
        let mut is_refused = text.contains("Received Store Response");
        if !is_refused {
            let mut sender = Sender::open(listener.port, &object.class, &object.syntax);
            is_refused = sender.store(&object).0 != 0;
            sender.release();
            by_us += usize::from(!is_refused);
        }
        if is_refused {
            refused.push(name);
        }
    }
    eprintln!("{by_storescu} samples pushed by storescu, {by_us} by our own sender");
    eprintln!("refused: {refused:?}\nno file that can be sent: {not_sent:?}");
    assert!(by_storescu >= 135 && by_us >= 5, "{by_storescu} by storescu, {by_us} by us");
    // The first one's UIDs are none, which the meta information of the file hides from an import and no sender sends.
    // The second one's have 67 characters, of which storescu announces the 64 that a UID may have: not that object.
    assert_eq!(refused, ["broken/bad-un-sequence.dcm", "multiframe/enhanced-mr-19-frames-multifragment-j2k.dcm"]);
    let studies = inbox(&home);
    let arrived: u64 = studies.iter().map(|study| study["instances"].as_u64().unwrap()).sum();
    let imported = home.json(&["pacs", "import", "all"]).output().unwrap();
    assert!([Some(0), Some(6)].contains(&imported.status.code()), "{}", said(&imported));
    let report: Value = serde_json::from_slice(&imported.stdout).unwrap();
    assert_eq!(report["skipped"], json!([]), "of {arrived} arrivals");
}

/// Every sample file, unpacked where it is compressed.
fn samples(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut samples = Vec::new();
    for entry in walkdir::WalkDir::new(SAMPLES).sort_by_file_name() {
        let entry = entry.unwrap();
        let name = entry.path().strip_prefix(SAMPLES).unwrap().to_str().unwrap().to_owned();
        let is_other = [".md", ".tsv", ".tar.xz", ".zip", ".json"].iter().any(|ending| name.ends_with(ending));
        if entry.file_type().is_dir() || is_other {
            continue;
        }
        let mut path = entry.path().to_owned();
        if name.ends_with(".xz") {
            let unpacked = Command::new("xz").arg("-dc").arg(&path).output().expect("xz unpacks the samples");
            path = folder.join(name.replace('/', "_").trim_end_matches(".xz"));
            std::fs::write(&path, unpacked.stdout).unwrap();
        }
        samples.push((name, path));
    }
    samples
}

#[test]
fn orthanc_pushes_a_study_and_it_is_imported() {
    let folder = TempDir::new().unwrap();
    let home = anna(folder.path());
    let mut listener = Listener::start(&home, &["--allow", "ORTHANC"]);
    let Some(orthanc) = Orthanc::start(folder.path(), listener.port) else { return };
    let path = files(folder.path(), 9, 4, 64);
    let mut study = String::new();
    for index in 0..4 {
        let file = std::fs::read(path.join(format!("{index:04}.dcm"))).unwrap();
        study = orthanc.post("/instances", &file)["ParentStudy"].as_str().unwrap().to_owned();
    }
    orthanc.post("/modalities/overread/echo", b"{}");
    let pushed = orthanc.post("/modalities/overread/store", study.as_bytes());
    assert_eq!((&pushed["InstancesCount"], &pushed["FailedInstancesCount"]), (&json!(4), &json!(0)));
    listener.node.event(|event| event["state"] == "released" && event["stored"] == 4);
    let study = only(&home);
    assert_eq!((&study["from"], &study["complete"]), (&json!("ORTHANC"), &json!(true)));
    let imported = home.run(0, &["pacs", "import", id(&study)])["studies"][0].clone();
    assert_eq!((&imported["instances"], &imported["left_out"]), (&json!(4), &json!([])));
}
