//! The mark that is being drawn.
//!
//! A mark is *pencil* until it is inked: it stands here alone, its points can be taken back and moved, and nothing of
//! it was said to anybody but those who look on. Inking asks the node, which measures again over the same pixels.
//!
//! First it is *open*: points are dropped where the cursor is. Once it has them all it is closed, and its handles, or
//! all of it, can be moved. It belongs to the image on which it was begun, whatever is scrolled to meanwhile.

use super::super::keys::Tool;
use super::super::picture::PictureKey;
use super::super::widget::field::Field;
use crate::case::content::{MARK_POINTS_MAX, Point, Shape};
use crate::encoding::text::shown;
use crate::node::api::PencilDraft;
use crate::study::measure::{Extra, Measurement, Statistics, points_needed, shown_unit};
use crate::view::ink::{Canvas, Place, Stroke};
use crate::view::mapping::{ImagePlane, Mapping};
use crate::view::marks::{Drawn, Label, NotDrawn, Part, draw, ellipse_in, handles, hit, moved, settled, value_text};

/// Ink of a pencil mark, of the cursor.
const PENCIL: u8 = 2;
pub const CURSOR: u8 = 3;

/// Steps that can be taken back.
const STEPS_MAX: usize = 256;

/// A mark as it becomes ink: image, kind, points.
pub type Draft = (PictureKey, Tool, Vec<Point>);

/// The mark that is being drawn.
#[derive(Debug)]
pub struct Pencil {
    pub tool: Tool,
    pub key: PictureKey,
    /// The image's pixels.
    plane: ImagePlane,
    /// Where the next point goes.
    cursor: Point,
    points: Vec<Point>,
    /// An outline to which no more points are added.
    is_finished: bool,
    /// What it was before each step.
    before: Vec<(Vec<Point>, bool)>,
    /// What the keys move.
    part: Part,
    /// What the pointer holds, and where it was last.
    held: Option<(Part, Point)>,
    label: Field,
    is_labelled_now: bool,
    /// What it measures, once it was computed.
    pub measurement: Option<Result<Measurement, String>>,
}

impl Pencil {
    pub fn new(tool: Tool, key: PictureKey, plane: ImagePlane) -> Self {
        let middle = |length: u32| (f64::from(length) / 2.0).floor();
        Self {
            tool,
            key,
            plane,
            cursor: Point { column: middle(plane.columns), row: middle(plane.rows) },
            points: Vec::new(),
            is_finished: false,
            before: Vec::new(),
            part: Part::Whole,
            held: None,
            label: Field::new("label", "a few words"),
            is_labelled_now: false,
            measurement: None,
        }
    }

    fn shape(&self) -> Shape {
        self.tool.shape()
    }

    /// Whether it has all its points.
    pub fn is_complete(&self) -> bool {
        let (least, _) = points_needed(self.shape());
        self.points.len() >= least && !(self.tool == Tool::Text && self.label.text().trim().is_empty())
    }

    /// Whether more points can be dropped.
    pub fn is_open(&self) -> bool {
        let (least, most) = points_needed(self.shape());
        match self.shape() {
            Shape::Freehand => !self.is_finished && self.points.len() < most.min(MARK_POINTS_MAX),
            _ => self.points.len() < least,
        }
    }

    /// The points as they are written down.
    pub fn settled(&self) -> Vec<Point> {
        settled(self.shape(), &self.points)
    }

    /// What becomes ink.
    pub fn as_ink(&self) -> Draft {
        (self.key.clone(), self.tool, self.settled())
    }

    /// Its label, if it has one.
    pub fn label(&self) -> Option<String> {
        Some(self.label.text().trim().to_owned()).filter(|label| !label.is_empty())
    }

    pub fn cursor(&self) -> Point {
        self.cursor
    }

    pub fn point_at(&mut self, at: Point) {
        self.cursor = self.plane.nearest(at);
    }

    fn change(&mut self, points: Vec<Point>) {
        if points == self.points {
            return;
        }
        if self.before.len() == STEPS_MAX {
            self.before.remove(0);
        }
        self.before.push((std::mem::replace(&mut self.points, points), self.is_finished));
        self.measurement = None;
    }

