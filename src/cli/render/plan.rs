//! The page a sender reads before anything is stored or sent. It holds patient data: it is drawn, never logged.

use std::collections::{BTreeMap, BTreeSet};

use crate::encoding::text::shown;
use crate::node::api::PlanView;

use super::layout::{count, field, items, section};
use super::study::{left_out, patient};

/// Names listed per action; the rest is counted (`overread import --dry-run --json` lists all).
const NAMES_MAX: usize = 8;

/// What leaves and what stays.
pub(in crate::cli) fn plan(plan: &PlanView, width: usize) -> String {
    let mut text = String::from("The real patient (stays on this machine):\n");
    for one in &plan.patients {
        text += &patient(one, width);
    }
    if patients(plan) > 1 {
        text += "\nCareful: these are examinations of more than one patient.\n";
    }
    text += &section("What is done to the headers", &actions(plan, width));
    text += &section("Free text that remains: read it", &items(&plan.kept_text, width));
    text += &section("Free text that is dropped (--keep-word WORD keeps one)", &items(&plan.dropped_text, width));
    text += &section("Left out", &left_out(&plan.left_out, width));
    text += &section("Gaps", &items(&plan.gaps, width));
    text + &section("Careful", &items(&plan.warnings, width))
}

/// How many patients these are, going by name, identifier and birth date together.
pub(in crate::cli) fn patients(plan: &PlanView) -> usize {
    let patients: BTreeSet<_> =
        plan.patients.iter().map(|patient| (&patient.name, &patient.patient_id, &patient.birth_date)).collect();
    patients.len()
}

fn actions(plan: &PlanView, width: usize) -> String {
    let mut by_action: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for attribute in &plan.attributes {
        let name = if attribute.name.is_empty() { &attribute.tag } else { &attribute.name };
        by_action.entry(&attribute.action).or_default().push(name);
    }
    let mut text = String::new();
    for (action, mut names) in by_action {
        let all = names.len();
        names.dedup();
        let mut line = names.iter().take(NAMES_MAX).map(|name| shown(name)).collect::<Vec<_>>().join(", ");
        if names.len() > NAMES_MAX {
            line += &format!(" and {} more", names.len() - NAMES_MAX);
        }
        text += &field(&shown(action), &format!("{}: {line}", count(all, "attribute")), width.saturating_sub(2));
    }
    text
}
