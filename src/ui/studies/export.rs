//! Writing a study as DICOM files into a folder: where to, the writing, and what came of it.

use std::path::PathBuf;

use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use crate::encoding::text::shown;
use crate::node::api::{Event, Failure, FailureCode, Progress, Reply, Request, StudyView};
use crate::ui::browse::{Destination, Written};
use crate::ui::files::Listing;
use crate::ui::keys::{Action, Place};
use crate::ui::look::Look;
use crate::ui::message::{Ticket, Wish};
use crate::ui::screen::{Context, Dots, Go, Outcome, Screen};
use crate::ui::widget::amount::{bytes, count, draw_busy};
use crate::ui::widget::text::{hanging, kind_of};

/// Characters of an id that stand in the name of the folder.
const ID_CHARS: usize = 10;

/// Said before and after each export.
const NEVER: &str = "For consultation, never for primary diagnosis. What is exported cannot be recalled.";

/// What is on the screen.
#[derive(Debug)]
enum Step {
    Where,
    Write {
        ticket: Ticket,
        progress: Option<Progress>,
    },
    Written {
        /// What was written, and whether that is all.
        words: String,
        is_whole: bool,
    },
}

/// An export of one study.
#[derive(Debug)]
pub struct ExportStudy {
    study: StudyView,
    step: Step,
    destination: Destination,
    path: PathBuf,
    /// Why the last one failed.
    trouble: Option<String>,
}

impl ExportStudy {
    pub fn new(study: &StudyView) -> Self {
        let id: String = study.id.chars().take(ID_CHARS).collect();
        let about = if study.description.trim().is_empty() { &study.modality } else { &study.description };
        Self {
            study: study.clone(),
            step: Step::Where,
            destination: Destination::folder(&format!("{about} {id}")),
            path: PathBuf::new(),
            trouble: None,
        }
    }

    fn written(&mut self, written: Written, context: &mut Context<'_>) {
        match written {
            Written::Nothing => {}
            Written::Left => context.go(Go::Back),
            Written::Here(path) => {
                self.trouble = None;
                self.path = path;
                let request = Request::StudyExport { study: self.study.id.clone(), directory: self.path.clone() };
                self.step = Step::Write { ticket: context.ask(request), progress: None };
            }
        }
    }

    /// What is written, in words.
    fn name(&self) -> String {
        let name = kind_of(&self.study.modality, &self.study.description);
        format!("{name}, {}", count(self.study.instances, "image"))
    }

    fn lines(&self, look: Look, width: u16) -> Vec<Line<'static>> {
        let Step::Written { words, is_whole } = &self.step else { return Vec::new() };
        let mut lines = vec![Line::raw("")];
        let mut say = |style: Style, words: &str| {
            lines.extend(hanging("  ", words, width).into_iter().map(|line| Line::styled(line, style)));
            lines.push(Line::raw(""));
        };
        say(if *is_whole { look.good() } else { look.warn() }, words);
        say(look.heading(), &shown(&self.path.to_string_lossy()));
        say(look.plain(), "One folder a series, one file an image: any DICOM viewer opens them.");
        say(look.dim(), NEVER);
        lines
    }
}

/// What went wrong and what to do next here: some hints of the node are for the command line.
fn trouble(failure: &Failure) -> String {
    let hint = match failure.code {
        FailureCode::NotFound => Some("Fetch the case first (f in the worklist), then export."),
        FailureCode::Damaged => Some("Fetch the case again (f in the worklist), or import the study again."),
        _ => failure.hint.as_deref().filter(|hint| !hint.contains('`')),
    };
    let what = shown(&failure.what);
    match hint {
        Some(hint) => format!("{what} {}", shown(hint)),
        None => what.into_owned(),
    }
}

impl Screen for ExportStudy {
    fn place(&self) -> Place {
        match self.step {
            Step::Where => self.destination.place(),
            Step::Write { .. } => Place::Busy,
            Step::Written { .. } => Place::StudyExported,
        }
    }

