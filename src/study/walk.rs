//! Walking over the elements of a data set without reading their values (PS3.5 §7).
//!
//! It finds where the top-level pixel data begins and ends, and proves on the way what the object parser relies
//! on: every declared length lies inside what holds it, nesting has a limit, and so has the number of elements.
//! Only then are the header's bytes given to the parser, which allocates by declared length and recurses.
//!
//! It interprets nothing: no value, no character set. Start with [`split`].

use std::ops::Range;

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};

use super::part10::Part10Error;

/// Deepest nesting of sequences that is read. Real objects (SR, enhanced multi-frame) stay below 20.
pub const DEPTH_MAX: u32 = 32;

/// Most elements of a header, nested ones counted: each costs some 200 bytes in memory.
pub const ELEMENTS_MAX: u32 = 2_000_000;

/// Longest header (everything but the pixel data) that is read, in bytes.
pub const HEADER_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Most values of a header, told by the backslashes between them: each of a text costs some 60 bytes in memory. A
/// structure set of 60 MiB has as many.
pub const VALUES_MAX: usize = 8 * 1024 * 1024;

/// How elements are written in a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    pub explicit: bool,
    pub big_endian: bool,
}

impl Encoding {
    pub const IMPLICIT_LE: Self = Self { explicit: false, big_endian: false };
    pub const EXPLICIT_LE: Self = Self { explicit: true, big_endian: false };
    pub const EXPLICIT_BE: Self = Self { explicit: true, big_endian: true };
}

/// Where the parts of a data set are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The elements before the pixel data, or all if there is none.
    pub before: Range<usize>,
    pub pixel: Option<PixelSpan>,
    /// The elements after it.
    pub after: Range<usize>,
    /// Elements that the parser must take as bytes.
    pub opaque: Vec<Opaque>,
}

/// An element of undefined length that is neither SQ nor Pixel Data, most often a private sequence written as UN.
/// It holds implicit VR whatever the syntax (PS3.5 §6.2.2 note 7), which `dicom-object` does not know: it goes
/// astray and allocates gigabytes. So the header's copy gets the length written in, and its items stay bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opaque {
    /// Where the four bytes of the length are.
    pub length_at: usize,
    /// Items and delimiter, in bytes.
    pub length: u32,
}

/// Where the pixel data is: (7FE0,0010), (7FE0,0008) or (7FE0,0009).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PixelSpan {
    pub tag: Tag,
    /// OW in implicit VR.
    pub vr: VR,
    /// The value; when encapsulated, the items without the sequence delimiter.
    pub value: Range<usize>,
    pub encapsulated: bool,
}

/// Finds the parts of the data set that begins at `start`.
///
/// `bytes` may be only the beginning of a file of `total` bytes; it is then enough that it reaches to where the
/// pixel data's value starts, and its end is not looked for.
///
/// # Errors
/// `NeedsWhole` if a beginning is not enough; otherwise what is wrong with the data set.
pub fn split(bytes: &[u8], start: usize, total: u64, encoding: Encoding) -> Result<Split, Part10Error> {
    let mut walk = Walk::new(bytes, total);
    let mut at = start;
    let mut split = Split { before: start..start, pixel: None, after: start..start, opaque: Vec::new() };
    while !walk.only_padding_from(at) {
        let head = walk.head(at, bytes.len(), encoding)?;
        if is_pixel_data(head.tag) {
            if split.pixel.is_some() {
                return Err(Part10Error::Malformed { what: "there is more than one top-level Pixel Data" });
            }
            let (span, end) = walk.pixel_data(&head, encoding)?;
            split.before = start..at;
            split.pixel = Some(span);
            split.after = end..end;
            at = end;
            if at > bytes.len() {
                break; // a beginning that holds the whole header
            }
        } else {
            at = walk.element_end(&head, bytes.len(), encoding, 0)?;
            match split.pixel {
                None => split.before.end = at,
                Some(_) => split.after.end = at,
            }
        }
        if split.before.len() + split.after.len() > HEADER_BYTES_MAX {
            return Err(Part10Error::HeaderTooLong);
        }
    }
    if (bytes.len() as u64) < total && at <= bytes.len() {
        return Err(Part10Error::NeedsWhole);
    }
    let header = [&split.before, &split.after].map(|range| bytes.get(range.clone()).unwrap_or_default());
    if header.iter().map(|part| part.iter().filter(|&&byte| byte == b'\\').count()).sum::<usize>() > VALUES_MAX {
        return Err(Part10Error::TooManyValues);
    }
    split.opaque = walk.opaque;
    Ok(split)
}

