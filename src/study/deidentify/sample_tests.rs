//! The engine against real files: no name, identifier, date or UID of an original is left in what leaves.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use dicom_core::header::Header;
use dicom_core::value::{PrimitiveValue, Value};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use dicom_encoding::transfer_syntax::TransferSyntaxIndex;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject, OpenFileOptions};
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use super::preset::Preset;
use super::secrets::GroupSecrets;
use super::vocabulary::{Approvals, is_known};
use super::well_known::well_known;
use super::words::{folded, words};
use super::{Deidentified, Instance, LeftOut, PixelFacts, Rules, deidentify};
use crate::identity::keys::Secret;
use crate::study::pixels::suv;

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/samples");

fn samples() -> Option<PathBuf> {
    let samples = PathBuf::from(SAMPLES);
    if !samples.is_dir() {
        println!("SKIPPED: the samples are not at {SAMPLES}");
        return None;
    }
    Some(samples)
}

/// Every file of the samples, archives unpacked into `scratch`.
fn files(samples: &Path, scratch: &Path) -> Vec<PathBuf> {
    let all: Vec<_> = walkdir::WalkDir::new(samples)
        .follow_links(true)
        .into_iter()
        .flatten()
        .map(|entry| entry.into_path())
        .collect();
    for (index, archive) in all.iter().enumerate() {
        let folder = scratch.join(index.to_string());
        if archive.to_string_lossy().ends_with(".tar.xz") {
            std::fs::create_dir(&folder).unwrap();
            let unpacked = Command::new("tar").arg("xJf").arg(archive).arg("-C").arg(&folder).status();
            if !unpacked.is_ok_and(|status| status.success()) {
                println!("SKIPPED: tar could not unpack {}", archive.display());
            }
        } else if archive.extension().is_some_and(|extension| extension == "zip") {
            std::fs::create_dir(&folder).unwrap();
            if let Ok(mut zip) = zip::ZipArchive::new(std::fs::File::open(archive).unwrap()) {
                zip.extract(&folder).unwrap();
            }
        }
    }
    let unpacked = walkdir::WalkDir::new(scratch).into_iter().flatten().map(|entry| entry.into_path());
    all.into_iter().chain(unpacked).filter(|path| path.is_file()).collect()
}

/// The header of a file, however it starts; `None` if it is no DICOM that this test can read.
fn read_header(path: &Path) -> Option<(InMemDicomObject, Option<String>)> {
    if path
        .extension()
        .is_some_and(|extension| ["xz", "zip", "json", "tsv", "md"].iter().any(|other| extension == *other))
    {
        return None;
    }
    if let Ok(file) = OpenFileOptions::new().read_until(tags::PIXEL_DATA).open_file(path) {
        let class = file.meta().media_storage_sop_class_uid.clone();
        return Some((file.into_inner(), Some(class)));
    }
    let bytes = std::fs::read(path).ok()?;
    let starts = [meta_end(&bytes, 128), meta_end(&bytes, 0).filter(|start| *start > 0), Some(0)];
    starts.into_iter().flatten().find_map(|start| {
        // A wrong guess would let the parser reserve gigabytes for a length that is none.
        let data_set = bytes.get(start..)?;
        let is_explicit = data_set.get(4..6)?.iter().all(u8::is_ascii_uppercase);
        let syntax = if is_explicit { "1.2.840.10008.1.2.1" } else { "1.2.840.10008.1.2" };
        let is_short = is_explicit || data_set.get(6..8)? == [0, 0];
        if data_set.get(..2)? != [8, 0] || !is_short {
            return None;
        }
        let mut header = InMemDicomObject::read_dataset_with_ts(data_set, TransferSyntaxRegistry.get(syntax)?).ok()?;
        header.remove_element(tags::PIXEL_DATA);
        header.get(tags::SOP_INSTANCE_UID)?;
        Some((header, None))
    })
}

