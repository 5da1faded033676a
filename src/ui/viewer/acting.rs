//! What keys do to the viewer: first to the mark that is drawn, then to the crosshair, to all viewports, to the active one.

use std::sync::Arc;

use super::super::keys::Action;
use super::super::picture::Picture;
use super::super::screen::Context;
use super::cuts::{CutView, Volumes};
use super::pencil::Pencil;
use super::port::{Port, Subject, Vacant};
use super::{CaseMark, Viewer};
use crate::encoding::text::shown;
use crate::study::pixels::{Unit, Window};
use crate::study::plane::Plane;
use crate::view::layout::Layout;
use crate::view::mapping::ImagePlane;
use crate::view::mpr::Cut;
use crate::view::pose::Pose;
use crate::view::snap::edge_near;
use crate::view::window::{next_of_file, numbered, stepped};

impl Viewer {
    /// Jumps to the next mark, wherever it is.
    fn next_mark(&mut self, context: &mut Context<'_>) {
        let visible: Vec<&CaseMark> = self.marks.iter().filter(|mark| !self.hidden.hides(mark)).collect();
        let at = self.chosen.as_ref().and_then(|id| visible.iter().position(|mark| mark.id == *id));
        let next = at.map_or(0, |at| (at + 1) % visible.len().max(1));
        let Some(mark) = visible.get(next) else {
            context.say(if self.marks.is_empty() { "No mark yet." } else { "All marks are hidden: m shows them." });
            return;
        };
        let id = mark.id.clone();
        self.go_to_mark(&id, context);
    }

    /// Whether this program draws a mark.
    pub fn draws(&self, id: &str) -> bool {
        self.marks.iter().any(|mark| mark.id == id)
    }

    /// Chooses a mark and jumps to it; `false` if it, or its image, is not here.
    pub fn go_to_mark(&mut self, id: &str, context: &mut Context<'_>) -> bool {
        let Some(mark) = self.marks.iter().find(|mark| mark.id == id) else { return false };
        let is_hidden = self.hidden.hides(mark);
        let (uid, frame) = (mark.sop_instance_uid.clone(), mark.frame);
        self.chosen = Some(id.to_owned());
        let is_here = self.go_to_image(&uid, frame);
        if !is_here {
            context.say("The image of this mark is not here.");
        } else if is_hidden {
            context.say("This mark is hidden: m shows all.");
        }
        self.follow_scroll();
        self.want(context);
        is_here
    }

