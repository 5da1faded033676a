//! What is written is kept by itself, while it is written and when the form is left, and comes back.
//!
//! One draft is under way at a time; what changed meanwhile follows it. So at most [`KEEP_AFTER_MS`] of typing and
//! one write are lost when the machine loses its power.

use ratatui::text::Span;

use crate::encoding::text::shown;
use crate::node::api::{DRAFT_BYTES_MAX, Elsewhere, Failure, KeptDraft, OpinionDraft, Reply, Request};
use crate::ui::look::Look;
use crate::ui::message::Ticket;
use crate::ui::screen::{Context, Outcome};

/// How long a change waits to be kept, in milliseconds: words in one write, not letters.
pub(super) const KEEP_AFTER_MS: u64 = 300;

/// When it is tried again after it failed, in milliseconds.
pub(super) const RETRY_MS: u64 = 5_000;

/// How far what stands in the form is kept.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    case: String,
    /// The draft is asked for that was kept before the form was opened.
    reading: Option<Ticket>,
    /// The draft that this form knows to be kept.
    seen: Option<u64>,
    /// What was kept before could not be read.
    is_unread: bool,
    under_way: Option<UnderWay>,
    /// When the first change was made that is neither kept nor under way.
    changed_ms: Option<u64>,
    /// Not before this time again: it failed.
    retry_ms: u64,
    told: Told,
}

/// A draft on its way; without a revision it is being dropped.
#[derive(Debug)]
struct UnderWay {
    ticket: Ticket,
    revision: Option<u64>,
}

/// What stands about it in the form.
#[derive(Debug, Default)]
enum Told {
    #[default]
    Nothing,
    /// What was kept at this time stands in the form.
    Restored(String),
    Kept,
    Failed(String),
}

/// What came of an answer.
#[derive(Debug)]
pub(super) enum Heard {
    /// Not for this.
    Nothing,
    /// What was kept before the form was opened.
    Read(Option<Box<KeptDraft>>),
    /// All that was on the way is kept.
    Kept,
    Failed(Failure),
}

impl Keeping {
    pub(super) fn new(case: &str) -> Self {
        Self { case: case.to_owned(), ..Self::default() }
    }

    /// Asks for what was kept before.
    pub(super) fn begin(&mut self, context: &mut Context<'_>) {
        self.reading = Some(context.ask(Request::OpinionDraftShow { case: self.case.clone() }));
    }

    /// Whether it is not known yet what was kept before.
    pub(super) fn is_reading(&self) -> bool {
        self.reading.is_some()
    }

    /// Whether nothing would be lost now.
    pub(super) fn is_kept(&self) -> bool {
        self.changed_ms.is_none() && self.under_way.is_none()
    }

    /// Notes that something was written.
    pub(super) fn changed(&mut self, context: &Context<'_>) {
        self.changed_ms.get_or_insert(context.now_ms);
    }

    /// Whether what was written has waited long enough.
    pub(super) fn is_due(&self, context: &Context<'_>) -> bool {
        let due = self.changed_ms.is_some_and(|changed| context.now_ms.saturating_sub(changed) >= KEEP_AFTER_MS);
        due && self.under_way.is_none() && context.now_ms >= self.retry_ms
    }

    /// Keeps a draft, or drops what is kept if nothing is written any more. Does nothing if that is done.
    ///
    /// # Errors
    /// If it is too long to be kept, in words.
    pub(super) fn keep(&mut self, opinion: OpinionDraft, context: &mut Context<'_>) -> Result<(), String> {
        if self.changed_ms.is_none() {
            return Ok(());
        }
        let bytes = opinion.text_bytes();
        if bytes > DRAFT_BYTES_MAX {
            self.retry_ms = context.now_ms.saturating_add(RETRY_MS);
            let why = format!("It has {bytes} bytes of text; at most {DRAFT_BYTES_MAX} are kept, or can be signed.");
            self.told = Told::Failed(why.clone());
            return Err(why);
        }
        // What this form never saw it does not drop, and does not replace.
        if self.is_unread || opinion.is_empty() && self.newest().is_none() {
            self.changed_ms = None;
            return Ok(());
        }
        self.changed_ms = None;
        let case = self.case.clone();
        // A draft that is still on the way is the one seen last once this one arrives.
        let last_seen = self.newest();
        self.under_way = Some(if opinion.is_empty() {
            let ticket = context.ask(Request::OpinionDraftDrop { case, revision: last_seen });
            UnderWay { ticket, revision: None }
        } else {
            let revision = context.roll();
            let ticket = context.ask(Request::OpinionDraftKeep { case, opinion, revision, last_seen });
            UnderWay { ticket, revision: Some(revision) }
        });
        Ok(())
    }

