//! Every sample file through two vaults: taken in, left out or skipped with a reason; and what arrives at a colleague
//! decodes to what independent decoders read from the original (`truth.tsv`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use dicom_dictionary_std::tags;
use overread::node::api::{CaseNew, Failure, ImportRequest, PixelValues, Reply, Request};
use overread::study::part10;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Person, pair};

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/samples");

/// Images that leave nobody's machine before somebody looked at them, by their folder.
const BURNED_IN: &str = "burned-in/";

/// One sample on its way.
struct Sample {
    /// As `truth.tsv` calls it.
    name: String,
    file: PathBuf,
}

/// What the importer said of a sample.
enum Outcome {
    /// Its study here, and the new UID of its image.
    In { study: String, image: Option<String> },
    /// Left out or skipped.
    Out(String),
}

/// What `truth.tsv` says of the first frame.
struct Truth {
    shape: Vec<u64>,
    kind: String,
    minimum: f64,
    maximum: f64,
    mean: f64,
    sha256: String,
    is_lossy: bool,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sample_is_taken_in_or_left_out_with_a_reason_and_arrives_as_the_truth_has_it() {
    let Ok(table) = std::fs::read_to_string(Path::new(SAMPLES).join("truth.tsv")) else {
        eprintln!("SKIPPED: no samples at {SAMPLES}: nothing was checked");
        return;
    };
    let truths = truths(&table);
    let folder = TempDir::new().unwrap();
    let sender = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let reader = Person::new("Dr. Ben Okafor", "University Clinic").await;
    pair(&sender, &reader).await;
    let (mut taken_in, mut compared, mut reasons) = (0, 0, BTreeMap::new());
    for batch in batches(samples(folder.path())) {
        let mut arrived = Vec::new();
        for sample in &batch {
            match import(&sender, sample).await {
                Outcome::In { study, image } => {
                    taken_in += 1;
                    arrived.push((sample, study, image));
                }
                Outcome::Out(why) => {
                    assert!(!why.is_empty(), "{}: no reason", sample.name);
                    reasons.insert(sample.name.clone(), why);
                }
            }
        }
        let studies: BTreeSet<String> = arrived.iter().map(|(_, study, _)| study.clone()).collect();
        let case = share(&sender, &reader, studies.iter().cloned().collect()).await;
        for (sample, study, image) in arrived {
            let (Some(image), Some(truth)) = (image, truths.get(&sample.name)) else { continue };
            let request = Request::StudyImage {
                study,
                sop_instance_uid: image,
                frame: 1,
                values: PixelValues::Stored,
                window: None,
            };
            let there = reader.ask(request).await.unwrap_or_else(|failure| panic!("{}: {failure}", sample.name));
            if let Some(difference) = difference(truth, &there.document()) {
                panic!("{}: {difference}", sample.name);
            }
            compared += 1;
        }
        for person in [&reader, &sender] {
            person.json(Request::CasePurge { case: case.clone() }).await;
        }
        for study in studies {
            sender.json(Request::StudyRemove { study }).await;
        }
    }
    for (name, why) in &reasons {
        eprintln!("not taken in: {name}: {why}");
    }
    eprintln!("{taken_in} taken in, {} not, {compared} compared with the truth", reasons.len());
    assert!(taken_in >= 150 && compared >= 125, "{taken_in} taken in, {compared} compared");
}

/// Every sample that is one DICOM object, or is meant to look like one; archives of whole series have a test of theirs.
fn samples(folder: &Path) -> Vec<Sample> {
    let mut samples = Vec::new();
    for entry in walkdir::WalkDir::new(SAMPLES).sort_by_file_name() {
        let entry = entry.unwrap();
        let name = entry.path().strip_prefix(SAMPLES).unwrap().to_str().unwrap().to_owned();
        let is_other = ["INDEX.md", "truth.tsv"].contains(&name.as_str())
            || name.ends_with(".tar.xz")
            || name.ends_with(".zip")
            || name.ends_with("DICOMDIR");
        if entry.file_type().is_dir() || is_other {
            continue;
        }
        let mut file = entry.path().to_owned();
        if name.ends_with(".xz") {
            let unpacked = Command::new("xz").arg("-dc").arg(&file).output().expect("xz unpacks the samples");
            file = folder.join(name.replace('/', "_").trim_end_matches(".xz"));
            std::fs::write(&file, unpacked.stdout).unwrap();
        }
        samples.push(Sample { name, file });
    }
    samples
}

/// Samples in groups in which no two are the same image in two forms.
fn batches(samples: Vec<Sample>) -> Vec<Vec<Sample>> {
    let mut batches: Vec<(BTreeSet<String>, Vec<Sample>)> = Vec::new();
    for sample in samples {
        let uid = sop_instance_uid(&sample.file).unwrap_or_else(|| sample.name.clone());
        let free = batches.iter().position(|(uids, _)| !uids.contains(&uid));
        let place = free.unwrap_or_else(|| {
            batches.push(Default::default());
            batches.len() - 1
        });
        batches[place].0.insert(uid);
        batches[place].1.push(sample);
    }
    batches.into_iter().map(|(_, samples)| samples).collect()
}

fn sop_instance_uid(file: &Path) -> Option<String> {
    let bytes = std::fs::read(file).ok()?;
    part10::uid_of(&part10::read(&bytes).ok()?.header, tags::SOP_INSTANCE_UID)
}

/// Imports one file; what was held back is admitted as if somebody had looked, after it was seen to be held back.
async fn import(sender: &Person, sample: &Sample) -> Outcome {
    let before = images(sender).await;
    let request = ImportRequest { paths: vec![sample.file.clone()], ..ImportRequest::default() };
    let report = match sender.ask(Request::Import(request)).await {
        Ok(report) => report.document(),
        Err(failure) => {
            assert!(!failure.what.contains("unexpectedly"), "{}: a panic: {failure}", sample.name);
            return Outcome::Out(failure.details["skipped"].join("; "));
        }
    };
    let Some(study) = report["studies"].get(0) else { return Outcome::Out(report["skipped"][0]["why"].to_string()) };
    let id = study["id"].as_str().unwrap().to_owned();
    if sample.name.starts_with(BURNED_IN) && !sample.name.contains("sr-") {
        assert_eq!(study["instances"], 0, "{}: passed unreviewed", sample.name);
    }
    let new = |after: BTreeSet<(String, String)>| after.difference(&before).next().cloned();
    if let Some((_, image)) = new(images(sender).await) {
        return Outcome::In { study: id, image: Some(image) };
    }
    if study["left_out"].as_array().is_some_and(Vec::is_empty) {
        return Outcome::In { study: id, image: None };
    }
    let why = study["left_out"][0]["why"].as_str().unwrap().to_owned();
    if id.is_empty() {
        return Outcome::Out(why); // nothing of the study is held at all
    }
    let shown = sender.json(Request::StudyShow { study: id.clone(), identity: false }).await;
    let series = shown["series_list"].as_array().unwrap().iter();
    let held_back = series.filter(|series| series["left_out"] != 0);
    let series = held_back.map(|series| series["series_instance_uid"].as_str().unwrap().to_owned()).collect();
    match sender.ask(Request::StudyInclude { study: id.clone(), series }).await {
        Ok(_) => Outcome::In { study: id, image: new(images(sender).await).map(|(_, image)| image) },
        // Some kinds of objects are never shared, whoever looked.
        Err(failure) => Outcome::Out(format!("{why}; {}", failure.what)),
    }
}

/// Every image of every study here.
async fn images(person: &Person) -> BTreeSet<(String, String)> {
    let mut images = BTreeSet::new();
    let studies = person.json(Request::StudyList).await;
    for study in studies["studies"].as_array().unwrap() {
        let study = study["id"].as_str().unwrap().to_owned();
        let shown = person.json(Request::StudyShow { study: study.clone(), identity: false }).await;
        for series in shown["series_list"].as_array().unwrap() {
            for image in series["sop_instance_uids"].as_array().unwrap() {
                images.insert((study.clone(), image.as_str().unwrap().to_owned()));
            }
        }
    }
    images
}

/// A case with the studies at both, every image fetched; gives its id.
async fn share(sender: &Person, reader: &Person, studies: Vec<String>) -> String {
    let new = CaseNew {
        ask: "What is it?".into(),
        studies,
        invite: vec!["Okafor".into()],
        other_patient: true,
        ..CaseNew::default()
    };
    let created = sender.json(Request::CaseNew(new)).await;
    let case = created["case"].as_str().unwrap().to_owned();
    let fetch = Request::Fetch { case: case.clone(), series: Vec::new(), key_images: false };
    reader.begin(fetch, 120).await.end().await.unwrap();
    case
}

fn truths(table: &str) -> BTreeMap<String, Truth> {
    let row = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let is_lossy = fields[9] == "lossy";
        let truth = Truth {
            shape: fields[2].split('x').filter_map(|n| n.parse().ok()).collect(),
            kind: fields[3].into(),
            minimum: fields[4].parse().ok()?,
            maximum: fields[5].parse().ok()?,
            mean: fields[6].parse().ok()?,
            sha256: fields[7].into(),
            is_lossy,
        };
        (is_lossy || fields[9] == "yes").then(|| (fields[0].to_owned(), truth))
    };
    table.lines().skip(1).filter_map(row).collect()
}

