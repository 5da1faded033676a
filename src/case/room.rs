//! One case in memory: its history, the keys this device holds, and the pen.
//!
//! [`Room::accept`] takes in what others wrote, [`Room::write`] and [`Room::change_members`] write with this
//! device's keys, [`Room::state`] folds. Whatever is written is returned as bytes and already part of the room;
//! the caller makes the bytes durable *before* anybody sees them, and drops the room if that fails.
//!
//! A device never seals under an epoch that includes a device its own fold counts as removed, revoked or forked:
//! [`Room::write`] puts a `members` entry without changes before the content when no epoch is clean (format 4).

#[cfg(test)]
mod dishonest;

use super::access::{AccessChange, Change, DEVICES_MAX, IDENTITIES_MAX, Members, Role};
use super::content::{Content, ContentError, MembersNote, Urgency};
use super::entry::{
    ACCESS_ENTRY_BYTES_MAX, Body, Clear, ENTRY_BYTES_MAX, EntryError, Header, Notice, SignedEntry, sign,
};
use super::history::{Acceptance, History, Refusal};
use super::keyring::Keyring;
use super::members::Membership;
use super::state::CaseState;
use crate::encoding::id::{Bytes, CaseId, EntryId};
use crate::encoding::labels::FORMAT_VERSION;
use crate::encoding::random::{self, CryptoRng};
use crate::encoding::time::Timestamp;
use crate::identity::certificate::DeviceCertificate;
use crate::identity::keys::{DeviceKey, DeviceSecrets, IdentityKey};
use crate::seal::aead::OpenError;
use crate::seal::epoch::{DeviceSeal, EpochSecret, NO_CASE_YET, NoticeContext, WrappedParent, seal_notice};
use minicbor::bytes::ByteVec;
use std::collections::{BTreeMap, BTreeSet};

/// Who writes: a device under its person's certificate.
pub struct Author<'a> {
    pub certificate: &'a DeviceCertificate,
    pub secrets: &'a DeviceSecrets,
}

/// One case in memory.
pub struct Room {
    history: History,
    keyring: Keyring,
}

/// An entry of this device, ready to be stored and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub id: EntryId,
    pub bytes: Vec<u8>,
}

/// A person to be put into a case.
#[derive(Debug, Clone)]
pub struct NewMember {
    pub identity: IdentityKey,
    pub role: Role,
    pub devices: Vec<DeviceCertificate>,
    pub unverified: bool,
}

impl NewMember {
    pub fn change(&self) -> Change {
        Change::Add {
            identity: self.identity,
            role: self.role,
            devices: self.devices.clone(),
            unverified: self.unverified,
        }
    }
}

impl Room {
    /// Founds a case: the author as owner with her devices, and whom she invites.
    pub fn found(
        author: &Author<'_>,
        devices: Vec<DeviceCertificate>,
        invited: &[NewMember],
        note: MembersNote,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, Written), WriteError> {
        let owner =
            NewMember { identity: author.certificate.identity(), role: Role::Owner, devices, unverified: false };
        let changes: Vec<Change> = std::iter::once(&owner).chain(invited).map(NewMember::change).collect();
        let people = std::iter::once(&owner).chain(invited);
        let reading: BTreeMap<DeviceKey, &DeviceCertificate> = people
            .filter(|person| person.role.reads())
            .flat_map(|person| &person.devices)
            .map(|certificate| (certificate.device(), certificate))
            .collect();
        if !reading.contains_key(&author.certificate.device()) {
            return Err(WriteError::NotAMember);
        }
        check_numbers(changes.len(), reading.len())?;
        let secret = EpochSecret::random(rng);
        let seals = seal_to_all(&secret, NO_CASE_YET, &reading, rng)?;
        let members = Members { changes, commitment: Bytes(secret.commitment()), seals, wrapped: Vec::new() };
        let place = Place { case: None, sequence: 0, previous: None, parents: Vec::new() };
        let access = AccessChange::Members(members);
        let content = Content::MembersNote(note);
        let bytes = compose(author, place, now, None, &secret, &content, Some(access), &[], rng)?;
        let history = History::found(SignedEntry::read(&bytes)?)?;
        let mut room = Self { history, keyring: Keyring::default() };
        let id: EntryId = room.history.case().into();
        room.learn(author);
        Ok((room, Written { id, bytes }))
    }

    /// Opens a room from stored or received entries, in causal order; the first founds the case.
    pub fn open(first: SignedEntry, rest: impl IntoIterator<Item = SignedEntry>) -> Result<Self, Refusal> {
        let mut history = History::found(first)?;
        for entry in rest {
            history.accept(entry)?;
        }
        Ok(Self { history, keyring: Keyring::default() })
    }

    /// Takes in an entry of any member whose causes are here.
    pub fn accept(&mut self, entry: SignedEntry) -> Result<Acceptance, Refusal> {
        self.history.accept(entry)
    }

