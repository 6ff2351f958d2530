-- Inbox and outbox of natspubsub, version 1. Times are milliseconds since 1970 (UTC).

BEGIN IMMEDIATE;

CREATE TABLE IF NOT EXISTS natspubsub_migrations (
    version INTEGER PRIMARY KEY,
    applied_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
) STRICT;

-- Messages that wait for a relay, and those that were sent.
CREATE TABLE natspubsub_outbox (
    -- AUTOINCREMENT: numbers grow in the order of the commits, because one transaction writes at a time.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL,
    message_id TEXT NOT NULL CONSTRAINT natspubsub_outbox_message_id UNIQUE,
    subject TEXT NOT NULL,
    key TEXT,
    shard INTEGER NOT NULL,
    -- [["name", "value"], ...]
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    status TEXT NOT NULL DEFAULT 'pending'
        CONSTRAINT natspubsub_outbox_status CHECK (status IN ('pending', 'publishing', 'sent', 'failed')),
    -- Whether it waits to be tried again: messages of its key wait behind it.
    retrying INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    created_at INTEGER NOT NULL,
    -- When it could be sent for the first time.
    due_at INTEGER NOT NULL,
    -- Not before; NULL is at once.
    next_attempt_at INTEGER,
    first_claimed_at INTEGER,
    claims INTEGER NOT NULL DEFAULT 0,
    -- Under which lead of its shard it is publishing.
    epoch INTEGER,
    sent_at INTEGER,
    failed_at INTEGER
) STRICT;

-- None of these has sent messages, except the last.
CREATE INDEX natspubsub_outbox_ready ON natspubsub_outbox (id, shard, key)
    WHERE status = 'pending' AND next_attempt_at IS NULL;
CREATE INDEX natspubsub_outbox_waiting ON natspubsub_outbox (next_attempt_at)
    WHERE status = 'pending' AND next_attempt_at IS NOT NULL;
CREATE INDEX natspubsub_outbox_retrying ON natspubsub_outbox (key, id) WHERE retrying = 1;
CREATE INDEX natspubsub_outbox_publishing ON natspubsub_outbox (shard) WHERE status = 'publishing';
CREATE INDEX natspubsub_outbox_open ON natspubsub_outbox (due_at) WHERE sent_at IS NULL AND failed_at IS NULL;
CREATE INDEX natspubsub_outbox_failed ON natspubsub_outbox (id) WHERE status = 'failed';
CREATE INDEX natspubsub_outbox_sent ON natspubsub_outbox (sent_at) WHERE sent_at IS NOT NULL;

-- Which relay leads which shard.
CREATE TABLE natspubsub_outbox_leads (
    shard INTEGER PRIMARY KEY,
    -- NULL: nobody.
    owner TEXT,
    epoch INTEGER NOT NULL DEFAULT 0,
    until INTEGER NOT NULL DEFAULT 0
) STRICT;

INSERT INTO natspubsub_outbox_leads (shard)
    VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15);

-- The relays that live.
CREATE TABLE natspubsub_outbox_relays (
    name TEXT PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What was handled.
CREATE TABLE natspubsub_inbox (
    -- The durable name of the consumer.
    consumer TEXT NOT NULL,
    event_id TEXT NOT NULL,
    status TEXT NOT NULL CONSTRAINT natspubsub_inbox_status CHECK (status IN ('processing', 'processed', 'failed')),
    -- Grows with every claim.
    fence INTEGER NOT NULL DEFAULT 1,
    lease_until INTEGER,
    attempts INTEGER NOT NULL DEFAULT 1,
    last_error TEXT,
    received_at INTEGER NOT NULL,
    processed_at INTEGER,
    CONSTRAINT natspubsub_inbox_pk PRIMARY KEY (consumer, event_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX natspubsub_inbox_open ON natspubsub_inbox (status) WHERE processed_at IS NULL;
CREATE INDEX natspubsub_inbox_processed ON natspubsub_inbox (processed_at) WHERE processed_at IS NOT NULL;

INSERT INTO natspubsub_migrations (version) VALUES (1);

COMMIT;
