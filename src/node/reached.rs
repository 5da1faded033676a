//! When a colleague was reached last, so that one who never was can be told from one who is away.

use super::core::{Node, now};
use crate::encoding::time::Timestamp;
use crate::identity::keys::IdentityKey;
use crate::store::{Batch, Table};

/// How old what is written may be before it is written again, in milliseconds.
const WRITTEN_AGAIN_AFTER_MS: i64 = 60 * 60 * 1000;

impl Node {
    /// A device of this person is connected, or was until now. Known to the hour, so that a line that comes and goes
    /// writes little.
    pub async fn reached(&mut self, identity: IdentityKey) {
        let time = now();
        let is_known = |before: Timestamp| time.0.saturating_sub(before.0).abs() < WRITTEN_AGAIN_AFTER_MS;
        if self.last_reached(&identity).is_some_and(is_known) {
            return;
        }
        let mut batch = Batch::new();
        batch.put_row(Table::Peer, &row(&identity), &time.0.to_be_bytes());
        // A locked node writes no rows of its own; the next connection says it.
        if let Err(failure) = self.commit(batch).await {
            tracing::debug!(%failure, "when a colleague was reached was not written");
        }
    }

    /// When this person was reached last; nothing if never, or if it is not known.
    pub fn last_reached(&self, identity: &IdentityKey) -> Option<Timestamp> {
        let written = self.store().ok()?.row(Table::Peer, &row(identity)).ok()??;
        Some(Timestamp(i64::from_be_bytes(written.as_slice().try_into().ok()?)))
    }
}

fn row(identity: &IdentityKey) -> Vec<u8> {
    [b"reached".as_slice(), &identity.0].concat()
}
