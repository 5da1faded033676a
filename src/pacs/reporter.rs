//! Storage commitment reports over an association of our own.
//!
//! Orthanc and most modalities hang up once their request is accepted and wait for the report to call back. Where the
//! person said at which address a sender listens, the report goes there; elsewhere it goes out on the sender's own
//! association ([`super::service`]). One attempt, with a limit on each step: a sender that was not reached asks again.
//! Without TLS, since a report holds no more than UIDs and a listener's certificate proves nothing as a client's.

use std::collections::BTreeMap;
use std::time::Duration;

use dicom_dictionary_std::uids;
use dicom_ul::pdu::{
    AssociationRQ, Pdu, PresentationContextProposed, PresentationContextResultReason, RequestorRoles, UserVariableItem,
};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::command::Element;
use super::commitment::Question;
use super::inbox::Inbox;
use super::message::{Assembly, Part};
use super::negotiation::{APPLICATION_CONTEXT, caller_pdu_bytes_max};
use super::wire::{PDU_BYTES_MAX, Wire, WireError, fragments};
use crate::study::write::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};

/// How long the connection may take, and each answer.
const STEP_TIME_MAX: Duration = Duration::from_secs(15);

/// The one presentation context that is proposed.
const CONTEXT: u8 = 1;

/// Every receiver of DICOM takes it (PS3.5 §10.1).
const SYNTAX: &str = uids::IMPLICIT_VR_LITTLE_ENDIAN;

/// Where senders listen for reports.
#[derive(Debug, Clone, Default)]
pub struct Reporter {
    /// This side's AE title.
    pub ae_title: String,
    /// `HOST:PORT` by AE title.
    pub addresses: BTreeMap<String, String>,
}

impl Reporter {
    /// Whether reports to this sender go over an association of our own.
    pub fn knows(&self, sender: &str) -> bool {
        self.addresses.contains_key(sender)
    }

    /// Answers a question at the sender's own address.
    pub async fn report(
        &self,
        sender: &str,
        question: Question,
        inbox: &Inbox,
        commits: bool,
    ) -> Result<(), ReportError> {
        let address = self.addresses.get(sender).ok_or(ReportError::NoAddress)?;
        let stream = timeout(STEP_TIME_MAX, TcpStream::connect(address.as_str())).await;
        let stream = stream.map_err(|_| std::io::ErrorKind::TimedOut)?.map_err(|error| error.kind())?;
        let mut wire = Wire::new(Box::new(stream));
        wire.write(&Pdu::AssociationRQ(self.request(sender))).await?;
        let Pdu::AssociationAC(accepted) = wire.read(STEP_TIME_MAX).await? else { return Err(ReportError::Refused) };
        let agreed = accepted.presentation_contexts.iter().find(|result| result.id == CONTEXT);
        if agreed.is_none_or(|result| result.reason != PresentationContextResultReason::Acceptance) {
            return Err(ReportError::Refused);
        }
        let pdu_bytes_max = caller_pdu_bytes_max(&accepted.user_variables).ok_or(ReportError::Refused)?;
        let report = question.answer(inbox, commits, 1, SYNTAX);
        for pdu in fragments(CONTEXT, &report.command.to_bytes(), Some(&report.data_set), pdu_bytes_max) {
            wire.write(&pdu).await?;
        }
        let status = response(&mut wire).await?;
        wire.write(&Pdu::ReleaseRQ).await?;
        // It has the report; how it says goodbye is its own affair.
        let _ = wire.read(STEP_TIME_MAX).await;
        wire.close().await;
        if status == Some(0) { Ok(()) } else { Err(ReportError::Refused) }
    }

    fn request(&self, sender: &str) -> AssociationRQ {
        let roles = RequestorRoles { scu: false, scp: true };
        AssociationRQ {
            protocol_version: 1,
            calling_ae_title: self.ae_title.clone(),
            called_ae_title: sender.to_owned(),
            application_context_name: APPLICATION_CONTEXT.into(),
            presentation_contexts: vec![PresentationContextProposed {
                id: CONTEXT,
                abstract_syntax: uids::STORAGE_COMMITMENT_PUSH_MODEL.into(),
                transfer_syntaxes: vec![SYNTAX.into()],
            }],
            user_variables: vec![
                UserVariableItem::MaxLength(PDU_BYTES_MAX),
                UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS_UID.into()),
                UserVariableItem::ImplementationVersionName(IMPLEMENTATION_VERSION_NAME.into()),
                // Who reports is the provider of the service, though it opens the association (PS3.4 §J.3.3).
                UserVariableItem::ScuScpRoleSelectionSubItem(uids::STORAGE_COMMITMENT_PUSH_MODEL.into(), roles),
            ],
        }
    }
}

/// The status of the response to the only message that was sent.
async fn response(wire: &mut Wire) -> Result<Option<u16>, ReportError> {
    let mut assembly = Assembly::default();
    loop {
        let Pdu::PData { data } = wire.read(STEP_TIME_MAX).await? else { return Err(ReportError::Refused) };
        for fragment in data {
            match assembly.take(fragment) {
                Ok(Some(Part::Command { command, .. })) => return Ok(command.read_number(Element::STATUS)),
                Ok(_) => {}
                Err(_) => return Err(ReportError::Refused),
            }
        }
    }
}

/// Why a report did not reach its sender.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("no address is known")]
    NoAddress,
    #[error("it cannot be reached: {0}")]
    Unreachable(std::io::ErrorKind),
    #[error("it does not take the report")]
    Refused,
    #[error(transparent)]
    Wire(#[from] WireError),
}

impl From<std::io::ErrorKind> for ReportError {
    fn from(kind: std::io::ErrorKind) -> Self {
        Self::Unreachable(kind)
    }
}
