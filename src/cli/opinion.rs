//! `opinion`: the structured second read, signed; and the critical finding that must reach somebody by voice.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::encoding::random;
use crate::node::api::{CriticalDraft, Failure, FailureCode, KeptDraft, OpinionDraft, Reply, Request};

use super::read;
use super::session::{Session, unexpected};

/// Opinions: signed second reads with what they rest on
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  overread opinion template amber-falcon > opinion.toml
  overread opinion sign amber-falcon --file opinion.toml
  overread opinion sign amber-falcon --impression \"Old, unchanged since 2024\" --agree
  overread opinion draft amber-falcon
  overread opinion read o-k3vq")]
pub(super) struct Opinion {
    #[command(subcommand)]
    command: OpinionCommand,
}

#[derive(Debug, Subcommand)]
enum OpinionCommand {
    /// Print an opinion to be filled in
    #[command(after_help = "\
Example:
  overread opinion template amber-falcon > opinion.toml")]
    Template { case: String },
    /// Sign an opinion: it cannot be changed afterwards, only added to
    #[command(after_help = "\
Examples:
  overread opinion sign amber-falcon --file opinion.toml
  overread opinion sign amber-falcon --impression \"Old, unchanged since 2024\" --agree --confidence 90
  overread opinion sign amber-falcon --draft
  overread opinion sign amber-falcon --impression \"Acute bleeding\" --disagree --critical \"active bleeding\" \\
      --called \"Dr Weber\" --at 2026-11-24T10:05:00+01:00 --taken-by \"Dr Weber\"

A critical finding is called through before it is signed: whom you called, when, and who took it.")]
    Sign(Box<Sign>),
    /// Show the opinion you are writing in a case and have not signed, keep another in its place, or drop it
    #[command(after_help = "\
Examples:
  overread opinion draft amber-falcon > opinion.toml
  overread opinion draft amber-falcon --file opinion.toml
  overread opinion sign amber-falcon --draft
  overread opinion draft amber-falcon --drop

The app's form keeps by itself what is typed there, and goes on with what is kept here. A draft is sealed, stays on this
machine and is sent to nobody; signing it drops it.")]
    Draft {
        /// The case: its spoken name or its id
        case: String,
        /// Keep this instead: a TOML file as `opinion template` prints it; - is standard input
        #[arg(long, value_name = "F.toml", conflicts_with = "drop")]
        file: Option<PathBuf>,
        /// Drop it
        #[arg(long)]
        drop: bool,
    },
    /// List the opinions of a case
    #[command(after_help = "\
Example:
  overread opinion list amber-falcon")]
    List { case: String },
    /// Read an opinion; its author sees that you did
    #[command(after_help = "\
Example:
  overread opinion read o-k3vq")]
    Read { opinion: String },
    /// Add to an opinion of your own
    #[command(after_help = "\
Examples:
  overread opinion addend o-k3vq \"After the prior of 2023: unchanged since then\"
  overread opinion addend o-k3vq - < addendum.txt")]
    Addend {
        opinion: String,
        /// What to add; - reads it from standard input
        text: String,
        /// Send it although it looks like it names the patient: you have read it
        #[arg(long)]
        text_checked: bool,
    },
}

#[derive(Debug, Default, Args)]
struct Sign {
    case: String,
    /// The opinion as a TOML file, as `opinion template` prints it; - is standard input
    #[arg(long, value_name = "F.toml", conflicts_with_all = ["impression", "agree", "disagree", "partly", "critical"])]
    file: Option<PathBuf>,
    /// Sign what is kept: `opinion draft CASE` shows it
    #[arg(long, conflicts_with_all = ["file", "impression", "agree", "disagree", "partly", "findings", "recommendation", "confidence", "critical"])]
    draft: bool,
    /// The impression; - reads it from standard input
    #[arg(long, value_name = "TEXT", required_unless_present_any = ["file", "draft"])]
    impression: Option<String>,
    /// You agree with the first report
    #[arg(long, conflicts_with_all = ["disagree", "partly"], required_unless_present_any = ["file", "draft", "disagree", "partly"])]
    agree: bool,
    /// You disagree with the first report
    #[arg(long, conflicts_with = "partly")]
    disagree: bool,
    /// You agree in part
    #[arg(long)]
    partly: bool,
    /// What you see, in detail
    #[arg(long, value_name = "TEXT", conflicts_with = "file")]
    findings: Option<String>,
    /// What should follow
    #[arg(long, value_name = "TEXT", conflicts_with = "file")]
    recommendation: Option<String>,
    /// How sure you are, in percent
    #[arg(long, value_name = "0-100", conflicts_with = "file", value_parser = clap::value_parser!(u32).range(0..=100))]
    confidence: Option<u32>,
    /// There is a critical finding: this one
    #[arg(long, value_name = "FINDING")]
    critical: Option<String>,
    /// Whom you called about it
    #[arg(long, value_name = "WHOM", requires = "critical")]
    called: Option<String>,
    /// When: RFC 3339 with offset
    #[arg(long, value_name = "TIME", requires = "critical")]
    at: Option<String>,
    /// Who took the call
    #[arg(long, value_name = "WHO", requires = "critical")]
    taken_by: Option<String>,
    /// Sign though images are missing or were never displayed: the limitation stands first in the opinion
    #[arg(long)]
    incomplete_ok: bool,
    /// Send the text although it looks like it names the patient: you have read it
    #[arg(long)]
    text_checked: bool,
}

