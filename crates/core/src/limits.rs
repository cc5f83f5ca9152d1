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
/// How long a commit whose answer was lost is asked for before the request is answered with `in_doubt`.
pub const DOUBT_WITHIN: Duration = Duration::from_secs(8);
/// The longest that `?wait=` holds a request open.
pub const WAIT_MAX: Duration = Duration::from_mins(1);
/// Proposals on one page of a list.
pub const PAGE_SIZE_MAX: u32 = 200;
/// Open proposals of one agent, so that one agent cannot flood the people (T29).
pub const OPEN_PER_AGENT_MAX: u32 = 1_000;
/// Approvals of one proposal that a verifier counts. Matching people to seats recurses and costs their square;
/// no quorum of people is near it.
pub const APPROVALS_MAX: usize = 1_000;
/// Steps that may wait for the writer; beyond it the gate says `busy` early.
pub const WRITER_QUEUE_MAX: usize = 1_024;
/// Steps in one transaction: enough to share one fsync, few enough to keep it short.
pub const WRITER_BATCH_MAX: usize = 256;
/// How long a proposal may wait when no approval rule says so.
pub const DECIDE_IN: Duration = Duration::from_hours(7 * 24);
/// How long an allowed or approved proposal may wait for its dispatch when no rule says so.
pub const USE_IN: Duration = Duration::from_mins(10);
