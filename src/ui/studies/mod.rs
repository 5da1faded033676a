//! The studies held here: what they are, whose they really are, which cases show them.
//!
//! The real patient stands beside a study only at its sender, and only on this screen. Deleting asks first, and the
//! node refuses it while a case shows the study. What was left out of a study is looked at in [`review`].

mod draw;
mod export;
mod review;

#[cfg(test)]
mod tests;

use export::ExportStudy;
pub(super) use review::LeftOutReview;

use std::collections::BTreeMap;

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};

use super::import::Import;
use super::keys::{Action, Chord, Place};
use super::look::Look;
use super::message::Ticket;
use super::new_case::NewCase;
use super::patient;
use super::screen::{Context, Dots, Go, Outcome, Screen};
use super::widget::amount::count;
use super::widget::field::Field;
use super::widget::list::Chosen;
use super::widget::popup::Question;
use super::widget::text::kind_of;
use crate::node::api::{PlanPatient, Reply, Request, StudyDetail, StudyView};

/// The list of studies.
pub struct Studies {
    /// `None` until the node has answered once.
    studies: Option<Vec<StudyView>>,
    patients: BTreeMap<String, PlanPatient>,
    chosen: Chosen,
    filter: Field,
    filtering: bool,
    /// The chosen study, series by series.
    detail: Option<Box<StudyDetail>>,
    listing: Option<Ticket>,
    naming: Option<Ticket>,
    detailing: Option<Ticket>,
    deleting: Option<Ticket>,
    /// The study that the question about deleting names, even if the list moves.
    asked_about: Option<String>,
    stale: bool,
    is_sorted: bool,
}

impl Default for Studies {
    fn default() -> Self {
        Self {
            studies: None,
            patients: BTreeMap::new(),
            chosen: Chosen::default(),
            filter: Field::new("", "part of a name, description or modality"),
            filtering: false,
            detail: None,
            listing: None,
            naming: None,
            detailing: None,
            deleting: None,
            asked_about: None,
            stale: false,
            is_sorted: false,
        }
    }
}

impl Studies {
    fn list(&mut self, context: &mut Context<'_>) {
        if self.listing.is_some() {
            self.stale = true;
            return;
        }
        self.stale = false;
        self.listing = Some(context.ask(Request::StudyList));
        self.naming = Some(context.ask(Request::StudyPatients));
    }

    /// The studies that are seen: one patient's stand together, the latest first; received ones last.
    fn seen(&self) -> Vec<&StudyView> {
        let wanted: Vec<String> = self.filter.text().split_whitespace().map(str::to_lowercase).collect();
        let matches = |study: &&StudyView| {
            let who = self.patients.get(&study.id).map(patient::who).unwrap_or_default();
            let text = format!("{} {} {} {who} {}", study.id, study.modality, study.description, study.origin);
            let text = text.to_lowercase();
            wanted.iter().all(|word| text.contains(word))
        };
        let mut seen: Vec<&StudyView> = self.studies.iter().flatten().filter(matches).collect();
        seen.sort_by(|a, b| {
            let of = |study: &StudyView| self.patients.get(&study.id);
            match (of(a), of(b)) {
                (Some(a), Some(b)) => {
                    (&a.name, &a.patient_id, &b.study_date).cmp(&(&b.name, &b.patient_id, &a.study_date))
                }
                (a, b) => b.is_some().cmp(&a.is_some()),
            }
        });
        seen
    }

    fn chosen_study(&self) -> Option<&StudyView> {
        self.seen().get(self.chosen.at).copied()
    }

    fn look_at_chosen(&mut self, context: &mut Context<'_>) {
        let Some(study) = self.chosen_study().map(|study| study.id.clone()) else {
            self.detail = None;
            return;
        };
        if self.detail.as_ref().is_none_or(|detail| detail.study.id != study) {
            self.detail = None;
        }
        self.detailing = Some(context.ask(Request::StudyShow { study, identity: false }));
    }

    fn delete(&mut self, study: &StudyView, context: &mut Context<'_>) {
        if !study.cases.is_empty() {
            context.say("A case shows this study: withdraw it there first, then delete it.");
            return;
        }
        let mut lines =
            vec![format!("{}, {}", kind_of(&study.modality, &study.description), count(study.instances, "image"))];
        if let Some(patient) = self.patients.get(&study.id) {
            lines.push(format!("{}, {}", patient::who(patient), patient::examination(patient)));
        }
        lines.push(String::new());
        let what = "Its images are deleted on this machine, and what ties it to its patient. The files it was imported \
                    from stay. Imported again it is another study to your colleagues.";
        lines.push(what.into());
        self.asked_about = Some(study.id.clone());
        let title = "Delete this study here?".into();
        context.confirm(Question { title, lines }, Action::DeleteStudyConfirmed);
    }

    /// Head line, list and details.
    fn parts(area: Rect) -> [Rect; 3] {
        let [head, rest] = Layout::vertical([Constraint::Length(2), Constraint::Min(0)]).areas(area);
        let below = if area.height >= 30 { 16 } else { 9 };
        let [list, detail] = Layout::vertical([Constraint::Min(3), Constraint::Length(below)]).areas(rest);
        [head, list, detail]
    }
}

