//! Entries between machines: what is sent, how often, how soon, and what is known of it.

use std::time::Duration;

use super::harness::{CASE, World, device};
use crate::encoding::id::EntryId;
use crate::sync::event::{Delivery, Effect, Event, Limit, Standing};
use crate::sync::exchange::INVITATION_BYTES_MAX;
use crate::sync::machine::Machine;

const MINUTE: Duration = Duration::from_secs(60);

/// A history of `devices` authors that every node has, then more entries at single nodes.
fn history(nodes: usize, devices: usize, entries: usize, apart: &[(usize, usize)]) -> World {
    let mut world = World::new(nodes, 7);
    let mut last: Vec<Option<(u64, EntryId)>> = vec![None; devices];
    for n in 0..entries {
        let author = n % devices;
        let parents: Vec<_> = last[(n + devices - 1) % devices].iter().map(|(_, id)| *id).collect();
        let parents = if devices > 1 { parents } else { Vec::new() };
        let id = world.write_as(0, device(10 + author), last[author], parents, 60);
        last[author] = Some((last[author].map_or(0, |(sequence, _)| sequence + 1), id));
        let bytes = world.nodes[0].entries[&id].clone();
        let entry = crate::encoding::from_bytes(&bytes, 1 << 20).unwrap();
        for other in 1..nodes {
            world.nodes[other].store(&entry, bytes.clone()).unwrap();
        }
    }
    for (node, more) in apart {
        for n in 0..*more {
            let author = n % devices;
            // Only one node writes for each author, as it is with honest devices.
            let author_of_node = 10 + author - author % nodes + node;
            if author_of_node < 10 + devices {
                let slot = author_of_node - 10;
                let id = world.write_as(*node, device(author_of_node), last[slot], vec![], 350);
                last[slot] = Some((last[slot].map_or(0, |(sequence, _)| sequence + 1), id));
            } else {
                world.write(*node, 350);
            }
        }
    }
    world.reset_counts();
    world
}

fn assert_equal(world: &World) {
    for n in 1..world.nodes.len() {
        assert_eq!(world.log(n).frontier(), world.log(0).frontier(), "node {n}");
        assert_eq!(world.log(n).len(), world.log(0).len());
    }
    assert_eq!(world.breaches(), Vec::<&Effect>::new());
}

#[test]
fn equal_cases_cost_two_digests() {
    let mut world = history(2, 8, 500, &[]);
    world.connect(0, 1);
    world.run(MINUTE);
    assert_equal(&world);
    assert_eq!(world.count("digests"), 2);
    assert_eq!(world.count("sketch") + world.count("heads") + world.count("entries") + world.count("ack"), 0);
    assert!(world.all_bytes() < 200, "{}", world.all_bytes());
}

#[test]
fn a_difference_in_a_hundred_thousand_costs_three_round_trips_and_its_own_size() {
    for (devices, common, a, b) in [
        (8, 100_000, 10, 300),
        (2, 1000, 1, 0),
        (8, 1000, 0, 300),
        (64, 5000, 200, 200),
        (128, 5000, 128, 300),
        (128, 5000, 64, 64),
        (128, 5000, 0, 1),
    ] {
        let mut world = history(2, devices, common, &[(0, a), (1, b)]);
        let before: Vec<usize> = (0..2).map(|n| world.log(n).len()).collect();
        world.connect(0, 1);
        let start = world.now;
        let total = before[0] + before[1] - common;
        while world.log(0).len() < total || world.log(1).len() < total {
            assert!(world.step(), "it ends too early");
        }
        let trips = (world.now - start).as_secs_f64() / 0.020;
        world.run(MINUTE);
        assert_equal(&world);
        let entry_bytes: usize = [(0, before[0]), (1, before[1])]
            .iter()
            .flat_map(|(n, from)| (common..*from).map(move |arrival| (n, arrival)))
            .map(|(n, arrival)| world.log(*n).bytes(arrival as u32) as usize)
            .sum();
        let bound = 8 * 1024 + entry_bytes * 6 / 5;
        println!(
            "{devices} devices, {a} + {b} apart in {common}: {trips:.1} round trips, {} bytes for {entry_bytes} of entries",
            world.all_bytes()
        );
        assert!(trips <= 3.0, "{trips}");
        assert!(world.all_bytes() as usize <= bound, "{devices} {a} {b}: {} > {bound}", world.all_bytes());
    }
}

