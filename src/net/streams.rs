//! Opening streams without losing any.
//!
//! A small behaviour of our own instead of libp2p-stream 0.5, whose `accept` drops inbound streams that arrive
//! together while their opener believes them open (rust-libp2p #5651). Here each protocol gets one stream a
//! direction: the opener asks for one at a time and waits for an acknowledgement byte, which the accepting side
//! writes as part of the negotiation; what fails is tried again a few times, then reported. An accepted stream
//! is handed over, never parked in a queue that could be full.
//!
//! What flows on the streams is not known here: the lanes of a session (`lanes.rs`) and the pairing door both
//! stand on this. Connections with this behaviour stay open while idle: who has one has passed the gate.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::iter;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::core::transport::PortUse;
use libp2p::core::{Endpoint, UpgradeInfo, upgrade};
use libp2p::swarm::handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour,
    NotifyHandler, Stream, StreamProtocol, StreamUpgradeError, SubstreamProtocol, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use tokio::time::Sleep;

/// What the accepting side writes first.
const ACCEPTED: u8 = 1;

/// Time for one stream to be negotiated and acknowledged: generous, a slow link may be busy.
const NEGOTIATION_MAX: Duration = Duration::from_secs(20);

/// Tries for one stream before it is reported as refused.
const TRIES_MAX: u32 = 5;

/// Wait before the next try.
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// Streams one connection may open to us over its life: each protocol's one, and room for retries.
const ACCEPTED_MAX: usize = 32;

/// Opens and accepts streams of a fixed list of protocols; protocols are named by their place in the list.
pub(super) struct Streams {
    protocols: &'static [StreamProtocol],
    actions: VecDeque<ToSwarm<StreamEvent, usize>>,
    waker: Option<Waker>,
}

/// What became of a stream.
#[derive(Debug)]
pub(super) struct StreamEvent {
    pub(super) peer: PeerId,
    pub(super) connection: ConnectionId,
    pub(super) protocol: usize,
    pub(super) outcome: StreamOutcome,
}

#[derive(Debug)]
pub(super) enum StreamOutcome {
    /// Ours to write on.
    Opened(Stream),
    /// The peer's to write on.
    Accepted(Stream),
    Refused(String),
}

impl Streams {
    pub(super) fn new(protocols: &'static [StreamProtocol]) -> Self {
        Self { protocols, actions: VecDeque::new(), waker: None }
    }

