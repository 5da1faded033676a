//! The one owner of the swarm.
//!
//! A single task: it carries out commands, follows the swarm, keeps one session a peer, and tells the program.
//! It never waits for the program: what cannot be told yet stands in a bounded queue, and when that is full the
//! swarm is not listened to until there is room, while commands still are.
//!
//! A *link* is a connection; a *session* stands on the one link of a peer that stays (`dial::newer_stays`). The
//! program hears of a session when the first stream proved that both sides admit each other, so that a device
//! which refuses us never looks connected.

use std::collections::{HashMap, HashSet, VecDeque};
use std::future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use if_watch::IfEvent;
use if_watch::tokio::IfWatcher;
use libp2p::core::ConnectedPoint;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionError, ConnectionId, DialError, NetworkBehaviour, StreamProtocol, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, connection_limits, identify, ping};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::address::{Carrier, Path, carrier_of, ip_of, path_of, without_peer};
use super::beacon::{Beacon, BeaconPeer, Sighting};
use super::client::{AdmittedPeer, Command, NOTICES_MAX, NetworkConfig, Notice, PeerStatus, StartError};
use super::dial::{Dialer, Link, Source, newer_stays};
use super::frames::FrameError;
use super::gate::{Gate, Refused};
use super::lanes::{
    InboundSink, LaneQueue, LaneSender, LaneTable, LastHeard, Reader, WritableLanes, outbound_lane, write_lane,
};
use super::streams::{StreamEvent, StreamOutcome, Streams};
use super::{Lane, NetworkEvent, SessionEnd, SessionId, keypair, peer_id, transport, transport_key};
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

/// A missed ping ends a session only if nothing at all was heard for this long.
const SILENCE_SECONDS_MAX: u64 = 60;

/// Time for the last frames of a session to be read after its connection closed.
const LAST_FRAMES_MAX: Duration = Duration::from_secs(5);

/// Time for a peer that ended one lane to end the other.
const HALF_OPEN_MAX: Duration = Duration::from_secs(10);

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

struct LinkState {
    link: Link,
    address: Multiaddr,
}

/// What runs over the one link that stays.
struct Session {
    id: SessionId,
    key: TransportKey,
    connection: ConnectionId,
    address: Multiaddr,
    announced: watch::Receiver<bool>,
    /// Taken when the program is told.
    to_announce: Option<(watch::Sender<bool>, [LaneSender; 2])>,
    queues: [Option<LaneQueue>; 2],
    writers: [Option<AbortHandle>; 2],
    readers: [Option<AbortHandle>; 2],
    readers_done: [bool; 2],
    half_open_until: Option<Instant>,
    heard: Arc<LastHeard>,
    why: Option<SessionEnd>,
}

/// A session without a connection whose last frames are still being read.
struct EndingSession {
    session: Session,
    why: SessionEnd,
    until: Instant,
}

/// A lane's task came to its end.
struct LaneEnd {
    session: SessionId,
    lane: Lane,
    how: LaneOutcome,
}

enum LaneOutcome {
    Read(Result<(), FrameError>),
    Written(io::Result<()>),
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

    fn on_established(&mut self, peer: PeerId, connection: ConnectionId, endpoint: &ConnectedPoint) {
        let Some(key) = transport_key(&peer) else {
            self.swarm.close_connection(connection); // the gate admits Ed25519 keys only
            return;
        };
        let address = without_peer(endpoint.get_remote_address());
        let link = Link { dialled_by_us: endpoint.is_dialer(), established: Instant::now() };
        self.dialer.connected(&key);
        self.links.entry(peer).or_default().insert(connection, LinkState { link, address });

        let ours = *self.swarm.local_peer_id();
        let current = self.sessions.get(&peer).map(|session| session.connection);
        let older = current.and_then(|id| self.links.get(&peer)?.get(&id).map(|state| state.link));
        match older {
            Some(older) if !newer_stays(&ours, &peer, older, link) => {
                self.swarm.close_connection(connection);
                return;
            }
            Some(_) => self.end_session(&peer, SessionEnd::Replaced),
            None => {}
        }
        if let Some(older) = current {
            self.swarm.close_connection(older);
        }
        self.begin_session(peer, key, connection);
    }

