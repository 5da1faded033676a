use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use dicom_core::VR;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use tempfile::TempDir;

use super::*;
use crate::node::api::{ImportReport, ImportRequest, Progress};
use crate::store::DatabaseKeys;
use crate::study::deidentify::words::IdentifyingWords;
use crate::study::manifest::text;
use crate::study::part10::{self, PixelElement, Syntax};
use crate::study::write::rebuild;

mod left_out;
mod mask;

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/samples");
const NOW: Timestamp = Timestamp(1_800_000_000_000);
static GO: AtomicBool = AtomicBool::new(false);

fn samples(below: &str) -> Option<PathBuf> {
    let path = Path::new(SAMPLES).join(below);
    if !path.exists() {
        eprintln!("SKIPPED: no samples at {}", path.display());
        return None;
    }
    Some(path)
}

/// A home with an open store.
struct Home {
    folder: TempDir,
    store: Store,
    database: Secret,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Secret::new([7; 32]);
        let store = Store::open(&folder.path().join("home"), DatabaseKeys::derive(&database)).unwrap();
        Self { folder, store, database }
    }

    fn import(&self, paths: &[&Path]) -> Result<ImportReport, Failure> {
        self.run(&ImportRequest { paths: paths.iter().map(|path| path.to_path_buf()).collect(), ..Default::default() })
    }

    fn run(&self, request: &ImportRequest) -> Result<ImportReport, Failure> {
        import(&self.store, &self.database, request, &[], NOW, &control())
    }

    fn study(&self, id: &str) -> LocalStudy {
        find(&self.store, id).unwrap()
    }

    /// Every byte on disk.
    fn bytes(&self) -> Vec<u8> {
        walkdir::WalkDir::new(self.folder.path().join("home"))
            .into_iter()
            .flatten()
            .filter(|entry| entry.file_type().is_file())
            .flat_map(|entry| std::fs::read(entry.path()).unwrap_or_default())
            .collect()
    }

    fn rows(&self) -> usize {
        Table::ALL.iter().map(|table| self.store.rows(*table).unwrap().len()).sum()
    }

    fn export(&self, study: &LocalStudy, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        export(&self.store, &study.head, &study.study_key(), &folder, &control()).unwrap();
        folder
    }
}

fn control() -> Control<'static> {
    Control { cancelled: &GO, progress: &|_| {}, started: Instant::now() }
}

/// One made-up image.
#[derive(Clone)]
struct Image {
    patient: &'static str,
    name: &'static str,
    study: &'static str,
    series: u16,
    number: u16,
    modality: &'static str,
    burned_in: &'static str,
}

const CT: Image = Image {
    patient: "MRN-4711-0815",
    name: "Quintessa^Farnsbarns",
    study: "1.2.3.4711",
    series: 1,
    number: 1,
    modality: "CT",
    burned_in: "",
};

