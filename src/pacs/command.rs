//! Command sets: the first half of every DIMSE message (PS3.7 §6.3 and Annex E).
//!
//! Always implicit VR little endian, only elements of group 0000, and short: so they are read here by hand, with a
//! limit on everything, rather than by a parser of whole data sets. Reading keeps values as bytes; what a value means
//! is asked of it by name ([`CommandSet::uid`], [`CommandSet::number`]), and a value of the wrong form is as if absent.
//! The group length is not believed.

use std::collections::BTreeMap;

/// Longest command set that is taken, in bytes. Real ones have some 200.
pub const COMMAND_BYTES_MAX: usize = 16 * 1024;

/// Most elements of a command set; the standard names 33 in all.
pub const COMMAND_ELEMENTS_MAX: usize = 64;

/// Longest UID that is taken, in characters (PS3.5 §9.1).
const UID_CHARS_MAX: usize = 64;

/// Longest Error Comment, in characters (LO).
const COMMENT_CHARS_MAX: usize = 64;

/// An element of group 0000, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Element(pub u16);

impl Element {
    const GROUP_LENGTH: Self = Self(0x0000);
    pub const AFFECTED_SOP_CLASS_UID: Self = Self(0x0002);
    pub const REQUESTED_SOP_CLASS_UID: Self = Self(0x0003);
    pub const COMMAND_FIELD: Self = Self(0x0100);
    pub const MESSAGE_ID: Self = Self(0x0110);
    pub const MESSAGE_ID_RESPONDED_TO: Self = Self(0x0120);
    pub const COMMAND_DATA_SET_TYPE: Self = Self(0x0800);
    pub const STATUS: Self = Self(0x0900);
    pub const ERROR_COMMENT: Self = Self(0x0902);
    pub const AFFECTED_SOP_INSTANCE_UID: Self = Self(0x1000);
    pub const REQUESTED_SOP_INSTANCE_UID: Self = Self(0x1001);
    pub const EVENT_TYPE_ID: Self = Self(0x1002);
    pub const ACTION_TYPE_ID: Self = Self(0x1008);
}

/// What a message asks for or answers (PS3.7 Annex E.1, Command Field).
pub mod field {
    pub const C_STORE_RQ: u16 = 0x0001;
    pub const C_ECHO_RQ: u16 = 0x0030;
    pub const C_CANCEL_RQ: u16 = 0x0FFF;
    pub const N_EVENT_REPORT_RQ: u16 = 0x0100;
    pub const N_ACTION_RQ: u16 = 0x0130;
    /// Added to a request's field to make its response's.
    pub const RESPONSE: u16 = 0x8000;
}

/// Statuses that are answered (PS3.7 Annex C, PS3.4 Annex B.2.3).
pub mod status {
    pub const SUCCESS: u16 = 0x0000;
    pub const PROCESSING_FAILURE: u16 = 0x0110;
    pub const NO_SUCH_INSTANCE: u16 = 0x0112;
    pub const SOP_CLASS_NOT_SUPPORTED: u16 = 0x0122;
    pub const NO_SUCH_ACTION: u16 = 0x0123;
    pub const UNRECOGNISED_OPERATION: u16 = 0x0211;
    /// Refused: out of resources.
    pub const OUT_OF_RESOURCES: u16 = 0xA700;
    /// Error: the data set does not match the SOP Class, or what the command said.
    pub const DATA_SET_DOES_NOT_MATCH: u16 = 0xA900;
    /// Error: cannot understand.
    pub const CANNOT_UNDERSTAND: u16 = 0xC000;
}

/// Command Data Set Type of a message without a data set; every other value says that one follows.
const NO_DATA_SET: u16 = 0x0101;

/// Any other value says that a data set follows.
const WITH_DATA_SET: u16 = 0x0000;

/// A command set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommandSet {
    elements: BTreeMap<Element, Vec<u8>>,
}

impl CommandSet {
    /// A command set of this kind, without a data set behind it.
    pub fn new(command_field: u16) -> Self {
        Self::default()
            .number(Element::COMMAND_FIELD, command_field)
            .number(Element::COMMAND_DATA_SET_TYPE, NO_DATA_SET)
    }

    /// The response to a request, with its status.
    pub fn response_to(request: &Self, status: u16) -> Self {
        let command_field = request.command_field().unwrap_or_default() | field::RESPONSE;
        let message_id = request.read_number(Element::MESSAGE_ID).unwrap_or_default();
        Self::new(command_field).number(Element::MESSAGE_ID_RESPONDED_TO, message_id).number(Element::STATUS, status)
    }

    /// Says that a data set follows.
    pub fn with_data_set(self) -> Self {
        self.number(Element::COMMAND_DATA_SET_TYPE, WITH_DATA_SET)
    }

    pub fn number(mut self, element: Element, value: u16) -> Self {
        self.elements.insert(element, value.to_le_bytes().to_vec());
        self
    }

