//! Whom to dial, where and when; and which of two connections to the same peer stays.
//!
//! Pure: time comes in, decisions go out. A peer that is admitted, not connected and has an address is dialled:
//! at once when it becomes admitted, when an address is learned, when its beacon is heard or when the network
//! changed; else with a growing, jittered wait from [`WAIT_MIN`] to [`WAIT_MAX`]. The wait starts over only when
//! the peer has shown that it admits us too, or a device that refuses us would be dialled every second for ever.

use std::collections::HashMap;
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use super::address::{Path, is_dialable, path_of, without_peer};
use crate::encoding::random;
use crate::identity::keys::TransportKey;

/// First wait after a failed dial.
pub(super) const WAIT_MIN: Duration = Duration::from_secs(1);

/// Longest wait between dials.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(60);

/// Wait before dialling a peer whose connection just ended: both sides do, seldom at the same moment.
const AFTER_LOSS: Duration = Duration::from_millis(300);

/// Two connections that stand within this time of each other are two simultaneous dials: the time a dial takes.
pub(super) const SIMULTANEOUS: Duration = Duration::from_secs(10);

/// Addresses remembered for one peer.
pub(super) const ADDRESSES_A_PEER_MAX: usize = 16;

/// Dials under way at once.
const DIALS_MAX: usize = 16;

/// Who says that a peer is at an address; the more trustworthy is forgotten last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// The card, or a person.
    Given,
    /// The peer's sealed answer to our beacon.
    Beacon,
    /// The peer's own list, over an earlier connection.
    Told,
}

#[derive(Default)]
pub(super) struct Dialer {
    peers: HashMap<TransportKey, Peer>,
}

struct Peer {
    id: PeerId,
    addresses: Vec<(Source, Multiaddr)>,
    state: State,
    failures: u32,
    dialled: Option<Instant>,
    /// The peer has shown on the connection that stands that it admits us.
    is_confirmed: bool,
    /// How the last attempt ended.
    last: Option<AttemptEnd>,
}

/// How things stand with a device that may connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    Connected,
    /// A dial is under way, or the other side has not shown yet that it admits this device.
    Connecting,
    /// Nothing is known of where it is.
    NoAddress,
    /// It is dialled again after so long.
    Waiting {
        next: Duration,
        last: Option<AttemptEnd>,
    },
}

/// How an attempt to reach a device ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptEnd {
    /// Nobody answered at any of its addresses.
    Unreachable,
    /// It closed the connection before it showed that it admits this device.
    NotAdmitted,
    /// There was a session, which ended.
    Lost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    WaitingUntil(Instant),
    Dialling,
    Connected,
}

/// A dial to start now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dial {
    pub(super) peer: PeerId,
    pub(super) addresses: Vec<Multiaddr>,
}

impl Dialer {
    /// Replaces the set of peers, keeping what is known of those that stay.
    pub(super) fn admit<'a>(
        &mut self,
        peers: impl IntoIterator<Item = (TransportKey, PeerId, &'a [Multiaddr])>,
        now: Instant,
    ) {
        let mut before = std::mem::take(&mut self.peers);
        for (key, id, addresses) in peers {
            let new = || Peer::new(id, now);
            let peer = before.remove(&key).unwrap_or_else(new);
            self.peers.insert(key, peer);
            for address in addresses {
                self.learned(&key, address, Source::Given, now);
            }
        }
    }

    pub(super) fn knows(&self, key: &TransportKey) -> bool {
        self.peers.contains_key(key)
    }

    /// Notes an address; a new one is tried at once.
    pub(super) fn learned(&mut self, key: &TransportKey, address: &Multiaddr, source: Source, now: Instant) -> bool {
        let Some(peer) = self.peers.get_mut(key) else { return false };
        let address = without_peer(address);
        if !is_dialable(&address) {
            return false;
        }
        if let Some(known) = peer.addresses.iter_mut().find(|(_, known)| *known == address) {
            known.0 = known.0.min(source);
            return false;
        }
        if peer.addresses.len() >= ADDRESSES_A_PEER_MAX {
            // The oldest of the least trustworthy goes, unless all are better than the new one.
            let worst = peer.addresses.iter().map(|(source, _)| *source).max();
            let oldest = peer.addresses.iter().position(|(source, _)| Some(*source) == worst);
            match oldest {
                Some(oldest) if worst >= Some(source) => peer.addresses.remove(oldest),
                _ => return false,
            };
        }
        peer.addresses.push((source, address));
        self.try_soon(key, now);
        true
    }

