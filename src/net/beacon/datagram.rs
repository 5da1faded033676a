//! The bytes of beacons and answers. Pure: nonces, random bytes and the time window come in.
//!
//! ```text
//! beacon = version (1) ‖ nonce (16) ‖ tags (8 each; 8, 16, 32, 64 or 128 of them, in random order)
//! answer = version (1) ‖ nonce (16) ‖ tag (8) ‖ AES-256-GCM over 512 bytes (528)
//! ```
//!
//! A tag is HMAC-SHA256 under a key of the pair and the direction, over the nonce and the time window, cut to 8
//! bytes; places without a colleague hold random bytes. An answer's tag and key depend on both nonces, so an
//! answer fits one beacon only. The plain text of an answer is a list of addresses (a length byte, then a binary
//! multiaddress), filled with zeros.

use std::collections::{HashMap, HashSet};

use libp2p::Multiaddr;
use ring::hmac;

use super::BeaconPeer;
use crate::encoding::labels::DERIVE_BEACON;
use crate::encoding::random::CryptoRng;
use crate::identity::keys::{Secret, TransportKey};
use crate::net::address::is_dialable;
use crate::seal::aead;

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 16;
const TAG_BYTES: usize = 8;
const HEADER_BYTES: usize = 1 + NONCE_BYTES;

/// How many tags a beacon may hold.
const TAGS: [usize; 5] = [8, 16, 32, 64, 128];

/// Colleagues in one beacon; with more, beacons take turns.
pub(super) const TAGS_MAX: usize = TAGS[TAGS.len() - 1];

/// Bytes of addresses in an answer, before sealing.
const ANSWER_PLAIN_BYTES: usize = 512;
const ANSWER_BYTES: usize = HEADER_BYTES + TAG_BYTES + ANSWER_PLAIN_BYTES + aead::TAG_BYTES;

/// Addresses in an answer.
pub(super) const ANSWER_ADDRESSES_MAX: usize = 8;

/// Longest datagram of either kind, in bytes; longer ones are cut by the socket and refused here.
pub(super) const DATAGRAM_BYTES_MAX: usize = HEADER_BYTES + TAGS_MAX * TAG_BYTES;

/// Beacons of one colleague taken in one time window: one in ten seconds, over many interfaces, with room.
const NONCES_A_WINDOW_MAX: usize = 2048;

pub(super) type Nonce = [u8; NONCE_BYTES];

/// What two devices need to recognise each other.
pub(super) struct Pair {
    pub(super) peer: TransportKey,
    me: TransportKey,
    secret: Secret,
    we_say: hmac::Key,
    they_say: hmac::Key,
}

impl Pair {
    pub(super) fn new(me: TransportKey, peer: &BeaconPeer) -> Self {
        let key = |sender: &TransportKey| {
            let key = aead::derive(&peer.pair_secret, DERIVE_BEACON, &[b"says", &sender.0]);
            hmac::Key::new(hmac::HMAC_SHA256, key.reveal())
        };
        Self {
            peer: peer.transport,
            me,
            secret: peer.pair_secret.duplicate(),
            we_say: key(&me),
            they_say: key(&peer.transport),
        }
    }

    fn answer_key(&self, sender: &TransportKey, beacon: &Nonce, answer: &Nonce) -> Secret {
        aead::derive(&self.secret, DERIVE_BEACON, &[b"seal", &sender.0, beacon, answer])
    }
}

