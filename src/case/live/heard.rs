//! What was heard live, of whom, and for how long it holds.
//!
//! **The newest wins.** Of each device in each case the highest session counts, and of each kind in it the highest
//! counter. What is not higher than what was heard before is dropped, so lines may lose, repeat and reorder as they
//! like: in the end the newest that arrived holds. A higher session takes everything of the one before away, since its
//! device was started anew. Sessions and counters are kept for as long as the program runs, locked or not: what was
//! heard once is never taken again.
//!
//! **Nothing lasts.** What is not said again in [`LIVE_LASTS`] is gone. A pencil is shown only while its device is here.
//!
//! **A flood is cut.** Of one device at most [`LIVE_TAKEN_A_SECOND_MAX`] messages a second are looked at, counted before
//! a signature is verified. The rest is dropped, and what held in it is said again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::circle::{Circle, LiveError, LivePlace, OpenedLive};
use super::content::{LiveContent, Pencil, PencilNow, Presence};
use super::{LIVE_LASTS, LIVE_TAKEN_A_SECOND_MAX};
use crate::case::access::Role;
use crate::encoding::id::CaseId;
use crate::identity::keys::{DeviceKey, IdentityKey};

/// Messages that may come at once after a pause, as the time in which they would be sent.
const BURST: Duration = Duration::from_secs(1);

/// All that was heard.
#[derive(Debug, Default)]
pub struct Heard {
    voices: BTreeMap<(CaseId, DeviceKey), Voice>,
    paces: BTreeMap<DeviceKey, Pace>,
}

/// What one device said in one case.
#[derive(Debug)]
struct Voice {
    identity: IdentityKey,
    session: u64,
    /// The newest of each kind.
    kinds: BTreeMap<u8, Newest>,
}

#[derive(Debug)]
struct Newest {
    counter: u64,
    /// Until when it holds; absent: it no longer does.
    holds: Option<(LiveContent, Duration)>,
}

/// A pencil, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeardPencil<'a> {
    pub device: DeviceKey,
    pub identity: IdentityKey,
    pub pencil: &'a Pencil,
}

impl Heard {
    /// Takes in a message that `from` sent in this slot; gives whether anything is shown differently now.
    pub fn hear(
        &mut self,
        circle: &Circle,
        from: DeviceKey,
        slot: u8,
        bytes: &[u8],
        now: Duration,
    ) -> Result<bool, LiveError> {
        self.paces.entry(from).or_default().take(now)?;
        let OpenedLive { identity, place, content } = circle.open(from, bytes)?;
        if content.kind() != slot {
            return Err(LiveError::OtherKind);
        }
        let key = (circle.case(), from);
        let voice = self.voices.entry(key).or_insert_with(|| Voice::new(identity, place.session));
        if !voice.is_news(place, slot) {
            return Err(LiveError::Old);
        }
        let before = voice.shown_now();
        if voice.session != place.session {
            *voice = Voice::new(identity, place.session);
        }
        let holds = match content {
            LiveContent::Unknown(_) => None,
            content => Some((content, now + LIVE_LASTS)),
        };
        voice.kinds.insert(slot, Newest { counter: place.counter, holds });
        Ok(voice.shown_now() != before)
    }

    /// Lets go of what was not said again in time; gives the cases in which that changes anything.
    pub fn sweep(&mut self, now: Duration) -> BTreeSet<CaseId> {
        self.end(|_, _, _, until| until <= now)
    }

    /// Lets go of what a case's members no longer say: who was removed, lost the role or is not wanted.
    pub fn keep_only(&mut self, case: CaseId, circle: Option<&Circle>, wanted: impl Fn(&IdentityKey) -> bool) -> bool {
        let may = |device: &DeviceKey, needed: Role| {
            let person = circle.and_then(|circle| circle.person(device));
            person.is_some_and(|(identity, has)| has >= needed && wanted(&identity))
        };
        !self.end(|of, device, content, _| of == case && !may(device, content.needed_role())).is_empty()
    }