    /// The peer showed a sign of life, or there is another reason to try now.
    pub(super) fn try_soon(&mut self, key: &TransportKey, now: Instant) {
        if let Some(peer) = self.peers.get_mut(key) {
            peer.hurry(now);
        }
    }

    /// The network changed: whoever is missing may be reachable now.
    pub(super) fn try_all_soon(&mut self, now: Instant) {
        for peer in self.peers.values_mut() {
            peer.hurry(now);
        }
    }

    pub(super) fn connected(&mut self, key: &TransportKey) {
        if let Some(peer) = self.peers.get_mut(key) {
            peer.is_confirmed &= peer.state == State::Connected;
            peer.state = State::Connected;
        }
    }

    /// The peer has shown that it admits us.
    pub(super) fn confirmed(&mut self, key: &TransportKey) {
        if let Some(peer) = self.peers.get_mut(key) {
            peer.failures = 0;
            peer.is_confirmed = true;
        }
    }

    /// How things stand with each device.
    pub(super) fn reach(&self, now: Instant) -> HashMap<TransportKey, Reach> {
        self.peers.iter().map(|(key, peer)| (*key, peer.reach(now))).collect()
    }

    /// A dial failed or a connection ended.
    pub(super) fn disconnected(&mut self, key: &TransportKey, now: Instant) {
        if let Some(peer) = self.peers.get_mut(key) {
            let was_confirmed = peer.state == State::Connected && peer.failures == 0;
            let wait = if was_confirmed { AFTER_LOSS } else { wait_after(peer.failures) };
            peer.failures = peer.failures.saturating_add(1);
            peer.last = Some(match (peer.state, peer.is_confirmed) {
                (State::Connected, true) => AttemptEnd::Lost,
                (State::Connected, false) => AttemptEnd::NotAdmitted,
                (State::Dialling | State::WaitingUntil(_), _) => AttemptEnd::Unreachable,
            });
            peer.is_confirmed = false;
            peer.state = State::WaitingUntil(now + jittered(wait));
        }
    }

    /// The dials that are due, which count as under way from now on.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Dial> {
        let under_way = self.peers.values().filter(|peer| peer.state == State::Dialling).count();
        let due = self.peers.values_mut().filter(|peer| peer.waits_until().is_some_and(|until| until <= now));
        due.take(DIALS_MAX.saturating_sub(under_way)).map(|peer| peer.dial(now)).collect()
    }

    /// When the next dial is due.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.peers.values().filter_map(Peer::waits_until).min()
    }
}

impl Peer {
    fn new(id: PeerId, now: Instant) -> Self {
        Self {
            id,
            addresses: Vec::new(),
            state: State::WaitingUntil(now),
            failures: 0,
            dialled: None,
            is_confirmed: false,
            last: None,
        }
    }

    fn reach(&self, now: Instant) -> Reach {
        match self.state {
            State::Connected if self.is_confirmed => Reach::Connected,
            State::Connected | State::Dialling => Reach::Connecting,
            State::WaitingUntil(_) if self.addresses.is_empty() => Reach::NoAddress,
            State::WaitingUntil(until) => {
                Reach::Waiting { next: until.saturating_duration_since(now), last: self.last }
            }
        }
    }

    fn waits_until(&self) -> Option<Instant> {
        match self.state {
            State::WaitingUntil(until) if !self.addresses.is_empty() => Some(until),
            _ => None,
        }
    }

    /// Signs of life come from outside: they shorten the wait, never below [`WAIT_MIN`] between two dials.
    fn hurry(&mut self, now: Instant) {
        if let State::WaitingUntil(until) = self.state {
            let earliest = self.dialled.map_or(now, |dialled| dialled + WAIT_MIN);
            self.state = State::WaitingUntil(until.min(earliest.max(now)));
        }
    }

    fn dial(&mut self, now: Instant) -> Dial {
        self.state = State::Dialling;
        self.dialled = Some(now);
        let mut addresses = self.addresses.clone();
        addresses.sort_by_key(|(source, address)| (path_of(address).unwrap_or(Path::Internet), *source));
        Dial { peer: self.id, addresses: addresses.into_iter().map(|(_, address)| address).collect() }
    }
}

fn wait_after(failures: u32) -> Duration {
    WAIT_MIN.saturating_mul(1 << failures.min(10)).min(WAIT_MAX)
}

