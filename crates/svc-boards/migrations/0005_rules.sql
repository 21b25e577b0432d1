-- Rules: what is added to which board when something happens.

-- A rule as its author wrote it.
create table boards.rule (
    id text primary key,
    settings jsonb not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version bigint not null
); -- without rowid

-- A fact that a rule could not score, and why. The last hundred of each rule.
create table boards.rule_error (
    rule_id text not null,
    fact_id uuid not null,
    message text not null,
    met_at timestamptz not null,
    primary key (rule_id, fact_id)
); -- without rowid
