//! The app's state and how it changes: a message in, wishes out. No terminal, node or clock in here.
//!
//! Screens lie on each other; the top one takes the keys, all of them hear of answers and of what happens. Help,
//! palette and questions lie over them and take the keys first. Locking drops every screen, so that nothing of a
//! patient is left behind the lock; work that a screen waits for ends with it, so by itself the app locks after that.

use std::collections::BTreeSet;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::held::{Held, OtherVersion};
use super::keys::{self, Action, Chord, Place};
use super::log::Happenings;
use super::look::Look;
use super::message::{Message, Ticket, Wish};
use super::screen::{Asked, Context, Dice, Dots, Go, Outcome, Screen, Shows};
use super::unlock::Unlock;
use super::welcome::Welcome;
use super::widget::amount::count;
use super::widget::menu::{Palette, Picked, draw_help};
use super::widget::popup::Question;
use super::widget::toast::{Toasts, Weight};
use super::worklist::Worklist;
use crate::encoding::text::shown;
use crate::encoding::time::Timestamp;
use crate::node::api::{Event, FailureCode, LOCKED_NOTICES, Passphrase, Reply, Request, SettingsView};
use crate::view::raster::Scene;

/// How long a node may be silent at the start before the screen says so, in milliseconds.
const LOOKING_MS: u64 = 3_000;

/// How much longer than it was set work under way keeps the app from locking by itself, in milliseconds: what takes
/// longer than that may be stuck, and nobody may be near.
const WORK_MS_MAX: u64 = 60 * 60 * 1000;

/// How the app starts.
#[derive(Debug, Clone)]
pub struct Options {
    pub look: Look,
    pub dots: Dots,
    pub shows: Shows,
    /// Lock after so long without a key, in milliseconds.
    pub lock_after_ms: u64,
    /// Whether the settings may change that.
    pub lock_after_set: bool,
    /// Opens the vault at the start, if one was given.
    pub passphrase: Option<Passphrase>,
    /// Where its random choices come from: another number each time it starts.
    pub seed: u64,
}

/// What lies over the screens.
enum Over {
    Help { page: usize },
    Palette(Palette),
}

/// The app.
pub struct App {
    options: Options,
    screens: Vec<Box<dyn Screen>>,
    over: Option<Over>,
    /// Questions that wait for yes or no, each seen while its screen lies on top.
    questions: Vec<Asked>,
    toasts: Toasts,
    dice: Dice,
    happenings: Happenings,
    tickets: u64,
    status: Option<Ticket>,
    locking: Option<Ticket>,
    /// Name and site of who owns the home.
    owner: Option<(String, String)>,
    /// What a locked screen may say, each of [`LOCKED_NOTICES`].
    notices: BTreeSet<String>,
    locked: bool,
    size: (u16, u16),
    last_key_ms: u64,
    /// Whether a screen was working when time passed last.
    working: bool,
    /// How long the node has not answered at all.
    waited_ms: u64,
    quitting: bool,
}

impl App {
    /// A new app for a terminal of this size, and its first wish.
    pub fn new(options: Options, size: (u16, u16)) -> (Self, Vec<Wish>) {
        let status = Ticket(1);
        let app = Self {
            dice: Dice(options.seed),
            happenings: Happenings::default(),
            options,
            screens: Vec::new(),
            over: None,
            questions: Vec::new(),
            toasts: Toasts::default(),
            tickets: 1,
            status: Some(status),
            locking: None,
            owner: None,
            notices: BTreeSet::new(),
            locked: true,
            size,
            last_key_ms: 0,
            working: false,
            waited_ms: 0,
            quitting: false,
        };
        let ask = Wish::Ask { ticket: status, request: Request::Status, passphrase: None, wait_seconds: None };
        (app, vec![ask])
    }

    /// The app of a home that another program holds, without a node.
    pub fn held(options: Options, size: (u16, u16)) -> Self {
        let (mut app, _) = Self::new(options, size);
        app.screens.push(Box::new(Held));
        app
    }

    pub fn is_quitting(&self) -> bool {
        self.quitting
    }

    /// What the screen on top asks.
    fn asked(&self) -> Option<&Asked> {
        self.questions.get(self.asked_at()?)
    }