#[test]
fn a_fresh_device_gets_the_whole_history() {
    let mut world = World::new(2, 1);
    for _ in 0..3000 {
        world.write(0, 1000);
    }
    world.connect(0, 1);
    world.run(MINUTE);
    assert_equal(&world);
    assert_eq!(world.log(1).len(), 3000);
    let entries = world.sent[&(0, 1, "entries")] as f64;
    let size: usize = world.nodes[0].entries.values().map(Vec::len).sum();
    assert!(entries < size as f64 * 1.02, "each entry is sent once");
}

#[test]
fn a_new_entry_is_there_after_one_way_and_delivered_after_two() {
    let mut world = history(3, 3, 30, &[]);
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        world.connect(a, b);
    }
    world.run(Duration::from_secs(5));
    let id = world.write(0, 500);
    assert_eq!(world.delivery(0, id, 1), Delivery::OnTheWay);
    world.run(Duration::from_millis(12));
    assert!(world.log(1).contains(&id) && world.log(2).contains(&id));
    world.run(Duration::from_millis(12));
    assert_eq!(world.delivery(0, id, 1), Delivery::Delivered);
    assert_eq!(world.delivery(0, id, 2), Delivery::Delivered);
    world.run(Duration::from_secs(2));
    assert_eq!(world.delivery(1, id, 2), Delivery::Delivered, "members know of each other too");
    assert_equal(&world);
}

#[test]
fn an_entry_is_passed_on_to_whom_the_author_cannot_reach() {
    let mut world = World::new(3, 3);
    world.connect(0, 1);
    world.connect(1, 2);
    let id = world.write(0, 100);
    world.run(MINUTE);
    assert!(world.log(2).contains(&id));
    assert_eq!(world.delivery(0, id, 2), Delivery::NotSent, "nothing of device 2 came back yet");
    world.write(2, 100);
    world.run(MINUTE);
    assert_eq!(world.delivery(0, id, 2), Delivery::Delivered, "device 2 cites it");
    assert_equal(&world);
}

#[test]
fn delivery_survives_a_restart() {
    let mut world = World::new(2, 4);
    world.connect(0, 1);
    let id = world.write(0, 100);
    world.run(MINUTE);
    world.restart(0);
    assert_eq!(world.delivery(0, id, 1), Delivery::Delivered);
    let later = world.write(0, 100);
    assert_eq!(world.delivery(0, later, 1), Delivery::NotSent);
}

#[test]
fn acknowledgements_are_gathered() {
    let mut world = World::new(2, 5);
    world.connect(0, 1);
    world.run(MINUTE);
    world.reset_counts();
    for _ in 0..200 {
        world.write(0, 100);
        world.run(Duration::from_millis(2));
    }
    world.run(MINUTE);
    assert_equal(&world);
    assert!(world.count("ack") <= 12, "{} for 400 ms", world.count("ack"));
}

/// Both nodes have `common` entries of device 50; then each has a branch of its own.
fn forked(common: u64, first: u64, second: u64) -> World {
    let mut world = World::new(2, 6);
    let forger = device(50);
    let mut last = None;
    for _ in 0..common {
        let id = world.write_as(0, forger, last, vec![], 60);
        last = Some((last.map_or(0, |(sequence, _)| sequence + 1), id));
        let bytes = world.nodes[0].entries[&id].clone();
        let entry = crate::encoding::from_bytes(&bytes, 1 << 20).unwrap();
        world.nodes[1].store(&entry, bytes).unwrap();
    }
    for (node, length) in [(0, first), (1, second)] {
        let mut last = last;
        for _ in 0..length {
            let id = world.write_as(node, forger, last, vec![], 60);
            last = Some((last.map_or(0, |(sequence, _)| sequence + 1), id));
        }
    }
    world.reset_counts();
    world
}