impl Opinion {
    pub(super) async fn run(self, session: &mut Session) -> Result<u8, Failure> {
        let request = match self.command {
            OpinionCommand::Template { case } => return template(case, session).await,
            OpinionCommand::Sign(sign) => sign.request(session).await?,
            OpinionCommand::Draft { case, drop: true, .. } => Request::OpinionDraftDrop { case, revision: None },
            OpinionCommand::Draft { case, file: Some(path), .. } => keep(case, &path, session).await?,
            OpinionCommand::Draft { case, .. } => {
                let draft = kept(case, session).await?;
                session.print(&Reply::Draft { draft: Some(draft) });
                return Ok(0);
            }
            OpinionCommand::List { case } => Request::OpinionList { case },
            OpinionCommand::Read { opinion } => Request::OpinionRead { opinion },
            OpinionCommand::Addend { opinion, text, text_checked } => {
                Request::OpinionAddend { opinion, text: read::argument(text)?, text_checked }
            }
        };
        session.carry_out(request).await
    }
}

async fn template(case: String, session: &mut Session) -> Result<u8, Failure> {
    let reply = session.ask(Request::OpinionTemplate { case }).await?;
    session.print(&reply);
    if let (Reply::Template { .. }, true) = (&reply, session.person.is_here()) {
        session.output.say("Next: save it, fill it in, and sign with `overread opinion sign CASE --file F.toml`.");
    }
    Ok(0)
}

/// The draft of a case that is kept.
async fn kept(case: String, session: &mut Session) -> Result<KeptDraft, Failure> {
    let none = || {
        Failure::new(FailureCode::NotFound, "No draft of an opinion is kept for this case.")
            .hint("The app's form keeps one while you write; so does `overread opinion draft CASE --file F.toml`.")
    };
    match session.bare(Request::OpinionDraftShow { case }).await? {
        Reply::Draft { draft } => draft.ok_or_else(none),
        _ => Err(unexpected()),
    }
}

/// Keeps a file as the draft. What was kept before is replaced: who asks for that has seen it.
async fn keep(case: String, path: &Path, session: &mut Session) -> Result<Request, Failure> {
    let opinion = from_toml(path, &read::text(path)?)?;
    let last_seen = match session.bare(Request::OpinionDraftShow { case: case.clone() }).await? {
        Reply::Draft { draft } => draft.map(|draft| draft.revision),
        _ => return Err(unexpected()),
    };
    let revision = u64::from_be_bytes(random::bytes(&mut random::system()));
    Ok(Request::OpinionDraftKeep { case, opinion, revision, last_seen })
}

impl Sign {
    async fn request(mut self, session: &mut Session) -> Result<Request, Failure> {
        let mut draft = None;
        let mut opinion = match &self.file {
            Some(path) => from_toml(path, &read::text(path)?)?,
            None if self.draft => {
                let kept = kept(self.case.clone(), session).await?;
                draft = Some(kept.revision);
                kept.opinion
            }
            None => self.typed()?,
        };
        if let Some(critical) = &mut opinion.critical {
            ask_three_questions(critical, session)?;
        }
        let Self { case, incomplete_ok, text_checked, .. } = self;
        Ok(Request::OpinionSign { case, opinion, displayed: None, incomplete_ok, text_checked, draft, asked_by: None })
    }

    fn typed(&mut self) -> Result<OpinionDraft, Failure> {
        let agreement = match (self.agree, self.disagree) {
            (true, _) => "agree",
            (_, true) => "disagree",
            _ => "partly",
        };
        let critical = self.critical.take().map(|finding| CriticalDraft {
            finding,
            called: self.called.take().unwrap_or_default(),
            at: self.at.take().unwrap_or_default(),
            taken_by: self.taken_by.take().unwrap_or_default(),
        });
        Ok(OpinionDraft {
            impression: read::argument(self.impression.take().unwrap_or_default())?,
            agreement: agreement.into(),
            findings: self.findings.take(),
            recommendation: self.recommendation.take(),
            confidence: self.confidence,
            critical,
        })
    }
}

