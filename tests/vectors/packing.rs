//! The packing container.

use overread::study::packing::{FileParts, Layout, Packer, UnpackError, unpack};
use serde_json::{Value as Json, json};

use super::{blob, compare, hex};

const START_BYTES: usize = 76;
const CT: Layout = Layout { sample_bytes: 2, interleaved: 1, big_endian: false, signed: false, columns: 16, rows: 12 };

fn refusal(error: &UnpackError) -> &'static str {
    match error {
        UnpackError::NewerVersion { .. } => "version",
        UnpackError::Truncated => "truncated",
        UnpackError::TooLong { .. } => "too-long",
        UnpackError::Malformed(_) | UnpackError::Zstd(_) => "damaged",
        UnpackError::OtherBytes => "other-bytes",
    }
}

/// A slope with a little noise, so that every predictor case occurs.
fn picture(bytes: usize) -> Vec<u8> {
    let mut state = 1u32;
    let words = (0..bytes.div_ceil(2)).flat_map(|at| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (900 + at as u16 % 64 + (state >> 29) as u16).to_le_bytes()
    });
    words.take(bytes).collect()
}

#[test]
fn packed_files_are_as_committed() {
    let small = picture(16 * 12 * 2 * 3);
    // Three bands, and rows that do not fit the last one; few bytes once packed.
    let several_bands: Vec<u8> = (0..1_400_001u32).map(|at| (at / 70_000) as u8).collect();
    let mut noise = vec![0; 300];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    let files: Vec<(&str, &[u8], Option<Layout>)> = vec![
        ("no pixel data", &[], None),
        ("words, three images", &small, Some(CT)),
        ("signed words", &small, Some(Layout { signed: true, ..CT })),
        ("big-endian words", &small, Some(Layout { big_endian: true, ..CT })),
        ("bytes", &small, Some(Layout { sample_bytes: 1, ..CT })),
        ("three bytes a pixel side by side", &small, Some(Layout { sample_bytes: 1, interleaved: 3, ..CT })),
        ("three words a pixel side by side", &small, Some(Layout { interleaved: 3, ..CT })),
        ("a rest that fills no row", &small[..777], Some(CT)),
        ("a layout the predictor does not know", &small, Some(Layout { sample_bytes: 4, ..CT })),
        ("noise, stored", &noise, None),
        ("several bands", &several_bands, Some(Layout { columns: 300, rows: 1000, ..CT })),
    ];
    let good: Vec<Json> = files
        .into_iter()
        .map(|(name, pixels, layout)| {
            let parts = FileParts { before: b"what stands before", pixels, after: b"after", layout };
            let packed = Packer::new().unwrap().pack(&parts).unwrap();
            assert!(unpack(&packed.bytes, packed.plain_bytes).is_ok(), "{name}");
            json!({
                "name": name, "packed": blob(&packed.bytes), "plain_bytes": packed.plain_bytes,
                "plain_hash": hex(&packed.plain_hash), "packed_hash": hex(&packed.packed_hash),
            })
        })
        .collect();
    compare("packing.json", &json!({"good": good, "bad": hostile(&small)}));
}

fn hostile(pixels: &[u8]) -> Vec<Json> {
    let parts = FileParts { before: b"head", pixels, after: b"tail", layout: Some(CT) };
    let packed = Packer::new().unwrap().pack(&parts).unwrap();
    let (good, plain) = (packed.bytes, packed.plain_bytes);
    let outer = u64::from_le_bytes(good[36..44].try_into().unwrap()) as usize;
    let with = |at: usize, bytes: &[u8]| {
        let mut bad = good.clone();
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        bad
    };
    let huge = u64::MAX.to_le_bytes();
    let one_more = (pixels.len() as u64 + 1).to_le_bytes();
    let bomb = zstd::bulk::compress(&vec![0; 3_000_000], 1).unwrap();
    let bomb_as_band = {
        let mut bad = good[..START_BYTES + outer].to_vec();
        bad.push(1);
        bad.extend_from_slice(&(bomb.len() as u32).to_le_bytes());
        bad.extend_from_slice(&bomb);
        bad
    };
    let bomb_as_header = {
        let mut bad = good[..START_BYTES].to_vec();
        bad[36..44].copy_from_slice(&(bomb.len() as u64).to_le_bytes());
        bad.extend_from_slice(&bomb);
        bad
    };
    let list: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", vec![], "truncated"),
        ("only the start", good[..START_BYTES].to_vec(), "truncated"),
        ("cut off", good[..good.len() - 5].to_vec(), "truncated"),
        ("a later version", with(0, &[2]), "version"),
        ("eight bytes a sample", with(1, &[8]), "damaged"),
        ("no samples a pixel", with(2, &[0]), "damaged"),
        ("no columns", with(4, &[0; 4]), "damaged"),
        ("a row of 8 GiB", with(4, &[255; 4]), "damaged"),
        ("no rows", with(8, &[0; 4]), "damaged"),
        ("an endless header", with(12, &huge), "too-long"),
        ("endless pixels", with(20, &huge), "too-long"),
        ("one pixel byte more than the manifest says", with(20, &one_more), "too-long"),
        ("an endless tail", with(28, &huge), "too-long"),
        ("an endless packed header", with(36, &huge), "truncated"),
        ("another hash", with(44, &[0; 32]), "other-bytes"),
        ("a band that inflates past its length", bomb_as_band, "damaged"),
        ("a header that inflates past its length", bomb_as_header, "damaged"),
        ("an unknown method", with(START_BYTES + outer, &[9]), "damaged"),
        ("a stored band of another length", with(START_BYTES + outer, &[0]), "damaged"),
        ("bytes after the end", [good.as_slice(), &[0]].concat(), "damaged"),
    ];
    list.into_iter()
        .map(|(name, bytes, expected)| {
            let error = unpack(&bytes, plain).expect_err(name);
            assert_eq!(refusal(&error), expected, "{name}: {error}");
            json!({"name": name, "packed": blob(&bytes), "plain_bytes": plain, "refusal": expected})
        })
        .collect()
}
