//! The program's end: a handle for commands and frames out, one queue for everything that comes in.
//!
//! [`Network`] may be cloned freely. [`NetworkEvents`] has one owner, who must keep receiving: everything
//! upstream is bounded, so a program that awaits [`Network::send`] in the very task that should receive can
//! stand still together with its peer, each waiting for the other to read.

use std::collections::HashMap;
use std::sync::Arc;

use libp2p::Multiaddr;
use tokio::sync::{mpsc, oneshot, watch};

use super::address::{Carrier, Path};
use super::beacon::BeaconConfig;
use super::dial::Reach;
use super::frames::FrameError;
use super::gate::HandshakeLimits;
use super::lanes::{Inbound, LaneTable, WritableLanes, inbound_queues};
use super::swarm::Owner;
use super::{Lane, NetworkEvent, SessionId};
use crate::identity::keys::{Secret, SigningSecret, TransportKey};

/// Commands not yet carried out.
const COMMANDS_MAX: usize = 64;

/// Notices (everything but frames) not yet taken by the program. The owner holds as many again, then stops
/// listening to the swarm.
pub(super) const NOTICES_MAX: usize = 128;

/// How a network starts.
pub struct NetworkConfig {
    /// This device's transport key.
    pub transport: SigningSecret,
    /// Where to listen, as [`listen_everywhere`] gives; port 0 takes any. Empty: dial only.
    pub listen: Vec<Multiaddr>,
    /// `None`: neither ask nor answer on the local network.
    pub beacon: Option<BeaconConfig>,
    pub handshakes: HandshakeLimits,
}

/// A device that may connect.
#[derive(Default)]
pub struct AdmittedPeer {
    /// Where it may be: from its card or a person.
    pub addresses: Vec<Multiaddr>,
    /// What both devices know, as [`super::beacon::pair_secret`] gives; without it the beacon leaves it out.
    pub pair_secret: Option<Secret>,
}

/// TCP and QUIC on every interface, IPv4 and IPv6.
pub fn listen_everywhere(port: u16) -> Vec<Multiaddr> {
    use libp2p::multiaddr::Protocol::{Ip4, Ip6, QuicV1, Tcp, Udp};
    let any = [Ip4([0; 4].into()), Ip6([0; 16].into())];
    let addresses = any.into_iter().flat_map(|ip| {
        let ip = Multiaddr::empty().with(ip);
        [ip.clone().with(Tcp(port)), ip.with(Udp(port)).with(QuicV1)]
    });
    addresses.collect()
}

/// A peer's state, for lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerStatus {
    pub peer: TransportKey,
    pub session: SessionId,
    pub path: Path,
    pub carrier: Carrier,
    pub address: Multiaddr,
    /// More than one only while two simultaneous dials are being sorted out.
    pub connections: usize,
}

pub(super) enum Command {
    Admit(HashMap<TransportKey, AdmittedPeer>, oneshot::Sender<()>),
    AddAddress(TransportKey, Multiaddr),
    Peers(oneshot::Sender<Vec<PeerStatus>>),
    ListenAddresses(oneshot::Sender<Vec<Multiaddr>>),
    Reach(oneshot::Sender<HashMap<TransportKey, Reach>>),
    TryNow,
    ShutDown(oneshot::Sender<()>),
}

/// The handle of a running network.
#[derive(Clone)]
pub struct Network {
    commands: mpsc::Sender<Command>,
    lanes: Arc<LaneTable>,
}

impl Network {
    /// Starts a network inside the running tokio runtime. It ends with [`Self::shutdown`], or when every handle or
    /// the events are dropped.
    ///
    /// # Errors
    /// If none of the listen addresses can be used.
    pub fn start(
        config: NetworkConfig,
        admitted: HashMap<TransportKey, AdmittedPeer>,
    ) -> Result<(Self, NetworkEvents), StartError> {
        let (commands, command_receiver) = mpsc::channel(COMMANDS_MAX);
        let (notices, notice_receiver) = mpsc::channel(NOTICES_MAX);
        let (sink, queues) = inbound_queues();
        let lanes = Arc::new(LaneTable::default());
        let writable = Arc::new(WritableLanes::default());
        let mut owner = Owner::new(config, command_receiver, notices, sink, lanes.clone(), writable.clone())?;
        owner.admit(admitted);
        tokio::spawn(owner.run());
        let [control, bulk] = queues;
        let events = NetworkEvents { notices: notice_receiver, control, bulk, writable, held: None };
        Ok((Self { commands, lanes }, events))
    }

    /// Replaces the set of devices that may connect. Sessions with others end at once; the missing are dialled.
    pub async fn set_admitted(&self, admitted: HashMap<TransportKey, AdmittedPeer>) -> Result<(), NetworkClosed> {
        self.ask(|answer| Command::Admit(admitted, answer)).await
    }

    /// Notes where an admitted device may be, and tries there.
    pub async fn add_address(&self, peer: TransportKey, address: Multiaddr) -> Result<(), NetworkClosed> {
        self.commands.send(Command::AddAddress(peer, address)).await.map_err(|_| NetworkClosed)
    }

    /// The sessions that stand.
    pub async fn peers(&self) -> Result<Vec<PeerStatus>, NetworkClosed> {
        self.ask(Command::Peers).await
    }

