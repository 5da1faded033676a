//! Packing a bundle: for whom and what, where to, a summary, the packing, and what came of it.
//!
//! ```text
//! choose -> where -> (summary) -> pack -> packed
//!             ^                    |
//!             `---- what failed ---'
//! ```

use std::path::PathBuf;

use crossterm::event::{KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use super::choice::{Choice, Part};
use super::{Busy, pack_draw, trouble};
use crate::encoding::text::shown;
use crate::node::api::{Event, PackedBundle, Reply, Request};
use crate::ui::browse::{BUNDLE_ENDING, Destination, Written};
use crate::ui::files::Listing;
use crate::ui::keys::{Action, Place};
use crate::ui::look::Look;
use crate::ui::message::{Ticket, Wish};
use crate::ui::screen::{Context, Dots, Go, Outcome, Screen};
use crate::ui::widget::amount::count;
use crate::ui::widget::list::Chosen;
use crate::ui::widget::popup::Question;

/// Cases and people that a question names before it counts the others.
const NAMED_MAX: usize = 6;

/// What is on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Choose,
    Where,
    Pack,
    Packed,
}

/// A bundle that is being packed.
#[derive(Debug)]
pub struct PackBundle {
    pub(super) step: Step,
    pub(super) choice: Choice,
    /// Only the images that carry marks.
    pub(super) key_images: bool,
    pub(super) destination: Destination,
    pub(super) path: PathBuf,
    pub(super) busy: Option<Busy>,
    pub(super) packed: Option<PackedBundle>,
    /// Why the last packing failed.
    pub(super) trouble: Option<String>,
    pub(super) scrolled: Chosen,
    listing: Option<Ticket>,
    counting: Option<Ticket>,
    reading: Option<(Ticket, String)>,
}

impl Default for PackBundle {
    fn default() -> Self {
        Self {
            step: Step::Choose,
            choice: Choice::default(),
            key_images: false,
            destination: Destination::file("", BUNDLE_ENDING),
            path: PathBuf::new(),
            busy: None,
            packed: None,
            trouble: None,
            scrolled: Chosen::default(),
            listing: None,
            counting: None,
            reading: None,
        }
    }
}

impl PackBundle {
    /// With a case chosen.
    pub fn of(case: &str) -> Self {
        Self { choice: Choice::of(case), ..Self::default() }
    }

    fn read(&mut self, context: &mut Context<'_>) {
        if self.listing.is_none() {
            self.listing = Some(context.ask(Request::CaseList));
        }
        if self.counting.is_none() {
            self.counting = Some(context.ask(Request::CardList));
        }
    }

    /// Reads one case after the other: there may be many.
    fn read_on(&mut self, context: &mut Context<'_>) {
        if self.reading.is_none()
            && let Some(case) = self.choice.next_unread()
        {
            self.reading = Some((context.ask(Request::CaseShow { case: case.clone() }), case));
        }
    }

    fn choosing(&mut self, action: Action, context: &mut Context<'_>) {
        let page = usize::from(pack_draw::list_area(context.area, self.choice.part).height);
        if self.choice.act(action, page) {
            return;
        }
        match action {
            Action::Back => context.go(Go::Back),
            Action::NextField | Action::PreviousField => {
                self.choice.part = if self.choice.part == Part::People { Part::Cases } else { Part::People };
            }
            Action::Mark => self.mark(context),
            Action::KeyImagesOnly => self.key_images = !self.key_images,
            Action::Refresh => self.read(context),
            Action::Submit => self.go_on(context),
            _ => {}
        }
    }

    fn mark(&mut self, context: &mut Context<'_>) {
        let people = self.choice.part == Part::People;
        if let Err(why) = self.choice.mark() {
            context.say(match (people, why) {
                (true, "blocked") => {
                    "You have blocked her: a bundle is not for her. The block ends in colleagues: c, then b."
                }
                (true, "not in the chosen case") => {
                    "She is not a member of the chosen case. Choose another case (Tab), or bring her in: B in the case."
                }
                (true, _) => "You share no case with her. Ask her about one first: n in the worklist.",
                (false, _) => "Somebody chosen above is not a member of this case: bring her in first, B in the case.",
            });
        }
    }

