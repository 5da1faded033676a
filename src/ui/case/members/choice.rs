//! A list over the case: which colleague is brought in, and which role a member has.
//!
//! What a choice means, or why it cannot be made, stands below the list before it is made.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::rights::{self, GIVEN, Given};
use crate::case::access::Role;
use crate::encoding::text::shown;
use crate::node::api::{CardView, CaseView, FailureCode, MemberView, Reply, Request};
use crate::ui::colleagues::called;
use crate::ui::keys::{Action, Place};
use crate::ui::look::Look;
use crate::ui::message::Ticket;
use crate::ui::screen::{Context, Dots, Go, Outcome, Screen, in_one_line};
use crate::ui::widget::list::Chosen;
use crate::ui::widget::popup::{self, Question};
use crate::ui::widget::text::shortened;

/// Widest box and highest, in cells.
const WIDTH_MAX: u16 = 76;
const HEIGHT_MAX: u16 = 20;

/// Cells of a role's name, and of how far a colleague is trusted.
const ROLE_CELLS: usize = 10;
const TRUST_CELLS: usize = 12;

/// Whom it is about.
#[derive(Debug, Clone)]
struct Whom {
    identity: String,
    name: String,
    is_unverified: bool,
    /// None of somebody who is to be brought in.
    role: Option<String>,
}

/// Chooses a colleague and her role, or another role for a member.
#[derive(Debug)]
pub struct MemberChoice {
    case: String,
    /// This person's own role.
    mine: String,
    members: Vec<String>,
    /// What is said of rank, if there is something to say.
    rank: Option<&'static str>,
    /// `None` until the node has answered; a role needs none.
    colleagues: Option<Vec<CardView>>,
    whom: Option<Whom>,
    chosen: Chosen,
    listing: Option<Ticket>,
    writing: Option<Ticket>,
    to_unverified: bool,
    /// What went wrong, until the next key.
    wrong: Option<String>,
}

impl MemberChoice {
    /// Whom to bring into a case, and as what.
    pub fn of_colleague(case: &CaseView) -> Self {
        Self {
            case: case.id.clone(),
            mine: case.role.clone(),
            members: case.members.iter().map(|member| member.identity.clone()).collect(),
            rank: None,
            colleagues: None,
            whom: None,
            chosen: Chosen::default(),
            listing: None,
            writing: None,
            to_unverified: false,
            wrong: None,
        }
    }

    /// Which role a member is to have.
    pub fn of_role(case: &CaseView, member: &MemberView) -> Self {
        let whom = Whom {
            identity: member.identity.clone(),
            name: shown(&member.name).into_owned(),
            is_unverified: false,
            role: Some(member.role.clone()),
        };
        let rank = rights::rank(case, member);
        let mut choice = Self { whom: Some(whom), rank, ..Self::of_colleague(case) };
        choice.choose_role(&member.role);
        choice
    }

