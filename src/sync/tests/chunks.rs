//! Chunks between machines: complete, in order of need, from several sources, and nothing twice.

use std::collections::BTreeMap;
use std::time::{Duration, Instant as Clock};

use super::harness::{CASE, World, device, make_chunks, names};
use crate::encoding::id::ChunkId;
use crate::sync::event::{Breach, Effect, Event, Lane, Standing};
use crate::sync::machine::Machine;
use crate::sync::message::{Chunk, ChunkRequest, Chunks, Class, List, Message};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Nodes that all hold the chunks but node 0, connected to it.
fn sources(count: usize, chunks: usize, bytes: usize, seed: u64) -> (World, Vec<ChunkId>) {
    let mut world = World::new(count + 1, seed);
    let chunks = make_chunks(&mut world.rng, chunks, bytes);
    let order = names(&chunks);
    for source in 1..=count {
        world.nodes[source].chunks = chunks.clone();
        world.connect(0, source);
    }
    world.run(Duration::from_secs(2));
    (world, order)
}

fn total(world: &World) -> u64 {
    world.nodes[0].chunks.values().map(|chunk| chunk.len() as u64).sum()
}

fn assert_complete(world: &World, order: &[ChunkId]) {
    assert_eq!(world.nodes[0].chunks.len(), order.len());
    assert_eq!(world.nodes[0].machine.chunks_left(&CASE), 0);
    assert!(world.nodes[0].chunks.iter().all(|(id, chunk)| ChunkId::of(chunk) == *id));
}

#[test]
fn one_source_gives_everything_once_and_in_order() {
    let (mut world, order) = sources(1, 400, 4096, 1);
    world.want(0, Class::Series, order.clone());
    world.run(MINUTE);
    assert_complete(&world, &order);
    assert_eq!(world.nodes[0].arrived, order);
    let fetched = world.nodes[0].machine.fetched();
    assert_eq!((fetched.received_bytes, fetched.needless_bytes), (total(&world), 0));
    assert!(world.count("request") < 100, "requests go in batches: {}", world.count("request"));
}

#[test]
fn the_screen_comes_before_what_was_asked_before() {
    let (mut world, order) = sources(1, 300, 40_000, 2);
    world.line(0, 1).bytes_per_second = Some(250_000); // 2 Mbit/s
    world.want(0, Class::Series, order.clone());
    world.run(Duration::from_secs(10));
    let asked = world.now;
    let (series, urgent) = (order[299], order[298]);
    world.want(0, Class::Screen, vec![urgent]);
    while !world.nodes[0].chunks.contains_key(&urgent) {
        assert!(world.step());
    }
    let waited = world.now - asked;
    assert!(waited < Duration::from_millis(700), "{waited:?}");
    assert!(!world.nodes[0].chunks.contains_key(&series));
    world.run(HOUR);
    assert_complete(&world, &order);
}

#[test]
fn of_what_was_on_the_screen_the_last_comes_first() {
    let (mut world, order) = sources(1, 60, 4096, 13);
    world.cut(0, 1);
    let [first, second, rest] = [&order[..20], &order[20..40], &order[40..]].map(<[ChunkId]>::to_vec);
    world.want(0, Class::Series, order.clone());
    for seen in [&first, &second, &first] {
        world.want(0, Class::Screen, seen.clone());
    }
    world.connect(0, 1);
    world.run(MINUTE);
    assert_complete(&world, &order);
    assert_eq!(world.nodes[0].arrived, [first, second, rest].concat());
}

#[test]
fn every_class_goes_before_the_next() {
    let (mut world, order) = sources(1, 100, 4096, 3);
    world.cut(0, 1);
    for (n, class) in Class::ALL.into_iter().enumerate().rev() {
        world.want(0, class, order[n * 20..(n + 1) * 20].to_vec());
    }
    world.connect(0, 1);
    world.run(MINUTE);
    assert_complete(&world, &order);
    assert_eq!(world.nodes[0].arrived, order);
}

#[test]
fn a_chunk_asked_again_more_urgently_overtakes() {
    let (mut world, order) = sources(1, 64, 4096, 4);
    world.cut(0, 1);
    world.want(0, Class::Series, order.clone());
    world.want(0, Class::Screen, vec![order[63]]);
    world.connect(0, 1);
    world.run(MINUTE);
    assert_eq!(world.nodes[0].arrived[0], order[63]);
    assert_complete(&world, &order);
}

