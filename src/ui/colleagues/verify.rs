//! Safety words: two people on the phone make sure whose card it is.
//!
//! My six words are shown to be read aloud; the six I hear are typed. What they should be never reaches this program's
//! screen: the node compares, and says at which place a word is another one.

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::called;
use crate::encoding::text::shown;
use crate::node::api::{CardView, Reply, Request};
use crate::ui::keys::{Action, Place};
use crate::ui::look::Look;
use crate::ui::message::Ticket;
use crate::ui::screen::{Context, Dots, Go, Outcome, Screen, in_one_line};
use crate::ui::widget::field::Field;
use crate::ui::widget::form::Form;
use crate::ui::widget::popup;

/// Words on each side.
const WORDS: usize = 6;

/// Comparing words with one colleague.
#[derive(Debug)]
pub struct Verify {
    who: String,
    name: String,
    phone: Option<String>,
    /// Mine, to be read aloud.
    own: Option<Vec<String>>,
    heard: Form,
    /// Places, from 1, of words that were others than hers.
    wrong: Vec<usize>,
    reading: Option<Ticket>,
    comparing: Option<Ticket>,
}

impl Verify {
    pub fn new(card: &CardView) -> Self {
        Self {
            who: card.identity.clone(),
            name: called(card),
            phone: card.phone.as_deref().map(|phone| shown(phone).into_owned()),
            own: None,
            heard: Form::new(vec![Field::new("The six words you hear", "four letters of each are enough")]),
            wrong: Vec::new(),
            reading: None,
            comparing: None,
        }
    }
}

impl Screen for Verify {
    fn place(&self) -> Place {
        Place::Form
    }

    fn title(&self) -> String {
        format!("compare words with {}", self.name)
    }

    fn typing(&self) -> bool {
        true
    }

    fn shown(&mut self, context: &mut Context<'_>) {
        if self.own.is_none() && self.reading.is_none() {
            self.reading = Some(context.ask(Request::CardVerify { who: self.who.clone(), heard: None }));
        }
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        match action {
            Action::Back => context.go(Go::Back),
            action if self.comparing.is_none() && self.heard.act(action) && !self.heard.text(0).is_empty() => {
                self.wrong.clear();
                let heard = Some(self.heard.text(0).to_owned());
                self.comparing = Some(context.ask(Request::CardVerify { who: self.who.clone(), heard }));
            }
            _ => {}
        }
    }

    fn key(&mut self, key: KeyEvent, _context: &mut Context<'_>) {
        if self.comparing.is_none() {
            self.heard.key(key);
        }
    }

    fn paste(&mut self, text: &str, _context: &mut Context<'_>) {
        if self.comparing.is_none() {
            self.heard.paste(text);
        }
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) {
        if self.reading == Some(ticket) {
            self.reading = None;
            match outcome.as_deref() {
                Ok(Reply::SafetyWords { words, .. }) => self.own = Some(words.clone()),
                Ok(_) => {}
                Err(failure) => {
                    context.say_failure(failure);
                    context.go(Go::Back);
                }
            }
        } else if self.comparing == Some(ticket) {
            self.comparing = None;
            match outcome.as_deref() {
                Ok(Reply::Verified { verified: true, .. }) => {
                    context.say_good(&format!("{} is verified: the words were right.", self.name));
                    context.go(Go::Back);
                }
                Ok(Reply::Verified { wrong_word, .. }) => {
                    self.wrong = wrong_word.iter().copied().collect();
                    self.heard.refuse(0, "Those are other words. Ask for them once more.");
                }
                Ok(_) => {}
                Err(failure) => {
                    let places = failure.details.get("places").into_iter().flatten();
                    self.wrong = places.filter_map(|place| place.parse().ok()).collect();
                    self.heard.refuse(0, in_one_line(failure));
                }
            }
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        let title = format!("Compare words with {}", self.name);
        let inside = popup::open(frame, popup::middle(area, 84, 21), &title, look);
        let call = match &self.phone {
            Some(phone) => {
                format!("Call {} on a number you know (her card says {phone}; look it up elsewhere).", self.name)
            }
            None => format!("Call {} on a number you know.", self.name),
        };
        let mut lines =
            vec![Line::raw(call), Line::raw(""), Line::styled("Read your six words aloud:", look.heading())];
        lines.push(Line::raw(""));
        match &self.own {
            Some(words) => {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                lines.extend(numbered(&words, None, look));
            }
            None => lines.extend([Line::styled("working them out …", look.dim()), Line::raw("")]),
        }
        lines.extend([Line::raw(""), Line::raw("Then she reads hers, and you type what you hear.")]);
        let head = Paragraph::new(lines).wrap(Wrap { trim: false });
        let above =
            u16::try_from(head.line_count(inside.width)).unwrap_or(u16::MAX).saturating_add(1).min(inside.height);
        frame.render_widget(head, inside);
        let rest = Rect { y: inside.y + above, height: inside.height - above, ..inside };
        let busy = self.comparing.map(|_| "comparing …");
        self.heard.draw(frame, Rect { height: 2.min(rest.height), ..rest }, busy, look);
        let typed: Vec<&str> =
            self.heard.text(0).split([' ', ',', ';', '.', '-']).filter(|word| !word.is_empty()).collect();
        let wrong_at = |place: usize| self.wrong.contains(&place) || place > WORDS;
        let echo = Rect { y: rest.y + 3.min(rest.height), height: 2.min(rest.height.saturating_sub(3)), ..rest };
        let wrong = Rect { y: rest.y + 6.min(rest.height), height: rest.height.saturating_sub(6), ..rest };
        frame.render_widget(Paragraph::new(numbered(&typed, Some(&wrong_at), look)), echo);
        self.heard.draw_wrong(frame, wrong, busy, look);
    }
}

/// Words with their places, three a line: mine, or those heard with a mark at the wrong ones.
fn numbered(words: &[&str], wrong_at: Option<&dyn Fn(usize) -> bool>, look: Look) -> Vec<Line<'static>> {
    let cell = |(place, word): (usize, &&str)| {
        let (mark, style) = match wrong_at {
            None => (" ", look.heading()),
            Some(wrong_at) if wrong_at(place) => ("×", look.bad()),
            Some(_) => (" ", look.plain()),
        };
        [Span::styled(format!("{place:>4} "), look.dim()), Span::styled(format!("{mark}{:<14}", shown(word)), style)]
    };
    let cells: Vec<[Span<'static>; 2]> = (1..).zip(words).map(cell).collect();
    cells.chunks(3).map(|row| Line::from_iter(row.iter().flatten().cloned())).collect()
}
