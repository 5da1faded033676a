//! What members say live: who is heard, what is dropped, and that the newest holds in whatever order it comes.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::case::content::{ContentError, ImageRef, Point, Shape};
use crate::case::live::circle::{Circle, LiveError, LivePlace};
use crate::case::live::content::{LiveContent, Pencil, PencilNow, Presence};
use crate::case::live::heard::Heard;
use crate::case::live::{LIVE_BYTES_MAX, LIVE_KINDS_MAX, LIVE_LASTS, LIVE_TAKEN_A_SECOND_MAX, next_session};
use crate::encoding::id::{CaseId, StudyId};
use crate::identity::keys::DeviceKey;

const PRESENCE: u8 = 0;
const PENCIL: u8 = 1;

/// Anna owns the case; Ben reads, Carl observes, Dora is a courier and Eve nobody.
struct Ward {
    rng: Seeded,
    people: [Person; 5],
    anna: Copy,
}

impl Ward {
    fn new() -> Self {
        let mut rng = Seeded::new(41);
        let people = [2, 2, 1, 1, 1].map(|devices| Person::new(&mut rng, devices));
        let roles = [(1, Role::Reader), (2, Role::Observer), (3, Role::Courier)];
        let invited = roles.map(|(n, role)| people[n].as_new(role));
        let anna = Copy::found(&people[0], &invited, &mut rng);
        Self { rng, people, anna }
    }

    /// The case as a person's device sees it.
    fn circle_of(&self, person: usize) -> Circle {
        Circle::of(&self.anna.for_device(&self.people[person].author(0)).room).unwrap()
    }

    fn device(&self, person: usize) -> DeviceKey {
        self.people[person].devices[0].0.device()
    }

    fn say(&mut self, person: usize, place: (u64, u64), content: &LiveContent) -> Vec<u8> {
        let circle = self.circle_of(person);
        self.say_in(&circle, person, place, content).unwrap()
    }

    fn say_in(
        &mut self,
        circle: &Circle,
        person: usize,
        (session, counter): (u64, u64),
        content: &LiveContent,
    ) -> Result<Vec<u8>, LiveError> {
        let author = self.people[person].author(0);
        circle.seal(&author, LivePlace { session, counter }, content, &mut self.rng)
    }

    fn remove(&mut self, person: usize) {
        let change = Change::Remove { identity: self.people[person].identity() };
        self.anna.change(&self.people[0].author(0), vec![change], &mut self.rng).unwrap();
    }
}

fn here() -> LiveContent {
    LiveContent::Presence(Presence { here: true })
}

fn left() -> LiveContent {
    LiveContent::Presence(Presence { here: false })
}

fn drawing(points: &[(f64, f64)]) -> LiveContent {
    let image = ImageRef { study: StudyId([1; 32]), sop_instance_uid: "2.25.7".into(), frame: 1 };
    let points = points.iter().map(|(column, row)| Point { column: *column, row: *row }).collect();
    LiveContent::Pencil(PencilNow { pencil: Some(Pencil { image, shape: Shape::Length, points }) })
}

fn dropped() -> LiveContent {
    LiveContent::Pencil(PencilNow { pencil: None })
}

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Who is here, and where the first point of each pencil lies.
fn shown(heard: &Heard, case: CaseId) -> (Vec<DeviceKey>, Vec<(DeviceKey, f64)>) {
    let here = heard.here(case).map(|(device, _)| device).collect();
    let pencils = heard.pencils(case).map(|heard| (heard.device, heard.pencil.points[0].column)).collect();
    (here, pencils)
}