    /// What she can be made: nobody is brought in as the owner, or as the heir.
    fn roles(&self) -> &'static [Given] {
        match &self.whom {
            Some(Whom { role: Some(_), .. }) => &GIVEN,
            _ => GIVEN.get(2..).unwrap_or_default(),
        }
    }

    fn choose_role(&mut self, word: &str) {
        let at = self.roles().iter().position(|role| role.word() == word);
        self.chosen = Chosen { at: at.unwrap_or_default() };
    }

    fn colleagues(&self) -> &[CardView] {
        self.colleagues.as_deref().unwrap_or_default()
    }

    fn length(&self) -> usize {
        if self.whom.is_some() { self.roles().len() } else { self.colleagues().len() }
    }

    /// What this person says yes to was about another choice.
    fn moved(&mut self) {
        self.wrong = None;
        self.to_unverified = false;
    }

    fn open(&mut self, context: &mut Context<'_>) {
        if self.whom.is_some() {
            return self.submit(context);
        }
        let Some(card) = self.colleagues().get(self.chosen.at) else { return };
        if let Some(why) = why_not_invite(card) {
            self.wrong = Some(why.into());
            return;
        }
        self.whom = Some(Whom {
            identity: card.identity.clone(),
            name: called(card),
            is_unverified: card.trust != "verified",
            role: None,
        });
        self.moved();
        self.choose_role(Role::Reader.word());
    }

    fn submit(&mut self, context: &mut Context<'_>) {
        let (Some(whom), Some(role)) = (&self.whom, self.roles().get(self.chosen.at)) else { return };
        if let Some(why) = rights::why_not_give(&self.mine, whom.role.as_deref(), *role) {
            self.wrong = Some(why.into());
            return;
        }
        if whom.role.is_none() && whom.is_unverified && !self.to_unverified {
            return context.confirm(unverified(&whom.name), Action::SendUnverified);
        }
        if *role == Given::Role(Role::Owner) {
            let lines = vec![
                format!("{} owns the case from then on; you become an admin.", whom.name),
                "Only she can hand it back.".into(),
            ];
            return context.confirm(Question { title: "Hand the case over?".into(), lines }, Action::ChangeConfirmed);
        }
        self.write(context);
    }

    fn write(&mut self, context: &mut Context<'_>) {
        let (Some(whom), Some(role)) = (&self.whom, self.roles().get(self.chosen.at)) else { return };
        let (case, who, role) = (self.case.clone(), whom.identity.clone(), role.word().to_owned());
        let request = match whom.role {
            Some(_) => Request::CaseMemberRole { case, who, role },
            None => Request::CaseMemberAdd { case, who, role, to_unverified: self.to_unverified },
        };
        self.writing = Some(context.write(request));
    }

    fn written(&mut self, outcome: &Outcome, context: &mut Context<'_>) {
        let Some(whom) = &self.whom else { return };
        match outcome {
            // It is written, and goes out when somebody is reached.
            Err(failure) if failure.code != FailureCode::NotReached => {
                let is_new = whom.role.is_none();
                if failure.code == FailureCode::Untrusted && is_new && !self.to_unverified {
                    return context.confirm(unverified(&whom.name), Action::SendUnverified);
                }
                self.wrong = Some(in_one_line(failure));
            }
            _ => {
                let role = self.roles().get(self.chosen.at).map_or("", |role| role.word());
                context.say_good(&match whom.role {
                    Some(_) if role == Given::Heir.word() => {
                        format!("{} takes the case over should you be gone.", whom.name)
                    }
                    Some(_) => format!("{} is {} from now on.", whom.name, rights::a(role)),
                    None => format!("{} is a member. The page shows when it has reached her.", whom.name),
                });
                context.go(Go::Back);
            }
        }
    }

    fn place_of(area: Rect) -> Rect {
        popup::middle(area, WIDTH_MAX, area.height.min(HEIGHT_MAX))
    }

    /// What is chosen from stands in the middle.
    fn parts(area: Rect) -> [Rect; 3] {
        let inside = popup::inside(Self::place_of(area));
        Layout::vertical([Constraint::Length(4), Constraint::Min(1), Constraint::Length(3)]).areas(inside)
    }

    /// What is above the list.
    fn intro(&self) -> String {
        let all = "She gets all of the case: images, marks, opinions, what was said.";
        match &self.whom {
            None => format!("Colleagues who are not in this case. {all}"),
            Some(Whom { name, role: None, .. }) => format!("What {name} is to be. {all} A role can be changed later."),
            Some(Whom { name, role: Some(_), .. }) => {
                let rank = self.rank.map_or_else(String::new, |rank| format!(" {rank}"));
                format!("Another role for {name}. It holds from now on; what she wrote stays.{rank}")
            }
        }
    }

    /// What is below it: what went wrong, or what the choice means.
    fn foot(&self, look: Look) -> Line<'static> {
        if self.writing.is_some() {
            return Line::styled("working …", look.dim());
        }
        if let Some(wrong) = &self.wrong {
            return Line::styled(wrong.clone(), look.bad());
        }
        let role = self.roles().get(self.chosen.at);
        let why_not = match (&self.whom, role, self.colleagues().get(self.chosen.at)) {
            (Some(whom), Some(role), _) => rights::why_not_give(&self.mine, whom.role.as_deref(), *role),
            (Some(_), None, _) => None,
            (None, _, card) => card.and_then(why_not_invite),
        };
        let is_unverified = match &self.whom {
            Some(whom) => whom.is_unverified,
            None => self.colleagues().get(self.chosen.at).is_some_and(|card| card.trust != "verified"),
        };
        match why_not {
            Some(why) => Line::styled(why, look.warn()),
            None if is_unverified => Line::styled(UNVERIFIED, look.warn()),
            None => Line::raw(""),
        }
    }

    fn rows(&self, width: u16, look: Look) -> Vec<Line<'static>> {
        let width = usize::from(width);
        match &self.whom {
            Some(whom) => {
                let row = |role: &Given| {
                    let can = rights::why_not_give(&self.mine, whom.role.as_deref(), *role).is_none();
                    let now = if whom.role.as_deref() == Some(role.word()) { " (now)" } else { "" };
                    let words = format!("{:<ROLE_CELLS$}{}{now}", role.word(), role.words());
                    Line::styled(shortened(&words, width), if can { look.plain() } else { look.dim() })
                };
                self.roles().iter().map(row).collect()
            }
            None => {
                let row = |card: &CardView| {
                    let who = format!("{}, {}", called(card), shown(&card.site));
                    let who = shortened(&who, width.saturating_sub(TRUST_CELLS + 1));
                    let style = if why_not_invite(card).is_none() { look.plain() } else { look.dim() };
                    let trust = if card.expired { "expired".into() } else { shown(&card.trust).into_owned() };
                    Line::from(vec![
                        Span::styled(format!("{trust:<TRUST_CELLS$} "), look.trust(&trust)),
                        Span::styled(who, style),
                    ])
                };
                self.colleagues().iter().map(row).collect()
            }
        }
    }

    /// What stands instead of a list.
    fn instead(&self) -> Option<&'static str> {
        match &self.colleagues {
            _ if self.whom.is_some() => None,
            None if self.wrong.is_some() => None,
            None => Some("reading your colleagues …"),
            Some(all) if all.is_empty() => Some(
                "Every colleague of yours is a member already, or you have none yet. Somebody new is paired with \
                 first: c in the worklist.",
            ),
            Some(_) => None,
        }
    }
}

