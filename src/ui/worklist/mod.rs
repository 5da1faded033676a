//! The worklist: every case, the urgent first, and the chosen one at a glance.

mod draw;
mod preview;

pub(super) use draw::{arrived, duration};
use preview::Preview;

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};

use super::bundles::{PackBundle, TakeBundle};
use super::case::CaseScreen;
use super::colleagues::Colleagues;
use super::import::Import;
use super::keys::{Action, Chord, Place};
use super::log::Log;
use super::look::Look;
use super::message::{Thumbnailed, Ticket};
use super::new_case::NewCase;
use super::picture::PictureKey;
use super::recovery::Recovery;
use super::screen::{Context, Dots, Go, Outcome, Screen};
use super::settings::Settings;
use super::studies::Studies;
use super::transfers::Transfers;
use super::verification::Verification;
use super::widget::field::Field;
use super::widget::list::Chosen;
use super::widget::popup::Question;
use crate::encoding::time::Timestamp;
use crate::node::api::{CaseSummary, Failure, FailureCode, Reply, Request};
use crate::view::raster::Scene;

/// How often the list is read again while images arrive, in milliseconds.
const ARRIVING_MS: u64 = 1_000;

/// How often it is read again without a reason: times pass, and delivery changes.
const IDLE_MS: u64 = 10_000;

/// What the list is sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// Open before closed, then urgency, then due.
    #[default]
    Urgency,
    Due,
    Name,
    Unread,
}

impl Order {
    fn next(self) -> Self {
        match self {
            Self::Urgency => Self::Due,
            Self::Due => Self::Name,
            Self::Name => Self::Unread,
            Self::Unread => Self::Urgency,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Urgency => "urgency",
            Self::Due => "due",
            Self::Name => "name",
            Self::Unread => "unread",
        }
    }
}

/// The list of cases.
#[derive(Debug)]
pub struct Worklist {
    /// `None` until the node has answered once.
    cases: Option<Vec<CaseSummary>>,
    has_colleague: Option<bool>,
    chosen: Chosen,
    order: Order,
    filter: Field,
    filtering: bool,
    preview: Preview,
    /// What the disk has left, in bytes, if that is little.
    disk_low_bytes: Option<u64>,
    /// Whether the recovery code is on paper; `None` until the node has answered.
    recovery_confirmed: Option<bool>,
    /// The code was offered by itself once: not again before the app is locked.
    recovery_offered: bool,
    asking_status: Option<Ticket>,
    listing: Option<Ticket>,
    counting: Option<Ticket>,
    /// Studies that neighbours sent and nobody has taken in.
    arrived: usize,
    counting_arrived: Option<Ticket>,
    writing: Option<Ticket>,
    /// The case the open question is about, even if the list moves.
    purging: Option<String>,
    /// The list is not what the node has any more.
    stale: bool,
    listed_ms: u64,
    now: Option<Timestamp>,
}

impl Default for Worklist {
    fn default() -> Self {
        Self {
            cases: None,
            has_colleague: None,
            chosen: Chosen::default(),
            order: Order::default(),
            filter: Field::new("", "part of a name, question or colleague"),
            filtering: false,
            preview: Preview::default(),
            disk_low_bytes: None,
            recovery_confirmed: None,
            recovery_offered: false,
            asking_status: None,
            listing: None,
            counting: None,
            arrived: 0,
            counting_arrived: None,
            writing: None,
            purging: None,
            stale: false,
            listed_ms: 0,
            now: None,
        }
    }
}

