//! Discovery on loopback, over real multicast.

use std::net::{Ipv4Addr, UdpSocket};

use super::*;
use crate::net::beacon::{BEACON_GROUP_V4, Beacon, BeaconConfig, BeaconInterfaces, BeaconPeer, Schedule, Sighting};

fn free_port() -> u16 {
    UdpSocket::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port()
}

fn config(port: u16) -> BeaconConfig {
    BeaconConfig { port, interfaces: BeaconInterfaces::Loopback }
}

fn known(peer: u64, pair: u8) -> HashMap<TransportKey, AdmittedPeer> {
    let known = AdmittedPeer { addresses: Vec::new(), pair_secret: Some(Secret::new([pair; 32])) };
    HashMap::from([(key_of(peer), known)])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn colleagues_without_any_address_find_each_other_within_two_seconds() {
    let port = free_port();
    let mut a = start_with(1, &[TCP], Some(config(port)), known(2, 7));
    a.addresses(1).await;
    // A third device with a card of neither, and one that thinks it knows a but has another secret.
    let mut stranger = start_with(3, &[TCP], Some(config(port)), known(1, 8));
    let mut b = start_with(2, &[TCP], Some(config(port)), known(1, 7));
    within(2, async { tokio::join!(a.connected(), b.connected()) }).await;
    for event in stranger.events_until_quiet(Duration::from_secs(1)).await {
        assert!(!matches!(event, NetworkEvent::Seen { .. } | NetworkEvent::Connected { .. }), "{event:?}");
    }
}

/// Sends a datagram to the group as somebody on this machine, and tells whether anything is answered.
fn is_answered(datagram: &[u8], port: u16) -> bool {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
    socket.bind(&std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let socket = UdpSocket::from(socket);
    socket.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
    socket.send_to(datagram, (BEACON_GROUP_V4, port)).unwrap();
    socket.recv_from(&mut [0; 2048]).is_ok()
}

/// Hears the group like any program on this machine, and returns the first beacon.
fn overhear(port: u16) -> Vec<u8> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.set_reuse_port(true).unwrap();
    socket.bind(&std::net::SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into()).unwrap();
    socket.join_multicast_v4(&BEACON_GROUP_V4, &Ipv4Addr::LOCALHOST).unwrap();
    let socket = UdpSocket::from(socket);
    socket.set_read_timeout(Some(Duration::from_secs(4))).unwrap();
    let mut buffer = [0; 2048];
    let (length, _) = socket.recv_from(&mut buffer).unwrap();
    buffer[..length].to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_beacon_is_answered_once_and_strangers_and_replays_never() {
    let port = free_port();
    let (a, b) = (key_of(1), key_of(2));
    let (a_sightings, _) = tokio::sync::mpsc::channel::<Sighting>(8);
    let (b_sightings, mut seen_by_b) = tokio::sync::mpsc::channel::<Sighting>(8);

    // a asks while b is away; somebody records it.
    let recorded = tokio::task::spawn_blocking(move || overhear(port));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let asker = Beacon::start_with(config(port), Schedule::Steady, a, a_sightings);
    asker.set_peers(vec![BeaconPeer::new(b, Secret::new([7; 32]))]);
    let recorded = within(5, recorded).await.unwrap();
    drop(asker);

    let listener = Beacon::start_with(config(port), Schedule::Silent, b, b_sightings);
    listener.set_peers(vec![BeaconPeer::new(a, Secret::new([7; 32]))]);
    listener.set_addresses(vec!["/ip4/127.0.0.1/tcp/9".parse().unwrap()]);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let answered = |datagram: Vec<u8>| tokio::task::spawn_blocking(move || is_answered(&datagram, port));

    let mut forged = recorded.clone();
    forged[5] ^= 1; // another nonce under the same tags
    assert!(!answered(forged).await.unwrap(), "a stranger's beacon was answered");
    assert_eq!(seen_by_b.try_recv().ok(), None);
    assert!(answered(recorded.clone()).await.unwrap(), "the beacon itself is good");
    assert_eq!(seen_by_b.try_recv().ok(), Some(Sighting { peer: a, addresses: Vec::new() }));
    assert!(!answered(recorded).await.unwrap(), "a replay was answered");
    assert_eq!(seen_by_b.try_recv().ok(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_without_colleagues_sends_nothing() {
    let port = free_port();
    let overheard = tokio::task::spawn_blocking(move || std::panic::catch_unwind(|| overhear(port)).is_ok());
    let _node = start_with(1, &[TCP], Some(config(port)), HashMap::new());
    assert!(!within(10, overheard).await.unwrap());
}
