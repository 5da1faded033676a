//! Marks and opinions, as the commands `mark` and `opinion` see them.

use std::sync::Arc;

use super::api::{Displayed, Failure, FailureCode, OpinionDraft, Reply, SeriesDisplayed};
use super::cases::written_ids;
use super::core::{Node, Step, Task};
use super::pictures;
use super::views::asked_by;
use crate::case::content::{
    Addendum, Agreement, Basis, Content, Critical, CriticalCall, ImageRef, Mark, MarkDeleted, Measured, Opinion, Point,
    Receipt, SeriesBasis, Shape, Urgency,
};
use crate::case::state::CaseState;
use crate::encoding::id::{CaseId, EntryId, IdPrefix, MarkId, OpinionId, StudyId};
use crate::encoding::text::shown;
use crate::store::Batch;

/// A mark as the command line gives it.
pub(super) struct NewMark {
    pub sop_instance_uid: String,
    pub frame: u32,
    pub kind: String,
    pub points: Vec<(f64, f64)>,
    pub label: Option<String>,
}

/// An opinion that is about to be signed.
pub(super) struct Unsigned {
    pub opinion: OpinionDraft,
    pub displayed: Option<Displayed>,
    /// The draft that it was written as.
    pub draft: Option<u64>,
    /// The entries that its author saw as asked.
    pub asked_by: Option<Vec<String>>,
}

/// What a person agreed to before she signed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Agreed {
    pub incomplete_ok: bool,
    pub text_checked: bool,
}

impl Node {
    /// Draws a mark in ink, with its value, unit and basis computed from the pixels here.
    pub async fn mark_add(
        &mut self,
        typed: &str,
        new: NewMark,
        text_checked: bool,
        task: Task,
    ) -> Result<Step, Failure> {
        let case = self.open_case(typed).await?;
        self.check_case_text(case, &[("label", new.label.as_ref())], text_checked)?;
        let shape = parse_shape(&new.kind)?;
        let study = self.study_with_image(case, &new.sop_instance_uid)?;
        let points: Vec<Point> = new.points.iter().map(|(column, row)| Point { column: *column, row: *row }).collect();
        let file = self.open_file(study, &new.sop_instance_uid)?;
        let measured: Option<Measured> = pictures::measure(&file, new.frame, shape, &points)?;
        let image = ImageRef { study, sop_instance_uid: new.sop_instance_uid, frame: new.frame };
        let mark = Mark { replaces: None, image, shape, points, label: new.label, measured, tracking_uid: None };
        let entries = self.write(case, &[Content::Mark(mark)], None).await?;
        let id = entries.last().map(|entry| MarkId::from(*entry));
        let view =
            self.mark_views(case)?.into_iter().find(|view| Some(&view.id) == id.map(|id| id.to_string()).as_ref());
        let mark = view.ok_or_else(|| Failure::new(FailureCode::Failed, "The mark was written but does not count."))?;
        self.answer_when_delivered(case, entries, Reply::Mark { mark, delivery: Vec::new() }, task).await
    }

    pub async fn mark_list(&mut self, typed: &str) -> Result<Reply, Failure> {
        let case = self.open_case(typed).await?;
        Ok(Reply::Marks { marks: self.mark_views(case)? })
    }

    pub async fn mark_remove(&mut self, typed: &str, task: Task) -> Result<Step, Failure> {
        let prefix = prefix_of(typed, MarkId::LETTER, "mark")?;
        let mut found = Vec::new();
        for case in self.rooms.ids() {
            let state = self.state(case)?;
            let marks = state.shared.marks.iter().filter(|mark| prefix.matches(MarkId::LETTER, mark.id.as_bytes()));
            found.extend(marks.map(|mark| (case, mark.id, mark.stamp.author)));
        }
        let (case, mark, author) = one(typed, "mark", found)?;
        if author != self.me()?.identity() {
            return Err(Failure::new(FailureCode::Role, "Only its author deletes a mark.")
                .hint("Answer with a mark or message of your own."));
        }
        let content = Content::MarkDeleted(MarkDeleted { mark });
        self.write_and_answer(case, &[content], None, task, written_ids).await
    }

