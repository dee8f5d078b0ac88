-- One row: a number that grows with every transaction that changed the queue.
CREATE TABLE meta (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL
) STRICT;
INSERT INTO meta (one, version) VALUES (1, 1);

-- What is filtered on, compared or constrained stands in columns; `doc` holds the rest of the record.
-- Times are milliseconds since 1970 in UTC.
CREATE TABLE jobs (
    pk               INTEGER PRIMARY KEY,
    id               TEXT    NOT NULL UNIQUE,
    product          TEXT    NOT NULL,
    file             TEXT    NOT NULL,
    idempotency_key  TEXT,
    fingerprint      TEXT    NOT NULL,
    stage            TEXT    NOT NULL CHECK (stage IN (
        'queued', 'blocked', 'assigned', 'building', 'waiting', 'review', 'testing', 'shipped', 'failed', 'dead_letter'
    )),
    priority         INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 3),
    route            TEXT    NOT NULL,
    lock             TEXT,
    engine           TEXT,
    parent_id        TEXT,
    held             INTEGER NOT NULL CHECK (held IN (0, 1)),
    dep_failed       INTEGER NOT NULL CHECK (dep_failed IN (0, 1)),
    retry_not_before INTEGER,
    rev              INTEGER NOT NULL CHECK (rev >= 1),
    lease_epoch      INTEGER NOT NULL CHECK (lease_epoch >= 0),
    lease_holder     TEXT,
    lease_at_epoch   INTEGER CHECK (lease_at_epoch <= lease_epoch),
    lease_expires_at INTEGER,
    lease_status     TEXT    CHECK (lease_status IN ('active', 'released', 'expired', 'fenced')),
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    doc              TEXT    NOT NULL,
    UNIQUE (product, file),
    -- A job is held exactly while a lease on it counts.
    CHECK ((stage IN ('assigned', 'building')) = (lease_status IS 'active'))
) STRICT;

CREATE UNIQUE INDEX jobs_key ON jobs (product, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX jobs_stage ON jobs (product, stage);
-- What can be claimed now: one lane per route and priority, the oldest first (the row id is the last column).
CREATE INDEX jobs_ready ON jobs (product, route, priority)
    WHERE stage = 'queued' AND held = 0 AND retry_not_before IS NULL;
-- What can be claimed at its time, the most urgent first, then what is due first.
CREATE INDEX jobs_delayed ON jobs (product, priority, retry_not_before)
    WHERE stage = 'queued' AND held = 0 AND retry_not_before IS NOT NULL;
CREATE INDEX jobs_held_back ON jobs (product) WHERE stage = 'queued' AND held = 1;
CREATE INDEX jobs_dep_failed ON jobs (product) WHERE dep_failed = 1;
CREATE INDEX jobs_blocked ON jobs (stage) WHERE stage = 'blocked';
-- Jobs with one lock run one after another, whoever claims.
CREATE UNIQUE INDEX jobs_lock ON jobs (product, lock) WHERE lock IS NOT NULL AND stage IN ('assigned', 'building');

-- What was submitted, byte for byte.
CREATE TABLE texts (
    job    INTEGER PRIMARY KEY REFERENCES jobs (pk),
    source TEXT NOT NULL,
    body   TEXT NOT NULL
) STRICT;

CREATE TABLE tags (
    job INTEGER NOT NULL REFERENCES jobs (pk),
    tag TEXT    NOT NULL,
    PRIMARY KEY (tag, job)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_job ON tags (job);

-- Dependencies as written: an id or an idempotency key of the same product, perhaps of a job not submitted yet.
CREATE TABLE deps (
    product TEXT    NOT NULL,
    dep     TEXT    NOT NULL,
    job     INTEGER NOT NULL REFERENCES jobs (pk),
    PRIMARY KEY (product, dep, job)
) STRICT, WITHOUT ROWID;
CREATE INDEX deps_job ON deps (job);

CREATE TABLE runs (
    job    INTEGER NOT NULL REFERENCES jobs (pk),
    number INTEGER NOT NULL CHECK (number >= 1),
    doc    TEXT    NOT NULL,
    PRIMARY KEY (job, number)
) STRICT, WITHOUT ROWID;

-- Every lease ever granted.
CREATE TABLE leases (
    job        INTEGER NOT NULL REFERENCES jobs (pk),
    epoch      INTEGER NOT NULL CHECK (epoch >= 1),
    product    TEXT    NOT NULL,
    holder     TEXT    NOT NULL,
    status     TEXT    NOT NULL CHECK (status IN ('active', 'released', 'expired', 'fenced')),
    claimed_at INTEGER NOT NULL,
    -- As granted; while the lease is active, the job's row has the renewed one. As it was at the end, afterwards.
    expires_at INTEGER NOT NULL,
    ended_at   INTEGER,
    claim_key  TEXT,
    claim_hash TEXT,
    -- When a write under this epoch was refused first.
    refused_at INTEGER,
    PRIMARY KEY (job, epoch)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX leases_one_holder ON leases (job) WHERE status = 'active';
CREATE UNIQUE INDEX leases_claim_key ON leases (product, claim_key) WHERE status = 'active' AND claim_key IS NOT NULL;
CREATE INDEX leases_seats ON leases (product, holder) WHERE status = 'active';

CREATE TABLE events (
    pos         INTEGER PRIMARY KEY,
    job         INTEGER NOT NULL REFERENCES jobs (pk),
    seq         INTEGER NOT NULL CHECK (seq >= 1),
    type        TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    actor       TEXT    NOT NULL,
    stage_from  TEXT,
    stage_to    TEXT,
    lease_epoch INTEGER NOT NULL,
    data        TEXT    NOT NULL,
    UNIQUE (job, seq)
) STRICT;
CREATE TRIGGER events_are_kept BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;

CREATE TABLE profiles (
    name       TEXT    NOT NULL,
    version    TEXT    NOT NULL,
    text       TEXT    NOT NULL,
    first_used INTEGER NOT NULL,
    PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;

-- Answers given under an idempotency key, so that a repeated request gets the same one.
CREATE TABLE answers (
    product TEXT    NOT NULL,
    key     TEXT    NOT NULL,
    request TEXT    NOT NULL,
    status  INTEGER NOT NULL,
    body    TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (product, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX answers_at ON answers (at);

-- What each factory offered when it last asked for work.
CREATE TABLE offers (
    product TEXT    NOT NULL,
    factory TEXT    NOT NULL,
    offer   TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (product, factory)
) STRICT, WITHOUT ROWID;
