//! Cases as programs see them: plain data with names, words and delivery filled in.
//!
//! Names come from the local book of colleagues, then from what the case says; every text is stripped of what a
//! terminal would obey. The real patient stands here at the sender only.

use std::collections::BTreeSet;

use super::api::{
    AddendumView, BasisSeriesView, BasisView, CaseStudyView, CaseSummary, CaseView, CriticalView, Failure, FailureCode,
    ForkView, LogEntry, MarkView, MemberView, MessageView, OpinionView, PlanPatient, ReceiptView, Reply,
};
use super::attached::attached_view;
use super::core::Node;
use super::library;
use super::opinions::SHAPES;
use super::rooms::Answered;
use crate::case::access::Role;
use crate::case::content::{Agreement, SeriesBasis, Status, StudyRole, Urgency};
use crate::case::spoken::spoken_name;
use crate::case::state::{CaseState, Flags, Outcome, StudyState};
use crate::encoding::id::{CaseId, EntryId, OpinionId, base32};
use crate::encoding::text::{shown, shown_lines};
use crate::identity::keys::IdentityKey;

/// The entries that say what is asked: question, context and first report.
pub(super) fn asked_by(state: &CaseState) -> Vec<String> {
    let shared = &state.shared;
    let versions = [&shared.question, &shared.context, &shared.first_report];
    let entries: BTreeSet<EntryId> = versions.into_iter().flatten().map(|version| version.entry).collect();
    entries.iter().map(|entry| base32(&entry.0)).collect()
}

impl Node {
    pub fn case_list(&mut self) -> Result<Reply, Failure> {
        let mut cases = Vec::new();
        for case in self.rooms.ids() {
            cases.push(self.case_summary(case)?);
        }
        cases.extend(self.rooms.damaged().iter().map(damaged_summary));
        cases.sort_by_key(|case| (case.status == "closed", urgency_rank(&case.urgency), case.due.clone()));
        Ok(Reply::Cases { cases })
    }

    fn case_summary(&mut self, case: CaseId) -> Result<CaseSummary, Failure> {
        let state = self.state(case)?;
        let me = self.me()?.identity();
        let have = self.have(case);
        let heads: Vec<EntryId> = state.heads.iter().copied().collect();
        let not_sent = self.delivery(case, &heads).iter().any(|member| member.state == "not sent");
        let answered = self.rooms.get(&case).map_or(Answered::Accepted, |open| open.answered);
        let patients = self.real_patients(&state)?;
        Ok(CaseSummary {
            id: case.to_string(),
            spoken: spoken_name(&case),
            question: text_of(state.shared.question.as_ref().map(|question| &question.value)),
            urgency: urgency_word(state.urgency()).into(),
            status: status_word(&state).into(),
            role: role_word(&state, &me),
            standing: standing_word(answered).into(),
            due: state.shared.due.as_ref().map(|due| due.value.to_string()),
            members: state.shared.members.len(),
            opinions: state.shared.opinions.len(),
            messages: state.shared.messages.len(),
            chunks_have: have.chunks,
            chunks_total: have.total,
            not_sent,
            people: self.people_of(&state, &me),
            unread: unread(&state, &me),
            other_patients: patients.len().saturating_sub(1),
            patient: patients.into_iter().next().map(|patient| patient.name),
        })
    }

    /// The other members who read, the owner first.
    fn people_of(&self, state: &CaseState, me: &IdentityKey) -> Vec<String> {
        let members = state.shared.members.iter().filter(|(identity, _)| *identity != me);
        let mut others: Vec<_> = members.filter(|(_, member)| member.role != Role::Courier).collect();
        others.sort_by_key(|(_, member)| member.role != Role::Owner);
        others.into_iter().map(|(identity, _)| self.name_in(state, identity)).collect()
    }

    /// The real patients of what the case shows, each once, that of the question first; at the sender only.
    fn real_patients(&self, state: &CaseState) -> Result<Vec<PlanPatient>, Failure> {
        let mut patients: Vec<PlanPatient> = Vec::new();
        for study in state.current_studies().filter(|study| self.studies.local().contains_key(&study.study)) {
            let patient = library::patient_of(self.store()?, &study.study)?;
            patients.extend(patient.filter(|patient| !patients.iter().any(|known| known.is_who(patient))));
        }
        Ok(patients)
    }