/// A beacon that at most [`TAGS_MAX`] colleagues recognise.
pub(super) fn beacon(pairs: &[Pair], window: u64, rng: &mut impl CryptoRng) -> (Nonce, Vec<u8>) {
    let mut nonce = [0; NONCE_BYTES];
    rng.fill_bytes(&mut nonce);
    let pairs = &pairs[..pairs.len().min(TAGS_MAX)];
    let places = TAGS.into_iter().find(|places| *places >= pairs.len()).unwrap_or(TAGS_MAX);
    let mut tags = vec![[0; TAG_BYTES]; places];
    for (place, tag) in tags.iter_mut().enumerate() {
        match pairs.get(place) {
            Some(pair) => *tag = beacon_tag(&pair.we_say, &nonce, window),
            None => rng.fill_bytes(tag),
        }
    }
    // Fisher-Yates; the bias of a 64-bit remainder over at most 128 places is beyond notice.
    for last in (1..places).rev() {
        tags.swap(last, (rng.next_u64() % (last as u64 + 1)) as usize);
    }
    let mut bytes = Vec::with_capacity(HEADER_BYTES + places * TAG_BYTES);
    bytes.push(VERSION);
    bytes.extend_from_slice(&nonce);
    bytes.extend_from_slice(tags.as_flattened());
    (nonce, bytes)
}

/// A colleague's beacon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Recognised {
    /// Place in the list of pairs.
    pub(super) pair: usize,
    pub(super) nonce: Nonce,
    pub(super) window: u64,
}

/// Looks whether one of our colleagues sent this, in this time window or a neighbouring one.
pub(super) fn recognise(bytes: &[u8], pairs: &[Pair], window: u64) -> Option<Recognised> {
    let (nonce, tags) = header(bytes)?;
    let (tags, rest) = tags.as_chunks::<TAG_BYTES>();
    if !rest.is_empty() || !TAGS.contains(&tags.len()) {
        return None;
    }
    let tags: HashSet<&[u8; TAG_BYTES]> = tags.iter().collect();
    for window in [window, window.wrapping_sub(1), window.wrapping_add(1)] {
        for (index, pair) in pairs.iter().enumerate() {
            if tags.contains(&beacon_tag(&pair.they_say, &nonce, window)) {
                return Some(Recognised { pair: index, nonce, window });
            }
        }
    }
    None
}

/// The sealed answer to a colleague's beacon. Addresses beyond the limits are left out.
pub(super) fn answer(pair: &Pair, beacon: &Nonce, addresses: &[Multiaddr], rng: &mut impl CryptoRng) -> Vec<u8> {
    let mut nonce = [0; NONCE_BYTES];
    rng.fill_bytes(&mut nonce);
    let mut plain = Vec::with_capacity(ANSWER_PLAIN_BYTES + aead::TAG_BYTES);
    for address in addresses.iter().take(ANSWER_ADDRESSES_MAX) {
        let address = address.to_vec();
        if let Ok(length) = u8::try_from(address.len())
            && plain.len() + 1 + address.len() <= ANSWER_PLAIN_BYTES
        {
            plain.push(length);
            plain.extend_from_slice(&address);
        }
    }
    plain.resize(ANSWER_PLAIN_BYTES, 0);
    let key = pair.answer_key(&pair.me, beacon, &nonce);
    let mut bytes = Vec::with_capacity(ANSWER_BYTES);
    bytes.push(VERSION);
    bytes.extend_from_slice(&nonce);
    bytes.extend_from_slice(&answer_tag(&pair.we_say, beacon, &nonce));
    // The key is used for this message only, so the nonce may be zero. Sealing 512 bytes under 32 cannot fail;
    // if it did, the answer would be of the wrong length and refused.
    if aead::seal(&key, [0; 12], &[], &mut plain).is_ok() {
        bytes.extend_from_slice(&plain);
    }
    bytes
}

/// Opens an answer to our beacon: the pair's place in the list, and where the colleague listens.
pub(super) fn open_answer(bytes: &[u8], pairs: &[Pair], beacon: &Nonce) -> Option<(usize, Vec<Multiaddr>)> {
    if bytes.len() != ANSWER_BYTES {
        return None;
    }
    let (nonce, rest) = header(bytes)?;
    let (tag, sealed) = rest.split_first_chunk::<TAG_BYTES>()?;
    let index = pairs.iter().position(|pair| *tag == answer_tag(&pair.they_say, beacon, &nonce))?;
    let pair = &pairs[index];
    let mut plain = sealed.to_vec();
    aead::open(&pair.answer_key(&pair.peer, beacon, &nonce), [0; 12], &[], &mut plain).ok()?;
    Some((index, addresses(&plain)))
}

