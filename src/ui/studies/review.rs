//! Looking at what was left out of a study, image by image: each is admitted or kept out with one key, or covered where
//! it shows a name and admitted with that.
//!
//! Only what was on the screen may be admitted: of each frame that the contact sheets would show, the picture must
//! have stood on the terminal ([`LeftOutReview::picture_drawn`]) and stood still, and no smaller than a name can be read in it: a picture
//! made of half cells shows where an organ lies, not who it belongs to. Decisions wait here until they are written together; the
//! node then records who looked, when, and at which bytes. Whoever leaves without writing has decided nothing.
//!
//! Rectangles ([`masks`]) are black in the picture as soon as they are drawn, so that what is admitted is what was seen;
//! frames that were seen without them must be seen again. Images that were never left out can be called up as well,
//! since any may be masked that no case has given away.
//!
//! This screen asks for pictures and says where they belong ([`Screen::scenes`]); drawing them is the business of
//! whoever owns the terminal: over the whole range of their values, as on the sheets, since a file's own window may
//! leave a name black on black.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};

use self::masks::{Masks, covered};
use crate::node::api::{Event, ImageMask, LeftOutImage, Progress, Rectangle, Reply, Request};
use crate::study::pixels::Window;
use crate::ui::graphics::Protocol;
use crate::ui::keys::{Action, Place};
use crate::ui::look::Look;
use crate::ui::message::{Ticket, Wish};
use crate::ui::picture::{NotShown, Picture, PictureKey, Pictures};
use crate::ui::screen::{Context, Dots, Go, Outcome, Pictured, Screen};
use crate::ui::widget::amount::{count, draw_progress};
use crate::ui::widget::list::Chosen;
use crate::ui::widget::popup::Question;
use crate::view::pose::Pose;
use crate::view::raster::Scene;
use crate::view::scene::{Asked, Pictures as Rasters, shuttered};

mod drawing;
mod masks;
mod words;

/// Width of the list beside the picture, in cells.
const LIST_WIDTH: u16 = 34;

/// A picture's longer side on the screen, from which on it counts as seen however large the image is: the contact
/// sheets have the same. Below it half a screen pixel an image pixel has to do, at which burned-in text is still read.
const SEEN_SIDE_PX: u32 = 640;

/// How long a picture must stand still to count as seen, in milliseconds: two ticks. After the first the exact picture
/// may be still to come.
const REST_MS: u64 = 450;

/// Lines above the picture.
const ABOUT_LINES: u16 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    Admit,
    KeepOut,
}

/// The images left out of one study.
pub struct LeftOutReview {
    study: Arc<str>,
    /// `None` until the node has answered.
    images: Option<Vec<LeftOutImage>>,
    chosen: Chosen,
    /// Which of the chosen image's frames to see is on the screen.
    frame_at: usize,
    decisions: BTreeMap<String, Decision>,
    /// Frames that stood on the terminal.
    seen: BTreeSet<PictureKey>,
    /// Frames that stood there too small to read a name in.
    coarse: BTreeSet<PictureKey>,
    /// What the last drawing showed, and whether large enough to read a name in it.
    drawn: Option<(PictureKey, bool)>,
    /// What was drawn at the last tick, and since when, in milliseconds.
    resting: Option<((PictureKey, bool), u64)>,
    pictures: Pictures,
    rasters: Rasters<(PictureKey, Vec<Rectangle>)>,
    masks: Masks,
    /// Images are listed that were never left out.
    all: bool,
    /// Pictures that did not come, why, and when that was, in milliseconds.
    failed: BTreeMap<PictureKey, (NotShown, u64)>,
    asked: BTreeSet<PictureKey>,
    listing: Option<Ticket>,
    writing: Option<Ticket>,
    progress: Option<Progress>,
}

