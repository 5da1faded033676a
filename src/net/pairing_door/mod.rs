//! The pairing door: how two people meet who do not have each other's cards yet.
//!
//! A second swarm under a throw-away key, which lives for minutes, speaks one protocol and lets in one guest at a
//! time: a stranger who finds the door learns neither the device's key nor anything of its colleagues. It carries
//! opaque frames for the pairing state machine of the identity room; whether the guest is the right one, and how
//! many guesses a code has, is decided there. Bounded are the frames, their sum, the time and the handshakes.
//!
//! On a local network the joiner finds the door by the public part of the spoken code, the nameplate: his beacon
//! asks for it, the opener's answers (see [`super::beacon`]). The words of the code are never sent or hashed
//! into anything that is.
//!
//! [`DoorOpener::open`], then [`DoorOpener::next_guest`]; on the other side [`join`].

mod keeper;

use std::collections::HashMap;
use std::time::Duration;

use futures::{AsyncWriteExt, StreamExt};
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{Stream, SwarmEvent};
use libp2p::{Multiaddr, Swarm};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use self::keeper::{Door, DoorEvent, keep_conversation, keep_door, throw_away_swarm};
use super::address::{is_dialable, without_peer};
use super::beacon::{Beacon, BeaconConfig, DoorSide, Schedule, Sighting, nameplate_peer};
use super::client::StartError;
use super::frames::{FrameError, check_length, put_frame, read_frame};
use super::streams::StreamOutcome;

/// Longest frame through the door, in bytes: a card is at most 16 KiB.
pub const DOOR_FRAME_BYTES_MAX: usize = 32 * 1024;

/// All frames of one conversation together, in bytes, each way.
pub const DOOR_BYTES_MAX: usize = 256 * 1024;

/// How long a door takes guests, and how long one conversation may last.
pub const DOOR_OPEN_MAX: Duration = Duration::from_secs(120);

/// How long a joiner looks for the door.
pub const JOIN_MAX: Duration = Duration::from_secs(20);

/// Addresses a joiner tries, and how soon again the same one.
const ADDRESSES_MAX: usize = 16;
const SAME_ADDRESS_AGAIN: Duration = Duration::from_secs(2);

const SIGHTINGS_MAX: usize = 8;

/// How the door is found without typing an address.
#[derive(Debug, Clone)]
pub struct DoorBeacon {
    /// The public part of the code, never its words.
    pub nameplate: String,
    pub beacon: BeaconConfig,
}

/// An open door. Dropping it closes the door; a conversation under way goes on.
pub struct DoorOpener {
    guests: mpsc::Receiver<DoorFrames>,
    addresses: Vec<Multiaddr>,
    _closing: oneshot::Sender<()>,
}

impl DoorOpener {
    /// Opens a door at the given listen addresses (port 0 takes any), inside the running tokio runtime.
    ///
    /// # Errors
    /// If none of the addresses can be used.
    pub async fn open(listen: &[Multiaddr], found_by: Option<DoorBeacon>) -> Result<Self, DoorError> {
        let mut swarm = throw_away_swarm()?;
        let mut failed = None;
        let mut listeners = 0_usize;
        for address in listen {
            match swarm.listen_on(address.clone()) {
                Ok(_) => listeners += 1,
                Err(error) => failed = Some(StartError::Listen { address: address.clone(), why: error.to_string() }),
            }
        }
        if listeners == 0 {
            return Err(failed.map_or(DoorError::NoAddress, DoorError::Start));
        }
        let addresses = listen_addresses(&mut swarm).await;
        if addresses.is_empty() {
            return Err(DoorError::NoAddress);
        }
        let (sightings, _) = mpsc::channel(SIGHTINGS_MAX); // that somebody asks for the door changes nothing
        let beacon = found_by.map(|found_by| {
            let (me, joiner) = nameplate_peer(&found_by.nameplate, DoorSide::Opener);
            let beacon = Beacon::start_with(found_by.beacon, Schedule::Silent, me, sightings);
            beacon.set_addresses(addresses.clone());
            beacon.set_peers(vec![joiner]);
            beacon
        });
        let (guest_sender, guests) = mpsc::channel(1);
        let (closing, closed) = oneshot::channel();
        tokio::spawn(keep_door(swarm, guest_sender, closed, beacon));
        Ok(Self { guests, addresses, _closing: closing })
    }

