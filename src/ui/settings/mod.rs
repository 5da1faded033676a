//! What a person can set about her home, and what she does to it rarely: passphrase, recovery code, set-up check.

mod doctor;
mod forms;

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::keys::{Action, Place};
use super::look::Look;
use super::message::Ticket;
use super::recovery::Recovery;
use super::screen::{Context, Dots, Go, Outcome, Screen};
use super::verification::Verification;
use super::widget::list::Chosen;
use super::widget::popup;
use crate::encoding::text::shown;
use crate::node::api::{Reply, Request, SettingsView, Status};

use doctor::Doctor;
use forms::SettingForm;

/// Lines of one item, with one below where there is room.
const ITEM_ROWS: u16 = 3;
const ITEM_ROWS_MIN: u16 = 2;

/// What can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Retention,
    Passphrase,
    RecoveryCode,
    Doctor,
    Verify,
    Graphics,
    LockAfter,
    Lock,
}

const ITEMS: [Item; 8] = [
    Item::Retention,
    Item::Passphrase,
    Item::RecoveryCode,
    Item::Doctor,
    Item::Verify,
    Item::Graphics,
    Item::LockAfter,
    Item::Lock,
];

impl Item {
    fn title(self) -> &'static str {
        match self {
            Self::Retention => "Images of closed cases",
            Self::Passphrase => "Passphrase",
            Self::RecoveryCode => "Recovery code",
            Self::Doctor => "Set-up check",
            Self::Verify => "Verify everything kept here",
            Self::Graphics => "Pictures",
            Self::LockAfter => "Locking",
            Self::Lock => "Lock now",
        }
    }
}

/// The settings.
#[derive(Debug, Default)]
pub struct Settings {
    settings: Option<SettingsView>,
    status: Option<Status>,
    chosen: Chosen,
    reading: Option<Ticket>,
    asking_status: Option<Ticket>,
}

impl Settings {
    fn open(&self, context: &mut Context<'_>) {
        match ITEMS.get(self.chosen.at) {
            Some(Item::Retention) => {
                let days = self.settings.as_ref().map(|settings| settings.retention_days);
                context.go(Go::Over(Box::new(SettingForm::retention(days))));
            }
            Some(Item::Passphrase) => context.go(Go::Over(Box::new(SettingForm::passphrase()))),
            Some(Item::RecoveryCode) => {
                let confirmed = self.status.as_ref().and_then(|status| status.recovery_confirmed);
                context.go(Go::Over(Box::new(Recovery::new(confirmed))));
            }
            Some(Item::Doctor) => context.go(Go::Over(Box::new(Doctor::default()))),
            Some(Item::Verify) => context.go(Go::Over(Box::new(Verification::everything()))),
            Some(Item::Graphics) => {
                let graphics = self.settings.as_ref().map(|settings| settings.graphics.as_str());
                context.go(Go::Over(Box::new(SettingForm::graphics(graphics))));
            }
            Some(Item::LockAfter) => {
                let after = self.settings.as_ref().map(|settings| lock_after(settings.lock_after_seconds));
                context.go(Go::Over(Box::new(SettingForm::lock_after(after.as_deref()))));
            }
            Some(Item::Lock) => context.go(Go::Lock),
            None => {}
        }
    }

