//! Packing: what goes into a bundle, in which order, and a file that is whole or not there.

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::courier::{CasePack, CheckError, PackError, PackPlan, Packed, Recipient, Source, SourceError, pack};
use crate::encoding::id::{CaseId, ChunkId, base32};
use crate::encoding::random;
use crate::encoding::text::shown;
use crate::identity::certificate::DeviceCertificate;
use crate::identity::keys::{DeviceKey, IdentityKey, SigningSecret};
use crate::node::api::{Failure, FailureCode, PackedBundle, Reply};
use crate::node::core::{Node, Step, Task, now};
use crate::node::home::store_failure;
use crate::node::library::{self, Control, Meter};
use crate::node::rooms::Answered;
use crate::seal::chunk::StudyKey;
use crate::store::{Batch, Store, private_options, sync_parent};
use crate::study::manifest::{InstanceEntry, StudyHead};
use crate::sync::frontier::Frontier;

/// Entries that are read from the store at a time.
const ENTRIES_AT_A_TIME: usize = 256;

/// What is to be packed, taken from the node at one moment.
struct Parcel {
    recipients: Vec<Recipient>,
    names: Vec<String>,
    certificate: DeviceCertificate,
    signing: SigningSecret,
    card: Vec<u8>,
    cases: Vec<ParcelCase>,
    key_images: bool,
}

struct ParcelCase {
    case: CaseId,
    frontier: Frontier,
    studies: Vec<(StudyHead, StudyKey)>,
    /// SOP Instance UIDs of the images that carry marks.
    marked: HashSet<String>,
}

/// The chunks of one case, the most useful first, and how many of them are not here.
struct ChosenChunks {
    here: Vec<ChunkId>,
    missing: u64,
    bytes: u64,
}

impl Node {
    pub async fn bundle_pack(
        &mut self,
        recipients: &[String],
        cases: &[String],
        key_images: bool,
        path: PathBuf,
        task: Task,
    ) -> Result<Step, Failure> {
        check_path(&path)?;
        let identities = self.bundle_recipients(recipients)?;
        let cases = self.bundle_cases(&identities, cases).await?;
        let parcel = self.parcel(&identities, &cases, key_images)?;
        let store = Arc::clone(self.store()?);
        self.run_beside(task, move |control| {
            let devices: Vec<DeviceKey> = parcel.recipients.iter().map(|recipient| recipient.device).collect();
            let handed: Vec<(CaseId, Frontier)> =
                parcel.cases.iter().map(|case| (case.case, case.frontier.clone())).collect();
            let names = parcel.names.clone();
            let (packed, chunks_missing) = write_bundle(&store, parcel, &path, control)?;
            let reply = Reply::Packed(PackedBundle {
                path: path.display().to_string(),
                bytes: packed.bytes,
                cases: handed.iter().map(|(case, _)| case.to_string()).collect(),
                entries: packed.entries(),
                chunks: packed.chunks(),
                chunks_missing,
                recipients: names,
            });
            Ok(Box::new(move |node: &mut Node| {
                node.note_handed_over(&devices, &handed)?;
                Ok(reply)
            }))
        })
    }

    /// The people named: colleagues, or members of a case by their ids.
    fn bundle_recipients(&self, typed: &[String]) -> Result<Vec<IdentityKey>, Failure> {
        let mut identities = Vec::new();
        for typed in typed {
            let member = || self.rooms.ids().iter().find_map(|case| self.find_member_id(case, typed));
            let identity = self.find_person(typed).or_else(|failure| member().ok_or(failure))?;
            if self.me()?.people.get(&identity).is_some_and(|colleague| colleague.is_blocked()) {
                return Err(Failure::new(FailureCode::Untrusted, format!("{} is blocked.", shown(typed)))
                    .hint("Pack for others, or end the block: `overread card unblock NAME`."));
            }
            if !identities.contains(&identity) {
                identities.push(identity);
            }
        }
        Ok(identities)
    }

