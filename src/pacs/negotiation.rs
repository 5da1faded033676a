//! Who may open an association, and what it may carry (PS3.8 §7.1.1, PS3.7 Annex D.3).
//!
//! Pure: a request and the rules give an acceptance or a refusal with its reason. Nobody may call who was not named,
//! and nobody is named until a person does so ([`Callers`]).
//!
//! An object is taken as its sender holds it: of the transfer syntaxes proposed in a context the first one is accepted
//! that the importer can carry byte for byte, so nothing is recompressed on the way in. What is taken is every storage
//! SOP Class, private ones of manufacturers too: what may be shared is for de-identification to say, and a refused
//! class would let the whole push fail.

use std::collections::{BTreeMap, BTreeSet};

use dicom_dictionary_std::uids;
use dicom_ul::pdu::{
    AssociationAC, AssociationRJ, AssociationRJResult, AssociationRJServiceProviderASCEReason,
    AssociationRJServiceProviderPresentationReason, AssociationRJServiceUserReason, AssociationRJSource, AssociationRQ,
    PresentationContextProposed, PresentationContextResult, PresentationContextResultReason, UserVariableItem,
};

use super::command::is_uid;
use super::wire::PDU_BYTES_MAX;
use crate::study::deidentify::well_known::{WellKnown, well_known};
use crate::study::write::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};

/// Most presentation contexts of an association: their ids are the odd numbers of one byte (PS3.8 §9.3.2.2).
pub const CONTEXTS_MAX: usize = 128;

/// Longest AE title, in characters (PS3.5 §6.2).
pub const AE_TITLE_CHARS_MAX: usize = 16;

/// DICOM Application Context Name (PS3.7 Annex A.2.1).
pub(super) const APPLICATION_CONTEXT: &str = "1.2.840.10008.3.1.1.1";

/// What a caller takes at once if it does not say, in bytes.
const CALLER_PDU_BYTES_DEFAULT: u32 = 16 * 1024;

/// Less than this no answer fits into, in bytes.
const CALLER_PDU_BYTES_MIN: u32 = 512;

/// The syntaxes that an object may arrive in. Not here: JPIP, whose pixels lie elsewhere, and video.
const SYNTAXES: [&str; 26] = [
    uids::EXPLICIT_VR_LITTLE_ENDIAN,
    uids::IMPLICIT_VR_LITTLE_ENDIAN,
    "1.2.840.10008.1.2.2", // explicit VR big endian, retired
    uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    uids::ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN,
    uids::DEFLATED_IMAGE_FRAME_COMPRESSION,
    uids::RLE_LOSSLESS,
    uids::JPEG_BASELINE8_BIT,
    uids::JPEG_EXTENDED12_BIT,
    "1.2.840.10008.1.2.4.53", // spectral selection, retired
    "1.2.840.10008.1.2.4.55", // full progression, retired
    uids::JPEG_LOSSLESS,
    uids::JPEG_LOSSLESS_SV1,
    uids::JPEGLS_LOSSLESS,
    uids::JPEGLS_NEAR_LOSSLESS,
    uids::JPEG2000_LOSSLESS,
    uids::JPEG2000,
    uids::JPEG2000MC_LOSSLESS,
    uids::JPEG2000MC,
    uids::HTJ2K_LOSSLESS,
    uids::HTJ2K_LOSSLESS_RPCL,
    uids::HTJ2K,
    uids::JPEGXL_LOSSLESS,
    uids::JPEGXLJPEG_RECOMPRESSION,
    uids::JPEGXL,
    "1.2.840.113619.5.2", // GE's implicit VR little endian with big endian pixels
];

/// Whom to take objects from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Callers {
    /// These calling AE titles; at first nobody.
    Named(BTreeSet<String>),
    /// Whoever can reach the port: the title a caller gives proves nothing, so only where the network itself, or TLS
    /// with client certificates, decides who can.
    AnyUnsafely,
}

/// What this side answers to.
#[derive(Debug, Clone)]
pub struct Rules {
    pub ae_title: String,
    pub callers: Callers,
}

/// An association that may go on.
#[derive(Debug)]
pub struct Accepted {
    pub calling: String,
    /// What was agreed, by presentation context.
    pub contexts: BTreeMap<u8, Context>,
    /// Longest PDU the caller takes, in bytes.
    pub caller_pdu_bytes_max: u32,
    pub answer: AssociationAC,
}

/// An accepted presentation context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    pub class: String,
    pub syntax: String,
}

