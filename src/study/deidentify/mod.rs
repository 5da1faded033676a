//! What leaves and what stays: the de-identification engine (PS3.15 2024e Annex E).
//!
//! The Basic Profile alone blinds a second reader, naive options leak. So: the standard's own table decides
//! ([`profile`]), a preset says which of its options apply ([`preset`]), and what the table does not foresee is
//! removed rather than kept: attributes the dictionary does not know, free text, unreadable characters, values
//! that contradict their VR. Short descriptions stay word by word if a radiology vocabulary has the word
//! ([`vocabulary`]); UIDs and dates change under one secret a patient group ([`secrets`]).
//!
//! ```text
//! header without pixel data ── Identity::of ── which patient group ── GroupSecrets
//!            └────────────────── deidentify ──┴── cleaned header, actions, words, risk ── Plan
//! ```
//!
//! Start with [`deidentify`]. It does not read files, touch pixels, mask text in images ([`super::mask`]) or store anything: the
//! burned-in risk ([`burned_in`]) only says which instances a person must look at.

use dicom_core::dictionary::DataDictionary;
use dicom_core::header::{HasLength, Tag};
use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use dicom_object::InMemDicomObject;

use crate::encoding::private::Private;

pub mod burned_in;
pub mod dates;
mod engine;
pub mod gaps;
pub mod identity;
pub mod plan;
pub mod preset;
pub mod profile;
mod safe_private;
pub mod secrets;
mod values;
pub mod vocabulary;
pub mod well_known;
pub mod words;

#[cfg(test)]
mod sample_tests;
#[cfg(test)]
mod tests;

use burned_in::BurnedInRisk;
use identity::Identity;
use preset::{Method, Preset};
use profile::{KeptBy, Profile};
use secrets::GroupSecrets;
use vocabulary::Approvals;
use well_known::{WellKnown, well_known};

/// Sequences nested deeper than this are removed: real objects stay below ten levels.
pub const NESTING_MAX: usize = 16;
/// A text attribute with more values than this is removed.
pub const TEXT_VALUES_MAX: usize = 4096;

/// How an import treats every instance: the preset with its table, and what the sender approved in the plan.
/// Made once, shared by all threads.
#[derive(Debug, Clone)]
pub struct Rules {
    preset: Preset,
    profile: Profile,
    approvals: Approvals,
}

impl Rules {
    pub fn new(preset: Preset, approvals: Approvals) -> Self {
        Self { profile: Profile::new(preset.options()), preset, approvals }
    }

    pub fn preset(&self) -> &Preset {
        &self.preset
    }
}

/// One instance as it was read: its header, and what the reader knows of the rest of the file.
#[derive(Debug)]
pub struct Instance<'a> {
    /// The data set without pixel data.
    pub header: InMemDicomObject,
    /// Media Storage SOP Class UID (0002,0002), for data sets that lack their own.
    pub meta_sop_class_uid: Option<&'a str>,
    /// What is known of the pixel data; `None` if the instance has none.
    pub pixels: Option<PixelFacts>,
    /// Somebody looked at every frame of this instance and found no burned-in text.
    pub reviewed: bool,
}

/// What the burned-in check needs to know of pixel data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PixelFacts {
    /// All stored values of 16-bit pixel data lie in 0..=255 (see [`burned_in::fits_in_eight_bits`]).
    pub eight_bit_range: bool,
}

/// An instance that may leave, and what was done to it.
#[derive(Debug)]
pub struct Deidentified {
    /// The cleaned data set, without pixel data and file meta information.
    pub header: InMemDicomObject,
    /// For the file meta information (0002,0002).
    pub sop_class_uid: String,
    /// The new SOP Instance UID, for the file meta information (0002,0003).
    pub sop_instance_uid: String,
    /// What was read of the patient, for the re-identification table and the text check.
    pub identity: Identity,
    /// One entry an attribute that was changed, removed, or kept by an option.
    pub actions: Vec<Action>,
    /// Free text that remains.
    pub remaining_text: Vec<RemainingText>,
    /// Why somebody must look at this instance before it leaves; empty if nobody must.
    pub burned_in: Vec<BurnedInRisk>,
    /// A face could be rebuilt from a series of such slices.
    pub shows_face: bool,
    /// The codes written into (0012,0064).
    pub methods: Vec<Method>,
}

/// What happened to one attribute; never its value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Action {
    /// The attribute and the sequences it lies in, outermost first.
    pub path: Vec<Tag>,
    pub vr: VrOrd,
    pub done: Done,
    pub reason: Reason,
}