impl Image {
    fn bytes(&self) -> Vec<u8> {
        let mut header = InMemDicomObject::new_empty();
        let uid = |of: &str| format!("{}.{}.{}", self.study, self.series, of);
        let class = if self.modality == "US" { "1.2.840.10008.5.1.4.1.1.6.1" } else { "1.2.840.10008.5.1.4.1.1.2" };
        for (tag, vr, value) in [
            (tags::SOP_CLASS_UID, VR::UI, class.to_owned()),
            (tags::SOP_INSTANCE_UID, VR::UI, uid(&self.number.to_string())),
            (tags::STUDY_DATE, VR::DA, "20310217".to_owned()),
            (tags::MODALITY, VR::CS, self.modality.to_owned()),
            (tags::PATIENT_NAME, VR::PN, self.name.to_owned()),
            (tags::PATIENT_ID, VR::LO, self.patient.to_owned()),
            (tags::PATIENT_BIRTH_DATE, VR::DA, "19390718".to_owned()),
            (tags::ACCESSION_NUMBER, VR::SH, "ACC99182".to_owned()),
            (tags::STUDY_DESCRIPTION, VR::LO, "CT Chest Xanthe Farnsbarns".to_owned()),
            (tags::STUDY_INSTANCE_UID, VR::UI, self.study.to_owned()),
            (tags::SERIES_INSTANCE_UID, VR::UI, format!("{}.{}", self.study, self.series)),
            (tags::SERIES_NUMBER, VR::IS, self.series.to_string()),
            (tags::INSTANCE_NUMBER, VR::IS, self.number.to_string()),
            (tags::BURNED_IN_ANNOTATION, VR::CS, self.burned_in.to_owned()),
        ] {
            header.put_str(tag, vr, value);
        }
        for (tag, value) in [
            (tags::ROWS, 8),
            (tags::COLUMNS, 8),
            (tags::BITS_ALLOCATED, 16),
            (tags::BITS_STORED, 16),
            (tags::HIGH_BIT, 15),
            (tags::PIXEL_REPRESENTATION, 0),
            (tags::SAMPLES_PER_PIXEL, 1),
        ] {
            header.put(dicom_core::DataElement::new(tag, VR::US, dicom_core::PrimitiveValue::from(value as u16)));
        }
        header.put_str(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2");
        let pixels: Vec<u8> = (0..64u16).flat_map(|n| (n * 300 + self.number).to_le_bytes()).collect();
        let pixel = PixelElement { tag: tags::PIXEL_DATA, vr: VR::OW, encapsulated: false, bytes: pixels.into() };
        let part10 =
            part10::Part10 { syntax: Syntax::of("1.2.840.10008.1.2.1"), header: header.clone(), pixel: Some(pixel) };
        rebuild(part10, header).unwrap().to_bytes()
    }
}

fn folder(images: &[Image]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (image, at) in images.iter().zip(0..) {
        std::fs::write(folder.path().join(format!("IM{at}")), image.bytes()).unwrap();
    }
    folder
}

fn numbers(count: u16) -> Vec<Image> {
    (1..=count).map(|number| Image { number, ..CT }).collect()
}

#[test]
fn an_imported_study_is_listed_shown_and_exported_with_equal_pixels() {
    let home = Home::new();
    let files = folder(&numbers(5));
    let report = home.import(&[files.path()]).unwrap();
    let [study] = &report.studies[..] else { panic!("one study") };
    assert_eq!((study.modality.as_str(), study.series, study.instances, study.already_held), ("CT", 1, 5, 0));
    assert_eq!(study.description, "CT Chest");
    assert!(study.left_out.is_empty() && report.skipped.is_empty() && !report.left_behind());
    assert!(study.bytes_in > 0 && study.bytes_stored > 0);

    let listed = list(&home.store, |_| vec!["c-one".into()]).unwrap();
    assert_eq!((listed.len(), listed[0].id.as_str(), listed[0].origin.as_str()), (1, study.id.as_str(), "mine"));
    assert_eq!((listed[0].cases.len(), listed[0].bytes_stored), (1, study.bytes_stored));

    let local = home.study(&study.id[..8]);
    let detail = show(&home.store, &local, false, vec![]).unwrap();
    assert!(detail.identity.is_none());
    assert_eq!((detail.series_list[0].instances_have, detail.series_list[0].sop_instance_uids.len()), (5, 5));
    let identity = show(&home.store, &local, true, vec![]).unwrap().identity.unwrap();
    assert_eq!((identity.name.as_str(), identity.study_date.as_str()), (CT.name, "20310217"));
    assert_eq!(held_chunks(&home.store, &local.head, &local.study_key()).unwrap(), (6, 6));

    let out = home.export(&local, "out");
    for image in numbers(5) {
        let original = image.bytes();
        let exported = std::fs::read(out.join(format!("series-001/{:05}.dcm", image.number))).unwrap();
        let (original, exported) = (part10::read(&original).unwrap(), part10::read(&exported).unwrap());
        assert_eq!(original.pixel.unwrap().bytes, exported.pixel.unwrap().bytes);
        assert!(text(&exported.header, tags::PATIENT_ID).starts_with("P-"));
    }
    let again = export(&home.store, &local.head, &local.study_key(), &out, &control()).unwrap_err();
    assert_eq!(again.code, FailureCode::WrongUse);
}

#[test]
fn nothing_on_disk_says_who_the_patient_is() {
    let home = Home::new();
    let files = folder(&numbers(3));
    home.import(&[files.path()]).unwrap();
    let bytes = home.bytes();
    assert!(bytes.len() > 1000);
    for planted in
        ["Quintessa", "Farnsbarns", "MRN-4711", "4711-0815", "ACC99182", "1.2.3.4711", "19390718", "20310217"]
    {
        assert!(!bytes.windows(planted.len()).any(|window| window == planted.as_bytes()), "{planted} stands on disk");
    }
    let row: Vec<u8> = (20..40u16).flat_map(|n| (n * 300 + 1).to_le_bytes()).collect();
    assert!(!bytes.windows(row.len()).any(|window| window == row), "pixels stand on disk");
}

#[test]
fn importing_again_stores_nothing_twice() {
    let home = Home::new();
    let files = folder(&numbers(4));
    let first = home.import(&[files.path()]).unwrap().studies.remove(0);
    let (rows, head) = (home.rows(), home.study(&first.id).head);
    let second = home.import(&[files.path()]).unwrap().studies.remove(0);
    assert_eq!((second.id.as_str(), second.instances, second.already_held), (first.id.as_str(), 4, 4));
    assert_eq!((second.bytes_stored, home.rows()), (first.bytes_stored, rows));
    assert_eq!(home.study(&first.id).head, head);
    assert_eq!(home.study(&first.id).bytes_in, first.bytes_in);
}

#[test]
fn more_files_of_a_study_join_it() {
    let home = Home::new();
    let first = folder(&numbers(3));
    let more = folder(&[numbers(5), vec![Image { series: 2, ..CT }]].concat());
    let before = home.import(&[first.path()]).unwrap().studies.remove(0);
    let old_pages = home.study(&before.id).head;
    let after = home.import(&[more.path()]).unwrap().studies.remove(0);
    assert_eq!((after.id.as_str(), after.series, after.instances, after.already_held), (&before.id[..], 2, 6, 3));
    let local = home.study(&after.id);
    let opened = open_pages(&home.store, &local.head, &local.study_key());
    assert_eq!(opened.iter().map(Vec::len).collect::<Vec<_>>(), [5, 1]);
    assert_eq!(opened[0].iter().map(|entry| entry.number).collect::<Vec<_>>(), (1..=5).map(Some).collect::<Vec<_>>());
    let earlier = open_pages(&home.store, &old_pages, &local.study_key());
    assert_eq!(earlier[0].len(), 3, "a case may still name the earlier pages");
}

#[test]
fn an_image_held_before_is_not_replaced_by_another_content() {
    let home = Home::new();
    let files = folder(&numbers(2));
    let first = home.import(&[files.path()]).unwrap().studies.remove(0);
    let head = home.study(&first.id).head;
    let request = ImportRequest {
        paths: vec![files.path().to_path_buf()],
        preset: Some("basic".into()),
        ..ImportRequest::default()
    };
    let report = home.run(&request).unwrap();
    assert!(report.studies[0].left_out[0].why.starts_with("already held with other content"));
    assert!(report.left_behind());
    assert_eq!(home.study(&first.id).head, head);
}

#[test]
fn one_patient_is_one_group_and_two_are_two() {
    let home = Home::new();
    let prior = Image { study: "1.2.3.99", ..CT };
    let stranger = Image { study: "1.2.3.77", patient: "OTHER1", name: "Somebody^Else", ..CT };
    let files = folder(&[CT, prior, stranger]);
    let report = home.import(&[files.path()]).unwrap();
    let studies: Vec<_> = report.studies.iter().map(|study| home.study(&study.id)).collect();
    assert_eq!(studies.len(), 3);
    assert_eq!(studies[0].origin, studies[1].origin);
    assert_eq!(studies[0].head.pseudonym, studies[1].head.pseudonym);
    assert_ne!(studies[0].origin, studies[2].origin);
    assert_ne!(studies[0].head.pseudonym, studies[2].head.pseudonym);
    assert_eq!(studies[0].head.days_after(&studies[1].head), Some(0));
}

#[test]
fn studies_without_patient_id_and_name_share_no_group() {
    let home = Home::new();
    let nobody = Image { patient: "", name: "", ..CT };
    let files = folder(&[nobody.clone(), Image { study: "1.2.3.99", ..nobody }]);
    let report = home.import(&[files.path()]).unwrap();
    let [a, b] = [0, 1].map(|at| home.study(&report.studies[at].id).origin);
    assert_ne!(a, b);
}

#[test]
fn another_patient_id_joins_only_when_said_so() {
    let home = Home::new();
    let first = folder(&[CT]);
    let renamed = folder(&[Image { patient: "NEW-ID-1", study: "1.2.3.99", ..CT }]);
    let id = home.import(&[first.path()]).unwrap().studies.remove(0).id;
    let joining = ImportRequest {
        paths: vec![renamed.path().to_path_buf()],
        same_patient: Some(id.clone()),
        ..ImportRequest::default()
    };
    let plan = home.run(&ImportRequest { dry_run: true, ..joining.clone() }).unwrap().plan.unwrap();
    assert!(plan.warnings.iter().any(|warning| warning.contains("make sure that this is the same person")));
    let joined = home.run(&joining).unwrap().studies.remove(0).id;
    assert_eq!(home.study(&joined).origin, home.study(&id).origin);

    let other = folder(&[Image { patient: "THIRD", study: "1.2.3.55", ..CT }]);
    home.import(&[other.path()]).unwrap();
    let late = ImportRequest { paths: vec![other.path().to_path_buf()], ..joining.clone() };
    assert_eq!(home.run(&late).unwrap_err().code, FailureCode::OtherPatient);
    let mixed = ImportRequest { paths: vec![other.path().into(), renamed.path().into()], ..joining };
    assert_eq!(home.run(&mixed).unwrap_err().code, FailureCode::OtherPatient);
}

#[test]
fn a_dry_run_says_everything_and_stores_nothing() {
    let home = Home::new();
    let us = Image { modality: "US", series: 2, ..CT };
    let files = folder(&[numbers(3), vec![Image { number: 6, ..CT }, us]].concat());
    std::fs::write(files.path().join("notes.txt"), "hello").unwrap();
    let rows = home.rows();
    let request = ImportRequest { paths: vec![files.path().into()], dry_run: true, ..ImportRequest::default() };
    let report = home.run(&request).unwrap();
    assert_eq!((home.rows(), home.store.groups().unwrap().len()), (rows, 0));
    let plan = report.plan.as_ref().unwrap();
    assert_eq!((plan.patients[0].name.as_str(), plan.patients[0].accession.as_str()), (CT.name, "ACC99182"));
    assert!(plan.attributes.iter().any(|a| a.name == "PatientName" && !a.action.is_empty() && a.count == 5));
    assert!(plan.kept_text.contains(&"CT Chest".to_owned()) && plan.dropped_text.contains(&"Farnsbarns".to_owned()));
    assert!(plan.codes.iter().any(|code| code.starts_with("113100 ")));
    assert_eq!((plan.left_out.len(), plan.left_out[0].why.as_str()), (1, "ultrasound"));
    assert!(plan.gaps[0].ends_with("2 numbers missing"), "{:?}", plan.gaps);
    let study = &report.studies[0];
    assert_eq!((study.id.as_str(), study.series, study.instances, study.already_held), ("", 2, 4, 0));
    assert_eq!(report.skipped.len(), 1);

    home.run(&ImportRequest { dry_run: false, ..request.clone() }).unwrap();
    let again = home.run(&request).unwrap();
    assert_eq!((again.studies[0].id.is_empty(), again.studies[0].already_held), (false, 4));
}

#[test]
fn a_word_the_sender_keeps_stays_and_the_patients_own_name_does_not() {
    let home = Home::new();
    let files = folder(&[CT]);
    let request = ImportRequest {
        paths: vec![files.path().into()],
        keep_words: vec!["Xanthe".into(), "Farnsbarns".into()],
        ..ImportRequest::default()
    };
    let plan = home.run(&ImportRequest { dry_run: true, ..request.clone() }).unwrap().plan.unwrap();
    assert_eq!(plan.dropped_text, ["Farnsbarns"]);
    assert_eq!(home.run(&request).unwrap().studies[0].description, "CT Chest Xanthe");
    let plain = Home::new();
    assert_eq!(plain.import(&[files.path()]).unwrap().studies[0].description, "CT Chest");
}

#[test]
fn an_image_that_may_show_a_name_is_in_no_manifest_until_somebody_looked() {
    let home = Home::new();
    let risky = |number| Image { burned_in: "YES", series: 3, number, ..CT };
    let files = folder(&[CT, risky(1), risky(2)]);
    let report = home.import(&[files.path()]).unwrap();
    let study = &report.studies[0];
    assert_eq!((study.instances, study.left_out[0].instances), (1, 2));
    assert!(report.left_behind());
    let before = home.study(&study.id);
    assert_eq!((before.head.left_out, before.left_out()), (2, 2));
    let series = study.left_out[0].series.clone();
    assert!(before.head.series.iter().any(|head| head.series == series && head.instances == 0 && head.left_out == 2));

    let missing = include(&home.store, &before, &["9".into()], "Dr Reader", NOW, &control()).unwrap_err();
    assert_eq!((missing.code, missing.details["candidates"].clone()), (FailureCode::NotFound, vec![series.clone()]));
    assert_eq!(include(&home.store, &before, &["3".into()], "Dr Reader", NOW, &control()).unwrap(), 2);

    let after = home.study(&study.id);
    assert_eq!((after.head.instances(), after.head.left_out, after.left_out()), (3, 0, 0));
    let out = home.export(&after, "out");
    let of = |path: &str| {
        let bytes = std::fs::read(out.join(path)).unwrap();
        let part10 = part10::read(&bytes).unwrap();
        (text(&part10.header, tags::BURNED_IN_ANNOTATION), part10.pixel.unwrap().bytes.into_owned())
    };
    assert_eq!(of("series-001/00001.dcm").0, "", "nobody has looked at this one");
    let original = risky(2).bytes();
    let pixels = part10::read(&original).unwrap().pixel.unwrap().bytes.into_owned();
    assert_eq!(of("series-002/00002.dcm"), ("NO".to_owned(), pixels));
    let rows = super::left_out::of_study(&home.store, &after.id).unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        let review = row.reviewed.unwrap();
        assert_eq!((review.reviewer.as_str(), review.at, review.seen), ("Dr Reader", NOW, row.entry.plain_hash));
        assert_ne!(review.seen, review.shared);
    }

