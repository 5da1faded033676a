//! One viewport: which slice, which window, how it lies; and the words around it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::Stack;
use super::marks::{Drawn, Pencil};
use crate::encoding::text::shown;
use crate::study::geometry::Letters;
use crate::study::pixels::Window;
use crate::ui::graphics::{Protocol, limits};
use crate::ui::look::Look;
use crate::ui::picture::{Picture, PictureKey};
use crate::view::ink::Canvas;
use crate::view::mapping::{ImagePlane, Size};
use crate::view::pose::{Orientation, Pose};
use crate::view::raster::{Overlay, Scene};
use crate::view::scene::{Asked, Pictures as Rasters};

/// Narrowest and widest window that can be made by hand, in modality values.
const WIDTH_MIN: f64 = 1.0;
const WIDTH_MAX: f64 = 1e6;

/// Farthest level, in modality values.
const LEVEL_MAX: f64 = 1e6;

/// Most frames that cine skips at once after a pause.
const CINE_SKIP_MAX: f64 = 8.0;

/// What a raster depends on besides how it lies.
pub type RasterKey = (PictureKey, Window);

/// What a viewport has to show.
pub enum State<'a> {
    Shown(&'a Picture),
    Opening,
    Arriving,
    Empty,
    Failed(&'a str),
}

/// One viewport.
#[derive(Debug, Clone)]
pub struct Port {
    /// Which stack of the viewer.
    pub stack: Option<usize>,
    /// Which frame of it, from 0.
    pub at: usize,
    /// Whether the last scroll went towards the end.
    pub forward: bool,
    pub window: Window,
    pub pose: Pose,
    pub cine: bool,
    /// Part of a frame that cine has waited already.
    waited: f64,
}

impl Default for Port {
    fn default() -> Self {
        Self {
            stack: None,
            at: 0,
            forward: true,
            window: Window::Default,
            pose: Pose::default(),
            cine: false,
            waited: 0.0,
        }
    }
}

impl Port {
    /// Shows another stack, from its beginning and as its file wants it.
    pub fn show(&mut self, stack: Option<usize>) {
        *self = Self { stack, ..Self::default() };
    }

    /// Goes back to how the file wants it shown; the slice stays.
    pub fn reset(&mut self) {
        self.window = Window::Default;
        self.pose = Pose::default();
    }

    pub fn scroll(&mut self, by: i64, length: usize) {
        let last = i64::try_from(length.saturating_sub(1)).unwrap_or(i64::MAX);
        let at = i64::try_from(self.at).unwrap_or(i64::MAX).saturating_add(by).clamp(0, last);
        self.at = usize::try_from(at).unwrap_or_default();
        self.forward = by > 0;
    }

    /// Lets cine go on by the time that passed; from the end it begins again.
    pub fn play(&mut self, passed_ms: u64, rate: f64, length: usize) {
        if length < 2 || !rate.is_finite() || rate <= 0.0 {
            return;
        }
        // Milliseconds since the last tick, at most a few thousand.
        self.waited += (passed_ms.min(10_000) as f64 / 1000.0 * rate).min(CINE_SKIP_MAX);
        while self.waited >= 1.0 {
            self.waited -= 1.0;
            self.at = (self.at + 1) % length;
        }
        self.forward = true;
    }

    /// The next of the file's own windows, then the whole range, then the first again.
    pub fn next_window(&mut self, choices: usize) {
        let choices = u32::try_from(choices).unwrap_or(u32::MAX);
        self.window = match self.window {
            Window::File(number) if number < choices => Window::File(number + 1),
            Window::Default if choices > 1 => Window::File(2),
            Window::Auto if choices > 0 => Window::File(1),
            _ => Window::Auto,
        };
    }

    /// Widens the window by a factor and moves its level by a share of its width.
    pub fn change_window(&mut self, picture: Option<&Picture>, wider: f64, shift: f64) {
        // Colour and tables have no width.
        let Some(Ok(Some((width, level)))) = picture.map(|picture| picture.frame.width_level(self.window)) else {
            return;
        };
        let new_width = (width * wider).clamp(WIDTH_MIN, WIDTH_MAX);
        let new_level = (level + width * shift).clamp(-LEVEL_MAX, LEVEL_MAX);
        if new_width.is_finite() && new_level.is_finite() {
            self.window = Window::Values { width: new_width, level: new_level };
        }
    }

    pub fn zoom(&mut self, picture: Option<&Picture>, size: Size, factor: f64) {
        let middle = middle(size);
        if let Some(picture) = picture {
            self.pose.zoom_by(factor, middle, &plane(picture), size);
        }
    }

    /// One image pixel on one screen pixel.
    pub fn zoom_one(&mut self, picture: Option<&Picture>, size: Size) {
        if let Some(picture) = picture {
            self.pose.zoom_to(1.0, middle(size), &plane(picture), size);
        }
    }

    /// Moves the image by shares of the viewport.
    pub fn pan(&mut self, picture: Option<&Picture>, size: Size, right: f64, down: f64) {
        self.pan_px(picture, size, right * f64::from(size.width), down * f64::from(size.height));
    }

    pub fn pan_px(&mut self, picture: Option<&Picture>, size: Size, right: f64, down: f64) {
        if let Some(picture) = picture {
            self.pose.pan(right, down, &plane(picture), size);
        }
    }

    /// The scene, without ink. A window that this image cannot have gives way to the file's own.
    pub fn scene(&mut self, rasters: &mut Rasters<RasterKey>, picture: &Picture, viewport: Size) -> Option<Scene> {
        if picture.frame.width_level(self.window).is_err() {
            self.window = Window::Default;
        }
        let plane = plane(picture);
        let key = (picture.key.clone(), self.window);
        let asked = Asked { key, plane: &plane, pose: &self.pose, viewport, draft: false };
        rasters.scene(asked, || picture.frame.display(self.window)).ok()
    }

    /// Marks, and the pencil if it is drawn here.
    pub fn ink(
        &self,
        picture: &Picture,
        viewport: Size,
        marks: &[Drawn],
        chosen: Option<&str>,
        pencil: Option<&Pencil>,
    ) -> Option<Overlay> {
        let here =
            |mark: &&Drawn| *mark.sop_instance_uid == *picture.key.sop_instance_uid && mark.frame == picture.key.frame;
        let mut here = marks.iter().filter(here).peekable();
        if here.peek().is_none() && pencil.is_none() {
            return None;
        }
        let mapping = self.pose.mapping(&plane(picture), viewport)?;
        let mut canvas = Canvas::new(viewport.width, viewport.height);
        for mark in here {
            mark.draw(&mut canvas, &mapping, chosen == Some(mark.id.as_str()));
        }
        if let Some(pencil) = pencil {
            pencil.draw(&mut canvas, &mapping);
        }
        canvas.finish()
    }

    /// Draws the words on and around the picture.
    pub fn draw(
        &self,
        frame: &mut Frame<'_>,
        area: Rect,
        (stack, state): (Option<&Stack>, &State<'_>),
        shown_as: (Size, Protocol),
        style: Style,
        look: Look,
    ) {
        let [head, inside, foot] = parts(area);
        let Some(stack) = stack else {
            frame.render_widget(Paragraph::new(Line::styled("no series", look.dim())).centered(), inside);
            return;
        };
        let place = format!("{}/{}", self.at + 1, stack.slots.len());
        let when =
            if stack.role == "index" { String::new() } else { format!("{} {}  ", stack.role, stack.relative_date) };
        let mut title = vec![Span::styled(format!("{when}{}  ", stack.title()), style), Span::raw(place)];
        for gap in &stack.gaps {
            title.push(Span::styled(format!("  {}", shown(gap)), look.warn()));
        }
        if stack.left_out > 0 {
            title.push(Span::styled(format!("  {} left out for burned-in text", stack.left_out), look.warn()));
        }
        if stack.unknown > 0 {
            title.push(Span::styled(format!("  {} not announced yet", stack.unknown), look.warn()));
        }
        frame.render_widget(Paragraph::new(Line::from(title)), head);
        let word = match state {
            State::Shown(picture) => {
                self.draw_around(frame, [inside, foot], picture, shown_as, look);
                return;
            }
            State::Opening => Line::styled("opening …", look.dim()),
            State::Arriving => Line::styled("this image has not arrived yet", look.warn()),
            State::Empty => Line::styled("no image here", look.dim()),
            State::Failed(why) => Line::styled(shown(why).into_owned(), look.bad()),
        };
        let middle = Rect { y: inside.y + inside.height / 2, height: inside.height - inside.height / 2, ..inside };
        frame.render_widget(Paragraph::new(word).centered().wrap(Wrap { trim: true }), middle);
    }

    fn draw_around(
        &self,
        frame: &mut Frame<'_>,
        [inside, foot]: [Rect; 2],
        picture: &Picture,
        (viewport, protocol): (Size, Protocol),
        look: Look,
    ) {
        let mut spans = vec![Span::raw(self.window_words(picture))];
        let plane = plane(picture);
        if let Some(mapping) = self.pose.mapping(&plane, viewport) {
            let ratio = mapping.dots_per_pixel(viewport);
            spans.push(Span::raw(format!("  {:.0}%", self.pose.zoom_in(&plane, viewport) * 100.0)));
            for limit in limits(protocol, ratio, &picture.modality) {
                spans.push(Span::styled(format!("  {limit}"), look.warn()));
            }
        }
        if self.pose.inverted {
            spans.push(Span::styled("  inverted", look.warn()));
        }
        if self.pose.orientation != Orientation::default() {
            spans.push(Span::styled("  turned", look.warn()));
        }
        if picture.lossy {
            spans.push(Span::styled("  lossy", look.warn()));
        }
        if self.cine {
            spans.push(Span::styled("  cine", look.key()));
        }
        frame.render_widget(Paragraph::new(Line::from(spans)), foot);
        for (area, letters) in self.letters(picture, inside) {
            frame.render_widget(Paragraph::new(Span::styled(letters, look.on_picture(look.heading()))), area);
        }
    }

    /// The orientation letters at the edges of the picture, each in its cells; none rather than guessed ones.
    pub fn letters(&self, picture: &Picture, inside: Rect) -> Vec<(Rect, String)> {
        let Some(letters) = &picture.letters else { return Vec::new() };
        let Letters { left, right, top, bottom } = seen(letters, self.pose.orientation);
        let wide = |text: &str| u16::try_from(text.len()).unwrap_or(u16::MAX);
        let (middle_x, middle_y) = (inside.x + inside.width / 2, inside.y + inside.height / 2);
        let (last_x, last_y) = (inside.right().saturating_sub(wide(&right)), inside.bottom().saturating_sub(1));
        [(inside.x, middle_y, left), (last_x, middle_y, right), (middle_x, inside.y, top), (middle_x, last_y, bottom)]
            .into_iter()
            .map(|(x, y, text)| (Rect { x, y, width: wide(&text), height: 1 }.intersection(inside), text))
            .filter(|(area, _)| !area.is_empty())
            .collect()
    }

    fn window_words(&self, picture: &Picture) -> String {
        let name = match self.window {
            Window::Preset(preset) => format!("{} ", preset.name()),
            Window::File(number) => {
                let choice = picture.frame.choices().into_iter().find(|choice| choice.number == number);
                match choice.and_then(|choice| choice.name) {
                    Some(name) => format!("{number} {} ", shown(&name)),
                    None => format!("file {number} "),
                }
            }
            Window::Auto => "whole range ".into(),
            Window::Default | Window::Values { .. } => String::new(),
        };
        match picture.frame.width_level(self.window) {
            Ok(Some((width, level))) => {
                format!("{name}W {width:.0} L {level:.0} {}", picture.frame.unit().shown())
            }
            _ => name,
        }
    }
}

/// The letters at the edges of what is seen.
fn seen(letters: &Letters, orientation: Orientation) -> Letters {
    // The pose turns first and mirrors then.
    letters.turned(false, orientation.quarter_turns().into()).turned(orientation.is_mirrored(), 0)
}

fn middle(size: Size) -> (f64, f64) {
    (f64::from(size.width) / 2.0, f64::from(size.height) / 2.0)
}

pub fn plane(picture: &Picture) -> ImagePlane {
    ImagePlane::new(picture.frame.columns(), picture.frame.rows(), &picture.scale)
}

/// Title, picture and facts of a viewport.
fn parts(area: Rect) -> [Rect; 3] {
    let head = Rect { height: 1.min(area.height), ..area };
    let foot_height = u16::from(area.height > 1);
    let foot = Rect { y: area.bottom() - foot_height, height: foot_height, ..area };
    let inside = Rect { y: head.bottom(), height: area.height - head.height - foot.height, ..area };
    [head, inside, foot]
}

/// Where the picture itself stands.
pub fn picture_area(area: Rect) -> Rect {
    parts(area)[1]
}
