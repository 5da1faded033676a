//! Looking at images before they leave: contact sheets, what was left out, and what somebody decided about it.

use std::sync::Arc;

use super::api::{Failure, FailureCode, ImageMask, Rectangle, Reply};
use super::beside::alone;
use super::core::{Node, Step, Task, now};
use super::library;
use crate::encoding::id::StudyId;
use crate::study::manifest::StudyHead;

/// What somebody decided who looked at images, by SOP Instance UID.
pub(super) struct Decision {
    pub admit: Vec<String>,
    pub keep_out: Vec<String>,
    pub masks: Vec<ImageMask>,
}

impl Node {
    pub fn study_review(&mut self, typed: &str, directory: std::path::PathBuf, task: Task) -> Result<Step, Failure> {
        let study = self.local_study(typed)?;
        let store = Arc::clone(self.store()?);
        self.run_beside(task, move |control| {
            let reviewed = library::review(&store, &study, &directory, &library::decode_whole_range, control)?;
            let pages = reviewed.pages.iter().map(|page| page.display().to_string()).collect();
            let reply = Reply::Reviewed { pages, images: reviewed.images };
            Ok(Box::new(move |_: &mut Node| Ok(reply)))
        })
    }

    pub fn study_include(&mut self, typed: &str, series: Vec<String>, task: Task) -> Result<Step, Failure> {
        let study = self.local_study(typed)?;
        let reviewer = self.me()?.card.name().into_owned();
        let store = Arc::clone(self.store()?);
        let writing = Arc::clone(&self.writing_studies);
        self.run_beside(task, move |control| {
            let _one = alone(&writing);
            let study = library::as_it_is(&store, &study)?;
            let included = library::include(&store, &study, &series, &reviewer, now(), control)?;
            Ok(Box::new(move |node: &mut Node| {
                node.reload_studies()?;
                Ok(Reply::Included { included })
            }))
        })
    }

    pub fn study_left_out(&mut self, typed: &str, all: bool, task: Task) -> Result<Step, Failure> {
        let study = self.local_study(typed)?;
        let heads = self.heads_in_cases(&study.id);
        let store = Arc::clone(self.store()?);
        self.run_beside(task, move |_| {
            let given = library::given_images(&store, &heads, &study.study_key())?;
            let images = library::left_out_images(&store, &study, &given, all)?;
            Ok(Box::new(move |_: &mut Node| Ok(Reply::LeftOut { images })))
        })
    }

    pub fn study_decide(&mut self, typed: &str, decision: Decision, task: Task) -> Result<Step, Failure> {
        let study = self.local_study(typed)?;
        let heads = self.heads_in_cases(&study.id);
        let reviewer = self.me()?.card.name().into_owned();
        let store = Arc::clone(self.store()?);
        let writing = Arc::clone(&self.writing_studies);
        self.run_beside(task, move |control| {
            let _one = alone(&writing);
            let study = library::as_it_is(&store, &study)?;
            let Decision { admit, keep_out, masks } = &decision;
            // Only what is masked must not have been given away before; others are nobody's business here.
            let given_by = if masks.is_empty() { &[] } else { heads.as_slice() };
            let given = library::given_images(&store, given_by, &study.study_key())?;
            let decisions = library::Decisions { admit, keep_out, mask: masks };
            library::decide(&store, &study, &decisions, &given, &reviewer, now(), control)?;
            let reply =
                Reply::Decided { admitted: admit.len(), kept_out: keep_out.len(), masked: decision.masks.len() };
            let masks_any = !decision.masks.is_empty();
            Ok(Box::new(move |node: &mut Node| {
                node.reload_studies()?;
                node.still_in_no_other_case(&study.id, &heads, masks_any)?;
                Ok(reply)
            }))
        })
    }

    pub fn study_mask(
        &mut self,
        typed: &str,
        images: Vec<String>,
        series: Vec<String>,
        rectangles: Vec<Rectangle>,
        task: Task,
    ) -> Result<Step, Failure> {
        let study = self.local_study(typed)?;
        let heads = self.heads_in_cases(&study.id);
        let reviewer = self.me()?.card.name().into_owned();
        let store = Arc::clone(self.store()?);
        let writing = Arc::clone(&self.writing_studies);
        self.run_beside(task, move |control| {
            let _one = alone(&writing);
            let study = library::as_it_is(&store, &study)?;
            let given = library::given_images(&store, &heads, &study.study_key())?;
            let masks = library::masks_for(&store, &study, &images, &series, &rectangles)?;
            let decisions = library::Decisions { mask: &masks, ..library::Decisions::default() };
            library::decide(&store, &study, &decisions, &given, &reviewer, now(), control)?;
            Ok(Box::new(move |node: &mut Node| {
                node.reload_studies()?;
                node.still_in_no_other_case(&study.id, &heads, true)?;
                Ok(Reply::Masked { images: masks.into_iter().map(|mask| mask.sop_instance_uid).collect() })
            }))
        })
    }

    /// The heads of a study in the cases of this home, also of those from which it was withdrawn: what they name was
    /// given away.
    fn heads_in_cases(&mut self, study: &StudyId) -> Vec<StudyHead> {
        let mut heads = Vec::new();
        for case in self.rooms.ids() {
            let Some(state) = self.rooms.get_mut(&case).map(super::rooms::OpenCase::state) else { continue };
            let of_study = state.shared.studies.iter().filter(|state| state.study == *study);
            heads.extend(of_study.map(|state| state.head.clone()));
        }
        heads
    }

    /// While images were masked the node went on: a case may have taken the study as it was before.
    fn still_in_no_other_case(&mut self, study: &StudyId, before: &[StudyHead], masks: bool) -> Result<(), Failure> {
        let now = self.heads_in_cases(study);
        if !masks || now.iter().all(|head| before.contains(head)) {
            return Ok(());
        }
        Err(Failure::new(FailureCode::Unsafe, "The study was put into a case while its images were being masked.")
            .hint(
                "That case may show them as they were: withdraw the study from it (`case study withdraw`) and look at \
                 it again.",
            ))
    }
}
