//! Marks on the pictures: those of the case in their authors' colours, and the one that is being drawn.
//!
//! A mark is *pencil* until it is inked: it stands here alone, its points can be taken back, and nothing of it was
//! said to anybody. Inking asks the node, which measures again over the same pixels.

use crate::case::content::{Point, Shape};
use crate::encoding::text::shown;
use crate::node::api::{CaseView, MarkView};
use crate::study::measure::{Measurement, points_needed, shown_unit};
use crate::view::ink::{Canvas, Place, Stroke};
use crate::view::mapping::Mapping;
use crate::view::raster::INK_MEMBER_FIRST;

use super::super::keys::Tool;

/// Ink of a pencil mark, of the cursor.
const PENCIL: u8 = 2;
const CURSOR: u8 = 3;

/// Most points of a freehand outline drawn by hand.
const FREEHAND_POINTS_MAX: usize = 256;

/// A mark of the case, as it is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    pub id: String,
    pub author: String,
    /// Whether this person made it, and may delete it.
    pub mine: bool,
    pub sop_instance_uid: String,
    pub frame: u32,
    shape: Shape,
    points: Vec<Point>,
    pub words: String,
    pub ink: u8,
}

impl Drawn {
    /// The marks of a case; a kind that this program does not draw is listed in the panel only.
    pub fn of(case: &CaseView) -> Vec<Self> {
        let me = case.members.iter().find(|member| member.me).map(|member| member.name.as_str());
        case.marks.iter().filter_map(|mark| Self::one(case, mark, me)).collect()
    }

    fn one(case: &CaseView, mark: &MarkView, me: Option<&str>) -> Option<Self> {
        let tool = Tool::ALL.into_iter().find(|tool| tool.word() == mark.kind)?;
        let number = case.members.iter().position(|member| member.name == mark.author).unwrap_or_default();
        let value = mark.value.map(|value| value_words(value, mark.unit.as_deref().unwrap_or_default()));
        let label = mark.label.as_ref().map(|label| shown(label).into_owned());
        Some(Self {
            id: mark.id.clone(),
            author: shown(&mark.author).into_owned(),
            mine: me == Some(mark.author.as_str()),
            sop_instance_uid: mark.image.clone(),
            frame: mark.frame,
            shape: tool.shape(),
            points: mark.points.iter().map(|&(column, row)| Point { column, row }).collect(),
            words: [value, label].into_iter().flatten().collect::<Vec<_>>().join("  "),
            // One of eight.
            ink: INK_MEMBER_FIRST + u8::try_from(number % 8).unwrap_or_default(),
        })
    }

    pub fn draw(&self, canvas: &mut Canvas, mapping: &Mapping, chosen: bool) {
        let stroke = Stroke::solid(self.ink).width(if chosen { 3 } else { 1 });
        shape(canvas, mapping, self.shape, &self.points, stroke);
    }

    /// Where its words go: beside its first point.
    pub fn words_at(&self, mapping: &Mapping) -> Option<Place> {
        let point = self.points.last()?;
        mapping.plane().holds(*point).then(|| mapping.to_screen(*point))
    }
}

/// A value with its unit, as it stands on the screen.
pub fn value_words(value: f64, unit: &str) -> String {
    format!("{value:.1} {}", shown(shown_unit(unit)))
}

/// The mark that is being drawn.
#[derive(Debug, Clone)]
pub struct Pencil {
    pub tool: Tool,
    /// Where the next point goes.
    pub cursor: Point,
    pub points: Vec<Point>,
    /// What the points so far measure, once it was computed.
    pub measurement: Option<Result<Measurement, String>>,
}

impl Pencil {
    pub fn new(tool: Tool, cursor: Point) -> Self {
        Self { tool, cursor, points: Vec::new(), measurement: None }
    }

    /// Whether it has all its points.
    pub fn is_complete(&self) -> bool {
        let (least, _) = points_needed(self.tool.shape());
        self.points.len() >= least
    }

