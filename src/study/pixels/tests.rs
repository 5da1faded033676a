//! The pipeline against `truth.tsv`, what independent decoders make of frame 1 of every sample.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/samples");

fn sample(name: &str) -> Option<Vec<u8>> {
    let bytes = std::fs::read(Path::new(SAMPLES).join(name)).ok();
    if bytes.is_none() {
        eprintln!("SKIPPED: no sample {name}");
    }
    bytes
}

/// Images that the truth's reader could not open and this one can, with the hash of what is in the file.
const MORE: &[(&str, &str)] = &[
    // One stray byte before the data set; the rest is whole.
    ("broken/no-meta.dcm", "7a481f6ffff833aef4d8bd54819bd8f472aaa7232090208e056c90eacf079926"),
    // The last of ten frames is cut off; the first is that of `multiframe/enhanced-mr-10-frames.dcm`.
    ("broken/j2k-last-fragment-too-short.dcm", "c789183acdfdfb1cb565fc6615e0c4b71914f42bf96ede4c0041e2009ea79843"),
    // A private sequence breaks full parsers; the pixels are big endian.
    ("broken/undefined-length-nested-private.dcm", "1add6ede29758c6f0c68f01749ddc6c907e68a312be4eb9da8489e376e0bbd34"),
];

/// Of the 128 slices of two archives, all of one codec, every eighth is enough.
fn is_checked(index: usize, path: &str) -> bool {
    !path.starts_with("ct-series/philips") && !path.starts_with("ct-series/ge") || index.is_multiple_of(8)
}

struct Truth {
    path: String,
    shape: Vec<u32>,
    kind: String,
    minimum: f64,
    maximum: f64,
    mean: f64,
    sha256: String,
    photometric: String,
    agreement: String,
}

fn truths() -> Vec<Truth> {
    let Ok(table) = std::fs::read_to_string(Path::new(SAMPLES).join("truth.tsv")) else {
        eprintln!("SKIPPED: no truth.tsv at {SAMPLES}");
        return Vec::new();
    };
    let row = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        Truth {
            path: fields[0].to_string(),
            shape: fields[2].split('x').filter_map(|n| n.parse().ok()).collect(),
            kind: fields[3].to_string(),
            minimum: fields[4].parse().unwrap_or(f64::NAN),
            maximum: fields[5].parse().unwrap_or(f64::NAN),
            mean: fields[6].parse().unwrap_or(f64::NAN),
            sha256: fields[7].to_string(),
            photometric: fields[8].to_string(),
            agreement: fields[9].to_string(),
        }
    };
    table.lines().skip(1).map(row).collect()
}

/// Unpacks an archive of samples into a temporary folder.
fn unpacked(archive: &str) -> Option<tempfile::TempDir> {
    let folder = tempfile::tempdir().unwrap();
    let path = Path::new(SAMPLES).join(archive);
    let done = match archive.ends_with(".zip") {
        true => Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&path).arg(folder.path()).status(),
        false => Command::new("tar").arg("xJf").arg(&path).arg("-C").arg(folder.path()).status(),
    };
    if done.is_ok_and(|status| status.success()) {
        return Some(folder);
    }
    eprintln!("SKIPPED: {archive} cannot be unpacked here");
    None
}

fn file_of(truth: &Truth, archives: &mut BTreeMap<String, Option<tempfile::TempDir>>) -> Option<Vec<u8>> {
    let path = match truth.path.split_once('!') {
        None => PathBuf::from(SAMPLES).join(&truth.path),
        Some((archive, member)) => {
            let folder = archives.entry(archive.to_string()).or_insert_with(|| unpacked(archive));
            folder.as_ref()?.path().join(member)
        }
    };
    if path.extension().is_some_and(|extension| extension == "xz") {
        let output = Command::new("xz").arg("-dc").arg(&path).output();
        let output = output.ok().filter(|output| output.status.success());
        if output.is_none() {
            eprintln!("SKIPPED: {} cannot be unpacked here", path.display());
        }
        return output.map(|output| output.stdout);
    }
    std::fs::read(path).ok()
}