/// Why an association is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("it called {called:?}, and this is {here:?}")]
    CalledTitle { called: String, here: String },
    #[error("{calling:?} is not allowed to send here")]
    CallingTitle { calling: String },
    #[error("too many associations are open")]
    Crowded,
    #[error("it speaks another version of the protocol")]
    Version,
    #[error("it proposes an application context that is not DICOM's")]
    ApplicationContext,
    #[error("its presentation contexts are not numbered as the standard asks, or its PDUs are too short to answer in")]
    Malformed,
}

impl Refusal {
    /// What the caller is told.
    pub fn answer(&self) -> AssociationRJ {
        use AssociationRJServiceUserReason as User;
        let permanent = |source| AssociationRJ { result: AssociationRJResult::Permanent, source };
        match self {
            Self::CalledTitle { .. } => permanent(AssociationRJSource::ServiceUser(User::CalledAETitleNotRecognized)),
            Self::CallingTitle { .. } => permanent(AssociationRJSource::ServiceUser(User::CallingAETitleNotRecognized)),
            Self::ApplicationContext => {
                permanent(AssociationRJSource::ServiceUser(User::ApplicationContextNameNotSupported))
            }
            Self::Malformed => permanent(AssociationRJSource::ServiceUser(User::NoReasonGiven)),
            Self::Version => permanent(AssociationRJSource::ServiceProviderASCE(
                AssociationRJServiceProviderASCEReason::ProtocolVersionNotSupported,
            )),
            Self::Crowded => AssociationRJ {
                result: AssociationRJResult::Transient,
                source: AssociationRJSource::ServiceProviderPresentation(
                    AssociationRJServiceProviderPresentationReason::LocalLimitExceeded,
                ),
            },
        }
    }

    /// What the person at this side can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::CallingTitle { calling } => Some(format!("If it may: listen again with --allow {calling}")),
            Self::CalledTitle { here, .. } => {
                Some(format!("Set {here} as the AE title at the sender, or listen with another --ae-title."))
            }
            _ => None,
        }
    }
}

/// Judges an association request.
pub fn negotiate(request: &AssociationRQ, rules: &Rules) -> Result<Accepted, Refusal> {
    // PS3.8 §9.3.2: only bit 0 is tested.
    if request.protocol_version & 1 == 0 {
        return Err(Refusal::Version);
    }
    if trimmed(&request.application_context_name) != APPLICATION_CONTEXT {
        return Err(Refusal::ApplicationContext);
    }
    let (called, calling) = (title(&request.called_ae_title), title(&request.calling_ae_title));
    if called != rules.ae_title {
        return Err(Refusal::CalledTitle { called, here: rules.ae_title.clone() });
    }
    match &rules.callers {
        Callers::AnyUnsafely => {}
        Callers::Named(named) if named.contains(&calling) => {}
        Callers::Named(_) => return Err(Refusal::CallingTitle { calling }),
    }
    let caller_pdu_bytes_max = caller_pdu_bytes_max(&request.user_variables).ok_or(Refusal::Malformed)?;
    let mut contexts = BTreeMap::new();
    let mut results = Vec::new();
    let mut seen = BTreeSet::new();
    for proposed in &request.presentation_contexts {
        let is_new = seen.insert(proposed.id);
        if proposed.id.is_multiple_of(2) || !is_new || seen.len() > CONTEXTS_MAX {
            return Err(Refusal::Malformed);
        }
        let (result, agreed) = context(proposed);
        results.push(result);
        contexts.extend(agreed.map(|agreed| (proposed.id, agreed)));
    }
    let answer = AssociationAC {
        protocol_version: 1,
        application_context_name: APPLICATION_CONTEXT.into(),
        // Both fields are returned as they came (PS3.8 §9.3.3).
        called_ae_title: request.called_ae_title.clone(),
        calling_ae_title: request.calling_ae_title.clone(),
        presentation_contexts: results,
        user_variables: vec![
            UserVariableItem::MaxLength(PDU_BYTES_MAX),
            UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS_UID.into()),
            UserVariableItem::ImplementationVersionName(IMPLEMENTATION_VERSION_NAME.into()),
        ],
    };
    Ok(Accepted { calling, contexts, caller_pdu_bytes_max, answer })
}

/// Whether a text can be an AE title: 1 to 16 printable characters of ASCII, no backslash, not only spaces.
pub fn is_ae_title(text: &str) -> bool {
    (1..=AE_TITLE_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'\\')
        && text.trim() == text
}

