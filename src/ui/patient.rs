//! The real patient, as the sender's own screen shows her: never stored, never logged.

use crate::encoding::text::shown;
use crate::node::api::PlanPatient;

/// A DICOM name (PN) as people write it.
pub fn name(text: &str) -> String {
    let first = text.split('=').find(|group| !group.trim_matches('^').trim().is_empty()).unwrap_or_default();
    let mut parts = first.split('^').map(str::trim).filter(|part| !part.is_empty());
    let family = parts.next().unwrap_or("no name");
    let given: Vec<&str> = parts.collect();
    let whole = if given.is_empty() { family.to_owned() } else { format!("{family}, {}", given.join(" ")) };
    shown(&whole).into_owned()
}

/// A DICOM date (DA) as 2031-02-17; anything else as it is.
pub fn date(text: &str) -> String {
    let text = shown(text.trim());
    if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Eight digits: every cut lies between characters.
        return format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..]);
    }
    text.into_owned()
}

/// `Farnsbarns, Quintessa (4711), born 1939-07-18`.
pub fn who(patient: &PlanPatient) -> String {
    let mut words = name(&patient.name);
    if !patient.patient_id.trim().is_empty() {
        words += &format!(" ({})", shown(patient.patient_id.trim()));
    }
    if !patient.birth_date.trim().is_empty() {
        words += &format!(", born {}", date(&patient.birth_date));
    }
    words
}

/// `examined 2031-02-17, accession 99182: CT Chest`.
pub fn examination(patient: &PlanPatient) -> String {
    let mut words = match patient.study_date.trim() {
        "" => "examined on an unknown day".to_owned(),
        day => format!("examined {}", date(day)),
    };
    if !patient.accession.trim().is_empty() {
        words += &format!(", accession {}", shown(patient.accession.trim()));
    }
    if !patient.study_description.trim().is_empty() {
        words += &format!(": {}", shown(patient.study_description.trim()));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_dates_are_shown_as_people_write_them() {
        assert_eq!(name("Farnsbarns^Quintessa^M."), "Farnsbarns, Quintessa M.");
        assert_eq!(name("=山田^太郎=やまだ^たろう"), "山田, 太郎");
        assert_eq!((name(""), name("^^"), name("Doe\u{1b}[2J")), ("no name".into(), "no name".into(), "Doe[2J".into()));
        assert_eq!(
            (date("20310217"), date("1931"), date(" 20310217 ")),
            ("2031-02-17".into(), "1931".into(), "2031-02-17".into())
        );
    }
}