    pub fn case_view(&mut self, case: CaseId) -> Result<CaseView, Failure> {
        let state = self.state(case)?;
        let me = self.me()?.identity();
        let heads: Vec<EntryId> = state.heads.iter().copied().collect();
        let delivery = self.delivery(case, &heads);
        let members = state.shared.members.iter().map(|(identity, member)| {
            let id = identity.to_string();
            let arrived = delivery.iter().find(|delivery| delivery.identity == id);
            MemberView {
                name: self.name_in(&state, identity),
                role: member.role.word().into(),
                delivery: arrived.map_or_else(|| "here".into(), |arrived| arrived.state.clone()),
                me: *identity == me,
                identity: id,
            }
        });
        let members = members.collect();
        let here = self.live_view(case).here;
        let studies = state.shared.studies.iter().map(|study| self.study_view(case, &state, study)).collect();
        let mut other_patients = self.real_patients(&state)?;
        let patient = (!other_patients.is_empty()).then(|| other_patients.remove(0));
        let answered = self.rooms.get(&case).map_or(Answered::Accepted, |open| open.answered);
        let shared = &state.shared;
        let text = |version: &Option<crate::case::state::Version<String>>| {
            version.as_ref().map(|version| shown_lines(&version.value).into_owned())
        };
        Ok(CaseView {
            id: case.to_string(),
            spoken: spoken_name(&case),
            question: text(&shared.question).unwrap_or_default(),
            context: text(&shared.context),
            first_report: text(&shared.first_report),
            asked_by: asked_by(&state),
            urgency: urgency_word(state.urgency()).into(),
            due: shared.due.as_ref().map(|due| due.value.to_string()),
            status: status_word(&state).into(),
            blind: false,
            role: role_word(&state, &me),
            standing: standing_word(answered).into(),
            members,
            here,
            studies,
            marks: self.mark_views(case)?,
            opinions: self.opinion_views(case)?,
            messages: shared
                .messages
                .iter()
                .map(|said| MessageView {
                    id: base32(&said.stamp.entry.0),
                    author: self.name_in(&state, &said.stamp.author),
                    author_identity: said.stamp.author.to_string(),
                    text: shown_lines(&said.content.text).into_owned(),
                    time: said.stamp.claimed.to_string(),
                    late: said.stamp.flags.late,
                    view: said.content.view.as_deref().map(attached_view),
                    about: said.content.reply_to.map(|entry| self.about_view(&state, entry)),
                })
                .collect(),
            criticals: shared
                .criticals
                .iter()
                .map(|said| {
                    let call = said.content.call.as_ref();
                    let word = |text: fn(&crate::case::content::CriticalCall) -> &String| {
                        call.map(|call| shown(text(call)).into_owned())
                    };
                    CriticalView {
                        id: base32(&said.stamp.entry.0),
                        author: self.name_in(&state, &said.stamp.author),
                        finding: shown_lines(&said.content.finding).into_owned(),
                        called: word(|call| &call.called),
                        at: word(|call| &call.at),
                        taken_by: word(|call| &call.taken_by),
                        time: said.stamp.claimed.to_string(),
                    }
                })
                .collect(),
            receipts: shared
                .receipts
                .iter()
                .map(|(entry, receipt)| ReceiptView {
                    entry: base32(&entry.0),
                    opened: receipt.opened.iter().map(|who| self.name_in(&state, who)).collect(),
                    read: receipt.read.iter().map(|who| self.name_in(&state, who)).collect(),
                    read_by: receipt.read.iter().map(ToString::to_string).collect(),
                })
                .collect(),
            entries: state.log.len(),
            heads: state.heads.iter().map(|head| base32(&head.0)).collect(),
            forks: shared
                .forks
                .iter()
                .map(|fork| ForkView {
                    device: fork.device.to_string(),
                    person: self.name_in(&state, &fork.identity),
                    entries: (base32(&fork.one.0), base32(&fork.other.0)),
                })
                .collect(),
            unreadable: state.unreadable,
            unknown: shared.unknown.len(),
            state_hash: state.state_hash().map(|hash| base32(&hash)),
            patient,
            other_patients,
        })
    }

    /// Who read a study that was withdrawn and has not said that she deleted it.
    fn still_held_by(&self, state: &CaseState, study: &StudyState) -> Vec<String> {
        if study.withdrawn.is_none() {
            return Vec::new();
        }
        let deleted = state.shared.deletions.get(&study.study);
        let is_local = |who: &IdentityKey| self.me().is_ok_and(|me| me.identity() == *who);
        let readers = state.shared.members.iter().filter(|(who, member)| member.role.reads() && !is_local(who));
        let still = readers.filter(|(who, _)| deleted.is_none_or(|deleted| !deleted.contains(*who)));
        still.map(|(who, _)| self.name_in(state, who)).collect()
    }

