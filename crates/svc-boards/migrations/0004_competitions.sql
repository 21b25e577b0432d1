-- Competitions: who takes part, from when to when, for what; how they ended and what was paid.

-- A competition. `state`: 0 planned or running, by its times; 1 cancelled; 2 ended, its results are final. The row that
-- whoever joins, leaves, ends or pays waits for.
create table boards.competition (
    id uuid primary key,
    name text not null,
    description text not null,
    metric text not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    join_until timestamptz not null,
    capacity bigint,
    attempts_max bigint,
    fee bigint not null,
    convenience_fee bigint not null,
    currency text not null,
    pool_percent bigint not null,
    prize_split jsonb not null,
    teams jsonb,
    state bigint not null,
    participant_count bigint not null check (participant_count >= 0),
    -- The results as they were signed.
    certificate text,
    -- Called off, with people who do not have their money back yet: those behind this one.
    refunded_to uuid,
    created_by uuid not null,
    created_at timestamptz not null,
    -- Counts changes of settings and state; who joins or leaves is not one.
    version bigint not null
); -- without rowid
create index competition_by_start on boards.competition (starts_at desc, id desc);
create index competition_open on boards.competition (ends_at) where state = 0;
create index competition_refunded on boards.competition (id) where refunded_to is not null;

-- Somebody who takes part.
create table boards.participant (
    competition_id uuid not null references boards.competition (id),
    user_id uuid not null,
    team text,
    attempts bigint not null,
    joined_at timestamptz not null,
    primary key (competition_id, user_id)
); -- without rowid
create index participant_by_user on boards.participant (user_id, competition_id);
create index participant_by_team on boards.participant (competition_id, team, user_id) where team is not null;

-- How somebody ended.
create table boards.result (
    competition_id uuid not null references boards.competition (id),
    place bigint not null,
    rank bigint not null,
    user_id uuid not null,
    score bigint not null,
    primary key (competition_id, place)
); -- without rowid

-- Prizes as one administrator proposes them; a second one approves, and with that they begin to be paid.
create table boards.payout (
    competition_id uuid primary key references boards.competition (id),
    -- Users and minor units, best place first.
    prizes jsonb not null,
    proposed_by uuid not null,
    proposed_at timestamptz not null,
    approved_by uuid,
    approved_at timestamptz,
    -- How many are paid, in the order of their users; when all were.
    paid_count bigint not null,
    paid_at timestamptz
); -- without rowid
create index payout_unpaid on boards.payout (competition_id) where approved_by is not null and paid_at is null;
