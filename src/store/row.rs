//! Private rows: what the database holds beside entries and chunks, sealed one by one.
//!
//! A row is (table, key, value). On disk its name is a keyed BLAKE3 hash of table and key, and its value is
//! sealed with AES-256-GCM under a random nonce, bound to its place; the plain key is sealed with the value so
//! that a table can be listed. Who reads the file learns how many rows of how many tables there are and how
//! long they are. Random 96-bit nonces are safe for 2^32 rows written under one key (NIST SP 800-38D §8.3),
//! far more than a lifetime of cases.
//!
//! Moving a row to another place is noticed; putting back an older state of the whole file is not, and nothing
//! here claims it.

use zeroize::Zeroizing;

use super::error::StoreError;
use crate::encoding::labels::{DERIVE_ROW_KEY, DERIVE_ROW_NAME};
use crate::encoding::random;
use crate::identity::keys::Secret;
use crate::seal::aead::{self, TAG_BYTES};

/// Longest key of a row in bytes.
pub const ROW_KEY_BYTES_MAX: usize = 1024;

/// Longest value of a row in bytes.
pub const ROW_VALUE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Kinds of private rows. The number is bound into each row: it is never changed and never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Table {
    /// Proves that the keys fit the database.
    Check = 0,
    /// Cards I hold, with trust and my own names for them.
    Colleague = 1,
    /// Epoch secrets of cases.
    CaseSecret = 2,
    /// Study keys, and by which import they are found again.
    StudySecret = 3,
    /// Who a pseudonym really is. Never leaves this machine.
    Reidentification = 4,
    /// Studies of one patient with their date offset and UID secret.
    PatientGroup = 5,
    Setting = 6,
    /// Text and pencil marks that are no entries yet.
    Draft = 7,
    /// Summaries the worklist starts from.
    Worklist = 8,
    /// Instances of local studies.
    Instance = 9,
    /// Answers to commands with a request id, so that a repeat is harmless.
    Request = 10,
    /// How far a device is known to have a case.
    Delivery = 11,
    /// How far a case was handed over to a device in bundles, which need not have arrived.
    HandedOver = 12,
    /// Addresses at which devices were reached.
    Peer = 13,
    /// Local studies: series, counts, sizes, what was left out.
    Study = 14,
    /// Cases I was invited to and have not answered.
    Invitation = 15,
    /// What was shown on this device and how well: the basis of an opinion.
    Displayed = 16,
    /// Heads under which studies of this home went into cases.
    Given = 17,
}

impl Table {
    /// Every table, to walk over all rows.
    pub const ALL: [Self; 18] = [
        Self::Check,
        Self::Colleague,
        Self::CaseSecret,
        Self::StudySecret,
        Self::Reidentification,
        Self::PatientGroup,
        Self::Setting,
        Self::Draft,
        Self::Worklist,
        Self::Instance,
        Self::Request,
        Self::Delivery,
        Self::HandedOver,
        Self::Peer,
        Self::Study,
        Self::Invitation,
        Self::Displayed,
        Self::Given,
    ];
}

/// The keys of the database: one seals rows, one names them. Both come from the vault's database secret.
pub struct DatabaseKeys {
    row: Secret,
    name: Secret,
}

/// A row as it was put. Wiped on drop; it has no printing form.
pub struct Row {
    pub key: Zeroizing<Vec<u8>>,
    pub value: Zeroizing<Vec<u8>>,
}

/// Length of a row's name in bytes: 16 for the table, 32 for the key.
pub(super) const ROW_NAME_BYTES: usize = 48;

/// What stands in the place of table and key on disk.
pub(super) type RowName = [u8; ROW_NAME_BYTES];

const TABLE_NAME_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
const KEY_LENGTH_BYTES: usize = 4;

impl DatabaseKeys {
    pub fn derive(database: &Secret) -> Self {
        Self { row: aead::derive(database, DERIVE_ROW_KEY, &[]), name: aead::derive(database, DERIVE_ROW_NAME, &[]) }
    }