fn context(proposed: &PresentationContextProposed) -> (PresentationContextResult, Option<Context>) {
    use PresentationContextResultReason as Reason;
    let class = trimmed(&proposed.abstract_syntax);
    let syntax = proposed.transfer_syntaxes.iter().map(|syntax| trimmed(syntax)).find(|syntax| carries(syntax));
    let (reason, agreed) = match syntax {
        _ if !is_taken(class) => (Reason::AbstractSyntaxNotSupported, None),
        None => (Reason::TransferSyntaxesNotSupported, None),
        Some(syntax) => (Reason::Acceptance, Some(Context { class: class.into(), syntax: syntax.into() })),
    };
    // The field must be there when refused too, and means nothing then (PS3.8 §9.3.3.2).
    let transfer_syntax = syntax.unwrap_or(uids::IMPLICIT_VR_LITTLE_ENDIAN).to_owned();
    (PresentationContextResult { id: proposed.id, reason, transfer_syntax }, agreed)
}

/// Whether an object in this syntax can be taken as it is.
pub fn carries(syntax: &str) -> bool {
    SYNTAXES.contains(&syntax)
}

/// Whether a context for this SOP Class is accepted.
fn is_taken(class: &str) -> bool {
    is_uid(class) && (class == uids::VERIFICATION || class == uids::STORAGE_COMMITMENT_PUSH_MODEL || is_storage(class))
}

/// Whether objects of this class may be stored: those the standard calls storage, those it added since to the same
/// branch, and whatever a manufacturer defined.
pub fn is_storage(class: &str) -> bool {
    const DICOM: &str = "1.2.840.10008.";
    const COMPOSITE_STORAGE: &str = "1.2.840.10008.5.1.4.1.1.";
    if !class.starts_with(DICOM) {
        return is_uid(class);
    }
    match well_known(class) {
        Some(WellKnown::StorageClass) => class != uids::MEDIA_STORAGE_DIRECTORY_STORAGE,
        Some(_) => false,
        None => class.starts_with(COMPOSITE_STORAGE),
    }
}

/// `None` if what the caller takes at once is too little for an answer.
pub(super) fn caller_pdu_bytes_max(variables: &[UserVariableItem]) -> Option<u32> {
    let stated = variables.iter().find_map(|item| match item {
        UserVariableItem::MaxLength(bytes) => Some(*bytes),
        _ => None,
    });
    match stated {
        // Zero is no limit (PS3.8 Annex D.1.1).
        Some(0) => Some(PDU_BYTES_MAX),
        Some(bytes) if bytes < CALLER_PDU_BYTES_MIN => None,
        Some(bytes) => Some(bytes.min(PDU_BYTES_MAX)),
        None => Some(CALLER_PDU_BYTES_DEFAULT),
    }
}

fn title(text: &str) -> String {
    crate::encoding::text::shown(text).trim().chars().take(AE_TITLE_CHARS_MAX).collect()
}