impl Worklist {
    /// The cases that are seen, in order.
    fn seen(&self) -> Vec<&CaseSummary> {
        let wanted: Vec<String> = self.filter.text().split_whitespace().map(str::to_lowercase).collect();
        let matches = |case: &&CaseSummary| {
            let text = format!(
                "{} {} {} {} {} {}",
                case.spoken,
                case.question,
                case.people.join(" "),
                case.patient.as_deref().unwrap_or_default(),
                case.urgency,
                case.status
            )
            .to_lowercase();
            wanted.iter().all(|word| text.contains(word))
        };
        let mut seen: Vec<&CaseSummary> = self.cases.iter().flatten().filter(matches).collect();
        let due = |case: &CaseSummary| case.due.clone().unwrap_or_else(|| "~".into());
        match self.order {
            // As the node gives them.
            Order::Urgency => {}
            Order::Due => seen.sort_by_key(|case| due(case)),
            Order::Name => seen.sort_by_key(|case| case.spoken.clone()),
            Order::Unread => seen.sort_by_key(|case| std::cmp::Reverse(case.unread)),
        }
        seen
    }

    fn chosen_case(&self) -> Option<&CaseSummary> {
        self.seen().get(self.chosen.at).copied()
    }

    fn list(&mut self, context: &mut Context<'_>) {
        if self.listing.is_some() {
            self.stale = true;
            return;
        }
        self.stale = false;
        self.listed_ms = context.now_ms;
        self.listing = Some(context.ask(Request::CaseList));
        if self.counting.is_none() {
            self.counting = Some(context.ask(Request::CardList));
        }
        if self.asking_status.is_none() {
            self.asking_status = Some(context.ask(Request::Status));
        }
        self.count_arrived(context);
    }

    fn count_arrived(&mut self, context: &mut Context<'_>) {
        if self.counting_arrived.is_none() {
            self.counting_arrived = Some(context.ask(Request::InboxList));
        }
    }

    fn look_at_chosen(&mut self, context: &mut Context<'_>) {
        let id = self.chosen_case().filter(|case| case.status != "damaged").map(|case| case.id.clone());
        self.preview.look_at(id.as_deref(), context);
    }

    fn open(&self, context: &mut Context<'_>) {
        match self.chosen_case() {
            // Nothing of it can be shown but what is wrong with it.
            Some(case) if case.status == "damaged" => self.verify(context),
            Some(case) => context.go(Go::Over(Box::new(CaseScreen::new(&case.id, &case.spoken)))),
            None => {}
        }
    }

    fn verify(&self, context: &mut Context<'_>) {
        if let Some(case) = self.chosen_case() {
            let is_damaged = case.status == "damaged";
            context.go(Go::Over(Box::new(Verification::of_case(&case.id, &case.spoken, is_damaged))));
        }
    }

    /// Goes to the recovery code, once, when the first case of this home has gone out: from then on there is something
    /// to lose.
    fn offer_recovery(&mut self, context: &mut Context<'_>) {
        let gone_out = |case: &CaseSummary| case.role == "owner" && case.members > 1 && !case.not_sent;
        let is_time = self.recovery_confirmed == Some(false) && self.cases.iter().flatten().any(gone_out);
        if is_time && context.is_top && !self.recovery_offered && !self.filtering {
            self.recovery_offered = true;
            context.go(Go::Over(Box::new(Recovery::new(self.recovery_confirmed))));
        }
    }

    /// Lines about this home, above all cases.
    fn about_home(&self) -> u16 {
        u16::from(self.recovery_confirmed == Some(false)) + u16::from(self.disk_low_bytes.is_some())
    }

    /// What the lines about this home leave.
    fn below_home(&self, area: Rect) -> Rect {
        let rows = self.about_home().min(area.height);
        Rect { y: area.y + rows, height: area.height - rows, ..area }
    }

    /// Where the list and the glance at the chosen case stand.
    fn parts(&self, area: Rect) -> [Rect; 3] {
        let area = self.below_home(area);
        let [head, rest] = Layout::vertical([Constraint::Length(2), Constraint::Min(0)]).areas(area);
        let glance = if area.height >= 30 { 14 } else { 8 };
        let [list, glance] = Layout::vertical([Constraint::Min(3), Constraint::Length(glance)]).areas(rest);
        [head, list, glance]
    }
}

impl Screen for Worklist {
    fn place(&self) -> Place {
        Place::Worklist
    }

