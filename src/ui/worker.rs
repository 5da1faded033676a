//! Carries out what the app wishes for, in the background, and sends back what comes of it.
//!
//! Every request is a task of its own, so that none waits for another. Pictures are opened newest first: whoever
//! scrolls past a slice does not wait for it. All queues are bounded; what falls out is told.

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};

use super::files;
use super::lane::{self, Lane};
use super::message::{Grown, Message, Ticket, Wish};
use super::paths;
use super::picture::{NotShown, Opened, Picture, PictureKey};
use crate::node::api::{Envelope, Event, Failure, FailureCode, Passphrase, Reply, Request};
use crate::node::client::Client;
use crate::study::measure::measure_in;
use crate::study::pixels::Unit;
use crate::study::plane::Plane;
use crate::view::mpr::Reformat;
use crate::view::thumbnail::Thumbnail;
use crate::view::volume::Volume;

/// Pictures that wait to be opened; the oldest fall out.
const PICTURES_WAITING_MAX: usize = 48;

/// Small pictures that wait; the oldest fall out.
const THUMBNAILS_WAITING_MAX: usize = 64;

/// Pictures opened at once.
const PICTURES_AT_ONCE: usize = 2;

/// Files kept for the next frame of the same object.
const FILES_KEPT_MAX: usize = 4;

/// Bytes of them beside the last one.
const FILES_KEPT_BYTES_MAX: usize = 96 * 1024 * 1024;

/// Folders and texts read at once.
const READINGS_AT_ONCE: usize = 4;

/// What is said where no more are read at once.
const BUSY: &str = "Other folders are still being read; one of them may hang. Try again in a moment.";

/// Slices of a volume that are decoded at once.
const SLICES_DECODED_AT_ONCE: usize = 3;

/// How often a volume that fills is told of.
const TELL_VOLUME_EVERY: Duration = Duration::from_millis(300);

/// Events of one request that wait for the app.
const EVENTS_MAX: usize = 64;

/// How long after a node has ended the next one is followed.
const FOLLOW_AGAIN: Duration = Duration::from_secs(1);

/// The background.
pub struct Worker {
    client: Client,
    messages: mpsc::Sender<Message>,
    tasks: JoinSet<()>,
    asked: HashMap<Ticket, Asked>,
    following: Option<AbortHandle>,
    /// The volume that is read.
    reading: Option<(Ticket, AbortHandle)>,
    pictures: Arc<Mutex<Waiting>>,
    readings: Arc<Semaphore>,
    lane: Lane,
}

struct Asked {
    task: AbortHandle,
    replies: mpsc::Sender<Request>,
}

/// Pictures wished for and not yet opened.
#[derive(Default)]
struct Waiting {
    /// The newest at the end.
    keys: VecDeque<PictureKey>,
    /// Small ones, which wait until no other does; the oldest first.
    thumbnails: VecDeque<PictureKey>,
    running: usize,
    /// Instances read last, for their next frames, by study and SOP Instance UID.
    opened: VecDeque<([Arc<str>; 2], Arc<Opened>)>,
    /// How often they were given up: what was begun before is not kept after it.
    given_up: u64,
}

/// What is opened next.
enum Next {
    Picture(PictureKey),
    Thumbnail(PictureKey),
}

impl Waiting {
    /// Puts a picture before all others; what falls out comes back.
    fn wish(&mut self, key: PictureKey) -> Option<PictureKey> {
        self.keys.retain(|other| *other != key);
        self.keys.push_back(key);
        (self.keys.len() > PICTURES_WAITING_MAX).then(|| self.keys.pop_front()).flatten()
    }

    /// The same for a small one, behind all others.
    fn wish_small(&mut self, key: PictureKey) -> Option<PictureKey> {
        self.thumbnails.push_back(key);
        (self.thumbnails.len() > THUMBNAILS_WAITING_MAX).then(|| self.thumbnails.pop_front()).flatten()
    }

