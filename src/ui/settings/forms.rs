//! How long images are kept, and another passphrase.

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};

use super::lock_after;
use crate::encoding::text::shown;
use crate::node::api::{FailureCode, Passphrase, Reply, Request};
use crate::ui::keys::{Action, Place};
use crate::ui::look::Look;
use crate::ui::message::Ticket;
use crate::ui::screen::{Context, Dots, Go, Outcome, Screen, in_one_line};
use crate::ui::widget::field::Field;
use crate::ui::widget::form::Form;
use crate::ui::widget::popup;

const UNTIL_NOW: usize = 0;
const NEW: usize = 1;
const AGAIN: usize = 2;

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Setting {
    Retention,
    Passphrase,
    Graphics,
    LockAfter,
}

/// A form for one setting.
#[derive(Debug)]
pub struct SettingForm {
    setting: Setting,
    form: Form,
    asked: Option<Ticket>,
}

impl SettingForm {
    pub fn retention(days: Option<u32>) -> Self {
        let mut form = Form::new(vec![Field::new("Days after closing", "30")]);
        if let Some(days) = days {
            form.set(0, &days.to_string());
        }
        Self { setting: Setting::Retention, form, asked: None }
    }

    pub fn graphics(now: Option<&str>) -> Self {
        Self::word(Setting::Graphics, Field::new("auto, kitty, sixel, iterm2, half-blocks or none", "auto"), now)
    }

    pub fn lock_after(now: Option<&str>) -> Self {
        Self::word(Setting::LockAfter, Field::new("A time such as 90s, 15m or 4h, or never", "15m"), now)
    }

    fn word(setting: Setting, field: Field, now: Option<&str>) -> Self {
        let mut form = Form::new(vec![field]);
        if let Some(now) = now {
            form.set(0, now);
        }
        Self { setting, form, asked: None }
    }

    pub fn passphrase() -> Self {
        let form = Form::new(vec![
            Field::secret("The passphrase until now"),
            Field::secret("New passphrase"),
            Field::secret("The new passphrase again"),
        ]);
        Self { setting: Setting::Passphrase, form, asked: None }
    }

    fn submit(&mut self, context: &mut Context<'_>) {
        let request = match self.setting {
            Setting::Retention if self.form.text(0).is_empty() => {
                self.form.refuse(0, "Write whole days, such as 14.");
                return;
            }
            Setting::Retention => {
                Request::SettingsSet { name: "retention".into(), value: self.form.text(0).to_owned() }
            }
            Setting::Graphics => Request::SettingsSet { name: "graphics".into(), value: self.form.text(0).to_owned() },
            Setting::LockAfter => {
                Request::SettingsSet { name: "lock-after".into(), value: self.form.text(0).to_owned() }
            }
            Setting::Passphrase if self.form.untrimmed(UNTIL_NOW).is_empty() => {
                self.form.refuse(UNTIL_NOW, "The passphrase until now is needed: the open screen is no proof.");
                return;
            }
            Setting::Passphrase if self.form.untrimmed(NEW).is_empty() => {
                self.form.refuse(NEW, "Nothing is stored without a passphrase.");
                return;
            }
            Setting::Passphrase if self.form.untrimmed(NEW) != self.form.untrimmed(AGAIN) => {
                self.form.refuse(AGAIN, "The two passphrases differ.");
                return;
            }
            Setting::Passphrase => Request::VaultPassphrase { new: self.passphrase_in(NEW) },
        };
        let proof = (self.setting == Setting::Passphrase).then(|| self.passphrase_in(UNTIL_NOW));
        self.asked = Some(context.ask_with(request, proof, None));
    }

    fn passphrase_in(&self, field: usize) -> Passphrase {
        Passphrase(self.form.untrimmed(field).to_owned())
    }

    fn words(&self) -> (&'static str, &'static str) {
        match self.setting {
            Setting::Retention => (
                "Images of closed cases",
                "Images of cases that others own stay here so many days after closing; what was written stays for good. \
                 A shorter time deletes at once. A longer one fetches again while another member holds them.",
            ),
            Setting::Graphics => (
                "How pictures are shown",
                "auto is as this terminal answers; the set-up check says what that is and why. A protocol that the \
                 terminal does not speak fills the screen with rubbish: set auto again then.",
            ),
            Setting::LockAfter => (
                "When the screen locks by itself",
                "After so long without a key the screen is covered and the vault closed. Deliveries are taken in \
                 meanwhile; nothing is opened or signed. Packing, exporting, verifying or importing that is on the \
                 screen is not cut off: the time begins when it is done, an hour later at most.",
            ),
            Setting::Passphrase => (
                "Another passphrase",
                "It opens the vault on this machine from now on. Nobody can tell you what it was: the recovery code on \
                 paper is what helps.",
            ),
        }
    }
}

impl Screen for SettingForm {
    fn place(&self) -> Place {
        Place::Form
    }

    fn title(&self) -> String {
        "settings".into()
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
            Ok(Reply::Settings(settings)) => {
                context.say_good(&match self.setting {
                    Setting::Graphics => format!("Pictures: {}.", shown(&settings.graphics)),
                    Setting::LockAfter => format!("Locks after: {}.", lock_after(settings.lock_after_seconds)),
                    _ => format!("Images are kept for {} days after closing.", settings.retention_days),
                });
                context.go(Go::Back);
            }
            Ok(_) => {
                context.say_good("The new passphrase opens the vault from now on.");
                context.go(Go::Back);
            }
            Err(failure) => {
                let is_new = self.setting == Setting::Passphrase && failure.code != FailureCode::WrongPassphrase;
                self.form.refuse(if is_new { NEW } else { 0 }, in_one_line(failure));
            }
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        let (title, intro) = self.words();
        let height = self.form.height().saturating_add(6);
        let inside = popup::open(frame, popup::middle(area, 72, height), title, look);
        let [head, form] = popup::head(inside, 4);
        frame.render_widget(Paragraph::new(Line::raw(intro)).wrap(Wrap { trim: true }), head);
        self.form.draw(frame, form, self.asked.map(|_| "working …"), look);
    }
}
