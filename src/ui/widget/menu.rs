//! The help and the command palette: both come from the table of keys.

use crossterm::event::{KeyCode, KeyEvent};
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::field::Field;
use super::list::Chosen;
use super::popup::{middle, open};
use crate::ui::keys::{Action, Binding, Chord, Place, bindings};
use crate::ui::look::Look;

/// All keys of a place, in as many columns as fit.
pub fn draw_help(frame: &mut Frame<'_>, area: Rect, place: Place, scroll: usize, look: Look) {
    let inside = open(frame, middle(area, area.width.min(110), area.height), &format!("Keys: {}", place.title()), look);
    let lines = help_lines(place, look);
    let columns = usize::from((inside.width / 36).max(1));
    let height = usize::from(inside.height.saturating_sub(1)).max(1);
    let width = inside.width / u16::try_from(columns).unwrap_or(1).max(1);
    let pages = lines.len().div_ceil(height * columns).max(1);
    let first = scroll.min(pages - 1) * height * columns;
    for (column, lines) in lines.iter().skip(first).collect::<Vec<_>>().chunks(height).take(columns).enumerate() {
        let x = inside.x + u16::try_from(column).unwrap_or(0) * width;
        let area = Rect { x, width, height: inside.height.saturating_sub(1), ..inside };
        let lines: Vec<Line<'_>> = lines.iter().map(|line| (*line).clone()).collect();
        frame.render_widget(Paragraph::new(lines), area);
    }
    let foot = Rect { y: inside.bottom().saturating_sub(1), height: 1, ..inside };
    let words = match pages {
        1 => "Esc closes".to_owned(),
        _ => format!("PgDn, PgUp: page {} of {pages}   Esc closes", scroll.min(pages - 1) + 1),
    };
    frame.render_widget(Paragraph::new(Line::styled(words, look.dim())), foot);
}

fn help_lines(place: Place, look: Look) -> Vec<Line<'static>> {
    let mut lines: Vec<(Action, &'static str, Vec<String>)> = Vec::new();
    for binding in bindings(place) {
        match lines.iter_mut().find(|(action, ..)| *action == binding.action) {
            Some((_, _, keys)) => keys.push(binding.chord.shown()),
            None => lines.push((binding.action, binding.words, vec![binding.chord.shown()])),
        }
    }
    let line = |(_, words, keys): (Action, &'static str, Vec<String>)| {
        Line::from(vec![Span::styled(format!("{:>11} ", keys.join(" ")), look.key()), Span::raw(words)])
    };
    lines.into_iter().map(line).collect()
}

/// What the palette answers to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picked {
    Nothing,
    Closed,
    Chosen(Action),
}

/// The command palette: every action of the place, found by typing parts of its words.
#[derive(Debug)]
pub struct Palette {
    place: Place,
    search: Field,
    chosen: Chosen,
}

impl Palette {
    pub fn new(place: Place) -> Self {
        Self { place, search: Field::new("", "type what you want to do"), chosen: Chosen::default() }
    }

    pub fn key(&mut self, key: KeyEvent) -> Picked {
        let found = self.found();
        match Chord::of(key).code {
            KeyCode::Esc => return Picked::Closed,
            KeyCode::Enter => {
                return found.get(self.chosen.at).map_or(Picked::Closed, |binding| Picked::Chosen(binding.action));
            }
            KeyCode::Up => drop(self.chosen.act(Action::Up, found.len(), 1)),
            KeyCode::Down => drop(self.chosen.act(Action::Down, found.len(), 1)),
            _ => {
                if self.search.key(key) {
                    self.chosen = Chosen::default();
                }
            }
        }
        Picked::Nothing
    }

    pub fn paste(&mut self, text: &str) {
        self.search.paste(text);
    }

    /// Actions that match what was typed, the best first.
    fn found(&self) -> Vec<&'static Binding> {
        let mut once: Vec<&'static Binding> = Vec::new();
        for binding in bindings(self.place) {
            if !once.iter().any(|other| other.action == binding.action) && binding.action != Action::Palette {
                once.push(binding);
            }
        }
        if self.search.text().trim().is_empty() {
            return once;
        }
        let mut matcher = Matcher::new(Config::DEFAULT);
        let pattern = Pattern::parse(self.search.text(), CaseMatching::Ignore, Normalization::Smart);
        let mut buffer = Vec::new();
        let mut scored: Vec<(u32, &'static Binding)> = once
            .into_iter()
            .filter_map(|binding| {
                let score = pattern.score(Utf32Str::new(binding.words, &mut buffer), &mut matcher)?;
                Some((score, binding))
            })
            .collect();
        scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        scored.into_iter().map(|(_, binding)| binding).collect()
    }

    pub fn draw(&self, frame: &mut Frame<'_>, area: Rect, look: Look) {
        let found = self.found();
        let inside = open(frame, middle(area, 64, area.height.min(20)), "Actions", look);
        let [search, list] = [
            Rect { height: 1.min(inside.height), ..inside },
            Rect { y: inside.y + 1.min(inside.height), height: inside.height.saturating_sub(1), ..inside },
        ];
        self.search.draw_line(frame, search, true, look);
        let height = usize::from(list.height);
        let first = self.chosen.first_seen(height);
        let lines = found.iter().enumerate().skip(first).take(height).map(|(number, binding)| {
            let style = if number == self.chosen.at { look.chosen() } else { look.plain() };
            let key = Span::styled(format!("{:>10}  ", binding.chord.shown()), look.key());
            Line::from(vec![key, Span::styled(binding.words, style)])
        });
        let lines: Vec<Line<'_>> = lines.collect();
        let nothing = lines.is_empty();
        frame.render_widget(Paragraph::new(lines), list);
        if nothing {
            frame.render_widget(Paragraph::new(Line::styled("nothing is called so here", look.dim())), list);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_palette_finds_an_action_by_parts_of_its_words() {
        let mut palette = Palette::new(Place::Worklist);
        palette.paste("del case");
        assert_eq!(palette.key(KeyCode::Enter.into()), Picked::Chosen(Action::PurgeCase));
        palette.paste("zzzz");
        assert_eq!(palette.key(KeyCode::Enter.into()), Picked::Closed);
    }
}
