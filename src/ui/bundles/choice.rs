//! For whom a bundle is, and which cases go into it: chosen from what is here.
//!
//! A person and a case fit if she is a member of it. What does not fit what is chosen already says why and cannot be
//! chosen, so that the node is never asked for what it would refuse.

use std::collections::{BTreeMap, BTreeSet};

use crate::encoding::text::shown;
use crate::node::api::{CardView, CaseSummary, CaseView, MemberView};
use crate::ui::keys::Action;
use crate::ui::widget::amount::count;
use crate::ui::widget::list::Chosen;

/// The two lists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Part {
    #[default]
    People,
    Cases,
}

/// Somebody for whom a bundle may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    pub identity: String,
    pub name: String,
    /// `verified`, `unverified`, `blocked`, or `member` of a case without being a colleague.
    pub trust: String,
}

/// What is known of a case once it was read.
#[derive(Debug, Clone)]
struct Read {
    members: Vec<MemberView>,
    images: u64,
    /// Pieces of images that are here, and all.
    chunks: (u64, u64),
}

/// People and cases that go together.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// `None` until the node has answered.
    cards: Option<Vec<CardView>>,
    cases: Option<Vec<CaseSummary>>,
    read: BTreeMap<String, Read>,
    people: Vec<Person>,
    /// By identity and by id.
    people_chosen: BTreeSet<String>,
    cases_chosen: BTreeSet<String>,
    /// The case it begins with: it stands first.
    begins_with: Option<String>,
    /// Its only other member was proposed.
    is_proposed: bool,
    /// Somebody has moved or chosen: until then the cursor is at the first.
    is_touched: bool,
    pub part: Part,
    at: [Chosen; 2],
}

impl Choice {
    /// With a case chosen.
    pub fn of(case: &str) -> Self {
        let chosen = BTreeSet::from([case.to_owned()]);
        Self { begins_with: Some(case.to_owned()), cases_chosen: chosen, ..Self::default() }
    }

    pub fn take_cards(&mut self, cards: &[CardView]) {
        self.cards = Some(cards.iter().filter(|card| card.trust != "me").cloned().collect());
        self.gather();
    }

    pub fn take_cases(&mut self, cases: &[CaseSummary]) {
        let carried =
            |case: &&CaseSummary| case.status != "damaged" && case.role != "none" && case.standing != "offered";
        let mut cases: Vec<CaseSummary> = cases.iter().filter(carried).cloned().collect();
        cases.sort_by_key(|case| Some(&case.id) != self.begins_with.as_ref());
        self.cases_chosen.retain(|id| cases.iter().any(|case| case.id == *id));
        self.read.retain(|id, _| cases.iter().any(|case| case.id == *id));
        self.at[Part::Cases as usize].keep_within(cases.len());
        self.cases = Some(cases);
        self.gather();
    }

    pub fn take_case(&mut self, view: &CaseView) {
        let of = |count: fn(&crate::node::api::CaseStudyView) -> u64| {
            view.studies.iter().filter(|study| !study.withdrawn).map(count).fold(0, u64::saturating_add)
        };
        let read = Read {
            members: view.members.clone(),
            images: of(|study| study.instances),
            chunks: (of(|study| study.chunks_have), of(|study| study.chunks_total)),
        };
        self.read.insert(view.id.clone(), read);
        self.gather();
        if self.begins_with.as_ref() == Some(&view.id) && !self.is_proposed {
            let others: Vec<&Person> = self.people.iter().filter(|person| self.fits(person).is_ok()).collect();
            if let [only] = others[..] {
                self.people_chosen.insert(only.identity.clone());
            }
            self.is_proposed = true;
        }
    }

    /// A case that is gone or cannot be read is in the list no more.
    pub fn drop_case(&mut self, id: &str) {
        self.cases_chosen.remove(id);
        self.cases.iter_mut().for_each(|cases| cases.retain(|case| case.id != id));
        let length = self.cases().len();
        self.at[Part::Cases as usize].keep_within(length);
    }

    /// The next case whose members are not known yet.
    pub fn next_unread(&self) -> Option<String> {
        self.cases().iter().map(|case| &case.id).find(|id| !self.read.contains_key(*id)).cloned()
    }

    pub fn is_known(&self) -> bool {
        self.cards.is_some() && self.cases.is_some() && self.next_unread().is_none()
    }

    pub fn cases(&self) -> &[CaseSummary] {
        self.cases.as_deref().unwrap_or_default()
    }

    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// Everybody who could be meant: who shares a case stands first, then the verified. The cursor stays at its person.
    fn gather(&mut self) {
        let at = self.people.get(self.at[Part::People as usize].at).map(|person| person.identity.clone());
        let mut people: Vec<Person> = self
            .cards
            .iter()
            .flatten()
            .map(|card| Person {
                identity: card.identity.clone(),
                name: format!("{}, {}", shown(card.alias.as_deref().unwrap_or(&card.name)), shown(&card.site)),
                trust: card.trust.clone(),
            })
            .collect();
        let members = self.read.values().flat_map(|read| &read.members).filter(|member| !member.me);
        for member in members {
            if people.iter().all(|person| person.identity != member.identity) {
                let (identity, name) = (member.identity.clone(), shown(&member.name).into_owned());
                people.push(Person { identity, name, trust: "member".into() });
            }
        }
        let rank = |person: &Person| {
            let trust = ["verified", "unverified", "member"].iter().position(|trust| *trust == person.trust);
            (self.shared_with(&person.identity) == 0, trust.unwrap_or(usize::MAX), person.name.to_lowercase())
        };
        people.sort_by_cached_key(rank);
        self.people_chosen.retain(|id| people.iter().any(|person| person.identity == *id));
        self.people = people;
        let cursor = &mut self.at[Part::People as usize];
        cursor.at = at.and_then(|id| self.people.iter().position(|person| person.identity == id)).unwrap_or(cursor.at);
        cursor.keep_within(self.people.len());
        if !self.is_touched {
            cursor.at = 0;
        }
    }