/// Where the data set starts if a meta group with its length stands at `start`.
fn meta_end(bytes: &[u8], start: usize) -> Option<usize> {
    let start = if bytes.get(start..start + 4)? == b"DICM" { start + 4 } else { start };
    let length = bytes.get(start..start + 12)?.strip_prefix(b"\x02\0\0\0UL\x04\0")?;
    Some(start + 12 + u32::from_le_bytes(length.try_into().ok()?) as usize)
}

fn run(header: InMemDicomObject, class: Option<&str>) -> Result<Deidentified, LeftOut> {
    let instance = Instance { header, meta_sop_class_uid: class, pixels: Some(PixelFacts::default()), reviewed: false };
    let rules = Rules::new(Preset::consult(), Approvals::default());
    deidentify(instance, &rules, &GroupSecrets::new(&Secret::new([42; 32])))
}

#[test]
fn an_uptake_value_is_the_same_before_and_after() {
    let Some(samples) = samples() else { return };
    let path = samples.join("private/pet-private-creators-no-preamble.dcm");
    let (original, class) = read_header(&path).unwrap();
    let before = suv::of(&original, true).unwrap();
    let started = original.element(tags::SERIES_DATE).unwrap().to_str().unwrap().into_owned();
    let left = run(original, class.as_deref()).unwrap_or_else(|_| panic!("left out"));
    assert_ne!(left.header.element(tags::SERIES_DATE).unwrap().to_str().unwrap(), started);
    assert_eq!(suv::of(&left.header, true), Ok(before));
}

/// Calls `take` with every text of an object at every level.
fn each_text(object: &InMemDicomObject, take: &mut impl FnMut(Tag, VR, &str)) {
    for element in object {
        if let Some(items) = element.items() {
            items.iter().for_each(|item| each_text(item, take));
        } else if let Value::Primitive(value @ (PrimitiveValue::Str(_) | PrimitiveValue::Strs(_))) = element.value() {
            value
                .to_multi_str()
                .iter()
                .for_each(|text| take(element.tag(), element.vr(), text.trim_matches(['\0', ' '])));
        } else if let Value::Primitive(PrimitiveValue::U8(bytes)) = element.value()
            && bytes.len() < 10_000
        {
            take(element.tag(), element.vr(), &String::from_utf8_lossy(bytes));
        }
    }
}

/// What must not be found again: words of three letters or more of names and identifiers, dates, UIDs.
fn secrets_of(object: &InMemDicomObject) -> BTreeSet<String> {
    const IDENTIFIERS: [Tag; 4] = [tags::PATIENT_ID, tags::ACCESSION_NUMBER, tags::STUDY_ID, Tag(0x0010, 0x1000)];
    let mut secrets = BTreeSet::new();
    each_text(object, &mut |tag, vr, text| {
        if vr == VR::PN || IDENTIFIERS.contains(&tag) {
            secrets.extend(
                words(text).filter(|(_, word)| word.chars().count() >= 3).map(|(_, word)| folded(word).into_owned()),
            );
        } else if matches!(vr, VR::DA | VR::DT) && text.len() >= 8 && text.is_ascii() {
            secrets.insert(text[..8].to_owned());
        } else if vr == VR::UI && well_known(text).is_none() && text.len() > 4 {
            secrets.insert(text.to_owned());
        }
    });
    secrets
}

/// Names and the like that are still in an object, with where.
fn leaks(secrets: &BTreeSet<String>, out: &InMemDicomObject) -> Vec<String> {
    let mut leaks = Vec::new();
    each_text(out, &mut |tag, vr, text| {
        if matches!(vr, VR::DS | VR::IS | VR::TM) {
            return;
        }
        let found_words =
            words(text).map(|(_, word)| folded(word).into_owned()).filter(|word| !(vr == VR::CS && is_known(word)));
        let dates = matches!(vr, VR::DA | VR::DT).then(|| text.chars().take(8).collect());
        for piece in found_words.chain([text.to_owned()]).chain(dates) {
            if secrets.contains(&piece) {
                leaks.push(format!("{tag} {vr}"));
            }
        }
    });
    leaks
}

