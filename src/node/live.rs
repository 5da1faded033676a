//! Live: who has a case open, and what is drawn there before it is ink.
//!
//! An app says that it has a case open by a request that lasts as long ([`Request::Attend`](super::api::Request)); it
//! hears there what the others show. That way an app that crashes leaves like one that says goodbye. What it draws is
//! a request of its own, answered at once: everything that follows is for `sync`, which keeps the newest of a kind for
//! each device that is connected, and drops it where none is.
//!
//! Nothing here is stored but the number of the session. Behind the lock nothing is signed or opened: locking says
//! goodbye, ends every attendance and forgets what was heard.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::api::{Answer, Event, Failure, FailureCode, HereView, LiveView, PencilDraft, PencilView, Reply};
use super::core::{Node, Step, Task, now, open_part};
use super::home::store_failure;
use super::link::Inner;
use super::opinions::{SHAPES, parse_shape};
use super::rooms::OpenCase;
use crate::case::content::{ImageRef, Point};
use crate::case::live::circle::LivePlace;
use crate::case::live::content::{LiveContent, Pencil, PencilNow, Presence};
use crate::case::live::heard::Heard;
use crate::case::live::{LIVE_AGAIN_EVERY, LIVE_EVERY, next_session};
use crate::encoding::id::CaseId;
use crate::encoding::random;
use crate::encoding::text::shown;
use crate::identity::keys::{DeviceKey, IdentityKey};
use crate::store::{Batch, Table};
use crate::sync::event::Event as SyncEvent;

/// The row of the last session's number.
const SESSION: &[u8] = b"live session";

/// What this node says live, and what it hears.
pub(super) struct Live {
    started: Instant,
    /// Of this run; none before anything is said.
    session: Option<u64>,
    /// Of the last message.
    counter: u64,
    attending: Vec<Attending>,
    said: BTreeMap<CaseId, Said>,
    heard: Heard,
}

/// An app that has a case open.
struct Attending {
    case: CaseId,
    answers: mpsc::Sender<Answer>,
    /// Something changed that it had no room for.
    is_behind: bool,
    /// Dropped with this, it ends the task that waits for the app to leave, which would keep the answers open.
    _watched: oneshot::Sender<Infallible>,
}

/// What holds of this device in a case that an app has open.
struct Said {
    /// When its presence is said again.
    here: Duration,
    /// What is drawn, and when that is said again.
    pencil: Option<(Pencil, Duration)>,
}

impl Said {
    fn next(&self) -> Duration {
        self.pencil.as_ref().map_or(self.here, |(_, again)| self.here.min(*again))
    }
}

impl Default for Live {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            session: None,
            counter: 0,
            attending: Vec::new(),
            said: BTreeMap::new(),
            heard: Heard::default(),
        }
    }
}

impl Live {
    /// When something is to be said again, is over, or can be told to an app that was behind.
    pub fn next_wake(&self) -> Option<Instant> {
        let again = self.said.values().map(Said::next);
        let behind = self.attending.iter().any(|app| app.is_behind).then(|| self.started.elapsed() + LIVE_EVERY);
        let next = again.chain(self.heard.next_end()).chain(behind).min();
        next.map(|at| self.started + at)
    }
}

impl Node {
    /// An app has a case open until it leaves.
    pub async fn attend(&mut self, typed: &str, task: Task) -> Result<Step, Failure> {
        let case = self.open_case(typed).await?;
        self.begin_live_session().await?;
        let (answers, inner) = (task.answers.clone(), self.inner.clone());
        let (watched, ended) = oneshot::channel::<Infallible>();
        tokio::spawn(async move {
            tokio::select! {
                // A node that has ended needs not know.
                () = answers.closed() => drop(inner.send(Inner::Left).await),
                _ = ended => {}
            }
        });
        self.live.attending.push(Attending { case, answers: task.answers, is_behind: true, _watched: watched });
        self.live.said.entry(case).or_insert(Said { here: Duration::ZERO, pencil: None }).here = Duration::ZERO;
        self.say_live_again(case);
        self.tell_attending(case);
        Ok(Step::Later)
    }

    /// The pencil of an app draws something else, or nothing any more.
    pub fn pencil(&mut self, typed: &str, draft: Option<PencilDraft>) -> Result<Reply, Failure> {
        let case = self.find_case(typed)?;
        let pencil = draft.map(|draft| self.pencil_of(case, draft)).transpose()?;
        let content = LiveContent::Pencil(PencilNow { pencil });
        content.check().map_err(|error| {
            Failure::new(FailureCode::WrongUse, format!("This cannot be drawn: {error}."))
                .hint("A mark has a frame from 1 and 1 to 512 points.")
        })?;
        self.check_may_say(case, &content)?;
        let again = self.live.started.elapsed() + LIVE_AGAIN_EVERY;
        let said = self.live.said.get_mut(&case).ok_or_else(|| {
            Failure::new(FailureCode::WrongUse, "Nobody has this case open here, so nothing is drawn in it.")
                .hint("Open it first.")
        })?;
        let before = said.pencil.take();
        if let LiveContent::Pencil(PencilNow { pencil: Some(pencil) }) = &content {
            said.pencil = Some((pencil.clone(), again));
        }
        if before.is_some() || said.pencil.is_some() {
            self.say_live(case, &content);
        }
        Ok(Reply::Nothing {})
    }

