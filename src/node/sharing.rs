//! Who may connect, and which cases each of them shares with this home.
//!
//! The gate admits devices of colleagues who are not blocked and of fellow members (design 6); the sync machine is told
//! the cases that a connected device and this one are both in now. Both are worked out anew whenever cards or the
//! members of a case change.

use std::collections::{HashMap, HashSet};

use super::core::{Node, open_part};
use super::home::Open;
use super::rooms::Answered;
use crate::case::access::Role;
use crate::encoding::id::CaseId;
use crate::identity::certificate::DeviceCertificate;
use crate::identity::keys::{DeviceKey, IdentityKey, TransportKey};
use crate::net::beacon::pair_secret;
use crate::net::{AdmittedPeer, Multiaddr};
use crate::sync::event::{Event as SyncEvent, Standing};

impl Node {
    /// Who may connect: devices of colleagues who are not blocked, and of current members of accepted cases.
    pub async fn update_gate(&mut self) {
        let Some(me) = self.my_device() else { return };
        let mut admitted: HashMap<TransportKey, AdmittedPeer> = HashMap::new();
        let mut blocked: HashSet<IdentityKey> = HashSet::new();
        if let Some(open) = self.open_part() {
            for colleague in open.people.iter() {
                if colleague.is_blocked() {
                    blocked.insert(colleague.identity());
                    continue;
                }
                let addresses: Vec<Multiaddr> =
                    colleague.addresses().filter_map(|address| address.parse().ok()).collect();
                for certificate in colleague.card().devices() {
                    admitted.insert(certificate.statement.transport, admit(open, certificate, addresses.clone()));
                }
            }
            for (_, case) in self.rooms.iter().filter(|(_, case)| case.answered == Answered::Accepted) {
                for (identity, member) in case.room.membership().members() {
                    if blocked.contains(&identity) {
                        continue;
                    }
                    for certificate in member.devices.values().filter(|certificate| certificate.device() != me) {
                        let transport = certificate.statement.transport;
                        admitted.entry(transport).or_insert_with(|| admit(open, certificate, Vec::new()));
                    }
                }
            }
        }
        // Locked, the gate stays as it was, less those whom entries have removed since.
        if self.is_open()
            && let Some(link) = &self.link
        {
            link.admit(admitted).await;
        }
        self.update_shares().await;
    }

    /// Tells the machine which cases each connected device shares with this one.
    pub async fn update_shares(&mut self) {
        let Some(link) = &self.link else { return };
        let me = self.my_device();
        let mut now: HashMap<(DeviceKey, CaseId), Standing> = HashMap::new();
        for (peer, connected) in link.connected() {
            let blocked = self
                .open_part()
                .and_then(|open| open.people.get(&connected.identity))
                .is_some_and(|colleague| colleague.is_blocked());
            for (case, open) in self.rooms.iter().filter(|_| !blocked) {
                let membership = open.room.membership();
                let my_role = me.and_then(|me| membership.current_device(&me));
                let (Some((_, role, _)), Some(_)) = (membership.current_device(peer), my_role) else { continue };
                let standing = match (open.answered, role) {
                    (Answered::Offered, _) => continue,
                    (Answered::Invited, _) => Standing::InvitedMe,
                    (Answered::Accepted, Role::Courier) => Standing::Courier,
                    (Answered::Accepted, _) => Standing::FullMember,
                };
                now.insert((*peer, *case), standing);
            }
        }
        // What a peer offers stays shared with it until an entry says whether this device is a member.
        for (peer, case) in link.shares().keys() {
            if self.rooms.get(case).is_none_or(|open| open.answered == Answered::Offered) {
                now.insert((*peer, *case), Standing::InvitedMe);
            }
        }
        let before = match &mut self.link {
            Some(link) => link.set_shares(now.clone()),
            None => return,
        };
        for (peer, case) in before.keys().filter(|key| !now.contains_key(*key)) {
            self.tell(SyncEvent::Revoke { peer: *peer, case: *case });
        }
        for ((peer, case), standing) in now {
            if before.get(&(peer, case)) != Some(&standing) {
                self.tell(SyncEvent::Share { peer, case, standing });
            }
        }
        self.live_members_changed();
    }

    /// Ends what is shared of a case with everybody connected.
    pub fn end_shares(&mut self, case: CaseId) {
        let Some(link) = &mut self.link else { return };
        let mut shares = link.shares().clone();
        shares.retain(|(_, shared), _| *shared != case);
        for (peer, _) in link.set_shares(shares).into_keys().filter(|(_, shared)| *shared == case) {
            self.tell(SyncEvent::Revoke { peer, case });
        }
    }

    /// The person and device behind a transport key: a colleague's, or a fellow member's.
    pub fn whose(&self, transport: &TransportKey) -> Option<(IdentityKey, DeviceKey)> {
        let colleague = match self.open_part() {
            Some(open) => open.people.admitted(transport).map(|(who, device)| (who.identity(), device.device())),
            None => self.link.as_ref().and_then(|link| link.colleagues.get(transport).copied()),
        };
        if colleague.is_some() {
            return colleague;
        }
        self.rooms.iter().find_map(|(_, case)| {
            let members = case.room.membership().members().into_iter();
            let mut devices = members.flat_map(|(identity, member)| {
                member.devices.into_values().map(move |certificate| (identity, certificate))
            });
            let found = devices.find(|(_, certificate)| certificate.statement.transport == *transport);
            found.map(|(identity, certificate)| (identity, certificate.device()))
        })
    }

    /// Notes whose devices connect, before the book of colleagues is closed.
    pub fn remember_colleagues(&mut self) {
        let (Some(open), Some(link)) = (open_part(&self.phase), &mut self.link) else { return };
        link.colleagues.clear();
        for colleague in open.people.iter().filter(|colleague| !colleague.is_blocked()) {
            let devices = colleague.card().devices().iter();
            let keys = devices.map(|device| (device.statement.transport, (colleague.identity(), device.device())));
            link.colleagues.extend(keys);
        }
    }

    /// What people call the owner of a device.
    pub fn device_owner(&self, device: &DeviceKey) -> Option<String> {
        let identity = self.link.as_ref()?.connected().get(device)?.identity;
        Some(self.open_part()?.name_of(&identity, None))
    }

    /// This installation, also while the node is locked.
    pub fn my_device(&self) -> Option<DeviceKey> {
        match self.open_part() {
            Some(open) => Some(open.device()),
            None => self.locked_part().map(|locked| locked.certificate.device()),
        }
    }
}

fn admit(open: &Open, certificate: &DeviceCertificate, addresses: Vec<Multiaddr>) -> AdmittedPeer {
    let ours = &open.vault.keys().device.notice;
    AdmittedPeer { addresses, pair_secret: pair_secret(ours, &certificate.statement.notice).ok() }
}
