//! What one patient group is called, and how its UIDs and dates are changed.
//!
//! Everything comes from one secret of this sender per patient group: consistent inside the group, unlinkable
//! for whoever lacks it, even with the originals in hand. An unkeyed hash (what most tools use) would let
//! anybody who holds an original find the case again.

use crate::encoding::labels::{DERIVE_DATE_OFFSET, DERIVE_PSEUDONYM, DERIVE_UID};
use crate::identity::keys::Secret;
use crate::seal::aead;

/// The date offset is drawn from this many weeks back; never zero, and far enough that no season survives by
/// chance.
pub const OFFSET_WEEKS_MIN: u32 = 52;
pub const OFFSET_WEEKS_MAX: u32 = 520;

/// The three things derived from a patient group's secret.
pub struct GroupSecrets {
    pseudonym: String,
    uid_key: Secret,
    offset_days: i32,
}

impl GroupSecrets {
    pub fn new(group: &Secret) -> Self {
        let offset = aead::derive_bytes(group, DERIVE_DATE_OFFSET, &[]);
        let spread = u64::from(OFFSET_WEEKS_MAX - OFFSET_WEEKS_MIN + 1);
        let mut eight = [0; 8];
        eight.copy_from_slice(&offset[..8]);
        let weeks = OFFSET_WEEKS_MIN + (u64::from_be_bytes(eight) % spread) as u32;
        Self {
            pseudonym: pseudonym(&aead::derive_bytes(group, DERIVE_PSEUDONYM, &[])),
            uid_key: aead::derive(group, DERIVE_UID, &[]),
            offset_days: -7 * weeks as i32,
        }
    }

    /// Stands in for the patient's name and identifier, the same in every study of the group. `P-` and eight
    /// letters or digits without vowels, so that no word comes out.
    pub fn pseudonym(&self) -> &str {
        &self.pseudonym
    }

    /// Days that are added to every date of the group: a negative multiple of seven.
    pub fn date_offset_days(&self) -> i32 {
        self.offset_days
    }

    /// The UID that stands for `uid` in this group: keyed BLAKE3 in the form of a UUID-derived UID (PS3.5 B.2;
    /// RFC 9562 version 8), at most 44 characters. Padding does not count.
    pub fn map_uid(&self, uid: &str) -> String {
        let uid = uid.trim_matches(['\0', ' ']);
        let hash = blake3::keyed_hash(self.uid_key.reveal(), uid.as_bytes());
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&hash.as_bytes()[..16]);
        uuid[6] = uuid[6] & 0x0f | 0x80;
        uuid[8] = uuid[8] & 0x3f | 0x80;
        format!("2.25.{}", u128::from_be_bytes(uuid))
    }
}

fn pseudonym(bytes: &[u8; 32]) -> String {
    const LETTERS: &[u8; 28] = b"23456789BCDFGHJKLMNPQRSTVWXZ";
    let letters = bytes.iter().take(8).map(|b| char::from(LETTERS[usize::from(*b) % LETTERS.len()]));
    "P-".chars().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn another_secret_gives_another_patient() {
        let (a, b) = (GroupSecrets::new(&Secret::new([1; 32])), GroupSecrets::new(&Secret::new([2; 32])));
        assert_ne!(a.pseudonym(), b.pseudonym());
        assert_ne!(a.map_uid("1.2.3"), b.map_uid("1.2.3"));
        assert_ne!(a.map_uid("1.2.3"), a.map_uid("1.2.4"));
        assert_eq!(a.map_uid("1.2.3"), a.map_uid("1.2.3\0"));
        assert_eq!(a.map_uid("1.2.3"), GroupSecrets::new(&Secret::new([1; 32])).map_uid("1.2.3"));
    }

    proptest! {
        #[test]
        fn every_mapped_uid_is_valid(secret in any::<[u8; 32]>(), uid in "[0-9.]{0,64}") {
            let group = GroupSecrets::new(&Secret::new(secret));
            let mapped = group.map_uid(&uid);
            prop_assert!(mapped.len() <= 44);
            let number = mapped.strip_prefix("2.25.").unwrap();
            let uuid = number.parse::<u128>().unwrap().to_be_bytes();
            prop_assert_eq!(uuid[6] >> 4, 8);
            prop_assert_eq!(uuid[8] >> 6, 2);
            prop_assert!(!number.starts_with('0'));
        }

        #[test]
        fn the_offset_is_whole_weeks_back_and_never_zero(secret in any::<[u8; 32]>()) {
            let days = GroupSecrets::new(&Secret::new(secret)).date_offset_days();
            prop_assert_eq!(days % 7, 0);
            prop_assert!((-7 * 520..=-7 * 52).contains(&days));
        }
    }
}
