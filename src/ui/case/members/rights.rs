//! What the roles of a case may do, and what this person may change of its members: said before it is tried.
//!
//! The node judges by the same rules (`case::members`); what stands here only explains them.

use crate::case::access::Role;
use crate::encoding::text::shown;
use crate::node::api::{CaseView, MemberView};

/// All roles, the highest first.
pub const ROLES: [Role; 5] = [Role::Owner, Role::Admin, Role::Reader, Role::Observer, Role::Courier];

/// The role that a word names; a newer program may know others.
pub fn role(word: &str) -> Option<Role> {
    ROLES.into_iter().find(|role| role.word() == word)
}

/// What a role may do, in one line.
pub fn duties(role: Role) -> &'static str {
    match role {
        Role::Owner => "everything; every case has one owner",
        Role::Admin => "as a reader; brings in and takes out others",
        Role::Reader => "gives opinions, adds studies and marks",
        Role::Observer => "reads all, writes messages; no opinions",
        Role::Courier => "carries sealed data; reads and writes nothing",
    }
}

/// What can be made of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    Role(Role),
    /// Beside her role: she takes the case over should its owner be gone.
    Heir,
}

/// All of it, the highest first; nobody is brought in as the owner, or as the heir.
pub const GIVEN: [Given; 6] = [
    Given::Role(Role::Owner),
    Given::Heir,
    Given::Role(Role::Admin),
    Given::Role(Role::Reader),
    Given::Role(Role::Observer),
    Given::Role(Role::Courier),
];

impl Given {
    pub fn word(self) -> &'static str {
        match self {
            Self::Role(role) => role.word(),
            Self::Heir => "heir",
        }
    }

    /// What it means, in one line.
    pub fn words(self) -> &'static str {
        match self {
            Self::Role(role) => duties(role),
            Self::Heir => "takes over should you be gone; the role stays",
        }
    }
}

/// A role with its article.
pub fn a(role: &str) -> String {
    let article = if role.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {}", shown(role))
}

/// What can be done on the page of the members, in a line or two.
pub fn what_to_do(case: &CaseView) -> Vec<String> {
    let own = match role(&case.role) {
        Some(Role::Owner | Role::Admin) => {
            let all = "B brings in a colleague. } and { choose a member: J gives another role, U takes out.";
            return vec![all.into()];
        }
        Some(_) => vec!["Choose yourself with } and {: U leaves the case.".into()],
        None => Vec::new(),
    };
    why_no_changes(case).into_iter().chain(own).collect()
}

/// Why this person changes no members; none if she may.
fn why_no_changes(case: &CaseView) -> Option<String> {
    match role(&case.role) {
        Some(Role::Owner | Role::Admin) => None,
        _ if case.role == "none" => Some("You are no member of this case any more.".into()),
        _ => {
            let owner = case.members.iter().find(|member| member.role == Role::Owner.word());
            let ask = owner.map_or_else(String::new, |owner| format!(" Ask {}.", shown(&owner.name)));
            Some(format!("Only the owner and admins change members; you are {}.{ask}", a(&case.role)))
        }
    }
}

/// Why this person may bring in nobody; none if she may.
pub fn why_not_add(case: &CaseView) -> Option<String> {
    why_no_changes(case)
}

/// Why this person may not take a member out; none if she may.
pub fn why_not_remove(case: &CaseView, member: &MemberView) -> Option<String> {
    let is_owner = member.role == Role::Owner.word();
    match (member.me, is_owner) {
        (true, true) => Some("The owner does not leave her case: hand it over first, with J on another member.".into()),
        (true, false) => None,
        (false, true) => why_no_changes(case).or_else(|| Some("Nobody takes the owner out.".into())),
        (false, false) => why_no_changes(case),
    }
}

/// Why this person may not give a member another role; none if she may.
pub fn why_not_change(case: &CaseView, member: &MemberView) -> Option<String> {
    let is_owner = member.role == Role::Owner.word();
    match (member.me, is_owner) {
        (true, true) => Some("You are the owner: to hand the case over, choose who is to have it.".into()),
        (true, false) => Some("Nobody changes her own role: the owner does.".into()),
        (false, true) => {
            let only = "The owner's role changes only when she hands the case over.";
            why_no_changes(case).or_else(|| Some(only.into()))
        }
        (false, false) => why_no_changes(case),
    }
}

/// Why a person with this role cannot give this to somebody who has `now`; none if she can.
pub fn why_not_give(mine: &str, now: Option<&str>, given: Given) -> Option<&'static str> {
    let is_owner = mine == Role::Owner.word();
    match given {
        _ if now == Some(given.word()) => Some("She has this role now."),
        Given::Role(Role::Owner) if !is_owner => Some("Only the owner hands the case over."),
        Given::Heir if !is_owner => Some("Only the owner names an heir."),
        Given::Role(Role::Owner) | Given::Heir if now == Some(Role::Courier.word()) => {
            Some("A courier cannot read the case: give her a role that reads first.")
        }
        Given::Role(Role::Admin) if !is_owner => Some("Only the owner appoints admins."),
        _ => None,
    }
}

/// What is to be known of an admin who changes another one.
pub fn rank(case: &CaseView, member: &MemberView) -> Option<&'static str> {
    let both = case.role == Role::Admin.word() && member.role == Role::Admin.word();
    both.then_some("You are admins both: it holds only if you were appointed before her.")
}
