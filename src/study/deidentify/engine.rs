//! The walk through a data set: every attribute meets its rule, sequences recurse, nothing passes unseen.
//!
//! The order of questions for one attribute: is it one the program writes itself, an overlay, a private one;
//! does the table name it; if not, does the dictionary know it, does its value fit, may such a VR stay. What
//! stays as text is compared once more with the words that identify the patient.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr};
use dicom_core::header::{HasLength, Header};
use dicom_core::value::{C, DataSetSequence, PrimitiveValue};
use dicom_core::{DataElement, Length, Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;

use super::identity::Identity;
use super::preset::Method;
use super::profile::{Base, DUMMY, KeptBy, Rule, dummy_text};
use super::secrets::GroupSecrets;
use super::vocabulary::{clean as clean_words, is_known};
use super::well_known::well_known;
use super::words::words;
use super::{Action, Done, NESTING_MAX, Reason, RemainingText, Rules, VrOrd, dates, safe_private, values};
use crate::encoding::private::Private;

pub(super) struct Outcome {
    pub(super) header: InMemDicomObject,
    pub(super) actions: Vec<Action>,
    pub(super) remaining_text: Vec<RemainingText>,
    pub(super) methods: Vec<Method>,
}

pub(super) fn clean(
    header: InMemDicomObject,
    identity: &Identity,
    rules: &Rules,
    group: &GroupSecrets,
    reviewed: bool,
    sop_class_uid: &str,
) -> Outcome {
    let mut walk = Walk {
        rules,
        group,
        identity,
        keep_places: has_references_by_place(&header, 0),
        path: Vec::with_capacity(NESTING_MAX + 1),
        actions: Vec::with_capacity(96),
        remaining_text: Vec::new(),
        methods: vec![Method::BasicProfile],
        non_ascii: false,
    };
    let had_age = header.get(tags::PATIENT_AGE).is_some_and(|age| age.value().length() != Length(0));
    let mut header = walk.object(header, 0, Within::default());
    if rules.preset().options().patient_characteristics && (!had_age || header.get(tags::PATIENT_AGE).is_none()) {
        walk.add_age(&mut header);
    }
    walk.write_marks(&mut header, reviewed, sop_class_uid);
    walk.methods.sort_unstable();
    Outcome { header, actions: walk.actions, remaining_text: walk.remaining_text, methods: walk.methods }
}

/// What kind of sequence an item lies in.
#[derive(Debug, Clone, Copy, Default)]
struct Within {
    content: bool,
    graphics: bool,
}

struct Walk<'a> {
    rules: &'a Rules,
    group: &'a GroupSecrets,
    identity: &'a Identity,
    /// A content tree refers to items by their place, so none may be taken out of it.
    keep_places: bool,
    path: Vec<Tag>,
    actions: Vec<Action>,
    remaining_text: Vec<RemainingText>,
    methods: Vec<Method>,
    non_ascii: bool,
}

