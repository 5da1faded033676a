//! One frame's values as a file: NPY for reckoning with them, PNG for looking at them.
//!
//! NPY is version 1.0 of NumPy's format: magic, version, length of the header, a Python literal padded with spaces
//! to a multiple of 64 bytes, then the values in C order, little-endian: `<i4` if all are whole, else `<f8`. PNG
//! holds whole values from 0 only; so it is for displayed values, and for stored ones that happen to fit.

use std::path::Path;

use crate::node::api::{Failure, FailureCode, ImageView, PixelValues};

/// Alignment of the values in an NPY file, in bytes.
const NPY_ALIGNMENT_BYTES: usize = 64;

/// Magic and version of NPY 1.0.
const NPY_MAGIC: &[u8] = b"\x93NUMPY\x01\x00";

/// How a frame is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Npy,
    Png,
}

impl Format {
    /// The format that a file's ending names.
    pub(super) fn of(path: &Path) -> Result<Self, Failure> {
        match path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("npy") => Ok(Self::Npy),
            Some("png") => Ok(Self::Png),
            _ => Err(Failure::new(
                FailureCode::WrongUse,
                format!("{} ends neither in .npy nor in .png.", path.display()),
            )
            .hint("The ending of the file decides its format.")),
        }
    }
}

/// Writes the frame.
pub(super) fn write(path: &Path, format: Format, image: &ImageView, values: PixelValues) -> Result<(), Failure> {
    let shape = Shape::of(image)?;
    let bytes = match format {
        Format::Npy => npy(image, shape),
        Format::Png => png(image, shape, values == PixelValues::Display)?,
    };
    std::fs::write(path, bytes).map_err(|error| {
        let code = match error.kind() {
            std::io::ErrorKind::StorageFull => FailureCode::DiskFull,
            _ => FailureCode::Failed,
        };
        Failure::new(code, format!("{} cannot be written: {error}.", path.display())).hint("Choose another place.")
    })
}

/// The shape that values are known to have.
#[derive(Clone, Copy)]
struct Shape {
    rows: u32,
    columns: u32,
    samples: u32,
}

impl Shape {
    fn of(image: &ImageView) -> Result<Self, Failure> {
        let &ImageView { rows, columns, samples, .. } = image;
        let expected = u64::from(rows).checked_mul(u64::from(columns)).and_then(|n| n.checked_mul(u64::from(samples)));
        if expected != Some(image.values.len() as u64) || expected == Some(0) {
            return Err(Failure::new(
                FailureCode::Failed,
                format!("The image has {} values for {rows} x {columns} x {samples}.", image.values.len()),
            )
            .hint("Both programs must be of the same version: restart the node."));
        }
        Ok(Self { rows, columns, samples })
    }
}

fn npy(image: &ImageView, Shape { rows, columns, samples }: Shape) -> Vec<u8> {
    let whole: Option<Vec<i32>> =
        image.integer.then(|| image.values.iter().map(|value| whole(*value)).collect()).flatten();
    let kind = if whole.is_some() { "<i4" } else { "<f8" };
    let shape = if samples == 1 { format!("({rows}, {columns})") } else { format!("({rows}, {columns}, {samples})") };
    let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
    // Two bytes hold the header's length; a line feed ends it.
    let before = NPY_MAGIC.len() + 2;
    let padding = (before + header.len() + 1).next_multiple_of(NPY_ALIGNMENT_BYTES) - (before + header.len() + 1);
    header.push_str(&" ".repeat(padding));
    header.push('\n');
    let length = u16::try_from(header.len()).unwrap_or(u16::MAX); // 118 bytes at most
    let mut bytes = Vec::with_capacity(before + header.len() + image.values.len() * 8);
    bytes.extend_from_slice(NPY_MAGIC);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(header.as_bytes());
    match whole {
        Some(values) => values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes())),
        None => image.values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes())),
    }
    bytes
}

/// The value as an integer, if it is one of 32 bits.
fn whole(value: f64) -> Option<i32> {
    let is_whole = value.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&value);
    #[expect(clippy::cast_possible_truncation, reason = "whole and within the range, as the line above says")]
    is_whole.then_some(value as i32)
}

fn png(image: &ImageView, shape: Shape, rounded: bool) -> Result<Vec<u8>, Failure> {
    let level = |value: &f64| {
        let value = if rounded { value.round().clamp(0.0, f64::from(u16::MAX)) } else { *value };
        whole(value).and_then(|value| u16::try_from(value).ok())
    };
    let levels: Option<Vec<u16>> = image.values.iter().map(level).collect();
    let levels = levels.ok_or_else(|| {
        Failure::new(FailureCode::WrongUse, "PNG cannot hold these values: some are negative, broken or too large.")
            .hint("Add --values display, or write a .npy file.")
    })?;
    let colour = match shape.samples {
        1 => png::ColorType::Grayscale,
        3 => png::ColorType::Rgb,
        other => {
            return Err(Failure::new(FailureCode::WrongUse, format!("PNG cannot hold {other} values a pixel."))
                .hint("Write a .npy file."));
        }
    };
    let narrow: Option<Vec<u8>> = levels.iter().map(|level| u8::try_from(*level).ok()).collect();
    let depth = if narrow.is_some() { png::BitDepth::Eight } else { png::BitDepth::Sixteen };
    let data = narrow.unwrap_or_else(|| levels.iter().flat_map(|level| level.to_be_bytes()).collect());
    let mut bytes = Vec::new();
    encode(&mut bytes, shape, colour, depth, &data).map_err(|error| {
        Failure::new(FailureCode::Failed, format!("The PNG cannot be made: {error}.")).hint("Write a .npy file.")
    })?;
    Ok(bytes)
}