fn hex_sha256(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
}

/// What differs from the truth, in words; nothing if it is the same.
fn difference(truth: &Truth, frame: &Frame) -> Option<String> {
    let shape: Vec<u32> = match frame.samples() {
        1 => vec![frame.rows(), frame.columns()],
        samples => vec![frame.rows(), frame.columns(), samples],
    };
    let (kind, bytes) = frame.stored_array();
    let kind = match kind {
        "|u1" => "uint8",
        "|i1" => "int8",
        "<u2" => "uint16",
        "<i2" => "int16",
        "<u4" => "uint32",
        "<i4" => "int32",
        "<f4" => "float32",
        _ => "float64",
    };
    if shape != truth.shape || kind != truth.kind {
        return Some(format!("{shape:?} {kind} instead of {:?} {}", truth.shape, truth.kind));
    }
    if !truth.photometric.is_empty() && frame.photometric().as_str() != truth.photometric {
        return Some(format!("{} instead of {}", frame.photometric(), truth.photometric));
    }
    if hex_sha256(&bytes) == truth.sha256 {
        return None;
    }
    let minimum = frame.values.iter().fold(f64::INFINITY, f64::min);
    let maximum = frame.values.iter().fold(f64::NEG_INFINITY, f64::max);
    let mean = frame.values.iter().sum::<f64>() / frame.values.len() as f64;
    // Decoders of a lossy codestream may round differently; the table tells by how much others do: 1. JPEG 2000
    // and JPEG-LS near-lossless are exact all the same.
    let close = (minimum - truth.minimum).abs() <= 1.0
        && (maximum - truth.maximum).abs() <= 1.0
        && (mean - truth.mean).abs() <= 0.05;
    (truth.agreement != "lossy" || !close).then(|| {
        format!(
            "{minimum}..{maximum} mean {mean:.3} instead of {}..{} mean {} ({})",
            truth.minimum, truth.maximum, truth.mean, truth.agreement
        )
    })
}

