//! What a line of the transfers says: from what is known to a state, and what it waits for, in words.
//!
//! Pure. A state is one word that programs rely on; what it waits for is for people.

use std::time::Duration;

use crate::net::{AttemptEnd, Reach};

/// A source that has sent nothing for so long is said to stand still.
const SILENT_AFTER: Duration = Duration::from_secs(5);

/// Most people whose waiting is told one by one.
const TOLD_MAX: usize = 3;

/// Somebody at the other end.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub name: String,
    pub identity: String,
    pub is_courier: bool,
    /// Absent: none of her devices may connect.
    pub reach: Option<Reach>,
}

/// What is known of taking a case's images.
pub(super) struct Taking<'a> {
    /// It was not accepted yet.
    pub is_invitation: bool,
    /// Chunks that are not here.
    pub left: u64,
    /// Of these, asked of somebody connected.
    pub asked: usize,
    /// How long nothing has come of what is asked.
    pub silent: Duration,
    /// The last of them came since the node started.
    pub completed: bool,
    pub people: &'a [&'a Person],
}

/// What is known of giving to one member.
pub(super) struct Giving<'a> {
    /// Of what was written: `not sent`, `on the way`, or that it arrived.
    pub delivery: &'a str,
    /// Chunks that she asks for now.
    pub asked: usize,
    pub chunks_done: u64,
    pub chunks_total: u64,
    pub person: &'a Person,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub word: &'static str,
    pub waits_for: Option<String>,
}

fn state(word: &'static str, waits_for: impl Into<Option<String>>) -> Option<State> {
    Some(State { word, waits_for: waits_for.into() })
}

/// The state of taking, or none if there is nothing to say.
pub(super) fn taking_state(facts: &Taking<'_>) -> Option<State> {
    if facts.left == 0 {
        return if facts.completed { state("complete", None) } else { None };
    }
    if facts.is_invitation {
        return state("invited", "your answer: fetching its images accepts the case".to_owned());
    }
    if facts.asked > 0 {
        let silent = facts.silent.as_secs();
        return match facts.silent < SILENT_AFTER {
            true => state("arriving", None),
            false => state("stalled", format!("an answer: nothing has come for {silent} s")),
        };
    }
    let connected: Vec<&str> = facts
        .people
        .iter()
        .filter(|person| person.reach == Some(Reach::Connected))
        .map(|person| person.name.as_str())
        .collect();
    if !connected.is_empty() {
        return state(
            "waiting",
            format!("somebody who holds the rest: {} has no more of it now", connected.join(", ")),
        );
    }
    let refused = !facts.people.is_empty() && facts.people.iter().all(|person| is_refused(person));
    state(if refused { "refused" } else { "waiting" }, waits_for(facts.people))
}

/// The state of giving, or none if there is nothing to say.
pub(super) fn giving_state(facts: &Giving<'_>) -> Option<State> {
    let person = facts.person;
    let is_connected = person.reach == Some(Reach::Connected);
    if facts.asked > 0 {
        return state("giving", None);
    }
    match (facts.delivery, is_connected) {
        ("not sent", true) => state("not sent", format!("{}: connected, it goes out now", person.name)),
        ("not sent", false) => state("not sent", waits_for(&[person])),
        ("on the way", true) => state("on the way", format!("the answer of {}", person.name)),
        ("on the way", false) => {
            state("on the way", format!("the answer of {}, over a connection or in a bundle", person.name))
        }
        _ if facts.chunks_done == 0 => None,
        _ if facts.chunks_done >= facts.chunks_total => state("complete", None),
        _ => state("given", format!("{} to ask for more, if she lacks it", person.name)),
    }
}

/// What comes first in a list: what failed, what is under way, what waits, what is done.
pub(super) fn rank(word: &str) -> u8 {
    match word {
        "not sent" => 0,
        "refused" | "stalled" => 1,
        "arriving" | "giving" | "on the way" => 2,
        "complete" | "given" => 4,
        _ => 3,
    }
}

