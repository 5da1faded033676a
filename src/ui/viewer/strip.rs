//! The series beside the viewports: a small picture of each, what it is, and how much of it is here.
//!
//! It stands where it takes nothing from the pictures, or where it was asked for. What does not fit is on another page,
//! and the page is that of the series in the active viewport.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::keys::Action;
use super::super::look::Look;
use super::super::picture::PictureKey;
use super::super::screen::{Context, Dots};
use super::super::widget::text::shortened;
use super::stack::Slot;
use super::{Stack, Viewer};
use crate::encoding::text::shown;
use crate::view::raster::Scene;

/// Its columns, with the one that parts it from the viewports.
const WIDTH: u16 = 19;

/// Rows of a small picture, and of the words above it.
const PICTURE_ROWS: u16 = 8;
const WORDS_ROWS: u16 = 2;
const ENTRY_ROWS: u16 = WORDS_ROWS + PICTURE_ROWS;

/// Columns that the viewports need beside it, at least.
const BESIDE_WIDTH_MIN: u16 = 40;

/// Columns of a viewport beside it where it stands unasked: those of the words around a picture.
const BY_ITSELF_WIDTH_MIN: u16 = 70;

/// Whether it stands, and which image stands for each series.
#[derive(Default)]
pub struct Strip {
    /// As the person wants it, if she said so.
    wanted: Option<bool>,
    chosen: HashMap<Arc<str>, PictureKey>,
    /// How many frames of a series are key images.
    key_images: HashMap<Arc<str>, usize>,
}

impl Strip {
    /// The frame that stands for a series: the middle one, or the one here that is nearest to it and was first.
    fn choose(&mut self, stack: &Stack) -> Option<PictureKey> {
        let middle = stack.slots.len() / 2;
        let is_here = |key: &PictureKey| stack.slots.iter().any(|slot| slot.here && slot.key == *key);
        let middle_here = stack.slots.get(middle).filter(|slot| slot.here).map(|slot| slot.key.clone());
        let kept = || self.chosen.get(&stack.id).filter(|key| is_here(key)).cloned();
        let nearest = || {
            let here = stack.slots.iter().enumerate().filter(|(_, slot)| slot.here);
            here.min_by_key(|(at, _)| at.abs_diff(middle)).map(|(_, slot)| slot.key.clone())
        };
        let key = middle_here.or_else(kept).or_else(nearest)?;
        self.chosen.insert(Arc::clone(&stack.id), key.clone());
        Some(key)
    }
}

impl Viewer {
    /// Counts the key images of each series, each once whoever called it one. Called when marks or series change, as both
    /// may be many.
    pub(super) fn count_key_images(&mut self) {
        let marks = self.marks.iter().filter(|mark| mark.is_key_image());
        let frames: HashSet<(&str, u32)> = marks.map(|mark| (mark.sop_instance_uid.as_str(), mark.frame)).collect();
        let is_key = |slot: &&Slot| frames.contains(&(&*slot.key.sop_instance_uid, slot.key.frame));
        let count = |stack: &Stack| (Arc::clone(&stack.id), stack.slots.iter().filter(is_key).count());
        self.strip.key_images = self.stacks.iter().map(count).collect();
    }

    /// The strip, if it stands, and what is left for the viewports.
    pub(super) fn beside_strip(&self, area: Rect) -> (Option<Rect>, Rect) {
        let is_possible = area.width >= WIDTH + BESIDE_WIDTH_MIN && area.height >= ENTRY_ROWS;
        // A cell is twice as high as wide, and most images are about square.
        let width = area.width.saturating_sub(WIDTH) / self.layout.columns();
        let is_free = width >= BY_ITSELF_WIDTH_MIN && width >= area.height / self.layout.rows() * 2;
        if !is_possible || !self.strip.wanted.unwrap_or(is_free && self.stacks.len() > 1) {
            return (None, area);
        }
        let strip = Rect { width: WIDTH - 1, ..area };
        (Some(strip), Rect { x: area.x + WIDTH, width: area.width - WIDTH, ..area })
    }

    pub(super) fn turn_strip(&mut self, context: &mut Context<'_>) {
        let stands = self.beside_strip(self.area).0.is_some();
        self.strip.wanted = Some(!stands);
        if !stands && self.beside_strip(self.area).0.is_none() {
            self.strip.wanted = None;
            context.say("There is no room for small pictures beside the images.");
        }
    }

    /// The series on the page that is seen, each with its place.
    fn entries(&self, strip: Rect) -> impl Iterator<Item = (usize, Rect)> {
        let room = usize::from(strip.height / ENTRY_ROWS).max(1);
        let active = self.ports.get(self.active).and_then(|port| port.stack).unwrap_or_default();
        let first = active / room * room;
        let places = (0u16..).map(move |number| Rect { y: strip.y + number * ENTRY_ROWS, height: ENTRY_ROWS, ..strip });
        (first..self.stacks.len().min(first + room)).zip(places)
    }