    fn asked_at(&self) -> Option<usize> {
        self.questions.iter().position(|asked| asked.screen + 1 == self.screens.len())
    }

    /// Takes one message; what is to be done outside comes back.
    pub fn update(&mut self, message: Message, now: Timestamp, now_ms: u64) -> Vec<Wish> {
        let mut turn = Turn { wishes: Vec::new(), go: Vec::new(), now, now_ms };
        match message {
            Message::Key(key) if key.kind != KeyEventKind::Release => {
                self.last_key_ms = now_ms;
                self.key(key, &mut turn);
            }
            Message::Key(_) => {}
            Message::Pointer(pointer) => {
                if pointer.kind != MouseEventKind::Moved {
                    self.last_key_ms = now_ms;
                }
                if self.over.is_none() && self.asked().is_none() {
                    self.with_top(&mut turn, |screen, context| screen.pointer(pointer, context));
                }
            }
            Message::Paste(_) if self.asked().is_some() => self.last_key_ms = now_ms,
            Message::Paste(text) => {
                self.last_key_ms = now_ms;
                match &mut self.over {
                    Some(Over::Palette(palette)) => palette.paste(&text),
                    _ => self.with_top(&mut turn, |screen, context| screen.paste(&text, context)),
                }
            }
            Message::Resized { columns, rows } => self.size = (columns, rows),
            Message::Tick => self.tick(&mut turn),
            Message::Answered { ticket, outcome } => self.answered(ticket, outcome, &mut turn),
            Message::OnTheWay { ticket, event } => {
                self.with_all(&mut turn, |screen, context| screen.on_the_way(ticket, &event, context));
            }
            Message::Listed { ticket, outcome } => {
                self.with_all(&mut turn, |screen, context| screen.listed(ticket, &outcome, context));
            }
            Message::TextRead { ticket, outcome } => {
                self.with_all(&mut turn, |screen, context| screen.text_read(ticket, &outcome, context));
            }
            Message::Followed(event) => self.followed(&event, &mut turn),
            Message::Pictured { key, outcome } => {
                self.with_all(&mut turn, |screen, context| screen.pictured(&key, Some(&outcome), context));
            }
            Message::Measured { ticket, outcome } => {
                self.with_all(&mut turn, |screen, context| screen.measured(ticket, &outcome, context));
            }
            Message::VolumeGrew { ticket, grown } => {
                self.with_all(&mut turn, |screen, context| screen.volume_grew(ticket, &grown, context));
            }
            Message::Reformatted { ticket, outcome } => {
                self.with_all(&mut turn, |screen, context| screen.reformatted(ticket, &outcome, context));
            }
            Message::Thumbnailed { key, outcome } => {
                self.with_all(&mut turn, |screen, context| screen.thumbnailed(&key, &outcome, context));
            }
            Message::PictureDropped(key) => {
                self.with_all(&mut turn, |screen, context| screen.pictured(&key, None, context));
            }
        }
        self.move_on(&mut turn);
        turn.wishes
    }

    fn key(&mut self, key: KeyEvent, turn: &mut Turn) {
        let chord = Chord::of(key);
        if self.over.is_some() || self.asked().is_some() {
            match keys::action(Place::Everywhere, true, chord) {
                Some(Action::Lock) => return self.lock(turn),
                Some(Action::Quit) => return self.ask_to_quit(turn),
                _ => {}
            }
        }
        if let Some(at) = self.asked_at() {
            let is_plain = !chord.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
            match chord.code {
                KeyCode::Char('y' | 'Y') if is_plain => {
                    let asked = self.questions.remove(at);
                    self.act(asked.action, turn);
                }
                KeyCode::Char('n' | 'N') if is_plain => drop(self.questions.remove(at)),
                KeyCode::Esc => drop(self.questions.remove(at)),
                _ => {}
            }
            return;
        }
        match &mut self.over {
            Some(Over::Help { page }) => {
                match chord.code {
                    KeyCode::PageDown | KeyCode::Down | KeyCode::Char(' ') => *page = (*page + 1).min(64),
                    KeyCode::PageUp | KeyCode::Up => *page = page.saturating_sub(1),
                    _ => self.over = None,
                }
                return;
            }
            Some(Over::Palette(palette)) => {
                match palette.key(key) {
                    Picked::Nothing => {}
                    Picked::Closed => self.over = None,
                    Picked::Chosen(action) => {
                        self.over = None;
                        self.act(action, turn);
                    }
                }
                return;
            }
            None => {}
        }
        let Some(top) = self.screens.last() else {
            if keys::action(Place::Everywhere, false, chord) == Some(Action::Quit) {
                self.quit(turn);
            }
            return;
        };
        match keys::action(top.place(), top.typing(), chord) {
            Some(action) => self.act(action, turn),
            None => self.with_top(turn, |screen, context| screen.key(key, context)),
        }
    }