#[test]
fn three_sources_share_the_work_by_their_speed() {
    let (mut world, order) = sources(3, 1500, 65_536, 5);
    for (source, rate) in [(1, 8_000_000), (2, 4_000_000), (3, 1_000_000)] {
        world.line(0, source).bytes_per_second = Some(rate);
    }
    let start = world.now;
    world.want(0, Class::Series, order.clone());
    while world.nodes[0].machine.chunks_left(&CASE) > 0 {
        assert!(world.step());
    }
    let took = (world.now - start).as_secs_f64();
    assert_complete(&world, &order);
    let ideal = total(&world) as f64 / 13_000_000.0;
    println!("three sources: {took:.2} s, ideal {ideal:.2} s, {:?}", world.nodes[0].machine.fetched());
    assert!(took < ideal * 1.4, "{took} for {ideal}");
    let fetched = world.nodes[0].machine.fetched();
    assert!(fetched.needless_bytes * 100 < fetched.received_bytes, "{fetched:?}");
}

#[test]
fn a_source_that_falls_silent_loses_its_requests_and_may_come_back() {
    let (mut world, order) = sources(2, 400, 65_536, 6);
    for source in [1, 2] {
        world.line(0, source).bytes_per_second = Some(2_000_000);
    }
    world.want(0, Class::Series, order.clone());
    world.run(Duration::from_secs(2));
    world.line(0, 1).bytes_per_second = Some(10);
    let start = world.now;
    while world.nodes[0].machine.chunks_left(&CASE) > 0 {
        assert!(world.step());
    }
    assert!(world.now - start < Duration::from_secs(25), "{:?}", world.now - start);
    assert_complete(&world, &order);
    let fetched = world.nodes[0].machine.fetched();
    assert!(fetched.needless_bytes * 100 < fetched.received_bytes, "{fetched:?}");
}

#[test]
fn the_only_source_is_waited_for() {
    let (mut world, order) = sources(1, 20, 65_536, 7);
    world.line(0, 1).bytes_per_second = Some(5_000); // 13 s a chunk
    world.want(0, Class::Series, order.clone());
    world.run(HOUR);
    assert_complete(&world, &order);
    assert_eq!(world.nodes[0].machine.fetched().needless_bytes, 0);
    assert_eq!(world.count("cancel"), 0);
}

#[test]
fn a_liar_is_named_and_not_asked_again() {
    let (mut world, order) = sources(2, 200, 65_536, 8);
    world.nodes[1].lies = true;
    world.line(0, 2).bytes_per_second = Some(4_000_000);
    world.want(0, Class::Series, order.clone());
    world.run(MINUTE);
    assert_complete(&world, &order);
    let named = Effect::Breach { peer: device(1), case: Some(CASE), what: Breach::BadChunk };
    assert!(world.nodes[0].other.contains(&named));
    let asked = |world: &World| world.frames.iter().filter(|(_, _, to, kind)| (*to, *kind) == (1, "request")).count();
    let before = asked(&world);
    let more = make_chunks(&mut world.rng, 50, 4096);
    for source in [1, 2] {
        world.nodes[source].chunks.extend(more.clone());
    }
    world.cut(0, 1);
    world.connect(0, 1);
    world.want(0, Class::Screen, names(&more));
    world.run(MINUTE);
    assert_eq!(asked(&world), before, "not on a new connection either");
    assert_eq!(world.nodes[0].chunks.len(), 250);
}

#[test]
fn what_a_source_lacks_is_fetched_elsewhere_and_later_when_it_has_more() {
    let (mut world, order) = sources(2, 300, 4096, 9);
    let late: Vec<_> = order[100..200].to_vec();
    let parked: BTreeMap<_, _> = late.iter().map(|id| (*id, world.nodes[1].chunks.remove(id).unwrap())).collect();
    world.nodes[2].chunks.retain(|id, _| order[..100].contains(id));
    world.want(0, Class::Series, order.clone());
    world.run(MINUTE);
    assert_eq!(world.nodes[0].machine.chunks_left(&CASE), 100);
    let before = world.count("request");
    world.run(MINUTE);
    assert_eq!(world.count("request"), before, "nobody is asked again for nothing");
    world.nodes[1].chunks.extend(parked);
    for chunk in late {
        world.event(1, Event::ChunkDurable { chunk });
    }
    world.run(MINUTE);
    assert_complete(&world, &order);
    assert_eq!(world.nodes[0].machine.fetched().needless_bytes, 0);
}

#[test]
fn readers_pass_on_to_each_other_what_they_have() {
    let mut world = World::new(3, 10);
    let chunks = make_chunks(&mut world.rng, 200, 65_536);
    world.nodes[0].chunks = chunks.clone();
    for (a, b) in [(0, 1), (1, 2)] {
        world.connect(a, b);
        world.line(a, b).bytes_per_second = Some(4_000_000);
    }
    world.run(Duration::from_secs(1));
    world.want(1, Class::Series, names(&chunks));
    world.want(2, Class::Series, names(&chunks));
    world.run(MINUTE);
    for n in 1..3 {
        assert_eq!(world.nodes[n].chunks.len(), 200, "node {n}");
        assert_eq!(world.nodes[n].machine.fetched().needless_bytes, 0);
    }
}

