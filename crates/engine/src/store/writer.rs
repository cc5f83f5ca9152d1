//! Group commit: one transaction at a time for the process.
//!
//! While one transaction is on its way to the disk, the steps that arrive wait; the next transaction takes
//! all of them. Nobody is answered before the commit, and a commit that did not come back answers nobody
//! with a yes: on PostgreSQL the same steps are offered again until it is known whether they are there.
//!
//! On SQLite a caller who is alone commits itself, without a change of thread; everything else is committed by the
//! writer's thread. While the disk is slow nobody commits itself, because a runtime's thread would wait for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use countersign_core::id::ProposalId;
use countersign_core::limits::{self, DOUBT_WITHIN, WRITER_BATCH_MAX, WRITER_QUEUE_MAX};
use countersign_core::refusal::Refusal;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Mutex as AsyncMutex, Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::admit::NotAdmitted;
use super::batch::{BatchError, Batcher, Fate, Offer};
use super::changes::Changes;
use super::desk::Desk;
use super::error::Error;
use super::rows::Write;
use crate::bulkhead::{Bulkhead, Place, Sizes};
use crate::fault::{Fault, Stop};
use crate::metrics::Metrics;
use crate::party::Party;
use crate::weaken::weakened;

/// While the last transaction took longer than this, commits are left to the writer's thread.
const SLOW_COMMIT: Duration = Duration::from_millis(5);
/// Seconds after which a caller who found the queue full should come back.
const RETRY_AFTER_S: u32 = 1;

/// Places in the queue. The gate itself has what the others leave, and at least 64: outcomes and deadlines.
const QUEUE: Sizes = Sizes {
    agents: limits::WRITER_QUEUE_OF_AGENTS_MAX,
    one_agent: limits::WRITER_QUEUE_PER_AGENT_MAX,
    people: limits::WRITER_QUEUE_OF_PEOPLE_MAX,
    one_person: limits::WRITER_QUEUE_PER_PERSON_MAX,
    gate: WRITER_QUEUE_MAX,
};
/// Between two offers of steps whose commit did not come back.
const DOUBT_PAUSE: Duration = Duration::from_millis(200);

/// What a write came to.
#[derive(Debug)]
pub(super) enum Done {
    /// It is durable; when it was handed to the database, by the monotonic clock.
    Written(Duration),
    /// The request got this proposal.
    Joined(ProposalId),
    /// There is nothing to join any more.
    Gone,
    /// Its dispatch may not be recorded, and nothing was.
    NotAdmitted(NotAdmitted),
}

#[derive(Debug)]
struct Queued {
    write: Write,
    reply: oneshot::Sender<Result<Done, Stop>>,
}

/// The way to the writer.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Queued>,
    /// Who may be in the queue, and in the transaction that is being written.
    places: Bulkhead,
    shared: Arc<Shared>,
    ended: Mutex<Option<JoinHandle<()>>>,
}

/// What those who write have in common.
#[derive(Debug)]
struct Shared {
    /// Whoever has the turn writes.
    side: AsyncMutex<BatchState>,
    /// Something waits that nobody writes.
    waiting: Notify,
    /// Finish what waits and end.
    closing: AtomicBool,
    /// Whether a caller may commit itself: on a file, which writing blocks the thread for.
    inline: bool,
    /// Callers whose write is not answered yet.
    submitting: AtomicUsize,
    /// Whether the last transaction was slow.
    slow: AtomicBool,
}

/// Counts a caller for as long as it waits.
struct Submitting<'a>(&'a AtomicUsize);

