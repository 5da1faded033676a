//! A whole case with a member who writes what she likes: whatever it is, it folds, in any order to the same.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use minicbor::Decoder;
use overread::case::access::{AccessChange, Role};
use overread::case::content::{Content, MembersNote};
use overread::case::entry::{Body, Clear, Header, SignedEntry, sign};
use overread::case::room::{Author, NewMember, Room};
use overread::encoding::id::{Bytes, EntryId};
use overread::encoding::labels::FORMAT_VERSION;
use overread::encoding::random::{Seeded, bytes};
use overread::encoding::time::Timestamp;
use overread::encoding::to_bytes;
use overread::identity::certificate::DeviceCertificate;
use overread_fuzz::{Parts, Somebody};

/// Most entries of one run.
const ENTRIES_MAX: usize = 40;

/// The owner, and two members.
static PEOPLE: LazyLock<[Somebody; 3]> = LazyLock::new(|| [1, 2, 3].map(Somebody::new));

/// The case's first entry.
static FIRST: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let [owner, rest @ ..] = &*PEOPLE;
    let invited = rest.iter().map(|person| NewMember {
        identity: person.certificate.identity(),
        role: Role::Admin,
        devices: vec![person.certificate.clone()],
        unverified: false,
    });
    let invited: Vec<NewMember> = invited.collect();
    let note = MembersNote { people: Vec::new(), reason: None };
    let devices = vec![owner.certificate.clone()];
    let (_, written) = Room::found(&author(owner), devices, &invited, note, NOW, &mut Seeded::new(9)).expect("a case");
    written.bytes
});

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn author(person: &Somebody) -> Author<'_> {
    Author { certificate: &person.certificate, secrets: &person.device }
}

fuzz_target!(|data: &[u8]| {
    let mut parts = Parts(data);
    let mut rng = Seeded::new(7);
    let first = SignedEntry::read(&FIRST).expect("the first entry");
    let mut room = Room::open(first.clone(), []).expect("a case");
    room.learn(&author(&PEOPLE[0]));
    let mut entries: Vec<(EntryId, SignedEntry)> = vec![(first.entry().id, first)];
    while !parts.is_empty() && entries.len() < ENTRIES_MAX {
        let Some(entry) = write(&room, &entries, &mut parts, &mut rng) else { continue };
        let id = entry.entry().id;
        if room.accept(entry.clone()).is_ok() {
            room.learn(&author(&PEOPLE[0]));
            entries.push((id, entry));
        }
    }
    let state = room.state();
    // The same entries in the order of the fold: the same case.
    let order = room.history().fold_order();
    let again = order.iter().filter_map(|index| entries.get(position(&entries, room.history()[*index].entry.id)?));
    let mut again = again.map(|(_, entry)| entry.clone());
    let mut other = Room::open(again.next().expect("the first entry"), again).expect("causal order");
    other.learn(&author(&PEOPLE[0]));
    assert_eq!(state.state_hash(), other.state().state_hash());
    assert_eq!(room.history().heads(), other.history().heads());
});

fn position(entries: &[(EntryId, SignedEntry)], id: EntryId) -> Option<usize> {
    entries.iter().position(|(other, _)| *other == id)
}

/// One entry: who writes, what she has seen, and content or a change of access as it stands in the input.
fn write(
    room: &Room,
    entries: &[(EntryId, SignedEntry)],
    parts: &mut Parts<'_>,
    rng: &mut Seeded,
) -> Option<SignedEntry> {
    let kind = parts.byte();
    let seen = usize::from(parts.byte());
    let piece = parts.piece();
    let person = &PEOPLE[usize::from(kind & 3) % 3];
    let device = person.certificate.device();
    // A fork is one bit away: the last entry but one is taken for the last.
    let back = usize::from(kind >> 2 & 1);
    let own: Vec<&SignedEntry> =
        entries.iter().map(|(_, entry)| entry).filter(|entry| entry.entry().header.device == device).collect();
    let previous = own.len().checked_sub(1 + back).map(|at| own[at].entry());
    let parent = entries.get(entries.len() - 1 - seen % entries.len()).map(|(id, _)| *id);
    let parents = parent.filter(|id| Some(*id) != previous.map(|entry| entry.id));
    let access = (kind & 8 != 0).then(|| Decoder::new(piece).decode::<AccessChange>().ok()).flatten();
    let access = access.map(|access| with_sound_certificates(access, person));
    let epochs: Vec<_> = room.membership().epochs().map(|epoch| epoch.id).collect();
    let epoch = epochs.get(usize::from(kind >> 4) % epochs.len().max(1)).copied()?;
    let secret = room.keyring().secret(&epoch)?;
    let content = match &access {
        None => Some(piece.to_vec()),
        Some(AccessChange::Members(_)) => Some(Content::MembersNote(note()).to_bytes()),
        Some(_) => None,
    };
    let mut header = Header {
        format: FORMAT_VERSION,
        case: Some(room.case()),
        device,
        sequence: previous.map_or(0, |entry| entry.header.sequence + 1),
        previous: previous.map(|entry| entry.id),
        parents: parents.into_iter().collect(),
        claimed: NOW,
        epoch: content.as_ref().map(|_| epoch),
        salt: Bytes(bytes(rng)),
        commitment: Bytes([0; 32]),
        body_hash: Bytes([0; 32]),
    };
    let key = secret.entry_key(room.case(), device, &header.salt.0);
    if content.is_some() {
        header.commitment = Bytes(key.commitment());
    }
    let sealed = content.map(|content| key.seal(&header.associated_data(), content)).transpose().ok()?;
    let clear = access.map(|access| Clear { access: Some(access), notices: Vec::new() });
    let body = Body { clear, sealed: sealed.map(Into::into) };
    header.body_hash = Bytes(*blake3::hash(&to_bytes(&body)).as_bytes());
    SignedEntry::read(&sign(&header, &body, &person.device.signing)).ok()
}

fn note() -> MembersNote {
    MembersNote { people: Vec::new(), reason: None }
}

/// Certificates of the input verify for nobody; those of known people take their places.
fn with_sound_certificates(mut access: AccessChange, author: &Somebody) -> AccessChange {
    use overread::case::access::Change;
    match &mut access {
        AccessChange::Device(certificate) => *certificate = author.certificate.clone(),
        AccessChange::Members(members) => {
            for change in &mut members.changes {
                let known = |n: u8| &PEOPLE[usize::from(n) % 3].certificate;
                match change {
                    Change::Add { identity, devices, .. } => {
                        let certificate: DeviceCertificate = known(identity.0[0]).clone();
                        *identity = certificate.identity();
                        *devices = vec![certificate];
                    }
                    Change::Remove { identity } | Change::SetRole { identity, .. } => {
                        *identity = known(identity.0[0]).identity();
                    }
                    Change::RevokeDevice { identity, device } => {
                        let certificate = known(identity.0[0]);
                        (*identity, *device) = (certificate.identity(), certificate.device());
                    }
                    Change::SetHeir { heir: Some(person) } | Change::Transfer { successor: person } => {
                        *person = known(person.0[0]).identity();
                    }
                    Change::SetHeir { heir: None } | Change::TakeOver => {}
                }
            }
        }
        AccessChange::Keys(_) => {}
    }
    access
}
