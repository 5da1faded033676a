//! What an opened node catches up with: invitations that came while it was locked, and pixels whose time is over.

use std::sync::Arc;

use super::cases::write_failure;
use super::core::{Node, now, open_part};
use super::home::Open;
use super::rooms::{Answered, INVITED, OFFERED, OpenCase};
use super::studies::retention_over;
use crate::case::room::{Room, Written};
use crate::encoding::id::{CaseId, EntryId};
use crate::encoding::random;
use crate::identity::keys::DeviceKey;
use crate::store::{Batch, Table};
use crate::sync::event::Event as SyncEvent;

/// Who hands keys to somebody that an epoch shut out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hands {
    /// The device that started the epoch, as soon as it sees: so one does it and not all.
    Starter,
    /// Whoever still finds it undone when she opens her vault.
    Anybody,
}

impl Node {
    /// After the vault opened: gate and wants, then what retention asks for.
    pub async fn catch_up_after_unlock(&mut self) {
        self.note_invitations().await;
        self.forget_offered().await;
        if self.link.is_some() {
            self.update_gate().await;
        }
        for case in self.rooms.ids() {
            self.hand_keys(case, Hands::Anybody).await;
        }
        self.drop_pixels_after_retention().await;
        self.want_everything().await;
    }

    /// Hands the case's secrets to readers whom an epoch shut out: started by somebody who did not know of them.
    pub async fn hand_keys(&mut self, case: CaseId, hands: Hands) {
        let written = {
            let Some(open) = open_part(&self.phase) else { return };
            let me = open.device();
            let Some(case) = self.rooms.get_mut(&case).filter(|case| case.answered == Answered::Accepted) else {
                return;
            };
            let room = &mut case.room;
            if !room.membership().current_device(&me).is_some_and(|(_, role, _)| role.reads()) {
                return;
            }
            let started_here = |room: &Room, epoch: &EntryId| {
                let entry = room.history().index_of(epoch).map(|index| &room.history()[index].entry);
                entry.is_some_and(|entry| entry.header.device == me)
            };
            let shut_out: Vec<DeviceKey> = room
                .shut_out()
                .into_iter()
                .filter(|(device, _)| *device != me)
                .filter(|(_, epochs)| hands == Hands::Anybody || epochs.iter().any(|epoch| started_here(room, epoch)))
                .map(|(device, _)| device)
                .collect();
            let mut rng = random::system();
            let handed = shut_out.into_iter().map(|device| room.hand_keys(&open.author(), device, now(), &mut rng));
            handed.collect::<Result<Vec<Written>, _>>()
        };
        let stored = match written {
            Ok(written) if written.is_empty() => return,
            Ok(written) => self.store_written(case, written, Batch::new()).await,
            Err(error) => self.restore(case).and(Err(write_failure(error))),
        };
        if let Err(failure) = stored {
            tracing::warn!(what = failure.what, "keys could not be handed to a member who was shut out");
        }
    }

    /// Writes down invitations that came while the node was locked and its rows sealed. A case without a row that
    /// somebody else founded is one too: the program may have ended before it was opened again.
    async fn note_invitations(&mut self) {
        let (Ok(store), Ok(me)) = (self.store().map(Arc::clone), self.me().map(Open::identity)) else { return };
        let mut batch = Batch::new();
        for case in self.rooms.iter().map(|(case, _)| *case).collect::<Vec<_>>() {
            let noted = store.row(Table::Invitation, &case.0).ok().flatten();
            let Some(open) = self.rooms.get_mut(&case) else { continue };
            let founder = open.room.history().entries().next().map(|(_, first)| first.author);
            if noted.is_none() && open.answered == Answered::Accepted && founder != Some(me) {
                open.answered = Answered::Invited;
            }
            let value = match open.answered {
                Answered::Accepted => continue,
                Answered::Invited => INVITED,
                Answered::Offered => OFFERED,
            };
            if noted.is_none_or(|noted| noted.as_slice() != value) {
                batch.put_row(Table::Invitation, &case.0, value);
            }
        }
        if !batch.is_empty()
            && let Err(failure) = self.commit(batch).await
        {
            tracing::warn!(what = failure.what, "invitations were not written down");
        }
    }

    /// Non-owners drop a case's pixels some days after closing; entries stay.
    pub async fn drop_pixels_after_retention(&mut self) {
        for case in self.rooms.ids() {
            self.drop_pixels_of(case).await;
        }
        self.retention_looked = std::time::Instant::now();
    }

    async fn drop_pixels_of(&mut self, case: CaseId) {
        if !self.is_past_retention(case) {
            return;
        }
        let Some(state) = self.rooms.get_mut(&case).map(OpenCase::state) else { return };
        let mut batch = Batch::new();
        for study in state.current_studies().map(|study| study.study) {
            // What was imported here, or stands in another case too, is kept for that.
            if !self.studies.local().contains_key(&study) && !self.is_current_elsewhere(case, study) {
                batch.delete_group(super::library::chunk_group(&study));
            }
        }
        if batch.is_empty() {
            return;
        }
        match self.commit(batch).await {
            Ok(()) => {
                self.tell(SyncEvent::UnwantCase { case });
                self.happened("pixels dropped after retention", Some(case.to_string()), None);
            }
            Err(failure) => tracing::warn!(what = failure.what, "pixels past their retention could not be deleted"),
        }
    }

    /// Whether this home, which does not own the case, no longer keeps its pixels: neither are they asked for again.
    pub fn is_past_retention(&mut self, case: CaseId) -> bool {
        let Ok(days) = self.me().map(|open| open.settings.retention_days) else { return false };
        let Some(state) = self.rooms.get_mut(&case).map(OpenCase::state) else { return false };
        let Some(open) = self.rooms.get(&case) else { return false };
        let owns = self.my_device().and_then(|device| open.role_of(&device)) == Some(crate::case::access::Role::Owner);
        !owns && open.answered == Answered::Accepted && retention_over(&state, days, now())
    }
}
