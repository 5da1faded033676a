//! `case`: making, reading and changing case rooms.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::node::api::{CaseEdit, CaseNew, Failure, Request};

use super::read;
use super::session::Session;

/// Cases: a question with studies, members and everything that is said about it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  overread case list
  overread case new --ask \"New lesion in segment 7?\" --study s-k3vq --invite \"Dr Beck\"
  overread case show amber-falcon
  overread case close amber-falcon

A case is named by its spoken name or its id.")]
pub(super) struct Case {
    #[command(subcommand)]
    command: CaseCommand,
}

/// How soon an answer is needed.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum Urgency {
    Stat,
    Urgent,
    Routine,
}

impl Urgency {
    pub(super) fn word(self) -> String {
        match self {
            Self::Stat => "stat",
            Self::Urgent => "urgent",
            Self::Routine => "routine",
        }
        .into()
    }
}

#[derive(Debug, Subcommand)]
enum CaseCommand {
    /// Make a case and invite colleagues
    #[command(after_help = "\
Examples:
  overread case new --ask \"New lesion in segment 7?\" --study s-k3vq --invite \"Dr Beck\"
  overread case new --ask \"Stable?\" --study s-k3vq --prior s-9fhw --invite \"Dr Beck\" --urgency urgent --due 4h
  overread case new --ask - --study s-k3vq --invite \"Dr Beck\" --context history.txt < question.txt

What you type is compared with the patient's name, identifiers and dates before it is sealed.")]
    New(New),
    /// List your cases: what waits for you first
    #[command(after_help = "\
Example:
  overread case list")]
    List,
    /// Show a case
    #[command(after_help = "\
Examples:
  overread case show amber-falcon
  overread case show c-k3vq --json")]
    Show { case: String },
    /// Show every entry of a case's history, and what became of it
    #[command(after_help = "\
Example:
  overread case log amber-falcon")]
    Log { case: String },
    /// Accept an invitation
    #[command(after_help = "\
Example:
  overread case accept amber-falcon")]
    Accept { case: String },
    /// Change the question or what stands beside it
    #[command(after_help = "\
Examples:
  overread case edit amber-falcon --ask \"And the adrenals?\"
  overread case edit amber-falcon --urgency stat --due 2h

Opinions signed before a change say so.")]
    Edit(Edit),
    /// Set the clinical context from a file
    #[command(after_help = "\
Examples:
  overread case context amber-falcon history.txt
  overread case context amber-falcon - < history.txt")]
    Context {
        case: String,
        #[arg(value_name = "FILE")]
        path: PathBuf,
        /// Send it although it looks like it names the patient: you have read it
        #[arg(long)]
        text_checked: bool,
    },
    /// Close a case
    #[command(after_help = "\
Example:
  overread case close amber-falcon")]
    Close { case: String },
    /// Reopen a closed case
    #[command(after_help = "\
Example:
  overread case reopen amber-falcon")]
    Reopen { case: String },
    /// Delete a case from this machine, pictures and entries
    #[command(after_help = "\
Example:
  overread case purge amber-falcon

While you are a member the case comes back as an invitation when a colleague is reached, without pictures until you
accept it. To leave it for good, first: `overread case member remove amber-falcon me`.")]
    Purge { case: String },
    /// Add a study to a case, or withdraw one
    #[command(after_help = "\
Examples:
  overread case study add amber-falcon s-9fhw --prior
  overread case study withdraw amber-falcon s-9fhw --reason \"wrong examination\"")]
    Study {
        #[command(subcommand)]
        command: StudyCommand,
    },
    /// Add, remove, or give another role to members
    #[command(after_help = "\
Examples:
  overread case member add amber-falcon \"Dr Beck\"
  overread case member role amber-falcon \"Dr Beck\" observer
  overread case member remove amber-falcon \"Dr Beck\"")]
    Member {
        #[command(subcommand)]
        command: MemberCommand,
    },
}

#[derive(Debug, Args)]
struct New {
    /// The question; - reads it from standard input
    #[arg(long, value_name = "TEXT")]
    ask: String,
    /// Clinical context, from a file
    #[arg(long, value_name = "FILE")]
    context: Option<PathBuf>,
    /// The first report, from a file
    #[arg(long, value_name = "FILE")]
    first_report: Option<PathBuf>,
    /// The examination asked about; may be repeated
    #[arg(long = "study", required = true, value_name = "ID", num_args = 1..)]
    studies: Vec<String>,
    /// Earlier examinations
    #[arg(long = "prior", value_name = "ID", num_args = 1..)]
    priors: Vec<String>,
    /// Whom to ask
    #[arg(long, required = true, value_name = "NAME", num_args = 1..)]
    invite: Vec<String>,
    /// How soon an answer is needed
    #[arg(long, value_enum)]
    urgency: Option<Urgency>,
    /// When an answer is needed: RFC 3339 with offset, or 4h
    #[arg(long, value_name = "TIME")]
    due: Option<String>,
    /// Invite although words were never compared; it stands in the case
    #[arg(long)]
    to_unverified: bool,
    /// Send the text although it looks like it names the patient: you have read it
    #[arg(long)]
    text_checked: bool,
    /// Put studies of different patients into one case: you have compared them
    #[arg(long)]
    other_patient: bool,
}

