//! Readiness: whether this gate lets anything through now, part by part, with the reason where it does not. Anybody
//! may ask, so an answer is kept for a second, and it names no path, variable or value.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Mutex;

use super::Gate;
use crate::fault::chain_text;

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(1);
/// The longest that the database is waited for.
const WITHIN: Duration = Duration::from_secs(2);

/// How one part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// As it should be.
    Ready,
    /// Some actions fail; the others go on.
    Degraded,
    /// Nothing is let through.
    NotReady,
}

/// One part, and what is the matter with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReadinessPart {
    /// How it is.
    pub status: Condition,
    /// A lower-case fragment.
    pub detail: String,
}

/// All parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// As bad as the worst part.
    pub status: Condition,
    /// `store`, `log`, `rules`, `secrets`, `durability`.
    pub parts: BTreeMap<&'static str, ReadinessPart>,
}

/// The last answer and when it was found.
#[derive(Debug, Default)]
pub(super) struct LastAnswer(Mutex<Option<(Duration, Readiness)>>);

fn good(detail: impl Into<String>) -> ReadinessPart {
    ReadinessPart { status: Condition::Ready, detail: detail.into() }
}

fn bad(detail: impl Into<String>) -> ReadinessPart {
    ReadinessPart { status: Condition::NotReady, detail: detail.into() }
}

impl Gate {
    /// Whether anything is let through now, and if not, why.
    pub async fn readiness(&self) -> Readiness {
        // Who comes meanwhile waits for the same answer.
        let mut last = self.0.ready.0.lock().await;
        let now = self.0.world.ticks();
        if let Some((at, answer)) = last.as_ref().filter(|(at, _)| now.saturating_sub(*at) < KEPT) {
            tracing::trace!(?at, "an answer is kept");
            return answer.clone();
        }
        let answer = self.look_at_everything().await;
        *last = Some((now, answer.clone()));
        answer
    }

    async fn look_at_everything(&self) -> Readiness {
        let mut parts = BTreeMap::new();
        let rules = self.ruleset().digest();
        let looked = tokio::time::timeout(WITHIN, self.0.store.standing(&self.0.owner, &rules)).await;
        match looked {
            Ok(Ok(standing)) => {
                parts.insert(
                    "store",
                    match self.0.store.write_problem() {
                        Some(problem) => bad(problem),
                        None if !standing.entered => {
                            bad("another gate took this database; this one dispatches nothing any more")
                        }
                        None => good("the database answers"),
                    },
                );
                parts.insert("rules", if standing.rules_in_force {
                    good(format!("{rules} is in force"))
                } else {
                    bad("the rules of this process are not those in force in the database; reload the gate")
                });
                let durability = ReadinessPart {
                    status: if standing.durable { Condition::Ready } else { Condition::NotReady },
                    detail: standing.durability,
                };
                parts.insert("durability", durability);
            }
            Ok(Err(fault)) => {
                tracing::warn!(error = %chain_text(&fault), "not ready");
                parts.insert("store", bad("the database does not answer; the operator's log has the reason"));
            }
            Err(_) => {
                parts.insert(
                    "store",
                    bad(format!("the database does not answer within {} s", WITHIN.as_secs())),
                );
            }
        }
        parts.insert(
            "log",
            self.0.store.log_problem().map_or_else(|| good("every entry reaches the log in time"), bad),
        );
        let unusable: Vec<String> =
            self.credentials().check().await.into_iter().map(|error| format!("`{}`", error.name)).collect();
        parts.insert(
            "secrets",
            if unusable.is_empty() {
                good("every credential can be resolved")
            } else {
                let detail = format!("credentials that cannot be resolved now: {}", unusable.join(", "));
                ReadinessPart { status: Condition::Degraded, detail }
            },
        );
        let status = parts.values().map(|part| part.status).max().unwrap_or(Condition::Ready);
        Readiness { status, parts }
    }
}
