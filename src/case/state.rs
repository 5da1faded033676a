//! What a case says: the fold of everything that counts (format 6).
//!
//! [`CaseState::fold`] is a function of the accepted entries and of what the keyring opens; it reads no clock.
//! Two members who hold the same entries and can open them get the same [`CaseState::state_hash`].
//!
//! Nothing is ever dropped silently: what does not count, comes late, is flagged by a fork or cannot be read
//! stands in the [`LogLine`]s with the reason.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::Encode;

use super::access::{AccessChange, Role};
use super::content::{
    Addendum, CaseChange, Content, Critical, Mark, Message, Opinion, Status, StudyAdded, StudyRole, Urgency,
};
use super::history::{History, Index};
use super::keyring::{Keyring, Opened};
use super::members::{Membership, Verdict};
use crate::encoding::id::{CaseId, EntryId, MarkId, OpinionId, StudyId};
use crate::encoding::labels::STATE_HASH;
use crate::encoding::time::Timestamp;
use crate::encoding::to_bytes;
use crate::identity::keys::{DeviceKey, IdentityKey};
use crate::seal::chunk::StudyKey;
use crate::study::manifest::StudyHead;

/// A case as its members see it.
pub struct CaseState {
    pub case: CaseId,
    pub shared: Shared,
    /// Keys of the studies in the case, by study.
    pub study_keys: BTreeMap<StudyId, StudyKey>,
    /// One line for each accepted entry, in the order of the fold.
    pub log: Vec<LogLine>,
    pub heads: BTreeSet<EntryId>,
    /// Entries this device holds no key for.
    pub unreadable: usize,
}

/// The part that is the same for every member: no chunk counts, read marks of this device, local trust or names
/// from cards.
#[derive(Debug, Clone, Default, PartialEq, Encode)]
#[cbor(map)]
pub struct Shared {
    #[n(0)]
    pub members: BTreeMap<IdentityKey, MemberState>,
    #[n(1)]
    pub heir: Option<IdentityKey>,
    #[n(2)]
    pub question: Option<Version<String>>,
    #[n(3)]
    pub context: Option<Version<String>>,
    #[n(4)]
    pub first_report: Option<Version<String>>,
    #[n(5)]
    pub urgency: Option<Version<Urgency>>,
    #[n(6)]
    pub due: Option<Version<Timestamp>>,
    #[n(7)]
    pub status: Option<Version<Status>>,
    #[n(8)]
    pub studies: Vec<StudyState>,
    #[n(9)]
    pub marks: Vec<MarkState>,
    #[n(10)]
    pub opinions: Vec<OpinionState>,
    #[n(11)]
    pub messages: Vec<Said<Message>>,
    #[n(12)]
    pub criticals: Vec<Said<Critical>>,
    /// Who opened and who read what.
    #[n(13)]
    pub receipts: BTreeMap<EntryId, ReceiptState>,
    /// Who deleted which withdrawn study.
    #[n(14)]
    pub deletions: BTreeMap<StudyId, BTreeSet<IdentityKey>>,
    #[n(15)]
    pub forks: Vec<Fork>,
    /// Entries of kinds this program does not know.
    #[n(16)]
    pub unknown: BTreeSet<EntryId>,
    /// Entries whose sealed part does not open or breaks a limit.
    #[n(17)]
    pub malformed: BTreeSet<EntryId>,
    /// Names that whoever added a person gave her.
    #[n(18)]
    pub names: BTreeMap<IdentityKey, PersonName>,
}

/// A field's value and who set it.
#[derive(Debug, Clone, PartialEq, Encode)]
#[cbor(map)]
pub struct Version<T> {
    #[n(0)]
    pub value: T,
    #[n(1)]
    pub entry: EntryId,
    #[n(2)]
    pub author: IdentityKey,
    #[n(3)]
    pub claimed: Timestamp,
    /// How many versions there were, this one included.
    #[n(4)]
    pub number: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct MemberState {
    #[n(0)]
    pub role: Role,
    #[n(1)]
    pub devices: BTreeSet<DeviceKey>,
    #[n(2)]
    pub unverified: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct PersonName {
    #[n(0)]
    pub name: String,
    #[n(1)]
    pub site: String,
}

#[derive(Debug, Clone, PartialEq, Encode)]
#[cbor(map)]
pub struct StudyState {
    #[n(0)]
    pub study: StudyId,
    #[n(1)]
    pub role: StudyRole,
    #[n(2)]
    pub head: StudyHead,
    #[n(3)]
    pub added: Stamp,
    /// The entries that withdrew it.
    #[n(4)]
    pub withdrawn: Option<Stamp>,
}

/// Who wrote an entry, and what to know about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct Stamp {
    #[n(0)]
    pub entry: EntryId,
    #[n(1)]
    pub author: IdentityKey,
    #[n(2)]
    pub device: DeviceKey,
    #[n(3)]
    pub claimed: Timestamp,
    #[n(4)]
    pub flags: Flags,
}

/// What a reader must be told about an entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct Flags {
    /// Not in the past of the closing.
    #[n(0)]
    pub late: bool,
    /// Written by a device that forked.
    #[n(1)]
    pub forked: bool,
    /// Its claimed time lies before that of something it knew.
    #[n(2)]
    pub time_contradicts: bool,
}

