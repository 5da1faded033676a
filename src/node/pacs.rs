//! DICOM neighbours at this node: who may send, what stands in the inbox, and how it is imported.
//!
//! The listener runs beside the node in a task of its own and ends with whoever asked for it; the inbox is the node's
//! and outlives the listener. It is locked with the vault: what stands in it is wiped then, and what comes is refused
//! until somebody unlocks. Patients' names stay in the inbox and in the answer to whoever lists it; events and the log
//! speak of senders and counts only.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::api::{
    Answer, Event, Failure, FailureCode, ImportReport, InboxStudy, InboxView, ListenerView, PacsListen, PacsTls,
    PlanPatient, Reply,
};
use super::core::{Node, Step, Task, answer};
use super::home::Home;
use super::library::sentence;
use super::link::Inner;
use crate::encoding::id::{ID_PREFIX_CHARS_MIN, IdPrefix};
use crate::encoding::private::Private;
use crate::encoding::text::shown;
use crate::net::machine_addresses;
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
    view: ListenerView,
    /// Why the last connection was refused.
    refused: Option<String>,
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
        if let Some(listening) = self.listener() {
            return Err(Failure::new(
                FailureCode::WrongUse,
                format!("This node listens for neighbours already, at {}.", listening.address),
            )
            .hint("Stop the one that listens, then name every sender at once."));
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
        if request.remember {
            self.remember_listener(&request).await;
        }
        let (stop, stopped) = oneshot::channel();
        let allowed = request.allow;
        let view = listener_view(address, &ae_title, is_tls, &allowed, any_ae);
        self.listening = Some(Listening { address, view, refused: None, answers: answers.clone(), stop });
        let listening = Event::PacsListening { address: address.to_string(), ae_title, tls: is_tls, allowed, any_ae };
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
            // Of the objects of a study only the first is news to everybody.
            let is_news = match &happening {
                Happening::Arrived { arrival, .. } => arrival.instances == 1 && !arrival.again,
                Happening::Ended { .. } => true,
                _ => false,
            };
            if is_news {
                let _ = inner.try_send(Inner::InboxChanged);
            }
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
                if let Event::PacsAssociation { state, why: Some(why), .. } = &event
                    && state == "refused"
                {
                    let _ = inner.try_send(Inner::NeighbourRefused(why.clone()));
                }
                let _ = answers.try_send(Answer::Event(event));
            }
        })
    }

    /// A connection to the listener was refused: whoever set the sender up has to learn why.
    pub fn neighbour_refused(&mut self, why: String) {
        if let Some(listening) = &mut self.listening {
            listening.refused = Some(why);
        }
    }

    /// Tells everybody who follows what is new in the inbox.
    pub fn inbox_changed(&mut self) {
        for event in self.inbox_news.of(&self.inbox.studies()) {
            self.tell_followers(&event);
        }
    }

    pub async fn pacs_stop(&mut self) -> Result<Reply, Failure> {
        if self.listener().is_none() {
            return Err(Failure::new(FailureCode::NotFound, "Nobody listens for neighbours."));
        }
        self.stop_listening().await;
        Ok(Reply::Nothing {})
    }

    /// Who listens now: a listener ends with who asked for it.
    fn listener(&self) -> Option<&Listening> {
        self.listening.as_ref().filter(|listening| !listening.stop.is_closed())
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
        let (listening, condition) = (self.listener(), self.inbox.condition());
        Reply::Inbox(InboxView {
            studies: self.inbox.studies().iter().map(view).collect(),
            listening: listening.map(|listening| listening.address.to_string()),
            listener: listening.map(|listening| listening.view.clone()),
            refused: listening.and_then(|listening| listening.refused.clone()),
            no_room: condition.no_room.map(|why| why.to_string()),
            wiped: condition.wiped,
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
    InboxStudy {
        id: study.id.to_string(),
        modality: study.modality.clone(),
        series: study.series,
        instances: study.instances,
        bytes: study.bytes,
        from: study.from.join(", "),
        complete: study.completeness == Completeness::Complete,
        state: state_word(study.completeness).to_owned(),
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

fn state_word(completeness: Completeness) -> &'static str {
    match completeness {
        Completeness::Arriving => "arriving",
        Completeness::Complete => "complete",
        Completeness::Broken => "incomplete",
    }
}

/// What of the inbox's studies everybody was told already.
#[derive(Default)]
pub(super) struct InboxNews {
    told: BTreeMap<InboxId, (usize, Completeness)>,
}

impl InboxNews {
    /// What has become news since it was asked last: a study that begins to arrive, and one that nobody sends any more.
    fn of(&mut self, standing: &[Standing]) -> Vec<Event> {
        let before = std::mem::take(&mut self.told);
        let mut news = Vec::new();
        for study in standing {
            let now = (study.instances, study.completeness);
            let is_news = before.get(&study.id).is_none_or(|told| match now.1 {
                Completeness::Arriving => told.1 != Completeness::Arriving,
                Completeness::Complete | Completeness::Broken => *told != now,
            });
            if is_news {
                news.push(Event::InboxStudy {
                    study: study.id.to_string(),
                    modality: study.modality.clone(),
                    instances: study.instances,
                    state: state_word(study.completeness).to_owned(),
                });
            }
            self.told.insert(study.id, now);
        }
        news
    }
}

/// What neighbours enter to reach a listener.
fn listener_view(address: SocketAddr, ae_title: &str, tls: bool, allowed: &[String], any_ae: bool) -> ListenerView {
    let hosts = match address.ip() {
        ip if !ip.is_unspecified() => vec![ip.to_string()],
        IpAddr::V4(_) => machine_addresses().iter().filter(|ip| ip.is_ipv4()).map(ToString::to_string).collect(),
        IpAddr::V6(_) => machine_addresses().iter().map(ToString::to_string).collect(),
    };
    let (ae_title, allowed) = (ae_title.to_owned(), allowed.to_vec());
    ListenerView { hosts, port: address.port(), ae_title, tls, allowed, any_ae }
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
            .hint("Give a certificate and its key as files in PEM.")
    })
}

fn no_port(address: SocketAddr, error: &std::io::Error) -> Failure {
    let hint = match error.kind() {
        std::io::ErrorKind::AddrInUse => "Another program listens there: choose another port.",
        std::io::ErrorKind::PermissionDenied => "Ports below 1024 are the system's: choose another port, 11112 say.",
        _ => "Give an address of this machine, and a port that is free.",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::time::Timestamp;
    use crate::study::import::Patient;

    fn empty() -> Private<String> {
        Private::new(String::new())
    }

    fn standing(id: u8, instances: usize, completeness: Completeness) -> Standing {
        Standing {
            id: InboxId([id; _]),
            patient: Patient { id: empty(), issuer: empty(), name: empty(), birth_date: empty() },
            date: empty(),
            description: empty(),
            accession: empty(),
            modality: "CT".into(),
            series: 1,
            instances,
            bytes: 0,
            from: Vec::new(),
            first: Timestamp(0),
            last: Timestamp(0),
            completeness,
            missing: 0,
            imported: false,
        }
    }

    #[test]
    fn a_study_is_news_when_it_begins_and_when_nobody_sends_it_any_more_and_then_once() {
        use Completeness::{Arriving, Broken, Complete};
        let mut news = InboxNews::default();
        let mut told = |instances, completeness| {
            let told = news.of(&[standing(1, instances, completeness), standing(2, 7, Complete)]);
            let of_first = told.into_iter().filter_map(|event| match event {
                Event::InboxStudy { study, state, instances, .. } => {
                    (study == InboxId([1; _]).to_string()).then_some((state, instances))
                }
                _ => None,
            });
            of_first.collect::<Vec<_>>()
        };
        for (instances, completeness, expected) in [
            (1, Arriving, Some("arriving")),
            (60, Arriving, None),
            (60, Broken, Some("incomplete")),
            (60, Broken, None),
            (61, Arriving, Some("arriving")),
            (120, Complete, Some("complete")),
            (120, Complete, None),
            (121, Complete, Some("complete")),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|state| (state.to_owned(), instances)).collect();
            assert_eq!(told(instances, completeness), expected, "{instances} {completeness:?}");
        }
        assert!(news.of(&[]).is_empty());
        assert_eq!(news.of(&[standing(2, 7, Complete)]).len(), 1, "what went and comes again is new");
    }

    #[test]
    fn neighbours_enter_the_address_that_is_listened_at() {
        let view = listener_view("127.0.0.1:104".parse().unwrap(), "OVERREAD", false, &[], true);
        assert_eq!((view.hosts, view.port), (vec!["127.0.0.1".to_owned()], 104));
        let any = listener_view("0.0.0.0:104".parse().unwrap(), "OVERREAD", false, &[], true);
        assert!(!any.hosts.iter().any(|host| host == "0.0.0.0" || host == "127.0.0.1"), "{:?}", any.hosts);
    }
}
