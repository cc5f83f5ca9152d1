//! The parameters of queries, for the table of routes and for the handlers that read them.

use countersign_core::limits;

use crate::surface::{Parameter, ParameterKind};

/// No parameters.
pub(super) const NO_QUERY: &[Parameter] = &[];
/// `?wait=30`.
pub(super) const WAIT: &[Parameter] = &[Parameter::new(
    "wait",
    ParameterKind::Number(0, limits::WAIT_MAX.as_secs()),
    "Seconds to wait for a result.",
)];
const STATE: Parameter = Parameter::new("state", ParameterKind::States, "State names, separated by commas.");
const LIMIT: Parameter = Parameter::new("limit", ParameterKind::Number(1, 200), "How many, at most 200.");
const BEFORE: Parameter = Parameter::new("before", ParameterKind::Proposal, "Only older than this proposal.");
/// Of an agent's list.
pub(super) const LIST_OWN: &[Parameter] = &[STATE, LIMIT, BEFORE];
/// Of a person's list.
pub(super) const LIST: &[Parameter] = &[
    STATE,
    LIMIT,
    BEFORE,
    Parameter::new("agent", ParameterKind::Text, "Only of this agent."),
    Parameter::new(
        "order",
        ParameterKind::OneOf(&["newest", "due"]),
        "`newest`, or `due` for what waits for people, by deadline and fair by agent.",
    ),
    Parameter::new(
        "from",
        ParameterKind::Number(0, 4_294_967_295),
        "With `order=due`: the `next` of the page before.",
    ),
];
/// Of the actions.
pub(super) const ACTIONS: &[Parameter] =
    &[Parameter::new("on_behalf_of", ParameterKind::Text, "The person the agent acts for.")];
/// Of the log.
pub(super) const ENTRIES: &[Parameter] =
    &[Parameter::new("from", ParameterKind::Number(0, 9_007_199_254_740_991), "The first index.")];
