//! What the import does with keys and answers, and what is seen of it.

use std::path::Path;

use crossterm::event::KeyCode;

use super::*;
use crate::node::api::{
    Failure, ImportedStudy, LeftOut, PlanAttribute, PlanPatient, PlanView, SkippedFile, StudyPatient,
};
use crate::ui::app::harness::Harness;
use crate::ui::files::{Entry, Kind};
use crate::ui::message::Message;

fn entry(name: &str, kind: Kind, bytes: u64) -> Entry {
    Entry { name: name.into(), kind, bytes }
}

/// A made-up disc: `/media/disc` with a folder of 40 files.
fn disc(path: &Path) -> Result<Listing, String> {
    let path = if path == Path::new("") { Path::new("/media/disc") } else { path };
    let listing = |entries: Vec<Entry>| Listing { folder: path.to_owned(), entries, cut: false, file: None };
    match path.to_str().unwrap().trim_end_matches('/') {
        "/media/disc" => Ok(listing(vec![
            entry("CT", Kind::Folder, 0),
            entry("CTOLD", Kind::Folder, 0),
            entry(".hidden", Kind::Folder, 0),
            entry("DICOMDIR", Kind::File, 12_400),
            entry("old\u{1b}[2J.zip", Kind::Archive, 61_200_000),
            entry("own.toml", Kind::File, 300),
            entry("socket", Kind::Other, 0),
        ])),
        "/media/disc/CT" => {
            let files = (1..=40).map(|at| entry(&format!("IM{at:04}"), Kind::File, 526_000));
            Ok(listing(files.collect()))
        }
        "/media" => Ok(listing(vec![entry("disc", Kind::Folder, 0), entry("usb", Kind::Folder, 0)])),
        other => Err(format!("There is no {other}.")),
    }
}

fn patient() -> PlanPatient {
    PlanPatient {
        name: "Farnsbarns^Quintessa".into(),
        patient_id: "MRN-4711".into(),
        birth_date: "19390718".into(),
        study_date: "20310217".into(),
        accession: "ACC99182".into(),
        study_description: "CT Chest Xanthe".into(),
    }
}

fn plan() -> ImportReport {
    let attribute = |tag: &str, name: &str, action: &str, reason: &str| PlanAttribute {
        tag: tag.into(),
        name: name.into(),
        action: action.into(),
        reason: reason.into(),
        count: 118,
    };
    let left_out = LeftOut {
        series: "2.25.34892348234".into(),
        instances: 2,
        why: "secondary capture, the header says text is burned in".into(),
    };
    let mut attributes = vec![
        attribute("(0008,0020)", "StudyDate", "shift", "a date: moved by this patient's offset"),
        attribute("(0008,0050)", "AccessionNumber", "empty", "PS3.15 Z"),
        attribute("(0008,1030)", "StudyDescription", "clean", "kept word by word"),
        attribute("(0010,0010)", "PatientName", "empty", "PS3.15 Z"),
        attribute("(0010,0040)", "PatientSex", "keep", "a characteristic that readers need"),
    ];
    attributes.extend((0..40).map(|at| attribute(&format!("(0009,10{at:02})"), "", "remove", "private attribute")));
    ImportReport {
        studies: vec![ImportedStudy {
            modality: "CT".into(),
            description: "CT Chest".into(),
            series: 3,
            instances: 118,
            bytes_in: 64_000_000,
            already_held: 4,
            ..ImportedStudy::default()
        }],
        skipped: vec![SkippedFile { path: "/media/disc/CT/README.TXT".into(), why: "not a DICOM file".into() }],
        plan: Some(PlanView {
            patients: vec![patient()],
            attributes,
            kept_text: vec!["CT Chest".into(), "thin lung".into()],
            dropped_text: vec!["Farnsbarns".into(), "Xanthe".into()],
            codes: vec!["113100 Basic Application Confidentiality Profile".into(), "113105 Clean Descriptors".into()],
            left_out: vec![left_out],
            gaps: vec!["series CT thin lung: 118 images, 2 positions missing".into()],
            warnings: vec!["series CT head: the face can be rebuilt from 120 thin head slices".into()],
        }),
        seconds: 0.4,
    }
}

fn report() -> ImportReport {
    let plan = plan();
    let view = plan.plan.unwrap();
    let study = ImportedStudy {
        id: "s-k3vqabcdefgh".into(),
        left_out: view.left_out,
        gaps: view.gaps,
        warnings: view.warnings,
        bytes_stored: 21_000_000,
        ..plan.studies[0].clone()
    };
    ImportReport { studies: vec![study], skipped: plan.skipped, plan: None, seconds: 1.2 }
}

