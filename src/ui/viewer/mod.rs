//! The viewer: series in viewports, scrolled, windowed, zoomed and turned.
//!
//! It keeps what is looked at and how, asks for the pictures it needs, and gives scenes for whoever shows them. It
//! judges nothing: windows and values are `study`'s, places and letters `view`'s.

mod marks;
mod port;
mod stack;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::Span;
use ratatui::widgets::Paragraph;

use super::graphics::Protocol;
use super::keys::Action;
use super::look::Look;
use super::message::{Ticket, Wish};
use super::picture::{Picture, PictureKey, Pictures};
use super::screen::{Context, Dots, Pictured, Shows};
use crate::case::content::Point;
use crate::node::api::{Displayed, SeriesDisplayed};
use crate::study::measure::Measurement;
use crate::study::pixels::{Preset, Window};
use crate::view::mapping::Size;
use crate::view::raster::Scene;
use crate::view::scene::Pictures as Rasters;

pub use marks::Drawn;
use marks::Pencil;
use port::{Port, RasterKey};
pub use stack::Stack;

/// Pictures opened ahead of the one that is seen, in the direction of scrolling.
const AHEAD: usize = 6;

/// And behind it.
const BEHIND: usize = 2;

/// Frames a second of cine where the header says nothing.
const CINE_RATE: f64 = 12.0;

/// How long an image must stand still to count as displayed, in milliseconds.
const REST_MS: u64 = 200;

/// Layouts in the order of the key: columns and rows.
const LAYOUTS: [(u16, u16); 6] = [(1, 1), (2, 1), (1, 2), (2, 2), (3, 1), (3, 2)];

/// What is looked at, and how.
#[derive(Default)]
pub struct Viewer {
    stacks: Vec<Stack>,
    ports: Vec<Port>,
    /// Which of [`LAYOUTS`].
    layout: usize,
    active: usize,
    pictures: Pictures,
    rasters: Rasters<RasterKey>,
    /// Where it was drawn last.
    area: Rect,
    asked: HashSet<PictureKey>,
    failed: HashMap<PictureKey, String>,
    /// What stood on the screen, at rest, by series.
    displayed: BTreeMap<String, Seen>,
    /// What each viewport shows, and since when, in milliseconds.
    resting: Vec<(PictureKey, u64)>,
    /// How the terminal shows pictures, which decides what must be said about them.
    protocol: Protocol,
    /// What the last drawing showed.
    drawn: HashSet<PictureKey>,
    dragged: Option<Dragged>,
    /// The marks of the case.
    marks: Vec<Drawn>,
    hidden: bool,
    /// Which mark was jumped to.
    chosen: Option<String>,
    pencil: Option<Pencil>,
    measuring: Option<Ticket>,
    /// When cine last went on, in milliseconds.
    cine_ms: u64,
}

/// Images of a series that stood on the screen.
#[derive(Debug, Default)]
struct Seen {
    instances: HashSet<Arc<str>>,
    /// Most screen pixels that an image pixel had.
    best_scale: f64,
}

