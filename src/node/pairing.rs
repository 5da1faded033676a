//! Pairing by a spoken code, through the door apart from the network.
//!
//! The conversation runs in a task of its own and knows nothing but this person's card; what it ends with comes
//! back to the node, which alone writes the colleague down. A wrong code burns the code: the next one is shown, three
//! in all.

use std::time::Instant;

use tokio::sync::mpsc;

use super::api::{Answer, Event, Failure, FailureCode, Reply, Request};
use super::core::{Node, Step, Task, answer, now};
use super::link::Inner;
use crate::encoding::random;
use crate::encoding::text::shown;
use crate::identity::card::Card;
use crate::identity::pairing::{
    AwaitingAnswer, AwaitingDecisions, Decision, Outcome, PairingDoor, PairingError, SpokenCode,
};
use crate::identity::trust::Verification;
use crate::net::beacon::{BeaconConfig, BeaconInterfaces};
use crate::net::pairing_door::{DoorBeacon, DoorError, DoorFrames, DoorOpener, join};
use crate::net::{Multiaddr, Path, is_dialable, listen_everywhere, path_of, resolve};

/// How a pairing ended, and who waits for it.
pub(super) struct Ended {
    pub result: Result<Card, Failure>,
    pub answers: mpsc::Sender<Answer>,
}

impl Node {
    /// Opens the door: events show the code and the other's name; ends when both have decided.
    pub async fn pair_open(&mut self, task: Task) -> Result<Step, Failure> {
        self.refresh_addresses().await?;
        let card = self.me()?.card.clone();
        let listen = self.door_addresses()?;
        let beacon = self.door_beacon(&listen);
        let inner = self.inner.clone();
        tokio::spawn(async move {
            let Task { answers, mut replies, .. } = task;
            let result = tokio::select! {
                result = open_door(card, &listen, beacon, &answers, &mut replies) => result,
                () = answers.closed() => Err(left()),
            };
            let _ = inner.send(Inner::Paired(Box::new(Ended { result, answers }))).await;
        });
        Ok(Step::Later)
    }

    /// Goes through a colleague's door with the code she reads aloud.
    pub async fn pair_join(&mut self, typed: &str, at: Vec<String>, task: Task) -> Result<Step, Failure> {
        let (code, inline) = match typed.split_once('@') {
            Some((code, address)) => (code, Some(address.to_owned())),
            None => (typed, None),
        };
        let code = SpokenCode::parse(code).map_err(|error| {
            Failure::new(FailureCode::WrongUse, format!("This is not a pairing code: {error}"))
                .hint("A code looks like 47-crane-velvet-honey; type it as it is read to you.")
        })?;
        let mut addresses = Vec::new();
        for text in at.iter().chain(&inline) {
            addresses.extend(resolve(text).await.map_err(|error| {
                Failure::new(FailureCode::WrongUse, format!("{} is no address: {error}", shown(text)))
                    .hint(super::people::ADDRESS_HINT)
            })?);
        }
        self.refresh_addresses().await?;
        let card = self.me()?.card.clone();
        let beacon = self.door_beacon(&self.door_addresses()?);
        let inner = self.inner.clone();
        tokio::spawn(async move {
            let Task { answers, mut replies, .. } = task;
            let result = tokio::select! {
                result = go_through(card, &code, &addresses, beacon, &answers, &mut replies) => result,
                () = answers.closed() => Err(left()),
            };
            let _ = inner.send(Inner::Paired(Box::new(Ended { result, answers }))).await;
        });
        Ok(Step::Later)
    }

    /// Writes the new colleague down as verified, and answers.
    pub async fn pairing_ended(&mut self, ended: Ended) {
        let Ended { result, answers } = ended;
        let result = match result {
            Ok(card) => self.take_paired(card).await,
            Err(failure) => Err(failure),
        };
        let end = match result {
            Ok(reply) => Answer::Done(Box::new(reply)),
            Err(failure) => Answer::Failed(failure),
        };
        answer(&answers, end).await;
    }

    async fn take_paired(&mut self, card: Card) -> Result<Reply, Failure> {
        let identity = card.identity();
        self.add_card(card).await?;
        let time = now();
        let open = self.me_mut()?;
        open.people.verify(&identity, Verification::Pairing, time).map_err(super::people::trust_failure)?;
        self.save_colleague(&identity).await?;
        self.update_gate().await;
        Ok(Reply::Paired { colleague: self.colleague_view(&identity)? })
    }