    let again = home.import(&[files.path()]).unwrap();
    assert_eq!((again.studies[0].already_held, again.studies[0].left_out.len()), (3, 0));
    assert_eq!(home.study(&study.id).head, after.head);
    let nothing = include(&home.store, &after, &[series], "Dr Reader", NOW, &control()).unwrap_err();
    assert_eq!(nothing.code, FailureCode::NotFound);
}

#[test]
fn contact_sheets_show_what_waits_and_samples_of_the_rest() {
    let home = Home::new();
    let risky = |number| Image { burned_in: "YES", series: 3, number, ..CT };
    let files = folder(&[numbers(9), vec![risky(1), risky(2)]].concat());
    let study = home.study(&home.import(&[files.path()]).unwrap().studies[0].id);
    let decode = |file: &[u8], frame: u32| {
        let header = part10::read(file).map_err(|error| error.to_string())?.header;
        assert_eq!(frame, 1);
        match text(&header, tags::INSTANCE_NUMBER).as_str() {
            "2" => Err("no decoder".to_owned()),
            "9" => panic!("a bug in a decoder"),
            "5" => Ok(GreyTile { width: 9, height: 9, pixels: vec![1] }),
            _ => Ok(GreyTile { width: 8, height: 8, pixels: vec![90; 64] }),
        }
    };
    let out = home.folder.path().join("review");
    let reviewed = review(&home.store, &study, &out, &decode, &control()).unwrap();
    assert_eq!((reviewed.images, reviewed.pages.len()), (5, 1));
    let index = std::fs::read_to_string(out.join("review.txt")).unwrap();
    let lines: Vec<_> = index.lines().filter(|line| line.starts_with("page ")).collect();
    assert_eq!(lines.len(), 5);
    assert_eq!(
        lines.iter().map(|line| line.contains("waits for review")).collect::<Vec<_>>(),
        [true, true, false, false, false]
    );
    assert_eq!(
        lines.iter().map(|line| line.contains("NOT DRAWN")).collect::<Vec<_>>(),
        [false, true, false, true, true]
    );
    assert!(!index.contains("Farnsbarns") && !index.contains("4711"));
    let mut page = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(&reviewed.pages[0]).unwrap()))
        .read_info()
        .unwrap();
    let mut pixels = vec![0; page.output_buffer_size().unwrap()];
    page.next_frame(&mut pixels).unwrap();
    assert_eq!((pixels[0], pixels[5 * 1920 + 5]), (255, 90), "a frame around what waits, and the picture in it");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        for path in reviewed.pages.iter().chain([&out.join("review.txt")]) {
            assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
    let again = review(&home.store, &study, &out, &decode, &control()).unwrap_err();
    assert_eq!(again.code, FailureCode::WrongUse);
}

