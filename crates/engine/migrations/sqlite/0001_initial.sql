-- Each proposal: where it is, and what was proposed and is bound. Newest is the greatest `seq`: the order in which
-- they came, in eight bytes where an id would take thirty in each index.
-- `body` never changes, `binding` hardly ever; both are erasable (T122).
-- `due` is set exactly while a proposal is open, so `due IS NOT NULL` means pending or ready.
CREATE TABLE proposal (
    seq          INTEGER NOT NULL PRIMARY KEY,
    id           TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    state        TEXT    NOT NULL,
    agent        TEXT    NOT NULL,
    person       TEXT,
    due          INTEGER,
    intent       TEXT    NOT NULL,
    join_key     TEXT,
    attempt      TEXT,
    lease_owner  TEXT,
    lease_until  INTEGER,
    moving       TEXT    NOT NULL,
    body         TEXT    NOT NULL,
    binding      TEXT    NOT NULL,
    mac          BLOB    NOT NULL
) STRICT;

CREATE UNIQUE INDEX proposal_id ON proposal (id);
CREATE INDEX proposal_by_state ON proposal (state, seq);
CREATE INDEX proposal_by_agent ON proposal (agent, state, seq);
CREATE INDEX proposal_by_person ON proposal (person, state, seq) WHERE person IS NOT NULL;
CREATE INDEX proposal_by_due ON proposal (due, seq) WHERE due IS NOT NULL;
-- The intent while an equal request by the same agent gets this one: it waits, runs, or nobody knows (T29, T95).
CREATE UNIQUE INDEX proposal_join ON proposal (agent, join_key) WHERE join_key IS NOT NULL;
-- An attempt belongs to one proposal, and a proposal never gets a second one (I4).
CREATE UNIQUE INDEX proposal_attempt ON proposal (attempt) WHERE attempt IS NOT NULL;

-- Idempotency keys, also of requests that joined another proposal. `request` is the digest of the request and
-- its identity chain. A key goes a day after its proposal is settled; `look_at` is when to look whether it is.
CREATE TABLE idempotency (
    agent        TEXT NOT NULL,
    key          TEXT NOT NULL,
    request      TEXT NOT NULL,
    proposal     TEXT NOT NULL,
    look_at      INTEGER NOT NULL,
    PRIMARY KEY (agent, key)
) STRICT;

CREATE INDEX idempotency_by_look ON idempotency (look_at);

-- Proposals whose stored row is not what the gate wrote. Nothing moves them until an operator has looked.
CREATE TABLE quarantine (
    proposal     TEXT NOT NULL PRIMARY KEY,
    at           INTEGER NOT NULL,
    why          TEXT NOT NULL
) STRICT;

-- The rules in force: the digest that a dispatch must have been decided under. One row.
CREATE TABLE active_rules (
    id           INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    digest       TEXT NOT NULL,
    epoch        INTEGER NOT NULL,
    mac          BLOB    NOT NULL
) STRICT;

-- One row to lock, where the database has no advisory locks that work.
CREATE TABLE gate_lock (
    id           INTEGER NOT NULL PRIMARY KEY CHECK (id = 1)
) STRICT;

INSERT INTO gate_lock (id) VALUES (1);

-- Gate processes. A dispatch whose owner is not here, or has lapsed, has lost its process.
CREATE TABLE process (
    owner        TEXT NOT NULL PRIMARY KEY,
    alive_until  INTEGER NOT NULL
) STRICT;

-- The entries, in the order in which they were written. `version` is set when the entry moved its proposal.
CREATE TABLE log_entry (
    id           INTEGER NOT NULL PRIMARY KEY,
    at           INTEGER NOT NULL,
    proposal     TEXT,
    version      INTEGER,
    body         BLOB    NOT NULL
) STRICT;

-- Never two entries for one move (I9). Entries that moved nothing have no version and are not compared.
CREATE UNIQUE INDEX log_entry_move ON log_entry (proposal, version) WHERE proposal IS NOT NULL;

-- The order of the Merkle log: entry by index.
CREATE TABLE log_leaf (
    idx          INTEGER NOT NULL PRIMARY KEY,
    entry        INTEGER NOT NULL REFERENCES log_entry (id),
    hash         BLOB    NOT NULL
) STRICT;

CREATE UNIQUE INDEX log_leaf_entry ON log_leaf (entry);

-- The tree's right edge. One row; touched once a second by the sequencer, never by a decision.
-- Every entry up to `watermark` is a leaf. `mark` becomes the watermark when no transaction that began
-- before `mark_until` is left.
CREATE TABLE log_head (
    id           INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    size         INTEGER NOT NULL,
    roots        BLOB    NOT NULL,
    watermark    INTEGER NOT NULL,
    mark         INTEGER NOT NULL,
    mark_until   INTEGER NOT NULL,
    checkpoint   TEXT
) STRICT;

INSERT INTO log_head (id, size, roots, watermark, mark, mark_until) VALUES (1, 0, x'', 0, 0, 0);

-- How many proposals are in each state. Sharded, so that processes do not wait for one row;
-- one shard may be negative, the sum never is.
CREATE TABLE tally (
    shard        INTEGER NOT NULL,
    state        TEXT    NOT NULL,
    n            INTEGER NOT NULL,
    PRIMARY KEY (shard, state)
) STRICT;

-- One-time sign-in links and sessions, by the digest of their token. No token is stored (T47). `mac` is a message
-- authentication code over the other columns but `used_at`: a row without the right one opens nothing.
CREATE TABLE link (
    token        TEXT    NOT NULL PRIMARY KEY,
    person       TEXT    NOT NULL,
    expires      INTEGER NOT NULL,
    used_at      INTEGER,
    mac          BLOB    NOT NULL
) STRICT;

CREATE INDEX link_by_expiry ON link (expires);

CREATE TABLE session (
    token        TEXT    NOT NULL PRIMARY KEY,
    person       TEXT    NOT NULL,
    created      INTEGER NOT NULL,
    seen         INTEGER NOT NULL,
    expires      INTEGER NOT NULL,
    mac          BLOB    NOT NULL
) STRICT;

CREATE INDEX session_by_expiry ON session (expires);

-- Which database this is. One row, made with it; its incarnation changes with each accepted loss, so that a copy of
-- another time is not taken for this one.
CREATE TABLE gate_identity (
    id           INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    incarnation  TEXT    NOT NULL,
    created      INTEGER NOT NULL
) STRICT;
