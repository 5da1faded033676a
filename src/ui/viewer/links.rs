//! Which viewports scroll together: those of one frame of reference by themselves, others after a pair of slices.

use std::sync::Arc;

use crate::view::space::ManualLink;

/// How viewports go together.
pub struct Links {
    /// Whether viewports follow each other at all.
    pub together: bool,
    /// Two series and how they were paired, from the first to the second.
    manual: Vec<([Arc<str>; 2], ManualLink)>,
}

impl Default for Links {
    fn default() -> Self {
        Self { together: true, manual: Vec::new() }
    }
}

impl Links {
    /// The link that was set by hand, from one series to another.
    pub fn between(&self, from: &str, to: &str) -> Option<ManualLink> {
        self.manual.iter().find_map(|([a, b], link)| match (&**a, &**b) {
            (a, b) if (a, b) == (from, to) => Some(*link),
            (a, b) if (a, b) == (to, from) => Some(link.reversed()),
            _ => None,
        })
    }

    pub fn pair(&mut self, from: &Arc<str>, to: &Arc<str>, link: ManualLink) {
        self.part(from, to);
        self.manual.push(([Arc::clone(from), Arc::clone(to)], link));
    }

    /// Ends a link that was set by hand; `false` if there is none.
    pub fn part(&mut self, from: &str, to: &str) -> bool {
        let before = self.manual.len();
        self.manual.retain(|([a, b], _)| !matches!((&**a, &**b), pair if pair == (from, to) || pair == (to, from)));
        self.manual.len() < before
    }
}