    /// Keeps an image that was opened; the oldest go.
    fn keep(&mut self, file_of: [Arc<str>; 2], opened: Arc<Opened>) {
        let too_much = |kept: &VecDeque<([Arc<str>; 2], Arc<Opened>)>| {
            kept.iter().map(|(_, opened)| opened.bytes).sum::<usize>() > FILES_KEPT_BYTES_MAX
        };
        while self.opened.len() >= FILES_KEPT_MAX || too_much(&self.opened) {
            self.opened.pop_front();
        }
        self.opened.push_back((file_of, opened));
    }

    /// Keeps no image that was opened so far.
    fn give_up(&mut self) {
        self.opened.clear();
        self.given_up += 1;
    }

    /// What is to be opened next; where nothing is, one less is running.
    fn next(&mut self) -> Option<Next> {
        let picture = self.keys.pop_back().map(Next::Picture);
        let next = picture.or_else(|| self.thumbnails.pop_front().map(Next::Thumbnail));
        self.running -= usize::from(next.is_none());
        next
    }
}

impl Worker {
    pub fn new(client: Client, messages: mpsc::Sender<Message>) -> Self {
        Self {
            lane: Lane::start(messages.clone()),
            client,
            messages,
            tasks: JoinSet::new(),
            asked: HashMap::new(),
            following: None,
            reading: None,
            pictures: Arc::default(),
            readings: Arc::new(Semaphore::new(READINGS_AT_ONCE)),
        }
    }

    /// Begins what is wished for.
    pub async fn begin(&mut self, wish: Wish) {
        while self.tasks.try_join_next().is_some() {}
        match wish {
            Wish::Ask { ticket, request, passphrase, wait_seconds } => {
                self.ask(ticket, request, passphrase, wait_seconds).await;
            }
            Wish::Confirm { ticket, yes } => {
                if let Some(asked) = self.asked.get(&ticket) {
                    // A request that has ended needs no answer.
                    let _ = asked.replies.try_send(Request::Confirm { yes });
                }
            }
            Wish::Cancel { ticket } => {
                if let Some(asked) = self.asked.remove(&ticket) {
                    asked.task.abort();
                }
                if let Some(reading) = self.reading.take_if(|(read, _)| *read == ticket) {
                    reading.1.abort();
                }
            }
            Wish::List { ticket, path } => {
                let refused = Message::Listed { ticket, outcome: Err(BUSY.into()) };
                self.read(refused, move || Message::Listed { ticket, outcome: files::list(&path) });
            }
            Wish::ReadText { ticket, path } => {
                let refused = Message::TextRead { ticket, outcome: Err(BUSY.into()) };
                self.read(refused, move || Message::TextRead { ticket, outcome: files::read_text(&path) });
            }
            Wish::Follow => self.follow().await,
            Wish::Picture(key) => {
                let dropped = locked(&self.pictures).wish(key);
                if let Some(key) = dropped {
                    let _ = self.messages.try_send(Message::PictureDropped(key));
                }
                self.open_pictures().await;
            }
            Wish::Thumbnail(key) => {
                let dropped = locked(&self.pictures).wish_small(key);
                if let Some(key) = dropped {
                    let _ = self.messages.try_send(Message::Thumbnailed { key, outcome: Err(None) });
                }
                self.open_pictures().await;
            }
            Wish::Measure { ticket, picture, shape, points } => {
                let messages = self.messages.clone();
                self.tasks.spawn(async move {
                    let measuring = tokio::task::spawn_blocking(move || {
                        let image = &picture.opened.image;
                        measure_in(image, picture.key.frame, shape, &points).map_err(|error| error.to_string())
                    });
                    let outcome = measuring.await.unwrap_or_else(|_| Err("It could not be measured.".into()));
                    // The app that is gone needs no answer.
                    let _ = messages.send(Message::Measured { ticket, outcome }).await;
                });
            }
            Wish::Volume { ticket, volume, slices } => self.read_volume(ticket, volume, slices).await,
            Wish::Reformat { ticket, volume, plane, slab } => {
                let messages = self.messages.clone();
                self.tasks.spawn(async move {
                    let cutting = move || Reformat::of(&volume, &plane, slab).map_err(|error| error.to_string());
                    let outcome = contained(cutting).await.map(Arc::new);
                    // The app that is gone needs no answer.
                    let _ = messages.send(Message::Reformatted { ticket, outcome }).await;
                });
            }
            Wish::Forget => {
                let mut waiting = locked(&self.pictures);
                waiting.give_up();
                waiting.keys.clear();
                waiting.thumbnails.clear();
            }
            Wish::Bell | Wish::LookAtTerminal { .. } | Wish::ShowWith(_) | Wish::Redraw | Wish::Quit => {}
        }
    }

