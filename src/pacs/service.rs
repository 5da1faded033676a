//! One association from its request to its end: C-ECHO, C-STORE, storage commitment.
//!
//! One task reads, carries out and answers, in order: the standard's window of one message is all that is offered, so
//! nothing queues. Waiting has an end everywhere ([`SILENCE_MAX`], [`ASSOCIATION_TIME_MAX`]). A data set goes to the
//! inbox piece by piece as it comes; one that is refused is read to its end and dropped, so that the sender gets a
//! status instead of a broken connection. Success is answered when the object lies sealed in the inbox and its header
//! was read, not before.

use std::collections::BTreeMap;
use std::time::Duration;

use dicom_dictionary_std::uids;
use dicom_ul::pdu::{AbortRQServiceProviderReason, AbortRQSource, PDataValue, Pdu};
use tokio::task::spawn_blocking;

use super::command::{CommandSet, Element, field, status};
use super::commitment::{self, Question};
use super::inbox::{Announced, Arrival, Inbox, Reception, Refused, Visit};
use super::message::{Assembly, MessageError, Part};
use super::negotiation::{Accepted, Context, Refusal, Rules, is_storage, negotiate};
use super::reporter::{ReportError, Reporter};
use super::wire::{Wire, WireError, fragments};

/// How long the request may take once the connection stands.
pub const REQUEST_TIME_MAX: Duration = Duration::from_secs(30);

/// How long a sender may be silent between two PDUs. Modalities keep an association open between images.
pub const SILENCE_MAX: Duration = Duration::from_secs(10 * 60);

/// How long a sender may be silent within a message.
pub const SILENCE_WITHIN_MESSAGE_MAX: Duration = Duration::from_secs(60);

/// How long an association may last.
pub const ASSOCIATION_TIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What one association did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Objects that are new in the inbox.
    pub stored: u64,
    /// Objects that were there already.
    pub again: u64,
    pub refused: u64,
}