fn trimmed(uid: &str) -> &str {
    uid.trim_matches(|c: char| c.is_whitespace() || c == '\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(callers: Callers) -> Rules {
        Rules { ae_title: "OVERREAD".into(), callers }
    }

    fn named(titles: &[&str]) -> Callers {
        Callers::Named(titles.iter().map(ToString::to_string).collect())
    }

    fn proposed(id: u8, class: &str, syntaxes: &[&str]) -> PresentationContextProposed {
        PresentationContextProposed {
            id,
            abstract_syntax: class.into(),
            transfer_syntaxes: syntaxes.iter().map(ToString::to_string).collect(),
        }
    }

    fn request(contexts: Vec<PresentationContextProposed>) -> AssociationRQ {
        AssociationRQ {
            protocol_version: 1,
            calling_ae_title: "PACS1".into(),
            called_ae_title: "OVERREAD".into(),
            application_context_name: APPLICATION_CONTEXT.into(),
            presentation_contexts: contexts,
            user_variables: vec![UserVariableItem::MaxLength(16384)],
        }
    }

    #[test]
    fn the_first_proposed_syntax_that_can_be_carried_is_accepted() {
        let video = "1.2.840.10008.1.2.4.102";
        let contexts = vec![
            proposed(1, uids::CT_IMAGE_STORAGE, &[video, "1.2.840.10008.1.2.4.80\0", uids::IMPLICIT_VR_LITTLE_ENDIAN]),
            proposed(3, uids::VERIFICATION, &[uids::IMPLICIT_VR_LITTLE_ENDIAN]),
            proposed(5, uids::CT_IMAGE_STORAGE, &[video]),
            proposed(7, "1.2.840.10008.5.1.4.1.2.2.1", &[uids::IMPLICIT_VR_LITTLE_ENDIAN]),
            proposed(9, "1.3.12.2.1107.5.9.1", &[uids::EXPLICIT_VR_LITTLE_ENDIAN]),
        ];
        let accepted = negotiate(&request(contexts), &rules(named(&["PACS1"]))).unwrap();
        let agreed: Vec<(u8, &str)> = accepted.contexts.iter().map(|(id, c)| (*id, c.syntax.as_str())).collect();
        assert_eq!(agreed, [(1, uids::JPEGLS_LOSSLESS), (3, "1.2.840.10008.1.2"), (9, "1.2.840.10008.1.2.1")]);
        let reasons: Vec<u8> =
            accepted.answer.presentation_contexts.iter().map(|result| result.reason.clone() as u8).collect();
        assert_eq!(reasons, [0, 0, 4, 3, 0]);
    }

    #[test]
    fn every_storage_class_of_the_standard_is_taken_and_no_other_service() {
        for class in [
            uids::CT_IMAGE_STORAGE,
            uids::COMPREHENSIVE_SR_STORAGE,
            uids::ENCAPSULATED_PDF_STORAGE,
            "1.2.840.10008.5.1.4.34.7",       // RT beams delivery instruction storage
            "1.2.840.10008.5.1.4.1.1.999.77", // not defined yet
            "1.2.840.113619.4.26",            // GE
        ] {
            assert!(is_storage(class), "{class}");
        }
        for class in [
            "1.2.840.10008.1.20.1",
            "1.2.840.10008.5.1.4.1.2.2.1",
            "1.2.840.10008.5.1.4.31",
            "1.2.840.10008.1.3.10", // a DICOMDIR
            "1.2.840.10008.",
            "",
            "storage",
        ] {
            assert!(!is_storage(class), "{class}");
        }
    }

    #[test]
    fn who_was_not_named_is_refused_and_told_how_to_be() {
        let stranger = negotiate(&request(Vec::new()), &rules(named(&[]))).unwrap_err();
        assert_eq!(stranger, Refusal::CallingTitle { calling: "PACS1".into() });
        assert_eq!(stranger.hint().unwrap(), "If it may: listen again with --allow PACS1");
        assert!(negotiate(&request(Vec::new()), &rules(named(&["pacs1"]))).is_err(), "titles are case sensitive");
        assert!(negotiate(&request(Vec::new()), &rules(Callers::AnyUnsafely)).is_ok());
        let elsewhere = AssociationRQ { called_ae_title: "ARCHIVE".into(), ..request(Vec::new()) };
        let refused = negotiate(&elsewhere, &rules(Callers::AnyUnsafely)).unwrap_err();
        assert_eq!(refused, Refusal::CalledTitle { called: "ARCHIVE".into(), here: "OVERREAD".into() });
        let hostile = AssociationRQ { calling_ae_title: "\u{1b}[2JX".into(), ..request(Vec::new()) };
        let refused = negotiate(&hostile, &rules(named(&[]))).unwrap_err();
        assert!(!refused.to_string().contains('\u{1b}'));
    }

    #[test]
    fn requests_that_break_the_rules_are_refused_each_for_its_reason() {
        let any = rules(Callers::AnyUnsafely);
        let ct = |id| proposed(id, uids::CT_IMAGE_STORAGE, &[uids::IMPLICIT_VR_LITTLE_ENDIAN]);
        let list = [
            ("version 2 only", AssociationRQ { protocol_version: 2, ..request(vec![]) }, Refusal::Version),
            (
                "not DICOM",
                AssociationRQ { application_context_name: "1.2".into(), ..request(vec![]) },
                Refusal::ApplicationContext,
            ),
            ("an even id", request(vec![ct(2)]), Refusal::Malformed),
            ("an id twice", request(vec![ct(1), ct(1)]), Refusal::Malformed),
            (
                "PDUs too short for any answer",
                AssociationRQ { user_variables: vec![UserVariableItem::MaxLength(7)], ..request(vec![]) },
                Refusal::Malformed,
            ),
        ];
        for (attack, request, expected) in list {
            assert_eq!(negotiate(&request, &any).unwrap_err(), expected, "{attack}");
        }
        let unlimited = AssociationRQ { user_variables: vec![UserVariableItem::MaxLength(0)], ..request(vec![]) };
        assert_eq!(negotiate(&unlimited, &any).unwrap().caller_pdu_bytes_max, PDU_BYTES_MAX);
    }

    #[test]
    fn titles_are_as_the_standard_has_them() {
        assert!(["OVERREAD", "A", "pacs 1-b", "SIXTEEN_LETTERS_"].iter().all(|title| is_ae_title(title)));
        assert!(["", " ", "A ", "SEVENTEEN_LETTERS", "A\\B", "Ä", "A\nB"].iter().all(|title| !is_ae_title(title)));
    }
}
