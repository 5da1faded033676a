//! Reading one DICOM file (PS3.10), with its pixel data kept out of the object model.
//!
//! An object model that holds pixels needs 200 to 380 ms for 500 CT files, one that holds headers only 9 ms. So
//! [`walk`] finds the top-level pixel data first; the elements before and after it are parsed by
//! `dicom-object` from a copy, the pixel data stays a range of the file's bytes and is never touched.
//!
//! Files come from strangers and from forty years of software. Read are files without preamble, without file
//! meta information, without or with a wrong transfer syntax, without group lengths, and deflated ones. What is
//! not read says why: nothing is guessed that a wrong guess would garble. In particular a file that ends before
//! its declared length is refused, because nobody can say what is missing.
//!
//! Start with [`read`]; [`scan`] needs only the first bytes of a file.

use std::borrow::Cow;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dicom_core::{Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_encoding::TransferSyntax;
use dicom_object::InMemDicomObject;
use dicom_transfer_syntax_registry::entries;

use super::packing::Layout;
use super::walk::{self, Encoding, HEADER_BYTES_MAX, Split};

mod names;

/// Longest inflated data set of a deflated file, in bytes.
pub const INFLATED_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// How many times longer than the file an inflated data set may be. Zeros deflate to a thousandth.
pub const INFLATED_RATIO_MAX: u64 = 1100;

/// How many first bytes of a file usually hold its whole header.
pub const SCAN_BYTES: usize = 64 * 1024;

/// Retired by the standard, still met.
const EXPLICIT_VR_BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";

const PREAMBLE_BYTES: usize = 128;
const MAGIC: &[u8] = b"DICM";

/// A DICOM file: its header as an object, its pixel data as bytes.
#[derive(Debug)]
pub struct Part10<'a> {
    pub syntax: Syntax,
    /// All top-level elements but the pixel data.
    pub header: InMemDicomObject,
    pub pixel: Option<PixelElement<'a>>,
}

/// The pixel data element as it stands in the file.
#[derive(Debug)]
pub struct PixelElement<'a> {
    /// (7FE0,0010), (7FE0,0008) or (7FE0,0009).
    pub tag: Tag,
    pub vr: VR,
    /// Undefined length: `bytes` are the items, without the sequence delimiter.
    pub encapsulated: bool,
    pub bytes: Cow<'a, [u8]>,
}

/// A transfer syntax and how its data sets are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syntax {
    pub uid: String,
    pub encoding: Encoding,
    /// The whole data set is deflated (PS3.5 §A.5).
    pub deflated: bool,
}

impl Syntax {
    /// The syntax with this UID. All that are not named here are explicit little endian (PS3.5 §A.4).
    pub fn of(uid: &str) -> Self {
        const GE_PRIVATE_IMPLICIT: &str = "1.2.840.113619.5.2";
        let encoding = match uid {
            uids::IMPLICIT_VR_LITTLE_ENDIAN | GE_PRIVATE_IMPLICIT => Encoding::IMPLICIT_LE,
            EXPLICIT_VR_BIG_ENDIAN => Encoding::EXPLICIT_BE,
            _ => Encoding::EXPLICIT_LE,
        };
        let deflated = matches!(
            uid,
            uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
                | uids::JPIP_REFERENCED_DEFLATE
                | uids::JPIPHTJ2K_REFERENCED_DEFLATE
        );
        Self { uid: uid.to_string(), encoding, deflated }
    }

    fn plain(encoding: Encoding) -> Self {
        Self::of(match encoding {
            Encoding::IMPLICIT_LE => uids::IMPLICIT_VR_LITTLE_ENDIAN,
            Encoding::EXPLICIT_BE => EXPLICIT_VR_BIG_ENDIAN,
            _ => uids::EXPLICIT_VR_LITTLE_ENDIAN,
        })
    }

    /// The uncompressed syntax whose headers look the same, for `dicom-object`.
    pub(crate) fn of_header(&self) -> TransferSyntax {
        match self.encoding {
            Encoding::IMPLICIT_LE => entries::IMPLICIT_VR_LITTLE_ENDIAN.erased(),
            Encoding::EXPLICIT_BE => entries::EXPLICIT_VR_BIG_ENDIAN.erased(),
            _ => entries::EXPLICIT_VR_LITTLE_ENDIAN.erased(),
        }
    }
}