impl LeftOutReview {
    pub fn new(study: &str) -> Self {
        Self {
            study: study.into(),
            images: None,
            chosen: Chosen::default(),
            frame_at: 0,
            decisions: BTreeMap::new(),
            seen: BTreeSet::new(),
            coarse: BTreeSet::new(),
            drawn: None,
            resting: None,
            pictures: Pictures::default(),
            rasters: Rasters::default(),
            masks: Masks::default(),
            all: false,
            failed: BTreeMap::new(),
            asked: BTreeSet::new(),
            listing: None,
            writing: None,
            progress: None,
        }
    }

    /// The picture that belongs on the screen, once it is opened.
    pub fn picture(&self) -> Option<&Arc<Picture>> {
        self.pictures.peek(&self.key_of(self.image()?, self.frame_at)?)
    }

    fn image(&self) -> Option<&LeftOutImage> {
        self.images.as_ref()?.get(self.chosen.at)
    }

    fn key_of(&self, image: &LeftOutImage, frame_at: usize) -> Option<PictureKey> {
        let frame = *image.frames_to_see.get(frame_at)?;
        Some(PictureKey {
            study: Arc::clone(&self.study),
            sop_instance_uid: image.sop_instance_uid.as_str().into(),
            frame,
        })
    }

    /// Frames of an image that nobody has had on the screen yet.
    fn unseen(&self, image: &LeftOutImage) -> Vec<usize> {
        let is_unseen = |at: &usize| self.key_of(image, *at).is_some_and(|key| !self.seen.contains(&key));
        (0..image.frames_to_see.len()).filter(is_unseen).collect()
    }

    /// Asks for the picture on the screen and for the next one.
    fn want_pictures(&mut self, context: &mut Context<'_>) {
        let Some(images) = &self.images else { return };
        let next = images.get(self.chosen.at + 1).and_then(|image| self.key_of(image, 0));
        let this = self.image().and_then(|image| self.key_of(image, self.frame_at));
        let following = self.image().and_then(|image| self.key_of(image, self.frame_at + 1));
        // The newest wish is carried out first.
        for key in [next, following, this].into_iter().flatten() {
            let failed = self.failed.get(&key);
            let may_be_asked = failed.is_none_or(|(not, failed_ms)| not.may_be_asked_again(*failed_ms, context.now_ms));
            if self.pictures.get(&key).is_none() && may_be_asked && self.asked.insert(key.clone()) {
                context.wish(Wish::Picture(key));
            }
        }
    }

    fn go_to(&mut self, at: usize, context: &mut Context<'_>) {
        self.masks.cursor = self.masks.cursor.filter(|_| at == self.chosen.at);
        self.masks.drag = None;
        self.chosen.at = at;
        self.chosen.keep_within(self.images.as_ref().map_or(0, Vec::len));
        self.frame_at = 0;
        self.want_pictures(context);
    }

    fn decide(&mut self, decision: Decision, context: &mut Context<'_>) {
        let Some(image) = self.image() else { return };
        if ["admitted", "in"].contains(&image.state.as_str()) {
            let (is_changed, is_bare) = (self.masks.is_changed(image), self.masks.of(image).is_empty());
            match decision {
                Decision::Admit if is_changed && !is_bare => {}
                Decision::Admit if is_changed => {
                    context.say("A mask is made anew with other rectangles, and not taken off: draw one at least.");
                    return;
                }
                Decision::Admit => {
                    context.say("It is in the study already: m covers what shows a name.");
                    return;
                }
                Decision::KeepOut => {
                    context.say("It is in the study and may stand in a case: what is out cannot be kept out.");
                    return;
                }
            }
        }
        let uid = image.sop_instance_uid.clone();
        let unseen = self.unseen(image);
        if decision == Decision::Admit
            && let Some(first) = unseen.first().copied()
        {
            let words = match self.key_of(image, first) {
                Some(key) if self.failed.get(&key).is_some_and(|(not, _)| not.lasts) => {
                    format!("Frame {} cannot be shown, so nobody can have seen it: it stays out.", key.frame)
                }
                Some(key) if self.coarse.contains(&key) => {
                    "It stands here too small to read a name in it: enlarge the window, or look at the sheets that \
                     `overread study review` writes."
                        .to_owned()
                }
                _ if image.frames_to_see.len() > 1 => {
                    format!("{} of it not seen yet: Space goes on.", count(unseen.len(), "frame"))
                }
                _ => "Its picture was not on the screen yet: nothing is admitted unseen.".to_owned(),
            };
            self.frame_at = first;
            context.say(&words);
            self.want_pictures(context);
            return;
        }
        self.decisions.insert(uid, decision);
        if let Some(next) = self.next_open() {
            self.go_to(next, context);
        } else {
            context.say("Every image is decided: Enter writes the decisions.");
        }
    }