    /// Where this device can be reached.
    pub async fn listen_addresses(&self) -> Result<Vec<Multiaddr>, NetworkClosed> {
        self.ask(Command::ListenAddresses).await
    }

    /// How things stand with each device that may connect.
    pub async fn reach(&self) -> Result<HashMap<TransportKey, Reach>, NetworkClosed> {
        self.ask(Command::Reach).await
    }

    /// Tries whoever is missing at once, within the limits of how often a device is dialled.
    pub async fn try_now(&self) -> Result<(), NetworkClosed> {
        self.commands.send(Command::TryNow).await.map_err(|_| NetworkClosed)
    }

    /// Queues a frame of 1 byte to [`super::FRAME_BYTES_MAX`], waiting for room. Queued is not delivered.
    ///
    /// # Errors
    /// If there is no session, or it ends while waiting.
    pub async fn send(&self, peer: TransportKey, lane: Lane, bytes: Vec<u8>) -> Result<(), SendError> {
        let sender = self.lanes.sender(&peer, lane).ok_or(SendError::NotConnected)?;
        sender.send(bytes).await
    }

    /// Like [`Self::send`], but into this one session: what was meant for a session that has ended since, though
    /// another may have taken its place, is refused.
    ///
    /// # Errors
    /// If the session has ended, or ends while waiting.
    pub async fn send_in(
        &self,
        peer: TransportKey,
        session: SessionId,
        lane: Lane,
        bytes: Vec<u8>,
    ) -> Result<(), SendError> {
        let sender = self.lanes.sender_of(&peer, session, lane).ok_or(SendError::NotConnected)?;
        sender.send(bytes).await
    }

    /// Queues a frame if there is room; else gives it back, and [`NetworkEvent::Writable`] tells when to try again.
    ///
    /// # Errors
    /// If there is no room or no session.
    pub fn try_send(&self, peer: TransportKey, lane: Lane, bytes: Vec<u8>) -> Result<(), TrySendError> {
        let sender = self.lanes.sender(&peer, lane).ok_or(SendError::NotConnected)?;
        sender.try_send(bytes)
    }

    /// Lets the peers read what is queued (for at most two seconds), closes every connection and ends the network.
    pub async fn shutdown(&self) {
        // An error means that it has ended already.
        let _ = self.ask(Command::ShutDown).await;
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, NetworkClosed> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(command(answer)).await.map_err(|_| NetworkClosed)?;
        answered.await.map_err(|_| NetworkClosed)
    }
}

/// Something to tell the program, and whom to tell that it was told.
pub(super) struct Notice {
    pub(super) event: NetworkEvent,
    pub(super) announced: Option<watch::Sender<bool>>,
}

/// Everything that comes in. Notices come first, then control frames, then bulk frames.
pub struct NetworkEvents {
    notices: mpsc::Receiver<Notice>,
    control: mpsc::Receiver<Inbound>,
    bulk: mpsc::Receiver<Inbound>,
    writable: Arc<WritableLanes>,
    held: Option<Held>,
}

/// The end of a session, held back until the frames that stood before it have been taken.
struct Held {
    event: NetworkEvent,
    control_before: usize,
    bulk_before: usize,
}

impl NetworkEvents {
    /// The next event, or `None` when the network has ended and everything was taken. Safe to cancel.
    pub async fn recv(&mut self) -> Option<NetworkEvent> {
        loop {
            if let Some(held) = self.held.take_if(|held| held.control_before == 0 && held.bulk_before == 0) {
                return Some(held.event);
            }
            tokio::select! {
                biased;
                Some(notice) = self.notices.recv(), if self.held.is_none() => {
                    if let NetworkEvent::Disconnected { .. } = notice.event {
                        let (control_before, bulk_before) = (self.control.len(), self.bulk.len());
                        self.held = Some(Held { event: notice.event, control_before, bulk_before });
                        continue;
                    }
                    if let Some(announced) = notice.announced {
                        announced.send_replace(true);
                    }
                    return Some(notice.event);
                }
                Some(frame) = self.control.recv() => {
                    if let Some(held) = &mut self.held {
                        held.control_before = held.control_before.saturating_sub(1);
                    }
                    return Some(frame.into_event());
                }
                Some((peer, lane)) = self.writable.next() => return Some(NetworkEvent::Writable { peer, lane }),
                Some(frame) = self.bulk.recv() => {
                    if let Some(held) = &mut self.held {
                        held.bulk_before = held.bulk_before.saturating_sub(1);
                    }
                    return Some(frame.into_event());
                }
                else => return None,
            }
        }
    }
}

impl Inbound {
    fn into_event(self) -> NetworkEvent {
        let Self { peer, session, lane, bytes, .. } = self;
        NetworkEvent::Frame { peer, session, lane, bytes }
    }
}

/// The network has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the network is closed")]
pub struct NetworkClosed;

/// Why a network cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the device's transport key cannot be used: {0}")]
    Identity(String),
    #[error("cannot listen on {address}: {why}; perhaps another program uses the port")]
    Listen { address: Multiaddr, why: String },
}

/// Why a frame was not queued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    #[error("there is no connection to this device")]
    NotConnected,
    #[error(transparent)]
    BadFrame(#[from] FrameError),
}

/// Why a frame was not queued at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrySendError {
    /// Holds the frame.
    #[error("the lane has no room")]
    Full(Vec<u8>),
    #[error(transparent)]
    Failed(#[from] SendError),
}
