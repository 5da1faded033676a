//! What `format.md` 4 to 6 promises, claim by claim.

use super::super::access::{Change, Role};
use super::super::content::{
    CaseChange, Content, ContentError, ImageRef, Mark, MarkDeleted, Point, Shape, Status, StudyAdded, StudyRole,
    StudyWithdrawn, Urgency,
};
use super::super::entry::SignedEntry;
use super::super::history::Acceptance;
use super::super::keyring::Keyring;
use super::super::room::{Room, WriteError};
use super::super::state::CaseState;
use super::*;
use crate::encoding::id::MarkId;
use crate::identity::keys::Secret;
use crate::seal::chunk::StudyKey;
use crate::seal::epoch::{NoticeContext, open_notice};

/// An owner, an admin, two readers and an observer, each with one device, all holding the same case.
struct Cast {
    rng: Seeded,
    owner: Person,
    admin: Person,
    reader: Person,
    second: Person,
    observer: Person,
}

impl Cast {
    fn new(seed: u64) -> Self {
        let mut rng = Seeded::new(seed);
        let mut person = || Person::new(&mut rng, 1);
        let (owner, admin, reader, second, observer) = (person(), person(), person(), person(), person());
        Self { rng, owner, admin, reader, second, observer }
    }

    fn case(&mut self) -> Copy {
        let invited = [
            self.admin.as_new(Role::Admin),
            self.reader.as_new(Role::Reader),
            self.second.as_new(Role::Reader),
            self.observer.as_new(Role::Observer),
        ];
        Copy::found(&self.owner, &invited, &mut self.rng)
    }
}

#[test]
fn a_founded_case_has_its_members_and_everybody_reads_the_question() {
    let mut cast = Cast::new(1);
    let mut at_owner = cast.case();
    at_owner.write(&cast.owner.author(0), &question("Is this a metastasis?"), &mut cast.rng).unwrap();
    for person in [&cast.admin, &cast.reader, &cast.observer] {
        let state = at_owner.for_device(&person.author(0)).room.state();
        assert_eq!(state.shared.question.as_ref().map(|q| q.value.as_str()), Some("Is this a metastasis?"));
        assert_eq!(state.state_hash(), at_owner.room.state().state_hash());
        assert!(state.state_hash().is_some());
    }
    assert_eq!(at_owner.role(&cast.observer), Some(Role::Observer));
}

#[test]
fn who_holds_no_key_learns_members_and_heads_and_nothing_else() {
    let mut cast = Cast::new(2);
    let mut copy = cast.case();
    copy.write(&cast.owner.author(0), &question("secret question"), &mut cast.rng).unwrap();
    let state = CaseState::fold(copy.room.history(), &Keyring::default());
    assert_eq!(state.shared.members.len(), 5);
    assert_eq!((state.shared.question, state.unreadable), (None, 2));
    let with_keys = copy.room.state();
    assert!(with_keys.state_hash().is_some());
    let blind = CaseState::fold(copy.room.history(), &Keyring::default());
    assert_eq!(blind.state_hash(), None);
    assert!(copy.bytes.values().all(|bytes| !bytes.windows(6).any(|w| w == b"secret")));
}

#[test]
fn each_role_may_do_what_format_5_says() {
    let mut cast = Cast::new(3);
    let copy = cast.case();
    let urgency = Content::Case(CaseChange { urgency: Some(Urgency::Stat), ..CaseChange::default() });
    let close = Content::Case(CaseChange { status: Some(Status::Closed), ..CaseChange::default() });
    let allowed: [(&Person, [bool; 4]); 4] = [
        (&cast.owner, [true, true, true, true]),
        (&cast.admin, [true, true, true, false]),
        (&cast.reader, [true, true, false, false]),
        (&cast.observer, [true, false, false, false]),
    ];
    for (person, expected) in allowed {
        let author = person.author(0);
        let contents = [message("hello"), mark(), urgency.clone(), close.clone()];
        for (content, expected) in contents.iter().zip(expected) {
            let written = copy.for_device(&author).write(&author, content, &mut cast.rng);
            assert_eq!(written.is_ok(), expected, "{:?}", written);
        }
    }
}

#[test]
fn an_entry_forced_without_the_right_stays_in_the_log_and_out_of_the_state() {
    let mut cast = Cast::new(4);
    let mut copy = cast.case();
    // The observer's program pretends she is a reader: it writes what `write` would refuse.
    let observer = cast.observer.author(0);
    let mut forged = copy.for_device(&observer);
    let content = mark();
    let written = forged.room.write_unchecked(&observer, &content, &mut cast.rng);
    copy.take(&written.bytes).unwrap();
    copy.room.learn(&cast.owner.author(0));
    let state = copy.room.state();
    assert!(state.shared.marks.is_empty());
    assert!(state.log.iter().any(|line| line.outcome == super::super::state::Outcome::Rightless));
}

