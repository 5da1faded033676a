//! What a study consists of, for those who may open it.
//!
//! `study added` carries a [`StudyHead`]: small enough for an entry, with one [`SeriesHead`] a series. A series
//! names its [`ManifestPage`]s, which are objects like images, sealed under the study's key and fetched when the
//! series is wanted. A page names up to 500 instances in reading order with hashes and chunks, so a reader can
//! lay out a series, and ask for its first images, before one has arrived.
//!
//! All of it comes from de-identified headers: nothing here may hold what the cleaned header does not. The day
//! of the study is a shifted one and never shown; it serves for intervals between a patient's studies only.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use minicbor::{Decode, Encode};

use super::object::{ObjectError, ObjectRef, SealedObject, open_object, seal_object};
use super::order::Gaps;
use super::packing::{FileParts, PackError, Packed, Packer, UnpackError, unpack};
use super::part10::uid_of;
use crate::encoding::id::{Bytes, ChunkId};
use crate::encoding::{self, DecodeError};
use crate::seal::chunk::StudyKey;

/// Most instances a page names.
pub const PAGE_INSTANCES_MAX: usize = 500;

/// Longest page in bytes, before packing. One instance of [`super::object::CHUNKS_MAX`] chunks takes 557 KB.
pub const PAGE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Longest head in bytes: an entry has 64 KiB, and its own fields and the seal need room.
pub const HEAD_BYTES_MAX: usize = 56 * 1024;

/// Longest text of a head or page in bytes; longer ones are cut. LO has 64 characters (PS3.5 §6.2).
pub const TEXT_BYTES_MAX: usize = 256;

/// A study as `study added` carries it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct StudyHead {
    /// New Study Instance UID.
    #[n(0)]
    pub study: String,
    /// What stands in for the patient: the same in all studies of a patient group.
    #[n(1)]
    pub pseudonym: String,
    /// Cleaned Study Description.
    #[n(2)]
    pub description: String,
    /// Modalities of the series, sorted, each once.
    #[n(3)]
    pub modalities: Vec<String>,
    /// Body parts of the series, sorted, each once.
    #[n(4)]
    pub body_parts: Vec<String>,
    /// The shifted study date as days since 1970-01-01; for intervals, never shown.
    #[n(5)]
    pub shifted_day: Option<i32>,
    /// Instances that were left out, all series together.
    #[n(6)]
    pub left_out: u32,
    #[n(7)]
    pub series: Vec<SeriesHead>,
}

impl StudyHead {
    /// Days from `other` to this study, if both dates are known. Meaningful inside one patient group only.
    pub fn days_after(&self, other: &Self) -> Option<i64> {
        Some(i64::from(self.shifted_day?) - i64::from(other.shifted_day?))
    }

    /// Instances of all series.
    pub fn instances(&self) -> u64 {
        self.series.iter().map(|series| u64::from(series.instances)).sum()
    }

    /// The head as bytes for an entry.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ManifestError> {
        let bytes = encoding::to_bytes(self);
        match bytes.len() {
            length if length <= HEAD_BYTES_MAX => Ok(bytes),
            length => Err(ManifestError::HeadTooLong { bytes: length, series: self.series.len() }),
        }
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ManifestError> {
        Ok(encoding::from_bytes(bytes, HEAD_BYTES_MAX)?)
    }
}

/// A series as the head carries it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SeriesHead {
    /// New Series Instance UID.
    #[n(0)]
    pub series: String,
    #[n(1)]
    pub modality: String,
    /// Cleaned Series Description.
    #[n(2)]
    pub description: String,
    /// Series Number.
    #[n(3)]
    pub number: Option<i32>,
    #[n(4)]
    pub body_part: String,
    #[n(5)]
    pub instances: u32,
    /// Instances left out, for burned-in text or another reason.
    #[n(6)]
    pub left_out: u32,
    #[n(7)]
    pub gaps: Gaps,
    /// Sum of the packed lengths of the instances, in bytes.
    #[n(8)]
    pub packed_bytes: u64,
    #[n(9)]
    pub pages: Vec<ObjectRef>,
}

/// Up to [`PAGE_INSTANCES_MAX`] instances of a series, in reading order.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ManifestPage {
    /// New Series Instance UID.
    #[n(0)]
    pub series: String,
    /// Place of the first instance in the series, from 0.
    #[n(1)]
    pub first: u32,
    #[n(2)]
    pub instances: Vec<InstanceEntry>,
}

