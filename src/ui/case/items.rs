//! What is chosen on the page of the panel, with keys or with a click, and where it leads.

use ratatui::layout::Position;

use super::panel::{Item, Laid};
use super::reading::Reading;
use super::{BESIDE_WIDTH_MIN, CaseScreen, Tab, panel};
use crate::ui::look::Look;
use crate::ui::screen::{Context, Go};
use crate::ui::viewer::member_number;

/// Where things stand does not depend on it.
const LOOK: Look = Look { colour: false };

impl CaseScreen {
    /// Whether something of the page that is seen is chosen.
    pub(super) fn has_chosen(&self, id: &str) -> bool {
        match self.tab {
            Tab::Marks => self.viewer.chosen_mark().is_some_and(|mark| mark.id == id),
            _ => self.chosen.as_deref() == Some(id),
        }
    }

    /// The page as it is drawn.
    pub(super) fn laid(&self, context: &Context<'_>) -> Option<Laid> {
        Laid::of(self, self.view.as_deref()?, self.parts(context.area).1?, LOOK)
    }

    /// Chooses what comes after or before what is chosen; marks are jumped to at once, as with every key for them.
    pub(super) fn choose_next(&mut self, down: bool, context: &mut Context<'_>) {
        self.panel = Some(true);
        let Some(laid) = self.laid(context) else { return };
        let items = laid.items();
        let last = items.len().saturating_sub(1);
        let next = match items.iter().position(|item| self.has_chosen(&item.id)) {
            Some(at) if down => (at + 1).min(last),
            Some(at) => at.saturating_sub(1),
            None if down => 0,
            None => last,
        };
        match items.get(next).map(|item| item.id.clone()) {
            Some(id) if self.tab == Tab::Marks => drop(self.viewer.go_to_mark(&id, context)),
            Some(id) => self.chosen = Some(id),
            None => return context.say("There is nothing to choose on this page."),
        }
        self.reveal_chosen(context);
    }

    /// Scrolls so that what is chosen is seen.
    pub(super) fn reveal_chosen(&mut self, context: &Context<'_>) {
        let Some(laid) = self.laid(context) else { return };
        let chosen = laid.items().iter().find(|item| self.has_chosen(&item.id));
        if let Some(scroll) = chosen.and_then(|item| laid.scroll_to(&item.id, self.tab)) {
            self.scroll = scroll;
        }
    }

    /// Opens what is chosen.
    pub(super) fn open_chosen(&mut self, context: &mut Context<'_>) {
        let chosen = self.laid(context).and_then(|laid| {
            let id = |item: &Item| item.id.clone();
            laid.items().iter().find(|item| self.has_chosen(&item.id)).map(id)
        });
        match chosen {
            Some(_) if self.tab == Tab::Members => self.change_role(context),
            Some(id) => self.open_item(&id, context),
            None => context.say("Choose something in the panel first: } and { go from one to the next."),
        }
    }

    /// A click on the panel: on a title, or on what stands below.
    pub(super) fn click_panel(&mut self, at: Position, context: &mut Context<'_>) {
        let (_, Some(panel)) = self.parts(context.area) else { return };
        if let Some(tab) = panel::tab_at(panel, at) {
            return self.turn_to(tab, context);
        }
        let Some(laid) = self.laid(context) else { return };
        let Some(id) = laid.item_at(at).map(|item| item.id.clone()) else { return };
        self.scroll = laid.scroll(self.tab);
        self.chosen = Some(id.clone());
        self.open_item(&id, context);
    }

    /// Shows what something on the page leads to; a member is chosen only, since what is done with her is another step.
    fn open_item(&mut self, id: &str, context: &mut Context<'_>) {
        let leads_to_images = match self.tab {
            Tab::Marks => self.viewer.go_to_mark(id, context),
            Tab::Discussion => self.show_message(id, context),
            Tab::Opinions => {
                // Opened whole, it is read, however much of it the panel has room for.
                if self.unread().iter().any(|unread| unread == id) {
                    self.read_opinion(id.to_owned(), context);
                }
                self.open_opinion(id, context);
                false
            }
            Tab::Members | Tab::Question | Tab::History => false,
        };
        // A narrow screen has images or panel.
        if leads_to_images && context.area.width < BESIDE_WIDTH_MIN {
            self.panel = Some(false);
            context.say("p goes back to the panel.");
        }
    }

    fn open_opinion(&self, id: &str, context: &mut Context<'_>) {
        let Some(view) = self.view.as_deref() else { return };
        if let Some(opinion) = view.opinions.iter().find(|opinion| opinion.id == id) {
            let author = member_number(view, &opinion.author_identity);
            context.go(Go::Over(Box::new(Reading::new(opinion.clone(), author))));
        }
    }
}

#[cfg(test)]
mod tests;
