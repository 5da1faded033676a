//! Who is in a case, as what, and which entries count: the fold of the clear parts (format 4 and 5).
//!
//! Couriers run the same code as readers. Everything here is a function of the accepted entries alone; two
//! programs with the same entries get the same answer, whatever the order of arrival.
//!
//! Each change of access is an *act*. An act counts ("is effective") when
//! 1. it was allowed in its own past: its author held the role it needs and outranked the person it is about;
//! 2. the act that gave its author that role is itself effective;
//! 3. no stronger effective act made without knowledge of it takes its ground away: a removal voids concurrent
//!    acts by and for the removed, a demotion those that need the lost role, a revocation those of the device, a
//!    transfer or a changed heir a concurrent takeover.
//!
//! *Stronger* is a total order, so that two acts can never void each other: acts of the owner come before those
//! of an heir who took over, these before admins in order of appointment, these before the rest; then the order
//! of the fold. An act is never stronger than the act that gave its author the role. Every question about an act
//! is thereby answered by acts before it in this order, and the rules have exactly one solution.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::rc::Rc;

use super::access::{AccessChange, Change, Members, Role};
use super::history::{History, Index};
use crate::encoding::id::EntryId;
use crate::identity::certificate::DeviceCertificate;
use crate::identity::keys::{DeviceKey, IdentityKey};

/// How many views of the past are kept while acts are judged.
const VIEWS_REMEMBERED: usize = 16;

/// Who is in a case now, and the means to ask what counted when.
#[derive(Debug)]
pub struct Membership<'h> {
    history: &'h History,
    acts: Vec<Act<'h>>,
    judged: Vec<Judged>,
    now: View<'h>,
    /// Effective acts that take something away.
    cuts: Vec<usize>,
    /// Views of the past by the set of effective acts in it.
    views: RefCell<HashMap<Vec<usize>, Rc<View<'h>>>>,
}

/// A current member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member<'h> {
    pub role: Role,
    /// Devices that are neither revoked nor forked.
    pub devices: BTreeMap<DeviceKey, &'h DeviceCertificate>,
    /// Whoever added this person had not verified her.
    pub unverified: bool,
}

/// What an entry is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Counts,
    /// Its author did not hold the role it needs.
    Rightless,
    /// Its author lost the role, or the device was revoked, in an entry that does not know it.
    CutOff,
    /// Its device forked, and the entry knew.
    Forked,
}

/// An epoch that was started by an effective act.
#[derive(Debug, Clone, Copy)]
pub struct Epoch<'h> {
    pub id: EntryId,
    pub index: Index,
    pub members: &'h Members,
}

#[derive(Debug)]
struct Act<'h> {
    index: Index,
    /// Position among the acts of its entry.
    ordinal: usize,
    author: IdentityKey,
    device: DeviceKey,
    kind: Kind<'h>,
}

#[derive(Debug, Clone, Copy)]
enum Kind<'h> {
    /// A change in the first entry of the case.
    Found(&'h Change),
    Change(&'h Change),
    Device(&'h DeviceCertificate),
    Epoch(&'h Members),
}

/// What an act's own past says about it.
#[derive(Debug)]
struct Judged {
    allowed: bool,
    strength: Strength,
    /// The act that gave its author the role.
    standing: Option<usize>,
    /// Whom a transfer or takeover makes an admin.
    displaces: Option<IdentityKey>,
}

/// Lower is stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    Owner,
    Heir,
    Admin(usize),
    Rest,
}

/// Acts that named a device, each with the certificate it brought.
type Named<'h> = Vec<(usize, &'h DeviceCertificate)>;

/// The effect of a set of effective acts.
#[derive(Debug, Clone, Default)]
struct View<'h> {
    effective: BTreeSet<usize>,
    /// For each person the acts on her role that no later one in the set replaces.
    roles: BTreeMap<IdentityKey, Vec<(usize, Option<Role>)>>,
    /// For each device the acts that named it and that no removal of its person has taken back.
    devices: BTreeMap<IdentityKey, BTreeMap<DeviceKey, Named<'h>>>,
    unverified: BTreeMap<IdentityKey, bool>,
    revoked: BTreeSet<DeviceKey>,
    owner: Option<IdentityKey>,
    heir: Option<IdentityKey>,
}

