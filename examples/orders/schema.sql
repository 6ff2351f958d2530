-- What the service keeps besides inbox and outbox; for SQLite and PostgreSQL.

CREATE TABLE IF NOT EXISTS accounts (
    name text PRIMARY KEY,
    balance bigint NOT NULL CHECK (balance >= 0)
);

CREATE TABLE IF NOT EXISTS orders (
    id text PRIMARY KEY,
    customer text NOT NULL,
    amount bigint NOT NULL,
    status text NOT NULL DEFAULT 'new' -- new, paid, refused
);

-- Several payments of one order would be allowed: it is the inbox that keeps them from happening.
CREATE TABLE IF NOT EXISTS payments (
    order_id text NOT NULL,
    amount bigint NOT NULL
);

INSERT INTO accounts (name, balance) VALUES ('shop', 0) ON CONFLICT (name) DO NOTHING;
