//! Cases, as the commands `case`, `say` and `ask` see them: finding, founding, writing, changing.

use std::sync::Arc;

use super::api::{AttachedView, CaseEdit, CaseNew, Failure, FailureCode, Reply};
use super::core::{Node, Step, Task, now};
use super::given::Given;
use super::library::{self, Origin, sentence};
use super::rooms::{ACCEPTED, Answered, OpenCase, damaged, put_written};
use crate::case::access::{Change, Role};
use crate::case::content::{
    CaseChange, Content, ContentError, MembersNote, Message, PersonNote, Status, StudyAdded, StudyRole, StudyWithdrawn,
    Urgency,
};
use crate::case::room::{NewMember, Room, WriteError, Written};
use crate::case::spoken::{is_spoken_name, spoken_name};
use crate::case::state::CaseState;
use crate::encoding::id::{CaseId, EntryId, IdPrefix, StudyId};
use crate::encoding::random;
use crate::encoding::text::shown;
use crate::encoding::time::{Timestamp, parse_duration_ms};
use crate::identity::keys::IdentityKey;
use crate::identity::trust::{InvitationRefused, UnverifiedInvitations};
use crate::store::{Batch, Table};
use crate::study::deidentify::words::IdentifyingWords;
use crate::sync::event::Event as SyncEvent;

impl Node {
    /// Founds a case: owner and invited, question, studies, all durable at once, then delivered.
    pub async fn case_new(&mut self, new: CaseNew, task: Task) -> Result<Step, Failure> {
        let urgency = new.urgency.as_deref().map(parse_urgency).transpose()?;
        let due = new.due.as_deref().map(parse_due).transpose()?;
        let studies = self.chosen_studies(&new)?;
        let groups: Vec<StudyId> = studies.iter().map(|(study, _)| *study).collect();
        self.check_text(
            &groups,
            &[
                ("question", Some(&new.ask)),
                ("context", new.context.as_ref()),
                ("first report", new.first_report.as_ref()),
            ],
            new.text_checked,
        )?;
        let (invited, people) = self.invitations(&new.invite, Role::Reader, new.to_unverified)?;
        let question = CaseChange {
            question: Some(new.ask.clone()),
            context: new.context.clone(),
            first_report: new.first_report.clone(),
            urgency,
            due,
            status: Some(Status::Open),
        };
        let mut contents = vec![Content::Case(question)];
        for (study, role) in &studies {
            contents.push(self.study_added(study, *role)?);
        }
        for content in &contents {
            content.check().map_err(content_failure)?;
        }
        let open = self.me()?;
        let author = open.author();
        let devices = open.card.devices().to_vec();
        let note = MembersNote { people, reason: None };
        let mut rng = random::system();
        let (mut room, founded) =
            Room::found(&author, devices, &invited, note, now(), &mut rng).map_err(write_failure)?;
        let mut written = vec![founded.clone()];
        let notice = Some(urgency.unwrap_or(Urgency::Routine));
        for (position, content) in contents.iter().enumerate() {
            let notice = notice.filter(|_| position == 0);
            written.extend(room.write(&author, content, notice, now(), &mut rng).map_err(write_failure)?);
        }
        let case = room.case();
        let ids: Vec<String> = written.iter().map(|written| crate::encoding::id::base32(&written.id.0)).collect();
        let reply =
            Reply::CaseCreated { case: case.to_string(), spoken: spoken_name(&case), delivery: Vec::new(), ids };
        let mut batch = Batch::new();
        put_written(&mut batch, case, &written);
        Given::by(&contents)?.put(&mut batch);
        self.keep_answer(&mut batch, task.request_id.as_deref(), &reply);
        self.commit(batch).await?;
        self.rooms.found(room, &founded);
        self.rooms.wrote(case, &written[1..]);
        let entries: Vec<EntryId> = written.iter().map(|written| written.id).collect();
        self.tell(SyncEvent::EntriesAdded { case, ids: entries.clone() });
        self.update_gate().await;
        self.want(case).await;
        self.happened("case founded", Some(case.to_string()), None);
        self.answer_when_delivered(case, entries, reply, task).await
    }