    fn act(&mut self, action: Action, turn: &mut Turn) {
        match action {
            Action::Help => self.over = Some(Over::Help { page: 0 }),
            Action::Palette => self.over = self.screens.last().map(|top| Over::Palette(Palette::new(top.place()))),
            Action::Redraw => turn.wishes.push(Wish::Redraw),
            Action::Lock => self.lock(turn),
            Action::Quit => self.ask_to_quit(turn),
            Action::QuitConfirmed => self.quit(turn),
            Action::GoOn => self.ask_status(turn),
            action => self.with_top(turn, |screen, context| screen.act(action, context)),
        }
    }

    /// Ends every screen, however the app ends: what they still want done comes back.
    pub fn end(&mut self, now: Timestamp, now_ms: u64) -> Vec<Wish> {
        let mut turn = Turn { wishes: Vec::new(), go: Vec::new(), now, now_ms };
        self.with_all(&mut turn, |screen, context| screen.dropped(context));
        turn.wishes
    }

    /// Quits, or asks first what would be lost with it; the keys that quit answer that with yes.
    fn ask_to_quit(&mut self, turn: &mut Turn) {
        let lost: Vec<String> = self.screens.iter().filter_map(|screen| screen.unsaved()).map(str::to_owned).collect();
        let is_asked = self.asked().is_some_and(|asked| asked.action == Action::QuitConfirmed);
        let Some(screen) = self.screens.len().checked_sub(1).filter(|_| !lost.is_empty() && !is_asked) else {
            return self.quit(turn);
        };
        self.over = None;
        let question = Question { title: "Quit all the same?".into(), lines: lost };
        // Before what the screen asks itself, which waits.
        self.questions.insert(0, Asked { screen, question, action: Action::QuitConfirmed });
    }

    fn quit(&mut self, turn: &mut Turn) {
        self.quitting = true;
        turn.wishes.push(Wish::Quit);
    }

    /// Covers the screen at once; the node forgets its keys as soon as it hears of it.
    fn lock(&mut self, turn: &mut Turn) {
        if self.locked {
            return;
        }
        self.locked = true;
        self.owner = None;
        // An answer from before would open the worklist.
        self.status = None;
        self.over = None;
        self.questions.clear();
        self.toasts.clear();
        self.happenings.clear();
        self.with_all(turn, |screen, context| screen.dropped(context));
        turn.go.clear();
        self.screens.clear();
        turn.wishes.push(Wish::Forget);
        self.screens.push(Box::new(Unlock::default()));
        self.tickets += 1;
        self.locking = Some(Ticket(self.tickets));
        turn.wishes.push(Wish::Ask {
            ticket: Ticket(self.tickets),
            request: Request::Lock,
            passphrase: None,
            wait_seconds: None,
        });
    }

    fn tick(&mut self, turn: &mut Turn) {
        self.toasts.tick(turn.now_ms);
        if self.screens.is_empty() {
            self.waited_ms = turn.now_ms;
        }
        if !self.locked && self.is_left_alone(turn.now_ms) {
            self.lock(turn);
            return;
        }
        self.with_all(turn, |screen, context| screen.tick(context));
    }

    /// Whether nobody has touched a key for so long that it locks; the time begins anew when work under way ends.
    fn is_left_alone(&mut self, now_ms: u64) -> bool {
        let was_working = self.working;
        self.working = self.screens.iter().any(|screen| screen.is_working());
        let more_ms = if was_working || self.working { WORK_MS_MAX } else { 0 };
        if now_ms.saturating_sub(self.last_key_ms) >= self.options.lock_after_ms.saturating_add(more_ms) {
            return true;
        }
        if was_working && !self.working {
            self.last_key_ms = now_ms;
        }
        false
    }

