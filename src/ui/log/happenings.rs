//! The last things the node did, kept while the app runs.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::encoding::time::Timestamp;
use crate::node::api::Event;

/// Things kept; the oldest go.
pub const HAPPENINGS_MAX: usize = 1000;

/// One thing the node did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    pub time: Timestamp,
    pub what: String,
    pub case: Option<String>,
    pub who: Option<String>,
}

/// The last things the node did, the oldest first. A copy costs one pointer a line.
#[derive(Debug, Clone, Default)]
pub struct Happenings {
    lines: VecDeque<Arc<Happening>>,
}

impl Happenings {
    /// Keeps what an event says, if it is one of those that are followed.
    pub fn take(&mut self, event: &Event, time: Timestamp) {
        let (what, case, who) = match event {
            Event::Happened { what, case, who } => (what.clone(), case.clone(), who.clone()),
            Event::Ready { addresses, .. } if addresses.is_empty() => ("not listening".into(), None, None),
            Event::Ready { addresses, .. } => (format!("listening on {}", addresses.join(", ")), None, None),
            // The rest goes only to who asked for it.
            _ => return,
        };
        self.lines.push_back(Arc::new(Happening { time, what, case, who }));
        if self.lines.len() > HAPPENINGS_MAX {
            self.lines.pop_front();
        }
    }

    /// The newest first.
    pub fn iter(&self) -> impl Iterator<Item = &Happening> {
        self.lines.iter().rev().map(Arc::as_ref)
    }

    pub fn clear(&mut self) {
        self.lines.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_lines_go_when_there_are_too_many() {
        let mut happenings = Happenings::default();
        for number in 0..HAPPENINGS_MAX + 7 {
            let event = Event::Happened { what: number.to_string(), case: None, who: None };
            happenings.take(&event, Timestamp(0));
        }
        assert_eq!(happenings.iter().count(), HAPPENINGS_MAX);
        assert_eq!(happenings.iter().next().map(|line| line.what.as_str()), Some("1006"));
        assert_eq!(happenings.iter().last().map(|line| line.what.as_str()), Some("7"));
    }

    #[test]
    fn what_belongs_to_one_request_is_not_kept() {
        let mut happenings = Happenings::default();
        let delivery = Event::Delivery { case: "c-a".into(), member: "Beck".into(), state: "delivered".into() };
        happenings.take(&delivery, Timestamp(0));
        assert_eq!(happenings.iter().count(), 0);
    }
}
