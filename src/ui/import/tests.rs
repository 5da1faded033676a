//! What the import does with keys and answers, and what is seen of it.

use std::path::Path;

use crossterm::event::KeyCode;

use super::*;
use crate::node::api::{
    Failure, ImportedStudy, LeftOut, PlanAttribute, PlanPatient, PlanView, SkippedFile, StudyPatient,
};
use crate::ui::files::{Entry, Kind};
use crate::ui::stage::Stage;

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
fn at_disc() -> Stage<Import> {
    let mut stage = Stage::new(Import::default());
    assert_eq!(stage.list(disc), 1);
    stage
}

/// Enter until the overview has been read to its end, and once more.
fn take_in(stage: &mut Stage<Import>) -> (Ticket, ImportRequest) {
    for _ in 0..5 {
        stage.code(KeyCode::Enter);
        if let Some((ticket, request)) = stage.asked().pop() {
            return (ticket, import_of(&request));
        }
    }
    panic!("nothing is taken in: {}", stage.said());
}

/// An import whose plan is on the screen.
fn at_plan() -> Stage<Import> {
    let mut stage = at_disc();
    stage.keys("f");
    let (ticket, _) = stage.asked_one();
    stage.answer(ticket, Reply::Imported(plan()));
    stage
}

#[test]
fn files_are_marked_in_several_folders_and_found_together() {
    let mut stage = at_disc();
    stage.check("import/folder");
    stage.code(KeyCode::Down);
    stage.code(KeyCode::Enter);
    stage.list(disc);
    stage.code(KeyCode::Down);
    stage.keys("  ");
    stage.code(KeyCode::Left);
    stage.list(disc);
    stage.code(KeyCode::Down);
    stage.code(KeyCode::Down);
    stage.code(KeyCode::Down);
    stage.keys(" ");
    stage.check("import/marked");
    stage.keys("f");
    let request = import_of(&stage.asked_one().1);
    let paths = ["/media/disc/CT/IM0001", "/media/disc/CT/IM0002", "/media/disc/old\u{1b}[2J.zip"];
    assert_eq!(request.paths, paths.map(PathBuf::from));
    assert!(request.dry_run && request.keep_words.is_empty() && request.preset.as_deref() == Some("consult"));
}

#[test]
fn without_a_mark_what_the_cursor_is_on_is_taken() {
    let mut stage = at_disc();
    stage.keys("f");
    assert_eq!(import_of(&stage.asked_one().1).paths, [PathBuf::from("/media/disc")]);
    let mut stage = at_disc();
    stage.code(KeyCode::Down);
    stage.keys("f");
    assert_eq!(import_of(&stage.asked_one().1).paths, [PathBuf::from("/media/disc/CT")]);
}

#[test]
fn the_cursor_comes_back_to_the_folder_that_was_left_and_hidden_files_are_shown_on_demand() {
    let mut stage = at_disc();
    stage.code(KeyCode::Backspace);
    stage.list(disc);
    assert_eq!(stage.screen.browser.wanted(), [PathBuf::from("/media/disc")]);
    let mut stage = at_disc();
    assert_eq!(stage.screen.browser.rows(), 7);
    stage.keys(".");
    assert_eq!(stage.screen.browser.rows(), 8);
}

#[test]
fn a_typed_path_completes_itself_and_opens() {
    let mut stage = at_disc();
    stage.keys("/");
    assert!(stage.screen.typing());
    stage.keys("C");
    stage.code(KeyCode::Tab);
    assert_eq!(stage.list(disc), 1);
    assert_eq!(stage.screen.browser.path().text(), "/media/disc/CT");
    stage.keys("O");
    stage.code(KeyCode::Tab);
    stage.list(disc);
    assert_eq!(stage.screen.browser.path().text(), "/media/disc/CTOLD/");
    stage.check("import/typing");
    stage.code(KeyCode::Enter);
    stage.list(disc);
    assert!(stage.screen.typing() && stage.drawn(80, 24).contains("There is no /media/disc/CTOLD"));
    stage.code(KeyCode::Esc);
    assert!(!stage.screen.typing());
}

#[test]
fn a_folder_that_nobody_waits_for_any_more_is_dropped() {
    let mut stage = at_disc();
    stage.code(KeyCode::Down);
    stage.code(KeyCode::Enter);
    let late = std::mem::take(&mut stage.wishes);
    stage.code(KeyCode::Left);
    stage.list(disc);
    assert_eq!(stage.screen.browser.folder(), Some(Path::new("/media")));
    stage.wishes = late;
    stage.list(disc);
    assert_eq!(stage.screen.browser.folder(), Some(Path::new("/media")));
}

