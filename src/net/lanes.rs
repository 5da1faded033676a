//! The frames of a session: bounded queues out, bounded queues in, one task a stream.
//!
//! A writer gathers waiting frames into one write and flushes when nothing waits. A reader hands each frame to
//! the program's one queue for its lane and reads on only when there is room; then yamux or QUIC stop giving
//! credit and the peer's writer, its queue and its `send` wait in turn. Everything is bounded twice, in frames
//! and in bytes, since a frame may be one byte or two mebibytes.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures::io::BufReader;
use futures::{AsyncRead, AsyncWrite, AsyncWriteExt};
use libp2p::swarm::Stream;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc, watch};
use tokio::time::Instant;

use super::client::{SendError, TrySendError};
use super::frames::{FRAME_BYTES_MAX, FrameError, check_length, put_frame, read_frame};
use super::{Lane, SessionId};
use crate::identity::keys::TransportKey;

/// Frames waiting on one lane to one peer.
const OUTBOUND_FRAMES_MAX: usize = 256;

/// Bytes waiting on one lane to one peer; two of the longest frames, so that one is written while one waits.
pub(super) const OUTBOUND_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX;

/// Frames received on one lane of all peers and not yet taken by the program.
pub(super) const INBOUND_FRAMES_MAX: usize = 256;

/// Their bytes. Each reader may hold one frame more.
pub(super) const INBOUND_BYTES_MAX: usize = 4 * FRAME_BYTES_MAX;

/// Frames are gathered up to about this many bytes a write.
const GATHERED_BYTES: usize = 128 * 1024;

/// Read buffer of a stream, in bytes; larger pieces are read past it.
const READ_BUFFER_BYTES: usize = 16 * 1024;

/// The sending ends of every session, by peer. The owner of the swarm fills it, every [`super::Network`] reads.
#[derive(Default)]
pub(super) struct LaneTable {
    senders: Mutex<HashMap<TransportKey, (SessionId, [LaneSender; 2])>>,
}

impl LaneTable {
    pub(super) fn insert(&self, peer: TransportKey, session: SessionId, senders: [LaneSender; 2]) {
        self.lock().insert(peer, (session, senders));
    }

    /// Takes a session's lanes out; who waits for room learns that the session is over.
    pub(super) fn remove(&self, peer: &TransportKey) {
        if let Some((_, senders)) = self.lock().remove(peer) {
            for sender in senders {
                sender.room.close();
            }
        }
    }

    pub(super) fn sender(&self, peer: &TransportKey, lane: Lane) -> Option<LaneSender> {
        self.lock().get(peer).map(|(_, senders)| senders[lane.index()].clone())
    }