#[test]
fn two_branches_meet_and_both_sides_hold_the_proof() {
    for (common, first, second) in
        [(0, 1, 1), (0, 1, 40), (1, 30, 1), (10, 5, 5), (10, 1, 700), (5000, 20, 300), (5000, 2000, 1)]
    {
        let mut world = forked(common, first, second);
        world.connect(0, 1);
        world.run(MINUTE);
        assert_equal(&world);
        for n in 0..2 {
            assert_eq!(world.log(n).len() as u64, common + first + second);
            assert_eq!(world.log(n).fork_proofs(&device(50)).len(), 1);
        }
        let entries: usize = (0..2).map(|n| world.log(n).len()).sum::<usize>() - 2 * common as usize;
        let bytes = world.nodes[0].entries.values().map(Vec::len).max().unwrap() * entries / 2;
        let bound = 8 * 1024 + bytes * 6 / 5;
        assert!(world.all_bytes() as usize <= bound, "{common} {first} {second}: {} > {bound}", world.all_bytes());
    }
}

#[test]
fn the_proof_of_a_fork_goes_before_everything_else() {
    let mut world = forked(10, 5, 0);
    for _ in 0..400 {
        world.write(0, 2000);
    }
    // Node 0 also gets the other branch.
    let at = world.log(0).frontier().heads(&device(50))[0];
    let base = world.log(0).ancestor_at(world.log(0).arrival(&at.id).unwrap(), 9).unwrap();
    let base = world.log(0).head(base);
    let fork = world.write_as(0, device(50), Some((base.sequence, base.id)), vec![], 60);
    world.connect(0, 1);
    while !world.log(1).contains(&fork) {
        assert!(world.step());
    }
    assert!(world.log(1).len() < 100, "{} before the proof", world.log(1).len());
    world.run(MINUTE);
    assert_equal(&world);
}

#[test]
fn an_unopened_invitation_takes_one_mebibyte_and_the_rest_when_it_is_opened() {
    let mut world = World::new(2, 8);
    for _ in 0..100 {
        world.write(0, 50_000);
    }
    world.standing.insert((1, 0, CASE), Standing::InvitedMe);
    world.connect(0, 1);
    world.run(MINUTE);
    let taken: usize = world.nodes[1].entries.values().map(Vec::len).sum();
    assert!(taken as u64 <= INVITATION_BYTES_MAX && taken > 500_000, "{taken}");
    let told = Effect::Incomplete { peer: device(0), case: CASE, why: Limit::Invitation };
    assert_eq!(world.nodes[1].other, [told]);
    let sent = world.sent[&(0, 1, "entries")];
    assert!(sent < 3 * INVITATION_BYTES_MAX, "the sender stops too: {sent}");
    let last = world.nodes[0].logs[&CASE].frontier().heads(&device(0))[0].id;
    assert_eq!(world.delivery(0, last, 1), Delivery::NotSent);

    world.event(1, Event::Share { peer: device(0), case: CASE, standing: Standing::FullMember });
    world.run(MINUTE);
    assert_equal(&world);
}

#[test]
fn a_case_nobody_was_told_of_is_offered_and_answered_only_when_shared() {
    let mut world = World::new(2, 9);
    world.standing.remove(&(1, 0, CASE));
    world.write(0, 100);
    world.connect(0, 1);
    world.run(MINUTE);
    assert_eq!(world.nodes[1].other, [Effect::Offered { peer: device(0), case: CASE }]);
    assert_eq!(world.sent.keys().filter(|(from, _, kind)| *from == 1 && *kind != "hello").count(), 0);
    assert_eq!(world.count("entries"), 0, "nothing is sent before it shares the case too");
    world.event(1, Event::Share { peer: device(0), case: CASE, standing: Standing::InvitedMe });
    world.run(MINUTE);
    assert_equal(&world);
    assert_eq!(world.log(1).len(), 1);
}

