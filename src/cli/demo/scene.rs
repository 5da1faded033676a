//! What the simulated colleague does and says: decided a beat at a time from what she sees, and nothing else.
//!
//! She is a program, and says so in her name and in her first words. Of the synthetic study she tells what was drawn
//! into it, with the values that her own marks measured. Of any other she tells nothing: she cannot read images.

use std::collections::HashSet;

use crate::node::api::{CaseView, MarkView, OpinionDraft};
use crate::study::measure::shown_unit;
use crate::study::synthetic;

/// What she is called, so that nobody takes her for a person.
pub(super) const NAME: &str = "Dr. Sim (simulated)";
pub(super) const SITE: &str = "a program, no person";

/// Something she does.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Act {
    Accept,
    Fetch,
    Say(String),
    Mark { sop_instance_uid: String, kind: &'static str, points: Vec<(f64, f64)>, label: &'static str },
    Sign(OpinionDraft),
}

/// What she sees of a case.
pub(super) struct Seen<'a> {
    pub case: &'a CaseView,
    /// The images of each series in reading order, by SOP Instance UID.
    pub series: &'a [Vec<String>],
}

/// Her part in one case.
pub(super) struct Scene {
    script: &'static [Step],
    /// Beats since the last step.
    rested: u32,
    /// Messages of others that she has answered.
    answered: usize,
    /// Marks of others that she has answered.
    noticed: HashSet<String>,
    /// Beats since she saw something that she has not answered.
    thought: u32,
    replies: usize,
}

