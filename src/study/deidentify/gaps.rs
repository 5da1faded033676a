//! Gaps in a series: what a sender leaves out or a scanner never sent must stay visible to the reader.
//!
//! Pure: instance numbers and positions along the normal in, counts out. It judges one stack; localizers in
//! several orientations have no common normal and are judged by their numbers only.

/// Position of one instance in its series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placed {
    /// Instance Number (0020,0013).
    pub instance_number: Option<i64>,
    /// Image Position projected on the slice normal, in mm, if all slices of the series are parallel.
    pub position_mm: Option<f64>,
}

/// What is missing in a series, as far as its numbers and positions tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gaps {
    pub images: usize,
    /// Instance numbers between the first and the last that no instance has.
    pub numbers_missing: usize,
    /// Slice positions between the first and the last that no instance has.
    pub positions_missing: usize,
}

impl Gaps {
    pub fn is_complete(&self) -> bool {
        self.numbers_missing == 0 && self.positions_missing == 0
    }
}

impl std::fmt::Display for Gaps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        write!(f, "{} image{}", self.images, plural(self.images))?;
        if self.positions_missing > 0 {
            write!(f, ", {} position{} missing", self.positions_missing, plural(self.positions_missing))?;
        } else if self.numbers_missing > 0 {
            write!(f, ", {} number{} missing", self.numbers_missing, plural(self.numbers_missing))?;
        }
        Ok(())
    }
}

/// More missing than this many times the images is another way of numbering, not a gap.
const MISSING_PER_IMAGE_MAX: usize = 4;
/// Two positions closer than this are the same slice (phases, echoes), in mm.
const SAME_POSITION_MM: f64 = 0.01;
/// A step is a gap from this multiple of the usual step on: a tilted or overlapping stack varies less.
const GAP_STEPS: f64 = 1.5;
/// A gap is called so only if this share of the steps is usual: some stacks have two spacings by design.
const USUAL_SHARE_MIN: f64 = 0.7;

/// Finds the gaps of one series.
pub fn gaps(series: &[Placed]) -> Gaps {
    Gaps {
        images: series.len(),
        numbers_missing: numbers_missing(series),
        positions_missing: positions_missing(series),
    }
}

fn numbers_missing(series: &[Placed]) -> usize {
    let mut numbers: Vec<i64> = series.iter().filter_map(|placed| placed.instance_number).collect();
    if numbers.len() != series.len() {
        return 0;
    }
    numbers.sort_unstable();
    numbers.dedup();
    // The smallest step is the numbering's own: some scanners count by two or by ten.
    let steps = numbers.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
    let Some(step) = steps.clone().min() else { return 0 };
    let missing: usize =
        steps.map(|gap| usize::try_from(gap / step - 1).unwrap_or(usize::MAX)).fold(0, usize::saturating_add);
    if missing > series.len().saturating_mul(MISSING_PER_IMAGE_MAX) { 0 } else { missing }
}

fn positions_missing(series: &[Placed]) -> usize {
    let mut positions: Vec<f64> =
        series.iter().filter_map(|placed| placed.position_mm).filter(|mm| mm.is_finite()).collect();
    if positions.len() != series.len() {
        return 0;
    }
    positions.sort_by(f64::total_cmp);
    positions.dedup_by(|a, b| (*a - *b).abs() < SAME_POSITION_MM);
    let mut steps: Vec<f64> = positions.windows(2).map(|pair| pair[1] - pair[0]).collect();
    if steps.len() < 2 {
        return 0;
    }
    let in_order = steps.clone();
    steps.sort_by(f64::total_cmp);
    let Some(usual) = steps.get(steps.len() / 2).copied() else { return 0 };
    let usual_steps = in_order.iter().filter(|step| (**step - usual).abs() <= 0.1 * usual).count();
    if (usual_steps as f64) < USUAL_SHARE_MIN * in_order.len() as f64 {
        return 0;
    }
    let missing: f64 =
        in_order.iter().filter(|step| **step >= GAP_STEPS * usual).map(|step| (step / usual).round() - 1.0).sum();
    let missing = missing.clamp(0.0, 1e9) as usize;
    if missing > series.len().saturating_mul(MISSING_PER_IMAGE_MAX) { 0 } else { missing }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(numbers: impl IntoIterator<Item = i64>, spacing_mm: f64) -> Vec<Placed> {
        let place = |n: i64| Placed { instance_number: Some(n), position_mm: Some(n as f64 * spacing_mm) };
        numbers.into_iter().map(place).collect()
    }

    #[test]
    fn a_whole_stack_has_no_gap_whatever_its_order() {
        let mut whole = stack(1..=120, 1.25);
        whole.reverse();
        assert_eq!(gaps(&whole).to_string(), "120 images");
        assert!(gaps(&whole).is_complete() && gaps(&[]).is_complete() && gaps(&whole[..1]).is_complete());
    }

    #[test]
    fn missing_slices_are_counted() {
        let mut stack = stack(1..=120, 1.25);
        stack.retain(|placed| !matches!(placed.instance_number, Some(40 | 77)));
        let found = gaps(&stack);
        assert_eq!((found.numbers_missing, found.positions_missing), (2, 2));
        assert_eq!(found.to_string(), "118 images, 2 positions missing");
    }

    #[test]
    fn other_ways_of_counting_and_two_spacings_are_no_gaps() {
        assert!(gaps(&stack((1..=20).map(|n| n * 10), 0.5)).is_complete());
        let phases = stack(1..=10, 0.0);
        assert!(gaps(&phases).is_complete());
        let skull = (0..12).map(|n| f64::from(n) * 3.0).chain((1..16).map(|n| 33.0 + f64::from(n) * 7.0));
        let skull: Vec<_> = skull
            .enumerate()
            .map(|(n, mm)| Placed { instance_number: Some(n as i64 + 1), position_mm: Some(mm) })
            .collect();
        assert!(gaps(&skull).is_complete());
        let hostile = [i64::MIN, i64::MAX, 0].map(|n| Placed { instance_number: Some(n), position_mm: Some(f64::NAN) });
        assert!(gaps(&hostile).is_complete());
        let without = [Placed { instance_number: None, position_mm: None }; 3];
        assert!(gaps(&without).is_complete());
    }
}
