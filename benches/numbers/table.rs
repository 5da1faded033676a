//! The table that is printed: figures, what they should be, and peers beside them.

use std::fmt::{Display, Formatter, Result};

/// Everything measured in one run.
#[derive(Default)]
pub struct Table {
    figures: Vec<Figure>,
    passed_over: Vec<String>,
}

/// One measured thing; the smaller the better.
pub struct Figure {
    what: String,
    unit: &'static str,
    samples: Samples,
    goal: Option<f64>,
    peers: Vec<Peer>,
}

/// Another program at the same work, in the unit of the figure.
#[derive(Clone)]
pub struct Peer {
    pub name: String,
    pub samples: Samples,
}

/// The same thing measured one or more times, in order of size.
#[derive(Clone)]
pub struct Samples(Vec<f64>);

impl Figure {
    pub fn new(what: impl Into<String>, unit: &'static str, samples: Samples) -> Self {
        Self { what: what.into(), unit, samples, goal: None, peers: Vec::new() }
    }

    /// What the project promises: at most this.
    pub fn goal(self, goal: f64) -> Self {
        Self { goal: Some(goal), ..self }
    }

    pub fn beside(self, peers: Vec<Peer>) -> Self {
        Self { peers, ..self }
    }
}

impl Samples {
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// The smallest value that so many percent of all do not exceed.
    pub fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or(f64::NAN)
    }

    pub fn median(&self) -> f64 {
        self.percentile(50)
    }
}

impl Table {
    pub fn add(&mut self, figure: Figure) {
        eprintln!("  {}: {}", figure.what, in_unit(&figure.samples, figure.unit));
        self.figures.push(figure);
    }

    /// Says, at once and again beneath the table, what was not measured and why.
    pub fn pass_over(&mut self, what: String) {
        eprintln!("  PASSED OVER: {what}");
        self.passed_over.push(what);
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let head = ["what", "figure", "goal", "peer", "its figure", "peer : ours"];
        let mut rows = vec![head.map(str::to_owned)];
        for figure in &self.figures {
            let goal = figure.goal.map(|goal| format!("{} {}", number(goal), figure.unit)).unwrap_or_default();
            let mut left = [figure.what.clone(), in_unit(&figure.samples, figure.unit), goal];
            for peer in &figure.peers {
                let ratio = format!("{:.1}", peer.samples.median() / figure.samples.median());
                let [what, value, goal] = std::mem::take(&mut left);
                rows.push([what, value, goal, peer.name.clone(), in_unit(&peer.samples, figure.unit), ratio]);
            }
            if figure.peers.is_empty() {
                let [what, value, goal] = left;
                rows.push([what, value, goal, String::new(), String::new(), String::new()]);
            }
        }
        let widths: [usize; 6] =
            std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
        for (at, row) in rows.iter().enumerate() {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("| {cell:<width$} "));
            writeln!(f, "{}|", cells.collect::<String>())?;
            if at == 0 {
                writeln!(f, "{}|", widths.map(|width| format!("|{}", "-".repeat(width + 2))).concat())?;
            }
        }
        self.passed_over.iter().try_for_each(|what| writeln!(f, "Passed over: {what}"))
    }
}

/// The median, with the range and the number of rounds if there were more than one.
fn in_unit(samples: &Samples, unit: &str) -> String {
    let median = number(samples.median());
    match samples.0.as_slice() {
        [least, .., most] => {
            let (least, most) = (number(*least), number(*most));
            format!("{median} {unit} ({least} to {most} of {})", samples.0.len())
        }
        _ => format!("{median} {unit}"),
    }
}

/// Three digits, more or less.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        ..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}
