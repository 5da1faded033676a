//! What goes into the machine and what comes out.
//!
//! **Rules for the shell.**
//! - Call [`super::machine::Machine::handle`] for each event with a time that never goes back, and carry out every
//!   effect in order. Put accepted entries into the [`CaseLog`](super::log::CaseLog) *before* telling the machine.
//! - Each peer has two lanes, each an ordered stream: [`Lane::Control`] and [`Lane::Bulk`]. A frame may be read from
//!   either at any time. For every [`Effect::Send`], [`Effect::SendEntries`] and [`Effect::SendChunk`] exactly one
//!   [`Event::Sent`] comes back when the line has taken the frame, or when the shell's own check refused it (then with
//!   0 bytes); for a chunk the shell cannot or may not give, [`Event::ChunkUnavailable`] comes instead.
//! - For every [`Effect::AcceptEntries`] exactly one [`Event::EntriesAccepted`] or [`Event::EntriesRefused`] comes
//!   back, in order for each peer and case, after the entries are durable.
//! - After [`Event::Disconnected`] nothing more is said of that connection. Rights do not outlive it: after
//!   [`Event::Connected`] say [`Event::Share`] again for each case.

use std::collections::BTreeMap;
use std::time::Duration;

use super::frontier::Frontier;
use super::message::{Class, Message};
use crate::encoding::id::{CaseId, ChunkId, EntryId};
use crate::identity::keys::DeviceKey;

/// Time since an arbitrary start that never goes back.
pub type Instant = Duration;

/// What happened.
#[derive(Debug, Clone)]
pub enum Event {
    Connected {
        peer: DeviceKey,
    },
    Disconnected {
        peer: DeviceKey,
    },
    /// A frame came, on whichever lane.
    Received {
        peer: DeviceKey,
        frame: Vec<u8>,
    },
    /// The line took a frame, or the shell did not send it after all (0 bytes).
    Sent {
        peer: DeviceKey,
        lane: Lane,
        bytes: usize,
    },
    Timer(TimerKey),

    /// A peer shares a case with me from now on, or its standing changed.
    Share {
        peer: DeviceKey,
        case: CaseId,
        standing: Standing,
    },
    /// A peer no longer shares a case: everything between us about it stops at once.
    Revoke {
        peer: DeviceKey,
        case: CaseId,
    },

    /// Entries were written here, or came by a bundle, and are stored and indexed.
    EntriesAdded {
        case: CaseId,
        ids: Vec<EntryId>,
    },
    /// A batch was dealt with and nothing in it is wrong; what the fold's rules do not take is simply left out.
    EntriesAccepted {
        peer: DeviceKey,
        case: CaseId,
        stored: Stored,
    },
    /// A batch was accepted in part.
    EntriesRefused {
        peer: DeviceKey,
        case: CaseId,
        stored: Stored,
        why: Refusal,
    },
    /// The last frontier known of a device, as it was kept over a restart.
    FrontierRestored {
        peer: DeviceKey,
        case: CaseId,
        frontier: Frontier,
    },

    /// Chunks are needed, in this order within their class; those held already must not be named. Naming a chunk
    /// again moves it to a more urgent class.
    Want {
        case: CaseId,
        class: Class,
        chunks: Vec<ChunkId>,
    },
    /// Chunks are no longer needed for a case.
    Unwant {
        case: CaseId,
        chunks: Vec<ChunkId>,
    },
    /// Nothing more is needed for a case.
    UnwantCase {
        case: CaseId,
    },
    /// A chunk is durable: it may be given to others from now on.
    ChunkDurable {
        chunk: ChunkId,
    },
    /// The chunk could not be stored; it is not wanted until it is named again.
    ChunkNotStored {
        chunk: ChunkId,
    },
    /// A chunk that [`Effect::SendChunk`] asked for is not here or must not be given.
    ChunkUnavailable {
        peer: DeviceKey,
        case: CaseId,
        chunk: ChunkId,
    },
    /// These chunks were withdrawn: neither fetch nor serve them. Later requests are the shell's to refuse.
    Withdrawn {
        chunks: Vec<ChunkId>,
    },

    /// The newest live message of a slot, for every connected full member.
    SendLive {
        case: CaseId,
        slot: u8,
        bytes: Vec<u8>,
    },
    /// Signed cards for a colleague.
    SendCards {
        peer: DeviceKey,
        cards: Vec<Vec<u8>>,
    },
}