#[test]
fn typed_text_that_names_the_patient_is_held_back() {
    let home = Home::new();
    let prior = Image { study: "1.2.3.99", name: "Quintessa^Maidenname", ..CT };
    let files = folder(&[CT, prior]);
    let report = home.import(&[files.path()]).unwrap();
    let id = home.study(&report.studies[0].id).id;
    let words = words_of(&home.store, &[id]).unwrap();
    let held_back = |text: &str| check_text(words.as_ref(), &[("question", text), ("context", "64 y, 12 mm nodule")]);
    for text in ["Is FARNSBARNS better?", "acc99182", "mrn 4711 0815", "scan of 17.02.2031", "was Maidenname before"] {
        let failure = held_back(text).unwrap_err();
        assert_eq!(failure.code, FailureCode::TextCheck, "{text}");
        assert_eq!((failure.details.len(), failure.details["question"].len()), (1, 1), "{text}: {failure:?}");
        assert!(failure.hint.unwrap().contains("--text-checked"));
    }
    held_back("New 8 mm nodule in the right upper lobe?").unwrap();
    assert!(words_of(&home.store, &[StudyId([9; 32])]).unwrap().is_none());
    check_text(None, &[("question", "Is Farnsbarns better?")]).unwrap();
    assert!(check_text(None, &[("question", "call 030 1234567")]).is_err());
    check_text(Some(&IdentifyingWords::new()), &[]).unwrap();
    let mut unread = IdentifyingWords::new();
    unread.add_unread_name();
    for (text, begins) in [("An 8 mm nodule?", "A name in"), ("call 030 1234567", "1 place in the text looks like")] {
        let failure = check_text(Some(&unread), &[("question", text)]).unwrap_err();
        assert_eq!(failure.code, FailureCode::TextCheck);
        assert!(failure.what.starts_with(begins), "{}", failure.what);
        assert!(failure.what.ends_with("only general forms were looked for. Nothing was sent."), "{}", failure.what);
    }
    check_text(Some(&unread), &[("question", " ")]).unwrap();
}

