//! Frames: all of them, in order, under load, and never more in memory than the limits say.

use super::*;
use crate::net::lanes::{INBOUND_BYTES_MAX, OUTBOUND_BYTES_MAX};

const MIB: usize = 1024 * 1024;

/// A frame whose bytes tell its number.
fn numbered(number: u32, bytes: usize) -> Vec<u8> {
    let mut frame = vec![number as u8; bytes];
    frame[..4].copy_from_slice(&number.to_be_bytes());
    frame
}

fn number(frame: &[u8]) -> u32 {
    assert!(frame[4..].iter().all(|byte| *byte == frame[3]));
    u32::from_be_bytes(frame[..4].try_into().unwrap())
}

async fn send_numbered(network: Network, to: TransportKey, lane: Lane, count: u32, bytes: usize) {
    for n in 0..count {
        network.send(to, lane, numbered(n, bytes)).await.unwrap();
    }
}

async fn receive_numbered(node: &mut Node, lane: Lane, count: u32) {
    for n in 0..count {
        let (on, frame) = node.frame().await;
        assert_eq!((on, number(&frame)), (lane, n));
    }
}

/// yamux 0.14.0 hung in every run of this one (rust-yamux #232, rust-libp2p #5410).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_traffic_both_ways_does_not_hang() {
    const FRAME: usize = 64 * 1024;
    const COUNT: u32 = (32 * MIB / FRAME) as u32;
    for listen in [TCP, QUIC] {
        let (mut a, mut b) = within(10, pair([1, 2], listen)).await;
        let senders = [
            tokio::spawn(send_numbered(a.network.clone(), b.key, Lane::Bulk, COUNT, FRAME)),
            tokio::spawn(send_numbered(b.network.clone(), a.key, Lane::Bulk, COUNT, FRAME)),
        ];
        within(12, async {
            tokio::join!(receive_numbered(&mut a, Lane::Bulk, COUNT), receive_numbered(&mut b, Lane::Bulk, COUNT));
            for sender in senders {
                sender.await.unwrap();
            }
        })
        .await;
    }
}

/// libp2p-stream lost streams that arrived together (rust-libp2p #5651).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opening_both_lanes_both_ways_at_once_never_loses_one() {
    for listen in [TCP, QUIC] {
        let mut a = start(1, &[listen], admit(&[(2, &[])]));
        let at = a.addresses(1).await;
        for round in 0..64_u32 {
            let mut b = start(2, &[], admit(&[(1, &at)]));
            within(10, async {
                tokio::join!(a.connected(), b.connected());
                for lane in Lane::ALL {
                    a.network.send(b.key, lane, numbered(round, 5)).await.unwrap();
                    b.network.send(a.key, lane, numbered(round, 5)).await.unwrap();
                }
                for node in [&mut a, &mut b] {
                    let mut lanes = [node.frame().await, node.frame().await];
                    lanes.sort();
                    assert_eq!(lanes, Lane::ALL.map(|lane| (lane, numbered(round, 5))), "round {round}");
                }
                b.network.shutdown().await;
                a.disconnected().await;
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_slows_the_sender_and_memory_stays_bounded() {
    for listen in [TCP, QUIC] {
        let (mut a, mut b) = within(10, pair([1, 2], listen)).await;
        // Nobody reads at b. How much does the way swallow until nothing moves for a second?
        let mut taken = 0_u32;
        let moved = || tokio::time::Instant::now();
        let mut last = moved();
        while last.elapsed() < Duration::from_secs(1) {
            match a.network.try_send(b.key, Lane::Bulk, numbered(taken, MIB)) {
                Ok(()) => {
                    taken += 1;
                    last = moved();
                }
                Err(TrySendError::Full(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(error) => panic!("{error}"),
            }
            assert!(taken < 64, "nothing stops the sender");
        }
        // Queue out, queue in, a frame in the reader's hands, and what carrier and kernel hold.
        let ours = (OUTBOUND_BYTES_MAX + INBOUND_BYTES_MAX) / MIB + 2;
        assert!((ours as u32 - 2..=ours as u32 + 24).contains(&taken), "{listen} swallowed {taken} MiB");

        // An urgent frame passes by all of them, and nothing of what was taken is lost.
        a.network.send(b.key, Lane::Control, numbered(7, 5)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(within(2, b.frame()).await, (Lane::Control, numbered(7, 5)));
        within(10, receive_numbered(&mut b, Lane::Bulk, taken)).await;
        let writable = within(
            2,
            a.wait(|event| match event {
                NetworkEvent::Writable { peer, lane } => Some((peer, lane)),
                _ => None,
            }),
        );
        assert_eq!(writable.await, (b.key, Lane::Bulk));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_of_every_length_arrive_whole_and_in_order() {
    let (a, mut b) = within(10, pair([1, 2], TCP)).await;
    let lengths = [1, 2, 4095, 4096, 65_536, 131_068, 131_072, MIB, FRAME_BYTES_MAX, 1, FRAME_BYTES_MAX - 1];
    let sent: Vec<Vec<u8>> = lengths.iter().map(|length| (0..*length).map(|i| (i % 251) as u8).collect()).collect();
    let (network, to, frames) = (a.network.clone(), b.key, sent.clone());
    tokio::spawn(async move {
        for frame in frames {
            network.send(to, Lane::Bulk, frame).await.unwrap();
        }
    });
    for frame in sent {
        let received = within(5, b.frame()).await;
        assert!(received == (Lane::Bulk, frame));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_queued_before_shutting_down_still_arrives_before_the_end_is_told() {
    for listen in [TCP, QUIC] {
        let (a, mut b) = within(10, pair([1, 2], listen)).await;
        for n in 0..30 {
            a.network.send(b.key, Lane::Bulk, numbered(n, 64 * 1024)).await.unwrap();
        }
        within(5, a.network.shutdown()).await;
        within(5, receive_numbered(&mut b, Lane::Bulk, 30)).await;
        assert_eq!(within(5, b.disconnected()).await, SessionEnd::ClosedByPeer);
        assert_eq!(a.network.send(b.key, Lane::Bulk, vec![1]).await, Err(SendError::NotConnected));
        assert_eq!(a.network.peers().await, Err(NetworkClosed));
    }
}