/// One instance: what it is, where it lies, and its chunks.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct InstanceEntry {
    #[n(0)]
    pub sop_class: String,
    /// New SOP Instance UID.
    #[n(1)]
    pub sop_instance: String,
    /// Instance Number.
    #[n(2)]
    pub number: Option<i32>,
    #[n(3)]
    pub transfer_syntax: String,
    /// Number of Frames, 1 if absent; 0 without pixel data.
    #[n(4)]
    pub frames: u32,
    #[n(5)]
    pub rows: u32,
    #[n(6)]
    pub columns: u32,
    #[n(7)]
    pub geometry: Option<Geometry>,
    /// BLAKE3 of the file.
    #[n(8)]
    pub plain_hash: Bytes<32>,
    /// Length of the file in bytes.
    #[n(9)]
    pub file_bytes: u64,
    #[n(10)]
    pub object: ObjectRef,
}

/// Where a slice lies, in the words of its header: numbers joined by backslashes, in mm (PS3.3 C.7.6.2). Kept as
/// written, so that the manifest says exactly what the image says.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Geometry {
    /// Image Position (Patient): x, y, z.
    #[n(0)]
    pub position: String,
    /// Image Orientation (Patient): row cosines, column cosines.
    #[n(1)]
    pub orientation: String,
    /// Pixel Spacing: between rows, between columns.
    #[n(2)]
    pub spacing: String,
    /// Slice Thickness.
    #[n(3)]
    pub thickness: String,
}

impl Geometry {
    pub fn position(&self) -> Option<[f64; 3]> {
        numbers(&self.position)
    }

    pub fn orientation(&self) -> Option<[f64; 6]> {
        numbers(&self.orientation)
    }

    /// Spacing between rows and between columns, in mm.
    pub fn spacing(&self) -> Option<[f64; 2]> {
        numbers(&self.spacing)
    }

    /// Slice thickness, in mm.
    pub fn thickness(&self) -> Option<f64> {
        numbers(&self.thickness).map(|[thickness]| thickness)
    }

    /// From the data set itself; enhanced multi-frame objects keep theirs frame by frame.
    fn of(header: &InMemDicomObject) -> Option<Self> {
        let geometry = Self {
            position: text(header, tags::IMAGE_POSITION_PATIENT),
            orientation: text(header, tags::IMAGE_ORIENTATION_PATIENT),
            spacing: text(header, tags::PIXEL_SPACING),
            thickness: text(header, tags::SLICE_THICKNESS),
        };
        (geometry.position().is_some() && geometry.orientation().is_some()).then_some(geometry)
    }
}

fn numbers<const N: usize>(text: &str) -> Option<[f64; N]> {
    let mut numbers = [0.0; N];
    let mut parts = text.split('\\');
    for number in &mut numbers {
        *number = parts.next()?.trim().parse().ok().filter(|n: &f64| n.is_finite())?;
    }
    parts.next().is_none().then_some(numbers)
}

/// A text of a cleaned header, trimmed and cut to [`TEXT_BYTES_MAX`]; empty if absent.
pub fn text(header: &InMemDicomObject, tag: Tag) -> String {
    let text = header.get(tag).and_then(|element| element.to_str().ok()).unwrap_or_default();
    let text = text.trim_matches([' ', '\0']);
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    crate::encoding::text::shown(&text[..end]).into_owned()
}

/// A whole number of a header, if it is one.
pub fn number(header: &InMemDicomObject, tag: Tag) -> Option<i32> {
    header.get(tag).and_then(|element| element.to_int().ok())
}

impl InstanceEntry {
    /// The entry of a cleaned and packed instance; `None` without its UIDs.
    pub fn of(
        header: &InMemDicomObject,
        transfer_syntax: &str,
        has_pixels: bool,
        packed: &Packed,
        object: ObjectRef,
    ) -> Option<Self> {
        let count = |tag| number(header, tag).and_then(|n| u32::try_from(n).ok());
        let frames = if has_pixels { count(tags::NUMBER_OF_FRAMES).unwrap_or(1) } else { 0 };
        Some(Self {
            sop_class: uid_of(header, tags::SOP_CLASS_UID)?,
            sop_instance: uid_of(header, tags::SOP_INSTANCE_UID)?,
            number: number(header, tags::INSTANCE_NUMBER),
            transfer_syntax: transfer_syntax.to_string(),
            frames,
            rows: count(tags::ROWS).unwrap_or(0),
            columns: count(tags::COLUMNS).unwrap_or(0),
            geometry: Geometry::of(header),
            plain_hash: Bytes(packed.plain_hash),
            file_bytes: packed.plain_bytes,
            object,
        })
    }
}

