//! Choosing where something is written: a folder on the screen, and the name that is new in it.
//!
//! A name is proposed that is free in the folder that is seen, until the person gives one herself. Nothing is ever
//! written over: the node refuses it, and here it is said before.

use std::path::PathBuf;

use crossterm::event::{KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{Browser, Wanted, draw_list, draw_place};
use crate::encoding::text::shown;
use crate::ui::files::Listing;
use crate::ui::keys::{Action, Place};
use crate::ui::look::Look;
use crate::ui::message::Ticket;
use crate::ui::screen::Context;
use crate::ui::widget::field::Field;
use crate::ui::widget::text::hanging;

/// Most characters of a proposed name, without what makes it new.
const STEM_CHARS_MAX: usize = 48;

/// Names tried before one is proposed that may be taken.
const PROPOSALS_MAX: usize = 1_000;

/// What came of an action.
#[derive(Debug, PartialEq, Eq)]
pub enum Written {
    Nothing,
    /// She leaves it.
    Left,
    /// To this path.
    Here(PathBuf),
}

/// A folder and a name in it.
#[derive(Debug)]
pub struct Destination {
    browser: Browser,
    /// Of a file; a folder has none.
    ending: Option<&'static str>,
    stem: String,
    name: Field,
    naming: bool,
    /// She gave the name herself.
    is_hers: bool,
    /// The last that was done was a click on the folder itself: another one writes.
    clicked: bool,
}

impl Destination {
    /// Where a file is written whose name ends so.
    pub fn file(about: &str, ending: &'static str) -> Self {
        Self::new(about, Some(ending))
    }

    /// Where a folder is made.
    pub fn folder(about: &str) -> Self {
        Self::new(about, None)
    }

    fn new(about: &str, ending: Option<&'static str>) -> Self {
        let mut destination = Self {
            browser: Browser::new(Wanted::Place),
            ending,
            stem: stem(about),
            name: Field::new("", "its name"),
            naming: false,
            is_hers: false,
            clicked: false,
        };
        destination.propose();
        destination
    }

    /// Proposes another name, unless she gave one.
    pub fn rename(&mut self, about: &str) {
        self.stem = stem(about);
        self.propose();
    }

    pub fn place(&self) -> Place {
        match (self.naming, self.browser.is_typing()) {
            (true, _) => Place::Naming,
            (false, true) => Place::TypedPath,
            (false, false) => Place::Destination,
        }
    }

    pub fn typing(&self) -> bool {
        self.naming || self.browser.is_typing()
    }

    pub fn start(&mut self, context: &mut Context<'_>) {
        self.browser.start(context);
    }

    /// Reads the folder anew: something may have been written into it.
    pub fn look_again(&mut self, context: &mut Context<'_>) {
        self.browser.act(Action::Refresh, 1, context);
    }

    fn propose(&mut self) {
        if self.is_hers {
            return;
        }
        let named = |number: usize| match number {
            1 => self.with_ending(&self.stem),
            number => self.with_ending(&format!("{}-{number}", self.stem)),
        };
        let free = (1..PROPOSALS_MAX).map(named).find(|name| !self.browser.holds(name));
        let name = free.unwrap_or_else(|| named(1));
        self.name.set(&name);
    }

    fn with_ending(&self, name: &str) -> String {
        match self.ending {
            Some(ending) if !name.to_lowercase().ends_with(&format!(".{ending}")) => format!("{name}.{ending}"),
            _ => name.to_owned(),
        }
    }

    fn path(&self) -> Option<PathBuf> {
        Some(self.browser.folder()?.join(self.name.text().trim()))
    }

    fn is_taken(&self) -> bool {
        self.browser.holds(self.name.text().trim())
    }

    fn accept(&mut self, context: &mut Context<'_>) -> Written {
        let name = self.name.text().trim();
        if name.is_empty() || name.contains(['/', '\\']) || matches!(name, "." | "..") {
            self.naming = true;
            context.say("It needs a name, without a slash in it.");
            return Written::Nothing;
        }
        let name = self.with_ending(name);
        self.name.set(&name);
        if self.ending.is_some() && self.is_taken() {
            context.say("That file is there already, and nothing is written over it: n gives another name.");
            return Written::Nothing;
        }
        match self.path() {
            Some(path) => Written::Here(path),
            None => {
                context.say("The folder is still being read.");
                Written::Nothing
            }
        }
    }

    pub fn act(&mut self, action: Action, area: Rect, context: &mut Context<'_>) -> Written {
        self.clicked = false;
        if self.naming {
            match action {
                Action::Open => {
                    self.naming = false;
                    let name = self.with_ending(self.name.text().trim());
                    self.name.set(&name);
                }
                Action::Back => {
                    self.naming = false;
                    self.is_hers = false;
                    self.propose();
                }
                _ => {}
            }
            return Written::Nothing;
        }
        let is_here = action == Action::WriteHere || action == Action::Open && self.browser.is_at_folder();
        if is_here && !self.browser.is_typing() {
            return self.accept(context);
        }
        if self.browser.act(action, usize::from(parts(area)[2].height), context) {
            return Written::Nothing;
        }
        match action {
            Action::Back => return Written::Left,
            Action::GiveName => (self.naming, self.is_hers) = (true, true),
            // A file under the cursor gives its name, which is to be changed.
            Action::Open => {
                if let Some(name) =
                    self.browser.chosen_file().and_then(|path| Some(path.file_name()?.to_str()?.to_owned()))
                {
                    self.name.set(&name);
                    (self.naming, self.is_hers) = (true, true);
                }
            }
            _ => {}
        }
        Written::Nothing
    }

    pub fn key(&mut self, key: KeyEvent) {
        if self.naming {
            self.name.key(key);
        } else {
            self.browser.key(key);
        }
    }

    pub fn paste(&mut self, text: &str) {
        if self.naming {
            self.name.paste(text);
        } else {
            self.browser.paste(text);
        }
    }

    pub fn pointer(&mut self, pointer: MouseEvent, area: Rect, context: &mut Context<'_>) -> Written {
        match pointer.kind {
            MouseEventKind::ScrollDown => self.act(Action::Down, area, context),
            MouseEventKind::ScrollUp => self.act(Action::Up, area, context),
            MouseEventKind::Down(MouseButton::Left) if !self.typing() => {
                let before = self.browser.chosen().at;
                let is_again = self.browser.clicked(Position::new(pointer.column, pointer.row), parts(area)[2]);
                let is_hit = is_again || self.browser.chosen().at != before;
                // The cursor begins on the folder itself, so that a first click there may only mean to look at it.
                let is_second = std::mem::replace(&mut self.clicked, is_hit && self.browser.is_at_folder());
                match is_again {
                    true if self.clicked && !is_second => {
                        context.say("Click it once more, or press w, to write here.");
                        Written::Nothing
                    }
                    true => self.act(Action::Open, area, context),
                    false => Written::Nothing,
                }
            }
            _ => Written::Nothing,
        }
    }

    pub fn listed(&mut self, ticket: Ticket, outcome: &Result<Listing, String>, context: &mut Context<'_>) {
        self.clicked = false;
        self.browser.listed(ticket, outcome, context);
        if let Some(named) = self.browser.take_named() {
            let name = named.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            self.name.set(&self.with_ending(&name));
            self.is_hers = true;
        }
        self.propose();
    }

    /// Draws it; `words` say what is written.
    pub fn draw(&self, frame: &mut Frame<'_>, area: Rect, words: &[(String, Style)], look: Look) {
        let [head, place, list, foot] = parts(area);
        let broken = |(words, style): &(String, Style)| {
            let style = *style;
            hanging(" ", words, head.width).into_iter().map(move |line| Line::styled(line, style)).collect::<Vec<_>>()
        };
        frame.render_widget(Paragraph::new(words.iter().flat_map(broken).collect::<Vec<_>>()), head);
        let line = |row: u16| Rect { y: place.y + row, height: 1, ..place }.intersection(place);
        draw_place(&self.browser, frame, [line(0), line(2)], look);
        if self.naming {
            self.name.draw_line(frame, line(1), true, look);
        } else {
            let name = Span::styled(shown(self.name.text()).into_owned(), look.heading());
            let words = Line::from(vec![Span::styled("  name ", look.dim()), name]);
            frame.render_widget(Paragraph::new(words), line(1));
        }
        let whole = match self.ending {
            Some(_) => "./  write it into this folder",
            None => "./  make it in this folder",
        };
        draw_list(&self.browser, frame, list, whole, look);
        let path = self.path().map(|path| shown(&path.to_string_lossy()).into_owned()).unwrap_or_default();
        let (words, style) = match (self.is_taken(), self.ending) {
            (false, Some(_)) => (format!("It becomes {path}"), look.plain()),
            (false, None) => (format!("It becomes the folder {path}"), look.plain()),
            (true, Some(_)) => {
                let words = "A file of this name is there already. Nothing is written over it: n gives another name.";
                (words.to_owned(), look.bad())
            }
            (true, None) => {
                let words = "This is there already: only an empty folder is written into. n gives another name.";
                (words.to_owned(), look.warn())
            }
        };
        let lines = hanging(" ", &words, foot.width).into_iter().map(|line| Line::styled(line, style));
        let lines: Vec<Line<'_>> = std::iter::once(Line::raw("")).chain(lines).collect();
        frame.render_widget(Paragraph::new(lines), foot);
    }
}

/// What is written, where, the folder, and what it becomes.
fn parts(area: Rect) -> [Rect; 4] {
    Layout::vertical([Constraint::Length(4), Constraint::Length(3), Constraint::Min(1), Constraint::Length(3)])
        .areas(area)
}

/// A name for a file, of what it is about.
fn stem(about: &str) -> String {
    let words = shown(about).to_lowercase();
    let words = words.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty());
    let stem: String = words.collect::<Vec<_>>().join("-").chars().take(STEM_CHARS_MAX).collect();
    if stem.is_empty() { "overread".into() } else { stem.trim_end_matches('-').to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposed_name_is_one_that_every_stick_takes() {
        assert_eq!(stem("Dr. Ben Okafor 2026-11-24"), "dr-ben-okafor-2026-11-24");
        assert_eq!(stem("../..\u{1b}[2J/山田"), "2j-山田");
        assert_eq!(stem(" / "), "overread");
        assert_eq!(stem(&"a ".repeat(100)).len(), STEM_CHARS_MAX - 1);
    }
}
