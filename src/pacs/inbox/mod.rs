//! What neighbours have sent and nobody has imported yet.
//!
//! Arrivals hold real names, so they are no part of the store, whose promise is that it holds none. They stand sealed
//! under a key that this process alone knows ([`spool`]) until a person imports or discards them; they end with the
//! process, and with the lock of the vault. A sender's "success" therefore means "arrived", never "kept": whoever
//! sends keeps the original, as an archive does.
//!
//! An object is told apart by SOP Instance UID and content: the same one pushed twice is there once, and another
//! content under the same name stands beside the first, so that the importer can say so. Every number has a limit
//! ([`Limits`]), and what exceeds one is refused with the status that tells a sender to try later.
//!
//! Start with [`Inbox::visit`] for what arrives, [`Inbox::studies`] for what is here.

mod spool;
mod study;
#[cfg(test)]
pub(super) mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use study::Completeness;

use self::spool::{Key, Sealed, Spool, SpoolError};
use self::study::{Object, Place, Study, VARIANTS_MAX, VisitEnd};
use super::command::status;
use crate::encoding::id::{ID_BYTES, typed_id};
use crate::encoding::private::Private;
use crate::encoding::random;
use crate::encoding::text::shown;
use crate::encoding::time::Timestamp;
use crate::study::import::{Patient, Summary};
use crate::study::part10::{self, Part10Error, SCAN_BYTES};
use crate::study::source::{FILE_BYTES_MAX, Held as _, SourceFile};
use crate::study::write::file_head;

typed_id!(
    /// A study in the inbox: random, and gone with it.
    InboxId, 'i'
);

/// Longest header that is looked for in the beginning of an object before the whole is read, in bytes.
const LONG_SCAN_BYTES: u64 = 8 * 1024 * 1024;

/// How much an inbox holds.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// All objects together, in bytes.
    pub bytes_max: u64,
    pub objects_max: usize,
    pub studies_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes_max: 64 * 1024 * 1024 * 1024, objects_max: 500_000, studies_max: 2_000 }
    }
}

/// The inbox of a node; copies are the same inbox.
#[derive(Clone)]
pub struct Inbox {
    shared: Arc<Shared>,
}

struct Shared {
    folder: PathBuf,
    state: Mutex<State>,
}

struct State {
    limits: Limits,
    /// Absent while the node is locked.
    key: Option<Arc<Key>>,
    studies: BTreeMap<InboxId, Study>,
    /// By patient and Study Instance UID.
    by_study: HashMap<(Private<String>, String), InboxId>,
    /// Of the objects that are here.
    bytes: u64,
    /// Of the objects that are arriving.
    bytes_arriving: u64,
    objects: usize,
    next_number: u64,
    next_visit: u64,
    condition: Condition,
}

/// What a person has to know of an inbox beside its studies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    /// Why the last object was refused for want of room, until something was taken again or has gone.
    pub no_room: Option<Refused>,
    /// Studies that the last locking wiped, until the next one arrives.
    pub wiped: usize,
}

/// One association, by the order in which they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct VisitId(u64);

/// A study as it stands in the inbox. What is of the patient does not print itself.
#[derive(Debug, Clone)]
pub struct Standing {
    pub id: InboxId,
    pub patient: Patient,
    pub date: Private<String>,
    pub description: Private<String>,
    pub accession: Private<String>,
    pub modality: String,
    pub series: usize,
    pub instances: usize,
    pub bytes: u64,
    pub from: Vec<String>,
    pub first: Timestamp,
    pub last: Timestamp,
    pub completeness: Completeness,
    /// Objects that were begun or refused and have not come since.
    pub missing: usize,
    pub imported: bool,
}

/// Files of studies for an import.
#[derive(Default)]
pub struct Taken {
    pub files: Vec<SourceFile>,
    objects: Vec<(InboxId, u64)>,
}

impl Inbox {
    /// An inbox in this folder, which is emptied first: what lies there can be read by nobody any more. It takes
    /// nothing before [`Inbox::unlock`].
    pub fn new(folder: &Path, limits: Limits) -> std::io::Result<Self> {
        sweep(folder)?;
        let state = State {
            limits,
            key: None,
            studies: BTreeMap::new(),
            by_study: HashMap::new(),
            bytes: 0,
            bytes_arriving: 0,
            objects: 0,
            next_number: 0,
            next_visit: 0,
            condition: Condition::default(),
        };
        Ok(Self { shared: Arc::new(Shared { folder: folder.to_owned(), state: Mutex::new(state) }) })
    }

    /// Takes arrivals from now on, under a new key.
    pub fn unlock(&self) {
        let mut state = self.state();
        if state.key.is_none() {
            state.key = Some(Arc::new(Key::random()));
        }
    }

