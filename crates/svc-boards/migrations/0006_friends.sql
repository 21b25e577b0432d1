-- Whom people follow, for ranks among friends.

-- Whether one person follows another, as Feed told it last. A follow that has ended keeps its row and its version: what
-- was told before, and comes again, is known by it to be older.
create table boards.follow (
    follower_id uuid not null,
    followee_id uuid not null,
    follows boolean not null,
    version bigint not null,
    primary key (follower_id, followee_id)
); -- without rowid