/// Reads a whole file.
pub fn read(bytes: &[u8]) -> Result<Part10<'_>, Part10Error> {
    let found = locate(bytes, bytes.len() as u64)?;
    let header = parse_header(&found.body, &found.split, &found.syntax)?;
    let pixel = found.split.pixel.map(|span| PixelElement {
        tag: span.tag,
        vr: span.vr,
        encapsulated: span.encapsulated,
        // The walk has proved that the range lies inside the body.
        bytes: match found.body {
            Cow::Borrowed(body) => Cow::Borrowed(body.get(span.value).unwrap_or_default()),
            Cow::Owned(body) => Cow::Owned(body.get(span.value).unwrap_or_default().to_vec()),
        },
    });
    let header = with_names_of_meta(header, &found.meta);
    Ok(Part10 { syntax: found.syntax, header, pixel })
}

/// Reads the header from the first bytes of a file that is `total` bytes long.
///
/// # Errors
/// [`Part10Error::NeedsWhole`] when these bytes are not enough and [`read`] must decide.
pub fn scan(beginning: &[u8], total: u64) -> Result<(Syntax, InMemDicomObject), Part10Error> {
    let found = locate(beginning, total)?;
    if found.split.pixel.is_none() && (beginning.len() as u64) < total {
        return Err(Part10Error::NeedsWhole);
    }
    let header = parse_header(&found.body, &Split { after: 0..0, ..found.split }, &found.syntax)?;
    Ok((found.syntax, with_names_of_meta(header, &found.meta)))
}

impl Part10<'_> {
    /// How the pixel data is laid out, for packing; `None` if it is compressed or not of 8 or 16 bits.
    pub fn layout(&self) -> Option<Layout> {
        let pixel = self.pixel.as_ref().filter(|pixel| !pixel.encapsulated && pixel.tag == tags::PIXEL_DATA)?;
        layout(&self.header, self.syntax.encoding, pixel)
    }
}

fn layout(header: &InMemDicomObject, encoding: Encoding, pixel: &PixelElement<'_>) -> Option<Layout> {
    let number = |tag| header.get(tag).and_then(|element| element.to_int::<u32>().ok());
    let sample_bytes = match number(tags::BITS_ALLOCATED)? {
        8 => 1,
        16 => 2,
        _ => return None,
    };
    let samples = u8::try_from(number(tags::SAMPLES_PER_PIXEL).unwrap_or(1)).ok()?;
    let by_plane = number(tags::PLANAR_CONFIGURATION) == Some(1);
    let columns = number(tags::COLUMNS)?;
    let photometric = header.get(tags::PHOTOMETRIC_INTERPRETATION).and_then(|element| element.to_str().ok());
    // PS3.3 C.7.6.3.1.2: two luminances share one pair of colour differences.
    let half_colour = samples == 3 && photometric.is_some_and(|p| p.trim_end().starts_with("YBR_FULL_422"));
    let (interleaved, columns) = match samples {
        _ if half_colour => (4, columns / 2),
        samples if by_plane => (1.min(samples), columns),
        samples => (samples, columns),
    };
    Some(Layout {
        sample_bytes,
        interleaved,
        big_endian: encoding.big_endian && pixel.vr == VR::OW,
        signed: number(tags::PIXEL_REPRESENTATION) == Some(1),
        columns,
        rows: number(tags::ROWS)?,
    })
}

/// What [`read`] and [`scan`] find before they parse anything.
struct Found<'a> {
    meta: Meta,
    syntax: Syntax,
    /// The file, or the inflated data set.
    body: Cow<'a, [u8]>,
    split: Split,
}

