//! Finding colleagues on the local network without telling anybody else who is there.
//!
//! mDNS would broadcast the device's key and every address under a fixed name, and trust what others broadcast.
//! Instead a device now and then multicasts a small *beacon*: a fresh nonce and, for each colleague, a truncated
//! HMAC that only this colleague can recognise, padded with random bytes so that not even their number shows.
//! Who recognises one answers by unicast, sealed, with the addresses where it listens; the asker then dials, and
//! TLS proves both ends. Every beacon comes from a fresh port. Loopback is covered, so two homes on one machine
//! find each other.
//!
//! The secret of a pair is static ([`pair_secret`]: X25519 between the two devices' notice keys), so no state is
//! kept and a card is enough. What that means: who steals one device's notice secret can recognise that device's
//! colleagues' beacons, but still sees none of the others', and no content ever.
//!
//! A beacon holds good for its time window and its neighbours (ten minutes each), and each nonce once: a replay
//! gets no answer. Clocks that differ by more find each other through the addresses on cards instead. After a
//! restart, a beacon of the last minutes may be answered a second time: with a sealed datagram, at a bounded
//! rate.
//!
//! The pairing door is found the same way, with a secret made from the public half of the spoken code
//! (`nameplate_peer`). Read `datagram.rs` for the bytes, `task.rs` for when they are sent.

mod datagram;
mod sockets;
mod task;

use std::net::Ipv4Addr;
use std::sync::Arc;

use libp2p::Multiaddr;
use tokio::sync::{Notify, mpsc, watch};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::encoding::labels::DERIVE_BEACON;
use crate::identity::keys::{NoticeKey, NoticeSecret, Secret, TransportKey};
use crate::seal::aead::derive;

/// UDP port of beacons on every device.
pub const BEACON_PORT: u16 = 21_737;

/// IPv4 group of beacons, in the administratively scoped block (RFC 2365 §6.1).
pub const BEACON_GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 255, 79, 82);

/// IPv6 group of beacons, link-local scope (RFC 4291 §2.7).
pub const BEACON_GROUP_V6: std::net::Ipv6Addr = std::net::Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0x4f76, 0x7264);

/// How the beacon runs.
#[derive(Debug, Clone, Copy)]
pub struct BeaconConfig {
    pub port: u16,
    pub interfaces: BeaconInterfaces,
}

impl Default for BeaconConfig {
    fn default() -> Self {
        Self { port: BEACON_PORT, interfaces: BeaconInterfaces::All }
    }
}

/// Where beacons are sent and heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeaconInterfaces {
    /// Every interface, loopback included.
    All,
    /// This machine only: for the demo and tests.
    Loopback,
}

/// A colleague's device to find and to be found by.
pub struct BeaconPeer {
    transport: TransportKey,
    pair_secret: Secret,
}

impl BeaconPeer {
    pub fn new(transport: TransportKey, pair_secret: Secret) -> Self {
        Self { transport, pair_secret }
    }
}

/// The secret that two devices share by knowing each other's certificates: HKDF over X25519 of their notice keys
/// and both public keys in order. The same on both sides.
///
/// # Errors
/// If `theirs` is a key of small order, so that the result would not depend on our secret (RFC 7748 §6.1).
pub fn pair_secret(ours: &NoticeSecret, theirs: &NoticeKey) -> Result<Secret, WeakNoticeKey> {
    let (private, _) = ours.key_pair();
    let private = Zeroizing::new(<[u8; 32]>::from(hpke::Serializable::to_bytes(&private)));
    let shared = StaticSecret::from(*private).diffie_hellman(&PublicKey::from(theirs.0.0));
    if !shared.was_contributory() {
        return Err(WeakNoticeKey);
    }
    let (ours, theirs) = (ours.public().0.0, theirs.0.0);
    let (low, high) = if ours < theirs { (ours, theirs) } else { (theirs, ours) };
    Ok(derive(&Secret::new(shared.to_bytes()), DERIVE_BEACON, &[b"pair", &low, &high]))
}

/// The notice key is of small order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the device's notice key cannot be used")]
pub struct WeakNoticeKey;

/// Which side of a pairing door a device is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DoorSide {
    Opener,
    Joiner,
}

