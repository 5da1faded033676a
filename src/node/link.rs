//! The shell around the sync machine: frames to and from the network, entries and chunks to and from the store.
//!
//! The machine decides, this carries out ([`Node::carry_out_effects`]). Rights are checked here a second time, at the
//! moment of sending: a chunk goes only to a device that is current in the case's fold and only while its study is
//! not withdrawn. Received chunks go to one writer thread that makes many durable with one fsync and reports back;
//! frames go to one task a peer and lane, so a slow line holds up nobody else.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use minicbor::bytes::ByteVec;
use tokio::sync::mpsc;

use super::api::{Failure, FailureCode};
use super::core::{Node, now};
use crate::encoding::id::{CaseId, ChunkId, EntryId, StudyId};
use crate::identity::keys::{DeviceKey, IdentityKey, SigningSecret, TransportKey};
use crate::net::beacon::{BeaconConfig, BeaconInterfaces};
use crate::net::{
    AdmittedPeer, HandshakeLimits, Multiaddr, Network, NetworkConfig, NetworkEvent, NetworkEvents, Path, Reach,
    SessionId, listen_everywhere,
};
use crate::store::{Batch, Store, StoreError, VerifiedChunk};
use crate::sync::event::{Effect, Event as SyncEvent, Flow, Lane, Standing, TimerKey};
use crate::sync::machine::Machine;
use crate::sync::message::{Chunk, Entries, List, Message};

/// Frames on their way to one peer's lane; the machine keeps fewer in flight.
const OUTGOING_MAX: usize = 1024;

/// Chunks on their way to the disk, at most. The machine stops asking before.
const STORING_CHUNKS_MAX: usize = 512;

/// Chunks made durable in one go.
const STORING_BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Network and sync machine of an open or locked node.
pub(super) struct Link {
    network: Network,
    events: NetworkEvents,
    machine: Machine,
    started: Instant,
    timers: BinaryHeap<Reverse<(Duration, TimerKey)>>,
    /// By peer, and whether it is the bulk lane.
    outgoing: HashMap<(DeviceKey, bool), mpsc::Sender<Outgoing>>,
    to_store: mpsc::Sender<(CaseId, StudyId, ChunkId, Vec<u8>)>,
    connected: BTreeMap<DeviceKey, Connected>,
    /// Devices of colleagues as they were when the vault was locked: whom a locked node takes a case from.
    pub colleagues: HashMap<TransportKey, (IdentityKey, DeviceKey)>,
    shares: Shares,
    /// What the machine has not been told yet.
    told: VecDeque<SyncEvent>,
}

/// Which cases each connected device shares with this one, and how.
pub(super) type Shares = HashMap<(DeviceKey, CaseId), Standing>;

/// A device there is a session with.
#[derive(Debug, Clone)]
pub(super) struct Connected {
    pub transport: TransportKey,
    pub session: SessionId,
    pub identity: IdentityKey,
    pub path: Path,
    pub address: Multiaddr,
}

/// A frame for one lane of a peer.
enum Outgoing {
    Message(Message),
    /// Read from the store when its turn comes.
    Chunk(CaseId, ChunkId),
}

/// What the node's own tasks report.
pub(super) enum Inner {
    Sent {
        peer: DeviceKey,
        session: SessionId,
        lane: Lane,
        bytes: usize,
        /// If it was one.
        chunk: Option<(CaseId, ChunkId)>,
    },
    ChunkUnavailable {
        peer: DeviceKey,
        session: SessionId,
        case: CaseId,
        chunk: ChunkId,
    },
    Durable {
        case: CaseId,
        chunk: ChunkId,
    },
    NotStored {
        chunk: ChunkId,
        full: bool,
    },
    /// A task finished; the node takes over what it made and answers.
    Finished(super::beside::TakeOver, mpsc::Sender<super::api::Answer>),
    /// The reader of a bundle asks.
    Unpacking(Box<super::bundles::Unpacking>),
    /// Something happened beside the node that everybody who follows should hear.
    Happened(String),
    /// Why a neighbour was refused.
    NeighbourRefused(String),
    /// Something arrived in the inbox, or a sender has ended.
    InboxChanged,
    /// An app that had a case open may have left.
    Left,
    /// A pairing came to its end.
    Paired(Box<super::pairing::Ended>),
}

