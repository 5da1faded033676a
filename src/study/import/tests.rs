use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use dicom_core::VR;

use super::*;
use crate::encoding::id::ChunkId;
use crate::identity::keys::Secret;
use crate::study::export::{ExportError, export, open_instance};
use crate::study::manifest::open_page;
use crate::study::source;

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/samples");

/// Replaces the patient and nothing else; calls ultrasound risky and refuses structured reports.
struct Simple;

impl Deidentifier for Simple {
    fn deidentify(&self, header: &InMemDicomObject, _: Option<PixelFacts>) -> Result<Cleaned, LeftOut> {
        let modality = text(header, tags::MODALITY);
        if modality == "SR" {
            return Err(LeftOut("a report".into()));
        }
        assert_ne!(modality, "PANIC", "a bug in a parser");
        let mut header = header.clone();
        header.put_str(tags::PATIENT_NAME, VR::PN, "QFTB");
        header.put_str(tags::PATIENT_ID, VR::LO, "QFTB");
        Ok(Cleaned { header, risk: (modality == "US").then(|| "ultrasound".into()) })
    }
}

#[derive(Default)]
struct Memory {
    chunks: HashMap<ChunkId, Vec<u8>>,
    objects: usize,
    full_after: Option<usize>,
}

#[derive(Debug, thiserror::Error)]
#[error("the disk is full")]
struct Full;

impl Sink for Memory {
    type Error = Full;

    fn object(&mut self, object: SealedObject) -> Result<(), Full> {
        self.objects += 1;
        if self.full_after.is_some_and(|limit| self.objects > limit) {
            return Err(Full);
        }
        self.chunks.extend(object.chunks);
        Ok(())
    }
}

static GO: AtomicBool = AtomicBool::new(false);

fn control() -> Control<'static> {
    Control { cancelled: &GO, progress: &|_| {} }
}

fn key() -> StudyKey {
    StudyKey(Secret::new([5; 32]))
}

fn plan(path: &Path) -> Plan {
    Plan::make(&[path.to_path_buf()], &control()).unwrap()
}

fn run(study: &PlannedStudy, sink: &mut Memory) -> ImportedStudy {
    carry_out(study, &key(), &Simple, sink, &control()).unwrap()
}

