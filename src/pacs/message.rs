//! Messages out of fragments: presentation data values in, command sets and pieces of data sets out (PS3.8 Annex E).
//!
//! A machine without I/O. Command sets are gathered, since they are short and limited; data sets pass through piece by
//! piece and are never gathered here, whatever their length. One message at a time: a fragment that belongs to another
//! one, or to another presentation context, breaks the association.

use dicom_ul::pdu::{PDataValue, PDataValueType};

use super::command::{COMMAND_BYTES_MAX, CommandError, CommandSet};

/// What a fragment brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// A whole command set; a data set follows if it says so.
    Command { context: u8, command: CommandSet },
    /// A piece of the data set of the command before; the last one ends the message.
    Data { bytes: Vec<u8>, is_last: bool },
}

/// What is waited for.
#[derive(Debug, Default)]
enum Awaiting {
    #[default]
    Command,
    RestOfCommand {
        context: u8,
        bytes: Vec<u8>,
    },
    DataSet {
        context: u8,
    },
}

/// Puts messages together.
#[derive(Debug, Default)]
pub struct Assembly {
    awaiting: Awaiting,
}

impl Assembly {
    /// Whether a message has begun and not ended.
    pub fn is_within_message(&self) -> bool {
        !matches!(self.awaiting, Awaiting::Command)
    }

    /// Takes the next fragment; `None` if a command set goes on.
    ///
    /// # Errors
    /// If the fragment cannot stand here; the association is then broken.
    pub fn take(&mut self, fragment: PDataValue) -> Result<Option<Part>, MessageError> {
        let PDataValue { presentation_context_id: context, value_type, is_last, data } = fragment;
        match (std::mem::take(&mut self.awaiting), value_type) {
            (Awaiting::Command, PDataValueType::Command) => self.command(context, Vec::new(), &data, is_last),
            (Awaiting::RestOfCommand { context: begun, bytes }, PDataValueType::Command) if begun == context => {
                self.command(context, bytes, &data, is_last)
            }
            (Awaiting::DataSet { context: begun }, PDataValueType::Data) if begun == context => {
                if !is_last {
                    self.awaiting = Awaiting::DataSet { context };
                }
                Ok(Some(Part::Data { bytes: data, is_last }))
            }
            (Awaiting::Command, PDataValueType::Data) => Err(MessageError::Unexpected { expected: "a command" }),
            (Awaiting::RestOfCommand { .. }, _) => Err(MessageError::Unexpected { expected: "the rest of a command" }),
            (Awaiting::DataSet { .. }, _) => Err(MessageError::Unexpected { expected: "the rest of a data set" }),
        }
    }

    fn command(
        &mut self,
        context: u8,
        mut bytes: Vec<u8>,
        data: &[u8],
        is_last: bool,
    ) -> Result<Option<Part>, MessageError> {
        if bytes.len() + data.len() > COMMAND_BYTES_MAX {
            return Err(CommandError::TooLong { bytes: bytes.len() + data.len() }.into());
        }
        bytes.extend_from_slice(data);
        if !is_last {
            self.awaiting = Awaiting::RestOfCommand { context, bytes };
            return Ok(None);
        }
        let command = CommandSet::read(&bytes)?;
        if command.has_data_set() {
            self.awaiting = Awaiting::DataSet { context };
        }
        Ok(Some(Part::Command { context, command }))
    }
}

/// A fragment that no conforming sender sends here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    #[error("it sent something else where {expected} was expected")]
    Unexpected { expected: &'static str },
    #[error(transparent)]
    Command(#[from] CommandError),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::command::{Element, field};
    use super::*;

    fn fragment(context: u8, value_type: PDataValueType, is_last: bool, data: &[u8]) -> PDataValue {
        PDataValue { presentation_context_id: context, value_type, is_last, data: data.to_vec() }
    }

    use PDataValueType::{Command, Data};

    fn echo() -> CommandSet {
        CommandSet::new(field::C_ECHO_RQ).number(Element::MESSAGE_ID, 1)
    }

    fn store() -> CommandSet {
        CommandSet::new(field::C_STORE_RQ).with_data_set()
    }

    #[test]
    fn a_command_may_come_byte_by_byte_and_its_data_set_passes_through() {
        let mut assembly = Assembly::default();
        let bytes = store().to_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            let is_last = at + 1 == bytes.len();
            let part = assembly.take(fragment(3, Command, is_last, &[*byte])).unwrap();
            assert_eq!(part.is_some(), is_last);
            assert!(assembly.is_within_message());
        }
        let part = assembly.take(fragment(3, Data, false, b"ab")).unwrap();
        assert_eq!(part, Some(Part::Data { bytes: b"ab".to_vec(), is_last: false }));
        let part = assembly.take(fragment(3, Data, true, b"")).unwrap();
        assert_eq!(part, Some(Part::Data { bytes: Vec::new(), is_last: true }));
        assert!(!assembly.is_within_message());
        assert!(matches!(assembly.take(fragment(5, Command, true, &echo().to_bytes())), Ok(Some(_))));
        assert!(!assembly.is_within_message());
    }

    #[test]
    fn fragments_that_belong_elsewhere_break_the_association() {
        let store = store().to_bytes();
        let list: [(&str, Vec<PDataValue>, &str); 5] = [
            ("data without a command", vec![fragment(1, Data, true, b"x")], "a command"),
            (
                "a command that goes on in another context",
                vec![fragment(1, Command, false, &store[..9]), fragment(3, Command, true, &store[9..])],
                "the rest of a command",
            ),
            (
                "data within a command",
                vec![fragment(1, Command, false, &store[..9]), fragment(1, Data, true, b"x")],
                "the rest of a command",
            ),
            (
                "a second command within a data set",
                vec![fragment(1, Command, true, &store), fragment(1, Command, true, &store)],
                "the rest of a data set",
            ),
            (
                "a data set in another context",
                vec![fragment(1, Command, true, &store), fragment(3, Data, true, b"x")],
                "the rest of a data set",
            ),
        ];
        for (attack, fragments, expected) in list {
            let mut assembly = Assembly::default();
            let mut ended = None;
            for fragment in fragments {
                ended = assembly.take(fragment).err();
            }
            assert_eq!(ended, Some(MessageError::Unexpected { expected }), "{attack}");
        }
    }

    #[test]
    fn a_command_without_end_is_cut_at_its_limit() {
        let mut assembly = Assembly::default();
        let mut taken = 0;
        let error = loop {
            match assembly.take(fragment(1, Command, false, &[0; 1000])) {
                Ok(part) => assert_eq!(part, None),
                Err(error) => break error,
            }
            taken += 1000;
        };
        assert_eq!((taken, error), (16_000, CommandError::TooLong { bytes: 17_000 }.into()));
    }

    proptest! {
        #[test]
        fn no_order_of_fragments_makes_it_panic(
            fragments in prop::collection::vec(
                (any::<u8>(), any::<bool>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..40)),
                0..30,
            ),
        ) {
            let mut assembly = Assembly::default();
            for (context, is_command, is_last, data) in fragments {
                let kind = if is_command { Command } else { Data };
                let _ = assembly.take(fragment(context % 4, kind, is_last, &data));
            }
        }
    }
}