    async fn ask(
        &mut self,
        ticket: Ticket,
        request: Request,
        passphrase: Option<Passphrase>,
        wait_seconds: Option<u64>,
    ) {
        self.asked.retain(|_, asked| !asked.task.is_finished());
        let is_in_order = lane::is_for(&request);
        let request = paths::resolved(request);
        let envelope = Envelope { request, passphrase, request_id: None, wait_seconds };
        let (replies, replied) = mpsc::channel(1);
        let (events, heard) = mpsc::channel(EVENTS_MAX);
        let messages = self.messages.clone();
        let client = self.client.another().await;
        if is_in_order {
            if let Err(full) = self.lane.put(ticket, envelope, client) {
                let refused = Message::Answered { ticket, outcome: Err(full) };
                self.tasks.spawn(async move { drop(messages.send(refused).await) });
            }
            return;
        }
        let changes_pixels = matches!(envelope.request, Request::StudyDecide { .. } | Request::StudyMask { .. });
        let pictures = changes_pixels.then(|| Arc::clone(&self.pictures));
        let task = self.tasks.spawn(async move {
            let outcome = match client {
                Ok(mut client) => {
                    let telling = pass_on(heard, &messages, move |event| Message::OnTheWay { ticket, event });
                    let asking = async {
                        let outcome = client.converse(envelope, &events, replied).await;
                        drop(events);
                        outcome
                    };
                    tokio::join!(asking, telling).0
                }
                Err(failure) => Err(failure),
            };
            if let Some(pictures) = pictures {
                locked(&pictures).give_up();
            }
            // The app that is gone needs no answer.
            let _ = messages.send(Message::Answered { ticket, outcome: outcome.map(Box::new) }).await;
        });
        self.asked.insert(ticket, Asked { task, replies });
    }

    /// Reads from the disk beside everything else. A mount that hangs takes a thread with it, so only a few at once:
    /// what finds none free is refused.
    fn read(&mut self, refused: Message, reading: impl FnOnce() -> Message + Send + 'static) {
        let messages = self.messages.clone();
        let place = Arc::clone(&self.readings).try_acquire_owned();
        self.tasks.spawn(async move {
            let message = match place {
                Ok(_place) => tokio::task::spawn_blocking(reading).await.unwrap_or(refused),
                Err(_) => refused,
            };
            // The app that is gone needs no answer.
            let _ = messages.send(message).await;
        });
    }

    /// Follows what happens. A node that ends is followed by the next one of the home, which may be another program's.
    async fn follow(&mut self) {
        let Ok(mut client) = self.client.another().await else { return };
        let messages = self.messages.clone();
        let task = self.tasks.spawn(async move {
            loop {
                let (events, heard) = mpsc::channel(EVENTS_MAX);
                let (_replies, replied) = mpsc::channel(1);
                let envelope =
                    Envelope { request: Request::Follow, passphrase: None, request_id: None, wait_seconds: None };
                let following = async {
                    let ended = client.converse(envelope, &events, replied).await;
                    drop(events);
                    ended
                };
                let telling = pass_on(heard, &messages, Message::Followed);
                if let (Err(failure), ()) = tokio::join!(following, telling) {
                    tracing::warn!(what = failure.what, "the node is not followed any more");
                }
                tokio::time::sleep(FOLLOW_AGAIN).await;
                if let Ok(next) = client.another().await {
                    client = next;
                }
            }
        });
        if let Some(before) = self.following.replace(task) {
            before.abort();
        }
    }