#[test]
fn a_cut_and_a_restart_fetch_nothing_twice() {
    let (mut world, order) = sources(1, 600, 65_536, 11);
    world.line(0, 1).bytes_per_second = Some(3_000_000);
    world.want(0, Class::Series, order.clone());
    let mut before = 0;
    for round in 0..10 {
        world.run(Duration::from_millis(800));
        if round % 2 == 0 {
            world.cut(0, 1);
        } else {
            before += world.nodes[0].machine.fetched().received_bytes;
            world.restart(0);
        }
        world.connect(0, 1);
    }
    world.run(HOUR);
    assert_complete(&world, &order);
    let fetched = world.nodes[0].machine.fetched();
    assert_eq!(before + fetched.received_bytes, total(&world));
    assert_eq!(fetched.needless_bytes, 0);
}

#[test]
fn a_withdrawn_study_stops_at_once_on_both_sides() {
    let (mut world, order) = sources(1, 300, 65_536, 12);
    world.line(0, 1).bytes_per_second = Some(2_000_000);
    world.want(0, Class::Series, order.clone());
    world.run(Duration::from_secs(2));
    world.nodes[1].chunks.clear();
    world.event(1, Event::Withdrawn { chunks: order.clone() });
    let at_source = world.count("chunk");
    world.run(Duration::from_secs(1));
    assert!(world.count("chunk") <= at_source, "the source sends nothing more");
    world.event(0, Event::Withdrawn { chunks: order });
    assert_eq!(world.nodes[0].machine.chunks_left(&CASE), 0);
    let asked = world.count("request");
    world.run(MINUTE);
    assert_eq!(world.count("request"), asked);
    assert_eq!(world.breaches(), Vec::<&Effect>::new());
}

#[test]
fn what_is_no_longer_wanted_is_cancelled() {
    let (mut world, order) = sources(1, 300, 65_536, 13);
    world.line(0, 1).bytes_per_second = Some(2_000_000);
    world.want(0, Class::Series, order.clone());
    world.run(Duration::from_secs(1));
    world.event(0, Event::UnwantCase { case: CASE });
    world.run(MINUTE);
    let fetched = world.nodes[0].machine.fetched();
    assert!(fetched.needless_bytes < 1024 * 1024, "only what was on the wire: {fetched:?}");
    assert_eq!(world.breaches(), Vec::<&Effect>::new());
}

#[test]
fn no_chunk_is_asked_of_someone_whose_invitation_is_not_opened() {
    let mut world = World::new(2, 14);
    let chunks = make_chunks(&mut world.rng, 10, 4096);
    world.nodes[1].chunks = chunks.clone();
    world.standing.insert((0, 1, CASE), Standing::InvitedMe);
    world.connect(0, 1);
    world.want(0, Class::Manifest, names(&chunks));
    world.run(MINUTE);
    assert_eq!(world.count("request"), 0);
    world.event(0, Event::Share { peer: device(1), case: CASE, standing: Standing::FullMember });
    world.run(MINUTE);
    assert_eq!(world.nodes[0].chunks.len(), 10);
}

#[test]
fn a_revoked_peer_is_given_no_chunk_and_asked_for_none() {
    let (mut world, order) = sources(2, 200, 65_536, 15);
    for source in [1, 2] {
        world.line(0, source).bytes_per_second = Some(2_000_000);
    }
    world.want(0, Class::Series, order.clone());
    world.run(Duration::from_secs(1));
    world.event(1, Event::Revoke { peer: device(0), case: CASE });
    world.run(Duration::from_secs(1));
    let given = world.sent[&(1, 0, "chunk")];
    world.run(HOUR);
    assert_eq!(world.sent[&(1, 0, "chunk")], given);
    assert_complete(&world, &order);
    assert_eq!(world.breaches(), Vec::<&Effect>::new());
}

#[test]
fn a_chunk_wanted_by_two_cases_is_fetched_once() {
    let (mut world, order) = sources(1, 50, 4096, 16);
    let other = crate::encoding::id::CaseId([0xdd; 32]);
    for (a, b) in [(0, 1), (1, 0)] {
        world.event(a, Event::Share { peer: device(b), case: other, standing: Standing::FullMember });
    }
    world.want(0, Class::Series, order.clone());
    world.event(0, Event::Want { case: other, class: Class::KeyImage, chunks: order.clone() });
    world.run(MINUTE);
    assert_complete(&world, &order);
    assert_eq!(world.nodes[0].machine.chunks_left(&other), 0);
    assert_eq!(world.nodes[0].machine.fetched().needless_bytes, 0);
}

