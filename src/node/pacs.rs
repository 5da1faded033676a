//! DICOM neighbours at this node: who may send, what stands in the inbox, and how it is imported.
//!
//! The listener runs beside the node in a task of its own and ends with whoever asked for it; the inbox is the node's
//! and outlives the listener. It is locked with the vault: what stands in it is wiped then, and what comes is refused
//! until somebody unlocks. Patients' names stay in the inbox and in the answer to whoever lists it; events and the log
//! speak of senders and counts only.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::api::{
    Answer, Event, Failure, FailureCode, ImportReport, InboxStudy, InboxView, PacsListen, PacsTls, PlanPatient, Reply,
};
use super::core::{Node, Step, Task, answer};
use super::home::Home;
use super::library::sentence;
use super::link::Inner;
use crate::encoding::id::{ID_PREFIX_CHARS_MIN, IdPrefix};
use crate::encoding::private::Private;
use crate::encoding::text::shown;
use crate::pacs::inbox::{Completeness, Inbox, InboxId, Limits, Standing, Taken};
use crate::pacs::listener::{Happening, Listener, Told};
use crate::pacs::negotiation::{AE_TITLE_CHARS_MAX, Callers, Rules, is_ae_title};
use crate::pacs::reporter::Reporter;
use crate::pacs::service::{Commitment, Counts, End};
use crate::pacs::tls::{TlsFiles, server_config};
use crate::pacs::wire::WireError;
use crate::study::source::SourceFile;

/// What stands for every study of the inbox.
const ALL: &str = "all";

/// The listener of a node.
pub(super) struct Listening {
    address: SocketAddr,
    answers: mpsc::Sender<Answer>,
    stop: oneshot::Sender<()>,
}

/// Studies of the inbox on their way into an import.
pub(super) struct FromInbox {
    taken: Taken,
    /// What the importing person has to know of them.
    warnings: Vec<String>,
}

impl FromInbox {
    pub fn files(&self) -> &[SourceFile] {
        &self.taken.files
    }
}

/// The inbox of a home: a folder of noise at any time, and swept at each start.
pub(super) fn inbox(home: &Home) -> Result<Inbox, Failure> {
    Inbox::new(&home.path().join("inbox"), Limits::default()).map_err(|error| {
        Failure::new(FailureCode::Failed, format!("The folder of the inbox cannot be used: {error}."))
            .hint("Mend the permissions of the home folder, or choose another with --home DIR.")
    })
}

