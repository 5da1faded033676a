//! The mouse over the viewports: the wheel scrolls, buttons change window, zoom and place, or draw and move a mark.

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::super::keys::{Action, Tool};
use super::super::screen::Context;
use super::words::parts;
use super::{Subject, Viewer};
use crate::case::content::Point;
use crate::view::ink::Place;
use crate::view::mapping::Mapping;
use crate::view::marks::hit;
use crate::view::window::dragged;

/// How near to a line a pointer takes hold of it, in pixels; a pointer is no finer than half a cell.
const NEAR_PX: f64 = 6.0;

/// What a pointer that is held down does.
pub struct Held {
    port: usize,
    button: MouseButton,
    column: u16,
    row: u16,
    does: Does,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Does {
    /// Window, zoom or place.
    View,
    /// Nothing moved yet: a click chooses a mark.
    Click,
    /// Draws from this point.
    Draw(Point),
    /// Moves a part of the pencil mark.
    Move,
    /// Carries the crosshair.
    Point,
}

impl Viewer {
    pub fn pointer(&mut self, pointer: MouseEvent, area: Rect, context: &mut Context<'_>) {
        if self.strip_pointer(pointer, area, context) {
            return;
        }
        let at = Position::new(pointer.column, pointer.row);
        let port = self.areas(area).iter().position(|area| area.is_some_and(|area| area.contains(at)));
        match (pointer.kind, port) {
            (MouseEventKind::ScrollDown | MouseEventKind::ScrollUp, Some(port)) => {
                self.activate(port);
                let down = pointer.kind == MouseEventKind::ScrollDown;
                let action = match (pointer.modifiers.contains(KeyModifiers::CONTROL), down) {
                    (true, true) => Action::ZoomOut,
                    (true, false) => Action::ZoomIn,
                    (false, true) => Action::SliceDown,
                    (false, false) => Action::SliceUp,
                };
                self.act(action, context);
            }
            (MouseEventKind::Moved, Some(port)) => {
                if let Some((point, _)) = self.under(pointer, port, area, context)
                    && let Some(pencil) = self.pencil_on(port)
                    && pencil.is_open()
                {
                    pencil.point_at(point);
                }
            }
            (MouseEventKind::Down(button), Some(port)) => {
                self.activate(port);
                let does =
                    if button == MouseButton::Left { self.press(pointer, port, area, context) } else { Does::View };
                self.held = Some(Held { port, button, column: pointer.column, row: pointer.row, does });
            }
            (MouseEventKind::Drag(_), _) => self.drag(pointer, area, context),
            (MouseEventKind::Up(_), _) => self.release(pointer, area, context),
            _ => {}
        }
    }

    /// The pencil mark, if its image is in this viewport.
    fn pencil_on(&mut self, port: usize) -> Option<&mut super::Pencil> {
        let port = self.ports.get(port).filter(|port| port.cut.is_none())?;
        let key = self.key_of(port)?;
        self.pencil.as_mut().filter(|pencil| pencil.key == key)
    }

    /// The point of a viewport's image in the middle of the cell under the pointer, and its mapping.
    fn under(
        &self,
        pointer: MouseEvent,
        port: usize,
        area: Rect,
        context: &Context<'_>,
    ) -> Option<(Point, (Mapping, Place))> {
        let inside = parts((*self.areas(area).get(port)?)?)[1];
        let port = self.ports.get(port)?;
        let mapping = port.pose.mapping(&self.subject(port)?.image_plane(), context.dots.size(inside))?;
        let middle = |at: u16, from: u16, dots: u32| (f64::from(at) - f64::from(from) + 0.5) * f64::from(dots);
        let place =
            (middle(pointer.column, inside.x, context.dots.across), middle(pointer.row, inside.y, context.dots.down));
        let point = mapping.to_image(place.0, place.1);
        Some((Point { column: point.column.round(), row: point.row.round() }, (mapping, place)))
    }

    /// Begins what the left button does here.
    fn press(&mut self, pointer: MouseEvent, port: usize, area: Rect, context: &mut Context<'_>) -> Does {
        let near = NEAR_PX.max(f64::from(context.dots.across.max(context.dots.down)) / 2.0);
        let Some((point, (mapping, place))) = self.under(pointer, port, area, context) else { return Does::View };
        let holds = mapping.plane().holds(point);
        if self.crosshair.is_some() {
            if holds {
                self.point_at_seen(port, point);
                self.want(context);
            }
            return Does::Point;
        }
        let Some(pencil) = self.pencil_on(port) else { return Does::Click };
        if !pencil.is_open() {
            return if pencil.take_hold(&mapping, place, near) { Does::Move } else { Does::View };
        }
        if !holds {
            return Does::View;
        }
        pencil.point_at(point);
        if pencil.drop_point() {
            self.measure(context);
        }
        Does::Draw(point)
    }