/// Takes two machines through a fetch and measures their own time alone: chunks a second of the taker and the giver.
fn measure(count: usize, bytes: usize) -> [f64; 2] {
    let mut rng = crate::encoding::random::Seeded::new(17);
    let chunks = make_chunks(&mut rng, count, bytes);
    let logs = BTreeMap::from([(CASE, crate::sync::log::CaseLog::default())]);
    let (a, b) = (device(0), device(1));
    let mut machines = [Machine::new(a), Machine::new(b)];
    let keys = [a, b];
    let mut spent = [Duration::ZERO; 2];
    let mut waiting: Vec<(usize, Event)> = Vec::new();
    for n in 0..2 {
        waiting.push((n, Event::Connected { peer: keys[1 - n] }));
        waiting.push((n, Event::Share { peer: keys[1 - n], case: CASE, standing: Standing::FullMember }));
    }
    waiting.push((0, Event::Want { case: CASE, class: Class::Series, chunks: names(&chunks) }));
    let mut now = Duration::from_secs(1);
    let (mut stored, mut given, mut given_bytes) = (0, 0usize, 0usize);
    let mut queue: std::collections::VecDeque<_> = waiting.into();
    while let Some((n, event)) = queue.pop_front() {
        now += Duration::from_micros(50);
        let mut out = Vec::new();
        let start = Clock::now();
        machines[n].handle(event, now, &logs, &mut out);
        spent[n] += start.elapsed();
        for effect in out {
            let (message, lane) = match effect {
                Effect::Send { message, lane, .. } => (message, lane),
                Effect::SendChunk { case, chunk, .. } => {
                    let bytes = chunks[&chunk].clone();
                    given += 1;
                    given_bytes += bytes.len();
                    (Message::Chunk(Chunk { case, id: chunk, bytes: bytes.into() }), Lane::Bulk)
                }
                Effect::StoreChunk { chunk, .. } => {
                    stored += 1;
                    queue.push_back((n, Event::ChunkDurable { chunk }));
                    continue;
                }
                _ => continue,
            };
            let frame = message.into_frame().into_vec();
            queue.push_back((n, Event::Sent { peer: keys[1 - n], lane, bytes: frame.len() }));
            queue.push_back((1 - n, Event::Received { peer: keys[n], frame }));
        }
    }
    assert_eq!((stored, given), (count, count));
    let rates = spent.map(|spent| count as f64 / spent.as_secs_f64());
    let mean = given_bytes / given;
    println!("{mean} bytes a chunk: taking {:.0} chunks/s, giving {:.0} chunks/s", rates[0], rates[1]);
    rates
}

#[test]
fn the_machine_keeps_up_with_a_fast_line() {
    // Small chunks show the machine's own work, large ones the hashing and copying.
    assert!(measure(20_000, 4096).iter().all(|rate| *rate > 3_000.0));
    assert!(measure(400, 256 * 1024).iter().all(|rate| *rate > 500.0));
}

#[test]
fn a_source_that_only_says_missing_does_not_make_us_spin() {
    let mut world = World::new(2, 18);
    let chunks = make_chunks(&mut world.rng, 1000, 128);
    world.connect(0, 1);
    world.want(0, Class::Series, names(&chunks));
    world.run(HOUR);
    assert!(world.count("request") < 100, "{}", world.count("request"));
    // It claims to have more, again and again, and has nothing.
    let frame = || Message::HaveMore(Chunks { case: CASE, ids: List(vec![]) }).into_frame().into_vec();
    world.event(0, Event::Received { peer: device(1), frame: frame() });
    world.run(HOUR);
    assert!(world.count("request") < 200, "{}", world.count("request"));
}

#[test]
fn requests_of_a_stranger_to_the_case_are_answered_with_nothing() {
    let mut world = World::new(2, 19);
    let chunks = make_chunks(&mut world.rng, 3, 4096);
    world.nodes[0].chunks = chunks.clone();
    world.standing.remove(&(0, 1, CASE));
    world.connect(0, 1);
    let request = ChunkRequest { case: CASE, class: Class::Screen, ids: List(names(&chunks)) };
    world.run(MINUTE);
    world.reset_counts();
    let frame = Message::ChunkRequest(request).into_frame().into_vec();
    world.event(0, Event::Received { peer: device(1), frame });
    world.run(MINUTE);
    assert_eq!(world.frames, []);
    let breach = Effect::Breach { peer: device(1), case: Some(CASE), what: Breach::NotShared };
    assert!(world.nodes[0].other.contains(&breach));
}