impl Walk<'_> {
    fn object(&mut self, object: InMemDicomObject, depth: usize, within: Within) -> InMemDicomObject {
        let local_code = is_local_code(&object);
        let mut creators: Vec<PrivateBlock> = Vec::new();
        let mut kept: Vec<InMemElement> = Vec::with_capacity(64);
        for element in object {
            let tag = element.tag();
            self.path.push(tag);
            if tag.group() & 1 == 1 {
                self.private(element, depth, &mut creators, &mut kept);
            } else if local_code && tag == tags::CODE_MEANING {
                kept.extend(self.clean_text(element, Base::Dummy));
            } else {
                kept.extend(self.element(element, depth, within));
            }
            self.path.pop();
        }
        InMemDicomObject::from_element_iter(kept)
    }

    fn element(&mut self, element: InMemElement, depth: usize, within: Within) -> Option<InMemElement> {
        let tag = element.tag();
        match (tag.group(), tag.element()) {
            (0x0000 | 0x0002 | 0x0004 | 0xfffc | 0xfffe, _) | (_, 0x0000) => return None,
            (0x0008, 0x0005) => return None, // written anew, see `write_marks`
            (0x5000..=0x50ff, _) => return self.remove(element, Reason::Curve),
            (0x6000..=0x60ff, _) => return self.remove(element, Reason::Overlay),
            (0x7fe0, _) => return self.remove(element, Reason::PixelData),
            _ => {}
        }
        match tag {
            tags::PATIENT_IDENTITY_REMOVED
            | tags::DEIDENTIFICATION_METHOD
            | tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE
            | tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED => return None,
            tags::BURNED_IN_ANNOTATION | tags::RECOGNIZABLE_VISUAL_FEATURES => {
                let says_yes = first_text(&element).is_some_and(|text| text == "YES");
                return if says_yes { Some(element) } else { self.remove(element, Reason::NotReviewed) };
            }
            tags::ENCRYPTED_ATTRIBUTES_SEQUENCE | tags::PRIVATE_DATA_ELEMENT_CHARACTERISTICS_SEQUENCE => {
                return self.remove(element, Reason::HiddenOriginal);
            }
            tags::PATIENT_NAME | tags::PATIENT_ID if depth == 0 => {
                self.note(element.vr(), Done::Replaced, Reason::Profile);
                return None; // the pseudonym is written at the end, also where they were missing
            }
            tags::UNFORMATTED_TEXT_VALUE if within.graphics => return self.clean_text(element, Base::Dummy),
            _ => {}
        }
        match self.rules.profile.rule(tag) {
            Some(rule) => self.listed(element, rule, depth, within),
            None => self.unlisted(element, depth, within),
        }
    }

    fn listed(&mut self, element: InMemElement, rule: Rule, depth: usize, within: Within) -> Option<InMemElement> {
        match rule {
            Rule::Base(base) => self.base(element, base, Reason::Profile, depth, within),
            Rule::Keep(by) => self.keep(element, by, depth, within),
            Rule::Shift(base) => self.shift(element, base),
            Rule::CleanWords(base) if element.vr() == VR::SQ => {
                let cleaned = self.sequence(element, depth, within);
                self.finish_sequence(cleaned, base, Method::CleanDescriptors, Reason::Descriptors)
            }
            Rule::CleanWords(base) => self.clean_text(element, base),
            Rule::CleanContent => {
                let cleaned = self.sequence(element, depth, Within { content: true, ..within });
                self.finish_sequence(cleaned, Base::Empty, Method::CleanStructuredContent, Reason::StructuredContent)
            }
            Rule::CleanGraphics => {
                let cleaned = self.sequence(element, depth, Within { graphics: true, ..within });
                self.finish_sequence(cleaned, Base::Remove, Method::CleanGraphics, Reason::Graphics)
            }
        }
    }

    fn base(
        &mut self,
        element: InMemElement,
        base: Base,
        reason: Reason,
        depth: usize,
        within: Within,
    ) -> Option<InMemElement> {
        let (tag, vr) = (element.tag(), element.vr());
        match base {
            Base::Remove => self.remove(element, reason),
            Base::Empty => {
                self.note(vr, Done::Emptied, reason);
                Some(empty(tag, listed_vr(tag, vr)))
            }
            Base::MapUids => self.map_uids(element, depth, within),
            Base::Dummy if vr == VR::SQ => {
                self.note(vr, Done::Replaced, reason);
                // Content and graphics become one item that says nothing; other sequences have attributes inside
                // that the table treats one by one, which leaves a valid object.
                match tag {
                    tags::CONTENT_SEQUENCE => Some(sequence_of(tag, vec![removed_content_item()])),
                    tags::GRAPHIC_ANNOTATION_SEQUENCE => Some(sequence_of(tag, vec![InMemDicomObject::new_empty()])),
                    _ => self.sequence(element, depth, within),
                }
            }
            Base::Dummy => {
                let vr = listed_vr(tag, vr);
                let value = match dummy_text(vr) {
                    Some(text) => PrimitiveValue::from(text),
                    None if vr == VR::UI => PrimitiveValue::from(self.group.map_uid("")),
                    None if values::is_bulk(vr) || vr == VR::UN => PrimitiveValue::from(&[0u8, 0][..]),
                    None => return self.remove(element, reason),
                };
                self.note(vr, Done::Replaced, reason);
                Some(DataElement::new(tag, vr, value))
            }
        }
    }

    fn keep(&mut self, element: InMemElement, by: KeptBy, depth: usize, within: Within) -> Option<InMemElement> {
        let vr = element.vr();
        let tag = element.tag();
        let actions_before = self.actions.len();
        let mut kept = self.checked(element, depth, within)?;
        if kept.value().length() == Length(0) {
            return Some(kept);
        }
        let mut reason = Reason::Option(by);
        let mut done = Done::Kept;
        if tag == tags::PATIENT_AGE {
            let text = first_text(&kept)?;
            let capped = dates::capped_age(&text)?;
            if capped != text {
                (done, reason) = (Done::Replaced, Reason::AgeOver89);
                kept = DataElement::new(tag, VR::AS, capped);
            }
        }
        if self.actions.len() == actions_before {
            self.note(vr, done, reason);
        }
        self.earn(match by {
            KeptBy::PatientCharacteristics => Method::PatientCharacteristics,
            KeptBy::DeviceIdentity => Method::DeviceIdentity,
            KeptBy::InstitutionIdentity => Method::InstitutionIdentity,
        });
        Some(kept)
    }

    fn shift(&mut self, element: InMemElement, base: Base) -> Option<InMemElement> {
        let tag = element.tag();
        let Some(texts) = values::texts(&element) else {
            return self.not_shifted(element, base, Reason::ContradictoryVr);
        };
        let offset = self.group.date_offset_days();
        let vr = match listed_vr(tag, element.vr()) {
            vr @ (VR::DA | VR::DT) => vr,
            VR::TM if texts.iter().all(|text| values::is_plausible(VR::TM, text)) => {
                return Some(retyped(element, VR::TM));
            }
            VR::SH if tag == tags::TIMEZONE_OFFSET_FROM_UTC && texts.iter().all(|text| values::is_timezone(text)) => {
                return Some(retyped(element, VR::SH));
            }
            _ => return self.not_shifted(element, base, Reason::InvalidDate),
        };
        if texts.len() > super::TEXT_VALUES_MAX {
            return self.not_shifted(element, base, Reason::TooLong);
        }
        let shift = if vr == VR::DA { dates::shift_date } else { dates::shift_datetime };
        let shifted: Option<C<String>> = texts.iter().map(|text| shift(text, offset)).collect();
        let Some(shifted) = shifted else {
            return self.not_shifted(element, base, Reason::InvalidDate);
        };
        if shifted.iter().all(String::is_empty) {
            return Some(empty(tag, vr));
        }
        self.note(vr, Done::DatesMoved, Reason::ModifiedDates);
        self.earn(Method::ModifiedDates);
        Some(DataElement::new(tag, vr, PrimitiveValue::Strs(shifted)))
    }

    /// What could not be moved goes. A dummy date among moved ones would be read as an interval of a century.
    fn not_shifted(&mut self, element: InMemElement, base: Base, reason: Reason) -> Option<InMemElement> {
        let base = if base == Base::Dummy { Base::Remove } else { base };
        self.base(element, base, reason, 0, Within::default())
    }

    /// Short descriptions, and the one ST that is as short: Derivation Description. Comments, histories and
    /// other long text fall to the base.
    fn clean_text(&mut self, element: InMemElement, base: Base) -> Option<InMemElement> {
        let tag = element.tag();
        let vr = listed_vr(tag, element.vr());
        let is_short = matches!(vr, VR::LO | VR::SH | VR::CS | VR::UC)
            || matches!(tag, tags::DERIVATION_DESCRIPTION | tags::UNFORMATTED_TEXT_VALUE);
        let texts = values::texts(&element).filter(|texts| texts.len() <= super::TEXT_VALUES_MAX);
        let (true, Some(texts)) = (is_short, texts) else {
            return self.base(element, base, Reason::Profile, 0, Within::default());
        };
        if texts.iter().all(|text| text.trim_matches(['\0', ' ']).is_empty()) {
            return Some(empty(tag, vr));
        }
        let mut dropped = Vec::new();
        let mut kept: C<String> = C::new();
        for text in texts.iter() {
            let text = text.trim_matches(['\0', ' ']);
            let longest = text.char_indices().nth(values::LONG_TEXT_CHARS_MAX).map_or(text.len(), |(at, _)| at);
            let cleaned =
                clean_words(text.get(..longest).unwrap_or_default(), &self.identity.words, &self.rules.approvals);
            dropped.extend(cleaned.dropped);
            kept.push(cleaned.kept);
        }
        self.earn(Method::CleanDescriptors);
        if kept.iter().all(String::is_empty) {
            self.remaining_text.push(RemainingText { tag, text: Private::default(), dropped });
            return self.base(element, base, Reason::Descriptors, 0, Within::default());
        }
        self.note(vr, if dropped.is_empty() { Done::Kept } else { Done::Cleaned }, Reason::Descriptors);
        self.non_ascii |= kept.iter().any(|text| !text.is_ascii());
        self.remaining_text.push(RemainingText { tag, text: Private::new(kept.join("\\")), dropped });
        Some(DataElement::new(tag, vr, PrimitiveValue::Strs(kept)))
    }

    fn map_uids(&mut self, element: InMemElement, depth: usize, within: Within) -> Option<InMemElement> {
        let (tag, vr) = (element.tag(), element.vr());
        if vr == VR::SQ {
            return self.sequence(element, depth, within);
        }
        let Some(texts) = values::texts(&element).filter(|texts| texts.len() <= super::TEXT_VALUES_MAX) else {
            return self.remove(element, Reason::ContradictoryVr);
        };
        let mapped: C<String> = texts
            .iter()
            .map(|uid| uid.trim_matches(['\0', ' ']))
            .map(|uid| match uid {
                "" => String::new(),
                uid if well_known(uid).is_some() => uid.to_owned(),
                uid => self.group.map_uid(uid),
            })
            .collect();
        if mapped.iter().all(String::is_empty) {
            return Some(empty(tag, VR::UI));
        }
        self.note(vr, Done::UidsReplaced, Reason::Profile);
        Some(DataElement::new(tag, VR::UI, PrimitiveValue::Strs(mapped)))
    }

    /// An attribute the table does not name. Text, dates, UIDs and addresses stay only if the table foresees
    /// them; the rest stays if it is what its VR says.
    fn unlisted(&mut self, element: InMemElement, depth: usize, within: Within) -> Option<InMemElement> {
        let Some(entry) = StandardDataDictionary.by_tag(element.tag()) else {
            return self.remove(element, Reason::UnknownAttribute);
        };
        let not_foreseen =
            |vr| matches!(vr, VR::PN | VR::LT | VR::ST | VR::UT | VR::DA | VR::DT | VR::AE | VR::UR | VR::UN);
        let listed = entry.vr();
        if not_foreseen(element.vr()) && listed == VirtualVr::Exact(element.vr())
            || listed.exact().is_some_and(not_foreseen)
            || element.vr() == VR::UN
        {
            return self.remove(element, Reason::NotForeseen);
        }
        self.checked(element, depth, within)
    }

    /// Keeps an element whose value is what the dictionary says it is; text without identifying words.
    fn checked(&mut self, element: InMemElement, depth: usize, within: Within) -> Option<InMemElement> {
        let tag = element.tag();
        let listed = StandardDataDictionary.by_tag(tag).map_or(VirtualVr::Exact(element.vr()), |entry| entry.vr());
        if element.vr() == VR::SQ && listed == VirtualVr::Exact(VR::SQ) {
            return self.sequence(element, depth, within);
        }
        let Some(vr) = values::agreed_vr(element.vr(), listed) else {
            return self.remove(element, Reason::ContradictoryVr);
        };
        self.checked_value(element, vr)
    }

    fn checked_value(&mut self, element: InMemElement, vr: VR) -> Option<InMemElement> {
        if !values::is_text(vr) {
            let is_number_value = element.value().primitive().is_some_and(|value| {
                !matches!(
                    value,
                    PrimitiveValue::Str(_)
                        | PrimitiveValue::Strs(_)
                        | PrimitiveValue::Date(_)
                        | PrimitiveValue::Time(_)
                        | PrimitiveValue::DateTime(_)
                )
            });
            return match is_number_value {
                false => self.remove(element, Reason::ContradictoryVr),
                true if !values::may_keep_bytes(element.tag(), vr) => self.remove(element, Reason::OpaqueBytes),
                true => Some(element),
            };
        }
        let Some(texts) = values::texts(&element) else {
            return self.remove(element, Reason::ContradictoryVr);
        };
        if !values::has_few_values(&element) {
            return self.remove(element, Reason::TooLong);
        }
        if vr == VR::UI {
            let all_known =
                texts.iter().all(|uid| uid.trim_matches(['\0', ' ']).is_empty() || well_known(uid).is_some());
            return if all_known { Some(retyped(element, vr)) } else { self.remove(element, Reason::NotForeseen) };
        }
        if !texts.iter().all(|text| values::is_plausible(vr, text)) {
            let readable = texts.iter().all(|text| values::is_readable(text.trim_matches(['\0', ' '])));
            let long = readable && matches!(vr, VR::CS | VR::SH | VR::LO | VR::UC);
            let reason = match (readable, long) {
                (_, true) => Reason::TooLong,
                (true, _) => Reason::ContradictoryVr,
                (false, _) => Reason::Unreadable,
            };
            return self.remove(element, reason);
        }
        if matches!(vr, VR::CS | VR::SH | VR::LO | VR::UC) && texts.iter().any(|text| self.identifies(text, vr)) {
            return self.drop_identifying(element, vr);
        }
        self.non_ascii |= texts.iter().any(|text| !text.is_ascii());
        Some(retyped(element, vr))
    }

    /// Codes of the standard stay even if somebody is called so ("HEAD"); in other text the patient's word goes.
    fn identifies(&self, text: &str, vr: VR) -> bool {
        words(text).any(|(_, word)| self.identity.words.has(word) && !(vr == VR::CS && is_known(word)))
    }

    fn drop_identifying(&mut self, element: InMemElement, vr: VR) -> Option<InMemElement> {
        let texts = values::texts(&element)?;
        if vr == VR::CS {
            return self.remove(element, Reason::IdentifyingWord);
        }
        let kept: C<String> = texts
            .iter()
            .map(|text| {
                let words = words(text).filter(|(_, word)| !self.identity.words.has(word)).map(|(_, word)| word);
                words.collect::<Vec<_>>().join(" ")
            })
            .collect();
        if kept.iter().all(String::is_empty) {
            return self.remove(element, Reason::IdentifyingWord);
        }
        self.note(vr, Done::Cleaned, Reason::IdentifyingWord);
        self.non_ascii |= kept.iter().any(|text| !text.is_ascii());
        Some(DataElement::new(element.tag(), vr, PrimitiveValue::Strs(kept)))
    }

    fn sequence(&mut self, element: InMemElement, depth: usize, within: Within) -> Option<InMemElement> {
        let tag = element.tag();
        if depth + 1 > NESTING_MAX {
            return self.remove(element, Reason::NestedTooDeep);
        }
        if element.items().is_none() {
            let is_empty = element.value().length() == Length(0);
            return if is_empty { Some(empty(tag, VR::SQ)) } else { self.remove(element, Reason::ContradictoryVr) };
        }
        let items = element.into_value().into_items().unwrap_or_default();
        let had_items = !items.is_empty();
        let mut kept = Vec::with_capacity(items.len());
        for item in items {
            if within.content && is_personal_content(&item) {
                self.note(VR::SQ, Done::Removed, Reason::StructuredContent);
                if self.keep_places {
                    kept.push(removed_content_item());
                }
                continue;
            }
            kept.push(self.object(item, depth + 1, within));
        }
        if had_items && kept.is_empty() && tag == tags::CONTENT_SEQUENCE {
            return None; // a content sequence without items is not valid; what was in it is in the actions
        }
        Some(sequence_of(tag, kept))
    }

    fn finish_sequence(
        &mut self,
        cleaned: Option<InMemElement>,
        base: Base,
        method: Method,
        reason: Reason,
    ) -> Option<InMemElement> {
        let cleaned = cleaned?;
        if cleaned.items().is_none_or(<[_]>::is_empty) {
            return (base != Base::Remove).then_some(cleaned);
        }
        self.note(VR::SQ, Done::Cleaned, reason);
        self.earn(method);
        Some(cleaned)
    }

    fn private(
        &mut self,
        element: InMemElement,
        depth: usize,
        creators: &mut Vec<PrivateBlock>,
        kept: &mut Vec<InMemElement>,
    ) {
        let tag = element.tag();
        // Elements come in order, so that the blocks of a group are done with when the next begins.
        if creators.last().is_some_and(|last| last.tag.group() != tag.group()) {
            creators.clear();
        }
        if matches!(tag.element(), 0x0010..=0x00ff) {
            if let Some(creator) = first_text(&element) {
                creators.push(PrivateBlock { tag, creator, kept: false });
            }
            return;
        }
        if tag.element() == 0 {
            return;
        }
        let block = Tag(tag.group(), tag.element() >> 8);
        let creator = creators.iter_mut().find(|creator| creator.tag == block);
        let safe = creator.and_then(|creator| {
            let vr = safe_private::safe_vr(&creator.creator, tag)?;
            self.rules.preset().options().safe_private.then_some((creator, vr))
        });
        let Some((creator, vr)) = safe else {
            self.note(element.vr(), Done::Removed, Reason::PrivateAttribute);
            return;
        };
        let stated = element.vr();
        let safe = match safe_private::with_listed_vr(element, vr) {
            None => {
                self.note(stated, Done::Removed, Reason::PrivateAttribute);
                return;
            }
            Some(element) if vr == VR::SQ => self.sequence(element, depth, Within::default()),
            Some(element) if vr == VR::UI => self.map_uids(element, depth, Within::default()),
            Some(element) if values::is_bulk(vr) => Some(element),
            Some(element) => self.checked_value(element, vr),
        };
        let Some(safe) = safe else { return };
        if !creator.kept {
            creator.kept = true;
            kept.push(DataElement::new(creator.tag, VR::LO, creator.creator.as_str()));
        }
        self.note(vr, Done::Kept, Reason::SafePrivate);
        self.earn(Method::SafePrivate);
        kept.push(safe);
    }

    fn add_age(&mut self, header: &mut InMemDicomObject) {
        let birth = dates::read_date(self.identity.birth_date.reveal());
        let study = dates::read_date(self.identity.study_date.reveal());
        let Some(age) = birth.zip(study).and_then(|(birth, study)| dates::age(birth, study)) else { return };
        header.put(DataElement::new(tags::PATIENT_AGE, VR::AS, age));
        self.path.push(tags::PATIENT_AGE);
        self.note(VR::AS, Done::Added, Reason::AgeComputed);
        self.path.pop();
        self.earn(Method::PatientCharacteristics);
    }

    /// What every instance that leaves says of itself (PS3.15 E.1.1, PS3.3 C.7.1.1, C.12.1).
    fn write_marks(&mut self, header: &mut InMemDicomObject, reviewed: bool, sop_class_uid: &str) {
        let pseudonym = self.group.pseudonym();
        header.put(DataElement::new(tags::SOP_CLASS_UID, VR::UI, sop_class_uid));
        header.put(DataElement::new(tags::PATIENT_NAME, VR::PN, pseudonym));
        header.put(DataElement::new(tags::PATIENT_ID, VR::LO, pseudonym));
        header.put(DataElement::new(tags::PATIENT_IDENTITY_REMOVED, VR::CS, "YES"));
        let method = format!("Overread {}, PS3.15 2024e", self.rules.preset().name());
        header.put(DataElement::new(tags::DEIDENTIFICATION_METHOD, VR::LO, method));
        self.methods.sort_unstable();
        let codes = self.methods.iter().copied().map(method_item).collect();
        header.put(sequence_of(tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE, codes));
        let times = if self.methods.contains(&Method::ModifiedDates) { "MODIFIED" } else { "REMOVED" };
        header.put(DataElement::new(tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED, VR::CS, times));
        if reviewed {
            header.put(DataElement::new(tags::BURNED_IN_ANNOTATION, VR::CS, "NO"));
        }
        if self.non_ascii {
            header.put(DataElement::new(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192"));
        }
    }

    fn remove(&mut self, element: InMemElement, reason: Reason) -> Option<InMemElement> {
        self.note(element.vr(), Done::Removed, reason);
        None
    }

    fn note(&mut self, vr: VR, done: Done, reason: Reason) {
        self.actions.push(Action { path: self.path.clone(), vr: VrOrd(vr), done, reason });
    }

    fn earn(&mut self, method: Method) {
        if !self.methods.contains(&method) {
            self.methods.push(method);
        }
    }
}

/// A private creator element and whether anything in its block stays.
struct PrivateBlock {
    tag: Tag,
    creator: String,
    kept: bool,
}

/// A code of no public scheme ("99…" or "L", PS3.3 8.2): its meaning is a hospital's own text.
fn is_local_code(object: &InMemDicomObject) -> bool {
    object.get(tags::CODE_MEANING).is_some()
        && object
            .get(tags::CODING_SCHEME_DESIGNATOR)
            .and_then(first_text)
            .is_none_or(|scheme| scheme.starts_with("99") || scheme == "L")
}

/// Content items that hold text, a name or a date (PS3.3 C.17.3.2).
fn is_personal_content(item: &InMemDicomObject) -> bool {
    item.get(tags::VALUE_TYPE)
        .and_then(first_text)
        .is_some_and(|kind| matches!(kind.as_str(), "TEXT" | "PNAME" | "DATE" | "DATETIME"))
}

/// Whether a content tree refers to items by position (0040,DB73).
fn has_references_by_place(object: &InMemDicomObject, depth: usize) -> bool {
    object.get(tags::REFERENCED_CONTENT_ITEM_IDENTIFIER).is_some()
        || depth < NESTING_MAX
            && object
                .get(tags::CONTENT_SEQUENCE)
                .and_then(|sequence| sequence.items())
                .is_some_and(|items| items.iter().any(|item| has_references_by_place(item, depth + 1)))
}

/// What stands where a content item was taken out and its place is needed.
fn removed_content_item() -> InMemDicomObject {
    InMemDicomObject::from_element_iter([
        DataElement::new(tags::RELATIONSHIP_TYPE, VR::CS, "CONTAINS"),
        DataElement::new(tags::VALUE_TYPE, VR::CS, "TEXT"),
        sequence_of(tags::CONCEPT_NAME_CODE_SEQUENCE, vec![code_item("121106", "DCM", "Comment")]),
        DataElement::new(tags::TEXT_VALUE, VR::UT, DUMMY),
    ])
}

/// A method as an item of (0012,0064).
pub(super) fn method_item(method: Method) -> InMemDicomObject {
    code_item(method.code(), "DCM", method.meaning())
}

fn code_item(value: &str, scheme: &str, meaning: &str) -> InMemDicomObject {
    InMemDicomObject::from_element_iter([
        DataElement::new(tags::CODE_VALUE, VR::SH, value),
        DataElement::new(tags::CODING_SCHEME_DESIGNATOR, VR::SH, scheme),
        DataElement::new(tags::CODE_MEANING, VR::LO, meaning),
    ])
}

fn sequence_of(tag: Tag, items: Vec<InMemDicomObject>) -> InMemElement {
    DataElement::new(tag, VR::SQ, DataSetSequence::from(items))
}

fn empty(tag: Tag, vr: VR) -> InMemElement {
    match vr {
        VR::SQ => sequence_of(tag, Vec::new()),
        vr => DataElement::new(tag, vr, PrimitiveValue::Empty),
    }
}

fn first_text(element: &InMemElement) -> Option<String> {
    let texts = values::texts(element)?;
    Some(texts.first()?.trim_matches(['\0', ' ']).to_owned())
}

/// The dictionary's VR if it is one, else the stated one.
fn listed_vr(tag: Tag, stated: VR) -> VR {
    StandardDataDictionary.by_tag(tag).and_then(|entry| entry.vr().exact()).unwrap_or(stated)
}

fn retyped(element: InMemElement, vr: VR) -> InMemElement {
    if element.vr() == vr {
        return element;
    }
    let tag = element.tag();
    DataElement::new(tag, vr, element.into_value())
}