fn locate(bytes: &[u8], total: u64) -> Result<Found<'_>, Part10Error> {
    if total == 0 {
        return Err(Part10Error::Empty);
    }
    // A file without preamble may have the magic word in its data.
    let magic_end = PREAMBLE_BYTES + MAGIC.len();
    let preamble = bytes.get(PREAMBLE_BYTES..magic_end) == Some(MAGIC)
        && (meta_element(bytes, magic_end).is_some() || !walk::begins(bytes, 0, total, Encoding::EXPLICIT_LE));
    let start = match preamble {
        true => magic_end,
        false if bytes.starts_with(MAGIC) => MAGIC.len(),
        false => 0,
    };
    let meta = Meta::read(bytes, start);
    if meta.class.as_deref() == Some(uids::MEDIA_STORAGE_DIRECTORY_STORAGE) {
        return Err(Part10Error::DicomDir);
    }
    let known_as_dicom = start > 0 || meta.end > start;
    let declared = meta.syntax.as_deref().map(Syntax::of);
    let stray = usize::from(
        !known_as_dicom && bytes.first() == Some(&b' ') && {
            // A lone blank before the data set was seen in the wild. Two letters of a VR make the skip safe.
            !walk::begins(bytes, 0, total, Encoding::IMPLICIT_LE)
                && walk::begins(bytes, 1, total, Encoding::EXPLICIT_LE)
        },
    );
    let start = meta.end + stray;
    let guessed = || {
        [Encoding::EXPLICIT_LE, Encoding::IMPLICIT_LE, Encoding::EXPLICIT_BE]
            .into_iter()
            .find(|&encoding| walk::begins(bytes, start, total, encoding))
            .map(Syntax::plain)
    };
    let syntax = match declared {
        Some(syntax) if syntax.deflated => {
            let body = inflate(bytes, meta.end, total)?;
            let split = walk::split(&body, 0, body.len() as u64, syntax.encoding)?;
            return Ok(Found { meta, syntax, body: Cow::Owned(body), split });
        }
        // A file that says it is explicit and is implicit, or the other way round, is common; the first element
        // tells. A compressed one is always explicit, so there is nothing else it could be.
        Some(syntax) if !walk::begins(bytes, start, total, syntax.encoding) => match guessed() {
            Some(guess) if is_uncompressed(&syntax.uid) => guess,
            _ => syntax,
        },
        Some(syntax) => syntax,
        None => guessed().ok_or(match known_as_dicom {
            true => Part10Error::UnknownSyntax,
            false => Part10Error::NotDicom,
        })?,
    };
    let split = walk::split(bytes, start, total, syntax.encoding);
    if !known_as_dicom && matches!(split, Err(Part10Error::Malformed { .. })) {
        return Err(Part10Error::NotDicom);
    }
    Ok(Found { meta, syntax, body: Cow::Borrowed(bytes), split: split? })
}

fn is_uncompressed(uid: &str) -> bool {
    matches!(uid, uids::IMPLICIT_VR_LITTLE_ENDIAN | uids::EXPLICIT_VR_LITTLE_ENDIAN | EXPLICIT_VR_BIG_ENDIAN)
}

fn inflate(bytes: &[u8], start: usize, total: u64) -> Result<Vec<u8>, Part10Error> {
    if (bytes.len() as u64) < total {
        return Err(Part10Error::NeedsWhole);
    }
    let bytes_max = INFLATED_BYTES_MAX.min(total.saturating_mul(INFLATED_RATIO_MAX));
    let mut body = Vec::new();
    let decoder = flate2::read::DeflateDecoder::new(bytes.get(start..).unwrap_or_default());
    decoder.take(bytes_max + 1).read_to_end(&mut body).map_err(|_| Part10Error::DamagedDeflate)?;
    if body.len() as u64 > bytes_max {
        return Err(Part10Error::InflatedTooLong);
    }
    Ok(body)
}

fn parse_header(body: &[u8], split: &Split, syntax: &Syntax) -> Result<InMemDicomObject, Part10Error> {
    // The walk has proved both ranges, and that they are not longer than HEADER_BYTES_MAX together.
    let before = body.get(split.before.clone()).unwrap_or_default();
    let after = body.get(split.after.clone()).unwrap_or_default();
    let mut header = match after {
        [] => Cow::Borrowed(before),
        after => Cow::Owned([before, after].concat()),
    };
    for opaque in &split.opaque {
        let at = match opaque.length_at < split.before.end {
            true => opaque.length_at - split.before.start,
            false => opaque.length_at - split.after.start + before.len(),
        };
        let big_endian = syntax.encoding.big_endian;
        let length = if big_endian { opaque.length.to_be_bytes() } else { opaque.length.to_le_bytes() };
        if let Some(place) = header.to_mut().get_mut(at..at + 4) {
            place.copy_from_slice(&length);
        }
    }
    let parsed =
        catch_unwind(AssertUnwindSafe(|| InMemDicomObject::read_dataset_with_ts(&header[..], &syntax.of_header())));
    match parsed {
        Ok(Ok(mut object)) => {
            names::read_again(&mut object);
            Ok(object)
        }
        Ok(Err(error)) => Err(Part10Error::Unreadable { why: error.to_string() }),
        Err(_) => Err(Part10Error::Unreadable { why: "the parser gave up".to_string() }),
    }
}