/// How long so many bytes take; unknown without a rate.
pub(super) fn seconds_for(bytes: u64, bytes_per_second: Option<u64>) -> Option<u64> {
    bytes_per_second.filter(|rate| *rate > 0).map(|rate| bytes.div_ceil(rate))
}

/// How the likeliest of several devices can be reached.
pub(super) fn best(devices: impl Iterator<Item = Reach>) -> Option<Reach> {
    devices.min_by_key(|reach| likelihood(Some(*reach)))
}

/// The smaller, the sooner.
fn likelihood(reach: Option<Reach>) -> (u8, Duration) {
    match reach {
        Some(Reach::Connected) => (0, Duration::ZERO),
        Some(Reach::Connecting) => (1, Duration::ZERO),
        Some(Reach::Waiting { next, .. }) => (2, next),
        Some(Reach::NoAddress) => (3, Duration::ZERO),
        None => (4, Duration::ZERO),
    }
}

fn is_refused(person: &Person) -> bool {
    matches!(person.reach, Some(Reach::Waiting { last: Some(AttemptEnd::NotAdmitted), .. }))
}

/// What the next attempt waits for, of the likeliest first.
fn waits_for(people: &[&Person]) -> String {
    let mut people: Vec<&Person> = people.to_vec();
    people.sort_by_key(|person| (likelihood(person.reach), person.is_courier));
    let told: Vec<String> = people.iter().take(TOLD_MAX).map(|person| attempt(person)).collect();
    match (told.is_empty(), people.len().saturating_sub(TOLD_MAX)) {
        (true, _) => "a member who holds it: nobody else is in the case".into(),
        (false, 0) => told.join("; "),
        (false, more) => format!("{}; and {more} more", told.join("; ")),
    }
}

