//! Networks against each other over real loopback sockets. Each test is bounded in time.

mod beacons;
mod door;
mod gate;
mod lanes;
mod sessions;

use std::collections::HashMap;
use std::future::Future;
use std::num::NonZeroU32;
use std::time::Duration;

use libp2p::Multiaddr;
use tokio::time::timeout;

use super::*;
use crate::encoding::random::Seeded;
use crate::identity::keys::Secret;

const TCP: &str = "/ip4/127.0.0.1/tcp/0";
const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";

/// A network and its events.
struct Node {
    key: TransportKey,
    network: Network,
    events: NetworkEvents,
}

fn secret(seed: u64) -> SigningSecret {
    SigningSecret::random(&mut Seeded::new(seed))
}

fn key_of(seed: u64) -> TransportKey {
    TransportKey(secret(seed).public())
}

/// Enough handshakes for any test.
fn generous() -> HandshakeLimits {
    HandshakeLimits { burst: 10_000, a_minute: NonZeroU32::new(10_000).unwrap() }
}

fn start(seed: u64, listen: &[&str], admitted: HashMap<TransportKey, AdmittedPeer>) -> Node {
    start_with(seed, listen, None, admitted)
}

fn start_with(
    seed: u64,
    listen: &[&str],
    beacon: Option<beacon::BeaconConfig>,
    admitted: HashMap<TransportKey, AdmittedPeer>,
) -> Node {
    let listen = listen.iter().map(|address| address.parse().unwrap()).collect();
    let config = NetworkConfig { transport: secret(seed), listen, beacon, handshakes: generous() };
    let (network, events) = Network::start(config, admitted).unwrap();
    Node { key: key_of(seed), network, events }
}

fn admit(peers: &[(u64, &[Multiaddr])]) -> HashMap<TransportKey, AdmittedPeer> {
    let entry = |(seed, addresses): &(u64, &[Multiaddr])| {
        (key_of(*seed), AdmittedPeer { addresses: addresses.to_vec(), pair_secret: None })
    };
    peers.iter().map(entry).collect()
}

impl Node {
    /// Waits until the node listens on as many addresses as it was given.
    async fn addresses(&self, count: usize) -> Vec<Multiaddr> {
        loop {
            let addresses = self.network.listen_addresses().await.unwrap();
            if addresses.len() >= count {
                return addresses;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits for the first event that `wanted` makes something of; others are dropped.
    async fn wait<T>(&mut self, mut wanted: impl FnMut(NetworkEvent) -> Option<T>) -> T {
        loop {
            let event = self.events.recv().await.expect("the network ended");
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    }

    async fn connected(&mut self) -> SessionId {
        self.wait(|event| match event {
            NetworkEvent::Connected { session, .. } => Some(session),
            _ => None,
        })
        .await
    }

    async fn disconnected(&mut self) -> SessionEnd {
        self.wait(|event| match event {
            NetworkEvent::Disconnected { why, .. } => Some(why),
            _ => None,
        })
        .await
    }

    async fn frame(&mut self) -> (Lane, Vec<u8>) {
        self.wait(|event| match event {
            NetworkEvent::Frame { lane, bytes, .. } => Some((lane, bytes)),
            _ => None,
        })
        .await
    }

    /// Every event until it is quiet for `quiet`.
    async fn events_until_quiet(&mut self, quiet: Duration) -> Vec<NetworkEvent> {
        let mut events = Vec::new();
        while let Ok(Some(event)) = timeout(quiet, self.events.recv()).await {
            events.push(event);
        }
        events
    }
}

/// Two nodes with a session between them over the given carrier.
async fn pair(seeds: [u64; 2], listen: &str) -> (Node, Node) {
    let mut a = start(seeds[0], &[listen], admit(&[(seeds[1], &[])]));
    let at = a.addresses(1).await;
    let mut b = start(seeds[1], &[listen], admit(&[(seeds[0], &at)]));
    tokio::join!(a.connected(), b.connected());
    (a, b)
}

async fn within<T>(seconds: u64, future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(seconds), future).await.expect("took too long")
}

#[test]
fn a_transport_key_and_its_peer_id_are_two_forms_of_the_same() {
    let key = key_of(1);
    let peer = peer_id(&key).unwrap();
    assert_eq!(transport_key(&peer), Some(key));
    assert_eq!(keypair(&secret(1)).unwrap().public().to_peer_id(), peer);
    assert_eq!(transport_key(&PeerId::random()), None, "a hash holds no key");
}

#[tokio::test]
async fn a_port_in_use_is_said_with_the_address() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address: Multiaddr =
        format!("/ip4/127.0.0.1/udp/{}/quic-v1", taken.local_addr().unwrap().port()).parse().unwrap();
    let config =
        NetworkConfig { transport: secret(1), listen: vec![address.clone()], beacon: None, handshakes: generous() };
    let error = Network::start(config, HashMap::new()).err().unwrap();
    assert!(matches!(&error, StartError::Listen { address: at, .. } if *at == address), "{error}");
}