    /// The cases to pack: those typed, of which everybody named must be a member, or all that everybody shares.
    async fn bundle_cases(&mut self, identities: &[IdentityKey], typed: &[String]) -> Result<Vec<CaseId>, Failure> {
        let mut cases = BTreeSet::new();
        for typed in typed {
            let case = self.find_case(typed)?;
            if let Some(outsider) = identities.iter().find(|identity| !self.is_member(case, identity)) {
                let name = self.me()?.name_of(outsider, None);
                return Err(Failure::new(FailureCode::NotAMember, format!("{name} is not a member of {typed}."))
                    .hint(format!("Invite first: `overread case member add {typed} \"{name}\"`. Then pack again.")));
            }
            cases.insert(case);
        }
        for case in &cases {
            self.accept_invitation(*case).await?;
        }
        if typed.is_empty() {
            let shared = |case: &CaseId| {
                self.rooms.get(case).is_some_and(|open| open.answered == Answered::Accepted)
                    && identities.iter().all(|identity| self.is_member(*case, identity))
            };
            cases.extend(self.rooms.ids().into_iter().filter(shared));
        }
        if cases.is_empty() {
            return Err(Failure::new(FailureCode::NotFound, "There is no case you share with everybody named.").hint(
                "Make one: `overread case new --ask TEXT --study ID --invite NAME --no-wait`. Then pack again.",
            ));
        }
        Ok(cases.into_iter().collect())
    }

    fn is_member(&self, case: CaseId, identity: &IdentityKey) -> bool {
        self.rooms.get(&case).is_some_and(|open| open.room.membership().role(identity).is_some())
    }

    fn parcel(&mut self, identities: &[IdentityKey], cases: &[CaseId], key_images: bool) -> Result<Parcel, Failure> {
        let mut recipients: Vec<Recipient> = Vec::new();
        let mut parcel_cases = Vec::new();
        for case in cases {
            let state = self.state(*case)?;
            let Some(open) = self.rooms.get(case) else { continue };
            let members = open.room.membership().members();
            for certificate in
                identities.iter().filter_map(|identity| members.get(identity)).flat_map(|m| m.devices.values())
            {
                recipients.push(recipient(certificate));
            }
            // Whoever put a study in has it: an answer does not carry it back to her.
            let brought = |device: &DeviceKey| {
                identities.iter().all(|who| members.get(who).is_some_and(|member| member.devices.contains_key(device)))
            };
            let studies = state.current_studies().filter(|study| !brought(&study.added.device)).filter_map(|study| {
                let key = state.study_keys.get(&study.study)?;
                Some((study.head.clone(), StudyKey(key.0.duplicate())))
            });
            let marked = state.shared.marks.iter().map(|mark| mark.mark.image.sop_instance_uid.clone());
            parcel_cases.push(ParcelCase {
                case: *case,
                frontier: self.rooms.logs.get(case).map(|log| log.frontier().clone()).unwrap_or_default(),
                studies: studies.collect(),
                marked: marked.collect(),
            });
        }
        let open = self.me()?;
        for colleague in identities.iter().filter_map(|identity| open.people.get(identity)) {
            recipients.extend(colleague.card().devices().iter().map(recipient));
        }
        let names = identities.iter().map(|identity| open.name_of(identity, None)).collect();
        let keys = open.vault.keys();
        Ok(Parcel {
            recipients,
            names,
            certificate: keys.certificate.clone(),
            signing: SigningSecret::from_seed(keys.device.signing.seed().duplicate()),
            card: open.card.to_bytes(),
            cases: parcel_cases,
            key_images,
        })
    }

    fn note_handed_over(&mut self, devices: &[DeviceKey], cases: &[(CaseId, Frontier)]) -> Result<(), Failure> {
        let mut batch = Batch::new();
        for (case, frontier) in cases {
            let Some(log) = self.rooms.logs.get(case) else { continue };
            for device in devices {
                self.frontiers.hand_over(log, *device, *case, frontier, &mut batch);
            }
        }
        self.store()?.commit(batch).map_err(store_failure)
    }
}