#[test]
fn members_see_who_is_here_and_what_is_drawn_until_it_is_dropped() {
    let mut ward = Ward::new();
    let (ben, case) = (ward.device(1), ward.anna.room.case());
    let circle = ward.circle_of(2);
    let mut heard = Heard::default();
    let presence = ward.say(1, (7, 0), &here());
    assert_eq!(heard.hear(&circle, ben, PRESENCE, &presence, at(0)), Ok(true));
    let identity = ward.people[1].identity();
    assert_eq!(heard.here(case).collect::<Vec<_>>(), [(ben, identity)]);
    let pencil = ward.say(1, (7, 1), &drawing(&[(3.0, 4.0)]));
    assert_eq!(heard.hear(&circle, ben, PENCIL, &pencil, at(1)), Ok(true));
    assert_eq!(shown(&heard, case), (vec![ben], vec![(ben, 3.0)]));
    // Said again, it changes nothing but how long it holds.
    let again = ward.say(1, (7, 2), &drawing(&[(3.0, 4.0)]));
    assert_eq!(heard.hear(&circle, ben, PENCIL, &again, at(2)), Ok(false));
    let gone = ward.say(1, (7, 3), &dropped());
    assert_eq!(heard.hear(&circle, ben, PENCIL, &gone, at(3)), Ok(true));
    assert_eq!(shown(&heard, case), (vec![ben], vec![]));
    let bye = ward.say(1, (7, 4), &left());
    assert_eq!(heard.hear(&circle, ben, PRESENCE, &bye, at(4)), Ok(true));
    assert_eq!(shown(&heard, case), (vec![], vec![]));
}

#[test]
fn a_pencil_is_shown_only_while_its_device_is_here() {
    let mut ward = Ward::new();
    let (ben, case) = (ward.device(1), ward.anna.room.case());
    let circle = ward.circle_of(0);
    let mut heard = Heard::default();
    let pencil = ward.say(1, (7, 1), &drawing(&[(3.0, 4.0)]));
    assert_eq!(heard.hear(&circle, ben, PENCIL, &pencil, at(0)), Ok(false));
    assert_eq!(shown(&heard, case), (vec![], vec![]));
    let presence = ward.say(1, (7, 0), &here());
    assert_eq!(heard.hear(&circle, ben, PRESENCE, &presence, at(0)), Ok(true));
    assert_eq!(shown(&heard, case), (vec![ben], vec![(ben, 3.0)]));
    let bye = ward.say(1, (7, 2), &left());
    assert_eq!(heard.hear(&circle, ben, PRESENCE, &bye, at(0)), Ok(true));
    assert_eq!(shown(&heard, case), (vec![], vec![]));
}

#[test]
fn what_is_not_said_again_in_time_is_gone() {
    let mut ward = Ward::new();
    let (ben, case) = (ward.device(1), ward.anna.room.case());
    let circle = ward.circle_of(0);
    let mut heard = Heard::default();
    let first = [ward.say(1, (7, 0), &here()), ward.say(1, (7, 1), &drawing(&[(3.0, 4.0)]))];
    heard.hear(&circle, ben, PRESENCE, &first[0], at(0)).unwrap();
    heard.hear(&circle, ben, PENCIL, &first[1], at(1_000)).unwrap();
    assert_eq!(heard.next_end(), Some(LIVE_LASTS));
    let again = ward.say(1, (7, 2), &here());
    heard.hear(&circle, ben, PRESENCE, &again, at(5_000)).unwrap();
    assert!(heard.sweep(at(6_999)).is_empty());
    assert_eq!(heard.sweep(at(7_000)), [case].into());
    assert_eq!(shown(&heard, case), (vec![ben], vec![]));
    assert_eq!(heard.sweep(at(11_000)), [case].into());
    assert_eq!((shown(&heard, case), heard.next_end()), ((vec![], vec![]), None));
    // What is gone is not taken again.
    assert_eq!(heard.hear(&circle, ben, PRESENCE, &again, at(11_001)), Err(LiveError::Old));
}

#[test]
fn a_device_started_anew_is_heard_and_what_it_said_before_is_not_taken_again() {
    let mut ward = Ward::new();
    let (ben, case) = (ward.device(1), ward.anna.room.case());
    let circle = ward.circle_of(0);
    let mut heard = Heard::default();
    let before = [
        ward.say(1, (7, 500), &here()),
        ward.say(1, (7, 501), &drawing(&[(3.0, 4.0)])),
        ward.say(1, (7, 502), &left()),
    ];
    heard.hear(&circle, ben, PRESENCE, &before[0], at(0)).unwrap();
    heard.hear(&circle, ben, PENCIL, &before[1], at(0)).unwrap();
    let anew = ward.say(1, (8, 0), &here());
    assert_eq!(heard.hear(&circle, ben, PRESENCE, &anew, at(0)), Ok(true));
    assert_eq!(shown(&heard, case), (vec![ben], vec![]), "its pencil was of the session before");
    for (slot, old) in [(PRESENCE, &before[0]), (PENCIL, &before[1]), (PRESENCE, &before[2]), (PRESENCE, &anew)] {
        assert_eq!(heard.hear(&circle, ben, slot, old, at(1)), Err(LiveError::Old));
    }
    // Nor after locking.
    heard.forget();
    assert_eq!(shown(&heard, case), (vec![], vec![]));
    assert_eq!(heard.hear(&circle, ben, PRESENCE, &anew, at(2)), Err(LiveError::Old));
    let later = ward.say(1, (8, 1), &here());
    assert_eq!(heard.hear(&circle, ben, PRESENCE, &later, at(2)), Ok(true));
}

