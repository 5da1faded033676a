//! UIDs that name no instance of anybody: SOP classes, transfer syntaxes, coding schemes, well-known frames of
//! reference and the like, as PS3.6 Annex A registers them.
//!
//! The root 1.2.840.10008 alone is no proof: somebody may have made instance UIDs under it. So this is a list,
//! and a class that is not on it counts as private.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What a registered UID names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WellKnown {
    /// A SOP class whose instances are stored as files.
    StorageClass,
    /// Another SOP class, a meta class, a service.
    OtherClass,
    TransferSyntax,
    FrameOfReference,
    Instance,
    CodingScheme,
    MappingResource,
    /// PS3.16 context group (PS3.6 Table A-3).
    ContextGroup,
}

static REGISTERED: LazyLock<HashMap<&'static str, WellKnown>> = LazyLock::new(|| {
    let rows = include_str!("well_known_uids.tsv").lines().filter(|line| !line.starts_with('#'));
    rows.filter_map(|row| row.split_once('\t'))
        .filter_map(|(uid, kind)| {
            let kind = match kind {
                "storage" => WellKnown::StorageClass,
                "other" => WellKnown::OtherClass,
                "transfer-syntax" => WellKnown::TransferSyntax,
                "frame-of-reference" => WellKnown::FrameOfReference,
                "instance" => WellKnown::Instance,
                "coding-scheme" => WellKnown::CodingScheme,
                "mapping-resource" => WellKnown::MappingResource,
                _ => return None,
            };
            Some((uid, kind))
        })
        .collect()
});

/// What PS3.6 says of a UID, padding aside.
pub fn well_known(uid: &str) -> Option<WellKnown> {
    let uid = uid.trim_end_matches(['\0', ' ']);
    if !uid.starts_with("1.2.840.10008.") {
        return None;
    }
    if let Some(number) = uid.strip_prefix("1.2.840.10008.6.1.") {
        let plain = matches!(number.len(), 1..=4) && number.bytes().all(|b| b.is_ascii_digit());
        return plain.then_some(WellKnown::ContextGroup);
    }
    REGISTERED.get(uid).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registered_uids_are_known_and_others_are_not() {
        for (uid, kind) in [
            ("1.2.840.10008.5.1.4.1.1.2", WellKnown::StorageClass),
            ("1.2.840.10008.1.3.10", WellKnown::StorageClass),
            ("1.2.840.10008.1.1", WellKnown::OtherClass),
            ("1.2.840.10008.1.2.1\0", WellKnown::TransferSyntax),
            ("1.2.840.10008.1.4.1.1", WellKnown::FrameOfReference),
            ("1.2.840.10008.15.1.1", WellKnown::FrameOfReference),
            ("1.2.840.10008.2.16.4", WellKnown::CodingScheme),
            ("1.2.840.10008.8.1.1", WellKnown::MappingResource),
            ("1.2.840.10008.6.1.29", WellKnown::ContextGroup),
        ] {
            assert_eq!(well_known(uid), Some(kind), "{uid}");
        }
        for uid in
            ["", "1.2.3", "1.2.840.10008.5.1.4.1.1.2.99", "1.2.840.10008.6.1.20040119", "1.2.840.10008.", "2.25.1"]
        {
            assert_eq!(well_known(uid), None, "{uid}");
        }
    }
}