    fn door_addresses(&self) -> Result<Vec<Multiaddr>, Failure> {
        let given: Vec<Multiaddr> =
            self.options.listen.iter().map(|address| super::link::parse_address(address)).collect::<Result<_, _>>()?;
        let only_loopback = !given.is_empty() && given.iter().all(|address| path_of(address) == Some(Path::Loopback));
        if only_loopback {
            return Ok(vec![super::link::parse_address("/ip4/127.0.0.1/tcp/0")?]);
        }
        Ok(listen_everywhere(0).into_iter().filter(|address| address.to_string().contains("/tcp/")).collect())
    }

    fn door_beacon(&self, listen: &[Multiaddr]) -> Option<BeaconConfig> {
        let only_loopback = listen.iter().all(|address| path_of(address) == Some(Path::Loopback));
        let interfaces = if only_loopback { BeaconInterfaces::Loopback } else { BeaconInterfaces::All };
        self.options.beacon.then(|| BeaconConfig { interfaces, ..BeaconConfig::default() })
    }
}

async fn open_door(
    card: Card,
    listen: &[Multiaddr],
    beacon: Option<BeaconConfig>,
    answers: &mpsc::Sender<Answer>,
    replies: &mut mpsc::Receiver<Request>,
) -> Result<Card, Failure> {
    let mut door =
        PairingDoor::open(card, None, Instant::now(), &mut random::system()).map_err(|e| pairing_failure(&e))?;
    loop {
        let nameplate = door.code().nameplate().to_string();
        let found_by = beacon.map(|beacon| DoorBeacon { nameplate, beacon });
        let mut opener = DoorOpener::open(listen, found_by).await.map_err(|e| door_failure(&e))?;
        tell_open(&door, &opener, answers).await;
        let code_ends = door.code_ends();
        let tried = tokio::select! {
            tried = take_guest(&mut door, &mut opener, answers, replies) => Some(tried),
            () = tokio::time::sleep_until(code_ends.into()) => None,
        };
        match tried {
            Some(Ok(card)) => return Ok(card),
            Some(Err(failure)) if failure.code != FailureCode::Untrusted => return Err(failure),
            // A wrong or old code: the next one, until none is left.
            Some(Err(_)) | None => {
                let next = door.next_code(Instant::now(), &mut random::system());
                next.map_err(|e| pairing_failure(&e))?;
            }
        }
    }
}

async fn tell_open(door: &PairingDoor, opener: &DoorOpener, answers: &mpsc::Sender<Answer>) {
    let code = door.code().spoken();
    let addresses: Vec<String> = opener.addresses().iter().map(ToString::to_string).collect();
    let command = format!("overread join {code}");
    answer(answers, Answer::Event(Event::PairingOpen { code, addresses, command })).await;
}

async fn take_guest(
    door: &mut PairingDoor,
    opener: &mut DoorOpener,
    answers: &mpsc::Sender<Answer>,
    replies: &mut mpsc::Receiver<Request>,
) -> Result<Card, Failure> {
    loop {
        let mut guest = opener.next_guest().await.map_err(|e| door_failure(&e))?;
        match with_guest(door, &mut guest).await {
            Ok(decisions) => return decide(decisions, guest, answers, replies).await,
            // Somebody at the wrong door, or who said nothing: nothing was guessed, the code stays.
            Err(Trouble::Door(_) | Trouble::Pairing(PairingError::WrongNameplate))
                if door.code_is_good(Instant::now()) => {}
            Err(Trouble::Door(error)) => return Err(door_failure(&error)),
            Err(Trouble::Pairing(error)) => {
                // The other side learns that it failed, not why.
                let _ = guest.send(&error.refusal()).await;
                guest.finish().await;
                return Err(pairing_failure(&error));
            }
        }
    }
}

async fn with_guest(door: &mut PairingDoor, guest: &mut DoorFrames) -> Result<AwaitingDecisions, Trouble> {
    let hello = guest.recv().await?;
    let (state, message) = door.hello(&hello, Instant::now(), &mut random::system())?;
    guest.send(&message).await?;
    let (state, message) = state.confirmed(&guest.recv().await?)?;
    guest.send(&message).await?;
    Ok(state.introduced(&guest.recv().await?)?)
}

async fn go_through(
    card: Card,
    code: &SpokenCode,
    addresses: &[Multiaddr],
    beacon: Option<BeaconConfig>,
    answers: &mpsc::Sender<Answer>,
    replies: &mut mpsc::Receiver<Request>,
) -> Result<Card, Failure> {
    let find_by = beacon.map(|beacon| DoorBeacon { nameplate: code.nameplate().to_string(), beacon });
    let mut door = join(addresses, find_by).await.map_err(|e| door_failure(&e))?;
    let decisions = match at_door(card, code, &mut door).await {
        Ok(decisions) => decisions,
        Err(Trouble::Door(error)) => return Err(door_failure(&error)),
        Err(Trouble::Pairing(error)) => {
            let _ = door.send(&error.refusal()).await;
            return Err(pairing_failure(&error));
        }
    };
    decide(decisions, door, answers, replies).await
}