/// Three to five quarters of the wait.
fn jittered(wait: Duration) -> Duration {
    let [random] = random::bytes::<1>(&mut random::system());
    wait.mul_f64(0.75 + f64::from(random) / 510.0).min(WAIT_MAX)
}

/// One of several connections to the same peer, as far as the choice between them needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) dialled_by_us: bool,
    pub(super) established: Instant,
}

/// Whether `newer` takes the place of `older`; both devices come to the same answer without asking.
///
/// Two simultaneous dials: the one stays that was made by the device with the lower PeerId. Otherwise the newer
/// stays: nobody dials who holds a connection, so for the dialler the older one is dead, and only this side has
/// not noticed yet (a closed lid, a changed network).
pub(super) fn newer_stays(ours: &PeerId, theirs: &PeerId, older: Link, newer: Link) -> bool {
    let simultaneous = newer.established.saturating_duration_since(older.established) < SIMULTANEOUS;
    if simultaneous && older.dialled_by_us != newer.dialled_by_us {
        let we_are_lower = ours.to_bytes() < theirs.to_bytes();
        return newer.dialled_by_us == we_are_lower;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: TransportKey = TransportKey([1; 32]);

    fn address(n: u16) -> Multiaddr {
        format!("/ip4/192.0.2.1/tcp/{n}").parse().unwrap()
    }

    fn dialer(addresses: &[Multiaddr], now: Instant) -> Dialer {
        let mut dialer = Dialer::default();
        dialer.admit([(KEY, PeerId::random(), addresses)], now);
        dialer
    }

    #[test]
    fn an_admitted_peer_with_an_address_is_dialled_at_once_and_only_once_at_a_time() {
        let now = Instant::now();
        let mut dialer = dialer(&[address(1)], now);
        assert_eq!(dialer.due(now).len(), 1);
        assert_eq!(dialer.due(now + WAIT_MAX), []);
        assert_eq!(dialer.next_at(), None);
    }

    #[test]
    fn waits_grow_from_one_second_to_sixty_and_stay_jittered_within_a_quarter() {
        let mut now = Instant::now();
        let mut dialer = dialer(&[address(1)], now);
        let mut expected = WAIT_MIN;
        for _ in 0..10 {
            assert_eq!(dialer.due(now).len(), 1);
            dialer.disconnected(&KEY, now);
            let wait = dialer.next_at().unwrap() - now;
            assert!(wait >= expected.mul_f64(0.74) && wait <= expected.mul_f64(1.26).min(WAIT_MAX), "{wait:?}");
            now += wait;
            expected = (expected * 2).min(WAIT_MAX);
        }
    }

    #[test]
    fn a_peer_that_accepts_the_connection_but_not_us_is_not_dialled_every_second() {
        let now = Instant::now();
        let mut dialer = dialer(&[address(1)], now);
        for _ in 0..6 {
            dialer.connected(&KEY);
            dialer.disconnected(&KEY, now);
        }
        dialer.try_soon(&KEY, now);
        assert_eq!(dialer.due(now).len(), 1, "a sign of life shortens the wait");
        dialer.connected(&KEY);
        dialer.disconnected(&KEY, now);
        assert!(dialer.next_at().unwrap() - now > WAIT_MAX / 2);
        dialer.due(now + WAIT_MAX);
        dialer.connected(&KEY);
        dialer.confirmed(&KEY);
        dialer.disconnected(&KEY, now);
        assert!(dialer.next_at().unwrap() - now < WAIT_MIN);
    }

    #[test]
    fn how_an_attempt_ended_is_told_with_the_wait_for_the_next() {
        let now = Instant::now();
        let mut dialer = dialer(&[], now);
        let reach = |dialer: &Dialer| dialer.reach(now)[&KEY];
        let last = |dialer: &Dialer| match reach(dialer) {
            Reach::Waiting { next, last } => last.filter(|_| next > Duration::ZERO && next <= WAIT_MAX),
            _ => None,
        };
        assert_eq!(reach(&dialer), Reach::NoAddress);
        dialer.learned(&KEY, &address(1), Source::Given, now);
        assert_eq!(reach(&dialer), Reach::Waiting { next: Duration::ZERO, last: None });
        dialer.due(now);
        assert_eq!(reach(&dialer), Reach::Connecting);
        dialer.disconnected(&KEY, now);
        assert_eq!(last(&dialer), Some(AttemptEnd::Unreachable));
        dialer.connected(&KEY);
        assert_eq!(reach(&dialer), Reach::Connecting, "it has not shown that it admits us");
        dialer.disconnected(&KEY, now);
        assert_eq!(last(&dialer), Some(AttemptEnd::NotAdmitted));
        dialer.connected(&KEY);
        dialer.confirmed(&KEY);
        // A second connection beside the first takes nothing back.
        dialer.connected(&KEY);
        assert_eq!(reach(&dialer), Reach::Connected);
        dialer.disconnected(&KEY, now);
        assert_eq!(last(&dialer), Some(AttemptEnd::Lost));
    }

    #[test]
    fn a_learned_address_a_sign_of_life_and_a_new_network_cut_the_wait_short_but_never_below_a_second() {
        let now = Instant::now();
        let mut dialer = dialer(&[address(1)], now);
        dialer.due(now);
        for _ in 0..8 {
            dialer.disconnected(&KEY, now);
        }
        assert!(dialer.learned(&KEY, &address(2), Source::Beacon, now));
        assert_eq!(dialer.next_at(), Some(now + WAIT_MIN));
        dialer.disconnected(&KEY, now);
        dialer.try_all_soon(now + WAIT_MAX / 2);
        assert_eq!(dialer.next_at(), Some(now + WAIT_MAX / 2));
    }

    #[test]
    fn addresses_are_capped_and_what_a_person_gave_is_not_pushed_out_by_what_peers_tell() {
        let now = Instant::now();
        let mut dialer = dialer(&[address(1), address(2)], now);
        for n in 0..1000 {
            dialer.learned(&KEY, &address(100 + n), Source::Told, now);
        }
        assert!(!dialer.learned(&KEY, &"/dns4/evil.example/tcp/1".parse().unwrap(), Source::Given, now));
        let dial = &dialer.due(now)[0];
        assert_eq!(dial.addresses.len(), ADDRESSES_A_PEER_MAX);
        assert!(dial.addresses.contains(&address(1)) && dial.addresses.contains(&address(2)));
        assert!(dial.addresses.contains(&address(1099)), "the newest is kept");
    }

    #[test]
    fn nearer_addresses_come_first_and_a_trailing_peer_id_makes_no_second_address() {
        let now = Instant::now();
        let far: Multiaddr = "/ip4/8.8.8.8/tcp/1".parse().unwrap();
        let near: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
        let mut dialer = dialer(&[far.clone(), near.clone()], now);
        let with_peer = near.clone().with(libp2p::multiaddr::Protocol::P2p(PeerId::random()));
        assert!(!dialer.learned(&KEY, &with_peer, Source::Told, now));
        assert_eq!(dialer.due(now)[0].addresses, [near, far]);
    }

    #[test]
    fn nobody_outside_the_admitted_set_is_dialled() {
        let now = Instant::now();
        let mut dialer = dialer(&[address(1)], now);
        assert!(!dialer.learned(&TransportKey([2; 32]), &address(1), Source::Given, now));
        dialer.admit([], now);
        assert_eq!(dialer.due(now), []);
        assert!(!dialer.knows(&KEY));
    }

    #[test]
    fn of_two_simultaneous_dials_both_devices_keep_the_same_one_whatever_they_saw_first() {
        for _ in 0..20 {
            let (a, b) = (PeerId::random(), PeerId::random());
            let first = Instant::now();
            let second = first + Duration::from_millis(5);
            // What device `us` decides about the connection that device `a` dialled.
            let keeps_dial_of_a = |we_are_a: bool, a_first: bool| {
                let (us, them) = if we_are_a { (&a, &b) } else { (&b, &a) };
                let older = Link { dialled_by_us: a_first == we_are_a, established: first };
                let newer = Link { dialled_by_us: a_first != we_are_a, established: second };
                newer_stays(us, them, older, newer) != a_first
            };
            let expected = a.to_bytes() < b.to_bytes();
            for (we_are_a, a_first) in [(true, true), (true, false), (false, true), (false, false)] {
                assert_eq!(keeps_dial_of_a(we_are_a, a_first), expected);
            }
        }
    }

    #[test]
    fn a_connection_that_was_long_there_gives_way_to_a_fresh_one() {
        let older = Link { dialled_by_us: true, established: Instant::now() };
        let newer = Link { dialled_by_us: false, established: older.established + SIMULTANEOUS };
        let (a, b) = (PeerId::random(), PeerId::random());
        assert!(newer_stays(&a, &b, older, newer) && newer_stays(&b, &a, older, newer));
    }
}