    pub(super) fn name(&self, table: Table, key: &[u8]) -> RowName {
        let mut name = [0; ROW_NAME_BYTES];
        name[..TABLE_NAME_BYTES].copy_from_slice(&self.table_name(table));
        let mut hasher = blake3::Hasher::new_keyed(self.name.reveal());
        hasher.update(&[1, table as u8]).update(key);
        name[TABLE_NAME_BYTES..].copy_from_slice(hasher.finalize().as_bytes());
        name
    }

    /// The first and the last name a row of this table can have.
    pub(super) fn names(&self, table: Table) -> (RowName, RowName) {
        let (mut first, mut last) = ([0; ROW_NAME_BYTES], [0xff; ROW_NAME_BYTES]);
        let table = self.table_name(table);
        first[..TABLE_NAME_BYTES].copy_from_slice(&table);
        last[..TABLE_NAME_BYTES].copy_from_slice(&table);
        (first, last)
    }

    fn table_name(&self, table: Table) -> [u8; TABLE_NAME_BYTES] {
        let hash = blake3::keyed_hash(self.name.reveal(), &[0, table as u8]);
        let mut name = [0; TABLE_NAME_BYTES];
        name.copy_from_slice(&hash.as_bytes()[..TABLE_NAME_BYTES]);
        name
    }

    /// The name and the sealed bytes of a row.
    pub(super) fn seal(&self, table: Table, key: &[u8], value: &[u8]) -> Result<(RowName, Vec<u8>), StoreError> {
        check_length("the key of a row", key, ROW_KEY_BYTES_MAX)?;
        check_length("a row", value, ROW_VALUE_BYTES_MAX)?;
        let name = self.name(table, key);
        let nonce = random::bytes::<NONCE_BYTES>(&mut random::system());
        // Room for the tag from the start: growing would leave a plain copy in freed memory.
        let mut message = Vec::with_capacity(KEY_LENGTH_BYTES + key.len() + value.len() + TAG_BYTES);
        message.extend_from_slice(&(key.len() as u32).to_le_bytes());
        message.extend_from_slice(key);
        message.extend_from_slice(value);
        aead::seal(&self.row, nonce, &place(table, &name), &mut message).map_err(|_| StoreError::DamagedRow)?;
        let mut sealed = Vec::with_capacity(NONCE_BYTES + message.len());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&message);
        Ok((name, sealed))
    }

    /// Opens a row that stands under `name`.
    pub(super) fn open(&self, table: Table, name: &RowName, sealed: &[u8]) -> Result<Row, StoreError> {
        let (nonce, message) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(StoreError::DamagedRow)?;
        let mut plain = Zeroizing::new(message.to_vec());
        aead::open(&self.row, *nonce, &place(table, name), &mut plain).map_err(|_| StoreError::DamagedRow)?;
        let (length, rest) = plain.split_first_chunk::<KEY_LENGTH_BYTES>().ok_or(StoreError::DamagedRow)?;
        let (key, value) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or(StoreError::DamagedRow)?;
        Ok(Row { key: Zeroizing::new(key.to_vec()), value: Zeroizing::new(value.to_vec()) })
    }
}

fn place(table: Table, name: &RowName) -> [u8; 1 + ROW_NAME_BYTES] {
    let mut place = [0; 1 + ROW_NAME_BYTES];
    place[0] = table as u8;
    place[1..].copy_from_slice(name);
    place
}