fn recipient(certificate: &DeviceCertificate) -> Recipient {
    Recipient { device: certificate.device(), sealing: certificate.statement.sealing.clone() }
}

/// A bundle is never written over another file.
fn check_path(path: &Path) -> Result<(), Failure> {
    if path.symlink_metadata().is_ok() {
        return Err(Failure::new(FailureCode::WrongUse, format!("{} is there already.", path.display()))
            .hint("Choose another name, or delete it first."));
    }
    let folder = path.parent().is_none_or(|folder| folder.as_os_str().is_empty() || folder.is_dir());
    if folder && path.file_name().is_some() {
        return Ok(());
    }
    Err(Failure::new(FailureCode::NotFound, format!("There is no folder for {}.", path.display()))
        .hint("Make the folder, or look whether the stick is mounted."))
}

/// Writes the bundle beside its place, makes it durable, reads it back, and only then gives it its name. Says how many
/// chunks could not be packed because they are not here.
fn write_bundle(store: &Store, parcel: Parcel, path: &Path, control: &Control<'_>) -> Result<(Packed, u64), Failure> {
    let mut packed_before = HashSet::new();
    let mut missing = 0;
    let mut bytes = 0;
    let mut cases = Vec::new();
    for case in &parcel.cases {
        let mut chosen = choose_chunks(store, case, parcel.key_images)?;
        // A study in two cases is carried once.
        chosen.here.retain(|chunk| packed_before.insert(*chunk));
        missing += chosen.missing;
        bytes += chosen.bytes + store.case_size(case.case).map_err(store_failure)?.bytes;
        cases.push(CasePack {
            case: case.case,
            frontier: case.frontier.clone(),
            entries: entries_of(store, case.case),
            chunks: chunks_of(store, chosen.here),
        });
    }
    let plan = PackPlan {
        recipients: parcel.recipients,
        certificate: &parcel.certificate,
        signing: &parcel.signing,
        now: now(),
        cases,
        cards: vec![parcel.card],
    };
    let mut part = PartFile::create(path).map_err(|error| write_failure(path, &error))?;
    let meter = Meter::new("pack", bytes, control);
    let packed = pack(&mut part.file, plan, &mut random::system(), &mut |written| {
        meter.at(written.min(bytes));
        if control.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .map_err(|error| pack_failure(path, error))?;
    part.finish(&packed).map_err(|error| match error {
        FinishError::Write(error) => write_failure(path, &error),
        FinishError::Check(error) => {
            Failure::new(FailureCode::Failed, format!("{} was not packed: {error}.", path.display()))
                .hint("Use another stick or another folder.")
        }
    })?;
    Ok((packed, missing))
}

/// The pages of the manifests, the images that carry marks, then the other images in reading order.
fn choose_chunks(store: &Store, case: &ParcelCase, key_images: bool) -> Result<ChosenChunks, Failure> {
    let (mut pages, mut marked, mut rest): (Vec<ChunkId>, Vec<&InstanceEntry>, Vec<&InstanceEntry>) =
        Default::default();
    let opened: Vec<_> = case.studies.iter().map(|(head, key)| (head, library::open_pages(store, head, key))).collect();
    for (head, instances) in &opened {
        pages.extend(head.series.iter().flat_map(library::page_chunks));
        for instance in instances.iter().flatten() {
            let is_marked = case.marked.contains(&instance.sop_instance);
            if is_marked { marked.push(instance) } else { rest.push(instance) }
        }
    }
    if key_images {
        rest.clear();
    }
    let images = marked.iter().chain(&rest);
    let bytes = images.clone().map(|instance| instance.object.packed_bytes).sum();
    let mut seen = HashSet::new();
    let mut wanted = pages;
    wanted.extend(images.flat_map(|instance| library::chunks_of(instance)));
    wanted.retain(|chunk| seen.insert(*chunk));
    let missing: HashSet<ChunkId> = store.missing(&wanted).map_err(store_failure)?.into_iter().collect();
    wanted.retain(|chunk| !missing.contains(chunk));
    Ok(ChosenChunks { here: wanted, missing: missing.len() as u64, bytes })
}

/// A case's entries in the order they came, which is causal, a few at a time.
fn entries_of(store: &Store, case: CaseId) -> Source<'_, Vec<u8>> {
    let mut last = None;
    let pages = std::iter::from_fn(move || match store.entries_after(case, last, ENTRIES_AT_A_TIME) {
        Ok(entries) => {
            last = entries.last().map(|entry| entry.arrival).or(last);
            (!entries.is_empty()).then(|| entries.into_iter().map(|entry| Ok(entry.bytes)).collect::<Vec<_>>())
        }
        Err(error) => Some(vec![Err(SourceError::from(error))]),
    });
    // After an error nothing more is read: the packer ends there.
    Box::new(pages.flatten())
}

fn chunks_of(store: &Store, chunks: Vec<ChunkId>) -> Source<'_, (ChunkId, Vec<u8>)> {
    // What was deleted since it was chosen is left away.
    Box::new(chunks.into_iter().filter_map(|chunk| match store.read_chunk(chunk) {
        Ok(bytes) => bytes.map(|bytes| Ok((chunk, bytes))),
        Err(error) => Some(Err(SourceError::from(error))),
    }))
}

