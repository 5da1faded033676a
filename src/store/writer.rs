//! The one thread that writes: group commit.
//!
//! A durable commit costs an fsync, about 4 ms, whatever it holds. So batches that arrive while one commit is
//! under way wait together and become the next commit: callers pay for one fsync, not for their place in a
//! queue. If a commit of several batches fails, each is tried alone, so that one that does not fit the disk does
//! not take the others with it.
//!
//! The queue is bounded in batches and in bytes: blocking callers wait for room in it, asynchronous ones for
//! permits, one for each KiB.

use std::collections::VecDeque;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::batch::SealedBatch;
use super::error::StoreError;

/// Batches that may wait for blocking callers, and as many again for asynchronous ones.
pub(super) const WAITING_BATCHES_MAX: usize = 64;

/// Bytes that may wait for blocking callers, and as many again for asynchronous ones.
const WAITING_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Bytes after which a commit takes no further batch, so that nobody waits long behind a study.
const COMMIT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes one permit of an asynchronous caller stands for.
const PERMIT_BYTES: usize = 1024;

/// Fewest permits a batch takes: so many that not more than [`WAITING_BATCHES_MAX`] wait.
const BATCH_PERMITS_MIN: usize = WAITING_BYTES_MAX / PERMIT_BYTES / WAITING_BATCHES_MAX;

/// How a caller waits for the result of its batch.
enum Answer {
    Blocking(SyncSender<Result<(), StoreError>>),
    Async(oneshot::Sender<Result<(), StoreError>>),
}

/// Batches on their way to the writer.
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    permits: Arc<Semaphore>,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    bytes: usize,
    closed: bool,
}

struct Job {
    batch: SealedBatch,
    answer: Answer,
    /// Of an asynchronous caller: given back when the job is done, even if the caller has gone.
    _permits: Option<OwnedSemaphorePermit>,
}

impl Waiting {
    /// One batch always has room, however large, or it would wait for ever.
    fn has_room(&self, bytes: usize) -> bool {
        self.jobs.is_empty()
            || (self.jobs.len() < WAITING_BATCHES_MAX && self.bytes.saturating_add(bytes) <= WAITING_BYTES_MAX)
    }
}

