//! Which entries a device lacks, from what is known of its frontier; in the order in which it can take them.
//!
//! For a device's log that never forked the answer is plain: everything above the known head. Else the known heads
//! are climbed down over branches ([`CaseLog`]), and what they do not reach is lacking.
//!
//! **Heads I do not know** mean that the other side is ahead of me, or that the author forked. If the unknown head's
//! sequence is higher than mine, the other side may well have mine; if it recognises mine it will send me what
//! follows, and then I know. If no unknown head is higher, it surely lacks mine: a head that covered mine would be
//! listed, and would be as high at least. So of two sides that hold different branches at least one is sure, and that
//! one probes ([`probe_points`]).
//!
//! **Order.** Arrival order, which is causal; but what proves a fork goes first, with what it needs to be accepted.

use std::collections::BTreeSet;

use super::frontier::{Frontier, Head};
use super::log::{Arrival, CaseLog};
use super::message::PROBE_POINTS_MAX;
use crate::encoding::id::EntryId;
use crate::identity::keys::DeviceKey;

/// Entries nearest to a branch's head that a probe names one by one; below, the steps are a sixteenth of the depth.
const PROBE_DENSE: u64 = 16;

/// What the holder of a log should send to the holder of `frontier`, in causal order, fork proofs first.
///
/// For bundles, where nobody can be asked: a receiver whose unknown head is higher than mine is taken to have mine,
/// and of a device that forked a branch may be packed that the receiver has in part.
pub fn plan_for(frontier: &Frontier, log: &CaseLog) -> Vec<EntryId> {
    let mut lacking = BTreeSet::new();
    for (device, _) in log.frontier().devices() {
        let view = DeviceView { heads: frontier.heads(device), ..DeviceView::default() };
        let verdict = judge(log, device, &view);
        let send: BTreeSet<_> = verdict.send.into_iter().chain(verdict.probe).collect();
        lacking.extend(entries_beyond(log, device, &view, &send));
    }
    in_order(log, lacking).into_iter().map(|(_, arrival)| log.id(arrival)).collect()
}

/// What is known of another side's copy of one device's log.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct DeviceView<'a> {
    /// The heads it told.
    pub(super) heads: &'a [Head],
    /// Entries it has besides: answers to probes.
    pub(super) has: &'a [EntryId],
    /// Heads of its that I do not know, but whose branch I know from a probe.
    pub(super) settled: &'a [EntryId],
    /// Heads of mine that it said it lacks.
    pub(super) lacks: &'a [EntryId],
}

/// What to do about each of my branch tips that the other side's heads do not cover.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Send down to what it has.
    pub(super) send: Vec<Arrival>,
    /// It surely lacks these, but has a branch I do not know: ask where they part.
    pub(super) probe: Vec<Arrival>,
    /// It may have these: wait for what it sends.
    pub(super) wait: Vec<Arrival>,
}

pub(super) fn judge(log: &CaseLog, device: &DeviceKey, view: &DeviceView<'_>) -> Verdict {
    let covered = log.reach(device, known(log, view));
    let unknown = view.heads.iter().filter(|head| !log.contains(&head.id) && !view.settled.contains(&head.id));
    let highest_unknown = unknown.map(|head| head.sequence).max();
    let mut verdict = Verdict::default();
    for tip in log.tips_of(device) {
        let own_reach = log.reach(device, std::iter::once(tip));
        if log.beyond(device, &own_reach, &covered).next().is_none() {
            continue;
        }
        let head = log.head(tip);
        match highest_unknown {
            _ if view.lacks.contains(&head.id) => verdict.send.push(tip),
            None => verdict.send.push(tip),
            Some(highest) if highest > head.sequence => verdict.wait.push(tip),
            Some(_) => verdict.probe.push(tip),
        }
    }
    verdict
}

/// Entries from these tips down to what the other side has.
pub(super) fn entries_beyond(
    log: &CaseLog,
    device: &DeviceKey,
    view: &DeviceView<'_>,
    tips: &BTreeSet<Arrival>,
) -> Vec<Arrival> {
    let covered = log.reach(device, known(log, view));
    let wanted = log.reach(device, tips.iter().copied());
    log.beyond(device, &wanted, &covered).collect()
}

fn known<'a>(log: &'a CaseLog, view: &DeviceView<'a>) -> impl Iterator<Item = Arrival> + 'a {
    let heads = view.heads.iter().map(|head| &head.id);
    heads.chain(view.has).filter_map(|id| log.arrival(id))
}

/// Whether the heads cover this entry; heads I do not know cover nothing.
pub(super) fn covers(log: &CaseLog, heads: &[Head], entry: Arrival) -> bool {
    heads.iter().filter_map(|head| log.arrival(&head.id)).any(|head| log.is_before(entry, head))
}

/// Takes into a frontier that its holder has this entry too.
pub(super) fn join(frontier: &mut Frontier, log: &CaseLog, entry: Arrival) {
    let device = log.device(entry);
    let heads = frontier.heads(&device);
    if covers(log, heads, entry) {
        return;
    }
    let is_below = |head: &Head| log.arrival(&head.id).is_some_and(|head| log.is_before(head, entry));
    let mut heads: Vec<_> = heads.iter().copied().filter(|head| !is_below(head)).collect();
    heads.push(log.head(entry));
    frontier.set(device, heads);
}

