//! Masks over made-up images of every shape, and over every sample.

use std::path::Path;

use dicom_core::value::DataSetSequence;
use proptest::prelude::*;

use super::*;
use crate::study::pixels::Window;
use crate::study::write::rebuild;

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/samples");

/// Files with more samples in all frames take an unoptimized build too long.
const SAMPLES_OF_A_FILE_MAX: u64 = 7_000_000;

fn never() -> bool {
    false
}

/// A made-up native image.
#[derive(Debug, Clone)]
struct Made {
    photometric: &'static str,
    rows: u16,
    columns: u16,
    frames: u16,
    allocated: u16,
    stored: u16,
    signed: bool,
    by_plane: bool,
    pixels: Vec<u8>,
    more: Vec<DataElement<InMemDicomObject>>,
}

const SMALL: Made = Made {
    photometric: "MONOCHROME2",
    rows: 4,
    columns: 6,
    frames: 2,
    allocated: 16,
    stored: 12,
    signed: false,
    by_plane: false,
    pixels: Vec::new(),
    more: Vec::new(),
};

impl Made {
    fn samples(&self) -> u16 {
        if self.photometric.starts_with("MONO") || self.photometric.starts_with("PALETTE") { 1 } else { 3 }
    }

    fn bytes_needed(&self) -> usize {
        let cells = usize::from(self.rows) * usize::from(self.columns) * usize::from(self.samples());
        let cells = if self.photometric == "YBR_FULL_422" { cells / 3 * 2 } else { cells };
        (cells * usize::from(self.frames) * usize::from(self.allocated)).div_ceil(8)
    }

