use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::*;
use crate::study::part10::Syntax;

const SYNTAX: &str = uids::EXPLICIT_VR_LITTLE_ENDIAN;

pub(in crate::pacs) fn inbox(folder: &Path) -> Inbox {
    let inbox = Inbox::new(&folder.join("inbox"), Limits::default()).unwrap();
    inbox.unlock();
    inbox
}

/// A small object and its data set.
pub(in crate::pacs) fn object(name: &str, study: &str, uid: &str, pixel: u8) -> (Announced, Vec<u8>) {
    let mut header = InMemDicomObject::new_empty();
    header.put_str(tags::SOP_CLASS_UID, VR::UI, uids::CT_IMAGE_STORAGE);
    header.put_str(tags::SOP_INSTANCE_UID, VR::UI, uid);
    header.put_str(tags::MODALITY, VR::CS, "CT");
    header.put_str(tags::PATIENT_NAME, VR::PN, name);
    header.put_str(tags::PATIENT_ID, VR::LO, name);
    header.put_str(tags::STUDY_INSTANCE_UID, VR::UI, study);
    header.put_str(tags::SERIES_INSTANCE_UID, VR::UI, "1.9");
    header.put(DataElement::new(tags::PIXEL_DATA, VR::OB, PrimitiveValue::from(vec![pixel; 1000])));
    let mut bytes = Vec::new();
    header.write_dataset_with_ts(&mut bytes, &Syntax::of(SYNTAX).of_header()).unwrap();
    let announced = Announced { class: uids::CT_IMAGE_STORAGE.into(), uid: uid.into(), syntax: SYNTAX.into() };
    (announced, bytes)
}

pub(in crate::pacs) fn receive(
    visit: &mut Visit,
    (announced, bytes): &(Announced, Vec<u8>),
) -> Result<Arrival, Refused> {
    let mut reception = visit.begin(announced.clone())?;
    reception.write(bytes)?;
    visit.received(reception.finish()?)
}

fn jane(uid: &str) -> (Announced, Vec<u8>) {
    object("DOE^JANE", "1.2", uid, 1)
}

fn only(inbox: &Inbox) -> Standing {
    let mut studies = inbox.studies();
    assert_eq!(studies.len(), 1);
    studies.remove(0)
}

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("inbox")).map_or(0, Iterator::count)
}

#[test]
fn a_study_pushed_twice_is_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = inbox(folder.path());
    for (from, again) in [("PACS1", false), ("PACS2", true)] {
        let mut visit = inbox.visit(from);
        for uid in ["1.1", "1.2", "1.3"] {
            assert_eq!(receive(&mut visit, &jane(uid)).unwrap().again, again);
        }
        assert_eq!(only(&inbox).completeness, Completeness::Arriving);
        visit.released();
    }
    let study = only(&inbox);
    assert_eq!((study.instances, study.series, study.modality.as_str()), (3, 1, "CT"));
    assert_eq!(study.from, ["PACS1", "PACS2"]);
    assert_eq!(study.completeness, Completeness::Complete);
    assert_eq!(entries(folder.path()), 3);
}

#[test]
fn another_content_under_one_name_stands_beside_it_up_to_a_limit() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = inbox(folder.path());
    let mut visit = inbox.visit("PACS1");
    for pixel in 0..64 {
        receive(&mut visit, &object("DOE^JANE", "1.2", "1.1", pixel)).unwrap();
    }
    let one_more = receive(&mut visit, &object("DOE^JANE", "1.2", "1.1", 99));
    assert_eq!(one_more, Err(Refused::TooManyVariants));
    assert_eq!(only(&inbox).instances, 64);
}

#[test]
fn two_patients_under_one_study_uid_are_two_studies() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = inbox(folder.path());
    let mut visit = inbox.visit("PACS1");
    receive(&mut visit, &jane("1.1")).unwrap();
    receive(&mut visit, &object("ROE^RICHARD", "1.2", "1.7", 1)).unwrap();
    assert_eq!(inbox.studies().len(), 2);
}

