//! Where neighbours knock: a port, TLS if asked for, and a bounded number of associations.
//!
//! Each connection is one task. Dropping the listener's future ends them all, and what they were sending counts as cut
//! off. Whoever finds no room is told so in DICOM's own words, which senders answer by trying again later; beyond
//! [`KNOCKING_MAX`] connections at once nobody is even listened to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::inbox::{Arrival, Inbox, Refused};
use super::negotiation::Rules;
use super::reporter::ReportError;
use super::service::{Commitment, Counts, End, Watch, serve, turn_away};
use super::wire::Wire;

/// Most associations that are open at once.
pub const ASSOCIATIONS_MAX: usize = 16;

/// Most connections, those without an association included.
pub const KNOCKING_MAX: usize = 64;

/// How long a TLS handshake may take.
const TLS_TIME_MAX: Duration = Duration::from_secs(15);

/// How long to wait before accepting again after the system refused: mostly for want of file descriptors.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// What happens at a listener. Nothing here is of a patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    Opened {
        from: String,
        address: SocketAddr,
    },
    Arrived {
        from: String,
        arrival: Arrival,
    },
    Refused {
        from: String,
        why: Refused,
    },
    Ended {
        from: Option<String>,
        address: SocketAddr,
        counts: Counts,
        end: End,
    },
    /// A storage commitment report did not reach its sender.
    NotReported {
        from: String,
        why: String,
    },
    /// The handshake of TLS failed, in the words of the library.
    NoTls {
        address: SocketAddr,
        why: String,
    },
    Crowded {
        address: SocketAddr,
    },
}

/// Who is told of it. Called from the task of an association, so it must not wait.
pub type Told = Arc<dyn Fn(Happening) + Send + Sync>;

/// What a listener is made of.
pub struct Listener {
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    rules: Arc<Rules>,
    commitment: Arc<Commitment>,
}

impl Listener {
    /// Binds the address.
    pub async fn bind(
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        rules: Rules,
        commitment: Commitment,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self { listener, tls, rules: Arc::new(rules), commitment: Arc::new(commitment) })
    }

    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until it is dropped.
    pub async fn run(self, inbox: Inbox, told: Told) {
        let knocking = Arc::new(Semaphore::new(KNOCKING_MAX));
        let associations = Arc::new(Semaphore::new(ASSOCIATIONS_MAX));
        let mut tasks = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(ended) = tasks.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "an association ended in an error of this program");
                    }
                    continue;
                }
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "no connection can be accepted");
                    tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
                    continue;
                }
            };
            let Ok(knock) = Arc::clone(&knocking).try_acquire_owned() else { continue };
            // Answers are short: waiting to fill a packet would cost a round trip an object.
            let _ = stream.set_nodelay(true);
            let (tls, rules, commitment) = (self.tls.clone(), Arc::clone(&self.rules), Arc::clone(&self.commitment));
            let (inbox, told, associations) = (inbox.clone(), Arc::clone(&told), Arc::clone(&associations));
            tasks.spawn(async move {
                let _knock = knock;
                let wire = match secured(stream, tls).await {
                    Ok(wire) => wire,
                    Err(why) => return told(Happening::NoTls { address, why }),
                };
                let Ok(_place) = associations.try_acquire_owned() else {
                    told(Happening::Crowded { address });
                    return turn_away(wire).await;
                };
                let watch = Watcher { address, told: &told };
                let (from, counts, end) = serve(wire, &rules, &commitment, &inbox, &watch).await;
                told(Happening::Ended { from, address, counts, end });
            });
        }
    }
}

async fn secured(stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> Result<Wire, String> {
    let Some(config) = tls else { return Ok(Wire::new(Box::new(stream))) };
    match tokio::time::timeout(TLS_TIME_MAX, TlsAcceptor::from(config).accept(stream)).await {
        Ok(Ok(stream)) => Ok(Wire::new(Box::new(stream))),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("the handshake took longer than {} s", TLS_TIME_MAX.as_secs())),
    }
}

struct Watcher<'a> {
    address: SocketAddr,
    told: &'a Told,
}

impl Watch for Watcher<'_> {
    fn opened(&self, calling: &str) {
        (self.told)(Happening::Opened { from: calling.to_owned(), address: self.address });
    }

    fn arrived(&self, calling: &str, arrival: &Arrival) {
        (self.told)(Happening::Arrived { from: calling.to_owned(), arrival: arrival.clone() });
    }

    fn refused(&self, calling: &str, why: &Refused) {
        (self.told)(Happening::Refused { from: calling.to_owned(), why: why.clone() });
    }

    fn not_reported(&self, calling: &str, why: &ReportError) {
        (self.told)(Happening::NotReported { from: calling.to_owned(), why: why.to_string() });
    }
}