fn import_of(request: &Request) -> ImportRequest {
    match request {
        Request::Import(request) => request.clone(),
        other => panic!("{other:?}"),
    }
}

/// An import at its first folder.
fn at_disc() -> Harness {
    let mut app = Harness::of(Import::default());
    assert_eq!(app.list(disc), 1);
    app
}

/// Enter until the overview has been read to its end, and once more.
fn take_in(app: &mut Harness) -> (Ticket, ImportRequest) {
    for _ in 0..5 {
        app.key(KeyCode::Enter);
        if let Some((ticket, request)) = app.take_waiting().pop() {
            return (ticket, import_of(&request));
        }
    }
    panic!("nothing is taken in: {}", app.said());
}

/// An import whose plan is on the screen.
fn at_plan() -> Harness {
    let mut app = at_disc();
    app.keys("f");
    let (ticket, _) = app.take_one();
    app.reply(ticket, Reply::Imported(plan()));
    app
}

#[test]
fn files_are_marked_in_several_folders_and_found_together() {
    let mut app = at_disc();
    app.body_looks_like("import/folder");
    app.key(KeyCode::Down);
    app.key(KeyCode::Enter);
    app.list(disc);
    app.key(KeyCode::Down);
    app.keys("  ");
    app.key(KeyCode::Left);
    app.list(disc);
    app.key(KeyCode::Down);
    app.key(KeyCode::Down);
    app.key(KeyCode::Down);
    app.keys(" ");
    app.body_looks_like("import/marked");
    app.keys("f");
    let request = import_of(&app.take_one().1);
    let paths = ["/media/disc/CT/IM0001", "/media/disc/CT/IM0002", "/media/disc/old\u{1b}[2J.zip"];
    assert_eq!(request.paths, paths.map(PathBuf::from));
    assert!(request.dry_run && request.keep_words.is_empty() && request.preset.as_deref() == Some("consult"));
}

#[test]
fn without_a_mark_what_the_cursor_is_on_is_taken() {
    let mut app = at_disc();
    app.keys("f");
    assert_eq!(import_of(&app.take_one().1).paths, [PathBuf::from("/media/disc")]);
    let mut app = at_disc();
    app.key(KeyCode::Down);
    app.keys("f");
    assert_eq!(import_of(&app.take_one().1).paths, [PathBuf::from("/media/disc/CT")]);
}

#[test]
fn the_cursor_comes_back_to_the_folder_that_was_left_and_hidden_files_are_shown_on_demand() {
    let mut app = at_disc();
    app.key(KeyCode::Backspace);
    app.list(disc);
    assert_eq!(app.top::<Import>().browser.wanted(), [PathBuf::from("/media/disc")]);
    let mut app = at_disc();
    assert_eq!(app.top::<Import>().browser.rows(), 7);
    app.keys(".");
    assert_eq!(app.top::<Import>().browser.rows(), 8);
}

#[test]
fn a_typed_path_completes_itself_and_opens() {
    let mut app = at_disc();
    app.keys("/");
    assert!(app.top::<Import>().typing());
    app.keys("C");
    app.key(KeyCode::Tab);
    assert_eq!(app.list(disc), 1);
    assert_eq!(app.top::<Import>().browser.path().text(), "/media/disc/CT");
    app.keys("O");
    app.key(KeyCode::Tab);
    app.list(disc);
    assert_eq!(app.top::<Import>().browser.path().text(), "/media/disc/CTOLD/");
    app.body_looks_like("import/typing");
    app.key(KeyCode::Enter);
    app.list(disc);
    assert!(app.top::<Import>().typing() && app.body((80, 24)).contains("There is no /media/disc/CTOLD"));
    app.key(KeyCode::Esc);
    assert!(!app.top::<Import>().typing());
}

#[test]
fn a_pasted_url_of_a_file_is_the_path_it_means() {
    for (pasted, path) in [
        ("file:///media/MY%20DISC\n", "/media/MY DISC"),
        ("file://localhost/media/disc", "/media/disc"),
        ("'/media/100%25'", "/media/100%25"),
    ] {
        let mut app = at_disc();
        app.message(Message::Paste(pasted.into()));
        assert_eq!(app.top::<Import>().browser.path().text(), path);
    }
}