impl Link {
    fn start(
        transport: SigningSecret,
        listen: Vec<Multiaddr>,
        beacon: Option<BeaconConfig>,
        me: DeviceKey,
        store: Arc<Store>,
        inner: mpsc::Sender<Inner>,
    ) -> Result<Self, Failure> {
        let config = NetworkConfig { transport, listen, beacon, handshakes: HandshakeLimits::default() };
        let (network, events) = Network::start(config, HashMap::new()).map_err(|error| {
            Failure::new(FailureCode::Failed, format!("The network cannot start: {error}"))
                .hint("Choose another address with --listen, or none at all.")
        })?;
        let (to_store, chunks) = mpsc::channel(STORING_CHUNKS_MAX);
        std::thread::Builder::new()
            .name("chunk-writer".into())
            .spawn(move || write_chunks(&store, chunks, &inner))
            .map_err(|error| Failure::new(FailureCode::Failed, format!("No thread for the disk: {error}")))?;
        Ok(Self {
            network,
            events,
            machine: Machine::new(me),
            started: Instant::now(),
            timers: BinaryHeap::new(),
            outgoing: HashMap::new(),
            to_store,
            connected: BTreeMap::new(),
            colleagues: HashMap::new(),
            shares: Shares::new(),
            told: VecDeque::new(),
        })
    }

