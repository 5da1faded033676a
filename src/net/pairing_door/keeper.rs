//! The swarm behind the door, and who keeps it.
//!
//! One guest at a time: the keeper refuses further connections until the one inside has left, spoken too late or
//! closed the conversation.

use std::convert::Infallible;
use std::future;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::StreamExt;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::identity::Keypair;
use libp2p::swarm::{
    ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, StreamProtocol, SwarmEvent,
    THandler, THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId, Swarm, connection_limits};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use super::{DOOR_OPEN_MAX, DoorError, DoorFrames};
use crate::net::address::ip_of;
use crate::net::beacon::Beacon;
use crate::net::client::StartError;
use crate::net::gate::{HandshakeLimits, HandshakeRate};
use crate::net::streams::{StreamEvent, StreamOutcome, Streams};
use crate::net::transport;

/// How long a guest may stand in the door without a word.
const GREETING_MAX: Duration = Duration::from_secs(10);

/// Handshakes under way at the door.
const PENDING_HANDSHAKES_MAX: u32 = 4;

const PROTOCOLS: &[StreamProtocol] = &[StreamProtocol::new("/overread/pair/1")];

#[derive(NetworkBehaviour)]
#[behaviour(to_swarm = "DoorEvent")]
pub(super) struct Door {
    doorkeeper: Doorkeeper,
    limits: connection_limits::Behaviour,
    pub(super) streams: Streams,
}

pub(super) enum DoorEvent {
    Streams(StreamEvent),
}

impl From<StreamEvent> for DoorEvent {
    fn from(event: StreamEvent) -> Self {
        Self::Streams(event)
    }
}

impl From<Infallible> for DoorEvent {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

pub(super) fn throw_away_swarm() -> Result<Swarm<Door>, DoorError> {
    let keypair = Keypair::generate_ed25519();
    let limits = connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(Some(PENDING_HANDSHAKES_MAX))
        .with_max_established_incoming(Some(1));
    let door = Door {
        doorkeeper: Doorkeeper { rate: HandshakeRate::new(HandshakeLimits::default()), guest: None },
        limits: connection_limits::Behaviour::new(limits),
        streams: Streams::new(PROTOCOLS),
    };
    let transport = transport::build(&keypair).map_err(|why| DoorError::Start(StartError::Identity(why)))?;
    let config = libp2p::swarm::Config::with_tokio_executor();
    Ok(Swarm::new(transport, door, keypair.public().to_peer_id(), config))
}

/// Takes guests one after the other until the time is up or the opener is gone.
pub(super) async fn keep_door(
    mut swarm: Swarm<Door>,
    guests: mpsc::Sender<DoorFrames>,
    mut closed: oneshot::Receiver<()>,
    beacon: Option<Beacon>,
) {
    let time_is_up = Instant::now() + DOOR_OPEN_MAX;
    let mut guests = Some((guests, beacon));
    let mut inside: Option<Inside> = None;
    while guests.is_some() || inside.is_some() {
        let deadline = inside.as_ref().and_then(|inside| inside.until);
        tokio::select! {
            event = swarm.select_next_some() => match event {
                SwarmEvent::ConnectionEstablished { connection_id, .. } => {
                    let until = Some(Instant::now() + GREETING_MAX);
                    inside = Some(Inside { connection: connection_id, until, left: None });
                }
                SwarmEvent::ConnectionClosed { connection_id, .. } => {
                    inside.take_if(|inside| inside.connection == connection_id);
                }
                SwarmEvent::Behaviour(DoorEvent::Streams(event)) => {
                    if let StreamOutcome::Accepted(stream) = event.outcome
                        && let Some(inside) = &mut inside
                        && inside.connection == event.connection
                        && inside.left.is_none()
                    {
                        let (frames, left) = DoorFrames::new(stream);
                        (inside.until, inside.left) = (None, Some(left));
                        let taken = guests.as_ref().is_some_and(|(guests, _)| guests.try_send(frames).is_ok());
                        if !taken {
                            swarm.close_connection(event.connection);
                        }
                    }
                }
                _ => {}
            },
            () = has_left(inside.as_mut()) => {
                if let Some(inside) = inside.take() {
                    swarm.close_connection(inside.connection);
                }
            }
            () = sleep_until_or_never(deadline) => {
                if let Some(inside) = &mut inside {
                    inside.until = None;
                    swarm.close_connection(inside.connection);
                }
            }
            _ = &mut closed, if guests.is_some() => guests = None,
            () = sleep_until(time_is_up), if guests.is_some() => guests = None,
        }
    }
    close(swarm).await;
}

/// The guest.
struct Inside {
    connection: ConnectionId,
    /// By when a stream must be open.
    until: Option<Instant>,
    /// Resolves when the conversation is dropped.
    left: Option<oneshot::Receiver<()>>,
}

async fn has_left(inside: Option<&mut Inside>) {
    match inside.and_then(|inside| inside.left.as_mut()) {
        // An error is the sign: the sender was dropped with the conversation.
        Some(left) => drop(left.await),
        None => future::pending().await,
    }
}

pub(super) async fn keep_conversation(mut swarm: Swarm<Door>, mut left: oneshot::Receiver<()>) {
    loop {
        tokio::select! {
            _ = swarm.select_next_some() => {}
            _ = &mut left => break,
        }
    }
    close(swarm).await;
}

/// Closes what is open, in good order.
async fn close(mut swarm: Swarm<Door>) {
    let peers: Vec<PeerId> = swarm.connected_peers().copied().collect();
    for peer in peers {
        let _ = swarm.disconnect_peer_id(peer); // it may have gone by itself
    }
    let all_closed = async {
        while swarm.network_info().num_peers() > 0 {
            swarm.select_next_some().await;
        }
    };
    let _ = timeout(Duration::from_secs(1), all_closed).await;
}

async fn sleep_until_or_never(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => future::pending().await,
    }
}

/// Lets one guest in at a time, and no address too often.
pub(super) struct Doorkeeper {
    rate: HandshakeRate,
    guest: Option<ConnectionId>,
}

impl NetworkBehaviour for Doorkeeper {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        if ip_of(remote).is_some_and(|ip| !self.rate.allows(ip, Instant::now())) {
            return Err(ConnectionDenied::new(DoorError::Busy));
        }
        Ok(())
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if self.guest.is_some() {
            return Err(ConnectionDenied::new(DoorError::Busy));
        }
        self.guest = Some(connection);
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        let gone = match event {
            FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) => connection_id,
            FromSwarm::ListenFailure(failure) => failure.connection_id,
            _ => return,
        };
        self.guest.take_if(|guest| *guest == gone);
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}