#[test]
fn a_session_is_higher_than_all_before_whatever_the_clock_says() {
    assert_eq!(next_session(None, Timestamp(1_000)), 1_000);
    assert_eq!(next_session(Some(1_000), Timestamp(2_000)), 2_000);
    assert_eq!(next_session(Some(2_000), Timestamp(1_000)), 2_001);
    assert_eq!(next_session(Some(5), Timestamp(-1)), 6);
    assert_eq!(next_session(None, Timestamp(i64::MIN)), 0);
}

#[test]
fn nothing_is_taken_from_who_does_not_read_the_case() {
    let mut ward = Ward::new();
    let circle = ward.circle_of(0);
    let mut heard = Heard::default();
    let mut hear = |circle: &Circle, from, slot, bytes: &[u8]| heard.hear(circle, from, slot, bytes, at(0));
    let ben = ward.device(1);
    // Whoever forwards another one's message is not believed.
    let bens = ward.say(1, (7, 0), &here());
    assert_eq!(hear(&circle, ward.device(2), PRESENCE, &bens), Err(LiveError::Forwarded));
    assert_eq!(hear(&circle, ward.people[1].devices[1].0.device(), PRESENCE, &bens), Err(LiveError::Forwarded));
    // A courier and a stranger hold no secret; here somebody handed it to them.
    for person in [3, 4] {
        assert_eq!(ward.say_in(&circle, person, (7, 0), &here()), Err(LiveError::Stranger));
        assert_eq!(hear(&circle, ward.device(person), PRESENCE, &bens), Err(LiveError::Forwarded));
    }
    assert!(Circle::of(&ward.anna.for_device(&ward.people[4].author(0)).room).is_none());
    // An observer shows that he is here, and draws nothing.
    let pencil = drawing(&[(3.0, 4.0)]);
    let needs = LiveError::NeedsRole { has: Role::Observer, needed: Role::Reader };
    assert_eq!(ward.say_in(&circle, 2, (7, 0), &pencil), Err(needs.clone()));
    let carls = ward.say(2, (7, 1), &here());
    assert_eq!(hear(&circle, ward.device(2), PRESENCE, &carls), Ok(true));
    // A message of another case, or in another kind's slot.
    let mut rng = Seeded::new(42);
    let other = Copy::found(&ward.people[0], &[ward.people[1].as_new(Role::Reader)], &mut rng);
    let other = Circle::of(&other.room).unwrap();
    assert_eq!(hear(&other, ben, PRESENCE, &bens), Err(LiveError::OtherCase));
    assert_eq!(hear(&circle, ben, PENCIL, &bens), Err(LiveError::OtherKind));
    assert_eq!(hear(&circle, ben, PRESENCE, &bens), Ok(true));
}

#[test]
fn an_observer_who_writes_a_pencil_all_the_same_is_not_heard() {
    let mut ward = Ward::new();
    // Before he was made an observer.
    let ben = ward.device(1);
    let (circle, pencil) = (ward.circle_of(1), drawing(&[(3.0, 4.0)]));
    let bytes = ward.say_in(&circle, 1, (7, 0), &pencil).unwrap();
    let change = Change::SetRole { identity: ward.people[1].identity(), role: Role::Observer };
    ward.anna.change(&ward.people[0].author(0), vec![change], &mut ward.rng).unwrap();
    let circle = ward.circle_of(0);
    assert_eq!(Heard::default().hear(&circle, ben, PENCIL, &bytes, at(0)), Err(LiveError::OtherEpoch));
    let needs = LiveError::NeedsRole { has: Role::Observer, needed: Role::Reader };
    assert_eq!(ward.say_in(&circle, 1, (7, 0), &pencil), Err(needs));
}