pub(super) fn check_length(what: &'static str, bytes: &[u8], bytes_max: usize) -> Result<(), StoreError> {
    if bytes.len() > bytes_max {
        return Err(StoreError::TooLarge { what, bytes: bytes.len(), bytes_max });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(seed: u8) -> DatabaseKeys {
        DatabaseKeys::derive(&Secret::new([seed; 32]))
    }

    proptest! {
        #[test]
        fn a_sealed_row_opens_to_what_was_put(key in prop::collection::vec(any::<u8>(), 0..80),
                                              value in prop::collection::vec(any::<u8>(), 0..400)) {
            let (name, sealed) = keys(1).seal(Table::Draft, &key, &value).unwrap();
            let row = keys(1).open(Table::Draft, &name, &sealed).unwrap();
            prop_assert_eq!(&*row.key, &key);
            prop_assert_eq!(&*row.value, &value);
        }

        #[test]
        fn any_other_bytes_are_refused(sealed in prop::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(matches!(keys(1).open(Table::Draft, &[0; 48], &sealed), Err(StoreError::DamagedRow)));
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_in_a_row_is_refused() {
        let (name, sealed) = keys(1).seal(Table::Draft, b"key", b"value").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(keys(1).open(Table::Draft, &name, &flipped), Err(StoreError::DamagedRow)), "bit {bit}");
        }
    }

    #[test]
    fn a_row_opens_in_its_own_place_and_under_its_own_key_only() {
        let (name, sealed) = keys(1).seal(Table::Draft, b"key", b"value").unwrap();
        let elsewhere = keys(1).name(Table::Draft, b"other");
        assert!(keys(1).open(Table::Draft, &elsewhere, &sealed).is_err());
        assert!(keys(1).open(Table::Setting, &name, &sealed).is_err());
        assert!(keys(2).open(Table::Draft, &name, &sealed).is_err());
    }

    #[test]
    fn the_same_row_is_never_sealed_to_the_same_bytes() {
        let (a, b) = (keys(1).seal(Table::Draft, b"k", b"v").unwrap(), keys(1).seal(Table::Draft, b"k", b"v").unwrap());
        assert_eq!(a.0, b.0);
        assert_ne!(a.1, b.1);
    }

    #[test]
    fn names_differ_by_table_key_and_database() {
        let names = [
            keys(1).name(Table::Draft, b"k"),
            keys(1).name(Table::Draft, b"l"),
            keys(1).name(Table::Draft, b""),
            keys(1).name(Table::Setting, b"k"),
            keys(2).name(Table::Draft, b"k"),
        ];
        for (i, a) in names.iter().enumerate() {
            assert!(names[i + 1..].iter().all(|b| a != b));
        }
        let (first, last) = keys(1).names(Table::Draft);
        assert!(names[..3].iter().all(|name| (first..=last).contains(name)));
        assert!(names[3..].iter().all(|name| !(first..=last).contains(name)));
    }

    #[test]
    fn every_table_stands_in_the_list_at_its_number() {
        for (number, table) in Table::ALL.into_iter().enumerate() {
            assert_eq!(table as usize, number);
        }
        // A match without a wildcard: a new table does not compile until it is counted here.
        let count = match Table::Given {
            Table::Check | Table::Colleague | Table::CaseSecret | Table::StudySecret | Table::Reidentification => 18,
            Table::PatientGroup | Table::Setting | Table::Draft | Table::Worklist | Table::Instance => 18,
            Table::Request | Table::Delivery | Table::HandedOver | Table::Peer | Table::Study => 18,
            Table::Invitation | Table::Displayed | Table::Given => 18,
        };
        assert_eq!(Table::ALL.len(), count);
    }

    #[test]
    fn a_row_over_the_limit_is_refused() {
        let long_key = vec![0; ROW_KEY_BYTES_MAX + 1];
        assert!(matches!(keys(1).seal(Table::Draft, &long_key, b""), Err(StoreError::TooLarge { .. })));
        let long_value = vec![0; ROW_VALUE_BYTES_MAX + 1];
        assert!(matches!(keys(1).seal(Table::Draft, b"", &long_value), Err(StoreError::TooLarge { .. })));
        assert!(keys(1).seal(Table::Draft, &long_key[1..], &long_value[1..]).is_ok());
    }
}