    /// Wipes the key and with it everything that is here; gives how many studies were. Arrivals are refused until it is
    /// unlocked again.
    pub fn lock(&self) -> usize {
        let mut state = self.state();
        if let Some(key) = state.key.take() {
            key.wipe();
        }
        state.by_study.clear();
        (state.bytes, state.objects) = (0, 0);
        let wiped = std::mem::take(&mut state.studies).len();
        // Locked twice, the first time is the one that lost something.
        state.condition.no_room = None;
        state.condition.wiped = state.condition.wiped.max(wiped);
        wiped
    }

    pub fn condition(&self) -> Condition {
        self.state().condition.clone()
    }

    pub fn set_bytes_max(&self, bytes_max: u64) {
        self.state().limits.bytes_max = bytes_max;
    }

    /// An association from this calling AE title begins.
    pub fn visit(&self, calling: &str) -> Visit {
        let mut state = self.state();
        state.next_visit += 1;
        let id = VisitId(state.next_visit);
        drop(state);
        Visit {
            inbox: self.clone(),
            id,
            calling: calling.to_owned(),
            brought: BTreeMap::new(),
            end: VisitEnd::default(),
        }
    }

    /// What is here, the latest arrival last.
    pub fn studies(&self) -> Vec<Standing> {
        let state = self.state();
        let mut studies: Vec<Standing> = state.studies.values().map(standing).collect();
        studies.sort_by_key(|study| (study.last, study.id));
        studies
    }

    /// Whether an object of this class is here.
    pub fn holds(&self, class: &str, uid: &str) -> bool {
        let state = self.state();
        state.studies.values().any(|study| study.holds(class, uid))
    }

    /// The objects of some studies as files.
    pub fn take(&self, ids: &[InboxId]) -> Taken {
        let state = self.state();
        let mut taken = Taken::default();
        for study in ids.iter().filter_map(|id| state.studies.get(id)) {
            for (place, (number, object)) in study.objects.iter().enumerate() {
                let name = Private::new(format!("{}, object {}", study.id.short(), place + 1));
                taken.files.push(SourceFile::held(name, Arc::clone(&object.sealed) as Arc<_>));
                taken.objects.push((study.id, *number));
            }
        }
        taken
    }

    /// What was taken is in the store now: it leaves the inbox. What has arrived since stays.
    pub fn imported(&self, taken: &Taken) {
        let mut state = self.state();
        for (id, number) in &taken.objects {
            state.remove(*id, *number);
        }
        state.drop_empty();
    }

    /// What was taken could not all be brought in: it stays until somebody discards it.
    pub fn imported_in_part(&self, taken: &Taken) {
        let mut state = self.state();
        for (id, _) in &taken.objects {
            if let Some(study) = state.studies.get_mut(id) {
                study.imported = true;
            }
        }
    }

    /// Throws studies away; gives how many objects they had.
    pub fn discard(&self, ids: &[InboxId]) -> usize {
        let mut state = self.state();
        let mut discarded = 0;
        for id in ids {
            let numbers: Vec<u64> = state.studies.get(id).into_iter().flat_map(|s| s.objects.keys().copied()).collect();
            for number in numbers {
                state.remove(*id, number);
                discarded += 1;
            }
            state.studies.remove(id);
            state.by_study.retain(|_, other| other != id);
        }
        discarded
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Its files are noise already; the next start sweeps what cannot be removed now.
        let _ = sweep(&self.folder);
    }
}

fn sweep(folder: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl State {
    fn remove(&mut self, id: InboxId, number: u64) {
        let Some(study) = self.studies.get_mut(&id) else { return };
        let Some(object) = study.objects.get(&number) else { return };
        self.bytes = self.bytes.saturating_sub(object.sealed.bytes());
        self.objects = self.objects.saturating_sub(1);
        self.condition.no_room = None;
        study.remove(number);
    }

    /// Forgets studies of which nothing is here any more, unless something of them is arriving.
    fn drop_empty(&mut self) {
        self.studies.retain(|_, study| !study.objects.is_empty() || !study.visitors.is_empty());
        let Self { studies, by_study, .. } = self;
        by_study.retain(|_, id| studies.contains_key(id));
    }
}

fn standing(study: &Study) -> Standing {
    Standing {
        id: study.id,
        patient: study.patient.clone(),
        date: study.date.clone(),
        description: study.description.clone(),
        accession: study.accession.clone(),
        modality: study.modalities.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
        series: study.series(),
        instances: study.objects.len(),
        bytes: study.bytes(),
        from: study.from.iter().cloned().collect(),
        first: study.first,
        last: study.last,
        completeness: study.completeness(),
        missing: study.missing(),
        imported: study.imported,
    }
}

/// One association as the inbox sees it. If it ends without a word, the sender was cut off.
pub struct Visit {
    inbox: Inbox,
    id: VisitId,
    calling: String,
    /// The objects it brought, by study: also those that were here already.
    brought: BTreeMap<InboxId, BTreeSet<String>>,
    end: VisitEnd,
}

/// What a sender says of an object before it sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    pub class: String,
    pub uid: String,
    pub syntax: String,
}