#[test]
fn a_removed_study_is_gone_and_gets_another_key_when_it_comes_back() {
    let home = Home::new();
    let files = folder(&[CT, Image { burned_in: "YES", number: 2, ..CT }]);
    let id = home.import(&[files.path()]).unwrap().studies.remove(0).id;
    let study = home.study(&id).id;
    remove(&home.store, &study, Batch::new()).unwrap();
    assert_eq!(find(&home.store, &id).err().unwrap().code, FailureCode::NotFound);
    assert!(home.store.groups().unwrap().is_empty());
    assert!(super::left_out::of_study(&home.store, &study).unwrap().is_empty());
    assert!(patient_of(&home.store, &study).unwrap().is_none());
    assert_ne!(home.import(&[files.path()]).unwrap().studies.remove(0).id, id);
}

#[test]
fn bad_requests_say_what_to_do_and_change_nothing() {
    let home = Home::new();
    let empty = tempfile::tempdir().unwrap();
    let texts = tempfile::tempdir().unwrap();
    std::fs::write(texts.path().join("a.txt"), "hello").unwrap();
    let good = folder(&[CT]);
    let request = |path: &Path| ImportRequest { paths: vec![path.into()], ..ImportRequest::default() };
    let preset = texts.path().join("a.txt").to_string_lossy().into_owned();
    let rows = home.rows();
    for (name, request, code) in [
        ("a missing path", request(Path::new("/nowhere/at/all")), FailureCode::NotFound),
        ("an empty folder", request(empty.path()), FailureCode::NotFound),
        ("a folder without DICOM", request(texts.path()), FailureCode::NotFound),
        (
            "an unknown preset",
            ImportRequest { preset: Some("open".into()), ..request(good.path()) },
            FailureCode::WrongUse,
        ),
        (
            "a preset that is none",
            ImportRequest { preset: Some(preset), ..request(good.path()) },
            FailureCode::WrongUse,
        ),
        (
            "an unknown patient",
            ImportRequest { same_patient: Some("s-aaaa".into()), ..request(good.path()) },
            FailureCode::NotFound,
        ),
        (
            "no study id",
            ImportRequest { same_patient: Some("Farnsbarns".into()), ..request(good.path()) },
            FailureCode::WrongUse,
        ),
    ] {
        let failure = home.run(&request).unwrap_err();
        assert_eq!(failure.code, code, "{name}");
        assert!(failure.what.ends_with('.') && failure.hint.is_some_and(|hint| hint.ends_with('.')), "{name}");
    }
    assert_eq!(home.rows(), rows);
}

