//! Where an edge is near a point: so that a hand that is no finer than a cell, or a cursor in steps of pixels, ends
//! where a structure does.

use crate::case::content::Point;
use crate::study::pixels::Frame;

/// How far an edge may be, in pixels.
const RADIUS_PX: i64 = 5;

/// The steepest pixel around a point, the nearer one of two; none of colours, and where all values are alike.
///
/// Steepness is that of the values themselves, whatever the window shows: the same point for every reader.
pub fn edge_near(frame: &Frame, at: Point) -> Option<Point> {
    // Inside an image, whose sides are at most 65,535.
    let (column, row) = (at.column.round() as i64, at.row.round() as i64);
    let value = |column: i64, row: i64| frame.modality_at(u32::try_from(column).ok()?, u32::try_from(row).ok()?);
    let steepness = |column: i64, row: i64| {
        let across = value(column + 1, row)? - value(column - 1, row)?;
        let down = value(column, row + 1)? - value(column, row - 1)?;
        Some(across.hypot(down)).filter(|steepness| *steepness > 0.0 && steepness.is_finite())
    };
    let mut steepest: Option<(f64, i64, Point)> = None;
    for dy in -RADIUS_PX..=RADIUS_PX {
        for dx in -RADIUS_PX..=RADIUS_PX {
            let far = dx * dx + dy * dy;
            if far > RADIUS_PX * RADIUS_PX {
                continue;
            }
            let Some(steepness) = steepness(column + dx, row + dy) else { continue };
            let is_better =
                |(best, nearest, _): (f64, i64, Point)| steepness > best || steepness == best && far < nearest;
            if steepest.is_none_or(is_better) {
                let at = Point { column: (column + dx) as f64, row: (row + dy) as f64 };
                steepest = Some((steepness, far, at));
            }
        }
    }
    steepest.map(|(.., at)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::pixels::read_frame;
    use crate::study::synthetic;

    #[test]
    fn the_steepest_pixel_near_the_point_is_found_and_no_other() {
        let frame = read_frame(&synthetic::slice(1, 30, 60).unwrap(), 1).unwrap();
        // The skin: air outside, soft tissue inside, along the row through the middle.
        let value = |column: u32| frame.modality_at(column, 256).unwrap();
        let skin = (20..250u32).find(|column| value(*column) < -500.0 && value(*column + 2) > -500.0).unwrap();
        let found = edge_near(&frame, Point { column: f64::from(skin) + 3.0, row: 256.0 }).unwrap();
        assert!((found.column - f64::from(skin) - 1.0).abs() <= 2.0, "{found:?} is not at {skin}");
        assert_eq!(edge_near(&frame, Point { column: -50.0, row: 3.0 }), None);
    }
}