#[test]
fn the_removed_read_what_was_before_and_nothing_after() {
    let mut cast = Cast::new(5);
    let mut at_owner = cast.case();
    let owner = cast.owner.author(0);
    at_owner.say(&owner, "before", &mut cast.rng).unwrap();
    let mut at_reader = at_owner.for_device(&cast.reader.author(0));
    at_owner.change(&owner, vec![Change::Remove { identity: cast.reader.identity() }], &mut cast.rng).unwrap();
    at_owner.say(&owner, "after", &mut cast.rng).unwrap();
    assert!(at_owner.room.membership().is_out(&cast.reader.author(0).certificate.device()));
    // Handed every byte, she still cannot open what came after.
    at_reader.take_from(&at_owner, &cast.reader.author(0));
    assert_eq!(at_reader.texts(), ["before"]);
    assert_eq!(at_reader.room.state().unreadable, 2);
    assert_eq!(at_owner.for_device(&cast.second.author(0)).texts(), ["before", "after"]);
    assert_eq!(at_reader.say(&cast.reader.author(0), "still here", &mut cast.rng), Err(WriteError::NotAMember));
}

#[test]
fn what_the_removed_wrote_without_knowing_belongs_to_the_log_only() {
    let mut cast = Cast::new(6);
    let mut at_owner = cast.case();
    let mut at_reader = at_owner.for_device(&cast.reader.author(0));
    at_reader.say(&cast.reader.author(0), "concurrent", &mut cast.rng).unwrap();
    let owner = cast.owner.author(0);
    at_owner.change(&owner, vec![Change::Remove { identity: cast.reader.identity() }], &mut cast.rng).unwrap();
    at_owner.take_from(&at_reader, &owner);
    assert!(at_owner.texts().is_empty());
    let log = at_owner.room.state().log;
    assert!(log.iter().any(|line| line.outcome == super::super::state::Outcome::CutOff && line.what == "message"));
}

#[test]
fn return_needs_an_add_after_the_removal() {
    let mut cast = Cast::new(7);
    let mut at_owner = cast.case();
    let mut at_admin = at_owner.for_device(&cast.admin.author(0));
    let (owner, admin) = (cast.owner.author(0), cast.admin.author(0));
    let newcomer = Person::new(&mut cast.rng, 1);
    at_admin.change(&admin, vec![newcomer.as_new(Role::Reader).change()], &mut cast.rng).unwrap();
    at_owner.take_from(&at_admin, &owner);
    at_owner.change(&owner, vec![Change::Remove { identity: newcomer.identity() }], &mut cast.rng).unwrap();
    // The admin, not knowing of the removal, changes her role: concurrent acts for the removed are void.
    let demote = Change::SetRole { identity: newcomer.identity(), role: Role::Observer };
    at_admin.change(&admin, vec![demote], &mut cast.rng).unwrap();
    at_owner.take_from(&at_admin, &owner);
    assert_eq!(at_owner.role(&newcomer), None);
    at_owner.change(&owner, vec![newcomer.as_new(Role::Reader).change()], &mut cast.rng).unwrap();
    assert_eq!(at_owner.role(&newcomer), Some(Role::Reader));
}

#[test]
fn removing_an_admin_voids_what_she_did_meanwhile() {
    let mut cast = Cast::new(8);
    let mut at_owner = cast.case();
    let mut at_admin = at_owner.for_device(&cast.admin.author(0));
    let guest = Person::new(&mut cast.rng, 1);
    at_admin.change(&cast.admin.author(0), vec![guest.as_new(Role::Reader).change()], &mut cast.rng).unwrap();
    let mut at_guest = at_admin.for_device(&guest.author(0));
    at_guest.say(&guest.author(0), "I was let in", &mut cast.rng).unwrap();
    let owner = cast.owner.author(0);
    at_owner.change(&owner, vec![Change::Remove { identity: cast.admin.identity() }], &mut cast.rng).unwrap();
    at_owner.take_from(&at_guest, &owner);
    assert_eq!((at_owner.role(&guest), at_owner.role(&cast.admin)), (None, None));
    assert!(at_owner.texts().is_empty());
    // What the owner writes now is sealed to neither.
    at_owner.say(&owner, "among ourselves", &mut cast.rng).unwrap();
    at_guest.take_from(&at_owner, &guest.author(0));
    assert!(!at_guest.texts().contains(&"among ourselves".to_string()));
}