impl Node {
    /// Takes what neighbours send until the asker leaves.
    pub async fn pacs_listen(&mut self, request: PacsListen, task: Task) -> Result<Step, Failure> {
        if let Some(listening) = self.listening.as_ref().filter(|listening| !listening.stop.is_closed()) {
            return Err(Failure::new(
                FailureCode::WrongUse,
                format!("This node listens for neighbours already, at {}.", listening.address),
            )
            .hint("End the other `overread pacs listen`, then name every sender with --allow in one."));
        }
        let rules = rules(&request)?;
        let any_ae = rules.callers == Callers::AnyUnsafely;
        let tls = request.tls.as_ref().map(tls).transpose()?;
        let address: SocketAddr = request.address.parse().map_err(|_| {
            Failure::new(FailureCode::WrongUse, format!("{} is no address to listen at.", shown(&request.address)))
                .hint("Give an IP address of this machine, and a port.")
        })?;
        let commitment = commitment(&request)?;
        let is_tls = tls.is_some();
        let ae_title = rules.ae_title.clone();
        let listener = Listener::bind(address, tls, rules, commitment).await.map_err(|e| no_port(address, &e))?;
        let address = listener.address().map_err(|error| no_port(address, &error))?;
        self.inbox.set_bytes_max(request.bytes_max.unwrap_or(Limits::default().bytes_max));
        let Task { answers, .. } = task;
        let (stop, stopped) = oneshot::channel();
        self.listening = Some(Listening { address, answers: answers.clone(), stop });
        let listening = Event::PacsListening {
            address: address.to_string(),
            ae_title,
            tls: is_tls,
            allowed: request.allow,
            any_ae,
        };
        answer(&answers, Answer::Event(listening)).await;
        let told = self.teller(answers.clone());
        let inbox = self.inbox.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = listener.run(inbox, told) => {}
                () = answers.closed() => {}
                _ = stopped => answer(&answers, Answer::Done(Box::new(Reply::Nothing {}))).await,
            }
        });
        Ok(Step::Later)
    }

    /// Passes on what happens at the listener: all to the asker, who may miss some if she is slow; to the others that
    /// something arrived.
    fn teller(&self, answers: mpsc::Sender<Answer>) -> Told {
        let inner = self.inner.clone();
        Arc::new(move |happening| {
            if let Happening::Ended { from: Some(from), counts, .. } = &happening
                && counts.stored > 0
            {
                let what = format!("{} objects arrived from {from}: see the inbox", counts.stored);
                let _ = inner.try_send(Inner::Happened(what));
            }
            if let Some(event) = event(happening) {
                // Not why an object was refused: a parser's words may quote the object.
                if let Event::PacsAssociation { from, state, stored, again, refused, .. } = &event {
                    tracing::info!(?from, state, stored, again, refused, "an association");
                }
                let _ = answers.try_send(Answer::Event(event));
            }
        })
    }

    pub async fn stop_listening(&mut self) {
        let Some(Listening { answers, stop, .. }) = self.listening.take() else { return };
        if stop.send(()).is_ok() {
            // The task says goodbye to its asker; a full channel of a slow one is not waited for.
            let _ = tokio::time::timeout(std::time::Duration::from_millis(200), answers.closed()).await;
        }
    }

    /// Locks the inbox with the vault.
    pub fn lock_inbox(&mut self) {
        let gone = self.inbox.lock();
        let text = match gone {
            0 => "Locked: what neighbours send is refused until the vault is opened again.".to_owned(),
            _ => format!(
                "Locked: {gone} studies of the inbox were wiped, and what neighbours send is refused until the vault is \
                 opened again. The senders still have what they sent."
            ),
        };
        if let Some(listening) = &self.listening {
            let _ = listening.answers.try_send(Answer::Event(Event::Notice { text: text.clone() }));
        }
        if gone > 0 {
            self.happened(&text, None, None);
        }
    }

    pub fn inbox_list(&self) -> Reply {
        let listening = self.listening.as_ref().filter(|listening| !listening.stop.is_closed());
        Reply::Inbox(InboxView {
            studies: self.inbox.studies().iter().map(view).collect(),
            listening: listening.map(|listening| listening.address.to_string()),
        })
    }

    pub fn inbox_discard(&self, typed: &[String]) -> Result<Reply, Failure> {
        let ids = self.find_in_inbox(typed)?;
        let instances = self.inbox.discard(&ids);
        Ok(Reply::Discarded { studies: ids.len(), instances })
    }

    pub fn take_from_inbox(&self, typed: &[String]) -> Result<FromInbox, Failure> {
        let ids = self.find_in_inbox(typed)?;
        let standing = self.inbox.studies();
        let warnings = standing.iter().filter(|study| ids.contains(&study.id)).filter_map(warning).collect();
        Ok(FromInbox { taken: self.inbox.take(&ids), warnings })
    }

    /// What is in the store now leaves the inbox; what could not all be brought in stays.
    pub fn imported_from_inbox(&self, from: &FromInbox, dry_run: bool, report: &mut ImportReport) {
        if from.taken.files.is_empty() {
            return;
        }
        let mut warnings = from.warnings.clone();
        match (dry_run, report.left_behind()) {
            (true, _) => {}
            (false, false) => self.inbox.imported(&from.taken),
            (false, true) => {
                self.inbox.imported_in_part(&from.taken);
                warnings.push("it stays in the inbox too, since not all of it was taken in".into());
            }
        }
        for study in &mut report.studies {
            study.warnings.extend(warnings.iter().cloned());
        }
    }

    fn find_in_inbox(&self, typed: &[String]) -> Result<Vec<InboxId>, Failure> {
        let standing = self.inbox.studies();
        let mut ids = BTreeSet::new();
        for typed in typed {
            match typed.trim() {
                ALL => ids.extend(standing.iter().map(|study| study.id)),
                typed => drop(ids.insert(find(typed, &standing)?)),
            }
        }
        Ok(ids.into_iter().collect())
    }
}

