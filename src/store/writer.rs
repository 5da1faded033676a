//! The one thread that writes: group commit.
//!
//! A durable commit costs an fsync, about 4 ms, whatever it holds. So batches that arrive while one commit is
//! under way wait together and become the next commit: callers pay for one fsync, not for their place in a
//! queue. If a commit of several batches fails, each is tried alone, so that one that does not fit the disk does
//! not take the others with it.
//!
//! The queue is bounded: blocking callers wait for room in it, asynchronous ones for a permit.

use std::collections::VecDeque;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, oneshot};

use super::batch::SealedBatch;
use super::error::StoreError;

/// Batches that may wait for blocking callers, and as many again for asynchronous ones.
pub(super) const WAITING_BATCHES_MAX: usize = 64;

/// Chunk bytes after which a commit takes no further batch, so that the first ones are answered in time.
const COMMIT_CHUNK_BYTES_MAX: usize = 64 * 1024 * 1024;

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
    closed: bool,
}

struct Job {
    batch: SealedBatch,
    answer: Answer,
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
            permits: Arc::new(Semaphore::new(WAITING_BATCHES_MAX)),
        }
    }

    /// Hands a batch over and waits for its answer, both by blocking this thread.
    pub(super) fn commit(&self, batch: SealedBatch) -> Result<(), StoreError> {
        let (answer, receiver) = sync_channel(1);
        let mut waiting = self.lock();
        while waiting.jobs.len() >= WAITING_BATCHES_MAX && !waiting.closed {
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        self.push(waiting, Job { batch, answer: Answer::Blocking(answer) })?;
        receiver.recv().unwrap_or(Err(StoreError::Closed))
    }

    /// Hands a batch over and waits for its answer. Once handed over it is written, whether or not anybody waits.
    pub(super) async fn commit_async(&self, batch: SealedBatch) -> Result<(), StoreError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let (answer, receiver) = oneshot::channel();
        self.push(self.lock(), Job { batch, answer: Answer::Async(answer) })?;
        let result = receiver.await.unwrap_or(Err(StoreError::Closed));
        drop(permit);
        result
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
        let mut chunk_bytes = 0usize;
        while let Some(job) = waiting.jobs.pop_front() {
            chunk_bytes = chunk_bytes.saturating_add(job.batch.chunk_bytes());
            if !jobs.is_empty() && chunk_bytes > COMMIT_CHUNK_BYTES_MAX {
                waiting.jobs.push_front(job);
                break;
            }
            jobs.push(job);
        }
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
    use crate::store::batch::Batch;

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
