//! Which line of a list is chosen, and which part of the list is seen.

use super::super::keys::Action;

/// The chosen line of a list whose length may change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Chosen {
    pub at: usize,
}

impl Chosen {
    /// Moves as a key asks; `false` if the action is about something else.
    pub fn act(&mut self, action: Action, length: usize, page: usize) -> bool {
        let last = length.saturating_sub(1);
        self.at = match action {
            Action::Up => self.at.saturating_sub(1),
            Action::Down => self.at.saturating_add(1),
            Action::PageUp => self.at.saturating_sub(page.max(1)),
            Action::PageDown => self.at.saturating_add(page.max(1)),
            Action::First => 0,
            Action::Last => last,
            _ => return false,
        }
        .min(last);
        true
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

#[cfg(test)]
mod tests {
    use super::*;

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
