//! The opinion form: what is signed, and what it rests on.
//!
//! What is written is kept by itself as a draft (`keeping`) until it is signed or dropped, and comes back when the form
//! is opened again.
//!
//! Only impression and agreement are required. Before anything is signed the person sees exactly what goes out and
//! its basis; what the node finds missing (images, a text that seems to name the patient) is asked about, once each.

mod keeping;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};
use ratatui_textarea::{CursorMove, TextArea, WrapMode};

use self::keeping::{Heard, Keeping};
use super::keys::{Action, Chord, Place};
use super::look::Look;
use super::message::Ticket;
use super::screen::{Context, Dots, Go, Outcome, Screen};
use super::widget::popup::Question;
use crate::encoding::text::{shown, shown_lines};
use crate::node::api::{
    CaseView, CriticalDraft, Displayed, FailureCode, OpinionDraft, PartlyDisplayed, Reply, Request,
};

const AGREEMENTS: [(&str, &str); 3] =
    [("agree", "agrees with the first report"), ("partly", "agrees in part"), ("disagree", "disagrees")];

/// The fields in the order of Tab. The first is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Agreement,
    Impression,
    Findings,
    Recommendation,
}

const PARTS: [Part; 4] = [Part::Agreement, Part::Impression, Part::Findings, Part::Recommendation];

impl Part {
    fn title(self) -> &'static str {
        match self {
            Self::Agreement => "Agreement (← → chooses)",
            Self::Impression => "Impression (required)",
            Self::Findings => "Findings",
            Self::Recommendation => "Recommendation",
        }
    }
}

/// An opinion that is being written.
#[derive(Debug)]
pub struct OpinionForm {
    case: String,
    spoken: String,
    question: String,
    /// The entries that say what is asked, as the form shows it.
    asked_by: Vec<String>,
    /// And as the person saw it before signing.
    reviewed: Vec<String>,
    /// What is asked is not what it was when the form was opened.
    is_asked_anew: bool,
    /// What is not here, in words.
    missing: Vec<String>,
    looking: Option<Ticket>,
    /// Something came while it looked.
    stale: bool,
    /// What stood on the screen when the form was opened.
    displayed: Displayed,
    part: Part,
    agreement: Option<usize>,
    texts: [TextArea<'static>; 3],
    /// What the form has no fields for, of a draft that was kept from the command line.
    confidence: Option<u32>,
    critical: Option<CriticalDraft>,
    keeping: Keeping,
    is_open: bool,
    /// Goes as soon as all is kept.
    leaving: bool,
    is_signed: bool,
    signing: Option<Ticket>,
    incomplete_ok: bool,
    text_checked: bool,
}

impl OpinionForm {
    pub fn new(case: &CaseView, displayed: Displayed) -> Self {
        Self {
            case: case.id.clone(),
            spoken: case.spoken.clone(),
            question: case.question.clone(),
            asked_by: case.asked_by.clone(),
            reviewed: Vec::new(),
            is_asked_anew: false,
            missing: missing(case),
            looking: None,
            stale: false,
            displayed,
            part: Part::Agreement,
            agreement: None,
            texts: [editor(""), editor(""), editor("")],
            confidence: None,
            critical: None,
            keeping: Keeping::new(&case.id),
            is_open: false,
            leaving: false,
            is_signed: false,
            signing: None,
            incomplete_ok: false,
            text_checked: false,
        }
    }

    /// Looks whether something else is asked by now.
    fn look(&mut self, context: &mut Context<'_>) {
        if self.looking.is_some() {
            self.stale = true;
            return;
        }
        self.stale = false;
        self.looking = Some(context.ask(Request::CaseShow { case: self.case.clone() }));
    }

    fn take(&mut self, case: &CaseView, context: &mut Context<'_>) {
        self.missing = missing(case);
        if self.asked_by != case.asked_by {
            self.question.clone_from(&case.question);
            self.asked_by.clone_from(&case.asked_by);
            self.is_asked_anew = true;
            context.say("What is asked has changed: read the question, its context and the first report once more.");
        }
    }

    fn text(&self, part: Part) -> Option<String> {
        let area = match part {
            Part::Agreement => return None,
            Part::Impression => &self.texts[0],
            Part::Findings => &self.texts[1],
            Part::Recommendation => &self.texts[2],
        };
        let text = area.lines().join("\n");
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn editor(&mut self) -> Option<&mut TextArea<'static>> {
        match self.part {
            Part::Agreement => None,
            Part::Impression => Some(&mut self.texts[0]),
            Part::Findings => Some(&mut self.texts[1]),
            Part::Recommendation => Some(&mut self.texts[2]),
        }
    }