/// Our name and the other side's, made from the public part of a spoken code. The nameplate is no secret: who
/// hears it may find the door, and the words behind it decide who gets in.
pub(super) fn nameplate_peer(nameplate: &str, side: DoorSide) -> (TransportKey, BeaconPeer) {
    let nameplate = Secret::new(*blake3::hash(nameplate.as_bytes()).as_bytes());
    let name = |context: &[u8]| TransportKey(*derive(&nameplate, DERIVE_BEACON, &[b"door", context]).reveal());
    let (opener, joiner) = (name(b"opener"), name(b"joiner"));
    let secret = derive(&nameplate, DERIVE_BEACON, &[b"door", b"secret"]);
    match side {
        DoorSide::Opener => (opener, BeaconPeer::new(joiner, secret)),
        DoorSide::Joiner => (joiner, BeaconPeer::new(opener, secret)),
    }
}

/// A colleague's device was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sighting {
    pub(super) peer: TransportKey,
    /// Where it says it listens; empty if only its beacon was heard.
    pub(super) addresses: Vec<Multiaddr>,
}

/// When beacons are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schedule {
    /// A few at once whenever something changed, then one in about ten seconds.
    Steady,
    /// Twice a second: somebody is waiting.
    Urgent,
    /// Never; only answer.
    Silent,
}

/// A running beacon; dropping it ends it.
pub(super) struct Beacon {
    state: watch::Sender<State>,
    network_changed: Arc<Notify>,
}

#[derive(Clone, Default)]
struct State {
    peers: Arc<Vec<BeaconPeer>>,
    addresses: Vec<Multiaddr>,
}

impl Beacon {
    pub(super) fn start(config: BeaconConfig, me: TransportKey, sightings: mpsc::Sender<Sighting>) -> Self {
        Self::start_with(config, Schedule::Steady, me, sightings)
    }

    pub(super) fn start_with(
        config: BeaconConfig,
        schedule: Schedule,
        me: TransportKey,
        sightings: mpsc::Sender<Sighting>,
    ) -> Self {
        let (state, state_receiver) = watch::channel(State::default());
        let network_changed = Arc::new(Notify::new());
        let task = task::Task::new(config, schedule, me, state_receiver, network_changed.clone(), sightings);
        tokio::spawn(task.run());
        Self { state, network_changed }
    }

    pub(super) fn set_peers(&self, peers: Vec<BeaconPeer>) {
        self.state.send_modify(|state| state.peers = Arc::new(peers));
    }

    /// Where this device listens, which colleagues are told.
    pub(super) fn set_addresses(&self, addresses: Vec<Multiaddr>) {
        self.state.send_if_modified(|state| {
            let changed = state.addresses != addresses;
            state.addresses = addresses;
            changed
        });
    }

    pub(super) fn network_changed(&self) {
        self.network_changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::id::Bytes;
    use crate::encoding::random::Seeded;

    #[test]
    fn both_sides_of_a_pair_come_to_the_same_secret_and_no_other_pair_does() {
        let mut rng = Seeded::new(1);
        let [a, b, c] = [(); 3].map(|()| NoticeSecret(Secret::random(&mut rng)));
        let ab = pair_secret(&a, &b.public()).unwrap();
        assert_eq!(ab.reveal(), pair_secret(&b, &a.public()).unwrap().reveal());
        assert_ne!(ab.reveal(), pair_secret(&a, &c.public()).unwrap().reveal());
        assert_ne!(ab.reveal(), pair_secret(&c, &b.public()).unwrap().reveal());
    }

    #[test]
    fn notice_keys_of_small_order_are_refused() {
        let ours = NoticeSecret(Secret::random(&mut Seeded::new(1)));
        let mut one = [0; 32];
        one[0] = 1;
        for weak in [[0; 32], one] {
            assert_eq!(pair_secret(&ours, &NoticeKey(Bytes(weak))).err(), Some(WeakNoticeKey));
        }
    }

    #[test]
    fn the_two_sides_of_a_door_know_each_other_and_no_other_door() {
        let (opener, seen_by_opener) = nameplate_peer("4", DoorSide::Opener);
        let (joiner, seen_by_joiner) = nameplate_peer("4", DoorSide::Joiner);
        assert_eq!((seen_by_opener.transport, seen_by_joiner.transport), (joiner, opener));
        assert_eq!(seen_by_opener.pair_secret.reveal(), seen_by_joiner.pair_secret.reveal());
        let (_, other) = nameplate_peer("5", DoorSide::Joiner);
        assert_ne!(other.pair_secret.reveal(), seen_by_joiner.pair_secret.reveal());
    }
}
