//! Changing a case: its question, its studies, and what was added to an opinion.
//!
//! Each form is a request with its fields. The node decides who may do what and which words may go out; what it refuses
//! is said at the field, and what it asks about is asked.

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};

use super::text_question;
use crate::node::api::{CaseEdit, CaseView, Failure, FailureCode, Request};
use crate::ui::keys::{Action, Change, Place};
use crate::ui::look::Look;
use crate::ui::message::Ticket;
use crate::ui::screen::{Context, Dots, Go, Outcome, Screen, in_one_line};
use crate::ui::widget::field::Field;
use crate::ui::widget::form::Form;
use crate::ui::widget::popup::{self, Question};

/// What the person has agreed to when she was asked.
#[derive(Debug, Clone, Copy, Default)]
struct Agreed {
    text_checked: bool,
    other_patient: bool,
    sure: bool,
}

/// A form for one change.
#[derive(Debug)]
pub struct CaseForm {
    case: String,
    change: Change,
    form: Form,
    /// What stood in the fields at first: only what is another now is written of a case.
    before: Vec<String>,
    agreed: Agreed,
    asked: Option<Ticket>,
}

impl CaseForm {
    /// A form over a case; fields that leave no choice are filled in.
    pub fn new(change: Change, case: &CaseView) -> Self {
        let only = |mut names: Vec<String>| if names.len() == 1 { names.remove(0) } else { String::new() };
        let me = case.members.iter().find(|member| member.me).map(|member| member.identity.as_str());
        let fields: Vec<(Field, String)> = match change {
            Change::Edit => vec![
                (Field::new("Question", "what you want to know"), case.question.clone()),
                (Field::new("Urgency", "routine, urgent or stat"), case.urgency.clone()),
                (Field::new("Due", "a time such as 4h or 2d; empty: as it is"), String::new()),
                (Field::new("Context instead of that now", "empty: as it is"), String::new()),
                (Field::new("First report instead of that now", "empty: as it is"), String::new()),
            ],
            Change::StudyAdd => vec![
                (Field::new("Study", "its id, such as s-k3vq: t in the worklist lists them"), String::new()),
                (Field::new("As", "prior or index"), "prior".into()),
            ],
            Change::StudyWithdraw => {
                let studies = case.studies.iter().filter(|study| !study.withdrawn);
                vec![
                    (Field::new("Study", "its id"), only(studies.map(|study| study.id.clone()).collect())),
                    (Field::new("Reason", "in a few words; members read it"), String::new()),
                ]
            }
            Change::Addendum => {
                let mine = case.opinions.iter().filter(|opinion| Some(opinion.author_identity.as_str()) == me);
                vec![
                    (Field::new("Your opinion", "its id"), only(mine.map(|opinion| opinion.id.clone()).collect())),
                    (Field::new("Addendum", "what is to be added"), String::new()),
                ]
            }
        };
        let (fields, texts): (Vec<Field>, Vec<String>) = fields.into_iter().unzip();
        let mut form = Form::new(fields);
        texts.iter().enumerate().for_each(|(at, text)| form.set(at, text));
        // As the fields have it: a line break in a question is none in its field.
        let before = (0..texts.len()).map(|at| form.text(at).to_owned()).collect();
        Self { case: case.id.clone(), change, form, before, agreed: Agreed::default(), asked: None }
    }

    fn optional(&self, field: usize) -> Option<String> {
        Some(self.form.text(field).to_owned()).filter(|text| !text.is_empty())
    }

    fn changed(&self, field: usize) -> Option<String> {
        self.optional(field).filter(|text| self.before.get(field) != Some(text))
    }

    fn submit(&mut self, context: &mut Context<'_>) {
        let needed = match self.change {
            Change::Edit | Change::StudyWithdraw => 1,
            Change::StudyAdd | Change::Addendum => 2,
        };
        if let Some(empty) = (0..needed).find(|field| self.form.text(*field).is_empty()) {
            return self.form.refuse(empty, "This is needed.");
        }
        if let (Some(question), false) = (self.are_you_sure(), self.agreed.sure) {
            return context.confirm(question, Action::ChangeConfirmed);
        }
        if let (Change::StudyAdd, false) = (self.change, ["prior", "index"].contains(&self.form.text(1))) {
            return self.form.refuse(1, "Write prior or index.");
        }
        let request = self.request();
        self.asked = Some(context.write(request));
    }

    fn request(&self) -> Request {
        let case = self.case.clone();
        let text = |field: usize| self.form.text(field).to_owned();
        let Agreed { text_checked, other_patient, .. } = self.agreed;
        match self.change {
            Change::Edit => {
                let change = CaseEdit {
                    question: self.changed(0),
                    urgency: self.changed(1),
                    due: self.optional(2),
                    context: self.optional(3),
                    first_report: self.optional(4),
                    text_checked,
                };
                Request::CaseEdit { case, change }
            }
            Change::StudyAdd => {
                Request::CaseStudyAdd { case, study: text(0), prior: text(1) == "prior", other_patient }
            }
            Change::StudyWithdraw => {
                Request::CaseStudyWithdraw { case, study: text(0), reason: self.optional(1), text_checked }
            }
            Change::Addendum => Request::OpinionAddend { opinion: text(0), text: text(1), text_checked },
        }
    }