#[test]
fn a_completion_of_what_was_typed_over_meanwhile_changes_nothing() {
    let mut stage = at_disc();
    stage.keys("/C");
    stage.code(KeyCode::Tab);
    stage.keys("x");
    stage.list(disc);
    assert_eq!(stage.screen.browser.path().text(), "/media/disc/Cx");
}

#[test]
fn finding_studies_can_be_stopped_and_its_late_answer_is_dropped() {
    let mut stage = at_disc();
    stage.keys("f");
    let (ticket, _) = stage.asked_one();
    let progress = Progress {
        stage: "plan".into(),
        done: 32_000_000,
        total: Some(64_000_000),
        unit: "bytes".into(),
        bytes_per_second: Some(200_000_000),
        seconds_left: Some(1),
    };
    stage.happens(ticket, &Event::Progress(progress));
    stage.check("import/finding");
    stage.code(KeyCode::Esc);
    assert!(stage.wishes.iter().any(|wish| matches!(wish, Wish::Cancel { ticket: of } if *of == ticket)));
    stage.answer(ticket, Reply::Imported(plan()));
    assert!(matches!(stage.screen.step, Step::Choose));
}

#[test]
fn the_plan_says_all_of_it_before_anything_is_stored() {
    let mut stage = at_plan();
    stage.check("import/plan-overview");
    let seen = stage.drawn(200, 60);
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
    stage.code(KeyCode::Tab);
    stage.code(KeyCode::PageDown);
    stage.check("import/plan-headers");
    stage.keys("o");
    assert!(stage.drawn(80, 24).contains("action ↓"));
    stage.code(KeyCode::Tab);
    stage.check("import/plan-words");
    stage.code(KeyCode::Tab);
    stage.check("import/plan-files");
    assert!(stage.asked().is_empty());
}

#[test]
fn a_kept_word_makes_the_plan_anew_and_nothing_is_taken_in_before_it_is_here() {
    let mut stage = at_plan();
    stage.code(KeyCode::Tab);
    stage.code(KeyCode::Tab);
    stage.code(KeyCode::Down);
    stage.keys(" ");
    stage.code(KeyCode::Enter);
    assert!(stage.asked().is_empty() && stage.said().contains("being made anew"));
    stage.wait(300);
    assert!(stage.asked().is_empty(), "several words may be chosen at once");
    stage.wait(500);
    let (ticket, request) = stage.asked_one();
    let request = import_of(&request);
    assert!(request.dry_run);
    assert_eq!(request.keep_words, ["Xanthe"]);
    stage.check("import/plan-anew");
    stage.code(KeyCode::Enter);
    assert!(stage.asked().is_empty());
    let mut anew = plan();
    anew.plan.as_mut().unwrap().dropped_text.retain(|word| word != "Xanthe");
    anew.plan.as_mut().unwrap().kept_text[0] = "CT Chest Xanthe".into();
    stage.answer(ticket, Reply::Imported(anew));
    stage.check("import/plan-word-kept");
    let (_, request) = take_in(&mut stage);
    assert!(!request.dry_run);
    assert_eq!(request.keep_words, ["Xanthe"]);
}

#[test]
fn what_was_not_read_to_its_end_is_not_taken_in() {
    let mut stage = at_plan();
    stage.code(KeyCode::Tab);
    stage.code(KeyCode::End);
    stage.code(KeyCode::Enter);
    assert!(stage.asked().is_empty(), "the end of another page is not the end of the overview");
    stage.code(KeyCode::Enter);
    assert!(stage.asked().is_empty() && stage.said().starts_with("Read on"));
    stage.check("import/plan-read-on");
    stage.code(KeyCode::End);
    stage.code(KeyCode::Home);
    stage.code(KeyCode::Enter);
    assert!(!import_of(&stage.asked_one().1).dry_run);
}

#[test]
fn another_change_ends_the_plan_under_way() {
    let mut stage = at_plan();
    stage.keys("p");
    stage.wait(800);
    let (first, request) = stage.asked_one();
    assert_eq!(import_of(&request).preset.as_deref(), Some("basic"));
    stage.keys("p");
    stage.wait(800);
    assert!(stage.wishes.iter().any(|wish| matches!(wish, Wish::Cancel { ticket } if *ticket == first)));
    let (second, _) = stage.asked_one();
    stage.answer(first, Reply::Imported(ImportReport::default()));
    assert!(stage.screen.is_stale(), "the answer to the first is dropped");
    stage.answer(second, Reply::Imported(plan()));
    assert!(!stage.screen.is_stale());
}

#[test]
fn a_preset_file_is_the_one_under_the_cursor() {
    let mut stage = at_disc();
    stage.keys("p");
    stage.code(KeyCode::End);
    stage.code(KeyCode::Up);
    stage.keys("p");
    assert_eq!(stage.screen.preset, Preset::File("/media/disc/own.toml".into()));
    stage.keys("p");
    assert_eq!(stage.screen.preset, Preset::Consult);
}