#[test]
fn a_stick_is_found_wherever_the_system_put_it() {
    type Folders = &'static [(&'static str, &'static [&'static str])];
    let table: [(Folders, &str, &str); 5] = [
        (&[("/run/media", &["anna"]), ("/run/media/anna", &["STICK"])], "/run/media/anna", ""),
        (
            &[("/run/media", &["anna"]), ("/run/media/anna", &[]), ("/mnt", &["usb"]), ("/mnt/usb", &["CT", "MR"])],
            "/mnt/usb",
            "",
        ),
        // Another person's folder, which she may not read.
        (&[("/run/media", &["ben"]), ("/media", &["disc", "usb"])], "/media", ""),
        (
            &[
                ("/run/media", &["anna"]),
                ("/run/media/anna", &[]),
                ("/media", &[]),
                ("/mnt", &["usb"]),
                ("/mnt/usb", &[]),
            ],
            "/run/media/anna",
            "This is empty, and no other stick or disc is mounted; / types another path.",
        ),
        (&[("/mnt", &[])], "/media/disc", "No stick and no disc is mounted here; / types another path."),
    ];
    for (folders, found, said) in table {
        let mut app = at_disc();
        app.keys("m");
        let listed = |path: &Path| {
            let (_, names) =
                folders.iter().find(|(folder, _)| Path::new(folder) == path).ok_or("It cannot be read.")?;
            let entries = names.iter().map(|name| entry(name, Kind::Folder, 0)).collect();
            Ok(Listing { folder: path.to_owned(), entries, cut: false, file: None })
        };
        while app.list(listed) > 0 {}
        assert_eq!(app.top::<Import>().browser.folder(), Some(Path::new(found)), "{folders:?}");
        assert_eq!((app.said().as_str(), app.top::<Import>().browser.failed()), (said, None), "{folders:?}");
    }
}

#[test]
fn a_folder_that_nobody_waits_for_any_more_is_dropped() {
    let mut app = at_disc();
    app.key(KeyCode::Down);
    app.key(KeyCode::Enter);
    let late = std::mem::take(&mut app.wished);
    app.key(KeyCode::Left);
    app.list(disc);
    assert_eq!(app.top::<Import>().browser.folder(), Some(Path::new("/media")));
    app.wished = late;
    app.list(disc);
    assert_eq!(app.top::<Import>().browser.folder(), Some(Path::new("/media")));
}

#[test]
fn a_completion_of_what_was_typed_over_meanwhile_changes_nothing() {
    let mut app = at_disc();
    app.keys("/C");
    app.key(KeyCode::Tab);
    app.keys("x");
    app.list(disc);
    assert_eq!(app.top::<Import>().browser.path().text(), "/media/disc/Cx");
}

#[test]
fn finding_studies_can_be_stopped_and_its_late_answer_is_dropped() {
    let mut app = at_disc();
    app.keys("f");
    let (ticket, _) = app.take_one();
    let progress = Progress {
        stage: "plan".into(),
        done: 32_000_000,
        total: Some(64_000_000),
        unit: "bytes".into(),
        bytes_per_second: Some(200_000_000),
        seconds_left: Some(1),
    };
    app.message(Message::OnTheWay { ticket, event: Event::Progress(progress) });
    app.pass(1_800_000);
    app.body_looks_like("import/finding");
    app.key(KeyCode::Esc);
    assert!(app.wished.iter().any(|wish| matches!(wish, Wish::Cancel { ticket: of } if *of == ticket)));
    app.reply(ticket, Reply::Imported(plan()));
    assert!(matches!(app.top::<Import>().step, Step::Choose));
}

#[test]
fn the_plan_says_all_of_it_before_anything_is_stored() {
    let mut app = at_plan();
    app.body_looks_like("import/plan-overview");
    let seen = app.body((200, 60));
    for words in [
        "Farnsbarns, Quintessa (MRN-4711), born 1939-07-18",
        "examined 2031-02-17, accession ACC99182",
        "the face can be rebuilt",
        "2 objects of series",
        "2 positions missing",
        "thin lung",
        "Farnsbarns  Xanthe",
        "113100 ",
    ] {
        assert!(seen.contains(words), "{words}\n{seen}");
    }
    app.key(KeyCode::Tab);
    app.key(KeyCode::PageDown);
    app.body_looks_like("import/plan-headers");
    app.keys("o");
    assert!(app.body((80, 24)).contains("action ↓"));
    app.key(KeyCode::Tab);
    app.body_looks_like("import/plan-words");
    app.key(KeyCode::Tab);
    app.body_looks_like("import/plan-files");
    assert!(app.take_waiting().is_empty());
}