/// Old files name their object in the file meta information only.
fn with_names_of_meta(mut header: InMemDicomObject, meta: &Meta) -> InMemDicomObject {
    let names = [(tags::SOP_CLASS_UID, &meta.class), (tags::SOP_INSTANCE_UID, &meta.instance)];
    for (tag, name) in names {
        if let (None, Some(name)) = (uid_of(&header, tag), name) {
            header.put_str(tag, VR::UI, name.as_str());
        }
    }
    header
}

/// A UID of the header without its padding, if it is one.
pub fn uid_of(header: &InMemDicomObject, tag: Tag) -> Option<String> {
    header.get(tag).and_then(|element| element.to_str().ok()).and_then(|text| valid_uid(text.as_bytes()))
}

/// Longest UID that is read. PS3.5 §9.1 allows 64, some writers use more; what leaves has a UID of its own.
const UID_BYTES_MAX: usize = 128;

fn valid_uid(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?.trim_matches(['\0', ' ']);
    let well_formed = (1..=UID_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && text.split('.').all(|component| !component.is_empty());
    well_formed.then(|| text.to_string())
}

/// What is used of the file meta information (PS3.10 §7.1).
#[derive(Default)]
struct Meta {
    class: Option<String>,
    instance: Option<String>,
    syntax: Option<String>,
    /// Where the data set starts.
    end: usize,
}

impl Meta {
    /// Reads elements of group 0002 as long as they come; the group length, often missing or wrong, is believed
    /// only if an element ends just there.
    fn read(bytes: &[u8], start: usize) -> Self {
        let mut meta = Self { end: start, ..Self::default() };
        let mut declared_end = None;
        while let Some((element, value, end)) = meta_element(bytes, meta.end) {
            match element {
                0x0000 => declared_end = group_length(value).and_then(|length| end.checked_add(length)),
                0x0002 => meta.class = valid_uid(value),
                0x0003 => meta.instance = valid_uid(value),
                0x0010 => meta.syntax = valid_uid(value),
                _ => {}
            }
            meta.end = end;
            if declared_end == Some(end) {
                break;
            }
        }
        meta
    }
}

fn group_length(value: &[u8]) -> Option<usize> {
    value.first_chunk().and_then(|&bytes| usize::try_from(u32::from_le_bytes(bytes)).ok())
}

/// One element of group 0002, explicit VR little endian: its number, value and end.
fn meta_element(bytes: &[u8], at: usize) -> Option<(u16, &[u8], usize)> {
    let &[2, 0, low, high, v, r, a, b] = bytes.get(at..)?.first_chunk::<8>()? else { return None };
    let element = u16::from_le_bytes([low, high]);
    let (value, length) = match &[v, r] {
        b"OB" | b"UN" | b"SQ" | b"UT" | b"OW" => {
            let long = *bytes.get(at + 8..)?.first_chunk::<4>()?;
            (at + 12, usize::try_from(u32::from_le_bytes(long)).ok()?)
        }
        [b'A'..=b'Z', b'A'..=b'Z'] => (at + 8, usize::from(u16::from_le_bytes([a, b]))),
        _ => return None,
    };
    let end = value.checked_add(length)?;
    Some((element, bytes.get(value..end)?, end))
}

/// Why a file could not be read. The words go into the list of skipped files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Part10Error {
    #[error("the file is empty")]
    Empty,
    #[error("not a DICOM file")]
    NotDicom,
    #[error("a DICOMDIR index; the files it lists are read by themselves")]
    DicomDir,
    #[error("the file is cut off: it should have at least {declared} bytes and has {present}")]
    Truncated { declared: u64, present: u64 },
    #[error("the DICOM structure is damaged: {what}")]
    Malformed { what: &'static str },
    #[error("the transfer syntax is not stated and cannot be told from the data")]
    UnknownSyntax,
    #[error("sequences are nested deeper than {} levels", walk::DEPTH_MAX)]
    TooDeep,
    #[error("the header has more than {} elements", walk::ELEMENTS_MAX)]
    TooManyElements,
    #[error("the header has more than {} values", walk::VALUES_MAX)]
    TooManyValues,
    #[error("the header is longer than {} MiB", HEADER_BYTES_MAX / (1024 * 1024))]
    HeaderTooLong,
    #[error("the deflated data set is damaged")]
    DamagedDeflate,
    #[error("the deflated data set is absurdly long when inflated")]
    InflatedTooLong,
    #[error("the header cannot be read: {why}")]
    Unreadable { why: String },
    /// Only from [`scan`]: the beginning is not enough.
    #[error("the whole file must be read")]
    NeedsWhole,
}

#[cfg(test)]
mod tests;