    /// Begins to open what waits, unless as many are opened already as may be at once.
    async fn open_pictures(&mut self) {
        {
            let mut waiting = locked(&self.pictures);
            if waiting.running >= PICTURES_AT_ONCE {
                return;
            }
            waiting.running += 1;
        }
        let Ok(mut client) = self.client.another().await else {
            locked(&self.pictures).running -= 1;
            return;
        };
        let (messages, pictures) = (self.messages.clone(), Arc::clone(&self.pictures));
        self.tasks.spawn(async move {
            loop {
                let next = locked(&pictures).next();
                let message = match next {
                    Some(Next::Picture(key)) => {
                        let outcome = open(&mut client, &pictures, &key).await;
                        Message::Pictured { key, outcome }
                    }
                    Some(Next::Thumbnail(key)) => {
                        let outcome = open_small(&mut client, &pictures, &key).await.map_err(Some);
                        Message::Thumbnailed { key, outcome }
                    }
                    None => return,
                };
                if messages.send(message).await.is_err() {
                    return;
                }
            }
        });
    }

    /// Reads slices into a volume, and tells how far it is now and then. A volume that was read before is given up.
    async fn read_volume(&mut self, ticket: Ticket, mut volume: Volume, slices: Vec<(usize, PictureKey)>) {
        if let Some((_, before)) = self.reading.take() {
            before.abort();
        }
        let (messages, pictures) = (self.messages.clone(), Arc::clone(&self.pictures));
        let client = self.client.another().await;
        let task = self.tasks.spawn(async move {
            let mut refused = None;
            let mut told = Instant::now();
            let mut slices = slices.into_iter();
            let mut ahead = VecDeque::new();
            let mut client = match client {
                Ok(client) => Some(client),
                Err(failure) => {
                    refused = Some(failure.what);
                    None
                }
            };
            while let Some(client) = &mut client {
                // One is fetched while others are decoded.
                if ahead.len() < SLICES_DECODED_AT_ONCE
                    && let Some((slice, key)) = slices.next()
                {
                    match open_file(client, &pictures, &key).await {
                        Ok(opened) => ahead.push_back((slice, tokio::spawn(contained(move || voxels(&key, &opened))))),
                        Err(not) => refused = refused.or(Some(not.why)),
                    }
                    continue;
                }
                let Some((slice, decoding)) = ahead.pop_front() else { break };
                let decoded = decoding.await.unwrap_or_else(|_| Err("The image was not opened: the app ends.".into()));
                let put = decoded.and_then(|(plane, values, unit)| {
                    volume.insert(slice, &plane, &values, unit).map_err(|error| error.to_string())
                });
                refused = refused.or(put.err());
                if told.elapsed() >= TELL_VOLUME_EVERY {
                    told = Instant::now();
                    let grown = Grown { volume: volume.clone(), refused: refused.clone(), is_done: false };
                    if messages.send(Message::VolumeGrew { ticket, grown }).await.is_err() {
                        return;
                    }
                }
            }
            // The app that is gone needs no answer.
            let _ =
                messages.send(Message::VolumeGrew { ticket, grown: Grown { volume, refused, is_done: true } }).await;
        });
        self.reading = Some((ticket, task));
    }

    /// Stops everything, and ends a node of this process in good order. What was asked in order is still done.
    pub async fn close(mut self) {
        self.lane.end().await;
        self.tasks.shutdown().await;
        self.client.close(std::future::ready(())).await;
    }
}

fn locked(waiting: &Mutex<Waiting>) -> std::sync::MutexGuard<'_, Waiting> {
    // Nothing that holds the lock can panic half way.
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn pass_on(
    mut heard: mpsc::Receiver<Event>,
    messages: &mpsc::Sender<Message>,
    message: impl Fn(Event) -> Message,
) {
    while let Some(event) = heard.recv().await {
        if messages.send(message(event)).await.is_err() {
            return;
        }
    }
}

/// Opens and decodes one frame.
async fn open(client: &mut Client, kept: &Mutex<Waiting>, key: &PictureKey) -> Result<Arc<Picture>, NotShown> {
    let opened = open_file(client, kept, key).await?;
    let key = key.clone();
    contained(move || Picture::decode(&key, &opened)).await.map(Arc::new).map_err(NotShown::by_file)
}