    /// Wishes for the small pictures that are seen.
    pub(super) fn want_thumbnails(&mut self, context: &mut Context<'_>) {
        let Some(strip) = self.beside_strip(self.area).0 else { return };
        let seen: Vec<usize> = self.entries(strip).map(|(at, _)| at).collect();
        let stacks = seen.iter().filter_map(|at| self.stacks.get(*at));
        let keys: Vec<PictureKey> = stacks.filter_map(|stack| self.strip.choose(stack)).collect();
        self.thumbnails.keep(&keys, context);
    }

    pub(super) fn strip_scenes(&self, area: Rect, dots: Dots) -> Vec<(Rect, Scene)> {
        let Some(strip) = self.beside_strip(area).0 else { return Vec::new() };
        let scenes = self.entries(strip).filter_map(|(at, place)| {
            let key = self.strip.chosen.get(&self.stacks.get(at)?.id)?;
            let place = picture_place(place);
            Some((place, self.thumbnails.scene(key, dots.size(place))?))
        });
        scenes.collect()
    }

    /// Shows the series under a click, and goes from one to the next with the wheel; `false` if it is elsewhere.
    pub(super) fn strip_pointer(&mut self, pointer: MouseEvent, area: Rect, context: &mut Context<'_>) -> bool {
        let at = Position::new(pointer.column, pointer.row);
        let Some(strip) = self.beside_strip(area).0.filter(|strip| strip.contains(at)) else { return false };
        match pointer.kind {
            MouseEventKind::Down(MouseButton::Left) => {
                let under = self.entries(strip).find(|(_, place)| place.contains(at));
                if let (Some((stack, _)), Some(port)) = (under, self.ports.get_mut(self.active)) {
                    port.show(Some(stack));
                    self.want(context);
                }
            }
            MouseEventKind::ScrollDown => drop(self.act(Action::SeriesNext, context)),
            MouseEventKind::ScrollUp => drop(self.act(Action::SeriesPrevious, context)),
            // What began in a viewport ends where it may.
            MouseEventKind::Up(_) | MouseEventKind::Drag(_) => return false,
            _ => {}
        }
        true
    }

    pub(super) fn draw_strip(&self, frame: &mut Frame<'_>, area: Rect, look: Look) {
        let Some(strip) = self.beside_strip(area).0 else { return };
        let mut last = None;
        for (at, place) in self.entries(strip) {
            let Some(stack) = self.stacks.get(at) else { continue };
            last = Some((at, place.bottom()));
            let shown_in = |number: usize| self.ports.get(number).is_some_and(|port| port.stack == Some(at));
            let style = match () {
                () if shown_in(self.active) => look.chosen(),
                () if (0..self.ports.len()).any(shown_in) => look.heading(),
                () => look.plain(),
            };
            let words = Rect { height: WORDS_ROWS, ..place };
            let title = shortened(&shown(&stack.title()), usize::from(place.width));
            let lines = vec![Line::styled(title, style), self.about(stack, look)];
            frame.render_widget(Paragraph::new(lines), words);
            let instead = match self.strip.chosen.get(&stack.id) {
                Some(key) if self.thumbnails.refused(key).is_some() => "cannot be shown",
                Some(_) => "",
                None => "not here yet",
            };
            let middle = Rect { y: place.y + WORDS_ROWS + PICTURE_ROWS / 2, height: 1, ..place };
            frame.render_widget(Paragraph::new(Span::styled(instead, look.dim())).centered(), middle);
        }
        if let Some((at, bottom)) = last.filter(|(at, bottom)| at + 1 < self.stacks.len() && *bottom < strip.bottom()) {
            let more = format!("{} more: ]", self.stacks.len() - at - 1);
            let line = Rect { y: bottom, height: 1, ..strip };
            frame.render_widget(Paragraph::new(Span::styled(more, look.dim())), line);
        }
    }

    /// Which examination it is of, how much of it is here, and how many of its images are key images.
    fn about(&self, stack: &Stack, look: Look) -> Line<'static> {
        let (all, missing) = (stack.slots.len(), stack.missing());
        let counted = if missing == 0 { format!("{all}") } else { format!("{}/{all}", all - missing) };
        let style = if missing == 0 { look.dim() } else { look.warn() };
        let counted = if stack.is_index() { format!("{counted} images") } else { stack.counted(&counted) };
        let mut spans = vec![Span::styled(counted, style)];
        let key_images = self.strip.key_images.get(&stack.id).copied().unwrap_or_default();
        if key_images > 0 {
            spans.push(Span::styled(format!("  {key_images} key"), look.good()));
        }
        Line::from(spans)
    }
}

fn picture_place(entry: Rect) -> Rect {
    Rect { y: entry.y + WORDS_ROWS, height: PICTURE_ROWS, ..entry }
}