impl Action {
    /// The path as people write it: `(0040,0275) > (0040,0007)`.
    pub fn path_text(&self) -> String {
        let parts: Vec<_> =
            self.path.iter().map(|tag| format!("({:04X},{:04X})", tag.group(), tag.element())).collect();
        parts.join(" > ")
    }

    /// The attribute's keyword in PS3.6, if it has one.
    pub fn keyword(&self) -> Option<&'static str> {
        let entry = StandardDataDictionary.by_tag(*self.path.last()?)?;
        Some(entry.alias)
    }
}

/// A VR that can be ordered, so that actions can be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VrOrd(pub VR);

impl Ord for VrOrd {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.to_string().cmp(other.0.to_string())
    }
}

impl PartialOrd for VrOrd {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// What was done to an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Done {
    Removed,
    Emptied,
    Replaced,
    UidsReplaced,
    DatesMoved,
    Cleaned,
    Kept,
    Added,
}

impl Done {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Emptied => "emptied",
            Self::Replaced => "replaced",
            Self::UidsReplaced => "UIDs replaced",
            Self::DatesMoved => "dates moved",
            Self::Cleaned => "cleaned",
            Self::Kept => "kept",
            Self::Added => "added",
        }
    }
}

/// Why it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// PS3.15 Table E.1-1, Basic Profile.
    Profile,
    Option(KeptBy),
    ModifiedDates,
    Descriptors,
    StructuredContent,
    Graphics,
    SafePrivate,
    PrivateAttribute,
    Overlay,
    Curve,
    /// Free text, names, dates, UIDs and addresses stay only if the table foresees them.
    NotForeseen,
    UnknownAttribute,
    OpaqueBytes,
    /// The value does not fit the attribute's VR.
    ContradictoryVr,
    /// Control characters or undecodable bytes.
    Unreadable,
    TooLong,
    NestedTooDeep,
    /// A word of a text is one of the patient's or somebody's around.
    IdentifyingWord,
    /// A date that is none, so it could not be moved.
    InvalidDate,
    AgeOver89,
    AgeComputed,
    /// Pixel data is carried outside the header.
    PixelData,
    /// It could hold the original attributes in encrypted or copied form.
    HiddenOriginal,
    /// (0028,0301) and (0028,0302) say NO only for what somebody looked at.
    NotReviewed,
}

impl Reason {
    pub const fn words(self) -> &'static str {
        match self {
            Self::Profile => "Basic Profile",
            Self::Option(KeptBy::PatientCharacteristics) => "patient characteristics are kept",
            Self::Option(KeptBy::DeviceIdentity) => "device identity is kept",
            Self::Option(KeptBy::InstitutionIdentity) => "institution identity is kept",
            Self::ModifiedDates => "dates move by a whole number of weeks, times of day stay",
            Self::Descriptors => "words of the radiology vocabulary stay",
            Self::StructuredContent => "codes and numbers stay; text, names and dates go",
            Self::Graphics => "drawings stay, their text is cleaned",
            Self::SafePrivate => "on the standard's list of safe private attributes",
            Self::PrivateAttribute => "private attribute",
            Self::Overlay => "overlay plane",
            Self::Curve => "curve",
            Self::NotForeseen => "free text, name, date, UID or address that the profile does not foresee",
            Self::UnknownAttribute => "not in the dictionary",
            Self::OpaqueBytes => "bytes of unknown content",
            Self::ContradictoryVr => "the value does not fit the attribute",
            Self::Unreadable => "unreadable characters",
            Self::TooLong => "too many or too long values",
            Self::NestedTooDeep => "nested too deep",
            Self::IdentifyingWord => "contains a name, identifier or date of the patient or staff",
            Self::InvalidDate => "not a valid date",
            Self::AgeOver89 => "ages over 89 become 90",
            Self::AgeComputed => "age from birth date and study date",
            Self::PixelData => "pixel data travels apart",
            Self::HiddenOriginal => "could hold the original attributes",
            Self::NotReviewed => "nobody has reviewed the pixels",
        }
    }
}

/// A text that stays in the header. Shown to the sender only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemainingText {
    pub tag: Tag,
    pub text: Private<String>,
    /// Words of the original that dropped; the sender may approve them.
    pub dropped: Vec<Private<String>>,
}