#[test]
fn a_kept_word_makes_the_plan_anew_and_nothing_is_taken_in_before_it_is_here() {
    let mut app = at_plan();
    app.key(KeyCode::Tab);
    app.key(KeyCode::Tab);
    app.key(KeyCode::Down);
    app.keys(" ");
    app.key(KeyCode::Enter);
    assert!(app.take_waiting().is_empty() && app.said().contains("being made anew"));
    app.pass(300);
    assert!(app.take_waiting().is_empty(), "several words may be chosen at once");
    app.pass(500);
    let (ticket, request) = app.take_one();
    let request = import_of(&request);
    assert!(request.dry_run);
    assert_eq!(request.keep_words, ["Xanthe"]);
    app.body_looks_like("import/plan-anew");
    app.key(KeyCode::Enter);
    assert!(app.take_waiting().is_empty());
    let mut anew = plan();
    anew.plan.as_mut().unwrap().dropped_text.retain(|word| word != "Xanthe");
    anew.plan.as_mut().unwrap().kept_text[0] = "CT Chest Xanthe".into();
    app.reply(ticket, Reply::Imported(anew));
    app.body_looks_like("import/plan-word-kept");
    let (_, request) = take_in(&mut app);
    assert!(!request.dry_run);
    assert_eq!(request.keep_words, ["Xanthe"]);
}

#[test]
fn what_was_not_read_to_its_end_is_not_taken_in() {
    let mut app = at_plan();
    app.key(KeyCode::Tab);
    app.key(KeyCode::End);
    app.key(KeyCode::Enter);
    assert!(app.take_waiting().is_empty(), "the end of another page is not the end of the overview");
    app.key(KeyCode::Enter);
    assert!(app.take_waiting().is_empty() && app.said().starts_with("Read on"));
    app.body_looks_like("import/plan-read-on");
    app.key(KeyCode::End);
    app.key(KeyCode::Home);
    app.key(KeyCode::Enter);
    assert!(!import_of(&app.take_one().1).dry_run);
}

#[test]
fn another_change_ends_the_plan_under_way() {
    let mut app = at_plan();
    app.keys("p");
    app.pass(800);
    let (first, request) = app.take_one();
    assert_eq!(import_of(&request).preset.as_deref(), Some("basic"));
    app.keys("p");
    app.pass(800);
    assert!(app.wished.iter().any(|wish| matches!(wish, Wish::Cancel { ticket } if *ticket == first)));
    let (second, _) = app.take_one();
    app.reply(first, Reply::Imported(ImportReport::default()));
    assert!(app.top::<Import>().is_stale(), "the answer to the first is dropped");
    app.reply(second, Reply::Imported(plan()));
    assert!(!app.top::<Import>().is_stale());
}

#[test]
fn a_preset_file_is_the_one_under_the_cursor() {
    let mut app = at_disc();
    app.keys("p");
    app.key(KeyCode::End);
    app.key(KeyCode::Up);
    app.keys("p");
    assert_eq!(app.top::<Import>().preset, Preset::File("/media/disc/own.toml".into()));
    app.keys("p");
    assert_eq!(app.top::<Import>().preset, Preset::Consult);
}

#[test]
fn the_same_patient_is_chosen_from_those_here_and_confirmed_with_the_name() {
    let mut app = at_plan();
    app.keys("s");
    let (ticket, request) = app.take_one();
    assert!(matches!(request, Request::StudyPatients));
    let held = PlanPatient { patient_id: "OLD-1".into(), study_date: "20290101".into(), ..patient() };
    app.reply(ticket, Reply::Patients { patients: vec![StudyPatient { study: "s-held".into(), patient: held }] });
    app.body_looks_like("import/same-patient");
    app.key(KeyCode::Down);
    app.key(KeyCode::Enter);
    assert!(app.asks().contains("Farnsbarns, Quintessa (OLD-1), born 1939-07-18"), "{}", app.asks());
    app.body_looks_like("import/same-patient-question");
    app.keys("n");
    assert!(app.top::<Import>().same_patient.is_none());
    app.key(KeyCode::Enter);
    app.keys("y");
    app.pass(800);
    assert_eq!(import_of(&app.take_one().1).same_patient.as_deref(), Some("s-held"));
}