/// Whether a data set in this encoding seems to begin at `start`: group 0008 and a first element that fits.
/// Groups below are used by no data set; real ones without group 0008 could not be named.
pub fn begins(bytes: &[u8], start: usize, total: u64, encoding: Encoding) -> bool {
    let walk = Walk::new(bytes, total);
    let room = total.saturating_sub(start as u64);
    match walk.head(start, bytes.len(), encoding) {
        Ok(head) => {
            head.tag.group() == 0x0008
                && (!encoding.explicit || head.vr.is_some())
                && match head.length {
                    Some(length) => u64::from(length) <= room,
                    None => true,
                }
        }
        Err(_) => false,
    }
}

fn is_pixel_data(tag: Tag) -> bool {
    matches!(tag, tags::PIXEL_DATA | tags::FLOAT_PIXEL_DATA | tags::DOUBLE_FLOAT_PIXEL_DATA)
}

const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_END: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);

/// Tag, VR and length of an element.
struct Head {
    tag: Tag,
    /// `None` in implicit VR, or when the two letters are no VR.
    vr: Option<VR>,
    /// `None` is undefined length.
    length: Option<u32>,
    /// Where the value starts.
    value: usize,
}

struct Walk<'a> {
    bytes: &'a [u8],
    total: u64,
    elements: u32,
    opaque: Vec<Opaque>,
    /// The last byte that was looked up because it is not 0: each is looked up once.
    not_zero: Option<usize>,
}

impl<'a> Walk<'a> {
    fn new(bytes: &'a [u8], total: u64) -> Self {
        Self { bytes, total, elements: 0, opaque: Vec::new(), not_zero: None }
    }

    /// Whether nothing but zeros is left: some writers fill up their last block.
    fn only_padding_from(&mut self, at: usize) -> bool {
        if (self.bytes.len() as u64) < self.total || self.not_zero.is_some_and(|place| at <= place) {
            return false;
        }
        let rest = self.bytes.get(at..).unwrap_or_default();
        self.not_zero = rest.iter().position(|&byte| byte != 0).map(|place| at + place);
        self.not_zero.is_none()
    }

    /// What to say when `needed` bytes would have to be there and are not.
    fn ends_early(&self, needed: u64) -> Part10Error {
        if needed <= self.total {
            Part10Error::NeedsWhole
        } else {
            Part10Error::Truncated { declared: needed, present: self.total }
        }
    }

    fn head(&self, at: usize, end: usize, encoding: Encoding) -> Result<Head, Part10Error> {
        let room = self.bytes.get(at..end).unwrap_or_default();
        let Some(start) = room.first_chunk::<8>() else {
            return Err(match end == self.bytes.len() {
                true => self.ends_early(at as u64 + 8),
                false => Part10Error::Malformed { what: "an element does not fit into its item" },
            });
        };
        let short = |at: usize| {
            let bytes = [start[at], start[at + 1]];
            if encoding.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
        };
        let long = |bytes: [u8; 4]| {
            if encoding.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
        };
        let tag = Tag(short(0), short(2));
        let defined = |length: u32| (length != u32::MAX).then_some(length);
        if tag.group() == 0xFFFE || !encoding.explicit {
            let length = defined(long([start[4], start[5], start[6], start[7]]));
            return Ok(Head { tag, vr: None, length, value: at + 8 });
        }
        let vr = VR::from_binary([start[4], start[5]]);
        if vr.is_some_and(has_short_length) {
            return Ok(Head { tag, vr, length: Some(u32::from(short(6))), value: at + 8 });
        }
        let Some(&[a, b, c, d]) = room.get(8..12).and_then(|bytes| bytes.first_chunk::<4>()) else {
            return Err(match end == self.bytes.len() {
                true => self.ends_early(at as u64 + 12),
                false => Part10Error::Malformed { what: "an element does not fit into its item" },
            });
        };
        Ok(Head { tag, vr, length: defined(long([a, b, c, d])), value: at + 12 })
    }

