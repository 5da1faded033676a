//! Which patient a study is of, as far as this sender knows, and under which key it is sealed.
//!
//! The same Patient ID and issuer are one patient; another ID joins only when the person says so. A group has one
//! random secret from which pseudonym, UIDs and dates come. Groups and study keys are found again by keyed hashes,
//! so that neither an ID nor an original UID stands in a row's name or value.
//!
//! Without an ID the name and birth date have to do, and without a name nothing joins two studies: each is a
//! patient of its own, since grouping strangers would let a case mix them unasked.

use minicbor::{Decode, Encode};

use super::{LocalStudy, Origin, damaged, load_all, store_failure};
use crate::encoding::id::{Bytes, StudyId};
use crate::encoding::labels::DERIVE_IMPORT_NAME;
use crate::encoding::random::{self, CryptoRng};
use crate::encoding::{from_bytes, to_bytes};
use crate::identity::keys::Secret;
use crate::node::api::{Failure, FailureCode};
use crate::seal::aead;
use crate::seal::chunk::StudyKey;
use crate::store::{Batch, Store, Table};
use crate::study::import::PlannedStudy;

/// Longest row of this file in bytes.
const ROW_BYTES_MAX: usize = 256;

/// A patient group.
pub(super) struct Group {
    pub(super) id: [u8; 16],
    pub(super) secret: Secret,
}

/// Where an import belongs: existing rows, or new ones that are not stored yet.
pub(super) struct Place {
    pub(super) group: Group,
    pub(super) key: StudyKey,
    /// Rows to commit before the first chunk, so that an import broken off finds its key again.
    pub(super) rows: Batch,
}

/// Points from a patient's keyed hash to the group.
#[derive(Encode, Decode)]
#[cbor(map)]
struct GroupLink {
    #[n(0)]
    group: Bytes<16>,
}

/// A study key with the study's name, so that it can be forgotten with the study.
#[derive(Encode, Decode)]
#[cbor(map)]
struct KeyRow {
    #[n(0)]
    key: Secret,
}

/// Finds or makes the group and key of a planned study. `joined` is the group the person says it belongs to.
pub(super) fn place_of(
    store: &Store,
    database: &Secret,
    planned: &PlannedStudy,
    joined: Option<[u8; 16]>,
    random: &mut impl CryptoRng,
) -> Result<Place, Failure> {
    let names = Names::new(database);
    let patient = names.patient(planned);
    let mut rows = Batch::new();
    let linked = read::<GroupLink>(store, Table::PatientGroup, &patient)?.map(|link| link.group.0);
    let id = match (linked, joined) {
        (Some(linked), Some(joined)) if linked != joined && is_used(store, linked)? => {
            return Err(Failure::new(
                FailureCode::OtherPatient,
                "This patient's studies are already held as another patient than the one you named.",
            )
            .hint("Remove those studies first (`study rm`), then import with --same-patient."));
        }
        (Some(linked), None) => linked,
        (_, Some(joined)) => joined,
        (None, None) => random::bytes(random),
    };
    if linked != Some(id) {
        rows.put_row(Table::PatientGroup, &patient, &to_bytes(&GroupLink { group: Bytes(id) }));
    }
    let secret = match read::<KeyRow>(store, Table::PatientGroup, &id)? {
        Some(row) => row.key,
        None => {
            let row = KeyRow { key: Secret::random(random) };
            rows.put_row(Table::PatientGroup, &id, &zeroize::Zeroizing::new(to_bytes(&row)));
            row.key
        }
    };
    let study = names.study(&id, planned.study.reveal());
    let key = match read::<KeyRow>(store, Table::StudySecret, &study)? {
        Some(row) => row.key,
        None => {
            let row = KeyRow { key: Secret::random(random) };
            rows.put_row(Table::StudySecret, &study, &zeroize::Zeroizing::new(to_bytes(&row)));
            row.key
        }
    };
    Ok(Place { group: Group { id, secret }, key: StudyKey(key), rows })
}

/// Forgets the key by which the next import would find this study again.
pub(super) fn forget_study(store: &Store, batch: &mut Batch, id: &StudyId) -> Result<(), Failure> {
    for row in store.rows(Table::StudySecret).map_err(store_failure)? {
        let found: KeyRow = from_bytes(&row.value, ROW_BYTES_MAX).map_err(|_| damaged("A study key"))?;
        if StudyKey(found.key).study_id() == *id {
            batch.delete_row(Table::StudySecret, &row.key);
        }
    }
    Ok(())
}

/// The group of a study of this sender.
pub(super) fn group_of(study: &LocalStudy) -> Option<[u8; 16]> {
    match study.origin {
        Origin::Mine { group } => Some(group),
        Origin::Received => None,
    }
}

fn is_used(store: &Store, group: [u8; 16]) -> Result<bool, Failure> {
    Ok(load_all(store)?.iter().any(|study| group_of(study) == Some(group)))
}

fn read<T>(store: &Store, table: Table, key: &[u8]) -> Result<Option<T>, Failure>
where
    T: for<'b> Decode<'b, ()> + Encode<()>,
{
    let row = store.row(table, key).map_err(store_failure)?;
    row.map(|value| from_bytes(&value, ROW_BYTES_MAX).map_err(|_| damaged("A patient group"))).transpose()
}

/// Keyed hashes of what files say, for finding it again.
struct Names {
    key: Secret,
}

impl Names {
    fn new(database: &Secret) -> Self {
        Self { key: aead::derive(database, DERIVE_IMPORT_NAME, &[]) }
    }

    fn patient(&self, planned: &PlannedStudy) -> [u8; 32] {
        let patient = &planned.patient;
        match (patient.id.reveal().as_str(), patient.name.reveal().as_str()) {
            ("", "") => self.name("unnamed", &[planned.study.reveal()]),
            ("", name) => self.name("name", &[name, patient.birth_date.reveal()]),
            (id, _) => self.name("id", &[id, patient.issuer.reveal()]),
        }
    }

    /// A study's UID inside its patient's group: a UID that two patients share by mistake stays two studies.
    fn study(&self, group: &[u8; 16], uid: &str) -> [u8; 32] {
        self.name("study", &[&crate::encoding::id::base32(group), uid])
    }

    fn name(&self, kind: &str, parts: &[&str]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(self.key.reveal());
        for part in [kind].iter().chain(parts) {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        *hasher.finalize().as_bytes()
    }
}