    pub async fn opinion_template(&mut self, typed: &str) -> Result<Reply, Failure> {
        let case = self.open_case(typed).await?;
        let state = self.state(case)?;
        let question = state.shared.question.as_ref().map_or("", |question| question.value.as_str());
        let question: Vec<String> = question.lines().map(|line| format!("# {}", shown(line))).collect();
        let toml = format!(
            "# Question:\n{}\n# Only impression and agreement are required.\n\nimpression = \"\"\"\n\"\"\"\n\
             # agree, disagree or partly: with the first report, or with what the question supposes\nagreement = \"\"\n\n\
             # findings = \"\"\"\n# \"\"\"\n# recommendation = \"\"\n# percent\n# confidence = 80\n\n\
             # A finding that cannot wait: whom you called, when, and who took it.\n\
             # [critical]\n# finding = \"\"\n# called = \"\"\n# at = \"\"\n# taken_by = \"\"\n",
            question.join("\n")
        );
        Ok(Reply::Template { toml })
    }

    /// Signs an opinion with its basis: what of each series arrived here; displayed is unknown on the command line.
    pub async fn opinion_sign(
        &mut self,
        typed: &str,
        Unsigned { opinion: draft, displayed, draft: kept, asked_by: seen }: Unsigned,
        agreed: Agreed,
        task: Task,
    ) -> Result<Step, Failure> {
        let case = self.open_case(typed).await?;
        let agreement = parse_agreement(&draft.agreement)?;
        if draft.impression.trim().is_empty() {
            return Err(Failure::new(FailureCode::WrongUse, "An opinion needs an impression.")
                .hint("Give --impression TEXT, or fill the template: `overread opinion template CASE`."));
        }
        let state = self.state(case)?;
        let asked = asked_by(&state);
        if seen.is_some_and(|seen| seen != asked) {
            return Err(Failure::new(FailureCode::Unsafe, "What is asked has changed; the opinion is not signed.")
                .hint("Read the question, its context and the first report once more, then sign.")
                .detail("asked_by", asked));
        }
        let critical = draft.critical.as_ref();
        let fields = [
            ("impression", Some(&draft.impression)),
            ("findings", draft.findings.as_ref()),
            ("recommendation", draft.recommendation.as_ref()),
            ("critical finding", critical.map(|critical| &critical.finding)),
        ];
        self.check_case_text(case, &fields, agreed.text_checked)?;
        let call = critical.map(critical_call).transpose()?;
        let (basis, missing) = self.basis(case, displayed.as_ref())?;
        if !missing.is_empty() && !agreed.incomplete_ok {
            return Err(Failure::new(FailureCode::Unsafe, "Part of the images has not arrived or was never displayed; the opinion is not signed.")
                .hint("`overread fetch CASE` gets them. To sign all the same, add --incomplete-ok: the limitation will stand first in the opinion.")
                .detail("missing", missing));
        }
        let opinion = Opinion {
            impression: draft.impression,
            agreement,
            findings: draft.findings,
            recommendation: draft.recommendation,
            confidence_percent: draft.confidence,
            basis: Basis { incomplete: !missing.is_empty(), ..basis },
            critical_call: call.clone(),
        };
        let content = Content::Opinion(Box::new(opinion));
        content.check().map_err(super::cases::content_failure)?;
        let notice = critical.map(|_| Urgency::Stat);
        let without_draft = |node: &Self, _: &[EntryId]| {
            kept.map_or_else(Batch::new, |revision| node.without_opinion_draft(&case, revision))
        };
        let mut entries = self.write_with(case, &[content], notice, without_draft).await?;
        let id =
            OpinionId::from(*entries.last().ok_or_else(|| Failure::new(FailureCode::Failed, "Nothing was written."))?);
        if let (Some(critical), Some(call)) = (critical, call) {
            let finding = Critical { finding: critical.finding.clone(), call: Some(call), opinion: Some(id) };
            entries.extend(self.write(case, &[Content::Critical(finding)], notice).await?);
        }
        let opinion = self.opinion_view(case, id)?;
        self.answer_when_delivered(case, entries, Reply::Opinion { opinion }, task).await
    }

    pub async fn opinion_list(&mut self, typed: &str) -> Result<Reply, Failure> {
        let case = self.open_case(typed).await?;
        Ok(Reply::Opinions { opinions: self.opinion_views(case)? })
    }

