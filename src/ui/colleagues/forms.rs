//! The short forms about cards: another name, cards from files, my card to a file.

use std::path::PathBuf;

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
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

/// What the form is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Purpose {
    Rename { who: String },
    Add,
    Export,
}

/// One of the forms.
#[derive(Debug)]
pub struct CardForm {
    purpose: Purpose,
    title: String,
    intro: String,
    form: Form,
    asked: Option<Ticket>,
}

impl CardForm {
    pub fn rename(card: &CardView) -> Self {
        let mut form = Form::new(vec![Field::new("Her name here", "")]);
        form.set(0, &called(card));
        Self {
            purpose: Purpose::Rename { who: card.identity.clone() },
            title: format!("Name for {}", called(card)),
            intro: format!("Her card says \"{}\". The name you give is seen by you alone.", shown(&card.name)),
            form,
            asked: None,
        }
    }

    pub fn add() -> Self {
        Self {
            purpose: Purpose::Add,
            title: "Add cards".into(),
            intro: "Cards that came by mail or on a stick are unverified until you have compared words by phone."
                .into(),
            form: Form::new(vec![
                Field::new("A card, or a folder of cards", "~/Downloads/beck.card"),
                Field::new("Where her machine is reached (may stay empty)", "192.168.1.20:4001"),
            ]),
            asked: None,
        }
    }

    pub fn export() -> Self {
        Self {
            purpose: Purpose::Export,
            title: "Write my card to a file".into(),
            intro:
                "Send the file by any way: it holds no secret. Whoever takes it in compares words with you by phone."
                    .into(),
            form: Form::new(vec![Field::new("File to be made", "~/my.card")]),
            asked: None,
        }
    }

    fn submit(&mut self, context: &mut Context<'_>) {
        if self.form.text(0).is_empty() {
            self.form.refuse(0, "This cannot stay empty.");
            return;
        }
        let request = match &self.purpose {
            Purpose::Rename { who } => Request::CardName { who: who.clone(), alias: self.form.text(0).into() },
            Purpose::Add => {
                let at = Some(self.form.text(1).to_owned()).filter(|at| !at.is_empty());
                Request::CardAdd { paths: vec![PathBuf::from(self.form.text(0))], at: at.into_iter().collect() }
            }
            Purpose::Export => Request::CardExport { path: PathBuf::from(self.form.text(0)) },
        };
        self.asked = Some(context.ask(request));
    }
}

impl Screen for CardForm {
    fn place(&self) -> Place {
        Place::Form
    }

    fn title(&self) -> String {
        self.title.clone()
    }

    fn typing(&self) -> bool {
        true
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        match action {
            Action::Back => context.go(Go::Back),
            action if self.asked.is_none() && self.form.act(action) => self.submit(context),
            _ => {}
        }
    }

    fn key(&mut self, key: KeyEvent, _context: &mut Context<'_>) {
        if self.asked.is_none() {
            self.form.key(key);
        }
    }

    fn paste(&mut self, text: &str, _context: &mut Context<'_>) {
        if self.asked.is_none() {
            self.form.paste(text);
        }
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) {
        if self.asked != Some(ticket) {
            return;
        }
        self.asked = None;
        match outcome.as_deref() {
            Ok(Reply::CardsAdded { added, refused }) => {
                for file in refused {
                    context.say(&format!("Refused {}: {}", file.path, file.why));
                }
                match added.as_slice() {
                    [] => return,
                    [card] => context.say_good(&format!("{} is added, {}: compare words.", called(card), card.trust)),
                    cards => context.say_good(&format!("{} cards are added.", cards.len())),
                }
                context.go(Go::Back);
            }
            Ok(_) => {
                match &self.purpose {
                    Purpose::Export => context.say_good(&format!("Your card is in {}.", self.form.text(0))),
                    Purpose::Rename { .. } | Purpose::Add => {}
                }
                context.go(Go::Back);
            }
            Err(failure) => self.form.refuse(0, in_one_line(failure)),
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        let height = self.form.height().saturating_add(5);
        let inside = popup::open(frame, popup::middle(area, 72, height), &self.title, look);
        let [intro, form] = popup::head(inside, 3);
        frame.render_widget(Paragraph::new(Line::raw(self.intro.as_str())).wrap(Wrap { trim: true }), intro);
        self.form.draw(frame, form, self.asked.map(|_| "working …"), look);
    }
}