fn attempt(person: &Person) -> String {
    let name = &person.name;
    match person.reach {
        Some(Reach::Connected) => format!("{name}: connected"),
        Some(Reach::Connecting) => format!("{name}: connecting"),
        Some(Reach::NoAddress) => {
            format!("{name}: no address is known; she has to be found in this network, or call first")
        }
        Some(Reach::Waiting { next, last }) => {
            let last = match last {
                None => "not tried yet",
                Some(AttemptEnd::Unreachable) => "no answer",
                Some(AttemptEnd::NotAdmitted) => "closed the connection at once, and may not admit this device",
                Some(AttemptEnd::Lost) => "the connection ended",
            };
            match next.as_secs() {
                0 => format!("{name}: {last}; tried again now"),
                seconds => format!("{name}: {last}; tried again in {seconds} s"),
            }
        }
        None => format!("{name}: may not connect here; accept the case, add her card or end the block"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str, reach: Option<Reach>) -> Person {
        Person { name: name.into(), identity: format!("p-{name}"), is_courier: false, reach }
    }

    fn waiting(seconds: u64, last: Option<AttemptEnd>) -> Option<Reach> {
        Some(Reach::Waiting { next: Duration::from_secs(seconds), last })
    }

    fn taking<'a>(left: u64, asked: usize, people: &'a [&'a Person]) -> Taking<'a> {
        Taking { is_invitation: false, left, asked, silent: Duration::ZERO, completed: false, people }
    }

    fn words(state: Option<State>) -> (&'static str, String) {
        state.map(|state| (state.word, state.waits_for.unwrap_or_default())).unwrap_or_default()
    }

    #[test]
    fn what_is_taken_says_from_whom_it_comes_or_what_it_waits_for() {
        let beck = person("Beck", Some(Reach::Connected));
        let at_beck = [&beck];
        assert_eq!(taking_state(&taking(0, 0, &at_beck)), None, "all of it was here before");
        assert_eq!(words(taking_state(&Taking { completed: true, ..taking(0, 0, &[]) })).0, "complete");
        assert_eq!(words(taking_state(&taking(9, 3, &at_beck))), ("arriving", String::new()));
        let silent = Taking { silent: Duration::from_secs(12), ..taking(9, 3, &at_beck) };
        assert_eq!(words(taking_state(&silent)), ("stalled", "an answer: nothing has come for 12 s".into()));
        let invited = Taking { is_invitation: true, ..taking(9, 0, &at_beck) };
        assert_eq!(words(taking_state(&invited)).0, "invited");
        let (word, why) = words(taking_state(&taking(9, 0, &at_beck)));
        assert!(word == "waiting" && why.contains("Beck has no more of it now"), "{why}");
        let (word, why) = words(taking_state(&taking(9, 0, &[])));
        assert_eq!((word, why.as_str()), ("waiting", "a member who holds it: nobody else is in the case"));
    }

    #[test]
    fn whoever_may_come_soonest_is_named_first() {
        let people = [
            person("Ende", None),
            person("Dorn", Some(Reach::NoAddress)),
            person("Cole", waiting(40, Some(AttemptEnd::Unreachable))),
            person("Beck", waiting(7, Some(AttemptEnd::Lost))),
            person("Abel", Some(Reach::Connecting)),
        ];
        let people: Vec<&Person> = people.iter().collect();
        let (word, why) = words(taking_state(&taking(9, 0, &people)));
        assert_eq!(word, "waiting");
        assert_eq!(
            why,
            "Abel: connecting; Beck: the connection ended; tried again in 7 s; Cole: no answer; tried again in 40 s; \
             and 2 more"
        );
        assert_eq!(best([Reach::NoAddress, Reach::Connecting].into_iter()), Some(Reach::Connecting));
        assert_eq!(best(std::iter::empty()), None);
    }

    #[test]
    fn a_refusal_is_said_only_where_nobody_else_could_give() {
        let refuses = person("Beck", waiting(9, Some(AttemptEnd::NotAdmitted)));
        let away = person("Cole", waiting(9, Some(AttemptEnd::Unreachable)));
        let (word, why) = words(taking_state(&taking(9, 0, &[&refuses])));
        assert!(word == "refused" && why.contains("may not admit this device"), "{why}");
        assert_eq!(words(taking_state(&taking(9, 0, &[&refuses, &away]))).0, "waiting");
    }

    #[test]
    fn what_is_given_says_not_sent_until_it_arrived() {
        let (here, away) = (person("Beck", Some(Reach::Connected)), person("Beck", Some(Reach::NoAddress)));
        let giving = |delivery, asked, chunks_done, person| {
            words(giving_state(&Giving { delivery, asked, chunks_done, chunks_total: 10, person }))
        };
        for (facts, word, why) in [
            (giving("not sent", 0, 0, &away), "not sent", "no address is known"),
            (giving("not sent", 0, 4, &here), "not sent", "connected, it goes out now"),
            (giving("on the way", 0, 0, &here), "on the way", "the answer of Beck"),
            (giving("on the way", 0, 0, &away), "on the way", "in a bundle"),
            (giving("delivered", 3, 4, &here), "giving", ""),
            (giving("delivered", 0, 4, &here), "given", "Beck to ask for more"),
            (giving("read", 0, 10, &away), "complete", ""),
            (giving("opened", 0, 0, &away), "", ""),
        ] {
            assert!(facts.0 == word && facts.1.contains(why), "{facts:?}, not {word}: {why}");
        }
    }

    #[test]
    fn what_failed_stands_before_what_is_under_way_and_what_is_done_last() {
        let mut all = ["complete", "waiting", "arriving", "given", "not sent", "invited", "stalled", "giving"];
        all.sort_by_key(|word| rank(word));
        assert_eq!(all, ["not sent", "stalled", "arriving", "giving", "waiting", "invited", "complete", "given"]);
        assert_eq!((seconds_for(10, Some(4)), seconds_for(10, Some(0)), seconds_for(10, None)), (Some(3), None, None));
    }
}
