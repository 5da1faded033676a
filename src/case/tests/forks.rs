//! A device that writes two histories.

use super::super::access::Role;
use super::super::room::WriteError;
use super::*;

/// A reader whose device wrote one thing to the owner and, from the same place, another to the second reader.
struct Forked {
    rng: Seeded,
    owner: Person,
    reader: Person,
    second: Person,
    at_owner: Copy,
    at_second: Copy,
}

fn forked(seed: u64) -> Forked {
    let mut rng = Seeded::new(seed);
    let (owner, reader, second) = (Person::new(&mut rng, 1), Person::new(&mut rng, 1), Person::new(&mut rng, 1));
    let invited = [reader.as_new(Role::Reader), second.as_new(Role::Reader)];
    let mut at_owner = Copy::found(&owner, &invited, &mut rng);
    let mut at_second = at_owner.for_device(&second.author(0));
    let author = reader.author(0);
    let (mut one, mut other) = (at_owner.for_device(&author), at_owner.for_device(&author));
    one.say(&author, "malignant", &mut rng).unwrap();
    other.say(&author, "benign", &mut rng).unwrap();
    other.say(&author, "as I always said", &mut rng).unwrap();
    at_owner.take_from(&one, &owner.author(0));
    at_second.take_from(&other, &second.author(0));
    Forked { rng, owner, reader, second, at_owner, at_second }
}

#[test]
fn both_histories_are_shown_with_the_proof_and_nothing_is_unsaid() {
    let mut world = forked(1);
    world.at_owner.take_from(&world.at_second, &world.owner.author(0));
    world.at_second.take_from(&world.at_owner, &world.second.author(0));
    let (here, there) = (world.at_owner.room.state(), world.at_second.room.state());
    assert_eq!(here.state_hash(), there.state_hash());
    let fork = here.shared.forks[0];
    assert_eq!((here.shared.forks.len(), fork.identity), (1, world.reader.identity()));
    assert!(fork.one != fork.other && world.at_owner.bytes.contains_key(&fork.one));
    let said: Vec<(&str, bool)> =
        here.shared.messages.iter().map(|said| (said.content.text.as_str(), said.stamp.flags.forked)).collect();
    for text in ["malignant", "benign", "as I always said"] {
        assert!(said.contains(&(text, true)), "{said:?}");
    }
}

#[test]
fn from_the_proof_on_the_device_counts_as_revoked() {
    let mut world = forked(2);
    let (owner, author) = (world.owner.author(0), world.reader.author(0));
    world.at_owner.take_from(&world.at_second, &owner);
    let device = author.certificate.device();
    assert!(world.at_owner.room.membership().current_device(&device).is_none());
    assert!(!world.at_owner.room.membership().is_out(&device), "what it said unaware is still taken");
    // What it writes knowing both branches does not count.
    let mut at_reader = world.at_owner.for_device(&author);
    assert_eq!(at_reader.say(&author, "sorry", &mut world.rng), Err(WriteError::Forked));
    let forced = at_reader.room.write_unchecked(&author, &message("sorry"), &mut world.rng);
    world.at_owner.take(&forced.bytes).unwrap();
    world.at_owner.room.learn(&owner);
    assert!(!world.at_owner.texts().contains(&"sorry".to_string()));
    // And nothing is sealed to it any more.
    world.at_owner.say(&owner, "without the forked device", &mut world.rng).unwrap();
    at_reader.take_from(&world.at_owner, &author);
    assert!(!at_reader.texts().contains(&"without the forked device".to_string()));
}

#[test]
fn a_fork_at_the_first_place_of_a_log_is_found_too() {
    let mut rng = Seeded::new(3);
    let (owner, reader) = (Person::new(&mut rng, 1), Person::new(&mut rng, 1));
    let mut at_owner = Copy::found(&owner, &[reader.as_new(Role::Reader)], &mut rng);
    let author = reader.author(0);
    for text in ["one", "two", "three"] {
        let mut branch = Copy::for_device(&at_owner_before(&at_owner), &author);
        branch.say(&author, text, &mut rng).unwrap();
        at_owner.take_from(&branch, &owner.author(0));
    }
    assert_eq!(at_owner.room.state().shared.forks.len(), 1);
    assert_eq!(at_owner.texts().len(), 3);
}

/// The case as it was founded.
fn at_owner_before(copy: &Copy) -> Copy {
    let first = copy.order[0];
    let entry = SignedEntry::read(&copy.bytes[&first]).unwrap();
    let bytes = BTreeMap::from([(first, copy.bytes[&first].clone())]);
    Copy { room: Room::open(entry, []).unwrap(), bytes, order: vec![first] }
}