    fn title(&self) -> String {
        "export a study as DICOM files".into()
    }

    fn typing(&self) -> bool {
        matches!(self.step, Step::Where) && self.destination.typing()
    }

    fn is_working(&self) -> bool {
        matches!(self.step, Step::Write { .. })
    }

    fn shown(&mut self, context: &mut Context<'_>) {
        self.destination.start(context);
    }

    fn dropped(&mut self, context: &mut Context<'_>) {
        if let Step::Write { ticket, .. } = self.step {
            context.wish(Wish::Cancel { ticket });
        }
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        match self.step {
            Step::Where => {
                let written = self.destination.act(action, context.area, context);
                self.written(written, context);
            }
            Step::Write { ticket, .. } if action == Action::Stop => {
                context.wish(Wish::Cancel { ticket });
                self.step = Step::Where;
                self.destination.look_again(context);
                context.say("Stopped: the files written so far are whole. Export again into a new folder.");
            }
            Step::Written { .. } if action == Action::Back => context.go(Go::Back),
            Step::Write { .. } | Step::Written { .. } => {}
        }
    }

    fn key(&mut self, key: KeyEvent, _context: &mut Context<'_>) {
        if self.typing() {
            self.destination.key(key);
        }
    }

    fn paste(&mut self, text: &str, _context: &mut Context<'_>) {
        if matches!(self.step, Step::Where) {
            self.destination.paste(text);
        }
    }

    fn pointer(&mut self, pointer: MouseEvent, context: &mut Context<'_>) {
        if matches!(self.step, Step::Where) {
            let written = self.destination.pointer(pointer, context.area, context);
            self.written(written, context);
        }
    }

    fn listed(&mut self, ticket: Ticket, outcome: &Result<Listing, String>, context: &mut Context<'_>) {
        self.destination.listed(ticket, outcome, context);
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) {
        if !matches!(self.step, Step::Write { ticket: own, .. } if own == ticket) {
            return;
        }
        self.step = match outcome.as_deref() {
            Ok(Reply::Exported { instances, bytes: written, .. }) => Step::Written {
                words: format!("{} are written, {}, into", count(*instances, "image"), bytes(*written)),
                is_whole: true,
            },
            Ok(_) => Step::Where,
            Err(failure) if failure.code == FailureCode::Partly => {
                let words = shown(&failure.what);
                let next = "Fetch the case (f in the worklist), then export again into a new folder.";
                Step::Written { words: format!("{words} {next} What is here stands in"), is_whole: false }
            }
            Err(failure) => {
                self.trouble = Some(trouble(failure));
                self.destination.look_again(context);
                Step::Where
            }
        };
    }

    fn on_the_way(&mut self, ticket: Ticket, event: &Event, _context: &mut Context<'_>) {
        if let (Event::Progress(at), Step::Write { ticket: own, progress }) = (event, &mut self.step)
            && *own == ticket
        {
            *progress = Some(at.clone());
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        match &self.step {
            Step::Where => {
                let mut words = vec![(format!("{}, as they are shared: de-identified.", self.name()), look.plain())];
                match &self.trouble {
                    Some(trouble) => words.push((trouble.clone(), look.bad())),
                    None => {
                        if self.study.left_out > 0 {
                            let left_out = count(self.study.left_out, "image");
                            words.push((format!("{left_out} left out are not written."), look.warn()));
                        }
                        words.push((NEVER.into(), look.dim()));
                    }
                }
                self.destination.draw(frame, area, &words, look);
            }
            Step::Write { progress, .. } => {
                let path = shown(&self.path.to_string_lossy()).into_owned();
                draw_busy(frame, area, "Opening and writing DICOM files.", &path, progress.as_ref(), look);
            }
            Step::Written { .. } => frame.render_widget(Paragraph::new(self.lines(look, area.width)), area),
        }
    }
}

#[cfg(test)]
mod tests;