    /// Drops a point where the cursor is; `false` if it has all it can have.
    pub fn drop_point(&mut self) -> bool {
        let (_, most) = points_needed(self.tool.shape());
        if self.points.len() >= most.min(FREEHAND_POINTS_MAX) {
            return false;
        }
        self.points.push(self.cursor);
        self.measurement = None;
        true
    }

    /// Takes the last point back; `false` if there is none.
    pub fn undo(&mut self) -> bool {
        self.measurement = None;
        match self.points.pop() {
            Some(point) => {
                self.cursor = point;
                true
            }
            None => false,
        }
    }

    pub fn draw(&self, canvas: &mut Canvas, mapping: &Mapping) {
        let (_, most) = points_needed(self.tool.shape());
        let mut points = self.points.clone();
        if points.len() < most.min(FREEHAND_POINTS_MAX) && !points.is_empty() {
            points.push(self.cursor);
        }
        shape(canvas, mapping, self.tool.shape(), &points, Stroke::dashed(PENCIL));
        for point in &self.points {
            canvas.handle(mapping.to_screen(*point), PENCIL);
        }
        canvas.crosshair(mapping.to_screen(self.cursor), 6.0, Stroke::solid(CURSOR));
    }

    /// What it measures, or what to do next.
    pub fn words(&self) -> String {
        let name = self.tool.word();
        let (least, _) = points_needed(self.tool.shape());
        match &self.measurement {
            _ if self.points.len() < least => {
                format!("{name}: point {} of {least}, Space drops it", self.points.len() + 1)
            }
            None => format!("{name} …"),
            Some(Err(why)) => format!("{name}: {}", shown(why)),
            Some(Ok(measurement)) => {
                let mut words = format!("{name} ");
                if let Some(measured) = &measurement.measured {
                    words += &format!("{} ({})", value_words(measured.value, &measured.unit), shown(&measured.basis));
                }
                if let Some(short) = &measurement.extra.short_axis {
                    words += &format!(", short axis {}", value_words(short.value, &short.unit));
                }
                if let Some(numbers) = &measurement.extra.statistics {
                    words += &format!(
                        ", SD {:.1}, {:.0} to {:.0}, {} pixels",
                        numbers.standard_deviation, numbers.minimum, numbers.maximum, numbers.count
                    );
                }
                if let Some(area) = &measurement.extra.area {
                    words += &format!(", area {}", value_words(area.value, &area.unit));
                }
                words + "  Enter inks it"
            }
        }
    }
}

/// Draws a shape; of one that is not complete the lines it has.
fn shape(canvas: &mut Canvas, mapping: &Mapping, shape: Shape, points: &[Point], stroke: Stroke) {
    // Points of a colleague may be anything; the canvas cuts what is outside of it.
    let places: Vec<Place> = points.iter().map(|point| mapping.to_screen(*point)).collect();
    match (shape, places.as_slice()) {
        (_, []) => {}
        (Shape::Probe | Shape::Text, [at, ..]) => canvas.cross(*at, 5.0, stroke),
        // Turned by quarters, its sides still run along the screen.
        (Shape::Rectangle, &[corner, opposite]) => {
            canvas.polyline([corner, (opposite.0, corner.1), opposite, (corner.0, opposite.1)], true, stroke)
        }
        (Shape::Ellipse, &[a, b, c, d]) => canvas.ellipse([a, b, c, d], stroke),
        (Shape::Freehand, places) => canvas.polyline(places.iter().copied(), places.len() > 2, stroke),
        (Shape::Arrow, &[tail, tip]) => canvas.arrow(tail, tip, stroke),
        (Shape::Angle, places) => canvas.polyline(places.iter().copied(), false, stroke),
        // Pairs: a length, the two lines of a Cobb angle, two axes.
        (_, places) => {
            for pair in places.chunks(2) {
                match pair {
                    [from, to] => canvas.line(*from, *to, stroke),
                    [at, ..] => canvas.cross(*at, 3.0, stroke),
                    [] => {}
                }
            }
        }
    }
}