/// What comes after a rest; without an act it is not time yet, and the next beat asks again.
struct Step {
    beats: u32,
    act: fn(&Seen<'_>) -> Option<Act>,
}

/// How long she takes for a reply, in beats.
const REPLY_BEATS: u32 = 2;

const NODULE: &str = "nodule";
const DENSITY: &str = "density";

/// The lesion's half axes in pixels and their turn in radians, as `synthetic` draws it.
const LESION_AXES_PX: (f64, f64) = (12.6, 10.3);
const LESION_TURN: f64 = 0.6;

/// Part of the lesion's axes inside which nothing but lesion is measured.
const INSIDE: f64 = 0.6;

const REPLIES: [&str; 3] = [
    "I have read this. I am simulated and do not understand it: here a colleague would answer.",
    "Read. A simulated colleague can only say so.",
    "Read as well. With a colleague this would be the discussion.",
];

const fn after(beats: u32, act: fn(&Seen<'_>) -> Option<Act>) -> Step {
    Step { beats, act }
}

/// Over the synthetic study: about a minute.
const SAMPLE: [Step; 9] = [
    after(4, |_| Some(Act::Accept)),
    after(1, |_| greeting()),
    after(1, |_| Some(Act::Fetch)),
    after(1, |seen| complete(seen, "I am looking at the lungs.")),
    after(8, |seen| mark(seen, "bidirectional", NODULE, 1.0)),
    after(3, tell_nodule),
    after(7, |seen| mark(seen, "ellipse", DENSITY, INSIDE)),
    after(3, tell_density),
    after(10, |_| Some(Act::Sign(sample_opinion()))),
];

/// Over any other: shows how things arrive, and says that it means nothing.
const ANY: [Step; 6] = [
    after(4, |_| Some(Act::Accept)),
    after(1, |_| greeting()),
    after(1, |_| Some(Act::Fetch)),
    after(1, |seen| complete(seen, "I cannot read images; my mark and my opinion only show how they arrive.")),
    after(8, point_at_middle),
    after(12, |_| Some(Act::Sign(no_opinion()))),
];

impl Scene {
    /// Her part over the synthetic study, or over any other.
    pub(super) fn new(sample: bool) -> Self {
        let script: &[Step] = if sample { &SAMPLE } else { &ANY };
        Self { script, rested: 0, answered: 0, noticed: HashSet::new(), thought: 0, replies: 0 }
    }

    /// A beat passes.
    pub(super) fn beat(&mut self, seen: &Seen<'_>) -> Option<Act> {
        if seen.case.status != "open" {
            return None;
        }
        if let Some(reply) = self.reply(seen.case, seen.series) {
            return Some(reply);
        }
        let (step, rest) = self.script.split_first()?;
        if self.rested < step.beats {
            self.rested += 1;
            return None;
        }
        let act = (step.act)(seen)?;
        self.rested = 0;
        self.script = rest;
        Some(act)
    }

    /// Answers messages and marks of others, once she has accepted the case and thought a little.
    fn reply(&mut self, case: &CaseView, series: &[Vec<String>]) -> Option<Act> {
        let messages = case.messages.iter().filter(|message| message.author != NAME).count();
        let marks: Vec<&MarkView> =
            case.marks.iter().filter(|mark| mark.author != NAME && !self.noticed.contains(&mark.id)).collect();
        if case.standing != "accepted" || (messages <= self.answered && marks.is_empty()) {
            self.thought = 0;
            return None;
        }
        self.thought += 1;
        if self.thought <= REPLY_BEATS {
            return None;
        }
        self.thought = 0;
        if messages > self.answered {
            self.answered = messages;
            let reply = REPLIES.get(self.replies % REPLIES.len())?;
            self.replies += 1;
            return Some(Act::Say((*reply).into()));
        }
        self.noticed.extend(marks.iter().map(|mark| mark.id.clone()));
        Some(Act::Say(match marks.as_slice() {
            [mark] => format!("I see your {}. I cannot judge it.", told(mark, series)),
            marks => format!("I see your {} new marks. I cannot judge them.", marks.len()),
        }))
    }
}

fn greeting() -> Option<Act> {
    let text = "I have your question and fetch the images. I am a simulated colleague: a program that plays a scene in \
                a process of its own. No person reads what you write here.";
    Some(Act::Say(text.into()))
}

/// Says how many images have arrived, once all have.
fn complete(seen: &Seen<'_>, then: &str) -> Option<Act> {
    let studies = &seen.case.studies;
    let all = studies.iter().all(|study| study.withdrawn || study.chunks_have == study.chunks_total);
    let images: u64 = studies.iter().filter(|study| !study.withdrawn).map(|study| study.instances).sum();
    all.then(|| Act::Say(format!("{images} of {images} images are here. {then}")))
}

/// A mark along the lesion's axes, or along a part of them.
fn mark(seen: &Seen<'_>, kind: &'static str, label: &'static str, part: f64) -> Option<Act> {
    let (column, row, slice) = synthetic::LESION;
    let sop_instance_uid = seen.series.first()?.get(slice as usize)?.clone();
    let (sin, cos) = LESION_TURN.sin_cos();
    let (long, short) = (LESION_AXES_PX.0 * part, LESION_AXES_PX.1 * part);
    let at = |across: f64, down: f64| (column as f64 + across, row as f64 + down);
    let points = vec![
        at(-long * cos, -long * sin),
        at(long * cos, long * sin),
        at(short * sin, -short * cos),
        at(-short * sin, short * cos),
    ];
    Some(Act::Mark { sop_instance_uid, kind, points, label })
}

fn point_at_middle(seen: &Seen<'_>) -> Option<Act> {
    let images = seen.series.iter().max_by_key(|series| series.len())?;
    let sop_instance_uid = images.get(images.len() / 2)?.clone();
    let points = vec![(24.0, 24.0), (48.0, 48.0)];
    Some(Act::Mark { sop_instance_uid, kind: "arrow", points, label: "simulated: points at nothing" })
}

fn tell_nodule(seen: &Seen<'_>) -> Option<Act> {
    let mark = own(seen, NODULE)?;
    Some(Act::Say(format!(
        "My mark \"{NODULE}\" is a {}, the long axis: one solid nodule in the right upper lobe, with short spicules.",
        told(mark, seen.series)
    )))
}

fn tell_density(seen: &Seen<'_>) -> Option<Act> {
    let mark = own(seen, DENSITY)?;
    Some(Act::Say(format!("My mark \"{DENSITY}\" is an {}, the mean: soft tissue.", told(mark, seen.series))))
}

fn own<'a>(seen: &Seen<'a>, label: &str) -> Option<&'a MarkView> {
    seen.case.marks.iter().find(|mark| mark.author == NAME && mark.label.as_deref() == Some(label))
}