impl Screen for Studies {
    fn place(&self) -> Place {
        Place::Studies
    }

    fn title(&self) -> String {
        match &self.studies {
            Some(studies) => format!("studies: {} here", studies.len()),
            None => "studies".into(),
        }
    }

    fn typing(&self) -> bool {
        self.filtering
    }

    fn shown(&mut self, context: &mut Context<'_>) {
        self.list(context);
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        let page = usize::from(Self::parts(context.area)[1].height);
        if self.chosen.act(action, self.seen().len(), page) {
            self.look_at_chosen(context);
            return;
        }
        match action {
            Action::Back if self.filtering || !self.filter.text().is_empty() => {
                self.filter.clear();
                self.filtering = false;
                self.look_at_chosen(context);
            }
            Action::Back => context.go(Go::Back),
            Action::Filter => self.filtering = true,
            Action::Refresh => self.list(context),
            Action::Import => context.go(Go::Over(Box::new(Import::default()))),
            Action::AskAbout => match self.chosen_study() {
                Some(study) if study.origin != "mine" => {
                    context.say("This study came in a case: ask about it there.");
                }
                Some(study) if study.instances == 0 => {
                    context.say("Nothing of it may be shared yet: look first at what was left out (v).");
                }
                Some(study) => context.go(Go::Over(Box::new(NewCase::about(std::slice::from_ref(&study.id))))),
                None => {}
            },
            Action::ExportStudy => match self.chosen_study() {
                Some(study) if study.instances == 0 => {
                    context.say("No image of it may be shared yet, so there is none to export: v looks at them first.");
                }
                Some(study) => context.go(Go::Over(Box::new(ExportStudy::new(study)))),
                None => {}
            },
            Action::LookAtLeftOut => match self.chosen_study() {
                Some(study) if study.origin != "mine" => {
                    context.say("What was left out of a received study stays with its sender.");
                }
                Some(study) => context.go(Go::Over(Box::new(LeftOutReview::new(&study.id)))),
                None => {}
            },
            Action::DeleteStudy => {
                if let Some(study) = self.chosen_study().cloned() {
                    self.delete(&study, context);
                }
            }
            Action::DeleteStudyConfirmed => {
                if let Some(study) = self.asked_about.take() {
                    self.deleting = Some(context.ask(Request::StudyRemove { study }));
                }
            }
            _ => {}
        }
    }

    fn key(&mut self, key: KeyEvent, context: &mut Context<'_>) {
        if !self.filtering {
            return;
        }
        match Chord::of(key).code {
            KeyCode::Enter => self.filtering = false,
            _ => drop(self.filter.key(key)),
        }
        self.chosen = Chosen::default();
        self.look_at_chosen(context);
    }

    fn paste(&mut self, text: &str, context: &mut Context<'_>) {
        if self.filtering {
            self.filter.paste(text);
            self.chosen = Chosen::default();
            self.look_at_chosen(context);
        }
    }

    fn pointer(&mut self, pointer: MouseEvent, context: &mut Context<'_>) {
        let [_, list, _] = Self::parts(context.area);
        match pointer.kind {
            MouseEventKind::ScrollDown => self.act(Action::Down, context),
            MouseEventKind::ScrollUp => self.act(Action::Up, context),
            MouseEventKind::Down(MouseButton::Left) => {
                let at = Position::new(pointer.column, pointer.row);
                let Some(row) = self.chosen.line_at(list, at) else { return };
                if row < self.seen().len() {
                    self.chosen.at = row;
                    self.look_at_chosen(context);
                }
            }
            _ => {}
        }
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) {
        let ticket = Some(ticket);
        if self.listing == ticket || self.naming == ticket {
            let chosen = self.chosen_study().map(|study| study.id.clone());
            if self.listing == ticket {
                self.listing = None;
            } else {
                self.naming = None;
            }
            match outcome.as_deref() {
                Ok(Reply::Studies { studies }) => self.studies = Some(studies.clone()),
                Ok(Reply::Patients { patients }) => {
                    self.patients = patients.iter().map(|one| (one.study.clone(), one.patient.clone())).collect();
                }
                Ok(_) => {}
                Err(failure) => context.say_failure(failure),
            }
            // Whose they are orders the list: before that is known nobody has chosen one.
            match self.seen().iter().position(|study| Some(&study.id) == chosen.as_ref()) {
                Some(at) if self.is_sorted => self.chosen.at = at,
                _ => {}
            }
            self.is_sorted |= self.listing.is_none() && self.naming.is_none();
            self.chosen.keep_within(self.seen().len());
            if self.listing.is_none() && self.naming.is_none() {
                self.look_at_chosen(context);
                if self.stale {
                    self.list(context);
                }
            }
        } else if self.detailing == ticket {
            self.detailing = None;
            if let Ok(Reply::Study(detail)) = outcome.as_deref() {
                self.detail = Some(Box::new(detail.clone()));
            }
        } else if self.deleting == ticket {
            self.deleting = None;
            match outcome {
                Ok(_) => context.say_good("The study is deleted here."),
                Err(failure) => context.say_failure(failure),
            }
            self.list(context);
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        draw::studies(self, frame, area, look);
    }
}
