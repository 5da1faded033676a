//! What an entry's sealed part says: the kinds of format 7.
//!
//! Content is an array of a kind number and its fields. Kinds that this program does not know are kept and
//! forwarded, and shown as "needs a newer version"; since the clear kinds that change rights are a closed list,
//! an unknown one can never change who may do what.

use minicbor::{Decode, Decoder, Encode, Encoder};

use super::access::Role;
use super::attached::AttachedView;
use super::entry::ENTRY_BYTES_MAX;
use crate::encoding::id::{EntryId, MarkId, OpinionId, StudyId};
use crate::encoding::time::Timestamp;
use crate::encoding::{DecodeError, from_bytes, to_bytes};
use crate::identity::keys::{IdentityKey, Secret};
use crate::study::manifest::StudyHead;

/// Longest text in one field, in bytes of UTF-8: about ten pages. Longer ones do not go into a chunk, which could be
/// missing, withdrawn or past its retention when the entry is called delivered.
pub const TEXT_BYTES_MAX: usize = 32 * 1024;

/// Longest label, name or other one-line text, in bytes of UTF-8.
pub const LINE_BYTES_MAX: usize = 1024;

/// Most entries one receipt names.
pub const RECEIPT_ENTRIES_MAX: usize = 512;

/// Most points of a mark.
pub const MARK_POINTS_MAX: usize = 512;

/// Most heads and series an opinion's basis names.
pub const BASIS_ITEMS_MAX: usize = 256;

/// One thing a member says.
#[derive(Clone, PartialEq)]
pub enum Content {
    /// Beside a `members` entry: names and the reason.
    MembersNote(MembersNote),
    Case(CaseChange),
    StudyAdded(Box<StudyAdded>),
    StudyWithdrawn(StudyWithdrawn),
    Mark(Mark),
    MarkDeleted(MarkDeleted),
    Opinion(Box<Opinion>),
    Addendum(Addendum),
    Message(Message),
    Critical(Critical),
    Receipt(Receipt),
    /// A kind this program does not know.
    Unknown(u32),
}

/// Kind numbers. Those from 12 on are the format's for kinds that come later: 12 acknowledgement, 13 escalation,
/// 14 assignment, 15 session, 16 agenda, 17 poll, 18 ballot, 19 tally, 20 minutes, 21 blind round, 22 opinion
/// committed, 23 round key published.
mod kind {
    pub(super) const MEMBERS_NOTE: u32 = 0;
    pub(super) const CASE: u32 = 1;
    pub(super) const STUDY_ADDED: u32 = 2;
    pub(super) const STUDY_WITHDRAWN: u32 = 3;
    pub(super) const MARK: u32 = 4;
    pub(super) const MARK_DELETED: u32 = 5;
    pub(super) const OPINION: u32 = 6;
    pub(super) const ADDENDUM: u32 = 7;
    pub(super) const MESSAGE: u32 = 8;
    pub(super) const CRITICAL: u32 = 9;
    pub(super) const RECEIPT: u32 = 10;
}

/// Names for people who are added, and why members change. Shown, never decided by.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct MembersNote {
    #[n(0)]
    pub people: Vec<PersonNote>,
    #[n(1)]
    pub reason: Option<String>,
}

/// What a member calls another.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PersonNote {
    #[n(0)]
    pub identity: IdentityKey,
    #[n(1)]
    pub name: String,
    #[n(2)]
    pub site: String,
}