    /// Drops a point where the cursor is; `false` if it has all it can have.
    pub fn drop_point(&mut self) -> bool {
        if !self.is_open() {
            return false;
        }
        let mut points = self.points.clone();
        points.push(self.cursor);
        if let (Shape::Ellipse, &[corner, opposite]) = (self.shape(), points.as_slice()) {
            // Without width or height it would be a line.
            if corner.column == opposite.column || corner.row == opposite.row {
                return false;
            }
            points = ellipse_in(corner, opposite).into();
        }
        self.change(points);
        self.is_labelled_now |= self.tool == Tool::Text;
        true
    }

    /// Adds no more points to an outline that has enough of them.
    pub fn finish(&mut self) {
        let (least, _) = points_needed(self.shape());
        self.is_finished |= self.points.len() >= least;
    }

    /// Takes the last step back; `false` if there is none.
    pub fn undo(&mut self) -> bool {
        self.measurement = None;
        self.held = None;
        let Some((points, is_finished)) = self.before.pop() else { return false };
        if self.points.len() > points.len()
            && let Some(point) = self.points.last()
        {
            self.cursor = *point;
        }
        (self.points, self.is_finished) = (points, is_finished);
        self.part = Part::Whole;
        true
    }

    /// Moves by so many pixels: the cursor, or once it is closed what was chosen. Whether its points changed.
    pub fn nudge(&mut self, columns: f64, rows: f64) -> bool {
        let by = |from: Point| Point { column: from.column + columns, row: from.row + rows };
        if self.is_open() {
            let last = |length: u32| f64::from(length.saturating_sub(1));
            let to = by(self.cursor);
            self.cursor = Point {
                column: to.column.clamp(0.0, last(self.plane.columns)),
                row: to.row.clamp(0.0, last(self.plane.rows)),
            };
            return false;
        }
        let Some(from) = self.chosen_place() else { return false };
        self.move_part(self.part, from, by(from))
    }

    fn chosen_place(&self) -> Option<Point> {
        match self.part {
            Part::Handle(number) => handles(self.shape(), &self.points).get(number).copied(),
            Part::Whole => self.points.first().copied(),
        }
    }

    fn move_part(&mut self, part: Part, from: Point, to: Point) -> bool {
        let points = moved(self.shape(), &self.points, part, from, to, &self.plane);
        let changes = points != self.points;
        self.change(points);
        changes
    }

    /// Chooses what the keys move: all of it, then one handle after the other.
    pub fn next_part(&mut self) {
        self.finish();
        let count = handles(self.shape(), &self.points).len();
        self.part = match self.part {
            Part::Whole if count > 1 && !self.is_open() => Part::Handle(0),
            Part::Handle(number) if number + 1 < count => Part::Handle(number + 1),
            _ => Part::Whole,
        };
    }

    /// Takes hold of what lies at a place of the screen; `false` if nothing of it does.
    pub fn take_hold(&mut self, mapping: &Mapping, at: Place, tolerance_px: f64) -> bool {
        let found = hit([(self.shape(), self.points.as_slice())], mapping, at, tolerance_px);
        self.held = found.map(|(_, part)| (part, mapping.to_image(at.0, at.1)));
        if let Some((part, _)) = self.held {
            self.part = part;
        }
        self.held.is_some()
    }

    /// Moves what is held to a point; `false` if nothing is held.
    pub fn drag_to(&mut self, to: Point) -> bool {
        let Some((part, from)) = self.held else { return false };
        self.move_part(part, from, to);
        // A whole mark that the edge held back comes along again once the pointer does.
        self.held = Some((part, to));
        true
    }

    pub fn let_go(&mut self) {
        self.held = None;
    }

    pub fn is_typing(&self) -> bool {
        self.is_labelled_now
    }

    pub fn type_label(&mut self, begin: bool) {
        self.is_labelled_now = begin;
    }

    pub fn field(&mut self) -> &mut Field {
        &mut self.label
    }

    pub fn shown_label(&self) -> &Field {
        &self.label
    }

    /// The points so far, and the cursor where the next one goes.
    fn so_far(&self) -> Vec<Point> {
        let mut points = self.points.clone();
        if self.is_open() {
            points.push(self.cursor);
            if let (Shape::Ellipse, &[corner, opposite]) = (self.shape(), points.as_slice()) {
                points = ellipse_in(corner, opposite).into();
            }
        }
        points
    }

    /// What it draws, for colleagues to see; nothing before its first point.
    pub fn draft(&self) -> Option<PencilDraft> {
        (!self.points.is_empty()).then(|| PencilDraft {
            study: self.key.study.to_string(),
            sop_instance_uid: self.key.sop_instance_uid.to_string(),
            frame: self.key.frame,
            kind: self.tool.word().into(),
            points: self.so_far().iter().map(|point| (point.column, point.row)).collect(),
        })
    }

