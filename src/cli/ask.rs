//! `ask`: from a folder of images to a delivered question, in one go.
//!
//! First start if needed; a dry run whose plan the sender reads; import; with `--to new` the pairing door; the
//! case. Nothing is stored before the plan is agreed to, and nothing leaves before the colleague is known. The text
//! check comes with the case, since it needs the imported patient's names.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::encoding::text::shown;
use crate::node::api::{
    CardView, CaseNew, DeliveryView, Failure, FailureCode, ImportReport, ImportRequest, OpinionView, Reply, Request,
};

use super::case::Urgency;
use super::init::FirstStart;
use super::session::{Session, unexpected};
use super::{exit, import, read, recovery, render};

/// The recipient that opens the pairing door.
const NEW: &str = "new";

/// How long one look for news may take while staying, in seconds.
const LOOK_SECONDS: u64 = 2;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Ask a colleague about an examination: import, check, seal and deliver in one go
#[derive(Debug, Args)]
#[command(
    override_usage = "overread ask [OPTIONS] PATH... --to NAME|new TEXT",
    after_help = "\
Examples:
  overread ask ./CT --to \"Dr Beck\" \"Is the lesion in segment 7 new?\"
  overread ask ./CT --to new \"Is the lesion in segment 7 new?\"
      for somebody who is not a colleague yet: prints a line to read aloud on the phone
  overread ask ./CT2026 ./CT2025 --to \"Dr Beck\" --urgency urgent --due 4h \"Progress?\"
  overread ask ./CT --to \"Dr Beck\" --yes --stay \"New?\"
      for scripts: asks nothing, and stays until the answer is here

Shows first what leaves and what stays: the real patient, what is removed, the free text that remains. Nothing is
stored or sent before you agree. Objects that cannot be de-identified with certainty are left out (exit code 6)."
)]
pub(super) struct Ask {
    /// Files, folders or archives of the examination, and last the question
    #[arg(required = true, value_name = "PATH... TEXT")]
    given: Vec<OsString>,
    /// A colleague's name, or new; may be repeated
    #[arg(long, required = true, value_name = "NAME|new")]
    to: Vec<String>,
    /// Clinical context, from a file
    #[arg(long, value_name = "FILE")]
    context: Option<PathBuf>,
    /// The first report, from a file
    #[arg(long, value_name = "FILE")]
    first_report: Option<PathBuf>,
    /// Studies already here that go along as earlier examinations
    #[arg(long = "prior", value_name = "STUDY")]
    priors: Vec<String>,
    /// How soon an answer is needed
    #[arg(long, value_enum)]
    urgency: Option<Urgency>,
    /// When an answer is needed: RFC 3339 with offset, or 4h
    #[arg(long, value_name = "TIME")]
    due: Option<String>,
    /// How much is kept: consult, basic, or a file of your own
    #[arg(long, value_name = "consult|basic|FILE")]
    preset: Option<String>,
    /// The same patient as in this study, though the identifiers differ
    #[arg(long, value_name = "STUDY")]
    same_patient: Option<String>,
    /// Keep this word in descriptions though it is not in the radiology vocabulary; may be repeated
    #[arg(long = "keep-word", value_name = "WORD")]
    keep_words: Vec<String>,
    /// Ask a colleague with whom words were never compared; it stands in the case
    #[arg(long)]
    to_unverified: bool,
    /// Send the text although it looks like it names the patient: you have read it
    #[arg(long)]
    text_checked: bool,
    /// Put studies of different patients into one case: you have compared them
    #[arg(long)]
    other_patient: bool,
    /// Agree to the plan and to whoever uses the code, without being asked
    #[arg(long)]
    yes: bool,
    /// Stay until the first opinion is here (at most --wait)
    #[arg(long)]
    stay: bool,
    #[command(flatten)]
    first_start: FirstStart,
}

impl Ask {
    pub(super) async fn run(mut self, session: &mut Session) -> Result<u8, Failure> {
        session.manner.yes = self.yes;
        let (paths, question) = split(std::mem::take(&mut self.given))?;
        let new_case = self.new_case(question)?;
        let request = ImportRequest {
            paths: read::absolute_all(&paths)?,
            inbox: Vec::new(),
            preset: import::preset(self.preset.take())?,
            same_patient: self.same_patient.take(),
            keep_words: std::mem::take(&mut self.keep_words),
            dry_run: true,
        };
        if session.output.is_json() && (self.stay || self.to.iter().any(|to| to == NEW)) {
            session.output.begin_stream();
        }
        self.first_start.ensure(session).await?;
        self.agree_to_plan(&request, &new_case, session).await?;

        let request = ImportRequest { dry_run: false, ..request };
        let imported = imported(session.step("import", Request::Import(request), None).await?)?;
        let colleague = self.pair(session).await?;
        let case = CaseNew {
            studies: imported.studies.iter().map(|study| study.id.clone()).collect(),
            invite: self.recipients(colleague.as_ref()),
            ..new_case
        };
        let created = session.step("case", Request::CaseNew(case), session.manner.wait_seconds).await?;
        self.finish(&created, &imported, colleague.as_ref(), session).await
    }