    /// The next image without a decision, from here on and then from the start.
    fn next_open(&self) -> Option<usize> {
        let images = self.images.as_ref()?;
        let is_open = |at: &usize| {
            images
                .get(*at)
                .is_some_and(|image| image.state == "waits" && !self.decisions.contains_key(&image.sop_instance_uid))
        };
        (self.chosen.at..images.len()).find(is_open).or_else(|| (0..self.chosen.at).find(is_open))
    }

    /// What the decisions come to: images admitted as they are, kept out, and masked.
    fn decided(&self) -> (Vec<String>, Vec<String>, Vec<ImageMask>) {
        let (mut admit, mut keep_out, mut masks) = (Vec::new(), Vec::new(), Vec::new());
        for image in self.images.iter().flatten() {
            let uid = image.sop_instance_uid.clone();
            match (self.decisions.get(&uid), self.masks.of(image)) {
                (Some(Decision::Admit), []) => admit.push(uid),
                (Some(Decision::Admit), rectangles) => {
                    masks.push(ImageMask { sop_instance_uid: uid, rectangles: rectangles.to_vec() });
                }
                (Some(Decision::KeepOut), _) => keep_out.push(uid),
                (None, _) => {}
            }
        }
        (admit, keep_out, masks)
    }

    /// Images with rectangles that are not burned in, and without a decision.
    fn drawn_only(&self) -> usize {
        let open = |image: &&LeftOutImage| !self.decisions.contains_key(&image.sop_instance_uid);
        self.masks.changed(self.images.iter().flatten().filter(open))
    }

    fn confirm(&self, context: &mut Context<'_>) {
        let (admit, keep_out, masks) = self.decided();
        if self.decisions.is_empty() {
            context.say("Nothing is decided yet: a admits, x keeps out, m covers.");
            return;
        }
        let waiting = self
            .images
            .iter()
            .flatten()
            .filter(|image| image.state == "waits" && !self.decisions.contains_key(&image.sop_instance_uid));
        let mut lines = vec![
            format!("{} admitted: they may be shared from now on.", count(admit.len(), "image")),
            format!("{} kept out.", count(keep_out.len(), "image")),
        ];
        if !masks.is_empty() {
            let masked =
                format!("{} masked and admitted: what is under the rectangles is shared", count(masks.len(), "image"));
            lines.insert(1, format!("{masked} with nobody. The originals stay here, sealed."));
        }
        let waiting = waiting.count();
        if waiting > 0 {
            lines.push(format!("{} still undecided, and left out as before.", count(waiting, "image")));
        }
        let drawn = self.drawn_only();
        if drawn > 0 {
            lines.push(format!("Rectangles over {} wait: a admits it with them.", count(drawn, "image")));
        }
        lines.push(String::new());
        let said = "You have looked at each and found no name in what you admit. Your name, the time and the hash of \
                    what you saw are kept.";
        lines.push(said.into());
        context.confirm(Question { title: "Write the decisions?".into(), lines }, Action::DecisionsConfirmed);
    }

