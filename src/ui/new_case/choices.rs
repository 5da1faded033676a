//! What a case is about and whom it goes to: chosen from what is here.

use std::collections::BTreeMap;

use crate::encoding::text::shown;
use crate::node::api::{CardView, PlanPatient, StudyPatient, StudyView};
use crate::ui::keys::Action;
use crate::ui::patient;
use crate::ui::widget::list::Chosen;
use crate::ui::widget::text::kind_of;

use super::study_words;

/// What a study is in the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Index,
    Prior,
}

/// The studies of this home, and which of them the case is about.
#[derive(Default)]
pub(super) struct StudyChoice {
    /// `None` until the node has answered.
    studies: Option<Vec<StudyView>>,
    patients: BTreeMap<String, PlanPatient>,
    /// In the order in which they were chosen: priors are numbered so.
    roles: Vec<(String, Role)>,
    pub(super) chosen: Chosen,
    /// The roles are those of the start, and whose studies they are is not known yet.
    is_proposed: bool,
}

impl StudyChoice {
    pub(super) fn about(studies: &[String]) -> Self {
        let roles = studies.iter().map(|study| (study.clone(), Role::Index)).collect();
        Self { roles, is_proposed: true, ..Self::default() }
    }

    pub(super) fn fill(&mut self, studies: Vec<StudyView>) {
        let mut mine: Vec<StudyView> = studies.into_iter().filter(|study| study.origin == "mine").collect();
        self.roles.retain(|(id, _)| mine.iter().any(|study| study.id == *id));
        self.sort(&mut mine);
        self.studies = Some(mine);
        self.chosen.keep_within(self.studies.as_ref().map_or(0, Vec::len));
    }

    pub(super) fn name(&mut self, patients: &[StudyPatient]) {
        self.patients = patients.iter().map(|one| (one.study.clone(), one.patient.clone())).collect();
        if std::mem::take(&mut self.is_proposed) {
            self.propose();
        }
        if let Some(mut studies) = self.studies.take() {
            self.sort(&mut studies);
            self.studies = Some(studies);
        }
    }

    /// Of the studies the form was opened with: those of one patient only, the latest as the index, the others as
    /// priors. A form must not begin with two patients in one case.
    fn propose(&mut self) {
        let who = |study: &str| {
            self.patients.get(study).map(|patient| (&patient.name, &patient.patient_id, &patient.birth_date))
        };
        let Some(first) = self.roles.first().map(|(id, _)| who(id)) else { return };
        let mut same: Vec<String> =
            self.roles.iter().filter(|(id, _)| who(id) == first).map(|(id, _)| id.clone()).collect();
        same.sort_by_key(|id| std::cmp::Reverse(self.patients.get(id).map(|patient| patient.study_date.clone())));
        let roles = std::iter::once(Role::Index).chain(std::iter::repeat(Role::Prior));
        self.roles = same.into_iter().zip(roles).collect();
    }

    /// What the case is about first, then by patient, the latest first.
    fn sort(&self, studies: &mut [StudyView]) {
        studies.sort_by_key(|study| {
            let patient = self.patients.get(&study.id);
            let day = std::cmp::Reverse(patient.map(|patient| patient.study_date.clone()));
            (self.role(&study.id).is_none(), patient.map(|patient| patient.name.clone()), day)
        });
    }

    pub(super) fn studies(&self) -> Option<&[StudyView]> {
        self.studies.as_deref()
    }

    pub(super) fn patient(&self, study: &str) -> Option<&PlanPatient> {
        self.patients.get(study)
    }

    fn role(&self, study: &str) -> Option<Role> {
        self.roles.iter().find(|(id, _)| id == study).map(|(_, role)| *role)
    }

    /// `index`, `prior 1`, or nothing.
    pub(super) fn role_words(&self, study: &str) -> String {
        match self.role(study) {
            None => String::new(),
            Some(Role::Index) => "index".into(),
            Some(Role::Prior) => {
                let priors = self.roles.iter().filter(|(_, role)| *role == Role::Prior);
                let number = priors.take_while(|(id, _)| id != study).count() + 1;
                format!("prior {number}")
            }
        }
    }

    pub(super) fn with_role(&self, role: Role) -> Vec<String> {
        self.roles.iter().filter(|(_, own)| *own == role).map(|(id, _)| id.clone()).collect()
    }