    fn new_case(&mut self, question: String) -> Result<CaseNew, Failure> {
        Ok(CaseNew {
            ask: read::argument(question)?,
            context: read::text_if_given(self.context.as_deref())?,
            first_report: read::text_if_given(self.first_report.as_deref())?,
            priors: std::mem::take(&mut self.priors),
            urgency: self.urgency.map(Urgency::word),
            due: self.due.take(),
            to_unverified: self.to_unverified,
            text_checked: self.text_checked,
            other_patient: self.other_patient,
            ..CaseNew::default()
        })
    }

    /// Shows what would leave; gives nothing unless the sender agrees.
    async fn agree_to_plan(
        &self,
        request: &ImportRequest,
        case: &CaseNew,
        session: &mut Session,
    ) -> Result<(), Failure> {
        let dry = imported(session.bare(Request::Import(request.clone())).await?)?;
        let patients = dry.plan.as_ref().map_or(0, render::patients);
        if patients > 1 && !self.other_patient && !session.person.is_here() {
            return Err(Failure::new(
                FailureCode::OtherPatient,
                format!("These are examinations of {patients} patients."),
            )
            .hint("Nothing was imported. Ask about one patient at a time, or give --other-patient."));
        }
        let page = self.plan_page(&dry, case, session.output.width());
        if self.yes {
            session.output.say(page.trim_end());
            return Ok(());
        }
        if !session.person.is_here() {
            return Err(Failure::new(FailureCode::WrongUse, "Nobody is here to agree to what would be sent.")
                .hint("Look at it with `overread import PATH --dry-run`, then give --yes."));
        }
        session.output.show(page.trim_end());
        if session.person.agrees("\nTake it in and send it?")? {
            return Ok(());
        }
        Err(Failure::new(FailureCode::Failed, "Nothing was taken in and nothing was sent.")
            .hint("Run the command again when it is as you want it."))
    }

    /// One page: patient, what is left out, what is done to the headers, the text going out, to whom.
    fn plan_page(&self, dry: &ImportReport, case: &CaseNew, width: usize) -> String {
        let mut page = String::new();
        if let Some(plan) = &dry.plan {
            page += &render::plan(plan, width);
            page.push('\n');
        }
        for study in &dry.studies {
            // Writing to a string cannot fail.
            let _ = writeln!(
                page,
                "Study           {} {}: {} images in {} series",
                shown(&study.modality),
                shown(&study.description),
                study.instances,
                study.series
            );
        }
        for (name, text) in [
            ("Question", Some(&case.ask)),
            ("Context", case.context.as_ref()),
            ("First report", case.first_report.as_ref()),
        ] {
            if let Some(text) = text {
                page += &render::field(name, text, width);
            }
        }
        let to: Vec<&str> =
            self.to.iter().map(|to| if to == NEW { "whoever you read the code to" } else { to }).collect();
        page + &render::field("To", &to.join(", "), width)
    }

    async fn pair(&self, session: &mut Session) -> Result<Option<CardView>, Failure> {
        if !self.to.iter().any(|to| to == NEW) {
            return Ok(None);
        }
        match session.step("pair", Request::PairOpen, None).await? {
            Reply::Paired { colleague } => {
                session.output.say(&format!("{} is now a colleague.", colleague.name));
                Ok(Some(colleague))
            }
            _ => Err(unexpected()),
        }
    }

    fn recipients(&self, colleague: Option<&CardView>) -> Vec<String> {
        let known = self.to.iter().filter(|to| *to != NEW).cloned();
        known.chain(colleague.map(|colleague| colleague.identity.clone())).collect()
    }