impl<'a> Submitting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Submitting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Writer {
    /// Starts the writer. It ends when this handle is dropped or closed, after it has written what waits.
    pub(super) fn start(desk: &Arc<Desk>, batcher: Batcher, changes: Changes, metrics: Metrics) -> Self {
        let (queue, arriving) = mpsc::channel(WRITER_QUEUE_MAX);
        let may_ask_again = !desk.target().is_file();
        let side = BatchState { batcher, changes, metrics, arriving, kept: Vec::new(), may_ask_again };
        let shared = Arc::new(Shared {
            side: AsyncMutex::new(side),
            waiting: Notify::new(),
            closing: AtomicBool::new(false),
            inline: desk.target().is_file(),
            submitting: AtomicUsize::new(0),
            slow: AtomicBool::new(false),
        });
        let ended = Mutex::new(Some(desk.spawn(write_what_waits(Arc::clone(&shared)))));
        Self { queue, places: Bulkhead::new(QUEUE), shared, ended }
    }

    /// Hands a write over and waits until it is durable. A full queue refuses with `busy`, unless the caller is
    /// patient and waits for a place. Who has used their own share up waits a while, behind themselves.
    pub(super) async fn submit(&self, write: Write, patient: bool) -> Result<Done, Stop> {
        let closed = || Fault::new("record a step", "the store is closed");
        let party = Party::current();
        let _place = match self.places.try_take(&party) {
            Ok(place) => place,
            Err(_) if patient => self.places.take(&party).await.ok_or_else(closed)?,
            Err(_) => self.place_within(&party).await?,
        };
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
        let _counted = Submitting::new(&self.shared.submitting);
        place.send(Queued { write, reply });
        self.shared.commit_inline_if_alone();
        // Whoever took the step and did not answer may have written it.
        answer.await.unwrap_or_else(|_| Err(closed().in_doubt().into()))
    }

    /// A place in the queue for this party, if one is free before long.
    async fn place_within(&self, party: &Party) -> Result<Place, Refusal> {
        let busy = Refusal::Busy { retry_after_s: RETRY_AFTER_S };
        let waited = tokio::time::timeout(limits::WRITER_PLACE_WITHIN, self.places.take(party)).await;
        waited.ok().flatten().ok_or(busy)
    }

    /// Writes what waits and ends.
    pub(super) async fn close(&self) {
        self.shared.close();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ended) = ended
            && let Err(error) = ended.await
        {
            tracing::error!(%error, "the writer did not end in good order");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Shared {
    fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.waiting.notify_one();
    }

    /// Writes what waits, when nobody else asks for a write and this thread may block; else leaves it to the
    /// writer's thread.
    fn commit_inline_if_alone(&self) {
        let may_block =
            || Handle::try_current().is_ok_and(|h| h.runtime_flavor() == RuntimeFlavor::MultiThread);
        let alone = self.inline
            && self.submitting.load(Ordering::Acquire) == 1
            && !self.slow.load(Ordering::Relaxed)
            && may_block();
        let turn = if alone { self.side.try_lock().ok() } else { None };
        if let Some(mut side) = turn {
            if side.collect() {
                tokio::task::block_in_place(|| Handle::current().block_on(self.timed(&mut side)));
            }
            // What came after this look found the turn taken, and has called the writer's thread itself.
            if side.is_empty() {
                return;
            }
        }
        self.waiting.notify_one();
    }

    /// One transaction, and how the disk does.
    async fn timed(&self, side: &mut BatchState) {
        let began = Instant::now();
        side.batch().await;
        self.slow.store(began.elapsed() > SLOW_COMMIT, Ordering::Relaxed);
    }
}

/// The writer's thread: one batch after another while there are any.
async fn write_what_waits(shared: Arc<Shared>) {
    loop {
        shared.waiting.notified().await;
        let mut side = shared.side.lock().await;
        let closing = shared.closing.load(Ordering::Acquire);
        if closing {
            side.arriving.close();
        }
        while side.collect() || (closing && side.wait().await) {
            shared.timed(&mut side).await;
        }
        if closing {
            return;
        }
    }
}

/// What it takes to write.
#[derive(Debug)]
struct BatchState {
    batcher: Batcher,
    changes: Changes,
    metrics: Metrics,
    arriving: mpsc::Receiver<Queued>,
    /// What is written next.
    kept: Vec<Queued>,
    /// Whether a commit that did not come back can be asked for: a server knows, a broken file does not.
    may_ask_again: bool,
}

