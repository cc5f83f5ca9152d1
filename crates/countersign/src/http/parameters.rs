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
const PERSON: Parameter = Parameter::new("person", ParameterKind::Name, "Only on behalf of this person.");
const ACTION: Parameter = Parameter::new("action", ParameterKind::Name, "Only of this action.");
const SYSTEM: Parameter = Parameter::new("system", ParameterKind::Name, "Only of this system's actions.");
const SINCE: Parameter = Parameter::new(
    "since",
    ParameterKind::Time,
    "Only of this time or later: RFC 3339, or a day in UTC from its beginning.",
);
const UNTIL: Parameter = Parameter::new(
    "until",
    ParameterKind::Time,
    "Only of before this time: RFC 3339, or a day in UTC to its end.",
);
/// Of an agent's list.
pub(super) const LIST_OWN: &[Parameter] = &[STATE, LIMIT, BEFORE, PERSON, ACTION, SYSTEM, SINCE, UNTIL];
/// Of a person's list.
pub(super) const LIST: &[Parameter] = &[
    STATE,
    LIMIT,
    BEFORE,
    Parameter::new("agent", ParameterKind::Name, "Only of this agent."),
    PERSON,
    ACTION,
    SYSTEM,
    Parameter::new("environment", ParameterKind::Search, "Only in this environment."),
    SINCE,
    UNTIL,
    Parameter::new(
        "text",
        ParameterKind::Search,
        "Only with all of these words in the headline, the effects, the ids or the agent's reason, in any case.",
    ),
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
const INDEX: ParameterKind = ParameterKind::Number(0, 9_007_199_254_740_991);
/// Of the log.
pub(super) const ENTRIES: &[Parameter] = &[
    Parameter::new("from", INDEX, "Only from this index on."),
    Parameter::new(
        "before",
        INDEX,
        "Only before this index; then the newest entries come first, unless `order` says otherwise.",
    ),
    Parameter::new(
        "order",
        ParameterKind::OneOf(&["oldest", "newest"]),
        "`oldest`, or `newest` for the newest entries first.",
    ),
    Parameter::new("limit", ParameterKind::Number(1, 500), "How many, at most 500."),
    Parameter::new("event", ParameterKind::Event, "Only this event."),
    Parameter::new("proposal", ParameterKind::Proposal, "Only about this proposal."),
    Parameter::new("action", ParameterKind::Name, "Only about this action."),
    Parameter::new("agent", ParameterKind::Name, "Only what this agent caused."),
    Parameter::new(
        "person",
        ParameterKind::Name,
        "Only what this person caused, or an agent on their behalf.",
    ),
    SINCE,
    UNTIL,
    Parameter::new("text", ParameterKind::Search, "Only with all of these words, in any case."),
];
