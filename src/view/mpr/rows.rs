//! The loops of a reformat: row by row, in runs that stay between the same two slices.
//!
//! Voxel coordinates change evenly along a row of the output, so they are worked out once a row. A row is then walked in
//! runs between two slices: along the slices (every row of an axial, coronal or sagittal cut of an axial series) that
//! is one run, and reads memory in order or in strides that the next rows find in the cache. A cut whose rows would
//! cross more slices than its columns do is made on its side and turned at the end; where both cross them, rows are
//! taken part by part, because each slice's memory lies elsewhere.

use rayon::prelude::*;

use super::{Coverage, Projection, Through};
use crate::case::content::Point;
use crate::study::plane::{Plane, Vector, dot, minus, plus, times};
use crate::view::volume::{Foot, Volume, Voxel, Voxels, settled, settled_on_header};

/// Lines that one thread takes at a time, and how much of each before it turns to the next: neighbours read the same
/// memory, which is still in the cache when they do.
const LINES_TOGETHER: usize = 32;
const PART_PX: usize = 32;

/// A line that leaves a slice by less is along it, in mm.
const LEVEL_MM: f64 = 1e-6;

/// Pixels of a side of the tiles in which a picture is turned: two tiles fit the innermost cache.
const TILE_PX: usize = 32;

/// A reformat to be made.
pub(super) struct Rows<'a> {
    pub(super) volume: &'a Volume,
    pub(super) plane: &'a Plane,
    /// Sheets along the plane's normal; at least one.
    pub(super) through: &'a [Through],
    pub(super) projection: Projection,
}

/// Voxel coordinates along a line of pixels: at the first one, and from one to the next.
#[derive(Clone, Copy)]
struct Line {
    column: (f64, f64),
    row: (f64, f64),
    along_mm: (f64, f64),
}

/// A line between two slices.
struct Pair {
    /// In the pixels of each of them.
    lines: [Line; 2],
    /// The share of the step beyond the first slice: at the first pixel, and from one to the next.
    share: (f64, f64),
}

/// One line of the output.
struct Output<'a> {
    values: &'a mut [f32],
    coverage: &'a mut [Coverage],
}

