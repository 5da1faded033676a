//! Every sample series through two homes, by the command line alone: what arrives is the same picture of nobody.
//!
//! Two nodes run as processes; everything else is `overread --json …` as a script would call it. Judges are
//! pydicom (pixels, words of the original left in a header), `dcmdump` and `dciodvfy` (no new errors).

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::program::{Home, pair};

#[test]
fn each_series_arrives_with_equal_pixels_and_no_word_of_the_patient() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples");
    let judges = ["dcmdump", "dciodvfy"].iter().all(|tool| Command::new(tool).arg("--version").output().is_ok());
    if !samples.exists() || !judges {
        assert!(std::env::var_os("CI").is_none() || !samples.exists(), "CI needs dcmtk and dicom3tools");
        eprintln!("SKIPPED: the samples, dcmtk or dicom3tools are not here; no series was checked");
        return;
    }
    let folder = TempDir::new().unwrap();
    let asker = Home::of(folder.path(), "asker", "Dr. Anna Weiss", "City Hospital");
    let reader = Home::of(folder.path(), "reader", "Dr. Ben Okafor", "University Clinic");
    let _nodes = (asker.node(&[]), reader.node(&[]));
    pair(&asker, &reader);
    let series = [
        ("liver", "ct-series/liver-3-slices"),
        ("ge", "ct-series/ge-head-gantry-tilt-28.tar.xz"),
        ("philips", "ct-series/philips-head-phantom-1mm-100.tar.xz"),
        ("abdomen", "mr-series/abdomen-localizers-11.zip"),
        ("adc", "mr-series/prostate-adc-20.tar.xz"),
    ];
    for (name, path) in series {
        let source = unpacked(&samples.join(path), &folder.path().join(name));
        consult(&asker, &reader, name, &source, folder.path());
    }
}

fn consult(asker: &Home, reader: &Home, name: &str, source: &Path, folder: &Path) {
    let imported = asker.json(&["import", source.to_str().unwrap()]).output().unwrap();
    let imported: Value = serde_json::from_slice(&imported.stdout).unwrap();
    let study = imported["studies"][0]["id"].as_str().unwrap();
    // A derived series waits for somebody to look at it, and is refused until then.
    if imported["studies"][0]["instances"] == 0 {
        asker.run(5, &["case", "new", "--ask", "What is it?", "--study", study, "--invite", "Okafor"]);
        let sheets = folder.join(format!("{name}-sheets"));
        asker.run(0, &["study", "review", study, "-o", sheets.to_str().unwrap()]);
        let shown = asker.run(0, &["study", "show", study]);
        let held_back = shown["series_list"][0]["series_instance_uid"].as_str().unwrap();
        asker.run(0, &["study", "include", study, held_back, "--burned-in-checked"]);
    }
    let created = asker.run(0, &["case", "new", "--ask", "What is it?", "--study", study, "--invite", "Okafor"]);
    let case = created["case"].as_str().unwrap();
    assert_eq!(created["delivery"][0]["state"], "delivered", "{name}");
    reader.run(0, &["case", "accept", case]);
    assert_eq!(reader.run(0, &["fetch", case, "--wait", "60"])["complete"], true, "{name}");

    let exported = folder.join(format!("{name}-exported"));
    reader.run(0, &["study", "export", study, exported.to_str().unwrap()]);
    let judge = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/series/judge.py");
    let judged = Command::new("python3").arg(judge).arg(source).arg(&exported).output().unwrap();
    assert!(judged.status.success(), "{name}: {}", String::from_utf8_lossy(&judged.stdout));

    let shown = reader.run(0, &["study", "show", study]);
    let image = shown["series_list"][0]["sop_instance_uids"][0].as_str().unwrap();
    let marked = reader.run(0, &["mark", "add", case, "--image", image, "--kind", "length", "--points", "10,10 60,40"]);
    assert_eq!(marked["mark"]["unit"], "mm", "{name}");
    reader.run(0, &["opinion", "sign", case, "--impression", "Nothing of note.", "--agree"]);
    reader.run(0, &["say", case, "Thank you for asking"]);
    asker.run(0, &["case", "close", case]);
    let (here, there) = (asker.run(0, &["case", "show", case]), reader.run(0, &["case", "show", case]));
    assert_eq!((here["status"].as_str(), here["opinions"].as_array().map(Vec::len)), (Some("closed"), Some(1)));
    assert!(here["state_hash"].is_string());
    assert_eq!(here["state_hash"], there["state_hash"], "{name}");
}

/// A sample as a folder: archives are unpacked first.
fn unpacked(sample: &Path, folder: &Path) -> PathBuf {
    if sample.is_dir() {
        return sample.to_owned();
    }
    std::fs::create_dir(folder).unwrap();
    let mut unpack = match sample.extension().and_then(|extension| extension.to_str()) {
        Some("zip") => Command::new("python3"),
        _ => Command::new("tar"),
    };
    match unpack.get_program().to_str() {
        Some("python3") => unpack.args(["-m", "zipfile", "-e"]).arg(sample).arg(folder),
        _ => unpack.arg("-xJf").arg(sample).arg("-C").arg(folder),
    };
    assert!(unpack.status().unwrap().success(), "{}", sample.display());
    folder.to_owned()
}