/// Sets fields of the case; absent ones stay as they are. Each field keeps its versions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CaseChange {
    #[n(0)]
    pub question: Option<String>,
    /// History, prior treatment, histology, concern.
    #[n(1)]
    pub context: Option<String>,
    /// The report the study was first read with.
    #[n(2)]
    pub first_report: Option<String>,
    #[n(3)]
    pub urgency: Option<Urgency>,
    #[n(4)]
    pub due: Option<Timestamp>,
    #[n(5)]
    pub status: Option<Status>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Urgency {
    #[n(0)]
    Routine,
    #[n(1)]
    Urgent,
    #[n(2)]
    Stat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Status {
    #[n(0)]
    Open,
    #[n(1)]
    Closed,
}

/// Puts a study into the case: its key and its head.
#[derive(Encode, Decode)]
#[cbor(map)]
pub struct StudyAdded {
    #[n(0)]
    pub study: StudyId,
    #[n(1)]
    pub role: StudyRole,
    #[n(2)]
    pub key: Secret,
    #[n(3)]
    pub head: StudyHead,
}

/// Index examination, or the how-manieth prior (from 1, newest first).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum StudyRole {
    #[n(0)]
    Index,
    #[n(1)]
    Prior(#[n(0)] u32),
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct StudyWithdrawn {
    #[n(0)]
    pub study: StudyId,
    #[n(1)]
    pub reason: Option<String>,
}

/// Draws a mark in ink, or a new version of one's own.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct Mark {
    /// The mark this is a new version of; absent for a new mark.
    #[n(0)]
    pub replaces: Option<MarkId>,
    #[n(1)]
    pub image: ImageRef,
    #[n(2)]
    pub shape: Shape,
    /// Column, row in pixels; (0,0) is the centre of the first pixel.
    #[n(3)]
    pub points: Vec<Point>,
    #[n(4)]
    pub label: Option<String>,
    /// As the author's program computed it; members recompute it from the pixels.
    #[n(5)]
    pub measured: Option<Measured>,
    /// One lesion keeps one tracking UID over readers and time points.
    #[n(6)]
    pub tracking_uid: Option<String>,
}

/// One frame of one instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(map)]
pub struct ImageRef {
    #[n(0)]
    pub study: StudyId,
    #[n(1)]
    pub sop_instance_uid: String,
    /// From 1, as in DICOM.
    #[n(2)]
    pub frame: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct Point {
    #[n(0)]
    pub column: f64,
    #[n(1)]
    pub row: f64,
}

/// What a mark draws and measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Shape {
    #[n(0)]
    Probe,
    #[n(1)]
    Length,
    #[n(2)]
    Angle,
    #[n(3)]
    Cobb,
    #[n(4)]
    Bidirectional,
    #[n(5)]
    Ellipse,
    #[n(6)]
    Rectangle,
    #[n(7)]
    Freehand,
    #[n(8)]
    Arrow,
    #[n(9)]
    Text,
    /// The whole image, as worth looking at: it has no points.
    #[n(10)]
    KeyImage,
}

/// A value with its unit and what it rests on.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct Measured {
    #[n(0)]
    pub value: f64,
    /// UCUM code.
    #[n(1)]
    pub unit: String,
    #[n(2)]
    pub basis: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct MarkDeleted {
    #[n(0)]
    pub mark: MarkId,
}

/// A signed second read.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct Opinion {
    #[n(0)]
    pub impression: String,
    #[n(1)]
    pub agreement: Agreement,
    #[n(2)]
    pub findings: Option<String>,
    #[n(3)]
    pub recommendation: Option<String>,
    /// How sure the reader is, in percent.
    #[n(4)]
    pub confidence_percent: Option<u32>,
    #[n(5)]
    pub basis: Basis,
    /// Set while acknowledgements do not exist: whom one called about the critical finding this opinion holds.
    #[n(6)]
    pub critical_call: Option<CriticalCall>,
}

/// Agreement with the first report; without one, with the question's premise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Agreement {
    #[n(0)]
    Agree,
    #[n(1)]
    Disagree,
    #[n(2)]
    Partly,
}

/// What an opinion rests on (design 4).
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct Basis {
    /// The entry that set the question the reader answered.
    #[n(0)]
    pub question: EntryId,
    /// Heads of the history the reader had.
    #[n(1)]
    pub heads: Vec<EntryId>,
    #[n(2)]
    pub series: Vec<SeriesBasis>,
    /// Something was missing or never displayed, and the reader signed all the same.
    #[n(3)]
    pub incomplete: bool,
}

/// What of one series arrived and was looked at.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct SeriesBasis {
    #[n(0)]
    pub study: StudyId,
    #[n(1)]
    pub series_instance_uid: String,
    #[n(2)]
    pub instances_expected: u32,
    #[n(3)]
    pub instances_received: u32,
    /// Absent: unknown (signed from the command line).
    #[n(4)]
    pub instances_displayed: Option<u32>,
    /// Best ratio of screen to image pixels.
    #[n(5)]
    pub best_scale: Option<f64>,
    /// How the pictures were shown (kitty, sixel, half-blocks).
    #[n(6)]
    pub protocol: Option<String>,
    #[n(7)]
    pub grey_steps: Option<u32>,
}

/// Whom one called about a critical finding, when, and who took it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CriticalCall {
    #[n(0)]
    pub called: String,
    #[n(1)]
    pub at: String,
    #[n(2)]
    pub taken_by: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Addendum {
    #[n(0)]
    pub opinion: OpinionId,
    #[n(1)]
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct Message {
    #[n(0)]
    pub text: String,
    /// A view to restore on request.
    #[n(1)]
    pub view: Option<Box<AttachedView>>,
    #[n(2)]
    pub reply_to: Option<EntryId>,
}

/// A finding that cannot wait.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Critical {
    #[n(0)]
    pub finding: String,
    #[n(1)]
    pub call: Option<CriticalCall>,
    #[n(2)]
    pub opinion: Option<OpinionId>,
}