/// What an invitation of somebody means whose words were never compared.
const UNVERIFIED: &str = "You never compared safety words with her: it may be somebody else who reads the case. \
                          Invited all the same, the case says so.";

fn unverified(name: &str) -> Question {
    let lines = vec![
        format!("{name}: you never compared safety words."),
        "It may be somebody else who reads the case. That she was invited so stands in the case.".into(),
        String::new(),
        "Better: compare the words by phone first (colleagues). Invite her all the same?".into(),
    ];
    Question { title: "Invite somebody unverified?".into(), lines }
}

/// Why a colleague cannot be invited; none if she can.
fn why_not_invite(card: &CardView) -> Option<&'static str> {
    match card.trust.as_str() {
        "blocked" => Some("She is blocked: end the block first, under colleagues."),
        "compromised" => Some("Two cards of hers contradict each other: compare words anew first, under colleagues."),
        _ if card.expired => Some("Her card has expired: she sends you a new one, or you pair again."),
        _ => None,
    }
}

impl Screen for MemberChoice {
    fn place(&self) -> Place {
        Place::Picking
    }

    fn title(&self) -> String {
        match &self.whom {
            Some(Whom { role: Some(_), .. }) => "another role for a member".into(),
            _ => "bring in a colleague".into(),
        }
    }

    fn shown(&mut self, context: &mut Context<'_>) {
        if self.whom.is_none() && self.listing.is_none() {
            self.listing = Some(context.ask(Request::CardList));
        }
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        if self.writing.is_some() && action != Action::Back {
            return;
        }
        let page = usize::from(Self::parts(context.area)[1].height);
        let length = self.length();
        if self.chosen.act(action, length, page) {
            return self.moved();
        }
        match action {
            // From the role back to whom.
            Action::Back if self.writing.is_none() && self.whom.as_ref().is_some_and(|whom| whom.role.is_none()) => {
                let back = self.whom.take();
                let at = self
                    .colleagues()
                    .iter()
                    .position(|card| back.as_ref().is_some_and(|whom| whom.identity == card.identity));
                self.chosen = Chosen { at: at.unwrap_or_default() };
                self.moved();
            }
            Action::Back => context.go(Go::Back),
            Action::Open => self.open(context),
            Action::SendUnverified => {
                self.to_unverified = true;
                self.submit(context);
            }
            Action::ChangeConfirmed => self.write(context),
            _ => {}
        }
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) {
        if self.listing.take_if(|listing| *listing == ticket).is_some() {
            match outcome.as_deref() {
                Ok(Reply::Cards { cards }) => {
                    let others =
                        cards.iter().filter(|card| card.trust != "me" && !self.members.contains(&card.identity));
                    let mut others: Vec<CardView> = others.cloned().collect();
                    others.sort_by_key(|card| {
                        (why_not_invite(card).is_some(), card.trust != "verified", called(card).to_lowercase())
                    });
                    self.colleagues = Some(others);
                    self.chosen.keep_within(self.length());
                }
                Ok(_) => {}
                Err(failure) => self.wrong = Some(in_one_line(failure)),
            }
        } else if self.writing.take_if(|writing| *writing == ticket).is_some() {
            self.written(outcome, context);
        }
    }

    fn pointer(&mut self, pointer: MouseEvent, context: &mut Context<'_>) {
        let [_, list, _] = Self::parts(context.area);
        match pointer.kind {
            MouseEventKind::ScrollDown => self.act(Action::Down, context),
            MouseEventKind::ScrollUp => self.act(Action::Up, context),
            MouseEventKind::Down(MouseButton::Left) => {
                let at = Position::new(pointer.column, pointer.row);
                let Some(at) = self.chosen.line_at(list, at) else { return };
                if at == self.chosen.at {
                    self.act(Action::Open, context);
                } else if at < self.length() && self.writing.is_none() {
                    self.chosen.at = at;
                    self.moved();
                }
            }
            _ => {}
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        let title = match &self.whom {
            Some(Whom { role: Some(_), .. }) => "Another role for a member",
            _ => "Bring in a colleague",
        };
        popup::open(frame, Self::place_of(area), title, look);
        let [head, list, foot] = Self::parts(area);
        let wrapped = |line: Line<'static>| Paragraph::new(line).wrap(Wrap { trim: true });
        frame.render_widget(wrapped(Line::raw(self.intro())), head);
        if let Some(instead) = self.instead() {
            frame.render_widget(wrapped(Line::styled(instead, look.dim())), list);
        }
        let room = usize::from(list.height);
        let rows = self.rows(list.width, look).into_iter().enumerate();
        let seen = rows.skip(self.chosen.first_seen(room)).take(room);
        let lines = seen.map(|(at, row)| if at == self.chosen.at { row.patch_style(look.chosen()) } else { row });
        frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), list);
        frame.render_widget(wrapped(self.foot(look)), foot);
    }
}
