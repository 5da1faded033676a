//! The pairing door.

use super::*;
use crate::net::beacon::{BeaconConfig, BeaconInterfaces};
use crate::net::pairing_door::{DOOR_FRAME_BYTES_MAX, DoorBeacon, DoorError, DoorFrames, DoorOpener, join};

fn free_port() -> u16 {
    std::net::UdpSocket::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port()
}

fn by_nameplate(nameplate: &str, port: u16) -> Option<DoorBeacon> {
    let beacon = BeaconConfig { port, interfaces: BeaconInterfaces::Loopback };
    Some(DoorBeacon { nameplate: nameplate.into(), beacon })
}

fn both() -> [Multiaddr; 2] {
    [TCP.parse().unwrap(), QUIC.parse().unwrap()]
}

async fn talk(opener: &mut DoorFrames, joiner: &mut DoorFrames) {
    joiner.send(b"hello").await.unwrap();
    assert_eq!(opener.recv().await.unwrap(), b"hello");
    opener.send(&[7; DOOR_FRAME_BYTES_MAX]).await.unwrap();
    assert_eq!(joiner.recv().await.unwrap(), [7; DOOR_FRAME_BYTES_MAX]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_door_is_found_by_its_nameplate_alone_and_by_no_other() {
    let port = free_port();
    let mut door = DoorOpener::open(&both(), by_nameplate("4", port)).await.unwrap();
    let wrong = tokio::spawn(timeout(Duration::from_secs(3), join(&[], by_nameplate("5", port))));
    within(10, async {
        let (guest, joined) = tokio::join!(door.next_guest(), join(&[], by_nameplate("4", port)));
        talk(&mut guest.unwrap(), &mut joined.unwrap()).await;
    })
    .await;
    assert!(wrong.await.unwrap().is_err(), "another nameplate finds nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_typed_address_opens_the_door_and_guests_come_one_at_a_time() {
    let mut door = DoorOpener::open(&both(), None).await.unwrap();
    let addresses = door.addresses().to_vec();
    within(15, async {
        let (guest, joined) = tokio::join!(door.next_guest(), join(&addresses, None));
        let (mut guest, mut joined) = (guest.unwrap(), joined.unwrap());
        talk(&mut guest, &mut joined).await;
        assert!(matches!(join(&addresses, None).await, Err(DoorError::Unreachable(_))), "a second guest got in");
        joined.finish().await;
        assert!(matches!(guest.recv().await, Err(DoorError::OtherSideLeft)));
        guest.finish().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let (guest, joined) = tokio::join!(door.next_guest(), join(&addresses, None));
        talk(&mut guest.unwrap(), &mut joined.unwrap()).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_and_their_sum_are_bounded_on_both_sides() {
    let mut door = DoorOpener::open(&both()[..1], None).await.unwrap();
    let addresses = door.addresses().to_vec();
    within(10, async {
        let (guest, joined) = tokio::join!(door.next_guest(), join(&addresses, None));
        let (mut guest, mut joined) = (guest.unwrap(), joined.unwrap());
        assert!(matches!(joined.send(&[0; DOOR_FRAME_BYTES_MAX + 1]).await, Err(DoorError::BadFrame(_))));
        for _ in 0..8 {
            joined.send(&[0; DOOR_FRAME_BYTES_MAX]).await.unwrap();
            guest.recv().await.unwrap();
        }
        assert!(matches!(joined.send(&[0]).await, Err(DoorError::TooMuch)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_door_that_is_not_there_is_said_at_once() {
    let nowhere: Multiaddr = format!("/ip4/127.0.0.1/tcp/{}", free_port()).parse().unwrap();
    let error = within(5, join(&[nowhere], None)).await.err().unwrap();
    assert!(matches!(error, DoorError::Unreachable(_)), "{error}");
}