/// The dialable ones of an answer's addresses; reading stops at the first that makes no sense.
fn addresses(mut plain: &[u8]) -> Vec<Multiaddr> {
    let mut addresses = Vec::new();
    while addresses.len() < ANSWER_ADDRESSES_MAX
        && let Some((length @ 1.., rest)) = plain.split_first()
        && let Some((address, rest)) = rest.split_at_checked(usize::from(*length))
        && let Ok(address) = Multiaddr::try_from(address.to_vec())
    {
        addresses.push(address);
        plain = rest;
    }
    addresses.retain(is_dialable);
    addresses
}

fn header(bytes: &[u8]) -> Option<(Nonce, &[u8])> {
    let (version, rest) = bytes.split_first()?;
    let (nonce, rest) = rest.split_first_chunk::<NONCE_BYTES>()?;
    (*version == VERSION).then_some((*nonce, rest))
}

fn beacon_tag(key: &hmac::Key, nonce: &Nonce, window: u64) -> [u8; TAG_BYTES] {
    tag(key, &[b"beacon", nonce, &window.to_be_bytes()])
}

fn answer_tag(key: &hmac::Key, beacon: &Nonce, answer: &Nonce) -> [u8; TAG_BYTES] {
    tag(key, &[b"answer", beacon, answer])
}

fn tag(key: &hmac::Key, parts: &[&[u8]]) -> [u8; TAG_BYTES] {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(part);
    }
    let mut tag = [0; TAG_BYTES];
    tag.copy_from_slice(&context.sign().as_ref()[..TAG_BYTES]);
    tag
}

/// Nonces already answered, by colleague and window.
#[derive(Default)]
pub(super) struct Replays {
    seen: HashMap<(TransportKey, u64), HashSet<Nonce>>,
}

