//! When beacons are sent, heard and answered.

use std::collections::{BTreeSet, HashMap};
use std::future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use libp2p::Multiaddr;
use tokio::net::UdpSocket;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::datagram::{
    ANSWER_ADDRESSES_MAX, DATAGRAM_BYTES_MAX, Nonce, Pair, Replays, TAGS_MAX, answer, beacon, open_answer, recognise,
};
use super::sockets::{Interface, asker, interfaces, join, listener_v4, listener_v6};
use super::{BeaconConfig, Schedule, Sighting, State};
use crate::encoding::random;
use crate::identity::keys::TransportKey;
use crate::net::address::{Path, path_of, path_of_ip};

/// Length of a time window in seconds.
const WINDOW_SECONDS: u64 = 600;

/// Waits after something changed; then [`STEADY`].
const BURST: [Duration; 3] = [Duration::ZERO, Duration::from_millis(500), Duration::from_millis(1500)];
const STEADY: Duration = Duration::from_secs(10);
const URGENT: Duration = Duration::from_millis(500);

/// Least time between two rounds.
const ROUNDS_APART: Duration = Duration::from_millis(300);

/// How long answers to a beacon are awaited.
const ANSWERS_AWAITED: Duration = Duration::from_secs(2);

/// Datagrams read in answer to one beacon; more are a flood.
const ANSWERS_A_BEACON_MAX: usize = 256;

/// Answers read and not yet looked at.
const ANSWERS_WAITING_MAX: usize = 64;

/// Beacons looked at a second: each costs three HMACs a colleague.
const HEARD_A_SECOND_MAX: u32 = 64;

/// One colleague is answered at most once in this time: its beacon comes over several interfaces.
const ANSWER_AGAIN: Duration = Duration::from_millis(300);

/// Sockets that await answers at once.
const ASKERS_MAX: usize = 64;

pub(super) struct Task {
    config: BeaconConfig,
    schedule: Schedule,
    me: TransportKey,
    state: watch::Receiver<State>,
    network_changed: Arc<Notify>,
    sightings: mpsc::Sender<Sighting>,
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
    joined: BTreeSet<Interface>,
    pairs: Vec<Pair>,
    addresses: Vec<Multiaddr>,
    replays: Replays,
    answered: HashMap<TransportKey, Instant>,
    heard: (Instant, u32),
    askers: JoinSet<()>,
    sent: usize,
    last_round: Option<Instant>,
}

/// A datagram that came to the port of one of our beacons.
struct Answer {
    beacon: Nonce,
    source: SocketAddr,
    bytes: Vec<u8>,
}

impl Task {
    pub(super) fn new(
        config: BeaconConfig,
        schedule: Schedule,
        me: TransportKey,
        state: watch::Receiver<State>,
        network_changed: Arc<Notify>,
        sightings: mpsc::Sender<Sighting>,
    ) -> Self {
        // Without a socket of a family the other is used; without both only our own beacons are answered.
        let (v4, v6) = (listener_v4(config.port).ok(), listener_v6(config.port).ok());
        Self {
            config,
            schedule,
            me,
            state,
            network_changed,
            sightings,
            v4,
            v6,
            joined: BTreeSet::new(),
            pairs: Vec::new(),
            addresses: Vec::new(),
            replays: Replays::default(),
            answered: HashMap::new(),
            heard: (Instant::now(), 0),
            askers: JoinSet::new(),
            sent: 0,
            last_round: None,
        }
    }