#[test]
fn an_admin_cannot_touch_the_owner_or_an_earlier_admin() {
    let mut cast = Cast::new(9);
    let mut at_owner = cast.case();
    let owner = cast.owner.author(0);
    let promote = Change::SetRole { identity: cast.reader.identity(), role: Role::Admin };
    at_owner.change(&owner, vec![promote], &mut cast.rng).unwrap();
    let later = cast.reader.author(0);
    for target in [&cast.owner, &cast.admin] {
        let removal = vec![Change::Remove { identity: target.identity() }];
        assert_eq!(at_owner.for_device(&later).change(&later, removal, &mut cast.rng), Err(WriteError::NotAllowed));
    }
    let earlier = cast.admin.author(0);
    let removal = vec![Change::Remove { identity: cast.reader.identity() }];
    assert!(at_owner.for_device(&earlier).change(&earlier, removal, &mut cast.rng).is_ok());
    let appoint = vec![Change::SetRole { identity: cast.second.identity(), role: Role::Admin }];
    assert_eq!(at_owner.for_device(&earlier).change(&earlier, appoint, &mut cast.rng), Err(WriteError::NotAllowed));
}

#[test]
fn concurrent_adds_give_the_lower_role() {
    let mut cast = Cast::new(10);
    let mut at_owner = cast.case();
    let mut at_admin = at_owner.for_device(&cast.admin.author(0));
    let (owner, admin) = (cast.owner.author(0), cast.admin.author(0));
    let guest = Person::new(&mut cast.rng, 1);
    at_owner.change(&owner, vec![guest.as_new(Role::Reader).change()], &mut cast.rng).unwrap();
    at_admin.change(&admin, vec![guest.as_new(Role::Observer).change()], &mut cast.rng).unwrap();
    at_owner.take_from(&at_admin, &owner);
    at_admin.take_from(&at_owner, &admin);
    assert_eq!((at_owner.role(&guest), at_admin.role(&guest)), (Some(Role::Observer), Some(Role::Observer)));
}

#[test]
fn the_heir_takes_over_and_the_old_owner_becomes_an_admin() {
    let mut cast = Cast::new(11);
    let mut at_owner = cast.case();
    let owner = cast.owner.author(0);
    let heir = Some(cast.reader.identity());
    at_owner.change(&owner, vec![Change::SetHeir { heir }], &mut cast.rng).unwrap();
    let stranger = cast.second.author(0);
    let grab = at_owner.for_device(&stranger).change(&stranger, vec![Change::TakeOver], &mut cast.rng);
    assert_eq!(grab, Err(WriteError::NotAllowed));
    let author = cast.reader.author(0);
    let mut at_heir = at_owner.for_device(&author);
    at_heir.change(&author, vec![Change::TakeOver], &mut cast.rng).unwrap();
    assert_eq!((at_heir.role(&cast.reader), at_heir.role(&cast.owner)), (Some(Role::Owner), Some(Role::Admin)));
}

#[test]
fn the_owners_concurrent_revocation_voids_a_takeover_and_what_stands_on_it() {
    let mut cast = Cast::new(12);
    let mut at_owner = cast.case();
    let owner = cast.owner.author(0);
    let heir = Some(cast.reader.identity());
    at_owner.change(&owner, vec![Change::SetHeir { heir }], &mut cast.rng).unwrap();
    let author = cast.reader.author(0);
    let mut at_heir = at_owner.for_device(&author);
    at_heir.change(&author, vec![Change::TakeOver], &mut cast.rng).unwrap();
    at_heir.change(&author, vec![Change::Remove { identity: cast.second.identity() }], &mut cast.rng).unwrap();
    at_owner.change(&owner, vec![Change::SetHeir { heir: None }], &mut cast.rng).unwrap();
    at_owner.take_from(&at_heir, &owner);
    assert_eq!((at_owner.role(&cast.owner), at_owner.role(&cast.reader)), (Some(Role::Owner), Some(Role::Reader)));
    assert_eq!(at_owner.role(&cast.second), Some(Role::Reader));
}

#[test]
fn the_owner_leaves_only_in_the_entry_that_names_a_successor() {
    let mut cast = Cast::new(13);
    let mut copy = cast.case();
    let owner = cast.owner.author(0);
    let leave = Change::Remove { identity: cast.owner.identity() };
    assert_eq!(copy.change(&owner, vec![leave.clone()], &mut cast.rng), Err(WriteError::NotAllowed));
    let transfer = Change::Transfer { successor: cast.admin.identity() };
    copy.change(&owner, vec![transfer, leave], &mut cast.rng).unwrap();
    assert_eq!((copy.role(&cast.admin), copy.role(&cast.owner)), (Some(Role::Owner), None));
}