    /// Index studies and priors, of one patient unless confirmed.
    fn chosen_studies(&self, new: &CaseNew) -> Result<Vec<(StudyId, StudyRole)>, Failure> {
        let mut chosen = Vec::new();
        for typed in &new.studies {
            chosen.push((self.find_study(typed)?, StudyRole::Index));
        }
        for (typed, number) in new.priors.iter().zip(1..) {
            chosen.push((self.find_study(typed)?, StudyRole::Prior(number)));
        }
        let ids: Vec<StudyId> = chosen.iter().map(|(study, _)| *study).collect();
        self.check_one_patient(&ids, new.other_patient)?;
        Ok(chosen)
    }

    fn check_one_patient(&self, studies: &[StudyId], confirmed: bool) -> Result<(), Failure> {
        let groups: std::collections::BTreeSet<[u8; 16]> = studies
            .iter()
            .filter_map(|study| match self.studies.local().get(study)?.origin {
                Origin::Mine { group } => Some(group),
                Origin::Received => None,
            })
            .collect();
        if groups.len() < 2 || confirmed {
            return Ok(());
        }
        let store = self.store()?;
        let patients = studies.iter().filter_map(|study| library::patient_of(store, study).ok().flatten());
        let patients = patients
            .map(|patient| format!("{}, born {}, {}", patient.name, patient.birth_date, patient.study_description))
            .collect();
        Err(Failure::new(FailureCode::OtherPatient, "These studies are of different patients; nothing was sent.")
            .hint("Leave the wrong one out. If they are one person under two numbers, import again with --same-patient; if it is meant, repeat with --other-patient.")
            .detail("patients", patients))
    }

    fn study_added(&self, study: &StudyId, role: StudyRole) -> Result<Content, Failure> {
        let local = self
            .studies
            .local()
            .get(study)
            .ok_or_else(|| Failure::new(FailureCode::NotFound, "There is no such study."))?;
        if local.head.instances() == 0 {
            return Err(Failure::new(
                FailureCode::Unsafe,
                "Nothing of this study may be shared yet: every image was left out.",
            )
            .hint(
                "Look at them with `overread study review`, then admit them with `overread study include`, or cover \
                 what they show with `overread study mask`.",
            ));
        }
        let mut head = local.head.clone();
        head.series.retain(|series| series.instances > 0);
        Ok(Content::StudyAdded(Box::new(StudyAdded { study: *study, role, key: local.key.duplicate(), head })))
    }

    /// The people to invite, each with the devices of her card.
    fn invitations(
        &self,
        typed: &[String],
        role: Role,
        to_unverified: bool,
    ) -> Result<(Vec<NewMember>, Vec<PersonNote>), Failure> {
        let open = self.me()?;
        let allowed = if to_unverified { UnverifiedInvitations::AskedFor } else { UnverifiedInvitations::Refuse };
        let mut people = vec![note_of(open.identity(), &open.card.name(), &open.card.site())];
        let mut members = Vec::new();
        for typed in typed {
            let identity = self.find_person(typed)?;
            let Some(colleague) = open.people.get(&identity) else { continue };
            colleague
                .may_be_invited(now(), allowed)
                .map_err(|refused| invitation_failure(colleague.name(), &refused))?;
            let devices = colleague.card().devices().to_vec();
            members.push(NewMember { identity, role, devices, unverified: !colleague.is_verified() });
            people.push(note_of(identity, &colleague.card().name(), &colleague.card().site()));
        }
        Ok((members, people))
    }

    /// Writes contents into a case: durable, then told to peers. Gives the ids of what was written.
    pub async fn write(
        &mut self,
        case: CaseId,
        contents: &[Content],
        notice: Option<Urgency>,
    ) -> Result<Vec<EntryId>, Failure> {
        self.write_with(case, contents, notice, |_, _| Batch::new()).await
    }

