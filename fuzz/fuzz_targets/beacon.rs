//! Beacons and their answers, from strangers and from colleagues, and the addresses in them. The parser is private to\n//! the beacon's room, so its file is compiled into the target, in surroundings that name what it uses.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use overread::encoding::labels::DERIVE_BEACON;
use overread::identity::keys::{Secret, TransportKey};
use overread::net::{Multiaddr, is_dialable, path_of, port_of};

use crate::datagram::{ANSWER_ADDRESSES_MAX, Pair, open_answer, recognise};

#[path = "../../src/net/beacon/datagram.rs"]
#[allow(dead_code, reason = "only the reading half is used here")]
mod datagram;

mod encoding {
    pub use overread::encoding::{labels, random};
}

mod identity {
    pub use overread::identity::keys;
}

mod net {
    pub mod address {
        pub use overread::net::is_dialable;
    }
}

mod seal {
    pub use overread::seal::aead;
}

/// What `datagram.rs` knows of a peer: the program's own type keeps its secret to its room.
pub struct BeaconPeer {
    pub transport: TransportKey,
    pub pair_secret: Secret,
}

const ME: TransportKey = TransportKey([1; 32]);
const PEER: TransportKey = TransportKey([2; 32]);
const SECRET: [u8; 32] = [7; 32];

static PAIRS: LazyLock<[Pair; 1]> =
    LazyLock::new(|| [Pair::new(ME, &BeaconPeer { transport: PEER, pair_secret: Secret::new(SECRET) })]);

fuzz_target!(|data: &[u8]| {
    assert!(recognise(data, &*PAIRS, 1000).is_none(), "nobody guesses a tag");
    assert!(open_answer(data, &*PAIRS, &[3; 16]).is_none(), "nobody forges a seal");
    // A colleague's answer, with what she likes for addresses.
    if let Some((_, addresses)) = open_answer(&answer(data), &*PAIRS, &[3; 16]) {
        assert!(addresses.len() <= ANSWER_ADDRESSES_MAX);
        for address in addresses {
            assert!(is_dialable(&address) && path_of(&address).is_some() && port_of(&address) != Some(0));
            assert_eq!(Multiaddr::try_from(address.to_vec()).ok().as_ref(), Some(&address));
            assert_eq!(address.to_string().parse().ok().as_ref(), Some(&address));
        }
    }
});

/// The bytes of an answer as `datagram.rs` describes them.
fn answer(plain: &[u8]) -> Vec<u8> {
    let (beacon, nonce, secret) = ([3; 16], [4; 16], Secret::new(SECRET));
    let says = overread::seal::aead::derive(&secret, DERIVE_BEACON, &[b"says", &PEER.0]);
    let tag_key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, says.reveal());
    let tag = ring::hmac::sign(&tag_key, &[&b"answer"[..], &beacon, &nonce].concat());
    let key = overread::seal::aead::derive(&secret, DERIVE_BEACON, &[b"seal", &PEER.0, &beacon, &nonce]);
    let mut sealed = plain.to_vec();
    sealed.resize(512, 0);
    overread::seal::aead::seal(&key, [0; 12], &[], &mut sealed).expect("512 bytes are sealed");
    [&[1], &nonce[..], &tag.as_ref()[..8], &sealed].concat()
}