/// A pointer that is held down.
struct Dragged {
    port: usize,
    button: MouseButton,
    column: u16,
    row: u16,
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
        for port in &mut self.ports {
            let uid = port.stack.and_then(|at| before.get(at)).map(|stack| stack.series_instance_uid.clone());
            port.stack = uid.and_then(|uid| self.stacks.iter().position(|stack| stack.series_instance_uid == uid));
            let length = port.stack.and_then(|at| self.stacks.get(at)).map_or(0, |stack| stack.slots.len());
            port.at = port.at.min(length.saturating_sub(1));
        }
        // What had not arrived may be here now.
        self.failed.clear();
        self.fill_ports();
        self.want(context);
    }

    /// Takes the marks of a case.
    pub fn set_marks(&mut self, marks: Vec<Drawn>) {
        self.marks = marks;
    }

    /// The mark that was jumped to.
    pub fn chosen_mark(&self) -> Option<&Drawn> {
        self.marks.iter().find(|mark| Some(&mark.id) == self.chosen.as_ref())
    }

    pub fn is_marking(&self) -> bool {
        self.pencil.is_some()
    }

    /// The pencil mark with its image and frame, if it has all its points.
    pub fn to_ink(&self) -> Option<(PictureKey, &Pencil)> {
        let pencil = self.pencil.as_ref().filter(|pencil| pencil.is_complete())?;
        Some((self.key_of(self.ports.get(self.active)?)?, pencil))
    }

    /// The pencil mark is ink now, or was given up.
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
        let Some((key, pencil)) = self.to_ink() else { return };
        let (shape, points) = (pencil.tool.shape(), pencil.points.clone());
        if let Some(picture) = self.pictures.peek(&key) {
            self.measuring = Some(context.measure(Arc::clone(picture), shape, points));
        }
    }

    /// Jumps to the next mark, wherever it is.
    fn next_mark(&mut self, context: &mut Context<'_>) {
        let at = self.chosen.as_ref().and_then(|id| self.marks.iter().position(|mark| mark.id == *id));
        let next = at.map_or(0, |at| (at + 1) % self.marks.len().max(1));
        let Some(mark) = self.marks.get(next) else {
            context.say("No mark yet.");
            return;
        };
        self.chosen = Some(mark.id.clone());
        let found = self
            .stacks
            .iter()
            .enumerate()
            .find_map(|(stack, series)| Some((stack, series.position(&mark.sop_instance_uid, mark.frame)?)));
        match (found, self.ports.get_mut(self.active)) {
            (Some((stack, at)), Some(port)) => {
                if port.stack != Some(stack) {
                    port.show(Some(stack));
                }
                port.at = at;
            }
            _ => context.say("The image of this mark is not here."),
        }
        self.want(context);
    }

    /// Does what a key asks for while a mark is drawn; `false` if it is about something else.
    fn act_marking(&mut self, action: Action, context: &mut Context<'_>) -> bool {
        let plane = self.active_picture().map(|picture| port::plane(picture));
        let (Some(pencil), Some(plane)) = (&mut self.pencil, plane) else { return false };
        let mut move_by = |columns: f64, rows: f64| {
            let to = Point { column: pencil.cursor.column + columns, row: pencil.cursor.row + rows };
            let last = |length: u32| f64::from(length.saturating_sub(1));
            pencil.cursor =
                Point { column: to.column.clamp(0.0, last(plane.columns)), row: to.row.clamp(0.0, last(plane.rows)) };
        };
        match action {
            Action::CursorLeft => move_by(-1.0, 0.0),
            Action::CursorRight => move_by(1.0, 0.0),
            Action::CursorUp => move_by(0.0, -1.0),
            Action::CursorDown => move_by(0.0, 1.0),
            Action::CursorLeftFar => move_by(-10.0, 0.0),
            Action::CursorRightFar => move_by(10.0, 0.0),
            Action::CursorUpFar => move_by(0.0, -10.0),
            Action::CursorDownFar => move_by(0.0, 10.0),
            Action::DropPoint => {
                if pencil.drop_point() {
                    self.measure(context);
                }
            }
            Action::Undo => {
                if !pencil.undo() {
                    self.pencil = None;
                }
                self.measuring = None;
            }
            Action::LeaveTool => self.drop_pencil(),
            _ => return false,
        }
        true
    }

    fn active_picture(&self) -> Option<&Arc<Picture>> {
        self.pictures.peek(&self.key_of(self.ports.get(self.active)?)?)
    }

    pub fn has_images(&self) -> bool {
        !self.stacks.is_empty()
    }

    /// What stood on the screen so far.
    pub fn displayed(&self, shows: Shows) -> Displayed {
        let series = self.displayed.iter().map(|(uid, seen)| SeriesDisplayed {
            series_instance_uid: uid.clone(),
            instances: u32::try_from(seen.instances.len()).unwrap_or(u32::MAX),
            best_scale: seen.best_scale,
        });
        Displayed { protocol: shows.protocol.name().into(), grey_steps: shows.greys.into(), series: series.collect() }
    }

    /// Counts what has stood still long enough to be seen; what a scroll runs past does not count.
    fn count_displayed(&mut self, context: &Context<'_>) {
        let on_screen: Vec<Option<PictureKey>> = self.ports.iter().map(|port| self.key_of(port)).collect();
        let before = std::mem::take(&mut self.resting);
        for (number, key) in on_screen.into_iter().enumerate() {
            let Some(key) = key.filter(|key| self.drawn.contains(key)) else { continue };
            let since_ms = before.iter().find(|(other, _)| *other == key).map_or(context.now_ms, |(_, since)| *since);
            if context.now_ms.saturating_sub(since_ms) >= REST_MS {
                self.count(number, &key, context);
            }
            self.resting.push((key, since_ms));
        }
    }

    fn count(&mut self, number: usize, key: &PictureKey, context: &Context<'_>) {
        let (Some(port), Some(picture)) = (self.ports.get(number), self.pictures.peek(key)) else { return };
        let Some(stack) = port.stack.and_then(|at| self.stacks.get(at)) else { return };
        let Some(area) = areas(self.area, self.layout).get(number).copied().map(port::picture_area) else { return };
        let dots = context.dots.size(area);
        let scale = port.pose.mapping(&port::plane(picture), dots).map_or(0.0, |mapping| mapping.dots_per_pixel(dots));
        let seen = self.displayed.entry(stack.series_instance_uid.clone()).or_default();
        seen.instances.insert(Arc::clone(&key.sop_instance_uid));
        seen.best_scale = seen.best_scale.max(scale);
    }

    /// Gives every viewport of the layout a series, the first ones first.
    fn fill_ports(&mut self) {
        let (columns, rows) = LAYOUTS.get(self.layout).copied().unwrap_or((1, 1));
        let wanted = usize::from(columns) * usize::from(rows);
        self.ports.truncate(wanted);
        while self.ports.len() < wanted {
            self.ports.push(Port::default());
        }
        for number in 0..self.ports.len() {
            if self.ports.get(number).is_some_and(|port| port.stack.is_none()) {
                let used: HashSet<usize> = self.ports.iter().filter_map(|port| port.stack).collect();
                let free = (0..self.stacks.len()).find(|at| !used.contains(at));
                if let Some(port) = self.ports.get_mut(number) {
                    port.show(free);
                }
            }
        }
        self.active = self.active.min(self.ports.len().saturating_sub(1));
    }

    /// Asks for the pictures on the screen and those next to them; what is seen comes last and so first.
    fn want(&mut self, context: &mut Context<'_>) {
        let mut wanted = Vec::new();
        for port in &self.ports {
            let Some(stack) = port.stack.and_then(|at| self.stacks.get(at)) else { continue };
            let near = |steps: usize, forward: bool| {
                (1..=steps)
                    .filter_map(move |step| if forward { port.at.checked_add(step) } else { port.at.checked_sub(step) })
            };
            let ahead = near(AHEAD, port.forward).chain(near(BEHIND, !port.forward));
            wanted.extend(
                ahead.filter_map(|at| stack.slots.get(at)).filter(|slot| slot.here).map(|slot| slot.key.clone()),
            );
        }
        wanted.reverse();
        for port in &self.ports {
            wanted.extend(self.key_of(port));
        }
        for key in wanted {
            if self.pictures.peek(&key).is_none() && !self.failed.contains_key(&key) && self.asked.insert(key.clone()) {
                context.wish(Wish::Picture(key));
            }
        }
    }

    /// The picture a viewport shows, if its image is here.
    fn key_of(&self, port: &Port) -> Option<PictureKey> {
        let slot = port.stack.and_then(|at| self.stacks.get(at))?.slots.get(port.at)?;
        slot.here.then(|| slot.key.clone())
    }

    pub fn pictured(&mut self, key: &PictureKey, outcome: Option<&Pictured>) {
        self.asked.remove(key);
        match outcome {
            Some(Ok(picture)) => self.pictures.put(Arc::clone(picture)),
            Some(Err(why)) => drop(self.failed.insert(key.clone(), why.clone())),
            None => {}
        }
    }

    /// Does what a key asks for; `false` if it is about something else.
    pub fn act(&mut self, action: Action, context: &mut Context<'_>) -> bool {
        if self.act_marking(action, context) {
            return true;
        }
        match action {
            Action::Tool(tool) => {
                match self.active_picture() {
                    Some(picture) => {
                        let plane = port::plane(picture);
                        let middle = Point {
                            column: (f64::from(plane.columns) / 2.0).floor(),
                            row: (f64::from(plane.rows) / 2.0).floor(),
                        };
                        self.pencil = Some(Pencil::new(tool, middle));
                    }
                    None => context.say("There is no image to mark here."),
                }
                return true;
            }
            Action::MarkNext => {
                self.next_mark(context);
                return true;
            }
            Action::MarksHide => {
                self.hidden = !self.hidden;
                return true;
            }
            _ => {}
        }
        let lengths: Vec<usize> = self.stacks.iter().map(|stack| stack.slots.len()).collect();
        let ports = self.ports.len();
        let series = self.stacks.len();
        let size = self.size_px(context);
        let Some(port) = self.ports.get_mut(self.active) else { return false };
        let length = port.stack.and_then(|at| lengths.get(at)).copied().unwrap_or_default();
        let picture = port
            .stack
            .and_then(|at| self.stacks.get(at))
            .and_then(|stack| stack.slots.get(port.at))
            .and_then(|slot| self.pictures.peek(&slot.key))
            .map(Arc::as_ref);
        match action {
            Action::SliceUp => port.scroll(-1, length),
            Action::SliceDown => port.scroll(1, length),
            Action::SlicePageUp => port.scroll(-10, length),
            Action::SlicePageDown => port.scroll(10, length),
            Action::SliceFirst => port.scroll(i64::MIN, length),
            Action::SliceLast => port.scroll(i64::MAX, length),
            Action::SeriesNext | Action::SeriesPrevious => {
                let step = if action == Action::SeriesNext { 1 } else { series.saturating_sub(1) };
                let next = port.stack.map_or(0, |at| at + step) % series.max(1);
                port.show((series > 0).then_some(next));
            }
            Action::ViewportNext => self.active = (self.active + 1) % ports.max(1),
            Action::Layout => {
                self.layout = (self.layout + 1) % LAYOUTS.len();
                self.fill_ports();
            }
            Action::Cine => {
                port.cine = !port.cine;
                self.cine_ms = context.now_ms;
            }
            Action::Window(0) => port.window = Window::Default,
            Action::Window(number) => {
                if let Some(preset) = Preset::ALL.get(usize::from(number).saturating_sub(1)) {
                    match picture.map(|picture| picture.frame.width_level(Window::Preset(*preset))) {
                        Some(Err(error)) => context.say(&error.to_string()),
                        _ => port.window = Window::Preset(*preset),
                    }
                }
            }
            Action::WindowNext => {
                let choices = picture.map_or(0, |picture| picture.frame.windows());
                port.next_window(choices);
            }
            Action::WindowWider => port.change_window(picture, 1.1, 0.0),
            Action::WindowNarrower => port.change_window(picture, 1.0 / 1.1, 0.0),
            Action::LevelUp => port.change_window(picture, 1.0, 0.05),
            Action::LevelDown => port.change_window(picture, 1.0, -0.05),
            Action::Invert => port.pose.invert(),
            Action::FlipHorizontal => port.pose.flip_horizontally(),
            Action::FlipVertical => port.pose.flip_vertically(),
            Action::TurnRight => port.pose.turn_clockwise(),
            Action::TurnLeft => port.pose.turn_anticlockwise(),
            Action::ZoomFit => port.pose.fit(),
            Action::ZoomIn => port.zoom(picture, size, 1.25),
            Action::ZoomOut => port.zoom(picture, size, 0.8),
            Action::ZoomOne => port.zoom_one(picture, size),
            Action::PanLeft => port.pan(picture, size, 0.1, 0.0),
            Action::PanRight => port.pan(picture, size, -0.1, 0.0),
            Action::PanUp => port.pan(picture, size, 0.0, 0.1),
            Action::PanDown => port.pan(picture, size, 0.0, -0.1),
            Action::ResetView => port.reset(),
            _ => return false,
        }
        self.want(context);
        true
    }

    pub fn pointer(&mut self, pointer: MouseEvent, area: Rect, context: &mut Context<'_>) {
        let at = Position::new(pointer.column, pointer.row);
        let port = areas(area, self.layout).iter().position(|area| area.contains(at));
        match (pointer.kind, port) {
            (MouseEventKind::ScrollDown | MouseEventKind::ScrollUp, Some(port)) => {
                self.active = port;
                let down = pointer.kind == MouseEventKind::ScrollDown;
                let action = match (pointer.modifiers.contains(KeyModifiers::CONTROL), down) {
                    (true, true) => Action::ZoomOut,
                    (true, false) => Action::ZoomIn,
                    (false, true) => Action::SliceDown,
                    (false, false) => Action::SliceUp,
                };
                self.act(action, context);
            }
            (MouseEventKind::Down(MouseButton::Left), Some(port)) if self.pencil.is_some() && port == self.active => {
                self.click(pointer, area, context);
            }
            (MouseEventKind::Moved, Some(port)) if self.pencil.is_some() && port == self.active => {
                if let Some(point) = self.point_under(pointer, area, context)
                    && let Some(pencil) = &mut self.pencil
                {
                    pencil.cursor = point;
                }
            }
            (MouseEventKind::Down(button), Some(port)) => {
                self.active = port;
                self.dragged = Some(Dragged { port, button, column: pointer.column, row: pointer.row });
            }
            (MouseEventKind::Drag(_), _) => self.drag(pointer, context),
            (MouseEventKind::Up(_), _) => self.dragged = None,
            _ => {}
        }
    }

    /// The point of the image in the middle of the cell under the pointer.
    fn point_under(&self, pointer: MouseEvent, area: Rect, context: &Context<'_>) -> Option<Point> {
        let inside = port::picture_area(*areas(area, self.layout).get(self.active)?);
        let picture = self.active_picture()?;
        let mapping = self.ports.get(self.active)?.pose.mapping(&port::plane(picture), context.dots.size(inside))?;
        let middle = |at: u16, from: u16, dots: u32| (f64::from(at.saturating_sub(from)) + 0.5) * f64::from(dots);
        let point = mapping.to_image(
            middle(pointer.column, inside.x, context.dots.across),
            middle(pointer.row, inside.y, context.dots.down),
        );
        let point = Point { column: point.column.round(), row: point.row.round() };
        mapping.plane().holds(point).then_some(point)
    }

    fn click(&mut self, pointer: MouseEvent, area: Rect, context: &mut Context<'_>) {
        let Some(point) = self.point_under(pointer, area, context) else { return };
        if let Some(pencil) = &mut self.pencil {
            pencil.cursor = point;
            if pencil.drop_point() {
                self.measure(context);
            }
        }
    }

    fn drag(&mut self, pointer: MouseEvent, context: &mut Context<'_>) {
        let size = self.size_px(context);
        let cell = context.dots.size(Rect::new(0, 0, 1, 1));
        let Some(dragged) = &mut self.dragged else { return };
        let across = f64::from(pointer.column) - f64::from(dragged.column);
        let down = f64::from(pointer.row) - f64::from(dragged.row);
        (dragged.column, dragged.row) = (pointer.column, pointer.row);
        let button = dragged.button;
        let Some(port) = self.ports.get_mut(dragged.port) else { return };
        let picture = port
            .stack
            .and_then(|at| self.stacks.get(at))
            .and_then(|stack| stack.slots.get(port.at))
            .and_then(|slot| self.pictures.peek(&slot.key))
            .map(Arc::as_ref);
        match button {
            // As on every workstation: to the side the width, up and down the level.
            MouseButton::Left => port.change_window(picture, 1.02_f64.powf(across), down * 0.02),
            MouseButton::Right => port.zoom(picture, size, 1.03_f64.powf(-down)),
            MouseButton::Middle => {
                port.pan_px(picture, size, across * f64::from(cell.width), down * f64::from(cell.height));
            }
        }
    }

    /// Lets cine go on, and asks again for what fell out.
    pub fn tick(&mut self, context: &mut Context<'_>) {
        self.protocol = context.shows.protocol;
        let passed_ms = context.now_ms.saturating_sub(self.cine_ms);
        let rates: Vec<Option<f64>> = self
            .ports
            .iter()
            .map(|port| {
                port.cine.then(|| self.key_of(port).and_then(|key| self.pictures.peek(&key)?.rate).unwrap_or(CINE_RATE))
            })
            .collect();
        let lengths: Vec<usize> = self.stacks.iter().map(|stack| stack.slots.len()).collect();
        for (port, rate) in self.ports.iter_mut().zip(rates) {
            let Some(rate) = rate else { continue };
            let length = port.stack.and_then(|at| lengths.get(at)).copied().unwrap_or_default();
            port.play(passed_ms, rate, length);
        }
        self.cine_ms = context.now_ms;
        self.count_displayed(context);
        self.want(context);
    }

    /// Whether pictures move by themselves, so that time must pass faster.
    pub fn is_playing(&self) -> bool {
        self.ports.iter().any(|port| port.cine)
    }

    /// The size of the active viewport in screen pixels.
    fn size_px(&self, context: &Context<'_>) -> Size {
        let area = areas(self.area, self.layout).get(self.active).copied().map(port::picture_area);
        context.dots.size(area.unwrap_or_default())
    }

    /// What the viewports show, each in its place in cells.
    pub fn scenes(&mut self, area: Rect, dots: Dots) -> Vec<(Rect, Scene)> {
        self.area = area;
        let mut scenes = Vec::new();
        self.drawn.clear();
        for (number, area) in areas(area, self.layout).into_iter().enumerate() {
            let Some(key) = self.ports.get(number).and_then(|port| self.key_of(port)) else { continue };
            let Some(picture) = self.pictures.get(&key) else { continue };
            let Some(port) = self.ports.get_mut(number) else { continue };
            let inside = port::picture_area(area);
            if let Some(mut scene) = port.scene(&mut self.rasters, &picture, dots.size(inside)) {
                let marks: &[Drawn] = if self.hidden { &[] } else { &self.marks };
                let pencil = self.pencil.as_ref().filter(|_| number == self.active);
                scene.overlay = port.ink(&picture, dots.size(inside), marks, self.chosen.as_deref(), pencil);
                if scene.picture.is_some() {
                    self.drawn.insert(key);
                }
                scenes.push((inside, scene));
            }
        }
        scenes
    }

    /// Cells of the pictures that have letters.
    pub fn covered(&self, area: Rect, dots: Dots) -> Vec<Rect> {
        let mut covered = Vec::new();
        for (port, area) in self.ports.iter().zip(areas(area, self.layout)) {
            let picture = self.key_of(port).and_then(|key| self.pictures.peek(&key).cloned());
            if let Some(picture) = picture {
                let inside = port::picture_area(area);
                covered.extend(port.letters(&picture, inside).into_iter().map(|(area, _)| area));
                covered.extend(self.labels(port, &picture, inside, dots).into_iter().map(|(area, ..)| area));
            }
        }
        covered
    }

    /// The words of the marks on a picture, each in its cells, with its ink.
    fn labels(&self, port: &Port, picture: &Picture, inside: Rect, dots: Dots) -> Vec<(Rect, String, u8)> {
        let Some(mapping) = port.pose.mapping(&port::plane(picture), dots.size(inside)) else { return Vec::new() };
        let here =
            |mark: &&Drawn| *mark.sop_instance_uid == *picture.key.sop_instance_uid && mark.frame == picture.key.frame;
        let marks: &[Drawn] = if self.hidden { &[] } else { &self.marks };
        let labels = marks.iter().filter(here).filter_map(|mark| {
            let (x, y) = mark.words_at(&mapping)?;
            let cell = |at: f64, dots: u32| (at / f64::from(dots.max(1))).clamp(0.0, f64::from(u16::MAX)) as u16;
            let width = u16::try_from(mark.words.chars().count()).unwrap_or(u16::MAX);
            let (column, row) = (cell(x, dots.across).saturating_add(1), cell(y, dots.down));
            let area = Rect {
                x: inside.x.saturating_add(column.min(inside.width.saturating_sub(width))),
                y: inside.y.saturating_add(row),
                width,
                height: 1,
            };
            Some((area.intersection(inside), mark.words.clone(), mark.ink))
        });
        labels.filter(|(area, words, _)| !area.is_empty() && !words.is_empty()).collect()
    }

    /// Draws what stands around and on the pictures in characters.
    pub fn draw(&self, frame: &mut Frame<'_>, area: Rect, dots: Dots, look: Look) {
        for (number, area) in areas(area, self.layout).into_iter().enumerate() {
            let Some(port) = self.ports.get(number) else { continue };
            let stack = port.stack.and_then(|at| self.stacks.get(at));
            let key = self.key_of(port);
            let state = match &key {
                None if stack.is_some() => port::State::Arriving,
                None => port::State::Empty,
                Some(key) => match (self.pictures.peek(key), self.failed.get(key)) {
                    (Some(picture), _) => port::State::Shown(picture),
                    (None, Some(why)) => port::State::Failed(why),
                    (None, None) => port::State::Opening,
                },
            };
            let active = number == self.active && self.ports.len() > 1;
            let inside = port::picture_area(area);
            let style = if active { look.key() } else { look.dim() };
            let shown_as = (dots.size(inside), self.protocol);
            port.draw(frame, area, (stack, &state), shown_as, style, look);
            if let port::State::Shown(picture) = state {
                for (area, words, ink) in self.labels(port, picture, inside, dots) {
                    frame.render_widget(Paragraph::new(Span::styled(words, look.on_picture(look.ink(ink)))), area);
                }
            }
        }
    }
}

/// Where the viewports of a layout stand.
fn areas(area: Rect, layout: usize) -> Vec<Rect> {
    let (columns, rows) = LAYOUTS.get(layout).copied().unwrap_or((1, 1));
    let cut = |length: u16, parts: u16, number: u16| {
        let edge =
            |number: u16| u16::try_from(u32::from(length) * u32::from(number) / u32::from(parts)).unwrap_or(length);
        (edge(number), edge(number + 1) - edge(number))
    };
    let mut areas = Vec::new();
    for row in 0..rows {
        for column in 0..columns {
            let ((x, width), (y, height)) = (cut(area.width, columns, column), cut(area.height, rows, row));
            areas.push(Rect { x: area.x + x, y: area.y + y, width, height });
        }
    }
    areas
}
