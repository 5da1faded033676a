//! What travels between this device and its colleagues, and what waits to: a line for each case and direction.
//!
//! *Taking* is of the images of a case, from whoever holds them. *Giving* is to one member: what was written, which goes
//! out by itself, and images, which go only where somebody asks. Of images given this device knows what it handed to
//! the line since its start, not what the other had before. How much of a case is here comes from the same functions
//! as in the worklist; what a line says is decided in [`lines`], which knows no network and no clock.

mod lines;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use super::api::{Failure, Reply, TransferView};
use super::core::Node;
use super::rooms::{Answered, OpenCase};
use crate::case::access::Role;
use crate::case::spoken::spoken_name;
use crate::case::state::CaseState;
use crate::encoding::id::{CaseId, ChunkId, EntryId};
use crate::encoding::time::Timestamp;
use crate::identity::keys::{DeviceKey, IdentityKey, TransportKey};
use crate::net::Reach;
use crate::sync::event::Flow;

use lines::{Giving, Person, State, Taking, giving_state, rank, seconds_for, taking_state};

/// What the node remembers of transfers since its start.
#[derive(Default)]
pub(super) struct Transfers {
    given: BTreeMap<(DeviceKey, CaseId), Given>,
    /// When all images of a case that had lacked some were here.
    completed: BTreeMap<CaseId, Timestamp>,
}

/// Chunks of a case that were handed to the line of a device.
struct Given {
    chunks: HashSet<ChunkId>,
    bytes: u64,
    last: Timestamp,
}

/// A member other than this one, and what is asked between her devices and this one.
struct Member {
    person: Person,
    devices: Vec<DeviceKey>,
    taking: Vec<Flow>,
    giving: Vec<Flow>,
}

impl Transfers {
    pub fn gave(&mut self, peer: DeviceKey, case: CaseId, chunk: ChunkId, bytes: usize, now: Timestamp) {
        let given = self.given.entry((peer, case));
        let given = given.or_insert_with(|| Given { chunks: HashSet::new(), bytes: 0, last: now });
        if given.chunks.insert(chunk) {
            given.bytes = given.bytes.saturating_add(bytes as u64);
        }
        given.last = now;
    }

    pub fn completed(&mut self, case: CaseId, now: Timestamp) {
        self.completed.insert(case, now);
    }

    pub fn forget(&mut self, case: CaseId) {
        self.completed.remove(&case);
        self.given.retain(|(_, of), _| *of != case);
    }

    /// What was given to the one of these devices that got most.
    fn given_to(&self, devices: &[DeviceKey], case: CaseId) -> Option<&Given> {
        let given = devices.iter().filter_map(|device| self.given.get(&(*device, case)));
        given.max_by_key(|given| given.chunks.len())
    }
}

impl Node {
    /// Everything under way and waiting, what failed first.
    pub async fn transfers(&mut self) -> Result<Reply, Failure> {
        let me = self.me()?.identity();
        let reach = match &self.link {
            Some(link) => link.reach().await,
            None => HashMap::new(),
        };
        let mut transfers = Vec::new();
        for case in self.rooms.ids() {
            let Some(state) = self.rooms.get_mut(&case).map(OpenCase::state) else { continue };
            let members = self.members_of(case, &state, &me, &reach);
            transfers.extend(self.taking(case, &state, &members));
            transfers.extend(self.giving(case, &state, &members));
        }
        transfers.sort_by_key(|line| rank(&line.state));
        Ok(Reply::Transfers { transfers })
    }

    fn members_of(
        &self,
        case: CaseId,
        state: &CaseState,
        me: &IdentityKey,
        reach: &HashMap<TransportKey, Reach>,
    ) -> Vec<Member> {
        let (Some(open), Some(link)) = (self.rooms.get(&case), &self.link) else { return Vec::new() };
        let members = open.room.membership().members().into_iter().filter(|(identity, _)| identity != me);
        let members = members.map(|(identity, member)| {
            let devices: Vec<DeviceKey> = member.devices.keys().copied().collect();
            let known = member.devices.values().filter_map(|device| reach.get(&device.statement.transport));
            Member {
                person: Person {
                    name: self.name_in(state, &identity),
                    identity: identity.to_string(),
                    is_courier: member.role == Role::Courier,
                    reach: lines::best(known.copied()),
                },
                taking: devices.iter().map(|device| link.taking(device)).collect(),
                giving: devices.iter().map(|device| link.machine().giving(device)).collect(),
                devices,
            }
        });
        members.collect()
    }