/// An opinion from its file; a field that is not known is refused, since a misspelt one would be left out unseen.
fn from_toml(path: &Path, text: &str) -> Result<OpinionDraft, Failure> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
        let place = line.map_or_else(String::new, |line| format!(", line {line}"));
        let what = format!("{}{place}: {}.", path.display(), error.message().trim_end_matches('.'));
        Failure::new(FailureCode::WrongUse, what)
            .hint("Nothing was signed. `overread opinion template CASE` prints the fields there are.")
    })
}

/// A critical finding is not signed before somebody took the call.
fn ask_three_questions(critical: &mut CriticalDraft, session: &mut Session) -> Result<(), Failure> {
    let questions = [
        (&mut critical.called, "Whom did you call about the critical finding? ", "--called"),
        (&mut critical.at, "When did you call? (RFC 3339, like 2026-11-24T10:05:00+01:00) ", "--at"),
        (&mut critical.taken_by, "Who took the call? ", "--taken-by"),
    ];
    for (answer, question, flag) in questions {
        while answer.trim().is_empty() {
            if !session.person.is_here() {
                return Err(Failure::new(
                    FailureCode::Unsafe,
                    format!("A critical finding is signed only after a call: {flag} is missing."),
                )
                .hint("Call, then say whom you called, when, and who took it: --called, --at, --taken-by."));
            }
            *answer = session.person.line(question)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::tests::Captured;
    use crate::cli::person::script::Script;
    use crate::cli::session::tests::{run, scripted};

    fn session(person: &Script) -> Session {
        scripted(Captured::text().0, person, |_, _| Err(unexpected())).0
    }

    fn critical_sign() -> Sign {
        Sign {
            impression: Some("Acute bleeding".into()),
            disagree: true,
            critical: Some("active bleeding".into()),
            called: Some("Dr Weber".into()),
            ..Sign::default()
        }
    }

    fn draft(request: Request) -> OpinionDraft {
        match request {
            Request::OpinionSign { opinion, .. } => opinion,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_missing_of_the_three_answers_is_asked_for() {
        let person = Script::answering(&["", "2026-11-24T10:05:00+01:00", "Dr Weber"]);
        let critical = draft(run(critical_sign().request(&mut session(&person))).unwrap()).critical.unwrap();
        assert_eq!((critical.called.as_str(), critical.taken_by.as_str()), ("Dr Weber", "Dr Weber"));
        assert_eq!(person.asked().len(), 3);
        assert!(person.asked().iter().all(|question| !question.starts_with("Whom")));
    }

    #[test]
    fn a_script_without_the_three_answers_signs_nothing() {
        let failure = run(critical_sign().request(&mut session(&Script::nobody()))).unwrap_err();
        assert_eq!(failure.code.exit_code(), 5);
        assert_eq!(failure.what, "A critical finding is signed only after a call: --at is missing.");
    }

    #[test]
    fn a_file_with_an_unknown_field_is_refused_by_line() {
        let text = "impression = \"Old\"\nagreement = \"agree\"\nconfidnece = 90\n";
        let failure = from_toml(Path::new("o.toml"), text).unwrap_err();
        assert_eq!(failure.code.exit_code(), 2);
        assert!(failure.what.starts_with("o.toml, line 3: unknown field `confidnece`"), "{}", failure.what);
    }

    #[test]
    fn hostile_files_are_wrong_use() {
        for text in ["", "impression", "impression = 7\nagreement = \"agree\"", "[critical]\n", "\u{0}", "a = [[[[[["] {
            assert_eq!(from_toml(Path::new("o.toml"), text).unwrap_err().code, FailureCode::WrongUse, "{text:?}");
        }
    }

    #[test]
    fn a_draft_written_as_toml_is_read_back() {
        let draft = OpinionDraft {
            impression: "Old,\n\"unchanged\"".into(),
            agreement: "partly".into(),
            confidence: Some(90),
            critical: Some(CriticalDraft {
                finding: "f".into(),
                called: "c".into(),
                at: "a".into(),
                taken_by: "t".into(),
            }),
            ..OpinionDraft::default()
        };
        let text = toml::to_string(&draft).unwrap();
        assert_eq!(from_toml(Path::new("o.toml"), &text), Ok(draft));
    }
}