#[test]
fn frame_1_of_every_sample_is_what_independent_decoders_make_of_it() {
    let mut archives = BTreeMap::new();
    let mut wrong = Vec::new();
    let (mut equal, mut close, mut refused) = (0, Vec::new(), BTreeMap::<String, u32>::new());
    for (_, truth) in truths().into_iter().enumerate().filter(|(index, truth)| is_checked(*index, &truth.path)) {
        let Some(file) = file_of(&truth, &mut archives) else { continue };
        let frame = read_frame(&file, 1);
        let decodable = matches!(truth.agreement.as_str(), "yes" | "one decoder" | "lossy");
        match (decodable, frame) {
            (true, Ok(frame)) => match difference(&truth, &frame) {
                None if hex_sha256(&frame.stored_array().1) == truth.sha256 => equal += 1,
                None => close.push(truth.path.clone()),
                Some(difference) => wrong.push(format!("{}: {difference}", truth.path)),
            },
            (false, Ok(frame)) => {
                let expected = MORE.iter().find(|(path, _)| *path == truth.path).map(|(_, hash)| *hash);
                let found = hex_sha256(&frame.stored_array().1);
                if expected != Some(found.as_str()) {
                    wrong.push(format!("{}: {found} instead of {expected:?}", truth.path));
                }
            }
            (false, Err(error)) => *refused.entry(error.to_string()).or_default() += 1,
            (true, Err(error)) => wrong.push(format!("{}: {error}", truth.path)),
        }
    }
    println!("{equal} frames agree to the bit; within rounding of a lossy codec: {close:?}; refused:");
    refused.iter().for_each(|(why, count)| println!("  {count} x {why}"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn lossy_grey_jpeg_is_pixel_by_pixel_what_dcmtk_makes_of_it() {
    for name in [
        "transfer-syntaxes/same-ct-slice/jpeg-baseline.dcm",
        "transfer-syntaxes/same-ct-slice/jpeg-extended-12bit.dcm",
        "transfer-syntaxes/same-ct-slice/jpeg-spectral-selection-12bit.dcm",
        "transfer-syntaxes/same-ct-slice/jpeg-progressive-12bit.dcm",
        "transfer-syntaxes/jpeg-extended-nm-12bit.dcm",
    ] {
        let Some(frame) = frame_of(name) else { return };
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("plain.dcm");
        let done = Command::new("dcmdjpeg").arg(Path::new(SAMPLES).join(name)).arg(&plain).output();
        if !done.is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED: dcmdjpeg is not here");
            return;
        }
        let theirs = read_frame(&std::fs::read(&plain).unwrap(), 1).unwrap();
        let apart = frame.values.iter().zip(theirs.values.iter()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(frame.values.len() == theirs.values.len() && apart <= 1.0, "{name}: {apart}");
    }
}

fn frame_of(name: &str) -> Option<Frame> {
    sample(name).map(|file| read_frame(&file, 1).unwrap())
}

fn sum(picture: &Picture) -> u64 {
    picture.bytes.iter().map(|&byte| u64::from(byte)).sum()
}

fn at(frame: &Frame, column: u32, row: u32) -> usize {
    row as usize * frame.columns() as usize + column as usize
}

// Expected sums and values are numpy's and pydicom's, from the same files.

#[test]
fn a_ct_slice_is_windowed_to_the_standards_formula() {
    let Some(frame) = frame_of("ct-series/liver-3-slices/01.dcm") else { return };
    assert_eq!((frame.unit(), frame.modality()[at(&frame, 200, 250)]), (Unit::Hounsfield, 47.0));
    for (window, expected) in
        [("400/40", 11_531_805), ("file:1", 11_531_805), ("abdomen", 11_531_805), ("lung", 32_970_276)]
    {
        let picture = frame.display(window.parse().unwrap()).unwrap();
        assert_eq!((picture.samples, sum(&picture)), (1, expected), "{window}");
    }
    assert_eq!(frame.display(Window::Default), frame.display(Window::File(1)));
    assert_eq!(frame.display(Window::File(2)), Err(WindowError::NotInFile { asked: 2, has: 1 }));
}

#[test]
fn a_preset_is_refused_where_there_are_no_hounsfield_units() {
    let Some(frame) = frame_of("transfer-syntaxes/same-mr-64x64/explicit-le.dcm") else { return };
    assert_eq!(frame.display(Window::Preset(Preset::Lung)), Err(WindowError::NeedsHounsfield { preset: "lung" }));
    // An Enhanced CT whose rescale type is US, unspecified.
    let Some(frame) = frame_of("multiframe/enhanced-ct-2-frames.dcm") else { return };
    assert_eq!((frame.unit(), frame.value_basis()), (Unit::Unspecified, "rescale slope 1, intercept -1024"));
}

#[test]
fn the_second_frame_is_the_second() {
    let Some(file) = sample("multiframe/enhanced-ct-2-frames.dcm") else { return };
    let image = Image::read(&file).unwrap();
    let frame = image.frame(2).unwrap();
    assert_eq!(frame.modality()[at(&frame, 250, 200)], 1022.0 - 1024.0);
    assert_eq!(image.frame(3).unwrap_err(), PixelError::NoSuchFrame { frame: 3, frames: 2 });
    assert_eq!(image.frame(0).unwrap_err(), PixelError::NoSuchFrame { frame: 0, frames: 2 });
}

#[test]
fn every_frame_of_a_fragmented_cine_is_found() {
    for name in ["multiframe/us-cine-30-frames-jpeg.dcm", "multiframe/enhanced-mr-19-frames-multifragment-j2k.dcm"] {
        let Some(file) = sample(name) else { return };
        let image = Image::read(&file).unwrap();
        let last = image.description().frames;
        let (first, last) = (image.frame(1).unwrap(), image.frame(last).unwrap());
        assert!(first.values != last.values, "{name}");
    }
}

#[test]
fn a_modality_table_is_looked_up() {
    let Some(frame) = frame_of("radiographs/cr-monochrome1-modality-lut-sequence.dcm") else { return };
    let values = frame.modality();
    assert_eq!(values.iter().sum::<f64>(), 2_224_358_655.0);
    assert_eq!([values[at(&frame, 100, 100)], values[at(&frame, 900, 800)]], [1023.0, 333.0]);
    assert_eq!(frame.value_basis(), "modality lookup table");
}

#[test]
fn a_voi_table_is_looked_up() {
    let Some(frame) = frame_of("radiographs/sc-voi-lut-sequence.dcm") else { return };
    assert_eq!(frame.windows(), 1);
    assert_eq!(sum(&frame.display(Window::Default).unwrap()), 33_772_018);
}

#[test]
fn monochrome1_is_inverted_after_the_window() {
    let Some(frame) = frame_of("radiographs/dx-monochrome1-small.dcm") else { return };
    assert_eq!(sum(&frame.display(Window::Default).unwrap()), 3_179_540);
}

#[test]
fn a_palette_becomes_colour() {
    for (name, expected) in [
        ("colour/us-palette.dcm", 17_214_150),
        ("colour/test-pattern-palette-16.dcm", 90_902_388),
        ("broken/no-pixel-spacing.dcm", 8_398_754),
    ] {
        let Some(frame) = frame_of(name) else { return };
        let picture = frame.display(Window::Default).unwrap();
        assert_eq!((picture.samples, sum(&picture)), (3, expected), "{name}");
    }
}

#[test]
fn ybr_becomes_rgb_and_rgb_stays() {
    let Some(frame) = frame_of("colour/sc-ybr-full-422.dcm") else { return };
    let picture = frame.display(Window::Default).unwrap();
    // Rounding of 30,000 samples may differ a little.
    assert!(sum(&picture).abs_diff(3_832_000) <= 1000, "{}", sum(&picture));
    let Some(frame) = frame_of("colour/us-rgb-planar1.dcm") else { return };
    let picture = frame.display(Window::Default).unwrap();
    assert_eq!(picture.bytes, frame.stored_array().1);
}

#[test]
fn the_files_windows_are_offered_by_name() {
    let Some(frame) = frame_of("radiographs/mg-12bit.dcm") else { return };
    let listed: Vec<String> = frame.choices().iter().map(ToString::to_string).collect();
    let windows = ["1: NORMAL 900/2653 sigmoid", "2: HARDER 750/2713 sigmoid", "3: SOFTER 1050/2569 sigmoid"];
    assert_eq!(listed, [windows, ["4: NORMAL table", "5: HARDER table", "6: SOFTER table"]].concat());
    let Some(frame) = frame_of("radiographs/sc-voi-lut-sequence.dcm") else { return };
    assert_eq!(frame.choices().iter().map(|choice| choice.width_level).collect::<Vec<_>>(), [None]);
    assert_eq!(frame.width_level(Window::Default), Ok(None));
}

#[test]
fn an_automatic_window_goes_from_the_lowest_value_to_the_highest() {
    let Some(frame) = frame_of("radiographs/cr-chest-monochrome1.dcm") else { return };
    let picture = frame.display(Window::Auto).unwrap();
    assert_eq!((picture.bytes.iter().min(), picture.bytes.iter().max()), (Some(&0), Some(&255)));
    let (width, level) = frame.width_level(Window::Auto).unwrap().unwrap();
    assert_eq!(frame.display(Window::Values { width, level }).unwrap(), picture);
}

#[test]
fn an_overlay_plane_is_what_pydicom_reads() {
    let Some(file) = sample("overlays/mr-overlay-and-icon.dcm") else { return };
    let image = Image::read(&file).unwrap();
    let plane = image.overlays(1).remove(0).unwrap();
    assert_eq!((plane.group, plane.kind, plane.rows, plane.columns), (0x6000, OverlayKind::Graphics, 300, 484));
    let layer = plane.layer(300, 484);
    let (count, weighted) = (0usize..).zip(&layer).fold((0, 0), |(count, weighted), (at, &ink)| match ink {
        1 => (count + 1, weighted + at),
        _ => (count, weighted),
    });
    assert_eq!((count, weighted), (222, 18_442_533));
    assert_eq!(image.shutter(1), None);
}

#[test]
fn an_image_knows_its_rate_and_how_much_it_lost() {
    let Some(file) = sample("multiframe/us-cine-30-frames-jpeg.dcm") else { return };
    let image = Image::read(&file).unwrap();
    assert_eq!((image.frames_a_second(), image.lossy_ratios()), (Some(1000.0 / 33.333), vec![19.0]));
    let owned = image.into_owned();
    drop(file);
    assert!(owned.frame(30).is_ok());
}

#[test]
fn values_beyond_a_supplemental_palettes_first_are_coloured() {
    let Some(file) = sample("multiframe/enhanced-ct-2-frames.dcm") else { return };
    let frame = Image::read(&file).unwrap().frame(1).unwrap();
    let picture = frame.display(Window::Default).unwrap();
    assert_eq!(picture.samples, 3);
    for (stored, rgb) in frame.values.iter().zip(picture.bytes.chunks_exact(3)) {
        assert!(stored >= 1024.0 || (rgb[0] == rgb[1] && rgb[1] == rgb[2]));
    }
    assert!(picture.bytes.chunks_exact(3).any(|rgb| rgb[0] != rgb[1] || rgb[1] != rgb[2]));
}

mod hostile {
    use dicom_core::{DataElement, PrimitiveValue, Tag};
    use proptest::prelude::*;

    use super::*;

    const EXPLICIT: &str = "1.2.840.10008.1.2.1";

    /// A grey image of 2 x 2 with 16 bits, with elements put over it.
    fn file(syntax: &str, over: &[(Tag, VR, PrimitiveValue)], pixels: &[u8]) -> Vec<u8> {
        let short = |tag, value: u16| DataElement::new(tag, VR::US, PrimitiveValue::from(value));
        let mut header = InMemDicomObject::from_element_iter([
            DataElement::new(tags::SOP_CLASS_UID, VR::UI, PrimitiveValue::from("1.2.840.10008.5.1.4.1.1.2")),
            DataElement::new(tags::MODALITY, VR::CS, PrimitiveValue::from("CT")),
            short(tags::SAMPLES_PER_PIXEL, 1),
            DataElement::new(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, PrimitiveValue::from("MONOCHROME2")),
            short(tags::ROWS, 2),
            short(tags::COLUMNS, 2),
            short(tags::BITS_ALLOCATED, 16),
            short(tags::BITS_STORED, 16),
            short(tags::HIGH_BIT, 15),
            short(tags::PIXEL_REPRESENTATION, 0),
        ]);
        for (tag, vr, value) in over {
            header.put(DataElement::new(*tag, *vr, value.clone()));
        }
        let mut bytes = vec![0; 128];
        bytes.extend(b"DICM\x02\0\x10\0UI");
        let syntax_bytes = [syntax.as_bytes(), &b"\0"[..syntax.len() % 2]].concat();
        bytes.extend(u16::try_from(syntax_bytes.len()).unwrap().to_le_bytes());
        bytes.extend(&syntax_bytes);
        let written = dicom_transfer_syntax_registry::entries::EXPLICIT_VR_LITTLE_ENDIAN.erased();
        header.write_dataset_with_ts(&mut bytes, &written).unwrap();
        let encapsulated = syntax != EXPLICIT;
        bytes.extend(b"\xe0\x7f\x10\0");
        bytes.extend(if encapsulated { *b"OB\0\0" } else { *b"OW\0\0" });
        if encapsulated {
            bytes.extend([0xff; 4]);
            bytes.extend(b"\xfe\xff\0\xe0\0\0\0\0\xfe\xff\0\xe0");
            bytes.extend(u32::try_from(pixels.len()).unwrap().to_le_bytes());
            bytes.extend(pixels);
            bytes.extend(b"\xfe\xff\xdd\xe0\0\0\0\0");
        } else {
            bytes.extend(u32::try_from(pixels.len()).unwrap().to_le_bytes());
            bytes.extend(pixels);
        }
        bytes
    }

    fn us(tag: Tag, value: u16) -> (Tag, VR, PrimitiveValue) {
        (tag, VR::US, PrimitiveValue::from(value))
    }

    fn text(tag: Tag, value: &str) -> (Tag, VR, PrimitiveValue) {
        (tag, VR::LO, PrimitiveValue::from(value))
    }

    const PIXELS: [u8; 8] = [1, 0, 2, 0, 255, 255, 0, 128];

    #[test]
    fn a_sound_image_is_read() {
        let frame = read_frame(&file(EXPLICIT, &[], &PIXELS), 1).unwrap();
        assert_eq!(frame.values, Values::I32(vec![1, 2, 65_535, 32_768]));
        let signed = read_frame(&file(EXPLICIT, &[us(tags::PIXEL_REPRESENTATION, 1)], &PIXELS), 1).unwrap();
        assert_eq!(signed.values, Values::I32(vec![1, 2, -1, -32_768]));
        let twelve = [us(tags::BITS_STORED, 12), us(tags::HIGH_BIT, 11), us(tags::PIXEL_REPRESENTATION, 1)];
        let twelve = read_frame(&file(EXPLICIT, &twelve, &PIXELS), 1).unwrap();
        assert_eq!(twelve.values, Values::I32(vec![1, 2, -1, 0]));
        let high = [us(tags::BITS_STORED, 12), us(tags::HIGH_BIT, 15)];
        let high = read_frame(&file(EXPLICIT, &high, &PIXELS), 1).unwrap();
        assert_eq!(high.values, Values::I32(vec![0, 0, 4095, 2048]));
    }

    #[test]
    fn a_palette_in_segments_is_a_palette() {
        let words = |words: &[u16]| PrimitiveValue::U16(words.iter().copied().collect());
        let table = |descriptor, data, segments: &[u16]| {
            [(descriptor, VR::US, words(&[4, 1, 16])), (data, VR::OW, words(segments))]
        };
        let over = [
            &[text(tags::PHOTOMETRIC_INTERPRETATION, "PALETTE COLOR")][..],
            &table(
                tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
                tags::SEGMENTED_RED_PALETTE_COLOR_LOOKUP_TABLE_DATA,
                &[0, 1, 0, 1, 3, 0x3000],
            ),
            &table(
                tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
                tags::SEGMENTED_GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA,
                &[0, 4, 0x100, 0x200, 0x300, 0x400],
            ),
            &table(
                tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
                tags::SEGMENTED_BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA,
                &[0, 2, 0x500, 0x600, 2, 1, 0, 0],
            ),
        ]
        .concat();
        let picture = read_frame(&file(EXPLICIT, &over, &PIXELS), 1).unwrap().display(Window::Default).unwrap();
        assert_eq!(picture.bytes, [0, 1, 5, 16, 2, 6, 48, 4, 6, 48, 4, 6]);
        let none = [text(tags::PHOTOMETRIC_INTERPRETATION, "PALETTE COLOR")];
        let frame = read_frame(&file(EXPLICIT, &none, &PIXELS), 1).unwrap();
        assert_eq!(frame.display(Window::Default), Err(WindowError::Palette));
    }

    #[test]
    fn an_old_overlay_stands_in_the_cells_and_never_in_the_values() {
        let twelve = [us(tags::BITS_STORED, 12), us(tags::HIGH_BIT, 11), us(Tag(0x6000, 0x0102), 15)];
        let file = file(EXPLICIT, &twelve, &PIXELS);
        let image = Image::read(&file).unwrap();
        assert_eq!(image.frame(1).unwrap().values, Values::I32(vec![1, 2, 4095, 0]));
        assert_eq!(image.overlays(1).remove(0).unwrap().layer(2, 2), [0, 0, 1, 1]);
        assert!(image.overlays(2)[0].is_err());
    }

    #[test]
    fn each_lie_of_a_header_is_refused_for_its_reason() {
        let attribute =
            |name| move |error: &PixelError| matches!(error, PixelError::Attribute { name: n, .. } if *n == name);
        let too_short = |error: &PixelError| matches!(error, PixelError::TooShort { .. });
        let too_large = |error: &PixelError| matches!(error, PixelError::TooLarge { .. });
        type Lie<'a> = (&'a str, &'a [(Tag, VR, PrimitiveValue)], &'a dyn Fn(&PixelError) -> bool);
        let cases: &[Lie<'_>] = &[
            ("no rows", &[us(tags::ROWS, 0)], &attribute("Rows")),
            ("rows in words", &[text(tags::ROWS, "two")], &attribute("Rows")),
            ("more rows than data", &[us(tags::ROWS, 3)], &too_short),
            ("more frames than data", &[text(tags::NUMBER_OF_FRAMES, "2")], &too_short),
            ("endless frames", &[text(tags::NUMBER_OF_FRAMES, "4000000000")], &attribute("NumberOfFrames")),
            ("far too large", &[us(tags::ROWS, 65_535), us(tags::COLUMNS, 65_535)], &too_large),
            ("two samples", &[us(tags::SAMPLES_PER_PIXEL, 2)], &attribute("SamplesPerPixel")),
            (
                "colour of one sample",
                &[text(tags::PHOTOMETRIC_INTERPRETATION, "RGB")],
                &attribute("PhotometricInterpretation"),
            ),
            ("grey of three samples", &[us(tags::SAMPLES_PER_PIXEL, 3)], &attribute("PhotometricInterpretation")),
            (
                "an unknown colour",
                &[text(tags::PHOTOMETRIC_INTERPRETATION, "CMYK")],
                &attribute("PhotometricInterpretation"),
            ),
            ("no bits", &[us(tags::BITS_ALLOCATED, 0)], &attribute("BitsAllocated")),
            ("too many bits", &[us(tags::BITS_ALLOCATED, 64)], &attribute("BitsAllocated")),
            ("more stored than allocated", &[us(tags::BITS_STORED, 17)], &attribute("BitsStored")),
            ("none stored", &[us(tags::BITS_STORED, 0)], &attribute("BitsStored")),
        ];
        for (lie, over, expected) in cases {
            let last = if *lie == "more frames than data" { 2 } else { 1 };
            let error = read_frame(&file(EXPLICIT, over, &PIXELS), last).unwrap_err();
            assert!(expected(&error), "{lie}: {error}");
        }
    }

    #[test]
    fn strange_rescales_and_windows_are_never_applied_by_halves() {
        let basis = |over: &[(Tag, VR, PrimitiveValue)]| {
            let frame = read_frame(&file(EXPLICIT, over, &PIXELS), 1).unwrap();
            (frame.unit(), frame.value_basis().to_string(), frame.windows())
        };
        let slope = |value| text(tags::RESCALE_SLOPE, value);
        let intercept = text(tags::RESCALE_INTERCEPT, "-1024");
        let stored = |why: &str| (Unit::Unspecified, why.to_string(), 0);
        assert_eq!(basis(&[slope("1")]), stored("stored values (no rescale in the file)"));
        assert_eq!(basis(&[slope("x"), intercept.clone()]), stored("stored values (no rescale in the file)"));
        assert_eq!(basis(&[slope("0"), intercept]), stored("stored values (the file's rescale slope is 0)"));
        let window = [text(tags::WINDOW_CENTER, "40\\50"), text(tags::WINDOW_WIDTH, "0\\-1\\400")];
        assert_eq!(basis(&window).2, 0);
    }

    const CODECS: [&str; 9] = [
        "1.2.840.10008.1.2.1.98",
        "1.2.840.10008.1.2.8.1",
        "1.2.840.10008.1.2.5",
        "1.2.840.10008.1.2.4.50",
        "1.2.840.10008.1.2.4.51",
        "1.2.840.10008.1.2.4.70",
        "1.2.840.10008.1.2.4.80",
        "1.2.840.10008.1.2.4.90",
        "1.2.840.10008.1.2.4.110",
    ];

    #[test]
    fn an_empty_frame_is_refused_by_every_codec() {
        for syntax in CODECS {
            assert!(read_frame(&file(syntax, &[], &[]), 1).is_err(), "{syntax}");
        }
        let mpeg = "1.2.840.10008.1.2.4.102";
        let refused = PixelError::UnsupportedSyntax { syntax: mpeg.to_string() };
        assert_eq!(read_frame(&file(mpeg, &[], &PIXELS), 1).unwrap_err(), refused);
    }

    /// Compressed samples of all codecs, small ones.
    const COMPRESSED: [&str; 8] = [
        "transfer-syntaxes/same-mr-64x64/rle.dcm",
        "transfer-syntaxes/same-mr-64x64/jpeg2000-lossless.dcm",
        "transfer-syntaxes/same-mr-64x64/jpeg-ls-lossless.dcm",
        "transfer-syntaxes/jpeg-ls-near-lossless-08.dcm",
        "colour/sc-rgb-small-odd-jpeg.dcm",
        "colour/sc-rgb-jpeg-gdcm.dcm",
        "transfer-syntaxes/jpeg-extended-nm-12bit.dcm",
        "multiframe/sc-rgb-2-frames-rle.dcm",
    ];

    #[test]
    fn damaged_codestreams_are_decoded_or_refused_and_never_panic() {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random >> 1).unwrap()
        };
        for name in COMPRESSED {
            let Some(sound) = sample(name) else { return };
            let body = sound.windows(4).position(|tag| tag == b"\xe0\x7f\x10\0").unwrap();
            for _ in 0..24 {
                let mut damaged = sound.clone();
                for _ in 0..1 + next() % 4 {
                    let place = body + next() % (damaged.len() - body);
                    damaged[place] = next() as u8;
                }
                if let Ok(frame) = read_frame(&damaged, 1) {
                    assert_eq!(frame.values.len(), frame.description.frame_samples());
                    let _ = frame.display(Window::Default);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(read_frame(&bytes, 1).is_err());
        }

        #[test]
        fn any_codestream_is_decoded_or_refused(codec in 0..CODECS.len(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_frame(&file(CODECS[codec], &[], &bytes), 1);
        }

        #[test]
        fn cells_of_any_width_come_back(
            width in 1u32..=32, cells in prop::collection::vec(any::<u32>(), 4), signed: bool,
        ) {
            let mask = u32::MAX >> (32 - width);
            let cells: Vec<u32> = cells.iter().map(|cell| cell & mask).collect();
            let mut bits = vec![0u8; (4 * width as usize).div_ceil(8)];
            for at in 0..4 * width as usize {
                bits[at / 8] |= ((cells[at / width as usize] >> (at % width as usize) & 1) as u8) << (at % 8);
            }
            let over = [
                us(tags::BITS_ALLOCATED, width as u16), us(tags::BITS_STORED, width as u16),
                us(tags::HIGH_BIT, width as u16 - 1), us(tags::PIXEL_REPRESENTATION, u16::from(signed)),
            ];
            bits.resize(bits.len().next_multiple_of(2), 0);
            let frame = read_frame(&file(EXPLICIT, &over, &bits), 1).unwrap();
            let expected: Vec<f64> = cells.iter().map(|&cell| match signed {
                true => f64::from(((cell << (32 - width)) as i32) >> (32 - width)),
                false => f64::from(cell),
            }).collect();
            prop_assert_eq!(frame.values.iter().collect::<Vec<f64>>(), expected);
        }
    }
}
