//! What is looked at comes first: images on a screen that have not arrived are asked for before all others.

use std::sync::Arc;

use super::api::{Failure, FailureCode, Reply, SHOWN_IMAGES_MAX, ShownImage};
use super::core::Node;
use super::home::store_failure;
use crate::encoding::id::ChunkId;
use crate::sync::event::Event as SyncEvent;
use crate::sync::message::Class;

impl Node {
    /// Asks for the missing chunks of these images in their order, before what was looked at before.
    pub async fn on_screen(&mut self, typed: &str, images: &[ShownImage]) -> Result<Reply, Failure> {
        if images.len() > SHOWN_IMAGES_MAX {
            let what = format!("{} images are on a screen, of at most {SHOWN_IMAGES_MAX}.", images.len());
            return Err(Failure::new(FailureCode::WrongUse, what));
        }
        let case = self.open_case(typed).await?;
        let store = Arc::clone(self.store()?);
        let Some(state) = self.rooms.get_mut(&case).map(super::rooms::OpenCase::state) else {
            return Err(Failure::new(FailureCode::NotFound, "The case is gone."));
        };
        let mut found: Vec<(usize, Vec<ChunkId>)> = Vec::new();
        for study in state.current_studies() {
            let id = study.study.to_string();
            let place = |uid: &str| images.iter().position(|image| image.study == id && image.sop_instance_uid == uid);
            let Some(key) = state.study_keys.get(&study.study) else { continue };
            if images.iter().all(|image| image.study != id) {
                continue;
            }
            for instance in self.studies.instances(&study.head, key, &store).iter().flatten() {
                found.extend(place(&instance.sop_instance).map(|place| (place, instance.object.chunks.clone())));
            }
        }
        found.sort_by_key(|(place, _)| *place);
        let chunks: Vec<ChunkId> = found.into_iter().flat_map(|(_, chunks)| chunks).collect();
        let missing = store.missing(&chunks).map_err(store_failure)?;
        if !missing.is_empty() {
            self.tell(SyncEvent::Want { case, class: Class::Screen, chunks: missing });
        }
        Ok(Reply::Nothing {})
    }
}