#[test]
fn an_import_shows_its_rate_and_ends_in_a_report() {
    let mut app = at_plan();
    let (ticket, request) = take_in(&mut app);
    assert!(!request.dry_run);
    let progress = Progress {
        stage: "import".into(),
        done: 16_000_000,
        total: Some(64_000_000),
        unit: "bytes".into(),
        bytes_per_second: Some(210_000_000),
        seconds_left: Some(65),
    };
    app.message(Message::OnTheWay { ticket, event: Event::Progress(progress) });
    app.pass(1_800_000);
    app.body_looks_like("import/taking-in");
    app.reply(ticket, Reply::Imported(report()));
    app.body_looks_like("import/report");
    app.keys("v");
    assert_eq!(app.place(), Place::StudyReview);
    app.back_to::<Import>();
    app.keys("n");
    assert!(app.place() == Place::CaseNew && !app.back_to::<Import>());
}

#[test]
fn an_import_can_be_stopped_and_says_what_that_means() {
    let mut app = at_plan();
    let (ticket, _) = take_in(&mut app);
    app.key(KeyCode::Esc);
    assert!(app.wished.iter().any(|wish| matches!(wish, Wish::Cancel { ticket: of } if *of == ticket)));
    assert!(app.said().contains("import again"), "{}", app.said());
}

#[test]
fn a_folder_without_dicom_says_why_file_by_file() {
    let mut app = at_disc();
    app.keys("f");
    let (ticket, _) = app.take_one();
    let failure = Failure::new(FailureCode::NotFound, "None of the 2 files under the path is a DICOM image.")
        .hint("Name the folder.")
        .detail("skipped", vec!["/a/x\u{1b}[31m.txt: not a DICOM file".into(), "/a/y: empty".into()]);
    app.fail(ticket, failure);
    assert!(app.said().starts_with("None of the 2 files"));
    app.body_looks_like("import/nothing-found");
}

#[test]
fn many_patients_in_one_plan_are_said_loudly() {
    let mut app = at_disc();
    app.keys("f");
    let (ticket, _) = app.take_one();
    let mut two = plan();
    let stranger = PlanPatient { name: "Else^Somebody\u{1b}[2J".into(), patient_id: "2".into(), ..patient() };
    two.plan.as_mut().unwrap().patients.push(stranger);
    app.reply(ticket, Reply::Imported(two));
    let seen = app.body((80, 24));
    assert!(seen.contains("examinations of 2 patients") && seen.contains("Else, Somebody[2J"), "{seen}");
}

proptest::proptest! {
    #[test]
    fn no_sequence_of_keys_breaks_an_import(keys in proptest::collection::vec(0_u8..128, 0..80), width in 1_u16..120) {
        let mut app = at_disc();
        for key in keys {
            app.any_key(key);
            if !app.back_to::<Import>() {
                break;
            }
            app.list(disc);
            app.pass(300);
            for (ticket, request) in app.take_waiting() {
                match request {
                    Request::Import(request) if request.dry_run => app.reply(ticket, Reply::Imported(plan())),
                    Request::Import(_) => app.reply(ticket, Reply::Imported(report())),
                    _ => app.reply(ticket, Reply::Patients { patients: Vec::new() }),
                }
            }
        }
        app.body((width, 3 + width / 3));
    }
}

#[test]
fn no_size_of_a_terminal_breaks_a_screen() {
    let mut apps = vec![at_disc(), at_plan()];
    apps[1].keys("s");
    for app in &apps {
        for (width, height) in [(1, 3), (2, 3), (10, 5), (40, 8), (300, 100)] {
            app.body((width, height));
        }
    }
}

#[test]
fn that_the_patient_is_the_same_was_said_of_these_files_and_holds_for_no_others() {
    for (other, holds) in [(false, true), (true, false)] {
        let mut app = at_plan();
        app.keys("s");
        let (ticket, _) = app.take_one();
        app.reply(
            ticket,
            Reply::Patients { patients: vec![StudyPatient { study: "s-held".into(), patient: patient() }] },
        );
        app.key(KeyCode::Down).enter().keys("y");
        app.key(KeyCode::Esc);
        if other {
            app.key(KeyCode::Down).keys(" ");
        }
        app.take_waiting();
        app.keys("f");
        let said = app.said();
        assert_eq!(import_of(&app.take_one().1).same_patient.is_some(), holds);
        assert_eq!(said.contains("was said of other files"), !holds, "{said}");
    }
}