impl<'h> Membership<'h> {
    /// Folds the clear parts of a history.
    pub fn fold(history: &'h History) -> Self {
        let acts = acts(history);
        let mut this = Self {
            history,
            acts,
            judged: Vec::new(),
            now: View::default(),
            cuts: Vec::new(),
            views: RefCell::default(),
        };
        // The views after the latest acts: where nothing is concurrent, an act's past is one of them.
        let mut after: VecDeque<(usize, Rc<View<'h>>)> = VecDeque::new();
        for act in 0..this.acts.len() {
            let past: Vec<usize> = (0..act).filter(|before| this.knows(act, *before)).collect();
            let last = past.last().copied();
            let linear = last.filter(|last| past[..past.len() - 1].iter().all(|before| this.knows(*last, *before)));
            let remembered = after.iter().find(|(before, _)| Some(*before) == linear);
            let own = match remembered {
                Some((_, view)) => Rc::clone(view),
                None => Rc::new(this.evaluate(&past)),
            };
            let judged = this.judge(act, &own);
            let allowed = judged.allowed;
            this.judged.push(judged);
            let mut view = View::clone(&own);
            if allowed {
                this.apply(&mut view, act);
            }
            after.truncate(VIEWS_REMEMBERED - 1);
            after.push_front((act, Rc::new(view)));
        }
        let all: Vec<usize> = (0..this.acts.len()).collect();
        this.now = this.evaluate(&all);
        this.cuts = this.now.effective.iter().copied().filter(|act| this.takes_away(*act)).collect();
        this
    }

    /// Current members.
    pub fn members(&self) -> BTreeMap<IdentityKey, Member<'h>> {
        let people = self.now.roles.keys().filter_map(|identity| Some((*identity, self.now.role(identity)?)));
        people.map(|(identity, role)| (identity, self.member(identity, role))).collect()
    }

    pub fn role(&self, identity: &IdentityKey) -> Option<Role> {
        self.now.role(identity)
    }

    pub fn owner(&self) -> Option<IdentityKey> {
        self.now.owner
    }

    /// Who may take over the case.
    pub fn heir(&self) -> Option<IdentityKey> {
        self.now.heir.filter(|heir| self.now.role(heir).is_some())
    }

    /// Everybody who was ever effectively in the case.
    pub fn everybody(&self) -> impl Iterator<Item = IdentityKey> {
        self.now.roles.keys().copied()
    }

    /// The person and certificate of a current device.
    pub fn current_device(&self, device: &DeviceKey) -> Option<(IdentityKey, Role, &'h DeviceCertificate)> {
        let identity = self.history.identity_of(*device)?;
        let role = self.now.role(&identity)?;
        let certificate = self.member(identity, role).devices.get(device).copied()?;
        Some((identity, role, certificate))
    }

    /// Whether a device was put out of the case, with its person or alone. A fork by itself puts out nothing that was
    /// said without knowing of it.
    pub fn is_out(&self, device: &DeviceKey) -> bool {
        let Some(identity) = self.history.identity_of(*device) else { return false };
        self.now.role(&identity).is_none() || !self.now.has_device(&identity, device)
    }