/// A mark in words: kind, value, and the place of its image in the series, as the viewer counts.
fn told(mark: &MarkView, series: &[Vec<String>]) -> String {
    let unit = shown_unit(mark.unit.as_deref().unwrap_or_default());
    let value = mark.value.map_or_else(String::new, |value| format!(" of {value:.1} {unit}").trim_end().to_owned());
    let place = series.iter().find_map(|images| {
        let at = images.iter().position(|image| *image == mark.image)?;
        Some(format!(" on image {}/{}", at + 1, images.len()))
    });
    format!("{}{value}{}", mark.kind, place.unwrap_or_default())
}

fn sample_opinion() -> OpinionDraft {
    OpinionDraft {
        impression:
            "Simulated, about a patient who does not exist: a solitary solid nodule with short spicules in the \
                     right upper lobe. A metastasis is possible; a primary tumour of the lung is as well."
                .into(),
        agreement: "partly".into(),
        findings: Some("One nodule, measured and marked. No second one was drawn into this study.".into()),
        recommendation: Some("Compare with earlier images; otherwise PET-CT and histology.".into()),
        confidence: Some(70),
        ..OpinionDraft::default()
    }
}

fn no_opinion() -> OpinionDraft {
    OpinionDraft {
        impression: "No opinion: a simulated colleague cannot read images. This only shows how an opinion arrives."
            .into(),
        agreement: "partly".into(),
        confidence: Some(0),
        ..OpinionDraft::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::api::MessageView;
    use serde_json::json;

    const PATIENCE: usize = 200;

    /// The case as she sees it: what she does is in it at the next beat.
    struct Case {
        view: CaseView,
        series: Vec<Vec<String>>,
    }

    impl Case {
        fn new() -> Self {
            let study = json!({
                "id": "s-1", "role": "index", "modality": "CT", "description": "", "instances": 120, "chunks_have": 0,
                "chunks_total": 9, "withdrawn": false, "deleted_by": [], "relative_date": "unknown",
            });
            let view = json!({
                "id": "c-1", "spoken": "amber heron", "question": "?", "context": null, "first_report": null,
                "urgency": "urgent", "due": null, "status": "open", "blind": false, "role": "reader",
                "standing": "invited", "members": [], "studies": [study], "marks": [], "opinions": [], "messages": [],
                "criticals": [], "receipts": [], "entries": 1, "heads": [], "forks": [], "unreadable": 0, "unknown": 0,
                "state_hash": null, "patient": null,
            });
            Self { view: serde_json::from_value(view).unwrap(), series: Vec::new() }
        }

        fn says(&mut self, author: &str, text: &str) {
            let (id, time) = (format!("e-{}", self.view.messages.len()), String::new());
            self.view.messages.push(MessageView {
                id,
                author: author.into(),
                author_identity: String::new(),
                text: text.into(),
                time,
                late: false,
                view: None,
                about: None,
            });
        }

        fn marks(&mut self, author: &str, image: &str, kind: &str, value: f64, unit: &str, label: Option<&str>) {
            let mark = json!({
                "id": format!("m-{}", self.view.marks.len()), "kind": kind, "image": image, "frame": 1, "points": [],
                "value": value, "unit": unit, "basis": null, "label": label, "author": author, "time": "",
                "late": false, "forked": false,
            });
            self.view.marks.push(serde_json::from_value(mark).unwrap());
        }

        fn beat(&mut self, scene: &mut Scene) -> Option<Act> {
            let act = scene.beat(&Seen { case: &self.view, series: &self.series })?;
            match &act {
                Act::Accept => self.view.standing = "accepted".into(),
                Act::Fetch => {
                    self.view.studies[0].chunks_have = 9;
                    self.series = vec![(0..120).map(|number| format!("1.2.{number}")).collect()];
                }
                Act::Say(text) => self.says(NAME, text),
                Act::Mark { sop_instance_uid, kind: "ellipse", label, .. } => {
                    self.marks(NAME, sop_instance_uid, "ellipse", 37.9, "[hnsf'U]", Some(label));
                }
                Act::Mark { sop_instance_uid, kind, label, .. } => {
                    self.marks(NAME, sop_instance_uid, kind, 18.72, "mm", Some(label));
                }
                Act::Sign(_) => {}
            }
            Some(act)
        }

        /// Everything she does by herself.
        fn played(&mut self, scene: &mut Scene) -> Vec<Act> {
            (0..PATIENCE).filter_map(|_| self.beat(scene)).collect()
        }

        fn said(&self) -> Vec<&str> {
            self.view.messages.iter().filter(|message| message.author == NAME).map(|said| said.text.as_str()).collect()
        }
    }

    #[test]
    fn over_the_synthetic_study_she_marks_tells_what_she_measured_and_signs() {
        let mut case = Case::new();
        let acts = case.played(&mut Scene::new(true));
        assert!(matches!(acts.first(), Some(Act::Accept)) && matches!(acts.last(), Some(Act::Sign(_))), "{acts:?}");
        assert_eq!(acts.len(), SAMPLE.len());
        let said = case.said();
        assert!(said[0].contains("I am a simulated colleague"), "{said:?}");
        assert!(said[1].starts_with("120 of 120 images are here."), "{said:?}");
        assert!(said[2].contains("bidirectional of 18.7 mm on image 45/120"), "{said:?}");
        assert!(said[3].contains("ellipse of 37.9 HU on image 45/120"), "{said:?}");
        assert_eq!(case.view.marks[0].image, "1.2.44");
    }

    #[test]
    fn over_any_other_study_she_has_no_opinion_and_says_why() {
        let mut case = Case::new();
        let acts = case.played(&mut Scene::new(false));
        let Some(Act::Sign(opinion)) = acts.last() else { panic!("{acts:?}") };
        assert!(opinion.impression.starts_with("No opinion: a simulated colleague cannot read images."));
        assert!(case.said().iter().any(|said| said.contains("I cannot read images")));
    }

    #[test]
    fn messages_and_marks_are_answered_once_each_and_never_her_own() {
        let (mut case, mut scene) = (Case::new(), Scene::new(true));
        case.played(&mut scene);
        let before = case.said().len();
        case.says("Dr. Anna Weiss", "Are you sure?");
        case.says("Dr. Anna Weiss", "Hello?");
        let acts = case.played(&mut scene);
        assert_eq!(acts, [Act::Say(REPLIES[0].into())]);
        case.marks("Dr. Anna Weiss", "1.2.50", "length", 23.44, "mm", None);
        let acts = case.played(&mut scene);
        assert_eq!(acts, [Act::Say("I see your length of 23.4 mm on image 51/120. I cannot judge it.".into())]);
        assert_eq!(case.said().len(), before + 2);
    }

    #[test]
    fn before_she_has_accepted_she_says_nothing_and_after_closing_neither() {
        let (mut case, mut scene) = (Case::new(), Scene::new(true));
        case.says("Dr. Anna Weiss", "Hello?");
        let first = (0..PATIENCE).find_map(|_| case.beat(&mut scene));
        assert_eq!(first, Some(Act::Accept));
        case.view.status = "closed".into();
        assert!(case.played(&mut scene).is_empty());
    }

    #[test]
    fn she_waits_for_images_that_have_not_arrived() {
        let (mut case, mut scene) = (Case::new(), Scene::new(true));
        while case.beat(&mut scene) != Some(Act::Fetch) {}
        case.view.studies[0].chunks_have = 8;
        assert!(case.played(&mut scene).is_empty());
        case.view.studies[0].chunks_have = 9;
        assert!(matches!(case.beat(&mut scene), Some(Act::Say(_))));
    }
}