/// Cuts a series into pages, in the order given, and seals them.
pub fn seal_pages(
    key: &StudyKey,
    series: &str,
    instances: &[InstanceEntry],
) -> Result<Vec<SealedObject>, ManifestError> {
    let mut packer = Packer::new()?;
    let mut sealed = Vec::new();
    for page in paginate(series, instances) {
        let bytes = encoding::to_bytes(&page);
        if bytes.len() > PAGE_BYTES_MAX {
            return Err(ManifestError::PageTooLong { bytes: bytes.len() });
        }
        let parts = FileParts { before: &bytes, pixels: &[], after: &[], layout: None };
        sealed.push(seal_object(key, &packer.pack(&parts)?)?);
    }
    Ok(sealed)
}

fn paginate(series: &str, instances: &[InstanceEntry]) -> Vec<ManifestPage> {
    let mut pages: Vec<ManifestPage> = Vec::new();
    let mut bytes = usize::MAX;
    for (instance, place) in instances.iter().zip(0..) {
        let length = encoding::to_bytes(instance).len();
        let fits = bytes.saturating_add(length) <= PAGE_BYTES_MAX - 1024; // room for the page's own fields
        match pages.last_mut() {
            Some(page) if fits && page.instances.len() < PAGE_INSTANCES_MAX => {
                page.instances.push(instance.clone());
                bytes += length;
            }
            _ => {
                let instances = vec![instance.clone()];
                pages.push(ManifestPage { series: series.to_string(), first: place, instances });
                bytes = length;
            }
        }
    }
    pages
}

/// Opens a page of a series.
pub fn open_page(
    key: &StudyKey,
    page: &ObjectRef,
    fetch: impl FnMut(&ChunkId) -> Option<Vec<u8>>,
) -> Result<ManifestPage, ManifestError> {
    let packed = open_object(key, page, fetch)?;
    let bytes = unpack(&packed, PAGE_BYTES_MAX as u64)?;
    let page: ManifestPage = encoding::from_bytes(&bytes, PAGE_BYTES_MAX)?;
    match page.instances.len() {
        1..=PAGE_INSTANCES_MAX => Ok(page),
        instances => Err(ManifestError::PageCount { instances }),
    }
}

