//! What strangers and the blocked get: nothing beyond the handshake.

use futures::StreamExt;
use libp2p::identity::Keypair;
use libp2p::swarm::{NetworkBehaviour, StreamProtocol, SwarmEvent};
use libp2p::{Swarm, identify, ping};

use super::*;
use crate::net::streams::{StreamEvent, StreamOutcome, Streams};

/// A libp2p program of somebody else's making, as curious as it can be.
#[derive(NetworkBehaviour)]
struct Curious {
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    streams: Streams,
}

const LANES: &[StreamProtocol] = &[StreamProtocol::new("/overread/control/1"), StreamProtocol::new("/overread/bulk/1")];

fn curious(keypair: &Keypair) -> Swarm<Curious> {
    let behaviour = Curious {
        identify: identify::Behaviour::new(identify::Config::new("/any/1".into(), keypair.public())),
        ping: ping::Behaviour::new(ping::Config::new().with_interval(Duration::from_millis(50))),
        streams: Streams::new(LANES),
    };
    let transport = transport::build(keypair).unwrap();
    Swarm::new(transport, behaviour, keypair.public().to_peer_id(), libp2p::swarm::Config::with_tokio_executor())
}

/// Connects, asks everything, and returns what was answered until the connection closed.
async fn answers_to_a_stranger(address: &Multiaddr) -> Vec<String> {
    let mut swarm = curious(&Keypair::generate_ed25519());
    swarm.dial(address.clone()).unwrap();
    let mut answers = Vec::new();
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, .. } => {
                swarm.behaviour_mut().streams.open(peer_id, connection_id, 0);
                swarm.behaviour_mut().streams.open(peer_id, connection_id, 1);
            }
            SwarmEvent::ConnectionClosed { .. } | SwarmEvent::OutgoingConnectionError { .. } => return answers,
            SwarmEvent::Behaviour(CuriousEvent::Identify(identify::Event::Received { info, .. })) => {
                answers.push(format!("{info:?}"));
            }
            SwarmEvent::Behaviour(CuriousEvent::Ping(ping::Event { result: Ok(_), .. })) => answers.push("pong".into()),
            SwarmEvent::Behaviour(CuriousEvent::Streams(StreamEvent { outcome, .. })) => match outcome {
                StreamOutcome::Opened(_) => answers.push("a lane opened".into()),
                StreamOutcome::Accepted(_) => answers.push("a lane was offered".into()),
                StreamOutcome::Refused(_) => {}
            },
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_gets_nothing_beyond_the_handshake() {
    for listen in [TCP, QUIC] {
        let mut node = start(1, &[listen], admit(&[(2, &[])]));
        let at = node.addresses(1).await;
        let answers = within(10, answers_to_a_stranger(&at[0])).await;
        assert_eq!(answers, Vec::<String>::new(), "{listen}");
        let refused = within(
            5,
            node.wait(|event| match event {
                NetworkEvent::Refused { why, .. } => Some(why),
                NetworkEvent::Connected { .. } | NetworkEvent::Frame { .. } => panic!("the stranger got in"),
                _ => None,
            }),
        );
        assert_eq!(refused.await, Refusal::NotAdmitted);
    }
}