/// Something said once and never changed.
#[derive(Debug, Clone, PartialEq, Encode)]
#[cbor(map)]
pub struct Said<T> {
    #[n(0)]
    pub stamp: Stamp,
    #[n(1)]
    pub content: T,
}

#[derive(Debug, Clone, PartialEq, Encode)]
#[cbor(map)]
pub struct MarkState {
    #[n(0)]
    pub id: MarkId,
    /// The version that holds.
    #[n(1)]
    pub stamp: Stamp,
    #[n(2)]
    pub mark: Mark,
}

#[derive(Debug, Clone, PartialEq, Encode)]
#[cbor(map)]
pub struct OpinionState {
    #[n(0)]
    pub id: OpinionId,
    #[n(1)]
    pub stamp: Stamp,
    #[n(2)]
    pub opinion: Opinion,
    #[n(3)]
    pub addenda: Vec<Said<Addendum>>,
    /// What came in after it was signed: studies, or another question.
    #[n(4)]
    pub signed_before: Vec<EntryId>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct ReceiptState {
    #[n(0)]
    pub opened: BTreeSet<IdentityKey>,
    #[n(1)]
    pub read: BTreeSet<IdentityKey>,
}

/// A device that wrote two entries at one place of its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct Fork {
    #[n(0)]
    pub device: DeviceKey,
    #[n(1)]
    pub identity: IdentityKey,
    #[n(2)]
    pub one: EntryId,
    #[n(3)]
    pub other: EntryId,
}

/// One accepted entry, for the log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogLine {
    pub stamp: Stamp,
    pub sequence: u64,
    pub what: &'static str,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Counts,
    Rightless,
    CutOff,
    AfterFork,
    /// The rule of its kind is not met: another's mark, an unknown study or opinion.
    Void,
    NoKey,
    Malformed,
    Unknown,
}

impl CaseState {
    /// Folds a history. Nothing sealed is readable with an empty keyring; the clear parts still are.
    pub fn fold(history: &History, keyring: &Keyring) -> Self {
        let membership = Membership::fold(history);
        let mut fold = Fold::new(history, &membership);
        for index in history.fold_order() {
            fold.open(index, keyring.open(&history[index]));
        }
        fold.finish()
    }

    /// The hash that members compare; `None` while something cannot be read.
    pub fn state_hash(&self) -> Option<[u8; 32]> {
        (self.unreadable == 0).then(|| blake3::derive_key(STATE_HASH, &to_bytes(&self.shared)))
    }

    pub fn is_closed(&self) -> bool {
        self.shared.status.as_ref().is_some_and(|status| status.value == Status::Closed)
    }

    pub fn urgency(&self) -> Urgency {
        self.shared.urgency.as_ref().map_or(Urgency::Routine, |urgency| urgency.value)
    }

    /// Studies that are in the case and not withdrawn.
    pub fn current_studies(&self) -> impl Iterator<Item = &StudyState> {
        self.shared.studies.iter().filter(|study| study.withdrawn.is_none())
    }
}

/// The fold under way: what counted so far, by kind.
struct Fold<'h, 'm> {
    history: &'h History,
    membership: &'m Membership<'h>,
    shared: Shared,
    log: Vec<LogLine>,
    unreadable: usize,
    studies: Vec<(Index, Box<StudyAdded>)>,
    withdrawals: Vec<(Index, StudyId)>,
    marks: Vec<(Index, Mark)>,
    /// The first version of each mark.
    drawn: BTreeMap<MarkId, Index>,
    mark_deletions: BTreeMap<MarkId, Vec<Index>>,
    opinions: Vec<(Index, Opinion)>,
    addenda: Vec<(Index, Addendum)>,
    questions: Vec<Index>,
}