    /// Asks for a stream of `protocol` on a connection.
    pub(super) fn open(&mut self, peer: PeerId, connection: ConnectionId, protocol: usize) {
        let handler = NotifyHandler::One(connection);
        self.actions.push_back(ToSwarm::NotifyHandler { peer_id: peer, handler, event: protocol });
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl NetworkBehaviour for Streams {
    type ConnectionHandler = StreamsHandler;
    type ToSwarm = StreamEvent;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(StreamsHandler::new(self.protocols))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(StreamsHandler::new(self.protocols))
    }

    fn on_swarm_event(&mut self, _: FromSwarm) {}

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        let (protocol, outcome) = event;
        let event = StreamEvent { peer, connection: id, protocol, outcome };
        self.actions.push_back(ToSwarm::GenerateEvent(event));
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some(action) = self.actions.pop_front() {
            return Poll::Ready(action);
        }
        self.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

/// The part of [`Streams`] that lives with one connection.
pub(super) struct StreamsHandler {
    protocols: &'static [StreamProtocol],
    to_open: VecDeque<usize>,
    opening: Option<Opening>,
    accepted: usize,
    outcomes: VecDeque<(usize, StreamOutcome)>,
    waker: Option<Waker>,
}

struct Opening {
    protocol: usize,
    tries: u32,
    state: OpeningState,
}

enum OpeningState {
    ToRequest,
    Requested,
    Waiting(Pin<Box<Sleep>>),
}

impl StreamsHandler {
    fn new(protocols: &'static [StreamProtocol]) -> Self {
        Self { protocols, to_open: VecDeque::new(), opening: None, accepted: 0, outcomes: VecDeque::new(), waker: None }
    }

    fn failed(&mut self, error: StreamUpgradeError<io::Error>) {
        let Some(opening) = &mut self.opening else { return };
        opening.tries += 1;
        let hopeless = matches!(error, StreamUpgradeError::NegotiationFailed);
        if hopeless || opening.tries >= TRIES_MAX {
            let why = match error {
                StreamUpgradeError::Timeout => "no answer in time".to_string(),
                StreamUpgradeError::NegotiationFailed => "another version of the program".to_string(),
                StreamUpgradeError::Apply(error) | StreamUpgradeError::Io(error) => error.to_string(),
            };
            self.outcomes.push_back((opening.protocol, StreamOutcome::Refused(why)));
            self.opening = None;
        } else {
            opening.state = OpeningState::Waiting(Box::pin(tokio::time::sleep(RETRY_AFTER)));
        }
    }
}

impl ConnectionHandler for StreamsHandler {
    type FromBehaviour = usize;
    type ToBehaviour = (usize, StreamOutcome);
    type InboundProtocol = Negotiation;
    type OutboundProtocol = Negotiation;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Negotiation, ()> {
        SubstreamProtocol::new(Negotiation { protocols: self.protocols, only: None }, ()).with_timeout(NEGOTIATION_MAX)
    }

    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Negotiation, (), Self::ToBehaviour>> {
        if let Some(outcome) = self.outcomes.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(outcome));
        }
        if self.opening.is_none() {
            let next = self.to_open.pop_front();
            self.opening = next.map(|protocol| Opening { protocol, tries: 0, state: OpeningState::ToRequest });
        }
        if let Some(opening) = &mut self.opening {
            if let OpeningState::Waiting(sleep) = &mut opening.state
                && sleep.as_mut().poll(context).is_ready()
            {
                opening.state = OpeningState::ToRequest;
            }
            if let OpeningState::ToRequest = opening.state {
                opening.state = OpeningState::Requested;
                let negotiation = Negotiation { protocols: self.protocols, only: Some(opening.protocol) };
                let protocol = SubstreamProtocol::new(negotiation, ()).with_timeout(NEGOTIATION_MAX);
                return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
            }
        }
        self.waker = Some(context.waker().clone());
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, protocol: usize) {
        self.to_open.push_back(protocol);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<Negotiation, Negotiation>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: (index, stream), .. }) => {
                self.accepted += 1;
                if self.accepted <= ACCEPTED_MAX {
                    self.outcomes.push_back((index, StreamOutcome::Accepted(stream)));
                }
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol: (index, stream), .. }) => {
                self.opening = None;
                self.outcomes.push_back((index, StreamOutcome::Opened(stream)));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => self.failed(error),
            _ => {}
        }
    }
}

/// Agrees on a protocol and exchanges the acknowledgement byte.
pub(super) struct Negotiation {
    protocols: &'static [StreamProtocol],
    /// The one protocol asked for; all when accepting.
    only: Option<usize>,
}

impl UpgradeInfo for Negotiation {
    type Info = StreamProtocol;
    type InfoIter = iter::Cloned<std::slice::Iter<'static, StreamProtocol>>;

    fn protocol_info(&self) -> Self::InfoIter {
        let asked = match self.only {
            Some(index) => self.protocols.get(index..=index).unwrap_or_default(),
            None => self.protocols,
        };
        asked.iter().cloned()
    }
}

impl Negotiation {
    fn index(&self, protocol: &StreamProtocol) -> io::Result<usize> {
        self.protocols.iter().position(|known| known == protocol).ok_or_else(|| io::ErrorKind::Unsupported.into())
    }
}

impl upgrade::InboundUpgrade<Stream> for Negotiation {
    type Output = (usize, Stream);
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Output>>;

    fn upgrade_inbound(self, mut stream: Stream, protocol: StreamProtocol) -> Self::Future {
        Box::pin(async move {
            let index = self.index(&protocol)?;
            stream.write_all(&[ACCEPTED]).await?;
            stream.flush().await?;
            Ok((index, stream))
        })
    }
}

impl upgrade::OutboundUpgrade<Stream> for Negotiation {
    type Output = (usize, Stream);
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Output>>;

    fn upgrade_outbound(self, mut stream: Stream, protocol: StreamProtocol) -> Self::Future {
        Box::pin(async move {
            let index = self.index(&protocol)?;
            let mut answer = [0];
            stream.read_exact(&mut answer).await?;
            match answer {
                [ACCEPTED] => Ok((index, stream)),
                _ => Err(io::Error::new(io::ErrorKind::InvalidData, "not the acknowledgement byte")),
            }
        })
    }
}
