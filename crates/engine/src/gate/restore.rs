//! An older or another database is taken into service on purpose: what is open in it is closed, because nobody knows
//! what became of it after the copy was made.

use countersign_core::audit::{Actor, Checkpoint, Entry, LogKey, data};
use countersign_core::id::ProposalId;
use countersign_core::proposal::{Event, StateName, apply};

use crate::fault::{Fault, Stop, chain_text};
use crate::store::{Placed, Store, Testimony, Witness, head_of};
use crate::world::World;

/// What was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Restored {
    /// Pending and ready proposals that were cancelled.
    pub cancelled: u32,
    /// Dispatches whose outcome is now unknown.
    pub unknown: u32,
    /// Open proposals that could not be closed; the operator's log names them. They stay as they are.
    pub left: u32,
}

/// Accepts the database as it is. No gate may run on it. May be repeated if it was interrupted.
pub async fn restore(
    store: &Store,
    witness: &Witness,
    log_key: &LogKey,
    world: &World,
) -> Result<Restored, Stop> {
    let found = store.checkpoint().await?.as_deref().map(head_of).transpose()?;
    let recorded = witness.checkpoint().as_deref().map(head_of).transpose()?;
    let mut done = Restored::default();
    for state in [StateName::Dispatched, StateName::Pending, StateName::Ready] {
        let mut after = None;
        loop {
            let page = store.in_state(state, after, 100).await?;
            let Some(last) = page.last().copied() else { break };
            for id in page {
                let count = match close(store, world, id, state).await {
                    Ok(()) if state == StateName::Dispatched => &mut done.unknown,
                    Ok(()) => &mut done.cancelled,
                    Err(stop) => {
                        tracing::error!(proposal = %id, error = %chain_text(&stop), "it was not closed");
                        &mut done.left
                    }
                };
                *count = count.saturating_add(1);
            }
            after = Some(last);
        }
    }
    let before = store.identity().await?.incarnation;
    let incarnation = world.random_hex::<16>();
    let data = data::GateRestored {
        found: found.as_ref().map(head),
        recorded: recorded.as_ref().map(head),
        previous_incarnation: before,
        incarnation: incarnation.clone(),
        cancelled: done.cancelled.into(),
        unknown: done.unknown.into(),
        left: done.left.into(),
    };
    let entry = Entry::new(world.now(), Actor::Gate, data);
    store.renew_incarnation(&incarnation, world.now(), entry).await?;
    while store.integrate(log_key).await? > 0 {}
    witness.keep(store).await?;
    Ok(done)
}

fn head(checkpoint: &Checkpoint) -> data::LogHead {
    data::LogHead { size: checkpoint.size, root: checkpoint.root }
}

async fn close(store: &Store, world: &World, id: ProposalId, state: StateName) -> Result<(), Stop> {
    let record = store.proposal(id).await?.ok_or_else(|| Fault::new("close a proposal", "it is gone"))?;
    let event =
        if state == StateName::Dispatched { Event::OwnerGone } else { Event::Cancel { by: Actor::Gate } };
    let step = apply(&record, &event, world.now())?;
    store.commit(step, Placed::default()).await.map(drop)
}

/// Makes sure that the database is the one that was served last, and says what is remarkable about it.
pub(super) async fn recognise(witness: &Witness, store: &Store) -> Result<Testimony, Stop> {
    let testimony = witness.examine(store).await?;
    match &testimony {
        Testimony::New => {
            // A new gate has recorded nothing that could be missing.
            if store.checkpoint().await?.is_some() {
                let file = witness.path().display();
                tracing::warn!(
                    "there is no witness file {file}, so nothing tells whether this database is the one that was \
                     served last; it is made now"
                );
            }
            witness.keep_or_warn(store).await;
        }
        Testimony::Held => {}
        Testimony::Moved => tracing::warn!(
            "the database server was promoted or replaced; look whether the last entries before it are there"
        ),
        Testimony::Differs(what) => {
            let detail = format!(
                "{what}; restore the newer database, or, if the loss is accepted, run \
                 `countersign restore --accept-loss DIR`"
            );
            return Err(Fault::new("recognise the database", detail).into());
        }
    }
    Ok(testimony)
}