    fn answered(&mut self, ticket: Ticket, outcome: Outcome, turn: &mut Turn) {
        if let Ok(Reply::Settings(settings)) = outcome.as_deref() {
            self.settled(settings, turn);
        }
        // The node that was open may have ended, and another one be there that is not.
        let is_locked = matches!(&outcome, Err(failure) if failure.code == FailureCode::Locked);
        if is_locked && !self.locked && self.status.is_none() {
            self.ask_status(turn);
        }
        if self.status == Some(ticket) {
            self.status = None;
            if let Ok(Reply::Status(status)) = outcome.as_deref()
                && self.screens.is_empty()
                && let Some(other) = OtherVersion::of(status.version.as_deref())
            {
                self.only(Box::new(other), turn);
                return;
            }
            match outcome.as_deref() {
                Ok(Reply::Status(status)) if !status.initialised => self.only(Box::new(Welcome::default()), turn),
                Ok(Reply::Status(status)) if status.locked && !self.locked => self.lock(turn),
                Ok(Reply::Status(status)) if status.locked => {
                    let given = self.options.passphrase.take();
                    turn.wishes.push(Wish::Follow);
                    self.only(Box::new(Unlock::new(given)), turn);
                }
                Ok(Reply::Status(status)) => {
                    self.owner = status.name.clone().zip(status.site.clone());
                    if self.locked {
                        self.only(Box::new(Worklist::default()), turn);
                    }
                }
                Ok(_) => {}
                Err(failure) => self.toasts.say(&failure.to_string(), Weight::Bad, turn.now_ms),
            }
            return;
        }
        if self.locking == Some(ticket) {
            self.locking = None;
            return;
        }
        // An answer to what was asked before locking belongs to nobody, and may name a patient.
        self.with_all(turn, |screen, context| screen.answered(ticket, &outcome, context));
    }

    fn followed(&mut self, event: &Event, turn: &mut Turn) {
        self.happenings.take(event, turn.now);
        match event {
            Event::Happened { what, case, .. } => {
                if LOCKED_NOTICES.contains(&what.as_str()) {
                    self.notices.insert(what.clone());
                    turn.wishes.push(Wish::Bell);
                }
                if what == "locked" && !self.locked {
                    self.lock(turn);
                    return;
                }
                self.with_all(turn, |screen, context| screen.happened(what, case.as_deref(), context));
            }
            Event::InboxStudy { modality, instances, state, .. } if !self.locked => {
                // Who looks at the list sees it there.
                if self.screens.last().is_none_or(|top| top.place() != Place::Arrivals)
                    && let Some((text, weight)) = arrived(modality, *instances, state)
                {
                    self.toasts.say(&text, weight, turn.now_ms);
                }
                self.with_all(turn, |screen, context| screen.inbox_changed(context));
            }
            _ => {}
        }
    }

    /// Goes where screens asked to go.
    fn move_on(&mut self, turn: &mut Turn) {
        while let Some(go) = (!turn.go.is_empty()).then(|| turn.go.remove(0)) {
            match go {
                Go::Back if self.screens.len() > 1 => {
                    self.with_top(turn, |screen, context| screen.dropped(context));
                    self.screens.pop();
                    self.questions.retain(|asked| asked.screen < self.screens.len());
                }
                Go::Back => {}
                Go::Lock => self.lock(turn),
                Go::Over(screen) => self.screens.push(screen),
                Go::Only(screen) => {
                    self.with_all(turn, |screen, context| screen.dropped(context));
                    self.screens.clear();
                    self.questions.clear();
                    self.screens.push(screen);
                }
            }
            let opened = self.screens.last().is_some_and(|top| {
                !matches!(top.place(), Place::OtherVersion | Place::Welcome | Place::Restore | Place::Unlock)
            });
            if opened && self.locked {
                self.locked = false;
                self.notices.clear();
                self.last_key_ms = turn.now_ms;
                turn.wishes.push(Wish::Follow);
                self.ask_status(turn);
                self.ask_settings(turn);
            }
            self.with_top(turn, |screen, context| screen.shown(context));
        }
    }

