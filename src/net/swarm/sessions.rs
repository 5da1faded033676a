//! Links and sessions: what begins when a connection stands, and what ends when it falls.
//!
//! A link that stays gets a session and asks for its two streams. The first stream, ours or the peer's, proves
//! that both sides admit each other; then the program is told. When the link falls, writing stops at once and
//! reading goes on to what had arrived, for a moment; then the end is told.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use libp2p::core::ConnectedPoint;
use libp2p::swarm::{ConnectionError, ConnectionId};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::Owner;
use crate::identity::keys::TransportKey;
use crate::net::address::{Carrier, Path, carrier_of, path_of, without_peer};
use crate::net::client::{Notice, PeerStatus};
use crate::net::dial::{Link, newer_stays};
use crate::net::frames::FrameError;
use crate::net::lanes::{LaneQueue, LaneSender, LastHeard, Reader, outbound_lane, write_lane};
use crate::net::streams::{StreamEvent, StreamOutcome};
use crate::net::{Lane, NetworkEvent, SessionEnd, SessionId, transport_key};

/// A missed ping ends a session only if nothing at all was heard for this long.
const SILENCE_SECONDS_MAX: u64 = 60;

/// Time for the last frames of a session to be read after its connection closed.
const LAST_FRAMES_MAX: Duration = Duration::from_secs(5);

/// Time for a peer that ended one lane to end the other.
const HALF_OPEN_MAX: Duration = Duration::from_secs(10);

pub(super) struct LinkState {
    link: Link,
    pub(super) address: Multiaddr,
}

/// What runs over the one link that stays.
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) key: TransportKey,
    connection: ConnectionId,
    pub(super) address: Multiaddr,
    announced: watch::Receiver<bool>,
    /// Taken when the program is told.
    pub(super) to_announce: Option<(watch::Sender<bool>, [LaneSender; 2])>,
    queues: [Option<LaneQueue>; 2],
    writers: [Option<AbortHandle>; 2],
    readers: [Option<AbortHandle>; 2],
    readers_done: [bool; 2],
    pub(super) half_open_until: Option<Instant>,
    heard: Arc<LastHeard>,
    pub(super) why: Option<SessionEnd>,
}

/// A session without a connection whose last frames are still being read.
pub(super) struct EndingSession {
    session: Session,
    why: SessionEnd,
    pub(super) until: Instant,
}

/// A lane's task came to its end.
pub(super) struct LaneEnd {
    session: SessionId,
    lane: Lane,
    how: LaneOutcome,
}

enum LaneOutcome {
    Read(Result<(), FrameError>),
    Written(io::Result<()>),
}

impl Owner {
    pub(super) fn on_established(&mut self, peer: PeerId, connection: ConnectionId, endpoint: &ConnectedPoint) {
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

    pub(super) fn on_stream(&mut self, event: StreamEvent) {
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
        self.lanes.insert(key, id, senders);
        let path = path_of(&address).unwrap_or(Path::Internet);
        let carrier = carrier_of(&address).unwrap_or(Carrier::Tcp);
        let event = NetworkEvent::Connected { peer: key, session: id, path, carrier, address };
        self.to_tell.push_back(Notice { event, announced: Some(announce) });
    }

    pub(super) fn on_closed(&mut self, peer: &PeerId, connection: ConnectionId, cause: Option<ConnectionError>) {
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
    pub(super) fn end_session(&mut self, peer: &PeerId, why: SessionEnd) {
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
    pub(super) fn finish_ending(&mut self, is_due: impl Fn(&EndingSession) -> bool) {
        let due: Vec<_> = self.ending.extract_if(.., |ending| is_due(ending)).collect();
        for EndingSession { session, why, .. } in due {
            session.abort();
            self.tell(NetworkEvent::Disconnected { peer: session.key, session: session.id, why });
        }
    }

    pub(super) fn on_lane_end(&mut self, end: LaneEnd) {
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

    pub(super) fn end_what_is_due(&mut self, now: Instant) {
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

    pub(super) fn on_missed_ping(&mut self, peer: &PeerId, connection: ConnectionId) {
        let Some(session) = self.sessions.get_mut(peer) else { return };
        let silent = session.heard.seconds_ago();
        if session.connection == connection && silent >= SILENCE_SECONDS_MAX {
            session.why = Some(SessionEnd::Silent(silent));
            self.swarm.close_connection(connection);
        }
    }
}

impl Session {
    pub(super) fn status(&self, connections: usize) -> Option<PeerStatus> {
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
