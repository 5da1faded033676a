//! Checking the set-up: `doctor`.

use super::api::{Check, Failure, FailureCode, Reply};
use super::core::{DISK_LOW_BYTES, Node};
use super::home::store_failure;
use crate::encoding::time::Timestamp;
use crate::identity::trust::Colleague;

impl Node {
    /// When a colleague was connected last, by her identity as it is written.
    fn last_reached_of(&self, identity: &str) -> Option<Timestamp> {
        let mut people = self.open_part()?.people.iter().map(Colleague::identity);
        self.last_reached(&people.find(|known| known.to_string() == identity)?)
    }

    /// A set-up check in words.
    pub async fn doctor(&mut self) -> Result<Reply, Failure> {
        let mut checks = Vec::new();
        let addresses = self.listen_addresses().await;
        checks.push(Check {
            name: "network".into(),
            ok: !addresses.is_empty(),
            what: if addresses.is_empty() {
                "not listening".into()
            } else {
                format!("listening on {}", addresses.join(", "))
            },
            hint: addresses
                .is_empty()
                .then(|| "Name an address: `overread node --listen /ip4/0.0.0.0/tcp/4001`.".into()),
        });
        checks.push(Check {
            name: "beacon".into(),
            ok: self.options.beacon,
            what: if self.options.beacon { "looks for colleagues on the local network" } else { "off" }.into(),
            hint: None,
        });
        let store = std::sync::Arc::clone(self.store()?);
        let verification = tokio::task::block_in_place(|| store.verify()).map_err(store_failure)?;
        let damaged = self.rooms.damaged().first().map(|case| super::rooms::damaged(*case).to_string());
        checks.push(Check {
            name: "disk".into(),
            ok: verification.problems.is_empty() && damaged.is_none(),
            what: format!("{} entries and {} chunks verified", verification.entries, verification.chunks),
            hint: damaged.or_else(|| verification.problems.first().map(ToString::to_string)),
        });
        let open = self.me()?;
        // As many as can be counted: the system does not tell.
        if let Some(free) = store.free_bytes().ok().filter(|free| *free < u64::MAX) {
            let is_enough = free >= DISK_LOW_BYTES;
            checks.push(Check {
                name: "room".into(),
                ok: is_enough,
                what: format!("{} MiB left on the disk of the home", free >> 20),
                hint: (!is_enough).then(|| {
                    "A CT study takes some 250 MiB: make room, or delete closed cases with `overread case purge`."
                        .into()
                }),
            });
        }
        checks.push(Check {
            name: "recovery code".into(),
            ok: open.settings.recovery_confirmed,
            what: if open.settings.recovery_confirmed { "on paper" } else { "not confirmed yet" }.into(),
            hint: (!open.settings.recovery_confirmed).then(|| {
                "Write it down now: `overread vault recovery-code`. Without it a lost laptop is a lost identity.".into()
            }),
        });
        for peer in self.peer_views() {
            let reached = match (&peer.path, &peer.address) {
                (Some(path), Some(address)) => format!("connected over {path}, {address}"),
                _ => match self.last_reached_of(&peer.identity) {
                    Some(reached) => format!("no connection now; the last one {reached}"),
                    None => "no connection yet".into(),
                },
            };
            let hint = (!peer.connected).then(|| {
                "Her program must run at the same time and reach this network; add an address with `overread card add F --at ADDR`, or use a bundle.".to_owned()
            });
            checks.push(Check { name: peer.name, ok: peer.connected, what: reached, hint });
        }
        if checks.is_empty() {
            return Err(Failure::new(FailureCode::Failed, "Nothing could be checked."));
        }
        Ok(Reply::Doctor { checks })
    }
}