/// An object that is arriving.
pub struct Reception {
    announced: Announced,
    spool: Spool,
    room: Room,
    number: u64,
    print: blake3::Hasher,
}

/// The room in the inbox that an arriving object takes.
struct Room {
    inbox: Inbox,
    bytes: u64,
}

/// An object that arrived and is whole.
pub struct Received {
    announced: Announced,
    number: u64,
    room: Room,
    print: [u8; 32],
    sealed: Sealed,
    summary: Summary,
}

/// What became of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    pub study: InboxId,
    pub modality: String,
    /// Instances of its study that are here now.
    pub instances: usize,
    /// The same object was here already.
    pub again: bool,
}

impl Visit {
    /// An object is announced.
    ///
    /// # Errors
    /// If nothing can be taken: the sender is told why.
    pub fn begin(&mut self, announced: Announced) -> Result<Reception, Refused> {
        let mut state = self.inbox.state();
        let key = state.key.clone().ok_or(Refused::Locked)?;
        if state.objects >= state.limits.objects_max {
            return Err(Refused::InboxFull);
        }
        make_folder(&self.inbox.shared.folder)?;
        state.next_number += 1;
        let number = state.next_number;
        drop(state);
        let head = file_head(&announced.class, &announced.uid, &announced.syntax)
            .map_err(|error| Refused::Unreadable(error.to_string()))?;
        let mut room = Room { inbox: self.inbox.clone(), bytes: 0 };
        room.grow(head.len())?;
        let mut spool = Spool::begin(&self.inbox.shared.folder, number, key);
        spool.write(&head)?;
        let mut print = blake3::Hasher::new();
        print.update(announced.syntax.as_bytes()).update(&[0]);
        self.end.under_way = Some(announced.uid.clone());
        Ok(Reception { announced, spool, room, number, print })
    }

    /// An object that was begun, or not even that, was refused.
    pub fn refused(&mut self, uid: &str, why: &Refused) {
        if matches!(why, Refused::InboxFull | Refused::DiskFull) {
            self.inbox.state().condition.no_room = Some(why.clone());
        }
        self.end.under_way = None;
        self.end.refused.insert(uid.to_owned());
    }

    /// Puts an object that is whole into its study.
    pub fn received(&mut self, received: Received) -> Result<Arrival, Refused> {
        // The room is given back when this returns, after the state is let go of: hence the order of these two.
        let Received { announced, number, mut room, print, sealed, summary } = received;
        let mut guard = self.inbox.state();
        let state = &mut *guard;
        let now = now();
        if !state.key.as_ref().is_some_and(|key| sealed.is_under(key)) {
            return Err(Refused::Locked);
        }
        let key = (summary.patient.key(), summary.study.clone());
        let known = state.by_study.get(&key).copied();
        if known.is_none() && state.studies.len() >= state.limits.studies_max {
            return Err(Refused::InboxFull);
        }
        let place = match known.and_then(|id| state.studies.get(&id)) {
            Some(study) => study.place_for(&announced.uid, &print),
            None => Place::New,
        };
        match place {
            Place::TooManyVariants => return Err(Refused::TooManyVariants),
            Place::New if state.objects >= state.limits.objects_max => return Err(Refused::InboxFull),
            Place::New | Place::Again => {}
        }
        state.condition = Condition::default();
        let id = known.unwrap_or_else(|| InboxId(random::bytes::<ID_BYTES>(&mut random::system())));
        state.by_study.insert(key, id);
        let study = state.studies.entry(id).or_insert_with(|| Study::new(id, &summary, now));
        let modality = shown(&summary.modality).into_owned();
        if place == Place::New {
            let Announced { class, uid, .. } = announced.clone();
            let object = Object { class, uid, series: summary.series, print, sealed: Arc::new(sealed) };
            study.add(number, object);
            if !modality.is_empty() {
                study.modalities.insert(modality.clone());
            }
            state.objects += 1;
            state.bytes += room.bytes;
            state.bytes_arriving -= std::mem::take(&mut room.bytes);
        }
        study.last = now;
        study.from.insert(self.calling.clone());
        study.visitors.insert(self.id);
        let instances = study.objects.len();
        // The object may be one that another study missed, if its patient was corrected in between.
        for study in state.studies.values_mut() {
            study.came(&announced.uid);
        }
        self.end.under_way = None;
        self.end.refused.remove(&announced.uid);
        self.brought.entry(id).or_default().insert(announced.uid);
        Ok(Arrival { study: id, modality, instances, again: place == Place::Again })
    }

