//! What a JPEG 2000 codestream asks of its decoder, looked at before the decoder runs (ISO/IEC 15444-1 Annexes A, B
//! and I).
//!
//! openjp2 takes memory by what the headers say: some hundred bytes for every precinct and code-block, whether data
//! follows or not, so that a file of a hundred bytes may ask for more than the machine has; and it is a translation
//! of C. So its way to the data is gone first: the box that holds the codestream, the main header, and the header of
//! every tile-part, each of which may change the coding. What it would read in another way than this does (an unknown
//! marker, where it searches for the next known one) is refused.
//!
//! It decodes nothing. Start with [`check`].

use super::codec::Coded;
use super::description::Description;

/// Most precincts and code-blocks of a tile, all components together: enough for the largest image in code-blocks of
/// 16 x 16.
const RECORDS_MAX: u64 = 1024 * 1024;

/// Most tiles: each takes 6 KiB before it is decoded.
const TILES_MAX: u64 = 16 * 1024;

const JP2_SIGNATURE: [u8; 12] = *b"\0\0\0\x0cjP  \r\n\x87\n";
const SOC_SIZ: [u8; 4] = [0xff, 0x4f, 0xff, 0x51];

const DAMAGED: &str = "its headers are damaged";

/// Refuses a codestream that is not the image of `description`, or that asks for too much.
pub(super) fn check(bytes: &[u8], description: &Description) -> Result<(), String> {
    let codestream = codestream(bytes).ok_or("no JPEG 2000 size marker")?;
    let mut markers = Markers { bytes: codestream, at: 2 };
    let (_, size) = markers.segment().ok_or("no JPEG 2000 size marker")?;
    let size = Size::read(size).ok_or("its size marker is damaged")?;
    size.coded.agree(description)?;
    if size.tiles() > TILES_MAX {
        return Err(format!("it has more than {TILES_MAX} tiles"));
    }
    let mut main = true;
    loop {
        let start = markers.at;
        let (marker, body) = markers.segment().ok_or(DAMAGED)?;
        match marker {
            0x90 => {
                // Start of a tile-part: its header ends with the data, its data where the length says.
                let length = body.get(2..6).and_then(|b| b.first_chunk()).map(|&b| u32::from_be_bytes(b));
                let length = length.ok_or(DAMAGED)?;
                while codestream.get(markers.at..markers.at + 2) != Some(&[0xff, 0x93]) {
                    let (marker, body) = markers.segment().ok_or(DAMAGED)?;
                    size.check_coding(marker, body)?;
                }
                let data = markers.at + 2;
                let end = match length {
                    0 => return Ok(()), // the last one
                    12 => data,         // written by some for one without data
                    length => start.saturating_add(length as usize),
                };
                match codestream.get(end..).and_then(|rest| rest.first_chunk::<2>()) {
                    Some([0xff, 0x90]) if end >= data => (markers.at, main) = (end, false),
                    _ if end >= data => return Ok(()),
                    _ => return Err(DAMAGED.to_string()),
                }
            }
            _ if main => size.check_coding(marker, body)?,
            _ => return Err(DAMAGED.to_string()),
        }
    }
}

/// The codestream, bare or in the first `jp2c` box of a JP2 file.
fn codestream(bytes: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    if bytes.starts_with(&JP2_SIGNATURE) {
        loop {
            let &[a, b, c, d, t, y, p, e] = bytes.get(at..)?.first_chunk()?;
            let (length, head) = match u32::from_be_bytes([a, b, c, d]) {
                1 => {
                    let long = u64::from_be_bytes(*bytes.get(at + 8..)?.first_chunk()?);
                    (u32::try_from(long).ok()?, 16)
                }
                length => (length, 8),
            };
            if [t, y, p, e] == *b"jp2c" {
                at += head;
                break;
            }
            let length = usize::try_from(length).ok().filter(|&length| length >= head)?;
            at = at.checked_add(length)?;
        }
    }
    bytes.get(at..).filter(|codestream| codestream.starts_with(&SOC_SIZ))
}

/// Marker segments, one after the other.
struct Markers<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Markers<'a> {
    fn segment(&mut self) -> Option<(u8, &'a [u8])> {
        let &[0xff, marker, high, low] = self.bytes.get(self.at..)?.first_chunk()? else { return None };
        let end = self.at + 2 + usize::from(u16::from_be_bytes([high, low])).max(2);
        let body = self.bytes.get(self.at + 4..end)?;
        self.at = end;
        Some((marker, body))
    }
}

/// The SIZ marker (§A.5.1).
struct Size {
    coded: Coded,
    /// Where the image ends on the reference grid, where the first tile starts, and a tile's size: across, down.
    end: [u32; 2],
    tile_start: [u32; 2],
    tile: [u32; 2],
}