/// Why an instance does not leave at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum LeftOut {
    #[error("the object does not say what it is (no SOP Class UID)")]
    NoSopClass,
    #[error("the object has no SOP Instance UID")]
    NoSopInstance,
    #[error("a private object: its SOP class is not the standard's, so nobody can say what it holds")]
    PrivateSopClass,
    #[error("a media directory, not an object of a study")]
    Directory,
    #[error("an object of a service, not one that is stored")]
    NotStored,
    #[error("an encapsulated document: it cannot be de-identified; add what matters as text or a picture")]
    EncapsulatedDocument,
    #[error("a sound recording: a voice can say a name")]
    Voice,
}

/// De-identifies one instance under the rules and its patient group's secrets.
///
/// The caller writes the file meta information anew with the returned UIDs, drops preamble and trailing padding,
/// puts the pixel data back, and checks `burned_in` before anything leaves.
pub fn deidentify(instance: Instance<'_>, rules: &Rules, group: &GroupSecrets) -> Result<Deidentified, LeftOut> {
    let Instance { header, meta_sop_class_uid, pixels, reviewed } = instance;
    let sop_class_uid = text_of(&header, tags::SOP_CLASS_UID)
        .or_else(|| {
            meta_sop_class_uid.map(|uid| uid.trim_matches(['\0', ' ']).to_owned()).filter(|uid| !uid.is_empty())
        })
        .ok_or(LeftOut::NoSopClass)?;
    check_class(&sop_class_uid)?;
    let identity = Identity::of(&header);
    if identity.sop_instance_uid.reveal().is_empty() {
        return Err(LeftOut::NoSopInstance);
    }
    let burned_in = pixels.map(|pixels| burned_in::risks(&header, &sop_class_uid, pixels)).unwrap_or_default();
    let shows_face = pixels.is_some() && burned_in::shows_face(&header);
    let sop_instance_uid = group.map_uid(identity.sop_instance_uid.reveal());
    let outcome = engine::clean(header, &identity, rules, group, pixels.is_some() && reviewed, &sop_class_uid);
    Ok(Deidentified {
        header: outcome.header,
        sop_class_uid,
        sop_instance_uid,
        identity,
        actions: outcome.actions,
        remaining_text: outcome.remaining_text,
        burned_in,
        shows_face,
        methods: outcome.methods,
    })
}

fn check_class(uid: &str) -> Result<(), LeftOut> {
    match well_known(uid) {
        Some(WellKnown::StorageClass) => {}
        Some(_) => return Err(LeftOut::NotStored),
        None => return Err(LeftOut::PrivateSopClass),
    }
    if uid == "1.2.840.10008.1.3.10" {
        return Err(LeftOut::Directory);
    }
    if uid.starts_with("1.2.840.10008.5.1.4.1.1.104.") {
        return Err(LeftOut::EncapsulatedDocument);
    }
    if uid.starts_with("1.2.840.10008.5.1.4.1.1.9.4.") {
        return Err(LeftOut::Voice);
    }
    Ok(())
}

/// Writes into a cleaned header that its pixel data was cleaned as well (PS3.15 E.3.1, PS3.16 CID 7050): after its
/// import, by whoever overwrote what was burned in.
pub(super) fn earn_clean_pixel_data(header: &mut InMemDicomObject) {
    let of = |tag| header.get(tag).and_then(|element| element.items().map(<[_]>::to_vec)).unwrap_or_default();
    let mut codes: Vec<InMemDicomObject> = of(tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE);
    let code = Method::CleanPixelData.code();
    if !codes.iter().any(|item| text_of(item, tags::CODE_VALUE).as_deref() == Some(code)) {
        codes.push(engine::method_item(Method::CleanPixelData));
        codes.sort_by_key(|item| text_of(item, tags::CODE_VALUE));
    }
    header.put(DataElement::new(tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE, VR::SQ, DataSetSequence::from(codes)));
    let texts = header.get(tags::DEIDENTIFICATION_METHOD).and_then(values::texts).unwrap_or_default();
    let mut texts: Vec<String> = texts.iter().filter(|text| *text != MASKED).cloned().collect();
    texts.push(MASKED.to_owned());
    header.put(DataElement::new(tags::DEIDENTIFICATION_METHOD, VR::LO, PrimitiveValue::Strs(texts.into())));
}

/// What (0012,0063) says of pixel data that was cleaned.
const MASKED: &str = "Overread masks, PS3.15 2024e E.3.1";

/// The first value of a text attribute without padding, if it has one.
pub(crate) fn text_of(object: &InMemDicomObject, tag: Tag) -> Option<String> {
    let element = object.get(tag)?;
    if element.value().length() == dicom_core::Length(0) {
        return None;
    }
    let texts = values::texts(element)?;
    let text = texts.first()?.trim_matches(['\0', ' ']);
    (!text.is_empty()).then(|| text.to_owned())
}