    fn drag(&mut self, pointer: MouseEvent, area: Rect, context: &mut Context<'_>) {
        let cell = context.dots.size(Rect::new(0, 0, 1, 1));
        let Some(held) = &mut self.held else { return };
        let across = (f64::from(pointer.column) - f64::from(held.column)) * f64::from(cell.width);
        let down = (f64::from(pointer.row) - f64::from(held.row)) * f64::from(cell.height);
        if across == 0.0 && down == 0.0 {
            return;
        }
        (held.column, held.row) = (pointer.column, pointer.row);
        if held.does == Does::Click {
            held.does = Does::View;
        }
        let (does, button, number) = (held.does, held.button, held.port);
        let under = self.under(pointer, number, area, context);
        match (does, under) {
            (Does::View | Does::Click, _) => self.drag_view(number, button, (across, down), area, context),
            (_, None) => {}
            (Does::Point, Some((point, (mapping, _)))) => {
                if mapping.plane().holds(point) {
                    self.point_at_seen(number, point);
                    self.want(context);
                }
            }
            (Does::Draw(_), Some((point, _))) => {
                if let Some(pencil) = self.pencil_on(number).filter(|pencil| pencil.is_open()) {
                    pencil.point_at(point);
                    if pencil.tool == Tool::Freehand {
                        pencil.drop_point();
                    }
                }
            }
            (Does::Move, Some((point, _))) => {
                if self.pencil_on(number).is_some_and(|pencil| pencil.drag_to(point)) {
                    self.measure(context);
                }
            }
        }
    }

    fn drag_view(
        &mut self,
        number: usize,
        button: MouseButton,
        (across, down): (f64, f64),
        area: Rect,
        context: &mut Context<'_>,
    ) {
        let inside = self.areas(area).get(number).copied().flatten().map(|area| parts(area)[1]);
        let size = context.dots.size(inside.unwrap_or_default());
        let Some(subject) = self.ports.get(number).and_then(|port| self.subject(port)) else { return };
        let Some(port) = self.ports.get_mut(number) else { return };
        match button {
            // As on every workstation: to the side the width, up and down the level.
            MouseButton::Left => {
                port.change_window(subject.picture(), |now, range| dragged(now, across, down, range));
            }
            MouseButton::Right => port.zoom(&subject.image_plane(), size, 1.002_f64.powf(-down)),
            MouseButton::Middle => port.pose.pan(across, down, &subject.image_plane(), size),
        }
        self.share_window();
        self.moved_ms = context.now_ms;
        self.is_moving = true;
    }

    fn release(&mut self, pointer: MouseEvent, area: Rect, context: &mut Context<'_>) {
        let Some(held) = self.held.take() else { return };
        match held.does {
            Does::Click => self.choose(pointer, held.port, area, context),
            Does::Draw(from) => {
                let Some((point, _)) = self.under(pointer, held.port, area, context) else { return };
                let Some(pencil) = self.pencil_on(held.port) else { return };
                // Dragged from one point to the next; a click leaves the next one to another click.
                if point != from {
                    if pencil.is_open() {
                        pencil.point_at(point);
                        pencil.drop_point();
                    }
                    pencil.finish();
                    self.measure(context);
                }
            }
            Does::Move => {
                if let Some(pencil) = &mut self.pencil {
                    pencil.let_go();
                }
            }
            Does::View | Does::Point => {}
        }
    }

    /// Chooses the mark under the pointer.
    fn choose(&mut self, pointer: MouseEvent, port: usize, area: Rect, context: &Context<'_>) {
        let near = NEAR_PX.max(f64::from(context.dots.across.max(context.dots.down)) / 2.0);
        let Some((_, (mapping, place))) = self.under(pointer, port, area, context) else { return };
        let Some(Subject::Frame(picture)) = self.ports.get(port).and_then(|port| self.subject(port)) else { return };
        let here: Vec<_> =
            self.marks.iter().filter(|mark| mark.is_on(&picture.key) && !self.hidden.hides(mark)).collect();
        let found = hit(here.iter().map(|mark| (mark.shape, mark.points.as_slice())), &mapping, place, near);
        self.chosen = found.and_then(|(number, _)| here.get(number)).map(|mark| mark.id.clone());
    }
}