    /// The next event of the network; never, while there is none.
    pub async fn next_event(link: &mut Option<Self>) -> Option<NetworkEvent> {
        match link {
            Some(link) => match link.events.recv().await {
                Some(event) => Some(event),
                None => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    }

    pub fn next_timer(&self) -> Option<Instant> {
        self.timers.peek().map(|Reverse((at, _))| self.started + *at)
    }

    pub async fn shutdown(self) {
        self.network.shutdown().await;
    }

    pub fn connected(&self) -> &BTreeMap<DeviceKey, Connected> {
        &self.connected
    }

    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// What a device was asked for and has not sent.
    pub fn taking(&self, device: &DeviceKey) -> Flow {
        self.machine.taking(device, self.started.elapsed())
    }

    /// How things stand with each device that may connect.
    pub async fn reach(&self) -> HashMap<TransportKey, Reach> {
        // A network that is ending reaches nobody.
        self.network.reach().await.unwrap_or_default()
    }

    /// Tries whoever is missing at once.
    pub async fn try_now(&self) {
        let _ = self.network.try_now().await; // as above
    }

    /// Tells the gate who may connect; sessions of others end.
    pub async fn admit(&self, admitted: HashMap<TransportKey, AdmittedPeer>) {
        // A network that is ending admits nobody.
        let _ = self.network.set_admitted(admitted).await;
    }

    /// Which cases each connected device shares with this one, and how.
    pub fn shares(&self) -> &Shares {
        &self.shares
    }

    pub fn share(&mut self, peer: DeviceKey, case: CaseId, standing: Standing) {
        self.shares.insert((peer, case), standing);
    }

    /// Replaces all shares; gives those before.
    pub fn set_shares(&mut self, shares: Shares) -> Shares {
        std::mem::replace(&mut self.shares, shares)
    }
}

impl Node {
    /// Starts the network unless it runs.
    pub async fn connect(&mut self) -> Result<(), Failure> {
        if self.link.is_some() {
            return Ok(());
        }
        let listen: Vec<Multiaddr> = match self.options.listen.as_slice() {
            [] => listen_everywhere(0),
            given => given.iter().map(|address| parse_address(address)).collect::<Result<_, _>>()?,
        };
        let me = self.me()?;
        let transport = SigningSecret::from_seed(me.vault.keys().device.transport.seed().duplicate());
        let device = me.device();
        let interfaces = if only_loopback(&listen) { BeaconInterfaces::Loopback } else { BeaconInterfaces::All };
        let beacon = self.options.beacon.then(|| BeaconConfig { interfaces, ..BeaconConfig::default() });
        let store = Arc::clone(self.store()?);
        self.link = Some(Link::start(transport, listen, beacon, device, store, self.inner.clone())?);
        self.restore_frontiers();
        self.update_gate().await;
        self.want_everything().await;
        Ok(())
    }

    fn restore_frontiers(&mut self) {
        let known: Vec<_> = self.frontiers.arrived().map(|(key, frontier)| (*key, frontier.clone())).collect();
        for ((peer, case), frontier) in known {
            self.tell(SyncEvent::FrontierRestored { peer, case, frontier });
        }
    }

    pub async fn listen_addresses(&self) -> Vec<String> {
        match &self.link {
            Some(link) => {
                let addresses = link.network.listen_addresses().await.unwrap_or_default();
                addresses.iter().map(ToString::to_string).collect()
            }
            None => Vec::new(),
        }
    }

    /// Tells the machine something; [`Node::drive`] lets it decide.
    pub fn tell(&mut self, event: SyncEvent) {
        if let Some(link) = &mut self.link {
            link.told.push_back(event);
        }
    }

    /// Lets the machine decide on what it was told and carries that out, until there is nothing more to decide.
    pub async fn drive(&mut self) {
        while let Some(link) = &mut self.link {
            let Some(event) = link.told.pop_front() else { return };
            let mut effects = Vec::new();
            let now = link.started.elapsed();
            link.machine.handle(event, now, &self.rooms.logs, &mut effects);
            for effect in effects {
                if let Some(event) = self.carry_out_effect(effect).await {
                    self.tell(event);
                }
            }
        }
    }

    async fn carry_out_effect(&mut self, effect: Effect) -> Option<SyncEvent> {
        match effect {
            Effect::Send { peer, lane, message } => self.queue(peer, lane, Outgoing::Message(message)),
            Effect::SendEntries { peer, case, ids } => {
                let entries = self.entries_for(&peer, case, &ids);
                match entries {
                    Some(message) => self.queue(peer, Lane::Control, Outgoing::Message(message)),
                    None => Some(SyncEvent::Sent { peer, lane: Lane::Control, bytes: 0 }),
                }
            }
            Effect::SendChunk { peer, case, chunk } => {
                let may = self.link.as_ref().is_some_and(|link| link.machine.may_send(&peer, &case));
                if may && self.studies.may_serve(case, chunk) {
                    self.queue(peer, Lane::Bulk, Outgoing::Chunk(case, chunk))
                } else {
                    Some(SyncEvent::ChunkUnavailable { peer, case, chunk })
                }
            }
            Effect::AcceptEntries { peer, case, entries } => Some(self.accept_entries(peer, case, entries).await),
            Effect::StoreChunk { case, chunk, bytes } => {
                let study = self.studies.study_of(&chunk);
                let link = self.link.as_ref()?;
                match study {
                    // The writer thread depends on nothing here, so waiting for room cannot stand still.
                    Some(study) => drop(link.to_store.send((case, study, chunk, bytes)).await),
                    None => return Some(SyncEvent::ChunkNotStored { chunk }),
                }
                None
            }
            Effect::SetTimer { timer, at } => {
                self.link.as_mut()?.timers.push(Reverse((at, timer)));
                None
            }
            Effect::FrontierKnown { peer, case, frontier } => {
                self.keep_frontier(peer, case, frontier).await;
                None
            }
            Effect::DeliveryChanged { .. } => {
                self.serve_waiters().await;
                None
            }
            Effect::Offered { peer, case } => self.offered(peer, case),
            Effect::OwnLogAhead { case, sequence, .. } => {
                tracing::error!(case = %case.short(), sequence, "a colleague holds entries of this device that are not here");
                self.happened(
                    "a colleague holds entries of this device that are not here: nothing is written until they are",
                    Some(case.to_string()),
                    None,
                );
                None
            }
            Effect::Incomplete { case, why, .. } => {
                self.happened(&format!("incomplete: {why:?}"), Some(case.to_string()), None);
                None
            }
            Effect::LiveReceived { peer, case, slot, bytes } => {
                self.live_received(peer, case, slot, &bytes);
                None
            }
            Effect::CardsReceived { cards, .. } => {
                self.cards_received(cards).await;
                None
            }
            Effect::Incompatible { version, .. } => {
                self.happened(&format!("a colleague's program speaks format {version}"), None, None);
                None
            }
            Effect::Breach { peer, case, what } => {
                tracing::warn!(peer = %peer.short(), case = case.map(|case| case.short()), %what, "a peer broke the rules");
                let who = self.device_owner(&peer);
                self.happened(&format!("refused: {what}"), case.map(|case| case.to_string()), who);
                None
            }
        }
    }

    fn queue(&mut self, peer: DeviceKey, lane: Lane, what: Outgoing) -> Option<SyncEvent> {
        let nothing_sent = Some(SyncEvent::Sent { peer, lane, bytes: 0 });
        let Some(link) = &mut self.link else { return nothing_sent };
        let Some(connected) = link.connected.get(&peer) else { return nothing_sent };
        let session = (connected.transport, connected.session);
        let Ok(store) = self.store.as_ref().map(Arc::clone).ok_or(()) else { return nothing_sent };
        let sender = link.outgoing.entry((peer, lane == Lane::Bulk)).or_insert_with(|| {
            let (sender, outgoing) = mpsc::channel(OUTGOING_MAX);
            tokio::spawn(send_frames(peer, session, lane, outgoing, link.network.clone(), store, self.inner.clone()));
            sender
        });
        match sender.try_send(what) {
            Ok(()) => None,
            Err(_) => nothing_sent,
        }
    }

    /// Entries for a peer that may have them now.
    fn entries_for(&self, peer: &DeviceKey, case: CaseId, ids: &[EntryId]) -> Option<Message> {
        let link = self.link.as_ref()?;
        let store = self.store.as_ref()?;
        if !link.machine.may_send(peer, &case) {
            return None;
        }
        let mut entries = Vec::with_capacity(ids.len());
        for id in ids {
            entries.push(ByteVec::from(store.entry(case, *id).ok()??));
        }
        Some(Message::Entries(Entries { case, entries: List(entries) }))
    }

    /// Something happened on the network.
    pub async fn network_event(&mut self, event: Option<NetworkEvent>) {
        match event {
            Some(NetworkEvent::Connected { peer, session, path, address, .. }) => {
                self.connected(peer, session, path, address).await;
            }
            Some(NetworkEvent::Disconnected { peer, why, .. }) => self.disconnected(peer, &why.to_string()).await,
            Some(NetworkEvent::Frame { peer, bytes, .. }) => {
                if let Some(device) = self.device_of(&peer) {
                    self.tell(SyncEvent::Received { peer: device, frame: bytes });
                }
            }
            Some(NetworkEvent::Refused { address, why }) => {
                tracing::warn!(%address, %why, "the gate refused a connection");
            }
            Some(NetworkEvent::ListenAddress(address)) => tracing::info!(%address, "listening"),
            Some(NetworkEvent::ListenAddressGone(address)) => tracing::info!(%address, "no longer listening"),
            Some(NetworkEvent::Writable { .. } | NetworkEvent::Seen { .. }) | None => {}
        }
    }

    async fn connected(&mut self, transport: TransportKey, session: SessionId, path: Path, address: Multiaddr) {
        let Some((identity, device)) = self.whose(&transport) else { return };
        if let Some(link) = &mut self.link {
            link.outgoing.retain(|(peer, _), _| *peer != device);
            link.shares.retain(|(peer, _), _| *peer != device);
            link.connected.insert(device, Connected { transport, session, identity, path, address });
        }
        self.reached(identity).await;
        self.tell(SyncEvent::Connected { peer: device });
        self.update_shares().await;
        self.tell_cards(device, identity).await;
        let who = self.device_owner(&device);
        self.happened("connected", None, who);
        self.serve_waiters().await;
    }

    async fn disconnected(&mut self, transport: TransportKey, why: &str) {
        let Some(device) = self.device_of(&transport) else { return };
        let mut was_reached = None;
        if let Some(link) = &mut self.link {
            was_reached = link.connected.remove(&device).map(|connected| connected.identity);
            link.outgoing.retain(|(peer, _), _| *peer != device);
            link.shares.retain(|(peer, _), _| *peer != device);
        }
        if let Some(identity) = was_reached {
            self.reached(identity).await;
        }
        self.live_disconnected(&device);
        self.forget_offered().await;
        self.tell(SyncEvent::Disconnected { peer: device });
        let who = self.device_owner(&device);
        tracing::info!(why, "a session ended");
        self.happened("disconnected", None, who);
    }

    fn in_session(&self, peer: &DeviceKey, session: SessionId) -> bool {
        let connected = self.link.as_ref().and_then(|link| link.connected.get(peer));
        connected.is_some_and(|connected| connected.session == session)
    }

    fn device_of(&self, transport: &TransportKey) -> Option<DeviceKey> {
        let connected = self.link.as_ref()?.connected.iter();
        connected.filter(|(_, connected)| connected.transport == *transport).map(|(device, _)| *device).next()
    }

    /// One of the node's own tasks reports.
    pub async fn inner_message(&mut self, message: Inner) {
        match message {
            // Reports from a session that has ended are no longer the machine's business.
            Inner::Sent { peer, session, lane, bytes, chunk } if self.in_session(&peer, session) => {
                if let Some((case, chunk)) = chunk.filter(|_| bytes > 0) {
                    self.transfers.gave(peer, case, chunk, bytes, now());
                }
                self.tell(SyncEvent::Sent { peer, lane, bytes });
            }
            Inner::ChunkUnavailable { peer, session, case, chunk } if self.in_session(&peer, session) => {
                self.tell(SyncEvent::ChunkUnavailable { peer, case, chunk });
            }
            Inner::Sent { .. } | Inner::ChunkUnavailable { .. } => {}
            Inner::Durable { case, chunk } => {
                self.tell(SyncEvent::ChunkDurable { chunk });
                self.chunk_arrived(case, chunk).await;
            }
            Inner::NotStored { chunk, full } => {
                if full {
                    self.happened("the disk is full: the transfer stopped, everything received is kept", None, None);
                }
                self.tell(SyncEvent::ChunkNotStored { chunk });
            }
            Inner::Finished(take_over, answers) => {
                let answer = match take_over(self) {
                    Ok(reply) => super::api::Answer::Done(Box::new(reply)),
                    Err(failure) => super::api::Answer::Failed(failure),
                };
                super::core::answer(&answers, answer).await;
            }
            Inner::Unpacking(unpacking) => self.unpacking(*unpacking).await,
            Inner::NeighbourRefused(why) => self.neighbour_refused(why),
            Inner::InboxChanged => self.inbox_changed(),
            Inner::Left => self.live_left(),
            Inner::Happened(what) => self.happened(&what, None, None),
            Inner::Paired(ended) => self.pairing_ended(*ended).await,
        }
    }

    pub async fn link_timers(&mut self) {
        loop {
            let due = match &mut self.link {
                Some(link) => {
                    let now = link.started.elapsed();
                    match link.timers.peek() {
                        Some(Reverse((at, _))) if *at <= now => link.timers.pop().map(|Reverse((_, timer))| timer),
                        _ => None,
                    }
                }
                None => None,
            };
            let Some(timer) = due else { return };
            self.tell(SyncEvent::Timer(timer));
        }
    }
}

/// Reads an address a person typed in full.
pub(super) fn parse_address(text: &str) -> Result<Multiaddr, Failure> {
    text.parse().map_err(|_| {
        Failure::new(FailureCode::WrongUse, format!("{text} is no address."))
            .hint("Write it like /ip4/192.168.1.20/tcp/4001, or 192.168.1.20:4001 where a colleague's is meant.")
    })
}

fn only_loopback(listen: &[Multiaddr]) -> bool {
    !listen.is_empty() && listen.iter().all(|address| crate::net::path_of(address) == Some(Path::Loopback))
}

/// Sends frames of one lane of one session until it ends.
async fn send_frames(
    peer: DeviceKey,
    (transport, session): (TransportKey, SessionId),
    lane: Lane,
    mut outgoing: mpsc::Receiver<Outgoing>,
    network: Network,
    store: Arc<Store>,
    inner: mpsc::Sender<Inner>,
) {
    let net_lane = match lane {
        Lane::Control => crate::net::Lane::Control,
        Lane::Bulk => crate::net::Lane::Bulk,
    };
    while let Some(what) = outgoing.recv().await {
        let (message, chunk) = match what {
            Outgoing::Message(message) => (message, None),
            Outgoing::Chunk(case, chunk) => match store.read_chunk(chunk) {
                Ok(Some(bytes)) => {
                    (Message::Chunk(Chunk { case, id: chunk, bytes: ByteVec::from(bytes) }), Some((case, chunk)))
                }
                Ok(None) | Err(_) => {
                    let _ = inner.send(Inner::ChunkUnavailable { peer, session, case, chunk }).await;
                    continue;
                }
            },
        };
        let frame = message.into_frame().into_vec();
        let bytes = frame.len();
        let sent = network.send_in(transport, session, net_lane, frame).await.is_ok();
        let _ = inner.send(Inner::Sent { peer, session, lane, bytes: if sent { bytes } else { 0 }, chunk }).await;
    }
}

/// Makes received chunks durable, many with one fsync, until the node ends.
fn write_chunks(
    store: &Store,
    mut chunks: mpsc::Receiver<(CaseId, StudyId, ChunkId, Vec<u8>)>,
    inner: &mpsc::Sender<Inner>,
) {
    while let Some(first) = chunks.blocking_recv() {
        let mut batch = Batch::new();
        let mut names = Vec::new();
        let mut next = Some(first);
        while let Some((case, study, chunk, bytes)) = next {
            // The machine has checked the name against the bytes; this is the place that must not trust it.
            if let Some(verified) = VerifiedChunk::check(chunk, bytes) {
                batch.put_chunk(super::library::chunk_group(&study), verified);
                names.push((case, chunk));
            }
            next = if batch.chunk_bytes() < STORING_BATCH_BYTES { chunks.try_recv().ok() } else { None };
        }
        let stored = store.commit(batch);
        for (case, chunk) in names {
            let message = match &stored {
                Ok(()) => Inner::Durable { case, chunk },
                Err(error) => Inner::NotStored { chunk, full: matches!(error, StoreError::Full) },
            };
            if inner.blocking_send(message).is_err() {
                return;
            }
        }
    }
}