    fn moved(&mut self, by: usize) {
        let at = PARTS.iter().position(|part| *part == self.part).unwrap_or_default();
        self.part = PARTS.get((at + by) % PARTS.len()).copied().unwrap_or(Part::Agreement);
    }

    /// What is written so far.
    fn draft(&self) -> OpinionDraft {
        let agreement = self.agreement.and_then(|at| AGREEMENTS.get(at));
        OpinionDraft {
            impression: self.text(Part::Impression).unwrap_or_default(),
            agreement: agreement.map_or_else(String::new, |(word, _)| (*word).into()),
            findings: self.text(Part::Findings),
            recommendation: self.text(Part::Recommendation),
            confidence: self.confidence,
            critical: self.critical.clone(),
        }
    }

    fn restore(&mut self, draft: OpinionDraft) {
        self.agreement = AGREEMENTS.iter().position(|(word, _)| *word == draft.agreement);
        let texts = [Some(draft.impression), draft.findings, draft.recommendation];
        self.texts = texts.map(|text| editor(&text.unwrap_or_default()));
        (self.confidence, self.critical) = (draft.confidence, draft.critical);
    }

    /// Whether keys change nothing now.
    fn is_busy(&self) -> bool {
        self.signing.is_some() || self.leaving || self.keeping.is_reading()
    }

    fn keep_if_due(&mut self, context: &mut Context<'_>) {
        // After a signature on its way the draft would come back.
        if self.signing.is_none() && !self.is_signed && self.keeping.is_due(context) {
            // What it says about a draft that is too long stands in the form.
            let _ = self.keeping.keep(self.draft(), context);
        }
    }

    /// Goes once everything is kept; if that takes long or fails, only after a question.
    fn leave(&mut self, context: &mut Context<'_>) {
        if self.leaving {
            self.leave_unkept("The node does not answer.", context);
            return;
        }
        if let Err(why) = self.keeping.keep(self.draft(), context) {
            self.leave_unkept(&why, context);
            return;
        }
        self.leaving = true;
        self.go_if_kept(context);
    }

    fn go_if_kept(&mut self, context: &mut Context<'_>) {
        if self.leaving && self.keeping.is_kept() {
            if !self.draft().is_empty() {
                context.say("Your draft is kept on this machine; Ctrl+O goes on with it.");
            }
            context.go(Go::Back);
        }
    }

    fn leave_unkept(&mut self, why: &str, context: &mut Context<'_>) {
        let lines = vec![shown(why).into_owned(), "What you wrote last is not kept. Leave all the same?".into()];
        context.confirm(Question { title: "Leave the opinion?".into(), lines }, Action::LeaveConfirmed);
    }

    fn start_over(&mut self, context: &mut Context<'_>) {
        self.restore(OpinionDraft::default());
        self.part = Part::Agreement;
        self.keeping.start_over(context);
        context.say("The draft is dropped.");
    }

    /// Shows what will be signed, or says what is missing for it.
    fn review(&mut self, context: &mut Context<'_>) {
        let Some((_, agreement)) = self.agreement.and_then(|at| AGREEMENTS.get(at)) else {
            self.part = Part::Agreement;
            context.say("Choose first: do you agree with the first report?");
            return;
        };
        let Some(impression) = self.text(Part::Impression) else {
            self.part = Part::Impression;
            context.say("Write an impression first.");
            return;
        };
        (self.incomplete_ok, self.text_checked) = (false, false);
        self.reviewed.clone_from(&self.asked_by);
        let displayed: u32 = self.displayed.series.iter().map(|series| series.instances).sum();
        let mut lines = vec![format!("You answer: {}", shown(&self.question)), format!("Agreement: {agreement}")];
        if self.is_asked_anew {
            lines.push("CHANGED while you wrote: the question, its context or the first report.".into());
        }
        lines.extend(self.missing.iter().map(|missing| format!("LIMITED: {missing}")));
        lines.push(format!(
            "It rests on {displayed} images that stood on this screen ({}, {} greys).",
            self.displayed.protocol, self.displayed.grey_steps
        ));
        let partly = self.displayed.series.iter().map(|series| series.partly);
        let partly = partly.fold(PartlyDisplayed::default(), PartlyDisplayed::and).words();
        lines.extend(
            partly.map(|frames| format!("Besides {frames} stood there: an image counts with all of its frames.")),
        );
        let texts = [
            ("Impression", Some(impression)),
            ("Findings", self.text(Part::Findings)),
            ("Recommendation", self.text(Part::Recommendation)),
        ];
        for (title, text) in texts.into_iter().filter_map(|(title, text)| Some((title, text?))) {
            lines.extend(format!("{title}: {}", shown_lines(&text)).lines().map(str::to_owned));
        }
        lines.extend(self.confidence.map(|percent| format!("Confidence: {percent} %")));
        if let Some(CriticalDraft { finding, called, at, taken_by }) = &self.critical {
            let call = format!("CRITICAL: {finding}; called {called} at {at}, taken by {taken_by}");
            lines.push(shown(&call).into_owned());
        }
        lines.push("An opinion is never changed later: addenda only. Sign it?".into());
        context.confirm(Question { title: "Sign this opinion".into(), lines }, Action::Sign);
    }