#[test]
fn no_sample_leaves_with_anything_of_its_patient() {
    let Some(samples) = samples() else { return };
    let scratch = tempfile::tempdir().unwrap();
    let (mut cleaned, mut refused, mut unread) = (0, Vec::new(), Vec::new());
    for path in files(&samples, scratch.path()) {
        let Some((header, class)) = read_header(&path) else {
            unread.push(path);
            continue;
        };
        let secrets = secrets_of(&header);
        let out = match run(header, class.as_deref()) {
            Ok(out) => out,
            Err(why) => {
                refused.push((path, why));
                continue;
            }
        };
        let mut out = out;
        // The program's own marks are no leak, even for patients called "Test^Patient" or "Modified".
        for mark in [
            tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE,
            tags::DEIDENTIFICATION_METHOD,
            tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED,
        ] {
            out.header.remove_element(mark);
        }
        let leaks = leaks(&secrets, &out.header);
        assert!(leaks.is_empty(), "{}: {leaks:?}", path.display());
        let mut bytes = Vec::new();
        let explicit = TransferSyntaxRegistry.get("1.2.840.10008.1.2.1").unwrap();
        out.header.write_dataset_with_ts(&mut bytes, explicit).unwrap();
        let written = String::from_utf8_lossy(&bytes);
        for secret in secrets.iter().filter(|secret| secret.len() >= 7 && secret.contains('.')) {
            assert!(!written.contains(secret.as_str()), "{}: a UID", path.display());
        }
        let back = InMemDicomObject::read_dataset_with_ts(&bytes[..], explicit).unwrap();
        assert_eq!(back.tags().count(), out.header.tags().count(), "{}", path.display());
        cleaned += 1;
    }
    for (path, why) in &refused {
        println!("left out {}: {why}", path.display());
    }
    println!("{cleaned} cleaned, {} left out, {} unread: {unread:?}", refused.len(), unread.len());
    assert!(cleaned > 280, "{cleaned}");
    assert!(refused.iter().any(|(path, why)| path.ends_with("letter.dcm") && *why == LeftOut::EncapsulatedDocument));
    assert!(
        refused
            .iter()
            .any(|(path, why)| path.ends_with("private-object-philips.dcm") && *why == LeftOut::PrivateSopClass)
    );
}

#[test]
fn samples_with_burned_in_text_are_held_back() {
    let Some(samples) = samples() else { return };
    for path in walkdir::WalkDir::new(samples.join("burned-in")).into_iter().flatten() {
        if path.path().extension().is_none_or(|extension| extension != "dcm") {
            continue;
        }
        let file = dicom_object::open_file(path.path()).unwrap();
        let number = |tag| file.get(tag).and_then(|element| element.to_int::<u16>().ok()).unwrap_or_default();
        let pixels = file.element(tags::PIXEL_DATA).unwrap().to_bytes().unwrap();
        let eight_bit_range = super::burned_in::fits_in_eight_bits(&pixels, number(tags::BITS_ALLOCATED), false);
        let mut header = file.into_inner();
        header.remove_element(tags::PIXEL_DATA);
        let instance = Instance {
            header,
            meta_sop_class_uid: None,
            pixels: Some(PixelFacts { eight_bit_range }),
            reviewed: false,
        };
        let rules = Rules::new(Preset::consult(), Approvals::default());
        let out = deidentify(instance, &rules, &GroupSecrets::new(&Secret::new([1; 32]))).unwrap();
        assert!(!out.burned_in.is_empty(), "{}", path.path().display());
    }
}

