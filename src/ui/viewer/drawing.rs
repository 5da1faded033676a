//! How the viewer is drawn: scenes for the pictures, ink above them, and the words around them.

use std::sync::Arc;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::symbols::merge::MergeStrategy;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

use super::super::graphics::Protocol;
use super::super::look::Look;
use super::super::picture::{NotShown, PictureKey};
use super::super::screen::{Context, Dots};
use super::displayed::OnScreen;
use super::pencil::draw_draft;
use super::port::{Port, Subject};
use super::words::{Around, OnPicture, draw_instead, parts};
use super::{DrawnPort, Viewer};
use crate::encoding::text::shown;
use crate::view::corner::scale_bar;
use crate::view::ink::Canvas;
use crate::view::layout::CellArea;
use crate::view::mapping::{Mapping, Size};
use crate::view::marks::{Drawn, Label, draw as draw_mark};
use crate::view::raster::{Overlay, Scene};
use crate::view::scene::Asked;

/// Larger images are reduced by leaving out pixels while they move.
const DRAFT_PX_MIN: u64 = 2 * 1024 * 1024;

/// Inks of what overlay planes and scale bars are drawn with.
const OVERLAY_INK: u8 = 1;
const SCALE_BAR_INK: u8 = 1;

/// From the lower edge of a picture to its scale bar, in pixels.
const SCALE_BAR_UP_PX: u32 = 12;

const NOT_ARRIVED: &str = "this image has not arrived yet";

impl Viewer {
    /// Where the viewports stand, without their borders.
    pub(super) fn areas(&self, area: Rect) -> Vec<Option<Rect>> {
        let Rect { x, y, width, height } = self.beside_strip(area).1;
        let areas = self.layout.areas(CellArea { x, y, width, height }, self.active);
        areas
            .into_iter()
            .map(|area| area.map(|CellArea { x, y, width, height }| Rect { x, y, width, height }))
            .collect()
    }

    /// The size of the active viewport's picture in screen pixels.
    pub(super) fn size_px(&self, context: &Context<'_>) -> Size {
        let area = self.areas(self.area).get(self.active).copied().flatten().map(|area| parts(area)[1]);
        context.dots.size(area.unwrap_or_default())
    }

    /// What the viewports show, each in its place in cells.
    pub fn scenes(&mut self, area: Rect, dots: Dots) -> Vec<(Rect, Scene)> {
        self.area = area;
        for port in &self.ports {
            if let Some(stack) = port.stack.and_then(|at| self.stacks.get(at)) {
                self.places.slices(stack);
            }
        }
        let (mut scenes, mut on_screen) = (Vec::new(), Vec::new());
        let areas = self.areas(area);
        self.drawn = vec![DrawnPort::default(); areas.len()];
        for (number, area) in areas.into_iter().enumerate() {
            let (Some(area), Some(port)) = (area, self.ports.get(number)) else { continue };
            let Some(subject) = self.subject(port) else { continue };
            // It is used: others are dropped first.
            self.pictures.get(&subject.picture().key);
            let inside = parts(area)[1];
            let viewport = dots.size(inside);
            let Some(mapping) = port.pose.mapping(&subject.image_plane(), viewport) else { continue };
            let window = port.window_of(subject.frame());
            let plane = subject.image_plane();
            let is_large = u64::from(plane.columns) * u64::from(plane.rows) >= DRAFT_PX_MIN;
            let asked = Asked {
                key: subject.raster_key(window),
                plane: &plane,
                pose: &port.pose,
                viewport,
                draft: self.is_moving && is_large,
            };
            let scene = self.rasters.scene(asked, |step| subject.windowed(window, step));
            let mut scene = match scene {
                Ok(scene) => scene,
                Err(why) => {
                    let not = NotShown::by_file(why.to_string());
                    self.failed.insert(subject.picture().key.clone(), (not, 0));
                    continue;
                }
            };
            let Some(stack) = self.stack_of(port) else { continue };
            let around = Around::of(stack, port, &subject, &mapping, self.protocol);
            let mut words = DrawnPort { around, ..DrawnPort::default() };
            scene.overlay = self.ink(number, &subject, &mapping, (inside, dots), &mut words);
            if self.protocol != Protocol::None
                && let (Some(_), Some(picture)) = (&scene.picture, subject.acquired())
            {
                on_screen.push(OnScreen {
                    key: picture.key.clone(),
                    series_instance_uid: Arc::clone(&stack.series_instance_uid),
                    frames: picture.opened.image.description().frames,
                    is_clip: port.cine && picture.opened.image.description().frames > 1,
                    scale: mapping.dots_per_pixel(viewport),
                });
            }
            if let Some(drawn) = self.drawn.get_mut(number) {
                *drawn = words;
            }
            scenes.push((inside, scene));
        }
        self.counted.drew(on_screen);
        scenes.extend(self.strip_scenes(area, dots));
        scenes
    }