impl<'h, 'm> Fold<'h, 'm> {
    fn new(history: &'h History, membership: &'m Membership<'h>) -> Self {
        let members = membership.members().into_iter().map(|(identity, member)| {
            let devices = member.devices.keys().copied().collect();
            (identity, MemberState { role: member.role, devices, unverified: member.unverified })
        });
        let mut forks: Vec<Fork> = history
            .forks()
            .filter_map(|(device, one, other)| {
                Some(Fork { device, identity: history.identity_of(device)?, one, other })
            })
            .collect();
        forks.sort_by_key(|fork| fork.device);
        let shared = Shared { members: members.collect(), heir: membership.heir(), forks, ..Shared::default() };
        Self {
            history,
            membership,
            shared,
            log: Vec::new(),
            unreadable: 0,
            studies: Vec::new(),
            withdrawals: Vec::new(),
            marks: Vec::new(),
            drawn: BTreeMap::new(),
            mark_deletions: BTreeMap::new(),
            opinions: Vec::new(),
            addenda: Vec::new(),
            questions: Vec::new(),
        }
    }

    /// Takes in one entry, in the order of the fold.
    fn open(&mut self, index: Index, opened: Opened) {
        let entry = &self.history[index].entry;
        let (what, outcome) = match opened {
            Opened::Nothing => {
                // A device that certifies itself is nobody before its entry, so only the act can tell.
                let is_device = matches!(entry.body.access(), Some(AccessChange::Device(_)));
                let outcome = match is_device && self.membership.took_effect(index) {
                    true => Outcome::Counts,
                    false => self.judge(index, Role::Courier),
                };
                (access_word(entry.body.access()), outcome)
            }
            Opened::NoKey => {
                self.unreadable += 1;
                (entry.body.access().map_or("sealed", |access| access_word(Some(access))), Outcome::NoKey)
            }
            Opened::Malformed(_) => {
                self.shared.malformed.insert(entry.id);
                ("unreadable", Outcome::Malformed)
            }
            Opened::Content(Content::Unknown(_)) => {
                self.shared.unknown.insert(entry.id);
                ("needs a newer version", Outcome::Unknown)
            }
            Opened::Content(content) => {
                let what = content_word(&content);
                let outcome = match self.judge(index, content.needed_role()) {
                    Outcome::Counts => self.take(index, content),
                    other => other,
                };
                (what, outcome)
            }
        };
        let sequence = entry.header.sequence;
        self.log.push(LogLine { stamp: self.stamp(index), sequence, what, outcome });
    }

    fn judge(&self, index: Index, needed: Role) -> Outcome {
        match self.membership.verdict(index, needed) {
            Verdict::Counts => Outcome::Counts,
            Verdict::Rightless if self.history[index].entry.header.case.is_none() => Outcome::Counts,
            Verdict::Rightless => Outcome::Rightless,
            Verdict::CutOff => Outcome::CutOff,
            Verdict::Forked => Outcome::AfterFork,
        }
    }

    /// Folds content whose author had the right.
    fn take(&mut self, index: Index, content: Content) -> Outcome {
        let stamp = self.stamp(index);
        match content {
            Content::MembersNote(note) => {
                let Some(AccessChange::Members(members)) = self.history[index].entry.body.access() else {
                    return Outcome::Void;
                };
                if !self.membership.took_effect(index) {
                    return Outcome::Void;
                }
                for person in note.people.into_iter().filter(|person| members.adds(&person.identity)) {
                    self.shared.names.insert(person.identity, PersonName { name: person.name, site: person.site });
                }
            }
            Content::Case(change) => self.change_case(index, stamp, change),
            Content::StudyAdded(added) => {
                let key = StudyKey(added.key.duplicate());
                if key.study_id() != added.study {
                    return Outcome::Void;
                }
                self.studies.push((index, added));
            }
            Content::StudyWithdrawn(withdrawn) => {
                // As the owner then: who owns the case later changes nothing about a recall.
                let owner = self.membership.verdict(index, Role::Owner) == Verdict::Counts;
                let hers = self.studies.iter().any(|(added, study)| {
                    study.study == withdrawn.study && self.history[*added].author == stamp.author
                });
                if !owner && !hers {
                    return Outcome::Void;
                }
                self.withdrawals.push((index, withdrawn.study));
            }
            Content::Mark(mark) => {
                if mark.replaces.is_some_and(|id| !self.wrote_mark(id, stamp.author, index)) {
                    return Outcome::Void;
                }
                if mark.replaces.is_none() {
                    self.drawn.insert(stamp.entry.into(), index);
                }
                self.marks.push((index, mark));
            }
            Content::MarkDeleted(deleted) => {
                if !self.wrote_mark(deleted.mark, stamp.author, index) {
                    return Outcome::Void;
                }
                self.mark_deletions.entry(deleted.mark).or_default().push(index);
            }
            Content::Opinion(opinion) => self.opinions.push((index, *opinion)),
            Content::Addendum(addendum) => {
                let hers = self.opinions.iter().any(|(signed, _)| {
                    OpinionId::from(self.history[*signed].entry.id) == addendum.opinion
                        && self.history[*signed].author == stamp.author
                        && self.history.in_past(*signed, index)
                });
                if !hers {
                    return Outcome::Void;
                }
                self.addenda.push((index, addendum));
            }
            Content::Message(content) => self.shared.messages.push(Said { stamp, content }),
            Content::Critical(content) => self.shared.criticals.push(Said { stamp, content }),
            Content::Receipt(receipt) => {
                for entry in receipt.opened {
                    self.shared.receipts.entry(entry).or_default().opened.insert(stamp.author);
                }
                for entry in receipt.read {
                    self.shared.receipts.entry(entry).or_default().read.insert(stamp.author);
                }
                for study in receipt.deleted {
                    self.shared.deletions.entry(study).or_default().insert(stamp.author);
                }
            }
            Content::Unknown(_) => {}
        }
        Outcome::Counts
    }