/// Why a manifest could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("{series} series make a head of {bytes} bytes, more than {HEAD_BYTES_MAX}; share fewer series at once")]
    HeadTooLong { bytes: usize, series: usize },
    #[error("a manifest page has {bytes} bytes, more than {PAGE_BYTES_MAX}")]
    PageTooLong { bytes: usize },
    #[error("a manifest page names {instances} instances, not 1 to {PAGE_INSTANCES_MAX}")]
    PageCount { instances: usize },
    #[error(transparent)]
    Encoding(#[from] DecodeError),
    #[error(transparent)]
    Pack(#[from] PackError),
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    #[error(transparent)]
    Object(#[from] ObjectError),
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::identity::keys::Secret;

    pub(crate) fn instance(n: u32) -> InstanceEntry {
        let hash = *blake3::hash(&n.to_le_bytes()).as_bytes();
        InstanceEntry {
            sop_class: "1.2.840.10008.5.1.4.1.1.2".into(),
            sop_instance: format!("2.25.{}", u128::from_le_bytes(hash[..16].try_into().unwrap())),
            number: Some(n as i32),
            transfer_syntax: "1.2.840.10008.1.2.1".into(),
            frames: 1,
            rows: 512,
            columns: 512,
            geometry: Some(Geometry {
                position: format!("-180\\-180\\{n}"),
                orientation: "1\\0\\0\\0\\1\\0".into(),
                spacing: "0.703125\\0.703125".into(),
                thickness: "1".into(),
            }),
            plain_hash: Bytes(hash),
            file_bytes: 526_000,
            object: object(n, 1),
        }
    }

    fn object(n: u32, chunks: usize) -> ObjectRef {
        let chunk = |i: usize| ChunkId(*blake3::hash(&[n.to_le_bytes(), (i as u32).to_le_bytes()].concat()).as_bytes());
        let hash = *blake3::hash(&n.to_be_bytes()).as_bytes();
        ObjectRef { packed_hash: Bytes(hash), packed_bytes: 130_000, chunks: (0..chunks).map(chunk).collect() }
    }

    fn series(n: u32, pages: u32) -> SeriesHead {
        SeriesHead {
            series: instance(n).sop_instance,
            modality: "CT".into(),
            description: "THORAX 1.0 LUNG AXIAL CONTRAST VENOUS PHASE THIN RECONSTRUCTION ".into(),
            number: Some(n as i32),
            body_part: "CHEST".into(),
            instances: pages * 500,
            left_out: 3,
            gaps: Gaps { numbers: 2, positions: 2 },
            packed_bytes: 65_000_000,
            pages: (0..pages).map(|p| object(n * 100 + p, 1)).collect(),
        }
    }

    fn head(count: u32) -> StudyHead {
        StudyHead {
            study: instance(9).sop_instance,
            pseudonym: "QFTB-2K7D".into(),
            description: "CT CHEST ABDOMEN PELVIS WITH CONTRAST".into(),
            modalities: vec!["CT".into(), "SR".into()],
            body_parts: vec!["CHEST".into()],
            shifted_day: Some(19_000),
            left_out: 4,
            series: (0..count).map(|n| series(n, 3)).collect(),
        }
    }

    fn key() -> StudyKey {
        StudyKey(Secret::new([3; 32]))
    }

    #[test]
    fn an_instance_has_its_place_before_it_has_arrived() {
        let geometry = instance(7).geometry.unwrap();
        assert_eq!((geometry.position(), geometry.thickness()), (Some([-180.0, -180.0, 7.0]), Some(1.0)));
        assert_eq!(Geometry { thickness: String::new(), ..geometry }.thickness(), None);
    }

    #[test]
    fn a_head_with_sixty_large_series_fits_into_an_entry() {
        let bytes = head(60).to_bytes().unwrap();
        assert!(bytes.len() < HEAD_BYTES_MAX, "{}", bytes.len());
        assert_eq!(StudyHead::from_bytes(&bytes).unwrap(), head(60));
    }

    #[test]
    fn a_head_too_long_for_an_entry_says_what_to_do() {
        let error = head(500).to_bytes().unwrap_err();
        assert!(matches!(error, ManifestError::HeadTooLong { series: 500, .. }));
        assert!(error.to_string().ends_with("share fewer series at once"));
    }

    #[test]
    fn intervals_need_both_days() {
        let (index, mut prior) = (head(1), head(1));
        prior.shifted_day = Some(19_000 - 182);
        assert_eq!(prior.days_after(&index), Some(-182));
        prior.shifted_day = None;
        assert_eq!(prior.days_after(&index), None);
    }

    #[test]
    fn a_series_comes_back_page_by_page_in_order() {
        let instances: Vec<_> = (1..=1203).map(instance).collect();
        let sealed = seal_pages(&key(), "2.25.7", &instances).unwrap();
        let mut read = Vec::new();
        for (object, first) in sealed.iter().zip([0, 500, 1000]) {
            let chunks: HashMap<_, _> = object.chunks.iter().cloned().collect();
            let page = open_page(&key(), &object.object, |id| chunks.get(id).cloned()).unwrap();
            assert_eq!((page.series.as_str(), page.first), ("2.25.7", first));
            read.extend(page.instances);
        }
        assert_eq!(sealed.len(), 3);
        assert_eq!(read, instances);
    }

    #[test]
    fn a_page_of_instances_with_many_chunks_stays_below_its_limit() {
        let many = |n| InstanceEntry { object: object(n, 16_385), ..instance(n) };
        let instances: Vec<_> = (0..5).map(many).collect();
        let pages = paginate("2.25.7", &instances);
        assert_eq!(pages.iter().map(|page| page.instances.len()).collect::<Vec<_>>(), [3, 2]);
        assert!(pages.iter().all(|page| encoding::to_bytes(page).len() <= PAGE_BYTES_MAX));
    }

    #[test]
    fn a_page_opens_under_its_own_key_only() {
        let sealed = seal_pages(&key(), "2.25.7", &[instance(1)]).unwrap();
        let chunks: HashMap<_, _> = sealed[0].chunks.iter().cloned().collect();
        let other = StudyKey(Secret::new([4; 32]));
        let opened = open_page(&other, &sealed[0].object, |id| chunks.get(id).cloned());
        assert!(matches!(opened, Err(ManifestError::Object(ObjectError::Damaged { .. }))));
    }

    #[test]
    fn geometry_takes_numbers_only() {
        let geometry = |position: &str| Geometry { position: position.into(), ..instance(1).geometry.unwrap() };
        assert_eq!(geometry("1\\-2.5\\3e1").position(), Some([1.0, -2.5, 30.0]));
        for bad in ["", "1\\2", "1\\2\\3\\4", "1\\2\\x", "1\\2\\inf", "1\\2\\NaN"] {
            assert_eq!(geometry(bad).position(), None, "{bad}");
        }
    }
}
