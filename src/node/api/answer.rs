//! What comes back: events on the way, then one reply or failure; and the views that belong to no study or case.

use serde::{Deserialize, Serialize};

use super::case::{CaseSummary, CaseView, LogEntry, MarkView, OpinionView};
use super::failure::Failure;
use super::live::LiveView;
use super::request::{OpinionDraft, PacsListen};
use super::study::{
    ImageView, ImportReport, InboxView, InstanceFile, LeftOutImage, SkippedFile, StudyDetail, StudyPatient, StudyView,
};

/// What comes back on a request: any number of events, then one end.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Event(Event),
    Done(Box<Reply>),
    Failed(Failure),
}

/// What a locked node says of what came, and its screen too: the urgency, and nothing else. The most urgent is last.
pub const LOCKED_NOTICES: [&str; 3] =
    ["a new case from a colleague", "urgent from a colleague", "STAT from a colleague"];

/// Something on the way to the answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    Progress(Progress),
    /// The door is open: the line to read aloud and where it listens.
    PairingOpen {
        code: String,
        addresses: Vec<String>,
        command: String,
    },
    /// Answer with [`Request::Confirm`] on the same connection.
    ConfirmPerson {
        name: String,
        site: String,
        fingerprint: String,
    },
    Delivery {
        case: String,
        member: String,
        state: String,
    },
    Ready {
        peer: String,
        addresses: Vec<String>,
    },
    /// One line of what the node does, for `node` and the log.
    Happened {
        what: String,
        case: Option<String>,
        who: Option<String>,
    },
    /// What the asker has to read while it goes on.
    Notice {
        text: String,
    },
    /// What is shown live in a case that an app attends ([`Request::Attend`](super::Request::Attend)).
    Live(LiveView),
    /// Neighbours can send now.
    PacsListening {
        address: String,
        ae_title: String,
        tls: bool,
        /// Calling AE titles that may send; empty: nobody, unless `any_ae`.
        allowed: Vec<String>,
        any_ae: bool,
    },
    /// An association was opened, or is over.
    PacsAssociation {
        /// Calling AE title, if it was heard.
        from: Option<String>,
        address: String,
        /// `opened`, `refused`, `released` or `cut off`.
        state: String,
        /// What went wrong.
        why: Option<String>,
        /// What to do about it.
        hint: Option<String>,
        /// Objects that are new in the inbox, were there already, were refused.
        stored: u64,
        again: u64,
        refused: u64,
    },
    /// An object arrived and stands sealed in the inbox.
    PacsArrival {
        study: String,
        from: String,
        modality: String,
        /// Objects of the study that are here now.
        instances: usize,
        again: bool,
    },
    /// An object was not taken.
    PacsRefusal {
        from: String,
        why: String,
    },
    /// For everybody who follows: a study of the inbox begins to arrive, or nobody sends it any more. Nothing of it is
    /// of a patient.
    InboxStudy {
        study: String,
        modality: String,
        /// Objects of the study that are here now.
        instances: usize,
        /// `arriving`, `complete` or `incomplete`.
        state: String,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// `plan`, `import`, `include`, `mask`, `fetch`, `export`, `pack`, `unpack`, `verify`.
    pub stage: String,
    pub done: u64,
    pub total: Option<u64>,
    /// `bytes`, `files`, `chunks`, `entries`.
    pub unit: String,
    pub bytes_per_second: Option<u64>,
    pub seconds_left: Option<u64>,
}

/// The end of a request that was carried out. On the socket the kind stands beside the value; people and scripts
/// see the value alone ([`Reply::document`]).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "reply", content = "value", rename_all = "snake_case")]
pub enum Reply {
    Initialised(Initialised),
    Status(Status),
    RecoveryCode { words: Vec<String> },
    Card(CardView),
    Cards { cards: Vec<CardView> },
    CardsAdded { added: Vec<CardView>, refused: Vec<SkippedFile> },
    SafetyWords { words: Vec<String>, who: String },
    Verified { who: String, verified: bool, wrong_word: Option<usize> },
    Paired { colleague: CardView },
    Imported(ImportReport),
    Studies { studies: Vec<StudyView> },
    Study(StudyDetail),
    Reviewed { pages: Vec<String>, images: usize },
    Included { included: usize },
    LeftOut { images: Vec<LeftOutImage> },
    Decided { admitted: usize, kept_out: usize, masked: usize },
    Masked { images: Vec<String> },
    Patients { patients: Vec<StudyPatient> },
    Exported { instances: usize, bytes: u64, directory: String },
    File(InstanceFile),
    Image(ImageView),
    CaseCreated { case: String, spoken: String, delivery: Vec<DeliveryView>, ids: Vec<String> },
    Cases { cases: Vec<CaseSummary> },
    Case(Box<CaseView>),
    Log { entries: Vec<LogEntry> },
    Marks { marks: Vec<MarkView> },
    Mark { mark: MarkView, delivery: Vec<DeliveryView> },
    Template { toml: String },
    DraftKept { saved: String, elsewhere: Option<Elsewhere> },
    Draft { draft: Option<KeptDraft> },
    Opinions { opinions: Vec<OpinionView> },
    Opinion { opinion: OpinionView },
    Written { ids: Vec<String>, delivery: Vec<DeliveryView> },
    Synced { peers: Vec<PeerView>, delivery: Vec<DeliveryView> },
    Fetched { case: String, chunks_have: u64, chunks_total: u64, bytes: u64, seconds: f64, complete: bool },
    Transfers { transfers: Vec<TransferView> },
    Packed(PackedBundle),
    Bundle(BundleView),
    Unpacked { cases: Vec<String>, spoken: Vec<String>, entries_new: u64, chunks_new: u64, problems: Vec<String> },
    Inbox(InboxView),
    Discarded { studies: usize, instances: usize },
    VerifyReport { ok: bool, entries: u64, chunks: u64, problems: Vec<String>, state_hash: Option<String> },
    Doctor { checks: Vec<Check> },
    Settings(SettingsView),
    Nothing {},
}

