//! Who is in the case is changed on the page that shows it: somebody is brought in, gets another role, is taken out.
//!
//! [`rights`] says who may do what, [`choice`] is the list over the case that whom and as what are chosen from.

mod choice;
pub(super) mod rights;
#[cfg(test)]
mod tests;

use self::choice::MemberChoice;
use super::{CaseScreen, Tab};
use crate::encoding::text::shown;
use crate::node::api::{CaseView, FailureCode, MemberView, Request};
use crate::ui::keys::Action;
use crate::ui::message::Ticket;
use crate::ui::screen::{Context, Go, Outcome};
use crate::ui::widget::popup::Question;

/// A member who is taken out, or leaves.
#[derive(Debug)]
pub(super) struct Removal {
    member: MemberView,
    /// None while the person is asked.
    ticket: Option<Ticket>,
}

impl CaseScreen {
    /// Offers the colleagues who are not in the case.
    pub(super) fn bring_in(&mut self, context: &mut Context<'_>) {
        if self.tab != Tab::Members {
            self.turn_to(Tab::Members, context);
        }
        let Some(view) = &self.view else { return };
        match rights::why_not_add(view) {
            Some(why) => context.say(&why),
            None => context.go(Go::Over(Box::new(MemberChoice::of_colleague(view)))),
        }
    }

    /// Offers the roles for the chosen member.
    pub(super) fn change_role(&mut self, context: &mut Context<'_>) {
        let Some(member) = self.chosen_member(context) else { return };
        let Some(view) = &self.view else { return };
        match rights::why_not_change(view, &member) {
            Some(why) => context.say(&why),
            None => context.go(Go::Over(Box::new(MemberChoice::of_role(view, &member)))),
        }
    }

    /// Asks whether the chosen member is to be taken out.
    pub(super) fn ask_to_remove(&mut self, context: &mut Context<'_>) {
        let Some(member) = self.chosen_member(context) else { return };
        let Some(view) = &self.view else { return };
        if self.removing.as_ref().is_some_and(|removal| removal.ticket.is_some()) {
            return context.say("Somebody is being taken out just now.");
        }
        if let Some(why) = rights::why_not_remove(view, &member) {
            return context.say(&why);
        }
        context.confirm(question(view, &member), Action::MemberRemoveConfirmed);
        self.removing = Some(Removal { member, ticket: None });
    }

    pub(super) fn remove(&mut self, context: &mut Context<'_>) {
        if let Some(removal) = self.removing.as_mut().filter(|removal| removal.ticket.is_none()) {
            let who = removal.member.identity.clone();
            removal.ticket = Some(context.write(Request::CaseMemberRemove { case: self.id.clone(), who }));
        }
    }

    /// Takes what became of it; `false` if the answer is about something else.
    pub(super) fn removed(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) -> bool {
        let Some(removal) = self.removing.take_if(|removal| removal.ticket == Some(ticket)) else { return false };
        match outcome {
            Err(failure) if failure.code != FailureCode::NotReached => context.say_failure(failure),
            _ if removal.member.me => context.say_good("You have left the case."),
            _ => context.say_good(&format!("{} is no member any more.", shown(&removal.member.name))),
        }
        self.show(context);
        true
    }

    /// The chosen member; where there is one other only, she is meant. Else says how one is chosen.
    fn chosen_member(&mut self, context: &mut Context<'_>) -> Option<MemberView> {
        if self.tab != Tab::Members {
            self.turn_to(Tab::Members, context);
        }
        self.panel = Some(true);
        let members = &self.view.as_ref()?.members;
        let mut others = members.iter().filter(|member| !member.me);
        let only = others.next().filter(|_| others.next().is_none());
        let chosen = members.iter().find(|member| self.chosen.as_ref() == Some(&member.identity)).or(only).cloned();
        match &chosen {
            Some(member) => self.chosen = Some(member.identity.clone()),
            None => context.say("Choose a member first: } and { go from one to the next."),
        }
        self.reveal_chosen(context);
        chosen
    }
}

/// What taking a member out does, and what it does not.
fn question(case: &CaseView, member: &MemberView) -> Question {
    let who = format!("{}, {}", shown(&member.name), shown(&member.role));
    let (title, mut lines) = if member.me {
        let lines = [
            "You get nothing new of this case. What is here stays here until you delete the case.",
            "What you wrote stays in the case, with your name.",
            "Only the owner or an admin can bring you in again.",
        ];
        ("Leave this case?", lines.map(String::from).to_vec())
    } else if member.role == "courier" {
        let lines = [
            "She gets nothing new of this case. A courier has no key: what she keeps stays sealed to her.",
            "She can be brought in again.",
        ];
        ("Take this member out?", lines.map(String::from).to_vec())
    } else {
        let lines = [
            "The case gets a new key: she reads nothing that is written from now on.",
            "What she has she keeps: images, opinions and messages that reached her cannot be called back. Until the \
             others' programs hear of it, she can read what they write.",
            "What she wrote stays in the case. She can be brought in again.",
        ];
        ("Take this member out?", lines.map(String::from).to_vec())
    };
    lines.insert(0, who);
    lines.extend(rights::rank(case, member).filter(|_| !member.me).map(String::from));
    Question { title: title.into(), lines }
}