#[test]
fn who_is_removed_is_heard_no_more_and_what_she_drew_is_gone() {
    let mut ward = Ward::new();
    let (ben, case) = (ward.device(1), ward.anna.room.case());
    let before = ward.circle_of(0);
    let mut heard = Heard::default();
    let said = [ward.say(1, (7, 0), &here()), ward.say(1, (7, 1), &drawing(&[(3.0, 4.0)]))];
    heard.hear(&before, ben, PRESENCE, &said[0], at(0)).unwrap();
    heard.hear(&before, ben, PENCIL, &said[1], at(0)).unwrap();
    let late = ward.say(1, (7, 2), &here());
    ward.remove(1);
    let circle = ward.circle_of(0);
    assert!(heard.keep_only(case, Some(&circle), |_| true));
    assert_eq!(shown(&heard, case), (vec![], vec![]));
    assert_eq!(heard.hear(&circle, ben, PRESENCE, &late, at(0)), Err(LiveError::Stranger));
    // Nor does he hear what is said after it.
    let carls = ward.say(2, (7, 0), &here());
    assert_eq!(heard.hear(&before, ward.device(2), PRESENCE, &carls, at(0)), Err(LiveError::OtherEpoch));
    assert!(Circle::of(&ward.anna.for_device(&ward.people[1].author(0)).room).is_none());
}

#[test]
fn who_is_demoted_or_blocked_loses_what_she_may_not_say() {
    let mut ward = Ward::new();
    let (ben, case) = (ward.device(1), ward.anna.room.case());
    let circle = ward.circle_of(0);
    let mut heard = Heard::default();
    let said = [ward.say(1, (7, 0), &here()), ward.say(1, (7, 1), &drawing(&[(3.0, 4.0)]))];
    heard.hear(&circle, ben, PRESENCE, &said[0], at(0)).unwrap();
    heard.hear(&circle, ben, PENCIL, &said[1], at(0)).unwrap();
    assert!(!heard.keep_only(case, Some(&circle), |_| true));
    let change = Change::SetRole { identity: ward.people[1].identity(), role: Role::Observer };
    ward.anna.change(&ward.people[0].author(0), vec![change], &mut ward.rng).unwrap();
    let circle = ward.circle_of(0);
    assert!(heard.keep_only(case, Some(&circle), |_| true));
    assert_eq!(shown(&heard, case), (vec![ben], vec![]));
    let blocked = ward.people[1].identity();
    assert!(heard.keep_only(case, Some(&circle), |identity| *identity != blocked));
    assert_eq!(shown(&heard, case), (vec![], vec![]));
}

#[test]
fn a_forked_device_is_heard_no_more() {
    let mut ward = Ward::new();
    let ben = ward.device(1);
    let author = ward.people[1].author(0);
    let mut one = ward.anna.for_device(&author);
    let mut other = ward.anna.for_device(&author);
    one.say(&author, "one", &mut ward.rng).unwrap();
    other.say(&author, "other", &mut ward.rng).unwrap();
    let circle = ward.circle_of(1);
    let said = ward.say_in(&circle, 1, (7, 0), &here()).unwrap();
    let anna = ward.people[0].author(0);
    ward.anna.take_from(&one, &anna);
    ward.anna.take_from(&other, &anna);
    // The epoch is sealed to it, so nothing is said live until somebody starts a clean one.
    assert!(Circle::of(&ward.anna.room).is_none());
    let anna = ward.people[0].author(0);
    ward.anna.say(&anna, "a clean epoch", &mut ward.rng).unwrap();
    let circle = ward.circle_of(0);
    assert_eq!(Heard::default().hear(&circle, ben, PRESENCE, &said, at(0)), Err(LiveError::Stranger));
}

