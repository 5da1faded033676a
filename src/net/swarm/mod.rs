//! The one owner of the swarm.
//!
//! A single task: it carries out commands, follows the swarm, keeps one session a peer, and tells the program.
//! It never waits for the program: what cannot be told yet stands in a bounded queue, and when that is full the
//! swarm is not listened to until there is room, while commands still are.
//!
//! A *link* is a connection; a *session* stands on the one link of a peer that stays (`dial::newer_stays`). The
//! program hears of a session when the first stream proved that both sides admit each other, so that a device
//! which refuses us never looks connected.

mod sessions;

use std::collections::{HashMap, HashSet, VecDeque};
use std::future;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use if_watch::IfEvent;
use if_watch::tokio::IfWatcher;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError, NetworkBehaviour, StreamProtocol, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, connection_limits, identify, ping};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use self::sessions::{EndingSession, LaneEnd, LinkState, Session};
use super::address::{Path, ip_of, path_of};
use super::beacon::{Beacon, BeaconPeer, Sighting};
use super::client::{AdmittedPeer, Command, NOTICES_MAX, NetworkConfig, Notice, StartError};
use super::dial::{Dialer, Source};
use super::gate::{Gate, Refused};
use super::lanes::{InboundSink, LaneTable, WritableLanes};
use super::streams::Streams;
use super::{NetworkEvent, SessionEnd, keypair, peer_id, transport, transport_key};
use crate::identity::keys::TransportKey;

/// Connections in the middle of their handshake, each way.
const PENDING_HANDSHAKES_MAX: u32 = 32;

/// Connections to one peer.
const CONNECTIONS_A_PEER_MAX: u32 = 4;

/// Connections in all: a case has at most 128 devices, and there are several cases.
const CONNECTIONS_MAX: u32 = 512;

/// Ping: seldom, and patient, since a busy slow link answers late (yamux has been seen to take 70 s, #5387).
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_ANSWER_MAX: Duration = Duration::from_secs(45);

/// Time for what is queued to be written and read when the network shuts down, then to close connections.
const LAST_WRITES_MAX: Duration = Duration::from_secs(2);
const CLOSE_MAX: Duration = Duration::from_secs(1);

/// Addresses taken from one peer's identify message.
const TOLD_ADDRESSES_MAX: usize = 8;

/// Sightings of the beacon not yet looked at; more are dropped, the next beacon brings them again.
const SIGHTINGS_MAX: usize = 32;

/// What every device says of itself to an admitted peer: nothing that tells two installations apart.
const IDENTIFY_PROTOCOL: &str = "/overread/1";
const IDENTIFY_AGENT: &str = "overread";

/// In the order of [`Lane::ALL`].
const LANE_PROTOCOLS: &[StreamProtocol] =
    &[StreamProtocol::new("/overread/control/1"), StreamProtocol::new("/overread/bulk/1")];