    /// The image that a mark would stand on, or why none can.
    pub fn image_to_mark(&self) -> Result<Arc<Picture>, &'static str> {
        match self.active_subject() {
            Some(Subject::Frame(picture)) => Ok(picture),
            Some(Subject::Reformat { .. }) => Err("Marks stand on images as they were acquired: , goes back to them."),
            None => Err("There is no image to mark here."),
        }
    }

    /// Jumps to a mark; `false` if it, or its image, is not here. What was looked at before is kept.
    pub fn show_mark(&mut self, id: &str, context: &mut Context<'_>) -> bool {
        let Some(mark) = self.marks.iter().find(|mark| mark.id == id) else { return false };
        let (uid, frame) = (mark.sop_instance_uid.clone(), mark.frame);
        if self.place_of(&uid, frame).is_none() {
            return false;
        }
        self.keep_before();
        self.chosen = Some(id.to_owned());
        self.go_to_image(&uid, frame);
        self.follow_scroll();
        self.want(context);
        true
    }

    /// Where an image stands, in words; none if no series has it.
    pub fn place_of(&self, sop_instance_uid: &str, frame: u32) -> Option<String> {
        let mut stacks = self.stacks.iter();
        let (stack, at) = stacks.find_map(|stack| Some((stack, stack.position(sop_instance_uid, frame)?)))?;
        let series = stack.number.map_or_else(String::new, |number| format!("series {number}, "));
        let role = if stack.role == "index" { String::new() } else { format!("{}, ", shown(&stack.role)) };
        Some(format!("{role}{series}image {}", at + 1))
    }

    /// Shows a frame in the active viewport; `false` if no series has it.
    fn go_to_image(&mut self, sop_instance_uid: &str, frame: u32) -> bool {
        let mut stacks = self.stacks.iter().enumerate();
        let found = stacks.find_map(|(stack, series)| Some((stack, series.position(sop_instance_uid, frame)?)));
        let (Some((stack, at)), Some(port)) = (found, self.ports.get_mut(self.active)) else { return false };
        if port.stack != Some(stack) {
            port.show(Some(stack));
        }
        (port.at, port.cut, port.link_words) = (at, None, None);
        true
    }

    /// Does what a key asks for; `false` if it is about something else.
    pub fn act(&mut self, action: Action, context: &mut Context<'_>) -> bool {
        let is_done = self.act_marking(action, context)
            || self.act_pointing(action, context)
            || self.act_on_all(action, context)
            || self.act_on_port(action, context);
        if is_done {
            self.moved_ms = context.now_ms;
            self.is_moving = true;
            self.want(context);
        }
        is_done
    }

    /// Does what a key asks for while a mark is drawn.
    fn act_marking(&mut self, action: Action, context: &mut Context<'_>) -> bool {
        let on_screen = self.ports.get(self.active).and_then(|port| self.key_of(port));
        let Some(pencil) = &mut self.pencil else { return false };
        let is_seen = on_screen.as_ref() == Some(&pencil.key);
        let step = action.cursor_step();
        let moves = step.is_some() || matches!(action, Action::DropPoint | Action::NextHandle | Action::Snap);
        if moves && pencil.is_typing() {
            return true;
        }
        if moves && !is_seen {
            context.say("This mark is on another image: go back to it, or drop it with Esc.");
            return true;
        }
        if let Some((columns, rows)) = step {
            if pencil.nudge(columns, rows) {
                self.measure(context);
            }
            return true;
        }
        let changes = match action {
            Action::DropPoint => pencil.drop_point(),
            Action::NextHandle => {
                pencil.next_part();
                false
            }
            Action::Snap if !pencil.is_open() => {
                context.say("It has all its points: Tab chooses one, and the arrows move it.");
                false
            }
            Action::Snap => {
                let edge =
                    self.pictures.peek(&pencil.key).and_then(|picture| edge_near(&picture.frame, pencil.cursor()));
                match edge {
                    Some(edge) => pencil.point_at(edge),
                    None => context.say("There is no edge near the cursor."),
                }
                false
            }
            Action::Label => {
                pencil.type_label(true);
                false
            }
            Action::Undo => {
                if !pencil.undo() {
                    self.pencil = None;
                }
                self.measuring = None;
                true
            }
            Action::LeaveTool if pencil.is_typing() => {
                pencil.type_label(false);
                false
            }
            Action::LeaveTool => {
                self.drop_pencil();
                false
            }
            _ => return false,
        };
        if changes {
            self.measure(context);
        }
        true
    }

    /// Does what concerns the whole viewer, or which viewport is which.
    fn act_on_all(&mut self, action: Action, context: &mut Context<'_>) -> bool {
        match action {
            Action::Tool(tool) => match self.image_to_mark() {
                Ok(picture) => self.pencil = Some(Pencil::new(tool, picture.key.clone(), picture.image_plane())),
                Err(why) => context.say(why),
            },
            Action::Thumbnails => self.turn_strip(context),
            Action::MarkNext => self.next_mark(context),
            Action::MarksHide => self.hidden.turn_all(),
            Action::MarksHideAuthor => match self.chosen_mark().cloned() {
                Some(mark) => {
                    let (is_hidden, author) = (self.hidden.turn(&mark), mark.author);
                    context.say(&format!("{author}'s marks are {}.", if is_hidden { "hidden" } else { "shown" }));
                }
                None => context.say("Choose a mark first: n goes from one to the next."),
            },
            Action::ViewportNext => self.activate((self.active + 1) % self.ports.len().max(1)),
            Action::Layout => {
                self.layout = self.layout.next();
                self.before_planes = None;
                // It is no colleague's view any more.
                self.ports.iter_mut().for_each(|port| port.vacant = Vacant::Free);
                self.fill_ports(context);
            }
            Action::Overlays => self.hides_overlays = !self.hides_overlays,
            Action::ReferenceLines => self.hides_reference_lines = !self.hides_reference_lines,
            Action::Link => {
                self.links.together = !self.links.together;
                self.forget_link_words();
                let now = if self.links.together { "scroll together where they can" } else { "scroll alone" };
                context.say(&format!("Viewports {now}."));
            }
            Action::PairSlices => self.pair_slices(context),
            Action::ThreePlanes => self.three_planes(context),
            Action::NextCut => self.next_cut(context),
            _ => return false,
        }
        true
    }

    /// Does what changes the active viewport.
    fn act_on_port(&mut self, action: Action, context: &mut Context<'_>) -> bool {
        let series = self.stacks.len();
        let size = self.size_px(context);
        let subject = self.active_subject();
        let length = self.ports.get(self.active).and_then(|port| self.stack_of(port)).map_or(0, |s| s.slots.len());
        let Some(port) = self.ports.get_mut(self.active) else { return false };
        let picture = subject.as_ref().map(Subject::picture);
        let plane = subject.as_ref().map(Subject::image_plane);
        let windowed = |port: &mut Port, change: (i32, i32)| {
            if let Some(picture) = picture {
                port.change_window(picture, |now, range| stepped(now, change.0, change.1, range));
            }
        };
        let posed = |port: &mut Port, change: &dyn Fn(&mut Port, &ImagePlane)| {
            if let Some(plane) = &plane {
                change(port, plane);
            }
        };
        match action {
            Action::SliceUp | Action::SliceDown | Action::SlicePageUp | Action::SlicePageDown => {
                let by = match action {
                    Action::SliceUp => -1,
                    Action::SliceDown => 1,
                    Action::SlicePageUp => -10,
                    _ => 10,
                };
                port.scroll(by, length);
                self.follow_scroll();
            }
            Action::SliceFirst | Action::SliceLast => {
                port.scroll(if action == Action::SliceFirst { i64::MIN } else { i64::MAX }, length);
                self.follow_scroll();
            }
            Action::SeriesNext | Action::SeriesPrevious => {
                let step = if action == Action::SeriesNext { 1 } else { series.saturating_sub(1) };
                let next = port.stack.map_or(0, |at| at + step) % series.max(1);
                port.show((series > 0).then_some(next));
                // Another series as its file wants it says nothing of the planes beside it.
                return true;
            }
            Action::Cine => {
                port.cine = !port.cine && port.cut.is_none();
                self.cine_ms = context.now_ms;
            }
            Action::Window(number) => {
                let Some(picture) = picture else { return true };
                let is_hounsfield = picture.frame.unit() == Unit::Hounsfield;
                match numbered(number, is_hounsfield, picture.frame.windows(), port.window) {
                    Some(window) => port.window = window,
                    None => context.say(&format!("The file has no window {number}.")),
                }
            }
            // The file's windows come round, with the whole range after the last.
            Action::WindowNext => {
                let choices = picture.map_or(0, |picture| picture.frame.windows());
                port.window = match next_of_file(choices, port.window) {
                    Some(Window::File(1)) if port.window != Window::Auto => Window::Auto,
                    Some(window) => window,
                    None => Window::Auto,
                };
            }
            Action::WindowWider => windowed(port, (1, 0)),
            Action::WindowNarrower => windowed(port, (-1, 0)),
            Action::LevelUp => windowed(port, (0, 1)),
            Action::LevelDown => windowed(port, (0, -1)),
            Action::Invert => port.pose.invert(),
            Action::FlipHorizontal => port.pose.flip_horizontally(),
            Action::FlipVertical => port.pose.flip_vertically(),
            Action::TurnRight => port.pose.turn_clockwise(),
            Action::TurnLeft => port.pose.turn_anticlockwise(),
            Action::ZoomFit => port.pose.fit(),
            Action::ZoomIn => posed(port, &|port, plane| port.zoom(plane, size, 1.25)),
            Action::ZoomOut => posed(port, &|port, plane| port.zoom(plane, size, 0.8)),
            Action::ZoomOne => posed(port, &|port, plane| port.zoom_one(plane, size)),
            Action::PanLeft => posed(port, &|port, plane| port.pan(plane, size, 0.1, 0.0)),
            Action::PanRight => posed(port, &|port, plane| port.pan(plane, size, -0.1, 0.0)),
            Action::PanUp => posed(port, &|port, plane| port.pan(plane, size, 0.0, 0.1)),
            Action::PanDown => posed(port, &|port, plane| port.pan(plane, size, 0.0, -0.1)),
            Action::Interpolate => port.pose.smooth = !port.pose.smooth,
            Action::ResetView => port.reset(),
            Action::SlabThicker | Action::SlabThinner | Action::SlabProjection => match &mut port.cut {
                Some(cut) if action == Action::SlabProjection => cut.next_projection(),
                Some(cut) => cut.step_slab(action == Action::SlabThicker),
                None => context.say("A slab needs a reformat: , cuts this series."),
            },
            _ => return false,
        }
        self.share_window();
        true
    }

    /// The three planes of one series are seen through one window.
    pub(super) fn share_window(&mut self) {
        if self.before_planes.is_none() {
            return;
        }
        let Some((stack, window)) = self.ports.get(self.active).map(|port| (port.stack, port.window)) else { return };
        self.ports.iter_mut().filter(|port| port.stack == stack).for_each(|port| port.window = window);
    }

    /// Turns the active viewport to the next cut through its series, after the last back to its frames.
    fn next_cut(&mut self, context: &mut Context<'_>) {
        const CUTS: [Cut; 3] = [Cut::Axial, Cut::Coronal, Cut::Sagittal];
        let Some(port) = self.ports.get(self.active) else { return };
        let next = match &port.cut {
            None => Some(Cut::Axial),
            Some(now) => {
                let at = CUTS.iter().position(|cut| *cut == now.cut);
                at.and_then(|at| CUTS.get(at + 1)).copied()
            }
        };
        let cut = match next.map(|next| self.cut(self.active, next, context)) {
            Some(Err(why)) => return context.say(&why),
            Some(Ok(cut)) => Some(cut),
            None => None,
        };
        if let Some(port) = self.ports.get_mut(self.active) {
            *port = port.cut_by(cut);
            port.pose.fit();
        }
    }

    /// The series as acquired and in the three planes of the patient; once more, back to what was looked at before.
    fn three_planes(&mut self, context: &mut Context<'_>) {
        if let Some((layout, ports, active)) = self.before_planes.take() {
            let window = self.ports.get(self.active).map(|port| port.window);
            (self.layout, self.ports, self.active) = (layout, ports, active);
            self.fill_ports(context);
            if let (Some(port), Some(window)) = (self.ports.get_mut(self.active), window) {
                port.window = window;
            }
            return;
        }
        let Some(port) = self.ports.get(self.active) else { return };
        let acquired = port.cut_by(None);
        let mut ports = vec![acquired.clone()];
        for cut in [Cut::Axial, Cut::Coronal, Cut::Sagittal] {
            match self.cut(self.active, cut, context) {
                Ok(cut) => {
                    let mut port = acquired.cut_by(Some(cut));
                    port.pose = Pose { inverted: acquired.pose.inverted, ..Pose::default() };
                    ports.push(port);
                }
                Err(why) => return context.say(&why),
            }
        }
        let before = (self.layout, std::mem::replace(&mut self.ports, ports), self.active);
        self.before_planes = Some(before);
        (self.layout, self.active, self.before_active) = (Layout::Four, 0, 0);
    }

    /// A cut through the series of a viewport, where that stands.
    pub(super) fn cut(&mut self, number: usize, cut: Cut, context: &mut Context<'_>) -> Result<CutView, String> {
        let port = self.ports.get(number).ok_or("There is no viewport.")?;
        let at = port.at;
        let subject = self.subject(port).ok_or("There is no image to reformat here yet.")?;
        let stack = port.stack.and_then(|at| self.stacks.get(at)).ok_or("There is no series here.")?;
        let place = subject.plane().map(Plane::middle);
        if self.volumes.as_ref().is_none_or(|volumes| !volumes.is_of(stack, at)) {
            let slices = self.places.slices(stack);
            let volumes = Volumes::of(stack, &slices, at, context.ticket().0)?;
            if let Some(mut before) = self.volumes.replace(volumes) {
                before.stop(context);
            }
            // There is one volume at a time: cuts of another one go back to their frames.
            self.all_ports().for_each(|port| port.cut = None);
        }
        self.volumes.as_ref().ok_or("There is no volume.")?.cut(cut, place)
    }
}
