//! The small pictures that a screen shows: wished for once, and kept.

use std::collections::HashMap;

use super::message::{Thumbnailed, Wish};
use super::picture::{NotShown, PictureKey};
use super::screen::Context;
use crate::view::mapping::Size;
use crate::view::raster::Scene;
use crate::view::thumbnail::Thumbnail;

/// Small pictures that are kept, each of at most 192 KiB.
const KEPT_MAX: usize = 128;

/// Small pictures by their frames.
#[derive(Debug, Default)]
pub struct Thumbnails(HashMap<PictureKey, State>);

#[derive(Debug)]
enum State {
    /// Since when, in milliseconds.
    Wished(u64),
    Made(Thumbnail),
    /// Why there is none, and when it was wished for.
    Refused(NotShown, u64),
}

impl Thumbnails {
    /// Wishes for what is missing of these. Others are kept as well, as long as there are not too many.
    pub fn keep(&mut self, keys: &[PictureKey], context: &mut Context<'_>) {
        if self.0.len() > KEPT_MAX {
            self.0.retain(|key, _| keys.contains(key));
        }
        for key in keys {
            let is_missing = self.0.get(key).is_none_or(|state| match state {
                State::Refused(not, wished_ms) => not.may_be_asked_again(*wished_ms, context.now_ms),
                State::Wished(_) | State::Made(_) => false,
            });
            if is_missing {
                self.0.insert(key.clone(), State::Wished(context.now_ms));
                context.wish(Wish::Thumbnail(key.clone()));
            }
        }
    }

    /// Takes what came of a wish.
    pub fn made(&mut self, key: &PictureKey, outcome: &Thumbnailed) {
        match (self.0.get_mut(key), outcome) {
            (Some(state), Ok(thumbnail)) => *state = State::Made(thumbnail.clone()),
            (Some(State::Wished(since_ms)), Err(Some(not))) => {
                let refused = State::Refused(not.clone(), *since_ms);
                self.0.insert(key.clone(), refused);
            }
            // It is wished for again when it is kept again.
            (_, Err(None)) => drop(self.0.remove(key)),
            (_, Err(Some(_))) | (None, _) => {}
        }
    }

    /// The picture of a frame in a viewport, once it is made.
    pub fn scene(&self, key: &PictureKey, viewport: Size) -> Option<Scene> {
        match self.0.get(key)? {
            State::Made(thumbnail) => Some(thumbnail.scene(viewport)),
            State::Wished(_) | State::Refused(..) => None,
        }
    }

    /// Why a frame has no picture.
    pub fn refused(&self, key: &PictureKey) -> Option<&str> {
        match self.0.get(key)? {
            State::Refused(not, _) => Some(&not.why),
            State::Wished(_) | State::Made(_) => None,
        }
    }
}
