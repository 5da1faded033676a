//! How devices of colleagues reach each other: libp2p under one owner, with a gate before everything else.
//!
//! One task owns the swarm ([`Network::start`] spawns it); the rest of the program holds a [`Network`], which
//! sends it commands, and the one [`NetworkEvents`], which tells what happened. Between two devices that admit
//! each other runs a *session*: two lanes a direction, [`Lane::Control`] for what must not wait and
//! [`Lane::Bulk`] for chunks, each a stream of length-prefixed frames, opaque to this room. Every queue is
//! bounded, in frames and in bytes: a slow reader slows the sender.
//!
//! What strangers get: a completed TLS handshake, then silence. The gate (`gate.rs`) stands first and refuses every
//! transport key outside the admitted set before any protocol of ours or libp2p's may speak. Discovery shouts no
//! name: see [`beacon`]. Meeting somebody new is another, short-lived swarm under a throw-away key: see
//! [`pairing_door`].
//!
//! Deliberately not here: relays, hole punching and reachability tests, which come with their own issue; mDNS,
//! which broadcasts the device's key and every address; DNS, but for an address that a person typed as a name;
//! Noise, since offering two security protocols lets an attacker choose; and any knowledge of cases, entries or
//! colleagues: who is admitted comes in as a set of transport keys.
//!
//! Where a frame may get lost: a session that ends takes what was queued and not yet written with it. Whoever
//! sends must be able to send again in the next session; [`NetworkEvent::Disconnected`] says when.
//!
//! Start reading at [`Network`] (`client.rs`), then `swarm/`.

mod address;
pub mod beacon;
mod client;
mod dial;
pub mod environment;
mod frames;
mod gate;
mod lanes;
pub mod pairing_door;
mod streams;
mod swarm;
mod transport;

#[cfg(test)]
mod tests;

pub use address::{AddressError, Carrier, Path, is_dialable, machine_addresses, path_of, port_of, resolve};
pub use client::{
    AdmittedPeer, Network, NetworkClosed, NetworkConfig, NetworkEvents, PeerStatus, SendError, StartError,
    TrySendError, listen_everywhere,
};
pub use dial::{AttemptEnd, Reach};
pub use frames::{FRAME_BYTES_MAX, FrameError};
pub use gate::{HandshakeLimits, Refusal};
pub use libp2p::Multiaddr;

use libp2p::PeerId;
use libp2p::identity::{Keypair, PublicKey, ed25519};

use crate::identity::keys::{SigningSecret, TransportKey};

/// Which of a session's two streams a frame travels on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Small and urgent: entries, frontiers, requests, live messages.
    Control,
    /// Chunks.
    Bulk,
}

impl Lane {
    /// Both lanes, the urgent one first; the position is the lane's number on the wire side of `streams`.
    pub const ALL: [Self; 2] = [Self::Control, Self::Bulk];

    fn index(self) -> usize {
        match self {
            Self::Control => 0,
            Self::Bulk => 1,
        }
    }
}

/// Tells one session with a peer from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(u64);

/// What the network has to tell.
#[derive(Debug)]
pub enum NetworkEvent {
    /// A session began: frames can be sent. Comes before the session's first frame.
    Connected { peer: TransportKey, session: SessionId, path: Path, carrier: Carrier, address: Multiaddr },
    /// A session ended, after its last frame. Frames not yet written are lost.
    Disconnected { peer: TransportKey, session: SessionId, why: SessionEnd },
    /// A peer sent a frame: 1 byte to [`FRAME_BYTES_MAX`].
    Frame { peer: TransportKey, session: SessionId, lane: Lane, bytes: Vec<u8> },
    /// A lane on which [`Network::try_send`] found no room has room again.
    Writable { peer: TransportKey, lane: Lane },
    /// The gate turned somebody away. Told at most once a minute an address.
    Refused { address: Multiaddr, why: Refusal },
    /// This device can be reached here.
    ListenAddress(Multiaddr),
    /// This device can no longer be reached here.
    ListenAddressGone(Multiaddr),
    /// The beacon found an admitted peer.
    Seen { peer: TransportKey, address: Multiaddr },
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionEnd {
    #[error("the other device closed the connection")]
    ClosedByPeer,
    #[error("the connection was lost: {0}")]
    Lost(String),
    #[error("nothing was heard from the other device for {0} seconds")]
    Silent(u64),
    #[error("the device is no longer admitted")]
    NotAdmitted,
    #[error("another connection to the same device took its place")]
    Replaced,
    #[error("the other device broke the protocol: {0}")]
    BadFrame(#[from] FrameError),
    #[error("the other device does not accept our streams: {0}")]
    StreamsRefused(String),
    #[error("this program closed the network")]
    ShutDown,
}

/// The libp2p identity of a device.
fn keypair(secret: &SigningSecret) -> Result<Keypair, StartError> {
    let mut seed = *secret.seed().reveal();
    // Wipes `seed` too.
    Keypair::ed25519_from_bytes(&mut seed).map_err(|error| StartError::Identity(error.to_string()))
}

/// The PeerId of a transport key, or `None` for bytes that are no Ed25519 key.
fn peer_id(key: &TransportKey) -> Option<PeerId> {
    let public = ed25519::PublicKey::try_from_bytes(&key.0).ok()?;
    Some(PublicKey::from(public).to_peer_id())
}

/// The transport key inside a PeerId, or `None` if it holds another kind of key or only a hash.
fn transport_key(peer: &PeerId) -> Option<TransportKey> {
    const IDENTITY_HASH: u64 = 0; // multihash code of a key that stands for itself
    let multihash = peer.as_ref();
    if multihash.code() != IDENTITY_HASH {
        return None;
    }
    let public = PublicKey::try_decode_protobuf(multihash.digest()).ok()?;
    public.try_into_ed25519().ok().map(|key| TransportKey(key.to_bytes()))
}