    fn sign(&mut self, context: &mut Context<'_>) {
        let opinion = self.draft();
        if opinion.agreement.is_empty() || opinion.impression.is_empty() {
            return;
        }
        // What is too long is refused by the node too.
        let _ = self.keeping.keep(opinion.clone(), context);
        self.signing = Some(context.write(Request::OpinionSign {
            case: self.case.clone(),
            opinion,
            displayed: Some(self.displayed.clone()),
            incomplete_ok: self.incomplete_ok,
            text_checked: self.text_checked,
            draft: self.keeping.newest(),
            asked_by: Some(self.reviewed.clone()),
        }));
    }
}

impl Screen for OpinionForm {
    fn place(&self) -> Place {
        Place::Opinion
    }

    fn title(&self) -> String {
        format!("opinion on {}", self.spoken)
    }

    fn typing(&self) -> bool {
        true
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        match action {
            Action::Back if self.signing.is_none() => self.leave(context),
            Action::LeaveConfirmed => context.go(Go::Back),
            Action::StartOver if self.is_busy() => {}
            Action::StartOver if self.draft().is_empty() => context.say("Nothing is written yet."),
            Action::StartOver => {
                let lines = vec!["What is written here and kept of it is dropped.".into()];
                context.confirm(Question { title: "Start over?".into(), lines }, Action::StartOverConfirmed);
            }
            Action::StartOverConfirmed => self.start_over(context),
            Action::NextField => self.moved(1),
            Action::PreviousField => self.moved(PARTS.len() - 1),
            Action::Review if !self.is_busy() => self.review(context),
            Action::Sign => self.sign(context),
            Action::SignIncomplete => {
                self.incomplete_ok = true;
                self.sign(context);
            }
            Action::SignChecked => {
                self.text_checked = true;
                self.sign(context);
            }
            _ => {}
        }
    }

    fn shown(&mut self, context: &mut Context<'_>) {
        if !self.is_open {
            self.is_open = true;
            self.keeping.begin(context);
        }
    }

    fn dropped(&mut self, context: &mut Context<'_>) {
        if self.signing.is_none() && !self.is_signed {
            // Nobody is left to be told.
            let _ = self.keeping.keep(self.draft(), context);
        }
    }

    fn tick(&mut self, context: &mut Context<'_>) {
        self.keep_if_due(context);
    }

    fn happened(&mut self, _what: &str, case: Option<&str>, context: &mut Context<'_>) {
        if case == Some(&self.case) {
            self.look(context);
        }
    }

    fn key(&mut self, key: KeyEvent, context: &mut Context<'_>) {
        if self.is_busy() {
            return;
        }
        let chord = Chord::of(key);
        let agreement = self.agreement;
        let is_changed = match self.editor() {
            Some(editor) => editor.input(key),
            None => {
                match (chord.code, chord.modifiers) {
                    (KeyCode::Right | KeyCode::Char(' '), KeyModifiers::NONE) => {
                        self.agreement = Some(self.agreement.map_or(0, |at| (at + 1) % AGREEMENTS.len()));
                    }
                    (KeyCode::Left, KeyModifiers::NONE) => {
                        let last = AGREEMENTS.len() - 1;
                        self.agreement = Some(self.agreement.map_or(last, |at| (at + last) % AGREEMENTS.len()));
                    }
                    (KeyCode::Enter, _) => self.moved(1),
                    _ => {}
                }
                agreement != self.agreement
            }
        };
        if is_changed {
            self.keeping.changed(context);
        }
        // Who types without a pause leaves no tick to it.
        self.keep_if_due(context);
    }

