//! Reading order and gaps of a series.
//!
//! A stack is read in space: along the normal of its slices, in the direction in which instance numbers rise.
//! Where the geometry makes no stack (localizers in three planes, projections, several passes over the same
//! place) instance numbers decide, then the UID, so that the order is the same for everybody.
//!
//! Gaps are counted, never filled: a reader must see that slices are missing (deidentification.md, the plan).

use minicbor::{Decode, Encode};

use super::manifest::{Geometry, InstanceEntry};

/// Positions closer than this along the normal are the same place, in mm.
const SAME_PLACE_MM: f64 = 0.01;

/// Orientation cosines that differ by less are parallel.
const PARALLEL_COSINE_MAX: f64 = 1e-3;

/// A step of this many usual steps is a gap.
const GAP_STEPS_MIN: f64 = 1.5;

/// Most missing images that are counted in one gap: beyond it the numbers mean something else.
const GAP_IMAGES_MAX: u64 = 10_000;

/// What seems to be missing from a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(map)]
pub struct Gaps {
    /// Instance numbers between the first and the last that no image has.
    #[n(0)]
    pub numbers: u32,
    /// Slice positions that are missing from an otherwise even stack.
    #[n(1)]
    pub positions: u32,
}

/// Sorts instances into reading order and counts what is missing.
pub fn into_reading_order(instances: &mut [InstanceEntry]) -> Gaps {
    instances.sort_by(|a, b| (a.number, &a.sop_instance).cmp(&(b.number, &b.sop_instance)));
    let numbers = missing_numbers(instances);
    let positions = match places(instances) {
        Some(places) => along(instances, &places),
        None => 0,
    };
    Gaps { numbers, positions }
}

fn missing_numbers(sorted: &[InstanceEntry]) -> u32 {
    let mut missing = 0;
    for pair in sorted.windows(2) {
        match (pair[0].number, pair[1].number) {
            (Some(a), Some(b)) if a != b => {
                let between = (i64::from(b) - i64::from(a) - 1) as u64; // sorted, so never negative
                missing += between.min(GAP_IMAGES_MAX) as u32;
            }
            _ => return 0, // absent or repeated numbers count nothing
        }
    }
    missing
}

/// Where each slice lies along the common normal, in mm; `None` if they make no stack.
fn places(instances: &[InstanceEntry]) -> Option<Vec<f64>> {
    let first = instances.first()?.geometry.as_ref()?;
    let normal = normal(first)?;
    let mut places = Vec::with_capacity(instances.len());
    for instance in instances {
        let geometry = instance.geometry.as_ref()?;
        let parallel =
            geometry.orientation()?.iter().zip(first.orientation()?).all(|(a, b)| (a - b).abs() < PARALLEL_COSINE_MAX);
        if !parallel {
            return None;
        }
        let [x, y, z] = geometry.position()?;
        places.push(x * normal[0] + y * normal[1] + z * normal[2]);
    }
    let mut sorted = places.clone();
    sorted.sort_by(f64::total_cmp);
    sorted.windows(2).all(|pair| pair[1] - pair[0] > SAME_PLACE_MM).then_some(places)
}

fn normal(geometry: &Geometry) -> Option<[f64; 3]> {
    let [a, b, c, d, e, f] = geometry.orientation()?;
    let normal = [b * f - c * e, c * d - a * f, a * e - b * d];
    let length = normal.iter().map(|n| n * n).sum::<f64>().sqrt();
    (length > 0.5).then(|| normal.map(|n| n / length))
}