    fn begin_session(&mut self, peer: PeerId, key: TransportKey, connection: ConnectionId) {
        let Some(state) = self.links.get(&peer).and_then(|links| links.get(&connection)) else { return };
        self.sessions_begun += 1;
        let (announce, announced) = watch::channel(false);
        let ((control, control_queue), (bulk, bulk_queue)) = (outbound_lane(), outbound_lane());
        let session = Session {
            id: SessionId(self.sessions_begun),
            key,
            connection,
            address: state.address.clone(),
            announced,
            to_announce: Some((announce, [control, bulk])),
            queues: [Some(control_queue), Some(bulk_queue)],
            writers: [None, None],
            readers: [None, None],
            readers_done: [false, false],
            half_open_until: None,
            heard: LastHeard::new(),
            why: None,
        };
        self.sessions.insert(peer, session);
        for lane in Lane::ALL {
            self.swarm.behaviour_mut().streams.open(peer, connection, lane.index());
        }
    }

    fn on_stream(&mut self, event: StreamEvent) {
        let StreamEvent { peer, connection, protocol, outcome } = event;
        let lane = Lane::ALL[protocol.min(1)];
        // Streams on a link that does not stay are dropped with it.
        if self.sessions.get(&peer).is_none_or(|session| session.connection != connection) {
            return;
        }
        if let StreamOutcome::Refused(why) = outcome {
            if let Some(session) = self.sessions.get_mut(&peer) {
                session.why = Some(SessionEnd::StreamsRefused(why));
            }
            self.swarm.close_connection(connection);
            return;
        }
        self.announce(&peer);
        let Some(session) = self.sessions.get_mut(&peer) else { return };
        let (id, key, place) = (session.id, session.key, lane.index());
        match outcome {
            StreamOutcome::Opened(stream) => {
                let Some(queue) = session.queues[place].take() else { return };
                let (writable, heard) = (self.writable.clone(), session.heard.clone());
                let task = async move {
                    let result = write_lane(stream, queue, key, lane, writable, heard).await;
                    LaneEnd { session: id, lane, how: LaneOutcome::Written(result) }
                };
                session.writers[place] = Some(self.tasks.spawn(task));
            }
            StreamOutcome::Accepted(stream) => {
                let reader = Reader {
                    peer: key,
                    session: id,
                    lane,
                    sink: self.sink.clone(),
                    announced: session.announced.clone(),
                    heard: session.heard.clone(),
                };
                let task =
                    async move { LaneEnd { session: id, lane, how: LaneOutcome::Read(reader.run(stream).await) } };
                // A second stream on the same lane is the peer's retry: the first one never came to be.
                if let Some(before) = session.readers[place].replace(self.tasks.spawn(task)) {
                    before.abort();
                }
            }
            StreamOutcome::Refused(_) => {}
        }
    }

    /// Tells the program of a session, once.
    fn announce(&mut self, peer: &PeerId) {
        let Some(session) = self.sessions.get_mut(peer) else { return };
        let Some((announce, senders)) = session.to_announce.take() else { return };
        let (key, id, address) = (session.key, session.id, session.address.clone());
        // The end of the session before this one must be told first.
        self.finish_ending(|ending| ending.session.key == key);
        self.dialer.confirmed(&key);
        self.lanes.insert(key, senders);
        let path = path_of(&address).unwrap_or(Path::Internet);
        let carrier = carrier_of(&address).unwrap_or(Carrier::Tcp);
        let event = NetworkEvent::Connected { peer: key, session: id, path, carrier, address };
        self.to_tell.push_back(Notice { event, announced: Some(announce) });
    }

    fn on_closed(&mut self, peer: &PeerId, connection: ConnectionId, cause: Option<ConnectionError>) {
        let mut others = None;
        if let Some(links) = self.links.get_mut(peer) {
            links.remove(&connection);
            others = links.iter().max_by_key(|(_, state)| state.link.established).map(|(id, _)| *id);
            if links.is_empty() {
                self.links.remove(peer);
            }
        }
        let key = self.sessions.get(peer).filter(|session| session.connection == connection).map(|s| s.key);
        if let Some(key) = key {
            let why = match cause {
                Some(ConnectionError::IO(error)) if !is_orderly(&error) => SessionEnd::Lost(error.to_string()),
                _ => SessionEnd::ClosedByPeer,
            };
            self.end_session(peer, why);
            if let Some(other) = others {
                self.begin_session(*peer, key, other);
            }
        }
        if others.is_none()
            && let Some(key) = transport_key(peer)
        {
            self.dialer.disconnected(&key, Instant::now());
        }
    }