    fn is_member(&self, identity: &str, case: &str) -> bool {
        self.read.get(case).is_some_and(|read| read.members.iter().any(|member| member.identity == identity))
    }

    /// How many cases she is a member of.
    pub fn shared_with(&self, identity: &str) -> usize {
        self.cases().iter().filter(|case| self.is_member(identity, &case.id)).count()
    }

    /// Whether a bundle can be for her, or why not.
    pub fn fits(&self, person: &Person) -> Result<(), &'static str> {
        if person.trust == "blocked" {
            return Err("blocked");
        }
        if self.cases_chosen.iter().any(|case| !self.is_member(&person.identity, case)) {
            return Err("not in the chosen case");
        }
        if self.shared_with(&person.identity) == 0 { Err("in no case with you") } else { Ok(()) }
    }

    /// Whether a case can go to everybody chosen, or why not.
    pub fn goes(&self, case: &CaseSummary) -> Result<(), &'static str> {
        let all = self.people_chosen.iter().all(|identity| self.is_member(identity, &case.id));
        if all { Ok(()) } else { Err("not all are in it") }
    }

    pub fn is_chosen(&self, id: &str) -> bool {
        self.people_chosen.contains(id) || self.cases_chosen.contains(id)
    }

    pub fn chosen(&self, part: Part) -> Chosen {
        self.at[part as usize]
    }

    /// Puts the cursor at a line.
    pub fn point_at(&mut self, part: Part, row: usize) {
        self.is_touched = true;
        self.part = part;
        self.at[part as usize].at = row;
    }

    pub fn rows(&self, part: Part) -> usize {
        match part {
            Part::People => self.people.len(),
            Part::Cases => self.cases().len(),
        }
    }

    pub fn act(&mut self, action: Action, page: usize) -> bool {
        let rows = self.rows(self.part);
        self.is_touched = true;
        self.at[self.part as usize].act(action, rows, page)
    }

    /// Chooses what the cursor is on, or takes it back; says why it cannot be chosen.
    pub fn mark(&mut self) -> Result<(), &'static str> {
        self.is_touched = true;
        let at = self.chosen(self.part).at;
        let (set, id, fits) = match self.part {
            Part::People => {
                let Some(person) = self.people.get(at) else { return Ok(()) };
                let (id, fits) = (person.identity.clone(), self.fits(person));
                (&mut self.people_chosen, id, fits)
            }
            Part::Cases => {
                let Some(case) = self.cases().get(at) else { return Ok(()) };
                let (id, fits) = (case.id.clone(), self.goes(case));
                (&mut self.cases_chosen, id, fits)
            }
        };
        if !set.remove(&id) {
            fits?;
            set.insert(id);
        }
        Ok(())
    }

    /// Identities of whom it is for.
    pub fn recipients(&self) -> Vec<String> {
        self.people_chosen.iter().cloned().collect()
    }

    pub fn recipients_chosen(&self) -> impl Iterator<Item = &Person> {
        self.people.iter().filter(|person| self.people_chosen.contains(&person.identity))
    }

    /// The chosen cases; none stands for all that are shared.
    pub fn cases_named(&self) -> Vec<String> {
        self.cases_chosen.iter().cloned().collect()
    }

    /// The cases that go in: those chosen, or all that everybody shares and that were accepted.
    pub fn packed(&self) -> Vec<&CaseSummary> {
        let chosen = |case: &&CaseSummary| match self.cases_chosen.is_empty() {
            true => case.standing == "accepted" && !self.people_chosen.is_empty() && self.goes(case).is_ok(),
            false => self.cases_chosen.contains(&case.id),
        };
        self.cases().iter().filter(chosen).collect()
    }

    /// How much of a case's images is here.
    pub fn images_words(&self, case: &str) -> String {
        match self.read.get(case) {
            None => "…".into(),
            Some(Read { images: 0, .. }) => "no images".into(),
            Some(Read { images, chunks: (have, total), .. }) => {
                let images = count(usize::try_from(*images).unwrap_or(usize::MAX), "image");
                match have >= total {
                    true => images,
                    false => format!("{images}, {}% here", have.saturating_mul(100) / total),
                }
            }
        }
    }

    /// Whether all images of a case are here.
    pub fn is_whole(&self, case: &str) -> bool {
        self.read.get(case).is_none_or(|read| read.chunks.0 >= read.chunks.1)
    }
}