    fn title(&self) -> String {
        match &self.cases {
            Some(cases) => {
                let open = cases.iter().filter(|case| case.status == "open").count();
                format!("worklist: {open} open")
            }
            None => "worklist".into(),
        }
    }

    fn typing(&self) -> bool {
        self.filtering
    }

    fn shown(&mut self, context: &mut Context<'_>) {
        self.now = Some(context.now);
        self.list(context);
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        let page = usize::from(self.parts(context.area)[1].height);
        if self.chosen.act(action, self.seen().len(), page) {
            self.look_at_chosen(context);
            return;
        }
        match action {
            Action::Open => self.open(context),
            Action::Filter => self.filtering = true,
            Action::Sort => {
                self.order = self.order.next();
                self.look_at_chosen(context);
            }
            Action::Refresh => self.list(context),
            Action::Colleagues => context.go(Go::Over(Box::new(Colleagues::default()))),
            Action::Settings => context.go(Go::Over(Box::new(Settings::default()))),
            Action::Log => context.go(Go::Over(Box::new(Log::default()))),
            Action::Transfers => {
                let at = self.chosen_case().map(|case| Transfers::of(&case.id));
                context.go(Go::Over(Box::new(at.unwrap_or_default())));
            }
            Action::VerifyCase => self.verify(context),
            Action::TakeBundle => context.go(Go::Over(Box::new(TakeBundle::default()))),
            Action::PackBundle => context.go(Go::Over(Box::new(PackBundle::default()))),
            Action::RecoveryCode => context.go(Go::Over(Box::new(Recovery::new(self.recovery_confirmed)))),
            Action::NewCase => context.go(Go::Over(Box::new(NewCase::default()))),
            Action::Import => context.go(Go::Over(Box::new(Import::default()))),
            Action::Studies => context.go(Go::Over(Box::new(Studies::default()))),
            Action::Fetch => {
                if let Some(case) = self.chosen_case().map(|case| case.id.clone()) {
                    self.writing = Some(context.ask_with(
                        Request::Fetch { case, series: Vec::new(), key_images: false },
                        None,
                        Some(0),
                    ));
                }
            }
            Action::CloseCase => {
                if let Some(case) = self.chosen_case() {
                    let (id, closed) = (case.id.clone(), case.status == "closed");
                    let request =
                        if closed { Request::CaseReopen { case: id } } else { Request::CaseClose { case: id } };
                    self.writing = Some(context.write(request));
                }
            }
            Action::PurgeCase => {
                self.purging = self.chosen_case().map(|case| case.id.clone());
                if let Some(case) = self.chosen_case() {
                    let lines = vec![
                        format!("{}: {}", case.spoken, case.question),
                        "Its images and entries are deleted on this machine; other members keep theirs.".into(),
                    ];
                    context.confirm(Question { title: "Delete this case here?".into(), lines }, Action::PurgeConfirmed);
                }
            }
            Action::PurgeConfirmed => {
                if let Some(case) = self.purging.take() {
                    self.writing = Some(context.write(Request::CasePurge { case }));
                }
            }
            _ => {}
        }
    }

    fn key(&mut self, key: KeyEvent, context: &mut Context<'_>) {
        if !self.filtering {
            return;
        }
        match Chord::of(key).code {
            KeyCode::Esc => {
                self.filter.clear();
                self.filtering = false;
            }
            _ => drop(self.filter.key(key)),
        }
        self.chosen = Chosen::default();
        self.look_at_chosen(context);
    }

    fn paste(&mut self, text: &str, context: &mut Context<'_>) {
        if self.filtering {
            self.filter.paste(text);
            self.chosen = Chosen::default();
            self.look_at_chosen(context);
        }
    }

