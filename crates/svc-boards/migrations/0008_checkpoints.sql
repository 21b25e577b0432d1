-- Rankings as they stood, kept as blobs: where a board is loaded from quickly, and where past instants are found from.

-- A checkpoint: the ranking of a period as its submissions up to `seq` make it. The row is there before the blob, so that
-- no crash leaves bytes that nothing knows of; only a row in `state` 1 is used. `state`: 0 its bytes are being stored,
-- 1 kept, 2 to be erased, since `moved_at`.
create table boards.checkpoint (
    board_no bigint not null,
    edition bigint not null,
    period bigint not null,
    seq bigint not null,
    state bigint not null,
    -- SHA-256 of the bytes, which is the name of the blob. They begin with the numbers above, so no two rows share one.
    hash bytea not null,
    size_bytes bigint not null,
    entry_count bigint not null,
    -- What of the settings it depends on: under others it is not used.
    basis text not null,
    -- The latest instant of a submission that is in it: it stands for no instant before that.
    newest_at timestamptz not null,
    moved_at timestamptz not null,
    primary key (board_no, edition, period, seq)
); -- without rowid
create index checkpoint_unused on boards.checkpoint (moved_at) where state <> 1;