impl Rows<'_> {
    /// Values and coverage, row by row.
    pub(super) fn sampled(&self) -> (Vec<f32>, Vec<Coverage>) {
        let (columns, rows) = (self.plane.columns() as usize, self.plane.rows() as usize);
        let crosses = |direction: Vector| dot(direction, self.volume.stack().along()).abs();
        if crosses(self.plane.across()) <= crosses(self.plane.down()) {
            return self.lines(columns, rows, |row| (0.0, row), self.plane.across(), self.plane.between_columns_mm());
        }
        let down = self.plane.down();
        let (values, coverage) = self.lines(rows, columns, |column| (column, 0.0), down, self.plane.between_rows_mm());
        (turned(&values, rows, columns, f32::NAN), turned(&coverage, rows, columns, Coverage::Outside))
    }

    /// Samples `count` lines of `length` pixels that start where `start` says and go on in steps of one pixel.
    fn lines(
        &self,
        length: usize,
        count: usize,
        start: impl Fn(f64) -> (f64, f64) + Sync,
        direction: Vector,
        step_mm: f64,
    ) -> (Vec<f32>, Vec<Coverage>) {
        let mut values = vec![f32::NAN; length * count];
        let mut coverage = vec![Coverage::Outside; length * count];
        let step = times(direction, step_mm);
        let chunk = length * LINES_TOGETHER;
        // A line along the slices reads memory in order; it needs no parts.
        let is_level = dot(step, self.volume.stack().along()).abs() * (length as f64) < LEVEL_MM;
        let part = if is_level { length } else { PART_PX };
        values.par_chunks_mut(chunk).zip(coverage.par_chunks_mut(chunk)).enumerate().for_each_init(
            || (vec![f32::NAN; part], vec![Coverage::Outside; part]),
            |(sheet_values, sheet_coverage), (number, (values, coverage))| {
                for first in (0..length).step_by(part) {
                    let lines = values.chunks_mut(length).zip(coverage.chunks_mut(length)).enumerate();
                    for (within, (values, coverage)) in lines {
                        let (column, row) = start((number * LINES_TOGETHER + within) as f64);
                        let begin = self.plane.patient(Point { column, row });
                        let place = plus(begin, times(step, first as f64));
                        let end = (first + part).min(length);
                        let out = Output { values: &mut values[first..end], coverage: &mut coverage[first..end] };
                        match self.through {
                            [one] => self.line(plus(place, times(self.plane.normal(), one.at_mm)), step, out),
                            sheets => {
                                let (values, coverage) =
                                    (&mut sheet_values[..end - first], &mut sheet_coverage[..end - first]);
                                self.project(sheets, place, step, Output { values, coverage }, out);
                            }
                        }
                    }
                }
            },
        );
        (values, coverage)
    }

    /// One line through all sheets of a slab.
    fn project(&self, sheets: &[Through], place: Vector, step: Vector, sheet: Output<'_>, mut out: Output<'_>) {
        let mut weights = vec![0.0f32; out.values.len()];
        // Inside of a volume every sheet has a value at every pixel: then nothing has to be told apart.
        let mut is_whole = true;
        for (number, through) in sheets.iter().enumerate() {
            sheet.values.fill(f32::NAN);
            sheet.coverage.fill(Coverage::Outside);
            let at = plus(place, times(self.plane.normal(), through.at_mm));
            self.line(at, step, Output { values: &mut *sheet.values, coverage: &mut *sheet.coverage });
            is_whole &= sheet.coverage.iter().all(|found| *found == Coverage::Value);
            match (is_whole, number) {
                (true, 0) => {
                    out.values.copy_from_slice(sheet.values);
                    out.coverage.fill(Coverage::Value);
                    if self.projection == Projection::Mean {
                        out.values.iter_mut().for_each(|value| *value *= through.weight);
                        weights.fill(through.weight);
                    }
                }
                (true, _) => self.merge_whole(through.weight, sheet.values, out.values, &mut weights),
                (false, _) => self.merge(through.weight, &sheet, &mut out, &mut weights),
            }
        }
        if self.projection == Projection::Mean {
            for (sum, weight) in out.values.iter_mut().zip(weights) {
                *sum /= weight;
            }
        }
    }

    /// Adds a sheet of values to a line of values.
    fn merge_whole(&self, weight: f32, from: &[f32], into: &mut [f32], weights: &mut [f32]) {
        let values = into.iter_mut().zip(from);
        match self.projection {
            Projection::Maximum => values.for_each(|(most, value)| *most = if *value > *most { *value } else { *most }),
            Projection::Minimum => {
                values.for_each(|(least, value)| *least = if *value < *least { *value } else { *least })
            }
            Projection::Mean => {
                values.for_each(|(sum, value)| *sum += value * weight);
                weights.iter_mut().for_each(|sum| *sum += weight);
            }
        }
    }

    /// Adds a sheet of which parts have no value, or to which parts had none.
    fn merge(&self, weight: f32, from: &Output<'_>, into: &mut Output<'_>, weights: &mut [f32]) {
        let from = from.values.iter().zip(from.coverage.iter());
        let into = into.values.iter_mut().zip(into.coverage.iter_mut()).zip(weights);
        for ((&value, &found), ((sum, coverage), sum_of_weights)) in from.zip(into) {
            if found != Coverage::Value {
                *coverage = with_nothing(*coverage, found);
                continue;
            }
            let is_first = !matches!(*coverage, Coverage::Value | Coverage::Partial);
            *sum = match self.projection {
                Projection::Mean if is_first => value * weight,
                Projection::Mean => *sum + value * weight,
                _ if is_first => value,
                Projection::Maximum => sum.max(value),
                Projection::Minimum => sum.min(value),
            };
            *sum_of_weights += weight;
            *coverage = match *coverage {
                Coverage::Missing | Coverage::Partial => Coverage::Partial,
                _ => Coverage::Value,
            };
        }
    }

    /// One line of one sheet; it leaves alone what is outside.
    fn line(&self, place: Vector, step: Vector, out: Output<'_>) {
        let stack = self.volume.stack();
        let first = stack.first();
        let from_origin = minus(place, first.origin_mm());
        let on = |axis: Vector, spacing_mm: f64| (dot(from_origin, axis) / spacing_mm, dot(step, axis) / spacing_mm);
        let (along_mm, climb_mm) = on(stack.along(), 1.0);
        let is_level = (climb_mm * out.values.len() as f64).abs() < LEVEL_MM;
        let line = Line {
            column: on(first.across(), first.between_columns_mm()),
            row: on(first.down(), first.between_rows_mm()),
            along_mm: (along_mm, if is_level { 0.0 } else { climb_mm }),
        };
        let mut at = 0;
        while at < out.values.len() {
            let along_mm = line.along_mm(at);
            let Some((below, share)) = self.volume.between(along_mm) else {
                // Such lines are few, and shorter than the ones inside.
                at += 1;
                continue;
            };
            let end = at + self.run(below, along_mm, line.along_mm.1, out.values.len() - at);
            let run = Output { values: &mut out.values[at..end], coverage: &mut out.coverage[at..end] };
            // A line that runs on one slice needs no other.
            match share {
                0.0 if is_level => self.on_slice(below, line.from(at), run),
                1.0 if is_level => self.on_slice(below + 1, line.from(at), run),
                _ => self.between_slices(below, line.from(at), run),
            }
            at = end;
        }
    }

    /// How many pixels from here on, at least one, lie between the same two slices.
    fn run(&self, below: usize, along_mm: f64, step_mm: f64, left: usize) -> usize {
        let places = self.volume.stack().places();
        let bound = match step_mm {
            step if step > 0.0 => places[below + 1].along_mm,
            step if step < 0.0 => places[below].along_mm,
            _ => return left,
        };
        // As floats are cast, a negative count is 0 and a huge one the largest there is.
        let whole_steps = ((bound - along_mm) / step_mm) as usize;
        whole_steps.saturating_add(1).min(left)
    }

    fn on_slice(&self, slice: usize, line: Line, out: Output<'_>) {
        let line = self.shifted(line, slice);
        match self.volume.voxels(slice) {
            Some(Voxels::Whole(voxels)) => self.one(voxels, line, out),
            Some(Voxels::Fine(voxels)) => self.one(voxels, line, out),
            None => self.none(&[line], out),
        }
    }

    fn between_slices(&self, below: usize, line: Line, out: Output<'_>) {
        let places = self.volume.stack().places();
        let step_mm = places[below + 1].along_mm - places[below].along_mm;
        let pair = Pair {
            lines: [self.shifted(line, below), self.shifted(line, below + 1)],
            share: ((line.along_mm.0 - places[below].along_mm) / step_mm, line.along_mm.1 / step_mm),
        };
        match (self.volume.voxels(below), self.volume.voxels(below + 1)) {
            _ if self.volume.is_broken(below) => self.broken(below, &pair, out),
            (Some(Voxels::Whole(a)), Some(Voxels::Whole(b))) => self.two(a, b, &pair, out),
            (Some(Voxels::Whole(a)), Some(Voxels::Fine(b))) => self.two(a, b, &pair, out),
            (Some(Voxels::Fine(a)), Some(Voxels::Whole(b))) => self.two(a, b, &pair, out),
            (Some(Voxels::Fine(a)), Some(Voxels::Fine(b))) => self.two(a, b, &pair, out),
            (None, _) | (_, None) => {} // broken
        }
    }

    /// A run across a missing slice: only what lies exactly on a slice that is there has a value.
    fn broken(&self, below: usize, pair: &Pair, out: Output<'_>) {
        for at in 0..out.values.len() {
            let pixel = Output { values: &mut out.values[at..=at], coverage: &mut out.coverage[at..=at] };
            let [line, next] = pair.lines.map(|line| line.from(at));
            let on = |slice, line, pixel| match self.volume.voxels(slice) {
                Some(Voxels::Whole(voxels)) => self.one(voxels, line, pixel),
                Some(Voxels::Fine(voxels)) => self.one(voxels, line, pixel),
                None => self.none(&[line], pixel),
            };
            match settled_on_header(pair.share(at)) {
                0.0 => on(below, line, pixel),
                1.0 => on(below + 1, next, pixel),
                _ => self.none(&[line, next], pixel),
            }
        }
    }

    /// Where slices are missing: inside of them, a pixel is missing too.
    fn none(&self, lines: &[Line], out: Output<'_>) {
        let (columns, rows) = self.slice_size();
        for (at, coverage) in out.coverage.iter_mut().enumerate() {
            let inside = |line: &Line| Foot::of(line.column(at), line.row(at), columns, rows).is_some();
            if lines.iter().all(inside) {
                *coverage = Coverage::Missing;
            }
        }
    }

    fn one<V: Voxel>(&self, slice: &[V], line: Line, out: Output<'_>) {
        let (columns, rows) = self.slice_size();
        if let Some(first) = self.on_pixels(line, out.values.len())
            && let Some(voxels) = slice.get(first..first + out.values.len())
        {
            for ((value, coverage), voxel) in out.values.iter_mut().zip(out.coverage).zip(voxels) {
                *value = voxel.value();
                *coverage = if value.is_nan() { Coverage::Padding } else { Coverage::Value };
            }
            return;
        }
        for (at, (value, coverage)) in out.values.iter_mut().zip(out.coverage).enumerate() {
            if let Some(foot) = Foot::of(line.column(at), line.row(at), columns, rows) {
                *value = foot.value(slice);
                *coverage = if value.is_nan() { Coverage::Padding } else { Coverage::Value };
            }
        }
    }

    /// The first pixel of a slice, by its number, if a line goes from each to the next: as where a series is cut along
    /// its own slices. Steps are even, so whatever meets pixels at both ends does so in between.
    fn on_pixels(&self, line: Line, count: usize) -> Option<usize> {
        let (columns, rows) = self.slice_size();
        let pixel = |at: usize| Foot::of(line.column(at), line.row(at), columns, rows)?.on_pixel();
        let (first, last) = (pixel(0)?, pixel(count.checked_sub(1)?)?);
        let is_along_row = last.checked_sub(first) == Some(count - 1) && first / columns == last / columns;
        is_along_row.then_some(first)
    }

    fn two<A: Voxel, B: Voxel>(&self, a: &[A], b: &[B], pair: &Pair, out: Output<'_>) {
        let (columns, rows) = self.slice_size();
        let [line, next] = pair.lines;
        let is_straight = line.column == next.column && line.row == next.row;
        let foot = |line: Line, at: usize| Foot::of(line.column(at), line.row(at), columns, rows);
        for (at, (value, coverage)) in out.values.iter_mut().zip(out.coverage).enumerate() {
            let found = match pair.share(at) {
                0.0 => foot(line, at).map(|foot| foot.value(a)),
                1.0 => foot(next, at).map(|foot| foot.value(b)),
                share => foot(line, at).and_then(|near| {
                    let far = if is_straight { near } else { foot(next, at)? };
                    let (near, far) = (near.value(a), far.value(b));
                    Some(near + (far - near) * share as f32)
                }),
            };
            if let Some(found) = found {
                *value = found;
                *coverage = if found.is_nan() { Coverage::Padding } else { Coverage::Value };
            }
        }
    }

    fn slice_size(&self) -> (usize, usize) {
        let first = self.volume.stack().first();
        (first.columns() as usize, first.rows() as usize)
    }

    /// The line in the pixels of one slice.
    fn shifted(&self, line: Line, slice: usize) -> Line {
        let place = &self.volume.stack().places()[slice];
        Line {
            column: (line.column.0 - place.shift_columns_px, line.column.1),
            row: (line.row.0 - place.shift_rows_px, line.row.1),
            ..line
        }
    }
}