#[test]
fn a_message_with_any_byte_altered_is_refused() {
    let mut ward = Ward::new();
    let (ben, circle) = (ward.device(1), ward.circle_of(0));
    let bytes = ward.say(1, (7, 0), &drawing(&[(3.0, 4.0)]));
    for position in 0..bytes.len() {
        for bit in [1, 0x80] {
            let mut altered = bytes.clone();
            altered[position] ^= bit;
            assert!(circle.open(ben, &altered).is_err(), "{position}");
        }
        assert!(circle.open(ben, &bytes[..position]).is_err(), "{position}");
    }
    assert!(circle.open(ben, &[bytes.as_slice(), &[0]].concat()).is_err());
    assert!(circle.open(ben, &bytes).is_ok());
}

#[test]
fn hostile_sizes_are_refused_before_anything_is_opened() {
    let ward = Ward::new();
    let (ben, circle) = (ward.device(1), ward.circle_of(0));
    let hostile: [(&str, Vec<u8>); 6] = [
        ("nothing", vec![]),
        ("too long", vec![0xa2; LIVE_BYTES_MAX + 1]),
        ("a statement that claims four gigabytes", vec![0xa2, 0, 0x5a, 0xff, 0xff, 0xff, 0xff]),
        ("a map that claims four billion fields", vec![0xba, 0xff, 0xff, 0xff, 0xff]),
        ("of indefinite length", vec![0xbf, 0xff]),
        ("another thing", vec![0x82, 0, 0xa0]),
    ];
    for (attack, bytes) in hostile {
        assert!(matches!(circle.open(ben, &bytes), Err(LiveError::Encoding(_))), "{attack}");
    }
}

#[test]
fn content_keeps_its_limits() {
    let limit = |content: &LiveContent| LiveContent::from_bytes(&content.to_bytes());
    let most = drawing(&[(0.5, -1.0); 512]);
    assert_eq!(limit(&most), Ok(most.clone()));
    let mut ward = Ward::new();
    assert!(ward.say(1, (u64::MAX, u64::MAX), &most).len() <= LIVE_BYTES_MAX);
    assert!(matches!(limit(&drawing(&[(0.0, 0.0); 513])), Err(ContentError::TooMany { .. })));
    assert_eq!(limit(&drawing(&[])), Err(ContentError::Field("points and frame")));
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(limit(&drawing(&[(0.0, number)])), Err(ContentError::Field("points")));
    }
    let altered = |change: fn(&mut ImageRef)| {
        let mut content = drawing(&[(0.0, 0.0)]);
        if let LiveContent::Pencil(PencilNow { pencil: Some(pencil) }) = &mut content {
            change(&mut pencil.image);
        }
        limit(&content)
    };
    assert_eq!(altered(|image| image.frame = 0), Err(ContentError::Field("points and frame")));
    let mut key_image = drawing(&[]);
    if let LiveContent::Pencil(PencilNow { pencil: Some(pencil) }) = &mut key_image {
        pencil.shape = Shape::KeyImage;
    }
    assert_eq!(limit(&key_image), Err(ContentError::Field("shape")));
    let long = altered(|image| image.sop_instance_uid = "1".repeat(1025));
    assert!(matches!(long, Err(ContentError::TooLong { .. })));
}

#[test]
fn a_kind_of_later_is_dropped_without_harm() {
    // A pointer of a later version: a kind and two numbers.
    let later = |kind: u8| [&[0x82, kind, 0xa2, 0, 0xfb][..], &[0; 8], &[1, 0xfb], &[0; 8]].concat();
    assert_eq!(LiveContent::from_bytes(&later(2)), Ok(LiveContent::Unknown(2)));
    assert_eq!(LiveContent::from_bytes(&later(LIVE_KINDS_MAX - 1)), Ok(LiveContent::Unknown(7)));
    assert!(LiveContent::from_bytes(&later(LIVE_KINDS_MAX)).is_err());
    assert!(LiveContent::from_bytes(&[later(2).as_slice(), &[0]].concat()).is_err());
    // A known kind with a field of later is none of them.
    assert!(LiveContent::from_bytes(&[0x82, 0, 0xa2, 0, 0xf5, 1, 0]).is_err());
    assert!(LiveContent::from_bytes(&[0x82, 0, 0xa1, 0, 0xf5]).is_ok());
}

