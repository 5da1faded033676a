//! What can be asked of a node, and what it answers.
//!
//! The command line and the terminal app know only this and [`super::client::Client`]. Requests and answers are
//! plain data that travel as one JSON document a line over the control socket, or stay in the process when no
//! node runs. Field names here *are* the names of the JSON output (design 8): fields are only ever added.
//!
//! Ids in answers are the full typed ids; ids in requests are what the person typed (an id, a prefix of at least
//! four characters, a spoken case name, a colleague's name) and are resolved by the node, which says so if
//! something is ambiguous.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A request with what goes with every request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Envelope {
    pub request: Request,
    /// Opens the vault where the node is locked or does not run. Never logged.
    pub passphrase: Option<Passphrase>,
    /// A repeat with the same id gives the first answer again and changes nothing.
    pub request_id: Option<String>,
    /// How long a writing command tries to deliver, in seconds; absent: 10. Zero: not at all.
    pub wait_seconds: Option<u64>,
}

/// A passphrase on its way to the vault. Prints nothing.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Passphrase(pub String);

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[passphrase]")
    }
}

impl Drop for Passphrase {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

/// One thing to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    Init {
        name: String,
        site: String,
        phone: Option<String>,
    },
    /// Whether a home exists, is locked, and who it belongs to; needs no passphrase.
    Status,
    VaultPassphrase {
        new: Passphrase,
    },
    VaultRecover {
        words: String,
        new: Passphrase,
        name: String,
        site: String,
    },
    RecoveryCode,
    /// The person typed back words of the recovery code: it is on paper.
    ConfirmRecoveryCode {
        words: String,
    },
    Lock,
    CardShow {
        who: Option<String>,
    },
    CardExport {
        path: PathBuf,
    },
    CardAdd {
        paths: Vec<PathBuf>,
        at: Vec<String>,
    },
    CardList,
    /// Without `heard`: the words to read aloud. With it: whether what was heard is right.
    CardVerify {
        who: String,
        heard: Option<String>,
    },
    CardName {
        who: String,
        alias: String,
    },
    CardBlock {
        who: String,
    },
    CardRemove {
        who: String,
    },
    /// Opens the pairing door; events: [`Event::PairingOpen`], [`Event::ConfirmPerson`]; ends in [`Reply::Paired`].
    PairOpen,
    PairJoin {
        code: String,
        at: Vec<String>,
    },
    /// Answers [`Event::ConfirmPerson`].
    Confirm {
        yes: bool,
    },
    Import(ImportRequest),
    StudyList,
    StudyShow {
        study: String,
        identity: bool,
    },
    StudyRemove {
        study: String,
    },
    StudyReview {
        study: String,
        directory: PathBuf,
    },
    StudyInclude {
        study: String,
        series: Vec<String>,
    },
    StudyExport {
        study: String,
        directory: PathBuf,
    },
    /// One frame's values.
    StudyImage {
        study: String,
        sop_instance_uid: String,
        frame: u32,
        values: PixelValues,
        window: Option<String>,
    },
    CaseNew(CaseNew),
    CaseList,
    CaseShow {
        case: String,
    },
    CaseLog {
        case: String,
    },
    CaseAccept {
        case: String,
    },
    CaseEdit {
        case: String,
        change: CaseEdit,
    },
    CaseClose {
        case: String,
    },
    CaseReopen {
        case: String,
    },
    /// Deletes a case's pixels and entries here.
    CasePurge {
        case: String,
    },
    CaseStudyAdd {
        case: String,
        study: String,
        prior: bool,
        other_patient: bool,
    },
    CaseStudyWithdraw {
        case: String,
        study: String,
        reason: Option<String>,
    },
    CaseMemberAdd {
        case: String,
        who: String,
        role: String,
        to_unverified: bool,
    },
    CaseMemberRemove {
        case: String,
        who: String,
    },
    CaseMemberRole {
        case: String,
        who: String,
        role: String,
    },
    MarkAdd {
        case: String,
        sop_instance_uid: String,
        frame: u32,
        kind: String,
        points: Vec<(f64, f64)>,
        label: Option<String>,
        text_checked: bool,
    },
    MarkList {
        case: String,
    },
    MarkRemove {
        mark: String,
    },
    OpinionTemplate {
        case: String,
    },
    OpinionSign {
        case: String,
        opinion: OpinionDraft,
        incomplete_ok: bool,
        text_checked: bool,
    },
    OpinionList {
        case: String,
    },
    /// Reads an opinion, which writes the receipt.
    OpinionRead {
        opinion: String,
    },
    OpinionAddend {
        opinion: String,
        text: String,
        text_checked: bool,
    },
    Say {
        case: String,
        text: String,
        text_checked: bool,
    },
    Sync,
    Fetch {
        case: String,
        series: Vec<String>,
        key_images: bool,
    },
    BundlePack {
        recipients: Vec<String>,
        cases: Vec<String>,
        key_images: bool,
        path: PathBuf,
    },
    BundleShow {
        path: PathBuf,
    },
    BundleUnpack {
        path: PathBuf,
    },
    Verify {
        what: String,
    },
    Doctor,
    /// Follows what happens: [`Event::Happened`] until the client leaves.
    Follow,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ImportRequest {
    pub paths: Vec<PathBuf>,
    /// `consult`, `basic` or a file.
    pub preset: Option<String>,
    /// The study whose patient this is, though the ids differ.
    pub same_patient: Option<String>,
    /// Words of descriptions that stay though the shipped vocabulary lacks them; a patient's own never do.
    #[serde(default)]
    pub keep_words: Vec<String>,
    pub dry_run: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PixelValues {
    Stored,
    Modality,
    Display,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CaseNew {
    pub ask: String,
    pub context: Option<String>,
    pub first_report: Option<String>,
    pub studies: Vec<String>,
    pub priors: Vec<String>,
    pub invite: Vec<String>,
    /// `stat`, `urgent` or `routine`.
    pub urgency: Option<String>,
    /// RFC 3339 or a duration.
    pub due: Option<String>,
    pub to_unverified: bool,
    pub text_checked: bool,
    pub other_patient: bool,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CaseEdit {
    pub question: Option<String>,
    pub context: Option<String>,
    pub first_report: Option<String>,
    pub urgency: Option<String>,
    pub due: Option<String>,
    pub text_checked: bool,
}

/// An opinion as its file or the flags give it; unknown fields are refused.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpinionDraft {
    pub impression: String,
    /// `agree`, `disagree` or `partly`.
    pub agreement: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommendation: Option<String>,
    /// Percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<u32>,
    /// Set if the opinion holds a critical finding: then all three are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critical: Option<CriticalDraft>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CriticalDraft {
    pub finding: String,
    pub called: String,
    pub at: String,
    pub taken_by: String,
}

/// What comes back on a request: any number of events, then one end.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Event(Event),
    Done(Box<Reply>),
    Failed(Failure),
}

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
    Notice {
        text: String,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// `import`, `fetch`, `deliver`, `export`, `pack`, `unpack`, `verify`.
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
    Exported { instances: usize, bytes: u64, directory: String },
    Image(ImageView),
    CaseCreated { case: String, spoken: String, delivery: Vec<DeliveryView>, ids: Vec<String> },
    Cases { cases: Vec<CaseSummary> },
    Case(Box<CaseView>),
    Log { entries: Vec<LogEntry> },
    Marks { marks: Vec<MarkView> },
    Mark { mark: MarkView, delivery: Vec<DeliveryView> },
    Template { toml: String },
    Opinions { opinions: Vec<OpinionView> },
    Opinion { opinion: OpinionView },
    Written { ids: Vec<String>, delivery: Vec<DeliveryView> },
    Synced { peers: Vec<PeerView>, delivery: Vec<DeliveryView> },
    Fetched { case: String, chunks_have: u64, chunks_total: u64, bytes: u64, seconds: f64, complete: bool },
    Packed(PackedBundle),
    Bundle(BundleView),
    Unpacked { cases: Vec<String>, spoken: Vec<String>, entries_new: u64, chunks_new: u64, problems: Vec<String> },
    VerifyReport { ok: bool, entries: u64, chunks: u64, problems: Vec<String>, state_hash: Option<String> },
    Doctor { checks: Vec<Check> },
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

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    pub initialised: bool,
    pub locked: bool,
    pub running: bool,
    pub identity: Option<String>,
    pub name: Option<String>,
    pub site: Option<String>,
    pub recovery_confirmed: Option<bool>,
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
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SkippedFile {
    pub path: String,
    pub why: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ImportReport {
    pub studies: Vec<ImportedStudy>,
    pub skipped: Vec<SkippedFile>,
    /// Set on `--dry-run` and by `ask`: what will happen to which attribute. Holds patient data.
    pub plan: Option<PlanView>,
    pub seconds: f64,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ImportedStudy {
    pub id: String,
    pub modality: String,
    pub description: String,
    pub series: usize,
    pub instances: usize,
    pub left_out: Vec<LeftOut>,
    pub gaps: Vec<String>,
    pub bytes_in: u64,
    pub bytes_stored: u64,
    pub already_held: usize,
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LeftOut {
    pub series: String,
    pub instances: usize,
    pub why: String,
}

/// What leaves and what stays, shown to the sender before anything is stored.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PlanView {
    pub patients: Vec<PlanPatient>,
    pub attributes: Vec<PlanAttribute>,
    /// Free text that remains.
    pub kept_text: Vec<String>,
    pub dropped_text: Vec<String>,
    pub codes: Vec<String>,
    pub left_out: Vec<LeftOut>,
    pub gaps: Vec<String>,
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PlanPatient {
    pub name: String,
    pub patient_id: String,
    pub birth_date: String,
    pub study_date: String,
    pub accession: String,
    pub study_description: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlanAttribute {
    pub tag: String,
    pub name: String,
    pub action: String,
    pub reason: String,
    pub count: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StudyView {
    pub id: String,
    pub modality: String,
    pub description: String,
    pub series: usize,
    pub instances: usize,
    pub left_out: usize,
    pub bytes_stored: u64,
    /// `mine` or `received`.
    pub origin: String,
    pub cases: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StudyDetail {
    #[serde(flatten)]
    pub study: StudyView,
    pub series_list: Vec<SeriesView>,
    /// The real patient; only at the sender and only if asked for.
    pub identity: Option<PlanPatient>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SeriesView {
    pub series_instance_uid: String,
    pub modality: String,
    pub description: String,
    pub number: Option<i64>,
    pub instances: usize,
    pub instances_have: usize,
    pub left_out: usize,
    pub gaps: Vec<String>,
    pub sop_instance_uids: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ImageView {
    pub rows: u32,
    pub columns: u32,
    pub samples: u32,
    /// Rows x columns x samples, row by row.
    pub values: Vec<f64>,
    pub unit: String,
    pub integer: bool,
    pub photometric: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryView {
    pub member: String,
    pub identity: String,
    /// `not sent`, `on the way`, `delivered`, `opened` or `read`.
    pub state: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CaseSummary {
    pub id: String,
    pub spoken: String,
    pub question: String,
    pub urgency: String,
    pub status: String,
    pub role: String,
    /// `invited` until opened, answered or fetched; then `accepted`.
    pub standing: String,
    pub due: Option<String>,
    pub members: usize,
    pub opinions: usize,
    pub messages: usize,
    pub chunks_have: u64,
    pub chunks_total: u64,
    pub not_sent: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CaseView {
    pub id: String,
    pub spoken: String,
    pub question: String,
    pub context: Option<String>,
    pub first_report: Option<String>,
    pub urgency: String,
    pub due: Option<String>,
    pub status: String,
    pub blind: bool,
    pub role: String,
    pub standing: String,
    pub members: Vec<MemberView>,
    pub studies: Vec<CaseStudyView>,
    pub marks: Vec<MarkView>,
    pub opinions: Vec<OpinionView>,
    pub messages: Vec<MessageView>,
    pub criticals: Vec<CriticalView>,
    pub receipts: Vec<ReceiptView>,
    pub entries: usize,
    pub heads: Vec<String>,
    pub forks: Vec<ForkView>,
    pub unreadable: usize,
    pub unknown: usize,
    pub state_hash: Option<String>,
    /// At the sender only.
    pub patient: Option<PlanPatient>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MemberView {
    pub name: String,
    pub identity: String,
    pub role: String,
    pub delivery: String,
    pub me: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CaseStudyView {
    pub id: String,
    /// `index` or `prior n`.
    pub role: String,
    pub modality: String,
    pub description: String,
    pub instances: u64,
    pub chunks_have: u64,
    pub chunks_total: u64,
    pub withdrawn: bool,
    pub deleted_by: Vec<String>,
    /// Days against the index examination of the same patient group, else `unknown`.
    pub relative_date: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MarkView {
    pub id: String,
    pub kind: String,
    pub image: String,
    pub frame: u32,
    pub points: Vec<(f64, f64)>,
    pub value: Option<f64>,
    pub unit: Option<String>,
    pub basis: Option<String>,
    pub label: Option<String>,
    pub author: String,
    pub time: String,
    pub late: bool,
    pub forked: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpinionView {
    pub id: String,
    pub author: String,
    /// `signed`, `late` or `forked`.
    pub state: String,
    pub agreement: String,
    pub confidence: Option<u32>,
    pub impression: String,
    pub findings: Option<String>,
    pub recommendation: Option<String>,
    pub basis: BasisView,
    pub addenda: Vec<AddendumView>,
    pub signed_before: Vec<String>,
    pub delivery: Vec<DeliveryView>,
    pub time: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BasisView {
    pub question: String,
    pub heads: usize,
    pub incomplete: bool,
    /// What was missing or unknown, in words; stands first wherever the opinion is shown.
    pub limitations: Vec<String>,
    pub series: Vec<BasisSeriesView>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BasisSeriesView {
    pub series_instance_uid: String,
    pub expected: u32,
    pub received: u32,
    pub displayed: Option<u32>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddendumView {
    pub text: String,
    pub time: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MessageView {
    pub id: String,
    pub author: String,
    pub text: String,
    pub time: String,
    pub late: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CriticalView {
    pub id: String,
    pub author: String,
    pub finding: String,
    pub called: Option<String>,
    pub at: Option<String>,
    pub taken_by: Option<String>,
    pub time: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReceiptView {
    pub entry: String,
    pub opened: Vec<String>,
    pub read: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ForkView {
    pub device: String,
    pub person: String,
    pub entries: (String, String),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogEntry {
    pub id: String,
    pub author: String,
    pub device: String,
    pub sequence: u64,
    pub time: String,
    pub what: String,
    pub outcome: String,
    pub flags: Vec<String>,
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
    /// When, by the sender's clock.
    pub packed: Option<String>,
    pub cases: Vec<String>,
    pub entries: u64,
    pub chunks: u64,
    pub problems: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Check {
    pub name: String,
    pub ok: bool,
    pub what: String,
    pub hint: Option<String>,
}

/// A request that was not carried out: nothing was changed unless it says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub code: FailureCode,
    /// What happened.
    pub what: String,
    /// What to do next.
    pub hint: Option<String>,
    /// More to show: text-check hits, candidates of an ambiguous id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, Vec<String>>,
}

/// Why a request was not carried out; each has its exit code (design 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCode {
    Failed,
    WrongUse,
    Ambiguous,
    WrongPassphrase,
    Locked,
    NotFound,
    NotAMember,
    Untrusted,
    Role,
    TextCheck,
    OtherPatient,
    Unsafe,
    Partly,
    NotReached,
    DiskFull,
    Damaged,
    Interrupted,
}

impl FailureCode {
    /// The exit code of a command that ends so.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed | Self::DiskFull | Self::Damaged => 1,
            Self::WrongUse | Self::Ambiguous => 2,
            Self::WrongPassphrase | Self::Locked => 3,
            Self::NotFound => 4,
            Self::NotAMember | Self::Untrusted | Self::Role | Self::TextCheck | Self::OtherPatient | Self::Unsafe => 5,
            Self::Partly => 6,
            Self::NotReached => 7,
            Self::Interrupted => 130,
        }
    }
}

impl Failure {
    pub fn new(code: FailureCode, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), hint: None, details: BTreeMap::new() }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn detail(mut self, name: &str, lines: Vec<String>) -> Self {
        self.details.insert(name.into(), lines);
        self
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.hint {
            Some(hint) => write!(f, "{}\n{hint}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl std::error::Error for Failure {}