impl Replays {
    /// Whether this beacon is new; remembers it.
    pub(super) fn is_new(&mut self, peer: TransportKey, beacon: &Recognised, window: u64) -> bool {
        self.seen.retain(|(_, old), _| old.abs_diff(window) <= 1);
        let nonces = self.seen.entry((peer, beacon.window)).or_default();
        nonces.len() < NONCES_A_WINDOW_MAX && nonces.insert(beacon.nonce)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::encoding::random::Seeded;

    const WINDOW: u64 = 1000;

    fn key(n: u8) -> TransportKey {
        TransportKey([n; 32])
    }

    fn secret(n: u8) -> Secret {
        Secret::new([n; 32])
    }

    /// One side of a pair: device `me` knows device `peer` by the secret `n`.
    fn pair(me: u8, peer: u8, n: u8) -> Pair {
        Pair::new(key(me), &BeaconPeer::new(key(peer), secret(n)))
    }

    fn somewhere(n: u16) -> Multiaddr {
        format!("/ip4/192.0.2.1/tcp/{n}").parse().unwrap()
    }

    #[test]
    fn a_colleague_recognises_a_beacon_and_its_answer_is_opened_by_the_asker_only() {
        let mut rng = Seeded::new(1);
        let asks = [pair(1, 9, 8), pair(1, 2, 7)];
        let (nonce, bytes) = beacon(&asks, WINDOW, &mut rng);
        let hears = [pair(2, 5, 6), pair(2, 1, 7)];
        let heard = recognise(&bytes, &hears, WINDOW).unwrap();
        assert_eq!(heard, Recognised { pair: 1, nonce, window: WINDOW });
        let sent = answer(&hears[1], &heard.nonce, &[somewhere(1), somewhere(2)], &mut rng);
        assert_eq!(open_answer(&sent, &asks, &nonce), Some((1, vec![somewhere(1), somewhere(2)])));
        assert_eq!(open_answer(&sent, &hears, &nonce), None, "the sender is not fooled by his own answer");
        assert_eq!(open_answer(&sent, &asks, &[0; 16]), None, "it answers one beacon only");
    }

    #[test]
    fn a_stranger_recognises_nothing_and_neither_does_the_sender() {
        let (_, bytes) = beacon(&[pair(1, 2, 7)], WINDOW, &mut Seeded::new(1));
        assert_eq!(recognise(&bytes, &[pair(3, 1, 6)], WINDOW), None);
        assert_eq!(recognise(&bytes, &[pair(1, 2, 7)], WINDOW), None);
    }

    #[test]
    fn a_beacon_holds_good_for_its_window_and_its_neighbours_only() {
        let (_, bytes) = beacon(&[pair(1, 2, 7)], WINDOW, &mut Seeded::new(1));
        let heard_in = |window| recognise(&bytes, &[pair(2, 1, 7)], window).is_some();
        assert_eq!(
            [WINDOW - 2, WINDOW - 1, WINDOW, WINDOW + 1, WINDOW + 2].map(heard_in),
            [false, true, true, true, false]
        );
    }

    #[test]
    fn a_replayed_beacon_is_noticed_and_the_memory_of_nonces_is_bounded() {
        let mut replays = Replays::default();
        let mut heard = Recognised { pair: 0, nonce: [1; 16], window: WINDOW };
        assert!(replays.is_new(key(1), &heard, WINDOW));
        assert!(!replays.is_new(key(1), &heard, WINDOW + 1));
        assert!(replays.is_new(key(2), &heard, WINDOW));
        for n in 0..5000_u128 {
            heard.nonce = n.to_be_bytes();
            replays.is_new(key(1), &heard, WINDOW);
        }
        assert_eq!(replays.seen[&(key(1), WINDOW)].len(), NONCES_A_WINDOW_MAX);
        replays.is_new(key(3), &Recognised { window: WINDOW + 2, ..heard }, WINDOW + 2);
        assert_eq!(replays.seen.len(), 1);
    }

    #[test]
    fn the_length_shows_a_bucket_and_not_the_number_of_colleagues() {
        let length = |colleagues: u8| {
            let pairs: Vec<_> = (0..colleagues).map(|n| pair(1, n, n)).collect();
            beacon(&pairs, WINDOW, &mut Seeded::new(1)).1.len()
        };
        assert!((0..=8).all(|n| length(n) == 17 + 64));
        assert!((9..=16).all(|n| length(n) == 17 + 128));
        assert!((65..=200).all(|n| length(n) == DATAGRAM_BYTES_MAX));
    }

    #[test]
    fn an_observer_sorts_the_beacons_of_two_devices_no_better_than_chance() {
        // Two devices, different numbers of colleagues in the same bucket, a thousand beacons together.
        let devices = [vec![pair(1, 2, 7)], (3..10).map(|n| pair(2, n, n)).collect::<Vec<_>>()];
        let mut rng = Seeded::new(5);
        let beacons: Vec<(usize, Vec<u8>)> =
            (0..1000).map(|n| (n % 2, beacon(&devices[n % 2], WINDOW, &mut rng).1)).collect();

        // Nothing but the version repeats: no nonce, no tag, at any place, in any beacon.
        let pieces: Vec<&[u8]> = beacons
            .iter()
            .flat_map(|(_, bytes)| [&bytes[1..9], &bytes[9..17]].into_iter().chain(bytes[17..].chunks(8)))
            .collect();
        assert_eq!(pieces.iter().collect::<HashSet<_>>().len(), pieces.len());
        assert!(beacons.iter().all(|(_, bytes)| bytes.len() == beacons[0].1.len() && bytes[0] == VERSION));

        // Every byte position looks uniform: no bit leans by more than five standard deviations, for either device.
        for device in 0..2 {
            let of_device: Vec<_> = beacons.iter().filter(|(d, _)| *d == device).map(|(_, b)| b).collect();
            for place in 8..of_device[0].len() * 8 {
                let ones = of_device.iter().filter(|b| b[place / 8] >> (place % 8) & 1 == 1).count() as f64;
                let (mean, deviation) = (of_device.len() as f64 / 2.0, (of_device.len() as f64 / 4.0).sqrt());
                assert!((ones - mean).abs() < 5.0 * deviation, "device {device} bit {place}: {ones}");
            }
        }

        // A naive sorter, "nearest of two centres by bytes", trained on half, guesses the other half.
        let centre = |device: usize| {
            let known: Vec<_> = beacons[..500].iter().filter(|(d, _)| *d == device).map(|(_, b)| b).collect();
            (0..known[0].len())
                .map(|i| known.iter().map(|b| f64::from(b[i])).sum::<f64>() / known.len() as f64)
                .collect::<Vec<_>>()
        };
        let centres = [centre(0), centre(1)];
        let distance = |bytes: &[u8], centre: &[f64]| {
            bytes.iter().zip(centre).map(|(b, c)| (f64::from(*b) - c).powi(2)).sum::<f64>()
        };
        let right = beacons[500..]
            .iter()
            .filter(|(device, bytes)| {
                usize::from(distance(bytes, &centres[1]) < distance(bytes, &centres[0])) == *device
            })
            .count();
        assert!((190..=310).contains(&right), "{right} of 500"); // chance: 250, five deviations: 56
    }

    #[test]
    fn hostile_datagrams_are_ignored() {
        let pairs = [pair(2, 1, 7)];
        let (nonce, good) = beacon(&[pair(1, 2, 7)], WINDOW, &mut Seeded::new(1));
        let good_answer = answer(&pairs[0], &nonce, &[somewhere(1)], &mut Seeded::new(2));
        let asker = [pair(1, 2, 7)];
        let mut other_version = good.clone();
        other_version[0] = 2;
        for (name, bytes) in [
            ("nothing", &[][..]),
            ("version alone", &good[..1]),
            ("half a nonce", &good[..9]),
            ("no tags", &good[..17]),
            ("no bucket", &good[..17 + 56]),
            ("half a tag", &good[..good.len() - 1]),
            ("another version", &other_version),
            ("65 KiB", &[1; 65_507]),
        ] {
            assert_eq!(recognise(bytes, &pairs, WINDOW), None, "{name}");
            assert_eq!(open_answer(bytes, &asker, &nonce), None, "{name}");
        }
        for flipped in 0..good_answer.len() {
            let mut bytes = good_answer.clone();
            bytes[flipped] ^= 1;
            assert_eq!(open_answer(&bytes, &asker, &nonce), None, "answer with byte {flipped} flipped");
        }
    }

    #[test]
    fn an_answer_gives_at_most_eight_addresses_and_only_dialable_ones() {
        let (asker, replier) = ([pair(1, 2, 7)], pair(2, 1, 7));
        let many: Vec<_> = (1..100).map(somewhere).collect();
        let sent = answer(&replier, &[3; 16], &many, &mut Seeded::new(1));
        assert_eq!(open_answer(&sent, &asker, &[3; 16]), Some((0, many[..ANSWER_ADDRESSES_MAX].to_vec())));
        let bad: Multiaddr = "/dns4/evil.example/tcp/1".parse().unwrap();
        let sent = answer(&replier, &[3; 16], &[bad, somewhere(1)], &mut Seeded::new(1));
        assert_eq!(open_answer(&sent, &asker, &[3; 16]), Some((0, vec![somewhere(1)])));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_never_recognised_and_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..1200)) {
            let pairs = [pair(2, 1, 7)];
            prop_assert_eq!(recognise(&bytes, &pairs, WINDOW), None);
            prop_assert_eq!(open_answer(&bytes, &pairs, &[0; 16]), None);
            addresses(&bytes);
        }

        #[test]
        fn addresses_come_back_as_they_were_sent(ports in prop::collection::vec(1_u16.., 0..=ANSWER_ADDRESSES_MAX)) {
            let sent: Vec<_> = ports.into_iter().map(somewhere).collect();
            let bytes = answer(&pair(2, 1, 7), &[3; 16], &sent, &mut Seeded::new(1));
            prop_assert_eq!(open_answer(&bytes, &[pair(1, 2, 7)], &[3; 16]), Some((0, sent)));
        }
    }
}