#[test]
fn a_stopped_import_lists_nothing_and_the_next_one_continues() {
    let home = Home::new();
    let files = folder(&numbers(6));
    let request = ImportRequest { paths: vec![files.path().into()], ..ImportRequest::default() };
    let stop = AtomicBool::new(false);
    let stopping = |_| stop.store(true, Ordering::Relaxed);
    let control = Control { cancelled: &stop, progress: &stopping, started: Instant::now() };
    let failure = import(&home.store, &home.database, &request, &[], NOW, &control).unwrap_err();
    assert_eq!(failure.code, FailureCode::Interrupted);
    assert!(load_all(&home.store).unwrap().is_empty());
    let groups = home.store.groups().unwrap();
    let report = home.run(&request).unwrap();
    assert_eq!(report.studies[0].instances, 6);
    let after = home.store.groups().unwrap();
    assert_eq!(after.len(), 1);
    assert!(groups.iter().all(|(group, _)| *group == after[0].0), "the key was found again");
}

#[test]
fn a_stopped_inclusion_admits_nothing_and_the_next_one_everything() {
    let home = Home::new();
    let risky = |number| Image { burned_in: "YES", series: 3, number, ..CT };
    let files = folder(&[CT, risky(1), risky(2), risky(3)]);
    let report = home.import(&[files.path()]).unwrap();
    let before = home.study(&report.studies[0].id);
    let stop = AtomicBool::new(false);
    let stopping = |_| stop.store(true, Ordering::Relaxed);
    let stopped = Control { cancelled: &stop, progress: &stopping, started: Instant::now() };
    let failure = include(&home.store, &before, &["3".into()], "Dr Reader", NOW, &stopped).unwrap_err();
    assert_eq!(failure.code, FailureCode::Interrupted);
    assert_eq!(home.study(&report.studies[0].id).head, before.head);
    assert_eq!(include(&home.store, &before, &["3".into()], "Dr Reader", NOW, &control()).unwrap(), 3);
}

