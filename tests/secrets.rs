//! What patients, colleagues and vaults hide is nowhere in the clear: not on disk, in a log, on the line or in a bundle.
//!
//! A whole consult between two homes over a line that keeps every byte, with all logs at their loudest. Then a
//! search for everything planted in headers, pixels, typed text and keys, in every form that [`Search`] knows. The
//! same search over the source files finds all of it, so it can find.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use overread::identity::vault::Vault;
use overread::node::library;
use overread::store::{DatabaseKeys, Store};
use secrecy::SecretString;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::program::{Home, Node, document, pair_at, write_private};
use crate::support::proxy::Proxy;
use crate::support::search::{Search, Secret};
use crate::support::study::Study;

/// What stands in the headers, and what of it nobody may see.
#[rustfmt::skip]
const PLANTED: [(Tag, VR, &str, &[&str]); 32] = [
    (tags::PATIENT_NAME, VR::PN, "Quixblume^Zaphyrella^Orielton", &["Quixblume", "Zaphyrella", "Orielton"]),
    (tags::PATIENT_ID, VR::LO, "PID-7733-KXQ", &["PID-7733-KXQ"]),
    (Tag(0x0010, 0x1000), VR::LO, "OPID-55-WQZ", &["OPID-55-WQZ"]),
    (tags::ISSUER_OF_PATIENT_ID, VR::LO, "ISSUER-OF-BRACKWATER", &["ISSUER-OF-BRACKWATER"]),
    (tags::PATIENT_BIRTH_DATE, VR::DA, "19410329", &["19410329", "1941-03-29", "29.03.1941", "29/03/1941"]),
    (tags::STUDY_DATE, VR::DA, "20190714", &["20190714", "2019-07-14", "14.07.2019", "14/07/2019"]),
    (tags::STUDY_TIME, VR::TM, "134752.118", &["134752.118", "13:47:52"]),
    (tags::ACCESSION_NUMBER, VR::SH, "ACCQ88172035", &["ACCQ88172035"]),
    (tags::STUDY_ID, VR::SH, "SIDX-40417", &["SIDX-40417"]),
    (tags::ADMISSION_ID, VR::LO, "ADM-60017-HX", &["ADM-60017-HX"]),
    (tags::REQUESTED_PROCEDURE_ID, VR::SH, "RPID-31337", &["RPID-31337"]),
    (tags::FILLER_ORDER_NUMBER_IMAGING_SERVICE_REQUEST, VR::LO, "FON-998231", &["FON-998231"]),
    (tags::DEVICE_SERIAL_NUMBER, VR::LO, "DSN-0093517", &["DSN-0093517"]),
    (tags::STATION_NAME, VR::SH, "STN-KESTREL9", &["STN-KESTREL9"]),
    (tags::INSTITUTION_NAME, VR::LO, "Brackwater Infirmary", &["Brackwater Infirmary"]),
    (tags::INSTITUTION_ADDRESS, VR::ST, "14 Farthingale Mews", &["Farthingale"]),
    (tags::REFERRING_PHYSICIAN_NAME, VR::PN, "Ostrander^Pellworth", &["Ostrander", "Pellworth"]),
    (tags::PERFORMING_PHYSICIAN_NAME, VR::PN, "Vexleighton^Cora", &["Vexleighton"]),
    (tags::OPERATORS_NAME, VR::PN, "Tumbletyson^Ivo", &["Tumbletyson"]),
    (tags::NAME_OF_PHYSICIANS_READING_STUDY, VR::PN, "Hargrovesson^Sunniva", &["Hargrovesson"]),
    (tags::REQUESTING_PHYSICIAN, VR::PN, "Lindqvistad^Aurel", &["Lindqvistad"]),
    (tags::PATIENT_ADDRESS, VR::LO, "9 Rookerystone Lane", &["Rookerystone"]),
    (tags::PATIENT_TELEPHONE_NUMBERS, VR::SH, "+447700900417", &["+447700900417", "7700900417"]),
    (tags::OCCUPATION, VR::SH, "lamplighteress", &["lamplighteress"]),
    (tags::PATIENT_MOTHER_BIRTH_NAME, VR::PN, "Fenwhistleby^Ada", &["Fenwhistleby"]),
    (tags::PATIENT_COMMENTS, VR::LT, "sister of mayor Cradlewickham", &["Cradlewickham"]),
    (tags::ADDITIONAL_PATIENT_HISTORY, VR::LT, "fell off Harbottle bridge", &["Harbottle bridge"]),
    (tags::IMAGE_COMMENTS, VR::LT, "call ward Juniperus", &["Juniperus"]),
    (tags::PROTOCOL_NAME, VR::LO, "CHEST ZEBRAFINCHES", &["ZEBRAFINCHES"]),
    (tags::STUDY_DESCRIPTION, VR::LO, "CT CHEST SNODGRASSIA", &["SNODGRASSIA"]),
    (Tag(0x0009, 0x0010), VR::LO, "MOSSHOLLOW PRIVATE", &["MOSSHOLLOW"]),
    (Tag(0x0009, 0x1001), VR::LO, "PRIVQ-grimbledon", &["PRIVQ-grimbledon"]),
];

