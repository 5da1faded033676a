//! Which line of a list is chosen, which part of the list is seen, and where a click falls in it.

use ratatui::layout::{Position, Rect};

use super::super::keys::Action;

/// The chosen line of a list whose length may change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Chosen {
    pub at: usize,
}

impl Chosen {
    /// Moves as a key asks; `false` if the action is about something else.
    pub fn act(&mut self, action: Action, length: usize, page: usize) -> bool {
        match moved(self.at, action, length, page) {
            Some(at) => self.at = at,
            None => return false,
        }
        true
    }

    /// The line that is drawn at a place of the screen; it may be beyond the last one.
    pub fn line_at(self, list: Rect, at: Position) -> Option<usize> {
        list.contains(at).then(|| usize::from(at.y - list.y) + self.first_seen(usize::from(list.height)))
    }

    /// Stays inside a list that became shorter.
    pub fn keep_within(&mut self, length: usize) {
        self.at = self.at.min(length.saturating_sub(1));
    }

    /// The first line that is seen, so that the chosen one is: it moves by pages, so that the screen stays calm.
    pub fn first_seen(self, height: usize) -> usize {
        self.at.checked_div(height).map_or(0, |page| page * height)
    }
}

/// Where a key moves to in so many lines, those of a list or those a text is scrolled by; nothing if the action is
/// about something else.
pub fn moved(at: usize, action: Action, length: usize, page: usize) -> Option<usize> {
    let last = length.saturating_sub(1);
    let to = match action {
        Action::Up => at.saturating_sub(1),
        Action::Down => at.saturating_add(1),
        Action::PageUp => at.saturating_sub(page.max(1)),
        Action::PageDown => at.saturating_add(page.max(1)),
        Action::First => 0,
        Action::Last => last,
        _ => return None,
    };
    Some(to.min(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_click_falls_on_the_line_that_is_drawn_there() {
        let list = Rect::new(2, 10, 20, 5);
        let chosen = Chosen { at: 12 };
        assert_eq!(chosen.line_at(list, Position::new(2, 10)), Some(10), "the first of the third page");
        assert_eq!(chosen.line_at(list, Position::new(21, 14)), Some(14));
        for outside in [Position::new(1, 12), Position::new(22, 12), Position::new(5, 9), Position::new(5, 15)] {
            assert_eq!(chosen.line_at(list, outside), None);
        }
    }

    #[test]
    fn the_chosen_line_is_always_inside_the_list_and_on_the_screen() {
        let mut chosen = Chosen::default();
        for (length, height) in [(0, 0), (0, 5), (1, 5), (7, 3), (100, 10)] {
            for action in [Action::Last, Action::Down, Action::PageDown, Action::PageUp, Action::Up, Action::First] {
                chosen.keep_within(length);
                assert!(chosen.act(action, length, height));
                assert!(chosen.at < length.max(1));
                let first = chosen.first_seen(height);
                assert!(height == 0 || (first..first + height).contains(&chosen.at), "{chosen:?} {first} {height}");
            }
        }
    }
}