    fn taking(&mut self, case: CaseId, state: &CaseState, members: &[Member]) -> Option<TransferView> {
        if self.is_past_retention(case) {
            return None;
        }
        let have = self.have(case);
        let flows: Vec<(&Person, usize, &Flow)> = members
            .iter()
            .flat_map(|member| member.taking.iter().map(move |flow| (&member.person, flow)))
            .filter_map(|(person, flow)| Some((person, *flow.chunks.get(&case)?, flow)))
            .collect();
        let people: Vec<&Person> = members.iter().map(|member| &member.person).collect();
        let facts = Taking {
            is_invitation: self.rooms.get(&case).is_none_or(|open| open.answered != Answered::Accepted),
            left: have.total.saturating_sub(have.chunks),
            asked: flows.iter().map(|(_, chunks, _)| chunks).sum(),
            silent: flows.iter().map(|(_, _, flow)| flow.silent).min().unwrap_or(Duration::ZERO),
            completed: self.transfers.completed.contains_key(&case),
            people: &people,
        };
        let State { word, waits_for } = taking_state(&facts)?;
        let from: Vec<&str> = match flows.is_empty() {
            false => flows.iter().map(|(person, ..)| person.name.as_str()).collect(),
            true => people.iter().map(|person| person.name.as_str()).collect(),
        };
        let bytes_total = bytes_of(state);
        let bytes_done = share(bytes_total, have.chunks, have.total);
        let rate = flows.iter().filter_map(|(_, _, flow)| flow.bytes_per_second).reduce(u64::saturating_add);
        let rate = rate.filter(|_| word == "arriving");
        let images = state.current_studies().map(|study| self.studies.images_here(case, study.study));
        Some(TransferView {
            case: case.to_string(),
            spoken: spoken_name(&case),
            direction: "taking".into(),
            who: from.join(", "),
            identity: None,
            state: word.into(),
            waits_for,
            chunks_done: have.chunks,
            chunks_total: have.total,
            images_done: Some(images.sum()),
            images_total: images_of(state),
            bytes_done,
            bytes_total,
            bytes_per_second: rate,
            seconds_left: seconds_for(bytes_total.saturating_sub(bytes_done), rate),
            at: self.transfers.completed.get(&case).filter(|_| word == "complete").map(ToString::to_string),
        })
    }

    fn giving(&mut self, case: CaseId, state: &CaseState, members: &[Member]) -> Vec<TransferView> {
        let heads: Vec<EntryId> = state.heads.iter().copied().collect();
        let delivery = self.delivery(case, &heads);
        let (chunks_total, bytes_total) = (self.have(case).total, bytes_of(state));
        let line = |member: &Member| {
            let person = &member.person;
            let arrived = delivery.iter().find(|delivery| delivery.identity == person.identity)?;
            let asked_on = || member.giving.iter().filter(|flow| flow.chunks.contains_key(&case));
            let asked: usize = asked_on().filter_map(|flow| flow.chunks.get(&case)).sum();
            let given = self.transfers.given_to(&member.devices, case);
            let chunks_done = given.map_or(0, |given| given.chunks.len() as u64);
            let facts = Giving { delivery: &arrived.state, asked, chunks_done, chunks_total, person };
            let State { word, waits_for } = giving_state(&facts)?;
            let rate = asked_on().filter_map(|flow| flow.bytes_per_second).reduce(u64::saturating_add);
            let bytes_done = given.map_or(0, |given| given.bytes);
            let bytes_asked = share(bytes_done, asked as u64, chunks_done);
            Some(TransferView {
                case: case.to_string(),
                spoken: spoken_name(&case),
                direction: "giving".into(),
                who: person.name.clone(),
                identity: Some(person.identity.clone()),
                state: word.into(),
                waits_for,
                chunks_done,
                chunks_total,
                images_done: None,
                images_total: images_of(state),
                bytes_done,
                bytes_total,
                bytes_per_second: rate,
                seconds_left: seconds_for(bytes_asked, rate),
                at: given.filter(|_| ["complete", "given"].contains(&word)).map(|given| given.last.to_string()),
            })
        };
        members.iter().filter_map(line).collect()
    }
}

/// Packed length of all images of a case.
fn bytes_of(state: &CaseState) -> u64 {
    let series = state.current_studies().flat_map(|study| &study.head.series);
    series.fold(0, |sum, series| sum.saturating_add(series.packed_bytes))
}

fn images_of(state: &CaseState) -> u64 {
    state.current_studies().fold(0, |sum, study| sum.saturating_add(study.head.instances()))
}

/// So much of a whole as `part` is of `of`; nothing of nothing.
fn share(whole: u64, part: u64, of: u64) -> u64 {
    let share = (u128::from(whole) * u128::from(part)).checked_div(u128::from(of)).unwrap_or(0);
    u64::try_from(share).unwrap_or(u64::MAX)
}