    /// Asks who owns the home, and whether it is open.
    fn ask_status(&mut self, turn: &mut Turn) {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.status = Some(ticket);
        let request = Request::Status;
        turn.wishes.push(Wish::Ask { ticket, request, passphrase: None, wait_seconds: None });
    }

    /// Asks for the settings; whatever asks for them, [`Self::settled`] hears the answer.
    fn ask_settings(&mut self, turn: &mut Turn) {
        self.tickets += 1;
        let (ticket, request) = (Ticket(self.tickets), Request::SettingsShow);
        turn.wishes.push(Wish::Ask { ticket, request, passphrase: None, wait_seconds: None });
    }

    /// Takes over what the person set about the app.
    fn settled(&mut self, settings: &SettingsView, turn: &mut Turn) {
        if self.options.lock_after_set {
            let seconds = settings.lock_after_seconds;
            self.options.lock_after_ms = seconds.map_or(u64::MAX, |seconds| seconds.saturating_mul(1000));
        }
        // A word of a newer program means what this one finds out by itself.
        turn.wishes.push(Wish::ShowWith(settings.graphics.parse().unwrap_or_default()));
    }

    /// Pictures are shown in another way from now on.
    pub fn show_with(&mut self, dots: Dots, shows: Shows) {
        self.options.dots = dots;
        self.options.shows = shows;
    }

    fn only(&mut self, screen: Box<dyn Screen>, turn: &mut Turn) {
        turn.go.push(Go::Only(screen));
    }