/// What people type, by the name of its field.
const TYPED: [(&str, &str); 12] = [
    ("question", "Does the quokkashaped shadow predate last summer?"),
    ("context", "Treated for marmalade lung in a lighthouse"),
    ("first report", "Bilateral figments, most likely imaginary"),
    ("message", "Would you look at the third teaspoon as well?"),
    ("answer", "The teaspoon is older than the saucer"),
    ("label", "suspicious crumpet"),
    ("draft", "Perhaps a tortoise, perhaps only a hat"),
    ("impression", "An ordinary hedgehog of the upper lobe"),
    ("findings", "Four spines, none of them calcified"),
    ("recommendation", "Leave a bowl of milk out at night"),
    ("addendum", "On reflection rather a porcupine"),
    ("new question", "And what does the wombat say?"),
];

/// What opens the vaults.
const PASSPHRASES: [&str; 2] = ["seventeen copper kettles sing", "zwölf Boxkämpfer jagen Viktor"];

/// Who they are. They see each other's names on their own screens, and nowhere else.
const PEOPLE: [(&str, &str); 2] =
    [("Dr. Odalys Merriweather", "Saltmarsh General"), ("Dr. Ignaz Thistlewood", "Clinic of the Seven Bells")];

/// What one of them calls the other.
const ALIAS: &str = "Captain Barnacle";

/// The words of an identity whose seed is thirty-two bytes of 0x7f (a test vector of BIP-39).
const WORDS: &str = "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth \
                     useful legal winner thank year wave sausage worth title";

/// Two people, everything their commands say beside the results, and the secrets of the two.
struct Consult {
    folder: TempDir,
    homes: [Home; 2],
    /// What commands wrote to standard error.
    said: Mutex<Vec<u8>>,
}

impl Consult {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("tmp")).unwrap();
        let homes = ["odalys", "ignaz"].map(|name| Home::new(folder.path(), name));
        for (home, passphrase) in homes.iter().zip(PASSPHRASES) {
            write_private(&home.passphrase, passphrase);
        }
        Self { folder, homes, said: Mutex::default() }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Runs a command of one of the two, with its log at its loudest.
    fn run(&self, who: usize, arguments: &[&str]) -> Value {
        let mut command = self.homes[who].json(&["-vv"]);
        command.args(arguments).env("TMPDIR", self.path("tmp")).env("RUST_LOG", "trace");
        let output = command.output().unwrap();
        self.said.lock().unwrap().extend_from_slice(&output.stderr);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {text} {}", String::from_utf8_lossy(&output.stdout));
        document(&output).unwrap()
    }

    /// Starts the node of one of the two; its log goes to a file.
    fn node(&self, who: usize, ip: &str) -> Node {
        let log = std::fs::File::options().create(true).append(true).open(self.path(&format!("log-{who}"))).unwrap();
        let mut command = self.homes[who].json(&["-vv", "node", "--no-beacon"]);
        command.args(["--listen", &format!("/ip4/{ip}/tcp/0")]).stderr(Stdio::from(log));
        Node::start(command.env("TMPDIR", self.path("tmp")).env("RUST_LOG", "trace"))
    }

    /// Writes a text into a file of its own.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