    pub fn draw(&self, canvas: &mut Canvas, mapping: &Mapping) {
        draw_draft(canvas, mapping, (self.shape(), &self.so_far()), PENCIL, "");
        for point in &self.points {
            canvas.handle(mapping.to_screen(*point), PENCIL);
        }
        if self.is_open() {
            canvas.crosshair(mapping.to_screen(self.cursor), 6.0, Stroke::solid(CURSOR));
        } else {
            for handle in handles(self.shape(), &self.points) {
                canvas.handle(mapping.to_screen(handle), PENCIL);
            }
            if let (Part::Handle(_), Some(place)) = (self.part, self.chosen_place()) {
                canvas.handle(mapping.to_screen(place), CURSOR);
            }
        }
    }

    /// What it measures, or what to do next.
    pub fn words(&self) -> String {
        let name = self.tool.word();
        let (least, _) = points_needed(self.shape());
        let needed = if self.tool == Tool::Ellipse { 2 } else { least };
        let label = self.label().map(|label| format!("  “{}”", shown(&label))).unwrap_or_default();
        match &self.measurement {
            _ if self.is_open() && self.points.len() < least => {
                format!("{name}: point {} of {needed}, Space drops it", self.points.len() + 1)
            }
            _ if self.tool == Tool::Text && self.label().is_none() => "text: l types it".into(),
            None => format!("{name} …{label}"),
            Some(Err(why)) => format!("{name}: {}", shown(why)),
            Some(Ok(measurement)) => format!("{name} {}{label}  Enter inks it", measured_words(measurement)),
        }
    }
}

/// Draws a mark that is no entry yet; of one that is not complete the lines it has.
pub fn draw_draft(
    canvas: &mut Canvas,
    mapping: &Mapping,
    (shape, points): (Shape, &[Point]),
    ink: u8,
    text: &str,
) -> Option<Label> {
    let mark = Drawn { shape, points, ink, is_draft: true, is_active: false, width_px: 1, text };
    match draw(canvas, mapping, &mark) {
        Ok(label) => label,
        Err(NotDrawn::Points { .. }) if points.iter().all(|point| mapping.plane().holds(*point)) => {
            let places: Vec<Place> = points.iter().map(|point| mapping.to_screen(*point)).collect();
            let lines = if matches!(shape, Shape::Cobb | Shape::Bidirectional) { 2 } else { places.len().max(1) };
            for line in places.chunks(lines) {
                canvas.polyline(line.iter().copied(), false, Stroke::dashed(ink));
            }
            None
        }
        Err(_) => None,
    }
}

/// A value of pixels: whole numbers as they are, others as finely as the mean.
fn number_text(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { value_text(value, "") }
}

/// All that a mark measures, with what it rests on.
fn measured_words(measurement: &Measurement) -> String {
    let Measurement { measured, extra } = measurement;
    let mut parts = Vec::new();
    if let Some(measured) = measured {
        parts.push(format!("{} ({})", value_text(measured.value, &measured.unit), shown(&measured.basis)));
    }
    let Extra { short_axis, statistics, area, perimeter, suv } = extra;
    if let Some(short) = short_axis {
        parts.push(format!("short axis {}", value_text(short.value, &short.unit)));
    }
    if let Some(Statistics { count, left_out, standard_deviation, minimum, maximum, .. }) = statistics {
        let [deviation, from, to] = [standard_deviation, minimum, maximum].map(|value| number_text(*value));
        parts.push(format!("SD {deviation}, {from} to {to}, {count} pixels"));
        parts.extend((*left_out > 0).then(|| format!("{left_out} left out")));
    }
    for (name, value) in [("area", area), ("perimeter", perimeter)] {
        parts.extend(value.as_ref().map(|value| format!("{name} {}", value_text(value.value, &value.unit))));
    }
    match (suv, measured, statistics) {
        (Some(Ok(suv)), Some(measured), statistics) => {
            let unit = shown_unit(suv.unit);
            let most = statistics.map(|numbers| format!(", max {:.2}", suv.of(numbers.maximum))).unwrap_or_default();
            parts.push(format!("{unit} {:.2}{most} ({})", suv.of(measured.value), shown(&suv.basis)));
        }
        (Some(Err(why)), ..) => parts.push(why.to_string()),
        _ => {}
    }
    parts.join(", ")
}