    /// The sender has released the association in order.
    pub fn released(mut self) {
        self.end.released = true;
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut state = self.inbox.state();
        for (id, brought) in &self.brought {
            if let Some(study) = state.studies.get_mut(id) {
                study.visit_ended(self.id, brought, &self.end);
            }
        }
        state.drop_empty();
    }
}

impl Reception {
    /// Whether so many bytes can be taken without waiting for the disk.
    pub fn has_room_for(&self, bytes: usize) -> bool {
        self.spool.has_room_for(bytes)
    }

    /// Takes the next bytes of the data set. May block.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        if self.room.bytes.saturating_add(bytes.len() as u64) > FILE_BYTES_MAX {
            return Err(Refused::TooLong);
        }
        self.room.grow(bytes.len())?;
        self.print.update(bytes);
        self.spool.write(bytes).map_err(Refused::from)
    }

    /// The data set has ended: seals the rest and looks at the header. Blocks.
    pub fn finish(self) -> Result<Received, Refused> {
        let Self { announced, spool, room, number, print } = self;
        // The file's own head names the object too, so an empty one would pass for it.
        if print.count() <= announced.syntax.len() as u64 + 1 {
            return Err(Refused::Unreadable("the data set is empty".into()));
        }
        let sealed = spool.finish()?;
        let summary = summary(&sealed)?;
        if summary.sop_instance != announced.uid || summary.sop_class != announced.class {
            return Err(Refused::OtherObject);
        }
        Ok(Received { announced, number, room, print: *print.finalize().as_bytes(), sealed, summary })
    }
}

impl Room {
    fn grow(&mut self, bytes: usize) -> Result<(), Refused> {
        let mut state = self.inbox.state();
        let bytes = bytes as u64;
        let taken = state.bytes.saturating_add(state.bytes_arriving).saturating_add(bytes);
        if taken > state.limits.bytes_max {
            return Err(Refused::InboxFull);
        }
        state.bytes_arriving += bytes;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.inbox.state().bytes_arriving -= self.bytes;
    }
}

/// Reads the header of a sealed object: from its beginning, if that is enough.
fn summary(sealed: &Sealed) -> Result<Summary, Refused> {
    let total = sealed.bytes();
    let unreadable = |error: Part10Error| Refused::Unreadable(error.to_string());
    for bytes in [SCAN_BYTES as u64, LONG_SCAN_BYTES] {
        let beginning = zeroize::Zeroizing::new(sealed.open(bytes)?);
        match part10::scan(&beginning, total) {
            Ok((_, header)) => return Summary::of(&header).map_err(Refused::Unreadable),
            Err(Part10Error::NeedsWhole) => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
    let whole = zeroize::Zeroizing::new(sealed.open(u64::MAX)?);
    let part10 = part10::read(&whole).map_err(unreadable)?;
    Summary::of(&part10.header).map_err(Refused::Unreadable)
}

fn make_folder(folder: &Path) -> Result<(), Refused> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(SpoolError::of(error).into()),
        _ => Ok(()),
    }
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Why an object is not taken, in words that fit an Error Comment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("Overread is locked: unlock it, then send again")]
    Locked,
    #[error("the inbox is full: import or discard something")]
    InboxFull,
    #[error("the disk is full")]
    DiskFull,
    #[error("the inbox's folder cannot be used")]
    Folder,
    #[error("the object is longer than 4 GiB")]
    TooLong,
    #[error("the data set is not the object that was announced")]
    OtherObject,
    #[error("more than {VARIANTS_MAX} contents under one SOP Instance UID")]
    TooManyVariants,
    #[error("{0}")]
    Unreadable(String),
}

impl Refused {
    /// The status of the response (PS3.4 Annex B.2.3).
    pub fn status(&self) -> u16 {
        match self {
            Self::Locked | Self::Folder => status::PROCESSING_FAILURE,
            Self::InboxFull | Self::DiskFull | Self::TooLong => status::OUT_OF_RESOURCES,
            Self::OtherObject | Self::TooManyVariants => status::DATA_SET_DOES_NOT_MATCH,
            Self::Unreadable(_) => status::CANNOT_UNDERSTAND,
        }
    }
}

impl From<SpoolError> for Refused {
    fn from(error: SpoolError) -> Self {
        match error {
            SpoolError::Locked => Self::Locked,
            SpoolError::Full => Self::DiskFull,
            SpoolError::Damaged | SpoolError::Io(_) => Self::Folder,
        }
    }
}