/// A study full of secrets.
fn study() -> Study {
    let study = Study::new(771_203, 2, 64);
    PLANTED.iter().fold(study, |study, (tag, vr, value, _)| study.with(*tag, *vr, *value))
}

fn typed(field: &str) -> &'static str {
    TYPED.iter().find(|(name, _)| *name == field).unwrap().1
}

/// Everything planted that a reader of files could know.
fn planted(study: &Study) -> Vec<Secret> {
    let headers =
        PLANTED.iter().flat_map(|(_, _, _, secrets)| secrets.iter().map(|secret| Secret::text(*secret, secret)));
    let mut secrets: Vec<Secret> = headers.collect();
    secrets.extend(TYPED.iter().map(|(name, text)| Secret::text(*name, text)));
    secrets.extend(["1", "2", "3.1", "3.2", "4"].map(|kind| Secret::text(format!("UID {kind}"), &study.uid(kind))));
    for slice in 0..study.slices {
        let row = 2 * usize::from(study.side);
        secrets.push(Secret::bytes(format!("pixels of slice {slice}"), &study.pixels(slice)[7 * row..][..64]));
    }
    secrets
}

/// Passphrases, recovery words, and every key of a home that can be told.
fn keys(consult: &Consult) -> Vec<Secret> {
    let mut secrets = Vec::new();
    for (home, passphrase) in consult.homes.iter().zip(PASSPHRASES) {
        secrets.push(Secret::text("passphrase", passphrase));
        let file = std::fs::read(home.path.join("vault")).unwrap();
        let vault = Vault::open(&file, &SecretString::from(passphrase)).unwrap();
        let keys = vault.keys();
        for (name, key) in [
            ("identity", keys.identity.seed()),
            ("transport", keys.device.transport.seed()),
            ("signing", keys.device.signing.seed()),
            ("sealing", keys.device.sealing.seed()),
            ("notice", &keys.device.notice.0),
            ("database", &keys.database),
        ] {
            secrets.push(Secret::bytes(format!("{name} key"), key.reveal()));
        }
        let words = vault.recovery_code().words();
        secrets.extend(words.windows(4).map(|words| Secret::text("recovery words", &words.join(" "))));
        let store = Store::open(&home.path, DatabaseKeys::derive(&keys.database)).unwrap();
        let studies = library::load_all(&store).unwrap();
        secrets.extend(studies.iter().map(|study| Secret::bytes("study key", study.key.reveal())));
    }
    secrets
}

/// What a consult left behind.
struct Traces {
    /// Each direction of each connection.
    line: Vec<Vec<u8>>,
    /// The event streams of both nodes.
    events: String,
    /// What takes the place of the patient's data, and is sealed like it.
    in_its_place: Vec<Secret>,
}