#[test]
fn anyone_may_leave_and_nobody_is_sealed_to_afterwards() {
    let mut cast = Cast::new(14);
    let copy = cast.case();
    let author = cast.observer.author(0);
    let mut at_observer = copy.for_device(&author);
    let leave = vec![Change::Remove { identity: cast.observer.identity() }];
    let id = at_observer.change(&author, leave, &mut cast.rng).unwrap();
    assert_eq!(at_observer.role(&cast.observer), None);
    let index = at_observer.room.history().index_of(&id).unwrap();
    let seals = match at_observer.room.history()[index].entry.body.access() {
        Some(super::super::access::AccessChange::Members(members)) => &members.seals,
        _ => unreachable!("leaving is a members entry"),
    };
    assert!(seals.iter().all(|seal| seal.device != author.certificate.device()));
}

#[test]
fn a_revoked_device_is_sealed_to_no_more_and_its_unaware_entries_do_not_count() {
    let mut cast = Cast::new(15);
    let reader = Person::new(&mut cast.rng, 2);
    let mut at_owner = cast.case();
    let owner = cast.owner.author(0);
    at_owner.change(&owner, vec![reader.as_new(Role::Reader).change()], &mut cast.rng).unwrap();
    let (kept, lost) = (reader.author(0), reader.author(1));
    let mut at_lost = at_owner.for_device(&lost);
    let mut at_kept = at_owner.for_device(&kept);
    let revoke = Change::RevokeDevice { identity: reader.identity(), device: lost.certificate.device() };
    at_kept.change(&kept, vec![revoke], &mut cast.rng).unwrap();
    at_lost.say(&lost, "the thief writes", &mut cast.rng).unwrap();
    at_kept.take_from(&at_lost, &kept);
    assert!(at_kept.texts().is_empty());
    let (lost_device, kept_device) = (lost.certificate.device(), kept.certificate.device());
    assert!(at_kept.room.membership().is_out(&lost_device) && !at_kept.room.membership().is_out(&kept_device));
    at_kept.say(&kept, "among ourselves", &mut cast.rng).unwrap();
    at_lost.take_from(&at_kept, &lost);
    assert_eq!(at_lost.room.state().unreadable, 2);
}

#[test]
fn a_new_device_adds_itself_and_reads_once_keys_are_handed_to_it() {
    let mut cast = Cast::new(16);
    let mut at_owner = cast.case();
    let owner = cast.owner.author(0);
    at_owner.say(&owner, "from before", &mut cast.rng).unwrap();
    cast.reader.certify(&mut cast.rng);
    let (old, new) = (cast.reader.author(0), cast.reader.author(1));
    let mut at_new = at_owner.for_device(&new);
    let written = at_new.room.add_device(&new, new.certificate, Timestamp(5_000), &mut cast.rng).unwrap();
    at_new.keep(&[written]);
    assert_eq!((at_new.texts().len(), at_new.room.state().unreadable), (0, 2));
    let mut at_old = at_owner.for_device(&old);
    at_old.take_from(&at_new, &old);
    let handed = at_old.room.hand_keys(&old, new.certificate.device(), Timestamp(6_000), &mut cast.rng).unwrap();
    at_old.keep(&[handed]);
    at_new.take_from(&at_old, &new);
    assert_eq!(at_new.texts(), ["from before"]);
    assert_eq!(at_new.room.state().state_hash(), at_old.room.state().state_hash());
    at_new.say(&new, "from my new laptop", &mut cast.rng).unwrap();
    at_owner.take_from(&at_new, &cast.owner.author(0));
    assert_eq!(at_owner.texts(), ["from before", "from my new laptop"]);
}

#[test]
fn somebody_shut_out_by_a_concurrent_epoch_is_found_and_reads_once_keys_are_handed_to_her() {
    let mut cast = Cast::new(31);
    let mut at_owner = cast.case();
    let (owner, admin) = (cast.owner.author(0), cast.admin.author(0));
    let mut at_admin = at_owner.for_device(&admin);
    let newcomer = Person::new(&mut cast.rng, 1);
    let third = Person::new(&mut cast.rng, 1);
    at_admin.change(&admin, vec![newcomer.as_new(Role::Reader).change()], &mut cast.rng).unwrap();
    at_owner.change(&owner, vec![third.as_new(Role::Reader).change()], &mut cast.rng).unwrap();
    at_owner.say(&owner, "written without knowing of the newcomer", &mut cast.rng).unwrap();
    at_owner.take_from(&at_admin, &owner);
    at_admin.take_from(&at_owner, &admin);
    let mut at_newcomer = at_owner.for_device(&newcomer.author(0));
    assert!(at_newcomer.room.state().unreadable > 0);
    assert_eq!(at_newcomer.room.state().state_hash(), None);

    let shut_out = at_owner.room.shut_out();
    let device = newcomer.author(0).certificate.device();
    assert!(shut_out.contains_key(&device) && shut_out.contains_key(&third.author(0).certificate.device()));
    for device in shut_out.into_keys() {
        let handed = at_owner.room.hand_keys(&owner, device, Timestamp(6_000), &mut cast.rng).unwrap();
        at_owner.keep(&[handed]);
    }
    at_newcomer.take_from(&at_owner, &newcomer.author(0));
    assert_eq!(at_newcomer.texts(), ["written without knowing of the newcomer"]);
    assert!(at_owner.room.shut_out().is_empty());
    assert_eq!(at_newcomer.room.state().state_hash(), at_owner.room.state().state_hash());
}