fn find(typed: &str, standing: &[Standing]) -> Result<InboxId, Failure> {
    let prefix = IdPrefix::parse(typed).filter(|prefix| prefix.letter == InboxId::LETTER).ok_or_else(|| {
        Failure::new(FailureCode::WrongUse, format!("{} names nothing in the inbox.", shown(typed))).hint(format!(
            "What stands there has an id of i- and at least {ID_PREFIX_CHARS_MIN} letters or digits: `overread pacs inbox`."
        ))
    })?;
    let named: Vec<InboxId> =
        standing.iter().map(|study| study.id).filter(|id| prefix.matches(InboxId::LETTER, id.as_bytes())).collect();
    match named[..] {
        [id] => Ok(id),
        [] => Err(Failure::new(FailureCode::NotFound, format!("{prefix} is not in the inbox."))
            .hint("`overread pacs inbox` shows what is. It ends with the node, and when the vault is locked.")),
        _ => Err(Failure::new(FailureCode::Ambiguous, format!("{prefix} names {} studies of the inbox.", named.len()))
            .hint("Type more characters of the one you mean.")
            .detail("candidates", named.iter().map(ToString::to_string).collect())),
    }
}

fn view(study: &Standing) -> InboxStudy {
    let text = |text: &Private<String>| shown(text.reveal()).into_owned();
    let state = match study.completeness {
        Completeness::Arriving => "arriving",
        Completeness::Complete => "complete",
        Completeness::Broken => "incomplete",
    };
    InboxStudy {
        id: study.id.to_string(),
        modality: study.modality.clone(),
        series: study.series,
        instances: study.instances,
        bytes: study.bytes,
        from: study.from.join(", "),
        complete: study.completeness == Completeness::Complete,
        state: state.to_owned(),
        missing: study.missing,
        first: study.first.to_string(),
        last: study.last.to_string(),
        imported: study.imported,
        patient: PlanPatient {
            name: text(&study.patient.name),
            patient_id: text(&study.patient.id),
            birth_date: text(&study.patient.birth_date),
            study_date: text(&study.date),
            accession: text(&study.accession),
            study_description: text(&study.description),
        },
    }
}

fn warning(study: &Standing) -> Option<String> {
    let id = study.id.short();
    match study.completeness {
        Completeness::Complete => None,
        Completeness::Arriving => Some(format!("{id} was still arriving: import it again when the sender is done")),
        Completeness::Broken if study.missing > 0 => Some(format!(
            "{id} is not whole: {} objects that were sent are not here. Send it again, then import again",
            study.missing
        )),
        Completeness::Broken => {
            Some(format!("{id} may not be whole: its sender was cut off. Send it again, then import again"))
        }
    }
}

fn rules(request: &PacsListen) -> Result<Rules, Failure> {
    if let Some(title) = request.allow.iter().chain([&request.ae_title]).find(|title| !is_ae_title(title)) {
        return Err(Failure::new(FailureCode::WrongUse, format!("{:?} is no AE title.", shown(title))).hint(format!(
            "It has 1 to {AE_TITLE_CHARS_MAX} letters, digits and signs of ASCII, without a backslash."
        )));
    }
    let callers = match request.any_ae {
        true => Callers::AnyUnsafely,
        false => Callers::Named(request.allow.iter().cloned().collect()),
    };
    Ok(Rules { ae_title: request.ae_title.clone(), callers })
}