    /// Where the door is, for reading aloud or typing.
    pub fn addresses(&self) -> &[Multiaddr] {
        &self.addresses
    }

    /// Waits for the next guest. While one is inside, nobody else gets in.
    ///
    /// # Errors
    /// When the door's time is up.
    pub async fn next_guest(&mut self) -> Result<DoorFrames, DoorError> {
        self.guests.recv().await.ok_or(DoorError::TimeIsUp)
    }
}

/// Goes through a colleague's door: at the given addresses, by its nameplate on the local network, or both.
///
/// # Errors
/// If no door opens within [`JOIN_MAX`].
pub async fn join(addresses: &[Multiaddr], find_by: Option<DoorBeacon>) -> Result<DoorFrames, DoorError> {
    let mut swarm = throw_away_swarm()?;
    let (sighting_sender, mut sightings) = mpsc::channel::<Sighting>(SIGHTINGS_MAX);
    let beacon = find_by.map(|find_by| {
        let (me, opener) = nameplate_peer(&find_by.nameplate, DoorSide::Joiner);
        let beacon = Beacon::start_with(find_by.beacon, Schedule::Urgent, me, sighting_sender);
        beacon.set_peers(vec![opener]);
        beacon
    });
    let mut dials = Dials::default();
    dials.start(&mut swarm, addresses);
    let deadline = Instant::now() + JOIN_MAX;
    loop {
        if dials.under_way == 0 && beacon.is_none() {
            return Err(dials.failure());
        }
        tokio::select! {
            event = swarm.select_next_some() => match event {
                SwarmEvent::ConnectionEstablished { peer_id, connection_id, .. } => {
                    swarm.behaviour_mut().streams.open(peer_id, connection_id, 0);
                }
                SwarmEvent::OutgoingConnectionError { error, .. } => dials.failed(error.to_string()),
                SwarmEvent::ConnectionClosed { .. } => dials.failed("the door is busy".into()),
                SwarmEvent::Behaviour(DoorEvent::Streams(event)) => match event.outcome {
                    StreamOutcome::Opened(stream) => {
                        let (frames, left) = DoorFrames::new(stream);
                        tokio::spawn(keep_conversation(swarm, left));
                        return Ok(frames);
                    }
                    StreamOutcome::Refused(why) => {
                        tracing::debug!(%why, "a door did not open");
                        swarm.close_connection(event.connection);
                    }
                    StreamOutcome::Accepted(_) => {} // an opener never opens streams
                },
                _ => {}
            },
            Some(sighting) = sightings.recv() => dials.start(&mut swarm, &sighting.addresses),
            () = sleep_until(deadline) => return Err(dials.failure()),
        }
    }
}

/// The addresses a joiner tries.
#[derive(Default)]
struct Dials {
    tried: HashMap<Multiaddr, Instant>,
    under_way: usize,
    last_failure: Option<String>,
}

impl Dials {
    fn start(&mut self, swarm: &mut Swarm<Door>, addresses: &[Multiaddr]) {
        let now = Instant::now();
        for address in addresses.iter().map(without_peer).filter(is_dialable) {
            let just_tried = self.tried.get(&address).is_some_and(|at| now.duration_since(*at) < SAME_ADDRESS_AGAIN);
            if just_tried || (self.tried.len() >= ADDRESSES_MAX && !self.tried.contains_key(&address)) {
                continue;
            }
            self.tried.insert(address.clone(), now);
            match swarm.dial(DialOpts::unknown_peer_id().address(address).build()) {
                Ok(()) => self.under_way += 1,
                Err(error) => self.last_failure = Some(error.to_string()),
            }
        }
    }

    fn failed(&mut self, why: String) {
        self.under_way = self.under_way.saturating_sub(1);
        self.last_failure = Some(why);
    }

    fn failure(&mut self) -> DoorError {
        self.last_failure.take().map_or(DoorError::NotFound, DoorError::Unreachable)
    }
}

