-- Inbox and outbox of natspubsub, version 1.

BEGIN;

CREATE TABLE IF NOT EXISTS natspubsub_migrations (
    version integer PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Messages that wait for a relay, and those that were sent.
CREATE TABLE natspubsub_outbox (
    -- CACHE 1: numbers grow in the order of writing, whichever connection writes.
    id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) CONSTRAINT natspubsub_outbox_pk PRIMARY KEY,
    event_id text NOT NULL,
    message_id text NOT NULL CONSTRAINT natspubsub_outbox_message_id UNIQUE,
    subject text NOT NULL,
    key text,
    shard smallint NOT NULL,
    -- [["name", "value"], ...]
    headers text NOT NULL,
    body bytea NOT NULL,
    -- pending, publishing, sent or failed
    status text NOT NULL DEFAULT 'pending',
    -- Whether it was tried, and waits to be tried again: messages of its key wait behind it.
    retrying boolean NOT NULL DEFAULT false,
    attempts integer NOT NULL DEFAULT 0,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When it could be sent for the first time.
    due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Not before; NULL is at once.
    next_attempt_at timestamptz,
    first_claimed_at timestamptz,
    -- Under which lead of its shard it is publishing.
    epoch bigint,
    sent_at timestamptz,
    failed_at timestamptz
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
-- fillfactor: a claim takes all messages of a page, and finds room for them in it.

-- No index is about what a claim changes, so that a claim changes no index; and none of these has sent messages.
-- id + 0: a claim asks for this order, which no other index has; PostgreSQL would take the primary key at times, and read
-- everything that was sent.
CREATE INDEX natspubsub_outbox_ready ON natspubsub_outbox (shard, (id + 0))
    WHERE sent_at IS NULL AND failed_at IS NULL AND next_attempt_at IS NULL;
CREATE INDEX natspubsub_outbox_waiting ON natspubsub_outbox (shard, next_attempt_at)
    WHERE sent_at IS NULL AND failed_at IS NULL AND next_attempt_at IS NOT NULL;
CREATE INDEX natspubsub_outbox_retrying ON natspubsub_outbox (left(key, 200), id) WHERE retrying;
CREATE INDEX natspubsub_outbox_failed ON natspubsub_outbox (id) WHERE failed_at IS NOT NULL;
CREATE INDEX natspubsub_outbox_sent ON natspubsub_outbox (sent_at) WHERE sent_at IS NOT NULL;

-- Which relay leads which shard.
CREATE TABLE natspubsub_outbox_leads (
    shard smallint CONSTRAINT natspubsub_outbox_leads_pk PRIMARY KEY,
    -- NULL: nobody.
    owner text,
    epoch bigint NOT NULL DEFAULT 0,
    until timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 10);

INSERT INTO natspubsub_outbox_leads (shard) SELECT generate_series(0, 15);

-- The relays that live.
CREATE TABLE natspubsub_outbox_relays (
    name text CONSTRAINT natspubsub_outbox_relays_pk PRIMARY KEY,
    until timestamptz NOT NULL
) WITH (fillfactor = 10);

-- What was handled.
CREATE TABLE natspubsub_inbox (
    -- The durable name of the consumer.
    consumer text NOT NULL,
    event_id text NOT NULL,
    -- processing, processed or failed. No CHECK here or above: PostgreSQL reads one anew for each statement.
    status text NOT NULL,
    -- Grows with every claim.
    fence bigint NOT NULL DEFAULT 1,
    lease_until timestamptz,
    attempts integer NOT NULL DEFAULT 1,
    last_error text,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    processed_at timestamptz,
    CONSTRAINT natspubsub_inbox_pk PRIMARY KEY (consumer, event_id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);

-- For the oldest, which are deleted, and for those that are not processed.
CREATE INDEX natspubsub_inbox_processed ON natspubsub_inbox (processed_at);

INSERT INTO natspubsub_migrations (version) VALUES (1);

COMMIT;
