-- Leaderboards: what was submitted, in order, and how it stands. Whatever is in `entry` follows from `submission`,
-- `ban` and a board's settings; a rebuild makes it anew from those.

-- A leaderboard as it is configured. `settings` is what its owner wrote. A deleted board keeps its row and number until
-- what it holds is erased; then both go.
create table boards.board (
    id text primary key,
    no bigint not null,
    settings jsonb not null,
    -- The competition that writes it; nobody else may.
    competition_id uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    deleted_at timestamptz,
    version bigint not null
);
create unique index board_by_no on boards.board (no);
-- The list of boards, without the two that each competition has.
create index board_listed on boards.board (id) where competition_id is null and deleted_at is null;

-- Where a board stands: the row that its writers queue up for.
create table boards.head (
    no bigint primary key,
    -- Which build of the entries is shown; a rebuild writes the next one and then moves on to it.
    edition bigint not null,
    -- The period that is written to.
    period bigint not null,
    -- The number of the newest submission.
    last_seq bigint not null,
    -- When the period ends, unless the board is never reset.
    period_ends_at timestamptz
); -- without rowid
-- Periods whose time has come.
create index head_by_end on boards.head (period_ends_at) where period_ends_at is not null;

-- A period of a board: from one reset to the next, the last one open. Numbered from 1.
create table boards.period (
    board_no bigint not null,
    no bigint not null,
    starts_at timestamptz not null,
    ends_at timestamptz,
    closed_at timestamptz,
    primary key (board_no, no)
); -- without rowid

-- What was submitted, never changed: by it entries are rebuilt, and ranks of any past instant are found. `seq` ascends in
-- the order of commits. `kind`: 0 a score, 1 the owner's entry was removed.
create table boards.submission (
    board_no bigint not null,
    seq bigint not null,
    period bigint not null,
    owner text not null,
    kind bigint not null,
    -- 8 bytes for each column, big-endian, the sign turned so that bytes sort as numbers do.
    scores bytea not null,
    -- The operator, if it is another than the board's.
    operator text,
    metadata jsonb,
    -- Slices that the owner is in, such as a country.
    slices jsonb,
    evidence jsonb,
    -- Who made it happen, if it was not the owner: their ban takes it back.
    cause text,
    submitted_at timestamptz not null,
    primary key (board_no, seq)
); -- without rowid
create index submission_by_cause on boards.submission (cause, board_no, seq) where cause is not null;

-- How an owner stands in a period. `seq` is the submission that brought the scores to what they are: earlier is better.
create table boards.entry (
    board_no bigint not null,
    edition bigint not null,
    period bigint not null,
    owner text not null,
    scores bytea not null,
    seq bigint not null,
    metadata jsonb,
    slices jsonb,
    -- Scores that were taken, better or not.
    attempts bigint not null,
    updated_at timestamptz not null,
    primary key (board_no, edition, period, owner)
); -- without rowid

-- Somebody whose scores do not count: on one board, or on all of them (`board_no` 0).
create table boards.ban (
    owner text not null,
    board_no bigint not null,
    reason text not null,
    banned_by uuid not null,
    banned_at timestamptz not null,
    primary key (owner, board_no)
); -- without rowid
create index ban_by_board on boards.ban (board_no, owner);