    pub fn uid(mut self, element: Element, uid: &str) -> Self {
        self.elements.insert(element, padded(uid.as_bytes(), 0));
        self
    }

    /// Why a request failed, for whoever reads the sender's log; cut to what an LO holds.
    pub fn comment(mut self, comment: &str) -> Self {
        let ascii: String = comment.chars().filter(|c| matches!(c, ' '..='~')).take(COMMENT_CHARS_MAX).collect();
        self.elements.insert(Element::ERROR_COMMENT, padded(ascii.as_bytes(), b' '));
        self
    }

    /// Reads a command set.
    ///
    /// # Errors
    /// If it is no list of elements of group 0000 in rising order, or exceeds a limit.
    pub fn read(bytes: &[u8]) -> Result<Self, CommandError> {
        if bytes.len() > COMMAND_BYTES_MAX {
            return Err(CommandError::TooLong { bytes: bytes.len() });
        }
        let mut elements = BTreeMap::new();
        let (mut rest, mut last) = (bytes, None);
        while !rest.is_empty() {
            let Some((&[a, b, c, d, e, f, g, h], tail)) = rest.split_first_chunk::<8>() else {
                return Err(CommandError::Truncated { at: bytes.len() - rest.len() });
            };
            let (group, element) = (u16::from_le_bytes([a, b]), Element(u16::from_le_bytes([c, d])));
            if group != 0 {
                return Err(CommandError::ForeignGroup { group });
            }
            if last.is_some_and(|last| last >= element) {
                return Err(CommandError::OutOfOrder { element: element.0 });
            }
            // As long as the file's pointer type has 32 bits; a longer length exceeds the rest anyway.
            let length = usize::try_from(u32::from_le_bytes([e, f, g, h])).unwrap_or(usize::MAX);
            let Some((value, tail)) = tail.split_at_checked(length) else {
                return Err(CommandError::Truncated { at: bytes.len() - tail.len() });
            };
            if elements.len() == COMMAND_ELEMENTS_MAX {
                return Err(CommandError::TooManyElements);
            }
            elements.insert(element, value.to_vec());
            (rest, last) = (tail, Some(element));
        }
        elements.remove(&Element::GROUP_LENGTH);
        Ok(Self { elements })
    }

    /// Writes it, with its group length.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for (element, value) in &self.elements {
            put(&mut body, *element, value);
        }
        let mut bytes = Vec::with_capacity(body.len() + 12);
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX); // made here, of a few short values
        put(&mut bytes, Element::GROUP_LENGTH, &length.to_le_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }

    pub fn command_field(&self) -> Option<u16> {
        self.read_number(Element::COMMAND_FIELD)
    }

    /// Whether a data set follows. A message that does not say has none.
    pub fn has_data_set(&self) -> bool {
        self.read_number(Element::COMMAND_DATA_SET_TYPE).is_some_and(|kind| kind != NO_DATA_SET)
    }

    pub fn read_number(&self, element: Element) -> Option<u16> {
        let value: [u8; 2] = self.elements.get(&element)?.as_slice().try_into().ok()?;
        Some(u16::from_le_bytes(value))
    }

    /// A UID without its padding, if it is one.
    pub fn read_uid(&self, element: Element) -> Option<&str> {
        let text = std::str::from_utf8(self.elements.get(&element)?).ok()?;
        let text = text.trim_end_matches(['\0', ' ']);
        is_uid(text).then_some(text)
    }

    /// What a response says of a failure.
    pub fn read_comment(&self) -> Option<String> {
        let value = self.elements.get(&Element::ERROR_COMMENT)?;
        Some(String::from_utf8_lossy(value).trim_end().to_owned())
    }
}

