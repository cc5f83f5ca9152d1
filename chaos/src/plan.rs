//! Which fault happens when: a function of the seed, the store and the duration.

use std::time::Duration;

use crate::random::Random;

/// Where the gate keeps its proposals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    Sqlite,
    Postgres,
}

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Kill,
    Terminate,
    Stop,
    ClockForward,
    ClockBack,
    SlowDisk,
    FullDisk,
    BrokenDisk,
    Burst,
    PgRestart,
    PgKill,
    PgCrash,
    PgCutConnections,
    /// The store is away for longer than anybody should retry blindly.
    Outage,
    /// The gate is killed while the store fails, so that what is in doubt is left to the restart.
    KillInFault,
}

impl Kind {
    /// The name in ledgers and in the summary.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Terminate => "terminate",
            Self::Stop => "stop",
            Self::ClockForward => "clock forward",
            Self::ClockBack => "clock back",
            Self::SlowDisk => "slow disk",
            Self::FullDisk => "full disk",
            Self::BrokenDisk => "broken disk",
            Self::Burst => "burst",
            Self::PgRestart => "PostgreSQL restart",
            Self::PgKill => "PostgreSQL kill",
            Self::PgCrash => "PostgreSQL crash",
            Self::PgCutConnections => "PostgreSQL connections cut",
            Self::Outage => "store outage",
            Self::KillInFault => "kill during a store fault",
        }
    }

    const fn of(store: Store) -> &'static [(u64, Self)] {
        match store {
            Store::Sqlite => &[
                (4, Self::Kill),
                (1, Self::Terminate),
                (2, Self::Stop),
                (2, Self::ClockForward),
                (2, Self::ClockBack),
                (2, Self::SlowDisk),
                (4, Self::FullDisk),
                (4, Self::BrokenDisk),
                (3, Self::KillInFault),
            ],
            Store::Postgres => &[
                (4, Self::Kill),
                (1, Self::Terminate),
                (2, Self::Stop),
                (2, Self::ClockForward),
                (2, Self::ClockBack),
                (3, Self::PgRestart),
                (2, Self::PgKill),
                (2, Self::PgCrash),
                (4, Self::PgCutConnections),
                (3, Self::KillInFault),
            ],
        }
    }
}

/// One fault after a pause without any.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) after: Duration,
    pub(crate) kind: Kind,
}

/// An outage and a burst take long; shorter runs do without.
const LONG_FAULTS_FROM_S: u64 = 50;

/// The faults of a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    /// Each kind once: the load lasts until all have happened.
    pub(crate) each: Vec<Fault>,
    /// Then as many of these as there is time for.
    pub(crate) more: Vec<Fault>,
}

/// The faults of a run, in an order of the seed.
pub(crate) fn plan(seed: u64, store: Store, seconds: u64) -> Plan {
    let mut random = Random::new(seed, "faults");
    let kinds = Kind::of(store);
    let mut each: Vec<Kind> = kinds.iter().map(|(_, kind)| *kind).collect();
    if seconds >= LONG_FAULTS_FROM_S {
        each.extend([Kind::Outage, Kind::Burst]);
    }
    shuffle(&mut each, &mut random);
    let more = (0..seconds).filter_map(|_| random.weighted(kinds)).collect();
    let mut faults = |kinds: Vec<Kind>| -> Vec<Fault> {
        let after = |random: &mut Random| Duration::from_millis(random.between(500, 1_500));
        kinds.into_iter().map(|kind| Fault { after: after(&mut random), kind }).collect()
    };
    Plan { each: faults(each), more: faults(more) }
}

/// The faults of a run that is to meet a weakened guard: one of these kinds in every other place; `-` favours
/// none. Nothing when the store has none of them.
pub(crate) fn favouring(names: &str, seed: u64, store: Store, seconds: u64) -> Option<Plan> {
    let mut plan = plan(seed, store, seconds);
    plan.each.clear();
    if names != "-" {
        let named =
            |kind: &Kind| names.split(',').any(|name| kind.name().to_lowercase().replace(' ', "-") == name);
        let kind = Kind::of(store).iter().map(|(_, kind)| *kind).find(named)?;
        plan.more.iter_mut().step_by(2).for_each(|fault| fault.kind = kind);
    }
    Some(plan)
}

fn shuffle(kinds: &mut [Kind], random: &mut Random) {
    for at in (1..kinds.len()).rev() {
        let limit = u64::try_from(at).unwrap_or(0).saturating_add(1);
        kinds.swap(at, usize::try_from(random.below(limit)).unwrap_or(0));
    }
}