fn dicom(number: u16, patient: &str, modality: &str, pixels: &[u8]) -> Vec<u8> {
    let mut object = InMemDicomObject::new_empty();
    let number = number.to_string();
    for (tag, vr, value) in [
        (tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.7"),
        (tags::SOP_INSTANCE_UID, VR::UI, &format!("1.2.3.{number}")),
        (tags::STUDY_DATE, VR::DA, "20260501"),
        (tags::MODALITY, VR::CS, modality),
        (tags::PATIENT_ID, VR::LO, patient),
        (tags::STUDY_INSTANCE_UID, VR::UI, "1.2.3"),
        (tags::SERIES_INSTANCE_UID, VR::UI, &format!("1.2.3.{}", modality.len() * 1000)),
        (tags::INSTANCE_NUMBER, VR::IS, &number),
    ] {
        object.put_str(tag, vr, value);
    }
    let pixel = part10::PixelElement { tag: tags::PIXEL_DATA, vr: VR::OB, encapsulated: false, bytes: pixels.into() };
    let part10 = part10::Part10 {
        syntax: part10::Syntax::of("1.2.840.10008.1.2.1"),
        header: InMemDicomObject::new_empty(),
        pixel: Some(pixel),
    };
    rebuild(part10, object).unwrap().to_bytes()
}

fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

#[test]
fn a_study_is_planned_imported_and_exported_with_the_same_pixels() {
    let files: Vec<_> = (1..=9)
        .map(|n| (["1", "2", "3", "4", "5", "6", "7", "8", "9"][n - 1], dicom(n as u16, "P1", "CT", &[n as u8; 64])))
        .collect();
    let folder = folder(&files);
    let plan = plan(folder.path());
    assert_eq!((plan.studies.len(), plan.studies[0].instances()), (1, 9));
    let mut sink = Memory::default();
    let imported = run(&plan.studies[0], &mut sink);
    assert_eq!(imported.head.instances(), 9);
    assert_eq!(imported.head.modalities, ["CT"]);
    assert_eq!(imported.head.pseudonym, "QFTB");
    assert_eq!(imported.head.shifted_day, Some(20_574));

    let page = open_page(&key(), &imported.head.series[0].pages[0], |id| sink.chunks.get(id).cloned()).unwrap();
    assert_eq!(page.instances, imported.series[0]);

    let target = tempfile::tempdir().unwrap();
    let out = target.path().join("out");
    let exported = export(&key(), &imported.series, &out, |id| sink.chunks.get(id).cloned()).unwrap();
    assert_eq!(exported.files, 9);
    for n in 1..=9u8 {
        let bytes = std::fs::read(out.join(format!("series-001/0000{n}.dcm"))).unwrap();
        let part10 = part10::read(&bytes).unwrap();
        assert_eq!(part10.pixel.unwrap().bytes[..], [n; 64]);
        assert_eq!(text(&part10.header, tags::PATIENT_ID), "QFTB");
    }
    let again = export(&key(), &imported.series, &out, |id| sink.chunks.get(id).cloned());
    assert!(matches!(again, Err(ExportError::NotEmpty)));
    sink.chunks.values_mut().for_each(|chunk| chunk[3] ^= 1);
    let damaged = open_instance(&key(), &imported.series[0][0], |id| sink.chunks.get(id).cloned());
    assert!(matches!(damaged, Err(ExportError::Object(_))));
}

#[test]
fn importing_again_gives_the_same_chunks() {
    let folder = folder(&[("1", dicom(1, "P1", "CT", &[3; 64])), ("2", dicom(2, "P1", "CT", &[4; 64]))]);
    let (mut first, mut second) = (Memory::default(), Memory::default());
    let a = run(&plan(folder.path()).studies[0], &mut first);
    let b = run(&plan(folder.path()).studies[0], &mut second);
    assert_eq!(a.head, b.head);
    assert_eq!(first.chunks, second.chunks);
}

#[test]
fn one_bad_file_never_stops_the_rest() {
    let good = dicom(1, "P1", "CT", &[3; 64]);
    let folder = folder(&[
        ("1", good.clone()),
        ("2-cut", good[..good.len() - 9].to_vec()),
        ("3-text", b"not an image".to_vec()),
        ("4-report", dicom(4, "P1", "SR", &[1; 4])),
        ("5-ultrasound", dicom(5, "P1", "US", &[1; 4])),
        ("6-bug", dicom(6, "P1", "PANIC", &[1; 4])),
        ("7-empty", vec![]),
    ]);
    let plan = plan(folder.path());
    let mut whys: Vec<_> = plan.skipped.iter().map(|s| s.why.as_str()).collect();
    whys.sort_unstable();
    assert_eq!(whys[0], "not a DICOM file");
    assert!(whys[1].starts_with("the file is cut off") && whys[2] == "the file is empty", "{whys:?}");
    let mut sink = Memory::default();
    let imported = run(&plan.studies[0], &mut sink);
    assert_eq!(imported.head.instances(), 1);
    assert_eq!(imported.skipped[0].why, "an error of this program (please report it)");
    let mut left: Vec<_> = imported.left_out.iter().map(|l| (l.why.as_str(), l.entry.is_some())).collect();
    left.sort_unstable();
    assert_eq!(left, [("a report", false), ("ultrasound", true)]);
    assert_eq!(imported.head.left_out, 2);

    // Later a person has looked at the ultrasound, and it is admitted.
    let reviewed = imported.left_out.iter().find(|left| left.entry.is_some()).unwrap();
    let head = imported.head.series[reviewed.series].clone();
    assert_eq!((head.modality.as_str(), head.instances, head.left_out), ("CT", 1, 2));
    let mut instances = imported.series[reviewed.series].clone();
    instances.extend(reviewed.entry.clone());
    let (head, pages) = seal_series(&key(), head, &mut instances, 1).unwrap();
    assert_eq!((head.instances, head.left_out, head.pages.len(), pages.len()), (2, 1, 1, 1));
}

#[test]
fn a_series_that_is_left_out_whole_is_named_all_the_same() {
    let folder = folder(&[("1", dicom(1, "P1", "US", &[3; 4]))]);
    let imported = run(&plan(folder.path()).studies[0], &mut Memory::default());
    let series = &imported.head.series[0];
    assert_eq!((series.modality.as_str(), series.series.as_str(), series.left_out), ("US", "1.2.3.2000", 1));
    assert_eq!((imported.head.study.as_str(), imported.head.instances()), ("1.2.3", 0));
}

#[test]
fn copies_are_ignored_and_contradictions_left_out() {
    let same = dicom(1, "P1", "CT", &[3; 64]);
    let mut other_preamble = same.clone();
    other_preamble[..9].copy_from_slice(b"STATION-7");
    let folder = folder(&[("1", same), ("2", other_preamble), ("3", dicom(1, "P1", "CT", &[4; 64]))]);
    let imported = run(&plan(folder.path()).studies[0], &mut Memory::default());
    assert_eq!((imported.head.instances(), imported.duplicates, imported.left_out.len()), (1, 1, 1));
    assert_eq!(imported.left_out[0].why, "another file says it is the same image, with other content");
    assert!(imported.left_out[0].path.reveal().ends_with('3'));
}

#[test]
fn one_study_of_two_patients_becomes_two() {
    let folder = folder(&[("1", dicom(1, "P1", "CT", &[3; 4])), ("2", dicom(2, "P2", "CT", &[4; 4]))]);
    assert_eq!(plan(folder.path()).studies.len(), 2);
}

#[test]
fn a_full_disk_or_a_stop_ends_the_import() {
    let folder = folder(&[("1", dicom(1, "P1", "CT", &[3; 4])), ("2", dicom(2, "P1", "CT", &[4; 4]))]);
    let plan = plan(folder.path());
    let mut full = Memory { full_after: Some(1), ..Memory::default() };
    let result = carry_out(&plan.studies[0], &key(), &Simple, &mut full, &control());
    assert!(matches!(result, Err(ImportError::Store(Full))));
    let stop = Control { cancelled: &AtomicBool::new(true), progress: &|_| {} };
    let result = carry_out(&plan.studies[0], &key(), &Simple, &mut Memory::default(), &stop);
    assert!(matches!(result, Err(ImportError::Cancelled(_))));
}

#[test]
fn progress_ends_with_everything_done() {
    let folder = folder(&[("1", dicom(1, "P1", "CT", &[3; 4])), ("2", dicom(2, "P1", "CT", &[4; 4]))]);
    let last = Mutex::new(Progress::default());
    let note = |progress: Progress| {
        let mut last = last.lock().unwrap();
        if progress.files_done >= last.files_done {
            *last = progress;
        }
    };
    let control = Control { cancelled: &GO, progress: &note };
    let plan = Plan::make(&[folder.path().to_path_buf()], &control).unwrap();
    carry_out(&plan.studies[0], &key(), &Simple, &mut Memory::default(), &control).unwrap();
    let last = *last.lock().unwrap();
    assert_eq!((last.files_done, last.bytes_done), (last.files, last.bytes));
    assert!(last.files == 2 && last.bytes > 0);
}

#[test]
fn every_sample_is_imported_or_named_with_a_reason() {
    if !Path::new(SAMPLES).exists() {
        eprintln!("SKIPPED: no samples at {SAMPLES}");
        return;
    }
    let plan = plan(Path::new(SAMPLES));
    let mut named = plan.skipped.len() as u64;
    for study in &plan.studies {
        let mut sink = Memory::default();
        let imported = run(study, &mut sink);
        named += imported.head.instances() + imported.duplicates;
        named += (imported.left_out.len() + imported.skipped.len()) as u64;
        for instance in imported.series.iter().flatten() {
            open_instance(&key(), instance, |id| sink.chunks.get(id).cloned()).unwrap();
        }
    }
    let found = source::find(&[PathBuf::from(SAMPLES)]).unwrap();
    assert_eq!(named, (found.files.len() + found.skipped.len()) as u64);
    assert!(found.files.len() > 150);
}

#[test]
fn a_large_file_waits_until_it_is_alone() {
    let gate = Gate::new();
    let small = gate.pass(1);
    std::thread::scope(|scope| {
        let large = scope.spawn(|| {
            let _pass = gate.pass(IN_FLIGHT_BYTES_MAX * 10);
            *gate.bytes.lock().unwrap()
        });
        drop(small);
        assert_eq!(large.join().unwrap(), IN_FLIGHT_BYTES_MAX * 10);
    });
    assert_eq!(*gate.bytes.lock().unwrap(), 0);
}

#[test]
fn days_are_counted_from_1970() {
    assert_eq!(day_of("19700101"), Some(0));
    assert_eq!(day_of("20260501"), Some(20_574));
    for bad in ["", "2026", "20261301", "20260230", "2026-5-1", "+0260501", "ABCDEFGH", "2026ä01"] {
        assert_eq!(day_of(bad), None, "{bad}");
    }
}