    /// The same with what becomes durable together with it, made of the ids.
    pub async fn write_with(
        &mut self,
        case: CaseId,
        contents: &[Content],
        notice: Option<Urgency>,
        beside: impl FnOnce(&Self, &[EntryId]) -> Batch,
    ) -> Result<Vec<EntryId>, Failure> {
        self.check_own_log(case)?;
        let given = Given::by(contents)?;
        let mut written = Vec::new();
        let mut failed = None;
        {
            let open = super::core::open_part(&self.phase)
                .ok_or_else(|| Failure::new(FailureCode::Locked, "The vault is locked."))?;
            let room = &mut self.rooms.get_mut(&case).ok_or_else(gone)?.room;
            let mut rng = random::system();
            for content in contents {
                match room.write(&open.author(), content, notice, now(), &mut rng) {
                    Ok(more) => written.extend(more),
                    Err(error) => {
                        failed = Some(error);
                        break;
                    }
                }
            }
        }
        if let Some(error) = failed {
            self.restore(case)?;
            return Err(write_failure(error));
        }
        let ids: Vec<EntryId> = written.iter().map(|written| written.id).collect();
        let mut batch = beside(self, &ids);
        given.put(&mut batch);
        self.store_written(case, written, batch).await?;
        Ok(ids)
    }

    /// Refuses to write while a colleague's device holds entries of this device that are not here: they would fork it.
    /// So it is after a case was purged, or a home restored from a copy. Once they are here this device writes on from
    /// them; it becomes no new device, which a colleague's claim alone could make it do again and again (format 8.5).
    fn check_own_log(&self, case: CaseId) -> Result<(), Failure> {
        let (Some(link), Some(me), Some(log)) = (&self.link, self.my_device(), self.rooms.logs.get(&case)) else {
            return Ok(());
        };
        let theirs = link.connected().keys().filter_map(|peer| link.machine().frontier_of(&case, peer));
        let is_ahead = theirs.flat_map(|frontier| frontier.heads(&me)).any(|head| !log.contains(&head.id));
        if !is_ahead {
            return Ok(());
        }
        Err(Failure::new(
            FailureCode::NotReached,
            "A colleague's device holds entries you wrote in this case that are not here yet; nothing was written.",
        )
        .hint("`overread sync` fetches them; then repeat. If this folder is a copy of another home that is in use, stop using one of them."))
    }

    /// Makes what a room wrote durable, or takes the room back to what is on disk; then tells peers.
    pub async fn store_written(
        &mut self,
        case: CaseId,
        written: Vec<Written>,
        mut batch: Batch,
    ) -> Result<(), Failure> {
        put_written(&mut batch, case, &written);
        if let Err(failure) = self.commit(batch).await {
            self.restore(case)?;
            return Err(failure);
        }
        self.rooms.wrote(case, &written);
        let ids = written.iter().map(|written| written.id).collect();
        self.tell(SyncEvent::EntriesAdded { case, ids });
        self.happened("written", Some(case.to_string()), None);
        Ok(())
    }

    /// Takes a case back to what is on disk.
    pub fn restore(&mut self, case: CaseId) -> Result<(), Failure> {
        let store = Arc::clone(self.store()?);
        self.rooms.reload(&store, case)?;
        self.learn(case);
        Ok(())
    }

    /// Writes, and answers when it is delivered.
    pub async fn write_and_answer(
        &mut self,
        case: CaseId,
        contents: &[Content],
        notice: Option<Urgency>,
        task: Task,
        reply: fn(&[EntryId]) -> Reply,
    ) -> Result<Step, Failure> {
        let request_id = task.request_id.clone();
        let keep = |node: &Self, ids: &[EntryId]| {
            let mut batch = Batch::new();
            node.keep_answer(&mut batch, request_id.as_deref(), &reply(ids));
            batch
        };
        let entries = self.write_with(case, contents, notice, keep).await?;
        let reply = reply(&entries);
        self.answer_when_delivered(case, entries, reply, task).await
    }

    pub async fn say(
        &mut self,
        typed: &str,
        text: String,
        view: Option<AttachedView>,
        reply_to: Option<&str>,
        text_checked: bool,
        task: Task,
    ) -> Result<Step, Failure> {
        let case = self.open_case(typed).await?;
        self.check_case_text(case, &[("message", Some(&text))], text_checked)?;
        let view = view.map(|view| self.view_to_attach(case, view)).transpose()?.map(Box::new);
        let reply_to = reply_to.map(|typed| self.find_answered(case, typed)).transpose()?;
        let content = Content::Message(Message { text, view, reply_to });
        self.write_and_answer(case, &[content], None, task, written_ids).await
    }

