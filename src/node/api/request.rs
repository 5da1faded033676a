//! What is asked: one request, and what goes with every request.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::case::AttachedView;
use super::live::PencilDraft;
use super::study::{ImageMask, Rectangle};

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

/// A recovery code on its way to the vault. Prints nothing.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecoveryWords(pub String);

impl std::fmt::Debug for RecoveryWords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[recovery code]")
    }
}

impl Drop for RecoveryWords {
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
    /// Another passphrase. The one until now goes with it, even if the vault is open.
    VaultPassphrase {
        new: Passphrase,
    },
    VaultRecover {
        words: RecoveryWords,
        new: Passphrase,
        name: String,
        site: String,
    },
    /// The words that restore the identity. The passphrase goes with it, even if the vault is open.
    RecoveryCode,
    /// The person typed back words of the recovery code: it is on paper.
    ConfirmRecoveryCode {
        words: String,
    },
    Lock,
    /// Opens the vault, and takes no other passphrase where it is open already: whoever stands at a locked screen has to
    /// know it.
    Unlock,
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
    /// Ends a block: the colleague is unverified then, whatever she was before.
    CardUnblock {
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
    /// What may show a name, image by image, and who has looked at which.
    StudyLeftOut {
        study: String,
        /// Every other image as well, since any may be masked.
        #[serde(default)]
        all: bool,
    },
    /// What somebody decided who looked at single images, by SOP Instance UID: all of it counts, or nothing.
    StudyDecide {
        study: String,
        admit: Vec<String>,
        keep_out: Vec<String>,
        /// Images that are let in with black rectangles: they were seen with those over them.
        #[serde(default)]
        masks: Vec<ImageMask>,
    },
    /// Burns the same black rectangles into images that somebody has looked at, and lets them in: images by SOP
    /// Instance UID, series by UID or number.
    StudyMask {
        study: String,
        images: Vec<String>,
        series: Vec<String>,
        rectangles: Vec<Rectangle>,
    },
    /// Who the patients of the studies imported here are, for the sender's own screen.
    StudyPatients,
    StudyExport {
        study: String,
        directory: PathBuf,
    },
    /// One instance's file as it is stored, for viewers; also one that was left out and waits for somebody to look.
    StudyFile {
        study: String,
        sop_instance_uid: String,
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
        text_checked: bool,
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
        /// What stood on a screen; absent: unknown.
        #[serde(default)]
        displayed: Option<Displayed>,
        incomplete_ok: bool,
        text_checked: bool,
        /// The draft that is signed: it is dropped with the signature, unless another was kept since.
        #[serde(default)]
        draft: Option<u64>,
        /// What its author saw as asked ([`CaseView::asked_by`](super::CaseView::asked_by)): nothing is signed if
        /// something else is asked by now. Absent: whatever is asked.
        #[serde(default)]
        asked_by: Option<Vec<String>>,
    },
    /// Keeps an opinion that is being written, in place of the one kept before: one a case, sealed, never sent.
    OpinionDraftKeep {
        case: String,
        opinion: OpinionDraft,
        /// A number of the writer's own making, another for each draft.
        revision: u64,
        /// The draft that its writer saw last.
        #[serde(default)]
        last_seen: Option<u64>,
    },
    OpinionDraftShow {
        case: String,
    },
    /// Drops the draft; with a revision only that one.
    OpinionDraftDrop {
        case: String,
        #[serde(default)]
        revision: Option<u64>,
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
        /// What the writer has on screen, for others to restore.
        #[serde(default)]
        view: Option<AttachedView>,
        /// What it answers: the id of a mark, an opinion, or the entry of a message or critical finding.
        #[serde(default)]
        reply_to: Option<String>,
        text_checked: bool,
    },
    /// An app has the case open: the others see so, and [`Event::Live`](super::Event::Live) tells what they show, at
    /// once and whenever it changes, until the client leaves. Locking ends it.
    Attend {
        case: String,
    },
    /// What of a case is looked at and not here: it is asked for before everything else. At most [`SHOWN_IMAGES_MAX`].
    OnScreen {
        case: String,
        images: Vec<ShownImage>,
    },
    /// The pencil in a case that is attended draws this, or nothing any more; answered at once.
    Pencil {
        case: String,
        pencil: Option<PencilDraft>,
    },
    Sync,
    /// Everything under way and waiting, by case and colleague, what failed first.
    Transfers,
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
    /// Takes studies from DICOM neighbours until the client leaves; the first event is [`Event::PacsListening`].
    PacsListen(PacsListen),
    /// Ends whoever listens for neighbours.
    PacsStop,
    /// What neighbours have sent and nobody has imported yet.
    InboxList,
    InboxDiscard {
        /// Ids, or `all`.
        studies: Vec<String>,
    },
    Verify {
        what: String,
    },
    Doctor,
    SettingsShow,
    /// Changes one setting; the answer is all of them.
    SettingsSet {
        name: String,
        value: String,
    },
    /// Follows what happens: [`Event::Happened`] until the client leaves.
    Follow,
}

/// Most images on a screen at once, with those next to them.
pub const SHOWN_IMAGES_MAX: usize = 64;

/// An image of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownImage {
    pub study: String,
    pub sop_instance_uid: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ImportRequest {
    pub paths: Vec<PathBuf>,
    /// Studies of the inbox, by their ids, or `all`; beside the paths, or instead of them.
    #[serde(default)]
    pub inbox: Vec<String>,
    /// `consult`, `basic` or a file.
    pub preset: Option<String>,
    /// The study whose patient this is, though the ids differ.
    pub same_patient: Option<String>,
    /// Words of descriptions that stay though the shipped vocabulary lacks them; a patient's own never do.
    #[serde(default)]
    pub keep_words: Vec<String>,
    pub dry_run: bool,
}

/// How neighbours reach this node, and which.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacsListen {
    /// IP address and port; port 0: any that is free.
    pub address: String,
    /// What neighbours call this node.
    pub ae_title: String,
    /// Calling AE titles that may send.
    pub allow: Vec<String>,
    /// Whoever reaches the port may send, whatever it calls itself.
    pub any_ae: bool,
    pub tls: Option<PacsTls>,
    /// Answer storage commitment with yes for what is in the inbox.
    pub commit: bool,
    /// Where senders listen for storage commitment reports, as AE@HOST:PORT; others hear on their own association.
    #[serde(default)]
    pub report_to: Vec<String>,
    /// How much the inbox holds, in bytes.
    pub bytes_max: Option<u64>,
    /// Keep address, titles and TLS files in the settings, to be offered the next time.
    #[serde(default)]
    pub remember: bool,
}

