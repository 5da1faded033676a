//! Pairing of two programs: the code that people read aloud goes from one to the other by itself.

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::node::api::{Envelope, Event, Failure, FailureCode, Request};
use crate::node::client::Client;

/// An open pairing door: what is read aloud, and where to knock.
#[derive(Serialize, Deserialize)]
pub(super) struct Door {
    pub code: String,
    pub at: Vec<String>,
}

/// Opens the door, tells of it, and waits until somebody has come through.
pub(super) async fn open(client: &mut Client, tell: oneshot::Sender<Door>) -> Result<(), Failure> {
    let mut tell = Some(tell);
    let mut on_event = move |event: Event| match event {
        Event::PairingOpen { code, addresses, .. } => {
            if let Some(tell) = tell.take() {
                // Who no longer wants to hear of it ends the demo by itself.
                let _ = tell.send(Door { code, at: addresses.into_iter().take(1).collect() });
            }
            None
        }
        event => agreed(&event),
    };
    client.ask(envelope(Request::PairOpen), &mut on_event).await.map(|_| ())
}

/// Goes through the door.
pub(super) async fn join(client: &mut Client, door: &Door) -> Result<(), Failure> {
    let request = Request::PairJoin { code: door.code.clone(), at: door.at.clone() };
    client.ask(envelope(request), &mut |event| agreed(&event)).await.map(|_| ())
}

pub(super) fn closed() -> Failure {
    Failure::new(FailureCode::Failed, "The pairing door did not open.")
}

/// Both sides belong to the demo, so each is who it says.
fn agreed(event: &Event) -> Option<Request> {
    matches!(event, Event::ConfirmPerson { .. }).then_some(Request::Confirm { yes: true })
}

fn envelope(request: Request) -> Envelope {
    Envelope { request, passphrase: None, request_id: None, wait_seconds: None }
}
