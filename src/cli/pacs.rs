//! `pacs`: studies that a PACS or a modality pushes here.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::node::api::{Failure, ImportRequest, PacsListen, PacsTls, Reply, Request};

use super::import::Manner;
use super::read;
use super::session::Session;

/// Take studies that a PACS or a modality pushes
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  overread pacs listen --allow PACS1       leave it running, then send a study from PACS1 to OVERREAD, port 11112
  overread pacs inbox                      in another terminal: what has arrived
  overread pacs import i-k3vq              takes it in: de-identified, packed and sealed
  overread pacs discard i-k3vq

What arrives holds real names. It stands encrypted under a key that only the running program knows, and is gone when
that ends or the vault is locked: import it before. The sender keeps the original.")]
pub(super) struct Pacs {
    #[command(subcommand)]
    command: PacsCommand,
}

#[derive(Debug, Subcommand)]
enum PacsCommand {
    /// Listen for studies until interrupted
    #[command(after_help = "\
Examples:
  overread pacs listen --allow PACS1 --allow CT2
  overread pacs listen --allow PACS1 --tls-cert cert.pem --tls-key key.pem
  overread pacs listen --any-ae --tls-cert cert.pem --tls-key key.pem --tls-ca clinic.pem

At the sender enter this machine's address, the port, and the AE title OVERREAD. A sender that was not allowed is
refused, and the line that would allow it is shown. An AE title is a name, not a proof: only TLS with --tls-ca knows who
sends. All storage classes are taken, as the sender holds them; C-ECHO is answered.

Without a running node this is the node, until Ctrl-C. Arrivals are gone then, and when the vault is locked (`overread
vault lock`, `overread node --lock-after`): while it is locked, every object is refused with status 0110.")]
    Listen(Listen),
    /// List what has arrived and was not imported
    #[command(after_help = "\
Examples:
  overread pacs inbox
  overread pacs inbox --json

Shows the real patient: this is the sender's own screen. \"incomplete\" means that the sender was cut off, or that
something it sent was refused; sending the study again mends it, and nothing is there twice.")]
    Inbox,
    /// Import what has arrived: de-identified, packed and sealed on this machine
    #[command(after_help = "\
Examples:
  overread pacs import i-k3vq --dry-run    what would happen to which attribute
  overread pacs import i-k3vq
  overread pacs import all --preset basic

The same as `overread import`, with the same options, report and exit codes. What was taken in leaves the inbox; if
something could not be, the study stays there until it is discarded.")]
    Import {
        /// Ids as `pacs inbox` lists them, or all
        #[arg(required = true, value_name = "ID")]
        studies: Vec<String>,
        #[command(flatten)]
        manner: Manner,
    },
    /// Throw away what has arrived
    #[command(after_help = "\
Examples:
  overread pacs discard i-k3vq
  overread pacs discard all")]
    Discard {
        /// Ids as `pacs inbox` lists them, or all
        #[arg(required = true, value_name = "ID")]
        studies: Vec<String>,
    },
}

#[derive(Debug, Args)]
struct Listen {
    #[arg(long, value_name = "PORT", default_value_t = 11112)]
    port: u16,
    /// Take connections at this address of the machine only
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED))]
    address: IpAddr,
    /// What senders call this program
    #[arg(long, value_name = "AE", default_value = "OVERREAD")]
    ae_title: String,
    /// Take studies from this AE title; may be repeated
    #[arg(long, value_name = "AE", conflicts_with = "any_ae")]
    allow: Vec<String>,
    /// UNSAFE: take studies from whoever reaches the port, unless --tls-ca decides who can
    #[arg(long)]
    any_ae: bool,
    /// Speak TLS only, with this certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Ask senders for a certificate of these authorities (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_ca: Option<PathBuf>,
    /// UNSAFE where senders delete what was committed to: say yes to storage commitment for what is in the inbox
    #[arg(long)]
    commit: bool,
    /// Call this sender back with storage commitment reports instead of answering at once; may be repeated
    #[arg(long, value_name = "AE@HOST:PORT")]
    report_to: Vec<String>,
    /// How much the inbox holds: 500M, 20G [default: 64G]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_size: Option<u64>,
}

impl Pacs {
    /// Whether it runs until it is interrupted, which then is its good end.
    pub(super) fn listens(&self) -> bool {
        matches!(self.command, PacsCommand::Listen(_))
    }

    pub(super) async fn run(self, session: &mut Session) -> Result<u8, Failure> {
        match self.command {
            PacsCommand::Listen(listen) => {
                session.output.begin_stream();
                session.carry_out(Request::PacsListen(listen.request()?)).await
            }
            PacsCommand::Inbox => session.carry_out(Request::InboxList).await,
            PacsCommand::Import { studies, manner } => {
                manner.carry_out(ImportRequest { inbox: studies, ..ImportRequest::default() }, session).await
            }
            PacsCommand::Discard { studies } => session.carry_out(Request::InboxDiscard { studies }).await,
        }
    }
}

/// The last word of a listener that was interrupted: what is lost with it.
pub(super) async fn stopped(session: &mut Session) -> u8 {
    // Who had no passphrase for the listener is not asked for one now: then nothing can have arrived either.
    if !session.node_goes_on()
        && let Ok(Reply::Inbox(inbox)) = session.bare(Request::InboxList).await
        && !inbox.studies.is_empty()
    {
        let studies = inbox.studies.len();
        session.output.warn(&format!(
            "{studies} {} in the inbox not imported, and gone now. The senders still have them.",
            if studies == 1 { "study was" } else { "studies were" }
        ));
    }
    session.output.result(json!({ "format": 1 }), "Stopped in order.\n");
    0
}

impl Listen {
    fn request(self) -> Result<PacsListen, Failure> {
        let tls = match (self.tls_cert, self.tls_key) {
            (Some(certificates), Some(key)) => Some(PacsTls {
                certificates: read::absolute(&certificates)?,
                key: read::absolute(&key)?,
                authorities: self.tls_ca.as_deref().map(read::absolute).transpose()?,
            }),
            // clap has seen to it that neither comes alone.
            _ => None,
        };
        Ok(PacsListen {
            address: SocketAddr::new(self.address, self.port).to_string(),
            ae_title: self.ae_title,
            allow: self.allow,
            any_ae: self.any_ae,
            tls,
            commit: self.commit,
            report_to: self.report_to,
            bytes_max: self.max_size,
            remember: false,
        })
    }
}

/// Reads `500M` or `20G`: a whole number of bytes, or of KiB, MiB, GiB or TiB.
fn size(text: &str) -> Result<u64, String> {
    let (number, shift) = match text.char_indices().last() {
        Some((at, 'K' | 'k')) => (&text[..at], 10),
        Some((at, 'M' | 'm')) => (&text[..at], 20),
        Some((at, 'G' | 'g')) => (&text[..at], 30),
        Some((at, 'T' | 't')) => (&text[..at], 40),
        _ => (text, 0),
    };
    let size = number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    size.filter(|size| *size > 0).ok_or_else(|| "write a size as 500M or 20G".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [("500M", 500 << 20), ("20G", 20 << 30), ("1k", 1024), ("7", 7), ("2T", 2 << 40)] {
            assert_eq!(size(text), Ok(bytes));
        }
        for text in ["", "G", "0", "-1G", "1.5G", "99999999999999T", "1GB", "ä"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
