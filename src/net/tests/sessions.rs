//! Connecting, connecting twice, and connecting again.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_simultaneous_dials_leave_one_connection_and_a_session_that_works() {
    for round in 0..12 {
        let listen: &[&str] = if round % 2 == 0 { &[TCP] } else { &[QUIC] };
        let mut a = start(1, listen, HashMap::new());
        let mut b = start(2, listen, HashMap::new());
        let (a_at, b_at) = tokio::join!(a.addresses(1), b.addresses(1));
        let (to_a, to_b) = (admit(&[(1, &a_at)]), admit(&[(2, &b_at)]));
        let (first, second) = tokio::join!(a.network.set_admitted(to_b), b.network.set_admitted(to_a));
        first.and(second).unwrap();
        within(10, async {
            let mut seen = [None, None];
            // Until both have been told of a session, and the way is quiet.
            while seen.contains(&None) {
                for (seen, node) in seen.iter_mut().zip([&mut a, &mut b]) {
                    for event in node.events_until_quiet(Duration::from_millis(300)).await {
                        match event {
                            NetworkEvent::Connected { session, .. } => {
                                assert_eq!(*seen, None, "a session began before the last one's end was told");
                                *seen = Some(session);
                            }
                            NetworkEvent::Disconnected { session, .. } => assert_eq!(seen.take(), Some(session)),
                            _ => {}
                        }
                    }
                }
            }
            for (node, seen) in [(&a, seen[0]), (&b, seen[1])] {
                let peers = node.network.peers().await.unwrap();
                assert_eq!((peers.len(), peers[0].connections), (1, 1), "round {round}");
                assert_eq!(Some(peers[0].session), seen);
            }
            a.network.send(b.key, Lane::Control, vec![1]).await.unwrap();
            b.network.send(a.key, Lane::Control, vec![2]).await.unwrap();
            assert_eq!(b.frame().await.1, [1]);
            assert_eq!(a.frame().await.1, [2]);
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_starts_again_is_back_within_five_seconds() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let at: Multiaddr = format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap();
    let listen = at.to_string();
    let mut a = start(1, &[], admit(&[(2, std::slice::from_ref(&at))]));
    let first = start(2, &[&listen], admit(&[(1, &[])]));
    within(5, a.connected()).await;
    first.network.shutdown().await;
    within(3, a.disconnected()).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    // Only a knows where to dial: it must notice by itself.
    let _second = start(2, &[&listen], admit(&[(1, &[])]));
    within(5, a.connected()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_added_address_is_dialled_at_once_and_the_way_is_named() {
    let mut a = start(1, &[TCP, QUIC], admit(&[(2, &[])]));
    let at = a.addresses(2).await;
    let mut b = start(2, &[], admit(&[(1, &[])]));
    for address in &at {
        b.network.add_address(a.key, address.clone()).await.unwrap();
    }
    let event = within(2, b.wait(|event| matches!(event, NetworkEvent::Connected { .. }).then_some(event))).await;
    assert!(matches!(event, NetworkEvent::Connected { peer, path: Path::Loopback, .. } if peer == a.key), "{event:?}");
    within(2, a.connected()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_loopback_tcp_is_preferred_to_quic() {
    let a = start(1, &[TCP, QUIC], admit(&[(2, &[])]));
    let at = a.addresses(2).await;
    let mut b = start(2, &[], admit(&[(1, &at)]));
    let carrier = within(
        2,
        b.wait(|event| match event {
            NetworkEvent::Connected { carrier, .. } => Some(carrier),
            _ => None,
        }),
    );
    assert_eq!(carrier.await, Carrier::Tcp);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_every_handle_ends_the_network() {
    let (a, mut b) = within(10, pair([1, 2], TCP)).await;
    let Node { network, mut events, .. } = a;
    drop(network);
    within(5, async { while events.recv().await.is_some() {} }).await;
    within(5, b.disconnected()).await;
}