    pub(super) fn act(&mut self, action: Action, page: usize) {
        let length = self.studies.as_ref().map_or(0, Vec::len);
        if self.chosen.act(action, length, page) || action != Action::Mark {
            return;
        }
        let Some(id) = self.studies.as_ref().and_then(|all| all.get(self.chosen.at)).map(|study| study.id.clone())
        else {
            return;
        };
        let next = match self.role(&id) {
            None => Some(Role::Index),
            Some(Role::Index) => Some(Role::Prior),
            Some(Role::Prior) => None,
        };
        self.roles.retain(|(other, _)| *other != id);
        self.roles.extend(next.map(|role| (id, role)));
    }

    pub(super) fn summary(&self) -> Vec<String> {
        let line = |id: &String| {
            let study = self.studies.iter().flatten().find(|study| study.id == *id)?;
            let words = study_words(self.patient(id), &study.modality, &study.description);
            Some(format!("{}: {words}; {} images", self.role_words(id), study.instances))
        };
        let mut lines: Vec<String> = self.with_role(Role::Index).iter().filter_map(line).collect();
        lines.extend(self.with_role(Role::Prior).iter().filter_map(line));
        lines
    }

    /// Whether none of the chosen was imported here, so that the text check knows no names.
    pub(super) fn all_received(&self) -> bool {
        !self.roles.is_empty() && self.roles.iter().all(|(id, _)| !self.patients.contains_key(id))
    }
}

/// Colleagues, and whom of them the case goes to.
#[derive(Default)]
pub(super) struct People {
    /// `None` until the node has answered.
    cards: Option<Vec<CardView>>,
    /// By identity.
    invited: Vec<String>,
    pub(super) chosen: Chosen,
}

impl People {
    pub(super) fn fill(&mut self, cards: Vec<CardView>) {
        let mut cards: Vec<CardView> = cards.into_iter().filter(|card| card.trust != "me").collect();
        let rank = |card: &CardView| match card.trust.as_str() {
            _ if !may_be_asked(card) => 2,
            "verified" => 0,
            _ => 1,
        };
        cards.sort_by_key(|card| (rank(card), name(card).to_lowercase()));
        self.invited.retain(|id| cards.iter().any(|card| card.identity == *id && may_be_asked(card)));
        self.cards = Some(cards);
        self.chosen.keep_within(self.cards.as_ref().map_or(0, Vec::len));
    }

    pub(super) fn cards(&self) -> Option<&[CardView]> {
        self.cards.as_deref()
    }

    /// Whether there is nobody to ask.
    pub(super) fn is_alone(&self) -> bool {
        self.cards.as_ref().is_some_and(|cards| !cards.iter().any(may_be_asked))
    }

    pub(super) fn is_invited(&self, card: &CardView) -> bool {
        self.invited.contains(&card.identity)
    }

    pub(super) fn act(&mut self, action: Action, page: usize) {
        let length = self.cards.as_ref().map_or(0, Vec::len);
        if self.chosen.act(action, length, page) || action != Action::Mark {
            return;
        }
        let Some(card) = self.cards.as_ref().and_then(|cards| cards.get(self.chosen.at)) else { return };
        if !may_be_asked(card) {
            return;
        }
        let id = card.identity.clone();
        let before = self.invited.len();
        self.invited.retain(|other| *other != id);
        if self.invited.len() == before {
            self.invited.push(id);
        }
    }

    /// Identities of who is invited.
    pub(super) fn chosen(&self) -> Vec<String> {
        self.invited.clone()
    }

    fn invited_cards(&self) -> impl Iterator<Item = &CardView> {
        let of = |id: &String| self.cards.iter().flatten().find(|card| card.identity == *id);
        self.invited.iter().filter_map(of)
    }

    pub(super) fn chosen_words(&self) -> Vec<String> {
        self.invited_cards().map(|card| format!("{}, {} ({})", name(card), shown(&card.site), card.trust)).collect()
    }

    pub(super) fn unverified(&self) -> Vec<String> {
        let unverified = self.invited_cards().filter(|card| card.trust != "verified");
        unverified.map(|card| format!("{}, {}", name(card), shown(&card.site))).collect()
    }
}

/// The name a colleague is shown under.
pub(super) fn name(card: &CardView) -> String {
    shown(card.alias.as_deref().unwrap_or(&card.name)).into_owned()
}

pub(super) fn may_be_asked(card: &CardView) -> bool {
    card.trust != "blocked" && !card.expired
}

/// A study in the list: of when, what, and of whom.
pub(super) fn study_row(study: &StudyView, who: Option<&PlanPatient>) -> String {
    let what = kind_of(&study.modality, &study.description);
    match who {
        Some(who) => {
            let day = Some(patient::date(&who.study_date)).filter(|day| !day.is_empty());
            format!("{:<10} {what}, {}", day.unwrap_or_else(|| "undated".into()), patient::name(&who.name))
        }
        None => what,
    }
}
