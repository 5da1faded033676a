//! Reformats of real series against scipy: a head phantom in even slices, a head with a tilted gantry and two slice
//! thicknesses, an oblique prostate.

use std::path::{Path, PathBuf};
use std::process::Command;

use overread::study::pixels::Image;
use overread::study::plane::Plane;
use overread::view::mpr::{Cut, Projection, Reformat, Slab};
use overread::view::stack::Stack;
use overread::view::volume::Volume;
use serde_json::json;
use tempfile::TempDir;

/// A sample series and what is known of it.
struct Series {
    name: &'static str,
    archive: &'static str,
    regular: bool,
    /// Largest difference, as a share of the span of values.
    tolerance: f64,
    /// Least share of a cut through the middle that lies in the volume.
    least_share: f64,
    remarks: &'static [&'static str],
}

const SERIES: [Series; 3] = [
    Series {
        name: "philips",
        archive: "ct-series/philips-head-phantom-1mm-100.tar.xz",
        regular: true,
        tolerance: 1e-5,
        least_share: 0.9,
        remarks: &[],
    },
    Series {
        name: "ge",
        archive: "ct-series/ge-head-gantry-tilt-28.tar.xz",
        regular: false,
        tolerance: 1e-5,
        least_share: 0.3,
        remarks: &[
            "slices are unevenly spaced, 1.08 to 7.00 mm apart",
            "slices are sheared by 18.5° (tilted gantry); put right",
        ],
    },
    Series {
        name: "adc",
        archive: "mr-series/prostate-adc-20.tar.xz",
        regular: false,
        // Its directions, written with six digits, are not quite at a right angle: 0.002 pixels at the far corner, in
        // noise that goes from one end of the scale to the other between two pixels.
        tolerance: 2e-3,
        least_share: 0.5,
        remarks: &[],
    },
];

const CUTS: [Cut; 4] = [Cut::Axial, Cut::Coronal, Cut::Sagittal, Cut::Acquisition];

#[test]
fn reformats_of_real_series_are_what_scipy_makes_of_them() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples");
    let has_judge = Command::new("python3").args(["-c", "import numpy, scipy, pydicom"]).status();
    if !samples.exists() || !has_judge.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: the samples, or python3 with scipy and pydicom, are not here; no reformat was compared");
        return;
    }
    for series in SERIES {
        let folder = TempDir::new().unwrap();
        let source = folder.path().join(series.name);
        std::fs::create_dir(&source).unwrap();
        let unpacked = Command::new("tar").arg("xJf").arg(samples.join(series.archive)).arg("-C").arg(&source).status();
        assert!(unpacked.unwrap().success());
        let volume = volume(&source);
        assert_eq!(volume.stack().remarks().shown(), series.remarks, "{}", series.name);
        let cuts: Vec<_> = CUTS.iter().flat_map(|cut| write_cuts(&volume, *cut, &series, folder.path())).collect();
        std::fs::write(folder.path().join("cuts.json"), json!(cuts).to_string()).unwrap();
        let judge = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/volumes/judge.py");
        let judged = Command::new("python3").arg(judge).arg(&source).arg(folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&judged.stdout);
        assert!(judged.status.success(), "{said}{}", String::from_utf8_lossy(&judged.stderr));
        eprintln!("{said}");
    }
}

fn volume(source: &Path) -> Volume {
    let files: Vec<PathBuf> = walkdir::WalkDir::new(source)
        .sort_by_file_name()
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.is_file())
        .collect();
    let files: Vec<Vec<u8>> = files.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let images: Vec<Image<'_>> = files.iter().map(|file| Image::read(file).unwrap()).collect();
    let planes: Vec<Plane> = images.iter().map(|image| Plane::of(image.header(), 1).unwrap()).collect();
    let mut volume = Volume::of(Stack::of(&planes).unwrap()).unwrap();
    for (slice, (image, plane)) in images.iter().zip(&planes).enumerate() {
        let frame = image.frame(1).unwrap();
        volume.insert(slice, plane, &frame.values_without_padding().unwrap(), frame.unit()).unwrap();
    }
    assert_eq!(volume.awaited(), 0);
    volume
}

/// Writes cuts through a volume, the middle one also as a slab where that lies along the slices.
fn write_cuts(volume: &Volume, cut: Cut, series: &Series, folder: &Path) -> Vec<serde_json::Value> {
    let planes = cut.planes(volume.stack()).unwrap();
    let middle = planes.count() / 2;
    let mut cuts = Vec::new();
    for (index, slab_mm) in [(middle, None), (planes.count() / 3, None), (middle, Some(9.0))] {
        if slab_mm.is_some() && cut != Cut::Acquisition {
            continue;
        }
        let plane = planes.plane(index).unwrap();
        let slab = slab_mm.map(|thickness_mm| Slab { thickness_mm, projection: Projection::Maximum });
        let reformat = Reformat::of(volume, &plane, slab).unwrap();
        let name = format!("{} {} {index} {}", series.name, cut.name(), reformat.basis());
        let file = format!("{}.values", name.replace([' ', ','], "-"));
        let bytes: Vec<u8> = reformat.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        std::fs::write(folder.join(&file), bytes).unwrap();
        // Finely enough to meet every slice.
        let sheets: Vec<f64> = match slab_mm {
            Some(mm) => {
                let here = volume.stack().first().height_mm(plane.origin_mm());
                let along = volume.stack().places().iter().map(|place| place.along_mm);
                let turned = if volume.stack().along() == volume.stack().first().normal() { 1.0 } else { -1.0 };
                let heights = along.map(|along_mm| along_mm * turned - here).filter(|height| height.abs() < mm / 2.0);
                heights.chain([-mm / 2.0, mm / 2.0]).collect()
            }
            None => vec![0.0],
        };
        cuts.push(json!({
            "name": name,
            "file": file,
            "origin": plane.origin_mm(),
            "across": plane.across(),
            "down": plane.down(),
            "pixel_mm": plane.between_rows_mm(),
            "columns": plane.columns(),
            "rows": plane.rows(),
            "regular": series.regular,
            "tolerance": series.tolerance,
            // Beside the middle of a tilted stack there may be little.
            "least_share": if index == middle { series.least_share } else { 0.05 },
            "sheets_mm": sheets,
        }));
    }
    cuts
}