    /// Devices to which secrets are sealed now.
    pub fn reading_devices(&self) -> BTreeMap<DeviceKey, &'h DeviceCertificate> {
        self.members().into_values().filter(|member| member.role.reads()).flat_map(|member| member.devices).collect()
    }

    /// Epochs started by effective acts, in the order of the fold.
    pub fn epochs(&self) -> impl Iterator<Item = Epoch<'h>> {
        self.now.effective.iter().filter_map(|act| {
            let Act { index, kind: Kind::Epoch(members), .. } = &self.acts[*act] else { return None };
            Some(Epoch { id: self.history[*index].entry.id, index: *index, members })
        })
    }

    /// The epoch to seal under: of the clean ones the causally latest, then the one with most current readers, then
    /// the lowest id. `None` if no epoch is clean: then a `members` entry without changes comes first.
    pub fn sealing_epoch(&self) -> Option<Epoch<'h>> {
        let readers = self.reading_devices();
        let clean: Vec<Epoch<'h>> = self.epochs().filter(|epoch| self.is_clean(epoch, &readers)).collect();
        let latest = clean.iter().filter(|epoch| {
            !clean.iter().any(|other| other.index != epoch.index && self.history.in_past(epoch.index, other.index))
        });
        latest.min_by_key(|epoch| (std::cmp::Reverse(sealed_to(epoch).len()), epoch.id)).copied()
    }

    /// Whether an epoch is sealed to current readers only, and to all of them that read as far as its entry knew:
    /// a member who starts an epoch and leaves somebody out shuts nobody out. Who came later does not count here.
    fn is_clean(&self, epoch: &Epoch<'h>, readers: &BTreeMap<DeviceKey, &'h DeviceCertificate>) -> bool {
        let sealed_to = sealed_to(epoch);
        let known = |act: &usize| self.history.in_past(self.acts[*act].index, epoch.index);
        let then = self.view(self.now.effective.iter().copied().filter(known).collect());
        let owed = readers.iter().filter(|(device, certificate)| {
            let identity = certificate.identity();
            then.role(&identity).is_some_and(Role::reads) && then.has_device(&identity, device)
        });
        sealed_to.iter().all(|device| readers.contains_key(device))
            && owed.into_iter().all(|(d, _)| sealed_to.contains(d))
    }

    /// Whether an entry counts, given the least role its content needs.
    pub fn verdict(&self, index: Index, needed: Role) -> Verdict {
        let accepted = &self.history[index];
        let (author, device) = (accepted.author, accepted.entry.header.device);
        if self.history.knows_fork(index, device) {
            return Verdict::Forked;
        }
        let past: Vec<usize> = self.now.effective.iter().copied().filter(|act| self.lies_before(*act, index)).collect();
        let view = self.view(past);
        if !view.has_device(&author, &device) || view.role(&author).is_none_or(|role| role < needed) {
            return Verdict::Rightless;
        }
        let cut = self.cuts.iter().any(|act| {
            self.history.concurrent(self.acts[*act].index, index) && self.cuts_off(*act, author, device, needed)
        });
        if cut { Verdict::CutOff } else { Verdict::Counts }
    }

    /// Whether every change of a `members` or `device` entry took effect.
    pub fn took_effect(&self, index: Index) -> bool {
        self.acts
            .iter()
            .enumerate()
            .filter(|(_, act)| act.index == index)
            .all(|(act, _)| self.now.effective.contains(&act))
    }

    fn member(&self, identity: IdentityKey, role: Role) -> Member<'h> {
        let hers = self.now.devices.get(&identity).into_iter().flatten();
        let current =
            hers.filter(|(device, _)| !self.now.revoked.contains(device) && !self.history.is_forked(**device));
        let devices = current.filter_map(|(device, named)| Some((*device, named.last()?.1))).collect();
        Member { role, devices, unverified: self.now.unverified.get(&identity).copied().unwrap_or(false) }
    }

    fn view(&self, effective: Vec<usize>) -> Rc<View<'h>> {
        if let Some(view) = self.views.borrow().get(&effective) {
            return Rc::clone(view);
        }
        let mut view = View::default();
        for act in &effective {
            self.apply(&mut view, *act);
        }
        let view = Rc::new(view);
        self.views.borrow_mut().insert(effective, Rc::clone(&view));
        view
    }

    /// Whether act `before` lies in the past of act `act`.
    fn knows(&self, act: usize, before: usize) -> bool {
        let (act, before) = (&self.acts[act], &self.acts[before]);
        if act.index == before.index {
            before.ordinal < act.ordinal
        } else {
            self.history.in_past(before.index, act.index)
        }
    }

    fn lies_before(&self, act: usize, index: Index) -> bool {
        let at = self.acts[act].index;
        at != index && self.history.in_past(at, index)
    }

    fn concurrent(&self, a: usize, b: usize) -> bool {
        a != b && !self.knows(a, b) && !self.knows(b, a)
    }

    /// Which of these acts (closed under their pasts, all judged) are effective, and what they amount to.
    fn evaluate(&self, set: &[usize]) -> View<'h> {
        let mut by_strength = set.to_vec();
        by_strength.sort_by_key(|act| (self.judged[*act].strength, *act));
        let mut effective = BTreeSet::new();
        for act in by_strength {
            let Judged { allowed, standing, .. } = &self.judged[act];
            let stands = *allowed && standing.is_none_or(|standing| effective.contains(&standing));
            if stands && !effective.iter().any(|other| self.concurrent(*other, act) && self.voids(*other, act)) {
                effective.insert(act);
            }
        }
        let mut view = View::default();
        for act in &effective {
            self.apply(&mut view, *act);
        }
        view
    }

    /// Judges an act by the view of its own past.
    fn judge(&self, act: usize, own: &View<'h>) -> Judged {
        let Act { author, device, kind, index, .. } = &self.acts[act];
        let role = own.role(author);
        let standing = own.standing(author);
        let own_strength = match (kind, role) {
            (Kind::Found(_), _) => Strength::Owner,
            (Kind::Change(Change::TakeOver), _) => Strength::Heir,
            (_, Some(Role::Owner)) => Strength::Owner,
            (_, Some(Role::Admin)) => Strength::Admin(standing.unwrap_or(act)),
            _ => Strength::Rest,
        };
        let inherited = standing.and_then(|standing| self.judged.get(standing)).map(|judged| judged.strength);
        let strength = inherited.map_or(own_strength, |inherited| own_strength.max(inherited));
        let device_stands = own.has_device(author, device) && !self.history.knows_fork(*index, *device);
        let allowed = match kind {
            Kind::Found(change) => found_allowed(change, own),
            Kind::Device(certificate) => {
                let adds_itself = certificate.device() == *device;
                role.is_some() && (device_stands || adds_itself) && !own.revoked.contains(&certificate.device())
            }
            Kind::Epoch(_) => device_stands && role.is_some_and(Role::reads),
            Kind::Change(change) => device_stands && change_allowed(change, *author, own),
        };
        let displaces = match kind {
            Kind::Change(Change::Transfer { .. } | Change::TakeOver) => own.owner,
            _ => None,
        };
        Judged { allowed, strength, standing, displaces }
    }

    /// Whether effective act `stronger`, made without knowledge of `act`, takes its ground away.
    fn voids(&self, stronger: usize, act: usize) -> bool {
        let by = &self.acts[act];
        let needed = self.needed(act);
        if self.cuts_off(stronger, by.author, by.device, needed) {
            return true;
        }
        let subject = by.kind.subject();
        match self.acts[stronger].kind.change() {
            Some(Change::Remove { identity }) => subject == Some(*identity),
            Some(Change::SetHeir { heir }) => {
                matches!(by.kind.change(), Some(Change::TakeOver)) && *heir != Some(by.author)
            }
            Some(Change::Transfer { successor }) => match by.kind.change() {
                Some(Change::TakeOver | Change::Transfer { .. }) => true,
                Some(Change::Remove { identity } | Change::SetRole { identity, .. }) => identity == successor,
                _ => false,
            },
            Some(Change::TakeOver) => match by.kind.change() {
                Some(Change::Remove { identity } | Change::SetRole { identity, .. }) => {
                    *identity == self.acts[stronger].author
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether an act takes from this author or device what is needed.
    fn cuts_off(&self, act: usize, author: IdentityKey, device: DeviceKey, needed: Role) -> bool {
        match self.acts[act].kind.change() {
            Some(Change::Remove { identity }) => *identity == author,
            Some(Change::SetRole { identity, role }) => *identity == author && *role < needed,
            Some(Change::RevokeDevice { device: revoked, .. }) => *revoked == device,
            Some(Change::Transfer { .. } | Change::TakeOver) => {
                self.judged[act].displaces == Some(author) && needed > Role::Admin
            }
            _ => false,
        }
    }

    fn takes_away(&self, act: usize) -> bool {
        matches!(
            self.acts[act].kind.change(),
            Some(
                Change::Remove { .. }
                    | Change::SetRole { .. }
                    | Change::RevokeDevice { .. }
                    | Change::Transfer { .. }
                    | Change::TakeOver
            )
        )
    }

    /// The least role an act needs, for the judgement of demotions.
    fn needed(&self, act: usize) -> Role {
        let Act { author, kind, .. } = &self.acts[act];
        match kind {
            Kind::Found(_) | Kind::Device(_) => Role::Courier,
            Kind::Epoch(_) => Role::Observer,
            Kind::Change(change) => match change {
                Change::Add { role: Role::Admin, .. }
                | Change::SetRole { role: Role::Admin, .. }
                | Change::SetHeir { .. }
                | Change::Transfer { .. } => Role::Owner,
                Change::Remove { identity } | Change::RevokeDevice { identity, .. } if identity == author => {
                    Role::Courier
                }
                Change::TakeOver => Role::Courier,
                _ => Role::Admin,
            },
        }
    }

    fn apply(&self, view: &mut View<'h>, act: usize) {
        view.effective.insert(act);
        let Act { author, kind, .. } = &self.acts[act];
        match kind {
            Kind::Epoch(_) => {}
            Kind::Device(certificate) => {
                view.name_device(act, certificate);
            }
            Kind::Found(change) | Kind::Change(change) => match change {
                Change::Add { identity, role, devices, unverified } => {
                    self.set_role(view, *identity, act, Some(*role));
                    view.unverified.insert(*identity, *unverified);
                    devices.iter().for_each(|certificate| view.name_device(act, certificate));
                    if matches!(kind, Kind::Found(_)) && *role == Role::Owner {
                        view.owner = Some(*identity);
                    }
                }
                Change::Remove { identity } => {
                    self.set_role(view, *identity, act, None);
                    // Her devices go with her: who comes back does so with those named anew.
                    if let Some(hers) = view.devices.get_mut(identity) {
                        hers.values_mut().for_each(|named| named.retain(|(before, _)| !self.knows(act, *before)));
                        hers.retain(|_, named| !named.is_empty());
                    }
                }
                Change::SetRole { identity, role } => self.set_role(view, *identity, act, Some(*role)),
                Change::RevokeDevice { device, .. } => {
                    view.revoked.insert(*device);
                }
                Change::SetHeir { heir } => view.heir = *heir,
                Change::Transfer { successor } => self.set_owner(view, *successor, act),
                Change::TakeOver => self.set_owner(view, *author, act),
            },
        }
    }

    fn set_owner(&self, view: &mut View<'h>, owner: IdentityKey, act: usize) {
        if let Some(old) = view.owner.replace(owner).filter(|old| *old != owner) {
            self.set_role(view, old, act, Some(Role::Admin));
        }
        self.set_role(view, owner, act, Some(Role::Owner));
        view.heir = None;
    }

    fn set_role(&self, view: &mut View<'h>, identity: IdentityKey, act: usize, role: Option<Role>) {
        let roles = view.roles.entry(identity).or_default();
        roles.retain(|(before, _)| !self.knows(act, *before));
        roles.push((act, role));
    }
}

impl<'h> View<'h> {
    fn name_device(&mut self, act: usize, certificate: &'h DeviceCertificate) {
        let hers = self.devices.entry(certificate.identity()).or_default();
        hers.entry(certificate.device()).or_default().push((act, certificate));
    }

    fn has_device(&self, identity: &IdentityKey, device: &DeviceKey) -> bool {
        let hers = self.devices.get(identity).is_some_and(|devices| devices.contains_key(device));
        hers && !self.revoked.contains(device)
    }

    /// Of concurrent acts on a role the lowest holds; a removal is lower than any.
    fn role(&self, identity: &IdentityKey) -> Option<Role> {
        if self.owner == Some(*identity) {
            return Some(Role::Owner);
        }
        let lowest = self.roles.get(identity)?.iter().map(|(_, role)| *role).min()??;
        Some(lowest.min(Role::Admin))
    }

    /// The act a person's role rests on.
    fn standing(&self, identity: &IdentityKey) -> Option<usize> {
        let acts = self.roles.get(identity)?;
        let highest = acts.iter().find(|(_, role)| self.owner == Some(*identity) && *role == Some(Role::Owner));
        highest.or_else(|| acts.iter().min_by_key(|(act, role)| (*role, *act))).map(|(act, _)| *act)
    }

    /// The owner outranks admins, these each other in order of appointment, and all of them the rest.
    fn outranks(&self, author: &IdentityKey, other: &IdentityKey) -> bool {
        let rank = |identity: &IdentityKey| match self.role(identity) {
            Some(Role::Owner) => (0, 0),
            Some(Role::Admin) => (1, self.standing(identity).unwrap_or(usize::MAX)),
            _ => (2, 0),
        };
        rank(author) < rank(other)
    }
}

impl<'h> Kind<'h> {
    fn change(&self) -> Option<&'h Change> {
        match self {
            Self::Found(change) | Self::Change(change) => Some(change),
            Self::Device(_) | Self::Epoch(_) => None,
        }
    }

    /// The person an act is for or about.
    fn subject(&self) -> Option<IdentityKey> {
        match self {
            Self::Device(certificate) => Some(certificate.identity()),
            Self::Epoch(_) => None,
            Self::Found(change) | Self::Change(change) => match change {
                Change::Add { identity, .. }
                | Change::Remove { identity }
                | Change::SetRole { identity, .. }
                | Change::RevokeDevice { identity, .. } => Some(*identity),
                Change::SetHeir { heir } => *heir,
                Change::Transfer { successor } => Some(*successor),
                Change::TakeOver => None,
            },
        }
    }
}

/// The devices an epoch's secret was sealed to.
fn sealed_to(epoch: &Epoch<'_>) -> BTreeSet<DeviceKey> {
    epoch.members.seals.iter().map(|seal| seal.device).collect()
}

/// In the first entry only people are added, and one of them is the owner.
fn found_allowed(change: &Change, own: &View<'_>) -> bool {
    match change {
        Change::Add { identity, role, .. } => {
            own.role(identity).is_none() && (*role == Role::Owner) == own.owner.is_none()
        }
        Change::SetHeir { heir } => heir.is_some_and(|heir| own.role(&heir).is_some_and(Role::reads)),
        _ => false,
    }
}

fn change_allowed(change: &Change, author: IdentityKey, own: &View<'_>) -> bool {
    let Some(role) = own.role(&author) else { return false };
    let owner = role == Role::Owner;
    let may_give = |given: Role| match given {
        Role::Owner => false,
        Role::Admin => owner,
        Role::Reader | Role::Observer | Role::Courier => role >= Role::Admin,
    };
    let member = |identity: &IdentityKey| own.role(identity).is_some();
    let over = |identity: &IdentityKey| role >= Role::Admin && own.outranks(&author, identity);
    match change {
        Change::Add { identity, role: given, .. } => may_give(*given) && !member(identity),
        Change::Remove { identity } => member(identity) && if *identity == author { !owner } else { over(identity) },
        Change::SetRole { identity, role: given } => {
            *identity != author && member(identity) && over(identity) && may_give(*given)
        }
        Change::RevokeDevice { identity, device } => {
            let hers = own.devices.get(identity).is_some_and(|devices| devices.contains_key(device));
            hers && (*identity == author || over(identity))
        }
        Change::SetHeir { heir } => {
            owner && heir.is_none_or(|heir| heir != author && own.role(&heir).is_some_and(Role::reads))
        }
        Change::Transfer { successor } => owner && *successor != author && own.role(successor).is_some_and(Role::reads),
        Change::TakeOver => own.heir == Some(author) && !owner,
    }
}

/// All acts of a history in the order of the fold.
fn acts(history: &History) -> Vec<Act<'_>> {
    let mut acts = Vec::new();
    for index in history.fold_order() {
        let accepted = &history[index];
        let Some(access) = accepted.entry.body.access() else { continue };
        let kinds: Vec<Kind<'_>> = match access {
            AccessChange::Keys(_) => continue,
            AccessChange::Device(certificate) => vec![Kind::Device(certificate)],
            AccessChange::Members(members) => {
                let changes = members.changes.iter();
                let epoch = [Kind::Epoch(members)].into_iter();
                // Who leaves still starts the epoch without her; who founds a case is nobody before.
                match accepted.entry.header.case {
                    None => changes.map(Kind::Found).chain(epoch).collect(),
                    Some(_) => epoch.chain(changes.map(Kind::Change)).collect(),
                }
            }
        };
        let (author, device) = (accepted.author, accepted.entry.header.device);
        acts.extend(kinds.into_iter().enumerate().map(|(ordinal, kind)| Act { index, ordinal, author, device, kind }));
    }
    acts
}