    /// Reads an opinion: its author learns that it was read.
    pub async fn opinion_read(&mut self, typed: &str, task: Task) -> Result<Step, Failure> {
        let (case, id, author) = self.find_opinion(typed)?;
        let me = self.me()?.identity();
        let entry = EntryId(id.0);
        let told = self.state(case)?.shared.receipts.get(&entry).is_some_and(|receipt| receipt.read.contains(&me));
        let mut entries = Vec::new();
        if author != me && !told {
            let receipt = Receipt { opened: vec![entry], read: vec![entry], ..Receipt::default() };
            entries = self.write(case, &[Content::Receipt(receipt)], None).await?;
        }
        let opinion = self.opinion_view(case, id)?;
        if entries.is_empty() {
            return Ok(Step::Done(Reply::Opinion { opinion }));
        }
        self.answer_when_delivered(case, entries, Reply::Opinion { opinion }, task).await
    }

    pub async fn opinion_addend(
        &mut self,
        typed: &str,
        text: String,
        text_checked: bool,
        task: Task,
    ) -> Result<Step, Failure> {
        let (case, opinion, author) = self.find_opinion(typed)?;
        if author != self.me()?.identity() {
            return Err(Failure::new(FailureCode::Role, "Only its author adds to an opinion.")
                .hint("Answer with an opinion or message of your own."));
        }
        self.check_case_text(case, &[("addendum", Some(&text))], text_checked)?;
        let content = Content::Addendum(Addendum { opinion, text });
        self.write_and_answer(case, &[content], None, task, written_ids).await
    }

    fn find_opinion(
        &mut self,
        typed: &str,
    ) -> Result<(CaseId, OpinionId, crate::identity::keys::IdentityKey), Failure> {
        let prefix = prefix_of(typed, OpinionId::LETTER, "opinion")?;
        let mut found = Vec::new();
        for case in self.rooms.ids() {
            let state = self.state(case)?;
            let opinions = state.shared.opinions.iter().filter(|o| prefix.matches(OpinionId::LETTER, o.id.as_bytes()));
            found.extend(opinions.map(|opinion| (case, opinion.id, opinion.stamp.author)));
        }
        one(typed, "opinion", found)
    }

    /// What an opinion signed now rests on, and in words what of it is missing.
    fn basis(&mut self, case: CaseId, displayed: Option<&Displayed>) -> Result<(Basis, Vec<String>), Failure> {
        let state: Arc<CaseState> = self.state(case)?;
        let store = Arc::clone(self.store()?);
        let question = state.shared.question.as_ref().ok_or_else(|| {
            Failure::new(FailureCode::NotReached, "The question has not arrived yet.").hint("`overread sync` gets it.")
        })?;
        let (mut series, mut missing) = (Vec::new(), Vec::new());
        for study in state.current_studies() {
            let Some(key) = state.study_keys.get(&study.study) else { continue };
            let instances = self.studies.instances(&study.head, key, &store);
            for (head, instances) in study.head.series.iter().zip(&instances) {
                let here = |instance: &&crate::study::manifest::InstanceEntry| {
                    store.missing(&instance.object.chunks).is_ok_and(|missing| missing.is_empty())
                };
                let received = instances.iter().filter(here).count() as u32;
                if received < head.instances {
                    let name = if head.description.is_empty() { &head.modality } else { &head.description };
                    missing.push(format!(
                        "{}: {} of {} images are missing",
                        shown(name),
                        head.instances - received,
                        head.instances
                    ));
                }
                let shown_here = displayed.map(|displayed| {
                    let of = study.study.to_string();
                    let is_it =
                        |series: &&SeriesDisplayed| series.study == of && series.series_instance_uid == head.series;
                    displayed.series.iter().find(is_it).cloned().unwrap_or_default()
                });
                if let Some(series) = shown_here.as_ref().filter(|series| received > 0 && series.instances == 0) {
                    let name = if head.description.is_empty() { &head.modality } else { &head.description };
                    let what = series.partly.words().map(|frames| format!("only {frames} displayed"));
                    missing.push(format!("{}: {}", shown(name), what.as_deref().unwrap_or("never displayed")));
                }
                series.push(SeriesBasis {
                    study: study.study,
                    series_instance_uid: head.series.clone(),
                    instances_expected: head.instances,
                    instances_received: received,
                    // No more can have been displayed than is here.
                    instances_displayed: shown_here.as_ref().map(|series| series.instances.min(received)),
                    best_scale: shown_here
                        .map(|series| series.best_scale)
                        .filter(|scale| scale.is_finite() && *scale > 0.0),
                    protocol: displayed.map(|displayed| displayed.protocol.clone()),
                    grey_steps: displayed.map(|displayed| displayed.grey_steps),
                });
            }
        }
        let heads = state.heads.iter().copied().take(crate::case::content::BASIS_ITEMS_MAX).collect();
        Ok((Basis { question: question.entry, heads, series, incomplete: false }, missing))
    }