    pub async fn case_edit(&mut self, typed: &str, edit: CaseEdit, task: Task) -> Result<Step, Failure> {
        let case = self.open_case(typed).await?;
        let fields = [
            ("question", edit.question.as_ref()),
            ("context", edit.context.as_ref()),
            ("first report", edit.first_report.as_ref()),
        ];
        self.check_case_text(case, &fields, edit.text_checked)?;
        let change = CaseChange {
            question: edit.question,
            context: edit.context,
            first_report: edit.first_report,
            urgency: edit.urgency.as_deref().map(parse_urgency).transpose()?,
            due: edit.due.as_deref().map(parse_due).transpose()?,
            status: None,
        };
        if change == CaseChange::default() {
            return Err(Failure::new(FailureCode::WrongUse, "Nothing to change was named.")
                .hint("Give --ask, --context, --first-report, --urgency or --due."));
        }
        self.write_and_answer(case, &[Content::Case(change)], None, task, written_ids).await
    }

    pub async fn case_status(&mut self, typed: &str, close: bool, task: Task) -> Result<Step, Failure> {
        let case = self.open_case(typed).await?;
        let status = if close { Status::Closed } else { Status::Open };
        let change = Content::Case(CaseChange { status: Some(status), ..CaseChange::default() });
        self.write_and_answer(case, &[change], None, task, written_ids).await
    }

    pub async fn case_accept(&mut self, typed: &str) -> Result<Reply, Failure> {
        let case = self.open_case(typed).await?;
        Ok(Reply::Case(Box::new(self.case_view(case)?)))
    }

    /// Shows a case; an invitation stays one until it is accepted, answered or fetched.
    pub fn case_show(&mut self, typed: &str) -> Result<Reply, Failure> {
        let case = self.find_case(typed)?;
        Ok(Reply::Case(Box::new(self.case_view(case)?)))
    }

    pub async fn case_study_add(
        &mut self,
        typed: &str,
        study: &str,
        prior: bool,
        other_patient: bool,
        task: Task,
    ) -> Result<Step, Failure> {
        let case = self.open_case(typed).await?;
        let study = self.find_study(study)?;
        let state = self.state(case)?;
        let mut together: Vec<StudyId> = state.current_studies().map(|current| current.study).collect();
        together.push(study);
        self.check_one_patient(&together, other_patient)?;
        let priors = state.current_studies().filter(|current| current.role != StudyRole::Index).count();
        let role = if prior { StudyRole::Prior(priors as u32 + 1) } else { StudyRole::Index };
        let content = self.study_added(&study, role)?;
        let step = self.write_and_answer(case, &[content], None, task, written_ids).await?;
        self.want(case).await;
        Ok(step)
    }

    pub async fn case_study_withdraw(
        &mut self,
        typed: &str,
        study: &str,
        reason: Option<String>,
        text_checked: bool,
        task: Task,
    ) -> Result<Step, Failure> {
        let case = self.open_case(typed).await?;
        let state = self.state(case)?;
        let prefix = study_prefix(study)?;
        let found = state.current_studies().find(|current| prefix.matches(StudyId::LETTER, current.study.as_bytes()));
        let found = found.ok_or_else(|| {
            Failure::new(FailureCode::NotFound, format!("The case has no study {}.", shown(study)))
                .hint("`overread case show CASE` lists its studies.")
        })?;
        let me = self.me()?.identity();
        let is_owner = state.shared.members.get(&me).is_some_and(|member| member.role == Role::Owner);
        if !is_owner && found.added.author != me {
            return Err(Failure::new(FailureCode::Role, "Only its sender or the owner of the case withdraws a study.")
                .hint("Say so in the case, or call her."));
        }
        self.check_case_text(case, &[("reason", reason.as_ref())], text_checked)?;
        let content = Content::StudyWithdrawn(StudyWithdrawn { study: found.study, reason });
        let step = self.write_and_answer(case, &[content], None, task, written_ids).await?;
        self.delete_withdrawn(case).await;
        Ok(step)
    }

