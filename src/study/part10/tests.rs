use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::*;
use crate::study::packing::{Packer, unpack};
use crate::study::write::{WriteError, rebuild};

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/samples");

/// Every plain file among the samples; empty, with a loud word, where they are absent.
fn samples() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::from(SAMPLES)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            eprintln!("SKIPPED: no samples at {}", folder.display());
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

fn sample(name: &str) -> Option<Vec<u8>> {
    let bytes = std::fs::read(Path::new(SAMPLES).join(name)).ok();
    if bytes.is_none() {
        eprintln!("SKIPPED: no sample {name}");
    }
    bytes
}

/// Rebuilds a file with its own header.
fn again(bytes: &[u8]) -> Result<Vec<u8>, WriteError> {
    let part10 = read(bytes).expect("readable");
    let header = part10.header.clone();
    let rebuilt = rebuild(part10, header)?;
    let packed = Packer::new().unwrap().pack(&rebuilt.parts()).unwrap();
    let file = unpack(&packed.bytes, packed.plain_bytes).unwrap();
    assert!(file == rebuilt.to_bytes());
    Ok(file)
}

#[test]
fn every_sample_is_rebuilt_with_the_same_pixels_or_refused_for_a_reason() {
    let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in samples() {
        let name = path.strip_prefix(SAMPLES).unwrap().display().to_string();
        let bytes = std::fs::read(&path).unwrap();
        let part10 = match read(&bytes) {
            Ok(part10) => part10,
            Err(error) => {
                reasons.entry(error.to_string()).or_default().push(name);
                continue;
            }
        };
        let file = match again(&bytes) {
            Ok(file) => file,
            Err(error) => {
                reasons.entry(error.to_string()).or_default().push(name);
                continue;
            }
        };
        let second = read(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(second.syntax, part10.syntax, "{name}");
        match (&part10.pixel, &second.pixel) {
            (Some(first), Some(second)) => {
                assert!(first.bytes == second.bytes, "{name}: other pixel bytes");
                assert_eq!((first.tag, first.encapsulated), (second.tag, second.encapsulated), "{name}");
            }
            (None, None) => {}
            _ => panic!("{name}: pixel data lost or made"),
        }
        assert!(again(&file).unwrap() == file, "{name}: rebuilding twice changes the file");
    }
    for (reason, names) in &reasons {
        eprintln!("{reason}:\n    {}", names.join("\n    "));
    }
    let refused: usize = reasons.values().map(Vec::len).sum();
    assert!(refused < 70, "{refused} refused");
}

#[test]
fn scanning_the_beginning_gives_the_same_header() {
    for path in samples() {
        let bytes = std::fs::read(&path).unwrap();
        let beginning = &bytes[..bytes.len().min(SCAN_BYTES)];
        match (scan(beginning, bytes.len() as u64), read(&bytes)) {
            (Err(Part10Error::NeedsWhole), _) => {}
            (Ok((syntax, header)), Ok(whole)) => {
                assert_eq!(syntax, whole.syntax);
                assert_eq!(uid_of(&header, tags::SOP_INSTANCE_UID), uid_of(&whole.header, tags::SOP_INSTANCE_UID));
            }
            (Err(scanned), Err(read)) => assert_eq!(scanned, read, "{}", path.display()),
            // What follows the pixel data is not looked at by a scan.
            (Ok(_), Err(Part10Error::Malformed { .. } | Part10Error::Truncated { .. })) => {}
            (scanned, read) => panic!("{}: {:?} but {:?}", path.display(), scanned.err(), read.err()),
        }
    }
}

#[test]
fn the_known_broken_samples_get_their_reason() {
    type Expected = fn(&Result<Part10<'_>, Part10Error>) -> bool;
    let list: [(&str, Expected); 11] = [
        ("broken/bulk-data-3gb-truncated.dcm", |r| matches!(r, Err(Part10Error::Truncated { .. }))),
        ("broken/no-meta-group-length.dcm", |r| r.is_ok()),
        ("broken/meta-missing-transfer-syntax.dcm", |r| matches!(r, Err(Part10Error::UnknownSyntax))),
        ("broken/no-meta.dcm", |r| r.is_ok()),
        ("broken/un-sequence.dcm", |r| r.is_ok()),
        ("broken/explicit-le-no-meta.dcm", |r| r.is_ok()),
        ("broken/rtstruct-no-preamble.dcm", |r| r.is_ok()),
        ("broken/no-preamble-dicm-in-data.dcm", |r| r.is_ok()),
        ("broken/not-an-image-zip.zip", |r| matches!(r, Err(Part10Error::NotDicom))),
        ("media/dicomdir-2-patients/DICOMDIR", |r| matches!(r, Err(Part10Error::DicomDir))),
        ("INDEX.md", |r| matches!(r, Err(Part10Error::NotDicom))),
    ];
    for (name, expected) in list {
        let Some(bytes) = sample(name) else { return };
        let result = read(&bytes);
        assert!(expected(&result), "{name}: {:?}", result.err());
    }
}

fn element(tag: [u16; 2], vr: &[u8; 2], value: &[u8]) -> Vec<u8> {
    let mut bytes = [tag[0].to_le_bytes(), tag[1].to_le_bytes()].concat();
    bytes.extend_from_slice(vr);
    if matches!(vr, b"OB" | b"OW" | b"SQ" | b"UN" | b"UT") {
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
    } else {
        bytes.extend_from_slice(&(value.len() as u16).to_le_bytes());
    }
    bytes.extend_from_slice(value);
    bytes
}

fn file(syntax: &[u8], data_set: &[u8]) -> Vec<u8> {
    let meta = element([2, 0x10], b"UI", syntax);
    [&[0; 128][..], b"DICM", &meta, data_set].concat()
}

const EXPLICIT: &[u8] = b"1.2.840.10008.1.2.1\0";
const IMPLICIT: &[u8] = b"1.2.840.10008.1.2\0";
const DEFLATED: &[u8] = b"1.2.840.10008.1.2.1.99";

fn item(value: &[u8]) -> Vec<u8> {
    [&[0xFE, 0xFF, 0x00, 0xE0][..], &(value.len() as u32).to_le_bytes(), value].concat()
}

fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(Vec::new(), |inner, _| element([8, 0x1140], b"SQ", &item(&inner)))
}

/// Implicit VR sequences of defined length, which only the dictionary knows to be sequences.
fn nested_implicit(depth: usize) -> Vec<u8> {
    (0..depth).fold(Vec::new(), |inner, _| {
        let value = item(&inner);
        [&[8, 0, 0x40, 0x11][..], &(value.len() as u32).to_le_bytes(), &value].concat()
    })
}

/// Hostile files, each named for its attack, with the kind of error expected.
#[test]
fn hostile_files_are_refused() {
    type Expected = fn(&Part10Error) -> bool;
    let truncated: Expected = |e| matches!(e, Part10Error::Truncated { .. });
    let malformed: Expected = |e| matches!(e, Part10Error::Malformed { .. });
    let first = element([8, 0x16], b"UI", b"1.2.840.10008.5.1.4.1.1.2\0");
    let with_first = |rest: &[u8]| file(EXPLICIT, &[&first, rest].concat());
    let endless = |tag: [u16; 2], vr: &[u8; 2]| {
        let mut bytes = element(tag, vr, b"");
        let at = bytes.len() - 4;
        bytes[at..].copy_from_slice(&0xFFFF_FFFEu32.to_le_bytes());
        bytes
    };
    let undefined = |tag: [u16; 2], vr: &[u8; 2], value: &[u8]| {
        let mut bytes = element(tag, vr, b"");
        let at = bytes.len() - 4;
        bytes[at..].copy_from_slice(&u32::MAX.to_le_bytes());
        [bytes, value.to_vec()].concat()
    };
    let bomb = {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, &vec![0; 40_000_000]).unwrap();
        let once = encoder.finish().unwrap();
        file(DEFLATED, &once)
    };
    let two = element([0x7FE0, 0x10], b"OB", &[0; 4]);
    let list: Vec<(&str, Vec<u8>, Expected)> = vec![
        ("nothing", vec![], |e| matches!(e, Part10Error::Empty)),
        ("text", b"Dear colleague, please find the images attached.".to_vec(), |e| matches!(e, Part10Error::NotDicom)),
        ("only a preamble", [&[0; 128][..], b"DICM"].concat(), |e| matches!(e, Part10Error::UnknownSyntax)),
        ("4 GiB of pixels in a small file", with_first(&endless([0x7FE0, 0x10], b"OW")), truncated),
        ("a 4 GiB header element", with_first(&endless([0x0029, 0x1010], b"OB")), truncated),
        ("an element cut in its length", with_first(&element([0x10, 0x10], b"PN", b"")[..7]), |_| true),
        (
            "an element longer than its item",
            { with_first(&element([8, 0x1140], b"SQ", &item(&endless([8, 0x1150], b"OB")))) },
            truncated,
        ),
        (
            "an item longer than its sequence",
            {
                let mut value = item(b"");
                value[4..8].copy_from_slice(&0x7FFF_FFFFu32.to_le_bytes());
                with_first(&[element([8, 0x1140], b"SQ", &value), two.clone()].concat())
            },
            |e| matches!(e, Part10Error::Malformed { .. } | Part10Error::Truncated { .. }),
        ),
        ("no item in a sequence", with_first(&element([8, 0x1140], b"SQ", &[1; 16])), malformed),
        ("a sequence without end", with_first(&undefined([8, 0x1140], b"SQ", &item(b""))), truncated),
        ("an UN sequence without end", with_first(&undefined([9, 0x1140], b"UN", &item(b""))), truncated),
        ("fragments that are none", with_first(&undefined([0x7FE0, 0x10], b"OB", &[1; 20])), malformed),
        (
            "a fragment past the end",
            {
                let mut fragment = item(&[0; 4]);
                fragment[4] = 200;
                with_first(&undefined([0x7FE0, 0x10], b"OB", &fragment))
            },
            truncated,
        ),
        ("two pictures", with_first(&[two.clone(), two.clone()].concat()), malformed),
        ("sequences 1000 deep", with_first(&nested(1000)), |e| matches!(e, Part10Error::TooDeep)),
        ("implicit sequences 1000 deep", file(IMPLICIT, &nested_implicit(1000)), |e| matches!(e, Part10Error::TooDeep)),
        ("a deflate bomb", bomb, |e| matches!(e, Part10Error::Malformed { .. } | Part10Error::UnknownSyntax)),
        ("damaged deflate", file(DEFLATED, &[0xFF; 64]), |e| matches!(e, Part10Error::DamagedDeflate)),
    ];
    for (attack, bytes, expected) in list {
        match read(&bytes) {
            Ok(part10) => assert!(attack == "a deflate bomb" && part10.pixel.is_none(), "{attack} was read"),
            Err(error) => assert!(expected(&error), "{attack}: {error:?}"),
        }
    }
}

#[test]
fn a_syntax_that_lies_about_its_encoding_is_seen_through() {
    let explicit = element([8, 0x16], b"UI", b"1.2.840.10008.5.1.4.1.1.2\0");
    let bytes = file(IMPLICIT, &explicit);
    assert_eq!(read(&bytes).unwrap().syntax.encoding, Encoding::EXPLICIT_LE);
}

#[test]
fn cutting_or_damaging_a_file_anywhere_never_panics() {
    let Some(good) = sample("transfer-syntaxes/same-mr-64x64/explicit-le.dcm") else { return };
    for length in (0..good.len()).step_by(37) {
        let _refused = read(&good[..length]).is_err();
    }
    let mut random = crate::encoding::random::Seeded::new(7);
    for _ in 0..400 {
        let mut bad = good[..4000].to_vec();
        for _ in 0..8 {
            let at = random.below(bad.len());
            bad[at] = random.below(256) as u8;
        }
        if let Ok(part10) = read(&bad) {
            let header = part10.header.clone();
            let _written = rebuild(part10, header).is_ok();
        }
    }
}