    /// Where the element ends; everything nested in it is walked too.
    fn element_end(&mut self, head: &Head, end: usize, encoding: Encoding, depth: u32) -> Result<usize, Part10Error> {
        if head.tag.group() == 0xFFFE {
            return Err(Part10Error::Malformed { what: "an item or a delimiter stands outside of a sequence" });
        }
        self.elements += 1;
        if self.elements > ELEMENTS_MAX {
            return Err(Part10Error::TooManyElements);
        }
        match head.length {
            Some(length) => {
                let value_end = self.inside(head.value, length, end)?;
                if self.holds_items(head, value_end, encoding) {
                    self.items(head.value, Some(value_end), value_end, encoding, depth + 1)?;
                }
                Ok(value_end)
            }
            None if head.tag == tags::PIXEL_DATA => Ok(self.fragments(head.value, end, encoding)?.1),
            None if matches!(head.vr, Some(VR::OB | VR::OW | VR::OF | VR::OD | VR::OL | VR::OV)) => {
                let element_end = self.fragments(head.value, end, encoding)?.1;
                self.take_as_bytes(head, element_end)
            }
            None if head.vr == Some(VR::UN) => {
                let outer = self.opaque.len();
                let element_end = self.items(head.value, None, end, Encoding::IMPLICIT_LE, depth + 1)?;
                self.opaque.truncate(outer); // what is inside stays bytes with it
                self.take_as_bytes(head, element_end)
            }
            None => self.items(head.value, None, end, encoding, depth + 1),
        }
    }

    fn take_as_bytes(&mut self, head: &Head, element_end: usize) -> Result<usize, Part10Error> {
        let length = u32::try_from(element_end - head.value).map_err(|_| Part10Error::HeaderTooLong)?;
        self.opaque.push(Opaque { length_at: head.value - 4, length });
        Ok(element_end)
    }

    fn inside(&self, start: usize, length: u32, end: usize) -> Result<usize, Part10Error> {
        let value_end = start as u64 + u64::from(length);
        match usize::try_from(value_end) {
            Ok(value_end) if value_end <= end => Ok(value_end),
            _ if end == self.bytes.len() => Err(self.ends_early(value_end)),
            _ => Err(Part10Error::Malformed { what: "an element is longer than what holds it" }),
        }
    }

    /// Whether the parser will take a value of defined length for a sequence.
    fn holds_items(&self, head: &Head, value_end: usize, encoding: Encoding) -> bool {
        if encoding.explicit {
            return head.vr == Some(VR::SQ);
        }
        value_end > head.value
            && StandardDataDictionary.by_tag(head.tag).is_some_and(|entry| entry.vr() == VirtualVr::Exact(VR::SQ))
    }

    /// Walks the items of a sequence and gives its end; `defined_end` is `None` if a delimiter ends it.
    fn items(
        &mut self,
        start: usize,
        defined_end: Option<usize>,
        end: usize,
        encoding: Encoding,
        depth: u32,
    ) -> Result<usize, Part10Error> {
        if depth > DEPTH_MAX {
            return Err(Part10Error::TooDeep);
        }
        let mut at = start;
        while defined_end != Some(at) {
            let head = self.head(at, end, encoding)?;
            at = match (head.tag, head.length) {
                (SEQUENCE_END, _) if defined_end.is_none() => return Ok(head.value),
                (ITEM, Some(length)) => {
                    let item_end = self.inside(head.value, length, end)?;
                    let mut at = head.value;
                    while at < item_end {
                        let head = self.head(at, item_end, encoding)?;
                        at = self.element_end(&head, item_end, encoding, depth)?;
                    }
                    item_end
                }
                (ITEM, None) => {
                    let mut at = head.value;
                    loop {
                        let head = self.head(at, end, encoding)?;
                        if head.tag == ITEM_END {
                            break head.value;
                        }
                        at = self.element_end(&head, end, encoding, depth)?;
                    }
                }
                _ => return Err(Part10Error::Malformed { what: "a sequence holds something else than items" }),
            };
        }
        Ok(at)
    }