/// The gate comes first: the derive asks the fields in order and stops at the first refusal.
#[derive(NetworkBehaviour)]
struct Behaviour {
    gate: Gate,
    limits: connection_limits::Behaviour,
    streams: Streams,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

pub(super) struct Owner {
    swarm: Swarm<Behaviour>,
    commands: mpsc::Receiver<Command>,
    notices: mpsc::Sender<Notice>,
    to_tell: VecDeque<Notice>,
    sink: InboundSink,
    lanes: Arc<LaneTable>,
    writable: Arc<WritableLanes>,
    links: HashMap<PeerId, HashMap<ConnectionId, LinkState>>,
    sessions: HashMap<PeerId, Session>,
    ending: Vec<EndingSession>,
    tasks: JoinSet<LaneEnd>,
    dialer: Dialer,
    interfaces: Option<IfWatcher>,
    beacon: Option<Beacon>,
    sightings: mpsc::Receiver<Sighting>,
    sessions_begun: u64,
}

impl Owner {
    pub(super) fn new(
        config: NetworkConfig,
        commands: mpsc::Receiver<Command>,
        notices: mpsc::Sender<Notice>,
        sink: InboundSink,
        lanes: Arc<LaneTable>,
        writable: Arc<WritableLanes>,
    ) -> Result<Self, StartError> {
        let keypair = keypair(&config.transport)?;
        let limits = connection_limits::ConnectionLimits::default()
            .with_max_pending_incoming(Some(PENDING_HANDSHAKES_MAX))
            .with_max_pending_outgoing(Some(PENDING_HANDSHAKES_MAX))
            .with_max_established_per_peer(Some(CONNECTIONS_A_PEER_MAX))
            .with_max_established(Some(CONNECTIONS_MAX));
        let identify = identify::Config::new(IDENTIFY_PROTOCOL.into(), keypair.public())
            .with_agent_version(IDENTIFY_AGENT.into())
            .with_push_listen_addr_updates(true)
            .with_cache_size(0);
        let behaviour = Behaviour {
            gate: Gate::new(config.handshakes),
            limits: connection_limits::Behaviour::new(limits),
            streams: Streams::new(LANE_PROTOCOLS),
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::new(ping::Config::new().with_interval(PING_EVERY).with_timeout(PING_ANSWER_MAX)),
        };
        let transport = transport::build(&keypair).map_err(StartError::Identity)?;
        let swarm_config = libp2p::swarm::Config::with_tokio_executor();
        let mut swarm = Swarm::new(transport, behaviour, keypair.public().to_peer_id(), swarm_config);
        listen(&mut swarm, &config.listen)?;

        let (sighting_sender, sightings) = mpsc::channel(SIGHTINGS_MAX);
        let me = TransportKey(config.transport.public());
        let beacon = config.beacon.map(|beacon| Beacon::start(beacon, me, sighting_sender));
        Ok(Self {
            swarm,
            commands,
            notices,
            to_tell: VecDeque::new(),
            sink,
            lanes,
            writable,
            links: HashMap::new(),
            sessions: HashMap::new(),
            ending: Vec::new(),
            tasks: JoinSet::new(),
            dialer: Dialer::default(),
            interfaces: IfWatcher::new().ok(), // without it only the redialling is slower
            beacon,
            sightings,
            sessions_begun: 0,
        })
    }