#[test]
fn a_push_that_was_cut_off_is_made_good_by_one_that_brings_what_lacked() {
    let folder = tempfile::tempdir().unwrap();
    // Cut off within an object: the sender goes on at it, or begins anew.
    for later in [&["1.3", "1.4"][..], &["1.1", "1.2", "1.3", "1.4"]] {
        let inbox = inbox(folder.path());
        let mut visit = inbox.visit("PACS1");
        receive(&mut visit, &jane("1.1")).unwrap();
        receive(&mut visit, &jane("1.2")).unwrap();
        let (announced, bytes) = jane("1.3");
        visit.begin(announced).unwrap().write(&bytes[..100]).unwrap();
        drop(visit);
        let study = only(&inbox);
        assert_eq!((study.completeness, study.missing, study.instances), (Completeness::Broken, 1, 2));
        let mut visit = inbox.visit("PACS1");
        for uid in later {
            receive(&mut visit, &jane(uid)).unwrap();
        }
        visit.released();
        assert_eq!((only(&inbox).completeness, only(&inbox).instances), (Completeness::Complete, 4));
    }
    // Cut off between two objects: only a push of everything shows that nothing lacks.
    let inbox = inbox(folder.path());
    let mut visit = inbox.visit("PACS1");
    receive(&mut visit, &jane("1.1")).unwrap();
    drop(visit);
    let mut visit = inbox.visit("PACS1");
    receive(&mut visit, &jane("1.2")).unwrap();
    visit.released();
    assert_eq!(only(&inbox).completeness, Completeness::Broken);
    let mut visit = inbox.visit("PACS1");
    receive(&mut visit, &jane("1.1")).unwrap();
    visit.released();
    assert_eq!(only(&inbox).completeness, Completeness::Complete);
}

#[test]
fn a_study_that_came_whole_before_another_was_cut_off_is_made_good_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = inbox(folder.path());
    let mut visit = inbox.visit("PACS1");
    for uid in ["1.1", "1.2"] {
        receive(&mut visit, &jane(uid)).unwrap();
    }
    let (announced, bytes) = object("ROE^RICHARD", "1.7", "1.7.1", 1);
    visit.begin(announced).unwrap().write(&bytes[..100]).unwrap();
    drop(visit);
    // Nobody knows yet whose object was under way.
    assert_eq!((only(&inbox).completeness, only(&inbox).missing), (Completeness::Broken, 1));
    for (again, completeness) in [(&["1.2"][..], Completeness::Broken), (&["1.1", "1.2"], Completeness::Complete)] {
        let mut visit = inbox.visit("PACS1");
        for uid in again {
            receive(&mut visit, &jane(uid)).unwrap();
        }
        visit.released();
        assert_eq!(only(&inbox).completeness, completeness, "{again:?}");
    }
    assert_eq!(only(&inbox).missing, 0);
}

#[test]
fn a_study_of_which_something_was_refused_is_not_complete_until_it_came() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = inbox(folder.path());
    let mut visit = inbox.visit("PACS1");
    receive(&mut visit, &jane("1.1")).unwrap();
    visit.refused("1.2", &Refused::OtherObject);
    visit.released();
    assert_eq!((only(&inbox).completeness, only(&inbox).missing), (Completeness::Broken, 1));
    let mut visit = inbox.visit("PACS1");
    receive(&mut visit, &jane("1.2")).unwrap();
    visit.released();
    assert_eq!(only(&inbox).completeness, Completeness::Complete);
}

#[test]
fn locking_wipes_what_is_here_and_refuses_what_comes() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = inbox(folder.path());
    let mut visit = inbox.visit("PACS1");
    receive(&mut visit, &jane("1.1")).unwrap();
    let under_way = visit.begin(jane("1.2").0).unwrap();
    let taken = inbox.take(&[only(&inbox).id]);
    assert_eq!(inbox.lock(), 1);
    assert_eq!((inbox.lock(), inbox.condition().wiped), (0, 1));
    assert!(inbox.studies().is_empty());
    assert_eq!(taken.files[0].whole().unwrap_err(), "the node was locked, which wiped the inbox");
    assert_eq!(visit.begin(jane("1.3").0).err(), Some(Refused::Locked));
    // What was under way belongs to the time before, even if it is unlocked meanwhile.
    inbox.unlock();
    let mut under_way = under_way;
    assert_eq!(under_way.write(&jane("1.2").1).and_then(|()| under_way.finish()).err(), Some(Refused::Locked));
    drop((visit, taken));
    assert!(inbox.studies().is_empty());
    assert_eq!(entries(folder.path()), 0);
    let mut visit = inbox.visit("PACS1");
    receive(&mut visit, &jane("1.1")).unwrap();
    assert_eq!(inbox.condition(), Condition::default());
}