/// What differs from the truth, in words; nothing if it is the same.
fn difference(truth: &Truth, image: &Value) -> Option<String> {
    let of = |name: &str| image[name].as_u64().unwrap();
    let mut shape = vec![of("rows"), of("columns")];
    if of("samples") > 1 {
        shape.push(of("samples"));
    }
    if shape != truth.shape {
        return Some(format!("{shape:?} instead of {:?}", truth.shape));
    }
    let values: Vec<f64> = image["values"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
    let bytes: Vec<u8> = match truth.kind.as_str() {
        "uint8" => values.iter().map(|value| *value as u8).collect(),
        "int8" => values.iter().map(|value| *value as i8 as u8).collect(),
        "uint16" => values.iter().flat_map(|value| (*value as u16).to_le_bytes()).collect(),
        "int16" => values.iter().flat_map(|value| (*value as i16).to_le_bytes()).collect(),
        "uint32" => values.iter().flat_map(|value| (*value as u32).to_le_bytes()).collect(),
        "int32" => values.iter().flat_map(|value| (*value as i32).to_le_bytes()).collect(),
        "float32" => values.iter().flat_map(|value| (*value as f32).to_le_bytes()).collect(),
        _ => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    };
    let hash = ring::digest::digest(&ring::digest::SHA256, &bytes);
    if data_encoding::HEXLOWER.encode(hash.as_ref()) == truth.sha256 {
        return None;
    }
    let minimum = values.iter().copied().fold(f64::INFINITY, f64::min);
    let maximum = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    // Decoders of a lossy codestream may round differently, by 1 as the table tells.
    let is_close = (minimum - truth.minimum).abs() <= 1.0
        && (maximum - truth.maximum).abs() <= 1.0
        && (mean - truth.mean).abs() <= 0.05;
    (!truth.is_lossy || !is_close).then(|| format!("{minimum} to {maximum}, mean {mean}, with other values"))
}

/// Weight and dose as the header of the sample has them, here reckoned by hand; 4521 s from injection to series.
#[tokio::test(flavor = "multi_thread")]
async fn uptake_values_of_a_pet_image_are_given_with_their_basis_and_of_others_refused() {
    let pet = Path::new(SAMPLES).join("private/pet-private-creators-no-preamble.dcm");
    if !pet.exists() {
        eprintln!("SKIPPED: no samples at {SAMPLES}: nothing was checked");
        return;
    }
    let sender = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let values = async |study: &str, values: PixelValues| {
        let detail = sender.json(Request::StudyShow { study: study.into(), identity: false }).await;
        let image = detail["series_list"][0]["images"][0]["sop_instance_uid"].as_str().unwrap();
        let (study, sop_instance_uid) = (study.to_owned(), image.to_owned());
        sender.ask(Request::StudyImage { study, sop_instance_uid, frame: 1, values, window: None }).await
    };
    let of = |reply: Result<Reply, Failure>| match reply {
        Ok(Reply::Image(image)) => image,
        other => panic!("no image: {other:?}"),
    };
    let study = sender.import(pet).await;
    let activity = of(values(&study, PixelValues::Modality).await);
    let uptake = of(values(&study, PixelValues::Suv).await);
    assert_eq!((activity.unit.as_str(), uptake.unit.as_str()), ("Bq/ml", "g/ml{SUVbw}"));
    let factor = 9.293 * 1000.0 / (90_100_000.0 * 2f64.powf(-4521.0 / 6_586.199_707));
    let highest = activity.values.iter().copied().fold(0.0, f64::max);
    let highest_uptake = uptake.values.iter().copied().fold(0.0, f64::max);
    assert!(highest > 0.0 && (highest_uptake / (highest * factor) - 1.0).abs() < 1e-6, "{highest_uptake}");
    assert!(uptake.basis.is_some_and(|basis| basis.contains("9.293 kg") && basis.contains("4521 s")));
    assert_eq!((uptake.windows.len(), uptake.windows[0].width), (1, Some(29939.9)));
    let study = sender.import(Path::new(SAMPLES).join("ct-series/liver-3-slices")).await;
    let refused = values(&study, PixelValues::Suv).await.expect_err("a CT has no uptake");
    assert_eq!(refused.what, "This is not a PET image.");
}