#[derive(Debug, Args)]
struct Edit {
    case: String,
    /// The new question; - reads it from standard input
    #[arg(long, value_name = "TEXT")]
    ask: Option<String>,
    /// Clinical context, from a file
    #[arg(long, value_name = "FILE")]
    context: Option<PathBuf>,
    /// The first report, from a file
    #[arg(long, value_name = "FILE")]
    first_report: Option<PathBuf>,
    /// How soon an answer is needed
    #[arg(long, value_enum)]
    urgency: Option<Urgency>,
    /// When an answer is needed: RFC 3339 with offset, or 4h
    #[arg(long, value_name = "TIME")]
    due: Option<String>,
    /// Send the text although it looks like it names the patient: you have read it
    #[arg(long)]
    text_checked: bool,
}

#[derive(Debug, Subcommand)]
enum StudyCommand {
    /// Add a study to a case
    #[command(after_help = "\
Example:
  overread case study add amber-falcon s-9fhw --prior")]
    Add {
        case: String,
        study: String,
        /// As an earlier examination
        #[arg(long)]
        prior: bool,
        /// Though it is of another patient: you have compared them
        #[arg(long)]
        other_patient: bool,
    },
    /// Withdraw a study: members' machines delete its pictures and sign that they did
    #[command(after_help = "\
Example:
  overread case study withdraw amber-falcon s-9fhw --reason \"wrong examination\"")]
    Withdraw {
        case: String,
        study: String,
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Send the reason although it looks like it names the patient: you have read it
        #[arg(long)]
        text_checked: bool,
    },
}

#[derive(Debug, Subcommand)]
enum MemberCommand {
    /// Add a colleague to a case
    #[command(after_help = "\
Examples:
  overread case member add amber-falcon \"Dr Beck\"
  overread case member add amber-falcon \"Dr Beck\" --role observer")]
    Add {
        case: String,
        name: String,
        /// reader, admin, observer or courier
        #[arg(long, default_value = "reader")]
        role: String,
        /// Though words were never compared; it stands in the case
        #[arg(long)]
        to_unverified: bool,
    },
    /// Remove a member: nothing written afterwards can be read there
    #[command(after_help = "\
Example:
  overread case member remove amber-falcon \"Dr Beck\"")]
    Remove { case: String, name: String },
    /// Give a member another role
    #[command(after_help = "\
Example:
  overread case member role amber-falcon \"Dr Beck\" admin")]
    Role { case: String, name: String, role: String },
}

impl Case {
    pub(super) async fn run(self, session: &mut Session) -> Result<u8, Failure> {
        session.carry_out(request(self.command)?).await
    }
}

fn request(command: CaseCommand) -> Result<Request, Failure> {
    Ok(match command {
        CaseCommand::New(new) => Request::CaseNew(CaseNew {
            ask: read::argument(new.ask)?,
            context: read::text_if_given(new.context.as_deref())?,
            first_report: read::text_if_given(new.first_report.as_deref())?,
            studies: new.studies,
            priors: new.priors,
            invite: new.invite,
            urgency: new.urgency.map(Urgency::word),
            due: new.due,
            to_unverified: new.to_unverified,
            text_checked: new.text_checked,
            other_patient: new.other_patient,
        }),
        CaseCommand::List => Request::CaseList,
        CaseCommand::Show { case } => Request::CaseShow { case },
        CaseCommand::Log { case } => Request::CaseLog { case },
        CaseCommand::Accept { case } => Request::CaseAccept { case },
        CaseCommand::Edit(edit) => Request::CaseEdit {
            case: edit.case,
            change: CaseEdit {
                question: edit.ask.map(read::argument).transpose()?,
                context: read::text_if_given(edit.context.as_deref())?,
                first_report: read::text_if_given(edit.first_report.as_deref())?,
                urgency: edit.urgency.map(Urgency::word),
                due: edit.due,
                text_checked: edit.text_checked,
            },
        },
        CaseCommand::Context { case, path, text_checked } => {
            let context = read::text_if_given(Some(&path))?;
            Request::CaseEdit { case, change: CaseEdit { context, text_checked, ..CaseEdit::default() } }
        }
        CaseCommand::Close { case } => Request::CaseClose { case },
        CaseCommand::Reopen { case } => Request::CaseReopen { case },
        CaseCommand::Purge { case } => Request::CasePurge { case },
        CaseCommand::Study { command: StudyCommand::Add { case, study, prior, other_patient } } => {
            Request::CaseStudyAdd { case, study, prior, other_patient }
        }
        CaseCommand::Study { command: StudyCommand::Withdraw { case, study, reason, text_checked } } => {
            Request::CaseStudyWithdraw { case, study, reason, text_checked }
        }
        CaseCommand::Member { command: MemberCommand::Add { case, name, role, to_unverified } } => {
            Request::CaseMemberAdd { case, who: name, role, to_unverified }
        }
        CaseCommand::Member { command: MemberCommand::Remove { case, name } } => {
            Request::CaseMemberRemove { case, who: name }
        }
        CaseCommand::Member { command: MemberCommand::Role { case, name, role } } => {
            Request::CaseMemberRole { case, who: name, role }
        }
    })
}