    /// The list, the words about an image, and where its picture belongs.
    fn parts(area: Rect) -> [Rect; 3] {
        let [list, right] = Layout::horizontal([Constraint::Length(LIST_WIDTH), Constraint::Min(0)]).areas(area);
        let [about, picture] = Layout::vertical([Constraint::Length(ABOUT_LINES), Constraint::Min(0)]).areas(right);
        [list, about, picture]
    }

    /// Where images are listed, under the line that counts them.
    fn rows(area: Rect) -> Rect {
        let [list, ..] = Self::parts(area);
        Rect { y: list.y + 2.min(list.height), height: list.height.saturating_sub(2), ..list }
    }
}

impl Screen for LeftOutReview {
    fn place(&self) -> Place {
        if self.masks.cursor.is_some() { Place::StudyMask } else { Place::StudyReview }
    }

    fn title(&self) -> String {
        "left-out images: is a name in the picture?".into()
    }

    fn unsaved(&self) -> Option<&'static str> {
        let is_pending = !self.decisions.is_empty() || self.drawn_only() > 0;
        is_pending.then_some("Decisions and rectangles over images are not written.")
    }

    fn shown(&mut self, context: &mut Context<'_>) {
        if self.listing.is_none() {
            self.listing = Some(context.ask(Request::StudyLeftOut { study: self.study.to_string(), all: self.all }));
        }
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        if self.act_on_masks(action, context) {
            return;
        }
        let length = self.images.as_ref().map_or(0, Vec::len);
        let mut moved = self.chosen;
        if moved.act(action, length, usize::from(Self::rows(context.area).height)) {
            self.go_to(moved.at, context);
            return;
        }
        match action {
            Action::Back if self.writing.is_some() => {}
            Action::Back => {
                let drawn = self.drawn_only();
                let lines = match (self.decisions.len(), drawn) {
                    (0, 0) => return context.go(Go::Back),
                    (0, drawn) => {
                        vec![format!("Rectangles over {} not written: nothing changes.", count(drawn, "image"))]
                    }
                    (decided, _) => vec![format!("{} not written: nothing changes.", count(decided, "decision"))],
                };
                context.confirm(Question { title: "Leave without writing?".into(), lines }, Action::LeaveConfirmed);
            }
            Action::LeaveConfirmed => context.go(Go::Back),
            Action::NextFrame => {
                let frames = self.image().map_or(0, |image| image.frames_to_see.len());
                self.frame_at = (self.frame_at + 1).min(frames.saturating_sub(1));
                self.want_pictures(context);
            }
            Action::PreviousFrame => {
                self.frame_at = self.frame_at.saturating_sub(1);
                self.want_pictures(context);
            }
            Action::Admit if self.writing.is_none() => self.decide(Decision::Admit, context),
            Action::KeepOut if self.writing.is_none() => self.decide(Decision::KeepOut, context),
            Action::Undecide if self.writing.is_none() => {
                if let Some(uid) = self.image().map(|image| image.sop_instance_uid.clone()) {
                    self.decisions.remove(&uid);
                }
            }
            Action::WriteDecisions if self.writing.is_none() => self.confirm(context),
            Action::AllImages if self.writing.is_none() && self.listing.is_none() => {
                self.all = !self.all;
                self.shown(context);
            }
            Action::DecisionsConfirmed => {
                let (admit, keep_out, masks) = self.decided();
                let study = self.study.to_string();
                self.writing = Some(context.ask(Request::StudyDecide { study, admit, keep_out, masks }));
            }
            _ => {}
        }
    }

    fn pointer(&mut self, pointer: MouseEvent, context: &mut Context<'_>) {
        let (rows, at) = (Self::rows(context.area), Position::new(pointer.column, pointer.row));
        match pointer.kind {
            MouseEventKind::ScrollDown => self.act(Action::Down, context),
            MouseEventKind::ScrollUp => self.act(Action::Up, context),
            MouseEventKind::Down(MouseButton::Left) if rows.contains(at) => {
                let line = self.chosen.line_at(rows, at);
                if let Some(line) = line.filter(|line| *line < self.images.as_ref().map_or(0, Vec::len)) {
                    self.go_to(line, context);
                }
            }
            _ => self.draw_by_mouse(pointer, context),
        }
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) {
        if self.listing == Some(ticket) {
            self.listing = None;
            match outcome.as_deref() {
                Ok(Reply::LeftOut { images }) => {
                    let before = self.image().map(|image| image.sop_instance_uid.clone());
                    // What was decided or drawn on stays listed until it is written, whichever images are wanted.
                    let mut images = images.clone();
                    for image in self.images.take().into_iter().flatten() {
                        let is_pending = self.decisions.contains_key(&image.sop_instance_uid)
                            || self.masks.changed(std::iter::once(&image)) > 0;
                        if is_pending && !images.iter().any(|one| one.sop_instance_uid == image.sop_instance_uid) {
                            images.push(image);
                        }
                    }
                    let again = images.iter().position(|image| Some(&image.sop_instance_uid) == before.as_ref());
                    self.images = Some(images);
                    let at = again.or_else(|| self.next_open()).unwrap_or(0);
                    self.go_to(at, context);
                }
                Ok(_) => {}
                Err(failure) => {
                    context.say_failure(failure);
                    context.go(Go::Back);
                }
            }
        } else if self.writing == Some(ticket) {
            self.writing = None;
            self.progress = None;
            match outcome.as_deref() {
                Ok(Reply::Decided { admitted, kept_out, masked }) => {
                    let written = std::mem::take(&mut self.decisions);
                    self.masks.forget(|uid| written.contains_key(uid));
                    if *masked > 0 {
                        // What is stored of them is another picture now.
                        context.wish(Wish::Forget);
                        self.asked.clear();
                        self.pictures = Pictures::default();
                        self.rasters.clear();
                        self.seen.clear();
                    }
                    let admitted = count(*admitted, "image");
                    context.say_good(&format!("{admitted} admitted, {masked} masked, {kept_out} kept out."));
                    self.shown(context);
                }
                Ok(_) => {}
                Err(failure) => context.say_failure(failure),
            }
        }
    }

    fn tick(&mut self, context: &mut Context<'_>) {
        self.count(context.shows.protocol, context.now_ms);
        self.want_pictures(context);
    }

    fn on_the_way(&mut self, ticket: Ticket, event: &Event, _context: &mut Context<'_>) {
        if let (Event::Progress(progress), true) = (event, self.writing == Some(ticket)) {
            self.progress = Some(progress.clone());
        }
    }

    fn pictured(&mut self, key: &PictureKey, outcome: Option<&Pictured>, context: &mut Context<'_>) {
        if !self.asked.remove(key) {
            return;
        }
        match outcome {
            Some(Ok(picture)) => {
                self.failed.remove(key);
                self.pictures.put(Arc::clone(picture), 1);
            }
            Some(Err(not)) => drop(self.failed.insert(key.clone(), (not.clone(), context.now_ms))),
            None => {}
        }
        self.want_pictures(context);
    }

    /// Asks again for what did not come.
    fn scenes(&mut self, area: Rect, dots: Dots) -> Vec<(Rect, Scene)> {
        let mut scenes = Vec::new();
        for (key, place) in self.pictures(area) {
            let Some(picture) = self.pictures.get(&key) else { continue };
            let (plane, pose, viewport) = (picture.image_plane(), Pose::default(), dots.size(place));
            let rectangles = self.image().map(|image| self.masks.of(image).to_vec()).unwrap_or_default();
            let asked =
                Asked { key: (key.clone(), rectangles.clone()), plane: &plane, pose: &pose, viewport, draft: false };
            // Letters burned in hide in the darkest and brightest values: the whole range is shown.
            let masked = |_: u32| {
                let under = covered(&rectangles, plane.columns, plane.rows);
                picture.frame.display(Window::Auto).map(|picture| shuttered(picture, &under, 0))
            };
            // What cannot be drawn was not seen, and so cannot be admitted.
            let Ok(mut scene) = self.rasters.scene(asked, masked) else { continue };
            scene.overlay = self.outlines(&rectangles, &plane, viewport);
            if let Some(placed) = &scene.picture {
                self.picture_drawn(&key, placed.target.width, placed.target.height);
                scenes.push((place, scene));
            }
        }
        scenes
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        let [list, about, place] = Self::parts(area);
        let Some(images) = &self.images else {
            frame.render_widget(Paragraph::new(Line::styled(" reading what was left out …", look.dim())), area);
            return;
        };
        if images.is_empty() {
            let words = " Nothing was left out of this study that somebody could look at. o lists its other images.";
            frame.render_widget(Paragraph::new(Line::styled(words, look.good())), area);
            return;
        }
        let head = Rect { height: 2.min(list.height), ..list };
        frame.render_widget(Paragraph::new(self.counted(images, look)), head);
        let rows = Self::rows(area);
        let room = usize::from(rows.height);
        let lines = images.iter().enumerate().skip(self.chosen.first_seen(room)).take(room).map(|(at, image)| {
            let style = if at == self.chosen.at { look.chosen() } else { look.plain() };
            self.row(image, look).style(style)
        });
        frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), rows);
        if let Some(image) = self.image() {
            let inside = Rect { x: about.x + 1.min(about.width), width: about.width.saturating_sub(1), ..about };
            frame.render_widget(Paragraph::new(self.about(image, look)).wrap(Wrap { trim: false }), inside);
        }
        if self.writing.is_some() {
            draw_progress(frame, Rect { height: 2.min(place.height), ..place }, self.progress.as_ref(), look);
        } else if self.picture().is_none() {
            let inside = Rect { x: place.x + 1.min(place.width), width: place.width.saturating_sub(1), ..place };
            frame.render_widget(Paragraph::new(self.instead(look)).wrap(Wrap { trim: true }), inside);
        }
    }
}