    pub(super) async fn run(mut self) {
        let notices = self.notices.clone();
        let asked = loop {
            for dial in self.dialer.due(Instant::now()) {
                self.dial(dial.peer, dial.addresses);
            }
            self.end_what_is_due(Instant::now());
            let next = self.next_deadline();
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(Command::ShutDown(answer)) => break Some(answer),
                    Some(command) => self.obey(command),
                    None => break None,
                },
                room = notices.reserve(), if !self.to_tell.is_empty() => match (room, self.to_tell.pop_front()) {
                    (Ok(room), Some(notice)) => room.send(notice),
                    (Ok(_), None) => {}
                    (Err(_), _) => break None,
                },
                event = self.swarm.select_next_some(), if self.to_tell.len() < NOTICES_MAX => self.on_swarm(event),
                Some(end) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    if let Ok(end) = end { // else the task was aborted, by us
                        self.on_lane_end(end);
                    }
                }
                Some(sighting) = self.sightings.recv() => self.on_sighting(&sighting),
                event = next_interface_event(&mut self.interfaces) => self.on_interface(event),
                () = sleep_until_or_never(next) => {}
            }
        };
        self.shut_down(asked).await;
    }

    /// Replaces the admitted set everywhere it matters.
    pub(super) fn admit(&mut self, admitted: HashMap<TransportKey, AdmittedPeer>) {
        let now = Instant::now();
        let me = self.swarm.local_peer_id();
        let known: Vec<_> = admitted
            .into_iter()
            .filter_map(|(key, peer)| peer_id(&key).filter(|id| id != me).map(|id| (key, id, peer)))
            .collect();
        let ids: HashSet<PeerId> = known.iter().map(|(_, id, _)| *id).collect();
        self.swarm.behaviour_mut().gate.admit(ids.clone());
        let no_longer: Vec<PeerId> = self.sessions.keys().filter(|peer| !ids.contains(peer)).copied().collect();
        for peer in no_longer {
            self.end_session(&peer, SessionEnd::NotAdmitted);
        }
        self.dialer.admit(known.iter().map(|(key, id, peer)| (*key, *id, peer.addresses.as_slice())), now);
        if let Some(beacon) = &self.beacon {
            let peers = known.into_iter().filter_map(|(key, _, peer)| Some(BeaconPeer::new(key, peer.pair_secret?)));
            beacon.set_peers(peers.collect());
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Admit(admitted, answer) => {
                self.admit(admitted);
                let _ = answer.send(()); // who asked may have gone
            }
            Command::AddAddress(peer, address) => {
                self.dialer.learned(&peer, &address, Source::Given, Instant::now());
                self.dialer.try_soon(&peer, Instant::now());
            }
            Command::Peers(answer) => {
                let announced = self.sessions.iter().filter(|(_, session)| session.to_announce.is_none());
                let connections = |peer| self.links.get(peer).map_or(0, HashMap::len);
                let status = announced.filter_map(|(peer, session)| session.status(connections(peer)));
                let _ = answer.send(status.collect());
            }
            Command::ListenAddresses(answer) => {
                let _ = answer.send(self.swarm.listeners().cloned().collect());
            }
            Command::Reach(answer) => {
                let _ = answer.send(self.dialer.reach(Instant::now()));
            }
            Command::TryNow => self.dialer.try_all_soon(Instant::now()),
            Command::ShutDown(_) => {} // taken by the loop
        }
    }

    fn dial(&mut self, peer: PeerId, addresses: Vec<Multiaddr>) {
        let options =
            DialOpts::peer_id(peer).condition(PeerCondition::DisconnectedAndNotDialing).addresses(addresses).build();
        if let Err(error) = self.swarm.dial(options) {
            self.on_dial_failed(&peer, &error);
        }
    }

    fn on_dial_failed(&mut self, peer: &PeerId, error: &DialError) {
        let Some(key) = transport_key(peer) else { return };
        if self.links.get(peer).is_some_and(|links| !links.is_empty()) {
            self.dialer.connected(&key);
        } else {
            tracing::debug!(%error, "a dial failed");
            self.dialer.disconnected(&key, Instant::now());
        }
    }

    fn on_swarm(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_established(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                self.on_closed(&peer_id, connection_id, cause);
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. } => {
                self.on_dial_failed(&peer, &error);
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                self.tell(NetworkEvent::ListenAddress(address));
                self.share_listen_addresses();
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.tell(NetworkEvent::ListenAddressGone(address));
                self.share_listen_addresses();
            }
            SwarmEvent::Behaviour(BehaviourEvent::Gate(Refused { address, why })) => {
                self.tell(NetworkEvent::Refused { address, why });
            }
            SwarmEvent::Behaviour(BehaviourEvent::Streams(event)) => self.on_stream(event),
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. })) => {
                self.on_told_addresses(&peer_id, &info.listen_addrs);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event { peer, connection, result: Err(_) })) => {
                self.on_missed_ping(&peer, connection);
            }
            _ => {}
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let endings = self.ending.iter().map(|ending| ending.until);
        let half_open = self.sessions.values().filter_map(|session| session.half_open_until);
        endings.chain(half_open).chain(self.dialer.next_at()).min()
    }

    fn on_told_addresses(&mut self, peer: &PeerId, addresses: &[Multiaddr]) {
        let Some(key) = transport_key(peer) else { return };
        let Some(session) = self.sessions.get(peer) else { return };
        let near = path_of(&session.address);
        for address in addresses.iter().take(TOLD_ADDRESSES_MAX) {
            // Another machine's loopback is not ours.
            if path_of(address) != Some(Path::Loopback) || near == Some(Path::Loopback) {
                self.dialer.learned(&key, address, Source::Told, Instant::now());
            }
        }
    }

    fn on_sighting(&mut self, sighting: &Sighting) {
        let now = Instant::now();
        if !self.dialer.knows(&sighting.peer) {
            return;
        }
        for address in &sighting.addresses {
            if self.dialer.learned(&sighting.peer, address, Source::Beacon, now) && self.to_tell.len() < NOTICES_MAX {
                self.tell(NetworkEvent::Seen { peer: sighting.peer, address: address.clone() });
            }
        }
        self.dialer.try_soon(&sighting.peer, now);
    }

    fn on_interface(&mut self, event: IfEvent) {
        tracing::debug!(?event, "the network changed");
        self.dialer.try_all_soon(Instant::now());
        if let Some(beacon) = &self.beacon {
            beacon.network_changed();
        }
    }

    fn share_listen_addresses(&self) {
        if let Some(beacon) = &self.beacon {
            beacon.set_addresses(self.swarm.listeners().filter(|address| ip_of(address).is_some()).cloned().collect());
        }
    }

    fn tell(&mut self, event: NetworkEvent) {
        self.to_tell.push_back(Notice { event, announced: None });
    }

    /// Writes what is queued, closes everything, tells the program what ended.
    async fn shut_down(mut self, asked: Option<oneshot::Sender<()>>) {
        self.beacon = None;
        let peers: Vec<PeerId> = self.sessions.keys().copied().collect();
        for session in self.sessions.values_mut() {
            session.why = Some(SessionEnd::ShutDown);
            self.lanes.remove(&session.key); // the writers end when their queues are empty
        }
        // Closing now could reset the connection and take with it what the peer has not read yet. The peer closes it
        // when it has come to the end of both lanes.
        let deadline = Instant::now() + LAST_WRITES_MAX;
        while !self.links.is_empty() {
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_swarm(event),
                Some(end) = self.tasks.join_next() => {
                    if let Ok(end) = end {
                        self.on_lane_end(end);
                    }
                }
                () = sleep_until(deadline) => break,
            }
        }
        for peer in &peers {
            let _ = self.swarm.disconnect_peer_id(*peer); // it may have gone by itself
        }
        let deadline = Instant::now() + CLOSE_MAX;
        while self.swarm.network_info().num_peers() > 0 {
            tokio::select! {
                _ = self.swarm.select_next_some() => {}
                () = sleep_until(deadline) => break,
            }
        }
        for peer in &peers {
            self.end_session(peer, SessionEnd::ShutDown);
        }
        self.finish_ending(|_| true);
        for notice in self.to_tell.drain(..) {
            if self.notices.try_send(notice).is_err() {
                break; // nobody listens any more
            }
        }
        self.writable.close();
        drop(self.swarm);
        if let Some(answer) = asked {
            let _ = answer.send(());
        }
    }
}

/// Listens on every address that can be used; one is enough (a machine without IPv6 is no error).
fn listen(swarm: &mut Swarm<Behaviour>, addresses: &[Multiaddr]) -> Result<(), StartError> {
    let mut failed = None;
    let mut listening = false;
    for address in addresses {
        match swarm.listen_on(address.clone()) {
            Ok(_) => listening = true,
            Err(error) => failed = Some(StartError::Listen { address: address.clone(), why: error.to_string() }),
        }
    }
    failed.filter(|_| !listening).map_or(Ok(()), Err)
}

async fn next_interface_event(watcher: &mut Option<IfWatcher>) -> IfEvent {
    loop {
        match watcher {
            Some(interfaces) => match interfaces.select_next_some().await {
                Ok(event) => return event,
                Err(_) => *watcher = None,
            },
            None => return future::pending().await,
        }
    }
}

async fn sleep_until_or_never(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => future::pending().await,
    }
}
