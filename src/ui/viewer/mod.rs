//! The viewer: series in viewports, scrolled, windowed, zoomed, turned, linked and cut.
//!
//! It keeps what is looked at and how, asks for the pictures it needs, and gives scenes for whoever shows them. It
//! judges nothing: windows and values are `study`'s, places, marks and letters `view`'s.
//!
//! [`port`] is one viewport, [`strip`] the series beside them; [`stack`] what is scrolled in it, [`places`] where that lies, [`links`] what scrolls
//! together, [`cuts`] reformats; [`pencil`] the mark that is drawn, [`marks`] those of the case; [`words`] what stands
//! around a picture, [`displayed`] what an opinion may say it was based on. Of the viewer itself, [`acting`] has the
//! keys, [`pointer`] the mouse, [`pointing`] what crosses viewports, [`drawing`] how it comes to the screen, and
//! [`attached`] how it goes to colleagues.

mod acting;
mod attached;
mod cuts;
mod displayed;
mod drawing;
mod links;
mod marks;
mod pencil;
mod places;
mod pointer;
mod pointing;
mod port;
mod stack;
mod strip;
#[cfg(test)]
mod tests;
mod words;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ratatui::layout::Rect;

use self::cuts::Volumes;
use self::displayed::Counted;
use self::links::Links;
use self::marks::Hidden;
use self::pencil::Pencil;
use self::places::Places;
use self::pointer::Held;
use self::pointing::Crosshair;
use self::port::{Port, RasterKey, Subject};
use self::strip::Strip;
use self::words::{Around, OnPicture};
use super::graphics::Protocol;
use super::message::{Grown, Thumbnailed, Ticket, Wish};
use super::picture::{KEPT_BYTES_MAX, NotShown, PictureKey, Pictures};
use super::screen::{Context, Pictured, Shows};
use super::thumbnails::Thumbnails;
use super::widget::field::Field;
use crate::node::api::{Displayed, PencilDraft, SHOWN_IMAGES_MAX, ShownImage};
use crate::study::measure::Measurement;
use crate::view::layout::Layout;
use crate::view::mpr::Reformat;
use crate::view::scene::Pictures as Rasters;

pub use self::marks::{CaseMark, KEY_IMAGE, member_number};
pub use self::pencil::Draft;
pub use self::stack::Stack;

/// Pictures opened ahead of the one that is seen, in the direction of scrolling.
const AHEAD: usize = 6;

/// And behind it.
const BEHIND: usize = 2;

/// Frames a second of cine where the header says nothing.
const CINE_RATE: f64 = 12.0;

/// How long after the last key or drag a picture counts as moving, in milliseconds.
const MOVING_MS: u64 = 150;

/// What is looked at, and how.
#[derive(Default)]
pub struct Viewer {
    stacks: Vec<Stack>,
    ports: Vec<Port>,
    layout: Layout,
    active: usize,
    /// The viewport that was active before, which a slice is paired with.
    before_active: usize,
    pictures: Pictures,
    rasters: Rasters<RasterKey>,
    strip: Strip,
    thumbnails: Thumbnails,
    /// Where it was drawn last.
    area: Rect,
    /// Pictures that were asked for, and when, in milliseconds.
    asked: HashMap<PictureKey, u64>,
    /// The same of those that did not come, and why.
    failed: HashMap<PictureKey, (NotShown, u64)>,
    counted: Counted,
    /// How the terminal shows pictures, which decides what must be said about them.
    protocol: Protocol,
    /// What stands in and around each viewport, as the last drawing found it.
    drawn: Vec<DrawnPort>,
    places: Places,
    links: Links,
    crosshair: Option<Crosshair>,
    hides_reference_lines: bool,
    hides_overlays: bool,
    volumes: Option<Volumes>,
    /// What was looked at before the three planes were.
    before_planes: Option<attached::BeforePlanes>,
    before_restored: Option<attached::Before>,
    held: Option<Held>,
    /// The marks of the case.
    marks: Vec<CaseMark>,
    /// What colleagues draw just now.
    pencils: Vec<CaseMark>,
    hidden: Hidden,
    /// Which mark was jumped to.
    chosen: Option<String>,
    pencil: Option<Pencil>,
    measuring: Option<Ticket>,
    /// When cine last went on, and when something last moved, in milliseconds.
    cine_ms: u64,
    moved_ms: u64,
    is_moving: bool,
}