#[test]
fn progress_ends_with_everything_done() {
    let home = Home::new();
    let files = folder(&[numbers(3), vec![Image { study: "1.2.3.99", ..CT }]].concat());
    let told: Mutex<Vec<Progress>> = Mutex::default();
    let progress = |progress| told.lock().unwrap().push(progress);
    let control = Control { cancelled: &GO, progress: &progress, started: Instant::now() };
    let request = ImportRequest { paths: vec![files.path().into()], ..ImportRequest::default() };
    import(&home.store, &home.database, &request, &[], NOW, &control).unwrap();
    let told = told.into_inner().unwrap();
    let last = told.last().unwrap();
    assert_eq!((last.stage.as_str(), Some(last.done), last.seconds_left), ("import", last.total, Some(0)));
    assert!(told.is_sorted_by_key(|progress| progress.done));
}

#[test]
fn the_rows_of_a_study_come_back_as_they_were_put() {
    let home = Home::new();
    let files = folder(&[CT]);
    let id = home.import(&[files.path()]).unwrap().studies.remove(0).id;
    let study = home.study(&id);
    let received = LocalStudy { origin: Origin::Received, id: StudyId([3; 32]), ..study.duplicate() };
    let mut batch = Batch::new();
    put(&mut batch, &received);
    home.store.commit(batch).unwrap();
    let loaded = load(&home.store, &received.id).unwrap().unwrap();
    assert_eq!(to_bytes(&loaded), to_bytes(&received));
    assert!(show(&home.store, &loaded, true, vec![]).unwrap().identity.is_none(), "only the sender knows the patient");
    let request = ImportRequest {
        paths: vec![files.path().into()],
        same_patient: Some(received.id.to_string()),
        ..ImportRequest::default()
    };
    assert_eq!(home.run(&request).unwrap_err().code, FailureCode::WrongUse);
}