#[test]
fn the_same_patient_is_chosen_from_those_here_and_confirmed_with_the_name() {
    let mut stage = at_plan();
    stage.keys("s");
    let (ticket, request) = stage.asked_one();
    assert!(matches!(request, Request::StudyPatients));
    let held = PlanPatient { patient_id: "OLD-1".into(), study_date: "20290101".into(), ..patient() };
    stage.answer(ticket, Reply::Patients { patients: vec![StudyPatient { study: "s-held".into(), patient: held }] });
    stage.check("import/same-patient");
    stage.code(KeyCode::Down);
    stage.code(KeyCode::Enter);
    assert!(stage.asks().contains("Farnsbarns, Quintessa (OLD-1), born 1939-07-18"), "{}", stage.asks());
    stage.check("import/same-patient-question");
    stage.keys("n");
    assert!(stage.screen.same_patient.is_none());
    stage.code(KeyCode::Enter);
    stage.keys("y");
    stage.wait(800);
    assert_eq!(import_of(&stage.asked_one().1).same_patient.as_deref(), Some("s-held"));
}

#[test]
fn an_import_shows_its_rate_and_ends_in_a_report() {
    let mut stage = at_plan();
    let (ticket, request) = take_in(&mut stage);
    assert!(!request.dry_run);
    let progress = Progress {
        stage: "import".into(),
        done: 16_000_000,
        total: Some(64_000_000),
        unit: "bytes".into(),
        bytes_per_second: Some(210_000_000),
        seconds_left: Some(65),
    };
    stage.happens(ticket, &Event::Progress(progress));
    stage.check("import/taking-in");
    stage.answer(ticket, Reply::Imported(report()));
    stage.check("import/report");
    stage.keys("v");
    assert!(matches!(&stage.go[..], [Go::Over(review)] if review.place() == Place::StudyReview));
    stage.go.clear();
    stage.keys("n");
    assert!(matches!(&stage.go[..], [Go::Back, Go::Over(form)] if form.place() == Place::CaseNew));
}

#[test]
fn an_import_can_be_stopped_and_says_what_that_means() {
    let mut stage = at_plan();
    let (ticket, _) = take_in(&mut stage);
    stage.code(KeyCode::Esc);
    assert!(stage.wishes.iter().any(|wish| matches!(wish, Wish::Cancel { ticket: of } if *of == ticket)));
    assert!(stage.said().contains("import again"), "{}", stage.said());
}

#[test]
fn a_folder_without_dicom_says_why_file_by_file() {
    let mut stage = at_disc();
    stage.keys("f");
    let (ticket, _) = stage.asked_one();
    let failure = Failure::new(FailureCode::NotFound, "None of the 2 files under the path is a DICOM image.")
        .hint("Name the folder.")
        .detail("skipped", vec!["/a/x\u{1b}[31m.txt: not a DICOM file".into(), "/a/y: empty".into()]);
    stage.fail(ticket, failure);
    assert!(stage.said().starts_with("None of the 2 files"));
    stage.check("import/nothing-found");
}

#[test]
fn many_patients_in_one_plan_are_said_loudly() {
    let mut stage = at_disc();
    stage.keys("f");
    let (ticket, _) = stage.asked_one();
    let mut two = plan();
    let stranger = PlanPatient { name: "Else^Somebody\u{1b}[2J".into(), patient_id: "2".into(), ..patient() };
    two.plan.as_mut().unwrap().patients.push(stranger);
    stage.answer(ticket, Reply::Imported(two));
    let seen = stage.drawn(80, 24);
    assert!(seen.contains("examinations of 2 patients") && seen.contains("Else, Somebody[2J"), "{seen}");
}

proptest::proptest! {
    #[test]
    fn no_sequence_of_keys_breaks_an_import(keys in proptest::collection::vec(0_u8..128, 0..80), width in 1_u16..120) {
        let mut stage = at_disc();
        for key in keys {
            stage.any_key(key);
            stage.list(disc);
            stage.wait(300);
            for (ticket, request) in stage.asked() {
                match request {
                    Request::Import(request) if request.dry_run => stage.answer(ticket, Reply::Imported(plan())),
                    Request::Import(_) => stage.answer(ticket, Reply::Imported(report())),
                    _ => stage.answer(ticket, Reply::Patients { patients: Vec::new() }),
                }
            }
            stage.go.clear();
        }
        stage.drawn(width, 3 + width / 3);
    }
}

#[test]
fn no_size_of_a_terminal_breaks_a_screen() {
    let mut stages = vec![at_disc(), at_plan()];
    stages[1].keys("s");
    for stage in &stages {
        for (width, height) in [(1, 3), (2, 3), (10, 5), (40, 8), (300, 100)] {
            stage.drawn(width, height);
        }
    }
}