/// How an association ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum End {
    #[error("released")]
    Released,
    #[error(transparent)]
    NotOpened(#[from] Refusal),
    #[error("the sender aborted")]
    Aborted,
    #[error(transparent)]
    Broken(#[from] WireError),
    #[error(transparent)]
    Message(#[from] MessageError),
    #[error("it sent {0} where it does not belong")]
    Unexpected(&'static str),
    #[error("it used a presentation context that was not accepted")]
    Context,
    #[error("it lasted longer than {} hours", ASSOCIATION_TIME_MAX.as_secs() / 3600)]
    TooLong,
}

/// What the listener hears of an association.
pub trait Watch: Send + Sync {
    fn opened(&self, calling: &str);
    fn arrived(&self, calling: &str, arrival: &Arrival);
    fn refused(&self, calling: &str, why: &Refused);
    fn not_reported(&self, calling: &str, why: &ReportError);
}

/// How storage commitment is answered; see [`commitment`].
#[derive(Debug, Clone, Default)]
pub struct Commitment {
    /// Whether objects in the inbox are committed to.
    pub commits: bool,
    pub reporter: Reporter,
}

/// Serves one association to its end. Gives who called, as far as that was heard, and what was done.
pub async fn serve(
    mut wire: Wire,
    rules: &Rules,
    commitment: &Commitment,
    inbox: &Inbox,
    watch: &dyn Watch,
) -> (Option<String>, Counts, End) {
    let accepted = match open(&mut wire, rules).await {
        Ok(accepted) => accepted,
        Err((calling, end)) => {
            wire.close().await;
            return (calling, Counts::default(), end);
        }
    };
    let calling = accepted.calling.clone();
    watch.opened(&calling);
    let mut association = Association {
        visit: inbox.visit(&calling),
        contexts: accepted.contexts,
        caller_pdu_bytes_max: accepted.caller_pdu_bytes_max,
        wire,
        inbox,
        watch,
        commitment,
        calling: accepted.calling,
        assembly: Assembly::default(),
        message: None,
        counts: Counts::default(),
        reports: 0,
    };
    let ended = tokio::time::timeout(ASSOCIATION_TIME_MAX, association.run()).await;
    let end = ended.unwrap_or(Err(End::TooLong)).err().unwrap_or(End::Released);
    let Association { mut wire, visit, counts, .. } = association;
    match &end {
        End::Released => visit.released(),
        End::Aborted | End::Broken(WireError::Closed) => drop(visit),
        end => {
            drop(visit);
            // The association is over whether the sender hears why or not.
            let _ = wire.write(&abort(end)).await;
        }
    }
    wire.close().await;
    (Some(calling), counts, end)
}

/// Answers the request. On failure the sender has been told, as far as it can be.
async fn open(wire: &mut Wire, rules: &Rules) -> Result<Accepted, (Option<String>, End)> {
    let request = match wire.read(REQUEST_TIME_MAX).await {
        Ok(Pdu::AssociationRQ(request)) => request,
        Ok(Pdu::AbortRQ { .. }) => return Err((None, End::Aborted)),
        Ok(_) => {
            let end = End::Unexpected("something else than an association request");
            let _ = wire.write(&abort(&end)).await;
            return Err((None, end));
        }
        Err(error) => {
            let end = End::Broken(error);
            if !matches!(end, End::Broken(WireError::Closed | WireError::SpeaksTls | WireError::NotDicom)) {
                let _ = wire.write(&abort(&end)).await;
            }
            return Err((None, end));
        }
    };
    let calling = crate::encoding::text::shown(request.calling_ae_title.trim()).into_owned();
    let answer = match negotiate(&request, rules) {
        Ok(accepted) => match wire.write(&Pdu::AssociationAC(accepted.answer.clone())).await {
            Ok(()) => return Ok(accepted),
            Err(error) => return Err((Some(calling), error.into())),
        },
        Err(refusal) => refusal,
    };
    let _ = wire.write(&Pdu::AssociationRJ(answer.answer())).await;
    // The caller hangs up when it has read the refusal; hanging up first could take it away again.
    let _ = wire.read(Duration::from_secs(2)).await;
    Err((Some(calling), End::NotOpened(answer)))
}

/// Answers a request that finds no room; see [`Refusal::Crowded`].
pub async fn turn_away(mut wire: Wire) {
    if let Ok(Pdu::AssociationRQ(_)) = wire.read(REQUEST_TIME_MAX).await {
        let _ = wire.write(&Pdu::AssociationRJ(Refusal::Crowded.answer())).await;
        let _ = wire.read(Duration::from_secs(2)).await;
    }
    wire.close().await;
}

struct Association<'a> {
    wire: Wire,
    inbox: &'a Inbox,
    watch: &'a dyn Watch,
    commitment: &'a Commitment,
    visit: Visit,
    calling: String,
    contexts: BTreeMap<u8, Context>,
    caller_pdu_bytes_max: u32,
    assembly: Assembly,
    message: Option<Message>,
    counts: Counts,
    /// Storage commitment reports sent, which number their messages.
    reports: u16,
}

/// A message whose data set is arriving.
struct Message {
    context: u8,
    command: CommandSet,
    what: Purpose,
}

enum Purpose {
    Store {
        uid: String,
        reception: Box<Reception>,
    },
    /// A list of objects to commit to.
    Commit {
        list: Vec<u8>,
    },
    /// The data set is read to its end and dropped, then this is answered.
    Refuse {
        response: CommandSet,
    },
    /// A response of the sender's, which changes nothing.
    Ignore,
}

impl Association<'_> {
    /// Ends with the reason; [`End::Released`] is success.
    async fn run(&mut self) -> Result<(), End> {
        loop {
            let silence_max = match self.assembly.is_within_message() {
                true => SILENCE_WITHIN_MESSAGE_MAX,
                false => SILENCE_MAX,
            };
            match self.wire.read(silence_max).await? {
                Pdu::PData { data } => {
                    for fragment in data {
                        self.fragment(fragment).await?;
                    }
                }
                Pdu::ReleaseRQ if !self.assembly.is_within_message() => {
                    // Whether it hears that we agree does not matter to what is here.
                    let _ = self.wire.write(&Pdu::ReleaseRP).await;
                    return Ok(());
                }
                Pdu::ReleaseRQ => return Err(End::Unexpected("a release within a message")),
                Pdu::AbortRQ { .. } => return Err(End::Aborted),
                _ => return Err(End::Unexpected("a PDU")),
            }
        }
    }

    async fn fragment(&mut self, fragment: PDataValue) -> Result<(), End> {
        if !self.contexts.contains_key(&fragment.presentation_context_id) {
            return Err(End::Context);
        }
        match self.assembly.take(fragment)? {
            None => Ok(()),
            Some(Part::Command { context, command }) => self.command(context, command).await,
            Some(Part::Data { bytes, is_last }) => self.data(bytes, is_last).await,
        }
    }

    async fn command(&mut self, context: u8, command: CommandSet) -> Result<(), End> {
        let what = match command.command_field() {
            Some(field::C_ECHO_RQ) => Purpose::Refuse {
                response: CommandSet::response_to(&command, status::SUCCESS)
                    .uid(Element::AFFECTED_SOP_CLASS_UID, uids::VERIFICATION),
            },
            Some(field::C_STORE_RQ) => self.store(context, &command),
            Some(field::N_ACTION_RQ) => match commitment::judge(&command) {
                status::SUCCESS => Purpose::Commit { list: Vec::new() },
                status => Purpose::Refuse { response: commitment::response(&command, status) },
            },
            // The answer to a report, or an attempt to cancel what is over already.
            Some(field::C_CANCEL_RQ) => Purpose::Ignore,
            Some(response) if response & field::RESPONSE != 0 => Purpose::Ignore,
            _ => {
                let response = CommandSet::response_to(&command, status::UNRECOGNISED_OPERATION);
                Purpose::Refuse { response }
            }
        };
        let has_data_set = command.has_data_set();
        let message = Message { context, command, what };
        match has_data_set {
            true => {
                self.message = Some(message);
                Ok(())
            }
            false => self.answer(message).await,
        }
    }

    /// What to do with an object that is announced.
    fn store(&mut self, context: u8, command: &CommandSet) -> Purpose {
        let class = command.read_uid(Element::AFFECTED_SOP_CLASS_UID);
        let uid = command.read_uid(Element::AFFECTED_SOP_INSTANCE_UID);
        let (Some(class), Some(uid)) = (class, uid) else {
            return self.refuse(command, None, &Refused::Unreadable("it does not name its object".into()));
        };
        // `fragment` has proved that the context was accepted.
        let Some(agreed) = self.contexts.get(&context) else { return Purpose::Ignore };
        if agreed.class != class || !is_storage(class) {
            return self.refuse(command, Some(uid), &Refused::OtherObject);
        }
        let announced = Announced { class: class.into(), uid: uid.into(), syntax: agreed.syntax.clone() };
        match self.visit.begin(announced) {
            Ok(reception) => Purpose::Store { uid: uid.to_owned(), reception: Box::new(reception) },
            Err(why) => self.refuse(command, Some(uid), &why),
        }
    }

    /// Notes that an object is not taken, and prepares the response that says so.
    fn refuse(&mut self, command: &CommandSet, uid: Option<&str>, why: &Refused) -> Purpose {
        self.counts.refused += 1;
        if let Some(uid) = uid {
            self.visit.refused(uid, why);
        }
        self.watch.refused(&self.calling, why);
        Purpose::Refuse { response: store_response(command, why.status()).comment(&why.to_string()) }
    }

    async fn data(&mut self, bytes: Vec<u8>, is_last: bool) -> Result<(), End> {
        let Some(mut message) = self.message.take() else { return Err(End::Unexpected("a data set")) };
        message.what = match message.what {
            Purpose::Store { uid, reception } => match write(reception, bytes).await {
                Ok(reception) => Purpose::Store { uid, reception },
                Err(why) => self.refuse(&message.command, Some(&uid), &why),
            },
            Purpose::Commit { mut list } => {
                if list.len() + bytes.len() > commitment::LIST_BYTES_MAX {
                    let response = commitment::response(&message.command, status::PROCESSING_FAILURE);
                    Purpose::Refuse { response: response.comment("the list of objects is too long") }
                } else {
                    list.extend_from_slice(&bytes);
                    Purpose::Commit { list }
                }
            }
            passes @ (Purpose::Refuse { .. } | Purpose::Ignore) => passes,
        };
        if is_last {
            return self.answer(message).await;
        }
        self.message = Some(message);
        Ok(())
    }

    /// The message is whole: does what it asks, and answers.
    async fn answer(&mut self, message: Message) -> Result<(), End> {
        let Message { context, command, what } = message;
        match what {
            Purpose::Ignore => Ok(()),
            Purpose::Refuse { response } => self.send(context, &response, None).await,
            Purpose::Commit { list } => self.commit(context, &command, &list).await,
            Purpose::Store { uid, reception } => {
                let received = spawn_blocking(move || reception.finish()).await;
                let received = received.unwrap_or_else(|_| Err(Refused::Unreadable("an error of Overread".into())));
                let response = match received.and_then(|received| self.visit.received(received)) {
                    Ok(arrival) => {
                        match arrival.again {
                            true => self.counts.again += 1,
                            false => self.counts.stored += 1,
                        }
                        self.watch.arrived(&self.calling, &arrival);
                        store_response(&command, status::SUCCESS)
                    }
                    Err(why) => match self.refuse(&command, Some(&uid), &why) {
                        Purpose::Refuse { response } => response,
                        _ => store_response(&command, why.status()),
                    },
                };
                self.send(context, &response, None).await
            }
        }
    }

    async fn commit(&mut self, context: u8, command: &CommandSet, list: &[u8]) -> Result<(), End> {
        let Some(syntax) = self.contexts.get(&context).map(|agreed| agreed.syntax.clone()) else {
            return Err(End::Context);
        };
        match Question::read(list, &syntax) {
            Err(why) => {
                let response = commitment::response(command, status::PROCESSING_FAILURE).comment(why);
                self.send(context, &response, None).await
            }
            Ok(question) => {
                self.send(context, &commitment::response(command, status::SUCCESS), None).await?;
                let Commitment { commits, reporter } = self.commitment;
                if reporter.knows(&self.calling) {
                    if let Err(error) = reporter.report(&self.calling, question, self.inbox, *commits).await {
                        self.watch.not_reported(&self.calling, &error);
                    }
                    return Ok(());
                }
                self.reports = self.reports.wrapping_add(1);
                let report = question.answer(self.inbox, *commits, self.reports, &syntax);
                self.send(context, &report.command, Some(&report.data_set)).await
            }
        }
    }

    async fn send(&mut self, context: u8, command: &CommandSet, data_set: Option<&[u8]>) -> Result<(), End> {
        for pdu in fragments(context, &command.to_bytes(), data_set, self.caller_pdu_bytes_max) {
            self.wire.write(&pdu).await?;
        }
        Ok(())
    }
}

/// Hands bytes to the inbox: on a thread that may wait for the disk where it may have to.
async fn write(mut reception: Box<Reception>, bytes: Vec<u8>) -> Result<Box<Reception>, Refused> {
    if reception.has_room_for(bytes.len()) {
        return reception.write(&bytes).map(|()| reception);
    }
    let written = spawn_blocking(move || reception.write(&bytes).map(|()| reception)).await;
    written.unwrap_or_else(|_| Err(Refused::Unreadable("an error of Overread".into())))
}

fn store_response(request: &CommandSet, status: u16) -> CommandSet {
    let mut response = CommandSet::response_to(request, status);
    for element in [Element::AFFECTED_SOP_CLASS_UID, Element::AFFECTED_SOP_INSTANCE_UID] {
        if let Some(uid) = request.read_uid(element) {
            response = response.uid(element, uid);
        }
    }
    response
}

fn abort(end: &End) -> Pdu {
    let reason = match end {
        End::Broken(WireError::TooLong { .. }) => AbortRQServiceProviderReason::InvalidPduParameter,
        End::Broken(WireError::NotDicom | WireError::Malformed) => AbortRQServiceProviderReason::UnrecognizedPdu,
        End::Unexpected(_) => AbortRQServiceProviderReason::UnexpectedPdu,
        End::Message(_) | End::Context => AbortRQServiceProviderReason::UnexpectedPduParameter,
        _ => AbortRQServiceProviderReason::ReasonNotSpecified,
    };
    Pdu::AbortRQ { source: AbortRQSource::ServiceProvider(reason) }
}
