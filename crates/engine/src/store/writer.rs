//! Group commit: one writer for the process.
//!
//! While one transaction is on its way to the disk, the steps that arrive wait; the next transaction takes
//! all of them. Nobody is answered before the commit, and a commit that did not come back answers nobody
//! with a yes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use countersign_core::id::ProposalId;
use countersign_core::limits::{WRITER_BATCH_MAX, WRITER_QUEUE_MAX};
use countersign_core::refusal::Refusal;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::Change;
use super::batch::{BatchError, Batcher, Fate};
use super::desk::Desk;
use super::rows::Write;
use crate::fault::{Fault, Stop};

/// Seconds after which a caller who found the queue full should come back.
const RETRY_AFTER_S: u32 = 1;

#[derive(Debug)]
struct Work {
    write: Write,
    reply: oneshot::Sender<Result<(), Stop>>,
}

#[derive(Debug)]
enum Message {
    Work(Work),
    /// Finish what is queued and take no more.
    Close,
}

/// The way to the writer.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Message>,
    ended: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the writer. It ends when this handle is dropped or closed, after it has written what waits.
    pub(super) fn start(desk: &Arc<Desk>, shard: i64, changes: broadcast::Sender<Change>) -> Self {
        let (queue, arriving) = mpsc::channel(WRITER_QUEUE_MAX);
        let side = Desktop { batcher: Batcher::new(Arc::clone(desk), shard), changes };
        Self { queue, ended: Mutex::new(Some(desk.spawn(side.run(arriving)))) }
    }

    /// Hands a write over and waits until it is durable. A full queue refuses at once with `busy`, unless
    /// the caller is patient and waits for a place.
    pub(super) async fn submit(&self, write: Write, patient: bool) -> Result<(), Stop> {
        let closed = || Fault::new("record a step", "the store is closed");
        let place = if patient {
            self.queue.reserve().await.map_err(|_| closed())?
        } else {
            match self.queue.try_reserve() {
                Ok(place) => place,
                Err(mpsc::error::TrySendError::Full(())) => {
                    return Err(Refusal::Busy { retry_after_s: RETRY_AFTER_S }.into());
                }
                Err(mpsc::error::TrySendError::Closed(())) => return Err(closed().into()),
            }
        };
        let (reply, answer) = oneshot::channel();
        place.send(Message::Work(Work { write, reply }));
        match answer.await {
            Ok(result) => result,
            Err(_) => Err(closed().into()),
        }
    }

    /// Writes what waits and ends.
    pub(super) async fn close(&self) {
        // An error means that it has ended already.
        let _ = self.queue.send(Message::Close).await;
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ended) = ended
            && let Err(error) = ended.await
        {
            tracing::error!(%error, "the writer did not end in good order");
        }
    }
}

/// The writer's own side.
struct Desktop {
    batcher: Batcher,
    changes: broadcast::Sender<Change>,
}

impl Desktop {
    async fn run(mut self, mut arriving: mpsc::Receiver<Message>) {
        let mut kept: Vec<Work> = Vec::new();
        let mut messages = Vec::new();
        loop {
            let room = WRITER_BATCH_MAX.saturating_sub(kept.len()).max(1);
            if kept.is_empty() && arriving.recv_many(&mut messages, room).await == 0 {
                return;
            }
            let mut works = std::mem::take(&mut kept);
            for message in messages.drain(..) {
                match message {
                    Message::Work(work) => works.push(work),
                    Message::Close => arriving.close(),
                }
            }
            let (now, later) = split(works);
            kept = later;
            self.batch(now).await;
        }
    }

    async fn batch(&mut self, works: Vec<Work>) {
        let writes: Vec<&Write> = works.iter().map(|w| &w.write).collect();
        match self.batcher.write(&writes).await {
            Ok(fates) => {
                for (work, fate) in works.into_iter().zip(fates) {
                    self.answer(work, fate);
                }
            }
            // One step that the database cannot take must not take the others with it.
            Err(BatchError::Undone(error)) if works.len() > 1 && error.is_about_a_row() => {
                for work in works {
                    match self.batcher.write(&[&work.write]).await {
                        Ok(fates) => self.answer(work, fates.first().copied().unwrap_or(Fate::Lost)),
                        Err(error) => refuse_all(vec![work], error),
                    }
                }
            }
            Err(error) => refuse_all(works, error),
        }
    }

    /// Tells everybody who watches, then the one who waits.
    fn answer(&self, work: Work, fate: Fate) {
        let result = match fate {
            Fate::Written => {
                if let Some(change) = work.write.change() {
                    // Nobody may be watching.
                    let _ = self.changes.send(change);
                }
                Ok(())
            }
            Fate::Lost => Err(Stop::Refused(lost(&work.write))),
        };
        // The caller may have given up; what is written stays written.
        let _ = work.reply.send(result);
    }
}

fn lost(write: &Write) -> Refusal {
    match write {
        Write::Open(opening) if opening.idem_key.is_some() => Refusal::IdempotencyKeyInProgress,
        Write::Open(opening) => Refusal::Conflict { id: opening.change.proposal },
        Write::Move(moving) => Refusal::Conflict { id: moving.change.proposal },
        // A note has no guard, so it cannot lose.
        Write::Note(_) => Refusal::Busy { retry_after_s: RETRY_AFTER_S },
    }
}

/// Keeps back a second move of a proposal that starts from another version than the first: whether it
/// wins depends on what becomes of the first.
fn split(works: Vec<Work>) -> (Vec<Work>, Vec<Work>) {
    let mut first: HashMap<ProposalId, i64> = HashMap::new();
    works.into_iter().partition(|work| match &work.write {
        Write::Move(moving) => {
            *first.entry(moving.change.proposal).or_insert(moving.from_version) == moving.from_version
        }
        Write::Open(_) | Write::Note(_) => true,
    })
}

fn refuse_all(works: Vec<Work>, error: BatchError) {
    let (doing, error) = match error {
        BatchError::Undone(error) => ("record a step", error),
        BatchError::InDoubt(error) => ("learn whether a step was recorded", error),
    };
    tracing::error!(%error, steps = works.len(), "failed to {doing}");
    let error = Arc::new(error);
    for work in works {
        let _ = work.reply.send(Err(Fault::new(doing, Arc::clone(&error)).into()));
    }
}