/// A whole consult: recovery, pairing, import, question, images, mark, opinion, words both ways, closing, a bundle.
fn consult(consult: &Consult) -> Traces {
    let [(name, site), (other_name, other_site)] = PEOPLE;
    let words = consult.file("words", WORDS);
    consult.run(0, &["vault", "recover", "--words-file", &words, "--name", name, "--site", site]);
    consult.run(1, &["init", "--name", other_name, "--site", other_site]);
    // What the cards learn of addresses here leads nowhere later.
    let nodes = [consult.node(0, "127.0.0.2"), consult.node(1, "127.0.0.2")];
    let mut door = None;
    pair_at(&consult.homes[1], &consult.homes[0], |at| door.insert(Proxy::keeping(at)).address());
    consult.run(1, &["card", "export", &consult.path("other.card")]);
    for node in nodes {
        node.stop("TERM");
    }
    let imported = consult.run(0, &["import", &consult.path("source")]);
    let id = imported["studies"][0]["id"].as_str().unwrap();
    assert_eq!(imported["studies"][0]["instances"], 2, "{imported}");

    let nodes = [consult.node(0, "127.0.0.1"), consult.node(1, "127.0.0.1")];
    let line = Proxy::keeping(&nodes[1].addresses()[0]);
    consult.run(0, &["card", "add", &consult.path("other.card"), "--at", &line.address()]);
    consult.run(0, &["card", "name", other_name, ALIAS]);
    let (context, report) = (consult.file("context", typed("context")), consult.file("report", typed("first report")));
    let new = ["case", "new", "--ask", typed("question"), "--study", id, "--invite", ALIAS, "--urgency", "urgent"];
    let files = ["--context", &context, "--first-report", &report, "--wait", "60"];
    let created = consult.run(0, &[&new[..], &files].concat());
    assert_eq!(created["delivery"][0]["state"], "delivered", "{created}");
    let case = created["case"].as_str().unwrap();
    consult.run(1, &["case", "accept", case]);
    assert_eq!(consult.run(1, &["fetch", case, "--wait", "60"])["complete"], true);
    let shown = consult.run(1, &["study", "show", id]);
    let image = shown["series_list"][0]["sop_instance_uids"][0].as_str().unwrap();
    let label = ["--label", typed("label"), "--kind", "length", "--points", "1,1 40,1"];
    consult.run(1, &[&["mark", "add", case, "--image", image][..], &label].concat());
    let fields = ["impression", "findings", "recommendation"].map(|field| format!("{field} = \"{}\"\n", typed(field)));
    let opinion = consult.file("opinion", &format!("agreement = \"partly\"\n{}", fields.concat()));
    let signed = consult.run(1, &["opinion", "sign", case, "--file", &opinion]);
    let opinion = signed["opinion"]["id"].as_str().unwrap();
    let draft = consult.file("draft", &format!("agreement = \"\"\nimpression = \"{}\"", typed("draft")));
    consult.run(1, &["opinion", "draft", case, "--file", &draft]);
    consult.run(1, &["say", case, typed("message")]);
    consult.run(0, &["say", case, typed("answer")]);
    consult.run(0, &["opinion", "read", opinion]);
    consult.run(1, &["opinion", "addend", opinion, typed("addendum")]);
    consult.run(0, &["case", "edit", case, "--ask", typed("new question")]);
    consult.run(0, &["case", "close", case]);
    let bundle = consult.path("all.bundle");
    let packed = consult.run(0, &["bundle", "pack", "--for", ALIAS, "-o", &bundle]);
    assert!(packed["bytes"].as_u64() > imported["studies"][0]["bytes_stored"].as_u64(), "{packed}");
    assert_eq!(consult.run(1, &["bundle", "unpack", &bundle])["entries_new"], 0);

    let (here, there) = (consult.run(0, &["case", "show", case]), consult.run(1, &["case", "show", case]));
    assert_eq!((here["state_hash"].is_string(), &here["state_hash"]), (true, &there["state_hash"]));
    for text in TYPED.iter().filter(|(field, _)| !["question", "draft"].contains(field)).map(|(_, text)| *text) {
        assert!(there.to_string().contains(text), "not consulted about: {text}");
    }
    assert_eq!(consult.run(1, &["opinion", "draft", case])["draft"]["opinion"]["impression"], typed("draft"));
    // All of it went over the line that was listened to, and none beside it.
    let reached = consult.run(0, &["sync"]);
    let at = reached["peers"][0]["address"].as_str().unwrap();
    assert!(at.starts_with(&line.address()), "{at}");
    let seen: Vec<Value> = nodes.into_iter().flat_map(|node| node.stop("TERM").1).collect();
    let sessions = seen.iter().filter(|event| event["what"] == "connected").count();
    assert_eq!(sessions, 2, "one session, seen from both ends: {seen:?}");
    let kept: Vec<Vec<u8>> = [line, door.unwrap()].iter().flat_map(Proxy::kept).collect();
    // What stands in the clear on every connection is there, both ways, at the door too: the lines were heard.
    let hello = Search::new(&[Secret::text("negotiation", "/multistream/1.0.0")]);
    assert!(kept.iter().filter(|direction| !hello.bytes(direction).is_empty()).count() >= 4);
    let bytes = kept.iter().map(Vec::len).sum::<usize>();
    assert!(bytes as u64 > imported["studies"][0]["bytes_stored"].as_u64().unwrap(), "only {bytes} bytes were sent");

    let series = &shown["series_list"][0];
    let uids = [&series["series_instance_uid"], &series["sop_instance_uids"][0], &series["sop_instance_uids"][1]];
    let in_its_place = uids.map(|uid| Secret::text("new UID", uid.as_str().unwrap())).to_vec();
    Traces { line: kept, events: Value::from(seen).to_string(), in_its_place }
}