impl Reply {
    /// The JSON document of the command line: the value with `format: 1`.
    pub fn document(&self) -> serde_json::Value {
        let tagged = serde_json::to_value(self).unwrap_or_default();
        let mut document = match tagged.get("value") {
            Some(serde_json::Value::Object(fields)) => fields.clone(),
            _ => serde_json::Map::new(),
        };
        document.insert("format".into(), 1.into());
        serde_json::Value::Object(document)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Initialised {
    pub identity: String,
    pub device: String,
    pub fingerprint: String,
}

/// Of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    pub initialised: bool,
    pub locked: bool,
    pub running: bool,
    pub identity: Option<String>,
    pub name: Option<String>,
    pub site: Option<String>,
    pub recovery_confirmed: Option<bool>,
    /// What the disk of the home has left, in bytes, if that is little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_low_bytes: Option<u64>,
    /// Of the node; older ones do not tell.
    #[serde(default)]
    pub version: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CardView {
    pub identity: String,
    pub name: String,
    pub site: String,
    pub phone: Option<String>,
    pub alias: Option<String>,
    pub devices: Vec<String>,
    pub addresses: Vec<String>,
    pub fingerprint: String,
    /// `me`, `verified`, `unverified` or `blocked`.
    pub trust: String,
    pub serial: u64,
    pub expires: Option<String>,
    pub expired: bool,
    /// When one of her devices was connected last, to the hour; absent if never, or not since this is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_reached: Option<String>,
    /// The card as text, as its file has it; of one's own card only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryView {
    pub member: String,
    pub identity: String,
    /// `not sent`, `on the way`, `delivered`, `opened` or `read`.
    pub state: String,
}

/// What travels, or waits to, of one case in one direction.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TransferView {
    pub case: String,
    pub spoken: String,
    /// `giving`: what was written and images, to one member; `taking`: images, from whoever holds them.
    pub direction: String,
    /// The member; of `taking` those who send now, or who could.
    pub who: String,
    /// Of `giving`.
    pub identity: Option<String>,
    /// Giving: `not sent`, `on the way`, `giving`, `given` (something, and no more is asked for) or `complete`.
    /// Taking: `invited`, `waiting`, `refused`, `arriving`, `stalled` or `complete`.
    pub state: String,
    /// What the next step waits for, in words.
    pub waits_for: Option<String>,
    /// Giving: handed to the line since the node started; what she had before is not known.
    pub chunks_done: u64,
    pub chunks_total: u64,
    /// Images that are here whole; of `taking`.
    pub images_done: Option<u64>,
    pub images_total: u64,
    /// Taking: as the share of chunks that are here.
    pub bytes_done: u64,
    pub bytes_total: u64,
    /// While something comes or goes.
    pub bytes_per_second: Option<u64>,
    /// Giving: of what is asked for now.
    pub seconds_left: Option<u64>,
    /// When it was complete, or the last was given.
    pub at: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PeerView {
    pub name: String,
    pub identity: String,
    pub device: String,
    pub connected: bool,
    pub path: Option<String>,
    pub address: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PackedBundle {
    pub path: String,
    pub bytes: u64,
    pub cases: Vec<String>,
    pub entries: u64,
    pub chunks: u64,
    /// Pieces of images that are not here and so could not be packed.
    pub chunks_missing: u64,
    pub recipients: Vec<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct BundleView {
    pub bytes: u64,
    pub for_me: bool,
    pub from: Option<String>,
    /// What the sender may give: `colleague` anything, `member` entries of cases that are here, `blocked` and `unknown`
    /// nothing. Absent where nobody is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<String>,
    /// When, by the sender's clock.
    pub packed: Option<String>,
    pub cases: Vec<String>,
    pub entries: u64,
    pub chunks: u64,
    pub problems: Vec<String>,
}

/// An opinion that is being written, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptDraft {
    /// When it was kept.
    pub saved: String,
    /// Which draft this is; every one has another.
    pub revision: u64,
    pub opinion: OpinionDraft,
}

/// What somebody else, or another window, did to a draft since it was last seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Elsewhere {
    /// Another draft was kept at this time; it is replaced.
    Kept { saved: String },
    /// It was dropped or signed.
    Dropped,
}

/// What the person can set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsView {
    /// Days after closing at which this home drops the pixels of a case that it does not own.
    pub retention_days: u32,
    /// How the app shows pictures: `auto`, or the protocol it always takes.
    #[serde(default)]
    pub graphics: String,
    /// The app locks after so long without a key, in seconds; absent: never.
    #[serde(default)]
    pub lock_after_seconds: Option<u64>,
    /// How this node listened for neighbours when somebody last asked to have that kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<PacsListen>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Check {
    pub name: String,
    pub ok: bool,
    pub what: String,
    pub hint: Option<String>,
}
