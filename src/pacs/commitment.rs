//! Storage commitment: what a sender asks before it deletes its own copy (PS3.4 Annex J).
//!
//! The request is always answered, and the answer is "no" unless the person said otherwise: arrivals end with this
//! program, and who deletes the original because of a "yes" has lost it. With `--commit` the answer is whether the
//! object is in the inbox at this moment, for senders that finish no job without it and delete nothing.
//!
//! The report goes out on the same association. A sender that hangs up before it hears it asks again.

use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::command::{CommandSet, Element, field, is_uid, status};
use super::inbox::Inbox;
use crate::study::part10::{self, Syntax, uid_of};
use crate::study::write::file_head;

/// Longest list of objects that is taken, in bytes: some 50,000 of them.
pub const LIST_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Storage Commitment Push Model SOP Instance, the only one (PS3.4 §J.3.5).
const INSTANCE: &str = "1.2.840.10008.1.20.1.1";

/// Request Storage Commitment (PS3.4 §J.3.2).
const REQUEST_ACTION: u16 = 1;

/// All objects are committed to, or not all (PS3.4 §J.3.3).
const EVENT_SUCCESS: u16 = 1;
const EVENT_FAILURES: u16 = 2;

/// An object that a sender asks about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub class: String,
    pub instance: String,
}

/// What is asked: the N-ACTION-RQ's data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub transaction: String,
    pub references: Vec<Reference>,
}

/// An answer to the question, to be sent behind the response: an N-EVENT-REPORT-RQ and its data set.
#[derive(Debug, PartialEq)]
pub struct Report {
    pub command: CommandSet,
    pub data_set: Vec<u8>,
}

/// The status with which a command's request is answered, before its data set is read.
pub fn judge(command: &CommandSet) -> u16 {
    let class = command.read_uid(Element::REQUESTED_SOP_CLASS_UID);
    let instance = command.read_uid(Element::REQUESTED_SOP_INSTANCE_UID);
    match (class, instance, command.read_number(Element::ACTION_TYPE_ID)) {
        (Some(uids::STORAGE_COMMITMENT_PUSH_MODEL), Some(INSTANCE), Some(REQUEST_ACTION)) => status::SUCCESS,
        (Some(uids::STORAGE_COMMITMENT_PUSH_MODEL), Some(INSTANCE), _) => status::NO_SUCH_ACTION,
        (Some(uids::STORAGE_COMMITMENT_PUSH_MODEL), _, _) => status::NO_SUCH_INSTANCE,
        _ => status::SOP_CLASS_NOT_SUPPORTED,
    }
}

impl Question {
    /// Reads the data set of a request.
    ///
    /// # Errors
    /// In words that fit an Error Comment.
    pub fn read(data_set: &[u8], syntax: &str) -> Result<Self, &'static str> {
        const NO_LIST: &str = "the list of objects cannot be read";
        let mut file = file_head(uids::STORAGE_COMMITMENT_PUSH_MODEL, INSTANCE, syntax).map_err(|_| NO_LIST)?;
        file.extend_from_slice(data_set);
        let header = part10::read(&file).map_err(|_| NO_LIST)?.header;
        let transaction = uid_of(&header, tags::TRANSACTION_UID).ok_or("it has no Transaction UID")?;
        let items = header.get(tags::REFERENCED_SOP_SEQUENCE).and_then(|element| element.items()).ok_or(NO_LIST)?;
        let references = items.iter().map(|item| {
            let class = uid_of(item, tags::REFERENCED_SOP_CLASS_UID).filter(|uid| is_uid(uid));
            let instance = uid_of(item, tags::REFERENCED_SOP_INSTANCE_UID).filter(|uid| is_uid(uid));
            class.zip(instance).map(|(class, instance)| Reference { class, instance })
        });
        let references: Option<Vec<_>> = references.collect();
        match references {
            Some(references) if !references.is_empty() => Ok(Self { transaction, references }),
            _ => Err("it names an object without class or instance"),
        }
    }

    /// What is committed to: nothing, or what is in the inbox.
    pub fn answer(self, inbox: &Inbox, commits: bool, message_id: u16, syntax: &str) -> Report {
        let (mut kept, mut failed) = (Vec::new(), Vec::new());
        for reference in &self.references {
            let is_here = inbox.holds(&reference.class, &reference.instance);
            let mut item = InMemDicomObject::new_empty();
            item.put_str(tags::REFERENCED_SOP_CLASS_UID, VR::UI, reference.class.as_str());
            item.put_str(tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, reference.instance.as_str());
            if is_here && commits {
                kept.push(item);
                continue;
            }
            let reason = if is_here { status::PROCESSING_FAILURE } else { status::NO_SUCH_INSTANCE };
            item.put(DataElement::new(tags::FAILURE_REASON, VR::US, PrimitiveValue::from(reason)));
            failed.push(item);
        }
        let event = if failed.is_empty() { EVENT_SUCCESS } else { EVENT_FAILURES };
        let mut header = InMemDicomObject::new_empty();
        header.put_str(tags::TRANSACTION_UID, VR::UI, self.transaction.as_str());
        for (tag, items) in [(tags::REFERENCED_SOP_SEQUENCE, kept), (tags::FAILED_SOP_SEQUENCE, failed)] {
            if !items.is_empty() {
                header.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(items)));
            }
        }
        let mut data_set = Vec::new();
        // UIDs and numbers, just read in the same syntax: there is nothing in them that could not be written.
        if let Err(error) = header.write_dataset_with_ts(&mut data_set, &Syntax::of(syntax).of_header()) {
            tracing::error!(%error, "a storage commitment report cannot be written");
        }
        let command = CommandSet::new(field::N_EVENT_REPORT_RQ)
            .with_data_set()
            .number(Element::MESSAGE_ID, message_id)
            .uid(Element::AFFECTED_SOP_CLASS_UID, uids::STORAGE_COMMITMENT_PUSH_MODEL)
            .uid(Element::AFFECTED_SOP_INSTANCE_UID, INSTANCE)
            .number(Element::EVENT_TYPE_ID, event);
        Report { command, data_set }
    }
}