    /// Later in the order of the fold wins; a later version in the causal order always is later there.
    fn change_case(&mut self, index: Index, stamp: Stamp, change: CaseChange) {
        fn set<T>(field: &mut Option<Version<T>>, value: Option<T>, stamp: Stamp) {
            if let Some(value) = value {
                let number = field.as_ref().map_or(1, |before| before.number.saturating_add(1));
                let Stamp { entry, author, claimed, .. } = stamp;
                *field = Some(Version { value, entry, author, claimed, number });
            }
        }
        if change.question.is_some() {
            self.questions.push(index);
        }
        let shared = &mut self.shared;
        set(&mut shared.question, change.question, stamp);
        set(&mut shared.context, change.context, stamp);
        set(&mut shared.first_report, change.first_report, stamp);
        set(&mut shared.urgency, change.urgency, stamp);
        set(&mut shared.due, change.due, stamp);
        set(&mut shared.status, change.status, stamp);
    }

    /// Whether this person drew the mark, and `index` knew it.
    fn wrote_mark(&self, id: MarkId, author: IdentityKey, index: Index) -> bool {
        let drawn = self.drawn.get(&id);
        drawn.is_some_and(|drawn| self.history[*drawn].author == author && self.history.in_past(*drawn, index))
    }

    fn stamp(&self, index: Index) -> Stamp {
        let accepted = &self.history[index];
        let header = &accepted.entry.header;
        let flags = Flags {
            late: false,
            forked: self.history.is_forked(header.device),
            time_contradicts: self.history.claims_before_its_past(index),
        };
        Stamp {
            entry: accepted.entry.id,
            author: accepted.author,
            device: header.device,
            claimed: header.claimed,
            flags,
        }
    }

    fn finish(mut self) -> CaseState {
        let study_keys = self.finish_studies();
        self.finish_marks();
        self.finish_opinions();
        self.flag_late();
        CaseState {
            case: self.history.case(),
            shared: self.shared,
            study_keys,
            log: self.log,
            heads: self.history.heads().clone(),
            unreadable: self.unreadable,
        }
    }

    /// A study is in the case while some entry that adds it knows every withdrawal: withdrawal beats concurrent use.
    fn finish_studies(&mut self) -> BTreeMap<StudyId, StudyKey> {
        let mut keys = BTreeMap::new();
        let mut by_study: BTreeMap<StudyId, Vec<usize>> = BTreeMap::new();
        for (position, (_, added)) in self.studies.iter().enumerate() {
            by_study.entry(added.study).or_default().push(position);
        }
        let mut states = Vec::new();
        for (study, additions) in by_study {
            let withdrawals: Vec<Index> =
                self.withdrawals.iter().filter(|(_, withdrawn)| *withdrawn == study).map(|(index, _)| *index).collect();
            let stands = |position: &&usize| {
                let (added, _) = &self.studies[**position];
                withdrawals.iter().all(|withdrawal| self.history.in_past(*withdrawal, *added))
            };
            let standing = additions.iter().find(stands);
            let Some(shown) = standing.or(additions.last()) else { continue };
            let (index, added) = &self.studies[*shown];
            let withdrawn = if standing.is_some() { None } else { withdrawals.first().map(|index| self.stamp(*index)) };
            keys.insert(study, StudyKey(added.key.duplicate()));
            let added_stamp = self.stamp(*index);
            states.push((
                self.history.order_key(*index),
                StudyState { study, role: added.role, head: added.head.clone(), added: added_stamp, withdrawn },
            ));
        }
        states.sort_by_key(|(order, state)| (state.role, *order));
        self.shared.studies = states.into_iter().map(|(_, state)| state).collect();
        keys
    }

