//! Looking at images before they leave: contact sheets, what was left out, and what somebody decided about it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::api::{Failure, ImageMask, Rectangle, Reply};
use super::beside::alone;
use super::core::{Node, Step, Task, now};
use super::library::{self, Control, LocalStudy};
use crate::store::Store;
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
        self.decide_beside(study, None, task, move |look, _| {
            let included = library::include(look.store, look.study, &series, look.reviewer, now(), look.control)?;
            Ok(Reply::Included { included })
        })
    }

    pub fn study_left_out(&mut self, typed: &str, all: bool, task: Task) -> Result<Step, Failure> {
        let study = self.local_study(typed)?;
        let heads = self.given_heads(&study.id)?;
        let store = Arc::clone(self.store()?);
        self.run_beside(task, move |_| {
            let given = library::given_images(&store, &heads, &study.study_key())?;
            let images = library::left_out_images(&store, &study, &given, all)?;
            Ok(Box::new(move |_: &mut Node| Ok(Reply::LeftOut { images })))
        })
    }

    pub fn study_decide(&mut self, typed: &str, decision: Decision, task: Task) -> Result<Step, Failure> {
        let study = self.local_study(typed)?;
        // Only what is masked must not have been given away before.
        let heads = if decision.masks.is_empty() { None } else { Some(self.given_heads(&study.id)?) };
        self.decide_beside(study, heads, task, move |look, given| {
            let Decision { admit, keep_out, masks } = &decision;
            look.decide(&library::Decisions { admit, keep_out, mask: masks }, given)?;
            Ok(Reply::Decided { admitted: admit.len(), kept_out: keep_out.len(), masked: masks.len() })
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
        let heads = Some(self.given_heads(&study.id)?);
        self.decide_beside(study, heads, task, move |look, given| {
            let masks = library::masks_for(look.store, look.study, &images, &series, &rectangles)?;
            look.decide(&library::Decisions { mask: &masks, ..library::Decisions::default() }, given)?;
            Ok(Reply::Masked { images: masks.into_iter().map(|mask| mask.sop_instance_uid).collect() })
        })
    }

    /// Decides about images of a study beside the node, alone and as the study is by then. `heads` are those under which
    /// it was given away, if that matters for the decision; nothing else may have taken it meanwhile.
    fn decide_beside<W>(
        &self,
        study: LocalStudy,
        heads: Option<Vec<StudyHead>>,
        task: Task,
        work: W,
    ) -> Result<Step, Failure>
    where
        W: FnOnce(&Look<'_>, &BTreeSet<String>) -> Result<Reply, Failure> + Send + 'static,
    {
        let reviewer = self.me()?.card.name().into_owned();
        let store = Arc::clone(self.store()?);
        let writing = Arc::clone(&self.writing_studies);
        self.run_beside(task, move |control| {
            let _one = alone(&writing);
            let study = library::as_it_is(&store, &study)?;
            let given = library::given_images(&store, heads.as_deref().unwrap_or_default(), &study.study_key())?;
            let reply = work(&Look { store: &store, study: &study, reviewer: &reviewer, control }, &given)?;
            Ok(Box::new(move |node: &mut Node| {
                node.reload_studies()?;
                if let Some(heads) = &heads {
                    node.still_given_to_no_other(&study.id, heads)?;
                }
                Ok(reply)
            }))
        })
    }
}

/// Somebody looks at images of a study.
struct Look<'a> {
    store: &'a Store,
    study: &'a LocalStudy,
    reviewer: &'a str,
    control: &'a Control<'a>,
}

impl Look<'_> {
    fn decide(&self, decisions: &library::Decisions<'_>, given: &BTreeSet<String>) -> Result<(), Failure> {
        library::decide(self.store, self.study, decisions, given, self.reviewer, now(), self.control)
    }
}
