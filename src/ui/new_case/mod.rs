//! A new case in one short form: the question, the studies, whom it goes to.
//!
//! Before anything is sent the whole of it is shown once more with the real patients. What the node holds back (a text
//! that seems to name the patient, studies of two patients) is asked about, once each; an unverified colleague is
//! asked about before. What was typed stays until it is sent or left.

mod choices;
mod draw;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use crossterm::event::{KeyCode, KeyEvent, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui_textarea::{TextArea, WrapMode};

use super::case::CaseScreen;
use super::keys::{Action, Chord, Place};
use super::look::Look;
use super::message::Ticket;
use super::patient;
use super::screen::{Context, Dots, Go, Outcome, Screen};
use super::widget::field::Field;
use super::widget::popup::Question;
use super::widget::text::kind_of;
use crate::case::content::TEXT_BYTES_MAX;
use crate::encoding::text::shown;
use crate::encoding::time::{Timestamp, parse_duration_ms};
use crate::node::api::{CaseNew, Failure, FailureCode, Reply, Request};

use choices::{People, Role, StudyChoice};

const URGENCIES: [(&str, &str); 3] = [("routine", "routine"), ("urgent", "urgent"), ("stat", "STAT: now")];

/// Characters of one text that a question shows before it is cut.
const TEXT_SHOWN_CHARS_MAX: usize = 160;

/// Lines of what the node found in a text that a question shows.
const HITS_SHOWN_MAX: usize = 8;

/// The fields in the order of Tab.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Question,
    Studies,
    People,
    Urgency,
    Due,
    Context,
    Report,
}

const PARTS: [Part; 7] =
    [Part::Question, Part::Studies, Part::People, Part::Urgency, Part::Due, Part::Context, Part::Report];

/// A case that is being asked.
pub struct NewCase {
    part: Part,
    question: TextArea<'static>,
    context: TextArea<'static>,
    report: TextArea<'static>,
    studies: StudyChoice,
    people: People,
    urgency: usize,
    due: Field,
    /// The name of a file is typed whose text becomes the first report.
    report_path: Option<Field>,
    reading: Option<Ticket>,
    /// The text of that file, while the person is asked whether it replaces what stands there.
    offered: Option<String>,
    listing: Option<Ticket>,
    naming: Option<Ticket>,
    counting: Option<Ticket>,
    sending: Option<Ticket>,
    confirmed: Confirmed,
}

/// What the person said yes to, for this text and these studies and people only.
#[derive(Debug, Clone, Copy, Default)]
struct Confirmed {
    text_checked: bool,
    other_patient: bool,
    to_unverified: bool,
}

impl Default for NewCase {
    fn default() -> Self {
        Self::about(&[])
    }
}

fn text_area() -> TextArea<'static> {
    let mut text = TextArea::default();
    text.set_cursor_line_style(ratatui::style::Style::new());
    text.set_wrap_mode(WrapMode::Word);
    text
}

impl NewCase {
    /// A case about these studies, as index examinations.
    pub fn about(studies: &[String]) -> Self {
        Self {
            part: Part::default(),
            question: text_area(),
            context: text_area(),
            report: text_area(),
            studies: StudyChoice::about(studies),
            people: People::default(),
            urgency: 0,
            due: Field::new("", "4h, 2d, or 2031-02-17T18:00:00+01:00"),
            report_path: None,
            reading: None,
            offered: None,
            listing: None,
            naming: None,
            counting: None,
            sending: None,
            confirmed: Confirmed::default(),
        }
    }

    fn moved(&mut self, by: usize) {
        let at = PARTS.iter().position(|part| *part == self.part).unwrap_or_default();
        self.part = PARTS.get((at + by) % PARTS.len()).copied().unwrap_or_default();
    }