    /// Everything that is drawn above a picture.
    fn ink(
        &self,
        number: usize,
        subject: &Subject,
        mapping: &Mapping,
        (inside, dots): (Rect, Dots),
        words: &mut DrawnPort,
    ) -> Option<Overlay> {
        let viewport = mapping.viewport();
        let mut canvas = Canvas::new(viewport.width, viewport.height);
        let mut labels = Vec::new();
        if let Some(picture) = subject.acquired() {
            if !self.hides_overlays {
                let pixels = picture.overlay.iter().map(|(column, row)| (i64::from(*column), i64::from(*row)));
                canvas.image_pixels(mapping, pixels, OVERLAY_INK);
            }
            let hides = self.hides_overlays && !picture.overlay.is_empty();
            words.around.beware.extend(hides.then(|| "overlays hidden".to_owned()));
            let of_it = self.marks.iter().filter(|mark| mark.is_key_image() && mark.is_on(&picture.key));
            let shown_ones = of_it.filter(|mark| !self.hidden.hides(mark));
            words.key_image_of.extend(shown_ones.map(|mark| mark.author.clone()));
            let mut not_drawn = Vec::new();
            self.draw_marks(&picture.key, mapping, &mut canvas, &mut labels, &mut not_drawn);
            // Graver than how the picture is turned.
            words.around.beware.splice(0..0, not_drawn);
        }
        self.draw_crossings(number, subject, mapping, &mut canvas, &mut words.around.beware);
        if let Some(bar) = scale_bar(mapping, &subject.scale())
            && viewport.height > 2 * SCALE_BAR_UP_PX
        {
            let (x, y) = (f64::from(viewport.width) * 0.02, f64::from(viewport.height - SCALE_BAR_UP_PX));
            canvas.scale_bar((x, y), bar.length_px, SCALE_BAR_INK);
            // Within the viewport, of which it takes a third at most.
            let at = ((x + bar.length_px + 6.0) as u32, viewport.height - SCALE_BAR_UP_PX);
            labels.push(Label { text: bar.text, at, ink: SCALE_BAR_INK });
        }
        words.around.beware.extend(self.hidden.words());
        words.on_picture = OnPicture::letters(subject.letters().as_ref(), mapping.orientation(), inside);
        words.on_picture.extend(words.around.more_warnings(inside));
        for label in labels {
            let free = OnPicture::label(label, inside, dots, &words.on_picture);
            words.on_picture.extend(free);
        }
        canvas.finish()
    }

    fn draw_marks(
        &self,
        key: &PictureKey,
        mapping: &Mapping,
        canvas: &mut Canvas,
        labels: &mut Vec<Label>,
        not_drawn: &mut Vec<String>,
    ) {
        for mark in self.marks.iter().filter(|mark| mark.is_on(key) && !self.hidden.hides(mark)) {
            let named = format!("{} {}", mark.words, mark.author);
            let drawn: Drawn<'_> = mark.drawn(self.chosen.as_deref() == Some(&mark.id), named.trim());
            match draw_mark(canvas, mapping, &drawn) {
                Ok(label) => labels.extend(label),
                Err(why) => not_drawn.push(shown(&format!("{}: {why}", mark.author)).into_owned()),
            }
        }
        for pencil in self.pencils.iter().filter(|pencil| pencil.is_on(key)) {
            let shape = (pencil.shape, pencil.points.as_slice());
            labels.extend(draw_draft(canvas, mapping, shape, pencil.ink, &pencil.words));
        }
        if let Some(pencil) = self.pencil.as_ref().filter(|pencil| pencil.key == *key) {
            pencil.draw(canvas, mapping);
        }
    }