    /// Takes a session down: nothing is written any more; what has arrived is still read unless that makes no sense.
    fn end_session(&mut self, peer: &PeerId, why: SessionEnd) {
        let Some(mut session) = self.sessions.remove(peer) else { return };
        let why = session.why.take().unwrap_or(why);
        if session.to_announce.is_some() {
            session.abort(); // the program was never told
            return;
        }
        self.lanes.remove(&session.key);
        session.abort_writers();
        let reads_on = matches!(why, SessionEnd::ClosedByPeer | SessionEnd::Lost(_));
        if !reads_on {
            session.abort();
        }
        let (id, until) = (session.id, Instant::now() + LAST_FRAMES_MAX);
        self.ending.push(EndingSession { session, why, until });
        self.finish_ending(|ending| ending.session.id == id && (!reads_on || ending.session.reading_is_done()));
    }

    /// Tells the end of those ending sessions that `is_due`.
    fn finish_ending(&mut self, is_due: impl Fn(&EndingSession) -> bool) {
        let due: Vec<_> = self.ending.extract_if(.., |ending| is_due(ending)).collect();
        for EndingSession { session, why, .. } in due {
            session.abort();
            self.tell(NetworkEvent::Disconnected { peer: session.key, session: session.id, why });
        }
    }

    fn on_lane_end(&mut self, end: LaneEnd) {
        let LaneEnd { session: id, lane, how } = end;
        if let Some(ending) = self.ending.iter_mut().find(|ending| ending.session.id == id) {
            if let LaneOutcome::Read(_) = how {
                ending.session.readers_done[lane.index()] = true;
            }
            self.finish_ending(|ending| ending.session.id == id && ending.session.reading_is_done());
            return;
        }
        let Some(session) = self.sessions.values_mut().find(|session| session.id == id) else { return };
        let connection = session.connection;
        let close = match how {
            LaneOutcome::Read(Ok(())) => {
                session.readers_done[lane.index()] = true;
                session.half_open_until = Some(Instant::now() + HALF_OPEN_MAX);
                session.readers_done == [true, true]
            }
            LaneOutcome::Read(Err(FrameError::Broken(_))) | LaneOutcome::Written(Err(_)) => true,
            LaneOutcome::Read(Err(error)) => {
                session.why = Some(error.into());
                true
            }
            LaneOutcome::Written(Ok(())) => false,
        };
        if close {
            self.swarm.close_connection(connection);
        }
    }

    fn end_what_is_due(&mut self, now: Instant) {
        self.finish_ending(|ending| ending.until <= now);
        let half_open = self.sessions.values().filter(|session| session.half_open_until.is_some_and(|at| at <= now));
        let connections: Vec<_> = half_open.map(|session| session.connection).collect();
        for connection in connections {
            self.swarm.close_connection(connection);
        }
        for session in self.sessions.values_mut() {
            session.half_open_until.take_if(|at| *at <= now);
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let endings = self.ending.iter().map(|ending| ending.until);
        let half_open = self.sessions.values().filter_map(|session| session.half_open_until);
        endings.chain(half_open).chain(self.dialer.next_at()).min()
    }

    fn on_missed_ping(&mut self, peer: &PeerId, connection: ConnectionId) {
        let Some(session) = self.sessions.get_mut(peer) else { return };
        let silent = session.heard.seconds_ago();
        if session.connection == connection && silent >= SILENCE_SECONDS_MAX {
            session.why = Some(SessionEnd::Silent(silent));
            self.swarm.close_connection(connection);
        }
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

impl Session {
    fn status(&self, connections: usize) -> Option<PeerStatus> {
        Some(PeerStatus {
            peer: self.key,
            session: self.id,
            path: path_of(&self.address)?,
            carrier: carrier_of(&self.address)?,
            address: self.address.clone(),
            connections,
        })
    }

    fn reading_is_done(&self) -> bool {
        self.readers.iter().zip(self.readers_done).all(|(reader, done)| done || reader.is_none())
    }

    fn abort_writers(&self) {
        self.writers.iter().flatten().for_each(AbortHandle::abort);
    }

    fn abort(&self) {
        self.abort_writers();
        self.readers.iter().flatten().for_each(AbortHandle::abort);
    }
}

/// Whether the other side just went, rather than the way to it. The kind stands somewhere inside: libp2p, the
/// multiplexer and TLS each wrap the error once more.
fn is_orderly(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            if matches!(io.kind(), BrokenPipe | ConnectionReset | UnexpectedEof) {
                return true;
            }
            cause = io.get_ref().map(|inner| inner as _);
        } else if matches!(error.downcast_ref(), Some(yamux::ConnectionError::Closed)) {
            return true;
        } else {
            cause = error.source();
        }
    }
    error.to_string().contains("closed by peer") // quinn keeps its errors to itself
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