    fn go_on(&mut self, context: &mut Context<'_>) {
        let names: Vec<String> = self.choice.recipients_chosen().map(|person| person.name.clone()).collect();
        let Some(first) = names.first() else {
            self.choice.part = Part::People;
            return context.say("Choose first who can open it: Space.");
        };
        if self.choice.cases_named().is_empty() && !self.choice.is_known() {
            return context.say("Your cases are still being read: a moment.");
        }
        if self.choice.packed().is_empty() {
            self.choice.part = Part::Cases;
            return context.say("You accepted no case that all of them are in. Choose fewer people, or pack one each.");
        }
        let name = first.split(',').next().unwrap_or_default();
        let others = if names.len() > 1 { format!(" and {}", names.len() - 1) } else { String::new() };
        let day: String = context.now.to_string().chars().take(10).collect();
        self.destination.rename(&format!("{name}{others} {day}"));
        self.step = Step::Where;
        self.destination.start(context);
    }

    fn written(&mut self, written: Written, context: &mut Context<'_>) {
        match written {
            Written::Nothing => {}
            Written::Left => {
                self.trouble = None;
                self.step = Step::Choose;
            }
            Written::Here(path) => {
                self.path = path;
                let lines = self.summary();
                context.confirm(Question { title: "Pack this bundle?".into(), lines }, Action::PackConfirmed);
            }
        }
    }

    /// What will be in it, whole, before it is packed.
    fn summary(&self) -> Vec<String> {
        let named = |mut names: Vec<String>| {
            let more = names.len().saturating_sub(NAMED_MAX);
            names.truncate(NAMED_MAX);
            let more = if more > 0 { format!("; and {more} more") } else { String::new() };
            names.join("; ") + &more
        };
        let people = self.choice.recipients_chosen();
        let people = people.map(|person| match person.trust.as_str() {
            "verified" => person.name.clone(),
            "unverified" => format!("{} (UNVERIFIED: you never compared safety words)", person.name),
            _ => format!("{} (no colleague of yours)", person.name),
        });
        let packed = self.choice.packed();
        let cases =
            packed.iter().map(|case| format!("\"{}\", {}", shown(&case.spoken), self.choice.images_words(&case.id)));
        let mut lines = vec![
            format!("Who can open it: {}", named(people.collect())),
            String::new(),
            format!("{}: {}", count(packed.len(), "case"), named(cases.collect())),
            match self.key_images {
                true => "Images: only those that carry marks".into(),
                false => "Images: all that are here; none goes back to whoever brought it".into(),
            },
            format!("File: {}", shown(&self.path.to_string_lossy())),
            String::new(),
        ];
        if packed.iter().any(|case| !self.choice.is_whole(&case.id)) {
            lines.push("Careful: not all images have arrived here. What is missing cannot go in.".into());
        }
        if packed.iter().any(|case| case.standing == "invited") {
            lines.push("Careful: packing a case you are invited to accepts the invitation.".into());
        }
        lines.push(
            "Nobody else can read it, wherever the file ends up. What they take in can be withdrawn only as far as a \
             connection or another bundle reaches them."
                .into(),
        );
        lines
    }

    fn pack(&mut self, context: &mut Context<'_>) {
        self.trouble = None;
        let request = Request::BundlePack {
            recipients: self.choice.recipients(),
            cases: self.choice.cases_named(),
            key_images: self.key_images,
            path: self.path.clone(),
        };
        self.busy = Some(Busy { ticket: context.ask(request), progress: None });
        self.step = Step::Pack;
    }

    fn cancel(&mut self, context: &mut Context<'_>) {
        if let Some(busy) = self.busy.take() {
            context.wish(Wish::Cancel { ticket: busy.ticket });
        }
    }

    /// What a case is called that went in.
    pub(super) fn spoken(&self, case: &str) -> Option<&str> {
        self.choice.cases().iter().find(|known| known.id == case).map(|known| known.spoken.as_str())
    }
}

impl Screen for PackBundle {
    fn place(&self) -> Place {
        match self.step {
            Step::Choose => Place::BundlePack,
            Step::Where => self.destination.place(),
            Step::Pack => Place::Busy,
            Step::Packed => Place::BundlePacked,
        }
    }

    fn title(&self) -> String {
        match self.step {
            Step::Choose => "pack a bundle: for whom, and what",
            Step::Where => "pack a bundle: where to",
            Step::Pack => "pack a bundle: under way",
            Step::Packed => "pack a bundle: it is packed",
        }
        .into()
    }

    fn typing(&self) -> bool {
        self.step == Step::Where && self.destination.typing()
    }

    fn is_working(&self) -> bool {
        self.busy.is_some()
    }