/// How storage commitment is answered, and where.
fn commitment(request: &PacsListen) -> Result<Commitment, Failure> {
    let addresses = request.report_to.iter().map(|typed| {
        let parts = typed.split_once('@').filter(|(title, address)| is_ae_title(title) && address.contains(':'));
        parts.map(|(title, address)| (title.to_owned(), address.to_owned())).ok_or_else(|| {
            Failure::new(FailureCode::WrongUse, format!("{} is no place to report to.", shown(typed)))
                .hint("Write AE@HOST:PORT, as in MODALITY1@10.0.3.7:11112.")
        })
    });
    let addresses = addresses.collect::<Result<_, _>>()?;
    let reporter = Reporter { ae_title: request.ae_title.clone(), addresses };
    Ok(Commitment { commits: request.commit, reporter })
}

fn tls(files: &PacsTls) -> Result<Arc<rustls::ServerConfig>, Failure> {
    let PacsTls { certificates, key, authorities } = files.clone();
    server_config(&TlsFiles { certificates, key, authorities }).map_err(|error| {
        Failure::new(FailureCode::WrongUse, format!("There is no TLS: {error}."))
            .hint("Give a certificate and its key in PEM: --tls-cert FILE --tls-key FILE.")
    })
}

fn no_port(address: SocketAddr, error: &std::io::Error) -> Failure {
    let hint = match error.kind() {
        std::io::ErrorKind::AddrInUse => "Another program listens there: choose another --port.",
        std::io::ErrorKind::PermissionDenied => "Ports below 1024 are the system's: choose another --port, 11112 say.",
        _ => "Give an address of this machine with --address, and a --port that is free.",
    };
    Failure::new(FailureCode::Failed, format!("Nothing can listen at {address}: {}.", error.kind())).hint(hint)
}

/// What the asker sees; a connection that said nothing is none of her business.
fn event(happening: Happening) -> Option<Event> {
    let association = |from: Option<String>, address: SocketAddr, state: &str, why, hint, counts: Counts| {
        let Counts { stored, again, refused } = counts;
        let (address, state) = (address.to_string(), state.to_owned());
        Some(Event::PacsAssociation { from, address, state, why, hint, stored, again, refused })
    };
    let none = Counts::default();
    match happening {
        Happening::Opened { from, address } => association(Some(from), address, "opened", None, None, none),
        Happening::Arrived { from, arrival } => Some(Event::PacsArrival {
            study: arrival.study.to_string(),
            from,
            modality: arrival.modality,
            instances: arrival.instances,
            again: arrival.again,
        }),
        Happening::Refused { from, why } => {
            Some(Event::PacsRefusal { from, why: shown(&why.to_string()).into_owned() })
        }
        Happening::Ended { from, address, counts, end: End::Released } => {
            association(from, address, "released", None, None, counts)
        }
        Happening::Ended { from: None, end: End::Broken(WireError::Closed), .. } => None,
        Happening::Ended { from, address, counts, end } => {
            let (state, hint) = match &end {
                End::NotOpened(refusal) => ("refused", refusal.hint()),
                End::Broken(WireError::SpeaksTls) => {
                    ("refused", Some("Listen with --tls-cert and --tls-key, or switch TLS off at the sender.".into()))
                }
                _ if from.is_none() => ("refused", None),
                _ => ("cut off", None),
            };
            association(from, address, state, Some(sentence(&end)), hint, counts)
        }
        Happening::NotReported { from, why } => Some(Event::Notice {
            text: format!("The storage commitment report did not reach {from}: {why}. It will have to ask again."),
        }),
        Happening::NoTls { address, why } => {
            let hint = "This listener speaks TLS only: switch it on at the sender, with a certificate if --tls-ca asks for one.";
            let why = format!("TLS failed: {}.", shown(&why));
            association(None, address, "refused", Some(why), Some(hint.into()), none)
        }
        Happening::Crowded { address } => {
            let why = "Too many associations are open.".to_owned();
            association(None, address, "refused", Some(why), Some("The sender was told to try again.".into()), none)
        }
    }
}