impl Size {
    fn read(body: &[u8]) -> Option<Self> {
        let word = |at: usize| body.get(at..)?.first_chunk().map(|&b| u32::from_be_bytes(b));
        let pair = |at: usize| Some([word(at)?, word(at + 4)?]);
        let (end, start, tile, tile_start) = (pair(2)?, pair(10)?, pair(18)?, pair(26)?);
        let components = body.get(36..)?;
        let count = u16::from_be_bytes(*body.get(34..)?.first_chunk()?);
        if components.len() != 3 * usize::from(count) || tile.contains(&0) {
            return None;
        }
        let components = components.chunks_exact(3);
        let subsampled = components.clone().any(|component| component[1] != 1 || component[2] != 1);
        let coded = Coded {
            columns: end[0].checked_sub(start[0])?,
            rows: end[1].checked_sub(start[1])?,
            samples: if subsampled { 0 } else { u32::from(count) },
            bits: components.map(|component| u32::from(component[0] & 0x7f) + 1).max().unwrap_or(0),
        };
        Some(Self { coded, end, tile_start, tile })
    }

    fn tiles(&self) -> u64 {
        let along = |i: usize| u64::from(self.end[i].saturating_sub(self.tile_start[i]).div_ceil(self.tile[i]));
        along(0) * along(1)
    }

    /// Checks a marker segment of a header: a coding style (§A.6.1, §A.6.2), or one that changes no size.
    fn check_coding(&self, marker: u8, body: &[u8]) -> Result<(), String> {
        let style = match marker {
            0x52 => body.split_first().and_then(|(style, rest)| Some((style, rest.get(4..)?))),
            // At most 3 components, so their number takes one byte.
            0x53 => body.get(1..).and_then(<[u8]>::split_first),
            0x50 | 0x55 | 0x57..=0x59 | 0x5c..=0x5f | 0x60 | 0x61 | 0x63 | 0x64 | 0x74 | 0x75 | 0x77 | 0x78 => {
                return Ok(());
            }
            _ => return Err(format!("an unexpected marker {marker:02X}")),
        };
        let (style, rest) = style.ok_or(DAMAGED)?;
        let records = self.records(style & 1 == 1, rest).ok_or(DAMAGED)?;
        match records.saturating_mul(u64::from(self.coded.samples)) {
            records if records > RECORDS_MAX => {
                Err(format!("it asks for {records} precincts and code-blocks, more than {RECORDS_MAX}"))
            }
            _ => Ok(()),
        }
    }

    /// At most how many precincts and code-blocks one component of a tile has (§B.5 to §B.7).
    fn records(&self, own_precincts: bool, style: &[u8]) -> Option<u64> {
        let &[levels, block_width, block_height, _, _, ref precincts @ ..] = style else { return None };
        let levels = usize::from(levels);
        if levels > 32 || block_width > 8 || block_height > 8 {
            return None;
        }
        let block = [block_width + 2, block_height + 2];
        let tile = [self.tile[0].min(self.coded.columns), self.tile[1].min(self.coded.rows)];
        let mut records = 0_u64;
        for resolution in 0..=levels {
            let precinct = match own_precincts {
                true => precincts.get(resolution).map(|&both| [both & 15, both >> 4])?,
                false => [15, 15],
            };
            // Each band of a level but the lowest is half as large as its resolution. Where a tile starts between two
            // precincts or blocks there is one more.
            let half = u8::from(resolution > 0);
            let bands = if resolution > 0 { 3 } else { 1 };
            let scale = u32::try_from(levels - resolution).ok()?;
            let cells = |i: usize, exponent: u8, scale: u32| {
                (u64::from(tile[i]) >> scale >> exponent.min(31)).saturating_add(2)
            };
            let in_precincts = cells(0, precinct[0], scale) * cells(1, precinct[1], scale);
            let exponent = |i: usize| block[i].min(precinct[i].saturating_sub(half));
            let scale = scale + u32::from(half);
            let in_blocks = cells(0, exponent(0), scale) * cells(1, exponent(1), scale);
            records = records.saturating_add(bands * in_precincts.saturating_add(in_blocks));
        }
        Some(records)
    }
}

#[cfg(test)]
mod tests {
    use dicom_core::{DataElement, VR};
    use dicom_dictionary_std::tags;
    use dicom_object::InMemDicomObject;
    use proptest::prelude::*;

    use super::*;

    const SIDE: u32 = 11_585;

    fn grey(side: u32) -> Description {
        let number = |tag, value: u16| DataElement::new(tag, VR::US, dicom_core::PrimitiveValue::from(value));
        let side = u16::try_from(side).unwrap();
        let header = InMemDicomObject::from_element_iter([
            number(tags::ROWS, side),
            number(tags::COLUMNS, side),
            number(tags::BITS_ALLOCATED, 8),
        ]);
        Description::of(&header, tags::PIXEL_DATA).unwrap()
    }

    fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
        [&[0xff, marker], &length[..], body].concat()
    }

    /// Size marker of a grey image in tiles.
    fn siz(side: u32, tile: u32) -> Vec<u8> {
        let words = [side, side, 0, 0, tile, tile, 0, 0].map(u32::to_be_bytes);
        segment(0x51, &[&[0, 0], words.as_flattened(), &[0, 1, 7, 1, 1]].concat())
    }

    /// Style of code-blocks of 2^`block` samples a side, without levels; precincts as given.
    fn style(block: u8, precincts: &[u8]) -> Vec<u8> {
        [&[0, block - 2, block - 2, 0, 1], precincts].concat()
    }

    fn cod(block: u8, precincts: &[u8]) -> Vec<u8> {
        let own = u8::from(!precincts.is_empty());
        segment(0x52, &[&[own, 0, 0, 1, 0][..], &style(block, precincts)].concat())
    }

    fn tile_part(header: &[u8], data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(12 + header.len() + 2 + data.len()).unwrap().to_be_bytes();
        let sot = segment(0x90, &[&[0, 0], &length[..], &[0, 1]].concat());
        [&sot, header, &[0xff, 0x93], data].concat()
    }

    fn stream(parts: &[&[u8]]) -> Vec<u8> {
        [&[0xff, 0x4f], &parts.concat()[..], &[0xff, 0xd9]].concat()
    }

    fn in_boxes(boxes: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let of = |(name, content): &(&[u8; 4], &[u8])| {
            [&u32::try_from(content.len() + 8).unwrap().to_be_bytes(), &name[..], content].concat()
        };
        [&JP2_SIGNATURE[..], &boxes.iter().flat_map(of).collect::<Vec<u8>>()].concat()
    }

    #[test]
    fn what_honest_encoders_write_is_let_through() {
        let end = tile_part(&[], b"data");
        for side in [16, 512, SIDE] {
            for precincts in [&[][..], &[0x88], &[0xff]] {
                for block in [4, 5, 6] {
                    let bytes = stream(&[&siz(side, side), &cod(block, precincts), &segment(0x64, b"\0\x01x"), &end]);
                    assert_eq!(check(&bytes, &grey(side)), Ok(()), "{side} {precincts:?} {block}");
                }
            }
        }
        let tiles = stream(&[&siz(4096, 64), &cod(6, &[]), &end, &end]);
        assert_eq!(check(&tiles, &grey(4096)), Ok(()));
        assert_eq!(check(&in_boxes(&[(b"jp2h", b"any"), (b"jp2c", &tiles)]), &grey(4096)), Ok(()));
    }

    /// Each would make the decoder take tens of gigabytes, or run into its own search for markers.
    #[test]
    fn a_codestream_of_a_hundred_bytes_does_not_get_all_memory() {
        let (size, sound, end) = (siz(SIDE, SIDE), cod(6, &[]), tile_part(&[], b""));
        let pixel_precincts = cod(6, &[0x00]);
        let coc = |precincts: &[u8]| segment(0x53, &[&[0, 1][..], &style(6, precincts)].concat());
        let later = [tile_part(&[], b"data"), tile_part(&pixel_precincts, b"")].concat();
        let too_many = "precincts and code-blocks";
        let other_image = "the header says";
        let inner = stream(&[&siz(60_000, 60_000), &sound, &end]);
        let decoy = stream(&[&size, &sound, &end]);
        for (attack, bytes, why) in [
            ("a precinct a pixel", stream(&[&size, &pixel_precincts, &end]), too_many),
            ("code-blocks of 4 x 4", stream(&[&size, &cod(2, &[]), &end]), too_many),
            ("a second style after a sound one", stream(&[&size, &sound, &pixel_precincts, &end]), too_many),
            ("a component's own style", stream(&[&size, &sound, &coc(&[0x11]), &end]), too_many),
            ("a style in a tile's header", stream(&[&size, &sound, &tile_part(&pixel_precincts, b"")]), too_many),
            ("a style in a later tile-part", stream(&[&size, &sound, &later]), too_many),
            ("a style behind an unknown marker", stream(&[&size, &segment(0x30, &pixel_precincts), &end]), "marker 30"),
            ("tiles of one pixel", stream(&[&siz(SIDE, 1), &sound, &end]), "tiles"),
            ("tiles of none", stream(&[&siz(SIDE, 0), &sound, &end]), "size marker"),
            ("another size in a box before", in_boxes(&[(b"xml ", &decoy), (b"jp2c", &inner)]), other_image),
            (
                "a tile-part that ends before its data",
                stream(&[&size, &sound, &end[..9], &[13], &end[10..]]),
                "damaged",
            ),
            ("a box of no length", in_boxes(&[(b"jp2h", b"")]).iter().copied().chain([0; 8]).collect(), "size marker"),
        ] {
            let refused = check(&bytes, &grey(SIDE)).expect_err(attack);
            assert!(refused.contains(why), "{attack}: {refused}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_let_through_or_refused(
            tail in prop::collection::vec(any::<u8>(), 0..200), boxed: bool, main: bool,
        ) {
            let start = if main { [siz(64, 64), cod(6, &[])].concat() } else { Vec::new() };
            let bytes = stream(&[&start, &tail]);
            let _ = check(&if boxed { in_boxes(&[(b"jp2c", &bytes)]) } else { bytes }, &grey(64));
            let _ = check(&[&JP2_SIGNATURE[..], &tail].concat(), &grey(64));
        }
    }
}