    fn study_with_image(&mut self, case: CaseId, sop_instance_uid: &str) -> Result<StudyId, Failure> {
        let state = self.state(case)?;
        let store = Arc::clone(self.store()?);
        for study in state.current_studies() {
            let Some(key) = state.study_keys.get(&study.study) else { continue };
            let instances = self.studies.instances(&study.head, key, &store);
            if instances.iter().flatten().any(|instance| instance.sop_instance == sop_instance_uid) {
                return Ok(study.study);
            }
        }
        Err(Failure::new(FailureCode::NotFound, format!("The case has no image {}.", shown(sop_instance_uid))).hint(
            "`overread case show CASE --json` and `overread study show STUDY` list the images that have arrived.",
        ))
    }
}

fn critical_call(critical: &super::api::CriticalDraft) -> Result<CriticalCall, Failure> {
    let answers = [&critical.finding, &critical.called, &critical.at, &critical.taken_by];
    if answers.iter().any(|answer| answer.trim().is_empty()) {
        return Err(Failure::new(
            FailureCode::Unsafe,
            "A critical finding is signed only with a call: whom you called, when, and who took it.",
        )
        .hint("Call first, then give finding, called, at and taken_by."));
    }
    Ok(CriticalCall { called: critical.called.clone(), at: critical.at.clone(), taken_by: critical.taken_by.clone() })
}

fn prefix_of(typed: &str, letter: char, what: &str) -> Result<IdPrefix, Failure> {
    IdPrefix::parse(typed).filter(|prefix| prefix.letter == letter).ok_or_else(|| {
        Failure::new(FailureCode::WrongUse, format!("{} is no {what} id.", shown(typed)))
            .hint(format!("An id of a {what} begins with {letter}- and at least four characters."))
    })
}

fn one<T>(typed: &str, what: &str, mut found: Vec<T>) -> Result<T, Failure> {
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Failure::new(FailureCode::NotFound, format!("There is no {what} {}.", shown(typed)))
            .hint(format!("`overread {what} list CASE` shows those of a case."))),
        _ => Err(Failure::new(FailureCode::Ambiguous, format!("{} may be one of several.", shown(typed)))
            .hint("Type more characters.")),
    }
}

pub(super) fn parse_shape(text: &str) -> Result<Shape, Failure> {
    let found = SHAPES.iter().find(|(word, _)| *word == text);
    found.map(|(_, shape)| *shape).ok_or_else(|| {
        let words: Vec<&str> = SHAPES.iter().map(|(word, _)| *word).collect();
        Failure::new(FailureCode::WrongUse, format!("{} is no kind of mark.", shown(text)))
            .hint(format!("Use one of: {}.", words.join(", ")))
    })
}

/// The words of the command line for each shape.
pub(super) const SHAPES: [(&str, Shape); 11] = [
    ("probe", Shape::Probe),
    ("length", Shape::Length),
    ("angle", Shape::Angle),
    ("cobb", Shape::Cobb),
    ("bidirectional", Shape::Bidirectional),
    ("ellipse", Shape::Ellipse),
    ("rectangle", Shape::Rectangle),
    ("freehand", Shape::Freehand),
    ("arrow", Shape::Arrow),
    ("text", Shape::Text),
    ("key-image", Shape::KeyImage),
];

fn parse_agreement(text: &str) -> Result<Agreement, Failure> {
    match text {
        "agree" => Ok(Agreement::Agree),
        "disagree" => Ok(Agreement::Disagree),
        "partly" => Ok(Agreement::Partly),
        other => Err(Failure::new(FailureCode::WrongUse, format!("{} is no agreement.", shown(other)))
            .hint("Use agree, disagree or partly.")),
    }
}