#[test]
fn a_device_that_only_named_itself_is_not_handed_keys_unasked() {
    let mut cast = Cast::new(32);
    let mut at_owner = cast.case();
    cast.reader.certify(&mut cast.rng);
    let new = cast.reader.author(1);
    let mut at_new = at_owner.for_device(&new);
    let written = at_new.room.add_device(&new, new.certificate, Timestamp(5_000), &mut cast.rng).unwrap();
    at_new.keep(&[written]);
    at_owner.take_from(&at_new, &cast.owner.author(0));
    assert!(at_owner.room.shut_out().is_empty());
}

#[test]
fn nobody_names_a_device_of_a_person_who_was_never_added() {
    let mut cast = Cast::new(17);
    let copy = cast.case();
    let stranger = Person::new(&mut cast.rng, 1);
    let author = stranger.author(0);
    let mut room = Room::open(SignedEntry::read(&copy.bytes[&copy.order[0]]).unwrap(), []).unwrap();
    let written = room.add_device(&author, author.certificate, Timestamp(1), &mut cast.rng);
    assert_eq!(written, Err(WriteError::Refused(Refusal::UnknownDevice)));
}

#[test]
fn an_epoch_that_a_concurrent_removal_made_unclean_is_not_written_under() {
    let mut cast = Cast::new(18);
    let mut at_owner = cast.case();
    let mut at_admin = at_owner.for_device(&cast.admin.author(0));
    let (owner, admin) = (cast.owner.author(0), cast.admin.author(0));
    // The owner removes one reader while the admin removes the other: either epoch includes somebody removed.
    at_owner.change(&owner, vec![Change::Remove { identity: cast.reader.identity() }], &mut cast.rng).unwrap();
    at_admin.change(&admin, vec![Change::Remove { identity: cast.second.identity() }], &mut cast.rng).unwrap();
    at_owner.take_from(&at_admin, &owner);
    assert!(at_owner.room.membership().sealing_epoch().is_none());
    let before = at_owner.order.len();
    at_owner.say(&owner, "clean again", &mut cast.rng).unwrap();
    assert_eq!(at_owner.order.len(), before + 2, "a members entry without changes comes first");
    for removed in [&cast.reader, &cast.second] {
        let mut copy = at_owner.for_device(&removed.author(0));
        copy.room.learn(&removed.author(0));
        assert!(!copy.texts().contains(&"clean again".to_string()));
    }
    assert_eq!(at_owner.for_device(&cast.observer.author(0)).texts(), ["clean again"]);
}

#[test]
fn a_notice_reaches_a_locked_device_without_opening_anything() {
    let mut cast = Cast::new(19);
    let mut copy = cast.case();
    let owner = cast.owner.author(0);
    let written =
        copy.room.write(&owner, &question("Now"), Some(Urgency::Stat), Timestamp(3_000), &mut cast.rng).unwrap();
    let entry = SignedEntry::read(&written[0].bytes).unwrap().into_entry();
    let reader = cast.reader.author(0);
    let notice = entry.body.notices().iter().find(|notice| notice.device == reader.certificate.device()).unwrap();
    let context = NoticeContext { case: copy.room.case(), salt: &entry.header.salt.0, device: notice.device };
    assert_eq!(open_notice(&notice.sealed, context, &reader.secrets.notice), Ok(Urgency::Stat as u8));
    assert!(entry.body.notices().iter().all(|notice| notice.device != owner.certificate.device()));
}

#[test]
fn of_a_marks_versions_the_latest_holds_and_a_deletion_kills_what_it_knew() {
    let mut cast = Cast::new(20);
    let mut copy = cast.case();
    let author = cast.reader.author(0);
    let mut at_reader = copy.for_device(&author);
    let id: MarkId = at_reader.write(&author, &mark(), &mut cast.rng).unwrap().into();
    at_reader.write(&author, &mark_version(Some(id), 9.0), &mut cast.rng).unwrap();
    copy.take_from(&at_reader, &cast.owner.author(0));
    let marks = copy.room.state().shared.marks;
    assert_eq!((marks.len(), marks[0].id, marks[0].mark.points[0].column), (1, id, 9.0));
    // Another's deletion is void; her own kills both versions.
    let second = cast.second.author(0);
    let mut at_second = copy.for_device(&second);
    at_second.write(&second, &Content::MarkDeleted(MarkDeleted { mark: id }), &mut cast.rng).unwrap();
    assert_eq!(at_second.room.state().shared.marks.len(), 1);
    at_reader.write(&author, &Content::MarkDeleted(MarkDeleted { mark: id }), &mut cast.rng).unwrap();
    assert!(at_reader.room.state().shared.marks.is_empty());
}

