//! What an opened node catches up with: invitations that came while it was locked, and pixels whose time is over.

use super::core::{Node, now};
use super::rooms::{Answered, OpenCase};
use super::studies::retention_over;
use crate::encoding::id::CaseId;
use crate::store::Batch;
use crate::sync::event::Event as SyncEvent;

impl Node {
    /// After the vault opened: gate and wants, then what retention asks for.
    pub async fn catch_up_after_unlock(&mut self) {
        if self.link.is_some() {
            self.update_gate().await;
            self.want_everything().await;
        }
        for case in self.rooms.ids() {
            self.drop_pixels_after_retention(case).await;
        }
    }

    /// Non-owners drop a case's pixels some days after closing; entries stay.
    async fn drop_pixels_after_retention(&mut self, case: CaseId) {
        let Ok(days) = self.me().map(|open| open.settings.retention_days) else { return };
        let Some(state) = self.rooms.get_mut(&case).map(OpenCase::state) else { return };
        let Some(open) = self.rooms.get(&case) else { return };
        let mine = self.my_device().and_then(|device| open.role_of(&device)) == Some(crate::case::access::Role::Owner);
        if mine || open.answered == Answered::Invited || !retention_over(&state, days, now()) {
            return;
        }
        let mut batch = Batch::new();
        for study in state.current_studies().filter(|study| !self.studies.local().contains_key(&study.study)) {
            batch.delete_group(super::library::chunk_group(&study.study));
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
}
