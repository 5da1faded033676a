//! PS3.15 2024e Table E.1-1 and what a preset makes of it: one [`Rule`] an attribute.
//!
//! The table ships as `profile.tsv`, compared by a test with the standard's rows. Slash actions (`X/Z/D`) take
//! the last of their list, which is valid in every object, so no type tables are needed; `U*` on a sequence
//! means: keep it and change the UIDs inside.

use dicom_core::{Tag, VR};

use super::preset::Options;

/// What the Basic Profile does when no option keeps or cleans an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// X: the attribute goes.
    Remove,
    /// Z: it stays, with no value.
    Empty,
    /// D: it stays, with a dummy value of its VR.
    Dummy,
    /// U: its UIDs are replaced.
    MapUids,
}

/// What happens to one attribute under one preset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    Base(Base),
    /// Kept as it is, because of the option named.
    Keep(KeptBy),
    /// A date: moved; a time of day: kept. What cannot be moved falls to the base.
    Shift(Base),
    /// A description: kept word by word. What cannot be cleaned falls to the base.
    CleanWords(Base),
    /// A content tree: codes and numbers stay.
    CleanContent,
    /// Graphics of a presentation state: points stay, text is kept word by word.
    CleanGraphics,
}

/// The option that lets an attribute stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeptBy {
    PatientCharacteristics,
    DeviceIdentity,
    InstitutionIdentity,
}

/// A row of the table with its ten option columns in the table's order.
#[derive(Debug, Clone, Copy)]
struct Row {
    tag: Tag,
    base: Base,
    options: &'static str,
}

/// The rows with a tag of their own; the four with a pattern (50xx, 60xx, private) are code in the engine.
fn rows() -> impl Iterator<Item = Row> {
    include_str!("profile.tsv").lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut fields = line.split('\t');
        let tag = u32::from_str_radix(fields.next()?, 16).ok()?;
        let base = match fields.next()?.rsplit('/').next()? {
            "X" => Base::Remove,
            "Z" => Base::Empty,
            "D" => Base::Dummy,
            "U" | "U*" => Base::MapUids,
            _ => return None,
        };
        Some(Row { tag: Tag((tag >> 16) as u16, tag as u16), base, options: fields.next()? })
    })
}

impl Row {
    fn has(&self, column: usize, letter: u8) -> bool {
        self.options.as_bytes().get(column) == Some(&letter)
    }

    fn rule(&self, options: &Options) -> Rule {
        const DEVICE: usize = 1;
        const INSTITUTION: usize = 2;
        const PATIENT: usize = 3;
        const MODIFIED_DATES: usize = 5;
        const DESCRIPTORS: usize = 6;
        const STRUCTURED_CONTENT: usize = 7;
        const GRAPHICS: usize = 8;
        let kept = [
            (options.patient_characteristics, PATIENT, KeptBy::PatientCharacteristics),
            (options.device_identity, DEVICE, KeptBy::DeviceIdentity),
            (options.institution_identity, INSTITUTION, KeptBy::InstitutionIdentity),
        ];
        if let Some((.., by)) = kept.into_iter().find(|(on, column, _)| *on && self.has(*column, b'K')) {
            return Rule::Keep(by);
        }
        if options.modified_dates && self.has(MODIFIED_DATES, b'C') {
            return Rule::Shift(self.base);
        }
        if options.structured_content && self.has(STRUCTURED_CONTENT, b'C') {
            return Rule::CleanContent;
        }
        if options.graphics && self.has(GRAPHICS, b'C') {
            return Rule::CleanGraphics;
        }
        let cleaned = options.descriptors && self.has(DESCRIPTORS, b'C')
            || kept.into_iter().any(|(on, column, _)| on && self.has(column, b'C'));
        if cleaned { Rule::CleanWords(self.base) } else { Rule::Base(self.base) }
    }
}

/// The table under one preset, sorted by tag.
#[derive(Debug, Clone)]
pub struct Profile {
    rules: Vec<(Tag, Rule)>,
}

impl Profile {
    pub fn new(options: &Options) -> Self {
        let mut rules: Vec<_> = rows().map(|row| (row.tag, row.rule(options))).collect();
        rules.sort_by_key(|(tag, _)| *tag);
        Self { rules }
    }

    /// The rule for an attribute the table names.
    pub fn rule(&self, tag: Tag) -> Option<Rule> {
        let at = self.rules.binary_search_by_key(&tag, |(tag, _)| *tag).ok()?;
        self.rules.get(at).map(|(_, rule)| *rule)
    }
}

/// Stands where a text had to stay and its value had to go. Two letters, so that it is no word that a search for
/// names of three letters or more would find: already de-identified files say "REMOVED" where a name was.
pub const DUMMY: &str = "NA";

