//! What the person set, as one sealed row.

use minicbor::{Decode, Encode};

use super::api::Failure;
use super::home::store_failure;
use crate::encoding::{from_bytes, to_bytes};
use crate::store::{Batch, Store, Table};

const SETTINGS: &[u8] = b"settings";

/// Longest settings row that is read, in bytes.
const SETTINGS_BYTES_MAX: usize = 64 * 1024;

/// Settings with their defaults.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct Settings {
    /// The recovery code stands on paper: its owner typed words of it back.
    #[n(0)]
    pub recovery_confirmed: bool,
    /// Days after closing at which non-owners drop a case's pixels.
    #[n(1)]
    pub retention_days: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { recovery_confirmed: false, retention_days: 30 }
    }
}

impl Settings {
    pub fn load(store: &Store) -> Result<Self, Failure> {
        let row = store.row(Table::Setting, SETTINGS).map_err(store_failure)?;
        Ok(row.and_then(|bytes| from_bytes(&bytes, SETTINGS_BYTES_MAX).ok()).unwrap_or_default())
    }

    pub fn put(&self, batch: &mut Batch) {
        batch.put_row(Table::Setting, SETTINGS, &to_bytes(self));
    }
}