    async fn finish(
        &self,
        created: &Reply,
        imported: &ImportReport,
        colleague: Option<&CardView>,
        session: &mut Session,
    ) -> Result<u8, Failure> {
        let Reply::CaseCreated { case, delivery, .. } = created else { return Err(unexpected()) };
        let text = render::text(created, session.output.width());
        let mut document = document(created, imported, colleague);
        if self.stay {
            let mut event = document.clone();
            event["event"] = "created".into();
            session.output.event(&event, Some(text.trim_end()));
        } else {
            session.output.result(document.clone(), &text);
        }
        if delivery.iter().any(is_delivered) {
            recovery::show_and_confirm(session).await?;
        } else if !delivery.is_empty() {
            session
                .output
                .say("Saved, and not sent yet: it goes out when `overread node` or `overread sync` reaches them,\nor as a file: `overread bundle pack --for NAME -o FILE`.");
        }
        if self.stay || wants_to_stay(session)? {
            let opinion = stay(case, session).await?;
            let text = match &opinion {
                Some(opinion) => render::text(&Reply::Opinion { opinion: opinion.clone() }, session.output.width()),
                None => "No opinion yet. Next: `overread case show` later, with `overread node` running.\n".into(),
            };
            if self.stay {
                document["opinion"] = json!(opinion);
                session.output.result(document, &text);
            } else {
                session.output.say(text.trim_end());
            }
        }
        Ok(exit::imported(imported))
    }
}

/// Paths and the question behind them.
fn split(mut given: Vec<OsString>) -> Result<(Vec<PathBuf>, String), Failure> {
    let wrong = |what: &str| {
        Failure::new(FailureCode::WrongUse, what).hint("Write: overread ask PATH... --to NAME \"QUESTION\"")
    };
    let question = given.pop().filter(|_| !given.is_empty()).ok_or_else(|| wrong("The question is missing."))?;
    if Path::new(&question).exists() {
        return Err(wrong(&format!(
            "The question is missing: {} is a file or folder.",
            Path::new(&question).display()
        )));
    }
    let question = question.into_string().map_err(|_| wrong("The question is not UTF-8 text."))?;
    if question.trim().is_empty() {
        return Err(wrong("The question is empty."));
    }
    Ok((given.into_iter().map(PathBuf::from).collect(), question))
}

/// The report of an import that found something.
fn imported(reply: Reply) -> Result<ImportReport, Failure> {
    let Reply::Imported(report) = reply else { return Err(unexpected()) };
    if report.studies.is_empty() {
        let skipped = report.skipped.iter().map(|file| format!("{}: {}", file.path, file.why)).collect();
        return Err(Failure::new(FailureCode::NotFound, "There is no DICOM study to ask about.")
            .hint("Nothing was sent. Give the folder, the files or the ZIP archive of the examination.")
            .detail("skipped", skipped));
    }
    Ok(report)
}

/// The document of the whole command; the plan, which names the patient, was for the screen only.
fn document(created: &Reply, imported: &ImportReport, colleague: Option<&CardView>) -> Value {
    let mut document = created.document();
    document["studies"] = imported.studies.iter().map(|study| json!(study.id)).collect();
    let report = ImportReport { plan: None, ..imported.clone() };
    document["imported"] = json!({ "studies": report.studies, "skipped": report.skipped, "seconds": report.seconds });
    if let Some(colleague) = colleague {
        document["colleague"] = json!(colleague);
    }
    document
}

fn is_delivered(delivery: &DeliveryView) -> bool {
    matches!(delivery.state.as_str(), "delivered" | "opened" | "read")
}

/// Whether a person whose machine is the only source of the pictures wants to wait at it.
fn wants_to_stay(session: &mut Session) -> Result<bool, Failure> {
    if session.node_goes_on() || session.output.is_json() || !session.person.is_here() {
        return Ok(false);
    }
    session.output.say("\nNo node runs here: your colleague can fetch the pictures only while this machine answers.");
    let answer = session.person.line("Stay until the answer comes? Ctrl-C ends it. [Y/n] ")?;
    Ok(!matches!(answer.trim().to_lowercase().as_str(), "n" | "no"))
}

/// Keeps in step until the first opinion is here, or `--wait` is over.
async fn stay(case: &str, session: &mut Session) -> Result<Option<OpinionView>, Failure> {
    let deadline = session.manner.wait_seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut known: Vec<(String, String)> = Vec::new();
    loop {
        match session.look(Request::Sync, LOOK_SECONDS).await {
            Err(failure) if failure.code != FailureCode::NotReached => return Err(failure),
            _ => {}
        }
        let Reply::Case(view) = session.look(Request::CaseShow { case: case.into() }, 0).await? else {
            return Err(unexpected());
        };
        let now: Vec<_> = view.members.iter().filter(|m| !m.me).map(|m| (m.name.clone(), m.delivery.clone())).collect();
        for (name, delivery) in now.iter().filter(|state| !known.contains(state)) {
            session.output.say(&format!("{name}: {delivery}"));
        }
        known = now;
        if let Some(opinion) = view.opinions.into_iter().next() {
            return Ok(Some(opinion));
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Ok(None);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests;
