//! Cards that travel between nodes: where this one is reached, and cards of colleagues in common (design 6).
//!
//! Whoever connects hears this person's own card and those of the people both share a case with. Only newer versions of
//! cards already held are taken: nobody becomes a colleague because somebody else says so.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::api::Failure;
use super::core::{Node, now};
use super::rooms::Answered;
use crate::identity::card::{CARD_ADDRESSES_MAX, Card, CardDetails};
use crate::identity::keys::{DeviceKey, IdentityKey};
use crate::net::{Multiaddr, Path, is_dialable, path_of, port_of};
use crate::sync::event::Event as SyncEvent;

impl Node {
    /// Puts the addresses at which this node lasts on its own card, if they are others than those. A port that the
    /// system chose is another one after the next start, and stays off the card.
    pub async fn refresh_own_card(&mut self) -> Result<(), Failure> {
        let fixed: BTreeSet<u16> = self
            .options
            .listen
            .iter()
            .filter_map(|address| port_of(&address.parse().ok()?))
            .filter(|port| *port != 0)
            .collect();
        if fixed.is_empty() || self.link.is_none() {
            return Ok(());
        }
        let listening: Vec<Multiaddr> =
            self.listen_addresses().await.iter().filter_map(|address| address.parse().ok()).collect();
        let lasting =
            |address: &&Multiaddr| is_dialable(address) && port_of(address).is_some_and(|p| fixed.contains(&p));
        let elsewhere = |address: &&Multiaddr| path_of(address) != Some(Path::Loopback);
        let mut addresses: Vec<String> =
            listening.iter().filter(lasting).filter(elsewhere).map(ToString::to_string).collect();
        if addresses.is_empty() {
            // A node on this machine alone: its colleagues are here too.
            addresses = listening.iter().filter(lasting).map(ToString::to_string).collect();
        }
        addresses.sort();
        addresses.truncate(CARD_ADDRESSES_MAX);
        let store = Arc::clone(self.store()?);
        let open = self.me_mut()?;
        if addresses.is_empty() || open.card.addresses() == addresses {
            return Ok(());
        }
        let details = CardDetails { addresses, ..open.card.details() };
        open.reissue(details, &store, now())
    }

    /// Tells a colleague who connected this person's card and those of the people both share a case with.
    pub async fn tell_cards(&mut self, peer: DeviceKey, identity: IdentityKey) {
        if self.open_part().and_then(|open| open.people.get(&identity)).is_none_or(|person| person.is_blocked()) {
            return;
        }
        if let Err(failure) = self.refresh_own_card().await {
            tracing::warn!(what = failure.what, "the own card was not issued anew");
        }
        let Some(open) = self.open_part() else { return };
        let mut in_common: BTreeSet<IdentityKey> = BTreeSet::new();
        for (_, case) in self.rooms.iter().filter(|(_, case)| case.answered == Answered::Accepted) {
            let membership = case.room.membership();
            if membership.current_device(&peer).is_some() {
                in_common.extend(membership.members().into_keys().filter(|member| *member != identity));
            }
        }
        let held = in_common.iter().filter_map(|member| open.people.get(member)).filter(|person| person.gets_keys());
        let cards = std::iter::once(open.card.to_bytes()).chain(held.map(|person| person.card().to_bytes()));
        let cards = cards.collect();
        self.tell(SyncEvent::SendCards { peer, cards });
    }

    /// Cards from a peer or a bundle: newer versions of those held are kept.
    pub async fn cards_received(&mut self, cards: Vec<Vec<u8>>) {
        let mut changed = false;
        for bytes in cards {
            let Ok(card) = Card::from_bytes(&bytes) else { continue };
            let held = self.open_part().and_then(|open| open.people.get(&card.identity()));
            if held.is_none_or(|held| *held.card() == card) {
                continue;
            }
            match self.add_card(card).await {
                Ok(()) => changed = true,
                Err(failure) => tracing::info!(what = failure.what, "a colleague's card was not taken"),
            }
        }
        if changed {
            self.update_gate().await;
        }
    }
}