/// What its author opened and read, and which withdrawn studies her nodes deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Receipt {
    #[n(0)]
    pub opened: Vec<EntryId>,
    #[n(1)]
    pub read: Vec<EntryId>,
    #[n(2)]
    pub deleted: Vec<StudyId>,
}

impl Content {
    /// The bytes that are sealed.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }

    /// Reads what was sealed; the author may be hostile, so every field is checked against its limit.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ContentError> {
        let content: Self = match from_bytes(bytes, ENTRY_BYTES_MAX) {
            Ok(content) => content,
            Err(error) => return unknown_kind(bytes).ok_or(ContentError::Encoding(error)),
        };
        content.check()?;
        Ok(content)
    }

    /// Least role that may say this (format 5).
    pub fn needed_role(&self) -> Role {
        match self {
            Self::Case(change) if change.status.is_some() => Role::Owner,
            Self::Case(_) => Role::Admin,
            Self::MembersNote(_) | Self::Message(_) | Self::Receipt(_) | Self::Unknown(_) => Role::Observer,
            Self::StudyAdded(_)
            | Self::StudyWithdrawn(_)
            | Self::Mark(_)
            | Self::MarkDeleted(_)
            | Self::Opinion(_)
            | Self::Addendum(_)
            | Self::Critical(_) => Role::Reader,
        }
    }

    /// Checks lengths, ranges and list sizes.
    pub fn check(&self) -> Result<(), ContentError> {
        match self {
            Self::MembersNote(note) => {
                list("people", note.people.len(), super::access::IDENTITIES_MAX)?;
                note.people.iter().try_for_each(|person| line("name", &person.name).and(line("site", &person.site)))?;
                optional("reason", &note.reason)
            }
            Self::Case(change) => {
                optional("question", &change.question)?;
                optional("context", &change.context)?;
                optional("first report", &change.first_report)
            }
            Self::StudyAdded(added) => added.head.to_bytes().map(drop).map_err(|_| ContentError::Field("study head")),
            Self::StudyWithdrawn(withdrawn) => optional("reason", &withdrawn.reason),
            Self::Mark(mark) => mark.check(),
            Self::MarkDeleted(_) | Self::Unknown(_) => Ok(()),
            Self::Opinion(opinion) => opinion.check(),
            Self::Addendum(addendum) => text("addendum", &addendum.text),
            Self::Message(message) => {
                text("message", &message.text)?;
                message.view.as_ref().map_or(Ok(()), |view| view.check())
            }
            Self::Critical(critical) => text("finding", &critical.finding),
            Self::Receipt(receipt) => {
                list("opened", receipt.opened.len(), RECEIPT_ENTRIES_MAX)?;
                list("read", receipt.read.len(), RECEIPT_ENTRIES_MAX)?;
                list("deleted", receipt.deleted.len(), RECEIPT_ENTRIES_MAX)
            }
        }
    }
}

impl Mark {
    fn check(&self) -> Result<(), ContentError> {
        check_drawing(&self.image, self.shape, &self.points)?;
        if self.measured.as_ref().is_some_and(|measured| !measured.value.is_finite()) {
            return Err(ContentError::Field("value"));
        }
        self.label.as_ref().map_or(Ok(()), |label| line("label", label))
    }
}

impl Opinion {
    fn check(&self) -> Result<(), ContentError> {
        text("impression", &self.impression)?;
        optional("findings", &self.findings)?;
        optional("recommendation", &self.recommendation)?;
        if self.impression.trim().is_empty() {
            return Err(ContentError::Field("impression"));
        }
        if self.confidence_percent.is_some_and(|percent| percent > 100) {
            return Err(ContentError::Field("confidence"));
        }
        list("heads", self.basis.heads.len(), BASIS_ITEMS_MAX)?;
        list("series", self.basis.series.len(), BASIS_ITEMS_MAX)
    }
}

impl Clone for StudyAdded {
    fn clone(&self) -> Self {
        Self { study: self.study, role: self.role, key: self.key.duplicate(), head: self.head.clone() }
    }
}

impl PartialEq for StudyAdded {
    fn eq(&self, other: &Self) -> bool {
        // The key is a secret without comparison; its study id is made of nothing else.
        (self.study, self.role, &self.head) == (other.study, other.role, &other.head)
    }
}

/// Checks where something is drawn, in ink or pencil.
pub(super) fn check_drawing(image: &ImageRef, shape: Shape, points: &[Point]) -> Result<(), ContentError> {
    list("points", points.len(), MARK_POINTS_MAX)?;
    if points.is_empty() != (shape == Shape::KeyImage) || image.frame == 0 {
        return Err(ContentError::Field("points and frame"));
    }
    if !points.iter().all(|point| point.column.is_finite() && point.row.is_finite()) {
        return Err(ContentError::Field("points"));
    }
    line("image", &image.sop_instance_uid)
}