/// The response to a request.
pub fn response(request: &CommandSet, status: u16) -> CommandSet {
    CommandSet::response_to(request, status)
        .uid(Element::AFFECTED_SOP_CLASS_UID, uids::STORAGE_COMMITMENT_PUSH_MODEL)
        .uid(Element::AFFECTED_SOP_INSTANCE_UID, INSTANCE)
        .number(Element::ACTION_TYPE_ID, REQUEST_ACTION)
}

#[cfg(test)]
mod tests {
    use super::super::inbox::tests::{inbox, object, receive};
    use super::*;

    fn asked(instances: &[&str], syntax: &str) -> Vec<u8> {
        let items: Vec<_> = instances
            .iter()
            .map(|instance| {
                let mut item = InMemDicomObject::new_empty();
                item.put_str(tags::REFERENCED_SOP_CLASS_UID, VR::UI, uids::CT_IMAGE_STORAGE);
                item.put_str(tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, *instance);
                item
            })
            .collect();
        let mut header = InMemDicomObject::new_empty();
        header.put_str(tags::TRANSACTION_UID, VR::UI, "1.2.3.99");
        header.put(DataElement::new(tags::REFERENCED_SOP_SEQUENCE, VR::SQ, DataSetSequence::from(items)));
        let mut bytes = Vec::new();
        header.write_dataset_with_ts(&mut bytes, &Syntax::of(syntax).of_header()).unwrap();
        bytes
    }

    #[test]
    fn nothing_is_promised_unless_the_person_said_so_and_then_only_what_is_here() {
        let folder = tempfile::tempdir().unwrap();
        let inbox = inbox(folder.path());
        let mut visit = inbox.visit("PACS1");
        receive(&mut visit, &object("DOE^JANE", "1.2", "1.2.3.1", 9)).unwrap();
        visit.released();
        for syntax in [uids::IMPLICIT_VR_LITTLE_ENDIAN, uids::EXPLICIT_VR_LITTLE_ENDIAN, "1.2.840.10008.1.2.2"] {
            for (instances, commits, event, kept, reasons) in [
                (&["1.2.3.1"][..], false, 2, 0, vec![0x0110]),
                (&["1.2.3.1"], true, 1, 1, vec![]),
                (&["1.2.3.1", "1.2.3.2"], true, 2, 1, vec![0x0112]),
            ] {
                let question = Question::read(&asked(instances, syntax), syntax).unwrap();
                let report = question.answer(&inbox, commits, 5, syntax);
                assert_eq!(report.command.read_number(Element::EVENT_TYPE_ID), Some(event));
                let answer =
                    InMemDicomObject::read_dataset_with_ts(&report.data_set[..], &Syntax::of(syntax).of_header());
                let answer = answer.unwrap();
                assert_eq!(uid_of(&answer, tags::TRANSACTION_UID).as_deref(), Some("1.2.3.99"));
                let items = |tag| answer.get(tag).and_then(|element| element.items()).unwrap_or_default().to_vec();
                assert_eq!(items(tags::REFERENCED_SOP_SEQUENCE).len(), kept);
                let failed: Vec<u16> = items(tags::FAILED_SOP_SEQUENCE)
                    .iter()
                    .map(|item| item.get(tags::FAILURE_REASON).unwrap().to_int().unwrap())
                    .collect();
                assert_eq!(failed, reasons);
            }
        }
    }

    #[test]
    fn questions_that_cannot_be_read_are_refused() {
        let syntax = uids::IMPLICIT_VR_LITTLE_ENDIAN;
        assert!(Question::read(b"", syntax).is_err());
        assert!(Question::read(&asked(&[], syntax), syntax).is_err());
        assert!(Question::read(&asked(&["not a uid"], syntax), syntax).is_err());
        let good = asked(&["1.2"], syntax);
        assert!(Question::read(&good[..good.len() - 3], syntax).is_err());
    }

    #[test]
    fn a_request_for_something_else_is_answered_with_its_status() {
        let request = CommandSet::new(field::N_ACTION_RQ)
            .uid(Element::REQUESTED_SOP_CLASS_UID, uids::STORAGE_COMMITMENT_PUSH_MODEL)
            .uid(Element::REQUESTED_SOP_INSTANCE_UID, INSTANCE)
            .number(Element::ACTION_TYPE_ID, 1);
        assert_eq!(judge(&request), 0);
        assert_eq!(judge(&request.clone().number(Element::ACTION_TYPE_ID, 2)), 0x0123);
        assert_eq!(judge(&request.clone().uid(Element::REQUESTED_SOP_INSTANCE_UID, "1.2")), 0x0112);
        assert_eq!(judge(&CommandSet::new(field::N_ACTION_RQ)), 0x0122);
    }
}
