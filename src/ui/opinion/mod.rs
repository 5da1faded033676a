//! The opinion form: what is signed, and what it rests on.
//!
//! Only impression and agreement are required. Before anything is signed the person sees exactly what goes out and
//! its basis; what the node finds missing (images, a text that seems to name the patient) is asked about, once each.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};
use ratatui_textarea::{TextArea, WrapMode};

use super::keys::{Action, Chord, Place};
use super::look::Look;
use super::message::Ticket;
use super::screen::{Context, Dots, Go, Outcome, Screen};
use super::widget::popup::Question;
use crate::encoding::text::shown;
use crate::node::api::{CaseView, Displayed, FailureCode, OpinionDraft, Request};

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
    /// What is not here, in words.
    missing: Vec<String>,
    /// What stood on the screen when the form was opened.
    displayed: Displayed,
    part: Part,
    agreement: Option<usize>,
    texts: [TextArea<'static>; 3],
    signing: Option<Ticket>,
    incomplete_ok: bool,
    text_checked: bool,
}

impl OpinionForm {
    pub fn new(case: &CaseView, displayed: Displayed) -> Self {
        let missing = case.studies.iter().filter(|study| study.chunks_have < study.chunks_total && !study.withdrawn);
        let missing = missing.map(|study| format!("{}: images are still arriving", study.role)).collect();
        let text = || {
            let mut text = TextArea::default();
            text.set_cursor_line_style(ratatui::style::Style::new());
            text.set_wrap_mode(WrapMode::Word);
            text
        };
        Self {
            case: case.id.clone(),
            spoken: case.spoken.clone(),
            question: case.question.clone(),
            missing,
            displayed,
            part: Part::Agreement,
            agreement: None,
            texts: [text(), text(), text()],
            signing: None,
            incomplete_ok: false,
            text_checked: false,
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
        let displayed: u32 = self.displayed.series.iter().map(|series| series.instances).sum();
        let mut lines = vec![format!("You answer: {}", shown(&self.question)), format!("Agreement: {agreement}")];
        lines.extend(self.missing.iter().map(|missing| format!("LIMITED: {missing}")));
        lines.push(format!(
            "It rests on {displayed} images that stood on this screen ({}, {} greys).",
            self.displayed.protocol, self.displayed.grey_steps
        ));
        lines.push(format!("Impression: {}", shown(&impression)));
        for part in [Part::Findings, Part::Recommendation] {
            if let Some(text) = self.text(part) {
                lines.push(format!("{}: {}", part.title(), shown(&text)));
            }
        }
        lines.push("An opinion is never changed later: addenda only. Sign it?".into());
        context.confirm(Question { title: "Sign this opinion".into(), lines }, Action::Sign);
    }

    fn sign(&mut self, context: &mut Context<'_>) {
        let (Some((word, _)), Some(impression)) =
            (self.agreement.and_then(|at| AGREEMENTS.get(at)), self.text(Part::Impression))
        else {
            return;
        };
        let opinion = OpinionDraft {
            impression,
            agreement: (*word).into(),
            findings: self.text(Part::Findings),
            recommendation: self.text(Part::Recommendation),
            confidence: None,
            critical: None,
        };
        self.signing = Some(context.write(Request::OpinionSign {
            case: self.case.clone(),
            opinion,
            displayed: Some(self.displayed.clone()),
            incomplete_ok: self.incomplete_ok,
            text_checked: self.text_checked,
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
            Action::Back if self.signing.is_none() => {
                if self.texts.iter().all(TextArea::is_empty) {
                    context.go(Go::Back);
                } else {
                    let lines = vec!["What you wrote is not signed and not kept.".into()];
                    context.confirm(Question { title: "Leave the opinion?".into(), lines }, Action::LeaveConfirmed);
                }
            }
            Action::LeaveConfirmed => context.go(Go::Back),
            Action::NextField => self.moved(1),
            Action::PreviousField => self.moved(PARTS.len() - 1),
            Action::Review if self.signing.is_none() => self.review(context),
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

    fn key(&mut self, key: KeyEvent, _context: &mut Context<'_>) {
        if self.signing.is_some() {
            return;
        }
        let chord = Chord::of(key);
        match self.editor() {
            Some(editor) => drop(editor.input(key)),
            None => match (chord.code, chord.modifiers) {
                (KeyCode::Right | KeyCode::Char(' '), KeyModifiers::NONE) => {
                    self.agreement = Some(self.agreement.map_or(0, |at| (at + 1) % AGREEMENTS.len()));
                }
                (KeyCode::Left, KeyModifiers::NONE) => {
                    let last = AGREEMENTS.len() - 1;
                    self.agreement = Some(self.agreement.map_or(last, |at| (at + last) % AGREEMENTS.len()));
                }
                (KeyCode::Enter, _) => self.moved(1),
                _ => {}
            },
        }
    }

    fn paste(&mut self, text: &str, _context: &mut Context<'_>) {
        if let Some(editor) = self.editor() {
            editor.insert_str(text);
        }
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) {
        if self.signing != Some(ticket) {
            return;
        }
        self.signing = None;
        let failure = match outcome {
            Ok(_) => {
                context.say_good("Signed. The case shows who has it.");
                context.go(Go::Back);
                return;
            }
            Err(failure) => failure,
        };
        let mut lines = vec![failure.what.clone()];
        lines.extend(failure.details.values().flatten().cloned());
        match failure.code {
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
        lines.extend(self.missing.iter().map(|missing| Line::styled(format!("limited: {missing}"), look.warn())));
        frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: true }), question);
        self.draw_title(frame, agreement, Part::Agreement, look);
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

fn below(area: Rect) -> Rect {
    Rect { y: area.y + 1.min(area.height), height: area.height.saturating_sub(1), ..area }
}