    pub(super) async fn run(mut self) {
        let (answers, mut answer_receiver) = mpsc::channel(ANSWERS_WAITING_MAX);
        let (mut from_v4, mut from_v6) = ([0; DATAGRAM_BYTES_MAX + 1], [0; DATAGRAM_BYTES_MAX + 1]);
        let mut next = Instant::now();
        self.join_groups(&interfaces(self.config.interfaces));
        loop {
            tokio::select! {
                changed = self.state.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.take_state();
                    next = self.start_over();
                }
                () = self.network_changed.notified() => next = self.start_over(),
                Ok((length, source)) = receive(self.v4.as_ref(), &mut from_v4) => {
                    self.on_beacon(&from_v4[..length], source).await;
                }
                Ok((length, source)) = receive(self.v6.as_ref(), &mut from_v6) => {
                    self.on_beacon(&from_v6[..length], source).await;
                }
                Some(answer) = answer_receiver.recv() => self.on_answer(&answer),
                Some(_) = self.askers.join_next(), if !self.askers.is_empty() => {}
                () = sleep_until(next), if !self.pairs.is_empty() => {
                    self.send_beacons(&answers).await;
                    next = Instant::now() + self.wait();
                }
            }
        }
    }

    fn take_state(&mut self) {
        let state = self.state.borrow_and_update().clone();
        self.pairs = state.peers.iter().map(|peer| Pair::new(self.me, peer)).collect();
        self.addresses = state.addresses;
        self.answered.retain(|peer, _| self.pairs.iter().any(|pair| pair.peer == *peer));
    }

    /// Begins a new burst: at once, but never two rounds on each other's heels, however often things change.
    fn start_over(&mut self) -> Instant {
        self.sent = 0;
        let now = Instant::now();
        self.last_round.map_or(now, |last| now.max(last + ROUNDS_APART))
    }

    /// The wait before the next round.
    fn wait(&mut self) -> Duration {
        self.sent += 1;
        match (self.schedule, BURST.get(self.sent)) {
            (Schedule::Urgent, _) => jittered(URGENT),
            (_, Some(wait)) => jittered(*wait),
            (_, None) => jittered(STEADY),
        }
    }

    fn join_groups(&mut self, now: &BTreeSet<Interface>) {
        // What went away may come back under the same name and must then be joined anew.
        self.joined.retain(|interface| now.contains(interface));
        for interface in now {
            let socket = match interface {
                Interface::V4(_) => &self.v4,
                Interface::V6(_) => &self.v6,
            };
            if let Some(socket) = socket
                && self.joined.insert(*interface)
                && let Err(error) = join(socket, *interface)
            {
                tracing::debug!(%error, ?interface, "no beacons are heard here");
            }
        }
    }

    /// One round: a beacon of its own on every interface, so that no nonce links two of them.
    async fn send_beacons(&mut self, answers: &mpsc::Sender<Answer>) {
        self.last_round = Some(Instant::now());
        let interfaces = interfaces(self.config.interfaces);
        self.join_groups(&interfaces);
        if self.schedule == Schedule::Silent {
            return;
        }
        if self.pairs.len() > TAGS_MAX {
            self.pairs.rotate_left(TAGS_MAX); // more colleagues than fit take turns
        }
        for interface in interfaces {
            if self.askers.len() >= ASKERS_MAX {
                break;
            }
            let Ok((socket, group)) = asker(interface, self.config.port) else { continue };
            let (nonce, bytes) = beacon(&self.pairs, window_now(), &mut random::system());
            // An interface may be down or without a route; the others matter.
            if socket.send_to(&bytes, group).await.is_ok() {
                self.askers.spawn(await_answers(socket, nonce, answers.clone()));
            }
        }
    }

    async fn on_beacon(&mut self, bytes: &[u8], source: SocketAddr) {
        if self.pairs.is_empty() || !self.may_look() {
            return;
        }
        let window = window_now();
        let Some(heard) = recognise(bytes, &self.pairs, window) else { return };
        let pair = &self.pairs[heard.pair];
        if !self.replays.is_new(pair.peer, &heard, window) {
            return;
        }
        let now = Instant::now();
        if self.answered.get(&pair.peer).is_some_and(|last| now.duration_since(*last) < ANSWER_AGAIN) {
            return;
        }
        self.answered.insert(pair.peer, now);
        self.report(pair.peer, Vec::new());
        let bytes = answer(pair, &heard.nonce, &self.addresses_for(source), &mut random::system());
        let socket = if source.is_ipv4() { &self.v4 } else { &self.v6 };
        if let Some(socket) = socket {
            let _ = socket.send_to(&bytes, source).await; // lost answers are asked for again
        }
    }

    /// What the asker can use: loopback addresses on this machine, the others elsewhere.
    fn addresses_for(&self, source: SocketAddr) -> Vec<Multiaddr> {
        let same_machine = path_of_ip(source.ip()) == Path::Loopback;
        let useful = |address: &&Multiaddr| (path_of(address) == Some(Path::Loopback)) == same_machine;
        let mut addresses: Vec<_> = self.addresses.iter().filter(useful).cloned().collect();
        addresses.sort_by_key(path_of);
        addresses.truncate(ANSWER_ADDRESSES_MAX);
        addresses
    }

    fn on_answer(&self, answer: &Answer) {
        let Some((pair, mut addresses)) = open_answer(&answer.bytes, &self.pairs, &answer.beacon) else { return };
        let same_machine = path_of_ip(answer.source.ip()) == Path::Loopback;
        addresses.retain(|address| same_machine || path_of(address) != Some(Path::Loopback));
        self.report(self.pairs[pair].peer, addresses);
    }

    fn report(&self, peer: TransportKey, addresses: Vec<Multiaddr>) {
        // When the owner is busy the sighting is dropped: the next beacon brings it again.
        let _ = self.sightings.try_send(Sighting { peer, addresses });
    }

    fn may_look(&mut self) -> bool {
        let now = Instant::now();
        if now.duration_since(self.heard.0) >= Duration::from_secs(1) {
            self.heard = (now, 0);
        }
        self.heard.1 += 1;
        self.heard.1 <= HEARD_A_SECOND_MAX
    }
}

async fn await_answers(socket: UdpSocket, beacon: Nonce, answers: mpsc::Sender<Answer>) {
    let until = Instant::now() + ANSWERS_AWAITED;
    let mut buffer = [0; DATAGRAM_BYTES_MAX + 1];
    for _ in 0..ANSWERS_A_BEACON_MAX {
        let Ok(received) = timeout_at(until, socket.recv_from(&mut buffer)).await else { return };
        let Ok((length, source)) = received else { continue }; // an ICMP error of an earlier datagram
        let answer = Answer { beacon, source, bytes: buffer[..length].to_vec() };
        if answers.send(answer).await.is_err() {
            return;
        }
    }
}

async fn receive(socket: Option<&UdpSocket>, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    match socket {
        Some(socket) => socket.recv_from(buffer).await,
        None => future::pending().await,
    }
}

fn window_now() -> u64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since_1970.as_secs() / WINDOW_SECONDS
}

/// Three to five quarters of the wait.
fn jittered(wait: Duration) -> Duration {
    let [random] = random::bytes::<1>(&mut random::system());
    wait.mul_f64(0.75 + f64::from(random) / 510.0)
}