    fn study_view(&self, case: CaseId, state: &CaseState, study: &StudyState) -> CaseStudyView {
        let have = self.studies.have(case, study.study, &study.head);
        let index = state.current_studies().find(|other| other.role == StudyRole::Index);
        let same_patient = index.filter(|index| index.head.pseudonym == study.head.pseudonym);
        let relative = match same_patient {
            Some(index) if index.study == study.study => "index".to_owned(),
            Some(index) => study.head.days_after(&index.head).map_or_else(unknown, |days| format!("{days:+} d")),
            None => unknown(),
        };
        let deleted = state.shared.deletions.get(&study.study);
        CaseStudyView {
            id: study.study.to_string(),
            role: match study.role {
                StudyRole::Index => "index".into(),
                StudyRole::Prior(number) => format!("prior {number}"),
            },
            modality: shown(&study.head.modalities.join("/")).into_owned(),
            description: shown(&study.head.description).into_owned(),
            instances: study.head.instances(),
            chunks_have: have.chunks,
            chunks_total: have.total,
            withdrawn: study.withdrawn.is_some(),
            deleted_by: deleted.into_iter().flatten().map(|who| self.name_in(state, who)).collect(),
            still_held_by: self.still_held_by(state, study),
            relative_date: relative,
        }
    }

    pub fn mark_views(&mut self, case: CaseId) -> Result<Vec<MarkView>, Failure> {
        let state = self.state(case)?;
        let views = state.shared.marks.iter().map(|mark| {
            let measured = mark.mark.measured.as_ref();
            let kind = SHAPES.iter().find(|(_, shape)| *shape == mark.mark.shape).map_or("", |(word, _)| word);
            MarkView {
                id: mark.id.to_string(),
                kind: kind.into(),
                image: shown(&mark.mark.image.sop_instance_uid).into_owned(),
                frame: mark.mark.image.frame,
                points: mark.mark.points.iter().map(|point| (point.column, point.row)).collect(),
                value: measured.map(|measured| measured.value),
                unit: measured.map(|measured| shown(&measured.unit).into_owned()),
                basis: measured.map(|measured| shown(&measured.basis).into_owned()),
                label: mark.mark.label.as_ref().map(|label| shown(label).into_owned()),
                author: self.name_in(&state, &mark.stamp.author),
                author_identity: mark.stamp.author.to_string(),
                time: mark.stamp.claimed.to_string(),
                late: mark.stamp.flags.late,
                forked: mark.stamp.flags.forked,
            }
        });
        Ok(views.collect())
    }

    pub fn opinion_views(&mut self, case: CaseId) -> Result<Vec<OpinionView>, Failure> {
        let state = self.state(case)?;
        let mut views = Vec::new();
        for opinion in &state.shared.opinions {
            let delivery = self.delivery(case, &[EntryId(opinion.id.0)]);
            let content = &opinion.opinion;
            let text = |text: &Option<String>| text.as_ref().map(|text| shown_lines(text).into_owned());
            views.push(OpinionView {
                id: opinion.id.to_string(),
                author: self.name_in(&state, &opinion.stamp.author),
                author_identity: opinion.stamp.author.to_string(),
                state: opinion_state(opinion.stamp.flags).into(),
                agreement: agreement_word(content.agreement).into(),
                confidence: content.confidence_percent,
                impression: shown_lines(&content.impression).into_owned(),
                findings: text(&content.findings),
                recommendation: text(&content.recommendation),
                basis: basis_view(&content.basis),
                addenda: opinion
                    .addenda
                    .iter()
                    .map(|said| AddendumView {
                        text: shown_lines(&said.content.text).into_owned(),
                        time: said.stamp.claimed.to_string(),
                    })
                    .collect(),
                signed_before: opinion.signed_before.iter().map(|entry| base32(&entry.0)).collect(),
                delivery,
                time: opinion.stamp.claimed.to_string(),
            });
        }
        Ok(views)
    }

    pub fn opinion_view(&mut self, case: CaseId, id: OpinionId) -> Result<OpinionView, Failure> {
        let found = self.opinion_views(case)?.into_iter().find(|view| view.id == id.to_string());
        found.ok_or_else(|| {
            Failure::new(FailureCode::NotFound, "The opinion does not count: its author had no right to it.")
        })
    }

    pub fn case_log(&mut self, typed: &str) -> Result<Reply, Failure> {
        let case = self.find_case(typed)?;
        let state = self.state(case)?;
        let entries = state.log.iter().map(|line| LogEntry {
            id: base32(&line.stamp.entry.0),
            author: self.name_in(&state, &line.stamp.author),
            device: line.stamp.device.to_string(),
            sequence: line.sequence,
            time: line.stamp.claimed.to_string(),
            what: line.what.into(),
            outcome: outcome_word(line.outcome).into(),
            flags: flag_words(line.stamp.flags),
        });
        Ok(Reply::Log { entries: entries.collect() })
    }

    pub fn name_in(&self, state: &CaseState, identity: &IdentityKey) -> String {
        let noted = state.shared.names.get(identity).map(|name| name.name.as_str());
        self.open_part().map_or_else(|| identity.short(), |open| open.name_of(identity, noted))
    }
}