#[test]
fn safe_private_attributes_of_the_samples_stay_and_reports_keep_their_numbers() {
    let Some(samples) = samples() else { return };
    let clean = |path: &str| {
        let (header, class) = read_header(&samples.join(path)).unwrap();
        run(header, class.as_deref()).unwrap()
    };
    let pet = clean("private/pet-private-creators-no-preamble.dcm");
    let private: Vec<_> = pet.header.tags().filter(|tag| tag.group() & 1 == 1).collect();
    assert!(private.contains(&Tag(0x7053, 0x1000)), "{private:?}");
    let csa = clean("private/siemens-csa.dcm");
    assert!(!csa.header.tags().any(|tag| tag.group() == 0x0029), "no CSA header");
    let ruler = clean("objects/sr/tid1500-ruler.dcm");
    let mut numbers = 0;
    each_text(&ruler.header, &mut |tag, _, _| numbers += usize::from(tag == tags::NUMERIC_VALUE));
    assert!(numbers > 0);
    let mut texts = 0;
    each_text(&ruler.header, &mut |tag, _, _| texts += usize::from(tag == tags::TEXT_VALUE));
    assert_eq!(texts, 0);
}

/// Error lines of dciodvfy without what differs by value.
fn dciodvfy_errors(path: &Path) -> Option<BTreeSet<String>> {
    let output = Command::new("dciodvfy").arg(path).output().ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    let normal = |line: &str| line.split(" = <").next().unwrap_or_default().trim().to_owned();
    Some(text.lines().filter(|line| line.starts_with("Error")).map(normal).collect())
}

#[test]
fn dciodvfy_finds_no_new_error_in_ct_and_mr_series() {
    let Some(samples) = samples() else { return };
    let scratch = tempfile::tempdir().unwrap();
    let mut checked = 0;
    for series in ["ct-series", "mr-series"] {
        let unpacked = scratch.path().join(series);
        std::fs::create_dir(&unpacked).unwrap();
        for path in files(&samples.join(series), &unpacked).into_iter().step_by(9) {
            let Ok(file) = dicom_object::open_file(&path) else { continue };
            let syntax = file.meta().transfer_syntax().to_owned();
            let mut header = file.into_inner();
            let pixels = header.take_element(tags::PIXEL_DATA).unwrap();
            let mut out = run(header, None).unwrap();
            out.header.put(pixels);
            let written = scratch.path().join("out.dcm");
            let meta = FileMetaTableBuilder::new().transfer_syntax(syntax);
            out.header.with_meta(meta).unwrap().write_to_file(&written).unwrap();
            let (Some(before), Some(after)) = (dciodvfy_errors(&path), dciodvfy_errors(&written)) else {
                println!("SKIPPED: dciodvfy is not installed");
                return;
            };
            let new: Vec<_> = after.difference(&before).collect();
            assert!(new.is_empty(), "{}: {new:?}", path.display());
            checked += 1;
        }
    }
    println!("{checked} files checked");
    assert!(checked > 10);
}

/// Run with `--release --nocapture` for the figure; it fails only far beyond it.
#[test]
fn a_header_takes_well_under_a_millisecond() {
    let Some(samples) = samples() else { return };
    let rules = Rules::new(Preset::consult(), Approvals::default());
    let group = GroupSecrets::new(&Secret::new([42; 32]));
    for path in [
        "ct-series/liver-3-slices/01.dcm",
        "transfer-syntaxes/same-ct-slice/explicit-le.dcm",
        "private/siemens-csa.dcm",
    ] {
        let (header, _) = read_header(&samples.join(path)).unwrap();
        let rounds = 500;
        let headers: Vec<_> = (0..rounds).map(|_| header.clone()).collect();
        let start = std::time::Instant::now();
        for header in headers {
            let instance =
                Instance { header, meta_sop_class_uid: None, pixels: Some(PixelFacts::default()), reviewed: false };
            std::hint::black_box(deidentify(instance, &rules, &group)).unwrap();
        }
        let each = start.elapsed() / rounds;
        println!("{path}: {each:?} a header of {} attributes", header.tags().count());
        assert!(each.as_millis() < 5, "{each:?}");
    }
}
