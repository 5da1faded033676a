//! Saved is not sent, sent is not read: what arrived where, and requests that wait for it (promise 7).

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::api::{Answer, DeliveryView, Event, Failure, FailureCode, PeerView, Progress, Reply};
use super::core::{Node, Step, Task, answer};
use super::studies::Have;
use crate::encoding::id::{CaseId, ChunkId, EntryId};
use crate::identity::keys::{DeviceKey, IdentityKey};
use crate::sync::event::Delivery;

/// How often a waiting request tells how far it is.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// A request that has been carried out and waits for others.
pub(super) struct Waiter {
    pub goal: Goal,
    pub until: Instant,
    pub answers: mpsc::Sender<Answer>,
    pub told: Option<Instant>,
}

/// What a request waits for.
pub(super) enum Goal {
    /// Entries delivered to every member; then this answer, with the delivery filled in.
    Delivered { case: CaseId, entries: Vec<EntryId>, reply: Box<Reply> },
    /// Images here.
    Fetched { case: CaseId, only: Option<HashSet<ChunkId>>, started: Instant, have_before: Have, bytes_before: u64 },
    /// Everything of every case exchanged with whoever is connected.
    Synced,
}

impl Node {
    /// Delivery of entries to each other member: the weakest of the entries, the best of her devices.
    pub fn delivery(&mut self, case: CaseId, entries: &[EntryId]) -> Vec<DeliveryView> {
        let noted = self.names_noted(&case);
        let Ok(me) = self.me().map(super::home::Open::identity) else { return Vec::new() };
        let Some(state) = self.rooms.get_mut(&case).map(super::rooms::OpenCase::state) else { return Vec::new() };
        let mut views = Vec::new();
        for (identity, member) in state.shared.members.iter().filter(|(identity, _)| **identity != me) {
            let arrived = entries.iter().map(|entry| self.best_delivery(case, entry, &member.devices)).min();
            let opened = entries.iter().filter_map(|entry| state.shared.receipts.get(entry)).fold(
                (false, false),
                |seen, receipt| {
                    (seen.0 || receipt.opened.contains(identity), seen.1 || receipt.read.contains(identity))
                },
            );
            let word = match (arrived, opened) {
                (_, (_, true)) => "read",
                (_, (true, _)) => "opened",
                (Some(Delivery::Delivered), _) => "delivered",
                (Some(Delivery::OnTheWay), _) => "on the way",
                (Some(Delivery::NotSent) | None, _) => "not sent",
            };
            let name = self.open_part().map(|open| open.name_of(identity, noted.get(identity).map(String::as_str)));
            views.push(DeliveryView {
                member: name.unwrap_or_else(|| identity.short()),
                identity: identity.to_string(),
                state: word.into(),
            });
        }
        views
    }

    fn best_delivery(
        &self,
        case: CaseId,
        entry: &EntryId,
        devices: &std::collections::BTreeSet<DeviceKey>,
    ) -> Delivery {
        let Some(log) = self.rooms.logs.get(&case) else { return Delivery::NotSent };
        let of = |device: &DeviceKey| {
            let noted = self.frontiers.delivery(log, &case, entry, device);
            let told = self.link.as_ref().map(|link| link.machine().delivery(&case, entry, device, &self.rooms.logs));
            told.map_or(noted, |told| told.max(noted))
        };
        devices.iter().map(of).max().unwrap_or(Delivery::NotSent)
    }

    /// Answers a writing request: at once if nothing is to be waited for, else when everybody has it or time is up.
    pub async fn answer_when_delivered(
        &mut self,
        case: CaseId,
        entries: Vec<EntryId>,
        reply: Reply,
        task: Task,
    ) -> Result<Step, Failure> {
        let goal = Goal::Delivered { case, entries, reply: Box::new(reply) };
        let until = Instant::now() + task.wait;
        self.waiters.push(Waiter { goal, until, answers: task.answers, told: None });
        self.serve_waiters().await;
        Ok(Step::Later)
    }

    /// Tries whoever is missing at once, and waits until everything is exchanged with those connected, at most as long
    /// as asked.
    pub async fn sync_now(&mut self, task: Task) -> Result<Step, Failure> {
        if let Some(link) = &self.link {
            link.try_now().await;
        }
        let until = Instant::now() + task.wait;
        self.waiters.push(Waiter { goal: Goal::Synced, until, answers: task.answers, told: None });
        Ok(Step::Later)
    }

    /// Looks at every waiting request: some are answered, the rest told how far they are.
    pub async fn serve_waiters(&mut self) {
        let waiters = std::mem::take(&mut self.waiters);
        let mut still = Vec::new();
        for mut waiter in waiters {
            if waiter.answers.is_closed() {
                continue;
            }
            match self.look_at(&mut waiter).await {
                Some(end) => answer(&waiter.answers, end).await,
                None => still.push(waiter),
            }
        }
        self.waiters.append(&mut still);
    }