    fn check_may_say(&mut self, case: CaseId, content: &LiveContent) -> Result<(), Failure> {
        let me = self.me()?.device();
        let circle = self.rooms.get_mut(&case).and_then(OpenCase::circle);
        let person = circle.and_then(|circle| circle.person(&me));
        match person {
            Some((_, role)) if role < content.needed_role() => {
                let what = format!("Only readers draw in a case; you are its {}.", role.word());
                Err(Failure::new(FailureCode::Role, what).hint("Write a message instead, or ask the owner."))
            }
            _ => Ok(()), // without a clean epoch nothing is said, whatever the role
        }
    }

    fn pencil_of(&mut self, case: CaseId, draft: PencilDraft) -> Result<Pencil, Failure> {
        let study = self.study_in_case(case, &draft.study)?;
        let shape = parse_shape(&draft.kind)?;
        let image = ImageRef { study, sop_instance_uid: draft.sop_instance_uid, frame: draft.frame };
        let points = draft.points.into_iter().map(|(column, row)| Point { column, row }).collect();
        Ok(Pencil { image, shape, points })
    }

    /// Draws the number of this run's session, durable before anything is said under it.
    async fn begin_live_session(&mut self) -> Result<(), Failure> {
        if self.live.session.is_some() {
            return Ok(());
        }
        let before = self.store()?.row(Table::Setting, SESSION).map_err(store_failure)?;
        let before = before.and_then(|row| row.as_slice().try_into().ok()).map(u64::from_be_bytes);
        let session = next_session(before, now());
        let mut batch = Batch::new();
        batch.put_row(Table::Setting, SESSION, &session.to_be_bytes());
        self.commit(batch).await?;
        self.live.session = Some(session);
        Ok(())
    }

    /// Says again what holds in a case and was not said for a while, for who came later or missed it.
    fn say_live_again(&mut self, case: CaseId) {
        let now = self.live.started.elapsed();
        let Some(said) = self.live.said.get_mut(&case) else { return };
        let here = said.here <= now;
        if here {
            said.here = now + LIVE_AGAIN_EVERY;
        }
        let pencil = said.pencil.as_mut().filter(|(_, again)| *again <= now).map(|(pencil, again)| {
            *again = now + LIVE_AGAIN_EVERY;
            pencil.clone()
        });
        if here {
            self.say_live(case, &LiveContent::Presence(Presence { here: true }));
        }
        if pencil.is_some() {
            self.say_live(case, &LiveContent::Pencil(PencilNow { pencil }));
        }
    }

    /// Signs and seals one message for whoever is connected; nothing while the case has no clean epoch.
    fn say_live(&mut self, case: CaseId, content: &LiveContent) {
        let (Some(session), Some(open)) = (self.live.session, open_part(&self.phase)) else { return };
        let Some(circle) = self.rooms.get_mut(&case).and_then(OpenCase::circle) else { return };
        self.live.counter += 1;
        let place = LivePlace { session, counter: self.live.counter };
        match circle.seal(&open.author(), place, content, &mut random::system()) {
            Ok(bytes) => self.tell(SyncEvent::SendLive { case, slot: content.kind(), bytes }),
            Err(error) => tracing::debug!(%error, "nothing is said live"),
        }
    }

    /// A device said something live.
    pub fn live_received(&mut self, peer: DeviceKey, case: CaseId, slot: u8, bytes: &[u8]) {
        if !self.is_open() {
            return;
        }
        let Some(circle) = self.rooms.get_mut(&case).and_then(OpenCase::circle) else { return };
        let now = self.live.started.elapsed();
        match self.live.heard.hear(&circle, peer, slot, bytes, now) {
            Ok(true) => self.tell_attending(case),
            Ok(false) => {}
            Err(error) => tracing::debug!(peer = %peer.short(), %error, "a live message was dropped"),
        }
    }

    /// What comes with time: to say again what holds, to let go of what is over, to notice who left.
    pub fn live_timers(&mut self) {
        self.live_left();
        let now = self.live.started.elapsed();
        let due: Vec<CaseId> =
            self.live.said.iter().filter(|(_, said)| said.next() <= now).map(|(case, _)| *case).collect();
        due.into_iter().for_each(|case| self.say_live_again(case));
        let behind = self.live.attending.iter().filter(|app| app.is_behind).map(|app| app.case);
        let mut changed: BTreeSet<CaseId> = behind.collect();
        changed.extend(self.live.heard.sweep(now));
        changed.into_iter().for_each(|case| self.tell_attending(case));
    }