#[test]
fn an_answer_stands_whatever_becomes_of_the_mark_it_is_about() {
    let mut cast = Cast::new(22);
    let mut copy = cast.case();
    let author = cast.reader.author(0);
    let mut at_reader = copy.for_device(&author);
    let id: MarkId = at_reader.write(&author, &mark(), &mut cast.rng).unwrap().into();
    copy.take_from(&at_reader, &cast.owner.author(0));
    let answer = |text: &str, reply_to| Content::Message(Message { text: text.into(), view: None, reply_to });
    let owner = cast.owner.author(0);
    copy.write(&owner, &answer("too long", Some(EntryId(id.0))), &mut cast.rng).unwrap();
    // An entry that nobody has: the fold asks for nothing more than the words.
    copy.write(&owner, &answer("what was it?", Some(EntryId([9; 32]))), &mut cast.rng).unwrap();
    at_reader.take_from(&copy, &author);
    at_reader.write(&author, &Content::MarkDeleted(MarkDeleted { mark: id }), &mut cast.rng).unwrap();
    copy.take_from(&at_reader, &owner);
    let shared = copy.room.state().shared;
    assert!(shared.marks.is_empty());
    let answers: Vec<_> = shared.messages.iter().map(|said| said.content.reply_to).collect();
    assert_eq!(answers, [Some(EntryId(id.0)), Some(EntryId([9; 32]))]);
    assert_eq!(copy.room.state().state_hash(), at_reader.room.state().state_hash());
}

#[test]
fn withdrawal_beats_concurrent_use_and_a_later_add_brings_the_study_back() {
    let mut cast = Cast::new(21);
    let mut at_owner = cast.case();
    let owner = cast.owner.author(0);
    let added = study_added(1);
    let Content::StudyAdded(study) = &added else { unreachable!("made above") };
    at_owner.write(&owner, &added, &mut cast.rng).unwrap();
    let reader = cast.reader.author(0);
    let mut at_reader = at_owner.for_device(&reader);
    at_reader.write(&reader, &added, &mut cast.rng).unwrap();
    let withdrawn = Content::StudyWithdrawn(StudyWithdrawn { study: study.study, reason: None });
    at_owner.write(&owner, &withdrawn, &mut cast.rng).unwrap();
    at_owner.take_from(&at_reader, &owner);
    assert_eq!(at_owner.room.state().current_studies().count(), 0);
    at_owner.write(&owner, &added, &mut cast.rng).unwrap();
    assert_eq!(at_owner.room.state().current_studies().count(), 1);
}

#[test]
fn a_reader_withdraws_only_what_she_added() {
    let mut cast = Cast::new(22);
    let mut at_owner = cast.case();
    let added = study_added(1);
    let Content::StudyAdded(study) = &added else { unreachable!("made above") };
    at_owner.write(&cast.owner.author(0), &added, &mut cast.rng).unwrap();
    let reader = cast.reader.author(0);
    let mut at_reader = at_owner.for_device(&reader);
    let withdrawn = Content::StudyWithdrawn(StudyWithdrawn { study: study.study, reason: None });
    at_reader.write(&reader, &withdrawn, &mut cast.rng).unwrap();
    assert_eq!(at_reader.room.state().current_studies().count(), 1);
}

#[test]
fn what_a_closing_did_not_know_is_flagged_late() {
    let mut cast = Cast::new(23);
    let mut at_owner = cast.case();
    let reader = cast.reader.author(0);
    let mut at_reader = at_owner.for_device(&reader);
    at_owner.say(&cast.owner.author(0), "in time", &mut cast.rng).unwrap();
    let close = Content::Case(CaseChange { status: Some(Status::Closed), ..CaseChange::default() });
    at_owner.write(&cast.owner.author(0), &close, &mut cast.rng).unwrap();
    at_reader.say(&reader, "too late", &mut cast.rng).unwrap();
    at_owner.take_from(&at_reader, &cast.owner.author(0));
    let state = at_owner.room.state();
    let late: Vec<(&str, bool)> =
        state.shared.messages.iter().map(|said| (said.content.text.as_str(), said.stamp.flags.late)).collect();
    assert!(state.is_closed() && late.contains(&("in time", false)) && late.contains(&("too late", true)));
}

