//! What an opened node catches up with: invitations that came while it was locked, and pixels whose time is over.

use std::sync::Arc;

use super::core::{Node, now};
use super::rooms::{Answered, INVITED, OFFERED, OpenCase};
use super::studies::retention_over;
use crate::encoding::id::CaseId;
use crate::store::{Batch, Table};
use crate::sync::event::Event as SyncEvent;

impl Node {
    /// After the vault opened: gate and wants, then what retention asks for.
    pub async fn catch_up_after_unlock(&mut self) {
        self.note_invitations().await;
        self.forget_offered().await;
        if self.link.is_some() {
            self.update_gate().await;
        }
        for case in self.rooms.ids() {
            self.drop_pixels_after_retention(case).await;
        }
        self.want_everything().await;
    }

    /// Writes down invitations that came while the node was locked and its rows sealed.
    async fn note_invitations(&mut self) {
        let Ok(store) = self.store().map(Arc::clone) else { return };
        let mut batch = Batch::new();
        for (case, open) in self.rooms.iter() {
            let value = match open.answered {
                Answered::Accepted => continue,
                Answered::Invited => INVITED,
                Answered::Offered => OFFERED,
            };
            let noted = store.row(Table::Invitation, &case.0).ok().flatten();
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
    async fn drop_pixels_after_retention(&mut self, case: CaseId) {
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