    /// Opens what this device can open of the entries that came in. Call it after accepting; a locked program
    /// does not.
    pub fn learn(&mut self, author: &Author<'_>) {
        self.keyring.learn(&self.history, author.secrets.device(), &author.secrets.sealing);
    }

    /// Forgets every key, as on locking.
    pub fn forget(&mut self) {
        self.keyring = Keyring::default();
    }

    pub fn case(&self) -> CaseId {
        self.history.case()
    }

    pub fn history(&self) -> &History {
        &self.history
    }

    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    pub fn membership(&self) -> Membership<'_> {
        Membership::fold(&self.history)
    }

    pub fn state(&self) -> CaseState {
        CaseState::fold(&self.history, &self.keyring)
    }

    /// Writes content, after an epoch of its own if no clean one exists. With a notice, every other reader's
    /// locked device can tell the urgency.
    pub fn write(
        &mut self,
        author: &Author<'_>,
        content: &Content,
        notice: Option<Urgency>,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<Written>, WriteError> {
        content.check()?;
        self.check_may_write(author, content.needed_role())?;
        let needs_epoch = {
            let membership = self.membership();
            membership.sealing_epoch().is_none_or(|epoch| self.keyring.secret(&epoch.id).is_none())
        };
        if !needs_epoch {
            return Ok(vec![self.write_sealed(author, content, notice, now, rng)?]);
        }
        let before = self.history.clone();
        let epoch = self.start_epoch(author, Vec::new(), no_note(), None, now, rng)?;
        match self.write_sealed(author, content, notice, now, rng) {
            Ok(written) => Ok(vec![epoch, written]),
            Err(error) => {
                self.go_back(before);
                Err(error)
            }
        }
    }

    fn write_sealed(
        &mut self,
        author: &Author<'_>,
        content: &Content,
        notice: Option<Urgency>,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Written, WriteError> {
        let membership = self.membership();
        let epoch = membership.sealing_epoch().ok_or(WriteError::NoKey)?.id;
        let secret = self.keyring.secret(&epoch).ok_or(WriteError::NoKey)?;
        let readers = membership.reading_devices();
        let others = readers.values().filter(|c| c.identity() != author.certificate.identity());
        let notices: Vec<(&DeviceCertificate, u8)> =
            notice.map_or_else(Vec::new, |class| others.map(|certificate| (*certificate, class as u8)).collect());
        let bytes = compose(author, self.place(author), now, Some(epoch), secret, content, None, &notices, rng)?;
        self.take_own(author, bytes)
    }

    /// Forgets what was written since, which nobody has seen.
    fn go_back(&mut self, before: History) {
        self.history = before;
        self.keyring.relearn(&self.history);
    }

    /// Changes who is in the case, and starts the epoch that goes with it, in one entry.
    pub fn change_members(
        &mut self,
        author: &Author<'_>,
        changes: Vec<Change>,
        note: MembersNote,
        notice: Option<Urgency>,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Written, WriteError> {
        let before = self.history.clone();
        let written = self.start_epoch(author, changes, note, notice, now, rng)?;
        let took_effect = {
            let membership = self.membership();
            self.history.index_of(&written.id).is_some_and(|index| membership.took_effect(index))
        };
        if took_effect {
            return Ok(written);
        }
        self.go_back(before);
        Err(WriteError::NotAllowed)
    }

    /// Adds the author's own new device; the device itself may write this before it can read anything.
    pub fn add_device(
        &mut self,
        author: &Author<'_>,
        certificate: &DeviceCertificate,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Written, WriteError> {
        let access = AccessChange::Device(certificate.clone());
        let bytes = compose_clear(author, self.place(author), now, access, rng)?;
        self.take_own(author, bytes)
    }

    /// Hands all held epoch secrets to a current reader's device that lacks them.
    pub fn hand_keys(
        &mut self,
        author: &Author<'_>,
        device: DeviceKey,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Written, WriteError> {
        self.check_may_write(author, Role::Observer)?;
        let case = self.case();
        let membership = self.membership();
        let certificate = *membership.reading_devices().get(&device).ok_or(WriteError::NotAMember)?;
        let mut handed = Vec::new();
        for (epoch, secret) in self.keyring.to_wrap(&self.history) {
            let seal = secret.seal_to(case, device, &certificate.statement.sealing, rng)?;
            handed.push(super::access::HandedKey { epoch, seal: DeviceSeal { device, seal } });
        }
        if handed.is_empty() {
            return Err(WriteError::NoKey);
        }
        let bytes = compose_clear(author, self.place(author), now, AccessChange::Keys(handed), rng)?;
        self.take_own(author, bytes)
    }

    /// Devices of current readers that cannot open everything this device can, each with the epochs they lack: an
    /// epoch that somebody started without knowing of them has shut them out.
    pub fn shut_out(&self) -> BTreeMap<DeviceKey, BTreeSet<EntryId>> {
        let readers = self.membership().reading_devices();
        let lacking = readers.into_keys().map(|device| (device, self.keyring.lacking(&self.history, device)));
        lacking.filter(|(_, epochs)| !epochs.is_empty()).collect()
    }

    fn start_epoch(
        &mut self,
        author: &Author<'_>,
        changes: Vec<Change>,
        note: MembersNote,
        notice: Option<Urgency>,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Written, WriteError> {
        self.check_may_write(author, Role::Observer)?;
        let case = self.case();
        let bytes = {
            let membership = self.membership();
            let reading = readers_after(&membership, &changes);
            check_numbers(membership.members().len() + changes.len(), reading.len())?;
            let secret = EpochSecret::random(rng);
            let seals = seal_to_all(&secret, case, &reading, rng)?;
            let mut wrapped = Vec::new();
            for (epoch, earlier) in self.keyring.to_wrap(&self.history) {
                wrapped.push(WrappedParent { epoch, wrapped: secret.wrap(earlier, epoch)? });
            }
            // The header names the epoch the writer comes from; the sealed part is under the new secret.
            let from = membership.epochs().last().map(|epoch| epoch.id).ok_or(WriteError::NoKey)?;
            let notices: Vec<(&DeviceCertificate, u8)> = match notice {
                Some(class) => {
                    let others = reading.values().filter(|c| c.identity() != author.certificate.identity());
                    others.map(|certificate| (*certificate, class as u8)).collect()
                }
                None => Vec::new(),
            };
            let commitment = Bytes(secret.commitment());
            let access = AccessChange::Members(Members { changes: changes.clone(), commitment, seals, wrapped });
            let content = Content::MembersNote(note);
            compose(author, self.place(author), now, Some(from), &secret, &content, Some(access), &notices, rng)?
        };
        self.take_own(author, bytes)
    }

    fn take_own(&mut self, author: &Author<'_>, bytes: Vec<u8>) -> Result<Written, WriteError> {
        let entry = SignedEntry::read(&bytes)?;
        let id = entry.entry().id;
        self.history.accept(entry)?;
        self.learn(author);
        Ok(Written { id, bytes })
    }

    fn check_may_write(&self, author: &Author<'_>, needed: Role) -> Result<(), WriteError> {
        let membership = self.membership();
        let device = author.certificate.device();
        if self.history.is_forked(device) {
            return Err(WriteError::Forked);
        }
        match membership.current_device(&device) {
            None => Err(WriteError::NotAMember),
            Some((_, role, _)) if role < needed => Err(WriteError::NeedsRole { has: role, needed }),
            Some(_) => Ok(()),
        }
    }

    /// The next place in this device's log.
    fn place(&self, author: &Author<'_>) -> Place {
        let device = author.certificate.device();
        let last = self.history.last_of(device).max_by_key(|index| self.history.order_key(*index));
        let previous = last.map(|index| self.history[index].entry.id);
        let sequence = last.map_or(0, |index| self.history[index].entry.header.sequence + 1);
        let reached = |head: &EntryId| match (last, self.history.index_of(head)) {
            (Some(last), Some(head)) => self.history.in_past(head, last),
            _ => false,
        };
        let parents = self.history.heads().iter().filter(|head| !reached(head)).copied().collect();
        Place { case: Some(self.case()), sequence, previous, parents }
    }
}

/// Where an entry goes.
struct Place {
    case: Option<CaseId>,
    sequence: u64,
    previous: Option<EntryId>,
    parents: Vec<EntryId>,
}

impl Place {
    fn header(self, author: &Author<'_>, now: Timestamp, rng: &mut impl CryptoRng) -> Header {
        let mut parents = self.parents;
        parents.truncate(super::entry::PARENTS_MAX);
        Header {
            format: FORMAT_VERSION,
            case: self.case,
            device: author.secrets.device(),
            sequence: self.sequence,
            previous: self.previous,
            parents,
            claimed: now,
            epoch: None,
            salt: Bytes(random::bytes(rng)),
            commitment: Bytes([0; 32]),
            body_hash: Bytes([0; 32]),
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "the parts of one entry, used in two places of this file")]
fn compose(
    author: &Author<'_>,
    place: Place,
    now: Timestamp,
    epoch: Option<EntryId>,
    secret: &EpochSecret,
    content: &Content,
    access: Option<AccessChange>,
    notices: &[(&DeviceCertificate, u8)],
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, WriteError> {
    content.check()?;
    let mut header = place.header(author, now, rng);
    header.epoch = epoch;
    let key = secret.entry_key(header.sealing_case(), header.device, &header.salt.0);
    header.commitment = Bytes(key.commitment());
    let sealed = key.seal(&header.associated_data(), content.to_bytes())?;
    let mut notice_list = Vec::new();
    for (certificate, class) in notices {
        let device = certificate.device();
        let context = NoticeContext { case: header.sealing_case(), salt: &header.salt.0, device };
        let sealed = seal_notice(*class, context, certificate.statement.notice, rng)?;
        notice_list.push(Notice { device, sealed });
    }
    let large = access.as_ref().is_some_and(AccessChange::may_be_large);
    let clear = (access.is_some() || !notice_list.is_empty()).then_some(Clear { access, notices: notice_list });
    finish(author, header, Body { clear, sealed: Some(ByteVec::from(sealed)) }, large)
}

fn compose_clear(
    author: &Author<'_>,
    place: Place,
    now: Timestamp,
    access: AccessChange,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, WriteError> {
    let header = place.header(author, now, rng);
    let large = access.may_be_large();
    let clear = Some(Clear { access: Some(access), notices: Vec::new() });
    finish(author, header, Body { clear, sealed: None }, large)
}

fn finish(author: &Author<'_>, mut header: Header, body: Body, large: bool) -> Result<Vec<u8>, WriteError> {
    header.body_hash = Bytes(*blake3::hash(&crate::encoding::to_bytes(&body)).as_bytes());
    let bytes = sign(&header, &body, &author.secrets.signing);
    let max_bytes = if large { ACCESS_ENTRY_BYTES_MAX } else { ENTRY_BYTES_MAX };
    if bytes.len() > max_bytes {
        return Err(WriteError::TooLarge { bytes: bytes.len(), max_bytes });
    }
    Ok(bytes)
}

/// The devices that read once these changes hold.
fn readers_after<'a>(membership: &Membership<'a>, changes: &'a [Change]) -> BTreeMap<DeviceKey, &'a DeviceCertificate> {
    let mut people: BTreeMap<IdentityKey, (Role, BTreeMap<DeviceKey, &'a DeviceCertificate>)> =
        membership.members().into_iter().map(|(identity, member)| (identity, (member.role, member.devices))).collect();
    for change in changes {
        match change {
            Change::Add { identity, role, devices, .. } => {
                let devices = devices.iter().map(|certificate| (certificate.device(), certificate)).collect();
                people.insert(*identity, (*role, devices));
            }
            Change::Remove { identity } => {
                people.remove(identity);
            }
            Change::SetRole { identity, role } => {
                if let Some(person) = people.get_mut(identity) {
                    person.0 = *role;
                }
            }
            Change::RevokeDevice { identity, device } => {
                if let Some(person) = people.get_mut(identity) {
                    person.1.remove(device);
                }
            }
            Change::SetHeir { .. } | Change::Transfer { .. } | Change::TakeOver => {}
        }
    }
    people.into_values().filter(|(role, _)| role.reads()).flat_map(|(_, devices)| devices).collect()
}

fn seal_to_all(
    secret: &EpochSecret,
    case: CaseId,
    reading: &BTreeMap<DeviceKey, &DeviceCertificate>,
    rng: &mut impl CryptoRng,
) -> Result<Vec<DeviceSeal>, WriteError> {
    let mut seals = Vec::with_capacity(reading.len());
    for (device, certificate) in reading {
        let seal = secret.seal_to(case, *device, &certificate.statement.sealing, rng)?;
        seals.push(DeviceSeal { device: *device, seal });
    }
    Ok(seals)
}

fn check_numbers(people: usize, devices: usize) -> Result<(), WriteError> {
    if people > IDENTITIES_MAX || devices > DEVICES_MAX { Err(WriteError::TooManyMembers) } else { Ok(()) }
}

fn no_note() -> MembersNote {
    MembersNote { people: Vec::new(), reason: None }
}

/// Why nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    #[error(transparent)]
    Content(#[from] ContentError),
    #[error("this device is not a current device of a member of the case")]
    NotAMember,
    #[error("this needs the role {}, and yours is {}", needed.word(), has.word())]
    NeedsRole { has: Role, needed: Role },
    #[error("your role does not allow this change of members")]
    NotAllowed,
    #[error("two copies of this device have written to the case; it has to become a new device")]
    Forked,
    #[error("no key of this case has arrived at this device yet")]
    NoKey,
    #[error("a case holds at most {IDENTITIES_MAX} people and {DEVICES_MAX} devices")]
    TooManyMembers,
    #[error("the entry would have {bytes} bytes; at most {max_bytes} are allowed")]
    TooLarge { bytes: usize, max_bytes: usize },
    #[error("an entry of our own does not read back: {0}")]
    Own(#[from] EntryError),
    #[error("an entry of our own was refused: {0}")]
    Refused(#[from] Refusal),
    #[error("sealing failed: {0}")]
    Seal(#[from] OpenError),
}