#[test]
fn clocks_wrong_by_years_change_flags_and_nothing_else() {
    let mut cast = Cast::new(24);
    let mut copy = cast.case();
    let owner = cast.owner.author(0);
    let century = 100 * 365 * crate::encoding::time::DAY_MS;
    copy.room.write(&owner, &message("from 2126"), None, Timestamp(century), &mut cast.rng).unwrap();
    copy.room.write(&owner, &message("from 1970"), None, Timestamp(0), &mut cast.rng).unwrap();
    let said = copy.room.state().shared.messages;
    let order: Vec<(&str, bool)> =
        said.iter().map(|said| (said.content.text.as_str(), said.stamp.flags.time_contradicts)).collect();
    assert_eq!(order, [("from 2126", false), ("from 1970", true)]);
}

#[test]
fn the_same_entry_twice_changes_nothing() {
    let mut cast = Cast::new(25);
    let mut copy = cast.case();
    let id = copy.say(&cast.owner.author(0), "once", &mut cast.rng).unwrap();
    let again = SignedEntry::read(&copy.bytes[&id]).unwrap();
    let index = copy.room.history().index_of(&id).unwrap();
    assert_eq!(copy.room.accept(again), Ok(Acceptance::Known(index)));
    assert_eq!(copy.texts(), ["once"]);
}

#[test]
fn names_come_from_whoever_adds_a_person() {
    let mut cast = Cast::new(26);
    let mut copy = cast.case();
    let guest = Person::new(&mut cast.rng, 1);
    let owner = cast.owner.author(0);
    let changes = vec![guest.as_new(Role::Reader).change()];
    let now = Timestamp(4_000);
    copy.room.change_members(&owner, changes, note_for(&guest, "Dr. Weiss"), None, now, &mut cast.rng).unwrap();
    let names = copy.room.state().shared.names;
    assert_eq!(names.get(&guest.identity()).map(|name| name.name.as_str()), Some("Dr. Weiss"));
}

#[test]
fn a_key_image_is_a_mark_without_points_and_no_other_mark_is() {
    let limit = |shape: Shape, points: Vec<Point>| {
        let Content::Mark(mark) = mark() else { unreachable!() };
        Content::from_bytes(&Content::Mark(Mark { shape, points, ..mark }).to_bytes()).map(|_| ())
    };
    let point = || vec![Point { column: 1.0, row: 2.0 }];
    assert_eq!(limit(Shape::KeyImage, Vec::new()), Ok(()));
    assert_eq!(limit(Shape::Probe, point()), Ok(()));
    for (shape, points) in [(Shape::KeyImage, point()), (Shape::Probe, Vec::new()), (Shape::Freehand, Vec::new())] {
        assert_eq!(limit(shape, points), Err(ContentError::Field("points and frame")));
    }
}

fn mark() -> Content {
    mark_version(None, 1.0)
}

fn mark_version(replaces: Option<MarkId>, column: f64) -> Content {
    let study = StudyKey(Secret::new([7; 32])).study_id();
    Content::Mark(Mark {
        replaces,
        image: ImageRef { study, sop_instance_uid: "2.25.1".into(), frame: 1 },
        shape: Shape::Probe,
        points: vec![Point { column, row: 2.0 }],
        label: None,
        measured: None,
        tracking_uid: None,
    })
}

fn study_added(seed: u8) -> Content {
    let key = Secret::new([seed; 32]);
    let study = StudyKey(key.duplicate()).study_id();
    Content::StudyAdded(Box::new(StudyAdded { study, role: StudyRole::Index, key, head: study_head() }))
}

fn study_head() -> crate::study::manifest::StudyHead {
    crate::study::manifest::StudyHead {
        study: "2.25.7".into(),
        pseudonym: "P1".into(),
        description: "CT CHEST".into(),
        modalities: vec!["CT".into()],
        body_parts: vec!["CHEST".into()],
        shifted_day: Some(1),
        left_out: 0,
        series: Vec::new(),
    }
}

#[test]
fn a_removal_takes_the_devices_too_and_return_brings_back_only_those_named_anew() {
    let mut cast = Cast::new(27);
    let mut copy = cast.case();
    let owner = cast.owner.author(0);
    copy.change(&owner, vec![Change::Remove { identity: cast.reader.identity() }], &mut cast.rng).unwrap();
    cast.reader.certify(&mut cast.rng);
    let mut again = cast.reader.as_new(Role::Reader);
    again.devices.remove(0);
    copy.change(&owner, vec![again.change()], &mut cast.rng).unwrap();
    let (old, new) = (cast.reader.author(0), cast.reader.author(1));
    let membership = copy.room.membership();
    assert!(membership.current_device(&old.certificate.device()).is_none());
    assert!(membership.current_device(&new.certificate.device()).is_some());
    drop(membership);
    copy.say(&owner, "for the new laptop", &mut cast.rng).unwrap();
    assert!(!copy.for_device(&old).texts().contains(&"for the new laptop".to_string()));
    assert_eq!(copy.for_device(&new).texts(), ["for the new laptop"]);
    assert_eq!(copy.for_device(&old).say(&old, "still me", &mut cast.rng), Err(WriteError::NotAMember));
}

