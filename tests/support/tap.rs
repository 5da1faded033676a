//! The other end of a node's network, held by the test itself: it says what it likes and notes what it is told.
//!
//! A [`Tap`] speaks as one device, with that device's own transport key and this program's network; [`answer_to`] is a
//! libp2p program of somebody else's making.

use std::collections::HashMap;

use futures::StreamExt;
use libp2p::identity::Keypair;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{SwarmBuilder, identify, ping, tcp, tls, yamux};
use overread::encoding::id::CaseId;
use overread::identity::keys::{SigningSecret, TransportKey};
use overread::net::{
    AdmittedPeer, HandshakeLimits, Lane, Multiaddr, Network, NetworkConfig, NetworkEvent, NetworkEvents,
};
use overread::sync::message::{Hello, List, Message};

use super::{Person, within};

/// A session with a node in place of a device.
pub struct Tap {
    network: Network,
    events: NetworkEvents,
    node: TransportKey,
    /// Everything the node has said.
    pub heard: Vec<Message>,
}

impl Tap {
    /// Connects to a node as the device of somebody whose own node is stopped, and says hello.
    pub async fn of(person: &Person, node: &Person) -> Self {
        let transport = person.transport();
        let key = transport_of(node).await;
        let (_, address) = node.follow().await;
        let config =
            NetworkConfig { transport, listen: Vec::new(), beacon: None, handshakes: HandshakeLimits::default() };
        let admitted = HashMap::from([(key, AdmittedPeer { addresses: vec![address], pair_secret: None })]);
        let (network, events) = Network::start(config, admitted).unwrap();
        let mut tap = Self { network, events, node: key, heard: Vec::new() };
        within(async { while !matches!(tap.events.recv().await, Some(NetworkEvent::Connected { .. })) {} }).await;
        tap.say(Message::Hello(Hello::OURS)).await;
        tap
    }

    pub async fn say(&self, message: Message) {
        let lane = if matches!(message, Message::Chunk(_)) { Lane::Bulk } else { Lane::Control };
        self.network.send(self.node, lane, message.into_frame().into_vec()).await.unwrap();
    }

    /// Listens until the node says the wanted thing.
    pub async fn hears<T>(&mut self, wanted: impl Fn(&Message) -> Option<T>) -> T {
        within(async {
            loop {
                match self.events.recv().await {
                    Some(NetworkEvent::Frame { bytes, .. }) => {
                        let message = Message::from_frame(bytes).unwrap();
                        let found = wanted(&message);
                        self.heard.push(message);
                        if let Some(found) = found {
                            return found;
                        }
                    }
                    Some(NetworkEvent::Disconnected { why, .. }) => panic!("{why} after {:?}", self.heard),
                    Some(_) => {}
                    None => panic!("the network ended"),
                }
            }
        })
        .await
    }

    /// Shares a case with the node as a device that has exactly what the node has.
    pub async fn shares(&mut self, case: CaseId) {
        let digest = self
            .hears(|message| match message {
                Message::Digests(digests) => digests.0.iter().find(|digest| digest.case == case).cloned(),
                _ => None,
            })
            .await;
        self.say(Message::Digests(List(vec![digest]))).await;
    }

    /// Notes what has come in until now, and gives what of everything heard is about a case.
    pub async fn heard_of(&mut self, case: CaseId) -> Vec<&Message> {
        while let Ok(Some(event)) = tokio::time::timeout(std::time::Duration::ZERO, self.events.recv()).await {
            if let NetworkEvent::Frame { bytes, .. } = event {
                self.heard.push(Message::from_frame(bytes).unwrap());
            }
        }
        self.heard.iter().filter(|message| is_about(message, case)).collect()
    }

    /// Ends the session.
    pub async fn end(self) {
        self.network.shutdown().await;
    }
}

fn is_about(message: &Message, case: CaseId) -> bool {
    match message {
        Message::Digests(digests) => digests.0.iter().any(|digest| digest.case == case),
        other => other.case() == Some(case),
    }
}

async fn transport_of(node: &Person) -> TransportKey {
    node.card().await.devices()[0].statement.transport
}

#[derive(NetworkBehaviour)]
struct Curious {
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

/// What a node answers to a program that proves this key and then asks whatever libp2p can ask; `None` if the node
/// closes the connection without a word.
pub async fn answer_to(secret: &SigningSecret, address: &Multiaddr) -> Option<String> {
    let mut seed = *secret.seed().reveal();
    let keypair = Keypair::ed25519_from_bytes(&mut seed).unwrap();
    let mut swarm = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(tcp::Config::default(), tls::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|keypair| Curious {
            identify: identify::Behaviour::new(identify::Config::new("/any/1".into(), keypair.public())),
            ping: ping::Behaviour::new(ping::Config::new()),
        })
        .unwrap()
        .build();
    swarm.dial(address.clone()).unwrap();
    within(async {
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::OutgoingConnectionError { error, .. } => panic!("no handshake with {address}: {error}"),
                SwarmEvent::ConnectionClosed { .. } => return None,
                SwarmEvent::Behaviour(CuriousEvent::Identify(identify::Event::Received { info, .. })) => {
                    return Some(info.protocol_version);
                }
                SwarmEvent::Behaviour(CuriousEvent::Ping(ping::Event { result: Ok(_), .. })) => {
                    return Some("pong".into());
                }
                _ => {}
            }
        }
    })
    .await
}
