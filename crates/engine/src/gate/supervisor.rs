//! Owns everything that runs beside a request. A verb goes on without its caller, so a client that hangs up never
//! cancels a commit or a call half-way (T94). The number of verbs is bounded, for each agent and person and for all
//! of a kind, so that the verbs of one that hang leave room for the others.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use countersign_core::audit::{Actor, Entry, data};
use countersign_core::limits as maxima;
use countersign_core::refusal::Refusal;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use super::attended::Attended;
use super::limits::{AgentLimits, Limit, Limits};
use super::{Gate, GateInner, Parts};
use crate::bulkhead::{Bulkhead, Full, Sizes, places};
use crate::fault::{Fault, Stop};
use crate::party::Party;
use crate::store::Testimony;

/// Seconds after which an agent whose verbs are all under way should come back: one of them may have ended.
const VERB_AGAIN: Duration = Duration::from_secs(1);
/// Time at the end for calls under way, more than the longest may take.
const DRAIN_WITHIN: Duration = Duration::from_secs(150);
/// Time at the end for entries that are not integrated yet.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// Between two signs of life on PostgreSQL: several within the time after which a process counts as gone.
const RENEW: Duration = Duration::from_secs(2);
/// Between two looks at deadlines, and the longest a committed entry waits for its checkpoint.
const TICK: Duration = Duration::from_millis(500);

/// Bounded room for detached work.
#[derive(Debug)]
pub(super) struct Work {
    verbs: Bulkhead,
    sizes: Sizes,
}

impl Work {
    fn new(limits: &Limits) -> Self {
        let sizes = Sizes {
            agents: maxima::VERBS_OF_AGENTS_MAX,
            one_agent: places(limits.concurrent),
            people: maxima::VERBS_OF_PEOPLE_MAX,
            one_person: maxima::VERBS_PER_PERSON_MAX,
            gate: maxima::VERBS_OF_THE_GATE_MAX,
        };
        Self { verbs: Bulkhead::new(sizes), sizes }
    }

    /// Another number of verbs for each agent.
    pub(super) fn resize(&self, limits: &Limits) {
        self.verbs.resize(places(limits.concurrent), self.sizes.one_person);
    }
}

/// Ends the gate's background work in order.
#[derive(Debug)]
pub struct Supervisor {
    gate: Gate,
    stop: Arc<Notify>,
    tasks: Vec<JoinHandle<()>>,
}

impl Gate {
    /// Starts the gate: takes up what a former process left, then watches deadlines and keeps the log's head.
    #[expect(clippy::disallowed_methods, reason = "the supervisor owns tasks")]
    pub async fn start(parts: Parts) -> Result<(Self, Supervisor), Stop> {
        let Parts { world, store, ruleset, credentials, connector, log_key, witness, limits } = parts;
        let testimony = super::restore::recognise(&witness, &store).await?;
        let inner = GateInner {
            owner: format!("gate-{}", world.random_hex::<4>()),
            limits: AgentLimits::new(world.clone(), limits),
            streams: super::watch::Streams::new(&limits),
            ready: super::ready::LastAnswer::default(),
            gauges: super::gauges::LastGauges::default(),
            world,
            store,
            active: std::sync::RwLock::new(super::Active { ruleset: Arc::new(ruleset), credentials }),
            connector,
            log_key,
            witness,
            quota: super::quota::Quota::default(),
            slots: super::slots::Slots::new(),
            driven: super::driver::Driven::default(),
            doubts: super::doubt::Doubts::default(),
            refused_sign_ins: super::sign_in::RefusedSignIns::default(),
            work: Work::new(&limits),
        };
        let gate = Self(Arc::new(inner));
        gate.0.store.enter(&gate.0.owner).await?;
        gate.activate_at_start(&testimony).await?;
        gate.give_up_orphans().await?;
        let stop = Arc::new(Notify::new());
        let tasks = vec![
            tokio::spawn(gate.clone().watch_deadlines(Arc::clone(&stop), TICK)),
            tokio::spawn(gate.clone().keep_head(Arc::clone(&stop), TICK)),
            tokio::spawn(gate.clone().drive(Arc::clone(&stop))),
            tokio::spawn(gate.clone().stay_alive(Arc::clone(&stop), RENEW)),
            tokio::spawn(gate.clone().watch_limits(Arc::clone(&stop))),
        ];
        Ok((gate.clone(), Supervisor { gate, stop, tasks }))
    }