#[test]
fn a_device_named_again_after_a_return_is_current_again() {
    let mut cast = Cast::new(28);
    let mut copy = cast.case();
    let owner = cast.owner.author(0);
    copy.change(&owner, vec![Change::Remove { identity: cast.reader.identity() }], &mut cast.rng).unwrap();
    copy.change(&owner, vec![cast.reader.as_new(Role::Reader).change()], &mut cast.rng).unwrap();
    assert!(copy.room.membership().current_device(&cast.reader.devices[0].1.device()).is_some());
}

#[test]
fn an_epoch_that_leaves_a_reader_out_is_not_written_under() {
    let mut cast = Cast::new(29);
    let mut copy = cast.case();
    // The observer's program starts an epoch that is sealed to everybody but the owner.
    let observer = cast.observer.author(0);
    let owner_device = cast.owner.devices[0].1.device();
    let mut forged = copy.for_device(&observer);
    let written = forged.room.start_epoch_without(&observer, owner_device, &mut cast.rng);
    copy.take(&written.bytes).unwrap();
    let reader = cast.reader.author(0);
    let mut at_reader = copy.for_device(&reader);
    assert_ne!(at_reader.room.membership().sealing_epoch().map(|epoch| epoch.id), Some(written.id));
    at_reader.say(&reader, "for everybody", &mut cast.rng).unwrap();
    copy.take_from(&at_reader, &cast.owner.author(0));
    assert_eq!(copy.texts(), ["for everybody"]);
}

#[test]
fn somebody_who_comes_later_makes_no_earlier_epoch_unclean() {
    let mut cast = Cast::new(30);
    let mut at_owner = cast.case();
    let owner = cast.owner.author(0);
    // A new device of a reader is named after the epoch: writing goes on in it, without another epoch.
    cast.reader.certify(&mut cast.rng);
    let new = cast.reader.author(1);
    let mut at_new = at_owner.for_device(&new);
    let written = at_new.room.add_device(&new, new.certificate, Timestamp(5_000), &mut cast.rng).unwrap();
    at_new.keep(&[written]);
    at_owner.take_from(&at_new, &owner);
    let before = at_owner.order.len();
    at_owner.say(&owner, "in the same epoch", &mut cast.rng).unwrap();
    assert_eq!(at_owner.order.len(), before + 1);
}

#[test]
fn a_transfer_of_ownership_undoes_no_recall() {
    let mut cast = Cast::new(31);
    let mut copy = cast.case();
    let (owner, reader) = (cast.owner.author(0), cast.reader.author(0));
    let added = study_added(1);
    let Content::StudyAdded(study) = &added else { unreachable!("made above") };
    let mut at_reader = copy.for_device(&reader);
    at_reader.write(&reader, &added, &mut cast.rng).unwrap();
    copy.take_from(&at_reader, &owner);
    let withdrawn = Content::StudyWithdrawn(StudyWithdrawn { study: study.study, reason: None });
    copy.write(&owner, &withdrawn, &mut cast.rng).unwrap();
    copy.change(&owner, vec![Change::Transfer { successor: cast.admin.identity() }], &mut cast.rng).unwrap();
    assert_eq!(copy.room.state().current_studies().count(), 0);
}

#[test]
fn nobody_names_people_but_whoever_adds_them() {
    let mut cast = Cast::new(32);
    let mut copy = cast.case();
    let observer = cast.observer.author(0);
    let mut at_observer = copy.for_device(&observer);
    let renamed = Content::MembersNote(note_for(&cast.owner, "Somebody Else"));
    at_observer.write(&observer, &renamed, &mut cast.rng).unwrap();
    copy.take_from(&at_observer, &cast.owner.author(0));
    assert!(copy.room.state().shared.names.is_empty());
    // Nor by a members entry that adds somebody else.
    let guest = Person::new(&mut cast.rng, 1);
    let owner = cast.owner.author(0);
    let note = note_for(&cast.reader, "Not The Guest");
    let changes = vec![guest.as_new(Role::Reader).change()];
    copy.room.change_members(&owner, changes, note, None, Timestamp(4_000), &mut cast.rng).unwrap();
    assert!(copy.room.state().shared.names.is_empty());
}

#[test]
fn a_device_that_certifies_itself_is_logged_as_what_it_is() {
    let mut cast = Cast::new(33);
    let copy = cast.case();
    cast.reader.certify(&mut cast.rng);
    let new = cast.reader.author(1);
    let mut at_new = copy.for_device(&new);
    at_new.room.add_device(&new, new.certificate, Timestamp(5_000), &mut cast.rng).unwrap();
    let log = at_new.room.state().log;
    let line = log.iter().find(|line| line.what == "device").unwrap();
    assert_eq!(line.outcome, super::super::state::Outcome::Counts);
}