    async fn look_at(&mut self, waiter: &mut Waiter) -> Option<Answer> {
        let now = Instant::now();
        let is_over = now >= waiter.until;
        match &mut waiter.goal {
            Goal::Delivered { case, entries, reply } => {
                let delivery = self.delivery(*case, entries);
                let everybody =
                    delivery.iter().all(|member| !matches!(member.state.as_str(), "not sent" | "on the way"));
                if !everybody && !is_over {
                    return None;
                }
                Some(Answer::Done(Box::new(with_delivery((**reply).clone(), delivery))))
            }
            Goal::Fetched { case, only, started, have_before, bytes_before } => {
                let (case, seconds) = (*case, started.elapsed().as_secs_f64());
                let complete = self.has_everything(case, only.as_ref());
                let have = self.have(case);
                let bytes = self.received_bytes().saturating_sub(*bytes_before);
                if complete || is_over {
                    let reply = Reply::Fetched {
                        case: case.to_string(),
                        chunks_have: have.chunks,
                        chunks_total: have.total,
                        bytes,
                        seconds,
                        complete,
                    };
                    return Some(if complete {
                        Answer::Done(Box::new(reply))
                    } else {
                        Answer::Failed(not_all_here(have))
                    });
                }
                if waiter.told.is_none_or(|told| now - told >= TELL_EVERY) {
                    waiter.told = Some(now);
                    let progress = fetch_progress(have, *have_before, bytes, seconds);
                    let _ = waiter.answers.try_send(Answer::Event(Event::Progress(progress)));
                }
                None
            }
            Goal::Synced => {
                let peers = self.peer_views();
                let connected = peers.iter().any(|peer| peer.connected);
                let mut not_there = Vec::new();
                for case in self.rooms.ids() {
                    let heads: Vec<EntryId> = match self.rooms.get(&case) {
                        Some(open) => open.room.history().heads().iter().copied().collect(),
                        None => continue,
                    };
                    not_there.extend(self.delivery(case, &heads));
                }
                let all = not_there.iter().all(|member| !matches!(member.state.as_str(), "not sent" | "on the way"));
                let complete = self.rooms.ids().into_iter().all(|case| {
                    self.rooms.get(&case).is_none_or(|open| open.answered != super::rooms::Answered::Accepted)
                        || self.has_everything(case, None)
                });
                let settled = connected && all && complete;
                (settled || is_over).then(|| Answer::Done(Box::new(Reply::Synced { peers, delivery: not_there })))
            }
        }
    }

    /// Every colleague's devices, and whether there is a session.
    pub fn peer_views(&self) -> Vec<PeerView> {
        let (Some(open), Some(link)) = (self.open_part(), &self.link) else { return Vec::new() };
        let mut devices: BTreeMap<DeviceKey, IdentityKey> = BTreeMap::new();
        for colleague in open.people.iter().filter(|colleague| !colleague.is_blocked()) {
            devices.extend(colleague.card().devices().iter().map(|device| (device.device(), colleague.identity())));
        }
        devices.extend(link.connected().iter().map(|(device, connected)| (*device, connected.identity)));
        let views = devices.into_iter().map(|(device, identity)| {
            let connected = link.connected().get(&device);
            PeerView {
                name: open.name_of(&identity, None),
                identity: identity.to_string(),
                device: device.to_string(),
                connected: connected.is_some(),
                path: connected.map(|connected| format!("{:?}", connected.path).to_lowercase()),
                address: connected.map(|connected| connected.address.to_string()),
            }
        });
        views.collect()
    }
}

/// Fills the delivery of an answer in.
fn with_delivery(reply: Reply, delivery: Vec<DeliveryView>) -> Reply {
    match reply {
        Reply::CaseCreated { case, spoken, ids, .. } => Reply::CaseCreated { case, spoken, delivery, ids },
        Reply::Mark { mark, .. } => Reply::Mark { mark, delivery },
        Reply::Written { ids, .. } => Reply::Written { ids, delivery },
        Reply::Opinion { mut opinion } => {
            opinion.delivery = delivery;
            Reply::Opinion { opinion }
        }
        other => other,
    }
}

fn fetch_progress(have: Have, before: Have, bytes: u64, seconds: f64) -> Progress {
    let rate = if seconds > 0.0 { bytes as f64 / seconds } else { 0.0 };
    let arrived = have.chunks.saturating_sub(before.chunks);
    let left = have.total.saturating_sub(have.chunks);
    let seconds_left = (arrived > 0).then(|| (seconds / arrived as f64 * left as f64).ceil() as u64);
    Progress {
        stage: "fetch".into(),
        done: have.chunks,
        total: Some(have.total),
        unit: "chunks".into(),
        bytes_per_second: Some(rate as u64),
        seconds_left,
    }
}

fn not_all_here(have: Have) -> Failure {
    let what = match have.chunks {
        0 => "Nothing of the images has arrived yet: no member who holds them can be reached now.".to_string(),
        chunks => format!("{chunks} of {} pieces of the images are here; the rest did not arrive in time.", have.total),
    };
    Failure::new(FailureCode::NotReached, what)
        .hint("Repeat the command, or leave `overread node` running: nothing that arrived is fetched again.")
}
