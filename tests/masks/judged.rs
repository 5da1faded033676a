//! Masked samples before judges: pydicom with numpy, dcmtk, dicom3tools. By the command line alone.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::program::Home;

/// Samples, the rectangles over them, and whether they wait for a look before.
const SAMPLES: &[(&str, &[&str], bool)] = &[
    ("multiframe/us-cine-30-frames-jpeg.dcm", &["0,0,320,24", "300,200,90,90"], true),
    ("multiframe/sc-rgb-2-frames-rle.dcm", &["10,20,33,7"], true),
    ("multiframe/enhanced-mr-10-frames-rle.dcm", &["0,0,64,5", "3,3,9,9"], false),
    ("transfer-syntaxes/same-ct-slice/rle.dcm", &["7,9,100,30"], false),
    ("transfer-syntaxes/same-ct-slice/explicit-be.dcm", &["7,9,100,30"], false),
    ("radiographs/dx-monochrome1-small.dcm", &["0,150,211,19"], false),
    ("burned-in/cr-chest-monochrome1.dcm", &["0,0,200,60"], true),
    ("colour/us-palette.dcm", &["0,0,800,30"], true),
    ("colour/us-rgb-planar1.dcm", &["0,0,256,9"], true),
    ("colour/sc-ybr-full.dcm", &["40,40,11,11"], true),
    ("burned-in/us-grey-test-patient.dcm", &["0,0,300,40"], true),
    ("transfer-syntaxes/same-mr-64x64/implicit-le.dcm", &["0,0,64,4"], true),
];

#[test]
fn independent_readers_find_every_frame_black_under_the_mask_and_equal_beside_it() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples");
    let tools =
        ["dcmdump", "dcm2pnm", "dciodvfy"].iter().all(|tool| Command::new(tool).arg("--version").output().is_ok());
    let reads = Command::new("python3").args(["-c", "import numpy, pydicom.pixels"]).output();
    if !samples.exists() || !tools || !reads.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none() || !samples.exists(), "CI needs pydicom, dcmtk and dicom3tools");
        eprintln!("SKIPPED: the samples, pydicom, dcmtk or dicom3tools are not here; no mask was judged");
        return;
    }
    let folder = TempDir::new().unwrap();
    let home = Home::of(folder.path(), "asker", "Dr. Anna Weiss", "City Hospital");
    let _node = home.node(&[]);
    for (at, (name, rectangles, waits)) in SAMPLES.iter().enumerate() {
        let sample = samples.join(name);
        let imported = home.json(&["import", sample.to_str().unwrap()]).output().unwrap();
        let imported: Value = serde_json::from_slice(&imported.stdout).unwrap();
        let study = imported["studies"][0]["id"].as_str().unwrap();
        assert_eq!(imported["studies"][0]["instances"], u64::from(!waits), "{name}: {imported}");
        let shown = home.run(0, &["study", "show", study]);
        let series = shown["series_list"][0]["series_instance_uid"].as_str().unwrap();
        if *waits {
            home.run(0, &["study", "include", study, series, "--burned-in-checked"]);
        }
        // As it would go out without a mask: what the judges say of that is not the mask's doing.
        let export = |name: &str| {
            let out = folder.path().join(format!("{name}-{at}"));
            home.run(0, &["study", "export", study, out.to_str().unwrap()]);
            out.join("series-001/00001.dcm")
        };
        let unmasked = export("unmasked");
        let mut mask = vec!["study", "mask", study, "--series", series, "--burned-in-checked"];
        mask.extend(rectangles.iter().flat_map(|rectangle| ["--rect", rectangle]));
        assert_eq!(home.run(0, &mask)["images"].as_array().unwrap().len(), 1, "{name}");
        assert_eq!(home.run(0, &["study", "show", study])["masked"].as_array().unwrap().len(), 1, "{name}");
        let judge = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/masks/judge.py");
        let mut judging = Command::new("python3");
        judging.arg(judge).args([unmasked, export("masked")]).args(*rectangles);
        let judged = judging.output().unwrap();
        let said = [judged.stdout, judged.stderr].concat();
        assert!(judged.status.success(), "{name}: {}", String::from_utf8_lossy(&said));
        home.run(0, &["study", "rm", study]);
    }
}
