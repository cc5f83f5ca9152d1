//! What lists of proposals are filtered by, and the conditions that it makes over their columns.

use countersign_core::id::ProposalId;
use countersign_core::proposal::StateName;
use countersign_core::time::Timestamp;

use super::value::Value;

/// What a list shows. Newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only these states; empty for all.
    pub states: Vec<StateName>,
    /// Only of this agent.
    pub agent: Option<String>,
    /// Only on behalf of this person.
    pub person: Option<String>,
    /// Only of this action.
    pub action: Option<String>,
    /// Only of this system's actions.
    pub system: Option<String>,
    /// Only in this environment.
    pub environment: Option<String>,
    /// Only what was proposed at this time or later, to the millisecond.
    pub since: Option<Timestamp>,
    /// Only what was proposed before this time, to the millisecond.
    pub until: Option<Timestamp>,
    /// Only those with all of these words. The store does not look at it: what is searched is in no column.
    pub text: Option<String>,
    /// Only older than this one: the cursor.
    pub before: Option<ProposalId>,
    /// How many at the most; one more than a page is the largest that is given.
    pub limit: u32,
}

/// The texts that conditions compare with and that the filter does not have.
#[derive(Debug, Default)]
pub(super) struct Terms {
    system: Option<(String, String)>,
    since: Option<String>,
    until: Option<String>,
    before: Option<String>,
}

impl Terms {
    pub(super) fn of(filter: &Filter) -> Self {
        let first = |at: Timestamp| ProposalId::first_of(millis(at)).to_string();
        Self {
            // Every name that begins with the system's and a point: `/` comes next after the point.
            system: filter.system.as_ref().map(|system| (format!("{system}."), format!("{system}/"))),
            since: filter.since.map(first),
            until: filter.until.map(first),
            before: None,
        }
    }

    /// The same for what has no cursor of its own: only older proposals, by their ids.
    pub(super) fn with_cursor(filter: &Filter) -> Self {
        Self { before: filter.before.map(|id| id.to_string()), ..Self::of(filter) }
    }

    /// The filter as conditions over the columns of `proposal`, each after `AND`, without states and cursor.
    pub(super) fn conditions<'a>(&'a self, filter: &'a Filter, values: &mut Vec<Value<'a>>) -> String {
        let mut sql = String::new();
        let mut condition = |column: &str, value: Option<&'a str>| {
            if let Some(value) = value {
                values.push(value.into());
                sql.push_str(&format!(" AND {column} ${}", values.len()));
            }
        };
        let system = self.system.as_ref();
        condition("agent =", filter.agent.as_deref());
        condition("person =", filter.person.as_deref());
        condition("action =", filter.action.as_deref());
        condition("action >=", system.map(|(first, _)| first.as_str()));
        condition("action <", system.map(|(_, end)| end.as_str()));
        condition("environment =", filter.environment.as_deref());
        condition("id >=", self.since.as_deref());
        condition("id <", self.until.as_deref());
        condition("id <", self.before.as_deref());
        sql
    }
}

/// Milliseconds since the epoch; what was before it is its beginning.
pub(super) fn millis(at: Timestamp) -> u64 {
    let micros = u64::try_from(at.as_micros()).unwrap_or(0);
    micros.div_ceil(1_000)
}

impl Filter {
    /// Whether an index leads to exactly these rows.
    pub(super) fn is_exact(&self) -> bool {
        let named = [&self.agent, &self.person, &self.action];
        named.iter().filter(|n| n.is_some()).count() <= 1
            && self.system.is_none()
            && self.environment.is_none()
            && (self.action.is_none() || self.states.is_empty())
    }
}