    /// Runs a verb of this party and waits for it. Dropping the wait does not stop the verb.
    pub(super) async fn detached<T: Send + 'static>(
        &self,
        party: Party,
        verb: impl Future<Output = Result<T, Stop>> + Send + 'static,
    ) -> Result<T, Stop> {
        let place = self.0.work.verbs.try_take(&party).map_err(|full| self.no_room(&party, full))?;
        let work = async move {
            let answer = party.serve(verb).await;
            drop(place);
            answer
        };
        // A verb that ended without an answer may have recorded something.
        Attended::new(work.in_current_span()).await.map_err(|e| Fault::new("finish a verb", e).in_doubt())?
    }

    /// Starts work that nobody waits for. False when there is no room for it now.
    #[expect(clippy::disallowed_methods, reason = "the supervisor owns tasks")]
    pub(super) fn in_background(&self, work: impl Future<Output = ()> + Send + 'static) -> bool {
        let Ok(place) = self.0.work.verbs.try_take(&Party::Gate) else { return false };
        tokio::spawn(async move {
            work.await;
            drop(place);
        });
        true
    }

    /// Why a verb cannot begin now.
    fn no_room(&self, party: &Party, full: Full) -> Refusal {
        match (party, full) {
            (Party::Agent(agent), Full::Own) => {
                let detail = format!("{} requests at once", self.limits().concurrent);
                self.0.limits.refuse(agent, Limit::Concurrent, detail, VERB_AGAIN)
            }
            (Party::Agent(_) | Party::Person(_) | Party::Anybody | Party::Gate, _) => {
                Refusal::Busy { retry_after_s: 1 }
            }
        }
    }

    /// Puts the rules of this process in force, with the entry that it started.
    async fn activate_at_start(&self, testimony: &Testimony) -> Result<(), Stop> {
        let (witness, differs) = testimony.parts();
        let data = data::GateStarted {
            owner: self.0.owner.clone(),
            rule_set: self.ruleset().digest(),
            policy_set: self.ruleset().policies.digest(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            origin: self.0.log_key.origin().to_owned(),
            witness: witness.to_owned(),
            differs: differs.map(ToOwned::to_owned),
        };
        let entry = Entry::new(self.0.world.now(), Actor::Gate, data);
        Ok(self.0.store.activate(&self.ruleset().digest(), &entry).await?)
    }

    /// Renews this process's row for as long as it runs.
    async fn stay_alive(self, stop: Arc<Notify>, every: Duration) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = stop.notified() => return,
            }
            match self.0.store.renew(&self.0.owner).await {
                Ok(true) => {}
                Ok(false) => {
                    tracing::error!(
                        "another gate took this database; this one dispatches nothing any more, stop it"
                    );
                }
                Err(fault) => {
                    let error = crate::fault::chain_text(&fault);
                    tracing::error!(error, "this process does not reach its database");
                }
            }
        }
    }

    /// Integrates new entries into the log and signs its head, within a tick of their commit.
    async fn keep_head(self, stop: Arc<Notify>, tick: Duration) {
        loop {
            match self.0.store.integrate(&self.0.log_key).await {
                Ok(_) => {}
                Err(fault) => {
                    tracing::error!(error = %crate::fault::chain_text(&fault), "the log's head is not moving");
                }
            }
            self.0.witness.advance(&self.0.store).await;
            tokio::select! {
                () = tokio::time::sleep(tick) => {}
                () = stop.notified() => return,
            }
        }
    }
}

impl Supervisor {
    /// Takes no new work, lets what is under way finish, then closes the log's head.
    pub async fn shut_down(self) -> Result<(), Stop> {
        self.stop.notify_waiters();
        for task in &self.tasks {
            task.abort();
        }
        let work = &self.gate.0.work;
        let verbs = tokio::time::timeout(DRAIN_WITHIN, work.verbs.drain(work.sizes)).await;
        if !self.gate.0.slots.drain(DRAIN_WITHIN).await || verbs.is_err() {
            tracing::warn!("some calls did not finish; they are marked unknown at the next start");
        }
        self.gate.note_reached().await;
        // What is left waits in the store for the next start; stopping must not take for ever.
        let head = async {
            while self.gate.0.store.integrate(&self.gate.0.log_key).await? > 0 {}
            Ok::<(), Stop>(())
        };
        if let Ok(integrated) = tokio::time::timeout(HEAD_WITHIN, head).await {
            integrated?;
        }
        self.gate.0.witness.keep_or_warn(&self.gate.0.store).await;
        self.gate.0.work.verbs.close();
        Ok(self.gate.0.store.leave(&self.gate.0.owner).await?)
    }
}
