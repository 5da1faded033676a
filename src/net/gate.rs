//! The gate: who may have a connection at all.
//!
//! It stands first in the swarm's behaviours (the derive calls them in order and stops at the first refusal),
//! so that for a stranger no other protocol ever starts: TLS proves the key, the gate looks it up, the
//! connection is closed. libp2p's own block list would admit everybody not listed and refuses as late as this
//! one; a list of the admitted is the safer way round. Before the handshake the key is unknown: there only the
//! rate per address and the number of pending handshakes (`connection_limits`) can bound the work.

use std::collections::{HashMap, HashSet, VecDeque};
use std::convert::Infallible;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    CloseConnection, ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use super::address::ip_of;

/// Addresses whose handshakes are counted; the longest quiet is forgotten first.
const ADDRESSES_COUNTED_MAX: usize = 1024;

/// Handshakes one address may have under way: a few silent connections must not take all the places there are.
const PENDING_AN_ADDRESS_MAX: usize = 8;

/// How long a refused address stays silent before it is told again.
const REFUSED_AGAIN: Duration = Duration::from_secs(60);

/// Refusals not yet told; more are dropped.
const REFUSALS_WAITING_MAX: usize = 32;

/// How many handshakes one address may begin.
#[derive(Debug, Clone, Copy)]
pub struct HandshakeLimits {
    /// At once.
    pub burst: u32,
    /// In the long run, a minute.
    pub a_minute: NonZeroU32,
}

impl Default for HandshakeLimits {
    fn default() -> Self {
        Self { burst: 32, a_minute: const { NonZeroU32::new(60).unwrap() } }
    }
}

/// Why somebody was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("an unknown or blocked device")]
    NotAdmitted,
    #[error("too many connection attempts from this address")]
    TooManyHandshakes,
}

/// Tells the swarm's owner whom the gate turned away.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) address: Multiaddr,
    pub(super) why: Refusal,
}

pub(super) struct Gate {
    admitted: HashSet<PeerId>,
    connected: HashMap<PeerId, usize>,
    pending: HashMap<ConnectionId, IpAddr>,
    rate: HandshakeRate,
    told: HashMap<IpAddr, Instant>,
    actions: VecDeque<ToSwarm<Refused, Infallible>>,
    waker: Option<Waker>,
}

impl Gate {
    pub(super) fn new(limits: HandshakeLimits) -> Self {
        Self {
            admitted: HashSet::new(),
            connected: HashMap::new(),
            pending: HashMap::new(),
            rate: HandshakeRate::new(limits),
            told: HashMap::new(),
            actions: VecDeque::new(),
            waker: None,
        }
    }

    /// Replaces the set of the admitted and closes every connection of the others at once.
    pub(super) fn admit(&mut self, admitted: HashSet<PeerId>) {
        self.admitted = admitted;
        for peer in self.connected.keys().filter(|peer| !self.admitted.contains(peer)) {
            let close = ToSwarm::CloseConnection { peer_id: *peer, connection: CloseConnection::All };
            self.actions.push_back(close);
        }
        self.wake();
    }

    fn check(&self, peer: &PeerId) -> Result<(), ConnectionDenied> {
        if self.admitted.contains(peer) { Ok(()) } else { Err(ConnectionDenied::new(Refusal::NotAdmitted)) }
    }

    fn tell(&mut self, address: &Multiaddr, why: Refusal) {
        let now = Instant::now();
        self.told.retain(|_, last| now.duration_since(*last) < REFUSED_AGAIN);
        let Some(ip) = ip_of(address) else { return };
        let known = self.told.contains_key(&ip);
        if known || self.told.len() >= ADDRESSES_COUNTED_MAX || self.actions.len() >= REFUSALS_WAITING_MAX {
            return;
        }
        self.told.insert(ip, now);
        self.actions.push_back(ToSwarm::GenerateEvent(Refused { address: address.clone(), why }));
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Refused;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let Some(ip) = ip_of(remote).map(network_of) else { return Ok(()) };
        let pending = self.pending.values().filter(|other| **other == ip).count();
        if pending >= PENDING_AN_ADDRESS_MAX || !self.rate.allows(ip, Instant::now()) {
            self.tell(remote, Refusal::TooManyHandshakes);
            return Err(ConnectionDenied::new(Refusal::TooManyHandshakes));
        }
        self.pending.insert(connection, ip);
        Ok(())
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.pending.remove(&connection);
        if let Err(denied) = self.check(&peer) {
            self.tell(remote, Refusal::NotAdmitted);
            return Err(denied);
        }
        Ok(dummy::ConnectionHandler)
    }