/// The words of one viewport.
#[derive(Debug, Clone, Default)]
struct DrawnPort {
    around: Around,
    on_picture: Vec<OnPicture>,
    /// Who called it a key image.
    key_image_of: Vec<String>,
}

impl std::fmt::Debug for Viewer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[viewer of {} series]", self.stacks.len())
    }
}

impl Viewer {
    /// Takes the series of a case; what is looked at stays, as far as it is still there.
    pub fn set_stacks(&mut self, stacks: Vec<Stack>, context: &mut Context<'_>) {
        self.protocol = context.shows.protocol;
        if self.stacks == stacks {
            return;
        }
        let before = std::mem::replace(&mut self.stacks, stacks);
        let stacks = self.stacks.clone();
        for port in self.all_ports() {
            let Some(old) = port.stack.and_then(|at| before.get(at)) else { continue };
            let key = old.slots.get(port.at).map(|slot| slot.key.clone());
            let same = |stack: &&Stack| old.id == stack.id;
            let Some((at, stack)) = stacks.iter().enumerate().find(|(_, stack)| same(stack)) else {
                port.show(None);
                continue;
            };
            port.stack = Some(at);
            // Images that came in between must not change the one that is looked at.
            let still = key.and_then(|key| stack.slots.iter().position(|slot| slot.key == key));
            port.at = still.unwrap_or(port.at.min(stack.slots.len().saturating_sub(1)));
        }
        // What had not arrived may be here now.
        self.failed.clear();
        self.places.forget_slices();
        self.count_key_images();
        self.fill_ports(context);
        self.renew_cuts(context);
        self.want(context);
    }

    /// Takes the marks of a case.
    pub fn set_marks(&mut self, marks: Vec<CaseMark>) {
        if self.marks != marks {
            self.marks = marks;
            self.count_key_images();
        }
    }

    /// Takes what colleagues draw just now; all of it, each time.
    pub fn set_pencils(&mut self, pencils: Vec<CaseMark>) {
        self.pencils = pencils;
    }

    /// What the own pencil draws, for colleagues to see.
    pub fn draft(&self) -> Option<PencilDraft> {
        self.pencil.as_ref().and_then(Pencil::draft)
    }

    /// The mark that was jumped to.
    pub fn chosen_mark(&self) -> Option<&CaseMark> {
        self.marks.iter().find(|mark| Some(&mark.id) == self.chosen.as_ref())
    }

    /// This person's mark that calls a frame a key image.
    pub fn my_key_image(&self, key: &PictureKey) -> Option<&CaseMark> {
        self.marks.iter().find(|mark| mark.mine && mark.is_key_image() && mark.is_on(key))
    }

    pub fn is_hidden(&self, mark: &CaseMark) -> bool {
        self.hidden.hides(mark)
    }

    pub fn is_marking(&self) -> bool {
        self.pencil.is_some()
    }

    /// Whether the crosshair takes the arrows.
    pub fn is_pointing(&self) -> bool {
        self.crosshair.is_some()
    }

    /// The pencil mark, if it has all its points.
    pub fn to_ink(&self) -> Option<&Pencil> {
        self.pencil.as_ref().filter(|pencil| pencil.is_complete())
    }

    /// Whether letters are those of a label.
    pub fn is_typing(&self) -> bool {
        self.pencil.as_ref().is_some_and(Pencil::is_typing)
    }

    /// The label is typed.
    pub fn end_label(&mut self) {
        if let Some(pencil) = &mut self.pencil {
            pencil.type_label(false);
        }
    }

    /// The label that is typed.
    pub fn label(&mut self) -> Option<&mut Field> {
        self.pencil.as_mut().filter(|pencil| pencil.is_typing()).map(Pencil::field)
    }

    /// The same, to be drawn.
    pub fn shown_label(&self) -> Option<&Field> {
        self.pencil.as_ref().filter(|pencil| pencil.is_typing()).map(Pencil::shown_label)
    }