    /// Cells of the pictures that have words.
    pub fn covered(&self) -> Vec<Rect> {
        self.drawn.iter().flat_map(|drawn| &drawn.on_picture).map(|words| words.area).collect()
    }

    /// Draws what stands around and on the pictures in characters, as [`Self::scenes`] found it.
    pub fn draw(&self, frame: &mut Frame<'_>, area: Rect, look: Look) {
        self.draw_strip(frame, area, look);
        let areas = self.areas(area);
        let is_alone = areas.iter().flatten().count() == 1;
        // The active one last, so that all of its border stands out.
        let mut areas: Vec<(usize, Option<Rect>)> = areas.into_iter().enumerate().collect();
        areas.sort_by_key(|(number, _)| *number == self.active);
        for (number, area) in areas {
            let (Some(area), Some(port)) = (area, self.ports.get(number)) else { continue };
            let is_active = number == self.active && !is_alone;
            if !is_alone {
                let outside = Rect { x: area.x - 1, y: area.y - 1, width: area.width + 2, height: area.height + 2 };
                let style = if is_active { look.key() } else { look.dim() };
                let block = Block::bordered().border_style(style).merge_borders(MergeStrategy::Exact);
                frame.render_widget(block, outside.intersection(frame.area()));
            }
            self.draw_port(frame, area, (number, port), is_active, look);
        }
    }

    fn draw_port(
        &self,
        frame: &mut Frame<'_>,
        area: Rect,
        (number, port): (usize, &Port),
        is_active: bool,
        look: Look,
    ) {
        let [head, inside, foot] = parts(area);
        let Some(stack) = self.stack_of(port) else {
            let instead = match port.awaits() {
                Some(_) => Line::styled(NOT_ARRIVED, look.warn()),
                None => Line::styled("no series", look.dim()),
            };
            draw_instead(frame, inside, instead);
            return;
        };
        let style = if is_active { look.key() } else { look.heading() };
        let drawn = self.drawn.get(number).filter(|drawn| !drawn.around.corners.top_left.is_empty());
        if let Some(drawn) = drawn {
            drawn.around.draw_head(frame, (head, inside), style, look);
            let mut more = Vec::new();
            more.extend(port.cine.then(|| Span::styled("cine", look.key())));
            more.extend(
                (!drawn.key_image_of.is_empty())
                    .then(|| Span::styled(format!("key image of {}", drawn.key_image_of.join(", ")), look.good())),
            );
            more.extend(self.value_words(number).map(Span::raw));
            drawn.around.draw_foot(frame, foot, &more, look);
            // Under the help, after a change of size, they stand where they stood.
            let here = drawn.on_picture.iter().filter(|words| inside.intersection(words.area) == words.area);
            here.for_each(|words| words.draw(frame, look));
            return;
        }
        let place = format!("{} {}/{}  ", stack.counted("image"), port.at + 1, stack.slots.len());
        let heading = Span::styled(shown(&stack.heading()).into_owned(), style);
        frame.render_widget(Paragraph::new(Line::from(vec![Span::raw(place), heading])), head);
        draw_instead(frame, inside, self.instead(port, look));
    }

    /// What stands where there is no picture.
    fn instead(&self, port: &Port, look: Look) -> Line<'static> {
        if let Some(cut) = &port.cut {
            return match cut.refused() {
                Some(why) => Line::styled(shown(why).into_owned(), look.bad()),
                None => Line::styled("cutting …", look.dim()),
            };
        }
        match self.key_of(port) {
            None => Line::styled(NOT_ARRIVED, look.warn()),
            Some(key) => match self.failed.get(&key) {
                Some((not, _)) => Line::styled(shown(&not.why).into_owned(), look.bad()),
                None => Line::styled("opening …", look.dim()),
            },
        }
    }
}