impl Answer {
    fn send(self, result: Result<(), StoreError>) {
        // Who no longer waits has lost interest in the answer, not in the data.
        match self {
            Self::Blocking(sender) => drop(sender.send(result)),
            Self::Async(sender) => drop(sender.send(result)),
        }
    }
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            waiting: Mutex::new(Waiting::default()),
            changed: Condvar::new(),
            permits: Arc::new(Semaphore::new(WAITING_BYTES_MAX / PERMIT_BYTES)),
        }
    }

    /// Hands a batch over and waits for its answer, both by blocking this thread.
    pub(super) fn commit(&self, batch: SealedBatch) -> Result<(), StoreError> {
        let (answer, receiver) = sync_channel(1);
        let mut waiting = self.lock();
        while !waiting.closed && !waiting.has_room(batch.bytes()) {
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        self.push(waiting, Job { batch, answer: Answer::Blocking(answer), _permits: None })?;
        receiver.recv().unwrap_or(Err(StoreError::Closed))
    }

    /// Hands a batch over and waits for its answer. Once handed over it is written, whether or not anybody waits.
    pub(super) async fn commit_async(&self, batch: SealedBatch) -> Result<(), StoreError> {
        let permits = (batch.bytes() / PERMIT_BYTES).clamp(BATCH_PERMITS_MIN, WAITING_BYTES_MAX / PERMIT_BYTES) as u32;
        let permits = Arc::clone(&self.permits).acquire_many_owned(permits).await.map_err(|_| StoreError::Closed)?;
        let (answer, receiver) = oneshot::channel();
        self.push(self.lock(), Job { batch, answer: Answer::Async(answer), _permits: Some(permits) })?;
        receiver.await.unwrap_or(Err(StoreError::Closed))
    }

    /// No batch is taken any more; those that wait are still written.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.permits.close();
        self.changed.notify_all();
    }

    fn push(&self, mut waiting: MutexGuard<'_, Waiting>, job: Job) -> Result<(), StoreError> {
        if waiting.closed {
            return Err(StoreError::Closed);
        }
        waiting.bytes = waiting.bytes.saturating_add(job.batch.bytes());
        waiting.jobs.push_back(job);
        self.changed.notify_all();
        Ok(())
    }

    /// The batches of the next commit, as soon as there are any; `None` when closed and empty.
    fn next(&self) -> Option<Vec<Job>> {
        let mut waiting = self.lock();
        while waiting.jobs.is_empty() {
            if waiting.closed {
                return None;
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let mut jobs = Vec::new();
        let mut bytes = 0usize;
        while let Some(job) = waiting.jobs.pop_front() {
            let with_job = bytes.saturating_add(job.batch.bytes());
            if !jobs.is_empty() && with_job > COMMIT_BYTES_MAX {
                waiting.jobs.push_front(job);
                break;
            }
            bytes = with_job;
            jobs.push(job);
        }
        waiting.bytes = waiting.bytes.saturating_sub(bytes);
        self.changed.notify_all();
        Some(jobs)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes what the queue brings until it is closed and empty. `write` makes batches durable together.
pub(super) fn run(queue: &Queue, mut write: impl FnMut(&[&SealedBatch]) -> Result<(), StoreError>) {
    // If this thread ends for whatever reason, nobody may wait for it.
    let _close = CloseOnDrop(queue);
    while let Some(jobs) = queue.next() {
        let batches: Vec<&SealedBatch> = jobs.iter().map(|job| &job.batch).collect();
        let results: Vec<Result<(), StoreError>> = match write(&batches) {
            Ok(()) => batches.iter().map(|_| Ok(())).collect(),
            Err(error) if batches.len() == 1 => vec![Err(error)],
            Err(_) => batches.iter().map(|batch| write(&[batch])).collect(),
        };
        for (job, result) in jobs.into_iter().zip(results) {
            job.answer.send(result);
        }
    }
}

struct CloseOnDrop<'q>(&'q Queue);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close();
        self.0.lock().jobs.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::encoding::id::ChunkId;
    use crate::seal::chunk::CHUNK_BYTES_MAX;
    use crate::store::batch::{Batch, ChunkGroup, VerifiedChunk};

    fn batch(number: u8) -> SealedBatch {
        let mut batch = Batch::new();
        batch.forget_chunk(ChunkId([number; 32]));
        batch.seal(None).unwrap()
    }

    #[test]
    fn batches_that_wait_share_one_commit() {
        let queue = Queue::new();
        let mut commits = Vec::new();
        thread::scope(|scope| {
            let callers: Vec<_> = (0..10)
                .map(|number| {
                    scope.spawn({
                        let queue = &queue;
                        move || queue.commit(batch(number))
                    })
                })
                .collect();
            while queue.lock().jobs.len() < 10 {
                thread::yield_now();
            }
            queue.close();
            run(&queue, |batches| {
                commits.push(batches.len());
                Ok(())
            });
            assert!(callers.into_iter().all(|caller| caller.join().unwrap().is_ok()));
        });
        assert_eq!(commits, [10]);
    }

    #[test]
    fn a_batch_that_fails_does_not_take_the_others_with_it() {
        let queue = Queue::new();
        thread::scope(|scope| {
            let callers: Vec<_> = (0..4)
                .map(|number| {
                    scope.spawn({
                        let queue = &queue;
                        move || queue.commit(batch(number))
                    })
                })
                .collect();
            while queue.lock().jobs.len() < 4 {
                thread::yield_now();
            }
            queue.close();
            let is_third = |batch: &SealedBatch| matches!(batch.operations[0], super::super::batch::Operation::ForgetChunk(id) if id.0[0] == 2);
            run(&queue, |batches| if batches.iter().any(|b| is_third(b)) { Err(StoreError::Full) } else { Ok(()) });
            let results: Vec<bool> = callers.into_iter().map(|caller| caller.join().unwrap().is_ok()).collect();
            assert_eq!(results, [true, true, false, true]);
        });
    }

    #[test]
    fn nobody_waits_for_a_writer_that_has_ended() {
        let queue = Queue::new();
        thread::scope(|scope| {
            let caller = scope.spawn(|| queue.commit(batch(0)));
            let writer = scope.spawn(|| run(&queue, |_| panic!("the writer dies")));
            assert!(writer.join().is_err());
            assert!(matches!(caller.join().unwrap(), Err(StoreError::Closed)));
        });
        assert!(matches!(queue.commit(batch(1)), Err(StoreError::Closed)));
        let later = futures::executor::block_on(queue.commit_async(batch(2)));
        assert!(matches!(later, Err(StoreError::Closed)));
    }

    #[test]
    fn a_commit_takes_no_more_bytes_than_its_share() {
        let sealed = vec![0; CHUNK_BYTES_MAX];
        let chunk = VerifiedChunk::sealed_here(ChunkId::of(&sealed), sealed);
        let large = || {
            let mut batch = Batch::new();
            batch.put_chunks(ChunkGroup([0; 32]), vec![chunk.clone(); COMMIT_BYTES_MAX / CHUNK_BYTES_MAX / 2]);
            batch.seal(None).unwrap()
        };
        let queue = Queue::new();
        let mut commits = Vec::new();
        thread::scope(|scope| {
            for _ in 0..5 {
                let (queue, batch) = (&queue, large());
                scope.spawn(move || queue.commit(batch));
            }
            while queue.lock().jobs.len() < WAITING_BYTES_MAX / (COMMIT_BYTES_MAX / 2) {
                thread::yield_now();
            }
            assert_eq!(queue.lock().jobs.len(), 4, "the fifth waits for room");
            scope.spawn(|| {
                run(&queue, |batches| {
                    commits.push(batches.len());
                    if commits.iter().sum::<usize>() == 5 {
                        queue.close();
                    }
                    Ok(())
                });
            });
        });
        assert!(commits.iter().all(|batches| *batches <= 2), "{commits:?}");
        assert_eq!(queue.lock().bytes, 0);
    }

    #[test]
    fn asynchronous_callers_are_bounded_and_a_caller_that_goes_away_is_written_all_the_same() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let queue = Arc::new(Queue::new());
        let mut written = 0;
        runtime.block_on(async {
            let callers: Vec<_> = (0..WAITING_BATCHES_MAX as u8 + 5)
                .map(|number| {
                    let queue = Arc::clone(&queue);
                    tokio::spawn(async move { queue.commit_async(batch(number)).await })
                })
                .collect();
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            assert_eq!(queue.lock().jobs.len(), WAITING_BATCHES_MAX);
            callers.iter().for_each(|caller| caller.abort());
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            assert_eq!(queue.permits.available_permits(), 0, "what waits to be written still takes room");
        });
        queue.close();
        run(&queue, |batches| {
            written += batches.len();
            Ok(())
        });
        assert_eq!(written, WAITING_BATCHES_MAX);
        assert_eq!(queue.permits.available_permits(), WAITING_BYTES_MAX / PERMIT_BYTES);
    }

    #[test]
    fn waiting_batches_are_bounded() {
        let queue = Queue::new();
        thread::scope(|scope| {
            for number in 0..WAITING_BATCHES_MAX as u8 + 5 {
                let queue = &queue;
                scope.spawn(move || queue.commit(batch(number)));
            }
            while queue.lock().jobs.len() < WAITING_BATCHES_MAX {
                thread::yield_now();
            }
            assert_eq!(queue.lock().jobs.len(), WAITING_BATCHES_MAX);
            scope.spawn(|| run(&queue, |_| Ok(())));
            while !queue.lock().jobs.is_empty() {
                thread::yield_now();
            }
            queue.close();
        });
    }
}