    /// The pencil mark is ink now, unless it was changed since.
    pub fn drop_inked(&mut self, inked: &Draft) {
        if self.pencil.as_ref().is_some_and(|pencil| pencil.as_ink() == *inked) {
            self.drop_pencil();
        }
    }

    /// The pencil mark was given up.
    pub fn drop_pencil(&mut self) {
        self.pencil = None;
        self.measuring = None;
    }

    /// What the pencil mark measures, or what to do next.
    pub fn pencil_words(&self) -> Option<String> {
        self.pencil.as_ref().map(Pencil::words)
    }

    pub fn measured(&mut self, ticket: Ticket, outcome: &Result<Measurement, String>) {
        if self.measuring == Some(ticket)
            && let Some(pencil) = &mut self.pencil
        {
            self.measuring = None;
            pencil.measurement = Some(outcome.clone());
        }
    }

    fn measure(&mut self, context: &mut Context<'_>) {
        self.measuring = None;
        let Some(pencil) = self.to_ink() else { return };
        if let Some(picture) = self.pictures.peek(&pencil.key) {
            let ticket = context.measure(Arc::clone(picture), pencil.tool.shape(), pencil.settled());
            self.measuring = Some(ticket);
        }
    }

    pub fn has_images(&self) -> bool {
        !self.stacks.is_empty()
    }

    /// What stood on the screen so far.
    pub fn displayed(&self, shows: Shows) -> Displayed {
        self.counted.so_far(shows)
    }

    /// Gives every viewport of the layout a series, the first ones first; one that shows what a colleague saw nothing but
    /// that.
    fn fill_ports(&mut self, context: &Context<'_>) {
        let wanted = self.layout.viewports();
        self.ports.truncate(wanted);
        while self.ports.len() < wanted {
            self.ports.push(Port::default());
        }
        self.fill_restored(context);
        for number in 0..self.ports.len() {
            if self.ports.get(number).is_some_and(Port::is_free) {
                let used: HashSet<usize> = self.ports.iter().filter_map(|port| port.stack).collect();
                let free = (0..self.stacks.len()).find(|at| !used.contains(at));
                if let Some(port) = self.ports.get_mut(number) {
                    port.show(free);
                }
            }
        }
        self.active = self.active.min(self.ports.len().saturating_sub(1));
        self.before_active = self.before_active.min(self.ports.len().saturating_sub(1));
    }

    fn activate(&mut self, port: usize) {
        if port != self.active {
            self.before_active = std::mem::replace(&mut self.active, port);
        }
    }

    /// Asks for the pictures on the screen and those next to them; what is seen comes last and so first.
    fn want(&mut self, context: &mut Context<'_>) {
        let mut wanted = Vec::new();
        for port in self.ports.iter().filter(|port| port.cut.is_none()) {
            let Some(stack) = port.stack.and_then(|at| self.stacks.get(at)) else { continue };
            let near = |steps: usize, forward: bool| {
                (1..=steps)
                    .filter_map(move |step| if forward { port.at.checked_add(step) } else { port.at.checked_sub(step) })
            };
            let ahead = near(AHEAD, port.forward).chain(near(BEHIND, !port.forward));
            let ahead = ahead.filter_map(|at| stack.slots.get(at)).filter(|slot| slot.here).map(|slot| &slot.key);
            let ahead: Vec<&PictureKey> = ahead.collect();
            let fit = match self.key_of(port).and_then(|key| self.pictures.peek(&key)) {
                Some(seen) => fitting(&ahead, &seen.key, [seen.bytes(), seen.opened.bytes], self.ports.len()),
                None => ahead.len(),
            };
            wanted.extend(ahead.into_iter().take(fit).cloned());
        }
        wanted.reverse();
        for port in &self.ports {
            wanted.extend(self.key_of(port));
        }
        for key in wanted {
            let failed = self.failed.get(&key);
            let may_be_asked = failed.is_none_or(|(not, asked_ms)| not.may_be_asked_again(*asked_ms, context.now_ms));
            if self.pictures.peek(&key).is_none() && may_be_asked && !self.asked.contains_key(&key) {
                self.asked.insert(key.clone(), context.now_ms);
                context.wish(Wish::Picture(key));
            }
        }
        self.want_cuts(context);
        self.want_thumbnails(context);
    }