#[test]
fn nothing_of_a_whole_consult_is_in_the_clear_on_disk_in_logs_or_on_the_line() {
    let at = Consult::new();
    let study = study();
    study.write(&at.folder.path().join("source"));
    let traces = consult(&at);

    let secrets = [planted(&study), keys(&at), traces.in_its_place].concat();
    assert!(secrets.len() >= 40, "{}", secrets.len());
    let people = PEOPLE.iter().flat_map(|(name, site)| [*name, *site]).chain([ALIAS]);
    let people = people.map(|name| Secret::text(name, name));
    // On their screens people see each other's names.
    let on_screen = Search::new(&secrets);
    let secrets: Vec<Secret> = secrets.into_iter().chain(people).collect();
    let elsewhere = Search::new(&secrets);
    let mut found = Vec::new();
    for home in &at.homes {
        assert!(std::fs::read_dir(&home.path).unwrap().count() >= 3, "not much of a home");
        found.push(("on disk", elsewhere.files(&home.path)));
    }
    found.push(("in a bundle", elsewhere.files(Path::new(&at.path("all.bundle")))));
    found.push(("in temporary files", elsewhere.files(Path::new(&at.path("tmp")))));
    for direction in &traces.line {
        found.push(("on the line", elsewhere.bytes(direction)));
    }
    for who in 0..2 {
        let log = at.path(&format!("log-{who}"));
        assert!(std::fs::read_to_string(&log).unwrap().contains("INFO"), "nothing was logged");
        found.push(("in a log", elsewhere.files(Path::new(&log))));
    }
    found.push(("in the events of a node", on_screen.bytes(traces.events.as_bytes())));
    found.push(("beside the results of commands", on_screen.bytes(&at.said.into_inner().unwrap())));
    found.retain(|(_, found)| !found.is_empty());
    assert!(found.is_empty(), "{found:#?}");

    // Had they been there, each in another form, they would have been found.
    let leak: Vec<Vec<u8>> = secrets.iter().zip(0..).map(|(secret, form)| secret.form(form)).collect();
    std::fs::write(at.homes[0].path.join("leak"), leak.concat()).unwrap();
    let names: BTreeSet<&String> = secrets.iter().map(|secret| &secret.name).collect();
    assert_eq!(elsewhere.files(&at.homes[0].path).keys().collect::<BTreeSet<_>>(), names);
}

#[test]
fn the_same_search_finds_every_planted_secret_in_the_source_files() {
    let folder = TempDir::new().unwrap();
    let study = study();
    study.write(&folder.path().join("source"));
    let texts: Vec<&str> = TYPED.iter().map(|(_, text)| *text).collect();
    std::fs::write(folder.path().join("typed"), texts.join("\n")).unwrap();
    // Other ways of writing a date stand in no file of the source.
    let is_spelt_otherwise =
        |name: &str| PLANTED.iter().any(|(_, _, value, names)| names.contains(&name) && !value.contains(name));
    let mut names: BTreeSet<String> = planted(&study).into_iter().map(|secret| secret.name).collect();
    names.retain(|name| !is_spelt_otherwise(name));
    let found = Search::new(&planted(&study)).files(folder.path());
    assert_eq!(found.into_keys().collect::<BTreeSet<_>>(), names);
}