    /// Walks fragments (PS3.5 §A.4) and gives where they end without and with the delimiter. A missing delimiter
    /// at the end of the file is forgiven.
    fn fragments(&self, start: usize, end: usize, encoding: Encoding) -> Result<(usize, usize), Part10Error> {
        let mut at = start;
        loop {
            if at == end && end as u64 == self.total {
                return Ok((at, at));
            }
            let head = self.head(at, end, encoding)?;
            match (head.tag, head.length) {
                (SEQUENCE_END, _) => return Ok((at, head.value)),
                (ITEM, Some(length)) => at = self.inside(head.value, length, end)?,
                _ => return Err(Part10Error::Malformed { what: "compressed pixel data holds no fragments" }),
            }
        }
    }

    /// The top-level pixel data and where it ends, which may lie beyond the bytes at hand.
    fn pixel_data(&self, head: &Head, encoding: Encoding) -> Result<(PixelSpan, usize), Part10Error> {
        let vr = head.vr.unwrap_or(VR::OW);
        let span = |value, encapsulated| PixelSpan { tag: head.tag, vr, value, encapsulated };
        let partial = (self.bytes.len() as u64) < self.total;
        match head.length {
            Some(length) => {
                let end = head.value as u64 + u64::from(length);
                match usize::try_from(end) {
                    Ok(end_here) if end <= self.total => Ok((span(head.value..end_here, false), end_here)),
                    _ => Err(Part10Error::Truncated { declared: end, present: self.total }),
                }
            }
            None if partial => Ok((span(head.value..head.value, true), self.bytes.len() + 1)),
            None => {
                let (value_end, end) = self.fragments(head.value, self.bytes.len(), encoding)?;
                Ok((span(head.value..value_end, true), end))
            }
        }
    }
}

/// VRs whose length has 16 bits (PS3.5 Table 7.1-2).
fn has_short_length(vr: VR) -> bool {
    use VR::*;
    matches!(vr, AE | AS | AT | CS | DA | DS | DT | FL | FD | IS | LO | LT | PN | SH | SL | SS | ST | TM | UI | UL | US)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMPLICIT: Encoding = Encoding::IMPLICIT_LE;

    /// Group length of group 0008.
    const FIRST: [u8; 12] = [8, 0, 0, 0, 4, 0, 0, 0, 1, 1, 1, 1];

    /// Eight zeros are an element of their own, and each of them asked whether the rest is padding: hours.
    #[test]
    fn a_million_empty_elements_are_walked_in_one_go() {
        let bytes = [&FIRST[..], &vec![0; 8 << 20], &FIRST].concat();
        let split = split(&bytes, 0, bytes.len() as u64, IMPLICIT).unwrap();
        assert_eq!((split.before, split.pixel), (0..bytes.len(), None));
    }

    #[test]
    fn padding_at_the_end_belongs_to_nothing() {
        let bytes = [&FIRST[..], &[0; 500]].concat();
        assert_eq!(split(&bytes, 0, bytes.len() as u64, IMPLICIT).unwrap().before, 0..FIRST.len());
        let bytes = [&FIRST[..], &[0; 16], &FIRST].concat();
        assert_eq!(split(&bytes, 0, bytes.len() as u64, IMPLICIT).unwrap().before, 0..bytes.len());
    }

    /// The parser makes a text of its own of what stands between two backslashes, though it be nothing.
    #[test]
    fn a_text_of_nothing_but_backslashes_is_refused() {
        let with = |values: usize| {
            let length = u32::try_from(values).unwrap().to_le_bytes();
            [&[8, 0, 8, 0], &length[..], &vec![b'\\'; values]].concat()
        };
        let read = |bytes: &[u8]| split(bytes, 0, bytes.len() as u64, IMPLICIT).map(|split| split.before.len());
        assert_eq!(read(&with(VALUES_MAX)), Ok(VALUES_MAX + 8));
        assert_eq!(read(&with(VALUES_MAX + 1)), Err(Part10Error::TooManyValues));
    }
}