#[test]
fn what_exceeds_a_limit_is_refused_as_out_of_resources_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let full = |limits: Limits| {
        let inbox = Inbox::new(&folder.path().join("inbox"), limits).unwrap();
        inbox.unlock();
        let mut visit = inbox.visit("PACS1");
        receive(&mut visit, &jane("1.1")).unwrap();
        let refused = receive(&mut visit, &object("ROE^RICHARD", "1.3", "1.2", 1)).unwrap_err();
        drop(visit);
        assert_eq!(entries(folder.path()), 1);
        // Room that was taken is given back.
        inbox.discard(&[only(&inbox).id]);
        receive(&mut inbox.visit("PACS1"), &jane("1.1")).unwrap();
        refused
    };
    let length = jane("1.1").1.len() as u64 + 500;
    for limits in [
        Limits { bytes_max: length, ..Limits::default() },
        Limits { objects_max: 1, ..Limits::default() },
        Limits { studies_max: 1, ..Limits::default() },
    ] {
        let refused = full(limits);
        assert_eq!((&refused, refused.status()), (&Refused::InboxFull, 0xA700), "{limits:?}");
    }
}

#[test]
fn an_inbox_is_full_until_something_has_gone_or_was_taken() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = Inbox::new(&folder.path().join("inbox"), Limits { studies_max: 1, ..Limits::default() }).unwrap();
    inbox.unlock();
    let mut visit = inbox.visit("PACS1");
    receive(&mut visit, &jane("1.1")).unwrap();
    for (why, no_room) in [
        (Refused::TooLong, None),
        (Refused::DiskFull, Some(Refused::DiskFull)),
        (Refused::InboxFull, Some(Refused::InboxFull)),
    ] {
        visit.refused("1.2", &why);
        assert_eq!(inbox.condition().no_room, no_room);
    }
    receive(&mut visit, &jane("1.2")).unwrap();
    assert_eq!(inbox.condition().no_room, None);
    visit.refused("1.3", &Refused::InboxFull);
    inbox.discard(&[only(&inbox).id]);
    assert_eq!(inbox.condition().no_room, None);
}

#[test]
fn what_is_not_what_was_announced_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = inbox(folder.path());
    let mut visit = inbox.visit("PACS1");
    let (_, bytes) = jane("1.1");
    let other = receive(&mut visit, &(jane("1.2").0, bytes.clone())).unwrap_err();
    assert_eq!((&other, other.status()), (&Refused::OtherObject, 0xA900));
    for damaged in [&bytes[..bytes.len() - 1], b"garbage that is no data set", b""] {
        let refused = receive(&mut visit, &(jane("1.1").0, damaged.to_vec())).unwrap_err();
        assert_eq!(refused.status(), 0xC000, "{refused}");
    }
    drop(visit);
    assert!(inbox.studies().is_empty());
    assert_eq!(entries(folder.path()), 0);
}

#[test]
fn what_was_imported_leaves_and_what_came_meanwhile_stays() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = inbox(folder.path());
    let mut visit = inbox.visit("PACS1");
    receive(&mut visit, &jane("1.1")).unwrap();
    let id = only(&inbox).id;
    let taken = inbox.take(&[id]);
    assert_eq!(taken.files.len(), 1);
    receive(&mut visit, &jane("1.2")).unwrap();
    inbox.imported(&taken);
    drop(taken);
    assert_eq!((only(&inbox).id, only(&inbox).instances, entries(folder.path())), (id, 1, 1));
    visit.released();
    let taken = inbox.take(&[id]);
    inbox.imported_in_part(&taken);
    assert!(only(&inbox).imported);
    inbox.imported(&taken);
    assert!(inbox.studies().is_empty());
}

#[test]
fn the_folder_is_emptied_at_the_start_and_goes_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("inbox");
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("17"), "left over by a killed process").unwrap();
    let inbox = inbox(folder.path());
    assert!(!path.exists());
    let mut visit = inbox.visit("PACS1");
    receive(&mut visit, &jane("1.1")).unwrap();
    assert_eq!(entries(folder.path()), 1);
    drop((visit, inbox));
    assert!(!path.exists());
}

#[test]
fn no_patient_prints_itself() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = inbox(folder.path());
    receive(&mut inbox.visit("PACS1"), &object("ZAPHYRA^QUIRELLA", "1.2", "1.1", 1)).unwrap();
    assert!(!format!("{:?}", inbox.studies()).contains("ZAPHYRA"));
}