/// A dummy that is valid for the VR; sequences and UIDs have rules of their own.
pub fn dummy_text(vr: VR) -> Option<&'static str> {
    Some(match vr {
        VR::PN | VR::LO | VR::SH | VR::ST | VR::LT | VR::UT | VR::UC | VR::CS | VR::AE => DUMMY,
        VR::DA => "19000101",
        VR::DT => "19000101000000",
        VR::TM => "000000",
        VR::AS => "000Y",
        VR::DS | VR::IS => "0",
        VR::UR => "urn:removed",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr};
    use dicom_dictionary_std::{StandardDataDictionary, tags};

    use super::*;

    const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/standard/ps3.15-table-e.1-1.json");

    #[test]
    fn the_shipped_table_is_the_standards() {
        let Ok(json) = std::fs::read_to_string(TABLE) else {
            println!("SKIPPED: {TABLE} is not there");
            return;
        };
        let json: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
        assert_eq!(json.len(), 621);
        let columns = [
            "rtnUIDsOpt",
            "rtnDevIdOpt",
            "rtnInstIdOpt",
            "rtnPatCharsOpt",
            "rtnLongFullDatesOpt",
            "rtnLongModifDatesOpt",
            "cleanDescOpt",
            "cleanStructContOpt",
            "cleanGraphOpt",
            "rtnSafePrivOpt",
        ];
        let shipped: Vec<&str> = include_str!("profile.tsv").lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(shipped.len(), 621);
        for (row, line) in json.iter().zip(shipped) {
            let id = row["id"].as_str().unwrap();
            let tag = if id.len() == 8 { id } else { "private" };
            let options: String = columns.iter().map(|column| row[column].as_str().unwrap_or("-")).collect();
            assert_eq!(line, format!("{tag}\t{}\t{options}", row["basicProfile"].as_str().unwrap()));
        }
        assert_eq!(rows().count(), 617);
    }

    #[test]
    fn slash_actions_take_the_last_of_their_list() {
        let basic = Profile::new(&Options::default());
        for (tag, rule) in [
            (tags::PATIENT_NAME, Base::Empty),
            (tags::PATIENT_ID, Base::Dummy),                  // Z/D
            (tags::ACQUISITION_DATE, Base::Empty),            // X/Z
            (tags::ACQUISITION_DATE_TIME, Base::Dummy),       // X/Z/D
            (tags::REFERENCED_IMAGE_SEQUENCE, Base::MapUids), // X/Z/U*
            (tags::STUDY_INSTANCE_UID, Base::MapUids),
            (tags::STUDY_DESCRIPTION, Base::Remove),
            (tags::DEVICE_SERIAL_NUMBER, Base::Dummy), // X/Z/D
        ] {
            assert_eq!(basic.rule(tag), Some(Rule::Base(rule)), "{tag}");
        }
        assert_eq!(basic.rule(tags::ROWS), None);
    }

    #[test]
    fn the_consult_preset_keeps_what_a_second_reader_needs() {
        let consult = Profile::new(&Options::consult());
        for (tag, rule) in [
            (tags::PATIENT_AGE, Rule::Keep(KeptBy::PatientCharacteristics)),
            (tags::PATIENT_WEIGHT, Rule::Keep(KeptBy::PatientCharacteristics)),
            (tags::STUDY_DATE, Rule::Shift(Base::Empty)),
            (tags::SERIES_TIME, Rule::Shift(Base::Remove)),
            (tags::STUDY_DESCRIPTION, Rule::CleanWords(Base::Remove)),
            (tags::CONTENT_SEQUENCE, Rule::CleanContent),
            (tags::GRAPHIC_ANNOTATION_SEQUENCE, Rule::CleanGraphics),
            (tags::PATIENT_BIRTH_DATE, Rule::Base(Base::Empty)),
            (tags::PATIENT_NAME, Rule::Base(Base::Empty)),
            (tags::STATION_NAME, Rule::Base(Base::Dummy)),
        ] {
            assert_eq!(consult.rule(tag).map(same_kind), Some(same_kind(rule)), "{tag}");
        }
    }

    /// The base behind a shift or cleaning differs by attribute; the kind of rule is what the preset decides.
    fn same_kind(rule: Rule) -> Rule {
        match rule {
            Rule::Shift(_) => Rule::Shift(Base::Remove),
            Rule::CleanWords(_) => Rule::CleanWords(Base::Remove),
            rule => rule,
        }
    }

    #[test]
    fn every_dummy_has_a_value() {
        let mut without = Vec::new();
        for row in rows().filter(|row| row.base == Base::Dummy) {
            let Some(entry) = StandardDataDictionary.by_tag(row.tag) else { continue };
            if let VirtualVr::Exact(vr) = entry.vr()
                && dummy_text(vr).is_none()
                && !matches!(vr, VR::SQ | VR::UI | VR::OB | VR::UN)
            {
                without.push((row.tag, vr));
            }
        }
        assert!(without.is_empty(), "{without:?}");
    }
}