    /// Drops what is kept, also where it could not be read: the person said so.
    pub(super) fn start_over(&mut self, context: &mut Context<'_>) {
        self.changed_ms = None;
        let revision = self.newest();
        if revision.is_some() || std::mem::take(&mut self.is_unread) {
            let ticket = context.ask(Request::OpinionDraftDrop { case: self.case.clone(), revision });
            self.under_way = Some(UnderWay { ticket, revision: None });
        }
    }

    /// The draft that is kept once all on the way has arrived: what is signed.
    pub(super) fn newest(&self) -> Option<u64> {
        self.under_way.as_ref().map_or(self.seen, |under_way| under_way.revision)
    }

    pub(super) fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) -> Heard {
        if self.reading.take_if(|reading| *reading == ticket).is_some() {
            return match outcome.as_deref() {
                Ok(Reply::Draft { draft }) => {
                    self.seen = draft.as_ref().map(|draft| draft.revision);
                    if let Some(draft) = draft {
                        self.told = Told::Restored(time_of_day(&draft.saved, context));
                    }
                    Heard::Read(draft.clone().map(Box::new))
                }
                Ok(_) => Heard::Read(None),
                Err(failure) => {
                    self.is_unread = true;
                    self.told = Told::Failed(format!("what was kept before cannot be read. {}", failure.what));
                    Heard::Failed(failure.clone())
                }
            };
        }
        let Some(under_way) = self.under_way.take_if(|under_way| under_way.ticket == ticket) else {
            return Heard::Nothing;
        };
        let elsewhere = match outcome.as_deref() {
            Ok(Reply::DraftKept { elsewhere, .. }) => elsewhere.clone(),
            Ok(_) => None,
            Err(failure) => {
                self.changed_ms.get_or_insert(context.now_ms);
                self.retry_ms = context.now_ms.saturating_add(RETRY_MS);
                self.told = Told::Failed(failure.what.clone());
                return Heard::Failed(failure.clone());
            }
        };
        self.seen = under_way.revision;
        self.told = if under_way.revision.is_some() { Told::Kept } else { Told::Nothing };
        match elsewhere {
            Some(Elsewhere::Kept { saved }) => context.say(&format!(
                "Another window kept a draft of this opinion at {}. What you write here is newer and takes its place.",
                time_of_day(&saved, context)
            )),
            Some(Elsewhere::Dropped) => {
                context.say("The draft was dropped or signed elsewhere. What you write here is kept as a new one.");
            }
            None => {}
        }
        Heard::Kept
    }

    /// What is said about it, quietly.
    pub(super) fn words(&self, look: Look) -> Span<'static> {
        match &self.told {
            _ if self.is_reading() => Span::styled("looking for your draft …", look.dim()),
            Told::Failed(why) => Span::styled(format!("draft NOT saved: {}", shown(why)), look.warn()),
            Told::Restored(saved) => Span::styled(format!("draft of {saved} restored; Ctrl+T starts over"), look.key()),
            Told::Kept if self.is_kept() => Span::styled("draft saved", look.dim()),
            Told::Kept | Told::Nothing => Span::default(),
        }
    }
}

/// Hour and minute, with the date before them if it is not today's. In UTC, like all times of the app.
fn time_of_day(time: &str, context: &Context<'_>) -> String {
    let (time, now) = (shown(time), context.now.to_string());
    match (time.get(..10), time.get(11..16)) {
        (Some(date), Some(minute)) if now.starts_with(date) => minute.to_owned(),
        (Some(date), Some(minute)) => format!("{date} {minute}"),
        _ => time.into_owned(),
    }
}