/// The check above can fail: the same program with an admitted key gets answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_admitted_get_answers_to_the_same_questions() {
    let node = start(1, &[TCP], admit(&[(2, &[])]));
    let at = node.addresses(1).await;
    let mut swarm = curious(&keypair(&secret(2)).unwrap());
    swarm.dial(at[0].clone()).unwrap();
    let (mut identified, mut ponged) = (false, false);
    within(10, async {
        while !(identified && ponged) {
            match swarm.select_next_some().await {
                SwarmEvent::Behaviour(CuriousEvent::Identify(identify::Event::Received { info, .. })) => {
                    assert_eq!(
                        (info.protocol_version.as_str(), info.agent_version.as_str()),
                        ("/overread/1", "overread")
                    );
                    identified = true;
                }
                SwarmEvent::Behaviour(CuriousEvent::Ping(ping::Event { result: Ok(_), .. })) => ponged = true,
                SwarmEvent::ConnectionClosed { .. } => panic!("an admitted peer was closed out"),
                _ => {}
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_blocked_while_connected_is_dropped_at_once_and_does_not_come_back() {
    let (mut a, mut b) = within(10, pair([1, 2], TCP)).await;
    a.network.set_admitted(HashMap::new()).await.unwrap();
    assert_eq!(within(2, a.disconnected()).await, SessionEnd::NotAdmitted);
    assert_eq!(a.network.send(b.key, Lane::Control, vec![1]).await, Err(SendError::NotConnected));
    within(2, b.disconnected()).await;
    // b goes on dialling and is never told that it is connected; a hears nothing of it but a refusal.
    for (name, event) in a
        .events_until_quiet(Duration::from_secs(2))
        .await
        .into_iter()
        .map(|event| ("a", event))
        .chain(b.events_until_quiet(Duration::from_secs(2)).await.into_iter().map(|event| ("b", event)))
    {
        assert!(
            !matches!(event, NetworkEvent::Connected { .. } | NetworkEvent::Frame { .. }),
            "{name} heard {event:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_does_not_admit_us_never_looks_connected() {
    let a = start(1, &[TCP], HashMap::new());
    let at = a.addresses(1).await;
    let mut b = start(2, &[TCP], admit(&[(1, &at)]));
    for event in b.events_until_quiet(Duration::from_secs(2)).await {
        assert!(!matches!(event, NetworkEvent::Connected { .. } | NetworkEvent::Disconnected { .. }), "{event:?}");
    }
    assert_eq!(b.network.peers().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_handshakes_from_one_address_are_refused() {
    let handshakes = HandshakeLimits { burst: 2, a_minute: NonZeroU32::new(1).unwrap() };
    let config = NetworkConfig { transport: secret(1), listen: vec![TCP.parse().unwrap()], beacon: None, handshakes };
    let (network, events) = Network::start(config, admit(&[(2, &[])])).unwrap();
    let mut node = Node { key: key_of(1), network, events };
    let at = node.addresses(1).await;
    for _ in 0..3 {
        within(10, answers_to_a_stranger(&at[0])).await;
    }
    // The first refusal of this address is told, whatever its reason; a later node is refused before TLS.
    let mut b = start(2, &[], admit(&[(1, &at)]));
    for event in b.events_until_quiet(Duration::from_secs(1)).await {
        assert!(!matches!(event, NetworkEvent::Connected { .. }));
    }
    assert!(matches!(within(1, node.wait(Some)).await, NetworkEvent::ListenAddress(_)));
    assert!(matches!(within(1, node.wait(Some)).await, NetworkEvent::Refused { .. }));
}

/// Connections that never say a word take neither the node nor its colleagues' places.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_colleague_gets_in_while_somebody_else_holds_silent_connections() {
    let mut node = start(1, &["/ip4/0.0.0.0/tcp/0"], admit(&[(2, &[])]));
    let at = node.addresses(1).await;
    let port = at
        .iter()
        .flat_map(|address| address.iter())
        .find_map(|part| if let libp2p::multiaddr::Protocol::Tcp(port) = part { Some(port) } else { None })
        .unwrap();
    // From an address of its own: Linux takes all of 127/8 as this machine.
    let mut silent = Vec::new();
    for _ in 0..100 {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        if socket.bind("127.0.0.9:0".parse().unwrap()).is_err() {
            eprintln!("skipped: this system has no 127.0.0.9");
            return;
        }
        silent.push(socket.connect(([127, 0, 0, 1], port).into()).await.unwrap());
    }
    let mut b = start(2, &[], admit(&[(1, &[format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap()])]));
    within(3, async { tokio::join!(node.connected(), b.connected()) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_oversize_frame_ends_the_session_with_the_reason() {
    use futures::AsyncWriteExt;
    let mut node = start(1, &[TCP], admit(&[(2, &[])]));
    let at = node.addresses(1).await;
    let mut swarm = curious(&keypair(&secret(2)).unwrap());
    swarm.dial(at[0].clone()).unwrap();
    let attack = async {
        let mut lanes = Vec::new();
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::ConnectionEstablished { peer_id, connection_id, .. } => {
                    swarm.behaviour_mut().streams.open(peer_id, connection_id, Lane::Bulk.index());
                }
                SwarmEvent::Behaviour(CuriousEvent::Streams(event)) => {
                    if let StreamOutcome::Opened(mut stream) = event.outcome {
                        let length = FRAME_BYTES_MAX as u32 + 1;
                        stream.write_all(&length.to_be_bytes()).await.unwrap();
                        stream.flush().await.unwrap();
                        lanes.push(stream);
                    }
                }
                _ => {}
            }
        }
    };
    let why = within(10, async {
        tokio::select! {
            () = attack => unreachable!(),
            why = node.disconnected() => why,
        }
    });
    let too_long = FrameError::TooLong { bytes: FRAME_BYTES_MAX + 1, bytes_max: FRAME_BYTES_MAX };
    assert_eq!(why.await, SessionEnd::BadFrame(too_long));
}