    fn state(&self, item: Item, look: Look) -> Span<'static> {
        match item {
            Item::Retention => match self.settings.as_ref().map(|settings| settings.retention_days) {
                Some(1) => Span::raw("kept for 1 day after closing, if others own the case"),
                Some(days) => Span::raw(format!("kept for {days} days after closing, if others own the case")),
                None => Span::styled("…", look.dim()),
            },
            Item::Passphrase => Span::raw("opens the vault on this machine"),
            Item::RecoveryCode => match self.status.as_ref().and_then(|status| status.recovery_confirmed) {
                Some(true) => Span::styled("on paper", look.good()),
                Some(false) => Span::styled("NOT ON PAPER: a lost machine is a lost identity", look.bad()),
                None => Span::styled("…", look.dim()),
            },
            Item::Doctor => Span::raw("network, disk, recovery code, and how each colleague is reached"),
            Item::Verify => Span::raw("every signature, seal and hash of every case and image once more"),
            Item::Graphics => match self.settings.as_ref().map(|settings| settings.graphics.as_str()) {
                Some("auto") => Span::raw("shown as this terminal can; the set-up check says how"),
                Some(graphics) => Span::raw(format!("always {}", shown(graphics))),
                None => Span::styled("…", look.dim()),
            },
            Item::LockAfter => match self.settings.as_ref().map(|settings| settings.lock_after_seconds) {
                Some(None) => Span::styled("never by itself", look.warn()),
                Some(seconds) => Span::raw(format!("by itself after {} without a key", lock_after(seconds))),
                None => Span::styled("…", look.dim()),
            },
            Item::Lock => Span::raw("covers the screen; deliveries are taken in, nothing is opened or signed"),
        }
    }

    fn items(area: Rect) -> Rect {
        popup::head(area, 3)[1]
    }
}

fn item_rows(items: Rect) -> u16 {
    let all = u16::try_from(ITEMS.len()).unwrap_or(u16::MAX).saturating_mul(ITEM_ROWS);
    if items.height < all - 1 { ITEM_ROWS_MIN } else { ITEM_ROWS }
}

/// As it can be typed: `90s`, `15m`, `4h`, `never`.
fn lock_after(seconds: Option<u64>) -> String {
    match seconds {
        None => "never".into(),
        Some(seconds) if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        Some(seconds) if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        Some(seconds) => format!("{seconds}s"),
    }
}

impl Screen for Settings {
    fn place(&self) -> Place {
        Place::Settings
    }

    fn title(&self) -> String {
        "settings".into()
    }

    fn shown(&mut self, context: &mut Context<'_>) {
        if self.reading.is_none() {
            self.reading = Some(context.ask(Request::SettingsShow));
        }
        if self.asking_status.is_none() {
            self.asking_status = Some(context.ask(Request::Status));
        }
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        if self.chosen.act(action, ITEMS.len(), ITEMS.len()) {
            return;
        }
        match action {
            Action::Back => context.go(Go::Back),
            Action::Open => self.open(context),
            _ => {}
        }
    }

    fn pointer(&mut self, pointer: MouseEvent, context: &mut Context<'_>) {
        let items = Self::items(context.area);
        if pointer.kind == MouseEventKind::Down(MouseButton::Left) && pointer.row >= items.y {
            let at = usize::from((pointer.row - items.y) / item_rows(items));
            if at == self.chosen.at {
                self.open(context);
            } else if at < ITEMS.len() {
                self.chosen.at = at;
            }
        }
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) {
        if self.reading == Some(ticket) {
            self.reading = None;
            match outcome.as_deref() {
                Ok(Reply::Settings(settings)) => self.settings = Some(settings.clone()),
                Ok(_) => {}
                Err(failure) => context.say_failure(failure),
            }
        } else if self.asking_status == Some(ticket) {
            self.asking_status = None;
            if let Ok(Reply::Status(status)) = outcome.as_deref() {
                self.status = Some(status.clone());
            }
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        let owner = self.status.as_ref().and_then(|status| status.name.as_deref().zip(status.site.as_deref()));
        let [head, rest] = popup::head(area, 3);
        if let Some((name, site)) = owner {
            let line = Line::from(vec![
                Span::styled("  this home belongs to ", look.dim()),
                Span::raw(format!("{}, {}", shown(name), shown(site))),
            ]);
            frame.render_widget(Paragraph::new(vec![Line::raw(""), line]), head);
        }
        let mut lines = Vec::new();
        for (number, item) in ITEMS.into_iter().enumerate() {
            let style = if number == self.chosen.at { look.chosen() } else { look.heading() };
            lines.push(Line::from(vec![Span::raw("  "), Span::styled(format!(" {} ", item.title()), style)]));
            lines.push(Line::from(vec![Span::raw("   "), self.state(item, look)]));
            if item_rows(rest) == ITEM_ROWS {
                lines.push(Line::raw(""));
            }
        }
        frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), rest);
    }
}

#[cfg(test)]
mod tests;
