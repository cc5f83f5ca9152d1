//! Every maximum in one table, each with its reason. A limit that is not here does not exist.

use std::time::Duration;

/// Bytes of one request body. Larger than any sane tool call, small enough to read whole before deciding (T59).
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Nesting of JSON. The reader recurses, so this also bounds its stack (T62).
pub const JSON_DEPTH_MAX: usize = 32;
/// Members and elements of one JSON document, all levels together (T62).
pub const JSON_NODES_MAX: usize = 20_000;
/// Keys of one JSON object (T62).
pub const JSON_KEYS_MAX: usize = 1_000;
/// Bytes of one JSON string (T62).
pub const JSON_STRING_BYTES_MAX: usize = 64 * 1024;
/// The largest integer that every JSON reader agrees on: 2^53 - 1 (RFC 8259 section 6, T51).
pub const JSON_INTEGER_MAX: i64 = 9_007_199_254_740_991;
/// Bytes of the agent's stated reason. People have to read it.
pub const REASON_BYTES_MAX: usize = 2_000;
/// Bytes of an approver's reason or comment.
pub const COMMENT_BYTES_MAX: usize = 2_000;
/// Bytes of a run id or an idempotency key. Both are opaque to us.
pub const LABEL_BYTES_MAX: usize = 255;
/// Pieces of evidence that one proposal may carry.
pub const EVIDENCE_ITEMS_MAX: usize = 16;
/// Bytes of one action's schema. Compiling it costs time at load only, but a person must review it.
pub const SCHEMA_BYTES_MAX: usize = 64 * 1024;
/// Levels of an action's schema (T56).
pub const SCHEMA_DEPTH_MAX: usize = 12;
/// Schemas that the references of an action's schema may unfold to (T56).
pub const SCHEMA_NODES_MAX: usize = 2_000;
/// Forms that one object may have: a person reads them.
pub const SCHEMA_FORMS_MAX: usize = 16;
/// Elements that an expression may see in one array: CEL has no cost limit of its own.
pub const EXPRESSION_ITEMS_MAX: usize = 1_000;
/// Bytes of an upstream's answer that are kept. The rest is an error, never a silent cut (T77).
pub const RESPONSE_BYTES_MAX: usize = 1024 * 1024;
/// Time to reach an upstream.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for a whole call when the manifest names none.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// The longest time a manifest may ask for.
pub const CALL_TIMEOUT_MAX: Duration = Duration::from_mins(2);
/// Time for a preview read.
pub const PREVIEW_TIMEOUT: Duration = Duration::from_secs(10);
/// A preview older than this is read again right before the write.
pub const PREVIEW_AGE_MAX: Duration = Duration::from_secs(2);
/// How long after its record a call may begin. A process that was paused for longer sends nothing.
pub const GRANT_LIFE: Duration = Duration::from_secs(2);
/// How often a request is read and decided again before it is answered with "try again".
pub const DECIDE_TRIES: u32 = 3;
/// How long an agent's request waits for the record of an outcome that is known already.
pub const OUTCOME_WITHIN: Duration = Duration::from_secs(5);
/// Calls under way to one system, so that one slow upstream does not use up the gate.
pub const CALLS_PER_SYSTEM_MAX: usize = 1_024;
/// How long a process on PostgreSQL counts as alive after it was last heard of.
pub const PROCESS_LIFE: Duration = Duration::from_secs(10);
/// How long one process keeps an approved proposal to itself while it prepares the call.
pub const LEASE: Duration = Duration::from_secs(30);
/// The longest pause between two tries to send what is ready while its record cannot be read.
pub const RETRY_PAUSE_MAX: Duration = Duration::from_secs(30);
/// How long the log may stand still before nothing is dispatched any more.
pub const LOG_STILL_MAX: Duration = Duration::from_secs(30);
/// Entries that may wait for the log before nothing is dispatched any more.
pub const LOG_BACKLOG_MAX: u64 = 100_000;
/// How long an idempotency key is kept after its proposal is settled.
pub const IDEMPOTENCY_KEPT: Duration = Duration::from_hours(24);
/// Characters of a tool's name: what the APIs of models accept.
pub const TOOL_NAME_MAX: usize = 64;
/// How the names of the gate's own tools begin.
pub const OWN_TOOLS: &str = "gate_";
/// How long after a proposal is settled the same call without a key of its own still gets it, where clients send again
/// after a lost answer: longer than they keep trying, shorter than it takes to want the same thing twice.
pub const RESEND_WINDOW: Duration = Duration::from_mins(10);
/// How long a commit whose answer was lost is asked for before the request is answered with `in_doubt`.
pub const DOUBT_WITHIN: Duration = Duration::from_secs(8);
/// The longest that `?wait=` holds a request open.
pub const WAIT_MAX: Duration = Duration::from_mins(1);
/// Proposals on one page of a list.
pub const PAGE_SIZE_MAX: u32 = 200;
/// Open proposals of one agent when the configuration names no other number, so that one agent cannot flood the
/// people (T29).
pub const OPEN_PER_AGENT_MAX: u32 = 1_000;
/// Verbs of one agent under way at once when the configuration names no other number: enough for a busy fleet of
/// sessions behind one key, a sixteenth of what all agents have.
pub const VERBS_PER_AGENT_MAX: u32 = 256;
/// Streams and waiting requests of one agent when the configuration names no other number.
pub const STREAMS_PER_AGENT_MAX: u32 = 64;
/// Verbs of all agents under way at once. Each holds little; what they share has limits of its own.
pub const VERBS_OF_AGENTS_MAX: usize = 4_096;
/// Verbs of all people under way at once, of one person, and of the gate itself.
pub const VERBS_OF_PEOPLE_MAX: usize = 512;
/// Verbs of one person under way at once.
pub const VERBS_PER_PERSON_MAX: usize = 32;
/// Proposals that the driver has in hand at once.
pub const VERBS_OF_THE_GATE_MAX: usize = 512;
/// Streams and waiting requests of all agents: each holds a connection, and half of those stay free.
pub const STREAMS_OF_AGENTS_MAX: usize = 2_048;
/// Streams and waiting requests of all people.
pub const STREAMS_OF_PEOPLE_MAX: usize = 512;
/// Streams and waiting requests of one person: one for each open page.
pub const STREAMS_PER_PERSON_MAX: usize = 32;
/// Names that are looked up at once for calls of all agents, and of one. A look-up cannot be given up, and a name
/// server that does not answer keeps each for many seconds.
pub const LOOKUPS_OF_AGENTS_MAX: usize = 64;
/// Names that are looked up at once for one agent.
pub const LOOKUPS_PER_AGENT_MAX: usize = 8;
/// Names that are looked up at once for what people approved.
pub const LOOKUPS_OF_THE_GATE_MAX: usize = 32;
/// Calls under way to one system that one agent may have.
pub const CALLS_PER_AGENT_MAX: usize = 256;
/// Calls under way to one system that only what people approved may have.
pub const CALLS_APPROVED_MAX: usize = 256;
/// Steps of all agents that may wait for the writer, and of one: an eighth of the queue.
pub const WRITER_QUEUE_OF_AGENTS_MAX: usize = 768;
/// Steps of one agent that may wait for the writer.
pub const WRITER_QUEUE_PER_AGENT_MAX: usize = 128;
/// Steps of all people that may wait for the writer. The rest is for outcomes and deadlines.
pub const WRITER_QUEUE_OF_PEOPLE_MAX: usize = 192;
/// Steps of one person that may wait for the writer.
pub const WRITER_QUEUE_PER_PERSON_MAX: usize = 32;
/// How long a step waits for a place in the writer's queue before the gate says `busy`.
pub const WRITER_PLACE_WITHIN: Duration = Duration::from_secs(2);
/// Bytes of stored proposals that one list has in memory at a time.
pub const LIST_BYTES_MAX: usize = 256 * 1024;
/// Bytes of stored proposals behind one page of a list: a page of larger ones ends early, and the next one goes on.
pub const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Proposals on one page of the inbox.
pub const INBOX_MAX: u32 = 200;
/// Pending proposals that are counted by approval rule for monitoring: the oldest ones. A scrape reads their headers.
pub const PENDING_READ_MAX: u32 = 1_000;
/// Between two entries about the limits that an agent reached.
pub const LIMITED_EVERY: Duration = Duration::from_mins(1);
/// Approvals of one proposal that a verifier counts. Matching people to seats recurses and costs their square;
/// no quorum of people is near it.
pub const APPROVALS_MAX: usize = 1_000;
/// Steps that may wait for the writer; beyond it the gate says `busy` early.
pub const WRITER_QUEUE_MAX: usize = 1_024;
/// Steps in one transaction: enough to share one fsync, few enough to keep it short.
pub const WRITER_BATCH_MAX: usize = 256;
/// Proposals of which one search compares the columns that no index leads to; then it answers how far it came.
pub const FIND_ROWS_MAX: i64 = 20_000;
/// Proposals that one search for a text reads; then it answers how far it came.
pub const FIND_READ_MAX: usize = 1_000;
/// Entries of the log that one search reads; then it answers how far it came.
pub const FIND_ENTRIES_MAX: usize = 5_000;
/// Bytes of one thing that is searched for: a name or a text.
pub const FIND_BYTES_MAX: usize = 200;
/// People of one approval rule who are named as able to decide; the rest are counted.
pub const DECIDERS_NAMED_MAX: usize = 5;
/// How long a proposal may wait when no approval rule says so.
pub const DECIDE_IN: Duration = Duration::from_hours(7 * 24);
/// How long an allowed or approved proposal may wait for its dispatch when no rule says so.
pub const USE_IN: Duration = Duration::from_mins(10);