/// What the shell is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    Send {
        peer: DeviceKey,
        lane: Lane,
        message: Message,
    },
    /// Load these entries and send them as one [`Message::Entries`] on the control lane, after checking again that
    /// the peer may have them.
    SendEntries {
        peer: DeviceKey,
        case: CaseId,
        ids: Vec<EntryId>,
    },
    /// Load this chunk and send it as [`Message::Chunk`] on the bulk lane, after checking again that the peer may
    /// have it.
    SendChunk {
        peer: DeviceKey,
        case: CaseId,
        chunk: ChunkId,
    },
    /// Verify these entries in order and store those that hold.
    AcceptEntries {
        peer: DeviceKey,
        case: CaseId,
        entries: Vec<Vec<u8>>,
    },
    /// Store a verified chunk and say when it is durable.
    StoreChunk {
        case: CaseId,
        chunk: ChunkId,
        bytes: Vec<u8>,
    },
    SetTimer {
        timer: TimerKey,
        at: Instant,
    },
    /// Keep this as the last known frontier of a device: delivery state survives a restart with it.
    FrontierKnown {
        peer: DeviceKey,
        case: CaseId,
        frontier: Frontier,
    },
    /// What is delivered to this device may have changed.
    DeliveryChanged {
        peer: DeviceKey,
        case: CaseId,
    },
    /// A peer speaks of a case it does not share with me here: an invitation, perhaps. Answer with
    /// [`Event::Share`] or not at all.
    Offered {
        peer: DeviceKey,
        case: CaseId,
    },
    /// A peer claims entries of this very device that are not here. Stop writing in the case; once such an entry is
    /// accepted, which proves it, become a new device (format 6).
    OwnLogAhead {
        peer: DeviceKey,
        case: CaseId,
        sequence: u64,
    },
    /// I stopped taking entries of a case from a peer: say that the case is incomplete.
    Incomplete {
        peer: DeviceKey,
        case: CaseId,
        why: Limit,
    },
    LiveReceived {
        peer: DeviceKey,
        case: CaseId,
        slot: u8,
        bytes: Vec<u8>,
    },
    CardsReceived {
        peer: DeviceKey,
        cards: Vec<Vec<u8>>,
    },
    /// The peer's program speaks another format version; nothing is said any more.
    Incompatible {
        peer: DeviceKey,
        version: u32,
    },
    /// The peer broke the rules; nothing is answered. If the breach [`ends the connection`](Breach::ends_connection),
    /// close it.
    Breach {
        peer: DeviceKey,
        case: Option<CaseId>,
        what: Breach,
    },
}

/// How a peer and I share a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    FullMember,
    /// It invited me and I have not opened, answered or fetched the case: only
    /// [`INVITATION_BYTES_MAX`](super::exchange::INVITATION_BYTES_MAX) of entries are taken, and no chunk is asked for.
    InvitedMe,
    /// It stores and forwards: entries and chunks, no live messages.
    Courier,
}

/// Two ordered streams to a peer, so that a message never waits behind chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    Control,
    Bulk,
}

/// A timer the machine asked for; it comes back as [`Event::Timer`]. Late or repeated timers are harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerKey {
    /// Tell stored entries.
    Ack { peer: DeviceKey, case: CaseId },
    /// Hand out the peer's frontier for keeping.
    Keep { peer: DeviceKey, case: CaseId },
    /// The next live message may go.
    Live { peer: DeviceKey },
    /// Look whether the peer still sends the chunks it was asked for.
    Stall { peer: DeviceKey },
    /// Tell of chunks that are here now.
    HaveMore { peer: DeviceKey },
}

/// What of a batch is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// Stored and indexed just now.
    pub new: Vec<EntryId>,
    /// Here before.
    pub known: Vec<EntryId>,
}

/// Why the rest of a batch was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// An entry does not hold: the peer must have known.
    Invalid,
    /// A parent is not here: what the peer knew of my frontier was not right, or not yet.
    MissingParent,
    /// A quota or the disk: nothing more is taken until the case is shared anew.
    Full,
}

/// What made a case incomplete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    Invitation,
    Full,
}

/// Whether something arrived (promise 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Delivery {
    NotSent,
    OnTheWay,
    Delivered,
}

/// What is asked on one peer's line and not answered yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flow {
    /// Chunks by case.
    pub chunks: BTreeMap<CaseId, usize>,
    /// How fast the line carries, of all cases together; unknown before the first sample.
    pub bytes_per_second: Option<u64>,
    /// How long nothing has come.
    pub silent: Duration,
}

/// A rule the peer broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    #[error("its message is malformed: {0}")]
    Malformed(crate::encoding::DecodeError),
    #[error("it did not say hello first, or said it twice")]
    Hello,
    #[error("it spoke of a case it does not share with this device")]
    NotShared,
    #[error("it sent what the step it is in does not allow: {0}")]
    Unexpected(&'static str),
    #[error("its heads contradict themselves")]
    BadFrontier,
    #[error("it sent an entry that does not hold")]
    BadEntry,
    #[error("it sent a chunk whose bytes do not match the name")]
    BadChunk,
    #[error("it sent a chunk nobody asked for")]
    UnaskedChunk,
    #[error("it sends more than it may: {0}")]
    Flood(&'static str),
}

impl Breach {
    /// Whether nothing this peer sends on the connection is read any more.
    pub fn ends_connection(&self) -> bool {
        match self {
            Breach::Malformed(_) | Breach::Hello | Breach::BadFrontier | Breach::UnaskedChunk | Breach::Flood(_) => {
                true
            }
            Breach::NotShared | Breach::Unexpected(_) | Breach::BadEntry | Breach::BadChunk => false,
        }
    }
}
