//! Decoded frames for viewports, with what their header says of place, size and side.
//!
//! Opening and decoding happens in the background ([`super::worker`]); here is what comes of it, and the memory that
//! keeps the last ones.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::study::geometry::{Letters, Scale};
use crate::study::pixels::Frame;

/// Bytes of decoded frames that are kept, at most: some 250 slices of 512 x 512.
pub const KEPT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// One frame of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PictureKey {
    pub study: Arc<str>,
    pub sop_instance_uid: Arc<str>,
    /// From 1.
    pub frame: u32,
}

/// A decoded frame. It prints nothing of it.
pub struct Picture {
    pub key: PictureKey,
    pub frame: Frame,
    /// The whole file, for measuring.
    pub file: Arc<Vec<u8>>,
    /// What a pixel measures in the middle of the frame.
    pub scale: Scale,
    pub letters: Option<Letters>,
    pub modality: String,
    /// Whether the pixels went through a lossy codec.
    pub lossy: bool,
    /// Frames a second that the header asks for.
    pub rate: Option<f64>,
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[frame of {} x {} pixels]", self.frame.columns(), self.frame.rows())
    }
}

impl Picture {
    /// What it takes of the memory, about.
    fn bytes(&self) -> usize {
        self.frame.values.len().saturating_mul(4).saturating_add(self.file.len())
    }
}

/// The last decoded frames, oldest out first.
#[derive(Default)]
pub struct Pictures {
    kept: HashMap<PictureKey, (Arc<Picture>, u64)>,
    bytes: usize,
    uses: u64,
}

impl Pictures {
    pub fn get(&mut self, key: &PictureKey) -> Option<Arc<Picture>> {
        self.uses += 1;
        let uses = self.uses;
        self.kept.get_mut(key).map(|(picture, used)| {
            *used = uses;
            Arc::clone(picture)
        })
    }

    /// Looks without counting it as a use.
    pub fn peek(&self, key: &PictureKey) -> Option<&Arc<Picture>> {
        self.kept.get(key).map(|(picture, _)| picture)
    }

    pub fn put(&mut self, picture: Arc<Picture>) {
        self.uses += 1;
        self.bytes += picture.bytes();
        if let Some((old, _)) = self.kept.insert(picture.key.clone(), (picture, self.uses)) {
            self.bytes -= old.bytes();
        }
        while self.bytes > KEPT_BYTES_MAX && self.kept.len() > 1 {
            let Some(oldest) = self.kept.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| key.clone()) else {
                return;
            };
            if let Some((gone, _)) = self.kept.remove(&oldest) {
                self.bytes -= gone.bytes();
            }
        }
    }
}