/// Sorts by place, in the direction of rising numbers, and counts missing places.
fn along(instances: &mut [InstanceEntry], places: &[f64]) -> u32 {
    // instances are in the order of their numbers, so the ends say which way the numbers run.
    let falls = places.first().zip(places.last()).is_some_and(|(first, last)| first > last);
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|&a, &b| places[a].total_cmp(&places[b]));
    if falls {
        order.reverse();
    }
    let sorted: Vec<InstanceEntry> = order.iter().map(|&i| instances[i].clone()).collect();
    instances.clone_from_slice(&sorted);

    let mut steps: Vec<f64> = order.windows(2).map(|pair| (places[pair[1]] - places[pair[0]]).abs()).collect();
    let mut by_size = steps.clone();
    by_size.sort_by(f64::total_cmp);
    let Some(&usual) = by_size.get(by_size.len() / 2) else { return 0 };
    steps.retain(|step| *step > GAP_STEPS_MIN * usual);
    steps.iter().map(|step| (((step / usual).round() - 1.0).max(0.0) as u64).min(GAP_IMAGES_MAX) as u32).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::manifest::tests::instance;

    fn axial(number: i32, z: f64) -> InstanceEntry {
        let geometry = Geometry {
            position: format!("-180\\-180\\{z}"),
            orientation: "1\\0\\0\\0\\1\\0".into(),
            spacing: "0.7\\0.7".into(),
            thickness: "1".into(),
        };
        InstanceEntry { number: Some(number), geometry: Some(geometry), ..instance(number as u32) }
    }

    fn numbers(instances: &[InstanceEntry]) -> Vec<i32> {
        instances.iter().filter_map(|i| i.number).collect()
    }

    #[test]
    fn a_stack_is_read_along_its_normal_the_way_its_numbers_run() {
        let mut feet_first: Vec<_> = (1..=6).map(|n| axial(n, f64::from(n) * 5.0)).collect();
        feet_first.reverse();
        assert_eq!(into_reading_order(&mut feet_first), Gaps::default());
        assert_eq!(numbers(&feet_first), [1, 2, 3, 4, 5, 6]);
        let mut head_first: Vec<_> = (1..=6).map(|n| axial(n, f64::from(n) * -5.0)).collect();
        head_first.rotate_left(2);
        into_reading_order(&mut head_first);
        assert_eq!(numbers(&head_first), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn one_swapped_number_does_not_break_the_stack() {
        let mut stack = vec![axial(1, 0.0), axial(3, 5.0), axial(2, 10.0), axial(4, 15.0)];
        assert_eq!(into_reading_order(&mut stack), Gaps::default());
        assert_eq!(numbers(&stack), [1, 3, 2, 4]);
    }

    #[test]
    fn missing_slices_are_counted_by_number_and_by_place() {
        let mut stack: Vec<_> = [1, 2, 3, 6, 7, 8].map(|n| axial(n, f64::from(n) * 3.0)).to_vec();
        assert_eq!(into_reading_order(&mut stack), Gaps { numbers: 2, positions: 2 });
    }

    #[test]
    fn images_that_make_no_stack_go_by_their_numbers() {
        let mut localizers = vec![axial(3, 0.0), axial(1, 0.0), axial(2, 0.0)];
        assert_eq!(into_reading_order(&mut localizers), Gaps::default());
        assert_eq!(numbers(&localizers), [1, 2, 3]);
        let mut crossed = vec![axial(2, 0.0), axial(1, 5.0)];
        crossed[0].geometry.as_mut().unwrap().orientation = "0\\1\\0\\0\\0\\-1".into();
        into_reading_order(&mut crossed);
        assert_eq!(numbers(&crossed), [1, 2]);
    }

    #[test]
    fn absurd_numbers_and_places_do_not_panic() {
        let mut absurd = vec![axial(i32::MIN, f64::MAX), axial(i32::MAX, f64::NAN), axial(0, f64::NEG_INFINITY)];
        into_reading_order(&mut absurd);
        let mut spread = vec![axial(1, 0.0), axial(2, 1e-1), axial(3, 1e300)];
        assert!(into_reading_order(&mut spread).positions <= 10_000);
        assert_eq!(into_reading_order(&mut []), Gaps::default());
    }
}