    pub async fn case_member_add(
        &mut self,
        typed: &str,
        who: &str,
        role: &str,
        to_unverified: bool,
        task: Task,
    ) -> Result<Step, Failure> {
        let case = self.open_case(typed).await?;
        let role = parse_role(role)?;
        let (members, people) = self.invitations(&[who.to_owned()], role, to_unverified)?;
        let changes = members.iter().map(NewMember::change).collect();
        let urgency = self.state(case)?.urgency();
        self.change_members(case, changes, MembersNote { people, reason: None }, Some(urgency), task).await
    }

    pub async fn case_member_remove(&mut self, typed: &str, who: &str, task: Task) -> Result<Step, Failure> {
        let case = self.open_case(typed).await?;
        let identity = if who == "me" { self.me()?.identity() } else { self.find_member(&case, who)? };
        self.change_members(case, vec![Change::Remove { identity }], no_note(), None, task).await
    }

    pub async fn case_member_role(&mut self, typed: &str, who: &str, role: &str, task: Task) -> Result<Step, Failure> {
        let case = self.open_case(typed).await?;
        let identity = self.find_member(&case, who)?;
        let change = match role {
            "owner" => Change::Transfer { successor: identity },
            "heir" => Change::SetHeir { heir: Some(identity) },
            other => Change::SetRole { identity, role: parse_role(other)? },
        };
        self.change_members(case, vec![change], no_note(), None, task).await
    }

    async fn change_members(
        &mut self,
        case: CaseId,
        changes: Vec<Change>,
        note: MembersNote,
        notice: Option<Urgency>,
        task: Task,
    ) -> Result<Step, Failure> {
        self.check_own_log(case)?;
        let written = {
            let open = super::core::open_part(&self.phase)
                .ok_or_else(|| Failure::new(FailureCode::Locked, "The vault is locked."))?;
            let room = &mut self.rooms.get_mut(&case).ok_or_else(gone)?.room;
            room.change_members(&open.author(), changes, note, notice, now(), &mut random::system())
                .map_err(write_failure)?
        };
        let entries = vec![written.id];
        let reply = written_ids(&entries);
        let mut batch = Batch::new();
        self.keep_answer(&mut batch, task.request_id.as_deref(), &reply);
        self.store_written(case, vec![written], batch).await?;
        self.update_gate().await;
        self.answer_when_delivered(case, entries, reply, task).await
    }

    /// The case a person typed: an id, a prefix, or the spoken name.
    pub fn find_case(&self, typed: &str) -> Result<CaseId, Failure> {
        let case = self.find_stored_case(typed)?;
        if self.rooms.is_damaged(&case) { Err(damaged(case)) } else { Ok(case) }
    }

    /// The same, though its stored history may not hold.
    pub fn find_stored_case(&self, typed: &str) -> Result<CaseId, Failure> {
        let prefix = IdPrefix::parse(typed);
        let fits = |case: &CaseId| match &prefix {
            Some(prefix) => prefix.matches(CaseId::LETTER, case.as_bytes()),
            None => is_spoken_name(case, typed),
        };
        let found: Vec<CaseId> =
            self.rooms.ids().into_iter().chain(self.rooms.damaged().iter().copied()).filter(fits).collect();
        match found.as_slice() {
            [case] => Ok(*case),
            [] => Err(Failure::new(FailureCode::NotFound, format!("There is no case {} here.", shown(typed)))
                .hint("`overread case list` shows the cases you are a member of.")),
            several => {
                Err(Failure::new(FailureCode::Ambiguous, format!("{} may be one of several cases.", shown(typed)))
                    .hint("Type more characters.")
                    .detail(
                        "candidates",
                        several.iter().map(|case| format!("{} ({})", case, spoken_name(case))).collect(),
                    ))
            }
        }
    }