    fn pointer(&mut self, pointer: MouseEvent, context: &mut Context<'_>) {
        let [_, list, _] = self.parts(context.area);
        match pointer.kind {
            MouseEventKind::ScrollDown => self.act(Action::Down, context),
            MouseEventKind::ScrollUp => self.act(Action::Up, context),
            MouseEventKind::Down(MouseButton::Left) => {
                let at = Position::new(pointer.column, pointer.row);
                let Some(row) = self.chosen.line_at(list, at) else { return };
                if row >= self.seen().len() {
                    return;
                }
                if row == self.chosen.at {
                    self.open(context);
                } else {
                    self.chosen.at = row;
                    self.look_at_chosen(context);
                }
            }
            _ => {}
        }
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) {
        if self.preview.answered(ticket, outcome, context) {
            return;
        }
        let ticket = Some(ticket);
        if self.listing == ticket {
            self.listing = None;
            match outcome.as_deref() {
                Ok(Reply::Cases { cases }) => {
                    let chosen = self.chosen_case().map(|case| case.id.clone());
                    self.cases = Some(cases.clone());
                    if let Some(at) = self.seen().iter().position(|case| Some(&case.id) == chosen.as_ref()) {
                        self.chosen.at = at;
                    }
                    self.chosen.keep_within(self.seen().len());
                    self.look_at_chosen(context);
                    self.offer_recovery(context);
                }
                Ok(_) => {}
                Err(failure) => context.say_failure(failure),
            }
            if self.stale {
                self.list(context);
            }
        } else if self.asking_status == ticket {
            self.asking_status = None;
            if let Ok(Reply::Status(status)) = outcome.as_deref() {
                self.recovery_confirmed = status.recovery_confirmed;
                self.disk_low_bytes = status.disk_low_bytes;
            }
            self.offer_recovery(context);
        } else if self.counting == ticket {
            self.counting = None;
            if let Ok(Reply::Cards { cards }) = outcome.as_deref() {
                self.has_colleague = Some(cards.iter().any(|card| card.trust != "me"));
            }
        } else if self.counting_arrived == ticket {
            self.counting_arrived = None;
            if let Ok(Reply::Inbox(inbox)) = outcome.as_deref() {
                self.arrived = inbox.studies.len();
            }
        } else if self.writing == ticket {
            self.writing = None;
            match outcome {
                // The node's hint is about the command line.
                Err(failure) if failure.code == FailureCode::Damaged => {
                    let hint = "v says what of it, Del deletes it here; a colleague's program then sends it again.";
                    context.say_failure(&Failure::new(failure.code, failure.what.as_str()).hint(hint));
                }
                // Fetching was asked not to wait.
                Err(failure) if failure.code == FailureCode::NotReached => {
                    context.say("Asked for: it comes as soon as somebody who holds it is connected (w shows how far).");
                }
                Err(failure) => context.say_failure(failure),
                Ok(_) => {}
            }
            self.list(context);
        }
    }

    fn thumbnailed(&mut self, key: &PictureKey, outcome: &Thumbnailed, _context: &mut Context<'_>) {
        self.preview.thumbnailed(key, outcome);
    }

    fn scenes(&mut self, area: Rect, dots: Dots) -> Vec<(Rect, Scene)> {
        let [_, _, glance] = self.parts(area);
        let scene = self.chosen_case().and_then(|case| self.preview.scene(draw::glance_inside(glance), &case.id, dots));
        scene.into_iter().collect()
    }

    /// What is about a case changes its line, and a colleague who connects may be new. What strangers do reads nothing.
    fn happened(&mut self, what: &str, case: Option<&str>, context: &mut Context<'_>) {
        if case.is_some() || what == "connected" {
            self.list(context);
        }
    }

    fn inbox_changed(&mut self, context: &mut Context<'_>) {
        self.count_arrived(context);
    }

    fn tick(&mut self, context: &mut Context<'_>) {
        self.now = Some(context.now);
        let arriving = self.cases.iter().flatten().any(|case| case.chunks_have < case.chunks_total);
        let every_ms = if arriving { ARRIVING_MS } else { IDLE_MS };
        if context.now_ms.saturating_sub(self.listed_ms) >= every_ms {
            self.list(context);
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        draw::worklist(self, frame, area, look);
    }
}