fn unknown() -> String {
    "unknown".into()
}

fn text_of(text: Option<&String>) -> String {
    text.map(|text| shown(text).into_owned()).unwrap_or_default()
}

fn basis_view(basis: &crate::case::content::Basis) -> BasisView {
    let mut limitations = Vec::new();
    for series in &basis.series {
        if series.instances_received < series.instances_expected {
            limitations.push(format!(
                "signed with {} of {} images of a series",
                series.instances_received, series.instances_expected
            ));
        }
    }
    if basis.series.iter().any(|series| series.instances_displayed.is_none()) {
        limitations.push("what was displayed is unknown: signed from the command line".into());
    }
    let none = |series: &&SeriesBasis| series.instances_displayed == Some(0) && series.instances_received > 0;
    // A scale without an image: frames stood on the screen, but all of no image.
    let (partly, never): (Vec<_>, Vec<_>) =
        basis.series.iter().filter(none).partition(|series| series.best_scale.is_some());
    for (count, what) in [(never.len(), "never displayed"), (partly.len(), "displayed with part of the frames only")] {
        match count {
            0 => {}
            1 => limitations.push(format!("one series was {what}")),
            more => limitations.push(format!("{more} series were {what}")),
        }
    }
    BasisView {
        question: base32(&basis.question.0),
        heads: basis.heads.len(),
        incomplete: basis.incomplete,
        limitations,
        series: basis
            .series
            .iter()
            .map(|series| BasisSeriesView {
                series_instance_uid: shown(&series.series_instance_uid).into_owned(),
                expected: series.instances_expected,
                received: series.instances_received,
                displayed: series.instances_displayed,
            })
            .collect(),
    }
}

fn role_word(state: &CaseState, me: &IdentityKey) -> String {
    state.shared.members.get(me).map_or("none", |member| member.role.word()).into()
}

fn standing_word(answered: Answered) -> &'static str {
    match answered {
        Answered::Offered => "offered",
        Answered::Invited => "invited",
        Answered::Accepted => "accepted",
    }
}

pub(super) fn urgency_word(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Stat => "stat",
        Urgency::Urgent => "urgent",
        Urgency::Routine => "routine",
    }
}

/// All that can be said of a case whose stored history does not hold.
fn damaged_summary(case: &CaseId) -> CaseSummary {
    CaseSummary {
        id: case.to_string(),
        spoken: spoken_name(case),
        question: String::new(),
        urgency: String::new(),
        status: "damaged".into(),
        role: String::new(),
        standing: String::new(),
        due: None,
        members: 0,
        opinions: 0,
        messages: 0,
        chunks_have: 0,
        chunks_total: 0,
        not_sent: false,
        people: Vec::new(),
        unread: 0,
        patient: None,
        other_patients: 0,
    }
}

/// Opinions of others without a receipt of this reader.
fn unread(state: &CaseState, me: &IdentityKey) -> usize {
    let read = |entry: &EntryId| state.shared.receipts.get(entry).is_some_and(|receipt| receipt.read.contains(me));
    let others = state.shared.opinions.iter().filter(|opinion| opinion.stamp.author != *me);
    others.filter(|opinion| !read(&EntryId(opinion.id.0))).count()
}

fn urgency_rank(word: &str) -> u8 {
    match word {
        "stat" => 0,
        "urgent" => 1,
        _ => 2,
    }
}

fn status_word(state: &CaseState) -> &'static str {
    match state.shared.status.as_ref().map(|status| status.value) {
        Some(Status::Closed) => "closed",
        Some(Status::Open) | None => "open",
    }
}

fn agreement_word(agreement: Agreement) -> &'static str {
    match agreement {
        Agreement::Agree => "agree",
        Agreement::Disagree => "disagree",
        Agreement::Partly => "partly",
    }
}

fn opinion_state(flags: Flags) -> &'static str {
    match flags {
        Flags { forked: true, .. } => "forked",
        Flags { late: true, .. } => "late",
        _ => "signed",
    }
}

fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Counts => "counts",
        Outcome::Rightless => "no right",
        Outcome::CutOff => "cut off by a removal",
        Outcome::AfterFork => "written after a fork",
        Outcome::Void => "void",
        Outcome::NoKey => "no key yet",
        Outcome::Malformed => "does not open",
        Outcome::Unknown => "needs a newer version",
    }
}

fn flag_words(flags: Flags) -> Vec<String> {
    let words = [(flags.late, "late"), (flags.forked, "forked"), (flags.time_contradicts, "time contradicts")];
    words.into_iter().filter(|(set, _)| *set).map(|(_, word)| word.to_owned()).collect()
}