    /// What cannot be taken back is asked about.
    fn are_you_sure(&self) -> Option<Question> {
        let lines = vec![
            "Every transfer of it stops at once. Members' programs delete its images and answer with a receipt; what \
             somebody exported cannot be recalled."
                .into(),
        ];
        let question = Question { title: "Withdraw this study?".into(), lines };
        (self.change == Change::StudyWithdraw).then_some(question)
    }

    fn refused(&mut self, failure: &Failure, context: &mut Context<'_>) {
        match failure.code {
            FailureCode::TextCheck if !self.agreed.text_checked => {
                context.confirm(text_question(failure, "Send it as it is?"), Action::SendChecked);
            }
            FailureCode::OtherPatient if !self.agreed.other_patient => {
                let lines = vec![in_one_line(failure), "Add it all the same?".into()];
                context.confirm(Question { title: "Another patient?".into(), lines }, Action::SendOtherPatient);
            }
            _ => self.form.refuse(0, in_one_line(failure)),
        }
    }

    fn words(&self) -> (&'static str, &'static str) {
        match self.change {
            Change::Edit => {
                ("Change the case", "Everybody sees what it was before. Opinions that were signed earlier say so.")
            }
            Change::StudyAdd => (
                "Add a study of yours",
                "A prior stands beside the index examination. Studies of another patient are refused unless you say so.",
            ),
            Change::StudyWithdraw => ("Withdraw a study", "For a study that should not have been shared."),
            Change::Addendum => (
                "Add to your opinion",
                "An opinion that was signed is never changed: this is signed below it, with its own time.",
            ),
        }
    }

    fn done(&self) -> &'static str {
        match self.change {
            Change::Edit => "The case is changed.",
            Change::StudyAdd => "The study is in the case.",
            Change::StudyWithdraw => "Withdrawn. The studies' line says who has deleted it.",
            Change::Addendum => "Added to your opinion.",
        }
    }
}

impl Screen for CaseForm {
    fn place(&self) -> Place {
        Place::Form
    }

    fn title(&self) -> String {
        self.words().0.to_lowercase()
    }

    fn typing(&self) -> bool {
        true
    }

    fn unsaved(&self) -> Option<&'static str> {
        self.form.is_touched().then_some("What you typed in this form is not sent.")
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        match action {
            // What was sent is not called back by going.
            Action::Back if self.form.is_touched() && self.asked.is_none() => {
                let lines = vec!["What you typed is not sent and not kept.".into()];
                context.confirm(Question { title: "Leave the form?".into(), lines }, Action::LeaveConfirmed);
            }
            Action::Back | Action::LeaveConfirmed => context.go(Go::Back),
            _ if self.asked.is_some() => {}
            Action::ChangeConfirmed => {
                self.agreed.sure = true;
                self.submit(context);
            }
            Action::SendChecked => {
                self.agreed.text_checked = true;
                self.submit(context);
            }
            Action::SendOtherPatient => {
                self.agreed.other_patient = true;
                self.submit(context);
            }
            action if self.form.act(action) => self.submit(context),
            _ => {}
        }
    }

    fn key(&mut self, key: KeyEvent, _context: &mut Context<'_>) {
        if self.asked.is_none() {
            // What she agreed to was about other words.
            self.agreed = Agreed::default();
            self.form.key(key);
        }
    }

    fn paste(&mut self, text: &str, _context: &mut Context<'_>) {
        if self.asked.is_none() {
            self.agreed = Agreed::default();
            self.form.paste(text);
        }
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) {
        if self.asked.take_if(|asked| *asked == ticket).is_none() {
            return;
        }
        match outcome {
            // It is written, and goes out when somebody is reached.
            Ok(_) => {
                context.say_good(self.done());
                context.go(Go::Back);
            }
            Err(failure) if failure.code == FailureCode::NotReached => {
                context.say_good(self.done());
                context.go(Go::Back);
            }
            Err(failure) => self.refused(failure, context),
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        let (title, intro) = self.words();
        let height = self.form.height().saturating_add(6);
        let inside = popup::open(frame, popup::middle(area, 76, height), title, look);
        let [head, form] = popup::head(inside, 4);
        frame.render_widget(Paragraph::new(Line::raw(intro)).wrap(Wrap { trim: true }), head);
        self.form.draw(frame, form, self.asked.map(|_| "working …"), look);
    }
}

#[cfg(test)]
mod tests;