    /// Images that are wanted on the screen and have not arrived, those that are seen first.
    pub fn not_here(&self) -> Vec<ShownImage> {
        let mut keys: Vec<&PictureKey> = Vec::new();
        let ports: Vec<(&Port, &Stack)> =
            self.ports.iter().filter_map(|port| Some((port, self.stack_of(port)?))).collect();
        // Round by round, so that what one viewport will need comes after what another one shows.
        for step in 0..=AHEAD {
            for (port, stack) in &ports {
                let at = if port.forward { port.at.checked_add(step) } else { port.at.checked_sub(step) };
                let slot = at.and_then(|at| stack.slots.get(at)).filter(|slot| !slot.here);
                keys.extend(slot.map(|slot| &slot.key));
            }
        }
        let mut images: Vec<ShownImage> = Vec::new();
        for key in keys {
            let (study, sop_instance_uid) = (key.study.to_string(), key.sop_instance_uid.to_string());
            let image = ShownImage { study, sop_instance_uid };
            // Frames of one image come together.
            if !images.contains(&image) {
                images.push(image);
            }
        }
        images.truncate(SHOWN_IMAGES_MAX);
        images
    }

    /// Cuts anew what has more images now.
    fn renew_cuts(&mut self, context: &mut Context<'_>) {
        let Some(volumes) = &self.volumes else { return };
        let stack = self.stacks.iter().position(|stack| stack.id == volumes.id);
        let is_whole = |at: usize| self.stacks.get(at).is_some_and(|stack| volumes.has_all_of(stack));
        if stack.is_some_and(is_whole) {
            return;
        }
        if let Some(mut gone) = self.volumes.take() {
            gone.stop(context);
        }
        let near = self.all_ports().find(|port| port.cut.is_some()).map(|port| port.at);
        let stack = stack.and_then(|at| self.stacks.get(at));
        let renewed = stack.zip(near).and_then(|(stack, near)| {
            let slices = self.places.slices(stack);
            Volumes::of(stack, &slices, near, context.ticket().0).ok()
        });
        for port in self.all_ports() {
            port.cut = port.cut.take().and_then(|before| renewed.as_ref()?.cut_like(&before));
        }
        self.volumes = renewed;
    }

    /// The viewports, and those that are kept to come back to.
    fn all_ports(&mut self) -> impl Iterator<Item = &mut Port> {
        let planes = self.before_planes.iter_mut().flat_map(|(_, ports, _)| ports);
        let restored = self.before_restored.iter_mut().flat_map(attached::Before::ports);
        self.ports.iter_mut().chain(planes).chain(restored)
    }

    fn want_cuts(&mut self, context: &mut Context<'_>) {
        let Some(volumes) = &mut self.volumes else { return };
        let series = |stack: &&Stack| stack.id == volumes.id;
        let Some(stack) = self.stacks.iter().find(series) else { return };
        let cut = |port: &&mut Port| port.cut.is_some();
        let mut cuts = self.ports.iter_mut().filter(cut).peekable();
        if let Some(near) = cuts.peek().and_then(|port| stack.slots.get(port.at)) {
            volumes.fill(stack, &near.key, context);
        }
        for cut in cuts.filter_map(|port| port.cut.as_mut()) {
            cut.want(volumes, context);
        }
    }

    fn stack_of(&self, port: &Port) -> Option<&Stack> {
        self.stacks.get(port.stack?)
    }

    /// The frame that a viewport stands at, if its image is here.
    fn key_of(&self, port: &Port) -> Option<PictureKey> {
        let slot = self.stack_of(port)?.slots.get(port.at)?;
        slot.here.then(|| slot.key.clone())
    }

    /// What a viewport shows, if it was opened.
    fn subject(&self, port: &Port) -> Option<Subject> {
        let picture = Arc::clone(self.pictures.peek(&self.key_of(port)?)?);
        match &port.cut {
            None => Some(Subject::Frame(picture)),
            Some(cut) => {
                let (number, reformat) = cut.reformat()?;
                Some(Subject::Reformat { number, reformat: Arc::clone(reformat), like: picture })
            }
        }
    }

    fn active_subject(&self) -> Option<Subject> {
        self.subject(self.ports.get(self.active)?)
    }