    /// The case, opened: an invitation counts as answered from here on, and its images are asked for.
    pub async fn open_case(&mut self, typed: &str) -> Result<CaseId, Failure> {
        let case = self.find_case(typed)?;
        self.accept_invitation(case).await?;
        Ok(case)
    }

    /// Answers an invitation, if the case is one.
    pub async fn accept_invitation(&mut self, case: CaseId) -> Result<(), Failure> {
        if self.rooms.get(&case).is_none_or(|open| open.answered != Answered::Invited) {
            return Ok(());
        }
        let mut batch = Batch::new();
        batch.put_row(Table::Invitation, &case.0, ACCEPTED);
        self.commit(batch).await?;
        if let Some(open) = self.rooms.get_mut(&case) {
            open.answered = Answered::Accepted;
        }
        self.update_gate().await;
        self.want(case).await;
        Ok(())
    }

    pub fn state(&mut self, case: CaseId) -> Result<Arc<CaseState>, Failure> {
        self.rooms.get_mut(&case).map(OpenCase::state).ok_or_else(gone)
    }

    /// A study of this home that a person typed.
    pub fn find_study(&self, typed: &str) -> Result<StudyId, Failure> {
        let prefix = study_prefix(typed)?;
        let ids = self.studies.local().keys();
        one_study(typed, ids.filter(|study| prefix.matches(StudyId::LETTER, study.as_bytes())).copied().collect())
    }

    /// A study of a case that a program named.
    pub fn study_in_case(&mut self, case: CaseId, typed: &str) -> Result<StudyId, Failure> {
        let prefix = study_prefix(typed)?;
        let state = self.state(case)?;
        let studies = state.current_studies().map(|study| study.study);
        one_study(typed, studies.filter(|study| prefix.matches(StudyId::LETTER, study.as_bytes())).collect())
    }

    /// A study of this home or of one of its cases.
    pub fn find_study_anywhere(&mut self, typed: &str) -> Result<StudyId, Failure> {
        let prefix = study_prefix(typed)?;
        let mut found: std::collections::BTreeSet<StudyId> = self.studies.local().keys().copied().collect();
        for case in self.rooms.ids() {
            found.extend(self.state(case)?.current_studies().map(|study| study.study));
        }
        one_study(typed, found.into_iter().filter(|study| prefix.matches(StudyId::LETTER, study.as_bytes())).collect())
    }

    /// Compares typed text with the patients of these studies before it is sealed.
    fn check_text(
        &self,
        studies: &[StudyId],
        fields: &[(&str, Option<&String>)],
        checked: bool,
    ) -> Result<(), Failure> {
        if checked {
            return Ok(());
        }
        let words: Option<IdentifyingWords> = library::words_of(self.store()?, studies)?;
        let fields: Vec<(&str, &str)> =
            fields.iter().filter_map(|(name, text)| Some((*name, text.as_ref()?.as_str()))).collect();
        library::check_text(words.as_ref(), &fields)
    }

    /// Compares typed text with the patients of a case's studies; members without the table get the general forms.
    pub fn check_case_text(
        &mut self,
        case: CaseId,
        fields: &[(&str, Option<&String>)],
        checked: bool,
    ) -> Result<(), Failure> {
        let studies: Vec<StudyId> = self.state(case)?.shared.studies.iter().map(|study| study.study).collect();
        self.check_text(&studies, fields, checked)
    }
}

/// The answer of a writing command: the ids it made.
pub(super) fn written_ids(entries: &[EntryId]) -> Reply {
    let ids = entries.iter().map(|entry| crate::encoding::id::base32(&entry.0)).collect();
    Reply::Written { ids, delivery: Vec::new() }
}

fn note_of(identity: IdentityKey, name: &str, site: &str) -> PersonNote {
    PersonNote { identity, name: name.to_owned(), site: site.to_owned() }
}

fn no_note() -> MembersNote {
    MembersNote { people: Vec::new(), reason: None }
}

fn study_prefix(typed: &str) -> Result<IdPrefix, Failure> {
    IdPrefix::parse(typed).filter(|prefix| prefix.letter == StudyId::LETTER).ok_or_else(|| {
        Failure::new(FailureCode::WrongUse, format!("{} is no study id.", shown(typed)))
            .hint("A study id begins with s- and at least four characters; `overread study list` shows them.")
    })
}