    /// Takes leave of the cases that no app has open any more. Where one left and another stays, the pencil may have been
    /// the one's: the other says its own again with its next stroke.
    pub fn live_left(&mut self) {
        let rooms = &self.rooms;
        let left: BTreeSet<CaseId> = self
            .live
            .attending
            .extract_if(.., |app| {
                let is_gone = rooms.get(&app.case).is_none();
                if is_gone {
                    let gone = Failure::new(FailureCode::NotFound, "The case is no longer here.");
                    let _ = app.answers.try_send(Answer::Failed(gone)); // dropping the sender ends it as well
                }
                is_gone || app.answers.is_closed()
            })
            .map(|app| app.case)
            .collect();
        for case in left {
            if self.live.attending.iter().all(|app| app.case != case) {
                self.leave_live(case);
            } else if let Some(said) = self.live.said.get_mut(&case)
                && said.pencil.take().is_some()
            {
                self.say_live(case, &LiveContent::Pencil(PencilNow { pencil: None }));
            }
        }
    }

    fn leave_live(&mut self, case: CaseId) {
        if self.live.said.remove(&case).is_some() {
            self.say_live(case, &LiveContent::Presence(Presence { here: false }));
        }
    }

    /// Says goodbye while it still can, and forgets what was heard.
    pub fn lock_live(&mut self) {
        for case in self.live.said.keys().copied().collect::<Vec<_>>() {
            self.leave_live(case);
        }
        for app in self.live.attending.drain(..) {
            let locked = Failure::new(FailureCode::Locked, "The vault was locked.");
            let _ = app.answers.try_send(Answer::Failed(locked)); // dropping the sender ends it as well
        }
        self.live.heard.forget();
    }

    /// A connection ended, and with it what its device said over it.
    pub fn live_disconnected(&mut self, peer: &DeviceKey) {
        let changed = self.live.heard.silence(peer);
        changed.into_iter().for_each(|case| self.tell_attending(case));
    }

    /// Members, roles or blocks changed: who may no longer say anything is shown no longer.
    pub fn live_members_changed(&mut self) {
        for case in self.live.heard.cases() {
            let circle = self.rooms.get_mut(&case).and_then(OpenCase::circle);
            let people = open_part(&self.phase).map(|open| &open.people);
            let is_wanted = |identity: &IdentityKey| {
                people.and_then(|people| people.get(identity)).is_none_or(|colleague| !colleague.is_blocked())
            };
            if self.live.heard.keep_only(case, circle.as_deref(), is_wanted) {
                self.tell_attending(case);
            }
        }
    }

    /// Tells the apps that have a case open what is shown there now. Who has no room for it is told later, and then only
    /// the newest.
    fn tell_attending(&mut self, case: CaseId) {
        if self.live.attending.iter().all(|app| app.case != case) {
            return;
        }
        let view = self.live_view(case);
        for app in self.live.attending.iter_mut().filter(|app| app.case == case) {
            let told = app.answers.try_send(Answer::Event(Event::Live(view.clone())));
            app.is_behind = matches!(told, Err(mpsc::error::TrySendError::Full(_)));
        }
    }

    /// Who else has a case open, and what they draw.
    pub fn live_view(&mut self, case: CaseId) -> LiveView {
        let noted = self.names_noted(&case);
        let open = open_part(&self.phase);
        let me = open.map(|open| open.identity());
        let name = |identity: &IdentityKey| {
            let noted = noted.get(identity).map(String::as_str);
            open.map_or_else(|| identity.short(), |open| open.name_of(identity, noted))
        };
        let people: BTreeSet<IdentityKey> = self.live.heard.here(case).map(|(_, identity)| identity).collect();
        let here = people.iter().map(|identity| HereView {
            name: name(identity),
            identity: identity.to_string(),
            me: Some(*identity) == me,
        });
        let pencils = self.live.heard.pencils(case).map(|heard| PencilView {
            author: name(&heard.identity),
            identity: heard.identity.to_string(),
            device: heard.device.to_string(),
            study: heard.pencil.image.study.to_string(),
            image: shown(&heard.pencil.image.sop_instance_uid).into_owned(),
            frame: heard.pencil.image.frame,
            kind: SHAPES.iter().find(|(_, shape)| *shape == heard.pencil.shape).map_or("", |(word, _)| word).into(),
            points: heard.pencil.points.iter().map(|point| (point.column, point.row)).collect(),
        });
        LiveView { case: case.to_string(), here: here.collect(), pencils: pencils.collect() }
    }
}