#[test]
fn every_sample_is_imported_or_named_with_a_reason() {
    let Some(samples) = samples("") else { return };
    let home = Home::new();
    let report = home.import(&[&samples]).unwrap();
    let found = crate::study::source::find(&[samples]).unwrap();
    let named: usize = report.studies.iter().map(|study| study.instances).sum::<usize>()
        + report.studies.iter().flat_map(|study| &study.left_out).map(|count| count.instances).sum::<usize>();
    assert!(named > 120 && named + report.skipped.len() <= found.files.len() + found.skipped.len());
    assert!(report.skipped.iter().all(|file| !file.why.is_empty() && !file.why.contains("error of this program")));
    for study in report.studies.iter().filter(|study| !study.id.is_empty()) {
        let local = home.study(&study.id);
        let opened: usize = open_pages(&home.store, &local.head, &local.study_key()).iter().map(Vec::len).sum();
        assert_eq!(opened as u64, local.head.instances());
    }
    let rows = home.rows();
    let again = home.import(&[Path::new(SAMPLES)]).unwrap();
    assert_eq!(home.rows(), rows, "importing again adds no row");
    assert_eq!(again.studies.len(), report.studies.len());
}

#[test]
fn burned_in_samples_never_pass_unreviewed() {
    let Some(samples) = samples("burned-in") else { return };
    let home = Home::new();
    let report = home.import(&[&samples]).unwrap();
    assert_eq!(report.studies.iter().map(|study| study.instances).sum::<usize>(), 0);
    let left_out: usize = report.studies.iter().flat_map(|study| &study.left_out).map(|count| count.instances).sum();
    assert_eq!(left_out, 7);
    for (study, at) in load_all(&home.store).unwrap().iter().zip(0..) {
        assert_eq!((study.head.instances(), study.head.series.iter().flat_map(page_chunks).count()), (0, 0));
        let out = home.folder.path().join(format!("sheets-{at}"));
        let reviewed = review(&home.store, study, &out, &decode_whole_range, &control()).unwrap();
        assert_eq!(reviewed.images, study.left_out());
        let index = std::fs::read_to_string(out.join("review.txt")).unwrap();
        assert!(!index.contains("NOT DRAWN"), "{index}");
    }
}

#[test]
fn real_series_come_out_with_the_pixels_they_went_in_with() {
    let unpacked = tempfile::tempdir().unwrap();
    for archive in ["ct-series/ge-head-gantry-tilt-28.tar.xz", "mr-series/prostate-adc-20.tar.xz"] {
        let Some(archive) = samples(archive) else { return };
        let status = Command::new("tar").arg("xJf").arg(&archive).arg("-C").arg(unpacked.path()).status();
        assert!(status.is_ok_and(|status| status.success()), "tar could not unpack {}", archive.display());
    }
    let home = Home::new();
    let report = home.import(&[unpacked.path()]).unwrap();
    let mut originals: Vec<Vec<u8>> = pixels_below(unpacked.path());
    let mut exported: Vec<Vec<u8>> = Vec::new();
    for (study, at) in report.studies.iter().zip(0..) {
        let local = home.study(&study.id);
        let waiting: Vec<_> = study.left_out.iter().map(|count| count.series.clone()).collect();
        // The ADC map says DERIVED\\SECONDARY, so somebody has to look at it first.
        assert_eq!(waiting.is_empty(), local.head.modalities == ["CT"]);
        if !waiting.is_empty() {
            assert_eq!(include(&home.store, &local, &waiting, "Dr Reader", NOW, &control()).unwrap(), 20);
        }
        exported.extend(pixels_below(&home.export(&home.study(&study.id), &format!("out-{at}"))));
    }
    originals.sort();
    exported.sort();
    assert_eq!(originals.len(), 48);
    assert!(originals == exported);
}

fn pixels_below(folder: &Path) -> Vec<Vec<u8>> {
    walkdir::WalkDir::new(folder)
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_type().is_file())
        .filter_map(|entry| {
            let bytes = std::fs::read(entry.path()).unwrap();
            part10::read(&bytes).ok().and_then(|part10| part10.pixel.map(|pixel| pixel.bytes.into_owned()))
        })
        .collect()
}