fn one_study(typed: &str, found: Vec<StudyId>) -> Result<StudyId, Failure> {
    match found.as_slice() {
        [study] => Ok(*study),
        [] => Err(Failure::new(FailureCode::NotFound, format!("There is no study {} here.", shown(typed)))
            .hint("`overread study list` shows what is here; `overread import PATH` adds more.")),
        several => {
            Err(Failure::new(FailureCode::Ambiguous, format!("{} may be one of several studies.", shown(typed)))
                .hint("Type more characters.")
                .detail("candidates", several.iter().map(ToString::to_string).collect()))
        }
    }
}

fn parse_urgency(text: &str) -> Result<Urgency, Failure> {
    match text {
        "stat" => Ok(Urgency::Stat),
        "urgent" => Ok(Urgency::Urgent),
        "routine" => Ok(Urgency::Routine),
        other => Err(Failure::new(FailureCode::WrongUse, format!("{} is no urgency.", shown(other)))
            .hint("Use stat, urgent or routine.")),
    }
}

/// RFC 3339 with offset, or a duration from now.
fn parse_due(text: &str) -> Result<Timestamp, Failure> {
    let from_now = parse_duration_ms(text).map(|ms| now().plus_ms(ms));
    Timestamp::parse(text).or(from_now).ok_or_else(|| {
        Failure::new(FailureCode::WrongUse, format!("{} is no time.", shown(text)))
            .hint("Write 2026-11-30T16:00:00+01:00, or a duration like 4h or 2d.")
    })
}

fn parse_role(text: &str) -> Result<Role, Failure> {
    match text {
        "courier" => Ok(Role::Courier),
        "observer" => Ok(Role::Observer),
        "reader" => Ok(Role::Reader),
        "admin" => Ok(Role::Admin),
        other => Err(Failure::new(FailureCode::WrongUse, format!("{} is no role.", shown(other)))
            .hint("Use reader, observer, admin or courier; owner hands the case over, heir names who may take over.")),
    }
}

fn gone() -> Failure {
    Failure::new(FailureCode::NotFound, "The case is no longer here.")
        .hint("`overread case list` shows the cases you are a member of.")
}

fn invitation_failure(name: &str, refused: &InvitationRefused) -> Failure {
    Failure::new(FailureCode::Untrusted, format!("{} cannot be invited: {refused}.", shown(name)))
        .hint("Verify first: `overread card verify NAME`, or pair. To invite all the same, add --to-unverified: the entry will say so.")
}

/// Words for what a case refuses to write.
pub(super) fn write_failure(error: WriteError) -> Failure {
    match error {
        WriteError::Content(error) => content_failure(error),
        WriteError::NotAMember => Failure::new(FailureCode::NotAMember, "You are not a member of this case any more.")
            .hint("What was said until then can still be read. Ask the owner to add you again if it is a mistake."),
        WriteError::NeedsRole { .. } | WriteError::NotAllowed => Failure::new(FailureCode::Role, sentence(&error))
            .hint("Ask the owner: `overread case show CASE` says who it is."),
        WriteError::Forked => Failure::new(FailureCode::Unsafe, sentence(&error))
            .hint("Restore your identity in a new folder with the recovery code: `overread vault recover`."),
        WriteError::NoKey => {
            Failure::new(FailureCode::NotReached, sentence(&error)).hint("`overread sync` gets it from another member.")
        }
        WriteError::TooManyMembers => {
            Failure::new(FailureCode::WrongUse, sentence(&error)).hint("Make a second case for the rest.")
        }
        WriteError::TooLarge { .. } => Failure::new(FailureCode::WrongUse, sentence(&error))
            .hint("Shorten its texts together, or write one of them apart: `overread case context`, `overread say`."),
        other => Failure::new(FailureCode::Failed, sentence(&other))
            .hint("`overread verify CASE` says whether its history is whole."),
    }
}

pub(super) fn content_failure(error: ContentError) -> Failure {
    Failure::new(FailureCode::WrongUse, sentence(&error)).hint("Shorten it.")
}