    pub fn pictured(&mut self, key: &PictureKey, outcome: Option<&Pictured>) {
        let asked_ms = self.asked.remove(key).unwrap_or_default();
        match outcome {
            Some(Ok(picture)) => {
                if let Some(stack) = self.stacks.iter().find(|stack| stack.study == key.study && has(stack, key)) {
                    self.places.learn(stack, picture);
                }
                self.failed.remove(key);
                self.pictures.put(Arc::clone(picture), self.ports.len());
            }
            Some(Err(not)) => drop(self.failed.insert(key.clone(), (not.clone(), asked_ms))),
            // The next tick wishes for what is still missing.
            None => {}
        }
    }

    pub fn thumbnailed(&mut self, key: &PictureKey, outcome: &Thumbnailed) {
        self.thumbnails.made(key, outcome);
    }

    pub fn volume_grew(&mut self, ticket: Ticket, grown: &Grown, context: &mut Context<'_>) {
        if self.volumes.as_mut().is_some_and(|volumes| volumes.grew(ticket, grown)) {
            self.want(context);
        }
    }

    pub fn reformatted(&mut self, ticket: Ticket, outcome: &Result<Arc<Reformat>, String>, context: &mut Context<'_>) {
        // What is kept to come back to would wait for ever.
        let is_taken =
            self.all_ports().filter_map(|port| port.cut.as_mut()).any(|cut| cut.reformatted(ticket, outcome));
        if is_taken {
            self.want(context);
        }
    }

    /// Ends what was begun in the background.
    pub fn dropped(&mut self, context: &mut Context<'_>) {
        if let Some(volumes) = &mut self.volumes {
            volumes.stop(context);
        }
    }

    /// Lets cine go on, and asks again for what fell out.
    pub fn tick(&mut self, context: &mut Context<'_>) {
        self.protocol = context.shows.protocol;
        self.is_moving &= context.now_ms.saturating_sub(self.moved_ms) < MOVING_MS;
        let passed_ms = context.now_ms.saturating_sub(self.cine_ms);
        let rates: Vec<Option<f64>> = self
            .ports
            .iter()
            .map(|port| {
                port.cine.then(|| self.key_of(port).and_then(|key| self.pictures.peek(&key)?.rate).unwrap_or(CINE_RATE))
            })
            .collect();
        let lengths: Vec<usize> = self.stacks.iter().map(|stack| stack.slots.len()).collect();
        let mut goes_on = false;
        for (number, (port, rate)) in self.ports.iter_mut().zip(rates).enumerate() {
            let Some(rate) = rate else { continue };
            let length = port.stack.and_then(|at| lengths.get(at)).copied().unwrap_or_default();
            goes_on |= port.play(passed_ms, rate, length) && number == self.active;
        }
        if goes_on {
            self.follow_scroll();
        }
        self.cine_ms = context.now_ms;
        self.counted.tick(context.now_ms);
        self.want(context);
    }

    /// Whether pictures move by themselves, or have yet to be drawn at rest, so that time must pass faster.
    pub fn is_playing(&self) -> bool {
        self.is_moving || self.ports.iter().any(|port| port.cine)
    }
}

/// How many of the frames that may be seen next fit into the memory beside the one that is seen, and the other viewports':
/// where they are so large that the last ones would drive out the first, each would be opened again and again. They are
/// taken to be like the one that is seen, of so many bytes, and their files like its file.
fn fitting(ahead: &[&PictureKey], seen: &PictureKey, [frame, file]: [usize; 2], ports: usize) -> usize {
    let mut left = (KEPT_BYTES_MAX / ports.max(1)).saturating_sub(frame).saturating_sub(file);
    let mut instances = vec![&seen.sop_instance_uid];
    for (count, key) in ahead.iter().enumerate() {
        let is_read = instances.contains(&&key.sop_instance_uid);
        match left.checked_sub(frame.saturating_add(if is_read { 0 } else { file })) {
            Some(rest) => left = rest,
            None => return count,
        }
        instances.push(&key.sop_instance_uid);
    }
    ahead.len()
}

fn has(stack: &Stack, key: &PictureKey) -> bool {
    stack.slots.iter().any(|slot| slot.key == *key)
}
