-- Rules: what is scored on which board when something happens; and what bans take back and builds make anew.

-- A rule that was made over the API. Those of the configuration are not here.
create table boards.rule (
    id text primary key,
    -- The name of the facts that it is about.
    fact text not null,
    settings jsonb not null,
    -- Facts that were told before do not count.
    since timestamptz not null,
    updated_at timestamptz not null,
    version bigint not null
); -- without rowid
create index rule_by_fact on boards.rule (fact);

-- Since when a rule of the configuration counts: since a program had it for the first time.
create table boards.declared_rule (
    id text primary key,
    since timestamptz not null
); -- without rowid

-- A fact that a rule could not be applied to, and why. The newest hundred of each rule are kept.
create table boards.rule_error (
    rule text not null,
    fact_id uuid not null,
    fact text not null,
    message text not null,
    at timestamptz not null,
    primary key (rule, fact_id)
); -- without rowid

-- A board from which a ban of this owner took something, or on which something of theirs was kept that does not count:
-- what is built anew when the ban is lifted.
create table boards.ban_mark (
    owner text not null,
    board_no bigint not null,
    primary key (owner, board_no)
); -- without rowid

-- A build of a large board's entries that is under way: it writes `edition` and has come to the submission `seq`.
create table boards.build (
    board_no bigint primary key,
    edition bigint not null,
    seq bigint not null
); -- without rowid
