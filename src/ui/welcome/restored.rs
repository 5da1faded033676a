//! What came back with the recovery code, what did not, and what to do about it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use crate::encoding::text::shown;
use crate::ui::keys::{Action, Place};
use crate::ui::look::Look;
use crate::ui::screen::{Context, Dots, Go, Screen};
use crate::ui::widget::popup;

const WIDTH: u16 = 84;
const HEIGHT: u16 = 22;

/// Said once, over the worklist.
#[derive(Debug)]
pub(super) struct Restored {
    identity: String,
}

impl Restored {
    pub fn new(identity: &str) -> Self {
        Self { identity: shown(identity).into_owned() }
    }
}

impl Screen for Restored {
    fn place(&self) -> Place {
        Place::Restored
    }

    fn title(&self) -> String {
        "identity restored".into()
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        if matches!(action, Action::Submit | Action::Back) {
            context.go(Go::Back);
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        let inside = popup::open(frame, popup::middle(area, WIDTH, HEIGHT), "Your identity is restored", look);
        let lines = vec![
            Line::styled("Came back", look.good()),
            Line::raw(format!("Your identity: {}", self.identity)),
            Line::raw("Colleagues who verified you need not do so again."),
            Line::raw(""),
            Line::styled("Did not come back: none of it is in the code", look.warn()),
            Line::raw("Your colleagues, your phone number on the card, cases, studies and drafts."),
            Line::raw(""),
            Line::styled("What to do next", look.heading()),
            step(
                "Pair with a colleague (c on the worklist). This machine is a new device of yours: she learns of it, and tells those with whom you both share a case. You need the card of each colleague anew.",
            ),
            step(
                "Ask the owner of a case to take you out and bring you in again. What lay only on the old machine stays there.",
            ),
            step(
                "Whoever has your new card lets in this machine and not the old one. The old one still opens what it holds, with its passphrase: if it was lost or stolen, tell whoever is in charge of data protection.",
            ),
        ];
        let [text, foot] = popup::head(inside, inside.height.saturating_sub(1));
        frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: true }), text);
        frame.render_widget(Paragraph::new(Line::styled("Enter to the worklist", look.key())), foot);
    }
}

fn step(words: &'static str) -> Line<'static> {
    Line::from(vec![Span::raw("- "), Span::raw(words)])
}