/// A conversation through the door: frames of 1 byte to [`DOOR_FRAME_BYTES_MAX`], in order, both ways.
pub struct DoorFrames {
    stream: Stream,
    until: Instant,
    sent_bytes: usize,
    received_bytes: usize,
    _leaving: oneshot::Sender<()>,
}

impl DoorFrames {
    fn new(stream: Stream) -> (Self, oneshot::Receiver<()>) {
        let (leaving, left) = oneshot::channel();
        let until = Instant::now() + DOOR_OPEN_MAX;
        (Self { stream, until, sent_bytes: 0, received_bytes: 0, _leaving: leaving }, left)
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// If the frame or all together are too long, the time is up, or the other side left.
    pub async fn send(&mut self, frame: &[u8]) -> Result<(), DoorError> {
        check_length(frame.len(), DOOR_FRAME_BYTES_MAX)?;
        self.sent_bytes += frame.len();
        if self.sent_bytes > DOOR_BYTES_MAX {
            return Err(DoorError::TooMuch);
        }
        let mut bytes = Vec::new();
        put_frame(&mut bytes, frame);
        let write = async {
            self.stream.write_all(&bytes).await?;
            self.stream.flush().await
        };
        match timeout_at(self.until, write).await {
            Ok(written) => written.map_err(|_| DoorError::OtherSideLeft),
            Err(_) => Err(DoorError::TimeIsUp),
        }
    }

    /// Waits for the other side's next frame. Not safe to cancel: half a frame would be lost.
    ///
    /// # Errors
    /// If the other side breaks a limit or leaves, or the time is up.
    pub async fn recv(&mut self) -> Result<Vec<u8>, DoorError> {
        let read = timeout_at(self.until, read_frame(&mut self.stream, DOOR_FRAME_BYTES_MAX)).await;
        let frame = match read.map_err(|_| DoorError::TimeIsUp)? {
            Ok(Some(frame)) => frame,
            Ok(None) | Err(FrameError::CutShort | FrameError::Broken(_)) => return Err(DoorError::OtherSideLeft),
            Err(error) => return Err(error.into()),
        };
        self.received_bytes += frame.len();
        if self.received_bytes > DOOR_BYTES_MAX {
            return Err(DoorError::TooMuch);
        }
        Ok(frame)
    }

    /// Ends the conversation once what was sent is out and the other side has ended it too, or after a moment.
    pub async fn finish(mut self) {
        let both_ended = async {
            if self.stream.close().await.is_ok() {
                // What still comes is of no interest; the end is.
                while let Ok(Some(_)) = read_frame(&mut self.stream, DOOR_FRAME_BYTES_MAX).await {}
            }
        };
        let _ = timeout(Duration::from_secs(1), both_ended).await;
    }
}

/// Waits until the swarm has said where it listens: it does so interface by interface, all at once.
async fn listen_addresses(swarm: &mut Swarm<Door>) -> Vec<Multiaddr> {
    const FIRST_MAX: Duration = Duration::from_secs(3);
    const NEXT_MAX: Duration = Duration::from_millis(150);
    let mut addresses = Vec::new();
    let mut wait = FIRST_MAX;
    while let Ok(event) = timeout(wait, swarm.select_next_some()).await {
        if let SwarmEvent::NewListenAddr { address, .. } = event {
            addresses.push(address);
            wait = NEXT_MAX;
        }
    }
    addresses
}

/// Why a conversation through the door failed.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("the door has no address: this computer has no usable network")]
    NoAddress,
    #[error("no door with this code was found; ask your colleague for the address and type it")]
    NotFound,
    #[error("the door cannot be reached: {0}")]
    Unreachable(String),
    #[error("somebody else stands in the door; try again in a moment")]
    Busy,
    #[error("the other side left")]
    OtherSideLeft,
    #[error("the time is up; ask for a new code")]
    TimeIsUp,
    #[error("the other side broke the protocol: {0}")]
    BadFrame(#[from] FrameError),
    #[error("more than {DOOR_BYTES_MAX} bytes in one pairing")]
    TooMuch,
}
