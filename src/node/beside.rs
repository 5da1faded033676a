//! Work beside the node: what takes long gets a thread of its own, and the node takes over what comes of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::api::{Answer, Event, Failure, FailureCode, Progress, Reply};
use super::core::{Node, Step, Task};
use super::library::Control;
use super::link::Inner;

/// What the node does with the result of work beside it.
pub(super) type TakeOver = Box<dyn FnOnce(&mut Node) -> Result<Reply, Failure> + Send>;

impl Node {
    /// Runs work on a thread of its own. Its progress goes to the asker, its result is taken over by the node, which
    /// answers. If the asker leaves, the work is told to stop.
    pub fn run_beside<W>(&self, task: Task, work: W) -> Result<Step, Failure>
    where
        W: FnOnce(&Control<'_>) -> Result<TakeOver, Failure> + Send + 'static,
    {
        let inner = self.inner.clone();
        let Task { answers, mut replies, .. } = task;
        tokio::spawn(async move {
            let cancelled = Arc::new(AtomicBool::new(false));
            // A node that ends drops this task, and would wait for the thread.
            let _stopped = StopsWork(Arc::clone(&cancelled));
            let (flag, asker) = (Arc::clone(&cancelled), answers.clone());
            let mut working = tokio::task::spawn_blocking(move || {
                let progress = |progress: Progress| drop(asker.try_send(Answer::Event(Event::Progress(progress))));
                work(&Control { cancelled: &flag, progress: &progress, started: Instant::now() })
            });
            let worked = loop {
                tokio::select! {
                    worked = &mut working => break worked,
                    reply = replies.recv() => if reply.is_none() {
                        cancelled.store(true, Ordering::Relaxed);
                        break (&mut working).await;
                    },
                }
            };
            let take_over: TakeOver = match worked {
                Ok(Ok(take_over)) => take_over,
                Ok(Err(failure)) => Box::new(move |_| Err(failure)),
                Err(panic) => {
                    tracing::error!(%panic, "a task panicked");
                    Box::new(|_| {
                        Err(Failure::new(
                            FailureCode::Failed,
                            "A task of the node failed unexpectedly; nothing was changed.",
                        )
                        .hint("Repeat the command with -v and report what the log says."))
                    })
                }
            };
            let _ = inner.send(Inner::Finished(take_over, answers)).await;
        });
        Ok(Step::Later)
    }
}

/// Waits until nobody else writes studies.
pub(super) fn alone(writing: &Mutex<()>) -> MutexGuard<'_, ()> {
    // It guards no value that a panic could leave half made: the store has all of a batch or nothing.
    writing.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells work to stop when nobody waits for its result any more.
struct StopsWork(Arc<AtomicBool>);

impl Drop for StopsWork {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