    fn paste(&mut self, text: &str, context: &mut Context<'_>) {
        if !self.is_busy() && self.editor().is_some_and(|editor| editor.insert_str(text)) {
            self.keeping.changed(context);
        }
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) {
        match self.keeping.answered(ticket, outcome, context) {
            Heard::Nothing => {}
            Heard::Read(draft) => draft.into_iter().for_each(|draft| self.restore(draft.opinion)),
            Heard::Kept => self.go_if_kept(context),
            Heard::Failed(failure) if self.leaving => {
                self.leaving = false;
                self.leave_unkept(&failure.what, context);
            }
            Heard::Failed(failure) => context.say_failure(&failure),
        }
        self.keep_if_due(context);
        if self.looking == Some(ticket) {
            self.looking = None;
            if let Ok(Reply::Case(case)) = outcome.as_deref() {
                self.take(case, context);
            }
            if self.stale {
                self.look(context);
            }
        }
        if self.signing != Some(ticket) {
            return;
        }
        self.signing = None;
        let failure = match outcome {
            Ok(_) => {
                self.is_signed = true;
                context.say_good("Signed. The case shows who has it.");
                context.go(Go::Back);
                return;
            }
            Err(failure) => failure,
        };
        let mut lines = vec![failure.what.clone()];
        lines.extend(failure.details.values().flatten().cloned());
        match failure.code {
            FailureCode::Unsafe if failure.details.contains_key("asked_by") => {
                context.say_failure(failure);
                self.look(context);
            }
            FailureCode::TextCheck if !self.text_checked => {
                lines.push("Sign it as it is?".into());
                context.confirm(Question { title: "Does this name the patient?".into(), lines }, Action::SignChecked);
            }
            FailureCode::Unsafe if !self.incomplete_ok => {
                lines.push("Sign all the same? The limitation stands first in the opinion.".into());
                context.confirm(Question { title: "The study is not complete".into(), lines }, Action::SignIncomplete);
            }
            _ => context.say_failure(failure),
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        let [question, agreement, impression, findings, recommendation] = Layout::vertical([
            Constraint::Length(2),
            Constraint::Length(3),
            Constraint::Fill(3),
            Constraint::Fill(3),
            Constraint::Fill(2),
        ])
        .areas(area);
        let mut lines = vec![Line::styled(shown(&self.question).into_owned(), look.heading())];
        if self.is_asked_anew {
            lines.insert(0, Line::styled("what is asked has changed while you wrote", look.warn()));
        }
        lines.extend(self.missing.iter().map(|missing| Line::styled(format!("limited: {missing}"), look.warn())));
        frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: true }), question);
        self.draw_title(frame, agreement, Part::Agreement, look);
        let kept = Rect { height: 1.min(agreement.height), ..agreement };
        frame.render_widget(Paragraph::new(self.keeping.words(look)).right_aligned(), kept);
        let choices = AGREEMENTS.iter().enumerate().flat_map(|(at, (_, words))| {
            let style = if self.agreement == Some(at) { look.chosen() } else { look.plain() };
            [Span::raw("  "), Span::styled(format!(" {words} "), style)]
        });
        frame.render_widget(Paragraph::new(Line::from_iter(choices)), below(agreement));
        for (area, part, text) in [
            (impression, Part::Impression, &self.texts[0]),
            (findings, Part::Findings, &self.texts[1]),
            (recommendation, Part::Recommendation, &self.texts[2]),
        ] {
            self.draw_title(frame, area, part, look);
            let mut text = text.clone();
            if part != self.part {
                text.set_cursor_style(ratatui::style::Style::new());
            }
            let body = below(area);
            frame.render_widget(&text, Rect { x: body.x + 2, width: body.width.saturating_sub(2), ..body });
        }
    }
}

impl OpinionForm {
    fn draw_title(&self, frame: &mut Frame<'_>, area: Rect, part: Part, look: Look) {
        let style = if part == self.part { look.key() } else { look.dim() };
        let line = Rect { height: 1.min(area.height), ..area };
        frame.render_widget(Paragraph::new(Line::styled(part.title(), style)), line);
    }
}

/// What of a case's images is not here, in words.
fn missing(case: &CaseView) -> Vec<String> {
    let missing = case.studies.iter().filter(|study| study.chunks_have < study.chunks_total && !study.withdrawn);
    missing.map(|study| format!("{}: images are still arriving", study.role)).collect()
}

fn below(area: Rect) -> Rect {
    Rect { y: area.y + 1.min(area.height), height: area.height.saturating_sub(1), ..area }
}

/// A text to be edited, with the cursor at its end.
fn editor(text: &str) -> TextArea<'static> {
    let mut editor = TextArea::new(text.lines().map(str::to_owned).collect());
    editor.move_cursor(CursorMove::Bottom);
    editor.move_cursor(CursorMove::End);
    editor.set_cursor_line_style(ratatui::style::Style::new());
    editor.set_wrap_mode(WrapMode::Word);
    editor
}

#[cfg(test)]
mod tests;