#[test]
fn nothing_goes_to_a_peer_whose_right_was_taken_back_until_it_is_given_again() {
    let mut world = World::new(2, 10);
    world.connect(0, 1);
    world.write(0, 100);
    world.run(MINUTE);
    world.event(0, Event::Revoke { peer: device(1), case: CASE });
    assert!(!world.nodes[0].machine.may_send(&device(1), &CASE));
    let later = world.write(0, 100);
    world.write(1, 100);
    world.run(MINUTE);
    assert!(!world.log(1).contains(&later));
    assert_eq!(world.breaches(), Vec::<&Effect>::new(), "what was under way is no breach");
    world.event(0, Event::Share { peer: device(1), case: CASE, standing: Standing::FullMember });
    world.run(MINUTE);
    assert_equal(&world);
    assert_eq!(world.log(1).len(), 3);
}

#[test]
fn one_device_copied_to_two_machines_is_told_so() {
    let mut world = World::new(2, 11);
    // Node 1 holds an entry that node 0's own device wrote and node 0 lost.
    world.write_as(1, device(0), None, vec![], 60);
    world.connect(0, 1);
    world.run(MINUTE);
    assert_eq!(world.nodes[0].other, [Effect::OwnLogAhead { peer: device(1), case: CASE, sequence: 0 }]);
    assert_equal(&world);
}

#[test]
fn a_slow_line_never_holds_more_than_the_window() {
    let mut world = World::new(2, 12);
    for _ in 0..200 {
        world.write(0, 60_000);
    }
    world.connect(0, 1);
    world.line(0, 1).bytes_per_second = Some(1_000_000);
    world.run(Duration::from_secs(3));
    let sent = world.sent_bytes(0, 1);
    assert!(sent <= 3 * 1_000_000 + 2 * 1024 * 1024, "{sent}");
    world.run(MINUTE);
    assert_equal(&world);
}

#[test]
fn a_case_sends_its_live_messages_before_entries_and_only_the_newest() {
    let mut world = World::new(2, 13);
    world.connect(0, 1);
    world.run(MINUTE);
    world.line(0, 1).bytes_per_second = Some(2_000_000);
    for _ in 0..50 {
        world.write(0, 60_000);
    }
    world.reset_counts();
    for n in 0..100u8 {
        world.event(0, Event::SendLive { case: CASE, slot: 0, bytes: vec![n; 10] });
        world.run(Duration::from_millis(1));
    }
    world.run(MINUTE);
    assert!((3..=5).contains(&world.count("live")), "30 a second: {} in 100 ms", world.count("live"));
    let newest = Effect::LiveReceived { peer: device(0), case: CASE, slot: 0, bytes: vec![99; 10] };
    assert_eq!(world.nodes[1].other.last(), Some(&newest));
}

#[test]
fn a_courier_gets_no_live_messages() {
    let mut world = World::new(2, 14);
    world.standing.insert((0, 1, CASE), Standing::Courier);
    world.connect(0, 1);
    world.run(MINUTE);
    world.event(0, Event::SendLive { case: CASE, slot: 0, bytes: vec![1] });
    world.write(0, 100);
    world.run(MINUTE);
    assert_eq!(world.count("live"), 0);
    assert_equal(&world);
}

#[test]
fn cards_pass_as_they_are() {
    let mut world = World::new(2, 15);
    world.connect(0, 1);
    world.event(0, Event::SendCards { peer: device(1), cards: vec![vec![1, 2], vec![3]] });
    world.run(MINUTE);
    assert_eq!(world.nodes[1].other, [Effect::CardsReceived { peer: device(0), cards: vec![vec![1, 2], vec![3]] }]);
}

#[test]
fn nobody_connected_costs_nothing() {
    let mut machine = Machine::new(device(0));
    let logs = std::collections::BTreeMap::new();
    let mut out = Vec::new();
    machine.handle(Event::EntriesAdded { case: CASE, ids: vec![] }, MINUTE, &logs, &mut out);
    machine.handle(Event::Share { peer: device(1), case: CASE, standing: Standing::Courier }, MINUTE, &logs, &mut out);
    assert_eq!(out, []);
}