impl Line {
    #[inline(always)]
    fn column(&self, at: usize) -> f64 {
        self.column.0 + self.column.1 * at as f64
    }

    #[inline(always)]
    fn row(&self, at: usize) -> f64 {
        self.row.0 + self.row.1 * at as f64
    }

    #[inline(always)]
    fn along_mm(&self, at: usize) -> f64 {
        self.along_mm.0 + self.along_mm.1 * at as f64
    }

    /// The rest of the line from a pixel on.
    fn from(self, at: usize) -> Self {
        Self {
            column: (self.column(at), self.column.1),
            row: (self.row(at), self.row.1),
            along_mm: (self.along_mm(at), self.along_mm.1),
        }
    }
}

impl Pair {
    #[inline(always)]
    fn share(&self, at: usize) -> f64 {
        settled(self.share.0 + self.share.1 * at as f64)
    }
}

/// What a slab's pixel holds after a sheet that has no value there.
fn with_nothing(so_far: Coverage, found: Coverage) -> Coverage {
    match (so_far, found) {
        (Coverage::Value | Coverage::Partial, Coverage::Missing) => Coverage::Partial,
        (Coverage::Outside, found) => found,
        (Coverage::Padding, Coverage::Missing) => Coverage::Missing,
        (so_far, _) => so_far,
    }
}

/// A picture of `count` lines of `length` with its lines as columns, made in tiles that fit the cache.
fn turned<T: Copy + Send + Sync>(lines: &[T], length: usize, count: usize, nothing: T) -> Vec<T> {
    let mut turned = vec![nothing; lines.len()];
    turned.par_chunks_mut(count * TILE_PX).enumerate().for_each(|(tile, rows)| {
        for from in (0..count).step_by(TILE_PX) {
            for (within, row) in rows.chunks_mut(count).enumerate() {
                let at = tile * TILE_PX + within;
                for (line, pixel) in row.iter_mut().enumerate().skip(from).take(TILE_PX) {
                    *pixel = lines[line * length + at];
                }
            }
        }
    });
    turned
}