/// Opens one frame and makes it small.
async fn open_small(client: &mut Client, kept: &Mutex<Waiting>, key: &PictureKey) -> Result<Thumbnail, NotShown> {
    let opened = open_file(client, kept, key).await?;
    let key = key.clone();
    contained(move || Picture::decode(&key, &opened)?.thumbnail()).await.map_err(NotShown::by_file)
}

/// Reads an instance, unless it was among the last ones.
async fn open_file(client: &mut Client, kept: &Mutex<Waiting>, key: &PictureKey) -> Result<Arc<Opened>, NotShown> {
    // A file that is imported again has the same UIDs in another study.
    let file_of = [Arc::clone(&key.study), Arc::clone(&key.sop_instance_uid)];
    let known = |waiting: &Waiting| {
        let opened = waiting.opened.iter().find(|(other, _)| *other == file_of);
        opened.map(|(_, opened)| Arc::clone(opened))
    };
    let given_up = {
        let waiting = locked(kept);
        if let Some(opened) = known(&waiting) {
            return Ok(opened);
        }
        waiting.given_up
    };
    let file = fetch(client, key).await.map_err(|failure| NotShown::in_passing(failure.what))?;
    let opened = Arc::new(contained(move || Opened::read(&file)).await.map_err(NotShown::by_file)?);
    let mut waiting = locked(kept);
    // The app was locked meanwhile, or the image has other pixels now.
    if waiting.given_up == given_up {
        waiting.keep(file_of, Arc::clone(&opened));
    }
    Ok(opened)
}

/// Does long work beside everything else. A decoder's panic is contained where it is called; this is for our own.
async fn contained<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    let working = tokio::task::spawn_blocking(move || {
        std::panic::catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|_| Err("The image cannot be shown: its decoder failed unexpectedly.".into()))
    });
    working.await.unwrap_or_else(|_| Err("The image was not opened: the app ends.".into()))
}

async fn fetch(client: &mut Client, key: &PictureKey) -> Result<Vec<u8>, Failure> {
    let request =
        Request::StudyFile { study: key.study.to_string(), sop_instance_uid: key.sop_instance_uid.to_string() };
    let envelope = Envelope { request, passphrase: None, request_id: None, wait_seconds: None };
    match client.ask(envelope, &mut |_| None).await? {
        Reply::File(file) => Ok(file.bytes),
        _ => Err(Failure::new(FailureCode::Failed, "The node answered something else.")),
    }
}

/// A frame's place, its values and their unit.
pub(super) fn voxels(key: &PictureKey, opened: &Opened) -> Result<(Plane, Vec<f32>, Unit), String> {
    let frame = opened.image.frame(key.frame).map_err(|error| error.to_string())?;
    let plane = Plane::of(opened.image.header(), key.frame).map_err(|error| error.to_string())?;
    let values = frame.values_without_padding().ok_or("Colours have no values to reformat.")?;
    Ok((plane, values, frame.unit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_kept_as_far_as_their_bytes_allow_and_the_last_one_always() {
        let file = crate::study::synthetic::slice(1, 30, 60).unwrap();
        let kept = |sizes: &[usize]| {
            let mut waiting = Waiting::default();
            for bytes in sizes {
                let mut opened = Opened::read(&file).unwrap();
                opened.bytes = *bytes;
                waiting.keep(["s".into(), bytes.to_string().into()], Arc::new(opened));
            }
            waiting.opened.iter().map(|(_, opened)| opened.bytes).collect::<Vec<_>>()
        };
        let (half, all) = (FILES_KEPT_BYTES_MAX / 2, FILES_KEPT_BYTES_MAX);
        assert_eq!(kept(&[1, 2, 3, 4, 5]), [2, 3, 4, 5]);
        assert_eq!(kept(&[half, half, 5]), [half, half, 5]);
        assert_eq!(kept(&[half, half + 1, 5]), [half + 1, 5]);
        assert_eq!(kept(&[all, 10 * all, 10 * all + 1]), [10 * all + 1]);
    }
}
