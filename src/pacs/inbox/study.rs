//! One study as it stands in the inbox, and whether all of it is here.
//!
//! Nobody says beforehand how much a study holds: a neighbour opens an association, sends, and releases it. So a study
//! is complete when every association that brought something of it was released in order, and every object that was
//! begun or refused has arrived since. A push that was cut off is made good by one that goes on at the object that was
//! under way, or that brings everything again from the start: the object under way may have been of another study.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::spool::Sealed;
use super::{InboxId, VisitId};
use crate::encoding::private::Private;
use crate::encoding::time::Timestamp;
use crate::study::import::{Patient, Summary};
use crate::study::source::Held as _;

/// How many different contents one SOP Instance UID may arrive with: an image sent in another transfer syntax is one.
/// The importer takes the first and names the others.
pub(super) const VARIANTS_MAX: usize = 64;

/// A study in the inbox.
pub(super) struct Study {
    pub id: InboxId,
    pub patient: Patient,
    pub date: Private<String>,
    pub description: Private<String>,
    pub accession: Private<String>,
    pub modalities: BTreeSet<String>,
    /// Calling AE titles that sent something of it.
    pub from: BTreeSet<String>,
    pub first: Timestamp,
    pub last: Timestamp,
    /// Its objects in the order of arrival.
    pub objects: BTreeMap<u64, Object>,
    by_uid: HashMap<String, Vec<u64>>,
    /// Associations that brought something of it and are still open.
    pub visitors: BTreeSet<VisitId>,
    /// Objects that were refused and are not here.
    refused: BTreeSet<String>,
    /// Objects that were under way when an association broke and are not here, each with what that one had brought.
    under_way: BTreeMap<String, BTreeSet<String>>,
    /// What an association had brought that broke between two objects.
    cut: Option<BTreeSet<String>>,
    /// Set once it was imported and something of it could not be taken in.
    pub imported: bool,
}

/// An object in the inbox.
pub(super) struct Object {
    pub class: String,
    pub uid: String,
    pub series: String,
    /// BLAKE3 of syntax and data set: what tells a copy from another content.
    pub print: [u8; 32],
    pub sealed: Arc<Sealed>,
}

/// Whether all of a study is here, as far as anybody can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// An association that brings it is open.
    Arriving,
    /// All that was sent is here, and the sender ended in order.
    Complete,
    /// The sender was cut off, or something it sent was refused.
    Broken,
}

/// What a new object is to a study.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    New,
    /// The same content is here already.
    Again,
    /// Too many contents under one name.
    TooManyVariants,
}

impl Study {
    pub fn new(id: InboxId, summary: &Summary, now: Timestamp) -> Self {
        Self {
            id,
            patient: summary.patient.clone(),
            date: summary.date.clone(),
            description: summary.study_description.clone(),
            accession: summary.accession.clone(),
            modalities: BTreeSet::new(),
            from: BTreeSet::new(),
            first: now,
            last: now,
            objects: BTreeMap::new(),
            by_uid: HashMap::new(),
            visitors: BTreeSet::new(),
            refused: BTreeSet::new(),
            under_way: BTreeMap::new(),
            cut: None,
            imported: false,
        }
    }

    pub fn place_for(&self, uid: &str, print: &[u8; 32]) -> Place {
        let Some(variants) = self.by_uid.get(uid) else { return Place::New };
        if variants.iter().filter_map(|number| self.objects.get(number)).any(|object| object.print == *print) {
            return Place::Again;
        }
        if variants.len() < VARIANTS_MAX { Place::New } else { Place::TooManyVariants }
    }

    pub fn add(&mut self, number: u64, object: Object) {
        self.by_uid.entry(object.uid.clone()).or_default().push(number);
        self.objects.insert(number, object);
        self.imported = false;
    }

    pub fn remove(&mut self, number: u64) {
        let Some(object) = self.objects.remove(&number) else { return };
        if let Some(variants) = self.by_uid.get_mut(&object.uid) {
            variants.retain(|other| *other != number);
            if variants.is_empty() {
                self.by_uid.remove(&object.uid);
            }
        }
    }

    /// Whether an object of this class and name is here.
    pub fn holds(&self, class: &str, uid: &str) -> bool {
        let variants = self.by_uid.get(uid).into_iter().flatten();
        variants.filter_map(|number| self.objects.get(number)).any(|object| object.class == class)
    }

    /// An object of this name has come, to this study or another.
    pub fn came(&mut self, uid: &str) {
        self.refused.remove(uid);
        self.under_way.remove(uid);
    }

    /// An association that brought the objects `brought` has ended.
    pub fn visit_ended(&mut self, visit: VisitId, brought: &BTreeSet<String>, end: &VisitEnd) {
        self.visitors.remove(&visit);
        if end.released {
            self.under_way.retain(|_, before| !before.is_subset(brought));
            self.cut.take_if(|before| before.is_subset(brought));
        } else if end.under_way.is_none() {
            self.cut = Some(brought.clone());
        }
        let is_here = |uid: &String| self.by_uid.contains_key(uid);
        self.refused.extend(end.refused.iter().filter(|uid| !is_here(uid)).cloned());
        if let Some(uid) = end.under_way.as_ref().filter(|uid| !is_here(uid)) {
            self.under_way.entry(uid.clone()).or_default().extend(brought.iter().cloned());
        }
    }

    /// How many objects were begun or refused and are not here.
    pub fn missing(&self) -> usize {
        self.refused.len() + self.under_way.keys().filter(|uid| !self.refused.contains(*uid)).count()
    }

    pub fn completeness(&self) -> Completeness {
        match self.visitors.is_empty() {
            false => Completeness::Arriving,
            true if self.missing() == 0 && self.cut.is_none() => Completeness::Complete,
            true => Completeness::Broken,
        }
    }

    pub fn bytes(&self) -> u64 {
        self.objects.values().map(|object| object.sealed.bytes()).sum()
    }

    pub fn series(&self) -> usize {
        self.objects.values().map(|object| &object.series).collect::<BTreeSet<_>>().len()
    }
}

/// How an association ended, as far as studies are concerned.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct VisitEnd {
    /// In order, by the sender.
    pub released: bool,
    /// The object that was under way when it broke.
    pub under_way: Option<String>,
    /// Objects that were refused.
    pub refused: BTreeSet<String>,
}