impl BatchState {
    fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.arriving.is_empty()
    }

    /// Takes what waits. False when there is nothing.
    fn collect(&mut self) -> bool {
        while self.kept.len() < WRITER_BATCH_MAX
            && let Ok(work) = self.arriving.try_recv()
        {
            self.kept.push(work);
        }
        !self.kept.is_empty()
    }

    /// Waits for who has a place in a closed queue but has not sent yet. False when nobody has.
    async fn wait(&mut self) -> bool {
        let Some(work) = self.arriving.recv().await else { return false };
        self.kept.push(work);
        true
    }

    /// Writes what was taken, in one transaction.
    async fn batch(&mut self) {
        let (works, later) = split(std::mem::take(&mut self.kept));
        self.kept = later;
        let writes: Vec<&Write> = works.iter().map(|w| &w.write).collect();
        match self.batcher.write(&writes, Offer::First).await {
            Ok(fates) => {
                for (work, fate) in works.into_iter().zip(fates) {
                    self.answer(work, fate);
                }
            }
            // One step that the database cannot take must not take the others with it.
            Err(BatchError::Undone(error)) if works.len() > 1 && error.is_about_a_row() => {
                for work in works {
                    match self.batcher.write(&[&work.write], Offer::First).await {
                        Ok(fates) => self.answer(work, fates.first().cloned().unwrap_or(Fate::Lost)),
                        Err(error) => self.not_committed(vec![work], error).await,
                    }
                }
            }
            Err(error) => self.not_committed(works, error).await,
        }
    }

    async fn not_committed(&mut self, works: Vec<Queued>, error: BatchError) {
        match error {
            BatchError::Undone(error) => refuse_all(works, error),
            BatchError::InDoubt(error) if weakened("answer_in_doubt") => refuse_all(works, error),
            BatchError::InDoubt(error) => self.in_doubt(works, error).await,
        }
    }

    /// A commit did not come back. "Not found" alone would prove nothing while the old transaction may still
    /// commit: so the same rows are offered again, which waits for it, and then either writes them or finds them.
    async fn in_doubt(&mut self, works: Vec<Queued>, error: Error) {
        tracing::error!(%error, steps = works.len(), "a commit did not come back");
        let (began, offered_at) = (Instant::now(), self.batcher.offered_at());
        // Entries without a row of their own cannot be recognised again, so they are not offered twice.
        let (mut works, others): (Vec<Queued>, Vec<Queued>) =
            works.into_iter().partition(|work| work.write.row().is_some());
        doubt_all(others);
        while self.may_ask_again && !works.is_empty() && began.elapsed() < DOUBT_WITHIN {
            tokio::time::sleep(DOUBT_PAUSE).await;
            match self.offer_again(&works, offered_at).await {
                Ok(fates) => {
                    tracing::warn!(after = ?began.elapsed(), "a commit in doubt was cleared up");
                    for (work, fate) in works.into_iter().zip(fates) {
                        self.answer(work, fate);
                    }
                    return;
                }
                Err(BatchError::Undone(error) | BatchError::InDoubt(error)) => {
                    tracing::warn!(%error, "a commit is still in doubt");
                }
            }
        }
        doubt_all(std::mem::take(&mut works));
    }

    /// The same steps on a new connection. What is there already was written by the first offer, so the age of a
    /// grant that comes of it counts from then.
    async fn offer_again(&mut self, works: &[Queued], first: Duration) -> Result<Vec<Fate>, BatchError> {
        let writes: Vec<&Write> = works.iter().map(|w| &w.write).collect();
        let mut fates = self.batcher.write(&writes, Offer::Again).await?;
        let there = self.batcher.there(&writes).await?;
        for (fate, there) in fates.iter_mut().zip(there) {
            if there {
                *fate = Fate::Written(first);
            }
        }
        Ok(fates)
    }

    /// Tells everybody who watches, then the one who waits.
    fn answer(&self, work: Queued, fate: Fate) {
        let result = match fate {
            Fate::Written(at) => {
                if let Some(change) = work.write.change() {
                    match &work.write {
                        Write::Open(_) => self.metrics.opened_as(change.state),
                        Write::Move(_) => self.metrics.moved_to(change.state),
                        Write::Join(_) | Write::Note(_) => {}
                    }
                    self.changes.tell(change);
                }
                Ok(Done::Written(at))
            }
            Fate::Joined(id) => Ok(Done::Joined(id)),
            Fate::Gone => Ok(Done::Gone),
            Fate::NotAdmitted(why) => Ok(Done::NotAdmitted(why)),
            Fate::KeyTaken => Err(Stop::Refused(Refusal::IdempotencyKeyInProgress)),
            Fate::Lost => Err(Stop::Refused(lost(&work.write))),
        };
        // The caller may have given up; what is written stays written.
        let _ = work.reply.send(result);
    }
}

fn lost(write: &Write) -> Refusal {
    match write {
        Write::Open(opening) => Refusal::Conflict { id: opening.change.proposal },
        Write::Move(moving) => Refusal::Conflict { id: moving.change.proposal },
        // Neither has a guard that can lose.
        Write::Join(_) | Write::Note(_) => Refusal::Busy { retry_after_s: RETRY_AFTER_S },
    }
}

/// Keeps back a second move of a proposal that starts from another version than the first: whether it
/// wins depends on what becomes of the first.
fn split(works: Vec<Queued>) -> (Vec<Queued>, Vec<Queued>) {
    let mut first: HashMap<ProposalId, i64> = HashMap::new();
    works.into_iter().partition(|work| match &work.write {
        Write::Move(moving) => {
            *first.entry(moving.change.proposal).or_insert(moving.from_version) == moving.from_version
        }
        Write::Open(_) | Write::Join(_) | Write::Note(_) => true,
    })
}

/// Nothing of them was written.
fn refuse_all(works: Vec<Queued>, error: Error) {
    tracing::error!(%error, steps = works.len(), "failed to record steps");
    let error = Arc::new(error);
    for work in works {
        let _ = work.reply.send(Err(Fault::new("record a step", Arc::clone(&error)).into()));
    }
}

/// Nobody knows whether they were written: the answer names the proposal that it is about.
fn doubt_all(works: Vec<Queued>) {
    for work in works {
        let stop = match work.write.change() {
            Some(change) => Refusal::InDoubt { id: change.proposal }.into(),
            None => Fault::new("learn whether an entry was recorded", "the commit did not come back")
                .in_doubt()
                .into(),
        };
        let _ = work.reply.send(Err(stop));
    }
}