    /// Nobody is dialled without being named: an address alone would let whoever answers there in.
    fn handle_pending_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: Option<PeerId>,
        _: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        peer.map_or_else(|| Err(ConnectionDenied::new(Refusal::NotAdmitted)), |peer| self.check(&peer))?;
        Ok(Vec::new())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.check(&peer)?; // the peer may have been blocked while the dial was under way
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        match event {
            FromSwarm::ConnectionEstablished(established) => {
                *self.connected.entry(established.peer_id).or_default() += 1;
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { peer_id, remaining_established: 0, .. }) => {
                self.connected.remove(&peer_id);
            }
            FromSwarm::ListenFailure(failure) => {
                self.pending.remove(&failure.connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some(action) = self.actions.pop_front() {
            return Poll::Ready(action);
        }
        self.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

/// A bucket of permitted handshakes for each IPv4 address or IPv6 /64 network (one subscriber has a whole /64).
pub(super) struct HandshakeRate {
    limits: HandshakeLimits,
    buckets: HashMap<IpAddr, Bucket>,
}

struct Bucket {
    left: f64,
    at: Instant,
}

impl HandshakeRate {
    pub(super) fn new(limits: HandshakeLimits) -> Self {
        Self { limits, buckets: HashMap::new() }
    }

    /// Takes one handshake from the address's bucket, if one is left.
    pub(super) fn allows(&mut self, ip: IpAddr, now: Instant) -> bool {
        let burst = f64::from(self.limits.burst);
        let a_second = f64::from(self.limits.a_minute.get()) / 60.0;
        let key = network_of(ip);
        if !self.buckets.contains_key(&key) && self.buckets.len() >= ADDRESSES_COUNTED_MAX {
            self.forget_quietest();
        }
        let bucket = self.buckets.entry(key).or_insert(Bucket { left: burst, at: now });
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.left = (bucket.left + passed * a_second).min(burst);
        bucket.at = now;
        let allowed = bucket.left >= 1.0;
        if allowed {
            bucket.left -= 1.0;
        }
        allowed
    }

    fn forget_quietest(&mut self) {
        let quietest = self.buckets.iter().min_by_key(|(_, bucket)| bucket.at).map(|(ip, _)| *ip);
        if let Some(ip) = quietest {
            self.buckets.remove(&ip);
        }
    }
}

fn network_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) & !u128::from(u64::MAX)).into()),
        ip @ IpAddr::V4(_) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate_for(admitted: &[PeerId]) -> Gate {
        let mut gate = Gate::new(HandshakeLimits::default());
        gate.admit(admitted.iter().copied().collect());
        gate
    }

    fn here() -> Multiaddr {
        "/ip4/192.0.2.7/tcp/1".parse().unwrap()
    }

    #[test]
    fn only_the_admitted_pass_in_either_direction() {
        let (friend, stranger) = (PeerId::random(), PeerId::random());
        let mut gate = gate_for(&[friend]);
        let id = ConnectionId::new_unchecked(1);
        assert!(gate.handle_established_inbound_connection(id, friend, &here(), &here()).is_ok());
        assert!(gate.handle_established_inbound_connection(id, stranger, &here(), &here()).is_err());
        for (peer, passes) in [(Some(friend), true), (Some(stranger), false), (None, false)] {
            let result = gate.handle_pending_outbound_connection(id, peer, &[], Endpoint::Dialer);
            assert_eq!(result.is_ok(), passes);
        }
        gate.admit(HashSet::new());
        let result = gate.handle_established_outbound_connection(id, friend, &here(), Endpoint::Dialer, PortUse::New);
        assert!(result.is_err(), "blocked while the dial was under way");
    }

    #[test]
    fn a_refused_address_is_told_once_a_minute_and_the_queue_is_bounded() {
        let mut gate = gate_for(&[]);
        for _ in 0..5 {
            gate.tell(&here(), Refusal::NotAdmitted);
        }
        assert_eq!(gate.actions.len(), 1);
        for host in 0..200 {
            gate.tell(&format!("/ip4/198.51.100.{host}/tcp/1").parse().unwrap(), Refusal::NotAdmitted);
        }
        assert_eq!(gate.actions.len(), REFUSALS_WAITING_MAX);
    }

    #[test]
    fn an_address_gets_its_burst_then_its_rate_and_others_are_not_hurt() {
        let mut rate = HandshakeRate::new(HandshakeLimits { burst: 3, a_minute: NonZeroU32::new(60).unwrap() });
        let now = Instant::now();
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let allowed = (0..10).filter(|_| rate.allows(one, now)).count();
        assert_eq!(allowed, 3);
        assert!(rate.allows(other, now));
        assert!(rate.allows(one, now + Duration::from_secs(1)));
        assert!(!rate.allows(one, now + Duration::from_secs(1)));
    }

    #[test]
    fn silent_connections_from_one_address_leave_room_for_others() {
        let (friend, other) = (PeerId::random(), "/ip4/192.0.2.8/tcp/1".parse().unwrap());
        let mut gate = gate_for(&[friend]);
        let mut next = 0;
        let mut knock = |gate: &mut Gate, from: &Multiaddr| {
            next += 1;
            let id = ConnectionId::new_unchecked(next);
            gate.handle_pending_inbound_connection(id, &here(), from).map(|()| id)
        };
        let allowed: Vec<_> = (0..20).filter_map(|_| knock(&mut gate, &here()).ok()).collect();
        assert_eq!(allowed.len(), PENDING_AN_ADDRESS_MAX);
        assert!(knock(&mut gate, &other).is_ok());
        assert!(gate.handle_established_inbound_connection(allowed[0], friend, &here(), &here()).is_ok());
        assert!(knock(&mut gate, &here()).is_ok(), "a handshake that came to its end makes room");
        assert!(knock(&mut gate, &here()).is_err());
    }

    #[test]
    fn one_ipv6_network_is_one_address_and_the_table_is_bounded() {
        let mut rate = HandshakeRate::new(HandshakeLimits { burst: 1, a_minute: NonZeroU32::new(60).unwrap() });
        let now = Instant::now();
        assert!(rate.allows("2001:db8::1".parse().unwrap(), now));
        assert!(!rate.allows("2001:db8::2".parse().unwrap(), now));
        for n in 0..3000_u32 {
            rate.allows(IpAddr::from(n.to_be_bytes()), now);
        }
        assert!(rate.buckets.len() <= ADDRESSES_COUNTED_MAX);
    }
}