impl LeftOutReview {
    fn pictures(&self, area: Rect) -> Vec<(PictureKey, Rect)> {
        let [_, _, place] = Self::parts(area);
        let key = self.image().and_then(|image| self.key_of(image, self.frame_at));
        key.filter(|key| self.pictures.peek(key).is_some()).map(|key| (key, place)).into_iter().collect()
    }

    fn picture_drawn(&mut self, key: &PictureKey, width_px: u32, height_px: u32) {
        // Only what was opened here and is on this screen now.
        let Some(image) = self.image() else { return };
        let on_screen = self.key_of(image, self.frame_at);
        if on_screen.as_ref() != Some(key) || self.pictures.peek(key).is_none() {
            return;
        }
        let needed = image.rows.max(image.columns).div_ceil(2).min(SEEN_SIDE_PX);
        self.drawn = Some((key.clone(), width_px.max(height_px) >= needed));
    }

    /// Counts what stands still: the first drawing over a slow line is a coarse one. What was drawn and stood under
    /// nothing is drawn again before each tick.
    fn count(&mut self, protocol: Protocol, now_ms: u64) {
        let before = self.resting.take();
        let Some(drawn) = self.drawn.take() else { return };
        let since_ms = before.filter(|(other, _)| *other == drawn).map_or(now_ms, |(_, since_ms)| since_ms);
        if now_ms.saturating_sub(since_ms) >= REST_MS {
            let (key, is_large) = &drawn;
            let is_readable = *is_large && protocol != Protocol::None;
            if is_readable { &mut self.seen } else { &mut self.coarse }.insert(key.clone());
        }
        self.resting = Some((drawn, since_ms));
    }
}

#[cfg(test)]
mod tests;
