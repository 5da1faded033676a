use proptest::prelude::*;

use super::*;

const SEED_BYTES_MAX: usize = 3000;

fn layouts() -> impl Strategy<Value = Option<Layout>> {
    let sizes = (0u8..4, 0u8..6, any::<bool>(), any::<bool>(), 0u32..70, 0u32..40);
    let layout = sizes.prop_map(|(sample_bytes, interleaved, big_endian, signed, columns, rows)| Layout {
        sample_bytes,
        interleaved,
        big_endian,
        signed,
        columns,
        rows,
    });
    prop::option::weighted(0.9, layout)
}

fn round_trip(before: &[u8], pixels: &[u8], after: &[u8], layout: Option<Layout>) -> Packed {
    let parts = FileParts { before, pixels, after, layout };
    let packed = Packer::new().unwrap().pack(&parts).unwrap();
    let file = [before, pixels, after].concat();
    assert!(unpack(&packed.bytes, file.len() as u64).unwrap() == file);
    assert_eq!(packed.plain_bytes, file.len() as u64);
    assert_eq!(packed.plain_hash, *blake3::hash(&file).as_bytes());
    assert_eq!(packed.packed_hash, *blake3::hash(&packed.bytes).as_bytes());
    packed
}

proptest! {
    #[test]
    fn any_bytes_under_any_layout_come_back(
        before in prop::collection::vec(any::<u8>(), 0..50),
        pixels in prop::collection::vec(any::<u8>(), 0..SEED_BYTES_MAX),
        after in prop::collection::vec(any::<u8>(), 0..20),
        layout in layouts(),
    ) {
        round_trip(&before, &pixels, &after, layout);
    }

    #[test]
    fn random_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut bytes = bytes;
        if let Some(version) = bytes.first_mut() {
            *version = VERSION;
        }
        prop_assert!(unpack(&bytes, 1 << 20).is_err());
    }

    #[test]
    fn one_flipped_bit_is_refused(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let pixels: Vec<u8> = (0..4000u32).flat_map(|i| (i as u16 / 9 + 100).to_le_bytes()).collect();
        let mut packed = round_trip(b"head", &pixels, b"tail", Some(CT));
        let at = at.index(packed.bytes.len());
        packed.bytes[at] ^= 1 << bit;
        // zstd ignores a few bits of its frame header; then the very same file must come out.
        if let Ok(file) = unpack(&packed.bytes, packed.plain_bytes) {
            prop_assert_eq!(*blake3::hash(&file).as_bytes(), packed.plain_hash);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn smooth_pixels_come_back_over_several_bands(seed in any::<u16>(), layout in layouts(), kib in 500usize..1400) {
        let noise = |i: usize| (i.wrapping_mul(31) ^ usize::from(seed)) % 7;
        let pixels: Vec<u8> = (0..kib * 1024 + usize::from(seed) % 3).map(|i| (i / 512 + noise(i)) as u8).collect();
        round_trip(b"head", &pixels, b"", layout);
    }
}

const CT: Layout = Layout { sample_bytes: 2, interleaved: 1, big_endian: false, signed: false, columns: 64, rows: 48 };

#[test]
fn layouts_that_do_not_fit_are_packed_all_the_same() {
    let pixels: Vec<u8> = (0..9999u32).map(|i| (i % 251) as u8).collect();
    for layout in [
        Layout { columns: 0, ..CT },
        Layout { rows: 0, ..CT },
        Layout { columns: u32::MAX, rows: u32::MAX, ..CT },
        Layout { columns: 9999, rows: 1, ..CT },
        Layout { sample_bytes: 4, ..CT },
        Layout { interleaved: 0, ..CT },
        Layout { interleaved: 3, big_endian: true, ..CT },
        Layout { sample_bytes: 1, interleaved: 3, ..CT },
    ] {
        round_trip(b"", &pixels, b"x", Some(layout));
    }
    round_trip(b"", b"", b"", Some(CT));
}

#[test]
fn a_noisy_picture_packs_better_with_the_predictor() {
    let mut state = 1u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 28) as u16
    };
    let layout = Layout { columns: 512, rows: 512, ..CT };
    let pixels: Vec<u8> = (0..512u16)
        .flat_map(|y| (0..512u16).map(move |x| 900 + x + y / 2))
        .flat_map(|smooth| (smooth + noise()).to_le_bytes())
        .collect();
    let with = round_trip(b"", &pixels, b"", Some(layout)).bytes.len();
    let without = round_trip(b"", &pixels, b"", None).bytes.len();
    assert!(with * 3 < pixels.len() && with * 3 < without * 2, "{with} with, {without} without");
}

#[test]
fn packed_noise_is_stored_and_hardly_grows() {
    let mut noise = vec![0; 700_000];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    let packed = round_trip(b"", &noise, b"", Some(CT));
    assert!(packed.bytes.len() < noise.len() + 200);
}

/// Hostile containers, each named for its attack, with the kind of error expected.
#[test]
fn hostile_containers_are_refused() {
    let pixels = vec![7; 20_000];
    let good = round_trip(b"head", &pixels, b"tail", Some(CT)).bytes;
    let plain = 20_008;
    let with = |at: usize, bytes: &[u8]| {
        let mut bad = good.clone();
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        bad
    };
    let huge = u64::MAX.to_le_bytes();
    let bomb = zstd::bulk::compress(&vec![0; 3_000_000], 1).unwrap();
    let bomb_as_band = {
        let mut bad = good[..START_BYTES + number(&good, 36)].to_vec();
        bad.push(ZSTD);
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
    type Expected = fn(&UnpackError) -> bool;
    let malformed: Expected = |e| matches!(e, UnpackError::Malformed(_) | UnpackError::Zstd(_));
    let truncated: Expected = |e| matches!(e, UnpackError::Truncated);
    let too_long: Expected = |e| matches!(e, UnpackError::TooLong { .. });
    let list: Vec<(&str, Vec<u8>, Expected)> = vec![
        ("nothing", vec![], truncated),
        ("only the start", good[..START_BYTES].to_vec(), truncated),
        ("half", good[..good.len() - 5].to_vec(), truncated),
        ("a later version", with(0, &[2]), |e| matches!(e, UnpackError::NewerVersion { version: 2 })),
        ("eight bytes a sample", with(1, &[8]), malformed),
        ("no samples a pixel", with(2, &[0]), malformed),
        ("no columns", with(4, &[0; 4]), malformed),
        ("a row of 8 GiB", with(4, &[255; 4]), malformed),
        ("no rows", with(8, &[0; 4]), malformed),
        ("an endless header", with(12, &huge), too_long),
        ("endless pixels", with(20, &huge), too_long),
        ("one pixel byte more than allowed", with(20, &20_001u64.to_le_bytes()), too_long),
        ("an endless tail", with(28, &huge), too_long),
        ("an endless packed header", with(36, &huge), truncated),
        ("another hash", with(44, &[0; 32]), |e| matches!(e, UnpackError::OtherBytes)),
        ("a band that inflates past its length", bomb_as_band, malformed),
        ("a header that inflates past its length", bomb_as_header, malformed),
        ("an unknown method", with(START_BYTES + number(&good, 36), &[9]), malformed),
        ("bytes after the end", [good.as_slice(), &[0]].concat(), malformed),
    ];
    for (attack, bytes, expected) in list {
        let error = unpack(&bytes, plain).expect_err(attack);
        assert!(expected(&error), "{attack}: {error:?}");
    }
}

fn number(bytes: &[u8], at: usize) -> usize {
    u64::from_le_bytes(array(&bytes[at..at + 8])) as usize
}