/// PEM files of a listener that speaks TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacsTls {
    pub certificates: PathBuf,
    pub key: PathBuf,
    /// Authorities whose client certificates are asked for.
    pub authorities: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PixelValues {
    Stored,
    Modality,
    /// Standardised uptake values of PET.
    Suv,
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

/// What a viewer showed before an opinion was signed, and how well.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Displayed {
    /// How the terminal shows pictures.
    pub protocol: String,
    /// Greys it can show.
    pub grey_steps: u32,
    /// Series that are not named were never displayed.
    pub series: Vec<SeriesDisplayed>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SeriesDisplayed {
    /// A series that was imported again has the same UID in another study.
    pub study: String,
    pub series_instance_uid: String,
    /// Images that stood on the screen, at rest, with each of their frames.
    pub instances: u32,
    /// Images of which some frames did, and others not.
    pub partly: PartlyDisplayed,
    /// Most screen pixels an image pixel had, along a line.
    pub best_scale: f64,
}

/// Images that do not count as displayed, because frames of them never stood on the screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartlyDisplayed {
    pub instances: u32,
    /// Of all their frames.
    pub frames: u32,
    pub frames_displayed: u32,
}

impl PartlyDisplayed {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            instances: self.instances.saturating_add(other.instances),
            frames: self.frames.saturating_add(other.frames),
            frames_displayed: self.frames_displayed.saturating_add(other.frames_displayed),
        }
    }

    /// What of them was displayed; nothing if there are none.
    pub fn words(self) -> Option<String> {
        let images = if self.instances == 1 { "image" } else { "images" };
        let of = format!("{} of {} frames of {} {images}", self.frames_displayed, self.frames, self.instances);
        (self.instances > 0).then_some(of)
    }
}

/// Most text of a draft that is kept, in bytes: as much as an opinion with a critical finding can hold.
pub const DRAFT_BYTES_MAX: usize = 128 * 1024;

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

impl OpinionDraft {
    /// All its text together, in bytes.
    pub fn text_bytes(&self) -> usize {
        let Self { impression, agreement, findings, recommendation, confidence: _, critical } = self;
        let critical =
            critical.iter().flat_map(|CriticalDraft { finding, called, at, taken_by }| [finding, called, at, taken_by]);
        let texts = [impression, agreement].into_iter().chain(findings).chain(recommendation).chain(critical);
        texts.map(String::len).sum()
    }

    /// Whether nothing is written yet.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CriticalDraft {
    pub finding: String,
    pub called: String,
    pub at: String,
    pub taken_by: String,
}