    fn shown(&mut self, context: &mut Context<'_>) {
        self.read(context);
    }

    fn dropped(&mut self, context: &mut Context<'_>) {
        self.cancel(context);
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        match self.step {
            Step::Choose => self.choosing(action, context),
            Step::Where if action == Action::PackConfirmed => self.pack(context),
            Step::Where => {
                let written = self.destination.act(action, context.area, context);
                self.written(written, context);
            }
            Step::Pack if action == Action::Stop => {
                self.cancel(context);
                self.step = Step::Where;
                context.say("Stopped: the file that was begun is deleted.");
            }
            Step::Pack => {}
            Step::Packed => match action {
                Action::Back => context.go(Go::Back),
                Action::PackBundle => {
                    context.go(Go::Back);
                    context.go(Go::Over(Box::new(Self::default())));
                }
                action => {
                    let lines = pack_draw::packed_lines(self, context.area.width, Look { colour: false }).len();
                    let height = usize::from(context.area.height);
                    self.scrolled.act(action, (lines + 1).saturating_sub(height), height);
                }
            },
        }
    }

    fn key(&mut self, key: KeyEvent, _context: &mut Context<'_>) {
        if self.typing() {
            self.destination.key(key);
        }
    }

    fn paste(&mut self, text: &str, _context: &mut Context<'_>) {
        if self.step == Step::Where {
            self.destination.paste(text);
        }
    }

    fn pointer(&mut self, pointer: MouseEvent, context: &mut Context<'_>) {
        if self.step == Step::Where {
            let written = self.destination.pointer(pointer, context.area, context);
            return self.written(written, context);
        }
        let at = Position::new(pointer.column, pointer.row);
        match pointer.kind {
            MouseEventKind::ScrollDown => self.act(Action::Down, context),
            MouseEventKind::ScrollUp => self.act(Action::Up, context),
            MouseEventKind::Down(MouseButton::Left) if self.step == Step::Choose => {
                for part in [Part::People, Part::Cases] {
                    let list = pack_draw::list_area(context.area, part);
                    let row = self.choice.chosen(part).line_at(list, at);
                    if let Some(row) = row.filter(|row| *row < self.choice.rows(part)) {
                        self.choice.point_at(part, row);
                        return self.mark(context);
                    }
                }
                let [images, go_on] = pack_draw::foot_lines(context.area);
                if images.contains(at) {
                    self.act(Action::KeyImagesOnly, context);
                } else if go_on.contains(at) {
                    self.act(Action::Submit, context);
                }
            }
            _ => {}
        }
    }

    fn listed(&mut self, ticket: Ticket, outcome: &Result<Listing, String>, context: &mut Context<'_>) {
        self.destination.listed(ticket, outcome, context);
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) {
        if self.busy.take_if(|busy| busy.ticket == ticket).is_some() {
            match outcome.as_deref() {
                Ok(Reply::Packed(packed)) => {
                    self.packed = Some(packed.clone());
                    self.step = Step::Packed;
                }
                Ok(_) => self.step = Step::Where,
                Err(failure) => {
                    self.trouble = Some(trouble(failure));
                    self.step = Step::Where;
                    self.destination.look_again(context);
                }
            }
            return;
        }
        if let Some((_, case)) = self.reading.take_if(|(reading, _)| *reading == ticket) {
            match outcome.as_deref() {
                Ok(Reply::Case(view)) if view.id == case => self.choice.take_case(view),
                _ => self.choice.drop_case(&case),
            }
            return self.read_on(context);
        }
        let ticket = Some(ticket);
        if self.listing == ticket {
            self.listing = None;
            match outcome.as_deref() {
                Ok(Reply::Cases { cases }) => self.choice.take_cases(cases),
                Ok(_) => {}
                Err(failure) => context.say_failure(failure),
            }
            self.read_on(context);
        } else if self.counting == ticket {
            self.counting = None;
            match outcome.as_deref() {
                Ok(Reply::Cards { cards }) => self.choice.take_cards(cards),
                Ok(_) => {}
                Err(failure) => context.say_failure(failure),
            }
        }
    }

    fn on_the_way(&mut self, ticket: Ticket, event: &Event, _context: &mut Context<'_>) {
        if let (Event::Progress(progress), Some(busy)) = (event, &mut self.busy)
            && busy.ticket == ticket
        {
            busy.progress = Some(progress.clone());
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        pack_draw::pack(self, frame, area, look);
    }
}