    /// Of a mark's versions the last in the order of the fold holds; a deletion kills the versions it knew.
    fn finish_marks(&mut self) {
        let mut latest: BTreeMap<MarkId, (Index, &Mark)> = BTreeMap::new();
        for (index, mark) in &self.marks {
            let id = mark.replaces.unwrap_or_else(|| self.history[*index].entry.id.into());
            let deletions = self.mark_deletions.get(&id).map_or(&[][..], Vec::as_slice);
            let killed = deletions.iter().any(|deletion| self.history.in_past(*index, *deletion));
            if !killed {
                latest.insert(id, (*index, mark));
            }
        }
        let mut marks: Vec<(Index, MarkState)> = latest
            .into_iter()
            .map(|(id, (index, mark))| (index, MarkState { id, stamp: self.stamp(index), mark: mark.clone() }))
            .collect();
        marks.sort_by_key(|(index, _)| self.history.order_key(*index));
        self.shared.marks = marks.into_iter().map(|(_, mark)| mark).collect();
    }

    fn finish_opinions(&mut self) {
        let opinions = std::mem::take(&mut self.opinions);
        let addenda = std::mem::take(&mut self.addenda);
        let additions: Vec<Index> =
            self.studies.iter().map(|(index, _)| *index).chain(self.questions.iter().copied()).collect();
        for (index, opinion) in opinions {
            let id = OpinionId::from(self.history[index].entry.id);
            let hers = addenda.iter().filter(|(_, addendum)| addendum.opinion == id);
            let addenda =
                hers.map(|(at, addendum)| Said { stamp: self.stamp(*at), content: addendum.clone() }).collect();
            let mut unseen: Vec<Index> =
                additions.iter().copied().filter(|added| !self.history.in_past(*added, index)).collect();
            unseen.sort_by_key(|added| self.history.order_key(*added));
            let signed_before = unseen.into_iter().map(|added| self.history[added].entry.id).collect();
            let stamp = self.stamp(index);
            self.shared.opinions.push(OpinionState { id, stamp, opinion, addenda, signed_before });
        }
    }

    /// Flags what is not in the past of the entry that closed the case.
    fn flag_late(&mut self) {
        let closing = self.shared.status.as_ref().filter(|status| status.value == Status::Closed);
        let Some(closing) = closing.and_then(|status| self.history.index_of(&status.entry)) else { return };
        let history = self.history;
        let flag = |stamp: &mut Stamp| {
            let index = history.index_of(&stamp.entry);
            stamp.flags.late = index.is_some_and(|index| !history.in_past(index, closing));
        };
        let shared = &mut self.shared;
        shared.studies.iter_mut().for_each(|study| flag(&mut study.added));
        shared.marks.iter_mut().for_each(|mark| flag(&mut mark.stamp));
        shared.messages.iter_mut().for_each(|message| flag(&mut message.stamp));
        shared.criticals.iter_mut().for_each(|critical| flag(&mut critical.stamp));
        for opinion in &mut shared.opinions {
            flag(&mut opinion.stamp);
            opinion.addenda.iter_mut().for_each(|addendum| flag(&mut addendum.stamp));
        }
        self.log.iter_mut().for_each(|line| flag(&mut line.stamp));
    }
}

fn access_word(access: Option<&AccessChange>) -> &'static str {
    match access {
        Some(AccessChange::Members(_)) => "members",
        Some(AccessChange::Device(_)) => "device",
        Some(AccessChange::Keys(_)) => "keys",
        None => "nothing",
    }
}

fn content_word(content: &Content) -> &'static str {
    match content {
        Content::MembersNote(_) => "members",
        Content::Case(_) => "case",
        Content::StudyAdded(_) => "study added",
        Content::StudyWithdrawn(_) => "study withdrawn",
        Content::Mark(_) => "mark",
        Content::MarkDeleted(_) => "mark deleted",
        Content::Opinion(_) => "opinion",
        Content::Addendum(_) => "addendum",
        Content::Message(_) => "message",
        Content::Critical(_) => "critical finding",
        Content::Receipt(_) => "receipt",
        Content::Unknown(_) => "needs a newer version",
    }
}