    fn with_top(&mut self, turn: &mut Turn, call: impl FnOnce(&mut dyn Screen, &mut Context<'_>)) {
        let mut call = Some(call);
        self.with_all(turn, |screen, context| {
            if context.is_top
                && let Some(call) = call.take()
            {
                call(screen, context);
            }
        });
    }

    fn with_all(&mut self, turn: &mut Turn, mut call: impl FnMut(&mut dyn Screen, &mut Context<'_>)) {
        let (area, dots, shows) = (self.body(), self.options.dots, self.options.shows);
        let top = self.screens.len().saturating_sub(1);
        let is_covered = self.over.is_some() || self.asked().is_some();
        for (number, screen) in self.screens.iter_mut().enumerate() {
            let mut context = Context {
                tickets: &mut self.tickets,
                wishes: &mut turn.wishes,
                toasts: &mut self.toasts,
                go: &mut turn.go,
                number,
                questions: &mut self.questions,
                dice: &mut self.dice,
                happenings: &self.happenings,
                is_top: number == top,
                is_seen: number == top && !is_covered,
                now: turn.now,
                now_ms: turn.now_ms,
                area,
                dots,
                shows,
            };
            call(screen.as_mut(), &mut context);
        }
    }

    /// Where screens are drawn: between the bar at the top and the hints at the bottom.
    fn body(&self) -> Rect {
        parts(Rect::new(0, 0, self.size.0, self.size.1))[1]
    }

    /// The pictures on the screen, each in its place. While something lies over the screen there are none.
    pub fn scenes(&mut self) -> Vec<(Rect, Scene)> {
        if self.over.is_some() || self.asked().is_some() {
            return Vec::new();
        }
        let (area, dots) = (self.body(), self.options.dots);
        self.screens.last_mut().map_or_else(Vec::new, |top| top.scenes(area, dots))
    }

    /// Cells where something lies above the pictures.
    pub fn covered(&self) -> Vec<Rect> {
        let mut covered = self.toasts.areas(self.body());
        let is_under = self.over.is_some() || self.asked().is_some();
        if let Some(top) = self.screens.last().filter(|_| !is_under) {
            covered.extend(top.covered(self.body(), self.options.dots));
        }
        covered
    }

    /// Whether something moves by itself.
    pub fn is_playing(&self) -> bool {
        self.screens.last().is_some_and(|top| top.is_playing())
    }

    /// Draws everything.
    pub fn draw(&self, frame: &mut Frame<'_>) {
        let look = self.options.look;
        let [bar, body, foot] = parts(frame.area());
        self.draw_bar(frame, bar, look);
        match self.screens.last() {
            Some(top) => {
                top.draw(frame, body, self.options.dots, look);
                draw_hints(frame, foot, top.as_ref(), look);
            }
            None => frame.render_widget(self.looking(look), body),
        }
        self.toasts.draw(frame, body, look);
        if !self.notices.is_empty() && self.locked {
            let line = Rect { height: 1.min(body.height), ..body };
            let notices = LOCKED_NOTICES.into_iter().rev().filter(|notice| self.notices.contains(*notice));
            let notices = notices.collect::<Vec<_>>().join("; ");
            frame.render_widget(Paragraph::new(Line::styled(notices, look.bad())).centered(), line);
        }
        match &self.over {
            Some(Over::Help { page }) => {
                let place = self.screens.last().map_or(Place::Everywhere, |top| top.place());
                draw_help(frame, body, place, *page, look);
            }
            Some(Over::Palette(palette)) => palette.draw(frame, body, look),
            None => {}
        }
        if let Some(Asked { question, .. }) = self.asked() {
            question.draw(frame, body, look);
        }
    }

    /// What stands on the screen until the node has answered once.
    fn looking(&self, look: Look) -> Paragraph<'static> {
        let mut lines = vec![Line::raw("Looking for the node of this home …")];
        if self.waited_ms >= LOOKING_MS {
            let seconds = self.waited_ms / 1000;
            lines.push(Line::styled(format!("It has not answered for {seconds} s."), look.warn()));
            lines.push(Line::raw(
                "If it does not come back, end it (a window of Overread, or `overread node`) and start again.",
            ));
        }
        Paragraph::new(lines).wrap(Wrap { trim: false })
    }

    fn draw_bar(&self, frame: &mut Frame<'_>, area: Rect, look: Look) {
        let title = self.screens.last().map_or_else(String::new, |top| top.title());
        let left = format!(" Overread  {}", shown(&title));
        let right = match &self.owner {
            Some((name, site)) => format!("{}, {} ", shown(name), shown(site)),
            None => "for consultation, never for primary diagnosis ".to_owned(),
        };
        let style = look.bar();
        frame.render_widget(Paragraph::new(Span::raw(left.clone())).style(style), area);
        let used = u16::try_from(unicode_width::UnicodeWidthStr::width(left.as_str())).unwrap_or(u16::MAX);
        let room = area.width.saturating_sub(used.saturating_add(2));
        let wide = u16::try_from(unicode_width::UnicodeWidthStr::width(right.as_str())).unwrap_or(u16::MAX);
        if wide <= room {
            let place = Rect { x: area.right() - wide, width: wide, ..area };
            frame.render_widget(Paragraph::new(right).style(style), place);
        }
    }
}

/// What is said of a study that nobody sends any more: nothing of its patient.
fn arrived(modality: &str, instances: usize, state: &str) -> Option<(String, Weight)> {
    let modality = if modality.is_empty() { String::new() } else { format!("{modality}, ") };
    let images = count(instances, "image");
    match state {
        "complete" => Some((format!("A study has arrived: {modality}{images}."), Weight::Good)),
        "incomplete" => Some((format!("A study arrived in part: {modality}{images} are here."), Weight::Bad)),
        _ => None,
    }
}

/// What one message leads to.
struct Turn {
    wishes: Vec<Wish>,
    go: Vec<Go>,
    now: Timestamp,
    now_ms: u64,
}

fn parts(area: Rect) -> [Rect; 3] {
    Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)]).areas(area)
}

/// The keys that help most here, as many as fit.
fn draw_hints(frame: &mut Frame<'_>, area: Rect, screen: &dyn Screen, look: Look) {
    let mut spans = Vec::new();
    let mut room = usize::from(area.width);
    for binding in keys::bindings(screen.place()).into_iter().filter(|binding| binding.hint) {
        if screen.typing() && keys::action(screen.place(), true, binding.chord).is_none() {
            continue;
        }
        let key = format!(" {} ", binding.chord.shown());
        let words = format!("{} ", binding.words);
        let needed = key.chars().count() + words.chars().count();
        if needed > room {
            break;
        }
        room -= needed;
        spans.push(Span::styled(key, look.key()));
        spans.push(Span::raw(words));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}

#[cfg(test)]
pub(super) mod harness;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