pub(super) fn line(field: &'static str, value: &str) -> Result<(), ContentError> {
    if value.len() <= LINE_BYTES_MAX {
        Ok(())
    } else {
        Err(ContentError::TooLong { field, bytes: value.len(), max_bytes: LINE_BYTES_MAX })
    }
}

fn text(field: &'static str, value: &str) -> Result<(), ContentError> {
    if value.len() <= TEXT_BYTES_MAX {
        Ok(())
    } else {
        Err(ContentError::TooLong { field, bytes: value.len(), max_bytes: TEXT_BYTES_MAX })
    }
}

fn optional(field: &'static str, value: &Option<String>) -> Result<(), ContentError> {
    value.as_ref().map_or(Ok(()), |value| text(field, value))
}

pub(super) fn list(field: &'static str, items: usize, max: usize) -> Result<(), ContentError> {
    if items <= max { Ok(()) } else { Err(ContentError::TooMany { field, items, max }) }
}

/// The number of a kind that is not known here, if the bytes are otherwise in form.
fn unknown_kind(bytes: &[u8]) -> Option<Content> {
    let mut decoder = Decoder::new(bytes);
    let number = (decoder.array().ok()? == Some(2)).then(|| decoder.u32().ok())??;
    decoder.skip().ok()?;
    (number > kind::RECEIPT && decoder.position() == bytes.len()).then_some(Content::Unknown(number))
}

impl<C> Encode<C> for Content {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(2)?;
        match self {
            Self::MembersNote(value) => e.u32(kind::MEMBERS_NOTE)?.encode_with(value, context)?.ok(),
            Self::Case(value) => e.u32(kind::CASE)?.encode_with(value, context)?.ok(),
            Self::StudyAdded(value) => e.u32(kind::STUDY_ADDED)?.encode_with(value, context)?.ok(),
            Self::StudyWithdrawn(value) => e.u32(kind::STUDY_WITHDRAWN)?.encode_with(value, context)?.ok(),
            Self::Mark(value) => e.u32(kind::MARK)?.encode_with(value, context)?.ok(),
            Self::MarkDeleted(value) => e.u32(kind::MARK_DELETED)?.encode_with(value, context)?.ok(),
            Self::Opinion(value) => e.u32(kind::OPINION)?.encode_with(value, context)?.ok(),
            Self::Addendum(value) => e.u32(kind::ADDENDUM)?.encode_with(value, context)?.ok(),
            Self::Message(value) => e.u32(kind::MESSAGE)?.encode_with(value, context)?.ok(),
            Self::Critical(value) => e.u32(kind::CRITICAL)?.encode_with(value, context)?.ok(),
            Self::Receipt(value) => e.u32(kind::RECEIPT)?.encode_with(value, context)?.ok(),
            Self::Unknown(_) => Err(minicbor::encode::Error::message("an unknown kind is never written")),
        }
    }
}

impl<'b, C> Decode<'b, C> for Content {
    fn decode(d: &mut Decoder<'b>, context: &mut C) -> Result<Self, minicbor::decode::Error> {
        if d.array()? != Some(2) {
            return Err(minicbor::decode::Error::message("content is a kind and its fields"));
        }
        Ok(match d.u32()? {
            kind::MEMBERS_NOTE => Self::MembersNote(d.decode_with(context)?),
            kind::CASE => Self::Case(d.decode_with(context)?),
            kind::STUDY_ADDED => Self::StudyAdded(Box::new(d.decode_with(context)?)),
            kind::STUDY_WITHDRAWN => Self::StudyWithdrawn(d.decode_with(context)?),
            kind::MARK => Self::Mark(d.decode_with(context)?),
            kind::MARK_DELETED => Self::MarkDeleted(d.decode_with(context)?),
            kind::OPINION => Self::Opinion(Box::new(d.decode_with(context)?)),
            kind::ADDENDUM => Self::Addendum(d.decode_with(context)?),
            kind::MESSAGE => Self::Message(d.decode_with(context)?),
            kind::CRITICAL => Self::Critical(d.decode_with(context)?),
            kind::RECEIPT => Self::Receipt(d.decode_with(context)?),
            _ => return Err(minicbor::decode::Error::message("a kind this program does not know")),
        })
    }
}

/// Why content cannot be written or shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    #[error(transparent)]
    Encoding(DecodeError),
    #[error("{field} has {bytes} bytes; at most {max_bytes} fit into an entry")]
    TooLong { field: &'static str, bytes: usize, max_bytes: usize },
    #[error("{field} has {items} items; at most {max} are allowed")]
    TooMany { field: &'static str, items: usize, max: usize },
    #[error("{0} is out of range")]
    Field(&'static str),
}