    /// Lets go of all that a device said, as when the connection to it ends.
    pub fn silence(&mut self, device: &DeviceKey) -> BTreeSet<CaseId> {
        self.end(|_, of, _, _| of == device)
    }

    /// Forgets all that was said, as on locking; what was heard is still not taken again.
    pub fn forget(&mut self) {
        self.end(|_, _, _, _| true);
    }

    /// When something ends next if it is not said again.
    pub fn next_end(&self) -> Option<Duration> {
        let kinds = self.voices.values().flat_map(|voice| voice.kinds.values());
        kinds.filter_map(|newest| newest.holds.as_ref()).map(|(_, until)| *until).min()
    }

    /// Devices that have the case open.
    pub fn here(&self, case: CaseId) -> impl Iterator<Item = (DeviceKey, IdentityKey)> {
        self.voices_of(case).filter(|(_, voice)| voice.shown().0).map(|(device, voice)| (device, voice.identity))
    }

    /// What is being drawn in the case.
    pub fn pencils(&self, case: CaseId) -> impl Iterator<Item = HeardPencil<'_>> {
        self.voices_of(case).filter_map(|(device, voice)| {
            Some(HeardPencil { device, identity: voice.identity, pencil: voice.shown().1? })
        })
    }

    /// The cases in which something was heard since the start.
    pub fn cases(&self) -> BTreeSet<CaseId> {
        self.voices.keys().map(|(case, _)| *case).collect()
    }

    fn voices_of(&self, case: CaseId) -> impl Iterator<Item = (DeviceKey, &Voice)> {
        let first = (case, DeviceKey([0; 32]));
        let last = (case, DeviceKey([0xff; 32]));
        self.voices.range(first..=last).map(|((_, device), voice)| (*device, voice))
    }

    /// Ends what fits; gives the cases in which that changes what is shown.
    fn end(&mut self, fits: impl Fn(CaseId, &DeviceKey, &LiveContent, Duration) -> bool) -> BTreeSet<CaseId> {
        let mut changed = BTreeSet::new();
        for ((case, device), voice) in &mut self.voices {
            let before = voice.is_shown();
            for newest in voice.kinds.values_mut() {
                if newest.holds.as_ref().is_some_and(|(content, until)| fits(*case, device, content, *until)) {
                    newest.holds = None;
                }
            }
            if voice.is_shown() != before {
                changed.insert(*case);
            }
        }
        changed
    }
}

impl Voice {
    fn new(identity: IdentityKey, session: u64) -> Self {
        Self { identity, session, kinds: BTreeMap::new() }
    }

    /// Whether a message of this kind is newer than all before.
    fn is_news(&self, place: LivePlace, kind: u8) -> bool {
        let heard = self.kinds.get(&kind).map(|newest| newest.counter);
        place.session > self.session
            || (place.session == self.session && heard.is_none_or(|heard| place.counter > heard))
    }

    /// Whether the device is here, and what its pencil draws then.
    fn shown(&self) -> (bool, Option<&Pencil>) {
        let held = || self.kinds.values().filter_map(|newest| newest.holds.as_ref()).map(|(content, _)| content);
        let here = held().any(|content| *content == LiveContent::Presence(Presence { here: true }));
        let pencil = held().find_map(|content| match content {
            LiveContent::Pencil(PencilNow { pencil }) => pencil.as_ref(),
            _ => None,
        });
        (here, pencil.filter(|_| here))
    }

    fn shown_now(&self) -> (bool, Option<Pencil>) {
        let (here, pencil) = self.shown();
        (here, pencil.cloned())
    }

    fn is_shown(&self) -> (bool, bool) {
        let (here, pencil) = self.shown();
        (here, pencil.is_some())
    }
}

/// When the messages taken so far would have been sent at the highest rate.
#[derive(Debug, Default)]
struct Pace(Duration);

impl Pace {
    fn take(&mut self, now: Duration) -> Result<(), LiveError> {
        let sent = self.0.max(now) + Duration::from_secs(1) / LIVE_TAKEN_A_SECOND_MAX;
        if sent > now + BURST {
            return Err(LiveError::Flood);
        }
        self.0 = sent;
        Ok(())
    }
}