    fn header(&self) -> InMemDicomObject {
        let number = |tag, value: u16| DataElement::new(tag, VR::US, PrimitiveValue::from(value));
        let words = |tag, vr, value: &str| DataElement::new(tag, vr, PrimitiveValue::from(value));
        let mut header = InMemDicomObject::from_element_iter([
            words(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.7"),
            words(tags::SOP_INSTANCE_UID, VR::UI, "2.25.7"),
            words(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, self.photometric),
            words(tags::NUMBER_OF_FRAMES, VR::IS, &self.frames.to_string()),
            number(tags::ROWS, self.rows),
            number(tags::COLUMNS, self.columns),
            number(tags::SAMPLES_PER_PIXEL, self.samples()),
            number(tags::BITS_ALLOCATED, self.allocated),
            number(tags::BITS_STORED, self.stored),
            number(tags::HIGH_BIT, self.stored - 1),
            number(tags::PIXEL_REPRESENTATION, u16::from(self.signed)),
            number(tags::PLANAR_CONFIGURATION, u16::from(self.by_plane)),
        ]);
        if self.photometric == "PALETTE COLOR" {
            // The darkest is neither the first nor the last.
            let entries: Vec<u16> = (0..256).map(|at| if at == 77 { 0 } else { 255 - at / 2 } << 8).collect();
            for (descriptor, data) in [
                (tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR, tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DATA),
                (tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR, tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA),
                (tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR, tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA),
            ] {
                let table = PrimitiveValue::U16([256, 0, 16].into_iter().collect());
                header.put(DataElement::new(descriptor, VR::US, table));
                header.put(DataElement::new(data, VR::OW, PrimitiveValue::U16(entries.iter().copied().collect())));
            }
        }
        header.extend(self.more.clone());
        header
    }

    fn file(&self) -> Vec<u8> {
        let mut pixels = self.pixels.clone();
        let needed = self.bytes_needed();
        if pixels.is_empty() {
            pixels = (0..needed).map(|at| (at * 37 + at / 7 + 3) as u8).collect();
        }
        pixels.resize(needed.next_multiple_of(2), 0);
        let vr = if self.allocated > 8 { VR::OW } else { VR::OB };
        let pixel = PixelElement { tag: tags::PIXEL_DATA, vr, encapsulated: false, bytes: pixels.into() };
        let part10 = Part10 {
            syntax: Syntax::of(uids::EXPLICIT_VR_LITTLE_ENDIAN),
            header: InMemDicomObject::new_empty(),
            pixel: Some(pixel),
        };
        rebuild(part10, self.header()).unwrap().to_bytes()
    }
}

fn rectangle(column: u32, row: u32, columns: u32, rows: u32) -> Rectangle {
    Rectangle { column, row, columns, rows }
}

fn masked(file: &[u8], rectangles: &[Rectangle]) -> Result<Vec<u8>, MaskError> {
    let part10 = mask(file, rectangles, &never)?;
    let mut header = part10.header.clone();
    // A cleaned file has names; of the samples some have not.
    for (tag, uid) in [(tags::SOP_CLASS_UID, "1.2.840.10008.5.1.4.1.1.7"), (tags::SOP_INSTANCE_UID, "2.25.7")] {
        if text(&header, tag).is_none() {
            header.put_str(tag, VR::UI, uid);
        }
    }
    Ok(rebuild(part10, header).unwrap().to_bytes())
}

fn header_of(file: &[u8]) -> InMemDicomObject {
    crate::study::part10::read(file).unwrap().header
}

/// Compares every frame of a masked file with the original's: equal outside, one value inside, drawn darkest.
fn check(name: &str, original: &[u8], masked: &[u8], rectangles: &[Rectangle]) {
    let (before, after) = (Image::read(original).unwrap(), Image::read(masked).unwrap());
    let (b, a) = (before.description(), after.description());
    assert_eq!((b.rows, b.columns, b.samples, b.frames), (a.rows, a.columns, a.samples, a.frames), "{name}");
    let (syntax, _, _, encapsulated) = after.pixel_data().unwrap();
    assert_eq!((syntax, encapsulated, a.by_plane), (uids::EXPLICIT_VR_LITTLE_ENDIAN, false, false), "{name}");
    assert_eq!(a.high_bit + 1, a.bits_stored, "{name}");
    let covered = |pixel: usize| {
        let (column, row) = ((pixel % b.columns as usize) as u32, (pixel / b.columns as usize) as u32);
        let holds =
            |r: &Rectangle| column >= r.column && row >= r.row && column - r.column < r.columns && row - r.row < r.rows;
        rectangles.iter().any(holds)
    };
    let samples = b.samples as usize;
    for number in 1..=b.frames {
        let (before, after) = (before.frame(number).unwrap(), after.frame(number).unwrap());
        let to_rgb = a.photometric == Photometric::Rgb && before.photometric() != Photometric::Rgb;
        let rgb = to_rgb.then(|| before.rgb_of_ybr().unwrap());
        let was =
            |at: usize| rgb.as_ref().map_or_else(|| before.values.at(at), |rgb| rgb.get(at).map(|v| f64::from(*v)));
        let mut black: Option<Vec<Option<f64>>> = None;
        for pixel in 0..b.frame_pixels() {
            let places = pixel * samples..(pixel + 1) * samples;
            let now: Vec<_> = places.clone().map(|at| after.values.at(at)).collect();
            if covered(pixel) {
                assert_eq!(black.get_or_insert_with(|| now.clone()), &now, "{name}, frame {number}, pixel {pixel}");
            } else {
                assert_eq!(now, places.map(was).collect::<Vec<_>>(), "{name}, frame {number}, pixel {pixel}");
            }
        }
        let shown = after.display(Window::Auto).unwrap();
        let brightness = |pixel: usize| -> u32 {
            let per = shown.samples as usize;
            shown.bytes[pixel * per..(pixel + 1) * per].iter().map(|sample| u32::from(*sample)).sum()
        };
        let darkest = (0..b.frame_pixels()).map(brightness).min();
        let inside = (0..b.frame_pixels()).filter(|pixel| covered(*pixel)).map(brightness).max();
        // Weighted as the eye does, the darkest of a palette need not have the smallest sum.
        if a.photometric != Photometric::PaletteColor {
            assert_eq!(inside, darkest, "{name}, frame {number}: not the darkest");
        }
    }
}

#[test]
fn every_sample_that_can_be_decoded_is_masked_in_every_frame_and_equal_elsewhere() {
    if !Path::new(SAMPLES).exists() {
        eprintln!("SKIPPED: no samples at {SAMPLES}");
        return;
    }
    let (mut done, mut refused) = (0, Vec::new());
    for entry in walkdir::WalkDir::new(SAMPLES).sort_by_file_name().into_iter().flatten() {
        let name = entry.path().strip_prefix(SAMPLES).unwrap().display().to_string();
        let is_image = name.ends_with(".dcm") && entry.metadata().is_ok_and(|data| data.len() < 6_000_000);
        let Some(file) = is_image.then(|| std::fs::read(entry.path()).unwrap()) else { continue };
        let Ok(image) = Image::read(&file) else { continue };
        if image.description().frame_samples() as u64 * u64::from(image.description().frames) > SAMPLES_OF_A_FILE_MAX {
            continue;
        }
        let (columns, rows) = (image.description().columns, image.description().rows);
        let drawn = [rectangle(0, 0, columns / 2 + 1, rows / 3 + 1), rectangle(columns - 1, rows - 1, 900, 900)];
        let whole = (1..=image.description().frames).all(|frame| image.frame(frame).is_ok());
        match masked(&file, &drawn) {
            Ok(after) => {
                check(&name, &file, &after, &drawn);
                done += 1;
            }
            Err(why) => {
                let is_sound = !whole || matches!(why, MaskError::Float | MaskError::Colour(_));
                assert!(is_sound, "{name}: {why}");
                refused.push(format!("{name}: {why}"));
            }
        }
    }
    refused.iter().for_each(|line| eprintln!("not masked: {line}"));
    assert!(done >= 90, "{done} masked");
}

#[test]
fn black_is_the_value_that_the_image_shows_darkest() {
    let decimal = |tag, value: &str| DataElement::new(tag, VR::DS, PrimitiveValue::from(value));
    let slope = |slope| vec![decimal(tags::RESCALE_SLOPE, slope), decimal(tags::RESCALE_INTERCEPT, "-1024")];
    let padded = |value: i16| vec![DataElement::new(tags::PIXEL_PADDING_VALUE, VR::SS, PrimitiveValue::from(value))];
    let inverse = vec![DataElement::new(tags::PRESENTATION_LUT_SHAPE, VR::CS, PrimitiveValue::from("INVERSE"))];
    let of = |photometric, stored, signed, more: &Vec<_>| Made {
        photometric,
        stored,
        signed,
        more: more.clone(),
        // Values 100 to 195.
        pixels: (0..48_u16).flat_map(|at| (100 + 2 * at).to_le_bytes()).collect(),
        ..SMALL
    };
    let none = Vec::new();
    for (name, made, black, declared) in [
        ("unsigned", of("MONOCHROME2", 12, false, &none), 0.0, Some(0.0)),
        ("signed 16", of("MONOCHROME2", 16, true, &none), -32768.0, Some(-32768.0)),
        ("signed 12", of("MONOCHROME2", 12, true, &none), -2048.0, Some(-2048.0)),
        ("inverted", of("MONOCHROME1", 12, false, &none), 4095.0, Some(4095.0)),
        ("inverted and signed", of("MONOCHROME1", 12, true, &none), 2047.0, Some(2047.0)),
        ("a slope below zero", of("MONOCHROME2", 12, false, &slope("-1")), 4095.0, Some(4095.0)),
        ("an inverse presentation", of("MONOCHROME2", 12, false, &inverse), 4095.0, Some(4095.0)),
        ("padding below all pixels", of("MONOCHROME2", 16, true, &padded(-2000)), -2000.0, Some(-2000.0)),
        ("padding amid the pixels", of("MONOCHROME2", 16, true, &padded(150)), -32768.0, Some(150.0)),
        ("padding on the bright side", of("MONOCHROME1", 16, true, &padded(-2000)), 32767.0, Some(-2000.0)),
    ] {
        let file = made.file();
        let after = masked(&file, &[rectangle(1, 1, 2, 2)]).unwrap();
        let frame = Image::read(&after).unwrap().frame(2).unwrap();
        assert_eq!(frame.values.at(7), Some(black), "{name}");
        assert_eq!(frame.padding().map(|(lowest, _)| lowest), declared, "{name}");
        check(name, &file, &after, &[rectangle(1, 1, 2, 2)]);
    }
}

#[test]
fn a_value_that_pixels_have_is_never_declared_as_padding() {
    let made = Made { pixels: (0..48_u16).flat_map(|at| (at % 20).to_le_bytes()).collect(), ..SMALL };
    let after = masked(&made.file(), &[rectangle(1, 1, 2, 2)]).unwrap();
    assert!(header_of(&after).get(tags::PIXEL_PADDING_VALUE).is_none());
}

#[test]
fn colours_are_black_each_in_its_own_way() {
    for (photometric, black) in [
        ("RGB", vec![0.0, 0.0, 0.0]),
        ("YBR_FULL", vec![0.0, 128.0, 128.0]),
        ("YBR_FULL_422", vec![0.0, 128.0, 128.0]),
        ("PALETTE COLOR", vec![77.0]),
    ] {
        let made = Made { photometric, allocated: 8, stored: 8, ..SMALL };
        let file = made.file();
        let after = masked(&file, &[rectangle(1, 0, 2, 3)]).unwrap();
        let frame = Image::read(&after).unwrap().frame(1).unwrap();
        let samples = black.len();
        assert_eq!((samples..2 * samples).filter_map(|at| frame.values.at(at)).collect::<Vec<_>>(), black);
        check(photometric, &file, &after, &[rectangle(1, 0, 2, 3)]);
        let written = if photometric == "YBR_FULL_422" { "YBR_FULL" } else { photometric };
        assert_eq!(text(&header_of(&after), tags::PHOTOMETRIC_INTERPRETATION).as_deref(), Some(written));
    }
}

#[test]
fn the_header_says_what_was_done_and_nothing_of_what_was() {
    let word = |tag, vr, value: &str| DataElement::new(tag, vr, PrimitiveValue::from(value));
    let number = |tag, value: u16| DataElement::new(tag, VR::US, PrimitiveValue::from(value));
    let code = InMemDicomObject::from_element_iter([word(tags::CODE_VALUE, VR::SH, "113105")]);
    let more = vec![
        word(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\AXIAL"),
        word(tags::DERIVATION_DESCRIPTION, VR::ST, "CT"),
        word(tags::DEIDENTIFICATION_METHOD, VR::LO, "Overread consult, PS3.15 2024e"),
        DataElement::new(tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE, VR::SQ, DataSetSequence::from(vec![code])),
        word(tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "01"),
        word(tags::LOSSY_IMAGE_COMPRESSION_RATIO, VR::DS, "12.5"),
        number(tags::SMALLEST_IMAGE_PIXEL_VALUE, 3),
        number(tags::LARGEST_IMAGE_PIXEL_VALUE, 9),
        DataElement::new(tags::ICON_IMAGE_SEQUENCE, VR::SQ, DataSetSequence::from(vec![InMemDicomObject::new_empty()])),
        number(Tag(0x6000, 0x0102), 15),
    ];
    let made = Made { more, ..SMALL };
    let header = header_of(&masked(&made.file(), &[rectangle(0, 0, 1, 1)]).unwrap());
    assert_eq!(words(&header, tags::IMAGE_TYPE), ["DERIVED", "PRIMARY", "AXIAL"]);
    assert_eq!(text(&header, tags::DERIVATION_DESCRIPTION).unwrap(), format!("CT; {DERIVATION}"));
    assert_eq!(
        words(&header, tags::DEIDENTIFICATION_METHOD),
        ["Overread consult, PS3.15 2024e", "Overread masks, PS3.15 2024e E.3.1"]
    );
    let codes = header.get(tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE).unwrap().items().unwrap();
    let codes: Vec<_> = codes.iter().map(|item| text(item, tags::CODE_VALUE).unwrap()).collect();
    assert_eq!(codes, ["113101", "113105"]);
    assert_eq!(text(&header, tags::LOSSY_IMAGE_COMPRESSION_RATIO).as_deref(), Some("12.5"));
    assert_eq!(text(&header, tags::SOP_INSTANCE_UID).as_deref(), Some("2.25.7"));
    for gone in [
        tags::SMALLEST_IMAGE_PIXEL_VALUE,
        tags::LARGEST_IMAGE_PIXEL_VALUE,
        tags::ICON_IMAGE_SEQUENCE,
        tags::PLANAR_CONFIGURATION,
        Tag(0x6000, 0x0102),
    ] {
        assert!(header.get(gone).is_none(), "{gone}");
    }
    assert!(header.get(tags::BURNED_IN_ANNOTATION).is_none(), "whoever looked says that");
}

#[test]
fn what_only_the_transfer_syntax_called_lossy_says_so_itself_afterwards() {
    let Ok(file) = std::fs::read(Path::new(SAMPLES).join("multiframe/us-cine-30-frames-jpeg.dcm")) else {
        eprintln!("SKIPPED: no samples at {SAMPLES}");
        return;
    };
    let part10 = crate::study::part10::read(&file).unwrap();
    let mut header = part10.header.clone();
    header.remove_element(tags::LOSSY_IMAGE_COMPRESSION);
    let file = rebuild(part10, header).unwrap().to_bytes();
    let header = header_of(&masked(&file, &[rectangle(0, 0, 9, 9)]).unwrap());
    let of = |tag| text(&header, tag).unwrap_or_default();
    assert_eq!(of(tags::LOSSY_IMAGE_COMPRESSION), "01");
    assert_eq!(of(tags::LOSSY_IMAGE_COMPRESSION_METHOD), "ISO_10918_1");
    assert!(of(tags::LOSSY_IMAGE_COMPRESSION_RATIO).parse::<f64>().unwrap() > 2.0);
    assert_eq!(of(tags::PHOTOMETRIC_INTERPRETATION), "RGB");
}

#[test]
fn an_overlay_in_unused_bits_goes_with_the_mask() {
    let pixels = (0..48_u16).flat_map(|at| (0xf000 | at).to_le_bytes()).collect();
    let after = masked(&Made { pixels, ..SMALL }.file(), &[rectangle(0, 0, 1, 1)]).unwrap();
    let part10 = crate::study::part10::read(&after).unwrap();
    assert!(part10.pixel.unwrap().bytes.chunks_exact(2).all(|cell| cell[1] & 0xf0 == 0));
}

#[test]
fn a_mask_that_covers_nothing_or_too_much_is_refused() {
    let file = SMALL.file();
    let refused = |rectangles: &[Rectangle]| masked(&file, rectangles).unwrap_err();
    assert_eq!(refused(&[]), MaskError::NoRectangle);
    for outside in [
        rectangle(6, 0, 1, 1),
        rectangle(0, 4, 1, 1),
        rectangle(0, 0, 0, 4),
        rectangle(0, 0, 4, 0),
        rectangle(u32::MAX, u32::MAX, u32::MAX, u32::MAX),
    ] {
        assert_eq!(refused(&[rectangle(0, 0, 2, 2), outside]), MaskError::Outside(outside, 6, 4));
    }
    assert_eq!(refused(&[rectangle(0, 0, 1, 1); 65]), MaskError::TooManyRectangles(65));
    assert!(masked(&file, &[rectangle(0, 0, 1, 1); 64]).is_ok());
    let frames = DataElement::new(tags::NUMBER_OF_FRAMES, VR::IS, PrimitiveValue::from("1000000"));
    let rows = DataElement::new(tags::ROWS, VR::US, PrimitiveValue::from(1000_u16));
    let small = Made { more: vec![frames, rows], ..SMALL };
    assert!(matches!(masked(&small.file(), &[rectangle(0, 0, 1, 1)]), Err(MaskError::TooLong(12_000_000_000))));
}

#[test]
fn it_stops_between_frames() {
    assert_eq!(mask(&SMALL.file(), &[rectangle(0, 0, 1, 1)], &|| true).unwrap_err(), MaskError::Stopped);
}

fn made() -> impl Strategy<Value = Made> {
    let shapes = prop_oneof![
        Just(("MONOCHROME1", 1_u16)),
        Just(("MONOCHROME2", 1)),
        Just(("MONOCHROME1", 8)),
        Just(("MONOCHROME2", 8)),
        Just(("MONOCHROME1", 16)),
        Just(("MONOCHROME2", 16)),
        Just(("MONOCHROME2", 32)),
        Just(("MONOCHROME2", 12)),
        Just(("PALETTE COLOR", 8)),
        Just(("RGB", 8)),
        Just(("RGB", 16)),
        Just(("YBR_FULL", 8)),
        Just(("YBR_FULL_422", 8)),
    ];
    let pixels = proptest::collection::vec(any::<u8>(), 1..4000);
    (shapes, 1_u16..12, 1_u16..12, 1_u16..4, 1_u16..=32, any::<bool>(), any::<bool>(), pixels).prop_map(
        |((photometric, allocated), rows, columns, frames, stored, signed, by_plane, pixels)| {
            let is_grey = photometric.starts_with("MONO");
            let stored = if is_grey { stored.min(allocated) } else { allocated };
            let columns = if photometric == "YBR_FULL_422" { columns * 2 } else { columns };
            let by_plane = by_plane && matches!(photometric, "RGB" | "YBR_FULL");
            let made = Made {
                photometric,
                rows,
                columns,
                frames,
                allocated,
                stored,
                signed: signed && is_grey,
                by_plane,
                pixels: Vec::new(),
                more: Vec::new(),
            };
            let needed = made.bytes_needed();
            Made { pixels: pixels.iter().copied().cycle().take(needed).collect(), ..made }
        },
    )
}

fn any_rectangle() -> impl Strategy<Value = Rectangle> {
    (0_u32..30, 0_u32..14, 0_u32..30, 0_u32..14).prop_map(|(c, r, w, h)| rectangle(c, r, w, h))
}

proptest! {
    #[test]
    fn any_rectangles_in_any_image_are_black_in_every_frame_and_the_rest_is_equal(
        made in made(),
        rectangles in proptest::collection::vec(any_rectangle(), 1..5),
    ) {
        let file = made.file();
        match masked(&file, &rectangles) {
            Ok(after) => check("made up", &file, &after, &rectangles),
            Err(MaskError::Outside(outside, columns, rows)) => {
                prop_assert!(rectangles.contains(&outside) && outside.clipped(columns, rows).is_none());
            }
            Err(why) => prop_assert!(false, "{}", why),
        }
    }

    #[test]
    fn hostile_bytes_give_a_mask_or_a_reason(
        made in made(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..40),
        cut in any::<prop::sample::Index>(),
        whole in any::<bool>(),
    ) {
        let mut file = made.file();
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        if !whole {
            file.truncate(cut.index(file.len()));
        }
        let _ = mask(&file, &[rectangle(0, 0, 3, 3), rectangle(2, 1, 500, 1)], &never);
    }
}