#[test]
fn a_flood_is_cut_and_after_it_the_newest_is_heard() {
    let mut ward = Ward::new();
    let (ben, case) = (ward.device(1), ward.anna.room.case());
    let circle = ward.circle_of(0);
    let mut heard = Heard::default();
    let garbage = vec![0; LIVE_BYTES_MAX];
    let looked_at = |heard: &mut Heard, at: Duration| {
        let tried = (0..1_000).map(|_| heard.hear(&circle, ben, PRESENCE, &garbage, at));
        tried.filter(|result| *result != Err(LiveError::Flood)).count()
    };
    assert_eq!(looked_at(&mut heard, at(0)), LIVE_TAKEN_A_SECOND_MAX as usize);
    assert_eq!(looked_at(&mut heard, at(500)), LIVE_TAKEN_A_SECOND_MAX as usize / 2);
    // Others are heard meanwhile.
    let (carl, carls) = (ward.device(2), ward.say(2, (7, 0), &here()));
    assert_eq!(heard.hear(&circle, carl, PRESENCE, &carls, at(500)), Ok(true));
    let bens = ward.say(1, (7, 0), &here());
    assert_eq!(heard.hear(&circle, ben, PRESENCE, &bens, at(500)), Err(LiveError::Flood));
    assert_eq!(heard.hear(&circle, ben, PRESENCE, &bens, at(600)), Ok(true));
    assert_eq!(shown(&heard, case).0.len(), 2);
}

/// What one device says over its sessions: the place, and whether it is here or where its pencil is.
#[derive(Debug, Clone)]
struct Saying {
    session: u64,
    what: Option<Option<u32>>,
    here: bool,
}

fn saying() -> impl Strategy<Value = Saying> {
    let what = prop_oneof![Just(None), any::<Option<u32>>().prop_map(Some)];
    (1u64..4, what, any::<bool>()).prop_map(|(session, what, here)| Saying { session, what, here })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn in_any_order_with_losses_and_repeats_the_newest_that_arrives_holds(
        mut said in proptest::collection::vec(saying(), 1..12),
        arriving in proptest::collection::vec(any::<proptest::sample::Index>(), 0..24),
    ) {
        let mut ward = Ward::new();
        let (ben, case) = (ward.device(1), ward.anna.room.case());
        let circle = ward.circle_of(0);
        said.sort_by_key(|saying| saying.session);
        let messages: Vec<(u8, Vec<u8>)> = said
            .iter()
            .enumerate()
            .map(|(counter, saying)| {
                let content = match saying.what {
                    None => LiveContent::Presence(Presence { here: saying.here }),
                    Some(None) => dropped(),
                    Some(Some(column)) => drawing(&[(f64::from(column), 0.0)]),
                };
                (content.kind(), ward.say(1, (saying.session, counter as u64), &content))
            })
            .collect();
        let arriving: Vec<usize> = arriving.iter().map(|index| index.index(said.len())).collect();
        let mut heard = Heard::default();
        for (n, index) in arriving.iter().enumerate() {
            let (slot, bytes) = &messages[*index];
            let was = shown(&heard, case);
            match heard.hear(&circle, ben, *slot, bytes, at(n as u64)) {
                Ok(changed) => prop_assert_eq!(changed, shown(&heard, case) != was),
                Err(error) => prop_assert_eq!(error, LiveError::Old),
            }
        }
        let session = arriving.iter().map(|index| said[*index].session).max();
        let newest = |presence: bool| {
            let of_kind = arriving.iter().filter(|index| {
                Some(said[**index].session) == session && said[**index].what.is_none() == presence
            });
            of_kind.max().map(|index| &said[*index])
        };
        let is_here = newest(true).is_some_and(|saying| saying.here);
        let pencil = newest(false).and_then(|saying| saying.what.flatten()).filter(|_| is_here);
        let expected = (Vec::from_iter(is_here.then_some(ben)), Vec::from_iter(pencil.map(|p| (ben, f64::from(p)))));
        prop_assert_eq!(shown(&heard, case), expected);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = LiveContent::from_bytes(&bytes);
        if let Ok(content) = LiveContent::from_bytes(&bytes) && !matches!(content, LiveContent::Unknown(_)) {
            prop_assert_eq!(content.to_bytes(), bytes);
        }
    }
}