/// Points of a branch from its tip down, dense at first, ever sparser below; ends at its start or at what `view`
/// covers. Whoever has one of them has all below it, so the answer is off by a sixteenth of the difference at most.
pub(super) fn probe_points(log: &CaseLog, device: &DeviceKey, view: &DeviceView<'_>, tip: Arrival) -> Vec<Head> {
    let covered = log.reach(device, known(log, view));
    let top = log.head(tip).sequence;
    let mut points = Vec::new();
    let mut depth = 0u64;
    while points.len() < PROBE_POINTS_MAX {
        let last = depth >= top;
        let Some(point) = log.ancestor_at(tip, top.saturating_sub(depth)) else { break };
        let reach = log.reach(device, std::iter::once(point));
        if log.beyond(device, &reach, &covered).next().is_none() {
            break;
        }
        points.push(log.head(point));
        if last {
            break;
        }
        depth += (depth / PROBE_DENSE).max(1);
    }
    points
}

/// Orders entries for sending: what proves a fork and its past (rank 0), then the rest (rank 1), each as they arrived.
pub(super) fn in_order(log: &CaseLog, entries: BTreeSet<Arrival>) -> BTreeSet<(u8, Arrival)> {
    let mut urgent: BTreeSet<Arrival> = BTreeSet::new();
    let mut open: Vec<_> = entries.iter().copied().filter(|entry| log.starts_fork(*entry)).collect();
    while let Some(entry) = open.pop() {
        if entries.contains(&entry) && urgent.insert(entry) {
            open.extend(log.past(entry));
        }
    }
    entries.into_iter().map(|entry| (u8::from(!urgent.contains(&entry)), entry)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::log::IndexEntry;

    const ANNA: DeviceKey = DeviceKey([1; 32]);
    const BEN: DeviceKey = DeviceKey([2; 32]);

    fn id(branch: u8, sequence: u64) -> EntryId {
        let mut id = [branch; 32];
        id[..8].copy_from_slice(&sequence.to_be_bytes());
        EntryId(id)
    }

    fn write(log: &mut CaseLog, device: DeviceKey, branch: u8, from: Option<EntryId>, sequences: std::ops::Range<u64>) {
        let mut previous = from;
        for sequence in sequences {
            let id = id(branch, sequence);
            log.insert(&IndexEntry { id, device, sequence, previous, parents: &[], bytes: 100 }).unwrap();
            previous = Some(id);
        }
    }

    fn chain(length: u64) -> CaseLog {
        let mut log = CaseLog::default();
        write(&mut log, ANNA, 1, None, 0..length);
        log
    }

    fn sequences(log: &CaseLog, ids: &[EntryId]) -> Vec<u64> {
        ids.iter().map(|id| log.head(log.arrival(id).unwrap()).sequence).collect()
    }

    #[test]
    fn what_follows_the_known_head_is_sent() {
        let log = chain(10);
        assert_eq!(sequences(&log, &plan_for(chain(7).frontier(), &log)), [7, 8, 9]);
        assert_eq!(plan_for(log.frontier(), &log), []);
        assert_eq!(plan_for(&Frontier::default(), &log).len(), 10);
    }

    #[test]
    fn a_receiver_that_is_ahead_is_sent_nothing() {
        assert_eq!(plan_for(chain(20).frontier(), &chain(10)), []);
    }

    #[test]
    fn the_fork_and_its_past_go_before_everything_else() {
        let mut log = CaseLog::default();
        write(&mut log, BEN, 2, None, 0..3);
        write(&mut log, ANNA, 1, None, 0..5);
        write(&mut log, ANNA, 3, Some(id(1, 1)), 2..4);
        let plan = plan_for(&Frontier::default(), &log);
        assert_eq!(plan[..3], [id(1, 0), id(1, 1), id(3, 2)]);
        assert_eq!(plan.len(), 10);
    }

    #[test]
    fn of_two_branches_the_longer_ones_holder_is_sure() {
        let (mut long, mut short) = (chain(5), chain(5));
        write(&mut long, ANNA, 7, Some(id(1, 4)), 5..9);
        write(&mut short, ANNA, 8, Some(id(1, 4)), 5..7);
        let judged = |mine: &CaseLog, theirs: &CaseLog| {
            judge(mine, &ANNA, &DeviceView { heads: theirs.frontier().heads(&ANNA), ..DeviceView::default() })
        };
        assert_eq!(judged(&long, &short).probe.len(), 1);
        assert_eq!(judged(&short, &long).wait.len(), 1);
    }

    #[test]
    fn points_of_a_probe_find_the_parting_within_a_sixteenth() {
        let mut log = chain(100_000);
        write(&mut log, ANNA, 7, Some(id(1, 89_999)), 90_000..99_000);
        let tip = log.arrival(&id(7, 98_999)).unwrap();
        let points = probe_points(&log, &ANNA, &DeviceView::default(), tip);
        assert!(points.len() <= PROBE_POINTS_MAX);
        assert_eq!(points.last().unwrap().sequence, 0);
        for parting in [98_990u64, 98_000, 90_000, 50_000, 10] {
            let common = points.iter().find(|point| point.sequence < parting).unwrap().sequence;
            assert!((98_999 - common) as f64 <= (98_999 - parting + 1) as f64 * 1.07 + 1.0, "{parting} {common}");
        }
    }

    #[test]
    fn joining_keeps_one_head_a_branch() {
        let mut log = chain(5);
        write(&mut log, ANNA, 3, Some(id(1, 1)), 2..4);
        let mut frontier = Frontier::default();
        for entry in [id(1, 3), id(1, 1), id(1, 4), id(3, 2)] {
            join(&mut frontier, &log, log.arrival(&entry).unwrap());
        }
        let ids: Vec<_> = frontier.heads(&ANNA).iter().map(|head| head.id).collect();
        assert_eq!(ids, [id(3, 2), id(1, 4)]);
    }
}
