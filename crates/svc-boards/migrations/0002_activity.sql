-- Activity that people sync: steps, distance and whatever else is measured, in intervals of time.

-- Somebody who syncs; whoever changes their activity waits here. Sources that stand first count first.
create table boards.activity_person (
    user_id uuid primary key,
    source_priority jsonb not null,
    -- Up to where, by metric and day, the newest order of sources is applied; absent once it is applied everywhere.
    recount_metric text,
    recount_day bigint,
    created_at timestamptz not null
); -- without rowid
create index activity_person_recount on boards.activity_person (user_id) where recount_metric is not null;

-- What one source says of one interval. Intervals of a source do not overlap; a later sync of the same one replaces it.
create table boards.activity (
    user_id uuid not null,
    metric text not null,
    source text not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    value bigint not null,
    revision bigint,
    updated_at timestamptz not null,
    primary key (user_id, metric, source, starts_at)
); -- without rowid
-- All sources of a time, to count it once.
create index activity_by_time on boards.activity (user_id, metric, starts_at);

-- What counts of a UTC day, of all sources: sums of it are quick. Days are numbered from 1 January 1970. A day stays when
-- nothing counts of it any more.
create table boards.activity_day (
    user_id uuid not null,
    metric text not null,
    day bigint not null,
    value bigint not null,
    -- How many intervals begin in it.
    intervals bigint not null,
    -- It was told that the goal of then was reached.
    goal_reached boolean not null,
    primary key (user_id, metric, day)
); -- without rowid

-- What somebody wants to reach each day.
create table boards.activity_goal (
    user_id uuid not null,
    metric text not null,
    per_day bigint not null,
    set_at timestamptz not null,
    primary key (user_id, metric)
); -- without rowid

-- What somebody has achieved; kept, whatever is synced later.
create table boards.achievement (
    user_id uuid not null,
    code text not null,
    earned_at timestamptz not null,
    primary key (user_id, code)
); -- without rowid