/// A bundle being written, deleted unless it is finished.
struct PartFile {
    file: File,
    part: PathBuf,
    path: PathBuf,
    finished: bool,
}

enum FinishError {
    Write(io::Error),
    Check(CheckError),
}

impl PartFile {
    fn create(path: &Path) -> io::Result<Self> {
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        let random: [u8; 5] = random::bytes(&mut random::system());
        name.push(format!(".{}.part", base32(&random)));
        let part = path.with_file_name(name);
        let file = private_options().read(true).write(true).create_new(true).open(&part)?;
        Ok(Self { file, part, path: path.to_owned(), finished: false })
    }

    /// Durable, read back, then under its name; never over another file.
    fn finish(mut self, packed: &Packed) -> Result<(), FinishError> {
        self.file.sync_all().map_err(FinishError::Write)?;
        forget_cached(&self.file);
        packed.check(&mut self.file).map_err(FinishError::Check)?;
        if self.path.symlink_metadata().is_ok() {
            return Err(FinishError::Write(io::ErrorKind::AlreadyExists.into()));
        }
        std::fs::rename(&self.part, &self.path).map_err(FinishError::Write)?;
        self.finished = true;
        // Some file systems of sticks cannot flush a folder; the file itself is durable.
        let _ = sync_parent(&self.path);
        Ok(())
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if !self.finished {
            let _ = std::fs::remove_file(&self.part);
        }
    }
}

/// Lets the next read come from the medium and not from memory, as far as the platform does that.
fn forget_cached(file: &File) {
    #[cfg(target_os = "linux")]
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

fn write_failure(path: &Path, error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::StorageFull {
        return Failure::new(FailureCode::DiskFull, format!("There is no room for {}.", path.display()))
            .hint("Make room or take a larger stick; --key-images packs only the images that carry marks.");
    }
    Failure::new(FailureCode::Failed, format!("{} cannot be written: {error}.", path.display()))
        .hint("Choose a folder you may write to; look whether the stick is still there.")
}

fn pack_failure(path: &Path, error: PackError) -> Failure {
    match error {
        PackError::Write(error) => write_failure(path, &error),
        PackError::Stopped => Failure::new(FailureCode::Interrupted, "Packing was stopped; no file was left behind.")
            .hint("Repeat the command."),
        PackError::Source(error) => Failure::new(FailureCode::Damaged, format!("Nothing was packed: {error}."))
            .hint("`overread verify all` names what is damaged; `overread fetch CASE` gets it again."),
        PackError::TooManyRecipients { .. } | PackError::TooManyCases { .. } => {
            Failure::new(FailureCode::WrongUse, format!("Nothing was packed: {error}."))
                .hint("Pack several bundles, each for some of them.")
        }
        other => Failure::new(FailureCode::Failed, format!("Nothing was packed: {other}.")),
    }
}
