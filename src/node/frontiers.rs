//! How far each device has each case: told by itself over a connection or in a bundle, or only handed over to it.
//!
//! The sync machine knows this of devices it talks to. Here it outlives connections, so that a command without a
//! network can say what arrived where, and an answer that went out on a stick shows as on the way and not as unsent.

use std::collections::BTreeMap;

use super::api::Failure;
use super::core::Node;
use super::home::store_failure;
use crate::encoding::id::{CaseId, EntryId};
use crate::encoding::{from_bytes, to_bytes};
use crate::identity::keys::DeviceKey;
use crate::store::{Batch, Store, Table};
use crate::sync::event::{Delivery, Event as SyncEvent};
use crate::sync::frontier::Frontier;
use crate::sync::log::CaseLog;

/// Longest frontier row that is read, in bytes.
const FRONTIER_BYTES_MAX: usize = 2 * 1024 * 1024;

type ByDevice = BTreeMap<(DeviceKey, CaseId), Frontier>;

/// Frontiers of other devices.
#[derive(Default)]
pub(super) struct Frontiers {
    arrived: ByDevice,
    handed_over: ByDevice,
}

impl Frontiers {
    pub fn load(store: &Store) -> Result<Self, Failure> {
        Ok(Self { arrived: read(store, Table::Delivery)?, handed_over: read(store, Table::HandedOver)? })
    }

    /// What devices told that they have.
    pub fn arrived(&self) -> impl Iterator<Item = (&(DeviceKey, CaseId), &Frontier)> {
        self.arrived.iter()
    }

    /// How far an entry came, by what is noted here.
    pub fn delivery(&self, log: &CaseLog, case: &CaseId, entry: &EntryId, device: &DeviceKey) -> Delivery {
        let covers = |frontiers: &ByDevice| {
            frontiers.get(&(*device, *case)).is_some_and(|frontier| log.is_covered_by(frontier, entry))
        };
        if log.is_cited_by(device, entry) || covers(&self.arrived) {
            Delivery::Delivered
        } else if covers(&self.handed_over) {
            Delivery::OnTheWay
        } else {
            Delivery::NotSent
        }
    }

    /// Notes that a bundle with this much of a case was packed for a device.
    pub fn hand_over(&mut self, log: &CaseLog, device: DeviceKey, case: CaseId, packed: &Frontier, batch: &mut Batch) {
        let known = self.handed_over.entry((device, case)).or_default();
        log.join(known, packed);
        batch.put_row(Table::HandedOver, &row_key(device, case), &to_bytes(known));
    }

    /// Deletes what is noted of a case.
    pub fn forget(&mut self, case: CaseId, batch: &mut Batch) {
        for (table, noted) in [(Table::Delivery, &mut self.arrived), (Table::HandedOver, &mut self.handed_over)] {
            for (device, _) in noted.extract_if(.., |(_, of), _| *of == case).map(|(key, _)| key) {
                batch.delete_row(table, &row_key(device, case));
            }
        }
    }

    /// Forgets everything: the node locks.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Node {
    /// A device told how far it has a case.
    pub async fn keep_frontier(&mut self, peer: DeviceKey, case: CaseId, frontier: Frontier) {
        if !self.is_open() {
            return; // rows are sealed; the next connection tells it again
        }
        let mut batch = Batch::new();
        batch.put_row(Table::Delivery, &row_key(peer, case), &to_bytes(&frontier));
        self.frontiers.arrived.insert((peer, case), frontier);
        if let Err(failure) = self.commit(batch).await {
            tracing::warn!(what = failure.what, "a frontier was not kept");
        }
    }

    /// A bundle told how far its sender had a case when she packed it: she may have told more since.
    pub async fn frontier_from_bundle(&mut self, sender: DeviceKey, case: CaseId, packed: &Frontier) {
        let Some(log) = self.rooms.logs.get(&case) else { return };
        let mut frontier = self.frontiers.arrived.get(&(sender, case)).cloned().unwrap_or_default();
        log.join(&mut frontier, packed);
        self.tell(SyncEvent::FrontierRestored { peer: sender, case, frontier: frontier.clone() });
        self.keep_frontier(sender, case, frontier).await;
    }
}

fn read(store: &Store, table: Table) -> Result<ByDevice, Failure> {
    let rows = store.rows(table).map_err(store_failure)?;
    let read = rows.iter().filter_map(|row| {
        let (device, case) = row.key.split_at_checked(32)?;
        let key = (DeviceKey(device.try_into().ok()?), CaseId(case.try_into().ok()?));
        Some((key, from_bytes::<Frontier>(&row.value, FRONTIER_BYTES_MAX).ok()?))
    });
    Ok(read.collect())
}

fn row_key(device: DeviceKey, case: CaseId) -> Vec<u8> {
    [device.0, case.0].concat()
}