/// Whether a text has the form of a UID (PS3.5 §9.1). Leading zeros, which are forbidden and met, pass.
pub fn is_uid(text: &str) -> bool {
    (1..=UID_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && text.split('.').all(|component| !component.is_empty())
}

fn padded(value: &[u8], padding: u8) -> Vec<u8> {
    let mut value = value.to_vec();
    if !value.len().is_multiple_of(2) {
        value.push(padding);
    }
    value
}

fn put(bytes: &mut Vec<u8>, element: Element, value: &[u8]) {
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(&element.0.to_le_bytes());
    bytes.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(value);
}

/// Why bytes are no command set: always the other side's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    #[error("the command set has {bytes} bytes, at most {COMMAND_BYTES_MAX} are taken")]
    TooLong { bytes: usize },
    #[error("the command set ends within the element at byte {at}")]
    Truncated { at: usize },
    #[error("the command set holds an element of group {group:04x}")]
    ForeignGroup { group: u16 },
    #[error("element (0000,{element:04x}) of the command set stands out of order or twice")]
    OutOfOrder { element: u16 },
    #[error("the command set has more than {COMMAND_ELEMENTS_MAX} elements")]
    TooManyElements,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn store() -> CommandSet {
        CommandSet::new(field::C_STORE_RQ)
            .with_data_set()
            .number(Element::MESSAGE_ID, 7)
            .uid(Element::AFFECTED_SOP_CLASS_UID, "1.2.840.10008.5.1.4.1.1.2")
            .uid(Element::AFFECTED_SOP_INSTANCE_UID, "1.2.3")
    }

    #[test]
    fn a_command_is_read_as_it_was_written() {
        let read = CommandSet::read(&store().to_bytes()).unwrap();
        assert_eq!(read, store());
        assert_eq!(read.command_field(), Some(field::C_STORE_RQ));
        assert!(read.has_data_set());
        assert_eq!(read.read_uid(Element::AFFECTED_SOP_INSTANCE_UID), Some("1.2.3"));
        let bytes = store().to_bytes();
        assert_eq!(bytes[..12], [0, 0, 0, 0, 4, 0, 0, 0, u8::try_from(bytes.len() - 12).unwrap(), 0, 0, 0]);
    }

    #[test]
    fn a_response_repeats_the_message_and_says_why_in_64_plain_characters() {
        let response = CommandSet::response_to(&store(), status::OUT_OF_RESOURCES).comment(&"é\u{1b}ab ".repeat(40));
        assert_eq!(response.command_field(), Some(0x8001));
        assert_eq!(response.read_number(Element::MESSAGE_ID_RESPONDED_TO), Some(7));
        assert_eq!(response.read_number(Element::STATUS), Some(0xA700));
        assert_eq!(response.read_comment().unwrap().len(), 64);
        assert!(!response.has_data_set());
    }

    fn element(group: u16, number: u16, length: u32, value: &[u8]) -> Vec<u8> {
        [&group.to_le_bytes()[..], &number.to_le_bytes(), &length.to_le_bytes(), value].concat()
    }

    #[test]
    fn hostile_command_sets_are_refused_each_for_its_reason() {
        let many: Vec<u8> = (1..=100).flat_map(|number| element(0, number, 0, &[])).collect();
        let list = [
            ("longer than any command", vec![0; COMMAND_BYTES_MAX + 1], CommandError::TooLong { bytes: 16385 }),
            ("half an element", vec![0, 0, 0, 1], CommandError::Truncated { at: 0 }),
            ("a length of 4 GiB", element(0, 0x0100, u32::MAX, &[1, 0]), CommandError::Truncated { at: 8 }),
            ("a length one too long", element(0, 0x0100, 3, &[1, 0]), CommandError::Truncated { at: 8 }),
            ("a patient's name", element(0x0010, 0x0010, 2, b"A^"), CommandError::ForeignGroup { group: 0x0010 }),
            (
                "an element twice",
                element(0, 0x0100, 2, &[1, 0]).repeat(2),
                CommandError::OutOfOrder { element: 0x0100 },
            ),
            (
                "elements backwards",
                [element(0, 0x0110, 0, &[]), element(0, 0x0100, 0, &[])].concat(),
                CommandError::OutOfOrder { element: 0x0100 },
            ),
            ("a hundred elements", many, CommandError::TooManyElements),
        ];
        for (attack, bytes, expected) in list {
            assert_eq!(CommandSet::read(&bytes), Err(expected), "{attack}");
        }
    }

    #[test]
    fn values_of_the_wrong_form_are_as_if_absent() {
        let bytes = [
            element(0, 0x0000, 4, &[0xff; 4]),
            element(0, 0x0002, 6, b"1..2\0\0"),
            element(0, 0x0100, 4, &[1, 0, 0, 0]),
            element(0, 0x1000, 4, b"\x1b[2J"),
        ]
        .concat();
        let read = CommandSet::read(&bytes).unwrap();
        assert_eq!(read.command_field(), None);
        assert_eq!(read.read_uid(Element::AFFECTED_SOP_CLASS_UID), None);
        assert_eq!(read.read_uid(Element::AFFECTED_SOP_INSTANCE_UID), None);
        assert!(!read.has_data_set());
        assert_eq!(CommandSet::read(&[]).unwrap(), CommandSet::default());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            if let Ok(read) = CommandSet::read(&bytes) {
                let _ = CommandSet::response_to(&read, 0);
            }
        }

        #[test]
        fn whatever_is_read_is_read_the_same_again(
            values in prop::collection::btree_map(1u16.., prop::collection::vec(any::<u8>(), 0..40), 0..20),
        ) {
            let bytes: Vec<u8> = values
                .iter()
                .flat_map(|(number, value)| element(0, *number, u32::try_from(value.len()).unwrap(), value))
                .collect();
            let read = CommandSet::read(&bytes).unwrap();
            prop_assert_eq!(CommandSet::read(&read.to_bytes()).unwrap(), read);
        }
    }
}