    /// The lane of one session and no later one.
    pub(super) fn sender_of(&self, peer: &TransportKey, session: SessionId, lane: Lane) -> Option<LaneSender> {
        self.lock().get(peer).filter(|(now, _)| *now == session).map(|(_, senders)| senders[lane.index()].clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TransportKey, (SessionId, [LaneSender; 2])>> {
        // Nothing in here can panic while it holds the lock, and a map of senders cannot be half changed.
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A frame on its way out; its permits are the bytes it takes of the lane's room.
pub(super) struct Outbound {
    bytes: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

/// The program's end of an outbound lane.
#[derive(Clone)]
pub(super) struct LaneSender {
    frames: mpsc::Sender<Outbound>,
    room: Arc<Semaphore>,
    somebody_waits: Arc<AtomicBool>,
}

/// The writer's end of an outbound lane.
pub(super) struct LaneQueue {
    frames: mpsc::Receiver<Outbound>,
    room: Arc<Semaphore>,
    somebody_waits: Arc<AtomicBool>,
}

pub(super) fn outbound_lane() -> (LaneSender, LaneQueue) {
    let (sender, receiver) = mpsc::channel(OUTBOUND_FRAMES_MAX);
    let room = Arc::new(Semaphore::new(OUTBOUND_BYTES_MAX));
    let somebody_waits = Arc::new(AtomicBool::new(false));
    (
        LaneSender { frames: sender, room: room.clone(), somebody_waits: somebody_waits.clone() },
        LaneQueue { frames: receiver, room, somebody_waits },
    )
}

impl LaneSender {
    pub(super) async fn send(&self, bytes: Vec<u8>) -> Result<(), SendError> {
        check_length(bytes.len(), FRAME_BYTES_MAX)?;
        let room = self.room.clone().acquire_many_owned(bytes.len() as u32).await;
        let room = room.map_err(|_| SendError::NotConnected)?;
        let frame = Outbound { bytes, _room: room };
        self.frames.send(frame).await.map_err(|_| SendError::NotConnected)
    }

    pub(super) fn try_send(&self, bytes: Vec<u8>) -> Result<(), TrySendError> {
        check_length(bytes.len(), FRAME_BYTES_MAX).map_err(SendError::from)?;
        match self.try_once(bytes) {
            Err(TrySendError::Full(bytes)) => {
                // Said before looking once more: the writer that makes room looks for it afterwards.
                self.somebody_waits.store(true, Ordering::SeqCst);
                self.try_once(bytes)
            }
            result => result,
        }
    }

    fn try_once(&self, bytes: Vec<u8>) -> Result<(), TrySendError> {
        let room = match self.room.clone().try_acquire_many_owned(bytes.len() as u32) {
            Ok(room) => room,
            Err(TryAcquireError::Closed) => return Err(SendError::NotConnected.into()),
            Err(TryAcquireError::NoPermits) => return Err(TrySendError::Full(bytes)),
        };
        match self.frames.try_send(Outbound { bytes, _room: room }) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(frame)) => Err(TrySendError::Full(frame.bytes)),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(SendError::NotConnected.into()),
        }
    }
}

/// A frame that came in; its permits are the bytes it takes of the program's queue.
pub(super) struct Inbound {
    pub(super) peer: TransportKey,
    pub(super) session: SessionId,
    pub(super) lane: Lane,
    pub(super) bytes: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

/// The readers' end of the program's queues, one a lane.
#[derive(Clone)]
pub(super) struct InboundSink {
    queues: [mpsc::Sender<Inbound>; 2],
    room: [Arc<Semaphore>; 2],
}

pub(super) fn inbound_queues() -> (InboundSink, [mpsc::Receiver<Inbound>; 2]) {
    let (control, control_receiver) = mpsc::channel(INBOUND_FRAMES_MAX);
    let (bulk, bulk_receiver) = mpsc::channel(INBOUND_FRAMES_MAX);
    let room = [(); 2].map(|()| Arc::new(Semaphore::new(INBOUND_BYTES_MAX)));
    (InboundSink { queues: [control, bulk], room }, [control_receiver, bulk_receiver])
}

/// When a session was last heard.
pub(super) struct LastHeard {
    start: Instant,
    ms_after_start: AtomicU64,
}

impl LastHeard {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), ms_after_start: AtomicU64::new(0) })
    }

    fn now(&self) {
        let ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.ms_after_start.store(ms, Ordering::Relaxed);
    }

    pub(super) fn seconds_ago(&self) -> u64 {
        let ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        ms.saturating_sub(self.ms_after_start.load(Ordering::Relaxed)) / 1000
    }
}

/// What a reader needs to know about its lane.
pub(super) struct Reader {
    pub(super) peer: TransportKey,
    pub(super) session: SessionId,
    pub(super) lane: Lane,
    pub(super) sink: InboundSink,
    /// Becomes true when the program has been told of the session.
    pub(super) announced: watch::Receiver<bool>,
    pub(super) heard: Arc<LastHeard>,
}

impl Reader {
    /// Reads frames until the peer ends the stream, breaks the rules, or the program goes away.
    pub(super) async fn run(mut self, stream: Stream) -> Result<(), FrameError> {
        let heard = Noting { inner: stream, heard: self.heard.clone() };
        let mut stream = BufReader::with_capacity(READ_BUFFER_BYTES, heard);
        let lane = self.lane.index();
        if self.announced.wait_for(|announced| *announced).await.is_err() {
            return Ok(()); // the session ended before anybody was told of it
        }
        while let Some(bytes) = read_frame(&mut stream, FRAME_BYTES_MAX).await? {
            // A frame is at most FRAME_BYTES_MAX, which fits in u32.
            let room = self.sink.room[lane].clone().acquire_many_owned(bytes.len() as u32).await;
            let Ok(room) = room else { return Ok(()) };
            let (peer, session, lane) = (self.peer, self.session, self.lane);
            let frame = Inbound { peer, session, lane, bytes, _room: room };
            if self.sink.queues[lane.index()].send(frame).await.is_err() {
                return Ok(()); // the program no longer listens
            }
        }
        Ok(())
    }
}