fn encode(
    bytes: &mut Vec<u8>,
    shape: Shape,
    colour: png::ColorType,
    depth: png::BitDepth,
    data: &[u8],
) -> Result<(), png::EncodingError> {
    let mut encoder = png::Encoder::new(bytes, shape.columns, shape.rows);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(data)?;
    writer.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn image(rows: u32, columns: u32, samples: u32, values: Vec<f64>, integer: bool) -> ImageView {
        ImageView {
            rows,
            columns,
            samples,
            values,
            unit: "HU".into(),
            basis: None,
            integer,
            photometric: "MONOCHROME2".into(),
            windows: Vec::new(),
        }
    }

    /// A reader of NPY 1.0 that shares nothing with the writer.
    fn read_npy(bytes: &[u8]) -> (String, Vec<f64>) {
        assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
        let length = usize::from(bytes[8]) + 256 * usize::from(bytes[9]);
        let header = std::str::from_utf8(&bytes[10..10 + length]).unwrap();
        assert_eq!((10 + length) % 64, 0);
        assert!(header.ends_with('\n'));
        let data = &bytes[10 + length..];
        let values = if header.contains("'<i4'") {
            data.chunks_exact(4).map(|b| f64::from(i32::from_le_bytes(b.try_into().unwrap()))).collect()
        } else {
            data.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
        };
        (header.trim_end().to_owned(), values)
    }

    fn read_png(bytes: &[u8]) -> (png::BitDepth, png::ColorType, Vec<u8>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        let mut data = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut data).unwrap();
        (info.bit_depth, info.color_type, data)
    }

    fn npy_of(image: &ImageView) -> Vec<u8> {
        npy(image, Shape::of(image).unwrap())
    }

    #[test]
    fn whole_values_are_32_bit_integers_in_c_order() {
        let (header, values) = read_npy(&npy_of(&image(2, 3, 1, vec![-1024.0, 0.0, 1.0, 2.0, 3.0, 3071.0], true)));
        assert_eq!(header, "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }");
        assert_eq!(values, [-1024.0, 0.0, 1.0, 2.0, 3.0, 3071.0]);
    }

    #[test]
    fn broken_values_are_floats_and_so_are_integers_beyond_32_bits() {
        for (values, integer) in [(vec![0.5, 1.0], false), (vec![4_294_967_295.0, 1.0], true)] {
            let (header, read) = read_npy(&npy_of(&image(1, 2, 1, values.clone(), integer)));
            assert!(header.contains("'<f8'"), "{header}");
            assert_eq!(read, values);
        }
    }

    #[test]
    fn colour_has_a_third_dimension() {
        let (header, _) = read_npy(&npy_of(&image(1, 2, 3, vec![0.0; 6], true)));
        assert!(header.contains("'shape': (1, 2, 3)"), "{header}");
    }

    proptest! {
        #[test]
        fn any_values_written_are_read_back(values in prop::collection::vec(-1e9..1e9, 1..50)) {
            let columns = u32::try_from(values.len()).unwrap();
            let (_, read) = read_npy(&npy_of(&image(1, columns, 1, values.clone(), false)));
            prop_assert_eq!(read, values);
        }
    }

    #[test]
    fn displayed_values_fit_into_8_or_16_bits_of_png() {
        let narrow = image(1, 2, 1, vec![0.0, 255.0], true);
        let bytes = png(&narrow, Shape::of(&narrow).unwrap(), true).unwrap();
        assert_eq!(read_png(&bytes), (png::BitDepth::Eight, png::ColorType::Grayscale, vec![0, 255]));
        let wide = image(1, 2, 1, vec![1.0, 256.4], false);
        let bytes = png(&wide, Shape::of(&wide).unwrap(), true).unwrap();
        assert_eq!(read_png(&bytes), (png::BitDepth::Sixteen, png::ColorType::Grayscale, vec![0, 1, 1, 0]));
        let colour = image(1, 1, 3, vec![1.0, 2.0, 3.0], true);
        let bytes = png(&colour, Shape::of(&colour).unwrap(), true).unwrap();
        assert_eq!(read_png(&bytes), (png::BitDepth::Eight, png::ColorType::Rgb, vec![1, 2, 3]));
    }

    #[test]
    fn png_refuses_what_it_would_falsify() {
        for values in [vec![-1.0], vec![65_536.0], vec![0.5], vec![f64::NAN]] {
            let image = image(1, 1, 1, values, false);
            assert_eq!(png(&image, Shape::of(&image).unwrap(), false).unwrap_err().code, FailureCode::WrongUse);
        }
        let cmyk = image(1, 1, 4, vec![0.0; 4], true);
        assert!(png(&cmyk, Shape::of(&cmyk).unwrap(), true).is_err());
    }

    #[test]
    fn values_that_do_not_fill_the_shape_are_refused() {
        for (rows, columns, count) in [(2, 2, 3), (0, 2, 0), (u32::MAX, u32::MAX, 1)] {
            let image = image(rows, columns, 1, vec![0.0; count], true);
            assert!(Shape::of(&image).is_err());
        }
    }

    #[test]
    fn the_ending_decides() {
        assert_eq!(Format::of(Path::new("a.NPY")), Ok(Format::Npy));
        assert_eq!(Format::of(Path::new("a.b.png")), Ok(Format::Png));
        for bad in ["a", "npy", "a.jpg", ".png"] {
            assert_eq!(Format::of(Path::new(bad)).unwrap_err().code, FailureCode::WrongUse, "{bad}");
        }
    }
}