    fn editor(&mut self) -> Option<&mut TextArea<'static>> {
        match self.part {
            Part::Question => Some(&mut self.question),
            Part::Context => Some(&mut self.context),
            Part::Report => Some(&mut self.report),
            _ => None,
        }
    }

    fn is_empty(&self) -> bool {
        self.question.is_empty() && self.context.is_empty() && self.report.is_empty()
    }

    /// Goes back to a field and says what is wrong with it.
    fn wrong(&mut self, part: Part, words: &str, context: &mut Context<'_>) {
        self.part = part;
        context.say(words);
    }

    /// Shows what will be sent and to whom, or says what is missing for it.
    fn review(&mut self, context: &mut Context<'_>) {
        if text_of(&self.question).is_none() {
            return self.wrong(Part::Question, "Write a question first.", context);
        }
        let texts = [(Part::Question, &self.question), (Part::Context, &self.context), (Part::Report, &self.report)];
        let lengths = texts.map(|(part, text)| (part, text_of(text).map_or(0, |text| text.len())));
        if let Some((part, bytes)) = lengths.into_iter().find(|(_, bytes)| *bytes > TEXT_BYTES_MAX) {
            let words = format!("This text has {bytes} bytes; a case takes {TEXT_BYTES_MAX}.");
            return self.wrong(part, &words, context);
        }
        if self.studies.with_role(Role::Index).is_empty() {
            return self.wrong(Part::Studies, "Choose at least one examination as the index: Space.", context);
        }
        if let Some(words) = self.wrong_due() {
            return self.wrong(Part::Due, &words, context);
        }
        if self.people.chosen().is_empty() {
            self.part = Part::People;
            let words = match self.people.is_alone() {
                true => {
                    "Pairing comes first: no colleague is here yet. Leave the form with Esc, press c, and read her a \
                     code or take hers."
                }
                false => "Choose whom it goes to: Space. Somebody new is paired with first: c in the worklist.",
            };
            context.say(words);
            return;
        }
        let unverified: Vec<String> = self.people.unverified();
        if !unverified.is_empty() && !self.confirmed.to_unverified {
            let lines = vec![
                format!("{}: you never compared safety words.", unverified.join("; ")),
                "It may be somebody else who reads the case. That it was sent so stands in the case.".into(),
                String::new(),
                "Better: compare the words by phone first (colleagues). Send it all the same?".into(),
            ];
            let title = "Send to somebody unverified?".into();
            return context.confirm(Question { title, lines }, Action::SendUnverified);
        }
        let lines = self.summary();
        context.confirm(Question { title: "Send this case?".into(), lines }, Action::SendCase);
    }

    fn summary(&self) -> Vec<String> {
        let mut lines = vec![format!("Question: {}", cut(&text_of(&self.question).unwrap_or_default()))];
        for (name, text) in [("Context", &self.context), ("First report", &self.report)] {
            if let Some(text) = text_of(text) {
                lines.push(format!("{name}: {}", cut(&text)));
            }
        }
        lines.push(String::new());
        lines.extend(self.studies.summary());
        lines.push(String::new());
        lines.push(format!("To: {}", self.people.chosen_words().join("; ")));
        let (_, urgency) = URGENCIES.get(self.urgency).copied().unwrap_or(URGENCIES[0]);
        let due = match self.due.text().trim() {
            "" => String::new(),
            due => format!(", due {}", shown(due)),
        };
        lines.push(format!("Urgency: {urgency}{due}"));
        lines.push(String::new());
        lines.push("Only the de-identified images leave, sealed to these people. The names above stay here.".into());
        lines
    }

    fn wrong_due(&self) -> Option<String> {
        let due = self.due.text().trim();
        let is_right = due.is_empty() || parse_duration_ms(due).is_some() || Timestamp::parse(due).is_some();
        (!is_right).then(|| "Due is a time from now (90m, 4h, 2d) or a date with time and offset.".to_owned())
    }

    fn send(&mut self, context: &mut Context<'_>) {
        let Some(ask) = text_of(&self.question) else { return };
        let due = Some(self.due.text().trim().to_owned()).filter(|due| !due.is_empty());
        let request = CaseNew {
            ask,
            context: text_of(&self.context),
            first_report: text_of(&self.report),
            studies: self.studies.with_role(Role::Index),
            priors: self.studies.with_role(Role::Prior),
            invite: self.people.chosen(),
            urgency: URGENCIES.get(self.urgency).map(|(word, _)| (*word).into()),
            due,
            to_unverified: self.confirmed.to_unverified,
            text_checked: self.confirmed.text_checked,
            other_patient: self.confirmed.other_patient,
        };
        self.sending = Some(context.write(Request::CaseNew(request)));
    }

    /// What the node did not do, asked about where a person may say that it is meant.
    fn refused(&mut self, failure: &Failure, context: &mut Context<'_>) {
        let mut lines = vec![shown(&failure.what).into_owned(), String::new()];
        match failure.code {
            FailureCode::TextCheck if !self.confirmed.text_checked => {
                let hits = failure.details.iter().flat_map(|(field, hits)| {
                    hits.iter().map(move |hit| format!("  {}: {}", shown(field), shown(hit)))
                });
                let hits: Vec<String> = hits.collect();
                lines.extend(hits.iter().take(HITS_SHOWN_MAX).cloned());
                if hits.len() > HITS_SHOWN_MAX {
                    lines.push(format!("  and {} more", hits.len() - HITS_SHOWN_MAX));
                }
                if self.studies.all_received() {
                    lines.push("The patient's names are not known here: only general forms were looked for.".into());
                }
                lines.push(String::new());
                lines.push("You have read it, and it names nobody: send it as it is?".into());
                let title = "Does this name the patient?".into();
                context.confirm(Question { title, lines }, Action::SendChecked);
            }
            FailureCode::OtherPatient if !self.confirmed.other_patient => {
                let patients = failure.details.values().flatten();
                lines.extend(patients.take(HITS_SHOWN_MAX).map(|patient| format!("  {}", shown(patient))));
                lines.push(String::new());
                lines.push("Put them into one case all the same? Readers then see them side by side.".into());
                let title = "Two patients?".into();
                context.confirm(Question { title, lines }, Action::SendOtherPatient);
            }
            _ => context.say_failure(failure),
        }
    }

    fn take_report(&mut self, text: &str) {
        let mut report = text_area();
        report.insert_str(&*crate::encoding::text::shown_lines(text));
        self.report = report;
        self.part = Part::Report;
        self.confirmed.text_checked = false;
    }

    fn typed_path(&mut self, context: &mut Context<'_>) {
        let path = self.report_path.take().map(|field| field.text().trim().to_owned()).unwrap_or_default();
        if !path.is_empty() {
            self.reading = Some(context.read_text(&PathBuf::from(path)));
        }
    }

    fn list_key(&mut self, chord: Chord, page: usize) {
        let action = match chord.code {
            KeyCode::Up => Action::Up,
            KeyCode::Down => Action::Down,
            KeyCode::PageUp => Action::PageUp,
            KeyCode::PageDown => Action::PageDown,
            KeyCode::Home => Action::First,
            KeyCode::End => Action::Last,
            KeyCode::Char(' ') | KeyCode::Enter => Action::Mark,
            _ => return,
        };
        // What was said yes to was said of another choice.
        if action == Action::Mark {
            self.confirmed = Confirmed { text_checked: self.confirmed.text_checked, ..Confirmed::default() };
        }
        match self.part {
            Part::Studies => self.studies.act(action, page),
            Part::People => self.people.act(action, page),
            _ => {}
        }
    }
}