/// Writes a lane's frames until its senders are gone, then ends the stream.
pub(super) async fn write_lane(
    stream: Stream,
    mut queue: LaneQueue,
    peer: TransportKey,
    lane: Lane,
    writable: Arc<WritableLanes>,
    heard: Arc<LastHeard>,
) -> io::Result<()> {
    let mut stream = Noting { inner: stream, heard };
    let mut gathered = Vec::with_capacity(GATHERED_BYTES);
    while let Some(frame) = queue.frames.recv().await {
        put_frame(&mut gathered, &frame.bytes);
        let mut held = vec![frame];
        while gathered.len() < GATHERED_BYTES {
            let Ok(frame) = queue.frames.try_recv() else { break };
            put_frame(&mut gathered, &frame.bytes);
            held.push(frame);
        }
        stream.write_all(&gathered).await?;
        gathered.clear();
        gathered.shrink_to(2 * GATHERED_BYTES);
        drop(held);
        if queue.frames.is_empty() {
            stream.flush().await?;
        }
        let half_empty = queue.room.available_permits() >= OUTBOUND_BYTES_MAX / 2;
        if half_empty && queue.somebody_waits.swap(false, Ordering::SeqCst) {
            writable.add(peer, lane);
        }
    }
    stream.close().await
}

/// Lanes that have room again: a set, so it needs no queue and can neither block a writer nor lose a lane.
#[derive(Default)]
pub(super) struct WritableLanes {
    state: Mutex<(BTreeSet<(TransportKey, Lane)>, bool)>,
    changed: Notify,
}

impl WritableLanes {
    fn add(&self, peer: TransportKey, lane: Lane) {
        self.lock().0.insert((peer, lane));
        self.changed.notify_one();
    }

    pub(super) fn close(&self) {
        self.lock().1 = true;
        self.changed.notify_one();
    }

    /// The next lane with room, or `None` after [`Self::close`].
    pub(super) async fn next(&self) -> Option<(TransportKey, Lane)> {
        loop {
            {
                let mut state = self.lock();
                if let Some(lane) = state.0.pop_first() {
                    return Some(lane);
                }
                if state.1 {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, (BTreeSet<(TransportKey, Lane)>, bool)> {
        // Nothing in here can panic while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream that notes when something moved: a slow link may take minutes for one frame and is alive all the time.
/// Writing counts too, since it moves on only while the peer reads and grants credit.
struct Noting {
    inner: Stream,
    heard: Arc<LastHeard>,
}

impl AsyncRead for Noting {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        if matches!(read, Poll::Ready(Ok(1..))) {
            self.heard.now();
        }
        read
    }
}

impl AsyncWrite for Noting {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.heard.now();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lane_takes_no_more_bytes_than_it_has_room_for() {
        let (sender, mut queue) = outbound_lane();
        assert!(sender.try_send(vec![0; FRAME_BYTES_MAX]).is_ok());
        assert!(sender.try_send(vec![0; FRAME_BYTES_MAX]).is_ok());
        assert!(matches!(sender.try_send(vec![7]), Err(TrySendError::Full(bytes)) if bytes == [7]));
        assert!(sender.somebody_waits.load(Ordering::SeqCst));
        drop(queue.frames.recv().await);
        assert!(sender.try_send(vec![7]).is_ok());
    }

    #[tokio::test]
    async fn a_lane_takes_no_more_frames_than_it_has_room_for() {
        let (sender, _queue) = outbound_lane();
        let taken = (0..1000).take_while(|_| sender.try_send(vec![1]).is_ok()).count();
        assert_eq!(taken, OUTBOUND_FRAMES_MAX);
    }

    #[tokio::test]
    async fn frames_of_impossible_length_are_refused_by_the_sender() {
        let (sender, _queue) = outbound_lane();
        for (bytes, error) in [
            (Vec::new(), FrameError::Empty),
            (
                vec![0; FRAME_BYTES_MAX + 1],
                FrameError::TooLong { bytes: FRAME_BYTES_MAX + 1, bytes_max: FRAME_BYTES_MAX },
            ),
        ] {
            assert_eq!(sender.send(bytes.clone()).await, Err(SendError::BadFrame(error.clone())));
            assert!(matches!(sender.try_send(bytes), Err(TrySendError::Failed(SendError::BadFrame(e))) if e == error));
        }
    }

    #[tokio::test]
    async fn who_waits_for_room_learns_that_the_session_is_over() {
        let table = LaneTable::default();
        let peer = TransportKey([1; 32]);
        let ((control, _control_queue), (bulk, _bulk_queue)) = (outbound_lane(), outbound_lane());
        table.insert(peer, SessionId(1), [control, bulk]);
        let sender = table.sender(&peer, Lane::Bulk).unwrap();
        sender.send(vec![0; FRAME_BYTES_MAX]).await.unwrap();
        sender.send(vec![0; FRAME_BYTES_MAX]).await.unwrap();
        let waiting = tokio::spawn(async move { sender.send(vec![0]).await });
        tokio::task::yield_now().await;
        table.remove(&peer);
        assert_eq!(waiting.await.unwrap(), Err(SendError::NotConnected));
        assert!(table.sender(&peer, Lane::Bulk).is_none());
    }
}
