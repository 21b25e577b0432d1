-- Seasons and tiers: who plays in which tier and cohort of a board in which period, and where that took them.

-- A period of a board that is played as a season, with the rules that it began with. `state`: 0 it waits until those
-- who played the season before know their tier, and gives out no seats; 1 whoever scores first takes a seat; 2 it is
-- over, and everybody who played it knows their tier.
create table boards.season (
    board_no bigint not null,
    period bigint not null,
    -- Counted from the board's first season: a board can be without tiers in between.
    no bigint not null,
    tiers jsonb not null,
    state bigint not null,
    -- While it waits: the last submission whose owner has taken a seat.
    placed_seq bigint not null,
    -- The last cohort whose owners know their tier.
    settled_cohort bigint not null,
    primary key (board_no, period)
); -- without rowid

-- A cohort of a season. Tiers are counted from 0, the lowest.
create table boards.cohort (
    board_no bigint not null,
    period bigint not null,
    no bigint not null,
    tier bigint not null,
    members bigint not null,
    primary key (board_no, period, no)
); -- without rowid
-- The newest cohort of a tier is the one that is being filled.
create index cohort_by_tier on boards.cohort (board_no, period, tier, no);

-- Who plays a season in which tier and cohort; and, once it is over, their rank in the cohort, unless they had no score
-- then, and the tier that they have earned.
create table boards.seat (
    board_no bigint not null,
    owner text not null,
    period bigint not null,
    tier bigint not null,
    cohort bigint not null,
    rank bigint,
    next_tier bigint,
    primary key (board_no, owner, period)
); -- without rowid
create index seat_by_cohort on boards.seat (board_no, period, cohort, owner);