impl Screen for NewCase {
    fn place(&self) -> Place {
        Place::CaseNew
    }

    fn title(&self) -> String {
        "ask a colleague".into()
    }

    fn typing(&self) -> bool {
        true
    }

    fn shown(&mut self, context: &mut Context<'_>) {
        self.listing = Some(context.ask(Request::StudyList));
        self.naming = Some(context.ask(Request::StudyPatients));
        self.counting = Some(context.ask(Request::CardList));
    }

    fn unsaved(&self) -> Option<&'static str> {
        (!self.is_empty()).then_some("The case that you are writing is not sent and not kept.")
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        if self.sending.is_some() {
            return;
        }
        match action {
            Action::Back if self.report_path.is_some() => self.report_path = None,
            Action::Back if self.is_empty() => context.go(Go::Back),
            Action::Back => {
                let lines = vec!["What you wrote is not sent and not kept.".into()];
                context.confirm(Question { title: "Leave the case?".into(), lines }, Action::LeaveConfirmed);
            }
            Action::LeaveConfirmed => context.go(Go::Back),
            Action::NextField if self.report_path.is_none() => self.moved(1),
            Action::PreviousField if self.report_path.is_none() => self.moved(PARTS.len() - 1),
            Action::ReportFromFile => {
                self.part = Part::Report;
                self.report_path = Some(Field::new("", "~/report.txt"));
            }
            Action::Review if self.reading.is_some() => context.say("The report is still being read."),
            Action::Review if self.report_path.is_none() => self.review(context),
            Action::ReplaceReport => {
                if let Some(text) = self.offered.take() {
                    self.take_report(&text);
                }
            }
            Action::SendUnverified => {
                self.confirmed.to_unverified = true;
                self.review(context);
            }
            Action::SendCase => self.send(context),
            Action::SendChecked => {
                self.confirmed.text_checked = true;
                self.send(context);
            }
            Action::SendOtherPatient => {
                self.confirmed.other_patient = true;
                self.send(context);
            }
            _ => {}
        }
    }

    fn key(&mut self, key: KeyEvent, context: &mut Context<'_>) {
        if self.sending.is_some() {
            return;
        }
        let chord = Chord::of(key);
        if let Some(field) = &mut self.report_path {
            match chord.code {
                KeyCode::Enter => self.typed_path(context),
                _ => drop(field.key(key)),
            }
            return;
        }
        match self.part {
            Part::Studies | Part::People => {
                let areas = draw::Areas::of(context.area);
                let area = if self.part == Part::Studies { areas.studies } else { areas.people };
                self.list_key(chord, usize::from(area.height.saturating_sub(1)));
            }
            Part::Urgency => {
                let last = URGENCIES.len() - 1;
                self.urgency = match chord.code {
                    KeyCode::Right | KeyCode::Down | KeyCode::Char(' ') => (self.urgency + 1) % URGENCIES.len(),
                    KeyCode::Left | KeyCode::Up => (self.urgency + last) % URGENCIES.len(),
                    _ => self.urgency,
                };
            }
            Part::Due => drop(self.due.key(key)),
            Part::Question | Part::Context | Part::Report => {
                if let Some(editor) = self.editor()
                    && editor.input(key)
                {
                    self.confirmed.text_checked = false;
                }
            }
        }
    }

    fn paste(&mut self, text: &str, _context: &mut Context<'_>) {
        if self.sending.is_some() {
            return;
        }
        if let Some(field) = &mut self.report_path {
            field.paste(text);
        } else if self.part == Part::Due {
            self.due.paste(text);
        } else if let Some(editor) = self.editor() {
            editor.insert_str(crate::encoding::text::shown_lines(&text.replace("\r\n", "\n").replace('\r', "\n")));
            self.confirmed.text_checked = false;
        }
    }

    fn pointer(&mut self, pointer: MouseEvent, context: &mut Context<'_>) {
        if let MouseEventKind::Down(_) = pointer.kind
            && let Some(part) = draw::Areas::of(context.area).part_at(pointer.column, pointer.row)
        {
            self.part = part;
        }
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) {
        let ticket = Some(ticket);
        if self.sending == ticket {
            self.sending = None;
            match outcome.as_deref() {
                Ok(Reply::CaseCreated { case, spoken, .. }) => {
                    context.say_good("The case is made. Its page Members shows whom it has reached.");
                    context.go(Go::Back);
                    context.go(Go::Over(Box::new(CaseScreen::new(case, spoken))));
                }
                Ok(_) => {}
                Err(failure) => self.refused(failure, context),
            }
            return;
        }
        let waits = [&mut self.listing, &mut self.naming, &mut self.counting];
        let Some(awaited) = waits.into_iter().find(|awaited| **awaited == ticket) else { return };
        *awaited = None;
        match outcome.as_deref() {
            Ok(Reply::Studies { studies }) => self.studies.fill(studies.clone()),
            Ok(Reply::Patients { patients }) => self.studies.name(patients),
            Ok(Reply::Cards { cards }) => self.people.fill(cards.clone()),
            Ok(_) => {}
            Err(failure) => context.say_failure(failure),
        }
    }

    fn text_read(&mut self, ticket: Ticket, outcome: &Result<String, String>, context: &mut Context<'_>) {
        if self.reading != Some(ticket) {
            return;
        }
        self.reading = None;
        match outcome {
            Ok(text) if text_of(&self.report).is_some() => {
                self.offered = Some(text.clone());
                let lines = vec!["What stands in the first report goes.".into()];
                context.confirm(Question { title: "Replace the report?".into(), lines }, Action::ReplaceReport);
            }
            Ok(text) => self.take_report(text),
            Err(why) => context.say(why),
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        draw::form(self, frame, area, look);
    }
}

/// What was typed, without blank lines around it.
fn text_of(area: &TextArea<'_>) -> Option<String> {
    let text = area.lines().join("\n");
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The beginning of a text, in one line.
fn cut(text: &str) -> String {
    let text = shown(text);
    let mut cut: String = text.chars().take(TEXT_SHOWN_CHARS_MAX).collect();
    if cut.len() < text.len() {
        cut += &format!(" … ({} characters)", text.chars().count());
    }
    cut
}

/// A study's patient and what it is, in a line.
fn study_words(who: Option<&crate::node::api::PlanPatient>, modality: &str, description: &str) -> String {
    let what = kind_of(modality, description);
    match who {
        Some(patient) => format!("{what}, {}, {}", patient::date(&patient.study_date), patient::who(patient)),
        None => what,
    }
}
