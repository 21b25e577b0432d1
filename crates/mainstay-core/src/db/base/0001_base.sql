-- The tables that every service has beside its own; `{s}` is the service's schema.

-- Facts, in the order of their log. `xid` is the writing transaction (on SQLite the sequence stands for it).
--! postgres
create table {s}.outbox (
    seq bigint generated always as identity primary key,
    xid bigint not null,
    id uuid not null,
    name text not null,
    payload jsonb not null,
    tags bytea not null,
    at timestamptz not null
);
create index outbox_by_xid on {s}.outbox (xid, seq);
--! sqlite
create table {s}.outbox (
    seq integer primary key autoincrement,
    id uuid not null,
    name text not null,
    payload jsonb not null,
    tags bytea not null,
    at timestamptz not null
);
--! both

-- Which log this is: a random number that a restore or a failover with lost commits replaces.
create table {s}.log (
    one bigint primary key check (one = 1),
    epoch bigint not null
);

-- How far each consumer has come in each log.
create table {s}.consumer (
    consumer text not null,
    source text not null,
    xid bigint not null,
    seq bigint not null,
    primary key (consumer, source)
);

-- Facts that a consumer has taken while an older transaction of their log might still commit, so that its position could
-- not pass them yet. Written with their effect, and gone when the position has passed them.
create table {s}.consumed (
    consumer text not null,
    fact_id uuid not null,
    at timestamptz not null,
    primary key (consumer, fact_id)
);

-- Facts that a consumer could not take after its last attempt; an operator sees and replays them.
create table {s}.dead_letter (
    consumer text not null,
    fact_id uuid not null,
    source text not null,
    name text not null,
    payload jsonb not null,
    error text not null,
    attempts bigint not null,
    at timestamptz not null,
    primary key (consumer, fact_id)
);

-- First answers to idempotency keys, written in the business transaction.
create table {s}.once (
    caller text not null,
    key text not null,
    fingerprint bytea not null,
    outcome jsonb not null,
    at timestamptz not null,
    primary key (caller, key)
);
create index once_by_age on {s}.once (at);

-- Work that was promised in a business transaction. One row for each (name, key) that waits.
create table {s}.job (
    id uuid primary key,
    name text not null,
    key text not null,
    payload jsonb not null,
    run_at timestamptz not null,
    leased_until timestamptz,
    attempts bigint not null,
    error text,
    at timestamptz not null,
    unique (name, key)
);
create index job_by_time on {s}.job (run_at);

-- Who did what, when, from where; each entry carries the hash of itself and of the one before it.
create table {s}.audit (
    seq bigint primary key,
    at timestamptz not null,
    actor text not null,
    action text not null,
    target text not null,
    detail jsonb not null,
    origin text not null,
    hash bytea not null
);