async fn at_door(card: Card, code: &SpokenCode, door: &mut DoorFrames) -> Result<AwaitingDecisions, Trouble> {
    let (state, hello) = AwaitingAnswer::start(code, card, &mut random::system());
    door.send(&hello).await?;
    let (state, confirmation) = state.answered(&door.recv().await?)?;
    door.send(&confirmation).await?;
    let (decisions, introduction) = state.confirmed(&door.recv().await?)?;
    door.send(&introduction).await?;
    Ok(decisions)
}

/// Shows the other's name and site, and exchanges both people's decisions: ours first, since a frame under way must
/// not be dropped half read.
async fn decide(
    mut decisions: AwaitingDecisions,
    mut door: DoorFrames,
    answers: &mpsc::Sender<Answer>,
    replies: &mut mpsc::Receiver<Request>,
) -> Result<Card, Failure> {
    let card = decisions.card();
    let event = Event::ConfirmPerson {
        name: card.name().into_owned(),
        site: card.site().into_owned(),
        fingerprint: card.fingerprint(),
    };
    answer(answers, Answer::Event(event)).await;
    let yes = matches!(replies.recv().await, Some(Request::Confirm { yes: true }));
    let decision = if yes { Decision::Accept } else { Decision::Decline };
    let message = decisions.decide(decision).map_err(|e| pairing_failure(&e))?;
    door.send(&message).await.map_err(|e| door_failure(&e))?;
    if yes {
        let message = door.recv().await.map_err(|e| door_failure(&e))?;
        decisions.decided(&message).map_err(|e| pairing_failure(&e))?;
    }
    door.finish().await;
    match decisions.outcome() {
        Outcome::Accepted => {}
        Outcome::DeclinedThere => {
            return Err(
                Failure::new(FailureCode::Failed, "The other side declined.").hint("Call each other and try again.")
            );
        }
        Outcome::DeclinedHere | Outcome::Waiting => {
            return Err(Failure::new(FailureCode::Failed, "You declined; nothing was kept.")
                .hint("Call each other and try again if it was the right person."));
        }
    }
    let paired = decisions.into_paired();
    paired
        .map(|paired| paired.card)
        .ok_or_else(|| Failure::new(FailureCode::Failed, "The pairing did not come to its end."))
}

impl Node {
    /// Puts the addresses at which this device listens now on its card, so that the other side finds it.
    async fn refresh_addresses(&mut self) -> Result<(), Failure> {
        let listening = self.listen_addresses().await;
        let dialable = |text: &String| text.parse::<Multiaddr>().is_ok_and(|address| is_dialable(&address));
        let mut addresses: Vec<String> = listening.into_iter().filter(dialable).collect();
        addresses.truncate(crate::identity::card::CARD_ADDRESSES_MAX);
        let store = std::sync::Arc::clone(self.store()?);
        let open = self.me_mut()?;
        let mut details = open.card.details();
        if details.addresses == addresses {
            return Ok(());
        }
        details.addresses = addresses;
        open.reissue(details, &store, now())
    }
}

enum Trouble {
    Door(DoorError),
    Pairing(PairingError),
}

impl From<DoorError> for Trouble {
    fn from(error: DoorError) -> Self {
        Self::Door(error)
    }
}

impl From<PairingError> for Trouble {
    fn from(error: PairingError) -> Self {
        Self::Pairing(error)
    }
}

fn pairing_failure(error: &PairingError) -> Failure {
    let code = match error {
        PairingError::WrongNameplate
        | PairingError::WrongCode
        | PairingError::CodeUsed
        | PairingError::CodeExpired
        | PairingError::Altered
        | PairingError::Ended => FailureCode::Untrusted,
        _ => FailureCode::Failed,
    };
    Failure::new(code, format!("Not paired: {error}."))
        .hint("Ask your colleague to read out a new code: `overread pair open` shows one.")
}

fn door_failure(error: &DoorError) -> Failure {
    Failure::new(FailureCode::NotReached, format!("Not paired: {error}.")).hint(
        "Both programs must run at the same time. On another network add the address: `overread join CODE@ADDRESS`.",
    )
}

fn left() -> Failure {
    Failure::new(FailureCode::Interrupted, "The pairing was ended before it was done.")
}
